"""Inputs: archives of every kind, folders, patterns and pipes, and the one-line errors about them."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastw2v
from fastw2v.cli import main
from fastw2v.errors import CorpusError
from fastw2v.files import archives
from fastw2v.text import ingest, inputs

try:
    import zstandard
except ImportError:
    zstandard = None

needs_zstandard = pytest.mark.skipif(zstandard is None, reason="zstandard is not installed")
TEXT = b"".join(b"line %d of the text\n" % i for i in range(20_000))


def zstd(content):
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


COMPRESS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}
KIND_NAMES = [*list(COMPRESS)[:3], pytest.param("zstd", marks=needs_zstandard)]
KINDS = pytest.mark.parametrize("kind", KIND_NAMES)


def read(*paths):
    """Return the bytes of texts, as blocks put them together, a bar between files."""
    found = b""
    with ingest.ExitStack() as stack:
        feed = ingest.Feed(inputs.expand([str(path) for path in paths]), stack)
        while block := feed.next_block(np.empty(0, np.uint8)):
            found += block.text[: block.stop].tobytes() + b"|" * block.ends_file
            assert (block.text[block.stop : block.stop + ingest.PADDING] == 32).all()
    return found


@KINDS
def test_archives_are_known_by_their_first_bytes(tmp_path, kind):
    path = tmp_path / "named.txt"
    path.write_bytes(COMPRESS[kind](TEXT))
    assert read(path) == TEXT + b"|"


@KINDS
def test_several_streams_end_to_end(tmp_path, kind):
    """As `cat a.gz b.gz`, pigz, pbzip2 and zstd's own tools write them; also cut within a word, and empty."""
    pieces = TEXT[:100_003], b"", TEXT[100_003:100_005], TEXT[100_005:]
    path = tmp_path / "corpus"
    path.write_bytes(b"".join(COMPRESS[kind](piece) for piece in pieces))
    assert read(path) == TEXT + b"|"


def test_gzip_padded_with_zeros_and_followed_by_something_else(tmp_path):
    path = tmp_path / "corpus"
    path.write_bytes(gzip.compress(TEXT) + b"\0" * 100_000 + gzip.compress(b"more") + b"\0" * 9)
    assert read(path) == TEXT + b"more|"
    path.write_bytes(gzip.compress(TEXT) + b"something else")
    with pytest.raises(CorpusError, match="corpus is damaged"):
        read(path)


@KINDS
@pytest.mark.parametrize("keep", [0.02, 0.5, -1, -3, -9])
def test_truncated_archives(tmp_path, kind, keep):
    content = COMPRESS[kind](TEXT)
    path = tmp_path / "corpus"
    path.write_bytes(content[: keep if keep < 0 else int(len(content) * keep)])
    with pytest.raises(CorpusError, match=f"corpus is truncated: its {kind} data are incomplete") as error:
        read(path)
    assert "\n" not in str(error.value)


@KINDS
def test_a_second_stream_that_is_truncated(tmp_path, kind):
    path = tmp_path / "corpus"
    path.write_bytes(COMPRESS[kind](TEXT) + COMPRESS[kind](TEXT)[:-20])
    with pytest.raises(CorpusError, match="corpus is truncated"):
        read(path)


@KINDS
@pytest.mark.parametrize("place", [0.3, 0.6])
def test_damaged_archives(tmp_path, kind, place):
    content = bytearray(COMPRESS[kind](np.random.default_rng(0).integers(97, 123, 200_000).astype(np.uint8).tobytes()))
    at = int(len(content) * place)
    content[at : at + 40] = bytes(255 - byte for byte in content[at : at + 40])
    path = tmp_path / "corpus"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=f"corpus is damaged: its {kind} data are invalid") as error:
        read(path)
    assert "\n" not in str(error.value)


@KINDS
def test_a_wrong_checksum(tmp_path, kind):
    content = bytearray(COMPRESS[kind](TEXT))
    at = {"gzip": -8, "bzip2": -3, "zstd": -1, "xz": -36}[kind]
    content[at] ^= 1
    path = tmp_path / "corpus"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="corpus is damaged"):
        read(path)


@KINDS
def test_what_an_archive_holds_is_looked_at_too(tmp_path, kind):
    path = tmp_path / "corpus"
    path.write_bytes(COMPRESS[kind](b"\xef\xbb\xbffirst word"))
    assert read(path) == b"first word|"
    path.write_bytes(COMPRESS[kind](b"words, then \0 a NUL"))
    with pytest.raises(CorpusError, match="corpus is not text: byte 12 is NUL"):
        read(path)
    path.write_bytes(COMPRESS[kind](gzip.compress(TEXT)))
    with pytest.raises(CorpusError, match="corpus holds gzip-compressed data inside an archive"):
        read(path)
    path.write_bytes(COMPRESS[kind](b"a.txt".ljust(257, b"\0") + b"ustar\0"))
    with pytest.raises(CorpusError, match="corpus is a tar archive"):
        read(path)
    path.write_bytes(COMPRESS[kind](b""))
    assert read(path) == b"|"


def test_zstd_without_its_library(tmp_path, monkeypatch):
    path = tmp_path / "corpus"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + b"x" * 20)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CorpusError, match=r"corpus is zstd-compressed: run pip install 'fastw2v\[zst\]'"):
        read(path)


