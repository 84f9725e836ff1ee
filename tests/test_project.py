"""Promises about the tree itself: how kernels are declared, what an import does, what the README says."""

import ast
import graphlib
import importlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastw2v
from fastw2v import kernels, reference
from fastw2v.distributed import merging
from fastw2v.graphs import walks
from fastw2v.kernels import _jit, composed, pair, parallel, sampling, spans, tile
from fastw2v.subwords import composition, ngrams
from fastw2v.training import finite

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "fastw2v"


def uses_jit(path):
    """Names of decorators in a file that compile functions, and whether Numba is asked directly."""
    ours, direct = False, False
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in node.decorator_list:
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                name = call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "")
                ours |= name == "jit" and isinstance(call, ast.Name)
                direct |= name in {"njit", "vectorize", "guvectorize"} or (
                    name == "jit" and not isinstance(call, ast.Name)
                )
    return ours, direct


def test_one_place_owns_numbas_flags():
    paths = [path for path in PACKAGE.rglob("*.py") if uses_jit(path)[0]]
    compiled = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in paths}
    inlined = {
        "kernels/_jit",
        "kernels/records",
        "kernels/simd",
    }  # Records and intrinsics are compiled into their callers.
    assert compiled | inlined == set(_jit.KERNEL_SOURCES)
    assert not [path for path in PACKAGE.rglob("*.py") if uses_jit(path)[1]]
    assert not {"nnan", "ninf", "fast"} & _jit.FASTMATH


def test_one_file_has_the_llvm_code():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                low_level = {"llvmlite", "numba.extending", "numba.core"} & {
                    ".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)
                }
                assert not low_level or path.stem == "simd", path


def test_every_kernel_has_a_twin_with_the_same_arguments():
    for module in (sampling, spans, pair, tile, composed, parallel, finite, merging, walks, ngrams, composition):
        for name, kernel in vars(module).items():
            if name.startswith("_"):  # a part of a kernel, with no meaning of its own
                continue
            if hasattr(kernel, "py_func") and kernel.py_func.__module__ == module.__name__:
                twin = getattr(reference, name)
                assert list(inspect.signature(twin).parameters) == list(inspect.signature(kernel.py_func).parameters), (
                    name
                )


def test_the_public_names_are_those_that_type_checkers_see():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: statement.module for statement in block.body for alias in statement.names}
    assert sorted(seen | {"__version__": "_version"}) == sorted(fastw2v.__all__)
    assert {name: module for name, module in seen.items() if module} == fastw2v._MODULE_OF
    for name, module in seen.items():
        value = getattr(fastw2v, name)
        if name.isupper():  # A constant has no name of its own.
            assert value is getattr(importlib.import_module(f"fastw2v.{module}"), name)
            continue
        assert value.__name__ == (name if module else f"fastw2v.{name}")
        assert module is None or value.__module__ == f"fastw2v.{module}"


def test_a_module_cannot_replace_a_public_name():
    """Importing a module ``fastw2v.train`` would put it in the place of the function."""
    assert not set(fastw2v._MODULE_OF) & {path.stem for path in PACKAGE.iterdir()}


def test_public_names_are_listed_before_they_are_loaded():
    code = "import fastw2v, sys; print(set(fastw2v.__all__) <= set(dir(fastw2v)), 'numba' in sys.modules)"
    assert run_python(code) == "True False\n"
    code = "from fastw2v import *; print(train.__name__, kernels.__name__, hasattr(__import__('fastw2v'), 'nothing'))"
    assert run_python(code) == "train fastw2v.kernels False\n"


def test_kernels_are_public_and_documented():
    for name in vars(kernels):
        if not name.startswith("_") and callable(getattr(kernels, name)):
            assert getattr(kernels, name).__doc__, name
            assert name in kernels.__doc__, name
            assert name in (ROOT / "docs" / "kernels.md").read_text(), name


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMPILED = """
import fastw2v
from fastw2v import kernels
from fastw2v.text import ingest
functions = [f for m in (kernels, ingest) for f in vars(m).values() if hasattr(f, "signatures")]
assert len(functions) > 5
print(sum(len(f.signatures) for f in functions))
"""


def test_import_compiles_nothing_and_needs_no_extra():
    assert run_python(COMPILED) == "0\n"
    loaded = run_python("import fastw2v, sys; fastw2v.train; print(*sys.modules)").split()
    assert "numba" in loaded
    assert not {"gensim", "matplotlib", "plotly", "ray", "sklearn", "zstandard"} & set(loaded)


