"""The driver: from a corpus to vectors, in chunks of about half a second.

No kernel runs between chunks. The driver then shows and records progress, calls callbacks, obeys Ctrl-C, looks for
values that are not finite, and saves the run.
"""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..config import IdOptions, TrainConfig, TrainOptions
from ..embeddings import Embeddings
from ..errors import ConfigError, DivergedError, FolderError, doubt, option
from ..interrupts import interruption, signals_noted, sigterm_raises
from ..kernels.records import LOSS, PAIRS, TRAINED, Rate, Text
from ..kernels.spans import next_cut
from ..machine import trim_memory
from ..screen import Bar, announced, say
from ..text.corpus import Corpus
from ..text.prepared import CorpusInput, names_prepared, opened
from ..text.unions import doubt_numbers, renumbered, union_of
from ..text.walks import check_walks, check_words, corpus_of_walks, doubt_sparse
from .callbacks import Callback, Progress
from .checkpoint import DIFFERED, Checkpoints, State, differences
from .finite import Watch
from .replica import Replica, composition_of, ngrams_of
from .run import (
    Run,
    announce,
    begin,
    check_composing,
    check_memory,
    check_names,
    checkpoint_named,
    doubt_no_subwords,
    doubt_words_alone,
    given_options,
    mean_loss,
    metadata_of,
    metrics_file,
    output_folder,
    place_of,
    report_taken,
    sizes_of,
)

#: Sequences of ids: with offsets one array, without offsets a two-dimensional array, or lists or arrays.
WalksInput: TypeAlias = ArrayLike | Iterable[ArrayLike]

CHUNK_SECONDS = 0.5
FIRST_CHUNK = 50_000  # Tokens per worker, before the speed is known.


