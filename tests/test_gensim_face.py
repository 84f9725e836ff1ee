"""gensim's face: programs that run with only the import line changed, and what each name means."""

import gzip
import inspect
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import planted_sentences, topic_purity
from hypothesis import given
from hypothesis import strategies as st

import fastw2v
from fastw2v import gensim as face
from fastw2v.errors import ConfigError, CorpusError, FastW2VWarning, FolderError
from fastw2v.gensim import (
    CallbackAny2Vec,
    KeyedVectors,
    LineSentence,
    PathLineSentences,
    Text8Corpus,
    Word2Vec,
    simple_preprocess,
    words,
)

PROGRAMS = sorted((Path(__file__).parent / "gensim_programs").glob("*.py"))
QUICK = {"vector_size": 20, "min_count": 1, "sg": 1, "workers": 1, "epochs": 2}
LETTERS = str.maketrans("0123456789", "abcdefghij")


@pytest.fixture
def sentences():
    return list(planted_sentences())


@pytest.fixture
def workplace(tmp_path, monkeypatch, sentences):
    """A folder with the files that the programs read."""
    monkeypatch.chdir(tmp_path)
    lines = [" ".join(sentence) for sentence in sentences]
    Path("corpus.txt").write_text("".join(f"{line}\n" for line in lines))
    # Text whose words simple_preprocess finds: no digits, but capitals, points and accents.
    prose = [line.translate(LETTERS).title().replace(" ", ", ").replace("ta", "tá") + "." for line in lines]
    Path("prose.txt").write_text("".join(f"{line}\n" for line in prose), encoding="utf-8")
    sales = (f"{number},{item}\n" for number, sentence in enumerate(sentences) for item in sentence)
    Path("sales.csv").write_text("".join(sales))
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 10))
    words = [f"t{topic}w{i}" for topic in range(6) for i in range(8)]
    vectors = np.repeat(centres, 8, axis=0) + rng.normal(0, 0.2, (48, 10))
    pretrained = fastw2v.Embeddings.from_vectors(words, vectors)
    pretrained.export("vectors.bin.gz")
    pretrained.export("glove.txt", format="glove")
    return tmp_path


def names_after(program, ours):
    """Run a program, with only its imports changed if it is ours; return its names."""
    code = program.read_text()
    assert "import" in code
    if ours:
        code = re.sub(r"^from gensim[.\w]* import", "from fastw2v.gensim import", code, flags=re.MULTILINE)
        assert not re.search(r"\bgensim\b", code.replace("fastw2v.gensim", "").partition('"""\n')[2])
    names = {"__name__": program.stem}
    exec(compile(code, str(program), "exec"), names)
    return names


def purity(wv):
    """Share of the nearest words of planted words that are of the same topic."""
    words = [word for word in wv.index_to_key if re.fullmatch("t[0-9a-f]w[0-9a-h]", word)]
    near = [(word, other) for word in words for other, _ in wv.most_similar(word, topn=4)]
    return np.mean([word[:2] == other[:2] for word, other in near])


