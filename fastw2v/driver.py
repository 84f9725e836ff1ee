"""The driver: from a corpus to vectors, in chunks of about half a second.

Between chunks no kernel runs; then and only then the schedule moves on, progress is shown and recorded, callbacks are
called, Ctrl-C is honoured and the sums are checked for values that are not finite.
"""

import copy
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checkpoint import (
    DIFFERED,
    Checkpoints,
    State,
    check_state,
    cut_before_saved,
    differences,
    finish,
    goes_into_page_cache,
    note_new_run,
    read_state,
    restore,
    start_from,
    unfinished,
)
from .config import IdOptions, TrainConfig, TrainOptions
from .corpus import BLOCK_IDS, Corpus, check_ids
from .embeddings import MODEL_MANIFEST, Embeddings, load
from .errors import ConfigError, CorpusError, DivergedError, FolderError
from .finite import Watch, all_finite
from .interrupts import interruption, signals_noted, sigterm_raises
from .machine import available_memory, trim_memory, usable_cores, versions
from .pair import LOSS, LOSS_PAIRS, PAIRS, TRAINED
from .parallel import Workers, aligned_zeros, bytes_of_workers, run_chunk
from .prepared import CorpusInput, opened
from .sampling import build_alias, expected_kept, keep_thresholds, noise_weights
from .screen import Bar, announced, counted, printable, say
from .simd import features_digest, host_cpu
from .spans import cut, next_cut
from .staging import staged, write_errors
from .tile import CENTRES, SHARED, Tiling, choose_tiling
from .vocab import Vocab

CHUNK_SECONDS = 0.5
FIRST_CHUNK = 50_000  # tokens per worker, before the speed is known
SPANS_PER_WORKER = 16  # of a chunk; what is left for one worker alone at its end is a fraction of that
ROWS_AT_ONCE = 1_024  # so that initialising needs little memory beside V and U
BYTES_A_WORD = 52  # most beside V and U: the tables of noise words and subsampling (12), and what they are made of
BYTES_A_NAME = 176  # of a word that is a number: string, place in the index, count, and twice that while counting


@dataclass(frozen=True)
class Progress:
    """State of a run after a chunk: what a callback gets, and a line of metrics.jsonl.

    Attributes:
        epoch: the epoch the chunk belonged to, from 1.
        tokens: corpus tokens visited since the start, over all epochs, before subsampling.
        tokens_total: what ``tokens`` will be at the end.
        tokens_per_s: corpus tokens per second in this chunk.
        tokens_trained: tokens of this chunk that survived subsampling.
        pairs: (centre, outside) pairs of this chunk.
        alpha: learning rate at the end of the chunk.
        loss: mean negative-sampling loss per pair in this chunk, in nats; None if it had no pair. The tile kernel
            takes it from a sample, about one tile in 16.
        seconds: since training began, compilation and ingest excluded.
    """

    epoch: int
    tokens: int
    tokens_total: int
    tokens_per_s: float
    tokens_trained: int
    pairs: int
    alpha: float
    loss: float | None
    seconds: float


#: Called after every chunk with the state and a read-only view of the vectors as they are; True stops the run.
Callback: TypeAlias = Callable[[Progress, Embeddings], object]


