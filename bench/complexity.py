"""``complexity``: the time of a pair with the naive softmax, O(n_words), and with negative sampling, O(negative).

One worker, vector_size 100. The NumPy reference computes the loss and gradients of one pair; compiled code takes the
same step in place. The package has no softmax kernel, because nobody should train with one. The one here is only for
comparison. It is compiled with the flags of the package and checked against the reference before it is timed. The tile
kernel has no single pair, so its time is that of an epoch of synthetic text divided by the pairs of that text.

Exponents are fitted on logarithms. The smallest softmax has 1,000 words, so that fixed costs do not matter.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from fastw2v import reference
from fastw2v.config import TrainConfig
from fastw2v.kernels import update_pair
from fastw2v.kernels._jit import FASTMATH

from . import fit, record, report, timing
from .figure import COLOURS, Figure
from .steps import steps

HELP = "the time of a pair with the naive softmax, O(n_words), and with negative sampling, O(negative)"
D = 100
N_WORDS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
NEGATIVES = (1, 2, 5, 10, 20, 40)
AT_WORDS = 30_000
LARGEST_REFERENCE = 100_000  # words of the softmax reference: more need gigabytes for one pair's gradients
SECONDS = 0.3  # per repeat of a point
QUICK_WORDS, QUICK_NEGATIVES, QUICK_SECONDS = (1_000, 10_000), (1, 5), 0.02

Floats = NDArray[np.float32]


@numba.njit(fastmath=set(FASTMATH))
def softmax_step(
    V: Floats, U: Floats, centre: int, outside: int, alpha: np.float32, error: Floats, grad: Floats
) -> float:
    """Take one step, in place, along `reference.naive_softmax`'s gradients of a pair, and return its loss.

    Args:
        V: centre rows, ``(n_words, d)``.
        U: outside rows, ``(n_words, d)``.
        centre: row of V.
        outside: row of U.
        alpha: learning rate.
        error: scratch, ``(n_words,)``.
        grad: scratch, ``(d,)``.
    """
    n_words, d = U.shape
    v = V[centre]
    largest = np.float32(-1e30)
    for w in range(n_words):
        x = np.float32(0)
        for k in range(d):
            x += U[w, k] * v[k]
        error[w] = x
        largest = max(largest, x)
    logit = error[outside]
    total = np.float32(0)
    for w in range(n_words):
        error[w] = np.exp(error[w] - largest)
        total += error[w]
    for k in range(d):
        grad[k] = 0
    for w in range(n_words):
        e = error[w] / total - np.float32(w == outside)
        for k in range(d):
            grad[k] += e * U[w, k]
            U[w, k] -= alpha * e * v[k]
    for k in range(d):
        v[k] -= alpha * grad[k]
    return np.log(total) + largest - logit


@numba.njit(fastmath=set(FASTMATH))
def softmax_steps(
    V: Floats, U: Floats, pairs: NDArray[np.int64], alpha: np.float32, error: Floats, grad: Floats
) -> None:
    """Take `softmax_step` for every row ``(centre, outside)`` of ``pairs``."""
    for i in range(len(pairs)):
        softmax_step(V, U, pairs[i, 0], pairs[i, 1], alpha, error, grad)


@numba.njit(fastmath=set(FASTMATH))
def sampled_steps(
    V: Floats, U: Floats, pairs: NDArray[np.int64], negatives: NDArray[np.int32], alpha: np.float32, grad: Floats
) -> None:
    """Take `kernels.update_pair` for every row of ``pairs`` with its row of ``negatives``."""
    for i in range(len(pairs)):
        update_pair(V, U, pairs[i, 0], pairs[i, 1], negatives[i], alpha, grad)


def validate(n_words: int = 203, d: int = 37) -> None:
    """Compare `softmax_step` with the reference.

    Raises:
        AssertionError: they differ by more than float32 can explain.
    """
    rng = np.random.default_rng(1)
    V, U = (rng.normal(size=(n_words, d)).astype(np.float32) / 4 for _ in "VU")
    loss, dv, dU = reference.naive_softmax(V[3].astype(np.float64), 7, U.astype(np.float64))
    want_v, want_U = V[3] - 0.05 * dv, U - 0.05 * dU
    found = softmax_step(V, U, 3, 7, np.float32(0.05), np.zeros(n_words, np.float32), np.zeros(d, np.float32))
    np.testing.assert_allclose(found, loss, rtol=1e-4)
    np.testing.assert_allclose(V[3], want_v, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(U, want_U, rtol=1e-4, atol=1e-5)


# ----------------------------------------------------------------------------------------------------- one point


def matrices(n_words: int) -> tuple[Floats, Floats]:
    """Return V and U of small random numbers."""
    rng = np.random.default_rng(0)
    V, U = (rng.random((n_words, D), np.float32) / np.float32(D) for _ in "VU")
    return V, U


def random_pairs(n_words: int, pairs: int, negative: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return random pairs ``(pairs, 2)`` and noise words ``(pairs, negative)``, none its pair's outside word."""
    rng = np.random.default_rng(1)
    chosen = rng.integers(0, n_words, (pairs, 2))
    others = (chosen[:, 1:] + rng.integers(1, n_words, (pairs, negative))) % n_words
    return chosen, others.astype(np.int32)


