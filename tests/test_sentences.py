"""Sentences that a program holds: what a token is, the shapes that are taken, and what is refused."""

import array
import collections
import csv
import enum
import io
import json
import sqlite3
import types
import warnings
from collections import Counter, namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastw2v
from fastw2v.errors import CorpusError, FastW2VWarning, options_as_flags
from fastw2v.text import sentences
from fastw2v.text.sentences import ingest_sentences, is_whole
from fastw2v.text.wordtable import SENTENCE_END


@pytest.fixture(autouse=True)
def scratch(tmp_path):
    """A folder for provisional ids."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def read_back(result):
    """Turn the provisional ids into sentences of words."""
    sentence, found, words = [], [], list(result.words)
    for block in result.blocks:
        ids = np.fromfile(block.path, np.int32)[block.start : block.start + block.n_ids]
        assert np.count_nonzero(ids == SENTENCE_END) == block.n_ends
        for number in ids.tolist():
            if number == SENTENCE_END:
                found.append(sentence)
                sentence = []
            else:
                sentence.append(words[result.maps[block.run][number]])
    assert not sentence
    return found


WORDS = [["a", "b", "c"], ["b", "New York"], ["c"]]
NUMBERS = [[3, 1, 2], [1, 20], [3]]
AS_WORDS = [["3", "1", "2"], ["1", "20"], ["3"]]


def test_lists_of_strings(scratch):
    given = [["a", "b"], [], ["b", "New York"], ("c",)]
    result = ingest_sentences(iter(given), scratch)
    assert read_back(result) == [["a", "b"], ["b", "New York"], ["c"]]
    assert result.counts.tolist() == [1, 2, 1, 1]
    assert (result.n_tokens, result.n_sentences) == (5, 3)


def test_many_sentences_are_written_in_blocks(monkeypatch, scratch):
    monkeypatch.setattr(sentences, "BLOCK_TOKENS", 10)
    monkeypatch.setattr(sentences, "PIECE", 3)
    rng = np.random.default_rng(0)
    given = [[f"w{i}" for i in rng.zipf(1.3, rng.integers(1, 9)) % 500] for _ in range(400)]
    result = ingest_sentences((iter(sentence) for sentence in given), scratch)
    assert len(result.blocks) > 10
    assert read_back(result) == given
    assert dict(zip(result.words, result.counts.tolist(), strict=True)) == Counter(w for s in given for w in s)


# ------------------------------------------------------------------------------------------------------ tokens


class Colour(str, enum.Enum):  # noqa: UP042  -- Its str is "Colour.RED", unlike that of a StrEnum.
    RED = "red"
    BLUE = "blue"


class Odd(str):
    """A string that claims to equal every string, or none, and to have other characters."""

    __slots__ = ("claims",)

    def __new__(cls, text, claims):
        made = super().__new__(cls, text)
        made.claims = claims
        return made

    def __eq__(self, other):
        return self.claims

    def __hash__(self):
        return 7 if self.claims else id(self)

    def __str__(self):
        return "other"

    def __iter__(self):
        return iter("other")


@pytest.mark.parametrize("claims", [True, False])
def test_a_string_counts_by_its_characters(scratch, claims):
    given = [
        [Colour.RED, "red", np.str_("red"), Odd("red", claims)],
        [Odd("blue", claims), Odd("green", claims), Colour.BLUE],
    ]
    result = ingest_sentences(given, scratch)
    assert read_back(result) == [["red"] * 4, ["blue", "green", "blue"]]
    assert result.words == ["red", "blue", "green"]
    assert set(map(type, result.words)) == {str}


def test_a_run_on_members_of_an_enum_can_be_resumed(tmp_path):
    corpus = [[Colour.RED, Colour.BLUE, "red"]] * 50
    options = {"vector_size": 3, "epochs": 2, "workers": 1, "progress": False, "sample": 0}
    whole = fastw2v.train(corpus, output=tmp_path / "m", **options)
    again = fastw2v.train(corpus, output=tmp_path / "m", resume=True, progress=False)
    assert list(again.words) == list(whole.words) == ["red", "blue"]
    assert list(fastw2v.load(tmp_path / "m").words) == ["red", "blue"]


class Level(enum.IntEnum):
    LOW = 1


def test_the_word_of_a_whole_number_is_its_digits(scratch):
    given = [[3, np.int64(3), np.uint8(1), Level.LOW], [-2, 2**70, 3]]
    assert read_back(ingest_sentences(given, scratch)) == [["3", "3", "1", "1"], ["-2", str(2**70), "3"]]


def test_minus_one_alone_is_doubtful(scratch):
    with pytest.warns(FastW2VWarning, match=r"the token -1 occurs 3 times, .* leave it out, as in \[walk\[walk >= 0\]"):
        ingest_sentences(np.array([[1, 2, -1], [4, -1, -1]]), scratch)
    ingest_sentences([[1, -1], [-1, -7]], scratch)  # Other negative numbers occur: it is one of them.
    ingest_sentences([["1", "-1"]], scratch)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([["a", "b"], ["a", 7, 8.5]], "token 2 of sentence 2 is 7, a whole number among strings: make all tokens str"),
        ([[1], [2, "1"]], "token 2 of sentence 2 is '1', a string among whole numbers: make all tokens strings"),
        ([["a", ""], ["b\tc"]], "token 2 of sentence 1 is '', empty, or"),
        ([["a", "b\tc", ""]], r"token 2 of sentence 1 is 'b\\tc', empty, or with a tab"),
        ([["a", "b\n"]], "line break"),
        ([["a", "lone\ud800"]], "surrogates"),
        ([["a", "\udcc3\udca9"]], "surrogates"),
        ([["a", np.str_("b\n")]], "token 2 .* line break"),
        ([["a", ["nested"]]], r"token 2 of sentence 1 is \['nested'\], not a string: give one flat list of tokens"),
        ([["a", None]], "token 2 of sentence 1 is None, a missing value: leave it out$"),
        ([["a", float("nan")]], "is nan, a missing value"),
        ([[1.0, 2.0]], "token 1 of sentence 1 is 1.0, not a string or a whole number: make it one"),
        ([[b"a"]], "token 1 of sentence 1 is b'a', bytes, not a string: decode it"),
        ([["a", True]], "token 2 of sentence 1 is True, not a string"),
        ([[1, True]], "token 2 of sentence 1 is True, not a string"),
        ([[np.bool_(1)]], "token 1 of sentence 1 is .*True.*, not a string"),
        ([[object]], "not a string or a whole number: make it a string$"),
        ([[10**5000]], "token 1 of sentence 1 is a int, too large to be written"),
        ([iter(["a"] * 10), iter(["a"] * 9 + ["b\n"])], "token 10 of sentence 2"),
    ],
)
def test_the_first_unfit_token_is_named(given, said, scratch, monkeypatch):
    monkeypatch.setattr(sentences, "PIECE", 4)
    with pytest.raises(CorpusError, match=said) as refused:
        ingest_sentences(given, scratch)
    assert "\n" not in str(refused.value)
    assert "train_ids" not in str(refused.value)


GOOD = st.one_of(
    st.sampled_from(["a", "b", "New York", "1", "-1", "\u0100"]),
    st.sampled_from([Colour.RED, np.str_("a"), Odd("b", True), Odd("b", False)]),
)
WHOLE = st.one_of(st.integers(-3, 3), st.sampled_from([np.int8(1), np.uint64(2**63), Level.LOW, 2**70]))
ANY = st.one_of(GOOD, WHOLE, st.sampled_from([None, True, 1.0, b"a", "", "a\t", ("a",)]))


@given(st.one_of(*(st.lists(st.lists(tokens, max_size=6), max_size=6) for tokens in (GOOD, WHOLE, ANY))))
@settings(deadline=None, max_examples=150)
@pytest.mark.filterwarnings("ignore:the token -1:fastw2v.FastW2VWarning")
def test_any_tokens_are_read_one_by_one_or_refused(tmp_path_factory, corpus):
    """A plain loop over the tokens, one by one, gives the same words or names the same place."""
    expected, kind, unfit = [], None, None
    for number, sentence in enumerate(corpus, 1):
        for place, token in enumerate(sentence, 1):
            of_token = "string" if isinstance(token, str) else "whole" if is_whole(type(token)) else None
            kind = kind or of_token
            word = str.__str__(token) if of_token == "string" else str(int(token)) if of_token else ""
            if of_token != kind or word in ("", "a\t"):
                unfit = unfit or f"token {place} of sentence {number} is "
            expected.append(word)
    folder = tmp_path_factory.mktemp("any")
    if unfit or not expected:
        with pytest.raises(CorpusError, match=unfit or "empty"):
            ingest_sentences(corpus, folder)
    else:
        result = ingest_sentences(corpus, folder)
        assert [word for sentence in read_back(result) for word in sentence] == expected
        assert dict(zip(result.words, result.counts.tolist(), strict=True)) == Counter(expected)


# ------------------------------------------------------------------------------------------------------ shapes


class Column:
    """What a column of Arrow or polars has, as far as it is used."""

    def __init__(self, values):
        self.values = values
        self.lengths = []

    def __len__(self):
        return len(self.values)

    def slice(self, start, length):
        self.lengths.append(length)
        return type(self)(self.values[start : start + length])

    def __iter__(self):
        raise AssertionError("one by one is slow")


class Arrow(Column):
    def to_pylist(self):
        return self.values


class Polars(Column):
    def to_list(self):
        return self.values


@pytest.mark.parametrize("made", [Arrow, Polars])
def test_columns_are_read_in_blocks(made, scratch, monkeypatch):
    monkeypatch.setattr(sentences, "PIECE", 2)
    column = made(NUMBERS)
    assert read_back(ingest_sentences(column, scratch)) == AS_WORDS
    assert column.lengths == [2, 2]
    monkeypatch.undo()
    assert read_back(ingest_sentences([made(sentence) for sentence in WORDS], scratch)) == WORDS
    with pytest.raises(CorpusError, match="sentence 2 is None, a missing value: leave it out, as with dropna"):
        ingest_sentences(made([["a"], None]), scratch)


@pytest.mark.parametrize(
    "given",
    [
        [np.array(sentence) for sentence in NUMBERS],
        [array.array("i", sentence) for sentence in NUMBERS],
        [collections.deque(sentence) for sentence in NUMBERS],
        [dict.fromkeys(sentence).keys() for sentence in NUMBERS],
        (iter(sentence) for sentence in NUMBERS),
        np.array([np.array(sentence) for sentence in NUMBERS], dtype=object),
    ],
)
def test_sentences_of_numbers_in_many_shapes(given, scratch):
    assert read_back(ingest_sentences(given, scratch)) == AS_WORDS


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, ">i4", "U3", object])
def test_rows_of_an_array_are_sentences(dtype, scratch, monkeypatch):
    monkeypatch.setattr(sentences, "PIECE", 2)
    walks = np.arange(15).reshape(5, 3).astype(dtype)
    expected = np.arange(15).reshape(5, 3).astype(str).tolist()
    assert read_back(ingest_sentences(walks, scratch)) == expected
    assert read_back(ingest_sentences(walks.T, scratch)) == np.array(expected).T.tolist()


def rows_of_sqlite():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    with_rows = connection.execute("select 1 as id, 'a b' as text").fetchall()
    connection.close()
    return with_rows


class Frame:
    """What a data frame or a table has: iterating over it gives columns or their names."""

    columns = ("id", "tokens")

    def __iter__(self):
        return iter(self.columns)


class Table:
    column_names = ("id", "tokens")


class SeriesGroupBy:
    keys = "id"

    def __iter__(self):
        return iter([(1, ["a"])])


RECORDED = r"not a list of tokens: give one of its values, as in \[row\[\"text\"\]\.split\(\) for row in rows\]"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": ["b"]}, r"corpus is a dict, whose keys .* such as \[text\.split\(\) for text in texts\.values\(\)\]"),
        (types.MappingProxyType({"a": ["b"]}), "corpus is a mappingproxy, whose keys"),
        (Frame(), r'corpus is a Frame, a table of columns: give the column .* such as frame\["tokens"\]'),
        (Table(), "corpus is a Table, a table of columns"),
        (np.array([("a", "b")], [("x", "U1"), ("y", "U1")]), "corpus is a ndarray, a table of columns"),
        (SeriesGroupBy(), r"corpus is a SeriesGroupBy, .* as with \.apply\(list\)"),
        ({("a", "b")}, "corpus is a set, which has no order: .* sorted"),
        (io.StringIO("a b"), r"corpus is an open file \(StringIO\): give its path, or lists of tokens"),
        (np.array(3), "corpus is a ndarray: give a path"),
        (memoryview(b"ab"), "corpus is a memoryview: give a path"),
        (None, "corpus is a NoneType: give a path"),
    ],
)
def test_a_corpus_that_iterates_over_something_else(given, said):
    with pytest.raises(CorpusError, match=said):
        fastw2v.train(given, min_count=1, progress=False)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([["a"], "not a list"], "sentence 2 is one string, not a list of tokens: split it, as with str.split"),
        ([np.str_("a b")], "sentence 1 is one string"),
        (np.array(["a b", "c"]), "sentence 1 is one string"),
        ([Colour.RED], "sentence 1 is one string"),
        ([b"a b"], "sentence 1 is bytes, not a list of tokens: decode and split it"),
        ([bytearray(b"a b")], "sentence 1 is bytearray"),
        ([["a"], iter("abc")], "sentence 2 is an iterator over characters"),
        ([iter("\u0100bc")], "sentence 1 is an iterator over characters"),
        ([{"id": 1, "text": "a b"}], f"sentence 1 is a dict with keys, {RECORDED}"),
        (csv.DictReader(io.StringIO("id,text\n1,a b\n")), "sentence 1 is a dict with keys"),
        (map(json.loads, ['{"id": 1, "text": "a b"}']), "sentence 1 is a dict with keys"),
        ([collections.Counter("ab")], "sentence 1 is a Counter with keys"),
        (rows_of_sqlite(), f"sentence 1 is a Row with keys, {RECORDED}"),
        ([Frame()], r'sentence 1 is a Frame, a table of columns: give a list of tokens, such as frame\["tokens"\]'),
        ([{"a", "b"}], "sentence 1 is a set, which has no order: give a list, as with sorted"),
        ([["a"], frozenset("ab")], "sentence 2 is a frozenset, which has no order"),
        ([5], "sentence 1 is 5, not a list of tokens"),
        (np.array([5, 6]), r"sentence 1 is .*5.*, not a list of tokens"),
        ([["a"], None], "sentence 2 is None, a missing value"),
        ([["a"], float("nan")], "sentence 2 is nan, a missing value"),
        (np.ones((2, 2)), "token 1 of sentence 1 is 1.0, not a string or a whole number"),
        (np.ones((2, 2, 2), int), r"token 1 of sentence 1 is \[1, 1\], not a string"),
        ([np.ma.array([1, 2], mask=[False, True])], "token 2 of sentence 1 is None, a missing value"),
        ([], "the corpus is empty"),
        ([[], ()], "the corpus is empty"),
        (iter([iter([])]), "the corpus is empty"),
    ],
)
def test_a_sentence_that_iterates_over_something_else(given, said, scratch):
    with pytest.raises(CorpusError, match=said) as refused:
        ingest_sentences(given, scratch)
    assert "\n" not in str(refused.value)


def test_an_error_of_the_callers_generator_is_the_callers(scratch):
    def broken():
        yield "a"
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        ingest_sentences([broken()], scratch)
    with pytest.raises(TypeError, match="mine"):
        ingest_sentences((list(broken()) for _ in range(2)), scratch)


def test_a_missing_file_is_one_error(tmp_path):
    with pytest.raises(CorpusError, match=r"cannot read .*nofile\.txt: No such file") as refused:
        fastw2v.train(tmp_path / "nofile.txt", progress=False)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_paths_are_explained_as_the_reader_writes_them():
    with pytest.raises(CorpusError, match=r"No such file \(strings are paths; a sentence is a list of tokens\)"):
        fastw2v.train(["no such", "file"], progress=False)
    with options_as_flags(), pytest.raises(CorpusError, match=r"No such file$"):
        fastw2v.train(["no such", "file"], progress=False)


# ------------------------------------------------------------------------------------------------------ libraries


def test_pandas(scratch):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"id": [1, 2, 3], "words": WORDS, "numbers": NUMBERS, "text": ["a b", "c", "d"]})
    assert read_back(ingest_sentences(frame["words"], scratch)) == WORDS
    assert read_back(ingest_sentences(frame["numbers"], scratch)) == AS_WORDS
    assert read_back(ingest_sentences(frame.set_index("text")["words"], scratch)) == WORDS
    assert read_back(ingest_sentences([pd.Series(sentence) for sentence in WORDS], scratch)) == WORDS
    assert read_back(ingest_sentences([pd.Series(s, dtype="category") for s in WORDS], scratch)) == WORDS
    assert read_back(ingest_sentences([pd.Index(sentence) for sentence in NUMBERS], scratch)) == AS_WORDS
    assert read_back(ingest_sentences(frame.groupby("id")["numbers"].sum(), scratch)) == AS_WORDS
    for corpus, said in (
        (frame, "corpus is a DataFrame, a table of columns"),
        (frame.groupby("id")["text"], r"as with \.apply\(list\)"),
        (frame.to_dict("records"), "sentence 1 is a dict with keys"),
        (frame["text"], "sentence 1 is one string"),
        (pd.Series([["a"], None]), "sentence 2 is None, a missing value"),
        ([pd.Series([1, None], dtype="Int64")], "token 2 of sentence 1 is <NA>, a missing value"),
        ([pd.Series([1, None])], r"token 1 of sentence 1 is 1\.0, not a string or a whole number"),
    ):
        with pytest.raises(CorpusError, match=said):
            fastw2v.train(corpus, min_count=1, progress=False)


def test_polars(scratch):
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"id": [1, 2, 3], "words": WORDS, "numbers": NUMBERS})
    assert read_back(ingest_sentences(frame["words"], scratch)) == WORDS
    assert read_back(ingest_sentences(frame["numbers"], scratch)) == AS_WORDS
    assert read_back(ingest_sentences([pl.Series(sentence) for sentence in WORDS], scratch)) == WORDS
    for corpus, said in (
        (frame, "corpus is a DataFrame, a table of columns"),
        (frame.lazy(), "corpus is a LazyFrame, a table of columns"),
        (frame.iter_rows(named=True), "sentence 1 is a dict with keys"),
        (pl.Series(["a b"]), "sentence 1 is one string"),
        (pl.Series([["a"], None]), "sentence 2 is None, a missing value"),
        (pl.Series([["a", None]]), "token 2 of sentence 1 is None, a missing value"),
    ):
        with pytest.raises(CorpusError, match=said):
            fastw2v.train(corpus, min_count=1, progress=False)
    ids, offsets, n_words = fastw2v.text.walks.check_walks(frame["numbers"], None, None)
    assert (ids.tolist(), offsets.tolist(), n_words) == ([3, 1, 2, 1, 20, 3], [0, 3, 5, 6], 21)


def test_arrow(scratch):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"id": [1, 2, 3], "words": WORDS, "numbers": NUMBERS})
    assert read_back(ingest_sentences(table["words"], scratch)) == WORDS
    assert read_back(ingest_sentences(table["numbers"].chunk(0), scratch)) == AS_WORDS
    assert read_back(ingest_sentences((scalar for scalar in table["words"]), scratch)) == WORDS
    assert read_back(ingest_sentences(pa.array([[1, 2]], pa.list_(pa.int32(), 2)), scratch)) == [["1", "2"]]
    for corpus, said in (
        (table, "corpus is a Table, a table of columns"),
        (table.to_batches()[0], "corpus is a RecordBatch, a table of columns"),
        (table.to_pylist(), "sentence 1 is a dict with keys"),
        (pa.array(["a b"]), "sentence 1 is one string"),
        (pa.array([["a"], None]), "sentence 2 is None, a missing value"),
        ([[pa.scalar("a")]], "token 1 of sentence 1 is <pyarrow.StringScalar: 'a'>, not a string or a whole number"),
    ):
        with pytest.raises(CorpusError, match=said):
            fastw2v.train(corpus, min_count=1, progress=False)
    for walks in (table["numbers"], table["numbers"].chunk(0)):
        ids, offsets, n_words = fastw2v.text.walks.check_walks(walks, None, None)
        assert (ids.tolist(), offsets.tolist(), n_words) == ([3, 1, 2, 1, 20, 3], [0, 3, 5, 6], 21)


def test_the_rows_that_no_library_is_needed_for_train(scratch):
    """What the errors advise works."""
    rows = list(csv.DictReader(io.StringIO("id,text\n1,a b\n2,b c\n")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FastW2VWarning)
        made = fastw2v.train([row["text"].split() for row in rows], min_count=1, vector_size=2, progress=False)
    assert list(made.words) == ["b", "a", "c"]


def test_rows_of_named_fields_are_no_sentences():
    row = namedtuple("Row", ["id", "text"])
    with pytest.raises(CorpusError, match="sentence 1 is a Row with keys, not a list of tokens: give one of its"):
        fastw2v.train([row("1", "some text")] * 9, min_count=1, progress=False)
