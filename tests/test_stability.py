"""Tiles sum many gradients at one place: where that could diverge they must not, and learn as well as pairs do."""

from itertools import pairwise

import numpy as np
import pytest

import fastw2v
from fastw2v.kernels import tile as tiles

LEAST_TILES = tiles.LEAST_TILES

SLOW = pytest.mark.slow
WINDOWS_AND_NEGATIVES = [(1, 1), (5, 5), (50, 1), (1, 50), (15, 15)]


@pytest.fixture(autouse=True)
def _tiles_in_small_corpora(request, monkeypatch):
    """Where only divergence is looked for, the largest tiles are the hardest; elsewhere the rule is the users'."""
    users = "learn_as_with_pairs" in request.node.name
    monkeypatch.setattr(tiles, "LEAST_TILES", LEAST_TILES if users else 1)


def communities(n_words, n_tokens, length, zipf):
    """Sentences that each stay among the even words, or among the odd ones."""
    rng = np.random.default_rng(0)
    weights = np.arange(1, n_words // 2 + 1) ** -float(zipf)
    words = rng.choice(len(weights), (n_tokens // length, length), p=weights / weights.sum())
    ids = 2 * words + rng.integers(0, 2, (len(words), 1))
    return ids.astype(np.int32).ravel(), np.arange(0, ids.size + 1, length)


def trained(ids, offsets, n_words, **options):
    """Train, with a check after every chunk and epoch, and at the end, that all is finite (else DivergedError)."""
    options = {"vector_size": 16, "epochs": 3, "workers": 1, "sample": 0, "progress": False} | options
    return fastw2v.train_ids(ids, offsets, n_words=n_words, **options)


def purity(embeddings, community=None):
    """Share of the likeliest outside words, and of the nearest words, that are of a word's own community."""
    V, U = np.array(embeddings.vectors), np.array(embeddings.outside)
    community = np.arange(len(V)) % 2 if community is None else community
    seen = np.flatnonzero(embeddings.vocab.counts >= 5)
    V, U = V[seen], U[seen]
    own = community[seen] == community[seen][:, None]
    unit = V / np.linalg.norm(V, axis=1, keepdims=True)
    near = unit @ unit.T - 2 * np.eye(len(seen))
    likely = np.argsort(-V @ U.T)[:, : max(1, len(seen) // 8)]
    if len(seen) == 2:  # a word's only neighbour is of the other community
        return np.take_along_axis(own, likely, 1).mean(), float(near[0, 1] < 0)
    return tuple(np.take_along_axis(own, top, 1).mean() for top in (likely, np.argsort(-near)[:, : likely.shape[1]]))


@pytest.mark.parametrize("alpha", [pytest.param(0.025, marks=SLOW), 0.1])
@pytest.mark.parametrize(("window", "negative"), [(1, 1), (5, 5), pytest.param(50, 1, marks=SLOW), (1, 50), (15, 15)])
@pytest.mark.parametrize("n_words", [2, pytest.param(10, marks=SLOW), 34, 1000])
def test_small_vocabularies_learn_as_with_pairs(n_words, window, negative, alpha):
    for zipf in (False, True):
        work = (min(window, 40) + 1) * (1 + negative)
        corpus = communities(n_words, 30_000 if work < 100 else 8_000, 100, zipf)
        options = {"window": window, "negative": negative, "alpha": alpha}
        tile, pair = (trained(*corpus, n_words, **options, kernel=kernel) for kernel in ("tile", "pair"))
        for of_tile, of_pair in zip(purity(tile), purity(pair), strict=True):
            assert of_tile >= of_pair - 0.05, (zipf, tile.metadata["tiling"])


@pytest.mark.parametrize("sample", [0, 1e-3])
@pytest.mark.parametrize("n_words", [2, 10, 34, 1000])
def test_small_vocabularies_with_several_workers(n_words, sample):
    corpus = communities(n_words, 100_000, 10, True)
    embeddings = trained(*corpus, n_words, workers=3, alpha=0.05, sample=sample, vector_size=100)
    assert min(purity(embeddings)) > 0.95


def test_tiles_are_used_where_they_can_be():
    for n in (10, 34, 1000):
        assert trained(*communities(n, 2_000, 10, False), n, epochs=1).metadata["tiling"], n


RNG = np.random.default_rng(0)
HARD = {
    "one word": (np.zeros(10_000, np.int32), [0, 10_000]),
    "sentences of one word": (RNG.integers(0, 1000, 10_000), np.arange(10_001)),
    "sentences of one word each, repeated": (np.repeat(RNG.integers(0, 1000, 1000), 20), np.arange(0, 20_001, 20)),
    "long bursts in one sentence": (np.repeat(RNG.integers(0, 1000, 400), RNG.integers(1, 60, 400)), None),
    "two words in turn": (np.tile(RNG.integers(0, 1000, (100, 2)), 50).ravel(), np.arange(0, 10_001, 100)),
    "one word in many": (np.where(RNG.random(20_000) < 0.5, 7, RNG.integers(0, 1000, 20_000)), None),
}


@pytest.mark.parametrize("alpha", [pytest.param(0.025, marks=SLOW), 0.1])
@pytest.mark.parametrize(("window", "negative"), [*WINDOWS_AND_NEGATIVES, (50, 50)])
@pytest.mark.parametrize("name", HARD)
@pytest.mark.filterwarnings("ignore:no two words met:fastw2v.FastW2VWarning")
def test_hard_corpora_stay_finite(name, window, negative, alpha):
    ids, offsets = HARD[name]
    offsets = [0, len(ids)] if offsets is None else offsets
    if window * negative > 200:
        ids, offsets = ids[:3000], np.unique(np.minimum(offsets, 3000))
    embeddings = trained(ids, offsets, 1000, window=window, negative=negative, alpha=alpha, epochs=2)
    assert np.abs(embeddings.vectors).max() < 20
    assert np.abs(embeddings.outside).max() < 20


@pytest.mark.parametrize(("n_words", "vector_size"), [(80_000, 100), (1_000_000, 10)])
@pytest.mark.parametrize(("window", "negative", "alpha"), [(5, 5, 0.1), (50, 10, 0.025)])
def test_large_vocabularies_stay_finite(n_words, vector_size, window, negative, alpha):
    rng = np.random.default_rng(0)
    ids = np.minimum(n_words ** rng.random(40_000), n_words - 1).astype(np.int32)  # about Zipf's law
    options = {"window": window, "negative": negative, "alpha": alpha, "sample": 1e-3}
    trained(ids, np.arange(0, 40_001, 20), n_words, **options, vector_size=vector_size, epochs=2)


# ------------------------------------------------------------------------------- vectors composed of words and n-grams

STEMS = ["".join(np.random.default_rng(f).choice(list("abcdefghijklmnopqrstuvwxyz"), 10)) for f in range(50)]
NAMES = {
    "numbers": str,
    "all n-grams shared": lambda k: f"aaaaaa{k}",
    "each community has its own": lambda k: f"{'ab'[k % 2] * 6}{k}",
    "one letter": lambda k: chr(0x4E00 + k),
    "three bytes per letter": lambda k: "".join(chr(0xAC00 + k // 17**i % 17) for i in range(3)),
    "runs": lambda k: "a" * (k + 1),
}


def trained_words(sentences, **options):
    options = {"vector_size": 16, "epochs": 3, "workers": 1, "sample": 0, "min_count": 1, "bucket": 200_000} | options
    return fastw2v.train(sentences, **options, progress=False)


@pytest.mark.parametrize("alpha", [0.05, 0.1])
@pytest.mark.parametrize("name", NAMES)
def test_composed_vectors_learn_as_with_pairs(name, alpha, monkeypatch):
    monkeypatch.setattr(tiles, "LEAST_TILES", 1)
    for n_words, (min_n, max_n) in [(2, (3, 6)), (34, (3, 6)), (34, (1, 2)), (1000, (3, 6))]:
        if name == "runs" and n_words == 1000:
            continue
        ids, offsets = communities(n_words, 20_000, 100, False)
        words = [NAMES[name](k) for k in range(n_words)]
        sentences = [[words[k] for k in ids[a:b]] for a, b in pairwise(offsets)]
        options = {"min_n": min_n, "max_n": max_n, "alpha": alpha}
        tile, pair = (trained_words(sentences, **options, kernel=kernel) for kernel in ("tile", "pair"))
        if tile.metadata["tiling"] is None:
            continue  # It is the pair kernel: words that share so much are as few as they look.
        number = {word: k for k, word in enumerate(words)}
        of_both = [purity(e, np.array([number[word] % 2 for word in e.vocab.words])) for e in (tile, pair)]
        for of_tile, of_pair in zip(*of_both, strict=True):
            assert of_tile >= of_pair - 0.05, (n_words, min_n, tile.metadata["tiling"])


@pytest.mark.parametrize("alpha", [0.05, 0.1])
@pytest.mark.parametrize("burst", [20, 60])
def test_bursts_of_words_that_are_alike_learn_as_with_pairs(burst, alpha):
    """All words of a burst are of one family of 20, so that they share most n-grams, but few words of the text do."""
    rng = np.random.default_rng(0)
    sentences = []
    for _ in range(40_000 // burst):
        stem = STEMS[rng.integers(50)]
        sentences.append([f"{stem}{k}" for k in rng.integers(0, 20, burst)])
    tile, pair = (trained_words(sentences, max_n=6, alpha=alpha, kernel=kernel) for kernel in ("tile", "pair"))
    assert tile.metadata["tiling"] is not None
    assert tile.metrics[-1]["loss"] < 1.2 * pair.metrics[-1]["loss"]
    assert np.abs(tile.vectors).max() < 20


@pytest.mark.parametrize("letters", ["abcdefghijklmnopqrstuvwxyz", "".join(map(chr, range(0xAC00, 0xAC00 + 300)))])
def test_large_vocabularies_of_composed_vectors_stay_finite(letters):
    rng = np.random.default_rng(0)
    words = [letters[k % len(letters)] + np.base_repr(k, 36) for k in range(50_000)]
    ids = np.concatenate([rng.permutation(len(words)), (len(words) ** rng.random(50_000)).astype(int) - 1])
    embeddings = trained_words(
        [[words[k] for k in part] for part in np.array_split(rng.permutation(ids), 5_000)],
        max_n=6, alpha=0.1, vector_size=10, epochs=1, sample=1e-3,
    )  # fmt: skip
    assert len(embeddings) == 50_000
    assert embeddings.metadata["tiling"] is not None
    assert np.abs(embeddings.vectors).max() < 20
