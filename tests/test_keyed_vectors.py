"""gensim's names on embeddings: equal values on the same vectors, and no wrong answer to a wrong question."""

import copy
import enum
import math
import pickle
import sys

import numpy as np
import pytest

import fastw2v
from fastw2v import Embeddings
from fastw2v.errors import ConfigError, FastW2VWarning, FolderError, UnknownWordError
from fastw2v.vectors import nearest
from fastw2v.vocab import Vocab

N, D = 137, 23
WORDS = [f"w{i}" for i in range(N)]
COUNTS = np.arange(N, 0, -1) ** 2
VECTORS = np.random.default_rng(5).normal(size=(N, D)).astype(np.float32)


@pytest.fixture(scope="module")
def ours():
    return Embeddings.from_vectors(WORDS, VECTORS, COUNTS)


@pytest.fixture(scope="module")
def theirs():
    models = pytest.importorskip("gensim.models")
    keyed = models.KeyedVectors(D)
    keyed.add_vectors(WORDS, VECTORS)
    for word, count in zip(WORDS, COUNTS.tolist(), strict=True):
        keyed.set_vecattr(word, "count", count)
    return keyed


def same(ours, theirs):
    """Compare results of any form: numbers, arrays, words, and lists of (word, number)."""
    if isinstance(ours, list) and ours and isinstance(ours[0], tuple):
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        np.testing.assert_allclose([x for _, x in ours], [x for _, x in theirs], rtol=2e-5, atol=2e-6)
    elif isinstance(ours, (list, str, bool, dict)):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)
        assert np.shape(ours) == np.shape(theirs)


