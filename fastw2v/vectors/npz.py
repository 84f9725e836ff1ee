"""Vectors in a ``.npz``: a zip archive of ``vectors.npy``, ``words.npy`` and perhaps ``counts.npy``.

Nothing is unpickled, and no header is trusted: an array grows as its bytes are decompressed.
"""

import re
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from .layout import LINE_BYTES, MAX_COLUMNS
from .matrix import Matrix, VectorsFile, require_storable

BLOCK_BYTES = 1 << 20
MEMBERS = 1_000  # of an archive; a file of vectors has three
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_HEADER = re.compile(
    rb"\{'descr': '([<>|=][a-zA-Z]\d{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18},? ?){0,4})\), \} *\n"
)
_REMEDY = "write it with export, or numpy.savez(path, vectors=..., words=...)"


def is_npz(head: bytes) -> bool:
    """Return whether these are the first bytes of a zip archive."""
    return head.startswith(_ZIP)


def read_npz(stream: Any, name: str, limit: int | None, *, is_plain: bool) -> VectorsFile:
    """Read the arrays of an open file.

    Args:
        stream: the file.
        name: its name in messages.
        limit: read at most this many rows.
        is_plain: whether the zip archive is the file itself, not the file decompressed.

    Raises:
        FormatError: it is damaged, not a regular file, or holds other arrays.
    """
    if not is_plain or not stream.seekable():
        raise FormatError(f"{name} holds a zip archive, which must be read from its end: give the archive as a file")
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            members = {member.filename: member for member in archive.infolist()[:MEMBERS]}
            if not {"vectors.npy", "words.npy"} <= members.keys():
                raise FormatError(f"{name} is a zip archive without vectors.npy and words.npy: unpack it, or {_REMEDY}")
            for member in members.values():
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise FormatError(f"{name} is compressed in a way that can't be read: {_REMEDY}")
            with archive.open(members["vectors.npy"]) as file:
                vectors = _read_vectors(file, name, limit)
            with archive.open(members["words.npy"]) as file:
                words = _read_words(file, name, limit)
            counts = None
            if "counts.npy" in members:
                with archive.open(members["counts.npy"]) as file:
                    counts = _read_counts(file, name, limit)
    except FormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{name} is damaged: {reason:.80}; copy or download it again") from error
    if len(words) != len(vectors) or (counts is not None and len(counts) != len(vectors)):
        sizes = f"{len(vectors):,} vectors and {len(words):,} words"
        sizes += "" if counts is None else f" and {len(counts):,} counts"
        raise FormatError(f"{name} is damaged: it holds {sizes}; {_REMEDY}")
    return VectorsFile(words, vectors, counts)


def _header(file: IO[bytes], name: str, array: str, dtype: str, n_axes: int) -> tuple[str, tuple[int, ...]]:
    """Read the header of an array; return its dtype, which has to match a pattern, and its shape."""
    head = _exactly(file, 10, name)
    if head[:8] not in (b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"):
        raise FormatError(f"{name}: {array} is not an array of NumPy: {_REMEDY}")
    n = int.from_bytes(head[8:], "little")
    if head[6] == 2:
        n += int.from_bytes(_exactly(file, 2, name), "little") << 16
    header = _HEADER.fullmatch(_exactly(file, min(n, 1 << 12), name))
    if header is None:
        raise FormatError(f"{name}: {array} is not a plain array: {_REMEDY}")
    descr, fortran, sizes = (group.decode() for group in header.groups())
    shape = tuple(map(int, re.findall(r"\d+", sizes)))
    if not re.fullmatch(dtype, descr) or len(shape) != n_axes or 0 in shape or (n_axes > 1 and fortran == "True"):
        shown = f"{descr} of shape {shape}" + (" in Fortran order" if fortran == "True" else "")
        raise FormatError(f"{name}: {array} is {shown:.80}, not as expected: {_REMEDY}")
    return descr, shape


def _exactly(file: IO[bytes], n: int, name: str) -> bytes:
    content = file.read(n)
    if len(content) < n:
        raise FormatError(f"{name} is damaged: an array is shorter than its header says; copy or download it again")
    return content


def _read_vectors(file: IO[bytes], name: str, limit: int | None) -> NDArray[np.float32]:
    _, (n_rows, size) = _header(file, name, "vectors.npy", "<f4", 2)
    if size > MAX_COLUMNS:
        raise FormatError(f"{name}: vectors.npy has vectors of {size} numbers, more than {MAX_COLUMNS:,}")
    n_rows = n_rows if limit is None else min(n_rows, limit)
    matrix = Matrix(size)
    step = max(1, BLOCK_BYTES // (4 * size))
    for start in range(0, n_rows, step):
        n = min(step, n_rows - start)
        rows = np.frombuffer(_exactly(file, 4 * size * n, name), "<f4").reshape(n, size)
        if not np.isfinite(rows).all():
            row = start + int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise FormatError(f"{name}: vector {row + 1:,} has a number that is not finite: repair the array")
        matrix.append(rows)
    return matrix.finished()


def _read_words(file: IO[bytes], name: str, limit: int | None) -> list[str]:
    descr, (n_words,) = _header(file, name, "words.npy", r"<U\d+", 1)
    width = 4 * int(descr[2:])
    if not 0 < width <= LINE_BYTES:
        raise FormatError(f"{name}: words.npy has words of {width // 4:,} letters: {_REMEDY}")
    n_words = n_words if limit is None else min(n_words, limit)
    words: list[str] = []
    step = max(1, BLOCK_BYTES // width)
    for start in range(0, n_words, step):
        n = min(step, n_words - start)
        words += np.frombuffer(_exactly(file, width * n, name), descr).tolist()
        for row in range(start, start + n):
            try:
                require_storable(words[row])
            except ValueError as reason:
                raise FormatError(f"{name}: word {row + 1:,} is {reason}") from None
    return words


def _read_counts(file: IO[bytes], name: str, limit: int | None) -> NDArray[np.int64]:
    _, (n_words,) = _header(file, name, "counts.npy", "<i8", 1)
    n_words = n_words if limit is None else min(n_words, limit)
    counts: list[NDArray[np.int64]] = []
    for start in range(0, n_words, BLOCK_BYTES):
        n = min(BLOCK_BYTES, n_words - start)
        counts.append(np.frombuffer(_exactly(file, 8 * n, name), "<i8"))
        if (counts[-1] < 0).any():
            raise FormatError(f"{name}: a count is negative: {_REMEDY}")
    return np.concatenate(counts)
