"""Callbacks: what `train` calls while it trains, after every chunk and around every epoch."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ..embeddings import Embeddings
from ..errors import ConfigError, doubt

HOOKS = ("on_train_begin", "on_epoch_begin", "on_chunk", "on_epoch_end", "on_train_end")


@dataclass(frozen=True)
class Progress:
    """The state of a run after a chunk. Callbacks get it, and it is one line of metrics.jsonl.

    Attributes:
        epoch: the epoch the chunk belonged to, from 1.
        tokens: corpus tokens visited since the start, over all epochs, before subsampling.
        tokens_total: what ``tokens`` will be at the end.
        tokens_per_s: corpus tokens per second in this chunk.
        tokens_trained: tokens of this chunk that survived subsampling.
        pairs: (centre, outside) pairs of this chunk.
        alpha: learning rate at the end of the chunk.
        loss: mean negative-sampling loss per pair in this chunk, in nats; None if it had no pair. The tile kernel
            computes it for a sample of about one tile in 16.
        seconds: time since training began, without compilation and ingest.
    """

    epoch: int
    tokens: int
    tokens_total: int
    tokens_per_s: float
    tokens_trained: int
    pairs: int
    alpha: float
    loss: float | None
    seconds: float


#: A function of the state of the run and a read-only view of the current vectors.
Hook: TypeAlias = Callable[[Progress, Embeddings], object]
#: A function that is called after every chunk, or an object with some of the methods in HOOKS; see `train`.
Callback: TypeAlias = Hook | object


def hooks_of(callbacks: Sequence[Callback]) -> Mapping[str, Sequence[Hook]]:
    """Return, for each name in HOOKS, what is called then, in the order of the callbacks.

    Raises:
        ConfigError: this is not a list; a callback is neither a function nor an object with such a method; or one of
            its methods does not take two arguments.
    """
    found: dict[str, list[Hook]] = {name: [] for name in HOOKS}
    remedy = "give a list of functions, or of objects with on_epoch_end or a method like it"
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise ConfigError(f"callbacks is {callbacks!r:.60}: {remedy}")
    for callback in callbacks:
        if isinstance(callback, type):
            raise ConfigError(f"callbacks is {callbacks!r:.60}: {callback.__name__} is a class; give an instance of it")
        methods = {name: method for name in HOOKS if (method := getattr(callback, name, None)) is not None}
        if callable(callback):
            methods.setdefault("on_chunk", callback)
        if not methods or not all(map(callable, methods.values())):
            raise ConfigError(f"callbacks is {callbacks!r:.60}: {remedy}")
        for name in dir(type(callback)):
            if name.startswith("on_") and name not in HOOKS:
                what, hooks = type(callback).__name__, ", ".join(HOOKS)
                doubt(f"the method {name:.60} of the callback {what:.60} is never called: train calls {hooks}")
        for name, method in methods.items():
            _check_arguments(method, callback, name)
            found[name].append(method)
    return found


def _check_arguments(method: Any, callback: object, name: str) -> None:
    """Raise `ConfigError` now rather than after hours, if a method can't be called with two arguments."""
    try:
        signature = inspect.signature(method)
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return
    try:
        signature.bind(None, None)
    except TypeError:
        what = getattr(callback, "__name__", type(callback).__name__) + f".{name}" * (method is not callback)
        raise ConfigError(
            f"the callback {what:.60} takes {signature!s:.60}: it must take (progress, embeddings); the callbacks of "
            "gensim are for fastw2v.gensim.Word2Vec"
        ) from None
