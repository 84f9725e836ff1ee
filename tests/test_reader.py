"""Files of vectors of any kind: read right where the meaning is clear, else one line that says what the file is."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fastw2v
from fastw2v.errors import ConfigError, FastW2VWarning, FormatError
from fastw2v.vectors import binary_rows, layout, numbers, text_rows
from fastw2v.vectors.numbers import parse_rows, read_row
from fastw2v.vectors.reader import read_vectors

WORDS = ["the", "naïve", "caf\udce9"]
VECTORS = np.array([[0.5, -1.25, 3e-7], [1 / 3, 1000.0, -0.0], [0.1, 0.2, 0.3]], np.float32)
TEXT = (
    b"3 3\n"
    b"the 0.500000 -1.250000 0.000000 \n"
    b"na\xc3\xafve 0.333333 1000.000000 -0.000000 \n"
    b"caf\xe9 0.100000 0.200000 0.300000 \n"
)
BINARY = (
    b"3 3\n"
    + b"the "
    + struct.pack("<3f", 0.5, -1.25, 3e-7)
    + b"\nna\xc3\xafve "
    + struct.pack("<3f", 1 / 3, 1000, -0.0)
    + b"\ncaf\xe9 "
    + struct.pack("<3f", 0.1, 0.2, 0.3)
    + b"\n"
)
HUGE = b"999999999999 1000000\n" + BINARY[4:]
GLOVE = b"king 0.1 0.2 0.3\nqueen 0.2 0.1 0.5\n"
KINGS = ["king", "queen"]
KING_ROWS = np.array([[0.1, 0.2, 0.3], [0.2, 0.1, 0.5]], np.float32)


@pytest.fixture
def read(tmp_path):
    """Read these bytes as a file."""

    def read(content, **options):
        (tmp_path / "vectors").write_bytes(content)
        return read_vectors(tmp_path / "vectors", **options)

    return read


def refused(read, content, said, **options):
    with pytest.raises(FormatError, match=said) as error:
        read(content, **options)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    return str(error.value)


# ------------------------------------------------------------------------------------------------------ word2vec


@pytest.mark.parametrize("binary", [True, None])
@pytest.mark.parametrize("content", [BINARY, BINARY[:-1]], ids=["newlines", "no last newline"])
def test_read_binary(tmp_path, content, binary):
    (tmp_path / "v.bin").write_bytes(content)
    again = fastw2v.load_word2vec_format(tmp_path / "v.bin", binary=binary)
    np.testing.assert_array_equal(again.vectors, VECTORS)
    assert list(again.words) == WORDS


def test_read_binary_without_newlines_between_rows(tmp_path):
    rows = (w.encode("utf-8", "surrogateescape") + b" " + v.tobytes() for w, v in zip(WORDS, VECTORS, strict=True))
    (tmp_path / "v.bin").write_bytes(b"3 3\n" + b"".join(rows))
    again = fastw2v.load_word2vec_format(tmp_path / "v.bin", binary=True)
    np.testing.assert_array_equal(again.vectors, VECTORS)


@pytest.mark.parametrize("binary", [False, None])
@pytest.mark.parametrize("newline", [b" \n", b"\n", b"\r\n", b"\t\r\n", b"\n\n"])
def test_read_text(tmp_path, newline, binary):
    (tmp_path / "v.txt").write_bytes(TEXT.replace(b" \n", newline))
    again = fastw2v.load_word2vec_format(tmp_path / "v.txt", binary=binary)
    np.testing.assert_allclose(again.vectors, VECTORS, atol=5e-7)
    assert list(again.words) == WORDS


@pytest.mark.parametrize(
    ("content", "binary", "said"),
    [
        (b"", True, "is empty"),
        (b"three 3\n", True, "line 1"),
        (b"3\n", False, "line 1"),
        (b"-3 3\n", False, "line 1"),
        (b"3 0\n", False, "line 1"),
        (b"0 3\n", True, "line 1"),
        (b"0 99999999999999999999\n", True, "line 1"),
        (b"1 1\n 0.5 \n", False, "line 2 begins with a blank, so it has no word"),
        (b"1 1\na\nb \0\0\0\0\n", True, "tab or line break"),
        (HUGE[:13] + b"100\n" + BINARY[4:], True, "header announces 999999999999 words of 100 numbers, but only"),
        (HUGE, True, "header announces vectors of 1000000 numbers, more than 65,536"),
        (HUGE[:13] + b"1000000\n" + TEXT[4:], False, "header announces"),
        (BINARY[:-6], True, "truncated"),
        (BINARY.replace(b"3 3\n", b"2 3\n", 1)[:-3], True, "continues after 2 words with .* bytes that are no row"),
        (TEXT.replace(b"1000.000000 ", b""), False, "line 3 has 2 numbers, but the header announces 3"),
        (TEXT.replace(b"1000.000000", b"thousand!!!"), False, "line 3.*thousand"),
        (TEXT.replace(b"1000.000000", b"nan        "[:3] + b"00000000"), False, "line 3"),
        (TEXT.replace(b"1000.000000", b"inf"), False, "line 3: number 2 is 'inf', which is not finite"),
    ],
)
@pytest.mark.parametrize("is_said", [True, False])
def test_malformed_files(tmp_path, content, binary, said, is_said):
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=said) as error:
        fastw2v.load_word2vec_format(path, binary=binary if is_said else None)
    assert "vectors" in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="cannot read"):
        fastw2v.load_word2vec_format(tmp_path / "v.bin", binary=True)


@pytest.mark.parametrize("binary", [True, False])
def test_a_header_that_counts_too_few_rows(read, binary):
    content = (BINARY if binary else TEXT).replace(b"3 3", b"2 3", 1)
    with pytest.warns(FastW2VWarning, match=r"announces 2 words, but 3 follow: all are read"):
        found = read(content)
    assert found.words == WORDS
    np.testing.assert_allclose(found.vectors, VECTORS, atol=5e-7)
    assert read(content, limit=2).words == WORDS[:2]
    assert read(content.replace(b"2 3", b"1 3", 1), limit=2).words == WORDS[:2]


def test_a_header_that_counts_too_many_rows(read):
    with pytest.warns(FastW2VWarning, match=r"announces 4,000 words, but 3 follow: all are read"):
        assert read(TEXT.replace(b"3 3", b"4000 3", 1)).words == WORDS
    refused(read, BINARY.replace(b"3 3", b"4 3", 1), "header announces 4 words of 3 numbers, but only 55 bytes")
    refused(read, gzip.compress(BINARY.replace(b"3 3", b"4 3", 1)), "it ends before row 4 of the 4")
    refused(read, gzip.compress(BINARY[:-5]), "it ends in row 3 of the 3")
    assert read(BINARY.replace(b"3 3", b"4 3", 1), limit=3).words == WORDS


def test_a_header_alone(read):
    refused(read, b"3 3\n", "holds no vectors", no_header=False)
    refused(read, b"3 3", "holds no vectors")
    refused(read, b"3 3\n", "only 0 bytes follow", binary=True)


# ------------------------------------------------------------------------------------------------------ detection


def test_what_the_caller_says_must_be_so(read):
    refused(read, TEXT, "is a text file, not a binary one: omit binary=True", binary=True)
    refused(read, TEXT.replace(b"1000.000000 ", b""), "is a text file", binary=True)
    refused(read, BINARY, "is a binary file, not text: omit binary=False", binary=False)
    refused(read, GLOVE, "line 1 is not a word2vec header", binary=True)
    refused(
        read, GLOVE, r"line 1 is not a word2vec header.*\(give no_header=True for a file without one", no_header=False
    )
    refused(read, TEXT, "line 1 has 1 number, but most lines have 3", no_header=True)
    with pytest.raises(ConfigError, match="a binary file has a header: omit binary or no_header"):
        read(BINARY, binary=True, no_header=True)


@pytest.mark.parametrize("size", [1, 2, 3, 50, 300, 20_000])
def test_binary_is_told_from_text(read, size):
    rng = np.random.default_rng(size)
    for n_words in (1, 2, 5):
        vectors = rng.normal(size=(n_words, size)).astype(np.float32)
        words = [f"w{i}é" for i in range(n_words)]
        header = b"%d %d\n" % vectors.shape
        binary = [word.encode() + b" " + row.tobytes() for word, row in zip(words, vectors, strict=True)]
        text = [f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(words, vectors, strict=True)]
        for content in (header + b"\n".join(binary), header + b"".join(binary), header + "".join(text).encode()):
            found = read(content)
            assert found.words == words
            np.testing.assert_array_equal(found.vectors, vectors)


def test_a_binary_row_that_looks_like_text(read):
    content = b"3 1\na 12.5\nb \0\0\x80?\nc \0\0\0@\n"
    found = read(content)
    assert found.vectors.tolist() == [[np.frombuffer(b"12.5", "<f4")[0]], [1.0], [2.0]]
    content = b"1 3\nking 0.1 0.2 0.3\n"  # also a whole binary file
    np.testing.assert_array_equal(read(content).vectors, KING_ROWS[:1])


def test_damaged_text_is_never_read_as_binary(read):
    """The first row's numbers and what follows are as many bytes as a binary row has."""
    refused(read, b"3 3\nking 0.1 0.2\nqueen 0.2 0.1 0.5\nman 1 2 3\n", "line 2 has 2 numbers")
    refused(read, b"3 3\nking 0.1 0.2\nqueen 0.2 0.1 0.5\nman 1 2 3\n", "is a text file", binary=True)
    refused(read, "2 1\nkönig abc\nkönigin 0.5\n".encode(), "line 2: 'abc' is not a number")