def train(
    corpus: CorpusInput,
    *,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: float = 10.0,
    init_from: str | PathLike[str] | Embeddings | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **options: Unpack[TrainOptions],
) -> Embeddings:
    """Train skip-gram embeddings with negative sampling.

    Args:
        corpus: a path or paths of text as for `prepare`, a prepared folder, or an iterable of token lists, read once.
        output: model folder to write; None keeps the result in memory only. Its subfolder ``cache`` keeps the ids of
            text, for the next training into the same folder if the text and the vocabulary's options are the same.
        resume: go on with the run that ``output`` holds, on the same corpus, where it was; a new run if there is none.
            Options left out are those of the run. ``workers`` may differ. So may ``epochs``: the learning rate is then
            what it would be, at each token, in a run of that many epochs, so a finished model can be trained further.
        checkpoint_every: save the run into ``output`` after so many minutes, and at the end of each epoch.
        init_from: embeddings, or their model folder, for a new run to start from: rows of words that are in both
            vocabularies are taken from there, V and, if there is one, U; other rows start as always.
        callbacks: called after every chunk as ``callback(progress, embeddings)``; returning True stops the run.
        progress: show a bar and remarks on standard error.
        options: see `TrainConfig`. ``workers=1`` is bit-identical from run to run, resumed or not; more workers update
            the same matrices without locks, so two runs agree statistically, not bit for bit.

    Returns:
        The embeddings; those of a stopped run are usable, with ``metadata["progress"]["complete"]`` False.

    Raises:
        ConfigError: an option is out of range, or not that of the run to go on with.
        CorpusError: the corpus is missing, not text, empty, has no word frequent enough, or is not that of the run.
        FolderError: ``output`` can't be written, is something else, is being written by another run, or is damaged.
        DivergedError: a value stopped being finite; it is not saved, earlier checkpoints are.
        KeyboardInterrupt: after Ctrl-C; if training had begun the folder, if any, was saved, and the text says so.
        Terminated: (a SystemExit with code 143) after SIGTERM; the same.
    """
    check_names("train", options, TrainOptions)
    run = Run(output, resume, checkpoint_every, init_from, callbacks, progress)
    given = given_options(options)
    TrainConfig(**given)  # raises before anything is touched
    with sigterm_raises(), output_folder(output) as folder, ExitStack() as stack:
        state, given, config = run.go_on(folder, given)
        asked = {name: getattr(config, name) if name in given or state else None for name in ("min_count", "max_vocab")}
        chosen = opened(corpus, folder, **asked, workers=config.workers, progress=progress)
        ready = stack.enter_context(chosen)
        config = replace(config, min_count=ready.min_count, max_vocab=ready.max_vocab)
        return _train(ready, config, folder, state, run)


def train_ids(
    ids: ArrayLike,
    offsets: ArrayLike,
    *,
    n_words: int,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: float = 10.0,
    init_from: str | PathLike[str] | Embeddings | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **options: Unpack[IdOptions],
) -> Embeddings:
    """Train on sequences of integers: graph walks, item sequences, text that already is ids.

    Args:
        ids: int32 ``(n_tokens,)``, every id in ``[0, n_words)``. Counts are derived; none is dropped.
        offsets: int64 ``(n_sequences + 1,)``; sequence s is ``ids[offsets[s]:offsets[s + 1]]``, as in CSR. Other
            integer types are converted, which takes a copy.
        n_words: number of rows; row i of the result, and the word ``str(i)``, is id i.
        output: see `train`.
        resume: see `train`.
        checkpoint_every: see `train`.
        init_from: see `train`.
        callbacks: see `train`.
        progress: see `train`.
        options: as for `train`, without ``min_count`` and ``max_vocab``.

    Raises:
        CorpusError: the arrays are not a corpus in CSR form.
        ConfigError, FolderError, DivergedError, KeyboardInterrupt, Terminated: see `train`.
    """
    if unfit := {"min_count", "max_vocab"} & set(options):
        raise ConfigError(f"{', '.join(sorted(unfit))}: train_ids keeps every id as its own row; leave it out")
    check_names("train_ids", options, IdOptions)
    run = Run(output, resume, checkpoint_every, init_from, callbacks, progress)
    given = given_options(options) | {"min_count": 1}
    config = TrainConfig(**given)
    whole: bool = isinstance(n_words, Integral)
    if not whole or not 1 <= n_words < 2**31:
        raise ConfigError(f"n_words is {n_words!r}: give a whole number from 1 to {2**31 - 1}")
    ids, offsets = check_ids(ids, offsets, n_words)
    if len(ids) == 0:
        raise CorpusError("the corpus is empty: ids has no element")
    _check_memory(n_words, config, progress=False, names=True)
    counts = np.zeros(n_words, np.int64)
    for start in range(0, len(ids), BLOCK_IDS):
        counts += np.bincount(ids[start : start + BLOCK_IDS], minlength=n_words)
    corpus = Corpus(Vocab([str(i) for i in range(n_words)], counts), ids, offsets, len(ids))
    with sigterm_raises(), output_folder(output) as folder:
        state, _, config = run.go_on(folder, given)
        return _train(corpus, config, folder, state, run)


