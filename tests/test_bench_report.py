"""The bench suite's tables, pictures and pages are what the results say."""

import argparse
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import everything, report
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
