"""Shared parts of several commands: corpora of ids, kernels behind one call, runs in the driver's chunks, summaries.

Operations counted: 6 * vector_size for each (centre, target) term that is computed, which are the dot product (2 d)
and the two updates (2 d each); nothing for padding, the sigmoid, random numbers or reading. Terms: ``pairs * (1 +
negative)`` for the pair kernel; ``pairs + trained tokens * N`` for tiles whose centres share N noise words.
"""

import statistics
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v import reference
from fastw2v.config import TrainConfig
from fastw2v.kernels.parallel import run_chunk
from fastw2v.kernels.records import PAIRS, TALLY_WIDTH, TRAINED, Model, Rate, Text, Tiling
from fastw2v.kernels.spans import cut, next_cut
from fastw2v.training import replica as replicas
from fastw2v.training.driver import CHUNK_SECONDS, FIRST_CHUNK
from fastw2v.training.replica import Replica

SENTENCE = 60  # mean length in a synthetic corpus, about that of real20m


class Ids(NamedTuple):
    """A corpus of ids, and the counts that decide its sampling.

    Attributes:
        name: its name in a result.
        ids: int32 ``(n_tokens,)``.
        offsets: int64 ``(n_sentences + 1,)``.
        counts: int64 ``(n_words,)``.
    """

    name: str
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def n_words(self) -> int:
        """The number of rows of the matrices."""
        return len(self.counts)

    @property
    def text(self) -> Text:
        """The ids and offsets alone."""
        return Text(self.ids, self.offsets)

    def describe(self) -> dict[str, Any]:
        """Return the name and sizes for a result."""
        sizes = {"tokens": len(self.ids), "sentences": len(self.offsets) - 1, "words": self.n_words}
        return {"name": self.name, **sizes}


class Timing(NamedTuple):
    """The seconds of one timed run and the work in it."""

    seconds: float
    tokens: int
    trained: int
    pairs: int
    terms: int


