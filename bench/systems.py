"""The programs that are compared: the source of each, its command as a user would type it, and the measures of one run.

Every adapter has one signature: it turns a `Job` into the arguments of a program, which reads the text of the job,
trains, and leaves word vectors in the folder of the job. A run is that program in a process of its own:

- ``seconds``: wall time of the whole command, text to saved vectors.
- ``train_seconds``: wall time of training alone, without vocabulary scan, tables, compilation, load or save. Programs
  that are built here preload a small library, which measures the time from the start of their first thread to the end
  of the last one. (word2vec.c's own words/thread/sec divides by CPU time, which hides waiting.) gensim reports the time
  of its ``train``, pWord2Vec prints its speed, and fastw2v writes the time into the model folder. word2vec.c, fastText
  and gensim's ``corpus_file`` read and hash the text in each epoch; that is part of their training, so it counts.
- ``peak_rss_mb``: the peak resident memory of the process, read from /proc every few milliseconds until it ends.
- ``busy_elsewhere``: the share of the cores times the seconds that other processes used during the run.

word2vec.c and fastText are the unmodified sources of PyPI's ``word2vec`` and ``fasttext``, fetched once and compiled
here for this processor. word2vec.c and pWord2Vec have no option for a seed; their runs differ because their threads
race.
"""

import contextlib
import functools
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastw2v
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.vocab import Vocab

from . import record

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastw2v-bench"
C_FLAGS = ("-O3", "-march=native", "-ffast-math", "-funroll-loops", "-pthread")
CPP_FLAGS = ("-O3", "-DNDEBUG", "-march=native", "-funroll-loops", "-pthread", "-std=c++17")
POLL_SECONDS = 0.005
OPTIONS = (
    "vector_size", "window", "negative", "ns_exponent", "sample", "alpha", "min_alpha", "min_count", "epochs", "workers"
)  # fmt: skip
#: fastText 0.9.3 lets each thread initialise a tenth of V: with fewer than ten the other rows stay zeros, which would
#: cost it scores. Its own default is 12; the cost of more threads than cores was not measured.
FASTTEXT_THREADS = 10

# Loaded before the other libraries of a program: its source stays as it is.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
static int (*join)(pthread_t, void **);
static double began;
static int threads;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg) {
  if (!create) create = dlsym(RTLD_NEXT, "pthread_create");
  if (threads++ == 0) began = now();
  return create(thread, attr, start, arg);
}

int pthread_join(pthread_t thread, void **value) {
  if (!join) join = dlsym(RTLD_NEXT, "pthread_join");
  int answer = join(thread, value);
  if (--threads == 0) fprintf(stderr, "\ntrained %.6f\n", now() - began);
  return answer;
}
"""


class Job(NamedTuple):
    """The text of a run, in a folder of its own, and its options. Vectors go into the folder."""

    text: Path
    config: TrainConfig

    @property
    def folder(self) -> Path:
        """Where the text lies and the program runs."""
        return self.text.parent


def seconds_by_message(output: str, job: Job) -> float | None:
    """Return the seconds of training in the last line that has them."""
    found = re.findall(r"^trained ([\d.]+)", output, re.MULTILINE)
    return float(found[-1]) if found else None


def seconds_by_speed(output: str, job: Job) -> float | None:
    """Return the seconds of training by pWord2Vec's last message of its speed, which is over all words until then."""
    words, speeds = re.findall(r"Words in train file: (\d+)", output), re.findall(r"Words/sec: ([\d.]+)k", output)
    return job.config.epochs * int(words[0]) / (1000 * float(speeds[-1])) if words and speeds else None


def seconds_in_model(output: str, job: Job) -> float | None:
    """Return the seconds of training in our model folder."""
    return float(fastw2v.load(job.folder / "model").metadata["progress"]["seconds"])


class System(NamedTuple):
    """One program.

    Attributes:
        command: returns the command for a job, which runs in its folder.
        vectors: the file or folder of the vectors in that folder.
        origin: what the program is or was built from.
        preload: a library to be loaded before the program's others.
        timer: finds the seconds of training in the output of the program.
    """

    command: Callable[[Job], list[str]]
    vectors: str
    origin: dict[str, str]
    preload: Path | None = None
    timer: Callable[[str, Job], float | None] = seconds_by_message


