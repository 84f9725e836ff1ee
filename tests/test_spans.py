"""Cuts: a partition for any number of workers, only where a cut may stand."""

import numpy as np
import pytest

from fastw2v.pair import PIECE
from fastw2v.spans import cut, next_cut

UNEVEN = [3, 0, 1, 25_000, 0, 0, 12, PIECE, 1, PIECE + 1, 7, 0]


def offsets_of(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def allowed_cuts(lengths):
    offsets = offsets_of(lengths)
    return {int(first + k) for first, n in zip(offsets, lengths, strict=False) for k in range(0, n, PIECE)} | {
        int(offsets[-1])
    }


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("lengths", [UNEVEN, [1], [5] * 100, [100_000]])
def test_cuts_partition_the_range(lengths, workers):
    offsets = offsets_of(lengths)
    cuts = cut(offsets, 0, int(offsets[-1]), workers)
    assert cuts[0] == 0
    assert cuts[-1] == offsets[-1]
    assert len(cuts) == workers + 1
    assert (np.diff(cuts) >= 0).all()
    assert set(cuts.tolist()) <= allowed_cuts(lengths)


def test_next_cut_is_the_first_allowed_place():
    offsets = offsets_of(UNEVEN)
    allowed = sorted(allowed_cuts(UNEVEN))
    for place in [*range(40), *range(9_990, 10_020), *range(24_990, 25_020), 35_016, int(offsets[-1])]:
        assert next_cut(offsets, place) == next(c for c in allowed if c >= place)


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
    assert lengths.max() - lengths.min() <= 40
