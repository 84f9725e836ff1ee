"""Read rows of vectors from bytes: compiled readers of text rows and binary rows, and an exact one to fall back to.

A text row is a word and numbers, separated by ASCII blanks; a no-break space is part of a word. The last ``size``
fields are the numbers. The text before them is the word, which may itself hold blanks.

`parse_rows` computes a number from up to 19 digits in double precision. Its relative error is below 2**-51. If
both ends of an interval of twice that error round to the same float32, so does the exact number. Otherwise, or if a row
is unusual or wrong, the kernel stops, and `read_row` reads the row or reports what is wrong.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit
from ..screen import counted, printable

NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
NOT_FINITE = re.compile(rb"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(rb"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
BLANKS = b" \t\r\v\f"

# What `copy_rows` reports: it needs more bytes or a longer matrix; or its next row is wrong.
MORE, NO_WORD, HAS_NO_FINITE_VECTOR = 0, 1, 2
# Columns of the spans of words.
START, END, HAS_BLANKS = 0, 1, 2

_TEN, _FULL, _EXACT = np.uint64(10), np.uint64(10**18), np.uint64(1 << 53)
_POWERS = np.array([float(f"1e{n}") for n in range(101)])
_BELOW, _ABOVE = 1 - 2.0**-50, 1 + 2.0**-50
_LARGEST = np.finfo(np.float32).max
_EXPONENT = np.uint32(0x7F800000)


@jit(exact=True)
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@jit(exact=True)
def _number(text: NDArray[np.uint8], at: int) -> tuple[bool, int, np.float32]:
    """Read the number at a place; return whether it could be read, the place after it, and its value as a float32."""
    zero = np.float32(0)
    negative = text[at] == 45
    if negative or text[at] == 43:
        at += 1
    mantissa = np.uint64(0)
    exponent = 0
    first = at
    while 48 <= text[at] <= 57:
        if mantissa < _FULL:
            mantissa = mantissa * _TEN + np.uint64(text[at] - 48)
        else:
            exponent += 1
        at += 1
    digits = at - first
    if text[at] == 46:
        at += 1
        first = at
        while 48 <= text[at] <= 57:
            if mantissa < _FULL:
                mantissa = mantissa * _TEN + np.uint64(text[at] - 48)
                exponent -= 1
            at += 1
        digits += at - first
    if digits == 0:
        return False, at, zero
    if text[at] == 101 or text[at] == 69:
        at += 1
        sign = 1
        if text[at] == 45 or text[at] == 43:
            if text[at] == 45:
                sign = -1
            at += 1
        first = at
        power = 0
        while 48 <= text[at] <= 57:
            if power < 1_000_000:
                power = power * 10 + (text[at] - 48)
            at += 1
        if at == first:
            return False, at, zero
        exponent += sign * power
    if not _is_space(text[at]):
        return False, at, zero
    # A mantissa is below 10**19, so a large exponent is an overflow, and a small one gives zero.
    value = zero
    if mantissa != 0 and exponent > -len(_POWERS):
        if exponent > 60:
            return False, at, zero
        number = np.float64(mantissa)
        if exponent < 0:
            number /= _POWERS[-exponent]
        else:
            number *= _POWERS[exponent]
        value = np.float32(number)
        if not (mantissa <= _EXACT and -22 <= exponent <= 22):
            value = np.float32(number * _BELOW)
            if value != np.float32(number * _ABOVE):
                return False, at, zero
        if value > _LARGEST:
            return False, at, zero
    if negative:
        value = -value
    return True, at, value


@jit(exact=True)
def _numbers(text: NDArray[np.uint8], at: int, vector: NDArray[np.float32]) -> int:
    """Read a vector from a place to the end of its line; return the place of that end, or -1."""
    for column in range(len(vector)):
        while text[at] != 10 and _is_space(text[at]):
            at += 1
        read, at, value = _number(text, at)
        if not read:
            return -1
        vector[column] = value
    while text[at] != 10 and _is_space(text[at]):
        at += 1
    return at if text[at] == 10 else -1


@jit(exact=True)
def parse_rows(
    text: NDArray[np.uint8], at: int, stop: int, vectors: NDArray[np.float32], words: NDArray[np.int64], row: int
) -> tuple[int, int]:
    """Read rows of text until the text ends, the matrix is full, or a row is not an ordinary one.

    Args:
        text: whole lines; ``text[stop - 1]`` is a newline.
        at: place of the first line to read.
        stop: number of bytes.
        vectors: output, float32 ``(rows, vector_size)``.
        words: output, int64 ``(rows, 3)``: where each word starts and ends, and whether it holds blanks.
        row: the first row to write.

    Returns:
        The row after the last one written, and the place of the first line that was not read.
    """
    size = vectors.shape[1]
    while at < stop and row < len(vectors):
        line = at
        while text[at] != 10 and _is_space(text[at]):
            at += 1
        if text[at] == 10:  # a blank line
            at += 1
            continue
        start = at
        while not _is_space(text[at]):
            at += 1
        end = at
        blanks = 0
        finish = _numbers(text, at, vectors[row])
        if finish < 0:
            # This is not one word and then the numbers: find the last fields from the end.
            finish = end
            while text[finish] != 10:
                finish += 1
            at = finish
            for _ in range(size):
                while at > start and _is_space(text[at - 1]):
                    at -= 1
                while at > start and not _is_space(text[at - 1]):
                    at -= 1
            end = at
            while end > start and _is_space(text[end - 1]):
                end -= 1
            if end == start or _numbers(text, at, vectors[row]) != finish:
                return row, line
            blanks = 1
        words[row, START], words[row, END], words[row, HAS_BLANKS] = start, end, blanks
        row += 1
        at = finish + 1
    return row, at


@jit(exact=True)
def copy_rows(
    data: NDArray[np.uint8], at: int, stop: int, vectors: NDArray[np.float32], words: NDArray[np.int64], row: int
) -> tuple[int, int, int]:
    """Read binary rows until the bytes end, the matrix is full, or a row is wrong; see `parse_rows`.

    ``words`` has one row per row written, from 0.

    Returns:
        The row after the last one written, the place of the first row that was not read, and why (MORE or an error).
    """
    numbers, bits = vectors.view(np.uint8), vectors.view(np.uint32)
    width = numbers.shape[1]
    first = row
    while row < len(vectors) and row - first < len(words):
        begin = at
        while at < stop and data[at] == 10:  # the newline that ends the previous row, if there is one
            at += 1
        start = at
        blanks = 0
        while at < stop and data[at] != 32:
            blanks |= 9 <= data[at] <= 13
            at += 1
        end = at
        at += 1
        if at + width > stop:
            return row, begin, MORE
        if end == start:
            return row, begin, NO_WORD
        for i in range(width):
            numbers[row, i] = data[at + i]
        wrong = False
        for i in range(bits.shape[1]):
            wrong |= (bits[row, i] & _EXPONENT) == _EXPONENT
        words[row - first, START], words[row - first, END], words[row - first, HAS_BLANKS] = start, end, blanks
        if wrong:
            return row, begin, HAS_NO_FINITE_VECTOR
        row += 1
        at += width
    return row, at, MORE


class Row(NamedTuple):
    """A row of text: the bytes of its word, empty if it has none, and its numbers, float32 ``(size,)``."""

    word: bytes
    vector: NDArray[np.float32]


def read_row(line: bytes, size: int, source: str) -> Row:
    """Read any row of text, also one at which `parse_rows` stops.

    Args:
        line: the bytes of the line.
        size: how many numbers it should have.
        source: where this size comes from, for messages, such as "but the header announces".

    Raises:
        ValueError: the row is wrong; the text gives the reason, to follow the name of the file and the line.
    """
    fields = line.split()
    if len(fields) == size and line[0] in BLANKS and all(NUMBER.fullmatch(field) for field in fields):
        word, numbers = b"", fields
    elif len(fields) <= size:
        hint = "; separate the numbers by spaces, not commas" if len(fields) == 1 and b"," in line else ""
        raise ValueError(f" has {counted(max(0, len(fields) - 1), 'number')}, {source} {size}{hint}")
    else:
        numbers = fields[-size:]
        word = line.strip()
        for number in reversed(numbers):
            word = word[: -len(number)].rstrip()
    vector = np.empty(size, np.float32)
    for column, field in enumerate(numbers):
        shown = f"{printable(field[:60].decode('utf-8', 'surrogateescape'))!r:.60}"
        if not NUMBER.fullmatch(field):
            if NOT_FINITE.fullmatch(field):
                raise ValueError(f": number {column + 1} is {shown}, which is not finite: remove the row")
            if _DECIMAL_COMMA.fullmatch(field):
                raise ValueError(f": {shown} has a decimal comma: write a point")
            raise ValueError(f": {shown} is not a number")
        with np.errstate(over="ignore"):
            vector[column] = float(field)
        if not np.isfinite(vector[column]):
            raise ValueError(f": {shown} is not finite as a float32: scale the vectors")
    return Row(word, vector)


def trailing_numbers(fields: list[bytes]) -> int:
    """Return how many fields at the end of a line are numbers, finite or not; the first field never counts."""
    n = 0
    while n < len(fields) - 1 and (NUMBER.fullmatch(fields[-1 - n]) or NOT_FINITE.fullmatch(fields[-1 - n])):
        n += 1
    return n
