"""Questions to vectors, and model folders that are not what they should be."""

import json
import shutil

import numpy as np
import pytest

import fastw2v
from fastw2v.embeddings import Embeddings
from fastw2v.errors import ConfigError, FolderError, FormatError, UnknownWordError
from fastw2v.vocab import Vocab

WORDS = ["king", "queen", "man", "woman", "zero"]
VECTORS = np.array([[5, 1, 0], [5, 0, 1], [0, 1, 0], [0, 0, 2], [0, 0, 0]], np.float32)


@pytest.fixture
def small():
    return Embeddings(Vocab(WORDS, np.arange(5, 0, -1)), VECTORS)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_looking_up(small):
    np.testing.assert_array_equal(small["queen"], VECTORS[1])
    assert "king" in small
    assert "King" not in small
    assert len(small) == 5
    assert list(small.words) == WORDS
    with pytest.raises(KeyError, match="the word 'emperor' is not in the vocabulary of 5 words"):
        small["emperor"]
    with pytest.raises(UnknownWordError):
        small.most_similar(["king", "emperor"])


def test_vectors_are_read_only(small):
    with pytest.raises(ValueError, match="read-only"):
        small.vectors[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        small["king"][0] = 1
    assert VECTORS.flags.writeable


def test_similarity_is_the_cosine(small):
    assert small.similarity("king", "queen") == pytest.approx(cosine(VECTORS[0], VECTORS[1]))
    assert small.similarity("king", "zero") == 0


def test_most_similar_by_brute_force():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 7)).astype(np.float32)
    embeddings = Embeddings(Vocab([f"w{i}" for i in range(200)], np.ones(200, np.int64)), vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for positive, negative in [(["w3"], []), (["w3", "w8"], ["w5"]), ([], ["w1"])]:
        query = sum(unit[int(w[1:])] for w in positive) - sum(unit[int(w[1:])] for w in negative)
        scores = unit @ query / np.linalg.norm(query)
        order = [i for i in np.argsort(-scores) if f"w{i}" not in positive + negative]
        got = embeddings.most_similar(positive, negative, topn=12)
        assert [word for word, _ in got] == [f"w{i}" for i in order[:12]]
        np.testing.assert_allclose([score for _, score in got], scores[order[:12]], rtol=1e-4, atol=1e-6)
    assert embeddings.most_similar("w3") == embeddings.most_similar(["w3"])
    assert embeddings.most_similar(vectors[3], topn=1)[0][0] == "w3"  # a vector excludes no word
    assert len(embeddings.most_similar("w3", topn=10_000)) == 199


def test_rows_stand_for_words(small):
    assert list(small) == WORDS
    np.testing.assert_array_equal(small[1], VECTORS[1])
    assert small.similarity(0, 1) == small.similarity("king", "queen")
    assert small.most_similar(0) == small.most_similar("king")
    with pytest.raises(UnknownWordError):
        small[5]


def test_most_similar_refuses_nonsense(small):
    with pytest.raises(ValueError, match="at least one"):
        small.most_similar()
    with pytest.raises(ValueError, match="topn"):
        small.most_similar("king", topn=1.5)
    with pytest.raises(ValueError, match=r"not a vector of these embeddings: give 3 finite numbers"):
        small.most_similar(np.ones(4))


def test_analogy(small):
    assert small.analogy("man", "king", "woman", topn=1)[0][0] == "queen"


def test_save_and_load(small, tmp_path):
    small.save(tmp_path / "m")
    again = fastw2v.load(tmp_path / "m")
    np.testing.assert_array_equal(again.vectors, VECTORS)
    assert again.outside is None
    assert isinstance(again.vectors.base.base, np.memmap)  # mapped, and yet a plain array
    again.save(tmp_path / "m2")  # from one folder to another
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "m2").vectors, VECTORS)


def test_saving_over_the_folder_it_was_loaded_from(small, tmp_path):
    small.save(tmp_path / "m")
    fastw2v.load(tmp_path / "m").save(tmp_path / "m")
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "m").vectors, VECTORS)


