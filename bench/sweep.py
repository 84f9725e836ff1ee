"""``sweep``: the speed of the kernels on all workers, with one option at a time changed from its default.

The kernels run in turn at every point. The vocabulary axis always has synthetic text (Zipf), because a real text has
only one size; its tables are those of the expected counts. Power laws are fitted to the seconds and to the
multiply-adds of a trained token along each axis.
"""

import argparse
import statistics
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores

from . import fit, peak, record, report, timing
from .ladder import QUICK, corpus_for
from .steps import steps
from .timing import Ids, Timing

HELP = "both kernels over vector sizes, windows, noise words and vocabularies"

AXES = {
    "vector_size": (50, 100, 128, 200, 300, 512, 768, 1024),
    "window": (2, 5, 10),
    "negative": (5, 15, 20),
    "n_words": (34, 1_000, 10_000, 80_000, 1_000_000),
}
QUICK_AXES: dict[str, tuple[int, ...]] = {
    "vector_size": (50, 100),
    "window": (2, 5),
    "negative": (5, 15),
    "n_words": (34, 10_000),
}


def measure(corpus: Ids, config: TrainConfig, workers: int, repeats: int) -> dict[str, list[Timing]]:
    """Run the kernels in turn and return their runs."""
    runs: dict[str, list[Timing]] = {kernel: [] for kernel in timing.available_kernels()}
    for _ in range(repeats):
        for kernel, done in runs.items():
            done.append(timing.train_kernel(kernel, corpus, config, workers))
    return runs


def point_text(axis: str, value: int, config: TrainConfig, runs: dict[str, list[Timing]]) -> str:
    """Return the line about one point."""
    speeds = {kernel: statistics.median(run.tokens / run.seconds for run in done) for kernel, done in runs.items()}
    return f"{axis} {value:,}: {', '.join(f'{kernel} {speed:,.0f} tokens/s' for kernel, speed in speeds.items())}"


def points(
    corpus: Ids, config: TrainConfig, axes: dict[str, tuple[int, ...]], repeats: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every value of every axis; the point with all defaults is on three axes and runs once."""
    workers = config.workers
    default: dict[str, list[Timing]] | None = None
    found = []
    peaks = []
    for axis, values in axes.items():
        for value in values:
            peaks.append(peak.measure(workers))
            if axis == "n_words":
                synthetic = timing.synthetic(len(corpus.ids), value)
                found.append((axis, value, config, measure(synthetic, config, workers, repeats)))
                say(point_text(*found[-1]))
                continue
            changed = replace(config, **{axis: value})
            if changed != config or default is None:
                runs = measure(corpus, changed, workers, repeats)
                default = runs if changed == config else default
            else:
                runs = default
            found.append((axis, value, changed, runs))
            say(point_text(*found[-1]))
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


def growth(points: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return for each axis and kernel the exponents of a trained token's seconds and of its multiply-adds."""
    found: dict[str, dict[str, Any]] = {}
    for axis in dict.fromkeys(point["axis"] for point in points):
        on_axis = [point for point in points if point["axis"] == axis]
        if len(on_axis) < 2:
            continue
        values = [point["value"] for point in on_axis]
        for kernel in on_axis[0]["kernels"]:
            figures = [point["kernels"][kernel] for point in on_axis]
            seconds = [1 / each["trained_per_s"]["median"] for each in figures]
            work = [each["gflops"]["median"] * time for each, time in zip(figures, seconds, strict=True)]
            found.setdefault(axis, {})[kernel] = {
                "seconds": fit.power_law(values, seconds),
                "multiply_adds": fit.power_law(values, work),
            }
    return found


def growth_table(record: report.Record) -> str:
    """Return the table of the exponents of a ``sweep`` result, in Markdown."""
    found = growth(record["points"])
    kernels = list(record["points"][0]["kernels"])
    header = ["a trained token's cost grows as"]
    for kernel in kernels:
        header += [f"{kernel}: seconds", "multiply-adds"]
    rows = [
        [
            f"{axis} to the",
            *(fit.exponent_text(of[kernel][what]) for kernel in kernels for what in ("seconds", "multiply_adds")),
        ]
        for axis, of in found.items()
    ]
    return report.markdown(header, rows)


def table(record: report.Record) -> str:
    """Return the tables of a ``sweep`` result, in Markdown."""
    kernels = list(record["points"][0]["kernels"])
    header = [""]
    for kernel in kernels:
        header += [f"{kernel}: M tokens/s", "trained, M/s", "GFLOP/s", "% of FMA peak"]
    rows = []
    for point in record["points"]:
        row = [f"{point['axis']} {point['value']:,}"]
        for kernel in kernels:
            found = point["kernels"][kernel]
            row += [report.millions(found[key]["median"]) for key in ("tokens_per_s", "trained_per_s")]
            row += [report.number(found[key]["median"]) for key in ("gflops", "percent_of_peak")]
        rows.append(row)
    corpus = record["corpus"]
    return (
        f"{report.markdown(header, rows)}\n\n{growth_table(record)}\n\n"
        f"Medians of {record['repeats']}, {record['workers']} workers, one option "
        f"changed at a time; corpus: {corpus['name']}, {corpus['words']:,} words; n_words: synthetic. "
        f"{report.source(record)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    return {"sweep": table(result)} if (result := report.newest("sweep")) else {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text or prepared folder (default: synthetic)")
    parser.add_argument("--tokens", type=int, default=2_000_000, metavar="N", help="of a run (default: 2000000)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument(
        "--quick", action="store_true", help="trial run: few points with a fiftieth of the tokens, once"
    )


def run(arguments: argparse.Namespace) -> None:
    """Sweep all axes, record the result and print its table."""
    config = TrainConfig(epochs=1, workers=usable_cores())
    corpus = corpus_for(arguments.corpus, arguments.tokens // (QUICK if arguments.quick else 1))
    axes = QUICK_AXES if arguments.quick else AXES
    repeats = 1 if arguments.quick else arguments.repeats
    with steps("sweep", sum(map(len, axes.values()))) as say:
        found = points(corpus, config, axes, repeats, say)
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
            "repeats": repeats,
            **found,
        },
    )
    print(table(done))
