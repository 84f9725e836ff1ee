"""Scores against human judgement: word similarity and word analogies.

The evaluator works for vectors from any source. Pairs and questions with unknown words are skipped; every score reports
how many items were attempted, and out of how many. With subwords, words of pairs that are not in the vocabulary have
the vectors of their n-grams, and the score reports how many. See `judgements` for the files.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings
from .judgements import Question, read_analogies, read_similarity
from .subwords.table import Subwords
from .vectors.unseen import unseen_vectors

#: Number of scores in memory at once, questions times candidates: 64 MB.
BATCH_SCORES = 1 << 24


@dataclass(frozen=True)
class SimilarityScore:
    """Correlations between cosines and judgements.

    Attributes:
        file: the evaluation file.
        spearman: Spearman's rank correlation, from -1 to 1; None for fewer than two pairs, or if one side is constant.
        pearson: Pearson's correlation, likewise.
        attempted: pairs of which both words have a vector.
        total: pairs in the file.
        words: different words, as written, in the attempted pairs.
        from_ngrams: how many of them are not in the vocabulary, so that their vectors are made from n-grams.
    """

    file: str
    spearman: float | None
    pearson: float | None
    attempted: int
    total: int
    words: int = 0
    from_ngrams: int = 0

    @property
    def share_from_ngrams(self) -> float | None:
        """Share of the words that are made from n-grams, from 0 to 1; None for no words."""
        return self.from_ngrams / self.words if self.words else None

    @property
    def unknown(self) -> float | None:
        """Share of the pairs that have an unknown word, from 0 to 1; None for no pairs."""
        return _share_unknown(self.attempted, self.total)


@dataclass(frozen=True)
class AnalogyScore:
    """The number of analogies answered correctly.

    Attributes:
        section: the file's section, or "total".
        correct: questions whose first answer was right.
        attempted: questions with all words in the restricted vocabulary; of several right answers one is enough.
        total: questions in the file.
    """

    section: str
    correct: int
    attempted: int
    total: int

    @property
    def accuracy(self) -> float | None:
        """Correct over attempted; None if none was attempted."""
        return self.correct / self.attempted if self.attempted else None

    @property
    def unknown(self) -> float | None:
        """Share of the questions that have an unknown word, from 0 to 1; None for no questions."""
        return _share_unknown(self.attempted, self.total)


def _share_unknown(attempted: int, total: int) -> float | None:
    return (total - attempted) / total if total else None


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ranks from 1, shape ``(n,)``; equal values share the average of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return mean


def pearson(a: NDArray[np.floating], b: NDArray[np.floating]) -> float | None:
    """Return Pearson's correlation.

    Returns:
        None for fewer than two values, or if one side is constant or not finite.
    """
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()) or min(a) == max(a) or min(b) == max(b):
        return None
    x, y = a / np.abs(a).max(), b / np.abs(b).max()  # So that no square overflows.
    x, y = x - x.mean(), y - y.mean()
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(np.clip(x @ y / lengths, -1, 1)) if lengths else None


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float | None:
    """Return Spearman's rank correlation, which is Pearson's correlation of the `ranks`.

    Returns:
        None for fewer than two values, or if one side is constant or not finite.
    """
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return pearson(ranks(a), ranks(b))


def evaluate_similarity(
    embeddings: Embeddings, path: str | PathLike[str], case_insensitive: bool = True, known_only: bool = False
) -> SimilarityScore:
    """Score a word-similarity file such as WordSim-353 or SimLex-999; see `read_similarity` for the formats.

    Args:
        embeddings: the vectors, in any order.
        path: the file.
        case_insensitive: compare words by their upper-case forms, as gensim does; of several words with the same form
            the most frequent one counts, of equal counts the first one. False compares words as written.
        known_only: with subwords, skip pairs with words that are not in the vocabulary. Otherwise the
            vectors of these words are made from n-grams: if ``case_insensitive``, those of the word as written or in
            lower case, whichever has more n-grams of the training.

    Raises:
        FormatError: the file is malformed, or a vector is not finite.
    """
    pairs = read_similarity(path)
    wanted = dict.fromkeys(word for a, b, _ in pairs for word in (a, b))
    rows = _rows(embeddings, wanted, case_insensitive)
    unseen = [word for word in wanted if word not in rows]
    made = np.zeros((0, embeddings.vector_size), np.float32)
    if embeddings.subwords is not None and not known_only:
        unseen, made = _from_ngrams(embeddings.subwords, unseen, case_insensitive)
        rows |= {word: len(embeddings) + i for i, word in enumerate(unseen)}
    known = [(a, b, judged) for a, b, judged in pairs if a in rows and b in rows]
    first = np.array([rows[a] for a, _, _ in known], np.int64)
    second = np.array([rows[b] for _, b, _ in known], np.int64)
    cosines = np.zeros(len(known))
    batch = max(1, BATCH_SCORES // embeddings.vector_size)
    for i in range(0, len(known), batch):
        some = slice(i, i + batch)
        units = (_units(embeddings, made, first[some]), _units(embeddings, made, second[some]))
        cosines[some] = np.einsum("ij,ij->i", *units, dtype=np.float64)
    judged = np.array([score for _, _, score in known])
    words = {word for a, b, _ in known for word in (a, b)}
    return SimilarityScore(
        fspath(path),
        spearman(cosines, judged),
        pearson(cosines, judged),
        attempted=len(known),
        total=len(pairs),
        words=len(words),
        from_ngrams=sum(rows[word] >= len(embeddings) for word in words),
    )


def _from_ngrams(
    subwords: Subwords, words: Sequence[str], case_insensitive: bool
) -> tuple[list[str], NDArray[np.float32]]:
    """Return the words that have an n-gram of the training, and their vectors from n-grams, of length 1."""
    vectors, known = unseen_vectors(subwords, words, norm=True)
    if case_insensitive:
        lower, known_lower = unseen_vectors(subwords, [word.lower() for word in words], norm=True)
        better = known_lower > known
        vectors[better], known[better] = lower[better], known_lower[better]
    some = np.flatnonzero(known)
    return [words[i] for i in some.tolist()], vectors[some]


def _units(embeddings: Embeddings, made: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return vectors of length 1: those of the vocabulary, then, from row n_words on, those made from n-grams."""
    unit = np.empty((len(rows), embeddings.vector_size), np.float32)
    in_vocab = rows < len(embeddings)
    unit[in_vocab] = embeddings.unit_vectors(rows[in_vocab])
    unit[~in_vocab] = made[rows[~in_vocab] - len(embeddings)]
    return unit