def train(
    corpus: CorpusInput,
    *,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    checkpoint_every: float = 10.0,
    init_from: str | PathLike[str] | Embeddings | None = None,
    keep_words: bool = False,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **options: Unpack[TrainOptions],
) -> Embeddings:
    """Train skip-gram embeddings with negative sampling.

    Args:
        corpus: a path or paths of text as for `prepare`; a prepared folder; or sentences, read once: an iterable of
            lists or other iterables of tokens, a column of lists (pandas, polars, Arrow), or a two-dimensional array
            whose rows are sentences. Tokens are strings, or whole numbers, whose words are ``str(number)``; a corpus
            has only one of the two.
        output: model folder to write; None keeps the result in memory only. Its subfolder ``cache`` keeps the ids of
            text. The next training into this folder reuses them if text and vocabulary options are the same.
        resume: continue the run in ``output`` where it stopped, on the same corpus; start a new one if it has none.
            Options that you omit keep the values of the run. ``workers`` and ``epochs`` may differ. With other
            ``epochs``, the learning rate at each token is that of a run of that many epochs. So you can train a
            finished model further.
        checkpoint_every: minutes between two checkpoints in ``output``; there is also one at the end of each epoch.
        init_from: embeddings, or their model folder, for a new run to start from. Words in both vocabularies start
            with their rows of V and, if there is one, of U; other rows start as usual. They give the default of
            ``vector_size`` and, with ``max_n``, those of ``min_n``, ``bucket``, ``mode`` and ``hash_count``. To train
            n-grams, these must be the same.
        keep_words: keep all words of ``init_from`` too. The vocabulary is then the union of theirs and the text's, and
            counts are added. The most frequent word comes first. Of words with equal counts, those of ``init_from``
            come first, in their order. Words that the text lacks keep their rows of V. They are drawn as noise words by
            their counts, which only moves their rows of U. Known words are trained however rare they are in the text:
            ``min_count`` and ``max_vocab`` choose among its other words. But a prepared folder has only the words that
            were chosen for it. The learning rate falls from ``alpha`` to ``min_alpha`` over the text alone. To resume
            such a run, neither option is needed.
        callbacks: functions ``callback(progress, embeddings)``, each called after every chunk, about twice per second
            and at the end of each epoch; or objects with any of the methods ``on_train_begin``, ``on_epoch_begin``,
            ``on_chunk``, ``on_epoch_end`` and ``on_train_end``, each called with the same two arguments. A function,
            ``on_chunk`` or ``on_epoch_end`` that returns True stops the run. ``embeddings`` is a view of the vectors at
            that moment: copy what you keep. A run that is resumed within an epoch begins that epoch once more.
            ``on_train_end`` is called when the run is saved, also if it was stopped, but not after an error.
        progress: show a bar and remarks on standard error.
        options: see `TrainConfig`. ``workers=1`` is bit-identical from run to run, resumed or not; more workers update
            the same matrices without locks, so two runs agree statistically, not bit for bit.

    Returns:
        The embeddings; those of a stopped run are usable, with ``metadata["progress"]["complete"]`` False.

    Raises:
        ConfigError: an option is out of range, or differs from that of the run to resume.
        CorpusError: the corpus is missing, empty or not text, has no word frequent enough, or is not the run's corpus.
        FolderError: ``output`` can't be written, is something else, is being written by another run, or is damaged.
        DivergedError: a value stopped being finite. It is not saved; earlier checkpoints stay.
        KeyboardInterrupt: after Ctrl-C. If training had begun, the run was saved, and the text says so.
        Terminated: after SIGTERM, likewise; it is a SystemExit with code 143.

    Example:
        >>> words = train([["new", "york"], ["york", "old"]] * 100, min_count=1, sample=0)
        >>> items = train([[17, 4], [4, 8, 17]] * 100, min_count=1, sample=0)
        >>> words["york"], items["17"]
    """
    check_names(train, options, TrainOptions)
    run = Run(output, resume, checkpoint_every, init_from, callbacks, progress, keep_words=keep_words)
    explicit = given_options(options)
    TrainConfig(**explicit)  # It raises before anything is touched.
    with sigterm_raises(), output_folder(output) as folder, ExitStack() as stack:
        state, explicit, config = run.start(folder, explicit)
        doubt_words_alone(run, state, explicit)
        if state is None:
            doubt_no_subwords(explicit)
        asked = {
            name: getattr(config, name) if name in explicit or state else None for name in ("min_count", "max_vocab")
        }
        # The vocabulary of a prepared folder is fixed. That of a text must have the rare words that are kept.
        keeps_rare = run.keep_words and not names_prepared(corpus)
        if keeps_rare:
            asked = {"min_count": 1, "max_vocab": None}
        chosen = opened(corpus, folder, **asked, workers=config.workers, progress=progress)
        ready = stack.enter_context(chosen)
        if not keeps_rare:
            config = replace(config, min_count=ready.min_count, max_vocab=ready.max_vocab)
        if run.keep_words:
            if state is not None:
                vocab = state.embeddings.vocab
            else:
                assert run.vectors is not None
                vocab = union_of(run.vectors.vocab, ready.vocab, config.min_count, config.max_vocab)
                doubt_numbers(run.vectors.vocab, vocab)
                if not run.vectors.vocab.counts.any():
                    say(
                        progress,
                        "the given vectors have no counts: words that the text lacks are not drawn as noise words",
                    )
            check_memory(len(vocab), config, progress=False)
            ready = stack.enter_context(renumbered(ready, vocab, folder))
        return train_corpus(ready, config, folder, state, run)


