"""Second-order random walks (Grover and Leskovec, "node2vec: Scalable feature learning for networks", KDD 2016).

A walk that came from node t to node v moves on to a neighbour x with a probability in proportion to w(v, x) times

- 1 / p if x is t (the way back),
- 1 if there is an edge from t to x,
- 1 / q otherwise (outwards).

A table of these probabilities for each pair (t, v) takes memory quadratic in the degrees. Rejection takes none: draw x
by its weight alone, and accept it with the probability that is left (Yang et al., "KnightKing", SOSP 2019). A way back
that is likelier than all else is not part of the bound. It gets a draw of its own. After as many rejections as v has
neighbours, a scan over them draws x exactly. So whatever p, q and the graph are, a step takes no longer than a few such
scans, and the distribution is the same.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels._jit import jit
from ..kernels.sampling import build_alias, draw_below, draw_noise, next_u64

TO_UNIT = 2.0**-53
SHIFT_11 = np.uint64(11)
# Walks that take turns, so that a step of one can begin while another waits for memory.
WALKS_AT_ONCE = 32


class Graph(NamedTuple):
    """A graph in CSR form: the edges out of node v are those at ``offsets[v]`` to ``offsets[v + 1]``.

    Attributes:
        offsets: int64 ``(n_nodes + 1,)``.
        neighbours: int32 ``(n_edges,)``, where the edges lead; ascending and distinct for each node.
        alias: uint64 ``(n_edges,)``, for each node the alias table of its weights; empty if all weights are equal.
        shares: float32 ``(n_edges,)``, the weight of each edge over the sum of its node; empty like ``alias``.
    """

    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    alias: NDArray[np.uint64]
    shares: NDArray[np.float32]


class Bias(NamedTuple):
    """How a walk prefers its next node: p of the way back and q of the way outwards, each above 0."""

    p: float
    q: float


@jit(exact=True)
def alias_tables(offsets: NDArray[np.int64], weights: NDArray[np.float64], tables: NDArray[np.uint64]) -> None:
    """Fill ``tables``, uint64 ``(n_edges,)``, with the alias table of the weights of each node's edges."""
    for node in range(len(offsets) - 1):
        start, stop = offsets[node], offsets[node + 1]
        if stop > start:
            tables[start:stop] = build_alias(weights[start:stop])


@jit(exact=True, borrows=True)
def draw_unit(rng: NDArray[np.uint64]) -> float:
    """Return a number in ``[0, 1)`` with 53 random bits, from one draw."""
    return np.float64(next_u64(rng) >> SHIFT_11) * TO_UNIT


@jit(exact=True, borrows=True)
def find_edge(graph: Graph, node: int, other: int) -> int:
    """Return the place of the edge from a node to another in ``graph.neighbours``, by bisection; -1 if none."""
    low, high = graph.offsets[node], graph.offsets[node + 1]
    while low < high:
        middle = (low + high) // 2
        if graph.neighbours[middle] < other:
            low = middle + 1
        else:
            high = middle
    if low < graph.offsets[node + 1] and graph.neighbours[low] == other:
        return low  # type: ignore[no-any-return]
    return -1


@jit(exact=True, borrows=True)
def draw_edge(graph: Graph, node: int, rng: NDArray[np.uint64]) -> int:
    """Draw an edge out of a node by its weight, from one draw; return its place in ``graph.neighbours``."""
    start, stop = graph.offsets[node], graph.offsets[node + 1]
    if len(graph.alias) == 0:
        return start + draw_below(rng, stop - start)  # type: ignore[no-any-return]
    return start + draw_noise(rng, graph.alias[start:stop])  # type: ignore[no-any-return]


