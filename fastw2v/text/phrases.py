"""Phrases in Python: learn them from sentences or text, and join them in other sentences, with gensim's names.

gensim keeps every pair of words as a string in one dict. `Phrases` keeps ids and counts in arrays (see `joining`), and
makes strings only of the pairs that are phrases. The scores and the joined sentences are the same.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..errors import ConfigError, CorpusError, FolderError
from ..files.arrays import load_array
from ..files.manifest import read_manifest, write_manifest
from ..files.places import local_path
from ..files.staging import staged, write_errors
from ..screen import counted
from ..vocab import Vocab
from .ingest import Ingested, ingest_files
from .joining import Lexicon, PairCounts, count_pairs, phrases_of, run_of, scores_of, stream_of, words_of
from .pairs import CHAIN
from .phrase_options import PhraseOptions
from .prepared import CorpusInput, as_paths
from .sentences import check_corpus, ingest_sentences, is_whole, rows
from .wordtable import Words, WordTable

PHRASES_MANIFEST = "phrases.json"
#: English words that may stand inside a phrase: articles, prepositions and conjunctions. The list is our own; gensim's
#: list of this name has other words.
ENGLISH_CONNECTOR_WORDS = frozenset(
    (
        *("a", "an", "the", "and", "but", "nor", "or"),
        *(
            "about",
            "after",
            "against",
            "among",
            "around",
            "as",
            "at",
            "before",
            "between",
            "by",
            "during",
            "for",
            "from",
        ),
        *("in", "into", "of", "off", "on", "onto", "out", "over", "per", "than", "through", "to", "toward", "towards"),
        *("under", "up", "upon", "via", "with", "within", "without"),
    )
)


class _Joiner:
    """What `Phrases` and `FrozenPhrases` share: they join the words of sentences."""

    _options: PhraseOptions

    @property
    def min_count(self) -> int:
        """The option of this name."""
        return self._options.min_count

    @property
    def threshold(self) -> float:
        """The option of this name."""
        return self._options.threshold

    @property
    def scoring(self) -> str:
        """The option of this name."""
        return self._options.scoring

    @property
    def delimiter(self) -> str:
        """The option of this name."""
        return self._options.delimiter

    @property
    def connector_words(self) -> frozenset[str]:
        """The option of this name."""
        return self._options.connector_words

    def _scorer(self) -> "_Scorer":
        raise NotImplementedError

    def __getitem__(self, sentence: Any) -> Any:
        """Join the phrases in a sentence, or in each of many sentences.

        Args:
            sentence: an iterable of tokens, or of such sentences.

        Returns:
            A list of tokens; for many sentences, an iterable of such lists that joins while it is read. It can be read
            as often as the sentences can.

        Raises:
            CorpusError: it is a string, a mapping or a set.
        """
        if isinstance(sentence, (str, bytes)):
            raise CorpusError(f"the sentence is one string, {sentence!r:.60}: split it, as with str.split")
        check_corpus(sentence)
        reread = iter(sentence) is not sentence
        tokens = iter(sentence)
        first = next(tokens, None)
        if first is None or isinstance(first, str) or is_whole(type(first)):
            return self._scorer().join([] if first is None else chain([first], tokens), None)
        return JoinedSentences(self, sentence if reread else chain([first], tokens))

    def find_phrases(self, sentences: Iterable[Iterable[str]]) -> dict[str, float]:
        """Return the phrases that occur in sentences, with their scores.

        Args:
            sentences: an iterable of lists of tokens.

        Raises:
            CorpusError: it is a string, a mapping or a set.
        """
        check_corpus(sentences)
        found: dict[str, float] = {}
        places: dict[int, float] = {}
        scorer = self._scorer()
        for sentence in rows(sentences):
            if isinstance(sentence, str):
                raise CorpusError(f"a sentence is one string, {sentence!r:.60}: split it, as with str.split")
            joined = scorer.join(sentence, places)
            found |= {joined[place]: score for place, score in places.items()}
            places.clear()
        return found

    def analyze_sentence(self, sentence: Iterable[str]) -> Iterator[tuple[str, float | None]]:
        """Join the phrases in a sentence; return each token with its score, None for one that is not a phrase.

        Args:
            sentence: an iterable of tokens.

        Raises:
            CorpusError: it is a string, a mapping or a set.
        """
        if isinstance(sentence, (str, bytes)):
            raise CorpusError(f"the sentence is one string, {sentence!r:.60}: split it, as with str.split")
        check_corpus(sentence)
        places: dict[int, float] = {}
        joined = self._scorer().join(sentence, places)
        return ((token, places.get(place)) for place, token in enumerate(joined))


class JoinedSentences:
    """Sentences whose phrases are joined while they are read; `train` takes it as a corpus."""

    def __init__(self, joiner: _Joiner, sentences: Iterable[Iterable[str]]) -> None:
        self._joiner, self._sentences = joiner, sentences

    def __iter__(self) -> Iterator[list[str]]:
        scorer = self._joiner._scorer()
        for sentence in rows(self._sentences):
            if isinstance(sentence, str):
                raise CorpusError(f"a sentence is one string, {sentence!r:.60}: split it, as with str.split")
            yield scorer.join(sentence, None)


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Finds the phrases of a sentence.

    Attributes:
        options: the delimiter and the connector words.
        begins: words that a phrase may begin with.
        scores: the score of each phrase.
        ends: words that a phrase may end with; None if ``scores`` decides.
        counts: how often the text of each word occurs; None if ``scores`` decides.
        totals: how often the text of each pair occurs.
        n_texts: see `joining.PairCounts`.
        n_tokens: tokens of the corpus.
    """

    options: PhraseOptions
    begins: Any
    scores: dict[str, float]
    ends: frozenset[str] | None = None
    counts: dict[str, int] | None = None
    totals: dict[str, int] | None = None
    n_texts: int = 0
    n_tokens: int = 0

    def join(self, sentence: Iterable[str], places: dict[int, float] | None) -> list[str]:
        """Return the joined tokens of a sentence; ``places`` receives the places of phrases in it, and their scores."""
        joined: list[str] = []
        connectors, begins, delimiter = self.options.connector_words, self.begins, self.options.delimiter
        scores = self.scores if self.counts is None else None
        start: str | None = None
        between: list[str] = []
        for word in sentence:
            if word in connectors:
                (joined if start is None else between).append(word)
                continue
            if start is not None:
                if start in begins:
                    text = delimiter.join([start, *between, word]) if between else f"{start}{delimiter}{word}"
                    score = self._score(start, word, text) if scores is None else scores.get(text)
                    if score is not None and (self.ends is None or word in self.ends):
                        if places is not None:
                            places[len(joined)] = score
                        joined.append(text)
                        start = None
                        if between:
                            between = []
                        continue
                joined.append(start)
                if between:
                    joined += between
                    between = []
            start = word
        if start is not None:
            joined.append(start)
            joined += between
        return joined

    def _score(self, first: str, last: str, text: str) -> float | None:
        """Return the score of two words with this text, None if they are not a phrase."""
        assert self.counts is not None and self.totals is not None  # noqa: PT018
        count, of_first, of_last = self.totals.get(text, 0), self.counts.get(first, 0), self.counts.get(last, 0)
        if count == 0 or of_first == 0 or of_last == 0:
            return None
        score = float(
            scores_of(
                [np.array([n], np.int64) for n in (of_first, of_last, count)], self.n_texts, self.n_tokens, self.options
            )[0]
        )
        return score if score > self.options.threshold else None