def _by_frequency(embeddings: Embeddings) -> NDArray[np.int64]:
    """Return all rows, most frequent word first; words with the same count keep their order."""
    return np.argsort(-embeddings.vocab.counts, kind="stable")


def _rows(embeddings: Embeddings, wanted: Iterable[str], case_insensitive: bool) -> dict[str, int]:
    """Return the row of each wanted word that the vocabulary has."""
    if not case_insensitive:
        index = embeddings.vocab.index
        return {word: index[word] for word in wanted if word in index}
    wanted_forms = {word: word.upper() for word in wanted}
    unique = set(wanted_forms.values())
    rows = [row for row, form in enumerate(_upper(embeddings.words)) if form in unique]
    order = np.argsort(-embeddings.vocab.counts[rows], kind="stable")[::-1]
    # The last one put into the dictionary stays: the most frequent one.
    found = {embeddings.words[row].upper(): row for row in np.array(rows, np.int64)[order].tolist()}
    return {word: found[form] for word, form in wanted_forms.items() if form in found}


def _upper(words: Sequence[str]) -> list[str]:
    forms = "\n".join(words).upper().split("\n")  # This is three times faster than word by word.
    return forms if len(forms) == len(words) else [word.upper() for word in words]


def evaluate_analogies(
    embeddings: Embeddings, path: str | PathLike[str], restrict_vocab: int = 30_000, case_insensitive: bool = True
) -> list[AnalogyScore]:
    """Score analogies by 3CosAdd; the words of a question are not allowed as its answer.

    Args:
        embeddings: the vectors, in any order; of words with the same count, the first one ranks as more frequent.
        path: a file or a folder; see `read_analogies` for the formats.
        restrict_vocab: use only this many of the most frequent words, in questions and as answers. So no word is made
            from n-grams.
        case_insensitive: compare words by their upper-case forms, as gensim does; of several words with the same form
            questions use the most frequent one, and each of them is a right answer. False compares words as written.

    Returns:
        One score per section, in order, then one with section "total".

    Raises:
        FormatError: a file is malformed.
        ValueError: ``restrict_vocab`` is below 1.
    """
    if restrict_vocab < 1:
        raise ValueError(f"restrict_vocab is {restrict_vocab}: give at least 1")
    sections = read_analogies(path)
    most_frequent = _by_frequency(embeddings)[:restrict_vocab]
    unit = embeddings.unit_vectors(most_frequent)
    forms = [embeddings.words[row] for row in most_frequent.tolist()]
    if case_insensitive:
        forms = [form.upper() for form in forms]
    place = dict(zip(reversed(forms), range(len(forms) - 1, -1, -1), strict=True))
    same = np.array([place[form] for form in forms], np.int64)
    batch = max(1, BATCH_SCORES // len(unit))
    scores = []
    for section, questions in sections.items():
        asked, right = _places(place, questions, case_insensitive)
        correct = 0
        for i in range(0, len(asked), batch):
            answers = _answers(unit, same, asked[i : i + batch]).tolist()
            correct += sum(answer in some for answer, some in zip(answers, right[i : i + batch], strict=True))
        scores.append(AnalogyScore(section, correct, len(asked), len(questions)))
    scores.append(
        AnalogyScore(
            "total", sum(s.correct for s in scores), sum(s.attempted for s in scores), sum(s.total for s in scores)
        )
    )
    return scores


def _places(
    place: dict[str, int], questions: list[Question], case_insensitive: bool
) -> tuple[NDArray[np.int64], list[list[int]]]:
    """Return the places of three words, shape ``(n, 3)``, and of the right answers, for questions of known words."""
    asked, right = [], []
    for question in questions:
        if case_insensitive:
            question = tuple(word.upper() for word in question)
        places = [place.get(word, -1) for word in question]
        answers = [answer for answer in places[3:] if answer >= 0]
        if answers and min(places[:3]) >= 0:
            asked.append(places[:3])
            right.append(answers)
    return np.array(asked, np.int64).reshape(-1, 3), right


def _answers(unit: NDArray[np.float32], same: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each question's answer, -1 if no word is left.

    ``same`` maps places of words that differ only in case to the first of them. If a question holds one of these words,
    none of them is its answer.
    """
    a, b, c = asked.T
    # Queries are not scaled to length 1; that does not change the order.
    cosines = (unit[b] - unit[a] + unit[c]) @ unit.T
    each = np.arange(len(asked))
    cosines[each[:, None], asked] = -np.inf
    best = np.argmax(cosines, axis=1)
    wrong = each
    while len(wrong := wrong[(same[best[wrong], None] == asked[wrong]).any(1)]):
        left = cosines[wrong, best[wrong]] > -np.inf
        best[wrong[~left]] = -1
        wrong = wrong[left]
        cosines[wrong, best[wrong]] = -np.inf
        best[wrong] = np.argmax(cosines[wrong], axis=1)
    return np.where(best < 0, -1, same[best])


def as_record(score: SimilarityScore | AnalogyScore) -> dict[str, Any]:
    """Return a score as a JSON-able dictionary."""
    record = asdict(score) | {"unknown": score.unknown}
    if isinstance(score, AnalogyScore):
        record["accuracy"] = score.accuracy
    else:
        record["share_from_ngrams"] = score.share_from_ngrams
    return record