TRAIN = """
import sys, fastw2v, numpy as np
from fastw2v.kernels import _jit
from numba.core import event
compiled = []
class Listener(event.Listener):
    def on_start(self, e): compiled.append(e.data["dispatcher"].py_func.__name__)
    def on_end(self, e): pass
event.register("numba:compile", Listener())
with open("corpus.txt", "w") as file:
    file.writelines(" ".join(f"w{i * j % 97}" for i in range(9)) + "\\n" for j in range(500))
for size in map(int, sys.argv[1].split(",")):
    e = fastw2v.train("corpus.txt", vector_size=size, epochs=15, sample=0, workers=2, progress=False)
    assert e.metadata["tiling"]
    fastw2v.train("corpus.txt", vector_size=size, epochs=1, workers=2, progress=False, kernel="pair")
functions = {
    id(f): f for name, m in sys.modules.items() if name.startswith("fastw2v") for f in vars(m).values()
    if hasattr(f, "stats") and f.py_func.__module__.startswith("fastw2v")
}
misses = sum(sum(f.stats.cache_misses.values()) for f in functions.values())
hits = sum(sum(f.stats.cache_hits.values()) for f in functions.values())
print(hits, misses, len(compiled), _jit.cache_folder())
"""


def train(folder, sizes, cache):
    """Train in a process of its own; return hits and misses of the package's caches, all compilations, the folder.

    ``cache`` is the cache folder; None for that of the other tests.
    """
    environment = os.environ if cache is None else os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    command = [sys.executable, "-W", "error", "-c", TRAIN, sizes]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert done.returncode == 0, done.stderr
    *numbers, where = done.stdout.split()
    return (*map(int, numbers), where)


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}


def test_a_second_process_compiles_nothing(tmp_path):
    """The first one shares the cache of the other tests, which have compiled most kernels, or will need them."""
    *_, filled = train(tmp_path, "100", None)
    cache = tmp_path / "cache"
    shutil.copytree(filled, cache / Path(filled).name)
    before = files_of(cache)
    for sizes in ("100,300", "37"):  # compiled code does not depend on the size
        hits, misses, compiled, where = train(tmp_path, sizes, cache)
        assert where.startswith(str(cache))
        assert hits > 5
        assert (misses, compiled) == (0, 0)
        assert files_of(cache) == before  # nothing was added, nothing written again


def test_a_cache_of_its_own_is_filled(tmp_path):
    cache = tmp_path / "cache"
    where = str(cache / Path(_jit.cache_folder()).name)
    assert run_python(ONE_KERNEL, NUMBA_CACHE_DIR=str(cache)).split() == ["0", "1", where]
    before = files_of(cache)
    assert len(before) == 2  # an index and machine code
    assert run_python(ONE_KERNEL, NUMBA_CACHE_DIR=str(cache)).split() == ["1", "0", where]
    assert files_of(cache) == before


ONE_KERNEL = """
from fastw2v.kernels import _jit, sampling
sampling.next_u64(sampling.spawn_streams(1, 1))
stats = sampling.next_u64.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), _jit.cache_folder())
"""


