"""The examples in the documentation of `kernels`, run as they stand there."""

import re
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from fastw2v import kernels, reference

EXAMPLES = {
    title.strip().partition(":")[0]: dedent(code)
    for title, code in re.findall(r"^(\S[^\n]*)::\n\n((?:    [^\n]*\n|\n)+)", kernels.__doc__, re.MULTILINE)
}


def run(title):
    names = {}
    code = compile(EXAMPLES[title], f"kernels: {title}", "exec")
    exec(code, names)
    return names


def test_graphs():
    names = run("Graphs (DeepWalk)")
    found = [int(word) % 3 == node % 3 for node in range(60) for word, _ in names["nodes"].most_similar(node, topn=5)]
    assert np.mean(found) > 0.9
    assert (np.diff(names["first"]) > 0).all()


def test_items():
    names = run("Items")
    assert {word for word, _ in names["beside"]} == {"2", "4"}


def test_samplers():
    names = run("Samplers")
    expected = np.array([1000, 100, 10]) ** 0.75
    np.testing.assert_allclose(names["drawn"] / 10_000, expected / expected.sum(), atol=0.02)
    assert not (names["negatives"][: names["n"]] == 0).any()
    assert names["kept"] / 1000 == pytest.approx(4 / 9, abs=0.08)


def test_pairs():
    losses = run("One pair after the other, in a loop of your own")["losses"]
    assert losses[-1] < 0.1 * losses[0]


def test_one_tile():
    """The example's first step is the reference's, too."""
    names = run("One tile")
    assert names["losses"][-1] < 0.1 * names["losses"][0]
    n_pairs = (names["last"] - names["first"] - 1).sum()
    assert names["losses"][0] == pytest.approx(6 * np.log(2) * n_pairs, rel=1e-4)  # U was 0: 1 + 5 terms a pair


def test_spans_and_chunks():
    names = run("A span on one thread, and a chunk on two")
    assert names["tiling"] is not None
    assert names["one"].tally[0, kernels.TRAINED] == names["two"].tally[:, kernels.TRAINED].sum() == 30_000
    assert 0 < names["loss"] < 6 * np.log(2)


def test_vectors():
    names = run("Vector values, in a kernel of your own")
    np.testing.assert_allclose(names["sigmoids"], reference.logistic(names["x"]), rtol=1e-5)


def test_every_example_is_run_here():
    code = Path(__file__).read_text()
    assert len(EXAMPLES) == 7
    assert all(f'run("{title}")' in code for title in EXAMPLES)
