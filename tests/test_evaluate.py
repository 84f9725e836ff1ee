"""Scores, against hand-made answers, and SciPy's and gensim's where they are installed."""

import bz2
import gzip
import lzma

import numpy as np
import pytest
from conftest import SHARED

from fastw2v import judgements
from fastw2v.embeddings import Embeddings
from fastw2v.errors import FormatError
from fastw2v.evaluate import as_record, evaluate_analogies, evaluate_similarity, pearson, ranks, spearman
from fastw2v.judgements import read_analogies, read_similarity
from fastw2v.vocab import Vocab

WORDS = ["king", "queen", "man", "woman", "boy", "girl", "rare"]
VECTORS = np.array([[5, 1, 0], [5, 0, 1], [0, 1, 0], [0, 0, 1], [0, 3, 0.1], [0, 0.1, 3], [1, 1, 1]], np.float32)


@pytest.fixture
def small():
    return Embeddings(Vocab(WORDS, np.arange(7, 0, -1)), VECTORS)


def write(tmp_path, text, name="f.txt"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_ranks_average_ties():
    np.testing.assert_array_equal(ranks(np.array([3.0, 1, 3, 2, 3])), [4, 1, 4, 2, 4])
    np.testing.assert_array_equal(ranks(np.array([1.0, 1])), [1.5, 1.5])


def test_spearman_by_hand():
    assert spearman(np.array([1.0, 2, 3]), np.array([10.0, 20, 30])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    # without ties: 1 - 6 sum d^2 / (n (n^2 - 1)), d = 1, 1, 2, 0
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([2.0, 1, 4, 3])) == pytest.approx(1 - 6 * 4 / 60)
    assert spearman(np.array([1.0, 1]), np.array([1.0, 2])) is None
    assert spearman(np.array([1.0]), np.array([1.0])) is None


def test_spearman_equals_scipy_with_ties():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.integers(0, 6, (2, 50)).astype(float)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)


@pytest.mark.parametrize("separator", ["\t", " ", ",", ", "])
def test_similarity(small, tmp_path, separator):
    rows = ["King queen 9", "man WOMAN 1", "boy man 8", "king emperor 5"]
    text = "# a comment\n\n" + "\r\n".join(row.replace(" ", separator) for row in rows)
    score = evaluate_similarity(small, write(tmp_path, text))
    assert (score.attempted, score.total) == (3, 4)
    assert score.spearman == pytest.approx(0.5)  # cosines .96 0 .999 against 9 1 8
    assert score.pearson == pytest.approx(np.corrcoef([25 / 26, 0, 3 / np.hypot(3, 0.1)], [9, 1, 8])[0, 1])
    assert score.unknown == 0.25
    assert as_record(score)["unknown"] == 0.25


def test_analogies(small, tmp_path):
    text = ": royal\nMan King Woman Queen\nwoman queen man king\nman king woman emperor\n"
    text += ": young\nman boy woman girl\nman boy woman king\n: empty\n"
    scores = evaluate_analogies(small, write(tmp_path, text))
    assert [(s.section, s.correct, s.attempted, s.total) for s in scores] == [
        ("royal", 2, 2, 3),
        ("young", 1, 2, 2),
        ("empty", 0, 0, 0),
        ("total", 3, 4, 5),
    ]
    assert scores[-1].accuracy == 0.75
    assert scores[-1].unknown == 0.2
    assert scores[2].accuracy is scores[2].unknown is None


def test_restrict_vocab_limits_questions_and_answers(small, tmp_path):
    path = write(tmp_path, ": s\nman king woman queen\nman boy woman girl\n")
    total = evaluate_analogies(small, path, restrict_vocab=5)[-1]
    assert (total.correct, total.attempted, total.total) == (1, 1, 2)
    with pytest.raises(ValueError, match="restrict_vocab"):
        evaluate_analogies(small, path, restrict_vocab=0)


