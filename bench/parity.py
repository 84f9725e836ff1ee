"""``parity``: the differences between the programs when their options are the same.

Some differences come from the programs' sources (`READ`). The others come from runs with options that make the answer
visible in the saved vectors:

- Initial scale: one epoch with a learning rate of 1e-12 leaves V unchanged. The results are the largest element times
  vector_size, and the number of rows that are zeros. (For that reason fastText has ten threads in other commands.)
- Learning rate: every word of this text occurs once, in a sentence of two. U starts at 0, so the outside word of a
  pair ends at ``alpha / 2`` times the row of the centre, plus rows of noise words in random directions. Its component
  along the row of the centre therefore gives alpha at that place of the text. Threads that train a piece of the text
  each reach the same share of their pieces at about the same time, so a place is a share of its piece. word2vec.c does
  not save U, but prints the rate.
- Words: how the saved vocabulary shows a long word, white space other than blanks, capitals and an invalid byte.
"""

import argparse
import itertools
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastw2v
from fastw2v.config import TrainConfig

from . import record, report, systems
from .steps import steps
from .systems import Job, System

HELP = "the differences between the programs when their options are the same"
PAIRS = 200_000
QUICK_PAIRS = 20_000
SHARES = (0.1, 0.5, 0.9)  # of the text, or of each thread's piece of it, with half a BIN before and after
BIN = 0.06
WORKERS = 2
#: The number of pieces into which the threads of a program divide the text; the threads of others take turns in it.
PIECES = {"gensim corpus_file": WORKERS, "fastText": systems.FASTTEXT_THREADS}

#: Facts from the sources: word2vec 0.11.1, fastText 0.9.3, gensim 4.4.0, pWord2Vec of 2017, and here.
READ: dict[str, dict[str, str]] = {
    "noise words drawn by": {
        "fastw2v": "count^0.75, alias table",
        "gensim": "count^0.75, bisection in cumulated counts",
        "word2vec.c": "count^0.75, table of 10^8",
        "fastText": "count^0.5, shuffled table of 10^7",
        "pWord2Vec": "count^0.75, table of 10^8; one set a window",
    },
    "a noise word drawn as the first of the vocabulary": {
        "fastw2v": "trained",
        "gensim": "trained",
        "word2vec.c": "is </s>: replaced by a uniform one",
        "fastText": "trained",
        "pWord2Vec": "is </s>: replaced by a uniform one",
    },
    "the sentence's end as a word": {
        "fastw2v": "none",
        "gensim": "none",
        "word2vec.c": "counted; not trained",
        "fastText": "counted; trained",
        "pWord2Vec": "counted; not trained",
    },
    "a noise word equal to the outside word": {
        "fastw2v": "skipped",
        "gensim": "skipped",
        "word2vec.c": "skipped",
        "fastText": "drawn again",
        "pWord2Vec": "skipped",
    },
    "the sigmoid": {
        "fastw2v": "exact, no limit",
        "gensim": "table; beyond ±6 no update",
        "word2vec.c": "table; beyond ±6 as 0 or 1",
        "fastText": "table; beyond ±8 as 0 or 1",
        "pWord2Vec": "table; beyond ±6 as 0 or 1",
    },
    "rate's end": {
        "fastw2v": "min_alpha",
        "gensim": "min_alpha; corpus_file: above it, see below",
        "word2vec.c": "alpha / 10,000",
        "fastText": "0",
        "pWord2Vec": "alpha / 10,000",
    },
    "subsampling keeps": {
        "fastw2v": "sqrt(t/f) + t/f",
        "gensim": "sqrt(t/f) + t/f",
        "word2vec.c": "sqrt(t/f) + t/f",
        "fastText": "sqrt(t/f) + t/f",
        "pWord2Vec": "sqrt(t/f) + t/f",
    },
    "longest sentence, words": {
        "fastw2v": "no limit",
        "gensim": "10,000",
        "word2vec.c": "1,000 after subsampling",
        "fastText": "1,025 in the vocabulary, before subsampling, </s> among them",
        "pWord2Vec": "1,000 after subsampling",
    },
    "a seed may be given": {
        "fastw2v": "yes",
        "gensim": "yes",
        "word2vec.c": "no",
        "fastText": "yes",
        "pWord2Vec": "no",
    },
}


def family(name: str) -> str:
    """Return the name of a system in `READ`."""
    return next(known for known in READ["the sigmoid"] if name.startswith(known))


# ------------------------------------------------------------------------------------------------ found by running


def with_outside(name: str, system: System) -> tuple[System, str | None]:
    """Return the system with a command that saves U too, and the file of U; None if the system cannot save U."""
    more = {"gensim": ["outside.bin"], "fastText": ["-saveOutput"]}.get(family(name), [])
    if family(name) in ("word2vec.c", "pWord2Vec"):
        return system, None
    files = {"gensim": "outside.bin", "fastText": "vectors.output", "fastw2v": "model"}
    return system._replace(command=lambda job: [*system.command(job), *more]), files[family(name)]


