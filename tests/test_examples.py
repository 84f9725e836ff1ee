"""The examples of the kernels' documentation, and two uses of integers that are no words."""

import doctest

import numba
import numpy as np

import fastw2v
from fastw2v import kernels


def test_the_examples_of_the_kernels():
    result = doctest.testmod(kernels)
    assert result.attempted > 30
    assert result.failed == 0


@numba.njit
def random_walks(targets, first, length, walks_per_node, rng):
    """DeepWalk's walks: from each node in turn, each step to one of its neighbours, all equally likely."""
    n = len(first) - 1
    ids = np.empty((n * walks_per_node, length), np.int32)
    for walk in range(len(ids)):
        node = walk % n
        for step in range(length):
            ids[walk, step] = node
            node = targets[first[node] + kernels.draw_below(rng, first[node + 1] - first[node])]
    return ids


def test_deepwalk_finds_communities():
    """Four groups of 25 nodes, an edge within a group likelier than between: neighbours are of the same group."""
    groups = np.arange(100) // 25
    random = np.random.default_rng(0)
    likely = np.where(groups[:, None] == groups, 0.3, 0.01)
    edges = np.triu(random.random((100, 100)) < likely, 1)
    edges |= edges.T
    first = np.concatenate([[0], np.cumsum(edges.sum(axis=1))])
    walks = random_walks(np.nonzero(edges)[1], first, 40, 50, kernels.spawn_streams(1, 1))
    offsets = np.arange(0, walks.size + 1, 40)
    embeddings = fastw2v.train_ids(walks.ravel(), offsets, n_words=100, vector_size=32, sample=0, progress=False)
    near = [[int(other) for other, _ in embeddings.most_similar(str(node), topn=5)] for node in range(100)]
    assert (groups[np.array(near)] == groups[:, None]).mean() > 0.9


def test_items_bought_together_are_similar():
    """Baskets that each hold items of one of 40 departments."""
    random = np.random.default_rng(0)
    departments = random.integers(0, 40, 8_000)
    baskets = departments[:, None] * 25 + random.integers(0, 25, (8_000, 6))
    offsets = np.arange(0, baskets.size + 1, 6)
    embeddings = fastw2v.train_ids(baskets.ravel(), offsets, n_words=1_000, vector_size=48, epochs=10, progress=False)
    assert embeddings.metadata["tiling"] is not None
    near = [int(other) for item in range(0, 1_000, 50) for other, _ in embeddings.most_similar(str(item), topn=5)]
    assert (np.array(near) // 25 == np.repeat(np.arange(0, 1_000, 50), 5) // 25).mean() > 0.9
