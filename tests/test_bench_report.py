"""The bench suite's tables, pictures and pages agree with the results."""

import argparse
import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import everything, figure, peers, quality, report
from bench.__main__ import COMMANDS


def parser_of(*names):
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(name, **({"action": "store_true"} if name == "--quick" else {}))
    return parser


def test_all_runs_every_command_and_says_which_failed(monkeypatch):
    ran = []

    def run(words):
        ran.append(words[3:])
        return SimpleNamespace(returncode=int(words[3] == "peak"))

    monkeypatch.setattr(subprocess, "run", run)
    given = argparse.Namespace(corpus=Path("a.txt"), similarity=[Path("s.tsv")], analogies=[], quick=True)
    parsers = {
        "peak": parser_of("--quick"),
        "ladder": parser_of("corpus", "--quick"),
        "quality": parser_of("corpus", "--similarity", "--analogies"),
    }
    with pytest.raises(SystemExit, match="failed: peak; all others ran"):
        everything.run(given, parsers)
    assert ran == [
        ["peak", "--quick"],
        ["ladder", "a.txt", "--quick"],
        ["quality", "a.txt", "--similarity=s.tsv"],
    ]
    del parsers["peak"]
    everything.run(given, parsers)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_interface(name):
    module = COMMANDS[name]
    assert module.HELP
    assert module.__doc__.startswith(f"``{name}``")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    assert parser.parse_args(["--quick"]).quick
    assert callable(module.run)
    assert isinstance(module.blocks(), dict)


def test_blocks_of_the_same_name_are_refused():
    one, other = (SimpleNamespace(blocks=lambda: {"a": "table"}) for _ in "12")
    with pytest.raises(ValueError, match="bench two gives the block a"):
        report.collect({"one": one, "two": other})


def test_pages_and_pictures_are_what_the_results_say():
    changed = report.differing(report.pages(COMMANDS, report.ROOT), report.pictures(COMMANDS))
    assert not changed, f"{[path.name for path in changed]}: python -m bench report"


#: A number with a unit of speed, memory, time or quality, or a ratio in words: only a result may state one.
FIGURE = re.compile(
    r"\d[\d.,]*\s*(?:x\b|times|-?fold|"
    r"%|per cent|points?\b|[kMGT]i?B\b|GFLOP|(?:tokens|words)(?:/s| (?:a|per) second)|M\b"
    r"|[mb]illion|[mn]?s\b|(?:seconds?|minutes?|hours?)\b)"
    r"|\b(?:two|three|four|five|six|seven|eight|nine|ten|twenty|hundred|many) times (?:as|more|less|fewer|faster)\b"
    r"|\b(?:twice|thrice|half) (?:as|the)\b|\b(?:two|three|four|five|ten|twenty|hundred)-?fold\b",
    re.IGNORECASE,
)
#: Figures that pages may state outside of the blocks: limits of the program and sizes of downloads, never measured.
NOT_MEASURED = (
    "may be up to 64 MB.", "counts of up to 4 million distinct words", "| 31 MB |", "| 124 million by wikifil",
    "| 323 MB |", "| 103 million by its own count", "| 190 MB |", "| 0.8 billion by its own count", "| 1,792 MB |",
    "| about 0.3 million |", "do not fit into 2 GB",
)  # fmt: skip


def test_no_measured_figure_stands_in_prose():
    pages = [report.ROOT / "README.md", *sorted((report.ROOT / "docs").glob("*.md"))]
    texts = {page.name: page.read_text() for page in pages}
    for page, block in {"README.md": "summary", "benchmarks.md": "quality", "distributed.md": "distributed"}.items():
        assert f"<!-- bench:{block} -->" in texts[page]
    prose = {name: report.BLOCK.sub("", text) for name, text in texts.items()}
    for phrase in NOT_MEASURED:
        assert sum(text.count(phrase) for text in prose.values()) == 1, f"no longer in a page: {phrase}"
        prose = {name: text.replace(phrase, "") for name, text in prose.items()}
    found = [(name, match[0]) for name, text in prose.items() for match in FIGURE.finditer(text)]
    assert not found, f"{found} outside of a block: let a bench module write it, or allow it in NOT_MEASURED"


