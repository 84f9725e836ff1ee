"""Checkpoints: a model folder holds the state of its run at the end of a chunk, from which the run can be resumed.

A checkpoint is a model folder like any other: `load` opens it, during training too. Its ``model.json`` has the SHA-256
of every file and, under "progress", the number of tokens visited and the states of the random streams. A run needs no
more than that, V and U: the kernels keep nothing else from one chunk to the next.

If the folder holds a finished model, the first checkpoint of a new run moves it to the subfolder "previous". It stays
there until the new run is finished too.
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
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..embeddings import MODEL_MANIFEST, Embeddings, load
from ..errors import ConfigError, CorpusError, DivergedError, FolderError, option
from ..files.manifest import checksum, parse_json, read_manifest
from ..files.staging import (
    KEEP_PREVIOUS,
    NEW_RUN,
    check_own,
    check_previous,
    open_part,
    publish,
    remove_previous,
    write_errors,
)
from ..interrupts import signals_noted
from ..kernels.spans import next_cut
from ..machine import available_memory
from ..screen import printable
from ..text.corpus import Corpus
from .finite import all_finite
from .ledger import Range, check_ranges, length

#: Padded matrices of a run, see `Replica.matrices`.
Matrices: TypeAlias = tuple[NDArray[np.float32], ...]

FOLDER = "checkpoint"  # in the staging folder, while it is being written
# Free memory must hold V and U this many times: Linux makes a process that writes 15 % of the memory wait for the disk.
IN_PAGE_CACHE = 10
# Keys in "progress":
MOVED = "moved_to_previous"  # the run found a finished model, to be removed when the run is finished
LEDGER = "ledger"  # the place of a run on several nodes
DIFFERED = "differed"  # changes so far that keep the run from being bit-identical to one without interruption


@dataclass(frozen=True, eq=False)
class State:
    """The saved state of a run.

    Attributes:
        folder: the model folder.
        embeddings: vocabulary, matrices (mapped), metadata and metrics.
        config: options of the run.
        tokens: corpus tokens visited, over all epochs.
        complete: the run reached its end.
        rng: states of the random streams, those of the current workers first.
        seconds: training time so far.
        ledger: of a run on several nodes: the ranges committed in the current epoch, and the number of nodes
            started so far. None for any other run.
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
    """Read the state of the run in a model folder and verify its checksums; None if the folder holds no model.

    Raises:
        FolderError: a file is damaged or belongs to another checkpoint, or the model was not written by a training.
    """
    if not os.path.lexists(folder / MODEL_MANIFEST):
        return None
    manifest = read_manifest(folder, MODEL_MANIFEST, "model")
    again = f"restore it from a copy, or train again without {option('resume')}"
    if "checksum" in manifest and manifest["checksum"] != checksum(manifest):
        raise FolderError(f"{folder / MODEL_MANIFEST} is damaged: its checksum does not match its content; {again}")
    try:
        progress = manifest["progress"]
        config = TrainConfig(**manifest["config"])
        tokens, seconds = int(progress["tokens"]), float(progress["seconds"])
        ledger = progress.get(LEDGER)
        rng = [int(state, 16) for state in progress["rng"]] if ledger is None else []
        complete = bool(progress["complete"])
        parts = ["V.npy", "U.npy", "metrics.jsonl"]
        parts += ["subwords.npy", "buckets.npy"] if manifest.get("subwords") is not None else []
        digests = {name: manifest["sha256"][name] for name in parts}
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
        raise FolderError(f"{folder / MODEL_MANIFEST} describes an invalid training state; {again}")
    for name, digest in digests.items():
        if _sha256(folder / name) != digest:
            raise FolderError(
                f"{folder / name} is damaged or belongs to another checkpoint: its checksum is wrong; {again}"
            )
    embeddings = load(folder)
    fits = embeddings.outside is not None and embeddings.vector_size == config.vector_size
    fits = fits and (embeddings.subwords is None) == (config.max_n == 0)
    if not fits or not all("pairs" in record for record in embeddings.metrics):
        raise FolderError(f"{folder / MODEL_MANIFEST} does not describe the other files of the run; {again}")
    return State(folder, embeddings, config, tokens, complete, rng, seconds, place)


