"""The pair kernel: word2vec.c's algorithm, one (centre, outside) pair after the other.

`update_pair` is one gradient step, `train_span` walks the tokens of one worker; `parallel.py` runs one span per
worker. Their NumPy twins, with the derivation, are in `reference.py` under the same names.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .composed import compose, spread
from .records import LOSS, LOSS_PAIRS, PAIRS, TRAINED, Model, Rate, Sampling, Text, Worker
from .sampling import draw_below, draw_keep, draw_negatives
from .spans import PIECE


@jit(borrows=True)
def update_pair(
    V: NDArray[np.float32],
    U: NDArray[np.float32],
    centre: int,
    outside: int,
    negatives: NDArray[np.int32],
    alpha: np.float32,
    grad: NDArray[np.float32],
) -> float:
    """Take one stochastic gradient step on a (centre, outside) pair and return its loss before the step.

    Each target row of U is updated at once, ``V[centre]`` after the last one, as in word2vec.c.

    Args:
        V: centre rows, shape ``(n_words, d)``, updated in place.
        U: outside rows, shape ``(n_words, d)``, updated in place.
        centre: row of V.
        outside: row of U that is the positive target.
        negatives: rows of U that are noise targets, none equal to ``outside``; repeats count each time. At most
            1,000, so that the product below can't overflow.
        alpha: learning rate.
        grad: scratch, shape ``(>= d,)``.
    """
    d = V.shape[1]
    v = V[centre]  # v: (d,)
    for k in range(d):
        grad[k] = np.float32(0.0)
    hinge: Any = 0.0
    product = 1.0
    for i in range(-1, len(negatives)):
        u = U[outside] if i < 0 else U[negatives[i]]  # u: (d,)
        x = np.float32(0.0)
        for k in range(d):
            x += u[k] * v[k]
        e = math.exp(-abs(x))  # In (0, 1]: neither tail overflows.
        sigma: Any = np.float32(1.0) / (np.float32(1.0) + e)
        if x < np.float32(0.0):
            sigma *= e
        # -log sigma(s x) = max(0, -s x) + log(1 + exp(-|x|)). One log of a product replaces the logs of a pair.
        if i < 0:
            hinge += max(-x, np.float32(0.0))
            g = alpha * (np.float32(1.0) - sigma)
        else:
            hinge += max(x, np.float32(0.0))
            g = -alpha * sigma
        product *= 1.0 + np.float64(e)
        for k in range(d):
            grad[k] += g * u[k]
            u[k] += g * v[k]
    for k in range(d):
        v[k] += grad[k]
    return hinge + math.log(product)  # type: ignore[no-any-return]


@jit(borrows=True)
def train_span(text: Text, start: int, stop: int, model: Model, sampling: Sampling, rate: Rate, worker: Worker) -> None:
    """Train every token in ``[start, stop)`` as a centre, once, in order.

    If the cuts come from `spans.cut`, the result depends on the tokens and the random stream alone, not on the cuts.

    Args:
        text: the whole corpus.
        start: first token position.
        stop: one past the last token position.
        model: updated in place.
        sampling: noise words, subsampling and window.
        rate: learning rate by token position.
        worker: its stream, scratch and tally; ``tokens`` has room for ``PIECE + 2 * window``, ``negatives`` for
            ``negative``, ``floats`` for three rows of V.
    """
    (ids, offsets), V, U, (noise, keep, window, negative) = text, model.V, model.U, sampling
    rng, tokens, negatives, _, floats, tally = worker
    # A composed centre vector is the only row of a small matrix H of its own, which is trained in place of V.
    width, composed = V.shape[1], len(model.part_offsets) > 0
    grad, H, before = (
        floats[:width],
        floats[width : 2 * width].reshape(1, width),
        floats[2 * width : 3 * width].reshape(1, width),
    )
    rows = H if composed else V
    sentence = np.searchsorted(offsets, start, side="right") - 1
    position = start
    while position < stop:
        while offsets[sentence + 1] <= position:
            sentence += 1
        first, last = offsets[sentence], offsets[sentence + 1]
        end = min(first + ((position - first) // PIECE + 1) * PIECE, last, stop)

        # Kept tokens: up to `window` before the piece, the piece, up to `window` after it.
        low = window
        i = position
        while i > first and low > 0:
            i -= 1
            if draw_keep(rng, keep, ids[i]):
                low -= 1
                tokens[low] = ids[i]
        centres_end = window
        for i in range(position, end):
            if draw_keep(rng, keep, ids[i]):
                tokens[centres_end] = ids[i]
                centres_end += 1
        high = centres_end
        i = end
        while i < last and high < centres_end + window:
            if draw_keep(rng, keep, ids[i]):
                tokens[high] = ids[i]
                high += 1
            i += 1

        alpha = np.float32(rate.alpha + rate.step * position)
        for i in range(window, centres_end):
            reach = window - draw_below(rng, window)
            centre = tokens[i]
            if composed:
                compose(model, tokens[i : i + 1], H)
                for k in range(width):
                    before[0, k] = H[0, k]
                centre = np.int32(0)
            for j in range(max(low, i - reach), min(high, i + reach + 1)):
                if j != i:
                    n = draw_negatives(rng, noise, tokens[j], negatives[:negative])
                    tally[LOSS] += update_pair(rows, U, centre, tokens[j], negatives[:n], alpha, grad)
                    tally[PAIRS] += 1.0
                    tally[LOSS_PAIRS] += 1.0
            if composed:
                spread(model, tokens[i : i + 1], H, before)
        tally[TRAINED] += centres_end - window
        position = end
