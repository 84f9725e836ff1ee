"""SGNS in vectorised NumPy, one worker, float32: the best speed without a compiler.

Two formulations, each written for speed:

- `train_pairs`: some hundred (centre, outside) pairs at once, K noise words for each, as in word2vec.c. Rows are
  gathered (1 of V, 1 + K of U per pair), logits and gradients are batched matrix products, gradients are added by row.
- `train_tiles`, the fastest we found, seven times as fast: the tile kernel's idea. A tile is T consecutive kept tokens
  as centres, the context rows around them and N noise words that all its centres share, with weight K / N * (pairs of
  the centre whose context word is another), so that the expected gradient is that of K noise words per pair. All logits
  of a tile are one T x (T + 2 window + N) matrix product, contexts included: BLAS computes the unused ones faster than
  NumPy could gather the used ones. Several tiles make a batch.

In both, all steps of a batch start from the rows as they were before it, and are summed. The size of a batch is a
compromise between speed and learning. (Loss after 0.4 M words of real text, tiles of 32: 3.29, 3.30, 3.35 and 3.80 with
8, 16, 32 and 64 of them at once; the pair kernel 3.17.) Subsampling, windows and noise words are drawn in vectors, from
NumPy's generator. No loss is computed. BLAS should have one thread: ``bench/__init__.py`` asks for it.
"""

import time
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray

from fastw2v import reference
from fastw2v.config import TrainConfig
from fastw2v.kernels.records import Model, Sampling
from fastw2v.kernels.spans import next_cut

from .timing import Ids

BLOCK = 20_000  # corpus tokens whose windows are formed at once
PAIRS = 256  # pairs of a batch
TILE, NEGATIVES, TILES = 32, 16, 16  # centres of a tile, noise words of a tile, tiles of a batch

Floats = NDArray[np.float32]
Ints = NDArray[np.integer]


class Windows(NamedTuple):
    """Kept tokens of some sentences, and which of their neighbours are context.

    Attributes:
        tokens: word ids, shape ``(n,)``.
        used: bool ``(n, 2 * window + 1)``; column o says whether token ``i + o - window`` is a context word of token i.
    """

    tokens: Ints
    used: NDArray[np.bool_]


def windows(
    ids: Ints, offsets: Ints, start: int, stop: int, keep: NDArray[np.uint32], window: int, rng: np.random.Generator
) -> Windows:
    """Subsample ``ids[start:stop]`` and draw a window for each token; a block's border ends a sentence."""
    kept = rng.integers(0, 2**32, stop - start, np.uint32) <= keep[ids[start:stop]]
    tokens = ids[start:stop][kept]
    inner = offsets[np.searchsorted(offsets, start, "right") : np.searchsorted(offsets, stop)]
    count = np.concatenate([[0], np.cumsum(kept)])
    borders = count[np.concatenate([[start], inner, [stop]]) - start]  # of sentences, in kept tokens
    lengths = np.diff(borders)
    position = np.arange(len(tokens))
    reach = rng.integers(1, window + 1, len(tokens))
    before = np.minimum(position - np.repeat(borders[:-1], lengths), reach)
    after = np.minimum(np.repeat(borders[1:], lengths) - 1 - position, reach)
    distance = np.arange(-window, window + 1)
    used = (distance >= -before[:, None]) & (distance <= after[:, None]) & (distance != 0)
    return Windows(tokens, used)


def draw_noise(noise: NDArray[np.uint64], shape: tuple[int, ...], rng: np.random.Generator) -> Ints:
    """Draw noise words from an alias table (`sampling.build_alias`)."""
    slot = rng.integers(0, len(noise), shape)
    entry = noise[slot]
    coin = rng.integers(0, 2**32, shape, np.uint32)
    return np.where(coin < entry >> np.uint64(32), slot, (entry & np.uint64(0xFFFFFFFF)).astype(np.int64))


