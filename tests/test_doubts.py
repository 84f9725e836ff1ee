"""Doubts about text: markup, JSON, other encodings and line ends, and files that are given more than once."""

import gzip
import io
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastw2v
from fastw2v import FastW2VWarning
from fastw2v.cli import main
from fastw2v.errors import CorpusError, FolderError
from fastw2v.text import doubts, ingest, inputs, wordtable
from fastw2v.text.prepared import open_prepared

QUICK = {"vector_size": 4, "epochs": 1, "workers": 1, "min_count": 1, "sample": 0, "progress": False}
ROWS = b'{"id": 1, "text": "the king and the queen"}\n{"id": 2, "text": "a man and his cat"}\n'
PAGE = b'<!DOCTYPE html><html><body><p class="x">Some <b>bold</b> text &amp; more</p><br/></body></html>\n'
WIKI = b"<page>\n<title>Word</title>\n<ns>0</ns>\n<text>" + b"word " * 500 + b"</text>\n</page>\n"
RTF = rb"{\rtf1\ansi\deff0{\fonttbl{\f0 Times;}}\f0\fs24 Hello world.\par More text\par }"
PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\nBT /F1 24 Tf (Hello) Tj ET\n"
LATIN = "le café est très bon\n".encode("latin1") * 50


def doubts_about(tmp_path, content, monkeypatch=None):
    path = tmp_path / "text"
    path.write_bytes(content)
    (tmp_path / "scratch").mkdir(exist_ok=True)
    return ingest.ingest_files([path], tmp_path / "scratch", workers=2).doubts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (ROWS, r"looks like JSON lines: 6 of all 16 tokens \(37.5 %\)"),
        (b'{"id":1,"text":"the king and"}\n{"id":2,"text":"a man"}\n', "JSON lines: 4 of all 5 tokens"),
        (b'{"text":"' + b"word " * 40_000 + b'"}\n' + b'{"text":"' + b"word " * 40_000 + b'"}\n', "below 0.1 %"),
        (b'[{"id": 1, "t": "a b c"}, {"id": 2, "t": "a b"}]', "JSON lines"),
        (b"['the', 'king']\n['a', 'man']\n", "JSON lines: 4 of all 4 tokens"),
        (b'{\n  "id": 1,\n  "text": "the king and the queen"\n}\n', "looks like JSON: 3 of all 10 tokens"),
        (PAGE, r"looks like markup: 6 of all 7 tokens \(85.7 %\) have tags"),
        (WIKI, r"looks like markup: \d+ of all \d+ tokens"),
        (b"<?xml version='1.0'?>\n<a>\n<b/>\n</a>\n", "markup: 5 of all 5 tokens"),
        ((b"word " * 115 + b"end.<br /><br />Next " + b"word " * 115 + b"\n") * 9, "looks like markup"),
        (RTF, "looks like RTF: 4 of all 7 tokens"),
        (PDF, "looks like PDF: 6 of all 20 tokens"),
        (b"%PDF-1.4\n%\xe2\xe3\n\xff\xfe x \x80\n", "looks like PDF: 3 of all 5 tokens"),
        (LATIN, r"not UTF-8: 100 of all 250 tokens \(40.0 %\) are invalid"),
        ("слово ".encode("koi8-r"), "not UTF-8: 1 of all 1 token "),
        (b"a b c\rd e f\rg h\r", "carriage returns.* 2 of them .*the corpus has 1 sentence;"),
        (b"a b c\rd e f\rg h\r\n", "2 of them"),
        (b"a b c\rd e f\rg h\r" * 100_000, r"299,99\d of them"),
    ],
)
def test_what_is_no_plain_text_is_doubted_once(tmp_path, content, said):
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(*doubts_about(tmp_path, content))
    assert len(doubts_about(tmp_path, content)) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"i <3 u </3 rip :-/ >.< <_< -> http://t.co/x @me #tag &amp; &lt;3 :{ ;] (: \\o/ 'what': {smile}\n" * 50,
        b"<s> the cat <unk> sat </s>\n" * 50,
        b"the</w> c at</w>\n" * 50,
        b"<http://dbpedia.org/resource/Rome> <user> <url> List<String> #include <stdio.h> a->b x<y\n" * 50,
        b"\\section{Intro} we \\textbf{like} $\\alpha$ {\\rm x}\n" * 50,
        b'He said: "no": "yes", [1] and (2) {3} [sic]\n' + b"more lines without any\n" * 9,
        b'x = {"a": 1}\ny = ["b"]\nprint(x)\nprint(y)\nfor i in range(3): pass\n' + b"a = b\n" * 9,
        b"one </tag> is not markup\n" + b"word\n" * 9,
        b"RTF begins with {\\rtf1 and PDF with %PDF-1.4 here\n" + b"many other words follow\n" * 999,
        "我们 爱 😀 é ß ё\n".encode() * 50,
        b"one broken \xff character\n" + b"many other words follow\n" * 999,
        b"a b c\r\nd e f\r\n",
        b"a b c\r\n",
        b"a line that ends so\r",
        b"a stray\rone in a long line " + b"word " * 10_000,
        b"lines\rwith newlines, too\n" * 20,
        b"text8 is one line " * 100_000,
        PAGE + b"plain words\n" * 5000,
    ],
)
def test_plain_text_is_not_doubted(tmp_path, content):
    assert doubts_about(tmp_path, content) == ()


