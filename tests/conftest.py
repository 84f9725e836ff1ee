"""Corpora with a known answer, and the real one where it lies beside the checkout."""

import lzma
import threading
import time
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def planted_sentences(n_sentences=3000, topics=6, words=8, length=8, seed=0):
    """Sentences that each draw from one topic's words, plus a few words common to all."""
    rng = np.random.default_rng(seed)
    for _ in range(n_sentences):
        topic = rng.integers(topics)
        ids = rng.integers(words, size=length)
        yield [f"all{i}" if rng.random() < 0.1 else f"t{topic}w{i}" for i in ids]


def topic_purity(embeddings, topn=4):
    """Share of the nearest neighbours of planted words that are of the same topic."""
    planted = [word for word in embeddings.words if word.startswith("t")]
    hits = [near.startswith(w[:2]) for w in planted for near, _ in embeddings.most_similar(w, topn=topn)]
    return float(np.mean(hits))


def at_once(function, arguments):
    """Call a function in as many threads as there are arguments; return its answers by argument."""
    found = {}

    def run(argument):
        found[argument] = function(argument)

    threads = [threading.Thread(target=run, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def wait_for_chunks(process, folder, chunks):
    """Wait until a training in another process has that many chunks behind it."""
    metrics = folder / ".partial" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.read_bytes().count(b"\n") >= chunks):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="session")
def planted_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "planted.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in planted_sentences()))
    return path


@pytest.fixture(scope="session")
def model(planted_file, tmp_path_factory):
    """A model folder trained on the planted corpus."""
    import fastw2v

    folder = tmp_path_factory.mktemp("model") / "m"
    fastw2v.train(planted_file, output=folder, vector_size=20, epochs=10, workers=1, progress=False)
    return folder


@pytest.fixture(scope="session")
def pydocs_file(tmp_path_factory):
    """Python's documentation, as `corpora` writes it."""
    from corpora import cli

    path = tmp_path_factory.mktemp("pydocs") / "docs.txt"
    assert cli.main(["pydocs", str(path)]) == 0
    return path


@pytest.fixture
def results(tmp_path, monkeypatch):
    """The folder that results of bench go to, and its tables come from."""
    from bench import record, report

    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def real_text(tmp_path_factory):
    """The first 8 MB of the real corpus."""
    source = SHARED / "real20m.txt.xz"
    if not source.is_file():
        pytest.skip("the real corpus is not beside this checkout")
    path = tmp_path_factory.mktemp("real") / "real.txt"
    with lzma.open(source) as file:
        path.write_bytes(file.read(8_000_000).rpartition(b"\n")[0] + b"\n")
    return path