@pytest.mark.filterwarnings("ignore:sg=0 asks for CBOW:fastw2v.FastW2VWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_runs_with_only_its_imports_changed(workplace, program, capsys):
    assert purity(names_after(program, ours=True)["wv"]) > 0.9


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_program_is_one_of_gensim_with_the_same_neighbours(workplace, program, capsys):
    pytest.importorskip("gensim")
    assert purity(names_after(program, ours=False)["wv"]) > 0.9


def test_there_are_twelve_programs():
    assert len(PROGRAMS) == 12


@pytest.mark.parametrize("name", ["load_word2vec_format", "save_word2vec_format"])
def test_positions_of_files_are_those_of_gensim(name):
    models = pytest.importorskip("gensim.models")
    ours, theirs = (signature(getattr(kind, name)) for kind in (KeyedVectors, models.KeyedVectors))
    assert [argument for argument, _ in ours] == [argument for argument, _ in theirs]


def signature(function):
    """Names, kinds and defaults of the arguments."""
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize(
    "name", ["__init__", "build_vocab", "build_vocab_from_freq", "train", "predict_output_word", "init_sims"]
)
def test_arguments_are_those_of_gensim(name):
    models = pytest.importorskip("gensim.models")
    assert signature(getattr(Word2Vec, name)) == signature(getattr(models.Word2Vec, name))


def test_arguments_of_the_other_names_are_those_of_gensim():
    word2vec = pytest.importorskip("gensim.models.word2vec")
    from gensim.models import KeyedVectors as Theirs
    from gensim.utils import simple_preprocess as theirs

    for ours in (LineSentence, PathLineSentences, Text8Corpus):
        assert signature(ours.__init__) == signature(getattr(word2vec, ours.__name__).__init__)
    assert signature(KeyedVectors.__init__) == signature(Theirs.__init__)
    assert signature(KeyedVectors.add_vectors) == signature(Theirs.add_vectors)
    assert signature(simple_preprocess) == signature(theirs)


# ------------------------------------------------------------------------------------------------------ text


@given(
    st.text() | st.text(st.sampled_from("aBc_1é\u0301ßİ-' \n\u0660中")),
    st.booleans(),
    st.integers(0, 3),
    st.integers(1, 6),
)
def test_simple_preprocess_is_that_of_gensim(text, deacc, least, most):
    utils = pytest.importorskip("gensim.utils")
    expected = utils.simple_preprocess(text, deacc, least, most)
    assert simple_preprocess(text, deacc, least, most) == expected
    raw = text.encode("utf-8", "surrogatepass")
    assert simple_preprocess(raw) == utils.simple_preprocess(raw)


def test_simple_preprocess():
    text = "The naïve_cat, 42 times: a CAFÉ! _no " + "x" * 16
    assert simple_preprocess(text) == ["the", "naïve_cat", "times", "café"]
    assert simple_preprocess(text.encode(), deacc=True, min_len=1) == ["the", "naive_cat", "times", "a", "cafe"]


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_readers_give_what_gensim_gives(tmp_path, limit):
    word2vec = pytest.importorskip("gensim.models.word2vec")
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"a bb  ccc {name}\n\nd é f g h\n" * 20)
    for length in (2, 10_000):
        for ours, args in (
            (LineSentence, (str(tmp_path / "a"), length, limit)),
            (PathLineSentences, (str(tmp_path), length, limit)),
            (Text8Corpus, (str(tmp_path / "a"), length)),
        ):
            reader = ours(*args)
            assert list(reader) == list(getattr(word2vec, ours.__name__)(*args))
            assert list(reader) == list(reader)
    with open(tmp_path / "a") as file:
        assert list(LineSentence(file, limit=limit)) == list(LineSentence(tmp_path / "a", limit=limit))


def test_readers_of_packed_and_missing_files(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a b\nc\n"))
    assert list(LineSentence(tmp_path / "a.gz")) == [["a", "b"], ["c"]]
    assert list(Text8Corpus(tmp_path / "a.gz")) == [["a", "b", "c"]]
    with pytest.raises(CorpusError, match="No such file"):
        list(LineSentence(tmp_path / "none"))
    with pytest.raises(CorpusError, match="there is no such file or folder"):
        PathLineSentences(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="is a folder without files"):
        PathLineSentences(tmp_path / "empty")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_of_text8_are_no_sentences(tmp_path, pack):
    (tmp_path / "lines").write_bytes(pack(b"a b\nc d\n" * 30))
    (tmp_path / "line").write_bytes(pack(b"a b c d " * 30 + b"\n \n"))
    for name in ("lines", "line"):
        model = Word2Vec(Text8Corpus(tmp_path / name), **QUICK, sample=0)
        assert (model.corpus_count, model.corpus_total_words) == (1, 120)
    assert Text8Corpus(tmp_path / "lines").whole_files() is None
    assert Text8Corpus(tmp_path / "line").whole_files() == [str(tmp_path / "line")]


def test_a_reader_is_read_by_the_fast_way_if_that_is_the_same(workplace):
    models = [Word2Vec(of, **QUICK) for of in (LineSentence("corpus.txt"), list(LineSentence("corpus.txt")))]
    np.testing.assert_array_equal(models[0].wv.vectors, models[1].wv.vectors)
    assert words._checked_source(LineSentence("corpus.txt"), None) == ["corpus.txt"]
    with open("corpus.txt") as file:
        for slow in (LineSentence("corpus.txt", limit=3), LineSentence("corpus.txt", 5), LineSentence(file)):
            assert not isinstance(words._checked_source(slow, None), list)


def test_a_subclass_of_a_reader_is_iterated(workplace):
    class Upper(LineSentence):
        def __iter__(self):
            return ([word.upper() for word in sentence] for sentence in super().__iter__())

    model = Word2Vec(Upper("corpus.txt"), **QUICK)
    assert "T0W0" in model.wv
    assert "t0w0" not in model.wv


# ------------------------------------------------------------------------------------------------------ training


def test_it_trains_as_train_does(sentences):
    model = Word2Vec(sentences, **QUICK)
    same = fastw2v.train(sentences, vector_size=20, min_count=1, workers=1, epochs=2, progress=False)
    np.testing.assert_array_equal(model.wv.vectors, same.vectors)
    np.testing.assert_array_equal(model.syn1neg, same.outside)
    assert list(model.wv.index_to_key) == list(same.words)
    assert isinstance(model.wv, KeyedVectors)
    assert (model.corpus_count, model.corpus_total_words) == (3000, 24_000)
    assert repr(model) == "Word2Vec<vocab=56, vector_size=20, alpha=0.025>"


def test_build_vocab_and_train_apart_are_the_same(sentences):
    at_once = Word2Vec(sentences, **QUICK)
    apart = Word2Vec(**QUICK)
    assert len(apart.wv) == 0
    apart.build_vocab(sentences)
    assert apart.wv["t0w0"].any()
    assert not apart.syn1neg.any()
    trained, read = apart.train(sentences, total_examples=apart.corpus_count, epochs=apart.epochs)
    np.testing.assert_array_equal(at_once.wv.vectors, apart.wv.vectors)
    assert 0 < trained < read == 48_000


def test_a_generator_is_read_once(sentences):
    model = Word2Vec((sentence for sentence in sentences), **QUICK | {"epochs": 15})
    assert topic_purity(model.wv) > 0.9


def test_cbow_warns_once(sentences, monkeypatch):
    monkeypatch.setattr(words, "_warned", set())
    with pytest.warns(FastW2VWarning, match="sg=0 asks for CBOW, but fastw2v trains skip-gram: give sg=1") as warned:
        models = [Word2Vec(sentences, **QUICK | {"sg": 0}) for _ in range(2)]
    assert len(warned) == 1
    assert models[0].sg == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hs": 1}, "hs is 1, and hierarchical softmax does not exist here"),
        ({"negative": 0}, "negative is 0, and skip-gram needs noise words"),
        ({"null_word": 1}, "null_word is 1, and there is no null word"),
        ({"shrink_windows": False}, "shrink_windows is False, and windows always shrink"),
        ({"vector_size": 0}, "vector_size is 0: give a whole number"),
        ({"callbacks": 3}, "callbacks is 3: give a list of objects"),
        (
            {"callbacks": [3]},
            "callbacks holds 3, which has none of on_train_begin, on_epoch_begin, on_epoch_end, on_tr",
        ),
        ({"callbacks": [print]}, "callbacks holds <built-in function print>, which has none of"),
        ({"callbacks": [CallbackAny2Vec]}, "callbacks holds CallbackAny2Vec, which is a class: give an object of it"),
    ],
)
def test_what_does_not_exist_is_refused(sentences, options, said):
    with pytest.raises(ConfigError, match=said):
        Word2Vec(sentences, **QUICK | options)


