"""``ladder``: the speed of each step from plain NumPy to all workers of the fastest kernel, in one run.

Every rung is compared with `fastw2v.reference` before it is timed. Each repeat times every rung once, so that a slow
minute of the machine affects all rungs alike. Each repeat also measures the FMA peak, and the best repeat counts. A
rung is compared with the peak of as many workers as it has.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastw2v import reference
from fastw2v.config import TrainConfig
from fastw2v.kernels.records import PAIRS, TRAINED, Model, Rate
from fastw2v.machine import usable_cores
from fastw2v.screen import counted
from fastw2v.text.prepared import opened

from . import peak, record, report, timing, vectorised
from .steps import steps
from .timing import Ids, Timing

HELP = "from NumPy to all workers of the fastest kernel, rung by rung"

REFERENCE_TOKENS, PAIRS_TOKENS, TILES_TOKENS = 4_000, 100_000, 2_000_000
QUICK = 50  # divisor of the tokens with --quick


class Rung(NamedTuple):
    """One rung: how to compare it with the reference, how to train it, and on how many workers and tokens."""

    name: str
    workers: int
    tokens: int
    validate: Callable[[], None]
    train: Callable[[Ids, TrainConfig], Timing]


def check_reference(vector_size: int) -> None:
    """Compare the reference's step with finite differences of its loss, in float64.

    Raises:
        AssertionError: they differ.
    """
    rng = np.random.default_rng(1)
    V, U = rng.normal(size=(2, 9, vector_size)) / np.sqrt(vector_size)
    negatives, alpha, h = np.array([1, 5, 6, 7, 8], np.int32), 1e-6, 1e-5
    new_V, new_U = V.copy(), U.copy()
    reference.update_pair(new_V, new_U, 2, 4, negatives, alpha, np.zeros(vector_size))
    for matrix, new, row in [(V, new_V, 2), *((U, new_U, row) for row in (4, 1, 5, 6, 7, 8))]:
        for column in {0, vector_size // 2, vector_size - 1}:
            kept, losses = matrix[row, column], []
            for moved in (kept + h, kept - h):
                matrix[row, column] = moved
                losses.append(reference.negative_sampling(V[2], 4, negatives, U)[0])
            matrix[row, column] = kept
            slope = (losses[0] - losses[1]) / (2 * h)
            np.testing.assert_allclose((new - matrix)[row, column] / -alpha, slope, rtol=1e-4, atol=1e-6)


def train_reference(corpus: Ids, config: TrainConfig) -> Timing:
    """Time `reference.train_span`, one pair after the other, in float32."""
    replica = timing.replica_of("pair", corpus, replace(config, workers=1))
    V, U, width = replica.model[:3]
    replica.model = Model(V[:, :width], U[:, :width], width)
    n_tokens = len(corpus.ids)
    rate = Rate(config.alpha, (config.min_alpha - config.alpha) / n_tokens)
    began = time.perf_counter()
    timing.run_twin(replica, corpus, np.array([0, n_tokens]), rate)
    seconds = time.perf_counter() - began
    pairs, trained = (int(replica.workers.rows.tally[0, column]) for column in (PAIRS, TRAINED))
    return Timing(seconds, n_tokens, trained, pairs, pairs * (1 + config.negative))


def train_vectorised(train: Callable[..., tuple[float, int, int, int]], corpus: Ids, config: TrainConfig) -> Timing:
    """Time one of the loops of `bench.vectorised`."""
    replica = timing.replica_of("pair", corpus, replace(config, workers=1))
    V, U, width = replica.model[:3]
    replica.model = Model(np.ascontiguousarray(V[:, :width]), np.ascontiguousarray(U[:, :width]), width)
    seconds, pairs, trained, terms = train(corpus, replica.model, replica.sampling, config)
    return Timing(seconds, len(corpus.ids), trained, pairs, terms)


def kernel_rung(kernel: str, count: int, tokens: int, config: TrainConfig) -> Rung:
    """Return the rung of a kernel on that many workers."""
    return Rung(
        f"{kernel} kernel, {counted(count, 'worker')}",
        count,
        tokens,
        lambda: timing.validate(kernel, config, count),
        lambda corpus, config: timing.train_kernel(kernel, corpus, config, count),
    )


def rungs(tokens: int, config: TrainConfig, quick: bool) -> list[Rung]:
    """Return all rungs, from the bottom."""
    size, window, negative = config.vector_size, config.window, config.negative
    share = QUICK if quick else 1

    def check_vectorised() -> None:
        vectorised.validate(size, window, negative)

    ladder = [
        Rung("NumPy, pair by pair", 1, REFERENCE_TOKENS, lambda: check_reference(size), train_reference),
        Rung(
            "NumPy, batches of pairs",
            1,
            PAIRS_TOKENS,
            check_vectorised,
            lambda corpus, config: train_vectorised(vectorised.train_pairs, corpus, config),
        ),
        Rung(
            "NumPy, vectorised: batches of tiles",
            1,
            TILES_TOKENS,
            check_vectorised,
            lambda corpus, config: train_vectorised(vectorised.train_tiles, corpus, config),
        ),
    ]
    for kernel in timing.available_kernels():
        ladder += [kernel_rung(kernel, count, tokens, config) for count in sorted({1, usable_cores()})]
    return [rung._replace(tokens=max(min(rung.tokens, tokens) // share, 500)) for rung in ladder]


VECTORISED = 2  # the rung of the column "x vectorised": the fastest NumPy


def climb(
    corpus: Ids, config: TrainConfig, ladder: list[Rung], repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Validate every rung, warm it up, time the rungs in turn, and return all figures."""
    heads = [timing.head(corpus, rung.tokens) for rung in ladder]
    for rung in ladder:
        rung.validate()
        rung.train(timing.head(corpus, min(rung.tokens, 200)), config)
        say(f"{rung.name}: equals the reference")
    counts = sorted({rung.workers for rung in ladder})
    runs: list[list[Timing]] = [[] for _ in ladder]
    peaks: dict[int, list[float]] = {count: [] for count in counts}
    for number in range(1, repeats + 1):
        for count in counts:
            peaks[count].append(peak.measure(count))
        for rung, its_head, done in zip(ladder, heads, runs, strict=True):
            done.append(rung.train(its_head, config))
            speed = done[-1].tokens / done[-1].seconds
            say(f"repeat {number} of {repeats}: {rung.name}: {speed:,.0f} tokens/s")

    results: list[dict[str, Any]] = []
    for rung, done in zip(ladder, runs, strict=True):
        results.append(
            {"name": rung.name, "workers": rung.workers}
            | timing.figures(done, config.vector_size, max(peaks[rung.workers]))
        )
    medians = [result["tokens_per_s"]["median"] for result in results]
    for i, result in enumerate(results):
        result["over_reference"] = float(f"{medians[i] / medians[0]:.4g}")
        result["over_vectorised"] = float(f"{medians[i] / medians[VECTORISED]:.4g}")
        result["over_before"] = float(f"{medians[i] / medians[i - 1]:.4g}") if i else None
    return {
        "rungs": results,
        "peak_gflops": {
            f"{counted(count, 'worker')}": {"best": round(max(each), 1), **timing.summary(each)}
            for count, each in peaks.items()
        },
    }