CALLS = {
    "key_to_index": lambda e: dict(e.key_to_index),
    "index_to_key": lambda e: list(e.index_to_key),
    "in": lambda e: ["w3" in e, "king" in e, 5 in e, N in e, e.has_index_for("w3")],
    "len": lambda e: len(e),
    "one": lambda e: e["w7"],
    "row": lambda e: e[7],
    "list": lambda e: e[["w7", "w1", 3]],
    "tuple": lambda e: e["w7", "w1"],
    "get_vector": lambda e: e.get_vector("w7"),
    "get_vector norm": lambda e: e.get_vector("w7", norm=True),
    "get_index": lambda e: [e.get_index("w9"), e.get_index("nobody", 4), e.get_index(3), e.get_index("nobody", -1)],
    "get_vecattr": lambda e: e.get_vecattr("w9", "count"),
    "get_normed_vectors": lambda e: e.get_normed_vectors(),
    "mean": lambda e: e.get_mean_vector(["w1", "w2", "nobody", 5]),
    "mean raw": lambda e: e.get_mean_vector(["w1", "w2"], pre_normalize=False),
    "mean weights": lambda e: e.get_mean_vector(["w1", "w2", "w3"], weights=[1, -2, 0.5], post_normalize=True),
    "mean of vectors": lambda e: e.get_mean_vector([VECTORS[4], "w2"]),
    "mean of a matrix": lambda e: e.get_mean_vector(VECTORS[:9]),
    "mean of nothing known": lambda e: e.get_mean_vector(["nobody"]),
    "most_similar": lambda e: e.most_similar("w3"),
    "most_similar row": lambda e: e.most_similar(3, topn=3),
    "most_similar lists": lambda e: e.most_similar(positive=["w3", "w4"], negative=["w5"], topn=7),
    "most_similar negative": lambda e: e.most_similar(negative=["w5"]),
    "most_similar weights": lambda e: e.most_similar([("w3", 2.0), "w4"], [("w5", -0.5)]),
    "most_similar vector": lambda e: e.most_similar(VECTORS[3]),
    "most_similar vector and word": lambda e: e.most_similar([3 * VECTORS[3], "w9"]),
    "most_similar vector, weight": lambda e: e.most_similar([(VECTORS[3], 0.3), ("w9", 2)]),
    "most_similar matrix": lambda e: e.most_similar(VECTORS[3:5]),
    "most_similar all": lambda e: e.most_similar("w3", topn=None),
    "most_similar none": lambda e: e.most_similar("w3", topn=0),
    "most_similar too many": lambda e: e.most_similar("w3", topn=10 * N),
    "restrict_vocab": lambda e: e.most_similar("w3", restrict_vocab=30),
    "restrict_vocab all": lambda e: e.most_similar("w3", restrict_vocab=30, topn=None),
    "clip": lambda e: e.most_similar(["w3", "w50"], clip_start=40, clip_end=90),
    "clip_start": lambda e: e.most_similar("w3", clip_start=100, topn=50),
    "cosmul": lambda e: e.most_similar_cosmul(["w3", "w4"], ["w5"]),
    "cosmul one": lambda e: e.most_similar_cosmul("w3", topn=4),
    "cosmul all": lambda e: e.most_similar_cosmul("w3", "w4", topn=None),
    "similar_by_word": lambda e: e.similar_by_word("w3", topn=3, restrict_vocab=50),
    "similar_by_key": lambda e: e.similar_by_key("w3"),
    "similar_by_vector": lambda e: e.similar_by_vector(VECTORS[8], topn=3, restrict_vocab=50),
    "similarity": lambda e: e.similarity("w3", 8),
    "distance": lambda e: e.distance("w3", "w8"),
    "distances": lambda e: e.distances("w3"),
    "distances to some": lambda e: e.distances("w3", ["w1", "w9"]),
    "distances of a vector": lambda e: e.distances(VECTORS[3], ["w1", "w9"]),
    "n_similarity": lambda e: e.n_similarity(["w1", "w2"], ["w3", "nobody"]),
    "doesnt_match": lambda e: e.doesnt_match(["w1", "w2", "w3", "w4"]),
    "rank": lambda e: [e.rank("w1", f"w{i}") for i in range(2, 20)],
    "closer_than": lambda e: e.closer_than("w1", "w7"),
    "vectors_for_all": lambda e: e.vectors_for_all(["w9", "nobody", "w2", "w9"]).vectors,
    "vectors_for_all keys": lambda e: list(e.vectors_for_all(["w9", "nobody", "w2", "w9"]).index_to_key),
    "count": lambda e: e.vectors_for_all(["w9", "w2"], copy_vecattrs=True).get_vecattr("w2", "count"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of gensim
@pytest.mark.parametrize("call", CALLS)
def test_values_are_gensims(ours, theirs, call):
    same(CALLS[call](ours), CALLS[call](theirs))


def test_wmdistance_is_gensims(ours, theirs):
    pytest.importorskip("ot")
    for a, b in ((["w1", "w2", "w2"], ["w3", "w4"]), (["w1"], ["w1", "w9", "nobody"]), (["w5"], ["nobody"])):
        for norm in (True, False):
            assert ours.wmdistance(a, b, norm) == pytest.approx(theirs.wmdistance(a, b, norm), rel=1e-5)


def test_add_vectors_is_gensims(ours, theirs):
    ours, theirs = copy.deepcopy(ours), copy.deepcopy(theirs)
    before = ours.vectors
    for keyed in (ours, theirs):
        keyed.add_vectors(["new", "w3"], np.ones((2, D), np.float32))
        keyed.add_vectors(["w4", "newer"], 2 * np.ones((2, D), np.float32), replace=True)
        keyed.add_vectors("newest", np.arange(D, dtype=np.float32))
    theirs.fill_norms(force=True)  # It does not notice the new vectors.
    same(ours.vectors, theirs.vectors)
    assert list(ours.index_to_key) == list(theirs.index_to_key)
    assert ours.get_vecattr("newest", "count") == 0
    same(ours.most_similar("newest"), theirs.most_similar("newest"))
    np.testing.assert_array_equal(before, VECTORS)


def test_predict_output_word_is_gensims(ours):
    models = pytest.importorskip("gensim.models")
    sentences = [[f"w{(i * j) % 40}" for j in range(9)] for i in range(200)]
    trained = models.Word2Vec(sentences, vector_size=D, min_count=1, workers=1, epochs=3)
    V, U = trained.wv.vectors, trained.syn1neg
    e = Embeddings(list(trained.wv.index_to_key), V, U)
    same(e.predict_output_word(["w3", "w8", "nobody"]), trained.predict_output_word(["w3", "w8", "nobody"]))
    assert e.predict_output_word(["nobody"]) == []
    assert e.predict_output_word(["w3"], topn=0) == e.predict_output_word(["w3"], topn=-1) == []
    with pytest.raises(ValueError, match=r"topn is 2\.5"):
        e.predict_output_word(["w3"], topn=2.5)
    assert sum(p for _, p in e.predict_output_word(["w3"], topn=None)) == pytest.approx(1)
    with pytest.raises(ValueError, match="needs the outside rows"):
        ours.predict_output_word(["w3"])


def test_gensims_program_reads_wv(ours):
    assert ours.wv["w3"] is not None
    assert ours.wv.wv is ours
    with pytest.raises(AttributeError, match="no attribute 'index2word': use index_to_key"):
        ours.index2word  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        ours.nothing  # noqa: B018


class Colour(str, enum.Enum):  # noqa: UP042  # a StrEnum prints its value
    RED = "w3"


class Sly(str):
    """A string that is equal to everything."""

    __slots__ = ()

    def __hash__(self):
        return hash("w4")

    def __eq__(self, other):
        return True


@pytest.mark.parametrize("key", [Colour.RED, np.str_("w3"), np.int32(3), Sly("w3")])
def test_keys_count_by_value(ours, key):
    np.testing.assert_array_equal(ours[key], VECTORS[3])
    assert key in ours
    assert ours.most_similar(key) == ours.most_similar("w3")


@pytest.mark.parametrize("key", [b"w3", True, np.bool_(True), 3.0, None, ["w3"], ("w3",), {"w3": 1}, slice(2)])
def test_what_is_no_key_is_refused(ours, key):
    assert key not in ours
    for ask in (ours.get_vector, ours.row, ours.similar_by_key, lambda key: ours[[key, "w1"]]):
        with pytest.raises(TypeError):
            ask(key)
    with pytest.raises(TypeError):
        ours.most_similar([key])
    if not isinstance(key, (list, tuple)):
        with pytest.raises(TypeError):
            ours[key]
        if key is not None and not isinstance(key, dict):
            with pytest.raises(TypeError):
                ours.most_similar(key)


def test_most_similar_refuses_what_can_not_be_meant(ours):
    for wrong in (b"w3", [["w3", "w4"]], ["w3", 2.5], [("w3", "w4")], [("w3", True)], ("w3", 2)):
        with pytest.raises(TypeError):
            ours.most_similar(wrong)
    for wrong, match in (([("w3", math.inf)], "not finite"), ([], "at least one"), (np.ones(4), "finite numbers")):
        with pytest.raises(ValueError, match=match):
            ours.most_similar(wrong)
    for topn in (2.5, True, "3"):
        with pytest.raises(ValueError, match="topn is"):
            ours.most_similar("w3", topn=topn)
    with pytest.warns(FastW2VWarning, match="so it is added: give a weight below 0"):
        added = ours.most_similar(["w3"], [("w5", 0.5)])
    assert added == ours.most_similar(["w3", ("w5", 0.5)])
    with pytest.raises(TypeError, match="takes no weights"):
        ours.most_similar_cosmul([("w3", 2.0)])


def test_strings_are_not_lists_of_letters():
    letters = Embeddings.from_vectors(list("abc"), np.eye(3))
    for ask in (
        letters.get_mean_vector,
        letters.doesnt_match,
        letters.vectors_for_all,
        letters.neighbors,
        letters.encode,
        lambda word: letters.n_similarity(word, ["a"]),
    ):
        with pytest.raises(TypeError, match=r"one string|is a str"):
            ask("abc")


def test_integers_are_words_where_all_words_are_integers():
    numbers = Embeddings.from_vectors([28, 7, -1], np.eye(3))
    np.testing.assert_array_equal(numbers[28], [1, 0, 0])
    np.testing.assert_array_equal(numbers[-1], [0, 0, 1])
    assert 0 not in numbers
    with pytest.raises(UnknownWordError, match="the word 0 is not in the vocabulary"):
        numbers[0]
    walks = Embeddings.from_vectors(range(3), np.eye(3))
    assert 0 in walks
    np.testing.assert_array_equal(walks[0], walks["0"])
    text = Embeddings.from_vectors(["the", "1", "0"], np.eye(3))
    np.testing.assert_array_equal(text[1], [0, 1, 0])  # the row, as in gensim
    assert text.row(0) == 0
    assert -1 not in text


def test_the_indexer_answers(ours):
    class Indexer:
        def most_similar(self, vector, topn):
            return [("somebody", float(np.linalg.norm(vector)))] * topn

    (name, norm), _ = ours.most_similar("w3", topn=2, indexer=Indexer())
    assert name == "somebody"
    assert norm == pytest.approx(1, abs=1e-6)
    assert len(ours.most_similar("w3", topn=None, indexer=Indexer())) == N


def test_a_zero_vector_has_the_cosine_zero():
    e = Embeddings.from_vectors(["a", "b", "zero"], [[1, 0], [1, 1], [0, 0]])
    assert e.similarity("a", "zero") == 0
    assert dict(e.most_similar("zero")) == {"a": 0, "b": 0}
    assert e.distances("zero").tolist() == [1, 1, 1]
    assert dict(e.most_similar("a"))["zero"] == 0


def test_doesnt_match_leaves_out_what_is_unknown(ours):
    with pytest.warns(FastW2VWarning, match=r"leaves out \['nobody'\]"):
        assert ours.doesnt_match(["w1", "w2", "w3", "nobody"]) == ours.doesnt_match(["w1", "w2", "w3"])
    with pytest.raises(UnknownWordError):
        ours.doesnt_match(["nobody"])
    with pytest.raises(ValueError, match="at least one"):
        ours.doesnt_match([])
    with pytest.raises(UnknownWordError, match="no word of"):
        ours.n_similarity(["nobody"], ["w1"])


@pytest.mark.parametrize("blocks", [(1024, 8192), (7, 16), (200, 50), (3, 1)])
@pytest.mark.parametrize("topn", [1, 5, N - 1, 5 * N])
def test_neighbors_are_those_of_most_similar(ours, monkeypatch, blocks, topn):
    monkeypatch.setattr(nearest, "BLOCK_KEYS", blocks[0])
    monkeypatch.setattr(nearest, "BLOCK_WORDS", blocks[1])
    keys = ["w3", 7, "w136", "w3", "w0"]
    rows, cosines = ours.neighbors(keys, topn)
    assert rows.dtype == np.int32
    assert cosines.dtype == np.float32
    assert rows.shape == cosines.shape == (5, min(topn, N - 1))
    for key, found, values in zip(keys, rows, cosines, strict=True):
        expected = ours.most_similar(key, topn=topn)
        assert [ours.words[row] for row in found] == [word for word, _ in expected]
        np.testing.assert_allclose(values, [cosine for _, cosine in expected], atol=2e-6)


def test_neighbors_of_all_words_and_of_equal_vectors():
    e = Embeddings.from_vectors(["a", "b", "c", "zero"], [[1, 0], [1, 0], [1, 0], [0, 0]])
    rows, cosines = e.neighbors(topn=2)
    assert rows.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1]]
    assert cosines.tolist() == [[1, 1], [1, 1], [1, 1], [0, 0]]
    alone = Embeddings.from_vectors(["a"], [[1, 0]])
    assert alone.neighbors()[0].shape == (1, 0)
    assert alone.most_similar("a") == []
    assert e.neighbors([])[0].shape == (0, 3)
    for topn in (0, 1.5, True):
        with pytest.raises(ValueError, match="topn is"):
            e.neighbors(topn=topn)
    with pytest.raises(UnknownWordError):
        e.neighbors(["nobody"])


