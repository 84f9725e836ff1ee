"""The bench suite: what it compares is right, and every command's inside runs on a tiny corpus. No time is tested."""

import argparse
import json

import numpy as np
import pytest

from bench import command, ingest, ladder, peak, peers, record, report, sweep, timing, vectorised
from fastw2v.config import TrainConfig
from fastw2v.prepared import prepare

SMALL = TrainConfig(vector_size=20, epochs=1, workers=2)


def silent(text):
    """Where the commands print."""


@pytest.fixture(scope="module")
def corpus():
    return timing.synthetic(3000, 200, SMALL)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("d", "window", "negative"), [(1, 5, 5), (15, 1, 1), (100, 5, 5), (20, 7, 3)])
def test_vectorised_steps_equal_the_reference_gradients(d, window, negative, seed):
    vectorised.validate(d, window, negative, seed)


def test_vectorised_steps_are_seen_when_wrong(monkeypatch):
    right = vectorised.sigma
    monkeypatch.setattr(vectorised, "sigma", lambda x: right(x) * np.float32(0.99))
    with pytest.raises(AssertionError):
        vectorised.validate(20)


def test_vectorised_forms_the_pairs_of_the_kernel():
    config = TrainConfig(vector_size=4, epochs=1)
    corpus = timing.synthetic(100_000, 1000, config)
    runs = [
        ladder.train_vectorised(train, corpus, config) for train in (vectorised.train_tiles, vectorised.train_pairs)
    ]
    kernel = timing.train_kernel("pair", corpus, config, 1)
    for run in runs:
        assert run.trained == pytest.approx(kernel.trained, rel=0.02)
        assert run.pairs / run.trained == pytest.approx(kernel.pairs / kernel.trained, rel=0.02)


def test_windows_end_with_sentences():
    ids, offsets = np.arange(10), np.array([0, 4, 4, 5, 10])
    all_kept = np.full(10, 2**32 - 1, np.uint32)
    block = vectorised.windows(ids, offsets, 0, 10, all_kept, 1, np.random.default_rng(0))
    assert [tuple(row) for row in block.used[[0, 3, 4, 5, 9]].astype(int)] == [
        (0, 0, 1),
        (1, 0, 0),
        (0, 0, 0),
        (0, 0, 1),
        (1, 0, 0),
    ]


def test_peak_is_reported(results, monkeypatch, capsys):
    monkeypatch.setattr(peak, "measure", lambda workers: 50.0 * workers)
    peak.run(argparse.Namespace(repeats=2, quick=True))
    assert peak.blocks() == {}  # a quick run is no result
    peak.run(argparse.Namespace(repeats=2, quick=False))
    assert report.records("peak")[-1]["gflops"]["1"]["each"] == [50.0, 50.0]
    assert "| 1 | 50.0 | 50.0 | 0 |" in peak.blocks()["peak"]
    assert peak.blocks()["peak"] in capsys.readouterr().out


def test_peak_is_positive_and_computes_what_it_says():
    assert peak.measure(1, steps=1000, repeats=2) > 0
    out = np.zeros(32, np.float32)
    peak._run(2, 1000, np.float32(0.5), np.float32(1), out)
    assert out[0] == out[16] == peak.CHAINS * peak.LANES * 2  # every lane ends at x = x / 2 + 1


@pytest.mark.parametrize("kernel", timing.available_kernels())
@pytest.mark.parametrize("count", [1, 2])
def test_kernels_are_validated(kernel, count):
    timing.validate(kernel, SMALL, count)


def test_a_wrong_kernel_is_not_timed(monkeypatch):
    run = timing.run_kernel
    wrong = SMALL.alpha * 1.01
    monkeypatch.setattr(timing, "run_kernel", lambda *arguments: run(*arguments[:4], wrong, *arguments[5:]))
    with pytest.raises(AssertionError):
        timing.validate("pair", SMALL, 1)


def test_head_ends_where_a_cut_may_stand(corpus):
    first = timing.head(corpus, 100)
    assert first.offsets[-1] == len(first.ids) >= 100
    assert set(first.offsets) <= set(corpus.offsets)
    assert first.n_words == corpus.n_words


