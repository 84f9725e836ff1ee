"""Vectors written for other programs: every byte of every format, archives, and files that can't simply be replaced."""

import bz2
import errno
import gzip
import io
import json
import lzma
import os
import re
import signal
import stat
import struct
import subprocess
import sys

import numpy as np
import pytest

import fastw2v
from fastw2v.cli import main
from fastw2v.embeddings import Embeddings
from fastw2v.errors import ConfigError, FastW2VWarning, FolderError, FormatError
from fastw2v.files import replacing
from fastw2v.vectors import model2vec, writer
from fastw2v.vectors.decimals import text_of_rows
from fastw2v.vocab import Vocab

not_utf8 = pytest.mark.filterwarnings("ignore:.*are not valid UTF-8")

WORDS = ["the", "naïve", "caf\udce9"]
COUNTS = np.array([30, 2, 1])
VECTORS = np.array([[0.5, -1.25, 3e-7], [1 / 3, 1000.0, -0.0], [0.1, 0.2, 3e20]], np.float32)

# what printf("%lld %lld\n"), printf("%s "), then printf("%lf ") or fwrite(float), then printf("\n") give
GOLDEN_TEXT = (
    b"3 3\n"
    b"the 0.500000 -1.250000 0.000000 \n"
    b"na\xc3\xafve 0.333333 1000.000000 -0.000000 \n"
    b"caf\xe9 0.100000 0.200000 300000006012263202816.000000 \n"
)
GOLDEN_BINARY = (
    b"3 3\n"
    + b"the "
    + struct.pack("<3f", 0.5, -1.25, 3e-7)
    + b"\nna\xc3\xafve "
    + struct.pack("<3f", 1 / 3, 1000, -0.0)
    + b"\ncaf\xe9 "
    + struct.pack("<3f", 0.1, 0.2, 3e20)
    + b"\n"
)
NUMBERS = [b"0.5 -1.25 3e-07", b"0.33333334 1000.0 -0.0", b"0.1 0.2 3e+20"]
GOLDEN_GLOVE = b"the %b\nna\xc3\xafve %b\ncaf\xe9 %b\n" % tuple(NUMBERS)
GOLDEN_TSV = b"".join(line.replace(b" ", b"\t") + b"\n" for line in NUMBERS)
GOLDEN_METADATA = b"word\tcount\nthe\t30\nna\xc3\xafve\t2\ncaf\xe9\t1\n"
#: A table of floret holds no words.
OF_WORDS = [format_ for format_ in writer.FORMATS if format_ != "floret"]
UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}


@pytest.fixture
def small():
    padded = np.zeros((3, 16), np.float32)  # as in training: rows are views into wider ones
    padded[:, :3] = VECTORS
    return Embeddings(Vocab(WORDS, COUNTS), padded[:, :3])


def of_words(*words):
    return Embeddings(Vocab(list(words), np.ones(len(words), np.int64)), np.ones((len(words), 2), np.float32))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# ------------------------------------------------------------------------------------------------------ formats


@not_utf8
@pytest.mark.parametrize(
    ("name", "golden"),
    [
        ("v.bin", GOLDEN_BINARY),
        ("v.txt", GOLDEN_TEXT),
        ("v.vec", GOLDEN_TEXT),
        ("v.glove", GOLDEN_GLOVE),
        ("v", GOLDEN_BINARY),
        ("v.", GOLDEN_BINARY),
        ("v.TXT", GOLDEN_TEXT),
        (".v", GOLDEN_BINARY),
        ("a.b.vec", GOLDEN_TEXT),
    ],
)
def test_golden_bytes_by_suffix(small, tmp_path, name, golden):
    small.export(tmp_path / name)
    assert (tmp_path / name).read_bytes() == golden
    assert names_in(tmp_path) == [name]


@not_utf8
@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".GZ"])
def test_a_second_suffix_packs(small, tmp_path, packing):
    for name, golden in (("v.bin", GOLDEN_BINARY), ("v.vec", GOLDEN_TEXT), ("v", GOLDEN_BINARY)):
        small.export(tmp_path / (name + packing))
        packed = (tmp_path / (name + packing)).read_bytes()
        assert UNPACK[packing.lower()](packed) == golden
        small.export(tmp_path / (name + packing))
        assert (tmp_path / (name + packing)).read_bytes() == packed  # It holds no time.
    small.export(tmp_path / f"other{packing}", "glove")
    assert UNPACK[packing.lower()]((tmp_path / f"other{packing}").read_bytes()) == GOLDEN_GLOVE


