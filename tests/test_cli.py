"""Every command, every kind of bad input: one line, exit 2, nothing written."""

import bz2
import gzip
import json
import lzma
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastw2v
from fastw2v.cli import main

QUICK = ["--vector-size=10", "--epochs=1", "--workers=1", "--min-count=1"]


def run(capsys, *arguments):
    """Run a command; return its exit code, standard output and standard error."""
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def assert_refused(capsys, *arguments, said):
    code, _, err = run(capsys, *arguments)
    errors = [line for line in err.splitlines() if line.startswith("fastw2v: error: ")]
    assert code == 2
    assert len(errors) == 1
    assert err.rstrip().splitlines()[-1] == errors[0]
    assert "Traceback" not in err
    for part in [said] if isinstance(said, str) else said:
        assert part in errors[0]
    return errors[0]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def in_empty_folder(tmp_path, monkeypatch):
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_from_text_to_neighbours_scores_and_export(capsys, planted_file, in_empty_folder):
    code, out, err = run(capsys, "train", planted_file, "-o", "m", "--vector-size=20", "--epochs=10", "--workers=1")
    assert code == 0, err
    assert "m: 56 words, vector_size 20" in out
    assert "1 worker (bit-identical" in err

    code, out, _ = run(capsys, "neighbors", "m", "t0w1", "-n", "3")
    assert code == 0
    assert [line.split()[1][:2] for line in out.splitlines()] == ["t0"] * 3
    code, out, _ = run(capsys, "neighbors", "m", "t0w1", "t3w2", "--json")
    found = json.loads(out)
    assert list(found) == ["t0w1", "t3w2"]
    assert len(found["t0w1"]) == 10
    assert {"word", "cosine"} == set(found["t0w1"][0])

    (in_empty_folder / "pairs.txt").write_text("t0w1 t0w2 9\nt0w1 t1w1 1\nt2w1 t2w2 8\nt9w1 t1w1 1\n")
    (in_empty_folder / "questions.txt").write_text(": s\nt0w1 t0w2 t1w1 t1w2\nt0w1 t0w2 t9w1 t1w2\n")
    both = ["--similarity=pairs.txt", "--analogies=questions.txt"]
    code, out, _ = run(capsys, "eval", "m", *both)
    assert code == 0
    assert re.search(
        r"^pairs\.txt: Spearman x 100 = 100\.0, Pearson x 100 = 9\d\.\d \(3/4 pairs attempted, 25\.0 % u", out
    )
    assert "correct/attempted/total, restrict-vocab 30000, case-insensitive" in out
    assert re.search(r"total +[01]/1/2  \S+ % \(50\.0 % unknown\)", out)
    code, out, _ = run(capsys, "eval", "m", *both, "--restrict-vocab=40", "--json")
    scores = json.loads(out)
    assert scores["restrict_vocab"] == 40
    assert scores["case"] == "insensitive"
    assert set(scores["similarity"][0]) == {
        *("file", "spearman", "pearson", "attempted", "total", "unknown", "words", "from_ngrams", "share_from_ngrams")
    }
    assert scores["similarity"][0]["share_from_ngrams"] == 0
    assert scores["similarity"][0]["total"] == 4
    assert scores["similarity"][0]["unknown"] == 0.25
    assert [s["section"] for s in scores["analogies"][0]["sections"]] == ["s", "total"]
    assert set(scores["analogies"][0]["sections"][0]) == {
        "section", "correct", "attempted", "total", "accuracy", "unknown"
    }  # fmt: skip

    for name in ("word2vec-bin", "word2vec-text"):
        code, out, _ = run(capsys, "export", "m", name, "--format", name)
        assert code == 0
        again = fastw2v.load_word2vec_format(name, binary=name == "word2vec-bin")
        np.testing.assert_allclose(again.vectors, fastw2v.load("m").vectors, atol=1e-6)

    code, out, _ = run(capsys, "info", "m")
    assert code == 0
    assert "vector_size: 20" in out
    assert "kernel: tile" in out
    assert "shared: 24" in out
    code, out, _ = run(capsys, "info", "m", "--json")
    described = json.loads(out)
    assert described["progress"]["complete"] is True
    assert described["bytes"]["V.npy"] == 128 + 56 * 20 * 4


