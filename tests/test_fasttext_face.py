"""gensim's FastText over subwords: what each name means, beside gensim itself."""

import inspect
import pickle

import numpy as np
import pytest
from conftest import planted_sentences
from hypothesis import given
from hypothesis import strategies as st
from test_fasttext_bin import model_bytes
from test_gensim_face import JSON, signature

import fastw2v
from fastw2v import gensim as face
from fastw2v.errors import ConfigError, FastW2VWarning, FolderError, FormatError, UnknownWordError
from fastw2v.gensim import (
    CallbackAny2Vec,
    FastText,
    FastTextKeyedVectors,
    KeyedVectors,
    Word2Vec,
    ft_ngram_hashes,
    load_facebook_model,
    load_facebook_vectors,
    save_facebook_model,
    words,
)

QUICK = {"vector_size": 12, "min_count": 1, "sg": 1, "workers": 1, "epochs": 2, "bucket": 1000}
UNSEEN = ["t0w9", "t1w11", "zw0", "all"]


@pytest.fixture(scope="module")
def sentences():
    return list(planted_sentences())[:500]


@pytest.fixture(scope="module")
def model(sentences):
    """A trained model, not to be changed."""
    return FastText(sentences, **QUICK)


def mean_by_hand(wv, word):
    """The vector of a word from the tables that gensim has, as gensim computes it."""
    hashes = ft_ngram_hashes(word, wv.min_n, wv.max_n, wv.bucket)
    row = wv.key_to_index.get(word)
    own = np.zeros((0, wv.vector_size)) if row is None else wv.vectors_vocab[row : row + 1]
    return np.concatenate([own, wv.vectors_ngrams[hashes]]).mean(axis=0)


# ------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "name", ["__init__", "build_vocab", "build_vocab_from_freq", "train", "predict_output_word", "estimate_memory"]
)
def test_arguments_are_those_of_gensim(name):
    theirs = pytest.importorskip("gensim.models").FastText
    assert signature(getattr(FastText, name)) == signature(getattr(theirs, name))


def test_arguments_of_the_other_names_are_those_of_gensim():
    fasttext = pytest.importorskip("gensim.models.fasttext")
    assert signature(FastTextKeyedVectors.__init__) == signature(fasttext.FastTextKeyedVectors.__init__)
    for ours in (load_facebook_model, load_facebook_vectors, save_facebook_model, ft_ngram_hashes):
        assert signature(ours) == signature(getattr(fasttext, ours.__name__))


def test_gensims_modules_are_names_here():
    import fastw2v.gensim as gensim

    assert gensim.models.FastText is gensim.models.fasttext.FastText is FastText
    assert gensim.models.fasttext.load_facebook_vectors is load_facebook_vectors
    assert gensim.models.keyedvectors.FastTextKeyedVectors is FastTextKeyedVectors
    assert issubclass(FastText, gensim.models.word2vec.Word2Vec)
    assert set(face.__all__) <= {*dir(face), "Phrases", "FrozenPhrases", "Phraser", "ENGLISH_CONNECTOR_WORDS"}
    with pytest.raises(AttributeError, match=r"write: from fastw2v\.gensim import FastText"):
        fastw2v.FastText  # noqa: B018


OF_MODEL = [name for name in inspect.signature(FastText).parameters if name not in (
    *("sentences", "corpus_file", "min_n", "max_n", "bucket", "trim_rule", "callbacks", "_unknown"),
)]  # fmt: skip


def test_attributes_are_those_of_gensim(sentences, model):
    theirs = pytest.importorskip("gensim.models").FastText(sentences, **QUICK)
    for name in (*OF_MODEL, "corpus_count", "corpus_total_words", "layer1_size"):
        assert getattr(model, name) == getattr(theirs, name), name
    for name in ("min_n", "max_n", "bucket", "vector_size"):
        assert getattr(model.wv, name) == getattr(theirs.wv, name), name
    for name in ("vectors", "vectors_vocab", "vectors_ngrams"):
        assert getattr(model.wv, name).shape == getattr(theirs.wv, name).shape, name
        assert getattr(model.wv, name).dtype == np.float32
    assert set(model.wv.index_to_key) == set(theirs.wv.index_to_key)
    of_words = dict(zip(theirs.wv.index_to_key, theirs.wv.buckets_word, strict=True))
    for word, buckets in zip(model.wv.index_to_key, model.wv.buckets_word, strict=True):
        np.testing.assert_array_equal(buckets, of_words[word])
    assert set(theirs.estimate_memory()) - set(model.estimate_memory()) <= {"buckets_word"}


