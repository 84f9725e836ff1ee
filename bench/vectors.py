"""``vectors``: time fastw2v and gensim in turn: reading files of vectors, and finding the nearest words of many words.

The words are numbers spelled in letters, and the vectors are normal random numbers. Each call is timed as a whole: from
the path to vectors that can be asked, and from keys to the nearest words. The files are in the page cache.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastw2v

from . import beside, record, report

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


def table(result: report.Record) -> str:
    """Return the table of a ``vectors`` result, in Markdown."""
    calls = {
        f"{name}, {' x '.join(f'{n:,}' for n in result['sizes'][name])}": of for name, of in result["calls"].items()
    }
    return (
        f"{beside.table(calls)}\n\nMedians of {result['rounds']} rounds. gensim {result['gensim']}. "
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
    version = beside.gensim_version()
    if version is None:
        return
    rounds = 1 if arguments.quick else arguments.rounds
    file, search = (QUICK, QUICK) if arguments.quick else (FILE, SEARCH)
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        read = beside.measure(readers(Path(temporary), *file), rounds, "vectors")
    asked = beside.measure(searches(*search), rounds, "vectors")
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
