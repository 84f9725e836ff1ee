"""Handle Ctrl-C and SIGTERM at a safe moment: raise an exception at once, or only note the signal."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .errors import Terminated


def _end(number: int, frame: FrameType | None) -> None:
    raise interruption(number, "nothing was written")


#: Default handlers, which nobody chose; ours may replace them for a while.
_DEFAULTS: dict[int, Any] = {signal.SIGINT: (signal.default_int_handler,), signal.SIGTERM: (signal.SIG_DFL, _end)}


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Have SIGTERM raise `Terminated`, as Ctrl-C raises KeyboardInterrupt, so that unfinished files are removed.

    It changes nothing outside the main thread, or if SIGTERM is ignored or has another handler.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def signals_noted(lets_third_through: bool = True) -> Iterator[Callable[[], int]]:
    """Only note SIGINT (Ctrl-C) and SIGTERM; unless ``lets_third_through`` is False, a third one ends the program.

    It changes nothing outside the main thread, or for a signal that is ignored or has another handler.

    Yields:
        A function that returns the number of the first signal noted, 0 for none.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if lets_third_through and len(noted) >= 3:
            raise interruption(number, "while the state was being saved; earlier checkpoints are intact")

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _DEFAULTS}
    ours = [number for number, defaults in _DEFAULTS.items() if in_main_thread and before[number] in defaults]
    for number in ours:
        signal.signal(number, note)
    try:
        yield lambda: noted[0] if noted else 0
    finally:
        for number in ours:
            signal.signal(number, before[number])


def interruption(number: int, text: str) -> BaseException:
    """Return the exception that stands for a signal: KeyboardInterrupt, or `errors.Terminated`."""
    return Terminated(text) if number == signal.SIGTERM else KeyboardInterrupt(text)
