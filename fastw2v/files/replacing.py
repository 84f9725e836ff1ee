"""Write one file: a complete file replaces the old one, or the old one stays.

The new content first goes to a second file in the same folder, which is renamed at the end. Some targets can't be
replaced by renaming: a file that is mounted by itself (as in containers), or a writable file in a folder where no file
can be created. Then the complete content is copied from the second file into the target. Only a crash during that copy
leaves the target with parts of both. The second file stays, and an error names it.
"""

import errno
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from ..errors import FastW2VError
from ..interrupts import interruption, signals_noted, sigterm_raises
from .staging import synchronise

STANDARD_OUTPUT = "-"
_WRITE_BITS = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
# The system's errors where no file can be created beside the target, or where the target can't be replaced.
_ONLY_IN_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}


@contextmanager
def replacing(path: str | PathLike[str], error: type[FastW2VError]) -> Iterator[BinaryIO]:
    """Yield a stream whose content replaces a file when the body ends without an exception.

    Links are followed: the target is replaced, not the link. The new file gets the permissions of the old one, and its
    owner where the system allows it. A pipe or a device is written directly, and so is standard output, "-".

    Raises:
        FastW2VError: of class ``error``: the file is read-only, is a folder, or can't be written.
    """
    name = os.fspath(path)
    check_name(name, error)
    try:
        if name == STANDARD_OUTPUT:
            with _standard_output(error) as file:
                yield file
        elif is_pipe(name):
            with open(name, "wb") as file:
                yield file
        else:
            with _regular(name, error) as file:
                yield file
    except BrokenPipeError:  # The reader has stopped reading; the command line handles it.
        raise
    except OSError as reason:
        raise _failure(error, name, reason) from reason


def is_pipe(name: str) -> bool:
    """Return whether a name is that of a pipe or a device, which can't be replaced."""
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


def check_name(name: str, error: type[FastW2VError]) -> None:
    """Raise an ``error`` if no file can have this name."""
    try:
        if b"\0" in os.fsencode(name):
            raise ValueError("a name can't hold NUL")
    except ValueError as reason:
        raise _failure(error, name, reason) from reason


def _failure(error: type[FastW2VError], name: str, reason: OSError | ValueError) -> FastW2VError:
    return error(f"cannot write {name}: {getattr(reason, 'strerror', None) or reason}")


@contextmanager
def _regular(name: str, error: type[FastW2VError]) -> Iterator[BinaryIO]:
    if os.path.isdir(name):
        raise error(f"{name} is a folder: give a file name")
    target = Path(os.path.realpath(name))
    old = os.stat(target) if target.exists() else None
    if old is not None and not (old.st_mode & _WRITE_BITS and os.access(target, os.W_OK)):
        # Root may write to any file, so the permissions decide.
        raise error(f"{name} is read-only: make it writable (chmod u+w), or give another name")
    aside, file = _open_aside(target, old)
    keep = False
    try:
        with file, sigterm_raises():
            yield file
            file.flush()
            os.fsync(file.fileno())
        if _renamed(aside, target, old):
            return
        _reserve(target, aside.stat().st_size)
        keep = True
        with signals_noted(lets_third_through=False) as noted:
            _copy_into(aside, target)
            signal_number = noted()
        keep = False
        if signal_number:
            raise interruption(signal_number, f"{name} was written")
    except OSError as reason:
        if keep:
            raise error(f"{_failure(error, name, reason)}; the complete content is in {aside}") from reason
        raise
    finally:
        if not keep:
            with suppress(OSError):
                aside.unlink(missing_ok=True)


@contextmanager
def _standard_output(error: type[FastW2VError]) -> Iterator[BinaryIO]:
    stream = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise error("standard output takes no bytes here: give a file name")
    if sys.stdout.isatty():
        raise error("standard output is a terminal: redirect it to a file or a pipe, or give a file name")
    sys.stdout.flush()
    yield stream
    stream.flush()


def _open_aside(target: Path, old: os.stat_result | None) -> tuple[Path, BinaryIO]:
    """Open a new file in the folder of the target, or among temporary files if no file can be created there."""
    # Two threads may write to the same target. The name is cut because a target's name may be as long as names can be.
    aside = target.with_name(f".{target.name[:50]}.{os.getpid()}.{threading.get_ident()}")
    try:
        aside.unlink(missing_ok=True)
        return aside, open(aside, "xb")  # This fails if somebody has created a link there.
    except OSError as reason:
        if old is None or reason.errno not in _ONLY_IN_PLACE:
            raise
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name[:50]}.")
    return Path(name), os.fdopen(descriptor, "wb")


def _renamed(aside: Path, target: Path, old: os.stat_result | None) -> bool:
    """Rename a new file to its final name, with the owner and the permissions of the file that it replaces.

    Return whether that was possible.
    """
    if old is not None:
        if aside.parent != target.parent:
            return False
        for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
            with suppress(OSError, AttributeError):  # Only root may give files away; Windows has no chown.
                os.chown(aside, owner, group)
        os.chmod(aside, stat.S_IMODE(old.st_mode))
    try:
        os.replace(aside, target)
    except OSError as reason:
        if old is None or reason.errno not in _ONLY_IN_PLACE:
            raise
        return False
    return True


def _reserve(target: Path, size: int) -> None:
    """Enlarge a file, so that a full disk is an error before the old content is lost."""
    if not hasattr(os, "posix_fallocate"):
        return
    with open(target, "r+b") as file:
        before = os.fstat(file.fileno()).st_size
        if size > before:
            try:
                os.posix_fallocate(file.fileno(), before, size - before)
            except OSError as reason:
                file.truncate(before)
                if reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # Not every file system can reserve.
                    raise


def _copy_into(aside: Path, target: Path) -> None:
    with open(aside, "rb") as source, open(target, "r+b") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.truncate()
    synchronise(target)
