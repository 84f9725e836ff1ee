"""The vocabulary: words and their counts by id, and its file ``vocab.tsv``."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import FolderError
from .files.manifest import write_digested
from .files.staging import open_part
from .screen import printable

WORDS_AT_ONCE = 1 << 16
COUNT_DIGITS = 18  # A count must fit int64.


@dataclass(frozen=True, eq=False)
class Vocab:
    """Words and their counts; a word's position is its id.

    Attributes:
        words: distinct words, most frequent first, ties by first appearance.
        counts: int64 ``(n_words,)``.
        checked: the words and counts can be saved and loaded again; `checked_vocab` makes such a vocabulary.
    """

    words: Sequence[str] = field(repr=False)
    counts: NDArray[np.int64] = field(repr=False)
    checked: bool = field(default=False, repr=False)

    @cached_property
    def index(self) -> dict[str, int]:
        """Word -> id, built on first use."""
        return {word: i for i, word in enumerate(self.words)}

    @cached_property
    def all_integers(self) -> bool:
        """Whether every word is a whole number, as after training on integers."""
        return all(map(is_whole_number, self.words))

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and plain(word) in self.index

    def to_tsv(self) -> bytes:
        """Return the contents of vocab.tsv: one line ``word, tab, count`` per word, in order of id."""
        return b"".join(self._blocks_of_tsv())

    def _blocks_of_tsv(self) -> Iterator[bytes]:
        words = iter(self.words)
        for start in range(0, len(self), WORDS_AT_ONCE):
            counts = self.counts[start : start + WORDS_AT_ONCE].tolist()
            lines = (f"{word}\t{count}\n" for word, count in zip(islice(words, len(counts)), counts, strict=True))
            yield "".join(lines).encode("utf-8", "surrogateescape")

    def write(self, path: Path) -> str:
        """Write a vocab.tsv block by block, and return its SHA-256 in hexadecimal."""
        return write_digested(path, self._blocks_of_tsv())

    @classmethod
    def read(cls, path: Path, digest: str | None = None) -> "Vocab":
        """Read a vocab.tsv.

        Raises:
            FolderError: it is missing or malformed, holds a word twice, or its SHA-256 is not ``digest``.
        """
        try:
            with open_part(path) as file:
                content = file.read()
        except OSError as error:
            raise FolderError(f"cannot read {path}: {error.strerror or error}") from None
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            raise FolderError(f"{path} is not the vocabulary this folder was saved with: restore or train again")
        words: list[str] = []
        counts: list[int] = []
        lines = content.split(b"\n")[:-1] if content else []
        # Words hold no ASCII white space except spaces. Check each word only if the file has other white space.
        spaced = content.count(b"\t") != len(lines) or any(space in content for space in (b"\r", b"\v", b"\f"))
        for number, line in enumerate(lines, 1):
            word, tab, count = line.rpartition(b"\t")
            if (
                not word
                or not tab
                or not count.isdigit()
                or len(count) > COUNT_DIGITS
                or (spaced and any(space in word for space in b"\t\r\v\f"))
            ):
                raise FolderError(f"{path} line {number} is {line[:60]!r}: expected word, tab, count")
            words.append(word.decode("utf-8", "surrogateescape"))
            counts.append(int(count))
        if content and not content.endswith(b"\n"):
            raise FolderError(f"{path} is truncated: its last line has no newline")
        vocab = cls(words, np.array(counts, np.int64), checked=True)
        if len(vocab.index) != len(words):
            raise FolderError(f"{path} holds the same word twice")
        return vocab


def is_whole_number(word: str) -> bool:
    """Return whether a word is what `str` makes of an integer."""
    return word.removeprefix("-").isdigit() and str(int(word)) == word


def check_storable(word: str) -> None:
    """Raise ValueError, with the reason, if writing a word to vocab.tsv and reading it back would change it."""
    if not word or any(c in word for c in "\t\n\r\v\f"):
        raise ValueError("empty, or with a tab or line break inside")
    try:
        kept = word.isascii() or word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == word
    except UnicodeEncodeError:
        kept = False
    if not kept:
        raise ValueError("with surrogates that UTF-8 can't encode")


def plain(word: str) -> str:
    """Return a word as a plain `str` of the same characters, also for a subclass such as `numpy.str_` or an enum."""
    return str.__str__(word)


def checked_vocab(words: Iterable[Any], counts: ArrayLike | None = None) -> Vocab:
    """Return a vocabulary that can be saved and loaded again.

    Args:
        words: distinct words, as strings or whole numbers; a number is the word ``str(number)``.
        counts: whole numbers from 0, ``(n_words,)``; None for zeros.

    Raises:
        TypeError: a word is neither a string nor a whole number, or the words are one string.
        ValueError: there is no word, a word can't be stored or occurs twice, or the counts do not fit the words.
    """
    if isinstance(words, (str, bytes)):
        raise TypeError(f"the words are one string, {words!r:.60}: give a list of words")
    listed: list[str] = []
    for number, word in enumerate(words):
        if isinstance(word, (int, np.integer)) and not isinstance(word, bool):
            listed.append(str(int(word)))
        elif isinstance(word, str):
            listed.append(plain(word))
        else:
            raise TypeError(f"word {number} is {word!r:.60}, a {type(word).__name__}: give strings")
        try:
            check_storable(listed[-1])
        except ValueError as reason:
            raise ValueError(f"word {number} is {printable(listed[-1])!r:.60}, {reason}: replace it") from None
    if not listed:
        raise ValueError("there is no word: give at least one")
    numbers = np.zeros(len(listed), np.int64) if counts is None else np.asarray(counts)
    if numbers.shape != (len(listed),) or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"counts are {numbers.dtype} with shape {numbers.shape}: give whole numbers, one for each of the "
            f"{len(listed):,} words"
        )
    if int(numbers.min()) < 0 or int(numbers.max()) >= 10**COUNT_DIGITS:
        wrong = int(numbers[(numbers < 0) | (numbers >= 10**COUNT_DIGITS)][0])
        raise ValueError(f"a count is {wrong}: give numbers from 0 to 10 ** {COUNT_DIGITS} - 1")
    vocab = Vocab(listed, numbers.astype(np.int64), checked=True)
    if len(vocab.index) != len(listed):
        repeated = Counter(listed).most_common(1)[0][0]
        raise ValueError(f"the word {printable(repeated)!r:.60} occurs twice: words must differ")
    return vocab