@pytest.mark.parametrize(
    "said",
    ["14 times", "12.2x", "3.5 GB", "40 %", "5.6 M tokens/s", "in 20 s", "ten times as fast", "twice as fast",
     "tenfold", "2 points", "9,000 words a second"],
)  # fmt: skip
def test_a_figure_in_prose_is_noticed(said):
    assert FIGURE.search(f"It is {said} here.")


def test_a_changed_result_or_page_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    (tmp_path / "README.md").write_text("no block\n")
    page = tmp_path / "docs" / "benchmarks.md"
    page.write_text("a\n<!-- bench:one -->\nold\n<!-- /bench -->\nb\n")
    module = SimpleNamespace(HELP="what it is", blocks=lambda: {"one": "| new |"})
    report.run(SimpleNamespace(check=False), {"one": module}, tmp_path)
    assert page.read_text() == "a\n<!-- bench:one -->\n| new |\n<!-- /bench -->\nb\n"
    assert "| new |" in (tmp_path / "bench" / "RESULTS.md").read_text()
    report.run(SimpleNamespace(check=True), {"one": module}, tmp_path)
    module.blocks = lambda: {"one": "| newer |"}
    with pytest.raises(SystemExit, match=r"benchmarks\.md, RESULTS\.md"):
        report.run(SimpleNamespace(check=True), {"one": module}, tmp_path)
    (tmp_path / "README.md").write_text("<!-- bench:two -->\n<!-- /bench -->\n")
    with pytest.raises(SystemExit, match="the block two"):
        report.run(SimpleNamespace(check=True), {"one": module}, tmp_path)


def test_a_picture_carries_the_digest_of_its_data(tmp_path):
    pytest.importorskip("matplotlib")
    shown = figure.Figure("what it shows", {"title": "t", "bars": []}, lambda canvas, data: canvas.subplots(), png=True)
    assert len(figure.stale(shown, "name", tmp_path)) == 2
    figure.write(shown, "name", tmp_path)
    assert not figure.stale(shown, "name", tmp_path)
    first = (tmp_path / "name.svg").read_bytes()
    figure.write(shown, "name", tmp_path)
    assert (tmp_path / "name.svg").read_bytes() == first
    assert figure.stale(shown._replace(data={"title": "other"}), "name", tmp_path)


MACHINE = {"cpu": "a CPU", "cpu_family_model": "1/2", "usable_cores": 2}
CORPUS = {"name": "a.txt", "tokens": 2_000_000, "words": 5000}
CONFIG = {"vector_size": 100, "window": 5, "negative": 5, "sample": 1e-3, "alpha": 0.025, "workers": 2}


