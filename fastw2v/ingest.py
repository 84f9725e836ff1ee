"""Text becomes ids: one pass over the bytes, on several threads, words numbered as they appear.

A word is a run of bytes between ASCII white space (space, tab, newline, carriage return, vertical tab, form feed);
nothing else is interpreted, so any encoding that keeps ASCII apart works, invalid UTF-8 stays as it is, and a word can
have any length up to WORD_BYTES. A newline ends a sentence, as does the end of a file; blank lines are no sentences.

The text is read in blocks, one after the other, each cut after white space. There is one word table for each worker,
and one thread more than that: while all tables are at work, it reads (and decompresses) the next block. A thread scans
its block into the next free table and appends provisional ids (a table's own numbering, -1 for the end of a sentence)
to that table's file. Which table saw which block is chance; the result is not: a word's count is a sum, ties are broken
by its first place in the corpus, and blocks are put in order by number. `write_ids` then turns provisional ids into
final ones by frequency, in a pass over int32 ids rather than over text again.

A table that reaches its share of TABLE_WORDS, or of TABLE_BYTES, is set aside on disk as a run, and starts afresh. Runs
are merged exactly, a part of all hashes at a time, so memory is bounded by the words that are kept and nothing is lost
to pruning.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import jit
from .errors import CorpusError
from .inputs import display_name, expand, open_text
from .staging import write_errors
from .vocab import check_storable
from .wordtable import PADDING, SENTENCE_END, Run, Words, WordTable, is_space

BLOCK_BYTES = 1 << 20
TABLE_WORDS = 1 << 22  # in all tables together; a word takes 70 to 130 bytes
TABLE_BYTES = 1 << 28  # of letters in all tables together; only a text made to fill memory gets there first
WORD_BYTES = 64 << 20  # a small archive can hold a word without end
JOIN_SECONDS = 2.0


@jit(exact=True)
def last_space(text: NDArray[np.uint8], stop: int) -> int:
    """Return the place after the last white space of ``text[:stop]``, 0 if there is none."""
    while stop > 0:
        if is_space(text[stop - 1]):
            break
        stop -= 1
    return stop


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
        else:
            ids[n_ids] = final_id[word]  # overwritten by the next if it is -1: cheaper than a branch
            n_ids += final_id[word] >= 0
    return n_ids, n_ends


class Scanned(NamedTuple):
    """Where the provisional ids of a block are.

    Attributes:
        number: of the block, from 0.
        path: file of int32 ids.
        start: the first of them in the file, counted in ids.
        n_ids: how many, sentence ends included.
        n_ends: sentence ends among them.
        run: which run's words they number.
        opens: the first is a sentence end: of a sentence of the block before, if one is open there.
        is_open: the last is a word: the sentence goes on in the next block.
    """

    number: int
    path: Path
    start: int
    n_ids: int
    n_ends: int
    run: int
    opens: bool
    is_open: bool


@dataclass(frozen=True, eq=False)
class Ingested:
    """What one pass over a corpus found.

    Attributes:
        words: distinct words, no word that could be kept left out.
        counts: int64, occurrences of each.
        firsts: int64, rising with where in the corpus each word was first seen.
        n_tokens: all tokens.
        n_sentences: sentences with at least one token.
        distinct: distinct words of the corpus, also those that are not in ``words``.
        largest_left_out: the largest count of a word that is not in ``words``.
        blocks: the provisional ids, in order; none starts with the end of a sentence that is not open.
        maps: for each run of words that blocks speak of, the index in ``words`` by provisional id, -1 for none.
        digests: SHA-256 of the first block and of all, in hexadecimal, if asked for.
    """

    words: Sequence[str]
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    n_tokens: int
    n_sentences: int
    distinct: int
    largest_left_out: int
    blocks: Sequence[Scanned]
    maps: Sequence[NDArray[np.int32]]
    digests: tuple[str, str] | None = None


# ------------------------------------------------------------------------------------------------------ reading


class Block(NamedTuple):
    """A piece of text that ends after white space, or with its file.

    Attributes:
        number: of the block, from 0.
        text: the bytes, and at least PADDING spaces after them.
        stop: how many bytes.
        base: bytes of the corpus before it.
        ends_file: it is the last of its file.
    """

    number: int
    text: NDArray[np.uint8]
    stop: int
    base: int
    ends_file: bool

    def digest(self) -> bytes:
        """Return the SHA-256 of the text and of whether its file ends."""
        digest = hashlib.sha256(self.text[: self.stop].data)
        digest.update(b"\1" if self.ends_file else b"\0")
        return digest.digest()


class Feed:
    """Files, one after the other, as blocks of about BLOCK_BYTES; to be used by one thread at a time."""

    def __init__(self, paths: Iterable[str], stack: ExitStack) -> None:
        self._paths = iter(paths)
        self._stack = stack
        self._open = ExitStack()
        self._stack.push(self._leave)
        self._name = ""
        self._read: Callable[[NDArray[np.uint8]], int] | None = None
        self._left = np.empty(0, np.uint8)
        self._number = self._base = 0

    def _leave(self, *exception: object) -> bool | None:
        return self._open.__exit__(*exception)  # type: ignore[arg-type]

    def next_block(self, text: NDArray[np.uint8]) -> Block | None:
        """Read the next block into ``text``, or into a larger array where a word is longer; None after the last."""
        if self._read is None:
            path = next(self._paths, None)
            if path is None:
                return None
            self._name, self._read = self._open.enter_context(open_text(path))
        filled = len(self._left)
        room = max(BLOCK_BYTES, filled)  # not all of an array that a long word has made larger
        if len(text) < room + PADDING:
            text = np.empty(room + PADDING, np.uint8)
        text[:filled] = self._left
        while True:
            filled += self._read(text[filled:room])
            if filled < room:
                stop, ends_file = filled, True
                self._open.close()  # raises if the file has changed
                self._read = None
                break
            stop, ends_file = int(last_space(text, filled)), False
            if stop > 0:
                break
            if filled >= WORD_BYTES:
                raise CorpusError(f"{self._name} has {filled >> 20} MB without white space: these are not words")
            room *= 2  # a word longer than the block
            if len(text) < room + PADDING:
                text = np.concatenate([text[:filled], np.empty(room + PADDING - filled, np.uint8)])
        self._left = text[stop:filled].copy()
        text[stop : stop + PADDING] = 32
        block = Block(self._number, text, stop, self._base, ends_file)
        self._number += 1
        self._base += stop
        return block


def in_threads(work: Callable[[Callable[[], bool]], None], n_threads: int) -> None:
    """Call ``work(stopped)`` on threads and wait; the first error ends them all, and so does Ctrl-C.

    The threads are daemons: one that waits for standard input can't be told to stop.
    """
    stop = threading.Event()
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work(stop.is_set)
        except BaseException as error:
            errors.append(error)
            stop.set()

    threads = [threading.Thread(target=guarded, daemon=True) for _ in range(n_threads)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        deadline = time.monotonic() + JOIN_SECONDS
        for thread in threads:
            if thread.ident is not None:  # the system, or Ctrl-C, may not have let it start
                thread.join(max(0.0, deadline - time.monotonic()))
        raise
    if errors:
        raise errors[0]


def digest_files(paths: Sequence[str], workers: int, first: str | None = None) -> tuple[str, str] | None:
    """Return the digests of a corpus, as `Ingested` has them, or None once the first block's is not ``first``.

    Raises:
        CorpusError: see `inputs.open_text`.
    """
    reading = threading.Lock()
    digests: dict[int, bytes] = {}
    other = threading.Event()
    with ExitStack() as stack:
        feed = Feed(paths, stack)

        def work(stopped: Callable[[], bool]) -> None:
            text = np.empty(0, np.uint8)
            while not stopped() and not other.is_set():
                with reading:
                    block = feed.next_block(text)
                if block is None:
                    return
                text = block.text
                digests[block.number] = block.digest()
                if block.number == 0 and first is not None and digests[0].hex() != first:
                    other.set()

        in_threads(work, workers + 1)
    return None if other.is_set() else _joined(digests)


def _joined(digests: dict[int, bytes]) -> tuple[str, str]:
    whole = hashlib.sha256(b"".join(digests[number] for number in range(len(digests))))
    return digests[0].hex(), whole.hexdigest()


# ------------------------------------------------------------------------------------------------------ scanning


class _Place:
    """A worker's table, the file that its provisional ids go to, and which run it is filling."""

    def __init__(self, path: Path, run: int, bill: Callable[[str], None]) -> None:
        self.path, self.run = path, run
        self.table = WordTable(bill)
        self.file: BinaryIO = open(path, "wb")  # noqa: SIM115
        self.written = 0

    def append(self, ids: NDArray[np.int32]) -> None:
        with write_errors(self.path.parent):
            self.file.write(ids.data)
        self.written += len(ids)


