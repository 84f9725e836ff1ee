"""``subwords``: vectors composed of n-grams, beside fastText with its defaults, and beside our own whole words.

All programs have fastText's defaults, and take turns as in ``peers``: a round runs every peer once, and fastw2v with
n-grams beside each. A round is one seed with one number of epochs, on two texts:

- The text as it is: speed, memory, the scores of ``quality``, and those of rare forms.
- The text without some words, which `held_out` chooses: the scores of words that were never seen. fastText makes their
  vectors with its ``print-word-vectors``.

A *form* is a word that is another frequent word, its *base*, with a suffix of `SUFFIXES`. Its score is the share of
forms whose base is among the `NEAREST` words that are nearest to it, of the 30,000 most frequent ones. Rare forms occur
fewer than `RARE` times. Unseen forms occur more often, and are taken out of the text. Unseen pairs are the pairs of
words of the files of similarities that have a word which was taken out.
"""

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v import Embeddings
from fastw2v.config import TrainConfig
from fastw2v.evaluate import spearman
from fastw2v.judgements import read_similarity
from fastw2v.machine import usable_cores
from fastw2v.vocab import Vocab

from . import peers, quality, report, systems
from .quality import Point
from .report import Record
from .systems import Job, System

HELP = "n-grams beside fastText's defaults and beside whole words: speed, memory, seen, rare and unseen words"
WORDS = "fastw2v, whole words"
FASTTEXT = "fastText"
#: In the order in which they take turns. fastText has the threads that `systems.FASTTEXT_THREADS` explains; with as
#: many threads as workers its CPU time is shared as ours, and most of its rows start as zeros.
SYSTEMS: dict[str, Callable[[], System]] = {
    peers.OURS: lambda: systems.fastw2v_with("tile", max_n=6),
    FASTTEXT: systems.fasttext_defaults,
    f"{FASTTEXT}, as many threads": lambda: systems.fasttext_defaults(least_threads=1),
    WORDS: lambda: systems.fastw2v_with("tile", max_n=0),
}
SUFFIXES = ("s", "ed", "ing", "er", "ly", "ness")
SHORTEST = 4  # letters of a base
RARE = 20
FORMS = 500  # of each kind
HELD = 4  # One in this many of the judged words is taken out.
NEAREST = 10
SEED = 1  # of the choice of words; the runs have seeds of their own
RARE_FORMS, UNSEEN_FORMS = "rare forms", "unseen forms"

Form = tuple[str, str]  # the form and its base


# ----------------------------------------------------------------------------------------------- rare and unseen words


class Chosen(NamedTuple):
    """The words that are taken out of a text, and the questions.

    Attributes:
        held: the words that are taken out, in the order of the vocabulary.
        unseen: forms that are taken out, whose bases stay.
        rare: forms that stay.
    """

    held: list[str]
    unseen: list[Form]
    rare: list[Form]


def spelled(word: str, vocab: Vocab) -> str:
    """Return a judged word as the vocabulary spells it, if it has it: as it is, or in lower case."""
    return word if word in vocab.index else word.lower()


def judged_pairs(path: Path, vocab: Vocab) -> list[tuple[str, str, float]]:
    """Return the pairs of a file of similarities of which both words are in the vocabulary."""
    pairs = [(spelled(a, vocab), spelled(b, vocab), score) for a, b, score in read_similarity(path)]
    return [pair for pair in pairs if pair[0] in vocab.index and pair[1] in vocab.index]


def forms_of(vocab: Vocab) -> list[Form]:
    """Return all forms of a vocabulary with their bases, in its order."""
    bases = {word for word in vocab.words[: quality.RESTRICT_VOCAB] if len(word) >= SHORTEST}
    return [
        (word, word.removesuffix(suffix))
        for word in vocab.words
        for suffix in SUFFIXES
        if word.endswith(suffix) and word.removesuffix(suffix) in bases
    ]


