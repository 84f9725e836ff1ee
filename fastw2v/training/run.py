"""The arguments, messages and records of every run, on one machine or on several.

`Run` holds the arguments and finds the run to resume. The functions are the steps before, during and after training
that `driver` and `distributed` share.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from inspect import signature
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import IdOptions, TrainConfig
from ..embeddings import MODEL_MANIFEST, Embeddings, load
from ..errors import ConfigError, DivergedError, FolderError, doubt, option, worded
from ..files.places import local_path
from ..files.staging import staged, write_errors
from ..foreign_options import hint
from ..kernels.records import LOSS, LOSS_PAIRS
from ..kernels.sampling import expected_kept, keep_thresholds
from ..kernels.simd import features_digest, host_cpu
from ..machine import available_memory, usable_cores, versions
from ..screen import counted, printable, say
from ..subwords.composition import Composition, composing_bytes
from ..subwords.ngrams import Ngrams, count_parts
from ..text.corpus import Corpus
from .callbacks import Callback, Hook, Progress, hooks_of
from .checkpoint import (
    Checkpoints,
    State,
    check_state,
    cut_before_saved,
    finish,
    goes_into_page_cache,
    note_new_run,
    read_state,
    unfinished,
)
from .replica import check_same_ngrams, memory_bill, ngrams_of

FEW_TAKEN = 10  # A remark becomes a warning if fewer than one word in this many starts from given vectors.


@dataclass(frozen=True)
class Run:
    """The arguments of `train`, `train_ids` and `train_ray` beside the corpus and the options of `TrainConfig`."""

    output: str | PathLike[str] | None
    resume: bool
    checkpoint_every: float
    init_from: str | PathLike[str] | Embeddings | None
    callbacks: Sequence[Callback]
    progress: bool
    on_nodes: bool = False  # True for `distributed.train_ray`
    keep_words: bool = False  # Once `start` has resumed a run: whether that run keeps the words of given vectors.
    hooks: Mapping[str, Sequence[Hook]] = field(init=False)  # What to call when, see `callbacks.hooks_of`.
    vectors: Embeddings | None = field(init=False)  # The vectors of init_from; bad ones fail before the corpus is read.

    def __post_init__(self) -> None:
        object.__setattr__(self, "hooks", hooks_of(self.callbacks))
        minutes: Any = self.checkpoint_every
        if isinstance(minutes, bool) or not isinstance(minutes, Real) or not self.checkpoint_every > 0:
            raise ConfigError(f"{option('checkpoint_every')} is {minutes!r:.60}: give a number of minutes above 0")
        if self.resume and self.output is None:
            raise ConfigError(f"{option('resume')} needs an output: the model folder of the run")
        if not isinstance(self.keep_words, bool):
            raise ConfigError(f"{option('keep_words')} is {self.keep_words!r:.60}: give True or False")
        if self.keep_words and self.init_from is None and not self.resume:
            raise ConfigError(
                f"{option('keep_words', True)} needs {option('init_from')}, whose words it keeps: give it"
            )
        if not isinstance(self.init_from, str | PathLike | Embeddings | None):
            raise ConfigError(
                f"{option('init_from')} is {self.init_from!r:.60}: give embeddings, or the path of a model folder"
            )
        if self.output is not None:
            object.__setattr__(self, "output", local_path(self.output, FolderError, output=True))
        if isinstance(self.init_from, str | PathLike):
            object.__setattr__(self, "init_from", local_path(self.init_from, FolderError))
        vectors = load(self.init_from) if isinstance(self.init_from, str | PathLike) else self.init_from
        object.__setattr__(self, "vectors", vectors)

    def start(self, partial: Path | None, explicit: dict[str, Any]) -> tuple[State | None, dict[str, Any], TrainConfig]:
        """Return the state to resume (None for a new run), the explicit options, and the options to train with.

        Args:
            partial: the staging folder, if there is an output.
            explicit: the options that the caller gave. A run that was killed before its first checkpoint adds its own.
        """
        state = None
        if self.resume:
            assert partial is not None
            if cut := cut_before_saved(partial):
                if cut[1] and self.vectors is None:
                    raise ConfigError(
                        f"the run in {self.output} started from given vectors: give {option('init_from')} again"
                    )
                object.__setattr__(self, "keep_words", self.keep_words or cut[2])
                explicit = cut[0] | explicit
                say(self.progress, f"the run in {self.output} ended before its first checkpoint: it starts again")
            else:
                state = read_state(partial.parent)
                if state is not None and (state.ledger is not None) != self.on_nodes:
                    how = worded("by train_ray", "with --ray") if state.ledger else worded("by train", "without --ray")
                    remedy = worded("use that function", "give it" if state.ledger else "omit it")
                    raise ConfigError(
                        f"the run in {self.output} was trained {how}: {remedy} to resume, or start a new run from its "
                        f"vectors with {option('init_from')}"
                    )
                if state is None:
                    say(self.progress, f"{self.output} holds no run to resume: starting a new one")
        elif partial is not None and (other := unfinished(partial.parent)):
            token = printable(str(other.get("tokens")))
            text = (
                f"{self.output} holds an unfinished run, at token {token}: the first checkpoint of this new run "
                f"replaces it; use {option('resume', True)} to continue it instead"
            )
            source = self.init_from if isinstance(self.init_from, str | PathLike) else None
            if source is not None and os.path.realpath(source) == os.path.realpath(partial.parent):
                say(self.progress, text)  # The new run starts from the vectors of that one.
            else:
                doubt(text)
        if state is None and self.vectors is not None:
            explicit = {"vector_size": self.vectors.vector_size} | _options_of_ngrams(self.vectors, explicit) | explicit
        config = TrainConfig(**explicit)
        if state is None:
            if self.vectors is not None and self.vectors.vector_size != config.vector_size:
                raise ConfigError(
                    f"{option('vector_size')} is {config.vector_size}, but {option('init_from')} has vectors "
                    f"of {self.vectors.vector_size}: make them equal"
                )
            if self.vectors is not None:
                check_same_ngrams(self.vectors.subwords, ngrams_of(config))
            if self.keep_words and self.vectors is None:
                raise ConfigError(
                    f"{option('keep_words', True)} needs {option('init_from')}, whose words it keeps: {self.output} "
                    "holds no run to resume, so give it"
                )
            if partial is not None:
                of_run = {name: getattr(config, name) for name in explicit}
                note_new_run(partial, of_run, self.vectors is not None, self.keep_words)
            return None, explicit, config
        keeps_words = "words_kept" in started_from(state.embeddings.metadata)
        if self.keep_words and not keeps_words:
            raise ConfigError(
                f"{option('keep_words')} is True, but the run in {self.output} has only the words of its text: "
                "omit it to resume that run, or train into another folder"
            )
        object.__setattr__(self, "keep_words", keeps_words)
        if self.vectors is not None:
            text = f"{option('init_from')} is ignored: {self.output} holds a run, which is resumed"
            if "init_from" in state.embeddings.metadata:  # The run has started from given vectors, as was meant.
                say(self.progress, text)
            else:
                doubt(f"{text}, and which did not start from given vectors")
        for name, value in explicit.items():
            of_run = getattr(state.config, name)
            if name not in ("epochs", "workers") and getattr(config, name) != of_run:
                raise ConfigError(
                    f"{option(name)} is {value!r}, but {self.output} was trained with {of_run!r}: "
                    "omit it to resume that run, or train into another folder"
                )
        changed = {name: getattr(config, name) for name in ("epochs", "workers") if name in explicit}
        return state, explicit, replace(state.config, **changed)


def _options_of_ngrams(source: Embeddings, explicit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the n-grams of given vectors, if the caller's options ask for n-grams and agree."""
    if source.subwords is None or not explicit.get("max_n"):
        return {}
    min_n, max_n, bucket, hash_count = source.subwords.ngrams
    options: dict[str, Any] = {"min_n": min_n, "max_n": max_n, "bucket": bucket}
    options |= {"mode": "floret", "hash_count": hash_count} if hash_count else {"mode": "fasttext", "hash_count": 1}
    return options if all(explicit.get(name, value) == value for name, value in options.items()) else {}


