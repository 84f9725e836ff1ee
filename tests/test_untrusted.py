"""Files and folders from strangers, one decided answer each; `test_fuzz` looks for what nobody has thought of."""

import ast
import gzip
import itertools
import json
import lzma
import os
import subprocess
import sys
import threading
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import fastw2v
from fastw2v.cli import main
from fastw2v.embeddings import Embeddings
from fastw2v.errors import CorpusError, FolderError, FormatError
from fastw2v.files.arrays import load_array
from fastw2v.files.manifest import checksum, parse_json
from fastw2v.screen import printable
from fastw2v.text import ingest
from fastw2v.text.prepared import open_prepared
from fastw2v.text.wordtable import PADDING, SEEDS, Run, word_key
from fastw2v.vocab import Vocab

PACKAGE = Path(fastw2v.__file__).parent
HOSTILE = "\x1b]0;owned\x07\u202egnp\u2066\u200b"  # a terminal's title, right to left, an isolate, no width


@pytest.fixture
def small():
    return Embeddings(Vocab(["a", "b", HOSTILE], np.array([3, 2, 1])), np.eye(3, dtype=np.float32))


@pytest.fixture
def folder(small, tmp_path):
    small.save(tmp_path / "m")
    return tmp_path / "m"


def edit(folder, **fields):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_nothing_unpickles_or_evaluates():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"eval", "exec", "compile", "__import__"}, path
                assert not name.startswith(("pickle.", "marshal.", "shelve.")), path
                if name == "np.load":
                    allowed = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                    assert allowed.get("allow_pickle") == "False", path


# ------------------------------------------------------------------------------------------------------ arrays


def npy(text, data=b"", version=b"\1\0"):
    length = len(text).to_bytes(2 if version < b"\2\0" else 4, "little")
    return b"\x93NUMPY" + version + length + text.encode() + data


def header(descr="'<f4'", fortran="False", shape="(2, 3)"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy(header(), bytes(23)), "takes .* bytes, but the file has"),
        (npy(header(), bytes(25)), "takes .* bytes, but the file has"),
        (npy(header(shape="(-2, -3)"), bytes(24)), "not an array of numbers"),
        (npy(header(shape=f"({2**62}, 3)"), bytes(24)), "the file has"),
        (npy(header(shape=f"({2**32}, {2**32})")), "the file has"),
        (npy(header(shape=f"({10**100},)")), "not an array of numbers"),
        (npy(header(shape="(0, 3)")), "damaged"),
        (npy(header(fortran="True"), bytes(24)), "Fortran order"),
        (npy(header("'>f4'"), bytes(24)), "holds >f4, not <f4"),
        (npy(header("'<f8'"), bytes(48)), "holds <f8, not <f4"),
        (npy(header("'|O'"), b"\x80\x04N."), "not an array of numbers"),
        (npy(header("[('a', '<f4')]"), bytes(24)), "not an array of numbers"),
        (npy(header(shape="(" * 500), bytes(24)), "not an array of numbers"),
        (npy(header(), bytes(24), b"\2\0"), "not an array of numbers"),
        (b"PK\3\4" + bytes(40), "not an array of numbers"),
        (b"\x80\x04N.", "not an array of numbers"),
        (b"", "not an array of numbers"),
    ],
)
def test_array_files_that_lie(tmp_path, content, said):
    (tmp_path / "V.npy").write_bytes(content)
    with pytest.raises(FolderError, match=said) as error:
        load_array(tmp_path / "V.npy", np.float32)
    assert "V.npy" in str(error.value)