def test_without_a_header(read):
    found = read(b"king 0.1 0.2 0.3\nqueen 0.2 0.1 0.5\n. . . 1 0 1\n")
    assert found.words == [*KINGS, ". . ."]
    np.testing.assert_array_equal(found.vectors, [*KING_ROWS, [1, 0, 1]])
    assert found.counts is None
    assert found.vectors.dtype == np.float32
    found = read(b"at name@domain.com 1 2\n1990 1 2\n. 1 2\n  padded 1 2\n")
    assert found.words == ["at name@domain.com", "1990", ".", "padded"]


def test_a_first_line_that_may_be_a_header(read):
    with pytest.warns(FastW2VWarning, match="line 1, 4 2, is read as a word and its number.* give no_header=False"):
        assert read(b"4 2\n5 7\n6 8\n").words == ["4", "5", "6"]
    refused(read, b"2 3\nking 0.1\nqueen 0.2\n", "line 2 has 1 number, but the header announces 3")
    assert read(b"2 3\nking 0.1\nqueen 0.2\n", no_header=True).words == ["2", *KINGS]


def test_a_matrix_without_words(read):
    for text in (b"0.5 1 2\n0 -1e-05 3\n-.25 1 2\n", b"0.5\t1\t2\n1\t0\t0\n"):
        refused(read, text, "looks like a table of numbers without words")
    for text in (b"17 1 2\n-4 1 2\n", b"0.5 1 2\nhalf 1 2\n", b"2 2\n0.5 1 2\n1.5 1 2\n"):
        assert len(read(text).words) == 2


