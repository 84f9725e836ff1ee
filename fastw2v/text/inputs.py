"""Sources of text: files, folders, glob patterns, archives and standard input, each read once from its start.

A folder stands for every file below it, and a pattern for every file that it matches, both in the order of their names.
Hidden files and folders are skipped, and so are model and prepared folders below a folder. Archives are recognised by
their first bytes, not by their names: gzip, bzip2, xz and zstd, also as several streams end to end. A byte-order mark
at the start of a text is skipped. A file with a NUL byte in its first 64 KiB is not text; a later NUL is an ordinary
byte. A file that is given twice, by any spelling or link, is read twice, and a warning names it.
"""

import glob
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, worded
from ..files.archives import archive_kind, opened, unpacked
from ..files.places import local_path
from ..screen import counted

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_REFUSED = {b"PK\x03\x04": "zip", b"7z\xbc\xaf\x27\x1c": "7z"}
_DOCUMENTS = {b"%PDF-": ("PDF", "pdftotext"), b"\xd0\xcf\x11\xe0": ("Microsoft Office", "antiword, or save it as text")}
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
        CorpusError: a folder has no file or is one of this program's, a pattern matches nothing, or a path is an
            address, see `places.local_path`.
    """
    files: list[str] = []
    for path in paths:
        name = local_path(path, CorpusError, text=True)
        try:
            if os.path.isdir(name):
                files += _files_below(name)
            elif any(c in name for c in "*?[") and not os.path.lexists(name):
                matches = sorted(glob.glob(name, recursive=True))
                if not matches:
                    hint = worded("", " (quote the pattern, so that the shell does not expand it)")
                    raise CorpusError(f"cannot read {name}: no file matches{hint}")
                for match in matches:
                    files += _files_below(match) if os.path.isdir(match) else [match]
            else:
                files.append(name)
        except RecursionError:
            raise CorpusError(f"cannot read {name}: its folders are nested too deep") from None
    return files


def _is_ours(folder: str) -> bool:
    return any(os.path.isfile(os.path.join(folder, name)) for name in ("prepared.json", "model.json", "phrases.json"))


def _files_below(folder: str) -> list[str]:
    for manifest, kind in (("prepared.json", "prepared"), ("model.json", "model"), ("phrases.json", "phrases")):
        if os.path.isfile(os.path.join(folder, manifest)):
            remedy = "give it alone" if kind == "prepared" else "give the text it was trained on"
            raise CorpusError(f"{folder} is a {kind} folder, not a folder of text: {remedy}")

    def refuse(error: OSError) -> None:
        raise CorpusError(f"cannot read {error.filename}: {error.strerror or error}") from None

    files = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".") and not _is_ours(os.path.join(parent, name))]
        below = (os.path.join(parent, name) for name in names if not name.startswith("."))
        files += [path for path in below if os.path.isfile(path)]
    if not files:
        raise CorpusError(f"{folder} is a folder without files (hidden files are skipped): name the text files")
    return sorted(files)


def repeats(files: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence about files that are given more than once, by any spelling or link; none if there are none.

    Raises:
        CorpusError: standard input or a pipe is given more than once: the second time it would be empty, or wait.
    """
    places: dict[tuple[int, int], list[str]] = {}
    read_once = set()
    for name in files:
        try:
            state = os.fstat(sys.stdin.fileno()) if name == "-" else os.stat(name)
        except (OSError, ValueError, AttributeError):  # Whoever opens it reports that.
            continue
        key = state.st_dev, state.st_ino
        if state.st_ino and not stat.S_ISCHR(state.st_mode):  # Some file systems have no such number.
            places.setdefault(key, []).append(name)
            if not stat.S_ISREG(state.st_mode):
                read_once.add(key)
    if files.count("-") > 1:
        raise CorpusError("standard input is given more than once, but it can be read only once: give one -")
    repeated = {key: names for key, names in places.items() if len(names) > 1}
    for key in read_once & repeated.keys():
        name = display_name(repeated[key][0])
        raise CorpusError(f"{name:.200} is given more than once, but a pipe can be read only once: give it once")
    if not repeated:
        return ()
    names = next(iter(repeated.values()))
    alias = next((f" (also as {display_name(name):.100})" for name in names if name != names[0]), "")
    more = f", and {counted(len(repeated) - 1, 'other file')} more than once" * (len(repeated) > 1)
    return (
        f"{display_name(names[0]):.100}{alias} is read {len(names)} times{more}: the words count each time; leave out "
        "what is not meant",
    )


def refuse_non_text(name: str, head: bytes) -> None:
    """Raise `CorpusError` if a text's first bytes show that it is an archive or binary."""
    for magic, kind in _REFUSED.items():
        if head.startswith(magic):
            raise CorpusError(
                f"{name} is a {kind} archive, not text: decompress it, or pipe its text in and give - as the corpus"
            )
    if inner := archive_kind(head):
        raise CorpusError(f"{name} holds {inner}-compressed data inside an archive: decompress it once")
    if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        raise CorpusError(f"{name} is a tar archive, not text: unpack it and give the folder")
    nul = head.find(b"\0")
    if nul >= 0:
        for magic, (kind, tool) in _DOCUMENTS.items():
            if head.startswith(magic):
                raise CorpusError(f"{name} is a {kind} file, not text: extract its text first, as with {tool}")
        raise CorpusError(f"{name} is not text: byte {nul} is NUL (binary data or UTF-16; give UTF-8 text)")


def _standard_input() -> Any:
    """Return the raw stream: a buffered one is locked while a thread reads it, which would block the exit on Ctrl-C."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise CorpusError("standard input can't be read here: give a file" + worded(", or lists of tokens", ""))
    return getattr(stream, "raw", stream)


@contextmanager
def open_text(path: str) -> Iterator[TextInput]:
    """Open a text for reading: a file, a pipe or standard input (``-``), decompressed where it is an archive.

    Raises:
        CorpusError: the file is missing, unreadable, a folder, not text, truncated or damaged; or it needs a missing
            library, or changed while it was being read.
    """
    name = display_name(path)
    if path == "-":
        yield _text_input(_standard_input(), name)
    else:
        with opened(path, CorpusError) as stream:
            yield _text_input(stream, name)


def _text_input(stream: Any, name: str) -> TextInput:
    raw = unpacked(stream, name, CorpusError)
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
