"""Files as streams of bytes; archives (gzip, bzip2, xz, zstd) are recognised by their first bytes, not by their names.

Several compressed streams, one after the other, are one stream. A truncated or damaged archive is an error, and so is
a file that changes while it is read. Callers give the class of the errors, because a text and a file of vectors fail in
the same ways.
"""

import bz2
import io
import lzma
import os
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import FastW2VError

SNIFF_BYTES = 64 << 10
COMPRESSED_BYTES = 256 << 10  # bytes read at once from an archive
# Decompressed at once: gzip can shrink text to a thousandth of its size, and 4 bytes of zstd can hold 128 KiB.
GZIP_BYTES, ZSTD_BYTES = 32 << 10, 4 << 10


class Raw(io.RawIOBase):
    """The bytes of a file or a pipe, including those that `peek` has read ahead. Its errors are of class ``error``."""

    def __init__(self, stream: Any, name: str, error: type[FastW2VError], *, is_plain: bool = True) -> None:
        self._stream, self._name, self._error = stream, name, error
        self.is_plain = is_plain  # whether these are the bytes of the file itself
        self._head = memoryview(b"")

    def peek(self) -> bytes:
        """Return the first bytes without consuming them."""
        head = bytearray(SNIFF_BYTES)
        filled = 0
        while filled < SNIFF_BYTES and (n := self.readinto(memoryview(head)[filled:])):
            filled += n
        self._head = memoryview(bytes(head[:filled]))
        return bytes(self._head)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, into: Any) -> int:
        """Read some bytes, waiting even where the stream itself does not block; return 0 at the end."""
        into = memoryview(into).cast("B")
        if self._head:
            n = min(len(into), len(self._head))
            into[:n] = self._head[:n]
            self._head = self._head[n:]
            return n
        try:
            while (got := self._stream.readinto(into)) is None:
                time.sleep(0.01)
        except OSError as error:
            raise self._error(f"cannot read {self._name}: {error.strerror or error}") from None
        return int(got)


class _Streams(io.RawIOBase):
    """The decompressed bytes of compressed streams, one after the other.

    It replaces `gzip.GzipFile`, which before Python 3.12 reads 8 KiB at a time and takes a third longer, and the zstd
    library's own reader, which does not notice a truncated frame.
    """

    def __init__(self, raw: io.BufferedReader, decompressor: Callable[[], Any], step: int) -> None:
        self._raw, self._decompressor, self._step = raw, decompressor, step
        self._stream: Any = None
        self._compressed = b""
        self._text = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        while not self._text:
            if not self._compressed:
                self._compressed = self._raw.read(self._step)
                if not self._compressed:
                    if self._stream is not None:
                        raise EOFError
                    return 0
            if self._stream is None:
                # Skip padding, as on tapes; no stream starts with it.
                self._compressed = self._compressed.lstrip(b"\0")
                if not self._compressed:
                    continue
                self._stream = self._decompressor()
            self._text = memoryview(self._stream.decompress(self._compressed))
            self._compressed = b""
            if self._stream.eof:
                self._compressed = self._stream.unused_data
                self._stream = None
        n = min(len(into), len(self._text))
        into[:n] = self._text[:n]
        self._text = self._text[n:]
        return n


def _open_gzip(raw: io.BufferedReader) -> Any:
    return _Streams(raw, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), GZIP_BYTES)


def _open_zstd(raw: io.BufferedReader) -> Any:
    import zstandard

    library = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    return _Streams(raw, library.decompressobj, ZSTD_BYTES)


_KINDS: dict[bytes, tuple[str, Callable[[io.BufferedReader], Any]]] = {
    b"\x1f\x8b": ("gzip", _open_gzip),
    b"BZh": ("bzip2", lambda raw: bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": ("xz", lambda raw: lzma.LZMAFile(raw)),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": ("zstd", _open_zstd),
}


def archive_kind(head: bytes) -> str | None:
    """Return the name of the format if these are the first bytes of an archive that `unpacked` can read."""
    return next((kind for magic, (kind, _) in _KINDS.items() if head.startswith(magic)), None)


class _Archive(io.RawIOBase):
    """The decompressed bytes of an archive; if it is damaged, an error names the file."""

    def __init__(self, raw: Raw, name: str, error: type[FastW2VError], head: bytes) -> None:
        self._name, self._error = name, error
        self._kind, library = next(how for magic, how in _KINDS.items() if head.startswith(magic))
        try:
            self._stream = library(io.BufferedReader(raw, COMPRESSED_BYTES))
        except ImportError:
            raise error(
                f"{name} is {self._kind}-compressed: run pip install 'fastw2v[zst]', or decompress it first"
            ) from None

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        try:
            return int(self._stream.readinto(into))
        except EOFError:
            raise self._error(
                f"{self._name} is truncated: its {self._kind} data are incomplete; copy or download it again"
            ) from None
        except FastW2VError:
            raise
        except MemoryError:  # An xz or zstd header may demand gigabytes.
            raise self._error(
                f"{self._name} needs more memory to decompress than there is: decompress it first"
            ) from None
        except Exception as error:  # Every library has its own errors.
            known = isinstance(error, (OSError, zlib.error, lzma.LZMAError)) or type(error).__name__ == "ZstdError"
            if not known:
                raise
            reason = " ".join(str(error).split()).rstrip(".")
            raise self._error(
                f"{self._name} is damaged: its {self._kind} data are invalid ({reason:.80}); copy or download it again"
            ) from None


def unpacked(stream: Any, name: str, error: type[FastW2VError]) -> Raw:
    """Return the bytes of an open stream, decompressed if its first bytes are those of an archive.

    Raises:
        FastW2VError: of class ``error``: a library is missing. Reading raises it, too, if the archive is damaged.
    """
    raw = Raw(stream, name, error)
    head = raw.peek()
    return raw if archive_kind(head) is None else Raw(_Archive(raw, name, error, head), name, error, is_plain=False)


@contextmanager
def opened(path: str, error: type[FastW2VError]) -> Iterator[Any]:
    """Open a file as unbuffered bytes; raise an ``error`` if it can't be opened or changes while it is being read."""
    try:
        stream = open(path, "rb", buffering=0)  # noqa: SIM115
    except (OSError, ValueError) as reason:
        raise error(f"cannot read {path}: {getattr(reason, 'strerror', None) or reason}") from None
    with stream:
        before = os.fstat(stream.fileno())
        changed = error(f"{path} changed while it was being read: wait until it is complete and start again")
        try:
            yield stream
        except error as reason:  # Parts of two versions of an archive look like damage.
            raise (changed if _differs(before, stream) else reason) from reason.__cause__
        if _differs(before, stream):
            raise changed


def _differs(before: os.stat_result, stream: Any) -> bool:
    after = os.fstat(stream.fileno())
    return stat.S_ISREG(before.st_mode) and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)