def test_trained_model_round_trip(model):
    embeddings = fastw2v.load(model)
    assert embeddings.outside.shape == embeddings.vectors.shape
    assert embeddings.metadata["config"]["vector_size"] == 20
    assert embeddings.metrics[-1]["epoch"] == 10


def damage(folder, how):
    manifest = folder / "model.json"
    V = folder / "V.npy"
    if how.startswith("no "):
        (folder / how[3:]).unlink()
    elif how == "truncated V":
        V.write_bytes(V.read_bytes()[:-1])
    elif how == "truncated vocab":
        path = folder / "vocab.tsv"
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "V of another model":
        np.save(V, np.zeros((3, 20), np.float32))
    elif how == "V of another type":
        np.save(V, np.load(V).astype(np.float64))
    elif how == "pickled V":
        np.save(V, np.array([{}], dtype=object))
    elif how == "header that lies":
        V.write_bytes(V.read_bytes().replace(b"(56, 20)", b"(99, 20)"))
    elif how == "words added":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"n_words": 3}))
    elif how == "not JSON":
        manifest.write_text("{")
    elif how == "deep JSON":
        manifest.write_text("[" * 100_000)
    elif how == "newer format":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format_version": 3}))
    elif how == "other words":
        path = folder / "vocab.tsv"
        path.write_bytes(path.read_bytes().replace(b"t0w", b"x0w"))
    elif how == "bad metrics":
        (folder / "metrics.jsonl").write_text("7\n")


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("no model.json", "model.json"),
        ("no vocab.tsv", "vocab.tsv"),
        ("no V.npy", "V.npy"),
        ("no U.npy", "U.npy"),
        ("no metrics.jsonl", "metrics.jsonl"),
        ("truncated V", "V.npy"),
        ("truncated vocab", "vocab.tsv"),
        ("V of another model", "V.npy"),
        ("V of another type", "V.npy"),
        ("pickled V", "V.npy"),
        ("header that lies", "V.npy"),
        ("words added", "model.json"),
        ("not JSON", "model.json"),
        ("deep JSON", "model.json"),
        ("newer format", "format version 3"),
        ("bad metrics", "metrics.jsonl line 1"),
        ("other words", "not the vocabulary this folder was saved with"),
    ],
)
def test_damaged_model_folder_names_the_part(model, tmp_path, how, named):
    folder = tmp_path / "m"
    shutil.copytree(model, folder)
    damage(folder, how)
    with pytest.raises(FolderError, match=named) as error:
        fastw2v.load(folder)
    assert "\n" not in str(error.value)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(FolderError, match="does not exist: give a model folder or a file of vectors"):
        fastw2v.load(tmp_path / "nowhere")
    with pytest.raises(FolderError, match=r"is not a model folder: it has no model\.json"):
        fastw2v.load(tmp_path)


def test_to_gensim():
    pytest.importorskip("gensim")
    small = Embeddings(Vocab(WORDS[:4], np.arange(5, 1, -1)), VECTORS[:4])
    keyed = small.to_gensim()
    np.testing.assert_array_equal(keyed.vectors, VECTORS[:4])
    assert keyed.index_to_key == WORDS[:4]
    assert keyed.get_vecattr("king", "count") == 5
    assert keyed.most_similar("king", topn=1)[0][0] == small.most_similar("king", topn=1)[0][0]


@pytest.mark.parametrize("scale", [1e-25, 1, 1e25])
def test_cosines_of_extreme_vectors(scale):
    vectors = np.array([[1, 0], [1, 1]], np.float32) * np.float32(scale)
    embeddings = Embeddings(Vocab(["a", "b"], np.ones(2, np.int64)), vectors)
    assert embeddings.similarity("a", "b") == pytest.approx(np.sqrt(0.5), rel=1e-5)


def test_saving_without_outside_rows_leaves_no_old_ones(model, small, tmp_path):
    shutil.copytree(model, tmp_path / "m")
    small.save(tmp_path / "m")
    assert not (tmp_path / "m" / "U.npy").exists()


def test_names_that_cannot_be_folders(small):
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(FolderError):
            small.save(name)
        with pytest.raises(FolderError):
            fastw2v.load(name)


