"""Look up the rows of words, with the method names of gensim's KeyedVectors."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownWordError
from ..screen import escaped
from ..spellings import close_to
from ..subwords.table import Subwords
from ..vocab import Vocab, plain
from .unseen import why_no_vector

#: A word, or an integer: see `Rows.row`.
Key: TypeAlias = str | int


def is_key(item: object) -> bool:
    """Return whether an object is a word or an integer; True and False are not integers here."""
    return isinstance(item, (str, int, np.integer)) and not isinstance(item, bool)


class Rows:
    """Words and their rows; see `lookup.Lookup`."""

    vocab: Vocab
    subwords: Subwords | None

    @property
    def words(self) -> Sequence[str]:
        """The words in row order; in a trained vocabulary the most frequent word comes first."""
        return self.vocab.words

    @property
    def index_to_key(self) -> Sequence[str]:
        """The words in row order: gensim's name of `words`."""
        return self.vocab.words

    @property
    def key_to_index(self) -> dict[str, int]:
        """Word -> row; do not change it."""
        return self.vocab.index

    def __len__(self) -> int:
        return len(self.vocab)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, key: object) -> bool:
        """Return whether a key has a row: whether a word was in the vocabulary of the training."""
        if type(key) is str:  # This and `__getitem__` are called a million times.
            return key in self.vocab.index
        return self._find(key) is not None

    def has_index_for(self, key: object) -> bool:
        """Return whether a key has a row, as ``key in embeddings`` does."""
        return key in self

    def _find(self, key: object) -> int | None:
        if type(key) is str:
            return self.vocab.index.get(key)
        if isinstance(key, str):
            return self.vocab.index.get(plain(key))
        if type(key) is not int and not is_key(key):
            return None
        words = self.vocab.words
        row: int = int(key)  # type: ignore[call-overload]
        inside = 0 <= row < len(words)
        if inside and words[row] == str(row):
            return row
        if self.vocab.all_integers:
            return self.vocab.index.get(str(row))
        return row if inside else None

    def _name(self, key: Key) -> str:
        """Return the word that a key stands for."""
        row = self._find(key)
        return plain(str(key)) if row is None else self.words[row]

    def row(self, key: Key) -> int:
        """Return the row of a key.

        A key is a word or an integer. If all words are whole numbers, as after training on integers, the integer 28 is
        the word "28". In all other vocabularies, 28 is the row 28.

        Raises:
            UnknownWordError: (a KeyError) the key has no row.
            TypeError: it is not a string or an integer.
        """
        row = self._find(key)
        if row is not None:
            return row
        if not is_key(key):
            raise TypeError(f"{key!r:.60} is a {type(key).__name__}: give a word or a row")
        if isinstance(key, str):
            word = plain(key)
            why = "" if self.subwords is None else why_no_vector(self.subwords, word)
            raise UnknownWordError(
                f"the word '{escaped(word):.60}' is not in the vocabulary of {len(self):,} words{why}",
                partial(close_to, word, self.words, self.key_to_index),
            )
        what = "the word" if self.vocab.all_integers else "the row"
        raise UnknownWordError(f"{what} {int(key)} is not in the vocabulary of {len(self):,} words")

    def get_index(self, key: Key, default: int | None = None) -> int:
        """Return the row of a key, or ``default`` if it has none and ``default`` is given.

        Raises:
            UnknownWordError: (a KeyError) the key has no row and there is no default.
            TypeError: it is not a string or an integer.
        """
        row = self._find(key)
        return default if row is None and default is not None and is_key(key) else self.row(key)

    def get_vecattr(self, key: Key, attr: str) -> int:
        """Return an attribute of a key; the only one is "count", the number of its occurrences in the corpus.

        Raises:
            UnknownWordError: (a KeyError) the key has no row.
            KeyError: there is no such attribute.
        """
        row = self.row(key)
        if attr != "count":
            raise KeyError(f"there is no attribute {attr!r:.60}: the only one is 'count'")
        return int(self.vocab.counts[row])

    def _find_rows(self, keys: Iterable[object]) -> NDArray[np.int64]:
        """Return the row of each key, and -1 for a key without one."""
        return np.array([-1 if row is None else row for row in map(self._find, keys)], np.int64)
