"""Output for people: text made safe for a screen, and remarks and a progress bar on standard error."""

import re
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import Any

NOTEBOOK_COLUMNS = 100  # of a bar of text

_JOINERS = "\u200c\u200d"  # Zero-width non-joiner and joiner.
_FIRST_JOINED = "\u0590"  # Letters before this one, such as Latin ones, look the same with and without a joiner.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # Letters and marks that show nothing.
_ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U00(?:0[0-9a-f]|10)[0-9a-f]{4})")


def printable(text: str) -> str:
    """Return the text with control, bidirectional, invisible and undecodable characters escaped, for a screen.

    A zero-width joiner or non-joiner stays where it has a visible effect: between two characters of a joining script,
    as in Persian, between two emoji, or after a virama. Emoji that are newer than this Python stay, too.
    """
    if text.isprintable() and _BLANK.isdisjoint(text):
        return text
    return "".join(c if _is_visible(text, i) else escape_character(c) for i, c in enumerate(text))


def escaped(word: str) -> str:
    """Return the `printable` form of a word, in which `unescaped` finds the word again.

    A backslash that seems to begin an escape is itself escaped.
    """
    return printable(_ESCAPE.sub(lambda found: r"\x5c" + found[0][1:], word) if "\\" in word else word)


def unescaped(text: str) -> str:
    """Return the word whose `escaped` form is this text, or the text itself if there is no such word."""
    if "\\" not in text:
        return text
    word = _replace_escapes(text)
    return word if escaped(word) == text else text


def readings(text: str) -> list[str]:
    r"""Return the words that a person may mean by a text, the likeliest first.

    These are the word whose `escaped` form is the text, the text itself, and the text with every escape replaced. The
    last is for a person whose keyboard or screen lacks a letter: ``caf\xe9``.
    """
    return list(dict.fromkeys([unescaped(text), text, _replace_escapes(text)]))


def _replace_escapes(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), text)


def escape_character(character: str) -> str:
    r"""Return the escape of a character, such as ``\u200b``."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_visible(text: str, i: int) -> bool:
    c = text[i]
    if c in _JOINERS:
        before, after = text[i - 1 : i], text[i + 1 : i + 2]
        if before < _FIRST_JOINED or not _is_shown(before):
            return False
        return unicodedata.combining(before) == 9 or (after >= _FIRST_JOINED and _is_shown(after))
    return _is_shown(c)


def _is_shown(c: str) -> bool:
    if c.isprintable():
        return c not in _BLANK
    # Unicode reserves these unassigned code points for emoji.
    return "\U0001f000" <= c <= "\U0001fffd" and unicodedata.category(c) == "Cn"


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


def in_notebook() -> bool:
    """Return whether this program runs in a kernel of IPython, as in Jupyter; nothing is imported to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def bar(total: int | None, unit: str, what: str | None, progress: bool, done: int = 0) -> Any:
    """Return a bar to use in ``with``, silent unless ``progress``; a log file gets one line per 30 s.

    In a notebook it is a widget where ipywidgets is installed, and otherwise a line of text that moves.
    """
    screen = Screen()
    notebook = in_notebook()
    interval = 0.1 if screen.isatty() else 0.5 if notebook else 30
    options: dict[str, Any] = {
        "total": total,
        "initial": done,
        "desc": what,
        "unit": unit,
        "unit_scale": True,
        "dynamic_ncols": True,
        "disable": not progress,
        "mininterval": interval,
        "maxinterval": interval + 10,
    }
    if notebook and progress and find_spec("ipywidgets") is not None:
        with suppress(ImportError):  # ipywidgets is damaged, and a bar is no reason to fail.
            from tqdm.notebook import tqdm as widget  # Elsewhere it would import IPython.

            return widget(**options)
    if notebook:
        options |= {"dynamic_ncols": False, "ncols": NOTEBOOK_COLUMNS}  # No terminal tells the width.
    from tqdm import tqdm  # Many commands show no bar.

    return tqdm(file=screen, **options)


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