def sigma(x: Floats) -> Floats:
    """Logistic function; exp may overflow to infinity, which gives 0, as it should."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


def add_rows(matrix: Floats, rows: Ints, terms: Floats) -> None:
    """Add ``terms[i]`` to ``matrix[rows[i]]``, repeated rows too.

    By elements: `np.add.at` has a fast loop for one-dimensional arrays only, and this beats sorting with `reduceat`.
    """
    assert matrix.flags.c_contiguous  # or the reshaped one would be a copy
    width = matrix.shape[1]
    elements = rows[:, None] * width + np.arange(width)
    np.add.at(matrix.reshape(-1), elements.ravel(), terms.ravel())


# ------------------------------------------------------------------------------------------------ batches of pairs


def pairs_step(V: Floats, U: Floats, centres: Ints, outsides: Ints, negatives: Ints, alpha: float) -> None:
    """Take one step, in place, along the summed gradients of ``n`` pairs.

    Args:
        V: centre rows, ``(n_words, d)``, C-contiguous as U.
        U: outside rows, ``(n_words, d)``.
        centres: ``(n,)``.
        outsides: ``(n,)``.
        negatives: ``(n, K)``; a noise word equal to its pair's outside word is skipped.
        alpha: learning rate.
    """
    targets = np.concatenate([outsides[:, None], negatives], axis=1)  # (n, 1 + K)
    v, u = V.take(centres, axis=0), U.take(targets, axis=0)  # (n, d), (n, 1 + K, d)
    g = sigma((u @ v[:, :, None])[:, :, 0])
    g[:, 0] -= 1
    g[:, 1:][negatives == outsides[:, None]] = 0
    g *= np.float32(-alpha)
    add_rows(V, centres, (g[:, None, :] @ u)[:, 0])
    add_rows(U, targets.ravel(), g[:, :, None] * v[:, None, :])


def train_pairs(
    corpus: Ids,
    model: Model,
    sampling: Sampling,
    config: TrainConfig,
    batch: int = PAIRS,
) -> tuple[float, int, int, int]:
    """Train all tokens and return seconds, pairs, tokens trained and terms computed."""
    rng = np.random.default_rng(config.seed)
    began = time.perf_counter()
    position = pairs = trained = 0
    while position < len(corpus.ids):
        stop = next_cut(corpus.offsets, position + BLOCK)
        block = windows(corpus.ids, corpus.offsets, position, stop, sampling.keep, config.window, rng)
        i, o = np.nonzero(block.used)
        centres, outsides = block.tokens[i], block.tokens[i + o - config.window]
        negatives = draw_noise(sampling.noise, (len(i), config.negative), rng)
        for a in range(0, len(i), batch):
            part = slice(a, a + batch)
            pairs_step(model.V, model.U, centres[part], outsides[part], negatives[part], config.alpha)
        pairs += len(i)
        trained += len(block.tokens)
        position = stop
    return time.perf_counter() - began, pairs, trained, pairs * (1 + config.negative)


# ------------------------------------------------------------------------------------------------ batches of tiles


def band(matrix: Floats, columns: int) -> Floats:
    """View the band ``matrix[b, i, i:i + columns]`` of every tile b as an array ``(tiles, T, columns)``."""
    tile, row, column = matrix.strides
    return as_strided(matrix, (*matrix.shape[:2], columns), (tile, row + column, column))


def negative_weights(contexts: Ints, used: NDArray[np.bool_], negatives: Ints, negative: int) -> Floats:
    """Return the weight of every (centre, noise word) term, shape ``(tiles, T, N)``.

    K / N for each pair of the centre whose context word is not the noise word.
    """
    _, size, reach = used.shape
    pairs = np.repeat(used.sum(axis=2, dtype=np.float32)[:, :, None], negatives.shape[1], axis=2)
    for b, j, n in zip(*np.nonzero(contexts[:, :, None] == negatives[:, None, :]), strict=True):
        low, high = max(j - reach + 1, 0), min(j + 1, size)  # centres that have context j in their band
        i = np.arange(low, high)
        pairs[b, i, n] -= used[b, i, j - i]
    pairs *= np.float32(negative / negatives.shape[1])
    return pairs


def tiles_step(
    V: Floats,
    U: Floats,
    tokens: Ints,
    used: NDArray[np.bool_],
    negatives: Ints,
    negative: int,
    alpha: float,
) -> None:
    """Take one step, in place, along the summed gradients of consecutive tiles.

    Args:
        V: centre rows, ``(n_words, d)``, C-contiguous as U.
        U: outside rows, ``(n_words, d)``.
        tokens: the tiles' centres, with ``window`` tokens before and after, ``(tiles * T + 2 * window,)``.
        used: ``(tiles, T, 2 * window + 1)``, see `Windows`; T >= 2 * window.
        negatives: noise words that a tile's centres share, ``(tiles, N)``.
        negative: noise words per pair, K.
        alpha: learning rate.
    """
    n_tiles, size, reach = used.shape
    halo = reach - 1
    centres = tokens[halo // 2 : halo // 2 + n_tiles * size]
    contexts = sliding_window_view(tokens, size + halo)[::size]  # (tiles, T + 2 window)
    v = V.take(centres, axis=0).reshape(n_tiles, size, -1)
    u = U.take(np.concatenate([contexts, negatives], axis=1), axis=0)  # (tiles, T + 2 window + N, d)
    logits = v @ u.transpose(0, 2, 1)  # (tiles, T, T + 2 window + N)
    g = np.zeros_like(logits)
    band(g, reach)[...] = (1 - sigma(band(logits, reach))) * used
    g[:, :, size + halo :] = sigma(logits[:, :, size + halo :])
    g[:, :, size + halo :] *= -negative_weights(contexts, used, negatives, negative)
    g *= np.float32(alpha)
    dv = g @ u
    du = g.transpose(0, 2, 1) @ v

    # A halo's context rows belong to the next tile too: add the terms of a position first, then once to its row.
    positions = np.zeros(((n_tiles + 1) * size, V.shape[1]), np.float32)
    whole = positions.reshape(n_tiles + 1, size, -1)
    whole[:-1] = du[:, :size]
    whole[1:, :halo] += du[:, size : size + halo]
    add_rows(V, centres, dv)
    add_rows(U, tokens, positions[: len(tokens)])
    add_rows(U, negatives.ravel(), du[:, size + halo :])


def train_tiles(
    corpus: Ids,
    model: Model,
    sampling: Sampling,
    config: TrainConfig,
    size: int = TILE,
    n_negatives: int = NEGATIVES,
    batch: int = TILES,
) -> tuple[float, int, int, int]:
    """Train all tokens and return seconds, pairs, tokens trained and terms computed."""
    rng = np.random.default_rng(config.seed)
    window = config.window
    size = max(size, 2 * window)
    began = time.perf_counter()
    position = pairs = trained = 0
    while position < len(corpus.ids):
        stop = next_cut(corpus.offsets, position + BLOCK)
        block = windows(corpus.ids, corpus.offsets, position, stop, sampling.keep, window, rng)
        n = len(block.tokens)
        n_tiles = -(-n // size)
        padded = np.zeros(n_tiles * size + 2 * window, np.int64)
        padded[window : window + n] = block.tokens
        used = np.zeros((n_tiles, size, 2 * window + 1), np.bool_)
        used.reshape(-1, 2 * window + 1)[:n] = block.used
        negatives = draw_noise(sampling.noise, (n_tiles, n_negatives), rng)
        for a in range(0, n_tiles, batch):
            b = min(a + batch, n_tiles)
            part = padded[a * size : b * size + 2 * window]
            tiles_step(model.V, model.U, part, used[a:b], negatives[a:b], config.negative, config.alpha)
        pairs += int(np.count_nonzero(block.used))
        trained += n
        position = stop
    return time.perf_counter() - began, pairs, trained, pairs + trained * n_negatives


# ------------------------------------------------------------------------------------- against fastw2v.reference


def pairs_gradient(
    V: Floats, U: Floats, centres: Ints, outsides: Ints, negatives: Ints
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Sum `reference.negative_sampling` over the pairs of a batch, one by one; arguments as for `pairs_step`."""
    dV, dU = np.zeros_like(V), np.zeros_like(U)
    for centre, outside, drawn in zip(centres, outsides, negatives, strict=True):
        others = drawn[drawn != outside]
        _, dv, du, dn = reference.negative_sampling(V[centre], outside, others, U)
        dV[centre] += dv
        dU[outside] += du
        np.add.at(dU, others, dn)
    return dV, dU


