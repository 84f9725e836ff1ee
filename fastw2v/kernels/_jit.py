"""The one place that decides how kernels are compiled and where their machine code is kept.

Floating point: kernels use every relaxation that lets LLVM vectorise a dot product, but never ``nnan`` or ``ninf``.
With those flags the compiler may assume that no value is NaN or infinite, and fastw2v could not notice a diverging run.

Cache: Numba keys a cached function on its own file only. So a kernel that calls into another file could be stale after
an edit or an upgrade. The machine code is therefore in a folder whose name has a hash of all kernel sources: other
sources use another folder.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numba

_config: Any = numba.config  # Its attributes are made at run time.

FASTMATH = frozenset({"nsz", "arcp", "contract", "afn", "reassoc"})

#: Every module of this package that defines compiled functions, with its folder (a test compares this with the tree).
KERNEL_SOURCES = (
    "distributed/merging", "graphs/walks", "kernels/_jit", "kernels/composed", "kernels/pair", "kernels/parallel",
    "kernels/records", "kernels/sampling", "kernels/simd", "kernels/spans", "kernels/tile", "subwords/composition",
    "subwords/ngrams", "subwords/table", "text/doubts", "text/ingest", "text/pairs", "text/wordtable",
    "training/finite", "vectors/decimals", "vectors/fasttext_rows", "vectors/numbers",
)  # fmt: skip

_PACKAGE = Path(__file__).resolve().parents[1]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def _digest_of_sources() -> str:
    digest = hashlib.sha256()
    for module in KERNEL_SOURCES:
        digest.update((_PACKAGE / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def cache_folder() -> str | None:
    """Return the folder for this version's machine code, or None where no folder can be written.

    It is the first writable one of ``NUMBA_CACHE_DIR``, ``__pycache__`` in the package and the user's cache folder.
    """
    name = f"fastw2v-kernels-{_digest_of_sources()}"
    if _config.CACHE_DIR:
        candidates = [Path(_config.CACHE_DIR)]
    else:
        candidates = [_PACKAGE / "__pycache__"]
        with suppress(RuntimeError):  # The user may have no home folder.
            candidates.append(_user_cache() / "fastw2v")
    return next((str(base / name) for base in candidates if _writable(base / name)), None)


_CACHE_FOLDER = cache_folder()


def jit(*, parallel: bool = False, exact: bool = False, borrows: bool = False) -> Callable[[_Function], _Function]:
    """Compile a kernel lazily, at its first call, with this package's flags.

    Args:
        parallel: let ``prange`` run on threads.
        exact: keep IEEE arithmetic in the written order (samplers' tables, finiteness checks).
        borrows: count no references to arrays, which slices and records otherwise do with atomic additions. Only for
            functions that neither make nor return an array.
    """

    def decorate(function: _Function) -> _Function:
        inherited = _config.CACHE_DIR
        if _CACHE_FOLDER is not None:
            _config.CACHE_DIR = _CACHE_FOLDER
        try:
            compiled: Any = numba.njit(
                cache=_CACHE_FOLDER is not None,
                parallel=parallel,
                nogil=True,
                error_model="numpy",
                fastmath=False if exact else set(FASTMATH),
                _nrt=not borrows,
            )(function)
        finally:
            _config.CACHE_DIR = inherited
        return compiled  # type: ignore[no-any-return]

    return decorate
