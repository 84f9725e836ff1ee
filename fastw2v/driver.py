"""The driver: from a corpus to vectors, in chunks of about half a second.

Between chunks no kernel runs; then and only then the schedule moves on, progress is shown and recorded, callbacks are
called, Ctrl-C is honoured and the sums are checked for values that are not finite.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .config import IdOptions, TrainConfig, TrainOptions, available_memory
from .embeddings import MANIFEST, Embeddings, versions
from .errors import ConfigError, CorpusError, DivergedError, FolderError
from .interrupts import interrupt_noted
from .pair import LOSS, LOSS_PAIRS, PAIRS, TRAINED
from .parallel import Workers, aligned_zeros, run_chunk
from .prepared import BLOCK_IDS, Corpus, CorpusInput, check_ids, opened
from .sampling import build_alias, expected_kept, keep_thresholds, noise_weights
from .screen import Bar, announced, say
from .spans import cut, next_cut
from .staging import KEEP_PREVIOUS, read_manifest, staged
from .tile import Tiling, choose_tiling
from .vocab import Vocab

CHUNK_SECONDS = 0.5
FIRST_CHUNK = 50_000  # tokens per worker, before the speed is known
SPANS_PER_WORKER = 16  # of a chunk; what is left for one worker alone at its end is a fraction of that
ROWS_AT_ONCE = 1_024  # so that initialising and checking need little memory beside V and U


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
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **options: Unpack[TrainOptions],
) -> Embeddings:
    """Train skip-gram embeddings with negative sampling.

    Args:
        corpus: a path or paths of text as for `prepare`, a prepared folder, or an iterable of token lists, read once.
        output: model folder to write; None keeps the result in memory only. Its subfolder ``cache`` keeps the ids of
            text, for the next training into the same folder if the text and the vocabulary's options are the same.
        callbacks: called after every chunk as ``callback(progress, embeddings)``; returning True stops the run.
        progress: show a bar and remarks on standard error.
        options: see `TrainConfig`. ``workers=1`` is bit-identical from run to run; more workers update the same
            matrices without locks, so two runs agree statistically, not bit for bit.

    Returns:
        The embeddings; those of a stopped run are usable, with ``metadata["progress"]["complete"]`` False.

    Raises:
        ConfigError: an option is out of range.
        CorpusError: the corpus is missing, not text, empty, or has no word frequent enough.
        FolderError: ``output`` can't be written, or is something else.
        DivergedError: a value stopped being finite; nothing is saved.
        KeyboardInterrupt: after Ctrl-C; if training had begun the folder, if any, was saved, and the text says so.
    """
    _check_names("train", options, TrainOptions)
    _check_callbacks(callbacks)
    asked = {name: options.pop(name, None) for name in ("min_count", "max_vocab")}  # type: ignore[misc]
    config = TrainConfig(**options, **{name: value for name, value in asked.items() if value is not None})  # type: ignore[arg-type]
    with _output_folder(output) as folder, ExitStack() as stack:
        chosen = opened(
            corpus, folder, asked["min_count"], asked["max_vocab"], workers=config.workers, progress=progress
        )
        ready = stack.enter_context(chosen)
        config = replace(config, min_count=ready.min_count, max_vocab=ready.max_vocab)
        embeddings, stopped_by = _run(ready, config, folder, callbacks, progress)
    if stopped_by is not None:
        raise stopped_by
    return embeddings


def train_ids(
    ids: ArrayLike,
    offsets: ArrayLike,
    *,
    n_words: int,
    output: str | PathLike[str] | None = None,
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
        callbacks: see `train`.
        progress: see `train`.
        options: as for `train`, without ``min_count`` and ``max_vocab``.

    Raises:
        CorpusError: the arrays are not a corpus in CSR form.
        ConfigError, FolderError, DivergedError, KeyboardInterrupt: see `train`.
    """
    if unfit := {"min_count", "max_vocab"} & set(options):
        raise ConfigError(f"{', '.join(sorted(unfit))}: train_ids keeps every id as its own row; leave it out")
    _check_names("train_ids", options, IdOptions)
    _check_callbacks(callbacks)
    config = TrainConfig(**options, min_count=1)
    whole: bool = isinstance(n_words, Integral)
    if not whole or not 1 <= n_words < 2**31:
        raise ConfigError(f"n_words is {n_words!r}: give a whole number from 1 to {2**31 - 1}")
    ids, offsets = check_ids(ids, offsets, n_words)
    if len(ids) == 0:
        raise CorpusError("the corpus is empty: ids has no element")
    counts = np.zeros(n_words, np.int64)
    for start in range(0, len(ids), BLOCK_IDS):
        counts += np.bincount(ids[start : start + BLOCK_IDS], minlength=n_words)
    corpus = Corpus(Vocab([str(i) for i in range(n_words)], counts), ids, offsets, len(ids))
    with _output_folder(output) as folder:
        embeddings, stopped_by = _run(corpus, config, folder, callbacks, progress)
    if stopped_by is not None:
        raise stopped_by
    return embeddings


