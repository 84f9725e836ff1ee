"""Compute cosines between words, and find the nearest words, for one query or for many at once.

The methods have the names and meanings of those of gensim's KeyedVectors. A vector of zeros has the cosine 0
with everything. With subwords, a word that is not in the vocabulary may be asked for, as in gensim's
FastTextKeyedVectors; only one without any n-gram of the training is unknown. Answers are words of the vocabulary.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownWordError, doubt
from .lookup import KeyOrVector, Lookup
from .rows import Key, is_key

#: What a query adds or subtracts: one key or vector, or several, each alone or with a weight.
Asked: TypeAlias = KeyOrVector | Iterable[KeyOrVector | tuple[KeyOrVector, float]] | None
Scores: TypeAlias = list[tuple[str, float]] | NDArray[np.float32]

BLOCK_KEYS = 1_024  # keys of `neighbors` at once
BLOCK_WORDS = 8_192  # words at once; their scores, 32 MB, are compared while they are in the cache
_COSMUL_EPSILON = 1e-6  # epsilon in equation (4) of Levy and Goldberg (2014)


class Nearest(Lookup):
    """Questions about the distance between vectors; see `embeddings.Embeddings`."""

    def similarity(self, a: Key, b: Key) -> float:
        """Return the cosine of two words' vectors.

        Raises:
            UnknownWordError: (a KeyError) a word has no vector.
        """
        unit = self._vectors_of([a, b], norm=True)
        return float(unit[0] @ unit[1])

    def distance(self, a: Key, b: Key) -> float:
        """Return 1 - `similarity`."""
        return 1 - self.similarity(a, b)

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """Return the cosine between the means of two lists of words; unknown words are left out.

        Raises:
            UnknownWordError: (a KeyError) no word of a list has a vector.
            ValueError: a list is empty.
        """
        for words in (ws1, ws2):
            if len(words) and not isinstance(words, str) and not self.find_vectors(words)[1].any():
                raise UnknownWordError(f"no word of {words!r:.60} is in the vocabulary of {len(self):,} words")
        a, b = (self.get_mean_vector(words, pre_normalize=False, post_normalize=True) for words in (ws1, ws2))
        return float(a @ b)

    def distances(self, word_or_vector: KeyOrVector, other_words: Iterable[Key] | None = ()) -> NDArray[np.float32]:
        """Return 1 - cosine between a word or vector and other words, in their order; by default all words.

        Returns:
            float32 ``(n_other_words,)``.

        Raises:
            UnknownWordError: (a KeyError) a word has no vector.
        """
        if is_key(word_or_vector):
            query = self.get_vector(word_or_vector, norm=True)  # type: ignore[arg-type]
        else:
            vector = self._given(word_or_vector).astype(np.float64)
            query = (vector / (np.linalg.norm(vector) or 1)).astype(np.float32)
        others = list(other_words or ())
        cosines = self._vectors_of(others, norm=True) @ query if others else self.vectors @ query / self.norms
        result: NDArray[np.float32] = 1 - cosines
        return result

    def closer_than(self, key1: Key, key2: Key) -> list[str]:
        """Return the words, in row order, that are nearer to ``key1`` than ``key2`` is.

        Raises:
            UnknownWordError: (a KeyError) a key has no vector.
        """
        row1, row2 = self._find(key1), self._find(key2)
        distances = self.distances(key1)
        limit = self.distances(key1, [key2])[0] if row2 is None else distances[row2]
        return [self.words[row] for row in np.flatnonzero(distances < limit).tolist() if row != row1]

    def rank(self, key1: Key, key2: Key) -> int:
        """Return the place of ``key2`` among the words nearest to ``key1``; 1 is the nearest.

        Raises:
            UnknownWordError: (a KeyError) a key has no vector.
        """
        return len(self.closer_than(key1, key2)) + 1

    def doesnt_match(self, words: Sequence[Key]) -> str:
        """Return the word with the smallest cosine to the mean of all; unknown words are left out with a warning.

        Raises:
            UnknownWordError: (a KeyError) no word is in the vocabulary.
            ValueError: there is no word.
        """
        if isinstance(words, str):
            raise TypeError(f"words is one string, {words!r:.60}: give a list, as {words!r:.40}.split() does")
        words = list(words)
        if not words:
            raise ValueError("words is empty: give at least one")
        unit, known = self.find_vectors(words, norm=True)
        if not known.any():
            raise UnknownWordError(f"no word of {words!r:.60} is in the vocabulary of {len(self):,} words")
        if not known.all():
            unknown = [word for word, has_vector in zip(words, known.tolist(), strict=True) if not has_vector]
            doubt(f"doesnt_match leaves out {unknown!r:.60}, not in the vocabulary of {len(self):,} words")
        cosines = unit[known] @ self.get_mean_vector(unit[known], post_normalize=True)
        names = [self._name(words[i]) for i in np.flatnonzero(known)]
        return min(zip(cosines.tolist(), names, strict=True))[1]

    def wmdistance(self, document1: Sequence[str], document2: Sequence[str], norm: bool = True) -> float:
        """Return the Word Mover's distance of two documents, lists of words; unknown words are left out.

        Kusner et al., "From Word Embeddings To Document Distances" (2015). It needs the package POT.

        Args:
            document1: words, repeated as often as they occur.
            document2: likewise.
            norm: scale vectors to length 1.

        Returns:
            The distance; infinity if no word of a document is known.
        """
        try:
            from ot import emd2
        except ImportError:
            raise ImportError("wmdistance needs the package POT: run pip install POT") from None
        if isinstance(document1, str) or isinstance(document2, str):
            raise TypeError("a document is one string: give a list of words, as str.split does")
        weights, vectors = [], []
        for document in (document1, document2):
            of_words, known = self.find_vectors(list(document), norm)
            places = {self._name(document[i]): i for i in np.flatnonzero(known).tolist()}
            if not places:
                return math.inf
            found = Counter(self._name(document[i]) for i in np.flatnonzero(known).tolist())
            weights.append(np.array([found[name] for name in places]) / found.total())
            vectors.append(of_words[list(places.values())].astype(np.float64))
        a, b = vectors
        squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * a @ b.T
        return float(emd2(*weights, np.sqrt(np.maximum(squares, 0))))

    def most_similar(
        self,
        positive: Asked = None,
        negative: Asked = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Scores:
        """Return the words whose vectors are nearest, by cosine, to a weighted mean of vectors.

        Args:
            positive: keys or vectors to add; or a single one. The vector of a key is first scaled to length 1; a given
                vector is taken as it is. A pair ``(key, weight)`` replaces the weight 1.
            negative: keys or vectors to subtract. A pair replaces the weight -1, sign included.
            topn: how many words to return; None returns the cosines of all words. Keys of the query are never returned.
            clip_start: the first row to search.
            clip_end: the row after the last one to search; None for all.
            restrict_vocab: search only this many of the first rows, the most frequent words of a trained vocabulary.
            indexer: an approximate index, such as gensim's AnnoyIndexer. Its ``most_similar(vector, topn)`` answers in
                place of the search.

        Returns:
            (word, cosine) pairs, nearest first. With ``topn=None``, float32 ``(rows searched,)``.

        Raises:
            UnknownWordError: (a KeyError) a word has no vector.
            FormatError: a vector of the vocabulary is not finite.
            TypeError: an item is neither a key, a vector nor a pair.
            ValueError: the query is empty, or a vector has the wrong shape or is not finite.
        """
        check_topn(topn)
        if topn is not None and topn < 1:
            return []
        items = _asked(positive, 1.0) + _asked(negative, -1.0)
        if not items:
            raise ValueError("positive and negative are empty: give at least one word or vector")
        keys, weights = zip(*items, strict=True)
        mean = self.get_mean_vector(keys, weights, post_normalize=True, ignore_missing=False)
        if indexer is not None and topn is not None:
            found: list[tuple[str, float]] = indexer.most_similar(mean, topn)
            return found
        searched = slice(0, restrict_vocab) if restrict_vocab else slice(clip_start, clip_end or None)
        scores: NDArray[np.float32] = self.vectors[searched] @ mean / self.norms[searched]
        return scores if topn is None else self._best(scores, topn, keys, searched.indices(len(self))[0])

    def most_similar_cosmul(
        self,
        positive: Asked = None,
        negative: Asked = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Scores:
        """Return the words with the largest product of similarities (3CosMul).

        Levy and Goldberg, "Linguistic Regularities in Sparse and Explicit Word Representations" (2014), equation (4):
        the product of (1 + cosine) / 2 over ``positive``, divided by that over ``negative`` plus 1e-6.

        Args:
            positive: keys, or vectors of length 1; or a single one.
            negative: likewise.
            topn: see `most_similar`.
            restrict_vocab: see `most_similar`.

        Raises:
            UnknownWordError: (a KeyError) a word has no vector.
            ValueError: ``positive`` is empty.
        """
        check_topn(topn)
        if topn is not None and topn < 1:
            return []
        searched = slice(0, restrict_vocab or None)
        products = []
        names: list[Any] = []
        for items in (_asked(positive, 1.0), _asked(negative, 1.0)):
            product = np.ones(len(range(*searched.indices(len(self)))), np.float32)
            for item, weight in items:
                if weight != 1.0:
                    raise TypeError(f"{(item, weight)!r:.60} is a pair: a product of similarities takes no weights")
                vector = self.get_vector(item, norm=True) if is_key(item) else self._given(item)
                product *= (1 + self.vectors[searched] @ vector.astype(np.float32) / self.norms[searched]) / 2
                names.append(item)
            products.append(product)
            if not names:
                raise ValueError("positive is empty: give at least one word or vector")
        scores: NDArray[np.float32] = products[0] / (products[1] + np.float32(_COSMUL_EPSILON))
        return scores if topn is None else self._best(scores, topn, names, 0)

    def similar_by_key(self, key: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Scores:
        """Return the words nearest to one key; see `most_similar`."""
        return self.most_similar([key], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_word(self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None) -> Scores:
        """Return the words nearest to one word; see `most_similar`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_vector(
        self, vector: NDArray[np.floating], topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Scores:
        """Return the words nearest to one vector; see `most_similar`."""
        return self.most_similar([vector], topn=topn, restrict_vocab=restrict_vocab)

    def _best(
        self, scores: NDArray[np.float32], topn: int, asked: Iterable[Any], first_row: int
    ) -> list[tuple[str, float]]:
        """Return the ``topn`` best words that were not asked for; ``scores`` begin at ``first_row``."""
        rows = {row - first_row for row in self._find_rows(key for key in asked if is_key(key)).tolist() if row >= 0}
        n = min(topn + len(rows), len(scores))
        best = np.argpartition(-scores, n - 1)[:n] if 0 < n < len(scores) else np.arange(len(scores))
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(self.words[first_row + i], float(scores[i])) for i in best.tolist() if i not in rows][:topn]

    def neighbors(
        self, keys: Sequence[Key] | None = None, topn: int = 10
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the nearest words of many words at once: much faster than calls of `most_similar`.

        Args:
            keys: words or rows; None for all words, in row order.
            topn: how many neighbours each; a word is not its own neighbour.

        Returns:
            The rows of the neighbours, int32 ``(n_keys, topn)``, nearest first, and their cosines, float32 of the same
            shape. A smaller vocabulary gives fewer columns.

        Raises:
            UnknownWordError: (a KeyError) a word has no vector.
            TypeError: ``keys`` is one string.
            ValueError: ``topn`` is below 1.
        """
        if isinstance(keys, (str, bytes)):
            raise TypeError(f"keys is one string, {keys!r:.60}: give a list of words")
        if isinstance(topn, bool) or not isinstance(topn, (int, np.integer)) or topn < 1:
            raise ValueError(f"topn is {topn!r:.60}: give a whole number, at least 1")
        listed = None if keys is None else list(keys)
        asked = np.arange(len(self)) if listed is None else self._find_rows(listed)
        columns = min(int(topn), len(self) - 1)
        rows, cosines = np.empty((len(asked), columns), np.int32), np.empty((len(asked), columns), np.float32)
        for start in range(0, len(asked) if columns else 0, BLOCK_KEYS):
            block = slice(start, start + BLOCK_KEYS)
            queries = self.unit_vectors(asked[block]) if listed is None else self._vectors_of(listed[block], norm=True)
            rows[block], cosines[block] = self._nearest(asked[block], queries.T, columns)
        return rows, cosines

    def _nearest(
        self, asked: NDArray[np.int64], queries: NDArray[np.float32], columns: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ``columns`` nearest rows of each query, a column of length 1, and their cosines.

        ``asked`` has the row of each query, which is not its own neighbour; -1 for a word without a row.

        Only scores above the worst of the best so far are compared again. After the first block these are few.
        """
        n = len(asked)
        rows = np.zeros((n, columns), np.int64)
        best = np.full((n, columns), -np.inf, np.float32)
        for start in range(0, len(self), BLOCK_WORDS):
            block = slice(start, start + BLOCK_WORDS)
            if n < self.vector_size:  # Then there are fewer scores to scale than numbers of vectors.
                scores = self.vectors[block] @ queries / self.norms[block, None]
            else:
                scores = self.unit_vectors(block) @ queries
            own = np.flatnonzero((asked >= start) & (asked < start + len(scores)))
            scores[asked[own] - start, own] = -np.inf
            kept = min(columns, len(scores))
            if start == 0 and kept < len(scores):  # Nothing is known yet: find a first bound.
                bound = np.partition(scores, len(scores) - kept, axis=0)[len(scores) - kept]
                found = scores >= bound
            else:
                found = scores > best[:, -1]
            word, query = np.divmod(np.flatnonzero(found), n)  # In two dimensions this is ten times as slow.
            if len(word):
                _merge(rows, best, query, word + start, scores[word, query])
        return rows, best


def _merge(
    rows: NDArray[np.int64],
    best: NDArray[np.float32],
    query: NDArray[np.int64],
    row: NDArray[np.int64],
    score: NDArray[np.float32],
) -> None:
    """Put candidates among the best of their queries; of equal scores the first row stays first."""
    columns = best.shape[1]
    touched, place = np.unique(query, return_inverse=True)
    every_query = np.concatenate([np.repeat(np.arange(len(touched)), columns), place])
    every_row = np.concatenate([rows[touched].ravel(), row])
    every_score = np.concatenate([best[touched].ravel(), score])
    order = np.lexsort((every_row, -every_score, every_query))
    counts = np.bincount(every_query, minlength=len(touched))
    firsts = np.cumsum(counts) - counts
    chosen = order[firsts[:, None] + np.arange(columns)]
    rows[touched], best[touched] = every_row[chosen], every_score[chosen]


def check_topn(topn: object) -> None:
    """Raise ValueError if ``topn`` is neither a whole number nor None."""
    if topn is not None and (isinstance(topn, bool) or not isinstance(topn, (int, np.integer))):
        raise ValueError(f"topn is {topn!r:.60}: give a whole number, or None for all scores")


def _asked(items: Any, weight: float) -> list[tuple[Any, float]]:
    """Return the items of a query with their weights."""
    if items is None:
        return []
    if is_key(items) or (isinstance(items, np.ndarray) and items.ndim == 1 and items.dtype.kind in "fiu"):
        return [(items, weight)]
    if isinstance(items, (bytes, bytearray, float, bool)) or not isinstance(items, Iterable):
        raise TypeError(f"{items!r:.60} is a {type(items).__name__}: give a word, a row, a vector or a list of them")
    if isinstance(items, tuple) and len(items) == 2 and isinstance(items[0], str) and _is_number(items[1]):
        raise TypeError(f"{items!r:.60} can be a word with a weight or two keys: put it into a list")
    asked = []
    for item in items:
        if is_key(item) or isinstance(item, np.ndarray):
            asked.append((item, weight))
        elif isinstance(item, tuple) and len(item) == 2 and _is_number(item[1]):
            if not math.isfinite(item[1]):
                raise ValueError(f"the weight of {item!r:.60} is not finite")
            if weight < 0 < item[1]:
                doubt(f"{item!r:.60} in negative has a weight above 0, so it is added: give a weight below 0")
            asked.append((item[0], float(item[1])))
        else:
            raise TypeError(f"{item!r:.60} is neither a word, a row, a vector nor a pair of one and its weight")
    return asked


def _is_number(item: object) -> bool:
    return isinstance(item, Real) and not isinstance(item, bool)
