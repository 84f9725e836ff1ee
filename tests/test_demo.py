"""The demo, as a stranger runs it."""

import os
import subprocess
import sys

import pytest

import fastw2v


@pytest.mark.slow
def test_demo_in_an_empty_folder(tmp_path):
    command = [sys.executable, "-m", "fastw2v", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["fastw2v-demo"]
    assert "fastw2v-demo" in done.stdout
    assert done.stdout.count("\n  fastw2v ") == 3
    assert "exception  " in done.stdout
    embeddings = fastw2v.load(tmp_path / "fastw2v-demo")
    assert embeddings.metadata["corpus"]["tokens_read"] > 100_000
    near = {word for word, _ in embeddings.most_similar("exception", topn=30)}
    assert near & {"exceptions", "raise", "raised", "raises", "caught", "handler", "clause", "systemexit", "keyerror"}


def test_demo_refuses_to_overwrite_something_else(tmp_path):
    (tmp_path / "fastw2v-demo").mkdir()
    (tmp_path / "fastw2v-demo" / "mine").write_text("kept")
    command = [sys.executable, "-m", "fastw2v", "demo"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("fastw2v: error: fastw2v-demo exists")
    assert (tmp_path / "fastw2v-demo" / "mine").read_text() == "kept"
