"""``graph``: node2vec beside PecanPy on the same graph, in turn: time of the walks and of all, and prediction of edges.

The graph is made up: nodes belong to communities of different sizes, and an edge leads to a node of the same community
with a probability of 0.7, otherwise to any node; popular nodes are likelier, so that degrees differ widely. A tenth of
the edges is held out. Both programs walk on the rest and train on their walks with the same options. An edge that was
held out should then have a larger cosine than a pair of nodes without an edge: the AUC is the share of such comparisons
that come out right.

PecanPy walks with `SparseOTF`, its default, or with p = q = 1 with `FirstOrderUnweighted`. Where only walks are
compared, it walks also with `PreComp`, and the tables of second steps that this mode makes first are not timed.
Compilation is not timed: PecanPy compiles in each call, so here it gets its compiled functions again. PecanPy counts
steps and we count nodes, so its walk length is one less. Its training is gensim's.
"""

import argparse
import importlib.metadata
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastw2v
from fastw2v.config import TrainConfig
from fastw2v.graphs.adjacency import read_graph
from fastw2v.graphs.node2vec import WalkOptions, walk_graph

from . import record, report
from .steps import steps
from .timing import summary

HELP = "node2vec beside PecanPy on the same graph, in turn: walks, walks and training, prediction of edges"
NODES, QUICK_NODES = 100_000, 500
EDGES_PER_NODE = 10
BIASES = ((1.0, 1.0), (0.5, 2.0))
TRAINING = {"vector_size": 128, "window": 10, "epochs": 1}
WORKERS = 2
NEAR = 0.7
Pairs = NDArray[np.int64]  # (n, 2)


class Walking(NamedTuple):
    """How both programs walk."""

    p: float
    q: float
    walk_length: int
    num_walks: int
    trains: bool = True  # False ends after the walks

    def options(self) -> dict[str, Any]:
        """Return the arguments of `train_graph`."""
        return {name: value for name, value in self._asdict().items() if name != "trains"}

    def __str__(self) -> str:
        return f"p {self.p:g}, q {self.q:g}"


def community_graph(n_nodes: int, n_edges: int, seed: int) -> Pairs:
    """Return distinct undirected edges of a graph with communities, without loops."""
    rng = np.random.default_rng(seed)
    sizes = rng.zipf(1.8, n_nodes).clip(20, 500)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), n_nodes)) + 1]
    last = np.minimum(np.cumsum(sizes), n_nodes)
    first = np.concatenate([[0], last[:-1]])
    community = np.repeat(np.arange(len(last)), last - first)
    popularity = rng.pareto(2.5, n_nodes) + 1
    sums = np.concatenate([[0.0], np.cumsum(popularity)])
    found = np.empty((0, 2), np.int64)
    while len(found) < n_edges:
        m = 2 * (n_edges - len(found)) + 100
        source = np.searchsorted(sums, rng.random(m) * sums[-1], "right") - 1
        near = rng.random(m) < NEAR
        low = np.where(near, sums[first[community[source]]], 0)
        high = np.where(near, sums[last[community[source]]], sums[-1])
        target = np.searchsorted(sums, low + rng.random(m) * (high - low), "right") - 1
        pairs = np.sort(np.stack([source, np.minimum(target, n_nodes - 1)], axis=1), axis=1)
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        found = np.unique(np.concatenate([found, pairs]), axis=0)
    return found[np.sort(rng.permutation(len(found))[:n_edges])]