@pytest.mark.parametrize("name", ["v.bin", "v.vec.gz", "v.glove", "v.npz"])
def test_every_command_takes_a_file_of_vectors(capsys, model, in_empty_folder, planted_file, name):
    assert run(capsys, "export", model, name)[0] == 0
    code, out, _ = run(capsys, "neighbors", name, "t0w1", "-n", "3")
    assert code == 0
    assert out == run(capsys, "neighbors", model, "t0w1", "-n", "3")[1]
    code, out, _ = run(capsys, "info", name, "--json")
    assert json.loads(out) == {"format": "vectors", "n_words": 56, "vector_size": 20}
    (in_empty_folder / "pairs.txt").write_text("t0w1 t0w2 9\nt0w1 t1w1 1\nt2w1 t2w2 8\n")
    assert run(capsys, "eval", name, "--similarity=pairs.txt")[0] == 0
    assert run(capsys, "export", name, "again.bin")[0] == 0
    assert len(fastw2v.load("again.bin")) == 56
    options = ["--vector-size=20", "--epochs=1", "--min-count=1"]
    code, _, err = run(capsys, "train", planted_file, "-o", "m", "--init-from", name, *options)
    assert code == 0
    assert "56 of 56 words start from given vectors" in err


def encoded(model, *arguments, text):
    """What the command `encode` writes when it reads a text."""
    command = [sys.executable, "-m", "fastw2v", "encode", str(model), *arguments]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def test_encode_turns_lines_into_vectors(model, tmp_path):
    embeddings = fastw2v.load(model)
    text = b"t0w1 t0w2\n\nnobody\nt0w1"  # The last line has no newline.
    done = encoded(model, text=text)
    assert done.returncode == 0
    rows = [[float(x) for x in line.split(" ")] for line in done.stdout.decode().splitlines()]
    expected = embeddings.encode(["t0w1 t0w2", "", "nobody", "t0w1"])
    np.testing.assert_array_equal(np.array(rows, np.float32), expected)
    options = ["--weights=sif", "--normalize", "-o", tmp_path / "v.npy"]
    done = encoded(model, *options, text=gzip.compress(text))
    assert done.returncode == 0, done.stderr
    assert b"4 texts, vector_size 20" in done.stdout
    expected = embeddings.encode(["t0w1 t0w2", "", "nobody", "t0w1"], weights="sif", normalize=True)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy"), expected)
    assert encoded(model, text=b"").stdout == b""


def test_encode_refuses_in_one_line(model, tmp_path, capsys):
    done = encoded(model, text=b"t0w1\nT0W1\n")
    assert b"warning: 1 of 2 texts have no known word" in done.stderr
    (tmp_path / "texts").write_bytes(b"t0w1\n")
    assert encoded(model, tmp_path / "texts", text=b"t0w2\n").stdout == encoded(model, text=b"t0w1\n").stdout
    fastw2v.load(model).export(tmp_path / "v.bin")
    for vectors, *arguments, said in (
        (model, "-o", tmp_path / "v.txt", "give a name that ends in .npy"),
        (model, "-o", tmp_path / "nowhere" / "v.npy", "cannot write"),
        (model, "--weights=tfidf", "invalid choice: 'tfidf'"),
        (tmp_path / "v.bin", "--weights=sif", "needs the counts of the words"),
    ):
        code, _, err = run(capsys, "encode", vectors, tmp_path / "texts", *arguments)
        assert code == 2
        assert said in err
        assert err.count("\n") == 1


def test_prepare_then_train_equals_train(capsys, planted_file, in_empty_folder):
    assert run(capsys, "prepare", planted_file, "-o", "p", "--min-count=1")[0] == 0
    code, out, _ = run(capsys, "info", "p", "--json")
    assert code == 0
    assert json.loads(out)["words"] == 56
    assert run(capsys, "train", "p", "-o", "a", *QUICK)[0] == 0
    assert run(capsys, "train", planted_file, "-o", "b", *QUICK)[0] == 0
    assert (in_empty_folder / "a" / "V.npy").read_bytes() == (in_empty_folder / "b" / "V.npy").read_bytes()