@not_utf8
def test_zstd(small, tmp_path, monkeypatch):
    zstandard = pytest.importorskip("zstandard")
    small.export(tmp_path / "v.txt.zst")
    with zstandard.open(tmp_path / "v.txt.zst") as stream:
        assert stream.read() == GOLDEN_TEXT
    monkeypatch.setitem(sys.modules, "zstandard", None)
    before = (tmp_path / "v.txt.zst").read_bytes()
    with pytest.raises(FormatError, match=r"v\.txt\.zst needs the package zstandard: run pip install 'fastw2v\[zst\]'"):
        small.export(tmp_path / "v.txt.zst")
    assert (tmp_path / "v.txt.zst").read_bytes() == before
    assert names_in(tmp_path) == ["v.txt.zst"]


@pytest.mark.filterwarnings("ignore:.*only without .gz:fastw2v.FastW2VWarning")
@pytest.mark.parametrize("name", ["v.npz", "v.npz.gz"])
def test_npz(small, tmp_path, name):
    small.export(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    arrays = np.load(io.BytesIO(gzip.decompress(content) if name.endswith("gz") else content), allow_pickle=False)
    assert set(arrays) == {"vectors", "words", "counts"}
    assert arrays["words"].tolist() == WORDS
    assert arrays["words"].dtype == "<U5"
    assert arrays["counts"].dtype == np.int64
    assert arrays["counts"].tolist() == COUNTS.tolist()
    assert arrays["vectors"].dtype == np.float32
    np.testing.assert_array_equal(arrays["vectors"], VECTORS)
    small.export(tmp_path / name)
    assert (tmp_path / name).read_bytes() == content


def test_npz_refuses_words_of_which_one_is_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "WORDS_BYTES", 10_000)
    of_words("a", "x" * 1250).export(tmp_path / "v.npz")
    before = (tmp_path / "v.npz").read_bytes()
    with pytest.raises(FormatError, match=r"would take 0\.0 GB .* the word 'x{50,60}.* has 1,251 characters"):
        of_words("a", "x" * 1251).export(tmp_path / "v.npz")
    assert (tmp_path / "v.npz").read_bytes() == before


@not_utf8
@pytest.mark.parametrize(
    ("name", "format_", "names"),
    [
        ("v.tsv", None, ["v.metadata.tsv", "v.tsv"]),
        ("v.tsv.gz", None, ["v.metadata.tsv.gz", "v.tsv.gz"]),
        ("v", "projector", ["v", "v.metadata.tsv"]),
    ],
)
def test_projector(small, tmp_path, name, format_, names):
    small.export(tmp_path / name, format_)
    assert names_in(tmp_path) == names
    unpack = gzip.decompress if name.endswith("gz") else bytes
    assert unpack((tmp_path / name).read_bytes()) == GOLDEN_TSV
    metadata = next(other for other in names if "metadata" in other)
    assert unpack((tmp_path / metadata).read_bytes()) == GOLDEN_METADATA


def test_projector_says_what_it_will_not_show(small, tmp_path):
    with pytest.warns(
        FastW2VWarning, match=r"1 of 3 words, the first 'caf\\udce9', are not valid UTF-8: the Projector"
    ):
        small.export(tmp_path / "v.tsv")


@not_utf8
@pytest.mark.parametrize("bad", ["v.tsv", "v.metadata.tsv"])
def test_projector_replaces_both_files_or_neither(small, tmp_path, bad):
    for name in ("v.tsv", "v.metadata.tsv"):
        (tmp_path / name).write_text("old")
    (tmp_path / bad).chmod(0o444)
    with pytest.raises(FormatError, match=f"{bad} is read-only"):
        small.export(tmp_path / "v.tsv")
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}
    assert names_in(tmp_path) == ["v.metadata.tsv", "v.tsv"]


