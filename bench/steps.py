"""A progress bar over the steps of a command, with a line about each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def steps(label: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over ``total`` steps; call what is yielded at the end of each, with a line that says what it gave.

    Where no terminal is at hand there are only the lines.
    """
    with tqdm(total=total, desc=label, unit=" step", disable=None, leave=False) as bar:

        def done(line: str) -> None:
            bar.write(line)
            bar.update()

        yield done
