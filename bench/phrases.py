"""``phrases``: phrases beside gensim's, in turn, from the same text file in the page cache.

- learn: fastw2v `Phrases(path)` and gensim `Phrases(LineSentence(path))`, with default options.
- learn and join: fastw2v `prepare(path, phrases=1)`, which writes joined ids ready to train on; and gensim's `Phrases`,
  then one pass over the joined sentences of the whole text, whose tokens are counted and not kept.

Both find the same phrases, and the same number of joined tokens: each run compares them.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastw2v
from corpora import synthetic

from . import beside, record, report
from .peers import first_tokens
from .steps import steps

HELP = "find and join phrases, beside gensim, in turn"
QUICK_TOKENS = 100_000
SYNTHETIC = {"tokens": 20_000_000, "words": 80_000}
LEARN, JOIN = "learn", "learn and join"


def timed(work: Callable[[], object]) -> tuple[float, Any]:
    """Return the seconds of a call, and what it returned."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def ours(text: Path, scratch: Path) -> dict[str, Any]:
    """Time our calls; return seconds, phrases with scores, and the number of joined tokens."""
    learn, phrases = timed(lambda: fastw2v.Phrases(text))
    options: dict[str, Any] = {"phrases": 1, "min_count": 1, "progress": False}
    both, corpus = timed(lambda: fastw2v.prepare(text, scratch / "prepared", **options))
    return {LEARN: learn, JOIN: both, "phrases": phrases.export_phrases(), "tokens": len(corpus.ids)}


def theirs(text: Path) -> dict[str, Any]:
    """Time gensim's calls; return the same as `ours`."""
    from gensim.models.phrases import Phrases
    from gensim.models.word2vec import LineSentence

    learn, phrases = timed(lambda: Phrases(LineSentence(str(text))))
    join, tokens = timed(lambda: sum(map(len, phrases[LineSentence(str(text))])))
    return {LEARN: learn, JOIN: learn + join, "phrases": phrases.export_phrases(), "tokens": tokens}


def same_phrases(ours: dict[str, float], theirs: dict[str, float]) -> bool:
    """Tell whether the phrases are the same, and their scores, up to rounding."""
    return ours.keys() == theirs.keys() and all(
        abs(ours[p] - score) <= 1e-9 * abs(score) for p, score in theirs.items()
    )


def measure(text: Path, scratch: Path, rounds: int) -> dict[str, Any]:
    """Time ours and gensim's in turn.

    Returns:
        Seconds, ratios within each round, and the numbers of phrases and joined tokens.

    Raises:
        SystemExit: the results differ.
    """
    ours(text, scratch)  # This run compiles or loads the kernels and fills the page cache.
    found: dict[str, list[tuple[float, float]]] = {LEARN: [], JOIN: []}
    with steps("phrases", rounds) as say:
        for number in range(1, rounds + 1):
            # Every second round begins with gensim: whoever is second finds a warmer machine.
            mine = ours(text, scratch) if number % 2 else None
            other = theirs(text)
            mine = ours(text, scratch) if mine is None else mine
            if not same_phrases(mine["phrases"], other["phrases"]) or mine["tokens"] != other["tokens"]:
                sys.exit(f"{text}: fastw2v and gensim find different phrases")
            for name, pairs in found.items():
                pairs.append((mine[name], other[name]))
            say(
                f"round {number}: "
                + ", ".join(f"{name} {p[-1][0]:.2f} s, {p[-1][1]:.2f} s" for name, p in found.items())
            )
    calls = {name: beside.compared(pairs) for name, pairs in found.items()}
    return {"calls": calls, "phrases": len(mine["phrases"]), "joined_tokens": mine["tokens"]}


def table(result: report.Record) -> str:
    """Return the table of a ``phrases`` result, in Markdown."""
    return (
        f"{beside.table(result['calls'])}\n\nMedians of {result['rounds']} rounds on {result['corpus']['tokens']:,} "
        f"tokens, with {result['machine']['usable_cores']} cores. Both find the same {result['phrases']:,} phrases and "
        f"join the text to {result['joined_tokens']:,} tokens. gensim {result['gensim']}. {report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    result = report.newest("phrases")
    return {} if result is None else {"phrases": table(result)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("corpus", type=Path, nargs="?", help="a text file, one sentence per line (default: synthetic)")
    parser.add_argument("--tokens", type=int, metavar="N", help="only the first N words (default: all)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--quick", action="store_true", help=f"trial run: {QUICK_TOKENS} words, one round")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    version = beside.gensim_version()
    if version is None:
        return
    rounds = 1 if arguments.quick else arguments.rounds
    tokens = min(arguments.tokens or sys.maxsize, QUICK_TOKENS if arguments.quick else sys.maxsize)
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        scratch = Path(temporary)
        source = arguments.corpus or scratch / "synthetic.txt"
        if arguments.corpus is None:
            made = min(tokens, SYNTHETIC["tokens"])
            synthetic.write(source, tokens=made, words=SYNTHETIC["words"], progress=True)
        text = scratch / "corpus.txt"
        first_tokens(source, tokens, text)
        n_tokens = fastw2v.Phrases(text).corpus_word_count
        result = measure(text, scratch, rounds)
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    options = f" --tokens {arguments.tokens}" * (arguments.tokens is not None) + " --quick" * arguments.quick
    done = record.append(
        "phrases",
        f"python -m bench phrases{name}{options} --rounds {arguments.rounds}",
        {
            "quick": arguments.quick,
            "rounds": rounds,
            "gensim": version,
            "corpus": {"name": source.name, "tokens": n_tokens},
            **result,
        },
    )
    print(table(done))
