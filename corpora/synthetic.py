"""Text of any size with Zipf's frequencies, planted neighbours and planted analogies, and files of right answers.

The model. Word r (from 0) has probability ``p(r)`` proportional to ``(r + 1) ** -exponent``; its spelling, one to four
syllables, follows from r. The `COMMON` most frequent words may occur anywhere. Every other word belongs to topics: an
ordinary word to one, a planted word to two, half of its occurrences in each. A sentence has one topic, drawn with the
probability of the topic's words, and a length from `SHORTEST` to `LONGEST` tokens. Each token is a common word with
the total probability of those words; else, one time in ``1 / noise``, any word that is not common; else a word of the
topic. All three draw words in proportion to p, so over the whole text word r has exactly probability p(r).

The planted words are the frequent words that follow the common ones:

- **Twins**: two words, one about as frequent as the other, of the same two topics, which no other word shares. They
  have the same contexts, so each is the other's nearest neighbour.
- **Analogies**: each section is a table of `rows` rows and two columns, every row and column a topic of its own, and
  the word in a cell belongs to the topics of its row and its column. A mixture of two topics has the pointwise mutual
  information of the first topic with the words of the first, and of the second with the words of the second: a sum of
  a part for the row and a part for the column. So ``a - b`` is the same for every row, and ``a : b :: c : d`` holds.
- **Similarity**: twins score 10, two words with one topic in common 5, and two words with none 0. With three levels a
  rank correlation can reach at most 0.94.

With the same other options, the text for N tokens is the beginning of the text for more tokens.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v.errors import ConfigError, CorpusError
from fastw2v.kernels._jit import jit
from fastw2v.kernels.sampling import LOW_32, SHIFT_32, build_alias, draw_below, draw_noise, next_u64, spawn_streams
from fastw2v.screen import bar

SHORTEST, LONGEST = 5, 35  # tokens of a sentence
COMMON = 50
TOPICS = 100
MOST_WORDS = 100_000_000
PLANTED_AMONG = 3  # planted words are one in this many of those that follow the common ones
BLOCK = 1 << 14  # tokens made at once; their working memory stays in the cache
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnpqrstvwxyz" for vowel in "aeiou"]
_LETTERS = 8  # letters of the longest word
_GRAIN = 2.0**40  # weights are whole multiples of 1 / this: machines whose pow differs in the last bit agree
_NEWLINE, _SPACE = np.uint8(10), np.uint8(32)
_ZERO, _SHIFT_8, _LOW_8 = (np.uint64(value) for value in (0, 8, 255))
_COMMON, _ANY, _FIRST_TOPIC = 0, 1, 2  # the tables that words are drawn from


@dataclass(frozen=True)
class Planted:
    """The right answers.

    Attributes:
        twins: pairs of words with the same contexts.
        analogies: for each section, pairs (a, b); any two pairs make a question.
        similarities: (word, word, score), score 10, 5 or 0.
    """

    twins: list[tuple[str, str]]
    analogies: dict[str, list[tuple[str, str]]]
    similarities: list[tuple[str, str, float]]


class _Tables(NamedTuple):
    """The tables from which the text is drawn; table t holds entries ``starts[t]`` to ``starts[t + 1]``."""

    choose: NDArray[np.uint64]  # alias table over topics
    starts: NDArray[np.int64]
    spelled: NDArray[np.uint64]  # the word of an entry, as `spell` packs it
    alias: NDArray[np.uint64]
    thresholds: NDArray[np.uint64]  # 32-bit thresholds: below the first a common word, below the second any other word


def spell(ranks: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the words of these ranks, shape ``(n,)``: letters from the lowest byte up, then zeros."""
    syllables = np.array([int.from_bytes(syllable.encode(), "little") for syllable in _SYLLABLES], np.uint64)
    packed = np.zeros(len(ranks), np.uint64)
    first = 0  # rank of the first word of this many syllables
    for n in range(1, _LETTERS // 2 + 1):
        size = len(_SYLLABLES) ** n
        here = np.flatnonzero((ranks >= first) & (ranks < first + size))
        rest = ranks[here] - first
        for _ in range(n):
            rest, digit = np.divmod(rest, len(_SYLLABLES))
            packed[here] = packed[here] << np.uint64(16) | syllables[digit]
        first += size
    return packed


def _text(packed: NDArray[np.uint64]) -> list[str]:
    return [int(word).to_bytes(_LETTERS, "little").rstrip(b"\0").decode() for word in packed]


@jit(exact=True)
def _shuffle(rng: NDArray[np.uint64], values: NDArray[np.int64]) -> None:
    for last in range(len(values) - 1, 0, -1):
        other = draw_below(rng, last + 1)
        values[last], values[other] = values[other], values[last]


def zipf(words: int, exponent: float) -> NDArray[np.float64]:
    """Return each word's weight, shape ``(words,)``: ``(r + 1) ** -exponent`` in whole multiples of ``2 ** -40``."""
    return np.maximum(np.rint(np.arange(1, words + 1, dtype=np.float64) ** -exponent * _GRAIN), 1.0)


def _twin_topics(rng: NDArray[np.uint64], twins: int, topics: int, taken: set[tuple[int, int]]) -> Iterator[list[int]]:
    """Yield a pair of topics for each pair of twins, never a taken pair and never one twice."""
    seen = set(taken)
    while twins:
        a, b = sorted((draw_below(rng, topics), draw_below(rng, topics)))
        if a != b and (a, b) not in seen:
            seen.add((a, b))
            twins -= 1
            yield [int(a), int(b)]


def _plan(
    words: int, seed: int, exponent: float, noise: float, twins: int, sections: int, rows: int
) -> tuple[_Tables, Planted]:
    """Choose the planted words and every word's topics, and make the tables for drawing."""
    rng = spawn_streams(seed, 2)[:1]
    n_planted = 2 * twins + 2 * sections * rows
    candidates = np.arange(COMMON, COMMON + PLANTED_AMONG * n_planted)
    _shuffle(rng, candidates)
    planted = candidates[:n_planted]
    planted[2 * sections * rows :].sort()  # Twins are next to each other in frequency.
    topics = max(TOPICS, sections * (rows + 2))

    cells = []  # of each planted word of a table: topics of its row and its column
    for section in range(sections):
        first = section * (rows + 2)
        cells += [[first + 2 + row, first + column] for row in range(rows) for column in range(2)]
    taken = {(column, row) for row, column in cells}
    pairs = list(_twin_topics(rng, twins, topics, taken))
    of_planted = np.array(cells + [pair for pair in pairs for _ in range(2)], np.int64)

    ordinary = np.ones(words, np.bool_)
    ordinary[:COMMON] = False
    ordinary[planted] = False
    others = np.flatnonzero(ordinary)
    of_others = np.empty(len(others), np.int64)
    for start in range(0, len(others), topics):  # Topics get equal shares of every range of frequencies.
        round_of_all = np.arange(topics)
        _shuffle(rng, round_of_all)
        of_others[start : start + topics] = round_of_all[: len(others) - start]

    p = zipf(words, exponent)
    table_of = np.concatenate([of_others, of_planted[:, 0], of_planted[:, 1]]) + _FIRST_TOPIC
    member = np.concatenate([others, planted, planted])
    weight = np.concatenate([2 * p[others], p[planted], p[planted]])
    order = np.argsort(table_of, kind="stable")
    rest = np.arange(COMMON, words)
    members = np.concatenate([np.arange(COMMON), rest, member[order]])
    weights = np.concatenate([p[:COMMON], p[rest], weight[order]])
    sizes = np.bincount(table_of, minlength=topics + _FIRST_TOPIC)
    sizes[_COMMON], sizes[_ANY] = COMMON, words - COMMON
    starts = np.concatenate([[0], np.cumsum(sizes)])
    alias = np.concatenate([build_alias(weights[a:b]) for a, b in pairwise(starts)])
    choose = build_alias(np.add.reduceat(weights, starts[_FIRST_TOPIC:-1]))
    common = p[:COMMON].sum() / p.sum()
    thresholds = np.array([common * 2**32, (common + (1 - common) * noise) * 2**32]).astype(np.uint64)

    spelled = _text(spell(planted))
    in_tables = list(zip(spelled[: 2 * sections * rows : 2], spelled[1 : 2 * sections * rows : 2], strict=True))
    analogies = {f"relation-{s + 1}": in_tables[s * rows : (s + 1) * rows] for s in range(sections)}
    start = 2 * sections * rows
    doubles = list(zip(spelled[start::2], spelled[start + 1 :: 2], strict=True))
    topics_of = {word: set(row) for word, row in zip(spelled, of_planted.tolist(), strict=True)}
    similarities = _similarities(doubles, list(analogies.values()), topics_of)
    return _Tables(choose, starts, spell(members), alias, thresholds), Planted(doubles, analogies, similarities)


def _similarities(
    twins: list[tuple[str, str]], tables: list[list[tuple[str, str]]], topics_of: dict[str, set[int]]
) -> list[tuple[str, str, float]]:
    """Return twins, neighbours in the tables, and as many pairs with nothing in common."""
    pairs = list(twins)
    for rows in tables:
        for row, below in zip(rows, rows[1:] + rows[:1], strict=True):
            pairs += [row, (row[0], below[0]), (row[1], below[1])]
    everything = [word for pair in twins + [row for rows in tables for row in rows] for word in pair]
    half = len(everything) // 2
    apart = zip(everything, everything[half:] + everything[:half], strict=True)
    pairs += [(a, b) for a, b in list(apart)[:half] if not topics_of[a] & topics_of[b]]
    return [(a, b, 5.0 * len(topics_of[a] & topics_of[b])) for a, b in pairs]


@jit(exact=True)
def _fill(
    rng: NDArray[np.uint64],
    sentence: NDArray[np.int64],
    choose: NDArray[np.uint64],
    starts: NDArray[np.int64],
    spelled: NDArray[np.uint64],
    alias: NDArray[np.uint64],
    thresholds: NDArray[np.uint64],
    drawn: NDArray[np.uint64],
    coins: NDArray[np.uint64],
    ends: NDArray[np.uint8],
    text: NDArray[np.uint8],
) -> int:
    """Write ``len(drawn)`` tokens into ``text`` and return the bytes used.

    ``sentence`` is (table, tokens left); ``drawn``, ``coins`` and ``ends`` are scratch of one length. Each step runs
    for all tokens before the next step, so that the loads from tables larger than the cache overlap. With a million
    words this is three times as fast as one token after another.
    """
    tokens = len(drawn)
    topic, left = sentence[0], sentence[1]
    for i in range(tokens):
        if left == 0:
            topic = _FIRST_TOPIC + draw_noise(rng, choose)
            left = SHORTEST + draw_below(rng, LONGEST - SHORTEST + 1)
        coin = next_u64(rng) >> SHIFT_32
        table = _COMMON if coin < thresholds[0] else _ANY if coin < thresholds[1] else topic
        start = np.uint64(starts[table])
        bits = next_u64(rng)  # the draw of `draw_noise`, in two steps
        drawn[i] = start + (((bits >> SHIFT_32) * (np.uint64(starts[table + 1]) - start)) >> SHIFT_32)
        coins[i] = ((bits & LOW_32) << SHIFT_32) | start
        left -= 1
        ends[i] = _NEWLINE if left == 0 else _SPACE
    sentence[0], sentence[1] = topic, left
    for i in range(tokens):
        entry, coin = alias[drawn[i]], coins[i]
        other = (coin & LOW_32) + (entry & LOW_32)
        drawn[i] = drawn[i] if coin >> SHIFT_32 < entry >> SHIFT_32 else other
    for i in range(tokens):
        drawn[i] = spelled[drawn[i]]
    at = 0
    for i in range(tokens):
        word = drawn[i]
        while word != _ZERO:
            text[at] = word & _LOW_8
            word >>= _SHIFT_8
            at += 1
        text[at] = ends[i]
        at += 1
    return at


def answer_paths(output: str | PathLike[str]) -> tuple[Path, Path]:
    """Return the paths of the analogies and the similarities of a text, which are beside it."""
    path = Path(output)
    return path.with_name(path.stem + ".analogies.txt"), path.with_name(path.stem + ".similarity.tsv")


def _check(
    words: int, tokens: int, seed: int, exponent: float, noise: float, twins: int, sections: int, rows: int
) -> None:
    limits = (
        ("tokens", tokens, 1),
        ("seed", seed, 0),
        ("twins", twins, 1),
        ("sections", sections, 1),
        ("rows", rows, 2),
    )
    for name, value, least in limits:
        if value < least:
            raise ConfigError(f"{name} is {value:,}: give at least {least}")
    if not 0 < exponent <= 2:
        raise ConfigError(f"exponent is {exponent}: give more than 0 and at most 2")
    if not 0 <= noise < 1:
        raise ConfigError(f"noise is {noise}: give at least 0 and less than 1")
    topics = max(TOPICS, sections * (rows + 2))
    if twins > topics * (topics - 1) // 4:
        raise ConfigError(f"twins is {twins:,}: there are pairs of topics for {topics * (topics - 1) // 4:,} at most")
    least = COMMON + PLANTED_AMONG * 2 * (twins + sections * rows) + topics
    if not least <= words <= MOST_WORDS:
        raise ConfigError(
            f"words is {words:,}: give {least:,} to {MOST_WORDS:,} with these options "
            f"(twins {twins}, sections {sections}, rows {rows})"
        )


def write(
    output: str | PathLike[str],
    *,
    tokens: int,
    words: int,
    seed: int = 1,
    exponent: float = 1.0,
    noise: float = 0.1,
    twins: int = 100,
    sections: int = 4,
    rows: int = 20,
    block: int = BLOCK,
    progress: bool = False,
) -> Planted:
    """Write a text, and beside it the questions with their answers; the module describes the text.

    For OUTPUT ``a.txt`` the questions are ``a.analogies.txt`` (as questions-words.txt) and ``a.similarity.tsv``. Files
    of these names are replaced once all three are complete.

    Args:
        output: the text file.
        tokens: length of the text, exactly.
        words: size of the vocabulary; a text too short for it does not show every word.
        seed: origin of all random numbers. The bytes depend only on it and the other options.
        exponent: exponent of Zipf's law.
        noise: of the tokens that are not common words, the share that comes from no topic.
        twins: pairs of words with the same contexts.
        sections: tables of analogies, two columns each.
        rows: pairs of a section, which makes ``rows * (rows - 1)`` questions.
        block: tokens made at once; changes memory, not the text.
        progress: show a bar.

    Raises:
        ConfigError: a number is out of range, or ``words`` is too small for the planted words.
        CorpusError: a file can't be written.
    """
    _check(words, tokens, seed, exponent, noise, twins, sections, rows)
    if Path(output).is_dir():
        raise CorpusError(f"{fspath(output)} is a folder: name a file")
    tables, planted = _plan(words, seed, exponent, noise, twins, sections, rows)
    paths = (*answer_paths(output), Path(output))
    partial = [path.with_name(path.name + ".partial") for path in paths]
    try:
        _write_answers(planted, partial[0], partial[1])
        _write_text(partial[2], tables, tokens, seed, block, progress)
        for unfinished, path in zip(partial, paths, strict=True):  # The text comes last.
            os.replace(unfinished, path)
    except OSError as error:
        raise CorpusError(f"cannot write {fspath(output)}: {error.strerror or error}") from error
    finally:
        for unfinished in partial:
            with suppress(OSError):
                unfinished.unlink()
    return planted


def _write_answers(planted: Planted, analogies: Path, similarities: Path) -> None:
    with open(analogies, "w", encoding="ascii", newline="\n") as file:
        for section, pairs in planted.analogies.items():
            file.write(f": {section}\n")
            file.writelines(f"{a} {b} {c} {d}\n" for a, b in pairs for c, d in pairs if a != c)
    with open(similarities, "w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{a}\t{b}\t{score:g}\n" for a, b, score in planted.similarities)


def _write_text(path: Path, tables: _Tables, tokens: int, seed: int, block: int, progress: bool) -> None:
    rng = spawn_streams(seed, 2)[1:]
    sentence = np.zeros(2, np.int64)
    drawn, coins, ends = np.empty(block, np.uint64), np.empty(block, np.uint64), np.empty(block, np.uint8)
    text = np.empty(block * (_LETTERS + 1), np.uint8)
    with open(path, "wb", buffering=1 << 20) as file, bar(tokens, " tokens", None, progress) as shown:
        for done in range(0, tokens, block):
            n = min(block, tokens - done)
            size = _fill(rng, sentence, *tables, drawn[:n], coins[:n], ends[:n], text)
            if done + n == tokens:
                text[size - 1] = _NEWLINE
            file.write(text[:size].data)
            shown.update(n)
        file.flush()
        os.fsync(file.fileno())


def describe(output: str | PathLike[str], planted: Planted) -> str:
    """Describe the files written, in one line."""
    analogies, similarities = answer_paths(output)
    questions = sum(len(pairs) * (len(pairs) - 1) for pairs in planted.analogies.values())
    return (
        f"{fspath(output)}; {questions:,} analogies in {analogies}; "
        f"{len(planted.similarities):,} similarities, {len(planted.twins):,} of twins, in {similarities}"
    )
