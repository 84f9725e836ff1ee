"""The pairwise kernel against its NumPy twin, on the same random stream."""

import numpy as np
import pytest

from fastw2v import reference
from fastw2v.kernels import pair, parallel, sampling
from fastw2v.kernels.records import LOSS, LOSS_PAIRS, PAIRS, TRAINED, Model, Rate, Sampling, Text, Tiling, aligned_zeros
from fastw2v.kernels.spans import PIECE, cut

SIZES = [1, 7, 100, 102]
N_WORDS = 30


def matrices(d, scale=0.5, seed=0):
    rng = np.random.default_rng(seed)
    return ((rng.normal(size=(N_WORDS, d)) * scale).astype(np.float32) for _ in "VU")


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("negatives", [[], [3], [3, 4, 5, 6, 7], [3, 3, 9, 3]])
def test_update_pair_equals_twin(d, negatives):
    V, U = matrices(d)
    twin_V, twin_U = V.astype(np.float64), U.astype(np.float64)
    negatives = np.array(negatives, np.int32)
    got = pair.update_pair(V, U, 2, 8, negatives, np.float32(0.05), np.empty(d, np.float32))
    expected = reference.update_pair(twin_V, twin_U, 2, 8, negatives, np.float32(0.05), np.empty(d))
    assert got == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(V, twin_V, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(U, twin_U, rtol=1e-5, atol=1e-6)


def test_update_pair_step_is_the_gradient_by_finite_differences():
    """The kernel returns its loss, so the production code itself can be differenced."""
    d, alpha, h = 7, np.float32(1e-2), 1e-2
    negatives = np.array([1, 5, 6], np.int32)
    V, U = matrices(d)

    def loss(v, u):
        return pair.update_pair(v.copy(), u.copy(), 2, 8, negatives, np.float32(0), np.empty(d, np.float32))

    new_V, new_U = V.copy(), U.copy()
    pair.update_pair(new_V, new_U, 2, 8, negatives, alpha, np.empty(d, np.float32))
    for matrix, new, rows in [(V, new_V, [2, 3]), (U, new_U, [8, 1, 5, 6, 7])]:
        for row in rows:
            for k in range(d):
                above, below = matrix.copy(), matrix.copy()
                above[row, k] += h
                below[row, k] -= h
                both = [(x, U) if matrix is V else (V, x) for x in (above, below)]
                slope = (loss(*both[0]) - loss(*both[1])) / (2 * h)
                assert (new - matrix)[row, k] / alpha == pytest.approx(-slope, abs=2e-3)


@pytest.mark.parametrize("logit", [0.0, 30.0, -30.0, 1e4, -1e4])
def test_update_pair_survives_extreme_logits(logit):
    V, U = np.full((2, 1), 1, np.float32), np.array([[logit], [-logit]], np.float32)
    twin_V, twin_U = V.astype(np.float64), U.astype(np.float64)
    negatives = np.array([1, 1], np.int32)
    got = pair.update_pair(V, U, 0, 0, negatives, np.float32(0.025), np.empty(1, np.float32))
    expected = reference.update_pair(twin_V, twin_U, 0, 0, negatives, np.float32(0.025), np.empty(1))
    assert got == pytest.approx(expected, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(V, twin_V, rtol=1e-4)
    np.testing.assert_allclose(U, twin_U, rtol=1e-4)


def test_a_thousand_wrong_negatives_do_not_overflow_the_loss():
    V, U = np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)
    got = pair.update_pair(V, U, 0, 0, np.ones(1000, np.int32), np.float32(0), np.empty(1, np.float32))
    assert got == pytest.approx(1001 * np.log(2))


def test_nan_is_reported_not_hidden():
    V, U = matrices(7)
    U[8, 3] = np.nan
    assert np.isnan(pair.update_pair(V, U, 2, 8, np.zeros(0, np.int32), np.float32(0.1), np.empty(7, np.float32)))


def corpus(lengths, seed=1):
    ids = np.random.default_rng(seed).zipf(1.3, sum(lengths)) % N_WORDS
    return ids.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def both_chunks(lengths, cuts, d, window=5, negative=5, sample=1e-2, twin_dtype=np.float64):
    """Run kernel and twin over the same cuts with the same streams; return both sides' V, U, tally and rng."""
    ids, offsets = corpus(lengths)
    counts = np.bincount(ids, minlength=N_WORDS)
    noise, keep = sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, sample)
    V, U = matrices(d, 0.1)
    sides = []
    for chunk, dtype in [(parallel.train_chunk, np.float32), (reference.train_chunk, twin_dtype)]:
        workers = parallel.Workers.create(len(cuts) - 1, 7, window, negative, d)
        V_side, U_side = V.astype(dtype), U.astype(dtype)
        rows = workers.rows._replace(floats=workers.rows.floats.astype(dtype))
        model, sampled = Model(V_side, U_side, d), Sampling(noise, keep, window, negative)
        taken = np.full(1, len(workers))
        chunk(Text(ids, offsets), np.array(cuts), model, sampled, Rate(0.05, -1e-6), rows, taken)
        sides.append((V_side, U_side, workers.rows.tally, workers.rows.rng))
    return sides


