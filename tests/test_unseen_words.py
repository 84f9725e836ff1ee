"""Words that are not in the vocabulary: their vectors are made from n-grams, or one line says why there is none."""

import copy
import json
import math
import pickle
import shutil

import numpy as np
import pytest
from conftest import at_once

import fastw2v
from fastw2v import Embeddings, UnknownWordError
from fastw2v.cli import main
from fastw2v.errors import ConfigError, FastW2VWarning, FolderError, FormatError
from fastw2v.gensim import FastText, KeyedVectors
from fastw2v.subwords.ngrams import Ngrams, rows_of_words
from fastw2v.subwords.table import Subwords
from fastw2v.vectors import encode as encoding

STEMS = ["walk", "talk", "jump", "paint", "grün", "читат", "東京都"]
ENDS = ["", "s", "ed", "ing", "er", "ers"]
UNSEEN = ["walkings", "retalked", "paintjump", "Grünwalk", "читали", "東京都eror", "walk ing", "jump\udcffed"]
NONE = ["", "zq", "qqqqqq", "xx\ud800yy"]  # empty, too short for the sizes, never seen, not to be encoded
NGRAMS = Ngrams(5, 7, 200_000)


@pytest.fixture(scope="module")
def ours():
    rng = np.random.default_rng(3)
    words = [stem + end for stem in STEMS for end in ENDS] + ["new york", "a"]
    text = [[words[i] for i in rng.integers(len(words), size=9)] for _ in range(400)]
    options = dict(zip(("min_n", "max_n", "bucket"), NGRAMS[:3], strict=True))
    return fastw2v.train(text, vector_size=12, epochs=2, min_count=1, workers=1, sample=0, progress=False, **options)


@pytest.fixture(scope="module")
def theirs(ours):
    """The same numbers in gensim's class; buckets that no word reaches hold zeros there, too."""
    fasttext = pytest.importorskip("gensim.models.fasttext")
    keyed = fasttext.FastTextKeyedVectors(ours.vector_size, *NGRAMS[:3])
    keyed.vectors_ngrams = np.zeros((NGRAMS.bucket, ours.vector_size), np.float32)
    keyed.vectors_ngrams[ours.subwords.buckets] = ours.subwords.rows[ours.subwords.bucket_rows]
    keyed.index_to_key = list(ours.words)
    keyed.key_to_index = dict(ours.key_to_index)
    keyed.vectors_vocab = np.array(ours.subwords.rows[: len(ours)])
    keyed.recalc_char_ngram_buckets()
    keyed.adjust_vectors()
    for word, count in zip(ours.words, ours.vocab.counts.tolist(), strict=True):
        keyed.set_vecattr(word, "count", count)
    return keyed


@pytest.fixture(scope="module")
def folder(ours, tmp_path_factory):
    path = tmp_path_factory.mktemp("unseen") / "m"
    ours.save(path)
    return path


def same(ours, theirs):
    if isinstance(ours, list) and ours and isinstance(ours[0], tuple):
        assert [word for word, _ in ours] == [word for word, _ in theirs]
        ours, theirs = [x for _, x in ours], [x for _, x in theirs]
    if isinstance(ours, (str, int)) or (isinstance(ours, list) and ours and isinstance(ours[0], str)):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


