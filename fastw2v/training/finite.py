"""Find values that are not finite, by their bits and without relaxed arithmetic.

With a large vocabulary, a check of every row after every chunk would cost more than the chunk. So the check after a
chunk covers the rows of its words in V and U, and a share of all rows in turn. The share grows with the chunk: it is
all rows if the chunk has at least 16 tokens per word. A row that was only drawn as noise may wait a few chunks. All
rows are checked before anything is saved.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit

TOKENS_PER_ROW = 16
PARTS_PER_WORKER = 8  # Marked rows are not spread evenly, so parts are small.
_NOT_FINITE = np.uint32(0x7F800000)  # The bits of infinity; those of NaN are above, those of finite magnitudes below.


@jit(exact=True)
def mark_words(ids: NDArray[np.int32], marked: NDArray[np.uint8]) -> None:
    """Set ``marked[word]`` to 1 for every word of ``ids``."""
    for word in ids:
        marked[word] = 1


@jit(exact=True)
def rows_are_finite(M: NDArray[np.uint32], marked: NDArray[np.uint8], start: int, stop: int) -> bool:
    """Tell whether the marked rows from ``start`` to ``stop`` hold neither NaN nor infinity.

    Args:
        M: float32 ``(n_words, columns)``, as its bits (``M.view(np.uint32)``).
        marked: ``(n_words,)``, 0 for a row to skip.
        start: the first row.
        stop: one past the last row.
    """
    largest = np.uint32(0)
    for row in range(start, stop):
        if marked[row]:
            for k in range(M.shape[1]):
                largest = max(largest, M[row, k] & np.uint32(0x7FFFFFFF))
    return largest < _NOT_FINITE  # type: ignore[return-value]


def all_finite(M: NDArray[np.float32]) -> bool:
    """Tell whether a matrix holds neither NaN nor infinity."""
    return bool(rows_are_finite(M.view(np.uint32), np.ones(len(M), np.uint8), 0, len(M)))


class Watch:
    """Checks matrices after every chunk of a training, with as many threads as the training has. Close it at the end.

    Args:
        matrices: those of V and U that have a row per word.
        workers: how many threads.
    """

    def __init__(self, matrices: Sequence[NDArray[np.float32]], workers: int) -> None:
        self._bits = [matrix.view(np.uint32) for matrix in matrices]
        n_words = len(matrices[0])
        self._marked = np.zeros(n_words, np.uint8)
        self._next = 0
        parts = np.unique(np.linspace(0, n_words, PARTS_PER_WORKER * workers + 1).astype(np.int64))
        self._parts = [(int(start), int(stop)) for start, stop in pairwise(parts)]
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fastw2v-finite")

    def all_is_well(self, ids: NDArray[np.int32]) -> bool:
        """Tell whether the rows that are due after a chunk of these ids are finite."""
        n_words, rows = len(self._marked), len(ids) // TOKENS_PER_ROW
        self._marked.fill(rows >= n_words)
        if rows < n_words:
            mark_words(ids, self._marked)
            end = self._next + rows
            self._marked[self._next : end] = 1
            self._marked[: max(0, end - n_words)] = 1
            self._next = end % n_words
        try:
            results: Iterable[bool] = self._pool.map(self._is_finite, self._parts)
        except RuntimeError:  # The interpreter is shutting down: pools are closed, but this training still runs.
            results = map(self._is_finite, self._parts)
        return all(results)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _is_finite(self, part: tuple[int, int]) -> bool:
        return all(rows_are_finite(bits, self._marked, *part) for bits in self._bits)
