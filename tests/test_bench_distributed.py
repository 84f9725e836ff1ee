"""``bench distributed``: its replicas against one node, its tables."""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fastw2v
from bench import distributed, quality, replicas, report
from bench.replicas import Plan
from fastw2v.config import TrainConfig
from fastw2v.training import replica

OPTIONS = {"vector_size": 10, "epochs": 2, "min_count": 1, "seed": 4}


# ------------------------------------------------------------------------------------------------------------ replicas


def test_rows_that_are_merged_in_each_round_of_an_epoch():
    plan = Plan(4, 1.0, rounds=7, hot_rows=10, full_every=3)
    assert [plan.rows(number, 1000) for number in range(1, 8)] == [10, 10, 1000, 10, 10, 1000, 1000]
    assert [plan.rows(number, 4) for number in range(1, 8)] == [4] * 7
    assert plan._replace(full_every=1).rows(1, 1000) == 1000


@pytest.fixture(scope="module")
def corpus(planted_file, tmp_path_factory):
    return fastw2v.prepare(planted_file, tmp_path_factory.mktemp("prepared") / "p", min_count=1, progress=False)


@pytest.mark.parametrize("rounds", [1, 2])
def test_one_replica_is_one_node(corpus, planted_file, rounds):
    config = TrainConfig(**OPTIONS, workers=1)
    plan = Plan(1, 1.0, rounds, hot_rows=7, full_every=3)
    alone = fastw2v.train(planted_file, workers=1, progress=False, **OPTIONS)
    found = replicas.train(corpus, config, plan)
    np.testing.assert_allclose(found.vectors, alone.vectors, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.outside, alone.outside, rtol=1e-3, atol=1e-4)


def test_the_rate_falls_with_what_all_nodes_have_done(corpus, monkeypatch):
    seen = []
    actual = replica.run_chunk

    def spy(text, cuts, model, sampling, rate, workers):
        seen.append((cuts, rate.alpha, rate.step, workers.rows.rng[0, 0]))
        actual(text, cuts, model, sampling, rate, workers)

    monkeypatch.setattr(replica, "run_chunk", spy)
    replicas.train(corpus, TrainConfig(**OPTIONS, workers=1, alpha=0.02, min_alpha=0.002), Plan(2, 1.5, 1, 9, 1))
    n, epochs = len(corpus.ids), OPTIONS["epochs"]
    by_start = sorted(seen, key=lambda each: (each[0][0], -each[1]))
    assert [(int(cuts[0]) == 0, int(cuts[1]) == n) for cuts, *_ in by_start] == [(True, False)] * 2 + [
        (False, True)
    ] * 2
    assert by_start[0][0][1] == by_start[2][0][0]
    assert len({stream for *_, stream in seen}) == 4  # each node has its own stream, which continues
    for node in (0, 1):
        for epoch in range(epochs):
            (start, _), alpha, step, _ = by_start[2 * node + epoch]
            whole = 0.002 - 0.03
            assert step == pytest.approx(2 * whole / (n * epochs))
            assert alpha + step * start == pytest.approx(0.03 + whole * epoch / epochs)


@pytest.mark.slow
def test_replicas_learn(corpus):
    from conftest import topic_purity

    config = TrainConfig(vector_size=20, epochs=10, min_count=1, workers=1)
    assert topic_purity(replicas.train(corpus, config, Plan(2, 2.0, 4, 10, 2))) > 0.9


# ----------------------------------------------------------------------------------------------------------------- Ray


def test_what_is_taken_from_the_rounds_of_a_run_on_ray(monkeypatch):
    asked = {}

    def train_ray(corpus, *, output, nodes, progress, **options):
        asked.update(corpus=corpus, output=output, nodes=nodes, progress=progress, **options)
        rounds = [
            {"seconds": 2.0, "seconds_exchanging": 0.5, "bytes_exchanged": 100},
            {"seconds": 4.0, "seconds_exchanging": 0.5, "bytes_exchanged": 300},
        ] * 2
        rounds[-1] = rounds[-1] | {"seconds": 8.0}
        return SimpleNamespace(metrics=rounds, metadata={"progress": {"tokens": 4_000_000}})

    monkeypatch.setitem(sys.modules, "fastw2v.distributed", SimpleNamespace(train_ray=train_ray))
    monkeypatch.setattr(distributed, "usable_cores", lambda: 4)
    found = distributed.on_ray(Path("p"), Path("m"), TrainConfig(epochs=2, seed=9, vector_size=50), 2)
    assert (asked["corpus"], asked["output"], asked["nodes"]) == (Path("p"), Path("m"), 2)
    assert (asked["workers"], asked["seed"], asked["vector_size"], asked["epochs"]) == (2, 9, 50, 2)
    assert found.pop("seconds") >= 0
    assert found == {
        "nodes": 2, "workers": 2, "tokens_per_s": 500_000, "exchanging": 0.25, "rounds": 2.0, "bytes": 400.0,
    }  # fmt: skip
    assert distributed.on_ray(Path("p"), Path("m"), TrainConfig(epochs=2), 8)["workers"] == 1


