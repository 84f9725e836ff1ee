"""gensim's `FastText`: vectors of words and of their n-grams, and Facebook's files of them."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..embeddings import Embeddings, load
from ..errors import ConfigError, FolderError, FormatError, doubt
from ..files.places import local_path
from ..screen import printable
from ..subwords.ngrams import Ngrams, rows_of_words
from ..subwords.table import Subwords
from ..training.replica import Replica, composition_of, ngrams_of
from ..vectors.lookup import read_only
from ..vectors.rows import Key
from ..vocab import Vocab
from .words import KeyedVectors, TrimRule, Word2Vec, refuse


class FastTextKeyedVectors(KeyedVectors):
    """Words, their vectors, and the rows of n-grams that give other words a vector too; otherwise as `KeyedVectors`.

    ``word in vectors`` tells whether the word is in the vocabulary, where gensim answers True for every word.

    Args:
        vector_size: columns of the vectors. The set is empty; `add_vectors` fills it.
        min_n: least number of characters of an n-gram.
        max_n: largest number of characters of an n-gram; below ``min_n``, there are no n-grams.
        bucket: n-grams are hashed to this many buckets; 0 for no n-grams.
        count: see `KeyedVectors`.
        dtype: see `KeyedVectors`.

    Raises:
        ConfigError: a size is out of range.
    """

    def __init__(
        self, vector_size: int, min_n: int, max_n: int, bucket: int, count: int = 0, dtype: Any = np.float32
    ) -> None:
        super().__init__(vector_size, count, dtype)
        ngrams = _ngrams(min_n, max_n, bucket)
        if ngrams is not None:
            none, rows = np.zeros(0, np.int32), np.zeros((0, self.vector_size), np.float32)
            self.subwords = Subwords(ngrams, read_only(rows), none, none)

    _table: NDArray[np.float32] | None = None  # Made by `vectors_ngrams`,
    _table_of: Subwords | None = None  # from these rows.

    def __setstate__(self, state: dict[str, Any]) -> None:
        if len(state["vocab"]):
            Embeddings.__init__(self, **state)
        else:
            self.__init__(state["vectors"].shape[1], 0, 0, 0)  # type: ignore[misc]
            self.subwords = state["subwords"]

    @property
    def min_n(self) -> int:
        """Least number of characters of an n-gram; 0 if there are no n-grams."""
        return 0 if self.subwords is None else self.subwords.ngrams.min_n

    @property
    def max_n(self) -> int:
        """Largest number of characters of an n-gram; 0 if there are no n-grams."""
        return 0 if self.subwords is None else self.subwords.ngrams.max_n

    @property
    def bucket(self) -> int:
        """Number of buckets; 0 if there are no n-grams."""
        return 0 if self.subwords is None else self.subwords.ngrams.bucket

    @property
    def vectors_vocab(self) -> NDArray[np.float32]:
        """The rows of the words themselves, float32 ``(n_words, vector_size)``.

        The vector of a word is the mean of its own row and the rows of its n-grams.
        """
        if self.subwords is None or not self.subwords.ngrams.own_rows:
            return self.vectors
        return read_only(self.subwords.rows[: len(self)])

    @property
    def vectors_ngrams(self) -> NDArray[np.float32]:
        """The rows of all buckets, float32 ``(bucket, vector_size)``; zeros for buckets that no word reaches.

        The table is made when it is asked for: with gensim's 2,000,000 buckets it takes up to 8 MB per column.
        """
        if self.subwords is None:
            return np.zeros((0, self.vector_size), np.float32)
        if self._table is None or self._table_of is not self.subwords:
            self._table, self._table_of = self.subwords.of_buckets(0, self.bucket), self.subwords
        return read_only(self._table)

    @property
    def buckets_word(self) -> list[NDArray[np.uint32]]:
        """The buckets of the n-grams of each word."""
        if self.subwords is None:
            return [np.zeros(0, np.uint32) for _ in self.words]
        starts, buckets = rows_of_words(self.words, self.subwords.ngrams, own_rows=False)
        return np.split(buckets.astype(np.uint32), starts[1:-1]) if len(self) else []

    def get_sentence_vector(self, sentence: Sequence[Key]) -> NDArray[np.float32]:
        """Return the mean of the unit vectors of the words of a sentence, see `Embeddings.get_mean_vector`."""
        return self.get_mean_vector(sentence)


def _options_of(min_n: Any, max_n: Any, bucket: Any) -> dict[str, Any]:
    """Return the options of `TrainConfig`, which checks them: there, only a ``max_n`` of 0 turns n-grams off."""
    are_numbers = all(isinstance(each, Integral) for each in (min_n, max_n, bucket))
    if are_numbers and (max_n < max(min_n, 1) or bucket == 0):
        return {"max_n": 0}
    return {"min_n": 1 if min_n == 0 else min_n, "max_n": max_n, "bucket": bucket}


def _ngrams(min_n: int, max_n: int, bucket: int) -> Ngrams | None:
    """Return the n-grams that gensim's arguments choose; None if there are none."""
    return ngrams_of(TrainConfig(workers=1, **_options_of(min_n, max_n, bucket)))


