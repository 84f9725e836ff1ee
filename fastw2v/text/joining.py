"""Find phrases in a corpus of ids and join them, so that ``new york`` becomes the word ``new_york``.

`Lexicon` holds the words, and the chains of a word and connector words. `count_pairs` counts all pairs of a stream (see
`pairs`), `phrases_of` chooses those that are phrases, and `join` rewrites the stream. `join_phrases` does all that for
`prepare`, as often as asked.

Memory is bounded: a stream stays on disk and is read in pieces. Counting takes some parts of all pairs at a time, as
many as fit into TABLE_BYTES, and reads the stream again for the next ones. So the result is exact. It depends neither
on the number of workers nor on these limits.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, doubt, option
from ..files.staging import write_errors
from .ingest import Ingested, Scanned
from .pairs import (
    CHAIN,
    CONNECTOR,
    ENTRY,
    PRIME,
    WORD,
    Names,
    Spelling,
    add_pairs,
    add_up_texts,
    count_ids,
    cut_place,
    entries_of,
    grow_chains,
    hash_pairs,
    hash_words,
    index_chains,
    index_pairs,
    join_ids,
    number_ids,
    score_default,
    score_npmi,
    sort_pairs,
    text_lengths,
    write_texts,
)
from .phrase_options import PhraseOptions
from .wordtable import PADDING, SEEDS, SENTENCE_END, Run, Words, WordTable

PIECE_IDS = 1 << 17  # ids that a thread takes at a time
WINDOW_IDS = 1 << 12  # ids that are read to find a place to cut; more if they have none
ROUND_IDS = 1 << 23  # ids whose pairs are in memory before they are counted
PART_PAIRS = 1 << 14  # pairs per part, so that its table fits into a cache
MOST_PARTS = 1 << 12
AT_A_TIME = 16  # parts that a thread takes: to hand over one takes about as long as its work
FIRST_SLOTS = 1 << 10  # of the table of a part
TABLE_BYTES = 1 << 31  # of all tables of pairs together, unless all counts are kept


def words_of(words: Iterable[str]) -> Words:
    """Return words as bytes, end to end."""
    if isinstance(words, Words):
        return words
    encoded = [word.encode("utf-8", "surrogateescape") for word in words]
    starts = np.zeros(len(encoded) + 1, np.int64)
    starts[1:] = np.cumsum(np.array([len(word) for word in encoded], np.int64))
    letters = bytearray().join(
        [*encoded, b" " * PADDING]
    )  # Kernels would compile anew for bytes that nobody may change.
    return Words(starts, np.frombuffer(letters, np.uint8))


def run_of(words: Words) -> Run:
    """Return words for a `WordTable`, with zeros as counts."""
    zeros = np.zeros(len(words), np.int64)
    return Run(words.starts, words.letters, zeros, zeros)


class Lexicon:
    """The words of a stream, which of them are connector words, and the chains in it.

    Args:
        words: in order of their ids.
        options: for the delimiter and the connector words.
        steps: chains that are known already, see `Names.steps`.

    Attributes:
        words: the words.
        options: the options.
    """

    def __init__(self, words: Words, options: PhraseOptions, steps: NDArray[np.uint64] | None = None) -> None:
        self.words, self.options = words, options
        self._delimiter = np.frombuffer(options.delimiter.encode("utf-8", "surrogateescape"), np.uint8)
        rows = np.zeros((len(words), 4), np.uint64)
        base, none = SEEDS[0] % np.uint64(PRIME), np.zeros(2, np.uint64)
        of_delimiter = np.zeros((1, 4), np.uint64)
        hash_words(np.array([0, len(self._delimiter)], np.int64), self._delimiter, base, none, of_delimiter)
        self._of_delimiter = of_delimiter[0, :2].copy()
        hash_words(words.starts, words.letters, base, self._of_delimiter, rows)
        if options.connector_words:
            table = WordTable()
            table.add(run_of(words_of(sorted(options.connector_words))))
            rows[:, CONNECTOR] = table.find(run_of(words)) >= 0
        self.n_chains = 0 if steps is None else len(steps)
        room = 1 << max(10, self.n_chains.bit_length())
        self.names = Names(
            rows,
            np.zeros(4 * room, np.uint64),
            np.zeros(room, np.uint64),
            np.zeros(room, np.uint64),
            np.zeros(room, np.uint32),
        )
        if steps is not None:
            self.names.steps[: self.n_chains] = steps
            index_chains(self.names, self.n_chains, self._of_delimiter)

    @property
    def is_connector(self) -> NDArray[np.bool_]:
        """``(n_words,)``: which words are connector words."""
        flags: NDArray[np.bool_] = self.names.rows[:, CONNECTOR] != 0
        return flags

    @property
    def spelling(self) -> Spelling:
        """The words for the kernels that compare or write texts."""
        return Spelling(self.words.starts, self.words.letters, self.names.steps, self._delimiter)

    def delimited(self) -> NDArray[np.int64]:
        """Return the words that hold the delimiter, without connector words: a pair may have the same text."""
        mark = self._delimiter.tobytes()
        letters = self.words.letters[: self.words.starts[-1]].tobytes()
        found, at = [], letters.find(mark)
        while at >= 0:
            word = int(np.searchsorted(self.words.starts, at, "right")) - 1
            if at + len(mark) <= self.words.starts[word + 1]:
                found.append(word)
                at = int(self.words.starts[word + 1]) - 1
            at = letters.find(mark, at + 1)
        delimited = np.array(found, np.int64)
        return delimited[~self.is_connector[delimited]]

    def add_chains(self, ids: NDArray[np.int32]) -> None:
        """Add the chains of a part of a stream."""
        self.names, self.n_chains = grow_chains(ids, self.names, self.n_chains, self._of_delimiter)

    def heads(self, pairs: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the first word of each pair."""
        left = (pairs >> np.uint64(32)).astype(np.int64)
        chained = left >= CHAIN
        left[chained] = self.names.heads[left[chained] - CHAIN]
        return left

    def texts(self, pairs: NDArray[np.uint64]) -> Words:
        """Return the text of each pair."""
        starts = np.zeros(len(pairs) + 1, np.int64)
        lengths = np.empty(len(pairs), np.int64)
        text_lengths(pairs, self.spelling, lengths)
        np.cumsum(lengths, out=starts[1:])
        letters = np.full(int(starts[-1]) + PADDING, 32, np.uint8)
        write_texts(pairs, self.spelling, starts, letters)
        return Words(starts, letters)


