"""gensim's names over fastw2v: change the import line of a program, and keep the rest.

``from fastw2v.gensim import Word2Vec`` has gensim 4's arguments in gensim's order, with gensim's defaults. gensim need
not be installed, and is never imported. Training is that of `fastw2v.train`: skip-gram with negative sampling.

- ``sg=0``, gensim's default, asks for CBOW, and trains skip-gram with one warning. ``hs=1``, ``negative=0``,
  ``shrink_windows=False`` and ``null_word=1`` are errors.
- ``batch_words``, ``hashfxn``, ``sorted_vocab``, ``cbow_mean``, ``max_vocab_size``, ``queue_factor`` and the like are
  accepted and mean nothing: there are no batches, no hashes, and words are counted exactly.
- `Word2Vec.save` writes a model folder of fastw2v, not a pickle; `Word2Vec.load` reads it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Integral, Real
from os import PathLike
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .config import TrainConfig
from .embeddings import Embeddings, load
from .errors import ConfigError, CorpusError, FolderError, doubt
from .files.places import local_path
from .screen import printable
from .text.corpus import Corpus
from .text.lines import LineSentence, PathLineSentences, Text8Corpus, simple_preprocess
from .text.prepared import opened
from .text.unions import renumbered, rows_in, union_of
from .training.callbacks import Progress
from .training.driver import train_corpus
from .training.replica import initial_matrices
from .training.run import Run
from .vectors.lookup import Key
from .vocab import Vocab, checked_vocab

if TYPE_CHECKING:
    from .text.phrases import Phrases
else:

    def __getattr__(name: str) -> object:
        """Load `Phrases` when it is first used: its kernels are a quarter of all that a training would load."""
        if name != "Phrases":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .text.phrases import Phrases

        return globals().setdefault(name, Phrases)


__all__ = [
    "RULE_DEFAULT",
    "RULE_DISCARD",
    "RULE_KEEP",
    "CallbackAny2Vec",
    "KeyedVectors",
    "LineSentence",
    "PathLineSentences",
    "Phrases",
    "Text8Corpus",
    "Word2Vec",
    "simple_preprocess",
]

RULE_DEFAULT, RULE_DISCARD, RULE_KEEP = 0, 1, 2  # what a trim_rule returns
TrimRule = Callable[[str, int, int], int]
_HOOKS = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
_COUNTED = ("corpus_count", "corpus_total_words", "train_count")
_SUMMED = ("running_training_loss", "total_train_time", "min_alpha_yet_reached")
_warned: set[str] = set()  # so that a loop over many models warns once


def _checked_source(sentences: Any, corpus_file: Any) -> Any:
    """Return what `prepared.opened` takes: paths, or sentences.

    Raises:
        TypeError: there is no corpus, or two.
        CorpusError: the sentences are one string, whose characters would be the sentences.
    """
    if (sentences is None) == (corpus_file is None):
        raise TypeError("give either sentences or corpus_file, and not both")
    if corpus_file is not None:
        if not isinstance(corpus_file, (str, PathLike)):
            raise TypeError(f"corpus_file is {corpus_file!r:.60}: give the path of a text file")
        return corpus_file
    if isinstance(sentences, (str, bytes)):
        raise CorpusError(f"the sentences are one string, {sentences!r:.60}: give lists of words, or corpus_file=path")
    if isinstance(sentences, LineSentence):
        return sentences.whole_files() or iter(sentences)
    if isinstance(sentences, Sequence) and len(sentences) and isinstance(sentences[0], (str, PathLike)):
        return iter(sentences)  # Elsewhere in this package, a list of strings is a list of paths.
    return sentences


# ------------------------------------------------------------------------------------------------------ vectors


class KeyedVectors(Embeddings):
    """Words and their vectors, with gensim's constructor; everything else is that of `Embeddings`.

    Args:
        vector_size: columns; `add_vectors` fills the empty set.
        count: gensim's number of rows to reserve; it has no effect.
        dtype: gensim's type of numbers; here it is always float32.
        mapfile_path: gensim's; it has no effect.
    """

    def __init__(self, vector_size: int, count: int = 0, dtype: Any = np.float32, mapfile_path: Any = None) -> None:
        size = TrainConfig(vector_size=vector_size, workers=1).vector_size
        empty = Embeddings.live(
            Vocab([], np.zeros(0, np.int64), checked=True), np.zeros((0, size), np.float32), None, {}
        )
        vars(self).update(vars(empty))

    @classmethod
    def of(cls, embeddings: Embeddings) -> Self:
        """Return the same embeddings under gensim's name."""
        parts = (embeddings.vectors, embeddings.outside, embeddings.metadata, embeddings.metrics)
        return cls.live(embeddings.vocab, *parts)

    @classmethod
    def load(cls, path: str | PathLike[str], mmap: str | None = None) -> Self:
        """Open what `save` wrote, or a file of vectors; see `fastw2v.load`. ``mmap`` has no effect."""
        return cls.of(load(path))

    @classmethod
    def load_word2vec_format(cls, *arguments: Any, **options: Any) -> Self:
        """Read a file of vectors, with gensim's arguments; see `fastw2v.load_word2vec_format`."""
        options.pop("datatype", None)  # Vectors are float32 here.
        return cls.of(Embeddings.load_word2vec_format(*arguments, **options))

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
        self.add_vectors(keys, weights, replace=True)


