"""Turn sequences of ids, as `train_ids` takes them, into a corpus: walks over a graph, sequences of items."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, CorpusError, doubt, option
from ..screen import counted, say
from ..vocab import Vocab
from .corpus import BLOCK_IDS, Corpus, check_ids
from .sentences import PIECE, Tokens, elements, is_column, is_frame, is_mapping, is_unordered, is_whole, shown

MOST_IDS = 2**31 - 1
_TOO_LARGE = "train takes any whole number, as a word"


def check_walks(ids: Any, offsets: Any, n_words: int | None) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
    """Return sequences of ids in CSR form, and the number of rows.

    Args:
        ids: with ``offsets``, all sequences end to end. Without, a two-dimensional array, whose rows are sequences; or
            an iterable of lists or one-dimensional arrays.
        offsets: sequence s is ``ids[offsets[s]:offsets[s + 1]]``; or None.
        n_words: number of rows; None for the largest id plus 1.

    Returns:
        int32 ids, int64 offsets, both read-only, and the number of rows.

    Raises:
        CorpusError: these are not sequences of ids from 0 to ``n_words - 1``, or there is no id.
        ConfigError: ``n_words`` is out of range.
    """
    if n_words is not None and not (is_whole(type(n_words)) and 1 <= n_words <= MOST_IDS):
        raise ConfigError(f"{option('n_words')} is {shown(n_words)}: give a whole number from 1 to {MOST_IDS}")
    if offsets is None:
        ids, offsets = _joined(ids)
    elif getattr(ids, "ndim", 1) == 2:
        raise CorpusError("ids has two dimensions, so each row is a sequence: omit offsets")
    ids, offsets = check_ids(ids, offsets, MOST_IDS if n_words is None else int(n_words))
    if len(ids) == 0:
        raise CorpusError("the corpus is empty: ids has no element")
    return ids, offsets, int(ids.max()) + 1 if n_words is None else int(n_words)


def _is_no_list(value: Any) -> bool:
    """Return whether iterating over an object gives characters, bytes or keys, or has no order."""
    is_text = isinstance(value, (str, bytes, bytearray, memoryview))
    return is_text or is_frame(value) or is_mapping(value) or is_unordered(value)


def _joined(walks: Any) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return walks end to end, and their offsets."""
    name = type(walks).__name__
    if _is_no_list(walks):
        raise CorpusError(f"ids is a {name}: give a two-dimensional array, or a list of sequences")
    if np.ma.is_masked(walks):
        raise CorpusError("ids holds masked ids: leave them out, as in [walk.compressed() for walk in ids]")
    if is_column(walks):
        walks = np.asarray(walks)
        if walks.ndim == 1 and walks.dtype.kind in "iu":
            raise CorpusError("ids has one dimension, so it needs offsets: give them, or a two-dimensional array")
        if walks.ndim == 2 and walks.dtype.kind in "iu":
            n, length = walks.shape
            return walks.reshape(-1), np.arange(n + 1, dtype=np.int64) * length
        if walks.ndim != 1 or walks.dtype.kind != "O":
            raise CorpusError(
                f"ids is {walks.dtype} with shape {walks.shape}: give an array of integers, one sequence per row"
            )
    elif not isinstance(walks, Iterable):
        raise CorpusError(f"ids is a {name}: give a two-dimensional array, or a list of sequences")
    walks = list(walks)
    if len(walks) == 2 and all(isinstance(part, np.ndarray) and part.ndim == 1 for part in walks):
        first, second = walks
        if len(second) > 1 and second[0] == 0 and second[-1] == len(first) and np.all(np.diff(second) >= 0):
            raise CorpusError("ids is a pair of ids and offsets: give them as two arguments")
    lengths = np.zeros(len(walks) + 1, np.int64)
    blocks: list[NDArray[Any]] = [np.empty(0, np.int32)]
    for start in range(0, len(walks), PIECE):
        block = [_walk(walk, number) for number, walk in enumerate(walks[start : start + PIECE], start + 1)]
        lengths[start + 1 : start + 1 + len(block)] = [len(walk) for walk in block]
        joined = _block(block, start)
        fits = len(joined) == 0 or (joined.min() >= -(2**31) and joined.max() < 2**31)
        blocks.append(joined.astype(np.int32) if fits else joined)
    return np.concatenate(blocks), np.cumsum(lengths)


