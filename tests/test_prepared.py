"""Prepared folders: their files, the errors, and the leftovers of failures."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import ConfigError, CorpusError, FastW2VWarning, FolderError
from fastw2v.files.arrays import load_array
from fastw2v.files.staging import staged
from fastw2v.text.corpus import check_ids
from fastw2v.text.prepared import open_prepared, opened
from fastw2v.training import replica

TEXT = "the cat sat\non the mat\n\nthe dog\nxyzzy\n" * 3


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def as_sentences(corpus):
    words = corpus.vocab.words
    return [[words[i] for i in corpus.ids[a:b]] for a, b in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)]


def test_prepare_writes_what_it_says(text, tmp_path):
    corpus = fastw2v.prepare(text, tmp_path / "p", min_count=1)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "ids.npy",
        "offsets.npy",
        "prepared.json",
        "vocab.tsv",
    ]
    assert as_sentences(corpus) == [line.split() for line in TEXT.splitlines() if line]
    assert corpus.ids.dtype == np.int32
    assert corpus.offsets.dtype == np.int64
    assert corpus.tokens_read == len(TEXT.split())


def test_words_below_min_count_leave_the_stream_but_not_their_sentence(text, tmp_path):
    corpus = fastw2v.prepare(text, tmp_path / "p", min_count=4)
    assert list(corpus.vocab.words) == ["the"]
    assert as_sentences(corpus) == [["the"], ["the"], ["the"], []] * 3
    assert corpus.tokens_read == len(TEXT.split())


def test_iterable_and_generator_equal_text(text, tmp_path):
    from_text = fastw2v.prepare(text, tmp_path / "a", min_count=1)
    lines = [line.split() for line in TEXT.splitlines()]
    for name, given in (("b", lines), ("c", (line for line in lines))):
        other = fastw2v.prepare(given, tmp_path / name, min_count=1)
        np.testing.assert_array_equal(other.ids, from_text.ids)
        np.testing.assert_array_equal(other.offsets, from_text.offsets)
        assert list(other.vocab.words) == list(from_text.vocab.words)


def test_open_again(text, tmp_path):
    first = fastw2v.prepare(text, tmp_path / "p", min_count=2, max_vocab=3)
    again = open_prepared(tmp_path / "p")
    np.testing.assert_array_equal(first.ids, again.ids)
    assert (again.min_count, again.max_vocab) == (2, 3)
    assert len(again.vocab) == 3


def test_failed_preparation_leaves_nothing(text, tmp_path):
    with pytest.raises(CorpusError, match="no word occurs"):
        fastw2v.prepare(text, tmp_path / "deep" / "p", min_count=100)
    assert not (tmp_path / "deep").exists()


def test_failed_preparation_keeps_the_old_folder(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()}
    with pytest.raises(CorpusError, match="no word occurs"):
        fastw2v.prepare(text, tmp_path / "p", min_count=100)
    assert {path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()} == before


@pytest.mark.parametrize("damage", ["missing", "truncated", "not an array", "other dtype", "out of range", "offsets"])
def test_damaged_folder_is_refused(text, tmp_path, damage):
    folder = tmp_path / "p"
    n_tokens = len(fastw2v.prepare(text, folder, min_count=1).ids)
    ids = folder / "ids.npy"
    if damage == "missing":
        ids.unlink()
    elif damage == "truncated":
        ids.write_bytes(ids.read_bytes()[:-4])
    elif damage == "not an array":
        ids.write_bytes(b"garbage")
    elif damage == "other dtype":
        np.save(ids, np.zeros(n_tokens, np.int64))
    elif damage == "out of range":
        np.save(ids, np.full(n_tokens, 99, np.int32))
    else:
        np.save(folder / "offsets.npy", np.array([0, 5, 3, n_tokens]))
    with pytest.raises(FolderError, match=r"ids|offsets"):
        open_prepared(folder)


def test_pickles_are_never_loaded(text, tmp_path):
    folder = tmp_path / "p"
    fastw2v.prepare(text, folder, min_count=1)
    np.save(folder / "ids.npy", np.array([{"evil": True}], dtype=object))
    with pytest.raises(FolderError, match=r"ids\.npy"):
        open_prepared(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "other"}', '{"format": "fastw2v-prepared"}'])
def test_bad_manifest(text, tmp_path, content):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    (tmp_path / "p" / "prepared.json").write_text(content)
    with pytest.raises(FolderError, match=r"prepared\.json"):
        open_prepared(tmp_path / "p")


def test_sizes_must_agree(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    manifest = tmp_path / "p" / "prepared.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"tokens": 5}))
    with pytest.raises(FolderError, match="sizes"):
        open_prepared(tmp_path / "p")


def test_other_min_count_than_prepared_with_is_an_error(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    with (
        pytest.raises(ConfigError, match=r"min_count is 3, but .* was made with 1"),
        opened(tmp_path / "p", None, 3, None),
    ):
        pass
    with opened(tmp_path / "p", None, 1, None) as corpus:
        assert corpus.min_count == 1


@pytest.mark.parametrize(
    ("ids", "offsets", "said"),
    [
        (np.zeros(3), [0, 3], "float64"),
        (["a"], [0, 1], "give a one-dimensional int32 array"),
        (np.zeros((3, 1), np.int32), [0, 3], "shape"),
        (np.zeros(3, np.int32), [0, 2], "from 0 to the number of ids, 3"),
        (np.zeros(3, np.int32), [1, 3], "from 0"),
        (np.zeros(3, np.int32), [0, 3, 1, 3], "decrease"),
        (
            np.array([0, -1, 1], np.int32),
            [0, 3],
            r"holds -1 \(id 2 of sequence 1\).*; if it pads short sequences, leave it out",
        ),
        (np.array([0, 5, 1], np.int32), [0, 3], r"holds 5 \(id 2 of sequence 1\): every id must be from 0 to 4"),
        (np.zeros(3, np.int32), np.array([0, 3.0]), "offsets is float64"),
        (np.array([0, 2**40], np.int64), [0, 2], "holds 1099511627776"),
    ],
)
def test_ids_are_checked_before_a_kernel_sees_them(ids, offsets, said):
    offsets = offsets if isinstance(offsets, np.ndarray) else np.array(offsets, np.int64)
    with pytest.raises(CorpusError, match=said):
        check_ids(ids, offsets, 5)


def test_other_integers_are_converted():
    ids, offsets = check_ids([0, 1, 1], np.array([0, 3], np.int32), 2)
    assert (ids.dtype, offsets.dtype) == (np.int32, np.int64)
    assert not ids.flags.writeable
    given = np.array([0, 1], np.int32)
    assert check_ids(given, [0, 2], 2)[0].base is given  # no copy where none is needed
    assert given.flags.writeable


def test_staged_folder_appears_complete_or_not_at_all(tmp_path):
    def write(partial, fail=False):
        (partial / "a").write_text("new")
        if fail:
            (partial / "nowhere" / "b").write_text("no such folder")
        (partial / "m.json").write_text("new")
        (partial / "scratch").mkdir()

    target = tmp_path / "x" / "y"
    with pytest.raises(FileNotFoundError), staged(target, "m.json", "thing") as partial:
        write(partial, fail=True)
    assert not (tmp_path / "x").exists()
    with staged(target, "m.json", "thing") as partial:
        write(partial)
        assert not (target / "m.json").exists()
    assert sorted(path.name for path in target.iterdir()) == ["a", "m.json"]


def test_staged_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "precious").write_text("data")
    with pytest.raises(FolderError, match="exists and is not a thing folder"), staged(tmp_path, "m.json", "thing"):
        pass
    assert (tmp_path / "precious").read_text() == "data"
    with pytest.raises(FolderError, match="is not a folder"), staged(tmp_path / "precious", "m.json", "thing"):
        pass


def test_staged_refuses_a_second_writer(tmp_path):
    code = "import sys; from pathlib import Path; from fastw2v.files.staging import staged\n"
    code += "with staged(Path(sys.argv[1]), 'm.json', 'thing'): pass"
    with staged(tmp_path / "x", "m.json", "thing") as partial:
        (partial / "m.json").write_text("mine")
        refused = pytest.raises(FolderError, match="is being written by another run")
        with refused, staged(tmp_path / "x", "m.json", "thing"):
            pass
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True)
        assert "is being written by another run" in done.stderr
    assert (tmp_path / "x" / "m.json").read_text() == "mine"


def test_staged_takes_over_from_a_killed_run(tmp_path):
    (tmp_path / ".partial" / "corpus").mkdir(parents=True)
    (tmp_path / ".partial" / "V.npy").write_text("left over")
    with staged(tmp_path, "m.json", "thing") as partial:
        assert not list(partial.iterdir())
        (partial / "m.json").write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def parts(folder, content):
    for name in ("V.npy", "vocab.tsv", "model.json"):
        (folder / name).write_text(content)


def read_parts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("nth", range(6))
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), KeyboardInterrupt()])
def test_publishing_that_fails_puts_the_old_files_back(tmp_path, monkeypatch, nth, error):
    from fastw2v.files import staging

    target = tmp_path / "m"
    target.mkdir()
    parts(target, "old")
    (target / "U.npy").write_text("old")
    (target / "notes.txt").write_text("the user's")
    before = read_parts(target)
    calls, real = [], staging.os.rename

    def rename(a, b):
        calls.append(a)
        if len(calls) == nth + 1:
            raise error
        real(a, b)

    monkeypatch.setattr(staging.os, "rename", rename)
    with pytest.raises((FolderError, KeyboardInterrupt)), staged(target, "model.json", "model") as partial:
        parts(partial, "new")
    assert read_parts(target) == before
    assert not (target / ".partial").exists()


def test_publishing_leaves_no_stale_part_and_no_stranger_touched(tmp_path):
    parts(tmp_path, "old")
    (tmp_path / "U.npy").write_text("stale")
    (tmp_path / "notes.txt").write_text("the user's")
    with staged(tmp_path, "model.json", "model") as partial:
        parts(partial, "new")
    assert read_parts(tmp_path) == {
        "V.npy": "new",
        "vocab.tsv": "new",
        "model.json": "new",
        "notes.txt": "the user's",
    }


KILLED = """
import os, shutil, sys
from pathlib import Path
from fastw2v.files import staging

