"""One reader for any file of vectors: word2vec text and binary, GloVe, fastText ``.vec``, ``.npz``, packed or not.

What the file is, is found from its bytes (`layout`, `looks`). Text is read in blocks of whole lines, which threads
parse while the next block is read; binary rows are copied on one thread, because that takes no longer than reading.
Memory grows with what has been read, never with what a header announces.
"""

import io
import os
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, FormatError, doubt, option
from ..files.archives import opened, unpacked
from ..files.places import local_path
from ..machine import usable_cores
from ..screen import counted, printable
from ..vocab import COUNT_DIGITS
from .layout import LINE_BYTES, LOOK_BYTES, Layout, find_layout
from .matrix import Matrix, VectorsFile, distinct, require_storable, word_decoder
from .npz import is_npz, read_npz
from .numbers import (
    END,
    HAS_BLANKS,
    HAS_NO_FINITE_VECTOR,
    NO_WORD,
    NUMBER,
    START,
    copy_rows,
    parse_rows,
    read_row,
)

BLOCK_BYTES = 1 << 20
MAX_WORKERS = 8  # One thread reads for all, so more would wait for it.
_Decode: TypeAlias = Callable[[bytes | bytearray], str]


def read_vectors(
    path: str | PathLike[str],
    *,
    limit: int | None = None,
    binary: bool | None = None,
    no_header: bool | None = None,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
    duplicates: str = "first",
) -> VectorsFile:
    """Read words and vectors from a file.

    Args:
        path: the file, plain or compressed (gzip, bzip2, xz, zstd, recognised by content); ``-`` is standard input.
        limit: read at most this many rows, and nothing behind them.
        binary: whether the numbers are float32 rather than text; None to detect it.
        no_header: whether text has no first line ``n_words vector_size``, as GloVe's files; None to detect it.
        encoding: encoding of the words.
        errors: what to do with words that are not valid in it, as in `bytes.decode`.
        duplicates: "first" keeps the first row of a repeated word, with a warning; "error" refuses the file.

    Returns:
        Words, float32 vectors ``(n_words, vector_size)``, and counts where the file has them (``.npz``).

    Raises:
        FormatError: the file is missing, damaged, or of another kind; a number is not finite; a word can't be decoded
            or stored; or a word is repeated and ``duplicates`` is "error".
        ConfigError: an option is out of range.

    Warns:
        FastW2VWarning: words are repeated, the header does not announce as many rows as there are, rows without a
            word were skipped, or a word ends in a blank and a number.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1):
        raise ConfigError(f"{option('limit')} is {limit!r:.60}: give a whole number, at least 1")
    for key, value in (("binary", binary), ("no_header", no_header)):
        if value is not None and not isinstance(value, (bool, np.bool_)):
            raise ConfigError(f"{option(key)} is {value!r:.60}: give True, False or None")
    if duplicates not in ("first", "error"):
        raise ConfigError(f"{option('duplicates')} is {duplicates!r:.60}: give first or error")
    limit = None if limit is None else int(limit)
    binary = None if binary is None else bool(binary)
    no_header = None if no_header is None else bool(no_header)
    decode = word_decoder(encoding, errors)
    with _opened(path) as (stream, name):
        raw = unpacked(stream, name, FormatError)
        source = _Source(raw, _bytes_of(stream) if raw.is_plain else None)
        if is_npz(source.ahead(LOOK_BYTES)):
            if binary is not None or no_header is not None:
                given = option("binary") if binary is not None else option("no_header")
                raise FormatError(f"{name} is a zip archive or .npz, which {given} is not for: leave it out")
            found = read_npz(stream, name, limit, is_plain=raw.is_plain)
        else:
            layout = find_layout(source, name, binary, no_header)
            source.skip(layout.start)
            read = _read_binary if layout.binary else _read_text
            found = read(source, name, layout, limit, decode)
    return distinct(found, name, duplicates)


@contextmanager
def standard_input() -> Iterator[io.BufferedReader]:
    """Yield standard input, decompressed if it is an archive."""
    with _opened("-") as (stream, name):
        yield io.BufferedReader(unpacked(stream, name, FormatError))


def read_counts(path: str | PathLike[str], encoding: str = "utf-8", errors: str = "surrogateescape") -> dict[str, int]:
    """Return the counts in a file of lines "word count", as word2vec.c's ``-save-vocab`` writes it.

    Raises:
        FormatError: the file can't be read, or a line is not a word and a count.
    """
    decode = word_decoder(encoding, errors)
    counts: dict[str, int] = {}
    with _opened(path) as (stream, name), io.BufferedReader(unpacked(stream, name, FormatError)) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if len(fields) != 2 or not fields[1].isdigit() or len(fields[1]) > COUNT_DIGITS:
                raise FormatError(f"{name} line {number} is {line[:60]!r}: expected a word and its count")
            counts[decode(fields[0])] = int(fields[1])
    return counts


@contextmanager
def _opened(path: str | PathLike[str]) -> Iterator[tuple[Any, str]]:
    """Open a path; yield the stream of bytes and its name in messages."""
    name = fspath(path)
    if not isinstance(name, str):
        raise FormatError(f"{name!r:.60} is not a path: give it as text")
    if name == "-":
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise FormatError("standard input can't be read here: give a file")
        # A buffered stream is locked while a thread reads it, which would block the exit on Ctrl-C.
        yield getattr(stream, "raw", stream), "standard input"
        return
    place = local_path(name, FormatError)
    if os.path.isdir(place):
        kind = "a model folder" if os.path.isfile(os.path.join(place, "model.json")) else "a folder"
        remedy = "open it with load" if kind == "a model folder" else "give a file of vectors, or a model folder"
        raise FormatError(f"{name} is {kind}, not a file of vectors: {remedy}")
    with opened(place, FormatError) as stream:
        yield stream, name


def _bytes_of(stream: Any) -> int | None:
    """Return the length of a regular file; None for a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, AttributeError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_size else None