def test_several_files_and_standard_input(planted_file, in_empty_folder):
    lines = planted_file.read_text().splitlines(keepends=True)
    (in_empty_folder / "one").write_text("".join(lines[:1000]))
    (in_empty_folder / "two").write_text("".join(lines[1000:]))
    for output, corpus in (("a", ["one", "two"]), ("b", ["-"])):
        command = [sys.executable, "-m", "fastw2v", "train", *corpus, "-o", output, *QUICK]
        with planted_file.open() as text:
            subprocess.run(command, stdin=text, check=True, capture_output=True)
    assert (in_empty_folder / "a" / "V.npy").read_bytes() == (in_empty_folder / "b" / "V.npy").read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, ["cannot read corpus", "No such file"]),
        (b"", ["no words in corpus", "empty"]),
        (b" \n\n", "no words in corpus"),
        (gzip.compress(b"the cat " * 100)[:-9], ["corpus is truncated", "gzip", "copy or download it again"]),
        (bz2.compress(b"the cat " * 100)[:-9], ["corpus is truncated", "bzip2"]),
        (lzma.compress(b"the cat " * 100)[:-30] + b"x" * 30, ["corpus is damaged", "xz"]),
        (b"PK\x03\x04" + b"x" * 20, "corpus is a zip archive"),
        (bytes(range(256)), ["corpus is not text", "byte 0 is NUL"]),
        ("utf sixteen".encode("utf-16"), ["corpus is not text", "UTF-16"]),
        (b"the cat sat on the mat", ["no word occurs 5 times", "5 distinct words", "'the', 2 times", "--min-count"]),
    ],
    ids=["missing", "empty", "blank", "gzip", "bzip2", "xz", "zip", "binary", "utf-16", "too rare"],
)
@pytest.mark.parametrize("command", ["train", "prepare"])
def test_bad_corpus(capsys, in_empty_folder, command, content, said):
    if content is not None:
        (in_empty_folder / "corpus").write_bytes(content)
    assert_refused(capsys, command, "corpus", "-o", "deep/out", said=said)
    assert [path.name for path in in_empty_folder.iterdir()] == ([] if content is None else ["corpus"])


def test_corpus_that_is_an_empty_folder(capsys, in_empty_folder):
    (in_empty_folder / "texts").mkdir()
    assert_refused(capsys, "train", "texts", "-o", "out", said="texts is a folder without files")
    assert not (in_empty_folder / "out").exists()


def test_unreadable_corpus(capsys, in_empty_folder, monkeypatch):
    # as root every file is readable: a name too long is refused for everybody
    assert_refused(capsys, "train", "x" * 300, "-o", "out", said=["cannot read xxx", "too long"])


@pytest.mark.parametrize(
    "option",
    [
        "--vector-size=0",
        "--vector-size=x",
        "--vector-size=1e2",
        "--window=0",
        "--window=five",
        "--epochs=0",
        "--epochs=-1",
        "--workers=0",
        "--workers=two",
        "--negative=0",
        "--negative=",
        "--sample=-1",
        "--sample=x",
        "--alpha=0",
        "--alpha=nan",
        "--alpha=inf",
        "--min-alpha=1",
        "--min-alpha=-0.1",
        "--min-count=-1",
        "--max-vocab=0",
        "--seed=-1",
        "--ns-exponent=x",
        "--kernel=x",
    ],
)
def test_option_out_of_range(capsys, planted_file, in_empty_folder, option):
    name = option.split("=")[0]
    said = assert_refused(capsys, "train", planted_file, "-o", "out", option, said="")
    assert name in said or name[2:].replace("-", "_") in said
    assert not list(in_empty_folder.iterdir())


def test_command_line_that_makes_no_sense(capsys):
    assert_refused(capsys, said="COMMAND")
    assert_refused(capsys, "fly", said="fly")
    assert_refused(capsys, "train", "x", said="--output")
    assert_refused(capsys, "train", "x", "-o", "y", "--size", "3", said="--size")
    assert_refused(capsys, "export", "m", "f", "--format", "fasttext", said="fasttext")


def test_output_that_is_something_else(capsys, planted_file, in_empty_folder):
    (in_empty_folder / "photos").mkdir()
    (in_empty_folder / "photos" / "cat.jpg").write_text("cat")
    assert_refused(capsys, "train", planted_file, "-o", "photos", said="photos exists and is not a model folder")
    assert_refused(capsys, "prepare", planted_file, "-o", "photos", said="exists and is not a prepared folder")
    assert [path.name for path in (in_empty_folder / "photos").iterdir()] == ["cat.jpg"]
    (in_empty_folder / "file").write_text("kept")
    assert_refused(capsys, "train", planted_file, "-o", "file", said="file is not a folder")
    assert_refused(capsys, "train", planted_file, "-o", "file/below", said="cannot write file/below")
    assert (in_empty_folder / "file").read_text() == "kept"


