"""Turn sentences that a program holds into ids: lists of tokens, generators, arrays, columns of frames.

A token is a string or a whole number; the word of a number is ``str(number)``. Only the characters of a string count: a
member of an Enum, a NumPy string or an object of another subclass of str is the plain string that it holds.

Objects of NumPy, pandas, polars and Arrow are recognised by their attributes, so none of these packages is imported.
"""

from collections.abc import Iterable, Iterator, Mapping, MappingView, Sequence, Set
from itertools import islice
from numbers import Integral
from operator import index as whole
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CorpusError, doubt
from ..files.staging import write_errors
from ..screen import counted
from ..vocab import check_storable
from .ingest import Ingested, Scanned
from .wordtable import SENTENCE_END

BLOCK_TOKENS = 1 << 18  # ids in memory before they are written
PIECE = 1 << 14  # sentences of a column, or tokens of a generator, that are Python objects at once
_CHARACTERS = (type(iter("a")), type(iter("\u0100")))  # Python has two kinds of iterators over a string.
_BYTES = (bytes, bytearray, memoryview)


class Numbering(dict[str, int]):
    """Numbers of words, from 0, in the order in which they are first looked up.

    Raises:
        ValueError: a new word can't be stored, see `check_storable`.
    """

    def __missing__(self, word: str) -> int:
        """Number a new word."""
        check_storable(word)
        number = self[word] = len(self)
        return number


class _Integers(dict[int, int]):
    """Numbers of the words of integers, so that each integer becomes a string only once."""

    def __init__(self, words: Numbering) -> None:
        self._words = words

    def __missing__(self, integer: int) -> int:
        number = self[integer] = self._words[str(integer)]
        return number


class Tokens:
    """Turns tokens into numbers: all strings, or all whole numbers.

    To check the types of many tokens at once takes less time than to check each token. No method of a token is called
    before it is a plain str or int, so a class with its own ``__eq__`` or ``__hash__`` can't merge or split words.

    Attributes:
        words: the words so far, with their numbers.
    """

    def __init__(self) -> None:
        self.words = Numbering()
        self._integers = _Integers(self.words)
        self._kind: type = object  # str or int after the first token.

    def number(self, tokens: Sequence[Any], into: list[int]) -> bool:
        """Append the number of each token to ``into``; return False if a token is unfit, see `refuse`."""
        kinds = set(map(type, tokens))
        if kinds != {self._kind}:
            if not kinds:
                return True
            kind = _kind_of(kinds)
            if kind is None or self._kind not in (object, kind):
                return False
            self._kind = kind
            if kinds != {kind}:
                tokens = list(map(str.__str__ if kind is str else whole, tokens))
        try:
            into.extend(map((self.words if self._kind is str else self._integers).__getitem__, tokens))
        except ValueError:
            return False
        return True

    def refuse(self, tokens: Iterable[Any], what: str, before: int = 0) -> None:
        """Raise for the first of these tokens that is unfit.

        Args:
            tokens: tokens, at least one of them unfit.
            what: where the tokens come from, as in "sentence 7".
            before: number of tokens of ``what`` before these.

        Raises:
            CorpusError: names the token, its place and the remedy.
        """
        for place, token in enumerate(tokens, before + 1):
            kind = _kind_of({type(token)})
            if self._kind is object and kind is not None:
                self._kind = kind
            if kind is None or kind is not self._kind:
                reason = _why_not(token, kind)
            else:
                try:
                    check_storable(str.__str__(token) if kind is str else str(whole(token)))
                    continue
                except ValueError as error:  # str refuses integers of thousands of digits.
                    reason = f"{error}: replace it" if kind is str else "too large to be written: replace it"
            raise CorpusError(f"token {place} of {what} is {shown(token)}, {reason}")
        raise AssertionError("no token is unfit")

    def negatives(self) -> list[int]:
        """Return the negative integers among the tokens."""
        return [integer for integer in self._integers if integer < 0]


def _kind_of(kinds: set[type]) -> type | None:
    """Return str if all these types are strings, int if all are whole numbers, None for any other."""
    if all(issubclass(kind, str) for kind in kinds):
        return str
    return int if all(map(is_whole, kinds)) else None


def is_whole(kind: type) -> bool:
    """Return whether objects of a type are whole numbers; Booleans are not."""
    return issubclass(kind, Integral) and not issubclass(kind, bool)


