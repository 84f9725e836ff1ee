"""Train with a vocabulary other than the text's own: the union of two vocabularies, or a fixed one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, doubt
from ..files.arrays import load_array, write_header
from ..files.staging import write_errors
from ..screen import printable
from ..vocab import Vocab, is_whole_number
from .corpus import BLOCK_IDS, Corpus

FOLDER = "renumbered"  # in the staging folder of a run


def union_of(given: Vocab, found: Vocab, min_count: int = 0, max_vocab: int | None = None) -> Vocab:
    """Return all words of two vocabularies with the sums of their counts, most frequent first.

    Of words with equal counts, those of ``given`` come first, in their order; then the others, in theirs.

    Args:
        given: the vocabulary whose words are all kept.
        found: that of a text, most frequent first.
        min_count: rarer words of the text are left out, unless ``given`` has them.
        max_vocab: so are words that are not among this many of the text; None for no limit.
    """
    known = given.index
    frequent = np.flatnonzero(found.counts >= min_count)[:max_vocab]
    new = [row for row in frequent.tolist() if found.words[row] not in known]
    words = [*given.words, *(found.words[row] for row in new)]
    counts = np.concatenate([given.counts, found.counts[new]])
    rows = rows_in(found, given)
    counts[rows[rows >= 0]] += found.counts[rows >= 0]
    order = np.argsort(-counts, kind="stable")
    return Vocab([words[row] for row in order.tolist()], counts[order], given.checked and found.checked)


def doubt_numbers(given: Vocab, union: Vocab) -> None:
    """Warn if all words were whole numbers, and are no longer: an integer then means a row, and no longer a word."""
    if len(given) and given.all_integers and not union.all_integers:
        other = next(word for word in union.words if word not in given.index and not is_whole_number(word))
        doubt(
            f"all words were whole numbers, and now there is {printable(other)!r:.60}: an integer such as 28 now means "
            "the row 28; write the word as a string, '28'"
        )


def rows_in(vocab: Vocab, other: Vocab) -> NDArray[np.int32]:
    """Return the row in ``other`` of each word of ``vocab``, -1 for a word that it lacks; int32 ``(n_words,)``."""
    index = other.index
    return np.fromiter((index.get(word, -1) for word in vocab.words), np.int32, len(vocab))


@contextmanager
def renumbered(corpus: Corpus, vocab: Vocab, scratch: Path | None) -> Iterator[Corpus]:
    """Yield a corpus with the ids of another vocabulary; words that are not in it are left out.

    The ids go to a file, one block at a time, so this takes no memory for them. ``own_counts`` of the result has the
    counts of the words in this corpus.

    Args:
        corpus: the corpus.
        vocab: the other vocabulary, with counts of its own.
        scratch: the staging folder of the run; None for a temporary folder.

    Raises:
        CorpusError: no word of the corpus is in the vocabulary.
        FolderError: the files can't be written.
    """
    rows = rows_in(corpus.vocab, vocab)
    known = rows >= 0
    own = np.zeros(len(vocab), np.int64)
    own[rows[known]] = corpus.vocab.counts[known]
    if not own.any():
        raise CorpusError(
            f"no word of the corpus is in the vocabulary of {len(vocab):,} words: check the language, and upper and "
            "lower case"
        )
    ready = replace(corpus, vocab=vocab, own_counts=own)
    if np.array_equal(rows, np.arange(len(rows))):
        yield ready
    elif scratch is None:
        with TemporaryDirectory(prefix="fastw2v-") as temporary:
            yield _translated(ready, rows, Path(temporary))
    else:
        with write_errors(scratch):
            (scratch / FOLDER).mkdir()
        yield _translated(ready, rows, scratch / FOLDER)


def _translated(corpus: Corpus, rows: NDArray[np.int32], folder: Path) -> Corpus:
    """Return the corpus with the ids ``rows[id]``, mapped from files in ``folder``."""
    all_known = bool((rows >= 0).all())
    assert corpus.own_counts is not None
    with write_errors(folder), open(folder / "ids.npy", "wb") as ids, open(folder / "offsets.npy", "wb") as offsets:
        write_header(ids, np.int32, int(corpus.own_counts.sum()))
        write_header(offsets, np.int64, len(corpus.offsets))
        _write(corpus, rows, ids, None if all_known else offsets)
    loaded: dict[str, Any] = {"ids": load_array(folder / "ids.npy", np.int32)}
    if not all_known:
        loaded["offsets"] = load_array(folder / "offsets.npy", np.int64)
    return replace(corpus, **loaded)


def _write(corpus: Corpus, rows: NDArray[np.int32], ids_file: BinaryIO, offsets_file: BinaryIO | None) -> None:
    """Write the new ids of all words that have one, and the offsets, which move if a word has none."""
    n_tokens, written, first = len(corpus.ids), 0, 0
    for start in range(0, n_tokens, BLOCK_IDS):
        stop = min(start + BLOCK_IDS, n_tokens)
        ids = rows[corpus.ids[start:stop]]
        kept = ids >= 0
        if offsets_file is not None:
            last = len(corpus.offsets) if stop == n_tokens else int(np.searchsorted(corpus.offsets, stop))
            before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)]) + written
            for place in range(first, last, BLOCK_IDS):
                offsets = corpus.offsets[place : min(place + BLOCK_IDS, last)]
                offsets_file.write(before[offsets - start].data)
            first = last
        ids_file.write(ids[kept].data)
        written += int(np.count_nonzero(kept))
        corpus.let_go()
