"""The entry to the pictures: check the arguments, and write the file in the format of its suffix."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import METHODS, Method
from ..errors import ConfigError, FormatError, option
from ..files.places import local_path
from ..files.replacing import replacing
from . import drawing, page
from .points import placed

SUFFIXES = (".html", ".png", ".svg")
_MEASURES = ("loss", "alpha", "tokens_per_s")


def checked_place(path: str | PathLike[str]) -> str:
    """Return the path of a picture as the system knows it.

    Raises:
        ConfigError: the suffix is none of these.
        FormatError: it is not a local path.
    """
    name = local_path(path, FormatError, output=True)
    if not name.lower().endswith(SUFFIXES):
        raise ConfigError(f"the picture is {name!r:.60}: give a name that ends in .html, .png or .svg")
    return name


def draw_map(
    words: Sequence[str],
    counts: NDArray[np.int64],
    vectors: NDArray[np.float32],
    method: Method,
    seed: int,
    path: str | PathLike[str] | None,
) -> Any:
    """Draw a map of words; see `embeddings.Embeddings.plot`."""
    if method not in METHODS:
        raise ConfigError(f'{option("method")} is {method!r:.60}: give "tsne" or "pca"')
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ConfigError(f"{option('seed')} is {seed!r:.60}: give a whole number, at least 0")
    if not len(words):
        raise ConfigError("there is no word to draw: give at least one")
    name = None if path is None else checked_place(path)
    load = drawing.check_installed if name is None or not name.lower().endswith(".html") else page.check_installed
    load()  # A map takes seconds, so a missing package is reported before.
    points = placed(words, counts, vectors, method, int(seed))
    if name is None:
        return drawing.shown_map(points)
    content = page.map_page(points) if load is page.check_installed else drawing.map_file(points, _format(name))
    _write(name, content)
    return None


def draw_metrics(metrics: Sequence[Mapping[str, Any]], path: str | PathLike[str] | None) -> Any:
    """Draw the training curves; see `embeddings.Embeddings.plot_metrics`."""
    name = None if path is None else checked_place(path)
    course = _course(metrics)
    if name is None:
        return drawing.shown_course(course)
    _write(
        name, page.course_page(course) if name.lower().endswith(".html") else drawing.course_file(course, _format(name))
    )
    return None


def _course(metrics: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return loss, learning rate and speed by tokens; NaN where a record has no such number."""
    records = [record for record in metrics if math.isfinite(_number(record, "tokens"))]
    if not records:
        raise ConfigError("these embeddings have no metrics: only a model folder that fastw2v trained has them")
    return {name: [_number(record, name) for record in records] for name in ("tokens", "epoch", *_MEASURES)}


def _number(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        return math.nan  # The file may come from a stranger.
    return float(value)


def _format(name: str) -> str:
    return name.lower().rpartition(".")[2]


def _write(name: str, content: bytes) -> None:
    with replacing(name, FormatError) as file:
        file.write(content)
