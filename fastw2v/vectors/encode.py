"""Compute vectors of texts: weighted means of the vectors of their words."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, FormatError, option
from ..files.arrays import first_not_finite
from ..vocab import plain
from .lookup import Lookup
from .rows import is_key
from .unseen import unseen_vectors

Weights: TypeAlias = Literal["mean", "sif"] | Mapping[str, float]

SIF_A = 1e-3  # a of Arora et al., in the middle of the range they recommend
TEXTS_AT_ONCE = 1 << 12
TOKENS_AT_ONCE = 1 << 16


class Unseen(NamedTuple):
    """Words of texts that are not in the vocabulary; word i has the number n_words + i."""

    words: Sequence[str]
    weights: Weights

    def weights_of(self, words: Sequence[str]) -> NDArray[np.float64]:
        """Return the weight of each word. For "sif" its share of the corpus is 0.

        Raises:
            ConfigError: a weight is not finite.
        """
        if not isinstance(self.weights, Mapping):
            return np.ones(len(words))
        of_words = np.array([self.weights.get(word, 0) for word in words], np.float64)
        wrong = np.flatnonzero(~np.isfinite(of_words))
        if len(wrong):
            raise _not_finite(words[int(wrong[0])])
        return of_words


split_words: Callable[[str], list[str]] = re.compile("[^ \t\n\r\v\f]+").findall
"""Split a text at ASCII white space, as training does; `str.split` also splits at other blanks."""


def encode(
    lookup: Lookup,
    texts: Iterable[str | Sequence[str]],
    weights: Weights = "mean",
    normalize: bool = False,
    tokenize: Callable[[str], Sequence[str]] = split_words,
) -> NDArray[np.float32]:
    """Return one vector per text; see `embeddings.Embeddings.encode`."""
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise TypeError(f"texts is a {type(texts).__name__}: give a list of texts")
    if hasattr(type(texts), "columns"):  # Iterating over a table gives the names of its columns, or the columns.
        raise TypeError(f'texts is a {type(texts).__name__}, a table of columns: give one, such as frame["text"]')
    of_row = row_weights(lookup, weights)
    blocks = [np.zeros((0, lookup.vector_size), np.float32)]
    rest = iter(texts)
    first = 0
    while block := list(islice(rest, TEXTS_AT_ONCE)):
        unseen: dict[str, int] | None = None if lookup.subwords is None else {}
        rows = [_known_rows(lookup, text, tokenize, first + i, unseen) for i, text in enumerate(block)]
        others = Unseen(list(unseen or ()), weights)
        blocks += [_means(lookup, part, of_row, others) for part in _parts(rows)]
        first += len(block)
    vectors = np.concatenate(blocks)
    wrong = first_not_finite(vectors)
    if wrong is not None:
        raise FormatError(f"text {wrong} has a word whose vector is not finite: repair the vector")
    if normalize:
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))[:, None]
        np.divide(vectors, np.where(norms == 0, 1, norms), out=vectors, casting="same_kind")
    return vectors


def check_weights(weights: object) -> None:
    """Raise `ConfigError` if these are no weights."""
    if not isinstance(weights, Mapping) and not (isinstance(weights, str) and weights in ("mean", "sif")):
        raise ConfigError(f'weights is {weights!r:.60}: give "mean", "sif" or a mapping from words to numbers')


def row_weights(lookup: Lookup, weights: Weights) -> NDArray[np.float64]:
    """Return the weight of every row, float64 ``(n_words,)``.

    Raises:
        ConfigError: the weights have another form, a weight is not finite, or "sif" is given and there are no counts.
    """
    if isinstance(weights, str) and weights == "mean":
        return np.ones(len(lookup))
    if isinstance(weights, str) and weights == "sif":
        counts = lookup.vocab.counts
        total = counts.sum(dtype=np.float64)
        if total == 0:
            raise ConfigError(
                f"{option('weights', 'sif')} needs the counts of the words, which these vectors lack: give "
                f"{option('weights', 'mean')}"
            )
        of_row: NDArray[np.float64] = SIF_A / (SIF_A + counts / total)
        return of_row
    check_weights(weights)
    of_row = np.zeros(len(lookup))
    assert isinstance(weights, Mapping)
    for word, weight in weights.items():
        if word in lookup:
            of_row[lookup.row(word)] = weight
    if not np.isfinite(of_row).all():
        raise _not_finite(lookup.words[int(np.flatnonzero(~np.isfinite(of_row))[0])])
    return of_row


def _not_finite(word: str) -> ConfigError:
    return ConfigError(f"the weight of the word {word!r:.60} is not finite: give a finite number")


def _known_rows(
    lookup: Lookup,
    text: object,
    tokenize: Callable[[str], Sequence[str]],
    number: int,
    unseen: dict[str, int] | None,
) -> list[int]:
    """Return the rows of the known words of a text; with ``unseen``, which grows, also the numbers of other words."""
    if isinstance(text, str):
        tokens: Iterable[str] = tokenize(text)
        if isinstance(tokens, (str, bytes, Mapping)) or not isinstance(tokens, Iterable):
            what = "one string, " if isinstance(tokens, str) else ""
            raise TypeError(f"tokenize returned {what}{tokens!r:.60}: it must return a list of words")
    elif isinstance(text, Iterable) and not isinstance(text, (bytes, bytearray, Mapping)):
        tokens = text
    else:
        raise TypeError(f"text {number} is {text!r:.60}, a {type(text).__name__}: give a string or a list of words")
    if not isinstance(tokens, (list, tuple)):
        tokens = list(tokens)
    if (tokenize is split_words and isinstance(text, str)) or set(map(type, tokens)) <= {str}:
        if unseen is None:
            return [row for row in map(lookup.key_to_index.get, tokens) if row is not None]
        rows = list(map(lookup.key_to_index.get, tokens))
        if None not in rows:
            return rows  # type: ignore[return-value]
        n = len(lookup)
        return [
            unseen.setdefault(word, n + len(unseen)) if row is None else row
            for word, row in zip(tokens, rows, strict=True)
        ]
    return _rows_of_others(lookup, tokens, f"text {number}", unseen)


def _rows_of_others(lookup: Lookup, tokens: Sequence[object], where: str, unseen: dict[str, int] | None) -> list[int]:
    """Return the rows of the known words where some tokens are not plain strings."""
    rows = []
    for token in tokens:
        if not isinstance(token, str) and not (is_key(token) and lookup.vocab.all_integers):
            remedy = ", but the words are not numbers: give words" if is_key(token) else ": give strings"
            raise TypeError(f"{where} holds {token!r:.60}, a {type(token).__name__}{remedy}")
        if token in lookup:
            rows.append(lookup.row(token))  # type: ignore[arg-type]
        elif unseen is not None and isinstance(token, str):
            rows.append(unseen.setdefault(plain(token), len(lookup) + len(unseen)))
    return rows


def _parts(rows: list[list[int]]) -> Iterator[list[list[int]]]:
    """Cut a list of texts where the tokens of a part fill TOKENS_AT_ONCE."""
    part: list[list[int]] = []
    tokens = 0
    for text in rows:
        part.append(text)
        tokens += len(text)
        if tokens >= TOKENS_AT_ONCE:
            yield part
            part, tokens = [], 0
    yield part


def _means(lookup: Lookup, texts: list[list[int]], of_row: NDArray[np.float64], unseen: Unseen) -> NDArray[np.float32]:
    """Return the weighted means of the rows of some texts; zeros where the weights are zero."""
    means = np.zeros((len(texts), lookup.vector_size), np.float32)
    lengths = np.array([len(text) for text in texts], np.int64)
    some = np.flatnonzero(lengths)
    if len(some) == 0:
        return means
    rows = np.concatenate([np.array(texts[i], np.int64) for i in some])
    starts = np.cumsum(lengths[some]) - lengths[some]
    far = np.flatnonzero(rows >= len(lookup))
    weights = of_row[np.where(rows < len(lookup), rows, 0)] if len(far) else of_row[rows]
    vectors = lookup.vectors[np.where(rows < len(lookup), rows, 0)] if len(far) else lookup.vectors[rows]
    if len(far) and lookup.subwords is not None:
        numbers, place = np.unique(rows[far] - len(lookup), return_inverse=True)
        words = [unseen.words[i] for i in numbers.tolist()]
        of_words, n_known = unseen_vectors(lookup.subwords, words)
        vectors[far] = of_words[place]
        weights[far] = np.where(n_known > 0, unseen.weights_of(words), 0)[place]  # Without a vector it is left out.
    weighted = vectors * weights[:, None].astype(np.float32)
    sums = np.add.reduceat(weighted, starts, axis=0, dtype=np.float64)
    totals = np.add.reduceat(np.abs(weights), starts)
    means[some] = sums / np.where(totals == 0, 1, totals)[:, None]
    return means
