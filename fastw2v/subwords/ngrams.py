"""Character n-grams of words and the buckets that they hash to, exactly as fastText or floret numbers them.

Bojanowski et al., "Enriching word vectors with subword information" (2017). A word is put between ``<`` and ``>``; its
n-grams are all substrings of ``min_n`` to ``max_n`` UTF-8 characters, but not ``<`` and ``>`` alone. The hash is FNV-1a
with 32 bits, except that fastText extends the sign of each byte before it enters the hash.

floret, by the makers of spaCy, has no rows for words. The word between ``<`` and ``>`` is one more n-gram, whatever its
length, and each n-gram has ``hash_count`` buckets: the first 32-bit words of its MurmurHash3 (x64, 128 bits). So two
n-grams that share a bucket seldom share all of them, and a table of 50,000 rows is enough for a language. With a
``min_n`` of 1, ``<`` and ``>`` alone are n-grams too, as in spaCy, which makes the vectors; in floret they are not.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, option
from ..kernels._jit import jit

#: The largest value of each field of `Ngrams`.
LARGEST = {"min_n": 50, "max_n": 50, "bucket": 100_000_000, "hash_count": 4}
#: How many words, and rows of theirs, are made at once where all are not needed together.
WORDS_AT_ONCE, PARTS_AT_ONCE = 4_096, 1 << 20
#: What floret's MurmurHash3 starts with: the offset of FNV-1a, as it happens.
FLORET_SEED = 2_166_136_261
FNV_OFFSET, FNV_PRIME = np.uint32(2_166_136_261), np.uint32(16_777_619)
END_OF_SENTENCE = b"</s>"  # In fastText, a word without n-grams.
SIGN = np.uint32(0xFFFFFF00)  # What a byte from 0x80 on becomes when its sign is extended to 32 bits.
MURMUR_SEED = np.uint64(FLORET_SEED)
MURMUR_1, MURMUR_2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
FIRST_STEP, SECOND_STEP, FIVE = np.uint64(0x52DCE729), np.uint64(0x38495AB5), np.uint64(5)
FIRST_TURN, LOW_TURN, HIGH_TURN = np.uint64(27), np.uint64(31), np.uint64(33)
FINISH_1, FINISH_2, FINISH_SHIFT = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(33)
WORD_BITS, HALF_BITS, BYTE_BITS, LOW_HALF = np.uint64(64), np.uint64(32), np.uint64(8), np.uint64(0xFFFFFFFF)


class Ngrams(NamedTuple):
    """Which n-grams words have, and how they become buckets.

    Attributes:
        min_n: least number of characters.
        max_n: largest number of characters.
        bucket: number of buckets.
        hash_count: 1 to 4 buckets per n-gram, in floret's way; 0 for one bucket, in fastText's way.
    """

    min_n: int
    max_n: int
    bucket: int
    hash_count: int = 0

    @property
    def own_rows(self) -> bool:
        """Whether words have rows of their own: in fastText they do, in floret they share the buckets."""
        return self.hash_count == 0


def check_ngrams(ngrams: Ngrams) -> None:
    """Raise `ConfigError` unless these are n-grams that words can have."""
    for name, value in ngrams._asdict().items():
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if name == "hash_count" and is_integer and value == 0:
            continue
        if not is_integer or not 1 <= value <= LARGEST[name]:
            raise ConfigError(f"{option(name)} is {value!r:.60}: give a whole number from 1 to {LARGEST[name]:,}")
    if ngrams.min_n > ngrams.max_n:
        raise ConfigError(
            f"{option('min_n')} is {ngrams.min_n}, above the {option('max_n')} of {ngrams.max_n}: give at most that"
        )


@jit()
def hash_bytes(letters: NDArray[np.uint8], start: int, stop: int) -> np.uint32:
    """Return fastText's hash of ``letters[start:stop]``."""
    h = FNV_OFFSET
    for i in range(start, stop):
        letter = np.uint32(letters[i])
        if letter >= np.uint32(128):
            letter |= SIGN
        h = np.uint32(np.uint32(h ^ letter) * FNV_PRIME)
    return h