@pytest.mark.parametrize("rows", [1, 2, 7, 1000])
def test_blocks_of_rows_are_one_file(tmp_path, monkeypatch, rows):
    rng = np.random.default_rng(0)
    vectors = rng.normal(scale=0.1, size=(50, 3)).astype(np.float32)
    embeddings = Embeddings(Vocab([f"w{i}" for i in range(50)], np.arange(50)), vectors)
    monkeypatch.setattr(writer, "BLOCK_NUMBERS", rows * 3)
    monkeypatch.setattr(writer, "WORDS_AT_ONCE", rows)
    monkeypatch.setattr(model2vec, "WORDS_AT_ONCE", rows)
    for name in ("v.txt", "v.bin", "v.tsv", "v.npz"):
        embeddings.export(tmp_path / name)
    embeddings.export(tmp_path / "m", "model2vec")
    lines = (tmp_path / "v.txt").read_text().split("\n")
    assert lines[1:-1] == [f"w{i} " + "".join(f"{x:f} " for x in v) for i, v in enumerate(vectors.tolist())]
    binary = (tmp_path / "v.bin").read_bytes()[5:]
    assert binary == b"".join(b"w%d " % i + v.tobytes() + b"\n" for i, v in enumerate(vectors))
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "v.tsv", np.float32, delimiter="\t"), vectors)
    metadata = (tmp_path / "v.metadata.tsv").read_text()
    assert metadata == "word\tcount\n" + "".join(f"w{i}\t{i}\n" for i in range(50))
    assert np.load(tmp_path / "v.npz")["words"].tolist() == list(embeddings.words)
    vocab = json.loads((tmp_path / "m" / "tokenizer.json").read_text())["model"]["vocab"]
    assert vocab == {f"w{i}": i for i in range(50)}


def test_powers_of_two_as_text():
    """The gap to the next float32 is half as wide below them."""
    powers = np.ldexp(np.float32(1), np.arange(-149, 128))
    values = np.concatenate([powers, np.nextafter(powers, np.float32(0)), -powers]).reshape(-1, 1)
    shortest, _ = text_of_rows(values, shortest=True, separator=b" ", end=b"\n")
    for text, value in zip(bytes(shortest).decode().split("\n"), values[:, 0], strict=False):
        assert np.float32(text) == value
        assert len(text) <= len(np.format_float_scientific(value)) or 1e-4 <= abs(value) < 2**24
    fixed, _ = text_of_rows(values, shortest=False, separator=b" ", end=b"\n")
    assert bytes(fixed).decode() == "".join(f"{value:f}\n" for value in values[:, 0].tolist())


def test_unknown_suffix_and_format_are_refused(small, tmp_path, capsys):
    known = r"use one of \.bin, \.txt, \.vec, \.glove, \.npz, \.tsv, .* \.gz, \.bz2, \.xz, \.zst, or give format"
    for name in ("v.csv", "v.csv.gz", "v.parquet", "v.bin.zip", "v.2"):
        with pytest.raises(FormatError, match=known):
            small.export(tmp_path / name)
    with pytest.raises(ValueError, match="format is 'fasttext': give one of word2vec-bin, word2vec-text, glove, npz"):
        small.export(tmp_path / "v", format="fasttext")
    assert not names_in(tmp_path)
    small.save(tmp_path / "m")
    assert main(["export", str(tmp_path / "m"), str(tmp_path / "v.csv")]) == 2
    assert "v.csv: the suffix .csv means no format" in capsys.readouterr().err
    assert names_in(tmp_path) == ["m"]


@not_utf8
def test_a_format_given_wins_over_the_suffix_with_a_warning(small, tmp_path):
    with pytest.warns(
        FastW2VWarning, match="the suffix .txt means word2vec-text, but the file is written as word2vec-bin"
    ):
        small.export(tmp_path / "v.txt", "word2vec-bin")
    assert (tmp_path / "v.txt").read_bytes() == GOLDEN_BINARY
    small.export(tmp_path / "v.csv", "glove")
    assert (tmp_path / "v.csv").read_bytes() == GOLDEN_GLOVE


# ------------------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize("format_", ["word2vec-bin", "word2vec-text", "glove"])
def test_a_word_with_a_space_is_refused_and_nothing_written(tmp_path, format_):
    with pytest.raises(
        FormatError, match=f"'New York' holds a space, which {format_} files can't hold: give space='_'"
    ):
        of_words("fine", "New York").export(tmp_path / "v", format_)
    assert not names_in(tmp_path)