def test_a_header_and_a_vector_of_one_number(read):
    assert read(b"2 1\na 5\nb 7\n").words == ["a", "b"]
    refused(read, b"3 1\na 5\nb 7\n", "line 1 may be a header .* give no_header=True or no_header=False")
    assert read(b"3 1\na 5\nb 7\n", no_header=True).words == ["3", "a", "b"]
    with pytest.warns(FastW2VWarning, match="announces 3 words, but 2 follow"):
        assert read(b"3 1\na 5\nb 7\n", no_header=False).words == ["a", "b"]
    many = b"".join(b"w%d 1\n" % i for i in range(20_000))
    assert len(read(b"20000 1\n" + many).words) == 20_000


def test_rows_behind_the_limit_do_not_matter(read):
    assert read(b"6 3\n" + GLOVE + b"windows 95 1 0 1\n 1 2 3\nwrong 1 2\nking 4 5 6\n", limit=2).words == KINGS


def test_lines_that_disagree_without_a_header(read):
    refused(read, b"a 1 2\nb 1\n", "line 2 has 1 number, but line 1 has 2: without a header")
    refused(read, GLOVE * 2 + b"man 1 2\n", "line 5 has 2 numbers, but most lines have 3")
    with pytest.warns(FastW2VWarning, match=r"line 3: the word 'windows 95' ends in a number.* \(1 such row\)"):
        assert read(GLOVE + b"windows 95 1 0 1\n").words == [*KINGS, "windows 95"]
    refused(read, b"2 2\n" + GLOVE, "line 2 has 3 numbers, but the header announces 2")


# ------------------------------------------------------------------------------------------------------ text


def test_a_byte_order_mark_and_a_repeated_word(read):
    content = b"\xef\xbb\xbf3 3\n" + GLOVE + b"king 9 9 9\n"
    with pytest.warns(FastW2VWarning, match="repeats words in 1 row, such as 'king' in row 3: only the first") as said:
        found = read(content)
    assert len(said) == 1
    assert said[0].filename == __file__
    assert found.words == KINGS
    np.testing.assert_array_equal(found.vectors, KING_ROWS)
    refused(read, content, "holds the word 'king' twice, in rows 1 and 3", duplicates="error")
    assert read(b"\xef\xbb\xbf" + GLOVE).words == KINGS


def test_many_repeated_words(read, monkeypatch):
    from fastw2v.vectors import matrix

    monkeypatch.setattr(matrix, "MOVED_ROWS", 7)
    rows = [(i * i % 31, i) for i in range(100)]
    with pytest.warns(FastW2VWarning, match="repeats words in 84 rows"):
        found = read("".join(f"w{word} {i}\n" for word, i in rows).encode(), no_header=True)
    firsts = {}
    for word, i in rows:
        firsts.setdefault(f"w{word}", float(i))
    assert dict(zip(found.words, found.vectors[:, 0].tolist(), strict=True)) == firsts
    assert found.vectors.flags.owndata


def test_tabs_and_padding(read):
    found = read(b"2 3\nking\t0.1 0.2 0.3\nqueen  0.2  0.1 -0.5 \n\n  \n")
    assert found.words == KINGS
    np.testing.assert_array_equal(found.vectors, np.array([[0.1, 0.2, 0.3], [0.2, 0.1, -0.5]], np.float32))