def ingest_files(
    paths: Sequence[str | PathLike[str]],
    folder: Path,
    *,
    workers: int = 1,
    min_count: int = 1,
    max_vocab: int | None = None,
    digested: bool = False,
    bill: Callable[[str], None] = lambda text: None,
) -> Ingested:
    """Number the words of texts, in order; see `inputs` for what a path can be.

    Args:
        paths: files, folders, patterns; ``-`` is standard input.
        folder: where the provisional ids go, in files of int32, and runs of words if there are many.
        workers: tables, and threads that scan; one more reads ahead. They never change the result.
        min_count: words seen less often may be left out of the result.
        max_vocab: words after this many of the most frequent may be, too.
        digested: take digests of the text.
        bill: told before a lot of memory is taken.

    Raises:
        CorpusError: see `inputs.expand` and `inputs.open_text`; or there is no word in any of them.
    """
    files = expand(paths)
    reading, counting = threading.Lock(), threading.Lock()
    runs: dict[int, Run] = {}
    scanned: list[Scanned] = []
    digests: dict[int, bytes] = {}
    free: SimpleQueue[_Place] = SimpleQueue()
    with ExitStack() as stack:
        feed = Feed(files, stack)
        with write_errors(folder):
            places = [_Place(folder / f"provisional-{n}.i32", n, bill) for n in range(workers)]
        for place in places:
            stack.callback(place.file.close)
            free.put(place)
        n_runs = workers

        def work(stopped: Callable[[], bool]) -> None:
            nonlocal n_runs
            text = np.empty(0, np.uint8)
            while not stopped():
                with reading:
                    block = None if stopped() else feed.next_block(text)
                    if block is None:
                        return
                    # with the lock held, so that each table sees its blocks in order: it notes first places only
                    place = free.get()
                try:
                    text = block.text
                    if digested:
                        digests[block.number] = block.digest()
                    ids, n_ends = place.table.scan(text, block.stop, block.base, block.ends_file)
                    if len(ids):
                        ends = ids[[0, -1]] == SENTENCE_END
                        start = place.written
                        place.append(ids)
                        scanned.append(
                            Scanned(block.number, place.path, start, len(ids), n_ends, place.run, ends[0], not ends[1])
                        )
                    if max(len(place.table) / TABLE_WORDS, place.table.n_letters / TABLE_BYTES) * workers >= 1:
                        with write_errors(folder):
                            runs[place.run] = place.table.run().store(folder, f"run-{place.run}")
                        place.table.clear()
                        with counting:
                            place.run, n_runs = n_runs, n_runs + 1
                finally:
                    free.put(place)

        in_threads(work, workers + 1)
        with write_errors(folder):
            for place in places:
                place.file.close()
    return _ingested(files, places, runs, scanned, digests, min_count, max_vocab)