def test_ladder_runs_and_its_table_renders(corpus, results):
    rungs = ladder.rungs(3000, SMALL, quick=True)
    assert [rung.tokens for rung in rungs] == [500] * len(rungs)
    found = ladder.climb(corpus, SMALL, rungs, 2, silent)
    assert [rung["name"] for rung in found["rungs"]][:2] == ["NumPy, pair by pair", "NumPy, batches of pairs"]
    assert all(len(rung["tokens_per_s"]["each"]) == 2 for rung in found["rungs"])
    assert all(rung["gflops"]["median"] > 0 for rung in found["rungs"])
    assert ladder.blocks() == {}
    facts = {"quick": False, "config": {"vector_size": 20, "window": 5, "negative": 5, "sample": 1e-3}, "repeats": 2}
    record.append("ladder", "a command", facts | found)
    record.append("ladder", "a command", facts | found | {"quick": True})
    (block,) = ladder.blocks().items()
    assert block[0] == "ladder-20"
    assert "| NumPy, pair by pair |" in block[1]
    assert f"| {found['rungs'][-1]['name']} |" in block[1]


def test_sweep_runs_and_its_table_renders(corpus, results):
    axes = {"vector_size": (20, 33), "window": (5, 1), "negative": (5,), "n_words": (34,)}
    found = sweep.points(corpus, SMALL, axes, 1, silent)
    values = [(point["axis"], point["value"]) for point in found["points"]]
    assert values == [
        ("vector_size", 20),
        ("vector_size", 33),
        ("window", 5),
        ("window", 1),
        ("negative", 5),
        ("n_words", 34),
    ]
    assert found["points"][0]["kernels"] == found["points"][2]["kernels"]  # the default, run once
    facts = {"quick": False, "workers": 2, "repeats": 1, "corpus": corpus.describe()}
    record.append("sweep", "a command", facts | found)
    assert "| n_words 34 |" in sweep.blocks()["sweep"]


def text_of(path, folder):
    copy = folder / "corpus.txt"
    peers.first_tokens(path, None, copy)
    return peers.Text(copy, folder / "prepared", prepare(copy, folder / "prepared"), folder)


def test_peers_take_turns_and_their_table_renders(planted_file, tmp_path, results, capsys):
    text = text_of(planted_file, tmp_path)
    order = []

    def peer(text, config):
        order.append("peer")
        return 1.0

    ours = peers.fastw2v_kernel("pair")
    adapters = {"word2vec.c": peer, "fastw2v pair": lambda *arguments: order.append("ours") or ours(*arguments)}
    found = peers.measure(adapters, text, SMALL, 2, silent)
    assert order == ["peer", "ours"] * 2
    assert found["tokens_per_s"]["word2vec.c"]["median"] == pytest.approx(len(text.corpus.ids), rel=1e-3)
    facts = {"config": {"workers": 2}, "rounds": 2, "word2vec.c": {}, "gensim": "", "vector_size": {"20": found}}
    record.append("peers", "a command", facts)
    capsys.readouterr()
    report.main()
    assert "| 20 | fastw2v pair |" in capsys.readouterr().out


def test_gensim_is_timed_on_the_same_vocabulary(planted_file, tmp_path):
    pytest.importorskip("gensim")
    assert peers.gensim_corpus_file()(text_of(planted_file, tmp_path), SMALL) > 0


def test_first_tokens_copies_whole_lines_and_refuses_long_ones(tmp_path):
    source, copy = tmp_path / "source.txt", tmp_path / "copy.txt"
    source.write_bytes(b"a b c\nd e\nf g h")
    peers.first_tokens(source, 4, copy)
    assert copy.read_bytes() == b"a b c\nd e\n"
    peers.first_tokens(source, None, copy)
    assert copy.read_bytes() == b"a b c\nd e\nf g h\n"
    source.write_bytes(b"a b\n" + b"a " * 1001)
    with pytest.raises(SystemExit, match=r"line 2: 1001 words"):
        peers.first_tokens(source, None, copy)