class Phrases(_Joiner):
    """Pairs of words that occur together more often than by chance, learnt from sentences or text files.

    Two words in a row, ``a`` and ``b``, are a phrase if their score is above ``threshold``. The scores are gensim's:

    - ``"default"``: (count of a b - min_count) / count of a / count of b * size of the vocabulary, which holds all
      words and all pairs [Mikolov and others 2013, https://arxiv.org/abs/1310.4546];
    - ``"npmi"``: ln(p(a b) / p(a) / p(b)) / -ln p(a b), from -1 to 1 [Bouma 2009].

    Connector words may stand between the words of a phrase, as in ``bank_of_america``; they do not change the score.

    Args:
        sentences: paths of text, or sentences, as for `train`; None for none yet.
        min_count: rarer pairs are not phrases; the default score also subtracts it from each pair's count.
        threshold: a pair is a phrase if its score is greater.
        max_vocab_size: no effect: all counts are exact.
        delimiter: between the words of a phrase.
        progress_per: no effect.
        scoring: ``"default"`` or ``"npmi"``.
        connector_words: words that may stand inside a phrase, but not at its ends, such as ENGLISH_CONNECTOR_WORDS.
        workers: threads that read and count text; None means every usable core. They never change the result.

    Raises:
        ConfigError: an option is out of range or of the wrong type.
        CorpusError: see `prepare`.

    Attributes:
        corpus_word_count: number of tokens in all sentences.
    """

    def __init__(
        self,
        sentences: CorpusInput | None = None,
        min_count: int = 5,
        threshold: float = 10.0,
        max_vocab_size: int = 40_000_000,
        delimiter: str = "_",
        progress_per: int = 10_000,
        scoring: str = "default",
        connector_words: Iterable[str] = frozenset(),
        *,
        workers: int | None = None,
    ) -> None:
        self._options = PhraseOptions(
            min_count=min_count,
            threshold=threshold,
            scoring=scoring,
            delimiter=delimiter,
            connector_words=connector_words,  # type: ignore[arg-type]
        ).checked()
        self._workers = TrainConfig(workers=workers).workers
        self.corpus_word_count = 0
        self._counts = np.zeros(0, np.int64)
        self._lexicon = Lexicon(words_of([]), self._options)
        none = np.zeros(0, np.int64)
        self._found = PairCounts(np.zeros(0, np.uint64), none, none, none, 0)
        self._scoring: _Scorer | None = None
        if sentences is not None:
            self.add_vocab(sentences)

    def __repr__(self) -> str:
        return f"Phrases<{self._found.n_texts} vocab, min_count={self.min_count}, threshold={self.threshold}>"

    def add_vocab(self, sentences: CorpusInput) -> None:
        """Add the counts of more sentences or text.

        Args:
            sentences: as for the class.

        Raises:
            CorpusError: see `prepare`; the counts stay as they are.
        """
        paths = as_paths(sentences)
        with tempfile.TemporaryDirectory(prefix="fastw2v-") as temporary:
            folder = Path(temporary)
            if paths is None:
                ingested = ingest_sentences(sentences, folder)
            else:
                ingested = ingest_files(paths, folder, workers=self._workers)
            words, numbers = self._numbered(ingested)
            counts = np.zeros(len(words), np.int64)
            counts[: len(self._counts)] = self._counts
            # A word occurs once in what is new.
            counts[np.arange(len(words)) if numbers is None else numbers] += ingested.counts
            stream = stream_of(ingested, folder / "stream.i32", numbers, self._workers)
            before = self._found.pairs, self._found.counts
            known = self._lexicon
            lexicon = Lexicon(words, self._options, known.names.steps[: known.n_chains])
            found = count_pairs(
                stream, lexicon, counts, before=before if len(before[0]) else None, workers=self._workers
            )
        self._lexicon, self._counts, self._found, self._scoring = lexicon, counts, found, None
        self.corpus_word_count += ingested.n_tokens

    def _numbered(self, ingested: Ingested) -> tuple[Words, NDArray[np.int32] | None]:
        """Return the words known so far with those of a text, and the number of each word of the text."""
        new = words_of(ingested.words)
        if len(self._counts) == 0:
            return new, None
        table = WordTable()
        table.add(run_of(self._lexicon.words))
        numbers = table.add(run_of(new))
        contents = table.run()
        return Words(contents.starts, contents.letters), numbers

    def _scorer(self) -> _Scorer:
        if self._scoring is None:
            self._scoring = self._made_scorer()
        return self._scoring

    def _made_scorer(self) -> _Scorer:
        lexicon, found = self._lexicon, self._found
        if len(lexicon.delimited()) == 0:
            pairs, scores = self._phrases()
            words = lexicon.words
            begins = frozenset(words.take(np.unique(lexicon.heads(pairs))))
            ends = frozenset(words.take(np.unique(pairs & np.uint64(0xFFFFFFFF))))
            return _Scorer(self._options, begins, dict(zip(lexicon.texts(pairs), scores.tolist(), strict=True)), ends)
        # Another pair with the same text may count, also one that is not in the sentences that were learnt.
        common = found.totals >= self._options.least_count
        totals = dict(zip(lexicon.texts(found.pairs[common]), found.totals[common].tolist(), strict=True))
        counts = {word: count for word, count in zip(lexicon.words, found.of_words.tolist(), strict=True) if count}
        for word in lexicon.words.take(lexicon.delimited()):
            totals[word] = counts[word]
        return _Scorer(
            self._options, counts, {}, None, counts, totals, n_texts=found.n_texts, n_tokens=self.corpus_word_count
        )

    def _phrases(self) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
        return phrases_of(self._found, self._lexicon, self.corpus_word_count, self._options)

    @property
    def vocab(self) -> dict[str, int]:
        """How often each word and each pair occurs, by text; made anew, and as large as gensim's."""
        counts = zip(self._lexicon.words, self._found.of_words.tolist(), strict=True)
        pairs = zip(self._lexicon.texts(self._found.pairs), self._found.totals.tolist(), strict=True)
        return {word: count for word, count in counts if count} | dict(pairs)

    def export_phrases(self) -> dict[str, float]:
        """Return all phrases with their scores.

        A phrase that can be read in two ways, such as ``a_b c`` and ``a b_c``, has the higher score.
        """
        pairs, scores = self._phrases()
        found: dict[str, float] = {}
        for text, score in zip(self._lexicon.texts(pairs), scores.tolist(), strict=True):
            found[text] = max(score, found.get(text, score))
        return found

    def freeze(self) -> "FrozenPhrases":
        """Return the phrases alone, which take less memory, but can't learn from more text."""
        return FrozenPhrases(self)

    def save(self, folder: str | PathLike[str]) -> None:
        """Save the counts and options in a folder, without pickle.

        Raises:
            FolderError: the folder can't be written, or is something else.
        """
        found, lexicon = self._found, self._lexicon
        arrays = {
            "pairs": found.pairs,
            "pair_counts": found.counts,
            "steps": lexicon.names.steps[: lexicon.n_chains],
        }
        target = Path(local_path(folder, FolderError, output=True))
        with staged(target, PHRASES_MANIFEST, "phrases") as partial, write_errors(partial):
            digest = Vocab(lexicon.words, self._counts).write(partial / "vocab.tsv")
            for name, array in arrays.items():
                if len(array):
                    np.save(partial / f"{name}.npy", array)
            record = {
                "frozen": False,
                "options": self._options.as_record(),
                "corpus_word_count": self.corpus_word_count,
                "vocab_sha256": digest,
                **{f"n_{name}": len(array) for name, array in arrays.items()},
            }
            write_manifest(partial, PHRASES_MANIFEST, "phrases", record)

    @staticmethod
    def load(folder: str | PathLike[str]) -> "Phrases | FrozenPhrases":
        """Load what `Phrases.save` or `FrozenPhrases.save` has saved.

        Raises:
            FolderError: a file is missing or damaged, or does not match the others.
        """
        return _load(folder)


