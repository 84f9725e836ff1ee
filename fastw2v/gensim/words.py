"""Words, their vectors, and the training of whole words: `Word2Vec` and `KeyedVectors`."""

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Integral, Real
from os import PathLike
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..config import TrainConfig
from ..embeddings import Embeddings, load, load_word2vec_format
from ..errors import ConfigError, CorpusError, FolderError, doubt
from ..files.places import local_path
from ..foreign_options import hint
from ..screen import printable
from ..text.corpus import Corpus
from ..text.lines import LineSentence, PathLineSentences, Text8Corpus
from ..text.prepared import opened
from ..text.unions import doubt_numbers, renumbered, rows_in, union_of
from ..training.callbacks import Progress
from ..training.driver import train_corpus
from ..training.replica import initial_matrices
from ..training.run import Run
from ..vectors.lookup import read_only
from ..vectors.rows import Key, is_key
from ..vocab import Vocab, checked_vocab

RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2  # What a trim_rule returns.
TrimRule = Callable[[str, int, int], int]
_HOOKS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
_COUNTED = ("corpus_count", "corpus_total_words", "train_count")
_SUMMED = ("running_training_loss", "total_train_time", "min_alpha_yet_reached")
SKIP_GRAM_ONLY = "sg=0 asks for CBOW, but fastw2v trains skip-gram: give sg=1 to silence this"
_warned: set[str] = set()  # A loop over many models warns once.


def _checked_source(sentences: Any, corpus_file: Any) -> Any:
    """Return what `prepared.opened` takes: paths, or sentences.

    Raises:
        TypeError: there is no corpus, or there are two; or ``corpus_file`` is not a path.
        CorpusError: the sentences are one string, whose characters would be the sentences.
    """
    if (sentences is None) == (corpus_file is None):
        raise TypeError("give either lists of words or corpus_file, and not both")
    if corpus_file is not None:
        if not isinstance(corpus_file, (str, PathLike)):
            raise TypeError(f"corpus_file is {corpus_file!r:.60}: give the path of a text file")
        return corpus_file
    if isinstance(sentences, (str, bytes)):
        raise CorpusError(f"the sentences are one string, {sentences!r:.60}: give lists of words, or corpus_file=path")
    if type(sentences) in (LineSentence, PathLineSentences, Text8Corpus):  # A subclass may give other words.
        return sentences.whole_files() or iter(sentences)
    if isinstance(sentences, Sequence) and len(sentences) and isinstance(sentences[0], (str, PathLike)):
        return iter(sentences)  # Elsewhere in this package, a list of strings is a list of paths.
    return sentences


def refuse(model: "Counted", function: str, unknown: Iterable[str]) -> None:
    """Raise TypeError for an unknown keyword: a misspelt one would mean nothing without a word."""
    of_model = model.known_options
    known = of_model if function == model.kind else list(inspect.signature(getattr(type(model), function)).parameters)
    known = [name for name in known if name not in ("self", "_unknown")]
    for name in unknown:
        if name == "sentences":
            meant = "did you mean corpus_iterable?"
        elif name in of_model:
            meant = f"give it to {model.kind}"
        else:
            meant = hint(f"--{name}", [f"--{each}" for each in known]) or f"its arguments are {', '.join(known)}"
        raise TypeError(f"{function}() has no argument {name!r}: {meant.replace('--', '')}")


# ------------------------------------------------------------------------------------------------------ vectors


