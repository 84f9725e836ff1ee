"""``peers``: training throughput beside word2vec.c and gensim, in turn, on one corpus.

One figure each: words of the corpus that are in the vocabulary (sentence ends not counted) over the seconds of
training. Vocabulary scan, allocation, tables, compilation, load and save are outside for everybody. All have the same
vocabulary, window, negative, sample, alpha and number of workers. How the seconds are taken:

- word2vec.c: the unmodified source of PyPI's package ``word2vec``, built with the flags below. The linker puts a
  wrapper around ``pthread_create`` and ``pthread_join``: wall time from just before its first thread starts to just
  after its last one has ended. (Its own words/thread/sec divides by CPU time, which hides waiting.) It reads and hashes
  text in each epoch; that is its way to train, so it counts. It cuts sentences at 1,000 words: a corpus with longer
  ones is refused.
- gensim: ``build_vocab_from_freq`` with the corpus's counts, then the wall time of ``train(corpus_file=...)``.
- fastw2v: ``metadata["progress"]["seconds"]`` of a run on a prepared folder: kernels and the driver around them.
"""

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import fastw2v
from fastw2v.config import TrainConfig
from fastw2v.prepared import Corpus, prepare

from . import record, report
from .timing import available_kernels, summary

PEERS = ("word2vec.c", "gensim")
C_FLAGS = ("-O3", "-march=native", "-ffast-math", "-funroll-loops", "-pthread")
BENCH_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastw2v-bench"
LONGEST = 1000  # words of a sentence, word2vec.c's MAX_SENTENCE_LENGTH

# Linked beside word2vec.c, with --wrap: its source stays as it is.
CLOCK = r"""
#include <pthread.h>
#include <stdio.h>
#include <time.h>

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __real_pthread_join(pthread_t, void **);
static double began = 0;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
  if (began == 0) began = now();
  return __real_pthread_create(thread, attr, start, arg);
}

int __wrap_pthread_join(pthread_t thread, void **value) {
  int answer = __real_pthread_join(thread, value);
  fprintf(stderr, "trained %.6f\n", now() - began);
  return answer;
}
"""


class Text(NamedTuple):
    """The same corpus in the forms that the adapters need: text, prepared folder, ids, and a place for their files."""

    path: Path
    prepared: Path
    corpus: Corpus
    scratch: Path


#: Trains one epoch on the text with these options and returns the seconds of training alone.
Adapter = Callable[[Text, TrainConfig], float]


def first_tokens(source: Path, tokens: int | None, target: Path) -> None:
    """Copy whole lines of a text until they hold that many words; the copy ends with a newline.

    Raises:
        SystemExit: a line has more words than word2vec.c keeps together.
    """
    left = tokens or sys.maxsize
    with open(source, "rb") as lines, open(target, "wb") as copy:
        for number, line in enumerate(lines, 1):
            words = len(line.split())
            if words > LONGEST:
                sys.exit(f"{source}, line {number}: {words} words; word2vec.c cuts sentences at {LONGEST}: break it up")
            copy.write(line if line.endswith(b"\n") else line + b"\n")
            left -= words
            if left <= 0:
                return


# -------------------------------------------------------------------------------------------------- the adapters