@pytest.mark.parametrize(
    ("min_n", "max_n", "bucket"), [(3, 6, 2_000_000), (1, 2, 7), (4, 3, 50), (0, 0, 50), (0, 2, 9)]
)
def test_hashes_are_those_of_gensim(min_n, max_n, bucket):
    theirs = pytest.importorskip("gensim.models.fasttext").ft_ngram_hashes
    for word in ("a", "naïve", "日本語", "t0w0", "\U0001f600x"):
        assert ft_ngram_hashes(word, min_n, max_n, bucket) == theirs(word, min_n, max_n, bucket)


# ------------------------------------------------------------------------------------------------------ training


def test_it_trains_as_train_does(sentences, model):
    options = {**QUICK, "max_n": 6, "progress": False}
    del options["sg"]
    given = fastw2v.train(sentences, **options)
    assert list(given.words) == list(model.wv.index_to_key)
    np.testing.assert_array_equal(given.vectors, model.wv.vectors)
    np.testing.assert_array_equal(given[UNSEEN[:2]], model.wv[UNSEEN[:2]])


def test_vectors_are_the_means_that_gensim_takes(model):
    for word in (*model.wv.index_to_key[:20], *UNSEEN[:2]):
        np.testing.assert_allclose(model.wv[word], mean_by_hand(model.wv, word), atol=1e-6)


def test_unseen_words(model):
    wv = model.wv
    assert "t0w0" in wv
    assert "t0w9" not in wv
    assert "t0w9" not in wv.key_to_index
    assert wv["t0w9"].shape == wv.get_vector("t0w9", norm=True).shape == (12,)
    assert wv.most_similar("t0w9", topn=1)[0][0] in wv
    assert wv.similarity("t0w9", "t0w9") == pytest.approx(1)
    np.testing.assert_array_equal(wv.get_sentence_vector(["t0w1", "t0w9"]), wv.get_mean_vector(["t0w1", "t0w9"]))
    reached = set(np.concatenate(wv.buckets_word).tolist())
    short = next(letter for letter in "bcdefgh" if not reached & set(ft_ngram_hashes(letter, 3, 6, 1000)))
    with pytest.raises(UnknownWordError, match="its only n-gram does not occur in a word of the training"):
        wv[short]


@pytest.mark.parametrize("off", [{"max_n": 0}, {"min_n": 4, "max_n": 3}, {"bucket": 0}, {"min_n": 0, "max_n": 0}])
def test_without_ngrams_it_is_word2vec(sentences, off):
    plain = Word2Vec(sentences, **{name: value for name, value in QUICK.items() if name != "bucket"})
    model = FastText(sentences, **QUICK | off)
    np.testing.assert_array_equal(model.wv.vectors, plain.wv.vectors)
    assert (model.wv.bucket, model.wv.max_n, model.wv.subwords) == (0, 0, None)
    assert model.wv.vectors_vocab.shape == (len(model.wv), 12)
    assert model.wv.vectors_ngrams.shape == (0, 12)
    assert model.wv.buckets_word[0].size == 0
    with pytest.raises(UnknownWordError, match="the word 't0w9' is not in the vocabulary"):
        model.wv["t0w9"]


def test_build_vocab_and_train_apart_are_the_same(sentences, model):
    apart = FastText(**QUICK | {"min_n": np.int64(3)})
    assert (len(apart.wv), apart.wv.bucket) == (0, 1000)
    apart.build_vocab(sentences)
    before = apart.wv["t0w9"].copy()
    assert 0 < np.abs(before).max() < 1 / 12
    apart.train(sentences, total_examples=apart.corpus_count, epochs=2)
    # Rows that start equal have been averaged, which rounds.
    np.testing.assert_allclose(apart.wv.vectors, model.wv.vectors, atol=1e-5)
    wv = apart.wv
    for _ in range(2):
        seen = wv["t0w9"].copy()
        apart.train(sentences, total_examples=apart.corpus_count, epochs=1)
        assert apart.wv is wv
        assert not np.array_equal(wv["t0w9"], seen)


