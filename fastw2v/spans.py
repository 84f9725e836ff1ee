"""Cutting a corpus into spans of tokens: for the driver's chunks, and within a chunk for its workers.

A cut may stand only at a sentence's start or a multiple of `PIECE` tokens into a longer one. Such a cut never
changes what a single worker computes, so chunks can follow the clock and a run still be bit-identical.
"""

import numpy as np
from numpy.typing import NDArray

from .pair import PIECE


def next_cut(offsets: NDArray[np.int64], position: int) -> int:
    """Return the first place at or after ``position`` where a cut may stand."""
    if position >= offsets[-1]:
        return int(offsets[-1])
    sentence = int(np.searchsorted(offsets, position, side="right")) - 1
    first, last = int(offsets[sentence]), int(offsets[sentence + 1])
    return min(first + -(-(position - first) // PIECE) * PIECE, last)


def cut(offsets: NDArray[np.int64], start: int, stop: int, workers: int) -> NDArray[np.int64]:
    """Split ``[start, stop)`` into one span per worker of about equal length.

    Returns:
        int64 ``(workers + 1,)``, non-decreasing, from ``start`` to ``stop``: worker w has ``[cuts[w], cuts[w + 1])``.
    """
    ideal = (start + (stop - start) * w // workers for w in range(1, workers))
    return np.array([start, *(min(next_cut(offsets, place), stop) for place in ideal), stop], np.int64)
