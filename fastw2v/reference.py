r"""The mathematics, in NumPy. Every kernel is tested and benchmarked against this file.

Notation: ``V[c]`` is the centre row v_c, ``U[o]`` the outside row u_o, both of length d; rows are words.
sigma(x) = 1 / (1 + exp(-x)); yhat = softmax(U v_c); y is one-hot at o. Everything computes in the dtype of
its arrays: pass float64 to check a derivative.

From objective to update. Skip-gram wants the words around a centre to be likely. The full softmax,
``J = -log yhat_o = -u_o.v_c + log sum_w exp(u_w.v_c)``, has gradients::

    dJ/dv_c = -u_o + sum_w yhat_w u_w = U^T (yhat - y)
    dJ/du_w = (yhat_w - y_w) v_c

and costs O(n_words) per pair. Negative sampling (Mikolov et al. 2013, equation 4) learns instead to tell o from K noise
words, ``J = -log sigma(u_o.v_c) - sum_k log sigma(-u_k.v_c)``, at O(K). With d/dx log sigma(x) = 1 - sigma(x)::

    dJ/dv_c = -(1 - sigma(u_o.v_c)) u_o + sum_k (1 - sigma(-u_k.v_c)) u_k
    dJ/du_o = -(1 - sigma(u_o.v_c)) v_c
    dJ/du_k =  (1 - sigma(-u_k.v_c)) v_c  =  sigma(u_k.v_c) v_c

A step of size alpha along minus these, with label 1 for o and 0 for noise, is for every target row u the pair of lines
that all kernels run: ``g = alpha (label - sigma(u.v)); v += g u; u += g v``.

From pairs to tiles. With O_i the outside words of centre i and P the noise distribution, K draws for each pair, without
those that hit the pair's own outside word, have the mean cost::

    K sum_{o in O_i} sum_{w != o} P(w) l(i, w),    l(i, w) = -log sigma(-u_w.v_i)

A tile draws N noise words n_1..n_N once for all its centres and weights the term of centre i and n_k with
``K / N |{o in O_i : o != n_k}|``. Each n_k has distribution P, so the mean of the weighted terms of centre i is::

    N sum_w P(w) K / N |{o in O_i : o != w}| l(i, w)  =  K sum_{o in O_i} sum_{w != o} P(w) l(i, w)

which is the same cost. The gradient is linear in the terms, so its mean is the same too: it depends on the distribution
of each draw, and does not need draws that are independent between pairs. Sharing noise words adds variance, never bias.

From words to subwords. A composed centre vector (Bojanowski et al. 2017) is the mean of rows of V: G_c has the row of
word c and those of its character n-grams. Row r is in it m_cr times: an n-gram that a word has twice counts twice. All
pairs see V through v_c alone, so the chain rule gives::

    v_c = 1 / |G_c| sum_{r in G_c} V[r]          dJ/dV[r] = m_cr / |G_c| dJ/dv_c

A step along the true gradient moves v_c itself by -alpha sum_r (m_cr / |G_c|)^2 dJ/dv_c, about 1 / |G_c| of the step of
a word with a row of its own: a long word hardly learns. fastText instead adds the whole -alpha dJ/dv_c to each row,
m_cr times. Kernels here add it to each row once. When centre j is trained, the vector of word i then moves by
-alpha K_ij dJ/dv_j, where::

    K_ij = sum_{r in G_i and in G_j} m_ir / |G_i|,      K_ii = 1

or |G_i and G_j| / |G_i| where no n-gram is repeated. So v_c itself takes just the step of a word with a row of its own,
and the rows that it shares add what similar words learn. This is descent on the vectors themselves, with K as
preconditioner. K_ij is at most 1: no centre moves a vector further than its own. If the gradient were added m_cr times,
K_ii would be sum_r m_cr^2 / |G_c|, which grows with the length of words like ``aaaaaaaa``. The true gradient was
measured beside this one (``bench/NOTES.md``). It learns less at each learning rate that was tried, so kernels use the
whole one.

The second half of the file holds the kernels' twins: same names, same argument order, same random stream.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .graphs.walks import Bias, Graph
from .kernels.composed import ROW_BUCKETS
from .kernels.records import (
    LOSS,
    LOSS_PAIRS,
    PAIRS,
    TRAINED,
    Ahead,
    Model,
    Rate,
    Sampling,
    Shared,
    Text,
    Tile,
    Tiling,
    Worker,
)
from .kernels.spans import PIECE
from .kernels.tile import BUCKETS, LOSS_EVERY
from .subwords.ngrams import FLORET_SEED, Ngrams

Array = NDArray[np.floating]

# ---------------------------------------------------------------------------------------------- the mathematics


def logistic(x: Array) -> Array:
    """sigma(x) = 1 / (1 + exp(-x)), any shape; no overflow for either sign."""
    x = np.asarray(x)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def logistic_derivative(x: Array) -> Array:
    """sigma'(x) = sigma(x) (1 - sigma(x)), any shape."""
    return logistic(x) * logistic(-np.asarray(x))


