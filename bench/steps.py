"""A progress bar over the steps of a command, with a line about each."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def steps(label: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar over ``total`` steps, and yield a function that ends a step with a line about its result.

    Without a terminal only the lines are shown.
    """
    with tqdm(total=total, desc=label, unit=" step", disable=None, leave=False) as bar:

        def done(line: str) -> None:
            bar.write(line)
            bar.update()

        yield done