def test_vectors_for_all_makes_the_matrix_of_a_network(ours):
    vocabulary = ["<pad>", "w9", "<unk>", "w2"]
    e = ours.vectors_for_all(vocabulary, missing="zeros")
    assert list(e.words) == vocabulary
    np.testing.assert_array_equal(e.vectors, [np.zeros(D), VECTORS[9], np.zeros(D), VECTORS[2]])
    assert e.vocab.counts.tolist() == [0, COUNTS[9], 0, COUNTS[2]]
    assert ours.vectors_for_all([2, "w9"]).words == ["w2", "w9"]
    with pytest.raises(UnknownWordError, match="'<pad>'"):
        ours.vectors_for_all(vocabulary, missing="raise")
    with pytest.raises(UnknownWordError, match="none of 2 keys"):
        ours.vectors_for_all(["a", "b"])
    with pytest.raises(ValueError, match="missing is 'zero'"):
        ours.vectors_for_all(vocabulary, missing="zero")
    with pytest.raises(TypeError):
        ours.vectors_for_all([b"w9"])


def test_to_frame_needs_pandas(ours):
    pytest.importorskip("pandas")
    frame = ours.to_frame()
    assert frame.shape == (N, D)
    np.testing.assert_array_equal(frame.loc["w3"].to_numpy(), VECTORS[3])