def test_this_programs_own_sources_are_not_doubted(tmp_path):
    folder = os.path.dirname(fastw2v.__file__)
    assert ingest.ingest_files([f"{folder}/**/*.py"], tmp_path).doubts == ()


def test_shares_are_exact_where_rare_words_are_left_out(tmp_path, monkeypatch):
    text = b"".join(b'{"k%d":%d}\n' % (i, i) for i in range(3000)) + b"word\n" * 2000
    expected = "3,000 of all 5,000 tokens"
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 1000)
    assert expected in doubts_about(tmp_path, text)[0]
    monkeypatch.setattr(ingest, "TABLE_WORDS", 100)
    assert expected in doubts_about(tmp_path, text)[0]
    few = ingest.ingest_files([tmp_path / "text"], tmp_path / "scratch", min_count=5)
    assert len(few.words) < 10
    assert expected in few.doubts[0]


def test_validity_is_pythons(tmp_path):
    rng = np.random.default_rng(0)
    edges = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC]
    edges += [0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    valid = 0
    samples = [bytes(rng.choice(edges, rng.integers(1, 6)).astype(np.uint8)) for _ in range(20_000)]
    samples += [chr(c).encode("utf-8", "surrogatepass") for c in range(0, 0x110000, 61)]
    for sample in samples:
        try:
            sample.decode("utf-8")
            expected = True
        except UnicodeDecodeError:
            expected = False
        padded = np.frombuffer(bytearray(b"x" + sample + b"\x80" * wordtable.PADDING), np.uint8)
        assert doubts.is_utf8(padded, 1, 1 + len(sample)) == expected, sample
        valid += expected
    assert valid > 1000


def test_words_of_letters_are_skipped_whatever_follows_them(tmp_path):
    """A tally compares 64 bytes at once: signs of the next word must not count, and none in a long word be missed."""
    words = ["a" * n for n in (1, 7, 63, 64, 65, 200)] + ["b" * n + "</b>" for n in (0, 1, 59, 60, 61, 62, 63, 64, 150)]
    letters = "".join(words).encode() + b"<" * wordtable.PADDING
    starts = np.cumsum([0, *map(len, words)])
    tally = np.zeros(doubts.N_SIGNS, np.int64)
    doubts.tally_words(starts, np.frombuffer(bytearray(letters), np.uint8), np.arange(1, len(words) + 1), tally)
    assert tally[doubts.TAG_END] == sum(range(7, 16))
    assert tally[doubts.INVALID] == 0


def warned(function, *arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arguments, **options)
    assert all(each.category is FastW2VWarning for each in caught)
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught]


