"""``report``: the tables, each from the newest results in ``bench/results/``, and what the tables share."""

import argparse
import json
from collections.abc import Callable, Mapping
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
    return "\n".join(lines).replace("|  |", "| |")


def processor(record: Record) -> str:
    """Return the sentence that says on what machine a result was made."""
    machine = record["machine"]
    cpu = f"{machine['cpu']} (family/model {machine['cpu_family_model']})"
    return f"{cpu}, {machine['usable_cores']} cores, shared with others."


def source(record: Record) -> str:
    """Return the lines under a table that say where its figures come from: command, versions, date, machine."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return f"`{record['command']}`, {record['date']}, {versions}. {processor(record)}"


def number(value: float) -> str:
    """Return a number with two or three digits that count, thousands with commas."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"


def millions(value: float) -> str:
    """Return tokens a second in millions, two or three digits that count."""
    return f"{value / 1e6:.2f}" if value >= 1e5 else f"{value / 1e6:.2g}"


QUALITY_ROWS = [
    ("seconds, text to saved vectors", "seconds", "{:.0f}"),
    ("million corpus tokens a second in training", "tokens_per_s", "{:.2f}"),
    ("peak resident memory, MB", "peak_rss_mb", "{:.0f}"),
    ("WordSim-353", "wordsim353", "{:.1f}"),
    ("SimLex-999", "simlex999", "{:.1f}"),
    ("Google analogies", "questions-words", "{:.1f}"),
]


def kernel_of(record: Record) -> str:
    """Return the kernel of a ``quality`` result; when there was only one, it was not recorded."""
    return str(record["config"].get("kernel", "pair"))


def quality_table(of_kernels: list[Record]) -> str:
    """Return the table of one ``quality`` result for each kernel, in Markdown."""
    first = of_kernels[0]
    header = [f"mean of {len(first['runs'])} seeds"]
    for record in of_kernels:
        header += [kernel_of(record) if len(of_kernels) > 1 else "", "largest minus smallest"]
    rows = []
    for label, key, form in QUALITY_ROWS:
        scale = 1e-6 if key == "tokens_per_s" else 1
        row = [label]
        for record in of_kernels:
            row += [form.format(scale * record[what][key]) for what in ("mean", "spread")]
        rows.append(row)
    return f"{markdown(header, rows)}\n\n{processor(first)}"


def peers_table(record: Record) -> str:
    """Return the table of a ``peers`` result, in Markdown."""
    first = next(iter(record["vector_size"].values()))
    ours = [name for name in first["tokens_per_s"] if name.startswith("fastw2v")]
    rows = []
    for size, result in record["vector_size"].items():
        for name, tokens in result["tokens_per_s"].items():
            row = [size, name, millions(tokens["median"]), millions(tokens["spread"])]
            for our in ours:
                ratio = result["ratios"].get(f"{our} / {name}")
                row.append(f"{number(ratio['median'])} ({number(ratio['spread'])})" if ratio else "")
            rows.append(row)
    header = ["vector_size", "", "M tokens/s", "largest minus smallest", *(f"{our} is x" for our in ours)]
    return (
        f"{markdown(header, rows)}\n\nMedians of {record['rounds']} rounds, each system once a round; in brackets the "
        f"largest minus the smallest ratio of a round. {record['config']['workers']} workers. {processor(record)}"
    )


def whole_table(record: Record) -> str:
    """Return the table of a ``whole`` result, in Markdown."""
    rows = [[name, number(s["median"]), number(s["spread"])] for name, s in record["seconds"].items()]
    ratio, share = record["ratio"], record["ingest_share"]
    return (
        f"{markdown(['one epoch', 'seconds', 'largest minus smallest'], rows)}\n\n"
        f"{record['corpus']['tokens'] / 1e6:.1f} M words, medians of {record['rounds']} rounds; ratio within a round "
        f"{number(ratio['median'])} ({number(ratio['spread'])}); ingest takes {100 * share['median']:.0f} % of our "
        f"command. {processor(record)}"
    )


def scale_table(record: Record) -> str:
    """Return the table of a ``scale`` result, in Markdown."""
    lengths = record["lengths"]
    header = ["", *(f"{length['tokens'] / 1e6:g} M tokens" for length in lengths)]
    rows = [["text, MB", *(f"{length['text_mb']:,}" for length in lengths)]]
    rows.append(["distinct words", *(f"{length['words']:,}" for length in lengths)])
    for step, label in (("prepare", "prepare"), ("train", "train, one epoch")):
        rows.append([f"{label}: seconds", *(number(length[step]["seconds"]) for length in lengths)])
        rates = [1e3 * length[step]["seconds"] / (length["tokens"] / 1e6) for length in lengths]
        rows.append([f"{label}: ns a token", *(number(rate) for rate in rates)])
        rows.append([f"{label}: peak memory, MB", *(number(length[step]["peak_rss_mb"]) for length in lengths)])
    for what, label in (
        ("twins", "planted twins found, %"),
        ("analogies", "planted analogies, %"),
        ("similarity", "similarity, 100 x Spearman"),
    ):
        rows.append([label, *(f"{length['found'][what]:.1f}" for length in lengths)])
    return f"{markdown(header, rows)}\n\nvector_size 100, min_count 1. {processor(record)}"


def newest_quality() -> list[Record]:
    """Return the newest complete ``quality`` result of each kernel, the kernel measured last first."""
    complete = [r for r in records("quality") if all(key in r["mean"] for _, key, _ in QUALITY_ROWS)]
    found: dict[str, Record] = {}
    for record in reversed(complete):
        found.setdefault(kernel_of(record), record)
    return list(found.values())


def vector_sizes(record: Record) -> tuple[int, ...]:
    """Return the vector sizes that a result is about; none if it has no such choice."""
    return tuple(map(int, record["vector_size"])) if record["bench"] == "peers" else ()


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
    main()


def main() -> None:
    """Print the tables of the commands that keep theirs here, of `peers` one for each vector_size."""
    if quality := newest_quality():
        print(f"{quality_table(quality)}\n")
    complete: dict[str, tuple[Callable[[Record], str], Callable[[Record], bool]]] = {
        "peers": (peers_table, lambda record: {"word2vec.c", "gensim"} <= set(record)),
        "whole": (whole_table, lambda record: True),
        "scale": (scale_table, lambda record: not record["quick"]),
    }
    for bench, (table, is_complete) in complete.items():
        newest = {vector_sizes(record): record for record in records(bench) if is_complete(record)}
        for key in sorted(newest):
            print(f"{table(newest[key])}\n")