@dataclass(frozen=True)
class Run:
    """What `train` and `train_ids` are asked for beside the corpus and the options of `TrainConfig`."""

    output: str | PathLike[str] | None
    resume: bool
    checkpoint_every: float
    init_from: str | PathLike[str] | Embeddings | None
    callbacks: Sequence[Callback]
    progress: bool
    on_nodes: bool = False  # by `distributed.train_ray`
    vectors: Embeddings | None = field(init=False)  # of init_from, opened before hours go into the corpus

    def __post_init__(self) -> None:
        if not isinstance(self.callbacks, Sequence) or not all(map(callable, self.callbacks)):
            raise ConfigError(f"callbacks is {self.callbacks!r:.60}: give a list of functions")
        minutes: Any = self.checkpoint_every
        if isinstance(minutes, bool) or not isinstance(minutes, Real) or not self.checkpoint_every > 0:
            raise ConfigError(f"checkpoint_every is {minutes!r:.60}: give a number of minutes above 0")
        if self.resume and self.output is None:
            raise ConfigError("resume needs an output: the model folder to go on with")
        if not isinstance(self.init_from, str | PathLike | Embeddings | None):
            raise ConfigError(f"init_from is {self.init_from!r:.60}: give embeddings, or the path of a model folder")
        given = load(self.init_from) if isinstance(self.init_from, str | PathLike) else self.init_from
        object.__setattr__(self, "vectors", given)

    def go_on(self, partial: Path | None, given: dict[str, Any]) -> tuple[State | None, dict[str, Any], TrainConfig]:
        """Return the state to go on from, None for a new run; the options that were given; and those to train with.

        Args:
            partial: the staging folder, if there is an output.
            given: the options that the caller gave. A new run that was killed before it was saved adds its own.
        """
        state = None
        if self.resume:
            assert partial is not None
            if cut := cut_before_saved(partial):
                if cut[1] and self.vectors is None:
                    raise ConfigError(f"the run in {self.output} started from given vectors: give init_from again")
                given = cut[0] | given
                say(self.progress, f"the run in {self.output} was cut before its first checkpoint: it begins anew")
            else:
                state = read_state(partial.parent)
                if state is not None and (state.ledger is not None) != self.on_nodes:
                    raise ConfigError(
                        f"the run in {self.output} was trained {'with' if state.ledger else 'without'} --ray "
                        f"(train_ray): {'give' if state.ledger else 'omit'} it to go on, or start a new run from its "
                        "vectors with --init-from"
                    )
                if state is None:
                    say(self.progress, f"{self.output} holds no run to go on with: a new one begins")
        elif partial is not None and (there := unfinished(partial.parent)):
            at = printable(str(there.get("tokens")))
            say(
                self.progress,
                f"{self.output} holds an unfinished run, at token {at}: the first checkpoint of this new one takes its "
                "place; --resume would go on with it",
            )
        config = TrainConfig(**given)
        if state is None:
            if self.vectors is not None and self.vectors.vector_size != config.vector_size:
                raise ConfigError(
                    f"vector_size is {config.vector_size}, but init_from has vectors of {self.vectors.vector_size}: "
                    "make them equal"
                )
            if partial is not None:
                note_new_run(partial, {name: getattr(config, name) for name in given}, self.vectors is not None)
            return None, given, config
        if self.vectors is not None:
            say(self.progress, f"init_from is left aside: {self.output} holds a run to go on with")
        for name, value in given.items():
            of_run = getattr(state.config, name)
            if name not in ("epochs", "workers") and getattr(config, name) != of_run:
                raise ConfigError(
                    f"{name} is {value!r}, but {self.output} was trained with {of_run!r}: "
                    "leave it out to go on with that run, or train into another folder"
                )
        changed = {name: getattr(config, name) for name in ("epochs", "workers") if name in given}
        return state, given, replace(state.config, **changed)


def output_folder(output: str | PathLike[str] | None) -> Any:
    """Give `staged` for a model folder, or a context of None."""
    return nullcontext(None) if output is None else staged(Path(output), MODEL_MANIFEST, "model")


def given_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given a value; None, where it stands for a default, is none."""
    return {
        name: value
        for name, value in options.items()
        if value is not None or name not in ("workers", "min_count", "max_vocab")
    }


def check_names(function: str, options: Iterable[str], known: type) -> None:
    """Raise TypeError for an option that no training has; ``known`` is a class of `config` with options as keys."""
    for name in options:
        if name not in known.__annotations__ and name not in IdOptions.__annotations__:
            names = ", ".join({**IdOptions.__annotations__, **known.__annotations__})
            raise TypeError(f"{function}() has no option {name!r}: its options are {names}")


def initial_matrices(n_words: int, vector_size: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return V, uniform in (-0.5, 0.5) / vector_size, and U, zero, as word2vec.c starts.

    Rows are padded with zeros to whole cache lines: shape ``(n_words, width)``, width >= vector_size.
    """
    V: Any = aligned_zeros(n_words, vector_size, np.float32)
    U: Any = aligned_zeros(n_words, vector_size, np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, n_words, ROWS_AT_ONCE):
        rows = V[start : start + ROWS_AT_ONCE]
        rows[:, :vector_size] = (rng.random((len(rows), vector_size), np.float32) - np.float32(0.5)) / vector_size
    return V, U