def test_restrict_vocab_goes_by_counts(small, tmp_path):
    """After `train_ids` the rows are in order of ids."""
    path = write(tmp_path, ": s\nman king woman queen\nman boy woman girl\n")
    backwards = Embeddings(Vocab(WORDS[::-1], np.arange(1, 8)), VECTORS[::-1])
    for restrict_vocab in (5, 6, 7):
        expected = evaluate_analogies(small, path, restrict_vocab)
        assert evaluate_analogies(backwards, path, restrict_vocab) == expected


def test_question_words_are_never_the_answer(tmp_path):
    """Nearest to b - a + c is b itself here; it must not be taken."""
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.05], [0.9, 0.3]], np.float32)
    embeddings = Embeddings(Vocab(["a", "b", "c", "d"], np.ones(4, np.int64)), vectors)
    assert evaluate_analogies(embeddings, write(tmp_path, ": s\na b c d\n"))[-1].correct == 1


def test_batched_equals_one_by_one(tmp_path):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(60)]
    embeddings = Embeddings(Vocab(words, np.ones(60, np.int64)), rng.normal(size=(60, 3)).astype(np.float32))
    questions = [rng.choice(60, 3, replace=False) for _ in range(1300)]
    expected = 0
    lines = [": s"]
    for a, b, c in questions:
        d = rng.integers(60)
        lines.append(f"w{a} w{b} w{c} w{d}")
        expected += embeddings.analogy(f"w{a}", f"w{b}", f"w{c}", topn=1)[0][0] == f"w{d}"
    total = evaluate_analogies(embeddings, write(tmp_path, "\n".join(lines)))[-1]
    assert (total.correct, total.attempted) == (expected, 1300)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("king queen 9\nking queen\n", "line 2"),
        ("# c\n\nking queen nine\n", "line 3"),
        ("king queen 9 9\nking queen 9\n", "line 2 is 'king queen 9'.*words in columns 1 and 2, and a number in colu"),
        ("king queen 9\nnew york city 9\n", "line 2"),
        ("king\tqueen\t9\nking\tqueen\n", "line 2"),
        ("king\tqueen\t9\n\tqueen\t9\n", "line 2"),
        ("word1 word2 score\n", "line 1.*expected a word pair with a number, here or below"),
        ("word1 word2 score\nking queen nine\n", "line 2"),
        ("w,v,POS\nking,queen,N\n", "line 1"),
        ("king queen nan\n", "line 1.*finite"),
        ("king queen 1e999\n", "line 1.*finite"),
        ("# all\n#of-these are comments\n", "line 2"),
        ("king;queen\n", "line 1"),
        ('"' + "x" * 200_000 + '",b,3\n', "line 1"),
        ("kö q 1\n".encode("utf-16"), "is UTF-16 text: convert it"),
        (b"PK\x03\x04\x14\0\0SimLex-999.txt", "is not text: unpack a zip or tar archive"),
        (gzip.compress(b"king queen 9\n" * 99)[:-9], "is truncated"),
        ("", "no word pair"),
        ("1\tking\tqueen\t9\n2\tcat\tdog\t8\n", "column 1 holds only numbers or single letters, such as '1'"),
        ("t\tking\tqueen\t9\ni\tcat\tdog\t8\n", "no words: remove the column, or add a first line that names"),
        (b"king \xff 9\n", "line 1 is not UTF-8.*iconv -f LATIN1"),
    ],
)
def test_malformed_similarity_file(tmp_path, text, said):
    with pytest.raises(FormatError, match=said) as error:
        read_similarity(write(tmp_path, text))
    assert "f.txt" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (": s\na b c d\na b c\n", "line 3.*found 3"),
        (": s\na b c d e\n", "line 2"),
        (": s\n", "no analogy question"),
        ("", "no analogy question"),
        ("a\tb\n", "no analogy question"),
        ("a\tb\nc\n", "line 2 is 'c': expected a word, a tab and its answers, found 1"),
        ("a b c\n", "line 1.*found 3"),
        ("a b c JJ_JJR d\na b c d\n", "line 2.*four words and a tag such as JJ_JJR, found 4"),
        ("a b c JJ_JJR d\na b JJ_JJR c d\n", "line 2"),
    ],
)
def test_malformed_analogy_file(tmp_path, text, said):
    with pytest.raises(FormatError, match=said) as error:
        read_analogies(write(tmp_path, text))
    assert "f.txt" in str(error.value)


