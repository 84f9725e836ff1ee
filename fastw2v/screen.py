"""Output for people: text made safe for a screen, and remarks and a progress bar on standard error."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tqdm import tqdm


def printable(text: str) -> str:
    """Return the text with control, bidirectional, invisible and undecodable characters escaped, for a screen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def counted(n: int, noun: str) -> str:
    """Return a number and a noun, such as "1 word" or "2,000 words"."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


class Screen:
    """Standard error whose failures are ignored: a closed pipe or a full disk must not end a training."""

    def write(self, text: str) -> int:
        """Write if possible."""
        with suppress(OSError, ValueError, AttributeError):  # closed, or None
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush if possible."""
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()

    def isatty(self) -> bool:
        """Return whether a person may be watching."""
        try:
            return sys.stderr.isatty()
        except (OSError, ValueError, AttributeError):
            return False

    def fileno(self) -> int:
        """Return the descriptor, from which tqdm learns the width of the terminal."""
        return sys.stderr.fileno()


def say(progress: bool, text: str) -> None:
    """Print a remark if ``progress`` is true."""
    if progress:
        screen = Screen()
        screen.write(f"fastw2v: {printable(text)}\n")
        screen.flush()


@contextmanager
def announced(progress: bool, text: str) -> Iterator[None]:
    """Print a remark if the body takes noticeably long."""
    timer = threading.Timer(0.5, say, (progress, text))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def bar(total: int | None, unit: str, what: str | None, progress: bool, done: int = 0) -> Any:
    """Return a bar to use in ``with``, silent unless ``progress``; a log file gets one line per 30 s."""
    screen = Screen()
    interval = 0.1 if screen.isatty() else 30
    return tqdm(
        file=screen,
        total=total,
        initial=done,
        desc=what,
        unit=unit,
        unit_scale=True,
        dynamic_ncols=True,
        disable=not progress,
        mininterval=interval,
        maxinterval=interval + 10,
    )


class Bar:
    """A progress bar over corpus tokens that also shows the mean loss per pair and the learning rate; see `bar`."""

    def __init__(self, total: int, progress: bool, done: int = 0) -> None:
        self._bar = bar(total, " tokens", None, progress, done)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def show(self, epoch: int, epochs: int, tokens: int, loss: float | None, alpha: float) -> None:
        """Move to ``tokens`` and show the epoch, the loss and the learning rate."""
        self._bar.set_description(f"epoch {epoch}/{epochs}", refresh=False)
        shown_loss = "none" if loss is None else f"{loss:.4f}"
        self._bar.set_postfix_str(f"loss {shown_loss}, alpha {alpha:.5f}", refresh=False)
        self._bar.update(tokens - self._bar.n)