def _why_not(token: Any, kind: type | None) -> str:
    if kind is not None:
        other = "a string among whole numbers" if kind is str else "a whole number among strings"
        return f"{other}: make all tokens strings, as with str"
    if _is_missing(token):
        return "a missing value: leave it out"
    if isinstance(token, _BYTES):
        return "bytes, not a string: decode it, as with bytes.decode"
    if isinstance(token, (list, tuple)) or (is_column(token) and not hasattr(token, "as_py")):
        return "not a string: give one flat list of tokens per sentence"
    if isinstance(token, (bool, np.bool_)):
        return "not a string: replace it, as with str"
    if isinstance(token, (float, np.floating)):
        return "not a string or a whole number: make it one, as with str or int"
    return "not a string or a whole number: make it a string"


def shown(value: Any) -> str:
    """Return the start of an object's representation, on one line."""
    try:
        text = f"{value!r:.300}"
    except Exception:  # Python refuses to write integers of thousands of digits.
        text = f"a {type(value).__name__}"
    return f"{' '.join(text.split()):.60}"


def _is_missing(value: Any) -> bool:
    nan = isinstance(value, (float, np.floating)) and bool(np.isnan(value))
    return value is None or nan or type(value).__name__ in ("NAType", "NaTType", "MaskedConstant")


# ------------------------------------------------------------------------------------------------------ shapes


def is_frame(value: Any) -> bool:
    """Return whether an object is a table with named columns: a data frame, an Arrow table or a structured array."""
    named = getattr(getattr(value, "dtype", None), "names", None)
    return named is not None or any(hasattr(type(value), name) for name in ("columns", "column_names"))


def is_column(value: Any) -> bool:
    """Return whether an object is an array or a column, which can turn all its elements into Python objects at once."""
    return any(hasattr(value, name) for name in ("tolist", "to_list", "to_pylist", "as_py")) and not is_frame(value)


def is_mapping(value: Any) -> bool:
    """Return whether an object has keys, as a dict, a row of a database or a named tuple has, and is not a column."""
    is_named = isinstance(value, tuple) and hasattr(value, "_fields")
    return is_named or isinstance(value, Mapping) or (hasattr(value, "keys") and not is_column(value))


def check_corpus(corpus: Any) -> None:
    """Raise `CorpusError` if iterating over an object gives something other than sentences, such as column names."""
    name = type(corpus).__name__
    if is_frame(corpus):
        raise CorpusError(
            f'corpus is a {name}, a table of columns: give the column of token lists, such as frame["tokens"]'
        )
    if name.endswith("GroupBy"):
        raise CorpusError(f"corpus is a {name}, whose groups have keys: give one list per group, as with .apply(list)")
    if is_mapping(corpus):
        raise CorpusError(
            f"corpus is a {name}, whose keys would be the sentences: "
            "give lists of tokens, such as [text.split() for text in texts.values()]"
        )
    if is_unordered(corpus):
        raise CorpusError(f"corpus is a {name}, which has no order: give sentences in order, as with sorted")
    if hasattr(corpus, "read"):
        raise CorpusError(f"corpus is an open file ({name}): give its path, or lists of tokens")
    if (
        isinstance(corpus, _BYTES)
        or getattr(corpus, "ndim", 1) == 0
        or not (isinstance(corpus, Iterable) or hasattr(corpus, "__getitem__"))
    ):
        raise CorpusError(f"corpus is a {name}: give a path, paths, or sentences as lists of tokens")


def is_unordered(value: Any) -> bool:
    """Return whether an object is a set; the keys and items of a dict have an order, so they do not count."""
    return isinstance(value, Set) and not isinstance(value, MappingView)


def rows(corpus: Any) -> Iterator[Any]:
    """Yield the sentences of a corpus. Those of a column or an array come in blocks, which takes less time."""
    if isinstance(corpus, np.ndarray) and corpus.ndim > 1:
        for start in range(0, len(corpus), PIECE):
            yield from corpus[start : start + PIECE].tolist()
    elif hasattr(corpus, "slice") and is_column(corpus):  # a column of polars or Arrow
        for start in range(0, len(corpus), PIECE):
            yield from elements(corpus.slice(start, PIECE))
    else:
        yield from corpus


def elements(column: Any) -> Any:
    """Return the elements of a column or an array as Python objects: a list, or one object if it has no dimension."""
    for name in ("to_pylist", "tolist", "to_list", "as_py"):
        if convert := getattr(column, name, None):
            return convert()
    raise AssertionError


def pieces(sentence: Any, number: int, plain: set[type]) -> Iterator[Sequence[Any]]:
    """Yield the tokens of a sentence that is neither a list nor a tuple, in lists.

    Args:
        sentence: any object.
        number: its number, from 1.
        plain: types known to be iterables of tokens; this function adds to them. So a million generators are not
            checked one by one.

    Raises:
        CorpusError: it is something other than a sequence of tokens, such as a string, a mapping or a missing value.
    """
    if type(sentence) not in plain:
        tokens = _checked(sentence, f"sentence {number}")
        if tokens is not None:
            yield tokens
            return
        plain.add(type(sentence))
    iterator = iter(sentence)
    while piece := list(islice(iterator, PIECE)):
        yield piece


