"""Cuts: a partition for any number of workers, only where a block starts."""

from itertools import pairwise

import numpy as np
import pytest

from fastw2v import reference
from fastw2v.kernels.spans import PIECE, cut, next_block, next_cut, sentence_of

UNEVEN = [3, 0, 1, 25_000, 0, 0, 12, PIECE, 1, PIECE + 1, 7, 0]
CORPORA = [
    UNEVEN,
    [1],
    [0, 0, 1, 0],
    [5] * 10_000,
    [100_000],
    [0, PIECE, 0, PIECE, PIECE],
    [PIECE - 1, PIECE, 5],  # a block of nearly two pieces
    [PIECE - 1, 2 * PIECE, 3, 0, PIECE - 2, 7],
    [1] * (2 * PIECE) + [3 * PIECE + 1],
]


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def block_starts(lengths):
    """The rule, word for word: block b starts at the first place at or after b PIECE that is a sentence's start or a
    multiple of PIECE tokens into a longer sentence. The end of the corpus comes last."""
    offsets = offsets_of(lengths)
    total = int(offsets[-1])
    places = {int(first) + k for first, n in zip(offsets, lengths, strict=False) for k in range(0, n, PIECE)} | {total}
    return sorted({min(place for place in places if place >= b) for b in range(0, total + 1, PIECE)} | {total})


@pytest.mark.parametrize("lengths", [*CORPORA, [7], [0, 0, 3, 0, 0, 2, 1, 0]])
def test_the_sentence_of_a_token_is_the_one_that_holds_it(lengths):
    offsets = offsets_of(lengths)
    for place in {*range(30), *range(9_990, 10_040), *(offsets[:40] - 1), *offsets[-40:], int(offsets[-1]) - 1}:
        if 0 <= place < offsets[-1]:
            s = sentence_of(offsets, place)
            assert offsets[s] <= place < offsets[s + 1]
        assert sentence_of(offsets, place) == reference.sentence_of(offsets, place)


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("lengths", CORPORA)
def test_cuts_partition_the_range(lengths, workers):
    offsets = offsets_of(lengths)
    cuts = cut(offsets, 0, int(offsets[-1]), workers)
    assert cuts[0] == 0
    assert cuts[-1] == offsets[-1]
    assert len(cuts) == workers + 1
    assert (np.diff(cuts) >= 0).all()
    assert set(cuts.tolist()) <= set(block_starts(lengths))


@pytest.mark.parametrize("lengths", CORPORA)
def test_blocks_follow_each_other(lengths):
    offsets, starts = offsets_of(lengths), block_starts(lengths)
    for here, following in pairwise(starts):
        holds = int(np.searchsorted(offsets, here, side="right")) - 1
        for sentence in {0, holds}:  # "holds or precedes"
            assert next_block(offsets, sentence, here) == following
            assert reference.next_block(offsets, sentence, here) == following
        assert following - here < 2 * PIECE  # what the kernels have scratch for
    assert next_block(offsets, 0, starts[-1]) == reference.next_block(offsets, 0, starts[-1]) == starts[-1]


@pytest.mark.parametrize("seed", range(20))
def test_next_block_equals_twin(seed):
    rng = np.random.default_rng(seed)
    offsets = offsets_of(rng.integers(0, rng.choice([10, 1000, 30_000]), rng.integers(1, 30)))
    for position in [*rng.integers(0, offsets[-1] + 1, 50), offsets[-1]]:
        sentence = max(int(np.searchsorted(offsets, position, side="right")) - 1 - int(rng.integers(3)), 0)
        got = next_block(offsets, sentence, position)
        assert got == reference.next_block(offsets, sentence, position)
        assert got > position or got == offsets[-1]


@pytest.mark.parametrize("lengths", CORPORA)
def test_next_cut_is_the_first_block_from_there_on(lengths):
    offsets, starts = offsets_of(lengths), block_starts(lengths)
    total = starts[-1]
    near = {place + k for place in [*starts, *range(0, total, PIECE)] for k in range(-12, 13)}
    for place in [*(place for place in sorted(near) if 0 <= place <= total), total + 5]:
        assert next_cut(offsets, place) == next((start for start in starts if start >= place), total)


def test_no_tokens_no_blocks():
    for offsets in (np.zeros(1, np.int64), np.zeros(3, np.int64)):
        assert next_cut(offsets, 0) == 0
        assert cut(offsets, 0, 0, 3).tolist() == [0, 0, 0, 0]


def test_a_cut_of_a_part_stays_within_it():
    offsets = offsets_of([50_000])
    assert cut(offsets, 20_000, 40_000, 4).tolist() == [20_000, 30_000, 30_000, 40_000, 40_000]


def test_every_chunk_moves_on():
    offsets = offsets_of([50_000])
    position, steps = 0, 0
    while position < 50_000:
        position = next_cut(offsets, position + 1)
        steps += 1
    assert steps == 5


def test_even_lines_give_even_work():
    offsets = offsets_of([20] * 50_000)
    lengths = np.diff(cut(offsets, 0, 1_000_000, 7))
    assert lengths.max() - lengths.min() <= PIECE + 40