def test_what_means_nothing_is_accepted(sentences):
    nothing = {"batch_words": 4, "hashfxn": len, "sorted_vocab": 0, "cbow_mean": 0, "max_vocab_size": 5}
    model = Word2Vec(sentences, **QUICK, **nothing)
    np.testing.assert_array_equal(model.wv.vectors, Word2Vec(sentences, **QUICK).wv.vectors)
    assert model.batch_words == 4


@pytest.mark.parametrize("wrong", ["corpus.txt", b"corpus.txt"])
def test_a_string_is_no_corpus(workplace, wrong):
    with pytest.raises(
        CorpusError, match=r"the sentences are one string, .*: give lists of words, or corpus_file=path"
    ):
        Word2Vec(wrong, **QUICK)


def test_sentences_that_are_strings_are_not_files(workplace):
    with pytest.raises(CorpusError, match="sentence 1 is one string, not a list of tokens"):
        Word2Vec(["corpus.txt"], **QUICK)


def test_one_corpus_is_needed(sentences):
    model = Word2Vec(**QUICK)
    with pytest.raises(ConfigError, match="the model has no vocabulary: call build_vocab first"):
        model.train(sentences, total_examples=1, epochs=1)
    for arguments in ((), (sentences, "a")):
        with pytest.raises(TypeError, match="give either lists of words or corpus_file, and not both"):
            model.build_vocab(*arguments)
    with pytest.raises(TypeError, match="corpus_file is 3: give the path of a text file"):
        Word2Vec(corpus_file=3, **QUICK)


def test_training_continues_on_other_words(sentences):
    model = Word2Vec(sentences, **QUICK)
    before = np.array(model.wv.vectors)
    model.train([["t0w0", "t0w1", "unheard"]] * 100, total_examples=100, epochs=3)
    assert "unheard" not in model.wv
    row = model.wv.key_to_index["t0w0"]
    assert (model.wv.vectors[row] != before[row]).any()
    far = model.wv.key_to_index["t5w5"]
    np.testing.assert_array_equal(model.wv.vectors[far], before[far])
    with pytest.warns(FastW2VWarning, match="no word of the text is in the vocabulary of 56 words"):
        assert model.train([["hello", "world"]], total_examples=1, epochs=1) == (0, 2)