def test_output_that_is_not_writable(capsys, planted_file, in_empty_folder, monkeypatch):
    from fastw2v.files import staging

    def refuse(*arguments, **keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(staging.Path, "mkdir", refuse)  # root may write everywhere
    assert_refused(capsys, "train", planted_file, "-o", "out", said=["cannot write out", "Permission denied"])


def test_failed_training_keeps_the_model_that_was_there(capsys, planted_file, in_empty_folder):
    assert run(capsys, "train", planted_file, "-o", "m", *QUICK)[0] == 0
    before = contents(in_empty_folder / "m")
    assert "cache/ids.npy" in before
    absurd = ["--alpha=100", "--min-alpha=100", "--negative=50"]
    assert_refused(
        capsys, "train", planted_file, "-o", "m", *QUICK, *absurd, said=["diverged", "epoch 1", "token", "alpha 100"]
    )
    assert_refused(capsys, "train", "missing", "-o", "m", *QUICK, said="missing")
    other = in_empty_folder / "other.txt"
    other.write_text("a b c\n" * 50)  # a corpus of its own would replace the cache
    assert_refused(capsys, "train", other, "-o", "m", *QUICK, *absurd, "--max-vocab=1", "--ns-exponent=x", said="x")
    assert_refused(capsys, "train", other, "-o", "m", "--min-count=1000", said="no word occurs 1,000 times")
    assert contents(in_empty_folder / "m") == before


def test_unknown_word_with_close_spellings(capsys, model):
    assert_refused(capsys, "neighbors", model, "t0w1x", said=["'t0w1x' is not in the vocabulary", "close: t0w1"])
    assert_refused(capsys, "neighbors", model, "T0W1", said="differs only in case: t0w1; close: ")
    assert_refused(capsys, "neighbors", model, "qqqq", said="'qqqq' is not in the vocabulary")
    assert_refused(capsys, "neighbors", model, "t0w1", "-n", "0", said="-n is 0")


def test_known_words_are_answered_before_an_unknown_one_is_reported(capsys, model):
    code, out, err = run(capsys, "neighbors", model, "t0w1", "t0w1x", "t0w2", "qqqq", "-n", "2")
    assert code == 2
    assert [line.split()[-1] for line in out.splitlines() if " " not in line] == ["t0w1", "t0w2"]
    assert len(out.splitlines()) == 6
    assert err.startswith("fastw2v: error: the word 't0w1x' is not in the vocabulary; close: t0w1")
    assert err.endswith("; and the word 'qqqq' is not in the vocabulary\n")
    assert err.count("\n") == 1
    code, out, _ = run(capsys, "neighbors", model, "t0w1", "qqqq", "--json")
    assert code == 2
    assert list(json.loads(out)) == ["t0w1"]
    assert run(capsys, "neighbors", model, "qqqq", "--json")[1] == ""


def test_case_of_evaluation_files(capsys, model, in_empty_folder):
    (in_empty_folder / "pairs").write_text("T0W1 t0w2 9\nt0w1 t1w1 1\nt2w1 t2w2 8\n")
    (in_empty_folder / "questions").write_text("T0W1 t0w2 t1w1 t1w2\n")
    both = ["--similarity=pairs", "--analogies=questions"]
    assert "(3/3 pairs attempted, 0.0 % unknown)" in run(capsys, "eval", model, *both)[1]
    code, out, _ = run(capsys, "eval", model, *both, "--case-sensitive")
    assert code == 0
    assert "(2/3 pairs attempted, 33.3 % unknown)" in out
    assert "case-sensitive" in out
    assert "no question has all its words in the vocabulary (words are compared as written: try without --case-" in out
    assert json.loads(run(capsys, "eval", model, *both, "--case-sensitive", "--json")[1])["case"] == "sensitive"


def test_malformed_evaluation_files(capsys, model, in_empty_folder):
    (in_empty_folder / "bad").write_text(": s\na b c\n")
    assert_refused(capsys, "eval", model, "--analogies", "bad", said=["bad line 2", "expected four words, found 3"])
    assert_refused(capsys, "eval", model, "--similarity", "bad", said="bad line 1")
    assert_refused(capsys, "eval", model, "--similarity", "none", said="cannot read none")
    assert_refused(capsys, "eval", model, said="nothing to evaluate")
    assert_refused(capsys, "eval", model, "--analogies", "bad", "--restrict-vocab=0", said="--restrict-vocab is 0")


def test_encode_by_counts_refuses_vectors_without(capsys, in_empty_folder):
    (in_empty_folder / "v.txt").write_text("a 1 2\nb 3 4\n")
    said = "--weights sif needs the counts of the words, which these vectors lack: give --weights mean"
    assert_refused(capsys, "encode", "v.txt", "--weights", "sif", said=said)


@pytest.mark.parametrize("command", ["eval", "neighbors", "export", "info"])
def test_folder_that_is_no_model(capsys, in_empty_folder, command):
    more = {"eval": ["--similarity=x"], "neighbors": ["word"], "export": ["file"], "info": []}[command]
    said = "nowhere does not exist: give a model folder or a file of vectors"
    assert_refused(capsys, command, "nowhere", *more, said=said)
    assert_refused(capsys, command, ".", *more, said="it has no model.json")
    assert not list(in_empty_folder.iterdir())


HOSTILE = ["\x1b[31mred", "evil\u202etxt", r"evil\u202etxt", "caf\udce9", "क्\u200dष"]


@pytest.fixture
def hostile_model(in_empty_folder):
    sentences = [[*HOSTILE, "plain"]] * 50
    fastw2v.train(sentences, output="m", vector_size=4, epochs=1, workers=1, progress=False)
    return "m"


def on_a_screen(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)


def test_hostile_words_are_escaped_on_screen(capsys, hostile_model, monkeypatch):
    on_a_screen(monkeypatch)
    code, out, _ = run(capsys, "neighbors", hostile_model, "plain")
    assert code == 0
    shown = {line.split("  ")[-1] for line in out.splitlines()}
    assert shown == {r"\x1b[31mred", r"evil\u202etxt", r"evil\x5cu202etxt", r"caf\udce9", "क्\u200dष"}
    for word, text in zip(HOSTILE, [r"\x1b[31mred", r"evil\u202etxt", r"evil\x5cu202etxt", r"caf\udce9"], strict=False):
        code, typed, _ = run(capsys, "neighbors", hostile_model, text)
        assert code == 0
        assert len(typed.splitlines()) == 5
        assert text not in typed
        assert run(capsys, "neighbors", hostile_model, text, "--json") == (0, as_json(capsys, hostile_model, word), "")
    assert_refused(capsys, "neighbors", hostile_model, r"\x1b[31mREd", said=r"differs only in case: \x1b[31mred")


def as_json(capsys, folder, word):
    nearest = fastw2v.load(folder).most_similar(word)
    return json.dumps({word: [{"word": near, "cosine": cosine} for near, cosine in nearest]}, indent=2) + "\n"


def test_words_go_into_a_pipe_as_they_are(hostile_model):
    command = [sys.executable, "-m", "fastw2v", "neighbors", hostile_model, "plain", r"evil\u202etxt"]
    for environment in ({}, {"PYTHONIOENCODING": "ascii"}):
        done = subprocess.run(command, capture_output=True, check=True, env=os.environ | environment)
        lines = [line.split(b"  ")[-1] for line in done.stdout.splitlines()]
        assert lines[0] == b"plain"
        assert set(lines[1:6]) == {word.encode("utf-8", "surrogateescape") for word in HOSTILE}
        assert lines[6] == "evil\u202etxt".encode()


def test_help_and_version(capsys):
    for arguments in (["--help"], ["train", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
    assert fastw2v.__version__ in capsys.readouterr().out


def test_closed_pipe_is_no_error(model):
    """As in `fastw2v neighbors ... | head -1`."""
    command = f"{sys.executable} -m fastw2v neighbors {model} t0w1 t0w2 t0w3 t0w4 -n 50 | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    "redirection",
    [
        "2>&1 >/dev/null | true",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("2>/dev/full", "2>&-", ">&-")),
        ">&- 2>&- <&-",
    ],
)
def test_training_outlives_its_screen(planted_file, tmp_path, redirection):
    command = f"{sys.executable} -m fastw2v train {planted_file} -o {tmp_path / 'm'} {' '.join(QUICK)} {redirection}"
    subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], check=True, timeout=120)
    assert fastw2v.load(tmp_path / "m").metadata["progress"]["complete"]


