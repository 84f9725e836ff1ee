"""Pictures as one HTML file that needs no network: plotly.js draws, and a search box finds words.

Words are foreign text. They reach the page only as JSON in which no ``<`` is left, a browser runs only the scripts
whose digests the page lists, and the page may load nothing. plotly.js understands some HTML in labels, so the script
escapes words for it.
"""

import base64
import hashlib
import json
import math
from typing import Any

from ..errors import from_extra
from .drawing import COLOURS, MEASURES, epoch_starts
from .points import Points

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; \
style-src 'unsafe-inline'; script-src {digests}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html, body {{ height: 100%; margin: 0; font: 14px system-ui, sans-serif; color: #222; background: #fff; }}
body {{ display: flex; flex-direction: column; }}
form {{ display: flex; gap: 1em; align-items: baseline; padding: 8px 12px; border-bottom: 1px solid #ddd; }}
input {{ font: inherit; padding: 3px 6px; width: 16em; }}
output {{ color: #555; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
#plot {{ flex: 1; min-height: 0; }}
</style>
</head>
<body>
{body}
<script type="application/json" id="data">{data}</script>
{scripts}
</body>
</html>
"""

_SEARCH = """<form id="form">
<input id="search" type="search" placeholder="find a word" aria-label="find a word" autocomplete="off">
<output id="found" for="search"></output>
</form>
<div id="plot"></div>"""

_MAP = """"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const plot = document.getElementById("plot"), box = document.getElementById("search");
const report = document.getElementById("found");
const FONT = 11, LABELLED = 50;
const safe = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const folded = (text) => text.normalize("NFC").toLowerCase();
const keys = data.words.map(folded);
const colours = data.clusters.map((c) => data.colours[c % data.colours.length]);
const pen = document.createElement("canvas").getContext("2d");
pen.font = FONT + "px sans-serif";
const widths = data.words.map((word) => pen.measureText(word).width);
const about = data.words.map((word, i) => "<b>" + safe(word) + "</b>" +
  (data.counts[i] ? "<br>" + data.counts[i].toLocaleString("en") + " times" : "") +
  (data.nearest[i].length ? "<br>near: " + data.nearest[i].map((j) => safe(data.words[j])).join(", ") : ""));

// Return the words whose labels fit on the screen, the first words first, so that no two labels overlap.
function fitting() {
  const { xaxis, yaxis } = plot._fullLayout, cells = new Map(), taken = [];
  const CELL = 120;
  for (let i = 0; i < data.words.length; i++) {
    const x = xaxis.l2p(data.x[i]), y = yaxis.l2p(data.y[i]);
    if (!(x >= 0 && y >= 0 && x <= xaxis._length && y <= yaxis._length)) continue;
    const label = [x - widths[i] / 2, y - FONT - 8, x + widths[i] / 2, y];
    const touched = [];
    for (let a = Math.floor(label[0] / CELL); a <= Math.floor(label[2] / CELL); a++)
      for (let b = Math.floor(label[1] / CELL); b <= Math.floor(label[3] / CELL); b++) touched.push(a + "," + b);
    const clash = touched.some((cell) => (cells.get(cell) || []).some(
      (o) => o[0] < label[2] && label[0] < o[2] && o[1] < label[3] && label[1] < o[3]));
    if (clash) continue;
    for (const cell of touched) cells.set(cell, [...(cells.get(cell) || []), label]);
    taken.push(i);
  }
  return taken;
}

const pick = (of, rows) => rows.map((i) => of[i]);

function label() {
  const rows = fitting();
  return Plotly.restyle(plot, {
    x: [pick(data.x, rows)], y: [pick(data.y, rows)], text: [pick(data.words, rows).map(safe)],
    "textfont.color": [pick(colours, rows)],
  }, [1]);
}

// Return the words that contain a text: equal ones first, then those that begin with it.
function matching(text) {
  const key = folded(text.trim());
  if (!key) return [];
  const rank = (i) => keys[i] === key ? 0 : keys[i].startsWith(key) ? 1 : 2;
  const rows = [];
  keys.forEach((word, i) => { if (word.includes(key)) rows.push(i); });
  return rows.sort((a, b) => rank(a) - rank(b) || a - b);
}

function search() {
  const rows = matching(box.value);
  const names = pick(data.words, rows.slice(0, 10)).join(", ") + (rows.length > 10 ? ", ..." : "");
  report.textContent = !box.value.trim() ? "" : rows.length ? rows.length + " found: " + names : "none found";
  return Plotly.restyle(plot, {
    x: [pick(data.x, rows)], y: [pick(data.y, rows)],
    text: [rows.map((i, place) => place < LABELLED ? safe(data.words[i]) : "")],
  }, [2]).then(() => rows);
}

// Show the part of the map around the first word that was found, or all of it.
function visit(rows) {
  if (!rows.length) return Plotly.relayout(plot, { "xaxis.autorange": true, "yaxis.autorange": true });
  const i = rows[0], reach = data.reach;
  return Plotly.relayout(plot, {
    "xaxis.range": [data.x[i] - reach, data.x[i] + reach], "yaxis.range": [data.y[i] - reach, data.y[i] + reach],
  });
}

const axis = { visible: false, zeroline: false };
Plotly.newPlot(plot, [
  { type: "scatter", mode: "markers", x: data.x, y: data.y, marker: { color: colours, size: 5 },
    hovertext: about, hoverinfo: "text" },
  { type: "scatter", mode: "text", x: [], y: [], text: [], textposition: "top center", hoverinfo: "skip",
    textfont: { size: FONT, family: "sans-serif", color: [] }, cliponaxis: true },
  { type: "scatter", mode: "markers+text", x: [], y: [], text: [], textposition: "bottom center", hoverinfo: "skip",
    textfont: { size: FONT + 2, family: "sans-serif", color: "#000" },
    marker: { size: 13, color: "rgba(0,0,0,0)", line: { width: 2, color: "#000" } } },
], {
  xaxis: axis, yaxis: { ...axis, scaleanchor: "x" }, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false,
  dragmode: "pan", hovermode: "closest", hoverlabel: { align: "left" },
}, {
  responsive: true, scrollZoom: true, displaylogo: false,
  modeBarButtons: [["toImage", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
}).then(() => {
  plot.on("plotly_relayout", label);
  window.addEventListener("resize", () => setTimeout(label, 100));
  box.addEventListener("input", search);
  document.getElementById("form").addEventListener("submit", (event) => {
    event.preventDefault();
    search().then(visit);
  });
  return label();
}).then(() => { document.body.dataset.ready = "yes"; });
"""

_COURSE = """"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
Plotly.newPlot(document.getElementById("plot"), data.traces, data.layout, {
  responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
}).then(() => { document.body.dataset.ready = "yes"; });
"""


def check_installed() -> None:
    """Raise `MissingExtraError` if plotly is not installed."""
    _plotly()


def map_page(points: Points) -> bytes:
    """Return a map as HTML: labels are thinned anew at every zoom, and a search box finds words."""
    x, y = (points.xy - points.xy.mean(axis=0)).round(4).T.tolist()
    data = {
        "words": list(points.words),
        "counts": points.counts.tolist(),
        "x": x,
        "y": y,
        "clusters": points.clusters.tolist(),
        "nearest": points.nearest.tolist(),
        "colours": COLOURS,
        "reach": max(float((points.xy.max(axis=0) - points.xy.min(axis=0)).max()) / 12, 1e-3),
    }
    return _page("Map of words", _SEARCH, data, _MAP)


def course_page(course: dict[str, list[float]]) -> bytes:
    """Return loss, learning rate and speed over tokens as HTML."""
    tokens = course["tokens"]
    traces, axes = [], {}
    height = 1 / len(MEASURES)
    for number, (name, label) in enumerate(MEASURES, 1):
        values = [value if math.isfinite(value) else None for value in course[name]]
        mode = "lines" if len(values) > 1 else "markers"
        traces.append(
            {"type": "scatter", "mode": mode, "x": tokens, "y": values, "name": label, "yaxis": f"y{number}"}
            | {"line": {"color": COLOURS[number - 1]}}
        )
        top = 1 - (number - 1) * height
        axes[f"yaxis{number}"] = {"title": {"text": label}, "domain": [top - 0.85 * height, top]}
        if name == "tokens_per_s":
            axes[f"yaxis{number}"]["rangemode"] = "tozero"
    lines = [
        {"type": "line", "x0": start, "x1": start, "yref": "paper", "y0": 0, "y1": 1}
        | {"line": {"color": "#bbb", "dash": "dot", "width": 1}}
        for start in epoch_starts(course)
    ]
    title = "tokens, over all epochs; a dotted line is the end of an epoch"
    layout: dict[str, Any] = {
        "showlegend": False,
        "hovermode": "x unified",
        "shapes": lines,
        "margin": {"t": 40, "r": 40},
    } | axes
    layout["xaxis"] = {"title": {"text": title}, "anchor": f"y{len(MEASURES)}"}
    return _page("Training curves", '<div id="plot"></div>', {"traces": traces, "layout": layout}, _COURSE)


def _plotly() -> str:
    """Return the text of plotly.js, which the Python package brings with it."""
    with from_extra("plot", "plotly"):
        from plotly.offline import get_plotlyjs
    return str(get_plotlyjs()).replace("\r\n", "\n")  # As a browser reads it, because its digest is compared.


def _page(title: str, body: str, data: dict[str, Any], script: str) -> bytes:
    scripts = [_plotly(), script]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    # Neither the end of the script element nor a comment can begin in such JSON.
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e")
    page = _PAGE.format(
        title=title,
        digests=" ".join(f"'sha256-{digest}'" for digest in digests),
        body=body,
        data=text,
        scripts="\n".join(f"<script>{text}</script>" for text in scripts),
    )
    return page.encode()