def test_each_call_draws_other_numbers(sentences):
    model = Word2Vec(**QUICK)
    model.build_vocab(sentences)
    for _ in range(2):
        model.train(sentences, total_examples=1, epochs=1)
    once = Word2Vec(**QUICK)
    once.build_vocab(sentences)
    once.train(sentences, total_examples=1, epochs=1)
    again = Word2Vec(**QUICK)
    again.build_vocab(sentences)
    again._wv = once.wv
    again.train(sentences, total_examples=1, epochs=1)
    assert not np.array_equal(model.wv.vectors, again.wv.vectors)


def test_the_rate_of_a_call(sentences):
    model = Word2Vec(**QUICK)
    model.build_vocab(sentences)
    model.train(sentences, total_examples=1, epochs=1, start_alpha=0.01, end_alpha=0.004)
    assert model.wv.metrics[-1]["alpha"] == pytest.approx(0.004)
    assert model.min_alpha_yet_reached == pytest.approx(0.004)
    # As with gensim, the model keeps what a call was given.
    assert (model.alpha, model.min_alpha, model.epochs) == (0.01, 0.004, 1)
    model.train(sentences, total_examples=1)
    assert model.wv.metrics[-1]["tokens_total"] == 24_000
    assert model.wv.metrics[-1]["alpha"] == pytest.approx(0.004)
    model.alpha = 1e-5  # below min_alpha, as in old loops
    with pytest.warns(FastW2VWarning, match="never rises here: it stays at 1e-05, although its end is 0.004"):
        model.train(sentences, total_examples=1, epochs=1)
    assert model.wv.metrics[-1]["alpha"] == pytest.approx(1e-5)


def test_a_model_keeps_what_train_was_given_as_with_gensim(sentences):
    models = pytest.importorskip("gensim.models")
    kept = []
    for kind in (models.Word2Vec, Word2Vec):
        model = kind(**QUICK)
        model.build_vocab(sentences)
        model.train(sentences, total_examples=3000, epochs=3, start_alpha=0.05, end_alpha=0.01, compute_loss=True)
        kept.append((model.alpha, model.min_alpha, model.epochs, model.compute_loss))
    assert kept[0] == kept[1] == (0.05, 0.01, 3, True)


def test_wv_stays_the_same_object(sentences):
    model = Word2Vec(**QUICK)
    model.build_vocab(sentences)
    held = model.wv
    before = held["t0w0"].copy()
    model.train(sentences, total_examples=1, epochs=1)
    assert held is model.wv
    assert not np.array_equal(held["t0w0"], before)
    assert held.most_similar("t0w0") == KeyedVectors.of(model.wv).most_similar("t0w0")  # No norms of before.
    model.build_vocab([["new"] * 30], update=True)
    assert "new" in held
    assert held.vectors.shape == (57, 20)


def test_a_changed_vector_is_where_training_starts(sentences):
    model = Word2Vec(**QUICK)
    model.build_vocab(sentences)
    model.wv["t0w0"] = np.full(20, 3.0)
    model.train(sentences, total_examples=1, epochs=1, start_alpha=1e-6, end_alpha=1e-6)
    np.testing.assert_allclose(model.wv["t0w0"], 3, atol=1e-3)


@pytest.mark.parametrize("name", ["vectors_lockf", "vectors_vocab_lockf"])
def test_rows_are_not_locked(sentences, name):
    model = Word2Vec(sentences, **QUICK)
    setattr(model.wv, name, np.ones(len(model.wv)))
    with pytest.raises(ConfigError, match=f"{name} can't keep rows as they are here"):
        setattr(model.wv, name, np.zeros(len(model.wv)))
    with pytest.raises(AttributeError, match=r"no attribute 'intersect_word2vec_format': use wv\[words\] = vectors"):
        model.wv.intersect_word2vec_format("v.txt")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda text: Word2Vec(text, size=50), r"Word2Vec\(\) has no argument 'size': did you mean vector_size\?"),
        (lambda text: Word2Vec(text, iter=5), r"Word2Vec\(\) has no argument 'iter': did you mean epochs\?"),
        (lambda text: Word2Vec(text, nothing=5), r"'nothing': its arguments are sentences, corpus_file, vector_size,"),
        (lambda text: Word2Vec(**QUICK).build_vocab(sentences=text), "'sentences': did you mean corpus_iterable"),
        (lambda text: Word2Vec(**QUICK).build_vocab(text, min_count=3), "'min_count': give it to Word2Vec"),
        (
            lambda text: Word2Vec(**QUICK).train(text, epoch=3),
            r"train\(\) has no argument 'epoch': did you mean epochs",
        ),
        (
            lambda text: Word2Vec(**QUICK).train(text, alpha=3),
            r"train\(\) has no argument 'alpha': give it to Word2Vec",
        ),
    ],
)
def test_unknown_arguments_are_refused(sentences, call, said):
    with pytest.raises(TypeError, match=said):
        call(sentences)


