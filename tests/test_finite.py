"""Values that are not finite are found, whatever bits they have, and nothing else is."""

import numpy as np
import pytest

from fastw2v import reference
from fastw2v.training import finite

BAD = [np.inf, -np.inf, np.nan, -np.nan]
GOOD = [0.0, -0.0, 1e-45, -1e-45, np.finfo(np.float32).max, np.finfo(np.float32).min]


def matrix(rows, columns):
    return np.random.default_rng(0).choice(np.array(GOOD, np.float32), (rows, columns))


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("columns", [1, 7, 16, 37])
def test_every_place_of_a_row_is_looked_at(bad, columns):
    for column in range(columns):
        M = matrix(3, columns)
        assert finite.all_finite(M)
        M[1, column] = bad
        assert not finite.all_finite(M)


@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize(("words", "start", "stop"), [([], 0, 6), ([1, 4, 1], 0, 6), ([0, 2, 3], 2, 4), ([5], 2, 5)])
def test_the_rows_that_are_looked_at(row, words, start, stop):
    M = matrix(6, 5)
    M[row, 2] = np.nan
    for module in (finite, reference):
        marked = np.zeros(6, np.uint8)
        module.mark_words(np.array(words, np.int32), marked)
        assert set(np.flatnonzero(marked)) == set(words)
        found = module.rows_are_finite(M.view(np.uint32), marked, start, stop)
        assert bool(found) == (row not in words or not start <= row < stop)


@pytest.fixture(params=[1, 3])
def watched(request):
    V, U = matrix(101, 8), matrix(101, 8)
    watch = finite.Watch([V, U], request.param)
    yield V, U, watch
    watch.close()


@pytest.mark.parametrize("which", [0, 1])
def test_a_watch_finds_words_of_the_chunk_at_once_and_others_in_turn(watched, which):
    *matrices, watch = watched
    chunk = np.array([3, 4] * (5 * finite.TOKENS_PER_ROW), np.int32)  # ten other rows each time
    assert all(watch.all_is_well(chunk) for _ in range(30))
    matrices[which][4, 1] = np.inf
    assert not any(watch.all_is_well(chunk) for _ in range(30))
    matrices[which][4, 1] = 0
    for row in (0, 77, 100):
        matrices[which][row, 1] = np.nan
        assert [watch.all_is_well(chunk) for _ in range(101)].count(False) == 10
        matrices[which][row, 1] = 0


def test_with_few_words_every_row_is_looked_at_every_time(watched):
    _, U, watch = watched
    chunk = np.zeros(101 * finite.TOKENS_PER_ROW, np.int32)
    assert watch.all_is_well(chunk)
    for row in range(101):
        U[row, 7] = np.nan
        assert not watch.all_is_well(chunk)
        U[row, 7] = 0