def held_out(vocab: Vocab, similarity: Sequence[Path]) -> Chosen:
    """Choose the words to take out of a text, and the questions about them, from `SEED` alone.

    Of the judged pairs in random order, the rarer word is taken out, until one in `HELD` judged words is. Then come
    unseen and rare forms in random order, at most `FORMS` of each kind, but none whose base is taken out.
    """
    rng = np.random.default_rng(SEED)
    pairs = [pair for path in similarity for pair in judged_pairs(path, vocab)]
    most = len({word for a, b, _ in pairs for word in (a, b)}) // HELD
    held: set[str] = set()
    for place in rng.permutation(len(pairs)).tolist():
        if len(held) < most:
            held.add(max(pairs[place][:2], key=lambda word: vocab.index[word]))
    forms, kept, unseen, rare = forms_of(vocab), set[str](), list[Form](), list[Form]()
    for place in rng.permutation(len(forms)).tolist():
        form, base = forms[place]
        if base in held or form in held or form in kept:
            continue
        is_rare = vocab.counts[vocab.index[form]] < RARE
        found = rare if is_rare else unseen
        if len(found) < FORMS:
            found.append((form, base))
            kept |= {base, form} if is_rare else {base}
            held |= set() if is_rare else {form}
    return Chosen(sorted(held, key=lambda word: vocab.index[word]), unseen, rare)


def take_out(held: Sequence[str], source: Path, target: Path) -> None:
    """Copy a text without some words."""
    gone = {word.encode() for word in held}
    with open(source, "rb") as lines, open(target, "wb") as copy:
        copy.writelines(b" ".join(word for word in line.split() if word not in gone) + b"\n" for line in lines)


# -------------------------------------------------------------------------------------------------------- their scores


def units(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths, lengths, np.float32(1))


def nearest_share(found: Embeddings, forms: Sequence[Form], vectors: NDArray[np.float32]) -> dict[str, Any]:
    """Return the share of forms whose base is among the nearest words.

    Args:
        found: vectors of the vocabulary, most frequent first; the first ones are asked.
        forms: the forms.
        vectors: float32 ``(n_forms, vector_size)``, those of the forms.
    """
    asked = quality.RESTRICT_VOCAB
    cosines = units(vectors) @ units(found.vectors[:asked]).T
    correct = attempted = 0
    for (form, base), vector, row in zip(forms, vectors, cosines, strict=True):
        place = found.vocab.index[base]
        if place >= asked:
            continue
        attempted += 1
        if found.vocab.index.get(form, asked) < asked:
            row[found.vocab.index[form]] = -2
        correct += bool(vector.any()) and int(np.count_nonzero(row > row[place])) < NEAREST
    return quality.score_facts(correct / attempted if attempted else None, attempted, len(forms))


def unseen_similarity(
    found: Embeddings, held: Sequence[str], vectors: NDArray[np.float32], pairs: Sequence[tuple[str, str, float]]
) -> dict[str, Any]:
    """Return Spearman's correlation over the pairs that have a word which was taken out.

    Args:
        found: vectors of the vocabulary.
        held: the words that were taken out.
        vectors: float32 ``(n_held, vector_size)``, theirs.
        pairs: judged pairs of the whole text's vocabulary.
    """
    row = dict(zip(held, vectors, strict=True))
    asked = [(a, b, score) for a, b, score in pairs if a in row or b in row]
    if not asked:
        return quality.score_facts(None, 0, len(pairs))
    row |= {word: found[word] for pair in asked for word in pair[:2] if word not in row}
    first, second = (units(np.array([row[pair[i]] for pair in asked])) for i in (0, 1))
    cosines = np.einsum("ij,ij->i", first, second, dtype=np.float64)
    judged = np.array([score for _, _, score in asked])
    return quality.score_facts(spearman(cosines, judged), len(asked), len(pairs))


def unseen_vectors(found: Embeddings, job: Job, words: Sequence[str]) -> NDArray[np.float32]:
    """Return what the program of a run makes of words that it has not seen, ``(n_words, vector_size)``."""
    return systems.fasttext_vectors(job, words) if found.subwords is None else found.subwords.vectors(words)[0]


# ------------------------------------------------------------------------------------------------------------ the runs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    peers.add_text(parser)
    quality.add_files(parser)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, metavar="NAME", help=f"default: {'; '.join(SYSTEMS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1], metavar="N", help="default: 1")
    parser.add_argument("--seen-only", action="store_true", help="leave out the runs on the text without some words")


def configs_of(arguments: argparse.Namespace) -> list[TrainConfig]:
    """Return fastText's defaults for each seed and number of epochs; ``--quick`` takes the first of both."""
    shown = slice(1) if arguments.quick else slice(None)
    return [
        TrainConfig(
            ns_exponent=0.5, sample=1e-4, alpha=0.05, min_alpha=0.0, epochs=epochs, seed=seed, workers=usable_cores()
        )
        for seed in arguments.seeds[shown]
        for epochs in arguments.epochs[shown]
    ]


