"""A corpus as ids on disk: made from text once, mapped into memory by every training run.

A prepared folder holds ``prepared.json`` (settings, sizes, versions), ``vocab.tsv``, ``ids.npy`` (int32, all tokens of
all sentences end to end) and ``offsets.npy`` (int64; sentence s is ``ids[offsets[s]:offsets[s + 1]]``).
"""

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import DTypeLike, NDArray

from . import __version__
from .config import TrainConfig
from .errors import ConfigError, CorpusError, FolderError
from .ingest import ingest_files, ingest_sentences, renumber
from .staging import read_manifest, staged, write_errors, write_manifest
from .vocab import Vocab, build_vocab

MANIFEST = "prepared.json"
BLOCK_IDS = 1 << 22

PathOrPaths: TypeAlias = str | PathLike[str] | Sequence[str | PathLike[str]]
CorpusInput: TypeAlias = PathOrPaths | Iterable[Iterable[str]]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus ready to train on.

    Attributes:
        vocab: the words; ids count from the most frequent.
        ids: int32 ``(n_tokens,)``, the tokens that are in the vocabulary; read-only.
        offsets: int64 ``(n_sentences + 1,)``; a sentence may be empty; read-only.
        tokens_read: tokens of the text, with those that are not in the vocabulary.
        min_count: what the vocabulary was made with.
        max_vocab: what the vocabulary was made with.
    """

    vocab: Vocab
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    tokens_read: int
    min_count: int = 1
    max_vocab: int | None = None

    def let_go(self) -> None:
        """Take the pages read so far out of this process's memory, where they are a file's; it is read again later."""
        for array in (self.ids, self.offsets):
            base: Any = array
            while isinstance(base, np.ndarray):
                base = base.base
            if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                base.madvise(mmap.MADV_DONTNEED)


def check_ids(ids: Any, offsets: Any, n_words: int, name: str = "ids") -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return a corpus in CSR form as read-only int32 ids and int64 offsets, or raise before a kernel sees it.

    Raises:
        CorpusError: not integers, wrong shape, offsets that do not start at 0, decrease, or do not end at the number of
            ids, or an id outside ``[0, n_words)``.
    """
    ids, offsets = np.asarray(ids), np.asarray(offsets)
    for array, dtype, what in ((ids, "int32", name), (offsets, "int64", "offsets")):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise CorpusError(f"{what} is {array.dtype} with shape {array.shape}: give a one-dimensional {dtype} array")
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(ids):
        raise CorpusError(f"offsets of {name} must go from 0 to the number of ids, {len(ids)}")
    for start in range(0, len(offsets) - 1, BLOCK_IDS):
        if np.any(np.diff(offsets[start : start + BLOCK_IDS + 1]) < 0):
            raise CorpusError(f"offsets of {name} decrease: sentence s is ids[offsets[s]:offsets[s + 1]]")
    for start in range(0, len(ids), BLOCK_IDS):
        block = ids[start : start + BLOCK_IDS]
        low, high = int(block.min()), int(block.max())
        if low < 0 or high >= n_words:
            raise CorpusError(f"{name} holds {low if low < 0 else high}: every id must be from 0 to {n_words - 1}")
    ids, offsets = np.ascontiguousarray(ids, np.int32).view(), np.ascontiguousarray(offsets, np.int64).view()
    ids.flags.writeable = offsets.flags.writeable = False
    return ids, offsets


