"""``python -m corpora``: write a corpus as text, one paragraph a line."""

import argparse
from pathlib import Path

from fastw2v import pydocs


def _pydocs(output: Path) -> None:
    with open(output, "w", encoding="ascii") as file:
        file.writelines(" ".join(words) + "\n" for words in pydocs.sentences())


def main() -> None:
    """Write one corpus."""
    parser = argparse.ArgumentParser(prog="python -m corpora", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="NAME")
    sub = commands.add_parser("pydocs", help="the documentation inside this Python; what the demo trains on")
    sub.add_argument("output", type=Path, help="text file to write")
    sub.set_defaults(run=_pydocs)
    arguments = parser.parse_args()
    arguments.run(arguments.output)


main()