@jit(borrows=True)
def rotated(x: np.uint64, n: np.uint64) -> np.uint64:
    """Return the bits of ``x``, rotated to the left by ``n``."""
    return np.uint64(x << n) | np.uint64(x >> (WORD_BITS - n))


@jit(borrows=True)
def finished(x: np.uint64) -> np.uint64:
    """Return ``x`` with its bits mixed at the end of MurmurHash3."""
    x = np.uint64(x ^ (x >> FINISH_SHIFT)) * FINISH_1
    x = np.uint64(x ^ (x >> FINISH_SHIFT)) * FINISH_2
    return np.uint64(x ^ (x >> FINISH_SHIFT))


@jit(borrows=True)
def little_endian(letters: NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    """Return the number of at most 8 bytes, ``letters[start:stop]``."""
    x = np.uint64(0)
    for i in range(stop - 1, start - 1, -1):
        x = np.uint64(x << BYTE_BITS) | np.uint64(letters[i])
    return x


@jit(borrows=True)
def murmur(letters: NDArray[np.uint8], start: int, stop: int, seed: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Return the two halves of the MurmurHash3 of ``letters[start:stop]``, x64, 128 bits (Austin Appleby)."""
    first, second = seed, seed
    i = start
    while i < stop:  # Its last block may be short; only whole blocks stir the sums.
        low, high = little_endian(letters, i, min(i + 8, stop)), little_endian(letters, i + 8, min(i + 16, stop))
        first ^= rotated(low * MURMUR_1, LOW_TURN) * MURMUR_2
        if i + 16 <= stop:
            first = np.uint64(rotated(first, FIRST_TURN) + second) * FIVE + FIRST_STEP
        second ^= rotated(high * MURMUR_2, HIGH_TURN) * MURMUR_1
        if i + 16 <= stop:
            second = np.uint64(rotated(second, LOW_TURN) + first) * FIVE + SECOND_STEP
        i += 16
    first, second = first ^ np.uint64(stop - start), second ^ np.uint64(stop - start)
    first += second
    second += first
    first, second = finished(first), finished(second)
    first += second
    return first, second + first


@jit(borrows=True)
def put_buckets(
    letters: NDArray[np.uint8], start: int, stop: int, ngrams: Ngrams, rows: NDArray[np.int64], n: int
) -> None:
    """Write the buckets of the n-gram ``letters[start:stop]`` in floret's way to ``rows``, from ``rows[n]``."""
    first, second = murmur(letters, start, stop, MURMUR_SEED)
    bucket = np.uint64(ngrams.bucket)
    for k in range(ngrams.hash_count):
        half = second if k >= 2 else first
        word = half >> HALF_BITS if k % 2 else half & LOW_HALF
        rows[n + k] = np.int64(word % bucket)


@jit()
def ngram_buckets(
    letters: NDArray[np.uint8], offsets: NDArray[np.int64], ngrams: Ngrams, starts: NDArray[np.int64], own_rows: bool
) -> NDArray[np.int64]:
    """Return the rows of fastText's matrix that belong to each word: its own row, then n_words plus each bucket.

    An n-gram that a word has twice stands there twice. Without a row of their own, words have only the buckets. In
    floret's way they are those of the whole word, then those of its n-grams; the empty word has none, as in spaCy.

    Args:
        letters: uint8, the words in UTF-8, each between ``<`` and ``>``, end to end.
        offsets: int64 ``(n_words + 1,)``; word w is ``letters[offsets[w]:offsets[w + 1]]``.
        ngrams: which n-grams.
        starts: int64 ``(n_words + 1,)``, written to: word w has ``rows[starts[w]:starts[w + 1]]``.
        own_rows: whether words have rows of their own.
    """
    n_words = len(offsets) - 1
    min_n, max_n, bucket, hash_count = ngrams
    own_rows = own_rows and hash_count == 0
    rows = np.empty(0, np.int64)
    for fills in (False, True):  # The first time it only counts.
        n = 0
        for w in range(n_words):
            starts[w] = n
            first, last = offsets[w], offsets[w + 1]
            if own_rows:
                if fills:
                    rows[n] = w
                n += 1
            if hash_count > 0:
                if last - first <= 2:
                    continue
                if fills:
                    put_buckets(letters, first, last, ngrams, rows, n)
                n += hash_count
            for i in range(first, last):
                if letters[i] & 0xC0 == 0x80:  # The rest of a character.
                    continue
                stop = i
                for length in range(1, max_n + 1):
                    if stop >= last:
                        break
                    stop += 1
                    while stop < last and letters[stop] & 0xC0 == 0x80:
                        stop += 1
                    if length < min_n:
                        continue
                    if hash_count > 0:
                        if fills:
                            put_buckets(letters, i, stop, ngrams, rows, n)
                        n += hash_count
                        continue
                    if length == 1 and (i == first or stop == last):
                        continue
                    if fills:
                        rows[n] = n_words * own_rows + np.int64(hash_bytes(letters, i, stop) % np.uint32(bucket))
                    n += 1
        starts[n_words] = n
        if not fills:
            rows = np.empty(n, np.int64)
    return rows


def count_parts(words: Sequence[str] | Sequence[bytes], ngrams: Ngrams) -> NDArray[np.int64]:
    """Return how many rows `rows_of_words` gives for each word, without making them; sometimes a few too many.

    Args:
        words: the words; of bytes there are at least as many as of characters.
        ngrams: which n-grams they have.
    """
    lengths = np.fromiter(map(len, words), np.int64, len(words)) + 2
    # A word has one n-gram of each size at each place where it fits: m + (m - 1) + ... of them, m at the smallest size.
    most = np.maximum(lengths - ngrams.min_n + 1, 0)
    sizes = np.minimum(most, ngrams.max_n - ngrams.min_n + 1)
    n_ngrams: NDArray[np.int64] = sizes * most - sizes * (sizes - 1) // 2
    return n_ngrams + 1 if ngrams.own_rows else (n_ngrams + 1) * ngrams.hash_count


def blocks_of(words: Sequence[str] | Sequence[bytes], ngrams: Ngrams) -> Iterator[slice]:
    """Yield slices of words whose rows are made at once: few words, if they are long."""
    start = 0
    while start < len(words):
        ends = np.cumsum(count_parts(words[start : start + WORDS_AT_ONCE], ngrams))
        n = max(1, int(np.searchsorted(ends, PARTS_AT_ONCE, side="right")))
        yield slice(start, start + n)
        start += n


def rows_of_words(
    words: Sequence[str], ngrams: Ngrams, own_rows: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of fastText's matrix that belong to each word, in CSR form.

    Args:
        words: the words.
        ngrams: which n-grams they have.
        own_rows: whether words have rows of their own; else, and always in floret's way, there are buckets only.

    Returns:
        int64 ``(n_words + 1,)`` offsets, and int64 rows: w for word w, and n_words + b for an n-gram in bucket b.
        Without own rows, b alone. The word ``</s>`` has no n-grams, except in floret's way.
    """
    return rows_of_raw_words([word.encode("utf-8", "surrogateescape") for word in words], ngrams, own_rows)


def rows_of_raw_words(
    raw: Sequence[bytes], ngrams: Ngrams, own_rows: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what `rows_of_words` returns, for words in UTF-8."""
    bare = END_OF_SENTENCE if ngrams.own_rows else None
    framed = [b"" if word == bare else b"<" + word + b">" for word in raw]
    offsets = np.zeros(len(framed) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, framed), np.int64, len(framed)), out=offsets[1:])
    starts = np.empty(len(framed) + 1, np.int64)
    letters = np.frombuffer(b"".join(framed), np.uint8)
    return starts, ngram_buckets(letters, offsets, ngrams, starts, own_rows)
