"""The driver: schedule, records, callbacks, determinism, faults, and that it learns."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from conftest import at_once, planted_sentences, topic_purity, wait_for_chunks

import fastw2v
from fastw2v import cli, screen
from fastw2v.errors import ConfigError, CorpusError, DivergedError, FastW2VWarning
from fastw2v.kernels import tile
from fastw2v.kernels.parallel import MAX_THREADS
from fastw2v.kernels.records import LOSS, LOSS_PAIRS
from fastw2v.kernels.spans import PIECE
from fastw2v.training import driver, replica

KERNELS = pytest.mark.parametrize("kernel", ["tile", "pair"])


@pytest.fixture(autouse=True)
def _tiles_in_small_corpora(monkeypatch):
    """The corpora here are too small for tiles, which these tests must drive."""
    monkeypatch.setattr(tile, "LEAST_TILES", 1)


QUICK = {"vector_size": 10, "epochs": 2, "workers": 1, "progress": False, "min_count": 1}


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of a few hundred tokens, so that small corpora have many."""
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 500)


@KERNELS
@pytest.mark.parametrize("workers", [1, 2])
def test_learns_the_planted_topics(workers, kernel):
    options = {"vector_size": 20, "epochs": 10, "workers": workers, "progress": False, "kernel": kernel}
    embeddings = fastw2v.train(planted_sentences(), seed=3, **options)
    assert topic_purity(embeddings) > 0.95
    # the same words on random sentences teach nothing: the measure can fail
    rng = np.random.default_rng(0)
    shuffled = rng.permutation([word for sentence in planted_sentences() for word in sentence]).reshape(-1, 8)
    embeddings = fastw2v.train(shuffled.tolist(), **options)
    assert topic_purity(embeddings) < 0.5


@KERNELS
def test_one_worker_is_bit_identical(planted_file, kernel):
    a, b = (fastw2v.train(planted_file, **QUICK, kernel=kernel) for _ in range(2))
    np.testing.assert_array_equal(a.vectors, b.vectors)
    np.testing.assert_array_equal(a.outside, b.outside)
    assert a.metadata["progress"]["rng"] == b.metadata["progress"]["rng"]


@KERNELS
def test_one_worker_is_bit_identical_whatever_the_chunks(planted_file, monkeypatch, kernel):
    a = fastw2v.train(planted_file, **QUICK, kernel=kernel)
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 137)
    b = fastw2v.train(planted_file, **QUICK, kernel=kernel)
    assert len(b.metrics) > len(a.metrics)
    np.testing.assert_array_equal(a.vectors, b.vectors)
    np.testing.assert_array_equal(a.outside, b.outside)


def test_one_worker_is_bit_identical_in_another_process(planted_file, tmp_path):
    here = fastw2v.train(planted_file, **QUICK)
    assert here.metadata["tiling"]
    main = "import sys; from fastw2v import cli; from fastw2v.kernels import tile; tile.LEAST_TILES = 1; "
    main += "sys.exit(cli.main(sys.argv[1:]))"
    command = [sys.executable, "-c", main, "train", planted_file, "-o", tmp_path / "m"]
    options = ["--vector-size=10", "--epochs=2", "--workers=1", "--min-count=1"]
    subprocess.run([*command, *options], check=True, capture_output=True)
    np.testing.assert_array_equal(here.vectors, fastw2v.load(tmp_path / "m").vectors)


CHANGES = {
    "vector_size": 11,
    "window": 2,
    "min_count": 400,
    "negative": 2,
    "ns_exponent": 0.0,
    "sample": 0.0,
    "alpha": 0.05,
    "min_alpha": 0.02,
    "epochs": 3,
    "workers": 2,
    "seed": 2,
    "max_vocab": 20,
    "kernel": "pair",
    "max_n": 4,
    "min_n": 2,
    "bucket": 7,
    "mode": "floret",
    "hash_count": 2,
}
OF_SUBWORDS = {"min_n": {"max_n": 3}, "bucket": {"max_n": 3}, "mode": {"max_n": 3}}
OF_SUBWORDS["hash_count"] = {"max_n": 3, "mode": "floret"}


def test_every_option_is_tried():
    assert set(CHANGES) == set(fastw2v.TrainConfig.__dataclass_fields__)


@pytest.mark.parametrize("option", CHANGES)
def test_every_option_changes_the_result(planted_file, option):
    base = {**QUICK, "min_count": 1} | OF_SUBWORDS.get(option, {})
    a = fastw2v.train(planted_file, **base)
    b = fastw2v.train(planted_file, **base | {option: CHANGES[option]})
    assert a.vectors.shape != b.vectors.shape or not np.array_equal(a.vectors, b.vectors)


