"""Text becomes ids: one pass over the bytes, words numbered as they appear.

A word is a run of bytes between ASCII white space (space, tab, newline, carriage return, vertical tab, form feed);
nothing else is interpreted, so any encoding that keeps ASCII apart works, invalid UTF-8 stays as it is, and a word can
have any length. A newline ends a sentence, as does the end of a file; blank lines are no sentences. A byte-order mark
at the start of a file is skipped. A file that starts like an archive, or has a NUL byte in its first 64 KiB, is not
text and is refused; a NUL further on is a byte like any other.

The ids written here are provisional (order of first appearance, -1 for the end of a sentence). `renumber` turns them
into final ids by frequency once the counts are known, in a pass over int32 ids rather than over text again.
"""

import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from os import PathLike, fspath
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .errors import CorpusError
from .staging import write_errors

SENTENCE_END = -1
BLOCK_BYTES = 4 << 20
SNIFF_BYTES = 64 << 10

_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf\x27\x1c": "7z",
}
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Columns of the scanner's state (int64).
_N_WORDS, _N_IDS, _LINE_TOKENS, _POSITION = 0, 1, 2, 3
# What `scan_words` returns.
DONE, WORDS_FULL, BYTES_FULL = 0, 1, 2

_LOW_32 = np.uint64(0xFFFFFFFF)
_SHIFT_32 = np.uint64(32)
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@jit(exact=True)
def scan_words(
    text: NDArray[np.uint8],
    stop: int,
    final: bool,
    slots: NDArray[np.uint64],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    letters: NDArray[np.uint8],
    ids: NDArray[np.int32],
    state: NDArray[np.int64],
) -> int:
    """Number and count the words of ``text[state.position:stop]``.

    Open addressing with linear probing. A slot holds 32 bits of hash and the word's id + 1, or 0; when the hash bits
    agree the bytes are compared, so no two words are ever taken for one.

    Args:
        text: bytes.
        stop: one past the last byte.
        final: the text ends at ``stop``; otherwise a word that touches it may go on and is left for the next call.
        slots: hash table, a power of two long, more than ``len(counts)``.
        starts: word i is ``letters[starts[i]:starts[i + 1]]``.
        counts: occurrences by provisional id; its length is the capacity.
        letters: the words' bytes, end to end.
        ids: provisional ids and sentence ends, appended; at least ``stop - position`` places free.
        state: words known, ids written, tokens on the line so far, position.

    Returns:
        DONE, or WORDS_FULL or BYTES_FULL when `counts` or `letters` must grow first: then call again.
    """
    n_words, n_ids = state[_N_WORDS], state[_N_IDS]
    line_tokens, position = state[_LINE_TOKENS], state[_POSITION]
    mask = np.uint64(len(slots) - 1)
    status = DONE
    while position < stop:
        byte = text[position]
        if byte <= 32 and (byte == 32 or 9 <= byte <= 13):
            if byte == 10 and line_tokens > 0:
                ids[n_ids] = SENTENCE_END
                n_ids += 1
                line_tokens = 0
            position += 1
            continue

        hashed = _FNV_OFFSET
        end = position
        while end < stop:
            byte = text[end]
            if byte <= 32 and (byte == 32 or 9 <= byte <= 13):
                break
            hashed = (hashed ^ np.uint64(byte)) * _FNV_PRIME
            end += 1
        if end == stop and not final:
            break
        hashed = (hashed * _SPREAD) >> _SHIFT_32

        slot = hashed & mask
        word = -1
        while True:
            entry = slots[slot]
            if entry == np.uint64(0):
                break
            if entry >> _SHIFT_32 == hashed:
                candidate = np.int64(entry & _LOW_32) - 1
                first = starts[candidate]
                if starts[candidate + 1] - first == end - position:
                    k = 0
                    while k < end - position and letters[first + k] == text[position + k]:
                        k += 1
                    if k == end - position:
                        word = candidate  # type: ignore[assignment]
                        break
            slot = (slot + np.uint64(1)) & mask
        if word < 0:
            first = starts[n_words]
            if n_words == len(counts):
                status = WORDS_FULL
                break
            if first + end - position > len(letters):
                status = BYTES_FULL
                break
            for k in range(end - position):
                letters[first + k] = text[position + k]
            word = n_words
            n_words += 1
            starts[n_words] = first + end - position
            counts[word] = 0
            slots[slot] = (hashed << _SHIFT_32) | np.uint64(n_words)
        counts[word] += 1
        ids[n_ids] = word
        n_ids += 1
        line_tokens += 1
        position = end
    state[_N_WORDS], state[_N_IDS] = n_words, n_ids
    state[_LINE_TOKENS], state[_POSITION] = line_tokens, position
    return status