def test_what_needs_sentences_is_doubted_without():
    with pytest.warns(FastW2VWarning, match="callbacks has no effect without sentences: give it to train"):
        Word2Vec(**QUICK, callbacks=[CallbackAny2Vec()])
    with pytest.warns(FastW2VWarning, match="trim_rule has no effect without sentences: give it to build_vocab"):
        Word2Vec(**QUICK, trim_rule=lambda *word: face.RULE_KEEP)


def test_a_rate_that_would_rise_is_doubted(sentences):
    with pytest.warns(FastW2VWarning, match="never rises here: it stays at 0.01, although its end is 0.05"):
        Word2Vec(sentences, **QUICK, alpha=0.01, min_alpha=0.05)


def test_whole_numbers_are_found_as_keys():
    model = Word2Vec([[3, 1, 2], [3, 4]] * 20, **QUICK, sample=0)
    rows = model.wv.key_to_index
    assert rows == {"3": 0, "1": 1, "2": 2, "4": 3}
    assert [key for key in (1, 2, 9, "4", 0, True, None) if key in rows] == [1, 2, "4"]
    assert (rows[4], rows["4"], rows[np.int64(4)], rows.get(4), rows.get(9), rows.get(9, -1)) == (3, 3, 3, 3, None, -1)
    assert model.wv.key_to_index is rows
    for wrong in (9, "9", True):
        with pytest.raises(KeyError, match=str(wrong)):
            rows[wrong]
    with pytest.warns(FastW2VWarning, match=r"all words were whole numbers, and now there is 'a': an integer such as"):
        model.build_vocab([["a", "3"]], update=True)
    assert 3 not in model.wv.key_to_index
    assert model.wv.key_to_index["a"] == 4


def test_gensims_modules_are_names_here():
    import fastw2v.gensim as gensim

    assert gensim.models.Word2Vec is gensim.models.word2vec.Word2Vec is Word2Vec
    assert gensim.models.KeyedVectors is gensim.models.keyedvectors.KeyedVectors is KeyedVectors
    assert gensim.models.word2vec.LineSentence is LineSentence
    assert gensim.models.callbacks.CallbackAny2Vec is CallbackAny2Vec
    assert gensim.utils.simple_preprocess is simple_preprocess
    assert gensim.models.phrases.Phraser is fastw2v.FrozenPhrases
    assert gensim.models.phrases.ENGLISH_CONNECTOR_WORDS is fastw2v.ENGLISH_CONNECTOR_WORDS


def test_updating_keeps_words_and_adds_counts(sentences):
    model = Word2Vec(sentences, **QUICK)
    before, outside = KeyedVectors.of(model.wv), model.syn1neg
    model.min_count = 2
    model.build_vocab([["t0w0", "new", "new", "newer"]], update=True)
    assert set(model.wv.index_to_key) == {*before.index_to_key, "new"}
    assert model.wv.get_vecattr("t0w0", "count") == before.get_vecattr("t0w0", "count") + 1
    assert model.wv.get_vecattr("new", "count") == 2
    for word in before.index_to_key:
        np.testing.assert_array_equal(model.wv[word], before[word])
        np.testing.assert_array_equal(model.syn1neg[model.wv.row(word)], outside[before.row(word)])
    assert model.wv["new"].any()
    assert not model.syn1neg[model.wv.row("new")].any()
    assert (model.corpus_count, model.corpus_total_words) == (1, 4)
    model.build_vocab_from_freq({"newest": 3, "new": 1, "rare": 1}, update=True)
    assert model.wv.get_vecattr("new", "count") == 3
    assert "newest" in model.wv
    assert "rare" not in model.wv


def test_a_vocabulary_of_counts():
    model = Word2Vec(**QUICK | {"min_count": 2}, max_final_vocab=2)
    model.build_vocab_from_freq({"a": 1, "b": 5, "c": 9, "d": 2}, corpus_count=4)
    assert list(model.wv.index_to_key) == ["c", "b"]
    assert (model.corpus_count, model.corpus_total_words) == (4, 17)
    for wrong in ({"a": 1.5}, {"": 1}, {}, ["a"]):
        with pytest.raises(CorpusError, match="word_freq does not give counts of words"):
            model.build_vocab_from_freq(wrong)
    with pytest.raises(CorpusError, match="no word is kept: lower min_count, which is 2"):
        model.build_vocab_from_freq({"a": 1})


def test_a_trim_rule_decides(sentences):
    def rule(word, count, min_count):
        assert min_count == 400
        return face.RULE_DISCARD if word == "t0w0" else face.RULE_KEEP if word == "rare" else face.RULE_DEFAULT

    model = Word2Vec([*sentences, ["rare"]], **QUICK | {"min_count": 400}, trim_rule=rule)
    usual = Word2Vec([*sentences, ["rare"]], **QUICK | {"min_count": 400})
    assert "t0w0" in usual.wv
    assert {*model.wv.index_to_key} == {*usual.wv.index_to_key, "rare"} - {"t0w0"}
    assert model.wv.get_vecattr("rare", "count") == 1


