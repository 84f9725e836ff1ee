"""Character n-grams of words and the buckets that they hash to, exactly as fastText numbers them.

Bojanowski et al., "Enriching word vectors with subword information" (2017). A word is put between ``<`` and ``>``; its
n-grams are all substrings of ``min_n`` to ``max_n`` UTF-8 characters, but not ``<`` and ``>`` alone. The hash is FNV-1a
with 32 bits, except that fastText extends the sign of each byte before it enters the hash.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, option
from ..kernels._jit import jit

#: The largest value of each field of `Ngrams`.
LARGEST = {"min_n": 50, "max_n": 50, "bucket": 100_000_000}
FNV_OFFSET, FNV_PRIME = np.uint32(2_166_136_261), np.uint32(16_777_619)
END_OF_SENTENCE = b"</s>"  # In fastText it is a word without n-grams.
SIGN = np.uint32(0xFFFFFF00)  # What a byte from 0x80 on becomes when its sign is extended to 32 bits.


class Ngrams(NamedTuple):
    """Which n-grams words have, and how they become buckets.

    Attributes:
        min_n: least number of characters.
        max_n: largest number of characters.
        bucket: number of buckets.
    """

    min_n: int
    max_n: int
    bucket: int


def check_ngrams(ngrams: Ngrams) -> None:
    """Raise `ConfigError` unless these are n-grams that words can have."""
    for name, value in ngrams._asdict().items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST[name]:
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


@jit()
def ngram_buckets(
    letters: NDArray[np.uint8], offsets: NDArray[np.int64], ngrams: Ngrams, starts: NDArray[np.int64], own_rows: bool
) -> NDArray[np.int64]:
    """Return the rows of fastText's matrix that belong to each word: its own row, then n_words plus each bucket.

    An n-gram that a word has twice stands there twice. Without a row of their own, words have only the buckets.

    Args:
        letters: uint8, the words in UTF-8, each between ``<`` and ``>``, end to end.
        offsets: int64 ``(n_words + 1,)``; word w is ``letters[offsets[w]:offsets[w + 1]]``.
        ngrams: which n-grams.
        starts: int64 ``(n_words + 1,)``, written to: word w has ``rows[starts[w]:starts[w + 1]]``.
        own_rows: whether words have rows of their own.
    """
    n_words = len(offsets) - 1
    min_n, max_n, bucket = ngrams
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
                    if length < min_n or (length == 1 and (i == first or stop == last)):
                        continue
                    if fills:
                        rows[n] = n_words * own_rows + np.int64(hash_bytes(letters, i, stop) % np.uint32(bucket))
                    n += 1
        starts[n_words] = n
        if not fills:
            rows = np.empty(n, np.int64)
    return rows


def rows_of_words(
    words: Sequence[str], ngrams: Ngrams, own_rows: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of fastText's matrix that belong to each word, in CSR form.

    Args:
        words: the words.
        ngrams: which n-grams they have.
        own_rows: whether words have rows of their own; else there are buckets only.

    Returns:
        int64 ``(n_words + 1,)`` offsets, and int64 rows: w for word w, and n_words + b for an n-gram in bucket b.
        Without own rows, b alone. The word ``</s>`` has no n-grams.
    """
    return rows_of_raw_words([word.encode("utf-8", "surrogateescape") for word in words], ngrams, own_rows)


def rows_of_raw_words(
    raw: Sequence[bytes], ngrams: Ngrams, own_rows: bool = True
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what `rows_of_words` returns, for words in UTF-8."""
    framed = [b"" if word == END_OF_SENTENCE else b"<" + word + b">" for word in raw]
    offsets = np.zeros(len(framed) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, framed), np.int64, len(framed)), out=offsets[1:])
    starts = np.empty(len(framed) + 1, np.int64)
    letters = np.frombuffer(b"".join(framed), np.uint8)
    return starts, ngram_buckets(letters, offsets, ngrams, starts, own_rows)
