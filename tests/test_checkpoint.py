"""A run can be stopped at any moment, by anybody, and resumes where it stopped."""

import contextlib
import ctypes
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import planted_sentences, wait_for_chunks

import fastw2v
import fastw2v.cli
from fastw2v import embeddings
from fastw2v.errors import ConfigError, CorpusError, DivergedError, FastW2VWarning, FolderError
from fastw2v.files import staging
from fastw2v.files.manifest import checksum
from fastw2v.kernels import tile
from fastw2v.training import checkpoint, driver, replica
from fastw2v.training import run as runs

KERNELS = pytest.mark.parametrize("kernel", ["tile", "pair"])
QUICK = {"vector_size": 10, "epochs": 3, "workers": 1, "progress": False, "min_count": 1}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Tiles although the corpora are too small for them, and chunks of a few thousand tokens."""
    monkeypatch.setattr(tile, "LEAST_TILES", 1)
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 3_000)


def corpus(n_sentences=3000):
    return list(planted_sentences(n_sentences))


def stop_at(chunk):
    """A callback that stops a run at its n-th chunk."""
    seen = []

    def stop(progress, embeddings):
        seen.append(progress)
        return len(seen) == chunk

    return stop


def assert_same_run(a, b):
    np.testing.assert_array_equal(a.vectors, b.vectors)
    np.testing.assert_array_equal(a.outside, b.outside)
    for name in ("complete", "epoch", "tokens", "tokens_total", "tokens_trained", "pairs", "alpha", "rng"):
        assert a.metadata["progress"][name] == b.metadata["progress"][name], name
    for name in ("pairs", "tokens_trained"):
        assert sum(record[name] for record in a.metrics) == sum(record[name] for record in b.metrics)


# ------------------------------------------------------------------------------------------------------ resuming


@KERNELS
def test_resumed_equals_uninterrupted(planted_file, tmp_path, kernel):
    whole = fastw2v.train(planted_file, **QUICK, kernel=kernel)
    n_chunks = len(whole.metrics)
    assert n_chunks > 6
    for stop in (1, 2, n_chunks // 2, n_chunks - 1):
        folder = tmp_path / str(stop)
        stopped = fastw2v.train(planted_file, output=folder, callbacks=[stop_at(stop)], **QUICK, kernel=kernel)
        assert not stopped.metadata["progress"]["complete"]
        resumed = fastw2v.train(planted_file, output=folder, resume=True, progress=False)  # options are the run's
        assert_same_run(resumed, whole)
        assert_same_run(fastw2v.load(folder), whole)
        assert [r["tokens"] for r in resumed.metrics] == sorted({r["tokens"] for r in resumed.metrics})
        assert sorted(path.name for path in folder.iterdir()) == [
            "U.npy", "V.npy", "cache", "metrics.jsonl", "model.json", "vocab.tsv",
        ]  # fmt: skip


def test_resumed_again_and_again(planted_file, tmp_path):
    whole = fastw2v.train(planted_file, **QUICK)
    for _ in range(len(whole.metrics) - 1):
        fastw2v.train(planted_file, output=tmp_path, resume=True, callbacks=[stop_at(1)], **QUICK)
    assert_same_run(fastw2v.train(planted_file, output=tmp_path, resume=True, **QUICK), whole)


def test_many_workers_go_on_too(planted_file, tmp_path, capsys):
    options = QUICK | {"workers": 2}
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(3)], **options)
    resumed = fastw2v.train(planted_file, output=tmp_path, resume=True)
    assert resumed.metadata["progress"]["complete"]
    assert resumed.metadata["progress"]["tokens_trained"] == sum(r["tokens_trained"] for r in resumed.metrics)
    assert "Hogwild: not bit-identical to a run without interruption" in capsys.readouterr().err


def test_train_ids_goes_on(tmp_path):
    ids = np.random.default_rng(0).integers(0, 50, 20_000).astype(np.int32)
    offsets = np.arange(0, 20_001, 10)
    options = {"n_words": 50, "epochs": 3, "vector_size": 8, "workers": 1, "progress": False}
    whole = fastw2v.train_ids(ids, offsets, **options)
    fastw2v.train_ids(ids, offsets, output=tmp_path, callbacks=[stop_at(3)], **options)
    assert_same_run(fastw2v.train_ids(ids, offsets, output=tmp_path, resume=True, **options), whole)
    with pytest.raises(CorpusError, match="not the corpus of the run"):
        fastw2v.train_ids(ids[::-1][:-10], offsets[:-1], output=tmp_path, resume=True, **options)


def test_nothing_to_go_on_with_is_a_new_run(planted_file, tmp_path, capsys):
    whole = fastw2v.train(planted_file, **QUICK)
    new = fastw2v.train(planted_file, output=tmp_path / "m", resume=True, **QUICK | {"progress": True})
    assert "holds no run to resume: starting a new one" in capsys.readouterr().err
    assert_same_run(new, whole)


def test_a_complete_run_has_nothing_to_do(planted_file, tmp_path, capsys):
    whole = fastw2v.train(planted_file, output=tmp_path / "m", **QUICK)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "m").iterdir()}
    again = fastw2v.train(planted_file, output=tmp_path / "m", resume=True)
    assert "is already complete (3 epochs); use a larger epochs to continue" in capsys.readouterr().err
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "m").iterdir()} == before
    assert_same_run(again, whole)


def test_more_epochs_go_on_with_the_rate_of_a_longer_run(planted_file, tmp_path, capsys):
    first = fastw2v.train(planted_file, output=tmp_path, **QUICK | {"alpha": 0.04, "min_alpha": 0.01})
    more = fastw2v.train(
        planted_file, output=tmp_path, resume=True, epochs=5, callbacks=[stop_at(2)], checkpoint_every=1e-9
    )
    assert "epochs 3 before, 5 now" in capsys.readouterr().err
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "previous").vectors, first.vectors)
    more = fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)
    assert not (tmp_path / "previous").exists()  # until the longer run is complete
    progress = more.metadata["progress"]
    assert progress["complete"]
    assert progress["tokens_total"] == 5 * progress["tokens_total"] // 5 == more.metrics[-1]["tokens"]
    total = progress["tokens_total"]
    for record in more.metrics[len(first.metrics) :]:
        assert record["epoch"] > 3
        assert record["alpha"] == pytest.approx(0.04 - 0.03 * record["tokens"] / total)
    assert not np.array_equal(more.vectors, first.vectors)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vector_size": 11}, "vector_size is 11, but .* was trained with 10"),
        ({"window": 2}, "window is 2"),
        ({"kernel": "pair"}, "kernel is 'pair'"),
        ({"min_count": 2}, "min_count is 2"),
        ({"seed": 5}, "seed is 5"),
        ({"epochs": 1}, r"epochs is 1, but the run in .* has done 1\.\d+: use a larger number"),
    ],
)
def test_options_that_are_not_those_of_the_run(planted_file, tmp_path, options, said):
    n_chunks = len(fastw2v.train(planted_file, **QUICK).metrics)
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(n_chunks // 3 + 2)], **QUICK)
    before = (tmp_path / "model.json").read_bytes()
    with pytest.raises(ConfigError, match=said):
        fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False, **options)
    assert (tmp_path / "model.json").read_bytes() == before


def test_an_end_where_the_run_stands(planted_file, tmp_path):
    stop = [lambda progress, embeddings: progress.tokens == progress.tokens_total // 3]
    fastw2v.train(planted_file, output=tmp_path, callbacks=stop, **QUICK)
    with pytest.raises(ConfigError, match=r"epochs is 1, but .* has done 1\.00: use a larger number"):
        fastw2v.train(planted_file, output=tmp_path, resume=True, epochs=1)


def test_a_corpus_that_is_not_that_of_the_run(tmp_path):
    fastw2v.train(corpus(), output=tmp_path, callbacks=[stop_at(2)], **QUICK)
    reordered = corpus()[:500] + corpus()[:499:-1]  # the same words, counts and first appearances
    for other in (corpus(2999), [*corpus()[1:], [*corpus()[0], "new"]], [s + s for s in corpus()], reordered):
        with pytest.raises(CorpusError, match="not the corpus of the run in"):
            fastw2v.train(other, output=tmp_path, resume=True, progress=False)


@pytest.mark.parametrize("workers", [(1, 3), (3, 1), (2, 3)])
def test_another_worker_count_works_and_is_said(planted_file, tmp_path, capsys, workers):
    before, now = workers
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK | {"workers": before})
    stopped = fastw2v.load(tmp_path).metadata["progress"]
    assert len(stopped["rng"]) == before
    resumed = fastw2v.train(planted_file, output=tmp_path, resume=True, workers=now)
    assert f"not bit-identical to a run without interruption: workers {before} before, {now} now" in (
        capsys.readouterr().err
    )
    rng = resumed.metadata["progress"]["rng"]
    assert len(rng) == len(set(rng)) == max(workers)
    assert rng[now:] == stopped["rng"][now:]  # streams of idle workers wait
    assert resumed.metadata["progress"]["complete"]


def test_another_machine_or_version_is_doubtful(planted_file, tmp_path, capsys, monkeypatch):
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK)
    monkeypatch.setattr(runs, "host_cpu", lambda: "another")
    monkeypatch.setattr(runs, "features_digest", lambda: "fewer")
    monkeypatch.setattr(runs, "versions", lambda: {"fastw2v": "9.9", "numba": "1", "numpy": np.__version__})
    pattern = r"not bit-identical .*: fastw2v \S+ before, 9\.9 now; numba \S+ before, 1 now; cpu.*features \w+ before"
    with pytest.warns(FastW2VWarning, match=pattern):
        fastw2v.train(planted_file, output=tmp_path, resume=True, callbacks=[stop_at(1)], progress=False)
    capsys.readouterr()
    monkeypatch.setattr(runs, "host_cpu", lambda: "a third")
    fastw2v.train(planted_file, output=tmp_path, resume=True, workers=2)  # two runs of Hogwild differ in any case
    assert re.search(r"not bit-identical .*; cpu another before, a third now", capsys.readouterr().err)


def test_the_same_machine_is_said(planted_file, tmp_path, capsys):
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK)
    fastw2v.train(planted_file, output=tmp_path, resume=True)
    assert "; bit-identical to a run without interruption" in capsys.readouterr().err


def test_what_an_earlier_resume_met_is_said_again(planted_file, tmp_path, capsys):
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK)
    for options in ({"workers": 2}, {"workers": 1}, {"epochs": 4}):
        fastw2v.train(planted_file, output=tmp_path, resume=True, callbacks=[stop_at(1)], progress=False, **options)
    capsys.readouterr()
    fastw2v.train(planted_file, output=tmp_path, resume=True)
    assert (
        "; not bit-identical to a run without interruption: workers 1 before, 2 now (earlier); "
        "workers 2 before, 1 now (earlier); epochs 3 before, 4 now (earlier)\n" in capsys.readouterr().err
    )


def test_resume_without_an_output(planted_file):
    with pytest.raises(ConfigError, match="resume needs an output"):
        fastw2v.train(planted_file, resume=True)


@pytest.mark.parametrize("minutes", [0, -1, float("nan"), "10", None, True])
def test_checkpoint_every_out_of_range(planted_file, minutes):
    with pytest.raises(ConfigError, match="checkpoint_every is"):
        fastw2v.train(planted_file, checkpoint_every=minutes)


# ----------------------------------------------------------------------------------------------------- when


def test_saved_at_the_end_of_each_epoch_and_after_the_time(planted_file, tmp_path, monkeypatch):
    saved = []
    real = checkpoint.Checkpoints._write

    def write(self, still, matrices):
        saved.append(still.metadata["progress"]["tokens"])
        real(self, still, matrices)

    monkeypatch.setattr(checkpoint.Checkpoints, "_write", write)
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 0)  # at once, so that none is put off
    whole = fastw2v.train(planted_file, output=tmp_path / "a", **QUICK)
    total = whole.metadata["progress"]["tokens_total"]
    assert saved == [total // 3, 2 * total // 3, total]
    saved.clear()
    every = fastw2v.train(planted_file, output=tmp_path / "b", checkpoint_every=1e-9, **QUICK)
    assert saved == [record["tokens"] for record in every.metrics]
    assert_same_run(every, whole)


def test_training_goes_on_while_a_checkpoint_is_written(planted_file, tmp_path, monkeypatch):
    """It stops for a copy, which later updates do not reach; what comes due meanwhile is not forgotten."""
    writing, may_end, chunks, copies = threading.Event(), threading.Event(), [], []
    real = checkpoint.Checkpoints._write

    def write(self, still, matrices):
        if threading.current_thread() is not threading.main_thread():
            copies.append((still.metadata["progress"]["tokens"], matrices[0].copy()))
            writing.set()
            assert may_end.wait(60)
            np.testing.assert_array_equal(matrices[0], copies[-1][1])
        real(self, still, matrices)

    def watch(progress, embeddings):
        chunks.append(progress.tokens)
        if len(chunks) == 6:
            assert writing.is_set()
            assert not (tmp_path / "model.json").exists()
            may_end.set()

    monkeypatch.setattr(checkpoint.Checkpoints, "_write", write)
    monkeypatch.setattr(checkpoint, "IN_PAGE_CACHE", 1e18)  # however small they are
    whole = fastw2v.train(planted_file, output=tmp_path, checkpoint_every=1e-9, callbacks=[watch], **QUICK)
    assert copies[0][0] == chunks[0]
    assert_same_run(fastw2v.load(tmp_path), whole)


def test_a_small_checkpoint_is_not_copied_in_memory(planted_file, tmp_path, monkeypatch):
    """It is written before training continues, and reaches the disk meanwhile; only then is it in the folder."""
    publishing, may_end, chunks = threading.Event(), threading.Event(), []
    threads = []
    real_parts, real_publish = checkpoint.Checkpoints._write_parts, checkpoint.publish

    def write_parts(self, still, matrices):
        threads.append(threading.current_thread())
        assert np.shares_memory(matrices[0], still.vectors)
        real_parts(self, still, matrices)

    def publish(*arguments):
        if threading.current_thread() is not threading.main_thread():
            publishing.set()
            assert may_end.wait(60)
        real_publish(*arguments)

    def watch(progress, embeddings):
        chunks.append(progress.tokens)
        if len(chunks) == 6:
            assert publishing.wait(60)
            assert len(threads) == 1
            assert not (tmp_path / "model.json").exists()
            assert read_tokens(tmp_path / ".partial" / checkpoint.FOLDER) == chunks[0]
            may_end.set()

    def read_tokens(folder):
        return json.loads((folder / "model.json").read_text())["progress"]["tokens"]

    monkeypatch.setattr(checkpoint.Checkpoints, "_write_parts", write_parts)
    monkeypatch.setattr(checkpoint, "publish", publish)
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 1 << 40)
    whole = fastw2v.train(planted_file, output=tmp_path, checkpoint_every=1e-9, callbacks=[watch], **QUICK)
    assert set(threads) == {threading.main_thread()}
    assert_same_run(fastw2v.load(tmp_path), whole)


def test_the_main_thread_ends_before_the_training(planted_file, tmp_path):
    """An interpreter that waits for its last threads takes no more work into pools."""
    code = """
