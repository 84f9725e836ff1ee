"""What a package index and its readers get: addresses, citation, and a readme without relative links."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import fastw2v

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PLACEHOLDER = "https://github.com/fastw2v/fastw2v"


@pytest.fixture
def metadata(monkeypatch):
    """The metadata of the built package, by the hook of the build."""
    interface = ModuleType("hatchling.metadata.plugin.interface")
    interface.MetadataHookInterface = object
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    hook = module.ReadmeHook()
    hook.root = str(ROOT)
    found = dict(PROJECT)
    hook.update(found)
    return found


def test_addresses_are_one_place():
    urls = PROJECT["urls"]
    assert list(urls) == ["Homepage", "Documentation", "Source", "Changelog", "Issues"]
    assert urls["Source"] == PLACEHOLDER
    assert all(url.startswith((PLACEHOLDER, "https://fastw2v.github.io/")) for url in urls.values())
    assert (ROOT / urls["Changelog"].rpartition("/")[2]).is_file()
    assert f"repository-code: {PLACEHOLDER}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_citation_is_of_this_version():
    assert f"\nversion: {fastw2v.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_readme_of_the_package_has_no_relative_link(metadata):
    text = metadata["readme"]["text"]
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    for link in links:
        assert link.startswith("https://"), link
        kind, _, path = link.removeprefix(f"{PLACEHOLDER}/").partition("/main/")
        assert kind in ("blob", "raw")
        assert (ROOT / path).is_file(), link
        assert (kind == "raw") == path.endswith(".png")
    assert not re.search(r"!\[[^\]]*\]\([^)]*\.svg", text)  # Not every index shows SVG.
    assert re.sub(r"\]\([^)]+\)", "", text) == re.sub(r"\]\([^)]+\)", "", (ROOT / "README.md").read_text())


def test_what_a_source_package_needs_is_in_it():
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    included = set(build["sdist"]["include"])
    assert all((ROOT / name).exists() for name in included)
    assert {"fastw2v", "tests", "hatch_build.py", "README.md", "SECURITY.md", "CITATION.cff"} <= included
    assert build["wheel"]["packages"] == ["fastw2v"]
    # What the wheel lacks, the documentation says.
    assert "not part of the installed package" in (ROOT / "docs" / "corpora.md").read_text()
