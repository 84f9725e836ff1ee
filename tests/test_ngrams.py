"""Character n-grams and their hashes: against published values, the definition, fastText and gensim."""

import subprocess
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.systems import CACHE
from fastw2v import reference
from fastw2v.errors import ConfigError
from fastw2v.subwords.ngrams import (
    Ngrams,
    blocks_of,
    check_ngrams,
    count_parts,
    finished,
    hash_bytes,
    little_endian,
    ngram_buckets,
    put_buckets,
    rotated,
    rows_of_words,
)

#: Words of one to four bytes per character, combined ones, repeated n-grams, and bytes that are no UTF-8.
WORDS = [
    "banana",
    "a",
    "où",
    "häuser",
    "naïve",
    "東京都",
    "한국어",
    "🙂🙃🙂",
    "e\u0301te\u0301",
    "<>",
    "\udc80\udcff",
    "x\udce9y",
]
SIZES = [(3, 6), (1, 1), (1, 4), (2, 3), (5, 50)]


def hashed(raw):
    return int(hash_bytes(np.frombuffer(raw, np.uint8), 0, len(raw)))


def letters_of(words):
    """The words as `ngram_buckets` takes them."""
    raw = [b"<" + word.encode("utf-8", "surrogateescape") + b">" for word in words]
    return np.frombuffer(b"".join(raw), np.uint8), np.cumsum([0, *map(len, raw)])


def buckets_of(word, ngrams):
    return rows_of_words([word], ngrams, own_rows=False)[1].tolist()


@pytest.mark.parametrize(
    ("raw", "value"),
    [  # from the page of the hash's authors
        (b"", 0x811C9DC5),
        (b"a", 0xE40C292C),
        (b"b", 0xE70C2DE5),
        (b"foo", 0xA9F37ED7),
        (b"foobar", 0xBF9CF968),
    ],
)
def test_ascii_has_the_published_values(raw, value):
    assert hashed(raw) == value
    assert reference.hash_bytes(np.frombuffer(raw, np.uint8), 0, len(raw)) == value


@pytest.mark.parametrize("raw", [bytes([byte]) for byte in (0x7F, 0x80, 0xC3, 0xFF)] + ["äé京🙂".encode()])
def test_bytes_from_128_on_have_their_sign_extended(raw):
    expected = 0x811C9DC5
    for byte in raw:
        signed = byte - 256 if byte >= 128 else byte  # `uint32_t(int8_t(byte))` in fastText
        expected = (expected ^ (signed + 2**32) % 2**32) * 0x01000193 % 2**32
    assert hashed(raw) == expected
    standard = 0x811C9DC5
    for byte in raw:
        standard = (standard ^ byte) * 0x01000193 % 2**32
    assert (expected == standard) == (raw[0] < 128)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.binary(max_size=12), max_size=5),
    st.sampled_from(SIZES),
    st.booleans(),
    st.sampled_from([1, 7, 2_000_000]),
    st.integers(0, 4),
)
def test_buckets_equal_their_twins(words, sizes, own_rows, bucket, hash_count):
    letters, offsets = letters_of([raw.decode("utf-8", "surrogateescape") for raw in words])
    both = []
    for kernel in (ngram_buckets, reference.ngram_buckets):
        starts = np.full(len(offsets), -1, np.int64)
        both.append((kernel(letters, offsets, Ngrams(*sizes, bucket, hash_count), starts, own_rows), starts))
    for got, expected in zip(*both, strict=True):
        np.testing.assert_array_equal(got, expected)
    for start, stop in pairwise(offsets):
        assert reference.hash_bytes(letters, start, stop) == hash_bytes(letters, start, stop)


def test_steps_of_murmur_equal_their_twins():
    letters, rows = np.random.default_rng(0).integers(0, 256, 40).astype(np.uint8), [np.full(6, -1), np.full(6, -1)]
    for start, stop in [(0, 0), (0, 1), (3, 11), (5, 10)]:
        x = reference.little_endian(letters, start, stop)
        assert little_endian(letters, start, stop) == x
        assert finished(np.uint64(x)) == reference.finished(x)
        assert [rotated(np.uint64(x), np.uint64(n)) for n in (1, 33)] == [reference.rotated(x, n) for n in (1, 33)]
    for hash_count in range(1, 5):
        for side, put in zip(rows, (put_buckets, reference.put_buckets), strict=True):
            put(letters, 2, 23, Ngrams(1, 2, 1000, hash_count), side, 1)
        np.testing.assert_array_equal(*rows)
        assert (rows[0] >= 0).tolist() == [1 <= k <= hash_count for k in range(6)]


def test_n_grams_of_a_word_in_order():
    ngrams = Ngrams(1, 3, 2_000_000)
    texts = ["<ä", "<äb", "ä", "äb", "äb>", "b", "b>"]  # but neither "<" nor ">" alone
    assert buckets_of("äb", ngrams) == [hashed(text.encode()) % 2_000_000 for text in texts]
    starts, rows = rows_of_words(["äb", "", "c"], Ngrams(3, 3, 10))
    assert starts.tolist() == [0, 3, 4, 6]
    assert rows.tolist() == [
        0,
        3 + hashed("<äb".encode()) % 10,
        3 + hashed("äb>".encode()) % 10,
        1,
        2,
        3 + hashed(b"<c>") % 10,
    ]