def _walk(walk: Any, number: int) -> Any:
    """Return a walk as a list or tuple, or as a one-dimensional array."""
    if type(walk) is list or type(walk) is tuple:
        return walk
    if np.ma.is_masked(walk):
        raise CorpusError(f"sequence {number} holds masked ids: leave them out, as with .compressed()")
    if is_column(walk):
        array = np.asarray(walk)
        if array.ndim == 1 and (array.dtype.kind in "iu" or len(array) == 0):
            return array.astype(np.int32) if len(array) == 0 else array
        converted = elements(walk)
        if isinstance(converted, list):
            return converted
    elif isinstance(walk, Iterable) and not _is_no_list(walk):
        return list(walk)
    raise CorpusError(f"sequence {number} is {shown(walk)}: give a list of ids per sequence")


def _block(walks: list[Any], before: int) -> NDArray[Any]:
    """Return walks end to end; ``before`` is the number of walks before them."""
    if all(isinstance(walk, np.ndarray) for walk in walks):
        joined = np.concatenate(walks)
        if joined.dtype.kind in "iu":
            return joined
    flat = list(chain.from_iterable(walk.tolist() if isinstance(walk, np.ndarray) else walk for walk in walks))
    for kind in set(map(type, flat)):
        if not is_whole(kind):
            for number, walk in enumerate(walks, before + 1):
                for place, item in enumerate(walk, 1):
                    if type(item) is kind:
                        raise CorpusError(
                            f"id {place} of sequence {number} is {shown(item)}, not a whole number: give ids from 0, "
                            "or use train, which takes strings"
                        )
    try:
        return np.array(flat, np.int64)
    except OverflowError:
        large = next(item for item in flat if not -(2**63) <= item < 2**63)
        raise CorpusError(f"ids holds {large!r:.60}: give rows, from 0; {_TOO_LARGE}") from None


def check_words(names: Any, n_words: int | None) -> list[str] | None:
    """Return the words that ``names`` gives to the rows, as plain strings; None if it is None.

    Raises:
        CorpusError: a name is not a string or a whole number, can't be stored, or occurs twice.
        ConfigError: ``names`` is not a sequence, or its length is not ``n_words``.
    """
    if names is None:
        return None
    if _is_no_list(names):
        raise ConfigError(f"{option('names')} is a {type(names).__name__}: give a list of strings, in order of ids")
    given = elements(names) if is_column(names) else list(names) if isinstance(names, Iterable) else None
    if not isinstance(given, list):
        raise ConfigError(f"{option('names')} is {shown(names)}: give a list of strings, in order of ids")
    if not given or n_words not in (None, len(given)):
        raise ConfigError(
            f"{option('names')} has {counted(len(given), 'name')}, but there are "
            f"{'no' if not given else f'{n_words:,}'} rows: give one name per row"
        )
    tokens, numbers = Tokens(), list[int]()
    if not tokens.number(given, numbers):
        tokens.refuse(given, "names")
    if len(tokens.words) < len(given):
        twice = next(place for place, number in enumerate(numbers) if number < place)
        raise CorpusError(
            f"names has {given[twice]!r:.60} twice, for the rows {numbers[twice]} and {twice}: give each row a name of "
            "its own"
        )
    return list(tokens.words)


def corpus_of_walks(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], n_words: int, names: Sequence[str] | None, progress: bool
) -> Corpus:
    """Count the ids of checked walks and return the corpus; report how many ids never occur."""
    counts = np.zeros(n_words, np.int64)
    for start in range(0, len(ids), BLOCK_IDS):
        counts += np.bincount(ids[start : start + BLOCK_IDS], minlength=n_words)
    if absent := int(np.count_nonzero(counts == 0)):
        first = int(np.argmin(counts != 0))
        say(
            progress,
            f"{absent:,} of {counted(n_words, 'id')} never {'occurs' if n_words == 1 else 'occur'}, the first is "
            f"{first}: their vectors keep their initial values",
        )
    return Corpus(Vocab(names or [str(i) for i in range(n_words)], counts, checked=True), ids, offsets, len(ids))


def doubt_sparse(counts: NDArray[np.int64]) -> None:
    """Warn if most rows have no id and their number was not given: such ids are probably not row numbers."""
    absent = int(np.count_nonzero(counts == 0))
    if 2 * absent > len(counts):
        doubt(
            f"{absent:,} of {len(counts):,} rows have no id, because the largest id is {len(counts) - 1:,}: number the "
            f"ids from 0, as with numpy.unique(ids, return_inverse=True), or give {option('n_words')}; {_TOO_LARGE}"
        )
