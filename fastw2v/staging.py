"""Writing a folder aside: what is being made stays apart from what is finished, until it is finished too."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import FolderError
from .interrupts import interrupt_noted

PARTIAL = ".partial"


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
    except (OSError, ValueError, RecursionError) as error:
        raise FolderError(f"cannot read {folder / name}: {error}") from error
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


def _claim(partial: Path) -> None:
    """Make the staging folder, and refuse if another live process has it."""
    owner = partial / "pid"
    try:
        partial.mkdir(parents=True)
    except FileExistsError:
        try:
            pid = int(owner.read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):  # its process is gone
            shutil.rmtree(partial)
            partial.mkdir()
        else:
            if pid != os.getpid():
                raise FolderError(
                    f"{partial.parent} is being written by process {pid}: wait, or end it, or choose another folder"
                ) from None
            raise FolderError(f"{partial.parent} is being written by this process already: choose another") from None
    owner.write_text(str(os.getpid()))


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
        _claim(partial)
    except OSError as error:
        _remove_made(made, folder)
        raise FolderError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        yield partial
        names = sorted((p.name for p in partial.iterdir() if p.is_file()), key=lambda name: name == manifest)
        names.remove("pid")
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
    if interrupted():
        raise KeyboardInterrupt


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