import sys, threading
import fastw2v
from fastw2v.training import driver
driver.CHUNK_SECONDS, driver.FIRST_CHUNK = 0, 3_000
began = threading.Event()
def wait(progress, embeddings):
    began.set()
    threading.main_thread().join()
options = dict(vector_size=10, epochs=3, workers=1, min_count=1, progress=False, kernel="pair")
train = lambda: fastw2v.train(sys.argv[1], output=sys.argv[2], callbacks=[wait], checkpoint_every=1e-9, **options)
threading.Thread(target=train).start()
began.wait()
"""
    done = subprocess.run([sys.executable, "-c", code, planted_file, tmp_path / "m"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_run(fastw2v.load(tmp_path / "m"), fastw2v.train(planted_file, **QUICK, kernel="pair"))


def test_no_memory_for_a_copy(planted_file, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 1000)
    threads = []
    real = checkpoint.Checkpoints._write

    def write(self, still, matrices):
        threads.append(threading.current_thread())
        assert np.shares_memory(matrices[0], still.vectors)
        real(self, still, matrices)

    monkeypatch.setattr(checkpoint.Checkpoints, "_write", write)
    whole = fastw2v.train(planted_file, output=tmp_path, **QUICK)
    assert threads == [threading.main_thread()] * 3
    assert_same_run(fastw2v.load(tmp_path), whole)


def test_a_checkpoint_is_a_model(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 0)
    seen = []

    def look(progress, embeddings):
        if (tmp_path / "model.json").exists():
            model = fastw2v.load(tmp_path)
            seen.append(model.metadata["progress"]["tokens"])
            assert len(model.most_similar("all0")) == 10
            assert len(model.metrics) == sum(record["tokens"] <= seen[-1] for record in model.metrics)

    fastw2v.train(corpus(), output=tmp_path, callbacks=[look], checkpoint_every=1e-9, **QUICK)
    assert len(set(seen)) > 3


def test_reading_while_a_checkpoint_is_put_in_place(two_checkpoints, tmp_path, monkeypatch):
    """All opened files are of one state."""
    folder = tmp_path / "m"
    shutil.copytree(two_checkpoints / "early", folder)
    real, opened = embeddings.load_array, []

    def load_array(path, dtype):
        opened.append(path.name)
        if opened == ["V.npy", "U.npy"]:
            shutil.copytree(two_checkpoints / "late", folder, dirs_exist_ok=True)
        return real(path, dtype)

    monkeypatch.setattr(embeddings, "load_array", load_array)
    assert_same_run(fastw2v.load(folder), fastw2v.load(two_checkpoints / "late"))


def test_what_a_callback_does_to_the_metadata_stays_with_it(planted_file, tmp_path):
    def spoil(progress, embeddings):
        embeddings.metadata["config"]["window"] = object()
        embeddings.metadata["progress"].clear()

    fastw2v.train(planted_file, output=tmp_path, callbacks=[spoil], **QUICK)
    assert checkpoint.read_state(tmp_path).complete


def test_a_callback_that_changes_the_working_directory(planted_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    fastw2v.train(planted_file, output="m", callbacks=[lambda *_: os.chdir(tmp_path / "elsewhere")], **QUICK)
    assert fastw2v.load(tmp_path / "m").metadata["progress"]["complete"]
    assert not any((tmp_path / "elsewhere").iterdir())


# -------------------------------------------------------------------------------------------- a finished model


def test_a_new_run_in_the_place_of_one_that_had_moved_a_finished_model(planted_file, tmp_path):
    first = fastw2v.train(planted_file, output=tmp_path, **QUICK)
    for seed in (2, 3):
        with (
            contextlib.nullcontext()
            if seed == 2
            else pytest.warns(FastW2VWarning, match="holds an unfinished run, at token")
        ):
            fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK | {"seed": seed})
        np.testing.assert_array_equal(fastw2v.load(tmp_path / "previous").vectors, first.vectors)
    fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)
    assert not (tmp_path / "previous").exists()


def test_files_of_others_in_previous_are_not_touched(planted_file, tmp_path):
    first = fastw2v.train(planted_file, output=tmp_path, **QUICK)
    (tmp_path / "previous").mkdir()
    (tmp_path / "previous" / "thesis.txt").write_text("years")
    with pytest.raises(FolderError, match="previous is in the way of the finished model: move it"):
        fastw2v.train(planted_file, output=tmp_path, callbacks=[pytest.fail], **QUICK | {"seed": 2})
    assert (tmp_path / "previous" / "thesis.txt").read_text() == "years"
    np.testing.assert_array_equal(fastw2v.load(tmp_path).vectors, first.vectors)


def test_a_model_of_a_later_version_is_kept_as_a_finished_one(planted_file, tmp_path):
    fastw2v.train(planted_file, output=tmp_path, **QUICK)
    change_manifest(tmp_path, lambda manifest: manifest.update(format_version=3))
    before = read_files(tmp_path)
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK | {"seed": 2})
    assert read_files(tmp_path / "previous") == before


# ---------------------------------------------------------------------------------------------------- faults

MAIN = """
import os, resource, signal, sys
from fastw2v.training import checkpoint, driver
from fastw2v import cli
from fastw2v.kernels import tile
tile.LEAST_TILES, driver.CHUNK_SECONDS, driver.FIRST_CHUNK = 1, 0, 3_000
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with it ignored
"""
AT_ONCE = "checkpoint.available_memory = lambda: 0\n"  # no checkpoint is put off
OPTIONS = ["--vector-size=10", "--workers=1", "--min-count=1", "--checkpoint-every=1e-9"]


def command(text, folder, *options, before=""):
    code = MAIN + before + "\nsys.exit(cli.main(sys.argv[1:]))"
    return [sys.executable, "-c", code, "train", str(text), "-o", str(folder), *OPTIONS, *options]


@pytest.mark.skipif(os.name == "nt", reason="no such signals to send")
@pytest.mark.parametrize(("number", "code", "said"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")])
def test_signals_save_the_run_and_end_it(planted_file, tmp_path, number, code, said):
    folder = tmp_path / "m"
    process = subprocess.Popen(
        command(planted_file, folder, "--epochs=400", "--checkpoint-every=1000"), stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for_chunks(process, folder, 3)
        process.send_signal(getattr(signal, number))
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert f"{said}; {folder} holds the vectors as they were at token" in err.splitlines()[-1]
    assert "Traceback" not in err
    state = checkpoint.read_state(folder)
    assert 0 < state.tokens < state.embeddings.metadata["progress"]["tokens_total"]
    assert not state.complete
    here = fastw2v.train(planted_file, callbacks=[lambda p, e: p.tokens >= state.tokens], **QUICK | {"epochs": 400})
    if here.metadata["progress"]["tokens"] == state.tokens:  # chunks' ends depend on the clock
        assert_same_run(here, state.embeddings)


def test_sigterm_in_a_program_of_ones_own(planted_file, tmp_path):
    def send(progress, embeddings):
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(fastw2v.Terminated, match="holds the vectors as they were at token") as stopped:
        fastw2v.train(planted_file, output=tmp_path, callbacks=[send], **QUICK)
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert_same_run(
        fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False),
        fastw2v.train(planted_file, **QUICK),
    )


def test_sigterm_while_the_corpus_is_read(tmp_path):
    def sentences():
        yield ["a", "b"]
        signal.raise_signal(signal.SIGTERM)
        yield ["a", "b"]

    with pytest.raises(fastw2v.Terminated, match="nothing was written"):
        fastw2v.train(sentences(), output=tmp_path / "m", **QUICK)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="no such signal to send")
def test_no_signal_breaks_the_wait_for_what_is_being_written(tmp_path):
    (tmp_path / ".partial").mkdir()
    checkpoints = checkpoint.Checkpoints(tmp_path / ".partial", 1, None)
    done = []

    def write():
        deadline = time.monotonic() + 10
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and time.monotonic() < deadline:
            time.sleep(0.001)
        for _ in range(4):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.02)
        done.append(True)

    checkpoints._pool.submit(write)
    checkpoints.close()
    assert done


def killed_and_resumed(text, folder, kills, seed, epochs):
    """Kill a run and its resumed runs at random moments; return the number of kills, and the finished run."""
    rng = np.random.default_rng(seed)
    done = in_checkpoint = 0
    saved = False  # the first kills can come before the first checkpoint
    while done < kills:
        process = subprocess.Popen(command(text, folder, f"--epochs={epochs}", "--resume"), stderr=subprocess.PIPE)
        try:
            wait_for_chunks(process, folder, 1)
            time.sleep(rng.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == -signal.SIGKILL, "the run came to its end: make it longer"
        done += 1
        in_checkpoint += (folder / ".partial" / checkpoint.FOLDER).exists()
        there = (folder / "model.json").exists() or (folder / ".partial" / "old").exists()
        assert there or not saved
        saved = there
    assert in_checkpoint > 0
    finished = subprocess.run(command(text, folder, f"--epochs={epochs}", "--resume"), capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return fastw2v.load(folder)


def test_sigkill_at_random_moments(planted_file, tmp_path):
    resumed = killed_and_resumed(planted_file, tmp_path / "m", kills=4, seed=1, epochs=200)
    assert_same_run(resumed, fastw2v.train(planted_file, **QUICK | {"epochs": 200}))


@pytest.mark.long
def test_sigkill_at_fifty_random_moments(planted_file, tmp_path):
    resumed = killed_and_resumed(planted_file, tmp_path / "m", kills=50, seed=2, epochs=1500)
    assert_same_run(resumed, fastw2v.train(planted_file, **QUICK | {"epochs": 1500}))


FATAL_STEP = """
steps = 0