@pytest.mark.parametrize("format_", OF_WORDS)
@pytest.mark.parametrize("word", ["", "a\tb", "a\nb", "a\rb", "a\vb", "a\fb", "\ud800", "\udcc3\udca9"])
def test_words_that_no_file_can_hold(tmp_path, format_, word):
    with pytest.raises(
        FormatError, match=r"the word .* can't be written: it is (empty, or with a tab|with surrogates)"
    ):
        writer.write(tmp_path / "v", ["fine", word, "last"], np.ones((3, 2), np.float32), np.ones(3, np.int64), format_)
    assert not names_in(tmp_path)


def test_words_that_some_files_can_hold(tmp_path):
    embeddings = of_words("New York", "a\0b", "\u2028", "\u00a0", "日本")
    embeddings.export(tmp_path / "v.npz")
    assert np.load(tmp_path / "v.npz")["words"].tolist() == list(embeddings.words)
    embeddings.export(tmp_path / "v.tsv")
    metadata = (tmp_path / "v.metadata.tsv").read_bytes().decode()
    assert [line.split("\t")[0] for line in metadata.split("\n")] == ["word", *embeddings.words, ""]
    with pytest.raises(FormatError, match="ends with NUL, which NumPy would cut off"):
        of_words("a\0").export(tmp_path / "w.npz")
    assert names_in(tmp_path) == ["v.metadata.tsv", "v.npz", "v.tsv"]


def test_a_very_long_word_comes_back(tmp_path):
    embeddings = of_words("x" * 2_000_000)
    for format_ in ("word2vec-bin", "word2vec-text"):
        embeddings.export(tmp_path / "v", format_)
        again = fastw2v.load_word2vec_format(tmp_path / "v", binary=format_ == "word2vec-bin")
        assert again.words == embeddings.words


@pytest.mark.parametrize("format_", OF_WORDS)
def test_vectors_that_are_not_finite_are_refused(tmp_path, format_):
    vectors = np.ones((3, 2), np.float32)
    vectors[1, 1] = np.nan
    with pytest.raises(FormatError, match="the vector of the word 'b' is not finite"):
        Embeddings(Vocab(["a", "b", "c"], np.ones(3, np.int64)), vectors).export(tmp_path / "v", format_)
    assert not names_in(tmp_path)


# ------------------------------------------------------------------------------------------------------ gensim


@pytest.mark.parametrize("suffix", [".bin", ".txt", ".vec", ".glove"])
@pytest.mark.parametrize("packing", ["", ".gz", ".bz2", ".xz"])
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # Without a header gensim leaves it open.
def test_gensim_reads_every_file(model, tmp_path, suffix, packing):
    models = pytest.importorskip("gensim.models")
    embeddings = fastw2v.load(model)
    path = tmp_path / f"v{suffix}{packing}"
    embeddings.export(path)
    form = {"binary": suffix == ".bin", "no_header": suffix == ".glove"}
    keyed = models.KeyedVectors.load_word2vec_format(str(path), **form)
    assert keyed.index_to_key == list(embeddings.words)
    rounded = {"rtol": 1e-6, "atol": 5e-7} if suffix in (".txt", ".vec") else {"rtol": 0}
    np.testing.assert_allclose(keyed.vectors, embeddings.vectors, **rounded)


# ------------------------------------------------------------------------------------------------------ the file


def test_export_that_cannot_be_written(small, tmp_path):
    with pytest.raises(FormatError, match="is a folder"):
        small.export(tmp_path)
    for format_ in ("word2vec-bin", "npz", "projector"):
        with pytest.raises(FormatError, match="is a folder"):
            of_words("a").export(tmp_path, format_)
        with pytest.raises(FormatError, match=r"cannot write .*No such file or directory"):
            of_words("a").export(tmp_path / "nowhere" / "v", format_)
        with pytest.raises(FormatError, match="cannot write"):
            of_words("a").export("nul\0here", format_)


@not_utf8
def test_export_into_a_pipe_and_through_a_link(small, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    small.export(tmp_path / "pipe")
    assert reader.communicate(timeout=30)[0] == GOLDEN_BINARY
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for format_, golden in (("word2vec-bin", GOLDEN_BINARY), ("word2vec-text", GOLDEN_TEXT)):
        small.export(tmp_path / "link", format_)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "file").read_bytes() == golden
    with pytest.raises(FormatError, match="makes two files"):
        small.export(tmp_path / "pipe", "projector")


def test_npz_into_a_pipe(small, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE)
    small.export(tmp_path / "pipe", "npz")
    assert np.load(io.BytesIO(reader.communicate(timeout=30)[0]))["words"].tolist() == WORDS