def tiles_gradient(
    V: Floats, U: Floats, tokens: Ints, used: NDArray[np.bool_], negatives: Ints, negative: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Sum `reference.negative_sampling` over the pairs of tiles, noise terms times K / N; see `tiles_step`."""
    dV, dU = np.zeros_like(V), np.zeros_like(U)
    _, size, reach = used.shape
    weight = negative / negatives.shape[1]
    for b, i, o in zip(*np.nonzero(used), strict=True):
        centre, outside = tokens[b * size + i + reach // 2], tokens[b * size + i + o]
        others = negatives[b][negatives[b] != outside]
        _, dv_positive, du, _ = reference.negative_sampling(V[centre], outside, [], U)
        _, dv, _, dn = reference.negative_sampling(V[centre], outside, others, U)
        dV[centre] += dv_positive + weight * (dv - dv_positive)
        dU[outside] += du
        np.add.at(dU, others, weight * dn)
    return dV, dU


def validate(vector_size: int, window: int = 5, negative: int = 5, seed: int = 0) -> None:
    """Compare one step of both formulations with the reference's gradients, in float64, on a small vocabulary.

    Raises:
        AssertionError: they differ by more than float32 can explain.
    """
    rng = np.random.default_rng(seed)
    n_words, alpha = 30, 0.05
    V, U = (rng.normal(size=(n_words, vector_size)).astype(np.float32) / 4 for _ in "VU")
    ids, offsets = rng.integers(0, n_words, 200), np.array([0, 1, 90, 90, 200])
    block = windows(ids, offsets, 0, 200, np.full(n_words, 2**31, np.uint32), window, rng)
    i, o = np.nonzero(block.used)
    batch = (block.tokens[i], block.tokens[i + o - window], rng.integers(0, n_words, (len(i), negative)))

    size, n_tiles = 2 * window + 3, 3
    padded = np.concatenate([block.tokens, np.zeros(n_tiles * size + 2 * window, np.int64)])
    used = np.zeros((n_tiles, size, 2 * window + 1), np.bool_)
    inside = block.used[window : window + n_tiles * size]
    used.reshape(-1, 2 * window + 1)[: len(inside)] = inside
    tiles = (padded[: n_tiles * size + 2 * window], used, rng.integers(0, n_words, (n_tiles, 7)), negative)

    for step, gradient, arguments in ((pairs_step, pairs_gradient, batch), (tiles_step, tiles_gradient, tiles)):
        new_V, new_U = V.copy(), U.copy()
        step(new_V, new_U, *arguments, alpha)
        dV, dU = gradient(V.astype(np.float64), U.astype(np.float64), *arguments)
        np.testing.assert_allclose(new_V, V - alpha * dV, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(new_U, U - alpha * dU, rtol=1e-4, atol=1e-5)
