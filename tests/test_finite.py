"""Values that are not finite are found, whatever bits they have, and nothing else is."""

import numpy as np
import pytest

from fastw2v import finite, reference

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
        for function in (finite.row_is_finite, reference.row_is_finite):
            assert [bool(function(M.view(np.uint32), row)) for row in range(3)] == [True, False, True]


@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize(
    ("ids", "first", "rows"), [([], 0, 0), ([1, 4, 1], 0, 0), ([], 4, 3), ([5], 2, 2), ([0], 0, 6)]
)
def test_the_rows_that_are_looked_at(row, ids, first, rows):
    M = matrix(6, 5)
    M[row, 2] = np.nan
    looked_at = {*ids, *(k % 6 for k in range(first, first + rows))}
    for function in (finite.rows_are_finite, reference.rows_are_finite):
        seen = np.zeros(6, np.uint8)
        found = function(M.view(np.uint32), np.array(ids, np.int32), first, rows, seen)
        assert bool(found) == (row not in looked_at)
        if found:
            assert set(np.flatnonzero(seen)) == set(ids)


@pytest.mark.parametrize("which", [0, 1])
def test_a_watch_finds_words_of_the_chunk_at_once_and_others_in_turn(which):
    V, U = matrix(100, 8), matrix(100, 8)
    watch = finite.Watch(V, U)
    chunk = np.array([3, 4] * (5 * finite.TOKENS_PER_ROW), np.int32)  # ten other rows each time
    assert all(watch.all_is_well(chunk) for _ in range(30))
    (V, U)[which][4, 1] = np.inf
    assert not watch.all_is_well(chunk)
    (V, U)[which][4, 1] = 0
    (V, U)[which][77, 1] = np.nan
    assert [watch.all_is_well(chunk) for _ in range(10)].count(False) == 1


def test_with_few_words_every_row_is_looked_at_every_time():
    V, U = matrix(10, 8), matrix(10, 8)
    watch = finite.Watch(V, U)
    U[9, 7] = np.nan
    for _ in range(5):
        assert not watch.all_is_well(np.zeros(10 * finite.TOKENS_PER_ROW, np.int32))
