"""The compiled kernels, for use in your own Numba code.

Compiled, callable from Python and from ``@numba.njit`` functions, each with a NumPy twin of the same name in
`fastw2v.reference`. They release the GIL, and all but `build_alias` allocate nothing.

- Random numbers: `next_u64`, `draw_below`, `draw_noise`, `draw_negatives`, `draw_keep`, and `build_alias`.
- One gradient step: `update_pair` on a pair, `tile_step` on a tile of centres that share noise words.
- A range of tokens: `train_span` pair by pair, `tile_span` tile by tile, which reads its blocks with `read_block`.
- A span per worker, in parallel: `train_chunk` and `tile_chunk`. Start them with `run_chunk`.

Ordinary Python, to prepare what those take: `spawn_streams` (one random state per worker from a seed), `noise_table`
(counts to an alias table) and `noise_weights`, `keep_thresholds` (subsampling) and `expected_kept`, `cut` and
`next_cut` (spans), `aligned_zeros` (matrices whose rows start on cache lines, float32 and C-contiguous as kernels want
them), `choose_tiling` (a `Tiling` for a vocabulary), `tile_scratch` and `span_scratch` (how much scratch a step or a
span needs) and `Workers` (everything that belongs to one worker alone). `run_chunk` calls `train_chunk` or
`tile_chunk` with as many threads as workers; where Numba's threads can't be entered (by a second thread while one is
there, which its workqueue layer answers by aborting, or in a child process), it runs the spans on Python threads.
LOSS, PAIRS, TRAINED and LOSS_PAIRS are the columns of a tally; PIECE is the most tokens of a sentence handled at
once; SPARE is how far vectors may reach past an array's end. The module `simd` has the vector values and small matrix
products that the tile kernel is made of; nothing in it is bounds-checked.

Graphs (DeepWalk): walks of your own are sequences of ids::

    import numba
    import numpy as np
    import fastw2v
    from fastw2v import kernels

    @numba.njit
    def walk(first, neighbours, rng, out):  # neighbours of node i: neighbours[first[i]:first[i + 1]]
        for row in range(len(out)):
            node = row % (len(first) - 1)
            for step in range(out.shape[1]):
                out[row, step] = node
                degree = first[node + 1] - first[node]
                node = neighbours[first[node] + kernels.draw_below(rng, degree)]

    random = np.random.default_rng(0)
    edge = random.random((60, 60)) < np.where(np.arange(60) % 3 == np.arange(60)[:, None] % 3, 0.4, 0.02)
    edge |= edge.T  # three communities: the nodes that are equal modulo 3
    first = np.concatenate([[0], np.cumsum(edge.sum(axis=1))])
    walks = np.empty((600, 40), np.int32)
    walk(first, np.nonzero(edge)[1], kernels.spawn_streams(1, 1), walks)
    nodes = fastw2v.train_ids(
        walks.ravel(), np.arange(0, walks.size + 1, 40), n_words=60, vector_size=16, sample=0, progress=False
    )
    nearest = nodes.most_similar(7, topn=5)  # [("28", 0.8), ...]

Items: what was bought or played one after the other::

    import numpy as np
    import fastw2v

    baskets = [[0, 2, 4, 2], [1, 3, 5], [4, 0, 2], [5, 3, 1, 5]] * 500
    ids = np.concatenate(baskets)
    offsets = np.cumsum([0] + [len(basket) for basket in baskets])
    items = fastw2v.train_ids(ids, offsets, n_words=6, vector_size=8, sample=0, progress=False)
    beside = items.most_similar(0, topn=2)  # items 2 and 4, as words

Samplers: noise words as often as count ** 0.75, and never a given one::

    import numpy as np
    from fastw2v import kernels

    counts = np.array([1000, 100, 10])
    noise = kernels.noise_table(counts, 0.75)
    rng = kernels.spawn_streams(1, 1)
    drawn = np.bincount([kernels.draw_noise(rng, noise) for _ in range(10_000)], minlength=3)
    negatives = np.empty(5, np.int32)
    n = kernels.draw_negatives(rng, noise, 0, negatives)  # negatives[:n] holds no 0
    keep = kernels.keep_thresholds(counts, 1e-3)
    kept = sum(kernels.draw_keep(rng, keep, 2) for _ in range(1000))  # of the rarest word, four in nine

One pair after the other, in a loop of your own::

    import numba
    import numpy as np
    from fastw2v import kernels

    @numba.njit
    def fit(V, U, pairs, noise, rng, alpha):
        negatives, grad, loss = np.empty(5, np.int32), np.empty(V.shape[1], np.float32), 0.0
        for centre, outside in pairs:
            n = kernels.draw_negatives(rng, noise, outside, negatives)
            loss += kernels.update_pair(V, U, centre, outside, negatives[:n], alpha, grad)
        return loss / len(pairs)

    V = np.random.default_rng(0).normal(0, 0.1, (10, 8)).astype(np.float32)
    U = np.zeros_like(V)
    pairs = np.array([[i, (i + 1) % 10] for i in range(10)])
    noise, rng = kernels.noise_table(np.ones(10, np.int64), 0.75), kernels.spawn_streams(1, 1)
    losses = [fit(V, U, pairs, noise, rng, np.float32(0.1)) for _ in range(200)]

One tile: centres 0 to 3 of a sentence of six words, each paired with its neighbours up to two words away::

    import numpy as np
    from fastw2v import kernels

    V, U = (kernels.aligned_zeros(50, 20, np.float32) for _ in "VU")
    V[:, :20] = np.random.default_rng(0).normal(0, 0.1, (50, 20))
    sentence = np.array([3, 14, 15, 9, 26, 5], np.int32)
    first, last = np.array([0, 0, 0, 1], np.int32), np.array([3, 4, 5, 6], np.int32)  # windows, as ranges
    negatives = np.arange(30, 42, dtype=np.int32)  # a multiple of 12
    pairs = np.repeat(last - first - 1, 12)  # of each centre, once per noise word: it is no context of its own
    weights = np.zeros(4 * 12 + kernels.SPARE, np.float32)
    weights[: 4 * 12] = pairs * 5 / 12  # the noise words of a pair weigh 5 together
    floats, integers = kernels.tile_scratch(4, 6, 12, V.shape[1])
    floats, integers = np.empty(floats, np.float32), np.empty(integers, np.int32)
    none = np.empty(0, np.int32)
    losses = [
        kernels.tile_step(
            V, U, sentence[:4], sentence, first, last, 0, negatives, weights, np.float32(0.1), 20, True,
            none, none, floats, integers,
        )
        for _ in range(50)
    ]

A span on one thread, and a chunk on two::

    import numpy as np
    from fastw2v import kernels

    ids = np.random.default_rng(0).integers(0, 1000, 30_000).astype(np.int32)
    offsets = np.arange(0, 30_001, 10)
    counts = np.bincount(ids, minlength=1000)
    noise, keep = kernels.noise_table(counts, 0.75), kernels.keep_thresholds(counts, 1e-3)
    window, negative, alpha = 5, 5, 0.025
    V, U = (kernels.aligned_zeros(1000, 20, np.float32) for _ in "VU")
    V[:, :20] = np.random.default_rng(1).uniform(-0.5, 0.5, (1000, 20)) / 20

    kept, weights = kernels.expected_kept(counts, keep), kernels.noise_weights(counts, 0.75)
    tiling = kernels.choose_tiling(kept, weights, window, negative, alpha)
    one = kernels.Workers.create(1, 1, window, negative, V.shape[1], tiling)
    kernels.tile_span(
        ids, offsets, 0, len(ids), V, U, noise, keep, window, negative, 20, *tiling, alpha, 0.0,
        one.rng[0], one.tokens[0], one.negatives[0], one.integers[0], one.floats[0], one.tally[0],
    )
    two = kernels.Workers.create(2, 1, window, negative, V.shape[1], tiling)
    cuts = kernels.cut(offsets, 0, len(ids), 2)
    kernels.run_chunk(ids, offsets, cuts, V, U, noise, keep, window, negative, alpha, 0.0, two, 20)
    loss = two.tally[:, kernels.LOSS].sum() / two.tally[:, kernels.LOSS_PAIRS].sum()

Vector values, in a kernel of your own::

    import numba
    import numpy as np
    from fastw2v.kernels import simd

    @numba.njit
    def all_sigmoids(x, out):  # lengths are a multiple of simd.LANES
        for start in range(0, len(x), simd.LANES):
            simd.row_store(out, start, simd.row_sigmoid(simd.row_load(x, start)))

    x = np.linspace(-8, 8, 64, dtype=np.float32)
    sigmoids = np.empty_like(x)
    all_sigmoids(x, sigmoids)
"""

from . import simd as simd
from .pair import train_span as train_span
from .pair import update_pair as update_pair
from .parallel import Workers as Workers
from .parallel import run_chunk as run_chunk
from .records import LOSS as LOSS
from .records import LOSS_PAIRS as LOSS_PAIRS
from .records import PAIRS as PAIRS
from .records import TRAINED as TRAINED
from .records import Ahead as Ahead
from .records import Model as Model
from .records import Rate as Rate
from .records import Sampling as Sampling
from .records import Shared as Shared
from .records import Text as Text
from .records import Tile as Tile
from .records import Tiling as Tiling
from .records import Worker as Worker
from .records import aligned_zeros as aligned_zeros
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
from .tile import SPARE as SPARE
from .tile import choose_tiling as choose_tiling
from .tile import tile_scratch as tile_scratch
from .tile import tile_span as tile_span
from .tile import tile_step as tile_step
