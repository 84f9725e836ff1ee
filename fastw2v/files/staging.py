"""Replace the files of a folder all at once: new files are made in a staging folder, and published when complete.

The states of a folder while a run writes it. A folder that has a manifest holds one whole model:

    step            folder/                     folder/.partial/
    written         old files, manifest         new files, manifest
    old-names       old files, manifest         new files, manifest; old-names lists the old files
    old/            old files, manifest         new files, manifest; old/ is empty
    old ones leave  some old files              new files, manifest; old/ has the manifest, then more
    new ones come   some new files              other new files, manifest; old/ has all old files
    published       new files, manifest         old/ has all old files
    settled         new files, manifest         empty: old/ is removed, or has become folder/previous/

The next run that writes to the folder settles the leftovers of a killed run. Where old/ exists and the folder has a
manifest, the folder is complete and old/ is removed. Where the folder has no manifest, its new files are removed and
the files in old/ return.
"""

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

from ..errors import FolderError
from ..interrupts import interruption, signals_noted

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
_OLD = "old"  # in PARTIAL, the old files while they are being replaced
_OLD_NAMES = "old-names"
_REPLACED = "replaced-"  # old files that are about to be removed
_PARTS = {
    "V.npy", "U.npy", "vocab.tsv", "metrics.jsonl", "model.json", "ids.npy", "offsets.npy", "prepared.json",
    "pairs.npy", "pair_counts.npy", "steps.npy", "phrases.json", "subwords.npy", "buckets.npy",
}  # fmt: skip


def open_part(path: Path) -> BufferedReader:
    """Open a file of a folder for reading; use it in ``with``.

    Links are followed, because download caches consist of links, but only to a regular file: a pipe could block
    forever, and a device may have no end.

    Raises:
        OSError: the file can't be opened, or is not a regular file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return open(path, "rb")


def is_part(path: Path) -> bool:
    """Tell whether a path is that of a file of a model folder or a prepared folder."""
    return path.name in _PARTS and any((path.parent / name).exists() for name in ("model.json", "prepared.json"))


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
        raise FolderError(f"cannot write {folder}: {error.strerror or error}") from None


def _claim(folder: Path, manifest: str) -> int | None:
    """Make an empty staging folder, lock it, and return the lock's descriptor.

    The operating system releases the lock when the process ends, however it ends. Without ``flock`` (on Windows) there
    is no lock.

    Raises:
        FolderError: another run is writing to the folder.
    """
    partial = folder / PARTIAL
    lock = None
    while True:
        if partial.is_symlink():  # Everything in its target would be removed.
            raise FolderError(f"{partial} is a link: remove it")
        partial.mkdir(parents=True, exist_ok=True)
        if fcntl is None:
            break
        try:
            lock = os.open(partial, os.O_RDONLY)
        except FileNotFoundError:  # Another run has just finished and removed the folder.
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
        _settle(folder, manifest)  # A run may have been killed while it was publishing.
        _empty(partial)
    except BaseException:
        if lock is not None:
            os.close(lock)
        raise
    return lock


def _empty(partial: Path) -> None:
    """Remove everything from a staging folder but the note of a run that may be resumed."""
    for left_over in partial.iterdir():
        if left_over.name == NEW_RUN and left_over.is_file() and not left_over.is_symlink():
            continue
        if left_over.is_dir() and not left_over.is_symlink():
            shutil.rmtree(left_over, ignore_errors=left_over.name.startswith(_REPLACED))
        else:
            left_over.unlink()


def _leave(partial: Path, note: bytes | None) -> None:
    """Remove the staging folder of a run that has ended, or leave it with only a note of an earlier run."""
    if note is not None:
        with suppress(OSError):
            _empty(partial)
            (partial / NEW_RUN).write_bytes(note)
            return
    shutil.rmtree(partial, ignore_errors=True)


def _noted(partial: Path) -> bytes | None:
    try:
        with open_part(partial / NEW_RUN) as file:
            return file.read()
    except OSError:
        return None


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from one that replaces it; None if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def staged(folder: Path, manifest: str, kind: str) -> Iterator[Path]:
    """Yield a staging folder, empty except for NEW_RUN; on success its files replace those of ``folder``.

    The old files are not touched before that. On any exception everything written is removed, and ``folder`` too if it
    did not exist before. A NEW_RUN that was there is restored, unless the body has published files. Subfolders are
    scratch space and are removed at the end, except a prepared folder named CACHE: last of all, it replaces the one in
    ``folder``. If the body makes a file named KEEP_PREVIOUS, the old files move to the subfolder PREVIOUS instead of
    being removed. If the body leaves no manifest, ``folder`` stays as it is. Files that the body itself has published
    with `publish` stay in any case.

    Raises:
        FolderError: ``folder`` is something else (see `check_target`), can't be written, or is being written.
    """
    check_target(folder, manifest, kind)
    made = next((p for p in [*reversed(folder.parents), folder] if not p.exists()), None)
    try:
        lock = _claim(folder, manifest)
    except (OSError, ValueError, RecursionError) as error:
        _remove_made(made, folder)
        raise FolderError(f"cannot write {folder}: {getattr(error, 'strerror', None) or error}") from None
    # The body may change the working directory.
    folder, made = folder.absolute(), None if made is None else made.absolute()
    signal_number = 0
    own = os.stat(folder / PARTIAL)
    note, found = _noted(folder / PARTIAL), _identity(folder / manifest)
    try:
        try:
            yield folder / PARTIAL
            check_own(folder / PARTIAL, own)
            with signals_noted(lets_third_through=False) as noted:
                publish(folder / PARTIAL, folder / PARTIAL, manifest)
                signal_number = noted()
            note = None
        finally:
            with suppress(FolderError):
                check_own(folder / PARTIAL, own)
                if not _holds_files(folder / PARTIAL / _OLD):  # They may be the only copy.
                    _leave(folder / PARTIAL, note if _identity(folder / manifest) == found else None)
            _remove_made(made, folder)
    finally:
        if lock is not None:
            os.close(lock)
    if signal_number:
        raise interruption(signal_number, f"{folder} was saved")


def check_own(partial: Path, own: os.stat_result) -> None:
    """Raise unless a staging folder is still the one that this run made.

    Raises:
        FolderError: the folder was removed, and perhaps made again.
    """
    with write_errors(partial):
        if not os.path.samestat(own, os.stat(partial)):
            raise FolderError(f"cannot write {partial.parent}: another run has replaced it: choose another folder")


def check_previous(folder: Path) -> None:
    """Raise unless a finished model can move to the subfolder PREVIOUS.

    Raises:
        FolderError: something that is not a model has this name.
    """
    previous = folder / PREVIOUS
    if os.path.lexists(previous) and not _is_previous(previous):
        raise FolderError(f"{previous} is in the way of the finished model: move it, and train again")


def remove_previous(folder: Path) -> None:
    """Remove the subfolder PREVIOUS if it holds a model and nothing else."""
    if _is_previous(folder / PREVIOUS):
        shutil.rmtree(folder / PREVIOUS, ignore_errors=True)


def _is_previous(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and all(part.name in _PARTS for part in path.iterdir())


def _holds_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def publish(partial: Path, made: Path, manifest: str) -> None:
    """Replace the old files of a folder with those of ``made``; if that fails half-way, put the old ones back.

    The manifest leaves first and comes last, so a folder that has a manifest always holds one whole model: the old one
    while `_OLD` is empty, the new one afterwards. `_settle` relies on this.

    Args:
        partial: the staging folder, as yielded by `staged`.
        made: ``partial`` itself, or a folder in it.
        manifest: name of the manifest.

    Raises:
        FolderError: the files can't be replaced.
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
        old_names = [path.name for path in folder.iterdir() if path.name in names or path.name in _PARTS]
        (partial / _OLD_NAMES).write_bytes(os.fsencode("\n".join(old_names)))
        # If a power cut lost this list, `_settle` would remove files that have not moved.
        synchronise(partial / _OLD_NAMES)
        (partial / _OLD).mkdir()
        try:
            for name in sorted(old_names, key=lambda name: name != manifest):
                os.rename(folder / name, partial / _OLD / name)
            for name in sorted(names, key=lambda name: name == manifest):
                os.rename(made / name, folder / name)
            synchronise(folder)
        finally:
            _settle(folder, manifest)
        _publish_cache(folder)