def _place_of(ledger: Any, corpus: Any, tokens: int) -> tuple[list[Range], int] | None:
    """Return `State.ledger` from a manifest; None if it contradicts the rest of the manifest."""
    try:
        n_tokens, started = int(corpus["tokens"]), ledger["nodes_started"]
        committed = check_ranges(ledger["committed"], n_tokens)
    except (KeyError, TypeError, ValueError):
        return None
    fits = isinstance(started, int) and 0 < started < 2**31 and n_tokens > 0 and length(committed) == tokens % n_tokens
    return (committed, started) if fits else None


def note_new_run(partial: Path, options: dict[str, Any], init_from: bool, keep_words: bool) -> None:
    """Note in the staging folder that a new run begins.

    A run that is killed before its first checkpoint leaves only this note. Without the note, --resume would mistake an
    older model in the folder for the run, and train it further.
    """
    note = {
        "found": _digest_of_manifest(partial.parent),
        "options": options,
        "init_from": init_from,
        "keep_words": keep_words,
    }
    with write_errors(partial):
        (partial / NEW_RUN).write_text(json.dumps(note), "utf-8")


def cut_before_saved(partial: Path) -> tuple[dict[str, Any], bool, bool] | None:
    """Return the options of a run that was killed before it was saved, and its ``init_from`` and ``keep_words``.

    The last two are whether it started from given vectors, and whether it keeps their words.

    None if there was no such run: there is no note, or the folder holds another model than when the note was made.
    """
    try:
        with open_part(partial / NEW_RUN) as file:
            note = parse_json(file.read())
        if note["found"] == _digest_of_manifest(partial.parent):
            TrainConfig(**note["options"])  # This raises an error if these are not options.
            return note["options"], note["init_from"] is True, note.get("keep_words") is True
    except (OSError, KeyError, TypeError, ValueError):
        pass  # A ValueError means that the run was killed while it wrote the note, or that another program wrote it.
    return None


def _digest_of_manifest(folder: Path) -> str | None:
    return _sha256(folder / MODEL_MANIFEST) if os.path.lexists(folder / MODEL_MANIFEST) else None


def _sha256(path: Path) -> str:
    try:
        with open_part(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror or error}") from None


def finish(folder: Path, progress: dict[str, Any]) -> None:
    """If a run is finished, remove the finished model that it moved aside."""
    if progress["complete"] and progress.get(MOVED) is True:
        remove_previous(folder)


def check_state(state: State, corpus: Corpus, sizes: dict[str, int], tokens_total: int) -> None:
    """Raise unless a run can be resumed on this corpus, for this many tokens.

    Args:
        state: the run.
        corpus: the corpus.
        sizes: its sizes and its checksum, as in the run's metadata under "corpus".
        tokens_total: corpus tokens to visit, over all epochs.

    Raises:
        CorpusError: it is not the corpus of the run.
        ConfigError: the run has already visited more tokens.
    """
    n_tokens, vocab = len(corpus.ids), state.embeddings.vocab
    same = np.array_equal(corpus.vocab.counts, vocab.counts) and list(corpus.vocab.words) == list(vocab.words)
    of_run = state.embeddings.metadata.get("corpus")
    if not same or not isinstance(of_run, dict) or any(of_run.get(name) != size for name, size in sizes.items()):
        raise CorpusError(
            f"this is not the corpus of the run in {state.folder}: it has {n_tokens:,} tokens of "
            f"{len(corpus.vocab):,} words, and its words, counts, sentences or order differ; "
            "give the corpus of that run, or train into another folder; "
            f"to learn from new text, give {option('init_from')} in place of {option('resume', True)}"
        )
    epochs, done = tokens_total // n_tokens, state.tokens / n_tokens
    if state.tokens > tokens_total or (state.tokens == tokens_total and not state.complete):
        raise ConfigError(
            f"{option('epochs')} is {epochs}, but the run in {state.folder} has done {done:.2f}: use a larger number"
        )
    committed = state.ledger[0] if state.ledger else [(0, state.tokens % n_tokens)]
    if any(next_cut(corpus.offsets, place) != place for range_ in committed for place in range_):
        raise FolderError(
            f"{state.folder / MODEL_MANIFEST} records token {state.tokens}, not a checkpoint boundary: train again"
        )