def run(arguments: argparse.Namespace) -> None:
    """Run on both texts, score and record; without evaluation files the planted answers of a synthetic text count."""
    command = (
        f"python -m bench subwords{peers.choice_of(arguments)}{quality.files_of(arguments)} "
        f"--epochs {' '.join(map(str, arguments.epochs))} --seeds {' '.join(map(str, arguments.seeds))}"
        f"{' --seen-only' * arguments.seen_only}"
    )
    found = {name: SYSTEMS[name]() for name in arguments.systems or SYSTEMS}
    configs, quick = configs_of(arguments), arguments.quick
    with peers.text_of(arguments.corpus, peers.tokens_of(arguments)) as (text, corpus, sizes):
        similarity, analogies = quality.evaluation_files(arguments, text)
        chosen = held_out(corpus.vocab, similarity)

        def look(vectors: Embeddings) -> dict[str, Any]:
            seen = quality.scores(vectors, corpus.vocab, similarity, analogies)
            ordered = systems.in_order(vectors, corpus.vocab)
            rows = ordered.vectors[[corpus.vocab.index[form] for form, _ in chosen.rare]]
            seen["scores"][RARE_FORMS] = nearest_share(ordered, chosen.rare, rows)
            return seen

        lines = peers.run_all("subwords", command, found, text, sizes, configs, quick, look)
        if not arguments.seen_only:
            found.pop(WORDS, None)
            lines += run_unseen(command, found, (text, corpus.vocab, sizes), configs, quick, chosen, similarity)
    print(table(lines))


def run_unseen(
    command: str,
    found: dict[str, System],
    whole: tuple[Path, Vocab, dict[str, Any]],
    configs: list[TrainConfig],
    quick: bool,
    chosen: Chosen,
    similarity: Sequence[Path],
) -> list[Record]:
    """Run the systems on a text without some words; return the results.

    Args:
        command: the command line of this bench.
        found: the systems by name.
        whole: the text, its vocabulary and facts about it.
        configs: one for each round.
        quick: whether this is a trial run.
        chosen: the words and the questions.
        similarity: the files of similarities.
    """
    text, vocab, sizes = whole
    labels = {f"unseen {quality.LABELS.get(path.stem, path.stem)}": path for path in similarity}
    pairs = {name: judged_pairs(path, vocab) for name, path in labels.items()}
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as folder:
        part = Path(folder) / sizes["name"]
        take_out(chosen.held, text, part)
        with peers.text_of(part, None) as (left, corpus, left_sizes):

            def look(vectors: Embeddings) -> dict[str, Any]:
                ordered = systems.in_order(vectors, corpus.vocab)
                rows = unseen_vectors(vectors, Job(left, configs[0]), chosen.held)
                place = {word: i for i, word in enumerate(chosen.held)}
                scores = {name: unseen_similarity(ordered, chosen.held, rows, of) for name, of in pairs.items()}
                of_forms = rows[[place[form] for form, _ in chosen.unseen]]
                return {"scores": {UNSEEN_FORMS: nearest_share(ordered, chosen.unseen, of_forms)} | scores}

            left_sizes |= {"held_out": len(chosen.held), "held_out_of": sizes["tokens"]}
            return peers.run_all("subwords", command, found, left, left_sizes, configs, quick, look)


# ----------------------------------------------------------------------------------------------------------- the table


def halves(lines: list[Record]) -> tuple[list[Point], list[Point]]:
    """Return the runs on the newest whole text, and those on the text without some words that was made from it."""
    whole = [line for line in lines if "held_out" not in line["corpus"]]
    whole = [line for line in whole if line["corpus"] == whole[-1]["corpus"]]
    part = [line for line in lines if whole and line["corpus"].get("held_out_of") == whole[-1]["corpus"]["tokens"]]
    part = [line for line in part if line["corpus"] == part[-1]["corpus"]]
    return quality.points(whole) if whole else [], quality.points(part) if part else []


def couples(found: list[Point], peer: Point) -> list[peers.Couple]:
    """Return the runs of a peer, each with ours beside it; only undisturbed ones if there are some."""
    ours = [line for point in found if point.system == peers.OURS for line in point.scored]
    pairs = peers.couples(peer.scored, ours)
    return [pair for pair in pairs if len(quality.quiet_runs(list(pair))) == len(pair)] or pairs