def _checked(sentence: Any, where: str) -> list[Any] | None:
    """Return the tokens of a column; None for another iterable of tokens; raise as `pieces` does for anything else."""
    name = type(sentence).__name__
    if isinstance(sentence, str):
        raise CorpusError(f"{where} is one string, not a list of tokens: split it, as with str.split")
    if isinstance(sentence, _BYTES):
        raise CorpusError(f"{where} is {name}, not a list of tokens: decode and split it")
    if isinstance(sentence, _CHARACTERS):
        raise CorpusError(
            f"{where} is an iterator over characters, not over tokens: split the string, as with str.split"
        )
    if is_frame(sentence):
        raise CorpusError(f'{where} is a {name}, a table of columns: give a list of tokens, such as frame["tokens"]')
    if is_mapping(sentence):
        raise CorpusError(
            f"{where} is a {name} with keys, not a list of tokens: "
            'give one of its values, as in [row["text"].split() for row in rows]'
        )
    if is_unordered(sentence):
        raise CorpusError(f"{where} is a {name}, which has no order: give a list, as with sorted")
    if is_column(sentence):
        tokens = elements(sentence)
        if isinstance(tokens, list):
            return tokens
    elif isinstance(sentence, Iterable) or hasattr(sentence, "__getitem__"):
        return None
    what = "a missing value: leave it out, as with dropna" if _is_missing(sentence) else "not a list of tokens"
    raise CorpusError(f"{where} is {shown(sentence)}, {what}")


# ------------------------------------------------------------------------------------------------------ ids


def ingest_sentences(sentences: Any, folder: Path) -> Ingested:
    """Number the words of sentences, read once; the provisional ids go to a file in ``folder``.

    Args:
        sentences: iterable of sentences, each an iterable of strings or of whole numbers, but not of both in one
            corpus; or a column of such lists (pandas, polars, Arrow), or a two-dimensional array whose rows are
            sentences.
        folder: receives the provisional ids.

    Raises:
        CorpusError: a sentence is a string, a mapping, a set or no sequence; a token is neither a string nor a whole
            number, is empty, or holds a tab or line break; strings and numbers are mixed; or there is no token.
    """
    tokens = Tokens()
    counts = np.zeros(0, np.int64)
    block: list[int] = []
    blocks: list[Scanned] = []
    plain: set[type] = set()
    n_sentences = 0
    path = folder / "provisional-0.i32"
    with write_errors(folder):
        sink = open(path, "wb")  # noqa: SIM115

    def flush() -> None:
        nonlocal counts
        ids = np.array(block, np.int32)
        start = blocks[-1].start + blocks[-1].n_ids if blocks else 0
        with write_errors(folder):
            sink.write(ids.data)
            sink.flush()
        fresh = np.bincount(ids[ids != SENTENCE_END], minlength=len(tokens.words))
        n_ends = int(np.count_nonzero(ids == SENTENCE_END))
        blocks.append(Scanned(len(blocks), path, start, len(ids), n_ends, 0, opens=False, is_open=False))
        fresh[: len(counts)] += counts
        counts = fresh
        block.clear()

    with sink:
        for number, sentence in enumerate(rows(sentences), 1):
            before = len(block)
            is_plain = type(sentence) is list or type(sentence) is tuple
            for piece in (sentence,) if is_plain else pieces(sentence, number, plain):
                done = len(block) - before
                if not tokens.number(piece, block):
                    tokens.refuse(piece, f"sentence {number}", done)
            if len(block) > before:
                block.append(SENTENCE_END)
                n_sentences += 1
            if len(block) >= BLOCK_TOKENS:
                flush()
        flush()
    if n_sentences == 0:
        raise CorpusError("the corpus is empty: no sentence has a token (a generator is exhausted after one pass)")
    words = list(tokens.words)
    if tokens.negatives() == [-1]:
        doubt(
            f"the token -1 occurs {counted(int(counts[tokens.words['-1']]), 'time')}, and no other token is negative: "
            "if it pads short sentences, leave it out, as in [walk[walk >= 0] for walk in walks]"
        )
    every = np.arange(len(words))
    return Ingested(
        words=words,
        counts=counts,
        firsts=every,
        n_tokens=int(counts.sum()),
        n_sentences=n_sentences,
        distinct=len(words),
        largest_left_out=0,
        blocks=blocks,
        maps=[every.astype(np.int32)],
    )
