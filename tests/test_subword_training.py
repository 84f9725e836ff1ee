"""Training with subwords: every way that a run takes, from options to the model folder."""

import copy
import hashlib
import json

import numpy as np
import pytest

import fastw2v
from fastw2v.errors import ConfigError, FastW2VWarning, FolderError
from fastw2v.files.manifest import checksum
from fastw2v.kernels import tile
from fastw2v.subwords.ngrams import Ngrams, rows_of_words
from fastw2v.training import checkpoint, driver, replica, run

KERNELS = pytest.mark.parametrize("kernel", ["tile", "pair"])
QUICK = {"vector_size": 10, "epochs": 2, "workers": 1, "progress": False, "min_count": 1, "max_n": 4, "bucket": 5_000}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Tiles although the corpora are too small for them, and chunks of a few thousand tokens."""
    monkeypatch.setattr(tile, "LEAST_TILES", 1)
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 5_000)


def composed(embeddings):
    """The vectors of all words, from the rows of the words and their n-grams, one by one."""
    subwords = embeddings.subwords
    row_of = dict(zip(subwords.buckets.tolist(), subwords.bucket_rows.tolist(), strict=True))
    offsets, buckets = rows_of_words(embeddings.words, subwords.ngrams, own_rows=False)
    vectors = []
    for w in range(len(embeddings)):
        rows = [w, *(row_of[bucket] for bucket in buckets[offsets[w] : offsets[w + 1]].tolist())]
        vectors.append(subwords.rows[rows].astype(np.float64).mean(axis=0))
    return np.array(vectors)


@KERNELS
@pytest.mark.parametrize("workers", [1, 2])
def test_vectors_are_the_means_of_the_rows(planted_file, kernel, workers):
    embeddings = fastw2v.train(planted_file, **QUICK | {"workers": workers, "kernel": kernel})
    np.testing.assert_allclose(embeddings.vectors, composed(embeddings), rtol=0, atol=1e-6)
    assert np.abs(embeddings.vectors).max() > 0.1
    assert embeddings.subwords.ngrams == Ngrams(3, 4, 5_000)
    assert not embeddings.vectors.flags.writeable
    assert not embeddings.subwords.rows.flags.writeable
    assert embeddings.vectors.flags.c_contiguous
    assert embeddings.subwords.rows.flags.c_contiguous


def test_words_with_the_same_parts_help_each_other():
    """A rare word gets its vector from n-grams that it has in common with frequent words, and an unseen one, too."""
    rng = np.random.default_rng(0)
    stems = ["barbar", "fofofo"]
    sentences = [[f"{stem}{rng.integers(200)}" for _ in range(12)] for stem in stems * 1_500]
    options = QUICK | {"epochs": 5, "min_count": 1}
    e = fastw2v.train(sentences, **options)
    (alike, other), known = e.subwords.vectors(["barbarossa", "fofofol"])
    assert known.all()
    units = e.unit_vectors(slice(None))
    of_stem = np.array([word.startswith("barbar") for word in e.words])
    scores = units @ alike
    assert scores[of_stem].mean() > scores[~of_stem].mean() + 0.5 * np.linalg.norm(alike)
    scores = units @ other
    assert scores[~of_stem].mean() > scores[of_stem].mean() + 0.5 * np.linalg.norm(other)


@KERNELS
def test_resumed_equals_uninterrupted(planted_file, tmp_path, kernel):
    whole = fastw2v.train(planted_file, **QUICK, kernel=kernel)
    n_chunks = len(whole.metrics)
    assert n_chunks > 3
    for stop in (1, n_chunks - 1):
        folder = tmp_path / str(stop)
        seen = []
        stopped = fastw2v.train(
            planted_file,
            output=folder,
            callbacks=[lambda p, e, seen=seen, stop=stop: seen.append(p) or len(seen) == stop],
            **QUICK,
            kernel=kernel,
        )
        assert not stopped.metadata["progress"]["complete"]
        np.testing.assert_allclose(stopped.vectors, composed(stopped), rtol=0, atol=1e-6)
        resumed = fastw2v.train(planted_file, output=folder, resume=True, progress=False)
        for a, b in ((resumed, whole), (fastw2v.load(folder), whole)):
            np.testing.assert_array_equal(a.vectors, b.vectors)
            np.testing.assert_array_equal(a.outside, b.outside)
            np.testing.assert_array_equal(a.subwords.rows, b.subwords.rows)
            np.testing.assert_array_equal(a.subwords.buckets, b.subwords.buckets)
            np.testing.assert_array_equal(a.subwords.bucket_rows, b.subwords.bucket_rows)
            assert a.subwords.ngrams == b.subwords.ngrams
            assert a.metadata["progress"]["rng"] == b.metadata["progress"]["rng"]


def test_callbacks_see_the_vectors_of_the_moment(planted_file):
    seen = []
    e = fastw2v.train(planted_file, callbacks=[lambda p, e: seen.append((e.vectors.copy(), composed(e)))], **QUICK)
    assert len(seen) > 3
    for vectors, expected in seen:
        np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-6)
    assert not np.array_equal(seen[0][0], seen[1][0])
    np.testing.assert_array_equal(seen[-1][0], e.vectors)


def test_a_checkpoint_is_composed(planted_file, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "available_memory", lambda: 0)  # It is written at once, not by a thread.
    found = []

    def look(progress, embeddings):
        if (tmp_path / "model.json").exists():
            saved = fastw2v.load(tmp_path)
            np.testing.assert_allclose(saved.vectors, composed(saved), rtol=0, atol=1e-6)
            found.append(saved.metadata["progress"]["tokens"])

    fastw2v.train(planted_file, output=tmp_path, checkpoint_every=1e-9, callbacks=[look], **QUICK)
    assert len(set(found)) > 1


def test_a_checkpoint_that_is_copied_in_memory_is_composed(planted_file, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "IN_PAGE_CACHE", 1e18)
    written = []
    real = checkpoint.Checkpoints._write

    def write(self, snapshot, matrices):
        real(self, snapshot, matrices)
        saved = fastw2v.load(tmp_path)
        np.testing.assert_allclose(saved.vectors, composed(saved), rtol=0, atol=1e-6)
        written.append(saved.metadata["progress"]["tokens"])

    monkeypatch.setattr(checkpoint.Checkpoints, "_write", write)
    fastw2v.train(planted_file, output=tmp_path, checkpoint_every=1e-9, **QUICK)
    assert len(set(written)) > 1


def test_the_bill_names_the_buckets_that_are_reached(planted_file, capsys):
    e = fastw2v.train(planted_file, **QUICK | {"progress": True})
    n_rows, n_words = len(e.subwords.rows), len(e)
    said = capsys.readouterr().err
    assert f"n-grams reach {len(e.subwords.buckets):,} of 5,000 buckets" in said
    assert f"V and U take ({n_rows:,} + 2 x {n_words:,}) x 16 x 4 bytes" in said


def test_ngrams_that_do_not_fit_into_memory_are_refused_before_they_are_made(planted_file, monkeypatch):
    monkeypatch.setattr(run, "available_memory", lambda: 100_000_000)
    monkeypatch.setattr(driver, "composition_of", None)
    with pytest.raises(
        ConfigError, match=r"to find \d+ n-grams of 56 words among 50,000,000 buckets takes 200 MB, but"
    ):
        fastw2v.train(planted_file, **QUICK | {"bucket": 50_000_000})


# ------------------------------------------------------------------------------------------------------ init_from


def test_a_run_starts_from_the_rows_of_another(planted_file):
    first = fastw2v.train(planted_file, **QUICK)
    still = {"alpha": 1e-12, "min_alpha": 0.0, "epochs": 1}
    same = fastw2v.train(planted_file, init_from=first, **QUICK | still)
    np.testing.assert_allclose(same.vectors, first.vectors, rtol=0, atol=1e-6)
    np.testing.assert_allclose(same.outside, first.outside, rtol=0, atol=1e-6)
    words = first.words[:20]  # Among fewer words, more n-grams share a row: it starts from their mean.
    fewer = fastw2v.train([words] * 200, init_from=first, **QUICK | still)
    np.testing.assert_allclose(fewer[words], first[words], rtol=0, atol=1e-6)


def test_kept_words_keep_their_vectors(planted_file):
    first = fastw2v.train(planted_file, **QUICK)
    new = [["completely", "different", "words"] * 4] * 300
    still = {"alpha": 1e-12, "min_alpha": 0.0, "epochs": 1}
    union = fastw2v.train([[*s, first.words[0]] for s in new], init_from=first, keep_words=True, **QUICK | still)
    np.testing.assert_allclose(union[list(first.words)], first.vectors, rtol=0, atol=1e-6)
    assert "different" in union


def test_a_run_starts_from_vectors_that_were_changed(planted_file, tmp_path):
    """Also where n-grams of a word had no row, or several rows that are one here."""
    first = fastw2v.train(planted_file, **QUICK)
    still = {"alpha": 1e-12, "min_alpha": 0.0, "epochs": 1}
    known, new = first.words[3], ["qqqqqq", first.words[5] + "qq"]
    given = np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32)
    added = copy.deepcopy(first)
    added.add_vectors([known, *new], given, replace=True)
    scaled = copy.deepcopy(first)
    scaled.init_sims(replace=True)
    for source in (added, scaled):
        source.save(tmp_path)
        for init_from in (source, tmp_path):
            e = fastw2v.train(planted_file, init_from=init_from, keep_words=True, **QUICK | still)
            np.testing.assert_allclose(e[list(source.words)], source.vectors, rtol=0, atol=1e-5)
            np.testing.assert_allclose(e.vectors, composed(e), rtol=0, atol=1e-5)


def test_other_ngrams_are_refused(planted_file, monkeypatch):
    first = fastw2v.train(planted_file, **QUICK)
    plain = fastw2v.train(planted_file, **QUICK | {"max_n": 0})
    assert plain.subwords is None
    monkeypatch.setattr(driver, "opened", None)  # It is known before the corpus is read.
    had = r"init_from has n-grams with min_n=3, max_n=4, bucket=5000, but this run has"
    for change, has in (
        ({"min_n": 2}, "min_n=2, max_n=4, bucket=5000: make them equal"),
        ({"max_n": 5}, "min_n=3, max_n=5, bucket=5000: make"),
        ({"bucket": 5_001}, "min_n=3, max_n=4, bucket=5001: make"),
        ({"mode": "floret", "hash_count": 2}, "min_n=3, max_n=4, bucket=5000, hash_count=2, mode='floret': make"),
    ):
        with pytest.raises(ConfigError, match=f"{had} {has}"):
            fastw2v.train(planted_file, init_from=first, **QUICK | change)
    with pytest.raises(ConfigError, match="init_from has no n-grams, but this run has min_n=3, max_n=4, bucket=5000: "):
        fastw2v.train(planted_file, init_from=plain, **QUICK)


@pytest.mark.parametrize("mode", [{}, {"mode": "floret", "hash_count": 2}])
def test_given_vectors_give_the_defaults_of_ngrams(planted_file, tmp_path, mode):
    first = fastw2v.train(planted_file, **QUICK | {"min_n": 2, "bucket": 700} | mode)
    few = {"epochs": 1, "workers": 1, "progress": False, "min_count": 1}
    second = fastw2v.train(planted_file, init_from=first, max_n=4, **few)
    assert second.subwords.ngrams == first.subwords.ngrams
    assert second.vector_size == 10


@pytest.mark.parametrize("name", ["min_n", "bucket"])
def test_options_of_ngrams_without_subwords_are_doubtful(planted_file, name):
    with pytest.warns(FastW2VWarning, match=f"{name} has no effect without subwords: give max_n=6"):
        fastw2v.train(planted_file, **{name: 2}, epochs=1, workers=1, progress=False, min_count=1)


def test_ngrams_that_are_left_out_are_told(planted_file, tmp_path):
    first = fastw2v.train(planted_file, **QUICK)
    few = {"epochs": 2, "workers": 1, "progress": False, "min_count": 1}
    with pytest.warns(
        FastW2VWarning, match=r"n-grams of init_from are left out.*max_n=4 to train them too, or max_n=0"
    ):
        e = fastw2v.train(planted_file, init_from=first, output=tmp_path, callbacks=[lambda p, e: True], **few)
    assert e.subwords is None
    e = fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)
    assert e.subwords is None


def test_words_alone_start_from_composed_vectors(planted_file):
    first = fastw2v.train(planted_file, **QUICK)
    still = {"alpha": 1e-12, "min_alpha": 0.0, "epochs": 1, "max_n": 0}
    words = fastw2v.train(planted_file, init_from=first, **QUICK | still)
    np.testing.assert_allclose(words.vectors, first.vectors, rtol=0, atol=1e-6)


def test_files_of_subwords_go_with_their_model(planted_file, tmp_path):
    for _ in range(3):  # A first model, one that it makes room for, and one more.
        fastw2v.train(planted_file, output=tmp_path, **QUICK)
        assert not (tmp_path / "previous").exists()
    fastw2v.train(planted_file, output=tmp_path, **QUICK | {"max_n": 0})
    assert {path.name for path in tmp_path.glob("*.npy")} == {"V.npy", "U.npy"}


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_n": 5, "max_n": 4}, "min_n is 5, above the max_n of 4"),
        ({"min_n": 0}, "min_n is 0"),
        ({"max_n": -1}, "max_n is -1"),
        ({"max_n": 51}, "max_n is 51"),
        ({"max_n": 2.0}, "max_n is 2.0"),
        ({"bucket": 0}, "bucket is 0"),
        ({"bucket": 10**9}, "bucket is 1000000000"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ConfigError, match=message):
        fastw2v.TrainConfig(**options)


def test_ids_have_no_ngrams():
    with pytest.raises(TypeError, match="max_n"):
        fastw2v.train_ids([[0, 1, 2]], max_n=3)


def test_a_run_is_resumed_with_its_own_buckets_only(planted_file, tmp_path):
    fastw2v.train(planted_file, output=tmp_path, callbacks=[lambda p, e: True], **QUICK)
    table = np.load(tmp_path / "buckets.npy")
    np.save(tmp_path / "buckets.npy", table[1:])
    manifest = json.loads((tmp_path / "model.json").read_text())
    manifest["sha256"]["buckets.npy"] = hashlib.sha256((tmp_path / "buckets.npy").read_bytes()).hexdigest()
    manifest["checksum"] = checksum(manifest)
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(FolderError, match=r"buckets\.npy are not those"):
        fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)


def test_damaged_rows_are_not_resumed(planted_file, tmp_path):
    fastw2v.train(planted_file, output=tmp_path, callbacks=[lambda p, e: True], **QUICK)
    raw = bytearray((tmp_path / "subwords.npy").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "subwords.npy").write_bytes(raw)
    with pytest.raises(FolderError, match=r"subwords\.npy is damaged or belongs to another checkpoint"):
        fastw2v.train(planted_file, output=tmp_path, resume=True, progress=False)


def test_plain_rows_start_as_before():
    V, U = replica.initial_matrices(50, 20, 1)
    assert np.abs(V).max() <= 0.5 / 20
    more, _ = replica.initial_matrices(50, 20, 1, n_rows=80)
    assert more.shape[0] == 80
    assert 0.9 / 20 < np.abs(more).max() <= 1 / 20
    assert U.shape[0] == 50


def test_many_sentences_of_one_kind_stay_finite():
    """Words that share nearly all of their n-grams: the load rule must see it."""
    words = [f"aaaaaaaaaa{i}" for i in range(300)]
    rng = np.random.default_rng(0)
    sentences = [[words[i] for i in rng.integers(300, size=20)] for _ in range(1_000)]
    for alpha in (0.025, 0.1):
        e = fastw2v.train(sentences, **QUICK | {"alpha": alpha, "max_n": 6})
        assert np.isfinite(e.vectors).all()
        assert np.abs(e.vectors).max() < 20
