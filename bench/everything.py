"""``all``: every command in turn, each with its defaults in a process of its own. A failure does not stop the rest."""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HELP = "every command in turn, each with its defaults"
EVALUATION = ("similarity", "analogies")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run` passes to the commands that have them."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file (default: synthetic, each command its own)")
    for name in EVALUATION:
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help="passed to quality; repeatable")
    parser.add_argument("--quick", action="store_true", help="trial run of everything")


def command(name: str, parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[str]:
    """Return the words of one command, with those of our arguments that its parser accepts."""
    known, left_over = parser.parse_known_args(["a corpus"])
    words = [name]
    if arguments.corpus and not left_over:
        words.append(str(arguments.corpus))
    if arguments.quick and "quick" in known:
        words.append("--quick")
    for option in EVALUATION:
        if option in known:
            words += [f"--{option}={path}" for path in getattr(arguments, option)]
    return words


def run(arguments: argparse.Namespace, parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    """Run every command.

    Raises:
        SystemExit: some failed; the message names them.
    """
    failed = []
    for number, (name, parser) in enumerate(parsers.items(), 1):
        words = command(name, parser, arguments)
        print(f"== {number} of {len(parsers)}: {' '.join(words)}", flush=True)
        if subprocess.run([sys.executable, "-m", "bench", *words]).returncode != 0:
            failed.append(name)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; all others ran")