def test_init_sims_and_norms(ours):
    e = copy.deepcopy(ours)
    e.init_sims()
    np.testing.assert_array_equal(e.vectors, VECTORS)
    e.init_sims(replace=True)
    np.testing.assert_allclose(np.linalg.norm(e.vectors, axis=1), 1, rtol=1e-6)
    assert e.most_similar("w3", topn=3)[0][0] == ours.most_similar("w3", topn=3)[0][0]


# ------------------------------------------------------------------------------------------------ what is stored


def forms(e, folder):
    """The same embeddings after every way of handing them on."""
    e.save(folder / "m")
    yield e
    yield fastw2v.load(folder / "m")
    yield pickle.loads(pickle.dumps(e))
    yield copy.deepcopy(e)
    yield copy.copy(e)
    yield pickle.loads(pickle.dumps(fastw2v.load(folder / "m")))


def test_vectors_stay_what_they_are(planted_file, tmp_path):
    quick = {"vector_size": 20, "epochs": 1, "workers": 1, "progress": False}
    seen = []
    for e in (
        fastw2v.train(planted_file, **quick),
        fastw2v.train(planted_file, callbacks=[lambda now, live: seen.append(live.vectors)], **quick),
        fastw2v.train(planted_file, output=tmp_path / "trained", **quick),
    ):
        for again in forms(e, tmp_path):
            for matrix in (again.vectors, again.outside):
                assert type(matrix) is np.ndarray
                assert matrix.dtype == np.float32
                assert matrix.flags.c_contiguous
                assert not matrix.flags.writeable
            np.testing.assert_array_equal(again.vectors, e.vectors)
            np.testing.assert_array_equal(again.outside, e.outside)
            assert again.metadata == e.metadata
            assert again.metrics == e.metrics
            assert again.most_similar(e.words[0]) == e.most_similar(e.words[0])
            assert {type(word) for word in again.words} == {str}
        np.testing.assert_array_equal(fastw2v.load(tmp_path / "m").vectors, e.vectors)
    np.testing.assert_array_equal(seen[-1], e.vectors)  # with one worker, all three are equal
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "trained").vectors, e.vectors)


