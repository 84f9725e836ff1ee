"""Paths as users write them: ``~`` is expanded everywhere, and addresses never become local folders."""

import json
from pathlib import Path

import pytest

import fastw2v
from fastw2v.cli import main
from fastw2v.errors import CorpusError, FastW2VError, FolderError
from fastw2v.files.places import expand_home, local_path
from fastw2v.text import inputs
from fastw2v.text.prepared import as_paths, is_prepared, open_prepared

QUICK = {"vector_size": 4, "epochs": 1, "workers": 1, "min_count": 1, "sample": 0, "progress": False}
ADDRESSES = [
    "s3://b/m",
    "gs://b/m",
    "https://x.org/m.txt",
    "HTTP://x",
    "hf://u/m",
    "hdfs://h/m",
    "simplecache::s3://b/m",
]
ADDRESSES += ["file:///tmp/m", Path("s3://b/m"), Path("https://x.org/m")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder with a text, and an empty working directory."""
    (tmp_path / "home" / "texts").mkdir(parents=True)
    (tmp_path / "home" / "texts" / "a.txt").write_text("a b a b\n" * 9)
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "home"
    assert not list((tmp_path / "here").iterdir())


@pytest.mark.parametrize(
    "corpus", ["~/texts/a.txt", "~/texts", "~/texts/*.txt", ["~/texts/a.txt"], Path("~/texts/a.txt")]
)
def test_home_in_python(home, corpus):
    fastw2v.train(corpus, output="~/m", **QUICK)
    fastw2v.train(corpus, output=Path("~/m"), resume=True, **QUICK | {"epochs": 2})
    fastw2v.train(corpus, init_from="~/m", **QUICK)
    assert (home / "m" / "model.json").is_file()
    assert fastw2v.prepare(corpus, "~/p", min_count=1).tokens_read == 36
    assert json.loads((home / "p" / "prepared.json").read_text())["sources"][0].startswith(str(home))
    assert is_prepared("~/p")
    assert len(open_prepared("~/p").ids) == 36
    assert len(fastw2v.train("~/p", **QUICK)) == 2


def test_home_on_the_command_line(home, capsys):
    """A shell expands neither ``--output=~/m`` nor what is quoted."""
    quick = ["--vector-size=4", "--epochs=1", "--min-count=1", "--sample=0"]
    assert main(["prepare", "~/texts", "--output=~/p", "--min-count=1"]) == 0
    assert main(["train", "~/p", "--output=~/m", *quick]) == 0
    assert main(["train", "~/p", "--output=~/n", "--init-from=~/m", *quick]) == 0
    assert main(["info", "~/p"]) == 0
    assert "tokens_read: 36" in capsys.readouterr().out
    assert main(["export", "~/m", "~/v.bin"]) == 0
    assert f"{home / 'v.bin'}: 2 words" in capsys.readouterr().out
    assert main(["train", "~/p", "~/texts", "--output=~/o", *quick]) == 2
    assert "~/p is a prepared folder: give it as the only corpus" in capsys.readouterr().err


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_are_refused(home, address):
    text = home / "texts" / "a.txt"
    for corpus in (address, [address], [text, address]):
        with pytest.raises(CorpusError, match=r"is an address, not a local path: (download it|give the path itself)"):
            fastw2v.train(corpus, **QUICK)
    with pytest.raises(CorpusError, match="is an address"):
        inputs.expand([address])
    for write in (lambda: fastw2v.train(text, output=address, **QUICK), lambda: fastw2v.prepare(text, address)):
        with pytest.raises(FolderError, match=r"is an address, .*: (write into a local folder|give the path itself)"):
            write()
    for read in (lambda: fastw2v.train(text, init_from=address, **QUICK), lambda: open_prepared(address)):
        with pytest.raises(FolderError, match="is an address"):
            read()
    assert not is_prepared(address)


def test_addresses_on_the_command_line(home, capsys):
    assert main(["train", "s3://bucket/text", "-o", "m"]) == 2
    assert capsys.readouterr().err == (
        "fastw2v: error: 's3://bucket/text' is an address, not a local path: download it first, or pipe it: "
        "aws s3 cp ADDRESS - | fastw2v train - -o MODEL\n"
    )
    assert main(["train", "~/texts", "--output=s3://bucket/m"]) == 2
    assert "write into a local folder, and copy it there" in capsys.readouterr().err
    assert main(["info", "gs://bucket/m"]) == 2
    assert "'gs://bucket/m' is an address" in capsys.readouterr().err


def test_a_path_that_exists_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("~", "~x", "s3:/b"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("a b\n")
        assert local_path(name, CorpusError) == name
    assert inputs.expand(["~", "~x", "s3://b", Path("s3://b")]) == ["~", "~x", "s3://b", "s3:/b"]
    assert as_paths(["~", "s3://b"]) == ["~", "s3://b"]
    assert fastw2v.prepare("~", "p", min_count=1).tokens_read == 2


@pytest.mark.parametrize("name", ["-", "a/~", "a~", "C:/texts", "C:\\texts", "a:b", "12:30/x", "texts", "", "#x~"])
def test_other_names_are_left_alone(name):
    assert local_path(name, CorpusError) == expand_home(name) == name


def test_an_unknown_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError, match="'~nobody-here/m' names an unknown user: give the whole path"):
        fastw2v.prepare([["a"]], "~nobody-here/m", min_count=1)
    with pytest.raises(CorpusError, match="no file matches"):
        inputs.expand(["~*.txt"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [None, 5.5, ["model"]])
def test_what_is_no_path(path, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    embeddings = fastw2v.load(model)
    for call in (
        fastw2v.load,
        fastw2v.load_word2vec_format,
        fastw2v.Phrases.load,
        embeddings.save,
        embeddings.export,
        lambda path: fastw2v.prepare([["a"]], path, min_count=1),
        lambda path: fastw2v.evaluate_similarity(embeddings, path),
        lambda path: fastw2v.evaluate_analogies(embeddings, path),
    ):
        with pytest.raises(FastW2VError, match="path"):
            call(path)
    assert not list(tmp_path.iterdir())


def test_the_home_folder_of_analogies(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bats").mkdir()
    (tmp_path / "bats" / "a.txt").write_text("t0w1 t0w2 t0w3 t0w4\n")
    (score, *_) = fastw2v.evaluate_analogies(fastw2v.load(model), "~/bats")
    assert score.total == 1
