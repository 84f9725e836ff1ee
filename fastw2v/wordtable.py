"""A hash table of words that grows: bytes of text in, ids and counts out; and tables merged into one.

Open addressing with linear probing. A slot is two 64-bit numbers: a key, and 32 bits of hash beside the word's id + 1
(0: free). A word of up to 7 bytes is its own key, its length in the top byte. The key of a longer one is its hash with
the top bit set; where it agrees the bytes are compared, so no two words are ever taken for one.

Text is read 8 bytes at a time. Every text here is padded with `PADDING` spaces after its end, so that a word ends
inside and a read past its end is harmless.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .errors import CorpusError

SENTENCE_END = -1
PADDING = 16
LARGE_BYTES = 64 << 20  # a table that needs more says so before it grows
FIRST_CAPACITY = 1 << 15

# Columns of the scanner's state (int64).
N_WORDS, N_IDS, N_ENDS, LINE_OPEN, POSITION = 0, 1, 2, 3, 4
# What a kernel that adds words returns.
DONE, WORDS_FULL, LETTERS_FULL = 0, 1, 2

_ONE, _TWO, _SEVEN, _EIGHT = np.uint64(1), np.uint64(2), np.uint64(7), np.uint64(8)
_ZERO, _SHIFT_32, _SHIFT_56 = np.uint64(0), np.uint64(32), np.uint64(56)
_SHIFT_16, _SHIFT_24, _SHIFT_40, _SHIFT_48 = np.uint64(16), np.uint64(24), np.uint64(40), np.uint64(48)
_LOW_32 = np.uint64(0xFFFFFFFF)
_EVERY_BYTE = np.uint64(0x0101010101010101)
_TOP_BITS = np.uint64(0x8080808080808080)
_ABOVE_SPACE = np.uint64(0x2121212121212121)
_LONG = np.uint64(1 << 63)
_MULTIPLIER, _FINISH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


@jit(exact=True)
def is_space(byte: int) -> bool:
    """Tell whether a byte is ASCII white space."""
    return byte == 32 or 9 <= byte <= 13


@jit(exact=True)
def _load(text: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    """Return 8 bytes, the first lowest; LLVM makes one load of it."""
    return (
        np.uint64(text[at])
        | (np.uint64(text[at + _ONE]) << _EIGHT)
        | (np.uint64(text[at + _TWO]) << _SHIFT_16)
        | (np.uint64(text[at + np.uint64(3)]) << _SHIFT_24)
        | (np.uint64(text[at + np.uint64(4)]) << _SHIFT_32)
        | (np.uint64(text[at + np.uint64(5)]) << _SHIFT_40)
        | (np.uint64(text[at + np.uint64(6)]) << _SHIFT_48)
        | (np.uint64(text[at + _SEVEN]) << _SHIFT_56)
    )


@jit(exact=True)
def _flag_low(chunk: np.uint64) -> np.uint64:
    """Set the top bit of the first byte that is a space or a control character; 0 if there is none."""
    flags = (chunk - _ABOVE_SPACE) & ~chunk & _TOP_BITS
    return flags & (~flags + _ONE)  # the borrow of one such byte can only spoil those after it


@jit(exact=True)
def _bytes_before(flag: np.uint64) -> np.uint64:
    """Return how many bytes come before the flagged one."""
    return (((flag - _ONE) & _EVERY_BYTE) * _EVERY_BYTE >> _SHIFT_56) - _ONE


@jit(exact=True)
def word_end(text: NDArray[np.uint8], start: int) -> int:
    """Return where the word that starts at ``start`` ends: the next white space, which there must be."""
    end = np.uint64(start)
    while True:
        flag = _flag_low(_load(text, end))
        if flag == _ZERO:
            end += _EIGHT
            continue
        end += _bytes_before(flag)
        if is_space(text[end]):
            return end  # type: ignore[return-value]
        end += _ONE  # a control character is a letter


@jit(exact=True)
def word_key(text: NDArray[np.uint8], start: int, length: int) -> tuple[np.uint64, np.uint64]:
    """Return the key of a word and its hash: functions of its bytes alone."""
    first, size = np.uint64(start), np.uint64(length)
    if size < _EIGHT:
        letters = _load(text, first) & ((_ONE << (size * _EIGHT)) - _ONE)
        key = letters | (size << _SHIFT_56)
        hashed = key * _MULTIPLIER
        return key, (hashed ^ (hashed >> _SHIFT_32)) * _FINISH
    last = first + size - _EIGHT
    hashed = size * _FINISH
    while first < last:
        hashed = (hashed ^ (hashed >> _SHIFT_32) ^ _load(text, first)) * _MULTIPLIER
        first += _EIGHT
    hashed = (hashed ^ (hashed >> _SHIFT_32) ^ _load(text, last)) * _MULTIPLIER
    hashed = (hashed ^ (hashed >> _SHIFT_32)) * _FINISH
    return hashed | _LONG, hashed


@jit(exact=True)
def _same(a: NDArray[np.uint8], at: np.uint64, b: NDArray[np.uint8], other: np.uint64, size: np.uint64) -> bool:
    """Tell whether two words of at least 8 bytes are the same."""
    k = _ZERO
    while k + _EIGHT < size:
        if _load(a, at + k) != _load(b, other + k):
            return False
        k += _EIGHT
    return _load(a, at + size - _EIGHT) == _load(b, other + size - _EIGHT)  # type: ignore[no-any-return]


@jit(exact=True)
def find_slot(
    text: NDArray[np.uint8],
    start: int,
    length: int,
    key: np.uint64,
    hashed: np.uint64,
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    letters: NDArray[np.uint8],
) -> tuple[np.uint64, int]:
    """Return the slot of a word and its id, or the free slot where it belongs and -1."""
    mask = np.uint64(len(slots) // 2 - 1)
    slot = (hashed >> _SHIFT_32) & mask
    while True:
        entry = slots[_TWO * slot + _ONE]
        if entry == _ZERO:
            return slot, -1
        if slots[_TWO * slot] == key:
            word = (entry & _LOW_32) - _ONE
            if key < _LONG:
                return slot, np.int64(word)  # type: ignore[return-value]
            first = np.uint64(starts[word])
            size = np.uint64(length)
            if np.uint64(starts[word + _ONE]) - first == size and _same(letters, first, text, np.uint64(start), size):
                return slot, np.int64(word)  # type: ignore[return-value]
        slot = (slot + _ONE) & mask


@jit(exact=True)
def _insert(
    text: NDArray[np.uint8],
    start: int,
    length: int,
    key: np.uint64,
    hashed: np.uint64,
    slot: np.uint64,
    word: int,
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    letters: NDArray[np.uint8],
) -> int:
    """Give a new word the id ``word`` and the count 0; returns as `scan_words` does, and where full does nothing."""
    if word == len(counts):
        return WORDS_FULL
    first = starts[word]
    if first + length > len(letters) - PADDING:
        return LETTERS_FULL
    counts[word] = 0
    for k in range(length):
        letters[first + k] = text[start + k]
    starts[word + 1] = first + length
    slots[_TWO * slot] = key
    slots[_TWO * slot + _ONE] = (hashed >> _SHIFT_32 << _SHIFT_32) | np.uint64(word + 1)
    return DONE


@jit(exact=True)
def scan_words(
    text: NDArray[np.uint8],
    stop: int,
    base: int,
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    firsts: NDArray[np.int64],
    letters: NDArray[np.uint8],
    ids: NDArray[np.int32],
    state: NDArray[np.int64],
) -> int:
    """Number and count the words of ``text[state.position:stop]``, which ends with a whole word.

    Args:
        text: bytes, with PADDING spaces after ``stop``.
        stop: one past the last byte.
        base: the place of ``text[0]`` in the corpus.
        slots: hash table, two numbers a slot, a power of two of slots, more than ``len(counts)``.
        starts: word i is ``letters[starts[i]:starts[i + 1]]``.
        counts: occurrences by id; its length is the capacity.
        firsts: where in the corpus each word was first seen.
        letters: the words' bytes, end to end, with PADDING bytes to spare.
        ids: ids and sentence ends, appended; ``stop - position + 1`` places free are enough.
        state: words known, ids written, sentence ends among them, is a sentence open, position.

    Returns:
        DONE, or WORDS_FULL or LETTERS_FULL when `counts` or `letters` must grow first: then call again.
    """
    n_words, n_ids, n_ends = state[N_WORDS], state[N_IDS], state[N_ENDS]
    line_open, position = state[LINE_OPEN], state[POSITION]
    status = DONE
    while position < stop:
        byte = text[np.uint64(position)]
        if byte <= 32 and is_space(byte):
            if byte == 10 and line_open:
                ids[n_ids] = SENTENCE_END
                n_ids += 1
                n_ends += 1
                line_open = 0
            position += 1
            continue

        flag = _flag_low(_load(text, np.uint64(position)))
        length: int = np.int64(_bytes_before(flag))  # type: ignore[assignment]
        if flag == _ZERO or not is_space(text[np.uint64(position + length)]):
            length = np.int64(word_end(text, position)) - position
        key, hashed = word_key(text, position, length)
        slot, word = find_slot(text, position, length, key, hashed, slots, starts, letters)
        if word < 0:
            word = n_words
            status = _insert(text, position, length, key, hashed, slot, word, slots, starts, counts, letters)
            if status != DONE:
                break
            n_words += 1
            firsts[word] = base + position
        counts[word] += 1
        ids[n_ids] = word
        n_ids += 1
        line_open = 1
        position += length
    state[N_WORDS], state[N_IDS], state[N_ENDS] = n_words, n_ids, n_ends
    state[LINE_OPEN], state[POSITION] = line_open, position
    return status


@jit(exact=True)
def merge_words(
    other_starts: NDArray[np.int64],
    other_counts: NDArray[np.int64],
    other_firsts: NDArray[np.int64],
    other_letters: NDArray[np.uint8],
    part: int,
    parts: int,
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    firsts: NDArray[np.int64],
    letters: NDArray[np.uint8],
    state: NDArray[np.int64],
) -> int:
    """Add the words of another table from ``state.position`` on, with their counts and first places.

    Only words whose hash modulo ``parts``, a power of two, is ``part``. Returns as `scan_words` does.
    """
    n_words, position = state[N_WORDS], state[POSITION]
    status = DONE
    while position < len(other_counts):
        start = other_starts[position]
        length = other_starts[position + 1] - start
        key, hashed = word_key(other_letters, start, length)
        if hashed & np.uint64(parts - 1) == np.uint64(part):
            slot, word = find_slot(other_letters, start, length, key, hashed, slots, starts, letters)
            if word < 0:
                word = n_words
                status = _insert(other_letters, start, length, key, hashed, slot, word, slots, starts, counts, letters)
                if status != DONE:
                    break
                n_words += 1
                firsts[word] = other_firsts[position]
            counts[word] += other_counts[position]
            firsts[word] = min(firsts[word], other_firsts[position])
        position += 1
    state[N_WORDS], state[POSITION] = n_words, position
    return status


@jit(exact=True)
def find_words(
    other_starts: NDArray[np.int64],
    other_letters: NDArray[np.uint8],
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    letters: NDArray[np.uint8],
    found: NDArray[np.int32],
) -> None:
    """Write the id that each word of another table has in this one, or -1."""
    for i in range(len(found)):
        start = other_starts[i]
        length = other_starts[i + 1] - start
        key, hashed = word_key(other_letters, start, length)
        found[i] = find_slot(other_letters, start, length, key, hashed, slots, starts, letters)[1]


@jit(exact=True)
def rehash(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
    """Move every entry of a hash table into a larger, zeroed one."""
    mask = np.uint64(len(new) // 2 - 1)
    for i in range(0, len(old), 2):
        if old[i + 1] != _ZERO:
            slot = (old[i + 1] >> _SHIFT_32) & mask
            while new[_TWO * slot + _ONE] != _ZERO:
                slot = (slot + _ONE) & mask
            new[_TWO * slot], new[_TWO * slot + _ONE] = old[i], old[i + 1]


@jit(exact=True)
def join_words(
    starts: NDArray[np.int64], letters: NDArray[np.uint8], order: NDArray[np.int64], joined: NDArray[np.uint8]
) -> None:
    """Copy words, in this order, into ``joined``, a newline after each."""
    at = 0
    for word in order:
        for k in range(starts[word], starts[word + 1]):
            joined[at] = letters[k]
            at += 1
        joined[at] = 10
        at += 1


class Words(Sequence[str]):
    """Words as bytes, end to end, decoded when asked for; invalid UTF-8 becomes surrogates."""

    def __init__(self, starts: NDArray[np.int64], letters: NDArray[np.uint8]) -> None:
        self._starts, self._letters = starts, letters

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, word: int) -> str:  # type: ignore[override]
        if not 0 <= word < len(self):
            raise IndexError(word)
        return self._letters[self._starts[word] : self._starts[word + 1]].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        return iter(self.take(np.arange(len(self))))

    def take(self, order: NDArray[np.integer]) -> list[str]:
        """Return these words, none of which holds a newline, in this order."""
        if len(order) == 0:
            return []
        rows = order.astype(np.int64)
        joined = np.empty(int((self._starts[rows + 1] - self._starts[rows]).sum()) + len(rows), np.uint8)
        join_words(self._starts, self._letters, rows, joined)
        return joined[:-1].tobytes().decode("utf-8", "surrogateescape").split("\n")


class Run(NamedTuple):
    """What a table holds: words by id, how often and where first each was seen; in memory, or mapped from files."""

    starts: NDArray[np.int64]
    letters: NDArray[np.uint8]
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]

    def select(self, kept: NDArray[np.bool_]) -> "Run":
        """Return the run of these words alone."""
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
            stored.append(np.load(path, mmap_mode="r"))
        return Run(*stored)


class WordTable:
    """A hash table of words and all it needs, growing as words turn up.

    Args:
        bill: told, as a sentence, what a large table will take before it grows.
    """

    def __init__(self, bill: Callable[[str], None] = lambda text: None) -> None:
        self._bill = bill
        self._ids = np.empty(0, np.int32)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._slots = np.zeros(4 * FIRST_CAPACITY, np.uint64)
        self._counts = np.zeros(FIRST_CAPACITY, np.int64)
        self._firsts = np.zeros(FIRST_CAPACITY, np.int64)
        self._starts = np.zeros(FIRST_CAPACITY + 1, np.int64)
        self._letters = np.zeros(8 * FIRST_CAPACITY + PADDING, np.uint8)
        self._state = np.zeros(5, np.int64)

    def __len__(self) -> int:
        return int(self._state[N_WORDS])

    def scan(self, text: NDArray[np.uint8], stop: int, base: int, ends_file: bool) -> tuple[NDArray[np.int32], int]:
        """Take in the words of ``text[:stop]``; see `scan_words`.

        Whether a sentence is open at its start is not known here: where a newline, or the end of the file, comes
        before the first word, the first id is a sentence end.

        Returns:
            Ids and sentence ends, valid until the next call, and how many of them are ends.
        """
        if len(self._ids) < stop + 1:
            self._ids = np.empty(stop + 1, np.int32)
        self._state[[N_IDS, N_ENDS, POSITION]] = 0
        self._state[LINE_OPEN] = 1
        while status := scan_words(
            text,
            stop,
            base,
            self._slots,
            self._starts,
            self._counts,
            self._firsts,
            self._letters,
            self._ids,
            self._state,
        ):
            self._grow(status, stop)
        n_ids, n_ends = int(self._state[N_IDS]), int(self._state[N_ENDS])
        if ends_file and self._state[LINE_OPEN]:
            self._ids[n_ids] = SENTENCE_END
            n_ids, n_ends = n_ids + 1, n_ends + 1
        return self._ids[:n_ids], n_ends

    def add(self, run: Run, part: int = 0, parts: int = 1) -> None:
        """Take in the words of a run, or of the part of it that `merge_words` says."""
        self._state[POSITION] = 0
        while status := merge_words(
            run.starts, run.counts, run.firsts, run.letters, part, parts,
            self._slots, self._starts, self._counts, self._firsts, self._letters, self._state,
        ):  # fmt: skip
            self._grow(status, int(run.starts[-1]))

    def find(self, run: Run) -> NDArray[np.int32]:
        """Return the id here of each word of a run, -1 where it has none."""
        found = np.empty(len(run.counts), np.int32)
        find_words(run.starts, run.letters, self._slots, self._starts, self._letters, found)
        return found

    def run(self) -> Run:
        """Return what the table holds, without a copy: valid until it changes."""
        n = len(self)
        used = int(self._starts[n]) + PADDING
        return Run(self._starts[: n + 1], self._letters[:used], self._counts[:n], self._firsts[:n])

    def _grow(self, status: int, more: int) -> None:
        if status == LETTERS_FULL:
            used = int(self._starts[len(self)])
            letters = np.zeros(2 * len(self._letters) + more, np.uint8)
            letters[:used] = self._letters[:used]
            self._letters = letters
            return
        capacity = 2 * len(self._counts)
        if capacity > 1 << 31:
            raise CorpusError("the corpus has more than 2^31 distinct words: word ids are 32-bit integers")
        if (size := 56 * capacity + len(self._letters)) > LARGE_BYTES:
            self._bill(f"a word table grows to {capacity:,} words, {size / 1e6:,.0f} MB")
        slots = np.zeros(4 * capacity, np.uint64)
        rehash(self._slots, slots)
        self._slots = slots
        for name in ("_counts", "_firsts", "_starts"):
            old = getattr(self, name)
            grown = np.zeros(capacity + (name == "_starts"), np.int64)
            grown[: len(old)] = old
            setattr(self, name, grown)
