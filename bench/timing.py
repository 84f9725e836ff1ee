"""What ladder, sweep and peers share: corpora of ids, kernels behind one call, a run in the driver's chunks, summaries.

Operations counted: 6 * vector_size for each (centre, target) term that is computed, which are the dot product (2 d)
and the two updates (2 d each); nothing for padding, the sigmoid, random numbers or reading. Terms: ``pairs * (1 +
negative)`` for the pair kernel; ``pairs + trained tokens * N`` for tiles whose centres share N noise words.
"""

import statistics
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v import reference
from fastw2v.config import TrainConfig
from fastw2v.driver import CHUNK_SECONDS, FIRST_CHUNK, SPANS_PER_WORKER, initial_matrices
from fastw2v.pair import PAIRS, TRAINED
from fastw2v.parallel import Workers, run_chunk
from fastw2v.sampling import expected_kept, keep_thresholds, noise_table, noise_weights
from fastw2v.spans import cut, next_cut
from fastw2v.tile import Tiling, choose_tiling

SENTENCE = 60  # mean length in a synthetic corpus, about that of real20m


class Ids(NamedTuple):
    """A corpus of ids, and the two tables that are drawn from.

    Attributes:
        name: what to call it in a result.
        ids: int32 ``(n_tokens,)``.
        offsets: int64 ``(n_sentences + 1,)``.
        n_words: rows of the matrices.
        noise: `sampling.noise_table` of the counts.
        keep: `sampling.keep_thresholds` of the counts.
        counts: int64 ``(n_words,)``.
    """

    name: str
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_words: int
    noise: NDArray[np.uint64]
    keep: NDArray[np.uint32]
    counts: NDArray[np.int64]

    def describe(self) -> dict[str, Any]:
        """Return the name and sizes for a result."""
        sizes = {"tokens": len(self.ids), "sentences": len(self.offsets) - 1, "words": self.n_words}
        return {"name": self.name, **sizes}


class Done(NamedTuple):
    """What one timed run did."""

    seconds: float
    tokens: int
    trained: int
    pairs: int
    terms: int


def corpus_of(
    name: str, ids: NDArray[np.int32], offsets: NDArray[np.int64], counts: NDArray[np.int64], config: TrainConfig
) -> Ids:
    """Return ids with the tables of these counts."""
    tables = noise_table(counts, config.ns_exponent), keep_thresholds(counts, config.sample)
    return Ids(name, ids, offsets, len(counts), *tables, counts)


