"""How replicas of a model that were trained apart become one again: no transport, no processes, only the sums.

Replicas start a round with the same rows, the base. Each trains on its own tokens and takes its delta, row by row; the
deltas of a row range are merged, and the merged delta is added to every base, which is where the next round starts. A
round of N nodes has moved over N times the tokens that one node saw, so a merge is a guess at what one node would have
done with all of them: `mean` takes the average of the models (pWord2Vec: Ji, Satish, Li and Dubey, "Parallelizing
word2vec in shared and distributed memory", 2016). A row that one node touched keeps 1/N of its update, so nodes train
with a higher learning rate (`rate`). ``bench/NOTES.md`` has what else was tried.

Deltas are only read: they may be views of memory that is shared, read-only or not aligned. All release the GIL and are
bound by memory; to merge on several threads give each a part of the rows (`parts`).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit

MOST_RATE = 4
_CACHED = 1 << 17  # bytes of ``out`` that are finished before the next ones are begun; all nodes pass over them


@jit()
def take_delta(
    current: NDArray[np.float32], base: NDArray[np.float32], delta: NDArray[np.float32], touched: NDArray[np.uint8]
) -> None:
    """Write what training did to some rows: ``delta = current - base``.

    Args:
        current: float32 ``(rows, width)``: the rows as they are.
        base: the same shape: the rows as they were.
        delta: float32 ``(rows, columns)``, columns <= width, to write; columns beyond are padding.
        touched: uint8 ``(rows,)``, to write: 1 if a column of ``delta`` is not 0 (or NaN), else 0.
    """
    for row in range(len(delta)):
        moved = False
        for k in range(delta.shape[1]):
            step = current[row, k] - base[row, k]
            delta[row, k] = step
            moved |= step != 0
        touched[row] = moved


@jit()
def add_delta(base: NDArray[np.float32], merged: NDArray[np.float32], current: NDArray[np.float32]) -> None:
    """Start the next round: ``base += merged``, and ``current`` becomes a copy of that.

    Args:
        base: float32 ``(rows, width)``.
        merged: float32 ``(rows, columns)``, columns <= width; columns beyond are padding and stay.
        current: the same shape as ``base``.
    """
    for row in range(len(merged)):
        for k in range(merged.shape[1]):
            moved = base[row, k] + merged[row, k]
            base[row, k] = moved
            current[row, k] = moved


@jit()
def add_rows(delta: NDArray[np.float32], touched: NDArray[np.uint8], total: NDArray[np.float32]) -> None:
    """Add the touched rows of a delta to ``total``, both ``(rows, columns)``."""
    for row in range(len(total)):
        if touched[row]:
            for k in range(total.shape[1]):
                total[row, k] += delta[row, k]


def mean(deltas: Sequence[NDArray[np.float32]], touched: Sequence[NDArray[np.uint8]], out: NDArray[np.float32]) -> None:
    """Merge by averaging: ``out = sum(deltas) / number of nodes``; one node gives its delta, unchanged.

    Args:
        deltas: float32 ``(rows, columns)`` of each node; rows that a node did not touch are not read, and count as 0.
        touched: uint8 ``(rows,)`` of each node, as `take_delta` writes it.
        out: float32 ``(rows, columns)``, to write; 0 in the rows that nobody touched.

    Raises:
        ValueError: there is no delta, or shapes differ.
    """
    for start, stop in _blocks(deltas, touched, out):
        for delta, of in zip(deltas, touched, strict=True):
            add_rows(delta[start:stop], of[start:stop], out[start:stop])
        out[start:stop] /= np.float32(len(deltas))


def _blocks(
    deltas: Sequence[NDArray[np.float32]], touched: Sequence[NDArray[np.uint8]], out: NDArray[np.float32]
) -> list[tuple[int, int]]:
    """Return ranges of rows that stay in the cache while all nodes' deltas pass, and set ``out`` to 0."""
    if not deltas:
        raise ValueError("there is nothing to merge: no delta was given")
    shapes = [delta.shape for delta in deltas], [of.shape for of in touched]
    if out.ndim != 2 or shapes != ([out.shape] * len(deltas), [out.shape[:1]] * len(deltas)):
        raise ValueError(f"deltas and touched rows have shapes {shapes[0]} and {shapes[1]}, what to write {out.shape}")
    out[:] = 0
    rows = max(_CACHED // (4 * out.shape[1]), 1) if out.shape[1] else len(out) + 1
    return [(start, min(start + rows, len(out))) for start in range(0, len(out), rows)]


def rate(nodes: int) -> float:
    """Return by what to multiply the learning rate of one node, so that ``nodes`` merged ones learn as much as it does.

    An average of N steps each N times as long is their sum, as far as steps are small, and stays an average where a
    round brings a row to its optimum; so averages want N (pWord2Vec, too, raises the rate), at most `MOST_RATE`: beyond
    it single steps are too long. Measured: ``bench/RESULTS.md``.
    """
    return float(min(nodes, MOST_RATE))


def rounds(nodes: int) -> int:
    """Return into how many rounds an epoch falls at least.

    For 2 nodes 6 and for 4 nodes 24, what they were found to need on 20 M words (``bench/RESULTS.md``); 1.5 a node,
    what GraphWord2Vec takes for 32 machines, where that is more; in between the number stays that of 4 nodes.
    """
    return math.ceil(max(1.5 * nodes, min(1.5 * nodes**2, 24)))


def parts(rows: int, count: int) -> list[tuple[int, int]]:
    """Split rows into ``count`` contiguous ranges ``(start, stop)`` whose lengths differ by at most 1.

    With fewer rows than ranges some are empty.
    """
    return [(rows * k // count, rows * (k + 1) // count) for k in range(count)]
