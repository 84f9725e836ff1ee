"""`random_walks` and `train_graph`: node2vec on a graph of any kind."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from os import PathLike
from typing import Any, NamedTuple, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from ..config import IdOptions, TrainConfig
from ..embeddings import Embeddings
from ..errors import ConfigError, option, worded
from ..kernels.sampling import GAMMA, MIX_1, MIX_2, SHIFT_27, SHIFT_30, SHIFT_31
from ..machine import available_memory
from ..screen import announced, bar, counted, say
from ..text.corpus import Corpus
from ..text.walks import check_walks, corpus_of_walks
from ..training.callbacks import Callback
from ..training.driver import train_made
from ..training.run import Run, check_memory, check_names, given_options
from .adjacency import read_graph
from .walks import Bias, Graph, close_gaps, walk_nodes

#: A networkx graph, a SciPy sparse array, ``(edge_index, num_nodes)``, or the path of a file of edges.
GraphInput: TypeAlias = Any

TOKENS_AT_ONCE = 1 << 20  # Nodes that a thread visits before it takes the next part.
_WALKS = 0x6E326E  # Walks draw from other streams than the training of the same seed.
_LEAST, _MOST = 1e-9, 1e9


class Walks(NamedTuple):
    """Walks on a graph, as `train_ids` takes them.

    Attributes:
        ids: int32 ``(n_tokens,)``, the nodes of all walks, end to end.
        offsets: int64 ``(n_walks + 1,)``; walk w is ``ids[offsets[w]:offsets[w + 1]]``.
        names: the name of each node; id i is node ``names[i]``.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    names: list[str]


class GraphOptions(IdOptions, total=False):
    """Keyword options of `train_graph` beside its own: those of `train_ids`."""

    checkpoint_every: float
    init_from: str | PathLike[str] | Embeddings | None
    callbacks: Sequence[Callback]


@dataclass(frozen=True)
class WalkOptions:
    """How to walk; see `train_graph`. A model folder keeps them, so that a resumed run makes the same walks.

    Raises:
        ConfigError: an option is out of range.
    """

    p: float
    q: float
    walk_length: int
    num_walks: int
    weighted: bool
    directed: bool | None

    def __post_init__(self) -> None:
        for name in ("p", "q"):
            value: Any = getattr(self, name)
            is_number = isinstance(value, Real) and not isinstance(value, bool)
            if not is_number or not _LEAST <= value <= _MOST:
                raise ConfigError(f"{option(name)} is {value!r:.60}: give a number from {_LEAST:g} to {_MOST:g}")
            object.__setattr__(self, name, float(value))
        for name in ("walk_length", "num_walks"):
            value = getattr(self, name)
            is_whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not is_whole or not 1 <= value <= 1_000_000:
                raise ConfigError(f"{option(name)} is {value!r:.60}: give a whole number from 1 to 1000000")
            object.__setattr__(self, name, int(value))
        for name, allowed in (("weighted", (True, False)), ("directed", (True, False, None))):
            value = getattr(self, name)
            if not any(value is each for each in allowed):
                raise ConfigError(f"{name} is {value!r:.60}: give {' or '.join(map(repr, allowed))}")

    def check_same(self, before: Any, output: Any) -> None:
        """Raise `ConfigError` if a run to resume made other walks; ``before`` is what its folder holds."""
        flags = {"weighted": "--unweighted", "directed": "--directed"}
        for name, value in asdict(self).items():
            if isinstance(before, dict) and name in before and before[name] != value:
                text = (
                    f"{option(name)} is {value!r}, but {output} was trained on walks with {before[name]!r}: give that "
                    "value to resume, or train into another folder"
                )
                if flag := flags.get(name):
                    is_given = bool(value) != (name == "weighted")
                    how, remedy = ("without", "omit") if is_given else ("with", "give")
                    flagged = f"{output} was trained on walks {how} {flag}: {remedy} it to resume, or train into "
                    text = worded(text, f"{flagged}another folder")
                raise ConfigError(text)