GOOD = Vocab(["a", "b"], np.array([2, 1]))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((["a", "a"], np.eye(2)), "the word 'a' occurs twice"),
        ((["a", np.str_("a")], np.eye(2)), "the word 'a' occurs twice"),
        ((["a", 1.5], np.eye(2)), "word 1 is 1.5, a float"),
        ((["a", b"b"], np.eye(2)), "word 1 is b'b', a bytes"),
        ((["a", None], np.eye(2)), "word 1 is None"),
        ((["a", True], np.eye(2)), "word 1 is True, a bool"),
        ((["a", ""], np.eye(2)), "word 1 is '', empty"),
        ((["a", "b\tc"], np.eye(2)), "with a tab or line break"),
        ((["a", "\ud800x"], np.eye(2)), "surrogates"),
        (([], np.eye(0)), "there is no word"),
        (("ab", np.eye(2)), "the words are one string, 'ab'"),
        ((Vocab(["a", "b"], np.array([1.5, 2])), np.eye(2)), "counts are float64"),
        ((Vocab(["a", "b"], np.array([1, -2])), np.eye(2)), "a count is -2"),
        ((Vocab(["a", "b"], np.array([1, 10**18])), np.eye(2)), "a count is 1000000000000000000"),
        ((Vocab(["a", "b"], np.array([1])), np.eye(2)), "one for each of the 2 words"),
        ((GOOD, np.eye(3)), r"vectors have shape \(3, 3\): give 2 rows"),
        ((GOOD, np.zeros((2, 0))), r"shape \(2, 0\)"),
        ((GOOD, np.zeros(2)), r"shape \(2,\)"),
        ((GOOD, np.array([["x", "y"]] * 2)), "vectors are <U1"),
        ((GOOD, np.eye(2) * 1j), "vectors are complex128"),
        ((GOOD, np.ma.masked_equal(np.eye(2), 0)), "vectors hold masked numbers"),
        ((GOOD, np.eye(2), np.eye(3)), r"outside have shape \(3, 3\)"),
        ((GOOD, np.eye(2), np.ones((2, 3))), r"outside has shape \(2, 3\)"),
        ((GOOD, np.eye(2), None, {1: 2}), "strings as keys"),
        ((GOOD, np.eye(2), None, {"a": {1, 2}}), "metadata can't be stored"),
        ((GOOD, np.eye(2), None, {"a": math.nan}), "finite numbers"),
        ((GOOD, np.eye(2), None, {"a": (1, 2)}), "lists"),
        ((GOOD, np.eye(2), None, {}, [{"a": [1]}]), "record 0 of metrics"),
        ((GOOD, np.eye(2), None, {}, [7]), "record 0 of metrics"),
        ((GOOD, np.eye(2), None, {}, [{"a": (1, 2)}]), "record 0 of metrics"),
        ((GOOD, np.eye(2), None, {}, [{"a": 1}, {"a": np.float32(1)}]), "record 1 of metrics"),
        ((GOOD, np.eye(2), None, {}, [{1: 2}]), "record 0 of metrics"),
        ((GOOD, np.eye(2), None, {"format": "x"}), "metadata has the key 'format'"),
        ((GOOD, np.eye(2), None, {"format_version": 99, "n_words": 5}), "metadata has the key 'format_version'"),
    ],
)
def test_what_can_not_be_stored_is_not_made(arguments, match, tmp_path):
    with pytest.raises((TypeError, ValueError), match=match):
        Embeddings(*arguments)


