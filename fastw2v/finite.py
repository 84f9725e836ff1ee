"""Are all values finite? Compiled without any relaxed arithmetic, on the values' bits.

Looking at every row after every chunk would cost more than the chunk where the vocabulary is large. Looked at after a
chunk are the rows of its words, as centres and as context, and a share of the others in turn, in proportion to the
chunk: with up to a sixteenth as many words as the chunk has tokens that is all of them. All rows are looked at before
anything is saved.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

TOKENS_PER_ROW = 16
_NOT_FINITE = np.uint32(0x7F800000)  # the exponent of infinity and NaN; without the sign, every finite number is below


@jit(exact=True)
def row_is_finite(M: NDArray[np.uint32], row: int) -> bool:
    """Tell whether a row of float32, given by its bits, holds neither NaN nor infinity."""
    largest = np.uint32(0)
    for k in range(M.shape[1]):
        largest = max(largest, M[row, k] & np.uint32(0x7FFFFFFF))
    return largest < _NOT_FINITE  # type: ignore[return-value]


@jit(exact=True)
def rows_are_finite(
    M: NDArray[np.uint32], ids: NDArray[np.int32], first: int, rows: int, seen: NDArray[np.uint8]
) -> bool:
    """Tell whether the rows of the words ``ids`` are finite, and ``rows`` more from row ``first`` on, in a circle.

    Args:
        M: float32 ``(n_words, columns)``, as its bits (``M.view(np.uint32)``).
        ids: word ids, repeated or not.
        first: the first of the other rows.
        rows: how many of these.
        seen: scratch, zeros; ``(n_words,)``. Left with ones where a row of ``ids`` was looked at.
    """
    for word in ids:
        if seen[word] == 0:
            seen[word] = 1
            if not row_is_finite(M, word):
                return False
    for k in range(first, first + rows):  # noqa: SIM110
        if not row_is_finite(M, k % len(M)):
            return False
    return True


def all_finite(M: NDArray[np.float32]) -> bool:
    """Tell whether a matrix holds neither NaN nor infinity."""
    bits = M.view(np.uint32)
    return bool(rows_are_finite(bits, np.empty(0, np.int32), 0, len(M), np.empty(0, np.uint8)))


class Watch:
    """Looks at V and U after every chunk of a training."""

    def __init__(self, V: NDArray[np.float32], U: NDArray[np.float32]) -> None:
        self._bits = V.view(np.uint32), U.view(np.uint32)
        self._seen = np.zeros(len(V), np.uint8)
        self._next = 0

    def all_is_well(self, ids: NDArray[np.int32]) -> bool:
        """Tell whether all is finite in the rows to be looked at after a chunk of these ids."""
        rows = min(len(self._seen), len(ids) // TOKENS_PER_ROW)
        well = True
        for bits in self._bits:
            self._seen.fill(0)
            well = well and bool(rows_are_finite(bits, ids, self._next, rows, self._seen))
        self._next = (self._next + rows) % len(self._seen)
        return well