def _prepare_into(folder: Path, corpus: CorpusInput, min_count: int, max_vocab: int | None) -> Corpus:
    """Write ids.npy, offsets.npy, vocab.tsv and prepared.json into an existing folder, and open them."""
    provisional = folder / "provisional.i32"
    with open(provisional, "wb") as sink:
        paths = as_paths(corpus)
        ingested = ingest_sentences(corpus, sink) if paths is None else ingest_files(paths, sink)  # type: ignore[arg-type]
    vocab, final_id = build_vocab(ingested, min_count, max_vocab)
    n_tokens = int(vocab.counts.sum())
    with write_errors(folder):
        _write_ids(folder, provisional, final_id, n_tokens, ingested.n_sentences)
        provisional.unlink()
        record = {
            "fastw2v": __version__,
            "min_count": min_count,
            "max_vocab": max_vocab,
            "sources": None if paths is None else [fspath(path) for path in paths],
            "tokens_read": ingested.n_tokens,
            "tokens": n_tokens,
            "distinct_words_read": len(ingested.words),
            "words": len(vocab),
            "sentences": ingested.n_sentences,
            "vocab_sha256": vocab.write(folder / "vocab.tsv"),
        }
        write_manifest(folder, MANIFEST, "prepared", record)
    return open_prepared(folder)