@KERNELS
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_every_token_once_per_epoch_for_any_worker_count(workers, kernel, small_chunks):
    lengths = [3, 0, 1, 2 * PIECE + 5_000, 0, 12, 1, 7, 900, 2]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    total = int(offsets[-1])
    ids = np.random.default_rng(0).permutation(total).astype(np.int32)  # a word of its own for every token
    embeddings = fastw2v.train_ids(
        ids, offsets, n_words=total, workers=workers, vector_size=2, epochs=3, sample=0, progress=False, kernel=kernel
    )
    assert sum(record["tokens_trained"] for record in embeddings.metrics) == 3 * total
    assert embeddings.metrics[-1]["tokens"] == 3 * total
    assert len(embeddings.metrics) > 6
    start, _ = replica.initial_matrices(total, 2, 1)
    alone = offsets[:-1][np.diff(offsets) == 1]  # a sentence of one word has no pair
    untouched = set(np.flatnonzero((embeddings.vectors == start[:, :2]).all(axis=1)).tolist())
    assert untouched == set(ids[alone].tolist())


def test_alpha_falls_linearly_over_all_epochs(planted_file, small_chunks):
    embeddings = fastw2v.train(planted_file, **QUICK | {"epochs": 3, "alpha": 0.04, "min_alpha": 0.01})
    total = embeddings.metadata["progress"]["tokens_total"]
    for record in embeddings.metrics:
        assert record["alpha"] == pytest.approx(0.04 - 0.03 * record["tokens"] / total, rel=1e-9)
    assert embeddings.metrics[-1]["alpha"] == pytest.approx(0.01)
    assert sorted({record["epoch"] for record in embeddings.metrics}) == [1, 2, 3]


def test_the_kernel_gets_the_schedule(monkeypatch, planted_file):
    """What the kernel computes as the rate, at the first and last token of each epoch."""
    seen = []
    real = replica.run_chunk

    def spy(text, cuts, model, sampling, rate, workers):
        seen.append((rate.alpha + rate.step * cuts[0], rate.alpha + rate.step * cuts[-1]))
        real(text, cuts, model, sampling, rate, workers)

    monkeypatch.setattr(replica, "run_chunk", spy)
    fastw2v.train(planted_file, **QUICK | {"epochs": 4, "alpha": 0.04, "min_alpha": 0.0})
    rates = seen[1:]  # the first call compiles
    assert rates[0][0] == pytest.approx(0.04)
    assert rates[-1][1] == pytest.approx(0, abs=1e-12)
    for (_, end), (start, _) in pairwise(rates):
        assert start == pytest.approx(end, rel=1e-9)


@KERNELS
def test_loss_falls_and_starts_at_six_log_two(planted_file, small_chunks, kernel):
    slow = fastw2v.train(planted_file, **QUICK, alpha=1e-4, kernel=kernel).metrics[0]["loss"]
    assert slow == pytest.approx(6 * np.log(2), rel=0.08)  # U is zero: every logit is; few negatives are skipped
    embeddings = fastw2v.train(planted_file, **QUICK | {"epochs": 8, "alpha": 0.05}, kernel=kernel)
    losses = [record["loss"] for record in embeddings.metrics if record["loss"] is not None]
    assert losses[-1] < 0.85 * slow


def test_both_kernels_report_the_same_loss(planted_file):
    """The tile kernel's comes from a sample of tiles, the pairwise kernel's from every pair."""
    tile, pair = (
        np.mean([record["loss"] for record in fastw2v.train(planted_file, **QUICK, kernel=kernel).metrics])
        for kernel in ("tile", "pair")
    )
    assert tile == pytest.approx(pair, rel=0.03)


def test_a_loss_without_a_sampled_pair_is_none(planted_file, monkeypatch):
    real = replica.run_chunk

    def unsampled(*arguments):
        real(*arguments)
        arguments[-1].rows.tally[:, [LOSS, LOSS_PAIRS]] = 0

    monkeypatch.setattr(replica, "run_chunk", unsampled)
    embeddings = fastw2v.train(planted_file, **QUICK)
    assert embeddings.metrics[0]["loss"] is None
    assert embeddings.metrics[0]["pairs"] > 0


@pytest.mark.parametrize("callbacks", [print, [print, 3], "print"])
def test_callbacks_are_checked_before_anything_is_done(planted_file, tmp_path, callbacks):
    with pytest.raises(fastw2v.ConfigError, match=r"callbacks is .*: give a list of functions"):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=callbacks, **QUICK)
    assert not (tmp_path / "m").exists()