def test_callbacks_see_the_model_at_that_moment(sentences):
    class Watch(CallbackAny2Vec):
        def __init__(self):
            self.seen = []

        def on_train_begin(self, model):
            self.seen.append(("begin", np.abs(model.syn1neg).sum(), model.get_latest_training_loss()))

        def on_epoch_begin(self, model):
            assert isinstance(model.wv, KeyedVectors)

        def on_epoch_end(self, model):
            self.seen.append(("epoch", np.abs(model.syn1neg).sum(), model.get_latest_training_loss()))

        def on_train_end(self, model):
            self.seen.append(("end", np.abs(model.syn1neg).sum(), model.get_latest_training_loss()))

    watch = Watch()
    model = Word2Vec(sentences, **QUICK | {"epochs": 3}, callbacks=iter([watch]), compute_loss=True)
    assert [name for name, *_ in watch.seen] == ["begin", "epoch", "epoch", "epoch", "end"]
    moved, losses = ([entry[i] for entry in watch.seen] for i in (1, 2))
    assert moved[0] == losses[0] == 0
    assert moved[0] < moved[1] < moved[2] < moved[3] == moved[4] == np.abs(model.syn1neg).sum()
    assert losses[1] < losses[2] < losses[3] == losses[4] == model.get_latest_training_loss()
    expected = sum(record["loss"] * record["pairs"] for record in model.wv.metrics)
    assert model.get_latest_training_loss() == pytest.approx(expected)
    model.train(sentences, total_examples=1, epochs=1)
    assert model.get_latest_training_loss() < expected  # It starts from 0 again.


def test_callbacks_see_the_rate_and_may_not_change_it(sentences):
    class Slower(CallbackAny2Vec):
        def __init__(self):
            self.rates = []

        def on_epoch_end(self, model):
            self.rates.append(model.min_alpha_yet_reached)
            model.alpha /= 2

    slower = Slower()
    with pytest.warns(FastW2VWarning, match="a callback changed alpha or min_alpha, which has no effect on the train"):
        Word2Vec(sentences, **QUICK, callbacks=[slower])
    assert slower.rates == pytest.approx([0.01255, 0.0001])


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_end", "on_train_end"])
def test_callbacks_may_not_change_vectors(sentences, hook):
    callback = CallbackAny2Vec()
    setattr(callback, hook, lambda model: model.init_sims(replace=True))
    with pytest.warns(FastW2VWarning, match="a callback changed vectors of the model, and the change is lost"):
        model = Word2Vec(sentences, **QUICK, callbacks=[callback])
    np.testing.assert_array_equal(model.wv.vectors, Word2Vec(sentences, **QUICK).wv.vectors)


def test_the_loss_is_the_same_with_and_without_callbacks(sentences):
    models = [Word2Vec(sentences, **QUICK, callbacks=callbacks) for callbacks in ([], [CallbackAny2Vec()])]
    losses = [model.get_latest_training_loss() for model in models]
    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] > 1000
    np.testing.assert_array_equal(models[0].wv.vectors, models[1].wv.vectors)


def test_a_callback_that_raises_leaves_the_vectors_of_that_moment(sentences):
    class Enough(CallbackAny2Vec):
        def on_epoch_end(self, model):
            raise StopIteration("enough")

    model = Word2Vec(**QUICK)
    model.build_vocab(sentences)
    with pytest.raises(StopIteration, match="enough"):
        model.train(sentences, total_examples=1, epochs=5, callbacks=[Enough()])
    assert model.syn1neg.any()
    assert len(model.wv.most_similar("t0w0")) == 10


# ------------------------------------------------------------------------------------------------------ files


def test_save_and_load(sentences, tmp_path):
    model = Word2Vec(sentences, **QUICK | {"seed": 5, "window": 3}, comment="mine", hashfxn=len)
    model.save(tmp_path / "my.model")
    loaded = Word2Vec.load(tmp_path / "my.model")
    np.testing.assert_array_equal(model.wv.vectors, loaded.wv.vectors)
    np.testing.assert_array_equal(model.syn1neg, loaded.syn1neg)
    unsaved = {"_wv", "_vocab", "hashfxn"}
    assert {n: v for n, v in vars(loaded).items() if n not in unsaved} == {
        n: v for n, v in vars(model).items() if n not in unsaved
    }
    assert "gensim" not in loaded.wv.metadata
    for each in (model, loaded):
        each.train(sentences, total_examples=1, epochs=1)
    np.testing.assert_array_equal(model.wv.vectors, loaded.wv.vectors)
    assert fastw2v.load(tmp_path / "my.model").words  # a model folder like any other
    assert not [
        path for path in (tmp_path / "my.model").iterdir() if path.suffix not in (".npy", ".json", ".jsonl", ".tsv")
    ]