folder, fatal, keep = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "keep"
steps = 0

def fatal_step(real):
    def step(*arguments, **keywords):
        global steps
        steps += 1
        if steps == fatal:
            os._exit(9)  # as SIGKILL would: no handler, no finally
        return real(*arguments, **keywords)
    return step

with staging.staged(folder, "model.json", "model") as partial:
    for name in ("V.npy", "U.npy", "model.json"):
        (partial / name).write_text("new")
    if keep:
        (partial / staging.KEEP_PREVIOUS).touch()
    for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync"):
        setattr(os, name, fatal_step(getattr(os, name)))
"""


@pytest.mark.parametrize(
    ("had", "keep"),
    [
        (True, "keep"),
        pytest.param(True, "drop", marks=pytest.mark.slow),
        pytest.param(False, "keep", marks=pytest.mark.slow),
        pytest.param(False, "drop", marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_at_any_step_of_publishing_leaves_one_whole_model(tmp_path, keep, had):
    whole = {"old": {"V.npy": "old", "vocab.tsv": "old", "model.json": "old"} if had else {}}
    whole["new"] = {"V.npy": "new", "U.npy": "new", "model.json": "new"}
    seen = []
    for fatal in range(1, 40):
        target = tmp_path / str(fatal)
        target.mkdir()
        if had:
            parts(target, "old")
        killed = subprocess.run([sys.executable, "-c", KILLED, target, str(fatal), keep]).returncode == 9
        with pytest.raises(KeyError), staged(target, "model.json", "model"):
            raise KeyError  # the next run fails: what it finds must be whole all the same
        found = read_parts(target) if target.exists() else {}
        assert found in whole.values()
        if keep == "keep" and had and found == whole["new"]:
            assert read_parts(target / "previous") == whole["old"]
        assert not (target / ".partial").exists()
        seen.append(found == whole["new"])
        if not killed:
            break
    assert not killed
    assert seen == sorted(seen)  # once published, never taken back
    assert seen[-1]
    assert not seen[0]


def test_a_file_named_previous_is_no_reason_to_lose_the_finished_model(tmp_path):
    from fastw2v.files import staging

    parts(tmp_path, "old")
    (tmp_path / "previous").write_text("the user's")
    before = read_parts(tmp_path)
    with pytest.raises(FolderError, match="in the way"), staged(tmp_path, "model.json", "model") as partial:
        [(partial / name).write_text("new") for name in ("V.npy", "model.json", staging.KEEP_PREVIOUS)]
    assert read_parts(tmp_path) == before


def test_a_claim_that_fails_gives_the_lock_back(tmp_path, monkeypatch):
    from fastw2v.files import staging

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(staging, "_settle", refuse)
        with pytest.raises(FolderError, match="Permission denied"), staged(tmp_path / "m", "m.json", "thing"):
            pass
    with staged(tmp_path / "m", "m.json", "thing") as partial:
        (partial / "m.json").write_text("{}")


def test_ctrl_c_while_publishing_waits_until_it_is_done(tmp_path, monkeypatch):
    from fastw2v.files import staging

    real = staging.os.fsync

    def interrupted_fsync(descriptor):
        signal.raise_signal(signal.SIGINT)
        real(descriptor)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(staging.os, "fsync", interrupted_fsync)
    try:
        with pytest.raises(KeyboardInterrupt), staged(tmp_path, "one.json", "model") as partial:
            (partial / "one.json").write_text("new")
        assert read_parts(tmp_path) == {"one.json": "new"}
        names = ["one.json", "two", "three", "four"]  # one Ctrl-C each: none gets through before the end
        with pytest.raises(KeyboardInterrupt, match="was saved"), staged(tmp_path, "one.json", "model") as partial:
            [(partial / name).write_text("newer") for name in names]
        assert read_parts(tmp_path) == dict.fromkeys(names, "newer")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    """With a limit on the size of files in place of a small disk."""
    (tmp_path / "text").write_text("a b c d e f g h\n" * 30_000)
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
    code += "from fastw2v.cli import main; sys.exit(main(sys.argv[1:]))"
    for command in ("prepare", "train"):
        run = [sys.executable, "-c", code, command, tmp_path / "text", "-o", tmp_path / "out"]
        done = subprocess.run(run, capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].startswith(f"fastw2v: error: cannot write {tmp_path / 'out'}: ")
        assert not (tmp_path / "out").exists()


def test_a_list_of_one_prepared_folder(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    with opened([tmp_path / "p"], None, None, None) as corpus:
        assert corpus.min_count == 1
    with pytest.raises(ConfigError, match="max_vocab is 2"), opened([tmp_path / "p"], None, None, 2):
        pass


def test_standard_input_that_does_not_wait(tmp_path):
    """A pipe in non-blocking mode whose writer pauses is read to its end all the same."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    run = [sys.executable, "-m", "fastw2v", "prepare", "-", "-o", tmp_path / "p", "--min-count=1"]
    process = subprocess.Popen(run, stdin=read_end, stdout=subprocess.PIPE, text=True)
    os.close(read_end)
    for _ in range(3):
        os.write(write_end, b"ten words of text to be read by the program\n")
        time.sleep(1)
    os.close(write_end)
    said, _ = process.communicate(timeout=60)
    assert "30 tokens read" in said


