"""Compact tables in floret's way: hashes, rows, vectors of any word, and the file that spaCy reads."""

import gzip
import warnings
from itertools import pairwise

import numpy as np
import pytest

from fastw2v import reference, train
from fastw2v.cli import main
from fastw2v.config import TrainConfig
from fastw2v.embeddings import Embeddings, load
from fastw2v.errors import ConfigError, FastW2VWarning, FormatError
from fastw2v.subwords.composition import compose_vocabulary
from fastw2v.subwords.ngrams import FLORET_SEED, Ngrams, check_ngrams, murmur, rows_of_words
from fastw2v.subwords.table import Subwords
from fastw2v.vectors import writer

WORDS = [
    "the",
    "cat",
    "cats",
    "scatter",
    "of",
    "a",
    "Köln",
    "東京都",
    "naïve",
    "🙂🙃",
    "x" * 70,
    "new york",
    "<",
    "the the",
]
UNSEEN = ["kitten", "b", "Kölner", "京", "🙂", "y" * 40, "the>", "…", "it's"]
GRAMS = Ngrams(2, 5, 300, 2)


def embeddings_of(ngrams, words=WORDS, size=6, seed=0):
    """Embeddings whose vectors are composed of random rows of buckets."""
    starts, rows = rows_of_words(words, ngrams)
    counts = np.arange(len(words), 0, -1)
    composed = compose_vocabulary(starts, rows, ngrams.bucket, counts.astype(float), ngrams.own_rows)
    V = np.random.default_rng(seed).normal(size=(composed.n_rows, size)).astype(np.float32)
    word = np.repeat(np.arange(len(words)), np.diff(composed.offsets))
    vectors = np.zeros((len(words), size))
    np.add.at(vectors, word, composed.shares[:, None] * V[composed.rows])
    subwords = Subwords(ngrams, V, composed.buckets, composed.bucket_rows)
    return Embeddings(words, vectors, subwords=subwords)


def dense(subwords):
    """The table with all rows, as floret keeps it."""
    table = np.zeros((subwords.ngrams.bucket, subwords.rows.shape[1]), np.float32)
    table[subwords.buckets] = subwords.rows[subwords.bucket_rows]
    return table


# ------------------------------------------------------------------------------------------------------ hashes


def murmur_of(data, seed):
    return reference.murmur(np.frombuffer(data, np.uint8), 0, len(data), seed)


def test_murmur_of_the_reference_passes_the_verification_of_its_author():
    hashes = b""
    for i in range(256):
        hashes += b"".join(half.to_bytes(8, "little") for half in murmur_of(bytes(range(i)), 256 - i))
    assert murmur_of(hashes, 0)[0] & 0xFFFFFFFF == 0x6384BA69  # published with SMHasher


def test_murmur_equals_the_reference():
    data = np.random.default_rng(1).integers(0, 256, 200).astype(np.uint8)
    for length in range(50):
        for start in (0, 1, 7):
            expected = reference.murmur(data, start, start + length, FLORET_SEED)
            assert tuple(map(int, murmur(data, start, start + length, np.uint64(FLORET_SEED)))) == expected


def test_rows_are_those_that_floret_gives():
    # What floret 0.10.5 gives with -minn 2 -maxn 3 -hashCount 2 -bucket 20 for 東京, zz and a.
    starts, rows = rows_of_words(["東京", "zz", "a"], Ngrams(2, 3, 20, 2))
    n_words = 10  # floret's numbers begin after its words
    expected = [
        [28, 22, 29, 17, 11, 24, 27, 15, 13, 18, 10, 18],
        [25, 27, 28, 11, 23, 24, 18, 12, 29, 20, 29, 17],
        [15, 12, 15, 14, 15, 12, 11, 28],
    ]
    assert [(rows[a:b] + n_words).tolist() for a, b in pairwise(starts)] == expected


@pytest.mark.parametrize("ngrams", [GRAMS, Ngrams(1, 1, 7, 1), Ngrams(3, 6, 1, 4), Ngrams(1, 50, 50_000, 3)])
def test_rows_equal_the_reference(ngrams):
    words = [*WORDS, *UNSEEN, ""]
    for own_rows in (False, True):  # Words never have rows of their own.
        starts, rows = rows_of_words(words, ngrams, own_rows)
        for w, word in enumerate(words):
            assert rows[starts[w] : starts[w + 1]].tolist() == reference.floret_buckets(word, ngrams)
    assert starts[-1] == starts[-2]  # The empty word has none.


