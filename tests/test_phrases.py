"""Phrases: equal to a plain-Python twin of gensim's rules, to gensim itself, and the same whatever the limits are."""

import json
import math
import random
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

import fastw2v
import fastw2v.gensim as face
from fastw2v import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, Phrases
from fastw2v.cli import main
from fastw2v.errors import ConfigError, CorpusError, FastW2VWarning, FolderError
from fastw2v.text import joining, pairs
from fastw2v.text.prepared import open_prepared

SENTENCES = [
    *[["new", "york", "is", "in", "new", "york"], ["a", "city", "of", "the", "new"], ["bank", "of", "america"]] * 4,
    *[["york", "is", "a", "city"], ["the", "bank", "of", "the", "city"], [], ["new"]] * 2,
]
LOOSE = {"min_count": 1, "threshold": 0.5}
ALPHABETS = {
    "few": ["a", "b", "c"],
    "many": [f"w{i}" for i in range(40)],
    "joined already": ["a", "b", "a_b", "c", "b_c", "c_a"],
    "connectors": ["a", "b", "c", "of", "the", "a_of"],
    "delimiters": ["a_", "_b", "a", "b", "_", "__"],
}


class Twin:
    """gensim's rules with `Counter`, as plain as can be."""

    def __init__(self, sentences, min_count=5, threshold=10.0, scoring="default", delimiter="_", connector_words=()):
        self.min_count, self.threshold, self.scoring = min_count, threshold, scoring
        self.delimiter, self.connectors = delimiter, set(connector_words)
        self.vocab = Counter()
        self.n_tokens = sum(map(len, sentences))
        for sentence in sentences:
            places = [i for i, word in enumerate(sentence) if word not in self.connectors]
            self.vocab.update(sentence[i] for i in places)
            self.vocab.update(delimiter.join(sentence[i : j + 1]) for i, j in pairwise(places))

    def score(self, words):
        a, b, ab = self.vocab[words[0]], self.vocab[words[-1]], self.vocab[self.delimiter.join(words)]
        if not a or not b or not ab:
            return -math.inf
        if self.scoring == "default":
            return (ab - self.min_count) / (a * b) * len(self.vocab)
        if ab < self.min_count:
            return -math.inf
        p, q, pq = a / self.n_tokens, b / self.n_tokens, ab / self.n_tokens
        return math.log(pq / (p * q)) / -math.log(pq)

    def join(self, sentence, found=None):
        joined, i = [], 0
        while i < len(sentence):
            j = next((j for j in range(i + 1, len(sentence)) if sentence[j] not in self.connectors), None)
            if sentence[i] not in self.connectors and j is not None:
                score = self.score(sentence[i : j + 1])
                if score > self.threshold:
                    joined.append(self.delimiter.join(sentence[i : j + 1]))
                    if found is not None:
                        found[joined[-1]] = score
                    i = j + 1
                    continue
            joined.append(sentence[i])
            i += 1
        return joined


def random_sentences(rng, alphabet, n_sentences=30):
    return [rng.choices(alphabet, k=rng.randint(0, 12)) for _ in range(n_sentences)] + [["a", "b"]]


def as_sentences(corpus):
    words = corpus.vocab.words
    return [[words[i] for i in corpus.ids[a:b]] for a, b in zip(corpus.offsets[:-1], corpus.offsets[1:], strict=True)]


@pytest.fixture
def small_limits(monkeypatch):
    """Let every limit be reached by a few words."""
    for name, value in (("PIECE_IDS", 7), ("WINDOW_IDS", 2), ("ROUND_IDS", 20), ("PART_PAIRS", 4), ("TABLE_BYTES", 1)):
        monkeypatch.setattr(joining, name, value)


