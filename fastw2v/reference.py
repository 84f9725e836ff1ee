r"""The mathematics, in NumPy. Every kernel is tested and benchmarked against this file.

Notation: ``V[c]`` is the centre row v_c, ``U[o]`` the outside row u_o, both of length d; rows are words.
sigma(x) = 1 / (1 + exp(-x)); yhat = softmax(U v_c); y is one-hot at o. Everything computes in the dtype of
its arrays: pass float64 to check a derivative.

From objective to update. Skip-gram wants the words around a centre to be likely. The full softmax,
``J = -log yhat_o = -u_o.v_c + log sum_w exp(u_w.v_c)``, has gradients::

    dJ/dv_c = -u_o + sum_w yhat_w u_w = U^T (yhat - y)
    dJ/du_w = (yhat_w - y_w) v_c

and costs O(n_words) per pair. Negative sampling (Mikolov et al. 2013, equation 4) asks instead to tell o from K noise
words, ``J = -log sigma(u_o.v_c) - sum_k log sigma(-u_k.v_c)``, at O(K). With d/dx log sigma(x) = 1 - sigma(x)::

    dJ/dv_c = -(1 - sigma(u_o.v_c)) u_o + sum_k (1 - sigma(-u_k.v_c)) u_k
    dJ/du_o = -(1 - sigma(u_o.v_c)) v_c
    dJ/du_k =  (1 - sigma(-u_k.v_c)) v_c  =  sigma(u_k.v_c) v_c

A step of size alpha along minus these, with label 1 for o and 0 for noise, is for every target row u the pair of lines
that all kernels run: ``g = alpha (label - sigma(u.v)); v += g u; u += g v``.

The second half of the file are the kernels' twins: same names, same argument order, same random stream.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .pair import LOSS, PAIRS, PIECE, TRAINED

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
    share = weights * (n / np.cumsum(weights)[-1])  # in order, as the kernel sums
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
    end v_c += grad. A target met again sees its row as the first time left it; without repeats the step is exactly
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


def train_span(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    start: int,
    stop: int,
    V: Array,
    U: Array,
    noise: NDArray[np.uint64],
    keep: NDArray[np.uint32],
    window: int,
    negative: int,
    alpha: float,
    alpha_step: float,
    rng: NDArray[np.uint64],
    tokens: NDArray[np.int32],
    negatives: NDArray[np.int32],
    grad: Array,
    tally: NDArray[np.float64],
) -> None:
    """Twin of `pair.train_span`."""
    position = start
    while position < stop:
        sentence = int(np.searchsorted(offsets, position, side="right")) - 1
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

        rate = alpha + alpha_step * position
        for i in range(len(before), len(before) + len(centres)):
            reach = window - draw_below(rng, window)
            for j in range(max(0, i - reach), min(len(kept), i + reach + 1)):
                if j == i:
                    continue
                n = draw_negatives(rng, noise, kept[j], negatives[:negative])
                tally[LOSS] += update_pair(V, U, kept[i], kept[j], negatives[:n], rate, grad)
                tally[PAIRS] += 1
        tally[TRAINED] += len(centres)
        position = end


def train_chunk(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    cuts: NDArray[np.int64],
    V: Array,
    U: Array,
    noise: NDArray[np.uint64],
    keep: NDArray[np.uint32],
    window: int,
    negative: int,
    alpha: float,
    alpha_step: float,
    rng: NDArray[np.uint64],
    tokens: NDArray[np.int32],
    negatives: NDArray[np.int32],
    grad: Array,
    tally: NDArray[np.float64],
) -> None:
    """Twin of `parallel.train_chunk`: the workers one after the other, so nothing races."""
    for w in range(len(cuts) - 1):
        train_span(
            ids, offsets, int(cuts[w]), int(cuts[w + 1]), V, U, noise, keep, window, negative, alpha, alpha_step,
            rng[w], tokens[w], negatives[w], grad[w], tally[w],
        )  # fmt: skip