# ----------------------------------------------------------------------------------------- downloads and compilation


def fetch(package: str) -> Path:
    """Return the source archive of a package on PyPI, downloading it once.

    Raises:
        SystemExit: the download fails.
    """
    if not list(CACHE.glob(f"{package}-*.tar.gz")):
        CACHE.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps", package]
        if subprocess.run([*download, "--dest", str(CACHE)]).returncode:
            sys.exit(f"the source of {package} can't be fetched from PyPI: name the other systems only (--systems)")
    return max(CACHE.glob(f"{package}-*.tar.gz"))


def unpack(archive: Path, inside: str, folder: Path) -> None:
    """Put the files of one folder of a source archive into ``folder``."""
    with tarfile.open(archive) as packed:
        for member in packed.getmembers():
            path = Path(member.name)
            if member.isfile() and str(path.parent).endswith(inside):
                content = packed.extractfile(member)
                assert content is not None
                (folder / path.name).write_bytes(content.read())


def about(compiler: str) -> str:
    """Return a compiler's first line about itself.

    Raises:
        SystemExit: there is none.
    """
    if shutil.which(compiler) is None:
        sys.exit(f"there is no {compiler}: install it, or name the systems that need none (--systems)")
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


def compile_files(compiler: str, flags: tuple[str, ...], files: list[Path], output: Path, *libraries: str) -> None:
    """Compile C or C++ files.

    Raises:
        SystemExit: the compiler fails.
    """
    command = [compiler, *flags, "-w", *map(str, files), "-o", str(output), *libraries]
    if subprocess.run(command).returncode:
        sys.exit(f"{output.name} does not compile: name the other systems only (--systems)")


@functools.cache
def build(
    package: str, inside: str, compiler: str, flags: tuple[str, ...], pattern: str
) -> tuple[Path, dict[str, str]]:
    """Fetch and compile a program; return it and its origin.

    The result of an earlier call is reused if source, compiler, flags and processor are the same.

    Raises:
        SystemExit: it can't be fetched or compiled.
    """
    folder = CACHE / package
    program, stamp = folder / package, folder / "made.json"
    made = {
        "source": fetch(package).name.removesuffix(".tar.gz"),
        "compiler": about(compiler),
        "flags": " ".join(flags),
    }
    stamped = json.dumps(made | {"cpu": record.machine()}, sort_keys=True)
    if stamp.is_file() and stamp.read_text() == stamped:
        return program, made
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    unpack(fetch(package), inside, folder)
    compile_files(compiler, flags, sorted(folder.glob(pattern)), program, "-lm")
    stamp.write_text(stamped)
    return program, made


@functools.cache
def clock() -> Path:
    """Return the compiled library that times threads."""
    CACHE.mkdir(parents=True, exist_ok=True)
    source, library = CACHE / "clock.c", CACHE / "clock.so"
    source.write_text(CLOCK)
    about("gcc")
    compile_files("gcc", ("-O2", "-shared", "-fPIC"), [source], library, "-ldl")
    return library


# -------------------------------------------------------------------------------------------------- the adapters


def options(separator: str, values: dict[str, Any]) -> list[str]:
    """Return names and values as words of a command line: ``-size 100`` or ``--epochs=5``."""
    if separator == "=":
        return [f"--{name}={value}" for name, value in values.items()]
    return [word for name, value in values.items() for word in (f"-{name}", str(value))]


def shared_options(config: TrainConfig) -> dict[str, Any]:
    """Return the options that all programs share, by gensim's names and ours; the seed is not among them."""
    return {name: getattr(config, name) for name in OPTIONS}


def word2vec_options(job: Job, own: dict[str, Any]) -> list[str]:
    """Return the arguments that word2vec.c and pWord2Vec, which is made from it, have in common, and ``own`` ones."""
    config = job.config
    return options(" ", {
        "train": job.text.name, "output": "vectors.bin", "binary": 1, "iter": config.epochs,
        "size": config.vector_size, "window": config.window, "negative": config.negative, "sample": config.sample,
        "alpha": config.alpha, "min-count": config.min_count, "threads": config.workers, **own,
    })  # fmt: skip


