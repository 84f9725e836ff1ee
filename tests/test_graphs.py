"""Walks on graphs: equal to their twin, as likely as node2vec's formula says, from every kind of graph."""

import gzip
import os
from itertools import pairwise

import numpy as np
import pytest
from test_sampling import chi_square_p

import fastw2v
from fastw2v import reference
from fastw2v.errors import ConfigError, CorpusError, options_as_flags
from fastw2v.graphs import adjacency, edges, node2vec, walks

#: p and q whose way back is in the bound, above it, and refused nearly always.
BIASES = [(1, 1), (0.5, 2), (4, 0.25), (0.25, 4), (1, 0.5), (0.01, 1), (1e5, 1e5), (1e-3, 1e3)]


def edges_of(n=12, chance=0.35, seed=0):
    """A connected graph: a ring with chords, a pendant node, and weights that differ."""
    rng = np.random.default_rng(seed)
    pairs = {(i, (i + 1) % (n - 1)) for i in range(n - 1)} | {(0, n - 1)}
    pairs |= {(i, j) for i in range(n - 1) for j in range(i + 2, n - 1) if rng.random() < chance}
    pairs = np.array(sorted({(min(pair), max(pair)) for pair in pairs}))
    return pairs[:, 0], pairs[:, 1], rng.integers(1, 6, len(pairs)).astype(float)


def graph_of(weighted=True, directed=False, **options):
    source, target, weights = edges_of(**options)
    listed = edges.Edges([str(i) for i in range(source.max() + 1 + 1)], source, target, weights if weighted else None)
    return adjacency._compressed(listed, weighted, directed)[0]


def walk_all(function, graph, bias, starts, length, seed=1):
    streams = node2vec.walk_streams(np.uint64(seed), np.arange(len(starts), dtype=np.uint64))
    found, lengths = np.full((len(starts), length), -1, np.int32), np.zeros(len(starts), np.int64)
    function(graph, walks.Bias(*map(float, bias)), starts, streams, found, lengths)
    return found, lengths


# ------------------------------------------------------------------------------------------------------ kernels


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bias", BIASES)
def test_a_walk_is_the_twins(bias, weighted, directed):
    graph = graph_of(weighted, directed)
    starts = np.arange(len(graph.offsets) - 1, dtype=np.int32).repeat(3)
    ours, lengths = walk_all(walks.walk_nodes, graph, bias, starts, 15)
    twins, twins_lengths = walk_all(reference.walk_nodes, graph, bias, starts, 15)
    np.testing.assert_array_equal(lengths, twins_lengths)
    np.testing.assert_array_equal(ours, twins)
    assert directed == (lengths.min() < 15)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bias", BIASES)
def test_steps_are_as_likely_as_node2vec_says(bias, weighted):
    graph = graph_of(weighted)
    starts = np.zeros(3000, np.int32)
    found, _ = walk_all(walks.walk_nodes, graph, bias, starts, 60, seed=7)
    degrees = np.diff(graph.offsets)
    tried = 0
    # The last two nodes decide the next one; pairs that were walked too rarely are left out.
    triples = np.lib.stride_tricks.sliding_window_view(found, 3, axis=1).reshape(-1, 3)
    keys, counts = np.unique(triples[:, 0] * 1000 + triples[:, 1], return_counts=True)
    for key in keys[counts > 400]:
        t, v = divmod(int(key), 1000)
        if degrees[v] > 1:
            after = triples[(triples[:, 0] == t) & (triples[:, 1] == v), 2]
            masses = reference.step_masses(graph, walks.Bias(*map(float, bias)), t, v)
            neighbours = graph.neighbours[graph.offsets[v] : graph.offsets[v + 1]]
            seen = np.array([np.count_nonzero(after == x) for x in neighbours])
            assert seen.sum() == len(after)
            large = masses / masses.sum() * len(after) > 5  # A chi-square needs a few of each.
            if large.sum() > 1:
                assert chi_square_p(seen[large], masses[large] / masses[large].sum()) > 1e-6, (t, v)
                tried += 1
            assert seen[~large].sum() <= 12 * max(1, (~large).sum())
    assert tried > 10 or bias[0] == 1e-3