def fatal_step(real):
    def step(*arguments, **keywords):
        global steps
        steps += 1
        if steps == int(os.environ["FATAL"]):
            os._exit(9)  # as SIGKILL would: no handler, no finally
        return real(*arguments, **keywords)
    return step

real_publish = checkpoint.publish

def publish(*arguments):
    for name in ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync"):
        setattr(os, name, fatal_step(getattr(os, name)))
    real_publish(*arguments)

checkpoint.publish = publish
"""


@pytest.mark.parametrize(
    ("had", "every"),
    [
        (True, 41),
        pytest.param(True, 17, marks=pytest.mark.slow),
        pytest.param(True, 1, marks=pytest.mark.long),
        pytest.param(False, 1, marks=pytest.mark.long),
    ],
)
def test_killed_at_any_step_of_saving(tmp_path, had, every):
    """A finished model stays in its place or in `previous` until the run that replaces it is finished."""
    text = tmp_path / "text"
    text.write_text("".join(" ".join(sentence) + "\n" for sentence in corpus(400)))
    whole = fastw2v.train(text, **QUICK)
    before = fastw2v.train(text, output=tmp_path / "before", **QUICK | {"seed": 9})
    moved = []
    for fatal in range(1, 400, every):
        folder = tmp_path / str(fatal)
        if had:
            shutil.copytree(tmp_path / "before", folder)
        run = command(text, folder, "--epochs=3", before=AT_ONCE + FATAL_STEP)
        killed = subprocess.run(run, env=os.environ | {"FATAL": str(fatal)}, capture_output=True).returncode == 9
        if not killed:
            break
        with pytest.raises(LookupError), staging.staged(folder, "model.json", "model"):
            raise LookupError  # settles what the killed run left
        if had and not np.array_equal(fastw2v.load(folder).vectors, whole.vectors):
            old = folder / "previous" if (folder / "previous" / "model.json").exists() else folder
            np.testing.assert_array_equal(fastw2v.load(old).vectors, before.vectors)
            moved.append(old != folder)
            if not moved[-1]:  # the old model is not a run to resume
                continue
        assert_same_run(fastw2v.train(text, output=folder, resume=True, **QUICK), whole)
        assert not (folder / "previous").exists()
    assert not killed
    assert fatal > 20
    if had:
        assert not moved[0]
        assert any(moved)


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def change_manifest(folder, change):
    """Change model.json, and its checksum with it: as a stranger would, not a damaged disk."""
    manifest = json.loads((folder / "model.json").read_text())
    change(manifest)
    manifest["checksum"] = checksum(manifest)
    (folder / "model.json").write_text(json.dumps(manifest))


PARTS = ["V.npy", "U.npy", "metrics.jsonl", "vocab.tsv", "model.json"]


@pytest.fixture(scope="module")
def two_checkpoints(planted_file, tmp_path_factory):
    """Two states of one run, and a run of another seed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile, "LEAST_TILES", 1)
        patch.setattr(driver, "CHUNK_SECONDS", 0)
        patch.setattr(driver, "FIRST_CHUNK", 3_000)
        for name, chunk, seed in (("early", 2, 1), ("late", 4, 1)):
            fastw2v.train(planted_file, output=folder / name, callbacks=[stop_at(chunk)], **QUICK | {"seed": seed})
    return folder


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("damage", ["flip", "truncate", "extend", "remove", "swap"])
def test_damage_is_found_and_named(two_checkpoints, planted_file, tmp_path, part, damage):
    folder = tmp_path / "m"
    shutil.copytree(two_checkpoints / "late", folder)
    path = folder / part
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "truncate":
        del content[-5:]
    elif damage == "extend":
        content += b"\n\n"
    elif damage == "swap":
        content = bytearray((two_checkpoints / "early" / part).read_bytes())
    path.write_bytes(content)
    if damage == "remove":
        path.unlink()
    harmless = {("model.json", "extend"), ("vocab.tsv", "swap")}  # white space after JSON; the same vocabulary
    before = read_files(folder)
    if (part, damage) in harmless:
        fastw2v.train(planted_file, output=folder, resume=True, callbacks=[stop_at(1)], progress=False)
        return
    if (part, damage) == ("model.json", "remove"):  # no run at all
        with pytest.raises(FolderError, match="exists and is not a model folder"):
            fastw2v.train(planted_file, output=folder, resume=True, progress=False)
        return
    named = "V.npy" if (part, damage) == ("model.json", "swap") else part
    with pytest.raises(FolderError, match=f"{re.escape(str(folder / named))}[ :]") as error:
        fastw2v.train(planted_file, output=folder, resume=True, progress=False)
    assert "\n" not in str(error.value)
    assert read_files(folder) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.pop("progress"), "cannot be resumed"),
        (lambda m: m["progress"].update(rng=[]), "invalid training state"),
        (lambda m: m["progress"].update(rng=["0x1ffffffffffffffff"]), "invalid training state"),
        (lambda m: m["progress"].update(rng=["import os"]), "cannot be resumed"),
        (lambda m: m["progress"].update(tokens=-1), "invalid training state"),
        (lambda m: m["progress"].update(tokens=7), "token 7, not a checkpoint boundary"),
        (lambda m: m["config"].update(window=0), "cannot be resumed"),
        (lambda m: m["config"].update(shell="rm"), "cannot be resumed"),
        (lambda m: m.pop("sha256"), "cannot be resumed"),
    ],
)
def test_a_manifest_that_makes_no_sense(two_checkpoints, planted_file, tmp_path, change, said):
    folder = tmp_path / "m"
    shutil.copytree(two_checkpoints / "late", folder)
    change_manifest(folder, change)
    with pytest.raises(FolderError, match=said):
        fastw2v.train(planted_file, output=folder, resume=True, progress=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda m, ledger: ledger.update(committed=[[0, m["corpus"]["tokens"]]]),  # not the tokens that were visited
        lambda m, ledger: ledger.update(committed=[[-1, ledger["committed"][0][1] - 1]]),
        lambda m, ledger: ledger.update(committed="0-10"),
        lambda m, ledger: ledger.update(nodes_started=0),
        lambda m, ledger: ledger.update(nodes_started="2"),
        lambda m, ledger: ledger.pop("nodes_started"),
        lambda m, ledger: m["progress"].update(ledger=[]),
        lambda m, ledger: m.pop("corpus"),
        lambda m, ledger: m["corpus"].update(tokens=0),
    ],
)
def test_a_ledger_of_nodes_that_makes_no_sense(two_checkpoints, planted_file, tmp_path, change):
    folder = tmp_path / "m"
    shutil.copytree(two_checkpoints / "late", folder)

    def of_nodes(manifest, change=lambda manifest, ledger: None):
        progress = manifest["progress"]
        place = progress["tokens"] % manifest["corpus"]["tokens"]
        progress["ledger"] = {"committed": [[0, place]], "nodes_started": 2}
        change(manifest, progress["ledger"])

    change_manifest(folder, of_nodes)
    state = checkpoint.read_state(folder)
    assert state.ledger == ([(0, state.tokens % state.embeddings.metadata["corpus"]["tokens"])], 2)
    with pytest.raises(ConfigError, match=r"was trained by train_ray: use that function to resume"):
        fastw2v.train(planted_file, output=folder, resume=True, progress=False)
    change_manifest(folder, lambda manifest: of_nodes(manifest, change))
    with pytest.raises(FolderError, match="invalid training state"):
        fastw2v.train(planted_file, output=folder, resume=True, progress=False)