def train_ids(
    ids: WalksInput,
    offsets: ArrayLike | None = None,
    *,
    n_words: int | None = None,
    names: Iterable[str] | None = None,
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
        ids: int32 ``(n_tokens,)``, every id in ``[0, n_words)``. Counts are computed from them; no id is dropped.
            Without ``offsets``, a two-dimensional array, each row a sequence; or a list of sequences, each a list or a
            one-dimensional array. Short sequences must not be filled up, as with -1.
        offsets: int64 ``(n_sequences + 1,)``; sequence s is ``ids[offsets[s]:offsets[s + 1]]``, as in CSR. Other
            integer types are converted, which takes a copy.
        n_words: number of rows; row i of the result is id i. None means the number of ``names``, or without names the
            largest id plus 1. Rows whose id never occurs stay as they start.
        names: the word of each row, unique; None means ``str(i)`` for row i. An integer key such as ``embeddings[3]``
            is a row, unless all names are whole numbers: then it is a name.
        output: see `train`.
        resume: see `train`.
        checkpoint_every: see `train`.
        init_from: see `train`.
        callbacks: see `train`.
        progress: see `train`.
        options: as for `train`, without ``min_count`` and ``max_vocab``.

    Raises:
        CorpusError: these are not sequences of ids from 0 to ``n_words - 1``, or a name is unfit or occurs twice.
        ConfigError, FolderError, DivergedError, KeyboardInterrupt, Terminated: see `train`.

    Example:
        >>> walks = [[0, 1, 2], [2, 1], [1, 2, 0, 1]]
        >>> nodes = train_ids(walks, names=["ann", "bob", "eve"], sample=0)
        >>> nodes["bob"], nodes[1]  # the same row
    """
    if unfit := {"min_count", "max_vocab"} & set(options):
        raise ConfigError(f"{', '.join(sorted(unfit))}: train_ids keeps every id as its own row; omit it")
    check_names(train_ids, options, IdOptions)
    run = Run(output, resume, checkpoint_every, init_from, callbacks, progress)
    explicit = given_options(options) | {"min_count": 1}
    config = TrainConfig(**explicit)
    words = check_words(names, n_words)
    is_given = n_words is not None or words is not None
    ids, offsets, n_words = check_walks(ids, offsets, n_words if words is None else len(words))
    check_memory(n_words, config, progress=False, names=True)
    corpus = corpus_of_walks(ids, offsets, n_words, words, progress)
    if not is_given:
        doubt_sparse(corpus.vocab.counts)
    with sigterm_raises(), output_folder(output) as folder:
        state, _, config = run.start(folder, explicit)
        return train_corpus(corpus, config, folder, state, run)


def train_made(make: Callable[[TrainConfig, dict[str, Any]], Corpus], run: Run, options: dict[str, Any]) -> Embeddings:
    """Train on a corpus of ids that is made when the options are known, as by walks on a graph.

    Args:
        make: returns the corpus; its arguments are the options, and what the folder of the run to resume holds of its
            corpus, or an empty dict.
        run: the arguments of the run.
        options: those of `TrainConfig` that the caller gave.
    """
    explicit = options | {"min_count": 1}
    TrainConfig(**explicit)  # It raises before anything is touched.
    with sigterm_raises(), output_folder(run.output) as folder:
        state, _, config = run.start(folder, explicit)
        before = {} if state is None else state.embeddings.metadata.get("corpus")
        return train_corpus(make(config, before if isinstance(before, dict) else {}), config, folder, state, run)


def train_corpus(corpus: Corpus, config: TrainConfig, folder: Path | None, state: State | None, run: Run) -> Embeddings:
    """Train; return the embeddings, or save the run and raise the error that stopped it early.

    Args:
        corpus: the corpus.
        config: options of the run.
        folder: the staging folder of the run; None keeps the result in memory.
        state: the run to resume; None for a new one.
        run: the other arguments of `train`.
    """
    n_tokens = len(corpus.ids)
    sizes = sizes_of(corpus, saved=folder is not None)
    total, done = n_tokens * config.epochs, begin(run, corpus, config, state, sizes)
    if state is not None and done == total:
        return state.embeddings
    check_composing(corpus.vocab.words, ngrams_of(config))
    composition = composition_of(corpus.vocab, config)
    announce(corpus, config, run.progress, saved=folder is not None, composition=composition)
    trim_memory()  # This gives back the memory that reading the corpus took.
    replica = Replica(corpus.vocab.counts, config, own_counts=corpus.own_counts, composition=composition)
    V, U, tiling = replica.model.V, replica.model.U, replica.tiling
    if config.kernel == "tile" and tiling is None:
        say(run.progress, "using the pair kernel: too few tokens or words, or too high an alpha, for tiles")
    tiles = None if tiling is None else tiling._asdict()
    metadata = metadata_of(corpus, config, sizes, tiling=tiles) | {"progress": {}}
    live = replica.embeddings(corpus.vocab, metadata)
    if state is not None:
        if not replica.has_rows_of(state.embeddings):
            raise FolderError(
                f"{state.folder / 'subwords.npy'} and buckets.npy are not those of the n-grams of this vocabulary: "
                f"restore the folder from a copy, or train again without {option('resume')}"
            )
        replica.restore(state.embeddings, np.array(state.rng, np.uint64))
        live.metrics = list(state.embeddings.metrics)
        before = state.embeddings.metadata
        metadata |= {name: before[name] for name in ("init_from",) if name in before}
        differed, remark, is_doubt = differences(state, metadata)
        metadata["progress"] = before["progress"] | {DIFFERED: differed}
        remark = f"resuming at token {done:,} of {total:,}; {remark}"
        if is_doubt:
            doubt(remark)
        else:
            say(run.progress, remark)
    elif run.vectors is not None:
        own_counts = corpus.own_counts if run.keep_words else None
        metadata["init_from"] = replica.start_from(run.vectors, corpus.vocab, own_counts)
        report_taken(run.progress, metadata["init_from"])

    # A watch looks at the rows of the words of a chunk, but with subwords V has other rows. A value there that is not
    # finite is in U after the next gradient.
    watch = Watch([V, U] if composition is None else [U], config.workers)
    with announced(run.progress, "compiling kernels (a few seconds, once; later runs load them from the cache) ..."):
        replica.compile(Text(corpus.ids, corpus.offsets))
        watch.all_is_well(corpus.ids[:0])

    checkpoints = None if folder is None else Checkpoints(folder, run.checkpoint_every, state)
    began = time.perf_counter() - (0.0 if state is None else state.seconds)
    stopped_by: BaseException | None = None
    with checkpoint_named(checkpoints), ExitStack() as stack:
        stack.callback(watch.close)
        if checkpoints is not None:
            stack.callback(checkpoints.close)
        signalled = stack.enter_context(signals_noted())
        remedy = nullcontext if checkpoints is None else checkpoints.remedy
        with remedy():
            record = stack.enter_context(metrics_file(folder, live.metrics))
        bar = stack.enter_context(Bar(total, run.progress, done))

        def call(hook: str, now: Progress) -> bool:
            if run.hooks[hook]:
                replica.matrices()
            answers = [callback(now, _view(live)) for callback in run.hooks[hook]]
            return any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers)

        start = _before_chunk(config, n_tokens, done, time.perf_counter() - began)
        for hook in ("on_train_begin", "on_epoch_begin"):
            call(hook, start)
        for now in _chunks(replica, corpus, config, watch, began, done):
            live.metrics.append(asdict(now))
            metadata["progress"] = _place(now, replica.rng, metadata["progress"])
            with remedy():
                record(live.metrics[-1])
            bar.show(now.epoch, config.epochs, now.tokens, now.loss, now.alpha)
            epoch_ended = now.tokens % n_tokens == 0
            if checkpoints is not None and now.tokens < total:
                checkpoints.after_chunk(live, replica.matrices, epoch_ended=epoch_ended)
            try:
                stops = call("on_chunk", now)
                stops |= epoch_ended and call("on_epoch_end", now)
                if epoch_ended and now.tokens < total and not (stops or signalled()):
                    call("on_epoch_begin", _before_chunk(config, n_tokens, now.tokens, now.seconds))
            except BaseException as error:  # The run is saved first; then the caller gets the error.
                stopped_by = error
                break
            if stops or signalled():
                break
        if checkpoints is not None:
            try:
                checkpoints.save(live, replica.matrices)
            except FolderError as error:
                raise error from stopped_by or error.__cause__
        elif not replica.is_finite():
            raise DivergedError(now.epoch, now.tokens - (now.epoch - 1) * n_tokens, now.alpha)
        if stopped_by is None:
            call("on_train_end", now)
        if signalled() and stopped_by is None:
            where = "training stopped" if folder is None else f"{run.output} holds the vectors as they were"
            text = f"{where} at token {now.tokens:,} of {total:,}"
            stopped_by = interruption(
                signalled(), text + f"; use {option('resume', True)} to continue" * (folder is not None)
            )
    if metadata["progress"]["complete"] and not any(record["pairs"] for record in live.metrics):
        doubt(
            "no two words met in a window, so nothing was learnt: the corpus is too small, its sentences "
            f"have one word, or subsampling left nothing ({option('sample', 0)} turns it off)"
        )
    if stopped_by is not None:
        raise stopped_by
    return replica.result(live, seen=bool(run.callbacks))


def _place(now: Progress, rng: NDArray[np.uint64], before: dict[str, Any]) -> dict[str, Any]:
    """Return the progress of a run for model.json, with everything that a resumed run needs.

    Args:
        now: the state after a chunk.
        rng: states of the workers' random streams.
        before: the result of this function after the last chunk, in this run or in the run that it resumes.
    """
    return {
        DIFFERED: before.get(DIFFERED, []),
        **place_of(now, before),
        # The streams of former workers come last: the run may have as many workers again.
        "rng": [f"{int(stream):#018x}" for stream in rng] + before.get("rng", [])[len(rng) :],
    }


def _before_chunk(config: TrainConfig, n_tokens: int, done: int, seconds: float) -> Progress:
    """Return the state of a run before a chunk, for the callbacks at the start of a training and of an epoch."""
    total = n_tokens * config.epochs
    alpha = config.alpha + (config.min_alpha - config.alpha) / total * done
    return Progress(done // n_tokens + 1, done, total, 0.0, 0, 0, alpha, None, seconds)


def _chunks(
    replica: Replica, corpus: Corpus, config: TrainConfig, watch: Watch, began: float, done: int
) -> Iterator[Progress]:
    """Train the tokens after the first ``done`` in chunks of about CHUNK_SECONDS; yield the state after each.

    Raises:
        DivergedError: a sum, or a value in a row that `finite.Watch` checks, is not finite.
    """
    n_tokens, text = len(corpus.ids), Text(corpus.ids, corpus.offsets)
    step = (config.min_alpha - config.alpha) / (n_tokens * config.epochs)
    size = FIRST_CHUNK * config.workers
    for epoch in range(done // n_tokens + 1, config.epochs + 1):
        position = max(done - (epoch - 1) * n_tokens, 0)
        rate = Rate(config.alpha + step * n_tokens * (epoch - 1), step)
        while position < n_tokens:
            stop = next_cut(corpus.offsets, position + size)
            start = time.perf_counter()
            tally = replica.train(text, position, stop, rate)
            elapsed = max(time.perf_counter() - start, 1e-6)
            size = int(min(max(CHUNK_SECONDS * (stop - position) / elapsed, 1), 4 * size))

            tokens = (epoch - 1) * n_tokens + stop
            alpha = config.alpha + step * tokens
            if not (np.isfinite(tally[LOSS]) and watch.all_is_well(corpus.ids[position:stop])):
                raise DivergedError(epoch, stop, alpha)
            corpus.let_go()
            yield Progress(
                epoch=epoch,
                tokens=tokens,
                tokens_total=n_tokens * config.epochs,
                tokens_per_s=(stop - position) / elapsed,
                tokens_trained=int(tally[TRAINED]),
                pairs=int(tally[PAIRS]),
                alpha=alpha,
                loss=mean_loss(tally),
                seconds=time.perf_counter() - began,
            )
            position = stop


def _view(live: Embeddings) -> Embeddings:
    """Return a view for a callback. It has no norms of an earlier chunk, and no change to it reaches the run."""
    return Embeddings.live(live.vocab, live.vectors, live.outside, copy.deepcopy(live.metadata), subwords=live.subwords)
