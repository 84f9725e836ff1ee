"""Corpora: downloads from a local server, removal of markup, and planted answers that a training finds."""

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import fastw2v
from corpora import cli, download, fetch, synthetic
from corpora.strip_markup import paragraphs, strip_markup
from fastw2v.errors import ConfigError, CorpusError
from fastw2v.evaluate import evaluate_analogies, evaluate_similarity, read_analogies, read_similarity
from fastw2v.text import pydocs

ROOT = Path(__file__).resolve().parents[1]


class Server(ThreadingHTTPServer):
    """One file, with faults on demand; ``asked`` records the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.tag = '"one"'
        self.ranges = True
        self.if_range = True
        self.length = True
        self.cuts = []  # bytes after which each answer in turn is cut
        self.statuses = []  # sent instead of the file, one after the other
        self.asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/corpus.zip"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        span = self.headers.get("Range")
        server.asked.append(span)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        first = 0
        fresh = not server.if_range or self.headers.get("If-Range") in (None, server.tag)
        if span and server.ranges and fresh:
            first = int(re.fullmatch(r"bytes=(\d+)-", span)[1])
            if first >= len(server.content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        else:
            self.send_response(200)
        body = server.content[first:]
        if server.tag:
            self.send_header("ETag", server.tag)
        if server.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(method=zipfile.ZIP_DEFLATED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


WORDS = b" ".join(b"w%d" % (i * i % 9973) for i in range(20_000))  # 116 kB that do not compress to nothing


@pytest.fixture
def source(server):
    """A corpus as text8 is, with the sums of what the server has."""
    server.content = zipped(text8=WORDS, other=b"not this")
    return replace(
        fetch.SOURCES["text8"],
        url=server.url,
        size=len(server.content),
        sha256=hashlib.sha256(server.content).hexdigest(),
        member_sha256=hashlib.sha256(WORDS).hexdigest(),
    )


def test_whole_download(server, source, tmp_path):
    said = []
    fetched = fetch.fetch(source, tmp_path / "out.txt", say=said.append)
    assert (tmp_path / "out.txt").read_bytes() == WORDS + b"\n"
    assert (fetched.lines, fetched.words, fetched.size) == (1, 20_000, len(WORDS) + 1)
    assert fetched.sha256 == source.sha256
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert server.asked == [None]
    assert said == []


def test_words_are_counted_across_blocks(source, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "_BLOCK", 7)
    assert fetch.fetch(source, tmp_path / "out.txt").words == 20_000


def test_cut_connections_are_resumed_at_once(server, source, tmp_path):
    server.cuts = [20_000, 10_000, 0]
    said = []
    fetch.fetch(source, tmp_path / "out.txt", say=said.append)
    assert (tmp_path / "out.txt").read_bytes() == WORDS + b"\n"
    assert server.asked == [None, "bytes=20000-", "bytes=30000-", "bytes=30000-"]
    assert f"cut at 20,000 of {len(server.content):,} bytes" in said[0]


def test_interrupted_download_is_resumed_by_the_next_run(server, source, tmp_path):
    server.cuts = [20_000] + [0] * 10
    output = tmp_path / "out.txt"
    with pytest.raises(CorpusError, match=r"4 times in a row; run again to resume from 20,000 bytes"):
        fetch.fetch(source, output)
    assert not output.exists()
    assert sorted(path.name for path in (tmp_path / "out.txt.partial").iterdir()) == ["archive.json", "archive.part"]
    assert len(server.asked) == 4
    server.cuts = []
    said = []
    fetch.fetch(source, output, say=said.append)
    assert server.asked[-1] == "bytes=20000-"
    assert said == ["resuming from 20,000 bytes"]
    assert output.read_bytes() == WORDS + b"\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


def test_killed_download_is_resumed(server, source, tmp_path):
    """As above, but the first run has no time to tidy up."""
    server.cuts = [20_000]
    code = (
        "import sys, os; from pathlib import Path; from corpora import download\n"
        "download.time.sleep = lambda seconds: os._exit(9)\n"
        "download.download(sys.argv[1], Path(sys.argv[2]))"
    )
    folder = tmp_path / "out.txt.partial"
    folder.mkdir()
    command = [sys.executable, "-c", code, server.url, str(folder / "archive")]
    assert subprocess.run(command, cwd=ROOT).returncode == 9
    assert (folder / "archive.part").stat().st_size == 20_000
    fetch.fetch(source, tmp_path / "out.txt")
    assert server.asked == [None, "bytes=20000-"]


def interrupt(*arguments):
    raise KeyboardInterrupt


def test_interrupted_between_download_and_check(server, source, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "sha256_of", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch.fetch(source, tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()
    fetch.fetch(source, tmp_path / "out.txt")
    assert server.asked == [None]


def test_interrupted_unpacking_downloads_nothing_again(server, source, tmp_path):
    def half(stream):
        yield stream.read(10)
        interrupt()

    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(replace(source, to_text=half), tmp_path / "out.txt")
    assert [path.name for path in (tmp_path / "out.txt.partial").iterdir()] == ["archive"]
    fetch.fetch(source, tmp_path / "out.txt")
    assert server.asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.parametrize("cut", [0, 15_000, 35_000])
def test_server_without_ranges_starts_again(server, source, tmp_path, cut):
    server.ranges = False
    server.cuts = [25_000, cut]
    said = []
    fetch.fetch(source, tmp_path / "out.txt", say=said.append)
    assert (tmp_path / "out.txt").read_bytes() == WORDS + b"\n"
    assert any("restarting" in line for line in said)


def test_server_that_always_cuts_at_the_same_place_is_given_up(server, source, tmp_path):
    server.ranges = False
    server.cuts = [25_000] * 100
    with pytest.raises(CorpusError, match="in a row"):
        fetch.fetch(source, tmp_path / "out.txt")
    assert len(server.asked) == 4


@pytest.mark.parametrize("if_range", [True, False], ids=["asked in vain", "noticed by its tag"])
def test_changed_file_is_never_mixed(server, source, tmp_path, if_range):
    """Also where the server ignores If-Range and the new file is as long as the old one."""
    server.if_range = if_range
    new = WORDS[::-1]
    server.content = zipped(zipfile.ZIP_STORED, text8=WORDS)
    loose = replace(source, size=None, sha256=None, member_sha256=None)
    server.cuts = [20_000] + [0] * 3
    with pytest.raises(CorpusError):
        fetch.fetch(loose, tmp_path / "out.txt")
    length = len(server.content)
    server.content, server.tag, server.cuts = zipped(zipfile.ZIP_STORED, text8=new), '"two"', []
    assert len(server.content) == length
    said = []
    fetch.fetch(loose, tmp_path / "out.txt", say=said.append)
    assert any("has changed" in line for line in said)
    assert (tmp_path / "out.txt").read_bytes() == new + b"\n"


def test_changed_file_without_a_tag_is_noticed_by_its_length(server, source, tmp_path):
    server.tag = None
    server.cuts = [20_000] + [0] * 3
    with pytest.raises(CorpusError):
        fetch.fetch(source, tmp_path / "out.txt")
    server.content, server.cuts = zipped(text8=WORDS[::-1] + b" more"), []
    fetch.fetch(replace(source, size=None, sha256=None, member_sha256=None), tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == WORDS[::-1] + b" more\n"


@pytest.mark.parametrize("tags", [(None, None), ('"one"', '"two"')])
def test_part_longer_than_the_file_is_dropped(server, source, tmp_path, tags):
    server.tag = tags[0]
    server.cuts = [40_000] + [0] * 3
    with pytest.raises(CorpusError):
        fetch.fetch(source, tmp_path / "out.txt")
    server.content, server.cuts, server.tag = zipped(text8=b"short now"), [], tags[1]
    digest = hashlib.sha256(server.content).hexdigest()
    fetch.fetch(replace(source, member_sha256=None), tmp_path / "out.txt", sha256=digest)
    assert (tmp_path / "out.txt").read_bytes() == b"short now\n"


def test_part_of_another_address_is_not_continued(server, source, tmp_path):
    server.cuts = [20_000] + [0] * 3
    with pytest.raises(CorpusError):
        fetch.fetch(source, tmp_path / "out.txt")
    server.cuts = []
    fetch.fetch(source, tmp_path / "out.txt", url=server.url + "?mirror")
    assert server.asked[-1] is None


def test_wrong_checksum(server, source, tmp_path):
    wrong = "0" * 64
    with pytest.raises(CorpusError, match=f"has SHA-256 {source.sha256}, expected {wrong}"):
        fetch.fetch(replace(source, sha256=wrong), tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []
    fetch.fetch(source, tmp_path / "out.txt", sha256=source.sha256.upper())


def test_wrong_checksum_of_the_unpacked_text(source, tmp_path):
    with pytest.raises(CorpusError, match="unpacked has SHA-256"):
        fetch.fetch(replace(source, member_sha256="0" * 64), tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [True, False])
def test_wrong_size(server, source, tmp_path, length):
    server.length = length
    with pytest.raises(CorpusError, match=f"has {source.size:,} bytes, expected {source.size - 1:,}"):
        fetch.fetch(replace(source, size=source.size - 1), tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_pinned_checksum_frees_the_size(server, source, tmp_path):
    fetch.fetch(replace(source, size=1, sha256="0" * 64), tmp_path / "out.txt", sha256=source.sha256)
    assert (tmp_path / "out.txt").exists()


def test_cut_answer_without_a_length_is_noticed_by_the_size(server, source, tmp_path):
    server.length = False
    server.cuts = [20_000]
    fetch.fetch(source, tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_bytes() == WORDS + b"\n"


def test_404_is_final_and_503_is_not(server, source, tmp_path):
    server.statuses = [404]
    with pytest.raises(CorpusError, match=r"answered 404 .*--url"):
        fetch.fetch(source, tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1
    server.statuses = [503, 429]
    fetch.fetch(source, tmp_path / "out.txt")
    assert len(server.asked) == 4


def test_nobody_there(source, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    with pytest.raises(CorpusError, match="no connection"):
        fetch.fetch(source, tmp_path / "out.txt", url="http://127.0.0.1:1/x")
    for address in ("file:///etc/passwd", "ftp://x/y", "text8.zip"):
        with pytest.raises(CorpusError, match="not an HTTP address"):
            fetch.fetch(source, tmp_path / "out.txt", url=address)
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_written(source, tmp_path):
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "no" / "out.txt", tmp_path / "file" / "out.txt"):  # root may write everywhere else
        with pytest.raises(CorpusError, match=f"cannot write {re.escape(str(output))}"):
            fetch.fetch(source, output)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(CorpusError, match="exists"):
        fetch.fetch(source, tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_disk_names_the_output(source, tmp_path):
    folder = tmp_path / "out.txt.partial"
    folder.mkdir()
    (folder / "archive.part").symlink_to("/dev/full")
    with pytest.raises(CorpusError, match=r"cannot write .*out\.txt: No space left"):
        fetch.fetch(source, tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()


def test_two_runs_at_once(source, tmp_path):
    pytest.importorskip("fcntl")
    with fetch._unfinished(tmp_path / "out.txt"), pytest.raises(CorpusError, match="another run"):
        fetch.fetch(source, tmp_path / "out.txt")


def corrupt(archive, at):
    return archive[:at] + bytes([archive[at] ^ 0xFF]) + archive[at + 1 :]


BAD_TAR = tarred({"a/news.en-1-of-2": WORDS})
DAMAGED = {
    "zip with a wrong byte": corrupt(zipped(text8=WORDS), 5000),
    "zip cut short": zipped(text8=WORDS)[:-1000],
    "tar with a wrong byte": corrupt(BAD_TAR, 5000),
    "tar cut short": BAD_TAR[:-1000],
    "tar without its last byte": BAD_TAR[:-1],
    "tar with a wrong sum": corrupt(BAD_TAR, len(BAD_TAR) - 6),
    "page": b"<html>This domain is for sale</html>",
    "nothing": b"",
    "zip without the member": zipped(other=WORDS),
    "member without text": zipped(text8=b" \n"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_archive(server, source, tmp_path, name):
    server.content = DAMAGED[name]
    loose = replace(source, size=None, sha256=None, member_sha256=None, members=r"text8|a/news\.en-\d-of-2")
    with pytest.raises(CorpusError, match="it was removed"):
        fetch.fetch(loose, tmp_path / "out.txt")
    assert list(tmp_path.iterdir()) == []


def test_names_in_archives_are_never_paths(server, source, tmp_path):
    evil = {"../evil": b"x", "/tmp/evil": b"x", "a/news.en-1-of-2": b"Good\n", "a/../../news.en-2-of-2": b"y"}
    server.content = tarred(evil)
    loose = replace(source, size=None, sha256=None, member_sha256=None, members=r"a/news\.en-\d-of-2")
    fetch.fetch(loose, tmp_path / "d.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["d.txt"]
    assert (tmp_path / "d.txt").read_text() == "Good\n"


def test_billion_words(server, tmp_path):
    folder = "1-billion-word-language-modeling-benchmark-r13output"
    train = f"{folder}/training-monolingual.tokenized.shuffled"
    server.content = tarred(
        {
            f"{folder}/README": b"no",
            f"{train}/news.en-00001-of-00100": b"The Cat sat .\n\xc3\x89T\xc3\xa9\n",
            f"{folder}/heldout-monolingual.tokenized.shuffled/news.en-00000-of-00100": b"no\n",
            f"{train}/news.en-00002-of-00100": b"no newline",
        }
    )
    source = replace(fetch.SOURCES["1b"], size=None, sha256=None)
    fetched = fetch.fetch(source, tmp_path / "1b.txt", url=server.url)
    assert (tmp_path / "1b.txt").read_text("utf-8") == "the cat sat .\nété\nno newline\n"
    assert (fetched.lines, fetched.words) == (3, 7)


@pytest.mark.parametrize("block", range(1, 9))
def test_blocks_end_at_lines_and_not_inside_letters(monkeypatch, block):
    monkeypatch.setattr(fetch, "_BLOCK", block)
    text = "ÉaÉ\nÀÀÀ\n\nÉ"
    assert b"".join(fetch.lower_case(io.BytesIO(text.encode()))).decode() == text.lower()


def test_wikitext_103(server, tmp_path):
    text = " \n = Title = \n \n The <unk> is 3 @.@ 5 long . \n = = Part = = \n <unk> \n Fin . \n"
    server.content = zipped(**{"wikitext-103/wiki.train.tokens": text, "wikitext-103/wiki.test.tokens": "no"})
    source = replace(fetch.SOURCES["wikitext-103"], size=None, sha256=None)
    fetch.fetch(source, tmp_path / "w.txt", url=server.url)
    assert (tmp_path / "w.txt").read_text() == "the is 3 @.@ 5 long .\nfin .\n"


PAGES = """<mediawiki>
  <page><title>A</title>
    <text xml:space="preserve">#REDIRECT [[B]]</text></page>
  <page><title>B</title><text xml:space="preserve">{{Infobox|a={{nested|x}}
|y=2}}'''Mercury''' is the [[planet]] nearest the [[Sun|star]], 58 km.&lt;ref name=&quot;a&quot;&gt;A book&lt;/ref&gt;
See [http://x.org/a NASA's site], http://y.org &lt;!-- not
this --&gt;and caf&amp;eacute;, Gödel &amp;mdash; Øre&lt;br /&gt;foo\u2013bar.
[[Image:M.jpg|thumb|200px|The [[planet]] seen by [[Mariner 10|it]]]] [[Image:N.jpg|left]]
{| class="x"
| cell || cell
|}
== History ==
* [[Star Trek: Voyager]] &lt;math&gt;x^2&lt;/math&gt; &lt;nowiki&gt;kept&lt;/nowiki&gt;

[[Category:Planets]]
[[fr:Mercure]]</text></page>
  <page><text xml:space="preserve" /></page>
  <page><text xml:space="preserve">Cut [[off"""

CLEAN = [
    "mercury is the planet nearest the star five eight km",
    "see nasa s site and cafe godel ore foo bar",
    "the planet seen by it",
    "history",
    "star trek voyager kept",
    "cut off",
]


def test_enwik9(server, tmp_path):
    server.content = zipped(enwik9=PAGES)
    digest = hashlib.sha256(PAGES.encode()).hexdigest()
    source = replace(fetch.SOURCES["enwik9"], size=None, member_sha256=digest)
    fetched = fetch.fetch(source, tmp_path / "e.txt", url=server.url)
    assert (tmp_path / "e.txt").read_text().splitlines() == CLEAN
    assert (fetched.lines, fetched.words) == (len(CLEAN), sum(len(line.split()) for line in CLEAN))


HOSTILE = [
    "{{",
    "[[",
    "<",
    "&lt;ref&gt;",
    "{|",
    "&lt;!--",
    "[http:",
    "&lt;a ",
    "{{a}",
    "&lt;ref &lt;",
    "[[a|",
    ":",
    " ",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_markup_that_never_ends_takes_linear_time(piece):
    """Quadratic time would be minutes to hours for each."""
    assert set(b" ".join(strip_markup(piece * 100_000)).split()) <= {b"a", b"ref", b"http"}


def test_dump_is_read_an_article_at_a_time():
    def lines():
        for i in range(3):
            yield b"<text>one\n"
            yield b"two</text>\n"
            taken.append(i)

    taken = []
    first = next(paragraphs(lines()))
    assert first == b"one\ntwo\n"
    assert taken == []


def test_table_of_sources_is_complete():
    for name, source in fetch.SOURCES.items():
        assert source.name == name
        assert source.url.startswith("https://")
        assert source.sha256 is None or re.fullmatch("[0-9a-f]{64}", source.sha256)
        assert source.sha256 or source.member_sha256
        assert source.licence
        assert source.use
        page = (ROOT / "docs" / "corpora.md").read_text()
        assert f"`fetch {name}`" in page
        assert f"{source.size / 1e6:,.0f} MB" in page


# The command line


def run(*arguments):
    command = [sys.executable, "-W", "error", "-m", "corpora", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"no_proxy": "127.0.0.1"})


def test_list():
    for arguments in ([], ["list"]):
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        for name in [*fetch.SOURCES, "synthetic", "pydocs"]:
            assert name in done.stdout


def test_command_fetch(server, tmp_path):
    server.content = zipped(text8=WORDS)
    digest = hashlib.sha256(server.content).hexdigest()
    done = run("fetch", "text8", "-o", tmp_path, "--url", server.url)  # the address is right, the file is not
    assert done.returncode == 2
    assert re.fullmatch(
        r"corpora: error: http://127.0.0.1.* expected 31,344,016: .*\n", done.stderr.splitlines(True)[-1]
    )
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
    server.content = zipped(**{"wikitext-103/wiki.train.tokens": b"A b\n"})
    digest = hashlib.sha256(server.content).hexdigest()
    done = run("fetch", "wikitext-103", "-o", tmp_path, "--url", server.url, "--sha256", digest, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "wikitext-103.txt").read_text() == "a b\n"
    assert "2 words, 1 lines, 4 bytes" in done.stdout


def test_command_prints_a_sum_that_was_not_known(server, source, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(fetch.SOURCES, "text8", replace(source, sha256=None))
    assert cli.main(["fetch", "text8", "-o", str(tmp_path / "t.txt"), "--quiet"]) == 0
    assert f"{hashlib.sha256(server.content).hexdigest()} (pin it with --sha256)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["fetch", "text9"],
        ["fetch"],
        ["fetch", "text8", "--sha256", "abc"],
        ["nonsense"],
        ["synthetic", "x.txt", "--tokens", "1,5", "--words", "5000"],
        ["synthetic", "/no/such/folder/x.txt", "--tokens", "10", "--words", "5000"],
        ["pydocs", "/no/such/folder/x.txt"],
    ],
)
def test_wrong_commands_end_with_one_line(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("corpora: error: ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_pydocs_begin_with_the_topics_of_help():
    words = [word for sentence in islice(pydocs.sentences(), 500) for word in sentence]
    assert len(words) > 10_000
    assert set("".join(words)) <= set("abcdefghijklmnopqrstuvwxyz")
    assert {"assignment", "expression"} <= set(words)


@pytest.mark.slow
def test_pydocs(pydocs_file):
    assert [path.name for path in pydocs_file.parent.iterdir()] == ["docs.txt"]
    text = pydocs_file.read_text()
    assert len(text.split()) > 100_000
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz \n")


# Synthetic text

SMALL = {"tokens": 20_000, "words": 1000, "twins": 10, "sections": 2, "rows": 4}


def files(path):
    return [p.read_bytes() for p in (path, *synthetic.answer_paths(path))]


def test_same_options_same_bytes(tmp_path):
    a, b, c = (tmp_path / name for name in ("a.txt", "b.txt", "c.txt"))
    synthetic.write(a, **SMALL, seed=3)
    synthetic.write(b, **SMALL, seed=3, block=777)
    assert files(a) == files(b)
    synthetic.write(c, **SMALL, seed=4)
    assert all(x != y for x, y in zip(files(a), files(c), strict=True))
    synthetic.write(c, **(SMALL | {"tokens": 9000}), seed=3)
    assert a.read_text().split()[:9000] == c.read_text().split()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{name}.{end}" for name in "abc" for end in ("txt", "analogies.txt", "similarity.tsv")
    )


GOLDEN = ["e87ac7715628d792", "72f8f751f0d1f07a", "ececdd3c7a20a8e0"]


def test_bytes_are_those_of_this_version(tmp_path):
    """Results are compared across versions and machines: a change of these bytes must be meant, and told."""
    synthetic.write(tmp_path / "a.txt", **SMALL)
    assert [hashlib.sha256(content).hexdigest()[:16] for content in files(tmp_path / "a.txt")] == GOLDEN


def splitmix(state):
    mask = 2**64 - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def test_kernel_equals_plain_python(tmp_path):
    """The twin of the kernel that fills blocks, in Python's integers."""
    synthetic.write(tmp_path / "a.txt", **SMALL, seed=5)
    plan = synthetic._plan(SMALL["words"], 5, 1.0, 0.1, SMALL["twins"], SMALL["sections"], SMALL["rows"])[0]
    starts, thresholds = plan.starts.tolist(), plan.thresholds.tolist()
    spelled, alias, choose = synthetic._text(plan.spelled), plan.alias.tolist(), plan.choose.tolist()
    bits = splitmix(int(fastw2v.kernels.sampling.spawn_streams(5, 2)[1]))

    def draw(table):
        drawn = next(bits)
        slot = (drawn >> 32) * len(table) >> 32
        return slot if drawn & 0xFFFFFFFF < table[slot] >> 32 else table[slot] & 0xFFFFFFFF

    lines, left = [], 0
    for _ in range(SMALL["tokens"]):
        if left == 0:
            lines.append([])
            topic = 2 + draw(choose)
            left = 5 + ((next(bits) >> 32) * 31 >> 32)
        coin = next(bits) >> 32
        table = 0 if coin < thresholds[0] else 1 if coin < thresholds[1] else topic
        start, stop = starts[table : table + 2]
        lines[-1].append(spelled[start + draw(alias[start:stop])])
        left -= 1
    assert (tmp_path / "a.txt").read_text() == "".join(" ".join(line) + "\n" for line in lines)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5])
def test_tables_give_every_word_exactly_its_probability(exponent):
    """Through all alias tables: common words, planted ones of two topics, and the rest."""
    words = 3000
    plan = synthetic._plan(words, 1, exponent, 0.25, 100, 4, 20)[0]
    rank_of = {int(word): rank for rank, word in enumerate(synthetic.spell(np.arange(words)))}

    def probabilities(table):
        own = (table >> np.uint64(32)) / 2.0**32
        whole = table >> np.uint64(32) == 0  # a slot without threshold is all its alias's
        p = np.where(whole, 0, own)
        np.add.at(p, (table & np.uint64(2**32 - 1)).astype(np.int64), 1 - np.where(whole, 0, own))
        return p / len(table)

    common, other = plan.thresholds / 2.0**32
    of_table = np.concatenate([[common, other - common], (1 - other) * probabilities(plan.choose)])
    found = np.zeros(words)
    for weight, start, stop in zip(of_table, plan.starts[:-1], plan.starts[1:], strict=True):
        members = [rank_of[int(word)] for word in plan.spelled[start:stop]]
        np.add.at(found, members, weight * probabilities(plan.alias[start:stop]))
    p = np.arange(1, words + 1) ** -exponent
    np.testing.assert_allclose(found, p / p.sum(), rtol=1e-5)


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.3])
def test_frequencies_follow_zipf(tmp_path, exponent):
    n, words = 400_000, 700
    synthetic.write(tmp_path / "a.txt", tokens=n, words=words, exponent=exponent, twins=20, sections=2, rows=5)
    counts = Counter((tmp_path / "a.txt").read_text().split())
    spelled = synthetic._text(synthetic.spell(np.arange(words)))
    assert set(counts) <= set(spelled)
    p = np.arange(1, words + 1) ** -exponent
    expected = n * p / p.sum()
    observed = np.array([counts[word] for word in spelled])
    # 1 for independent draws; words of one sentence share a topic, of 6 words or so here, and so it is above that
    assert 0.8 < np.mean((observed - expected) ** 2 / expected) < 4
    bands = [slice(0, 50), slice(50, 200), slice(200, 700)]
    for band in bands:
        assert observed[band].sum() == pytest.approx(expected[band].sum(), rel=0.01)
    slope = np.polyfit(np.log(np.arange(1, 201)), np.log(observed[:200]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)


def test_spelling_is_one_word_one_rank():
    ranks = np.concatenate([np.arange(12_000), [105 + 105**2 + 105**3 - 1, 105 + 105**2 + 105**3, 99_999_999]])
    words = synthetic._text(synthetic.spell(ranks))
    assert len(set(words)) == len(words)
    assert all(re.fullmatch("([b-df-hj-np-tv-z][aeiou]){1,4}", word) for word in words)
    lengths = [len(word) for word in words]
    assert lengths == sorted(lengths)
    assert (lengths[104], lengths[105], lengths[-3], lengths[-2]) == (2, 4, 6, 8)


def test_answer_files_are_what_eval_reads(tmp_path):
    planted = synthetic.write(tmp_path / "a.txt", **SMALL)
    analogies, similarity = synthetic.answer_paths(tmp_path / "a.txt")
    sections = read_analogies(analogies)
    assert {name: len(questions) for name, questions in sections.items()} == {"relation-1": 12, "relation-2": 12}
    for name, questions in sections.items():
        pairs = planted.analogies[name]
        assert set(questions) == {(*a, *b) for a in pairs for b in pairs if a != b}
    pairs = read_similarity(similarity)
    assert pairs == planted.similarities
    assert {score for _, _, score in pairs} == {0, 5, 10}
    assert [(a, b) for a, b, score in pairs if score == 10] == planted.twins
    everything = [word for pair in planted.twins for word in pair]
    everything += [word for pairs in planted.analogies.values() for pair in pairs for word in pair]
    assert len(set(everything)) == len(everything) == 36


def test_wrong_numbers(tmp_path):
    for wrong, message in [
        ({"tokens": 0}, "tokens is 0"),
        ({"words": 100}, "words is 100: give 258 to"),
        ({"words": 10**9}, "words is 1,000,000,000"),
        ({"exponent": 0.0}, "exponent is 0"),
        ({"exponent": float("nan")}, "exponent is nan"),
        ({"noise": 1.0}, "noise is 1"),
        ({"rows": 1}, "rows is 1"),
        ({"twins": 10_000, "words": 10**6}, "twins is 10,000: there are pairs of topics for"),
        ({"seed": -1}, "seed is -1"),
    ]:
        with pytest.raises(ConfigError, match=message):
            synthetic.write(tmp_path / "a.txt", **(SMALL | wrong))
    with pytest.raises(CorpusError, match="is a folder"):
        synthetic.write(tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_interrupted_writing_leaves_what_was_there(tmp_path, monkeypatch):
    synthetic.write(tmp_path / "a.txt", **SMALL)
    before = files(tmp_path / "a.txt")

    monkeypatch.setattr(synthetic, "_fill", interrupt)
    with pytest.raises(KeyboardInterrupt):
        synthetic.write(tmp_path / "a.txt", **SMALL, seed=2)
    assert files(tmp_path / "a.txt") == before
    assert len(list(tmp_path.iterdir())) == 3


def test_training_finds_what_was_planted_and_nothing_in_shuffled_answers(tmp_path):
    path = tmp_path / "a.txt"
    assert cli.main(["synthetic", str(path), "--tokens", "2000000", "--words", "5000", "--quiet"]) == 0
    similarities = read_similarity(synthetic.answer_paths(path)[1])
    twins = [(a, b) for a, b, score in similarities if score == 10]
    embeddings = fastw2v.train(path, epochs=1, workers=1, progress=False)
    near = {a: [word for word, _ in embeddings.most_similar(a, topn=3)] for pair in twins for a in pair}
    pairs = twins + [(b, a) for a, b in twins]
    assert np.mean([near[a][0] == b for a, b in pairs]) >= 0.9
    assert np.mean([b in near[a] for a, b in pairs]) >= 0.95

    analogies, similarity = synthetic.answer_paths(path)
    found = evaluate_analogies(embeddings, analogies)[-1]
    assert (found.attempted, found.total) == (1520, 1520)
    assert found.accuracy >= 0.8
    assert evaluate_similarity(embeddings, similarity).spearman >= 0.9

    rng = np.random.default_rng(0)
    shuffled = tmp_path / "shuffled.txt"
    questions = [question for section in read_analogies(analogies).values() for question in section]
    answers = rng.permutation([question[3] for question in questions])
    shuffled.write_text(
        ": x\n" + "".join(" ".join([*q[:3], d]) + "\n" for q, d in zip(questions, answers, strict=True))
    )
    assert evaluate_analogies(embeddings, shuffled)[-1].accuracy < 0.1
    scores = rng.permutation([score for _, _, score in similarities])
    shuffled.write_text("".join(f"{a}\t{b}\t{s}\n" for (a, b, _), s in zip(similarities, scores, strict=True)))
    assert abs(evaluate_similarity(embeddings, shuffled).spearman) < 0.2
