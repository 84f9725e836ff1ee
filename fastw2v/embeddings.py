"""The result of training: words and their vectors, questions about them, and the model folder that stores them.

A model folder holds ``model.json`` (config, versions, progress, sizes, checksums), ``vocab.tsv``, ``V.npy``, ``U.npy``
and ``metrics.jsonl`` (one record per chunk of training).
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import FolderError, FormatError, UnknownWordError
from .files.arrays import load_array, npy_blocks
from .files.manifest import read_manifest, write_digested, write_manifest
from .files.staging import PARTIAL, open_part, staged, write_errors
from .machine import versions
from .screen import printable
from .vectors import word2vec_format, writer
from .vocab import Vocab

MODEL_MANIFEST = "model.json"
LOAD_ATTEMPTS, LOAD_PAUSE = 10, 0.01  # seconds; publishing a checkpoint takes a fraction of it
# Fields of model.json that describe the folder's other files, not the training.
_DESCRIBED = {
    "format",
    "format_version",
    "n_words",
    "vector_size",
    "has_outside",
    "vocab_sha256",
    "sha256",
    "checksum",
}
WordOrVector: TypeAlias = str | int | NDArray[np.floating]
ExportFormat: TypeAlias = writer.Format


def _read_only(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    view = matrix.view()
    view.flags.writeable = False
    return view


class Embeddings:
    """Word vectors with their vocabulary; the matrices are read-only.

    Attributes:
        vocab: words and counts; row i of the matrices belongs to ``words[i]``.
        vectors: the centre rows V, float32 ``(n_words, vector_size)``, read-only; usually called the word vectors.
        outside: the outside rows U, the same shape, read-only; None where only V is known.
        metadata: config, versions, progress and corpus sizes of the training, from model.json.
        metrics: one record per chunk of training, from metrics.jsonl.
    """

    def __init__(
        self,
        vocab: Vocab,
        vectors: NDArray[np.float32],
        outside: NDArray[np.float32] | None = None,
        metadata: dict[str, Any] | None = None,
        metrics: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.vocab = vocab
        self.vectors = _read_only(vectors)
        self.outside = None if outside is None else _read_only(outside)
        self.metadata = metadata or {}
        self.metrics = list(metrics)
        self._norms: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        return f"<Embeddings: {len(self)} words, vector_size {self.vector_size}>"

    @property
    def words(self) -> Sequence[str]:
        """The words in row order; in a trained vocabulary the most frequent word comes first."""
        return self.vocab.words

    @property
    def vector_size(self) -> int:
        """Number of columns."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vocab)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.vocab.index

    def __getitem__(self, word: str | int) -> NDArray[np.float32]:
        """Return the vector of a word, shape ``(vector_size,)``.

        Raises:
            UnknownWordError: (a KeyError) the word is not in the vocabulary.
        """
        vector: NDArray[np.float32] = self.vectors[self.row(word)]
        return vector

    def row(self, word: str | int) -> int:
        """Return the row of a word; an integer, such as an id of `train_ids`, is itself a row.

        Raises:
            UnknownWordError: (a KeyError) the word is not in the vocabulary.
        """
        try:
            if isinstance(word, (int, np.integer)) and 0 <= word < len(self):
                return int(word)
            return self.vocab.index[word]  # type: ignore[index]
        except (KeyError, TypeError):
            shown = printable(word) if isinstance(word, str) else repr(word)
            raise UnknownWordError(f"the word {shown!r:.60} is not in the vocabulary of {len(self):,} words") from None

    @property
    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of every vector, float32 ``(n_words,)``, with 1 in place of 0; computed once.

        Raises:
            FormatError: a vector is not finite, or its length is too large for float32.
        """
        if self._norms is None:
            blocks = (self.vectors[i : i + 65_536] for i in range(0, len(self), 65_536))
            norms = np.concatenate([np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64)) for block in blocks])
            norms[norms == 0] = 1
            wrong = np.flatnonzero(~(norms <= np.finfo(np.float32).max / 4))
            if len(wrong):
                word = self.words[int(wrong[0])]
                raise FormatError(
                    f"the vector of the word {word!r:.60} is not finite, or too long to compare: repair it"
                )
            self._norms = norms.astype(np.float32)
        return self._norms

    def unit_vectors(self, rows: NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """Return these rows scaled to length 1, shape ``(rows, vector_size)``."""
        unit: NDArray[np.float32] = self.vectors[rows] / self.norms[rows, None]
        return unit

    def similarity(self, a: str | int, b: str | int) -> float:
        """Return the cosine of two words' vectors.

        Raises:
            UnknownWordError: a word is not in the vocabulary.
        """
        unit = self.unit_vectors(np.array([self.row(a), self.row(b)]))
        return float(unit[0] @ unit[1])

    def most_similar(
        self,
        positive: WordOrVector | Sequence[WordOrVector] = (),
        negative: WordOrVector | Sequence[WordOrVector] = (),
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """Return the words whose vectors are nearest, by cosine, to a sum of vectors.

        Args:
            positive: words or vectors to add, each scaled to length 1; or a single one.
            negative: words or vectors to subtract.
            topn: how many words to return; words of the query are never returned.

        Returns:
            (word, cosine) pairs, nearest first.

        Raises:
            UnknownWordError: a word is not in the vocabulary.
            FormatError: a vector of the vocabulary is not finite.
            ValueError: the query is empty, a vector has the wrong shape or is not finite, or topn is below 1.
        """
        if not isinstance(topn, (int, np.integer)) or topn < 1:
            raise ValueError(f"topn is {topn!r}: give a whole number, at least 1")
        query = np.zeros(self.vector_size, np.float64)
        query_rows: list[int] = []
        has_vector = False
        for sign, items in ((1, positive), (-1, negative)):
            for item in [items] if isinstance(items, (str, int, np.integer, np.ndarray)) else items:
                if isinstance(item, (str, int, np.integer)):
                    query_rows.append(self.row(item))
                    query += sign * self.unit_vectors(np.array(query_rows[-1:]))[0]
                    continue
                vector = np.asarray(item)
                if vector.dtype.kind not in "fiu" or vector.shape != query.shape or not np.isfinite(vector).all():
                    raise ValueError(f"{item!r:.60} is neither a word nor {query.shape} finite numbers")
                has_vector = True
                vector = vector.astype(np.float64)
                query += sign * vector / (np.linalg.norm(vector) or 1)
        if not query_rows and not has_vector:
            raise ValueError("give at least one word or vector")
        scores = self.vectors @ (query / (np.linalg.norm(query) or 1)).astype(np.float32) / self.norms
        scores[query_rows] = -np.inf
        n = min(topn, len(self) - len(set(query_rows)))
        if n < 1:
            return []
        best = np.argpartition(-scores, n - 1)[:n]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(self.words[i], float(scores[i])) for i in best]

    def analogy(self, a: str | int, b: str | int, c: str | int, topn: int = 10) -> list[tuple[str, float]]:
        """Answer "a is to b as c is to ...?" by 3CosAdd: return the words nearest to b - a + c.

        Raises:
            UnknownWordError: a word is not in the vocabulary.
        """
        return self.most_similar(positive=[b, c], negative=[a], topn=topn)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write a model folder; the complete folder replaces an existing one.

        Raises:
            FolderError: the folder can't be written, or is not a model folder.
        """
        with staged(Path(folder), MODEL_MANIFEST, "model") as partial:
            self.write_parts(partial)

    def write_parts(self, folder: Path) -> None:
        """Write the files of a model folder into an existing folder, model.json last.

        Raises:
            FolderError: the files can't be written.
        """
        with write_errors(folder):
            parts: dict[str, Iterator[bytes | memoryview]] = {"V.npy": npy_blocks(self.vectors)}
            if self.outside is not None:
                parts["U.npy"] = npy_blocks(self.outside)
            parts["metrics.jsonl"] = ((json.dumps(record) + "\n").encode() for record in self.metrics)
            digests = {name: write_digested(folder / name, blocks) for name, blocks in parts.items()}
            record = {
                "versions": versions(),
                **self.metadata,
                "n_words": len(self),
                "vector_size": self.vector_size,
                "has_outside": self.outside is not None,
                "vocab_sha256": self.vocab.write(folder / "vocab.tsv"),
                "sha256": digests,
            }
            write_manifest(folder, MODEL_MANIFEST, "model", record)

    def export(self, path: str | PathLike[str], format: ExportFormat | None = None) -> None:
        """Write the vectors to a file that other programs read; an existing file is replaced only by a complete one.

        | suffix | format | holds |
        |---|---|---|
        | ``.bin``, none | word2vec-bin | float32, byte for byte as word2vec.c writes it |
        | ``.txt``, ``.vec`` | word2vec-text | six decimals, byte for byte as word2vec.c writes it |
        | ``.glove`` | glove | no header; the fewest digits that read back as the same float32 |
        | ``.npz`` | npz | arrays ``vectors``, ``words`` and ``counts`` for `numpy.load` |
        | ``.tsv`` | projector | for the Embedding Projector: numbers, and words and counts in ``.metadata.tsv`` |
        | | model2vec | a folder that model2vec and sentence-transformers open |

        ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` after the suffix packs the file. Links are followed. A file that can't
        be replaced, such as one that is mounted by itself, is written in place.

        Args:
            path: the file to write, or the folder for model2vec; "-" is standard output.
            format: overrides the suffix. None follows it, and also takes a folder that was written as model2vec.

        Warns:
            FastW2VWarning: the suffix means another format; or words are not valid UTF-8, so that gensim needs an
                option to read the file; or a model2vec tokenizer can't find words, because they hold spaces.

        Raises:
            FormatError: the suffix is unknown; the format can't hold a word (white space in word2vec and GloVe files,
                NUL at the end in npz, no valid UTF-8 in model2vec); a vector is not finite; or the file is read-only,
                is part of a model folder, or can't be written.
            FolderError: the folder holds something else, or can't be written.
            ValueError: the format is none of these.
        """
        writer.write(path, self.words, self.vectors, self.vocab.counts, format)

    def to_gensim(self) -> Any:
        """Return a ``gensim.models.KeyedVectors`` with these vectors and counts; requires gensim."""
        from gensim.models import KeyedVectors

        keyed = KeyedVectors(self.vector_size)
        keyed.add_vectors(list(self.words), np.array(self.vectors))
        for word, count in zip(self.words, self.vocab.counts.tolist(), strict=True):
            keyed.set_vecattr(word, "count", count)
        return keyed