def test_the_tiling_is_recorded_and_its_absence_said(planted_file, tmp_path, capsys):
    quick = QUICK | {"progress": True}
    said = "using the pair kernel: too few tokens or words, or too high an alpha, for tiles"
    tiled = fastw2v.train(planted_file, output=tmp_path / "m", **quick)
    assert set(tiled.metadata["tiling"]) == {"centres", "shared", "strips", "copies"}
    assert fastw2v.load(tmp_path / "m").metadata["tiling"] == tiled.metadata["tiling"]
    assert tiled.metadata["config"]["kernel"] == "tile"
    pairwise = fastw2v.train(planted_file, **quick, kernel="pair")
    assert pairwise.metadata["tiling"] is None
    assert said not in capsys.readouterr().err
    with pytest.warns(FastW2VWarning, match="nothing (can be|was) learnt"):
        small = fastw2v.train([["a", "a", "a"]] * 100, **quick)
    assert small.metadata["tiling"] is None
    assert small.metadata["config"]["kernel"] == "tile"
    assert said in capsys.readouterr().err


def test_metrics_and_model_json(planted_file, tmp_path, small_chunks):
    embeddings = fastw2v.train(planted_file, output=tmp_path / "m", **QUICK)
    records = [json.loads(line) for line in (tmp_path / "m" / "metrics.jsonl").read_text().splitlines()]
    assert records == embeddings.metrics
    assert {"epoch", "tokens", "tokens_per_s", "alpha", "loss"} <= set(records[0])
    model = json.loads((tmp_path / "m" / "model.json").read_text())
    assert model["config"] == {**model["config"], "vector_size": 10, "epochs": 2, "workers": 1, "seed": 1}
    assert model["progress"]["complete"] is True
    assert model["progress"]["tokens"] == model["progress"]["tokens_total"] == 2 * model["corpus"]["tokens"]
    assert set(model["versions"]) == {"fastw2v", "numba", "numpy", "python"}
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [
        "U.npy",
        "V.npy",
        "cache",
        "metrics.jsonl",
        "model.json",
        "vocab.tsv",
    ]
    V = np.load(tmp_path / "m" / "V.npy", mmap_mode="r")
    assert V.dtype == np.float32
    assert V.shape == (len(embeddings), 10)


def test_callback_sees_progress_and_can_stop(planted_file, tmp_path, small_chunks):
    seen = []

    def stop_at_third(progress, embeddings):
        seen.append(progress)
        assert not embeddings.vectors.flags.writeable
        assert len(embeddings.most_similar("all0")) == 10
        return len(seen) == 3

    quiet = []
    embeddings = fastw2v.train(
        planted_file, output=tmp_path / "m", callbacks=[stop_at_third, lambda p, e: quiet.append(p.tokens)], **QUICK
    )
    assert len(seen) == len(quiet) == 3
    assert [p.tokens for p in seen] == sorted({p.tokens for p in seen})
    assert embeddings.metadata["progress"]["complete"] is False
    assert fastw2v.load(tmp_path / "m").metadata["progress"]["tokens"] == seen[-1].tokens


def test_callback_that_raises_keeps_what_was_trained(planted_file, tmp_path):
    def fail(progress, embeddings):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[fail], **QUICK)
    assert fastw2v.load(tmp_path / "m").metadata["progress"]["complete"] is False


def test_divergence_is_named_and_nothing_saved(planted_file, tmp_path):
    with pytest.raises(DivergedError, match=r"epoch 1 at token [\d,]+ with alpha") as error:
        fastw2v.train(planted_file, output=tmp_path / "m", **QUICK | {"alpha": 100, "min_alpha": 100, "negative": 50})
    assert error.value.epoch == 1
    assert error.value.token > 0
    assert error.value.alpha == pytest.approx(100)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("stop", [False, True])
def test_a_row_no_pair_shows_is_found_before_anything_is_saved(tmp_path, monkeypatch, small_chunks, which, stop):
    real = replica.initial_matrices

    def poisoned(*arguments):
        matrices = real(*arguments)
        matrices[which][5, 0] = np.inf  # of an id that is never drawn
        return matrices

    monkeypatch.setattr(replica, "initial_matrices", poisoned)
    ids, offsets = np.array([0, 1, 2, 3] * 1000, np.int32), np.arange(0, 4001, 100)
    callbacks = [lambda p, e: True] if stop else []  # in the middle of an epoch, or at its end
    with pytest.raises(DivergedError) as error:
        fastw2v.train_ids(ids, offsets, n_words=6, output=tmp_path / "m", callbacks=callbacks, epochs=3, progress=False)
    assert error.value.epoch == 1  # not only when the last epoch is over
    assert not (tmp_path / "m").exists()