def test_errors_keep_their_exit_code_without_a_screen(model):
    command = f"{sys.executable} -m fastw2v neighbors {model} unknownword"
    for redirection in ("2>&-", "2>/dev/full", ">&-"):
        assert subprocess.run(["bash", "-c", f"{command} {redirection}"], capture_output=True).returncode == 2


def test_out_of_memory_is_one_line(capsys, planted_file, in_empty_folder, monkeypatch):
    from fastw2v.training import replica

    def refuse(*arguments):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(replica, "initial_matrices", refuse)
    assert_refused(capsys, "train", planted_file, "-o", "m", said=["out of memory", "9 TiB", "--vector-size"])
    assert not list(in_empty_folder.iterdir())


def test_one_word_is_warned_of_and_counted_as_one(capsys, in_empty_folder):
    (in_empty_folder / "corpus").write_text("a a a b\n")
    code, out, err = run(capsys, "train", "corpus", "-o", "m", *QUICK, "--max-vocab=1", "--sample=0")
    assert code == 0
    assert "warning: the vocabulary has one word, so nothing can be learnt" in err
    assert "4 tokens, 3 of them in the vocabulary of 1 word, 1 sentence; 1 worker (" in err
    assert "m: 1 word, vector_size 10" in out
    code, out, _ = run(capsys, "info", "m")
    assert re.search(r"^final_loss: \d\.\d{1,4}$", out, re.MULTILINE)
    _, out, _ = run(capsys, "prepare", "corpus", "-o", "p", "--min-count=1")
    assert out == "p: 4 tokens read, 4 in the vocabulary of 2 words, 1 sentence\n"
    assert_refused(capsys, "prepare", "corpus", "-o", "p", said=["no word occurs 5 times", "'a', 3 times"])
    (in_empty_folder / "corpus").write_text("a\n")
    assert_refused(capsys, "prepare", "corpus", "-o", "p", said=["has 1 distinct word, most often 'a', 1 time;"])