def nanoseconds(steps_of: Callable[[int], object], seconds: float) -> float:
    """Return the time per pair, measured on as many pairs as take about ``seconds``."""
    count = 1
    while True:
        began = time.perf_counter()
        steps_of(count)
        elapsed = time.perf_counter() - began
        if elapsed > seconds / 4:
            return elapsed / count * 1e9
        count *= 4


def reference_pair(method: str, n_words: int, negative: int, seconds: float) -> float:
    """Return the nanoseconds of one pair's loss and gradients in NumPy."""
    V, U = matrices(n_words)
    pairs, negatives = random_pairs(n_words, 64, negative)

    def run(count: int) -> None:
        for i in range(count):
            centre, outside = pairs[i % 64]
            if method == "softmax":
                reference.naive_softmax(V[centre], int(outside), U)
            else:
                reference.negative_sampling(V[centre], int(outside), negatives[i % 64], U)

    return nanoseconds(run, seconds)


def compiled_pair(method: str, n_words: int, negative: int, seconds: float) -> float:
    """Return the nanoseconds of one pair's step in compiled code, in place."""
    V, U = matrices(n_words)
    alpha, grad, error = np.float32(0.025), np.zeros(D, np.float32), np.zeros(n_words, np.float32)

    def run(count: int) -> None:
        pairs, negatives = random_pairs(n_words, count, negative)
        if method == "softmax":
            softmax_steps(V, U, pairs, alpha, error, grad)
        else:
            sampled_steps(V, U, pairs, negatives, alpha, grad)

    run(1)  # This call compiles.
    return nanoseconds(run, seconds)


def tile_pair(n_words: int, negative: int, seconds: float) -> float:
    """Return the nanoseconds of one pair in an epoch of the tile kernel on synthetic text, one worker."""
    config = TrainConfig(vector_size=D, negative=negative, epochs=1, workers=1)
    corpus = timing.synthetic(max(int(seconds * 3e6), 30_000), n_words)
    done = timing.train_kernel("tile", corpus, config, 1)
    return done.seconds / done.pairs * 1e9


MEASURED: dict[str, Callable[[int, int, float], float]] = {
    "softmax, NumPy": lambda n_words, negative, seconds: reference_pair("softmax", n_words, negative, seconds),
    "softmax, compiled": lambda n_words, negative, seconds: compiled_pair("softmax", n_words, negative, seconds),
    "sampling, NumPy": lambda n_words, negative, seconds: reference_pair("sampling", n_words, negative, seconds),
    "sampling, pair kernel": lambda n_words, negative, seconds: compiled_pair("sampling", n_words, negative, seconds),
    "sampling, tile kernel": tile_pair,
}


