"""Arrays in .npy files: written block by block, and mapped from a stranger's folder without trusting it."""

import io
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import DTypeLike, NDArray

from ..errors import FolderError
from .staging import open_part

WRITE_BYTES = 1 << 22  # per block
# The header of an array of numbers in format version 1.0, as NumPy writes it.
_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|=][a-zA-Z]\d{1,3})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,18},? ?){0,4})\), \} *\n",
    re.DOTALL,
)


def load_array(path: Path, dtype: DTypeLike, may_be_empty: bool = False) -> NDArray[Any]:
    """Map a .npy file read-only; nothing in it is unpickled or evaluated.

    Unlike `numpy.load`, it compares the header of a stranger's file with the file's length before it trusts the header.

    Raises:
        FolderError: the file is missing, truncated, too long or not a .npy file, or holds another dtype.
    """
    expected = np.dtype(dtype)
    try:
        with open_part(path) as file:
            head = file.read(1 << 10)
            header = _NPY.match(head)
            if header is None or header.end() != 10 + int.from_bytes(head[8:10], "little"):
                raise FolderError(f"{path} is damaged: truncated, or not an array of numbers")
            descr, fortran, sizes = (group.decode() for group in header.groups())
            if descr != expected.str:
                raise FolderError(f"{path} holds {descr}, not {expected.str}: it is not from this folder")
            if fortran == "True":
                raise FolderError(f"{path} is in Fortran order: save it with numpy.ascontiguousarray")
            shape = tuple(map(int, re.findall(r"\d+", sizes)))
            size, held = header.end() + expected.itemsize * math.prod(shape), os.fstat(file.fileno()).st_size
            if size != held or (0 in shape and not may_be_empty):
                raise FolderError(f"{path} is damaged: shape {shape} takes {size:,} bytes, but the file has {held:,}")
            if 0 in shape:
                return np.empty(shape, expected)
            return np.memmap(file, expected, "r", header.end(), shape)
    except FileNotFoundError:
        raise FolderError(f"{path} is missing") from None
    except OSError as error:
        raise FolderError(f"cannot read {path}: {error.strerror or error}") from None


def first_not_finite(matrix: NDArray[np.floating]) -> int | None:
    """Return the first row that holds NaN or infinity, or None; a block of rows at a time."""
    n_rows = max(1, WRITE_BYTES // max(1, matrix[:1].nbytes))
    for start in range(0, len(matrix), n_rows):
        wrong = np.flatnonzero(~np.isfinite(matrix[start : start + n_rows]).all(axis=1))
        if len(wrong):
            return start + int(wrong[0])
    return None


def write_header(file: BinaryIO, dtype: DTypeLike, *shape: int) -> None:
    """Write the header of a .npy file that `load_array` can read."""
    header = {"descr": dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    write_array_header_1_0(file, header)


def npy_blocks(matrix: NDArray[np.float32]) -> Iterator[bytes | memoryview]:
    """Yield the contents of a .npy file, a block of rows at a time."""
    header = io.BytesIO()
    write_header(header, matrix.dtype, *matrix.shape)
    yield header.getvalue()
    n_rows = max(1, WRITE_BYTES // (4 * matrix.shape[1]))
    for start in range(0, len(matrix), n_rows):
        yield np.ascontiguousarray(matrix[start : start + n_rows]).data
