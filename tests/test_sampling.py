"""Random streams and the distributions drawn from them: published vectors, twins, statistics."""

import numpy as np
import pytest

from fastw2v import reference
from fastw2v.kernels import sampling

ZIPF = (1e6 / np.arange(1, 201)).astype(np.int64)


def stream(state=1):
    return np.array([state], np.uint64)


def chi_square_tail(statistic, degrees):
    """Upper tail by Wilson and Hilferty's normal approximation, good to a few per cent here."""
    from math import erfc, sqrt

    z = ((statistic / degrees) ** (1 / 3) - (1 - 2 / (9 * degrees))) / sqrt(2 / (9 * degrees))
    return 0.5 * erfc(z / sqrt(2))


def chi_square_p(observed, probabilities):
    expected = probabilities * observed.sum()
    assert expected.min() > 5
    return chi_square_tail(((observed - expected) ** 2 / expected).sum(), len(expected) - 1)


def draw_many(function, n, *arguments, state=1):
    rng = stream(state)
    return np.array([function(rng, *arguments) for _ in range(n)])


# SplitMix64's outputs for seed 0 (as printed with the xoshiro generators' sources) and for seed 1234567
# (the test vector of the Rosetta Code task).
VECTORS = {
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC, 0x1B39896A51A8749B],
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
}


@pytest.mark.parametrize("seed", VECTORS)
@pytest.mark.parametrize("module", [sampling, reference])
def test_generator_gives_the_published_numbers(module, seed):
    rng = stream(seed)
    assert [int(module.next_u64(rng)) for _ in range(5)] == VECTORS[seed]


def test_generator_stays_uint64():
    sampling.next_u64(stream())
    assert [str(signature.return_type) for signature in sampling.next_u64.nopython_signatures] == ["uint64"]


@pytest.mark.parametrize("n", [1, 2, 5, 1000, 2**31 - 1])
def test_draw_below_equals_twin_and_stays_in_range(n):
    got = draw_many(sampling.draw_below, 2000, n)
    expected = draw_many(reference.draw_below, 2000, n)
    np.testing.assert_array_equal(got, expected)
    assert got.min() >= 0
    assert got.max() < n


@pytest.mark.parametrize("window", [1, 2, 5, 10])
def test_window_is_uniform(window):
    observed = np.bincount(draw_many(sampling.draw_below, 40_000, window), minlength=window)
    if window == 1:
        assert observed.tolist() == [40_000]
    else:
        assert chi_square_p(observed, np.full(window, 1 / window)) > 1e-4


def implied_probabilities(table):
    n = len(table)
    threshold, alias = (table >> np.uint64(32)).astype(float) / 2**32, (table & np.uint64(2**32 - 1)).astype(int)
    return (threshold + np.bincount(alias, 1 - threshold, n)) / n


@pytest.mark.parametrize(
    "weights",
    [
        np.ones(1),
        np.ones(7),
        np.array([1.0, 0, 0, 3.0, 0]),
        np.array([0.0, 1e-300, 1.0]),
        ZIPF**0.75,
        np.random.default_rng(3).pareto(0.5, 3001),
    ],
)
def test_alias_table_holds_the_distribution(weights):
    table = sampling.build_alias(weights)
    np.testing.assert_array_equal(table, reference.build_alias(weights))
    assert table.nbytes == 8 * len(weights)
    # a threshold has 32 bits, and n aliases of one word can add up their roundings
    np.testing.assert_allclose(implied_probabilities(table), weights / weights.sum(), atol=2**-31)
    assert not implied_probabilities(table)[weights == 0].any()


@pytest.mark.parametrize("exponent", [0.75, 1.0, 0.0, -0.5])
def test_noise_follows_the_counts(exponent):
    counts = np.array([5000, 900, 300, 100, 50, 20, 10, 5])
    drawn = draw_many(sampling.draw_noise, 200_000, sampling.noise_table(counts, exponent))
    weights = counts**exponent
    assert chi_square_p(np.bincount(drawn, minlength=8), weights / weights.sum()) > 1e-4


def test_noise_test_has_teeth():
    """The same test refuses count ** 1 and 0.75 * count where count ** 0.75 is asked."""
    counts = np.array([5000, 900, 300, 100, 50, 20, 10, 5])
    drawn = draw_many(sampling.draw_noise, 200_000, sampling.noise_table(counts, 0.75))
    assert chi_square_p(np.bincount(drawn, minlength=8), counts / counts.sum()) < 1e-9


