"""The Python examples of README and of `docs/`, run as they stand there.

A section is what stands between two headings of the second level. Its blocks share their names and run in order, in a
folder with a small ``corpus.txt``. A fence with a title (``title="needs a cluster"``) is a fragment, or needs what a
test does not have: it is shown and not run.
"""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from fastw2v import kernels, reference

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What the examples of a page need beside fastw2v; without it they are skipped.
NEEDS = {"pictures.md": ("matplotlib", "plotly", "sklearn"), "sklearn.md": ("sklearn",)}
LONGEST = 15  # lines of an example in kernels.md


def sections(page):
    """The sections of a page that have examples to run: heading and blocks."""
    parts = re.split(r"^## (.+)$", "## (top)\n" + page.read_text(), flags=re.MULTILINE)
    found = {
        title: re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    return {title: blocks for title, blocks in found.items() if blocks}


EXAMPLES = {(page.name, title): blocks for page in PAGES for title, blocks in sections(page).items()}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a section and returns its names."""
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("the king and the queen met a man and a woman\n" * 50)

    def section(page, title):
        for module in NEEDS.get(page, ()):
            pytest.importorskip(module)
        names = {}
        for block in EXAMPLES[page, title]:
            if importlib.util.find_spec("gensim") is None:
                lines = block.splitlines(keepends=True)
                block = "".join(line for line in lines if "gensim" not in line.replace("fastw2v.gensim", ""))
            exec(compile(block, f"{page}: {title}", "exec"), names)
        return names

    return section


#: Sections whose results are looked at by a test of their own, below.
EXAMINED = {("README.md", "Use it from Python")} | {key for key in EXAMPLES if key[0] == "kernels.md"}


@pytest.mark.parametrize(("page", "title"), sorted(EXAMPLES.keys() - EXAMINED))
def test_the_example_runs(run, page, title):
    run(page, title)


def test_readme(run):
    names = run("README.md", "Use it from Python")
    assert names["walks"].vectors.shape == (3, 100)
    assert Path("model", "V.npy").is_file()


def test_walks_on_a_graph(run):
    names = run("kernels.md", "Walks on a graph")
    found = [int(word) % 3 == node % 3 for node in range(60) for word, _ in names["nodes"].most_similar(node, topn=5)]
    assert np.mean(found) > 0.9
    assert (np.diff(names["first"]) > 0).all()


def test_items(run):
    names = run("kernels.md", "Items")
    assert {word for word, _ in names["beside"]} == {"2", "4"}


def test_samplers(run):
    names = run("kernels.md", "Samplers")
    expected = np.array([1000, 100, 10]) ** 0.75
    np.testing.assert_allclose(names["drawn"] / 10_000, expected / expected.sum(), atol=0.02)
    assert not (names["negatives"][: names["n"]] == 0).any()
    assert names["kept"] / 1000 == pytest.approx(4 / 9, abs=0.08)


def test_one_pair(run):
    losses = run("kernels.md", "One pair")["losses"]
    assert losses[-1] < 0.1 * losses[0]


def test_one_tile(run):
    """The example's first step is the reference's, too."""
    names = run("kernels.md", "One tile")
    assert names["losses"][-1] < 0.1 * names["losses"][0]
    n_pairs = (names["last"] - names["first"] - 1).sum()
    assert names["losses"][0] == pytest.approx(6 * np.log(2) * n_pairs, rel=1e-4)  # U was 0: 1 + 5 terms per pair


def test_a_corpus_on_every_core(run):
    names = run("kernels.md", "A corpus on every core")
    assert names["tiling"] is not None
    assert names["tally"][kernels.TRAINED] == 30_000
    assert names["workers"].rows.tally[:, kernels.TRAINED].sum() == 60_000  # twice, with and without a cut of its own
    assert 0 < names["loss"] < 6 * np.log(2)
    for workers in (names["one"], names["pairwise"]):
        assert workers[0].tally[kernels.TRAINED] == 30_000


def test_vector_values(run):
    names = run("kernels.md", "Vector values")
    np.testing.assert_allclose(names["sigmoids"], reference.logistic(names["x"]), rtol=1e-5)


def test_every_example_of_kernels_is_examined_and_short():
    code = Path(__file__).read_text()
    for (page, title), blocks in EXAMPLES.items():
        if page == "kernels.md":
            assert f'run("kernels.md", "{title}")' in code
            assert all(block.count("\n") <= LONGEST for block in blocks), title
