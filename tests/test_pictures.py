"""Maps of words and courses of trainings: what is drawn, what is refused, and the page in a real browser."""

import base64
import hashlib
import html.parser
import json
import re
import shutil
import subprocess
import sys
import urllib.parse
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import fastw2v
from fastw2v import FastW2VWarning
from fastw2v.cli import main
from fastw2v.errors import ConfigError, FormatError, MissingExtraError, UnknownWordError

AWKWARD = [
    "<script>document.title='broken'</script>",
    "</script><script>document.title='broken'</script>",
    "<img/src=x/onerror=document.title='broken'>",
    "<b>bold</b>",
    "&lt;",
    "</script/x",
    "<!--<script/",
    "$a$",
    r"$\nosuch$",
    "quote'\"",
    "{0}{title}",
    "ki\u200bng",
]
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def picture_libraries():
    for name in ("matplotlib", "plotly", "sklearn"):
        pytest.importorskip(name)


@pytest.fixture(scope="module")
def planted(model):
    return fastw2v.load(model)


def random_embeddings(words, seed=0):
    return fastw2v.Embeddings.from_vectors(words, np.random.default_rng(seed).normal(size=(len(words), 8)))


def only_dejavu(fonts):
    return [font for font in fonts if font.name == "DejaVu Sans"]


