"""Find the layout of a file of vectors from its first bytes: text or binary, header or none, the vector size.

A file is read as text only if its lines are a word and numbers. It is read as binary only if it begins with whole rows
that can't be text. So damaged text is reported as text, and is never read as binary numbers.
"""

import re
from collections import Counter
from typing import NamedTuple, Protocol

import numpy as np

from ..errors import ConfigError, FormatError, doubt, python_option
from ..screen import counted
from .looks import other_text, refuse_other_kinds
from .numbers import BLANKS, NUMBER, trailing_numbers

MAX_COLUMNS = 65_536  # as in `TrainConfig`
LINE_BYTES = 64 << 20  # A small archive can hold an endless line.
LOOK_BYTES = 64 << 10
LOOK_LINES = 1_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_HEADER = re.compile(rb"[ \t]*([0-9]{1,40})[ \t]+([0-9]{1,40})[ \t\r]*(?:\n|\Z)")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_LINE_BREAKS = re.compile(rb"[\t-\r]")


class Ahead(Protocol):
    """Bytes that can be seen before they are read."""

    def ahead(self, n: int) -> bytes:
        """Return at least ``n`` bytes from the current place, or all that are left."""


class Layout(NamedTuple):
    """How vectors are laid out.

    Attributes:
        binary: whether the numbers are float32, not text.
        start: bytes before the first row.
        size: numbers per vector.
        announced: number of rows, as the header says; None without a header.
    """

    binary: bool
    start: int
    size: int
    announced: int | None

    @property
    def source(self) -> str:
        """Where the vector size comes from, in messages."""
        return "but most lines have" if self.announced is None else "but the header announces"


class _Line(NamedTuple):
    """A line that is not blank.

    Attributes:
        number: its number in the file, from 1.
        fields: how many fields it has.
        numbers: how many of the fields after the first, counted from the end, are numbers.
        is_indented: it begins with a blank.
        first: its first field.
    """

    number: int
    fields: int
    numbers: int
    is_indented: bool
    first: bytes

    def holds(self, size: int) -> bool:
        """Return whether it can be a row of ``size`` numbers; the word may be missing."""
        return self.numbers >= size or (self.is_indented and self.fields == size == self.numbers + 1)


def find_layout(source: Ahead, name: str, binary: bool | None, no_header: bool | None) -> Layout:
    """Return the layout of a file.

    Args:
        source: the file's bytes, at its start.
        name: its name in messages.
        binary: what the caller says it is; None to detect it.
        no_header: whether the caller says that it has no header; None to detect it.

    Raises:
        FormatError: it is not a file of vectors, not what the caller says, or its header and rows do not agree.
        ConfigError: the caller says that it is binary and has no header.

    Warns:
        FastW2VWarning: line 1 looks like a header, but the other lines are vectors of one number.
    """
    if binary and no_header:
        raise ConfigError(f"a binary file has a header: omit {python_option('binary')} or {python_option('no_header')}")
    look = source.ahead(LOOK_BYTES)
    start = len(BYTE_ORDER_MARK) if look.startswith(BYTE_ORDER_MARK) else 0
    refuse_other_kinds(name, look[start : LOOK_BYTES + start])
    header = None if no_header else _HEADER.match(look, start)
    if header is None:
        if binary or no_header is False:
            remedy = "" if binary else f" (give {python_option('no_header', True)} for a file without one)"
            raise FormatError(
                f"{name} line 1 is not a word2vec header: expected the number of words and that of columns{remedy}"
            )
        return Layout(False, start, _size_without_header(source, name, start, bool(no_header)), None)
    n_words, size = int(header[1]), int(header[2])
    start_of_text, start = start, header.end()
    is_header = n_words > 0 and size > 0
    rows = _BinaryRows(b"", 0, 0, 0)
    if is_header and size <= MAX_COLUMNS:
        look = source.ahead(start + 4 * size + LOOK_BYTES)
        rows = _BinaryRows(look, start, n_words, size)
    lines = _lines(source, name, start, 2, may_be_binary=rows.is_certain)
    if is_header and size <= MAX_COLUMNS and len(source.ahead(0)) > len(look):  # a long line, or a long word
        look = source.ahead(0)
        rows = _BinaryRows(look, start, n_words, size)
    fits = bool(lines) and all(line.holds(size) for line in lines)
    is_binary = is_header and not fits and (rows.is_certain or (_is_binary(look[start:]) and not _is_text(lines)))
    if binary and not is_binary and _is_text(lines):
        raise FormatError(f"{name} is a text file, not a binary one: omit {python_option('binary', True)}")
    if binary is False and is_binary:
        raise FormatError(f"{name} is a binary file, not text: omit {python_option('binary', False)}")
    if binary:
        is_binary = True
    if not is_binary and no_header is None and lines and all(line.fields == 2 and line.numbers for line in lines):
        is_all = len(source.ahead(len(look) + 1)) <= len(look) and len(lines) < LOOK_LINES
        counts_rows = n_words == len(lines) if is_all else n_words >= len(lines)
        if size != 1 and not (is_all and counts_rows):
            doubt(
                f"{name}: line 1, {n_words} {size}, is read as a word and its number, because the other lines have one "
                f"number: give {python_option('no_header', False)} if it is a header"
            )
            return Layout(False, start_of_text, 1, None)
        if size == 1 and not counts_rows:
            raise FormatError(
                f"{name}: line 1 may be a header or the vector of a word: give "
                f"{python_option('no_header', True)} or {python_option('no_header', False)}"
            )
    if not is_header:
        raise FormatError(f"{name} line 1 is not a word2vec header: it announces {n_words} words of {size} numbers")
    if size > MAX_COLUMNS:
        raise FormatError(f"{name}: the header announces vectors of {size} numbers, more than {MAX_COLUMNS:,}")
    if not is_binary:
        longer = [line for line in lines if line.numbers > size]
        if 2 * len(longer) > len(lines):
            raise FormatError(
                f"{name} line {longer[0].number} has {counted(longer[0].numbers, 'number')}, "
                f"but the header announces {size}"
            )
    return Layout(is_binary, start, size, n_words)