CALLS = {
    "known": lambda e: e.vectors,
    "unseen": lambda e: [e[word] for word in UNSEEN[:7]],
    "list": lambda e: e[["walked", "walkings", "paintjump"]],
    "get_vector": lambda e: e.get_vector("walkings"),
    "norm": lambda e: e.get_vector("walkings", norm=True),
    "most_similar": lambda e: e.most_similar("walkings"),
    "positive and negative": lambda e: e.most_similar(["walkings", ("talked", 0.5)], ["paintjump"], topn=5),
    "all scores": lambda e: e.most_similar("walkings", topn=None),
    "similar_by_word": lambda e: e.similar_by_word("paintjump", topn=3),
    "similar_by_key": lambda e: e.similar_by_key("paintjump", topn=3),
    "cosmul": lambda e: e.most_similar_cosmul(["walkings", "talked"], ["paintjump"]),
    "similarity": lambda e: [e.similarity("walkings", "walk"), e.similarity("walkings", "paintjump")],
    "distance": lambda e: e.distance("walk", "walkings"),
    "distances": lambda e: e.distances("walkings"),
    "distances to some": lambda e: e.distances("walkings", ["walk", "talk"]),
    "n_similarity": lambda e: e.n_similarity(["walkings", "walk"], ["paintjump"]),
    "doesnt_match": lambda e: e.doesnt_match(["walk", "walks", "walkings", "東京都eror"]),
    "get_mean_vector": lambda e: e.get_mean_vector(["walk", "walkings"], [1, 2]),
    "mean as it is": lambda e: e.get_mean_vector(["walk", "walkings"], pre_normalize=False, post_normalize=True),
    "vectors_for_all": lambda e: e.vectors_for_all(["walkings", "walk", "walkings", "talk"]).vectors,
    "its keys": lambda e: list(e.vectors_for_all(["walkings", "walk", "talk"]).index_to_key),
    "without inference": lambda e: list(e.vectors_for_all(["walkings", "walk"], allow_inference=False).index_to_key),
    "get_index": lambda e: e.get_index("walkings", -1),
    "has_index_for": lambda e: [int(e.has_index_for(word)) for word in ("walk", "walkings")],
}


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # gensim calls it itself
@pytest.mark.parametrize("name", CALLS)
def test_as_gensim(ours, theirs, name):
    same(CALLS[name](ours), CALLS[name](theirs))


@pytest.mark.parametrize("norm", [True, False])
def test_wmdistance_as_gensim(ours, theirs, norm):
    pytest.importorskip("ot")
    documents = ["walk", "walkings", "walkings", "paintjump"], ["talk", "retalked", "jump"]
    assert ours.wmdistance(*documents, norm=norm) == pytest.approx(theirs.wmdistance(*documents, norm=norm), rel=1e-4)
    assert ours.wmdistance(["qqqqqq"], documents[0]) == math.inf


def by_hand(e, word):
    rows = dict(zip(e.subwords.buckets.tolist(), e.subwords.bucket_rows.tolist(), strict=True))
    buckets = rows_of_words([word], e.subwords.ngrams, own_rows=False)[1].tolist()
    return sum((e.subwords.rows[rows[b]].astype(float) for b in buckets if b in rows), np.zeros(12)) / len(buckets)


@pytest.mark.parametrize("word", UNSEEN)
def test_the_vector_is_the_mean_of_the_rows_of_its_ngrams(ours, word):
    assert word not in ours
    assert not ours.has_index_for(word)
    vector = ours[word]
    np.testing.assert_allclose(vector, by_hand(ours, word), rtol=1e-5, atol=1e-7)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) > 0
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1
    np.testing.assert_array_equal(ours[np.str_(word)], vector)
    np.testing.assert_array_equal(ours[[word, "walk"]], [vector, ours["walk"]])
    np.testing.assert_array_equal(ours[np.array(["walk", word], object)][1], vector)


def test_a_known_word_keeps_its_own_vector(ours):
    np.testing.assert_array_equal(ours["walk"], ours.vectors[ours.row("walk")])
    assert np.abs(ours["walking"] - by_hand(ours, "walking")).max() > 1e-3
    assert "a" in ours  # a word without n-grams
    assert ours["a"].any()


WHY = {
    "": "the word '' is not in the vocabulary of 44 words, and an empty word has no vector",
    "zq": "the word 'zq' is not in the vocabulary of 44 words, and is too short to have n-grams of 5 to 7 characters",
    "qqqqqq": "and none of its 9 n-grams occurs in a word of the training",
    "qqq": "and its only n-gram does not occur in a word of the training",
    "xx\ud800yy": "and has surrogates that UTF-8 can't encode",
}


@pytest.mark.parametrize("word", WHY)
def test_a_word_without_a_vector_says_why(ours, word):
    for ask in (
        lambda: ours[word],
        lambda: ours[["walk", word]],
        lambda: ours.get_vector(word, norm=True),
        lambda: ours.most_similar(["walk", word]),
        lambda: ours.most_similar_cosmul(word),
        lambda: ours.similarity(word, "walk"),
        lambda: ours.distances("walk", [word]),
        lambda: ours.neighbors([word]),
        lambda: ours.rank("walk", word),
        lambda: ours.get_mean_vector(["walk", word], ignore_missing=False),
        lambda: ours.vectors_for_all(["walk", word], missing="raise"),
    ):
        with pytest.raises(UnknownWordError, match=WHY[word]) as error:
            ask()
        assert "\n" not in str(error.value)
    pickle.loads(pickle.dumps(error.value))


