"""Open a file of vectors or standard input, as a stream whose next bytes can be seen before they are read."""

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any

from ..errors import FormatError
from ..files.archives import opened, unpacked
from ..files.places import local_path

STANDARD_INPUT = "standard input"


@contextmanager
def open_vectors(path: str | PathLike[str]) -> Iterator[tuple[Any, str]]:
    """Open a path for reading; yield the stream of bytes and its name in messages.

    Raises:
        FormatError: the file does not exist, is a folder, or changes while it is read.
    """
    name = fspath(path) if isinstance(path, PathLike) else path
    if not isinstance(name, str):
        raise FormatError(f"{name!r:.60} is not a path: give it as text")
    if name == "-":
        stream = getattr(sys.stdin, "buffer", None)
        if stream is None:
            raise FormatError("standard input can't be read here: give a file")
        # A buffered stream is locked while a thread reads it, which would block the exit on Ctrl-C.
        yield getattr(stream, "raw", stream), STANDARD_INPUT
        return
    place = local_path(name, FormatError)
    if os.path.isdir(place):
        kind = "a model folder" if os.path.isfile(os.path.join(place, "model.json")) else "a folder"
        remedy = "open it with load" if kind == "a model folder" else "give a file of vectors, or a model folder"
        raise FormatError(f"{name} is {kind}, not a file of vectors: {remedy}")
    with opened(place, FormatError) as stream:
        yield stream, name


@contextmanager
def open_lines(path: str | PathLike[str]) -> Iterator[tuple[io.BufferedReader, str]]:
    """Open a path for reading lines, decompressed if it is an archive; yield them and the name in messages.

    Raises:
        FormatError: see `open_vectors`.
    """
    with open_vectors(path) as (stream, name):
        yield io.BufferedReader(unpacked(stream, name, FormatError)), name


def length_of(stream: Any) -> int | None:
    """Return the length of a regular file; None for a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, AttributeError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_size else None


class Source:
    """A stream of bytes, of which the next ones can be seen before they are read."""

    def __init__(self, raw: Any, n_bytes: int | None) -> None:
        self._raw = raw
        self._ahead = b""
        self._bytes = n_bytes
        self._read = 0

    @property
    def left(self) -> int | None:
        """How many bytes are left, where that is known."""
        return None if self._bytes is None else max(0, self._bytes - self._read)

    @property
    def place(self) -> int:
        """How many bytes have been read or skipped."""
        return self._read

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