@pytest.mark.parametrize(
    "vectors",
    [np.eye(2), np.eye(2, dtype=np.float16), np.asfortranarray(np.eye(2, dtype=np.float32)), np.eye(2, dtype=int),
     np.eye(2, dtype=">f4"), np.eye(4, dtype=np.float32)[:2, :2], [[1, 0], [0, 1]]],
)  # fmt: skip
def test_what_is_made_can_be_stored(vectors, tmp_path):
    e = Embeddings(Vocab([np.str_("a"), Colour.RED], [3, 0]), vectors, vectors, {"deep": {"list": [1, "x", None]}})
    for again in forms(e, tmp_path):
        np.testing.assert_array_equal(again.vectors, np.eye(2))
        assert again.words == ["a", "w3"]
        assert again.vocab.counts.tolist() == [3, 0]
        assert again.vectors.flags.c_contiguous
        assert again.vectors.dtype == np.dtype("<f4")


def test_from_vectors_refuses_what_is_not_finite():
    for wrong in (math.nan, math.inf, 1e39):
        with pytest.raises(ValueError, match="the vector of the word 'b' is not finite"):
            Embeddings.from_vectors(["a", "b"], [[1, 2], [3, wrong]])


# ------------------------------------------------------------------------------------------------------ encode


def test_encode_is_the_mean_of_known_words(ours):
    texts = ["w1 w2 w2 nobody", "", "nobody", ["w5", "nobody"], "w5\t\nw6 ", "w5\xa0w6"]
    vectors = ours.encode(texts)
    assert vectors.dtype == np.float32
    expected = [VECTORS[[1, 2, 2]].mean(0), np.zeros(D), np.zeros(D), VECTORS[5], VECTORS[[5, 6]].mean(0), np.zeros(D)]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    norms = np.linalg.norm(ours.encode(texts, normalize=True), axis=1)
    np.testing.assert_allclose(norms, [1, 0, 0, 1, 1, 0], atol=1e-6)
    assert ours.encode([]).shape == (0, D)
    assert ours.encode(iter(texts)).shape == (6, D)
    np.testing.assert_array_equal(ours.encode(["W1"], tokenize=lambda text: [text.lower()])[0], VECTORS[1])