def test_words_without_a_vector_are_left_out(ours):
    np.testing.assert_array_equal(ours.get_mean_vector(["walk", *NONE]), ours.get_mean_vector(["walk"]))
    assert ours.n_similarity(["walk", *NONE], ["walkings"]) == ours.n_similarity(["walk"], ["walkings"])
    with pytest.raises(UnknownWordError, match="no word of"):
        ours.n_similarity(NONE, ["walk"])
    with pytest.warns(FastW2VWarning, match="doesnt_match leaves out"):
        odd = ours.doesnt_match(["walk", "walks", "walkings", "東京都eror", "qqqqqq"])
    assert odd == ours.doesnt_match(["walk", "walks", "walkings", "東京都eror"])
    assert list(ours.vectors_for_all(["walk", *NONE[1:], "walkings"]).words) == ["walk", "walkings"]
    zeros = ours.vectors_for_all(["zq", "walkings"], missing="zeros")
    np.testing.assert_array_equal(zeros.vectors, [np.zeros(12), ours["walkings"]])
    assert ours.predict_output_word(NONE) == []


def test_a_bucket_never_trained_adds_nothing(ours):
    half = "walkingqqqqqqqq"
    n_known = ours.subwords.vectors([half])[1][0]
    offsets, _ = rows_of_words([half], NGRAMS, own_rows=False)
    assert 0 < n_known < offsets[1]
    np.testing.assert_allclose(ours[half], by_hand(ours, half), rtol=1e-5, atol=1e-7)


def test_two_letters_between_the_marks_are_no_word():
    """With n-grams of two characters, an empty word would have the n-gram <>."""
    rows = np.ones((4, 3), np.float32)
    every = np.arange(3, dtype=np.int32)
    e = Embeddings(["a"], np.ones((1, 3)), subwords=Subwords(Ngrams(2, 2, 3), rows, every, every + 1))
    with pytest.raises(UnknownWordError, match="an empty word has no vector"):
        e[""]
    assert not e.encode([[""]]).any()
    np.testing.assert_array_equal(e["b"], [1, 1, 1])


def test_integers_are_never_made_from_ngrams(ours):
    np.testing.assert_array_equal(ours[3], ours.vectors[3])
    for key in (44, -1, np.int64(99)):
        with pytest.raises(UnknownWordError, match=f"the row {key} is not in the vocabulary"):
            ours[key]
    subwords = Subwords(Ngrams(1, 2, 5), np.ones((8, 2), np.float32), *[np.arange(5, dtype=np.int32)] * 2)
    numbers = Embeddings(["1", "28", "7"], np.eye(3, 2), subwords=subwords)
    for ask in (lambda: numbers[29], lambda: numbers[[28, 29]], lambda: numbers.most_similar(29)):
        with pytest.raises(UnknownWordError, match="the word 29 is not in the vocabulary"):
            ask()
    assert 29 not in numbers
    np.testing.assert_array_equal(numbers.encode([[28, 29]])[0], numbers[28])
    assert numbers.wmdistance([28], [29]) == math.inf if _has_ot() else True
    for key in (True, None, 1.5, b"walk"):
        with pytest.raises(TypeError, match="give a word"):
            ours[key]


def _has_ot():
    try:
        import ot  # noqa: F401
    except ImportError:
        return False
    return True