@pytest.mark.parametrize("scoring", ["default", "npmi"])
@pytest.mark.parametrize("kind", ALPHABETS)
@pytest.mark.parametrize("seed", range(4))
def test_phrases_equal_the_twin(kind, scoring, seed):
    rng = random.Random(f"{kind} {scoring} {seed}")
    sentences = random_sentences(rng, ALPHABETS[kind])
    options = {"min_count": rng.randint(1, 3), "threshold": rng.choice([0.05, 0.3, 0.6]), "scoring": scoring}
    options |= {"connector_words": {"of", "the"}, "delimiter": rng.choice(["_", "_", "__", " "])}
    twin, phrases = Twin(sentences, **options), Phrases(sentences, **options)
    assert phrases.vocab == twin.vocab
    assert phrases.corpus_word_count == twin.n_tokens
    expected = {}
    joined = [twin.join(sentence, expected) for sentence in sentences]
    assert [phrases[sentence] for sentence in sentences] == list(phrases[sentences]) == joined
    assert phrases.find_phrases(sentences) == pytest.approx(expected, rel=1e-12)
    assert phrases.export_phrases().keys() >= expected.keys()


def test_the_hash_of_a_text_follows_from_its_parts():
    rng = random.Random(3)
    edges = [0, 1, 2, pairs.PRIME - 1, pairs.PRIME - 2, 1 << 31, (1 << 31) - 1, 1 << 60]
    for _ in range(2000):
        a, b, c = (rng.choice(edges) if rng.random() < 0.5 else rng.randrange(pairs.PRIME) for _ in range(3))
        assert int(pairs.follow(*map(np.uint64, (a, b, c)))) == (a * b + c) % pairs.PRIME


def test_pairs_of_one_hash_are_told_apart(monkeypatch):
    """As if every text had the same hash."""
    monkeypatch.setattr(joining, "SEEDS", np.zeros(2, np.uint64))
    for kind in ("joined already", "connectors"):
        sentences = random_sentences(random.Random(8), ALPHABETS[kind])
        options = {**LOOSE, "connector_words": {"of", "the"}}
        assert Phrases(sentences, **options).vocab == Twin(sentences, **options).vocab


def theirs(sentences, **options):
    return pytest.importorskip("gensim.models.phrases").Phrases(sentences, **options)


@pytest.mark.parametrize("scoring", ["default", "npmi"])
@pytest.mark.parametrize("kind", ALPHABETS)
def test_phrases_equal_those_of_gensim(kind, scoring):
    rng = random.Random(f"gensim {kind} {scoring}")
    for _ in range(20):
        sentences, more = random_sentences(rng, ALPHABETS[kind]), random_sentences(rng, ALPHABETS[kind], 5)
        options = {"min_count": rng.randint(1, 3), "threshold": rng.choice([0.05, 0.3, 0.6]), "scoring": scoring}
        options |= {"connector_words": frozenset({"of", "the"}), "delimiter": rng.choice(["_", " "])}
        expected, phrases = theirs(sentences, **options), Phrases(sentences, **options)
        for learnt in (sentences, more):
            assert phrases.vocab == expected.vocab
            assert phrases.corpus_word_count == expected.corpus_word_count
            assert list(phrases[learnt]) == list(expected[learnt])
            assert phrases.find_phrases(learnt) == pytest.approx(expected.find_phrases(learnt), rel=1e-12)
            if not any(options["delimiter"] in word for word in ALPHABETS[kind]):
                assert phrases.export_phrases() == pytest.approx(expected.export_phrases(), rel=1e-12)
                assert list(phrases.freeze()[learnt]) == list(expected.freeze()[learnt])
            expected.add_vocab(more)
            phrases.add_vocab(more)


@pytest.mark.real_text
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_count": 3, "threshold": 0.4, "scoring": "npmi"},
        {"connector_words": ENGLISH_CONNECTOR_WORDS, "threshold": 5.0},
    ],
)
def test_phrases_of_real_text_equal_those_of_gensim(real_text, options):
    sentences = [line.split() for line in real_text.read_text().splitlines()[:8000]]
    path = real_text.parent / "some.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences))
    expected, phrases = theirs(sentences, **options), Phrases(path, **options)
    assert phrases.export_phrases() == pytest.approx(expected.export_phrases(), rel=1e-9)
    assert len(phrases.export_phrases()) > 500
    joined = list(expected[sentences])
    assert list(phrases[sentences]) == joined
    twice, again = theirs(joined, **options), Phrases(joined, **options)
    assert again.find_phrases(joined) == pytest.approx(twice.find_phrases(joined), rel=1e-9)
    assert list(again[joined]) == list(twice[joined])
    given = {name if name == "connector_words" else f"phrase_{name}": value for name, value in options.items()}
    corpus = fastw2v.prepare(path, path.parent / "twice", phrases=2, min_count=1, **given, progress=False)
    assert as_sentences(corpus) == list(twice[joined])


