"""The README's tables, each from the newest line of its file in ``bench/results/`` that has all its figures."""

import json
from collections.abc import Callable
from typing import Any

from .record import RESULTS

Record = dict[str, Any]


def records(bench: str) -> list[Record]:
    """Return all results of one bench, oldest first; none if it never ran."""
    path = RESULTS / f"{bench}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in [header, *rows]]
    lines.insert(1, "|---" * len(header) + "|")
    return "\n".join(lines).replace("|  |", "| |")


def processor(record: Record) -> str:
    """Return the sentence under a table that says where its figures come from."""
    machine = record["machine"]
    cpu = f"{machine['cpu']} (family/model {machine['cpu_family_model']})"
    return f"{cpu}, {machine['usable_cores']} cores, shared with others."


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


def ladder_table(record: Record) -> str:
    """Return the table of a ``ladder`` result, in Markdown."""
    rows = []
    for rung in record["rungs"]:
        tokens = rung["tokens_per_s"]
        ratios = [
            number(rung[key]) if rung[key] else "" for key in ("over_reference", "over_vectorised", "over_before")
        ]
        rows.append(
            [
                rung["name"],
                millions(tokens["median"]),
                millions(tokens["spread"]),
                millions(rung["trained_per_s"]["median"]),
                *ratios,
                number(rung["gflops"]["median"]),
                number(rung["percent_of_peak"]["median"]),
            ]
        )
    header = [
        "",
        "M tokens/s",
        "largest minus smallest",
        "trained, M/s",
        "x NumPy by pairs",
        "x vectorised",
        "x rung before",
    ]
    table = markdown([*header, "GFLOP/s", "% of FMA peak"], rows)
    config, peak = record["config"], record["peak_gflops"]
    peaks = ", ".join(f"{number(value['best'])} GFLOP/s on {count}" for count, value in peak.items())
    return (
        f"{table}\n\nMedians of {record['repeats']}; vector_size {config['vector_size']}, window {config['window']}, "
        f"negative {config['negative']}, sample {config['sample']:g}; FMA peak {peaks}. {processor(record)}"
    )


def sweep_table(record: Record) -> str:
    """Return the table of a ``sweep`` result, in Markdown."""
    kernels = list(record["points"][0]["kernels"])
    header = [""]
    for kernel in kernels:
        header += [f"{kernel}: M tokens/s", "trained, M/s", "GFLOP/s", "% of FMA peak"]
    rows = []
    for point in record["points"]:
        row = [f"{point['axis']} {point['value']:,}"]
        for kernel in kernels:
            found = point["kernels"][kernel]
            row += [millions(found[key]["median"]) for key in ("tokens_per_s", "trained_per_s")]
            row += [number(found[key]["median"]) for key in ("gflops", "percent_of_peak")]
        rows.append(row)
    corpus = record["corpus"]
    return (
        f"{markdown(header, rows)}\n\nMedians of {record['repeats']}, {record['workers']} workers, one option changed "
        f"at a time; corpus: {corpus['name']}, {corpus['words']:,} words; n_words: synthetic. {processor(record)}"
    )


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


def ingest_table(record: Record) -> str:
    """Return the table of an ``ingest`` result, in Markdown."""
    tokens = record["corpus"]["tokens"]
    rows = []
    for name, seconds in record["seconds"].items():
        speed = "" if name.startswith("gzip") else f"{tokens / seconds['median'] / 1e6:.1f}"
        rows.append([name, number(seconds["median"]), number(seconds["spread"]), speed])
    ratios = "; ".join(f"{name}: {number(r['median'])} ({number(r['spread'])})" for name, r in record["ratios"].items())
    peak, base = record["peak_rss_mb"], record["peak_rss_mb_of_ten_words"]
    peaks = ", ".join(f"{number(value)} MB with {count} worker{'s' * (count != '1')}" for count, value in peak.items())
    return (
        f"{markdown(['', 'seconds', 'largest minus smallest', 'M tokens/s'], rows)}\n\n"
        f"Medians of {record['rounds']} rounds, each once a round. Ratios of seconds within a round, in brackets the "
        f"largest minus the smallest: {ratios}. Peak memory of `fastw2v prepare` {peaks}; for ten words of text "
        f"{number(base)} MB. {processor(record)}"
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
    if record["bench"] == "ladder":
        return (record["config"]["vector_size"],)
    return tuple(map(int, record["vector_size"])) if record["bench"] == "peers" else ()


def main() -> None:
    """Print every table that has a result, of `ladder` and `peers` one for each vector_size."""
    if quality := newest_quality():
        print(f"{quality_table(quality)}\n")
    complete: dict[str, tuple[Callable[[Record], str], Callable[[Record], bool]]] = {
        "ladder": (ladder_table, lambda record: not record["quick"]),
        "sweep": (sweep_table, lambda record: not record["quick"]),
        "ingest": (
            ingest_table,
            lambda record: not record["quick"] and {"gensim scan", "gzip -dc"} <= set(record["seconds"]),
        ),
        "peers": (peers_table, lambda record: {"word2vec.c", "gensim"} <= set(record)),
        "whole": (whole_table, lambda record: True),
        "scale": (scale_table, lambda record: not record["quick"]),
    }
    for bench, (table, is_complete) in complete.items():
        newest = {vector_sizes(record): record for record in records(bench) if is_complete(record)}
        for key in sorted(newest):
            print(f"{table(newest[key])}\n")
