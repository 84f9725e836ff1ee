"""Look up words and their vectors, with the method names of gensim's KeyedVectors."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import FormatError
from ..screen import printable
from ..subwords.table import Subwords
from ..vocab import Vocab, plain
from .rows import Key, Rows, is_key
from .unseen import LONGEST, unseen_vectors

#: A key, or a vector of shape ``(vector_size,)``.
KeyOrVector: TypeAlias = str | int | NDArray[np.floating]

_INSTEAD = {  # Names of gensim that are not here, also those of old versions.
    "index2word": "index_to_key",
    "index2entity": "index_to_key",
    "syn0": "vectors",
    "syn0norm": "get_normed_vectors()",
    "vectors_norm": "get_normed_vectors()",
    "word_vec": "get_vector",
    "fill_norms": "norms",
    "unit_normalize_all": "init_sims(replace=True)",
    "words_closer_than": "closer_than",
    "cosine_similarities": "distances",
    "most_similar_to_given": "distances(word, others).argmin()",
    "relative_cosine_similarity": "similarity and most_similar",
    "evaluate_word_pairs": "fastw2v.evaluate_similarity",
    "evaluate_word_analogies": "fastw2v.evaluate_analogies",
    "rank_by_centrality": "doesnt_match",
    "train": "fastw2v.train(text, init_from=embeddings, keep_words=True)",
    "intersect_word2vec_format": "wv[words] = vectors, or fastw2v.train(..., init_from=vectors)",
    "set_vecattr": "Embeddings.from_vectors(words, vectors, counts)",
    "expandos": "get_vecattr(word, 'count')",
}
_NORM_ROWS = 65_536  # at once


def read_only(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a view that can't be written to."""
    view = matrix.view()
    view.flags.writeable = False
    return view


def checked_matrix(name: str, matrix: ArrayLike, n_words: int) -> NDArray[np.float32]:
    """Return a matrix that a model folder can hold: contiguous, float32 and read-only."""
    if np.ma.is_masked(matrix):
        raise ValueError(f"{name} hold masked numbers: give a plain array, as with .filled(0)")
    given = np.asarray(matrix)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"{name} are {given.dtype}: give float32 numbers")
    if given.ndim != 2 or len(given) != n_words or given.shape[1] < 1:
        raise ValueError(f"{name} have shape {given.shape}: give {n_words:,} rows of numbers, one for each word")
    with np.errstate(over="ignore"):  # An infinite number is found where it matters.
        return read_only(np.ascontiguousarray(given, np.float32).view(np.ndarray))


