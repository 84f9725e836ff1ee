"""Find known words that a person may have meant by an unknown word."""

import difflib
import unicodedata
from collections.abc import Callable, Container, Sequence
from itertools import islice
from typing import Literal

from .screen import escaped

AMONG = 100_000  # Spellings are compared with this many words, the most frequent ones.
MOST = 5  # Close words to name.
SIMILARITY = 0.7  # Least ratio of `difflib` for a close word.
FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")


def close_to(word: str, words: Sequence[str], index: Container[str]) -> str:
    """Return a hint such as "differs only in case: king; close: kings, kingdom", or "" if no word is close.

    Args:
        word: the unknown word.
        words: the vocabulary, most frequent word first; the search takes about 0.1 s.
        index: the vocabulary again, for fast look-up.
    """
    among = list(islice(words, AMONG))
    folded, folds = _folded(word), _each(_folded, among)
    by_case = [word.lower(), word.upper(), word.capitalize(), word.title(), word.casefold()]
    by_form = [unicodedata.normalize(form, word) for form in FORMS]
    both = [unicodedata.normalize(form, each) for form in FORMS for each in by_case]
    same = [known for fold, known in zip(folds, among, strict=True) if fold == folded]
    same = list(dict.fromkeys(same + [each for each in by_case + by_form + both if each in index]))
    hints: dict[str, list[str]] = {}
    for known in same[:MOST]:
        hints.setdefault(_difference(word, known), []).append(escaped(known))
    if close := _close(folded, folds, among):
        hints["close"] = [escaped(known) for known in close]
    return "; ".join(f"{how}: {', '.join(shown)}" for how, shown in hints.items())


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())


def _difference(word: str, known: str) -> str:
    for form in FORMS:
        if unicodedata.normalize(form, word) == known:
            return f"differs only in Unicode form ({form})"
    return f"differs only in case{'' if word.casefold() == known.casefold() else ' and Unicode form'}"


def _each(change: Callable[[str], str], words: Sequence[str]) -> list[str]:
    """Apply a change to every word: to all words at once, which is several times faster."""
    changed = change("\n".join(words)).split("\n")
    return changed if len(changed) == len(words) else [change(word) for word in words]


def _close(word: str, folds: Sequence[str], among: Sequence[str]) -> list[str]:
    """Return the closest words whose folded form is another one, best first, one per form."""
    # The ratio demands a number of common letters. Leaving out words with fewer first is ten times faster.
    letters = dict.fromkeys(map(ord, word))
    rest = _each(lambda text: text.translate(letters), folds)
    n = len(word)
    likely: dict[str, str] = {}
    for fold, other, known in zip(folds, rest, among, strict=True):
        size = len(fold)
        least = SIMILARITY / 2 * (n + size)
        if size - len(other) >= least <= n and fold != word:
            likely.setdefault(fold, known)
    return [likely[fold] for fold in difflib.get_close_matches(word, likely, n=MOST, cutoff=SIMILARITY)]