@pytest.mark.parametrize("bias", [(0.5, 2), (3, 0.5)])
def test_the_scan_is_the_twins_and_as_likely(bias):
    graph = graph_of()
    bias = walks.Bias(*map(float, bias))
    t, v = 1, int(graph.neighbours[graph.offsets[1]])
    rng, twins = np.array([5], np.uint64), np.array([5], np.uint64)
    drawn = [walks.scan_step(graph, bias, t, v, rng) for _ in range(20_000)]
    assert drawn[:500] == [reference.scan_step(graph, bias, t, v, twins) for _ in range(500)]
    masses = reference.step_masses(graph, bias, t, v)
    seen = np.bincount(drawn, minlength=len(graph.offsets))[graph.neighbours[graph.offsets[v] : graph.offsets[v + 1]]]
    assert chi_square_p(seen, masses / masses.sum()) > 1e-4


def test_first_steps_follow_the_weights():
    graph = graph_of()
    found, _ = walk_all(walks.walk_nodes, graph, (0.5, 2), np.zeros(50_000, np.int32), 2)
    start, stop = graph.offsets[:2]
    seen = np.bincount(found[:, 1], minlength=12)[graph.neighbours[start:stop]]
    assert chi_square_p(seen, graph.shares[start:stop].astype(float)) > 1e-4


def test_small_kernels_are_the_twins():
    graph = graph_of(directed=True)
    n = len(graph.offsets) - 1
    for node in range(n):
        for other in range(-1, n + 1):
            assert walks.find_edge(graph, node, other) == reference.find_edge(graph, node, other)
    rng, twins = np.array([3], np.uint64), np.array([3], np.uint64)
    for kernel, twin in ((walks.draw_unit, reference.draw_unit), (walks.draw_edge, reference.draw_edge)):
        arguments = (graph, 0) if kernel is walks.draw_edge else ()
        assert [kernel(*arguments, rng) for _ in range(99)] == [twin(*arguments, twins) for _ in range(99)]
    weights = np.random.default_rng(0).random(len(graph.neighbours))
    ours, theirs = np.zeros(len(weights), np.uint64), np.zeros(len(weights), np.uint64)
    walks.alias_tables(graph.offsets, weights, ours)
    reference.alias_tables(graph.offsets, weights, theirs)
    np.testing.assert_array_equal(ours, theirs)
    rows, lengths = np.arange(12, dtype=np.int32).reshape(3, 4), np.array([2, 4, 1])
    flat, twins_flat = np.zeros(12, np.int32), np.zeros(12, np.int32)
    assert walks.close_gaps(rows, lengths, flat) == reference.close_gaps(rows, lengths, twins_flat) == 7
    assert flat.tolist() == twins_flat.tolist() == [0, 1, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]
    same = rows.copy()
    walks.close_gaps(same, lengths, same.reshape(-1))
    assert same.reshape(-1)[:7].tolist() == flat[:7].tolist()


def test_streams_of_walks_are_draws_of_one_stream():
    rng = np.array([11], np.uint64)
    drawn = [reference.next_u64(rng) for _ in range(20)]
    assert node2vec.walk_streams(np.uint64(11), np.arange(20, dtype=np.uint64)).tolist() == drawn


# ------------------------------------------------------------------------------------------------------- graphs

TRIANGLE = (np.array([[0, 1, 2, 2], [1, 2, 0, 3]]), 4)


def edges_seen(found):
    """The steps of walks as pairs of names."""
    steps = set()
    for start, stop in zip(found.offsets[:-1], found.offsets[1:], strict=True):
        walk = [found.names[i] for i in found.ids[start:stop]]
        steps |= set(pairwise(walk))
    return steps


def both_ways(pairs):
    return set(pairs) | {(b, a) for a, b in pairs}


def test_walks_start_at_every_node_in_another_order_each_round():
    found = fastw2v.random_walks(TRIANGLE, walk_length=5, num_walks=30, progress=False)
    assert isinstance(found, fastw2v.Walks)
    assert (found.ids.dtype, found.offsets.dtype) == (np.int32, np.int64)
    assert np.diff(found.offsets).tolist() == [5] * 120
    starts = found.ids[found.offsets[:-1]].reshape(30, 4)
    assert (np.sort(starts) == np.arange(4)).all()
    assert len(np.unique(starts, axis=0)) > 10
    assert edges_seen(found) == both_ways([("0", "1"), ("1", "2"), ("2", "0"), ("2", "3")])


