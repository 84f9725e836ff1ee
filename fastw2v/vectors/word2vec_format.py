"""The two file formats of word2vec.c, text and binary.

Both start with a line ``n_words vector_size``. A text row is the word and the numbers (``%lf``: six decimals), with a
space after each, and a newline. A binary row is the word, a space, the numbers as little-endian float32, and a newline.
Some writers (older gensim) omit that newline; `read` accepts both.
"""

import io
import os
from collections import Counter
from os import PathLike, fspath

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from ..screen import counted, printable
from ..vocab import check_storable

MAX_COLUMNS = 65_536  # as in `TrainConfig`


def read(path: str | PathLike[str], *, binary: bool) -> tuple[list[str], NDArray[np.float32]]:
    """Read words and vectors, shape ``(n_words, vector_size)``; see `embeddings.load_word2vec_format`."""
    name = fspath(path)
    try:
        with open(path, "rb") as file:
            n_words, size = _read_header(file, name)
            # A row has at least one byte of word and a space, and per number 4 bytes, or a digit and a separator.
            least = n_words * (2 + size * (4 if binary else 2)) - 1
            held = os.fstat(file.fileno()).st_size - file.tell()
            if held < least:
                raise FormatError(
                    f"{name}: the header announces {n_words} words of {size} numbers, but only {held} bytes follow"
                )
            if size > MAX_COLUMNS:
                raise FormatError(f"{name}: the header announces vectors of {size} numbers, more than {MAX_COLUMNS:,}")
            vectors = np.empty((n_words, size), np.float32)
            read_row = _read_binary_row if binary else _read_text_row
            with np.errstate(over="ignore"):  # Infinite numbers are rejected below.
                words = [_checked(read_row(file, name, row, vectors[row]), name, row) for row in range(n_words)]
            if file.read(1 << 12).strip() or file.read(1):
                raise FormatError(f"{name} continues after the {n_words} words that its header announces")
    except OSError as error:
        raise FormatError(f"cannot read {name}: {error.strerror or error}") from error
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise FormatError(f"{name}: word {row + 1}, {printable(words[row])!r:.60}, has a number that is not finite")
    if len(set(words)) != n_words:
        repeated = Counter(words).most_common(1)[0][0]
        raise FormatError(f"{name} holds the word {printable(repeated)!r:.60} twice")
    return words, vectors


def _checked(word: str, name: str, row: int) -> str:
    try:
        check_storable(word)
    except ValueError as reason:
        raise FormatError(f"{name}: word {row + 1} is {printable(word)!r:.60}, {reason}") from None
    return word


def _read_header(file: io.BufferedReader, name: str) -> tuple[int, int]:
    fields = file.readline(64).split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields) or not all(map(int, fields)):
        raise FormatError(f"{name} line 1 is not a word2vec header: expected the number of words and of columns")
    return int(fields[0]), int(fields[1])


def _read_binary_row(file: io.BufferedReader, name: str, row: int, vector: NDArray[np.float32]) -> str:
    letters = bytearray()
    while not letters.endswith(b" "):
        ahead = file.peek()
        if not ahead:
            raise FormatError(f"{name} is truncated or not binary: no word {row + 1} (is it the text format?)")
        letters += file.read(ahead.find(b" ") + 1 or len(ahead))
    letters = letters[:-1].lstrip(b"\n")  # the newline that ends the previous row, if there is one
    numbers = file.read(vector.nbytes)
    if len(numbers) < vector.nbytes or not letters:
        raise FormatError(f"{name} is truncated or not binary: no whole word {row + 1} (is it the text format?)")
    vector[:] = np.frombuffer(numbers, "<f4")
    return letters.decode("utf-8", "surrogateescape")


def _read_text_row(file: io.BufferedReader, name: str, row: int, vector: NDArray[np.float32]) -> str:
    line = file.readline().rstrip(b"\r\n ")
    spaces = line.count(b" ")
    if spaces != len(vector):
        raise FormatError(
            f"{name} line {row + 2} has {counted(spaces, 'number')}, the header announces {len(vector)} "
            "(is it the binary format?)"
        )
    fields = line.split(b" ")
    try:
        vector[:] = [float(field) for field in fields[1:]]
    except ValueError as error:
        raise FormatError(f"{name} line {row + 2}: {error!s:.80} (is it the binary format?)") from None
    return fields[0].decode("utf-8", "surrogateescape")