def test_a_saved_model_is_no_run_to_go_on_with(planted_file, model, tmp_path):
    fastw2v.Embeddings(fastw2v.load(model).vocab, np.zeros((58, 10), np.float32)[: len(fastw2v.load(model))]).save(
        tmp_path / "m"
    )
    with pytest.raises(FolderError, match="cannot be resumed"):
        fastw2v.train(planted_file, output=tmp_path / "m", resume=True, progress=False)


def test_a_model_of_a_version_without_checkpoints(two_checkpoints, planted_file, tmp_path):
    shutil.copytree(two_checkpoints / "late", tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "model.json").read_text())
    del manifest["checksum"], manifest["sha256"]
    (tmp_path / "m" / "model.json").write_text(json.dumps(manifest))
    assert fastw2v.load(tmp_path / "m").metadata["progress"]["tokens"]
    with pytest.raises(FolderError, match="cannot be resumed"):
        fastw2v.train(planted_file, output=tmp_path / "m", resume=True, progress=False)


@pytest.mark.parametrize("had", ["a finished model", "an unfinished run", "nothing"])
@pytest.mark.parametrize("given", [[], pytest.param(["--epochs=4"], marks=pytest.mark.slow)])
def test_killed_before_the_first_checkpoint_it_begins_anew(planted_file, tmp_path, capsys, had, given):
    """And the model that stood there is not taken for it, and trained further."""
    folder = tmp_path / "m"
    if had != "nothing":
        callbacks = [stop_at(2)] if had == "an unfinished run" else []
        fastw2v.train(planted_file, output=folder, callbacks=callbacks, **QUICK)
    kill = "\ndriver.Checkpoints.after_chunk = lambda *rest, **more: os._exit(9)"
    run = subprocess.run(command(planted_file, folder, "--epochs=4", "--seed=7", before=kill), capture_output=True)
    assert run.returncode == 9
    assert (b"holds an unfinished run, at token 20000" in run.stderr) == (had == "an unfinished run")
    assert fastw2v.cli.main(["train", str(planted_file), "-o", str(folder), "--resume", *given]) == 0
    assert "ended before its first checkpoint: it starts again" in capsys.readouterr().err
    assert_same_run(fastw2v.load(folder), fastw2v.train(planted_file, **QUICK | {"epochs": 4, "seed": 7}))
    assert not (folder / ".partial").exists()


