"""Compiled parts of reading and writing fastText's models: entries of the dictionary, and sums of rows."""

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit
from ..kernels.simd import prefetch_row

AHEAD = 2  # A row is asked for this many rows before its use.
ENTRY_BYTES = 10  # after the letters of a word: NUL, its count as int64, and its type as one byte


@jit()
def find_entries(
    data: NDArray[np.uint8],
    spans: NDArray[np.int64],
    counts: NDArray[np.int64],
    types: NDArray[np.uint8],
) -> tuple[int, int]:
    """Find the next entries of a dictionary; return how many are complete, and how many bytes they take.

    Args:
        data: uint8, from the first letter of an entry.
        spans: int64 ``(n, 2)``, written to: where the letters of each word start and stop. At most n entries are found.
        counts: int64 ``(n,)``, written to.
        types: uint8 ``(n,)``, written to: 0 for a word, 1 for a label.
    """
    at = 0
    for k in range(len(spans)):
        stop = at
        while stop < len(data) and data[stop] != 0:
            stop += 1
        if stop + ENTRY_BYTES > len(data):
            return k, at
        count = np.uint64(0)
        for i in range(8):
            count |= np.uint64(data[stop + 1 + i]) << np.uint64(8 * i)
        spans[k, 0], spans[k, 1] = at, stop
        counts[k], types[k] = np.int64(count), data[stop + 9]
        at = stop + ENTRY_BYTES
    return len(spans), at


@jit()
def add_rows(
    starts: NDArray[np.int64], rows: NDArray[np.int64], matrix: NDArray[np.float32], sums: NDArray[np.float32]
) -> None:
    """Add the rows of each word, ``rows[starts[w]:starts[w + 1]]`` of a matrix, to ``sums[w]``; skip negative ones.

    The numbers of a row lie together. A matrix is much larger than the caches, so rows are asked for ahead.
    """
    width, last = matrix.shape[1], len(rows) - 1
    stride, lines = matrix.strides[0] // 4, (width + 15) // 16
    for w in range(len(starts) - 1):
        for k in range(starts[w], starts[w + 1]):
            prefetch_row(matrix, max(rows[min(k + AHEAD, last)], 0) * stride, lines)
            if rows[k] >= 0:
                for j in range(width):
                    sums[w, j] += matrix[rows[k], j]