def memory_bill(n_words: int, config: TrainConfig, names: bool = False) -> tuple[int, int, int]:
    """Return the bytes that V and U will take, tables and vocabulary, and workers; ``names``: words are numbers."""
    width = aligned_zeros(0, config.vector_size, np.float32).shape[1]
    largest = Tiling(CENTRES[0], SHARED, 1, 1) if config.kernel == "tile" else None
    scratch = bytes_of_workers(config.workers, config.window, config.negative, width, largest)
    return 8 * n_words * width, n_words * (BYTES_A_WORD + names * BYTES_A_NAME), scratch


def _check_memory(n_words: int, config: TrainConfig, progress: bool, saved: bool = False, names: bool = False) -> None:
    """Say what a training will take, and refuse if there is not so much; see `memory_bill`.

    A run that is ``saved`` takes V and U once more while a checkpoint is written, but only if they are large
    (`goes_into_page_cache`) and that is free then.

    Raises:
        ConfigError: there is not.
    """
    matrices, words, scratch = memory_bill(n_words, config, names)
    need, free = matrices + words + scratch, available_memory()
    bill = (
        f"V and U take 2 x {n_words:,} x {matrices // (8 * n_words)} x 4 bytes, {matrices / 1e6:,.0f} MB, tables and "
        f"vocabulary {words / 1e6:,.0f} MB, scratch of workers {scratch / 1e6:,.0f} MB: {need / 1e6:,.0f} MB in all"
    )
    if free is not None and need > free:
        raise ConfigError(f"{bill}, but {free / 1e6:,.0f} MB are free: lower vector_size, max_vocab or workers")
    copied = saved and not goes_into_page_cache(matrices, None if free is None else free - need)
    copies = f", and V and U again while a checkpoint is written, {matrices / 1e6:,.0f} MB, if free then" * copied
    say(progress, f"memory: {bill}{copies}; ids stay on disk")


def _check_threads(workers: int, progress: bool) -> None:
    """Say so if there are more workers than can run at once: it is allowed, and no faster."""
    cores = usable_cores()
    if workers > cores:
        say(
            progress,
            f"{workers:,} workers share {counted(cores, 'core')} (usable by affinity mask, cgroup quota and "
            f"NUMBA_NUM_THREADS): no faster than --workers {cores}",
        )


def _announce(corpus: Corpus, config: TrainConfig, progress: bool, saved: bool) -> None:
    """Say what will be trained on, by whom, and what memory it will take; raises as `_check_memory`."""
    say(
        progress,
        f"{counted(corpus.tokens_read, 'token')}, {len(corpus.ids):,} of them in the vocabulary of "
        f"{counted(len(corpus.vocab), 'word')}, {counted(len(corpus.offsets) - 1, 'sentence')}; "
        f"{counted(config.workers, 'worker')} "
        f"({'bit-identical from run to run' if config.workers == 1 else 'Hogwild: not bit-identical from run to run'})",
    )
    if len(corpus.vocab) == 1:
        say(
            progress, "warning: the vocabulary has one word, so nothing can be learnt: raise max_vocab, lower min_count"
        )
    _check_threads(config.workers, progress)
    _check_memory(len(corpus.vocab), config, progress, saved)