def test_only_ascii_blanks_separate(read):
    words = ["a\u00a0b", "\u0085", "\u2003", "\u00a0", "x\u3000y", "\u2028", "\u200b", "\x1c", "</s>"]
    found = read("".join(f"{word} 0.5 1\n" for word in words).encode())
    assert found.words == words


def test_rows_without_a_word_are_skipped(read):
    with pytest.warns(
        FastW2VWarning, match="line 3 begins with a blank, so it has no word: skipped 2 such rows"
    ) as said:
        found = read(b"4 2\na 1 2\n 3 4\nb 5 6\n\t7 8\n")
    assert len(said) == 1
    assert found.words == ["a", "b"]
    refused(read, b"2 2\na 1 2\n3 4\n", "line 3 has 1 number, but the header announces 2")
    refused(read, b"2 1\na " + struct.pack("<f", 1) + b"\n " + struct.pack("<f", 2), "row 2 has no word")


def test_a_tab_in_a_word_is_refused(read):
    refused(read, GLOVE + b"New\tYork 1 2 3\n", r"line 3: the word is 'New\\\\x09York', empty, or with a tab")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (b"1_000", "'1_000' is not a number"),
        (b"0x1p3", "'0x1p3' is not a number"),
        ("\u0661".encode(), "'\u0661' is not a number"),
        (b"1e", "'1e' is not a number"),
        (b".", "'.' is not a number"),
        (b"1.2.3", "is not a number"),
        (b"--1", "is not a number"),
        (b"0,5", "'0,5' has a decimal comma: write a point"),
        (b"-Infinity", "number 2 is '-Infinity', which is not finite"),
        (b"NaN", "which is not finite"),
        (b"3.5e38", "'3.5e38' is not finite as a float32: scale the vectors"),
        (b"-1e400", "'-1e400' is not finite as a float32"),
        (b"1e" + b"9" * 5000, "is not finite as a float32"),
        (b"\x1b[31m", r"'\\\\x1b\[31m' is not a number"),
    ],
)
def test_numbers_that_are_none(read, number, said):
    refused(read, GLOVE + b"man 1 " + number + b" 1\n", "line 3: " + ("" if "number 2" in said else ".*") + said)


def test_any_spelling_of_a_number(read):
    spelled = [b"+1", b"1.", b".5", b"-.5e1", b"1E+3", b"007", b"1e-400", b"-0", b"0e99999", b"5" * 30 + b"e-29"]
    spelled += [b"16777217", b"0.1000000000000000055511151231257827", b"3.4028235e38", b"1e-45", b"-7e-46"]
    found = read(b"w " + b" ".join(spelled) + b"\n")
    expected = np.array([float(number) for number in spelled]).astype(np.float32)
    np.testing.assert_array_equal(found.vectors[0].view(np.int32), expected.view(np.int32))


floats = st.floats(allow_nan=False, allow_infinity=False)
spellings = st.one_of(
    st.tuples(floats, st.sampled_from(["{!r}", "{:f}", "{:e}", "{:.3f}", "{:.9g}", "{:.17g}", "{:.25e}"])).map(
        lambda pair: pair[1].format(pair[0])
    ),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"\A[+-]?[0-9]{0,25}(\.[0-9]{0,25})?([eE][+-]?[0-9]{1,3})?\Z").filter(
        lambda text: numbers.NUMBER.fullmatch(text.encode())
    ),
    # Halfway between two float32, and close to it, is where rounding is hard.
    st.tuples(st.integers(1 << 23, (1 << 24) - 1), st.integers(-60, 60), st.sampled_from(["", "1", "0001"])).map(
        lambda parts: f"{(2 * parts[0] + 1) * 2.0 ** parts[1]:.25e}".replace("e", parts[2] + "e")
    ),
)  # fmt: skip


@settings(deadline=None)  # The first example compiles the kernel.
@given(st.lists(spellings, min_size=1, max_size=20))
@example(["8388609.5", "16777217.0000000000000000000000000001", "7.038531e-26", "1e22", "1e23", "9007199254740993"])
def test_numbers_equal_those_of_python(spelled):
    line = " ".join(["w", *spelled]).encode() + b"\n"
    with np.errstate(over="ignore"):
        expected = np.array([float(number) for number in spelled]).astype(np.float32)
    vectors, words = np.empty((1, len(spelled)), np.float32), np.empty((1, 3), np.int64)
    row, at = parse_rows(np.frombuffer(bytearray(line), np.uint8), 0, len(line), vectors, words, 0)
    if row:
        assert at == len(line)
        np.testing.assert_array_equal(vectors[0].view(np.int32), expected.view(np.int32))
        assert words.tolist() == [[0, 1, 0]]
    else:  # too hard or too large
        assert at == 0
    if np.isfinite(expected).all():
        np.testing.assert_array_equal(read_row(line, len(spelled), "").vector.view(np.int32), expected.view(np.int32))
    else:
        assert row == 0
        with pytest.raises(ValueError, match="is not finite as a float32"):
            read_row(line, len(spelled), "")


