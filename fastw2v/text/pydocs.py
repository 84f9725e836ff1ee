"""Real English that every machine with Python has: Python's own documentation.

It consists of the docstrings of the standard library's sources, of built-in types and modules, and of the topics of
``help()``. Sources are parsed, never imported.
"""

import ast
import builtins
import math
import re
import sysconfig
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

_WORD = re.compile(r"[a-z]+")
_NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "__pycache__", "lib2to3"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _topics() -> Iterator[str]:
    try:
        topics: dict[str, str] = import_module("pydoc_data.topics").topics
    except ImportError:  # Some distributions package it separately.
        return
    for name in sorted(topics):
        yield topics[name]


def _builtin_docs() -> Iterator[str]:
    for owner in (builtins, math):
        for _, value in sorted(vars(owner).items()):
            yield getattr(value, "__doc__", None) or ""
            if isinstance(value, type):
                for _, member in sorted(vars(value).items()):
                    if callable(member):
                        yield getattr(member, "__doc__", None) or ""


def _source_docs() -> Iterator[str]:
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(library.rglob("*.py")):
        if _NOT_LIBRARY & set(path.relative_to(library).parts):
            continue
        try:
            with warnings.catch_warnings():  # Old sources contain invalid escapes.
                warnings.simplefilter("ignore")
                tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and (doc := ast.get_docstring(node)):
                yield doc


def sentences() -> Iterator[list[str]]:
    """Yield the documentation as lists of lower-case a-z words, one list per paragraph."""
    for source in (_topics, _builtin_docs, _source_docs):
        for text in source():
            for paragraph in re.split(r"\n\s*\n", text):
                if words := _WORD.findall(paragraph.lower()):
                    yield words