def _ingested(
    files: list[str],
    places: list[_Place],
    stored: dict[int, Run],
    scanned: list[Scanned],
    digests: dict[int, bytes],
    min_count: int,
    max_vocab: int | None,
) -> Ingested:
    blocks, n_sentences = _in_order(scanned)
    n_tokens = sum(block.n_ids - block.n_ends for block in blocks)
    if n_tokens == 0:
        names = ", ".join(map(display_name, files))
        raise CorpusError(f"no words in {names:.200}: the corpus is empty or all white space")
    if stored:
        runs = stored | {place.run: place.table.run() for place in places}
        merged, distinct, left_out = merge(list(runs.values()), min_count, max_vocab)
        with ThreadPoolExecutor(len(places)) as pool:
            maps = dict(zip(runs, pool.map(merged.find, runs.values()), strict=True))
    else:
        largest, *others = sorted(places, key=lambda place: -len(place.table))
        merged, left_out = largest.table, 0
        maps = {largest.run: np.arange(len(merged), dtype=np.int32)}
        for place in others:
            maps[place.run] = merged.add(place.table.run())
        distinct = len(merged)
    found = merged.run()
    return Ingested(
        words=Words(found.starts, found.letters),
        counts=found.counts,
        firsts=found.firsts,
        n_tokens=n_tokens,
        n_sentences=n_sentences,
        distinct=distinct,
        largest_left_out=left_out,
        blocks=blocks,
        maps=[maps[number] for number in range(len(maps))],
        digests=_joined(digests) if digests else None,
    )


