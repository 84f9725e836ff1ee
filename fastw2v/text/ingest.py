"""Turn text into ids, in one pass over the bytes on several threads, numbering words as they appear.

A word is a sequence of bytes between ASCII white space (space, tab, newline, carriage return, vertical tab, form feed).
Nothing else is interpreted: any encoding that extends ASCII works, invalid UTF-8 is kept, and a word may be up to
WORD_BYTES long. A newline ends a sentence, and so does the end of a file; blank lines are not sentences.

The text is read in blocks that end after white space. Each worker has a word table, and there is one more thread than
workers: while all tables are busy, it reads (and decompresses) the next block. A thread scans its block into the next
free table and appends provisional ids to that table's file: the table's own numbering, and -1 at the end of a sentence.
Chance decides which table gets which block, but it does not affect the result: counts are sums, the first place in the
corpus breaks ties, and blocks are sorted by number. Then `write_ids` turns provisional ids into final ids by frequency:
a pass over int32 ids takes the place of a second pass over the text.

A table that reaches its share of TABLE_WORDS or TABLE_BYTES is written to disk as a run and cleared. Runs are merged
exactly, one part of all hash values at a time, so memory is bounded by the words that are kept and no count is lost.
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..files.staging import write_errors
from ..kernels._jit import jit
from .doubts import doubts_of, lone_returns, tally_of
from .inputs import display_name, expand, open_text, repeats
from .wordtable import PADDING, SENTENCE_END, Run, Words, WordTable, is_space

BLOCK_BYTES = 1 << 20
TABLE_WORDS = 1 << 22  # words in all tables together; a word takes 70 to 130 bytes
TABLE_BYTES = 1 << 28  # letters in all tables together; only a text crafted to fill memory reaches this limit first
WORD_BYTES = 64 << 20  # A small archive can hold an endless word.
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
    """Turn a block of provisional ids into final ids, dropping words that have none.

    Args:
        provisional: a table's own ids, with SENTENCE_END after each sentence.
        final_id: final id of each provisional one, -1 for a word that is not kept.
        ids: output, as long as the block.
        ends: output, as long as the block: the end of each sentence that ends in it, counted from the corpus's start.
        n_before: number of final ids in earlier blocks.

    Returns:
        The number of ids and of ends written.
    """
    n_ids = n_ends = 0
    for i in range(len(provisional)):
        word = provisional[i]
        if word == SENTENCE_END:
            ends[n_ends] = n_before + n_ids
            n_ends += 1
        else:
            ids[n_ids] = final_id[word]  # If it is -1, the next id overwrites it: cheaper than a branch.
            n_ids += final_id[word] >= 0
    return n_ids, n_ends


class Scanned(NamedTuple):
    """The place of a block's provisional ids.

    Attributes:
        number: number of the block, from 0.
        path: file of int32 ids.
        start: position of the first id in the file, counted in ids.
        n_ids: number of ids, including sentence ends.
        n_ends: sentence ends among them.
        run: number of the run whose words the ids refer to.
        opens: the first id is a sentence end, which closes the previous block's sentence if that is open.
        is_open: the last id is a word, so the sentence continues in the next block.
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
    """The result of one pass over a corpus.

    Attributes:
        words: distinct words, including every word that may be kept.
        counts: int64, occurrences of each word.
        firsts: int64, ordered as the places where the words first appear in the corpus.
        n_tokens: all tokens.
        n_sentences: sentences with at least one token.
        distinct: number of distinct words in the corpus, including those that are not in ``words``.
        largest_left_out: the largest count of a word that is not in ``words``.
        blocks: the provisional ids, in order; none starts with the end of a sentence that is not open.
        maps: for each run of words, the index in ``words`` by provisional id, -1 for none.
        digests: SHA-256 of the first block and of all blocks, in hexadecimal, if requested.
        doubts: what is doubtful about the text, a sentence each.
        repeats: the same of files that were given more than once.
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
    doubts: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------------------ reading


class Block(NamedTuple):
    """A piece of text that ends after white space, or with its file.

    Attributes:
        number: number of the block, from 0.
        text: the bytes, followed by at least PADDING spaces.
        stop: number of bytes.
        base: bytes of the corpus before the block.
        ends_file: whether it is the last block of its file.
    """

    number: int
    text: NDArray[np.uint8]
    stop: int
    base: int
    ends_file: bool

    def digest(self) -> bytes:
        """Return the SHA-256 of the text and of ``ends_file``."""
        digest = hashlib.sha256(self.text[: self.stop].data)
        digest.update(b"\1" if self.ends_file else b"\0")
        return digest.digest()


class Feed:
    """Files, one after another, as blocks of about BLOCK_BYTES; only one thread may use it at a time."""

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
        """Read the next block into ``text``, or into a new array if a word does not fit; None after the last block."""
        if self._read is None:
            path = next(self._paths, None)
            if path is None:
                return None
            self._name, self._read = self._open.enter_context(open_text(path))
        filled = len(self._left)
        room = max(BLOCK_BYTES, filled)  # A long word may have enlarged the array: do not fill all of it.
        if len(text) < room + PADDING:
            text = np.empty(room + PADDING, np.uint8)
        text[:filled] = self._left
        while True:
            filled += self._read(text[filled:room])
            if filled < room:
                stop, ends_file = filled, True
                self._open.close()  # This raises if the file has changed.
                self._read = None
                break
            stop, ends_file = int(last_space(text, filled)), False
            if stop > 0:
                break
            if filled >= WORD_BYTES:
                raise CorpusError(f"{self._name} has {filled >> 20} MB without white space: is it text?")
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
    """Call ``work(stopped)`` on threads and wait; the first error stops them all, and so does Ctrl-C.

    The threads are daemons, because a thread that waits for standard input can't be stopped.
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
            if thread.ident is not None:  # The system or Ctrl-C may have kept it from starting.
                thread.join(max(0.0, deadline - time.monotonic()))
        raise
    if errors:
        raise errors[0]


