"""Sources of text: files, folders, glob patterns, archives and standard input, each read once from its start.

A folder stands for every file below it, and a pattern for every file that it matches, both in the order of their names.
Hidden files and folders are skipped, and so are model and prepared folders below a folder. Archives are recognised by
their first bytes, not by their names: gzip, bzip2, xz and zstd, also as several streams end to end. A byte-order mark
at the start of a text is skipped. A file with a NUL byte in its first 64 KiB is not text; a later NUL is an ordinary
byte.
"""

import bz2
import glob
import io
import lzma
import os
import stat
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError

SNIFF_BYTES = 64 << 10
COMPRESSED_BYTES = 256 << 10  # bytes read at once from an archive
# Decompressed at once: gzip can shrink text to a thousandth of its size, and 4 bytes of zstd can hold 128 KiB.
GZIP_BYTES, ZSTD_BYTES = 32 << 10, 4 << 10

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REFUSED = {b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z"}
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257


class TextInput(NamedTuple):
    """An open text.

    Attributes:
        name: its name in messages.
        read: fills an array from its start and returns the number of bytes, 0 at the end of the text.
    """

    name: str
    read: Callable[[NDArray[np.uint8]], int]


def display_name(path: str | PathLike[str]) -> str:
    """Return the name of an input in messages."""
    return "standard input" if fspath(path) == "-" else fspath(path)


def expand(paths: Sequence[str | PathLike[str]]) -> list[str]:
    """Return the files that paths, folders and glob patterns stand for, in order; ``-`` is standard input.

    Raises:
        CorpusError: a folder has no file or is one of this program's, or a pattern matches nothing.
    """
    files: list[str] = []
    for path in paths:
        name = fspath(path)
        try:
            if os.path.isdir(name):
                files += _files_below(name)
            elif any(c in name for c in "*?[") and not os.path.lexists(name):
                matches = sorted(glob.glob(name, recursive=True))
                if not matches:
                    raise CorpusError(
                        f"cannot read {name}: no file matches (quote the pattern, so that the shell does not expand it)"
                    )
                for match in matches:
                    files += _files_below(match) if os.path.isdir(match) else [match]
            else:
                files.append(name)
        except RecursionError:
            raise CorpusError(f"cannot read {name}: its folders are nested too deep") from None
    return files


def _is_ours(folder: str) -> bool:
    return any(os.path.isfile(os.path.join(folder, name)) for name in ("prepared.json", "model.json"))


def _files_below(folder: str) -> list[str]:
    for manifest, kind in (("prepared.json", "prepared"), ("model.json", "model")):
        if os.path.isfile(os.path.join(folder, manifest)):
            remedy = "give it alone" if kind == "prepared" else "give the text it was trained on"
            raise CorpusError(f"{folder} is a {kind} folder, not a folder of text: {remedy}")

    def refuse(error: OSError) -> None:
        raise CorpusError(f"cannot read {error.filename}: {error.strerror or error}") from error

    files = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".") and not _is_ours(os.path.join(parent, name))]
        below = (os.path.join(parent, name) for name in names if not name.startswith("."))
        files += [path for path in below if os.path.isfile(path)]
    if not files:
        raise CorpusError(f"{folder} is a folder without files (hidden files are skipped): name the text files")
    return sorted(files)


class _Raw(io.RawIOBase):
    """The bytes of a file or a pipe, including those that `peek` has read ahead."""

    def __init__(self, stream: Any, name: str) -> None:
        self._stream, self._name = stream, name
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
            raise CorpusError(f"cannot read {self._name}: {error.strerror or error}") from error
        return int(got)