def test_encode_with_weights(ours):
    p = COUNTS / COUNTS.sum()
    sif = 1e-3 / (1e-3 + p[[1, 2, 2]])
    expected = (sif[:, None] * VECTORS[[1, 2, 2]]).sum(0) / sif.sum()
    np.testing.assert_allclose(ours.encode(["w1 w2 w2"], weights="sif")[0], expected, rtol=1e-5, atol=1e-6)
    given = {"w1": 2.0, "w2": -1.0, "nobody": 9.0}
    expected = (2 * VECTORS[1] - VECTORS[2]) / 3
    np.testing.assert_allclose(ours.encode(["w1 w2 w3 nobody"], weights=given)[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ours.encode(["w3"], weights=given)[0], np.zeros(D))
    without = Embeddings.from_vectors(WORDS, VECTORS)
    with pytest.raises(ConfigError, match="weights='sif' needs the counts"):
        without.encode(["w1"], weights="sif")
    with pytest.raises(ValueError, match="weights is 'idf'"):
        ours.encode(["w1"], weights="idf")
    with pytest.raises(ValueError, match="the weight of the word 'w1' is not finite"):
        ours.encode(["w1"], weights={"w1": math.nan})


def test_encode_in_parts(ours, monkeypatch):
    from fastw2v.vectors import encode

    rng = np.random.default_rng(0)
    texts = [[WORDS[i] for i in rng.integers(0, N, rng.integers(0, 9))] for _ in range(100)]
    whole = ours.encode(texts)
    monkeypatch.setattr(encode, "TEXTS_AT_ONCE", 7)
    monkeypatch.setattr(encode, "TOKENS_AT_ONCE", 11)
    np.testing.assert_array_equal(ours.encode(texts), whole)
    for text, vector in zip(texts, whole, strict=True):
        mean = ours[text].mean(0) if text else np.zeros(D)
        np.testing.assert_allclose(vector, mean, atol=1e-6)


@pytest.mark.parametrize("texts", ["w1 w2", b"w1", {"w1": 1}, 7, [7], [b"w1"], [None], [["w1", ["w2"]]], [{"w1": 2}]])
def test_encode_refuses_what_is_no_text(ours, texts):
    with pytest.raises(TypeError):
        ours.encode(texts)


def test_encode_refuses_a_tokenizer_that_returns_no_list_of_words(ours):
    with pytest.raises(TypeError, match="tokenize returned one string"):
        ours.encode(["w1"], tokenize=str.lower)
    with pytest.raises(TypeError, match=r"tokenize returned \{'input_ids'"):
        ours.encode(["w1"], tokenize=lambda text: {"input_ids": [1]})
    with pytest.raises(TypeError, match="text 0 holds 1, a int, but the words are not numbers"):
        ours.encode(["w1"], tokenize=lambda text: [1, 2])


def test_encode_never_takes_other_tokens_for_unknown_words(ours):
    numbers = Embeddings.from_vectors([7, 3, 5], np.eye(3))
    np.testing.assert_array_equal(numbers.encode([[3], np.array([5, 9]), ["7"]]), np.eye(3)[[1, 2, 0]])
    np.testing.assert_array_equal(ours.encode([[np.str_("w1")], (w for w in ["w2"])]), VECTORS[[1, 2]])
    with pytest.raises(TypeError, match="text 1 holds 1, a int, but the words are not numbers"):
        ours.encode([["w1"], ["w1", 1]])
    with pytest.raises(TypeError, match="text 0 holds b'w1', a bytes: give strings"):
        ours.encode([[b"w1"]])
    with pytest.raises(TypeError, match="text 0 holds True, a bool"):
        numbers.encode([[True]])


def test_encode_refuses_a_table(ours):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"w1": ["w2", "w3"]})
    with pytest.raises(TypeError, match="texts is a DataFrame, a table of columns"):
        ours.encode(frame)
    np.testing.assert_array_equal(ours.encode(frame["w1"]), VECTORS[[2, 3]])


def test_encode_scales_any_length_to_1():
    e = Embeddings.from_vectors(["long", "short"], [[3e38, 3e38], [1e-30, 1e-30]])
    np.testing.assert_allclose(e.encode(["long", "short"], normalize=True), np.full((2, 2), 0.5**0.5), rtol=1e-6)


def test_from_vectors_does_not_follow_the_callers_array():
    given = np.eye(2, dtype=np.float32)
    e = Embeddings.from_vectors(["a", "b"], given)
    given[0] = 9
    np.testing.assert_array_equal(e["a"], [1, 0])
    assert given.flags.writeable


def test_load_refuses_options_that_a_folder_has_no_use_for(ours, tmp_path):
    ours.save(tmp_path / "m")
    for options in ({"encoding": "latin-1"}, {"errors": "strict"}, {"duplicates": "error"}, {"no_header": True}):
        with pytest.raises(ConfigError, match=f"{next(iter(options))} is for a file of vectors"):
            fastw2v.load(tmp_path / "m", **options)
    with pytest.raises(FolderError, match="an empty path does not exist"):
        fastw2v.load("")


def test_missing_packages_are_named(ours, monkeypatch):
    for package, ask in (("gensim.models", ours.to_gensim), ("pandas", ours.to_frame)):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError, match=f"needs the package {package.split('.')[0]}: pip install"):
            ask()