def log_logistic(x: Array) -> Array:
    """Log sigma(x) = min(0, x) - log(1 + exp(-|x|)), any shape; linear, not -inf, far to the left."""
    x = np.asarray(x)
    return np.minimum(0, x) - np.log1p(np.exp(-np.abs(x)))


def log_softmax(z: Array) -> Array:
    """Log of softmax over the last axis: z - max z - log sum exp(z - max z). Same shape as z."""
    shifted = z - np.max(z, axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))
    return result


def softmax(z: Array) -> Array:
    """exp(z_i) / sum_j exp(z_j) over the last axis. Same shape as z."""
    return np.exp(log_softmax(z))


def cross_entropy(y: Array, yhat: Array) -> float:
    """-sum_i y_i log yhat_i for two distributions of shape (n_words,); terms with y_i = 0 count 0."""
    used = y > 0
    return float(-np.sum(y[used] * np.log(yhat[used])))


def naive_softmax(v_c: Array, outside: int, U: Array) -> tuple[float, Array, Array]:
    """Naive-softmax loss of one pair and its gradients; O(n_words).

    J = -log yhat_o,  dJ/dv_c = U^T (yhat - y),  dJ/du_w = (yhat_w - y_w) v_c, i.e. dJ/dU = (yhat - y) v_c^T.

    Args:
        v_c: (d,).
        outside: row of U.
        U: (n_words, d).

    Returns:
        J, dJ/dv_c (d,), dJ/dU (n_words, d).
    """
    log_yhat = log_softmax(U @ v_c)
    error = np.exp(log_yhat)
    error[outside] -= 1
    return float(-log_yhat[outside]), U.T @ error, np.outer(error, v_c)


def negative_sampling(
    v_c: Array, outside: int, negatives: Sequence[int] | NDArray[np.integer], U: Array
) -> tuple[float, Array, Array, Array]:
    """Negative-sampling loss of one pair and its gradients by row; O(K).

    J = -log sigma(u_o.v_c) - sum_k log sigma(-u_k.v_c)
    dJ/dv_c = (sigma(u_o.v_c) - 1) u_o + sum_k sigma(u_k.v_c) u_k
    dJ/du_o = (sigma(u_o.v_c) - 1) v_c
    dJ/du_k = sigma(u_k.v_c) v_c

    Args:
        v_c: (d,).
        outside: row of U.
        negatives: K rows of U, none equal to ``outside``; a word may be repeated.
        U: (n_words, d).

    Returns:
        J, dJ/dv_c (d,), dJ/du_o (d,), and (K, d) with one row per *draw* k. The gradient of a word drawn m times is
        the sum of its m rows: `add_by_row` forms it.

    Raises:
        ValueError: ``outside`` is among the negatives.
    """
    negatives = np.asarray(negatives, np.int64)
    if np.any(negatives == outside):
        raise ValueError(f"outside word {outside} is among its own negatives")
    u_o, u_k = U[outside], U[negatives]
    loss = -log_logistic(u_o @ v_c) - np.sum(log_logistic(-(u_k @ v_c)))
    error_o = -logistic(-(u_o @ v_c))  # sigma - 1, without cancellation
    error_k = logistic(u_k @ v_c)
    return float(loss), error_o * u_o + error_k @ u_k, error_o * v_c, np.outer(error_k, v_c)


def add_by_row(rows: Sequence[int] | NDArray[np.integer], terms: Array, shape: tuple[int, int]) -> Array:
    """Sum gradient terms (K, d) into a matrix of ``shape``: row w gets sum over i with rows[i] = w."""
    total = np.zeros(shape, terms.dtype)
    np.add.at(total, np.asarray(rows, np.int64), terms)
    return total


def negative_sampling_pair(
    draw: Callable[[int], Sequence[int] | NDArray[np.integer]],
) -> Callable[[Array, int, Array], tuple[float, Array, Array]]:
    """`negative_sampling` in the form `skipgram_window` takes; ``draw(outside)`` gives the noise words."""

    def pair(v_c: Array, outside: int, U: Array) -> tuple[float, Array, Array]:
        negatives = np.asarray(draw(outside), np.int64)
        loss, dv_c, du_o, du_k = negative_sampling(v_c, outside, negatives, U)
        dU = add_by_row([outside, *negatives], np.vstack([du_o, du_k]), U.shape)
        return loss, dv_c, dU

    return pair