def _output_folder(output: str | PathLike[str] | None) -> Any:
    return nullcontext(None) if output is None else staged(Path(output), MANIFEST, "model")


def _check_callbacks(callbacks: Sequence[Callback]) -> None:
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise ConfigError(f"callbacks is {callbacks!r:.60}: give a list of functions")


def _check_names(function: str, options: Iterable[str], known: type) -> None:
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


def _check_memory(n_words: int, vector_size: int, progress: bool) -> None:
    """Say what the matrices will take, and refuse if there is not so much.

    Raises:
        ConfigError: there is not.
    """
    width = aligned_zeros(0, vector_size, np.float32).shape[1]
    need, free = 8 * n_words * width, available_memory()
    bill = f"V and U take 2 x {n_words:,} x {width} x 4 bytes, {need / 1e6:,.0f} MB"
    if free is not None and need > free:
        raise ConfigError(f"{bill}, but {free / 1e6:,.0f} MB are free: lower vector_size or max_vocab")
    say(progress, f"memory: {bill}; ids stay on disk")


def _run(
    corpus: Corpus, config: TrainConfig, folder: Path | None, callbacks: Sequence[Callback], progress: bool
) -> tuple[Embeddings, BaseException | None]:
    """Train; return the embeddings, written to ``folder``, and what stopped the run early, to be raised."""
    assert config.workers is not None
    n_tokens, n_sentences = len(corpus.ids), len(corpus.offsets) - 1
    say(
        progress,
        f"{corpus.tokens_read:,} tokens, {n_tokens:,} of them in the vocabulary of {len(corpus.vocab):,} words, "
        f"{n_sentences:,} sentences; {config.workers} worker{'s' * (config.workers > 1)} "
        f"({'bit-identical from run to run' if config.workers == 1 else 'Hogwild: not bit-identical from run to run'})",
    )
    _check_memory(len(corpus.vocab), config.vector_size, progress)
    V, U = initial_matrices(len(corpus.vocab), config.vector_size, config.seed)
    noise, keep, tiling = _tables(corpus.vocab.counts, config)
    if config.kernel == "tile" and tiling is None:
        say(progress, "tiles do not fit: too few tokens or words, or too high an alpha; pairwise kernel")
    workers = Workers.create(config.workers, config.seed, config.window, config.negative, V.shape[1], tiling)
    step = (config.min_alpha - config.alpha) / (n_tokens * config.epochs)

    def run(cuts: NDArray[np.int64], epoch: int) -> None:
        alpha = config.alpha + step * n_tokens * (epoch - 1)
        run_chunk(
            corpus.ids, corpus.offsets, cuts, V, U, noise, keep, config.window, config.negative, alpha, step, workers,
            config.vector_size,
        )  # fmt: skip
        corpus.let_go()

    with announced(progress, "compiling kernels (a few seconds, once; later runs load them from the cache) ..."):
        run(np.zeros(config.workers + 1, np.int64), 1)  # compiles, or loads what an earlier run compiled

    metadata: dict[str, Any] = {"versions": versions(), "config": asdict(config)}
    metadata["tiling"] = None if tiling is None else tiling._asdict()
    metadata["corpus"] = {"tokens_read": corpus.tokens_read, "tokens": n_tokens, "sentences": n_sentences}
    live = Embeddings(corpus.vocab, V[:, : config.vector_size], U[:, : config.vector_size], metadata)
    stopped_by: BaseException | None = None
    state = None
    began = time.perf_counter()
    with interrupt_noted() as interrupted:
        with _metrics_file(folder) as record, Bar(n_tokens * config.epochs, progress) as bar:
            try:
                for state in _chunks(run, corpus.offsets, config, step, workers, V, U, began):
                    live.metrics.append(asdict(state))
                    record(live.metrics[-1])
                    bar.show(state.epoch, config.epochs, state.tokens, state.loss, state.alpha)
                    answers = [callback(state, _view(live)) for callback in callbacks]
                    if any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers) or interrupted():
                        break
            except DivergedError:
                raise
            except BaseException as error:  # a callback's: what was trained is kept, then the error is the caller's
                if state is None:  # nothing was
                    raise
                stopped_by = error
        tokens = state.tokens if state else 0
        metadata["progress"] = {
            "complete": tokens == n_tokens * config.epochs,
            "epoch": state.epoch if state else 1,
            "tokens": tokens,
            "tokens_total": n_tokens * config.epochs,
            "alpha": state.alpha if state else config.alpha,
            "seconds": round(time.perf_counter() - began, 3),
            "rng": [f"{int(stream):#018x}" for stream in workers.rng[:, 0]],
        }
        if not (_all_finite(V) and _all_finite(U)):
            raise DivergedError(state.epoch if state else 1, tokens % n_tokens, metadata["progress"]["alpha"])
        if folder is not None:
            live.write_parts(folder)
            if not metadata["progress"]["complete"] and _is_finished(folder.parent):
                (folder / KEEP_PREVIOUS).touch()
        if interrupted() and stopped_by is None:
            where = "training stopped" if folder is None else f"{folder.parent} holds the vectors as they were"
            stopped_by = KeyboardInterrupt(f"{where} at token {tokens:,} of {n_tokens * config.epochs:,}")
    if metadata["progress"]["complete"] and not any(record["pairs"] for record in live.metrics):
        say(
            progress,
            "warning: no two words met in a window, so nothing was learnt: the corpus is too small, its sentences "
            "have one word, or subsampling left nothing (--sample 0 turns it off)",
        )
    return live, stopped_by