def rows_of(embeddings: fastw2v.Embeddings, letter: str, count: int) -> NDArray[np.float32]:
    """Return the rows of the words ``letter0``, ``letter1``, ..., in this order, ``(count, vector_size)``."""
    index = embeddings.vocab.index
    return np.asarray(embeddings.vectors[[index[f"{letter}{i}"] for i in range(count)]])


def initial_rows(system: System, folder: Path) -> NDArray[np.float32]:
    """Return V as it is before training, ``(1000, 100)``, made by `WORKERS` threads."""
    text = folder / "corpus.txt"
    rng = np.random.default_rng(1)
    words = np.array([f"w{n}" for n in range(1000)])
    text.write_text("".join(" ".join(words[rng.integers(0, 1000, 20)]) + "\n" for _ in range(1000)))
    job = Job(text, TrainConfig(vector_size=100, epochs=1, alpha=1e-12, min_alpha=0, min_count=1, workers=WORKERS))
    threads = str(systems.FASTTEXT_THREADS)
    few = system._replace(
        command=lambda job: [
            str(WORKERS) if (before, word) == ("-thread", threads) else word
            for before, word in itertools.pairwise(["", *system.command(job)])
        ]
    )
    systems.run_once(few, job)
    return rows_of(systems.load_vectors(system, job), "w", 1000)


def rate_at_shares(alphas: NDArray[np.float32], pieces: int) -> list[float]:
    """Return the medians of the learning rate around each of `SHARES` of the pieces; from one value per sentence."""
    share = np.arange(len(alphas)) * pieces / len(alphas) % 1
    return [round(float(np.median(alphas[np.abs(share - at) < BIN / 2])), 5) for at in SHARES]


def rate_by_rows(V: fastw2v.Embeddings, U: fastw2v.Embeddings, pairs: int) -> NDArray[np.float32]:
    """Return the learning rate at each sentence ``a{i} b{i}``, from V's row of a and U's of b; ``(pairs,)``."""
    centre, outside = rows_of(V, "a", pairs), rows_of(U, "b", pairs)
    along: NDArray[np.float32] = 2 * (centre * outside).sum(axis=1) / (centre * centre).sum(axis=1)
    return along


def rate_by_message(messages: str) -> list[float]:
    """Return the learning rate at `SHARES` as word2vec.c and pWord2Vec print it beside their progress."""
    seen = [(float(p) / 100, float(a)) for a, p in re.findall(r"Alpha: ([\d.]+)\s+Progress: ([\d.]+)%", messages)]
    return [round(min(seen, key=lambda pair: abs(pair[0] - share))[1], 5) for share in SHARES] if seen else []


def rate(name: str, system: System, folder: Path, pairs: int) -> list[float]:
    """Return the learning rate at `SHARES` of a text, with two workers and one epoch."""
    text = folder / "corpus.txt"
    text.write_text("".join(f"a{i} b{i}\n" for i in range(pairs)))
    config = TrainConfig(vector_size=20, window=1, min_count=1, negative=1, epochs=1, workers=WORKERS)
    job = Job(text, config)
    saving, outside = with_outside(name, system)
    if outside is None:
        verbose = system._replace(
            command=lambda job: [
                "2" if before == "-debug" else word for before, word in itertools.pairwise(["", *system.command(job)])
            ]
        )
        systems.run_once(verbose, job)
        return rate_by_message((folder / "messages.txt").read_text(errors="replace"))
    systems.run_once(saving, job)
    V = systems.load_vectors(system, job)
    if outside == "model":
        U = fastw2v.Embeddings(V.vocab, V.outside)
    else:
        U = fastw2v.load_word2vec_format(folder / outside, binary=outside.endswith(".bin"))
    return rate_at_shares(rate_by_rows(V, U, pairs), PIECES.get(name, 1))


LONG = "x" * 300
WORDS = f"Capital capital {LONG} tab\there form\x0cfeed nbsp\u00a0here carriage\r\n".encode()


def words_in(path: Path) -> list[bytes]:
    """Return the words of a vectors file, in its order, of the binary format or of the text format."""
    content = path.read_bytes()
    header, _, rest = content.partition(b"\n")
    if path.suffix != ".bin":
        return [line.split(b" ", 1)[0] for line in rest.split(b"\n")[:-1]]
    count, size = map(int, header.split())
    found = []
    for _ in range(count):
        word, _, rest = rest.partition(b" ")
        found.append(word.lstrip(b"\n"))
        rest = rest[4 * size :]
    return found