def test_a_cache_folder_that_cannot_be_written_is_done_without(tmp_path):
    (tmp_path / "file").write_text("")  # root may write everywhere, but not below a file
    assert run_python(ONE_KERNEL, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache")).split()[-1] == "None"


@pytest.mark.slow
def test_a_training_needs_no_cache_folder(tmp_path):
    (tmp_path / "file").write_text("")
    _, _, compiled, where = train(tmp_path, "5", tmp_path / "file" / "cache")
    assert where == "None"
    assert compiled > 10


def test_other_kernel_sources_use_another_cache(monkeypatch, tmp_path):
    before = _jit.cache_folder()
    copy = tmp_path / "fastw2v"
    copy.mkdir()
    for module in _jit.KERNEL_SOURCES:
        (copy / module).parent.mkdir(exist_ok=True)
        (copy / f"{module}.py").write_bytes((PACKAGE / f"{module}.py").read_bytes())
    monkeypatch.setattr(_jit, "_PACKAGE", copy)
    same = _jit.cache_folder()
    edited = copy / "kernels" / "sampling.py"
    edited.write_text(edited.read_text() + "\n# edited\n")
    other = _jit.cache_folder()
    assert Path(same).name == Path(before).name
    assert Path(other).name != Path(before).name


def test_package_that_cannot_be_written_falls_back(monkeypatch, tmp_path):
    monkeypatch.setattr(_jit._config, "CACHE_DIR", "")
    monkeypatch.setattr(_jit, "_writable", lambda folder: "__pycache__" not in str(folder))
    assert Path(_jit.cache_folder()).parent == _jit._user_cache() / "fastw2v"
    monkeypatch.setattr(_jit, "_writable", lambda folder: False)
    assert _jit.cache_folder() is None


def test_users_cache_setting_is_left_alone():
    code = "import numba as n; before = n.config.CACHE_DIR; import fastw2v.training.driver; "
    code += "print(before == n.config.CACHE_DIR)"
    assert run_python(code) == "True\n"
    assert run_python(code, NUMBA_CACHE_DIR="/tmp") == "True\n"


def test_readme_is_one_page_with_the_two_commands_word_for_word():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 120
    assert len(readme.split()) <= 1200
    assert "pip install . && fastw2v demo" in readme
    assert "pip install -e '.[test]' && pytest" in readme


def test_links_of_the_pages_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = [
        (page, link) for page in pages for link in re.findall(r"\]\(([^)#]+)", page.read_text()) if "://" not in link
    ]
    assert len(links) > 30
    assert not [(page.name, link) for page, link in links if not (page.parent / link).exists()]


def test_version_is_in_the_changelog():
    assert f"## {fastw2v.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_no_forbidden_tools_in_the_package():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "marshal", "shelve", "dill", "joblib"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, path


@pytest.mark.parametrize("module", sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")))
def test_every_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse((PACKAGE / module).read_text()))


#: What each wing may import beside its own modules and these, which any room may use.
ANYWHERE = {
    "_version",
    "config",
    "errors",
    "interrupts",
    "machine",
    "screen",
    "spellings",
    "foreign_options",
    "choices",
}
MAY_IMPORT = {
    "kernels": set(),
    "files": ANYWHERE,
    "pictures": ANYWHERE | {"files"},
    "subwords": ANYWHERE | {"kernels"},
    "vectors": ANYWHERE | {"kernels", "files", "vocab", "pictures", "subwords"},
    "text": ANYWHERE | {"kernels", "files", "vocab"},
    "training": ANYWHERE | {"kernels", "files", "vocab", "text", "embeddings", "subwords"},
    "graphs": ANYWHERE | {"kernels", "files", "text", "embeddings", "training"},
    "distributed": ANYWHERE | {"kernels", "files", "vocab", "text", "embeddings", "training"},
}


def imports_of(path):
    """The modules of this package that a file imports, as paths below the package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.split(".")[0] == "fastw2v" for alias in node.names), path
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] != "fastw2v", path
            folder = path.parents[node.level - 1] / (node.module or "").replace(".", "/")
            for alias in node.names if node.level else []:
                places = folder / alias.name, folder  # a module, or a name of one
                files = [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
                yield next(file for file in files if file.is_file())


def test_imports_follow_the_direction_of_dependence():
    graph = {path: set(imports_of(path)) for path in PACKAGE.rglob("*.py")}
    del graph[PACKAGE / "__init__.py"]  # It loads names when they are first used.
    for path, imported in graph.items():
        for target in imported:
            assert target != PACKAGE / "__init__.py", path
            wing, room = path.relative_to(PACKAGE).parts[0], Path(target.relative_to(PACKAGE).parts[0]).stem
            assert room == wing or wing not in MAY_IMPORT or room in MAY_IMPORT[wing], (path, target)
            assert room != "distributed" or wing in ("distributed", "cli.py", "__init__.py"), (path, target)
    faces = {path for path in graph if path.name == "__init__.py"}  # a package's face imports its modules
    graphlib.TopologicalSorter({path: imported - faces for path, imported in graph.items()}).prepare()


#: Modules whose classes take the arguments that another library prescribes.
PRESCRIBED = {"gensim", "sklearn.py"}


def test_functions_take_few_arguments():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                count = len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs)
                compiled = any(
                    isinstance(each, ast.Call) and getattr(each.func, "id", "") == "jit" for each in node.decorator_list
                )
                prescribed = path.relative_to(PACKAGE).parts[0] in PRESCRIBED
                assert count <= (9 if compiled else 12) or prescribed, (path, node.name, count)
            if isinstance(node, ast.ClassDef):
                assert node.end_lineno - node.lineno < 300, (path, node.name)
    for module in (kernels, kernels.simd, reference):
        for name, value in vars(module).items():
            function = getattr(value, "py_func", getattr(value, "_defn", value))
            if not name.startswith("_") and inspect.isfunction(function):
                assert len(inspect.signature(function).parameters) <= 9, name
