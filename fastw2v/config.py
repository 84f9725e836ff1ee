"""Training options: one frozen record, checked on creation and stored in every model folder."""

import math
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, TypedDict

from .errors import ConfigError, option
from .machine import usable_cores

_INTEGERS: dict[str, tuple[int, int]] = {
    "vector_size": (1, 65_536),
    "window": (1, 10_000),
    "min_count": (0, 2**62),
    "negative": (1, 1_000),
    "epochs": (1, 1_000_000),
    "workers": (1, 4_096),
    "seed": (0, 2**63 - 1),
    "max_vocab": (1, 2**31 - 1),
    "min_n": (1, 50),
    "max_n": (0, 50),
    "bucket": (1, 100_000_000),
    "hash_count": (1, 4),
}
# lowest, highest, and whether the lowest itself is allowed
_REALS: dict[str, tuple[float, float, bool]] = {
    "ns_exponent": (-10.0, 10.0, True),
    "sample": (0.0, 1.0, True),
    "alpha": (0.0, 100.0, False),
    "min_alpha": (0.0, 100.0, True),
}
CHOICES: dict[str, tuple[str, ...]] = {"kernel": ("tile", "pair"), "mode": ("fasttext", "floret")}


class IdOptions(TypedDict, total=False):
    """Keyword options of `train_ids`: those of `TrainConfig` that do not choose a vocabulary."""

    vector_size: int
    window: int
    negative: int
    ns_exponent: float
    sample: float
    alpha: float
    min_alpha: float
    epochs: int
    workers: int | None
    seed: int
    kernel: str


class TrainOptions(IdOptions, total=False):
    """Keyword options of `train`: those of `TrainConfig`."""

    min_count: int | None
    max_vocab: int | None
    min_n: int
    max_n: int
    bucket: int
    mode: str
    hash_count: int


class _Workers:
    """A field that accepts None, meaning every usable core, and always reads as a number."""

    def __get__(self, config: Any, owner: type) -> int:
        value: Any = None if config is None else config.__dict__["workers"]  # Read from the class, it is the default.
        return value  # type: ignore[no-any-return]

    def __set__(self, config: Any, value: int | None) -> None:
        config.__dict__["workers"] = usable_cores() if value is None else value


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Options of a training run, named as in gensim.

    Raises:
        ConfigError: an option is out of range or not a number.

    Attributes:
        vector_size: columns of V and U.
        window: largest distance in words between a centre and its context; shrunk uniformly per centre.
        min_count: rarer words are dropped before windows are formed. 0 means 1, and reads as 1.
        negative: noise words K drawn per (centre, outside) pair.
        ns_exponent: noise words are drawn with probability proportional to count ** ns_exponent.
        sample: subsampling threshold for frequent words; 0 turns it off.
        alpha: learning rate at the first token.
        min_alpha: learning rate at the last token of the last epoch; linear in between.
        epochs: passes over the corpus.
        workers: threads; None means every usable core. With 1 a run is bit-identical from run to run; more is Hogwild.
        seed: origin of every random number of the run.
        max_vocab: keep only this many of the most frequent words; None keeps all.
        kernel: ``"tile"``, tiles of centres that share their noise words; or ``"pair"``, one pair after another, as in
            word2vec.c. Where the corpus is too small for tiles, or alpha too high, `train` falls back to pairs.
        min_n: least number of characters of an n-gram.
        max_n: largest number of characters of an n-gram. 0 turns subwords off: a word has one row of V. Otherwise its
            vector is the mean of its own row and those of its n-grams, as in fastText.
        bucket: n-grams are hashed to this many buckets.
        mode: ``"fasttext"``; or ``"floret"``, a compact table for spaCy: words share the buckets with n-grams, and some
            50,000 buckets are enough.
        hash_count: buckets per word and n-gram, for ``mode="floret"``.
    """

    vector_size: int = 100
    window: int = 5
    min_count: int = 5
    negative: int = 5
    ns_exponent: float = 0.75
    sample: float = 1e-3
    alpha: float = 0.025
    min_alpha: float = 1e-4
    epochs: int = 5
    workers: _Workers = _Workers()  # It has no state.
    seed: int = 1
    max_vocab: int | None = None
    kernel: str = "tile"
    min_n: int = 3
    max_n: int = 0
    bucket: int = 2_000_000
    mode: str = "fasttext"
    hash_count: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is None:
                continue
            kinds = ((_INTEGERS, _checked_integer), (_REALS, _checked_real), (CHOICES, _checked_choice))
            check: Any = next(check for table, check in kinds if field.name in table)
            object.__setattr__(self, field.name, check(field.name, value))
        object.__setattr__(self, "min_count", max(self.min_count, 1))
        if self.min_alpha > self.alpha:
            raise ConfigError(
                f"{option('min_alpha')} is {self.min_alpha:g}, above the {option('alpha')} of {self.alpha:g}: "
                "give at most that"
            )
        if 0 < self.max_n < self.min_n:
            raise ConfigError(
                f"{option('min_n')} is {self.min_n}, above the {option('max_n')} of {self.max_n}: give at most that"
            )
        if self.mode == "floret" and not self.max_n:
            raise ConfigError(f"{option('mode')} is 'floret', which needs subwords: give {option('max_n', 5)}")
        if self.mode != "floret" and self.hash_count > 1:
            raise ConfigError(
                f"{option('hash_count')} is {self.hash_count}, but fastText has one bucket per n-gram: give "
                f"{option('mode', 'floret')}, or omit it"
            )


def _checked_integer(name: str, value: Any) -> int:
    low, high = _INTEGERS[name]
    is_whole = not isinstance(value, bool) and isinstance(value, Integral)
    if not is_whole or not low <= value <= high:
        raise ConfigError(f"{option(name)} is {value!r:.60}: give a whole number from {low} to {high}")
    return int(value)


def _checked_real(name: str, value: Any) -> float:
    low, high, low_allowed = _REALS[name]
    is_number = not isinstance(value, bool) and isinstance(value, Real)
    try:
        number = float(value) if is_number else math.nan
    except OverflowError:
        number = math.inf
    if not low <= number <= high or (number == low and not low_allowed):
        bounds = f"from {low:g} to {high:g}" if low_allowed else f"above {low:g}, at most {high:g}"
        raise ConfigError(f"{option(name)} is {value!r:.60}: give a number {bounds}")
    return number


def _checked_choice(name: str, value: Any) -> str:
    if not isinstance(value, str) or value not in CHOICES[name]:
        raise ConfigError(f"{option(name)} is {value!r:.60}: give {' or '.join(map(repr, CHOICES[name]))}")
    return value
