"""A corpus of token ids, in memory or mapped from files, and the check that every corpus passes before training."""

import mmap
import zlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..vocab import Vocab

BLOCK_IDS = 1 << 22


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus ready to train on.

    Attributes:
        vocab: the words; ids count from the most frequent.
        ids: int32 ``(n_tokens,)``, the tokens that are in the vocabulary; read-only.
        offsets: int64 ``(n_sentences + 1,)``; a sentence may be empty; read-only.
        tokens_read: tokens of the text, including those that are not in the vocabulary.
        min_count: the vocabulary's ``min_count``.
        max_vocab: the vocabulary's ``max_vocab``.
        doubts: what was doubtful about the text, a sentence each.
        own_counts: int64 ``(n_words,)``, occurrences in these ids, if the vocabulary counts other texts as well; None
            if its counts are those of these ids.
        about: what model.json holds of the corpus beside its sizes.
    """

    vocab: Vocab
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    tokens_read: int
    min_count: int = 1
    max_vocab: int | None = None
    doubts: tuple[str, ...] = ()
    own_counts: NDArray[np.int64] | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def described(self, **about: Any) -> "Corpus":
        """Return the corpus with this in ``about``."""
        return replace(self, about=about)

    def crc32(self) -> int:
        """Return a checksum of all ids and offsets, read in blocks."""
        value = 0
        for array in (self.ids, self.offsets):
            for start in range(0, len(array), BLOCK_IDS):
                value = zlib.crc32(array[start : start + BLOCK_IDS].data, value)
                _let_go(array)
        return value

    def let_go(self) -> None:
        """Release the mapped pages read so far from this process's memory; the system reads them again on demand."""
        for array in (self.ids, self.offsets):
            _let_go(array)


def _let_go(array: NDArray[Any]) -> None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)


def check_ids(ids: Any, offsets: Any, n_words: int, name: str = "ids") -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return a corpus in CSR form as read-only int32 ids and int64 offsets, or raise before a kernel sees it.

    Args:
        ids: ``(n_tokens,)``, integers.
        offsets: ``(n_sequences + 1,)``, integers.
        n_words: every id must be below.
        name: of the ids in messages.

    Raises:
        CorpusError: an array does not hold integers or has the wrong shape; the offsets do not start at 0, decrease, or
            do not end at the number of ids; or an id is outside ``[0, n_words)``.
    """
    try:
        ids, offsets = np.asarray(ids), np.asarray(offsets)
    except ValueError:  # It is a list of lists that differ in length.
        raise CorpusError(f"{name} or offsets is not an array: give one-dimensional arrays of integers") from None
    for array, dtype, array_name in ((ids, "int32", name), (offsets, "int64", "offsets")):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise CorpusError(
                f"{array_name} is {array.dtype} with shape {array.shape}: give a one-dimensional {dtype} array"
            )
    if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != len(ids):
        raise CorpusError(f"offsets of {name} must go from 0 to the number of ids, {len(ids)}")
    for start in range(0, len(offsets) - 1, BLOCK_IDS):
        if np.any(np.diff(offsets[start : start + BLOCK_IDS + 1]) < 0):
            raise CorpusError(f"offsets of {name} decrease: sentence s is ids[offsets[s]:offsets[s + 1]]")
        _let_go(offsets)
    for start in range(0, len(ids), BLOCK_IDS):
        block = ids[start : start + BLOCK_IDS]
        low, high = int(block.min()), int(block.max())
        if low < 0 or high >= n_words:
            place = start + int(np.argmax((block < 0) | (block >= n_words)))
            value, sequence = int(ids[place]), int(np.searchsorted(offsets, place, "right"))
            where = f"id {place - int(offsets[sequence - 1]) + 1} of sequence {sequence}"
            padding = "; if it pads short sequences, leave it out, as in [walk[walk >= 0] for walk in walks]"
            raise CorpusError(
                f"{name} holds {value} ({where}): every id must be from 0 to {n_words - 1}{padding * (value == -1)}"
            )
        _let_go(ids)
    ids, offsets = np.ascontiguousarray(ids, np.int32).view(), np.ascontiguousarray(offsets, np.int64).view()
    ids.flags.writeable = offsets.flags.writeable = False
    return ids, offsets
