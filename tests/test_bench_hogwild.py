"""The model of shared rows: its limits, and against a simulation that follows every touch."""

import argparse
import itertools
import re

import numpy as np
import pytest

from bench import hogwild, record, report, timing
from bench.hogwild import MEMORY, OTHER, OWN, SHARED, STALE
from fastw2v.config import TrainConfig

SMALL = TrainConfig(vector_size=20, epochs=1)


@pytest.fixture(scope="module")
def corpus():
    return timing.synthetic(60_000, 3_000, SMALL)


def naive(rows, own):
    """Go through the touches in the order of their time, with a history of each row."""
    workers, units, _ = rows.shape
    events = sorted(
        (unit + 1 + worker / workers, worker, unit, i, row)
        for worker in range(workers)
        for unit in range(units)
        for i, row in enumerate(rows[worker, unit])
        if row >= 0
    )
    last, counts = {}, np.zeros(5, int)
    for ended, worker, unit, _, row in events:
        who, when = last.get(row, (None, -np.inf))
        if unit >= units // 2:
            counts[SHARED if ended - when > own else OWN if who == worker else OTHER] += 1
            counts[STALE] += who != worker and when > ended - 1
        last[row] = worker, ended
    return counts


def test_simulation_equals_a_naive_one():
    rows = np.random.default_rng(0).integers(-1, 12, (3, 40, 5)).astype(np.int32)
    rows.sort(axis=2)
    rows[:, :, 1:][rows[:, :, 1:] == rows[:, :, :-1]] = -1
    for own in (0.5, 2.4, 1e9):
        np.testing.assert_array_equal(hogwild.simulate(rows, 12, own), naive(rows, own))


def test_closed_form_equals_simulation_where_touches_are_independent():
    rng = np.random.default_rng(1)
    chance = 1 / np.arange(1, 2001)
    chance /= chance.sum()
    for workers in (1, 2, 16):
        rows = rng.choice(2000, (workers, 4000, 1), p=chance).astype(np.int32)
        own = hogwild.time_in_cache(chance, 200)
        counts = hogwild.simulate(rows, 2000, own)
        found = hogwild.touches(chance, workers, own, own)
        for which in (OWN, OTHER, STALE):
            assert counts[which] / counts[:STALE].sum() == pytest.approx(found[which], abs=0.02), (workers, which)


def test_limits():
    rates = np.full(1000, 0.01)
    alone = hogwild.touches(rates, 1, np.inf, np.inf)
    assert alone[OWN] == pytest.approx(rates.sum())
    assert alone[[OTHER, SHARED, MEMORY, STALE]].sum() == 0
    many = hogwild.touches(rates, 8, np.inf, np.inf)
    assert many[OTHER] / rates.sum() == pytest.approx(7 / 8)
    cold = hogwild.touches(rates, 8, 0, 0)
    assert cold[MEMORY] == pytest.approx(rates.sum())
    assert hogwild.touches(rates, 8, 5, 50)[:STALE].sum() == pytest.approx(rates.sum())


def test_rows_stay_as_long_as_the_cache_is_not_full():
    rates = np.full(100, 0.02)
    for fit in (1, 50, 99):
        time = hogwild.time_in_cache(rates, fit)
        assert (1 - np.exp(-rates * time)).sum() == pytest.approx(fit, rel=1e-6)
    assert hogwild.time_in_cache(rates, 100) == np.inf


@pytest.mark.parametrize("kernel", ["pair", "tile"])
def test_units_touch_rows_at_the_rates_of_the_closed_form(corpus, kernel):
    units = hogwild.units_of(kernel, corpus, SMALL, 2, 20_000)
    touched = units.rows[units.rows >= 0]
    count = units.rows.shape[0] * units.rows.shape[1]
    found = np.bincount(touched, minlength=units.n_rows) / count
    expected = hogwild.expected_rates(kernel, corpus, SMALL)
    assert found.sum() == pytest.approx(expected.sum(), rel=0.03)
    frequent = np.argsort(-expected)[:100]
    np.testing.assert_allclose(found[frequent], expected[frequent], rtol=0.5)
    assert np.corrcoef(found[frequent], expected[frequent])[0, 1] > 0.98


def test_tiles_touch_fewer_rows_a_token(corpus):
    pair, tile = (hogwild.shares(kernel, corpus, SMALL, 8, 20_000) for kernel in ("pair", "tile"))
    assert pair["touches_a_token"] == 6 * (2 + SMALL.negative)
    assert tile["touches_a_token"] < pair["touches_a_token"] / 5
    assert tile["stale_simulated"] > pair["stale_simulated"]  # a tile is at work for longer