def test_initial_matrices():
    V, U = replica.initial_matrices(5000, 20, 1)
    assert V.shape == U.shape == (5000, 32)
    assert not U.any()
    assert not V[:, 20:].any()
    values = V[:, :20] * 20
    assert -0.5 <= values.min() < -0.499
    assert 0.499 < values.max() <= 0.5
    assert abs(values.mean()) < 4 * np.sqrt(1 / 12 / values.size)
    np.testing.assert_array_equal(replica.initial_matrices(5000, 20, 1)[0], V)
    assert (replica.initial_matrices(5000, 20, 2)[0][:, :20] != V[:, :20]).mean() > 0.99


def test_the_kernel_gets_counts_and_seed(monkeypatch):
    from fastw2v.kernels import sampling

    seen = {}
    real = replica.run_chunk

    def spy(text, cuts, model, sampled, rate, workers):
        noise, keep, window, negative = sampled
        rng = workers.rows.rng[:, 0]
        seen.setdefault("first", (noise.copy(), keep.copy(), window, negative, rng.copy(), model.V.copy()))
        seen["tiling"], seen["vector_size"] = workers.tiling, model.vector_size
        real(text, cuts, model, sampled, rate, workers)

    monkeypatch.setattr(replica, "run_chunk", spy)
    ids = np.repeat(np.arange(4, dtype=np.int32), [500, 100, 30, 3])
    options = {"window": 3, "negative": 7, "ns_exponent": 0.6, "sample": 1e-2, "seed": 11, "workers": 2}
    fastw2v.train_ids(ids, np.array([0, len(ids)]), n_words=4, vector_size=3, epochs=1, progress=False, **options)
    noise, keep, window, negative, rng, V = seen["first"]
    counts = np.array([500, 100, 30, 3])
    np.testing.assert_array_equal(noise, sampling.noise_table(counts, 0.6))
    np.testing.assert_array_equal(keep, sampling.keep_thresholds(counts, 1e-2))
    assert (window, negative) == (3, 7)
    assert seen["tiling"].shared == 24
    assert seen["vector_size"] == 3
    np.testing.assert_array_equal(rng, sampling.spawn_streams(11, 2))
    np.testing.assert_array_equal(V, replica.initial_matrices(4, 3, 11)[0])


def test_corpora_longer_than_a_block_of_ids(monkeypatch):
    from fastw2v.text import corpus, walks

    monkeypatch.setattr(walks, "BLOCK_IDS", 7)
    monkeypatch.setattr(corpus, "BLOCK_IDS", 7)
    ids = np.random.default_rng(0).integers(0, 9, 100).astype(np.int32)
    options = {"n_words": 9, "vector_size": 2, "epochs": 1, "workers": 1, "progress": False}
    embeddings = fastw2v.train_ids(ids, np.arange(0, 101, 4), **options)
    np.testing.assert_array_equal(embeddings.vocab.counts, np.bincount(ids, minlength=9))
    ids[93] = 9
    with pytest.raises(CorpusError, match="holds 9"):
        fastw2v.train_ids(ids, np.arange(0, 101, 4), **options)
    ids[93] = 0
    for seam in (7, 8, 14, 20):
        offsets = np.arange(0, 101, 4)
        offsets[seam] = offsets[seam - 1] - 1
        with pytest.raises(CorpusError, match="decrease"):
            fastw2v.train_ids(ids, offsets, **options)


def test_numpy_true_stops_too(planted_file, small_chunks):
    embeddings = fastw2v.train(planted_file, callbacks=[lambda p, e: e.vectors[0, 0] == e.vectors[0, 0]], **QUICK)
    assert len(embeddings.metrics) == 1


def test_train_ids_equals_train_on_the_same_ids(planted_file, tmp_path):
    corpus = fastw2v.prepare(planted_file, tmp_path / "p", min_count=1)
    options = {name: value for name, value in QUICK.items() if name != "min_count"}
    by_ids = fastw2v.train_ids(np.array(corpus.ids), np.array(corpus.offsets), n_words=len(corpus.vocab), **options)
    by_text = fastw2v.train(planted_file, **QUICK)
    by_folder = fastw2v.train(tmp_path / "p", **options)
    np.testing.assert_array_equal(by_ids.vectors, by_text.vectors)
    np.testing.assert_array_equal(by_folder.vectors, by_text.vectors)
    assert by_ids.words[3] == "3"


def test_train_ids_with_absent_ids_and_lonely_sequences():
    ids, offsets = np.array([0, 4, 4, 2], np.int32), np.array([0, 1, 1, 4], np.int64)
    with pytest.warns(FastW2VWarning, match="no two words met in a window"):
        embeddings = fastw2v.train_ids(ids, offsets, n_words=6, workers=2, vector_size=3, epochs=2, progress=False)
    assert embeddings.vocab.counts.tolist() == [1, 0, 1, 0, 2, 0]
    assert np.isfinite(embeddings.vectors).all()


