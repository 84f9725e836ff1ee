"""``vectors``: time fastw2v and gensim in turn: reading files of vectors, and finding the nearest words of many words.

The words are numbers spelled in letters, and the vectors are normal random numbers. Each call is timed as a whole: from
the path to vectors that can be asked, and from keys to the nearest words. The files are in the page cache.
"""

import argparse
import importlib.metadata
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastw2v

from . import record, report
from .steps import steps
from .timing import summary

HELP = "files of vectors and the nearest words, beside gensim, in turn"
FILE = (400_000, 300)  # words, columns: the size of GloVe 6B
SEARCH = (400_000, 100)
QUICK = (2_000, 30)
KEYS, TOPN = 1_000, 10


def random_embeddings(n_words: int, columns: int) -> fastw2v.Embeddings:
    """Return embeddings of made-up words."""
    letters = str.maketrans("0123456789", "etaoinshrd")
    words = [str(number).translate(letters) for number in range(n_words)]
    vectors = np.random.default_rng(1).normal(0, 0.4, (n_words, columns)).astype(np.float32)
    return fastw2v.Embeddings.from_vectors(words, vectors)


def readers(folder: Path, n_words: int, columns: int) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Write a file of each format; return our call and gensim's for each."""
    from gensim.models import KeyedVectors

    made = random_embeddings(n_words, columns)
    glove, binary = folder / "vectors.glove", folder / "vectors.bin"
    made.export(binary)
    # Five decimals, as in the published files of GloVe.
    with open(glove, "w", encoding="ascii") as file:
        row = "%s" + " %.5f" * columns + "\n"
        for word, vector in zip(made.words, made.vectors, strict=True):
            file.write(row % (word, *vector.tolist()))

    def theirs(path: Path, **options: bool) -> Callable[[], Any]:
        return lambda: KeyedVectors.load_word2vec_format(str(path), **options)

    return {
        "GloVe text": (lambda: fastw2v.load(glove), theirs(glove, no_header=True)),
        "word2vec binary": (lambda: fastw2v.load(binary), theirs(binary, binary=True)),
    }


def searches(n_words: int, columns: int) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return our call and gensim's for the nearest words of many keys."""
    ours = random_embeddings(n_words, columns)
    theirs = ours.to_gensim()
    keys = ours.words[:: max(1, n_words // KEYS)][:KEYS]
    ours.norms  # noqa: B018  # Both compute norms once per set of vectors, before the first question.
    theirs.fill_norms()
    return {
        f"nearest {TOPN} of {len(keys):,} words": (
            lambda: ours.neighbors(keys, TOPN),
            lambda: [theirs.most_similar(key, topn=TOPN) for key in keys],
        )
    }


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(
    calls: dict[str, tuple[Callable[[], Any], Callable[[], Any]]], rounds: int, command: str = "vectors"
) -> dict[str, Any]:
    """Time our calls and gensim's in turn; return the seconds, and the ratios within each round."""
    found = {}
    with steps(command, rounds * len(calls)) as say:
        for name, (ours, theirs) in calls.items():
            ours()  # This run compiles or loads the kernels and fills the page cache.
            pairs = []
            for number in range(1, rounds + 1):
                # Every second round begins with gensim: the second program finds a warmer machine.
                order = (ours, theirs) if number % 2 else (theirs, ours)
                timed = {work: seconds_of(work) for work in order}
                pairs.append((timed[ours], timed[theirs]))
                say(f"{name}, round {number}: {pairs[-1][0]:.2f} s, gensim {pairs[-1][1]:.2f} s")
            found[name] = {
                "fastw2v": summary([a for a, _ in pairs]),
                "gensim": summary([b for _, b in pairs]),
                "ratio": summary([b / a for a, b in pairs]),
            }
    return found


def table(result: report.Record) -> str:
    """Return the table of a ``vectors`` result, in Markdown."""
    rows = [
        [
            f"{name}, {' x '.join(f'{n:,}' for n in result['sizes'][name])}",
            *(report.number(of[key]["median"]) for key in ("fastw2v", "gensim", "ratio")),
            report.number(of["ratio"]["spread"]),
        ]
        for name, of in result["calls"].items()
    ]
    header = ["", "fastw2v, seconds", "gensim, seconds", "ratio", "largest minus smallest ratio"]
    return (
        f"{report.markdown(header, rows)}\n\nMedians of {result['rounds']} rounds. gensim {result['gensim']}. "
        f"{report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    result = report.newest("vectors")
    return {} if result is None else {"vectors": table(result)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default: 3)")
    parser.add_argument("--quick", action="store_true", help=f"trial run: {QUICK[0]} words, one round")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    try:
        version = importlib.metadata.version("gensim")
    except importlib.metadata.PackageNotFoundError:
        print("gensim is not installed: nothing to compare with")
        return
    rounds = 1 if arguments.quick else arguments.rounds
    file, search = (QUICK, QUICK) if arguments.quick else (FILE, SEARCH)
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        read = measure(readers(Path(temporary), *file), rounds)
    asked = measure(searches(*search), rounds)
    done = record.append(
        "vectors",
        f"python -m bench vectors{' --quick' * arguments.quick} --rounds {arguments.rounds}",
        {
            "quick": arguments.quick,
            "rounds": rounds,
            "gensim": version,
            "sizes": dict.fromkeys(read, file) | dict.fromkeys(asked, search),
            "calls": read | asked,
        },
    )
    print(table(done))