def corpus_for(path: Path | None, tokens: int, n_words: int = 80_000) -> Ids:
    """Return the first ``tokens`` tokens of a text or prepared folder with the words of all, or synthetic ones.

    Args:
        path: the text or the folder; None for a synthetic corpus.
        tokens: how many.
        n_words: size of the vocabulary of a synthetic corpus.
    """
    if path is None:
        return timing.synthetic(tokens, n_words)
    with opened(path, None, None, None) as ready:
        whole = Ids(path.name, ready.ids, ready.offsets, ready.vocab.counts)
        first = timing.head(whole, tokens)
        return first._replace(ids=first.ids.copy())


def table(record: report.Record) -> str:
    """Return the table of a ``ladder`` result, in Markdown."""
    rows = []
    for rung in record["rungs"]:
        tokens = rung["tokens_per_s"]
        ratios = [
            report.number(rung[key]) if rung[key] else ""
            for key in ("over_reference", "over_vectorised", "over_before")
        ]
        rows.append(
            [
                rung["name"],
                report.millions(tokens["median"]),
                report.millions(tokens["spread"]),
                report.millions(rung["trained_per_s"]["median"]),
                *ratios,
                report.number(rung["gflops"]["median"]),
                report.number(rung["percent_of_peak"]["median"]),
            ]
        )
    header = [
        "",
        "M tokens/s",
        "largest minus smallest",
        "trained, M/s",
        "x NumPy by pairs",
        "x vectorised",
        "x rung before",
    ]
    table = report.markdown([*header, "GFLOP/s", "% of FMA peak"], rows)
    config, peak = record["config"], record["peak_gflops"]
    peaks = ", ".join(f"{report.number(value['best'])} GFLOP/s on {count}" for count, value in peak.items())
    return (
        f"{table}\n\nMedians of {record['repeats']}; vector_size {config['vector_size']}, window {config['window']}, "
        f"negative {config['negative']}, sample {config['sample']:g}; FMA peak {peaks}. {report.source(record)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table of each vector_size."""
    newest = {result["config"]["vector_size"]: result for result in report.full_records("ladder")}
    return {f"ladder-{size}": table(newest[size]) for size in sorted(newest)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text or prepared folder (default: synthetic)")
    parser.add_argument("--vector-size", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--tokens", type=int, default=8_000_000, metavar="N", help="for the kernels (default: 8000000)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--quick", action="store_true", help="trial run: a fiftieth of the tokens, once")


def run(arguments: argparse.Namespace) -> None:
    """Climb the ladder, record the result and print its table."""
    config = TrainConfig(epochs=1, vector_size=arguments.vector_size)
    blas = record.blas()
    if blas["OPENBLAS_CORETYPE"]:
        print(f"OPENBLAS_CORETYPE={blas['OPENBLAS_CORETYPE']} is set: it may slow NumPy down; unset it to measure")
    tokens = arguments.tokens // (QUICK if arguments.quick else 1)
    corpus = corpus_for(arguments.corpus, tokens)
    ladder = rungs(arguments.tokens, config, arguments.quick)
    repeats = 1 if arguments.quick else arguments.repeats
    with steps("ladder", len(ladder) * (1 + repeats)) as say:
        found = climb(corpus, config, ladder, repeats, say)
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    options = f" --vector-size {config.vector_size} --tokens {arguments.tokens} --repeats {arguments.repeats}"
    done = record.append(
        "ladder",
        f"python -m bench ladder{name}{options}{' --quick' * arguments.quick}",
        {
            "quick": arguments.quick,
            "config": {key: value for key, value in asdict(config).items() if key not in ("seed", "min_count")},
            "corpus": corpus.describe(),
            "repeats": repeats,
            "blas": blas,
            **found,
        },
    )
    print(table(done))
