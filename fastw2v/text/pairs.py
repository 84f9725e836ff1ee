"""Count pairs of neighbouring words on ids, exactly and in bounded memory, and join the pairs that are phrases.

A stream is the ids of a corpus, with SENTENCE_END after each sentence. A pair is a word and the next word of the same
sentence that is not a connector word, together with the connector words between them. Its text is all these words with
the delimiter between them. Two pairs may have the same text, as ``a_b c`` and ``a b_c``, or a pair and a word. gensim
counts texts, so pairs with the same text are counted apart, and then added up.

A pair is one 64-bit number. Its low half is the last word. Its high half is the first word; or, if connector words
follow, a chain: CHAIN and the number of a node in a tree, whose parent is the first word or a chain.

Counting sorts the pairs of some ids into parts by a hash of their text, and then adds each part to a hash table that
fits into the cache. The hash is a polynomial of the bytes modulo PRIME, at a random place. So it follows from the
hashes of the words, and pairs with the same text are in the same part, with the same hash. Where pairs share a hash,
their texts are compared. A polynomial modulo 2^64 would be cheaper, but some texts share its value at every place.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit
from ..kernels.simd import prefetch
from .wordtable import SENTENCE_END

#: Columns of `Names.rows`.
HASH, POWER, LEFT_HASH, CONNECTOR = 0, 1, 2, 3
CHAIN = 1 << 31  # the high half of a pair is a chain from here on
WORD = 0xFFFFFFFF  # the high half that stands for a single word
#: Columns of an entry of a hash table of pairs; a count of 0 is a free place.
ENTRY_HASH, ENTRY_PAIR, ENTRY_COUNT = 0, 1, 2
ENTRY = 3
PRIME = (1 << 61) - 1
AHEAD = 12  # A place in a table is fetched while this many pairs before it are added.

_ONE, _TWO, _THREE, _32 = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(32)
_ZERO, _64 = np.uint64(0), np.uint64(64)
_CHAIN, _WORD, _LOW = np.uint64(CHAIN), np.uint64(WORD), np.uint64(0xFFFFFFFF)
_NODE = np.uint64(CHAIN - 1)
_PRIME, _LOW_31, _LOW_30 = np.uint64(PRIME), np.uint64((1 << 31) - 1), np.uint64((1 << 30) - 1)
_30, _31, _61 = np.uint64(30), np.uint64(31), np.uint64(61)
_FINISH = np.uint64(0xD6E8FEB86659FD93)


class Names(NamedTuple):
    """What the kernels know of the words and the chains.

    Attributes:
        rows: uint64 ``(n_words, 4)``: the hash of a word; the base to the power of its length; its hash with the
            delimiter after it; and 1 for a connector word, else 0.
        slots: a hash table of chains, two numbers per slot: a step, and the number of its chain plus 1, or 0.
        steps: uint64, the last step to each chain: what comes before in the high half, a connector word in the low one.
        hashes: uint64, the hash of each chain with the delimiter after it.
        heads: uint32, the first word of each chain.
    """

    rows: NDArray[np.uint64]
    slots: NDArray[np.uint64]
    steps: NDArray[np.uint64]
    hashes: NDArray[np.uint64]
    heads: NDArray[np.uint32]


@jit(exact=True)
def follow(before: np.uint64, power: np.uint64, after: np.uint64) -> np.uint64:
    """Return ``before * power + after`` modulo PRIME, of numbers below PRIME: the hash of one text after another."""
    high, low, power_high, power_low = before >> _31, before & _LOW_31, power >> _31, power & _LOW_31
    middle = high * power_low + low * power_high
    total = (high * power_high << _ONE) + (middle >> _30) + ((middle & _LOW_30) << _31) + low * power_low
    total = (total & _PRIME) + (total >> _61) + after
    total = (total & _PRIME) + (total >> _61)
    return total - _PRIME if total >= _PRIME else total


@jit(exact=True)
def mix(hashed: np.uint64) -> np.uint64:
    """Return a number whose high bits depend on all bits of a hash."""
    mixed = (hashed ^ (hashed >> _32)) * _FINISH
    return (mixed ^ (mixed >> _32)) * _FINISH


@jit(exact=True)
def hash_words(
    starts: NDArray[np.int64],
    letters: NDArray[np.uint8],
    base: np.uint64,
    delimiter: NDArray[np.uint64],
    rows: NDArray[np.uint64],
) -> None:
    """Write the first three columns of the row of each word ``letters[starts[i]:starts[i + 1]]``.

    Args:
        starts: as above.
        letters: as above.
        base: the place of the polynomial, below PRIME.
        delimiter: its hash and power.
        rows: output, see `Names`.
    """
    for word in range(len(starts) - 1):
        hashed, power = _ZERO, _ONE
        for k in range(starts[word], starts[word + 1]):
            hashed = follow(hashed, base, np.uint64(letters[k]) + _ONE)
            power = follow(power, base, _ZERO)
        rows[word, HASH], rows[word, POWER] = hashed, power
        rows[word, LEFT_HASH] = follow(hashed, delimiter[1], delimiter[0])


@jit(exact=True)
def _chain(left: np.uint64, word: np.uint64, slots: NDArray[np.uint64]) -> tuple[np.uint64, np.uint64]:
    """Return the place of a step in a table of chains, or of the free slot where it belongs, and what it holds."""
    step = left << _32 | word
    last = np.uint64(len(slots)) - _TWO
    slot = (mix(step) >> _32) * _TWO & last
    while slots[slot + _ONE] != _ZERO and slots[slot] != step:
        slot = (slot + _TWO) & last
    return slot, slots[slot + _ONE]


@jit(exact=True)
def grow_chains(ids: NDArray[np.int32], names: Names, size: int, delimiter: NDArray[np.uint64]) -> tuple[Names, int]:
    """Add the chains of a part of a stream.

    Args:
        ids: the part.
        names: the words, and ``size`` chains.
        size: number of chains.
        delimiter: its hash and power.

    Returns:
        The names, with larger arrays where needed, and the number of chains.
    """
    rows, slots, steps, hashes, heads = names
    left, head, before = _WORD, np.uint32(0), _ZERO
    for i in range(len(ids)):
        if ids[i] == SENTENCE_END:
            left = _WORD
            continue
        word = np.uint64(ids[i])
        if rows[word, CONNECTOR] == _ZERO:
            left, head, before = word, np.uint32(word), rows[word, LEFT_HASH]
            continue
        if left == _WORD:
            continue
        slot, found = _chain(left, word, slots)
        if found == _ZERO:
            if size == len(steps):
                more = np.zeros(2 * len(slots), np.uint64)
                for old in range(0, len(slots), 2):
                    if slots[old + 1] != _ZERO:
                        place, _ = _chain(slots[old] >> _32, slots[old] & _LOW, more)
                        more[place], more[place + _ONE] = slots[old], slots[old + 1]
                slots = more
                steps = np.concatenate((steps, np.zeros(size, np.uint64)))
                hashes = np.concatenate((hashes, np.zeros(size, np.uint64)))
                heads = np.concatenate((heads, np.zeros(size, np.uint32)))
                slot, found = _chain(left, word, slots)
            steps[size] = left << _32 | word
            hashes[size] = follow(follow(before, rows[word, POWER], rows[word, HASH]), delimiter[1], delimiter[0])
            heads[size] = head
            size += 1
            found = np.uint64(size)
            slots[slot], slots[slot + _ONE] = left << _32 | word, found
        left, before = (found - _ONE) | _CHAIN, hashes[found - _ONE]
    return Names(rows, slots, steps, hashes, heads), size


@jit(exact=True)
def index_chains(names: Names, size: int, delimiter: NDArray[np.uint64]) -> None:
    """Fill the table, the hashes and the heads of ``size`` chains from their steps."""
    rows, slots, steps, hashes, heads = names
    for node in range(size):
        left, word = steps[node] >> _32, steps[node] & _LOW
        if left >= _CHAIN:
            before, heads[node] = hashes[left & _NODE], heads[left & _NODE]
        else:
            before, heads[node] = rows[left, LEFT_HASH], np.uint32(left)
        hashes[node] = follow(follow(before, rows[word, POWER], rows[word, HASH]), delimiter[1], delimiter[0])
        slot, _ = _chain(left, word, slots)
        slots[slot], slots[slot + _ONE] = steps[node], np.uint64(node + 1)


@jit(exact=True)
def hash_pairs(pairs: NDArray[np.uint64], names: Names) -> NDArray[np.uint64]:
    """Return the mixed hash of the text of each pair, and of single words (WORD in the high half)."""
    rows, _, _, chain_hashes, _ = names
    hashes = np.empty(len(pairs), np.uint64)
    for i in range(len(pairs)):
        left, word = pairs[i] >> _32, pairs[i] & _LOW
        if left == _WORD:
            hashes[i] = mix(rows[word, HASH])
        else:
            before = chain_hashes[left & _NODE] if left >= _CHAIN else rows[left, LEFT_HASH]
            hashes[i] = mix(follow(before, rows[word, POWER], rows[word, HASH]))
    return hashes


@jit(exact=True)
def sort_pairs(
    ids: NDArray[np.int32],
    names: Names,
    part_bits: int,
    first: int,
    base: int,
    pairs: NDArray[np.uint64],
    starts: NDArray[np.int64],
) -> None:
    """Write the pairs of a part of a stream, sorted by the part of all texts that they belong to.

    Args:
        ids: the part of the stream.
        names: the words and the chains.
        part_bits: log2 of the number of parts.
        first: the first part to write; as many are written as ``starts`` has room for, less one.
        base: place in ``pairs`` to write at; ``len(ids)`` places are enough.
        pairs: uint64 ``(n, 2)``, output: hashes and pairs.
        starts: output: where each part starts in ``pairs``, and the end of the last one.
    """
    rows, slots, _, chain_hashes, _ = names
    n_parts = len(starts) - 1
    found = np.empty((len(ids), 2), np.uint64)
    parts = np.empty(len(ids), np.int32)
    starts[:] = 0
    shift = np.uint64(64 - part_bits)
    n = 0
    left, before = _WORD, _ZERO
    for i in range(len(ids)):
        if ids[i] == SENTENCE_END:
            left = _WORD
            continue
        word = np.uint64(ids[i])
        if rows[word, CONNECTOR] != _ZERO:
            if left != _WORD:
                _, chain = _chain(left, word, slots)
                left, before = (chain - _ONE) | _CHAIN, chain_hashes[chain - _ONE]
            continue
        if left != _WORD:
            hashed = mix(follow(before, rows[word, POWER], rows[word, HASH]))
            part = (np.int64(hashed >> shift) if part_bits else 0) - first
            if 0 <= part < n_parts:
                found[n, 0], found[n, 1] = hashed, left << _32 | word
                parts[n] = part
                starts[part + 1] += 1
                n += 1
        left, before = word, rows[word, LEFT_HASH]
    starts[0] = base
    for part in range(n_parts):
        starts[part + 1] += starts[part]
    place = starts[:n_parts].copy()
    for i in range(n):
        to = place[parts[i]]
        place[parts[i]] = to + 1
        pairs[to, 0], pairs[to, 1] = found[i, 0], found[i, 1]


@jit(exact=True)
def _spread(slots: NDArray[np.uint64], part_bits: np.uint64) -> NDArray[np.uint64]:
    """Return a table twice as large with the same entries."""
    more = np.zeros((2 * len(slots), ENTRY), np.uint64)
    shift, last = _slot_shift(len(more)), np.uint64(len(more) - 1)
    for i in range(len(slots)):
        if slots[i, ENTRY_COUNT] != _ZERO:
            slot = slots[i, ENTRY_HASH] << part_bits >> shift
            while more[slot, ENTRY_COUNT] != _ZERO:
                slot = (slot + _ONE) & last
            for k in range(ENTRY):
                more[slot, k] = slots[i, k]
    return more


@jit(exact=True)
def _slot_shift(n_slots: int) -> np.uint64:
    """Return how far to shift a 64-bit number so that it is below a power of two."""
    shift = 64
    while n_slots > 1:
        n_slots >>= 1
        shift -= 1
    return np.uint64(shift)


@jit(exact=True)
def add_pairs(
    slots: NDArray[np.uint64],
    state: NDArray[np.int64],
    pairs: NDArray[np.uint64],
    counts: NDArray[np.int64],
    starts: NDArray[np.int64],
    part: int,
    part_bits: int,
) -> NDArray[np.uint64]:
    """Count one part of sorted pairs in a hash table.

    Args:
        slots: the table, uint64 ``(n_slots, ENTRY)``; n_slots is a power of two, at least 2.
        state: its number of entries, and 1 if two of them share a hash, else 0; updated.
        pairs: uint64 ``(n, 2)``, hashes and pairs.
        counts: how often each of them occurs; an empty array for once.
        starts: int64, a row for each sorted piece: where its parts start.
        part: column of ``starts``.
        part_bits: log2 of the number of parts of all texts.

    Returns:
        The table, or a larger one with the same entries.
    """
    n, twins = state[0], state[1]
    shift, last = _slot_shift(len(slots)), np.uint64(len(slots) - 1)
    bits = np.uint64(part_bits)
    for piece in range(len(starts)):
        stop = starts[piece, part + 1]
        for i in range(starts[piece, part], stop):
            soon = pairs[min(i + AHEAD, stop - 1), 0]
            prefetch(slots, (soon << bits >> shift) * _THREE)
            hashed, pair = pairs[i, 0], pairs[i, 1]
            slot = hashed << bits >> shift
            while slots[slot, ENTRY_COUNT] != _ZERO and slots[slot, ENTRY_PAIR] != pair:
                if slots[slot, ENTRY_HASH] == hashed:
                    twins = 1
                slot = (slot + _ONE) & last
            if slots[slot, ENTRY_COUNT] == _ZERO:
                slots[slot, ENTRY_HASH], slots[slot, ENTRY_PAIR] = hashed, pair
                n += 1
            slots[slot, ENTRY_COUNT] += np.uint64(counts[i]) if len(counts) else _ONE
            if 4 * n > 3 * len(slots):
                slots = _spread(slots, bits)
                shift, last = _slot_shift(len(slots)), np.uint64(len(slots) - 1)
    state[0], state[1] = n, twins
    return slots


@jit(exact=True)
def entries_of(
    slots: NDArray[np.uint64], floor: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int64]]:
    """Return the entries of a table of pairs that have at least this count: hashes, pairs and counts."""
    least = np.uint64(max(floor, 1))
    n = 0
    for i in range(len(slots)):
        n += slots[i, ENTRY_COUNT] >= least
    hashes, pairs, counts = np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int64)
    n = 0
    for i in range(len(slots)):
        if slots[i, ENTRY_COUNT] >= least:
            hashes[n], pairs[n], counts[n] = slots[i, ENTRY_HASH], slots[i, ENTRY_PAIR], slots[i, ENTRY_COUNT]
            n += 1
    return hashes, pairs, counts


class Spelling(NamedTuple):
    """The bytes that the texts of pairs consist of.

    Attributes:
        starts: word i is ``letters[starts[i]:starts[i + 1]]``.
        letters: the words' bytes, end to end.
        steps: see `Names`.
        delimiter: the bytes between words.
    """

    starts: NDArray[np.int64]
    letters: NDArray[np.uint8]
    steps: NDArray[np.uint64]
    delimiter: NDArray[np.uint8]


@jit(exact=True)
def text_length(pair: np.uint64, spelling: Spelling) -> int:
    """Return the number of bytes of the text of a pair, or of a single word (WORD in the high half)."""
    starts, _, steps, delimiter = spelling
    left, word = pair >> _32, pair & _LOW
    length = starts[word + _ONE] - starts[word]
    while left != _WORD:
        word, left = (steps[left & _NODE] & _LOW, steps[left & _NODE] >> _32) if left >= _CHAIN else (left, _WORD)
        length += starts[word + _ONE] - starts[word] + len(delimiter)
    return length  # type: ignore[no-any-return]


@jit(exact=True)
def write_text(pair: np.uint64, spelling: Spelling, text: NDArray[np.uint8], end: int) -> None:
    """Write the text of a pair into ``text``, before ``end``."""
    starts, letters, steps, delimiter = spelling
    left, word = pair >> _32, pair & _LOW
    while True:
        size = starts[word + _ONE] - starts[word]
        end -= size
        for k in range(size):
            text[end + k] = letters[starts[word] + k]
        if left == _WORD:
            return
        end -= len(delimiter)
        for k in range(len(delimiter)):
            text[end + k] = delimiter[k]
        word, left = (steps[left & _NODE] & _LOW, steps[left & _NODE] >> _32) if left >= _CHAIN else (left, _WORD)


@jit(exact=True)
def _same_text(a: np.uint64, b: np.uint64, spelling: Spelling) -> bool:
    size = text_length(a, spelling)
    if size != text_length(b, spelling):
        return False
    texts = np.empty((2, size), np.uint8)
    write_text(a, spelling, texts[0], size)
    write_text(b, spelling, texts[1], size)
    for k in range(size):  # noqa: SIM110  # Numba does not compile generator expressions.
        if texts[0, k] != texts[1, k]:
            return False
    return True


@jit(exact=True)
def add_up_texts(
    hashes: NDArray[np.uint64],
    pairs: NDArray[np.uint64],
    counts: NDArray[np.int64],
    spelling: Spelling,
    totals: NDArray[np.int64],
) -> int:
    """Add up the counts of pairs with the same text.

    Args:
        hashes: of the pairs' texts, sorted.
        pairs: the pairs.
        counts: how often each occurs.
        spelling: the words.
        totals: output: the count of each pair's text.

    Returns:
        The number of different texts.
    """
    n = len(pairs)
    text_of = np.empty(n, np.int64)  # the first pair with the same text
    n_texts = 0
    start = 0
    for i in range(n):
        if hashes[i] != hashes[start]:
            start = i
        text_of[i] = i
        for k in range(start, i):
            if text_of[k] == k and _same_text(pairs[k], pairs[i], spelling):
                text_of[i] = k
                break
        n_texts += text_of[i] == i
        totals[i] = 0
        totals[text_of[i]] += counts[i]
    for i in range(n):
        totals[i] = totals[text_of[i]]
    return n_texts


@jit(exact=True)
def write_texts(
    pairs: NDArray[np.uint64], spelling: Spelling, starts: NDArray[np.int64], letters: NDArray[np.uint8]
) -> None:
    """Write the texts of pairs end to end; text i is ``letters[starts[i]:starts[i + 1]]``."""
    for i in range(len(pairs)):
        write_text(pairs[i], spelling, letters, starts[i + 1])


@jit(exact=True)
def text_lengths(pairs: NDArray[np.uint64], spelling: Spelling, lengths: NDArray[np.int64]) -> None:
    """Write the number of bytes of each pair's text."""
    for i in range(len(pairs)):
        lengths[i] = text_length(pairs[i], spelling)


