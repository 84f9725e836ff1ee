"""Writing a folder aside: what is being made stays apart from what is finished, until it is finished too."""

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from types import ModuleType

from .errors import FolderError
from .interrupts import interruption, signals_noted

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL = ".partial"
PREVIOUS = "previous"
CACHE = "cache"
KEEP_PREVIOUS = "keep-previous"
NEW_RUN = "new-run.json"  # in PARTIAL: see `checkpoint.note_new_run`
_OLD = "old"  # in PARTIAL while files are being replaced: what stood there before
_OLD_NAMES = "old-names"
_REPLACED = "replaced-"  # what stood there before, on its way out
_PARTS = {"V.npy", "U.npy", "vocab.tsv", "metrics.jsonl", "model.json", "ids.npy", "offsets.npy", "prepared.json"}


def open_part(path: Path) -> BufferedReader:
    """Open a file of a folder for reading, to be used in ``with``.

    A link is followed (caches of downloads are made of links), but only to a file: a pipe would wait for ever, a device
    never end.

    Raises:
        OSError: it can't be opened, or is not a file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return open(path, "rb")


def check_target(folder: Path, manifest: str, kind: str) -> None:
    """Raise `FolderError` unless ``folder`` is absent, empty, or a folder of the same kind that can be replaced."""
    try:
        if folder.is_dir():
            others = [entry.name for entry in folder.iterdir() if entry.name != PARTIAL]
            known = manifest in others or (folder / PARTIAL / _OLD).is_dir()
            if others and not known:
                raise FolderError(f"{folder} exists and is not a {kind} folder: choose another, or empty it")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise FolderError(f"{folder} is not writable: change its permissions or choose another folder")
        elif folder.exists() or folder.is_symlink():
            raise FolderError(f"{folder} is not a folder: choose another name")
    except OSError as error:
        raise FolderError(f"cannot write {folder}: {error.strerror or error}") from error


def _claim(folder: Path, manifest: str) -> int | None:
    """Make the staging folder, empty, and hold a lock on it; return the lock's descriptor.

    The lock is the kernel's: it ends with the process, however that ends. Where there is no ``flock`` (Windows) there
    is no lock either.

    Raises:
        FolderError: somebody else is writing there.
    """
    partial = folder / PARTIAL
    lock = None
    while True:
        if partial.is_symlink():  # everything in it would be removed
            raise FolderError(f"{partial} is a link: remove it")
        partial.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
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
    try:
        _settle(folder, manifest)  # a run may have been killed while it was publishing
        for left_over in partial.iterdir():
            if left_over.name == NEW_RUN and left_over.is_file() and not left_over.is_symlink():
                continue  # of a training that may yet be gone on with
            if left_over.is_dir() and not left_over.is_symlink():
                shutil.rmtree(left_over, ignore_errors=left_over.name.startswith(_REPLACED))
            else:
                left_over.unlink()
    except BaseException:
        if lock is not None:
            os.close(lock)
        raise
    return lock


@contextmanager
def staged(folder: Path, manifest: str, kind: str) -> Iterator[Path]:
    """Yield a folder to write into; on success its files replace those of ``folder``. It is empty, but for NEW_RUN.

    Nothing of an older folder is touched before then. On any exception all that was written is removed, ``folder``
    itself too if it was not there before. Subfolders are scratch and not moved, but for one named CACHE: a prepared
    folder that replaces the one of that name after all else has been done. If the body makes a file named
    KEEP_PREVIOUS, the older files are not removed but moved into the subfolder «previous». Where the body leaves no
    manifest, ``folder`` stays as it is. What the body has put in place by `publish` stays, whatever happens then.

    Raises:
        FolderError: ``folder`` is something else (see `check_target`), can't be written, or is being written.
    """
    check_target(folder, manifest, kind)
    made = next((p for p in [*reversed(folder.parents), folder] if not p.exists()), None)
    try:
        lock = _claim(folder, manifest)
    except (OSError, ValueError, RecursionError) as error:
        _remove_made(made, folder)
        raise FolderError(f"cannot write {folder}: {getattr(error, 'strerror', None) or error}") from error
    # whoever is called meanwhile may change the working directory
    folder, made = folder.absolute(), None if made is None else made.absolute()
    signal_number = 0
    own = os.stat(folder / PARTIAL)
    try:
        try:
            yield folder / PARTIAL
            check_own(folder / PARTIAL, own)
            with signals_noted(lets_third_through=False) as noted:
                publish(folder / PARTIAL, folder / PARTIAL, manifest)
                signal_number = noted()
        finally:
            with suppress(FolderError):
                check_own(folder / PARTIAL, own)
                if not _holds_files(folder / PARTIAL / _OLD):  # never the only copy of what stood there before
                    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
            _remove_made(made, folder)
    finally:
        if lock is not None:
            os.close(lock)
    if signal_number:
        raise interruption(signal_number, f"{folder} was saved")


def check_own(partial: Path, own: os.stat_result) -> None:
    """Raise unless a staging folder is the one that a run made: a folder that was removed can be another run's by now.

    Raises:
        FolderError: it is gone, or another one.
    """
    with write_errors(partial):
        if not os.path.samestat(own, os.stat(partial)):
            raise FolderError(f"cannot write {partial.parent}: it was removed, and made again by another run")


def check_previous(folder: Path) -> None:
    """Raise unless a finished model can move to the subfolder PREVIOUS: nobody else's files are there.

    Raises:
        FolderError: something else has that name.
    """
    previous = folder / PREVIOUS
    if os.path.lexists(previous) and not _is_previous(previous):
        raise FolderError(f"{previous} is in the way of the finished model: move it, and train again")


def remove_previous(folder: Path) -> None:
    """Remove the model in the subfolder PREVIOUS, and nothing that is not one."""
    if _is_previous(folder / PREVIOUS):
        shutil.rmtree(folder / PREVIOUS, ignore_errors=True)


def _is_previous(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and all(part.name in _PARTS for part in path.iterdir())


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def publish(partial: Path, made: Path, manifest: str) -> None:
    """Put the files of ``made`` in the place of the old ones; if that fails half-way, put the old ones back.

    The manifest leaves first and comes last, so at any moment a folder with a manifest is one whole model: the old one
    if nothing has been moved to `_OLD`, the new one if something has. `_settle` relies on it.

    Args:
        partial: what `staged` yielded.
        made: ``partial`` itself, or a folder in it.
        manifest: name of the manifest.

    Raises:
        FolderError: they can't be put there.
    """
    folder = partial.parent
    with write_errors(folder):
        if (partial / KEEP_PREVIOUS).exists():
            check_previous(folder)
        names = [path.name for path in made.iterdir() if path.is_file() and path.name not in (KEEP_PREVIOUS, NEW_RUN)]
        if manifest not in names:
            return
        for name in names:
            synchronise(made / name)
        parts = [path.name for path in folder.iterdir() if path.name in names or path.name in _PARTS]
        (partial / _OLD_NAMES).write_bytes(os.fsencode("\n".join(parts)))
        synchronise(partial / _OLD_NAMES)  # empty after a power cut, it would have `_settle` remove what has not moved
        (partial / _OLD).mkdir()
        try:
            for name in sorted(parts, key=lambda name: name != manifest):
                os.rename(folder / name, partial / _OLD / name)
            for name in sorted(names, key=lambda name: name == manifest):
                os.rename(made / name, folder / name)
            synchronise(folder)
        finally:
            _settle(folder, manifest)
        _publish_cache(folder)


def synchronise(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk itself."""
    if path.is_dir() and os.name == "nt":  # no folder can be opened there
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish_cache(folder: Path) -> None:
    """Put a prepared corpus beside the model that was trained on it.

    It speaks for itself, by its digests: a run killed between the two renames has lost a cache, and a model beside the
    cache of another corpus is no worse than one without. What is not ours stays where it is.
    """
    made, cache = folder / PARTIAL / CACHE, folder / CACHE
    if not made.is_dir() or (os.path.lexists(cache) and not (cache / "prepared.json").is_file()):
        return
    for path in made.iterdir():
        synchronise(path)
    if cache.exists():
        os.rename(cache, folder / PARTIAL / "old-cache")
    os.rename(made, cache)


def _settle(folder: Path, manifest: str) -> None:
    """Bring a publication to its end, wherever it stopped: forward if the new manifest is in place, back if not."""
    partial = folder / PARTIAL
    old = partial / _OLD
    if old.is_symlink() or not old.is_dir():
        return
    if (folder / manifest).exists():
        if (partial / KEEP_PREVIOUS).exists() and _holds_files(old):
            shutil.rmtree(folder / PREVIOUS, ignore_errors=True)
            os.rename(old, folder / PREVIOUS)
        else:
            # NFS keeps a removed file that is open, and so its folder: that must not be in the way of the next OLD
            replaced = partial / f"{_REPLACED}{time.monotonic_ns()}"
            os.rename(old, replaced)
            shutil.rmtree(replaced, ignore_errors=True)
        (partial / KEEP_PREVIOUS).unlink(missing_ok=True)
        return
    with open_part(partial / _OLD_NAMES) as file:
        parts = os.fsdecode(file.read()).split("\n")
    for path in folder.iterdir():
        if path.name in _PARTS and path.name not in parts:  # new, where there was none
            path.unlink()
    for path in sorted(old.iterdir(), key=lambda path: path.name == manifest):
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