@needs_zstandard
def test_little_memory_for_text_that_shrinks_much(tmp_path):
    path = tmp_path / "corpus"
    path.write_bytes(zstd(b"a\n" * 5_000_000))
    with inputs.open_text(str(path)) as text:
        into, total = np.empty(1000, np.uint8), 0
        while n := text.read(into):
            total += n
    assert total == 10_000_000


def test_folders_and_patterns(tmp_path):
    for name in ("b", "a", "sub/c", "sub.d/x", ".hidden", ".git/config", "sub/.swp", "sub/deep/z"):
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    os.mkfifo(tmp_path / "texts" / "pipe")  # would wait forever
    folder = str(tmp_path / "texts")
    below = [name.removeprefix(folder + "/") for name in inputs.expand([folder])]
    assert below == ["a", "b", "sub.d/x", "sub/c", "sub/deep/z"]
    assert read(folder) == b"a|b|sub.d/x|sub/c|sub/deep/z|"
    assert read(f"{folder}/[ab]") == b"a|b|"
    assert read(f"{folder}/sub*") == b"sub/c|sub/deep/z|sub.d/x|"
    assert read(f"{folder}/**/z", f"{folder}/a") == b"sub/deep/z|a|"
    (tmp_path / "b[1]").write_text("named like a pattern")
    assert read(tmp_path / "b[1]") == b"named like a pattern|"
    with pytest.raises(CorpusError, match=r"cannot read .*nothing\*: no file matches"):
        inputs.expand([f"{folder}/nothing*"])


def test_folders_of_this_program_are_no_text(planted_file, tmp_path, model):
    fastw2v.prepare(planted_file, tmp_path / "p", min_count=1)
    with pytest.raises(CorpusError, match=r"p is a prepared folder, .*: give it alone"):
        inputs.expand([str(planted_file), str(tmp_path / "p")])
    with pytest.raises(CorpusError, match="is a model folder, not a folder of text"):
        fastw2v.train(model, progress=False)


@pytest.mark.parametrize("kind", [None, "gzip"])
@pytest.mark.parametrize("how", ["grows", "shrinks", "touched"])
def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch, how, kind):
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(archives, "COMPRESSED_BYTES", 1000)
    path = tmp_path / "corpus"
    content = os.urandom(100_000).hex().encode()
    content = b" ".join(content[i : i + 10] for i in range(0, len(content), 10))
    path.write_bytes(gzip.compress(content) if kind else content)
    out = tmp_path / "out"
    real, calls = ingest.Feed.next_block, []

    def change(feed, text):
        calls.append(1)
        if len(calls) == 20:
            with open(path, "ab") as file:
                if how == "grows":
                    file.write(b"more\n")
                elif how == "shrinks":
                    file.truncate(40_000)
                else:
                    os.utime(path)
        return real(feed, text)

    monkeypatch.setattr(ingest.Feed, "next_block", change)
    with pytest.raises(CorpusError, match="corpus changed while it was being read: wait until it is complete"):
        fastw2v.prepare(path, out, min_count=1, workers=2, progress=False)
    assert not out.exists()


@pytest.mark.parametrize("kind", [None, *KIND_NAMES])
def test_standard_input_may_be_compressed(tmp_path, kind, monkeypatch, capsys):
    content = COMPRESS[kind](TEXT) if kind else TEXT
    read_end, write_end = os.pipe()

    def write():
        with open(write_end, "wb") as file:
            file.write(content)

    with ThreadPoolExecutor(1) as pool, open(read_end) as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        pool.submit(write)
        assert main(["prepare", "-", "-o", str(tmp_path / "p"), "--min-count=1"]) == 0
    assert "100,000 tokens read" in capsys.readouterr().out


def test_a_named_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(gzip.compress(TEXT)))
    writer.start()
    corpus = fastw2v.prepare(tmp_path / "pipe", tmp_path / "p", min_count=1, progress=False)
    writer.join()
    assert corpus.tokens_read == 100_000


def test_ctrl_c_while_waiting_for_standard_input(tmp_path):
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "from fastw2v.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "train", "-", "-o", str(tmp_path / "m")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "m" / ".partial" / "corpus").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(2)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert b"interrupted; nothing was written" in said
    assert said.count(b"\n") <= 2  # perhaps "reading the corpus ..."
    assert not (tmp_path / "m").exists()


def test_standard_input_that_is_not_there(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("text"))
    with pytest.raises(CorpusError, match="standard input can't be read here"), inputs.open_text("-"):
        pass


def test_reading_that_fails(tmp_path, monkeypatch):
    class Failing:
        def readinto(self, into):
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(inputs, "_standard_input", Failing)
    with pytest.raises(CorpusError, match="cannot read standard input: Input/output error"):
        read("-")


def test_models_below_a_folder_are_no_text(tmp_path):
    (tmp_path / "a.txt").write_text("a b\n")
    for name, manifest in (("m", "model.json"), ("sub/p", "prepared.json")):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / manifest).write_text("{}")
        (tmp_path / name / "V.npy").write_bytes(b"\0")
    (tmp_path / "sub" / "b.txt").write_text("c\n")
    assert inputs.expand([tmp_path]) == [str(tmp_path / "a.txt"), str(tmp_path / "sub" / "b.txt")]