# ------------------------------------------------------------------------------------------------------ streams


@dataclass(frozen=True)
class Stream:
    """The ids of a corpus in a file of int32, with SENTENCE_END after each sentence.

    Attributes:
        path: the file.
        n_ids: its length, ends of sentences included.
    """

    path: Path
    n_ids: int

    def read(self, start: int, stop: int) -> NDArray[np.int32]:
        """Return a part of the stream; ``stop`` may be beyond its end."""
        ids = np.fromfile(self.path, np.int32, min(stop, self.n_ids) - start, offset=4 * start)
        if len(ids) != min(stop, self.n_ids) - start:
            raise CorpusError(f"{self.path} changed while it was being read: prepare again")
        return ids

    def pieces(self, names: Names, phrases: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of pieces of about PIECE_IDS, cut as `cut_place` allows."""
        start = 0
        while start < self.n_ids:
            stop, window = start + PIECE_IDS, WINDOW_IDS
            while stop < self.n_ids:
                place = cut_place(self.read(stop, stop + window), names, phrases)
                if place >= 0 or stop + window >= self.n_ids:
                    stop = stop + place if place >= 0 else self.n_ids
                    break
                window *= 2
            yield start, min(stop, self.n_ids)
            start = stop


def stream_of(ingested: Ingested, path: Path, numbers: NDArray[np.int32] | None, workers: int) -> Stream:
    """Write the provisional ids of a corpus as one stream.

    Args:
        ingested: the pass over the text; it must have kept all words.
        path: the file to write.
        numbers: the id of each of ``ingested.words``; None for its place there.
        workers: threads.
    """
    maps = [known if numbers is None else numbers[known] for known in ingested.maps]

    def translate(block: Scanned) -> NDArray[np.int32]:
        ids = np.fromfile(block.path, np.int32, block.n_ids, offset=4 * block.start)
        if len(ids) != block.n_ids:
            raise CorpusError(f"{block.path} changed while it was being read: prepare again")
        number_ids(ids, maps[block.run])
        return ids

    n_ids = 0
    with write_errors(path), open(path, "wb") as file, ThreadPoolExecutor(workers) as pool:
        for ids in _ahead(pool, translate, ingested.blocks, workers):
            file.write(ids.data)
            n_ids += len(ids)
    return Stream(path, n_ids)


def _ahead(pool: ThreadPoolExecutor, work: Any, items: Iterable[Any], workers: int) -> Iterator[Any]:
    """Yield the results of ``work(item)`` in order, while threads compute a few more."""
    waiting: deque[Future[Any]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > 2 * workers:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


# ------------------------------------------------------------------------------------------------------ counting


@dataclass(frozen=True, eq=False)
class PairCounts:
    """The pairs of a corpus.

    Attributes:
        pairs: uint64 ``(n_pairs,)``, distinct pairs.
        counts: int64 ``(n_pairs,)``, how often each pair occurs.
        totals: int64 ``(n_pairs,)``, how often its text occurs, as this pair, as another one, or as a word.
        of_words: int64 ``(n_words,)``, how often each word's text occurs, also as a pair; 0 for connector words.
        n_texts: number of distinct texts of words and pairs, without connector words: gensim's vocabulary size.
    """

    pairs: NDArray[np.uint64]
    counts: NDArray[np.int64]
    totals: NDArray[np.int64]
    of_words: NDArray[np.int64]
    n_texts: int


#: Pairs, how often each occurs, and how often its text does.
_Closed: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class _Known:
    """Pairs with counts, in order of their parts: hashes and pairs, counts, and where the parts start."""

    pairs: NDArray[np.uint64]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, pairs: NDArray[np.uint64], counts: NDArray[np.int64], names: Names, part_bits: int) -> "_Known":
        hashes = hash_pairs(pairs, names)
        parts = np.zeros(len(pairs), np.int64)
        if part_bits:
            parts = (hashes >> np.uint64(64 - part_bits)).astype(np.int64)
        order = np.argsort(parts, kind="stable")
        starts = np.searchsorted(parts[order], np.arange((1 << part_bits) + 1))
        return cls(np.stack([hashes[order], pairs[order]], axis=1), counts[order], starts[None, :].astype(np.int64))


class _Tables:
    """The hash tables of some parts."""

    def __init__(self, first: int, stop: int, part_bits: int) -> None:
        self.first, self.stop, self._bits = first, stop, part_bits
        self.slots = [np.zeros((FIRST_SLOTS, ENTRY), np.uint64) for _ in range(first, stop)]
        self.states = [np.zeros(2, np.int64) for _ in range(first, stop)]

    def add(self, pairs: NDArray[np.uint64], counts: NDArray[np.int64], starts: NDArray[np.int64], column: int) -> None:
        """Add the part in column ``column`` of sorted pairs to the table of that number."""
        self.slots[column] = add_pairs(
            self.slots[column], self.states[column], pairs, counts, starts, column, self._bits
        )


def count_pairs(
    stream: Stream | None,
    lexicon: Lexicon,
    counts: NDArray[np.int64],
    *,
    before: tuple[NDArray[np.uint64], NDArray[np.int64]] | None = None,
    floor: int = 0,
    workers: int = 1,
) -> PairCounts:
    """Count the pairs of a stream.

    Args:
        stream: the ids; None for no text.
        lexicon: its words; this adds its chains.
        counts: int64 ``(n_words,)``, how often each word occurs, also before the stream.
        before: pairs and counts from before the stream.
        floor: leave out pairs whose text is rarer, which saves memory; 0 keeps all.
        workers: threads. They never change the result, except the order of the pairs.
    """
    no_phrases = np.zeros(2, np.uint64)
    if stream is not None and lexicon.is_connector.any():
        for start, stop in stream.pieces(lexicon.names, no_phrases):
            lexicon.add_chains(stream.read(start, stop))
    n_pairs = (0 if stream is None else stream.n_ids) + (0 if before is None else len(before[0]))
    part_bits = min(MOST_PARTS, max(1, n_pairs // PART_PAIRS)).bit_length() - 1
    names, spelling = lexicon.names, lexicon.spelling

    plain_counts = np.where(lexicon.is_connector, 0, counts)
    delimited = lexicon.delimited()
    delimited = delimited[plain_counts[delimited] > 0]
    singles = np.uint64(WORD) << np.uint64(32) | delimited.astype(np.uint64)
    known = [_Known.of(singles, plain_counts[delimited], names, part_bits)]
    if before is not None:
        known.append(_Known.of(*before, names, part_bits))
    pieces = [] if stream is None else list(stream.pieces(names, no_phrases))

    of_words = plain_counts.copy()
    n_texts = int(np.count_nonzero(plain_counts)) - len(delimited)
    kept: list[_Closed] = []

    def close(table: tuple[NDArray[np.uint64], NDArray[np.int64]]) -> tuple[_Closed, int]:
        """Return the pairs of a table, and the number of texts."""
        slots, state = table
        twins = bool(state[1])
        hashes, pairs, counts = entries_of(slots, 0 if twins else floor)
        if not twins:
            return (pairs, counts, counts), int(state[0])
        order = np.argsort(hashes)
        pairs, counts, totals = pairs[order], counts[order], np.empty(len(order), np.int64)
        n = add_up_texts(hashes[order], pairs, counts, spelling, totals)
        common = totals >= floor
        return (pairs[common], counts[common], totals[common]), n

    with ThreadPoolExecutor(workers) as pool:
        for tables in _groups(stream, pieces, known, lexicon, part_bits, floor, pool):
            for (pairs, own, totals), n in _for_each(pool, close, list(zip(tables.slots, tables.states, strict=True))):
                n_texts += n
                single = pairs >> np.uint64(32) == WORD if len(delimited) else np.zeros(0, bool)
                if single.any():
                    of_words[(pairs[single] & np.uint64(0xFFFFFFFF)).astype(np.int64)] = totals[single]
                    pairs, own, totals = pairs[~single], own[~single], totals[~single]
                kept.append((pairs, own, totals))
    all_pairs, all_counts = (np.concatenate([each[column] for each in kept]) for column in (0, 1))
    if all(own is totals for _, own, totals in kept):
        return PairCounts(all_pairs, all_counts, all_counts, of_words, n_texts)
    return PairCounts(all_pairs, all_counts, np.concatenate([totals for _, _, totals in kept]), of_words, n_texts)


def _groups(
    stream: Stream | None,
    pieces: Sequence[tuple[int, int]],
    known: Sequence[_Known],
    lexicon: Lexicon,
    part_bits: int,
    floor: int,
    pool: ThreadPoolExecutor,
) -> Iterator[_Tables]:
    """Yield the filled tables of one group of parts after another."""
    n_parts, names = 1 << part_bits, lexicon.names
    n_pairs = sum(len(each.counts) for each in known) + (0 if stream is None else stream.n_ids)
    # A table of pairs that are all different takes at most 3 times its entries.
    most_bytes = 3 * 8 * ENTRY * n_pairs / n_parts
    no_counts = np.zeros(0, np.int64)
    rounds = list(_rounds(pieces))
    largest = max((sum(stop - start + 1 for start, stop in each) for each in rounds), default=0)
    sorted_pairs = np.empty((largest, 2), np.uint64)
    first = 0
    while first < n_parts:
        # All counts that are kept have to fit into memory anyway.
        size = n_parts if floor == 0 else max(1, int(TABLE_BYTES / max(1.0, most_bytes)))
        tables = _Tables(first, min(first + size, n_parts), part_bits)
        columns = range(tables.stop - first)
        for each in known:
            add = partial(tables.add, each.pairs, each.counts, each.starts[:, first : tables.stop + 1])
            list(_for_each(pool, add, columns))
        for pieces_of_round in rounds:
            assert stream is not None
            starts = np.empty((len(pieces_of_round), len(columns) + 1), np.int64)
            bases = np.cumsum([0, *(stop - start + 1 for start, stop in pieces_of_round)])

            def sort(
                number: int, first: int = first, starts: Any = starts, bases: Any = bases, pieces: Any = pieces_of_round
            ) -> None:
                start, stop = pieces[number]
                # The next piece begins with a word that may be the last one of a pair.
                ids = stream.read(start, stop + 1)
                sort_pairs(ids, names, part_bits, first, int(bases[number]), sorted_pairs, starts[number])

            list(pool.map(sort, range(len(pieces_of_round))))
            list(_for_each(pool, partial(tables.add, sorted_pairs, no_counts, starts), columns))
        used = sum(int(state[0]) for state in tables.states)
        most_bytes = max(1.0, 3 * 8 * ENTRY * used / len(columns))
        first = tables.stop
        yield tables


def _for_each(pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    """Yield ``work(item)`` for each item, computed by threads that take several short works at a time."""

    def some(start: int) -> list[Any]:
        return [work(item) for item in items[start : start + AT_A_TIME]]

    for results in pool.map(some, range(0, len(items), AT_A_TIME)):
        yield from results


def _rounds(pieces: Sequence[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield pieces together, as many as have ROUND_IDS ids."""
    together: list[tuple[int, int]] = []
    for start, stop in pieces:
        if together and stop - together[0][0] > ROUND_IDS:
            yield together
            together = []
        together.append((start, stop))
    if together:
        yield together


# ------------------------------------------------------------------------------------------------------ phrases


def scores_of(
    counts: Sequence[NDArray[np.int64]], n_texts: int, n_tokens: int, options: PhraseOptions
) -> NDArray[np.float64]:
    """Return the scores of pairs.

    Args:
        counts: of their first words, of their last words, and of the pairs.
        n_texts: see `PairCounts`.
        n_tokens: tokens of the corpus.
        options: the kind of score, and its ``min_count``.
    """
    first, second, both = counts
    if options.scoring == "npmi":
        return score_npmi(first, second, both, options.min_count, n_tokens)
    return score_default(first, second, both, options.min_count, n_texts)


def phrases_of(
    found: PairCounts, lexicon: Lexicon, n_tokens: int, options: PhraseOptions
) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Return the pairs that are phrases, sorted, and their scores."""
    common = found.totals >= options.least_count
    pairs, totals = found.pairs[common], found.totals[common]
    first = found.of_words[lexicon.heads(pairs)]
    second = found.of_words[(pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)]
    scores = scores_of([first, second, totals], found.n_texts, n_tokens, options)
    chosen = scores > options.threshold
    pairs, scores = pairs[chosen], scores[chosen]
    order = np.argsort(pairs)
    return pairs[order], scores[order]


def join(
    stream: Stream,
    lexicon: Lexicon,
    pairs: NDArray[np.uint64],
    path: Path,
    workers: int,
) -> tuple[Words, NDArray[np.int64], NDArray[np.int64], list[Scanned]]:
    """Join phrases in a stream.

    Args:
        stream: the ids.
        lexicon: the words and the chains of the stream.
        pairs: the phrases.
        path: the file to write.
        workers: threads.

    Returns:
        The words of the new stream, which are the old ones and the phrases; how often each occurs; where each first
        occurs; and the pieces of the new stream.
    """
    texts = WordTable()
    n_old = len(lexicon.words)
    texts.add(run_of(lexicon.words))
    new_ids = texts.add(run_of(lexicon.texts(pairs)))
    contents = texts.run()
    words = Words(contents.starts, contents.letters)
    slots = np.zeros(4 << len(pairs).bit_length(), np.uint64)
    index_pairs(pairs, new_ids, slots)
    begins = np.zeros(n_old, np.uint8)
    begins[lexicon.heads(pairs)] = 1
    counts, firsts = np.zeros(len(words), np.int64), np.zeros(len(words), np.int64)
    blocks: list[Scanned] = []

    def rewrite(piece: tuple[int, int]) -> tuple[NDArray[np.int32], int]:
        ids = stream.read(*piece)
        joined = np.empty(len(ids), np.int32)
        n, n_ends = join_ids(ids, lexicon.names, slots, begins, joined)
        return joined[:n], n_ends

    n_ids = 0
    with write_errors(path), open(path, "wb") as file, ThreadPoolExecutor(workers) as pool:
        for ids, n_ends in _ahead(pool, rewrite, stream.pieces(lexicon.names, slots), workers):
            file.write(ids.data)
            count_ids(ids, n_ids, counts, firsts)
            is_open = bool(ids[-1] != SENTENCE_END)
            blocks.append(Scanned(len(blocks), path, n_ids, len(ids), n_ends, 0, opens=False, is_open=is_open))
            n_ids += len(ids)
    return words, counts, firsts, blocks


def join_phrases(
    ingested: Ingested, passes: int, options: PhraseOptions, folder: Path, workers: int
) -> tuple[Ingested, list[int]]:
    """Find and join phrases several times, so that a phrase may become a part of a longer one.

    Args:
        ingested: the pass over the text; it must have kept all words.
        passes: how many times.
        options: which pairs are phrases.
        folder: receives files.
        workers: threads.

    Returns:
        The joined corpus, and the number of phrases of each pass.
    """
    words, counts = words_of(ingested.words), ingested.counts
    firsts, blocks = ingested.firsts, ingested.blocks
    stream = stream_of(ingested, folder / "stream-0.i32", None, workers)
    n_phrases: list[int] = []
    maps = ingested.maps
    for number in range(1, passes + 1):
        lexicon = Lexicon(words, options)
        found = count_pairs(stream, lexicon, counts, floor=options.least_count, workers=workers)
        pairs, _ = phrases_of(found, lexicon, int(counts.sum()), options)
        n_phrases.append(len(pairs))
        if number == 1 and len(pairs) == 0:
            doubt(
                f"no two words are a phrase, so nothing is joined: lower {option('phrase_threshold')}, "
                f"{options.threshold:g}, or {option('phrase_min_count')}, {options.min_count}"
            )
        if len(pairs) == 0:
            break
        path = folder / f"stream-{number}.i32"
        words, counts, firsts, blocks = join(stream, lexicon, pairs, path, workers)
        maps = [np.arange(len(words), dtype=np.int32)]
        stream.path.unlink()
        stream = Stream(path, blocks[-1].start + blocks[-1].n_ids)
    joined = replace(ingested, words=words, counts=counts, firsts=firsts, blocks=blocks, maps=maps)
    return joined, n_phrases