def test_numbers_of_numpy_are_saved(sentences, tmp_path):
    numbers = {"vector_size": np.int64(20), "alpha": np.float32(0.25), "seed": np.int32(3)}
    model = Word2Vec(sentences, **QUICK | numbers)
    model.save(tmp_path / "m")
    loaded = Word2Vec.load(tmp_path / "m")
    assert (loaded.vector_size, loaded.alpha, loaded.seed) == (20, 0.25, 3)


def test_a_model_of_train_is_opened(planted_file, tmp_path):
    fastw2v.train(planted_file, output=tmp_path / "m", vector_size=7, window=3, epochs=1, max_vocab=40, progress=False)
    model = Word2Vec.load(tmp_path / "m")
    assert (model.vector_size, model.window, model.epochs, model.max_final_vocab) == (7, 3, 1, 40)
    assert model.train([["t0w0", "t0w1"]] * 50, total_examples=50, epochs=1)[1] == 100


def test_what_is_no_model_is_refused(sentences, tmp_path):
    with pytest.raises(ConfigError, match="the model has no vocabulary, so there is nothing to save"):
        Word2Vec(**QUICK).save(tmp_path / "m")
    (tmp_path / "file").write_bytes(b"\x80\x04")
    with pytest.raises(
        FolderError, match="is a file, not a model folder of fastw2v: train again, or have gensim export"
    ):
        Word2Vec.load(tmp_path / "file")
    Word2Vec(sentences, **QUICK).save(tmp_path / "m")
    manifest = tmp_path / "m" / "model.json"
    for name, value in (("window", "wide"), ("corpus_count", []), ("hs", 1), ("seed", None)):
        content = json.loads(manifest.read_text())
        content["gensim"][name] = value
        content.pop("checksum", None)
        manifest.write_text(json.dumps(content))
        with pytest.raises(FolderError, match=r"has options that Word2Vec does not take|is damaged"):
            Word2Vec.load(tmp_path / "m")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from((*words._OPTIONS, *words._COUNTED, *words._SUMMED, "other"))


@given(st.dictionaries(NAMES, JSON, max_size=3) | JSON)
def test_options_of_a_stranger_load_or_are_refused(model, options):
    given = fastw2v.load(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "load", lambda place: fastw2v.Embeddings.live(given.vocab, given.vectors, None, found))
        found = {"gensim": options}
        try:
            loaded = Word2Vec.load(model)
        except FolderError as error:
            assert "has options that Word2Vec does not take" in str(error)  # noqa: PT017
        else:
            assert loaded.vector_size == 20


@pytest.mark.parametrize("name", ["seed", "alpha", "min_alpha", "epochs", "window", "sample"])
@pytest.mark.parametrize("value", [None, "1", [1]])
def test_values_of_the_wrong_type_are_named(name, value):
    with pytest.raises(ConfigError, match=f"{name} is "):
        Word2Vec(**QUICK | {name: value})


@pytest.mark.parametrize("build", [False, True])
def test_pickle(sentences, build):
    model = Word2Vec(**QUICK)
    if build:
        model.build_vocab(sentences)
        model.train(sentences, total_examples=1, epochs=1)
    same = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(model.wv.vectors, same.wv.vectors)
    assert isinstance(same.wv, KeyedVectors)
    assert list(same.wv.index_to_key) == list(model.wv.index_to_key)
    if build:
        same.train(sentences, total_examples=1, epochs=1)


# ------------------------------------------------------------------------------------------------------ vectors


def test_an_empty_set_of_vectors_is_filled():
    own = KeyedVectors(2)
    assert (len(own), own.vector_size, "here" in own) == (0, 2, False)
    assert repr(own) == "KeyedVectors<vector_size=2, 0 keys>"
    assert own.add_vector("here", [1, 0]) == 0
    own.add_vectors(["there", "far"], np.array([[0, 1], [-1, 0]]), {"count": [1, 2]})
    own["here"] = [0, 2]
    assert own["here"].tolist() == [0, 2]
    assert own.most_similar("here", topn=1)[0][0] == "there"
    with pytest.raises(ConfigError, match="vector_size is 0"):
        KeyedVectors(0)


def test_kinds_stay(tmp_path):
    own = KeyedVectors(2)
    own.add_vectors(["a", "b"], [[1, 0], [0, 1]])
    own.save(tmp_path / "m")
    own.save_word2vec_format(tmp_path / "v.txt")
    for same in (
        KeyedVectors.load(tmp_path / "m"),
        KeyedVectors.load_word2vec_format(tmp_path / "v.txt", binary=False, datatype=np.float32),
        pickle.loads(pickle.dumps(own)),
        own.vectors_for_all(["b", "a"]).vectors_for_all(["a", "b"]),
    ):
        assert type(same) is KeyedVectors
        assert same["b"].tolist() == [0, 1]