def _tables(
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


def _is_finished(folder: Path) -> bool:
    """Tell whether a folder holds a model that no interruption left unfinished."""
    try:
        progress = read_manifest(folder, MANIFEST, "model").get("progress")
    except FolderError:
        return False
    return not (isinstance(progress, dict) and progress.get("complete") is False)


def _chunks(
    run: Callable[[NDArray[np.int64], int], None],
    offsets: NDArray[np.int64],
    config: TrainConfig,
    step: float,
    workers: Workers,
    V: NDArray[np.float32],
    U: NDArray[np.float32],
    began: float,
) -> Iterator[Progress]:
    """Run all epochs chunk by chunk, each about CHUNK_SECONDS long, and yield the state after each."""
    assert config.workers is not None
    n_tokens = int(offsets[-1])
    size = FIRST_CHUNK * config.workers
    for epoch in range(1, config.epochs + 1):
        position = 0
        while position < n_tokens:
            stop = next_cut(offsets, position + size)
            workers.tally[:] = 0
            start = time.perf_counter()
            spans = config.workers * SPANS_PER_WORKER if config.workers > 1 else 1
            run(np.unique(cut(offsets, position, stop, spans)), epoch)  # no empty ones: each worker gets one first
            elapsed = max(time.perf_counter() - start, 1e-6)
            size = int(min(max(CHUNK_SECONDS * (stop - position) / elapsed, 1), 4 * size))

            loss, loss_pairs, pairs, trained = workers.tally.sum(axis=0)[[LOSS, LOSS_PAIRS, PAIRS, TRAINED]]
            tokens = (epoch - 1) * n_tokens + stop
            alpha = config.alpha + step * tokens
            # rows cost more to check than sums: once an epoch here, and before anything is saved
            if not np.isfinite(loss) or (stop == n_tokens and not (_all_finite(V) and _all_finite(U))):
                raise DivergedError(epoch, stop, alpha)
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


def _all_finite(matrix: NDArray[np.float32]) -> bool:
    return all(np.isfinite(matrix[i : i + ROWS_AT_ONCE]).all() for i in range(0, len(matrix), ROWS_AT_ONCE))


def _view(live: Embeddings) -> Embeddings:
    """A view for a callback: it remembers no norms of an earlier chunk."""
    return Embeddings(live.vocab, live.vectors, live.outside, live.metadata)


@contextmanager
def _metrics_file(folder: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give a function that appends a record to metrics.jsonl at once, so that it can be watched."""
    if folder is None:
        yield lambda record: None
        return
    with open(folder / "metrics.jsonl", "a", encoding="utf-8", buffering=1) as file:
        yield lambda record: print(json.dumps(record), file=file)