def load(folder: str | PathLike[str]) -> Embeddings:
    """Open a model folder; map the matrices without reading them.

    All files come from the same checkpoint, even while a training is writing to the folder. A folder from a stranger is
    safe to open: this reads only files with fixed names, executes nothing, and checks their contents against their
    lengths and against each other.

    Raises:
        FolderError: a file is missing, truncated, or does not match the others.
    """
    folder = Path(folder)
    for _ in range(LOAD_ATTEMPTS):
        try:
            manifest = read_manifest(folder, MODEL_MANIFEST, "model")
            embeddings = _open(folder, manifest)
            if read_manifest(folder, MODEL_MANIFEST, "model") == manifest:
                return embeddings
        except FolderError:
            if not os.path.isdir(folder / PARTIAL):  # No other run is replacing it.
                raise
        time.sleep(LOAD_PAUSE)
    return _open(folder, read_manifest(folder, MODEL_MANIFEST, "model"))


def _open(folder: Path, manifest: dict[str, Any]) -> Embeddings:
    vocab = Vocab.read(folder / "vocab.tsv", str(manifest.get("vocab_sha256")))
    shape = (manifest.get("n_words"), manifest.get("vector_size"))
    if shape[0] != len(vocab):
        raise FolderError(
            f"{folder / MODEL_MANIFEST} gives {shape[0]!r:.20} words, but vocab.tsv has {len(vocab)}: train again"
        )
    if not len(vocab):
        raise FolderError(f"{folder / 'vocab.tsv'} is empty, but a model has at least one word: train again")
    matrices = []
    for name in ("V.npy", "U.npy")[: 2 if manifest.get("has_outside", True) else 1]:
        matrix = load_array(folder / name, np.float32)
        if matrix.shape != shape:
            raise FolderError(
                f"{folder / name} has shape {matrix.shape}, but {MODEL_MANIFEST} and vocab.tsv give {shape!s:.60}"
            )
        matrices.append(matrix)
    metrics = []
    path = folder / "metrics.jsonl"
    try:
        with open_part(path) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = json.loads(line.decode("utf-8"))
                except (ValueError, RecursionError):
                    record = None
                if not isinstance(record, dict) or any(isinstance(item, (dict, list)) for item in record.values()):
                    raise FolderError(f"{path} line {number} is not a JSON object of numbers and strings")
                metrics.append(record)
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror or error}") from error
    metadata = {key: value for key, value in manifest.items() if key not in _DESCRIBED}
    return Embeddings(vocab, matrices[0], matrices[1] if len(matrices) > 1 else None, metadata, metrics)


def load_word2vec_format(path: str | PathLike[str], *, binary: bool) -> Embeddings:
    """Read a text or binary file written by word2vec.c, gensim or this package.

    Args:
        path: the file.
        binary: whether the file is in the binary format.

    Returns:
        Embeddings without outside rows; all counts are 0, because the format stores none.

    Raises:
        FormatError: the file is missing or malformed, its header announces more than it holds or more than 65,536
            columns, a number is not finite, or a word occurs twice.
    """
    words, vectors = word2vec_format.read(path, binary=binary)
    return Embeddings(Vocab(words, np.zeros(len(words), np.int64)), vectors)