def costs(found: list[Point]) -> str:
    """Return the table of seconds and memory, in Markdown."""
    rows = []
    for point in found:
        pairs = couples(found, point)
        rows.append([
            point.system,
            str(point.epochs),
            peers.median_text(point.figures("tokens_per_s"), report.millions),
            peers.median_text(peers.values(point.timed, "train_seconds")),
            peers.median_text(point.figures("seconds")),
            peers.median_text(point.figures("peak_rss_mb")),
            peers.median_text(peers.ratios(pairs, lambda line: line["train_seconds"])),
            peers.median_text(peers.ratios(pairs, lambda line: line["seconds"])),
            peers.median_text(peers.ratios(pairs, lambda line: line["peak_rss_mb"])),
        ])  # fmt: skip
    header = ["", "epochs", "M tokens/s in training", "seconds in training", "seconds, text to saved vectors"]
    header += ["peak memory, MB", "its seconds / fastw2v's, in training", "text to saved vectors", "memory"]
    return report.markdown(header, rows)


def mean_of_three(point: Point) -> str:
    """Return the mean of the scores that have `quality.LABELS`; an empty text if one is missing."""
    means = [point.mean(name) for name in quality.LABELS]
    return f"{statistics.fmean(means):.1f}" if all(map(math.isfinite, means)) else ""


def scores_table(found: list[Point], unseen: list[Point]) -> str:
    """Return the table of scores, in Markdown."""
    other = {(point.system, point.epochs): point for point in unseen}
    names, unseen_names = quality.score_names(found), quality.score_names(unseen)
    has_three = set(quality.LABELS) <= set(names)
    rows = []
    for point in found:
        row = [point.system, str(point.epochs), str(len(point.lines)), *[mean_of_three(point)] * has_three]
        row += [quality.with_spread(point, name) for name in names]
        half = other.get((point.system, point.epochs))
        rows.append(row + [quality.with_spread(half, name) if half else "" for name in unseen_names])
    header = ["", "epochs", "seeds", *["mean of the next three"] * has_three, *names.values()]
    return report.markdown([*header, *unseen_names.values()], rows)


def questions(points: list[Point]) -> str:
    """Return how many questions of each kind were asked."""
    asked: dict[str, int] = {}
    for point in points:
        asked |= {name: of["attempted"] for line in point.lines for name, of in line["scores"].items()}
    return ", ".join(f"{quality.LABELS.get(name, name)} {count:,}" for name, count in asked.items())


def table(lines: list[Record]) -> str:
    """Return the tables of these runs, in Markdown."""
    found, unseen = halves(lines)
    if not found:
        return ""
    shown = [line for point in found + unseen for line in point.lines]
    config, corpus = found[-1].lines[-1]["config"], found[-1].lines[-1]["corpus"]
    held = unseen[-1].lines[-1]["corpus"]["held_out"] if unseen else 0
    taken = f", without {held:,} words for unseen words" if held else ""
    shares = [100 * line["busy_elsewhere"] for point in found for line in point.timed]
    return (
        f"{costs(found)}\n\n{scores_table(found, unseen)}\n\n"
        f"The first {corpus['tokens'] / 1e6:.3g} M words of {corpus['name']}, {corpus['words']:,} different ones"
        f"{taken}; fastText's defaults for all: vector_size {config['vector_size']}, window {config['window']}, "
        f"negative {config['negative']}, sample {config['sample']:g}, alpha {config['alpha']:g} to 0, n-grams of 3 to "
        f"6 characters in 2,000,000 buckets. fastw2v has {config['workers']} workers, and fastText "
        f"{max(config['workers'], systems.FASTTEXT_THREADS)} threads on as many cores, without which most of its rows "
        f'start as zeros, or {config["workers"]} ("as many threads"). Costs are medians and scores are means over '
        "the seeds, in brackets the largest minus the smallest. A ratio is that of two runs beside each other. Times "
        f"are those of runs during which others used at most {100 * quality.LITTLE:.0f} % of the machine, if there are "
        "some. Scores "
        f"are 100 x Spearman, per cent of the analogies (restrict-vocab {quality.RESTRICT_VOCAB:,}), and per cent of "
        f"the forms, such as a plural, whose base is among the {NEAREST} nearest words. Rare forms occur fewer than "
        f"{RARE} times. Unseen words were taken out of the text. Questions: {questions(found + unseen)}. Others used "
        f"{statistics.median(shares):.0f} % of the machine (median; at most {max(shares):.0f} %). "
        f"{peers.programs(shown)} {report.source(*shown)}"
    )


def blocks() -> dict[str, str]:
    """Return the tables of the newest text."""
    made = table(report.full_records("subwords"))
    return {"subwords": made} if made else {}