def test_train_ids_refuses_what_is_no_corpus():
    ids, offsets = np.array([0, 1], np.int32), np.array([0, 2], np.int64)
    with pytest.raises(CorpusError, match="from 0 to 0"):
        fastw2v.train_ids(ids, offsets, n_words=1)
    with pytest.raises(CorpusError, match="empty"):
        fastw2v.train_ids(ids[:0], offsets[:1], n_words=1)
    for n_words in (0, 2**31, 2.5, "3", True):
        with pytest.raises(ConfigError, match="n_words"):
            fastw2v.train_ids(ids, offsets, n_words=n_words)
    with pytest.raises(ConfigError, match="min_count"):
        fastw2v.train_ids(ids, offsets, n_words=2, min_count=1)


def test_names_are_the_words_of_the_rows(tmp_path):
    walks = [[0, 1, 2], [2, 1], [1, 2, 0, 1]]
    options = {"vector_size": 3, "epochs": 2, "workers": 1, "sample": 0, "progress": False}
    plain = fastw2v.train_ids(walks, **options)
    named = fastw2v.train_ids(walks, names=["ann", "bob", "eve"], output=tmp_path / "m", **options)
    assert list(plain.words) == ["0", "1", "2"]
    np.testing.assert_array_equal(named.vectors, plain.vectors)
    np.testing.assert_array_equal(named["bob"], named[1])
    loaded = fastw2v.load(tmp_path / "m")
    assert list(loaded.words) == ["ann", "bob", "eve"]
    resumed = fastw2v.train_ids(walks, names=["ann", "bob", "eve"], output=tmp_path / "m", resume=True, **options)
    assert list(resumed.words) == ["ann", "bob", "eve"]
    with pytest.raises(CorpusError, match="not the corpus of the run"):
        fastw2v.train_ids(walks, names=["ann", "eve", "bob"], output=tmp_path / "m", resume=True, **options)


def test_walks_train_as_their_ids_and_offsets():
    walks = np.random.default_rng(0).integers(0, 9, (200, 5))
    options = {"vector_size": 3, "epochs": 1, "workers": 1, "progress": False}
    expected = fastw2v.train_ids(walks.ravel(), np.arange(0, 1001, 5), n_words=9, **options).vectors
    for same in (walks, walks.tolist(), iter(list(walks))):
        np.testing.assert_array_equal(fastw2v.train_ids(same, **options).vectors, expected)


def test_ids_that_never_occur_are_counted(capsys):
    options = {"vector_size": 3, "epochs": 1, "workers": 1, "sample": 0}
    fastw2v.train_ids([[0, 3, 0, 3]], n_words=6, **options)
    assert "4 of 6 ids never occur, the first is 1: their vectors keep their initial values" in capsys.readouterr().err
    fastw2v.train_ids([[0, 1, 0, 1]], **options)
    assert "never occur" not in capsys.readouterr().err
    with pytest.warns(FastW2VWarning, match="4 of 6 rows have no id, because the largest id is 5: number the ids"):
        fastw2v.train_ids([[0, 5, 0, 5]], progress=False, vector_size=3, epochs=1, workers=1, sample=0)


def test_whole_numbers_train_as_their_digits():
    walks = np.random.default_rng(0).integers(0, 9, (200, 5))
    numbers = fastw2v.train(walks, **QUICK)
    strings = fastw2v.train([[str(i) for i in walk] for walk in walks], **QUICK)
    assert list(numbers.words) == list(strings.words)
    np.testing.assert_array_equal(numbers.vectors, strings.vectors)


def test_min_count_of_zero_means_one(planted_file, tmp_path):
    none_dropped = fastw2v.train(planted_file, output=tmp_path / "m", **QUICK | {"min_count": 0})
    np.testing.assert_array_equal(none_dropped.vectors, fastw2v.train(planted_file, **QUICK).vectors)
    assert none_dropped.metadata["config"]["min_count"] == 1
    for min_count in (0, 1):  # It is not another value than that of the run.
        fastw2v.train(planted_file, output=tmp_path / "m", resume=True, progress=False, min_count=min_count)
    corpus = fastw2v.prepare(planted_file, tmp_path / "p", min_count=0, progress=False)
    assert corpus.min_count == 1


WORDED = [
    ({"vector_size": 0}, "vector_size is 0: give", "--vector-size is 0: give"),
    (
        {"alpha": 9, "min_alpha": 10},
        "min_alpha is 10, above the alpha of 9:",
        "--min-alpha is 10, above the --alpha of 9:",
    ),
    ({"min_count": 10**9}, "; lower min_count", "; lower --min-count"),
    ({"checkpoint_every": 0}, "checkpoint_every is 0", "--checkpoint-every is 0.0"),
]


