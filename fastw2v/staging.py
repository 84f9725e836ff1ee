"""Writing a folder aside: what is being made stays apart from what is finished, until it is finished too."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import FolderError
from .interrupts import interrupt_noted

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL = ".partial"
PREVIOUS = "previous"
KEEP_PREVIOUS = "keep-previous"
_OLD = "old"  # in PARTIAL while files are being replaced: what stood there before
_PARTS = {"V.npy", "U.npy", "vocab.tsv", "metrics.jsonl", "model.json", "ids.npy", "offsets.npy", "prepared.json"}


def read_manifest(folder: Path, name: str, kind: str) -> dict[str, Any]:
    """Read a folder's manifest, a JSON object.

    Args:
        folder: the folder.
        name: the manifest's file name.
        kind: what the folder should be, for messages.

    Raises:
        FolderError: there is no such folder or manifest, or it is not a JSON object.
    """
    if not os.path.isdir(folder):
        raise FolderError(f"{folder} is not a folder: expected a {kind} folder")
    try:
        manifest = json.loads((folder / name).read_text("utf-8"))
    except FileNotFoundError:
        raise FolderError(f"{folder} is not a {kind} folder: it has no {name}") from None
    except OSError as error:
        raise FolderError(f"cannot read {folder / name}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise FolderError(f"{folder / name} is damaged: not JSON ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != f"fastw2v-{kind}":
        raise FolderError(f"{folder / name} is not the manifest of a fastw2v {kind} folder")
    if manifest.get("format_version") != 1:
        raise FolderError(
            f"{folder / name} has format version {manifest.get('format_version')!r:.20}, this program reads 1: upgrade"
        )
    return manifest


def check_target(folder: Path, manifest: str, kind: str) -> None:
    """Raise `FolderError` unless ``folder`` is absent, empty, or a folder of the same kind that can be replaced."""
    try:
        if folder.is_dir():
            others = [entry.name for entry in folder.iterdir() if entry.name != PARTIAL]
            known = manifest in others or (folder / PARTIAL / _OLD / manifest).is_file()
            if others and not known:
                raise FolderError(f"{folder} exists and is not a {kind} folder: choose another, or empty it")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise FolderError(f"{folder} is not writable: change its permissions or choose another folder")
        elif folder.exists() or folder.is_symlink():
            raise FolderError(f"{folder} is not a folder: choose another name")
    except OSError as error:
        raise FolderError(f"cannot write {folder}: {error.strerror or error}") from error


def _claim(folder: Path) -> int | None:
    """Make the staging folder, empty, and hold a lock on it; return the lock's descriptor.

    The lock is the kernel's: it ends with the process, however that ends. Where there is no ``flock`` (Windows) there
    is no lock either.

    Raises:
        FolderError: somebody else is writing there.
    """
    partial = folder / PARTIAL
    while True:
        partial.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            lock = None
            break
        try:
            lock = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:  # another run has just finished and removed it
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise FolderError(f"{folder} is being written by another run: wait, or choose another folder") from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(partial)):
                break
        os.close(lock)
    _roll_back(folder)  # a run may have been killed while it was publishing
    for left_over in partial.iterdir():
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    return lock


@contextmanager
def staged(folder: Path, manifest: str, kind: str) -> Iterator[Path]:
    """Yield an empty folder to write into; on success its files replace those of ``folder``.

    Nothing of an older folder is touched before then. On any exception all that was written is removed, ``folder``
    itself too if it was not there before. Subfolders are scratch and not moved. If the body makes a file named
    KEEP_PREVIOUS, the older files are not removed but moved into the subfolder «previous».

    Raises:
        FolderError: ``folder`` is something else (see `check_target`), can't be written, or is being written.
    """
    check_target(folder, manifest, kind)
    made = next((p for p in [*reversed(folder.parents), folder] if not p.exists()), None)
    try:
        lock = _claim(folder)
    except (OSError, ValueError) as error:
        _remove_made(made, folder)
        raise FolderError(f"cannot write {folder}: {getattr(error, 'strerror', None) or error}") from error
    interrupted = False
    try:
        try:
            yield folder / PARTIAL
            with interrupt_noted() as noted:
                with write_errors(folder):
                    _publish(folder, manifest)
                interrupted = noted()
        finally:
            shutil.rmtree(folder / PARTIAL, ignore_errors=True)
            _remove_made(made, folder)
    finally:
        if lock is not None:
            os.close(lock)
    if interrupted:
        raise KeyboardInterrupt


def _publish(folder: Path, manifest: str) -> None:
    """Put the staged files in the place of the old ones; if that fails half-way, put the old ones back."""
    partial = folder / PARTIAL
    keep = partial / KEEP_PREVIOUS
    keep_previous = keep.exists()
    keep.unlink(missing_ok=True)
    names = sorted((path.name for path in partial.iterdir() if path.is_file()), key=lambda name: name == manifest)
    for name in names:
        with open(partial / name, "rb+") as written:
            os.fsync(written.fileno())
    old = partial / _OLD
    old.mkdir()
    try:
        # The manifest leaves first and comes last: without it a folder is seen as unfinished, never as a mixture.
        parts = [path for path in folder.iterdir() if path.name in names or path.name in _PARTS]
        for path in sorted(parts, key=lambda path: path.name != manifest):
            os.rename(path, old / path.name)
        for name in names:
            os.rename(partial / name, folder / name)
    except BaseException:
        _roll_back(folder)
        raise
    if keep_previous:
        shutil.rmtree(folder / PREVIOUS, ignore_errors=True)
        os.rename(old, folder / PREVIOUS)
    else:
        shutil.rmtree(old)


def _roll_back(folder: Path) -> None:
    """Move what was taken out of the folder back into it."""
    old = folder / PARTIAL / _OLD
    if old.is_dir():
        for path in old.iterdir():
            os.replace(path, folder / path.name)
        old.rmdir()


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """Turn an operating system's error while writing into a `FolderError` that names the folder the user gave."""
    try:
        yield
    except OSError as error:
        given = next((path.parent for path in (folder, *folder.parents) if path.name == PARTIAL), folder)
        raise FolderError(f"cannot write {given}: {error.strerror or error}") from error


def _remove_made(made: Path | None, folder: Path) -> None:
    """Remove the folders that this run made, from ``folder`` up to ``made``, as far as they are empty."""
    while made is not None:
        try:
            folder.rmdir()
        except (OSError, ValueError):
            break
        if folder == made:
            break
        folder = folder.parent