def test_files_are_written_and_read_with_gensims_positions(tmp_path):
    own = KeyedVectors(2)
    own.add_vectors(["a", "b"], [[1, 0], [0, 1]])
    own.save_word2vec_format(tmp_path / "v", None, False, 2, False)
    assert (tmp_path / "v").read_text() == "a 1.0 0.0\nb 0.0 1.0\n"
    read = KeyedVectors.load_word2vec_format(tmp_path / "v", None, False, "utf8", "strict", 1, np.float16, True)
    assert (list(read.index_to_key), read.vectors.dtype) == (["a"], np.float32)
    assert len(KeyedVectors.load_word2vec_format(fname=tmp_path / "v", no_header=True)) == 2
    for name, value in (("total_vec", 7), ("prefix", "*"), ("append", True), ("sort_attr", "rank")):
        with pytest.raises(ConfigError, match=f"{name} is .*, but files are written whole here, by count: omit it"):
            own.save_word2vec_format(tmp_path / "v", **{name: value})


def test_vectors_are_set_without_a_copy_for_each():
    given = np.arange(6, dtype=np.float32).reshape(3, 2) + 1
    own = KeyedVectors.from_vectors(["a", "b", "7"], given)
    before = own.vectors
    own.most_similar("a")  # It computes the norms.
    own["a"] = [0, 5]
    matrix = own.vectors
    assert before[0].tolist() == [1, 2]
    own["b"], own[7] = np.array([3.5, 0]), np.float32([8, 9])
    assert own.vectors is matrix
    assert own.vectors.tolist() == [[0, 5], [3.5, 0], [8, 9]]
    assert not own.vectors.flags.writeable
    assert own.norms.tolist() == pytest.approx([5, 3.5, np.hypot(8, 9)])
    own["new"] = [1, 1]
    own["a"] = [6, 6]
    assert own.vectors.tolist() == [[6, 6], [3.5, 0], [8, 9], [1, 1]]
    for wrong, said in (([1, np.nan], "is not finite"), ([1, 2, 3], "3 columns"), (["a", "b"], "give float32 numbers")):
        with pytest.raises((TypeError, ValueError), match=said):
            own["a"] = wrong
    assert own["a"].tolist() == [6, 6]


def test_vectors_are_sorted_by_count():
    own = KeyedVectors.from_vectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]], [2, 5, 2])
    own.outside = own.vectors * 2
    own.sort_by_descending_frequency()
    assert list(own.index_to_key) == ["b", "a", "c"]
    assert own.vectors.tolist() == [[0, 1], [1, 0], [1, 1]]
    assert own.outside.tolist() == [[0, 2], [2, 0], [2, 2]]
    assert own.get_vecattr("b", "count") == 5
    own.fill_norms()
    own.unit_normalize_all()
    np.testing.assert_allclose(own["c"], np.sqrt([0.5, 0.5]), rtol=1e-6)


def test_small_methods(sentences):
    model = Word2Vec(sentences, **QUICK | {"epochs": 15})
    assert model.predict_output_word(["t0w1", "t0w2"], topn=1)[0][0].startswith("t0")
    assert model.predict_output_word(["unheard"]) is None
    assert model.predict_output_word(["t0w1"], topn=0) == []
    assert model.estimate_memory(10) == {"vocab": 5000, "vectors": 800, "syn1neg": 800, "total": 6600}
    model.init_sims(replace=True)
    np.testing.assert_allclose(np.linalg.norm(model.wv.vectors, axis=1), 1, rtol=1e-5)
    with pytest.raises(AttributeError, match=r"has no attribute 'most_similar': use wv\.most_similar"):
        model.most_similar("t0w0")
    with pytest.raises(AttributeError, match=r"has no attribute 'nothing'$"):
        model.nothing  # noqa: B018


def test_names_of_gensim_that_are_elsewhere_are_told():
    with pytest.raises(AttributeError, match=r"no attribute 'Word2Vec'; write: from fastw2v\.gensim import Word2Vec"):
        fastw2v.Word2Vec  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'train': use fastw2v\.train\(text, init_from=embeddings"):
        face.KeyedVectors(3).train  # noqa: B018


def test_gensim_is_not_loaded():
    from test_project import run_python

    code = "import sys; from fastw2v.gensim import Word2Vec, KeyedVectors; "
    assert run_python(code + "print([m for m in sys.modules if m.split('.')[0] == 'gensim'])") == "[]\n"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        face.nothing  # noqa: B018
