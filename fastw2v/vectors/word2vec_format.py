"""The two file formats of word2vec.c, text and binary.

Both start with a line ``n_words vector_size``. A text row is the word and the numbers (``%lf``: six decimals), with a
space after each, and a newline. A binary row is the word, a space, the numbers as little-endian float32, and a newline.
"""

import os
import shutil
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, doubt
from ..screen import counted, printable

CHECKED_ROWS = 4_096


def write(path: str | PathLike[str], words: Sequence[str], vectors: NDArray[np.float32], *, binary: bool) -> None:
    """Write vectors as word2vec.c does; an existing file is replaced only by a complete one.

    Warns:
        FastW2VWarning: words are not valid UTF-8, so gensim needs an option to read the file.

    Raises:
        FormatError: a word holds white space, a vector is not finite, or the file can't be written.
    """
    undecodable = [word for word in words if not word.isascii() and any("\ud800" <= c <= "\udfff" for c in word)]
    if undecodable:
        doubt(
            f"{len(undecodable):,} of {counted(len(words), 'word')}, the first {undecodable[0]!r:.60}, are not valid "
            'UTF-8: gensim reads this file only with unicode_errors="replace"'
        )
    for start in range(0, len(vectors), CHECKED_ROWS):
        wrong = np.flatnonzero(~np.isfinite(vectors[start : start + CHECKED_ROWS]).all(axis=1))
        if len(wrong):
            word = words[start + int(wrong[0])]
            raise FormatError(f"the vector of the word {word!r:.60} is not finite: repair it")
    for word in words:
        if any(c in word for c in " \t\n\r\v\f"):
            raise FormatError(
                f"the word {printable(word)!r:.60} holds white space, which word2vec files can't: join it with _"
            )
    path = Path(path)
    try:
        if path.is_dir():
            raise FormatError(f"{path} is a folder: give a file name")
        if path.exists() and not path.is_file():  # A pipe or a device can't be replaced.
            with open(path, "wb") as file:
                _write_rows(file, words, vectors, binary)
            return
        path = Path(os.path.realpath(path))  # Replace the target of a link, not the link.
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            aside.unlink(missing_ok=True)
            with open(aside, "xb") as file:  # This fails if somebody has put a link there.
                _write_rows(file, words, vectors, binary)
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, aside)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except BrokenPipeError:  # The reader has stopped reading; the command line handles it.
        raise
    except OSError as error:
        raise FormatError(f"cannot write {path}: {error.strerror or error}") from error


def _write_rows(file: IO[bytes], words: Sequence[str], vectors: NDArray[np.float32], binary: bool) -> None:
    file.write(b"%d %d\n" % vectors.shape)
    row_format = "%f " * vectors.shape[1]
    for word, vector in zip(words, vectors, strict=True):
        file.write(word.encode("utf-8", "surrogateescape") + b" ")
        if binary:
            file.write(vector.astype("<f4").tobytes() + b"\n")
        else:
            file.write((row_format % tuple(vector.tolist()) + "\n").encode("ascii"))
