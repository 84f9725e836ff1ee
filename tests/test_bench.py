"""The bench suite: what it compares is right, and every command's inside runs on a tiny corpus. No time is tested."""

import argparse
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from bench import (
    beside,
    command,
    graph,
    ingest,
    ladder,
    parity,
    peak,
    peers,
    phrases,
    quality,
    record,
    report,
    sweep,
    switch,
    systems,
    timing,
    vectorised,
    vectors,
)
from fastw2v.config import TrainConfig
from fastw2v.kernels.records import Rate
from fastw2v.vocab import Vocab

SMALL = TrainConfig(vector_size=20, epochs=1, workers=2)


def silent(text):
    """Where the commands print."""


@pytest.fixture(scope="module")
def corpus():
    return timing.synthetic(3000, 200)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("d", "window", "negative"), [(1, 5, 5), (15, 1, 1), (100, 5, 5), (20, 7, 3)])
def test_vectorised_steps_equal_the_reference_gradients(d, window, negative, seed):
    vectorised.validate(d, window, negative, seed)


def test_vectorised_steps_are_seen_when_wrong(monkeypatch):
    right = vectorised.sigma
    monkeypatch.setattr(vectorised, "sigma", lambda x: right(x) * np.float32(0.99))
    with pytest.raises(AssertionError):
        vectorised.validate(20)


@pytest.mark.slow
def test_vectorised_forms_the_pairs_of_the_kernel():
    config = TrainConfig(vector_size=4, epochs=1)
    corpus = timing.synthetic(100_000, 1000)
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
    wrong = Rate(SMALL.alpha * 1.01, 0.0)
    monkeypatch.setattr(timing, "run_kernel", lambda *arguments: run(*arguments[:3], wrong))
    with pytest.raises(AssertionError):
        timing.validate("pair", SMALL, 1)


def test_head_ends_where_a_cut_may_stand(corpus):
    first = timing.head(corpus, 100)
    assert first.offsets[-1] == len(first.ids) >= 100
    assert set(first.offsets) <= set(corpus.offsets)
    assert first.n_words == corpus.n_words


@pytest.mark.slow
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


#: A peer that trains nothing: its words in order, each with a vector of its own, after some memory and some time.
FAKE = """
import sys
memory = bytearray(60 << 20)
words = dict.fromkeys(open("corpus.txt").read().split())
with open("vectors.vec", "w") as file:
    print(len(words), 2, file=file)
    for i, word in enumerate(words):
        print(word, i, 1, file=file)
print("rate 1", "trained 0.250000", sep="\\n", file=sys.stderr)
sys.exit("three words and no more" if len(words) == 3 else 0)
"""


def fake(say=lambda job: None):
    """Return the fake peer; ``say`` is called with each job."""
    return systems.System(lambda job: say(job) or [sys.executable, "-c", FAKE], "vectors.vec", {"version": "fake 1"})


def test_a_run_is_measured_and_a_failed_one_shows_why(tmp_path):
    job = systems.Job(tmp_path / "corpus.txt", SMALL)
    job.text.write_text("b a c b d")
    found = systems.run_once(fake(), job)
    assert found["train_seconds"] == 0.25
    assert found["seconds"] > 0
    assert found["peak_rss_mb"] > 60
    assert 0 <= found["busy_elsewhere"] <= 1
    assert systems.load_vectors(fake(), job).words == ["b", "a", "c", "d"]
    job.text.write_text("b a c")
    with pytest.raises(SystemExit, match=r"(?s)failed with 1:.*three words and no more"):
        systems.run_once(fake(), job)


def test_everybodys_vectors_are_asked_in_the_order_of_our_vocabulary(tmp_path):
    job = systems.Job(tmp_path / "corpus.txt", SMALL)
    job.text.write_text("b a c b d")
    systems.run_once(fake(), job)
    found = systems.load_vectors(fake(), job)
    ordered = systems.in_order(found, Vocab(("d", "b"), np.array([2, 1])))
    assert list(ordered.words) == ["d", "b"]
    assert ordered["d"].tolist() == found["d"].tolist() == [3, 1]
    with pytest.raises(SystemExit, match="1 words have no vector, among them 'e'"):
        systems.in_order(found, Vocab(("d", "e"), np.array([2, 1])))


