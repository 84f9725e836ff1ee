"""The errors and the warning that this package raises on purpose; the command line prints each as one line.

FastW2VError
├── ConfigError       (ValueError)       an option
├── CorpusError       (ValueError)       the text or the ids
├── FolderError       (ValueError)       a model folder or a prepared folder
├── FormatError       (ValueError)       an evaluation file or a file of vectors
├── DivergedError     (ArithmeticError)  values that are not finite
├── ClusterError      (RuntimeError)     Ray and the nodes
├── MissingExtraError (ImportError)      an optional package is not installed
└── UnknownWordError  (KeyError)         a word without a vector
Terminated            (SystemExit)       SIGTERM

FastW2VWarning        (UserWarning)      something doubtful: the result may not be what was meant
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator

#: A context manager of this package is entered through `contextlib`.
_OWN_CODE = (os.path.dirname(os.path.abspath(__file__)) + os.sep, contextlib.__file__)
_names_are_flags = False
_flags_of_load: tuple[str, ...] = ()  # Options of `load` that the command which runs has.


@contextlib.contextmanager
def flags_of_load(*names: str) -> Iterator[None]:
    """Make `python_option` name these options of `load` as the command line does: the command has them, too."""
    global _flags_of_load
    before, _flags_of_load = _flags_of_load, names
    try:
        yield
    finally:
        _flags_of_load = before


@contextlib.contextmanager
def options_as_flags() -> Iterator[None]:
    """Make `option` name options as the command line does."""
    global _names_are_flags
    before, _names_are_flags = _names_are_flags, True
    try:
        yield
    finally:
        _names_are_flags = before


def option(name: str, value: object = None) -> str:
    """Return an option as the user writes it: ``min_count=1`` in Python, ``--min-count 1`` on the command line."""
    shown = f"--{name.replace('_', '-')}" if _names_are_flags else name
    if value is None:
        return shown
    if not _names_are_flags:
        return f"{shown}={value!r}"
    return shown if value is True else f"{shown} {value}"


def python_option(name: str, value: object = None) -> str:
    """Return an option of `load` as Python has it. Most commands lack it, so there the text names the function."""
    if name in _flags_of_load:
        return option(name, value)
    shown = name if value is None else f"{name}={value!r}"
    return f"fastw2v.load(..., {shown}) in Python" if _names_are_flags else shown


def worded(python: str, flags: str) -> str:
    """Return the first text in Python, the second on the command line."""
    return flags if _names_are_flags else python


def doubt(text: str) -> None:
    """Issue a `FastW2VWarning` that points to the line outside this package that called it."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN_CODE):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, FastW2VWarning, stacklevel=level)


class FastW2VWarning(UserWarning):
    """Something is doubtful, so the result may not be what was meant; `warnings.filterwarnings` can silence it."""


class FastW2VError(Exception):
    """Base class of the errors below."""


class ConfigError(FastW2VError, ValueError):
    """A training option is out of range, of the wrong type, or does not fit the corpus."""


class CorpusError(FastW2VError, ValueError):
    """The corpus is missing, unreadable, empty, not text, or has no word that is frequent enough."""


class FolderError(FastW2VError, ValueError):
    """A model or prepared folder is missing, incomplete, inconsistent, or can't be written."""


class FormatError(FastW2VError, ValueError):
    """An evaluation or vectors file is malformed; the message names the file and the line."""


class DivergedError(FastW2VError, ArithmeticError):
    """Training produced a value that is not finite.

    Attributes:
        epoch: the epoch in which the value was found, from 1.
        token: tokens of that epoch visited before the value was found.
        alpha: the learning rate at that point.
        checkpoint: the folder with the last good state of the run; None if no state was saved.
    """

    def __init__(self, epoch: int, token: int, alpha: float, checkpoint: str | None = None) -> None:
        self.epoch, self.token, self.alpha, self.checkpoint = epoch, token, alpha, checkpoint
        if checkpoint is None:
            remedy = f"nothing was saved; lower {option('alpha')} and train again"
        else:
            remedy = f"the last good checkpoint is {checkpoint}; lower {option('alpha')} and train again, "
            remedy += f"optionally from that checkpoint with {option('init_from')}"
        super().__init__(
            f"training diverged: a value is not finite in epoch {epoch} at token {token:,} "
            f"with alpha {alpha:.6g}; {remedy}"
        )

    def __reduce__(self) -> tuple[type, tuple[int, int, float, str | None]]:
        """Support unpickling in another process: by default only the message would reach the constructor."""
        return type(self), (self.epoch, self.token, self.alpha, self.checkpoint)


class ClusterError(FastW2VError, RuntimeError):
    """Ray is missing, its cluster is unreachable or unsuitable, or too few nodes of a training are left."""


class MissingExtraError(FastW2VError, ImportError):
    """A package of an extra, such as matplotlib, is not installed; the message has the command that installs it."""


@contextlib.contextmanager
def from_extra(extra: str, what: str) -> Iterator[None]:
    """Turn a failed import in the body into a `MissingExtraError`.

    Args:
        extra: the extra of this package that installs what is missing.
        what: what is missing, for the message.
    """
    try:
        yield
    except ImportError as reason:
        raise MissingExtraError(f"{what} can't be loaded ({reason}): pip install 'fastw2v[{extra}]'") from None


class UnknownWordError(FastW2VError, KeyError):
    """A word is not in the vocabulary.

    ``hint`` returns more text, such as words with a close spelling. It is called when the message is read, because most
    errors of this class are caught and never shown.
    """

    def __init__(self, text: str = "", hint: Callable[[], str] | None = None) -> None:
        super().__init__(text)
        self._hint = hint

    def __str__(self) -> str:
        if self._hint is not None:
            hint, self._hint = self._hint(), None
            if hint:
                self.args = (f"{self.args[0]}; {hint}",)
        return str(self.args[0])  # KeyError would show the repr.

    def __reduce__(self) -> tuple[type, tuple[str]]:
        """Support pickling: the hint may refer to all vectors."""
        return type(self), (str(self),)


class Terminated(SystemExit):
    """SIGTERM stopped a training after its state was saved; a program that does not catch it exits with code 143."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = 143