def test_ranks_and_neighbours_of_unseen_words(ours):
    scores = 1 - ours.distances("walkings")
    order = np.argsort(-scores)
    assert ours.rank("walkings", ours.words[order[4]]) == 5
    assert ours.closer_than("walkings", ours.words[order[2]]) == [
        word for word in ours.words if word in {ours.words[i] for i in order[:2]}
    ]
    place = int(np.sum(ours.distances("walk") < ours.distance("walk", "paintjump"))) - 1  # not "walk" itself
    assert ours.rank("walk", "paintjump") == place + 1
    rows, cosines = ours.neighbors(["walk", "walkings", "paintjump"], topn=4)
    for row, cosine, word in zip(rows, cosines, ["walk", "walkings", "paintjump"], strict=True):
        found = ours.most_similar(word, topn=4)
        assert [ours.words[i] for i in row] == [near for near, _ in found]
        np.testing.assert_allclose(cosine, [score for _, score in found], rtol=1e-5)
    assert ours.analogy("walk", "walkings", "talk") == ours.most_similar(["walkings", "talk"], ["walk"])


def test_predict_output_word_uses_unseen_words(ours):
    words = ["walk", "walkings"]
    logits = ours.outside @ ours[words].mean(axis=0)
    best = ours.words[int(np.argmax(logits))]
    assert ours.predict_output_word([*words, "qqqqqq"])[0][0] == best
    assert sum(p for _, p in ours.predict_output_word(words, topn=None)) == pytest.approx(1)


# ------------------------------------------------------------------------------------------------------ texts


def test_encode_means_over_unseen_words(ours, monkeypatch):
    texts = ["walk walkings qqqqqq", "talk", "", "zq", "paintjump walkings", ["new york", "walk ing", "", "xx\ud800yy"]]
    calls = []
    vectors_of = Subwords.vectors
    monkeypatch.setattr(Subwords, "vectors", lambda self, words: calls.append(words) or vectors_of(self, words))
    encoded = ours.encode(texts)
    assert len(calls) == 1  # for all texts
    assert sorted(calls[0]) == ["", "", "paintjump", "qqqqqq", "walk ing", "walkings", "zq"]
    monkeypatch.undo()
    expected = [["walk", "walkings"], ["talk"], [], [], ["paintjump", "walkings"], ["new york", "walk ing"]]
    for vector, words in zip(encoded, expected, strict=True):
        np.testing.assert_allclose(vector, np.mean([ours[word] for word in words] or np.zeros((1, 12)), 0), rtol=1e-5)
    monkeypatch.setattr(encoding, "TOKENS_AT_ONCE", 2)
    monkeypatch.setattr(encoding, "TEXTS_AT_ONCE", 3)
    np.testing.assert_allclose(ours.encode(texts), encoded, rtol=1e-6)
    monkeypatch.undo()
    np.testing.assert_array_equal(ours.encode([["walk", np.str_("walkings")]])[0], ours.encode(["walk walkings"])[0])


def test_weights_of_unseen_words(ours):
    share = ours.get_vecattr("walk", "count") / ours.vocab.counts.sum()
    weight = 1e-3 / (1e-3 + share)
    expected = (weight * ours["walk"] + ours["walkings"]) / (weight + 1)
    np.testing.assert_allclose(ours.encode(["walk walkings qqqqqq"], "sif")[0], expected, rtol=1e-5)
    given = {"walk": 1.0, "walkings": 3.0, "qqqqqq": 50.0}
    expected = (ours["walk"] + 3 * ours["walkings"]) / 4
    np.testing.assert_allclose(ours.encode(["walk walkings talk paintjump qqqqqq"], given)[0], expected, rtol=1e-5)
    with pytest.raises(ConfigError, match="the weight of the word 'walkings' is not finite"):
        ours.encode(["walkings"], {"walkings": math.inf})


def test_threads_get_the_same_vectors(ours):
    expected = ours["walkings"]
    for vector in at_once(lambda _: ours["walkings"], range(8)).values():
        np.testing.assert_array_equal(vector, expected)


# ------------------------------------------------------------------------------------------------------ evaluation


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("walk\ttalk\t3\nWALKINGS\twalk\t9\npaintjump\tjump\t7\nqqqqqq\twalk\t1\n", "utf-8")
    return path


