"""Read vectors from lines of text, in blocks of whole lines. Threads parse blocks while the next block is read."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, doubt
from ..machine import usable_cores
from ..screen import counted, printable
from .layout import LINE_BYTES, LOOK_BYTES, Layout
from .matrix import Decode, Matrix, VectorsFile, require_storable
from .numbers import END, HAS_BLANKS, NUMBER, START, parse_rows, read_row
from .source import Source

BLOCK_BYTES = 1 << 20
MAX_WORKERS = 8  # One thread reads, so more threads would wait for it.


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


def _blocks_of_lines(source: Source, name: str, first_bytes: int) -> Iterator[_Lines]:
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
            raise FormatError(f"{name} has a line longer than {LINE_BYTES >> 20} MB: give a file of vectors")
        room = max(min(2 * room, BLOCK_BYTES), 2 * len(left))


def _parse(block: _Lines, layout: Layout, decode: Decode, most: int | None) -> _Parsed:
    """Return the rows of a block, at most so many."""
    text, stop = block.text, block.stop
    data = np.frombuffer(text, np.uint8)
    n_lines = text.count(b"\n", 0, stop)
    n_rows = min(n_lines, stop // (2 * layout.size + 1) + 1)
    vectors = np.empty((n_rows if most is None else min(n_rows, most), layout.size), np.float32)
    spans = np.empty((len(vectors), 3), np.int64)
    row = at = 0
    nameless, wrong = _NONE, None
    while True:
        row, at = parse_rows(data, at, stop, vectors, spans, row)
        if at >= stop or row == len(vectors):
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


def read_text(source: Source, name: str, layout: Layout, limit: int | None, decode: Decode) -> VectorsFile:
    """Read the rows of text that follow; see `reader.read_vectors`.

    Raises:
        FormatError: a line is not a row, or there is none.

    Warns:
        FastW2VWarning: rows were skipped or are doubtful, or their number is not the one announced.
    """
    size, held = layout.size, source.left
    words: list[str] = []
    matrix: Matrix | None = None
    nameless = numbered = _NONE
    lines = 0 if layout.announced is None else 1

    def keep(parsed: _Parsed) -> bool:
        """Add a block's rows; return whether more are wanted."""
        nonlocal matrix, nameless, numbered, lines
        if matrix is None:
            expected = None
            if held is not None and parsed.words:
                # This estimate assumes that all blocks are like this one; the number in the header is only a hint.
                expected = int(1.02 * len(parsed.words) * held / parsed.n_bytes) + 1
                expected = max(len(parsed.words), min(expected, layout.announced or expected, limit or expected))
            matrix = Matrix(size, expected)
        matrix.append(parsed.vectors)
        words.extend(parsed.words)
        nameless = nameless.and_then(parsed.nameless, lines)
        numbered = numbered.and_then(parsed.numbered, lines)
        if len(words) == limit:
            return False
        if parsed.wrong is not None:
            raise FormatError(f"{name} line {lines + parsed.wrong[0]}{parsed.wrong[1]}")
        lines += parsed.n_lines
        return True

    blocks = _blocks_of_lines(source, name, BLOCK_BYTES if limit is None else LOOK_BYTES)
    first = next(blocks)
    more = keep(_parse(first, layout, decode, limit)) and not first.ends_file
    if more and limit is not None:  # Nothing after the limit is read, so no thread reads ahead.
        while more and (block := next(blocks, None)):
            more = keep(_parse(block, layout, decode, limit - len(words)))
    elif more:
        workers = min(usable_cores(), MAX_WORKERS)
        with ThreadPoolExecutor(workers, "fastw2v-vectors") as pool:
            pending: deque[Future[_Parsed]] = deque()
            for block in blocks:
                pending.append(pool.submit(_parse, block, layout, decode, None))
                if len(pending) > workers:
                    keep(pending.popleft().result())
            while pending:
                keep(pending.popleft().result())
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
            f"{name} line {numbered.line}: the word {printable(numbered.word)!r:.60} ends in a number: check "
            f"whether the row has a number too many ({counted(numbered.n, 'such row')})"
        )
    n_rows = len(words) + nameless.n
    if layout.announced not in (None, n_rows) and len(words) != limit:
        doubt(f"{name}: the header announces {counted(layout.announced, 'word')}, but {n_rows:,} follow: all are read")
    return VectorsFile(words, matrix.finished(), None)