def test_systems_take_turns_and_each_run_is_a_line(results, tmp_path):
    order = []
    found = {name: fake(lambda job, name=name: order.append((name, job.config.seed))) for name in "ab"}
    text = tmp_path / "corpus.txt"
    text.write_text("b a c b d")
    configs = [replace(SMALL, seed=seed) for seed in (1, 2)]
    sizes = {"name": "a text", "kept": 500_000}
    written = peers.run_all("peers", "a command", found, text, sizes, configs, False, lambda *of: {"seen": 1})
    assert order == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert report.records("peers") == written
    assert [(line["round"], line["system"], line["seed"]) for line in written] == [(n, name, n) for name, n in order]
    assert {line["batch"] for line in written} == {written[0]["batch"]}
    assert {line["tokens_per_s"] for line in written} == {2_000_000}  # 500,000 in 0.25 seconds
    assert {(line["vectors"], line["seen"]) for line in written} == {(4, 1)}


@pytest.mark.slow
def test_ours_is_run_as_a_user_would_and_scored(planted_file, tmp_path):
    with peers.text_of(planted_file, 5000) as (text, corpus, sizes):
        assert (sizes["name"], sizes["tokens"], sizes["kept"]) == (planted_file.name, 5000, len(corpus.ids))
        system, job = systems.fastw2v_with("pair"), systems.Job(text, SMALL)
        found = systems.run_once(system, job)
        assert 0 < found["train_seconds"] < found["seconds"]
        questions = tmp_path / "questions.txt"
        questions.write_text(": all\n{0} {1} {0} {1}\n{0} {1} nosuch {1}\n".format(*corpus.vocab.words))
        vectors = systems.load_vectors(system, job)
        scores = quality.scores(vectors, corpus.vocab, [], [questions])["scores"]
        assert (scores["questions"]["attempted"], scores["questions"]["total"]) == (1, 2)
    assert not text.exists()


@pytest.mark.parametrize("adapter", ["pword2vec", "gensim", "fastw2v"])
def test_adapters_pass_every_option_on(adapter, tmp_path):
    if adapter == "gensim":
        pytest.importorskip("gensim")
    (tmp_path / "pWord2Vec").write_bytes(b"\0GCC: (GNU) 12.2.0\0some other text")
    system = {
        "pword2vec": lambda: systems.pword2vec(tmp_path / "pWord2Vec"),
        "gensim": lambda: systems.gensim_from("iterable"),
        "fastw2v": lambda: systems.fastw2v_with("tile"),
    }[adapter]()
    unlike = TrainConfig(
        vector_size=31, window=7, negative=11, sample=0.5, alpha=0.125, min_count=3, epochs=13, workers=2
    )
    command = " ".join(system.command(systems.Job(tmp_path / "corpus.txt", unlike)))
    for value in ("31", "7", "11", "0.5", "0.125", "3", "13", "2"):
        assert re.search(rf"[ =]{re.escape(value)}\b", command), value
    if adapter == "pword2vec":
        assert list(system.origin.values())[1:] == ["GCC: (GNU) 12.2.0", "without MKL"]


def test_a_system_that_cannot_be_had_is_left_out_unless_it_was_named(tmp_path, monkeypatch, capsys):
    def missing():
        sys.exit("no compiler")

    monkeypatch.setattr(systems, "SYSTEMS", {"a": missing, "b": fake})
    assert list(systems.selection(None, None)) == ["b"]
    assert "a is left out: no compiler" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no compiler"):
        systems.selection(["a"], None)
    with pytest.raises(SystemExit, match="is not a program"):
        systems.selection(["b"], tmp_path / "nowhere")


def test_the_rate_is_read_at_shares_of_the_pieces():
    falling = np.linspace(1, 0, 1000, dtype=np.float32)
    assert parity.rate_at_shares(falling, 1) == pytest.approx([0.9, 0.5, 0.1], abs=0.01)
    assert parity.rate_at_shares(np.concatenate([falling, falling]), 2) == pytest.approx([0.9, 0.5, 0.1], abs=0.01)
    said = "Alpha: 0.025  Progress: 9.0%\rAlpha: 0.012  Progress: 51.00%\rAlpha: 0.003  Progress: 88.0%"
    assert parity.rate_by_message(said) == [0.025, 0.012, 0.003]
    assert parity.rate_by_message("nothing") == []


