"""``switch``: one program, run with gensim and with only its import line changed, in turn.

The program trains on a list of lists and asks for the nearest words. One time is that of the process, from the start of
Python to its end: imports, reading the text into lists, training, questions. The other is measured in the program, from
``Word2Vec(...)`` to the last answer. Our compiled kernels are in the cache, as from the second program on. The first
program, which compiles them, is timed by itself.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastw2v.machine import usable_cores

from . import beside, peers, record, report

HELP = "one program of gensim and the same with our import, whole, in turn"
TOKENS, QUICK_TOKENS = 1_000_000, 20_000
IMPORTS = {"fastw2v": "from fastw2v.gensim import Word2Vec", "gensim": "from gensim.models import Word2Vec"}
PROGRAM = """
import sys, time
{import_line}
sentences = [line.split() for line in open(sys.argv[1])]
began = time.perf_counter()
model = Word2Vec(sentences, vector_size=100, window=5, min_count=5, workers=int(sys.argv[2]), {options})
for word in model.wv.index_to_key[100:110]:
    print(word, model.wv.most_similar(word, topn=5), model.wv.similarity(word, model.wv.index_to_key[0]))
print(time.perf_counter() - began, file=sys.stderr)
"""
#: What the rows of the table are called, and the option.
VARIANTS = {"skip-gram, sg=1": "sg=1", "gensim's default: CBOW with gensim, skip-gram here": "sg=0"}
WHOLE, INSIDE = "whole program", "training and questions"


def run_program(system: str, options: str, text: Path, workers: int, cache: Path) -> float:
    """Run the program in a process of its own; return the seconds of training and questions.

    Raises:
        SystemExit: it failed.
    """
    code = PROGRAM.format(import_line=IMPORTS[system], options=options)
    command = [sys.executable, "-W", "ignore", "-c", code, str(text), str(workers)]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0 or done.stdout.count("\n") != 10:
        sys.exit(f"the program failed with {system}\n{done.stderr}")
    return float(done.stderr.split()[-1])


def compare(text: Path, workers: int, rounds: int) -> dict[str, Any]:
    """Return the seconds of the first run of ours, which compiles, and the results of `beside.measure`."""
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as cache:

        def program(system: str, options: str, part: str) -> Callable[[], float | None]:
            def work() -> float | None:
                seconds = run_program(system, options, text, workers, Path(cache))
                return seconds if part == INSIDE else None

            return work

        cold = beside.seconds_of(program("fastw2v", "sg=1", WHOLE))
        calls = {
            f"{name}; {part}": (program("fastw2v", option, part), program("gensim", option, part))
            for name, option in VARIANTS.items()
            for part in (WHOLE, INSIDE)
        }
        return {"cold": round(cold, 2), "calls": beside.measure(calls, rounds, "switch")}


def table(result: report.Record) -> str:
    """Return the table of a ``switch`` result, in Markdown."""
    text = result["text"]
    return (
        f"{beside.table(result['calls'])}\n\nMedians of {result['rounds']} rounds. The program on "
        f"{text['tokens']:,} tokens of {text['name']}, {result['workers']} workers. gensim {result['gensim']}. "
        f"Kernels were compiled beforehand; the first program, which compiles, takes {result['cold']} s. "
        f"{report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    result = report.newest("switch")
    return {} if result is None else {"switch": table(result)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file, one sentence per line (default: synthetic)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--quick", action="store_true", help=f"trial run: {QUICK_TOKENS:,} tokens, one round")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    version = beside.gensim_version()
    if version is None:
        return
    rounds = 1 if arguments.quick else arguments.rounds
    workers = usable_cores()
    with peers.text_of(arguments.corpus, QUICK_TOKENS if arguments.quick else TOKENS) as (text, _, sizes):
        found = compare(text, workers, rounds)
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    done = record.append(
        "switch",
        f"python -m bench switch{name}{' --quick' * arguments.quick} --rounds {arguments.rounds}",
        {
            "quick": arguments.quick,
            "rounds": rounds,
            "workers": workers,
            "gensim": version,
            "text": sizes,
            **found,
        },
    )
    print(table(done))
