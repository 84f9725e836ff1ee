"""Composed centre vectors: the kernels against their twins, the grouping of rows, and what a tile may load on them."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastw2v import reference
from fastw2v.kernels import composed, parallel, sampling, tile
from fastw2v.kernels.records import LOSS, LOSS_PAIRS, PAIRS, TRAINED, Model, Rate, Sampling, Text, Tiling, aligned_zeros
from fastw2v.subwords.composition import (
    Composition,
    compose_vocabulary,
    count_rows,
    crowd_of,
    largest_crowd,
    merge_rows,
    sign_rows,
)
from fastw2v.subwords.ngrams import Ngrams, rows_of_words

SIZES = [1, 7, 20, 100, 113]
WORDS = [
    "banana", "bananas", "nab", "ban", "a", "i", "aaaaaaaaaa", "haha", "hahaha", "singing", "sing", "ringing", "king",
    "häuser", "haus", "häuschen", "東京", "東京都", "京都", "q", "zz", "walked", "walking", "talked", "talking", "1990",
    "1991", "1992", "o'clock", "ü",
]  # fmt: skip
#: Mixed words; words that have their n-grams for themselves, so one part each; and n-grams that all words share.
VOCABULARIES = {
    "mixed": (WORDS, Ngrams(3, 6, 1000)),
    "private": ([chr(0x4E00 + k) * 3 for k in range(30)], Ngrams(5, 5, 10_000_000)),
    "shared": (WORDS, Ngrams(2, 4, 1)),
}
TILINGS = [None, Tiling(16, 24, 1, 16), Tiling(8, 12, 3, 2), Tiling(1, 12, 1, 1)]


def composition_of(words, ngrams):
    """The composition of words, the first the most frequent."""
    counts = 1.0 / np.arange(1, len(words) + 1)
    return compose_vocabulary(*rows_of_words(words, ngrams), ngrams.bucket, counts)


def parts_of(composition):
    return composition.offsets, composition.rows, composition.shares


def filled(n_rows, d, seed=0, scale=0.3):
    matrix = aligned_zeros(n_rows, d, np.float32)
    matrix[:, :d] = np.random.default_rng(seed).normal(size=(n_rows, d)) * scale / d**0.5
    return matrix


def as_float64(model):
    return model._replace(V=model.V.astype(np.float64), U=model.U.astype(np.float64))


# ------------------------------------------------------------------------------------------------ compose and spread


@pytest.mark.parametrize("d", SIZES)
@pytest.mark.parametrize("name", VOCABULARIES)
def test_compose_and_spread_equal_their_twins(name, d):
    composition = composition_of(*VOCABULARIES[name])
    model = Model(filled(composition.n_rows, d), filled(30, d), d, *parts_of(composition))
    words = np.array([0, 0, 6, 29, 3, 11, 0, 17, 4], np.int32)
    sides = []
    for side, kernels in [(model, composed), (as_float64(model), reference)]:
        H = np.full((len(words) + 2, side.V.shape[1]), 7, side.V.dtype)
        kernels.compose(side, words, H)
        change = np.zeros_like(H)
        change[:, :d] = filled(len(H), d, 5)[:, :d]
        kernels.spread(side, words, H + change, H)
        sides.append((H[: len(words), :d], side.V))
        assert (H[len(words) :] == 7).all()
        assert not side.V[:, d:].any()
    for got, expected in zip(*sides, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)


def test_a_word_without_parts_is_zero_and_changes_nothing():
    model = Model(filled(3, 20), filled(2, 20), 20, np.array([0, 0, 2]), np.int32([0, 2]), np.float32([0.5, 0.5]))
    H, before = np.ones((1, 32), np.float32), model.V.copy()
    composed.compose(model, np.zeros(1, np.int32), H)
    assert not H[0, :20].any()
    composed.spread(model, np.zeros(1, np.int32), H + 1, H)
    np.testing.assert_array_equal(model.V, before)


# ------------------------------------------------------------------------------------------------- spans and chunks


def corpus(n_words, lengths=(13, 0, 1, 60, 2, 0, 90), seed=1):
    ids = np.random.default_rng(seed).zipf(1.3, sum(lengths)) % n_words
    return Text(ids.astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


def chunk_of_twins(text, cuts, model, sampled, rate, workers):
    rows, taken = workers.rows, np.full(1, len(workers))
    rows = rows._replace(floats=rows.floats.astype(np.float64))
    if workers.tiling is None:
        reference.train_chunk(text, cuts, model, sampled, rate, rows, taken)
    else:
        reference.tile_chunk(0, text, cuts, model, sampled, workers.tiling, rate, rows, taken)


def trained(chunk, model, tiling, window=5, negative=5, passes=1):
    """Train a copy of a model; return it and the tally."""
    text = corpus(len(model.U))
    counts = np.bincount(text.ids, minlength=len(model.U))
    sampled = Sampling(sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, 1e-2), window, negative)
    model = model._replace(V=model.V.copy(), U=model.U.copy())
    workers = parallel.Workers.create(1, 7, window, negative, model.V.shape[1], tiling)
    alpha = min(0.05, 2 / (window * negative))  # A tile that is loaded more would diverge.
    for _ in range(passes):
        chunk(text, np.array([0, len(text.ids)]), model, sampled, Rate(alpha, -1e-6), workers)
    return model, workers.rows.tally[0]


@pytest.mark.parametrize(
    ("name", "d", "tiling", "window", "negative"),
    [
        *((name, 20, tiling, 5, 5) for name in VOCABULARIES for tiling in TILINGS),
        *(("mixed", d, tiling, 5, 5) for d in SIZES for tiling in TILINGS[:2]),
        *(("mixed", 7, tiling, window, 20) for window in (1, 2, 15) for tiling in TILINGS),
    ],
)
def test_span_equals_twin(name, d, tiling, window, negative):
    composition = composition_of(*VOCABULARIES[name])
    model = Model(filled(composition.n_rows, d), filled(30, d, 1), d, *parts_of(composition))
    got, tally = trained(parallel.run_chunk, model, tiling, window, negative)
    expected, twins = trained(chunk_of_twins, as_float64(model), tiling, window, negative)
    np.testing.assert_allclose(got.V, expected.V, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(got.U, expected.U, rtol=2e-4, atol=2e-5)
    assert tally[LOSS] == pytest.approx(twins[LOSS], rel=1e-5)
    assert [tally[k] for k in (PAIRS, TRAINED, LOSS_PAIRS)] == [twins[k] for k in (PAIRS, TRAINED, LOSS_PAIRS)]
    assert tally[PAIRS] > 50
    assert np.abs(got.V - model.V).max() > 1e-3


@pytest.mark.parametrize("tiling", TILINGS[:2])
def test_words_of_one_part_train_as_without_parts(tiling):
    composition = composition_of(*VOCABULARIES["private"])
    assert np.array_equal(composition.rows, np.arange(30))
    plain = Model(filled(30, 20), filled(30, 20, 1), 20)
    got, tally = trained(parallel.run_chunk, Model(*plain[:3], *parts_of(composition)), tiling)
    expected, of_plain = trained(parallel.run_chunk, plain, tiling)
    np.testing.assert_allclose(got.V, expected.V, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.U, expected.U, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(tally[1:], of_plain[1:])


@pytest.mark.parametrize("tiling", TILINGS[:2])
def test_rows_that_do_not_suit_vectors_are_refused(tiling):
    composition = composition_of(*VOCABULARIES["mixed"])
    model = Model(np.zeros((composition.n_rows, 20), np.float32), np.zeros((30, 20), np.float32), 20)
    kernel = "a composed centre vector" if tiling is None else "the tile kernel"
    with pytest.raises(ValueError, match=f"20\\): {kernel} needs matrices from kernels.aligned_zeros"):
        trained(parallel.run_chunk, Model(*model[:3], *parts_of(composition)), tiling)


# ---------------------------------------------------------------------------------------------------------- grouping


def ungrouped(words, ngrams):
    """Parts with a row for each word and each reached bucket; the buckets, ascending."""
    starts, rows = rows_of_words(words, ngrams)
    buckets = np.unique(rows[rows >= len(words)])
    place = {int(row): k for k, row in enumerate([*range(len(words)), *buckets])}
    offsets, of_words, shares = [0], [], []
    for w in range(len(words)):
        counted = Counter(rows[starts[w] : starts[w + 1]].tolist())
        of_words += [place[row] for row in counted]
        shares += [times / counted.total() for times in counted.values()]
        offsets.append(len(of_words))
    return (np.array(offsets), np.int32(of_words), np.float32(shares)), buckets - len(words)


@pytest.mark.parametrize("tiling", TILINGS[:3])
@pytest.mark.parametrize("name", VOCABULARIES)
def test_grouped_rows_train_the_vectors_of_single_ones(name, tiling):
    words, ngrams = VOCABULARIES[name]
    composition = composition_of(words, ngrams)
    parts, buckets = ungrouped(words, ngrams)
    np.testing.assert_array_equal(composition.buckets, buckets)
    assert composition.n_rows < len(words) + len(buckets) or name == "shared"
    d = 20
    V, U = filled(composition.n_rows, d, scale=3), filled(len(words), d, 1, scale=3)
    of_groups = Model(V, U, d, *parts_of(composition))
    alone = Model(aligned_zeros(len(words) + len(buckets), d, np.float32), U, d, *parts)
    alone.V[:] = V[[*range(len(words)), *composition.bucket_rows]]
    vectors = []
    for model in (of_groups, alone):
        model, _ = trained(parallel.run_chunk, model, tiling, passes=5)
        H = np.zeros_like(U)
        composed.compose(model, np.arange(len(words), dtype=np.int32), H)
        vectors.append((H, model.U))
        assert np.abs(H - U).max() > 0.1
    for got, expected in zip(*vectors, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=5e-5)
    rows_then = model.V[len(words) :]  # rows of a group stay equal
    for row in set(composition.bucket_rows):
        same = rows_then[composition.bucket_rows == row]
        assert np.abs(same - same[0]).max() < 1e-5


def composition_by_sets(starts, rows, n_buckets, counts):
    """A composition from dictionaries: rows are grouped by the set of the words that have them."""
    n_words, words_of, sums = len(counts), defaultdict(set), defaultdict(float)
    for w in range(n_words):
        for row in rows[starts[w] : starts[w + 1]].tolist():
            words_of[row].add(w)
            sums[row] += counts[w]
    leads = {}
    for row in sorted(words_of):
        leads.setdefault(frozenset(words_of[row]), row)
    shared = sorted((row for row in leads.values() if row >= n_words), key=lambda row: (-sums[row], row))
    number = {row: row for row in range(n_words)} | {row: n_words + k for k, row in enumerate(shared)}
    row_of = {row: number[leads[frozenset(words)]] for row, words in words_of.items()}
    parts = [Counter(row_of[row] for row in rows[starts[w] : starts[w + 1]].tolist()).items() for w in range(n_words)]
    buckets = sorted(row - n_words for row in words_of if row >= n_words)
    return Composition(
        n_words + len(shared),
        np.cumsum([0, *map(len, parts)]),
        np.int32([row for word in parts for row, _ in word]),
        np.float32([times / sum(t for _, t in word) for word in parts for _, times in word]),
        np.int32(buckets),
        np.int32([row_of[bucket + n_words] for bucket in buckets]),
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text("abä京", min_size=1, max_size=8), min_size=1, max_size=30, unique=True),
    st.tuples(st.integers(1, 4), st.integers(0, 3), st.sampled_from([1, 5, 100, 2_000_000])),
    st.lists(st.integers(0, 9), min_size=30, max_size=30),
)
def test_composition_equals_that_of_sets(words, sizes, counts):
    ngrams = Ngrams(sizes[0], sizes[0] + sizes[1], sizes[2])
    counts = np.float64(counts[: len(words)])
    starts, rows = rows_of_words(words, ngrams)
    expected = composition_by_sets(starts, rows, ngrams.bucket, counts)
    got = compose_vocabulary(starts, rows, ngrams.bucket, counts)
    for name, here, there in zip(got._fields, got, expected, strict=True):
        np.testing.assert_allclose(here, there, rtol=1e-6 if name == "shares" else 0, err_msg=name)
    np.testing.assert_allclose(np.add.reduceat(got.shares, got.offsets[:-1]), 1, rtol=1e-6)


def test_the_steps_of_a_composition_equal_their_twins():
    starts, given_rows = rows_of_words(WORDS, Ngrams(2, 5, 50))
    n = len(WORDS) + 50
    row_of = np.random.default_rng(0).integers(0, 20, n).astype(np.int32)
    sides = []
    for here in (
        (sign_rows, count_rows, merge_rows, largest_crowd),
        (reference.sign_rows, reference.count_rows, reference.merge_rows, reference.largest_crowd),
    ):
        sign, count, merge, crowd = here
        rows, signs, sums = given_rows.copy(), np.zeros(n, np.uint64), np.zeros(n)
        sign(starts, rows, signs)
        count(starts, rows, np.arange(30.0), sums)
        offsets, shares = np.zeros(31, np.int64), np.zeros(len(rows), np.float32)
        parts = merge(starts, rows, row_of, offsets, shares)
        rows, shares, met = rows[:parts].astype(np.int32), shares[:parts], np.zeros(20)
        largest = crowd(offsets, rows, shares, np.arange(30.0), met)
        sides.append((signs, sums, parts, offsets, rows, shares, met, largest))
    names = ["signs", "sums", "parts", "offsets", "rows", "shares", "met", "crowd"]
    for name, got, expected in zip(names, *sides, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6 if name in ("shares", "crowd") else 0)


def test_rows_of_the_same_words_share_one_and_frequent_ones_come_first():
    starts, rows = rows_of_words(["walking", "walked", "talking"], Ngrams(4, 4, 2_000_000))
    made = compose_vocabulary(starts, rows, 2_000_000, np.array([1.0, 5.0, 2.0]))
    # walking alone: <wal is walked's too, walk as well, alki lkin king ing> are talking's; own and none
    by_word = [made.rows[made.offsets[w] : made.offsets[w + 1]].tolist() for w in range(3)]
    assert by_word == [[0, 3, 4], [1, 3], [2, 4]]  # 3: with walked, 6 in all; 4: with talking, 3 in all
    np.testing.assert_allclose(made.shares[:3], [1 / 7, 2 / 7, 4 / 7])
    np.testing.assert_allclose(made.shares[3:5], [4 / 6, 2 / 6])  # own, lked, ked> and alke
    assert made.n_rows == 5


# ------------------------------------------------------------------------------------------------------ the load rule


def moves(composition, n_words):
    """K_ij, how far a whole gradient of word j moves the vector of word i."""
    K = np.zeros((n_words, n_words))
    for j in range(n_words):
        V = np.zeros((composition.n_rows, 16), np.float32)
        model = Model(V, np.zeros((n_words, 16), np.float32), 1, *parts_of(composition))
        one, H = np.zeros((1, 16), np.float32), np.zeros((n_words, 16), np.float32)
        one[0, 0] = 1
        composed.spread(model, np.int32([j]), one, np.zeros_like(one))
        composed.compose(model, np.arange(n_words, dtype=np.int32), H)
        K[:, j] = H[:, 0]
    return K


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_crowd_is_how_far_other_words_move_a_vector(name):
    composition = composition_of(*VOCABULARIES[name])
    K = moves(composition, 30)
    np.testing.assert_allclose(np.diag(K), 1, rtol=1e-6)  # also where n-grams are repeated
    assert K.max() <= 1 + 1e-6
    kept = np.random.default_rng(0).random(30)
    assert crowd_of(composition, kept) == pytest.approx((K @ kept / kept.sum()).max(), rel=1e-5)
    if name == "private":
        assert crowd_of(composition, kept) == pytest.approx(kept.max() / kept.sum())


def test_words_that_share_all_crowd_like_one_word():
    composition = composition_of(["a" * k for k in range(8, 30)], Ngrams(1, 1, 10))
    kept, noise = np.ones(22), np.ones(22)
    crowd = crowd_of(composition, kept)
    assert 0.85 < crowd < 1
    of_words = tile.choose_tiling(kept, noise, 5, 5, 0.05)
    assert of_words is not None
    composed_alike = of_words._replace(shared=tile.COMPOSED_SHARED)
    assert tile.choose_tiling(kept, noise, 5, 5, 0.05, crowd=1 / 22) == composed_alike
    assert tile.choose_tiling(kept, noise, 5, 5, 0.05, crowd=crowd) is None


def test_the_crowd_of_words_that_never_occur_allows_no_tile():
    composition = composition_of(WORDS, Ngrams(3, 6, 1000))
    assert crowd_of(composition, np.zeros(30)) == 1


@pytest.mark.parametrize("name", VOCABULARIES)
def test_a_tile_ends_before_its_words_move_one_too_far(name):
    composition = composition_of(*VOCABULARIES[name])
    K = moves(composition, 30)
    model = Model(filled(composition.n_rows, 1), filled(30, 1), 1, *parts_of(composition))
    rng, met, base, lengths = np.random.default_rng(0), np.zeros(composed.ROW_BUCKETS, np.int32), 0, set()
    for copies in (1, 2, 5):
        for _ in range(50):
            words = rng.choice(rng.permutation(30)[: rng.integers(1, 31)], 16).astype(np.int32)
            pulls = [K[words[i], words[:i]].sum() for i in range(16)]
            if min(abs(pull - copies + 0.5) for pull in pulls) > 1e-3:
                expected = next((i for i, pull in enumerate(pulls) if pull > copies - 0.5), 16)
                assert composed.fitting_centres(model, words, copies, met, base) == expected
                assert reference.fitting_centres(model, words, copies, met, base) == expected
                base += 16
                assert met.max() <= base
                lengths.add(expected)
    assert len(lengths) > (1 if name == "shared" else 5)


def test_a_word_of_many_thousand_parts_fits_into_a_tile():
    """It counts against itself. If no tile held it, training would not end."""
    n_parts, words = 20 * composed.ROW_BUCKETS, np.int32([1, 0, 1, 2, 1])
    offsets = np.int64([0, n_parts, n_parts + 1, 2 * n_parts + 1])
    rows = np.concatenate([np.arange(n_parts), [5], np.arange(n_parts, 2 * n_parts)]).astype(np.int32)
    shares = np.full(len(rows), 1 / n_parts, np.float32)
    shares[n_parts] = 1
    model = Model(np.zeros((2 * n_parts, 16), np.float32), np.zeros((3, 16), np.float32), 1, offsets, rows, shares)
    for fitting_centres in (composed.fitting_centres, reference.fitting_centres):
        base, lengths, met = 0, [], np.zeros(composed.ROW_BUCKETS, np.int32)
        while sum(lengths) < len(words):
            lengths.append(fitting_centres(model, words[sum(lengths) :], 5, met, base))
            base += 40  # More than a long word leaves, so that the twin agrees.
        assert lengths == [1, 1, 1, 1, 1]


# ----------------------------------------------------------------------------------------------------- the mathematics


def test_gradients_of_a_composed_centre_by_finite_differences():
    rng = np.random.default_rng(0)
    V, U, rows, negatives = rng.normal(size=(7, 5)), rng.normal(size=(6, 5)), [2, 4, 4, 6], [1, 3, 3]

    def loss():
        return reference.negative_sampling(reference.composed_centre(rows, V), 0, negatives, U)[0]

    dv_c = reference.negative_sampling(reference.composed_centre(rows, V), 0, negatives, U)[1]
    got = reference.composed_gradient(rows, dv_c, V.shape)
    for place in np.ndindex(V.shape):
        kept = V[place]
        V[place] = kept + 1e-5
        above = loss()
        V[place] = kept - 1e-5
        slope = (above - loss()) / 2e-5
        V[place] = kept
        assert got[place] == pytest.approx(slope, rel=1e-6, abs=1e-8)
    np.testing.assert_allclose(got[4], 2 / 4 * dv_c)  # a row that is there twice


def test_the_kernels_step_moves_a_vector_by_its_gradient_and_others_by_their_share():
    composition = composition_of(["banana", "bandana", "xyz"], Ngrams(2, 3, 2_000_000))
    d, alpha = 8, 1e-3
    model = Model(filled(composition.n_rows, d, scale=3), filled(3, d, 1, scale=3), d, *parts_of(composition))
    sampled = Sampling(sampling.noise_table(np.ones(3), 1), np.full(3, 2**32 - 1, np.uint32), 1, 1)

    def vectors():
        H = np.zeros((3, 16), np.float32)
        composed.compose(model, np.arange(3, dtype=np.int32), H)
        return H[:, :d].copy()

    before = vectors()
    workers = parallel.Workers.create(1, 7, 1, 1, 16)
    text = Text(np.int32([0, 2]), np.array([0, 1, 2]))  # sentences of one word train nothing
    parallel.run_chunk(text, np.array([0, 2]), model, sampled, Rate(alpha, 0.0), workers)
    np.testing.assert_array_equal(vectors(), before)
    text = Text(np.int32([0, 2]), np.array([0, 2]))
    parallel.run_chunk(text, np.array([0, 1]), model, sampled, Rate(alpha, 0.0), workers)  # banana, xyz around it
    change = vectors() - before
    K = moves(composition, 3)
    assert 0 < K[1, 0] < 1
    assert np.abs(change[0]).max() > 1e-5
    np.testing.assert_allclose(change[1], K[1, 0] * change[0], rtol=1e-2, atol=1e-7)
    assert not change[2].any()