def random_walks(
    graph: GraphInput,
    *,
    p: float = 1.0,
    q: float = 1.0,
    walk_length: int = 80,
    num_walks: int = 10,
    weighted: bool = True,
    directed: bool | None = None,
    seed: int = 1,
    workers: int | None = None,
    progress: bool = True,
) -> Walks:
    """Return random walks on a graph, as node2vec makes them (Grover and Leskovec, 2016).

    The walks depend on the graph, these options and the seed, but not on ``workers``. They take 4 bytes per node of
    each walk; the graph takes 4 bytes per edge and direction, or 16 with weights.

    Args:
        graph: see `train_graph`.
        p: see `train_graph`.
        q: see `train_graph`.
        walk_length: see `train_graph`.
        num_walks: see `train_graph`.
        weighted: see `train_graph`.
        directed: see `train_graph`.
        seed: origin of every random number.
        workers: threads; None means every usable core.
        progress: show a bar and remarks on standard error.

    Returns:
        `Walks`. There are ``num_walks`` rounds, and each round has one walk from every node, in an order of its own.

    Raises:
        ConfigError: an option is out of range, or the walks do not fit into the free memory.
        CorpusError: the graph can't be read, has no edge, or has an unusable weight or name.

    Example:
        >>> walks = random_walks("edges.tsv", p=0.5, q=2)
        >>> first = [walks.names[i] for i in walks.ids[: walks.offsets[1]]]
    """
    options = WalkOptions(p, q, walk_length, num_walks, weighted, directed)
    config = TrainConfig(seed=seed, workers=workers)
    found, names = read_graph(graph, options.weighted, options.directed, progress)
    return Walks(*walk_graph(found, options, config, progress), names)


def train_graph(
    graph: GraphInput,
    *,
    p: float = 1.0,
    q: float = 1.0,
    walk_length: int = 80,
    num_walks: int = 10,
    weighted: bool = True,
    directed: bool | None = None,
    output: str | PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
    **options: Unpack[GraphOptions],
) -> Embeddings:
    """Train embeddings of the nodes of a graph.

    This is node2vec (Grover and Leskovec, 2016), and with p = q = 1 DeepWalk (Perozzi, Al-Rfou and Skiena, 2014).

    Args:
        graph: a networkx graph (its edges may have the attribute ``weight``; parallel edges are added); a SciPy sparse
            array or matrix, the adjacency; ``(edge_index, num_nodes)`` with a 2 x E array of integers, from NumPy,
            PyTorch or PyTorch Geometric; or the path of a file of edges, compressed or not, ``-`` for standard input.
            A line of the file has two names and, if the edges are weighted, a number, separated by tabs, commas or
            spaces. Lines at the top that begin with # or % are skipped, and so is a header line.
        p: return parameter; below 1 a walk goes back to where it came from more often, above 1 less often.
        q: in-out parameter; below 1 a walk moves away from where it came from, above 1 it stays near. A node is near if
            an edge leads to it from the node where the walk came from.
        walk_length: nodes per walk. A walk is shorter if it reaches a node without an edge out, so the walks of an
            isolated node have one node.
        num_walks: walks from each node.
        weighted: whether the weights count; False gives each edge the weight 1. Edges that occur several times are one
            edge whose weight is the sum. An edge of weight 0 is skipped.
        directed: whether edges lead one way only. With None, a networkx graph is as it was made, a sparse array is
            directed, and an edge index or a file is undirected, as in node2vec. An undirected networkx graph stays so.
            An undirected graph has every edge in both directions; if it lists them so, it is left as it is.
        output: model folder to write, see `train`.
        resume: continue the run in ``output``, see `train`. The walks are made again, so give the same graph and the
            same options of walks.
        progress: show a bar and remarks on standard error.
        options: all others of `train_ids`, such as ``vector_size``, ``window``, ``epochs`` or ``callbacks``. Defaults
            are those of `TrainConfig`; node2vec's own are ``vector_size=128, window=10, epochs=1``. ``sample`` drops
            some occurrences of nodes that are more than that share of all tokens, as in gensim; 0 turns it off.

    Returns:
        The embeddings, in the order of the graph's nodes. The words are the names of the nodes, ``str(node)`` where a
        node is not a string.

    Raises:
        ConfigError: an option is out of range, differs from that of the run to resume, or memory is short.
        CorpusError: the graph can't be read, has no edge, or has an unusable weight or name.
        FolderError, DivergedError, KeyboardInterrupt, Terminated: see `train`.

    Example:
        >>> nodes = train_graph(networkx.karate_club_graph(), vector_size=16, epochs=1)
        >>> nodes.most_similar("33")
    """
    how = WalkOptions(p, q, walk_length, num_walks, weighted, directed)
    check_names(train_graph, options, GraphOptions)
    checkpoint_every = options.pop("checkpoint_every", 10.0)
    init_from, callbacks = options.pop("init_from", None), options.pop("callbacks", ())
    run = Run(output, resume, checkpoint_every, init_from, callbacks, progress)

    def corpus(config: TrainConfig, before: Any) -> Corpus:
        how.check_same(before.get("graph"), run.output)
        found, names = read_graph(graph, how.weighted, how.directed, progress)
        check_memory(len(names), config, progress=False, names=True)  # Before the walks are made.
        ids, offsets, n_words = check_walks(*walk_graph(found, how, config, progress), len(names))
        made = corpus_of_walks(ids, offsets, n_words, names, progress)
        return made.described(graph=asdict(how))

    return train_made(corpus, run, given_options(options))