@not_utf8
def test_a_failed_export_leaves_nothing(small, tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    (tmp_path / "v.bin").write_text("old")
    for name in ("v.bin", "v.npz", "v.tsv", "v.txt.gz"):
        with pytest.raises(FormatError, match=f"cannot write .*/v.*{name[-3:]}: No space left on device"):
            small.export(tmp_path / name)
    assert names_in(tmp_path) == ["v.bin"]
    assert (tmp_path / "v.bin").read_text() == "old"


def test_export_keeps_the_permissions_of_the_file_it_replaces(tmp_path):
    (tmp_path / "private").touch(mode=0o600)
    of_words("a").export(tmp_path / "private")
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_export_keeps_the_owner_of_the_file_it_replaces(tmp_path):
    (tmp_path / "v").write_text("old")
    (tmp_path / "v").chmod(0o640)
    os.chown(tmp_path / "v", 12345, 54321)
    of_words("a").export(tmp_path / "v")
    after = (tmp_path / "v").stat()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (12345, 54321, 0o640)


@pytest.mark.parametrize("name", ["v", "link"])
def test_a_read_only_file_is_not_replaced(tmp_path, name):
    (tmp_path / "v").write_text("years of work")
    (tmp_path / "v").chmod(0o444)
    (tmp_path / "link").symlink_to("v")
    with pytest.raises(
        FormatError, match=rf"{name} is read-only: make it writable \(chmod u\+w\), or give another name"
    ):
        of_words("a").export(tmp_path / name)
    assert (tmp_path / "v").read_text() == "years of work"
    assert names_in(tmp_path) == ["link", "v"]


@not_utf8
@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.EPERM])
@pytest.mark.parametrize("old", [b"old", b"x" * 10_000])
def test_a_file_that_cannot_be_renamed_onto_is_written_in_place(small, tmp_path, monkeypatch, number, old):
    def refuse(source, target):
        raise OSError(number, os.strerror(number))

    (tmp_path / "v").write_bytes(old)
    before = (tmp_path / "v").stat()
    monkeypatch.setattr(os, "replace", refuse)
    small.export(tmp_path / "v")
    assert (tmp_path / "v").read_bytes() == GOLDEN_BINARY
    assert (tmp_path / "v").stat().st_ino == before.st_ino
    assert names_in(tmp_path) == ["v"]
    with pytest.raises(FormatError, match="cannot write"):  # There is nothing to write into.
        small.export(tmp_path / "new")
    assert names_in(tmp_path) == ["v"]


@not_utf8
@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_file_in_a_folder_where_nothing_can_be_made_is_written_in_place(small, tmp_path, monkeypatch, number):
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "temporary").mkdir()

    def only_old_files(path, mode):
        if "x" in mode:
            raise OSError(number, os.strerror(number))
        return open(path, mode)

    (folder / "v").write_bytes(b"old")
    monkeypatch.setattr(replacing, "open", only_old_files, raising=False)
    monkeypatch.setattr(replacing.tempfile, "tempdir", str(tmp_path / "temporary"))
    small.export(folder / "v")
    assert (folder / "v").read_bytes() == GOLDEN_BINARY
    assert names_in(folder) == ["v"]
    with pytest.raises(FormatError, match=f"cannot write .*: {os.strerror(number)}"):
        small.export(folder / "new")
    assert not names_in(tmp_path / "temporary")