# ------------------------------------------------------------------------------------------------------ scores


@jit(exact=True)
def score_default(
    first: NDArray[np.int64], second: NDArray[np.int64], both: NDArray[np.int64], min_count: int, n_texts: int
) -> NDArray[np.float64]:
    """Return the scores of pairs by Mikolov and others (2013), multiplied by the size of the vocabulary.

    Args:
        first: count of each pair's first word.
        second: count of its last word.
        both: count of the pair.
        min_count: subtracted from each pair's count.
        n_texts: number of distinct words and pairs.
    """
    scores = np.empty(len(both))
    for i in range(len(both)):
        scores[i] = (both[i] - min_count) / (np.float64(first[i]) * np.float64(second[i])) * n_texts
    return scores


@jit(exact=True)
def score_npmi(
    first: NDArray[np.int64], second: NDArray[np.int64], both: NDArray[np.int64], min_count: int, n_tokens: int
) -> NDArray[np.float64]:
    """Return normalised pointwise mutual information, by Bouma (2009); -infinity for pairs rarer than ``min_count``.

    Args:
        first: count of each pair's first word.
        second: count of its last word.
        both: count of the pair.
        min_count: the least count of a pair.
        n_tokens: number of tokens of the corpus.
    """
    scores = np.empty(len(both))
    tokens = np.float64(n_tokens)
    for i in range(len(both)):
        scores[i] = -np.inf
        if both[i] >= min_count:
            a, b, ab = first[i] / tokens, second[i] / tokens, both[i] / tokens
            scores[i] = math.log(ab / (a * b)) / -math.log(ab)
    return scores