def _in_order(scanned: list[Scanned]) -> tuple[list[Scanned], int]:
    """Return the blocks in order, without ends of sentences that were not open, and how many sentences there are."""
    blocks = []
    is_open = False
    for block in sorted(scanned):
        if block.opens and not is_open:
            block = block._replace(start=block.start + 1, n_ids=block.n_ids - 1, n_ends=block.n_ends - 1)
        is_open = block.is_open
        if block.n_ids:
            blocks.append(block)
    return blocks, sum(block.n_ends for block in blocks)


def merge(runs: Sequence[Run], min_count: int, max_vocab: int | None) -> tuple[WordTable, int, int]:
    """Merge runs that do not fit into memory together, exactly: one part of all hashes after the other.

    A word's occurrences are all in one part, so after each part its rare words can go; and where more than twice
    ``max_vocab`` are left, all but the ``max_vocab`` most frequent, ties by first place.

    Returns:
        A table with every word that is among the ``max_vocab`` most frequent and has ``min_count`` occurrences, and
        perhaps more; how many distinct words there are; and the largest count of one that is not in the table.
    """
    n_parts = 1
    n_words, n_letters = (sum(map(len, column)) for column in ([r.counts for r in runs], [r.letters for r in runs]))
    while max(n_words / TABLE_WORDS, n_letters / TABLE_BYTES) > n_parts:
        n_parts *= 2
    survivors = WordTable()
    distinct = left_out = most = 0
    for part in range(n_parts):
        table = WordTable()
        for run in runs:
            table.add(run, part, n_parts)
        found = table.run()
        if len(found.counts) == 0:
            continue
        distinct += len(found.counts)
        kept = found.counts >= min_count
        if not kept.any() and found.counts.max() > most:
            kept[np.argmax(found.counts)] = True  # so that a message can name the most frequent word
        most = max(most, int(found.counts.max()))
        left_out = max(left_out, int(found.counts[~kept].max(initial=0)))
        survivors.add(found.select(kept))
        if max_vocab is not None and len(survivors) > 2 * max_vocab:
            found = survivors.run()
            kept = np.zeros(len(found.counts), bool)
            kept[np.lexsort((found.firsts, -found.counts))[:max_vocab]] = True
            left_out = max(left_out, int(found.counts[~kept].max(initial=0)))
            found = found.select(kept)
            survivors = WordTable()
            survivors.add(found)
    return survivors, distinct, left_out