def test_walks_depend_on_the_seed_and_not_on_workers(monkeypatch):
    source, target, _ = edges_of(60)
    index = np.array([source, target]), 60
    options = {"p": 0.5, "q": 2, "num_walks": 3, "progress": False}
    one = fastw2v.random_walks(index, workers=1, **options)
    monkeypatch.setattr(node2vec, "TOKENS_AT_ONCE", 700)
    for workers in (1, 3):
        again = fastw2v.random_walks(index, workers=workers, **options)
        np.testing.assert_array_equal(again.ids, one.ids)
    other = fastw2v.random_walks(index, workers=1, seed=2, **options)
    assert (other.ids != one.ids).any()


def test_dead_ends_and_isolated_nodes_end_a_walk(capsys):
    found = fastw2v.random_walks((np.array([[0, 1], [1, 2]]), 4), directed=True, num_walks=2, walk_length=9)
    assert sorted(np.diff(found.offsets)) == [1, 1, 1, 1, 2, 2, 3, 3]
    assert len(found.ids) == found.offsets[-1] == 14
    assert edges_seen(found) == {("0", "1"), ("1", "2")}
    err = capsys.readouterr().err
    assert "graph: 4 nodes, 2 edges, directed, unweighted" in err
    assert "2 nodes have no edge out: a walk ends there" in err


def test_an_edge_index_that_has_both_directions_is_left_as_it_is():
    index = np.array([[0, 1, 1, 2, 0], [1, 0, 2, 1, 0]])
    graph, names = adjacency.read_graph((index, 3), True, None, False)
    assert names == ["0", "1", "2"]
    assert graph.neighbours.tolist() == [0, 1, 0, 2, 1]
    assert len(graph.alias) == 0  # the loop weighs as much as the edges
    listed_once, _ = adjacency.read_graph((index[:, [0, 2, 4]], 3), True, None, False)
    assert listed_once.neighbours.tolist() == graph.neighbours.tolist()
    assert len(listed_once.alias) == 0


def test_edges_that_occur_twice_are_added():
    index = np.array([[0, 0, 1, 1, 2], [1, 1, 0, 2, 0]])
    graph, _ = adjacency.read_graph((index, 3), True, None, False)
    assert graph.neighbours.tolist() == [1, 2, 0, 2, 0, 1]
    np.testing.assert_allclose(graph.shares, [0.75, 0.25, 0.75, 0.25, 0.5, 0.5])
    graph, _ = adjacency.read_graph((index, 3), True, True, False)
    np.testing.assert_allclose(graph.shares, [1, 0.5, 0.5, 1])
    for directed in (True, False):
        graph, _ = adjacency.read_graph((index, 3), False, directed, False)
        assert len(graph.shares) == 0


@pytest.mark.parametrize(
    ("index", "directed", "said"),
    [
        ([[0, 0, 1, 1, 2], [1, 1, 0, 2, 0]], True, "1 edge listed again: weights are added"),
        ([[0, 0, 1, 1, 2], [1, 1, 0, 2, 0]], False, "2 edges listed again: weights are added"),
        ([[0, 1, 1, 2], [1, 0, 2, 1]], False, None),  # Both directions of each.
    ],
)
def test_edges_that_are_listed_again_are_reported(capsys, index, directed, said):
    adjacency.read_graph((np.array(index), 3), True, directed, True)
    err = capsys.readouterr().err
    assert said in err if said else "listed again" not in err


def test_both_directions_may_differ_by_rounding(tmp_path):
    path = write(tmp_path, "a b 0.3\nb a 0.30000000000000004\na a 0.3\n")
    graph, _ = adjacency.read_graph(path, True, None, False)
    np.testing.assert_allclose(graph.shares, [0.5, 0.5, 1])


class Sparse:
    """What the reader uses of a sparse array of SciPy."""

    def __init__(self, dense):
        self.dense = np.asarray(dense)
        self.shape = self.dense.shape

    def tocoo(self):
        self.row, self.col = self.dense.nonzero()
        self.data = self.dense[self.row, self.col]
        return self


class Networkx:
    """What the reader uses of a graph of networkx."""

    def __init__(self, edges, nodes=None, directed=False):
        self.listed, self.directed = edges, directed
        self.nodes = list(nodes or dict.fromkeys(node for edge in edges for node in edge[:2]))

    def is_directed(self):
        return self.directed

    def edges(self, data=None, default=None):
        for a, b, *weight in self.listed:
            yield (a, b) if data is None else (a, b, weight[0] if weight else default)


