"""``scaling``: how the cost grows with the length of the text, and what more workers give.

Tokens: the same vocabulary in synthetic texts of growing length: seconds, peak memory, and how much of what was planted
is found. Each step is a command in a process of its own: `fastw2v prepare` and one epoch of `fastw2v train`. Text of
one length is the beginning of the longer one. A pair of twins counts as found if each is the other's nearest neighbour.

Workers: an epoch of both kernels on 1 worker and on twice as many each time until all cores are used, in turn, on ids
in memory. More cores than this machine has are the matter of ``hogwild``.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from corpora import synthetic
from fastw2v import evaluate_analogies, evaluate_similarity, load
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores

from . import fit, record, report, timing
from .command import measured
from .figure import COLOURS, Figure
from .ladder import corpus_for
from .steps import steps
from .timing import Ids

HELP = "texts of growing length, and workers: seconds, memory, fitted growth"
LENGTHS = (30_000_000, 100_000_000, 300_000_000)
WORKERS_TOKENS = {"pair": 2_000_000, "tile": 8_000_000}
VECTOR_SIZES = (100, 300)
QUICK = 100  # divides tokens and words


def found(model: Path, text: Path, planted: synthetic.Planted) -> dict[str, float]:
    """Return how much of what was planted a model found, in per cent (of twins and questions), or times 100."""
    embeddings = load(model)
    seen = [a for pair in planted.twins for a in pair if a in embeddings]  # a short text does not show every word
    nearest = {a: embeddings.most_similar(a, topn=1)[0][0] for a in seen}
    mutual = [nearest.get(a) == b and nearest.get(b) == a for a, b in planted.twins]
    analogies, similarities = synthetic.answer_paths(text)
    return {
        "twins": round(100 * sum(mutual) / len(mutual), 1),
        "analogies": round(100 * (evaluate_analogies(embeddings, analogies)[-1].accuracy or 0), 1),
        "similarity": round(100 * (evaluate_similarity(embeddings, similarities).spearman or 0), 1),
    }


def measure_length(tokens: int, words: int, folder: Path) -> dict[str, Any]:
    """Write a text, prepare it and train on it."""
    text, prepared, model = folder / "text.txt", folder / "prepared", folder / "model"
    began = time.perf_counter()
    planted = synthetic.write(text, tokens=tokens, words=words)
    result: dict[str, Any] = {"tokens": tokens, "written_seconds": round(time.perf_counter() - began, 2)}
    result["text_mb"] = round(text.stat().st_size / 1e6)
    result["prepare"] = measured("prepare", text, "-o", prepared, "--min-count=1")
    result["train"] = measured("train", prepared, "-o", model, "--epochs=1")
    result["words"] = len(load(model))
    result["found"] = found(model, text, planted)
    return result


def growth(lengths: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the exponents with which the seconds of each step grow with the tokens; {} of one length."""
    if len(lengths) < 2:
        return {}
    tokens = [length["tokens"] for length in lengths]
    return {
        step: fit.power_law(tokens, [length[step]["seconds"] for length in lengths]) for step in ("prepare", "train")
    }


def counts() -> list[int]:
    """Return 1, 2, 4, ... workers, and all of them."""
    cores = usable_cores()
    return sorted({1 << n for n in range(cores.bit_length()) if 1 << n <= cores} | {cores})


def measure_workers(corpus: Ids, kernel: str, config: TrainConfig, repeats: int) -> dict[str, Any]:
    """Train an epoch on each number of workers in turn; return tokens/s, and speed-ups within a repeat."""
    speeds: dict[int, list[float]] = {count: [] for count in counts()}
    for _ in range(repeats):
        for count, each in speeds.items():
            done = timing.train_kernel(kernel, corpus, config, count)
            each.append(done.tokens / done.seconds)
    return {
        "kernel": kernel,
        "vector_size": config.vector_size,
        "tokens": len(corpus.ids),
        "tokens_per_s": {str(count): timing.summary(each) for count, each in speeds.items()},
        "speed_up": {
            str(count): timing.summary(a / b for a, b in zip(each, speeds[1], strict=True))
            for count, each in speeds.items()
        },
    }


# ------------------------------------------------------------------------------------------------------- the tables


def table(result: report.Record) -> str:
    """Return the table of the lengths of a ``scaling`` result, in Markdown."""
    lengths = result["lengths"]
    header = ["", *(f"{length['tokens'] / 1e6:g} M tokens" for length in lengths), "grows as tokens to the"]
    rows = [["text, MB", *(f"{length['text_mb']:,}" for length in lengths), ""]]
    rows.append(["distinct words", *(f"{length['words']:,}" for length in lengths), ""])
    for step, label in (("prepare", "prepare"), ("train", "train, one epoch")):
        exponent = fit.spoken(result["growth"][step]) if step in result["growth"] else ""
        rows.append([f"{label}: seconds", *(report.number(length[step]["seconds"]) for length in lengths), exponent])
        rates = [1e3 * length[step]["seconds"] / (length["tokens"] / 1e6) for length in lengths]
        rows.append([f"{label}: ns a token", *(report.number(rate) for rate in rates), ""])
        peaks = [report.number(length[step]["peak_rss_mb"]) for length in lengths]
        rows.append([f"{label}: peak memory, MB", *peaks, ""])
    for what, label in (
        ("twins", "planted twins found, %"),
        ("analogies", "planted analogies, %"),
        ("similarity", "similarity, 100 x Spearman"),
    ):
        rows.append([label, *(f"{length['found'][what]:.1f}" for length in lengths), ""])
    return f"{report.markdown(header, rows)}\n\nvector_size 100, min_count 1. {report.source(result)}"


