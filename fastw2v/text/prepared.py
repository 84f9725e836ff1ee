"""Prepared folders: a corpus as ids on disk, made from text once and mapped into memory by every training run.

A prepared folder holds ``prepared.json`` (settings, sizes, versions), ``vocab.tsv``, ``ids.npy`` (int32, the tokens of
all sentences end to end) and ``offsets.npy`` (int64; sentence s is ``ids[offsets[s]:offsets[s + 1]]``).
"""

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from numbers import Integral
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..config import TrainConfig
from ..errors import ConfigError, CorpusError, FolderError, doubt, option, worded
from ..files.arrays import load_array, write_header
from ..files.manifest import read_manifest, write_manifest
from ..files.places import expand_home, local_path
from ..files.staging import CACHE, staged, synchronise, write_errors
from ..interrupts import sigterm_raises
from ..screen import announced, counted, printable, say
from ..vocab import Vocab
from .corpus import Corpus, check_ids
from .doubts import recorded_doubts
from .ingest import Ingested, digest_files, ingest_files, write_ids
from .inputs import expand, repeats
from .phrase_options import PhraseOptions
from .sentences import check_corpus, ingest_sentences

PREPARED_MANIFEST = "prepared.json"
MOST_PASSES = 10  # A phrase of the tenth pass may have 1,024 words.
NPMI_THRESHOLD = 0.5
SETTLED_NS = 2 * 10**9  # longer than the resolution of any file system's clock

PathOrPaths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]
#: A corpus: paths, or sentences; see `prepare`. A sentence is an iterable of tokens, such as a list, a tuple, a
#: generator or an array: ``train([["new", "york"], ["a", "b"]])`` and ``train([[17, 4], [4, 8, 17]])`` are valid, and
#: so is a column such as ``frame["tokens"]``. Mappings, data frames and sets are not: they give keys or have no order.
CorpusInput: TypeAlias = PathOrPaths | Iterable[Iterable[str]] | Iterable[Iterable[int]] | NDArray[Any]