def word2vec_c() -> System:
    """Return word2vec.c."""
    program, made = build("word2vec", "word2vec/includes", "gcc", C_FLAGS, "word2vec.c")

    def command(job: Job) -> list[str]:
        return [str(program), *word2vec_options(job, {"cbow": 0, "hs": 0, "debug": 0})]

    return System(command, "vectors.bin", made, clock())


def fasttext_with(own: Callable[[TrainConfig], dict[str, Any]], least_threads: int = FASTTEXT_THREADS) -> System:
    """Return the command of fastText's skip-gram with further options."""
    program, made = build("fasttext", "/src", "g++", CPP_FLAGS, "*.cc")

    def command(job: Job) -> list[str]:
        config = job.config
        given = {
            "input": job.text.name, "output": "vectors", "dim": config.vector_size, "epoch": config.epochs,
            "minCount": config.min_count, "seed": config.seed, "verbose": 0,
            "thread": max(config.workers, least_threads),
        }  # fmt: skip
        return [str(program), "skipgram", *options(" ", given | own(config))]

    return System(command, "vectors.vec", made, clock())


def fasttext() -> System:
    """Return fastText without subwords, with our options."""
    return fasttext_with(
        lambda config: {
            "minn": 0, "maxn": 0, "ws": config.window, "neg": config.negative, "lr": config.alpha, "t": config.sample
        }
    )  # fmt: skip


def fasttext_defaults(least_threads: int = FASTTEXT_THREADS) -> System:
    """Return fastText with its defaults: subwords of 3 to 6 characters, rate 0.05, t 1e-4, window and negative 5."""
    return fasttext_with(lambda config: {}, least_threads)


