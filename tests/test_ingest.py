"""Bytes to ids, against str.split and collections.Counter."""

import io
import re
from collections import Counter

import numpy as np
import pytest

from fastw2v import ingest, pydocs
from fastw2v.errors import CorpusError

SPACE = re.compile(rb"[ \t\n\r\v\f]+")


def read_back(sink, result):
    """Turn a provisional stream into sentences of words."""
    sentences, sentence = [], []
    for word in np.frombuffer(sink.getvalue(), np.int32).tolist():
        if word == ingest.SENTENCE_END:
            sentences.append(sentence)
            sentence = []
        else:
            sentence.append(result.words[word])
    assert not sentence
    return sentences


def ingest_bytes(tmp_path, *contents):
    paths = []
    for i, content in enumerate(contents):
        paths.append(tmp_path / f"{i}.txt")
        paths[-1].write_bytes(content)
    sink = io.BytesIO()
    result = ingest.ingest_files(paths, sink)
    return result, read_back(sink, result)


def expected_sentences(content):
    lines = [[w for w in SPACE.split(line) if w] for line in content.split(b"\n")]
    return [[w.decode("utf-8", "surrogateescape") for w in line] for line in lines if line]


def assert_like_python(tmp_path, content):
    result, sentences = ingest_bytes(tmp_path, content)
    expected = expected_sentences(content)
    assert sentences == expected
    counted = Counter(word for sentence in expected for word in sentence)
    assert dict(zip(result.words, result.counts.tolist(), strict=True)) == counted
    assert list(result.words) == list(dict.fromkeys(w for s in expected for w in s))  # order of first appearance
    assert result.n_tokens == sum(counted.values())
    assert result.n_sentences == len(expected)


@pytest.mark.parametrize(
    "content",
    [
        b"a",
        b"a b\nb c\n",
        b"no final newline\nat the end",
        b"\n\n  \n\t\na\n\n b \n\n\n",
        b"carriage\r\nreturns\r\n\r\nhere\r\n",
        b"all\x0bof\x0cthe\tASCII \r white\nspace",
        "naïve Ünïcode 東京 слово 🙂\nnon\u00a0breaking \u2028 separators\x85 stay\n".encode(),
        b"latin-1 caf\xe9 caf\xe9 \xff\xfe\x80 \xc3\n",
        b"control \x01\x1f\x7f bytes are letters\n",
        b"a " * 100_000 + b"\n" + b"b",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_words_and_sentences(tmp_path, content):
    assert_like_python(tmp_path, content)


def test_random_bytes(tmp_path):
    rng = np.random.default_rng(0)
    alphabet = np.frombuffer(b"ab\xc3\xa9 \n\t\r", np.uint8)
    for _ in range(20):
        assert_like_python(tmp_path, b"x " + rng.choice(alphabet, rng.integers(1, 3000)).tobytes())


@pytest.mark.parametrize("block", [64, 100, 1 << 10])
def test_blocks_do_not_show(tmp_path, monkeypatch, block):
    """Words and line ends that straddle blocks, words longer than a block, tables that grow."""
    monkeypatch.setattr(ingest, "BLOCK_BYTES", block)
    monkeypatch.setattr(ingest, "SNIFF_BYTES", 16)
    rng = np.random.default_rng(1)
    words = [b"w%d" % n for n in rng.zipf(1.2, 5000) % 10**6] + [b"L" * 1000, b"M" * 5000, b"\n"] * 3
    content = b"".join(word + rng.choice([b" ", b"\n", b"  "]) for word in words)
    assert_like_python(tmp_path, content)


def test_many_words_grow_the_tables(tmp_path):
    content = b" ".join(b"word-number-%d" % (i % 100_000) for i in range(150_000))
    result, _ = ingest_bytes(tmp_path, content)
    assert len(result.words) == 100_000
    assert result.counts.tolist() == [2] * 50_000 + [1] * 50_000


def test_a_line_of_50_megabytes(tmp_path):
    content = b"one two three four five " * (50_000_000 // 24)
    result, sentences = ingest_bytes(tmp_path, content)
    assert result.n_sentences == len(sentences) == 1
    assert result.counts.tolist() == [50_000_000 // 24] * 5


def test_a_word_of_20_megabytes(tmp_path):
    result, _ = ingest_bytes(tmp_path, b"a " + b"x" * 20_000_000 + b" b")
    assert [len(word) for word in result.words] == [1, 20_000_000, 1]


def test_nul_late_in_a_file_is_a_letter(tmp_path):
    content = b"text " * 20_000 + b"nul\0inside\n"
    assert_like_python(tmp_path, content)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x1f\x8b\x08\0\0", "gzip"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\x00\x00", "xz"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"words, then \0 a NUL", "byte 12 is NUL"),
        ("utf-16".encode("utf-16"), "UTF-16"),
        (b"\x93NUMPY\x01\0", "NUL"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path, head, said):
    with pytest.raises(CorpusError, match=said) as error:
        ingest_bytes(tmp_path, head)
    assert "0.txt" in str(error.value)
    assert "\n" not in str(error.value)


def test_byte_order_mark_is_skipped(tmp_path):
    _, sentences = ingest_bytes(tmp_path, b"\xef\xbb\xbffirst word", b"\xef\xbb\xbfsecond")
    assert sentences == [["first", "word"], ["second"]]


def test_several_files_are_one_corpus_and_a_file_ends_a_sentence(tmp_path):
    result, sentences = ingest_bytes(tmp_path, b"a b", b"b c\nd")
    assert sentences == [["a", "b"], ["b", "c"], ["d"]]
    assert result.counts.tolist() == [1, 2, 1, 1]


@pytest.mark.parametrize("content", [b"", b" \n\t\n"])
def test_empty_corpus(tmp_path, content):
    with pytest.raises(CorpusError, match="no words in"):
        ingest_bytes(tmp_path, content)


def test_missing_and_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"missing\.txt: No such file"):
        ingest.ingest_files([tmp_path / "missing.txt"], io.BytesIO())
    with pytest.raises(CorpusError, match="is a folder"):
        ingest.ingest_files([tmp_path], io.BytesIO())


def test_a_crowded_table_tells_words_apart():
    """A table nearly full: probing wraps around and passes many strangers on the way."""
    words = [b"w%d" % i for i in range(500)]
    text = np.frombuffer(b" ".join(words + words), np.uint8)
    slots, starts, counts = np.zeros(512, np.uint64), np.zeros(501, np.int64), np.zeros(500, np.int64)
    letters, ids, state = np.zeros(4000, np.uint8), np.zeros(1001, np.int32), np.zeros(4, np.int64)
    assert ingest.scan_words(text, len(text), True, slots, starts, counts, letters, ids, state) == ingest.DONE
    assert (counts == 2).all()
    assert ids[:1000].tolist() == [*range(500), *range(500)]


def test_equal_hashes_are_told_apart_by_their_bytes():
    """Give every entry of the table the same hash bits as the next word asked for."""
    text = np.frombuffer(b"cat dog", np.uint8)
    slots, starts, counts = np.zeros(8, np.uint64), np.zeros(5, np.int64), np.zeros(4, np.int64)
    letters, ids, state = np.zeros(64, np.uint8), np.zeros(8, np.int32), np.zeros(4, np.int64)
    ingest.scan_words(text[4:].copy(), 3, True, slots, starts, counts, letters, ids, state)
    letters[:3] = np.frombuffer(b"cat", np.uint8)  # the slot that has dog's hash now leads to other bytes
    state[1] = state[3] = 0
    ingest.scan_words(text[4:].copy(), 3, True, slots, starts, counts, letters, ids, state)
    assert counts[:2].tolist() == [1, 1]
    assert letters[:6].tobytes() == b"catdog"


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.real_text)])
def test_equal_to_counter_on_real_text(tmp_path, real, request):
    if real:
        content = request.getfixturevalue("real_text").read_bytes()
    else:
        content = "\n".join(" ".join(words) for words in pydocs.sentences()).encode()
    assert_like_python(tmp_path, content)


