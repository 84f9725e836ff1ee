"""Turn a graph as programs hold it into CSR: a graph of networkx, a sparse matrix, an edge index, a file of edges.

Objects of networkx, SciPy and PyTorch are recognised by what they have, so none of them is imported.
"""

from itertools import islice
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..screen import counted, printable, say
from ..text.sentences import is_whole, shown
from ..text.walks import MOST_IDS, check_words
from .edges import Edges, read_edges
from .walks import Graph, alias_tables

AT_ONCE = 1 << 18  # Edges that are Python objects at once.
#: What a person with a list or a table of edges can do.
_MAKE = "; networkx.from_edgelist and networkx.from_pandas_edgelist make a graph of a list or a table of edges"
_NONE_64, _NONE_32 = np.empty(0, np.uint64), np.empty(0, np.float32)


def read_graph(graph: Any, weighted: bool, directed: bool | None, progress: bool) -> tuple[Graph, list[str]]:
    """Return a graph in CSR form and the names of its nodes; report its size.

    Args:
        graph: see `train_graph`.
        weighted: whether weights count; otherwise each edge counts once.
        directed: whether an edge leads one way only; None means see `train_graph`.
        progress: whether to report.

    Raises:
        CorpusError: it is none of these, has no node or no edge, or has an unusable weight, name or node number.
    """
    if isinstance(graph, (str, PathLike)):
        edges, one_way = read_edges(graph, weighted, progress), bool(directed)
    elif hasattr(graph, "is_directed") and hasattr(graph, "edges") and hasattr(graph, "nodes"):
        # An undirected graph lists each edge once, so it can't be read as directed.
        edges, one_way = _of_networkx(graph, weighted), graph.is_directed() and directed is not False
    elif hasattr(graph, "tocoo") and hasattr(graph, "shape"):
        edges, one_way = _of_sparse(graph, weighted), directed is not False
    elif isinstance(graph, (tuple, list)) and len(graph) == 2:
        edges, one_way = _of_edge_index(*graph), bool(directed)
    else:
        raise CorpusError(
            f"graph is {shown(graph)}: give a networkx graph, a SciPy sparse array, (edge_index, num_nodes), or "
            f"the path of a file of edges{_MAKE}"
        )
    names = check_words(edges.names, None)
    assert names is not None
    found, n_zero, n_repeats = _compressed(edges, weighted, one_way)
    n_edges, degrees = len(found.neighbours), np.diff(found.offsets)
    if n_edges == 0:
        raise CorpusError(f"the graph of {counted(len(names), 'node')} has no edge: there is nowhere to walk")
    kind = "weighted" if len(found.alias) else "unweighted"
    if one_way:
        shape = f"{counted(n_edges, 'edge')}, directed"
    else:
        n_loops = int(np.count_nonzero(found.neighbours == np.repeat(np.arange(len(names)), degrees)))
        shape = f"{counted((n_edges + n_loops) // 2, 'edge')}, undirected"
    say(progress, f"graph: {counted(len(names), 'node')}, {shape}, {kind}")
    if n_zero:
        say(progress, f"{counted(n_zero, 'edge')} of weight 0 skipped")
    if n_repeats:
        say(progress, f"{counted(n_repeats, 'edge')} listed again: {'weights are added' if weighted else 'ignored'}")
    if ends := int(np.count_nonzero(degrees == 0)):
        verb = "has" if ends == 1 else "have"
        say(progress, f"{counted(ends, 'node')} {verb} no edge out: a walk ends there")
    return found, names


def _of_networkx(graph: Any, weighted: bool) -> Edges:
    names: list[str] = []
    index: dict[Any, int] = {}
    for node in graph.nodes:
        index[node] = len(names)
        # As node2vec does: grids of networkx have tuples as nodes.
        names.append(node if isinstance(node, str) else str(node))
    if not names:
        raise CorpusError("the graph has no node")
    if len(set(names)) < len(names):
        of_name: dict[str, Any] = {}
        for node, name in zip(index, names, strict=True):
            if name in of_name:
                raise CorpusError(
                    f"the nodes {shown(of_name[name])} and {shown(node)} have the same name: rename one, as with "
                    "networkx.relabel_nodes"
                )
            of_name[name] = node
    listed = iter(graph.edges(data="weight", default=1) if weighted else graph.edges())
    ids: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    weights: list[NDArray[np.float64]] = [np.empty(0)]
    while block := list(islice(listed, AT_ONCE)):
        ids.append(np.fromiter((index[node] for edge in block for node in edge[:2]), np.int64, 2 * len(block)))
        if weighted:
            try:
                weights.append(_checked([float(edge[2]) for edge in block]))
            except (TypeError, ValueError):
                edge = next(edge for edge in block if not _is_weight(edge[2]))
                raise CorpusError(
                    f"the edge from {shown(edge[0])} to {shown(edge[1])} has the weight {shown(edge[2])}: "
                    "a weight must be finite and at least 0; weighted=False ignores weights"
                ) from None
    pairs = np.concatenate(ids).reshape(-1, 2)
    return Edges(names, pairs[:, 0], pairs[:, 1], np.concatenate(weights) if weighted else None)