def fasttext_vectors(job: Job, words: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors that fastText makes from the n-grams of words, ``(n_words, vector_size)``, after its run.

    Raises:
        SystemExit: the program fails.
    """
    program = fasttext_defaults().command(job)[0]
    asked = "".join(f"{word}\n" for word in words)
    command = [program, "print-word-vectors", "vectors.bin"]
    done = subprocess.run(command, cwd=job.folder, input=asked, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    if done.returncode or [line.split(" ", 1)[0] for line in lines] != list(words):
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")
    return np.array([line.split()[1:] for line in lines], np.float32).reshape(len(words), -1)


def pword2vec(program: Path) -> System:
    """Return a compiled pWord2Vec, with the compiler that its file names and whether it has MKL."""

    def command(job: Job) -> list[str]:
        own = {"debug": 2, "batch-size": 2 * job.config.window + 1}
        return [str(program.resolve()), *word2vec_options(job, own)]

    content = program.read_bytes()
    compiler = re.search(rb"(?:GCC: |clang version |Intel\(R\) oneAPI)[^\0]*", content)
    made = {
        "program": f"{program.name}, compiled by somebody",
        "compiler": compiler[0].decode(errors="replace") if compiler else "compiler unknown",
        "mkl": "with MKL" if b"mkl_" in content else "without MKL",
    }
    return System(command, "vectors.bin", made, timer=seconds_by_speed)


def gensim_from(corpus: str) -> System:
    """Return gensim, which reads the text through ``corpus`` ("corpus_file" or "iterable")."""

    def command(job: Job) -> list[str]:
        given = json.dumps(shared_options(job.config) | {"seed": job.config.seed})
        script = str(Path(__file__).with_name("gensim_run.py"))
        return [sys.executable, script, corpus, job.text.name, "vectors.bin", given]

    return System(command, "vectors.bin", {"version": f"gensim {importlib.metadata.version('gensim')}"})


def fastw2v_with(kernel: str, **own: Any) -> System:
    """Return this package's command with one of its kernels and further options."""

    def command(job: Job) -> list[str]:
        given = shared_options(job.config) | {"seed": job.config.seed, "kernel": kernel} | own
        dashed = {name.replace("_", "-"): value for name, value in given.items()}
        return [sys.executable, "-m", "fastw2v", "train", job.text.name, "-o", "model", *options("=", dashed)]

    made = {"version": f"fastw2v {fastw2v.__version__}"} | {name: f"{name} {value}" for name, value in own.items()}
    return System(command, "model", made, timer=seconds_in_model)


#: In the order in which they take turns.
SYSTEMS: dict[str, Callable[[], System]] = {
    "fastw2v": lambda: fastw2v_with("tile"),
    "gensim corpus_file": lambda: gensim_from("corpus_file"),
    "gensim iterable": lambda: gensim_from("iterable"),
    "word2vec.c": word2vec_c,
    "fastText": fasttext,
    "fastText defaults": fasttext_defaults,
    "fastw2v pair": lambda: fastw2v_with("pair"),
}


def selection(names: list[str] | None, pword2vec_path: Path | None) -> dict[str, System]:
    """Build the systems of these names, or all that are available, and pWord2Vec if its path is given.

    Raises:
        SystemExit: a system was named and is not available.
    """
    found = {}
    for name in names if names is not None else SYSTEMS:
        if name.startswith("gensim") and importlib.util.find_spec("gensim") is None:
            if names:
                sys.exit(f"{name} is not installed: pip install -e '.[bench]'")
            print(f"{name} is not installed: left out")
            continue
        try:
            found[name] = SYSTEMS[name]()
        except SystemExit as problem:
            if names:
                raise
            print(f"{name} is left out: {problem}")
    if pword2vec_path is not None:
        if not os.access(pword2vec_path, os.X_OK):
            sys.exit(f"{pword2vec_path} is not a program: give the path of a compiled pWord2Vec")
        found["pWord2Vec"] = pword2vec(pword2vec_path)
    return found


# ------------------------------------------------------------------------------------------------------- one run


def busy_seconds() -> float:
    """Return the busy seconds of all cores together since the machine started; 0 if unknown."""
    try:
        with open("/proc/stat") as stat:
            fields = [int(field) for field in stat.readline().split()[1:]]
    except OSError:
        return 0.0
    idle, wait = fields[3:5]
    return float(sum(fields[:8]) - idle - wait) / os.sysconf("SC_CLK_TCK")


def resident_peak(process: int) -> float:
    """Return the peak resident memory of a running process in MB; 0 after it has ended."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def run_once(system: System, job: Job) -> dict[str, Any]:
    """Run a system's command and return the measures that the module's docstring lists.

    Raises:
        SystemExit: the command fails; its last lines are shown.
    """
    vectors = job.folder / system.vectors
    if vectors.is_dir():
        shutil.rmtree(vectors)  # Our model folder keeps the ids, and with them the text would not be read.
    vectors.unlink(missing_ok=True)
    environment = os.environ | ({"LD_PRELOAD": str(system.preload)} if system.preload else {})
    messages = job.folder / "messages.txt"
    busy, began, peak = busy_seconds(), time.perf_counter(), 0.0
    with open(messages, "wb") as log:
        process = subprocess.Popen(system.command(job), cwd=job.folder, stdout=log, stderr=log, env=environment)
        while True:
            peak = max(peak, resident_peak(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - began
    busy = busy_seconds() - busy - usage.ru_utime - usage.ru_stime
    process.returncode = os.waitstatus_to_exitcode(status)
    text = messages.read_text(errors="replace")
    if process.returncode:
        last = "\n".join(text.splitlines()[-5:])
        sys.exit(f"{' '.join(system.command(job))} failed with {process.returncode}:\n{last}")
    trained = system.timer(text, job)
    return {
        "seconds": round(seconds, 3),
        "train_seconds": None if trained is None else round(trained, 3),
        "peak_rss_mb": round(peak, 1),
        "busy_elsewhere": round(max(busy, 0.0) / (seconds * usable_cores()), 3),
    }


def load_vectors(system: System, job: Job) -> fastw2v.Embeddings:
    """Read the vectors of a run, all rows in their order in the file."""
    path = job.folder / system.vectors
    return fastw2v.load(path) if path.is_dir() else fastw2v.load_word2vec_format(path, binary=path.suffix == ".bin")


def in_order(found: fastw2v.Embeddings, vocab: Vocab) -> fastw2v.Embeddings:
    """Return the rows of the words of ``vocab`` in its order, so that everybody's vectors are asked the same questions.

    Words of equal count stand in each program's own order, and so another word may be the 30,000th.

    Raises:
        SystemExit: a word has no vector.
    """
    if missing := [word for word in vocab.words if word not in found]:
        sys.exit(f"{len(missing):,} words have no vector, among them {missing[0]!r}: the vocabularies differ")
    return fastw2v.Embeddings(vocab, found.vectors[[found.vocab.index[word] for word in vocab.words]])