def differences(state: State, metadata: dict[str, Any]) -> tuple[list[str], str, bool]:
    """Find the differences that keep a resumed run from being bit-identical to one without interruption.

    Returns:
        All differences, of this and of earlier resumptions (DIFFERED); a remark about them; and whether the remark is
        a doubt, because the machine or a version differs, which nobody asked for, and one worker is used.
    """
    before = state.embeddings.metadata
    new = []
    for name in ("workers", "epochs"):
        old, now = getattr(state.config, name), metadata["config"][name]
        if old != now:
            new.append(f"{name} {old} before, {now} now")
    asked = len(new)
    machine = {name: metadata[name] for name in ("cpu", "cpu_features")}
    versions = before.get("versions")
    for name, now in {**metadata["versions"], **machine}.items():
        old = before.get(name) if name in machine else versions.get(name) if isinstance(versions, dict) else None
        if old != now and name != "python":
            new.append(f"{name} {printable(str(old))} before, {now} now")
    recorded = before["progress"].get(DIFFERED)
    earlier = [printable(str(text)) for text in recorded] if isinstance(recorded, list) else []
    why = "; ".join([*new, *(f"{text} (earlier)" for text in earlier)])
    everything = list(dict.fromkeys([*earlier, *new]))
    hogwild = metadata["config"]["workers"] > 1
    if why:
        return everything, f"not bit-identical to a run without interruption: {why}", len(new) > asked and not hogwild
    if hogwild:
        return everything, "Hogwild: not bit-identical to a run without interruption", False
    return everything, "bit-identical to a run without interruption", False


def unfinished(folder: Path) -> dict[str, Any] | None:
    """Return the "progress" of the unfinished run in a folder; None if there is none.

    A manifest that can't be read may belong to a finished model.
    """
    try:
        progress = read_manifest(folder, MODEL_MANIFEST, "model").get("progress")
    except FolderError:
        return None
    return progress if isinstance(progress, dict) and progress.get("complete") is False else None


def goes_into_page_cache(size: int, free: int | None) -> bool:
    """Tell whether V and U are written at once, as files; if not, they are copied in memory first.

    Args:
        size: bytes of V and U.
        free: `available_memory`.
    """
    return free is not None and IN_PAGE_CACHE * size <= free