@pytest.mark.parametrize("prepared", [True, False])
def test_begun_anew_the_vocabulary_is_that_of_the_run(tmp_path, prepared):
    text = tmp_path / "text"
    text.write_text("rare " + " ".join(" ".join(sentence) for sentence in corpus(400)))
    options = [] if prepared else ["--min-count=1"]
    if prepared:
        fastw2v.prepare(text, tmp_path / "prepared", min_count=1, progress=False)
        text = tmp_path / "prepared"
    code = MAIN + "driver.Checkpoints.after_chunk = lambda *rest, **more: os._exit(9)\nsys.exit(cli.main(sys.argv[1:]))"
    run = [sys.executable, "-c", code, "train", str(text), "-o", str(tmp_path / "m"), "--workers=1", *options]
    assert subprocess.run(run).returncode == 9
    assert "rare" in fastw2v.train(text, output=tmp_path / "m", resume=True, progress=False)


def test_killed_after_the_first_checkpoint_it_goes_on_from_there(planted_file, tmp_path, capsys):
    fastw2v.train(planted_file, output=tmp_path, **QUICK)
    kill = AT_ONCE + "\nchunks = []\nreal = driver.Checkpoints.after_chunk\ndef after(*rest, **more):\n"
    kill += "    real(*rest, **more)\n    chunks.append(1)\n    len(chunks) < 2 or os._exit(9)\n"
    kill += "driver.Checkpoints.after_chunk = after"
    assert subprocess.run(command(planted_file, tmp_path, "--epochs=4", "--seed=7", before=kill)).returncode == 9
    assert (tmp_path / ".partial" / "new-run.json").exists()
    resumed = fastw2v.train(planted_file, output=tmp_path, resume=True)
    assert "resuming at token 20,000" in capsys.readouterr().err
    assert_same_run(resumed, fastw2v.train(planted_file, **QUICK | {"epochs": 4, "seed": 7}))


