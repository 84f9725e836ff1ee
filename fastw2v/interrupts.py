"""Ctrl-C at a moment of our choosing."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_noted(lets_third_through: bool = True) -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a note, read by calling what is yielded; as a rule a third one gets through at once.

    Outside the main thread, or where Ctrl-C is ignored or somebody else handles it, nothing is changed.
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        if lets_third_through and len(noted) >= 3:
            raise KeyboardInterrupt

    mine = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if mine:
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(noted)
    finally:
        if mine:
            signal.signal(signal.SIGINT, signal.default_int_handler)