class CallbackAny2Vec:
    """Base class of callbacks; each method gets the model, whose ``wv`` shows the vectors at that moment."""

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

    def _check(self) -> None:
        """Raise `ConfigError` for an option that asks for what does not exist here, or is out of range."""
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
            min_alpha=min(alpha, min_alpha) if numbers else min_alpha,  # gensim's old loops lower alpha alone.
            epochs=epochs,
            workers=self.workers,
            seed=self._seed,
            max_vocab=self.max_final_vocab,
        )

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
        self._vocab, self._wv = corpus.vocab, None
        self.corpus_count, self.corpus_total_words = len(corpus.offsets) - 1, corpus.tokens_read

    def build_vocab(
        self,
        corpus_iterable: Any = None,
        corpus_file: str | PathLike[str] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        **_: Any,
    ) -> None:
        """Count the words of a text, and choose the vocabulary.

        Args:
            corpus_iterable: see `Word2Vec`.
            corpus_file: see `Word2Vec`.
            update: keep the words and vectors that there are, add counts, and add new words that are frequent enough.
                As always, the most frequent word comes first.
            progress_per: no effect.
            keep_raw_vocab: no effect.
            trim_rule: see `Word2Vec`.

        Raises:
            CorpusError: see `fastw2v.train`.
        """
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
            word_freq: the count of each word.
            keep_raw_vocab: no effect.
            corpus_count: the number of sentences, for the attribute of this name.
            trim_rule: see `Word2Vec`.
            update: see `build_vocab`.

        Raises:
            CorpusError: the counts are not whole numbers of words, or no word is frequent enough.
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
        """Add counts and words to the vocabulary; new words get vectors as at the start of a training."""
        before = self.wv
        known = rows_in(found, before.vocab) >= 0
        frequent = _frequent(found, self.min_count, trim_rule)
        rows = np.flatnonzero(known | frequent)
        chosen = Vocab([found.words[row] for row in rows.tolist()], found.counts[rows], found.checked)
        vocab = union_of(before.vocab, chosen)
        V, U = initial_matrices(len(vocab), self.vector_size, self._seed)
        V, U = V[:, : self.vector_size], U[:, : self.vector_size]
        places = rows_in(before.vocab, vocab)
        V[places] = before.vectors
        if before.outside is not None:
            U[places] = before.outside
        self._vocab, self._wv = vocab, KeyedVectors.live(vocab, V, U, before.metadata, before.metrics)

    @property
    def _seed(self) -> int:
        """The seed of the next call of ``train``: each call draws other noise words."""
        seed: Any = self.seed  # `TrainConfig` refuses what is no number.
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
                return KeyedVectors(self.vector_size)
            V, U = initial_matrices(len(self._vocab), self.vector_size, self.seed)
            self._wv = KeyedVectors.live(self._vocab, V[:, : self.vector_size], U[:, : self.vector_size], {})
        return self._wv


