"""The command ``fastw2v``, also ``python -m fastw2v``: loads the rest, and handles Ctrl-C meanwhile."""

import os
import sys


def main() -> int:
    """Run the command and return its exit code."""
    # Numba would load it, where it is installed, for linear algebra that no kernel here uses: 13 MB and 0.1 s
    sys.modules.setdefault("scipy", None)  # type: ignore[arg-type]  # documented: importing it then fails
    try:
        from .cli import main as command
    except KeyboardInterrupt:
        print("fastw2v: interrupted", file=sys.stderr, flush=True)
        os._exit(130)  # There is nothing to save, and half-loaded libraries would complain.
    return command()


if __name__ == "__main__":
    sys.exit(main())
