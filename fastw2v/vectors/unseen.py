"""Vectors of words that are not in the vocabulary, made from their n-grams."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..screen import printable
from ..subwords.table import Subwords

LONGEST = float(np.finfo(np.float32).max) / 4  # The product of a vector with one of length 1 must be finite.


def encodable(word: str) -> bool:
    """Return whether UTF-8 can hold a word, with bytes that were not valid in a text kept as surrogates."""
    try:
        word.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def unseen_vectors(
    subwords: Subwords, words: Sequence[str], norm: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return vectors of words that are not in the vocabulary; see `Subwords.vectors`.

    Args:
        subwords: the rows of n-grams.
        words: the words.
        norm: scale the vectors to length 1.

    Returns:
        float32 ``(n_words, vector_size)``, and int64 ``(n_words,)``, how many n-grams of each word have a row. A word
        with 0 of them has no vector, and zeros stand in its place; so do they for an empty word.

    Raises:
        FormatError: a vector is not finite, or its length is too large for float32.
    """
    safe = [word if word.isascii() or encodable(word) else "" for word in words]
    with np.errstate(over="ignore", invalid="ignore"):  # What is not finite is found below.
        vectors, known = subwords.vectors(safe)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if "" in safe:  # Its n-gram "<>" means nothing.
        empty = np.array([not word for word in safe])
        vectors[empty], known[empty] = 0, 0
    wrong = np.flatnonzero(~(lengths <= LONGEST))
    if len(wrong):
        raise FormatError(
            f"the rows of n-grams of the word {printable(words[int(wrong[0])])!r:.60} are not finite, or too large: "
            "train again"
        )
    if norm:
        vectors /= np.where(lengths == 0, 1, lengths).astype(np.float32)[:, None]
    return vectors, known


def why_no_vector(subwords: Subwords, word: str) -> str:
    """Return why a word that is not in the vocabulary has no vector, as the end of a message; "" if it has one."""
    if not word:
        return ", and an empty word has no vector"
    if not encodable(word):
        return ", and has surrogates that UTF-8 can't encode, so it has no n-grams"
    ngrams = subwords.ngrams
    n_ngrams = int(subwords.n_ngrams([word])[0])
    if not n_ngrams:
        sizes = f"{ngrams.min_n} to {ngrams.max_n}"
        return f", and is too short to have n-grams of {sizes} characters, even with < and > around it"
    if not subwords.vectors([word])[1][0]:
        which = "its only n-gram does not occur" if n_ngrams == 1 else f"none of its {n_ngrams:,} n-grams occurs"
        return f", and {which} in a word of the training"
    return ""
