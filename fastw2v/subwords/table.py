"""The rows of trained n-grams, and the vectors of unseen words that they make."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit
from .ngrams import Ngrams, blocks_of, check_ngrams, rows_of_words

CHANGED = 1e-3  # A difference, relative to a vector, that rounding does not explain.


@jit()
def sum_rows(
    starts: NDArray[np.int64],
    word_buckets: NDArray[np.int64],
    buckets: NDArray[np.int32],
    bucket_rows: NDArray[np.int32],
    rows: NDArray[np.float32],
    sums: NDArray[np.float32],
    known: NDArray[np.int64],
) -> None:
    """Add the rows of each word's n-grams to its sum, and count those that have a row.

    Args:
        starts: int64 ``(n_words + 1,)``, see `ngrams.ngram_buckets`.
        word_buckets: int64, likewise, without the words' own rows.
        buckets: see `Subwords`.
        bucket_rows: likewise.
        rows: likewise.
        sums: float32 ``(n_words, vector_size)``, written to.
        known: int64 ``(n_words,)``, written to.
    """
    for w in range(len(starts) - 1):
        for k in range(starts[w], starts[w + 1]):
            place = np.searchsorted(buckets, word_buckets[k])
            if place < len(buckets) and buckets[place] == word_buckets[k]:
                known[w] += 1
                row = bucket_rows[place]
                for j in range(rows.shape[1]):
                    sums[w, j] += rows[row, j]


class Subwords(NamedTuple):
    """What the vectors of a model are composed of; see `composition`.

    Attributes:
        ngrams: which n-grams words have, and how they become buckets.
        rows: float32 ``(n_rows, vector_size)``, read-only; the first n_words rows are those of the words, where words
            have rows of their own.
        buckets: int32 ``(n,)``, ascending: the buckets that have a row.
        bucket_rows: int32 ``(n,)``, the row of each.
    """

    ngrams: Ngrams
    rows: NDArray[np.float32]
    buckets: NDArray[np.int32]
    bucket_rows: NDArray[np.int32]

    def rows_of(self, buckets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each bucket; -1 where it has none."""
        if not len(self.buckets):
            return np.full(len(buckets), -1, np.int64)
        wanted = buckets.astype(np.int32)  # Of another type, NumPy would copy the whole table to compare.
        place = np.minimum(np.searchsorted(self.buckets, wanted), len(self.buckets) - 1)
        return np.where(self.buckets[place] == buckets, self.bucket_rows[place], -1).astype(np.int64)

    def vectors(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the vectors of words from their n-grams alone, as of words that are not in the vocabulary.

        A vector is the sum of the rows of a word's n-grams, divided by the number of its n-grams, as in fastText; but
        a bucket that no word of the vocabulary reaches adds nothing. In fastText it adds the noise it was made with. In
        floret's way the vectors are those of all words, of the vocabulary or not.

        Returns:
            float32 ``(n_words, vector_size)``, and int64 ``(n_words,)``, how many n-grams of each word have a row. The
            vector of a word without any is zero; so is that of an empty word, and of one that UTF-8 can't encode.
        """
        vectors = np.zeros((len(words), self.rows.shape[1]), np.float32)
        known = np.zeros(len(words), np.int64)
        rows = self.rows.view(np.ndarray)
        rows.flags.writeable = False  # So that the kernel is compiled once.
        for block in blocks_of(words, self.ngrams):
            offsets, buckets = rows_of_words(words[block], self.ngrams, own_rows=False)
            sum_rows(offsets, buckets, self.buckets, self.bucket_rows, rows, vectors[block], known[block])
            vectors[block] /= np.maximum(np.diff(offsets), 1)[:, None]
        return vectors, known

    def n_ngrams(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return how many n-grams each word has, with or without a row; in floret's way the word is one of them."""
        return np.diff(rows_of_words(words, self.ngrams, own_rows=False)[0]) // max(1, self.ngrams.hash_count)

    def with_words(
        self, n_words: int, words: Sequence[str], places: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> "Subwords":
        """Return these rows with other rows of some words, whose composed vectors are then the given ones.

        The rows of n-grams stay as they are: n-grams that share the row of a given word get a copy of it. In floret's
        way words have no rows of their own, so nothing changes.

        Args:
            n_words: words that have a row now.
            words: the words to change or to add.
            places: int64, the row of each; added words have the rows from ``n_words`` on.
            vectors: float32, the vector of each.
        """
        if not self.ngrams.own_rows:
            return self
        n_added = max(0, int(places.max(initial=-1)) + 1 - n_words)
        bucket_rows = self.bucket_rows + np.where(self.bucket_rows >= n_words, n_added, 0).astype(np.int32)
        shared = np.flatnonzero(np.isin(bucket_rows, places))
        copied, copies = np.unique(bucket_rows[shared], return_inverse=True)
        added = np.zeros((n_added, self.rows.shape[1]), np.float32)
        rows = np.concatenate([self.rows[:n_words], added, self.rows[n_words:], self.rows[copied]])
        bucket_rows[shared] = len(self.rows) + n_added + copies
        n_ngrams = self.n_ngrams(words)[:, None]
        rows[places] = vectors * (n_ngrams + 1) - self.vectors(words)[0] * n_ngrams
        rows.flags.writeable = False
        return Subwords(self.ngrams, rows, self.buckets, bucket_rows)

    def changed(self, words: Sequence[str], vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return which words have vectors that floret's rows do not give, because they were changed or added later.

        Args:
            words: the words.
            vectors: float32 ``(n_words, vector_size)``, the vector of each.
        """
        found = [np.empty(0, np.int64)]
        for block in blocks_of(words, self.ngrams) if not self.ngrams.own_rows else ():
            with np.errstate(over="ignore", invalid="ignore"):
                difference = np.abs(self.vectors(words[block])[0] - vectors[block]).max(axis=1)
            least = CHANGED * np.abs(vectors[block]).max(axis=1)
            found.append(block.start + np.flatnonzero(difference > least))
        return np.concatenate(found)

    def reordered(self, order: NDArray[np.int64]) -> "Subwords":
        """Return these rows for the same words in another order: first the word that was in row ``order[0]``."""
        if not self.ngrams.own_rows or (order[1:] > order[:-1]).all():
            return self
        places = np.empty(len(order), np.int32)
        places[order] = np.arange(len(order), dtype=np.int32)
        rows = np.concatenate([self.rows[order], self.rows[len(order) :]])
        rows.flags.writeable = False
        of_word = self.bucket_rows < len(order)
        bucket_rows = np.where(of_word, places[np.where(of_word, self.bucket_rows, 0)], self.bucket_rows)
        return Subwords(self.ngrams, rows, self.buckets, bucket_rows.astype(np.int32))

    def of_buckets(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the rows of the buckets from ``start`` to ``stop - 1``; zeros where no word reaches the bucket."""
        block = np.zeros((stop - start, self.rows.shape[1]), np.float32)
        first, last = np.searchsorted(self.buckets, (start, stop))
        block[self.buckets[first:last] - start] = self.rows[self.bucket_rows[first:last]]
        return block


def checked_subwords(
    subwords: Subwords, shape: tuple[int, ...], names: tuple[str, str] = ("subwords.rows", "subwords.buckets")
) -> Subwords:
    """Return read-only views of the rows and buckets of a model.

    Args:
        subwords: the rows and buckets.
        shape: the shape of the vectors that are composed.
        names: what messages call the rows, and the buckets with their rows.

    Raises:
        TypeError: these are no `Subwords`.
        ValueError: the shapes or types do not fit, or a bucket or row is not in order or range.
    """
    if not isinstance(subwords, Subwords):
        raise TypeError(f"subwords are {subwords!r:.60}: give Subwords, or None")
    check_ngrams(subwords.ngrams)
    rows, buckets, of_rows = (np.asarray(each).view(np.ndarray) for each in subwords[1:])
    least = shape[0] if subwords.ngrams.own_rows else 1
    if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != shape[1] or len(rows) < least:
        raise ValueError(
            f"{names[0]} has {rows.dtype} numbers of shape {rows.shape}: give float32, {least:,} rows or more, with "
            f"{shape[1]} columns"
        )
    if {buckets.dtype, of_rows.dtype} != {np.dtype(np.int32)} or buckets.ndim != 1 or buckets.shape != of_rows.shape:
        raise ValueError(f"{names[1]} has shape {buckets.shape}, its rows {of_rows.shape}: give int32 of equal shapes")
    # Neighbours are compared, because their differences could overflow.
    if len(buckets) and not (
        buckets[0] >= 0
        and buckets[-1] < subwords.ngrams.bucket
        and (buckets[1:] > buckets[:-1]).all()
        and of_rows.min() >= 0
        and of_rows.max() < len(rows)
    ):
        raise ValueError(f"{names[1]} has a bucket or a row that is not in order or range")
    views = rows.view(), buckets.view(), of_rows.view()
    for view in views:
        view.flags.writeable = False
    return Subwords(subwords.ngrams, *views)
