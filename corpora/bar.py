"""A progress bar; in a log file a line every half minute."""

from typing import Any

from tqdm import tqdm

from fastw2v.screen import Screen


def bar(total: int | None, unit: str, what: str | None, progress: bool) -> Any:
    """Return a bar to be used in ``with``, silent unless ``progress``."""
    screen = Screen()
    interval = 0.1 if screen.isatty() else 30
    return tqdm(
        file=screen,
        total=total,
        desc=what,
        unit=unit,
        unit_scale=True,
        dynamic_ncols=True,
        disable=not progress,
        mininterval=interval,
        maxinterval=interval + 10,
    )