def test_most_numbers_are_read_by_the_kernel():
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-30, 30, 2000)
    for spelling in ("{!r}", "{:f}", "{:.5g}", "{:.25e}"):
        lines = "".join(f"w {spelling.format(value)}\n" for value in values.tolist()).encode()
        vectors, words = np.empty((2000, 1), np.float32), np.empty((2000, 3), np.int64)
        assert parse_rows(np.frombuffer(bytearray(lines), np.uint8), 0, len(lines), vectors, words, 0) == (
            2000,
            len(lines),
        )


parts = st.sampled_from(
    [b"a", b"the", b"1990", b"-1e3", b".", b",", b"nan", b" ", b" ", b" ", b"\t", b"\r", b"1 2", b"x 1 2"]
)


@settings(deadline=None)
@given(st.lists(st.lists(parts, max_size=9).map(b"".join), max_size=6), st.integers(1, 3))
def test_the_kernel_agrees_with_its_twin(lines, size):
    text = b"".join(line + b"\n" for line in lines)
    vectors, words = np.full((len(lines) + 1, size), np.nan, np.float32), np.empty((len(lines) + 1, 3), np.int64)
    row, at = parse_rows(np.frombuffer(bytearray(text), np.uint8), 0, len(text), vectors, words, 0)
    expected = []
    for line in text[:at].split(b"\n")[:-1]:
        if line.strip():
            word, vector = read_row(line, size, "")
            expected.append((word, vector.tolist()))
    found = [(text[start:end], vectors[i].tolist()) for i, (start, end, _) in enumerate(words[:row].tolist())]
    assert found == expected
    if at < len(text):
        line = text[at:].split(b"\n")[0]
        try:
            word, _ = read_row(line, size, "")
        except ValueError:
            return
        assert word == b""


# ------------------------------------------------------------------------------------------------------ blocks


def zstd(content):
    return pytest.importorskip("zstandard").ZstdCompressor().compress(content)


PACKED = pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd], ids=["plain", "gz", "bz2", "xz", "zst"]
)


@PACKED
@pytest.mark.parametrize("binary", [True, False])
def test_files_of_many_blocks(read, monkeypatch, pack, binary):
    for module in (text_rows, binary_rows):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6_000, 3)).astype(np.float32)
    words = [f"w{i}" * (1 + i % 5) + " of" * (i % 3 == 0 and not binary) for i in range(len(vectors))]
    if binary:
        rows = [word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(words, vectors, strict=True)]
    else:
        rows = [f"{word} {a!r} {b!r} {c!r}\n".encode() for word, (a, b, c) in zip(words, vectors.tolist(), strict=True)]
    content = b"%d 3\n" % len(rows) + b"".join(rows)
    found = read(pack(content))
    assert found.words == words
    np.testing.assert_array_equal(found.vectors, vectors)
    for limit in (1, 700, 6_000, 10**9):
        found = read(pack(content), limit=limit)
        assert found.words == words[:limit]
        np.testing.assert_array_equal(found.vectors, vectors[:limit])
    if not binary:
        refused(read, pack(content + b"w 1 2 x\nv 1\n"), "line 6002: 'x' is not a number")
        assert len(read(pack(content + b"w 1 2 x\n"), limit=6_000).words) == 6_000
        assert read(pack(b"".join(rows))).words == words


def test_two_words_packed(read):
    content = b"2 3\nking " + struct.pack("<3f", 0.5, 0.25, 0.125) + b"queen " + struct.pack("<3f", 1, 0, -1)
    found = read(gzip.compress(content))
    assert found.words == KINGS
    assert found.vectors.tolist() == [[0.5, 0.25, 0.125], [1, 0, -1]]