def _is_weight(value: Any) -> bool:
    try:
        return bool(0 <= float(value) < np.inf)
    except (TypeError, ValueError):
        return False


def _checked(weights: Any) -> NDArray[np.float64]:
    """Return weights as an array, or raise ValueError."""
    found = np.asarray(weights, np.float64)
    if not bool(np.all((found >= 0) & (found < np.inf))):
        raise ValueError
    return found


def _of_sparse(matrix: Any, weighted: bool) -> Edges:
    shape = tuple(matrix.shape)
    if len(shape) != 2 or shape[0] != shape[1] or not 0 < shape[0] <= MOST_IDS:
        raise CorpusError(f"the sparse array has shape {shape}: an adjacency matrix has a row and a column per node")
    found = matrix.tocoo()
    source, target = np.asarray(found.row, np.int64), np.asarray(found.col, np.int64)
    weights = np.asarray(found.data)
    try:
        if weights.dtype.kind not in "biuf":
            raise ValueError
        weights = _checked(weights)
    except ValueError:
        wrong = next(place for place, value in enumerate(weights.tolist()) if not _is_weight(value))
        raise CorpusError(
            f"the sparse array has {shown(weights[wrong])} at ({source[wrong]}, {target[wrong]}): a weight must be "
            "finite and at least 0"
        ) from None
    # An explicit 0 is not an edge, even where weights do not count.
    return Edges([str(i) for i in range(shape[0])], source, target, weights)


def _of_edge_index(edge_index: Any, num_nodes: Any) -> Edges:
    try:
        index = np.asarray(edge_index)
    except Exception as error:  # A tensor on a GPU has its own errors.
        raise CorpusError(f"edge_index is not an array ({shown(error)}): give a 2 x E array of integers") from None
    if index.ndim != 2 or index.shape[0] != 2 or index.dtype.kind not in "iu":
        raise CorpusError(
            f"edge_index is {index.dtype} with shape {index.shape}: give a 2 x E array of integers{_MAKE}"
        )
    if not is_whole(type(num_nodes)) or not 1 <= num_nodes <= MOST_IDS:
        raise CorpusError(f"num_nodes is {shown(num_nodes)}: give a whole number from 1 to {MOST_IDS}")
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < num_nodes:
        wrong = int(index.min()) if index.min() < 0 else int(index.max())
        raise CorpusError(f"edge_index has {wrong}: with num_nodes {num_nodes}, give numbers from 0 to {num_nodes - 1}")
    source, target = index.astype(np.int64)
    return Edges([str(i) for i in range(num_nodes)], source, target, None)


def _compressed(edges: Edges, weighted: bool, one_way: bool) -> tuple[Graph, int, int]:
    """Return the graph, how many edges had the weight 0, and how many were listed before.

    Edges that are listed more than once become one edge of the sum of their weights. Without ``one_way`` each edge
    leads both ways; a graph that lists all edges in both directions is left as it is.
    """
    n = len(edges.names)
    keys = edges.source * n + edges.target
    weights = np.ones(len(keys)) if edges.weights is None else edges.weights
    kept = weights > 0
    n_zero = len(keys) - int(np.count_nonzero(kept))
    if n_zero:
        keys, weights = keys[kept], weights[kept]
    n_listed = len(keys)
    keys, weights = _merged(keys, weights if weighted else np.ones(len(keys)))
    n_repeats = n_listed - len(keys)
    if not weighted:
        weights = np.ones(len(keys))
    if not one_way:
        turned, of_turned = _merged(keys % n * n + keys // n, weights)
        # Weights that were computed may differ in the last digits.
        if not (np.array_equal(keys, turned) and np.allclose(weights, of_turned, rtol=1e-9, atol=0)):
            others = turned // n != turned % n  # A loop is one edge in both directions.
            keys = np.concatenate([keys, turned[others]])
            n_listed = len(keys)
            keys, weights = _merged(keys, np.concatenate([weights, of_turned[others]]))
            n_repeats += (n_listed - len(keys)) // 2  # Both directions of each.
            if not weighted:
                weights = np.ones(len(keys))
    source, neighbours = keys // n, (keys % n).astype(np.int32)
    offsets = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=n), out=offsets[1:])
    if len(weights) == 0 or weights.min() == weights.max():
        return Graph(offsets, neighbours, _NONE_64, _NONE_32), n_zero, n_repeats
    sums = np.bincount(source, weights, minlength=n)
    if not np.isfinite(sums).all():
        node = printable(edges.names[int(np.argmin(np.isfinite(sums)))])
        raise CorpusError(f"the weights at node {node!r:.60} are too large to be added: divide all weights")
    shares = weights / sums[source]
    alias = np.empty(len(keys), np.uint64)
    alias_tables(offsets, shares, alias)
    return Graph(offsets, neighbours, alias, shares.astype(np.float32)), n_zero, n_repeats


def _merged(keys: NDArray[np.int64], weights: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the distinct keys in ascending order, and the sum of the weights of each."""
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    firsts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.empty(0, np.int64)
    if len(firsts) == len(keys):
        return keys, weights
    with np.errstate(over="ignore"):  # `_compressed` checks the sum of each node.
        return keys[firsts], np.add.reduceat(weights, firsts)