def test_each_run_warns_once_also_with_ids_that_are_reused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(ROWS * 20)
    for _ in range(2):
        assert [text[:30] for text in warned(fastw2v.train, path, **QUICK)] == ["the text looks like JSON lines"]
    for _ in range(2):  # The second run reuses the first one's ids.
        [said] = warned(fastw2v.train, path, output=tmp_path / "m", **QUICK)
        assert "JSON lines" in said
    [said] = warned(fastw2v.prepare, path, tmp_path / "p", min_count=1)
    for _ in range(2):
        assert warned(fastw2v.train, tmp_path / "p", **QUICK) == [said]
    assert warned(open_prepared, tmp_path / "p") == []
    assert open_prepared(tmp_path / "p").doubts == tuple(
        json.loads((tmp_path / "p" / "prepared.json").read_text())["doubts"]
    )


def test_archives_several_files_and_standard_input(tmp_path):
    (tmp_path / "plain").write_bytes(b"plain words\n")
    (tmp_path / "rows.gz").write_bytes(gzip.compress(ROWS))
    with pytest.warns(FastW2VWarning, match="6 of all 18 tokens"):
        fastw2v.prepare([tmp_path / "plain", tmp_path / "rows.gz"], tmp_path / "p", min_count=1)
    command = [sys.executable, "-m", "fastw2v", "prepare", "-", "-o", tmp_path / "q", "--min-count=1"]
    done = subprocess.run(command, input=ROWS, capture_output=True)
    assert done.returncode == 0
    assert done.stderr.count(b"warning: the text looks like JSON lines: 6 of all 16 tokens") == 1


def test_a_warning_that_is_an_error_leaves_nothing(tmp_path):
    (tmp_path / "text").write_bytes(LATIN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FastW2VWarning, match="iconv -f latin1 -t utf-8"):
            fastw2v.prepare(tmp_path / "text", tmp_path / "p", min_count=1)
    assert not (tmp_path / "p").exists()


def test_a_doubt_comes_with_the_error_that_it_explains(tmp_path):
    (tmp_path / "text").write_bytes(LATIN)
    with pytest.warns(FastW2VWarning, match="not UTF-8"), pytest.raises(CorpusError, match="no word occurs 99 times"):
        fastw2v.prepare(tmp_path / "text", tmp_path / "p", min_count=99)


@pytest.mark.parametrize("value", ["text", [1], [["x"]], {"a": 1}, ["x"] * 1000, None])
def test_recorded_doubts_that_are_none(tmp_path, value):
    fastw2v.prepare([["a", "b", "a"]] * 10, tmp_path / "p", min_count=1)
    path = tmp_path / "p" / "prepared.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"doubts": value}))
    with pytest.raises(FolderError, match="no valid list of doubts: prepare again"):
        open_prepared(tmp_path / "p")


