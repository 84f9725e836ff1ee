"""Training with the union of two vocabularies: order, counts, rows, files, and runs that are resumed."""

import subprocess
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
from conftest import planted_sentences, topic_purity
from hypothesis import given
from hypothesis import strategies as st
from test_checkpoint import assert_same_run, command, stop_at

import fastw2v
from fastw2v import cli
from fastw2v.errors import ConfigError, CorpusError, FastW2VWarning
from fastw2v.kernels import tile
from fastw2v.text import unions
from fastw2v.text.corpus import Corpus
from fastw2v.text.unions import renumbered, union_of
from fastw2v.training import driver, replica
from fastw2v.vocab import Vocab

QUICK = {"vector_size": 20, "epochs": 2, "workers": 1, "progress": False, "min_count": 1}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Tiles, chunks and blocks for small corpora."""
    monkeypatch.setattr(tile, "LEAST_TILES", 1)
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 2_000)
    monkeypatch.setattr(unions, "BLOCK_IDS", 700)


def vocab_of(counts):
    return Vocab(list(counts), np.array(list(counts.values()), np.int64), checked=True)


COUNTS = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 5), min_size=1)


@given(COUNTS, COUNTS)
def test_the_union_is_that_of_counters(first, second):
    union = union_of(vocab_of(first), vocab_of(second))
    sums = {word: first.get(word, 0) + second.get(word, 0) for word in [*first, *second]}
    expected = sorted(sums, key=lambda word: -sums[word])  # sorted is stable: ties stay as they came
    assert list(union.words) == expected
    assert union.counts.tolist() == [sums[word] for word in expected]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=9), min_size=1), st.permutations("abcdefghxyz"))
@pytest.mark.parametrize("block", [1, 3, 1000])
def test_renumbering_keeps_the_sentences(block, sentences, order):
    texts = [[word for word in sentence if word in "abcdef"] for sentence in sentences]
    words = sorted({word for text in texts for word in text})
    if not words:
        return
    ids = np.array([words.index(word) for text in texts for word in text], np.int32)
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    corpus = Corpus(Vocab(words, np.bincount(ids), checked=True), ids, offsets, len(ids))
    vocab = Vocab(order[:5], np.full(5, 7), checked=True)
    expected = [[word for word in text if word in order[:5]] for text in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unions, "BLOCK_IDS", block)
        refused = pytest.raises(CorpusError, match="no word of the corpus is in the vocabulary of 5 words")
        with nullcontext() if any(expected) else refused, renumbered(corpus, vocab, None) as found:
            assert found.vocab is vocab
            pairs = pairwise(found.offsets.tolist())
            assert [[vocab.words[i] for i in found.ids[a:b]] for a, b in pairs] == expected
            flat = [word for text in expected for word in text]
            assert found.own_counts.tolist() == [flat.count(word) for word in vocab.words]


def test_only_other_words_are_chosen_by_their_counts():
    given, found = vocab_of({"old": 9, "rare": 7}), vocab_of({"new": 6, "other": 5, "third": 5, "rare": 2, "odd": 1})
    assert list(union_of(given, found, min_count=5).words) == ["old", "rare", "new", "other", "third"]
    assert union_of(given, found, min_count=5).counts.tolist() == [9, 9, 6, 5, 5]
    assert list(union_of(given, found, min_count=5, max_vocab=2).words) == ["old", "rare", "new", "other"]


def test_known_words_are_trained_however_rare_they_are(tmp_path):
    old = fastw2v.train([["king", "queen", "man"] * 4] * 50, **QUICK)
    text = [["car", "road", "wheel"] * 4] * 50 + [["king", "car", "odd"]] * 3
    for output in (None, tmp_path / "m"):
        new = fastw2v.train(
            text, init_from=old, keep_words=True, output=output, **QUICK | {"min_count": 5, "sample": 0}
        )
        assert list(new.words) == ["king", "car", "queen", "man", "road", "wheel"]
        assert new.vocab.counts.tolist() == [203, 203, 200, 200, 200, 200]
        assert (new["king"] != old["king"]).any()
        assert (new["queen"] == old["queen"]).all()
        assert new.metadata["config"]["min_count"] == 5
        assert new.metadata["corpus"]["tokens"] == 606
    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in text))
    options = QUICK | {"min_count": 5, "sample": 0}
    stopped = fastw2v.train(
        path, init_from=old, keep_words=True, output=tmp_path / "f", callbacks=[stop_at(1)], **options
    )
    resumed = fastw2v.train(path, output=tmp_path / "f", resume=True, progress=False)
    whole = fastw2v.train(path, init_from=old, keep_words=True, **options)
    assert stopped.vocab.counts.tolist() == whole.vocab.counts.tolist() == new.vocab.counts.tolist()
    assert_same_run(resumed, whole)
    fastw2v.prepare(path, tmp_path / "prepared", min_count=5, progress=False)
    with pytest.warns(FastW2VWarning, match="only 0 of 3 words start from given vectors"):
        chosen = fastw2v.train(tmp_path / "prepared", init_from=old, keep_words=True, **options)
    assert chosen.vocab.counts[chosen.row("king")] == 200


def more_sentences():
    """Sentences of two known topics and of a new one."""
    kept = [
        sentence for sentence in planted_sentences(seed=1) if not any(word[:2] in ("t0", "t1") for word in sentence)
    ]
    return [[word.replace("t5", "t9") for word in sentence] for sentence in kept]


@pytest.mark.filterwarnings("ignore:no two words met:fastw2v.FastW2VWarning")
def test_rows_and_counts(model, monkeypatch, capsys):
    monkeypatch.setattr(replica, "run_chunk", lambda *arguments: None)  # Training changes nothing.
    given = fastw2v.load(model)
    sentences = more_sentences()
    own = fastw2v.train(sentences, **QUICK)
    options = QUICK | {"init_from": given, "keep_words": True, "progress": True}
    union = fastw2v.train(sentences, **options)
    assert set(union.words) == set(given.words) | set(own.words)
    for word in union.words:
        counts = [e.get_vecattr(word, "count") for e in (given, own) if word in e]
        assert union.get_vecattr(word, "count") == sum(counts)
        row = union.row(word)
        if word in given:
            np.testing.assert_array_equal(union[word], given[word])
            np.testing.assert_array_equal(union.outside[row], given.outside[given.row(word)])
        else:
            assert union[word].any()
            assert not union.outside[row].any()
    assert (np.diff(union.vocab.counts) <= 0).all()
    both = [word for word in own.words if word in given]
    kept = len(given) - len(both)
    assert union.metadata["init_from"] == {"words": len(own), "words_taken": len(both), "words_kept": kept}
    said = f"{len(both)} of {len(own)} words start from given vectors, whose {kept} other words are kept; the learning "
    assert said in capsys.readouterr().err


def test_words_that_the_text_lacks_keep_v_and_are_noise(model):
    given = fastw2v.load(model)
    union = fastw2v.train(more_sentences(), init_from=given, keep_words=True, **QUICK | {"epochs": 20})
    absent = [word for word in union.words if word.startswith(("t0", "t1", "t5"))]
    assert len(absent) == 24
    for word in absent:
        np.testing.assert_array_equal(union[word], given[word])
    moved = [(union.outside[union.row(word)] != given.outside[given.row(word)]).any() for word in absent]
    assert np.mean(moved) > 0.9
    # New words learn among the known ones, and what was known is still known.
    assert topic_purity(union) > 0.95


def test_the_rate_runs_over_the_new_text_alone(model):
    sentences = more_sentences()
    union = fastw2v.train(sentences, init_from=model, keep_words=True, **QUICK)
    last = union.metrics[-1]
    assert last["tokens"] == last["tokens_total"] == 2 * sum(map(len, sentences))
    assert last["alpha"] == pytest.approx(1e-4)


def test_given_vectors_without_counts(model, capsys):
    given = fastw2v.load(model)
    bare = fastw2v.Embeddings.from_vectors(list(given.words), given.vectors)
    options = QUICK | {"progress": True}
    union = fastw2v.train(more_sentences(), init_from=bare, keep_words=True, **options)
    assert (
        "the given vectors have no counts: words that the text lacks are not drawn as noise words"
        in capsys.readouterr().err
    )
    absent = [union.row(word) for word in union.words if word.startswith(("t0", "t1", "t5"))]
    assert not union.outside[absent].any()
    assert absent == list(range(len(union) - 24, len(union)))


@pytest.fixture
def more(tmp_path):
    path = tmp_path / "more.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in more_sentences()))
    return path


@pytest.mark.parametrize("again", [{}, {"keep_words": True}, {"init_from": "the model", "keep_words": True}])
@pytest.mark.parametrize("kernel", ["tile", "pair"])
def test_a_resumed_run_is_bit_identical(model, more, tmp_path, again, kernel):
    options = QUICK | {"kernel": kernel}
    whole = fastw2v.train(more, init_from=model, keep_words=True, **options)
    assert (whole.metadata["tiling"] is not None) == (kernel == "tile")
    folder = tmp_path / "m"
    stopped = fastw2v.train(more, output=folder, init_from=model, keep_words=True, callbacks=[stop_at(3)], **options)
    assert not stopped.metadata["progress"]["complete"]
    if "init_from" in again:
        again = again | {"init_from": model}
    resumed = fastw2v.train(more, output=folder, resume=True, progress=False, **again)
    assert_same_run(resumed, whole)
    assert resumed.vocab.counts.tolist() == whole.vocab.counts.tolist()
    assert resumed.metadata["init_from"] == whole.metadata["init_from"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["U.npy", "V.npy", "cache", "metrics.jsonl", "model.json", "vocab.tsv"]
    )


def test_the_cache_is_reused_and_a_prepared_folder_serves(model, more, tmp_path, capsys):
    options = QUICK | {"progress": True}
    first = fastw2v.train(more, output=tmp_path / "m", init_from=model, keep_words=True, **options)
    assert "reusing its ids" not in capsys.readouterr().err
    second = fastw2v.train(more, output=tmp_path / "m", init_from=model, keep_words=True, **options)
    assert "reusing its ids" in capsys.readouterr().err
    assert_same_run(first, second)
    fastw2v.prepare(more, tmp_path / "prepared", min_count=1, progress=False)
    assert_same_run(fastw2v.train(tmp_path / "prepared", init_from=model, keep_words=True, **QUICK), first)


def test_another_corpus_is_not_resumed(model, more, tmp_path):
    folder = tmp_path / "m"
    fastw2v.train(more, output=folder, init_from=model, keep_words=True, callbacks=[stop_at(2)], **QUICK)
    lines = more.read_text().splitlines(keepends=True)
    for other in (lines[1:], lines[::-1], [*lines[:-1], "unheard " + lines[-1].partition(" ")[2]]):
        more.write_text("".join(other))
        with pytest.raises(
            CorpusError, match=r"this is not the corpus of the run.*give init_from in place of resume=True"
        ):
            fastw2v.train(more, output=folder, resume=True, progress=False)


def test_what_does_not_fit_is_refused(planted_file, model, tmp_path):
    with pytest.raises(ConfigError, match="keep_words=True needs init_from, whose words it keeps: give it"):
        fastw2v.train(planted_file, keep_words=True, **QUICK)
    with pytest.raises(ConfigError, match="keep_words is 'yes': give True or False"):
        fastw2v.train(planted_file, init_from=model, keep_words="yes", **QUICK)
    folder = tmp_path / "m"
    with pytest.raises(ConfigError, match=r"keep_words=True needs init_from.*holds no run to resume, so give it"):
        fastw2v.train(planted_file, output=folder, resume=True, keep_words=True, **QUICK)
    fastw2v.train(planted_file, output=folder, callbacks=[stop_at(2)], **QUICK)
    with pytest.raises(ConfigError, match=r"keep_words is True, but the run in .* has only the words of its text"):
        fastw2v.train(planted_file, output=folder, resume=True, keep_words=True, progress=False)


def test_a_run_that_was_killed_before_it_was_saved_keeps_the_words_again(model, more, tmp_path):
    kill = "\ndriver.Checkpoints.after_chunk = lambda *rest, **more: os._exit(9)"
    options = ["--vector-size=20", f"--init-from={model}", "--keep-words"]
    assert subprocess.run(command(more, tmp_path / "m", *options, before=kill)).returncode == 9
    resumed = fastw2v.train(more, output=tmp_path / "m", resume=True, init_from=model, progress=False)
    assert len(resumed) == 64


def test_numbers_that_get_company_are_doubtful():
    given = fastw2v.train([[1, 2, 3]] * 50, **QUICK | {"sample": 0})
    same = fastw2v.train([[3, 4]] * 50, init_from=given, keep_words=True, **QUICK | {"sample": 0})
    np.testing.assert_array_equal(same[4], same["4"])
    with pytest.warns(
        FastW2VWarning, match="all words were whole numbers, and now there is 'a': an integer such as 28"
    ):
        fastw2v.train([["a", "3"]] * 50, init_from=given, keep_words=True, **QUICK | {"sample": 0})


def test_strangers_are_doubtful(model):
    with pytest.warns(
        FastW2VWarning, match="only 0 of 2 words start from given vectors, whose .* other words are kept"
    ):
        fastw2v.train([["x", "y"]] * 100, init_from=model, keep_words=True, **QUICK | {"sample": 0})


def test_the_command_line(model, more, tmp_path, capsys):
    common = ["--vector-size=20", "--min-count=1", "--workers=1", "--epochs=2"]
    code = cli.main(["train", str(more), "-o", str(tmp_path / "m"), f"--init-from={model}", "--keep-words", *common])
    assert code == 0, capsys.readouterr().err
    expected = fastw2v.train(more, init_from=model, keep_words=True, **QUICK)
    assert_same_run(fastw2v.load(tmp_path / "m"), expected)
    for wrong, said in (
        ([], "--keep-words needs --init-from"),
        ([f"--init-from={model}", "--ray"], "--keep-words is for training without Ray"),
    ):
        assert cli.main(["train", str(more), "-o", str(tmp_path / "n"), "--keep-words", *wrong]) == 2
        assert said in capsys.readouterr().err