def test_sentences_from_python():
    sink = io.BytesIO()
    given = [["a", "b"], [], ["b", "New York"], ("c",)]
    result = ingest.ingest_sentences(iter(given), sink)
    assert read_back(sink, result) == [["a", "b"], ["b", "New York"], ["c"]]
    assert result.counts.tolist() == [1, 2, 1, 1]
    assert (result.n_tokens, result.n_sentences) == (5, 3)


def test_sentences_from_python_in_blocks(monkeypatch):
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 40)
    rng = np.random.default_rng(0)
    given = [[f"w{i}" for i in rng.zipf(1.3, rng.integers(1, 9)) % 500] for _ in range(400)]
    sink = io.BytesIO()
    result = ingest.ingest_sentences(given, sink)
    assert read_back(sink, result) == given
    assert dict(zip(result.words, result.counts.tolist(), strict=True)) == Counter(w for s in given for w in s)


@pytest.mark.parametrize(
    ("sentences", "said"),
    [
        ([["a"], "not a list"], "sentence 2 is one string"),
        ([["a", 7]], "token 7, not a string"),
        ([["a", ""]], "empty"),
        ([["a", "b\tc"]], "tab"),
        ([["a", "b\n"]], "line break"),
        ([["a", "lone\ud800"]], "surrogates"),
        ([["a", "\udcc3\udca9"]], "surrogates"),
        ([["a", ["nested"]]], "not a list of strings"),
        ([5], "not a list of strings"),
        ([], "empty"),
        ([[], []], "empty"),
    ],
)
def test_bad_sentences(sentences, said):
    with pytest.raises(CorpusError, match=said):
        ingest.ingest_sentences(sentences, io.BytesIO())


def test_renumber_drops_and_maps():
    stream = np.array([0, 1, 2, -1, 1, -1, 2, 0, -1], np.int32)
    final_id = np.array([1, -1, 0], np.int32)
    all_ids, all_ends = [], []
    for block in (stream[:2], stream[2:5], stream[5:]):
        ids, ends = np.zeros(len(block), np.int32), np.zeros(len(block), np.int64)
        n_ids, n_ends = ingest.renumber(block, final_id, ids, ends, len(all_ids))
        all_ids += ids[:n_ids].tolist()
        all_ends += ends[:n_ends].tolist()
    assert all_ids == [1, 0, 0, 1]
    assert all_ends == [2, 2, 4]