class Checkpoints:
    """Saves a running training into its model folder; training stops only while V and U are copied.

    Small matrices are copied as files, into the page cache, which takes no memory of this process. Larger ones are
    copied in memory, since files might wait for the disk. A thread waits for the disk and publishes. A checkpoint that
    comes due meanwhile is taken when the thread is done. If there is no memory for a copy, training waits for the disk.

    Args:
        partial: the run's staging folder (`staging.staged`).
        minutes: save when this many minutes have passed since the last checkpoint.
        state: the run to resume, or None.

    Attributes:
        saved: the model folder, once it holds a checkpoint of this run.

    Raises:
        FolderError: the folder holds a finished model, which can't move to the subfolder "previous".
    """

    def __init__(self, partial: Path, minutes: float, state: State | None) -> None:
        if os.path.lexists(partial.parent / MODEL_MANIFEST) and unfinished(partial.parent) is None:
            check_previous(partial.parent)  # Check now, before the new run takes hours.
        self._partial, self._seconds = partial, 60 * minutes
        self._partial_stat = os.stat(partial)
        self._last = time.monotonic()
        self._due = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fastw2v-checkpoint")
        self._writing: Future[None] | None = None
        self.saved: Path | None = None if state is None else state.folder
        self._tokens = 0 if state is None else state.tokens
        before = {} if state is None else state.embeddings.metadata["progress"]
        self._moved = before.get(MOVED) is True

    def after_chunk(self, live: Embeddings, matrices: Callable[[], Matrices], *, epoch_ended: bool) -> None:
        """Save the run if a checkpoint is due, and raise the error of the last one, if it failed.

        Args:
            live: the run's vocabulary, metadata and metrics.
            matrices: returns the matrices of the run, see `Replica.matrices`.
            epoch_ended: a checkpoint is due because an epoch has ended.

        Raises:
            FolderError: it can't be saved.
            DivergedError: a value is not finite; it was not saved.
        """
        self._due = self._due or epoch_ended or time.monotonic() - self._last >= self._seconds
        if self._writing is not None and self._writing.done():
            self._wait()
        if not self._due or self._writing is not None:
            return
        self._due = False
        self._last = time.monotonic()
        made = matrices()
        free, size = available_memory(), sum(matrix.nbytes for matrix in made)
        if free is not None and free < size:
            self._write(live, made)
            return
        try:
            if goes_into_page_cache(size, free):
                self._write_parts(live, made)
                self._writing = self._pool.submit(self._publish, live.metadata["progress"]["tokens"])
            else:
                snapshot = Embeddings.live(
                    live.vocab, live.vectors, live.outside, copy.deepcopy(live.metadata), live.metrics, live.subwords
                )
                self._writing = self._pool.submit(self._write, snapshot, tuple(matrix.copy() for matrix in made))
        except (MemoryError, RuntimeError):
            # The process has a memory limit, or no thread can start because the interpreter is shutting down.
            self._write(live, made)

    def save(self, live: Embeddings, matrices: Callable[[], Matrices]) -> None:
        """Save the run at its end, complete or not; arguments and errors are those of `after_chunk`."""
        self._wait()
        self._write(live, matrices())
        finish(self._partial.parent, live.metadata["progress"])

    @property
    def due(self) -> bool:
        """Tell whether enough time has passed for `write_by`."""
        ready = self._writing is None or self._writing.done()
        return ready and time.monotonic() - self._last >= self._seconds

    def write_by(self, write: Callable[[Path], None], progress: dict[str, Any], *, last: bool) -> None:
        """Save a run whose files a node writes. A thread publishes them; if ``last``, this waits for the thread.

        Args:
            write: writes the files of `Embeddings.write_parts` into the empty folder it is called with.
            progress: the "progress" in the metadata that ``write`` writes; it is completed before that call.
            last: the run ends here, complete or not.

        Raises:
            FolderError: this checkpoint, or the one before it, can't be saved.
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
        """Wait for the checkpoint that is being written, however often Ctrl-C is pressed."""
        with signals_noted(lets_third_through=False):
            self._pool.shutdown(wait=True)

    def _wait(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    @contextmanager
    def remedy(self) -> Iterator[None]:
        """Make a `FolderError` name the last checkpoint in the folder."""
        try:
            yield
        except FolderError as error:
            try:
                check_own(self._partial, self._partial_stat)
            except FolderError as gone:
                raise gone from error
            if self.saved is None:
                raise
            raise FolderError(
                f"{error}; {self.saved} holds the run as it was at token {self._tokens:,}: "
                f"make the folder writable, then use {option('resume', True)} to continue from there"
            ) from None

    def _write(self, snapshot: Embeddings, matrices: Matrices) -> None:
        self._write_parts(snapshot, matrices)
        self._publish(snapshot.metadata["progress"]["tokens"])

    def _write_parts(self, snapshot: Embeddings, matrices: Matrices) -> None:
        with self.remedy():
            self._make(snapshot, matrices)

    def _publish(self, tokens: int) -> None:
        with self.remedy():
            publish(self._partial, self._partial / FOLDER, MODEL_MANIFEST)
        self.saved, self._tokens = self._partial.parent, tokens

    def _make(self, snapshot: Embeddings, matrices: Matrices) -> None:
        progress = snapshot.metadata["progress"]
        if not all(map(all_finite, matrices)):
            visited = progress["tokens"] - (progress["epoch"] - 1) * snapshot.metadata["corpus"]["tokens"]
            raise DivergedError(progress["epoch"], visited, progress["alpha"])
        made = self._begin(progress)
        columns = snapshot.vector_size
        V, U, *rows = (matrix[:, :columns] for matrix in matrices)
        subwords = None if snapshot.subwords is None else snapshot.subwords._replace(rows=rows[0])
        Embeddings.live(snapshot.vocab, V, U, snapshot.metadata, snapshot.metrics, subwords).write_parts(made)

    def _begin(self, progress: dict[str, Any]) -> Path:
        """Make the folder to write into, and note in ``progress`` if a finished model must move out of the way."""
        folder, made = self._partial.parent, self._partial / FOLDER
        check_own(self._partial, self._partial_stat)
        with write_errors(made):
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            replaced = unfinished(folder)
            if replaced is not None:  # A checkpoint of this run, or of the unfinished run that it replaces.
                self._moved = self._moved or replaced.get(MOVED) is True
            elif not progress["complete"] and os.path.lexists(folder / MODEL_MANIFEST):
                (self._partial / KEEP_PREVIOUS).touch()
                self._moved = True
        if self._moved:
            progress[MOVED] = True
        return made