def test_words_are_read_as_they_stand_in_vectors_files(tmp_path):
    rows = np.array([[10, 32], [3, 0.5]], np.float32)  # bytes of blanks and newlines may be among them
    words = [b"caf\xe9", b"two"]
    binary, text = tmp_path / "v.bin", tmp_path / "v.vec"
    binary.write_bytes(
        b"2 2\n" + b"".join(w + b" " + row.tobytes() + b"\n" for w, row in zip(words, rows, strict=True))
    )
    text.write_bytes(b"2 2\n" + b"".join(w + b" 1 2\n" for w in words))
    assert parity.words_in(binary) == parity.words_in(text) == words


@pytest.mark.slow
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
    monkeypatch.setattr(ingest, "cost", lambda *arguments: {"peak_rss_mb": 100.0})
    ingest.run(argparse.Namespace(corpus=None, tokens=None, rounds=2, quick=True))
    (written,) = report.records("ingest")
    assert (written["rounds"], written["corpus"]["tokens"]) == (1, 6000)
    assert written["command"] == "python -m bench ingest --quick --rounds 2"
    assert ingest.blocks() == {}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gensim leaves files open.
def test_vectors_are_read_and_asked_beside_gensim(results, monkeypatch, capsys):
    pytest.importorskip("gensim")
    monkeypatch.setattr(vectors, "FILE", (300, 8))
    monkeypatch.setattr(vectors, "SEARCH", (200, 5))
    monkeypatch.setattr(vectors, "KEYS", 20)
    vectors.run(argparse.Namespace(rounds=2, quick=False))
    (written,) = report.records("vectors")
    assert list(written["calls"]) == ["GloVe text", "word2vec binary", "nearest 10 of 20 words"]
    for of in written["calls"].values():
        for ratio, a, b in zip(of["ratio"]["each"], of["fastw2v"]["each"], of["gensim"]["each"], strict=True):
            assert ratio == pytest.approx(b / a, rel=0.5)  # The seconds are rounded.
    assert "GloVe text, 300 x 8" in capsys.readouterr().out
    assert list(vectors.blocks()) == ["vectors"]


def test_a_graph_has_communities_and_a_tenth_is_held_out():
    pairs = graph.community_graph(600, 5000, 1)
    assert len(np.unique(pairs, axis=0)) == 5000
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.max() < 600
    train, held, others = graph.split(pairs, 600, 1)
    keys = [set(map(tuple, part.tolist())) for part in (train, held, others)]
    assert [len(part) for part in keys[:2]] == [4500, 500]
    assert keys[0] | keys[1] == set(map(tuple, pairs.tolist()))
    assert not keys[2] & (keys[0] | keys[1])
    assert len(others) == 500


def test_auc_is_the_share_of_right_comparisons():
    vectors = np.array([[1, 0], [0, 1], [2, 0], [1, 1.0]])
    held = np.array([[0, 1], [0, 2]])  # rows 0 and 2 by name: cosines 0 and 1
    others = np.array([[0, 3], [1, 2], [5, 0]])  # cosines 0.7 and 0; node 5 has no vector
    assert graph.auc(["0", "1", "2", "3"], vectors, held, others) == pytest.approx((0 + 0.5 + 1 + 1) / 4)


@pytest.mark.slow
def test_graph_measures_everything_in_turn_and_reports_it(results, monkeypatch, capsys):
    monkeypatch.setattr(graph, "QUICK_NODES", 100)
    monkeypatch.setattr(graph, "version", lambda package: "1.0")
    monkeypatch.setattr(graph, "theirs", lambda path, how, seed, mode=None: graph.ours(path, how, seed))
    options = {"seeds": 2, "num_walks": 1, "walk_length": 5, "nodes": 120}
    for quick, walks_only, given in (
        (True, False, []), (False, False, ["graph"]), (False, True, ["graph", "graph-walks"])
    ):  # fmt: skip
        graph.run(argparse.Namespace(quick=quick, walks_only=walks_only, **options))
        assert list(graph.blocks()) == given
    for runs in report.records("graph")[1]["runs"].values():
        for name in ("fastw2v", "PecanPy"):
            assert [len(runs[name][part]["each"]) for part in ("reading", "walks", "all")] == [2, 2, 2]
            assert all(0 <= share <= 100 for share in runs[name]["auc"])
        for ratio, its, our in zip(
            *(runs[name]["walks"]["each"] for name in ("PecanPy / fastw2v", "PecanPy", "fastw2v")), strict=True
        ):
            assert ratio == pytest.approx(its / our, rel=0.05)
    shown = capsys.readouterr().out
    assert "| PecanPy / fastw2v, p 0.5, q 2 |" in shown
    assert "| PecanPy with tables / fastw2v, p 0.5, q 2 |" in shown
    assert "| PecanPy with tables, p 1, q 1 |" not in shown