class _Streams(io.RawIOBase):
    """The decompressed bytes of streams end to end.

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


def _open_gzip(raw: io.BufferedReader, name: str) -> Any:
    return _Streams(raw, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), GZIP_BYTES)


def _open_zstd(raw: io.BufferedReader, name: str) -> Any:
    try:
        import zstandard
    except ImportError:
        raise CorpusError(
            f"{name} is zstd-compressed: pip install 'fastw2v[zst]' to read it, or decompress it"
        ) from None
    library = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    return _Streams(raw, library.decompressobj, ZSTD_BYTES)


_ARCHIVES: dict[bytes, tuple[str, Callable[[io.BufferedReader, str], Any]]] = {
    b"\x1f\x8b": ("gzip", _open_gzip),
    b"BZh": ("bzip2", lambda raw, name: bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": ("xz", lambda raw, name: lzma.LZMAFile(raw)),  # noqa: SIM115
    b"\x28\xb5\x2f\xfd": ("zstd", _open_zstd),
}


def _archive(head: bytes) -> tuple[str, Callable[[io.BufferedReader, str], Any]] | None:
    return next((how for magic, how in _ARCHIVES.items() if head.startswith(magic)), None)


class _Archive(io.RawIOBase):
    """The decompressed bytes of an archive; if it is damaged, an error names the file."""

    def __init__(self, raw: _Raw, name: str, kind: str, how: Callable[[io.BufferedReader, str], Any]) -> None:
        self._name, self._kind = name, kind
        self._stream = how(io.BufferedReader(raw, COMPRESSED_BYTES), name)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        try:
            return int(self._stream.readinto(into))
        except EOFError:
            raise CorpusError(
                f"{self._name} is truncated: its {self._kind} data are incomplete; copy or download it again"
            ) from None
        except CorpusError:
            raise
        except MemoryError:  # An xz or zstd header may demand gigabytes.
            raise CorpusError(
                f"{self._name} needs more memory to decompress than there is: decompress it once"
            ) from None
        except Exception as error:  # Every library has its own errors.
            known = isinstance(error, (OSError, zlib.error, lzma.LZMAError)) or type(error).__name__ == "ZstdError"
            if not known:
                raise
            reason = " ".join(str(error).split()).rstrip(".")
            raise CorpusError(
                f"{self._name} is damaged: its {self._kind} data are invalid ({reason:.80}); copy or download it again"
            ) from error


def refuse_non_text(name: str, head: bytes) -> None:
    """Raise `CorpusError` if a text's first bytes show that it is an archive or binary."""
    for magic, kind in _REFUSED.items():
        if head.startswith(magic):
            raise CorpusError(
                f"{name} is a {kind} archive, not text: decompress it, or pipe its text in and give - as the corpus"
            )
    if inner := _archive(head):
        raise CorpusError(f"{name} holds {inner[0]}-compressed data inside an archive: decompress it once")
    if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        raise CorpusError(f"{name} is a tar archive, not text: unpack it and give the folder")
    nul = head.find(b"\0")
    if nul >= 0:
        raise CorpusError(f"{name} is not text: byte {nul} is NUL (binary data or UTF-16; give UTF-8 text)")


def _standard_input() -> Any:
    """Return the raw stream: a buffered one is locked while a thread reads it, which would block the exit on Ctrl-C."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise CorpusError("standard input can't be read here: give a file, or lists of tokens")
    return getattr(stream, "raw", stream)


@contextmanager
def _file(path: str) -> Iterator[Any]:
    """Open a file, and raise if it changes while it is being read."""
    try:
        stream = open(path, "rb", buffering=0)  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise CorpusError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    with stream:
        before = os.fstat(stream.fileno())
        changed = CorpusError(f"{path} changed while it was being read: wait until it is complete and start again")
        try:
            yield stream
        except CorpusError as error:  # Parts of two versions of an archive look like damage.
            raise (changed if _differs(before, stream) else error) from error.__cause__
        if _differs(before, stream):
            raise changed


def _differs(before: os.stat_result, stream: Any) -> bool:
    after = os.fstat(stream.fileno())
    return stat.S_ISREG(before.st_mode) and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


@contextmanager
def open_text(path: str) -> Iterator[TextInput]:
    """Open a text for reading: a file, a pipe or standard input (``-``), decompressed where it is an archive.

    Raises:
        CorpusError: the file is missing, unreadable, a folder, not text, truncated or damaged; or it needs a missing
            library, or changed while it was being read.
    """
    name = display_name(path)
    if path == "-":
        yield _text_input(_Raw(_standard_input(), name), name)
    else:
        with _file(path) as stream:
            yield _text_input(_Raw(stream, name), name)


def _text_input(raw: _Raw, name: str) -> TextInput:
    head = raw.peek()
    if (archive := _archive(head)) is not None:
        raw = _Raw(_Archive(raw, name, *archive), name)
        head = raw.peek()
    refuse_non_text(name, head)
    if head.startswith(_BYTE_ORDER_MARK):
        raw.readinto(bytearray(len(_BYTE_ORDER_MARK)))

    def read(into: NDArray[np.uint8]) -> int:
        filled = 0
        while filled < len(into) and (n := raw.readinto(into[filled:].data)):
            filled += n
        return filled

    return TextInput(name, read)
