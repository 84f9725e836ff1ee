"""Cutting a corpus into spans of tokens: for the driver's chunks, and within a chunk for its workers.

The corpus falls into blocks of about `PIECE` tokens. Block b starts at the first place at or after token ``b PIECE``
that is a sentence's start or a multiple of PIECE tokens into a longer sentence. Kernels never carry anything but
their random stream from one block to the next, and a cut stands at a block's start only: so chunks can follow the
clock, and what a single worker computes is the same, bit for bit.
"""

import numpy as np
from numpy.typing import NDArray

from ._jit import jit

#: Longest run of tokens of a sentence handled at once. A longer sentence is taken in pieces of this many tokens,
#: counted from its start; context is read across the seam, so no pair is lost. Also the grain of the learning rate.
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
    for before in (position - PIECE, position):  # a block may start up to PIECE tokens after its multiple of PIECE
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
