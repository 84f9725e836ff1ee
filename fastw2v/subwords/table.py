"""The rows of trained n-grams: vectors of words that were never seen."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .ngrams import Ngrams, rows_of_words

WORDS_AT_ONCE = 4_096


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

    def vectors(self, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the vectors of words from their n-grams alone, as of words that are not in the vocabulary.

        A vector is the sum of the rows of a word's n-grams, divided by the number of its n-grams, as in fastText; but
        a bucket that no word of the vocabulary reaches adds nothing. In fastText it adds the noise it was made with. In
        floret's way the vectors are those of all words, of the vocabulary or not.

        Returns:
            float32 ``(n_words, vector_size)``, and int64 ``(n_words,)``, how many n-grams of each word have a row. The
            vector of a word without any is zero.
        """
        vectors = np.zeros((len(words), self.rows.shape[1]), np.float32)
        known = np.zeros(len(words), np.int64)
        for start in range(0, len(words), WORDS_AT_ONCE):
            part = words[start : start + WORDS_AT_ONCE]
            offsets, buckets = rows_of_words(part, self.ngrams, own_rows=False)
            place = np.minimum(np.searchsorted(self.buckets, buckets), len(self.buckets) - 1)
            found = self.buckets[place] == buckets
            word = np.repeat(np.arange(start, start + len(part)), np.diff(offsets))
            np.add.at(vectors, word[found], self.rows[self.bucket_rows[place[found]]])
            known += np.bincount(word[found], minlength=len(words))
            vectors[start : start + len(part)] /= np.maximum(np.diff(offsets), 1)[:, None]
        return vectors, known

    def of_buckets(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the rows of the buckets from ``start`` to ``stop - 1``; zeros where no word reaches the bucket."""
        block = np.zeros((stop - start, self.rows.shape[1]), np.float32)
        first, last = np.searchsorted(self.buckets, (start, stop))
        block[self.buckets[first:last] - start] = self.rows[self.bucket_rows[first:last]]
        return block