def workers_table(result: report.Record) -> str:
    """Return the table of the workers of a ``scaling`` result, in Markdown."""
    rows = []
    for point in result["workers"]:
        for count, speed in point["tokens_per_s"].items():
            up = point["speed_up"][count]
            rows.append(
                [
                    f"{point['kernel']}, vector_size {point['vector_size']}",
                    count,
                    report.millions(speed["median"]),
                    f"{report.number(up['median'])} ({report.number(up['spread'])})",
                    f"{100 * up['median'] / int(count):.0f}",
                ]
            )
    header = ["kernel", "workers", "M tokens/s", "times one worker", "efficiency, %"]
    return (
        f"{report.markdown(header, rows)}\n\nMedians of {result['repeats']}, in brackets the largest minus the "
        f"smallest within a repeat; corpus: {result['corpus']}. {report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest tables."""
    result = report.newest("scaling")
    return {"scaling": table(result), "workers": workers_table(result)} if result else {}


def figures() -> dict[str, Figure]:
    """Return the picture of the newest result: seconds and memory over the length of the text."""
    result = report.newest("scaling")
    if result is None:
        return {}
    lengths = result["lengths"]
    data = {
        "tokens": [length["tokens"] for length in lengths],
        **{step: [length[step] for length in lengths] for step in ("train", "prepare")},
    }
    text = "Seconds and peak memory over the length of the text: seconds grow with it, memory does not"
    return {"scaling": Figure(text, data, draw, size=(9, 3.4))}


def draw(canvas: Any, data: Any) -> None:
    """Draw both steps' seconds on the left, their memory on the right."""
    millions = [tokens / 1e6 for tokens in data["tokens"]]
    for axes, what, label in zip(
        canvas.subplots(1, 2), ("seconds", "peak_rss_mb"), ("seconds", "peak memory, MB"), strict=True
    ):
        for colour, (step, name) in zip(COLOURS, (("train", "train, one epoch"), ("prepare", "prepare")), strict=False):
            axes.plot(millions, [each[what] for each in data[step]], "o-", color=colour, label=name)
        axes.set_xlabel("million tokens")
        axes.set_ylabel(label)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=9)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument(
        "corpus", type=Path, nargs="?", help="a text or prepared folder for the workers (default: synthetic)"
    )
    parser.add_argument("--tokens", type=int, nargs="+", default=LENGTHS, metavar="N", help="default: 30, 100, 300 M")
    parser.add_argument("--words", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of the workers' runs (default: 3)")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where texts go (default: as tempfile says)")
    parser.add_argument("--quick", action="store_true", help="a hundredth of all, once: does it run?")


def run(arguments: argparse.Namespace) -> None:
    """Measure every length and every number of workers, record the result and print its tables."""
    divisor, repeats = (QUICK, 1) if arguments.quick else (1, arguments.repeats)
    lengths, workers = [], []
    with steps("scaling", len(arguments.tokens) + len(VECTOR_SIZES) * len(WORKERS_TOKENS)) as done:
        for vector_size in VECTOR_SIZES:
            config = TrainConfig(vector_size=vector_size, epochs=1)
            for kernel, tokens in WORKERS_TOKENS.items():
                corpus = corpus_for(arguments.corpus, tokens // divisor, config)
                workers.append(measure_workers(corpus, kernel, config, repeats))
                done(f"{kernel}, vector_size {vector_size}: {workers[-1]['speed_up']}")
        for tokens in arguments.tokens:
            with tempfile.TemporaryDirectory(prefix="fastw2v-bench-", dir=arguments.scratch) as folder:
                lengths.append(measure_length(tokens // divisor, arguments.words // divisor, Path(folder)))
                done(str(lengths[-1]))
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    result = record.append(
        "scaling",
        f"python -m bench scaling{name} --tokens {' '.join(map(str, arguments.tokens))} --words {arguments.words} "
        f"--repeats {arguments.repeats}{' --quick' * arguments.quick}",
        {
            "quick": arguments.quick,
            "words": arguments.words // divisor,
            "lengths": lengths,
            "growth": growth(lengths),
            "repeats": repeats,
            "corpus": corpus.name,
            "workers": workers,
        },
    )
    print(f"{table(result)}\n\n{workers_table(result)}")