def test_export_says_what_its_formats_are(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "six decimals" in capsys.readouterr().out


def test_an_error_is_the_only_line(capsys, in_empty_folder):
    _, _, err = run(capsys, "train", "nowhere", "-o", "m")
    assert err.count("\n") == 1


def test_empty_names(capsys, planted_file, in_empty_folder):
    assert_refused(capsys, "train", planted_file, "-o", "", said="-o is an empty string")
    assert_refused(capsys, "train", "", "-o", "m", said="corpus is an empty string")
    assert not list(in_empty_folder.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("train x -o m -size 50", "there is no option '-size'; did you mean --vector-size? (see fastw2v train --help)"),
        ("train x -output m", "there is no option '-output'; did you mean --output?"),
        ("train x -o m --vector_size=50", "'--vector_size=50'; did you mean --vector-size?"),
        ("train x -o m -minCount 1", "did you mean --min-count?"),
        ("train x -o m -dim 50", "did you mean --vector-size?"),
        ("train x -o m -t 1e-4", "did you mean --sample?"),
        ("train x -o m --widow 3", "did you mean --window?"),
        ("train x -o m -cbow 1", "fastw2v trains skip-gram only"),
        ("train x -o m -hs 1", "fastw2v trains with negative sampling only"),
        ("train -train x -output m", "give the file without an option"),
        ("train --input x --output m", "there is no option '--input'; give the file without an option"),
        ("train x --out m", "there is no option '--out'; did you mean --output?"),
        ("train x -o m -saveOutput 1", "the model folder has all vectors"),
        ("train x -o m -label y", "fastw2v trains no classifier of texts"),
        ("graph x -o m --dimensions 8", "did you mean --vector-size?"),
        ("graph x -o m --extend", "there is no option '--extend' (see fastw2v graph --help)"),
        ("convert m --output v.txt", "there is no option '--output'; give the file without an option"),
        ("convert m -o v.txt", "there is no option '-o'; give the file without an option"),
        ("convert m v -binary 1", "did you mean --format?"),
        ("train x -o m -binary 1", "choose the format with fastw2v export"),
        ("neighbors m king -k 3", "did you mean -n?"),
        ("neighbors m -lrb-", "there is no option '-lrb-'; if it is a word, give it after --, as in -- -lrb- (see"),
        ("analogy m a --- c", "give it after --"),
        ("train x -window 5", "there is no option '-window'; did you mean --window?"),
        ("train x -o m --alpha -1", "--alpha is -1.0"),
        ("plot m -o x.png --topn 3", "did you mean --top?"),
        ("train x -o m --xyzzy 1", "there is no option '--xyzzy' (see"),
        ("info m more", "unexpected argument 'more' (see"),
        ("neighbors m king --topn 3", "did you mean -n?"),
        ("neighbours m king", "there is no command 'neighbours'; did you mean neighbors? (see fastw2v --help)"),
        ("nn m", "there is no command 'nn'; did you mean neighbors?"),
        ("skipgram -input x -dim 100", "there is no command 'skipgram'; did you mean train? fastText's"),
        ("cbow -input x", "fastw2v trains skip-gram only"),
        ("supervised -input x", "there is no command 'supervised'; fastw2v trains no classifier"),
        ("word2phrase -train x", "did you mean prepare --phrases 1?"),
        ("print_word_vectors m", "did you mean encode, or export for the whole vocabulary?"),
        ("xyzzy", "there is no command 'xyzzy'; the commands are train, prepare, "),
        (
            "-train x -size 100",
            "there is no option '-train' before a command: begin with one, as in fastw2v train TEXT",
        ),
        ("--version=2", "there is no option '--version=2' before a command"),
        ("train x -o -", "-o is '-', standard output, but the result is a folder: give its name"),
        ("graph x -o -", "-o is '-', standard output"),
        ("prepare x -o -", "-o is '-', standard output"),
        ("train x -o m --phrases 1", "fastw2v prepare joins phrases: prepare the text, then train on"),
        ("train x -o m --patience 2", "in Python, a callback can stop a run"),
        ("graph x -o m --undirected", "a file of edges is undirected unless you give --directed"),
    ],
)
def test_options_of_other_programs_are_answered_with_ours(capsys, in_empty_folder, arguments, said):
    assert_refused(capsys, *arguments.split(), said=said)
    assert not list(in_empty_folder.iterdir())