def doubt_words_alone(run: Run, state: State | None, explicit: Mapping[str, Any]) -> None:
    """Warn if a new run leaves out the n-grams of the vectors that it starts from, and nobody asked for that.

    Args:
        run: its arguments.
        state: the run to resume; None for a new one.
        explicit: the options that the caller gave.
    """
    if state is None and run.vectors is not None and run.vectors.subwords is not None and "max_n" not in explicit:
        doubt(
            f"the n-grams of {option('init_from')} are left out, so other words will have no vectors: give "
            f"{option('max_n', run.vectors.subwords.ngrams.max_n)} to train them too, or {option('max_n', 0)} for "
            "words alone"
        )


def doubt_no_subwords(explicit: Mapping[str, Any]) -> None:
    """Warn if the caller's options of a new run describe n-grams, but subwords are off."""
    name = next((name for name in ("min_n", "bucket") if name in explicit), None)
    if name and "max_n" not in explicit:
        doubt(f"{option(name)} has no effect without subwords: give {option('max_n', 6)} to turn them on, or omit it")


def started_from(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what model.json says of the vectors that a run started from; see `Replica.start_from`."""
    found = metadata.get("init_from")
    return found if isinstance(found, dict) else {}


def output_folder(output: str | PathLike[str] | None) -> Any:
    """Return `staged` for a model folder, or a context of None where nothing is saved."""
    if output is None:
        return nullcontext(None)
    return staged(Path(local_path(output, FolderError, output=True)), MODEL_MANIFEST, "model")


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that have a value; None does not count if it stands for a default."""
    return {
        name: value
        for name, value in options.items()
        if value is not None or name not in ("workers", "min_count", "max_vocab")
    }


def check_names(function: Callable[..., Any], options: Iterable[str], known: type) -> None:
    """Raise TypeError for an unknown option.

    Args:
        function: its other keyword arguments may have been meant.
        options: names of options that it was given.
        known: a class whose keys are options, such as `TrainOptions`.
    """
    for name in options:
        if name not in known.__annotations__ and name not in IdOptions.__annotations__:
            own = [each.name for each in signature(function).parameters.values() if each.kind is each.KEYWORD_ONLY]
            names = list(dict.fromkeys([*IdOptions.__annotations__, *known.__annotations__, *own]))
            meant = hint(f"--{name}", [f"--{each}" for each in names])
            meant = f"its options are {', '.join(names)}" if meant is None else meant.replace("--", "")
            raise TypeError(f"{function.__name__}() has no option {name!r}: {meant}")


def place_of(now: Progress, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the progress of any run for model.json; ``before`` is its progress after the last chunk or round."""
    return {
        "complete": now.tokens == now.tokens_total,
        "epoch": now.epoch,
        "tokens": now.tokens,
        "tokens_total": now.tokens_total,
        "tokens_trained": before.get("tokens_trained", 0) + now.tokens_trained,
        "pairs": before.get("pairs", 0) + now.pairs,
        "alpha": now.alpha,
        "seconds": round(now.seconds, 3),
    }


def begin(run: Run, corpus: Corpus, config: TrainConfig, state: State | None, sizes: dict[str, int]) -> int:
    """Return how many tokens of the run are done; if all are, report it and clean up.

    Args:
        run: its arguments.
        corpus: the corpus.
        config: options of the run.
        state: the run to resume; None for a new one.
        sizes: of the corpus, see `sizes_of`.

    Raises:
        CorpusError, ConfigError: see `checkpoint.check_state`.
    """
    if state is None:
        return 0
    total = len(corpus.ids) * config.epochs
    check_state(state, corpus, sizes, total)
    if state.tokens == total:
        epochs = counted(config.epochs, "epoch")
        say(run.progress, f"{run.output} is already complete ({epochs}); use a larger {option('epochs')} to continue")
        finish(state.folder, state.embeddings.metadata["progress"])  # A run that was killed at its end did not.
    return state.tokens


def sizes_of(corpus: Corpus, saved: bool) -> dict[str, int]:
    """Return the sizes of a corpus as model.json has them, for a run that is saved with a checksum."""
    sizes = {"tokens": len(corpus.ids), "sentences": len(corpus.offsets) - 1}
    return sizes | ({"crc32": corpus.crc32()} if saved else {})


def metadata_of(corpus: Corpus, config: TrainConfig, sizes: dict[str, int], **more: Any) -> dict[str, Any]:
    """Return what model.json says of a run from its start on; ``more`` is what one of the drivers adds."""
    return {
        "versions": versions(),
        "cpu": host_cpu(),
        "cpu_features": features_digest(),
        "config": asdict(config),
        **more,
        "corpus": {"tokens_read": corpus.tokens_read, **sizes, **corpus.about},
    }


def summary(corpus: Corpus) -> str:
    """Return the sizes of a corpus in words."""
    return (
        f"{counted(corpus.tokens_read, 'token')}, {len(corpus.ids):,} of them in the vocabulary of "
        f"{counted(len(corpus.vocab), 'word')}, {counted(len(corpus.offsets) - 1, 'sentence')}"
    )


def mean_loss(tally: NDArray[np.float64]) -> float | None:
    """Return the loss per pair in nats; None if there was no pair."""
    return float(tally[LOSS] / tally[LOSS_PAIRS]) if tally[LOSS_PAIRS] else None


def report_taken(progress: bool, taken: Mapping[str, int]) -> None:
    """Report how many words start from given vectors; warn if few do, as where the case of letters differs.

    Args:
        progress: as for `train`.
        taken: the result of `Replica.start_from`.
    """
    text = "{words_taken:,} of {words:,} words start from given vectors".format(**taken)
    if "words_kept" in taken:
        more = counted(taken["words_kept"], "other word")
        text += f", whose {more} are kept; the learning rate falls over the new text alone"
    if FEW_TAKEN * taken["words_taken"] < taken["words"]:
        doubt(f"only {text}: check the language, and upper and lower case")
    else:
        say(progress, text)


@contextmanager
def checkpoint_named(checkpoints: Checkpoints | None) -> Iterator[None]:
    """Make a `DivergedError` name the last checkpoint of the run."""
    try:
        yield
    except DivergedError as error:
        saved = None if checkpoints is None or checkpoints.saved is None else str(checkpoints.saved)
        raise DivergedError(error.epoch, error.token, error.alpha, saved) from None


def check_memory(
    n_words: int,
    config: TrainConfig,
    progress: bool,
    saved: bool = False,
    names: bool = False,
    composition: Composition | None = None,
) -> None:
    """Report the memory that a training will take, and raise if less is free; see `memory_bill`.

    A run that is ``saved`` copies V and U while a checkpoint is written, but only if they are large
    (`goes_into_page_cache`) and that memory is free then.

    Raises:
        ConfigError: less is free.
    """
    matrices, words, scratch = memory_bill(n_words, config, names, composition)
    need, free = matrices + words + scratch, available_memory()
    rows = f"V and U take 2 x {n_words:,}"
    if composition is not None:
        rows = (
            f"n-grams reach {len(composition.buckets):,} of {config.bucket:,} buckets; V and U take "
            f"({composition.n_rows:,} + 2 x {n_words:,})"
        )
    n_rows = 2 * n_words + (0 if composition is None else composition.n_rows)
    bill = (
        f"{rows} x {matrices // (4 * n_rows)} x 4 bytes, {matrices / 1e6:,.0f} MB, tables and vocabulary "
        f"{words / 1e6:,.0f} MB, scratch of workers {scratch / 1e6:,.0f} MB: {need / 1e6:,.0f} MB in all"
    )
    if free is not None and need > free:
        raise ConfigError(
            f"{bill}, but {free / 1e6:,.0f} MB are free: "
            f"lower {option('vector_size')}, {option('max_vocab')} or {option('workers')}"
        )
    copied = saved and not goes_into_page_cache(matrices, None if free is None else free - need)
    copies = f", and V and U again while a checkpoint is written, {matrices / 1e6:,.0f} MB, if free then" * copied
    say(progress, f"memory: {bill}{copies}; ids stay on disk")


def check_composing(words: Sequence[str], ngrams: Ngrams | None) -> None:
    """Raise if less memory is free than it takes to find the n-grams of all words, which is given back afterwards.

    Raises:
        ConfigError: less is free.
    """
    free = available_memory()
    if ngrams is None or free is None:
        return
    n_parts = int(count_parts(words, ngrams).sum())
    need = composing_bytes(len(words), n_parts, ngrams)
    if need > free:
        raise ConfigError(
            f"to find {n_parts:,} n-grams of {counted(len(words), 'word')} among {counted(ngrams.bucket, 'bucket')} "
            f"takes {need / 1e6:,.0f} MB, but {free / 1e6:,.0f} MB are free: lower {option('max_n')}, "
            f"{option('max_vocab')} or {option('bucket')}"
        )


def _check_threads(workers: int, progress: bool) -> None:
    """Report if there are more workers than can run at once: that is allowed, but no faster."""
    cores = usable_cores()
    if workers > cores:
        say(
            progress,
            f"{workers:,} workers share {counted(cores, 'core')} (usable by affinity mask, cgroup quota and "
            f"NUMBA_NUM_THREADS): no faster than {option('workers', cores)}",
        )


def announce(
    corpus: Corpus, config: TrainConfig, progress: bool, saved: bool, composition: Composition | None = None
) -> None:
    """Report the corpus, the workers and the memory they will take; raises as `check_memory`."""
    say(
        progress,
        f"{summary(corpus)}; {counted(config.workers, 'worker')} "
        f"({'bit-identical from run to run' if config.workers == 1 else 'Hogwild: not bit-identical from run to run'})",
    )
    if len(corpus.vocab) == 1:
        doubt(
            "the vocabulary has one word, so nothing can be learnt: put white space between words, "
            f"raise {option('max_vocab')}, lower {option('min_count')}"
        )
    counts = corpus.vocab.counts
    kept = float(expected_kept(counts, keep_thresholds(counts, config.sample)).sum()) / max(1, int(counts.sum()))
    if kept < 0.5 and len(counts) * config.sample < 0.5:  # The share of a word is above ``sample`` even on average.
        how = f"{option('sample', config.sample)} keeps {kept:.0%} of the tokens"
        say(progress, f"{how}, because there are few different words; {option('sample', 0)} keeps all")
    _check_threads(config.workers, progress)
    check_memory(len(corpus.vocab), config, progress, saved, composition=composition)


@contextmanager
def metrics_file(folder: Path | None, before: Sequence[dict[str, Any]]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that appends a record to metrics.jsonl at once, so that the file can be watched."""
    if folder is None:
        yield lambda record: None
        return
    with write_errors(folder):
        file = open(folder / "metrics.jsonl", "ab", buffering=0)  # noqa: SIM115
    with file:  # Unbuffered: closing it has nothing left to write.

        def append(*records: dict[str, Any]) -> None:
            with write_errors(folder):
                file.write("".join(json.dumps(record) + "\n" for record in records).encode())

        append(*before)
        yield append