def choose_words(
    ingested: Ingested, min_count: int, max_vocab: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Choose the vocabulary: the ``max_vocab`` most frequent of the words that occur at least ``min_count`` times.

    Returns:
        The indices in ``ingested.words`` of the words that are kept, in order of their ids; and the id of each of
        ``ingested.words``, -1 for a word that is not kept.

    Raises:
        CorpusError: no word is frequent enough.
    """
    counts = ingested.counts
    kept = np.flatnonzero(counts >= min_count)
    if len(kept) == 0:
        top = int(np.lexsort((ingested.firsts, -counts))[0])
        raise CorpusError(
            f"no word occurs {counted(min_count, 'time')}: the corpus has "
            f"{counted(ingested.distinct, 'distinct word')}, most often {printable(ingested.words[top])!r:.60}, "
            f"{counted(int(counts[top]), 'time')}; lower {option('min_count')}"
        )
    order = kept[np.lexsort((ingested.firsts[kept], -counts[kept]))][:max_vocab]
    final_id = np.full(len(counts), -1, np.int32)
    final_id[order] = np.arange(len(order), dtype=np.int32)
    return order, final_id


def build_vocab(ingested: Ingested, order: NDArray[np.int64]) -> Vocab:
    """Return the vocabulary of these words, in this order."""
    take = getattr(ingested.words, "take", None)
    words = take(order) if take else [ingested.words[i] for i in order.tolist()]
    return Vocab(words, ingested.counts[order], checked=True)


def _prepare_into(
    folder: Path,
    corpus: CorpusInput,
    config: TrainConfig,
    *,
    progress: bool,
    for_reuse: bool = False,
    phrases: tuple[int, PhraseOptions] | None = None,
) -> Vocab:
    """Write ids.npy, offsets.npy, vocab.tsv and prepared.json into an existing folder, prepared.json last."""
    scratch = folder / "scratch"
    joined: dict[str, Any] | None = None
    paths = as_paths(corpus)
    with announced(progress, "reading the corpus ..."):
        with write_errors(folder):
            scratch.mkdir()
        if paths is None:
            ingested = ingest_sentences(corpus, scratch)
        else:
            before = states(paths) if for_reuse else None
            ingested = ingest_files(
                paths,
                scratch,
                workers=config.workers,
                # A rare word may belong to a phrase, and phrases change the counts.
                min_count=1 if phrases else config.min_count,
                max_vocab=None if phrases else config.max_vocab,
                digested=for_reuse,
                bill=lambda text: say(progress, f"memory: {text}"),
            )
        for text in (*ingested.doubts, *ingested.repeats):  # Even if no word is frequent enough: they may explain it.
            doubt(text)
        if phrases:
            from .joining import join_phrases  # Its kernels are seldom needed.

            passes, options = phrases
            ingested, n_phrases = join_phrases(ingested, passes, options, scratch, config.workers)
            say(progress, f"phrases: {', then '.join(f'{n:,}' for n in n_phrases)}")
            joined = {"passes": passes, **options.as_record(), "found": n_phrases}
        order, final_id = choose_words(ingested, config.min_count, config.max_vocab)
        n_tokens, n_sentences = int(ingested.counts[order].sum()), ingested.n_sentences
        with write_errors(folder):
            with open(folder / "ids.npy", "wb") as ids_file, open(folder / "offsets.npy", "wb") as offsets_file:
                write_header(ids_file, np.int32, n_tokens)
                write_header(offsets_file, np.int64, n_sentences + 1)
                offsets_file.write(np.zeros(1, np.int64).data)
                written = write_ids(ingested, final_id, ids_file, offsets_file, config.workers)
            if written != (n_tokens, n_sentences):
                raise CorpusError(f"the scratch files in {folder} changed while they were being read: prepare again")
            with ThreadPoolExecutor(2) as beside:  # These are system calls, which run while the words are decoded.
                done = [beside.submit(shutil.rmtree, scratch), beside.submit(synchronise, folder / "ids.npy")]
                vocab = build_vocab(ingested, order)
                vocab_sha256 = vocab.write(folder / "vocab.tsv")
                for task in done:
                    task.result()
            dropped = ingested.counts[final_id < 0]
            record: dict[str, Any] = {
                "fastw2v": __version__,
                "min_count": config.min_count,
                "max_vocab": config.max_vocab,
                "phrases": joined,
                "sources": paths,
                "tokens_read": ingested.n_tokens,
                "tokens": n_tokens,
                "distinct_words_read": ingested.distinct,
                "largest_count_left_out": max(ingested.largest_left_out, int(dropped.max(initial=0))),
                "words": len(vocab),
                "sentences": n_sentences,
                "vocab_sha256": vocab_sha256,
                # Other files may have the content of a cache, so each run looks for repeats itself.
                "doubts": [*ingested.doubts, *(() if for_reuse else ingested.repeats)],
            }
            if ingested.digests is not None:
                record["content"] = dict(zip(("first", "all"), ingested.digests, strict=True)) | {"files": before}
            write_manifest(folder, PREPARED_MANIFEST, "prepared", record)
    return vocab


def as_paths(corpus: CorpusInput) -> list[str] | None:
    """Return the corpus as a list of paths, see `places.local_path`, or None if it consists of sentences."""
    if isinstance(corpus, (str, PathLike)):
        if not fspath(corpus):
            raise CorpusError("corpus is an empty string: give a path")
        return [local_path(corpus, CorpusError, text=True)]
    check_corpus(corpus)
    if isinstance(corpus, Sequence) and corpus and all(isinstance(item, (str, PathLike)) for item in corpus):
        paths = [local_path(path, CorpusError, text=True) for path in corpus]
        if not any(path == "-" or "*" in path or os.path.exists(path) for path in paths):
            hint = worded(" (strings are paths; a sentence is a list of tokens)", "")
            raise CorpusError(f"cannot read {paths[0]!r:.60}: No such file{hint}")
        return paths
    return None


def prepare(
    corpus: CorpusInput,
    output: str | PathLike[str],
    *,
    min_count: int = 5,
    max_vocab: int | None = None,
    phrases: int = 0,
    phrase_min_count: int | None = None,
    phrase_threshold: float | None = None,
    phrase_scoring: str | None = None,
    connector_words: Iterable[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Corpus:
    """Turn text into a vocabulary and int32 token ids on disk, once.

    Args:
        corpus: one or more paths of files (also .gz, .bz2, .xz, .zst), folders or glob patterns (``-`` is standard
            input), read line by line; or sentences, read once: an iterable of lists or other iterables of tokens, a
            column of lists (pandas, polars, Arrow), or a two-dimensional array whose rows are sentences. Tokens are
            strings, or whole numbers, whose words are ``str(number)``; a corpus has only one of the two.
        output: the folder to make; the complete folder replaces an existing prepared folder.
        min_count: drop less frequent words.
        max_vocab: keep only this many of the most frequent words.
        phrases: how many times to find phrases and join them, such as ``new_york``, before words are dropped. The
            second time joins up to four words. 0 joins nothing.
        phrase_min_count: see `Phrases`; None for 5.
        phrase_threshold: see `Phrases`; None for 10, and for 0.5 with ``phrase_scoring="npmi"``.
        phrase_scoring: see `Phrases`; None for ``"default"``.
        connector_words: see `Phrases`; None for none.
        workers: threads; None means every usable core. They never change the result.
        progress: show remarks on standard error.

    Returns:
        The corpus, mapped from the folder.

    Raises:
        ConfigError: an option is out of range.
        CorpusError: see `ingest.ingest_files`, `sentences.ingest_sentences` and `choose_words`.
        FolderError: the folder can't be written, or is something else.
    """
    config = TrainConfig(min_count=min_count, max_vocab=max_vocab, workers=workers)
    chosen = {
        "min_count": phrase_min_count,
        "threshold": phrase_threshold,
        "scoring": phrase_scoring,
        "connector_words": connector_words,
    }
    joined = _phrase_options(phrases, {name: value for name, value in chosen.items() if value is not None})
    folder = Path(local_path(output, FolderError, output=True))
    with sigterm_raises(), staged(folder, PREPARED_MANIFEST, "prepared") as partial:
        vocab = _prepare_into(partial, corpus, config, progress=progress, phrases=joined)
    return _map(folder, read_manifest(folder, PREPARED_MANIFEST, "prepared"), vocab)


def _phrase_options(passes: Any, chosen: dict[str, Any]) -> tuple[int, PhraseOptions] | None:
    """Return the number of passes and the options of phrases, or None for no phrases."""
    if isinstance(passes, bool) or not isinstance(passes, Integral) or not 0 <= int(passes) <= MOST_PASSES:
        raise ConfigError(f"{option('phrases')} is {passes!r:.60}: give a whole number from 0 to {MOST_PASSES}")
    names = {name: name if name == "connector_words" else f"phrase_{name}" for name in PhraseOptions.__annotations__}
    if passes == 0:
        if chosen:
            raise ConfigError(f"{option(names[next(iter(chosen))])} is for phrases: add {option('phrases', 1)}")
        return None
    if chosen.get("scoring") == "npmi":
        chosen = {"threshold": NPMI_THRESHOLD} | chosen
    return int(passes), PhraseOptions(**chosen).checked(names)


def is_prepared(path: str | PathLike[str]) -> bool:
    """Return whether a path is a prepared folder."""
    return os.path.isfile(os.path.join(expand_home(path), PREPARED_MANIFEST))


def names_prepared(corpus: CorpusInput) -> bool:
    """Return whether a corpus is the path of one prepared folder."""
    return _prepared_folder(as_paths(corpus)) is not None


def _prepared_folder(paths: list[str] | None) -> str | None:
    """Return the prepared folder that is the only one of these paths; None if there is none."""
    return paths[0] if paths is not None and len(paths) == 1 and is_prepared(paths[0]) else None


def open_prepared(folder: str | PathLike[str]) -> Corpus:
    """Map a prepared folder into memory.

    Raises:
        FolderError: a file is missing, truncated, or does not match the others.
    """
    folder = Path(local_path(folder, FolderError))
    manifest = read_manifest(folder, PREPARED_MANIFEST, "prepared")
    vocab = Vocab.read(folder / "vocab.tsv", str(manifest.get("vocab_sha256")))
    corpus = _map(folder, manifest, vocab)
    try:
        check_ids(corpus.ids, corpus.offsets, len(vocab), str(folder / "ids.npy"))
    except CorpusError as error:
        raise FolderError(str(error)) from None
    return corpus


def _map(folder: Path, manifest: dict[str, Any], vocab: Vocab) -> Corpus:
    """Map the arrays of a folder without reading them."""
    ids, offsets = load_array(folder / "ids.npy", np.int32), load_array(folder / "offsets.npy", np.int64)
    if ids.ndim != 1 or offsets.ndim != 1:
        raise FolderError(f"{folder}: ids.npy or offsets.npy has the wrong shape: prepare again")
    expected = (manifest.get("tokens"), manifest.get("sentences"), manifest.get("words"))
    counts = vocab.counts
    fit = len(ids) > 0 and counts.min(initial=1) > 0 and counts.max(initial=0) <= len(ids) == counts.sum()
    if expected != (len(ids), len(offsets) - 1, len(vocab)) or not fit:
        raise FolderError(
            f"{folder}: sizes in {PREPARED_MANIFEST} do not match ids.npy, offsets.npy and vocab.tsv: prepare again"
        )
    tokens_read = manifest.get("tokens_read")
    try:
        made_with = TrainConfig(min_count=manifest["min_count"], max_vocab=manifest.get("max_vocab"), workers=1)
    except (KeyError, ConfigError) as error:
        raise FolderError(
            f"{folder / PREPARED_MANIFEST} has no valid min_count or max_vocab ({error}): prepare again"
        ) from None
    if not isinstance(tokens_read, int) or tokens_read < len(ids):
        raise FolderError(f"{folder / PREPARED_MANIFEST} has no valid tokens_read: prepare again")
    doubts = recorded_doubts(folder, manifest)
    return Corpus(vocab, ids, offsets, tokens_read, made_with.min_count, made_with.max_vocab, doubts)


# ------------------------------------------------------------------------------------------------------ for one run


def states(paths: Sequence[str | PathLike[str]]) -> list[list[int]] | None:
    """Return the state of each file of a corpus: its device, inode and size, and the times of its last changes.

    A file with the same state has the same content, provided that its last change was well before its state was taken:
    programs can set the time of the last modification, but not that of the last change (ctime).

    Returns:
        None for standard input, for a missing or recently changed file, and on Windows, where this does not hold.
    """
    if os.name == "nt":
        return None
    states = []
    now = time.time_ns()
    try:
        for path in expand(paths):
            state = os.stat(path)
            if not stat.S_ISREG(state.st_mode) or now - state.st_ctime_ns < SETTLED_NS:
                return None
            states.append([state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns])
    except OSError:
        return None
    return states


def _reusable(cache: Path, paths: Sequence[str | PathLike[str]], config: TrainConfig) -> Corpus | None:
    """Return the corpus in a model folder's cache if these texts with these options would give the same corpus."""
    try:
        manifest = read_manifest(cache, PREPARED_MANIFEST, "prepared")
        made_with = [manifest.get(name) for name in ("fastw2v", "min_count", "max_vocab", "phrases")]
        content = manifest.get("content")
        if made_with != [__version__, config.min_count, config.max_vocab, None] or not isinstance(content, dict):
            return None
        now = states(paths)
        if now is None or now != content.get("files"):
            files = expand(paths)
            known = (content.get("first"), content.get("all"))
            if digest_files(files, config.workers, str(known[0])) != known:
                return None
        return open_prepared(cache)
    except FolderError:
        return None


@contextmanager
def opened(
    corpus: CorpusInput,
    scratch: Path | None,
    min_count: int | None,
    max_vocab: int | None,
    *,
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[Corpus]:
    """Yield the corpus of a training run: open a prepared folder, or prepare anything else first.

    Args:
        corpus: as for `prepare`, or the path of a prepared folder.
        scratch: the model's staging folder; None for a temporary folder. Files are prepared into its subfolder CACHE,
            which then moves to the model folder, unless the cache there already holds the same corpus.
        min_count: None for the default, or for a prepared folder's own.
        max_vocab: None for no limit, or for a prepared folder's own.
        workers: as for `prepare`.
        progress: as for `prepare`.

    Raises:
        ConfigError: ``min_count`` or ``max_vocab`` is not the prepared folder's.
    """
    paths = as_paths(corpus)
    if (prepared := _prepared_folder(paths)) is not None:
        ready = open_prepared(prepared)
        for name, asked in (("min_count", min_count), ("max_vocab", max_vocab)):
            made_with = getattr(ready, name)
            if asked is not None and asked != made_with:
                raise ConfigError(
                    f"{option(name)} is {asked}, but {prepared} was made with {made_with}: omit it, or prepare again"
                )
        for text in ready.doubts:
            doubt(text)
        yield ready
        return
    config = TrainConfig(max_vocab=max_vocab, workers=workers)
    if min_count is not None:
        config = replace(config, min_count=min_count)
    # A pipe can be read only once, so its text can't be compared first.
    files = [] if scratch is None or paths is None else expand(paths)
    for_reuse = scratch is not None and paths is not None and all(map(os.path.isfile, files))
    if for_reuse:
        assert scratch is not None and paths is not None  # noqa: PT018
        cache = scratch.parent / CACHE
        if is_prepared(cache):
            with announced(progress, f"comparing the corpus with {cache} ..."):
                reused = _reusable(cache, paths, config)
            if reused is not None:
                say(progress, f"the corpus and its options match {cache}: reusing its ids")
                for text in (*reused.doubts, *repeats(files)):
                    doubt(text)
                yield reused
                return
    with ExitStack() as stack:
        if scratch is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fastw2v-")))
        else:
            folder = scratch / (CACHE if for_reuse else "corpus")
            folder.mkdir()
        vocab = _prepare_into(folder, corpus, config, progress=progress, for_reuse=for_reuse)
        yield _map(folder, read_manifest(folder, PREPARED_MANIFEST, "prepared"), vocab)
