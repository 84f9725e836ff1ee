"""A growing hash table that turns the bytes of words into ids and counts, and merges with other tables.

The table uses open addressing with linear probing. A slot is half a cache line, four 64-bit numbers: a key of two
numbers, the word's id and its count. A word of up to 15 bytes is its own key, with its length in the top byte. The key
of a longer word is a digest, and its length with the top bit set. Where the keys of two long words agree, their bytes
are compared, so two different words are never confused.

Most of the time is spent waiting: for a slot that is not in the cache, and after a mispredicted branch, as at the ends
of words of varying length. So a scan takes some dozens of words at a time, in three steps that seldom wait. First it
finds white space as bits, 64 bytes at once. Then it computes keys and hashes and prefetches the slots. Last it looks at
each slot, and the first one is nearly always the right one.

Hashes depend on two numbers drawn when the program starts, so no text can be crafted to make probing slow. No result
depends on these numbers.

Every text here is padded with `PADDING` spaces after its end, so that a word ends inside the array and a read past its
end is harmless.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..files.arrays import load_array
from ..kernels._jit import jit
from ..kernels.simd import CHUNK, bits_between, ones, prefetch, trailing_zeros

SENTENCE_END = -1
PADDING = CHUNK
LARGE_BYTES = 64 << 20  # A table that needs more reports it before it grows.
FIRST_SLOTS = 1 << 16
SLOT = 4  # numbers per slot
BATCH = 64  # words per batch, and up to CHUNK more

#: The hash function's multipliers: odd, and unknown to whoever wrote the text.
SEEDS = np.frombuffer(os.urandom(16), np.uint64) | np.uint64(1)

# Columns of `Table.state`.
N_WORDS, N_IDS, N_ENDS, LINE_OPEN, POSITION = 0, 1, 2, 3, 4
# Results of a kernel that adds words.
DONE, WORDS_FULL, LETTERS_FULL = 0, 1, 2

_ZERO, _ONE, _TWO, _THREE, _SEVEN, _EIGHT = (np.uint64(n) for n in (0, 1, 2, 3, 7, 8))
_SHIFT_16, _SHIFT_24, _SHIFT_32, _SHIFT_40, _SHIFT_48, _SHIFT_56 = (np.uint64(n) for n in (16, 24, 32, 40, 48, 56))
_SLOT, _CHUNK, _LAST_BIT, _TWO_WORDS, _SHORT = (np.uint64(n) for n in (SLOT, CHUNK, CHUNK - 1, 128, 15))
_ALL_BITS, _LOW_32 = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0xFFFFFFFF)
_LONG = np.uint64(1 << 63)
_FINISH = np.uint64(0xD6E8FEB86659FD93)


class Table(NamedTuple):
    """The arrays of a hash table of words.

    Attributes:
        slots: SLOT numbers per slot; the number of slots is a power of two and greater than ``len(firsts)``.
        starts: word i is ``letters[starts[i]:starts[i + 1]]``.
        firsts: where in the corpus each word first appears; its length is the table's capacity.
        letters: the words' bytes, end to end, followed by at least PADDING unused bytes.
        state: words in the table; of the current scan, ids written, sentence ends among them, whether a sentence is
            open, and the position.
        seeds: see `SEEDS`.
    """

    slots: NDArray[np.uint64]
    starts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    letters: NDArray[np.uint8]
    state: NDArray[np.int64]
    seeds: NDArray[np.uint64]


class Run(NamedTuple):
    """The contents of a table, in memory or mapped from files.

    Attributes:
        starts: word i is ``letters[starts[i]:starts[i + 1]]``.
        letters: the words' bytes, end to end, followed by at least PADDING unused bytes.
        counts: how often each word occurs.
        firsts: where in the corpus each word first appears.
    """

    starts: NDArray[np.int64]
    letters: NDArray[np.uint8]
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]

    def select(self, kept: NDArray[np.bool_]) -> "Run":
        """Return a run of these words alone."""
        lengths = np.diff(self.starts)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[kept])])
        of_kept = np.repeat(kept, lengths)
        letters = np.concatenate([self.letters[: len(of_kept)][of_kept], np.zeros(PADDING, np.uint8)])
        return Run(starts, letters, self.counts[kept], self.firsts[kept])

    def store(self, folder: Path, name: str) -> "Run":
        """Write the run into files, and return it mapped from there."""
        stored = []
        for field, array in self._asdict().items():
            path = folder / f"{name}-{field}.npy"
            np.save(path, array)
            stored.append(load_array(path, array.dtype))  # numpy.load parses headers as Python, one thread at a time.
        return Run(*stored)


@jit(exact=True)
def is_space(byte: int) -> bool:
    """Return whether a byte is ASCII white space."""
    return byte == 32 or 9 <= byte <= 13


@jit(exact=True)
def split_words(
    text: NDArray[np.uint8],
    position: int,
    stop: int,
    starts: NDArray[np.uint64],
    ends: NDArray[np.uint64],
    breaks: NDArray[np.uint64],
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Find about BATCH words of ``text[position:stop]``, which starts outside a word and ends with a whole one.

    Args:
        text: bytes, with PADDING spaces after ``stop``.
        position: the byte to start at.
        stop: one past the last byte.
        starts: output, BATCH + CHUNK places: the start of each word.
        ends: output, as many places: the end of each word.
        breaks: output, two more places: the words that follow newlines, ascending, and then the number of words.

    Returns:
        The number of words, the number of breaks (without the last entry), and where to continue; that is ``stop``
        after the last word.
    """
    n_starts = n_ends = n_breaks = _ZERO
    at, last, outside = np.uint64(position), np.uint64(stop), _ONE
    while at <= last and n_starts < np.uint64(BATCH):
        space = bits_between(text, at, 32, 32) | bits_between(text, at, 9, 13)
        after_space = space << _ONE | outside
        first_letters, first_spaces = after_space & ~space, space & ~after_space
        newlines = bits_between(text, at, 10, 10)
        while newlines:
            before = (newlines & (~newlines + _ONE)) - _ONE
            words_before = n_starts + ones(first_letters & before)
            if n_breaks == _ZERO or breaks[n_breaks - _ONE] != words_before:
                breaks[n_breaks] = words_before
                n_breaks += _ONE
            newlines &= newlines - _ONE
        while first_letters:
            starts[n_starts] = at + trailing_zeros(first_letters)
            n_starts += _ONE
            first_letters &= first_letters - _ONE
        while first_spaces:
            ends[n_ends] = at + trailing_zeros(first_spaces)
            n_ends += _ONE
            first_spaces &= first_spaces - _ONE
        outside = space >> _LAST_BIT
        at += _CHUNK
    breaks[n_breaks] = n_ends
    return n_ends, n_breaks, starts[n_ends] if n_ends < n_starts else min(at, last)