def test_given_vectors_must_be_given_again_where_nothing_was_saved(planted_file, model, tmp_path):
    kill = "\ndriver.Checkpoints.after_chunk = lambda *rest, **more: os._exit(9)"
    run = command(planted_file, tmp_path / "m", "--vector-size=20", f"--init-from={model}", before=kill)
    assert subprocess.run(run).returncode == 9
    with pytest.raises(ConfigError, match="started from given vectors: give init_from again"):
        fastw2v.train(planted_file, output=tmp_path / "m", resume=True)
    again = fastw2v.train(planted_file, output=tmp_path / "m", resume=True, init_from=model, progress=False)
    assert again.metadata["config"]["min_count"] == 1  # as the killed run was told


@pytest.mark.parametrize("resume", [True, False])
def test_a_run_that_fails_leaves_the_note_of_one_that_was_killed(planted_file, tmp_path, capsys, resume):
    folder = tmp_path / "m"
    fastw2v.train(planted_file, output=folder, **QUICK)
    kill = "\ndriver.Checkpoints.after_chunk = lambda *rest, **more: os._exit(9)"
    assert subprocess.run(command(planted_file, folder, "--epochs=4", "--seed=7", before=kill)).returncode == 9
    (folder / ".partial" / "left-over").mkdir()
    with pytest.raises(CorpusError, match="mistyped: No such file"):
        fastw2v.train(tmp_path / "mistyped", output=folder, resume=resume, seed=8, progress=False)
    assert [path.name for path in (folder / ".partial").iterdir()] == ["new-run.json"]
    fastw2v.train(planted_file, output=folder, resume=True)
    assert "ended before its first checkpoint: it starts again" in capsys.readouterr().err
    assert_same_run(fastw2v.load(folder), fastw2v.train(planted_file, **QUICK | {"epochs": 4, "seed": 7}))
    assert not (folder / ".partial").exists()


def test_no_note_is_left_where_a_run_that_fails_has_saved_something(planted_file, tmp_path):
    (tmp_path / "m" / ".partial").mkdir(parents=True)
    (tmp_path / "m" / ".partial" / "new-run.json").write_text("{}")
    with pytest.raises(ZeroDivisionError):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[lambda *_: 1 // 0], **QUICK)
    assert fastw2v.load(tmp_path / "m").metadata["progress"]["tokens"] > 0
    assert not (tmp_path / "m" / ".partial").exists()


def test_init_from_of_a_run_that_goes_on_is_left_aside(planted_file, model, tmp_path, capsys):
    fastw2v.train(planted_file, output=tmp_path, callbacks=[stop_at(2)], **QUICK)
    with pytest.warns(FastW2VWarning, match=r"init_from is ignored: .* did not start from given vectors"):
        fastw2v.train(planted_file, output=tmp_path, resume=True, init_from=model, progress=False)
    # A run that started from given vectors is resumed by the same call: nothing is doubtful.
    options = QUICK | {"vector_size": 20}
    fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[stop_at(2)], init_from=model, **options)
    capsys.readouterr()
    fastw2v.train(planted_file, output=tmp_path / "m", resume=True, init_from=model)
    assert "init_from is ignored" in capsys.readouterr().err