def synchronise(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk itself."""
    if path.is_dir() and os.name == "nt":  # Windows can't open folders.
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish_cache(folder: Path) -> None:
    """Move a prepared corpus beside the model that was trained on it.

    The cache is verified by its own digests whenever it is used. So a run killed between the two renames only loses a
    cache, and the cache of another corpus does no harm. A folder of this name that is not a cache stays.
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
    """Finish an interrupted publication: go forward if a manifest is in place, and back if not."""
    partial = folder / PARTIAL
    old = partial / _OLD
    if old.is_symlink() or not old.is_dir():
        return
    if (folder / manifest).exists():
        if (partial / KEEP_PREVIOUS).exists() and _holds_files(old):
            shutil.rmtree(folder / PREVIOUS, ignore_errors=True)
            os.rename(old, folder / PREVIOUS)
        else:
            # NFS keeps a removed file while it is open, and its folder with it. The next OLD needs the name.
            replaced = partial / f"{_REPLACED}{time.monotonic_ns()}"
            os.rename(old, replaced)
            shutil.rmtree(replaced, ignore_errors=True)
        (partial / KEEP_PREVIOUS).unlink(missing_ok=True)
        return
    with open_part(partial / _OLD_NAMES) as file:
        old_names = os.fsdecode(file.read()).split("\n")
    for path in folder.iterdir():
        if path.name in _PARTS and path.name not in old_names:  # This new file replaces no old one.
            path.unlink()
    for path in sorted(old.iterdir(), key=lambda path: path.name == manifest):
        os.replace(path, folder / path.name)
    old.rmdir()


@contextmanager
def write_errors(folder: Path) -> Iterator[None]:
    """Turn an operating system error while writing into a `FolderError` that names the user's folder."""
    try:
        yield
    except OSError as error:
        target = next((path.parent for path in (folder, *folder.parents) if path.name == PARTIAL), folder)
        raise FolderError(f"cannot write {target}: {error.strerror or error}") from None


def _remove_made(made: Path | None, folder: Path) -> None:
    """Remove the folders that this run made, from ``folder`` up to ``made``, unless they hold anything."""
    while made is not None:
        try:
            folder.rmdir()
        except (OSError, ValueError):
            break
        if folder == made:
            break
        folder = folder.parent
