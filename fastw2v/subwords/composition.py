"""Find the rows that centre vectors are composed of: n-grams that occur in exactly the same words share a row.

A word's whole gradient is added to the row of the word and to the rows of its n-grams (see `reference`). So rows of the
same words always move together, and their weighted mean is all that a centre vector sees of them. Training keeps that
mean alone, as one row. In 10 million tokens of English this leaves 141 thousand rows of 309 thousand, and 17 instead of
20 per centre. It is exact if the rows of a group start equal.

An n-gram that a word has twice counts twice in its vector. Its row gets the gradient once, where fastText adds it
twice. With that, the vector of ``aaaaaaaaaaaa`` would move five times as far as its gradient says.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit
from ..kernels.sampling import GAMMA, MIX_1, MIX_2, SHIFT_27, SHIFT_30, SHIFT_31
from .ngrams import Ngrams

NUMBERED_AT_ONCE = 1 << 20
# Of `composing_bytes`, as measured:
BYTES_PER_PART, BYTES_PER_REACHED, BYTES_PER_RAW_WORD = 20, 64, 120


class Composition(NamedTuple):
    """The rows of V of which centre vectors are composed.

    Attributes:
        n_rows: rows of V. Where words have rows of their own, these are the first n_words. The others follow in the
            order of how often they occur.
        offsets: int64 ``(n_words + 1,)``, see ``part_offsets`` of `records.Model`.
        rows: int32, see ``part_rows`` there.
        shares: float32, see ``part_shares`` there.
        buckets: int32, ascending: the buckets that some word reaches.
        bucket_rows: int32, the row of V of each.
    """

    n_rows: int
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    shares: NDArray[np.float32]
    buckets: NDArray[np.int32]
    bucket_rows: NDArray[np.int32]


@jit()
def sign_rows(starts: NDArray[np.int64], rows: NDArray[np.int64], signs: NDArray[np.uint64]) -> None:
    """Add a random number of each word to all its rows, once to each; rows of the same words get the same sum.

    Rows of different words have different sums, except with a probability of about n_rows**2 / 2**65.
    """
    signed_by = np.zeros(len(signs), np.int32)  # The last word whose number was added to the row, from 1 on.
    for w in range(len(starts) - 1):
        z = np.uint64(w + 1) * GAMMA
        z = (z ^ (z >> SHIFT_30)) * MIX_1
        z = (z ^ (z >> SHIFT_27)) * MIX_2
        z = z ^ (z >> SHIFT_31)
        for k in range(starts[w], starts[w + 1]):
            if signed_by[rows[k]] <= w:
                signed_by[rows[k]] = w + 1
                signs[rows[k]] += z


@jit()
def count_rows(
    starts: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Add the count of each word to all its rows."""
    for w in range(len(starts) - 1):
        for k in range(starts[w], starts[w + 1]):
            sums[rows[k]] += counts[w]


@jit()
def merge_rows(
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    row_of: NDArray[np.int32],
    offsets: NDArray[np.int64],
    shares: NDArray[np.float32],
) -> int:
    """Write the parts of each word over its rows, and return how many there are.

    Args:
        starts: int64 ``(n_words + 1,)``, see `ngrams.ngram_buckets`.
        rows: int64, likewise; its first elements become rows of V.
        row_of: int32, the row of V of each row.
        offsets: int64 ``(n_words + 1,)``, written to.
        shares: float32, as long as ``rows``, written to.
    """
    n = 0
    part_of = np.full(row_of.max() + 1, -1, np.int64)  # Where a row is; before offsets[w], as a part of another word.
    for w in range(len(starts) - 1):
        offsets[w] = n
        share = np.float32(1) / np.float32(starts[w + 1] - starts[w])
        for k in range(starts[w], starts[w + 1]):
            row = row_of[rows[k]]
            if part_of[row] < offsets[w]:
                part_of[row] = n
                rows[n] = row
                shares[n] = np.float32(0)
                n += 1
            shares[part_of[row]] += np.float32(1)  # Whole numbers, so that the sum is exact.
        shares[offsets[w] : n] *= share
    offsets[len(starts) - 1] = n
    return n