def skipgram_window(
    centre: int,
    outsides: Sequence[int],
    V: Array,
    U: Array,
    pair: Callable[[Array, int, Array], tuple[float, Array, Array]] = naive_softmax,
) -> tuple[float, Array, Array]:
    """Loss and gradients of one window: J = sum over its outside words of J(v_c, w_{t+j}, U).

    dJ/dU and dJ/dv_c are the sums of the pairs' terms; dJ/dv_w = 0 for w != c.

    Args:
        centre: row of V.
        outsides: rows of U, one per context position.
        V: (n_words, d).
        U: (n_words, d).
        pair: loss and gradients of one pair, given v_c, outside and U.

    Returns:
        J, dJ/dV (n_words, d), dJ/dU (n_words, d).
    """
    loss, dV, dU = 0.0, np.zeros_like(V), np.zeros_like(U)
    for outside in outsides:
        pair_loss, dv_c, pair_dU = pair(V[centre], outside, U)
        loss += pair_loss
        dV[centre] += dv_c
        dU += pair_dU
    return loss, dV, dU


def composed_centre(rows: Sequence[int] | NDArray[np.integer], V: Array) -> Array:
    """Return v_c, the mean of rows of V; a row that is listed twice counts twice."""
    mean_of_rows: Array = V[np.asarray(rows, np.int64)].mean(axis=0)
    return mean_of_rows


def composed_gradient(rows: Sequence[int] | NDArray[np.integer], dv_c: Array, shape: tuple[int, int]) -> Array:
    """Return dJ/dV from dJ/dv_c, v_c being a `composed_centre`: a row that is m times in ``rows`` gets m / |G_c| of it.

    Args:
        rows: rows of V, G_c.
        dv_c: (d,).
        shape: that of V.
    """
    return add_by_row(rows, np.tile(dv_c / len(rows), (len(rows), 1)), shape)


# --------------------------------------------------------------------------------------------- the kernels' twins

_MASK_64 = 2**64 - 1


def next_u64(rng: NDArray[np.uint64]) -> int:
    """Twin of `sampling.next_u64`, in Python integers."""
    z = (int(rng[0]) + 0x9E3779B97F4A7C15) & _MASK_64
    rng[0] = z
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return z ^ (z >> 31)


def draw_below(rng: NDArray[np.uint64], n: int) -> int:
    """Twin of `sampling.draw_below`."""
    return ((next_u64(rng) >> 32) * n) >> 32


