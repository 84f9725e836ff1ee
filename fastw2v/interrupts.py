"""Ctrl-C and a request to end, at a moment of our choosing."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .errors import Terminated


def _end(number: int, frame: FrameType | None) -> None:
    raise interruption(number, "nothing was written")


#: Handlers that are nobody's in particular, so that ours may stand there for a while.
_DEFAULTS: dict[int, Any] = {signal.SIGINT: (signal.default_int_handler,), signal.SIGTERM: (signal.SIG_DFL, _end)}


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Have SIGTERM raise `Terminated`, as Ctrl-C raises KeyboardInterrupt, so that what is half done is cleared away.

    Outside the main thread, or where SIGTERM is ignored or somebody else handles it, nothing is changed.
    """
    mine = threading.current_thread() is threading.main_thread()
    if not mine or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def signals_noted(lets_third_through: bool = True) -> Iterator[Callable[[], int]]:
    """Turn SIGINT (Ctrl-C) and SIGTERM into a note; as a rule a third one gets through at once.

    Outside the main thread, or where a signal is ignored or somebody else handles it, nothing is changed.

    Yields:
        A function that returns the number of the first signal noted, 0 for none.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if lets_third_through and len(noted) >= 3:
            raise interruption(number, "at once, in the middle of something; what had been saved before stays")

    mine = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _DEFAULTS}
    ours = [number for number, defaults in _DEFAULTS.items() if mine and before[number] in defaults]
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