@jit(exact=True)
def _load(text: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """Return 8 bytes, the first one lowest; LLVM compiles this to a single load."""
    return (
        np.uint64(text[at])
        | (np.uint64(text[at + _ONE]) << _EIGHT)
        | (np.uint64(text[at + _TWO]) << _SHIFT_16)
        | (np.uint64(text[at + _THREE]) << _SHIFT_24)
        | (np.uint64(text[at + np.uint64(4)]) << _SHIFT_32)
        | (np.uint64(text[at + np.uint64(5)]) << _SHIFT_40)
        | (np.uint64(text[at + np.uint64(6)]) << _SHIFT_48)
        | (np.uint64(text[at + _SEVEN]) << _SHIFT_56)
    )


@jit(exact=True)
def word_key(
    text: NDArray[np.uint8], start: np.uint64, end: np.uint64, seeds: NDArray[np.uint64]
) -> tuple[np.uint64, np.uint64]:
    """Return the key of the word ``text[start:end]``: a function of its bytes and the seeds, never (x, 0)."""
    size = end - start
    low = _load(text, start)
    if size <= _EIGHT:
        return low & (_ALL_BITS >> (_CHUNK - size * _EIGHT)), size << _SHIFT_56
    if size <= _SHORT:
        return low, _load(text, start + _EIGHT) & (_ALL_BITS >> (_TWO_WORDS - size * _EIGHT)) | size << _SHIFT_56
    digest, last = size, end - _EIGHT
    while start < last:
        mixed = digest ^ _load(text, start)  # In halves: one product alone would lose a difference in the top bit.
        digest = (mixed & _LOW_32) * seeds[0] + (mixed >> _SHIFT_32) * seeds[1]
        start += _EIGHT
    return (digest ^ (digest >> _SHIFT_32) ^ _load(text, last)) * seeds[1], _LONG | size


@jit(exact=True)
def hash_key(low: np.uint64, high: np.uint64, seeds: NDArray[np.uint64]) -> np.uint64:
    """Return the hash of a key; both halves of its bits are well mixed."""
    hashed = low * seeds[0] + high * seeds[1]
    return (hashed ^ (hashed >> _SHIFT_32)) * _FINISH  # type: ignore[no-any-return]


@jit(exact=True)
def _same(a: NDArray[np.uint8], at: np.uint64, b: NDArray[np.uint8], other: np.uint64, size: np.uint64) -> bool:
    """Return whether two words of at least 8 bytes are the same."""
    k = _ZERO
    while k + _EIGHT < size:
        if _load(a, at + k) != _load(b, other + k):
            return False
        k += _EIGHT
    return _load(a, at + size - _EIGHT) == _load(b, other + size - _EIGHT)  # type: ignore[no-any-return]


@jit(exact=True)
def first_slot(hashed: np.uint64, slots: NDArray[np.uint64]) -> np.uint64:
    """Return the place in ``slots`` of the slot where the search for a word begins."""
    return (hashed >> _SHIFT_32) * _SLOT & np.uint64(len(slots) - 1)


@jit(exact=True)
def find_slot(
    text: NDArray[np.uint8],
    start: np.uint64,
    low: np.uint64,
    high: np.uint64,
    hashed: np.uint64,
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    letters: NDArray[np.uint8],
) -> tuple[np.uint64, bool]:
    """Return the place in ``slots`` of a word's slot, or of the free slot where it belongs, and whether it is known.

    It is called for every word, so it takes arrays: with a `Table` in their place a scan took five times as long.
    """
    slot = first_slot(hashed, slots)
    while True:
        if slots[slot] == low and slots[slot + _ONE] == high:
            if high < _LONG:
                return slot, True
            if _same(letters, np.uint64(starts[slots[slot + _TWO]]), text, start, high - _LONG):
                return slot, True
        if slots[slot + _ONE] == _ZERO:
            return slot, False
        slot = (slot + _SLOT) & np.uint64(len(slots) - 1)


@jit(exact=True)
def _insert(
    table: Table,
    text: NDArray[np.uint8],
    start: np.uint64,
    end: np.uint64,
    low: np.uint64,
    high: np.uint64,
    slot: np.uint64,
    word: int,
    first: int,
) -> int:
    """Give a new word the id ``word`` and the count 0; return as `scan_words` does, and change nothing if full."""
    slots, letters = table.slots, table.letters
    if word == len(table.firsts):
        return WORDS_FULL
    to = np.uint64(table.starts[word])
    if to + (end - start) > np.uint64(len(letters) - PADDING):
        return LETTERS_FULL
    for k in range(end - start):
        letters[to + k] = text[start + k]
    table.starts[word + 1] = to + (end - start)
    table.firsts[word] = first
    slots[slot], slots[slot + _ONE], slots[slot + _TWO], slots[slot + _THREE] = low, high, np.uint64(word), _ZERO
    return DONE


@jit(exact=True)
def _look_ahead(
    text: NDArray[np.uint8],
    starts: NDArray[np.integer],
    ends: NDArray[np.integer],
    n: np.uint64,
    seeds: NDArray[np.uint64],
    slots: NDArray[np.uint64],
    keys: NDArray[np.uint64],
) -> None:
    """Write the keys and hashes of ``n`` words, three numbers each, and prefetch their slots."""
    for k in range(n):
        low, high = word_key(text, np.uint64(starts[k]), np.uint64(ends[k]), seeds)
        hashed = hash_key(low, high, seeds)
        prefetch(slots, first_slot(hashed, slots))
        keys[k, 0], keys[k, 1], keys[k, 2] = low, high, hashed


@jit(exact=True)
def scan_words(table: Table, text: NDArray[np.uint8], stop: int, base: int, ids: NDArray[np.int32]) -> int:
    """Number and count the words of ``text[state.position:stop]``, which ends with a whole word.

    Args:
        table: receives the words.
        text: bytes, with PADDING spaces after ``stop``.
        stop: one past the last byte.
        base: the place of ``text[0]`` in the corpus.
        ids: receives ids and sentence ends, appended; ``stop - position + 1`` free places are enough.

    Returns:
        DONE; or WORDS_FULL or LETTERS_FULL if `firsts` or `letters` must grow before the next call.
    """
    slots, starts, _, letters, state, seeds = table
    n_words, n_ids, n_ends = state[N_WORDS], state[N_IDS], state[N_ENDS]
    line_open, position = state[LINE_OPEN], state[POSITION]
    starts_at, ends_at = np.empty(BATCH + CHUNK, np.uint64), np.empty(BATCH + CHUNK, np.uint64)
    breaks = np.empty(BATCH + CHUNK + 2, np.uint64)
    keys = np.empty((BATCH + CHUNK, 3), np.uint64)
    status = DONE
    while position < stop and status == DONE:
        n, n_breaks, following = split_words(text, position, stop, starts_at, ends_at, breaks)
        _look_ahead(text, starts_at, ends_at, n, seeds, slots, keys)
        position = np.int64(following)
        k = _ZERO
        for line in range(n_breaks + _ONE):
            while k < breaks[line]:
                start, low, high = starts_at[k], keys[k, 0], keys[k, 1]
                slot, known = find_slot(text, start, low, high, keys[k, 2], slots, starts, letters)
                if not known:
                    status = _insert(table, text, start, ends_at[k], low, high, slot, n_words, base + start)
                    if status != DONE:
                        break
                    n_words += 1
                slots[slot + _THREE] += _ONE
                ids[n_ids] = slots[slot + _TWO]
                n_ids += 1
                line_open = 1
                k += _ONE
            if status != DONE:
                position = np.int64(starts_at[k])
                break
            if line < n_breaks and line_open:
                ids[n_ids] = SENTENCE_END
                n_ids += 1
                n_ends += 1
                line_open = 0
    state[N_WORDS], state[N_IDS], state[N_ENDS] = n_words, n_ids, n_ends
    state[LINE_OPEN], state[POSITION] = line_open, position
    return status


@jit(exact=True)
def merge_words(table: Table, run: Run, part: int, n_parts: int, ids: NDArray[np.int32]) -> int:
    """Add the words of a run, from ``state.position`` on, with their counts and first places.

    Args:
        table: receives the words.
        run: the words.
        part: only words whose hash modulo ``n_parts`` is this are added.
        n_parts: a power of two.
        ids: output, as long as the run: the id of each word that was added, -1 for the others.

    Returns:
        As `scan_words`.
    """
    slots, starts, firsts, letters, state, seeds = table
    run_starts, run_letters, run_counts, run_firsts = run
    n_words, position = state[N_WORDS], state[POSITION]
    keys = np.empty((BATCH, 3), np.uint64)
    status = DONE
    while position < len(run_firsts) and status == DONE:
        n = min(BATCH, len(run_firsts) - position)
        batch_starts, batch_ends = run_starts[position : position + n], run_starts[position + 1 : position + 1 + n]
        _look_ahead(run_letters, batch_starts, batch_ends, np.uint64(n), seeds, slots, keys)
        for k in range(n):
            ids[position] = -1
            if keys[k, 2] & np.uint64(n_parts - 1) == np.uint64(part):
                start, low, high = np.uint64(batch_starts[k]), keys[k, 0], keys[k, 1]
                slot, known = find_slot(run_letters, start, low, high, keys[k, 2], slots, starts, letters)
                first = run_firsts[position]
                if not known:
                    end = np.uint64(batch_ends[k])
                    status = _insert(table, run_letters, start, end, low, high, slot, n_words, first)
                    if status != DONE:
                        break
                    n_words += 1
                word = slots[slot + _TWO]
                slots[slot + _THREE] += np.uint64(run_counts[position])
                firsts[word] = min(firsts[word], first)
                ids[position] = word
            position += 1
    state[N_WORDS], state[POSITION] = n_words, position
    return status


@jit(exact=True)
def find_words(table: Table, run: Run, ids: NDArray[np.int32]) -> None:
    """Write the id that each word of a run has in the table, or -1."""
    slots, starts, _, letters, _, seeds = table
    run_starts, run_letters, _, _ = run
    for i in range(len(ids)):
        start, end = np.uint64(run_starts[i]), np.uint64(run_starts[i + 1])
        low, high = word_key(run_letters, start, end, seeds)
        slot, known = find_slot(run_letters, start, low, high, hash_key(low, high, seeds), slots, starts, letters)
        ids[i] = slots[slot + _TWO] if known else -1


@jit(exact=True)
def rehash(old: NDArray[np.uint64], seeds: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
    """Move every entry of a hash table into a larger, zeroed one."""
    for i in range(0, len(old), SLOT):
        if old[i + 1] != _ZERO:
            slot = first_slot(hash_key(old[i], old[i + 1], seeds), new)
            while new[slot + _ONE] != _ZERO:
                slot = (slot + _SLOT) & np.uint64(len(new) - 1)
            for k in range(SLOT):
                new[slot + np.uint64(k)] = old[i + k]


@jit(exact=True)
def read_counts(slots: NDArray[np.uint64], counts: NDArray[np.int64]) -> None:
    """Write the count of each word of a hash table."""
    for i in range(0, len(slots), SLOT):
        if slots[i + 1] != _ZERO:
            counts[slots[i + 2]] = slots[i + 3]


@jit(exact=True)
def join_words(
    starts: NDArray[np.int64], letters: NDArray[np.uint8], order: NDArray[np.int64], joined: NDArray[np.uint8]
) -> None:
    """Copy words, in this order, into ``joined``, with a newline after each."""
    at = 0
    for word in order:
        for k in range(starts[word], starts[word + 1]):
            joined[at] = letters[k]
            at += 1
        joined[at] = 10
        at += 1


class Words(Sequence[str]):
    """Words as bytes, end to end, decoded on access; invalid UTF-8 becomes surrogates.

    Attributes:
        starts: word i is ``letters[starts[i]:starts[i + 1]]``.
        letters: the words' bytes.
    """

    def __init__(self, starts: NDArray[np.int64], letters: NDArray[np.uint8]) -> None:
        self.starts, self.letters = starts, letters

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, word: int) -> str:  # type: ignore[override]
        if not 0 <= word < len(self):
            raise IndexError(word)
        return self.letters[self.starts[word] : self.starts[word + 1]].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return iter(self.take(np.arange(len(self))))

    def take(self, order: NDArray[np.integer]) -> list[str]:
        """Return these words in this order; none of them may hold a newline."""
        if len(order) == 0:
            return []
        rows = order.astype(np.int64)
        joined = np.empty(int((self.starts[rows + 1] - self.starts[rows]).sum()) + len(rows), np.uint8)
        join_words(self.starts, self.letters, rows, joined)
        return joined[:-1].tobytes().decode("utf-8", "surrogateescape").split("\n")


class WordTable:
    """A hash table of words that grows with its contents.

    Args:
        bill: called before a large table grows, with a remark on the memory it will take.
    """

    def __init__(self, bill: Callable[[str], None] = lambda text: None) -> None:
        self._bill = bill
        self._ids = np.empty(0, np.int32)
        self.clear()

    def clear(self) -> None:
        """Remove all words."""
        capacity = _capacity(FIRST_SLOTS)
        self._table = Table(
            slots=np.zeros(SLOT * FIRST_SLOTS, np.uint64),
            starts=np.zeros(capacity + 1, np.int64),
            firsts=np.zeros(capacity, np.int64),
            letters=np.zeros(8 * capacity + PADDING, np.uint8),
            state=np.zeros(5, np.int64),
            seeds=SEEDS,
        )

    def __len__(self) -> int:
        return int(self._table.state[N_WORDS])

    @property
    def n_letters(self) -> int:
        """Bytes of all words together."""
        return int(self._table.starts[len(self)])

    def scan(self, text: NDArray[np.uint8], stop: int, base: int, ends_file: bool) -> tuple[NDArray[np.int32], int]:
        """Add the words of ``text[:stop]``; see `scan_words`.

        The table does not know whether a sentence is open where the text starts. If a newline, or the end of the file,
        precedes the first word, the first id is a sentence end.

        Returns:
            Ids and sentence ends, valid until the next call, and the number of sentence ends among them.
        """
        if len(self._ids) < stop + 1:
            self._ids = np.empty(stop + 1, np.int32)
        state = self._table.state
        state[[N_IDS, N_ENDS, POSITION]] = 0
        state[LINE_OPEN] = 1
        while status := scan_words(self._table, text, stop, base, self._ids):
            self._grow(status, stop)
        n_ids, n_ends = int(state[N_IDS]), int(state[N_ENDS])
        if ends_file and state[LINE_OPEN]:
            self._ids[n_ids] = SENTENCE_END
            n_ids, n_ends = n_ids + 1, n_ends + 1
        return self._ids[:n_ids], n_ends

    def add(self, run: Run, part: int = 0, n_parts: int = 1) -> NDArray[np.int32]:
        """Add the words of a run, or of one part of it; see `merge_words`.

        Returns:
            The id of each word that was added, -1 for the others.
        """
        ids = np.empty(len(run.firsts), np.int32)
        self._table.state[POSITION] = 0
        while status := merge_words(self._table, run, part, n_parts, ids):
            self._grow(status, int(run.starts[-1]))
        return ids

    def find(self, run: Run) -> NDArray[np.int32]:
        """Return the id of each word of a run, -1 for words that are not in the table."""
        ids = np.empty(len(run.firsts), np.int32)
        find_words(self._table, run, ids)
        return ids

    def run(self) -> Run:
        """Return the table's contents; words and first places are views, valid until the table changes."""
        n = len(self)
        counts = np.empty(n, np.int64)
        read_counts(self._table.slots, counts)
        _, starts, firsts, letters, *_ = self._table
        return Run(starts[: n + 1], letters[: self.n_letters + PADDING], counts, firsts[:n])

    def _grow(self, status: int, more: int) -> None:
        slots, starts, firsts, letters, _, seeds = self._table
        if status == LETTERS_FULL:
            self._table = self._table._replace(letters=_longer(letters, 2 * len(letters) + more))
            return
        n_slots = 2 * (len(slots) // SLOT)
        capacity = _capacity(n_slots)
        if capacity == len(firsts):
            raise CorpusError("the corpus has more than 2^31 distinct words, but word ids are 32-bit: split the corpus")
        if (size := 8 * SLOT * n_slots + 16 * capacity + len(letters)) > LARGE_BYTES:
            self._bill(f"a word table grows to {capacity:,} words, {size / 1e6:,.0f} MB")
        more_slots = np.zeros(SLOT * n_slots, np.uint64)
        rehash(slots, seeds, more_slots)
        self._table = self._table._replace(
            slots=more_slots, starts=_longer(starts, capacity + 1), firsts=_longer(firsts, capacity)
        )


_Number = TypeVar("_Number", bound=np.generic)


def _longer(array: NDArray[_Number], size: int) -> NDArray[_Number]:
    longer = np.zeros(size, array.dtype)
    longer[: len(array)] = array
    return longer


def _capacity(n_slots: int) -> int:
    """Return how many words a table may hold: with more, probing takes longer, or ids do not fit into int32."""
    return min(3 * n_slots // 4, 1 << 31)
