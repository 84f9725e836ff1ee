"""Prepared folders: what is written, what is refused, what is left behind."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import ConfigError, CorpusError, FolderError
from fastw2v.prepared import check_ids, open_prepared, opened
from fastw2v.staging import staged

TEXT = "the cat sat\non the mat\n\nthe dog\nxyzzy\n" * 3


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def as_sentences(corpus):
    words = corpus.vocab.words
    return [[words[i] for i in corpus.ids[a:b]] for a, b in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)]


def test_prepare_writes_what_it_says(text, tmp_path):
    corpus = fastw2v.prepare(text, tmp_path / "p", min_count=1)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "ids.npy",
        "offsets.npy",
        "prepared.json",
        "vocab.tsv",
    ]
    assert as_sentences(corpus) == [line.split() for line in TEXT.splitlines() if line]
    assert corpus.ids.dtype == np.int32
    assert corpus.offsets.dtype == np.int64
    assert corpus.tokens_read == len(TEXT.split())


def test_words_below_min_count_leave_the_stream_but_not_their_sentence(text, tmp_path):
    corpus = fastw2v.prepare(text, tmp_path / "p", min_count=4)
    assert list(corpus.vocab.words) == ["the"]
    assert as_sentences(corpus) == [["the"], ["the"], ["the"], []] * 3
    assert corpus.tokens_read == len(TEXT.split())


def test_iterable_and_generator_equal_text(text, tmp_path):
    from_text = fastw2v.prepare(text, tmp_path / "a", min_count=1)
    lines = [line.split() for line in TEXT.splitlines()]
    for name, given in (("b", lines), ("c", (line for line in lines))):
        other = fastw2v.prepare(given, tmp_path / name, min_count=1)
        np.testing.assert_array_equal(other.ids, from_text.ids)
        np.testing.assert_array_equal(other.offsets, from_text.offsets)
        assert list(other.vocab.words) == list(from_text.vocab.words)


def test_open_again(text, tmp_path):
    first = fastw2v.prepare(text, tmp_path / "p", min_count=2, max_vocab=3)
    again = open_prepared(tmp_path / "p")
    np.testing.assert_array_equal(first.ids, again.ids)
    assert (again.min_count, again.max_vocab) == (2, 3)
    assert len(again.vocab) == 3


def test_failed_preparation_leaves_nothing(text, tmp_path):
    with pytest.raises(CorpusError, match="no word occurs"):
        fastw2v.prepare(text, tmp_path / "deep" / "p", min_count=100)
    assert not (tmp_path / "deep").exists()


def test_failed_preparation_keeps_the_old_folder(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()}
    with pytest.raises(CorpusError, match="no word occurs"):
        fastw2v.prepare(text, tmp_path / "p", min_count=100)
    assert {path.name: path.read_bytes() for path in (tmp_path / "p").iterdir()} == before


@pytest.mark.parametrize("damage", ["missing", "truncated", "not an array", "other dtype", "out of range", "offsets"])
def test_damaged_folder_is_refused(text, tmp_path, damage):
    folder = tmp_path / "p"
    n_tokens = len(fastw2v.prepare(text, folder, min_count=1).ids)
    ids = folder / "ids.npy"
    if damage == "missing":
        ids.unlink()
    elif damage == "truncated":
        ids.write_bytes(ids.read_bytes()[:-4])
    elif damage == "not an array":
        ids.write_bytes(b"garbage")
    elif damage == "other dtype":
        np.save(ids, np.zeros(n_tokens, np.int64))
    elif damage == "out of range":
        np.save(ids, np.full(n_tokens, 99, np.int32))
    else:
        np.save(folder / "offsets.npy", np.array([0, 5, 3, n_tokens]))
    with pytest.raises(FolderError, match=r"ids|offsets"):
        open_prepared(folder)


def test_pickles_are_never_loaded(text, tmp_path):
    folder = tmp_path / "p"
    fastw2v.prepare(text, folder, min_count=1)
    np.save(folder / "ids.npy", np.array([{"evil": True}], dtype=object))
    with pytest.raises(FolderError, match=r"ids\.npy"):
        open_prepared(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "other"}', '{"format": "fastw2v-prepared"}'])
def test_bad_manifest(text, tmp_path, content):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    (tmp_path / "p" / "prepared.json").write_text(content)
    with pytest.raises(FolderError, match=r"prepared\.json"):
        open_prepared(tmp_path / "p")


def test_sizes_must_agree(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    manifest = tmp_path / "p" / "prepared.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"tokens": 5}))
    with pytest.raises(FolderError, match="sizes"):
        open_prepared(tmp_path / "p")


def test_other_min_count_than_prepared_with_is_an_error(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    with (
        pytest.raises(ConfigError, match=r"min_count is 3, but .* was made with 1"),
        opened(tmp_path / "p", None, 3, None),
    ):
        pass
    with opened(tmp_path / "p", None, 1, None) as corpus:
        assert corpus.min_count == 1


@pytest.mark.parametrize(
    ("ids", "offsets", "said"),
    [
        (np.zeros(3), [0, 3], "float64"),
        (["a"], [0, 1], "give a one-dimensional int32 array"),
        (np.zeros((3, 1), np.int32), [0, 3], "shape"),
        (np.zeros(3, np.int32), [0, 2], "from 0 to the number of ids, 3"),
        (np.zeros(3, np.int32), [1, 3], "from 0"),
        (np.zeros(3, np.int32), [0, 3, 1, 3], "decrease"),
        (np.array([0, -1, 1], np.int32), [0, 3], "holds -1"),
        (np.array([0, 5, 1], np.int32), [0, 3], "holds 5: every id must be from 0 to 4"),
        (np.zeros(3, np.int32), np.array([0, 3.0]), "offsets is float64"),
        (np.array([0, 2**40], np.int64), [0, 2], "holds 1099511627776"),
    ],
)
def test_ids_are_checked_before_a_kernel_sees_them(ids, offsets, said):
    offsets = offsets if isinstance(offsets, np.ndarray) else np.array(offsets, np.int64)
    with pytest.raises(CorpusError, match=said):
        check_ids(ids, offsets, 5)


def test_other_integers_are_converted():
    ids, offsets = check_ids([0, 1, 1], np.array([0, 3], np.int32), 2)
    assert (ids.dtype, offsets.dtype) == (np.int32, np.int64)
    assert not ids.flags.writeable
    given = np.array([0, 1], np.int32)
    assert check_ids(given, [0, 2], 2)[0].base is given  # no copy where none is needed
    assert given.flags.writeable


def test_staged_folder_appears_complete_or_not_at_all(tmp_path):
    def write(partial, fail=False):
        (partial / "a").write_text("new")
        if fail:
            (partial / "nowhere" / "b").write_text("no such folder")
        (partial / "m.json").write_text("new")
        (partial / "scratch").mkdir()

    target = tmp_path / "x" / "y"
    with pytest.raises(FileNotFoundError), staged(target, "m.json", "thing") as partial:
        write(partial, fail=True)
    assert not (tmp_path / "x").exists()
    with staged(target, "m.json", "thing") as partial:
        write(partial)
        assert not (target / "m.json").exists()
    assert sorted(path.name for path in target.iterdir()) == ["a", "m.json"]


def test_staged_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "precious").write_text("data")
    with pytest.raises(FolderError, match="exists and is not a thing folder"), staged(tmp_path, "m.json", "thing"):
        pass
    assert (tmp_path / "precious").read_text() == "data"
    with pytest.raises(FolderError, match="is not a folder"), staged(tmp_path / "precious", "m.json", "thing"):
        pass


def test_staged_refuses_a_second_writer(tmp_path):
    code = "import sys; from pathlib import Path; from fastw2v.staging import staged\n"
    code += "with staged(Path(sys.argv[1]), 'm.json', 'thing'): pass"
    with staged(tmp_path / "x", "m.json", "thing") as partial:
        (partial / "m.json").write_text("mine")
        refused = pytest.raises(FolderError, match="is being written by another run")
        with refused, staged(tmp_path / "x", "m.json", "thing"):
            pass
        done = subprocess.run([sys.executable, "-c", code, tmp_path / "x"], capture_output=True, text=True)
        assert "is being written by another run" in done.stderr
    assert (tmp_path / "x" / "m.json").read_text() == "mine"


def test_staged_takes_over_from_a_killed_run(tmp_path):
    (tmp_path / ".partial" / "corpus").mkdir(parents=True)
    (tmp_path / ".partial" / "V.npy").write_text("left over")
    with staged(tmp_path, "m.json", "thing") as partial:
        assert not list(partial.iterdir())
        (partial / "m.json").write_text("{}")
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def parts(folder, content):
    for name in ("V.npy", "vocab.tsv", "model.json"):
        (folder / name).write_text(content)


def read_parts(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("nth", range(6))
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), KeyboardInterrupt()])
def test_publishing_that_fails_puts_the_old_files_back(tmp_path, monkeypatch, nth, error):
    from fastw2v import staging

    target = tmp_path / "m"
    target.mkdir()
    parts(target, "old")
    (target / "U.npy").write_text("old")
    (target / "notes.txt").write_text("the user's")
    before = read_parts(target)
    calls, real = [], staging.os.rename

    def rename(a, b):
        calls.append(a)
        if len(calls) == nth + 1:
            raise error
        real(a, b)

    monkeypatch.setattr(staging.os, "rename", rename)
    with pytest.raises((FolderError, KeyboardInterrupt)), staged(target, "model.json", "model") as partial:
        parts(partial, "new")
    assert read_parts(target) == before
    assert not (target / ".partial").exists()


def test_publishing_leaves_no_stale_part_and_no_stranger_touched(tmp_path):
    parts(tmp_path, "old")
    (tmp_path / "U.npy").write_text("stale")
    (tmp_path / "notes.txt").write_text("the user's")
    with staged(tmp_path, "model.json", "model") as partial:
        parts(partial, "new")
    assert read_parts(tmp_path) == {
        "V.npy": "new",
        "vocab.tsv": "new",
        "model.json": "new",
        "notes.txt": "the user's",
    }


KILLED = """
import os, shutil, sys
from pathlib import Path
from fastw2v import staging

