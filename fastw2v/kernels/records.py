"""The arguments of the kernels: flat NamedTuples, each field described once, and the arrays behind them.

A record costs nothing: Numba passes its fields one by one. Two rules keep it so. A record holds no tuple of arrays,
which Numba can't lower in a parallel kernel. Its class is in a module that can be imported; otherwise Numba does not
find cached machine code again.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64

#: Columns of a worker's tally row (float64, one cache line). LOSS is the sum over LOSS_PAIRS pairs, all or a sample.
LOSS, PAIRS, TRAINED, LOSS_PAIRS, TALLY_WIDTH = 0, 1, 2, 3, 8


class Text(NamedTuple):
    """A corpus in CSR form.

    Attributes:
        ids: int32 ``(n_tokens,)``, the word ids of all sentences, end to end.
        offsets: int64 ``(n_sentences + 1,)``; sentence s is ``ids[offsets[s]:offsets[s + 1]]``.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]


_NO_OFFSETS, _NO_ROWS, _NO_SHARES = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)


class Model(NamedTuple):
    """The two matrices, which training updates in place, and what centre vectors are composed of.

    Without parts the vector of centre word w is row w of V. With parts it is the weighted sum of the rows of V that
    are its parts, ``sum over k of part_shares[k] V[part_rows[k]]``; see `composed`.

    Attributes:
        V: float32 ``(n_rows, width)``, centre rows, one per word where there are no parts.
        U: float32 ``(n_words, width)``, outside rows.
        vector_size: columns in use. The tile kernel needs a width that is a multiple of 16, as from `aligned_zeros`. It
            does not update the other columns, which must be 0. The pair kernel updates all columns.
        part_offsets: int64 ``(n_words + 1,)``; the parts of word w are ``part_offsets[w]`` to
            ``part_offsets[w + 1] - 1``. Empty if there are no parts.
        part_rows: int32 ``(n_parts,)``, rows of V, each once in a word.
        part_shares: float32 ``(n_parts,)``, the weight of each row; those of a word add up to 1.
    """

    V: NDArray[np.float32]
    U: NDArray[np.float32]
    vector_size: int
    part_offsets: NDArray[np.int64] = _NO_OFFSETS
    part_rows: NDArray[np.int32] = _NO_ROWS
    part_shares: NDArray[np.float32] = _NO_SHARES


class Sampling(NamedTuple):
    """The tables and sizes of all random draws.

    Attributes:
        noise: uint64 ``(n_words,)``, alias table of the noise distribution (`sampling.noise_table`).
        keep: uint32 ``(n_words,)``, subsampling thresholds (`sampling.keep_thresholds`).
        window: largest distance of an outside word; shrunk to a uniform 1..window for each centre.
        negative: noise words per pair; in tiles their mean number.
    """

    noise: NDArray[np.uint64]
    keep: NDArray[np.uint32]
    window: int
    negative: int


class Rate(NamedTuple):
    """The learning rate as a function of the token position.

    Attributes:
        alpha: the rate at token position 0.
        step: its change per token.
    """

    alpha: float
    step: float


class Tiling(NamedTuple):
    """The size of tiles.

    Attributes:
        centres: T, tokens of a tile.
        shared: N, noise words that the centres of a tile share; a multiple of 12.
        strips: passes over a tile's centres, each with the outside words at some distances and its own noise words.
        copies: a tile ends before a word is its centre more often than this, or before other words with the same parts
            load its vector as much; see `composed.fitting_centres`.
    """

    centres: int
    shared: int
    strips: int
    copies: int


class Worker(NamedTuple):
    """The memory of one worker; with one more dimension in front, that of all workers (`parallel.Workers`).

    Attributes:
        rng: uint64 ``(>= 1,)``; element 0 is the state of the worker's random stream.
        tokens: int32 scratch, the kept tokens of a piece or block.
        negatives: int32 scratch, noise words.
        integers: int32 scratch of the tile kernel.
        floats: float32 scratch: the gradient of a centre row, or the tile kernel's copies and logits.
        tally: float64 ``(TALLY_WIDTH,)``, sums that a kernel adds to: LOSS, PAIRS, TRAINED (centres), LOSS_PAIRS.
    """

    rng: NDArray[np.uint64]
    tokens: NDArray[np.int32]
    negatives: NDArray[np.int32]
    integers: NDArray[np.int32]
    floats: NDArray[np.float32]
    tally: NDArray[np.float64]


class Tile(NamedTuple):
    """The centres of a tile and their outside words.

    Attributes:
        centres: int32 ``(T,)``, rows of V, T >= 1.
        contexts: int32 ``(C,)``, rows of U, C >= 1.
        first: int32 ``(>= T,)``; the outside words of centre i are ``contexts[first[i]:last[i]]``. The windows of
            neighbouring centres should overlap, as those of a text do.
        last: int32 ``(>= T,)``, see ``first``.
        skip: ``contexts[skip + i]`` is centre i itself and not paired with it; below ``-T`` there is none.
    """

    centres: NDArray[np.int32]
    contexts: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    skip: int


class Shared(NamedTuple):
    """The noise words that all centres of a tile share.

    Attributes:
        negatives: int32 ``(N,)``, rows of U, N a multiple of 12.
        weights: float32, flat; ``weights[i N + n]`` is the weight of centre i with noise word n. `tile.SPARE` elements
            past ``T N`` must exist.
    """

    negatives: NDArray[np.int32]
    weights: NDArray[np.float32]


class Ahead(NamedTuple):
    """The rows to prefetch for the next tile; both arrays may be empty.

    Attributes:
        tokens: int32, rows of U.
        negatives: int32, rows of U.
        centres: how many of the tokens, from the first on, are rows of V too.
    """

    tokens: NDArray[np.int32]
    negatives: NDArray[np.int32]
    centres: int = 0


def aligned_zeros(rows: int, columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros of shape ``(rows, width)``, width >= columns, every row a whole number of cache lines."""
    dtype = np.dtype(dtype)
    per_line = CACHE_LINE // dtype.itemsize
    width = -(-columns // per_line) * per_line
    raw = np.zeros(rows * width * dtype.itemsize + CACHE_LINE, np.uint8)
    skip = -raw.ctypes.data % CACHE_LINE
    return raw[skip : skip + rows * width * dtype.itemsize].view(dtype).reshape(rows, width)