def build_word2vec(cache: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """Fetch word2vec.c into ``cache`` unless it is there, and compile it in ``folder``.

    Returns:
        The program, and what it was made from.

    Raises:
        SystemExit: there is no gcc.
    """
    if shutil.which("gcc") is None:
        sys.exit("word2vec.c needs gcc: install it, or name the other peers only (--peers gensim)")
    if not list(cache.glob("word2vec-*.tar.gz")):
        cache.mkdir(parents=True, exist_ok=True)
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps", "word2vec"]
        subprocess.run([*fetch, "--dest", str(cache)], check=True)
    release = max(cache.glob("word2vec-*.tar.gz"))
    with tarfile.open(release) as archive:
        member = next(name for name in archive.getnames() if name.endswith("word2vec/includes/word2vec.c"))
        source = archive.extractfile(member)
        assert source is not None
        (folder / "word2vec.c").write_bytes(source.read())
    (folder / "clock.c").write_text(CLOCK)
    wrap = "-Wl,--wrap=pthread_create,--wrap=pthread_join"
    command = ["gcc", "word2vec.c", "clock.c", "-o", "word2vec", *C_FLAGS, "-w", wrap, "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    version = subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    made = {"source": release.name.removesuffix(".tar.gz"), "compiler": version, "flags": " ".join(C_FLAGS)}
    return folder / "word2vec", made


def word2vec_options(name: str, config: TrainConfig) -> list[str]:
    """Return word2vec.c's arguments for a text of this name in its folder."""
    options = {
        "train": name,  # its buffers for names hold 100 bytes
        "output": "word2vec.bin",
        "binary": 1,
        "cbow": 0,
        "hs": 0,
        "debug": 0,
        "iter": config.epochs,
        "size": config.vector_size,
        "window": config.window,
        "negative": config.negative,
        "sample": config.sample,
        "alpha": config.alpha,
        "min-count": config.min_count,
        "threads": config.workers,
    }
    return [part for option, value in options.items() for part in (f"-{option}", str(value))]


def word2vec_c(program: Path) -> Adapter:
    """Return the adapter of a compiled word2vec.c."""

    def train(text: Text, config: TrainConfig) -> float:
        command = [str(program), *word2vec_options(text.path.name, config)]
        done = subprocess.run(command, cwd=text.scratch, check=True, capture_output=True, text=True)
        return float(done.stderr.split()[-1])

    return train


def gensim_corpus_file() -> Adapter:
    """Return gensim's adapter. The vocabulary comes from the corpus's counts, so it is the same by construction."""
    from gensim.models import Word2Vec

    def train(text: Text, config: TrainConfig) -> float:
        model = Word2Vec(
            sg=1, hs=0, vector_size=config.vector_size, window=config.window, negative=config.negative,
            sample=config.sample, alpha=config.alpha, min_alpha=config.min_alpha, min_count=config.min_count,
            workers=config.workers,
        )  # fmt: skip
        vocab = text.corpus.vocab
        model.build_vocab_from_freq(dict(zip(vocab.words, vocab.counts.tolist(), strict=True)))
        total = int(vocab.counts.sum())
        began = time.perf_counter()
        model.train(corpus_file=str(text.path), total_words=total, epochs=config.epochs)
        return time.perf_counter() - began

    return train


def fastw2v_kernel(kernel: str) -> Adapter:
    """Return the adapter of one of this package's kernels."""

    def train(text: Text, config: TrainConfig) -> float:
        embeddings = fastw2v.train(text.prepared, progress=False, **{**asdict(config), "kernel": kernel})
        return float(embeddings.metadata["progress"]["seconds"])

    return train


# ----------------------------------------------------------------------------------------------------- the rounds


def measure(
    adapters: dict[str, Adapter], text: Text, config: TrainConfig, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Run every adapter in turn, ``rounds`` times, and return each one's tokens/s and the ratios within each round."""
    tokens = len(text.corpus.ids) * config.epochs
    seconds: dict[str, list[float]] = {name: [] for name in adapters}
    for number in range(1, rounds + 1):
        for name, train in adapters.items():
            seconds[name].append(train(text, config))
            speed = tokens / seconds[name][-1] / 1e6
            say(f"vector_size {config.vector_size}, round {number} of {rounds}: {name} {speed:.3f} M tokens/s")
    speeds = {name: [tokens / each for each in values] for name, values in seconds.items()}
    ours = [name for name in adapters if name.startswith("fastw2v")]
    ratios = {
        f"{our} / {peer}": summary([a / b for a, b in zip(speeds[our], speeds[peer], strict=True)])
        for our in ours
        for peer in adapters
        if peer not in ours
    }
    return {"tokens_per_s": {name: summary(values) for name, values in speeds.items()}, "ratios": ratios}


def run(arguments: argparse.Namespace) -> None:
    """Measure every vector size on one corpus, record the result and print its table."""
    vector_sizes = arguments.vector_size or [TrainConfig().vector_size]
    facts: dict[str, Any] = {"timing": "wall seconds of training alone, see bench/peers.py"}
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        scratch = Path(temporary)
        adapters: dict[str, Adapter] = {}
        if "word2vec.c" in arguments.peers:
            program, facts["word2vec.c"] = build_word2vec(BENCH_CACHE, scratch)
            adapters["word2vec.c"] = word2vec_c(program)
        if "gensim" in arguments.peers:
            adapters["gensim"] = gensim_corpus_file()
            facts["gensim"] = importlib.metadata.version("gensim")
        adapters |= {f"fastw2v {kernel}": fastw2v_kernel(kernel) for kernel in available_kernels()}

        path = scratch / "corpus.txt"
        first_tokens(arguments.corpus, arguments.tokens, path)
        corpus = prepare(path, scratch / "prepared")
        text = Text(path, scratch / "prepared", corpus, scratch)
        sizes = {}
        for size in vector_sizes:
            config = TrainConfig(vector_size=size, epochs=arguments.epochs)
            sizes[str(size)] = measure(adapters, text, config, arguments.rounds, print)
    options = "".join(f" --vector-size {size}" for size in vector_sizes)
    options += f" --tokens {arguments.tokens}" * (arguments.tokens is not None)
    options += f" --epochs {arguments.epochs}" * (arguments.epochs != 1)
    done = record.append(
        "peers",
        f"python -m bench peers {arguments.corpus.name}{options} --rounds {arguments.rounds}",
        {
            "config": {key: value for key, value in asdict(config).items() if key not in ("vector_size", "seed")},
            "corpus": {"tokens": len(corpus.ids), "words": len(corpus.vocab), "sentences": len(corpus.offsets) - 1},
            "rounds": arguments.rounds,
            **facts,
            "vector_size": sizes,
        },
    )
    print(report.peers_table(done))