class FrozenPhrases(_Joiner):
    """The phrases of a `Phrases`, and nothing else.

    Attributes:
        phrasegrams: the score of each phrase.
    """

    def __init__(self, phrases_model: Phrases) -> None:
        self._set(phrases_model._options, phrases_model.export_phrases())

    def _set(self, options: PhraseOptions, phrasegrams: dict[str, float]) -> None:
        self._options, self.phrasegrams = options, phrasegrams
        begins = set()
        for text in phrasegrams:
            at = text.find(options.delimiter)
            while at >= 0:
                begins.add(text[:at])
                at = text.find(options.delimiter, at + 1)
        self._scoring = _Scorer(options, begins, phrasegrams)

    def __repr__(self) -> str:
        n_phrases, options = counted(len(self.phrasegrams), "phrase"), self._options
        return f"FrozenPhrases<{n_phrases}, min_count={options.min_count}, threshold={options.threshold}>"

    def _scorer(self) -> _Scorer:
        return self._scoring

    def export_phrases(self) -> dict[str, float]:
        """Return all phrases with their scores."""
        return dict(self.phrasegrams)

    def save(self, folder: str | PathLike[str]) -> None:
        """Save the phrases in a folder, without pickle.

        Raises:
            FolderError: the folder can't be written, or is something else.
        """
        target = Path(local_path(folder, FolderError, output=True))
        record = {"frozen": True, "options": self._options.as_record(), "phrases": self.phrasegrams}
        with staged(target, PHRASES_MANIFEST, "phrases") as partial, write_errors(partial):
            write_manifest(partial, PHRASES_MANIFEST, "phrases", record)

    @staticmethod
    def load(folder: str | PathLike[str]) -> "Phrases | FrozenPhrases":
        """Load what `Phrases.save` or `FrozenPhrases.save` has saved.

        Raises:
            FolderError: a file is missing or damaged, or does not match the others.
        """
        return _load(folder)