def test_a_sparse_array_is_taken_as_it_is():
    matrix = Sparse([[0, 2.0, 0], [1, 0, 4], [0, 0, 0]])
    graph, names = adjacency.read_graph(matrix, True, None, False)
    assert names == ["0", "1", "2"]
    assert graph.offsets.tolist() == [0, 1, 3, 3]
    np.testing.assert_allclose(graph.shares, [1, 0.2, 0.8])
    graph, _ = adjacency.read_graph(matrix, True, False, False)
    assert graph.neighbours.tolist() == [1, 0, 2, 1]
    np.testing.assert_allclose(graph.shares, [1, 3 / 7, 4 / 7, 1])


def test_a_graph_of_networkx_keeps_its_names_and_order(capsys):
    graph = Networkx([("b", "a", 2), ("a", 7), (7, (0, 1), 0.5), ("a", "b", 1), (7, 7, 0)], ["x", "b", "a", 7, (0, 1)])
    found, names = adjacency.read_graph(graph, True, None, True)
    assert names == ["x", "b", "a", "7", "(0, 1)"]
    assert found.offsets.tolist() == [0, 0, 1, 3, 5, 6]
    assert found.neighbours.tolist() == [2, 1, 3, 2, 4, 3]
    np.testing.assert_allclose(found.shares, [1, 0.75, 0.25, 2 / 3, 1 / 3, 1], rtol=1e-6)
    err = capsys.readouterr().err
    assert "1 edge of weight 0 skipped" in err
    assert "1 node has no edge out" in err
    found, _ = adjacency.read_graph(graph, False, None, False)
    assert len(found.shares) == 0
    assert 3 in found.neighbours[found.offsets[3] : found.offsets[4]]  # the loop, whose weight does not count
    directed = Networkx([("a", "b"), ("b", "c")], directed=True)
    for given, n_edges in ((None, 2), (True, 2), (False, 4)):
        assert len(adjacency.read_graph(directed, True, given, False)[0].neighbours) == n_edges
    undirected = Networkx([("a", "b"), ("b", "c")])
    assert len(adjacency.read_graph(undirected, True, True, False)[0].neighbours) == 4


def test_real_networkx_and_scipy():
    networkx, scipy = pytest.importorskip("networkx"), pytest.importorskip("scipy.sparse")
    karate = networkx.karate_club_graph()
    dense = networkx.to_numpy_array(karate)
    answers = [
        adjacency.read_graph(graph, True, None, False)[0]
        for graph in (karate, scipy.csr_array(dense), scipy.coo_matrix(dense), Sparse(dense))
    ]
    for graph in answers[1:]:
        for ours, first in zip(graph, answers[0], strict=True):
            np.testing.assert_allclose(ours.astype(float), first.astype(float))
    multi = networkx.MultiDiGraph([(1, 2), (1, 2), (1, 3), (2, 1)])
    graph, names = adjacency.read_graph(multi, True, None, False)
    assert names == ["1", "2", "3"]
    np.testing.assert_allclose(graph.shares, [2 / 3, 1 / 3, 1])


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (7, r"graph is 7: give a networkx graph"),
        (np.eye(3), r"graph is array"),
        ((np.array([[0, 1]]), 2), r"edge_index is int64 with shape \(1, 2\): give a 2 x E array of integers"),
        ([("ann", "bob"), ("bob", "eve")], r"edge_index is .* networkx\.from_edgelist and networkx\.from_pandas"),
        ([(0, 1), (1, 2), (2, 0)], r"graph is .* networkx\.from_edgelist and"),
        ((np.array([[0.0], [1.0]]), 2), r"edge_index is float64"),
        (([[0, 1], [1]], 2), r"edge_index"),
        ((np.array([[0], [2]]), 2), r"edge_index has 2: with num_nodes 2, give numbers from 0 to 1"),
        ((np.array([[0], [-1]]), 2), r"edge_index has -1"),
        ((np.array([[0], [1]]), 0), r"num_nodes is 0: give a whole number from 1"),
        ((np.array([[0], [1]]), 2.5), r"num_nodes is 2\.5"),
        ((np.empty((2, 0), int), 3), r"the graph of 3 nodes has no edge"),
        (Sparse(np.ones((2, 3))), r"the sparse array has shape \(2, 3\)"),
        (Sparse([[0, -1.5], [1, 0]]), r"has -?.*-1\.5.* at \(0, 1\): a weight must be finite and at least 0"),
        (Sparse([[0, np.nan], [1, 0]]), r"nan.* at \(0, 1\)"),
        (Sparse([[0, 1e308, 1e308], [0, 0, 0], [0, 0, 1]]), r"the weights at node '0' are too large to be added"),
        (Networkx([]), r"the graph has no node"),
        (Networkx([], ["a"]), r"the graph of 1 node has no edge"),
        (
            Networkx([("a", "b", -1)]),
            r"the edge from 'a' to 'b' has the weight -1: a weight must be finite and at least 0",
        ),
        (Networkx([("a", "b", "x")]), r"the edge from 'a' to 'b' has the weight 'x'"),
        (Networkx([("a", "b", None)]), r"has the weight None"),
        (Networkx([("1", 1)]), r"the nodes '1' and 1 have the same name"),
        (Networkx([("a\tb", "c")]), r"names"),
    ],
)
def test_unfit_graphs_are_refused(graph, said):
    with pytest.raises(CorpusError, match=said) as caught:
        fastw2v.random_walks(graph, progress=False)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------ files of edges