def test_updating_keeps_words_and_ngrams(sentences):
    model = FastText(sentences, **QUICK)
    before, table = model.wv[UNSEEN[:2]], {word: model.wv[word].copy() for word in model.wv.index_to_key}
    outside = dict(zip(model.wv.index_to_key, model.syn1neg.copy(), strict=True))
    reached = np.flatnonzero(np.abs(model.wv.vectors_ngrams).max(axis=1))
    ngrams = model.wv.vectors_ngrams[reached].copy()
    more = [["newest", "t0w0", "t0w1", "t0w0"]] * 50
    model.build_vocab(more, update=True)
    assert set(model.wv.index_to_key) == {*table, "newest"}
    assert np.abs(model.wv["newest"]).max() < 0.2
    np.testing.assert_allclose(model.wv.vectors_ngrams[reached], ngrams, atol=1e-6)
    np.testing.assert_allclose(model.wv[list(table)], np.array(list(table.values())), atol=1e-6)
    np.testing.assert_allclose(model.wv[UNSEEN[:2]], before, atol=1e-6)
    U = dict(zip(model.wv.index_to_key, model.syn1neg, strict=True))
    assert all(np.array_equal(U[word], row) for word, row in outside.items())
    model.train(more, total_examples=model.corpus_count, epochs=20)
    assert model.wv.similarity("newest", "t0w0") > 0.5
    assert model.wv.similarity("newests", "newest") > 0.5


def test_callbacks_see_ngrams_at_that_moment(sentences):
    class Seen(CallbackAny2Vec):
        def __init__(self):
            self.unseen, self.tables = [], []

        def on_epoch_end(self, model):
            assert isinstance(model.wv, FastTextKeyedVectors)
            self.unseen.append(model.wv["t0w9"].copy())
            self.tables.append(model.wv.vectors_ngrams.copy())

    seen = Seen()
    model = FastText(sentences, **QUICK, callbacks=[seen])
    assert len(seen.unseen) == 2
    assert not np.array_equal(*seen.unseen)
    assert not np.array_equal(*seen.tables)
    np.testing.assert_array_equal(seen.unseen[-1], model.wv["t0w9"])
    np.testing.assert_array_equal(seen.tables[-1], model.wv.vectors_ngrams)


def test_a_changed_vector_is_where_training_starts(sentences):
    model = FastText(sentences, **QUICK)
    other, unseen = model.wv["t0w1"].copy(), model.wv["t0w9"].copy()
    model.wv["t0w0"] = np.full(12, 3)
    np.testing.assert_allclose(model.wv["t0w0"], 3)
    np.testing.assert_array_equal(model.wv["t0w1"], other)
    np.testing.assert_array_equal(model.wv["t0w9"], unseen)
    model.sample = 0
    model.train([["t0w0", "t0w1"]] * 5, epochs=1, start_alpha=1e-3)
    assert 0 < np.abs(model.wv["t0w0"] - 3).max() < 0.2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hs": 1}, "hs is 1, and hierarchical softmax does not exist here"),
        ({"negative": 0}, "negative is 0, and skip-gram needs noise words"),
        ({"word_ngrams": 2}, "word_ngrams is 2, but n-grams are of characters here: give 1"),
        ({"min_n": "3"}, "min_n is '3'"),
        ({"max_n": 51}, "max_n is 51: give a whole number from 0 to 50"),
        ({"bucket": -1}, "bucket is -1"),
    ],
)
def test_what_does_not_exist_is_refused(sentences, options, said):
    with pytest.raises(ConfigError, match=said):
        FastText(sentences, **QUICK | options)


def test_cbow_warns_once(sentences, monkeypatch):
    monkeypatch.setattr(words, "_warned", set())
    with pytest.warns(FastW2VWarning, match="sg=0 asks for CBOW, but fastw2v trains skip-gram"):
        FastText(sentences, **QUICK | {"sg": 0})
    FastText(sentences, **QUICK | {"sg": 0})


def test_unknown_arguments_are_refused(model):
    with pytest.raises(TypeError, match=r"FastText\(\) has no argument 'buckets': did you mean bucket\?"):
        FastText(buckets=3)
    with pytest.raises(TypeError, match=r"train\(\) has no argument 'bucket': give it to FastText"):
        model.train([["a"]], bucket=3)
    with pytest.raises(ConfigError, match="vectors_ngrams_lockf can't keep rows as they are here"):
        model.wv.vectors_ngrams_lockf = np.zeros(1)


# ------------------------------------------------------------------------------------------------------ files


def test_save_and_load(sentences, model, tmp_path):
    model.save(tmp_path / "m")
    loaded = FastText.load(tmp_path / "m")
    assert isinstance(loaded, FastText)
    for name in (*OF_MODEL, "min_n", "max_n", "bucket", "corpus_count", "train_count"):
        assert getattr(loaded, name) == getattr(model, name), name
    np.testing.assert_array_equal(loaded.wv.vectors, model.wv.vectors)
    np.testing.assert_array_equal(loaded.wv[UNSEEN[:2]], model.wv[UNSEEN[:2]])
    loaded.train(sentences, total_examples=loaded.corpus_count, epochs=1)
    assert loaded.wv["t0w9"].shape == (12,)
    same = FastTextKeyedVectors.load(tmp_path / "m")
    np.testing.assert_array_equal(same["t0w9"], model.wv["t0w9"])
    assert (same.min_n, same.max_n, same.bucket) == (3, 6, 1000)