def _train(corpus: Corpus, config: TrainConfig, folder: Path | None, state: State | None, run: Run) -> Embeddings:
    """Train; return the embeddings, which ``run.output`` then holds; raises what stopped the run early, once saved."""
    n_tokens = len(corpus.ids)
    sizes = {"tokens": n_tokens, "sentences": len(corpus.offsets) - 1}
    sizes |= {} if folder is None else {"crc32": corpus.crc32()}
    total, done = n_tokens * config.epochs, 0
    if state is not None:
        check_state(state, corpus, sizes, total)
        done = state.tokens
        if done == total:
            say(run.progress, f"{run.output} is complete (epochs {config.epochs}): nothing to do; more --epochs go on")
            finish(state.folder, state.embeddings.metadata["progress"])  # a run killed at its end did not
            return state.embeddings
    _announce(corpus, config, run.progress, saved=folder is not None)
    trim_memory()  # of what reading the corpus took
    V, U = initial_matrices(len(corpus.vocab), config.vector_size, config.seed)
    noise, keep, tiling = tables(corpus.vocab.counts, config)
    if config.kernel == "tile" and tiling is None:
        say(run.progress, "tiles do not fit: too few tokens or words, or too high an alpha; pairwise kernel")
    workers = Workers.create(config.workers, config.seed, config.window, config.negative, V.shape[1], tiling)
    step = (config.min_alpha - config.alpha) / total

    metadata: dict[str, Any] = {"versions": versions(), "cpu": host_cpu(), "cpu_features": features_digest()}
    metadata["config"] = asdict(config)
    metadata["tiling"] = None if tiling is None else tiling._asdict()
    metadata["corpus"] = {"tokens_read": corpus.tokens_read, **sizes}
    live = Embeddings(corpus.vocab, V[:, : config.vector_size], U[:, : config.vector_size], metadata)
    metadata["progress"] = {}
    if state is not None:
        restore(state, live, V, U, workers.rng[:, 0])
        differed, said = differences(state, metadata)
        metadata["progress"] = state.embeddings.metadata["progress"] | {DIFFERED: differed}
        say(run.progress, f"going on at token {done:,} of {total:,}; {said}")
    elif run.vectors is not None:
        metadata["init_from"] = start_from(run.vectors, live, V, U)
        say(run.progress, "{words_taken:,} of {words:,} words start from given vectors".format(**metadata["init_from"]))

    def train_spans(cuts: NDArray[np.int64], epoch: int) -> None:
        alpha = config.alpha + step * n_tokens * (epoch - 1)
        run_chunk(
            corpus.ids, corpus.offsets, cuts, V, U, noise, keep, config.window, config.negative, alpha, step, workers,
            config.vector_size,
        )  # fmt: skip

    watch = Watch(V, U, config.workers)
    with announced(run.progress, "compiling kernels (a few seconds, once; later runs load them from the cache) ..."):
        train_spans(np.zeros(config.workers + 1, np.int64), 1)  # compiles, or loads what an earlier run compiled
        watch.all_is_well(corpus.ids[:0])

    checkpoints = None if folder is None else Checkpoints(folder, run.checkpoint_every, state)
    began = time.perf_counter() - (0.0 if state is None else state.seconds)
    stopped_by: BaseException | None = None
    try:
        with ExitStack() as stack:
            stack.callback(watch.close)
            if checkpoints is not None:
                stack.callback(checkpoints.close)
            signalled = stack.enter_context(signals_noted())
            remedy = nullcontext if checkpoints is None else checkpoints.remedy
            with remedy():
                record = stack.enter_context(metrics_file(folder, live.metrics))
            bar = stack.enter_context(Bar(total, run.progress, done))
            for now in _chunks(train_spans, corpus, config, step, workers, watch, began, done):
                live.metrics.append(asdict(now))
                metadata["progress"] = _place(now, workers.rng[:, 0], metadata["progress"])
                with remedy():
                    record(live.metrics[-1])
                bar.show(now.epoch, config.epochs, now.tokens, now.loss, now.alpha)
                if checkpoints is not None and now.tokens < total:
                    checkpoints.after_chunk(live, V, U, epoch_ended=now.tokens % n_tokens == 0)
                try:
                    answers = [callback(now, _view(live)) for callback in run.callbacks]
                except BaseException as error:  # what was trained is kept, then the error is the caller's
                    stopped_by = error
                    break
                if any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers) or signalled():
                    break
            if checkpoints is not None:
                try:
                    checkpoints.save(live, V, U)
                except FolderError as error:
                    raise error from stopped_by or error.__cause__
            elif not (all_finite(V) and all_finite(U)):
                raise DivergedError(now.epoch, now.tokens - (now.epoch - 1) * n_tokens, now.alpha)
            if signalled() and stopped_by is None:
                where = "training stopped" if folder is None else f"{run.output} holds the vectors as they were"
                text = f"{where} at token {now.tokens:,} of {total:,}"
                stopped_by = interruption(signalled(), text + ": --resume goes on" * (folder is not None))
    except DivergedError as error:
        saved = None if checkpoints is None or checkpoints.saved is None else str(checkpoints.saved)
        raise DivergedError(error.epoch, error.token, error.alpha, saved) from None
    if metadata["progress"]["complete"] and not any(record["pairs"] for record in live.metrics):
        say(
            run.progress,
            "warning: no two words met in a window, so nothing was learnt: the corpus is too small, its sentences "
            "have one word, or subsampling left nothing (--sample 0 turns it off)",
        )
    if stopped_by is not None:
        raise stopped_by
    return live