@pytest.mark.parametrize("binary", [True, False])
def test_a_limit_reads_no_more(tmp_path, binary):
    """The rest of the archive is damaged."""
    row = b" " + struct.pack("<300f", *[1 / 3] * 300) if binary else b" 0.333" * 300
    content = gzip.compress(b"10000 300\n" + b"".join(b"w%d" % i + row + b"\n" for i in range(10_000)), 1)
    (tmp_path / "v.gz").write_bytes(content[: len(content) // 4])
    assert len(read_vectors(tmp_path / "v.gz", limit=100).words) == 100
    with pytest.raises(FormatError, match="truncated: its gzip data are incomplete"):
        read_vectors(tmp_path / "v.gz")


def test_very_long_words_and_lines(read):
    word = "x" * 2_000_000
    found = read(f"1 2\n{word} 1 2\n".encode())
    assert found.words == [word]
    assert read(f"{word} 1 2\n".encode()).words == [word]
    assert read(b"1 2\n" + word.encode() + b" " + struct.pack("<2f", 1, 2)).words == [word]
    size = layout.MAX_COLUMNS
    assert read(b"w" + b" 0.125" * size + b"\n").vectors.shape == (1, size)
    refused(read, b"w" + b" 0.125" * (size + 1) + b"\n", "line 1 has 65,537 numbers, more than 65,536")


def test_endless_lines_and_words(read, monkeypatch):
    for module in (layout, text_rows, binary_rows):
        monkeypatch.setattr(module, "LINE_BYTES", 1 << 20)
    refused(read, gzip.compress(b"a" * (8 << 20)), "line 1 is longer than 1 MB")
    refused(read, gzip.compress(b"1 1\n" + b"a" * (8 << 20)), "line 2 is longer than 1 MB")
    refused(read, gzip.compress(GLOVE * 100_000 + b"a" * (8 << 20)), "has a line longer than 1 MB", limit=300_000)
    row = b"w%d \0\0\0\0"
    content = b"100000 1\n" + b"".join(row % i for i in range(50_000)) + b"a" * (8 << 20)
    refused(read, gzip.compress(content), "word 50001 does not end")


def test_headers_of_archives_reserve_no_memory(read):
    resource = pytest.importorskip("resource")
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("this system does not tell the size of a process")
    size = int(statm.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), before[1]))
    try:
        for content in (BINARY, TEXT):
            rows = content[4:]
            for n_words in (10**9, 10**18, 10**38):
                header = b"%d 3\n" % n_words
                if content is TEXT:
                    with pytest.warns(FastW2VWarning, match="but 3 follow"):
                        assert read(gzip.compress(header + rows)).words == WORDS
                else:
                    refused(read, gzip.compress(header + rows), "ends before row 4")
                    assert read(gzip.compress(header + rows), limit=3).words == WORDS
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


# ------------------------------------------------------------------------------------------------------ options


def test_encodings(read):
    content = "1 1\ncafé 0.5\n".encode("latin-1")
    assert read(content).words == ["caf\udce9"]
    assert read(content, encoding="latin-1").words == ["café"]
    assert read(content, errors="replace").words == ["caf\ufffd"]
    refused(
        read, content, r"line 2: the word is 'caf\\\\udce9', not valid utf-8: give another encoding", errors="strict"
    )
    refused(read, BINARY, r"word 3 is 'caf\\\\udce9', not valid utf-8", errors="strict")
    refused(read, b"1 1\n\xff 0.5\n", "line 2: the word is '', empty", errors="ignore")
    refused(read, b"1 1\n\xed\xa0\x80 0.5\n", "with surrogates that UTF-8 can't encode", errors="surrogatepass")
    assert read("語 1 3\n字 2 4\n".encode("shift_jis"), encoding="shift_jis").words == ["語", "字"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit": 0}, "limit is 0: give a whole number, at least 1"),
        ({"limit": 2.0}, "limit is 2.0"),
        ({"limit": True}, "limit is True"),
        ({"encoding": "utf9"}, "encoding is 'utf9': give the name of an encoding"),
        ({"encoding": "hex"}, "encoding is 'hex': give the name"),
        ({"encoding": 8}, "encoding is 8: give the name"),
        ({"encoding": "utf-16"}, "encoding is 'utf-16'"),
        ({"encoding": "cp037"}, "encoding is 'cp037', which does not extend ASCII"),
        ({"errors": "loose"}, "errors is 'loose': give surrogateescape, strict"),
        ({"errors": None}, "errors is None"),
        ({"duplicates": "last"}, "duplicates is 'last': give first or error"),
        ({"binary": "yes"}, "binary is 'yes': give True, False or None"),
        ({"no_header": 2}, "no_header is 2: give True, False or None"),
    ],
)
def test_options_out_of_range(read, options, said):
    with pytest.raises(ConfigError, match=said):
        read(GLOVE, **options)


# ------------------------------------------------------------------------------------------------------ places


def test_a_table_of_numbers_has_no_words(read):
    table = b"0.5\t1.0\t-2e-05\n-.25\t3.0\t4.0\n"
    refused(read, table, "looks like a table of numbers without words, such as the Embedding Projector's")
    assert read(table, no_header=True).words == ["0.5", "-.25"]
    refused(read, b"1 2 3\n1e-05 5 6\n", "looks like a table of numbers without words")
    assert read(table + b"word 1 2\n").words == ["0.5", "-.25", "word"]
    assert read(b"2024 1 2\n7 3 4\n").words == ["2024", "7"]


def test_counts_and_scores_are_doubted(read):
    for text in (b"the\t9\nking\t7\n", b"king queen 8.5\nman woman 3\n"):
        with pytest.warns(FastW2VWarning, match="may be counts or scores"):
            assert read(text).vectors.shape == (2, 1)


