"""The compiled kernels, for use in your own Numba code.

Compiled, callable from Python and from ``@numba.njit`` functions, each with a NumPy twin of the same name in
`fastw2v.reference`: `next_u64`, `draw_below`, `build_alias`, `draw_noise`, `draw_negatives`, `draw_keep` (random
numbers and what is drawn with them), `update_pair` and `tile_step` (one gradient step, on a pair or on a tile),
`read_block` (subsampling and windows), `train_span` and `tile_span` (all tokens of a range, pair by pair or tile by
tile), `train_chunk` and `tile_chunk` (a span per worker, in parallel). They release the GIL, and all but `build_alias`
allocate nothing. Matrices are float32, C-contiguous; those of tiles come from `aligned_zeros`.

Ordinary Python, to prepare what those take: `spawn_streams` (one random state per worker from a seed), `noise_table`
(counts to an alias table; `noise_weights` before that), `keep_thresholds` and `expected_kept` (subsampling),
`choose_tiling` (how large tiles may be, a `Tiling`), `tile_scratch` (room for `tile_step`), `cut` and `next_cut`
(spans), `aligned_zeros` (matrices whose rows start on cache lines) and `Workers` (everything that belongs to one worker
alone). `run_chunk` is the parallel entry: it calls `tile_chunk` or `train_chunk` with as many threads as workers, one
call at a time in this process (Numba's workqueue layer aborts on two).

The vector values and small products that the tile kernel is made of are in `fastw2v.simd`, for your own ``@njit`` code
too. One example each, run by the tests:

Samplers. Three words seen 10, 10 and 80 times, drawn as noise words:

    >>> import numpy as np
    >>> from fastw2v import kernels
    >>> rng = kernels.spawn_streams(seed=1, workers=1)
    >>> noise = kernels.noise_table(np.array([10, 10, 80]), 0.75)
    >>> drawn = np.bincount([kernels.draw_noise(rng, noise) for _ in range(10_000)])
    >>> bool(abs(drawn[2] / 10_000 - 80**0.75 / (2 * 10**0.75 + 80**0.75)) < 0.02)
    True

A pair step. Centre 0 with outside word 1, and word 2 as noise:

    >>> V = np.full((3, 4), 0.5, np.float32)
    >>> U = np.zeros((3, 4), np.float32)
    >>> noise_words = np.array([2], np.int32)
    >>> loss = kernels.update_pair(V, U, 0, 1, noise_words, np.float32(0.1), np.empty(4, np.float32))
    >>> round(float(loss / np.log(2)), 2), bool(U[1, 0] > 0 > U[2, 0])
    (2.0, True)

A tile step. Centres 0 and 1, each the other's outside word, and twelve noise words of weight 5 / 12:

    >>> V, U = kernels.aligned_zeros(20, 4, np.float32), kernels.aligned_zeros(20, 4, np.float32)
    >>> V[:, :4] = 0.5  # the rest of a row is padding, and stays 0
    >>> pair = np.array([0, 1], np.int32)
    >>> first, last = np.array([0, 0], np.int32), np.array([2, 2], np.int32)  # both words, but for the centre itself
    >>> noise_words = np.arange(8, 20, dtype=np.int32)
    >>> weights = np.full(2 * 12 + 32, 5 / 12, np.float32)
    >>> floats, integers = kernels.tile_scratch(centres=2, contexts=2, shared=12, width=V.shape[1])
    >>> floats, integers = np.empty(floats, np.float32), np.empty(integers, np.int32)
    >>> none = np.empty(0, np.int32)
    >>> loss = kernels.tile_step(
    ...     V, U, pair, pair, first, last, 0, noise_words, weights, np.float32(0.1), 4, True, none, none,
    ...     floats, integers,
    ... )
    >>> round(float(loss / np.log(2)), 2), bool(U[0, 0] > 0 > U[9, 0])
    (12.0, True)

A span and the parallel entry. Sequences of 1,000 items that go round in a circle, a thousand items each:

    >>> ids = np.tile(np.arange(1_000, dtype=np.int32), 200)
    >>> offsets = np.arange(0, len(ids) + 1, 1_000)
    >>> counts = np.bincount(ids)
    >>> noise, keep = kernels.noise_table(counts, 0.75), kernels.keep_thresholds(counts, 0)
    >>> V, U = kernels.aligned_zeros(1_000, 32, np.float32), kernels.aligned_zeros(1_000, 32, np.float32)
    >>> V[:] = (np.random.default_rng(0).random(V.shape) - 0.5) / 32
    >>> tiling = kernels.choose_tiling(counts, counts**0.75, window=3, negative=5, alpha=0.05)
    >>> workers = kernels.Workers.create(2, seed=1, window=3, negative=5, width=32, tiling=tiling)
    >>> for epoch in range(10):
    ...     cuts = kernels.cut(offsets, 0, len(ids), workers=2)
    ...     kernels.run_chunk(ids, offsets, cuts, V, U, noise, keep, 3, 5, 0.05, 0.0, workers)
    >>> int(workers.tally[:, kernels.TRAINED].sum()) == 10 * len(ids)
    True
    >>> unit = V / np.linalg.norm(V, axis=1, keepdims=True)
    >>> near = np.argsort(-unit[500] @ unit.T)[1:5]
    >>> bool(abs(near - 500).max() <= 6)
    True

One worker's span without threads is ``kernels.tile_span`` (or ``train_span``) with the same arguments and one row of
`Workers`:

    >>> own = (workers.rng, workers.tokens, workers.negatives, workers.integers, workers.floats, workers.tally)
    >>> model = (V, U, noise, keep, 3, 5, 32, *tiling, 0.05, 0.0)
    >>> kernels.tile_span(ids, offsets, 0, 20_000, *model, *(rows[0] for rows in own))
    >>> int(workers.tally[:, kernels.TRAINED].sum()) == 10 * len(ids) + 20_000
    True
"""

from .pair import LOSS as LOSS
from .pair import LOSS_PAIRS as LOSS_PAIRS
from .pair import PAIRS as PAIRS
from .pair import TRAINED as TRAINED
from .pair import train_span as train_span
from .pair import update_pair as update_pair
from .parallel import Workers as Workers
from .parallel import aligned_zeros as aligned_zeros
from .parallel import run_chunk as run_chunk
from .parallel import tile_chunk as tile_chunk
from .parallel import train_chunk as train_chunk
from .sampling import build_alias as build_alias
from .sampling import draw_below as draw_below
from .sampling import draw_keep as draw_keep
from .sampling import draw_negatives as draw_negatives
from .sampling import draw_noise as draw_noise
from .sampling import expected_kept as expected_kept
from .sampling import keep_thresholds as keep_thresholds
from .sampling import next_u64 as next_u64
from .sampling import noise_table as noise_table
from .sampling import noise_weights as noise_weights
from .sampling import spawn_streams as spawn_streams
from .spans import PIECE as PIECE
from .spans import cut as cut
from .spans import next_cut as next_cut
from .tile import Tiling as Tiling
from .tile import choose_tiling as choose_tiling
from .tile import read_block as read_block
from .tile import tile_scratch as tile_scratch
from .tile import tile_span as tile_span
from .tile import tile_step as tile_step
