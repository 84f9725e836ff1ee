"""The benches of growing costs: exponents, the softmax step, and every inside on tiny sizes. No time is tested."""

import argparse
import itertools
import json
import re

import numpy as np
import pytest

from bench import complexity, fit, memory, record, report, scaling, startup, sweep, timing
from fastw2v.config import TrainConfig


def silent(text):
    """Where the commands print."""


def test_power_laws_are_found():
    x = np.array([1, 10, 100, 1000])
    exact = fit.power_law(x, 3 * x**1.5)
    assert exact["exponent"] == pytest.approx(1.5)
    assert exact["factor"] == pytest.approx(3)
    assert exact["error"] == pytest.approx(0, abs=1e-4)
    noisy = fit.power_law(x, x * np.array([1, 1.2, 0.9, 1.1]))
    assert abs(noisy["exponent"] - 1) < 3 * noisy["error"]
    assert fit.power_law([1, 2], [5, 5])["error"] is None


def test_errors_of_exponents_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    x = np.geomspace(1, 1e4, 6)
    fits = [fit.power_law(x, x**0.7 * np.exp(rng.normal(0, 0.1, 6))) for _ in range(400)]
    spread = np.std([each["exponent"] for each in fits])
    assert np.sqrt(np.mean([each["error"] ** 2 for each in fits])) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(("n_words", "d"), [(203, 37), (7, 1), (64, 16)])
def test_the_compiled_softmax_is_the_references(n_words, d):
    complexity.validate(max(n_words, 8), d)


def test_a_wrong_softmax_is_not_timed(monkeypatch):
    step = complexity.softmax_step
    monkeypatch.setattr(complexity, "softmax_step", lambda *given: step(*given[:4], np.float32(0.051), *given[5:]))
    with pytest.raises(AssertionError):
        complexity.validate()


def test_noise_words_of_a_pair_are_never_its_outside_word():
    pairs, negatives = complexity.random_pairs(3, 1000, 4)
    assert not (negatives == pairs[:, 1:]).any()
    assert set(negatives.ravel().tolist()) == {0, 1, 2}


def test_complexity_measures_every_method_and_its_tables_render(monkeypatch, results, capsys):
    monkeypatch.setattr(complexity, "LARGEST_REFERENCE", 1000)
    found = complexity.measure((500, 2000), (1, 3), 1, 1e-4, silent)
    assert set(found["nanoseconds"]["n_words"]) == set(complexity.MEASURED)
    assert set(found["nanoseconds"]["n_words"]["softmax, NumPy"]) == {"500"}
    assert set(found["nanoseconds"]["negative"]) == {name for name in complexity.MEASURED if "sampling" in name}
    record.append("complexity", "a command", {"quick": False, "repeats": 1, **found})
    (block,) = complexity.blocks().values()
    assert block.count("| sampling, tile kernel |") == 2
    assert "grows as n_words to the" in block


def test_growth_of_a_sweep_is_fitted_on_every_axis():
    def point(axis, value, speed, work):
        figures = {"trained_per_s": {"median": speed}, "gflops": {"median": work * speed}}
        return {"axis": axis, "value": value, "kernels": {"tile": figures}}

    points = [point("window", w, 1e6 / w**2, w) for w in (2, 4, 8)] + [point("negative", 5, 1, 1)]
    found = sweep.growth(points)
    assert set(found) == {"window"}
    assert found["window"]["tile"]["seconds"]["exponent"] == pytest.approx(2)
    assert found["window"]["tile"]["multiply_adds"]["exponent"] == pytest.approx(1)


def test_workers_are_compared_within_a_repeat(monkeypatch):
    monkeypatch.setattr(scaling, "usable_cores", lambda: 3)
    assert scaling.counts() == [1, 2, 3]
    config = TrainConfig(vector_size=20, epochs=1)
    corpus = timing.synthetic(3000, 200)
    found = scaling.measure_workers(corpus, "pair", config, 2)
    assert set(found["tokens_per_s"]) == set(found["trained_per_s"]) == {"1", "2", "3"}
    assert found["words"] == 200
    assert found["speed_up"]["1"]["each"] == [1, 1]
    one, two = (found["tokens_per_s"][count]["each"] for count in "12")
    for up, alone, both in zip(found["speed_up"]["2"]["each"], one, two, strict=True):
        assert up == pytest.approx(both / alone, rel=1e-2)


