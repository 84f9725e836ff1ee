"""``report``: the tables, each from the newest results in ``bench/results/``, and what the tables share."""

import argparse
import json
import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from .record import RESULTS

HELP = "the tables of the newest results"

Record = dict[str, Any]


def records(bench: str) -> list[Record]:
    """Return all results of one bench, oldest first; none if it never ran."""
    path = RESULTS / f"{bench}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def shown(bench: str) -> list[Record]:
    """Return the results of one bench that tables may show, oldest first: all but those of ``--quick``."""
    return [record for record in records(bench) if not record.get("quick")]


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in [header, *rows]]
    lines.insert(1, "|---" * len(header) + "|")
    return re.sub(r"\|  (?=\|)", "| ", "\n".join(lines))


def processor(*results: Record) -> str:
    """Return the sentence that says on what machines results were made."""
    machines = [result["machine"] for result in results]
    cpus = [f"{of['cpu']} (family/model {of['cpu_family_model']}), {of['usable_cores']} cores" for of in machines]
    return f"{'; '.join(dict.fromkeys(cpus))}, shared with others."


def source(*results: Record) -> str:
    """Return the lines under a table that say where its figures come from: commands, versions, dates, machines."""
    commands = ", ".join(dict.fromkeys(f"`{result['command']}`" for result in results))
    dates = " to ".join(dict.fromkeys([min(of["date"] for of in results), max(of["date"] for of in results)]))
    found = [", ".join(f"{name} {version}" for name, version in result["versions"].items()) for result in results]
    return f"{commands}, {dates}, {'; '.join(dict.fromkeys(found))}. {processor(*results)}"


def number(value: float) -> str:
    """Return a number with two or three digits that count, thousands with commas."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def millions(value: float) -> str:
    """Return tokens a second in millions, two or three digits that count."""
    return f"{value / 1e6:.2f}" if value >= 1e5 else f"{value / 1e6:.2g}"


def collect(modules: Mapping[str, ModuleType]) -> dict[str, str]:
    """Return the blocks of all commands, in their order.

    Raises:
        ValueError: two commands give blocks of the same name.
    """
    found: dict[str, str] = {}
    for name, module in modules.items():
        blocks = module.blocks()
        if twice := found.keys() & blocks.keys():
            raise ValueError(f"bench {name} gives the block {min(twice)}, which another command gives too")
        found |= blocks
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace, modules: Mapping[str, ModuleType]) -> None:
    """Print every block that has a result."""
    for block in collect(modules).values():
        print(f"{block}\n")
