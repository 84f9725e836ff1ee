"""Promises about the tree itself: how kernels are declared, what an import does, what the README says."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastw2v
from fastw2v import _jit, kernels, pair, parallel, reference, sampling, spans, tile

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
    compiled = {path.stem for path in PACKAGE.rglob("*.py") if uses_jit(path)[0]}
    assert compiled | {"_jit", "simd"} == set(_jit.KERNEL_SOURCES)  # simd has intrinsics, compiled into their callers
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
    import inspect

    for module in (sampling, spans, pair, tile, parallel):
        for name, kernel in vars(module).items():
            if name.startswith("_"):  # a part of a kernel, with no meaning of its own
                continue
            if hasattr(kernel, "py_func") and kernel.py_func.__module__ == module.__name__:
                twin = getattr(reference, name)
                assert list(inspect.signature(twin).parameters) == list(inspect.signature(kernel.py_func).parameters), (
                    name
                )


def test_kernels_are_public_and_documented():
    for name in vars(kernels):
        if not name.startswith("_") and callable(getattr(kernels, name)):
            assert getattr(kernels, name).__doc__, name
            assert name in kernels.__doc__, name


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


COMPILED = """
import fastw2v
from fastw2v import kernels, ingest
functions = [f for m in (kernels, ingest) for f in vars(m).values() if hasattr(f, "signatures")]
assert len(functions) > 5
print(sum(len(f.signatures) for f in functions))
"""


def test_import_compiles_nothing_and_needs_no_extra():
    assert run_python(COMPILED) == "0\n"
    loaded = run_python("import fastw2v, sys; print(*sys.modules)").split()
    assert not {"gensim", "matplotlib", "ray", "zstandard"} & set(loaded)


TRAIN_TINY = """
import fastw2v, numpy as np
from fastw2v import parallel
fastw2v.train([["a", "b"]] * 20, vector_size=4, epochs=1, workers=1, progress=False)
stats = parallel.train_chunk.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), stats.cache_path)
"""


def test_machine_code_is_kept_and_found_again(tmp_path):
    first = run_python(TRAIN_TINY, NUMBA_CACHE_DIR=str(tmp_path)).split()
    files = sorted(tmp_path.rglob("*.nb?"))
    second = run_python(TRAIN_TINY, NUMBA_CACHE_DIR=str(tmp_path)).split()
    assert first[:2] == ["0", "1"]
    assert second[:2] == ["1", "0"]
    assert sorted(tmp_path.rglob("*.nb?")) == files
    assert str(tmp_path) in first[2]


def test_other_kernel_sources_use_another_cache(monkeypatch, tmp_path):
    before = _jit.cache_folder()
    copy = tmp_path / "fastw2v"
    copy.mkdir()
    for module in _jit.KERNEL_SOURCES:
        (copy / f"{module}.py").write_bytes((PACKAGE / f"{module}.py").read_bytes())
    monkeypatch.setattr(_jit, "_PACKAGE", copy)
    same = _jit.cache_folder()
    (copy / "sampling.py").write_text((copy / "sampling.py").read_text() + "\n# edited\n")
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
    code = "import numba; before = numba.config.CACHE_DIR; import fastw2v; print(before == numba.config.CACHE_DIR)"
    assert run_python(code) == "True\n"
    assert run_python(code, NUMBA_CACHE_DIR="/tmp") == "True\n"


def test_readme_has_the_two_commands_word_for_word():
    readme = (ROOT / "README.md").read_text()
    assert "pip install . && fastw2v demo" in readme
    assert "pip install -e '.[test]' && pytest" in readme


def test_the_python_example_of_the_readme_runs(tmp_path, monkeypatch):
    example = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    if importlib.util.find_spec("gensim") is None:
        example = "".join(line for line in example.splitlines(keepends=True) if "gensim" not in line)
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("the king and the queen met a man and a woman\n" * 50)
    names = {}
    code = compile(example, "README.md", "exec")
    exec(code, names)
    assert names["walks"].vectors.shape == (3, 100)
    assert Path("model", "V.npy").is_file()


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


@pytest.mark.parametrize("module", sorted(path.stem for path in PACKAGE.glob("*.py")))
def test_every_module_says_what_it_is(module):
    assert ast.get_docstring(ast.parse((PACKAGE / f"{module}.py").read_text()))
