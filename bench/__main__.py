"""``python -m bench``: measurements. Each result goes to ``bench/results/`` with the facts needed to repeat it."""

import argparse
import functools
from types import ModuleType

from . import (
    complexity,
    distributed,
    everything,
    graph,
    ingest,
    ladder,
    memory,
    parity,
    peak,
    peers,
    phrases,
    quality,
    report,
    scaling,
    startup,
    subwords,
    sweep,
    switch,
    vectors,
)

#: In the order of `all` and of RESULTS.md.
COMMANDS: dict[str, ModuleType] = {
    "peak": peak,
    "ladder": ladder,
    "sweep": sweep,
    "scaling": scaling,
    "startup": startup,
    "memory": memory,
    "peers": peers,
    "quality": quality,
    "subwords": subwords,
    "parity": parity,
    "complexity": complexity,
    "ingest": ingest,
    "vectors": vectors,
    "switch": switch,
    "phrases": phrases,
    "graph": graph,
    "distributed": distributed,
}


def main() -> None:
    """Run one bench command."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, module: ModuleType) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
        return sub

    parsers = {name: add(name, module) for name, module in COMMANDS.items()}
    add("all", everything).set_defaults(run=functools.partial(everything.run, parsers=parsers))
    add("report", report).set_defaults(run=functools.partial(report.run, modules=COMMANDS))
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