def measure(
    n_words: tuple[int, ...], negatives: tuple[int, ...], repeats: int, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every method at every vocabulary, and those that draw noise words at every number of them, in turn."""
    points = [("n_words", words, words, TrainConfig().negative) for words in n_words]
    points += [("negative", negative, AT_WORDS, negative) for negative in negatives]
    found: dict[str, dict[str, dict[str, dict[str, Any]]]] = {"n_words": {}, "negative": {}}
    for axis, value, words, negative in points:
        methods = [
            name
            for name in MEASURED
            if not (axis == "negative" and name.startswith("softmax"))
            and not (name == "softmax, NumPy" and words > LARGEST_REFERENCE)
        ]
        times: dict[str, list[float]] = {name: [] for name in methods}
        for _ in range(repeats):
            for name in methods:
                times[name].append(MEASURED[name](words, negative, seconds))
        for name in methods:
            found[axis].setdefault(name, {})[str(value)] = timing.summary(times[name])
        say(
            f"{axis} {value:,}: "
            + ", ".join(f"{name} {found[axis][name][str(value)]['median']:,.0f} ns" for name in methods)
        )
    growth = {
        axis: {
            name: fit.power_law(list(map(int, values)), [each["median"] for each in values.values()])
            for name, values in of.items()
            if len(values) > 1
        }
        for axis, of in found.items()
    }
    return {"nanoseconds": found, "growth": growth}


# ------------------------------------------------------------------------------------------------------- the table


def table(result: report.Record, axis: str) -> str:
    """Return the table of one axis of a stored result, in Markdown."""
    times, growth = result["nanoseconds"][axis], result["growth"][axis]
    values = sorted({int(value) for of in times.values() for value in of})
    header = [axis, *(f"{value:,}" for value in values), f"grows as {axis} to the"]
    rows = [
        [
            name,
            *(report.number(of[str(value)]["median"]) if str(value) in of else "" for value in values),
            fit.exponent_text(growth[name]) if name in growth else "",
        ]
        for name, of in times.items()
    ]
    return report.markdown(header, rows)


def section(result: report.Record) -> str:
    """Return both tables of a result."""
    return (
        f"Nanoseconds per pair, negative {TrainConfig().negative}:\n\n{table(result, 'n_words')}\n\n"
        f"The same with {AT_WORDS:,} words:\n\n{table(result, 'negative')}\n\nMedians of {result['repeats']}, one "
        f"worker, vector_size {D}. {report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest tables."""
    return {"complexity": section(result)} if (result := report.newest("complexity")) else {}


def figures() -> dict[str, Figure]:
    """Return the picture of the newest result."""
    result = report.newest("complexity")
    if result is None:
        return {}
    lines = {
        name: {"n_words": list(map(int, of)), "ns": [each["median"] for each in of.values()]}
        for name, of in result["nanoseconds"]["n_words"].items()
    }
    text = (
        "Nanoseconds per pair over the number of words: the naive softmax grows with it, negative sampling hardly does"
    )
    return {"complexity": Figure(text, lines, draw, size=(8, 4))}


def draw(canvas: Any, data: Any) -> None:
    """Draw one line per method, with logarithmic axes."""
    axes = canvas.subplots()
    for colour, (name, line) in zip(COLOURS, data.items(), strict=False):
        axes.loglog(line["n_words"], line["ns"], "o-", color=colour, label=name)
    axes.set_xlabel("words in the vocabulary")
    axes.set_ylabel("nanoseconds per pair, one worker")
    axes.set_title("The cost of one pair")
    axes.legend(fontsize=9)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--quick", action="store_true", help="trial run: few points, once")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its tables."""
    validate()
    n_words, negatives, repeats, seconds = N_WORDS, NEGATIVES, arguments.repeats, SECONDS
    if arguments.quick:
        n_words, negatives, repeats, seconds = QUICK_WORDS, QUICK_NEGATIVES, 1, QUICK_SECONDS
    with steps("complexity", len(n_words) + len(negatives)) as done:
        found = measure(n_words, negatives, repeats, seconds, done)
    options = f" --repeats {arguments.repeats}{' --quick' * arguments.quick}"
    facts = {"quick": arguments.quick, "repeats": repeats}
    print(section(record.append("complexity", f"python -m bench complexity{options}", facts | found)))