def test_ngrams_are_not_lost_in_silence(sentences, model, tmp_path):
    model.save(tmp_path / "m")
    with pytest.raises(FolderError, match=r"m has n-grams, which Word2Vec does not train: use FastText\.load"):
        Word2Vec.load(tmp_path / "m")
    assert KeyedVectors.load(tmp_path / "m")["t0w9"].shape == (12,)
    options = {"vector_size": 12, "min_count": 1, "epochs": 1, "workers": 1, "progress": False}
    fastw2v.train(sentences, **options, max_n=5, bucket=50, output=tmp_path / "n")
    assert FastText.load(tmp_path / "n").bucket == 50
    fastw2v.train(sentences, **options, max_n=5, bucket=50, mode="floret", output=tmp_path / "f")
    with pytest.raises(FolderError, match=r"f has floret's n-grams, which FastText does not train: use KeyedVectors"):
        FastText.load(tmp_path / "f")
    Word2Vec(sentences, vector_size=12, sg=1).save(tmp_path / "w")
    with pytest.warns(FastW2VWarning, match="w has no n-grams: words that are not in its vocabulary have no vector"):
        assert FastText.load(tmp_path / "w").wv.bucket == 0
    FastText(sentences, **QUICK | {"max_n": 0}).save(tmp_path / "o")
    assert FastText.load(tmp_path / "o").max_n == 0
    assert len(Word2Vec.load(tmp_path / "o").wv) == len(model.wv)


NAMES = st.sampled_from((*FastText.stored_options, *words._COUNTED, "other"))


@given(st.dictionaries(NAMES, JSON, max_size=3) | JSON)
def test_options_of_a_stranger_load_or_are_refused(model, options):
    wv = model.wv
    with pytest.MonkeyPatch.context() as patch:
        found = fastw2v.Embeddings.live(wv.vocab, wv.vectors, None, {"gensim": options}, subwords=wv.subwords)
        patch.setattr(words, "load", lambda place: found)
        try:
            loaded = FastText.load("a folder")
        except FolderError as error:
            assert "has options that FastText does not take" in str(error)  # noqa: PT017
        else:
            assert (loaded.vector_size, loaded.bucket) == (12, 1000)


@pytest.mark.parametrize("of", [lambda model: model.wv, lambda model: FastText(**QUICK).wv])
def test_pickle(model, of):
    wv = of(model)
    same = pickle.loads(pickle.dumps(wv))
    assert isinstance(same, FastTextKeyedVectors)
    assert (len(same), same.min_n, same.max_n, same.bucket) == (len(wv), 3, 6, 1000)
    np.testing.assert_array_equal(same.vectors, wv.vectors)


def test_an_empty_set_of_vectors_is_filled():
    own = FastTextKeyedVectors(2, 3, 6, 100)
    own.add_vectors(["aaaa", "bbbb"], [[1, 0], [0, 1]])
    own.add_vector("aabb", [1, 1])
    np.testing.assert_allclose(own[["aaaa", "bbbb", "aabb"]], [[1, 0], [0, 1], [1, 1]])
    assert own.most_similar("aaaa", topn=1)[0][0] == "aabb"
    assert FastTextKeyedVectors(2, 3, 2, 100).bucket == 0
    with pytest.raises(ConfigError, match="max_n is 60"):
        FastTextKeyedVectors(2, 3, 60, 100)


def test_vectors_are_sorted_by_count(model):
    wv = FastTextKeyedVectors.of(model.wv)
    asked = [*wv.index_to_key, *UNSEEN[:2]]
    vectors = wv[asked]
    wv.vocab = fastw2v.vocab.Vocab(list(wv.words), wv.vocab.counts[::-1].copy(), checked=True)
    wv.sort_by_descending_frequency()
    assert list(wv.index_to_key) != asked[:-2]
    np.testing.assert_array_equal(wv[asked], vectors)
    for word in wv.index_to_key[:5]:
        np.testing.assert_allclose(wv[word], mean_by_hand(wv, word), atol=1e-6)