FILES = ("ids.npy", "offsets.npy", "vocab.tsv")


def random_text(seed=0, words=30_000):
    rng = np.random.default_rng(seed)
    ends = rng.choice(["\n", " ", " ", " "], words)
    return "".join(f"w{i}{end}" for i, end in zip(rng.zipf(1.3, words) % 4000, ends, strict=True))


@pytest.mark.parametrize(("min_count", "max_vocab"), [(1, None), (3, None), (2, 50)])
def test_any_number_of_workers_writes_the_same_bytes(tmp_path, monkeypatch, min_count, max_vocab):
    from fastw2v.text import ingest

    (tmp_path / "text").write_text(random_text())
    expected = None
    for table_words in (1 << 22, 1000):  # the second time words do not fit into the tables
        monkeypatch.setattr(ingest, "TABLE_WORDS", table_words)
        for workers in (1, 2, 3, 7):
            monkeypatch.setattr(ingest, "BLOCK_BYTES", 5000 + 17 * workers)
            options = {"min_count": min_count, "max_vocab": max_vocab, "workers": workers, "progress": False}
            fastw2v.prepare(tmp_path / "text", tmp_path / "p", **options)
            found = [(tmp_path / "p" / name).read_bytes() for name in FILES]
            found.append(json.loads((tmp_path / "p" / "prepared.json").read_text()))
            expected = expected or found
            assert found == expected
    sentences = [line.split() for line in random_text().split("\n")]
    fastw2v.prepare(sentences, tmp_path / "s", min_count=min_count, max_vocab=max_vocab, progress=False)
    assert [(tmp_path / "s" / name).read_bytes() for name in FILES] == expected[:3]


