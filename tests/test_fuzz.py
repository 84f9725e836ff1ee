"""Bytes from strangers: whatever a file or a folder holds, it is read right, or refused by an error of this package.

Each property has three lengths: 40 examples in every run and 200 with ``-m slow``, the same ones each time, and 20,000
with ``-m long``, others each time (``--hypothesis-seed`` repeats them). No example may hang, or take memory beyond what
its size explains.
"""

import bz2
import gzip
import hashlib
import io
import itertools
import json
import lzma
import os
import re
import shutil
import signal
import struct
import tempfile
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import fastw2v
from fastw2v.cli import main
from fastw2v.embeddings import Embeddings
from fastw2v.errors import FastW2VError, FormatError
from fastw2v.files.manifest import checksum
from fastw2v.graphs import edges
from fastw2v.screen import printable
from fastw2v.text import ingest, joining
from fastw2v.text.prepared import open_prepared
from fastw2v.training.checkpoint import read_state
from fastw2v.vectors import binary_rows, fasttext, text_rows
from fastw2v.vectors.decimals import text_of_rows
from fastw2v.vectors.reader import read_vectors
from fastw2v.vectors.writer import Format, write
from fastw2v.vocab import Vocab, check_storable

QUICK, SLOW, LONG = 40, 200, 20_000
SECONDS, MEGABYTES = 60, 1024  # of one example; of address space beyond what the process has
lengths = pytest.mark.parametrize(
    "examples", [QUICK, pytest.param(SLOW, marks=pytest.mark.slow), pytest.param(LONG, marks=pytest.mark.long)]
)


