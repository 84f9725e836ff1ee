"""The tile kernel: against its NumPy twin on the same random stream, and against what skip-gram asks for."""

import ctypes
import mmap
import subprocess
import sys
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from fastw2v import reference
from fastw2v.kernels import parallel, sampling, tile
from fastw2v.kernels.records import (
    LOSS,
    LOSS_PAIRS,
    PAIRS,
    TRAINED,
    Ahead,
    Model,
    Rate,
    Sampling,
    Shared,
    Text,
    Tile,
    Tiling,
    Worker,
    aligned_zeros,
)
from fastw2v.kernels.spans import PIECE, cut, next_cut
from fastw2v.kernels.tile import SPARE

SIZES = [1, 15, 16, 100, 300, 1000]
N_WORDS = 40


def matrices(d, scale=0.5, seed=0, n_words=N_WORDS):
    """V and U as the kernel wants them, the padding zero."""
    rng = np.random.default_rng(seed)
    both = [aligned_zeros(n_words, -(-d // 16) * 16, np.float32) for _ in "VU"]
    for matrix in both:
        matrix[:, :d] = rng.normal(size=(n_words, d)) * scale
    return both


def int32(values):
    return np.array(values, np.int32)


# ------------------------------------------------------------------------------------------------------- one tile_step


def ragged(T, C, seed):
    """Context ranges of any kind: empty, long, not in order."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, C + 1, T)
    return first, np.minimum(first + rng.integers(0, 12, T) * rng.integers(0, 2, T), C)


def windows(T, C, seed):
    """Context ranges of a text: centre i is contexts[5 + i], each reach is 1..5, and some sentences end."""
    rng = np.random.default_rng(seed)
    middle, reach = 5 + np.arange(T), rng.integers(1, 6, T)
    return np.maximum(middle - reach, 0), np.minimum(np.minimum(middle + reach + 1, 5 + T // 2 + 3), C)


def a_tile(d, T, N=24, ranges=ragged, skip=None, seed=0, scale=None, spare=7.0):
    """What tile_step is given: few words, so that every row is met again and again; scratch full of NaN."""
    rng = np.random.default_rng(seed)
    C = T + 10
    V, U = matrices(d, scale or 0.7 / d**0.25, seed)
    first, last = ranges(T, C, seed)
    weights = np.full(T * N + SPARE, spare, np.float32)
    weights[: T * N] = rng.random(T * N) * rng.integers(0, 2, T * N)
    floats, integers = tile.tile_scratch(T, C, N, V.shape[1])
    return {
        "V": V,
        "U": U,
        "centres": int32(rng.integers(0, N_WORDS // 2, T)),
        "contexts": int32(rng.integers(0, N_WORDS // 2, C)),
        "first": int32(first),
        "last": int32(np.maximum(first, last)),
        "skip": -T - 1 if skip is None else skip,
        "negatives": int32(rng.integers(0, N_WORDS, N)),  # some are contexts, some repeated
        "weights": weights,
        "alpha": np.float32(0.05),
        "vector_size": d,
        "want_loss": True,
        "ahead": int32([0, 1, N_WORDS - 1]),
        "negatives_ahead": int32([3]),
        "floats": np.full(floats, np.nan, np.float32),
        "integers": np.full(integers, 2**31 - 1, np.int32),
    }


def arguments_of(case):
    """The arguments of tile_step, in records."""
    c = dict(case)
    tile_ = Tile(c["centres"], c["contexts"], c["first"], c["last"], c["skip"])
    model, shared = Model(c["V"], c["U"], c["vector_size"]), Shared(c["negatives"], c["weights"])
    ahead = Ahead(c["ahead"], c["negatives_ahead"])
    return model, tile_, shared, c["alpha"], c["want_loss"], ahead, c["floats"], c["integers"]


def both_steps(case):
    """Run kernel and twin on copies; return (loss, V, U) of each."""
    sides = []
    for step, dtype in [(tile.tile_step, np.float32), (reference.tile_step, np.float64)]:
        side = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in case.items()}
        for name in "VU":
            side[name] = side[name].astype(dtype)
        sides.append((step(*arguments_of(side)), side["V"], side["U"]))
    return sides


def assert_same_step(case):
    kernel, twin = both_steps(case)
    assert kernel[0] == pytest.approx(twin[0], rel=1e-5, abs=1e-6)
    for got, expected in zip(kernel[1:], twin[1:], strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
        assert not got[:, case["vector_size"] :].any()


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("ranges", [ragged, windows])
def test_step_equals_twin(d, ranges):
    for T, seed in product([1, 2, 3, 7, 64], range(3)):
        assert_same_step(a_tile(d, T, ranges=ranges, seed=seed))
        assert_same_step(a_tile(d, T, ranges=ranges, seed=seed, skip=5))


@pytest.mark.parametrize("N", [12, 36, 60])
def test_step_equals_twin_for_other_numbers_of_noise_words(N):
    for T in range(1, 14):
        assert_same_step(a_tile(15, T, N, windows, skip=5, seed=T))


def test_step_equals_twin_wherever_the_contexts_of_few_centres_stand():
    for T, C in [(1, 11), (2, 7), (5, 9)]:
        for begin, length in product(range(C + 1), range(C + 1)):
            case = a_tile(7, T)
            case["contexts"] = case["contexts"][:C].copy()
            case["first"][:] = begin
            case["last"][:] = np.clip(begin + length - np.arange(T), begin, C)
            assert_same_step(case)


def test_a_tile_may_be_one_pair():
    case = a_tile(16, 1, 12)
    case |= {"contexts": int32([7]), "first": int32([0]), "last": int32([1])}
    assert_same_step(case)
    for begin in (0, 1):  # or none
        case |= {"first": int32([begin]), "last": int32([begin])}
        assert_same_step(case)


def test_a_centre_is_left_out_of_its_own_contexts():
    case = a_tile(5, 4)
    case |= {"centres": int32([1, 1, 1, 1]), "contexts": int32([30, 31, 32, 33]), "skip": 0}
    case |= {"first": int32([0, 1, 2, 3]), "last": int32([1, 2, 3, 4])}  # each has itself alone
    case["weights"][:] = 0
    loss, V, U = both_steps(case)[0]
    assert loss == 0
    np.testing.assert_array_equal(V, case["V"])
    np.testing.assert_array_equal(U, case["U"])


def test_the_loss_is_optional_and_changes_nothing():
    case = a_tile(100, 7)
    with_loss, without = both_steps(case)[0], both_steps(case | {"want_loss": False})[0]
    assert without[0] == 0.0 < with_loss[0]
    np.testing.assert_array_equal(with_loss[1], without[1])
    np.testing.assert_array_equal(with_loss[2], without[2])
    assert reference.tile_step(*arguments_of(case | {"want_loss": False})) == 0.0


def test_nothing_that_is_not_an_argument_matters():
    """Neither the rows to prefetch, nor what scratch holds, nor the weights past the last one."""
    case = a_tile(15, 3, 12, spare=0.0)
    other = case | {"ahead": int32([]), "negatives_ahead": int32([]), "floats": np.full_like(case["floats"], 3e38)}
    other["integers"] = np.zeros_like(case["integers"])
    other["weights"] = case["weights"].copy()
    other["weights"][3 * 12 :] = np.nan
    for got, expected in zip(both_steps(other)[0], both_steps(case)[0], strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("d", [1, 7])
def test_step_is_the_gradient_by_finite_differences(d):
    """The kernel returns its loss, so the production code itself can be differenced."""
    h, case = 1e-2, a_tile(d, 7, 12, windows, skip=5)

    def loss(name, row, k, delta):
        moved = case[name].copy()
        moved[row, k] += delta
        at_rest = case | {"V": case["V"].copy(), "U": case["U"].copy(), "alpha": np.float32(0)}
        return tile.tile_step(*arguments_of(at_rest | {name: moved}))

    new = case | {"V": case["V"].copy(), "U": case["U"].copy(), "alpha": np.float32(1e-3)}
    tile.tile_step(*arguments_of(new))
    for name, row, k in product("VU", range(N_WORDS), range(d)):
        slope = (loss(name, row, k, h) - loss(name, row, k, -h)) / (2 * h)
        assert (new[name] - case[name])[row, k] / 1e-3 == pytest.approx(-slope, abs=5e-3)


@pytest.mark.parametrize("logit", [0.0, 30.0, -30.0, 1e4, -1e4])
def test_step_survives_extreme_logits(logit):
    case = a_tile(1, 2, 12)
    case["V"][:, 0], case["U"][:, 0] = 1, logit
    case["first"][:], case["last"][:] = 0, 12
    kernel, twin = both_steps(case)
    assert kernel[0] == pytest.approx(twin[0], rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(kernel[1], twin[1], rtol=1e-4)
    np.testing.assert_allclose(kernel[2], twin[2], rtol=1e-4)


def test_nan_is_reported_not_hidden():
    for name, row in [("V", "centres"), ("U", "contexts"), ("U", "negatives")]:
        case = a_tile(7, 5, ranges=windows)
        case[name][case[row][3], 2] = np.nan
        case["weights"][:] = 1
        loss, V, U = both_steps(case)[0]
        assert np.isnan(loss)
        assert np.isnan(V).any()
        assert np.isnan(U).any()


# ---------------------------------------------------------------------------------------------------- blocks and spans


def corpus(lengths, seed=1):
    ids = np.random.default_rng(seed).zipf(1.3, sum(lengths)) % N_WORDS
    return ids.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@pytest.mark.parametrize("window", [1, 5, 15])
@pytest.mark.parametrize("sample", [0, 1e-2])
def test_block_equals_twin(window, sample):
    lengths = [13, 0, 1, 40, 2, 0, 0, 90, 3]
    ids, offsets = corpus(lengths)
    keep = sampling.keep_thresholds(np.bincount(ids, minlength=N_WORDS), sample)
    total = len(ids)
    for start, stop in [(0, total), (0, 13), (20, 70), (13, 14), (60, 61), (100, total), (56, 146), (30, 30)]:
        sides = []
        for read in (tile.read_block, reference.read_block):
            rng = np.array([start + 5], np.uint64)
            tokens, left, right = (np.full(2 * PIECE + 2 * window + 1, -1, np.int32) for _ in range(3))
            sampled = Sampling(np.zeros(1, np.uint64), keep, window, 5)
            worker = parallel.Workers.create(1, 1, window, 5, 16)[0]._replace(rng=rng, tokens=tokens)
            sentence = int(np.searchsorted(offsets, start, side="right")) - 1
            low, n, high = read(Text(ids, offsets), sentence, start, stop, sampled, worker, left, right)
            sides.append((low, n, high, tokens[low:high], left[window:n], right[window:n], rng[0]))
        for got, expected in zip(*sides, strict=True):
            np.testing.assert_array_equal(got, expected)


def both_chunks(lengths, cuts, d, window=5, negative=5, tiling=Tiling(64, 24, 1, 8), sample=1e-2, passes=1):  # noqa: B008
    """Run kernel and twin over the same cuts with the same streams; return both sides' V, U, tally and rng."""
    ids, offsets = corpus(lengths)
    counts = np.bincount(ids, minlength=N_WORDS)
    noise, keep = sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, sample)
    cuts, sides = np.array(cuts, np.int64), []
    sampled, rate = Sampling(noise, keep, window, negative), Rate(0.03, -1e-6)

    def twin(text, cuts, model, sampled, rate, workers):
        reference.tile_chunk(0, text, cuts, model, sampled, tiling, rate, workers.rows, np.full(1, len(workers)))

    for chunk, dtype in [(parallel.run_chunk, np.float32), (twin, np.float64)]:
        V, U = (matrix.astype(dtype) for matrix in matrices(d, 0.3 / d**0.5))
        workers = parallel.Workers.create(len(cuts) - 1, 7, window, negative, V.shape[1], tiling)
        for _ in range(passes):
            chunk(Text(ids, offsets), cuts, Model(V, U, d), sampled, rate, workers)
        assert not V[:, d:].any()
        assert not U[:, d:].any()
        sides.append((V, U, workers.rows.tally, workers.rows.rng))
    return sides


def assert_same(kernel, twin):
    np.testing.assert_allclose(kernel[0], twin[0], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(kernel[1], twin[1], rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(kernel[2][:, LOSS], twin[2][:, LOSS], rtol=1e-5)
    columns = [PAIRS, TRAINED, LOSS_PAIRS]
    np.testing.assert_array_equal(kernel[2][:, columns], twin[2][:, columns])
    np.testing.assert_array_equal(kernel[3], twin[3])  # the very same number of draws
    assert twin[2][:, PAIRS].sum() > 0


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("window", [1, 5, 15])
def test_span_equals_twin(d, window):
    kernel, twin = both_chunks([13, 0, 1, 40, 2, 0, 0, 9, 60, 1, 1, 1], [0, 128], d, window)
    assert_same(kernel, twin)


@pytest.mark.parametrize("window", [1, 5, 15])
@pytest.mark.parametrize(
    "tiling",
    [
        Tiling(8, 24, 1, 8),
        Tiling(64, 24, 2, 8),  # strips that are the left and the right half
        Tiling(32, 12, 3, 2),  # strips that are not, and none for window 1 at all; tiles that end early
        Tiling(16, 36, 40, 1),  # more strips than distances
        Tiling(5, 48, 2, 1),
        Tiling(1, 12, 1, 1),
    ],
)
def test_span_equals_twin_for_other_tilings(window, tiling):
    for negative in (1, 20):
        assert_same(*both_chunks([13, 0, 1, 40, 2, 0, 0, 9, 60], [0, 125], 15, window, negative, tiling))


def test_span_equals_twin_over_every_size_of_last_tile():
    for n in range(2, 20):
        assert_same(*both_chunks([n], [0, n], 4, 2, 5, Tiling(8, 12, 1, 3), sample=0))


@pytest.mark.parametrize("tiling", [Tiling(64, 24, 1, 8), Tiling(8, 12, 3, 2)])
def test_span_equals_twin_across_the_blocks_of_a_long_sentence(tiling):
    # subsampling so strong that the halo has to be looked for far away
    lengths = [4, 2 * PIECE + 300, 5, PIECE - 7, 30]
    kernel, twin = both_chunks(lengths, [0, sum(lengths)], 7, tiling=tiling, sample=1e-4)
    assert_same(kernel, twin)
    assert 100 < twin[2][0, TRAINED] < 3000


def test_span_equals_twin_when_cut_inside_a_sentence():
    assert_same(*both_chunks([30, 50, 20], [40, 55], 7, sample=0.1))


def test_chunk_equals_twin_for_several_workers_and_passes():
    # the workers' spans are empty, or one worker's alone: nothing races
    assert_same(*both_chunks([30, 50, 20], [0, 0, 100, 100], 7, passes=3))


def one_worker(window, negative, width, tiling, seed=5):
    """The record of one worker."""
    return parallel.Workers.create(1, seed, window, negative, width, tiling)[0]


def run_kernel(cuts_of_chunks, lengths, d=16):
    ids, offsets = corpus(lengths)
    counts = np.bincount(ids, minlength=N_WORDS)
    noise, keep = sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, 1e-1)
    V, U = matrices(d, 0.1)
    workers = parallel.Workers.create(1, 7, 5, 5, V.shape[1], Tiling(32, 24, 1, 3))
    for cuts in cuts_of_chunks:
        parallel.run_chunk(
            Text(ids, offsets), np.array(cuts), Model(V, U, d), Sampling(noise, keep, 5, 5), Rate(0.05, -1e-6), workers
        )
    return V, U, workers


def test_one_worker_is_bit_identical_and_blind_to_chunks():
    lengths = [13, 0, 200, 2 * PIECE + 77, 0, 40, PIECE, PIECE, 3]
    ids, offsets = corpus(lengths)
    total = len(ids)
    places = [0]
    while places[-1] < total:
        places.append(next_cut(offsets, places[-1] + 1))
    assert len(places) > 5
    once, again = run_kernel([[0, total]], lengths), run_kernel([[0, total]], lengths)
    pieces = run_kernel([list(cuts) for cuts in pairwise(places)], lengths)
    assert np.isfinite(once[0]).all()
    for other in (again, pieces):
        np.testing.assert_array_equal(once[0], other[0])
        np.testing.assert_array_equal(once[1], other[1])
        np.testing.assert_array_equal(once[2].rows.rng, other[2].rows.rng)
        np.testing.assert_allclose(once[2].rows.tally, other[2].rows.tally, rtol=1e-12)


@pytest.mark.parametrize("n_workers", [1, 2, 3, 7])
def test_every_token_is_a_centre_exactly_once(n_workers):
    """With a word of its own per token, a changed row means "visited", and the tally shows "no more than once"."""
    lengths = [3, 0, 2, 25_000, 0, 0, 12, PIECE, 2, PIECE + 1, 7, 0]
    total = sum(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.random.default_rng(0).permutation(total).astype(np.int32)
    noise = sampling.noise_table(np.ones(total, np.int64), 0.75)
    keep = sampling.keep_thresholds(np.ones(total, np.int64), 0)
    V, U = matrices(1, n_words=total)
    V[:, 0] = U[:, 0] = 1
    workers = parallel.Workers.create(n_workers, 1, 2, 1, 16, Tiling(64, 24, 1, 8))
    position, n_chunks = 0, 0
    while position < total:
        stop = next_cut(offsets, position + 17_000)
        cuts = cut(offsets, position, stop, n_workers)
        parallel.run_chunk(
            Text(ids, offsets), cuts, Model(V, U, 1), Sampling(noise, keep, 2, 1), Rate(0.05, 0.0), workers
        )
        position, n_chunks = stop, n_chunks + 1
    assert n_chunks > 1
    assert workers.rows.tally[:, TRAINED].sum() == total
    assert (V[:, 0] != 1).all()
    assert not V[:, 1:].any()
    assert not U[:, 1:].any()


# --------------------------------------------------------------------- which pairs, without pieces, halos, tiles, twins


def identity_run(ids, offsets, cuts, tiling, window=5, alpha=1e-6, step=0.0, passes=1, negative=1, dropped=0):
    """Count pairs by what they leave behind.

    V is the identity, U starts at 0 and the rate is tiny: every logit stays 0, so a pair (c, o) adds rate / 2 to
    U[o, c] and nothing else. The one noise word is not in the text. The last ``dropped`` words do not survive
    subsampling. The spans between cuts are run one after the other, so that no update is lost to a race.
    """
    n = int(ids.max()) + 1
    V, U = matrices(n, 0, n_words=n + 1)
    V[:n, :n] = np.eye(n)
    noise = sampling.noise_table(np.array([0] * n + [1]), 0.75)
    keep = sampling.keep_thresholds(np.ones(n + 1, np.int64), 0)
    keep[n - dropped : n] = 0
    worker = one_worker(window, negative, V.shape[1], tiling)
    sampled = Sampling(noise, keep, window, negative)
    for _ in range(passes):
        for start, stop in pairwise(cuts):
            tile.tile_span(Text(ids, offsets), start, stop, Model(V, U, n), sampled, tiling, Rate(alpha, step), worker)
    return U[:n, :n], worker.tally


def assert_window_counts(counts, window, passes):
    """Counts (centre, outside) of n consecutive words: the reach is uniform on 1..window."""
    n = len(counts)
    for distance in range(-n + 1, n):
        share = max(0, (window - abs(distance) + 1) / window) if distance else 0
        spread = np.sqrt(passes * share * (1 - share))
        np.testing.assert_allclose(np.diag(counts, distance), passes * share, atol=5 * spread + 0.5)


TILINGS = [Tiling(8, 12, 1, 8), Tiling(8, 12, 3, 8), Tiling(7, 24, 2, 1), Tiling(64, 24, 1, 8)]


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("cuts", [[0, 60], [0, 31, 60]])
def test_pairs_by_brute_force(tiling, cuts):
    window, n, passes = 4, 60, 400
    U, tally = identity_run(np.arange(n, dtype=np.int32), np.array([0, n]), cuts, tiling, window, passes=passes)
    assert_window_counts(U.T / 0.5e-6, window, passes)
    assert tally[TRAINED] == passes * n
    assert tally[PAIRS] == pytest.approx(U.sum() / 0.5e-6, rel=1e-3)


@pytest.mark.parametrize("tiling", TILINGS)
def test_no_pair_is_lost_where_blocks_meet(tiling):
    """Forty words around the seam of two blocks of one sentence; all the others are dropped."""
    window, n, passes = 6, 40, 400
    ids = np.full(2 * PIECE, n, np.int32)
    ids[100 : 100 + n // 4] = np.arange(n // 4)  # far from the seam, and near it once the others are gone
    ids[PIECE - 20 : PIECE - 20 + 3 * n // 4] = np.arange(n // 4, n)
    for cuts in ([0, 2 * PIECE], [0, PIECE, 2 * PIECE]):
        U, tally = identity_run(ids, np.array([0, len(ids)]), cuts, tiling, window, passes=passes, dropped=1)
        assert_window_counts(U.T[:n, :n] / 0.5e-6, window, passes)
        assert not U[n].any()
        assert tally[TRAINED] == passes * n


@pytest.mark.parametrize("tiling", TILINGS)
def test_sentence_ends_are_walls(tiling):
    """Words that never share a sentence never meet; those of one that fits the window always can."""
    offsets = np.cumsum([0, 1, 2, 3, 1, 5, 0, 9, 1, 1, 12, 4])
    n = int(offsets[-1])
    U, _ = identity_run(np.arange(n, dtype=np.int32), offsets, [0, n], tiling, window=12, passes=60)
    sentence = np.searchsorted(offsets, np.arange(n), side="right")
    together = (sentence[:, None] == sentence) & ~np.eye(n, dtype=bool)
    np.testing.assert_array_equal(U > 1e-7, together)


@pytest.mark.parametrize("tiling", TILINGS)
def test_the_rate_follows_the_block(tiling):
    lengths = [2] * 20 + [PIECE, 2, 2]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.full(offsets[-1], 8, np.int32)
    ids[:4], ids[-4:] = np.arange(4), np.arange(4, 8)
    U, _ = identity_run(ids, offsets, [0, len(ids)], tiling, window=1, alpha=1e-6, step=1e-10, dropped=1)
    for first, position in [(0, 0), (2, 0), (4, PIECE + 40), (6, PIECE + 40)]:
        assert U[first, first + 1] == pytest.approx((1e-6 + 1e-10 * position) / 2, rel=1e-3)
        assert U[first + 1, first] == pytest.approx((1e-6 + 1e-10 * position) / 2, rel=1e-3)


@pytest.mark.parametrize("tiling", [Tiling(64, 24, 1, 8), Tiling(8, 12, 2, 1)])
def test_noise_never_is_the_outside_word_but_may_be_the_centre(tiling):
    """Text "0 1", noise always word 0: (centre 0, outside 1) has it K times, (centre 1, outside 0) never."""
    V, U = matrices(2, 0, n_words=2)
    V[:, :2] = np.eye(2)
    noise = sampling.noise_table(np.array([1, 0]), 0.75)
    keep = sampling.keep_thresholds(np.ones(2, np.int64), 0)
    workers = parallel.Workers.create(1, 1, 5, 3, 16, tiling)
    ids, offsets = np.array([0, 1], np.int32), np.array([0, 2])
    parallel.run_chunk(
        Text(ids, offsets), np.array([0, 2]), Model(V, U, 2), Sampling(noise, keep, 5, 3), Rate(1e-6, 0.0), workers
    )
    np.testing.assert_allclose(U[:, :2], 0.5e-6 * np.array([[-3, 1], [1, 0]]), rtol=1e-3, atol=1e-12)


# ------------------------------------------------------------------------------------------- the mean is the SGNS step


class SmallCorpus:
    """Six words, three sentences: the expected gradient can be summed up term by term."""

    window, d, n_words = 3, 3, 6

    def __init__(self, repeats=1):
        rng = np.random.default_rng(3)
        lengths = [9, 1, 14] * repeats
        self.ids = np.minimum(rng.geometric(0.4, sum(lengths)) - 1, self.n_words - 1).astype(np.int32)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        self.weights = sampling.noise_weights(np.bincount(self.ids, minlength=self.n_words), 0.75)
        self.noise = sampling.build_alias(self.weights)
        self.keep = np.full(self.n_words, sampling.ALWAYS, np.uint32)
        self.V, self.U = matrices(self.d, 1.0, 5, self.n_words)

    def expected(self, negative, own_is_noise=False):
        """Loss, pairs, dJ/dV and dJ/dU: sum over pairs times their probability, plus K times the mean noise term."""
        V, U = (matrix[:, : self.d].astype(np.float64) for matrix in (self.V, self.U))
        P = self.weights / self.weights.sum()
        loss, pairs, dV, dU = 0.0, 0.0, np.zeros_like(V), np.zeros_like(U)
        for s in range(len(self.offsets) - 1):
            sentence = self.ids[self.offsets[s] : self.offsets[s + 1]]
            for (i, c), (j, o) in product(enumerate(sentence), repeat=2):
                share = max(0.0, (self.window - abs(i - j) + 1) / self.window) if i != j else 0.0
                # (target, label, how often in the mean)
                noise = [(w, 0, negative * P[w]) for w in range(self.n_words) if w != o or own_is_noise]
                for w, label, times in [(o, 1, 1.0), *noise]:
                    x = U[w] @ V[c]
                    error = reference.logistic(x) - label
                    loss -= share * times * reference.log_logistic(x if label else -x)
                    dV[c] += share * times * error * U[w]
                    dU[w] += share * times * error * V[c]
                pairs += share
        return loss, pairs, dV, dU

    def runs(self, negative, tiling, n, alpha):
        """Yield the tally and the step / alpha of each of n spans, all from the same V and U."""
        worker = one_worker(self.window, negative, self.V.shape[1], tiling)
        text, sampled = Text(self.ids, self.offsets), Sampling(self.noise, self.keep, self.window, negative)
        tally = worker.tally
        for _ in range(n):
            tally[:] = 0
            V, U = self.V.copy(), self.U.copy()
            model = Model(V, U, self.d)
            tile.tile_span(text, 0, len(self.ids), model, sampled, tiling, Rate(alpha, 0.0), worker)
            yield tally, np.stack([V - self.V, U - self.U])[:, :, : self.d] / alpha


def standard_errors(tiling, n=6000, negative=2):
    """How many standard errors the mean step is away from minus the gradient, for several notions of the gradient."""
    text, alpha = SmallCorpus(), 1e-4
    steps = np.array([step for _, step in text.runs(negative, tiling, n, alpha)])
    mean, error = steps.mean(0), steps.std(0) / np.sqrt(n)
    return {
        name: np.abs((mean + np.stack(text.expected(k, own)[2:])) / (error + 1e-3)).max()
        for name, k, own in [("right", negative, False), ("one more", negative + 1, False), ("own", negative, True)]
    }


@pytest.mark.parametrize(
    "tiling", [Tiling(64, 24, 1, 64), Tiling(8, 12, 1, 2), Tiling(8, 12, 2, 8), Tiling(5, 24, 6, 1)]
)
def test_the_mean_step_is_the_gradient_with_k_noise_words_a_pair(tiling):
    away = standard_errors(tiling)
    assert away["right"] < 4.5, away
    assert away["one more"] > 15, away
    assert away["own"] > 15, away


@pytest.mark.parametrize("tiling", [Tiling(8, 12, 1, 8), Tiling(16, 24, 2, 8)])
def test_the_sampled_loss_is_the_loss_in_the_mean(tiling):
    text = SmallCorpus(repeats=40)
    n = 300
    tallies = np.array([tally.copy() for tally, _ in text.runs(2, tiling, n, 1e-9)])
    loss, pairs, _, _ = text.expected(2)
    assert (tallies[:, LOSS_PAIRS] != tallies[:, PAIRS]).mean() > 0.9  # it is a sample
    for column, expected in [(LOSS, loss), (LOSS_PAIRS, pairs), (PAIRS, pairs)]:
        error = tallies[:, column].std() / np.sqrt(n)
        assert error < 0.02 * expected
        assert abs(tallies[:, column].mean() - expected) < 4 * error, column


def test_a_small_block_has_all_of_its_loss():
    """One tile or a few: every one of them is looked at."""
    text = SmallCorpus()
    for tally, _ in text.runs(2, Tiling(64, 24, 1, 64), 20, 1e-9):
        assert tally[LOSS_PAIRS] == tally[PAIRS] > 0


# ------------------------------------------------------------------------------------------------------------- scratch


def guarded(n, dtype, canary, room=4096):
    """An array of n canaries between two rows of them, and a function that returns whether those are untouched."""
    around = np.full(n + 2 * room, canary, dtype)
    outside = np.r_[0:room, room + n : n + 2 * room]
    return around[room : room + n], lambda: bool((around[outside].view(np.int32) == around[:1].view(np.int32)).all())


@pytest.mark.parametrize("window", [1, 50])
@pytest.mark.parametrize("d", [1, 100])
def test_scratch_is_enough_for_a_step(window, d):
    """NUMBA_BOUNDSCHECK does not see intrinsics."""
    for T, N in [(8, 24), (9, 12), (31, 24), (64, 24), (64, 60), (3, 96)]:
        case = a_tile(d, T, N)
        C = T + 2 * window
        case["contexts"] = int32(np.arange(C) % N_WORDS)
        case["first"], case["last"] = int32(np.arange(T)), int32(np.arange(T) + 2 * window + 1)
        sizes = tile.tile_scratch(T, C, N, case["V"].shape[1])
        checks = []
        for name, n, canary in [
            ("floats", sizes[0], np.nan), ("integers", sizes[1], -77), ("weights", T * N + SPARE, np.nan),
            ("V", case["V"].size, np.nan), ("U", case["U"].size, np.nan), ("first", T, -77), ("last", T, -77),
        ]:  # fmt: skip
            array, check = guarded(n, case[name].dtype, canary)
            if name not in ("floats", "integers"):
                array[: T * N if name == "weights" else n] = case[name].ravel()[: T * N if name == "weights" else n]
            case[name] = array.reshape(case[name].shape) if name in "VU" else array
            checks.append((name, check))
        for first in (case["first"], np.full_like(case["first"], C), np.zeros_like(case["first"])):
            last = np.maximum(case["last"], first) if first[0] < C else first
            assert np.isfinite(tile.tile_step(*arguments_of(case | {"first": first, "last": last})))
        assert [name for name, check in checks if not check()] == []
        assert np.isfinite(case["V"]).all()
        assert np.isfinite(case["U"]).all()


@pytest.mark.parametrize("window", [1, 50])
@pytest.mark.parametrize("d", [1, 100])
@pytest.mark.parametrize(
    "tiling", [Tiling(8, 24, 1, 8), Tiling(9, 12, 3, 1), Tiling(64, 24, 1, 64), Tiling(64, 60, 2, 8)]
)
def test_scratch_is_enough_for_a_span(window, d, tiling):
    lengths = [PIECE - 1, PIECE, 1, 0, 3 * PIECE, 3]  # the first block is the longest that there is
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    total = int(offsets[-1]) if window == 1 else 2 * PIECE - 1
    assert next_cut(offsets, 1) == 2 * PIECE - 1
    ids = np.random.default_rng(0).integers(0, N_WORDS, total, np.int32)
    offsets = np.minimum(offsets, total)
    noise = sampling.noise_table(np.ones(N_WORDS, np.int64), 0.75)
    keep = sampling.keep_thresholds(np.ones(N_WORDS, np.int64), 0)
    V, U = matrices(d, 0.1)
    width = V.shape[1]
    tokens, integers, floats = tile.span_scratch(tiling, window, width)
    checks, scratch = [], {}
    for name, n, dtype, canary in [
        ("tokens", tokens, np.int32, -77), ("negatives", 2 * tiling.shared, np.int32, -77),
        ("integers", integers, np.int32, -77), ("floats", floats, np.float32, np.nan),
    ]:  # fmt: skip
        scratch[name], check = guarded(n, dtype, canary)
        checks.append((name, check))
    tally = np.zeros(8)
    worker = Worker(np.ones(8, np.uint64), *scratch.values(), tally)
    sampled = Sampling(noise, keep, window, 5)
    tile.tile_span(Text(ids, offsets), 0, total, Model(V, U, d), sampled, tiling, Rate(1e-3, 0.0), worker)
    assert [name for name, check in checks if not check()] == []
    assert tally[TRAINED] == total
    assert np.isfinite(V).all()
    assert np.isfinite(U).all()


def beside_a_wall(array, before):
    """Copy an array to memory that ends (or begins) where the next byte can be neither read nor written."""
    page = mmap.PAGESIZE
    room = -(-array.nbytes // page) * page
    memory = mmap.mmap(-1, room + page)
    wall = ctypes.addressof(ctypes.c_char.from_buffer(memory)) + (0 if before else room)
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(wall), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, page if before else room - array.nbytes)
    copy[:] = array.ravel()
    return copy.reshape(array.shape)


def run_between_walls(before):
    def walled(x):
        if isinstance(x, tuple):
            return type(x)(*map(walled, x)) if hasattr(x, "_fields") else tuple(map(walled, x))
        return beside_a_wall(x, before) if isinstance(x, np.ndarray) and x.size else x

    for d, T, N in product([1, 16, 100], [1, 2, 7, 64], [12, 24]):
        for ranges, skip in [(ragged, None), (windows, 5)]:
            assert np.isfinite(tile.tile_step(*walled(arguments_of(a_tile(d, T, N, ranges, skip)))))
    ids, offsets = corpus([0, 13, 0, 1, PIECE - 14, 2 * PIECE - 1, 0, 9, 0])
    counts = np.bincount(ids, minlength=N_WORDS)
    noise = sampling.noise_table(counts, 0.75)
    for sample, window, d in product([0, 1e-2], [1, 15], [1, 100]):
        keep = sampling.keep_thresholds(counts, sample)
        for tiling in [Tiling(64, 24, 1, 64), Tiling(9, 12, 2, 2), Tiling(8, 60, 1, 8)]:
            V, U = matrices(d, 0.1)
            worker = one_worker(window, 5, V.shape[1], tiling, seed=1)
            tokens, integers, floats = tile.span_scratch(tiling, window, V.shape[1])
            cut_off = worker._replace(
                tokens=worker.tokens[:tokens], integers=worker.integers[:integers], floats=worker.floats[:floats]
            )
            rng, parts = np.random.default_rng(0), ()
            if tiling.centres == 9:  # composed of 3 rows each
                parts = (
                    3 * np.arange(N_WORDS + 1),
                    int32(rng.integers(0, N_WORDS, 3 * N_WORDS)),
                    np.full(3 * N_WORDS, 1 / 3, np.float32),
                )
            records = Text(ids, offsets), 0, len(ids), Model(V, U, d, *parts), Sampling(noise, keep, window, 5)
            own = walled(cut_off)._replace(tally=worker.tally)
            tile.tile_span(*walled(records), tiling, Rate(1e-3, 0.0), own)
            assert worker.tally[TRAINED] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="uses mprotect")
def test_nothing_is_read_or_written_out_of_bounds():
    """In a process of its own: what goes wrong is a segmentation fault."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_tile as t; "
    code += "t.run_between_walls(before=False); t.run_between_walls(before=True)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or f"ended with {done.returncode}"


def test_workers_have_scratch_of_their_own():
    tiling = Tiling(64, 24, 1, 8)
    workers = parallel.Workers.create(3, 1, 5, 5, 112, tiling)
    for array in workers.rows:
        assert array.shape[0] == 3
        assert array.ctypes.data % 64 == 0
        assert array.strides[0] % 64 == 0
    needed = tile.span_scratch(tiling, 5, 112)
    for array, n in zip((workers.rows.tokens, workers.rows.integers, workers.rows.floats), needed, strict=True):
        assert array.shape[1] >= n


def test_matrices_that_the_kernel_cannot_take_are_refused():
    ids, offsets = np.zeros(4, np.int32), np.array([0, 4])
    noise, keep = sampling.noise_table(np.ones(1, np.int64), 0.75), np.zeros(1, np.uint32)
    workers = parallel.Workers.create(1, 1, 5, 5, 16, Tiling(64, 24, 1, 8))
    for V in (np.zeros((1, 15), np.float32), np.zeros((1, 32), np.float32)[:, ::2]):
        with pytest.raises(ValueError, match="aligned_zeros"):
            parallel.run_chunk(
                Text(ids, offsets),
                np.array([0, 4]),
                Model(V, V, V.shape[1]),
                Sampling(noise, keep, 5, 5),
                Rate(0.05, 0.0),
                workers,
            )


# ------------------------------------------------------------------------------------------------------- choose_tiling


def zipf(n_words, sample=1e-3):
    """Expected kept occurrences and noise weights of a vocabulary of Zipf's law."""
    counts = (2e6 / np.arange(1, n_words + 1)).astype(np.int64)
    return sampling.expected_kept(counts, sampling.keep_thresholds(counts, sample)), sampling.noise_weights(
        counts, 0.75
    )


def test_the_default_tiling_of_a_real_vocabulary():
    tiling = tile.choose_tiling(*zipf(80_000), 5, 5, 0.025)
    assert tiling[:3] == (16, tile.SHARED, 1)
    assert tiling.copies >= 2


def test_one_word_is_left_to_the_pairwise_kernel():
    assert tile.choose_tiling(np.ones(2), np.ones(2), 5, 5, 0.025) == Tiling(8, tile.SHARED, 2, 11)
    assert tile.choose_tiling(np.ones(1), np.ones(1), 5, 5, 0.025) is None


@pytest.mark.parametrize("window", [1, 2, 5, 10, 15, 50])
def test_a_real_vocabulary_has_tiles_for_any_number_of_noise_words(window):
    for negative in range(1, 51):
        tiling = tile.choose_tiling(*zipf(80_000), window, negative, 0.025)
        assert tiling is not None, negative
        assert tiling.strips <= max(1, (window + 1) * (1 + negative) // 10)


@pytest.mark.parametrize("alpha", [1e-3, 1e-20, 1e-310])
def test_a_tiny_rate_lets_a_word_fill_its_tile(alpha):
    assert tile.choose_tiling(*zipf(80_000), 5, 5, alpha).copies == tile.CENTRES[0]


def test_tilings_are_ones_that_the_kernel_can_take():
    for words, window, negative, alpha in product([2, 34, 1000, 80_000], [1, 5, 50], [1, 5, 50], [1e-4, 0.025, 0.1, 1]):
        tiling = tile.choose_tiling(*zipf(words), window, negative, alpha)
        if tiling is not None:
            assert tiling.centres in tile.CENTRES
            assert tiling.shared % 12 == 0
            assert 1 <= tiling.strips <= 2 * window
            assert tiling.copies >= 1
            assert all(isinstance(value, int) for value in tiling)


def test_the_steeper_the_vocabulary_the_more_strips_and_the_smaller_the_tile():
    sizes = [tile.choose_tiling(*zipf(words), 5, 5, 0.025) for words in (1, 2, 5, 10, 34, 1000, 10_000, 80_000)]
    sizes = [(0, 0) if tiling is None else (-tiling.strips, tiling.centres) for tiling in sizes]
    assert sizes[0] == (0, 0)
    assert sizes[1:] == sorted(sizes[1:])
    assert sizes[-1] == (-1, tile.CENTRES[0])


def test_more_weight_in_a_row_makes_more_strips_and_fewer_copies():
    kept, noise = zipf(80_000)
    for settings in (
        [(window, 5, 0.025) for window in (1, 2, 5, 10, 20, 50)],
        [(5, negative, 0.025) for negative in (1, 2, 5, 10, 20, 50)],
        [(5, 5, alpha) for alpha in (1e-3, 0.01, 0.025, 0.05, 0.1)],
    ):
        tilings = [tile.choose_tiling(kept, noise, *each) for each in settings]
        strips = [tiling.strips for tiling in tilings if tiling]
        assert strips == sorted(strips)
        # a pass over a tile may load a centre row with no more than this, unless once is already too often
        for (window, negative, alpha), tiling in zip(settings, tilings, strict=True):
            if tiling is not None:
                once = alpha * (window + 1) / tiling.strips * (1 + negative)
                assert tiling.copies == 1 or tiling.copies * once <= 2 * tile.MOST_LOAD