def test_predictions_are_limited_by_what_there_is_least_of(corpus, monkeypatch):
    monkeypatch.setattr(hogwild, "OWN_CACHE", 1 << 16)  # or all rows of this small vocabulary fit
    found = hogwild.shares("pair", corpus, SMALL, 8, 20_000)
    machine = hogwild.Machine(64, 64, 0, 1e15, 0.0)

    def predict(latency, machine):
        return hogwild.predict("pair", corpus, SMALL, found, 8, 1000.0, machine._replace(latency=latency))

    assert predict(0, machine) == predict(0, machine) | {"speed_up": 8, "limited_by": "computing"}
    assert predict(100, machine)["limited_by"] == "others' lines"
    rate = hogwild.expected_rates("pair", corpus, SMALL).max()
    far = machine._replace(latency=1e6)  # a line takes as long as a token of one core alone
    limit = hogwild.predict("pair", corpus, SMALL, found | {"other_simulated": 0.0}, 8, 1e6, far)
    assert limit["limited_by"] == "one row"
    assert limit["speed_up"] == pytest.approx(1 / (rate * 6 * 7 / 8), rel=0.01)
    slow = predict(0, machine._replace(bandwidth=1e3))
    assert slow["limited_by"] == "memory"
    assert slow["memory_bytes"] > 0
    assert slow["speed_up"] < 1
    assert slow["memory_gb_s"] == pytest.approx(0, abs=0.1)


def test_workers_fill_as_many_caches_as_they_need_and_rows_of_another_are_far(corpus, monkeypatch):
    monkeypatch.setattr(hogwild, "OWN_CACHE", 1 << 12)
    apart, together = (hogwild.Machine(64, group, 1 << 18, 1e15, 10.0) for group in (8, 64))

    def predict(workers, machine):
        found = hogwild.shares("pair", corpus, SMALL, workers, 20_000)
        return hogwild.predict("pair", corpus, SMALL, found, workers, 1000.0, machine)

    assert predict(8, apart) == predict(8, together)
    two, one = predict(16, apart), predict(16, together)
    assert two["memory_bytes"] < one["memory_bytes"]  # two caches hold more
    assert two["other_lines"] > one["other_lines"]  # but half of what is in them is in the other one


def test_the_whole_runs_and_its_tables_render(corpus, results, monkeypatch):
    monkeypatch.setattr(hogwild, "line_latency", lambda repeats: [100.0, 90.0])
    monkeypatch.setattr(hogwild, "bandwidth", lambda threads: 1e10)
    monkeypatch.setattr(hogwild, "usable_cores", lambda: 2)
    monkeypatch.setattr(hogwild, "CORES", (1, 2, 128))
    monkeypatch.setattr(hogwild, "VECTOR_SIZES", (20,))
    monkeypatch.setattr(hogwild, "SPEED_TOKENS", {"pair": 2000, "tile": 2000})
    found = hogwild.measure({"few words": corpus}, 1, lambda text: None, 20)
    record.append("hogwild", "a command", {"quick": False, "repeats": 1, **found})
    block, measured = hogwild.blocks().values()
    assert "| tile, few words | 128 |" in block
    assert "a line comes from another core in 90.0 ns (the least of 2)" in measured
    assert block.count("| two such sockets, 128 cores |") == 4  # of two kernels, speed-ups and traffic
    assert re.search(
        r"\| tile, few words, vector_size 20 \| .*, 2 cores \| [\d.]+[LMR ]* / [\d.]+ \(0\) \|\n", measured
    )
    (picture,) = hogwild.figures().values()
    (large,) = [name for name in picture.data if name.endswith("two such sockets, 128 cores")]
    assert picture.data[large]["tile, few words"]["cores"] == [1, 2, 128]
    (here,) = [name for name in picture.data if "measured" in name]
    assert picture.data[here]["tile, few words"]["measured_cores"] == [2]


def test_scores_stand_side_by_side_by_workers(planted_file, results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hogwild, "usable_cores", lambda: 2)
    words = [line.split()[0] for line in planted_file.read_text().splitlines()[:4]]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(itertools.pairwise(words))))
    parser = argparse.ArgumentParser()
    hogwild.add_arguments(parser)
    hogwild.run(parser.parse_args([str(planted_file), "--tokens=20000", "--repeats=2", f"--similarity={pairs}"]))
    (result,) = report.records("hogwild")
    ran = [(run["kernel"], run["workers"], run["seed"]) for run in result["runs"]]
    assert ran == [(k, n, seed) for seed in (1, 2) for n in (1, 2) for k in ("pair", "tile")]
    table = hogwild.blocks()["hogwild-scores"]
    assert table in capsys.readouterr().out
    assert re.search(r"\| pair \| 2 \| -?[\d.]+ ± [\d.]+ \| [\d.e-]+ \| 2 \|", table)
    assert hogwild.figures() == {}