def write(folder, content):
    path = folder / "edges.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "a b\nb c\nc a\n",
        "a\tb\nb\tc\r\n\nc\ta",
        "# from, to\n% more\n\na,b\nb , c\nc,a\n",
        "\ufeffa b\nb c\nc a",
        "a b 2\nb c 2.0\nc a 2e0\n",
        "source target\na b\nb c\nc a\n",
        "Source,Target,Weight\na,b,3\nb,c,3\nc,a,3\n",
        "a b 0.5\nb c 1\nc a 1\nb a .5",
    ],
)
def test_files_of_edges_in_every_form(tmp_path, content):
    graph, names = adjacency.read_graph(write(tmp_path, content), True, None, False)
    assert names == ["a", "b", "c"]
    assert graph.neighbours.tolist() == [1, 2, 0, 2, 0, 1]
    assert len(graph.alias) == 0


def test_packed_files_and_blocks(tmp_path, monkeypatch):
    lines = "".join(f"n{i} n{i * 7 % 500} {i % 5 + 1}\n" for i in range(1, 500))
    plain = edges.read_edges(write(tmp_path, lines), True, False)
    assert len(plain.source) == 499
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(lines.encode()))
    monkeypatch.setattr(edges, "BLOCK_BYTES", 64)
    again = edges.read_edges(packed, True, False)
    assert again.names == plain.names
    for ours, first in zip(again[1:], plain[1:], strict=True):
        np.testing.assert_array_equal(ours, first)
    assert edges.read_edges(packed, False, False).weights is None


def test_titles_are_recognised_by_the_numbers_below(tmp_path, capsys):
    found = edges.read_edges(write(tmp_path, "user item\n1 2\n2 3\n"), True, True)
    assert found.names == ["1", "2", "3"]
    assert (found.source.tolist(), found.target.tolist()) == ([0, 1], [1, 2])
    assert "all names but 'user' and 'item' of the first line are numbers" in capsys.readouterr().err
    found = edges.read_edges(write(tmp_path, "user item\n1 2\nuser 3\n"), True, True)
    assert found.names == ["user", "item", "1", "2", "3"]
    assert edges.read_edges(write(tmp_path, "a b\n"), True, True).names == ["a", "b"]


def test_labels_in_the_third_column_are_no_titles(tmp_path):
    path = write(tmp_path, "a b likes\nb c knows\n")
    assert edges.read_edges(path, False, False).names == ["a", "b", "c"]
    with pytest.raises(CorpusError, match=r"line 1 of .* has the weight 'likes', not a number"):
        edges.read_edges(path, True, False)
    assert edges.read_edges(write(tmp_path, "a b likes\nb c 1\n"), True, False).names == ["b", "c"]


def test_quotes_of_csv_are_no_part_of_a_name(tmp_path, capsys):
    found = edges.read_edges(
        write(tmp_path, '"from","to","weight"\r\n"a, b","c",2\r\nd, "say ""e""",3\r\n'), True, True
    )
    assert found.names == ["a, b", "c", "d", 'say "e"']
    assert found.weights.tolist() == [2, 3]
    assert "line 1 is a header" in capsys.readouterr().err
    found = edges.read_edges(write(tmp_path, '5" disk,c\nd,"e\n'), True, False)
    assert found.names == ['5" disk', "c", "d", '"e']
    assert edges.read_edges(write(tmp_path, '"a" "b"\n'), True, False).names == ['"a"', '"b"']