@jit(exact=True)
def rehash(old: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
    """Move every entry of a hash table into a larger, zeroed one."""
    mask = np.uint64(len(new) - 1)
    for i in range(len(old)):
        if old[i] != np.uint64(0):
            slot = (old[i] >> _SHIFT_32) & mask
            while new[slot] != np.uint64(0):
                slot = (slot + np.uint64(1)) & mask
            new[slot] = old[i]


@jit(exact=True)
def renumber(
    provisional: NDArray[np.int32],
    final_id: NDArray[np.int32],
    ids: NDArray[np.int32],
    ends: NDArray[np.int64],
    n_before: int,
) -> tuple[int, int]:
    """Turn a block of provisional ids into final ids, leaving out words without one.

    Args:
        provisional: ids by first appearance, SENTENCE_END between sentences.
        final_id: final id of each provisional one, -1 for a word that is not kept.
        ids: output, as long as the block.
        ends: output, as long as the block: where each sentence that ends in it ends, counted from the corpus's start.
        n_before: final ids in the blocks before.

    Returns:
        How many ids and how many ends were written.
    """
    n_ids = n_ends = 0
    for i in range(len(provisional)):
        word = provisional[i]
        if word == SENTENCE_END:
            ends[n_ends] = n_before + n_ids
            n_ends += 1
        elif final_id[word] >= 0:
            ids[n_ids] = final_id[word]
            n_ids += 1
    return n_ids, n_ends


@dataclass(frozen=True)
class Ingested:
    """What one pass over a corpus found.

    Attributes:
        words: every distinct word, in order of first appearance.
        counts: int64, occurrences of each.
        n_tokens: all tokens.
        n_sentences: sentences with at least one token.
    """

    words: Sequence[str]
    counts: NDArray[np.int64]
    n_tokens: int
    n_sentences: int


def _write(sink: BinaryIO, ids: NDArray[np.int32]) -> None:
    with write_errors(Path(getattr(sink, "name", "the ids")).parent):
        sink.write(ids.data)


class WordTable:
    """The scanner's tables, growing as words turn up; feed it bytes, it writes provisional ids to ``sink``."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._slots = np.zeros(1 << 16, np.uint64)
        self._counts = np.zeros(1 << 15, np.int64)
        self._starts = np.zeros(len(self._counts) + 1, np.int64)
        self._letters = np.empty(1 << 18, np.uint8)
        self._state = np.zeros(4, np.int64)
        self._ids = np.empty(0, np.int32)
        self.n_sentences = 0

    def scan(self, text: NDArray[np.uint8], stop: int, *, final: bool) -> int:
        """Take in ``text[:stop]`` and return how many bytes were used: all of them where ``final``."""
        if len(self._ids) < stop + 1:
            self._ids = np.empty(stop + 1, np.int32)
        self._state[_POSITION] = self._state[_N_IDS] = 0
        while True:
            status = scan_words(
                text, stop, final, self._slots, self._starts, self._counts, self._letters, self._ids, self._state
            )
            if status == WORDS_FULL:
                self._grow_words()
            elif status == BYTES_FULL:
                used = int(self._starts[self._state[_N_WORDS]])
                letters = np.empty(2 * len(self._letters) + stop, np.uint8)
                letters[:used] = self._letters[:used]
                self._letters = letters
            else:
                break
        n_ids = int(self._state[_N_IDS])
        if final and self._state[_LINE_TOKENS] > 0:
            self._ids[n_ids] = SENTENCE_END
            n_ids += 1
            self._state[_LINE_TOKENS] = 0
        written = self._ids[:n_ids]
        self.n_sentences += int(np.count_nonzero(written == SENTENCE_END))
        _write(self._sink, written)
        return int(self._state[_POSITION])

    def _grow_words(self) -> None:
        capacity = 2 * len(self._counts)
        if capacity > 1 << 31:
            raise CorpusError("the corpus has more than 2^31 distinct words: word ids are 32-bit integers")
        slots = np.zeros(2 * len(self._slots), np.uint64)
        rehash(self._slots, slots)
        self._slots = slots
        self._counts = np.concatenate([self._counts, np.zeros(capacity - len(self._counts), np.int64)])
        self._starts = np.concatenate([self._starts, np.zeros(capacity + 1 - len(self._starts), np.int64)])

    def result(self) -> Ingested:
        """Return the words and counts so far."""
        n = int(self._state[_N_WORDS])
        letters = self._letters[: self._starts[n]].tobytes()
        bounds = self._starts[: n + 1].tolist()
        words = [letters[a:b].decode("utf-8", "surrogateescape") for a, b in pairwise(bounds)]
        counts = self._counts[:n].copy()
        return Ingested(words, counts, int(counts.sum()), self.n_sentences)


def check_storable(word: str) -> None:
    """Raise ValueError, with the reason, if a vocab.tsv could not give this word back."""
    if not word or any(c in word for c in "\t\n\r\v\f"):
        raise ValueError("empty, or with a tab or line break inside")
    try:
        kept = word.isascii() or word.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") == word
    except UnicodeEncodeError:
        kept = False
    if not kept:
        raise ValueError("with surrogates that no UTF-8 can hold")


def refuse_non_text(name: str, head: bytes) -> None:
    """Raise `CorpusError` if a file's first bytes are those of an archive, or binary."""
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            raise CorpusError(
                f"{name} is {kind}-compressed, not text: decompress it, or pipe it in and give - as corpus"
            )
    nul = head.find(b"\0")
    if nul >= 0:
        raise CorpusError(f"{name} is not text: byte {nul} is NUL (binary data or UTF-16; give UTF-8 text)")


def _read(stream: Any, name: str, into: NDArray[np.uint8]) -> int:
    """Read some bytes, waiting for them where the stream does not wait; 0 at the end."""
    try:
        while (n := stream.readinto(into.data)) is None:
            time.sleep(0.01)
    except OSError as error:
        raise CorpusError(f"cannot read {name}: {error.strerror or error}") from error
    return int(n)


def _scan_stream(stream: BinaryIO, name: str, table: WordTable) -> None:
    text = np.empty(BLOCK_BYTES, np.uint8)
    filled = 0
    while filled < SNIFF_BYTES and (n := _read(stream, name, text[filled:])):
        filled += n
    head = text[: min(filled, SNIFF_BYTES)].tobytes()
    refuse_non_text(name, head)
    if head.startswith(_BYTE_ORDER_MARK):
        text[: filled - 3] = text[3:filled].copy()
        filled -= 3
    while True:
        used = table.scan(text, filled, final=False)
        left = filled - used
        if left > len(text) // 2:  # a word longer than half the block: make room for more of it
            text = np.concatenate([text[used:filled], np.empty(2 * len(text), np.uint8)])
        else:
            text[:left] = text[used:filled].copy()
        n = _read(stream, name, text[left:])
        if n == 0:
            break
        filled = left + n
    table.scan(text, left, final=True)


def _name(path: str | PathLike[str]) -> str:
    return "standard input" if path == "-" else fspath(path)


def ingest_files(paths: Sequence[str | PathLike[str]], sink: BinaryIO) -> Ingested:
    """Number the words of text files, in order; ``-`` is standard input.

    Args:
        paths: files of text.
        sink: binary file that receives the provisional ids, int32, SENTENCE_END after each sentence.

    Raises:
        CorpusError: a file is missing, unreadable, a folder, or not text; or there is no word in any of them.
    """
    table = WordTable(sink)
    for path in paths:
        name = fspath(path)
        if name == "-":
            if not hasattr(sys.stdin, "buffer"):
                raise CorpusError("standard input can't be read here: give a file, or lists of tokens")
            _scan_stream(sys.stdin.buffer, "standard input", table)
            continue
        if os.path.isdir(name):
            raise CorpusError(f"{name} is a folder, not text or a prepared folder: name the text files")
        try:
            stream = open(name, "rb", buffering=0)  # noqa: SIM115
        except (OSError, ValueError) as error:
            raise CorpusError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
        with stream:
            _scan_stream(stream, name, table)
    result = table.result()
    if result.n_tokens == 0:
        raise CorpusError(f"no words in {', '.join(map(_name, paths))}: the corpus is empty or all white space")
    return result


def ingest_sentences(sentences: Iterable[Iterable[str]], sink: BinaryIO) -> Ingested:
    """Number the words of token lists, read once; see `ingest_files` for ``sink``.

    Raises:
        CorpusError: a sentence is a string, a token is not a string, is empty, or holds a tab or line break; or there
            is no token at all.
    """
    index: dict[str, int] = {}
    counts = np.zeros(0, np.int64)
    block: list[int] = []
    n_sentences = 0

    def flush() -> None:
        nonlocal counts
        ids = np.array(block, np.int32)
        _write(sink, ids)
        fresh = np.bincount(ids[ids != SENTENCE_END], minlength=len(index))
        fresh[: len(counts)] += counts
        counts = fresh
        block.clear()

    for number, sentence in enumerate(sentences, 1):
        known, before = len(index), len(block)
        if isinstance(sentence, (str, bytes)):
            raise CorpusError(f"sentence {number} is one string, not a list of tokens: split it, as with str.split")
        try:
            block.extend(index.setdefault(token, len(index)) for token in sentence)
        except TypeError as error:  # not iterable, or a token that can't be hashed
            raise CorpusError(f"sentence {number} is {sentence!r:.60}, not a list of strings") from error
        for token in islice(reversed(index), len(index) - known):
            _check_token(token, number)
        if len(block) > before:
            block.append(SENTENCE_END)
            n_sentences += 1
        if len(block) >= BLOCK_BYTES // 4:
            flush()
    flush()
    if n_sentences == 0:
        raise CorpusError("the corpus is empty: no sentence has a token (a generator can be read only once)")
    return Ingested(list(index), counts, int(counts.sum()), n_sentences)


def _check_token(token: object, sentence: int) -> None:
    if not isinstance(token, str):
        raise CorpusError(
            f"sentence {sentence} has the token {token!r:.60}, not a string: for integer ids use fastw2v.train_ids"
        )
    try:
        check_storable(token)
    except ValueError as reason:
        raise CorpusError(f"sentence {sentence} has the token {token!r:.60}, {reason}: replace it") from None