class Page(html.parser.HTMLParser):
    """The elements of a page, and the text of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self._in_script = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self._in_script = True
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in_script &= tag != "script"

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data


def data_of(path):
    return json.loads(Page(path.read_text(encoding="utf-8")).scripts[0])


@pytest.mark.usefixtures("picture_libraries")
class TestPlot:
    def test_neighbours_lie_together_and_share_a_colour(self, planted, tmp_path):
        planted.plot(path=tmp_path / "map.html")
        data = data_of(tmp_path / "map.html")
        assert data["words"] == list(planted.words)
        assert data["counts"] == planted.vocab.counts.tolist()
        place = dict(zip(data["words"], zip(data["x"], data["y"], strict=True), strict=True))
        topics = [[place[f"t{topic}w{i}"] for i in range(8)] for topic in range(6)]
        centres = np.mean(topics, axis=1)
        for topic, points in enumerate(topics):
            apart = np.linalg.norm(np.array(points)[:, None] - centres, axis=2)
            assert (apart.argmin(axis=1) == topic).mean() > 0.8
        cluster = dict(zip(data["words"], data["clusters"], strict=True))
        assert data["clusters"][0] == 0
        shared = [len({cluster[f"t{topic}w{i}"] for i in range(8)}) for topic in range(6)]
        assert np.mean(shared) < 3
        near = [data["words"][j] for j in data["nearest"][data["words"].index("t0w1")]]
        assert near == [word for word, _ in planted.most_similar("t0w1", topn=5)]

    @pytest.mark.parametrize("suffix", ["html", "png", "svg"])
    @pytest.mark.parametrize("method", ["tsne", "pca"])
    def test_the_same_seed_gives_the_same_file(self, planted, tmp_path, suffix, method):
        paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        for path in paths:
            assert planted.plot(top=30, method=method, path=path) is None
        assert paths[0].read_bytes() == paths[1].read_bytes()

    def test_pca_keeps_large_distances(self, tmp_path):
        line = np.arange(1, 9)[:, None] / 8
        vectors = np.hstack([line, np.ones((8, 1)), np.zeros((8, 3))])
        fastw2v.Embeddings.from_vectors([*"abcdefgh"], vectors).plot(method="pca", path=tmp_path / "m.html")
        x = data_of(tmp_path / "m.html")["x"]
        assert x == sorted(x) or x == sorted(x, reverse=True)

    def test_the_nearest_words_are_those_of_a_sort(self):
        from fastw2v.pictures.points import _nearest

        unit = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        unit[20:30] = unit[0]  # Among equal cosines the first word comes first.
        for rows in (1, 2, 3, 40):
            cosines = unit[:rows] @ unit[:rows].T
            np.fill_diagonal(cosines, -np.inf)
            expected = np.argsort(-cosines, axis=1, kind="stable")[:, : min(5, rows - 1)]
            np.testing.assert_array_equal(_nearest(unit[:rows]), expected)

    def test_words_are_chosen(self, planted, tmp_path):
        path = tmp_path / "m.html"
        planted.plot(["t0w1", "t1w1", "t0w1", 0], method="pca", path=path)
        assert data_of(path)["words"] == ["t0w1", "t1w1", planted.words[0]]
        planted.plot(top=7, path=path)
        assert data_of(path)["words"] == list(planted.words[:7])

    @pytest.mark.parametrize("n", range(1, 7))
    @pytest.mark.parametrize("columns", [1, 2, 8])
    def test_few_words_and_few_columns(self, tmp_path, n, columns):
        vectors = np.random.default_rng(n).normal(size=(n, columns))
        embeddings = fastw2v.Embeddings.from_vectors([f"w{i}" for i in range(n)], vectors)
        for suffix in ("html", "png"):
            embeddings.plot(path=tmp_path / f"m.{suffix}")
        assert np.isfinite([data_of(tmp_path / "m.html")[axis] for axis in "xy"]).all()

    @pytest.mark.parametrize("value", [0, 1, 1e-38, 1e38])
    def test_equal_and_extreme_vectors(self, tmp_path, value):
        embeddings = fastw2v.Embeddings.from_vectors([f"w{i}" for i in range(40)], np.full((40, 4), value))
        for suffix in ("html", "png", "svg"):
            embeddings.plot(path=tmp_path / f"m.{suffix}")

    def test_awkward_words_are_text(self, tmp_path):
        random_embeddings(AWKWARD).plot(path=tmp_path / "m.html")
        page = Page((tmp_path / "m.html").read_text(encoding="utf-8"))
        assert [tag for tag, _ in page.elements].count("script") == 3
        assert "img" not in dict(page.elements)
        assert json.loads(page.scripts[0])["words"] == [*AWKWARD[:-1], r"ki\u200bng"]
        random_embeddings(AWKWARD).plot(path=tmp_path / "m.svg")
        assert not [
            e for e in ET.parse(tmp_path / "m.svg").iter() if e.tag.endswith(("script", "img", "foreignObject"))
        ]

    def test_the_page_needs_nothing_from_elsewhere(self, planted, tmp_path):
        planted.plot(top=9, path=tmp_path / "m.html")
        page = Page((tmp_path / "m.html").read_text(encoding="utf-8"))
        assert not [attrs for _, attrs in page.elements if {"src", "href"} & set(attrs)]
        policy = next(attrs["content"] for tag, attrs in page.elements if "http-equiv" in attrs)
        assert policy.startswith("default-src 'none'")
        for script in page.scripts[1:]:
            assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy

    def test_labels_do_not_overlap(self, planted):
        from matplotlib import pyplot

        crowded = fastw2v.Embeddings.from_vectors([f"word{i:03}" for i in range(600)], np.eye(600)[:, :5] + 1e-3)
        for embeddings in (planted, crowded):
            axes = embeddings.plot(method="pca")
            boxes = [text.get_window_extent() for text in axes.texts]
            assert boxes
            assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
            assert axes.texts[0].get_text() == embeddings.words[0]
            assert len(axes.collections[0].get_offsets()) == len(embeddings)
            pyplot.close(axes.figure)
        assert len(boxes) < 600

    def test_words_that_fill_the_picture_have_no_label(self, planted, monkeypatch):
        from matplotlib import pyplot

        from fastw2v.pictures import drawing

        monkeypatch.setattr(drawing, "LONGEST_LABEL", 3)
        axes = random_embeddings(["four", "one", "two"]).plot(method="pca")
        assert {text.get_text() for text in axes.texts} <= {"one", "two"}
        assert axes.texts
        pyplot.close(axes.figure)

    def test_a_font_is_found_for_every_character(self, tmp_path):
        """matplotlib would warn of a glyph that is missing, and warnings are errors here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FastW2VWarning)  # This machine may have no such font.
            random_embeddings(["king", "caf\u00e9", "\u6771\u4eac", "\U00013000", "\u0645\u06cc"]).plot(
                path=tmp_path / "m.png"
            )

    def test_characters_without_a_font_are_shown_as_codes(self, monkeypatch):
        from matplotlib import font_manager, pyplot

        monkeypatch.setattr(font_manager.fontManager, "ttflist", only_dejavu(font_manager.fontManager.ttflist))
        with pytest.warns(
            FastW2VWarning, match="no font here has 2 of the characters, such as \u4eac, so .*write .html"
        ):
            axes = random_embeddings(["king", "\u6771\u4eac"]).plot()
        assert [text.get_text() for text in axes.texts] == ["king", r"\u6771\u4eac"]
        axes.figure.canvas.draw()
        pyplot.close(axes.figure)

    def test_refusals(self, planted, tmp_path):
        path = tmp_path / "m.png"
        path.write_bytes(b"old")
        with pytest.raises(ConfigError, match=r"m\.jpg'.*: give a name that ends in \.html, \.png or \.svg"):
            planted.plot(path="m.jpg")
        with pytest.raises(ConfigError, match='method is \'umap\': give "tsne" or "pca"'):
            planted.plot(method="umap", path=path)
        with pytest.raises(ConfigError, match="there is no word to draw"):
            planted.plot([], path=path)
        with pytest.raises(UnknownWordError, match="'nosuchword' is not in the vocabulary"):
            planted.plot(["t0w1", "nosuchword"], path=path)
        with pytest.raises(TypeError, match="words is one string"):
            planted.plot("t0w1", path=path)
        for top in (0, True, 1.5):
            with pytest.raises(ConfigError, match=f"top is {top}: give a whole number, at least 1"):
                planted.plot(top=top, path=path)
        for seed in (-1, None):
            with pytest.raises(ConfigError, match=f"seed is {seed}: give a whole number"):
                planted.plot(seed=seed, path=path)
        with pytest.raises(FormatError, match="cannot write"):
            planted.plot(top=9, path=tmp_path / "nowhere" / "m.png")
        damaged = fastw2v.Embeddings(["good", "bad"], np.array([[1, 2], [np.nan, 0]], np.float32))
        with pytest.raises(FormatError, match="the vector of the word 'bad' is not finite"):
            damaged.plot(path=path)
        assert path.read_bytes() == b"old"

    def test_the_course_of_a_training(self, planted, tmp_path):
        from matplotlib import pyplot

        every = planted.plot_metrics()
        tokens = [record["tokens"] for record in planted.metrics]
        for axes, name in zip(every, ("loss", "alpha", "tokens_per_s"), strict=True):
            assert axes.lines[0].get_xdata().tolist() == tokens
            assert axes.lines[0].get_ydata().tolist() == [record[name] for record in planted.metrics]
            assert len(axes.lines) == 1 + 9  # ten epochs
        pyplot.close(every[0].figure)
        planted.plot_metrics(tmp_path / "c.html")
        traces = data_of(tmp_path / "c.html")["traces"]
        assert [trace["y"] for trace in traces] == [
            [record[name] for record in planted.metrics] for name in ("loss", "alpha", "tokens_per_s")
        ]
        for suffix in ("png", "svg"):
            planted.plot_metrics(tmp_path / f"c.{suffix}")
            assert (tmp_path / f"c.{suffix}").stat().st_size > 1000

    def test_records_from_a_stranger(self, tmp_path):
        records = [{}, {"tokens": "x"}, {"tokens": 5, "loss": float("nan"), "alpha": "</script>", "epoch": True}]
        records += [{"tokens": 10**400}, {"tokens": 9, "loss": 1, "alpha": None, "tokens_per_s": float("inf")}]
        embeddings = fastw2v.Embeddings(["a"], np.ones((1, 2), np.float32), metrics=records)
        for suffix in ("html", "png", "svg"):
            embeddings.plot_metrics(tmp_path / f"c.{suffix}")
        assert [trace["y"] for trace in data_of(tmp_path / "c.html")["traces"]] == [
            [None, 1],
            [None, None],
            [None, None],
        ]
        for metrics in ([], [{"loss": 1.0}]):
            with pytest.raises(ConfigError, match="these embeddings have no metrics"):
                fastw2v.Embeddings(["a"], np.ones((1, 2), np.float32), metrics=metrics).plot_metrics(tmp_path / "c.png")

    def test_the_command(self, model, tmp_path, capsys, monkeypatch):
        monkeypatch.chdir(tmp_path)
        model = str(model)
        assert main(["plot", model, "-o", "map.html", "--words", "t0w1", "t1w1", "--method", "pca"]) == 0
        assert capsys.readouterr().out == "map.html: a map of 2 words\n"
        assert data_of(tmp_path / "map.html")["words"] == ["t0w1", "t1w1"]
        assert main(["plot", model, "-o", "map.svg", "--top", "12"]) == 0
        assert capsys.readouterr().out == "map.svg: a map of 12 words\n"
        ET.parse(tmp_path / "map.svg")
        assert main(["plot", model, "-o", "course.PNG", "--metrics"]) == 0
        assert re.match(r"course.PNG: \d+ records of the training\n", capsys.readouterr().out)
        assert (tmp_path / "course.PNG").read_bytes().startswith(b"\x89PNG")
        for arguments, text in (
            (["-o", "m.html", "--words", "t0w1", "nosuchword"], "'nosuchword' is not in the vocabulary"),
            (["-o", "m.html", "--top", "0"], "--top is 0: give a whole number, at least 1"),
            (["-o", "m.html", "--seed", "-1"], "--seed is -1: give a whole number, at least 0"),
            (["-o", "-"], "the picture is '-': give a name that ends in .html, .png or .svg"),
            (["-o", "m.html", "--top", "3", "--metrics"], "not allowed with"),
        ):
            assert main(["plot", model, *arguments]) == 2
            assert text in capsys.readouterr().err
        assert not (tmp_path / "m.html").exists()

    def test_the_command_in_a_process_of_its_own(self, model, tmp_path):
        """The command hides SciPy from Numba, and scikit-learn needs it."""
        code = "import sys; from fastw2v.__main__ import main; sys.exit(main())"
        command = [sys.executable, "-W", "error", "-c", code, "plot", str(model), "-o", str(tmp_path / "m.png")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    def test_the_page_in_a_browser(self, tmp_path):
        shown = in_browser(random_embeddings([*AWKWARD, "king", "kings", "Viking", "caf\u00e9"]), tmp_path, SEARCH)
        assert shown["violations"] == []
        assert shown["errors"] == []
        assert shown["title"] == "Map of words"
        assert shown["searches"] == {
            "king": "3 found: king, kings, Viking",
            "CAF\u00c9": "1 found: caf\u00e9",
            "<b>": "1 found: <b>bold</b>",
            "zzz": "none found",
            "": "",
        }
        assert shown["marked"] == {"king": 3, "CAF\u00c9": 1, "<b>": 1, "zzz": 0, "": 0}
        assert "<b>bold</b>" in shown["labels"]  # as text, not as bold text
        assert "king" in shown["labels"]
        assert "&lt;" in shown["labels"]
        assert shown["visited"] < shown["whole"] / 4
        assert shown["whole again"] == pytest.approx(shown["whole"])
        assert "<b>bold</b>" in shown["hover"]
        assert shown["marks"] == "<b>bold</b>"

    def test_labels_of_the_page_do_not_overlap_and_zoom_brings_more(self, tmp_path):
        words = [f"word{i:03}" for i in range(500)]
        shown = in_browser(random_embeddings(words), tmp_path, ZOOM)
        assert shown["errors"] == []
        for boxes in (shown["whole"], shown["zoomed"]):
            x0, y0, x1, y1 = np.array(boxes).T
            overlap = (x0[:, None] < x1 - 1) & (x0 < x1[:, None] - 1) & (y0[:, None] < y1 - 4) & (y0 < y1[:, None] - 4)
            assert overlap.sum() == len(boxes)  # each overlaps itself
        assert 20 < len(shown["whole"]) < 500
        assert shown["density"] > 1.5

    def test_the_course_in_a_browser(self, planted, tmp_path):
        planted.plot_metrics(tmp_path / "c.html")
        shown = opened(tmp_path / "c.html", "return { lines: doc.querySelectorAll('.scatterlayer .trace').length };")
        assert shown == {"lines": 3}


def test_without_the_extra(planted, tmp_path, monkeypatch):
    path = tmp_path / "m.html"
    for name in ("plotly", "plotly.offline", "matplotlib", "matplotlib.figure", "sklearn", "sklearn.manifold"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"plotly can't be loaded .*: pip install 'fastw2v\[plot\]'"):
        planted.plot(path=path)
    with pytest.raises(ImportError, match=r"matplotlib can't be loaded .*: pip install 'fastw2v\[plot\]'"):
        planted.plot_metrics(tmp_path / "m.svg")
    assert not path.exists()


@pytest.mark.usefixtures("picture_libraries")
def test_without_scikit_learn(planted, tmp_path, monkeypatch):
    for name in ("sklearn", "sklearn.cluster", "sklearn.manifold"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"scikit-learn can't be loaded .*: pip install 'fastw2v\[plot\]'"):
        planted.plot(path=tmp_path / "m.html")
    planted.plot_metrics(tmp_path / "c.html")
    assert [path.name for path in tmp_path.iterdir()] == ["c.html"]


#: What stands between a page and the report of a test: the page's own policy lets only its own scripts run.
FRAME = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const report = { violations: [], errors: [] };
const wait = (done) => new Promise((good) => { const look = () => done() ? good() : setTimeout(look, 20); look(); });
const settled = () => new Promise((good) => setTimeout(good, 200));
const frame = document.createElement("iframe");
frame.width = 1000; frame.height = 800; frame.src = NAME;
document.body.append(frame);
(async () => {
  await wait(() => frame.contentDocument && frame.contentDocument.body
    && frame.contentDocument.body.dataset.ready === "yes");
  const page = frame.contentWindow, doc = frame.contentDocument;
  page.addEventListener("error", (event) => report.errors.push(event.message));
  doc.addEventListener("securitypolicyviolation", (event) => report.violations.push(event.violatedDirective));
  report.shown = await (async () => { BODY })();
})().catch((error) => report.errors.push(String(error))).then(() => {
  const element = document.createElement("pre");
  element.id = "report";
  element.textContent = encodeURIComponent(JSON.stringify(report));
  document.body.append(element);
});
</script>"""

SEARCH = """
const box = doc.getElementById("search"), out = {};
const type = async (text) => {
  box.value = text;
  box.dispatchEvent(new page.Event("input", { bubbles: true }));
  await settled();
};
const span = () => { const r = doc.getElementById("plot")._fullLayout.xaxis.range; return r[1] - r[0]; };
out.labels = [...doc.querySelectorAll(".textpoint text")].map((text) => text.textContent);
out.whole = span();
out.searches = {}; out.marked = {};
for (const text of ["king", "CAF\\u00c9", "<b>", "zzz", ""]) {
  await type(text);
  out.searches[text] = doc.getElementById("found").textContent;
  if (text === "<b>") out.marks = doc.querySelector(".scatterlayer .trace:nth-child(3) .textpoint text").textContent;
  out.marked[text] = doc.querySelectorAll(".scatterlayer .trace:nth-child(3) .point").length;
}
await type("king");
doc.getElementById("form").requestSubmit();
await settled();
out.visited = span();
await type("");
doc.getElementById("form").requestSubmit();
await settled();
out["whole again"] = span();
page.Plotly.Fx.hover(doc.getElementById("plot"), [{ curveNumber: 0, pointNumber: 3 }]);
await settled();
out.hover = [...doc.querySelectorAll(".hoverlayer text")].map((text) => text.textContent).join(" ");
out.title = doc.title;
return out;
"""

ZOOM = """
const plot = doc.getElementById("plot"), out = {};
const boxes = () => [...doc.querySelectorAll(".textpoint text")].filter((text) => text.textContent).map((text) => {
  const box = text.getBoundingClientRect();
  return [box.left, box.top, box.right, box.bottom];
});
await settled();
out.whole = boxes();
const shown = () => out.words.filter(Boolean).length;
const { xaxis, yaxis } = plot._fullLayout, quarter = (r) => [r[0] * 0.625 + r[1] * 0.375, r[0] * 0.375 + r[1] * 0.625];
const inside = () => plot.data[1].x.filter((x, i) => {
  const y = plot.data[1].y[i], rx = quarter(range[0]), ry = quarter(range[1]);
  return x >= rx[0] && x <= rx[1] && y >= Math.min(...ry) && y <= Math.max(...ry);
}).length;
const range = [[...xaxis.range], [...yaxis.range]];
const before = inside();
await page.Plotly.relayout(plot, { "xaxis.range": quarter(range[0]), "yaxis.range": quarter(range[1]) });
await settled();
out.zoomed = boxes();
out.density = inside() / Math.max(before, 1);
return out;
"""


def in_browser(embeddings, folder, body):
    embeddings.plot(path=folder / "map.html")
    return opened(folder / "map.html", body)


def opened(path, body):
    """Open a page in a frame in a headless browser; return what a script in the outer page reports."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    outer = path.with_name("outer.html")
    outer.write_text(FRAME.replace("NAME", json.dumps(path.name)).replace("BODY", body), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--window-size=1100,900"]
    flags += ["--virtual-time-budget=20000", "--dump-dom", f"--user-data-dir={path.parent / 'profile'}"]
    done = subprocess.run([browser, *flags, outer.as_uri()], capture_output=True, timeout=120)
    found = re.search(r'<pre id="report">([^<]*)</pre>', done.stdout.decode())
    assert found, done.stderr.decode()[-2000:]
    report = json.loads(urllib.parse.unquote(found[1]))
    shown = report.pop("shown", None)
    assert shown is not None, report
    return shown | report if "title" in shown or "density" in shown else shown
