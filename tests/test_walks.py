"""Sequences of ids in the shapes that `train_ids` takes, the names of rows, and what is refused."""

import enum

import numpy as np
import pytest

from fastw2v.errors import ConfigError, CorpusError, FastW2VWarning
from fastw2v.text import walks
from fastw2v.text.walks import check_walks, check_words, corpus_of_walks, doubt_sparse

GIVEN = [[3, 1, 2], [1, 20], [], [3]]
IDS, OFFSETS = [3, 1, 2, 1, 20, 3], [0, 3, 5, 5, 6]


@pytest.mark.parametrize(
    "shape",
    [
        lambda rows: rows,
        lambda rows: tuple(map(tuple, rows)),
        lambda rows: iter(rows),
        lambda rows: [np.array(row, np.uint8) for row in rows],
        lambda rows: [np.array(row) for row in rows],  # The empty one is an array of float64.
        lambda rows: [np.array(row, np.int16) if len(row) > 1 else row for row in rows],
        lambda rows: [iter(row) for row in rows],
        lambda rows: np.array([np.array(row, np.int64) for row in rows], dtype=object),
        lambda rows: [np.array(row, np.uint64 if len(row) > 2 else np.int64) for row in rows],
    ],
)
@pytest.mark.parametrize("piece", [1, 3, 100])
def test_lists_of_walks(shape, piece, monkeypatch):
    monkeypatch.setattr(walks, "PIECE", piece)
    ids, offsets, n_words = check_walks(shape(GIVEN), None, None)
    assert (ids.tolist(), offsets.tolist(), n_words) == (IDS, OFFSETS, 21)
    assert (ids.dtype, offsets.dtype) == (np.int32, np.int64)
    assert not ids.flags.writeable
    assert check_walks(shape(GIVEN), None, 50)[2] == 50


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.uint64])
def test_rows_of_an_array_are_walks(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for given in (array, np.asfortranarray(array), np.repeat(array, 2, axis=1)[:, ::2]):
        ids, offsets, n_words = check_walks(given, None, None)
        assert (ids.tolist(), offsets.tolist(), n_words) == ([0, 1, 2, 3, 4, 5], [0, 3, 6], 6)
    if dtype == np.int32:
        assert np.shares_memory(check_walks(array, None, None)[0], array)  # no copy where none is needed


def test_ids_and_offsets_need_no_number_of_rows():
    assert check_walks(np.array(IDS), OFFSETS, None)[2] == 21


@pytest.mark.parametrize(
    ("ids", "offsets", "said"),
    [
        ([[0, 1], [1, -1]], None, r"holds -1 \(id 2 of sequence 2\).*leave it out, as in \[walk\[walk >= 0\]"),
        (np.array([[0, 1], [1, -1]]), None, r"holds -1 \(id 2 of sequence 2\)"),
        ([[0, -2]], None, r"holds -2 \(id 2 of sequence 1\): every id must be from 0 to 2147483646$"),
        ([[0], [2**31 - 1]], None, r"holds 2147483647 \(id 1 of sequence 2\)"),
        ([[0], [2**63]], None, "holds 9223372036854775808: give rows, from 0; train takes any whole number"),
        (np.array([[2**64 - 1]], np.uint64), None, "holds 18446744073709551615"),
        ([[0, 1], [1, 2.5]], None, "id 2 of sequence 2 is 2.5, not a whole number: give ids from 0, or use train"),
        ([[0], [1, "a"]], None, "id 2 of sequence 2 is 'a', not a whole number"),
        ([[0, True]], None, "id 2 of sequence 1 is True, not a whole number"),
        ([np.array([0]), np.array([True])], None, "id 1 of sequence 2 is True"),
        ([np.array([0]), np.array([0.5])], None, "id 1 of sequence 2 is 0.5"),
        ([[0], None], None, "sequence 2 is None: give a list of ids per sequence"),
        ([[0], {1: 2}], None, r"sequence 2 is \{1: 2\}"),
        ([[0], {1, 2}], None, r"sequence 2 is \{1, 2\}"),
        ([[0], "12"], None, "sequence 2 is '12'"),
        ([[0], 5], None, "sequence 2 is 5"),
        ([0, 1], None, "sequence 1 is 0: give a list"),
        (np.array([0, 1]), None, "ids has one dimension, so it needs offsets"),
        (np.array([[0, 1]]), [0, 2], "ids has two dimensions, so each row is a sequence: omit offsets"),
        ([[0, 1], [1]], [0, 2], "ids or offsets is not an array"),
        (np.ones((2, 2)), None, r"ids is float64 with shape \(2, 2\)"),
        (np.ones((2, 2), bool), None, r"ids is bool with shape \(2, 2\)"),
        (np.ones((2, 2, 2), int), None, r"ids is int64 with shape \(2, 2, 2\)"),
        ((np.array([0, 1, 1]), np.array([0, 2, 3])), None, "ids is a pair of ids and offsets: give them as two"),
        ({0: [1]}, None, "ids is a dict: give a two-dimensional array, or a list of sequences"),
        ({(0, 1)}, None, "ids is a set"),
        ("walks.txt", None, "ids is a str"),
        (7, None, "ids is a int"),
        (np.ma.masked_equal([[0, 9], [1, 2]], 9), None, "ids holds masked ids: leave them out"),
        ([[0], np.ma.masked_equal([0, 9], 9)], None, "sequence 2 holds masked ids"),
        ([], None, "the corpus is empty"),
        ([[], []], None, "the corpus is empty"),
        (np.zeros((0, 5), int), None, "the corpus is empty"),
    ],
)
def test_what_is_no_walk_is_refused(ids, offsets, said):
    with pytest.raises(CorpusError, match=said) as refused:
        check_walks(ids, offsets, None)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("n_words", [0, -1, 2**31, 2.5, "3", True])
def test_a_number_of_rows_out_of_range(n_words):
    with pytest.raises(ConfigError, match=r"n_words is .*: give a whole number from 1 to 2147483647"):
        check_walks([[0]], None, n_words)


class Node(enum.StrEnum):
    ANN = "ann"


@pytest.mark.parametrize("shape", [list, tuple, iter, np.array])
def test_names_become_plain_strings(shape):
    words = check_words(shape(["ann", "New York"]), 2)
    assert words == ["ann", "New York"]
    assert set(map(type, words)) == {str}
    assert check_words(shape([10, 7]), None) == ["10", "7"]
    assert set(map(type, check_words([Node.ANN, np.str_("b")], 2))) == {str}
    assert check_words(None, 5) is None


@pytest.mark.parametrize(
    ("names", "error", "said"),
    [
        (["a", "b"], ConfigError, "names has 2 names, but there are 3 rows: give one name per row"),
        ([], ConfigError, "names has 0 names"),
        ("abc", ConfigError, "names is a str: give a list of strings, in order of ids"),
        ({0: "a"}, ConfigError, "names is a dict"),
        ({"a", "b", "c"}, ConfigError, "names is a set"),
        (5, ConfigError, "names is 5: give a list"),
        (["a", "b", "a"], CorpusError, "names has 'a' twice, for the rows 0 and 2"),
        (["ann", "b", Node.ANN], CorpusError, "twice, for the rows 0 and 2"),
        (["a", "b\t", "c"], CorpusError, r"token 2 of names is 'b\\t'"),
        (["a", 2, "c"], CorpusError, "token 2 of names is 2, a whole number among strings"),
        (["a", None, "c"], CorpusError, "token 2 of names is None, a missing value"),
    ],
)
def test_names_that_do_not_fit(names, error, said):
    with pytest.raises(error, match=said):
        check_words(names, 3)


def test_absent_ids_are_counted(capsys):
    ids, offsets, n_words = check_walks([[1, 2, 1]], None, 5)
    corpus = corpus_of_walks(ids, offsets, n_words, None, True)
    assert corpus.vocab.counts.tolist() == [0, 2, 1, 0, 0]
    assert list(corpus.vocab.words) == ["0", "1", "2", "3", "4"]
    assert "3 of 5 ids never occur, the first is 0" in capsys.readouterr().err
    with pytest.warns(FastW2VWarning, match=r"3 of 5 rows have no id, .* give n_words; train takes any whole number"):
        doubt_sparse(corpus.vocab.counts)
    doubt_sparse(corpus.vocab.counts[:4])  # Half of the rows have an id.