@pytest.mark.slow
def test_peak_memory_is_the_commands_own(planted_file, tmp_path):
    large = np.ones(60_000_000)  # the process that starts the command is larger than it will be
    found = command.cost("prepare", planted_file, "-o", tmp_path / "prepared", "--min-count=1")
    assert 20 < found["peak_rss_mb"] < large.nbytes / 2**20
    assert found["seconds"] > 0
    with pytest.raises(SystemExit, match=r"prepare nowhere\.txt"):
        command.cost("prepare", "nowhere.txt", "-o", tmp_path / "other")


def test_switch_changes_one_line_and_its_table_renders(results, tmp_path, monkeypatch, capsys):
    programs = [switch.PROGRAM.format(import_line=line, options="sg=1") for line in switch.IMPORTS.values()]
    changed = [pair for pair in zip(*(program.splitlines() for program in programs), strict=True) if pair[0] != pair[1]]
    assert changed == [("from fastw2v.gensim import Word2Vec", "from gensim.models import Word2Vec")]
    ran = []
    monkeypatch.setattr(switch, "run_program", lambda system, options, *rest: ran.append((system, options)) or 7.0)
    monkeypatch.setattr(beside.importlib.metadata, "version", lambda name: f"{name} 1")
    switch.run(argparse.Namespace(corpus=None, rounds=2, quick=True))
    assert ran[0] == ("fastw2v", "sg=1")  # It compiles.
    assert ran[2:4] == [("fastw2v", "sg=1"), ("gensim", "sg=1")]
    assert ran.count(("gensim", "sg=0")) == 2
    shown = capsys.readouterr().out
    assert "| skip-gram, sg=1; whole program |" in shown
    assert "| skip-gram, sg=1; training and questions | 7" in shown
    assert switch.blocks() == {}  # a quick run is no result
    found = report.records("switch")[-1]
    assert found["text"]["tokens"] >= switch.QUICK_TOKENS


def test_a_program_that_fails_is_not_timed(tmp_path):
    with pytest.raises(SystemExit, match=r"(?s)the program failed with fastw2v.*No such file"):
        switch.run_program("fastw2v", "sg=1", tmp_path / "none", 1, tmp_path)


def test_phrases_are_timed_beside_gensim_and_must_be_the_same(tmp_path, results, monkeypatch, capsys):
    pytest.importorskip("gensim")
    text = tmp_path / "text.txt"
    lines = ["he is in new york", "the new idea of york is a new one"] * 3 + ["in new york"] * 20
    lines += [f"w{i} w{i + 1} w{i * i}" for i in range(300)]  # A score grows with the vocabulary.
    text.write_text("\n".join(lines))
    phrases.run(argparse.Namespace(corpus=text, tokens=None, rounds=2, quick=False))
    (written,) = report.records("phrases")
    assert written["corpus"]["tokens"] == sum(len(line.split()) for line in text.read_text().splitlines())
    assert set(written["calls"]) == {"learn", "learn and join"}
    assert all(of["ratio"]["median"] > 0 for of in written["calls"].values())
    assert list(phrases.blocks()) == ["phrases"]
    assert "same" in capsys.readouterr().out
    monkeypatch.setattr(phrases, "same_phrases", lambda ours, theirs: False)
    with pytest.raises(SystemExit, match="find different phrases"):
        phrases.run(argparse.Namespace(corpus=text, tokens=None, rounds=1, quick=True))


def test_phrases_with_other_scores_are_not_the_same():
    assert phrases.same_phrases({"a_b": 1.0}, {"a_b": 1.0 + 1e-12})
    assert not phrases.same_phrases({"a_b": 1.0}, {"a_b": 1.0 + 1e-6})
    assert not phrases.same_phrases({"a_b": 1.0}, {"a_c": 1.0})
