"""``memory``: peak resident memory of our whole command over the size of the model, beside its own bill.

Each point is ``fastw2v train`` in a process of its own, on a text in which all words are equally frequent. The command
prints the bill before it allocates. A line is fitted to the peaks: its constant is Python, NumPy, Numba and machine
code, and its slope is the memory for each byte of V and U, which take 2 x n_words x vector_size x 4. The tables of
`peers` and `quality` have the peaks of the peers.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import record, report
from .command import peak_and_messages
from .steps import steps

HELP = "peak memory over vocabulary and vector_size, beside the bill printed before training"
POINTS = ((10_000, 100), (100_000, 50), (100_000, 100), (100_000, 300), (300_000, 100), (1_000_000, 100))
QUICK_POINTS = ((1_000, 50), (3_000, 100))
TOKENS_PER_WORD = 10


def write_text(path: Path, n_words: int) -> None:
    """Write `TOKENS_PER_WORD` times every word, in random order, 20 words per line."""
    rng = np.random.default_rng(1)
    with open(path, "w") as file:
        for _ in range(TOKENS_PER_WORD):
            words = [f"w{word}" for word in rng.permutation(n_words)]
            file.writelines(" ".join(words[i : i + 20]) + "\n" for i in range(0, n_words, 20))


def peak_and_bill(text: Path, folder: Path, vector_size: int) -> dict[str, float]:
    """Train an epoch and return the peak of the process, and the bill that it printed, in MB (10^6 bytes).

    Raises:
        SystemExit: the command fails, or prints no bill.
    """
    options = (f"--vector-size={vector_size}", "--min-count=1", "--epochs=1")
    peak, messages = peak_and_messages("train", text, "-o", folder / "model", *options, stderr=subprocess.PIPE)
    bill = re.search(r"([\d,]+) MB in all", messages)
    if bill is None:
        sys.exit(f"training with vector_size {vector_size} printed no bill:\n{messages}")
    return {"peak_mb": round(peak * 2**20 / 1e6, 1), "bill_mb": float(bill[1].replace(",", ""))}


def measure(points: tuple[tuple[int, int], ...], say: Callable[[str], None]) -> dict[str, Any]:
    """Train at every point and fit ``peak - V and U = constant + factor * V and U``."""
    found = []
    for n_words, vector_size in points:
        with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as folder:
            text = Path(folder) / "text.txt"
            write_text(text, n_words)
            point = {"n_words": n_words, "vector_size": vector_size, "matrices_mb": 8 * n_words * vector_size / 1e6}
            found.append(point | peak_and_bill(text, Path(folder), vector_size))
            say(f"{n_words:,} words, vector_size {vector_size}: {found[-1]['peak_mb']:.0f} MB")
    matrices = np.array([point["matrices_mb"] for point in found])
    peaks = np.array([point["peak_mb"] for point in found])
    factor, constant = np.polyfit(matrices, peaks, 1)
    return {"points": found, "constant_mb": round(float(constant), 1), "factor": round(float(factor), 3)}


def table(result: report.Record) -> str:
    """Return the table of a ``memory`` result, in Markdown."""
    rows = [
        [
            f"{point['n_words']:,}",
            str(point["vector_size"]),
            *(report.number(point[key]) for key in ("matrices_mb", "bill_mb", "peak_mb")),
        ]
        for point in result["points"]
    ]
    header = ["words", "vector_size", "V and U, MB", "the bill says, MB", "peak, MB"]
    return (
        f"{report.markdown(header, rows)}\n\nThe line through the peaks: {report.number(result['constant_mb'])} MB and "
        f"{result['factor']:.2f} bytes for each byte of V and U. {TOKENS_PER_WORD} tokens per word, one epoch. "
        f"{report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    return {"memory": table(result)} if (result := report.newest("memory")) else {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--quick", action="store_true", help="trial run: two small models")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    points = QUICK_POINTS if arguments.quick else POINTS
    with steps("memory", len(points)) as done:
        found = measure(points, done)
    command = f"python -m bench memory{' --quick' * arguments.quick}"
    print(table(record.append("memory", command, {"quick": arguments.quick, **found})))