class _NumberKeys(dict[str, int]):
    """Word -> row, where all words are whole numbers: the integer 28 finds the word "28", as in `Lookup.row`."""

    def __missing__(self, key: object) -> int:
        if is_key(key) and not isinstance(key, str) and (row := super().get(str(key))) is not None:
            return row
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key) if is_key(key) else key)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the row of a word or a whole number, or ``default``."""
        return super().get(str(key) if is_key(key) else key, default)


class KeyedVectors(Embeddings):
    """Words and their vectors, with gensim's constructor; everything else is as in `Embeddings`.

    Args:
        vector_size: columns of the vectors. The set is empty; `add_vectors` fills it.
        count: gensim's number of rows to reserve; it has no effect.
        dtype: gensim's type of numbers; here it is always float32.
        mapfile_path: gensim's; it has no effect.

    Raises:
        ConfigError: ``vector_size`` is out of range.
    """

    def __init__(self, vector_size: int, count: int = 0, dtype: Any = np.float32, mapfile_path: Any = None) -> None:
        size = TrainConfig(vector_size=vector_size, workers=1).vector_size
        empty = Embeddings.live(
            Vocab([], np.zeros(0, np.int64), checked=True), np.zeros((0, size), np.float32), None, {}
        )
        vars(self).update(vars(empty))

    _numbers: tuple[Vocab, _NumberKeys] | None = None  # Made by `key_to_index`.
    _writable: NDArray[np.float32] | None = None  # The matrix behind ``vectors``, once a vector is set.

    @property
    def key_to_index(self) -> dict[str, int]:
        """Word -> row; do not change it. If all words are whole numbers, integers are found too."""
        if not len(self) or not self.vocab.all_integers:
            return self.vocab.index
        if self._numbers is None or self._numbers[0] is not self.vocab:
            self._numbers = self.vocab, _NumberKeys(self.vocab.index)
        return self._numbers[1]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("vectors_lockf", "vectors_vocab_lockf", "vectors_ngrams_lockf") and not np.all(
            np.asarray(value) == 1
        ):
            raise ConfigError(f"{name} can't keep rows as they are here: all words are trained; omit it")
        super().__setattr__(name, value)

    @classmethod
    def of(cls, embeddings: Embeddings) -> Self:
        """Return the same embeddings under gensim's name."""
        parts = (embeddings.vectors, embeddings.outside, embeddings.metadata, embeddings.metrics, embeddings.subwords)
        return cls.live(embeddings.vocab, *parts)

    @classmethod
    def load(cls, path: str | PathLike[str], mmap: str | None = None) -> Self:
        """Open what `save` wrote, or a file of vectors; see `fastw2v.load`. ``mmap`` has no effect."""
        return cls.of(load(path))

    @classmethod
    def load_word2vec_format(
        cls,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool | None = None,
        encoding: str = "utf-8",
        unicode_errors: str = "surrogateescape",
        limit: int | None = None,
        datatype: Any = np.float32,
        no_header: bool | None = False,
    ) -> Self:
        """Read a file of vectors; see `fastw2v.load_word2vec_format`. ``datatype`` has no effect: it is float32."""
        return cls.of(load_word2vec_format(fname, fvocab, binary, encoding, unicode_errors, limit, no_header))

    def save_word2vec_format(  # type: ignore[override]
        self,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        total_vec: int | None = None,
        write_header: bool = True,
        prefix: str = "",
        append: bool = False,
        sort_attr: str = "count",
    ) -> None:
        """Write a file of vectors; see `Embeddings.save_word2vec_format`.

        Raises:
            ConfigError: one of gensim's arguments for writing a part of a file is given.
            FormatError, ValueError: see there.
        """
        given = {"prefix": prefix, "append": append, "sort_attr": None if sort_attr == "count" else sort_attr}
        given["total_vec"] = None if total_vec == len(self) else total_vec
        for name, value in given.items():
            if value:
                raise ConfigError(f"{name} is {value!r:.60}, but files are written whole here, by count: omit it")
        super().save_word2vec_format(fname, fvocab, binary, write_header)

    def sort_by_descending_frequency(self) -> None:
        """Put the most frequent word first, as trained vectors already are."""
        order = np.argsort(-self.vocab.counts, kind="stable")
        vocab = Vocab([self.words[row] for row in order.tolist()], self.vocab.counts[order], self.vocab.checked)
        outside = None if self.outside is None else self.outside[order]
        subwords = None if self.subwords is None else self.subwords.reordered(order)
        vars(self).update(vars(self.live(vocab, self.vectors[order], outside, self.metadata, self.metrics, subwords)))

    def fill_norms(self, force: bool = False) -> None:
        """Compute the lengths of the vectors; with ``force``, once more."""
        self.init_sims()

    def unit_normalize_all(self) -> None:
        """Keep only vectors of length 1."""
        self.init_sims(replace=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if len(state["vocab"]):
            Embeddings.__init__(self, **state)
        else:
            self.__init__(state["vectors"].shape[1])  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"{type(self).__name__}<vector_size={self.vector_size}, {len(self)} keys>"

    def add_vector(self, key: Key, vector: ArrayLike) -> int:
        """Append a word and its vector, see `Embeddings.add_vectors`; return its row."""
        self.add_vectors(key, vector)
        return self.row(str(key))

    def add_vectors(  # type: ignore[override]
        self, keys: Key | Sequence[Key], weights: ArrayLike, extras: Any = None, replace: bool = False
    ) -> None:
        """Append words and their vectors, see `Embeddings.add_vectors`; ``extras`` is gensim's and has no effect."""
        super().add_vectors(keys, weights, replace)

    def __setitem__(self, keys: Key | Sequence[Key], weights: ArrayLike) -> None:
        row = self.vocab.index.get(str(keys)) if is_key(keys) else None
        vector = np.asarray(weights)
        unfit = row is None or vector.dtype.kind not in "fiu" or vector.shape != (self.vector_size,)
        if unfit or self.subwords is not None:  # With subwords, the row of the word itself changes too.
            self.add_vectors(keys, weights, replace=True)
            return
        with np.errstate(over="ignore"):
            vector = vector.astype(np.float32)
        if not np.isfinite(vector).all():
            self.add_vectors(keys, weights, replace=True)  # It raises.
        matrix: Any = self._writable
        if matrix is None or self.vectors.base is not matrix:
            matrix = self.vectors.copy()  # Once, and not for each word of a loop.
            self._writable, self.vectors = matrix, read_only(matrix)
        matrix[row], self._norms = vector, None


class CallbackAny2Vec:
    """Base class of callbacks; each method gets the model, whose ``wv`` has the vectors at that moment."""

    def on_epoch_begin(self, model: "Word2Vec") -> None:
        """Do nothing; called before each epoch."""

    def on_epoch_end(self, model: "Word2Vec") -> None:
        """Do nothing; called after each epoch."""

    def on_train_begin(self, model: "Word2Vec") -> None:
        """Do nothing; called before the first epoch."""

    def on_train_end(self, model: "Word2Vec") -> None:
        """Do nothing; called after the last epoch."""


# ------------------------------------------------------------------------------------------------------ training


class Counted:
    """The options and the vocabulary of a `Word2Vec`."""

    kind: ClassVar[str] = "Word2Vec"
    known_options: ClassVar[Sequence[str]] = ()  # Names of the constructor's arguments.
    stored_options: ClassVar[Sequence[str]] = ()  # Those that a saved model keeps.
    vectors_class: ClassVar[type[KeyedVectors]] = KeyedVectors
    file_remedy: ClassVar[str] = (
        "train again, or have gensim export it with model.wv.save_word2vec_format and read that with "
        "KeyedVectors.load_word2vec_format"
    )
    vector_size: int
    window: int
    min_count: int
    sample: float
    alpha: float
    min_alpha: float
    epochs: int
    seed: int
    workers: int
    negative: int
    ns_exponent: float
    max_final_vocab: int | None
    hs: int
    null_word: int
    shrink_windows: bool
    corpus_count: int
    corpus_total_words: int
    train_count: int
    _vocab: Vocab | None
    _wv: KeyedVectors | None

    @classmethod
    def _ngrams_of(cls, embeddings: Embeddings, place: str, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a saved model that are about n-grams.

        Raises:
            FolderError: the model has n-grams, which would be lost if `Word2Vec` trained it.
        """
        if embeddings.subwords is not None:
            raise FolderError(
                f"{place:.200} has n-grams, which Word2Vec does not train: use FastText.load for a model, or "
                "KeyedVectors.load for vectors"
            )
        return {}

    def _check(self) -> None:
        """Raise `ConfigError` for an option that fastw2v does not support, or that is out of range."""
        for name, wrong, remedy in (
            ("hs", bool(self.hs), "hierarchical softmax does not exist here: give hs=0 and negative=5"),
            ("negative", not self.negative, "skip-gram needs noise words here: give at least 1, such as negative=5"),
            ("null_word", bool(self.null_word), "there is no null word here: give null_word=0"),
            ("shrink_windows", not self.shrink_windows, "windows always shrink here: give shrink_windows=True"),
        ):
            if wrong:
                raise ConfigError(f"{name} is {getattr(self, name)!r:.60}, and {remedy}")
        self._config(self.alpha, self.min_alpha, self.epochs)

    def _config(self, alpha: Any, min_alpha: Any, epochs: int) -> TrainConfig:
        numbers = isinstance(alpha, Real) and isinstance(min_alpha, Real)
        return TrainConfig(
            vector_size=self.vector_size,
            window=self.window,
            min_count=self.min_count,
            negative=self.negative,
            ns_exponent=self.ns_exponent,
            sample=self.sample,
            alpha=alpha,
            min_alpha=min(alpha, min_alpha) if numbers else min_alpha,  # Loops for old gensim lower alpha alone.
            epochs=epochs,
            workers=self.workers,
            seed=self._seed,
            max_vocab=self.max_final_vocab,
            **self._ngram_options(),
        )

    def _ngram_options(self) -> dict[str, Any]:
        """Return the options of `TrainConfig` that are about n-grams."""
        return {}

    @contextmanager
    def _counted(self, sentences: Any, corpus_file: Any, trim_rule: TrimRule | None) -> Iterator[Corpus]:
        """Yield a corpus with the vocabulary that the options choose."""
        source = _checked_source(sentences, corpus_file)
        if trim_rule is None:
            with opened(source, None, self.min_count, self.max_final_vocab, workers=self.workers) as corpus:
                yield corpus
            return
        with opened(source, None, 1, None, workers=self.workers) as everything:
            vocab = _trimmed(everything.vocab, self.min_count, trim_rule, self.max_final_vocab)
            with renumbered(everything, vocab, None) as corpus:
                yield corpus

    def _take(self, corpus: Corpus) -> None:
        """Take over the vocabulary of a corpus, without vectors."""
        self._vocab, self._wv = corpus.vocab, None  # Its random vectors are made when they are asked for.
        self.corpus_count, self.corpus_total_words = len(corpus.offsets) - 1, corpus.tokens_read

    def build_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | PathLike[str] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        **_unknown: Any,
    ) -> None:
        """Count the words of a text, and choose the vocabulary.

        Args:
            corpus_iterable: see `Word2Vec`.
            corpus_file: see `Word2Vec`.
            update: keep the words and vectors of the model, add counts, and add new words that are frequent enough.
                As always, the most frequent word comes first.
            progress_per: no effect.
            keep_raw_vocab: no effect.
            trim_rule: see `Word2Vec`.

        Raises:
            TypeError: neither text nor file is given, or both are; or an argument is unknown.
            CorpusError: see `fastw2v.train`; or ``trim_rule`` keeps no word.
        """
        refuse(self, "build_vocab", _unknown)
        if not update or self._vocabulary is None:
            with self._counted(corpus_iterable, corpus_file, trim_rule) as corpus:
                self._take(corpus)
            return
        source = _checked_source(corpus_iterable, corpus_file)
        with opened(source, None, 1, None, workers=self.workers) as corpus:
            self._add(corpus.vocab, trim_rule)
            self.corpus_count, self.corpus_total_words = len(corpus.offsets) - 1, corpus.tokens_read

    def build_vocab_from_freq(
        self,
        word_freq: Mapping[str, int],
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: TrimRule | None = None,
        update: bool = False,
    ) -> None:
        """Choose the vocabulary from counts.

        Args:
            word_freq: the count of each word, a whole number.
            keep_raw_vocab: no effect.
            corpus_count: the number of sentences, for the attribute of this name.
            trim_rule: see `Word2Vec`.
            update: see `build_vocab`.

        Raises:
            CorpusError: a word is not a string, a count is not a whole number, or no word is frequent enough.
        """
        try:
            found = checked_vocab(list(word_freq), list(word_freq.values()))
        except (TypeError, ValueError, AttributeError) as reason:
            raise CorpusError(f"word_freq does not give counts of words: {reason!s:.200}") from None
        if update and self._vocabulary is not None:
            self._add(found, trim_rule)
        else:
            self._vocab = _trimmed(found, self.min_count, trim_rule, self.max_final_vocab)
            self._wv = None
        self.corpus_count = corpus_count or 0
        self.corpus_total_words = int(found.counts.sum())

    def _add(self, found: Vocab, trim_rule: TrimRule | None) -> None:
        """Add counts and words to the vocabulary; new words get vectors as at the start of a run."""
        before = self.wv
        known = rows_in(found, before.vocab) >= 0
        frequent = _frequent(found, self.min_count, trim_rule)
        rows = np.flatnonzero(known | frequent)
        chosen = Vocab([found.words[row] for row in rows.tolist()], found.counts[rows], found.checked)
        vocab = union_of(before.vocab, chosen)
        doubt_numbers(before.vocab, vocab)
        self._show(self._started(vocab, self._seed, before))

    def _started(self, vocab: Vocab, seed: int, before: Embeddings | None = None) -> Embeddings:
        """Return vectors of a vocabulary as at the start of a run, with those of ``before`` where it has the word."""
        V, U = initial_matrices(len(vocab), self.vector_size, seed)
        V, U = V[:, : self.vector_size], U[:, : self.vector_size]
        if before is None:
            return Embeddings.live(vocab, V, U, {})
        places = rows_in(before.vocab, vocab)
        V[places] = before.vectors
        if before.outside is not None:
            U[places] = before.outside
        return Embeddings.live(vocab, V, U, before.metadata, before.metrics)

    def _show(self, embeddings: Embeddings) -> None:
        """Let ``wv`` show other embeddings; it stays the same object, which a program may hold."""
        self._vocab, wv = embeddings.vocab, self.vectors_class.of(embeddings)
        if self._wv is None:
            self._wv = wv
        else:
            vars(self._wv).update(vars(wv), _writable=None)

    @property
    def _seed(self) -> int:
        """The seed of the next call of ``train``: each call draws other noise words."""
        seed: Any = self.seed  # `TrainConfig` refuses what is not a number.
        of_call: int = int(seed) + self.train_count if isinstance(seed, Integral) else seed
        return of_call

    @property
    def _vocabulary(self) -> Vocab | None:
        return self._vocab if self._wv is None else self._wv.vocab

    @property
    def wv(self) -> KeyedVectors:
        """The words and vectors, and U as ``wv.outside``; the vectors of a vocabulary are random until training."""
        if self._wv is None:
            if self._vocab is None:
                return self._empty()
            self._wv = self.vectors_class.of(self._started(self._vocab, self.seed))
        return self._wv

    def _empty(self) -> KeyedVectors:
        """Return vectors of no words."""
        return KeyedVectors(self.vector_size)


class Word2Vec(Counted):
    """Train word vectors with gensim's interface; the model is ``wv``, a `KeyedVectors`.

    Args:
        sentences: lists of words, read once, so a generator is enough; or a `LineSentence` and the like.
        corpus_file: path of a text, one sentence per line; as for `fastw2v.train`. Give one of the two. Or give none,
            and call `build_vocab` and `train`.
        vector_size: see `TrainConfig`, as for all options that are not listed here.
        max_vocab_size: no effect: words are counted exactly, in bounded memory.
        workers: threads. With more than one, two runs agree statistically, not bit for bit.
        sg: 1 is skip-gram. 0, gensim's default, asks for CBOW; it warns once and trains skip-gram.
        hs: must be 0.
        trim_rule: ``rule(word, count, min_count)`` returns RULE_KEEP, RULE_DISCARD or RULE_DEFAULT for each word.
        compute_loss: no effect: the loss is always computed, see `get_latest_training_loss`.
        callbacks: objects with any of the methods of `CallbackAny2Vec`. As in gensim, they are for the training on
            ``sentences`` or ``corpus_file``; give `train` its own.
        max_final_vocab: keep only this many of the most frequent words.
        comment: a text that is saved with the model.

    Attributes:
        corpus_count: number of sentences that `build_vocab` read.
        corpus_total_words: number of their words, frequent enough or not.
        total_train_time: seconds of training.

    Raises:
        TypeError: both ``sentences`` and ``corpus_file`` are given, or ``corpus_file`` is not a path.
        ConfigError: an option is out of range, or fastw2v does not support what it asks for.
        CorpusError: see `fastw2v.train`.
    """

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | PathLike[str] | None = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 0.0001,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Callable[[Any], int] = hash,
        epochs: int = 5,
        null_word: int = 0,
        trim_rule: TrimRule | None = None,
        sorted_vocab: int = 1,
        batch_words: int = 10_000,
        compute_loss: bool = False,
        callbacks: Sequence[Any] = (),
        comment: str | None = None,
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
        **_unknown: Any,
    ) -> None:
        refuse(self, self.kind, _unknown)
        self.vector_size, self.window, self.min_count, self.sample = vector_size, window, min_count, sample
        self.alpha, self.min_alpha, self.epochs, self.seed, self.workers = alpha, min_alpha, epochs, seed, workers
        self.negative, self.ns_exponent, self.max_final_vocab = negative, ns_exponent, max_final_vocab
        self.max_vocab_size, self.batch_words, self.sorted_vocab = max_vocab_size, batch_words, sorted_vocab
        self.sg, self.hs, self.cbow_mean, self.null_word = sg, hs, cbow_mean, null_word
        self.compute_loss, self.comment, self.hashfxn = compute_loss, comment, hashfxn
        self.shrink_windows = shrink_windows
        self.layer1_size = vector_size
        self.corpus_count = self.corpus_total_words = self.train_count = 0
        self.running_training_loss = self.total_train_time = 0.0
        self._vocab, self._wv = None, None
        self._check()
        self.min_alpha_yet_reached = float(alpha)
        if not sg:
            warn_once(SKIP_GRAM_ONLY)
        if sentences is not None or corpus_file is not None:
            callbacks = _checked_callbacks(callbacks)
            with self._counted(sentences, corpus_file, trim_rule) as corpus:
                self._take(corpus)
                self._fit(corpus, callbacks)
        else:
            for name, given, method in (("callbacks", callbacks, "train"), ("trim_rule", trim_rule, "build_vocab")):
                if given:
                    doubt(f"{name} has no effect without sentences: give it to {method}")

    if not TYPE_CHECKING:  # Otherwise a type checker would accept a misspelt name.

        def __getattr__(self, name: str) -> Any:
            hint = f": use wv.{name}" if name[:1] != "_" and hasattr(KeyedVectors, name) else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}<vocab={len(self.wv)}, vector_size={self.vector_size}, alpha={self.alpha}>"

    # ---- training

    def train(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | PathLike[str] | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = False,
        callbacks: Sequence[Any] = (),
        **_unknown: Any,
    ) -> tuple[int, int]:
        """Train further, from the vectors as they are; words that are not in the vocabulary are left out.

        Args:
            corpus_iterable: see `Word2Vec`. It is read once, whatever the number of epochs.
            corpus_file: see `Word2Vec`.
            total_examples: no effect: sentences are counted.
            total_words: no effect: words are counted.
            epochs: passes over the text; by default ``epochs`` of the model. As with gensim, the model keeps this and
                the two rates.
            start_alpha: learning rate at the start; by default ``alpha``.
            end_alpha: learning rate at the end; by default ``min_alpha``. The rate never rises.
            word_count: no effect.
            queue_factor: no effect.
            report_delay: no effect.
            compute_loss: an attribute of the model, as with gensim; the loss is always computed.
            callbacks: objects with any of the methods of `CallbackAny2Vec`.

        Returns:
            The number of words trained and the number of words read, over all epochs.

        Warns:
            FastW2VWarning: no word of the text is in the vocabulary, so nothing is trained.

        Raises:
            TypeError: neither text nor file is given, or both are; or an argument is unknown.
            ConfigError: there is no vocabulary, or an option is out of range.
            CorpusError: see `fastw2v.train`.
        """
        refuse(self, "train", _unknown)
        callbacks = _checked_callbacks(callbacks)
        vocab = self._vocabulary
        if vocab is None:
            raise ConfigError("the model has no vocabulary: call build_vocab first")
        source = _checked_source(corpus_iterable, corpus_file)
        with (
            opened(source, None, 1, None, workers=self.workers) as everything,
            ExitStack() as stack,
        ):
            if not any(word in vocab for word in everything.vocab):
                doubt(f"no word of the text is in the vocabulary of {len(vocab):,} words, so nothing is trained")
                passes = self.epochs if epochs is None else epochs
                return 0, everything.tokens_read * passes
            corpus = stack.enter_context(renumbered(everything, vocab, None))
            self.compute_loss = bool(compute_loss)
            return self._fit(corpus, callbacks, epochs, start_alpha, end_alpha)

    def _fit(
        self,
        corpus: Corpus,
        callbacks: Sequence[Any],
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
    ) -> tuple[int, int]:
        """Train on a corpus that has the vocabulary of the model."""
        self._check()
        if not self.sg:
            warn_once(SKIP_GRAM_ONLY)
        start = self.alpha if start_alpha is None else start_alpha
        end = self.min_alpha if end_alpha is None else end_alpha
        config = self._config(start, end, self.epochs if epochs is None else epochs)
        if config.min_alpha < end:
            doubt(f"the learning rate never rises here: it stays at {start:g}, although its end is {end:g}")
        self.alpha, self.min_alpha, self.epochs = start, end, config.epochs
        self.running_training_loss = 0.0
        # Without callbacks, nothing sees the matrices before the end, and no copy of them is made.
        followed = [self._followed(callbacks)] if callbacks else []
        run = Run(None, False, 10.0, self._wv, followed, progress=False)
        trained = train_corpus(corpus, config, None, None, run)
        self._show(trained)
        if not callbacks:
            self.running_training_loss = sum((record["loss"] or 0.0) * record["pairs"] for record in trained.metrics)
        self.train_count += 1
        self.min_alpha_yet_reached = config.min_alpha
        progress = trained.metadata["progress"]
        self.total_train_time += progress["seconds"]
        return progress["tokens_trained"], corpus.tokens_read * config.epochs

    def _followed(self, callbacks: Sequence[Any]) -> SimpleNamespace:
        """Return a callback for `fastw2v.train` that keeps the model up to date and calls gensim's callbacks."""

        def told(name: str) -> Callable[[Progress, Embeddings], None]:
            def hook(progress: Progress, embeddings: Embeddings) -> None:
                self._show(embeddings)
                self.min_alpha_yet_reached = progress.alpha
                rates, vectors = (self.alpha, self.min_alpha), self.wv.vectors
                for callback in callbacks:
                    getattr(callback, name, lambda model: None)(self)
                if (self.alpha, self.min_alpha) != rates and name != "on_train_end":
                    doubt("a callback changed alpha or min_alpha, which has no effect on the training that runs")
                if self.wv.vectors is not vectors:
                    doubt("a callback changed vectors of the model, and the change is lost: make it after the training")

            return hook

        def add_loss(progress: Progress, embeddings: Embeddings) -> None:
            self.running_training_loss += (progress.loss or 0.0) * progress.pairs

        return SimpleNamespace(on_chunk=add_loss, **{name: told(name) for name in _HOOKS})

    def get_latest_training_loss(self) -> float:
        """Return the loss of the last `train`, summed over all pairs, as gensim sums it.

        It adds up the mean loss per pair of each chunk times its pairs, so it grows during a run. The loss per pair is
        in ``wv.metrics``.
        """
        return self.running_training_loss

    # ---- vectors

    @property
    def syn1neg(self) -> NDArray[np.float32] | None:
        """The outside rows U, float32 ``(n_words, vector_size)``."""
        return self.wv.outside

    def predict_output_word(
        self, context_words_list: Sequence[Key], topn: int | None = 10
    ) -> list[tuple[str, float]] | None:
        """Return the words that most probably occur with the given ones; see `Embeddings.predict_output_word`.

        As with gensim, the result is None if no word is known.
        """
        found = self.wv.predict_output_word(context_words_list, topn)
        return found if found or any(word in self.wv for word in context_words_list) else None

    def init_sims(self, replace: bool = False) -> None:
        """Compute the lengths of the vectors; with ``replace``, keep only vectors of length 1."""
        self.wv.init_sims(replace)

    def estimate_memory(self, vocab_size: int | None = None, report: dict[str, int] | None = None) -> dict[str, int]:
        """Return the bytes of the vocabulary, V ("vectors"), U ("syn1neg") and all ("total"), as gensim counts them."""
        n_words = vocab_size or len(self.wv)
        found = dict(report or {}) | {"vocab": 500 * n_words}
        found |= dict.fromkeys(("vectors", "syn1neg"), 4 * n_words * self.vector_size)
        return found | {"total": sum(found.values())}

    # ---- files

    def save(self, fname: str | PathLike[str], *_: Any, **__: Any) -> None:
        """Write a model folder, which `load` and `fastw2v.load` open; gensim's other arguments have no effect.

        Raises:
            ConfigError: the model has no vocabulary.
            FolderError: the folder can't be written, or is something else, such as a file of gensim.
        """
        if self._vocabulary is None:
            raise ConfigError("the model has no vocabulary, so there is nothing to save: call build_vocab first")
        stored = {name: getattr(self, name) for name in (*self.stored_options, *_COUNTED, *_SUMMED)}
        stored = {name: value.item() if isinstance(value, np.generic) else value for name, value in stored.items()}
        stored["comment"] = None if self.comment is None else str(self.comment)
        wv = self.wv
        metadata = wv.metadata | {"gensim": stored}
        KeyedVectors.live(wv.vocab, wv.vectors, wv.outside, metadata, wv.metrics, wv.subwords).save(fname)

    @classmethod
    def load(cls, fname: str | PathLike[str], *_: Any, **__: Any) -> Self:
        """Open what `save` or `fastw2v.train` wrote.

        Raises:
            FolderError: it is not a model folder, or is damaged.
        """
        place = local_path(fname, FolderError)
        if os.path.isfile(place):
            raise FolderError(f"{printable(place):.200} is a file, not a model folder of fastw2v: {cls.file_remedy}")
        embeddings = load(place)
        stored = embeddings.metadata.pop("gensim", None)
        if not isinstance(stored, dict):
            config = embeddings.metadata.get("config")
            stored = dict(config) if isinstance(config, dict) else {}
            stored["max_final_vocab"] = stored.pop("max_vocab", None)
        options = {name: stored[name] for name in cls.stored_options if name in stored}
        options |= {"vector_size": embeddings.vector_size, "sg": 1, **cls._ngrams_of(embeddings, place, stored)}
        try:
            model = cls(**options)
            sums: dict[str, Any] = {name: int(stored.get(name, 0)) for name in _COUNTED}
            sums |= {name: float(stored[name]) for name in _SUMMED if name in stored}
        except (TypeError, ValueError, OverflowError) as reason:
            raise FolderError(
                f"{place:.200} has options that {cls.kind} does not take: {printable(str(reason)):.200}"
            ) from None
        vars(model).update(sums, sg=stored.get("sg", 1))
        model._vocab, model._wv = embeddings.vocab, cls.vectors_class.of(embeddings)
        return model


#: What a saved model keeps of the constructor's arguments.
_OPTIONS = (
    *("vector_size", "alpha", "window", "min_count", "max_vocab_size", "sample", "seed", "workers", "min_alpha", "sg"),
    *("hs", "negative", "ns_exponent", "cbow_mean", "epochs", "null_word", "sorted_vocab", "batch_words"),
    *("compute_loss", "comment", "max_final_vocab", "shrink_windows"),
)
Word2Vec.known_options = tuple(inspect.signature(Word2Vec).parameters)[:-1]
Word2Vec.stored_options = _OPTIONS


def _checked_callbacks(callbacks: Any) -> list[Any]:
    """Return the callbacks as a list.

    Raises:
        ConfigError: this is no list, or something in it has none of gensim's methods, or is a class.
    """
    remedy = "give a list of objects like CallbackAny2Vec"
    if not isinstance(callbacks, Iterable):
        raise ConfigError(f"callbacks is {callbacks!r:.60}: {remedy}")
    found = list(callbacks)
    for callback in found:
        if isinstance(callback, type):
            raise ConfigError(f"callbacks holds {callback.__name__:.60}, which is a class: give an object of it")
        if not any(callable(getattr(callback, name, None)) for name in _HOOKS):
            raise ConfigError(f"callbacks holds {callback!r:.60}, which has none of {', '.join(_HOOKS)}: {remedy}")
    return found


def warn_once(text: str) -> None:
    """Report a doubt, unless it was reported before."""
    if text not in _warned:
        _warned.add(text)
        doubt(text)


def _frequent(vocab: Vocab, min_count: int, trim_rule: TrimRule | None) -> NDArray[np.bool_]:
    """Return whether ``min_count`` and a rule keep each word, bool ``(n_words,)``."""
    kept: NDArray[np.bool_] = vocab.counts >= min_count
    if trim_rule is not None:
        counts = zip(vocab.words, vocab.counts.tolist(), strict=True)
        rules = np.array([trim_rule(word, count, min_count) for word, count in counts])
        kept = (kept | (rules == RULE_KEEP)) & (rules != RULE_DISCARD)
    return kept


def _trimmed(vocab: Vocab, min_count: int, trim_rule: TrimRule | None, max_vocab: int | None) -> Vocab:
    """Return the words that are kept, most frequent first.

    Raises:
        CorpusError: no word is kept.
    """
    rows = np.flatnonzero(_frequent(vocab, min_count, trim_rule))
    rows = rows[np.argsort(-vocab.counts[rows], kind="stable")][:max_vocab]
    if not len(rows):
        raise CorpusError(f"no word is kept: lower min_count, which is {min_count}, or change trim_rule")
    return Vocab([vocab.words[row] for row in rows.tolist()], vocab.counts[rows], vocab.checked)