@pytest.mark.parametrize("query", [np.array([-128, 0, 0], np.int8), np.array([300, 1, 200], np.float16)])
def test_queries_of_narrow_types(small, query):
    for side in ("positive", "negative"):
        assert small.most_similar(**{side: query}) == small.most_similar(**{side: query.astype(np.float64)})
    assert small.most_similar(query.astype(np.float64) * 1e30)[0][1] == pytest.approx(small.most_similar(query)[0][1])


def test_load_takes_folders_and_files(model, tmp_path):
    whole = fastw2v.load(model)
    few = fastw2v.load(model, limit=5)
    assert list(few.words) == list(whole.words)[:5]
    np.testing.assert_array_equal(few.outside, whole.outside[:5])
    assert len(fastw2v.load(model, limit=10**6)) == len(whole)
    for name in ("v.bin", "v.vec.gz", "v.glove.xz", "v.npz", "v"):
        whole.export(tmp_path / name)
        again = fastw2v.load(tmp_path / name)
        assert list(again.words) == list(whole.words)
        np.testing.assert_allclose(again.vectors, whole.vectors, atol=5e-7)
        assert len(fastw2v.load(tmp_path / name, limit=3)) == 3
    assert fastw2v.load(tmp_path / "v.npz").vocab.counts.tolist() == whole.vocab.counts.tolist()
    assert Embeddings.load(model, mmap="r").words == whole.words
    with pytest.raises(ConfigError, match="binary is for a file of vectors"):
        fastw2v.load(model, binary=True)
    for limit in (0, 1.5, True):
        with pytest.raises(ConfigError, match="limit is"):
            fastw2v.load(model, limit=limit)
        with pytest.raises(ConfigError, match="limit is"):
            fastw2v.load(tmp_path / "v", limit=limit)


def test_load_says_where_files_are_that_are_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("s3://bucket/m", "https://host/v.bin", "gs://b/v"):
        with pytest.raises(FolderError, match="is an address, not a local path: download it first"):
            fastw2v.load(path)
    small = Embeddings.from_vectors(["a"], [[1.0]])
    with pytest.raises(FolderError, match="is an address"):
        small.save("s3://bucket/m")
    with pytest.raises(FormatError, match="is an address"):
        small.export("s3://bucket/v.bin")
    small.save("~/m")
    small.export("~/v.bin")
    assert len(fastw2v.load("~/m")) == len(fastw2v.load("~/v.bin")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "v.bin"]


def test_word2vec_files_with_gensims_arguments(tmp_path):
    words, counts = ["rare", "often", "never"], [1, 9, 0]
    e = Embeddings.from_vectors(words, np.eye(3), counts)
    e.save_word2vec_format(tmp_path / "v.bin", tmp_path / "counts", binary=True)
    assert (tmp_path / "counts").read_text() == "often 9\nrare 1\nnever 0\n"
    again = Embeddings.load_word2vec_format(tmp_path / "v.bin", tmp_path / "counts", binary=True)
    assert list(again.words) == ["often", "rare", "never"]  # most frequent word first, as gensim writes
    assert again.vocab.counts.tolist() == [9, 1, 0]
    np.testing.assert_array_equal(again.vectors, np.eye(3)[[1, 0, 2]])
    e.save_word2vec_format(tmp_path / "v.txt", write_header=False)
    assert (tmp_path / "v.txt").read_text().startswith("often 0.0 1.0 0.0\n")
    with pytest.raises(FormatError, match="line 1 is not a word2vec header"):
        Embeddings.load_word2vec_format(tmp_path / "v.txt")
    assert len(Embeddings.load_word2vec_format(tmp_path / "v.txt", no_header=True, limit=2)) == 2
    with pytest.raises(ValueError, match="can't be read again"):
        e.save_word2vec_format(tmp_path / "x", binary=True, write_header=False)
    (tmp_path / "counts").write_text("often nine\n")
    with pytest.raises(FormatError, match=r"line 1 is b'often nine.*expected a word and its count"):
        Embeddings.load_word2vec_format(tmp_path / "v.bin", tmp_path / "counts")


def test_unknown_words_have_hints(small):
    with pytest.raises(UnknownWordError, match="differs only in case: king"):
        small["King"]
    with pytest.raises(UnknownWordError, match="close: queen"):
        small["qeen"]