@pytest.mark.parametrize("passes", [1, pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("kind", ALPHABETS)
@pytest.mark.filterwarnings("ignore:no two words are a phrase")
def test_prepare_joins_as_the_twin_does_pass_after_pass(kind, passes, tmp_path, small_limits):
    rng = random.Random(f"{kind} {passes}")
    sentences = [sentence for sentence in random_sentences(rng, ALPHABETS[kind]) if sentence]
    joined = sentences
    for _ in range(passes):
        twin = Twin(joined, **LOOSE, connector_words={"of", "the"})
        joined = [twin.join(sentence) for sentence in joined]
    counts = Counter(word for sentence in joined for word in sentence)
    words = [word for word, count in counts.most_common() if count >= 2][:8]
    for workers in (1, 3):
        corpus = fastw2v.prepare(
            sentences,
            tmp_path / f"p{workers}",
            min_count=2,
            max_vocab=8,
            phrases=passes,
            phrase_min_count=1,
            phrase_threshold=0.5,
            connector_words=["of", "the"],
            workers=workers,
            progress=False,
        )
        assert corpus.vocab.words == words
        assert corpus.vocab.counts.tolist() == [counts[word] for word in words]
        assert as_sentences(corpus) == [[word for word in sentence if word in words] for sentence in joined]
        assert corpus.tokens_read == sum(map(len, sentences))


def test_the_limits_and_workers_do_not_change_the_counts(monkeypatch, tmp_path):
    rng = random.Random(5)
    path = tmp_path / "text.txt"
    path.write_text("\n".join(" ".join(s) for s in random_sentences(rng, ALPHABETS["connectors"], 200)))
    options = {"connector_words": {"of", "the"}, **LOOSE}
    expected = Phrases(path, **options).vocab
    for limits in ((1, 1, 1, 1, 1), (50, 3, 100, 16, 5000), (1000, 10, 10, 1, 1)):
        for name, value in zip(
            ("PIECE_IDS", "WINDOW_IDS", "ROUND_IDS", "PART_PAIRS", "TABLE_BYTES"), limits, strict=True
        ):
            monkeypatch.setattr(joining, name, value)
        for workers in (1, 4):
            assert Phrases(path, **options, workers=workers).vocab == expected


def test_few_parts_are_in_memory_at_a_time(monkeypatch, small_limits, tmp_path):
    groups = []

    class Tables(joining._Tables):
        def __init__(self, first, stop, part_bits):
            groups.append(stop - first)
            super().__init__(first, stop, part_bits)

    monkeypatch.setattr(joining, "_Tables", Tables)
    sentences = random_sentences(random.Random(1), ALPHABETS["many"], 100)
    fastw2v.prepare(
        sentences, tmp_path / "p", min_count=1, phrases=1, phrase_min_count=1, phrase_threshold=0.1, progress=False
    )
    assert set(groups) == {1}
    assert len(groups) == 1 << ((len([w for s in sentences for w in s]) + len(sentences)) // 4).bit_length() - 1


def test_one_endless_sentence_is_cut_into_pieces(small_limits, tmp_path):
    sentence = random.Random(2).choices(["new", "york", "is", "of", "the"], k=500)
    twin = Twin([sentence], min_count=1, threshold=0.03, connector_words={"of"})
    options = {"phrase_min_count": 1, "phrase_threshold": 0.03, "connector_words": {"of"}}
    corpus = fastw2v.prepare([sentence], tmp_path / "p", min_count=1, phrases=1, **options, progress=False)
    assert as_sentences(corpus) == [twin.join(sentence)]
    always = ["a"] * 101  # (a, a) is a phrase everywhere, so there is no place to cut
    corpus = fastw2v.prepare(
        [always], tmp_path / "p", min_count=1, phrases=1, phrase_min_count=1, phrase_threshold=0.01, progress=False
    )
    assert as_sentences(corpus) == [["a_a"] * 50 + ["a"]]


def test_what_phrases_take_and_give():
    phrases = Phrases(SENTENCES, **LOOSE)
    assert phrases[["new", "york", "new", "york", "unknown"]] == ["new_york", "new_york", "unknown"]
    assert phrases[("is", "new", "york")][-1] == "new_york"
    assert phrases[[]] == []
    assert phrases[iter(["new", "york"])] == ["new_york"]
    stream = phrases[SENTENCES]
    assert list(stream) == list(stream)  # as often as the sentences
    once = phrases[iter(SENTENCES)]
    assert list(once) == list(stream)
    assert list(once) == []
    assert phrases[np.array(["new", "york"])] == ["new_york"]
    assert list(phrases[np.array([["new", "york"], ["york", "new"]])]) == [["new_york"], ["york", "new"]]
    assert repr(phrases) == f"Phrases<{len(phrases.vocab)} vocab, min_count=1, threshold=0.5>"
    assert repr(phrases.freeze()).startswith(f"FrozenPhrases<{len(phrases.export_phrases())} phrases")
    assert Phrases()[["new", "york"]] == ["new", "york"]
    assert (phrases.min_count, phrases.threshold, phrases.scoring, phrases.delimiter) == (1, 0.5, "default", "_")
    assert phrases.connector_words == frozenset()
    assert Phrases(min_count=5.0).min_count == 5  # gensim's default is a float.


def test_each_token_of_a_sentence_has_its_score():
    phrases = Phrases(SENTENCES, **LOOSE, connector_words=ENGLISH_CONNECTOR_WORDS)
    scores = phrases.export_phrases()
    for joiner in (phrases, phrases.freeze()):
        assert list(joiner.analyze_sentence(["the", "bank", "of", "america", "new", "york", "of", "x"])) == [
            ("the", None),
            ("bank_of_america", scores["bank_of_america"]),
            ("new_york", scores["new_york"]),
            ("of", None),
            ("x", None),
        ]
        assert list(joiner.analyze_sentence(["new_york", "new", "york"])) == [
            ("new_york", None),
            ("new_york", scores["new_york"]),
        ]
    with pytest.raises(CorpusError, match="the sentence is one string, 'new york'"):
        phrases.analyze_sentence("new york")


def test_the_names_of_gensim():
    assert face.Phrases is Phrases
    assert face.Phraser is face.FrozenPhrases is fastw2v.FrozenPhrases
    assert face.ENGLISH_CONNECTOR_WORDS is ENGLISH_CONNECTOR_WORDS
    phraser = face.Phraser(face.Phrases(SENTENCES, **LOOSE))
    assert phraser[["is", "new", "york"]][-1] == "new_york"


def test_connector_words_stand_inside_a_phrase():
    phrases = Phrases(SENTENCES, **LOOSE, connector_words=ENGLISH_CONNECTOR_WORDS)
    assert phrases[["the", "bank", "of", "america", "of"]] == ["the", "bank_of_america", "of"]
    assert phrases.freeze()[["a", "bank", "of", "america"]] == ["a", "bank_of_america"]
    assert {"of", "the", "and"} < ENGLISH_CONNECTOR_WORDS


def test_training_on_joined_sentences():
    sentences = SENTENCES * 20
    phrases = Phrases(sentences, min_count=1, threshold=0.02)
    embeddings = fastw2v.train(phrases[sentences], vector_size=5, min_count=1, epochs=1, progress=False)
    assert "new_york" in embeddings


def test_text_and_sentences_give_the_same(tmp_path):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("\n".join(map(" ".join, SENTENCES[:5])) + "\n")
    (tmp_path / "texts" / "b.txt").write_text("\n".join(map(" ".join, SENTENCES[5:])))
    expected = Phrases(SENTENCES, **LOOSE)
    assert Phrases(tmp_path / "texts", **LOOSE).vocab == expected.vocab
    in_two = Phrases(tmp_path / "texts" / "a.txt", **LOOSE)
    in_two.add_vocab(tmp_path / "texts" / "b.txt")
    assert in_two.vocab == expected.vocab
    assert in_two.corpus_word_count == expected.corpus_word_count


def test_counts_stay_when_more_sentences_are_refused():
    phrases = Phrases(SENTENCES, **LOOSE)
    before = phrases.vocab
    with pytest.raises(CorpusError, match="is one string"):
        phrases.add_vocab([["new"], "york"])
    assert phrases.vocab == before


@pytest.mark.parametrize("connectors", [frozenset(), frozenset({"of", "the"})])
def test_saved_phrases_are_the_same(tmp_path, connectors):
    phrases = Phrases(SENTENCES, **LOOSE, connector_words=connectors)
    phrases.save(tmp_path / "p")
    loaded = Phrases.load(tmp_path / "p")
    assert loaded.vocab == phrases.vocab
    assert loaded.export_phrases() == phrases.export_phrases()
    assert (loaded.corpus_word_count, loaded.connector_words) == (phrases.corpus_word_count, connectors)
    more = [["york", "of", "the", "new", "words"]]
    phrases.add_vocab(more)
    loaded.add_vocab(more)
    assert loaded.vocab == phrases.vocab
    frozen = phrases.freeze()
    frozen.save(tmp_path / "p")  # it takes the place of the counts
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["phrases.json"]
    again = FrozenPhrases.load(tmp_path / "p")
    assert isinstance(again, FrozenPhrases)
    assert again.phrasegrams == frozen.phrasegrams == again.export_phrases()
    assert list(again[SENTENCES]) == list(phrases[SENTENCES])
    Phrases().save(tmp_path / "none")
    assert Phrases.load(tmp_path / "none").vocab == {}


@pytest.mark.parametrize("damage", ["missing", "truncated", "other word", "other chain", "options", "counts", "length"])
def test_damaged_phrases_are_refused(tmp_path, damage):
    Phrases(SENTENCES, **LOOSE, connector_words={"of"}).save(tmp_path)
    pairs = np.load(tmp_path / "pairs.npy")
    if damage == "missing":
        (tmp_path / "pairs.npy").unlink()
    elif damage == "truncated":
        (tmp_path / "pairs.npy").write_bytes((tmp_path / "pairs.npy").read_bytes()[:-8])
    elif damage == "other word":
        pairs[0] = 1000
        np.save(tmp_path / "pairs.npy", pairs)
    elif damage == "other chain":
        steps = np.load(tmp_path / "steps.npy")
        np.save(tmp_path / "steps.npy", steps | np.uint64(1 << 63))
    elif damage == "counts":
        np.save(tmp_path / "pair_counts.npy", np.zeros(len(pairs), np.int64))
    elif damage == "length":
        np.save(tmp_path / "pairs.npy", pairs[:-1])
    else:
        record = json.loads((tmp_path / "phrases.json").read_text())
        record["options"]["threshold"] = -1
        (tmp_path / "phrases.json").write_text(json.dumps(record))
    with pytest.raises(FolderError, match=re.escape(str(tmp_path))):
        Phrases.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_count": 0}, "min_count is 0: give a whole number of at least 1"),
        ({"min_count": True}, "min_count is True"),
        ({"min_count": 1.5}, "min_count is 1.5: give a whole number"),
        ({"min_count": math.inf}, "min_count is inf"),
        ({"threshold": 0}, "threshold is 0: give a number above 0"),
        ({"threshold": "high"}, "threshold is 'high'"),
        ({"threshold": 1.5, "scoring": "npmi"}, "threshold is 1.5: give a number from -1 to 1"),
        ({"scoring": "pmi"}, "scoring is 'pmi': give 'default' or 'npmi'"),
        ({"delimiter": ""}, "delimiter is ''"),
        ({"delimiter": "\n"}, "delimiter is"),
        ({"delimiter": 1}, "delimiter is 1, not a string"),
        ({"connector_words": "of"}, "connector_words is 'of': give a set of words"),
        ({"connector_words": [1]}, "connector_words holds 1: give strings"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_bad_options(options, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        Phrases(**options)


def test_bad_sentences():
    phrases = Phrases(SENTENCES, **LOOSE)
    with pytest.raises(CorpusError, match=r"the sentence is one string, 'new york': split it"):
        phrases["new york"]
    with pytest.raises(CorpusError, match="a sentence is one string"):
        phrases.find_phrases(["new york"])
    with pytest.raises(CorpusError, match="a sentence is one string"):
        list(phrases[[["new"], "york"]])
    with pytest.raises(CorpusError, match="dict"):
        phrases[{"new": 1}]
    with pytest.raises(CorpusError, match="is empty"):
        Phrases([])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"phrases": -1}, "phrases is -1: give a whole number from 0 to 10"),
        ({"phrase_threshold": 5.0}, "phrase_threshold is for phrases: add phrases=1"),
        ({"connector_words": {"of"}}, "connector_words is for phrases"),
        ({"phrases": 1, "phrase_min_count": 0}, "phrase_min_count is 0"),
        ({"phrases": 1, "phrase_threshold": -1.0}, "phrase_threshold is -1.0: give a number above 0"),
    ],
)
def test_bad_options_of_prepare(tmp_path, options, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        fastw2v.prepare(SENTENCES, tmp_path / "p", **options, progress=False)
    assert not (tmp_path / "p").exists()


def test_a_corpus_without_phrases_is_doubtful(tmp_path):
    with pytest.warns(FastW2VWarning, match="no two words are a phrase, so nothing is joined: lower phrase_threshold"):
        corpus = fastw2v.prepare([["a", "b"]], tmp_path / "p", min_count=1, phrases=2, progress=False)
    assert as_sentences(corpus) == [["a", "b"]]


def test_the_command(tmp_path, capsys):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(map(" ".join, SENTENCES)))
    options = ["--min-count=1", "--phrases=2", "--phrase-min-count=1", "--phrase-threshold=0.5"]
    assert main(["prepare", str(path), "-o", str(tmp_path / "p"), *options, "--connector-words=english"]) == 0
    record = json.loads((tmp_path / "p" / "prepared.json").read_text())["phrases"]
    assert (record["passes"], record["threshold"], record["min_count"], record["scoring"]) == (2, 0.5, 1, "default")
    assert set(record["connector_words"]) == ENGLISH_CONNECTOR_WORDS
    assert record["found"][0] > 0
    assert "bank_of_america" in open_prepared(tmp_path / "p").vocab.words
    assert main(["prepare", str(path), "-o", str(tmp_path / "q"), *options, "--connector-words=of, the"]) == 0
    assert json.loads((tmp_path / "q" / "prepared.json").read_text())["phrases"]["connector_words"] == ["of", "the"]
    capsys.readouterr()
    assert main(["prepare", str(path), "-o", str(tmp_path / "q"), "--phrase-threshold=3"]) == 2
    assert "--phrase-threshold is for phrases: add --phrases 1" in capsys.readouterr().err
    assert main(["prepare", str(path), "-o", str(tmp_path / "q"), "--phrases=1", "--phrase-threshold=0"]) == 2
    assert "--phrase-threshold is 0.0: give a number above 0" in capsys.readouterr().err


def test_training_on_a_prepared_folder_with_phrases_resumes(tmp_path):
    fastw2v.prepare(
        SENTENCES * 20,
        tmp_path / "p",
        min_count=1,
        phrases=1,
        phrase_threshold=0.02,
        phrase_min_count=1,
        progress=False,
    )
    options = {"vector_size": 5, "workers": 1, "progress": False, "output": tmp_path / "m"}
    fastw2v.train(tmp_path / "p", epochs=1, **options)
    resumed = fastw2v.train(tmp_path / "p", epochs=2, resume=True, **options)
    assert "new_york" in resumed


def test_a_cache_with_phrases_is_not_used_for_text_without(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(map(" ".join, SENTENCES * 20)))
    options = {"vector_size": 5, "workers": 1, "min_count": 1, "epochs": 1, "progress": False}
    fastw2v.train(path, output=tmp_path / "m", **options)
    manifest = tmp_path / "m" / "cache" / "prepared.json"
    record = json.loads(manifest.read_text())
    assert record["phrases"] is None
    joined = fastw2v.prepare(
        path, tmp_path / "p", min_count=1, phrases=1, phrase_threshold=0.02, phrase_min_count=1, progress=False
    )
    assert "new_york" in joined.vocab.words
    other = json.loads((tmp_path / "p" / "prepared.json").read_text())
    for name in ("ids.npy", "offsets.npy", "vocab.tsv"):
        (tmp_path / "p" / name).replace(manifest.parent / name)
    manifest.write_text(json.dumps(other | {"content": record["content"]}))
    assert "new_york" not in fastw2v.train(path, output=tmp_path / "m", **options)
