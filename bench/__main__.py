"""``python -m bench``: measurements, each written to ``bench/results/`` with what is needed to repeat it."""

import argparse
import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from . import complexity, everything, ingest, ladder, parity, peak, peers, quality, report, scale, sweep

#: In the order of `all` and of RESULTS.md.
COMMANDS: dict[str, ModuleType] = {
    "peak": peak,
    "ladder": ladder,
    "sweep": sweep,
    "peers": peers,
    "quality": quality,
    "parity": parity,
    "complexity": complexity,
    "ingest": ingest,
}


def add_others(commands: Any) -> dict[str, argparse.ArgumentParser]:
    """Add the commands that still have their parsers here, and return these."""
    sub = commands.add_parser("scale", help="texts of growing length: seconds, memory, and planted words found")
    lengths = [30_000_000, 100_000_000, 300_000_000]
    sub.add_argument("--tokens", type=int, nargs="+", default=lengths, metavar="N", help="default: 30, 100 and 300 M")
    sub.add_argument("--words", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    sub.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where texts of gigabytes go (default: as tempfile says)"
    )
    sub.add_argument("--quick", action="store_true", help="a hundredth of all: does it run?")
    sub.set_defaults(run=scale.run)
    return {"scale": sub}


def main() -> None:
    """Run one bench command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, module: ModuleType) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
        return sub

    parsers = {name: add(name, module) for name, module in COMMANDS.items()} | add_others(commands)
    add("all", everything).set_defaults(run=functools.partial(everything.run, parsers=parsers))
    add("report", report).set_defaults(run=functools.partial(report.run, modules=COMMANDS))
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