class _Source:
    """Bytes in order, of which those to come can be seen before they are read."""

    def __init__(self, raw: Any, n_bytes: int | None) -> None:
        self._raw = raw
        self._ahead = b""
        self._bytes = n_bytes
        self._read = 0

    @property
    def left(self) -> int | None:
        """How many bytes are left, where that is known."""
        return None if self._bytes is None else max(0, self._bytes - self._read)

    def ahead(self, n: int) -> bytes:
        """Return at least ``n`` bytes from the current place, or all that are left."""
        if len(self._ahead) < n:
            more = bytearray(n - len(self._ahead))
            filled = self._fill(memoryview(more))
            self._ahead += bytes(memoryview(more)[:filled])
        return self._ahead

    def skip(self, n: int) -> None:
        """Skip bytes that have been seen."""
        self._ahead = self._ahead[n:]
        self._read += n

    def fill(self, into: memoryview) -> int:
        """Read until an array is full or there is no more; return how many bytes were read."""
        seen = min(len(into), len(self._ahead))
        into[:seen] = self._ahead[:seen]
        self._ahead = self._ahead[seen:]
        seen += self._fill(into[seen:])
        self._read += seen
        return seen

    def _fill(self, into: memoryview) -> int:
        filled = 0
        while filled < len(into) and (n := self._raw.readinto(into[filled:])):
            filled += n
        return filled


# ------------------------------------------------------------------------------------------------------ text


class _Lines(NamedTuple):
    """A block of whole lines: its bytes, of which those before ``stop`` count and the last is a newline."""

    text: bytearray
    stop: int
    ends_file: bool


class _Noted(NamedTuple):
    """Rows of one kind: how many, and the line and the word of the first, with lines counted from the block's start."""

    n: int
    line: int
    word: str

    def and_then(self, other: "_Noted", lines_before: int) -> "_Noted":
        """Add those of a later block."""
        if not other.n:
            return self
        return (
            _Noted(self.n + other.n, self.line, self.word) if self.n else other._replace(line=other.line + lines_before)
        )


_NONE = _Noted(0, 0, "")


class _Parsed(NamedTuple):
    """The rows of a block.

    Attributes:
        words: the words.
        vectors: float32 ``(len(words), size)``.
        n_bytes: bytes of the block.
        n_lines: lines of the block.
        nameless: rows without a word, which were skipped.
        numbered: words that end in a blank and a number.
        wrong: the first line that is no row, counted from 1, and why; the rows before it are in ``words``.
    """

    words: list[str]
    vectors: NDArray[np.float32]
    n_bytes: int
    n_lines: int
    nameless: _Noted
    numbered: _Noted
    wrong: tuple[int, str] | None


def _blocks_of_lines(source: _Source, name: str, first_bytes: int) -> Iterator[_Lines]:
    """Yield the text in blocks of whole lines, the first of about ``first_bytes``, later ones up to BLOCK_BYTES."""
    left, room = b"", first_bytes
    while True:
        text = bytearray(room + 1)
        text[: len(left)] = left
        filled = len(left) + source.fill(memoryview(text)[len(left) : room])
        if filled < room:
            if filled and text[filled - 1] != 10:
                text[filled] = 10
                filled += 1
            yield _Lines(text, filled, True)
            return
        stop = text.rfind(b"\n", 0, filled) + 1
        left = bytes(memoryview(text)[stop:filled])
        if stop:
            yield _Lines(text, stop, False)
        elif filled > LINE_BYTES:
            raise FormatError(f"{name} has a line longer than {LINE_BYTES >> 20} MB: is it a file of vectors?")
        room = max(min(2 * room, BLOCK_BYTES), 2 * len(left))