def in_place(monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", refuse)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system can't reserve space")
def test_writing_in_place_starts_only_if_there_is_room(tmp_path, monkeypatch):
    def full(descriptor, start, size):
        os.ftruncate(descriptor, start + size // 2)
        raise OSError(errno.ENOSPC, "No space left on device")

    in_place(monkeypatch)
    monkeypatch.setattr(os, "posix_fallocate", full)
    (tmp_path / "v").write_text("old")
    with pytest.raises(FormatError, match=r"v: No space left on device$"):
        of_words("a").export(tmp_path / "v")
    assert (tmp_path / "v").read_text() == "old"
    assert names_in(tmp_path) == ["v"]


def test_a_copy_that_fails_half_way_leaves_the_complete_content_aside(tmp_path, monkeypatch):
    def fail(source, file, size):
        file.write(source.read(7))
        raise OSError(errno.EIO, "Input/output error")

    in_place(monkeypatch)
    monkeypatch.setattr(replacing.shutil, "copyfileobj", fail)
    (tmp_path / "v").write_text("old")
    with pytest.raises(FormatError, match="Input/output error; the complete content is in ") as error:
        of_words("a").export(tmp_path / "v")
    aside = re.search("is in (.*)", str(error.value))[1]
    assert fastw2v.load_word2vec_format(aside, binary=True).words == ["a"]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_waits_until_a_file_is_written_in_place(tmp_path, monkeypatch, number, expected):
    def interrupted(aside, target):
        os.kill(os.getpid(), number)
        copy(aside, target)

    in_place(monkeypatch)
    copy = replacing._copy_into
    monkeypatch.setattr(replacing, "_copy_into", interrupted)
    (tmp_path / "v").write_text("old")
    with pytest.raises(expected, match="v was written"):
        of_words("a").export(tmp_path / "v")
    assert fastw2v.load_word2vec_format(tmp_path / "v", binary=True).words == ["a"]
    assert names_in(tmp_path) == ["v"]


def test_a_signal_while_writing_aside_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "v").write_text("old")
    monkeypatch.setattr(writer, "_write_binary", lambda *arguments: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit, match="nothing was written"):
        of_words("a").export(tmp_path / "v")
    assert (tmp_path / "v").read_text() == "old"
    assert names_in(tmp_path) == ["v"]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts of single files are Linux")
def test_a_file_that_is_mounted_by_itself(model, tmp_path):
    (tmp_path / "outside").write_text("old")
    (tmp_path / "inside").touch()
    mount = 'mount --bind "$1/outside" "$1/inside"'
    places = ["sh", tmp_path, sys.executable, model]
    if subprocess.run(["unshare", "-m", "sh", "-c", mount, *places], capture_output=True).returncode:
        pytest.skip("this user may not mount")
    export = f'{mount} && "$2" -m fastw2v export "$3" "$1/inside"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", export, *places], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "inside").read_bytes() == b""
    loaded = fastw2v.load_word2vec_format(tmp_path / "outside", binary=True)
    np.testing.assert_array_equal(loaded.vectors, fastw2v.load(model).vectors)
    assert names_in(tmp_path) == ["inside", "outside"]


def test_parts_of_a_model_are_never_overwritten(model, tmp_path):
    embeddings = fastw2v.load(model)
    embeddings.save(tmp_path / "m")
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    (tmp_path / "link").symlink_to(tmp_path / "m" / "V.npy")
    for name in ("m/V.npy", "m/model.json", "link"):
        with pytest.raises(FormatError, match=f"{name} is part of a model folder or a prepared folder"):
            embeddings.export(tmp_path / name, "glove")
    with pytest.warns(FastW2VWarning, match="means projector"), pytest.raises(FormatError, match="is part of"):
        embeddings.export(tmp_path / "m" / "vocab.tsv", "word2vec-text")
    with pytest.raises(FolderError, match="m exists and is not a model2vec folder"):
        embeddings.export(tmp_path / "m", "model2vec")
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    embeddings.export(tmp_path / "m" / "v.bin")  # beside them it is no part
    assert len(fastw2v.load(tmp_path / "m")) == len(embeddings)


# ------------------------------------------------------------------------------------------------------ standard output


@pytest.mark.parametrize("format_", [None, "glove", "npz"])
def test_standard_output_gets_the_file_and_nothing_else(model, tmp_path, format_):
    command = [sys.executable, "-m", "fastw2v", "export", model, "-", *(["--format", format_] if format_ else [])]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    fastw2v.load(model).export(tmp_path / "v", format_)
    if format_ == "npz":
        found = np.load(io.BytesIO(done.stdout))
        np.testing.assert_array_equal(found["vectors"], fastw2v.load(model).vectors)
    else:
        assert done.stdout == (tmp_path / "v").read_bytes()
    assert names_in(tmp_path) == ["v"]


def test_standard_output_from_python(capfdbinary):
    of_words("a").export("-")
    assert capfdbinary.readouterr().out == b"1 2\na " + np.ones(2, "<f4").tobytes() + b"\n"


def test_standard_output_that_is_closed_or_a_terminal(model, monkeypatch):
    command = f"{sys.executable} -m fastw2v export {model} - | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for format_ in ("model2vec", "projector"):
        with pytest.raises(FormatError, match=r"-: .*give (a file name|the name of a folder)"):
            of_words("a").export("-", format_)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(FormatError, match="standard output is a terminal: redirect it"):
        of_words("a").export("-")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(FormatError, match="standard output takes no bytes here"):
        of_words("a").export("-")


