"""The bench of n-grams: which words are taken out, what is asked about them, and what its table shows."""

import argparse
import re
import sys
from itertools import pairwise

import numpy as np
import pytest

import fastw2v
from bench import peers, quality, report, subwords, systems
from fastw2v import Embeddings
from fastw2v.config import TrainConfig
from fastw2v.vocab import Vocab

#: A peer that trains nothing: its words with vectors by their letters, so that forms are near their bases.
FAKE = """
import collections
words = dict.fromkeys(open("corpus.txt").read().split())
with open("vectors.vec", "w") as file:
    print(len(words), 26, file=file)
    for word in words:
        found = collections.Counter(word)
        print(word, *(found[letter] for letter in "abcdefghijklmnopqrstuvwxyz"), file=file)
print("trained 0.250000")
"""
STEMS = [a + b + c + "end" for a in "bdfg" for b in "aeio" for c in "klm"]  # 48 bases


def vocab_of(**counts):
    return Vocab(tuple(counts), np.array(list(counts.values())))


@pytest.fixture
def vocab():
    """Frequent bases, then usual forms, then rare ones, then other words that are judged."""
    words = dict.fromkeys(STEMS, 500) | {f"{stem}s": 50 for stem in STEMS[:40]}
    words |= {f"{stem}ing": 9 for stem in STEMS[20:]}
    return vocab_of(**words, cats=8, dogs=7, pony=6, mule=5)


@pytest.fixture
def judged(tmp_path):
    path = tmp_path / "judged.tsv"
    path.write_text(f"Cats\tdogs\t9\n{STEMS[0]}\tmule\t2\npony\tnosuch\t3\n{STEMS[1]}\tpony\t1\n")
    return path


def test_the_words_that_are_taken_out_follow_from_the_text_alone(vocab, judged, monkeypatch):
    chosen = subwords.held_out(vocab, [judged])
    assert chosen == subwords.held_out(vocab, [judged])
    forms = {form for form, _ in chosen.unseen}
    judged_held = set(chosen.held) - forms
    assert len(judged_held) == 1  # a quarter of the six judged words
    assert judged_held <= {"dogs", "mule", "pony"}  # the rarer word of a pair
    assert [vocab.index[word] for word in chosen.held] == sorted(vocab.index[word] for word in chosen.held)
    assert len(chosen.unseen) == 40
    assert len(chosen.rare) == 28
    assert {form for form, base in chosen.unseen if form == base + "s"} == forms
    assert all(form == base + "ing" for form, base in chosen.rare)
    monkeypatch.setattr(subwords, "SEED", 2)
    assert subwords.held_out(vocab, [judged]).unseen != chosen.unseen
    monkeypatch.setattr(subwords, "FORMS", 5)
    assert [len(some) for some in subwords.held_out(vocab, [judged])[1:]] == [5, 5]


def test_a_base_is_never_taken_out(monkeypatch):
    chain = vocab_of(help=900, helper=800, helpers=700, helping=600, other=500)
    for seed in range(10):
        monkeypatch.setattr(subwords, "SEED", seed)
        chosen = subwords.held_out(chain, [])
        assert chosen.unseen
        assert not {base for _, base in chosen.unseen} & set(chosen.held)


def test_words_are_taken_out_of_a_text(tmp_path):
    source, target = tmp_path / "source.txt", tmp_path / "target.txt"
    source.write_text("a b c\nb b\nc\xe9 bb\n")
    subwords.take_out(["b", "c\xe9"], source, target)
    assert target.read_text() == "a c\n\nbb\n"


def test_a_form_is_right_if_its_base_is_near(monkeypatch):
    monkeypatch.setattr(subwords, "NEAREST", 1)
    monkeypatch.setattr(quality, "RESTRICT_VOCAB", 3)
    found = Embeddings(
        vocab_of(east=9, west=8, wests=7, rare=6), np.array([[1, 0], [0, 2], [1, 2], [0, 9]], np.float32)
    )
    forms = [("easts", "east"), ("wests", "west"), ("norths", "west"), ("rares", "rare"), ("souths", "east")]
    vectors = np.array([[9, 1], [1, 2], [3, 1], [1, 1], [0, 0]], np.float32)
    # Its own row is no neighbour of wests; norths is nearer to east; rare is not asked; souths is not known at all.
    assert subwords.nearest_share(found, forms, vectors) == {"score": 50.0, "attempted": 4, "total": 5}
    monkeypatch.setattr(subwords, "NEAREST", 3)
    assert subwords.nearest_share(found, forms, vectors)["score"] == 75.0
    assert subwords.nearest_share(found, [], vectors[:0]) == {"score": None, "attempted": 0, "total": 0}