def test_the_largest_count_left_out_is_reported(text, tmp_path):
    def left_out(**options):
        fastw2v.prepare(text, tmp_path / "p", progress=False, **options)
        return json.loads((tmp_path / "p" / "prepared.json").read_text())["largest_count_left_out"]

    assert left_out(min_count=1) == 0
    assert left_out(min_count=4) == 3  # the 9 times, all others 3 times
    assert left_out(min_count=1, max_vocab=1) == 3


def test_prepare_says_what_it_does_where_asked(tmp_path, capsys, monkeypatch):
    from fastw2v.text import wordtable

    (tmp_path / "text").write_text(" ".join(f"w{i}" for i in range(50_000)))
    monkeypatch.setattr(wordtable, "LARGE_BYTES", 1 << 20)
    fastw2v.prepare(tmp_path / "text", tmp_path / "p", min_count=1, progress=False)
    assert capsys.readouterr().err == ""
    fastw2v.prepare(tmp_path / "text", tmp_path / "p", min_count=1)
    assert "fastw2v: memory: a word table grows to 98,304 words, 6 MB\n" in capsys.readouterr().err


QUICK = {"vector_size": 4, "epochs": 1, "workers": 1, "min_count": 1}


@pytest.fixture
def big(tmp_path):
    """A text old enough to be trusted by its state, at first."""
    path = tmp_path / "big.txt"
    path.write_text(random_text())
    return path