@pytest.mark.parametrize(
    ("titles", "row"),
    [
        (",source,target", "0,1,2"),
        ("id,source,target", "0,ann,bob"),
        ('"","from","to"', '"1","ann","bob"'),
        (",user,item", "0,1,2"),
        ("row,user,dst", "0,1,2"),
        ("weight,src,dst", "0,ann,bob"),
    ],
)
def test_a_column_of_row_numbers_is_refused(tmp_path, titles, row):
    with pytest.raises(
        CorpusError, match=r"line 2 of .* is a header with .* put the names of the nodes into the first two"
    ):
        edges.read_edges(write(tmp_path, f"# c\n{titles}\n{row}\n"), True, False)


def test_comments_are_counted_and_doubted_below_the_top(tmp_path, capsys):
    found = edges.read_edges(write(tmp_path, "#cat dog\n\n% x\ny z\n"), True, True)
    assert found.names == ["y", "z"]
    assert "2 comments at the top skipped" in capsys.readouterr().err
    with pytest.warns(
        fastw2v.FastW2VWarning, match="has a node with the name '#': comments are skipped at the top only"
    ):
        found = edges.read_edges(write(tmp_path, "a b\n# more\nb c\n"), True, False)
    assert found.names == ["a", "b", "#", "more", "c"]


def test_names_are_any_text(tmp_path):
    found = edges.read_edges(write(tmp_path, b"new york\tz\xfcrich\n#x\t\xe2\x82\xac\n"), True, False)
    assert found.names == ["new york", "z\udcfcrich", "#x", "\u20ac"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no edge: a line is two names"),
        ("# only\n", "has no edge"),
        ("source,target\n", "has no edge"),
        ("a\n", "line 1 of .* has 1 column: an edge is two names"),
        ("a b 1 1082008561\n", "line 1 of .* has 4 columns"),
        ("a b\n\nc d 1\n", "line 3 of .* has 3 columns, but line 1 has 2"),
        ("a b 1\nc d x\n", "line 2 of .* has the weight 'x', not a number: correct it, or give weighted=False"),
        ("a b {}\n", "a dict: write the edges with networkx.write_weighted_edgelist"),
        ("a b 1\nc d -1\n", "line 2 of .* has the weight '-1': a weight must be finite and at least 0"),
        ("a b 1\nc d nan\n", "the weight 'nan'"),
        ("a b 1\nc d inf\n", "the weight 'inf'"),
        ("a\tb\nc\t\n", "line 2 of .* has an empty name"),
        ("%%MatrixMarket matrix\n3 3 1\n1 2\n", "is a Matrix Market file"),
        ("a b\0\n", "is not text"),
        (b"PK\x03\x04" + b"x" * 20, "is a zip archive"),
        ("a" * (3 << 20), "has a line longer than 1 MB"),
    ],
)
def test_unfit_files_are_refused(tmp_path, content, said):
    with pytest.raises(CorpusError, match=said) as caught:
        edges.read_edges(write(tmp_path, content), True, False)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"cannot read .*nowhere"):
        fastw2v.random_walks(tmp_path / "nowhere", progress=False)


# ----------------------------------------------------------------------------------------------------- training