def fuzz(examples, check, *strategies):
    chosen = settings(
        max_examples=examples,
        derandomize=examples != LONG,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    chosen(given(*strategies)(check))()


@pytest.fixture(autouse=True)
def little_memory():
    """Let nothing allocate what only a header announces is there."""
    resource = pytest.importorskip("resource")
    if not os.path.exists("/proc/self/statm"):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (MEGABYTES << 20), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def place():
    """A folder in memory, where there is one."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


@contextmanager
def reading():
    """Let out only our own errors, in one line of reasonable length, and let nothing run forever."""

    def hang(number, frame):
        raise AssertionError(f"no end after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    said = "one line"
    try:
        yield
    except FastW2VError as error:
        said = str(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "\n" not in said
    assert 0 < len(said) < 600


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_command(*arguments):
    """Run a command that may refuse its input, and nothing else; what it shows must not disturb a screen."""
    out, err = Terminal(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), reading():
        code = main([str(argument) for argument in arguments])
    assert code in (0, 2)
    for text in (out.getvalue(), err.getvalue()):
        assert printable(text.replace("\n", "")) == text.replace("\n", "")
    assert (code == 2) == err.getvalue().startswith("fastw2v: error: ")
    assert err.getvalue().count("\n") <= 1
    if code == 0 and "--json" in arguments:
        json.loads(out.getvalue(), parse_constant=pytest.fail)


# ------------------------------------------------------------------------------------------------------ bytes

TOKENS = [
    b"a", b"b", b"the", b"1234567", b"12345678", b"123456789abcdefgh", "naïve".encode(), b"\xff", b"caf\xe9",
    b"\xef\xbb\xbf", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"\x00", b"\x1b[31m",
    "\u202e".encode(),
    "\u2028".encode(), "\u00a0".encode(), b"\x85", b"\x1c", b"\x7f", b"x" * 100, b"ustar",
]  # fmt: skip
SPACES = [b" ", b" ", b"\n", b"\t", b"\r\n", b"\v", b"\f", b"  \n\n ", b""]
tokens = st.sampled_from(TOKENS[:8]) | st.sampled_from(TOKENS) | st.binary(max_size=12)
texts = st.lists(st.tuples(tokens, st.sampled_from(SPACES)), max_size=40).map(lambda pairs: b"".join(sum(pairs, ())))


@st.composite
def damaged(draw, content):
    """These bytes, with a few of them changed, cut off or added."""
    content = bytearray(draw(content) if isinstance(content, st.SearchStrategy) else content)
    for _ in range(draw(st.integers(0, 4))):
        how = draw(st.sampled_from(["change", "cut", "add", "repeat"]))
        at = draw(st.integers(0, max(0, len(content) - 1)))
        if how == "change" and content:
            content[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del content[at : at + draw(st.integers(1, 1 + len(content)))]
        elif how == "add":
            content[at:at] = draw(tokens)
        elif how == "repeat":
            content[at:at] = content[at : at + draw(st.integers(0, 40))]
    return bytes(content)


# ------------------------------------------------------------------------------------------------------ ingest

MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c")
PACKED = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda text: lzma.compress(text, preset=0),
}


def is_refused(text):
    return b"\0" in text[: 64 << 10] or text.startswith(MAGIC) or text[257:].startswith(b"ustar")


def prepare_twin(files, min_count, max_vocab):
    """What `prepare` finds, in pure Python; None where it must refuse."""
    if any(map(is_refused, files)):
        return None
    lines = [line for text in files for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    sentences = [line.decode("utf-8", "surrogateescape") for line in lines if line.split()]
    sentences = [re.split("[ \t\r\v\f]+", sentence.strip(" \t\r\v\f")) for sentence in sentences]
    counts = Counter(word for sentence in sentences for word in sentence)
    words = [word for word, count in counts.most_common() if count >= min_count][:max_vocab]
    if not words:
        return None
    index = {word: i for i, word in enumerate(words)}
    ids = [[index[word] for word in sentence if word in index] for sentence in sentences]
    return words, [counts[word] for word in words], sum(counts.values()), ids


@pytest.mark.filterwarnings("ignore::fastw2v.FastW2VWarning")
@lengths
def test_any_bytes_as_text(place, monkeypatch, examples):
    def check(files, packing, workers, block_bytes, table_words, table_bytes, min_count, max_vocab):
        monkeypatch.setattr(ingest, "BLOCK_BYTES", block_bytes)
        monkeypatch.setattr(ingest, "TABLE_WORDS", table_words)
        monkeypatch.setattr(ingest, "TABLE_BYTES", table_bytes)
        paths = [place / f"text{i}" for i in range(len(files))]
        for path, text in zip(paths, files, strict=True):
            path.write_bytes(PACKED[packing](text))
        expected = prepare_twin(files, min_count, max_vocab)
        found = None
        options = {"min_count": min_count, "max_vocab": max_vocab, "workers": workers, "progress": False}
        with reading():
            found = fastw2v.prepare(paths, place / "p", **options)
        if expected is None or found is None:
            assert expected is None
            assert found is None
            return
        words, counts, n_tokens, ids = expected
        assert list(found.vocab.words) == words
        assert found.vocab.counts.tolist() == counts
        assert found.tokens_read == n_tokens
        assert [s.tolist() for s in np.split(found.ids, found.offsets[1:-1])] == ids
        assert list(open_prepared(place / "p").vocab.words) == words

    fuzz(
        examples,
        check,
        st.lists(texts, min_size=1, max_size=3),
        st.sampled_from(list(PACKED)),
        st.sampled_from([1, 2]),
        st.sampled_from([4, 16, 64, 1 << 20]),
        st.sampled_from([20, 1 << 22, 1 << 22]),
        st.sampled_from([200, 1 << 28, 1 << 28]),
        st.integers(1, 3),
        st.none() | st.integers(1, 5),
    )


def joined_twin(sentences, threshold, connectors):
    """How often gensim's rules find each word and pair, and the joined sentences, in plain Python."""
    pieces = [[i for i, word in enumerate(s) if word not in connectors] for s in sentences]
    counts = Counter(s[i] for s, places in zip(sentences, pieces, strict=True) for i in places)
    for sentence, places in zip(sentences, pieces, strict=True):
        counts.update("_".join(sentence[i : j + 1]) for i, j in itertools.pairwise(places))
    joined = []
    for sentence, places in zip(sentences, pieces, strict=True):
        following, words, i = dict(itertools.pairwise(places)), [], 0
        while i < len(sentence):
            stop = following.get(i, i) + 1
            text = "_".join(sentence[i:stop])
            product = counts[sentence[i]] * counts[sentence[stop - 1]]
            if stop == i + 1 or (counts[text] - 1) / product * len(counts) <= threshold:
                stop, text = i + 1, sentence[i]
            words.append(text)
            i = stop
        joined.append(words)
    return counts, joined


@pytest.mark.filterwarnings("ignore::fastw2v.FastW2VWarning")
@lengths
def test_phrases_of_any_words(place, monkeypatch, examples):
    words = st.sampled_from(["a", "b", "c", "a_b", "b_c", "_", "of", "of_b", "\udcff", "na\u00efve", "x" * 40])
    limits = {"PIECE_IDS": 1 << 17, "WINDOW_IDS": 1 << 12, "ROUND_IDS": 1 << 23, "PART_PAIRS": 1 << 14}
    limits |= {"FIRST_SLOTS": 1 << 10, "TABLE_BYTES": 1 << 31}

    def check(sentences, small, threshold, connectors, passes, workers):
        for name, value in (limits | small).items():
            monkeypatch.setattr(joining, name, value)
        path = place / "text"
        path.write_text("\n".join(map(" ".join, sentences)), "utf-8", "surrogateescape")
        counts, joined = joined_twin(sentences, threshold, connectors)
        options = {"min_count": 1, "threshold": threshold, "connector_words": connectors}
        found = fastw2v.Phrases(path, **options, workers=workers)
        assert found.vocab == counts
        assert list(found[sentences]) == joined
        for _ in range(passes - 1):
            joined = joined_twin(joined, threshold, connectors)[1]
        of_phrases = {"phrase_min_count": 1, "phrase_threshold": threshold, "connector_words": connectors}
        options = {"min_count": 1, "phrases": passes, "workers": workers, "progress": False} | of_phrases
        prepared = fastw2v.prepare(path, place / "p", **options)
        counts = Counter(word for sentence in joined for word in sentence)
        assert prepared.vocab.words == [word for word, _ in counts.most_common()]
        ids = np.split(prepared.ids, prepared.offsets[1:-1])
        assert [[prepared.vocab.words[i] for i in sentence] for sentence in ids] == joined

    fuzz(
        examples,
        check,
        st.lists(st.lists(words, min_size=1, max_size=9), min_size=1, max_size=9),
        st.fixed_dictionaries(
            {},
            optional={
                "PIECE_IDS": st.integers(1, 9),
                "WINDOW_IDS": st.integers(1, 3),
                "ROUND_IDS": st.integers(1, 20),
                "PART_PAIRS": st.integers(1, 5),
                "FIRST_SLOTS": st.just(2),
                "TABLE_BYTES": st.sampled_from([1, 500]),
            },
        ),
        st.sampled_from([0.05, 0.3, 1.0]),
        st.sampled_from([frozenset(), frozenset({"of", "c"}), frozenset({"a_b", "_"})]),
        st.integers(1, 3),
        st.sampled_from([1, 2]),
    )


@pytest.mark.filterwarnings("ignore::fastw2v.FastW2VWarning")
@lengths
def test_damaged_archives(place, examples):
    zstandard = pytest.importorskip("zstandard")
    text = b"".join(b"word%d and more\n" % (i % 7) for i in range(100))
    archives = [gzip.compress(text, mtime=0), bz2.compress(text, 1), lzma.compress(text, preset=0)]
    archives.append(zstandard.ZstdCompressor().compress(text))

    def check(content):
        (place / "text").write_bytes(content)
        with reading():
            fastw2v.prepare(place / "text", place / "p", min_count=1, workers=1, progress=False)
        assert not (place / "p" / ".partial").exists()

    fuzz(examples, check, damaged(st.sampled_from(archives)))


# ------------------------------------------------------------------------------------------------------ files

COUNTS = [
    b"0",
    b"1",
    b"007",
    b"-1",
    b"1.5",
    b"999999999999999999",
    b"9" * 19,
    b"9" * 5000,
    b"",
    b"\xd9\xa1",
    b"1_0",
    b" 1",
]
tsv_lines = st.tuples(tokens, st.sampled_from([b"\t", b"\t", b" ", b"\t\t", b""]), st.sampled_from(COUNTS))
good_lines = st.tuples(tokens, st.just(b"\t"), st.sampled_from(COUNTS[:3]))
tsv = (st.lists(good_lines, max_size=9) | st.lists(tsv_lines, max_size=3)).map(
    lambda lines: [*map(b"".join, lines), b""]
)
tsv = tsv.map(b"\n".join)
TSV = re.compile(rb"(?:[^\n\t\r\v\f]+\t[0-9]{1,18}\n)*")


@lengths
def test_vocabulary_files(place, examples):
    path = place / "vocab.tsv"

    def check(content):
        path.write_bytes(content)
        pairs = [line.split(b"\t") for line in content.split(b"\n")[:-1]]
        valid = TSV.fullmatch(content) and len({pair[0] for pair in pairs}) == len(pairs)
        vocab = None
        with reading():
            vocab = Vocab.read(path)
        assert (vocab is not None) == bool(valid)
        if vocab is not None:
            assert [word.encode("utf-8", "surrogateescape") for word in vocab.words] == [word for word, _ in pairs]
            assert vocab.counts.tolist() == [int(count) for _, count in pairs]
            assert Vocab.read(path, vocab.write(path)).to_tsv() == path.read_bytes()

    fuzz(examples, check, damaged(tsv) | st.binary(max_size=60))


NUMBERS = [
    b"0.5",
    b"-1e-3",
    b"1",
    b"nan",
    b"-inf",
    b"1e39",
    b"1e308",
    b"-1e308",
    b"1e999",
    b"1_0",
    b"0x1p3",
    b"\xd9\xa1",
    b"",
    b"5" * 400,
    b"1e-400",
]
SIZES = [1, 2, 3, 0, -1, 10**6, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30]
numbers = st.sampled_from(NUMBERS)


@st.composite
def word2vec_file(draw):
    """A file of one of the two formats, right or nearly so, and whether it is binary."""
    binary = draw(st.booleans())
    n_words, size = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    usual = draw(st.integers(0, 3)) > 0
    rows = []
    for i in range(n_words):
        word = draw(tokens) if draw(st.integers(0, 3)) == 0 else b"w%d" % i
        if binary:
            floats = draw(
                st.lists(
                    st.floats(width=32, allow_nan=not usual, allow_infinity=not usual), min_size=size, max_size=size
                )
            )
            rows.append(word + b" " + np.array(floats, "<f4").tobytes() + b"\n" * draw(st.booleans()))
        else:
            rows.append(
                b" ".join([word] + [draw(st.sampled_from(NUMBERS[:3]) if usual else numbers) for _ in range(size)])
                + draw(st.sampled_from([b"\n", b" \n", b"\r\n"]))
            )
    if draw(st.integers(0, 3)) == 0:
        n_words, size = draw(st.sampled_from(SIZES)), draw(st.sampled_from(SIZES))
    content = b"%d %d\n" % (n_words, size) + b"".join(rows)
    return draw(damaged(content)) if draw(st.integers(0, 2)) == 0 else content, binary


@lengths
@pytest.mark.filterwarnings("ignore::fastw2v.errors.FastW2VWarning")
def test_vectors_files_of_other_programs(place, examples):
    path = place / "vectors"

    def check(file):
        content, binary = file
        path.write_bytes(content)
        found = None
        with reading():
            found = fastw2v.load_word2vec_format(path, binary=binary)
        if found is None:
            return
        header = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")[0].split()
        assert found.vectors.shape[1] == int(header[1])
        assert np.isfinite(found.vectors).all()
        assert len(set(found.words)) == len(found)
        with reading():
            found.most_similar(0)
        if any(" " in word for word in found.words):
            return
        found.export(path, "word2vec-bin")
        again = reread(path, binary=True)
        assert list(again.words) == list(found.words)
        assert np.array_equal(again.vectors, found.vectors)

    fuzz(examples, check, word2vec_file())


def reread(path, **options):
    """Read a good binary file; where its numbers are also text in whole rows, it may be refused, but not misread."""
    try:
        return read_vectors(path, **options)
    except FormatError:
        lines = path.read_bytes().split(b"\n")[1:]
        assume(not all(re.fullmatch(rb"[^\n]*[ \t\r\v\f][ \t\r\v\f0-9.eE+-]+|", line) for line in lines[:1]))
        raise


def small_blocks(monkeypatch, n_bytes):
    for module in (text_rows, binary_rows, fasttext):
        monkeypatch.setattr(module, "BLOCK_BYTES", n_bytes)


def consistent(found, limit):
    """Check what was read from any bytes at all."""
    assert found.vectors.dtype == np.float32
    assert found.vectors.flags.c_contiguous
    assert found.vectors.shape[0] == len(found.words) == len(set(found.words)) > 0
    assert limit is None or len(found.words) <= limit
    assert np.isfinite(found.vectors).all()
    for word in found.words:
        check_storable(word)
    assert found.counts is None or (found.counts.shape == (len(found.words),) and (found.counts >= 0).all())


headers = st.tuples(st.sampled_from(SIZES), st.sampled_from(SIZES)).map(lambda sizes: b"%d %d\n" % sizes)
beginnings = st.sampled_from(
    [
        b"", b"", b"", b"\xef\xbb\xbf", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04", b"<html>", b"{", b"\n", b" ",
        b"\xff\xfe",
    ]
)  # fmt: skip
rows = st.lists(
    st.tuples(
        tokens,
        st.lists(st.tuples(st.sampled_from(SPACES[:2] * 4 + SPACES), numbers).map(b"".join), max_size=4).map(b"".join),
        st.sampled_from([b"\n", b"\n", b" \n", b"\r\n", b""]),
    ).map(b"".join),
    max_size=8,
).map(b"".join)
reading_options = st.fixed_dictionaries(
    {},
    optional={
        "limit": st.integers(1, 5),
        "binary": st.booleans(),
        "no_header": st.booleans(),
        "encoding": st.sampled_from(["latin-1", "ascii", "shift_jis", "gbk", "utf-7", "utf-16"]),
        "errors": st.sampled_from(["strict", "replace", "ignore", "surrogatepass", "backslashreplace"]),
        "duplicates": st.sampled_from(["first", "error"]),
    },
)


@lengths
@pytest.mark.filterwarnings("ignore::fastw2v.errors.FastW2VWarning")
def test_any_bytes_as_vectors(place, monkeypatch, examples):
    path = place / "vectors"

    def check(content, packing, options, block_bytes):
        small_blocks(monkeypatch, block_bytes)
        path.write_bytes(PACKED[packing](content))
        with reading():
            found = read_vectors(path, **options)
            consistent(found, options.get("limit"))

    fuzz(
        examples,
        check,
        texts | st.binary(max_size=100) | st.tuples(beginnings, headers | st.just(b""), rows | texts).map(b"".join),
        st.sampled_from(["plain", *PACKED]),
        st.just({}) | reading_options,
        st.sampled_from([4, 64, 1 << 20]),
    )


def valid_vectors_files():
    """Files of every format, each with the same four words; `test_damaged_vectors_files` damages them."""
    words, vectors = ["the", "naïve", "x", "y"], np.array([[0.5, -1], [3, 0.25], [1 / 3, 1e-7], [-2, 9]], np.float32)
    lines = [f"{word} {a!r} {b!r}\n".encode() for word, (a, b) in zip(words, vectors.tolist(), strict=True)]
    binary = [word.encode() + b" " + row.tobytes() for word, row in zip(words, vectors, strict=True)]
    glove, text = b"".join(lines), b"4 2\n" + b"".join(lines)
    packed = io.BytesIO()
    np.savez(packed, vectors=vectors, words=np.array(words), counts=np.arange(4))
    smaller = io.BytesIO()
    np.savez_compressed(smaller, vectors=vectors, words=np.array(words))
    files = [glove, text, text.replace(b"\n", b"\r\n"), text.replace(b" ", b"\t"), b"\xef\xbb\xbf" + text]
    files += [b"4 2\n" + b"".join(binary), b"4 2\n" + b"\n".join(binary) + b"\n", packed.getvalue(), smaller.getvalue()]
    return words, vectors, files


@lengths
@pytest.mark.filterwarnings("ignore::fastw2v.errors.FastW2VWarning")
def test_damaged_vectors_files(place, monkeypatch, examples):
    path = place / "vectors"
    words, vectors, files = valid_vectors_files()
    files += [pack(content) for content in files[:7:3] for pack in PACKED.values()]
    for content in files:
        path.write_bytes(content)
        found = read_vectors(path)
        assert found.words == words
        assert np.array_equal(found.vectors, vectors)

    def check(content, options, block_bytes):
        small_blocks(monkeypatch, block_bytes)
        path.write_bytes(content)
        with reading():
            consistent(read_vectors(path, **options), options.get("limit"))

    options = st.just({}) | reading_options
    fuzz(examples, check, damaged(st.sampled_from(files)), options, st.sampled_from([4, 64, 1 << 20]))


@st.composite
def fasttext_model(draw):
    """A model of fastText, right or with a few numbers that lie."""

    def told(number):
        lie = st.sampled_from([-(2**31), -1, 0, 1, 2, 3, 4, 10**6, 2**31 - 1])
        return draw(lie) if draw(st.integers(0, 59)) == 0 else number

    size, bucket, min_n, max_n = (draw(st.integers(low, 4)) for low in (1, 1, 0, 0))
    words = draw(st.lists(tokens.map(lambda word: word.replace(b"\0", b"")), min_size=1, max_size=4))
    labels = [b"__label__x"] * draw(st.sampled_from([0, 0, 1]))
    bucket = bucket if max_n or draw(st.booleans()) else 0
    kind, loss = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    n_outside = len(labels) if kind == 3 else len(words)
    numbers = [size, 5, 5, 1, 5, 1, loss, kind, bucket, min_n, max_n, 100]
    version = draw(st.sampled_from([12, 12, 12, 11]))
    content = struct.pack("<14i", 793712314, told(version), *map(told, numbers)) + struct.pack("<d", 1e-4)
    content += struct.pack("<3i", *map(told, (len(words) + len(labels), len(words), len(labels))))
    content += struct.pack("<2q", told(99), told(-1))
    for entry, is_label in [(word, 0) for word in words] + [(label, 1) for label in labels]:
        content += entry + struct.pack("<xqb", told(7), is_label)
    for n_rows in (len(words) + bucket, n_outside):
        content += struct.pack("<?2q", told(0) == 1, told(n_rows), told(size))
        usual = draw(st.integers(0, 9)) > 0
        floats = st.floats(-100, 100, width=32) if usual else st.floats(width=32)
        content += np.array(draw(st.lists(floats, min_size=n_rows * size, max_size=n_rows * size)), "<f4").tobytes()
    return draw(damaged(content)) if draw(st.integers(0, 3)) == 0 else content


@lengths
@pytest.mark.filterwarnings("ignore::fastw2v.errors.FastW2VWarning")
def test_models_of_fasttext(place, monkeypatch, examples):
    path, n_read = place / "model", 0

    def check(content, packing, options, block_bytes):
        nonlocal n_read
        small_blocks(monkeypatch, block_bytes)
        path.write_bytes(PACKED[packing](content))
        found = None
        with reading():
            found = read_vectors(path, **options)
            consistent(found, options.get("limit"))
        if found is None:
            return
        n_read += 1
        for rows in (found.outside, None if found.subwords is None else found.subwords.rows):
            assert rows is None or np.isfinite(rows).all()
        with reading():
            embeddings = fastw2v.load(path, **options)
            embeddings.save(place / "m")
            embeddings.export(place / "again", "fasttext-bin")
            again = fastw2v.load(place / "again")
            assert list(again.words) == list(embeddings.words)
            scale = 1 + (0 if embeddings.subwords is None else np.abs(embeddings.subwords.rows).max())
            assert np.allclose(again.vectors / scale, embeddings.vectors / scale, rtol=1e-5, atol=1e-6)
            if embeddings.subwords is not None:
                unknown = embeddings.subwords.vectors(["unknown"])[0]
                assert np.array_equal(again.subwords.vectors(["unknown"])[0], unknown)

    options = st.just({}) | reading_options
    fuzz(examples, check, fasttext_model(), st.sampled_from(list(PACKED)), options, st.sampled_from([4, 64, 1 << 20]))
    assert n_read > examples / 20


letters = st.characters(exclude_characters=" \t\n\r\v\f", exclude_categories=["Cs"])
plain_words = st.text(letters, min_size=1, max_size=8)
some_words = st.lists(
    plain_words | st.tuples(plain_words, plain_words).map(" ".join), min_size=1, max_size=6, unique=True
)
spellings = st.sampled_from(["{!r}", "{:e}", "{:f}", "{:.17g}", "{:+.3e}", "{:.30f}"])
FLOATS = st.floats(-(2.0**127), 2.0**127, width=32) | st.floats(-1e38, 1e38) | st.floats(-10, 10)


@st.composite
def written_by_hand(draw):
    """Words and vectors, and the options and the contents of a file that holds them."""
    # The first letter keeps words from being numbers, and the first word from being another kind of file.
    words = ["w" + word.replace(" ", " w") for word in draw(some_words)]
    size = draw(st.integers(1, 4))
    table = [[draw(spellings).format(draw(FLOATS)) for _ in range(size)] for _ in words]
    blank = draw(st.sampled_from([" ", " ", "\t", "  ", " \t "]))
    end = draw(st.sampled_from(["\n", "\r\n", " \n", "\n\n"]))
    lines = [word + blank + blank.join(row) for word, row in zip(words, table, strict=True)]
    header = draw(st.booleans())
    if header:
        lines.insert(0, f"{len(words)} {size}")
    content = draw(st.sampled_from(["", "\ufeff"])) + end.join(lines) + draw(st.sampled_from(["", end, "\n \n"]))
    options = {"binary": False, "no_header": not header} if draw(st.booleans()) else {}
    return words, np.array([list(map(float, row)) for row in table]).astype(np.float32), options, content.encode()


@lengths
@pytest.mark.filterwarnings("ignore:.*may be counts or scores:fastw2v.FastW2VWarning")
def test_vectors_written_by_hand(place, monkeypatch, examples):
    path = place / "vectors"

    def check(file, packing, block_bytes):
        small_blocks(monkeypatch, block_bytes)
        words, vectors, options, content = file
        path.write_bytes(PACKED[packing](content))
        found = read_vectors(path, **options)
        assert found.words == words
        assert np.array_equal(found.vectors.view(np.int32), vectors.view(np.int32))

    fuzz(examples, check, written_by_hand(), st.sampled_from(list(PACKED)), st.sampled_from([4, 64, 1 << 20]))


@lengths
def test_binary_vectors_are_told_from_text(place, examples):
    path = place / "vectors"
    float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
    raw = st.binary(min_size=4, max_size=4).map(lambda four: np.frombuffer(four, "<f4")[0]).filter(np.isfinite)

    def check(words, size, data, newline):
        vectors = data.draw(st.lists(float32 | raw, min_size=size * len(words), max_size=size * len(words)))
        vectors = np.array(vectors, np.float32).reshape(len(words), size)
        lines = [word.encode() + b" " + row.tobytes() + newline for word, row in zip(words, vectors, strict=True)]
        path.write_bytes(b"%d %d\n" % vectors.shape + b"".join(lines))
        try:
            found = read_vectors(path)
        except FormatError:  # Few numbers may look like text that is damaged.
            assert len(words) * size < 40
            assert all(byte >= 32 or 9 <= byte <= 13 for byte in vectors.tobytes())
            return
        if found.vectors.tobytes() != vectors.tobytes():
            assert re.fullmatch(rb"[0-9.eE+ \t\n\r\v\f-]*", vectors.tobytes())
        else:
            assert found.words == words

    words = st.lists(plain_words, min_size=1, max_size=5, unique=True)
    fuzz(examples, check, words, st.integers(1, 12), st.data(), st.sampled_from([b"", b"\n"]))


# ------------------------------------------------------------------------------------------------------ writing

UNPACKED = {"": bytes, ".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
any_letters = st.characters() | st.sampled_from(list(" \t\n\r\v\f\0\u00a0\u2028\udce9\udcc3\udca9\ud800é日"))
usual_words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs"]), min_size=1, max_size=4)
written_words = st.lists(usual_words, min_size=1, max_size=5, unique=True) | st.lists(
    usual_words | st.text(any_letters, max_size=4) | tokens.map(lambda b: b.decode("utf-8", "surrogateescape")),
    min_size=1,
    max_size=5,
    unique=True,
)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(-2, 2, width=32)


def is_utf8(word, errors="strict"):
    try:
        return word.encode("utf-8", errors).decode("utf-8", errors) == word
    except UnicodeEncodeError:
        return False


def can_hold(format_, word):
    if not word or set(word) & set("\t\n\r\v\f") or not is_utf8(word, "surrogateescape"):
        return False
    if format_ == "npz":
        return not word.endswith("\0")
    if format_ == "fasttext-bin":
        return not set(word) & set(" \0")
    return is_utf8(word) if format_ == "model2vec" else format_ == "projector" or " " not in word


def read_rows(lines, separator):
    rows = [line.split(separator) for line in lines]
    return [row[0] for row in rows], np.array([row[1:] for row in rows], np.float32)


def read_independently(path, format_, unpack):
    """Words as bytes, and vectors, by a few lines that share nothing with the package."""
    if format_ == "model2vec":
        content = (path / "model.safetensors").read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        shape = json.loads(content[8:start])["embeddings"]["shape"]
        vocab = json.loads((path / "tokenizer.json").read_bytes())["model"]["vocab"]
        assert list(vocab.values()) == list(range(shape[0]))
        return [word.removesuffix("\n").encode() for word in vocab], np.frombuffer(content[start:], "<f4").reshape(
            shape
        )
    content = unpack(path.read_bytes())
    if format_ == "fasttext-bin":
        size, n_words = struct.unpack("<i", content[8:12])[0], struct.unpack("<i", content[64:68])[0]
        start, words = 92, []
        for _ in range(n_words):
            words.append(content[start : content.index(b"\0", start)])
            start += len(words[-1]) + 10
        n_bytes = 17 + 4 * size * n_words  # of a matrix
        assert len(content) == start + 2 * n_bytes
        return words, np.frombuffer(content[start + 17 : start + n_bytes], "<f4").reshape(n_words, size)
    if format_ == "npz":
        arrays = np.load(io.BytesIO(content), allow_pickle=False)
        return [word.encode("utf-8", "surrogateescape") for word in arrays["words"].tolist()], arrays["vectors"]
    if format_ == "projector":
        metadata = unpack(next(path.parent.glob("*.metadata.tsv*")).read_bytes()).split(b"\n")
        assert metadata[0] == b"word\tcount"
        assert metadata[-1] == b""
        words = [line.split(b"\t")[0] for line in metadata[1:-1]]
        return words, np.array([line.split(b"\t") for line in content.split(b"\n")[:-1]], np.float32)
    assert content.endswith(b"\n")
    if format_ == "glove":
        return read_rows(content.split(b"\n")[:-1], b" ")
    n_words, size = map(int, content.split(b"\n")[0].split(b" "))
    rest = content[content.index(b"\n") + 1 :]
    if format_ == "word2vec-text":
        lines = rest.split(b"\n")[:-1]
        assert all(line.endswith(b" ") for line in lines)
        assert len(lines) == n_words
        return read_rows([line[:-1] for line in lines], b" ")
    words, vectors = [], []
    for _ in range(n_words):
        word, _, rest = rest.partition(b" ")
        words.append(word)
        vectors.append(np.frombuffer(rest[: 4 * size], "<f4"))
        assert rest[4 * size : 4 * size + 1] == b"\n"
        rest = rest[4 * size + 1 :]
    assert rest == b""
    return words, np.array(vectors)


@lengths
@pytest.mark.filterwarnings("ignore::fastw2v.FastW2VWarning")
def test_written_vectors_are_read_back(place, examples):
    def check(words, size, numbers, format_, packing, old):
        vectors = np.resize(np.array(numbers, np.float32), (len(words), size))
        packing = "" if format_ == "model2vec" else packing
        target = place / "written" / f"v{packing}"
        shutil.rmtree(place / "written", ignore_errors=True)
        (place / "written").mkdir()
        if old and format_ != "model2vec":
            target.write_bytes(b"old")
        written = False
        with reading():
            write(target, words, vectors, np.arange(len(words)), format_)
            written = True
        assert written == all(can_hold(format_, word) for word in words)
        if not written:
            assert [path.read_bytes() for path in target.parent.iterdir()] == [b"old"] * (
                old and format_ != "model2vec"
            )
            return
        assert len(list(target.parent.iterdir())) == 1 + (format_ == "projector")
        found, read = read_independently(target, format_, UNPACKED[packing])
        assert found == [word.encode("utf-8", "surrogateescape") for word in words]
        if format_ == "word2vec-text":
            assert (
                read.tobytes() == np.array([[f"{x:f}" for x in row] for row in vectors.tolist()], np.float32).tobytes()
            )
        else:
            assert read.tobytes() == vectors.tobytes()  # to the bit, also the sign of zero

    formats = st.sampled_from([each for each in get_args(Format) if each != "floret"])  # It holds rows without words.
    numbers = st.lists(finite, min_size=1, max_size=12)
    packings = st.sampled_from(["", "", "", *UNPACKED])
    fuzz(examples, check, written_words, st.integers(1, 5), numbers, formats, packings, st.booleans())


@lengths
def test_numbers_as_text(examples):
    """Bit for bit what C's %f prints, and the fewest digits that read back."""

    def check(bits):
        values = np.array(bits, np.uint32).view(np.float32)
        values = values[np.isfinite(values)].reshape(1, -1)
        assume(values.size)
        fixed, _ = text_of_rows(values, shortest=False, separator=b" ", end=b" ")
        assert bytes(fixed) == ("%f " * values.size % tuple(values[0].tolist())).encode()
        shortest, ends = text_of_rows(values, shortest=True, separator=b",", end=b"\n")
        assert ends == [len(shortest)]
        for text, value in zip(bytes(shortest).decode().rstrip().split(","), values[0], strict=True):
            expected = np.format_float_scientific(value, trim="-", exp_digits=2)
            if value == 0 or 1e-4 <= abs(float(value)) < 2**24:
                expected = np.format_float_positional(value, trim="0")
            assert text == expected

    exponents = st.integers(100, 160).map(lambda exponent: exponent << 23)
    near = st.tuples(exponents, st.integers(-2, 2) | st.integers(0, (1 << 23) - 1)).map(sum)
    decimal = st.decimals(-100, 100, places=5).map(lambda value: int(np.float32(float(value)).view(np.uint32)))
    halves = st.tuples(st.integers(-(2**24), 2**24), st.integers(0, 40)).map(lambda pair: pair[0] / 2 ** pair[1])
    halves = halves.map(lambda value: int(np.float32(value).view(np.uint32)))
    fuzz(examples, check, st.lists(st.integers(0, 2**32 - 1) | near | decimal | halves, min_size=1, max_size=40))


evaluation_tokens = st.sampled_from([b"w0", b"w1", b"w2", b"w3", b"W4"]) | tokens | numbers


evaluation_tokens = st.sampled_from([b"w0", b"w1", b"w2", b"w3", b"W4", b"w0-n", b"#w1", b'"w2"']) | tokens | numbers
names = st.sampled_from([b"word1", b"Word 2", b"POS", b"SimLex999", b"Human (mean)", b"score", b"", b"JJ_JJR", b"1"])
separators = st.sampled_from([b" ", b" ", b"\t", b",", b", ", b";"])
pairs = st.lists(st.tuples(st.just(b"w0"), st.sampled_from([b"w1", b"w2", b"w3"]), numbers).map(b" ".join), max_size=6)
evaluation = st.lists(
    st.tuples(
        st.sampled_from([b"", b"", b": ", b"# ", b"#"]),
        st.lists(evaluation_tokens | names, min_size=2, max_size=5),
        separators,
    ).map(lambda line: line[0] + line[2].join(line[1])),
    max_size=8,
).map(b"\n".join)
answers = st.lists(evaluation_tokens, min_size=1, max_size=3).map(b"/".join)
bats = st.lists(st.tuples(evaluation_tokens, answers).map(b"\t".join), max_size=6).map(b"\r\n".join)
header = st.lists(names, min_size=3, max_size=5)


@st.composite
def table(draw):
    """A header and rows of as many columns, most of them with a number where the header has a name of a score."""
    first = draw(header)
    cell = st.tuples(evaluation_tokens, evaluation_tokens, *[evaluation_tokens | numbers] * (len(first) - 2))
    separator = draw(separators)
    return b"\n".join(separator.join(row) for row in [first, *draw(st.lists(cell, max_size=6))])


@lengths
def test_evaluation_files(place, examples):
    rng = np.random.default_rng(0)
    vocab = Vocab([f"w{i}" for i in range(6)], np.arange(6, 0, -1))
    embeddings = Embeddings(vocab, rng.normal(size=(6, 3)).astype(np.float32))
    embeddings.save(place / "m")
    path = place / "set.questions"

    def check(content, second, insensitive, command):
        path.write_bytes(content)
        (place / "set.answers").write_bytes(second)
        with reading():
            score = fastw2v.evaluate_similarity(embeddings, path, insensitive)
            assert score.attempted <= score.total
            assert 0 <= score.unknown <= 1
            for correlation in (score.spearman, score.pearson):
                assert correlation is None or -1.001 <= correlation <= 1.001
        with reading():
            total = fastw2v.evaluate_analogies(embeddings, path, 5, insensitive)[-1]
            assert total.correct <= total.attempted <= total.total
            assert 0 <= total.unknown <= 1
        if command is not None:
            run_command("eval", place / "m", *command, path)

    valid_pairs = b"w0 w1 1\nw1 w2 3\nw2 w3 2\n"
    valid_questions = b": s\nw0 w1 w2 w3\nw3 w2 w1 w0\n"
    valid_tags = b"w0 w1 w2 JJ_JJR w3\nw3 w2 w1 JJR_JJ w0\n"
    contents = (
        evaluation
        | damaged(evaluation)
        | pairs.map(b"\n".join)
        | table()
        | damaged(table())
        | bats
        | damaged(st.sampled_from([valid_pairs, valid_questions, valid_tags, b"w0 w1 w2\n", b"w0\tw1/w2\nw3\tw4\n"]))
    )
    contents |= st.tuples(contents, st.sampled_from(list(PACKED.values()))).map(lambda made: made[1](made[0]))
    commands = [None] * 9 + [["--similarity"], ["--json", "--analogies"], ["--case-sensitive", "--analogies"]]
    seconds = st.sampled_from([b"", b"w3\n", b"JJ_JJR w3\n"]) | evaluation
    fuzz(examples, check, contents | damaged(contents), seconds, st.booleans(), st.sampled_from(commands))


# ------------------------------------------------------------------------------------------------------ folders

JSON_LEAVES = [
    0, -1, 1, 2**31, 2**63, 10**400, 1e308, -0.0, float("nan"), float("inf"), "", "../../../etc/passwd", "/etc/passwd",
    "\x1b]0;owned\x07", "\u202egnp.exe", "\ud800", "\0", "0x1", [], {}, [[]], {"": None}, True, None,
]  # fmt: skip
json_values = st.recursive(
    st.sampled_from(JSON_LEAVES) | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
RAW_JSON = [
    b"[" * 100_000, b'{"a":' * 5000, b"[" * 80 + b"]" * 80, b'{"a": 1, "a": 2}', b"1" * 5000, b"NaN", b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}", b'{"a": "\\ud800"}', b'{"a": "\xed\xa0\x80"}', b"7\n", b"null", b"",
    b'{"loss": ' + b"9" * 400 + b"}\n", b"\x80\x04N.",
]  # fmt: skip
DESCRS = ["<f4", "<f8", ">f4", "<i4", "<i8", "|O", "|b1", "<U9", "<M8[s]", "<f99999999999"]
DESCRS += [[("a", "<f4")], [("a", "<f4", 2**60)]]
SHAPES = [-1, 0, 1, 2, 56, 2**31, 2**32, 2**62, 2**63, 2**64, 10**100]
NOT_FILES = ["/dev/zero", "/dev/tty", "itself", "folder", "pipe", "nowhere"]


def npy_header(descr, fortran, shape, version):
    text = repr({"descr": descr, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text


@st.composite
def folder_changes(draw, parts, others, manifest):
    """What a stranger might have changed in a folder: for some of its files other bytes, one of NOT_FILES, or None.

    Args:
        draw: Hypothesis's.
        parts: the files of the folder, ``{name: bytes}``.
        others: those of another folder of the same kind.
        manifest: which of them has the checksums.
    """
    changed = dict(parts)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(parts)))
        content = changed.get(name)
        content = content if isinstance(content, bytes) else parts[name]
        how = draw(
            st.sampled_from(
                [
                    "damage",
                    "field",
                    "field",
                    "other",
                    "swap",
                    "whole",
                    "header",
                    "values",
                    "counts",
                    "missing",
                    "no file",
                ]
            )
        )
        if how == "field":
            try:
                record = json.loads(changed[manifest])
                inside = record
                if draw(st.booleans()):
                    inside = inside[draw(st.sampled_from([k for k, v in record.items() if isinstance(v, dict)]))]
                key = draw(st.sampled_from(sorted(inside)) | st.text(max_size=3))
                inside.pop(key, None)
                if draw(st.integers(0, 4)):
                    inside[key] = draw(json_values)
                changed[manifest] = json.dumps(record).encode()
            except (ValueError, TypeError, AttributeError, LookupError, RecursionError):  # damaged already
                assume(False)
        elif how == "damage":
            changed[name] = draw(damaged(content))
        elif how == "other":
            changed[name] = others[name]
        elif how == "swap":
            other = draw(st.sampled_from(sorted(parts)))
            changed[name], changed[other] = parts[other], parts[name]
        elif how == "whole":
            changed[name] = draw(st.sampled_from(RAW_JSON) | texts | json_values.map(lambda v: json.dumps(v).encode()))
        elif how == "header" and content.startswith(b"\x93NUMPY"):
            sizes = draw(st.lists(st.sampled_from(SHAPES), max_size=3))
            descr, fortran = draw(st.sampled_from(DESCRS)), draw(st.booleans())
            version = draw(st.sampled_from([b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\7\7"]))
            changed[name] = npy_header(descr, fortran, tuple(sizes), version) + content[128:]
        elif how == "values" and content.startswith(b"\x93NUMPY") and len(content) > 128:
            item = 8 if name == "offsets.npy" else 4
            at = 128 + item * draw(st.integers(0, (len(content) - 128) // item))
            wild = draw(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3))
            wild = wild.to_bytes(8, "little", signed=True)[:item]
            wild = draw(st.sampled_from([wild, b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\xff\xff\x7f\x7f", b"\1\0\0\0"]))
            changed[name] = content[:at] + wild + content[at + len(wild) :]
        elif how == "counts":
            words = [line.split(b"\t")[0] for line in parts["vocab.tsv"].splitlines()]
            changed["vocab.tsv"] = b"".join(b"%s\t%s\n" % (word, draw(st.sampled_from(COUNTS[:6]))) for word in words)
        elif how == "missing":
            changed[name] = None
        elif how == "no file":
            changed[name] = draw(st.sampled_from(NOT_FILES))
    if draw(st.integers(0, 3)):
        seal(changed, manifest)
    return {name: content for name, content in changed.items() if content != parts[name]}


def seal(parts, manifest):
    """Make the checksums right: whoever changes a file can change them too."""
    try:
        record = json.loads(parts[manifest])
        for name, content in parts.items():
            if isinstance(content, bytes):
                digest = hashlib.sha256(content).hexdigest()
                if name == "vocab.tsv":
                    record["vocab_sha256"] = digest
                elif name in record.get("sha256", ()):
                    record["sha256"][name] = digest
        record["checksum"] = checksum(record)
        parts[manifest] = json.dumps(record).encode()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        pass


def lay_out(folder, parts):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in parts.items():
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is None:
            pass
        elif content == "folder":
            path.mkdir()
        elif content == "pipe":
            os.mkfifo(path)
        else:
            path.symlink_to(name if content == "itself" else content)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def corpus(topics):
    return [[f"t{i % topics}w{(i * j) % 5}" for j in range(6)] for i in range(60)]


SMALL = {"vector_size": 3, "window": 2, "min_count": 1, "workers": 1, "sample": 0.0, "progress": False}


@pytest.fixture(scope="module", params=[{}, {"min_n": 2, "max_n": 3, "bucket": 99}], ids=["words", "subwords"])
def two_models(tmp_path_factory, request):
    """Files of two model folders, each of a training that was stopped after its first epoch of three."""
    folder = tmp_path_factory.mktemp("models")
    for topics in (2, 3):
        stop = [lambda progress, embeddings: True]
        options = SMALL | request.param
        fastw2v.train(corpus(topics), output=folder / str(topics), epochs=3, callbacks=stop, **options)
    return files_of(folder / "2"), files_of(folder / "3")


@pytest.fixture(scope="module")
def two_prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    for topics in (2, 3):
        fastw2v.prepare(corpus(topics), folder / str(topics), min_count=1, progress=False)
    return files_of(folder / "2"), files_of(folder / "3")


@pytest.fixture(scope="module")
def two_phrases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phrases")
    for topics in (2, 3):
        options = {"min_count": 1, "threshold": 0.1, "connector_words": {"t0w0", "t1w1"}}
        fastw2v.Phrases(corpus(topics), **options).save(folder / str(topics))
    return files_of(folder / "2"), files_of(folder / "3")


@lengths
@pytest.mark.filterwarnings("ignore:.*are not valid UTF-8")
def test_model_folders(two_models, place, examples):
    folder = place / "m"
    commands = [["info"], ["info", "--json"], ["neighbors", "t0w1"], ["export", str(place / "v")]]

    def check(changes, command):
        lay_out(folder, two_models[0] | changes)
        with reading():
            embeddings = fastw2v.load(folder)
            assert embeddings.vectors.shape == embeddings.outside.shape if embeddings.outside is not None else True
            assert embeddings.vectors.shape == (len(embeddings), embeddings.vector_size)
            embeddings.save(place / "again")
            assert np.array_equal(fastw2v.load(place / "again").vectors, embeddings.vectors, equal_nan=True)
            embeddings.most_similar(0)
            embeddings.analogy(0, len(embeddings) - 1, 0)
            embeddings.encode(["t0w1 t0w99 unseen"])
            assert np.isfinite(embeddings["t1w99"]).all()
        if command is not None:
            run_command(command[0], folder, *command[1:])

    fuzz(examples, check, folder_changes(*two_models, "model.json"), st.sampled_from([None] * 9 + commands))


@lengths
@pytest.mark.filterwarnings("ignore:resuming at token .*; not bit-identical")
def test_runs_to_go_on_with(two_models, place, examples):
    folder = place / "m"

    def check(changes):
        lay_out(folder, two_models[0] | changes)
        with reading():
            if read_state(folder) is not None:
                options = json.loads(changes.get("model.json", two_models[0]["model.json"]))["config"]
                subwords = {name: options[name] for name in ("min_n", "max_n", "bucket") if name in options}
                fastw2v.train(corpus(2), output=folder, resume=True, epochs=3, **SMALL | subwords)

    fuzz(examples, check, folder_changes(*two_models, "model.json"))


@lengths
def test_prepared_folders(two_prepared, place, examples):
    folder = place / "p"
    options = SMALL | {"min_count": None}

    def check(changes, command):
        lay_out(folder, two_prepared[0] | changes)
        with reading():
            open_prepared(folder)
            fastw2v.train(folder, epochs=1, **options)
        if command is not None:
            run_command(command[0], folder, *command[1:])

    commands = [None] * 6 + [["info"], ["info", "--json"]]
    fuzz(examples, check, folder_changes(*two_prepared, "prepared.json"), st.sampled_from(commands))


@lengths
def test_phrases_folders(two_phrases, place, examples):
    folder = place / "p"

    def check(changes):
        lay_out(folder, two_phrases[0] | changes)
        with reading():
            phrases = fastw2v.Phrases.load(folder)
            list(phrases[corpus(2)])
            phrases.export_phrases()
            phrases.save(place / "again")
            assert fastw2v.Phrases.load(place / "again").export_phrases() == phrases.export_phrases()
            if isinstance(phrases, fastw2v.Phrases):
                phrases.add_vocab(corpus(3))

    fuzz(examples, check, folder_changes(*two_phrases, "phrases.json"))


# ------------------------------------------------------------------------------------------------------ edges

some_name = st.sampled_from([b"a", b"b", b"7", b"12", b"new york", b"\xff", b"\xc2\xa0", b"#x", b"", b"\x1f"])
some_weight = st.sampled_from([b"1", b"0", b"2.5", b"1e999", b"-1", b"nan", b"x", b"{}", b""])
some_edge = st.tuples(
    some_name, st.sampled_from([b" ", b"\t", b",", b"  ", b"\v"]), some_name, st.none() | some_weight
).map(lambda parts: parts[0] + parts[1] + parts[2] + (b"" if parts[3] is None else parts[1] + parts[3]))
some_top = st.sampled_from([b"", b"# comment\n", b"%%MatrixMarket\n", b"\xef\xbb\xbf", b"source,target\n", b"\n"])
some_ends = st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"])
files_of_edges = st.binary(max_size=60) | st.tuples(some_top, st.lists(some_edge, max_size=8), some_ends).map(
    lambda parts: parts[0] + parts[2].join(parts[1])
)


@lengths
def test_any_file_of_edges_gives_walks_or_is_refused(examples, place, monkeypatch):
    path = place / "edges"

    def check(data, block, weighted, directed):
        path.write_bytes(data)
        monkeypatch.setattr(edges, "BLOCK_BYTES", block)
        options = {"weighted": weighted, "directed": directed, "walk_length": 4, "num_walks": 1, "workers": 1}
        with reading():
            found = fastw2v.random_walks(path, **options, progress=False)
            assert found.offsets[0] == 0
            assert found.offsets[-1] == len(found.ids)
            assert len(found.offsets) == len(found.names) + 1
            assert (np.sort(found.ids[found.offsets[:-1]]) == np.arange(len(found.names))).all()
            for name in found.names:
                check_storable(name)
                assert name.strip().encode("utf-8", "surrogateescape") in data

    fuzz(examples, check, files_of_edges, st.integers(1, 40), st.booleans(), st.booleans())


@lengths
def test_edges_are_read_as_they_were_written(examples, place):
    path = place / "edges"
    name = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Z", "Cs"]), min_size=1).filter(
        lambda text: not text.startswith(("#", "%", "\ufeff")) and text.strip() == text and "," not in text
    )

    def check(pairs, separator):
        assume(len({part for pair in pairs for part in pair[:2]}) > 1 and not pairs[0][0].isascii())
        lines = [separator.join([a, b, repr(w)]) for a, b, w in pairs]
        path.write_text("\n".join(lines), "utf-8")
        found = edges.read_edges(path, True, False)
        names = list(dict.fromkeys(part for pair in pairs for part in pair[:2]))
        assert found.names == names
        assert [names[i] for i in found.source] == [a for a, _, _ in pairs]
        assert [names[i] for i in found.target] == [b for _, b, _ in pairs]
        assert found.weights.tolist() == [w for _, _, w in pairs]

    weight = st.floats(0, 1e300)
    fuzz(examples, check, st.lists(st.tuples(name, name, weight), min_size=1, max_size=6), st.sampled_from("\t, "))