@pytest.mark.parametrize(("name", "is_told"), [("m.bin", True), ("m.v1", False), ("m", False)])
def test_a_folder_with_the_name_of_a_file_is_told(capsys, planted_file, in_empty_folder, name, is_told):
    code, _, err = run(capsys, "train", planted_file, "-o", name, "--epochs", "1", "--vector-size", "4")
    assert code == 0
    said = f"{name} is a model folder, whatever its name; for a file: fastw2v export {name} FILE"
    assert (said in err) is is_told


def test_a_prepared_folder_is_no_model(capsys, planted_file, in_empty_folder):
    run(capsys, "prepare", planted_file, "-o", "p")
    said = "p is not a model folder: it has no model.json but prepared.json: it is a prepared folder; train on it first"
    assert_refused(capsys, "neighbors", "p", "king", said=said)


def test_similarity_and_analogy(capsys, model):
    embeddings = fastw2v.load(model)
    code, out, _ = run(capsys, "similarity", model, "t0w1", "t0w2", "t1w1", "t0w1")
    assert code == 0
    assert out.splitlines()[0] == f"{embeddings.similarity('t0w1', 't0w2'):7.4f}  t0w1  t0w2"
    assert len(out.splitlines()) == 2
    code, out, _ = run(capsys, "similarity", model, "t0w1", "t0w2", "--json")
    assert json.loads(out) == [{"words": ["t0w1", "t0w2"], "cosine": embeddings.similarity("t0w1", "t0w2")}]
    code, out, _ = run(capsys, "analogy", model, "t0w1", "t0w2", "t1w1", "-n", "3")
    expected = embeddings.analogy("t0w1", "t0w2", "t1w1", topn=3)
    assert out.splitlines() == [f"{cosine:7.4f}  {word}" for word, cosine in expected]
    code, out, _ = run(capsys, "analogy", model, "t0w1", "t0w2", "t1w1", "--json")
    assert json.loads(out)["words"] == ["t0w1", "t0w2", "t1w1"]
    assert_refused(capsys, "similarity", model, "t0w1", said="WORD: 1 word: give two, or several pairs")
    assert_refused(capsys, "similarity", model, "t0w1", "T0W1", said="differs only in case: t0w1")
    assert_refused(capsys, "analogy", model, "t0w1", "t0w2", "nobody", said="the word 'nobody' is not in")
    assert_refused(capsys, "analogy", model, "t0w1", "t0w2", "t1w1", "-n", "0", said="-n is 0")
    assert_refused(capsys, "analogy", model, "t0w1", said="the following arguments are required: B, C")
    with pytest.raises(SystemExit) as left:
        main(["analogy", "--help"])
    assert left.value.code == 0