def communities(n=60, groups=3, seed=0):
    """An edge index whose nodes have most edges within their group, which is the node modulo ``groups``."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) % groups
    chance = np.where(group == group[:, None], 0.4, 0.02)
    return np.array(np.nonzero(np.triu(rng.random((n, n)) < chance, 1))), n


SMALL = {"vector_size": 16, "epochs": 2, "workers": 1, "progress": False, "walk_length": 40}


def test_nodes_of_a_community_are_near_each_other():
    nodes = fastw2v.train_graph(communities(), p=0.5, q=2, sample=0, **SMALL)
    near = [int(word) % 3 == node % 3 for node in range(60) for word, _ in nodes.most_similar(str(node), topn=5)]
    assert np.mean(near) > 0.9
    assert nodes.metadata["corpus"]["graph"] == {
        "p": 0.5, "q": 2.0, "walk_length": 40, "num_walks": 10, "weighted": True, "directed": None,
    }  # fmt: skip


def test_training_is_that_on_the_walks():
    found = fastw2v.random_walks(communities(), p=0.5, walk_length=40, seed=3, progress=False)
    options = {"vector_size": 16, "epochs": 1, "workers": 1, "seed": 3, "progress": False}
    same = fastw2v.train_ids(found.ids, found.offsets, names=found.names, **options)
    nodes = fastw2v.train_graph(communities(), p=0.5, walk_length=40, **options)
    np.testing.assert_array_equal(nodes.vectors, same.vectors)
    assert nodes.words == same.words


def test_a_run_is_resumed_with_its_seed_and_refused_with_other_walks(tmp_path):
    whole = fastw2v.train_graph(communities(), q=0.5, seed=5, **SMALL | {"epochs": 3})
    folder = tmp_path / "m"
    fastw2v.train_graph(communities(), q=0.5, seed=5, output=folder, **SMALL | {"epochs": 3}, callbacks=[stop_early])
    with pytest.raises(ConfigError, match=r"q is 1\.0, but .* was trained on walks with 0\.5: give that value"):
        fastw2v.train_graph(communities(), output=folder, resume=True, progress=False, walk_length=40)
    with options_as_flags(), pytest.raises(ConfigError, match=r"--walk-length is 80, but .* was trained on walks with"):
        fastw2v.train_graph(communities(), q=0.5, output=folder, resume=True, progress=False)
    with pytest.raises(CorpusError, match="this is not the corpus of the run"):
        fastw2v.train_graph(communities(seed=1), q=0.5, walk_length=40, output=folder, resume=True, progress=False)
    again = fastw2v.train_graph(communities(), q=0.5, walk_length=40, output=folder, resume=True, progress=False)
    np.testing.assert_array_equal(again.vectors, whole.vectors)


def stop_early(progress, embeddings):
    return True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"p": 0}, "p is 0: give a number from 1e-09 to 1e[+]09"),
        ({"q": float("nan")}, "q is nan"),
        ({"q": True}, "q is True"),
        ({"walk_length": 0}, "walk_length is 0: give a whole number from 1"),
        ({"num_walks": 2.5}, "num_walks is 2.5"),
        ({"weighted": None}, "weighted is None: give True or False"),
        ({"directed": 1}, "directed is 1: give True or False or None"),
        ({"vector_size": 0}, "vector_size is 0"),
        ({"resume": True}, "resume=True needs an output|resume needs an output"),
    ],
)
def test_options_out_of_range_are_refused_before_the_graph_is_read(options, said):
    with pytest.raises(ConfigError, match=said):
        fastw2v.train_graph("nowhere", progress=False, **options)


def test_an_unknown_option_is_named():
    with pytest.raises(TypeError, match=r"train_graph\(\) has no option 'min_count'"):
        fastw2v.train_graph("nowhere", min_count=2)
    for option, meant in (
        ("dimensions", "vector_size"),
        ("walks_length", "walk_length"),
        ("number_walks", "num_walks"),
        ("weight", "weighted"),
    ):
        with pytest.raises(TypeError, match=rf"has no option '{option}': did you mean {meant}\?"):
            fastw2v.train_graph("nowhere", **{option: 2})


@pytest.mark.parametrize(("sample", "is_told"), [(0.001, True), (0.2, False), (0, False)])
def test_subsampling_of_few_nodes_is_told(capsys, sample, is_told):
    ring = np.array([np.arange(30), (np.arange(30) + 1) % 30])
    fastw2v.train_graph((ring, 30), sample=sample, vector_size=4, epochs=1, workers=1)
    said = "sample=0.001 keeps 20% of the tokens, because there are few different words; sample=0 keeps all"
    assert (said in capsys.readouterr().err) is is_told


def test_walks_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(node2vec, "available_memory", lambda: 10_000)
    with pytest.raises(
        ConfigError, match=r"10 walks of 80 nodes from each of 4 nodes take 0 MB, but 0 MB are free: lo"
    ):
        fastw2v.random_walks(TRIANGLE, progress=False)


def test_an_interrupted_walk_ends_its_threads(monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    real = node2vec.walk_nodes
    monkeypatch.setattr(node2vec, "walk_nodes", lambda *a: interrupt() if len(a[2]) else real(*a))
    with pytest.raises(KeyboardInterrupt):
        fastw2v.random_walks(TRIANGLE, progress=False)


def test_walks_of_a_folder_are_on_record(tmp_path):
    fastw2v.train_graph(communities(), output=tmp_path / "m", **SMALL)
    assert os.path.isfile(tmp_path / "m" / "model.json")
    assert fastw2v.load(tmp_path / "m").metadata["corpus"]["graph"]["walk_length"] == 40