@jit()
def largest_crowd(
    offsets: NDArray[np.int64],
    rows: NDArray[np.int32],
    shares: NDArray[np.float32],
    kept: NDArray[np.float64],
    met: NDArray[np.float64],
) -> float:
    """Return the largest sum over the parts of a word of their shares times how often their rows are met.

    Args:
        offsets: see `Composition`.
        rows: likewise.
        shares: likewise.
        kept: float64 ``(n_words,)``, how often each word is a centre.
        met: float64 ``(n_rows,)``, zeros; how often each row is met is written there.
    """
    for w in range(len(kept)):
        for k in range(offsets[w], offsets[w + 1]):
            met[rows[k]] += kept[w]
    largest = 0.0
    for w in range(len(kept)):
        crowd = 0.0
        for k in range(offsets[w], offsets[w + 1]):
            crowd += shares[k] * met[rows[k]]
        largest = max(largest, crowd)
    return largest


def number_rows(rows: NDArray[np.int64], n_given: int) -> NDArray[np.int64]:
    """Replace rows by their places among the distinct ones, in place, and return these, ascending.

    Args:
        rows: int64, each below ``n_given``.
        n_given: rows that there may be.
    """
    place = np.zeros(n_given, np.int32)
    place[rows] = 1
    reached = np.flatnonzero(place)
    place[reached] = np.arange(len(reached), dtype=np.int32)
    for start in range(0, len(rows), NUMBERED_AT_ONCE):
        block = slice(start, start + NUMBERED_AT_ONCE)
        rows[block] = place[rows[block]]
    return reached


def composing_bytes(n_words: int, n_parts: int, ngrams: Ngrams) -> int:
    """Return about how many bytes `ngrams.rows_of_words` and `compose_vocabulary` take at most, results included.

    Args:
        n_words: words of the vocabulary.
        n_parts: see `ngrams.count_parts`.
        ngrams: which n-grams they have.
    """
    n_given = ngrams.bucket + n_words * ngrams.own_rows
    reached = min(n_parts, n_given)
    return BYTES_PER_PART * n_parts + 4 * n_given + BYTES_PER_REACHED * reached + BYTES_PER_RAW_WORD * n_words


def compose_vocabulary(
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    n_buckets: int,
    counts: NDArray[np.float64],
    own_rows: bool = True,
) -> Composition:
    """Return the composition of a vocabulary.

    Args:
        starts: see `ngrams.rows_of_words`.
        rows: likewise; overwritten.
        n_buckets: buckets that n-grams are hashed to.
        counts: float64 ``(n_words,)``, how often each word is a centre, any scale.
        own_rows: whether the first n_words rows are those of the words; else all rows are those of buckets.
    """
    n_own = len(counts) if own_rows else 0
    reached = number_rows(rows, n_own + n_buckets)  # words first
    signs, sums = np.zeros(len(reached), np.uint64), np.zeros(len(reached), np.float64)
    sign_rows(starts, rows, signs)
    count_rows(starts, rows, counts, sums)
    _, first, merged = np.unique(signs, return_index=True, return_inverse=True)
    # The first row of those that are merged decides: a word's own row keeps its number, the others follow by counts.
    leads = reached[first]
    order = np.lexsort((leads, -sums[first], leads >= n_own))
    is_word = leads[order] < n_own
    number = np.empty(len(leads), np.int32)
    number[order] = np.where(is_word, leads[order], n_own + np.cumsum(~is_word) - 1)
    row_of = number[merged]
    n_rows = n_own + int(np.count_nonzero(~is_word))
    offsets, shares = np.empty(len(counts) + 1, np.int64), np.empty(len(rows), np.float32)
    n_parts = merge_rows(starts, rows, row_of, offsets, shares)
    is_bucket = reached >= n_own
    return Composition(
        n_rows,
        offsets,
        rows[:n_parts].astype(np.int32),
        shares[:n_parts].copy(),
        (reached[is_bucket] - n_own).astype(np.int32),
        row_of[is_bucket],
    )


def crowd_of(composition: Composition, kept: NDArray[np.float64]) -> float:
    """Return how far the words of a text move each other's vectors, for `tile.choose_tiling`.

    It is the largest sum over j of K_ij p_j: p_j is the share of word j in the kept tokens, K_ij the share of the
    parts of word i that j has too.

    Args:
        composition: the parts of all words.
        kept: float64 ``(n_words,)``, expected occurrences of each word after subsampling, any scale.
    """
    if not kept.any() or not len(composition.rows):
        return 1.0
    likely, met = kept / kept.sum(), np.zeros(composition.n_rows, np.float64)
    return float(largest_crowd(composition.offsets, composition.rows, composition.shares, likely, met))