def place_of(now: Progress, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return what model.json says of where any run is; ``before`` is what it said after the chunk or round before."""
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


def _place(now: Progress, rng: NDArray[np.uint64], before: dict[str, Any]) -> dict[str, Any]:
    """Return where a run is: what model.json says of it, and what it goes on from.

    Args:
        now: the state after a chunk.
        rng: states of the workers' random streams.
        before: what this function returned after the chunk before, in this run or in the one it goes on with.
    """
    return {
        DIFFERED: before.get(DIFFERED, []),
        **place_of(now, before),
        # streams of workers that the run had once come last: they wait for the day it has as many again
        "rng": [f"{int(stream):#018x}" for stream in rng] + before.get("rng", [])[len(rng) :],
    }


def tables(
    counts: NDArray[np.int64], config: TrainConfig
) -> tuple[NDArray[np.uint64], NDArray[np.uint32], Tiling | None]:
    """Return what a vocabulary decides: the alias table of noise words, the subsampling thresholds and the tiling."""
    weights, keep = noise_weights(counts, config.ns_exponent), keep_thresholds(counts, config.sample)
    tiling = None
    if config.kernel == "tile":
        kept = expected_kept(counts, keep)
        trained = float(kept.sum()) * config.epochs
        tiling = choose_tiling(kept, weights, config.window, config.negative, config.alpha, trained)
    return build_alias(weights), keep, tiling


def _chunks(
    train_spans: Callable[[NDArray[np.int64], int], None],
    corpus: Corpus,
    config: TrainConfig,
    step: float,
    workers: Workers,
    watch: Watch,
    began: float,
    done: int,
) -> Iterator[Progress]:
    """Run what is left after ``done`` tokens, chunk by chunk, each about CHUNK_SECONDS; yield the state after each.

    Raises:
        DivergedError: a sum, or a value in a row that `finite.Watch` looks at, is not finite.
    """
    n_tokens = len(corpus.ids)
    size = FIRST_CHUNK * config.workers
    for epoch in range(done // n_tokens + 1, config.epochs + 1):
        position = max(done - (epoch - 1) * n_tokens, 0)
        while position < n_tokens:
            stop = next_cut(corpus.offsets, position + size)
            workers.tally[:] = 0
            start = time.perf_counter()
            spans = config.workers * SPANS_PER_WORKER if config.workers > 1 else 1
            # no empty ones: each worker gets one first
            train_spans(np.unique(cut(corpus.offsets, position, stop, spans)), epoch)
            elapsed = max(time.perf_counter() - start, 1e-6)
            size = int(min(max(CHUNK_SECONDS * (stop - position) / elapsed, 1), 4 * size))

            loss, loss_pairs, pairs, trained = workers.tally.sum(axis=0)[[LOSS, LOSS_PAIRS, PAIRS, TRAINED]]
            tokens = (epoch - 1) * n_tokens + stop
            alpha = config.alpha + step * tokens
            if not (np.isfinite(loss) and watch.all_is_well(corpus.ids[position:stop])):
                raise DivergedError(epoch, stop, alpha)
            corpus.let_go()
            yield Progress(
                epoch=epoch,
                tokens=tokens,
                tokens_total=n_tokens * config.epochs,
                tokens_per_s=(stop - position) / elapsed,
                tokens_trained=int(trained),
                pairs=int(pairs),
                alpha=alpha,
                loss=float(loss / loss_pairs) if loss_pairs else None,
                seconds=time.perf_counter() - began,
            )
            position = stop


def _view(live: Embeddings) -> Embeddings:
    """A view for a callback: it remembers no norms of an earlier chunk, and nothing done to it reaches the run."""
    return Embeddings(live.vocab, live.vectors, live.outside, copy.deepcopy(live.metadata))


@contextmanager
def metrics_file(folder: Path | None, before: Sequence[dict[str, Any]]) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that appends a record to metrics.jsonl at once, so that it can be watched."""
    if folder is None:
        yield lambda record: None
        return
    with write_errors(folder):
        file = open(folder / "metrics.jsonl", "ab", buffering=0)  # noqa: SIM115
    with file:  # keeps nothing back that closing it would have to write

        def append(*records: dict[str, Any]) -> None:
            with write_errors(folder):
                file.write("".join(json.dumps(record) + "\n" for record in records).encode())

        append(*before)
        yield append