def digest_files(paths: Sequence[str], workers: int, first: str | None = None) -> tuple[str, str] | None:
    """Return the digests of a corpus, as in `Ingested`; None as soon as the first block's digest is not ``first``.

    Raises:
        CorpusError: see `inputs.open_text`.
    """
    reading = threading.Lock()
    digests: dict[int, bytes] = {}
    differs = threading.Event()
    with ExitStack() as stack:
        feed = Feed(paths, stack)

        def work(stopped: Callable[[], bool]) -> None:
            text = np.empty(0, np.uint8)
            while not stopped() and not differs.is_set():
                with reading:
                    block = feed.next_block(text)
                if block is None:
                    return
                text = block.text
                digests[block.number] = block.digest()
                if block.number == 0 and first is not None and digests[0].hex() != first:
                    differs.set()

        in_threads(work, workers + 1)
    return None if differs.is_set() else _joined(digests)


def _joined(digests: dict[int, bytes]) -> tuple[str, str]:
    whole = hashlib.sha256(b"".join(digests[number] for number in range(len(digests))))
    return digests[0].hex(), whole.hexdigest()


# ------------------------------------------------------------------------------------------------------ scanning


class _Place:
    """A worker's table, the file of its provisional ids, and the number of the run that it fills."""

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
    """Number the words of texts, in order.

    Args:
        paths: files, folders and patterns, as in `inputs`; ``-`` is standard input.
        folder: receives the provisional ids, in files of int32, and runs of words if there are many.
        workers: number of tables and of scanning threads; one more thread reads ahead. They never change the result.
        min_count: less frequent words may be missing from the result.
        max_vocab: words beyond this many of the most frequent may be missing as well.
        digested: compute digests of the text.
        bill: called with a remark before a lot of memory is used.

    Raises:
        CorpusError: see `inputs.expand`, `inputs.repeats` and `inputs.open_text`; or the texts hold no word.
    """
    files = expand(paths)
    repeated = repeats(files)
    reading, counting = threading.Lock(), threading.Lock()
    runs: dict[int, Run] = {}
    scanned: list[Scanned] = []
    returns: list[int] = []
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
                    # Under the lock each table sees its blocks in order; it notes only a word's first place.
                    place = free.get()
                try:
                    text = block.text
                    if digested:
                        digests[block.number] = block.digest()
                    ids, n_ends = place.table.scan(text, block.stop, block.base, block.ends_file)
                    returns.append(lone_returns(block.text[: block.stop], n_ends))
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
    ingested = _ingested(files, places, runs, scanned, digests, min_count, max_vocab, sum(returns))
    return replace(ingested, repeats=repeated)


def _ingested(
    files: list[str],
    places: list[_Place],
    stored: dict[int, Run],
    scanned: list[Scanned],
    digests: dict[int, bytes],
    min_count: int,
    max_vocab: int | None,
    n_returns: int,
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
    contents = merged.run()
    tally = tally_of(runs.values() if stored else [contents])  # Rare words may be missing after a merge.
    return Ingested(
        words=Words(contents.starts, contents.letters),
        counts=contents.counts,
        firsts=contents.firsts,
        n_tokens=n_tokens,
        n_sentences=n_sentences,
        distinct=distinct,
        largest_left_out=left_out,
        blocks=blocks,
        maps=[maps[number] for number in range(len(maps))],
        digests=_joined(digests) if digests else None,
        doubts=doubts_of(tally, n_tokens, n_sentences, n_returns),
    )


def _in_order(scanned: list[Scanned]) -> tuple[list[Scanned], int]:
    """Return the blocks in order, without ends of sentences that were not open, and the number of sentences."""
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
    """Merge runs that do not fit into memory together, exactly, one part of all hash values after another.

    All occurrences of a word are in the same part. So after each part this drops its rare words. If more than twice
    ``max_vocab`` words are left, it keeps only the ``max_vocab`` most frequent; the first place breaks ties.

    Returns:
        A table of at least all words that are among the ``max_vocab`` most frequent and occur ``min_count`` times;
        the number of distinct words; and the largest count of a word that is not in the table.
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
            kept[np.argmax(found.counts)] = True  # A message can then name the most frequent word.
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

    It uses ordinary writes, because a full disk would kill a process that writes through a memory map.

    Args:
        ingested: the pass over the text.
        final_id: final id of each of ``ingested.words``, -1 for a word that is not kept.
        ids_file: receives int32 ids, all sentences end to end.
        ends_file: receives the end of each sentence, int64.
        workers: threads.

    Returns:
        The number of ids and of ends written.
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