def test_similarity_makes_unseen_words_from_ngrams(ours, pairs):
    score = fastw2v.evaluate_similarity(ours, pairs)
    assert (score.attempted, score.total, score.words, score.from_ngrams) == (3, 4, 5, 2)
    assert score.share_from_ngrams == 0.4
    assert score.unknown == 0.25
    cosines = [ours.similarity(*pair) for pair in (("walk", "talk"), ("walkings", "walk"), ("paintjump", "jump"))]
    assert score.pearson == pytest.approx(np.corrcoef(cosines, [3, 9, 7])[0, 1], abs=1e-5)
    as_written = fastw2v.evaluate_similarity(ours, pairs, case_insensitive=False)
    assert (as_written.attempted, as_written.from_ngrams) == (2, 1)
    known = fastw2v.evaluate_similarity(ours, pairs, known_only=True)
    words_alone = fastw2v.evaluate_similarity(Embeddings(ours.vocab, ours.vectors), pairs)
    assert known == words_alone
    assert (known.attempted, known.words, known.from_ngrams) == (1, 2, 0)


def test_analogies_have_no_unseen_words(ours, tmp_path):
    path = tmp_path / "questions.txt"
    path.write_text(": s\nwalk walked talk talked\nwalk walkings talk talks\n")
    assert fastw2v.evaluate_analogies(ours, path)[-1].attempted == 1


