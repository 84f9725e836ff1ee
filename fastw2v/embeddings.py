"""The result of training: words and their vectors, questions about them, and the model folder that stores them.

A model folder holds ``model.json`` (config, versions, progress, sizes, checksums), ``vocab.tsv``, ``V.npy``, ``U.npy``
and ``metrics.jsonl`` (one record per chunk of training). With subwords it also holds ``subwords.npy`` (rows of words
and n-grams) and ``buckets.npy`` (pairs of a bucket and its row).
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConfigError, FolderError, python_option
from .files.arrays import load_array, npy_blocks
from .files.manifest import parse_json, read_manifest, write_digested, write_manifest
from .files.places import local_path
from .files.staging import PARTIAL, open_part, staged, write_errors
from .machine import versions
from .screen import printable
from .subwords.ngrams import Ngrams, check_ngrams
from .subwords.table import Subwords, checked_subwords
from .vectors.encode import Weights, encode, split_words
from .vectors.exchange import Exchange
from .vectors.lookup import checked_matrix
from .vectors.matrix import VectorsFile, check_limit
from .vectors.nearest import check_topn
from .vectors.rows import Key
from .vocab import Vocab, checked_vocab

MODEL_MANIFEST = "model.json"
_OF_FILES = {"encoding": "utf-8", "errors": "surrogateescape", "duplicates": "first"}  # defaults of `load`
LOAD_ATTEMPTS, LOAD_PAUSE = 10, 0.01  # seconds; publishing a checkpoint takes a fraction of it
# Fields of model.json that describe the folder's other files, not the training.
_DESCRIBED = {
    "format",
    "format_version",
    "n_words",
    "vector_size",
    "has_outside",
    "subwords",
    "vocab_sha256",
    "sha256",
    "checksum",
}


def _checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        same = parse_json(json.dumps(metadata).encode()) == metadata
    except (TypeError, ValueError, RecursionError) as reason:
        raise TypeError(
            f"metadata can't be stored as JSON ({reason!s:.80}): use strings as keys, lists, and finite numbers"
        ) from None
    if not isinstance(metadata, dict) or not same:
        raise TypeError("metadata can't be stored as JSON: use strings as keys, lists, and finite numbers")
    if reserved := sorted(_DESCRIBED & metadata.keys()):
        raise ValueError(f"metadata has the key {reserved[0]!r}, which model.json uses itself: choose another name")
    return metadata


def _checked_record(number: int, record: dict[str, Any]) -> dict[str, Any]:
    if (
        not isinstance(record, dict)
        or not all(isinstance(name, str) for name in record)
        or not all(isinstance(item, (str, int, float, NoneType)) for item in record.values())
    ):
        raise TypeError(f"record {number} of metrics is {record!r:.60}: give a dict of plain numbers and strings")
    return record


class Embeddings(Exchange):
    """Word vectors with their vocabulary; the matrices are read-only.

    Attributes:
        vocab: words and counts; row i of the matrices belongs to ``words[i]``.
        vectors: the centre rows V, float32 ``(n_words, vector_size)``, contiguous and read-only; usually called the
            word vectors.
        outside: the outside rows U, of the same shape, contiguous and read-only; None if only V is known.
        metadata: config, versions, progress and corpus sizes of the training, from model.json.
        metrics: one record per chunk of training, from metrics.jsonl.
        subwords: the rows of words and n-grams of which the vectors are composed; None without subwords. With them, a
            word that is not in the vocabulary has the vector of its n-grams; ``in`` still means the vocabulary.
    """

    def __init__(
        self,
        vocab: Vocab | Sequence[str],
        vectors: ArrayLike,
        outside: ArrayLike | None = None,
        metadata: dict[str, Any] | None = None,
        metrics: Sequence[dict[str, Any]] = (),
        subwords: Subwords | None = None,
    ) -> None:
        """Check that everything can be saved and loaded again.

        Raises:
            TypeError: a word is not a string, JSON can't hold metadata or metrics, or ``subwords`` has another type.
            ValueError: a word can't be stored or occurs twice, the shapes do not fit each other, or metadata has a key
                that model.json uses itself.
        """
        if isinstance(vocab, Vocab):
            self.vocab = vocab if vocab.checked else checked_vocab(vocab.words, vocab.counts)
        else:
            self.vocab = checked_vocab(vocab)
        self.vectors = checked_matrix("vectors", vectors, len(self.vocab))
        self.outside = None if outside is None else checked_matrix("outside", outside, len(self.vocab))
        if self.outside is not None and self.outside.shape != self.vectors.shape:
            raise ValueError(f"outside has shape {self.outside.shape}, but vectors have {self.vectors.shape}")
        self.metadata = _checked_metadata(metadata or {})
        self.metrics = [_checked_record(number, record) for number, record in enumerate(metrics)]
        self.subwords = None if subwords is None else checked_subwords(subwords, self.vectors.shape)
        self._norms = None

    def __repr__(self) -> str:
        return f"<Embeddings: {len(self)} words, vector_size {self.vector_size}>"

    def __getstate__(self) -> dict[str, Any]:
        names = ("vocab", "vectors", "outside", "metadata", "metrics", "subwords")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def analogy(self, a: Key, b: Key, c: Key, topn: int = 10) -> list[tuple[str, float]]:
        """Answer "a is to b as c is to ...?" by 3CosAdd: return the words nearest to b - a + c.

        Raises:
            UnknownWordError: a word has no vector.
        """
        return cast("list[tuple[str, float]]", self.most_similar(positive=[b, c], negative=[a], topn=topn))

    def predict_output_word(self, context_words_list: Sequence[Key], topn: int | None = 10) -> list[tuple[str, float]]:
        """Return the words that most probably occur with the given ones: softmax of U times the mean of their vectors.

        Args:
            context_words_list: words; those without a vector are left out.
            topn: how many words to return; None for all.

        Returns:
            (word, probability) pairs, the most probable first; an empty list if no word has a vector.

        Raises:
            TypeError: the words are one string.
            ValueError: these embeddings have no outside rows.
        """
        check_topn(topn)
        if self.outside is None:
            raise ValueError(
                "predict_output_word needs the outside rows U, which these embeddings lack: use a model that fastw2v "
                "trained"
            )
        if isinstance(context_words_list, (str, bytes)):
            raise TypeError(f"the words are one string, {context_words_list!r:.60}: give a list of words")
        vectors, known = self.find_vectors(list(context_words_list))
        if not known.any():
            return []
        logits = (self.outside @ vectors[known].mean(axis=0)).astype(np.float64)
        likelihoods = np.exp(logits - logits.max())
        likelihoods /= likelihoods.sum()
        best = np.argsort(-likelihoods, kind="stable")[: None if topn is None else max(topn, 0)]
        return [(self.words[row], float(likelihoods[row])) for row in best.tolist()]

    def encode(
        self,
        texts: Iterable[str | Sequence[str]],
        weights: Weights = "mean",
        normalize: bool = False,
        tokenize: Callable[[str], Sequence[str]] = split_words,
    ) -> NDArray[np.float32]:
        """Return a vector for each text: the weighted mean of the vectors of its known words.

        With subwords, a word that is not in the vocabulary has the vector of its n-grams. Only words without any n-gram
        of the training are unknown.

        Args:
            texts: strings, or lists of words. A word counts as often as it occurs. If all words are whole numbers, the
                integer 28 is the word "28".
            weights: "mean" gives every word the weight 1. "sif" gives the weight a / (a + p), where p is the word's
                share of the corpus and a = 1e-3: smooth inverse frequency, Arora et al., "A Simple but Tough-to-Beat
                Baseline for Sentence Embeddings" (2017). Their second step, which removes a common component, depends
                on all texts and is left to you. The share of a word that is not in the vocabulary is 0. A mapping gives
                each word its own weight; other words are left out.
            normalize: scale the vectors to length 1.
            tokenize: splits a string into words; by default at ASCII white space, as training does.

        Returns:
            float32 ``(n_texts, vector_size)``; zeros where no word is known.

        Raises:
            TypeError: ``texts`` is one string or a table, or a text is neither a string nor a list of words.
            ConfigError: (a ValueError) the weights are none of these, or are "sif" and the vectors have no counts.
            FormatError: the vector of a word is not finite.
        """
        return encode(self, texts, weights, normalize, tokenize)

    @classmethod
    def load(cls, path: str | PathLike[str], mmap: str | None = None) -> "Embeddings":
        """Open what `save` wrote; see `load`. ``mmap`` is gensim's: folders are always mapped."""
        return load(path)

    @classmethod
    def load_word2vec_format(cls, *arguments: Any, **options: Any) -> "Embeddings":
        """Read a file of vectors, with gensim's arguments; see `load_word2vec_format`."""
        return load_word2vec_format(*arguments, **options)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write a model folder; the complete folder replaces an existing one.

        Raises:
            FolderError: the folder can't be written, or is not a model folder.
        """
        with staged(Path(local_path(folder, FolderError, output=True)), MODEL_MANIFEST, "model") as partial:
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
            if self.subwords is not None:
                parts["subwords.npy"] = npy_blocks(self.subwords.rows)
                parts["buckets.npy"] = npy_blocks(np.stack([self.subwords.buckets, self.subwords.bucket_rows], axis=1))
            parts["metrics.jsonl"] = ((json.dumps(record) + "\n").encode() for record in self.metrics)
            digests = {name: write_digested(folder / name, blocks) for name, blocks in parts.items()}
            record = {
                "versions": versions(),
                **self.metadata,
                "n_words": len(self),
                "vector_size": self.vector_size,
                "has_outside": self.outside is not None,
                **({} if self.subwords is None else {"subwords": self.subwords.ngrams._asdict()}),
                "vocab_sha256": self.vocab.write(folder / "vocab.tsv"),
                "sha256": digests,
            }
            write_manifest(folder, MODEL_MANIFEST, "model", record, version=1 if self.subwords is None else 2)


def load(
    path: str | PathLike[str],
    *,
    limit: int | None = None,
    binary: bool | None = None,
    no_header: bool | None = None,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
    duplicates: Literal["first", "error"] = "first",
) -> Embeddings:
    """Open a model folder, or a file of vectors from any program.

    The matrices of a model folder are mapped without reading them. All its files come from the same checkpoint, even
    while a training is writing to the folder.

    A file holds vectors in the format of word2vec (text or binary), GloVe, fastText's ``.vec``, or `numpy.savez`, or it
    is a fastText model, ``.bin``. It may be compressed with gzip, bzip2, xz or zstd. Its content decides, not its name.
    ``-`` is standard input. The matrices of a fastText model are mapped, too, unless it is compressed.

    A folder or a file from a stranger is safe to open: nothing is executed, and contents are checked against lengths
    and against each other.

    Args:
        path: the folder or the file.
        limit: open only this many of the first rows, the most frequent words of a trained model.
        binary: whether a file is binary; None to detect it.
        no_header: whether a file of text has no first line ``n_words vector_size``; None to detect it.
        encoding: encoding of the words of a file.
        errors: how to decode words that are invalid in it, as in `bytes.decode`. By default they keep their bytes.
        duplicates: "first" keeps the first row of a word in a file; "error" refuses a file that repeats a word.

    Returns:
        The embeddings. Those of a file have counts of 0 where the file has none. Only fastText models have outside rows
        and subwords; classifiers and models with hierarchical softmax have no outside rows.

    Raises:
        FolderError: there is no such path, or a file of a folder is missing, truncated, or does not match the others.
        FormatError: a file can't be read, is damaged, or is not a file of vectors, or a number in it is not finite.
        ConfigError: the value of an option is invalid, or the option is for files and ``path`` is a folder.

    Warns:
        FastW2VWarning: a file repeats words, or its header announces another number of rows.
    """
    place = local_path(path, FolderError)
    of_file = {"binary": binary, "no_header": no_header}
    rest = {"encoding": encoding, "errors": errors, "duplicates": duplicates}
    if place == "-" or os.path.isfile(place) or (os.path.exists(place) and not os.path.isdir(place)):
        from .vectors.reader import read_vectors  # Its kernels are for files of vectors only.

        options: dict[str, Any] = of_file | rest
        return _of_file(read_vectors(place, limit=limit, **options))
    if not os.path.lexists(place):
        raise FolderError(f"{place or 'an empty path'} does not exist: give a model folder or a file of vectors")
    unfit = {name for name, value in of_file.items() if value is not None}
    unfit |= {name for name, value in rest.items() if value != _OF_FILES[name]}
    if unfit:
        raise ConfigError(f"{python_option(min(unfit))} is for a file of vectors, and {place} is a folder: omit it")
    check_limit(limit)
    return _open_consistent(Path(place)).first(limit)


def _of_file(found: VectorsFile) -> Embeddings:
    counts = np.zeros(len(found.words), np.int64) if found.counts is None else found.counts
    vocab = Vocab(found.words, counts, checked=True)
    return Embeddings(vocab, found.vectors, found.outside, found.metadata, subwords=found.subwords)


def _open_consistent(folder: Path) -> Embeddings:
    """Open a model folder while another process may be replacing its files."""
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
    subwords = read_subwords(folder, manifest, matrices[0].shape) if manifest.get("subwords") is not None else None
    return Embeddings(vocab, matrices[0], matrices[1] if len(matrices) > 1 else None, metadata, metrics, subwords)


def read_subwords(folder: Path, manifest: dict[str, Any], shape: tuple[int, ...]) -> Subwords:
    """Open the rows of words and n-grams of a model folder.

    Raises:
        FolderError: a file is missing or damaged, or does not match the others.
    """
    path, given = folder / MODEL_MANIFEST, manifest["subwords"]
    if not isinstance(given, dict) or not set(given) <= set(Ngrams._fields):
        raise FolderError(f"{path} has subwords {printable(repr(given)):.60}: train again")
    try:
        ngrams = Ngrams(**given)
        check_ngrams(ngrams)
    except (TypeError, ConfigError) as error:
        raise FolderError(f"{path} has subwords that do not fit ({printable(str(error)):.200}): train again") from None
    rows = load_array(folder / "subwords.npy", np.float32)
    table = load_array(folder / "buckets.npy", np.int32, may_be_empty=True)
    if table.ndim != 2 or table.shape[1] != 2:
        raise FolderError(f"{folder / 'buckets.npy'} has shape {table.shape}, but it has two columns: train again")
    subwords = Subwords(ngrams, rows, np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1]))
    try:
        return checked_subwords(subwords, shape, (str(folder / "subwords.npy"), str(folder / "buckets.npy")))
    except ValueError as error:
        raise FolderError(f"{error}: train again") from None


def load_word2vec_format(
    path: str | PathLike[str],
    fvocab: str | PathLike[str] | None = None,
    binary: bool | None = None,
    encoding: str = "utf-8",
    unicode_errors: str = "surrogateescape",
    limit: int | None = None,
    no_header: bool | None = False,
) -> Embeddings:
    """Read a file of vectors, with gensim's arguments; see `load`.

    Args:
        path: the file.
        fvocab: a file of lines "word count"; words that it lacks have the count 0.
        binary: see `load`.
        encoding: see `load`.
        unicode_errors: see ``errors`` of `load`.
        limit: see `load`.
        no_header: see `load`; by default there must be a header.

    Raises:
        FormatError, ConfigError: see `load`; or a line of ``fvocab`` is not a word and a count.
    """
    from .vectors.reader import read_counts, read_vectors

    options: dict[str, Any] = {"binary": binary, "no_header": no_header, "limit": limit, "encoding": encoding}
    embeddings = _of_file(read_vectors(path, errors=unicode_errors, **options))
    if fvocab is None:
        return embeddings
    counts = read_counts(fvocab, encoding, unicode_errors)
    of_words = np.array([counts.get(word, 0) for word in embeddings.words], np.int64)
    return Embeddings(Vocab(embeddings.words, of_words, checked=True), embeddings.vectors)
