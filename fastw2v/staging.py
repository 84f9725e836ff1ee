"""Writing a folder aside: what is being made stays apart from what is finished, until it is finished too."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


def read_manifest(folder: Path, name: str, kind: str) -> dict[str, Any]:
    """Read a folder's manifest, a JSON object.

    Args:
        folder: the folder.
        name: the manifest's file name.
        kind: what the folder should be, for messages.

    Raises:
        FolderError: there is no such folder or manifest, or it is not a JSON object.
    """
    if not folder.is_dir():
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
    if folder.is_dir():
        others = [entry.name for entry in folder.iterdir() if entry.name != PARTIAL]
        if others and manifest not in others:
            raise FolderError(f"{folder} exists and is not a {kind} folder: choose another, or empty it")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise FolderError(f"{folder} is not writable: change its permissions or choose another folder")
    elif folder.exists() or folder.is_symlink():
        raise FolderError(f"{folder} is a file: give a folder")


def _claim(partial: Path) -> int | None:
    """Make the staging folder, empty, and hold a lock on it; return the lock's descriptor.

    The lock is the kernel's: it ends with the process, however that ends. Where there is no ``flock`` (Windows) there
    is no lock either.

    Raises:
        FolderError: somebody else is writing there.
    """
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
            raise FolderError(f"{partial.parent} is being written by another run: wait, or choose another") from None
        try:
            if os.path.samestat(os.fstat(lock), os.stat(partial)):
                break
        except FileNotFoundError:
            pass
        os.close(lock)
    for left_over in partial.iterdir():  # of a run that was killed
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    return lock


@contextmanager
def staged(folder: Path, manifest: str, kind: str) -> Iterator[Path]:
    """Yield an empty folder to write into; on success its files move into ``folder``, the manifest last.

    Nothing of an older folder is touched before then. On any exception all that was written is removed, ``folder``
    itself too if it was not there before. Subfolders are scratch and not moved.

    Raises:
        FolderError: ``folder`` is something else (see `check_target`), can't be written, or is being written.
    """
    check_target(folder, manifest, kind)
    made = next((p for p in [*reversed(folder.parents), folder] if not p.exists()), None)
    partial = folder / PARTIAL
    try:
        lock = _claim(partial)
    except OSError as error:
        _remove_made(made, folder)
        raise FolderError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        yield partial
        names = sorted((p.name for p in partial.iterdir() if p.is_file()), key=lambda name: name == manifest)
        with interrupt_noted() as interrupted:
            for name in names:
                with open(partial / name, "rb+") as written:
                    os.fsync(written.fileno())
            # An old manifest goes first: cut short here, the folder would be seen as unfinished, not as a mixture.
            (folder / manifest).unlink(missing_ok=True)
            for name in names:
                os.replace(partial / name, folder / name)
            shutil.rmtree(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_made(made, folder)
        raise
    finally:
        if lock is not None:
            os.close(lock)
    if interrupted():
        raise KeyboardInterrupt


def set_aside(folder: Path) -> None:
    """Move a folder's files into its subfolder «previous», replacing what was there."""
    previous = folder / PREVIOUS
    shutil.rmtree(previous, ignore_errors=True)
    previous.mkdir()
    for path in [path for path in folder.iterdir() if path.is_file()]:
        os.replace(path, previous / path.name)


def _remove_made(made: Path | None, folder: Path) -> None:
    """Remove the folders that this run made, from ``folder`` up to ``made``, as far as they are empty."""
    while made is not None:
        try:
            folder.rmdir()
        except OSError:
            break
        if folder == made:
            break
        folder = folder.parent