def test_the_first_rows_do_not_depend_on_the_hash_count():
    for count in (1, 2, 3):
        fewer, more = (rows_of_words(["scatter"], Ngrams(3, 4, 1000, n))[1] for n in (count, count + 1))
        assert fewer.reshape(-1, count).tolist() == more.reshape(-1, count + 1)[:, :count].tolist()


@pytest.mark.parametrize("value", [-1, 5, True, 2.0, "2", None])
def test_other_hash_counts_are_refused(value):
    with pytest.raises(ConfigError, match=r"hash_count is .*: give a whole number from 1 to 4"):
        check_ngrams(Ngrams(3, 6, 1000, value))


def test_hash_counts_of_floret_and_fasttext_are_accepted():
    for value in range(5):
        check_ngrams(Ngrams(3, 6, 1, value))


# ------------------------------------------------------------------------------------------------------ vectors


@pytest.mark.parametrize("bucket", [1, 5, 300, 100_000])
@pytest.mark.parametrize("hash_count", [1, 2, 4])
def test_composed_vectors_are_means_of_rows_of_buckets(bucket, hash_count):
    embeddings = embeddings_of(Ngrams(2, 5, bucket, hash_count))
    subwords, table = embeddings.subwords, dense(embeddings.subwords)
    assert len(subwords.rows) <= bucket
    for word, vector in zip(WORDS, embeddings.vectors, strict=True):
        expected = table[reference.floret_buckets(word, subwords.ngrams)].mean(axis=0, dtype=np.float64)
        np.testing.assert_allclose(vector, expected, rtol=0, atol=1e-5)
    vectors, known = subwords.vectors(WORDS)
    np.testing.assert_allclose(vectors, embeddings.vectors, rtol=0, atol=2e-5)
    assert known.tolist() == [len(reference.floret_buckets(word, subwords.ngrams)) for word in WORDS]


def test_rows_are_ordered_by_how_often_they_occur():
    starts, rows = rows_of_words(WORDS, GRAMS)
    counts = np.arange(len(WORDS), 0, -1).astype(float)
    word = np.repeat(np.arange(len(WORDS)), np.diff(starts))
    sums = np.bincount(rows, weights=counts[word], minlength=GRAMS.bucket)
    composed = compose_vocabulary(starts, rows.copy(), GRAMS.bucket, counts, own_rows=False)
    leads = [composed.buckets[composed.bucket_rows == row][0] for row in range(composed.n_rows)]
    assert sums[leads].tolist() == sorted(sums[leads], reverse=True)
    # Buckets of the same words share a row, and no others do.
    has = np.zeros((GRAMS.bucket, len(WORDS)), bool)
    has[rows, word] = True
    reached = has[has.any(axis=1)]
    assert composed.n_rows == len(np.unique(reached, axis=0)) < len(reached) == len(composed.buckets)


def test_unseen_words_have_vectors_and_unreached_buckets_add_nothing():
    embeddings = embeddings_of(GRAMS)
    table = dense(embeddings.subwords)
    assert not table.any(axis=1).all()
    vectors, known = embeddings.subwords.vectors([*UNSEEN, ""])
    for word, vector, n in zip(UNSEEN, vectors, known.tolist(), strict=False):
        buckets = reference.floret_buckets(word, GRAMS)
        np.testing.assert_allclose(vector, table[buckets].mean(axis=0), rtol=0, atol=1e-5)
        assert n == np.isin(buckets, embeddings.subwords.buckets).sum()
    assert not vectors[-1].any()
    assert known[-1] == 0