# ------------------------------------------------------------------------------------------------------ model2vec

TEXT_WORDS = ["the", "king", "of", "a", "é", "日", "日本", "caf\u00a0x", "##b", "!"]
TEXTS = {
    "the king of": [0, 1, 2],
    "a king of xyzzy": [3, 1, 2],
    "xyzzy ab": [],
    "": [],
    "the\tking\r\n\vof\fthe  a": [0, 1, 2, 0, 3],
    "é aé éa ##b b 日 日本 本日": [4, 8, 5, 6],
    "caf\u00a0x ! King": [7, 9],
}


@pytest.fixture
def of_texts():
    vectors = np.random.default_rng(0).normal(size=(len(TEXT_WORDS), 5)).astype(np.float32)
    return Embeddings(Vocab(TEXT_WORDS, np.arange(len(TEXT_WORDS), 0, -1)), vectors)


def means(embeddings):
    return np.array([embeddings.vectors[rows].mean(axis=0) if rows else np.zeros(5) for rows in TEXTS.values()])


def safetensors(content):
    """The tensors of a safetensors file, parsed by hand."""
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name != "__metadata__":
            start, stop = entry["data_offsets"]
            assert entry["dtype"] == "F32"
            assert stop == len(content) - 8 - length
            tensors[name] = np.frombuffer(content[8 + length :][start:stop], "<f4").reshape(entry["shape"])
    return tensors


def test_model2vec_folder(of_texts, tmp_path):
    of_texts.export(tmp_path / "m", "model2vec")
    assert names_in(tmp_path / "m") == ["config.json", "model.safetensors", "modules.json", "tokenizer.json"]
    tensors = safetensors((tmp_path / "m" / "model.safetensors").read_bytes())
    assert list(tensors) == ["embeddings"]
    np.testing.assert_array_equal(tensors["embeddings"], of_texts.vectors)
    tokenizer = json.loads((tmp_path / "m" / "tokenizer.json").read_text())
    vocab = tokenizer["model"]["vocab"]
    assert list(vocab.values()) == list(range(len(of_texts)))
    assert [word if len(word) > 2 or not word.endswith("\n") else word[0] for word in vocab] == TEXT_WORDS
    assert tokenizer["model"]["unk_token"] is None
    assert tokenizer["normalizer"] is None
    assert json.loads((tmp_path / "m" / "config.json").read_text())["normalize"] is False
    assert [m["path"] for m in json.loads((tmp_path / "m" / "modules.json").read_text())] == ["."]