def test_only_pairs_with_a_word_that_was_taken_out_are_asked():
    found = Embeddings(vocab_of(a=9, b=8, c=7), np.array([[1, 0], [0, 1], [1, 1]], np.float32))
    pairs = [("a", "b", 5.0), ("x", "a", 1.0), ("b", "x", 3.0), ("x", "c", 2.0)]
    vectors = np.array([[1, 9]], np.float32)  # cosines with x: a the least, then c, then b
    assert subwords.unseen_similarity(found, ["x"], vectors, pairs) == {"score": 100.0, "attempted": 3, "total": 4}
    against = [(a, b, -score) for a, b, score in pairs]
    assert subwords.unseen_similarity(found, ["x"], vectors, against)["score"] == -100.0
    assert subwords.unseen_similarity(found, [], vectors[:0], pairs) == {"score": None, "attempted": 0, "total": 4}


def test_our_vectors_of_unseen_words_are_those_of_their_ngrams():
    sentences = [["walk", "walking", "talk", "talking"]] * 20
    options = {"vector_size": 8, "min_count": 1, "epochs": 1, "workers": 1, "max_n": 4, "progress": False}
    with pytest.warns(fastw2v.FastW2VWarning):
        found = fastw2v.train(sentences, **options)
    vectors = subwords.unseen_vectors(found, None, ["talked"])
    assert vectors.shape == (1, 8)
    np.testing.assert_array_equal(vectors, found.subwords.vectors(["talked"])[0])


def program(folder, source):
    """Write a program that takes fastText's place."""
    path = folder / "fasttext"
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(0o755)
    return path


def test_fasttext_is_asked_for_vectors_and_its_threads_can_be_few(tmp_path, monkeypatch):
    echo = "import sys\nfor line in sys.stdin: print(line.strip(), len(line), 0.5, '')"
    path = program(tmp_path, echo)
    monkeypatch.setattr(systems, "build", lambda *arguments: (path, {}))
    monkeypatch.setattr(systems, "clock", lambda: None)
    job = systems.Job(tmp_path / "corpus.txt", TrainConfig(workers=2))
    assert systems.fasttext_vectors(job, ["ab", "cde"]).tolist() == [[3, 0.5], [4, 0.5]]
    threads = [systems.fasttext_defaults(*few).command(job)[-1] for few in ((), (1,))]
    assert threads == ["10", "2"]
    program(tmp_path, "import sys\nsys.exit('no model')")
    with pytest.raises(SystemExit, match=r"(?s)print-word-vectors.*failed with 1.*no model"):
        systems.fasttext_vectors(job, ["ab"])
    program(tmp_path, "print('cd 1')")
    with pytest.raises(SystemExit, match="print-word-vectors"):
        systems.fasttext_vectors(job, ["ab"])


def test_our_command_has_fasttexts_options(tmp_path):
    arguments = argparse.Namespace(seeds=[3, 4], epochs=[2, 5], quick=False)
    configs = subwords.configs_of(arguments)
    assert [(config.seed, config.epochs) for config in configs] == [(3, 2), (3, 5), (4, 2), (4, 5)]
    arguments.quick = True
    assert len(subwords.configs_of(arguments)) == 1
    made = {name: subwords.SYSTEMS[name]() for name in (peers.OURS, subwords.WORDS)}
    commands = {name: of.command(systems.Job(tmp_path / "corpus.txt", configs[0])) for name, of in made.items()}
    for command in commands.values():
        assert {"--ns-exponent=0.5", "--sample=0.0001", "--alpha=0.05", "--min-alpha=0.0"} < set(command)
    assert [word for word in commands[peers.OURS] if word not in commands[subwords.WORDS]] == ["--max-n=6"]
    assert made[peers.OURS].origin["max_n"] == "max_n 6"