def assert_same(kernel, twin):
    np.testing.assert_allclose(kernel[0], twin[0], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(kernel[1], twin[1], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(kernel[2][:, LOSS], twin[2][:, LOSS], rtol=1e-5)
    counts = [PAIRS, TRAINED, LOSS_PAIRS]
    np.testing.assert_array_equal(kernel[2][:, counts], twin[2][:, counts])
    np.testing.assert_array_equal(kernel[3], twin[3])  # the very same number of draws


@pytest.mark.parametrize("d", SIZES)
def test_span_equals_twin(d):
    kernel, twin = both_chunks([13, 0, 1, 40, 2, 0, 0, 9, 60], [0, 125], d)
    assert_same(kernel, twin)
    assert twin[2][0, PAIRS] > 100


@pytest.mark.parametrize(("window", "negative"), [(1, 1), (2, 5), (15, 20)])
def test_span_equals_twin_for_other_windows_and_negatives(window, negative):
    assert_same(*both_chunks([13, 0, 1, 40], [0, 54], 7, window, negative))


def test_span_equals_twin_across_the_pieces_of_a_long_sentence():
    # subsampling so strong that the halo has to be looked for far away
    assert_same(*both_chunks([4, PIECE + 300, 5], [0, PIECE + 309], 7, sample=1e-4))


def test_span_equals_twin_when_cut_inside_a_sentence():
    lengths = [30, 50, 20]
    kernel, twin = both_chunks(lengths, [40, 55], 7, sample=0.1)
    assert_same(kernel, twin)


def test_vectorised_arithmetic_in_float32_agrees_with_float32():
    assert_same(*both_chunks([40, 40], [0, 80], 100, twin_dtype=np.float32))


def run_kernel(cuts_of_chunks, lengths, d=16):
    ids, offsets = corpus(lengths)
    counts = np.bincount(ids, minlength=N_WORDS)
    noise, keep = sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, 1e-2)
    V, U = matrices(d, 0.1)
    workers = parallel.Workers.create(1, 7, 5, 5, d)
    for cuts in cuts_of_chunks:
        parallel.run_chunk(
            Text(ids, offsets),
            np.array(cuts),
            Model(V, U, V.shape[1]),
            Sampling(noise, keep, 5, 5),
            Rate(0.05, -1e-6),
            workers,
        )
    return V, U, workers


def test_one_worker_is_bit_identical_and_blind_to_chunks():
    lengths = [13, 0, 200, 2 * PIECE + 77, 0, 40]
    total = sum(lengths)
    once = run_kernel([[0, total]], lengths)
    again = run_kernel([[0, total]], lengths)
    pieces = run_kernel([[0, 13], [13, 213], [213, 213 + PIECE], [213 + PIECE, total]], lengths)
    for other in (again, pieces):
        np.testing.assert_array_equal(once[0], other[0])
        np.testing.assert_array_equal(once[1], other[1])
        np.testing.assert_array_equal(once[2].rows.rng, other[2].rows.rng)
    assert pieces[2].rows.tally[0, LOSS] == pytest.approx(once[2].rows.tally[0, LOSS], rel=1e-12)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 7])