def synthetic(n_tokens: int, n_words: int, seed: int = 0) -> Ids:
    """Return independent words whose frequencies follow Zipf's law, in sentences of about `SENTENCE` words.

    The counts are expected ones, so a short corpus is subsampled as a long one would be.
    """
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_words + 1)
    share /= share.sum()
    places = np.searchsorted(np.cumsum(share), rng.random(n_tokens))
    ids = np.minimum(places, n_words - 1).astype(np.int32)
    ends = np.cumsum(rng.integers(1, 2 * SENTENCE, 1 + n_tokens // SENTENCE * 2))
    offsets = np.concatenate([[0], ends[ends < n_tokens], [n_tokens]]).astype(np.int64)
    counts = np.maximum(np.rint(share * 1e9), 1).astype(np.int64)
    return Ids("synthetic Zipf", ids, offsets, counts)


def head(corpus: Ids, tokens: int) -> Ids:
    """Return the first ``tokens`` tokens or a few more, to where a cut may stand; the counts stay as they are."""
    stop = next_cut(corpus.offsets, tokens)
    inner = corpus.offsets[: np.searchsorted(corpus.offsets, stop)]
    return corpus._replace(ids=corpus.ids[:stop], offsets=np.append(inner, stop).astype(np.int64))


# ------------------------------------------------------------------------- the kernels; a new one is added here only


def available_kernels() -> tuple[str, ...]:
    """Return the kernels of this package, the slower first."""
    return ("pair", "tile")


def tiling_of(kernel: str, corpus: Ids, config: TrainConfig) -> Tiling | None:
    """Return the tiling of a long run on this vocabulary; None for the pair kernel, or where tiles do not fit."""
    return replicas.tiling_of(corpus.counts, replace(config, kernel=kernel), np.inf)


def replica_of(kernel: str, corpus: Ids, config: TrainConfig, tiling: Tiling | None = None) -> Replica:
    """Return new matrices for a corpus, on ``config.workers`` workers, with the tiles that `tiling_of` chooses."""
    config = replace(config, kernel=kernel)
    return Replica(corpus.counts, config, tiling=tiling or tiling_of(kernel, corpus, config))


def run_kernel(replica: Replica, corpus: Ids, cuts: NDArray[np.int64], rate: Rate) -> None:
    """Let every worker train its span."""
    run_chunk(corpus.text, cuts, replica.model, replica.sampling, rate, replica.workers)


def run_twin(replica: Replica, corpus: Ids, cuts: NDArray[np.int64], rate: Rate) -> None:
    """Do what `run_kernel` does with the NumPy twin in `fastw2v.reference`, the workers one after the other."""
    model, sampling, rows, tiling = replica.model, replica.sampling, replica.workers.rows, replica.tiling
    taken = np.full(1, len(replica.workers))
    if tiling is None:
        rows = rows._replace(floats=rows.floats.astype(model.V.dtype))
        reference.train_chunk(corpus.text, cuts, model, sampling, rate, rows, taken)
    else:
        reference.tile_chunk(0, corpus.text, cuts, model, sampling, tiling, rate, rows, taken)


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
    tiling = tiling_of(kernel, synthetic(1, 80_000), config)  # the tiles that are timed, on fewer words
    corpus = synthetic(tokens * count, n_words, seed=3)
    config = replace(config, workers=count)
    kernels, twins = (replica_of(kernel, corpus, config, tiling) for _ in range(2))
    rng, columns = np.random.default_rng(4), config.vector_size
    for matrix in kernels.model[:2]:
        matrix[:, :columns] = rng.normal(size=(n_words, columns)) / np.sqrt(columns)
    twins.model = Model(*(matrix.astype(np.float64) for matrix in kernels.model[:2]), columns)
    whole, rate = cut(corpus.offsets, 0, len(corpus.ids), count), Rate(config.alpha, 0.0)
    for w in range(count):
        alone = np.clip(whole, whole[w], whole[w + 1])
        run_kernel(kernels, corpus, alone, rate)
        run_twin(twins, corpus, alone, rate)
    for matrix, twin in zip(kernels.model[:2], twins.model[:2], strict=True):
        np.testing.assert_allclose(matrix, twin, rtol=1e-3, atol=1e-4)
    tally, twin_tally = kernels.workers.rows.tally, twins.workers.rows.tally
    np.testing.assert_allclose(tally, twin_tally, rtol=1e-3)

    run_kernel(kernels, corpus, whole, rate)
    run_twin(twins, corpus, whole, rate)
    np.testing.assert_array_equal(tally[:, [PAIRS, TRAINED]], twin_tally[:, [PAIRS, TRAINED]])


def train_kernel(kernel: str, corpus: Ids, config: TrainConfig, count: int) -> Timing:
    """Train one epoch from new matrices in the driver's chunks, so that workers wait for each other at their ends."""
    replica = replica_of(kernel, corpus, replace(config, workers=count))
    for matrix in replica.model[:2]:
        matrix += 0  # touches all pages before the clock starts
    replica.compile(corpus.text)
    n_tokens, sums = len(corpus.ids), np.zeros(TALLY_WIDTH)
    rate = Rate(config.alpha, (config.min_alpha - config.alpha) / n_tokens)
    size, position = FIRST_CHUNK * count, 0
    began = time.perf_counter()
    while position < n_tokens:
        stop = next_cut(corpus.offsets, position + size)
        before = time.perf_counter()
        sums += replica.train(corpus.text, position, stop, rate)
        elapsed = max(time.perf_counter() - before, 1e-6)
        size = int(min(max(CHUNK_SECONDS * (stop - position) / elapsed, 1), 4 * size))
        position = stop
    seconds = time.perf_counter() - began
    pairs, trained = int(sums[PAIRS]), int(sums[TRAINED])
    return Timing(seconds, n_tokens, trained, pairs, terms(replica.tiling, config, pairs, trained))


# --------------------------------------------------------------------------------------------------------- summaries


def summary(values: Iterable[float], digits: int = 4) -> dict[str, Any]:
    """Return median, spread (largest minus smallest) and each value, rounded to that many significant digits."""
    each = list(values)

    def short(value: float) -> float:
        return float(f"{value:.{digits}g}")

    median, spread = statistics.median(each), max(each) - min(each)
    return {"median": short(median), "spread": short(spread), "each": [short(value) for value in each]}


def figures(runs: list[Timing], vector_size: int, peak: float) -> dict[str, Any]:
    """Return the rates of repeated runs of one thing, and their share of a peak in GFLOP/s."""
    rates = [run.terms * 6 * vector_size / run.seconds / 1e9 for run in runs]
    return {
        "tokens_per_s": summary(run.tokens / run.seconds for run in runs),
        "trained_per_s": summary(run.trained / run.seconds for run in runs),
        "gflops": summary(rates),
        "percent_of_peak": summary(100 * rate / peak for rate in rates),
        "tokens": runs[0].tokens,
    }
