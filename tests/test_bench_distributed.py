"""``bench distributed``: the arithmetic of its predictions by hand, its replicas against one node, its tables."""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import fastw2v
from bench import distributed, quality, replicas, report
from bench.distributed import Speeds, bytes_of_round, epoch_seconds
from bench.replicas import Plan
from fastw2v import replica
from fastw2v.config import TrainConfig
from fastw2v.distributed import merging

OPTIONS = {"vector_size": 10, "epochs": 2, "min_count": 1, "seed": 4}


# ------------------------------------------------------------------------------------------------------ the closed form


def test_bytes_of_a_round_by_hand():
    # 2 matrices x 1,000 rows x (400 of a delta + 1 that marks it + 400 of the merged one), three quarters of it sent
    assert bytes_of_round(1_000, 100, 4) == 1_201_500
    assert bytes_of_round(1_000, 100, 1) == 0
    assert bytes_of_round(10, 3, 2) == 250  # 20 x 25 / 2


def test_seconds_of_an_epoch_by_hand():
    speeds = Speeds(25e6, 4e9)
    # 10^9 tokens on 4 x 25 M/s: 10 s. A million rows: 3 x 8 x 10^8 bytes pass at 4 GB/s in 0.6 s, 1.2015 GB are sent at
    # 0.8 x 1.25 GB/s; 10,000 rows a hundredth of both; two rounds take 0.1 s each beside that.
    seconds, training = epoch_seconds(1e9, 4, speeds, [1_000_000, 10_000], 100, 10)
    assert training == pytest.approx(10)
    assert seconds == pytest.approx(10 + 0.606 + 1.213515 + 0.2)
    ten_times, _ = epoch_seconds(1e9, 4, speeds, [1_000_000, 10_000], 100, 100)
    assert ten_times == pytest.approx(10 + 0.606 + 0.1213515 + 0.2)


def test_one_node_exchanges_nothing():
    assert epoch_seconds(1e9, 1, Speeds(25e6, 4e9), [1_000_000], 100, 10) == (40, 40)


def test_rows_that_are_merged_in_each_round_of_an_epoch():
    plan = Plan(4, 1.0, rounds=7, hot_rows=10, full_every=3)
    assert [plan.rows(number, 1000) for number in range(1, 8)] == [10, 10, 1000, 10, 10, 1000, 1000]
    assert [plan.rows(number, 4) for number in range(1, 8)] == [4] * 7
    assert plan._replace(full_every=1).rows(1, 1000) == 1000


def hogwild_result(cores, ns_a_token, speed_up):
    """What the prediction reads of ``hogwild``."""
    return {
        "date": "2026-11-25",
        "machine": {"cpu": f"{cores} cores", "cpu_family_model": "1/2", "usable_cores": cores},
        "points": [
            {
                "corpus": "1,000,000 words",
                "kernel": "tile",
                "vector_size": size,
                "measured": {
                    "ns_a_token": {"median": ns_a_token * size / 100}, "speed_up": {str(cores): {"median": speed_up}}
                },
            }
            for size in (100, 300)
        ],
    }  # fmt: skip


def test_the_table_of_predictions_is_the_closed_form(results):
    small, large = hogwild_result(2, 400.0, 1.9), hogwild_result(16, 500.0, 12.8)
    (results / "hogwild.jsonl").write_text(json.dumps(small) + "\n")
    assert distributed.measured_node() is None
    (results / "hogwild.jsonl").write_text(f"{json.dumps(large)}\n{json.dumps(small)}\n")
    node = distributed.measured_node()
    assert node == large
    assert distributed.node_speed(node, 100) == pytest.approx(25.6e6)
    table = distributed.predictions(node, 4e9).splitlines()
    assert len(table) == 2 + 8
    assert table[2].startswith("| 1 M | 100 | 10 | 391 (100) | ")  # 10^10 / 25.6 M/s
    rounds = merging.rounds(4)
    full = sum(n % distributed.FULL_EVERY == 0 or n == rounds for n in range(1, rounds + 1))
    rows = full * 1_000_000 + (rounds - full) * distributed.HOT_ROWS
    by_hand = 1e10 / (4 * 25.6e6) + 0.1 * rounds + rows * 2400 / (distributed.THREADS * 4e9) + rows * 1.5 * 801 / 1e9
    assert table[2].split(" | ")[4] == f"{report.number(by_hand)} ({100 * 1e10 / (4 * 25.6e6) / by_hand:.0f})"


# ------------------------------------------------------------------------------------------------------------ replicas


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
    assert len({stream for *_, stream in seen}) == 4  # each node has a stream of its own, which goes on
    for node in (0, 1):
        for epoch in range(epochs):
            (start, _), alpha, step, _ = by_start[2 * node + epoch]
            whole = 0.002 - 0.03
            assert step == pytest.approx(2 * whole / (n * epochs))
            assert alpha + step * start == pytest.approx(0.03 + whole * epoch / epochs)


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
    assert "distributed-cost" not in found


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