class FastText(Word2Vec):
    """Train vectors of words and their n-grams with gensim's interface; the model is ``wv``, a `FastTextKeyedVectors`.

    ``wv["unseen"]`` is made from n-grams. Everything that is not listed here is as in `Word2Vec`.

    Args:
        sentences: see `Word2Vec`, as for all arguments that are not listed here.
        corpus_file: see `Word2Vec`.
        sg: 1 is skip-gram. 0, gensim's default, asks for CBOW; it warns once and trains skip-gram.
        word_ngrams: must be 1.
        min_n: least number of characters of an n-gram, with ``<`` and ``>`` around the word.
        max_n: largest number of characters of an n-gram. If it is below ``min_n``, as is 0, there are no n-grams.
        bucket: n-grams are hashed to this many buckets. Only those that some word reaches take memory. 0 for no
            n-grams.

    Raises:
        TypeError, CorpusError: see `Word2Vec`.
        ConfigError: an option is out of range, or fastw2v does not support what it asks for.
    """

    kind = "FastText"
    vectors_class = FastTextKeyedVectors
    file_remedy = (
        "use load_facebook_model for a fastText model (.bin), or have gensim write one with save_facebook_model"
    )

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: str | PathLike[str] | None = None,
        sg: int = 0,
        hs: int = 0,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        max_vocab_size: int | None = None,
        word_ngrams: int = 1,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int = 3,
        min_alpha: float = 0.0001,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        hashfxn: Callable[[Any], int] = hash,
        epochs: int = 5,
        null_word: int = 0,
        min_n: int = 3,
        max_n: int = 6,
        sorted_vocab: int = 1,
        bucket: int = 2_000_000,
        trim_rule: TrimRule | None = None,
        batch_words: int = 10_000,
        callbacks: Sequence[Any] = (),
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
        **_unknown: Any,
    ) -> None:
        refuse(self, self.kind, _unknown)
        if word_ngrams != 1:
            raise ConfigError(f"word_ngrams is {word_ngrams!r:.60}, but n-grams are of characters here: give 1")
        self.word_ngrams, self.min_n, self.max_n, self.bucket = word_ngrams, min_n, max_n, bucket
        super().__init__(
            sentences,
            corpus_file,
            vector_size=vector_size,
            alpha=alpha,
            window=window,
            min_count=min_count,
            max_vocab_size=max_vocab_size,
            sample=sample,
            seed=seed,
            workers=workers,
            min_alpha=min_alpha,
            sg=sg,
            hs=hs,
            negative=negative,
            ns_exponent=ns_exponent,
            cbow_mean=cbow_mean,
            hashfxn=hashfxn,
            epochs=epochs,
            null_word=null_word,
            trim_rule=trim_rule,
            sorted_vocab=sorted_vocab,
            batch_words=batch_words,
            callbacks=callbacks,
            max_final_vocab=max_final_vocab,
            shrink_windows=shrink_windows,
        )

    def _ngram_options(self) -> dict[str, Any]:
        return _options_of(self.min_n, self.max_n, self.bucket)

    def _started(self, vocab: Vocab, seed: int, before: Embeddings | None = None) -> Embeddings:
        config = replace(self._config(self.alpha, self.min_alpha, self.epochs), seed=seed, workers=1, kernel="pair")
        if ngrams_of(config) is None:
            return super()._started(vocab, seed, before)
        replica = Replica(vocab.counts, config, composition=composition_of(vocab, config))
        if before is not None:
            replica.start_from(before, vocab)
        metadata, metrics = ({}, []) if before is None else (before.metadata, before.metrics)
        return replica.result(replica.embeddings(vocab, metadata, metrics), seen=False)

    def _show(self, embeddings: Embeddings) -> None:
        super()._show(embeddings)
        vars(self._wv).update(_table=None)  # The rows of a training are the same array, with other numbers.

    def _empty(self) -> KeyedVectors:
        return FastTextKeyedVectors(self.vector_size, self.min_n, self.max_n, self.bucket)

    @property
    def wv(self) -> FastTextKeyedVectors:
        """The words, vectors and n-grams; see `Word2Vec`."""
        found = super().wv
        assert isinstance(found, FastTextKeyedVectors)
        return found

    def estimate_memory(self, vocab_size: int | None = None, report: dict[str, int] | None = None) -> dict[str, int]:
        """Return the bytes of the vocabulary, of V and U, of the rows of n-grams, and of all ("total")."""
        wv, n_words = self.wv, vocab_size or len(self.wv)
        found = dict(report or {}) | {"vocab": 500 * n_words}
        found |= dict.fromkeys(("vectors", "syn0_vocab", "syn1neg"), 4 * n_words * self.vector_size)
        if wv.subwords is not None:
            found["syn0_ngrams"] = 4 * max(len(wv.subwords.rows) - len(wv), 0) * self.vector_size
        return found | {"total": sum(found.values())}

    @classmethod
    def _ngrams_of(cls, embeddings: Embeddings, place: str, stored: Mapping[str, Any]) -> dict[str, Any]:
        if embeddings.subwords is None:
            if "word_ngrams" not in stored:
                doubt(f"{printable(place):.200} has no n-grams: words that are not in its vocabulary have no vector")
            return {"max_n": 0}
        if not embeddings.subwords.ngrams.own_rows:
            raise FolderError(
                f"{printable(place):.200} has floret's n-grams, which FastText does not train: use "
                "KeyedVectors.load for its vectors, or fastw2v.train(..., init_from=folder, mode='floret')"
            )
        min_n, max_n, bucket, _ = embeddings.subwords.ngrams
        return {"min_n": min_n, "max_n": max_n, "bucket": bucket}


