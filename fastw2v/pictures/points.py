"""Where the words of a map lie, which belong together, and which are near each other."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..choices import Method
from ..errors import FormatError, from_extra
from ..files.arrays import first_not_finite
from ..screen import printable

CLUSTERS = 10  # As many as there are colours that people tell apart.
WORDS_PER_CLUSTER = 3  # At least, on average: few words get few clusters.
PERPLEXITY = 30.0  # scikit-learn's default: about how many neighbours each word is to keep.
FEWEST_FOR_TSNE = 5
START_SPREAD = 1e-4  # Standard deviation of the first positions, as scikit-learn advises.
NEAREST = 5
ROWS_AT_ONCE = 1_024


@dataclass(frozen=True)
class Points:
    """The words of a map.

    Attributes:
        words: as a screen shows them; the first ones matter most when there is no room for all labels.
        counts: int64 ``(n_words,)``.
        xy: float64 ``(n_words, 2)``, the position of each word; the units mean nothing.
        clusters: int64 ``(n_words,)``, from 0.
        nearest: int64 ``(n_words, at most 5)``, the words of the map with the largest cosines, the nearest first.
    """

    words: Sequence[str]
    counts: NDArray[np.int64]
    xy: NDArray[np.float64]
    clusters: NDArray[np.int64]
    nearest: NDArray[np.int64]


def placed(
    words: Sequence[str], counts: NDArray[np.int64], vectors: NDArray[np.float32], method: Method, seed: int
) -> Points:
    """Place words on a map by the cosines of their vectors.

    Threads add numbers in an order that differs from run to run, so everything here uses one: the same seed gives the
    same map.

    Raises:
        FormatError: a vector is not finite.
        MissingExtraError: scikit-learn is not installed.
    """
    row = first_not_finite(vectors)
    if row is not None:
        raise FormatError(f"the vector of the word '{printable(words[row]):.60}' is not finite: repair it")
    with from_extra("plot", "scikit-learn"):
        import sklearn.cluster
        import sklearn.manifold  # noqa: F401
        from threadpoolctl import threadpool_limits
    scale = np.abs(vectors).max(axis=1, keepdims=True, initial=0)  # Squares of extreme numbers would not fit.
    unit: NDArray[np.float32] = (vectors / np.where(scale == 0, 1, scale)).astype(np.float32)
    norms = np.linalg.norm(unit, axis=1, keepdims=True)
    unit /= np.where(norms == 0, 1, norms)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # KMeans warns where several words have equal vectors, which is no fault of the user.
        xy = _positions(unit, method, seed)
        clusters = _clusters(unit, seed)
        nearest = _nearest(unit)
    return Points([printable(word) for word in words], counts, xy, clusters, nearest)


def _positions(unit: NDArray[np.float32], method: Method, seed: int) -> NDArray[np.float64]:
    flat = _principal_components(unit)
    if method == "pca" or len(unit) < FEWEST_FOR_TSNE:
        return flat
    from sklearn.manifold import TSNE

    spread = flat[:, 0].std()
    if spread == 0:
        return flat  # All vectors are equal.
    start = (flat / spread * START_SPREAD).astype(np.float32)
    perplexity = min(PERPLEXITY, (len(unit) - 1) / 3)
    found = TSNE(init=start, perplexity=perplexity, random_state=seed % 2**32).fit_transform(unit)
    return np.asarray(found, np.float64)


def _principal_components(unit: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the two coordinates along which vectors differ most."""
    centred = unit.astype(np.float64) - unit.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, : -3 if axes.shape[1] > 2 else None : -1]
    flat = np.zeros((len(unit), 2))
    flat[:, : axes.shape[1]] = centred @ axes
    # An axis may point either way, so the word farthest out decides.
    farthest = flat[np.abs(flat).argmax(axis=0), [0, 1]]
    return flat * np.where(farthest < 0, -1, 1)


def _clusters(unit: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """Return the cluster of each word; the first word is in cluster 0, the next that is elsewhere in 1, and so on."""
    from sklearn.cluster import KMeans

    n_clusters = max(1, min(CLUSTERS, len(unit) // WORDS_PER_CLUSTER))
    found = KMeans(n_clusters, n_init=4, random_state=seed % 2**32).fit_predict(unit)
    _, first, labels = np.unique(found, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[labels]


def _nearest(unit: NDArray[np.float32]) -> NDArray[np.int64]:
    n, k = len(unit), min(NEAREST, len(unit) - 1)
    found = np.zeros((n, k), np.int64)
    for start in range(0, n, ROWS_AT_ONCE):
        cosines = unit[start : start + ROWS_AT_ONCE] @ unit.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        for column in range(k):  # To sort whole rows takes many times longer.
            found[start + own, column] = nearest = cosines.argmax(axis=1)
            cosines[own, nearest] = -np.inf
    return found