def test_every_token_is_a_centre_exactly_once(n_workers):
    """With a word of its own per token, a changed row means "visited", and the tally shows "no more than once"."""
    from fastw2v.kernels.spans import cut

    lengths = [3, 0, 2, 25_000, 0, 0, 12, PIECE, 2, PIECE + 1, 7, 0]
    total = sum(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.random.default_rng(0).permutation(total).astype(np.int32)
    noise = sampling.noise_table(np.ones(total, np.int64), 0.75)
    keep = sampling.keep_thresholds(np.ones(total, np.int64), 0)
    V, U = np.ones((total, 1), np.float32), np.ones((total, 1), np.float32)
    workers = parallel.Workers.create(n_workers, 1, 2, 1, 1)
    position, n_chunks = 0, 0
    from fastw2v.kernels.spans import next_cut

    while position < total:
        stop = next_cut(offsets, position + 17_000)
        cuts = cut(offsets, position, stop, n_workers)
        parallel.run_chunk(
            Text(ids, offsets), cuts, Model(V, U, V.shape[1]), Sampling(noise, keep, 2, 1), Rate(0.05, 0.0), workers
        )
        position, n_chunks = stop, n_chunks + 1
    assert n_chunks > 1
    assert workers.rows.tally[:, TRAINED].sum() == total
    assert (V != 1).all()


def test_worker_rows_share_no_cache_line():
    workers = parallel.Workers.create(3, 1, 5, 5, 7)
    for array in workers.rows:
        assert array.ctypes.data % 64 == 0
        assert array.strides[0] % 64 == 0


def test_sentence_ends_are_walls():
    """Words that never share a sentence never meet: rows of U stay apart."""
    ids = np.array([0, 1, 2, 3], np.int32)
    offsets = np.array([0, 2, 4], np.int64)
    keep = sampling.keep_thresholds(np.ones(4, np.int64), 0)
    noise = sampling.noise_table(np.array([0, 0, 0, 0, 1]), 0.75)  # noise is word 4 alone
    V, U = np.eye(5, dtype=np.float32), np.zeros((5, 5), np.float32)
    workers = parallel.Workers.create(1, 1, 5, 3, 5)
    parallel.run_chunk(
        Text(ids, offsets),
        np.array([0, 4]),
        Model(V, U, V.shape[1]),
        Sampling(noise, keep, 5, 3),
        Rate(0.05, 0.0),
        workers,
    )
    assert U[0].nonzero()[0].tolist() == [1]
    assert U[1].nonzero()[0].tolist() == [0, 1] or U[1].nonzero()[0].tolist() == [0]
    assert not U[:2, 2:4].any()
    assert not U[2:4, :2].any()


@pytest.mark.parametrize("tiling", [None, Tiling(8, 24, 1, 5)])
@pytest.mark.parametrize("n_workers", [1, 2, 3, 7])
def test_every_span_is_trained_once_by_whoever_is_free(n_workers, tiling):
    ids, offsets = corpus([100] * 2_000)
    counts = np.bincount(ids, minlength=N_WORDS)
    noise, keep = sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, 0)
    results = []
    for n_spans in (1, 2, 40):
        V, U = (aligned_zeros(N_WORDS, 16, np.float32) + np.float32(0.01) for _ in "VU")
        workers = parallel.Workers.create(n_workers, 1, 1, 1, 16, tiling)
        cuts = cut(offsets, 0, len(ids), n_spans)
        parallel.run_chunk(
            Text(ids, offsets), cuts, Model(V, U, V.shape[1]), Sampling(noise, keep, 1, 1), Rate(0.01, 0.0), workers
        )
        assert workers.rows.tally[:, TRAINED].sum() == len(ids)
        assert workers.rows.tally[:, PAIRS].sum() == 2 * 99 * 2_000
        results.append(V)
    if n_workers == 1:  # bit for bit
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])


def identity_run(offsets, cuts, window=5, alpha=1e-6, step=0.0, passes=1, negative=1):
    """Count pairs by what they leave behind.

    Every token is a word of its own, V is the identity, U starts at 0 and the rate is tiny: every logit stays 0, so a
    pair (c, o) adds rate / 2 to U[o, c] and nothing else. The one noise word is not in the text.
    """
    n = int(offsets[-1])
    V = np.zeros((n + 1, n), np.float32)
    V[:n] = np.eye(n, dtype=np.float32)
    U = np.zeros_like(V)
    noise = sampling.noise_table(np.array([0] * n + [1]), 0.75)
    keep = sampling.keep_thresholds(np.ones(n + 1, np.int64), 0)
    workers = parallel.Workers.create(len(cuts) - 1, 5, window, negative, n)
    ids = np.arange(n, dtype=np.int32)
    for _ in range(passes):
        parallel.run_chunk(
            Text(ids, np.array(offsets)),
            np.array(cuts),
            Model(V, U, V.shape[1]),
            Sampling(noise, keep, window, negative),
            Rate(alpha, step),
            workers,
        )
    return U[:n]


