"""Pictures by matplotlib: PNG, SVG, and figures to show."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import doubt, from_extra
from ..screen import escape_character
from .points import Points

COLOURS = (
    "#1f77b4", "#d95f02", "#2ca02c", "#d62728", "#7b52ab", "#8c564b", "#d1539c", "#5f6b6d", "#8a8a00", "#0f8b99",
)  # fmt: skip
MEASURES = (("loss", "loss per pair, nats"), ("alpha", "learning rate"), ("tokens_per_s", "tokens per second"))
INCHES, DOTS_PER_INCH = (12.0, 9.0), 150
FONT, FONT_SIZE = "DejaVu Sans", 8  # matplotlib brings this font with it.
GAP = 2.0  # Points between a dot and its label.
LONGEST_LABEL = 600  # Characters. The narrowest of the font fill the picture, and measuring more takes seconds.
# These settings make files equal, byte for byte, from run to run.
_STYLE = {"svg.hashsalt": "fastw2v", "svg.fonttype": "path", "path.simplify": True}


def check_installed() -> None:
    """Raise `MissingExtraError` if matplotlib is not installed."""
    with from_extra("plot", "matplotlib"):
        import matplotlib.figure  # noqa: F401


def map_file(points: Points, format: str) -> bytes:
    """Return a map as the content of a PNG or SVG file."""
    with _figure() as figure:
        _draw_map(figure, points)
        return _saved(figure, format)


def shown_map(points: Points) -> Any:
    """Return the axes of a new pyplot figure with a map, as plots of pandas do: a notebook shows it."""
    from matplotlib import pyplot

    return _draw_map(pyplot.figure(figsize=INCHES), points)


def course_file(course: dict[str, list[float]], format: str) -> bytes:
    """Return loss, learning rate and speed over tokens as the content of a PNG or SVG file."""
    check_installed()
    with _figure() as figure:
        _draw_course(figure, course)
        return _saved(figure, format)


def shown_course(course: dict[str, list[float]]) -> Any:
    """Return the three axes of a new pyplot figure with loss, learning rate and speed over tokens."""
    check_installed()
    from matplotlib import pyplot

    return _draw_course(pyplot.figure(figsize=INCHES), course)


@contextmanager
def _figure() -> Iterator[Any]:
    """Yield a figure that pyplot does not know, so that it uses no window system and is freed."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=INCHES, dpi=DOTS_PER_INCH)


def _saved(figure: Any, format: str) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=format, dpi="figure", metadata={"Date": None} if format == "svg" else None)
    return stream.getvalue()


def _draw_map(figure: Any, points: Points) -> Any:
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    colours = np.array(COLOURS)[points.clusters % len(COLOURS)]
    axes.scatter(*points.xy.T, s=9, c=colours, linewidths=0)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#cccccc")
    axes.margins(0.03)
    axes.set_aspect("equal", adjustable="datalim")
    axes.apply_aspect()
    _label(axes, points, colours)
    return axes


def _label(axes: Any, points: Points, colours: NDArray[Any]) -> None:
    """Label the dots, the first words first; skip labels that overlap others or leave the picture."""
    from matplotlib.backends.backend_agg import RendererAgg

    families, lacking = _families("".join(points.words))
    if lacking:
        doubt(
            f"no font here has {len(lacking):,} of the characters, such as {min(lacking)}, so labels show their codes: "
            "install a font that has them, such as Noto, or write .html"
        )
    renderer = RendererAgg(1, 1, axes.figure.dpi)  # It only measures. The figure would make a new one for each label.
    frame = axes.get_window_extent(renderer)
    boxes = np.empty((len(points.words), 4))
    n = 0
    for word, place, colour in zip(points.words, points.xy, colours, strict=True):
        if len(word) > LONGEST_LABEL:
            continue
        shown = "".join(escape_character(c) if c in lacking else c for c in word)
        text = axes.annotate(
            shown, place, (GAP, GAP), textcoords="offset points", fontsize=FONT_SIZE, color=colour, family=families
        )
        text.set_parse_math(False)  # A word may hold two dollar signs.
        x0, y0, x1, y1 = text.get_window_extent(renderer).extents
        apart = (boxes[:n, 0] > x1) | (boxes[:n, 2] < x0) | (boxes[:n, 1] > y1) | (boxes[:n, 3] < y0)
        if x0 < frame.x0 or x1 > frame.x1 or y0 < frame.y0 or y1 > frame.y1 or not apart.all():
            text.remove()
            continue
        boxes[n] = x0, y0, x1, y1
        n += 1


def _families(text: str) -> tuple[list[str], set[str]]:
    """Return fonts that together have the characters of a text, and the characters that no font has."""
    from matplotlib.font_manager import findfont, fontManager
    from matplotlib.ft2font import FT2Font

    lacking, families = set(text), []
    upright = [
        font for font in fontManager.ttflist if font.style == "normal" and font.weight in (400, "normal", "regular")
    ]
    others = sorted(
        {(font.name, font.fname) for font in upright if font.name != FONT and "LastResort" not in font.fname}
    )
    for name, file in [(FONT, findfont(FONT)), *others]:
        try:
            found = lacking & set(map(chr, FT2Font(file).get_charmap()))
        except (OSError, RuntimeError):  # The font is damaged, or was removed.
            continue
        if found or name == FONT:
            families.append(name)
            lacking -= found
        if not lacking:
            break
    return families, lacking


def _draw_course(figure: Any, course: dict[str, list[float]]) -> Any:
    from matplotlib.ticker import EngFormatter

    figure.set_layout_engine("constrained")
    every = figure.subplots(len(MEASURES), 1, sharex=True)
    tokens = np.array(course["tokens"])
    for axes, (name, label), colour in zip(every, MEASURES, COLOURS, strict=False):
        values = np.array(course[name])
        alone = len(values) == 1
        axes.plot(tokens, values, color=colour, marker="o" if alone else None)
        axes.set_ylabel(label)
        axes.grid(color="#dddddd")
        for start in epoch_starts(course):
            axes.axvline(start, color="#bbbbbb", linestyle=":")
        if name == "tokens_per_s":
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(EngFormatter())
    every[-1].xaxis.set_major_formatter(EngFormatter())
    every[-1].set_xlabel("tokens, over all epochs; a dotted line is the end of an epoch")
    figure.align_ylabels(every)
    return every


def epoch_starts(course: dict[str, list[float]]) -> list[float]:
    """Return the tokens at which an epoch ended and the next began."""
    epochs, tokens = course["epoch"], course["tokens"]
    return [tokens[i] for i in range(len(epochs) - 1) if epochs[i + 1] > epochs[i]]
