"""Centre vectors that are composed of several rows of V: those of a word and of its character n-grams.

The vector of a word w is ``h_w = sum over its parts k of share_k V[row_k]`` (`records.Model`). Kernels make it once per
centre, not once per pair, train it as if it were a row of V, and then add its change to each of its parts. The whole
change goes to every part, as in fastText. With the true gradient, a part would get its share of it; see `reference`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .records import Model
from .simd import LANES, Picked, Rows, at, put, spread_row, sum_rows

#: `fitting_centres` counts rows of V by their number modulo this, a power of 2.
ROW_BUCKETS = 4096


@jit(borrows=True)
def compose(model: Model, words: NDArray[np.int32], H: NDArray[np.float32]) -> None:
    """Write the vector of each word: ``H[i] = sum over the parts k of words[i] of share_k V[row_k]``.

    Args:
        model: V, whose width is a multiple of 16, and the parts of all words.
        words: int32 ``(n,)``.
        H: float32 ``(>= n, width)``, written to.
    """
    V, vector_size = model.V, model.vector_size
    width = V.shape[1]
    Vs, Hs = V.reshape(-1), H.reshape(-1)
    chunks = (vector_size + LANES - 1) // LANES
    for i in range(len(words)):
        begin, end = model.part_offsets[words[i]], model.part_offsets[words[i] + 1]
        picked = Picked(model.part_rows, begin, end - begin)
        sum_rows(Rows(Hs, i * width, width), Rows(Vs, 0, width), picked, model.part_shares, chunks)


@jit(borrows=True)
def spread(model: Model, words: NDArray[np.int32], H: NDArray[np.float32], before: NDArray[np.float32]) -> None:
    """Add the change of each word's vector to all its parts: ``V[row_k] += H[i] - before[i]``, k in words[i].

    Args:
        model: V, whose width is a multiple of 16, and the parts of all words; updated in place.
        words: int32 ``(n,)``.
        H: float32 ``(>= n, width)``, the vectors as they are now.
        before: float32 ``(>= n, width)``, the vectors as `compose` made them.
    """
    V, vector_size = model.V, model.vector_size
    width = V.shape[1]
    Vs, Hs, olds = V.reshape(-1), H.reshape(-1), before.reshape(-1)
    chunks = (vector_size + LANES - 1) // LANES
    for i in range(len(words)):
        begin, end = model.part_offsets[words[i]], model.part_offsets[words[i] + 1]
        picked = Picked(model.part_rows, begin, end - begin)
        spread_row(Rows(Vs, 0, width), picked, Rows(Hs, i * width, width), Rows(olds, i * width, width), chunks)


@jit(borrows=True)
def fitting_centres(model: Model, words: NDArray[np.int32], copies: int, met: NDArray[np.int32], base: int) -> int:
    """Return how many of these words, from the first on, may be the centres of one tile.

    Each moves the vector of every other by the share of its parts that both have. A word fits if those before it move
    its vector by less than ``copies - 1/2`` gradients. So at most ``copies`` of them are one word, or many words that
    are nearly the same one. The measurements behind this are in ``bench/NOTES.md``.

    Rows with the same number in ``met`` count as one, so a word of many thousand parts counts against itself, and
    against the words after it. Then a tile has one centre. It always has one: the first word fits.

    Args:
        model: the parts of all words.
        words: int32 ``(n,)``, n >= 1.
        copies: see `records.Tiling`.
        met: int32 ``(ROW_BUCKETS,)``, no element above ``base``; afterwards none is above ``base + n``, except after
            words of many thousand parts.
        base: an element that is this or less counts as 0. So nothing has to be cleared between tiles.
    """
    most = np.float32(copies) - np.float32(0.5)
    for i in range(len(words)):
        moved = np.float32(0)
        for k in range(model.part_offsets[words[i]], model.part_offsets[words[i] + 1]):
            bucket = np.int64(at(model.part_rows, k)) & (ROW_BUCKETS - 1)
            before: Any = max(np.int64(at(met, bucket)), np.int64(base))
            put(met, bucket, before + 1)
            moved += at(model.part_shares, k) * np.float32(before - base)
        if moved > most:
            return max(i, 1)
    return len(words)
