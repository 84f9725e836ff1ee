"""Scores, against hand-made answers and SciPy's where it is installed."""

import numpy as np
import pytest
from conftest import SHARED

from fastw2v.embeddings import Embeddings
from fastw2v.errors import FormatError
from fastw2v.evaluate import (
    evaluate_analogies,
    evaluate_similarity,
    ranks,
    read_analogies,
    read_similarity,
    spearman,
)
from fastw2v.vocab import Vocab

WORDS = ["king", "queen", "man", "woman", "boy", "girl", "rare"]
VECTORS = np.array([[5, 1, 0], [5, 0, 1], [0, 1, 0], [0, 0, 1], [0, 3, 0.1], [0, 0.1, 3], [1, 1, 1]], np.float32)


@pytest.fixture
def small():
    return Embeddings(Vocab(WORDS, np.arange(7, 0, -1)), VECTORS)


def write(tmp_path, text):
    path = tmp_path / "f.txt"
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
    assert scores[2].accuracy is None


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
        ("king queen 9 9\n", "line 1"),
        ("king queen nan\n", "line 1.*finite"),
        ("", "no word pair"),
        (b"king \xff 9\n", "line 1 is not UTF-8"),
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
        ("a b c d\n", "line 1.*section"),
        (": s\n", "no analogy question"),
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