def test_facebooks_files_go_both_ways(sentences, model, tmp_path):
    fasttext = pytest.importorskip("gensim.models.fasttext")
    asked = [*model.wv.index_to_key, *UNSEEN[:2]]
    save_facebook_model(model, tmp_path / "m.bin", lr_update_rate=7)
    theirs = fasttext.load_facebook_model(str(tmp_path / "m.bin"))
    np.testing.assert_allclose(np.array([theirs.wv[word] for word in asked]), model.wv[asked], atol=1e-5)
    for name in ("vector_size", "window", "epochs", "negative", "min_count", "sample", "sg"):
        assert getattr(theirs, name) == getattr(model, name)
    fasttext.save_facebook_model(theirs, str(tmp_path / "g.bin"))
    for name in ("m.bin", "g.bin"):
        vectors, ours = load_facebook_vectors(tmp_path / name), load_facebook_model(tmp_path / name)
        assert isinstance(vectors, FastTextKeyedVectors)
        for wv in (vectors, ours.wv):
            np.testing.assert_allclose(wv[asked], model.wv[asked], atol=1e-5)
            assert (wv.min_n, wv.max_n, wv.bucket) == (3, 6, 1000)
        assert (ours.window, ours.epochs, ours.sg, ours.corpus_total_words) == (5, 2, 1, model.corpus_total_words)
        np.testing.assert_allclose(ours.syn1neg, model.syn1neg, atol=1e-6)
    assert fastw2v.load(tmp_path / "m.bin").metadata["fasttext"]["lrUpdateRate"] == 7
    ours.train(sentences, total_examples=500, epochs=1)
    assert ours.wv["t0w9"].shape == (12,)


def test_a_model_is_written_before_it_is_trained(sentences, tmp_path):
    model = FastText(**QUICK | {"window": 3, "sample": 0.01})
    with pytest.raises(ConfigError, match="the model has no vocabulary, so there is nothing to save"):
        save_facebook_model(model, tmp_path / "m.bin")
    model.build_vocab(sentences)
    save_facebook_model(model, tmp_path / "m.bin")
    same = load_facebook_model(tmp_path / "m.bin")
    np.testing.assert_allclose(same.wv.vectors, model.wv.vectors, atol=1e-6)
    assert (same.window, same.sample, same.corpus_total_words) == (3, 0.01, model.corpus_total_words)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"encoding": "latin-1"}, "encoding is 'latin-1', but fastText reads UTF-8"),
        ({"word_ngrams": 2}, "word_ngrams is 2"),
        ({"lr_update_rate": -1}, "lr_update_rate is -1"),
        ({"model": 3}, "the model is 3: give a FastText"),
    ],
)
def test_what_facebooks_file_can_not_have_is_refused(model, tmp_path, arguments, said):
    with pytest.raises(ConfigError, match=said):
        save_facebook_model(**{"model": model, "path": tmp_path / "m.bin", **arguments})
    assert not (tmp_path / "m.bin").exists()


def test_facebooks_models_of_other_kinds(tmp_path, monkeypatch):
    path = tmp_path / "m.bin"
    path.write_bytes(model_bytes(model=1))
    model = load_facebook_model(path)
    assert model.sg == 0
    monkeypatch.setattr(words, "_warned", set())
    model.sample = 0
    with pytest.warns(FastW2VWarning, match="sg=0 asks for CBOW, but fastw2v trains skip-gram"):
        model.train([["the", "naïve"]] * 9, epochs=1)
    for change, said in (
        ({"loss": 1}, "was trained with hierarchical softmax, which can't be trained further here"),
        ({"model": 3, "labels": ["__label__a"]}, "is a classifier, which can't be trained further here"),
        ({"neg": 0}, "has options that FastText does not take .negative is 0"),
    ):
        path.write_bytes(model_bytes(**change))
        with pytest.raises(FormatError, match=said):
            load_facebook_model(path)
        assert load_facebook_vectors(path)["unseen"].shape == (3,)


def test_what_is_no_model_of_facebook_is_refused(model, tmp_path):
    model.save(tmp_path / "m")
    model.wv.export(tmp_path / "v.txt")
    for load in (load_facebook_model, load_facebook_vectors):
        with pytest.raises(FormatError, match=r"m is a folder, not a fastText model: use FastText\.load"):
            load(tmp_path / "m")
        with pytest.raises(FormatError, match=r"v\.txt is a file of vectors, but not a fastText model"):
            load(tmp_path / "v.txt")
        with pytest.raises(FolderError, match="does not exist"):
            load(tmp_path / "none.bin")
    with pytest.raises(FolderError, match=r"is a file, not a model folder of fastw2v: use load_facebook_model"):
        FastText.load(tmp_path / "v.txt")
