"""Scores against human judgement: word similarity and word analogies.

The evaluator works for vectors from any source. It lower-cases the words of evaluation files and skips pairs and
questions with unknown words; every score reports how many items were attempted, and out of how many.
"""

from dataclasses import asdict, dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings
from .errors import FormatError

#: Number of scores in memory at once, questions times candidates: 64 MB.
BATCH_SCORES = 1 << 24


@dataclass(frozen=True)
class SimilarityScore:
    """Spearman's rank correlation between cosines and judgements.

    Attributes:
        file: the evaluation file.
        spearman: from -1 to 1; None for fewer than two pairs, or if one side is constant.
        attempted: pairs with both words in the vocabulary.
        total: pairs in the file.
    """

    file: str
    spearman: float | None
    attempted: int
    total: int


@dataclass(frozen=True)
class AnalogyScore:
    """The number of analogies answered correctly.

    Attributes:
        section: the file's section, or "total".
        correct: questions whose fourth word was the first answer.
        attempted: questions with all four words in the restricted vocabulary.
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


def _lines(path: str | PathLike[str]) -> list[tuple[int, str]]:
    """Return (number, text) of every line that is neither blank nor a ``#`` comment."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise FormatError(f"cannot read {fspath(path)}: {error.strerror or error}") from error
    lines = []
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise FormatError(f"{fspath(path)} line {number} is not UTF-8 text") from None
        if line and not line.startswith("#"):
            lines.append((number, line))
    return lines


def read_similarity(path: str | PathLike[str]) -> list[tuple[str, str, float]]:
    """Read ``word word score`` lines, separated by tab, comma or space; ``#`` starts a comment line.

    Raises:
        FormatError: the file can't be read, has no pair, or has a malformed line, which the message names.
    """
    pairs = []
    for number, line in _lines(path):
        separator = next((s for s in ("\t", ",") if s in line), None)
        fields = [field.strip() for field in line.split(separator)]
        try:
            first, second, score = fields
            pairs.append((first.lower(), second.lower(), float(score)))
        except ValueError:
            raise FormatError(
                f"{fspath(path)} line {number} is {line!r:.80}: expected two words and a number"
            ) from None
        if not np.isfinite(pairs[-1][2]):
            raise FormatError(f"{fspath(path)} line {number} is {line!r:.80}: the score is not finite")
    if not pairs:
        raise FormatError(f"{fspath(path)} holds no word pair")
    return pairs


def read_analogies(path: str | PathLike[str]) -> dict[str, list[tuple[str, ...]]]:
    """Read word2vec.c's question file: ``: section`` lines, and four words per question.

    Raises:
        FormatError: the file can't be read, has no question, or has a malformed line, which the message names.
    """
    sections: dict[str, list[tuple[str, ...]]] = {}
    section = None
    for number, line in _lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
            sections.setdefault(section, [])
            continue
        words = tuple(line.lower().split())
        if section is None:
            raise FormatError(
                f"{fspath(path)} line {number} is {line!r:.80}: expected a section first, such as ': capitals'"
            )
        if len(words) != 4:
            raise FormatError(f"{fspath(path)} line {number} is {line!r:.80}: expected four words, found {len(words)}")
        sections[section].append(words)
    if not any(sections.values()):
        raise FormatError(f"{fspath(path)} holds no analogy question")
    return sections


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ranks from 1, shape ``(n,)``; equal values share the average of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return mean


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float | None:
    """Return Spearman's rank correlation, which is Pearson's correlation of the `ranks`.

    Returns:
        None for fewer than two values, or if one side is constant or not finite.
    """
    if len(a) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()) or min(a) == max(a) or min(b) == max(b):
        return None
    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def evaluate_similarity(embeddings: Embeddings, path: str | PathLike[str]) -> SimilarityScore:
    """Score a word-similarity file such as WordSim-353 or SimLex-999.

    Raises:
        FormatError: the file is malformed.
    """
    pairs = read_similarity(path)
    known = [(a, b, score) for a, b, score in pairs if a in embeddings and b in embeddings]
    cosines = np.array([embeddings.similarity(a, b) for a, b, _ in known])
    judged = np.array([score for _, _, score in known])
    return SimilarityScore(fspath(path), spearman(cosines, judged), len(known), len(pairs))


def evaluate_analogies(
    embeddings: Embeddings, path: str | PathLike[str], restrict_vocab: int = 30_000
) -> list[AnalogyScore]:
    """Score a file of analogies by 3CosAdd; the words of a question are not allowed as its answer.

    Args:
        embeddings: the vectors, in any order; of words with the same count, the first one ranks as more frequent.
        path: a file in the format of Google's questions-words.txt.
        restrict_vocab: use only this many of the most frequent words, in questions and as answers.

    Returns:
        One score per section, in order, then one with section "total".

    Raises:
        FormatError: the file is malformed.
        ValueError: ``restrict_vocab`` is below 1.
    """
    if restrict_vocab < 1:
        raise ValueError(f"restrict_vocab is {restrict_vocab}: give at least 1")
    sections = read_analogies(path)
    most_frequent = np.argsort(-embeddings.vocab.counts, kind="stable")[:restrict_vocab]
    unit = embeddings.unit_vectors(most_frequent)
    place = {embeddings.words[row]: i for i, row in enumerate(most_frequent.tolist())}
    batch = max(1, BATCH_SCORES // len(unit))
    scores = []
    for section, questions in sections.items():
        rows = [[place.get(word, restrict_vocab) for word in question] for question in questions]
        known = np.array([row for row in rows if max(row) < restrict_vocab], np.int64).reshape(-1, 4)
        correct = sum(_count_correct(unit, known[i : i + batch]) for i in range(0, len(known), batch))
        scores.append(AnalogyScore(section, correct, len(known), len(questions)))
    scores.append(
        AnalogyScore(
            "total", sum(s.correct for s in scores), sum(s.attempted for s in scores), sum(s.total for s in scores)
        )
    )
    return scores


def _count_correct(unit: NDArray[np.float32], questions: NDArray[np.int64]) -> int:
    a, b, c, expected = questions.T
    # Queries are not scaled to length 1; that does not change the order.
    cosines = (unit[b] - unit[a] + unit[c]) @ unit.T
    for asked_word in (a, b, c):
        cosines[np.arange(len(questions)), asked_word] = -np.inf
    return int(np.count_nonzero(np.argmax(cosines, axis=1) == expected))


def as_record(score: SimilarityScore | AnalogyScore) -> dict[str, Any]:
    """Return a score as a JSON-able dictionary."""
    record = asdict(score)
    if isinstance(score, AnalogyScore):
        record["accuracy"] = score.accuracy
    return record
