"""Cut a corpus into spans of tokens: for the driver's chunks, and within a chunk for its workers.

The corpus falls into blocks of about `PIECE` tokens. Block b starts at the first place at or after token ``b PIECE``
that is a sentence's start or a multiple of PIECE tokens into a longer sentence. Kernels carry only their random
stream from one block to the next, and cuts stand only where blocks start. So chunks can follow the clock, and a single
worker computes the same result, bit for bit.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

#: The most tokens of a sentence that a kernel takes at once. It takes a longer sentence in pieces of this many tokens,
#: counted from its start. It reads outside words across the seam, so no pair is lost. The learning rate is constant
#: within a piece.
PIECE = 10_000


@jit()
def next_block(offsets: NDArray[np.int64], sentence: int, position: int) -> int:
    """Return where block ``position // PIECE + 1`` starts; ``sentence`` is the one of ``position`` or before it."""
    place = (position // PIECE + 1) * PIECE
    if place >= offsets[-1]:
        return offsets[-1]  # type: ignore[no-any-return]
    while offsets[sentence + 1] <= place:
        sentence += 1
    first, last = offsets[sentence], offsets[sentence + 1]
    return min(first + (place - first + PIECE - 1) // PIECE * PIECE, last)  # type: ignore[no-any-return]


@jit()
def sentence_of(offsets: NDArray[np.int64], position: int) -> int:
    """Return the sentence that holds a token: the last s with ``offsets[s] <= position``, by bisection."""
    low, high = 0, len(offsets) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[middle] <= position:
            low = middle
        else:
            high = middle
    return low


def next_cut(offsets: NDArray[np.int64], position: int) -> int:
    """Return the first place at or after ``position`` where a cut may stand."""
    if position >= offsets[-1]:
        return int(offsets[-1])
    for before in (position - PIECE, position):  # A block may start up to PIECE tokens after its multiple.
        place = int(next_block(offsets, sentence_of(offsets, before), before)) if before >= 0 else 0
        if place >= position:
            return place
    raise AssertionError("a block starts after every token")


def cut(offsets: NDArray[np.int64], start: int, stop: int, spans: int) -> NDArray[np.int64]:
    """Split ``[start, stop)`` into spans of about equal length.

    Returns:
        int64 ``(spans + 1,)``, non-decreasing, from ``start`` to ``stop``: span k is ``[cuts[k], cuts[k + 1])``.
    """
    ideal = (start + (stop - start) * k // spans for k in range(1, spans))
    return np.array([start, *(min(next_cut(offsets, place), stop) for place in ideal), stop], np.int64)