def test_noise_over_a_zipf_vocabulary():
    table = sampling.noise_table(ZIPF, 0.75)
    drawn = draw_many(sampling.draw_noise, 400_000, table, state=99)
    assert drawn.min() >= 0
    assert drawn.max() < len(ZIPF)
    assert chi_square_p(np.bincount(drawn, minlength=len(ZIPF)), ZIPF**0.75 / (ZIPF**0.75).sum()) > 1e-4
    twin = draw_many(reference.draw_noise, 3000, table, state=99)
    np.testing.assert_array_equal(twin, drawn[:3000])


@pytest.mark.parametrize("exponent", [0.75, -0.5, 0.0])
def test_absent_word_is_never_noise(exponent):
    table = sampling.noise_table(np.array([0, 10, 0, 30, 0]), exponent)
    assert set(draw_many(sampling.draw_noise, 20_000, table)) == {1, 3}


def test_negatives_skip_the_outside_word():
    table = sampling.noise_table(np.array([100, 60, 30]), 0.75)
    rng, twin_rng = stream(5), stream(5)
    lengths = []
    for _ in range(2000):
        got, expected = np.zeros(6, np.int32), np.zeros(6, np.int32)
        n = sampling.draw_negatives(rng, table, 0, got)
        assert n == reference.draw_negatives(twin_rng, table, 0, expected)
        np.testing.assert_array_equal(got[:n], expected[:n])
        assert not (got[:n] == 0).any()
        lengths.append(n)
    weights = np.array([100, 60, 30]) ** 0.75
    assert np.mean(lengths) == pytest.approx(6 * (1 - weights[0] / weights.sum()), rel=0.03)  # skipped, not redrawn


def keep_probability(counts, sample):
    """word2vec.c's rule, as it computes it."""
    threshold = sample * counts.sum()
    return np.minimum((np.sqrt(counts / threshold) + 1) * threshold / counts, 1)


@pytest.mark.parametrize("sample", [1e-3, 1e-5])
def test_keep_rates_by_frequency_band(sample):
    keep = sampling.keep_thresholds(ZIPF, sample)
    expected = keep_probability(ZIPF, sample)
    np.testing.assert_allclose((keep.astype(float) + 1) / 2**32, expected, rtol=1e-6)
    for band in (range(3), range(3, 20), range(20, 80), range(80, 200)):
        for word in band[:: max(1, len(band) // 3)]:
            n = 20_000
            kept = draw_many(sampling.draw_keep, n, keep, word, state=word).sum()
            spread = np.sqrt(n * expected[word] * (1 - expected[word]))
            assert abs(kept - n * expected[word]) <= 4.5 * spread


def test_sample_zero_keeps_everything():
    keep = sampling.keep_thresholds(ZIPF, 0)
    assert (keep == sampling.ALWAYS).all()
    assert draw_many(sampling.draw_keep, 10_000, keep, 0).all()


def test_draw_keep_equals_twin():
    keep = sampling.keep_thresholds(ZIPF, 1e-4)
    got = draw_many(sampling.draw_keep, 3000, keep, 0)
    np.testing.assert_array_equal(got, draw_many(reference.draw_keep, 3000, keep, 0))


def test_streams_differ_between_workers_and_seeds():
    streams = sampling.spawn_streams(1, 64)
    assert len(set(streams.tolist())) == 64
    np.testing.assert_array_equal(sampling.spawn_streams(1, 3), streams[:3])  # no worker depends on their number
    assert not set(streams.tolist()) & set(sampling.spawn_streams(2, 64).tolist())
    draws = np.array([draw_many(sampling.next_u64, 4000, state=s) for s in streams[:6]], np.uint64)
    assert len(set(draws.ravel().tolist())) == draws.size
    # correlation of the streams' bits: a common sequence or shift would show
    uniform = (draws >> np.uint64(11)).astype(float) / 2**53
    correlation = np.corrcoef(uniform)[np.triu_indices(6, 1)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(4000)
    for lag in (1, 2, 3):
        lagged = [np.corrcoef(a[lag:], b[:-lag])[0, 1] for a in uniform for b in uniform]
        assert np.abs(lagged).max() < 4.7 / np.sqrt(4000)