def test_both_texts_are_run_scored_and_reported(tmp_path, results, monkeypatch, capsys):
    fake = systems.System(lambda job: [sys.executable, "-c", FAKE], "vectors.vec", {"version": "fake 1"})
    asked = []

    def unseen_vectors(found, job, words):
        asked.append(list(words))
        assert not set(words) & set(job.text.read_text().split())
        return np.array([[word.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for word in words], np.float32)

    monkeypatch.setattr(subwords, "SYSTEMS", dict.fromkeys(("a", "b", subwords.WORDS), lambda: fake))
    monkeypatch.setattr(subwords, "unseen_vectors", unseen_vectors)
    lines = [f"{stem} {stem}s {stem}ing" for stem in STEMS] * 6 + [f"{stem} {stem}s of it" for stem in STEMS] * 20
    text, judged = tmp_path / "text.txt", tmp_path / "judged.tsv"
    text.write_text("\n".join(lines))
    judged.write_text("".join(f"{a}\t{b}\t{i % 7}\n" for i, (a, b) in enumerate(pairwise(STEMS))))
    given = {"corpus": text, "tokens": None, "similarity": [judged], "analogies": [], "systems": None, "epochs": [1]}
    subwords.run(argparse.Namespace(**given, seeds=[1, 2], seen_only=False, quick=False))
    written = report.records("subwords")
    assert [line["system"] for line in written] == ["a", "b", subwords.WORDS] * 2 + ["a", "b"] * 2
    whole, part = written[0], written[-1]
    assert set(whole["scores"]) == {"judged", subwords.RARE_FORMS}
    assert set(part["scores"]) == {subwords.UNSEEN_FORMS, "unseen judged"}
    assert part["corpus"]["held_out"] == len(asked[0])
    assert part["scores"]["unseen judged"]["attempted"] > 0
    assert part["scores"][subwords.UNSEEN_FORMS]["score"] > 50
    assert whole["command"] == ("python -m bench subwords text.txt --similarity judged.tsv --epochs 1 --seeds 1 2")
    shown = subwords.blocks()["subwords"]
    assert shown in capsys.readouterr().out
    assert f"without {len(asked[0])} words for unseen words" in shown
    subwords.run(argparse.Namespace(**given, seeds=[1], seen_only=True, quick=True))
    assert len(report.records("subwords")) == len(written) + 3
    assert subwords.blocks() == {"subwords": shown}  # a quick run is no result


def run_of(system, seconds, score, *, held=0, **more):
    """A result as `subwords` writes it."""
    found = {"wordsim353": score, "simlex999": score / 2, "questions-words": score / 4}
    corpus = {"name": "a.txt", "tokens": 1000, "words": 9}
    if held:
        found, corpus = {"unseen forms": score + 1}, corpus | {"tokens": 990, "held_out": held, "held_out_of": 1000}
    return {
        "command": "a command", "date": "2026-11-29", "versions": {"fastw2v": "1"}, "batch": "b", "round": 1,
        "machine": {"cpu": "a CPU", "cpu_family_model": "1/2", "usable_cores": 2}, "seed": 1, "system": system,
        "beside": None, "made": {"version": f"{system} 1"}, "corpus": corpus, "config": {"vector_size": 100,
        "window": 5, "negative": 5, "sample": 1e-4, "alpha": 0.05, "epochs": 1, "workers": 2},
        "seconds": 2 * seconds, "train_seconds": seconds, "tokens_per_s": 1e6 / seconds,
        "peak_rss_mb": 100 * seconds, "busy_elsewhere": 0.05,
        "scores": {name: {"score": value, "attempted": 3, "total": 4} for name, value in found.items()},
    } | more  # fmt: skip


def test_the_table_has_costs_and_scores_of_both_texts(monkeypatch):
    lines = [run_of("fastw2v", 2.0, 40.0), run_of("fastText", 30.0, 36.0), run_of(subwords.WORDS, 1.0, 30.0)]
    lines += [run_of("fastw2v", 2.0, 50.0, held=10), run_of("fastText", 9.0, 48.0, held=10)]
    monkeypatch.setattr(report, "full_records", lambda bench: lines)
    shown = subwords.blocks()["subwords"]
    assert "| fastText | 1 | 0.033 | 30.0 | 60.0 | 3,000 | 15.0 | 15.0 | 15.0 |" in shown
    assert f"| {subwords.WORDS} | 1 | 1.00 | 1.00 | 2.00 | 100 | 0.50 | 0.50 | 0.50 |" in shown
    assert "| fastw2v | 1 | 1 | 23.3 | 40.0 | 20.0 | 10.0 | 51.0 |" in shown
    assert "| fastText | 1 | 1 | 21.0 | 36.0 | 18.0 | 9.0 | 49.0 |" in shown
    assert f"| {subwords.WORDS} | 1 | 1 | 17.5 | 30.0 | 15.0 | 7.5 | |" in shown
    lines += [run_of(name, 8.0, 40.0, busy_elsewhere=0.5, seed=2, round=2) for name in ("fastw2v", "fastText")]
    disturbed = subwords.blocks()["subwords"]
    assert re.search(r"\| fastText \| 1 \| 0.033 \| 30.0 \| 60.0 \| [^|]* \| 15.0 \| 15.0 \| 15.0 \|", disturbed)
    monkeypatch.setattr(report, "full_records", lambda bench: lines[-2:])
    assert "| fastText | 1 | 0.12 | 8.00 | 16.0 | 800 | 1.00 |" in subwords.blocks()["subwords"]
    other = run_of("fastw2v", 3.0, 20.0, corpus={"name": "b", "tokens": 5, "words": 9})
    monkeypatch.setattr(report, "full_records", lambda bench: [*lines, other])
    shown = subwords.blocks()["subwords"]
    assert "fastText |" not in shown  # another text, another table
    assert "for unseen words" not in shown