@pytest.mark.parametrize("cuts", [[0, 60], [0, 31, 60]])
def test_pairs_by_brute_force(cuts):
    """Which pairs are trained and how often, derived without pieces, halos or twins."""
    window, n, passes = 4, 60, 400
    counts = identity_run([0, n], cuts, window, passes=passes).T / 0.5e-6  # (centre, outside)
    for distance in range(-n + 1, n):
        share = max(0, (window - abs(distance) + 1) / window) if distance else 0  # reach is uniform on 1..window
        seen = np.diag(counts, distance)
        spread = np.sqrt(passes * share * (1 - share))
        np.testing.assert_allclose(seen, passes * share, atol=5 * spread + 0.5)


def test_the_rate_follows_the_position():
    offsets = np.arange(0, 41, 2)
    U = identity_run(offsets, [0, 40], window=1, alpha=1e-6, step=1e-8)
    for first in range(0, 40, 2):
        for c, o in ((first, first + 1), (first + 1, first)):
            assert U[o, c] == pytest.approx((1e-6 + 1e-8 * first) / 2, rel=1e-3)


def test_noise_never_is_the_outside_word_but_may_be_the_centre():
    """Text "0 1", noise always word 0: (centre 0, outside 1) draws it K times, (centre 1, outside 0) never."""
    V, U = np.eye(2, dtype=np.float32), np.zeros((2, 2), np.float32)
    noise = sampling.noise_table(np.array([1, 0]), 0.75)
    keep = sampling.keep_thresholds(np.ones(2, np.int64), 0)
    workers = parallel.Workers.create(1, 1, 5, 3, 2)
    ids, offsets = np.array([0, 1], np.int32), np.array([0, 2])
    parallel.run_chunk(
        Text(ids, offsets),
        np.array([0, 2]),
        Model(V, U, V.shape[1]),
        Sampling(noise, keep, 5, 3),
        Rate(1e-6, 0.0),
        workers,
    )
    np.testing.assert_allclose(U, 0.5e-6 * np.array([[-3, 1], [1, 0]]), rtol=1e-3, atol=1e-12)


def test_run_chunk_sets_threads_and_holds_the_lock(monkeypatch):
    import numba

    seen = []

    def spy(text, cuts, *rest):
        seen.append((parallel.ENTRY.locked(), numba.get_num_threads()))

    monkeypatch.setattr(parallel, "train_chunk", spy)
    for n in (2, 3):
        workers = parallel.Workers.create(n, 1, 5, 5, 4)
        parallel.run_chunk(
            Text(None, None),
            np.zeros(9, np.int64),
            Model(None, None, 4),
            Sampling(None, None, 5, 5),
            Rate(0.1, 0),
            workers,
        )
    assert seen == [(True, min(n, parallel.MAX_THREADS)) for n in (2, 3)]
    assert not parallel.ENTRY.locked()


@pytest.mark.parametrize("window", [1, 5, 333])
def test_scratch_has_room_for_a_piece_and_two_halos(window):
    workers = parallel.Workers.create(2, 1, window, 7, 5)
    assert workers.rows.tokens.shape[1] >= PIECE + 2 * window
    assert workers.rows.negatives.shape[1] >= 7
    assert workers.rows.floats.shape[1] >= 5
    np.testing.assert_array_equal(workers.rows.rng[:, 0], sampling.spawn_streams(1, 2))


BOUNDS = """
import numpy as np
from fastw2v.kernels import parallel, sampling
from fastw2v.kernels.records import Model, Rate, Sampling, Text
from fastw2v.kernels.spans import PIECE
offsets = np.array([0, 0, 5, 5, 5 + 2 * PIECE + 9, 6 + 2 * PIECE + 9, 6 + 2 * PIECE + 9])
n = int(offsets[-1])
ids = (np.arange(n) % 11).astype(np.int32)
noise, keep = sampling.noise_table(np.ones(11, np.int64), 0.75), sampling.keep_thresholds(np.ones(11, np.int64), 0)
V, U = np.ones((11, 3), np.float32), np.ones((11, 3), np.float32)
for window in (1, 40):
    workers = parallel.Workers.create(3, 1, window, 2, 3)
    for cuts in ([0, 5, PIECE + 5, n], [3, 3, n - 1, n]):
        parallel.train_chunk(
            Text(ids, offsets), np.array(cuts), Model(V, U, 3), Sampling(noise, keep, window, 2), Rate(0.01, 0.0),
            workers.rows, np.full(1, 3),
        )
"""


@pytest.mark.slow
def test_nothing_is_read_or_written_out_of_bounds(tmp_path):
    import os
    import subprocess
    import sys

    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", BOUNDS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