# ------------------------------------------------------------------------------------------------------ joining


@jit(exact=True)
def index_pairs(pairs: NDArray[np.uint64], new_ids: NDArray[np.int32], slots: NDArray[np.uint64]) -> None:
    """Fill a hash table of phrases, two numbers per slot: a pair, and the id of its text plus 1, or 0."""
    last = np.uint64(len(slots)) - _TWO
    for i in range(len(pairs)):
        slot = (mix(pairs[i]) >> _32) * _TWO & last
        while slots[slot + _ONE] != _ZERO:
            slot = (slot + _TWO) & last
        slots[slot], slots[slot + _ONE] = pairs[i], np.uint64(new_ids[i]) + _ONE


@jit(exact=True)
def _phrase(pair: np.uint64, phrases: NDArray[np.uint64]) -> np.uint64:
    """Return the id of a phrase plus 1, or 0."""
    last = np.uint64(len(phrases)) - _TWO
    slot = (mix(pair) >> _32) * _TWO & last
    while phrases[slot + _ONE] != _ZERO and phrases[slot] != pair:
        slot = (slot + _TWO) & last
    return phrases[slot + _ONE]  # type: ignore[no-any-return]


@jit(exact=True)
def cut_place(ids: NDArray[np.int32], names: Names, phrases: NDArray[np.uint64]) -> int:
    """Return the first place in a part of a stream where it can be cut, or -1.

    It is after the end of a sentence, or before a word that can't end a phrase and is not a connector word.
    Whatever came before, a new phrase may begin there.
    """
    rows, slots, _, _, _ = names
    left = _WORD
    for i in range(len(ids)):
        if ids[i] == SENTENCE_END:
            return i + 1
        word = np.uint64(ids[i])
        if rows[word, CONNECTOR] != _ZERO:
            if left != _WORD:
                _, chain = _chain(left, word, slots)
                left = (chain - _ONE) | _CHAIN
        else:
            if left != _WORD and _phrase(left << _32 | word, phrases) == _ZERO:
                return i
            left = word
    return -1


