"""A matrix of vectors that grows as rows are read, and the checks that all formats share."""

import codecs
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, FormatError, doubt, python_option
from ..screen import counted, printable
from ..subwords.table import Subwords
from ..vocab import check_storable

Decode: TypeAlias = Callable[[bytes | bytearray], str]

GROWTH = 1.25
FIRST_BYTES = 1 << 20
MOVED_ROWS = 1 << 16
# With these error handlers, a vocabulary can store whatever `bytes.decode` makes of UTF-8.
_SAFE_ERRORS = {"surrogateescape", "strict", "replace"}


class VectorsFile(NamedTuple):
    """What a file of vectors holds.

    Attributes:
        words: distinct words, in the order of the rows.
        vectors: float32 ``(n_words, vector_size)``, all finite.
        counts: int64 ``(n_words,)``; None where the format stores none.
        outside: float32 ``(n_words, vector_size)``; None where the format stores none.
        subwords: what vectors of other words are made from; None where the format stores none.
        metadata: what else the file tells about the training.
    """

    words: list[str]
    vectors: NDArray[np.float32]
    counts: NDArray[np.int64] | None
    outside: NDArray[np.float32] | None = None
    subwords: Subwords | None = None
    metadata: dict[str, Any] | None = None


class Origin(NamedTuple):
    """What a model has besides its words, vectors and counts.

    Attributes:
        outside: float32 ``(n_words, vector_size)``, or None.
        subwords: what the vectors are composed of, or None.
        metadata: of the training; see `embeddings.Embeddings`.
    """

    outside: NDArray[np.float32] | None
    subwords: Subwords | None
    metadata: dict[str, Any]


class Matrix:
    """Rows of float32 in one array, which grows without a copy where the system can move pages."""

    def __init__(self, size: int, expected: int | None = None) -> None:
        self.n_rows = 0
        self._size = size
        self._rows = np.empty((0, size), np.float32)
        self._resize(max(1, FIRST_BYTES // (4 * size)) if expected is None else expected)

    def room(self, n: int) -> NDArray[np.float32]:
        """Return all rows, with room for at least ``n`` more, until the next call."""
        if self.n_rows + n > len(self._rows):
            self._resize(max(self.n_rows + n, int(len(self._rows) * GROWTH)))
        return self._rows

    def append(self, rows: NDArray[np.float32]) -> None:
        """Add rows."""
        self.room(len(rows))[self.n_rows : self.n_rows + len(rows)] = rows
        self.n_rows += len(rows)

    def finished(self) -> NDArray[np.float32]:
        """Return the rows, as an array of their own."""
        if self.n_rows != len(self._rows):
            self._resize(self.n_rows)
        return self._rows

    def _resize(self, n_rows: int) -> None:
        try:
            if len(self._rows):
                self._rows.resize((n_rows, self._size), refcheck=False)
            else:  # Pages of an empty array are used only when they are written.
                self._rows = np.empty((n_rows, self._size), np.float32)
        except MemoryError:
            raise FormatError(
                f"there is no memory for {n_rows:,} vectors of {self._size} numbers: give {python_option('limit')}"
            ) from None


def word_decoder(encoding: str, errors: str) -> Decode:
    """Return a function that turns the bytes of a word into text.

    It raises ValueError, with the reason, for a word that can't be decoded, or that a vocabulary can't store.

    Raises:
        ConfigError: the encoding or the error handler is not known, or the encoding does not extend ASCII.
    """
    ascii_text = "0123456789+-.eE \t\n"
    try:
        codec = codecs.lookup(encoding).name
        extends_ascii = ascii_text.encode("ascii").decode(encoding) == ascii_text
    except (LookupError, UnicodeError, ValueError, TypeError):
        raise ConfigError(
            f"{python_option('encoding')} is {encoding!r:.60}: give the name of an encoding, such as utf-8"
        ) from None
    if not extends_ascii:
        raise ConfigError(
            f"{python_option('encoding')} is {encoding!r:.60}, which does not extend ASCII: convert the file to UTF-8"
        )
    try:
        codecs.lookup_error(errors)
    except (LookupError, ValueError, TypeError):
        names = "surrogateescape, strict, replace or ignore"
        raise ConfigError(f"{python_option('errors')} is {errors!r:.60}: give {names}") from None
    is_safe = codec == "utf-8" and errors in _SAFE_ERRORS

    def decode(letters: bytes | bytearray) -> str:
        try:
            word = letters.decode(encoding, errors)
        except UnicodeError:
            shown = printable(letters[:60].decode("utf-8", "surrogateescape"))
            raise ValueError(
                f"{shown!r:.60}, not valid {codec}: "
                f"give another {python_option('encoding')}, or {python_option('errors', 'replace')}"
            ) from None
        if not is_safe:
            require_storable(word)
        return word

    return decode


def require_storable(word: str) -> None:
    """Raise ValueError, which shows the word and the reason, if a vocabulary can't store the word."""
    try:
        check_storable(word)
    except ValueError as reason:
        raise ValueError(f"{printable(word[:60])!r:.60}, {reason}") from None


def distinct(found: VectorsFile, name: str, duplicates: str) -> VectorsFile:
    """Return the first row of each word; the file has neither outside rows nor subwords.

    Raises:
        FormatError: a word occurs twice, and ``duplicates`` is "error".

    Warns:
        FastW2VWarning: rows were left out.
    """
    rows = first_rows(found.words, name, duplicates)
    if rows is None:
        return found
    vectors = found.vectors
    for start in range(0, len(rows), MOVED_ROWS):  # A row moves towards the start, so no row is overwritten too early.
        block = rows[start : start + MOVED_ROWS]
        vectors[start : start + len(block)] = vectors[block]
    vectors.resize((len(rows), vectors.shape[1]), refcheck=False)
    words = [found.words[row] for row in rows.tolist()]
    return VectorsFile(words, vectors, None if found.counts is None else found.counts[rows])


def first_rows(words: list[str], name: str, duplicates: str) -> NDArray[np.int64] | None:
    """Return the first row of each word, ascending; None if no word is repeated.

    Raises:
        FormatError: see `distinct`.

    Warns:
        FastW2VWarning: see `distinct`.
    """
    if len(set(words)) == len(words):
        return None
    firsts: dict[str, int] = {}
    repeated: tuple[str, int] | None = None
    for row, word in enumerate(words):
        if firsts.setdefault(word, row) != row and repeated is None:
            repeated = word, row
            if duplicates == "error":
                raise FormatError(
                    f"{name} holds the word {printable(word)!r:.60} twice, in rows {firsts[word] + 1:,} and "
                    f"{row + 1:,}: give {python_option('duplicates', 'first')} to keep the first"
                )
    assert repeated is not None
    doubt(
        f"{name} repeats words in {counted(len(words) - len(firsts), 'row')}, such as {printable(repeated[0])!r:.60} "
        f"in row {repeated[1] + 1:,}: only the first row of each word is kept"
    )
    return np.fromiter(firsts.values(), np.int64, len(firsts))


def check_limit(limit: object) -> None:
    """Raise `ConfigError` unless this is None or a whole number of rows, at least 1."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1):
        raise ConfigError(f"{python_option('limit')} is {limit!r:.60}: give a whole number, at least 1")
