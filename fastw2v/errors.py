"""Every error that this package raises on purpose; the command line prints each as one line."""


class FastW2VError(Exception):
    """Base of all errors below: catch this to catch them all."""


class ConfigError(FastW2VError, ValueError):
    """A training option is out of range, of the wrong type, or does not fit the corpus."""


class CorpusError(FastW2VError, ValueError):
    """The corpus is missing, unreadable, empty, not text, or has no word frequent enough."""


class FolderError(FastW2VError, ValueError):
    """A model or prepared folder is missing, incomplete, inconsistent, or can't be written."""


class FormatError(FastW2VError, ValueError):
    """An evaluation or vectors file is malformed; the message names the file and the place."""


class DivergedError(FastW2VError, ArithmeticError):
    """Training met a value that is not finite.

    Attributes:
        epoch: the epoch it was found in, from 1.
        token: tokens of that epoch that had been visited when it was found.
        alpha: the learning rate at that point.
        checkpoint: where the last good state of the run is, None if none was saved.
    """

    def __init__(self, epoch: int, token: int, alpha: float, checkpoint: str | None = None) -> None:
        self.epoch, self.token, self.alpha, self.checkpoint = epoch, token, alpha, checkpoint
        if checkpoint is None:
            remedy = "nothing was saved; lower alpha (--alpha) and train again"
        else:
            remedy = f"the last good checkpoint is {checkpoint}; lower alpha (--alpha) and train again, "
            remedy += "from that checkpoint with --init-from if you like"
        super().__init__(
            f"training diverged: a value is not finite in epoch {epoch} at token {token:,} "
            f"with alpha {alpha:.6g}; {remedy}"
        )

    def __reduce__(self) -> tuple[type, tuple[int, int, float, str | None]]:
        """Let it come out of another process: there an exception is made anew, by default from its text alone."""
        return type(self), (self.epoch, self.token, self.alpha, self.checkpoint)


class ClusterError(FastW2VError, RuntimeError):
    """Ray is missing, its cluster can't be reached or does not fit, or too few nodes of a training are left."""


class UnknownWordError(FastW2VError, KeyError):
    """A word is not in the vocabulary."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""  # KeyError would show the repr


class Terminated(SystemExit):
    """SIGTERM stopped a training, after its state was saved; a program that lets it pass exits with code 143."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = 143