def walk_graph(
    graph: Graph, options: WalkOptions, config: TrainConfig, progress: bool
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the ids and the offsets of all walks."""
    n, length, rounds = len(graph.offsets) - 1, options.walk_length, options.num_walks
    need, free = 4 * n * length * rounds + 16 * n * rounds, available_memory()
    asked = f"{counted(rounds, 'walk')} of {counted(length, 'node')} from each of {counted(n, 'node')}"
    bill = f"{asked} take {need / 1e6:,.0f} MB"
    if free is not None and need > free:
        raise ConfigError(
            f"{bill}, but {free / 1e6:,.0f} MB are free: lower {option('num_walks')} or {option('walk_length')}"
        )
    say(progress, f"memory: {bill} at most")
    walks, lengths = np.empty((n * rounds, length), np.int32), np.empty(n * rounds, np.int64)
    first, *orders = np.random.SeedSequence((config.seed, _WALKS)).spawn(rounds + 1)
    base = first.generate_state(1, np.uint64)[0]
    bias = Bias(options.p, options.q)
    with announced(progress, "compiling kernels (a few seconds, once; later runs load them from the cache) ..."):
        none = np.empty(0, np.int32)
        walk_nodes(graph, bias, none, none.astype(np.uint64), walks[:0], lengths[:0])
    at_once = max(1, TOKENS_AT_ONCE // length)

    def part(order: NDArray[np.int32], done: int, start: int) -> int:
        starts = order[start : start + at_once]
        rows = slice(done + start, done + start + len(starts))
        walk_nodes(graph, bias, starts, walk_streams(base, starts.astype(np.uint64) + np.uint64(done)),
                   walks[rows], lengths[rows])  # fmt: skip
        return len(starts)

    pool = ThreadPoolExecutor(config.workers)
    with bar(n * rounds, " walks", "walks", progress) as shown:
        try:
            for number, order in enumerate(orders):
                nodes = np.random.default_rng(order).permutation(n).astype(np.int32)
                parts = [pool.submit(part, nodes, number * n, start) for start in range(0, n, at_once)]
                for walked in parts:
                    shown.update(walked.result())
        finally:
            pool.shutdown(cancel_futures=True)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    ids = walks.reshape(-1)
    if offsets[-1] < len(ids):
        ids = ids[: close_gaps(walks, lengths, ids)]
    return ids, offsets


def walk_streams(base: np.uint64, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the random states of walks: draw number i of the stream ``base``, for each i (SplitMix64)."""
    z = (numbers + np.uint64(1)) * GAMMA + base
    z = (z ^ (z >> SHIFT_30)) * MIX_1
    z = (z ^ (z >> SHIFT_27)) * MIX_2
    return z ^ (z >> SHIFT_31)
