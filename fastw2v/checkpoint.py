"""Checkpoints: a model folder holds the state of its run, as it was at some chunk's end, and a run goes on from there.

A checkpoint is a model folder like any other: `load` opens it, training or not. ``model.json`` says in «progress» how
many tokens have been visited and what the states of the random streams are, and has the SHA-256 of every file. With V
and U that is all a run needs: the kernels carry nothing else from one chunk to the next.

The first checkpoint of a run moves a finished model that stands in the folder to the subfolder «previous», where it
stays until the run is finished too.
"""

import copy
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .config import TrainConfig
from .corpus import Corpus
from .embeddings import MODEL_MANIFEST, Embeddings, load
from .errors import ConfigError, CorpusError, DivergedError, FolderError
from .finite import all_finite
from .interrupts import signals_noted
from .ledger import Range, check_ranges, length
from .machine import available_memory
from .manifest import checksum, parse_json, read_manifest
from .screen import printable
from .spans import next_cut
from .staging import (
    KEEP_PREVIOUS,
    NEW_RUN,
    check_own,
    check_previous,
    open_part,
    publish,
    remove_previous,
    write_errors,
)

FOLDER = "checkpoint"  # in the staging folder, while it is being written
COPIED_ROWS = 65_536
IN_PAGE_CACHE = 10  # times V and U must be free: from 15 % of the memory on, Linux makes a writer wait for the disk
# in «progress»
MOVED = "moved_to_previous"  # the run found a finished model, to be removed when it is finished too
LEDGER = "ledger"  # the place of a run on several nodes
DIFFERED = "differed"  # what keeps the run from being bit-identical to one without interruption, met so far


@dataclass(frozen=True, eq=False)
class State:
    """A run as its folder has it.

    Attributes:
        folder: the model folder.
        embeddings: vocabulary, matrices (mapped), metadata and metrics.
        config: options of the run.
        tokens: corpus tokens visited, over all epochs.
        complete: the run reached its end.
        rng: states of the random streams; those of the workers first.
        seconds: training time so far.
        ledger: of a run on several nodes: what it has committed of the epoch it is in, and how many nodes it has
            started; None for any other run.
    """

    folder: Path
    embeddings: Embeddings
    config: TrainConfig
    tokens: int
    complete: bool
    rng: list[int]
    seconds: float
    ledger: tuple[list[Range], int] | None = None