def test_model2vec_tokens(of_texts, tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    of_texts.export(tmp_path / "m", "model2vec")
    tokenizer = tokenizers.Tokenizer.from_file(str(tmp_path / "m" / "tokenizer.json"))
    for text, rows in TEXTS.items():
        assert tokenizer.encode(text, add_special_tokens=False).ids == rows


def test_model2vec_opens_it(of_texts, tmp_path):
    library = pytest.importorskip("model2vec")
    of_texts.export(tmp_path / "m", "model2vec")
    found = library.StaticModel.from_pretrained(tmp_path / "m").encode(list(TEXTS))
    np.testing.assert_allclose(found, means(of_texts), atol=1e-6)


@pytest.mark.filterwarnings("ignore")  # those of other libraries
def test_sentence_transformers_opens_it(of_texts, tmp_path):
    library = pytest.importorskip("sentence_transformers")
    of_texts.export(tmp_path / "m", "model2vec")
    found = library.SentenceTransformer(str(tmp_path / "m"), device="cpu").encode(list(TEXTS))
    np.testing.assert_allclose(found, means(of_texts), atol=1e-6)


def test_a_model2vec_folder_is_replaced_as_a_whole(of_texts, tmp_path, monkeypatch):
    of_words("a").export(tmp_path / "m", "model2vec")
    (tmp_path / "m" / "README.md").write_text("mine")
    of_texts.export(tmp_path / "m")  # It is one already.
    assert (tmp_path / "m" / "README.md").read_text() == "mine"
    before = {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    assert safetensors(before["model.safetensors"])["embeddings"].shape == (10, 5)

    def fail(words):
        yield b"half"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(model2vec, "_tokenizer", fail)
    with pytest.raises(FolderError, match=r"cannot write .*/m: No space left on device"):
        of_words("b").export(tmp_path / "m")
    assert {path.name: path.read_bytes() for path in (tmp_path / "m").iterdir()} == before
    with pytest.raises(FolderError, match="cannot write"):
        of_words("b").export(tmp_path / "deep" / "new", "model2vec")
    assert names_in(tmp_path) == ["m"]


@pytest.mark.parametrize("config", ['{"model_type": "bert"}', "[]", "{", '{"written_by": "me"}'])
def test_a_folder_of_others_is_not_touched(tmp_path, config):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text(config)
    (tmp_path / "bert" / "model.safetensors").write_text("weights")
    with pytest.raises(FolderError, match="bert is not a model2vec folder that fastw2v has written: choose another"):
        of_words("a").export(tmp_path / "bert", "model2vec")
    with pytest.raises(FormatError, match="bert is a folder: give a file name, or format='model2vec' and a new folder"):
        of_words("a").export(tmp_path / "bert")
    (tmp_path / "bert" / "config.json").unlink()
    with pytest.raises(FolderError, match="bert exists and is not a model2vec folder"):
        of_words("a").export(tmp_path / "bert", "model2vec")
    assert names_in(tmp_path / "bert") == ["model.safetensors"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FolderError, match="file is not a folder"):
        of_words("a").export(tmp_path / "file", "model2vec")
    assert (tmp_path / "file").read_text() == "mine"


def test_words_and_model2vec(tmp_path):
    with pytest.warns(FastW2VWarning, match="1 of 2 words hold spaces: model2vec splits text there"):
        of_words("New York", "a").export(tmp_path / "m", "model2vec")
    vocab = json.loads((tmp_path / "m" / "tokenizer.json").read_text())["model"]["vocab"]
    assert vocab == {"New York": 0, "a\n": 1}
    with pytest.raises(FormatError, match=r"the word 'caf\\\\udce9' is not valid UTF-8, which model2vec needs"):
        of_words("a", "caf\udce9").export(tmp_path / "n", "model2vec")
    with pytest.raises(FormatError, match="model2vec is a folder, not a file"):
        of_words("a").export(tmp_path / "n.gz", "model2vec")
    assert names_in(tmp_path) == ["m"]


def test_the_command_reports_what_it_wrote(model, tmp_path, capsys):
    for name, options, format_ in (
        ("v.glove.gz", [], "glove"),
        ("v.tsv", [], "projector"),
        ("m", ["--format=model2vec"], "model2vec"),
    ):
        assert main(["export", str(model), str(tmp_path / name), *options]) == 0
        assert capsys.readouterr().out == f"{tmp_path / name}: 56 words, vector_size 20, {format_}\n"


def test_vectors_that_six_decimals_make_zero_are_doubted(tmp_path):
    e = Embeddings.from_vectors(["plain", "tiny", "zero"], [[1, 0], [4e-7, -1e-9], [0, 0]])
    with pytest.warns(FastW2VWarning, match="six decimals make 1 vector zero, the first of the word 'tiny'"):
        e.export(tmp_path / "v.txt")
    e.export(tmp_path / "v.glove")
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "v.glove").vectors, e.vectors)


def test_an_npz_that_is_packed_again_is_doubted(tmp_path):
    with pytest.warns(FastW2VWarning, match=r"read an \.npz file only without \.gz: decompress it first"):
        of_words("a").export(tmp_path / "v.npz.gz")
    (tmp_path / "v.npz").write_bytes(gzip.decompress((tmp_path / "v.npz.gz").read_bytes()))
    assert fastw2v.load(tmp_path / "v.npz").words == ["a"]


def test_spaces_in_words_can_be_replaced(tmp_path):
    e = of_words("New York", ". . .", "plain")
    e.export(tmp_path / "v.bin", space="_")
    assert fastw2v.load(tmp_path / "v.bin").words == ["New_York", "._._.", "plain"]
    assert list(e.words) == ["New York", ". . .", "plain"]
    with pytest.raises(ConfigError, match="space is ' ': give characters other than white space"):
        e.export(tmp_path / "w.bin", space=" ")
    with pytest.raises(ConfigError, match="which makes two words 'a_b'"):
        of_words("a b", "a_b").export(tmp_path / "w.bin", space="_")
    assert names_in(tmp_path) == ["v.bin"]
