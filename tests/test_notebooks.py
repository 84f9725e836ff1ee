"""The notebooks under `docs/notebooks`: each runs from top to bottom, and is kept without its outputs."""

import json
from pathlib import Path

import pytest

import fastw2v

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: What a notebook imports beside fastw2v; the rest is in every installation of the extra.
NEEDS = {
    "words": ["matplotlib", "sklearn", "plotly"],
    "items": ["matplotlib", "sklearn", "plotly"],
    "graph": ["networkx", "matplotlib", "sklearn", "plotly"],
    "classifier": ["sklearn"],
}


@pytest.fixture
def executed(tmp_path):
    """Runs a notebook in a kernel of its own, and returns it with its outputs."""
    pytest.importorskip("ipykernel")
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")

    def run(book):
        nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return book

    return lambda given: run(nbformat.read(given, 4) if isinstance(given, Path) else given)


def outputs_of(book):
    return [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]


def test_there_are_four():
    assert {path.stem for path in NOTEBOOKS} == set(NEEDS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 4
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * len(code)


@pytest.mark.filterwarnings("default")  # Those of nbclient and the kernel's streams are not about this package.
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, executed):
    for name in NEEDS[path.stem]:
        pytest.importorskip(name)
    if "train_graph" in path.read_text(encoding="utf-8") and not hasattr(fastw2v, "train_graph"):
        pytest.skip("this version has no train_graph")
    outputs = outputs_of(executed(path))
    if "plotly" in NEEDS[path.stem]:
        assert any("image/png" in output.get("data", {}) for output in outputs), "no picture"
    texts = [output["text"] for output in outputs if output.output_type == "stream"]
    assert not [text for text in texts if "Warning" in text]


BAR = """
import sys
{hide}
import fastw2v
embeddings = fastw2v.train([["a", "b"], ["b", "c"]] * 500, min_count=1, epochs=2, vector_size=4)
"""


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("widgets", [True, False])
def test_the_bar_in_a_kernel(executed, widgets):
    if widgets:
        pytest.importorskip("ipywidgets")
    from nbformat.v4 import new_code_cell, new_notebook

    code = BAR.format(hide="" if widgets else 'sys.modules["ipywidgets"] = None')
    outputs = outputs_of(executed(new_notebook(cells=[new_code_cell(code)])))
    as_text = "".join(output["text"] for output in outputs if output.output_type == "stream")
    shown = [output for output in outputs if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    assert bool(shown) == widgets
    assert ("epoch 2/2" in as_text) == (not widgets)