_OF_WORDS = ("compute_loss", "comment")
FastText.known_options = tuple(inspect.signature(FastText).parameters)[:-1]
FastText.stored_options = (
    *(name for name in Word2Vec.stored_options if name not in _OF_WORDS),
    *("word_ngrams", "min_n", "max_n", "bucket"),
)


# ------------------------------------------------------------------------------------------------------ files


def load_facebook_vectors(path: str | PathLike[str], encoding: str = "utf-8") -> FastTextKeyedVectors:
    """Read the vectors of words and n-grams from a fastText model, ``.bin``; see `fastw2v.load`.

    Raises:
        FolderError: there is no such file.
        FormatError: it is damaged, quantised, or not a fastText model.
        ConfigError: there is no such encoding.
    """
    return FastTextKeyedVectors.of(_facebook(path, encoding))


def load_facebook_model(path: str | PathLike[str], encoding: str = "utf-8") -> FastText:
    """Read a fastText model, ``.bin``, to train it further.

    Training always is skip-gram with negative sampling, so that of a CBOW model warns once.

    Raises:
        FolderError: there is no such file.
        FormatError: it is damaged, quantised, not a fastText model, or one that can't be trained further: a classifier,
            or one with hierarchical softmax.
        ConfigError: there is no such encoding.
    """
    from ..vectors.fasttext import HIERARCHICAL, SKIP_GRAM, SUPERVISED  # Its kernels are for such files only.

    embeddings = _facebook(path, encoding)
    name, of_file = printable(local_path(path, FolderError)), embeddings.metadata["fasttext"]
    for what, wrong in (
        ("is a classifier", of_file["model"] == SUPERVISED),
        ("was trained with hierarchical softmax", of_file["loss"] == HIERARCHICAL),
    ):
        if wrong:
            raise FormatError(f"{name:.200} {what}, which can't be trained further here: use load_facebook_vectors")
    names = {"window": "ws", "epochs": "epoch", "negative": "neg", "min_count": "minCount", "sample": "t"}
    names |= {"min_n": "minn", "max_n": "maxn", "bucket": "bucket"}
    options: dict[str, Any] = {ours: of_file[theirs] for ours, theirs in names.items()}
    try:
        model = FastText(vector_size=embeddings.vector_size, sg=1, **options)
    except ConfigError as reason:
        raise FormatError(
            f"{name:.200} has options that FastText does not take ({reason!s:.200}): use load_facebook_vectors"
        ) from None
    model.sg = int(of_file["model"] == SKIP_GRAM)
    model.corpus_total_words = of_file["tokens"]
    model._vocab, model._wv = embeddings.vocab, FastTextKeyedVectors.of(embeddings)
    return model