def _lines(source: Ahead, name: str, start: int, first: int, *, may_be_binary: bool = False) -> list[_Line]:
    """Return the first lines that are not blank; at least one, unless the file ends or may be binary."""
    n = start + LOOK_BYTES
    while True:
        look = source.ahead(n)
        is_all = len(look) < n
        stop = len(look) if is_all else look.rfind(b"\n", start) + 1
        if (stop > start and look[start:stop].strip()) or is_all or may_be_binary or _is_binary(look[start:]):
            break
        if n > LINE_BYTES:
            raise FormatError(f"{name} line {first} is longer than {LINE_BYTES >> 20} MB: give a file of vectors")
        n *= 2
    lines = []
    for number, line in enumerate(look[start : max(stop, start)].split(b"\n", LOOK_LINES)[:LOOK_LINES], first):
        if fields := line.split():
            lines.append(_Line(number, len(fields), trailing_numbers(fields), line[0] in BLANKS, fields[0]))
    return lines


def _are_decimals(words: list[bytes]) -> bool:
    """Return whether all words are numbers, at least one of them not whole; whole numbers may be nodes or items."""
    if not all(NUMBER.fullmatch(word) for word in words):
        return False
    return not all(word.removeprefix(b"-").isdigit() for word in words)


def _is_text(lines: list[_Line]) -> bool:
    """Return whether the first row is a word and only numbers, however many."""
    return bool(lines) and lines[0].numbers > 0 and lines[0].numbers == lines[0].fields - 1


def _is_binary(content: bytes) -> bool:
    """Return whether the content has control characters, which text has not."""
    return _CONTROL.search(content) is not None


class _BinaryRows:
    """The first rows of a file, if it is binary.

    Attributes:
        is_certain: there is at least one, all are valid, and their numbers are not text.
    """

    def __init__(self, look: bytes, start: int, n_words: int, size: int) -> None:
        self.is_certain = False
        at, not_text = start, False
        for _ in range(min(n_words, LOOK_LINES)):
            while look[at : at + 1] == b"\n":
                at += 1
            space = look.find(b" ", at)
            stop = space + 1 + 4 * size
            if space < 0 or stop > len(look):
                break
            numbers = look[space + 1 : stop]
            if (
                space == at
                or _LINE_BREAKS.search(look, at, space)
                or not np.isfinite(np.frombuffer(numbers, "<f4")).all()
            ):
                return
            not_text = not_text or _is_binary(numbers) or not _is_utf8(numbers)
            at = stop
        self.is_certain = not_text


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _size_without_header(source: Ahead, name: str, start: int, is_told: bool) -> int:
    """Return how many numbers most lines have. A line whose word ends in a number seems to have one more."""
    lines = _lines(source, name, start, 1)
    if lines and not is_told and _are_decimals([line.first for line in lines]):
        raise FormatError(
            f"{name} looks like a table of numbers without words, such as the Embedding Projector's: put a word first "
            f"in each line, or give {python_option('no_header', True)} if the first number is the word"
        )
    sizes = Counter(line.numbers for line in lines)
    (size, often), *others = sizes.most_common(2) or [(0, 0)]
    if not size:
        look = source.ahead(LOOK_BYTES)[start:]
        raise FormatError(f"{name} line 1 is not a word and its numbers: {other_text(look)}")
    if others and 2 * often <= len(lines):
        first = lines[0]
        other = next(line for line in lines if line.numbers != first.numbers)
        raise FormatError(
            f"{name} line {other.number} has {counted(other.numbers, 'number')}, but line {first.number} has "
            f"{first.numbers}: without a header all lines need the same number"
        )
    if size == 1 and not is_told:
        doubt(f"{name} has one number in most lines: they are read as vectors, but may be counts or scores")
    if size > MAX_COLUMNS:
        raise FormatError(f"{name} line {lines[0].number} has {size:,} numbers, more than {MAX_COLUMNS:,}")
    return size
