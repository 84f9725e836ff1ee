"""``whole``: the whole command, from a text file to saved vectors, beside word2vec.c's, in turn.

One epoch. Ours is ``fastw2v train TEXT -o MODEL``, a new process and a new model folder each time, with kernels that an
earlier run compiled; word2vec.c is built as for `peers`. The share of ingest is the time of `prepare` on the same text
in the same round, in a process whose kernels are loaded, over that of the command.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastw2v import prepare
from fastw2v.config import TrainConfig

from . import record, report
from .ingest import seconds_of
from .peers import BENCH_CACHE, build_word2vec, first_tokens, word2vec_options
from .timing import summary


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    config = TrainConfig(epochs=1)
    seconds: dict[str, list[float]] = {"word2vec.c": [], "fastw2v": []}
    shares = []
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        scratch = Path(temporary)
        program, made = build_word2vec(BENCH_CACHE, scratch)
        first_tokens(arguments.corpus, arguments.tokens, scratch / "corpus.txt")
        ours = [sys.executable, "-m", "fastw2v", "train", "corpus.txt", "-o", "model", "--epochs=1"]
        theirs = [str(program), *word2vec_options("corpus.txt", config)]
        corpus = prepare(scratch / "corpus.txt", scratch / "prepared", progress=False)

        def run_once(command: list[str]) -> float:
            return seconds_of(lambda: subprocess.run(command, cwd=scratch, check=True, capture_output=True))

        run_once(ours)  # compiles
        for number in range(1, arguments.rounds + 1):
            seconds["word2vec.c"].append(run_once(theirs))
            shutil.rmtree(scratch / "model")  # its cache would spare us reading the text
            seconds["fastw2v"].append(run_once(ours))
            ingest = seconds_of(lambda: prepare(scratch / "corpus.txt", scratch / "prepared", progress=False))
            shares.append(ingest / seconds["fastw2v"][-1])
            print(f"round {number}: {seconds['word2vec.c'][-1]:.1f} s, {seconds['fastw2v'][-1]:.2f} s")
    results: dict[str, Any] = {
        "rounds": arguments.rounds,
        "config": {key: value for key, value in asdict(config).items() if key != "seed"},
        "corpus": {"tokens": corpus.tokens_read, "words": len(corpus.vocab)},
        "word2vec.c": made,
        "seconds": {name: summary(values) for name, values in seconds.items()},
        "ratio": summary([a / b for a, b in zip(seconds["word2vec.c"], seconds["fastw2v"], strict=True)]),
        "ingest_share": summary(shares),
    }
    options = f" --tokens {arguments.tokens}" * (arguments.tokens is not None)
    command = f"python -m bench whole {arguments.corpus.name}{options} --rounds {arguments.rounds}"
    print(report.whole_table(record.append("whole", command, results)))
