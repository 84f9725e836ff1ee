"""What the commands that time fastw2v beside gensim share: calls in turn, their ratios, and the table."""

import importlib.metadata
import time
from collections.abc import Callable, Mapping
from typing import Any

from . import report
from .steps import steps
from .timing import summary


def gensim_version() -> str | None:
    """Return the version of gensim; None, with a notice, if it is not installed."""
    try:
        return importlib.metadata.version("gensim")
    except importlib.metadata.PackageNotFoundError:
        print("gensim is not installed: nothing to compare with")
        return None


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compared(pairs: list[tuple[float, float]]) -> dict[str, Any]:
    """Return the seconds of fastw2v and gensim, one pair per round, and the ratios within each round."""
    return {
        "fastw2v": summary([a for a, _ in pairs]),
        "gensim": summary([b for _, b in pairs]),
        "ratio": summary([b / a for a, b in pairs]),
    }


def measure(
    calls: Mapping[str, tuple[Callable[[], Any], Callable[[], Any]]], rounds: int, command: str
) -> dict[str, Any]:
    """Time our calls and gensim's in turn; return what `compared` returns for each.

    A call that returns a float has measured a part of itself: these are its seconds.
    """

    def timed_call(work: Callable[[], Any]) -> float:
        began = time.perf_counter()
        own = work()
        return own if isinstance(own, float) else time.perf_counter() - began

    found = {}
    with steps(command, rounds * len(calls)) as say:
        for name, (ours, theirs) in calls.items():
            ours()  # This run compiles or loads the kernels and fills the page cache.
            pairs = []
            for number in range(1, rounds + 1):
                # Every second round begins with gensim: the second program finds a warmer machine.
                order = (ours, theirs) if number % 2 else (theirs, ours)
                timed = {work: timed_call(work) for work in order}
                pairs.append((timed[ours], timed[theirs]))
                say(f"{name}, round {number}: {pairs[-1][0]:.2f} s, gensim {pairs[-1][1]:.2f} s")
            found[name] = compared(pairs)
    return found


def table(calls: Mapping[str, Any]) -> str:
    """Return the table of calls by name, each as `compared` returns it, in Markdown."""
    rows = [
        [
            name,
            *(report.number(of[key]["median"]) for key in ("fastw2v", "gensim", "ratio")),
            report.number(of["ratio"]["spread"]),
        ]
        for name, of in calls.items()
    ]
    header = ["", "fastw2v, seconds", "gensim, seconds", "ratio", "largest minus smallest ratio"]
    return report.markdown(header, rows)
