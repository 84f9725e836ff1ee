"""``ingest``: from text to ids, beside gensim's vocabulary scan and beside `gzip -dc`, in turn.

- fastw2v: `prepare` with 1 and 2 workers writes the vocabulary and all ids to the disk and synchronises it. Its kernels
  are already compiled.
- gensim: `Word2Vec.scan_vocab(corpus_file=...)` only counts words, on one thread.
- gzip: `gzip -dc` of the same text, whose output is discarded, beside `prepare` of that archive.

Peak memory is that of ``fastw2v prepare`` in a process of its own, for the text and for a text of ten words.
"""

import argparse
import gzip
import importlib.metadata
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpora import synthetic
from fastw2v import prepare

from . import record, report
from .beside import seconds_of
from .command import cost
from .peers import first_tokens
from .steps import steps
from .timing import summary

HELP = "from text to ids, beside gensim's vocabulary scan and gzip -dc, in turn"
QUICK_TOKENS = 200_000
SYNTHETIC = {"tokens": 20_000_000, "words": 80_000}  # about the size of real20m


def systems(text: Path, packed: Path, output: Path) -> dict[str, Callable[[], object]]:
    """Return the timed calls by name."""

    def ours(corpus: Path, workers: int) -> Callable[[], object]:
        return lambda: prepare(corpus, output, workers=workers, progress=False)

    found = {"fastw2v, 1 worker": ours(text, 1), "fastw2v, 2 workers": ours(text, 2)}
    try:
        from gensim.models import Word2Vec
    except ImportError:
        print("gensim is not installed: left out")
    else:
        found["gensim scan"] = lambda: Word2Vec(vector_size=1).scan_vocab(corpus_file=str(text))
    if shutil.which("gzip"):
        found["gzip -dc"] = lambda: subprocess.run(["gzip", "-dc", packed], stdout=subprocess.DEVNULL, check=True)
        found["fastw2v, .gz, 2 workers"] = ours(packed, 2)
    return found


#: Ratios of seconds in the same round: numerator and denominator.
RATIOS = {
    "gensim / 2 workers": ("gensim scan", "fastw2v, 2 workers"),
    "gensim / 1 worker": ("gensim scan", "fastw2v, 1 worker"),
    "1 worker / 2 workers": ("fastw2v, 1 worker", "fastw2v, 2 workers"),
    ".gz / gzip -dc": ("fastw2v, .gz, 2 workers", "gzip -dc"),
}


def measure(text: Path, packed: Path, scratch: Path, rounds: int) -> dict[str, Any]:
    """Time everything once per round; return seconds, and ratios within each round."""
    timed = systems(text, packed, scratch / "prepared")
    for name, work in timed.items():
        if name.startswith("fastw2v"):
            work()  # This run compiles the kernels and fills the page cache.
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    with steps("ingest", rounds * len(timed)) as say:
        for number in range(1, rounds + 1):
            for name, work in timed.items():
                seconds[name].append(seconds_of(work))
                say(f"round {number} of {rounds}: {name} {seconds[name][-1]:.3f} s")
    ratios = {
        name: summary([x / y for x, y in zip(seconds[a], seconds[b], strict=True)])
        for name, (a, b) in RATIOS.items()
        if a in seconds and b in seconds
    }
    return {"seconds": {name: summary(values) for name, values in seconds.items()}, "ratios": ratios}


def table(record: report.Record) -> str:
    """Return the table of an ``ingest`` result, in Markdown."""
    tokens = record["corpus"]["tokens"]
    rows = []
    for name, seconds in record["seconds"].items():
        speed = "" if name.startswith("gzip") else f"{tokens / seconds['median'] / 1e6:.1f}"
        rows.append([name, report.number(seconds["median"]), report.number(seconds["spread"]), speed])
    ratios = "; ".join(
        f"{name}: {report.number(r['median'])} ({report.number(r['spread'])})" for name, r in record["ratios"].items()
    )
    peak, base = record["peak_rss_mb"], record["peak_rss_mb_of_ten_words"]
    peaks = ", ".join(
        f"{report.number(value)} MB with {count} worker{'s' * (count != '1')}" for count, value in peak.items()
    )
    return (
        f"{report.markdown(['', 'seconds', 'largest minus smallest', 'M tokens/s'], rows)}\n\n"
        f"Medians of {record['rounds']} rounds. Ratios of seconds within a round, in brackets the largest minus the "
        f"smallest: {ratios}. Peak memory of `fastw2v prepare` {peaks}; for ten words of text "
        f"{report.number(base)} MB. {report.source(record)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table that has gensim and gzip in it."""
    complete = [
        result for result in report.full_records("ingest") if {"gensim scan", "gzip -dc"} <= set(result["seconds"])
    ]
    return {"ingest": table(complete[-1])} if complete else {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file, one sentence per line (default: synthetic)")
    parser.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (default: 5)")
    parser.add_argument("--quick", action="store_true", help=f"trial run: {QUICK_TOKENS} words, one round")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        scratch = Path(temporary)
        text, packed, few = scratch / "corpus.txt", scratch / "corpus.gz", scratch / "few.txt"
        rounds = 1 if arguments.quick else arguments.rounds
        tokens = min(arguments.tokens or sys.maxsize, QUICK_TOKENS if arguments.quick else sys.maxsize)
        source = arguments.corpus or scratch / "synthetic.txt"
        if arguments.corpus is None:
            made = min(tokens, SYNTHETIC["tokens"])
            synthetic.write(source, tokens=made, words=SYNTHETIC["words"], progress=True)
        first_tokens(source, tokens, text)
        with open(text, "rb") as plain, gzip.open(packed, "wb", compresslevel=6) as archive:
            shutil.copyfileobj(plain, archive, 1 << 20)
        few.write_text("ten words of text to be read by this program\n")
        corpus = prepare(text, scratch / "prepared", progress=False)
        result = measure(text, packed, scratch, rounds)

        def peak_of(corpus: Path, workers: int) -> float:
            options = ("--min-count=1", f"--workers={workers}")
            return cost("prepare", corpus, "-o", scratch / "out", *options)["peak_rss_mb"]

        peak = {str(n): peak_of(text, n) for n in (1, 2)}
        base = peak_of(few, 2)
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    options = f" --tokens {arguments.tokens}" * (arguments.tokens is not None) + " --quick" * arguments.quick
    done = record.append(
        "ingest",
        f"python -m bench ingest{name}{options} --rounds {arguments.rounds}",
        {
            "quick": arguments.quick,
            "rounds": rounds,
            "corpus": {
                "name": source.name,
                "tokens": corpus.tokens_read,
                "words": len(corpus.vocab),
                "sentences": len(corpus.offsets) - 1,
            },
            "gensim": importlib.metadata.version("gensim") if "gensim scan" in result["seconds"] else None,
            **result,
            "peak_rss_mb": peak,
            "peak_rss_mb_of_ten_words": base,
        },
    )
    print(table(done))