def test_few_words_that_start_from_given_vectors_are_doubtful(model):
    sentences = [["t0w1", *(f"new{i}" for i in range(10))]] * 20
    with pytest.warns(FastW2VWarning, match="only 1 of 11 words start from given vectors: check the language"):
        fastw2v.train(sentences, init_from=model, **QUICK | {"vector_size": 20, "sample": 0})


def test_a_second_run_on_the_folder_is_refused(planted_file, tmp_path):
    def intrude(progress, embeddings):
        for resume in (False, True):
            with pytest.raises(FolderError, match="is being written by another run"):
                fastw2v.train(planted_file, output=tmp_path, resume=resume, **QUICK)

    both = fastw2v.train(planted_file, output=tmp_path, callbacks=[intrude], checkpoint_every=1e-9, **QUICK)
    assert_same_run(fastw2v.load(tmp_path), both)


def test_a_callback_that_raises_leaves_a_run_to_go_on_with(planted_file, tmp_path):
    class MineError(Exception):
        pass

    def fail(progress, embeddings):
        if progress.epoch == 2:
            raise MineError

    with pytest.raises(MineError) as error:
        fastw2v.train(planted_file, output=tmp_path, callbacks=[fail], **QUICK)
    assert error.traceback[-1].name == "fail"
    assert checkpoint.read_state(tmp_path).embeddings.metadata["progress"]["epoch"] == 2
    resumed = fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)
    assert_same_run(resumed, fastw2v.train(planted_file, **QUICK))


LIMITED = """
real = checkpoint.Checkpoints.after_chunk

def after_chunk(self, live, matrices, *, epoch_ended):
    real(self, live, matrices, epoch_ended=epoch_ended)
    if len(live.metrics) == 4:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

checkpoint.Checkpoints.after_chunk = after_chunk
"""


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(planted_file, tmp_path):
    """With a limit on the size of files in place of a small disk."""
    folder = tmp_path / "m"
    run = command(planted_file, folder, "--epochs=3", before=AT_ONCE + LIMITED)
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"fastw2v: error: cannot write {folder}: ")
    assert "use --resume to continue from there" in last
    state = checkpoint.read_state(folder)
    assert len(state.embeddings.metrics) == 4
    assert not (folder / ".partial").exists()
    resumed = fastw2v.train(planted_file, output=folder, resume=True, progress=False)
    assert_same_run(resumed, fastw2v.train(planted_file, **QUICK))


def test_a_folder_removed_while_training(planted_file, tmp_path):
    def remove(progress, embeddings):
        shutil.rmtree(tmp_path / "m", ignore_errors=True)

    with pytest.raises(FolderError, match=f"cannot write {re.escape(str(tmp_path / 'm'))}: No such file"):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[remove], checkpoint_every=1e-9, **QUICK)
    assert not (tmp_path / "m").exists()


def test_a_folder_removed_and_made_again_by_another_run(planted_file, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 0)  # nothing is written while it is removed
    others = tmp_path / "m" / ".partial" / "checkpoint" / "V.npy"

    def remove(progress, embeddings):
        if not others.exists():
            shutil.rmtree(tmp_path / "m", ignore_errors=True)
            others.parent.mkdir(parents=True)
            others.touch()

    with pytest.raises(FolderError, match=r"another run has replaced it: choose another folder$"):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[remove], checkpoint_every=1e-9, **QUICK)
    assert others.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
@pytest.mark.parametrize("mine", [None, ValueError("mine")])
def test_a_disk_too_full_for_a_line_of_metrics(planted_file, tmp_path, monkeypatch, mine):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 0)

    def no_space(*arguments):
        raise FolderError("cannot write: No space left")

    def fill(progress, embeddings):
        if progress.epoch == 2:
            if mine is not None:
                monkeypatch.setattr(checkpoint, "publish", no_space)
                raise mine
            for number in os.listdir("/proc/self/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/self/fd/{number}") == str(tmp_path / ".partial" / "metrics.jsonl"):
                        os.dup2(full, int(number))

    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(FolderError, match="No space left") as error:
            fastw2v.train(planted_file, output=tmp_path, callbacks=[fill], **QUICK)
    finally:
        os.close(full)
    assert mine is None or error.value.__cause__ is mine
    assert checkpoint.read_state(tmp_path).tokens == 24_000
    assert "use resume=True to continue from there" in str(error.value)


def test_files_that_stay_open_elsewhere(planted_file, tmp_path, monkeypatch):
    """NFS gives a removed file that is open another name in its folder, which then can't be removed."""
    real, kept = os.rmdir, []

    def rmdir(path, **keywords):
        if os.path.basename(path).startswith(("old", "replaced-")):
            kept.append(path)
            raise OSError(39, "Directory not empty")
        real(path, **keywords)

    monkeypatch.setattr(os, "rmdir", rmdir)
    whole = fastw2v.train(planted_file, output=tmp_path, checkpoint_every=1e-9, **QUICK)
    assert len(kept) > 3
    assert_same_run(fastw2v.load(tmp_path), whole)


def test_what_publishing_relies_on_is_on_the_disk_before_it_begins(two_checkpoints, tmp_path, monkeypatch):
    shutil.copytree(two_checkpoints / "early", tmp_path / "m")
    steps = []
    real = os.rename
    monkeypatch.setattr(staging, "synchronise", lambda path: steps.append(path.name))
    monkeypatch.setattr(os, "rename", lambda a, b: (steps.append("rename"), real(a, b)))
    fastw2v.load(two_checkpoints / "late").save(tmp_path / "m")
    before = steps[: steps.index("rename")]
    assert sorted(before) == ["U.npy", "V.npy", "metrics.jsonl", "model.json", "old-names", "vocab.tsv"]


def test_a_folder_that_becomes_read_only(planted_file, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 0)
    real = os.rename
    published = []

    def rename(a, b):
        if str(a).endswith("model.json") and str(b) == str(tmp_path / "model.json"):
            published.append(a)
        if len(published) > 2:
            raise PermissionError(30, "Read-only file system")
        real(a, b)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(FolderError, match=r"Read-only file system; .* use resume=True to continue from there"):
        fastw2v.train(planted_file, output=tmp_path, checkpoint_every=1e-9, **QUICK)
    monkeypatch.setattr(os, "rename", real)
    state = checkpoint.read_state(tmp_path)
    assert state.tokens > 0
    assert_same_run(
        fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False),
        fastw2v.train(planted_file, **QUICK),
    )


# ------------------------------------------------------------------------------------------------ divergence


def test_the_error_comes_out_of_another_process():
    error = DivergedError(2, 300, 0.5, "m")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.epoch, again.token, again.alpha, again.checkpoint) == (str(error), 2, 300, 0.5, "m")