def test_paths(tmp_path, monkeypatch, model):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "v.txt").write_bytes(GLOVE)
    assert read_vectors("~/v.txt").words == KINGS
    for path in ("s3://bucket/v.txt", "https://host/v.txt", "gs://b/v", Path("hf://m/v")):
        with pytest.raises(FormatError, match="is an address, not a local path: download it"):
            read_vectors(path)
    with pytest.raises(FormatError, match="is a folder, not a file of vectors: give a file"):
        read_vectors(tmp_path)
    with pytest.raises(FormatError, match="is a model folder, not a file of vectors: open it with load"):
        read_vectors(model)
    with pytest.raises(FormatError, match=r"cannot read .*: "):
        read_vectors("a\0b")
    with pytest.raises(FormatError, match="is not a path"):
        read_vectors(b"v.txt")


@pytest.mark.parametrize("content", [TEXT, BINARY, gzip.compress(BINARY)], ids=["text", "binary", "packed"])
def test_standard_input_and_pipes(tmp_path, content):
    code = "from fastw2v.vectors.reader import read_vectors; print(ascii(read_vectors('-').words))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], input=content, capture_output=True)
    assert done.stdout.decode().strip() == ascii(WORDS), done.stderr
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    assert read_vectors(tmp_path / "pipe").words == WORDS
    writer.join()


def test_no_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(FormatError, match="standard input can't be read here"):
        read_vectors("-")


def test_a_file_that_changes(tmp_path, monkeypatch):
    path = tmp_path / "v"
    path.write_bytes(GLOVE)
    parse = text_rows._parse

    def parse_and_append(*arguments):
        with open(path, "ab") as file:
            file.write(GLOVE)
        return parse(*arguments)

    monkeypatch.setattr(text_rows, "_parse", parse_and_append)
    with pytest.raises(FormatError, match="changed while it was being read"):
        read_vectors(path)


# ------------------------------------------------------------------------------------------------------ other kinds


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "a Git LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", r"a web page \(HTML\)"),
        (b"\n  <html>", r"a web page \(HTML\)"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b'{"error": "not found"}', "it looks like JSON"),
        (b'[{"word": 1}]', "it looks like JSON"),
        (b"word,a,b\nking,0.1,0.2\n", "it looks like CSV"),
        (b"2 3\nking,0.1,0.2,0.3\nqueen,1,2,3\n", "line 2 has 0 numbers.*separate the numbers by spaces, not commas"),
        (b"king 0,1 0,2\nqueen 1,5 0,7\n", "its numbers have decimal commas; write points"),
        (b"The cat sat on the mat.\n", "does not look like vectors"),
        (b"\0\1\2 no vectors\n", "binary data"),
        (struct.pack("<ii", 793712314, 13) + bytes(100), r"a fastText model of version 13"),
        (b"\x93NUMPY\1\0v\0", "a NumPy array without words"),
        (pickle.dumps({"a": 1}), "a pickle, such as gensim's save.*save_word2vec_format"),
        (pickle.dumps({"a": 1}, 2), "a pickle"),
        ("a 1\n".encode("utf-16"), "text in UTF-16"),
        (zipped(readme_txt=b"x"), "is a zip archive without vectors.npy and words.npy"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (struct.pack("<Q", 60) + b'{"embeddings":{}}', "a safetensors file"),
        (b"x" * 257 + b"ustar", "a tar archive"),
        (gzip.compress(gzip.compress(TEXT)), "compressed twice, with gzip inside: decompress it once"),
        (gzip.compress(b""), "is empty"),
        (b"\n\n", "line 1"),
        (b"\xef\xbb\xbf", "is empty"),
    ],
)  # fmt: skip
def test_other_kinds_of_files(read, content, said):
    refused(read, content, said)


def test_words_that_resemble_markup(read):
    for word in ("<unk>", "</s>", "{", "[", "{}", "<", "<s>", "version", "%", "[1,"):
        assert read(f"{word} 0.1 0.2\nb 1 2\n".encode()).words == [word, "b"]


# ------------------------------------------------------------------------------------------------------ npz


def npz(path, compressed=False, **arrays):
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


