"""``sweep``: the kernels on all workers as one option at a time leaves its default.

The kernels run in turn at every point. The vocabulary axis is synthetic (Zipf) whatever the corpus, for real text has
only one size; its tables are those of the expected counts.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores

from . import peak, record, report, timing
from .ladder import QUICK, corpus_for
from .timing import Done, Ids

AXES = {
    "vector_size": (50, 100, 128, 200, 300, 512, 768, 1024),
    "window": (2, 5, 10),
    "negative": (5, 15, 20),
    "n_words": (34, 1_000, 10_000, 80_000, 1_000_000),
}


def measure(
    corpus: Ids, config: TrainConfig, workers: int, repeats: int, say: Callable[[str], None]
) -> dict[str, list[Done]]:
    """Run the kernels in turn and return their runs."""
    runs: dict[str, list[Done]] = {kernel: [] for kernel in timing.available_kernels()}
    for number in range(1, repeats + 1):
        for kernel, done in runs.items():
            done.append(timing.train_kernel(kernel, corpus, config, workers))
            say(f"  repeat {number}: {kernel} {done[-1].tokens / done[-1].seconds:,.0f} tokens/s")
    return runs


def points(
    corpus: Ids, config: TrainConfig, axes: dict[str, tuple[int, ...]], repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every value of every axis; the point where all is at its default stands on three axes and runs once."""
    workers = config.workers or 1
    default: dict[str, list[Done]] | None = None
    found = []
    peaks = []
    for axis, values in axes.items():
        for value in values:
            say(f"{axis} {value:,}")
            peaks.append(peak.measure(workers))
            if axis == "n_words":
                synthetic = timing.synthetic(len(corpus.ids), value, config)
                found.append((axis, value, config, measure(synthetic, config, workers, repeats, say)))
                continue
            changed = replace(config, **{axis: value})
            if changed != config or default is None:
                runs = measure(corpus, changed, workers, repeats, say)
                default = runs if changed == config else default
            else:
                runs = default
            found.append((axis, value, changed, runs))
    best = max(peaks)
    return {
        "points": [
            {
                "axis": axis,
                "value": value,
                "kernels": {kernel: timing.figures(done, at.vector_size, best) for kernel, done in runs.items()},
            }
            for axis, value, at, runs in found
        ],
        "peak_gflops": {"best": round(best, 1), **timing.summary(peaks)},
    }


def run(arguments: argparse.Namespace) -> None:
    """Sweep all axes, record the result and print its table."""
    config = TrainConfig(epochs=1, workers=usable_cores())
    corpus = corpus_for(arguments.corpus, arguments.tokens // (QUICK if arguments.quick else 1), config)
    found = points(corpus, config, AXES, arguments.repeats, print)
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    done = record.append(
        "sweep",
        f"python -m bench sweep{name} --tokens {arguments.tokens} --repeats {arguments.repeats}"
        f"{' --quick' * arguments.quick}",
        {
            "quick": arguments.quick,
            "default": {key: value for key, value in asdict(config).items() if key not in ("seed", "min_count")},
            "workers": config.workers,
            "corpus": corpus.describe(),
            "repeats": arguments.repeats,
            **found,
        },
    )
    print(report.sweep_table(done))