def split(pairs: Pairs, n_nodes: int, seed: int) -> tuple[Pairs, Pairs, Pairs]:
    """Return the edges to train on, the tenth that is held out, and as many pairs of nodes that have no edge."""
    rng = np.random.default_rng((seed, 1))
    order = rng.permutation(len(pairs))
    held = pairs[order[: len(pairs) // 10]]
    keys = pairs[:, 0] * n_nodes + pairs[:, 1]
    drawn = np.sort(rng.integers(0, n_nodes, (3 * len(held), 2)), axis=1)
    no_edge = ~np.isin(drawn[:, 0] * n_nodes + drawn[:, 1], keys) & (drawn[:, 0] != drawn[:, 1])
    return pairs[order[len(pairs) // 10 :]], held, drawn[no_edge][: len(held)]


def auc(names: list[str], vectors: NDArray[np.floating], held: Pairs, others: Pairs) -> float:
    """Return how often an edge has a larger cosine than another pair; nodes without a vector are left out."""
    rows = np.full(max(int(held.max()), int(others.max()), *map(int, names)) + 1, -1)
    rows[[int(name) for name in names]] = np.arange(len(names))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def cosines(pairs: Pairs) -> NDArray[np.floating]:
        at = rows[pairs]
        at = at[(at >= 0).all(axis=1)]
        return np.concatenate([(unit[a] * unit[b]).sum(axis=1) for a, b in (p.T for p in np.array_split(at, 20))])

    yes, no = cosines(held), np.sort(cosines(others))
    right = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    return float(right.mean() / 2 / len(no))


Made = tuple[dict[str, float], list[str], NDArray[np.floating] | None]


def ours(path: Path, how: Walking, seed: int) -> Made:
    """Walk and train with fastw2v; return the seconds, the names, and the vectors if it trains."""
    began = time.perf_counter()
    graph, names = read_graph(path, True, None, False)
    seconds = {"reading": time.perf_counter() - began}
    options = WalkOptions(**how.options(), weighted=True, directed=None)
    began = time.perf_counter()
    walk_graph(graph, options, TrainConfig(seed=seed, workers=WORKERS), progress=False)
    seconds["walks"] = time.perf_counter() - began
    if not how.trains:
        return seconds, names, None
    began = time.perf_counter()
    nodes = fastw2v.train_graph(path, **how.options(), **TRAINING, seed=seed, workers=WORKERS, progress=False)
    return seconds | {"all": time.perf_counter() - began}, nodes.words, nodes.vectors


def theirs(path: Path, how: Walking, seed: int, mode: str = "SparseOTF") -> Made:
    """Walk and train with PecanPy; return the seconds, and the names and the vectors if it trains."""
    import numba
    from gensim.models import Word2Vec
    from pecanpy import pecanpy

    make = getattr(pecanpy, "FirstOrderUnweighted" if how.p == how.q == 1 else mode)
    before = numba.get_num_threads()
    numba.set_num_threads(min(WORKERS, before))  # It does not pass its own workers to Numba.
    try:
        began = time.perf_counter()
        graph = make(p=how.p, q=how.q, workers=WORKERS, random_state=seed)
        graph.read_edg(str(path), weighted=False, directed=False)
        reading = time.perf_counter() - began
        graph._preprocess_transition_probs()
        move_forward, has_neighbours = graph.get_move_forward(), graph.get_has_nbrs()
        graph.get_move_forward, graph.get_has_nbrs = lambda: move_forward, lambda: has_neighbours
        graph.simulate_walks(num_walks=1, walk_length=1)
        began = time.perf_counter()
        walks = graph.simulate_walks(num_walks=how.num_walks, walk_length=how.walk_length - 1)
        walking = time.perf_counter() - began
    finally:
        numba.set_num_threads(before)
    seconds = {"reading": reading, "walks": walking}
    if not how.trains:
        return seconds, graph.nodes, None
    began = time.perf_counter()
    # As `embed` does.
    model = Word2Vec(walks, **TRAINING, sg=1, min_count=0, workers=WORKERS, seed=seed)
    training = time.perf_counter() - began
    return seconds | {"all": reading + walking + training}, graph.nodes, model.wv[graph.nodes]


TABLES = "PecanPy with tables"
Program = Callable[[Path, Walking, int], Made]


def measure(
    n_nodes: int, n_edges: int, seeds: int, ways: list[Walking], programs: dict[str, Program]
) -> dict[str, Any]:
    """Run both programs in turn for each seed and each p and q; return seconds and AUC of each run."""
    found: dict[str, Any] = {str(how): {name: {"auc": [], "seconds": []} for name in programs} for how in ways}
    with (
        tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary,
        steps("graph", len(programs) * seeds * len(ways)) as say,
    ):
        path = Path(temporary) / "edges.tsv"
        for seed in range(1, seeds + 1):
            pairs, held, others = split(community_graph(n_nodes, n_edges, seed), n_nodes, seed)
            np.savetxt(path, pairs, "%d", "\t")
            if seed == 1:  # Kernels are compiled or loaded.
                fastw2v.train_graph(
                    path, **TRAINING, num_walks=1, walk_length=3, p=0.5, workers=WORKERS, progress=False
                )
            for how in ways:
                # Every second round begins with the other program.
                for name in list(programs)[:: 1 if seed % 2 else -1]:
                    if name == TABLES and how.p == how.q == 1:
                        continue
                    seconds, names, vectors = programs[name](path, how, seed)
                    of = found[str(how)][name]
                    of["seconds"].append(seconds)
                    shown = ", ".join(f"{part} {value:.1f} s" for part, value in seconds.items())
                    if vectors is not None:
                        of["auc"].append(round(100 * auc(names, vectors, held, others), 3))
                        shown += f", AUC x 100 {of['auc'][-1]:.2f}"
                    say(f"seed {seed}, {how}, {name}: {shown}")
    return found


def summaries(found: dict[str, Any]) -> dict[str, Any]:
    """Return medians and ratios of the runs of `measure`."""
    made: dict[str, Any] = {}
    for bias, of in found.items():
        parts = list(of["fastw2v"]["seconds"][0])
        made[bias] = {
            name: {part: summary([run[part] for run in runs["seconds"]]) for part in parts} | {"auc": runs["auc"]}
            for name, runs in of.items()
            if runs["seconds"]
        }
        for peer in made[bias].keys() - {"fastw2v"}:
            pairs = list(zip(of[peer]["seconds"], of["fastw2v"]["seconds"], strict=True))
            ratios = {part: summary([its[part] / our[part] for its, our in pairs]) for part in parts}
            made[bias][f"{peer} / fastw2v"] = ratios
    return made


def table(result: report.Record) -> str:
    """Return the table of a ``graph`` result, in Markdown."""
    rows, parts = [], ["reading", "walks", *["all"] * result["trains"]]
    for bias, of in result["runs"].items():
        for name in sorted(of, key=lambda name: (" / " in name, name != "fastw2v", name)):
            if " / " in name:
                cells = [f"{report.number(r['median'])} ({report.number(r['spread'])})" for r in of[name].values()]
                rows.append([f"{name}, {bias}", *cells, *[""] * result["trains"]])
                continue
            cells = [report.number(of[name][part]["median"]) for part in parts]
            if aucs := of[name]["auc"]:
                cells.append(f"{np.median(aucs):.2f} ({max(aucs) - min(aucs):.2f})")
            rows.append([f"{name}, {bias}", *cells])
    header = ["", *(f"{part}, seconds" for part in parts), *["AUC x 100"] * result["trains"]]
    nodes, n_edges = result["graph"]
    pecanpy = f" PecanPy {result['pecanpy']}, gensim {result['gensim']}." if result["pecanpy"] else ""
    options = ", ".join(f"{name} {value}" for name, value in result["training"].items())
    training = f"; {options}" * result["trains"]
    return (
        f"{report.markdown(header, rows)}\n\nMedians of {result['seeds']} seeds, in brackets the largest minus the "
        f"smallest. {nodes:,} nodes and {n_edges:,} edges, a tenth of them held out; {result['num_walks']} walks of "
        f"{result['walk_length']} nodes per node{training}; {result['workers']} workers."
        f"{' All: reading, walks and training.' * result['trains']}{pecanpy} {report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest tables that have PecanPy in them: with training, and of walks alone."""
    complete = [result for result in report.full_records("graph") if result["pecanpy"]]
    newest = {"graph" if result["trains"] else "graph-walks": result for result in complete}
    return {name: table(newest[name]) for name in sorted(newest)}


def version(package: str) -> str | None:
    """Return the version of an installed package; None without it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="graphs, each with its seed (default: 3)")
    parser.add_argument("--nodes", type=int, default=NODES, metavar="N", help=f"nodes of a graph (default: {NODES})")
    parser.add_argument("--walks-only", action="store_true", help="no training")
    parser.add_argument("--num-walks", type=int, default=10, metavar="N", help="walks per node (default: 10)")
    parser.add_argument("--walk-length", type=int, default=80, metavar="N", help="nodes of a walk (default: 80)")
    parser.add_argument("--quick", action="store_true", help=f"trial run: {QUICK_NODES} nodes, one seed")


def run(arguments: argparse.Namespace) -> None:
    """Measure, record the result and print its table."""
    pecanpy = version("pecanpy")
    programs: dict[str, Program] = {"fastw2v": ours}
    if pecanpy:
        programs["PecanPy"] = theirs
        if arguments.walks_only:
            programs[TABLES] = partial(theirs, mode="PreComp")
    else:
        print("PecanPy is not installed: left out")
    nodes, seeds = (QUICK_NODES, 1) if arguments.quick else (arguments.nodes, arguments.seeds)
    trains = not arguments.walks_only
    ways = [Walking(p, q, arguments.walk_length, arguments.num_walks, trains) for p, q in BIASES]
    options = f" --nodes {arguments.nodes} --num-walks {arguments.num_walks} --walk-length {arguments.walk_length}"
    options += " --walks-only" * arguments.walks_only
    done = record.append(
        "graph",
        f"python -m bench graph{' --quick' * arguments.quick} --seeds {arguments.seeds}{options}",
        {
            "quick": arguments.quick,
            "seeds": seeds,
            "graph": (nodes, nodes * EDGES_PER_NODE),
            "trains": trains,
            "walk_length": arguments.walk_length,
            "num_walks": arguments.num_walks,
            "workers": WORKERS,
            "training": TRAINING,
            "pecanpy": pecanpy,
            "gensim": version("gensim"),
            "runs": summaries(measure(nodes, nodes * EDGES_PER_NODE, seeds, ways, programs)),
        },
    )
    print(table(done))