def saved_words(system: System, folder: Path, line: bytes) -> list[bytes] | None:
    """Return the vocabulary that a program saves from a text with this line; None if it fails."""
    text = folder / "corpus.txt"
    others = b"".join(b" ".join(b"other%d" % (i * j % 997) for i in range(12)) + b"\n" for j in range(1000))
    text.write_bytes(others + line * 20 + others)
    job = Job(text, TrainConfig(vector_size=10, epochs=1, min_count=1, workers=1, kernel="pair"))
    try:
        systems.run_once(system, job)
    except SystemExit:
        return None
    path = job.folder / system.vectors
    return [os.fsencode(word) for word in fastw2v.load(path).words] if path.is_dir() else words_in(path)


def words(system: System, folder: Path) -> dict[str, str]:
    """Return how a program divides a line into words."""
    found = saved_words(system, folder, WORDS)
    if found is None:
        return {}
    kept = max((len(word) for word in found if word.startswith(b"xxx")), default=0)
    marks = [word.decode() for word in found if word.startswith(b"<")]
    splits = [
        label
        for label, whole in (("tab", "tab\there"), ("form feed", "form\x0cfeed"), ("no-break space", "nbsp\u00a0here"))
        if whole.split()[0].encode() in found
    ]
    stripped = b"carriage" in found
    invalid = saved_words(system, folder, b"caf\xe9 and so on\n")
    return {
        "a word of 300 bytes": "kept" if kept == len(LONG) else f"cut at {kept}" if kept else "dropped",
        "words end at blanks, newlines and": ", ".join(splits + ["carriage return"] * stripped) or "nothing else",
        "a word for the sentence's end": marks[0] if marks else "none",
        "capitals": "kept" if b"Capital" in found else "lost",
        "an invalid byte": "an error" if invalid is None else "kept" if b"caf\xe9" in invalid else "changed",
    }


def measure(found: dict[str, System], pairs: int) -> dict[str, Any]:
    """Run every system's checks."""
    results: dict[str, Any] = {}
    with steps("parity", len(found)) as done:
        for name, system in found.items():
            with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
                folder = Path(temporary)
                rows = initial_rows(system, folder)
                results[name] = {
                    "made": system.origin,
                    "initial_scale": round(float(np.abs(rows).max()) * rows.shape[1], 2),
                    "zero_rows": float((np.abs(rows).max(axis=1) < 1e-6).mean()),
                    "rate": rate(name, system, folder, pairs),
                    "words": words(system, folder),
                }
            done(f"{name}: {results[name]}")
    return results


# ------------------------------------------------------------------------------------------------------- the table


def rate_text(name: str, rates: list[float]) -> str:
    """Return learning rates in 1/1000; they have no meaning if there are more threads than workers."""
    if PIECES.get(name, 0) > WORKERS:
        return f"not seen: {PIECES[name]} threads are not in step"
    return ", ".join(f"{1000 * rate:.1f}" for rate in rates) or "not seen"


def table(result: report.Record) -> str:
    """Return the table of a ``parity`` result, in Markdown."""
    found = result["systems"]
    names = [name for name in found if name not in ("fastw2v pair", "fastText defaults")]
    rows = [[label, *(of[family(name)] for name in names)] for label, of in READ.items()]
    rows.append(
        [
            "run: V starts within ±",
            *(f"{report.number(found[name]['initial_scale'])} / vector_size" for name in names),
        ]
    )
    zeros = [f"{100 * found[name]['zero_rows']:.0f}" for name in names]
    rows.append([f"run: rows of V that start at zero or next to it, in %, with {WORKERS} threads", *zeros])
    at = ", ".join(f"{100 * share:g}" for share in SHARES)
    rows.append(
        [
            f"run: rate, in 1/1000, after {at} % of the work",
            *(rate_text(name, found[name]["rate"]) for name in names),
        ]
    )
    for label in next(found[name]["words"] for name in names if found[name]["words"]):
        rows.append([f"run: {label}", *(found[name]["words"].get(label, "not seen") for name in names)])
    body = report.markdown(["", *names], rows)
    return (
        f"{body}\n\nRows that begin with `run` come from runs, see bench/parity.py; "
        f"the others come from the sources. {WORKERS} workers (fastText: {systems.FASTTEXT_THREADS} unless a row has "
        f"another number), one epoch, alpha {1000 * result['alpha']:g}/1000. "
        f"{report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    return {"parity": table(result)} if (result := report.newest("parity")) else {}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--pword2vec", type=Path, metavar="PROGRAM", help="a compiled pWord2Vec to compare too")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_PAIRS:,} sentences instead of {PAIRS:,}")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    found = systems.selection(None, arguments.pword2vec)
    found = {name: system for name, system in found.items() if name not in ("fastw2v pair", "fastText defaults")}
    results = measure(found, QUICK_PAIRS if arguments.quick else PAIRS)
    program = f" --pword2vec {arguments.pword2vec.name}" if arguments.pword2vec else ""
    done = record.append(
        "parity",
        f"python -m bench parity{program}{' --quick' * arguments.quick}",
        {"quick": arguments.quick, "alpha": TrainConfig().alpha, "systems": results},
    )
    print(table(done))