@pytest.mark.parametrize("compressed", [True, False])
def test_npz(tmp_path, compressed):
    path = npz(tmp_path / "v.npz", compressed, vectors=VECTORS, words=np.array(WORDS), counts=np.array([3, 2, 1]))
    found = read_vectors(path)
    assert found.words == WORDS
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert found.counts.tolist() == [3, 2, 1]
    found = read_vectors(path, limit=2)
    assert (found.words, found.counts.tolist(), found.vectors.shape) == (WORDS[:2], [3, 2], (2, 3))
    path = npz(tmp_path / "w.npz", compressed, vectors=VECTORS, words=np.array(["a", "b", "a"]))
    with pytest.warns(FastW2VWarning, match="repeats words in 1 row"):
        found = read_vectors(path)
    assert (found.words, found.counts) == (["a", "b"], None)
    with pytest.raises(FormatError, match=r"is a zip archive or \.npz, which binary is not for"):
        read_vectors(path, binary=True)
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(FormatError, match="which must be read from its end"):
        read_vectors(path)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"vectors": VECTORS.astype(float), "words": np.array(WORDS)}, "vectors.npy is <f8 of shape"),
        ({"vectors": np.asfortranarray(VECTORS), "words": np.array(WORDS)}, "in Fortran order"),
        ({"vectors": VECTORS[0], "words": np.array(WORDS)}, "vectors.npy is <f4 of shape"),
        ({"vectors": VECTORS, "words": np.array(WORDS[:2])}, "3 vectors and 2 words"),
        ({"vectors": VECTORS, "words": np.array(WORDS, object)}, "words.npy is .O of shape|not a plain array"),
        ({"vectors": VECTORS, "words": np.array([b"a", b"b", b"c"])}, "words.npy is"),
        ({"vectors": VECTORS, "words": np.array(["a", "", "c"])}, "word 2 is '', empty"),
        ({"vectors": VECTORS, "words": np.array(["a", "b\nc", "c"])}, "word 2 is .*line break"),
        (
            {"vectors": np.full((3, 3), np.inf, np.float32), "words": np.array(WORDS)},
            "vector 1 has a number that is not finite",
        ),
        ({"vectors": VECTORS, "words": np.array(WORDS), "counts": np.array([1, 2])}, "and 2 counts"),
        ({"vectors": VECTORS, "words": np.array(WORDS), "counts": np.array([1, 2, -3])}, "a count is negative"),
        ({"vectors": VECTORS}, "without vectors.npy and words.npy"),
        ({"vectors": np.empty((0, 3), np.float32), "words": np.array([], "<U1")}, "not as expected"),
    ],
)
def test_npz_with_other_contents(tmp_path, arrays, said):
    with pytest.raises(FormatError, match=said):
        read_vectors(npz(tmp_path / "v.npz", **arrays))


def test_npz_that_lies(read, tmp_path):
    header = b"\x93NUMPY\1\0"
    shape = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 60000), }\n"
    words = b"{'descr': '<U9', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    members = [header + len(text).to_bytes(2, "little") + text for text in (shape, words)]
    refused(read, zipped(vectors_npy=members[0] + bytes(100), words_npy=members[1]), "an array is shorter than")
    whole = npz(tmp_path / "v.npz", vectors=VECTORS, words=np.array(WORDS)).read_bytes()
    refused(read, whole[:-30], "is damaged")
    refused(read, b"PK\x03\x04" + bytes(100), "is damaged")
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_LZMA) as archive:
        for name, member in zip(("vectors.npy", "words.npy"), members, strict=True):
            archive.writestr(name, member)
    with pytest.raises(FormatError, match="compressed in a way that can't be read"):
        read_vectors(tmp_path / "x.npz")


# ------------------------------------------------------------------------------------------------------ gensim


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_gensims_files_are_read_as_gensim_reads_them(tmp_path, binary, suffix):
    models = pytest.importorskip("gensim.models")
    rng = np.random.default_rng(0)
    keyed = models.KeyedVectors(7)
    words = ["the", "naïve", "New_York", "x\u00a0y", "1990", "</s>"]
    keyed.add_vectors(words, rng.normal(size=(len(words), 7)).astype(np.float32))
    path = tmp_path / f"v{suffix}"
    keyed.save_word2vec_format(str(path), binary=binary)
    expected = models.KeyedVectors.load_word2vec_format(str(path), binary=binary)
    found = read_vectors(path)
    assert found.words == expected.index_to_key == words
    np.testing.assert_array_equal(found.vectors, expected.vectors)
    for limit in (1, 4):
        np.testing.assert_array_equal(read_vectors(path, limit=limit).vectors, expected.vectors[:limit])


@pytest.mark.filterwarnings("ignore:.*unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")  # gensim's
def test_a_file_without_a_header_is_read_as_gensim_reads_it(tmp_path):
    models = pytest.importorskip("gensim.models")
    (tmp_path / "glove.txt").write_bytes(GLOVE + "1990 1e-3 -0.25 16777217\n\u0085x 1 2 3\n".encode())
    expected = models.KeyedVectors.load_word2vec_format(str(tmp_path / "glove.txt"), no_header=True)
    found = read_vectors(tmp_path / "glove.txt")
    assert found.words == expected.index_to_key
    np.testing.assert_array_equal(found.vectors, expected.vectors)


def test_what_gensim_saves_as_a_pickle_is_refused(tmp_path):
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(3)
    keyed.add_vectors(KINGS, KING_ROWS)
    keyed.save(str(tmp_path / "v.kv"))
    with pytest.raises(FormatError, match=r"a pickle, such as gensim's save.*call save_word2vec_format"):
        read_vectors(tmp_path / "v.kv")
