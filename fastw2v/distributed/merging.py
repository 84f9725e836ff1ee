"""How replicas of a model that were trained apart become one again: no transport, no processes, only the sums.

Replicas start a round with the same rows, the base. Each trains on its own tokens and takes its delta, row by row; the
deltas of a row range are merged, and the merged delta is added to every base, which is where the next round starts. A
round of N nodes has moved over N times the tokens that one node saw, so a merge is a guess at what one node would have
done with all of them:

- `mean`: sum / N, the average of the models (pWord2Vec: Ji, Satish, Li and Dubey, "Parallelizing word2vec in shared and
  distributed memory", 2016). A row that one node touched keeps 1/N of its update.
- `touched_mean`: sum / number of nodes that touched the row. Rare rows keep all of it.
- `combiner`: what nodes agree on counts once, what they do not have in common is summed (GraphWord2Vec: Gill et al.,
  "Distributed training of embeddings using graph analytics", 2021).

Deltas are only read: they may be views of memory that is shared, read-only or not aligned. All release the GIL and are
bound by memory; to merge on several threads give each a part of the rows (`parts`).
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._jit import jit

#: Merges what nodes did to a row range: ``merge(deltas, touched, out)``, see `mean`.
Merge: TypeAlias = Callable[[Sequence[NDArray[np.float32]], Sequence[NDArray[np.uint8]], NDArray[np.float32]], None]

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
def add_rows(
    delta: NDArray[np.float32], touched: NDArray[np.uint8], total: NDArray[np.float32], nodes: NDArray[np.int32]
) -> None:
    """Add the touched rows of a delta to ``total``, both ``(rows, columns)``, and 1 to their ``nodes`` ``(rows,)``."""
    for row in range(len(total)):
        if touched[row]:
            nodes[row] += 1
            for k in range(total.shape[1]):
                total[row, k] += delta[row, k]


@jit()
def divide_rows(total: NDArray[np.float32], nodes: NDArray[np.int32]) -> None:
    """Divide each row of ``total`` ``(rows, columns)`` by its number of ``nodes`` ``(rows,)``, those above 1."""
    for row in range(len(total)):
        if nodes[row] > 1:
            n = np.float32(nodes[row])
            for k in range(total.shape[1]):
                total[row, k] /= n


@jit()
def combine_rows(delta: NDArray[np.float32], touched: NDArray[np.uint8], total: NDArray[np.float32]) -> None:
    """Add to the touched rows of ``total`` what in ``delta``, both ``(rows, columns)``, is at right angles to them.

    Sums, and the differences that remain of them, are taken in float64: the square of a small delta is no float32.
    """
    for row in range(len(total)):
        if touched[row]:
            square, product = 0.0, 0.0
            for k in range(total.shape[1]):
                g = np.float64(total[row, k])
                square += g * g
                product += g * np.float64(delta[row, k])
            share = product / square if square > 0 else 0.0
            for k in range(total.shape[1]):
                g = np.float64(total[row, k])
                total[row, k] = np.float32(g + (np.float64(delta[row, k]) - share * g))


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
        nodes = np.zeros(stop - start, np.int32)
        for delta, of in zip(deltas, touched, strict=True):
            add_rows(delta[start:stop], of[start:stop], out[start:stop], nodes)
        nodes[:] = len(deltas)
        divide_rows(out[start:stop], nodes)


def touched_mean(
    deltas: Sequence[NDArray[np.float32]], touched: Sequence[NDArray[np.uint8]], out: NDArray[np.float32]
) -> None:
    """Merge by averaging over those who did something: ``out = sum(deltas) / max(1, nodes that touched the row)``.

    Arguments and errors are those of `mean`.
    """
    for start, stop in _blocks(deltas, touched, out):
        nodes = np.zeros(stop - start, np.int32)
        for delta, of in zip(deltas, touched, strict=True):
            add_rows(delta[start:stop], of[start:stop], out[start:stop], nodes)
        divide_rows(out[start:stop], nodes)


def combiner(
    deltas: Sequence[NDArray[np.float32]], touched: Sequence[NDArray[np.uint8]], out: NDArray[np.float32]
) -> None:
    """Merge by adding to a row what is new: ``g += delta - (g . delta / |g|^2) g``, node after node, from g = 0.

    Equal deltas give that delta, deltas at right angles their sum; a g of length 0 takes the next delta as it is.
    Order matters: along the direction of what has been merged so far only the first node counts, with its length and
    sign, so two nodes that differ by a factor give the first one's delta. That favours nobody if the caller begins
    with another node each round.

    Arguments and errors are those of `mean`.
    """
    for start, stop in _blocks(deltas, touched, out):
        for delta, of in zip(deltas, touched, strict=True):
            combine_rows(delta[start:stop], of[start:stop], out[start:stop])


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


MERGES: dict[str, Merge] = {"mean": mean, "touched_mean": touched_mean, "combiner": combiner}


def rate(merge: str, nodes: int) -> float:
    """Return by what to multiply the learning rate of one node, so that ``nodes`` merged ones learn as much as it does.

    An average of N steps each N times as long is their sum, as far as steps are small, and stays an average where a
    round brings a row to its optimum; so averages want N (pWord2Vec, too, raises the rate), at most `MOST_RATE`: beyond
    it single steps are too long. The combiner sums part of it by itself. Measured: ``bench/RESULTS.md``.

    Args:
        merge: a name in `MERGES`.
        nodes: how many are merged.
    """
    return float(nodes) ** 0.25 if merge == "combiner" else float(min(nodes, MOST_RATE))


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