def settle(monkeypatch):
    from fastw2v.text import prepared

    monkeypatch.setattr(prepared, "SETTLED_NS", 0)


REUSED = "reusing its ids"


def trained(capsys, corpus, folder, **options):
    """Train, and tell whether the ids were reused."""
    fastw2v.train(corpus, output=folder, **QUICK | options)
    return REUSED in capsys.readouterr().err


def test_train_uses_its_ids_again(big, tmp_path, capsys, monkeypatch):
    from fastw2v.text import prepared

    folder = tmp_path / "m"
    assert not trained(capsys, big, folder)
    first = fastw2v.load(folder).vectors.copy()
    assert is_prepared_alone(folder / "cache")
    ids = (folder / "cache" / "ids.npy").stat()
    assert trained(capsys, big, folder)
    assert (folder / "cache" / "ids.npy").stat() == ids
    np.testing.assert_array_equal(fastw2v.load(folder).vectors, first)
    assert trained(capsys, big, folder, epochs=2, vector_size=8, seed=3, workers=2)
    assert not trained(capsys, big, folder, min_count=2)
    assert trained(capsys, big, folder, min_count=2)
    assert not trained(capsys, big, folder, min_count=2, max_vocab=9)
    assert len(fastw2v.load(folder)) == 9
    assert not trained(capsys, big, folder)
    monkeypatch.setattr(prepared, "__version__", "0.0.1")
    assert not trained(capsys, big, folder)


def is_prepared_alone(folder):
    return sorted(path.name for path in folder.iterdir()) == ["ids.npy", "offsets.npy", "prepared.json", "vocab.tsv"]


