"""The README's table, from the last line of ``bench/results/quality.jsonl`` that has all its figures."""

import json

from .record import RESULTS


def quality_table() -> str:
    """Return the table of the newest ``quality`` result, in Markdown."""
    rows = [
        ("seconds, text to saved vectors", "seconds", "{:.0f}"),
        ("million corpus tokens a second in training", "tokens_per_s", "{:.2f}"),
        ("peak resident memory, MB", "peak_rss_mb", "{:.0f}"),
        ("WordSim-353", "wordsim353", "{:.1f}"),
        ("SimLex-999", "simlex999", "{:.1f}"),
        ("Google analogies", "questions-words", "{:.1f}"),
    ]
    records = [json.loads(line) for line in (RESULTS / "quality.jsonl").read_text().splitlines()]
    newest = [record for record in records if all(key in record["mean"] for _, key, _ in rows)][-1]
    mean, spread, machine = newest["mean"], newest["spread"], newest["machine"]
    lines = [f"| mean of {len(newest['runs'])} seeds | | largest minus smallest |", "|---|---|---|"]
    for label, key, form in rows:
        scale = 1e-6 if key == "tokens_per_s" else 1
        lines.append(f"| {label} | {form.format(scale * mean[key])} | {form.format(scale * spread[key])} |")
    cores, cpu = machine["usable_cores"], machine["cpu"]
    lines.append(f"\n{cpu} (family/model {machine['cpu_family_model']}), {cores} cores, shared with others.")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    print(quality_table())