def _parse(block: _Lines, layout: Layout, decode: _Decode) -> _Parsed:
    """Return the rows of a block."""
    text, stop = block.text, block.stop
    data = np.frombuffer(text, np.uint8)
    n_lines = text.count(b"\n", 0, stop)
    vectors = np.empty((min(n_lines, stop // (2 * layout.size + 1) + 1), layout.size), np.float32)
    spans = np.empty((len(vectors), 3), np.int64)
    row = at = 0
    nameless, wrong = _NONE, None
    while at < stop:
        row, at = parse_rows(data, at, stop, vectors, spans, row)
        if at >= stop:
            break
        end = text.index(b"\n", at)
        line = bytes(memoryview(text)[at:end])
        try:
            word, vector = read_row(line, layout.size, layout.source)
        except ValueError as reason:
            wrong = text.count(b"\n", 0, at) + 1, str(reason)
            break
        if word:
            start = text.index(word, at)
            spans[row] = start, start + len(word), len(word.split()) > 1
            vectors[row] = vector
            row += 1
        else:
            nameless = nameless.and_then(_Noted(1, 0 if nameless.n else text.count(b"\n", 0, at) + 1, ""), 0)
        at = end + 1
    spans = spans[:row]
    words: list[str] = []
    try:
        for start, end in spans[:, : END + 1].tolist():
            words.append(decode(text[start:end]))
    except ValueError as reason:
        wrong = text.count(b"\n", 0, int(spans[len(words), START])) + 1, f": the word is {reason}"
    numbered = _NONE
    for i in np.flatnonzero(spans[: len(words), HAS_BLANKS]).tolist():
        start, end = spans[i, : END + 1].tolist()
        try:
            require_storable(words[i])
        except ValueError as reason:
            wrong = text.count(b"\n", 0, start) + 1, f": the word is {reason}"
            words = words[:i]
            break
        if NUMBER.fullmatch(bytes(text[start:end]).split()[-1]):
            line_number = 0 if numbered.n else text.count(b"\n", 0, start) + 1
            numbered = numbered.and_then(_Noted(1, line_number, words[i]), 0)
    return _Parsed(words, vectors[: len(words)], stop, n_lines, nameless, numbered, wrong)


def _read_text(source: _Source, name: str, layout: Layout, limit: int | None, decode: _Decode) -> VectorsFile:
    size, held = layout.size, source.left
    words: list[str] = []
    matrix: Matrix | None = None
    nameless = numbered = _NONE
    lines = 0 if layout.announced is None else 1

    def keep(parsed: _Parsed) -> bool:
        """Add a block's rows; return whether more are wanted."""
        nonlocal matrix, nameless, numbered, lines
        taken = parsed.words if limit is None else parsed.words[: limit - len(words)]
        if matrix is None:
            expected = None
            if held is not None and taken:
                # As many as there are if all blocks are like this one; what the header announces is only a hint.
                expected = int(1.02 * len(taken) * held / parsed.n_bytes) + 1
                expected = max(len(taken), min(expected, layout.announced or expected, limit or expected))
            matrix = Matrix(size, expected)
        matrix.append(parsed.vectors[: len(taken)])
        words.extend(taken)
        nameless = nameless.and_then(parsed.nameless, lines)
        numbered = numbered.and_then(parsed.numbered, lines)
        if len(words) == limit:
            return False
        if parsed.wrong is not None:
            raise FormatError(f"{name} line {lines + parsed.wrong[0]}{parsed.wrong[1]}")
        lines += parsed.n_lines
        return True

    blocks = _blocks_of_lines(source, name, BLOCK_BYTES if limit is None else LOOK_BYTES)
    workers = min(usable_cores(), MAX_WORKERS)
    first = next(blocks)
    more = keep(_parse(first, layout, decode)) and not first.ends_file
    if more:
        with ThreadPoolExecutor(workers, "fastw2v-vectors") as pool:
            pending: deque[Future[_Parsed]] = deque()
            for block in blocks:
                pending.append(pool.submit(_parse, block, layout, decode))
                # With a limit, what is behind its row must not be read.
                while pending and more and len(pending) > (workers if limit is None else 0):
                    more = keep(pending.popleft().result())
                if not more:
                    break
            while pending and more:
                more = keep(pending.popleft().result())
    if not words or matrix is None:
        reason = f"line {nameless.line} begins with a blank, so it has no word" if nameless.n else "no line is a row"
        raise FormatError(f"{name} holds no vectors: {reason}")
    if nameless.n:
        doubt(
            f"{name} line {nameless.line} begins with a blank, so it has no word: "
            f"skipped {counted(nameless.n, 'such row')}"
        )
    if numbered.n:
        doubt(
            f"{name}: {counted(numbered.n, 'word')} end in a number after a blank, the first in line {numbered.line}, "
            f"{printable(numbered.word)!r:.60}: has the row a number too many?"
        )
    n_rows = len(words) + nameless.n
    if layout.announced not in (None, n_rows) and len(words) != limit:
        doubt(f"{name}: the header announces {counted(layout.announced, 'word')}, but {n_rows:,} follow: all are read")
    return VectorsFile(words, matrix.finished(), None)


# ------------------------------------------------------------------------------------------------------ binary


def _read_binary(source: _Source, name: str, layout: Layout, limit: int | None, decode: _Decode) -> VectorsFile:
    assert layout.announced is not None
    size, announced, held = layout.size, layout.announced, source.left
    wanted = announced if limit is None else min(limit, announced)
    if held is not None:
        least = wanted * (2 + 4 * size)  # A row has at least one byte of word and a space.
        if held < least:
            raise FormatError(
                f"{name}: the header announces {announced} words of {size} numbers, but only {held} bytes follow: "
                "it is truncated or not binary (is it the text format?)"
            )
    matrix = Matrix(size, None if held is None else wanted)
    words: list[str] = []
    room = BLOCK_BYTES + 8 * size if limit is None else min(BLOCK_BYTES, wanted * (4 * size + 64)) + 8 * size
    data = bytearray(room)
    left = 0
    spans = np.empty((room // (4 * size + 2) + 1, 3), np.int64)
    while True:
        filled = left + source.fill(memoryview(data)[left:])
        is_end = filled < len(data)
        view = np.frombuffer(data, np.uint8)
        at = 0
        while len(words) != limit:
            ahead = min(len(spans), (filled - at) // (4 * size + 2))
            if len(words) < wanted:
                ahead = min(ahead, wanted - len(words))
            if ahead == 0:
                break
            rows = matrix.room(ahead)[: matrix.n_rows + ahead]
            row, at, state = copy_rows(view, at, filled, rows, spans, matrix.n_rows)
            n_new = row - matrix.n_rows
            words += _binary_words(data, spans[:n_new], name, len(words), decode)
            matrix.n_rows = row
            if state == HAS_NO_FINITE_VECTOR:
                start, end = spans[n_new, : END + 1].tolist()
                shown = printable(data[start:end][:60].decode("utf-8", "surrogateescape"))
                raise FormatError(f"{name}: word {row + 1}, {shown!r:.60}, has a number that is not finite")
            if state == NO_WORD:
                raise FormatError(f"{name} is damaged or not binary: no whole word {row + 1} (is it the text format?)")
            if n_new < ahead:
                break
        del view
        if len(words) == limit or is_end:
            break
        left = filled - at
        if at == 0:  # a word longer than the block
            if filled > LINE_BYTES:
                raise FormatError(f"{name} is damaged or not binary: word {len(words) + 1} does not end")
            data = data + bytearray(len(data))
        else:
            data[:left] = data[at:filled]
    rest = filled - at
    if len(words) != limit:
        remains = bytes(data[at:filled]).strip(b"\n")
        if len(words) < announced:
            raise FormatError(
                f"{name} is truncated or not binary: no {'whole ' if remains else ''}word {len(words) + 1} of the "
                f"{announced:,} that its header announces (is it the text format?)"
            )
        if remains:
            raise FormatError(
                f"{name} continues after {counted(len(words), 'word')} with {rest:,} bytes that are no row (the header "
                f"announces {announced:,}): copy or download it again"
            )
        if len(words) > announced:
            doubt(f"{name}: the header announces {counted(announced, 'word')}, but {len(words):,} follow: all are read")
    return VectorsFile(words, matrix.finished(), None)


def _binary_words(data: bytearray, spans: NDArray[np.int64], name: str, n_before: int, decode: _Decode) -> list[str]:
    words: list[str] = []
    try:
        for start, end in spans[:, : END + 1].tolist():
            words.append(decode(data[start:end]))
        for row in np.flatnonzero(spans[:, HAS_BLANKS]).tolist():
            del words[row:]
            require_storable(data[spans[row, START] : spans[row, END]].decode("utf-8", "surrogateescape"))
    except ValueError as reason:
        raise FormatError(f"{name}: word {n_before + len(words) + 1} is {reason}") from None
    return words