@jit(exact=True, borrows=True)
def scan_step(graph: Graph, bias: Bias, previous: int, node: int, rng: NDArray[np.uint64]) -> int:
    """Draw the next node as `next_step` does, by two passes over all neighbours."""
    start, stop = graph.offsets[node], graph.offsets[node + 1]
    aim = 0.0
    for turn in range(2):
        total = 0.0
        for place in range(start, stop):
            other = graph.neighbours[place]
            mass = 1.0
            if other == previous:
                mass = 1.0 / bias.p
            elif find_edge(graph, previous, other) < 0:
                mass = 1.0 / bias.q
            if len(graph.shares) > 0:
                mass *= np.float64(graph.shares[place])
            total += mass
            if turn == 1 and total > aim:
                return other  # type: ignore[no-any-return]
        if turn == 0:
            aim = draw_unit(rng) * total
    return graph.neighbours[stop - 1]  # type: ignore[no-any-return]


@jit(exact=True, borrows=True)
def next_step(graph: Graph, bias: Bias, previous: int, node: int, rng: NDArray[np.uint64]) -> int:
    """Draw the node after ``node``, which the walk reached from ``previous``; the node has an edge out."""
    start, stop = graph.offsets[node], graph.offsets[node + 1]
    if stop - start == 1:
        return graph.neighbours[start]  # type: ignore[no-any-return]
    back, out = 1.0 / bias.p, 1.0 / bias.q
    bound, surely = max(1.0, out), min(1.0, out)
    extra = 0.0  # What the way back has above the bound; the shares of the node's edges sum to 1.
    if back > bound:
        place = find_edge(graph, node, previous)
        if place >= 0:
            share = 1.0 / np.float64(stop - start)
            if len(graph.shares) > 0:
                share = np.float64(graph.shares[place])
            extra = share * (back - bound)
    for _ in range(stop - start):
        if extra > 0.0 and draw_unit(rng) * (bound + extra) < extra:
            return previous
        other = graph.neighbours[draw_edge(graph, node, rng)]
        coin = draw_unit(rng) * bound
        if other == previous:
            if coin < back:
                return other  # type: ignore[no-any-return]
        elif coin < surely or (find_edge(graph, previous, other) >= 0) == (out < 1.0):
            return other  # type: ignore[no-any-return]
    return scan_step(graph, bias, previous, node, rng)


@jit(exact=True, borrows=True)
def walk_nodes(
    graph: Graph,
    bias: Bias,
    starts: NDArray[np.int32],
    streams: NDArray[np.uint64],
    walks: NDArray[np.int32],
    lengths: NDArray[np.int64],
) -> None:
    """Walk from each start until the row is full or a node has no edge out.

    Args:
        graph: the graph.
        bias: p and q; a walk with both 1 looks at weights alone.
        starts: int32 ``(n,)``, the first node of each walk.
        streams: uint64 ``(n,)``, the state of each walk's own random numbers.
        walks: int32 ``(n, walk_length)``, filled with the nodes of each walk.
        lengths: int64 ``(n,)``, filled with how many nodes each walk has.
    """
    is_plain = bias.p == 1.0 and bias.q == 1.0
    for first in range(0, len(starts), WALKS_AT_ONCE):
        last = min(first + WALKS_AT_ONCE, len(starts))
        for k in range(first, last):
            walks[k, 0] = starts[k]
            lengths[k] = 1
        for length in range(1, walks.shape[1]):
            n_moved = 0
            for k in range(first, last):
                node = walks[k, length - 1]
                if lengths[k] < length or graph.offsets[node] == graph.offsets[node + 1]:
                    continue
                rng = streams[k : k + 1]
                if is_plain or length == 1:
                    following = graph.neighbours[draw_edge(graph, node, rng)]
                else:
                    following = next_step(graph, bias, walks[k, length - 2], node, rng)
                walks[k, length] = following
                lengths[k] = length + 1
                n_moved += 1
            if n_moved == 0:
                break


@jit(borrows=True)
def close_gaps(walks: NDArray[np.int32], lengths: NDArray[np.int64], flat: NDArray[np.int32]) -> int:
    """Move walks end to end; return how many nodes they have.

    Args:
        walks: int32 ``(n, walk_length)``.
        lengths: int64 ``(n,)``, how many nodes each row has.
        flat: int32 ``(n * walk_length,)``, the same memory as ``walks``, or another.
    """
    end = 0
    for k in range(len(walks)):
        for i in range(lengths[k]):
            flat[end] = walks[k, i]
            end += 1
    return end
