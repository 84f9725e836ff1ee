"""The choice of the vocabulary, its file, and the display of its words."""

from collections import Counter

import numpy as np
import pytest

from fastw2v.errors import CorpusError, FolderError
from fastw2v.screen import printable
from fastw2v.text.ingest import Ingested
from fastw2v.text.prepared import build_vocab, choose_words
from fastw2v.vocab import Vocab


def counted(words):
    counts = Counter(words)
    places = np.arange(len(counts))
    return Ingested(
        words=list(counts), counts=np.array(list(counts.values()), np.int64), firsts=places, n_tokens=len(words),
        n_sentences=1, distinct=len(counts), largest_left_out=0, blocks=[], maps=[places.astype(np.int32)],
    )  # fmt: skip


def chosen(words, min_count, max_vocab):
    ingested = counted(words)
    order, final_id = choose_words(ingested, min_count, max_vocab)
    return build_vocab(ingested, order), final_id


def test_most_frequent_first_ties_by_first_appearance():
    vocab, final_id = chosen(["z", "b", "a", "b", "a", "c", "y", "y", "y"], 1, None)
    assert list(vocab.words) == ["y", "b", "a", "z", "c"]
    assert vocab.counts.tolist() == [3, 2, 2, 1, 1]
    assert [final_id[i] for i in range(5)] == [3, 1, 2, 4, 0]  # z b a c y
    assert vocab.index == {word: i for i, word in enumerate(vocab.words)}


@pytest.mark.parametrize(("min_count", "kept"), [(1, 5), (2, 3), (3, 1)])
def test_min_count(min_count, kept):
    vocab, final_id = chosen(["z", "b", "a", "b", "a", "c", "y", "y", "y"], min_count, None)
    assert len(vocab) == kept
    assert (vocab.counts >= min_count).all()
    assert (final_id >= 0).sum() == kept


@pytest.mark.parametrize("max_vocab", [1, 2, 3, 4, 99])
def test_max_vocab_is_exactly_the_most_frequent(max_vocab):
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in rng.zipf(1.5, 3000) % 200]
    vocab, _ = chosen(words, 1, max_vocab)
    expected = sorted(Counter(words).items(), key=lambda item: -item[1])[:max_vocab]  # stable, as ours
    assert list(zip(vocab.words, vocab.counts.tolist(), strict=True)) == expected


def test_no_word_frequent_enough_says_how_many_and_the_largest_count():
    with pytest.raises(
        CorpusError, match=r"no word occurs 9 times.* 5 distinct words.*'y', 3 times.*; lower min_count"
    ):
        chosen(["z", "b", "a", "b", "a", "c", "y", "y", "y"], 9, None)


def test_tsv_round_trip(tmp_path):
    vocab = Vocab(["plain", "New York", "東京", "caf\udce9", "a\u2028b", "nul\0"], np.array([9, 5, 5, 2, 2, 1]))
    path = tmp_path / "vocab.tsv"
    digest = vocab.write(path)
    assert path.read_bytes().splitlines()[0] == b"plain\t9"
    assert b"caf\xe9\t2\n" in path.read_bytes()  # invalid UTF-8 comes out as it came in
    again = Vocab.read(path, digest)
    assert list(again.words) == list(vocab.words)
    assert again.counts.tolist() == vocab.counts.tolist()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\t5\nb\n", "line 2"),
        (b"a\t5\nb\tmany\n", "line 2"),
        (b"a\t5\nb\t-1\n", "line 2"),
        (b"a\t5\n\t3\n", "line 2"),
        (b"a\t5\nb\t" + b"9" * 19 + b"\n", "line 2"),
        (b"a\t5\nb\t3", "truncated"),
        (b"a\t5\na\t3\n", "twice"),
    ],
)
def test_malformed_tsv(tmp_path, content, said):
    path = tmp_path / "vocab.tsv"
    path.write_bytes(content)
    with pytest.raises(FolderError, match=said):
        Vocab.read(path)


def test_tsv_of_another_training_is_noticed(tmp_path):
    path = tmp_path / "vocab.tsv"
    path.write_bytes(b"a\t5\n")
    with pytest.raises(FolderError, match="not the vocabulary this folder was saved with"):
        Vocab.read(path, "0" * 64)


def test_printable_escapes_what_could_disturb_a_screen():
    assert printable("naïve 東京 word") == "naïve 東京 word"
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert printable("evil\u202etxt") == "evil\\u202etxt"
    assert printable("caf\udce9") == "caf\\udce9"


def test_a_vocabulary_is_a_collection_of_words():
    vocab = Vocab(["king", "queen"], np.array([2, 1]))
    assert list(vocab) == ["king", "queen"]
    assert "king" in vocab
    assert "King" not in vocab
    assert b"king" not in vocab
