"""Pictures in one plain style, and in each file the digest of the data it shows.

A bench module returns its pictures from ``figures()``, a `Figure` for each name, and ``python -m bench report`` draws
them to ``bench/results/NAME.svg``. The digest shows without matplotlib whether a file is up to date.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

#: Okabe and Ito's colours, which people with red-green colour blindness can distinguish. The first is ours.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666", "#000000")
OURS, GREY = COLOURS[0], "#8c8c8c"

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",  # readable on a page of any colour
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "svg.hashsalt": "fastw2v",  # The same picture gives the same file.
    "svg.fonttype": "path",
}


class Figure(NamedTuple):
    """One picture.

    Attributes:
        text: a sentence that describes it to people who cannot see it.
        data: all drawn values, as JSON can hold them.
        draw: draws the data into an empty ``matplotlib.figure.Figure`` with constrained layout.
        size: width and height in inches.
        png: whether to write a PNG file too, for pages that show no SVG.
    """

    text: str
    data: Any
    draw: Callable[[Any, Any], None]
    size: tuple[float, float] = (8, 3.4)
    png: bool = False

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The kinds of files it is stored as."""
        return (".svg", ".png") if self.png else (".svg",)


def digest(figure: Figure) -> str:
    """Return the SHA-256 of the data and the text of a picture, in hexadecimal digits."""
    shown = json.dumps([figure.text, figure.data], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(shown.encode()).hexdigest()


def digest_in(path: Path) -> str | None:
    """Return the digest in an SVG or PNG file of `write`; None if the file is missing or has none."""
    if not path.is_file():
        return None
    found = re.search(rb"data sha256 ([0-9a-f]{64})", path.read_bytes())
    return found[1].decode() if found else None


def stale(figure: Figure, name: str, folder: Path) -> list[Path]:
    """Return the files of a picture that are missing or show other data."""
    paths = [folder / f"{name}{suffix}" for suffix in figure.suffixes]
    return [path for path in paths if digest_in(path) != digest(figure)]


def write(figure: Figure, name: str, folder: Path) -> None:
    """Draw a picture to its files.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    description = f"data sha256 {digest(figure)}"
    with mpl.rc_context({**mpl.rcParamsDefault, **STYLE}):
        canvas = Canvas(figsize=figure.size, layout="constrained")
        FigureCanvasAgg(canvas)
        figure.draw(canvas, figure.data)
        # The files contain no date and no version, so the same data give the same bytes.
        about: dict[str, dict[str, str | None]] = {
            ".svg": {"Title": figure.text, "Description": description, "Date": None, "Creator": None},
            ".png": {"Software": None},
        }
        for suffix in figure.suffixes:
            canvas.savefig(folder / f"{name}{suffix}", metadata=about[suffix])
    if figure.png:
        fewer_colours(folder / f"{name}.png", description)


def fewer_colours(path: Path, description: str) -> None:
    """Rewrite a PNG file with a palette, which makes it three times smaller, and with its description."""
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text("Description", description)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True, pnginfo=about)
