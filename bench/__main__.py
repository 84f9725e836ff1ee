"""``python -m bench``: measurements, each written to ``bench/results/`` with what is needed to repeat it."""

import argparse
from pathlib import Path

from . import quality, report


def main() -> None:
    """Run one bench command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    sub = commands.add_parser("quality", help="train a real corpus with several seeds; time, memory and scores")
    sub.add_argument("corpus", type=Path, help="a text file")
    sub.add_argument("--similarity", type=Path, action="append", default=[], help="similarity file (repeat for more)")
    sub.add_argument("--analogies", type=Path, action="append", default=[], help="analogy file (repeat for more)")
    sub.add_argument("--seeds", type=int, default=3, help="seeds 1..N (default: 3)")
    sub.add_argument("--option", action="append", default=[], metavar="--NAME=VALUE", help="passed to fastw2v train")
    sub.set_defaults(run=quality.run)

    sub = commands.add_parser("report", help="print the README's table from the newest results")
    sub.set_defaults(run=lambda arguments: report.main())

    arguments = parser.parse_args()
    arguments.run(arguments)


main()