@pytest.mark.parametrize(("options", "in_python", "in_shell"), WORDED)
def test_errors_name_options_as_their_reader_writes_them(planted_file, tmp_path, capsys, options, in_python, in_shell):
    with pytest.raises(fastw2v.FastW2VError) as refused:
        fastw2v.train(planted_file, output=tmp_path / "m", progress=False, **options)
    assert in_python in str(refused.value)
    assert "--" not in str(refused.value)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    assert cli.main(["train", str(planted_file), "-o", str(tmp_path / "m"), *flags]) == 2
    assert in_shell in capsys.readouterr().err


def test_remarks_name_options_as_their_reader_writes_them(planted_file, tmp_path, capsys):
    fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[lambda p, e: True], **QUICK | {"epochs": 50})
    with pytest.warns(FastW2VWarning, match="holds an unfinished run, .*; use resume=True to continue it instead"):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[lambda p, e: True], **QUICK | {"epochs": 50})
    command = ["train", str(planted_file), "-o", str(tmp_path / "m"), "--vector-size=11"]
    assert cli.main([*command, "--resume"]) == 2
    assert "error: --vector-size is 11, but" in capsys.readouterr().err
    assert cli.main([*command, "--epochs=1"]) == 0
    said = capsys.readouterr().err
    assert "fastw2v: warning: " in said
    assert "use --resume to continue it instead" in said


@pytest.mark.parametrize("sentences", [[["a"] * 500], [["a"], ["b"]], [["a", "b"]]])
@pytest.mark.filterwarnings("ignore::fastw2v.FastW2VWarning")
def test_tiny_vocabularies(sentences):
    embeddings = fastw2v.train(sentences, **QUICK)
    assert np.isfinite(embeddings.vectors).all()
    assert embeddings.metrics[-1]["loss"] is None or np.isfinite(embeddings.metrics[-1]["loss"])


def test_seed_never_changes_the_worker_count(planted_file):
    embeddings = fastw2v.train(planted_file, **QUICK | {"workers": None, "seed": 42})
    assert embeddings.metadata["config"]["workers"] == fastw2v.machine.usable_cores()


def test_more_workers_than_threads(planted_file):
    embeddings = fastw2v.train(planted_file, **QUICK | {"workers": MAX_THREADS + 5})
    assert embeddings.metadata["progress"]["complete"]


def test_two_trainings_at_once_in_two_threads(planted_file):
    results = at_once(lambda seed: fastw2v.train(planted_file, **QUICK | {"seed": seed}), (1, 2))
    for seed in (1, 2):
        expected = fastw2v.train(planted_file, **QUICK | {"seed": seed})
        np.testing.assert_array_equal(results[seed].vectors, expected.vectors)


def test_thread_count_is_given_back(planted_file):
    import numba

    before = numba.get_num_threads()
    fastw2v.train(planted_file, **QUICK)
    assert numba.get_num_threads() == before


def test_retraining_replaces_the_model(planted_file, tmp_path):
    fastw2v.train(planted_file, output=tmp_path / "m", **QUICK)
    second = fastw2v.train(planted_file, output=tmp_path / "m", **QUICK | {"seed": 9, "vector_size": 12})
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "m").vectors, second.vectors)


@pytest.mark.parametrize(
    ("corpus", "said"),
    [
        (7, "corpus is a int"),
        (b"bytes", "corpus is a bytes"),
        ([1, 2], "sentence 1 is 1, not a list of tokens"),
        ([["a", 1]], "token 2 of sentence 1 is 1, a whole number among strings"),
        ("nowhere.txt", "cannot read nowhere.txt"),
        ([], "empty"),
    ],
)
def test_corpus_that_is_none(corpus, said):
    with pytest.raises(CorpusError, match=said):
        fastw2v.train(corpus, progress=False)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("vector_size", 0),
        ("vector_size", 2.5),
        ("window", 0),
        ("window", True),
        ("min_count", -1),
        ("negative", 0),
        ("epochs", -1),
        ("workers", 0),
        ("workers", -1),
        ("seed", -1),
        ("max_vocab", 0),
        ("sample", -1e-3),
        ("sample", 2),
        ("alpha", 0),
        ("alpha", float("nan")),
        ("alpha", float("inf")),
        ("alpha", 10**400),
        ("alpha", "0.1"),
        ("min_alpha", 0.5),
        ("ns_exponent", 99),
        ("kernel", "fast"),
        ("kernel", None),
        ("kernel", ["tile"]),
    ],
)
def test_options_out_of_range(planted_file, option, value):
    with pytest.raises(ConfigError, match=option):
        fastw2v.train(planted_file, progress=False, **{option: value})


def test_unknown_option_is_a_type_error(planted_file):
    with pytest.raises(TypeError, match="size"):
        fastw2v.train(planted_file, size=100)