class Lookup(Rows):
    """Words and their vectors; see `embeddings.Embeddings`."""

    vocab: Vocab
    vectors: NDArray[np.float32]
    outside: NDArray[np.float32] | None
    metadata: dict[str, Any]
    metrics: list[dict[str, Any]]
    subwords: Subwords | None
    _norms: NDArray[np.float32] | None

    @classmethod
    def live(
        cls,
        vocab: Vocab,
        V: NDArray[np.float32],
        U: NDArray[np.float32] | None,
        metadata: dict[str, Any],
        metrics: Sequence[dict[str, Any]] = (),
        subwords: Subwords | None = None,
    ) -> Self:
        """Return embeddings without a check or a copy: V and U may be columns of padded matrices."""
        embeddings = cls.__new__(cls)
        embeddings.vocab = vocab
        embeddings.vectors = read_only(V)
        embeddings.outside = None if U is None else read_only(U)
        embeddings.metadata, embeddings.metrics, embeddings._norms = metadata, list(metrics), None
        embeddings.subwords = subwords
        return embeddings

    if not TYPE_CHECKING:  # Otherwise a type checker would accept a misspelt name.

        def __getattr__(self, name: str) -> Any:
            hint = f": use {_INSTEAD[name]}" if name in _INSTEAD else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    @property
    def wv(self) -> Self:
        """These embeddings: code for gensim reads vectors from ``model.wv``."""
        return self

    @property
    def vector_size(self) -> int:
        """Number of columns."""
        return int(self.vectors.shape[1])

    def __getitem__(self, key: Key | Sequence[Key] | NDArray[np.integer]) -> NDArray[np.float32]:
        """Return the vector of a key, shape ``(vector_size,)``, or of a list of keys, ``(n_keys, vector_size)``.

        With subwords, a word that is not in the vocabulary has the mean of the rows of its n-grams. Those that do not
        occur in any word of the training count as zeros.

        Raises:
            UnknownWordError: (a KeyError) a key has no row and, with subwords, none of its n-grams has one.
            FormatError: the rows of the n-grams of a word are not finite.
            TypeError: it is neither a key nor a list of keys.
        """
        row = self.vocab.index.get(key) if type(key) is str else self._find(key) if type(key) is int else None
        if row is not None:
            vector: NDArray[np.float32] = self.vectors[row]
            return vector
        if is_key(key):
            return self.get_vector(key)  # type: ignore[arg-type]
        if isinstance(key, (list, tuple)) or (isinstance(key, np.ndarray) and key.ndim == 1):
            return self._vectors_of(key)
        raise TypeError(f"{key!r:.60} is a {type(key).__name__}: give a word, a row, or a list of them")

    def find_vectors(self, keys: Sequence[object], norm: bool = False) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the vectors of keys, also of words made from n-grams, and which of the keys have one.

        Returns:
            float32 ``(n_keys, vector_size)``, with zeros for keys without a vector, and bool ``(n_keys,)``.

        Raises:
            FormatError: a vector is not finite.
        """
        rows = self._find_rows(keys)
        known = rows >= 0
        vectors: NDArray[np.float32] = self.unit_vectors(rows[known]) if norm else self.vectors[rows[known]]
        if known.all():
            return vectors, known
        all_vectors = np.zeros((len(rows), self.vector_size), np.float32)
        all_vectors[known] = vectors
        words = {i: plain(key) for i in np.flatnonzero(~known).tolist() if isinstance(key := keys[i], str)}
        if self.subwords is not None and words:
            places = list(words)
            all_vectors[places], n_known = unseen_vectors(self.subwords, list(words.values()), norm)
            known[places] = n_known > 0
        return all_vectors, known

    def _vectors_of(self, keys: Iterable[Key], norm: bool = False) -> NDArray[np.float32]:
        listed = list(keys)
        rows = [self._find(key) for key in listed]
        if None not in rows:
            chosen = np.array(rows, np.int64)
            return self.unit_vectors(chosen) if norm else self.vectors[chosen]
        vectors, known = self.find_vectors(listed, norm)
        if not known.all():
            self.row(listed[int(known.argmin())])  # It raises.
        return vectors

    @property
    def norms(self) -> NDArray[np.float32]:
        """Euclidean length of every vector, float32 ``(n_words,)``, with 1 in place of 0; computed once.

        Raises:
            FormatError: a vector is not finite, or its length is too large for float32.
        """
        if self._norms is None:
            blocks = (self.vectors[i : i + _NORM_ROWS] for i in range(0, len(self), _NORM_ROWS))
            norms = np.concatenate([np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64)) for block in blocks])
            norms[norms == 0] = 1
            wrong = np.flatnonzero(~(norms <= LONGEST))
            if len(wrong):
                word = self.words[int(wrong[0])]
                raise FormatError(
                    f"the vector of the word {printable(word)!r:.60} is not finite, or too long to compare: repair it"
                )
            self._norms = norms.astype(np.float32)
        return self._norms

    def unit_vectors(self, rows: NDArray[np.integer] | slice) -> NDArray[np.float32]:
        """Return these rows scaled to length 1, shape ``(rows, vector_size)``."""
        unit: NDArray[np.float32] = self.vectors[rows] / self.norms[rows, None]
        return unit

    def get_vector(self, key: Key, norm: bool = False) -> NDArray[np.float32]:
        """Return the vector of a key, shape ``(vector_size,)``, read-only; with ``norm`` scaled to length 1.

        Raises:
            UnknownWordError: (a KeyError) the key has no row and, with subwords, none of its n-grams has one.
            FormatError: the rows of the n-grams of a word are not finite.
        """
        row = self._find(key)
        vector: NDArray[np.float32]
        if row is not None and not norm:
            vector = self.vectors[row]
            return vector
        vector = self._vectors_of([key], norm)[0] if row is None else self.vectors[row] / self.norms[row]
        vector.flags.writeable = False
        return vector

    def get_normed_vectors(self) -> NDArray[np.float32]:
        """Return all vectors scaled to length 1, a new array of shape ``(n_words, vector_size)``."""
        return self.unit_vectors(slice(None))

    def get_mean_vector(
        self,
        keys: Sequence[KeyOrVector] | NDArray[np.floating],
        weights: ArrayLike | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> NDArray[np.float32]:
        """Return the weighted mean of vectors: their weighted sum, divided by the sum of the absolute weights.

        Args:
            keys: keys, or vectors, which are taken as they are.
            weights: a number for each key, in the order of ``keys``; None for ones.
            pre_normalize: scale the vectors of keys to length 1 first.
            post_normalize: scale the mean to length 1.
            ignore_missing: leave out keys that have no vector.

        Returns:
            float32 ``(vector_size,)``; zeros if no key has a vector.

        Raises:
            UnknownWordError: (a KeyError) a key has no vector, and ``ignore_missing`` is false.
            ValueError: there is no key, or the weights do not fit the keys, or a vector has the wrong shape.
            TypeError: ``keys`` is one string, or an item is neither a key nor a vector.
        """
        if isinstance(keys, (str, bytes)):
            raise TypeError(f"keys is one string, {keys!r:.60}: give a list of words")
        if len(keys) == 0:
            raise ValueError("keys is empty: give at least one")
        factors = np.ones(len(keys)) if weights is None else np.asarray(weights, np.float64)
        if factors.shape != (len(keys),) or not np.isfinite(factors).all():
            raise ValueError(f"weights has shape {factors.shape}: give {len(keys)} finite numbers, one per key")
        mean = np.zeros(self.vector_size, np.float64)
        total = 0.0
        words: list[Any] = [key for key in keys if is_key(key)]
        if ignore_missing:
            vectors, known = self.find_vectors(words, pre_normalize)
        else:
            vectors, known = self._vectors_of(words, pre_normalize), np.ones(len(words), bool)
        of_words = iter(zip(vectors, known.tolist(), strict=True))
        for key, factor in zip(keys, factors.tolist(), strict=True):
            vector, has_vector = next(of_words) if is_key(key) else (self._given(key), True)
            if not has_vector:
                continue
            mean += factor * vector
            total += abs(factor)
        mean /= total or 1
        if post_normalize:
            mean /= np.linalg.norm(mean) or 1
        return mean.astype(np.float32)

    def init_sims(self, replace: bool = False) -> None:
        """Compute `norms`; with ``replace``, scale the vectors to length 1. Old code for gensim calls it.

        Vectors of words that are not in the vocabulary keep their lengths, as in gensim.
        """
        if replace:
            self.vectors, self._norms = read_only(self.get_normed_vectors()), None
        self.norms  # noqa: B018

    def _given(self, item: object) -> NDArray[Any]:
        """Return a vector that was given instead of a key."""
        vector = item if isinstance(item, np.ndarray) else np.empty(0, object)
        if vector.dtype.kind not in "fiu":
            raise TypeError(f"{item!r:.60} is neither a word, a row nor a NumPy array: give one of these")
        if vector.shape != (self.vector_size,) or not np.isfinite(vector).all():
            raise ValueError(
                f"{item!r:.60} is not a vector of these embeddings: give {self.vector_size} finite numbers"
            )
        return vector
