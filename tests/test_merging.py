"""Merging what replicas did: against the NumPy reference, against values by hand, and what holds for any deltas."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v import reference
from fastw2v.distributed import merging

COLUMNS = [1, 3, 7, 8, 16, 17, 31, 33, 100, 102]


def nodes_of(seed, nodes, rows, columns, share=0.6, scale=1.0):
    """Deltas of some nodes, with rows that some or all did not touch, and lengths over four orders of magnitude."""
    rng = np.random.default_rng(seed)
    touched = [(rng.random(rows) < share).astype(np.uint8) for _ in range(nodes)]
    sizes = scale * 10 ** rng.uniform(-2, 2, (nodes, rows, 1))
    deltas = (rng.normal(size=(nodes, rows, columns)) * sizes).astype(np.float32)
    for delta, of in zip(deltas, touched, strict=True):
        delta[of == 0] = 0
    return list(deltas), touched


def merged(deltas, touched, module=merging):
    out = np.full(deltas[0].shape, 7, np.float32 if module is merging else np.float64)
    module.mean(deltas, touched, out)
    return out


def assert_close(got, expected, factor=1e-5):
    """Equal up to rounding, which is relative to the length of the row."""
    size = np.abs(expected).max(axis=1, keepdims=True, initial=0)
    assert np.all(np.abs(got - expected) <= factor * size), np.max(np.abs(got - expected) / (size + 1e-30))


def several(test):
    """Give a test the sizes of a merge; the first merge of all compiles, which takes longer than a deadline."""
    sizes = {
        "seed": st.integers(0, 2**32 - 1),
        "nodes": st.integers(1, 6),
        "rows": st.integers(0, 40),
        "columns": st.sampled_from(COLUMNS),
        "share": st.sampled_from([0.0, 0.2, 0.6, 1.0]),
        "scale": st.sampled_from([1e-12, 1e-3, 1.0, 1e12]),
    }
    return settings(deadline=None)(given(**sizes)(test))


@several
def test_merge_equals_reference(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, nodes, rows, columns, share, scale)
    before = [delta.copy() for delta in deltas]
    size = np.max(np.abs(deltas), axis=(0, 2), initial=0)[:, None]  # a sum may cancel
    difference = merged(deltas, touched) - merged(deltas, touched, reference)
    assert np.all(np.abs(difference) <= 1e-5 * size)
    assert all(np.array_equal(a, b) for a, b in zip(deltas, before, strict=True))


@several
def test_one_node_gives_its_delta(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, 1, rows, columns, share, scale)
    assert np.array_equal(merged(deltas, touched), deltas[0])


@several
def test_equal_deltas_give_that_delta(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, 1, rows, columns, share, scale)
    assert_close(merged(deltas * nodes, touched * nodes), deltas[0])


@several
def test_rows_that_nobody_touched_are_zero(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, nodes, rows, columns, share, scale)
    nobody = ~np.any(np.stack(touched), axis=0)
    assert not merged(deltas, touched)[nobody].any()


@several
def test_the_mean_does_not_depend_on_the_order(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, nodes, rows, columns, share, scale)
    order = np.random.default_rng(seed).permutation(nodes)
    size = np.max(np.abs(deltas), axis=(0, 2), initial=0)[:, None]
    difference = merged(deltas, touched) - merged([deltas[n] for n in order], [touched[n] for n in order])
    assert np.all(np.abs(difference) <= 1e-5 * size)


@several
def test_a_row_that_one_node_touched_keeps_its_share(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, nodes, rows, columns, share, scale)
    alone = np.sum(touched, axis=0) == 1
    total = np.sum(deltas, axis=0)
    assert_close(merged(deltas, touched)[alone], total[alone] / nodes)


def by_hand(*rows):
    return np.array(rows, np.float32)


HAND = {  # nodes by rows: equal, at right angles, slanting, opposite, one alone, nobody
    "deltas": [
        by_hand([1, 2, 2], [3, 0, 0], [2, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]),
        by_hand([1, 2, 2], [0, 4, 0], [1, 3, 0], [-2, -2, 0], [5, 6, 7], [0, 0, 0]),
    ],
    "touched": [np.array([1, 1, 1, 1, 0, 0], np.uint8), np.array([1, 1, 1, 1, 1, 0], np.uint8)],
    "mean": by_hand([1, 2, 2], [1.5, 2, 0], [1.5, 1.5, 0], [-0.5, -0.5, 0], [2.5, 3, 3.5], [0, 0, 0]),
}


@pytest.mark.parametrize("module", [merging, reference])
def test_values_by_hand(module):
    assert np.allclose(merged(HAND["deltas"], HAND["touched"], module), HAND["mean"], rtol=1e-6)


def test_three_nodes_by_hand():
    deltas = [by_hand([1, 0]), by_hand([1, 1]), by_hand([0, 4])]
    touched = [np.ones(1, np.uint8)] * 3
    assert np.allclose(merged(deltas, touched), [[2 / 3, 5 / 3]])


@pytest.mark.parametrize("columns", [1, 7, 100])
def test_more_rows_than_stay_in_the_cache(columns, monkeypatch):
    deltas, touched = nodes_of(3, 3, 50, columns)
    whole = merged(deltas, touched)
    for cached in (1, 4 * columns * 7, 4 * columns * 50):
        monkeypatch.setattr(merging, "_CACHED", cached)
        assert np.array_equal(merged(deltas, touched), whole)


def foreign(array):
    """The same values as an array that is neither aligned nor writable, as from another process."""
    raw = b"x" + array.tobytes()
    found = np.frombuffer(memoryview(raw)[1:], array.dtype).reshape(array.shape)
    assert not found.flags.writeable
    return found


@pytest.mark.parametrize("columns", [7, 100])
def test_deltas_of_another_process(columns):
    deltas, touched = nodes_of(4, 3, 20, columns)
    theirs = [foreign(delta) for delta in deltas]
    assert not all(delta.flags.aligned for delta in theirs)
    assert np.array_equal(merged(theirs, [foreign(of) for of in touched]), merged(deltas, touched))


def test_shapes_that_do_not_fit_are_refused():
    out = np.zeros((2, 3), np.float32)
    deltas, touched = [np.zeros((2, 3), np.float32)], [np.zeros(2, np.uint8)]
    for wrong in [
        ([], [], out),
        (deltas * 2, touched, out),
        ([np.zeros((1, 3), np.float32)], touched, out),
        (deltas, [np.zeros(1, np.uint8)], out),
        (deltas, touched, out[:1]),
        (deltas, touched, out[0]),
    ]:
        with pytest.raises(ValueError, match=r"nothing to merge|have shapes"):
            merging.mean(*wrong)


@several
def test_rows_equal_reference(seed, nodes, rows, columns, share, scale):
    deltas, touched = nodes_of(seed, 2, rows, columns, share, scale)
    size = np.max(np.abs(deltas), axis=(0, 2), initial=0)[:, None]
    total, twin = deltas[0].copy(), deltas[0].astype(np.float64)
    merging.add_rows(deltas[1], touched[1], total)
    reference.add_rows(deltas[1], touched[1], twin)
    assert np.all(np.abs(total - twin) <= 1e-6 * size)


@pytest.mark.parametrize("padding", [0, 5])
@several
def test_deltas_are_taken_and_added(padding, seed, nodes, rows, columns, share, scale):
    deltas, _ = nodes_of(seed, 1, rows, columns, share, scale)
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(rows, columns + padding)).astype(np.float32)
    current = base.copy()
    current[:, :columns] += deltas[0]
    results = []
    for module in (merging, reference):
        delta, marks = np.full((rows, columns), 7, np.float32), np.full(rows, 7, np.uint8)
        module.take_delta(current, base, delta, marks)
        assert np.array_equal(delta, current[:, :columns] - base[:, :columns])
        assert np.array_equal(marks, np.any(current != base, axis=1))
        started, now = base.copy(), current.copy()
        now[:, columns:] = 3
        module.add_delta(started, foreign(delta), now)
        assert np.array_equal(started[:, columns:], base[:, columns:])  # padding is nobody's
        assert np.all(now[:, columns:] == 3)
        assert np.array_equal(started[:, :columns], now[:, :columns])
        results.append(started)
    assert np.array_equal(*results)


@pytest.mark.parametrize("columns", [1, 7, 16, 102])
def test_a_change_in_any_column_touches_the_row(columns):
    for column in range(columns):
        for value in (1e-45, np.nan, np.inf):
            base = np.zeros((3, columns), np.float32)
            current, delta, touched = base.copy(), base.copy(), np.zeros(3, np.uint8)
            current[1, column] = value
            merging.take_delta(current, base, delta, touched)
            assert touched.tolist() == [0, 1, 0]


def test_what_is_not_finite_reaches_the_merged_delta():
    for value in (np.nan, np.inf):
        deltas, touched = nodes_of(5, 3, 4, 7, share=1.0)
        deltas[1][2, 3] = value
        assert np.array_equal(np.isfinite(merged(deltas, touched)).all(axis=1), [True, True, False, True])


@given(rows=st.integers(0, 10**12), count=st.integers(1, 200))
@settings(max_examples=200)
def test_parts_cover_all_rows_evenly(rows, count):
    found = merging.parts(rows, count)
    assert len(found) == count
    assert found[0][0] == 0
    assert found[-1][1] == rows
    assert all(a[1] == b[0] for a, b in pairwise(found))
    lengths = {stop - start for start, stop in found}
    assert min(lengths) >= 0
    assert max(lengths) - min(lengths) <= 1


def test_one_node_keeps_its_learning_rate_and_several_get_it_times_nodes():
    assert [merging.rate(nodes) for nodes in (1, 2, 4, 100)] == [1, 2, 4, 4]


def test_rounds_of_an_epoch():
    assert [merging.rounds(nodes) for nodes in (1, 2, 3, 4, 16, 17, 64)] == [2, 6, 14, 24, 24, 26, 96]
