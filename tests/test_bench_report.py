"""The bench suite's tables, pictures and pages are what the results say."""

import argparse
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import everything, figure, report
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


def test_readme_results_and_pictures_are_what_the_results_say():
    changed = report.differing(COMMANDS, report.ROOT)
    assert not changed, f"{[path.name for path in changed]}: python -m bench report"


#: A number with a unit of speed, memory, time or quality: only a result may say one.
FIGURE = re.compile(
    r"\d[\d.,]*\s*(?:x\b|times|%|per cent|MB|GB|GFLOP|tokens/s|words/s|M tokens|million words|[nm]s\b|seconds?\b|s\b)"
)


def test_no_measured_figure_stands_in_prose():
    readme = (report.ROOT / "README.md").read_text()
    assert "<!-- bench:quality -->" in readme
    prose = report.BLOCK.sub("", readme)
    assert not FIGURE.findall(prose[: prose.index("## Train on your text")])
    assert FIGURE.findall("14 times as fast, 3.5 GB, 40 %, 5.6 M tokens/s, in 20 s") == [
        "14 times", "3.5 GB", "40 %", "5.6 M tokens", "20 s"
    ]  # fmt: skip


def test_a_changed_result_or_page_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "bench").mkdir()
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    (tmp_path / "README.md").write_text("a\n<!-- bench:one -->\nold\n<!-- /bench -->\nb\n")
    module = SimpleNamespace(HELP="what it is", blocks=lambda: {"one": "| new |"})
    report.run(SimpleNamespace(check=False), {"one": module}, tmp_path)
    assert (tmp_path / "README.md").read_text() == "a\n<!-- bench:one -->\n| new |\n<!-- /bench -->\nb\n"
    assert "| new |" in (tmp_path / "bench" / "RESULTS.md").read_text()
    report.run(SimpleNamespace(check=True), {"one": module}, tmp_path)
    module.blocks = lambda: {"one": "| newer |"}
    with pytest.raises(SystemExit, match=r"README\.md, RESULTS\.md"):
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