@pytest.mark.parametrize(
    "array", [np.ones((2, 3), np.float32), np.arange(7, dtype=np.int64), np.ones((9, 1), np.float32)]
)
def test_numpys_own_files_are_read(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    loaded = load_array(tmp_path / "x.npy", array.dtype)
    np.testing.assert_array_equal(loaded, array)
    assert isinstance(loaded, np.memmap)
    assert not loaded.flags.writeable


# ------------------------------------------------------------------------------------------------------ folders


@pytest.mark.parametrize("name", ["model.json", "vocab.tsv", "V.npy", "metrics.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_opened(folder, name, kind):
    """A pipe would block forever, and a device would never end."""
    (folder / name).unlink()
    if kind == "pipe":
        os.mkfifo(folder / name)
    elif kind == "device":
        (folder / name).symlink_to("/dev/zero")
    else:
        (folder / name).mkdir()
    with pytest.raises(FolderError, match=rf"cannot read .*{name}: it is not a regular file"):
        fastw2v.load(folder)


def test_links_to_files_are_followed(folder, tmp_path):
    """Download caches keep a model as links."""
    (tmp_path / "links").mkdir()
    for path in folder.iterdir():
        (tmp_path / "links" / path.name).symlink_to(path)
    assert len(fastw2v.load(tmp_path / "links")) == 3


def test_names_in_a_manifest_open_nothing(folder, tmp_path, small):
    (tmp_path / "secret").write_bytes((folder / "V.npy").read_bytes())
    edit(folder, V="../secret", vectors="../secret", sha256={"../secret": "0" * 64}, files=["/etc/passwd"])
    (folder / "V.npy").unlink()
    with pytest.raises(FolderError, match=r"V\.npy is missing"):
        fastw2v.load(folder)


@pytest.mark.filterwarnings("ignore:no two words met:fastw2v.FastW2VWarning")
def test_training_into_a_strangers_folder_empties_no_other(folder, tmp_path):
    """The staging folder is emptied, so it may be no link; nor may what a killed run set aside."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").write_text("years")
    sentences = [["a", "b", "c"]] * 20
    options = {"vector_size": 2, "min_count": 1, "epochs": 1, "workers": 1, "progress": False, "sample": 0}
    (folder / ".partial").symlink_to(precious)
    with pytest.raises(FolderError, match=r"\.partial is a link: remove it"):
        fastw2v.train(sentences, output=folder, **options)
    (folder / ".partial").unlink()
    (folder / ".partial").mkdir()
    (folder / ".partial" / "old").symlink_to(precious)
    (folder / "model.json").unlink()
    fastw2v.train(sentences, output=folder, **options)
    assert (precious / "thesis").read_text() == "years"
    assert list(fastw2v.load(folder).words) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"n_words": 1, "n_words": 2}', "the key 'n_words' occurs twice"),
        ("[" * 65 + "]" * 65, "nested too deep"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("9" * 5000, "4300 digits"),
        ("\ufeff{}", "Expecting value"),
        ("", "Expecting value"),
    ],
)
def test_json_that_is_refused(folder, text, said):
    with pytest.raises(ValueError, match=said):
        parse_json(text.encode())
    (folder / "model.json").write_text(text)
    with pytest.raises(FolderError, match=rf"model\.json is damaged: not JSON \(.*{said}"):
        fastw2v.load(folder)


def test_json_that_is_read():
    assert parse_json(b'{"a": [NaN, Infinity, -Infinity, 1e999, 1.5]}') == {"a": [None, None, None, None, 1.5]}
    assert parse_json(b'"\\ud800"') == "\ud800"
    assert parse_json(b"[" * 64 + b"]" * 64)
    assert parse_json(b"9" * 4000) == int("9" * 4000)
    with pytest.raises(ValueError, match="utf-8"):
        parse_json(b'"\xff"')


@pytest.mark.parametrize("line", ["7", '{"loss": [[1]]}', "[" * 100_000, "", "\x00", '{"loss": {"a": 1}}'])
def test_metrics_of_a_stranger(folder, line):
    (folder / "metrics.jsonl").write_text('{"loss": NaN, "pairs": 3}\n' + line + "\n")
    with pytest.raises(FolderError, match=r"metrics\.jsonl line 2 is not a JSON object of numbers and strings"):
        fastw2v.load(folder)


@pytest.mark.parametrize("loss", ["NaN", "1" * 4000, '"\x1b[31m"', "null", "true", "1e999"])
def test_info_of_strange_metrics(folder, capsys, loss):
    (folder / "metrics.jsonl").write_text(f'{{"loss": {loss}}}\n'.replace("\x1b", "\\u001b"))
    assert main(["info", str(folder)]) == 0
    assert "final_loss: None" in capsys.readouterr().out
    assert main(["info", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["final_loss"] is None


def test_a_model_without_words_is_refused(folder):
    (folder / "vocab.tsv").write_bytes(b"")
    edit(folder, n_words=0, vocab_sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    with pytest.raises(FolderError, match=r"vocab\.tsv is empty, but a model has at least one word"):
        fastw2v.load(folder)


@pytest.mark.parametrize("content", [b"a\tb\t5\n", b"a\rb\t5\n", b"a\vb\t5\n", b"a\fb\t5\n", "a\t٣\n".encode()])
def test_words_that_no_vocabulary_can_hold(tmp_path, content):
    (tmp_path / "vocab.tsv").write_bytes(b"fine\t9\n" + content)
    with pytest.raises(FolderError, match="line 2"):
        Vocab.read(tmp_path / "vocab.tsv")


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_vectors_that_are_not_finite(small, tmp_path, value):
    """Found when vectors are compared or exported: `load` maps the matrices, and would have to read them."""
    vectors = np.eye(3, dtype=np.float32)
    vectors[1, 2] = value
    broken = Embeddings(small.vocab, vectors)
    broken.save(tmp_path / "m")
    loaded = fastw2v.load(tmp_path / "m")
    with pytest.raises(FormatError, match="the vector of the word 'b' is not finite"):
        loaded.most_similar("a")
    with pytest.raises(FormatError, match="'b'"):
        loaded.similarity("a", "b")
    if not np.isfinite(value):
        with pytest.raises(FormatError, match="the vector of the word 'b' is not finite"):
            loaded.export(tmp_path / "v")
        assert not (tmp_path / "v").exists()


@pytest.mark.parametrize(
    ("fields", "counts", "said"),
    [
        ({}, [0, 0], "sizes"),
        ({}, [10**17, 10**17], "sizes"),
        ({}, [99, 1], "sizes"),
        ({"min_count": -1}, None, "no valid min_count or max_vocab"),
        ({"max_vocab": "all"}, None, "no valid min_count or max_vocab"),
        ({"tokens_read": 1}, None, "no valid tokens_read"),
        ({"tokens": 10**30}, None, "sizes"),
    ],
)
def test_prepared_folders_that_lie(tmp_path, fields, counts, said):
    fastw2v.prepare([["a", "b", "a"]] * 10, tmp_path / "p", min_count=1, progress=False)
    path = tmp_path / "p" / "prepared.json"
    if counts:
        fields = {"vocab_sha256": Vocab(["a", "b"], np.array(counts)).write(tmp_path / "p" / "vocab.tsv")}
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(FolderError, match=said):
        open_prepared(tmp_path / "p")


# ------------------------------------------------------------------------------------------------------ vectors files


@pytest.mark.parametrize(
    ("content", "binary", "said"),
    [
        (b"1 70000\na " + bytes(280_000), True, "vectors of 70000 numbers, more than 65,536"),
        (b"1 1\na 1e39\n", False, "not finite"),
        (b"1 1\na " + b"x" * 100_000 + b"\n", False, "line 2: 'x+ is not a number"),
        (b"1 1\na" + b" 1" * 100_000 + b"\n", False, "line 2 has 100,000 numbers, but the header announces 1"),
        (b"1 1\nabcd\n", False, "0 numbers"),
        (b"1 1\na 0\n" + b" " * 5000 + b"x", False, "line 3 has 0 numbers"),
        (b"1 1\n" + b"a" * 1_000_000, True, "truncated or not binary"),
        (f"1 1\n{HOSTILE} nan\n".encode(), False, "not finite"),
    ],
)  # fmt: skip
def test_vectors_files_that_lie(tmp_path, content, binary, said):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(FormatError, match=said) as error:
        fastw2v.load_word2vec_format(tmp_path / "v", binary=binary)
    assert len(str(error.value)) < 400


def test_export_writes_through_no_link_that_lies_in_wait(small, tmp_path):
    (tmp_path / "precious").write_text("years")
    (tmp_path / f".v.{os.getpid()}.{threading.get_ident()}").symlink_to(tmp_path / "precious")
    Embeddings(Vocab(["a"], np.ones(1, np.int64)), np.ones((1, 2), np.float32)).export(tmp_path / "v")
    assert (tmp_path / "precious").read_text() == "years"
    assert len(fastw2v.load_word2vec_format(tmp_path / "v", binary=True)) == 1


def test_export_of_words_that_are_not_utf8_says_what_gensim_needs(tmp_path, capsys):
    vocab = Vocab(["fine", "caf\udce9", "x\udcff"], np.ones(3, np.int64))
    embeddings = Embeddings(vocab, np.ones((3, 2), np.float32))
    said = r"2 of 3 words, the first 'caf\\udce9', are not valid UTF-8: gensim .* unicode_errors=\"replace\""
    with pytest.warns(UserWarning, match=said) as warned:
        embeddings.export(tmp_path / "v")
    assert len(warned) == 1
    assert warned[0].filename == __file__
    embeddings.save(tmp_path / "m")
    assert main(["export", str(tmp_path / "m"), str(tmp_path / "v")]) == 0
    assert "fastw2v: warning: 2 of 3 words" in capsys.readouterr().err


def test_gensim_reads_them_as_the_warning_says(tmp_path):
    models = pytest.importorskip("gensim.models")
    embeddings = Embeddings(Vocab(["caf\udce9"], np.ones(1, np.int64)), np.ones((1, 2), np.float32))
    with pytest.warns(UserWarning, match="unicode_errors"):
        embeddings.export(tmp_path / "v")
    with pytest.raises(UnicodeDecodeError):
        models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"), binary=True)
    keyed = models.KeyedVectors.load_word2vec_format(str(tmp_path / "v"), binary=True, unicode_errors="replace")
    assert keyed.index_to_key == ["caf\ufffd"]


# ------------------------------------------------------------------------------------------------------ text


def test_an_archive_of_one_endless_word(tmp_path, monkeypatch):
    """A thousandth of the memory it would take fits into an archive."""
    monkeypatch.setattr(ingest, "WORD_BYTES", 8 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"a" * (20 << 20)))
    with pytest.raises(CorpusError, match=r"bomb\.gz has 8 MB without white space: is it text\?"):
        fastw2v.prepare(tmp_path / "bomb.gz", tmp_path / "p", min_count=1, progress=False)
    assert not (tmp_path / "p").exists()


def test_an_archive_that_asks_for_all_memory(tmp_path):
    """An xz header announces how large the dictionary is: here 4 GiB, for a few bytes of text."""
    resource = pytest.importorskip("resource")
    archive = bytearray(lzma.compress(b"the cat " * 100, preset=0))
    size = 4 * (archive[12] + 1)
    block = archive[12 : 12 + size]
    assert block[2] == 0x21  # LZMA2, whose one property byte follows
    block[4] = 40
    block[-4:] = zlib.crc32(block[:-4]).to_bytes(4, "little")
    archive[12 : 12 + size] = block
    (tmp_path / "text.xz").write_bytes(archive)
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30), before[1]))
    try:
        with pytest.raises(CorpusError, match=r"text\.xz needs more memory to decompress than there is"):
            fastw2v.prepare(tmp_path / "text.xz", tmp_path / "p", min_count=1, workers=1, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def test_folders_nested_too_deep(tmp_path, monkeypatch, capsys, folder):
    """As an archive may hold them. Later versions of Python walk without recursion."""
    for top in (tmp_path / "deep", folder / "deep", folder / ".partial"):
        top.mkdir()
        monkeypatch.chdir(top)
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CorpusError, match=r"nested too deep|without files|cannot read"):
        fastw2v.prepare("deep", "p", progress=False)
    with pytest.raises(CorpusError, match=r"nested too deep|no file matches|without files|cannot read"):
        fastw2v.prepare("deep/**/*", "p", progress=False)
    assert main(["info", str(folder)]) == 0
    with suppress(FolderError):
        fastw2v.train([["a", "b"]] * 9, output=folder, epochs=1, vector_size=2, workers=1, progress=False)
    subprocess.run(["rm", "-r", "deep", folder / "deep", *folder.glob(".partial")], check=True)


def test_words_made_to_collide_have_different_keys():
    """A difference in a product's top bit stays there whatever the seed; a table of such words would be a list."""
    first, second = b"abcdefga", b"abcdefgh"
    other = first[:7] + bytes([first[7] ^ 0x80]), bytes(b ^ 0x80 * (i in (3, 7)) for i, b in enumerate(second))
    words = [b"".join(pairs) for pairs in itertools.product((first + second, b"".join(other)), repeat=8)]
    text = np.frombuffer(bytearray(b"".join(words) + b" " * PADDING), np.uint8)
    size = len(words[0])
    keys = {word_key(text, np.uint64(i * size), np.uint64((i + 1) * size), SEEDS) for i in range(len(words))}
    assert len(keys) == len(words) == 256


def test_tables_of_long_words_are_set_aside_too(tmp_path, monkeypatch):
    """Ten thousand words of a kilobyte need more memory than ten thousand words."""
    text = b" ".join(b"%d%s" % (i % 500, b"x" * 1000) for i in range(1000))
    (tmp_path / "text").write_bytes(text)
    whole = fastw2v.prepare(tmp_path / "text", tmp_path / "p", min_count=1, workers=1, progress=False)
    stored = []
    store = Run.store
    monkeypatch.setattr(Run, "store", lambda run, *where: stored.append(len(run.letters)) or store(run, *where))
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(ingest, "TABLE_BYTES", 100_000)
    again = fastw2v.prepare(tmp_path / "text", tmp_path / "q", min_count=1, workers=1, progress=False)
    assert len(stored) == 9
    assert max(stored) < 120_000
    assert list(again.vocab.words) == list(whole.vocab.words)
    assert again.ids.tolist() == whole.ids.tolist()


# ------------------------------------------------------------------------------------------------------ on screen


def shown(capsys, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stdout, "isatty", lambda: True)
        code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    for line in (out + err).replace("\r", "\n").split("\n"):  # a progress bar returns to the start of its line
        assert printable(line) == line
    return code, out, err


def test_hostile_words_names_and_fields_are_escaped(folder, tmp_path, capsys):
    code, out, _ = shown(capsys, "neighbors", folder, "a", HOSTILE)
    assert code == 0
    assert "\\x1b]0;owned\\x07\\u202egnp\\u2066\\u200b" in out
    assert shown(capsys, "neighbors", folder, "a" + HOSTILE)[0] == 2

    edit(folder, **{HOSTILE: {HOSTILE: HOSTILE}, HOSTILE + "2": [HOSTILE]})
    (folder / HOSTILE).write_text("")
    code, out, _ = shown(capsys, "info", folder)
    assert code == 0
    assert out.count("owned") == 6

    hostile = folder.rename(tmp_path / f"m{HOSTILE}")
    (tmp_path / f"q{HOSTILE}").write_text(f": s{HOSTILE}\na b a b\n")
    code, out, _ = shown(capsys, "eval", hostile, "--analogies", tmp_path / f"q{HOSTILE}")
    assert code == 0
    assert out.count("owned") == 2
    assert shown(capsys, "export", hostile, tmp_path / f"v{HOSTILE}")[0] == 0
    assert shown(capsys, "export", hostile, tmp_path)[0] == 2
    assert shown(capsys, "info", tmp_path / f"nothing\n{HOSTILE}")[0] == 2
    (tmp_path / f"text{HOSTILE}").write_text(f"{HOSTILE} b\n" * 9)
    options = ["--vector-size=2", "--epochs=1", "--workers=1"]
    assert shown(capsys, "prepare", tmp_path / f"text{HOSTILE}", "-o", tmp_path / f"p{HOSTILE}")[0] == 0
    for _ in range(2):  # the second reports its reuse
        assert shown(capsys, "train", tmp_path / f"text{HOSTILE}", "-o", tmp_path / f"n{HOSTILE}", *options)[0] == 0
    code, _, err = shown(capsys, "prepare", tmp_path / f"text{HOSTILE}", "-o", tmp_path / "q", "--min-count=99")
    assert code == 2
    assert "owned" in err


def test_options_of_a_state_are_named_in_one_short_line(planted_file, tmp_path):
    options = {"vector_size": 2, "min_count": 1, "epochs": 1, "workers": 1, "progress": False}
    fastw2v.train(planted_file, output=tmp_path / "m", **options)
    path = tmp_path / "m" / "model.json"
    record = json.loads(path.read_text())
    record["config"][HOSTILE + "\n" + "x" * 10_000] = 1
    record["checksum"] = checksum(record)
    path.write_text(json.dumps(record))
    with pytest.raises(FolderError, match="cannot be resumed") as error:
        fastw2v.train(planted_file, output=tmp_path / "m", resume=True, **options)
    assert printable(str(error.value)) == str(error.value)
    assert len(str(error.value)) < 600