def test_recorded_doubts_of_strangers_and_of_earlier_versions(tmp_path):
    fastw2v.prepare([["a", "b", "a"]] * 10, tmp_path / "p", min_count=1)
    path = tmp_path / "p" / "prepared.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"doubts": ["\x1b[2Jx" + "y" * 10_000]}))
    [text] = open_prepared(tmp_path / "p").doubts
    assert text.startswith("\\x1b[2Jx")
    assert len(text) == 500
    del record["doubts"]
    path.write_text(json.dumps(record))
    assert open_prepared(tmp_path / "p").doubts == ()


def test_pdf_and_office_files_are_refused_by_name(tmp_path, capsys):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n\0\1")
    assert main(["prepare", str(tmp_path / "a.pdf"), "-o", str(tmp_path / "p")]) == 2
    assert "a.pdf is a PDF file, not text: extract its text first, as with pdftotext" in capsys.readouterr().err
    (tmp_path / "a.doc").write_bytes(b"\xd0\xcf\x11\xe0\0\0")
    with pytest.raises(CorpusError, match=r"a\.doc is a Microsoft Office file"):
        fastw2v.prepare(tmp_path / "a.doc", tmp_path / "p")


# ------------------------------------------------------------------------------------------------ the same file twice


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    for name in "abc":
        (tmp_path / "texts" / f"{name}.txt").write_text(f"{name} words of a text\n")
    return tmp_path


def how_links(texts, kind):
    target = texts / "texts" / "a.txt"
    return os.link(target, "link") if kind == "hard" else os.symlink(target, "link")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["texts/a.txt", "texts/a.txt"], r"texts/a\.txt is read 2 times: the words"),
        (["texts/a.txt", "./texts/../texts/a.txt"], r"a\.txt \(also as \./texts/\.\./texts/a\.txt\) is read 2 times"),
        (["texts", "texts/a.txt", "texts/a.txt"], r"a\.txt is read 3 times"),
        (["texts", "texts/*.txt"], r"a\.txt is read 2 times, and 2 other files more than once"),
        (["texts/a.txt", "texts", "texts/b.txt"], r"a\.txt is read 2 times, and 1 other file more than once"),
    ],
)
def test_a_file_given_twice_is_said_and_read_twice(texts, paths, said):
    with pytest.warns(FastW2VWarning, match=said):
        corpus = fastw2v.prepare(paths, "p", min_count=1)
    assert corpus.tokens_read == 5 * len(inputs.expand(paths))
    assert len(open_prepared("p").doubts) == 1


@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_a_file_given_twice_by_link(texts, kind):
    how_links(texts, kind)
    with pytest.warns(FastW2VWarning, match=r"texts/a\.txt \(also as link\) is read 2 times"):
        fastw2v.prepare(["texts/a.txt", "link"], "p", min_count=1)


def test_equal_files_are_two(texts):
    (texts / "texts" / "a.txt").write_text((texts / "texts" / "b.txt").read_text())
    assert warned(fastw2v.prepare, "texts", "p", min_count=1) == []


def test_a_cache_does_not_remember_the_files_of_another_run(texts):
    copy = texts / "copy.txt"
    copy.write_text((texts / "texts" / "a.txt").read_text())
    twice, two = ["texts/a.txt"] * 2, ["texts/a.txt", "copy.txt"]
    for paths, n in ((twice, 1), (two, 0), (twice, 1), (twice, 1)):
        assert len(warned(fastw2v.train, paths, output="m", **QUICK)) == n, paths


def test_standard_input_twice_is_refused(texts):
    for paths in (["-", "texts/a.txt", "-"], ["-", "/dev/stdin"]):
        command = [sys.executable, "-m", "fastw2v", "prepare", *paths, "-o", "p", "--min-count=1"]
        done = subprocess.run(command, input=b"words\n", capture_output=True)
        assert done.returncode == 2
        assert b"standard input is given more than once" in done.stderr
        assert done.stderr.count(b"\n") == 1
    assert not (texts / "p").exists()


def test_a_pipe_twice_is_refused(texts):
    os.mkfifo("pipe")
    with pytest.raises(CorpusError, match="pipe is given more than once, but a pipe can be read only once"):
        fastw2v.prepare(["pipe", "pipe"], "p")


def test_standard_input_that_is_a_file_given_beside(texts):
    command = [sys.executable, "-m", "fastw2v", "prepare", "texts/a.txt", "-", "-o", "p", "--min-count=1"]
    with open("texts/a.txt") as file:
        done = subprocess.run(command, stdin=file, capture_output=True)
    assert done.returncode == 0
    assert b"texts/a.txt (also as standard input) is read 2 times" in done.stderr


def test_standard_input_without_a_descriptor(texts, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("text"))
    assert inputs.repeats(["-", "missing"]) == ()
    monkeypatch.setattr(sys, "stdin", None)
    assert inputs.repeats(["-"]) == ()
