"""The transformer for scikit-learn: its contract, and a pipeline that learns."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import fastw2v
import fastw2v.gensim
from fastw2v.errors import ConfigError, CorpusError, MissingExtraError

QUICK = {"vector_size": 16, "min_count": 1, "epochs": 3, "workers": 1, "sample": 0}
TEXTS = ["the king met the queen", "a man and a woman", "The Queen met a man"] * 20


def test_without_scikit_learn(monkeypatch):
    for name in ("sklearn", "sklearn.base"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "fastw2v.sklearn", raising=False)
    with pytest.raises(MissingExtraError, match=r"scikit-learn can't be loaded .*: pip install 'fastw2v\[sklearn\]'"):
        import fastw2v.sklearn  # noqa: F401


@pytest.fixture
def sklearn():
    return pytest.importorskip("sklearn")


@pytest.fixture
def vectorizer(sklearn):
    from fastw2v.sklearn import Word2VecVectorizer

    return Word2VecVectorizer


@pytest.fixture(scope="module")
def topics():
    """Texts about six topics, and the topic of each."""
    rng = np.random.default_rng(5)
    labels = rng.integers(6, size=900)
    texts = [" ".join(f"T{label}w{rng.integers(12)}" for _ in range(6)) + " all" for label in labels]
    return texts, labels


def test_the_module_does_not_hide_scikit_learn(vectorizer, sklearn):
    assert vectorizer.__module__ == "fastw2v.sklearn"
    assert sklearn.__name__ == "sklearn"
    assert sys.modules["fastw2v.sklearn"].__file__ != sklearn.__file__
    code = (
        "import fastw2v.sklearn, sklearn.linear_model, fastw2v; print(fastw2v.sklearn.Word2VecVectorizer().vector_size)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stdout == "100\n", done.stderr


def test_texts_become_means_of_vectors(vectorizer):
    fitted = vectorizer(**QUICK).fit(TEXTS)
    words = fitted.embeddings_
    assert sorted(words.words) == ["a", "and", "king", "man", "met", "queen", "the", "woman"]
    found = fitted.transform(["The KING", "nothing known", ""])
    assert found.dtype == np.float32
    assert found.shape == (3, 16)
    np.testing.assert_allclose(found[0], (words["the"] + words["king"]) / 2, rtol=1e-5)
    assert not found[1:].any()
    trained = fastw2v.train([text.lower().split() for text in TEXTS], progress=False, **QUICK)
    np.testing.assert_array_equal(words.vectors, trained.vectors)


def test_options_reach_training_and_encoding(vectorizer):
    options = {"vector_size": 8, "window": 2, "min_count": 2, "epochs": 2, "negative": 3, "sample": 0.1, "seed": 9}
    fitted = vectorizer(**options, workers=1, weights="sif", normalize=True).fit(TEXTS)
    config = fitted.embeddings_.metadata["config"]
    assert {name: config[name] for name in options} == options
    assert config["workers"] == 1
    np.testing.assert_allclose(np.linalg.norm(fitted.transform(TEXTS), axis=1), 1, rtol=1e-5)
    expected = fitted.embeddings_.encode([text.lower() for text in TEXTS], "sif", True)
    np.testing.assert_array_equal(fitted.transform(TEXTS), expected)
    fitted.set_params(weights={"king": 1.0}, normalize=False)
    np.testing.assert_allclose(fitted.transform(["king queen"])[0], fitted.embeddings_["king"], rtol=1e-6)


@pytest.mark.parametrize("kind", ["lists", "array", "iterator", "tuple", "objects"])
def test_kinds_of_texts(vectorizer, kind):
    given = {
        "lists": [text.lower().split() for text in TEXTS],
        "array": np.array(TEXTS),
        "iterator": iter(TEXTS),
        "tuple": tuple(TEXTS),
        "objects": np.array(TEXTS, object),
    }[kind]
    expected = vectorizer(**QUICK).fit(TEXTS).transform(TEXTS)
    np.testing.assert_array_equal(vectorizer(**QUICK).fit_transform(given), expected)


def test_strings_are_lowered_and_split_and_lists_are_not(vectorizer):
    assert "King" in vectorizer(**QUICK, lowercase=False).fit(["The King"] * 9).embeddings_
    assert "King" in vectorizer(**QUICK).fit([["The", "King"]] * 9).embeddings_
    by_dash = vectorizer(**QUICK, tokenizer=lambda text: text.split("-")).fit(["a-b c"] * 9)
    assert sorted(by_dash.embeddings_.words) == ["a", "b c"]


def test_whole_numbers_are_tokens(vectorizer):
    items = [[3, 14, 15], [np.int64(9), 3, 14]] * 20
    fitted = vectorizer(**QUICK).fit(items)
    assert sorted(fitted.embeddings_.words) == ["14", "15", "3", "9"]
    np.testing.assert_allclose(fitted.transform([[3]])[0], fitted.embeddings_["3"], rtol=1e-6)


def test_trained_vectors_are_used_as_they_are(vectorizer, tmp_path):
    trained = fastw2v.train([text.split() for text in TEXTS], output=tmp_path / "m", progress=False, **QUICK)
    trained.export(tmp_path / "v.bin")
    expected = trained.encode(TEXTS)
    for embeddings in (trained, tmp_path / "m", str(tmp_path / "v.bin")):
        fitted = vectorizer(vector_size=999, embeddings=embeddings, lowercase=False).fit(["unknown"])
        np.testing.assert_array_equal(fitted.transform(TEXTS), expected)
        assert len(fitted.get_feature_names_out()) == 16


def test_names_of_the_columns(vectorizer):
    fitted = vectorizer(**QUICK).fit(TEXTS)
    assert fitted.get_feature_names_out().tolist() == [f"word2vecvectorizer{i}" for i in range(16)]


def test_pandas_output(vectorizer):
    pytest.importorskip("pandas")
    frame = vectorizer(**QUICK).set_output(transform="pandas").fit_transform(TEXTS)
    assert list(frame.columns) == [f"word2vecvectorizer{i}" for i in range(16)]


def test_before_fit(vectorizer):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError, match="is not fitted yet"):
        vectorizer().transform(TEXTS)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        vectorizer().get_feature_names_out()


def test_clone_copy_and_pickle(vectorizer):
    from sklearn.base import clone

    fitted = vectorizer(**QUICK, weights={"king": 2.0}).fit(TEXTS)
    copied = clone(fitted)
    assert copied.get_params() == fitted.get_params()
    assert not hasattr(copied, "embeddings_")
    for again in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        np.testing.assert_array_equal(again.transform(TEXTS), fitted.transform(TEXTS))
    pretrained = vectorizer(embeddings=fitted.embeddings_)
    np.testing.assert_array_equal(clone(pretrained).fit([]).embeddings_.vectors, fitted.embeddings_.vectors)


@pytest.mark.parametrize(
    ("X", "error", "text"),
    [
        ("the king", TypeError, "X is a str: give a list of texts"),
        (None, TypeError, "X is a NoneType: give a list of texts"),
        ({"a": 1}, TypeError, "X is a dict: give a list of texts"),
        (["a", None], TypeError, "text 1 is None, a NoneType: give a string or a list of tokens"),
        ([b"a"], TypeError, "text 0 is b'a', a bytes: give a string or a list of tokens"),
        (np.array([["a b"], ["c d"]]), TypeError, r"X is a ndarray of shape \(2, 1\): give one column of texts, as X"),
        ([[True, "b"]], (TypeError, CorpusError), "True"),
        (np.ones(3), TypeError, r"text 0 is .*1.0.*, a float64: give a string"),
    ],
)
def test_what_is_no_text(vectorizer, X, error, text):
    fitted = vectorizer(**QUICK).fit(TEXTS)
    for call in (vectorizer(**QUICK).fit, vectorizer(**QUICK).fit_transform, fitted.transform):
        with pytest.raises(error, match=text):
            call(X)


def test_bad_options(vectorizer, monkeypatch):
    with pytest.raises(ConfigError, match="vector_size"):
        vectorizer(**QUICK | {"vector_size": 0}).fit(TEXTS)
    with pytest.raises(CorpusError, match="min_count"):
        vectorizer(**QUICK | {"min_count": 1000}).fit(TEXTS)
    with pytest.raises(CorpusError):
        vectorizer(**QUICK).fit([])
    with pytest.raises(ValueError, match='weights is \'idf\': give "mean", "sif" or a mapping'):
        vectorizer(**QUICK, weights="idf").fit(TEXTS)
    with pytest.raises(TypeError, match="tokenizer returned None: it must return a list of words"):
        vectorizer(**QUICK, tokenizer=lambda text: None).fit(TEXTS)
    with pytest.raises(TypeError, match="tokenizer is 3: give a function, or None"):
        vectorizer(**QUICK, tokenizer=3).fit(TEXTS)
    with pytest.raises(TypeError, match="embeddings is 3: give Embeddings, or the path of a model folder"):
        vectorizer(embeddings=3).fit(TEXTS)
    model = fastw2v.gensim.Word2Vec([text.split() for text in TEXTS], min_count=1, vector_size=4, sg=1)
    with pytest.raises(TypeError, match=r"embeddings is .*: give its \.wv"):
        vectorizer(embeddings=model).fit(TEXTS)
    monkeypatch.setattr("fastw2v.sklearn.train", None)  # It is known before hours of training.
    for weights in ("idf", [1.0, 2.0], None):
        with pytest.raises(ConfigError, match=r'weights is .*: give "mean", "sif" or a mapping'):
            vectorizer(**QUICK, weights=weights).fit(TEXTS)
    monkeypatch.undo()
    with pytest.raises(TypeError, match=r"tokenizer returned one string, 'the king.*: it must return a list of words"):
        vectorizer(**QUICK, tokenizer=str.strip).fit(TEXTS)


class DataFrame(list):
    columns = ("text",)


def test_a_data_frame_is_no_list_of_texts(vectorizer):
    with pytest.raises(TypeError, match=r"X is a DataFrame: give one column of texts, such as X\['text'\]"):
        vectorizer(**QUICK).fit(DataFrame(["text"]))


API_CHECKS = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


@pytest.mark.filterwarnings("ignore:Can't test estimator")
def test_scikit_learn_accepts_the_estimator(vectorizer):
    """As for its own text vectorizers, `check_estimator` skips what needs numbers. The rest is checked by name."""
    from sklearn.utils import estimator_checks

    estimator_checks.check_estimator(vectorizer())
    done = 0
    for name in API_CHECKS:
        check = getattr(estimator_checks, name, None)  # Versions of scikit-learn differ in what they check.
        if check is not None:
            check("Word2VecVectorizer", vectorizer())
            done += 1
    assert done >= 4


def test_its_tags_are_those_of_scikit_learns_own(vectorizer):
    utils = pytest.importorskip("sklearn.utils")
    if not hasattr(utils, "get_tags"):
        pytest.skip("this scikit-learn has tags of the old kind")
    from sklearn.feature_extraction.text import CountVectorizer

    assert utils.get_tags(vectorizer()).input_tags == utils.get_tags(CountVectorizer()).input_tags
    assert utils.get_tags(vectorizer()).requires_fit
    assert utils.get_tags(vectorizer(workers=1)).non_deterministic is False


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_pipeline_with_a_grid_search(vectorizer, topics, n_jobs):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, train_test_split
    from sklearn.pipeline import make_pipeline

    train_texts, test_texts, train_labels, test_labels = train_test_split(*topics, random_state=0)
    pipeline = make_pipeline(vectorizer(**QUICK | {"epochs": 15}), LogisticRegression(max_iter=500))
    grid = {"word2vecvectorizer__vector_size": [4, 16], "word2vecvectorizer__weights": ["mean", "sif"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise", n_jobs=n_jobs)
    search.fit(train_texts, train_labels)
    assert search.score(test_texts, test_labels) > 0.95
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 4
    assert scores.max() > 0.95