# ------------------------------------------------------------------------------------------------------ writing


def write_ids(
    ingested: Ingested, final_id: NDArray[np.int32], ids_file: BinaryIO, ends_file: BinaryIO, workers: int = 1
) -> tuple[int, int]:
    """Write final ids and the ends of sentences, from the provisional ids.

    By ordinary writes: through a memory map, a disk that fills up would kill the process.

    Args:
        ingested: the pass over the text.
        final_id: final id of each of ``ingested.words``, -1 for a word that is not kept.
        ids_file: receives int32 ids, all sentences end to end.
        ends_file: receives int64, where each sentence ends.
        workers: threads.

    Returns:
        How many ids and how many ends were written.
    """
    finals = [np.where(known >= 0, final_id[known], np.int32(-1)) for known in ingested.maps]

    def translate(block: Scanned) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        provisional = np.fromfile(block.path, np.int32, block.n_ids, offset=4 * block.start)
        if len(provisional) != block.n_ids:
            raise CorpusError(f"{block.path} changed while it was being read: prepare again")
        ids, ends = np.empty(block.n_ids, np.int32), np.empty(block.n_ends + 1, np.int64)
        n_ids, n_ends = renumber(provisional, finals[block.run], ids, ends, 0)
        return ids[:n_ids], ends[:n_ends]

    done_ids = done_ends = 0

    def write(translated: Future[tuple[NDArray[np.int32], NDArray[np.int64]]]) -> None:
        nonlocal done_ids, done_ends
        ids, ends = translated.result()
        ids_file.write(ids.data)
        ends_file.write((ends + done_ids).data)
        done_ids, done_ends = done_ids + len(ids), done_ends + len(ends)

    with ThreadPoolExecutor(workers) as pool:
        ahead: deque[Future[tuple[NDArray[np.int32], NDArray[np.int64]]]] = deque()
        for block in ingested.blocks:
            ahead.append(pool.submit(translate, block))
            if len(ahead) > workers + 1:
                write(ahead.popleft())
        while ahead:
            write(ahead.popleft())
    return done_ids, done_ends


# ------------------------------------------------------------------------------------------------------ sentences


def ingest_sentences(sentences: Iterable[Iterable[str]], folder: Path) -> Ingested:
    """Number the words of token lists, read once; the provisional ids go to a file in ``folder``.

    Raises:
        CorpusError: a sentence is a string, a token is not a string, is empty, or holds a tab or line break; or there
            is no token at all.
    """
    index: dict[str, int] = {}
    counts = np.zeros(0, np.int64)
    block: list[int] = []
    blocks: list[Scanned] = []
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
        fresh = np.bincount(ids[ids != SENTENCE_END], minlength=len(index))
        n_ends = int(np.count_nonzero(ids == SENTENCE_END))
        blocks.append(Scanned(len(blocks), path, start, len(ids), n_ends, 0, opens=False, is_open=False))
        fresh[: len(counts)] += counts
        counts = fresh
        block.clear()

    with sink:
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
    every = np.arange(len(index))
    return Ingested(
        words=list(index),
        counts=counts,
        firsts=every,
        n_tokens=int(counts.sum()),
        n_sentences=n_sentences,
        distinct=len(index),
        largest_left_out=0,
        blocks=blocks,
        maps=[every.astype(np.int32)],
    )


def _check_token(token: object, sentence: int) -> None:
    if not isinstance(token, str):
        raise CorpusError(
            f"sentence {sentence} has the token {token!r:.60}, not a string: for integer ids use fastw2v.train_ids"
        )
    try:
        check_storable(token)
    except ValueError as reason:
        raise CorpusError(f"sentence {sentence} has the token {token!r:.60}, {reason}: replace it") from None