def test_what_counts_is_the_content(big, tmp_path, capsys):
    folder = tmp_path / "m"
    assert not trained(capsys, big, folder)
    (tmp_path / "moved").mkdir()
    moved = big.rename(tmp_path / "moved" / "elsewhere.txt")
    assert trained(capsys, moved, folder)
    assert trained(capsys, tmp_path / "moved", folder)
    import gzip

    (tmp_path / "packed").write_bytes(gzip.compress(moved.read_bytes()))
    assert trained(capsys, tmp_path / "packed", folder)
    content, times = moved.read_bytes(), moved.stat()
    for at in (0, len(content) // 2, len(content) - 2):
        moved.write_bytes(content[:at] + b"Z" + content[at + 1 :])  # the same size
        os.utime(moved, ns=(times.st_atime_ns, times.st_mtime_ns))  # and time
        assert not trained(capsys, moved, folder)
        moved.write_bytes(content)
        assert not trained(capsys, moved, folder)
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(content[:-9])
    b.write_bytes(content[-9:])
    assert not trained(capsys, [a, b], folder)  # a file ends a sentence
    assert trained(capsys, [a, b], folder)
    assert not trained(capsys, [b, a], folder)


def test_a_settled_file_is_not_read_again(big, tmp_path, capsys, monkeypatch):
    from fastw2v.text import prepared

    read = []
    real = prepared.digest_files
    monkeypatch.setattr(prepared, "digest_files", lambda *arguments: read.append(1) or real(*arguments))
    folder = tmp_path / "m"
    assert not trained(capsys, big, folder)
    assert trained(capsys, big, folder)
    assert read == [1]  # changed a moment before it was read: its times prove nothing
    settle(monkeypatch)
    assert not trained(capsys, big, folder, min_count=2)
    assert trained(capsys, big, folder, min_count=2)
    assert read == [1]
    content, times = big.read_bytes(), big.stat()
    big.write_bytes(content[:-2] + b"Z\n")
    os.utime(big, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not trained(capsys, big, folder, min_count=2)
    assert read == [1, 1]


def test_sentences_and_standard_input_are_not_kept(big, tmp_path, capsys, monkeypatch):
    sentences = [line.split() for line in big.read_text().splitlines()]
    for _ in range(2):
        assert not trained(capsys, iter(sentences), tmp_path / "m")
    assert not (tmp_path / "m" / "cache").exists()
    run = [sys.executable, "-m", "fastw2v", "train", "-", "-o", tmp_path / "m", "--epochs=1", "--vector-size=4"]
    with big.open() as text:
        subprocess.run(run, stdin=text, check=True, capture_output=True)
    assert not (tmp_path / "m" / "cache").exists()


@pytest.mark.parametrize("damage", ["ids.npy", "offsets.npy", "vocab.tsv", "prepared.json", "content"])
def test_a_damaged_cache_is_made_again(big, tmp_path, capsys, damage):
    folder = tmp_path / "m"
    assert not trained(capsys, big, folder)
    first = fastw2v.load(folder).vectors.copy()
    path = folder / "cache" / damage
    if damage == "content":
        path = path.with_name("prepared.json")
        path.write_text(path.read_text().replace('"content"', '"contents"'))
    else:
        path.write_bytes(path.read_bytes()[:-2])
    assert not trained(capsys, big, folder)
    np.testing.assert_array_equal(fastw2v.load(folder).vectors, first)
    assert trained(capsys, big, folder)


@pytest.mark.filterwarnings("ignore:no two words met:fastw2v.FastW2VWarning")
def test_a_training_that_fails_leaves_the_cache_as_it_was(big, text, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "m"
    assert not trained(capsys, big, folder)

    def fail(*arguments):  # in a chunk, or as a callback
        raise MemoryError

    real = replica.run_chunk
    monkeypatch.setattr(replica, "run_chunk", fail)
    with pytest.raises(MemoryError):
        fastw2v.train(text, output=folder, **QUICK)
    monkeypatch.setattr(replica, "run_chunk", real)
    capsys.readouterr()
    assert trained(capsys, big, folder)
    with pytest.raises(MemoryError):  # stops, and is saved all the same: with its cache
        fastw2v.train(text, output=folder, callbacks=[fail], **QUICK | {"epochs": 9})
    assert (folder / "previous" / "model.json").exists()
    capsys.readouterr()
    with pytest.warns(FastW2VWarning, match="holds an unfinished run"):
        assert trained(capsys, text, folder)


@pytest.mark.filterwarnings("ignore:no two words met:fastw2v.FastW2VWarning")
def test_a_folder_named_cache_that_is_not_ours_stays(big, tmp_path, capsys):
    folder = tmp_path / "m"
    assert not trained(capsys, [["a", "b"]] * 9, folder)
    (folder / "cache").mkdir()
    (folder / "cache" / "precious").write_text("data")
    for _ in range(2):
        assert not trained(capsys, big, folder)
    assert [path.name for path in (folder / "cache").iterdir()] == ["precious"]


KILLED_WITH_CACHE = KILLED.replace(
    "    if keep:",
    "    (partial / 'cache').mkdir()\n    (partial / 'cache' / 'prepared.json').write_text('new')\n    if keep:",
)


@pytest.mark.parametrize("had", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_run_killed_at_any_step_leaves_a_whole_cache_or_none(tmp_path, had):
    assert KILLED_WITH_CACHE != KILLED
    seen = []
    for fatal in range(1, 40):
        target = tmp_path / str(fatal)
        target.mkdir()
        if had:
            parts(target, "old")
            (target / "cache").mkdir()
            (target / "cache" / "prepared.json").write_text("old")
        killed = subprocess.run([sys.executable, "-c", KILLED_WITH_CACHE, target, str(fatal), "drop"]).returncode == 9
        with pytest.raises(KeyError), staged(target, "model.json", "model"):
            raise KeyError
        found = read_parts(target).get("V.npy") if target.exists() else None
        assert found in ("new", "old" if had else None)
        cache = target / "cache" / "prepared.json"
        seen.append(cache.read_text() if cache.exists() else None)
        assert seen[-1] != "new" or found == "new"
        assert not (target / ".partial").exists()
        if not killed:
            break
    assert not killed
    assert seen[0] == ("old" if had else None)
    assert seen[-1] == "new"


def test_a_preparation_killed_half_way_leaves_nothing_that_looks_finished(big, tmp_path, capsys):
    code = "import os, sys; from fastw2v import cli; from fastw2v.text import prepared; "
    code += "prepared.write_ids = lambda *rest: os._exit(9);"
    code += "cli.main(sys.argv[1:])"
    for command in ("prepare", "train"):
        run = [sys.executable, "-c", code, command, big, "-o", tmp_path / command, "--min-count=1"]
        assert subprocess.run(run).returncode == 9
        assert [path.name for path in (tmp_path / command).iterdir()] == [".partial"]
        assert not list((tmp_path / command).rglob("prepared.json"))
    assert not trained(capsys, big, tmp_path / "train")
    assert not (tmp_path / "train" / ".partial").exists()
    fastw2v.prepare(big, tmp_path / "prepare", progress=False)
    assert is_prepared_alone(tmp_path / "prepare")


# ------------------------------------------------------------------------------------------------- beyond 2^31 ids


def sparse(path, dtype, length, tail):
    """A .npy file of zeros that takes no disk, with ``tail`` at its end."""
    from numpy.lib.format import write_array_header_1_0

    with open(path, "wb") as file:
        write_array_header_1_0(file, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (length,)})
        file.truncate(file.tell() + length * np.dtype(dtype).itemsize)
        file.seek(-len(tail) * np.dtype(dtype).itemsize, 2)
        file.write(np.array(tail, dtype).data)


NEAR = 2**31 // 10_000 * 10_000 - 20_000  # a multiple of spans.PIECE
HUGE = NEAR + 50_000


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A prepared folder of more than 2^31 ids; one sentence of almost all, then sentences of 1,000 on both sides."""
    folder = tmp_path_factory.mktemp("huge")
    ends = np.arange(NEAR, HUGE + 1, 1000)
    tail = np.random.default_rng(0).integers(0, 5000, 50_000)
    sparse(folder / "ids.npy", np.int32, HUGE, tail)
    sparse(folder / "offsets.npy", np.int64, len(ends) + 1, ends)
    counts = np.bincount(tail, minlength=5000)
    counts[0] += HUGE - len(tail)
    vocab = fastw2v.text.prepared.Vocab([f"w{i}" for i in range(5000)], counts)
    record = {"tokens": HUGE, "sentences": len(ends), "words": 5000, "tokens_read": HUGE, "min_count": 1}
    record["vocab_sha256"] = vocab.write(folder / "vocab.tsv")
    fastw2v.text.prepared.write_manifest(folder, "prepared.json", "prepared", record)
    return folder, tail


@pytest.mark.slow
def test_more_than_2_31_ids_are_checked(huge):
    folder, _ = huge
    corpus = open_prepared(folder)
    assert len(corpus.ids) == HUGE
    with pytest.raises(CorpusError, match=r"holds 4999 \(id \d+ of sequence \d+\): every id must be from 0 to 4998"):
        check_ids(corpus.ids, corpus.offsets, 4999)


def test_more_than_2_31_ids(huge):
    from fastw2v import TrainConfig
    from fastw2v.kernels import spans
    from fastw2v.kernels.parallel import Workers, run_chunk
    from fastw2v.kernels.records import TRAINED, Model, Rate, Text
    from fastw2v.training.replica import Replica, initial_matrices

    folder, tail = huge
    far_ids, far_offsets = load_array(folder / "ids.npy", np.int32), load_array(folder / "offsets.npy", np.int64)
    cuts = spans.cut(far_offsets, NEAR, HUGE, 3)
    assert cuts[0] == NEAR
    assert cuts[-1] == HUGE
    assert (np.diff(cuts) >= 10_000).all()
    grid = -(-(2**31 + 500) // spans.PIECE) * spans.PIECE
    assert spans.next_cut(far_offsets, 2**31 + 500) == grid
    assert spans.sentence_of(far_offsets, 2**31 + 500) == 1 + (2**31 + 500 - NEAR) // 1000
    counts = 1000 * np.bincount(tail, minlength=5000)
    chosen = Replica(counts, TrainConfig(sample=0, vector_size=16, workers=1))
    tiling = chosen.tiling
    assert tiling is not None
    near_ids, near_offsets = tail.astype(np.int32), np.arange(0, 50_001, 1000)
    for tiles in (None, tiling):
        found = []
        for ids, offsets, shift in ((far_ids, far_offsets, 0), (near_ids, near_offsets, NEAR)):
            V, U = initial_matrices(5000, 16, 1)
            workers = Workers.create(1, 1, 5, 5, V.shape[1], tiles)
            ends = np.array([NEAR - shift, HUGE - shift])
            run_chunk(Text(ids, offsets), ends, Model(V, U, 16), chosen.sampling, Rate(0.025, 0.0), workers)
            assert workers.rows.tally[:, TRAINED].sum() == 50_000
            found.append((V, U))
        for far, near in zip(*found, strict=True):
            np.testing.assert_array_equal(far, near)


def test_renumbering_beyond_2_31(tmp_path):
    """A block whose ids lie beyond 2^31 in their file, and ends beyond 2^31."""
    from fastw2v.text import ingest

    path = tmp_path / "provisional"
    stream = np.array([0, 1, -1, 1, 0, -1], np.int32)
    with open(path, "wb") as file:
        file.seek(4 * (2**31 + 5))
        file.write(stream.data)
    block = ingest.Scanned(0, path, 2**31 + 5, 6, 2, 0, False, False)
    final_id = np.array([1, 0], np.int32)
    for before in (0, 2**31 - 1, 2**40):
        ids, ends = np.zeros(6, np.int32), np.zeros(6, np.int64)
        assert ingest.renumber(stream, final_id, ids, ends, before) == (4, 2)
        assert ends[:2].tolist() == [before + 2, before + 4]
    counts = np.array([2, 2])
    result = ingest.Ingested(
        words=["a", "b"], counts=counts, firsts=counts, n_tokens=4, n_sentences=2, distinct=2, largest_left_out=0,
        blocks=[block] * 2, maps=[np.array([0, 1], np.int32)],
    )  # fmt: skip
    with open(tmp_path / "ids", "wb") as ids_file, open(tmp_path / "ends", "wb") as ends_file:
        assert ingest.write_ids(result, final_id, ids_file, ends_file, 2) == (8, 4)
    assert np.fromfile(tmp_path / "ids", np.int32).tolist() == [1, 0, 0, 1] * 2
    assert np.fromfile(tmp_path / "ends", np.int64).tolist() == [2, 4, 6, 8]


def test_a_pipe_is_read_once_whatever_is_in_the_cache(big, tmp_path, capsys):
    """To compare it with the cache would use it up, and then the rest would be taken for all."""
    folder, pipe = tmp_path / "m", tmp_path / "pipe"
    os.mkfifo(pipe)
    assert not trained(capsys, big, folder)
    assert (folder / "cache").exists()
    writer = threading.Thread(target=pipe.write_text, args=("a x y\n" * 400_000,))  # more than a block
    writer.start()
    assert not trained(capsys, pipe, folder)
    writer.join()
    assert fastw2v.load(folder).metadata["corpus"]["tokens"] == 1_200_000
    assert trained(capsys, big, folder)  # its cache is still there