def line(system, epochs, seed, seconds, speed, memory, score, **more):
    """A result as `peers` and `quality` write it."""
    return {
        "command": "a command", "date": "2026-11-25", "versions": {"fastw2v": "1"}, "machine": MACHINE, "batch": "b",
        "round": seed, "system": system, "seed": seed, "config": CONFIG | {"epochs": epochs}, "corpus": CORPUS,
        "made": {"version": f"{system} 1"}, "beside": None, "seconds": seconds, "tokens_per_s": speed,
        "train_seconds": None if speed is None else seconds / 2, "peak_rss_mb": memory,
        "busy_elsewhere": 0.05, "scores": {"questions-words": {"score": score, "attempted": 9, "total": 10}},
    } | more  # fmt: skip


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)

    def write(bench, lines):
        (tmp_path / f"{bench}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))

    return write


RUNS = [
    line("fastw2v", 5, 1, 10.0, 4e6, 200, 29.0),
    line("gensim iterable", 5, 1, 100.0, 4e5, 150, 30.0),
    line("word2vec.c", 5, 1, 300.0, None, 500, 28.0),
    line("fastw2v", 5, 2, 20.0, 2e6, 200, 29.4),
    line("gensim iterable", 5, 2, 100.0, 4e5, 150, 30.4),
    line("word2vec.c", 5, 2, 300.0, None, 500, 28.4),
]


def test_peers_ratios_are_of_runs_beside_each_other(results):
    old = line("fastw2v", 5, 1, 1.0, 1e6, 1, 1.0, batch="a")
    quick = line("fastw2v", 5, 1, 1.0, 1e6, 1, 1.0, batch="c", quick=True)
    results("peers", [old, *RUNS, quick])
    table, programs = peers.blocks().values()
    assert "gensim iterable: gensim iterable 1; word2vec.c" in programs
    assert "| fastw2v | 15.0 (10.0) | 3.00 (2.00) | 7.50 (5.00) | 200 (0) | | | | |" in table
    assert (
        "| gensim iterable | 100 (0) | 0.40 (0) | 50.0 (0) | 150 (0) | 7.50 (5.00) | 7.50 (5.00) | 7.50 (5.00) | "
        "0.75 (0) |" in table
    )
    assert "| word2vec.c | 300 (0) | | | 500 (0) | 22.5 (15.0) | | | 2.50 (0) |" in table
    assert "Others used 5 % of the machine during the runs (median; at most 5 %)" in table
    slow = line("fastw2v", 5, 1, 50.0, 4e5, 200, 29.0, beside="word2vec.c")
    results("peers", [*RUNS, slow])
    table, _ = peers.blocks().values()
    assert "| gensim iterable | 100 (0) | 0.40 (0) | 50.0 (0) | 150 (0) | 7.50 (5.00)" in table
    assert "| word2vec.c | 300 (0) | | | 500 (0) | 10.5 (9.00) |" in table  # 300 / 50 in the first round


def test_quality_says_where_ours_is_not_ahead(results):
    results("quality", RUNS)
    found = quality.blocks()
    assert "| gensim iterable | 5 | 100 (0) | 2 | 30.2 (0.4) | 2 | 150 |" in found["quality"]
    assert "Scores: ahead is gensim iterable on Google analogies after 5 epochs, by +1.0 ± 0.3." in found["behind"]
    assert "| gensim iterable | 5 | +1.0 ± 0.3 |" in found["quality-differences"]
    assert "| word2vec.c | 5 | -1.0 ± 0.3 |" in found["quality-differences"]
    assert "less memory at the peak is taken by gensim iterable 150 MB to our 200" in found["behind"]
    assert "of gensim iterable after 5 epochs is not reached by the mean of our runs of up to 5" in found["behind"]
    assert "word2vec.c" not in found["behind"]
    assert "No peer is ahead in: speed, ingest." in found["behind"]
    assert "| word2vec.c | 5 | 300 | 28.2 (0.4) | | 5 | 15.0 | 29.2 (0.4) | | 20.0 |" in found["time-to-score"]
    more = [line("fastw2v", 10, seed, 40.0, 3e6, 200, 32.0) for seed in (1, 2)]
    again = line("gensim iterable", 5, 2, 100.0, 4e5, 250, 28.8)  # the mean of two runs of a seed countss
    results("quality", [*RUNS, *more, again])
    found = quality.blocks()
    assert "| gensim iterable | 5 | 100 | 29.8 (0.4) | | 10 | 40.0 | 32.0 (0.0) | | 2.50 |" in found["time-to-score"]
    assert (
        "- Scores: higher, but not beyond noise, is gensim iterable on Google analogies after 5 epochs, by +0.6 ± "
        "0.3.\n\n"
        "No peer is ahead in: speed, ingest, time to a peer's last analogies score, memory." in found["behind"]
    )
    soon = line("gensim iterable", 5, 1, 100.0, 4e5, 150, 28.0, train_seconds=99.0)
    results("quality", [line("fastw2v", 5, 1, 10.0, 4e6, 200, 29.0), soon])
    assert "- Ingest: gensim iterable takes 0.20 of our seconds (5 epochs)." in quality.blocks()["behind"]
    results("quality", [*RUNS, line("fastw2v", 5, 1, 1.0, 1e6, 1, 1.0, corpus=CORPUS | {"name": "b.txt"})])
    assert "gensim" not in quality.blocks()["quality"]  # another text, another table


def test_pictures_are_drawn_from_runs(results, tmp_path):
    pytest.importorskip("matplotlib")
    results("quality", RUNS)
    found = quality.figures()
    assert list(found) == ["speed", "quality_over_time"]
    bars = {bar["system"]: bar for bar in found["speed"].data["bars"]}
    assert bars["gensim iterable"] == {
        "system": "gensim iterable", "median": 0.1, "least": 0.1, "most": 0.1, "ours_over_its": [10.0, 5.0]
    }  # fmt: skip
    assert bars["fastw2v"]["ours_over_its"] == []
    for name, shown in found.items():
        figure.write(shown, name, tmp_path)
        assert 5_000 < (tmp_path / f"{name}.png").stat().st_size < 60_000


def test_disturbed_runs_have_scores_but_no_times(results):
    disturbed = line("gensim iterable", 5, 2, 900.0, 4e4, 150, 30.4, busy_elsewhere=0.4)
    results("quality", [*RUNS, disturbed])
    assert "| gensim iterable | 5 | 100 | 1 | 30.2 (0.4) | 2 | 150 |" in quality.blocks()["quality"]
    results("quality", [disturbed])
    assert "| gensim iterable | 5 | 900 | 1 | 30.4 | 1 | 150 |" in quality.blocks()["quality"]


def test_times_are_those_of_runs_that_took_turns(results):
    alone = [line("fastw2v", 5, seed, 1.0, 9e6, 180, 30.0, batch="later") for seed in (1, 2)]
    results("quality", [*RUNS, *alone])
    assert "| fastw2v | 5 | 15.0 (10.0) | 2 | 29.6 (0.2) | 2 | 180 |" in quality.blocks()["quality"]
    results("quality", alone)
    assert "| fastw2v | 5 | 1.00 (0) | 2 | 30.0 (0.0) | 2 | 180 |" in quality.blocks()["quality"]


def test_scores_of_all_processors_and_times_of_one(results):
    elsewhere = {"batch": "later", "machine": MACHINE | {"cpu": "another CPU"}}
    peer = line("pWord2Vec", 5, 1, 50.0, 1e6, 300, 27.0, **elsewhere)
    ours = [line("fastw2v", 5, 1, 99.0, 1e6, 200, 29.2, beside=of, **elsewhere) for of in ("pWord2Vec", None)]
    results("quality", [*RUNS, peer, *ours])
    found = quality.blocks()
    assert "| fastw2v | 5 | 15.0 (10.0) | 2 | 29.3 (0.3) | 2 | 200 |" in found["quality"]
    assert "| pWord2Vec | 5 | | 0 | 27.0 | 1 | 300 |" in found["quality"]
    assert "pWord2Vec" not in found["time-to-score"]
    assert "| pWord2Vec | 5 | -2.3 |" in found["quality-differences"]  # one seed: no error can be given
    assert "pWord2Vec" not in {bar["system"] for bar in quality.figures()["speed"].data["bars"]}


def test_ours_is_run_beside_each_peer():
    names = ["fastw2v", "a", "b"]
    assert peers.turns(names, 1) == [("fastw2v", "a"), ("a", None), ("fastw2v", "b"), ("b", None)]
    assert peers.turns(names, 2) == [("b", None), ("fastw2v", "b"), ("a", None), ("fastw2v", "a")]
    assert peers.turns(names, 3) == peers.turns(names, 1)
    assert peers.turns(["fastw2v"], 1) == [("fastw2v", None)]
    assert peers.turns(["a", "b"], 2) == [("a", None), ("b", None)]