@pytest.mark.slow
def test_scaling_finds_what_is_planted_at_every_length(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "WORKERS_TOKENS", {"pair": 2000})
    monkeypatch.setattr(scaling, "VECTOR_SIZES", (20,))
    monkeypatch.setattr(scaling, "WORDS", (1_000, 2_000))
    parser = argparse.ArgumentParser()
    scaling.add_arguments(parser)
    options = f"--parts lengths workers --tokens 10000 1000000 --words 2000 --repeats 1 --scratch {tmp_path}"
    scaling.run(parser.parse_args(options.split()))
    (written,) = report.records("scaling")
    few, many = written["lengths"]
    assert few["tokens"] == 10_000
    assert many["words"] == 2_000
    assert many["found"]["twins"] > 50 > few["found"]["twins"]
    assert written["growth"]["train"]["exponent"] > 0
    assert "| planted twins found, % |" in scaling.blocks()["scaling"]
    for n_words in scaling.WORDS:
        assert f"| pair, vector_size 20, {n_words:,} words |" in scaling.blocks()["workers"]
    assert scaling.figures()["scaling"].data["tokens"] == [10_000, 1_000_000]


def test_workers_of_each_machine_are_reported(results):
    def summary(median):
        return {"median": median, "spread": 0.5, "each": [median]}

    def result(cpu, median, **speeds):
        machine = {"cpu": cpu, "cpu_family_model": "1/2", "usable_cores": 4}
        point = {"kernel": "tile", "vector_size": 100, "words": 80_000, "speed_up": {"2": summary(median)}, **speeds}
        about = {"date": "2026-11-26", "command": "a command", "versions": {}, "machine": machine}
        return {"repeats": 2, "corpus": "synthetic", "workers": [point], **about}

    old = result("A", 1.1)
    new = result("A", 1.9, tokens_per_s={"1": summary(2e6)})
    other = result("B", 1.5, trained_per_s={"1": summary(1e6)})
    (results / "scaling.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (old, new, other)))
    (table,) = scaling.blocks().values()
    assert "| A (family/model 1/2), 4 cores | 2.00 | | 1.90 (0.50) |" in table
    assert "| B (family/model 1/2), 4 cores | | 1.00 | 1.50 (0.50) |" in table
    assert "1.10" not in table
    assert scaling.figures() == {}


@pytest.mark.slow
def test_scores_stand_side_by_side_by_workers(planted_file, results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "usable_cores", lambda: 2)
    words = [line.split()[0] for line in planted_file.read_text().splitlines()[:4]]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{a}\t{b}\t{i}\n" for i, (a, b) in enumerate(itertools.pairwise(words))))
    parser = argparse.ArgumentParser()
    scaling.add_arguments(parser)
    options = ["--parts=scores", "--score-tokens=20000", "--repeats=2", f"--similarity={pairs}"]
    scaling.run(parser.parse_args([str(planted_file), *options]))
    (result,) = report.records("scaling")
    ran = [(run["kernel"], run["workers"], run["seed"]) for run in result["scores"]["runs"]]
    assert ran == [(k, n, seed) for seed in (1, 2) for n in (1, 2) for k in ("pair", "tile")]
    table = scaling.blocks()["workers-scores"]
    assert table in capsys.readouterr().out
    assert re.search(r"\| pair \| 2 \| -?[\d.]+ ± [\d.]+ \| [\d.e-]+ \| 2 \|", table)
    assert scaling.figures() == {}


@pytest.mark.slow
def test_memory_is_the_commands_and_its_bill_is_read(results, monkeypatch, capsys):
    monkeypatch.setattr(memory, "QUICK_POINTS", ((50, 10), (20_000, 100)))
    memory.run(argparse.Namespace(quick=True))
    (written,) = report.records("memory")
    small, large = written["points"]
    assert large["matrices_mb"] == 16
    assert small["peak_mb"] < large["peak_mb"]
    assert large["bill_mb"] >= 16
    assert "The line through the peaks" in capsys.readouterr().out
    assert not memory.blocks()  # a quick run is no result


def test_startup_times_new_processes(results, monkeypatch, tmp_path, capsys):
    whole = startup.commands
    monkeypatch.setattr(
        startup,
        "commands",
        lambda text, folder: {
            name: of for name, of in whole(text, folder).items() if name in ("python", "import numpy")
        },
    )
    startup.run(argparse.Namespace(repeats=2, quick=False))
    (written,) = report.records("startup")
    assert written["seconds"]["import numpy"]["median"] > written["seconds"]["python"]["median"] > 0
    assert "| import numpy |" in startup.blocks()["startup"]
    assert {"import fastw2v", "fastw2v train, kernels compiled"} <= set(whole(tmp_path, tmp_path))
    with pytest.raises(SystemExit, match="failed"):
        startup.seconds_of([startup.sys.executable, "-c", "raise SystemExit(3)"], {})