folder, fatal, keep = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "keep"
steps = 0

def fatal_step(real):
    def step(*arguments, **keywords):
        global steps
        steps += 1
        if steps == fatal:
            os._exit(9)  # as SIGKILL would: no handler, no finally
        return real(*arguments, **keywords)
    return step

with staging.staged(folder, "model.json", "model") as partial:
    for name in ("V.npy", "U.npy", "model.json"):
        (partial / name).write_text("new")
    if keep:
        (partial / staging.KEEP_PREVIOUS).touch()
    for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync"):
        setattr(os, name, fatal_step(getattr(os, name)))
"""


@pytest.mark.parametrize("keep", ["keep", "drop"])
@pytest.mark.parametrize("had", [True, False])
def test_a_run_killed_at_any_step_of_publishing_leaves_one_whole_model(tmp_path, keep, had):
    whole = {"old": {"V.npy": "old", "vocab.tsv": "old", "model.json": "old"} if had else {}}
    whole["new"] = {"V.npy": "new", "U.npy": "new", "model.json": "new"}
    seen = []
    for fatal in range(1, 40):
        target = tmp_path / str(fatal)
        target.mkdir()
        if had:
            parts(target, "old")
        killed = subprocess.run([sys.executable, "-c", KILLED, target, str(fatal), keep]).returncode == 9
        with pytest.raises(KeyError), staged(target, "model.json", "model"):
            raise KeyError  # the next run fails: what it finds must be whole all the same
        found = read_parts(target) if target.exists() else {}
        assert found in whole.values()
        if keep == "keep" and had and found == whole["new"]:
            assert read_parts(target / "previous") == whole["old"]
        assert not (target / ".partial").exists()
        seen.append(found == whole["new"])
        if not killed:
            break
    assert not killed
    assert seen == sorted(seen)  # once published, never taken back
    assert seen[-1]
    assert not seen[0]


def test_a_file_named_previous_is_no_reason_to_lose_the_finished_model(tmp_path):
    from fastw2v import staging

    parts(tmp_path, "old")
    (tmp_path / "previous").write_text("the user's")
    before = read_parts(tmp_path)
    with pytest.raises(FolderError, match="in the way"), staged(tmp_path, "model.json", "model") as partial:
        [(partial / name).write_text("new") for name in ("V.npy", "model.json", staging.KEEP_PREVIOUS)]
    assert read_parts(tmp_path) == before


def test_a_claim_that_fails_gives_the_lock_back(tmp_path, monkeypatch):
    from fastw2v import staging

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(staging, "_settle", refuse)
        with pytest.raises(FolderError, match="Permission denied"), staged(tmp_path / "m", "m.json", "thing"):
            pass
    with staged(tmp_path / "m", "m.json", "thing") as partial:
        (partial / "m.json").write_text("{}")


def test_ctrl_c_while_publishing_waits_until_it_is_done(tmp_path, monkeypatch):
    from fastw2v import staging

    real = staging.os.fsync

    def interrupted_fsync(descriptor):
        signal.raise_signal(signal.SIGINT)
        real(descriptor)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(staging.os, "fsync", interrupted_fsync)
    try:
        with pytest.raises(KeyboardInterrupt), staged(tmp_path, "one.json", "model") as partial:
            (partial / "one.json").write_text("new")
        assert read_parts(tmp_path) == {"one.json": "new"}
        names = ["one.json", "two", "three", "four"]  # one Ctrl-C each: none gets through before the end
        with pytest.raises(KeyboardInterrupt, match="was saved"), staged(tmp_path, "one.json", "model") as partial:
            [(partial / name).write_text("newer") for name in names]
        assert read_parts(tmp_path) == dict.fromkeys(names, "newer")
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    """With a limit on the size of files in place of a small disk."""
    (tmp_path / "text").write_text("a b c d e f g h\n" * 30_000)
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    code += "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000));"
    code += "from fastw2v.cli import main; sys.exit(main(sys.argv[1:]))"
    for command in ("prepare", "train"):
        run = [sys.executable, "-c", code, command, tmp_path / "text", "-o", tmp_path / "out"]
        done = subprocess.run(run, capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].startswith(f"fastw2v: error: cannot write {tmp_path / 'out'}: ")
        assert not (tmp_path / "out").exists()


def test_a_list_of_one_prepared_folder(text, tmp_path):
    fastw2v.prepare(text, tmp_path / "p", min_count=1)
    with opened([tmp_path / "p"], None, None, None) as corpus:
        assert corpus.min_count == 1
    with pytest.raises(ConfigError, match="max_vocab is 2"), opened([tmp_path / "p"], None, None, 2):
        pass


def test_standard_input_that_does_not_wait(tmp_path):
    """A pipe in non-blocking mode whose writer pauses is read to its end all the same."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    run = [sys.executable, "-m", "fastw2v", "prepare", "-", "-o", tmp_path / "p", "--min-count=1"]
    process = subprocess.Popen(run, stdin=read_end, stdout=subprocess.PIPE, text=True)
    os.close(read_end)
    for _ in range(3):
        os.write(write_end, b"ten words of text to be read by the program\n")
        time.sleep(1)
    os.close(write_end)
    said, _ = process.communicate(timeout=60)
    assert "30 tokens read" in said
