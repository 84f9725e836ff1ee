"""``peers``: this package beside every other program that can be had, in turn, on one text.

A round runs every system once, each in a process of its own (bench/systems.py); ratios are taken within a round. All
have the same text, vocabulary, window, negative, sample, alpha and number of workers, but "fastText defaults", which
has its own. What else differs between them is in the table of ``parity``.
"""

import argparse
import datetime
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from corpora import synthetic
from fastw2v import prepare
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.prepared import Corpus

from . import record, systems
from .steps import steps
from .systems import Job, System

HELP = "the whole command and its training, time and memory, beside every peer that can be had, in turn"
LONGEST = 1000  # words of a sentence, word2vec.c's MAX_SENTENCE_LENGTH
SYNTHETIC = {"tokens": 2_000_000, "words": 30_000}
QUICK_TOKENS = 100_000
OPTIONS = ("vector_size", "window", "negative", "sample", "alpha", "min_alpha", "min_count", "epochs", "workers")


def first_tokens(source: Path, tokens: int | None, target: Path) -> None:
    """Copy whole lines of a text until they hold that many words; the copy ends with a newline.

    Raises:
        SystemExit: a line has more words than word2vec.c keeps together.
    """
    left = tokens or sys.maxsize
    with open(source, "rb") as lines, open(target, "wb") as copy:
        for number, line in enumerate(lines, 1):
            words = len(line.split())
            if words > LONGEST:
                sys.exit(f"{source}, line {number}: {words} words; word2vec.c cuts sentences at {LONGEST}: break it up")
            copy.write(line if line.endswith(b"\n") else line + b"\n")
            left -= words
            if left <= 0:
                return


@contextmanager
def text_of(source: Path | None, tokens: int | None) -> Iterator[tuple[Path, Corpus, dict[str, Any]]]:
    """Give a text in a folder of its own, the first words of ``source`` or synthetic ones, its ids, and its sizes."""
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        text = Path(temporary) / "corpus.txt"  # word2vec.c's buffers for names hold 100 bytes
        if source is None:
            synthetic.write(text, tokens=tokens or SYNTHETIC["tokens"], words=SYNTHETIC["words"])
        else:
            first_tokens(source, tokens, text)
        corpus = prepare(text, Path(temporary) / "prepared", progress=False)
        yield (
            text,
            corpus,
            {
                "name": source.name if source else "synthetic",
                "tokens": corpus.tokens_read,
                "kept": len(corpus.ids),
                "words": len(corpus.vocab),
                "sentences": len(corpus.offsets) - 1,
            },
        )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add what `peers` and `quality` have in common."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file, one sentence a line (default: synthetic)")
    parser.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    names = ", ".join(systems.SYSTEMS)
    parser.add_argument(
        "--systems", nargs="+", choices=systems.SYSTEMS, metavar="NAME", help=f"default: all that can be had of {names}"
    )
    parser.add_argument("--pword2vec", type=Path, metavar="PROGRAM", help="a compiled pWord2Vec, to be one of them")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_TOKENS:,} words, once: does it run?")


def choice_of(arguments: argparse.Namespace) -> str:
    """Return what `add_choice` read as words of a command line."""
    words = f" {arguments.corpus.name}" if arguments.corpus else ""
    words += f" --tokens {arguments.tokens}" * (arguments.tokens is not None)
    if arguments.systems:
        words += " --systems " + " ".join(f"'{name}'" if " " in name else name for name in arguments.systems)
    if arguments.pword2vec:
        words += f" --pword2vec {arguments.pword2vec.name}"
    return words + " --quick" * arguments.quick


def tokens_of(arguments: argparse.Namespace) -> int | None:
    """Return how many words of the text to take."""
    return min(arguments.tokens or QUICK_TOKENS, QUICK_TOKENS) if arguments.quick else arguments.tokens


def run_all(
    bench: str,
    command: str,
    found: dict[str, System],
    text: Path,
    sizes: dict[str, Any],
    configs: list[TrainConfig],
    quick: bool,
    look: Callable[[System, Job], dict[str, Any]] = lambda system, job: {},
) -> list[dict[str, Any]]:
    """Run every system with every configuration, the systems in turn, and record each run.

    Args:
        bench: the file of the results.
        command: what was typed.
        found: the systems by name.
        text: what is trained; its folder is theirs.
        sizes: what is said of the text.
        configs: one for each turn.
        quick: whether this is only to see that it runs.
        look: what to record of a run's vectors.

    Returns:
        The results, in their order.
    """
    batch = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    results = []
    for name in found:
        if name.startswith("fastw2v"):  # its kernels are compiled now, if they never were; `startup` has the time
            systems.run_once(found[name], Job(text, replace(configs[0], epochs=1)))
    with steps(bench, len(configs) * len(found)) as done:
        for (number, config), (name, system) in itertools.product(enumerate(configs, 1), found.items()):
            job = Job(text, config)
            outcome = systems.run_once(system, job)
            trained = outcome["train_seconds"]
            speed = round(sizes["kept"] * config.epochs / trained) if trained else None
            result: dict[str, Any] = {
                "batch": batch,
                "quick": quick,
                "round": number,
                "system": name,
                "seed": config.seed,
                "config": {key: value for key, value in asdict(config).items() if key in OPTIONS},
                "made": system.made,
                "corpus": sizes,
                **outcome,
                "tokens_per_s": speed,
                "vectors": len(systems.load_vectors(system, job)),
                **look(system, job),
            }
            results.append(record.append(bench, command, result))
            training = f"{speed / 1e6:.3f} M tokens/s in training, " if speed else ""
            done(
                f"round {number}, vector_size {config.vector_size}, epochs {config.epochs}: {name} "
                f"{outcome['seconds']:.2f} s, {training}{outcome['peak_rss_mb']:.0f} MB"
            )
    return results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    add_choice(parser)
    parser.add_argument("--vector-size", type=int, action="append", metavar="N", help="repeat for more (default: 100)")
    parser.add_argument("--epochs", type=int, default=1, metavar="N", help="epochs of a run (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="times each is run (default: 3)")


def run(arguments: argparse.Namespace) -> None:
    """Measure every vector size on one text, and record every run."""
    vector_sizes = arguments.vector_size or [TrainConfig().vector_size]
    rounds = 1 if arguments.quick else arguments.rounds
    options = "".join(f" --vector-size {size}" for size in vector_sizes)
    options += f" --epochs {arguments.epochs}" * (arguments.epochs != 1)
    command = f"python -m bench peers{choice_of(arguments)}{options} --rounds {arguments.rounds}"
    found = systems.chosen(arguments.systems, arguments.pword2vec)
    with text_of(arguments.corpus, tokens_of(arguments)) as (text, _, sizes):
        for size in vector_sizes:
            config = TrainConfig(vector_size=size, epochs=arguments.epochs, workers=usable_cores())
            configs = [replace(config, seed=seed) for seed in range(1, rounds + 1)]
            run_all("peers", command, found, text, sizes, configs, arguments.quick)


def blocks() -> dict[str, str]:
    """Return no table yet."""
    return {}