def test_compilation_is_announced(capsys, monkeypatch):
    with screen.announced(True, "compiling kernels"):
        time.sleep(0.7)
    assert "compiling kernels" in capsys.readouterr().err
    with screen.announced(True, "compiling kernels"):
        pass
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send")
def test_ctrl_c_leaves_a_usable_folder(planted_file, tmp_path):
    folder = tmp_path / "m"
    # a background job starts with SIGINT ignored, and a test run may be one
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "from fastw2v.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "train", str(planted_file), "-o", str(folder)]
    command += ["--epochs=100000", "--workers=2", "--vector-size=20"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_chunks(process, folder, 2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert f"interrupted; {folder} holds the vectors as they were at token" in said
    assert "Traceback" not in said
    progress = fastw2v.load(folder).metadata["progress"]
    assert progress["complete"] is False
    assert 0 < progress["tokens"] < progress["tokens_total"]
    assert len(progress["rng"]) == 2
    assert not (folder / ".partial").exists()


def test_a_finished_model_survives_an_interrupted_retraining(planted_file, tmp_path):
    first = fastw2v.train(planted_file, output=tmp_path / "m", **QUICK)
    for seed in (7, 8):  # the second interruption must not lose it either
        options = QUICK | {"seed": seed, "epochs": 50, "callbacks": [lambda p, e: True]}
        with nullcontext() if seed == 7 else pytest.warns(FastW2VWarning, match="holds an unfinished run"):
            stopped = fastw2v.train(planted_file, output=tmp_path / "m", **options)
        np.testing.assert_array_equal(fastw2v.load(tmp_path / "m").vectors, stopped.vectors)
        np.testing.assert_array_equal(fastw2v.load(tmp_path / "m" / "previous").vectors, first.vectors)


@pytest.mark.parametrize("progress", [True, False])
def test_nothing_to_learn_is_said(progress):
    with pytest.warns(FastW2VWarning) as said:
        fastw2v.train([["lonely"]] * 50, vector_size=3, epochs=1, workers=1, progress=progress)
    assert [str(each.message)[:21] for each in said] == ["the vocabulary has on", "no two words met in a"]
    assert {each.filename for each in said} == {__file__}


def test_unknown_options_are_named():
    with pytest.raises(TypeError, match=r"train\(\) has no option 'size': did you mean vector_size\?"):
        fastw2v.train([["a", "b"]], size=20)
    with pytest.raises(TypeError, match=r"train\(\) has no option 'xyz': its options are vector_size, window"):
        fastw2v.train([["a", "b"]], xyz=20)
    with pytest.raises(TypeError, match=r"its options are .*, output, resume, .*callbacks"):
        fastw2v.train([["a", "b"]], xyz=20)
    with pytest.raises(TypeError, match=r"train\(\) has no option 'phrases': fastw2v prepare joins phrases"):
        fastw2v.train([["a", "b"]], phrases=1)
    with pytest.raises(TypeError, match=r"train_ids\(\) has no option 'iter'"):
        fastw2v.train_ids([0], [0, 1], n_words=1, iter=3)


def test_a_screen_that_is_gone_does_not_stop_training(planted_file, monkeypatch):
    class Gone:
        def write(self, text=""):
            raise BrokenPipeError

        flush = isatty = write

    for stream in (None, Gone()):
        monkeypatch.setattr(sys, "stderr", stream)
        embeddings = fastw2v.train(planted_file, **QUICK | {"progress": True})
        assert embeddings.metadata["progress"]["complete"]


def test_an_error_before_the_first_chunk_ends_changes_nothing(planted_file, tmp_path, monkeypatch):
    first = fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[lambda p, e: True], **QUICK | {"epochs": 500})
    real, calls = replica.run_chunk, []

    def fail(*arguments):
        calls.append(1)
        if len(calls) == 2:  # the first call compiles
            raise MemoryError
        real(*arguments)

    monkeypatch.setattr(replica, "run_chunk", fail)
    with pytest.warns(FastW2VWarning, match="holds an unfinished run"), pytest.raises(MemoryError):
        fastw2v.train(planted_file, output=tmp_path / "m", **QUICK)
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "m").vectors, first.vectors)


def test_an_imported_model_counts_as_finished(planted_file, tmp_path, model):
    imported = fastw2v.load(model)
    imported.metadata.clear()
    imported.save(tmp_path / "m")
    fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[lambda p, e: True], **QUICK | {"epochs": 500})
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "m" / "previous").vectors, imported.vectors)


