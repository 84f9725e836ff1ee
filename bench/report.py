"""``report``: blocks of README and docs, RESULTS.md and the pictures, from the newest results in ``bench/results/``.

A block is the text between ``<!-- bench:NAME -->`` and ``<!-- /bench -->`` in README or a page of ``docs/``.
RESULTS.md has every block, in the order of the commands. A picture is drawn again only if its data have changed or its
file is missing; matplotlib is needed only then.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from . import figure
from .figure import Figure
from .record import RESULTS

HELP = "the blocks of README and docs, RESULTS.md and the pictures from the newest results"
ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
BLOCK = re.compile(r"(<!-- bench:([\w-]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)

Record = dict[str, Any]


def records(bench: str) -> list[Record]:
    """Return all results of one bench, oldest first; none if it never ran."""
    path = RESULTS / f"{bench}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def full_records(bench: str) -> list[Record]:
    """Return the results of one bench that tables may show, oldest first: all but those of ``--quick``."""
    return [record for record in records(bench) if not record.get("quick")]


def newest(bench: str) -> Record | None:
    """Return the newest result of one bench that tables may show; None without any."""
    return next(reversed(full_records(bench)), None)


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in [header, *rows]]
    lines.insert(1, "|---" * len(header) + "|")
    return re.sub(r"\|  (?=\|)", "| ", "\n".join(lines))


def medians(header: list[str], summaries: Mapping[str, Record]) -> str:
    """Return a Markdown table of names, medians and spreads (see `timing.summary`)."""
    rows = [[name, number(of["median"]), number(of["spread"])] for name, of in summaries.items()]
    return markdown([*header, "largest minus smallest"], rows)


def cpu(result: Record) -> str:
    """Return the processor of a result, and how many cores of it could be used."""
    of = result["machine"]
    return f"{of['cpu']} (family/model {of['cpu_family_model']}), {of['usable_cores']} cores"


def processor(*results: Record) -> str:
    """Return the sentence about the machines of the results."""
    return f"{'; '.join(dict.fromkeys(map(cpu, results)))}, shared with others."


def source(*results: Record) -> str:
    """Return the lines below a table about the origin of its figures: commands, versions, dates, machines."""
    commands = list(dict.fromkeys(result["command"] for result in results))
    dates = " to ".join(dict.fromkeys([min(of["date"] for of in results), max(of["date"] for of in results)]))
    found = [", ".join(f"{name} {version}" for name, version in result["versions"].items()) for result in results]
    made = f"{dates}, {'; '.join(dict.fromkeys(found))}. {processor(*results)}"
    if len(commands) == 1:
        return f"`{commands[0]}`, {made}"
    listed = "\n".join(commands)
    return f"{made}\n\n```\n{listed}\n```"


def number(value: float) -> str:
    """Return a number with two or three significant digits, and commas in thousands."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def millions(value: float) -> str:
    """Return tokens per second in millions, with two or three significant digits."""
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


def pictures(modules: Mapping[str, ModuleType]) -> dict[str, Figure]:
    """Return the pictures of all commands that have some."""
    return {
        name: of for module in modules.values() if hasattr(module, "figures") for name, of in module.figures().items()
    }


def with_blocks(name: str, text: str, blocks: Mapping[str, str]) -> str:
    """Return a page with its blocks as they should be.

    Raises:
        SystemExit: the page has a block for which there is no result.
    """

    def replaced(match: re.Match[str]) -> str:
        if match[2] not in blocks:
            sys.exit(f"{name} has the block {match[2]}, for which there is no result: run its command, or remove it")
        return f"{match[1]}{blocks[match[2]]}\n{match[3]}"

    return BLOCK.sub(replaced, text)


def results_page(modules: Mapping[str, ModuleType]) -> str:
    """Return RESULTS.md: a section for each command that has results, with its tables and pictures."""
    parts = [
        "# Results",
        "`python -m bench report` writes this page from `bench/results/`; `docs/benchmarks.md` has the main part.",
    ]
    for name, module in modules.items():
        if not (blocks := module.blocks()):
            continue
        parts.append(f"## {name}: {module.HELP}")
        for block, text in blocks.items():
            parts += [f"### {block}"] * (len(blocks) > 1) + [text]
        if hasattr(module, "figures"):
            parts += [f"![{of.text}](../docs/pictures/{picture}.svg)" for picture, of in module.figures().items()]
    return "\n\n".join(parts) + "\n"


def pages(modules: Mapping[str, ModuleType], root: Path) -> dict[Path, str]:
    """Return the expected text of README.md, the pages of docs and RESULTS.md."""
    blocks = collect(modules)
    found = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    wanted = {path: with_blocks(path.name, path.read_text(), blocks) for path in found}
    return wanted | {root / "bench" / "RESULTS.md": results_page(modules)}


def differing(wanted: Mapping[Path, str], drawn: Mapping[str, Figure]) -> list[Path]:
    """Return the `pages` and the files of `pictures` that differ from the results."""
    found = [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]
    return found + [path for name, of in drawn.items() for path in figure.stale(of, name, PICTURES)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not up to date")


def run(arguments: argparse.Namespace, modules: Mapping[str, ModuleType], root: Path = ROOT) -> None:
    """Write the pages and pictures that have changed, or with ``--check`` report them.

    Raises:
        SystemExit: with ``--check``, a file differs from the results; or matplotlib is needed and not installed.
    """
    wanted, drawn = pages(modules, root), pictures(modules)
    changed = differing(wanted, drawn)
    if arguments.check:
        if changed:
            names = ", ".join(path.name for path in changed)
            sys.exit(f"not up to date with the results: {names}; run: python -m bench report")
        return
    for path, text in wanted.items():
        if path in changed:
            path.write_text(text)
    for name, of in drawn.items():
        if figure.stale(of, name, PICTURES):
            try:
                figure.write(of, name, PICTURES)
            except ImportError:
                sys.exit(f"{name} must be drawn, and matplotlib is not installed: pip install -e '.[bench]'")
    for path in changed:
        print(f"wrote {path.name}")