def read_state(folder: Path) -> State | None:
    """Read the state of the run in a model folder, checksums and all; None if the folder holds no model.

    Raises:
        FolderError: a file is damaged, or of another checkpoint; or the model was not left by a training.
    """
    if not os.path.lexists(folder / MODEL_MANIFEST):
        return None
    manifest = read_manifest(folder, MODEL_MANIFEST, "model")
    again = "restore it from a copy, or train again without --resume"
    if "checksum" in manifest and manifest["checksum"] != checksum(manifest):
        raise FolderError(f"{folder / MODEL_MANIFEST} is damaged: its checksum is not that of its content; {again}")
    try:
        progress = manifest["progress"]
        config = TrainConfig(**manifest["config"])
        tokens, seconds = int(progress["tokens"]), float(progress["seconds"])
        ledger = progress.get(LEDGER)
        rng = [int(state, 16) for state in progress["rng"]] if ledger is None else []
        complete = bool(progress["complete"])
        digests = {name: manifest["sha256"][name] for name in ("V.npy", "U.npy", "metrics.jsonl")}
        sums = [progress["tokens_trained"], progress["pairs"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise FolderError(
            f"{folder / MODEL_MANIFEST} cannot be resumed ({printable(str(error)):.200}); {again}"
        ) from None
    fits = 0 <= tokens < 2**63 and 0 <= seconds < 2**63 and all(isinstance(item, int) for item in sums)
    if ledger is None:
        fits = fits and isinstance(progress["rng"], list) and len(rng) > 0 and all(0 <= state < 2**64 for state in rng)
    place = None if ledger is None else _place_of(ledger, manifest.get("corpus"), tokens)
    if not fits or (place is None) != (ledger is None):
        raise FolderError(f"{folder / MODEL_MANIFEST} has an impossible state of a training; {again}")
    for name, digest in digests.items():
        if _sha256(folder / name) != digest:
            raise FolderError(f"{folder / name} is damaged or of another checkpoint: its checksum is wrong; {again}")
    embeddings = load(folder)
    fits = embeddings.outside is not None and embeddings.vector_size == config.vector_size
    if not fits or not all("pairs" in record for record in embeddings.metrics):
        raise FolderError(f"{folder / MODEL_MANIFEST} does not describe the other files of the run; {again}")
    return State(folder, embeddings, config, tokens, complete, rng, seconds, place)


def _place_of(ledger: Any, corpus: Any, tokens: int) -> tuple[list[Range], int] | None:
    """Return `State.ledger` as a manifest says it, None if it does not fit the rest of what that says."""
    try:
        n_tokens, started = int(corpus["tokens"]), ledger["nodes_started"]
        committed = check_ranges(ledger["committed"], n_tokens)
    except (KeyError, TypeError, ValueError):
        return None
    fits = isinstance(started, int) and 0 < started < 2**31 and n_tokens > 0 and length(committed) == tokens % n_tokens
    return (committed, started) if fits else None


def note_new_run(partial: Path, options: dict[str, Any], init_from: bool) -> None:
    """Note in the staging folder that a new run begins: killed before its first checkpoint, it leaves nothing else.

    Without that, going on would take the model that stands in the folder for the run, and train an old one further.
    """
    note = {"found": _digest_of_manifest(partial.parent), "options": options, "init_from": init_from}
    with write_errors(partial):
        (partial / NEW_RUN).write_text(json.dumps(note), "utf-8")


def cut_before_saved(partial: Path) -> tuple[dict[str, Any], bool] | None:
    """Return the options that were given to a new run killed before it was saved, and if it had given vectors.

    None where there was none: no note, or another model stands in the folder than when it was made.
    """
    try:
        with open_part(partial / NEW_RUN) as file:
            note = parse_json(file.read())
        if note["found"] == _digest_of_manifest(partial.parent):
            TrainConfig(**note["options"])  # raises if they are none
            return note["options"], note["init_from"] is True
    except (OSError, KeyError, TypeError, ValueError):  # the last: killed while it was written, or a stranger's
        pass
    return None


def _digest_of_manifest(folder: Path) -> str | None:
    return _sha256(folder / MODEL_MANIFEST) if os.path.lexists(folder / MODEL_MANIFEST) else None


def _sha256(path: Path) -> str:
    try:
        with open_part(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror or error}") from error


def finish(folder: Path, progress: dict[str, Any]) -> None:
    """Remove the finished model that a run moved aside, once that run is finished."""
    if progress["complete"] and progress.get(MOVED) is True:
        remove_previous(folder)


def check_state(state: State, corpus: Corpus, sizes: dict[str, int], tokens_total: int) -> None:
    """Raise unless a run can go on with this corpus, to this end.

    Args:
        state: the run.
        corpus: the corpus.
        sizes: its sizes and its checksum, as the run's metadata have them in «corpus».
        tokens_total: corpus tokens to visit, over all epochs.

    Raises:
        CorpusError: it is not the corpus of the run.
        ConfigError: the run has gone further than that.
    """
    n_tokens, vocab = len(corpus.ids), state.embeddings.vocab
    same = np.array_equal(corpus.vocab.counts, vocab.counts) and list(corpus.vocab.words) == list(vocab.words)
    of_run = state.embeddings.metadata.get("corpus")
    if not same or not isinstance(of_run, dict) or any(of_run.get(name) != size for name, size in sizes.items()):
        raise CorpusError(
            f"the corpus is not the one of the run in {state.folder}: it has {n_tokens:,} tokens of "
            f"{len(corpus.vocab):,} words, not the same words, counts, sentences and order; "
            "give the corpus of that run, or train into another folder"
        )
    epochs, done = tokens_total // n_tokens, state.tokens / n_tokens
    if state.tokens > tokens_total or (state.tokens == tokens_total and not state.complete):
        raise ConfigError(f"epochs is {epochs}, but the run in {state.folder} has done {done:.2f}: give more")
    committed = state.ledger[0] if state.ledger else [(0, state.tokens % n_tokens)]
    if any(next_cut(corpus.offsets, place) != place for range_ in committed for place in range_):
        raise FolderError(
            f"{state.folder / MODEL_MANIFEST} records token {state.tokens}, not a checkpoint boundary: train again"
        )


def restore(
    state: State, live: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32], rng: NDArray[np.uint64]
) -> None:
    """Put the matrices, the random streams and the metrics of a run in place.

    A worker more than the run had gets the stream that it would have had from the start.
    """
    V[:, : live.vector_size] = state.embeddings.vectors
    U[:, : live.vector_size] = state.embeddings.outside
    streams = min(len(rng), len(state.rng))
    rng[:streams] = np.array(state.rng[:streams], np.uint64)
    live.metrics = list(state.embeddings.metrics)
    if "init_from" in state.embeddings.metadata:
        live.metadata["init_from"] = state.embeddings.metadata["init_from"]


def differences(state: State, metadata: dict[str, Any]) -> tuple[list[str], str]:
    """Find what keeps a run that goes on from being bit-identical to one without interruption.

    Returns:
        All that was found, now and whenever the run went on before (DIFFERED); and how to say it.
    """
    before = state.embeddings.metadata
    found = []
    for name in ("workers", "epochs"):
        was, now = getattr(state.config, name), metadata["config"][name]
        if was != now:
            found.append(f"{name} {was} before, {now} now")
    machine = {name: metadata[name] for name in ("cpu", "cpu_features")}
    versions = before.get("versions")
    for name, now in {**metadata["versions"], **machine}.items():
        was = before.get(name) if name in machine else versions.get(name) if isinstance(versions, dict) else None
        if was != now and name != "python":
            found.append(f"{name} {printable(str(was))} before, {now} now")
    given = before["progress"].get(DIFFERED)
    earlier = [printable(str(text)) for text in given] if isinstance(given, list) else []
    why = "; ".join([*found, *(f"{text} (earlier)" for text in earlier)])
    everything = list(dict.fromkeys([*earlier, *found]))
    if why:
        return everything, f"not bit-identical to a run without interruption: {why}"
    if metadata["config"]["workers"] > 1:
        return everything, "Hogwild: not bit-identical to a run without interruption"
    return everything, "bit-identical to a run without interruption"


def start_from(given: Embeddings, live: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32]) -> dict[str, int]:
    """Copy the rows of words that ``given`` has into V, and into U if it has outside rows.

    Returns:
        How many words there are, and how many of them start from given rows.

    Raises:
        ConfigError: no common word, or a value that is not finite.
    """
    pairs = [(row, given.vocab.index[word]) for row, word in enumerate(live.words) if word in given.vocab.index]
    if not pairs:
        raise ConfigError("init_from has no word of this corpus: check the language, and upper and lower case")
    rows, theirs = np.array(pairs, np.int64).T
    for start in range(0, len(rows), COPIED_ROWS):
        block = slice(start, start + COPIED_ROWS)
        V[rows[block], : live.vector_size] = given.vectors[theirs[block]]
        if given.outside is not None:
            U[rows[block], : live.vector_size] = given.outside[theirs[block]]
    if not (all_finite(V) and all_finite(U)):
        raise ConfigError("init_from holds a value that is not finite: repair the vectors")
    return {"words": len(live), "words_taken": len(rows)}