def test_quality_table_shows_the_newest_of_each_kernel(results):
    machine = {"cpu": "a CPU", "cpu_family_model": "1/2", "usable_cores": 2}
    for kernel, seconds in [(None, 9), ("pair", 8), ("tile", 7), ("tile", 6)]:
        figures = {key: seconds for _, key, _ in report.QUALITY_ROWS}
        line = {"machine": machine, "config": {"kernel": kernel} if kernel else {}, "runs": [1, 2]}
        with open(results / "quality.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"mean": figures, "spread": figures}) + "\n")
    lines = report.quality_table(report.newest_quality()).splitlines()
    assert lines[0] == "| mean of 2 seeds | tile | largest minus smallest | pair | largest minus smallest |"
    assert lines[2] == "| seconds, text to saved vectors | 6 | 6 | 8 | 8 |"


def test_report_without_results_prints_no_table(results, capsys):
    report.main()
    assert not capsys.readouterr().out


def test_ingest_measures_everything_in_turn_and_reports_it(planted_file, results, capsys):
    ingest.run(argparse.Namespace(corpus=planted_file, tokens=5000, rounds=2, quick=False))
    (written,) = report.records("ingest")
    assert written["corpus"]["tokens"] == 5000
    assert {"fastw2v, 1 worker", "fastw2v, 2 workers"} <= set(written["seconds"])
    assert all(len(seconds["each"]) == 2 for seconds in written["seconds"].values())
    first, second = (written["seconds"][f"fastw2v, {n}"]["each"] for n in ("1 worker", "2 workers"))
    for ratio, a, b in zip(written["ratios"]["1 worker / 2 workers"]["each"], first, second, strict=True):
        assert ratio == pytest.approx(a / b, rel=1e-2)
    assert 20 < written["peak_rss_mb_of_ten_words"] < 2000
    assert "| fastw2v, 1 worker |" in capsys.readouterr().out
    complete = {"gensim scan", "gzip -dc"} <= set(written["seconds"])
    assert list(ingest.blocks()) == ["ingest"] * complete


def test_ingest_without_a_corpus_writes_one_and_a_quick_run_is_no_result(results, monkeypatch):
    monkeypatch.setattr(ingest, "QUICK_TOKENS", 6000)
    monkeypatch.setattr(ingest, "SYNTHETIC", {"tokens": 10_000, "words": 2000})
    monkeypatch.setattr(ingest, "measured", lambda *arguments: {"peak_rss_mb": 100.0})
    ingest.run(argparse.Namespace(corpus=None, tokens=None, rounds=2, quick=True))
    (written,) = report.records("ingest")
    assert (written["rounds"], written["corpus"]["tokens"]) == (1, 6000)
    assert written["command"] == "python -m bench ingest --quick --rounds 2"
    assert ingest.blocks() == {}


def test_peak_memory_is_the_commands_own(planted_file, tmp_path):
    large = np.ones(60_000_000)  # the process that starts the command is larger than it will be
    found = command.measured("prepare", planted_file, "-o", tmp_path / "prepared", "--min-count=1")
    assert 20 < found["peak_rss_mb"] < large.nbytes / 2**20
    assert found["seconds"] > 0
    with pytest.raises(SystemExit, match=r"prepare nowhere\.txt"):
        command.measured("prepare", "nowhere.txt", "-o", tmp_path / "other")


def test_the_table_of_whole_commands():
    figures = {"median": 120.0, "spread": 2.0, "each": [119.0, 121.0]}
    record = {
        "bench": "whole",
        "seconds": {"word2vec.c": figures, "fastw2v": {"median": 6.0, "spread": 0.5, "each": []}},
    }
    record |= {"ratio": {"median": 20.0, "spread": 1.0}, "ingest_share": {"median": 0.125}, "corpus": {"tokens": 2e7}}
    record |= {"rounds": 2, "machine": {"cpu": "A", "cpu_family_model": "1/2", "usable_cores": 2}}
    table = report.whole_table(record)
    assert "| word2vec.c | 120 | 2.00 |" in table
    assert "ratio within a round 20.0 (1.00); ingest takes 12 % of our command" in table