def _load(given: str | PathLike[str]) -> Phrases | FrozenPhrases:
    folder = Path(local_path(given, FolderError))
    record = read_manifest(folder, PHRASES_MANIFEST, "phrases")
    damaged = FolderError(f"{folder / PHRASES_MANIFEST} is damaged: save the phrases again")
    given_options: Any = record.get("options")
    try:
        options = PhraseOptions(**given_options).checked()
    except (TypeError, ConfigError):
        raise damaged from None
    if record.get("frozen") is True:
        texts = record.get("phrases")
        if not isinstance(texts, dict) or not all(type(score) in (int, float) for score in texts.values()):
            raise damaged
        frozen = FrozenPhrases.__new__(FrozenPhrases)
        frozen._set(options, {text: float(score) for text, score in texts.items()})
        return frozen
    n_tokens = record.get("corpus_word_count")
    if type(n_tokens) is not int or not 0 <= n_tokens < 2**62:
        raise damaged
    vocab = Vocab.read(folder / "vocab.tsv", str(record.get("vocab_sha256")))
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind in (("pairs", np.uint64), ("pair_counts", np.int64), ("steps", np.uint64)):
        empty = record.get(f"n_{name}") == 0
        arrays[name] = np.zeros(0, kind) if empty else np.array(load_array(folder / f"{name}.npy", kind))
        if arrays[name].shape != (record.get(f"n_{name}"),):
            raise FolderError(f"{folder / name}.npy does not match {PHRASES_MANIFEST}: save the phrases again")
    pairs, counts, steps = arrays.values()
    n_words = len(vocab)
    fit = len(counts) == len(pairs) and counts.min(initial=1) > 0 and float(counts.sum(dtype=float)) < 2**62
    if not fit or not _known(pairs, n_words, np.int64(len(steps))) or not _known(steps, n_words, np.arange(len(steps))):
        raise FolderError(f"{folder}: pairs.npy, pair_counts.npy and steps.npy do not match vocab.tsv: save again")
    phrases = Phrases(**{name: getattr(options, name) for name in options.__dataclass_fields__})
    lexicon = Lexicon(words_of(vocab.words), options, steps)
    found = count_pairs(None, lexicon, vocab.counts, before=(pairs, counts) if len(pairs) else None)
    if not (found.of_words[lexicon.heads(pairs)].all() and found.of_words[pairs & np.uint64(0xFFFFFFFF)].all()):
        raise FolderError(f"{folder}: a pair in pairs.npy has a word that does not occur alone: save the phrases again")
    phrases._lexicon, phrases._counts, phrases._found = lexicon, vocab.counts, found
    phrases.corpus_word_count = n_tokens
    return phrases


def _known(pairs: NDArray[np.uint64], n_words: int, n_chains: Any) -> bool:
    """Return whether all pairs are of known words and chains; ``n_chains`` holds for all pairs, or one for each."""
    left, last = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return bool(np.all((last < n_words) & ((left < n_words) | ((left >= CHAIN) & (left - CHAIN < n_chains)))))