def test_eval_reports_the_share_made_from_ngrams(ours, folder, pairs, tmp_path, capsys):
    assert main(["eval", str(folder), "--similarity", str(pairs)]) == 0
    assert "(3/4 pairs attempted, 25.0 % unknown, 40.0 % of the words made from n-grams)" in capsys.readouterr().out
    assert main(["eval", str(folder), "--similarity", str(pairs), "--known-only"]) == 0
    assert "(1/4 pairs attempted, 75.0 % unknown)" in capsys.readouterr().out
    assert main(["eval", str(folder), "--similarity", str(pairs), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["similarity"][0]
    assert (record["words"], record["from_ngrams"], record["share_from_ngrams"]) == (5, 2, 0.4)
    Embeddings(ours.vocab, ours.vectors).save(tmp_path / "words")
    assert main(["eval", str(tmp_path / "words"), "--similarity", str(pairs)]) == 0
    assert "(1/4 pairs attempted, 75.0 % unknown)" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------ command line


def test_commands_take_unseen_words(ours, folder, capsys):
    assert main(["neighbors", str(folder), "walkings", "walk", "-n", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [near["word"] for near in found["walkings"]] == [word for word, _ in ours.most_similar("walkings", topn=2)]
    assert "warning: not in the vocabulary: 'walkings'; the vector is made from n-grams" in err
    assert main(["similarity", str(folder), "walkings", "paintjump"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == [f"{ours.similarity('walkings', 'paintjump'):.4f}", "walkings", "paintjump"]
    assert "'walkings', 'paintjump'; the vector" in err
    assert main(["analogy", str(folder), "walk", "walkings", "talk", "-n", "1"]) == 0
    assert capsys.readouterr().out.split()[1] == ours.analogy("walk", "walkings", "talk")[0][0]
    assert main(["neighbors", str(folder), "walk"]) == 0
    assert capsys.readouterr().err == ""


def test_commands_say_why_a_word_has_no_vector(folder, capsys):
    for command in (
        ["neighbors", str(folder)],
        ["similarity", str(folder), "walk"],
        ["analogy", str(folder), "a", "a"],
    ):
        for word in ("zq", "qqqqqq", ""):
            assert main([*command, word]) == 2
            err = capsys.readouterr().err
            assert WHY[word].partition(" of 44 words")[2] in err or WHY[word] in err
            assert err.count("\n") == 1


def test_encode_command_counts_texts_without_a_vector(ours, folder, tmp_path, capsys):
    (tmp_path / "texts").write_text("walkings\nqqqqqq\nwalk\n")
    assert main(["encode", str(folder), str(tmp_path / "texts"), "-o", str(tmp_path / "x.npy")]) == 0
    assert "1 of 3 texts have no known word and no known n-gram" in capsys.readouterr().err
    np.testing.assert_allclose(np.load(tmp_path / "x.npy")[0], ours["walkings"], rtol=1e-6)


def test_info_describes_the_subwords(ours, folder, capsys):
    assert main(["info", str(folder), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["subwords"]
    n = len(ours.subwords.buckets)
    assert record == {
        "min_n": 5,
        "max_n": 7,
        "bucket": 200_000,
        "hash_count": 0,
        "rows": len(ours.subwords.rows),
        "buckets_reached": n,
        "share_of_buckets": round(n / 200_000, 4),
        "MB": 0.0,
    }


def test_a_map_of_given_words(ours, monkeypatch):
    drawn = []
    monkeypatch.setattr("fastw2v.vectors.exchange.draw_map", lambda *arguments: drawn.append(arguments))
    ours.plot(["walk", "walkings", "walk", 0])
    names, counts, vectors = drawn[0][:3]
    assert names[:2] == ["walk", "walkings"]
    assert counts[:2].tolist() == [ours.get_vecattr("walk", "count"), 0]
    np.testing.assert_array_equal(vectors[:2], ours[["walk", "walkings"]])
    with pytest.raises(UnknownWordError, match="too short"):
        ours.plot(["zq"])
    ours.plot(top=3)
    assert list(drawn[1][0]) == list(ours.words[:3])


# -------------------------------------------------------------------------------------------- other embeddings


def test_subwords_stay_with_copies(ours, folder, tmp_path):
    ours.save(tmp_path / "again")
    loaded = fastw2v.load(tmp_path / "again")
    copies = [copy.copy(ours), copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), loaded]
    copies += [pickle.loads(pickle.dumps(loaded)), KeyedVectors.load(folder), FastText.load(folder).wv]
    for each in copies:
        np.testing.assert_array_equal(each["walkings"], ours["walkings"])
        assert not any(array.flags.writeable for array in each.subwords[1:])
        assert all(type(array) is np.ndarray for array in each.subwords[1:])
    model = FastText.load(folder)
    model.save(tmp_path / "theirs")
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "theirs")["walkings"], ours["walkings"])
    assert ours.vectors_for_all(["walk", "walkings"]).subwords is None


def test_the_first_rows_keep_the_rows_of_all_ngrams(ours, folder):
    for few in (ours.first(5), fastw2v.load(folder, limit=5)):
        np.testing.assert_array_equal(few["walkings"], ours["walkings"])
        dropped = ours.words[20]
        assert dropped not in few
        np.testing.assert_allclose(few[dropped], by_hand(ours, dropped), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("replace", [False, True])
def test_added_words_have_vectors_of_their_own(ours, tmp_path, replace):
    e = copy.copy(ours)
    unlike = {word: e[word] for word in UNSEEN if word not in ("walkings", "jump\udcffed")}
    mine = np.random.default_rng(1).normal(size=(4, 12)).astype(np.float32)
    e.add_vectors(["walkings", "walk", "jump\udcffed", "東京都"], mine, replace=replace)
    e.add_vectors("q", np.ones(12))
    e.save(tmp_path / "m")
    for each in (e, fastw2v.load(tmp_path / "m")):
        assert "walkings" in each
        np.testing.assert_array_equal(each["walkings"], mine[0])
        np.testing.assert_array_equal(each["walk"], mine[1] if replace else ours["walk"])
        for word, vector in unlike.items():
            np.testing.assert_array_equal(each[word], vector)
        # The rows still compose the vectors, as `init_from` and files of fastText need them.
        n_ngrams = each.subwords.n_ngrams(each.words)[:, None]
        sums = each.subwords.vectors(each.words)[0] * n_ngrams + each.subwords.rows[: len(each)]
        np.testing.assert_allclose(sums / (n_ngrams + 1), each.vectors, rtol=1e-4, atol=1e-5)


def test_vectors_of_length_one_leave_unseen_words_as_they_are(ours):
    e = copy.copy(ours)
    e.init_sims(replace=True)
    np.testing.assert_allclose(np.linalg.norm(e.vectors, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(e["walkings"], ours["walkings"])
    assert e.similarity("walkings", "walk") == pytest.approx(ours.similarity("walkings", "walk"), rel=1e-5)


def test_info_of_a_fasttext_model_tells_its_ngrams(ours, tmp_path, capsys):
    ours.export(tmp_path / "x.bin", space="_")
    assert main(["info", str(tmp_path / "x.bin"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["subwords"]
    assert told == {
        **NGRAMS._asdict(),
        "rows": 200_044,
        "buckets_reached": 200_000,
        "share_of_buckets": 1.0,
        "MB": 11.2,
    }


def test_exported_vectors_are_the_composed_ones(ours, tmp_path):
    ours.export(tmp_path / "x.npz")
    np.testing.assert_array_equal(fastw2v.load(tmp_path / "x.npz").vectors, ours.vectors)


def test_words_without_any_ngram(tmp_path):
    """A model may have subwords and no bucket, if all its words are too short."""
    text = [["a", "b", "c"] * 3] * 50
    e = fastw2v.train(text, vector_size=4, epochs=1, workers=1, min_n=5, max_n=6, sample=0, progress=False)
    assert len(e.subwords.buckets) == 0
    e.save(tmp_path / "m")
    loaded = fastw2v.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded["a"], e["a"])
    with pytest.raises(UnknownWordError, match="none of its 7 n-grams occurs"):
        loaded["abcdef"]


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_rows_that_are_not_finite_are_found(ours, folder, tmp_path, value):
    shutil.copytree(folder, tmp_path / "m")
    rows = np.array(ours.subwords.rows)
    rows[:] = value
    np.save(tmp_path / "m" / "subwords.npy", rows)
    e = fastw2v.load(tmp_path / "m")
    for ask in (
        lambda: e["walkings"],
        lambda: e.most_similar("walkings"),
        lambda: e.encode(["walkings"]),
        lambda: e.get_mean_vector(["walkings"]),
    ):
        with pytest.raises(
            FormatError, match="the rows of n-grams of the word 'walkings' are not finite, or too large"
        ):
            ask()
    assert e["walk"].any()


# -------------------------------------------------------------------------------------------- folders that lie

WRAPPED = [0, 2**31 - 1, -(2**31), -5, 5]  # Differences in int32 are all above 0.


def table(e, **changes):
    """Return buckets.npy with some rows changed."""
    both = np.stack([e.subwords.buckets, e.subwords.bucket_rows], axis=1)
    for place, value in changes.items():
        column, _, row = place.rpartition("_")
        both[int(row), 0 if column == "bucket" else 1] = value
    return both


def manifest(folder, **fields):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


LIES = {
    "no subwords.npy": (lambda f, e: (f / "subwords.npy").unlink(), "subwords.npy is missing"),
    "no buckets.npy": (lambda f, e: (f / "buckets.npy").unlink(), "buckets.npy is missing"),
    "short subwords.npy": (lambda f, e: cut(f / "subwords.npy"), "subwords.npy is damaged"),
    "short buckets.npy": (lambda f, e: cut(f / "buckets.npy"), "buckets.npy is damaged"),
    "too few rows": (lambda f, e: np.save(f / "subwords.npy", e.subwords.rows[:43]), "subwords.npy has float32 .*43"),
    "rows cut off": (lambda f, e: np.save(f / "subwords.npy", e.subwords.rows[:44]), "bucket or a row that is not in"),
    "other columns": (lambda f, e: np.save(f / "subwords.npy", e.subwords.rows[:, :5].copy()), "subwords.npy .*, 5"),
    "one dimension": (lambda f, e: np.save(f / "subwords.npy", np.ones(9, np.float32)), "subwords.npy .*9"),
    "rows of doubles": (lambda f, e: np.save(f / "subwords.npy", e.subwords.rows.astype(float)), "subwords.npy holds"),
    "buckets of longs": (lambda f, e: np.save(f / "buckets.npy", table(e).astype(np.int64)), "buckets.npy holds"),
    "one column": (lambda f, e: np.save(f / "buckets.npy", e.subwords.buckets), "buckets.npy has shape"),
    "three columns": (lambda f, e: np.save(f / "buckets.npy", np.zeros((2, 3), np.int32)), "it has two columns"),
    "row too large": (lambda f, e: np.save(f / "buckets.npy", table(e, row_3=2**31 - 1)), "not in order or range"),
    "row below 0": (lambda f, e: np.save(f / "buckets.npy", table(e, row_3=-1)), "not in order or range"),
    "bucket too large": (lambda f, e: np.save(f / "buckets.npy", table(e, **{"bucket_-1": 200_000})), "order or range"),
    "bucket below 0": (lambda f, e: np.save(f / "buckets.npy", table(e, bucket_0=-7)), "not in order or range"),
    "bucket twice": (lambda f, e: np.save(f / "buckets.npy", table(e, bucket_1=int(table(e)[0, 0]))), "not in order"),
    "wraps around": (
        lambda f, e: np.save(f / "buckets.npy", np.array([WRAPPED, [0] * 5], np.int32).T.copy()),
        "not in order or range",
    ),
    "a list": (lambda f, e: manifest(f, subwords=[5, 7, 3000]), r"model.json has subwords \[5, 7, 3000\]"),
    "a string": (lambda f, e: manifest(f, subwords="\x1b[2J"), r"model.json has subwords '\\x1b\[2J'"),
    "true": (lambda f, e: manifest(f, subwords=True), "model.json has subwords True"),
    "nothing": (lambda f, e: manifest(f, subwords={}), "model.json has subwords that do not fit"),
    "no bucket": (lambda f, e: manifest(f, subwords={"min_n": 5, "max_n": 7}), "that do not fit"),
    "another key": (lambda f, e: manifest(f, subwords={**NGRAMS._asdict(), "\x1b[2J": 1}), "model.json has subwords"),
    "bool": (lambda f, e: manifest(f, subwords={**NGRAMS._asdict(), "min_n": True}), "min_n is True"),
    "float": (lambda f, e: manifest(f, subwords={**NGRAMS._asdict(), "max_n": 7.0}), "max_n is 7.0"),
    "none": (lambda f, e: manifest(f, subwords={**NGRAMS._asdict(), "max_n": None}), "max_n is None"),
    "huge": (lambda f, e: manifest(f, subwords={**NGRAMS._asdict(), "bucket": 10**30}), "bucket is 10000"),
    "negative": (lambda f, e: manifest(f, subwords={**NGRAMS._asdict(), "bucket": -1}), "bucket is -1"),
    "sizes swapped": (lambda f, e: manifest(f, subwords={"min_n": 7, "max_n": 5, "bucket": 9}), "min_n is 7, above"),
    "a word of rows": (lambda f, e: manifest(f, n_words=43), "model.json gives 43 words"),
}


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("lie", LIES)
def test_a_folder_that_lies_about_subwords(ours, folder, tmp_path, capsys, lie):
    change, said = LIES[lie]
    shutil.copytree(folder, tmp_path / "m")
    change(tmp_path / "m", ours)
    with pytest.raises(FolderError, match=said) as error:
        fastw2v.load(tmp_path / "m")
    assert "\n" not in str(error.value)
    assert str(tmp_path / "m") in str(error.value)
    assert main(["neighbors", str(tmp_path / "m"), "walk"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_subwords_that_do_not_fit_are_no_embeddings(ours):
    parts = ours.subwords
    for wrong, error, said in (
        ((1, 2, 3), TypeError, "give Subwords, or None"),
        (parts._replace(rows=parts.rows[:5]), ValueError, "subwords.rows has float32 .*44 rows or more"),
        (parts._replace(rows=parts.rows.astype(float)), ValueError, "subwords.rows has float64"),
        (parts._replace(buckets=parts.buckets[::-1]), ValueError, "not in order or range"),
        (parts._replace(bucket_rows=parts.bucket_rows[1:]), ValueError, "subwords.buckets has shape"),
        (parts._replace(ngrams=Ngrams(0, 6, 9)), ValueError, "min_n is 0"),
    ):
        with pytest.raises(error, match=said):
            Embeddings(ours.vocab, ours.vectors, subwords=wrong)


def test_folders_with_subwords_have_a_version_that_older_programs_refuse(ours, folder, tmp_path):
    assert json.loads((folder / "model.json").read_text())["format_version"] == 2
    Embeddings(ours.vocab, ours.vectors).save(tmp_path / "words")
    record = json.loads((tmp_path / "words" / "model.json").read_text())
    assert record["format_version"] == 1
    assert "subwords" not in record
    assert fastw2v.load(tmp_path / "words").subwords is None
    with pytest.raises(UnknownWordError, match=r"the word 'walkings' is not in the vocabulary of 44 words; close"):
        fastw2v.load(tmp_path / "words")["walkings"]
    manifest(tmp_path / "words", subwords=None)  # as a program may write it
    assert fastw2v.load(tmp_path / "words").subwords is None