def _facebook(path: str | PathLike[str], encoding: str) -> Embeddings:
    """Read a file that must be a fastText model."""
    place = local_path(path, FolderError)
    if os.path.isdir(place):
        raise FormatError(f"{printable(place):.200} is a folder, not a fastText model: use FastText.load for a model")
    embeddings = load(place, encoding=encoding)
    if "fasttext" not in embeddings.metadata:
        raise FormatError(
            f"{printable(place):.200} is a file of vectors, but not a fastText model (.bin): use "
            "KeyedVectors.load_word2vec_format"
        )
    return embeddings


def save_facebook_model(
    model: Any, path: str | PathLike[str], encoding: str = "utf-8", lr_update_rate: int = 100, word_ngrams: int = 1
) -> None:
    """Write a fastText model, ``.bin``, that fastText and gensim open; see `Embeddings.export`.

    Args:
        model: a `FastText`.
        path: the file.
        encoding: must be UTF-8, which fastText reads.
        lr_update_rate: a number that fastText stores and gensim ignores.
        word_ngrams: must be 1.

    Raises:
        ConfigError: an argument has another value, or the model has no vocabulary.
        FormatError: the file can't be written.
    """
    if not isinstance(model, FastText):
        raise ConfigError(f"the model is {model!r:.60}: give a FastText, or use export(path, 'fasttext-bin')")
    if not isinstance(encoding, str) or encoding.lower().replace("-", "").replace("_", "") != "utf8":
        raise ConfigError(f"encoding is {encoding!r:.60}, but fastText reads UTF-8: omit it")
    if word_ngrams != 1:
        raise ConfigError(f"word_ngrams is {word_ngrams!r:.60}, but n-grams are of characters here: give 1")
    rate: Any = lr_update_rate
    if isinstance(rate, bool) or not isinstance(rate, Integral) or not 0 <= int(rate) < 2**31:
        raise ConfigError(f"lr_update_rate is {rate!r:.60}: give a whole number from 0 to {2**31 - 1}")
    wv = model.wv
    if not len(wv):
        raise ConfigError("the model has no vocabulary, so there is nothing to save: call build_vocab first")
    before = wv.metadata.get("fasttext")
    options: dict[str, Any] = {
        "ws": model.window,
        "epoch": model.epochs,
        "minCount": model.min_count,
        "neg": model.negative,
    }
    options |= {"t": model.sample, "lrUpdateRate": int(rate), "tokens": model.corpus_total_words}
    of_file = {**(before if isinstance(before, dict) else {}), **options}
    metadata = {**wv.metadata, "fasttext": of_file}
    Embeddings.live(wv.vocab, wv.vectors, wv.outside, metadata, (), wv.subwords).export(path, "fasttext-bin")


def ft_ngram_hashes(word: str, minn: int, maxn: int, num_buckets: int) -> list[int]:
    """Return the bucket of each n-gram of a word, in the order of the n-grams.

    Raises:
        ConfigError: a size is out of range.
    """
    ngrams = _ngrams(minn, maxn, num_buckets)
    found: list[int] = [] if ngrams is None else rows_of_words([word], ngrams, own_rows=False)[1].tolist()
    return found