def synthetic(n_tokens: int, n_words: int, config: TrainConfig, seed: int = 0) -> Ids:
    """Return independent words whose frequencies follow Zipf's law, in sentences of about `SENTENCE` words.

    The tables are those of the expected counts, so a short corpus is subsampled as a long one would be.
    """
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    share /= share.sum()
    places = np.searchsorted(np.cumsum(share), rng.random(n_tokens))
    ids = np.minimum(places, n_words - 1).astype(np.int32)
    ends = np.cumsum(rng.integers(1, 2 * SENTENCE, 1 + n_tokens // SENTENCE * 2))
    offsets = np.concatenate([[0], ends[ends < n_tokens], [n_tokens]]).astype(np.int64)
    counts = np.maximum(np.rint(share * 1e9), 1).astype(np.int64)
    return corpus_of("synthetic Zipf", ids, offsets, counts, config)


def head(corpus: Ids, tokens: int) -> Ids:
    """Return the first ``tokens`` tokens or a few more, to where a cut may stand; the tables stay as they are."""
    stop = next_cut(corpus.offsets, tokens)
    inner = corpus.offsets[: np.searchsorted(corpus.offsets, stop)]
    return corpus._replace(ids=corpus.ids[:stop], offsets=np.append(inner, stop).astype(np.int64))


# ------------------------------------------------------------------------- the kernels; a new one is added here only


def available_kernels() -> tuple[str, ...]:
    """Return the kernels of this package, the slower first."""
    return ("pair", "tile")


def tiling_of(kernel: str, corpus: Ids, config: TrainConfig) -> Tiling | None:
    """Return the tiling that `fastw2v.train` would use; None for the pairwise kernel, or where tiles do not fit."""
    if kernel == "pair":
        return None
    kept, noise = expected_kept(corpus.counts, corpus.keep), noise_weights(corpus.counts, config.ns_exponent)
    return choose_tiling(kept, noise, config.window, config.negative, config.alpha)


def make_workers(tiling: Tiling | None, config: TrainConfig, count: int, width: int) -> Workers:
    """Return what belongs to each worker alone: streams, scratch, tallies."""
    return Workers.create(count, config.seed, config.window, config.negative, width, tiling)


def run_kernel(
    corpus: Ids,
    matrices: tuple[NDArray[np.float32], NDArray[np.float32]],
    config: TrainConfig,
    cuts: NDArray[np.int64],
    alpha: float,
    step: float,
    workers: Workers,
) -> None:
    """Let every worker train its span; ``alpha`` is the learning rate at token 0, ``step`` its change a token."""
    tables = (corpus.noise, corpus.keep, config.window, config.negative)
    run_chunk(
        corpus.ids, corpus.offsets, cuts, *matrices, *tables, alpha, step, workers, vector_size=config.vector_size
    )


def run_twin(
    corpus: Ids,
    matrices: tuple[NDArray[np.floating], NDArray[np.floating]],
    config: TrainConfig,
    cuts: NDArray[np.int64],
    alpha: float,
    step: float,
    workers: Workers,
) -> None:
    """Do what `run_kernel` does with the NumPy twin in `fastw2v.reference`, the workers one after the other."""
    model = (*matrices, corpus.noise, corpus.keep, config.window, config.negative)
    own = (workers.rng, workers.tokens, workers.negatives)
    taken = np.full(1, len(workers.rng))
    if workers.tiling is None:
        grad = np.zeros(workers.floats.shape, matrices[0].dtype)
        reference.train_chunk(corpus.ids, corpus.offsets, cuts, *model, alpha, step, *own, grad, workers.tally, taken)
        return
    reference.tile_chunk(
        0, corpus.ids, corpus.offsets, cuts, *model, config.vector_size, *workers.tiling, alpha, step,
        *own, workers.integers, workers.floats, workers.tally, taken,
    )  # fmt: skip


def terms(tiling: Tiling | None, config: TrainConfig, pairs: int, trained: int) -> int:
    """Return how many (centre, target) terms a kernel computed; the module's docstring defines them."""
    if tiling is None:
        return pairs * (1 + config.negative)
    return pairs + trained * tiling.shared * tiling.strips


# ----------------------------------------------------------------------------------------------------- one timed run


def validate(kernel: str, config: TrainConfig, count: int, tokens: int = 600, n_words: int = 50) -> None:
    """Compare a kernel with its twin in float64 on a small corpus, the same streams, entering as the timed run does.

    Workers that run at once race, so that no value could be compared: each worker's span is run alone, the others'
    being empty, in all threads; then all spans at once, where what does not race, pairs and trained tokens, must be
    the twin's.

    Raises:
        AssertionError: they differ by more than float32 can explain.
    """
    tiling = tiling_of(kernel, synthetic(1, 80_000, config), config)  # the tiles that are timed, on fewer words
    corpus = synthetic(tokens * count, n_words, config, seed=3)
    rng = np.random.default_rng(4)
    shape = initial_matrices(n_words, config.vector_size, config.seed)[0].shape
    start = [np.zeros(shape, np.float32) for _ in "VU"]
    for matrix in start:
        matrix[:, : config.vector_size] = rng.normal(size=(n_words, config.vector_size)) / np.sqrt(config.vector_size)
    V, U = initial_matrices(n_words, config.vector_size, config.seed)  # their memory is aligned
    V[:], U[:] = start
    twin = tuple(matrix.astype(np.float64) for matrix in start)
    workers = make_workers(tiling, config, count, shape[1])
    twins = make_workers(tiling, config, count, shape[1])
    whole = cut(corpus.offsets, 0, len(corpus.ids), count)
    for w in range(count):
        alone = np.clip(whole, whole[w], whole[w + 1])
        run_kernel(corpus, (V, U), config, alone, config.alpha, 0.0, workers)
        run_twin(corpus, twin, config, alone, config.alpha, 0.0, twins)
    np.testing.assert_allclose(V, twin[0], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(U, twin[1], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(workers.tally, twins.tally, rtol=1e-3)

    run_kernel(corpus, (V, U), config, whole, config.alpha, 0.0, workers)
    run_twin(corpus, twin, config, whole, config.alpha, 0.0, twins)
    np.testing.assert_array_equal(workers.tally[:, [PAIRS, TRAINED]], twins.tally[:, [PAIRS, TRAINED]])


def counted(workers: Any) -> tuple[int, int]:
    """Return the pairs and the trained tokens in the workers' tallies."""
    return int(workers.tally[:, PAIRS].sum()), int(workers.tally[:, TRAINED].sum())


def train_kernel(kernel: str, corpus: Ids, config: TrainConfig, count: int) -> Done:
    """Train one epoch from new matrices in the driver's chunks, so that workers wait for each other at their ends."""
    matrices = initial_matrices(corpus.n_words, config.vector_size, config.seed)
    for matrix in matrices:
        matrix += 0  # its pages are there before the clock starts
    tiling = tiling_of(kernel, corpus, config)
    workers = make_workers(tiling, config, count, matrices[0].shape[1])
    n_tokens = len(corpus.ids)
    step = (config.min_alpha - config.alpha) / n_tokens
    run_kernel(corpus, matrices, config, np.zeros(count + 1, np.int64), config.alpha, step, workers)  # compiles
    workers.tally[:] = 0
    size, position = FIRST_CHUNK * count, 0
    began = time.perf_counter()
    while position < n_tokens:
        stop = next_cut(corpus.offsets, position + size)
        before = time.perf_counter()
        cuts = np.unique(cut(corpus.offsets, position, stop, count * SPANS_PER_WORKER))
        run_kernel(corpus, matrices, config, cuts, config.alpha, step, workers)
        elapsed = max(time.perf_counter() - before, 1e-6)
        size = int(min(max(CHUNK_SECONDS * (stop - position) / elapsed, 1), 4 * size))
        position = stop
    seconds = time.perf_counter() - began
    pairs, trained = counted(workers)
    return Done(seconds, n_tokens, trained, pairs, terms(tiling, config, pairs, trained))


# --------------------------------------------------------------------------------------------------------- summaries


def summary(values: Iterable[float], digits: int = 4) -> dict[str, Any]:
    """Return median, spread (largest minus smallest) and each value, rounded to that many significant digits."""
    each = list(values)

    def short(value: float) -> float:
        return float(f"{value:.{digits}g}")

    median, spread = statistics.median(each), max(each) - min(each)
    return {"median": short(median), "spread": short(spread), "each": [short(value) for value in each]}


def figures(runs: list[Done], vector_size: int, peak: float) -> dict[str, Any]:
    """Return the rates of repeated runs of one thing, and their share of a peak in GFLOP/s."""
    rates = [run.terms * 6 * vector_size / run.seconds / 1e9 for run in runs]
    return {
        "tokens_per_s": summary(run.tokens / run.seconds for run in runs),
        "trained_per_s": summary(run.trained / run.seconds for run in runs),
        "gflops": summary(rates),
        "percent_of_peak": summary(100 * rate / peak for rate in rates),
        "tokens": runs[0].tokens,
    }