def test_convert_reads_and_writes_files_of_vectors(capsys, in_empty_folder):
    (in_empty_folder / "latin.txt").write_bytes("caf\xe9 1 2\nking 3 4\nqueen 5 6\n".encode("latin-1"))
    code, out, _ = run(capsys, "convert", "latin.txt", "v.vec.gz", "--limit", "2", "--encoding", "latin-1")
    assert code == 0
    assert "v.vec.gz: 2 words, vector_size 2, word2vec-text" in out
    assert list(fastw2v.load("v.vec.gz").words) == ["caf\xe9", "king"]
    assert_refused(capsys, "convert", "latin.txt", "w.vec", "--limit", "0", said="error: --limit is 0: give a whole")
    assert_refused(capsys, "export", "latin.txt", "w.vec", "--encoding", "x", said="error: --encoding is 'x': give the")
    assert_refused(capsys, "convert", "latin.txt", "w.vec", "--encoding", "nonsense", said="nonsense")


EDGES = "".join(f"n{i}\tn{(i + step) % 30}\t{step}\n" for i in range(30) for step in (1, 2))
OF_GRAPH = ["--vector-size=10", "--epochs=1", "--workers=1", "--walk-length=20", "--num-walks=4"]


def test_from_edges_to_neighbours(capsys, in_empty_folder, monkeypatch):
    (in_empty_folder / "edges.tsv").write_text(EDGES)
    code, out, err = run(capsys, "graph", "edges.tsv", "-o", "m", "--p=0.5", "--q=2", *OF_GRAPH)
    assert code == 0, err
    assert out == "m: 30 nodes, vector_size 10\n"
    assert "graph: 30 nodes, 60 edges, undirected, weighted" in err
    code, out, _ = run(capsys, "neighbors", "m", "n7", "-n", "3")
    assert code == 0
    assert len(out.splitlines()) == 3
    code, out, _ = run(capsys, "info", "m", "--json")
    assert json.loads(out)["corpus"]["graph"] == {
        "p": 0.5, "q": 2.0, "walk_length": 20, "num_walks": 4, "weighted": True, "directed": None,
    }  # fmt: skip
    code, _, err = run(capsys, "graph", "edges.tsv", "-o", "m", "--p=0.5", "--q=2", *OF_GRAPH, "--resume", "--epochs=2")
    assert code == 0, err
    assert "resuming at token 2,400 of 4,800" in err
    more = ["--directed", "--unweighted", "--seed=2"]
    code, _, err = run(capsys, "graph", "edges.tsv", "-o", "other", *more, *OF_GRAPH)
    assert code == 0, err
    assert "graph: 30 nodes, 60 edges, directed, unweighted" in err


def test_what_graph_refuses(capsys, in_empty_folder):
    (in_empty_folder / "edges.tsv").write_text(EDGES)
    (in_empty_folder / "bad.tsv").write_text("a b 1\nc d x\n")
    for arguments, said in (
        (["nowhere"], "cannot read nowhere: No such file"),
        (["bad.tsv"], "line 2 of bad.tsv has the weight 'x', not a number: correct it, or give --unweighted"),
        (["edges.tsv", "--p=0"], "--p is 0.0: give a number from 1e-09 to 1e+09"),
        (["edges.tsv", "--walk-length=x"], "'x' is not a whole number"),
        (["edges.tsv", "--num-walks=0"], "--num-walks is 0: give a whole number"),
        (["edges.tsv", "--min-count=2"], "there is no option '--min-count=2"),
        (["edges.tsv", "--window=0"], "--window is 0"),
    ):
        assert_refused(capsys, "graph", *arguments, "-o", "m", said=said)
    assert not (in_empty_folder / "m" / "model.json").exists()
    assert run(capsys, "graph", "edges.tsv", "-o", "m", *OF_GRAPH)[0] == 0
    said = "--q is 2.0, but m was trained on walks with 1.0: give that value to resume, or train into another folder"
    assert_refused(capsys, "graph", "edges.tsv", "-o", "m", "--q=2", *OF_GRAPH, "--resume", said=said)
    for flag in ("--directed", "--unweighted"):
        said = f"m was trained on walks without {flag}: omit it to resume, or train into another folder"
        assert_refused(capsys, "graph", "edges.tsv", "-o", "m", flag, *OF_GRAPH, "--resume", said=said)
