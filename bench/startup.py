"""``startup``: the seconds that a new process spends before it trains, with and without compiled kernels.

Every command is a new process, and each repeat runs all commands once. "kernels compiled" starts with an empty cache of
machine code, "kernels in the cache" with the cache of the run before. The text is so short that its training takes no
time.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from corpora import synthetic

from . import record, report, timing
from .steps import steps

HELP = "the start of a new process: imports, compilation, the first training"
TOKENS, WORDS = 300_000, 5_000


def commands(text: Path, folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Return the commands by name: their words, and the variables that they add to the environment."""
    python = sys.executable
    train = [python, "-m", "fastw2v", "train", str(text), "-o", str(folder / "model"), "--epochs=1"]
    cached = {"NUMBA_CACHE_DIR": str(folder / "kernels")}
    found: dict[str, tuple[list[str], dict[str, str]]] = {
        "python": ([python, "-c", ""], {}),
        "import numpy": ([python, "-c", "import numpy"], {}),
        "import numba": ([python, "-c", "import numba"], {}),
        "import fastw2v": ([python, "-c", "import fastw2v; fastw2v.train"], {}),
        "fastw2v --help": ([python, "-m", "fastw2v", "--help"], {}),
        "fastw2v train, kernels compiled": (train, cached),
        "fastw2v train, kernels in the cache": (train, cached),
    }
    if importlib.util.find_spec("gensim"):
        script = str(Path(__file__).with_name("gensim_run.py"))
        found["import gensim"] = ([python, "-c", "import gensim"], {})
        found["gensim, the same text"] = (
            [python, script, "corpus_file", str(text), str(folder / "gensim.bin"), '{"epochs": 1, "workers": 2}'],
            {},
        )
    return found


def seconds_of(command: list[str], environment: dict[str, str]) -> float:
    """Run a command in a new process and return its wall time.

    Raises:
        SystemExit: the command fails.
    """
    began = time.perf_counter()
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return seconds


def measure(repeats: int) -> dict[str, Any]:
    """Run every command once per repeat."""
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        text = Path(temporary) / "text.txt"
        synthetic.write(text, tokens=TOKENS, words=WORDS)
        with steps("startup", repeats * len(commands(text, Path(temporary)))) as done:
            for repeat in range(repeats):
                folder = Path(temporary) / str(repeat)  # with an empty cache of machine code
                folder.mkdir()
                for name, (command, environment) in commands(text, folder).items():
                    if "cache" in name:  # A new model folder has no ids, so the text is read again.
                        command = [*command[:-2], str(folder / "second"), command[-1]]
                    seconds.setdefault(name, []).append(seconds_of(command, environment))
                    done(f"{name}: {seconds[name][-1]:.2f} s")
    return {name: timing.summary(each) for name, each in seconds.items()}


def table(result: report.Record) -> str:
    """Return the table of a ``startup`` result, in Markdown."""
    return (
        f"{report.medians(['a new process', 'seconds'], result['seconds'])}\n\nMedians of "
        f"{result['repeats']}; the text has {TOKENS:,} words. {report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    return {"startup": table(result)} if (result := report.newest("startup")) else {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--quick", action="store_true", help="trial run: once")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    repeats = 1 if arguments.quick else arguments.repeats
    command = f"python -m bench startup --repeats {arguments.repeats}{' --quick' * arguments.quick}"
    facts = {"quick": arguments.quick, "repeats": repeats, "seconds": measure(repeats)}
    print(table(record.append("startup", command, facts)))