def build_alias(weights: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Twin of `sampling.build_alias`, with lists for the two stacks."""
    n = len(weights)
    share = weights * (n / np.cumsum(weights)[-1])  # in the order in which the kernel sums
    table = [0] * n
    small = [i for i in range(n) if share[i] < 1]
    large = [i for i in range(n) if share[i] >= 1]
    while small and large:
        i, j = small.pop(), large[-1]
        table[i] = int(share[i] * 2**32) << 32 | j
        share[j] -= 1 - share[i]
        if share[j] < 1:
            small.append(large.pop())
    for j in large:
        table[j] = j
    for i in small:
        table[i] = min(int(share[i] * 2**32), 2**32 - 1) << 32 | int(np.argmax(weights))
    return np.array(table, np.uint64)


def draw_noise(rng: NDArray[np.uint64], noise: NDArray[np.uint64]) -> int:
    """Twin of `sampling.draw_noise`."""
    bits = next_u64(rng)
    slot = ((bits >> 32) * len(noise)) >> 32
    threshold, alias = divmod(int(noise[slot]), 2**32)
    return slot if bits % 2**32 < threshold else alias


def draw_negatives(
    rng: NDArray[np.uint64], noise: NDArray[np.uint64], outside: int, negatives: NDArray[np.int32]
) -> int:
    """Twin of `sampling.draw_negatives`."""
    drawn = [draw_noise(rng, noise) for _ in range(len(negatives))]
    kept = [word for word in drawn if word != outside]
    negatives[: len(kept)] = kept
    return len(kept)


def draw_keep(rng: NDArray[np.uint64], keep: NDArray[np.uint32], word: int) -> bool:
    """Twin of `sampling.draw_keep`."""
    return next_u64(rng) >> 32 <= int(keep[word])


def update_pair(
    V: Array, U: Array, centre: int, outside: int, negatives: NDArray[np.int32], alpha: float, grad: Array
) -> float:
    """Twin of `pair.update_pair`: the sequential step on the table's gradients.

    For each target u in (u_o, u_k...) in turn: g = alpha (label - sigma(u.v_c)); grad += g u; u += g v_c. At the
    end v_c += grad. A repeated target sees its row as the previous step left it; without repeats the step is exactly
    -alpha times the gradient of `negative_sampling`.
    """
    d = V.shape[1]
    v, grad = V[centre], grad[:d]
    grad[:] = 0
    loss = 0.0
    for label, target in [(1, outside), *((0, word) for word in negatives)]:
        u = U[target]
        x = u @ v
        loss -= float(log_logistic(x if label else -x))
        g = V.dtype.type(alpha) * (logistic(-x) if label else -logistic(x))
        grad += g * u
        u += g * v
    v += grad
    return loss


def compose(model: Model, words: NDArray[np.int32], H: Array) -> None:
    """Twin of `composed.compose`."""
    V, d = model.V, model.vector_size
    for i, word in enumerate(words):
        parts = slice(*model.part_offsets[word : word + 2])
        H[i, :d] = model.part_shares[parts] @ V[model.part_rows[parts], :d]


def spread(model: Model, words: NDArray[np.int32], H: Array, before: Array) -> None:
    """Twin of `composed.spread`."""
    V, d = model.V, model.vector_size
    for i, word in enumerate(words):
        parts = slice(*model.part_offsets[word : word + 2])
        np.add.at(V[:, :d], model.part_rows[parts], H[i, :d] - before[i, :d])


def fitting_centres(model: Model, words: NDArray[np.int32], copies: int, met: NDArray[np.int32], base: int) -> int:
    """Twin of `composed.fitting_centres`."""
    counted: Counter[int] = Counter()
    for n, word in enumerate(words):
        parts = slice(*model.part_offsets[word : word + 2])
        rows, moved = (model.part_rows[parts] % ROW_BUCKETS).tolist(), 0.0
        for share, row in zip(model.part_shares[parts], rows, strict=True):
            moved += share * counted[row]
            counted[row] += 1
        if moved > copies - 0.5:
            return max(n, 1)
    return len(words)


def train_span(text: Text, start: int, stop: int, model: Model, sampling: Sampling, rate: Rate, worker: Worker) -> None:
    """Twin of `pair.train_span`."""
    (ids, offsets), V, U = text, model.V, model.U
    (noise, keep, window, negative), (rng, _, negatives, _, grad, tally) = sampling, worker
    H = np.zeros((1, V.shape[1]), V.dtype)
    position = start
    while position < stop:
        sentence = sentence_of(offsets, position)
        first, last = int(offsets[sentence]), int(offsets[sentence + 1])
        end = min(first + ((position - first) // PIECE + 1) * PIECE, last, stop)

        before: list[int] = []
        for i in range(position - 1, first - 1, -1):
            if len(before) == window:
                break
            if draw_keep(rng, keep, ids[i]):
                before.insert(0, int(ids[i]))
        centres = [int(ids[i]) for i in range(position, end) if draw_keep(rng, keep, ids[i])]
        after: list[int] = []
        for i in range(end, last):
            if len(after) == window:
                break
            if draw_keep(rng, keep, ids[i]):
                after.append(int(ids[i]))
        kept = before + centres + after

        alpha = rate.alpha + rate.step * position
        for i in range(len(before), len(before) + len(centres)):
            reach = window - draw_below(rng, window)
            rows, centre, words = V, kept[i], np.array(kept[i : i + 1], np.int32)
            if len(model.part_offsets):
                compose(model, words, H)
                rows, centre, before_it = H, 0, H.copy()
            for j in range(max(0, i - reach), min(len(kept), i + reach + 1)):
                if j == i:
                    continue
                n = draw_negatives(rng, noise, kept[j], negatives[:negative])
                tally[LOSS] += update_pair(rows, U, centre, kept[j], negatives[:n], alpha, grad)
                tally[PAIRS] += 1
                tally[LOSS_PAIRS] += 1
            if len(model.part_offsets):
                spread(model, words, H, before_it)
        tally[TRAINED] += len(centres)
        position = end


def _worker(workers: Worker, w: int) -> Worker:
    return Worker(*(array[w] for array in workers))


def train_chunk(
    text: Text,
    cuts: NDArray[np.int64],
    model: Model,
    sampling: Sampling,
    rate: Rate,
    workers: Worker,
    taken: NDArray[np.int64],
) -> None:
    """Twin of `parallel.train_chunk`: the workers in turn, so nothing races."""
    for k in range(len(cuts) - 1):
        worker = _worker(workers, k % len(workers.rng))
        train_span(text, int(cuts[k]), int(cuts[k + 1]), model, sampling, rate, worker)


def mark_words(ids: NDArray[np.int32], marked: NDArray[np.uint8]) -> None:
    """See `finite.mark_words`."""
    marked[ids] = 1


def rows_are_finite(M: NDArray[np.uint32], marked: NDArray[np.uint8], start: int, stop: int) -> bool:
    """See `finite.rows_are_finite`."""
    return bool(np.isfinite(M.view(np.float32)[start:stop][marked[start:stop] != 0]).all())


def take_delta(current: Array, base: Array, delta: Array, touched: NDArray[np.uint8]) -> None:
    """See `merging.take_delta`."""
    columns = delta.shape[1]
    delta[:] = current[:, :columns] - base[:, :columns]
    touched[:] = np.any(delta != 0, axis=1)


def add_delta(base: Array, merged: Array, current: Array) -> None:
    """See `merging.add_delta`."""
    columns = merged.shape[1]
    base[:, :columns] += merged
    current[:, :columns] = base[:, :columns]


def add_rows(delta: Array, touched: NDArray[np.uint8], total: Array) -> None:
    """See `merging.add_rows`."""
    total += np.where(touched[:, None] != 0, delta, 0)


def mean(deltas: Sequence[Array], touched: Sequence[NDArray[np.uint8]], out: Array) -> None:
    """See `merging.mean`."""
    marks = np.stack(touched)[:, :, None] != 0  # (nodes, rows, 1)
    out[:] = np.sum(np.stack(deltas), axis=0, where=marks) / len(deltas)


def sentence_of(offsets: NDArray[np.int64], position: int) -> int:
    """Twin of `spans.sentence_of`."""
    return max(int(np.searchsorted(offsets[:-1], position, side="right")) - 1, 0)


def next_block(offsets: NDArray[np.int64], sentence: int, position: int) -> int:
    """Twin of `spans.next_block`: it looks up the sentence and tries its places for a cut."""
    place = (position // PIECE + 1) * PIECE
    if place >= offsets[-1]:
        return int(offsets[-1])
    sentence = sentence_of(offsets, place)
    first, last = int(offsets[sentence]), int(offsets[sentence + 1])
    return next((start for start in range(first, last, PIECE) if start >= place), last)


def tile_step(
    model: Model,
    tile: Tile,
    shared: Shared,
    alpha: float,
    want_loss: bool,
    ahead: Ahead,
    floats: Array,
    integers: NDArray[np.int32],
) -> float:
    """Twin of `tile.tile_step`: J = sum over pairs of -log sigma(u_o.v_c) + sum_in weights_in -log sigma(-u_n.v_i).

    All gradients are computed before any row moves; a row that is in the tile several times gets the sum.
    """
    V, U, vector_size = model.V, model.U, model.vector_size
    (centres, contexts, first, last, skip), (negatives, weights) = tile, shared
    T, N = len(centres), len(negatives)
    i, j = np.array([(i, j) for i in range(T) for j in range(first[i], last[i]) if j != skip + i], int).reshape(-1, 2).T
    v, u_o, u_n = V[centres, :vector_size], U[contexts, :vector_size], U[negatives, :vector_size]
    weights = weights[: T * N].reshape(T, N)
    x_pair = np.sum(v[i] * u_o[j], axis=1)  # (pairs,)
    x_noise = v @ u_n.T  # (T, N)
    loss = -np.sum(log_logistic(x_pair)) - np.sum(weights * log_logistic(-x_noise))

    step = V.dtype.type(alpha)
    g_pair = step * logistic(-x_pair)[:, None]
    g_noise = -step * weights * logistic(x_noise)
    np.add.at(V[:, :vector_size], centres[i], g_pair * u_o[j])
    np.add.at(V[:, :vector_size], centres, g_noise @ u_n)
    np.add.at(U[:, :vector_size], contexts[j], g_pair * v[i])
    np.add.at(U[:, :vector_size], negatives, g_noise.T @ v)
    return float(loss) if want_loss else 0.0


def read_block(
    text: Text,
    sentence: int,
    start: int,
    stop: int,
    sampling: Sampling,
    worker: Worker,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Twin of `tile.read_block`."""
    (ids, offsets), window, rng, tokens = text, sampling.window, worker.rng, worker.tokens

    def survivors(places: range, most: int | None = None) -> list[int]:
        kept: list[int] = []
        for k in places:
            if len(kept) == most:
                break
            if draw_keep(rng, sampling.keep, ids[k]):
                kept.append(int(ids[k]))
        return kept

    kept = survivors(range(start - 1, int(offsets[sentence]) - 1, -1), window)[::-1]
    low, centres_end = window - len(kept), window
    position, sentence_start = start, low
    while position < stop:
        sentence = sentence_of(offsets, position)
        end = min(stop, int(offsets[sentence + 1]))
        own = survivors(range(position, end))
        after = survivors(range(end, int(offsets[sentence + 1])), window)  # of the last sentence only
        centre, centres_end = centres_end, centres_end + len(own)
        for k in range(centre, centres_end):
            reach = window - draw_below(rng, window)
            left[k] = max(sentence_start, k - reach)
            right[k] = min(centres_end + len(after), k + reach + 1)
        kept += own + after
        position, sentence_start = end, centres_end
    tokens[low : low + len(kept)] = kept
    return low, centres_end, low + len(kept)


def tile_span(
    text: Text, start: int, stop: int, model: Model, sampling: Sampling, tiling: Tiling, rate: Rate, worker: Worker
) -> None:
    """Twin of `tile.tile_span`: a noise word drawn twice is in the tile twice, and each copy has its own weight."""
    (noise, _, window, negative), (centres, shared, strips, copies) = sampling, tiling
    rng, tokens, negatives, integers, floats, tally = worker
    left, right = np.zeros_like(tokens), np.zeros_like(tokens)
    distances = [*range(-window, 0), *range(1, window + 1)]
    strip_of = [distances[2 * window * s // strips : 2 * window * (s + 1) // strips] for s in range(strips)]
    position = start
    while position < stop:
        sentence = sentence_of(text.offsets, position)
        end = min(next_block(text.offsets, sentence, position), stop)
        _, n, high = read_block(text, sentence, position, end, sampling, worker, left, right)
        every = min(max((n - window) * strips // centres // 4, 1), LOSS_EVERY)
        turn = draw_below(rng, every)
        now = [draw_noise(rng, noise) for _ in range(shared)]
        c = window
        while c < n:
            T, seen = 0, [0] * BUCKETS
            if len(model.part_offsets):
                T = fitting_centres(model, tokens[c : min(c + centres, n)], copies, integers, 0)
            for word in tokens[c : min(c + centres, n)] if T == 0 else []:
                if seen[word % BUCKETS] == copies:
                    break
                seen[word % BUCKETS] += 1
                T += 1
            for strip in strip_of:
                later = [draw_noise(rng, noise) for _ in range(shared)]
                outside = [[k for k in range(left[i], right[i]) if k - i in strip] for i in range(c, c + T)]
                pairs = sum(len(places) for places in outside)
                weights = [
                    negative / shared * sum(tokens[k] != word for k in places) for places in outside for word in now
                ]
                if pairs > 0:
                    words, rows, trained = tokens[c : c + T], tokens[c : c + T], model
                    if len(model.part_offsets):
                        H = np.zeros((T, model.V.shape[1]), model.V.dtype)
                        compose(model, words, H)
                        rows, trained, before = np.arange(T, dtype=np.int32), Model(H, *model[1:3]), H.copy()
                    tile = Tile(
                        rows,
                        tokens[:high],
                        np.array([min(places, default=0) for places in outside], np.int32),
                        np.array([max(places, default=-1) + 1 for places in outside], np.int32),
                        c,
                    )
                    noise_words = Shared(np.array(now, np.int32), np.array(weights, model.V.dtype))
                    ahead, alpha = Ahead(tokens[:0], negatives[:0]), rate.alpha + rate.step * position
                    loss = tile_step(trained, tile, noise_words, alpha, turn == 0, ahead, floats, integers)
                    if len(model.part_offsets):
                        spread(model, words, H, before)
                    if turn == 0:
                        tally[LOSS] += every * loss
                        tally[LOSS_PAIRS] += every * pairs
                    tally[PAIRS] += pairs
                turn = (turn - 1) % every
                now = later
            c += T
        tally[TRAINED] += n - window
        position = end


def tile_chunk(
    span: int,
    text: Text,
    cuts: NDArray[np.int64],
    model: Model,
    sampling: Sampling,
    tiling: Tiling,
    rate: Rate,
    workers: Worker,
    taken: NDArray[np.int64],
) -> None:
    """Twin of `parallel.tile_chunk`: the workers in turn, so nothing races; it ignores ``span``."""
    for k in range(len(cuts) - 1):
        worker = _worker(workers, k % len(workers.rng))
        tile_span(text, int(cuts[k]), int(cuts[k + 1]), model, sampling, tiling, rate, worker)


# ------------------------------------------------------------------------------------------------------- subwords


def hash_bytes(letters: NDArray[np.uint8], start: int, stop: int) -> int:
    """Twin of `ngrams.hash_bytes`: FNV-1a, in Python integers, of bytes taken as signed ones."""
    h = 2_166_136_261
    for letter in letters[start:stop].view(np.int8):
        h = (h ^ int(letter) % 2**32) * 16_777_619 % 2**32
    return h


def rotated(x: int, n: int) -> int:
    """Twin of `ngrams.rotated`."""
    return (x << n | x >> 64 - n) & _MASK_64


def finished(x: int) -> int:
    """Twin of `ngrams.finished`."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x = (x ^ x >> 33) * factor & _MASK_64
    return x ^ x >> 33


def little_endian(letters: NDArray[np.uint8], start: int, stop: int) -> int:
    """Twin of `ngrams.little_endian`."""
    return int.from_bytes(letters[start:stop].tobytes(), "little")


def murmur(letters: NDArray[np.uint8], start: int, stop: int, seed: int) -> tuple[int, int]:
    """Return the two halves of the MurmurHash3 of some bytes, x64, 128 bits, by Austin Appleby.

    Both halves start as the seed. Each block of 16 bytes is two numbers; each is turned and added to a half, and the
    halves stir each other. What is left of a last block is added without stirring.
    """
    data = letters[start:stop].tobytes()
    c, d = 0x87C37B91114253D5, 0x4CF5AD432745937F
    a = b = seed
    for i in range(0, len(data), 16):
        block = data[i : i + 16]
        low, high = int.from_bytes(block[:8], "little"), int.from_bytes(block[8:], "little")
        a ^= rotated(low * c & _MASK_64, 31) * d & _MASK_64
        if len(block) == 16:
            a = (rotated(a, 27) + b) * 5 + 0x52DCE729 & _MASK_64
        b ^= rotated(high * d & _MASK_64, 33) * c & _MASK_64
        if len(block) == 16:
            b = (rotated(b, 31) + a) * 5 + 0x38495AB5 & _MASK_64
    a, b = a ^ len(data), b ^ len(data)
    a = a + b & _MASK_64
    b = b + a & _MASK_64
    a, b = finished(a), finished(b)
    return a + b & _MASK_64, a + 2 * b & _MASK_64


def put_buckets(
    letters: NDArray[np.uint8], start: int, stop: int, ngrams: Ngrams, rows: NDArray[np.int64], n: int
) -> None:
    """Twin of `ngrams.put_buckets`."""
    raw = b"".join(half.to_bytes(8, "little") for half in murmur(letters, start, stop, FLORET_SEED))
    words = np.frombuffer(raw, "<u4").astype(np.int64)
    rows[n : n + ngrams.hash_count] = words[: ngrams.hash_count] % ngrams.bucket


def ngram_buckets(
    letters: NDArray[np.uint8], offsets: NDArray[np.int64], ngrams: Ngrams, starts: NDArray[np.int64], own_rows: bool
) -> NDArray[np.int64]:
    """Twin of `ngrams.ngram_buckets`, which cuts each word into characters first."""
    rows: list[int] = []
    n_own = len(offsets) - 1 if own_rows and ngrams.own_rows else 0

    def put(ngram: bytes) -> None:
        raw, buckets = np.frombuffer(ngram, np.uint8), np.zeros(ngrams.hash_count, np.int64)
        put_buckets(raw, 0, len(raw), ngrams, buckets, 0)
        rows.extend(buckets.tolist() or [n_own + hash_bytes(raw, 0, len(raw)) % ngrams.bucket])

    for w, (first, last) in enumerate(pairwise(offsets)):
        starts[w] = len(rows)
        characters = re.findall(rb"[^\x80-\xbf][\x80-\xbf]*", letters[first:last].tobytes())
        if ngrams.hash_count and last - first <= 2:
            continue
        if ngrams.hash_count:
            put(b"".join(characters))
        rows += [w] * (n_own > 0)
        for i in range(len(characters)):
            for length in range(ngrams.min_n, min(ngrams.max_n, len(characters) - i) + 1):
                if ngrams.hash_count or length > 1 or i not in (0, len(characters) - 1):
                    put(b"".join(characters[i : i + length]))
    starts[len(offsets) - 1] = len(rows)
    return np.array(rows, np.int64)


def floret_buckets(word: str, ngrams: Ngrams) -> list[int]:
    """Return the buckets of a word in floret's way: those of ``<word>``, then those of each of its n-grams.

    Each has the first ``hash_count`` 32-bit words of its hash as buckets. The vector of the word, in the vocabulary or
    not, is the mean of the rows of all of them.
    """
    letters = f"<{word}>"
    found = [letters] if word else []
    for start in range(len(letters) if word else 0):
        stops = range(start + ngrams.min_n, min(start + ngrams.max_n, len(letters)) + 1)
        found += [letters[start:stop] for stop in stops]
    buckets = []
    for ngram in found:
        raw = np.frombuffer(ngram.encode(), np.uint8)
        halves = murmur(raw, 0, len(raw), FLORET_SEED)
        words = [part for half in halves for part in (half % 2**32, half >> 32)]
        buckets += [part % ngrams.bucket for part in words[: ngrams.hash_count]]
    return buckets


def sign_rows(starts: NDArray[np.int64], rows: NDArray[np.int64], signs: NDArray[np.uint64]) -> None:
    """Twin of `composition.sign_rows`: a word's number is the next one of a random stream."""
    rng = np.zeros(1, np.uint64)
    for start, stop in pairwise(starts):
        number = next_u64(rng)
        for row in set(rows[start:stop]):
            signs[row] = (int(signs[row]) + number) & _MASK_64


def count_rows(
    starts: NDArray[np.int64], rows: NDArray[np.int64], counts: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Twin of `composition.count_rows`."""
    np.add.at(sums, rows[: starts[-1]], np.repeat(counts, np.diff(starts)))


def merge_rows(
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    row_of: NDArray[np.int32],
    offsets: NDArray[np.int64],
    shares: NDArray[np.float32],
) -> int:
    """Twin of `composition.merge_rows`."""
    n = 0
    for w, (start, stop) in enumerate(pairwise(starts)):
        offsets[w] = n
        for row, times in Counter(row_of[rows[start:stop]].tolist()).items():  # In the order of their first places.
            rows[n], shares[n] = row, times / (stop - start)
            n += 1
    offsets[len(starts) - 1] = n
    return n


def largest_crowd(
    offsets: NDArray[np.int64],
    rows: NDArray[np.int32],
    shares: NDArray[np.float32],
    kept: NDArray[np.float64],
    met: NDArray[np.float64],
) -> float:
    """Twin of `composition.largest_crowd`."""
    word = np.repeat(np.arange(len(kept)), np.diff(offsets))
    np.add.at(met, rows, kept[word])
    return float(np.bincount(word, shares * met[rows]).max())


# ------------------------------------------------------------------------------------------------- walks on graphs


def alias_tables(offsets: NDArray[np.int64], weights: NDArray[np.float64], tables: NDArray[np.uint64]) -> None:
    """Twin of `walks.alias_tables`."""
    for start, stop in pairwise(offsets):
        if stop > start:
            tables[start:stop] = build_alias(weights[start:stop])


def draw_unit(rng: NDArray[np.uint64]) -> float:
    """Twin of `walks.draw_unit`."""
    return (next_u64(rng) >> 11) / 2**53


def find_edge(graph: Graph, node: int, other: int) -> int:
    """Twin of `walks.find_edge`, without bisection."""
    start, stop = graph.offsets[node], graph.offsets[node + 1]
    found = np.flatnonzero(graph.neighbours[start:stop] == other)
    return int(start + found[0]) if len(found) else -1


def draw_edge(graph: Graph, node: int, rng: NDArray[np.uint64]) -> int:
    """Twin of `walks.draw_edge`."""
    start, stop = map(int, graph.offsets[node : node + 2])
    drawn = draw_noise(rng, graph.alias[start:stop]) if len(graph.alias) else draw_below(rng, stop - start)
    return start + drawn


def step_masses(graph: Graph, bias: Bias, previous: int, node: int) -> Array:
    """Return what the probability of each neighbour of ``node`` is in proportion to (Grover and Leskovec 2016, 3.2).

    It is w(v, x) alpha(t, x): alpha is 1 / p if x is t, 1 if an edge leads from t to x, and 1 / q otherwise.
    """
    start, stop = graph.offsets[node], graph.offsets[node + 1]
    masses = []
    for place in range(start, stop):
        other = graph.neighbours[place]
        alpha = 1 / bias.p if other == previous else 1.0 if find_edge(graph, previous, other) >= 0 else 1 / bias.q
        masses.append(alpha * (float(graph.shares[place]) if len(graph.shares) else 1.0))
    return np.array(masses)


def scan_step(graph: Graph, bias: Bias, previous: int, node: int, rng: NDArray[np.uint64]) -> int:
    """Twin of `walks.scan_step`."""
    sums = np.cumsum(step_masses(graph, bias, previous, node))
    above = np.flatnonzero(sums > draw_unit(rng) * sums[-1])
    place = above[0] if len(above) else len(sums) - 1
    return int(graph.neighbours[graph.offsets[node] + place])


def next_step(graph: Graph, bias: Bias, previous: int, node: int, rng: NDArray[np.uint64]) -> int:
    """Twin of `walks.next_step`."""
    start, stop = graph.offsets[node], graph.offsets[node + 1]
    degree = int(stop - start)
    if degree == 1:
        return int(graph.neighbours[start])
    back, out = 1 / bias.p, 1 / bias.q
    bound = max(1.0, out)
    place = find_edge(graph, node, previous)
    share = 1 / degree if not len(graph.shares) else float(graph.shares[place])
    extra = share * (back - bound) if back > bound and place >= 0 else 0.0
    for _ in range(degree):
        if extra > 0 and draw_unit(rng) * (bound + extra) < extra:
            return previous
        other = int(graph.neighbours[draw_edge(graph, node, rng)])
        alpha = back if other == previous else 1.0 if find_edge(graph, previous, other) >= 0 else out
        if draw_unit(rng) * bound < alpha:
            return other
    return scan_step(graph, bias, previous, node, rng)


def walk_nodes(
    graph: Graph,
    bias: Bias,
    starts: NDArray[np.int32],
    streams: NDArray[np.uint64],
    walks: NDArray[np.int32],
    lengths: NDArray[np.int64],
) -> None:
    """Twin of `walks.walk_nodes`."""
    for k, start in enumerate(starts):
        rng, walk = streams[k : k + 1], [int(start)]
        while len(walk) < walks.shape[1] and graph.offsets[walk[-1]] < graph.offsets[walk[-1] + 1]:
            if len(walk) == 1 or (bias.p == 1 and bias.q == 1):
                walk.append(int(graph.neighbours[draw_edge(graph, walk[-1], rng)]))
            else:
                walk.append(next_step(graph, bias, walk[-2], walk[-1], rng))
        walks[k, : len(walk)] = walk
        lengths[k] = len(walk)


def close_gaps(walks: NDArray[np.int32], lengths: NDArray[np.int64], flat: NDArray[np.int32]) -> int:
    """Twin of `walks.close_gaps`."""
    joined = np.concatenate([walk[:length] for walk, length in zip(walks, lengths, strict=True)])
    flat[: len(joined)] = joined
    return len(joined)
