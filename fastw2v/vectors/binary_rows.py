"""Read binary rows of vectors. One thread copies the rows, because copying takes no longer than reading."""

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, doubt
from ..screen import counted, printable
from .layout import LINE_BYTES, Layout
from .matrix import Decode, Matrix, VectorsFile, require_storable
from .numbers import END, HAS_BLANKS, HAS_NO_FINITE_VECTOR, NO_WORD, START, copy_rows
from .source import Source

BLOCK_BYTES = 1 << 20
_REMEDY = "copy or download it again (is it the text format?)"


def read_binary(source: Source, name: str, layout: Layout, limit: int | None, decode: Decode) -> VectorsFile:
    """Read the binary rows that follow; see `reader.read_vectors`.

    Raises:
        FormatError: the rows are fewer than the header announces, damaged, or followed by something else.

    Warns:
        FastW2VWarning: more rows follow than the header announces.
    """
    assert layout.announced is not None
    size, announced, held = layout.size, layout.announced, source.left
    wanted = announced if limit is None else min(limit, announced)
    if held is not None:
        least = wanted * (2 + 4 * size)  # A row has at least one byte of word and a space.
        if held < least:
            raise FormatError(
                f"{name} is truncated or not binary: the header announces {announced} words of {size} numbers, but "
                f"only {held} bytes follow; {_REMEDY}"
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
            elif limit is not None:
                ahead = min(ahead, limit - len(words))
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
                raise FormatError(
                    f"{name}: word {row + 1}, {shown!r:.60}, has a number that is not finite: repair the file"
                )
            if state == NO_WORD:
                raise FormatError(f"{name} is damaged or not binary: row {row + 1} has no word; {_REMEDY}")
            if n_new < ahead:
                break
        del view
        if len(words) == limit or is_end:
            break
        left = filled - at
        if at == 0:  # a word longer than the block
            if filled > LINE_BYTES:
                raise FormatError(f"{name} is damaged or not binary: word {len(words) + 1} does not end; {_REMEDY}")
            data = data + bytearray(len(data))
        else:
            data[:left] = data[at:filled]
    rest = filled - at
    if len(words) != limit:
        remains = bytes(data[at:filled]).strip(b"\n")
        if len(words) < announced:
            raise FormatError(
                f"{name} is truncated or not binary: it ends {'in' if remains else 'before'} row {len(words) + 1} of "
                f"the {announced:,} that its header announces; {_REMEDY}"
            )
        if remains:
            raise FormatError(
                f"{name} continues after {counted(len(words), 'word')} with {rest:,} bytes that are no row (the header "
                f"announces {announced:,}): copy or download it again"
            )
        if len(words) > announced:
            doubt(f"{name}: the header announces {counted(announced, 'word')}, but {len(words):,} follow: all are read")
    return VectorsFile(words, matrix.finished(), None)


def _binary_words(data: bytearray, spans: NDArray[np.int64], name: str, n_before: int, decode: Decode) -> list[str]:
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