@jit(exact=True)
def join_ids(
    ids: NDArray[np.int32],
    names: Names,
    phrases: NDArray[np.uint64],
    begins: NDArray[np.uint8],
    joined: NDArray[np.int32],
) -> tuple[int, int]:
    """Join phrases in a part of a stream, from left to right; a word is in one phrase at most.

    Args:
        ids: the part of the stream.
        names: the words and the chains.
        phrases: see `index_pairs`.
        begins: 1 for the words that are the first one of a phrase, else 0.
        joined: output, as long as ``ids``.

    Returns:
        The number of ids written, ends of sentences included, and the number of these.
    """
    rows, slots, _, _, _ = names
    n = n_ends = 0
    start = -1  # place of the word that a phrase may begin with
    left = _WORD
    for i in range(len(ids)):
        is_end = ids[i] == SENTENCE_END
        word = _ZERO if is_end else np.uint64(ids[i])
        if not is_end and rows[word, CONNECTOR] != _ZERO:
            if start < 0:
                joined[n] = ids[i]
                n += 1
            elif left != _WORD:
                _, chain = _chain(left, word, slots)
                left = (chain - _ONE) | _CHAIN
            continue
        if start >= 0:
            found = _ZERO
            if left != _WORD and not is_end:
                found = _phrase(left << _32 | word, phrases)
            if found != _ZERO:
                joined[n] = np.int32(found - _ONE)
                n += 1
                start = -1
                continue
            for k in range(start, i):
                joined[n] = ids[k]
                n += 1
        if is_end:
            joined[n] = SENTENCE_END
            n += 1
            n_ends += 1
            start = -1
        else:
            start = i
            left = word if begins[word] else _WORD
    if start >= 0:
        for k in range(start, len(ids)):
            joined[n] = ids[k]
            n += 1
    return n, n_ends


@jit(exact=True)
def count_ids(ids: NDArray[np.int32], base: int, counts: NDArray[np.int64], firsts: NDArray[np.int64]) -> None:
    """Count the ids of a part of a stream, and note their first places; ``base`` is the place of the part."""
    for i in range(len(ids)):
        if ids[i] != SENTENCE_END:
            if counts[ids[i]] == 0:
                firsts[ids[i]] = base + i
            counts[ids[i]] += 1


@jit(exact=True)
def number_ids(ids: NDArray[np.int32], numbers: NDArray[np.int32]) -> None:
    """Replace ids by their numbers in place; ends of sentences stay."""
    for i in range(len(ids)):
        if ids[i] != SENTENCE_END:
            ids[i] = numbers[ids[i]]