# ---------------------------------------------------------------------------------------------------------- the tables


def line(part, plan, seed, scores, **more):
    return {
        "part": part, "plan": plan, "seed": seed, "command": "a command", "date": "2026-11-26",
        "versions": {"fastw2v": "1"}, "machine": {"cpu": "a CPU", "cpu_family_model": "1/2", "usable_cores": 2},
        "config": {"vector_size": 100, "epochs": 5, "alpha": 0.025},
        "corpus": {"name": "a.txt", "tokens": 5_000_000, "words": 36_000},
        "scores": {name: {"score": score} for name, score in zip(quality.LABELS, scores, strict=True)}, **more,
    }  # fmt: skip


def test_tables_give_means_and_distances_from_one_node(results):
    four = Plan(4, 4.0, 8, 8192, 4)._asdict()
    ran = {"nodes": 2, "workers": 1, "seconds": 1, "exchanging": 0.1, "rounds": 8.0, "bytes": 80e6}
    lines = [
        line("merging", four, 1, [60, 20, 10]),
        line("merging", four | {"merge": "mean"}, 1, [61, 21, 11]),  # an older one of the same seed: their mean counts
        line("merging", four | {"merge": "combiner"}, 1, [61, 21, 11]),
        line("merging", {"nodes": 1}, 1, [60, 20, 15]),
        line("merging", {"nodes": 1}, 2, [62, 20, 16]),
        line("ray", {"nodes": 2, "workers": 1}, 1, [60, 20, 15], run=ran | {"tokens_per_s": 1e6}),  # its time no more
        line("ray", {"nodes": 2, "workers": 1}, 1, [60, 20, 15], run=ran | {"tokens_per_s": 4e6}),
        line("ray", {"nodes": 1, "workers": 2}, 1, [61, 21, 15], run=ran | {"tokens_per_s": 5e6}),
    ]
    (results / "distributed.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    found = distributed.blocks()
    assert "| 1 | | | | | 61.0 (2.0) | 20.0 (0.0) | 15.5 (1.0) | 2 |" in found["merging"]
    assert "| 4 | mean | 4 | 8 | 8,192 / 4 | 60.5, -0.5 | 20.5, +0.5 | 10.5, -5.0 | 1 |" in found["merging"]
    assert "| 4 | combiner | 4 | 8 | 8,192 / 4 | 61.0, +0.0 | 21.0, +1.0 | 11.0, -4.5 | 1 |" in found["merging"]
    assert (
        "| 2 of 1 worker | 4.00 | 80.0 | 10.0 | 8.00 | 10.0 | 60.0, -1.0 | 20.0, -1.0 | 15.0, +0.0 | 1 |"
        in found["distributed"]
    )
    assert "| 1 of 2 workers | 5.00 | | | | | 61.0 | 21.0 | 15.0 | 1 |" in found["distributed"]
    assert "merging-passes" not in found


def test_the_passes_of_a_node_are_reported(results):
    found = distributed.passes(2, rows=400, columns=5)
    passes = line("passes", {}, 1, [0, 0, 0], passes=found)
    (results / "distributed.jsonl").write_text(json.dumps(passes) + "\n")
    table = distributed.blocks()["merging-passes"]
    for step, time in found["milliseconds"].items():
        assert f"| {step} | {report.number(time['median'])} |" in table
    assert "400 rows of 5 columns" in table


@pytest.mark.slow
def test_the_command_runs_and_records(results, capsys):
    parser = argparse.ArgumentParser()
    distributed.add_arguments(parser)
    words = "--quick --tokens 20000 --parts merging --nodes 1 2 --rates rule --rounds 1 --vector-size 10"
    distributed.run(parser.parse_args(words.split()))
    found = [json.loads(each) for each in (results / "distributed.jsonl").read_text().splitlines()]
    assert [each["part"] for each in found] == ["passes", "merging", "merging"]
    assert found[0]["passes"]["bytes_per_s"]["median"] > 0
    assert found[2]["plan"] == {
        "nodes": 2, "rate": 2.0, "rounds": 2, "hot_rows": distributed.HOT_ROWS,
        "full_every": distributed.FULL_EVERY,
    }  # fmt: skip
    assert all(each["quick"] for each in found)
    assert distributed.blocks() == {}
