"""``python -m bench``: measurements, each written to ``bench/results/`` with what is needed to repeat it."""

import argparse
import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from . import everything, ingest, ladder, peak, peers, quality, report, scale, sweep, whole

#: In the order of `all` and of RESULTS.md.
COMMANDS: dict[str, ModuleType] = {
    "peak": peak,
    "ladder": ladder,
    "sweep": sweep,
    "ingest": ingest,
}


def add_others(commands: Any) -> dict[str, argparse.ArgumentParser]:
    """Add the commands that still have their parsers here, and return these."""
    sub = commands.add_parser("quality", help="train a real corpus with several seeds; time, memory and scores")
    sub.add_argument("corpus", type=Path, help="a text file")
    sub.add_argument("--similarity", type=Path, action="append", default=[], help="similarity file (repeat for more)")
    sub.add_argument("--analogies", type=Path, action="append", default=[], help="analogy file (repeat for more)")
    sub.add_argument("--seeds", type=int, default=3, help="seeds 1..N (default: 3)")
    sub.add_argument("--kernel", help="passed to fastw2v train, as --option=--kernel=KERNEL")
    sub.add_argument("--option", action="append", default=[], metavar="--NAME=VALUE", help="passed to fastw2v train")
    sub.set_defaults(run=quality.run)
    parsers = {"quality": sub}

    sub = commands.add_parser("peers", help="training throughput beside word2vec.c and gensim, in turn")
    sub.add_argument("corpus", type=Path, help="a text file, one sentence a line")
    size_help = "repeat for more (default: 100)"
    sub.add_argument("--vector-size", type=int, action="append", metavar="N", help=size_help)
    sub.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    sub.add_argument("--epochs", type=int, default=1, help="epochs of a run (default: 1)")
    sub.add_argument("--rounds", type=int, default=3, help="times each is run (default: 3)")
    sub.add_argument("--peers", nargs="*", choices=peers.PEERS, default=peers.PEERS, help="default: all")
    sub.set_defaults(run=peers.run)
    parsers["peers"] = sub

    sub = commands.add_parser("whole", help="the whole command, text to saved vectors, beside word2vec.c's")
    sub.add_argument("corpus", type=Path, help="a text file, one sentence a line")
    sub.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    sub.add_argument("--rounds", type=int, default=3, help="times each is run (default: 3)")
    sub.set_defaults(run=whole.run)
    parsers["whole"] = sub

    sub = commands.add_parser("scale", help="texts of growing length: seconds, memory, and planted words found")
    lengths = [30_000_000, 100_000_000, 300_000_000]
    sub.add_argument("--tokens", type=int, nargs="+", default=lengths, metavar="N", help="default: 30, 100 and 300 M")
    sub.add_argument("--words", type=int, default=1_000_000, metavar="N", help="default: 1000000")
    sub.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where texts of gigabytes go (default: as tempfile says)"
    )
    sub.add_argument("--quick", action="store_true", help="a hundredth of all: does it run?")
    sub.set_defaults(run=scale.run)
    parsers["scale"] = sub
    return parsers


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