class Recorder:
    """A callback that notes what is called, and stops the run when told to."""

    def __init__(self, stop_at=None):
        self.calls, self.stop_at = [], stop_at

    def __getattr__(self, name):
        if not name.startswith("on_"):
            raise AttributeError(name)

        def hook(progress, embeddings):
            assert not embeddings.vectors.flags.writeable
            self.calls.append((name, progress.epoch, progress.tokens))
            return (name, progress.epoch) == self.stop_at

        return hook


def test_callbacks_by_epoch(planted_file, small_chunks):
    recorder, chunks = Recorder(), []
    callbacks = [recorder, lambda progress, embeddings: chunks.append(("on_chunk", progress.epoch, progress.tokens))]
    embeddings = fastw2v.train(planted_file, callbacks=callbacks, **QUICK)
    n = embeddings.metadata["corpus"]["tokens"]
    assert [call for call in recorder.calls if call[0] == "on_chunk"] == chunks
    assert len(chunks) > 4
    first, second = ([chunk for chunk in chunks if chunk[1] == epoch] for epoch in (1, 2))
    assert recorder.calls == [
        ("on_train_begin", 1, 0),
        ("on_epoch_begin", 1, 0),
        *first,
        ("on_epoch_end", 1, n),
        ("on_epoch_begin", 2, n),
        *second,
        ("on_epoch_end", 2, 2 * n),
        ("on_train_end", 2, 2 * n),
    ]


@pytest.mark.parametrize("hook", ["on_chunk", "on_epoch_end"])
def test_an_object_stops_the_run_and_its_end_is_told(planted_file, tmp_path, small_chunks, hook):
    recorder = Recorder(stop_at=(hook, 1))
    stopped = fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[recorder], **QUICK)
    assert stopped.metadata["progress"]["complete"] is False
    assert [name for name, *_ in recorder.calls][-2:] == [hook, "on_train_end"]
    # The second epoch did not begin, and a run that is resumed in the middle of an epoch begins that epoch again.
    assert [call[:2] for call in recorder.calls if "begin" in call[0]] == [("on_train_begin", 1), ("on_epoch_begin", 1)]
    again = Recorder()
    fastw2v.train(planted_file, output=tmp_path / "m", resume=True, callbacks=[again], progress=False)
    done = stopped.metadata["progress"]["tokens"]
    epoch = 2 if hook == "on_epoch_end" else 1
    assert again.calls[:2] == [("on_train_begin", epoch, done), ("on_epoch_begin", epoch, done)]
    assert [name for name, *_ in again.calls].count("on_epoch_end") == 3 - epoch


def test_callbacks_at_the_start_see_the_first_vectors_and_the_rate(planted_file):
    class First:
        def on_epoch_begin(self, progress, embeddings):
            seen.append((progress.alpha, progress.loss, bool(embeddings.outside.any())))

    seen = []
    fastw2v.train(planted_file, callbacks=[First()], **QUICK)
    (alpha, loss, moved), (second, _, moved_later) = seen
    assert (alpha, loss, moved, moved_later) == (0.025, None, False, True)
    assert second == pytest.approx((0.025 + 1e-4) / 2)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "on_train_end"])
def test_a_method_that_raises_leaves_what_was_trained(planted_file, tmp_path, hook):
    class Fails:
        """It fails at its second call."""

        def __init__(self):
            def fail(progress, embeddings):
                self.calls += 1
                if self.calls == (1 if hook == "on_train_end" else 2):
                    raise LookupError("mine")

            self.calls = 0
            setattr(self, hook, fail)

    with pytest.raises(LookupError, match="mine"):
        fastw2v.train(planted_file, output=tmp_path / "m", callbacks=[Fails()], **QUICK)
    saved = fastw2v.load(tmp_path / "m").metadata["progress"]
    assert saved["epoch"] == (1 if hook == "on_epoch_begin" else 2)


class OfGensim:
    def on_epoch_end(self, model):
        """Take one argument, as gensim's callbacks do."""


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (Recorder, "Recorder is a class; give an instance of it"),
        (OfGensim(), r"the callback OfGensim.on_epoch_end takes \(model\): it must take \(progress, embeddings\); the"),
        (lambda progress: None, r"the callback <lambda> takes \(progress\): it must take"),
        (object(), "give a list of functions, or of objects with on_epoch_end"),
    ],
)
def test_a_callback_that_could_not_be_called_is_refused(planted_file, callback, said):
    with pytest.raises(ConfigError, match=said):
        fastw2v.train(planted_file, callbacks=[callback], **QUICK)


class Misspelt(Recorder):
    def on_epoch_ended(self, progress, embeddings):
        raise AssertionError


def test_a_method_that_is_never_called_is_doubted(planted_file):
    with pytest.warns(
        FastW2VWarning, match="the method on_epoch_ended of the callback Misspelt is never called: train c"
    ):
        fastw2v.train(planted_file, callbacks=[Misspelt()], **QUICK)