def _write_ids(folder: Path, provisional: Path, final_id: NDArray[np.int32], n_tokens: int, n_sentences: int) -> None:
    """Write ids.npy and offsets.npy from the provisional stream, block by block.

    By ordinary writes: through a memory map, a disk that fills up would kill the process.
    """
    done_ids = done_ends = 0
    with (
        open(provisional, "rb") as source,
        open(folder / "ids.npy", "wb") as ids_file,
        open(folder / "offsets.npy", "wb") as offsets_file,
    ):
        for file, dtype, length in ((ids_file, np.int32, n_tokens), (offsets_file, np.int64, n_sentences + 1)):
            header = {"descr": dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": (length,)}
            write_array_header_1_0(file, header)
        offsets_file.write(np.zeros(1, np.int64).data)
        ids, ends = np.empty(BLOCK_IDS, np.int32), np.empty(BLOCK_IDS, np.int64)
        while len(block := np.fromfile(source, np.int32, BLOCK_IDS)):
            n_ids, n_ends = renumber(block, final_id, ids, ends, done_ids)
            ids_file.write(ids[:n_ids].data)
            offsets_file.write(ends[:n_ends].data)
            done_ids, done_ends = done_ids + n_ids, done_ends + n_ends
    if (done_ids, done_ends) != (n_tokens, n_sentences):
        raise CorpusError(f"{provisional} changed while it was being read: prepare again")


def as_paths(corpus: CorpusInput) -> list[str | PathLike[str]] | None:
    """Return the corpus as a list of paths, or None if it is not made of paths but of sentences."""
    if isinstance(corpus, (str, PathLike)):
        if not fspath(corpus):
            raise CorpusError("corpus is an empty string: give a path")
        return [corpus]
    if not isinstance(corpus, Iterable) or isinstance(corpus, (bytes, bytearray)):  # type: ignore[unreachable]
        raise CorpusError(f"corpus is a {type(corpus).__name__}: give a path, paths, or sentences as lists of tokens")
    if isinstance(corpus, Sequence) and corpus and all(isinstance(item, (str, PathLike)) for item in corpus):
        if not any(fspath(path) == "-" or os.path.exists(path) for path in corpus):
            first = fspath(corpus[0])
            raise CorpusError(
                f"cannot read {first!r:.60}: No such file (strings are paths; a sentence is a list of tokens)"
            )
        return list(corpus)
    return None


def prepare(
    corpus: CorpusInput, output: str | PathLike[str], *, min_count: int = 5, max_vocab: int | None = None
) -> Corpus:
    """Turn text into a vocabulary and int32 token ids on disk, once.

    Args:
        corpus: a path, several paths (``-`` is standard input), or an iterable of token lists, read once.
        output: the folder to make; a prepared folder that stands there is replaced when the new one is complete.
        min_count: drop words seen less often.
        max_vocab: keep only this many of the most frequent words.

    Returns:
        The corpus, mapped from the folder.

    Raises:
        ConfigError: an option is out of range.
        CorpusError: see `ingest.ingest_files`, `ingest.ingest_sentences` and `vocab.build_vocab`.
        FolderError: the folder can't be written, or is something else.
    """
    config = TrainConfig(min_count=min_count, max_vocab=max_vocab)
    with staged(Path(output), MANIFEST, "prepared") as partial:
        _prepare_into(partial, corpus, config.min_count, config.max_vocab)
    return open_prepared(output)


def is_prepared(path: str | PathLike[str]) -> bool:
    """Tell whether a path is a prepared folder."""
    return os.path.isfile(os.path.join(path, MANIFEST))


def open_prepared(folder: str | PathLike[str]) -> Corpus:
    """Map a prepared folder into memory.

    Raises:
        FolderError: a part is missing, truncated, or does not fit the others.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, MANIFEST, "prepared")
    vocab = Vocab.read(folder / "vocab.tsv", str(manifest.get("vocab_sha256")))
    try:
        ids, offsets = check_ids(
            load_array(folder / "ids.npy", np.int32),
            load_array(folder / "offsets.npy", np.int64),
            len(vocab),
            str(folder / "ids.npy"),
        )
    except CorpusError as error:
        raise FolderError(str(error)) from None
    expected = (manifest.get("tokens"), manifest.get("sentences"), manifest.get("words"))
    if expected != (len(ids), len(offsets) - 1, len(vocab)):
        raise FolderError(
            f"{folder}: sizes in {MANIFEST} are not those of ids.npy, offsets.npy and vocab.tsv: prepare again"
        )
    tokens_read = manifest.get("tokens_read")
    if not isinstance(tokens_read, int) or not isinstance(manifest.get("min_count"), int):
        raise FolderError(f"{folder / MANIFEST} lacks tokens_read or min_count: prepare again")
    corpus = Corpus(vocab, ids, offsets, tokens_read, manifest["min_count"], manifest.get("max_vocab"))
    corpus.let_go()  # of what was read to be checked
    return corpus


def load_array(path: Path, dtype: DTypeLike) -> NDArray[Any]:
    """Map a .npy file read-only; never unpickles.

    Raises:
        FolderError: the file is missing, truncated or not a .npy file, or holds another dtype.
    """
    try:
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FolderError(f"{path} is missing") from None
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # NumPy raises whatever its header parser meets in a damaged file
        raise FolderError(f"{path} is damaged: truncated, or not an array of numbers") from error
    if mapped.dtype != dtype:
        raise FolderError(f"{path} holds {mapped.dtype}, not {np.dtype(dtype)}: it belongs to something else")
    return mapped


@contextmanager
def opened(corpus: CorpusInput, scratch: Path | None, min_count: int | None, max_vocab: int | None) -> Iterator[Corpus]:
    """Give the corpus of a training run: a prepared folder as it stands, anything else prepared for this run only.

    Args:
        corpus: as for `prepare`, or the path of a prepared folder.
        scratch: folder for the ids of this run, not yet there; None for a temporary one.
        min_count: None for the default, or for what a prepared folder was made with.
        max_vocab: the same.

    Raises:
        ConfigError: ``min_count`` or ``max_vocab`` is not what the prepared folder was made with.
    """
    paths = as_paths(corpus)
    if paths is not None and len(paths) == 1 and is_prepared(paths[0]):
        ready = open_prepared(paths[0])
        for name, asked in (("min_count", min_count), ("max_vocab", max_vocab)):
            made_with = getattr(ready, name)
            if asked is not None and asked != made_with:
                raise ConfigError(
                    f"{name} is {asked}, but {fspath(paths[0])} was made with {made_with}: omit it, or prepare again"
                )
        yield ready
        return
    config = TrainConfig()
    min_count = config.min_count if min_count is None else min_count
    if scratch is not None:
        scratch.mkdir()
        yield _prepare_into(scratch, corpus, min_count, max_vocab)
    else:
        with tempfile.TemporaryDirectory(prefix="fastw2v-") as temporary:
            yield _prepare_into(Path(temporary), corpus, min_count, max_vocab)