def test_a_model_folder_keeps_the_table(tmp_path):
    embeddings = embeddings_of(Ngrams(3, 6, 5, 3))
    assert len(embeddings.subwords.rows) < len(WORDS)
    embeddings.save(tmp_path / "model")
    loaded = load(tmp_path / "model").subwords
    assert loaded.ngrams == embeddings.subwords.ngrams
    for ours, theirs in zip(loaded[1:], embeddings.subwords[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


# ------------------------------------------------------------------------------------------------------ files


def test_the_file_has_a_row_per_bucket(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK_NUMBERS", 6 * 7)  # 7 rows at once: the last block is short.
    embeddings = embeddings_of(GRAMS)
    embeddings.export(tmp_path / "t.floret")
    header, *lines = (tmp_path / "t.floret").read_text().splitlines()
    assert header == "300 6 2 5 2 2166136261 < >"
    fields = [line.split(" ") for line in lines]
    assert [line[0] for line in fields] == [str(bucket) for bucket in range(300)]
    np.testing.assert_array_equal(np.array([line[1:] for line in fields], np.float32), dense(embeddings.subwords))


def test_the_file_can_be_compressed_and_streamed(tmp_path, capfdbinary):
    embeddings = embeddings_of(GRAMS)
    embeddings.export(tmp_path / "t.floret")
    embeddings.export(tmp_path / "t.floret.gz")
    plain = (tmp_path / "t.floret").read_bytes()
    assert gzip.decompress((tmp_path / "t.floret.gz").read_bytes()) == plain
    embeddings.export("-", "floret")
    assert capfdbinary.readouterr().out == plain
    with pytest.warns(FastW2VWarning, match=r"the suffix \.txt means word2vec-text, but the file is written as floret"):
        embeddings.export(tmp_path / "t.txt", "floret")
    assert (tmp_path / "t.txt").read_bytes() == plain


def test_the_command_exports_a_table(tmp_path, capsys):
    embeddings_of(GRAMS).save(tmp_path / "model")
    main(["export", str(tmp_path / "model"), str(tmp_path / "t.floret")])
    assert ": 300 rows, vector_size 6, floret" in capsys.readouterr().out
    assert (tmp_path / "t.floret").read_text().startswith("300 6 2 5 2 2166136261 < >\n0 ")


def test_vectors_without_a_table_are_refused(tmp_path):
    whole = Embeddings(["a"], [[1.0]])
    fasttext = Embeddings(
        ["a"], [[1.0]], subwords=Subwords(Ngrams(1, 2, 9), np.ones((1, 1), "f4"), *np.zeros((2, 1), np.int32))
    )
    for embeddings in (whole, fasttext):
        with pytest.raises(FormatError, match=r"t\.floret: floret holds rows .* train with mode=.floret."):
            embeddings.export(tmp_path / "t.floret")
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    embeddings = embeddings_of(GRAMS)
    rows = embeddings.subwords.rows.copy()
    rows[3, 1] = np.inf
    broken = Embeddings(WORDS, embeddings.vectors, subwords=embeddings.subwords._replace(rows=rows))
    with pytest.raises(FormatError, match="row 3 of the table of n-grams is not finite"):
        broken.export(tmp_path / "t.floret")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_table_is_not_read_as_vectors(tmp_path, suffix):
    path = tmp_path / f"t.floret{suffix}"
    embeddings_of(GRAMS).export(path)
    with pytest.raises(
        FormatError, match=r"t\.floret.* is a floret table, whose rows belong to hashes and not to words"
    ):
        load(path)


# ------------------------------------------------------------------------------------------------------ spaCy


@pytest.fixture(scope="module")
def spacy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("spacy")
        pytest.importorskip("spacy.training.initialize")
        yield module


@pytest.mark.parametrize("ngrams", [GRAMS, Ngrams(3, 6, 50, 4), Ngrams(1, 3, 1000, 1), Ngrams(4, 5, 20_000, 3)])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_spacy_gives_the_same_vectors(tmp_path, spacy, ngrams, suffix):
    embeddings = embeddings_of(ngrams)
    path = tmp_path / f"t.floret{suffix}"
    embeddings.export(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nlp = spacy.blank("xx")
        # What the command `spacy init vectors xx FILE OUT --mode floret` runs.
        spacy.training.initialize.convert_vectors(nlp, path, truncate=0, prune=-1, mode="floret")
    theirs = np.array([nlp.vocab[word].vector for word in WORDS])
    np.testing.assert_allclose(theirs, embeddings.vectors, rtol=0, atol=1e-5)
    theirs = np.array([nlp.vocab[word].vector for word in UNSEEN])
    np.testing.assert_allclose(theirs, embeddings.subwords.vectors(UNSEEN)[0], rtol=0, atol=1e-5)
    batch = nlp.vocab.vectors.get_batch([*WORDS, ""])
    np.testing.assert_allclose(batch[-1], embeddings.subwords.vectors([""])[0][0], rtol=0, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ training

OPTIONS = {"mode": "floret", "hash_count": 2, "bucket": 400, "min_n": 2, "max_n": 4}
QUICK = {"vector_size": 12, "epochs": 2, "workers": 1, "alpha": 0.05, "progress": False}


def test_training_moves_rows_that_words_share(planted_file):
    embeddings = train(planted_file, **OPTIONS, **QUICK)
    subwords = embeddings.subwords
    assert subwords.ngrams == Ngrams(2, 4, 400, 2)
    assert len(subwords.rows) <= 400
    np.testing.assert_allclose(subwords.vectors(embeddings.words)[0], embeddings.vectors, rtol=0, atol=1e-5)
    assert embeddings.metrics[-1]["loss"] < 0.9 * embeddings.metrics[0]["loss"]


def test_a_resumed_run_equals_one_without_interruption(planted_file, tmp_path):
    whole = train(planted_file, **OPTIONS, **QUICK)
    stopped = train(
        planted_file, output=tmp_path / "m", callbacks=[lambda progress, _: progress.tokens > 0], **OPTIONS, **QUICK
    )
    assert not stopped.metadata["progress"]["complete"]
    resumed = train(planted_file, output=tmp_path / "m", resume=True, progress=False)
    for ours, theirs in zip(resumed.subwords[1:], whole.subwords[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(resumed.vectors, whole.vectors)


def test_training_starts_from_the_rows_of_another_run(planted_file, tmp_path):
    source = train(planted_file, **OPTIONS, **QUICK)
    started = train(planted_file, **OPTIONS, **(QUICK | {"alpha": 1e-9, "min_alpha": 0}), init_from=source)
    np.testing.assert_allclose(started.vectors, source.vectors, rtol=0, atol=1e-5)
    with pytest.raises(ConfigError, match=r"init_from has .*: make them equal"):
        train(planted_file, **(OPTIONS | {"hash_count": 1}), **QUICK, init_from=source)


def test_changed_vectors_are_told_where_they_are_lost(planted_file, tmp_path):
    source = train(planted_file, **OPTIONS, **QUICK)
    source.export(tmp_path / "t.floret")  # without a warning
    word = source.words[7]
    source.add_vectors([word, "added"], np.ones((2, source.vector_size)), replace=True)
    with pytest.warns(FastW2VWarning, match=f"t.floret: 2 vectors changed after the training, .* word '{word}', can't"):
        source.export(tmp_path / "t.floret")
    with pytest.warns(FastW2VWarning, match=f"2 vectors of init_from changed .* word '{word}': the change is lost"):
        train(planted_file, **OPTIONS, **QUICK, init_from=source)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "floret"}, r"mode is .floret., .*: give max_n=5"),
        ({"mode": "flore", "max_n": 5}, "mode is 'flore': give 'fasttext' or 'floret'"),
        ({"hash_count": 2, "max_n": 5}, r"hash_count is 2, but fastText has one bucket per n-gram: give mode=.floret."),
        ({"mode": "floret", "max_n": 5, "hash_count": 5}, "hash_count is 5: give a whole number from 1 to 4"),
        ({"mode": "floret", "max_n": 5, "hash_count": 0}, "hash_count is 0: give a whole number from 1 to 4"),
        ({"mode": "floret", "max_n": 5, "bucket": 0}, "bucket is 0: give a whole number from 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**options)


def test_the_command_trains_and_exports_a_table(planted_file, tmp_path):
    flags = "--mode floret --hash-count 2 --bucket 400 --min-n 2 --max-n 4 --vector-size 12 --epochs 1 --workers 1"
    main(["train", str(planted_file), "-o", str(tmp_path / "m"), *flags.split()])
    main(["export", str(tmp_path / "m"), str(tmp_path / "t.floret")])
    assert len((tmp_path / "t.floret").read_text().splitlines()) == 401
