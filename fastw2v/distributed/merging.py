"""Merge replicas of a model that were trained apart: this file has only the sums, no transport and no processes.

Replicas start a round with the same rows, the base. Each replica trains on its own tokens. Its delta is the difference
between its rows and the base. The deltas of a range of rows are merged, and every node adds the merged delta to its
base. The next round starts there.

In a round, N nodes train N times the tokens that one node sees. So a merge estimates the update that one node would
have made with all of these tokens. `mean` takes the average of the models (pWord2Vec: Ji, Satish, Li and Dubey,
"Parallelizing word2vec in shared and distributed memory", 2016). A row that only one node touched keeps 1/N of its
update, so nodes train with a higher learning rate (`rate`). ``bench/NOTES.md`` records other merges.

A merge only reads deltas, which may be views of memory that is shared, read-only or not aligned. All functions release
the GIL and are bound by memory. To merge on several threads, give each thread a part of the rows (`parts`).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit

MOST_RATE = 4
_CACHED = 1 << 17  # Bytes of ``out`` per block: the deltas of all nodes are added to a block before the next one.


@jit()
def take_delta(
    current: NDArray[np.float32], base: NDArray[np.float32], delta: NDArray[np.float32], touched: NDArray[np.uint8]
) -> None:
    """Write the changes that training made to some rows: ``delta = current - base``.

    Args:
        current: float32 ``(rows, width)``: the rows after training.
        base: the same shape: the rows before training.
        delta: float32 ``(rows, columns)``, columns <= width, to write; columns beyond are padding.
        touched: uint8 ``(rows,)``, to write: 1 if a column of ``delta`` is not 0 (NaN included), else 0.
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
    """Start the next round: ``base += merged``, and copy the result to ``current``.

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
    """Merge by averaging: ``out = sum(deltas) / number of nodes``. With one node, ``out`` is its delta, unchanged.

    Args:
        deltas: float32 ``(rows, columns)`` of each node; rows that a node did not touch count as 0 and are not read.
        touched: uint8 ``(rows,)`` of each node, as `take_delta` writes it.
        out: float32 ``(rows, columns)``, to write; 0 in the rows that no node touched.

    Raises:
        ValueError: there is no delta, or shapes differ.
    """
    for start, stop in _blocks(deltas, touched, out):
        for delta, flags in zip(deltas, touched, strict=True):
            add_rows(delta[start:stop], flags[start:stop], out[start:stop])
        out[start:stop] /= np.float32(len(deltas))


def _blocks(
    deltas: Sequence[NDArray[np.float32]], touched: Sequence[NDArray[np.uint8]], out: NDArray[np.float32]
) -> list[tuple[int, int]]:
    """Set ``out`` to 0, and return ranges of rows that stay in the cache while the deltas of all nodes are added."""
    if not deltas:
        raise ValueError("there is nothing to merge: no delta was given")
    shapes = [delta.shape for delta in deltas], [flags.shape for flags in touched]
    if out.ndim != 2 or shapes != ([out.shape] * len(deltas), [out.shape[:1]] * len(deltas)):
        raise ValueError(f"deltas and touched rows have shapes {shapes[0]} and {shapes[1]}, but out has {out.shape}")
    out[:] = 0
    rows = max(_CACHED // (4 * out.shape[1]), 1) if out.shape[1] else len(out) + 1
    return [(start, min(start + rows, len(out))) for start in range(0, len(out), rows)]


def rate(nodes: int) -> float:
    """Return the factor for the learning rate with which ``nodes`` merged nodes learn as much as a single node.

    If steps are small, the average of N steps, each N times as long, is the sum of the N steps. If a round brings a row
    to its optimum, the average is at that optimum. So an average needs the factor N; pWord2Vec
    raises the rate, too. The factor is at most `MOST_RATE`: beyond it single steps are too long. ``bench/RESULTS.md``
    has the measurements.
    """
    return float(min(nodes, MOST_RATE))


def rounds(nodes: int) -> int:
    """Return the least number of rounds in an epoch.

    It is 6 for 2 nodes and 24 for 4 nodes, which they needed on 20 M words (``bench/RESULTS.md``). From 4 to 16 nodes
    it stays at 24. For more nodes it is 1.5 per node, as GraphWord2Vec takes for 32 machines.
    """
    return math.ceil(max(1.5 * nodes, min(1.5 * nodes**2, 24)))


def parts(rows: int, count: int) -> list[tuple[int, int]]:
    """Split rows into ``count`` contiguous ranges ``(start, stop)`` whose lengths differ by at most 1.

    With fewer rows than ranges some are empty.
    """
    return [(rows * k // count, rows * (k + 1) // count) for k in range(count)]