def test_an_n_gram_that_a_word_has_twice_is_there_twice():
    buckets = buckets_of("banana", Ngrams(3, 3, 2_000_000))
    assert len(buckets) == 6
    assert buckets.count(hashed(b"ana") % 2_000_000) == 2


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("hash_count", [0, 1, 3])
def test_rows_are_counted_before_they_are_made(sizes, hash_count):
    ngrams, words = Ngrams(*sizes, 1000, hash_count), ["", "</s>", *(word for word in WORDS if word != "\udc80\udcff")]
    counted, given = count_parts(words, ngrams), np.diff(rows_of_words(words, ngrams)[0])
    ends = 2 if sizes[0] == 1 and not hash_count else 0  # < and > alone are no n-grams.
    assert counted[2:].tolist() == (given[2:] + ends).tolist()
    assert (counted >= given).all()


def test_long_words_are_taken_one_by_one(monkeypatch):
    monkeypatch.setattr("fastw2v.subwords.ngrams.PARTS_AT_ONCE", 100)
    monkeypatch.setattr("fastw2v.subwords.ngrams.WORDS_AT_ONCE", 7)
    words = [*["a"] * 10, "x" * 50, "x" * 50, "abc", *["x" * 30, "b"] * 2]
    blocks = [(block.start, block.stop) for block in blocks_of(words, Ngrams(3, 4, 1000))]
    assert blocks == [(0, 7), (7, 10), (10, 11), (11, 12), (12, 15), (15, 17)]
    assert list(blocks_of([], Ngrams(3, 4, 1000))) == []


@pytest.mark.parametrize("sizes", SIZES)
def test_n_grams_are_those_of_gensim(sizes):
    theirs = pytest.importorskip("gensim.models.fasttext_inner")
    for word in [word for word in WORDS if word.isprintable()]:  # gensim has no bytes that are no UTF-8
        raw = theirs.compute_ngrams_bytes(word, *sizes)
        assert buckets_of(word, Ngrams(*sizes, 2_000_000)) == [theirs.ft_hash_bytes(each) % 2_000_000 for each in raw]


@pytest.mark.parametrize("sizes", SIZES)
def test_n_grams_are_those_of_fasttext(tmp_path, sizes):
    """A word's vector there is the mean of the rows of its n-grams, so of those that we find, and of its own if any."""
    program, bucket, dim, known = CACHE / "fasttext" / "fasttext", 1000, 8, WORDS[:5]
    if not program.exists():
        pytest.skip("bench has not built fastText here")
    (tmp_path / "text.txt").write_text(" ".join(known * 3) + "\n")
    options = f"-dim {dim} -bucket {bucket} -minCount 1 -minn {sizes[0]} -maxn {sizes[1]} -epoch 1 -lr 0.001"
    command = [program, *f"skipgram -input text.txt -output m {options} -thread 10 -verbose 0".split()]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    raw = (tmp_path / "m.bin").read_bytes()
    n_words = len(known) + 1  # </s>
    end = len(raw) - 4 * dim * n_words - 17  # The matrix is followed by a flag, and shape and rows of another one.
    rows = np.frombuffer(raw[end - 4 * dim * (n_words + bucket) : end], np.float32).reshape(-1, dim)
    given = "\n".join(WORDS).encode("utf-8", "surrogateescape")
    command = [program, "print-word-vectors", "m.bin"]
    lines = subprocess.run(command, cwd=tmp_path, input=given, check=True, capture_output=True).stdout.splitlines()
    assert len(lines) == len(WORDS)
    for word, line in zip(WORDS, lines, strict=True):
        buckets = buckets_of(word, Ngrams(*sizes, bucket))
        printed = np.array(line.split()[-dim:], float)
        own = [n_words + each for each in buckets]
        candidates = [own] if word not in known else [[w, *own] for w in range(n_words)]
        means = [rows[each].mean(axis=0) if each else np.zeros(dim) for each in candidates]
        assert min(np.abs(mean - printed).max() for mean in means) < 2e-5, word


@pytest.mark.parametrize(
    ("ngrams", "message"),
    [
        (Ngrams(0, 6, 10), "min_n is 0: give a whole number from 1 to 50"),
        (Ngrams(3, 51, 10), "max_n is 51: give a whole number from 1 to 50"),
        (Ngrams(3, 6, 0), "bucket is 0: give a whole number from 1 to 100,000,000"),
        (Ngrams(True, 6, 10), "min_n is True"),
        (Ngrams(3, 6, 1.5), "bucket is 1.5"),
        (Ngrams(4, 3, 10), "min_n is 4, above the max_n of 3: give at most that"),
    ],
)
def test_impossible_n_grams_are_refused(ngrams, message):
    with pytest.raises(ConfigError, match=message):
        check_ngrams(ngrams)