def unfinished(folder: Path) -> dict[str, Any] | None:
    """Return the «progress» of the run that a folder holds unfinished; None if it holds anything else, or nothing.

    A manifest that can't be read may be that of a finished model.
    """
    try:
        progress = read_manifest(folder, MODEL_MANIFEST, "model").get("progress")
    except FolderError:
        return None
    return progress if isinstance(progress, dict) and progress.get("complete") is False else None


def goes_into_page_cache(size: int, free: int | None) -> bool:
    """Tell whether V and U are written at once, as files; otherwise they are copied within memory first.

    Args:
        size: bytes of V and U.
        free: `available_memory`.
    """
    return free is not None and IN_PAGE_CACHE * size <= free


class Checkpoints:
    """Saves a run into its model folder while it goes on; training stops only while V and U are copied.

    Small ones are copied into the page cache, as files, and take no memory of this process; larger ones, for which that
    could wait for the disk, within memory. The disk and the publication are left to a thread. A checkpoint that comes
    due meanwhile is taken when that is done. Where there is no memory for a copy, training waits until all is written.

    Args:
        partial: the run's staging folder (`staging.staged`).
        minutes: save when this much time has passed since the last.
        state: what the run goes on from, if it does.

    Attributes:
        saved: the model folder, once it holds a state of this run.

    Raises:
        FolderError: a finished model stands in the folder, and can't move to its subfolder «previous».
    """

    def __init__(self, partial: Path, minutes: float, state: State | None) -> None:
        if os.path.lexists(partial.parent / MODEL_MANIFEST) and unfinished(partial.parent) is None:
            check_previous(partial.parent)  # now, not when hours have gone into the new one
        self._partial, self._seconds = partial, 60 * minutes
        self._own = os.stat(partial)
        self._last = time.monotonic()
        self._due = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fastw2v-checkpoint")
        self._writing: Future[None] | None = None
        self.saved: Path | None = None if state is None else state.folder
        self._tokens = 0 if state is None else state.tokens
        before = {} if state is None else state.embeddings.metadata["progress"]
        self._moved = before.get(MOVED) is True

    def after_chunk(
        self, live: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32], *, epoch_ended: bool
    ) -> None:
        """Save the run if that is due, and find out how the last saving went.

        Args:
            live: the run's vocabulary, metadata and metrics.
            V: its centre rows, as `aligned_zeros` makes them.
            U: its outside rows.
            epoch_ended: it is due for that.

        Raises:
            FolderError: it can't be saved.
            DivergedError: there is a value that is not finite; it was not saved.
        """
        self._due = self._due or epoch_ended or time.monotonic() - self._last >= self._seconds
        if self._writing is not None and self._writing.done():
            self._wait()
        if not self._due or self._writing is not None:
            return
        self._due = False
        self._last = time.monotonic()
        free, size = available_memory(), V.nbytes + U.nbytes
        if free is not None and free < size:
            self._write(live, V, U)
            return
        try:
            if goes_into_page_cache(size, free):
                self._write_parts(live, V, U)
                self._writing = self._pool.submit(self._publish, live.metadata["progress"]["tokens"])
            else:
                still = Embeddings(live.vocab, live.vectors, live.outside, copy.deepcopy(live.metadata), live.metrics)
                self._writing = self._pool.submit(self._write, still, V.copy(), U.copy())
        except (MemoryError, RuntimeError):
            # a limit on the memory of this process; or no more threads, as the interpreter waits for this one to end
            self._write(live, V, U)

    def save(self, live: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32]) -> None:
        """Save the run as it ends, complete or not; arguments and errors as for `after_chunk`."""
        self._wait()
        self._write(live, V, U)
        finish(self._partial.parent, live.metadata["progress"])

    @property
    def due(self) -> bool:
        """Tell whether `write_by` should be called, for the time that has passed."""
        ready = self._writing is None or self._writing.done()
        return ready and time.monotonic() - self._last >= self._seconds

    def write_by(self, write: Callable[[Path], None], progress: dict[str, Any], *, last: bool) -> None:
        """Save the run, whose files somebody else writes; unless it is the ``last`` time, it is published beside it.

        Args:
            write: called with an empty folder, writes `Embeddings.write_parts` there, of values that are finite.
            progress: what the metadata that it writes say in «progress»; completed before it is called.
            last: the run ends, complete or not.

        Raises:
            FolderError: it can't be saved; the last time neither.
        """
        self._wait()
        self._last = time.monotonic()
        with self.remedy():
            write(self._begin(progress))
        self._writing = self._pool.submit(self._publish, progress["tokens"])
        if last:
            self._wait()
            finish(self._partial.parent, progress)

    def close(self) -> None:
        """Let what is being written come to its end, whatever that is, and however often somebody presses Ctrl-C."""
        with signals_noted(lets_third_through=False):
            self._pool.shutdown(wait=True)

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    @contextmanager
    def remedy(self) -> Iterator[None]:
        """Have a `FolderError` say what the folder holds of the run."""
        try:
            yield
        except FolderError as error:
            try:
                check_own(self._partial, self._own)
            except FolderError as gone:
                raise gone from error
            if self.saved is None:
                raise
            raise FolderError(
                f"{error}; {self.saved} holds the run as it was at token {self._tokens:,}: "
                "when it can be written again, --resume goes on from there"
            ) from error

    def _write(self, still: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32]) -> None:
        self._write_parts(still, V, U)
        self._publish(still.metadata["progress"]["tokens"])

    def _write_parts(self, still: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32]) -> None:
        with self.remedy():
            self._make(still, V, U)

    def _publish(self, tokens: int) -> None:
        with self.remedy():
            publish(self._partial, self._partial / FOLDER, MODEL_MANIFEST)
        self.saved, self._tokens = self._partial.parent, tokens

    def _make(self, still: Embeddings, V: NDArray[np.float32], U: NDArray[np.float32]) -> None:
        progress = still.metadata["progress"]
        if not (all_finite(V) and all_finite(U)):
            visited = progress["tokens"] - (progress["epoch"] - 1) * still.metadata["corpus"]["tokens"]
            raise DivergedError(progress["epoch"], visited, progress["alpha"])
        made = self._begin(progress)
        columns = still.vector_size
        Embeddings(still.vocab, V[:, :columns], U[:, :columns], still.metadata, still.metrics).write_parts(made)

    def _begin(self, progress: dict[str, Any]) -> Path:
        """Make the folder to write into, and see that a finished model moves out of the way; ``progress`` says so."""
        folder, made = self._partial.parent, self._partial / FOLDER
        check_own(self._partial, self._own)
        with write_errors(made):
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            there = unfinished(folder)
            if there is not None:  # of this run, or of one that it takes the place of
                self._moved = self._moved or there.get(MOVED) is True
            elif not progress["complete"] and os.path.lexists(folder / MODEL_MANIFEST):
                (self._partial / KEEP_PREVIOUS).touch()
                self._moved = True
        if self._moved:
            progress[MOVED] = True
        return made