class Word2Vec(Counted):
    """Train word vectors with gensim's interface; the model is ``wv``, a `KeyedVectors`.

    Args:
        sentences: lists of words, read once, so a generator is enough; or a `LineSentence` and the like.
        corpus_file: path of a text, one sentence per line; as for `fastw2v.train`. Give one of the two, or none and
            call `build_vocab` and `train`.
        vector_size: see `TrainConfig`, as for all options that are not listed here.
        max_vocab_size: no effect: words are counted exactly, in bounded memory.
        workers: threads. With more than one, two runs agree statistically, not bit for bit.
        sg: 1 is skip-gram. 0, gensim's default, asks for CBOW; it warns once and trains skip-gram.
        hs: must be 0.
        trim_rule: ``rule(word, count, min_count)`` returns RULE_KEEP, RULE_DISCARD or RULE_DEFAULT for each word.
        compute_loss: no effect: the loss is always computed, see `get_latest_training_loss`.
        callbacks: objects with methods of `CallbackAny2Vec`.
        max_final_vocab: keep only this many of the most frequent words.
        comment: a text, which is saved with the model.

    Attributes:
        corpus_count: sentences that `build_vocab` read.
        corpus_total_words: their words, frequent enough or not.
        total_train_time: seconds of training.

    Raises:
        ConfigError: an option is out of range, or asks for what does not exist here.
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
    ) -> None:
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
            _warn_once("sg=0 asks for CBOW, and fastw2v trains skip-gram: give sg=1 to silence this")
        if sentences is not None or corpus_file is not None:
            with self._counted(sentences, corpus_file, trim_rule) as corpus:
                self._take(corpus)
                self._fit(corpus, callbacks)

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
        **_: Any,
    ) -> tuple[int, int]:
        """Train further, from the vectors as they are; words that are not in the vocabulary are left out.

        Args:
            corpus_iterable: see `Word2Vec`. It is read once, whatever the number of epochs.
            corpus_file: see `Word2Vec`.
            total_examples: no effect: sentences are counted.
            total_words: no effect: words are counted.
            epochs: passes; by default those of the model.
            start_alpha: learning rate at the start; by default ``alpha``.
            end_alpha: learning rate at the end; by default ``min_alpha``.
            word_count: no effect.
            queue_factor: no effect.
            report_delay: no effect.
            compute_loss: no effect: the loss is always computed.
            callbacks: objects with methods of `CallbackAny2Vec`.

        Returns:
            The number of words trained and the number of words read, over all epochs.

        Raises:
            ConfigError: there is no vocabulary, or an option is out of range.
            CorpusError: see `fastw2v.train`, or no word of the text is in the vocabulary.
        """
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
        start = self.alpha if start_alpha is None else start_alpha
        end = self.min_alpha if end_alpha is None else end_alpha
        config = self._config(start, end, self.epochs if epochs is None else epochs)
        self.running_training_loss = 0.0
        run = Run(None, False, 10.0, self._wv, [self._followed(callbacks)], progress=False)
        trained = train_corpus(corpus, config, None, None, run)
        self._wv = KeyedVectors.of(trained)
        self.train_count += 1
        self.min_alpha_yet_reached = config.min_alpha
        progress = trained.metadata["progress"]
        self.total_train_time += progress["seconds"]
        return progress["tokens_trained"], corpus.tokens_read * config.epochs

    def _followed(self, callbacks: Sequence[Any]) -> SimpleNamespace:
        """Return a callback for `fastw2v.train` that keeps the model up to date, and calls those of gensim's kind."""
        if not isinstance(callbacks, Iterable):
            raise ConfigError(f"callbacks is {callbacks!r:.60}: give a list of objects like CallbackAny2Vec")

        def told(name: str) -> Callable[[Progress, Embeddings], None]:
            def hook(progress: Progress, embeddings: Embeddings) -> None:
                self._wv = KeyedVectors.of(embeddings)
                for callback in callbacks:
                    getattr(callback, name, lambda model: None)(self)

            return hook

        def add_loss(progress: Progress, embeddings: Embeddings) -> None:
            self.running_training_loss += (progress.loss or 0.0) * progress.pairs

        return SimpleNamespace(on_chunk=add_loss, **{name: told(name) for name in _HOOKS})

    def get_latest_training_loss(self) -> float:
        """Return the loss of the last `train`, summed over all pairs, as gensim sums it.

        It is the mean loss per pair of each chunk times its pairs, and grows during a training. The loss per pair is in
        ``wv.metrics``.
        """
        return self.running_training_loss

    # ---- vectors

    @property
    def syn1neg(self) -> NDArray[np.float32] | None:
        """The outside rows U, float32 ``(n_words, vector_size)``."""
        return self.wv.outside

    def predict_output_word(self, context_words_list: Sequence[Key], topn: int | None = 10) -> list[tuple[str, float]]:
        """Return the words that are most probable beside the given ones; see `Embeddings.predict_output_word`."""
        return self.wv.predict_output_word(context_words_list, topn)

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
        stored = {name: getattr(self, name) for name in (*_OPTIONS, *_COUNTED, *_SUMMED)}
        stored["comment"] = None if self.comment is None else str(self.comment)
        wv = self.wv
        metadata = wv.metadata | {"gensim": stored}
        KeyedVectors.live(wv.vocab, wv.vectors, wv.outside, metadata, wv.metrics).save(fname)

    @classmethod
    def load(cls, fname: str | PathLike[str], *_: Any, **__: Any) -> Self:
        """Open what `save` or `fastw2v.train` wrote.

        Raises:
            FolderError: it is no model folder, or is damaged.
        """
        place = local_path(fname, FolderError)
        if os.path.isfile(place):
            raise FolderError(
                f"{printable(place):.200} is a file, not a model folder of fastw2v: train again, or have gensim export "
                "it with model.wv.save_word2vec_format and read that with KeyedVectors.load_word2vec_format"
            )
        embeddings = load(place)
        stored = embeddings.metadata.pop("gensim", None)
        if not isinstance(stored, dict):
            config = embeddings.metadata.get("config")
            stored = dict(config) if isinstance(config, dict) else {}
            stored["max_final_vocab"] = stored.pop("max_vocab", None)
        options = {name: stored[name] for name in _OPTIONS if name in stored}
        options |= {"vector_size": embeddings.vector_size, "sg": 1}
        try:
            model = cls(**options)
            sums: dict[str, Any] = {name: int(stored.get(name, 0)) for name in _COUNTED}
            sums |= {name: float(stored[name]) for name in _SUMMED if name in stored}
        except (TypeError, ValueError, OverflowError) as reason:
            raise FolderError(f"{place:.200} has options of no Word2Vec: {printable(str(reason)):.200}") from None
        vars(model).update(sums, sg=stored.get("sg", 1))
        model._vocab, model._wv = embeddings.vocab, KeyedVectors.of(embeddings)
        return model


#: What a saved model keeps of the constructor's arguments.
_OPTIONS = (
    *("vector_size", "alpha", "window", "min_count", "max_vocab_size", "sample", "seed", "workers", "min_alpha", "sg"),
    *("hs", "negative", "ns_exponent", "cbow_mean", "epochs", "null_word", "sorted_vocab", "batch_words"),
    *("compute_loss", "comment", "max_final_vocab", "shrink_windows"),
)


def _warn_once(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        doubt(text)


def _frequent(vocab: Vocab, min_count: int, trim_rule: TrimRule | None) -> NDArray[np.bool_]:
    """Tell of each word whether ``min_count`` and a rule keep it, bool ``(n_words,)``."""
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