@pytest.mark.parametrize("which", ["vectors", "outside"])
def test_a_row_that_is_not_finite_ends_the_run_within_a_chunk(planted_file, tmp_path, which):
    seen = []

    def poison(progress, embeddings):
        seen.append(progress)
        if len(seen) == 4:
            address = getattr(embeddings, which).ctypes.data  # read-only for the likes of us
            ctypes.c_float.from_address(address).value = np.nan

    with pytest.raises(DivergedError, match="the last good checkpoint is") as error:
        fastw2v.train(planted_file, output=tmp_path, callbacks=[poison], checkpoint_every=1e-9, **QUICK)
    assert len(seen) == 4
    assert error.value.checkpoint == str(tmp_path)
    assert error.value.epoch == 2  # an epoch has three chunks here
    state = checkpoint.read_state(tmp_path)
    assert state.tokens <= seen[3].tokens
    assert np.isfinite(state.embeddings.vectors).all()
    assert np.isfinite(state.embeddings.outside).all()
    resumed = fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)
    assert_same_run(resumed, fastw2v.train(planted_file, **QUICK))


def test_absurd_alpha_names_the_last_good_checkpoint(planted_file, tmp_path):
    folder = tmp_path / "m"
    fastw2v.train(planted_file, output=folder, callbacks=[stop_at(2)], **QUICK)
    change_manifest(folder, lambda manifest: manifest["config"].update(alpha=100, min_alpha=100))
    before = read_files(folder)
    with pytest.raises(DivergedError, match=r"in epoch 1 at token [\d,]+ with alpha 100; .* with init_from") as error:
        fastw2v.train(planted_file, output=folder, resume=True, progress=False)
    assert error.value.checkpoint == str(folder)
    assert read_files(folder) == before
    again = fastw2v.train(planted_file, output=folder, init_from=folder, **QUICK)  # as the message says
    assert again.metadata["progress"]["complete"]


def test_a_model_that_is_not_of_this_run_is_no_checkpoint_of_it(planted_file, tmp_path):
    first = fastw2v.train(planted_file, output=tmp_path, **QUICK)
    with pytest.raises(DivergedError, match="nothing was saved") as error:
        fastw2v.train(planted_file, output=tmp_path, **QUICK | {"alpha": 100, "min_alpha": 100, "negative": 50})
    assert error.value.checkpoint is None
    np.testing.assert_array_equal(fastw2v.load(tmp_path).vectors, first.vectors)


# ---------------------------------------------------------------------------------------- from given vectors


@pytest.fixture
def untrained(monkeypatch):
    """Training that changes nothing."""
    monkeypatch.setattr(replica, "run_chunk", lambda *arguments: None)


@pytest.mark.filterwarnings("ignore:no two words met:fastw2v.FastW2VWarning")
def test_init_from_gives_the_rows_of_common_words(untrained, model, tmp_path, capsys):
    given = fastw2v.load(model)
    sentences = [["t0w1", "new", "all3", "t5w7", "newer"]] * 20
    options = QUICK | {"vector_size": 20, "progress": True}
    for init_from in (given, model, str(model)):
        started = fastw2v.train(sentences, init_from=init_from, **options)
        for word in ("t0w1", "all3", "t5w7"):
            np.testing.assert_array_equal(started[word], given[word])
            np.testing.assert_array_equal(started.outside[started.row(word)], given.outside[given.row(word)])
        plain = fastw2v.train(sentences, **options)
        for word in ("new", "newer"):
            np.testing.assert_array_equal(started[word], plain[word])
            assert not started.outside[started.row(word)].any()
        assert started.metadata["init_from"] == {"words": 5, "words_taken": 3}
    assert "3 of 5 words start from given vectors" in capsys.readouterr().err
    only_vectors = fastw2v.Embeddings(given.vocab, given.vectors)
    started = fastw2v.train(sentences, init_from=only_vectors, **options)
    np.testing.assert_array_equal(started["all3"], given["all3"])
    assert not started.outside.any()


def test_init_from_is_where_learning_starts(planted_file, model):
    """A tiny rate leaves the given vectors almost unchanged: they score as the model does."""
    options = QUICK | {"vector_size": 20, "epochs": 1, "alpha": 1e-4, "min_alpha": 1e-4}
    given = fastw2v.load(model)
    loss = [fastw2v.train(planted_file, init_from=start, **options).metrics[0]["loss"] for start in (given, None)]
    assert loss[0] < loss[1] - 0.3


def test_a_run_with_given_vectors_goes_on(planted_file, model, tmp_path):
    options = QUICK | {"vector_size": 20}
    whole = fastw2v.train(planted_file, init_from=model, **options)
    fastw2v.train(planted_file, init_from=model, output=tmp_path, callbacks=[stop_at(2)], **options)
    resumed = fastw2v.train(planted_file, init_from=model, output=tmp_path, resume=True, **options)
    assert_same_run(resumed, whole)
    assert resumed.metadata["init_from"] == whole.metadata["init_from"]


def test_given_vectors_give_the_size(planted_file, model, tmp_path):
    options = {name: value for name, value in QUICK.items() if name != "vector_size"}
    assert fastw2v.train(planted_file, init_from=model, **options).vector_size == 20
    stopped = fastw2v.train(planted_file, init_from=model, output=tmp_path, callbacks=[stop_at(2)], **options)
    assert not stopped.metadata["progress"]["complete"]
    resumed = fastw2v.train(planted_file, output=tmp_path, resume=True, **options)
    assert resumed.vector_size == 20
    assert resumed.metadata["progress"]["complete"]


@pytest.mark.parametrize(
    ("init_from", "options", "error", "said"),
    [
        ("model", {"vector_size": 10}, ConfigError, "vector_size is 10, but init_from has vectors of 20"),
        ("nowhere", {}, FolderError, "nowhere does not exist"),
        (7, {}, ConfigError, "init_from is 7"),
        ("strangers", {}, ConfigError, "no word of this corpus"),
        ("not finite", {}, ConfigError, "not finite"),
    ],
)
def test_init_from_that_does_not_fit(planted_file, model, tmp_path, init_from, options, error, said):
    given = fastw2v.load(model)
    if init_from == "model":
        init_from = model
    elif init_from == "strangers":
        init_from = fastw2v.Embeddings(fastw2v.vocab.Vocab(["x"], np.ones(1, np.int64)), given.vectors[:1])
    elif init_from == "not finite":
        init_from = fastw2v.Embeddings(given.vocab, np.full_like(given.vectors, np.inf))
    with pytest.raises(error, match=said):
        fastw2v.train(planted_file, output=tmp_path / "m", init_from=init_from, **QUICK | {"vector_size": 20} | options)
    assert not (tmp_path / "m").exists()