def test_missing_file(tmp_path):
    with pytest.raises(FormatError, match="cannot read"):
        read_similarity(tmp_path / "nowhere")


@pytest.mark.real_text
def test_the_real_evaluation_files():
    folder = SHARED / "eval"
    if not folder.is_dir():
        pytest.skip("the evaluation files are not beside this checkout")
    assert len(read_similarity(folder / "wordsim353.tsv")) == 353
    assert len(read_similarity(folder / "simlex999.txt")) == 999
    sections = read_analogies(folder / "questions-words.txt")
    assert len(sections) == 14
    assert sum(map(len, sections.values())) == 19_544


ROWS = [("king", "queen", 8.5), ("man", "cat", 1.0)]
PUBLISHED = {
    "SimLex-999": "word1\tword2\tPOS\tSimLex999\tconc(w1)\tconc(w2)\tconcQ\tAssoc(USF)\tSimAssoc333\tSD(SimLex)\n"
    "king\tqueen\tN\t8.50\t4\t4\t3\t1\t1\t0.9\nman\tcat\tN\t1.00\t4\t4\t3\t0\t0\t0.9\n",
    "WordSim-353 csv": "Word 1,Word 2,Human (mean)\r\nking,queen,8.5\r\nman,cat,1.0\r\n",
    "WordSim-353 tab": "Word 1\tWord 2\tHuman (mean)\nking\tqueen\t8.5\nman\tcat\t1.0\n",
    "WordSim-353 set1": "Word 1,Word 2,Human (mean),1,2,3\nking,queen,8.5,9,9.5,7\nman,cat,1.0,2,0,1\n",
    "Rare Words": "king\tqueen\t8.5\t7\t7\t6\t1\nman\tcat\t1.0\t10\t9\t6\n",
    "MEN natural": "king queen 8.500000\nman cat 1.000000\n",
    "MEN lemma": "king-n queen-n 8.500000\nman-v cat-j 1.000000\n",
    "SimVerb-3500": "king\tqueen\tV\t8.5\tSYNONYMS\nman\tcat\tV\t1\tNONE\n",
    "RG-65": "king;queen;8.5\nman;cat;1.0\n",
    "MTurk-287": "king,queen,8.5\nman,cat,1\n",
    "pandas": ",word1,word2,similarity\n0,king,queen,8.5\n1,man,cat,1.0\n",
    "judges first": "rater 1,word_a,word_b,average\n9,king,queen,8.5\n2,man,cat,1\n",
    "mean after scores": "word1,word2,score 1,score 2,mean\nking,queen,9,8,8.5\nman,cat,1,1,1\n",
    "blanks in names": "word1 word2 human (mean)\nking queen 8.5\nman cat 1\n",
    "unequal header": "word1,word2,score,\nking,queen,8.5\nman,cat,1\n",
    "quoted": '"word1","word2","score"\n"king","queen","8.5"\n"man","cat","1"\n',
    "decimal comma": "Wort1;Wort2;Mittel\nking;queen;8,5\nman;cat;1,0\n",
    "old Macintosh": "king queen 8.5\rman cat 1\r",
    "byte order mark": "\ufeffking,queen,8.5\nman,cat,1\n",
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("form", PUBLISHED)
def test_published_pairs(tmp_path, form, pack):
    assert read_similarity(write(tmp_path, pack(PUBLISHED[form].encode()))) == ROWS


def test_pairs_packed_with_zstd(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    assert read_similarity(write(tmp_path, zstandard.compress(b"king queen 8.5\nman cat 1\n"))) == ROWS


def test_words_that_look_like_something_else(tmp_path):
    def words(text):
        return [pair[:2] for pair in read_similarity(write(tmp_path, text))]

    assert words("e-v b 1\nc-n d-n 2\n") == [("e-v", "b"), ("c-n", "d-n")]  # Not all have a suffix.
    assert words("New York,big apple,9\n") == [("New York", "big apple")]
    assert words("10,000 1,000 5\n") == [("10,000", "1,000")]
    assert words("\"\t'\t5\n") == [('"', "'")]
    assert words("a\xa0b c 5\n") == [("a\xa0b", "c")]
    assert words("king queen similar 8\nman woman like 7\n") == [("king", "queen"), ("man", "woman")]


def test_hashtags_are_words_and_comments_are_not(tmp_path):
    text = "#a comment\n# a b 3\n#\n#love #hate 3.2\nking queen 8\n#of-these four words 3\n#no number here\n"
    assert read_similarity(write(tmp_path, text)) == [("#love", "#hate", 3.2), ("king", "queen", 8)]
    assert read_similarity(write(tmp_path, "# c\n#love\t#hate\t3\n")) == [("#love", "#hate", 3)]
    text = "# a b c d\n: s\n#a #b #c #d\na b c d\n#comment\n"
    assert read_analogies(write(tmp_path, text)) == {"s": [("#a", "#b", "#c", "#d"), ("a", "b", "c", "d")]}
    text = "#a\t#b\nc\td\n#comment of words\n"
    assert read_analogies(write(tmp_path, text)) == {"f": [("#a", "#b", "c", "d"), ("c", "d", "#a", "#b")]}


def test_published_questions(tmp_path):
    one, two = ("a", "b", "c", "d"), ("A", "b", "c", "D")
    assert read_analogies(write(tmp_path, "a b c d\r\nA\tb c  D\r\n", "my.set.txt")) == {"my.set": [one, two]}
    assert read_analogies(write(tmp_path, "a b c d\n: s\nA b c D\n: t\n")) == {"f": [one], "s": [two], "t": []}
    msr = {"JJ_JJR": [one], "NN_NNPOS": [two]}
    assert read_analogies(write(tmp_path, "a b c JJ_JJR d\nA b c NN_NNPOS D\n")) == msr
    assert read_analogies(write(tmp_path, "JJ_JJR a b c d\nNN_NNPOS A b c D\n")) == msr
    questions = write(tmp_path, "a b c\nA b c\n", "word_relationship.questions")
    with pytest.raises(FormatError, match=r"cannot read .*word_relationship\.answers"):
        read_analogies(questions)
    answers = write(tmp_path, "JJ_JJR d\nNN_NNPOS D\n", "word_relationship.answers")
    assert read_analogies(questions) == msr
    answers.write_text("d\nD\n")
    assert read_analogies(questions) == {"word_relationship": [one, two]}
    answers.write_text("d\n")
    with pytest.raises(FormatError, match=r"questions has 2 questions, but .*answers has 1 answers"):
        read_analogies(questions)
    answers.write_text("d\nthe answer is\n")
    with pytest.raises(FormatError, match=r"answers line 2 is 'the answer is'"):
        read_analogies(questions)
    answers.write_text("d\nD\n")
    questions.write_text("a b c\na b\n")
    with pytest.raises(FormatError, match=r"questions line 2 is 'a b'"):
        read_analogies(questions)


def test_pairs_with_several_answers(tmp_path):
    expected = [("ox", "cow", "rat", "mouse", "rodent"), ("rat", "mouse", "ox", "cow")]
    for text in ("ox\tcow\nrat\tmouse/rodent\n", "ox cow\nrat mouse/rodent\n", "ox\t cow\nrat\tmouse, rodent,\n"):
        assert read_analogies(write(tmp_path, text)) == {"f": expected}


def test_folder_of_questions(tmp_path):
    write(tmp_path, "b\tbs\nc\tcs\n", "1_Inflectional/I02 [noun - plural].txt")
    write(tmp_path, gzip.compress(b"b bs c cs\n"), "1_Inflectional/I01 [x].txt.gz")
    write(tmp_path, ": s\na b c d\n", "google.txt")
    for name in ("README.txt", ".hidden.txt", "metadata.json", ".git/x.txt"):
        write(tmp_path, "not questions", name)
    sections = read_analogies(tmp_path)
    assert list(sections) == ["google/s", "1_Inflectional/I01 [x]", "1_Inflectional/I02 [noun - plural]"]
    assert sections["1_Inflectional/I02 [noun - plural]"] == [("b", "bs", "c", "cs"), ("c", "cs", "b", "bs")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="empty holds no analogy question"):
        read_analogies(tmp_path / "empty")


def test_one_of_several_answers_is_enough(small, tmp_path):
    path = write(tmp_path, "man\tking\nwoman\tmonarch/Queen/girl\nboy\tnobody\n")
    total = evaluate_analogies(small, path)[-1]  # man : king = woman : queen; the others have unknown words.
    assert (total.correct, total.attempted, total.total) == (1, 1, 6)


def test_files_that_are_too_large(tmp_path, monkeypatch):
    path = write(tmp_path, "".join(f"a{i}\tb{i}\n" for i in range(100)))
    assert len(read_analogies(path)["f"]) == 9900
    monkeypatch.setattr(judgements, "MOST_FIELDS", 39_000)
    with pytest.raises(FormatError, match="has 100 pairs, too many"):
        read_analogies(path)
    monkeypatch.setattr(judgements, "LARGEST", 1 << 20)
    with pytest.raises(FormatError, match="more than 1 MB of text: it is no evaluation file"):
        read_similarity(write(tmp_path, gzip.compress(bytes(2 << 20))))


CASES = ["king", "King", "queen", "QUEEN", "man", "woman", "Man", "straße", "x"]


def cased():
    return Embeddings(Vocab(CASES, np.arange(9, 0, -1)), np.random.default_rng(0).normal(size=(9, 3)).astype("f4"))


def test_case_of_pairs(tmp_path):
    embeddings = cased()
    lines = ["KING Queen 9", "King QUEEN 2", "STRASSE x 3", "man woman 5"]
    path = write(tmp_path, "\n".join(lines))
    score = evaluate_similarity(embeddings, path)
    assert (score.attempted, score.total) == (4, 4)
    cosines = [embeddings.similarity(*pair) for pair in [("king", "queen")] * 2 + [("straße", "x"), ("man", "woman")]]
    assert score.spearman == pytest.approx(spearman(np.array(cosines), np.array([9, 2, 3, 5])))
    score = evaluate_similarity(embeddings, path, case_insensitive=False)
    assert (score.attempted, score.total) == (2, 4)


def test_case_of_questions(tmp_path):
    """Without regard to case, every form of the answer is right, and no form of an asked word is an answer."""
    words = ["man", "king", "woman", "KING", "QUEEN", "queen", "far"]
    vectors = np.array(
        [[1, 0, 0], [1, 1, 0], [0, 0, 1], [-0.3, 0.7, 1], [-0.3, 0.7, 2], [0, 1, 9], [-1, -1, -1]], np.float32
    )
    embeddings = Embeddings(Vocab(words, np.arange(7, 0, -1)), vectors)
    assert embeddings.analogy("man", "king", "woman", topn=2)[0][0] == "KING"
    path = write(tmp_path, "Man King Woman Queen\nman king woman queen\n")
    total = evaluate_analogies(embeddings, path)[-1]
    assert (total.correct, total.attempted) == (2, 2)
    total = evaluate_analogies(embeddings, path, case_insensitive=False)[-1]
    assert (total.correct, total.attempted) == (0, 1)
    few = evaluate_analogies(embeddings, write(tmp_path, "man king woman king\n"), restrict_vocab=4)[-1]
    assert (few.correct, few.attempted) == (0, 1)  # No word is left to be the answer.


@pytest.mark.parametrize("case_insensitive", [True, False])
def test_scores_equal_gensims(tmp_path, case_insensitive):
    pytest.importorskip("gensim")
    rng = np.random.default_rng(1)
    words = [str.upper(w) if rng.random() < 0.3 else w for w in (f"w{i}" for i in range(40))]
    words += [w.swapcase() for w in rng.permutation(words)[:15].tolist()] + ["ǆ", "ß", "SS", "ŉ"]
    embeddings = Embeddings(Vocab(words, np.arange(len(words), 0, -1)), rng.normal(size=(59, 4)).astype(np.float32))
    keyed = embeddings.to_gensim()
    pool = [*words, "unknown"]
    pairs = [(*rng.choice(pool, 2), str(rng.integers(10))) for _ in range(200)]
    pairs = [pair for pair in pairs if pair[0].upper() != pair[1].upper()]  # Rounding decides how cosines of 1 rank.
    path = write(tmp_path, "\n".join("\t".join(pair) for pair in pairs) + "\n")
    score = evaluate_similarity(embeddings, path, case_insensitive)
    expected = keyed.evaluate_word_pairs(path, case_insensitive=case_insensitive)
    assert score.pearson == pytest.approx(expected[0].statistic, abs=1e-6)
    assert score.spearman == pytest.approx(expected[1].statistic, abs=1e-6)
    assert 100 * score.unknown == pytest.approx(expected[2])
    assert score.attempted > 100

    lines = [": one"]
    for number in range(1500):
        a, b, c = rng.choice(len(words), 3, replace=False)
        near = [word for word, _ in embeddings.analogy(int(a), int(b), int(c), topn=3)]
        lines.append(" ".join([words[a], words[b], words[c], str(rng.choice(near if number % 2 else pool))]))
        lines += [": two"] * (number == 700)
    path = write(tmp_path, "\n".join(lines) + "\n")
    for restrict_vocab in (45, 300_000):
        scores = evaluate_analogies(embeddings, path, restrict_vocab, case_insensitive)
        accuracy, sections = keyed.evaluate_word_analogies(
            path, restrict_vocab=restrict_vocab, case_insensitive=case_insensitive
        )
        assert scores[-1].accuracy == accuracy
        assert scores[-1].correct > 100
        found = [(s.section, s.correct, s.attempted - s.correct) for s in scores[:-1]]
        assert found == [(s["section"], len(s["correct"]), len(s["incorrect"])) for s in sections[:-1]]


def test_pearson_equals_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    for scale in (1, 1e-300, 1e300):
        a, b = rng.normal(size=(2, 50)) * scale + 3 * scale
        assert pearson(a, b) == pytest.approx(stats.pearsonr(a / scale, b / scale).statistic)
    assert pearson(np.array([0.1] * 3), np.array([1.0, 2, 3])) is None
    assert pearson(np.array([1e308, -1e308]), np.array([1.0, 2])) == pytest.approx(-1)


def test_byte_order_mark_before_a_comment(tmp_path):
    assert read_similarity(write(tmp_path, "\ufeff# comment\na b 1\n")) == [("a", "b", 1.0)]
    assert read_similarity(write(tmp_path, "\ufeff\na b 1\n")) == [("a", "b", 1.0)]


def test_no_score_from_values_that_are_not_finite():
    assert spearman(np.array([np.nan, 1, 2]), np.array([1.0, 2, 3])) is None


def test_batches_do_not_show(small, tmp_path, monkeypatch):
    from fastw2v import evaluate

    path = write(tmp_path, ": s\n" + "man king woman queen\nman boy woman girl\nboy man girl king\n" * 5)
    expected = evaluate_analogies(small, path)
    monkeypatch.setattr(evaluate, "BATCH_SCORES", 15)
    assert evaluate_analogies(small, path) == expected
