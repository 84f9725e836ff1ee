"""The options of phrases, apart from `joining`, whose kernels are loaded only where phrases are joined."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..choices import SCORINGS
from ..errors import ConfigError, option
from ..vocab import check_storable, plain


@dataclass(frozen=True, kw_only=True)
class PhraseOptions:
    """Which pairs are phrases.

    Attributes:
        min_count: rarer pairs are not phrases; the default score also subtracts it from each pair's count.
        threshold: a pair is a phrase if its score is greater.
        scoring: ``"default"`` or ``"npmi"``.
        delimiter: between the words of a phrase.
        connector_words: words that may stand inside a phrase, but not at its ends.

    Raises:
        ConfigError: an option is out of range or of the wrong type.
    """

    min_count: int = 5
    threshold: float = 10.0
    scoring: str = "default"
    delimiter: str = "_"
    connector_words: frozenset[str] = frozenset()

    def checked(self, named: dict[str, str] | None = None) -> "PhraseOptions":
        """Return the options as plain numbers and strings; ``named`` gives other names for messages."""
        names = {name: option((named or {}).get(name, name)) for name in self.__dataclass_fields__}
        given: Any = self
        count, threshold, scoring, delimiter = given.min_count, given.threshold, given.scoring, given.delimiter
        # gensim's default is a float.
        is_whole = isinstance(count, Integral) or (isinstance(count, Real) and float(count).is_integer())
        if isinstance(count, bool) or not is_whole or not 1 <= int(count) < 2**62:
            raise ConfigError(f"{names['min_count']} is {count!r:.60}: give a whole number of at least 1")
        if not isinstance(scoring, str) or scoring not in SCORINGS:
            raise ConfigError(f"{names['scoring']} is {scoring!r:.60}: give {' or '.join(map(repr, SCORINGS))}")
        is_number = not isinstance(threshold, bool) and isinstance(threshold, Real)
        number = float(threshold) if is_number else math.nan
        if not (0 < number < math.inf if scoring == "default" else -1 <= number <= 1):
            bounds = "above 0" if scoring == "default" else "from -1 to 1"
            raise ConfigError(f"{names['threshold']} is {threshold!r:.60}: give a number {bounds}")
        try:
            if not isinstance(delimiter, str):
                raise ValueError("not a string")
            check_storable(delimiter)
        except ValueError as reason:
            raise ConfigError(
                f"{names['delimiter']} is {delimiter!r:.60}, {reason}: give a string such as '_'"
            ) from None
        words: Any = self.connector_words
        if isinstance(words, (str, bytes)) or not isinstance(words, Iterable):
            raise ConfigError(f"{names['connector_words']} is {words!r:.60}: give a set of words")
        listed = list(words)
        for word in listed:
            if not isinstance(word, str):
                raise ConfigError(f"{names['connector_words']} holds {word!r:.60}: give strings")
        return PhraseOptions(
            min_count=int(count),
            threshold=number,
            scoring=str(scoring),
            delimiter=plain(delimiter),
            connector_words=frozenset(map(plain, listed)),
        )

    @property
    def least_count(self) -> int:
        """The least count of a phrase: the default score of a rarer pair is not above 0."""
        return self.min_count + (self.scoring == "default")

    def as_record(self) -> dict[str, Any]:
        """Return the options as JSON has them."""
        return {
            "min_count": self.min_count,
            "threshold": self.threshold,
            "scoring": self.scoring,
            "delimiter": self.delimiter,
            "connector_words": sorted(self.connector_words),
        }
