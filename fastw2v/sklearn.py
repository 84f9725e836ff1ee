"""Texts as vectors for scikit-learn (``pip install 'fastw2v[sklearn]'``): a transformer for pipelines."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .embeddings import Embeddings, load
from .errors import from_extra
from .training.driver import train
from .vectors.encode import Weights, check_weights, row_weights, split_words
from .vectors.rows import is_key

with from_extra("sklearn", "scikit-learn"):
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted

_GIVE = "give Embeddings, or the path of a model folder or a file of vectors"


class Word2VecVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn texts into the weighted means of the vectors of their words; `fit` trains the vectors.

    It can replace a ``TfidfVectorizer``. A text is a string or a list of tokens. Unknown tokens are skipped, except
    with ``embeddings`` that have subwords. A text without any known token becomes zeros. Put a ``StandardScaler``
    between it and a linear model: the numbers are small, so a penalty would hide their differences.

    Args:
        vector_size: columns of the vectors; see `TrainConfig` for this and the next seven.
        window: largest distance between a word and its context.
        min_count: drop words that occur less often.
        epochs: passes over the texts.
        negative: noise words per pair.
        sample: subsampling threshold for frequent words.
        workers: threads; None for every usable core. Only 1 gives the same vectors in every run.
        seed: seed of all random numbers.
        embeddings: trained vectors to use, as `Embeddings`, or the path of a model folder or a file of vectors. `fit`
            then trains nothing, and the arguments above have no effect. `sklearn.base.clone` copies `Embeddings`; of a
            path it copies only the name.
        weights: "mean", "sif", or a mapping from words to numbers, such as tf-idf; see `Embeddings.encode`.
        normalize: scale the vectors of texts to length 1.
        tokenizer: splits a string into words; None splits at ASCII white space. Lists of tokens stay as they are.
        lowercase: make strings lower case before they are split. Lists of tokens stay as they are.

    Attributes:
        embeddings_: the `Embeddings` in use, after `fit`.
    """

    embeddings_: Embeddings

    def __init__(
        self,
        vector_size: int = 100,
        window: int = 5,
        min_count: int = 5,
        epochs: int = 5,
        negative: int = 5,
        sample: float = 1e-3,
        workers: int | None = None,
        seed: int = 1,
        embeddings: Embeddings | str | PathLike[str] | None = None,
        weights: Weights = "mean",
        normalize: bool = False,
        tokenizer: Callable[[str], Sequence[str]] | None = None,
        lowercase: bool = True,
    ) -> None:
        # scikit-learn's rule: the constructor stores the arguments, and `fit` checks them.
        self.vector_size = vector_size
        self.window = window
        self.min_count = min_count
        self.epochs = epochs
        self.negative = negative
        self.sample = sample
        self.workers = workers
        self.seed = seed
        self.embeddings = embeddings
        self.weights = weights
        self.normalize = normalize
        self.tokenizer = tokenizer
        self.lowercase = lowercase

    def fit(self, X: Iterable[str | Sequence[str]], y: object = None) -> Self:
        """Train the vectors on texts, or open those of ``embeddings``.

        Args:
            X: strings, or lists of tokens.
            y: ignored.

        Raises:
            TypeError: ``X`` is one string or a table, or a text is neither a string nor a list of tokens, or
                ``embeddings`` or ``tokenizer`` is of another type.
            ConfigError, CorpusError: see `train` and `Embeddings.encode`; both are ValueErrors.
            FolderError, FormatError: see `load`.
        """
        texts = self._tokens(X)
        check_weights(self.weights)
        given: Any = self.embeddings
        if isinstance(given, Embeddings):
            self.embeddings_ = given
        elif isinstance(given, (str, PathLike)):
            self.embeddings_ = load(given)
        elif given is not None:
            remedy = "give its .wv" if isinstance(getattr(given, "wv", None), Embeddings) else _GIVE
            raise TypeError(f"embeddings is {given!r:.60}: {remedy}")
        else:
            self.embeddings_ = train(
                texts,
                vector_size=self.vector_size,
                window=self.window,
                min_count=self.min_count,
                epochs=self.epochs,
                negative=self.negative,
                sample=self.sample,
                workers=self.workers,
                seed=self.seed,
                progress=False,
            )
        row_weights(self.embeddings_, self.weights)  # It raises here, and not only in `transform`.
        return self

    def fit_transform(self, X: Iterable[str | Sequence[str]], y: object = None) -> NDArray[np.float32]:
        """Fit to texts and return their vectors, float32 ``(n_texts, vector_size)``; ``X`` may be an iterator.

        Raises:
            TypeError, ConfigError, CorpusError, FolderError, FormatError: see `fit`.
        """
        texts = list(self._tokens(X))
        return self._vectors(self.fit(texts, y), texts)

    def transform(self, X: Iterable[str | Sequence[str]]) -> NDArray[np.float32]:
        """Return a vector for each text, float32 ``(n_texts, vector_size)``.

        Raises:
            NotFittedError: (a ValueError) `fit` was not called.
            TypeError: ``X`` is one string, or a text is neither a string nor a list of tokens.
            ConfigError: (a ValueError) ``weights`` is not one of those, or is "sif" and the vectors have no counts.
        """
        check_is_fitted(self, "embeddings_")
        return self._vectors(self, self._tokens(X))

    @property
    def _n_features_out(self) -> int:
        """What `get_feature_names_out` counts."""
        return self.embeddings_.vector_size

    @staticmethod
    def _vectors(fitted: "Word2VecVectorizer", texts: Iterable[list[str]]) -> NDArray[np.float32]:
        return fitted.embeddings_.encode(texts, fitted.weights, fitted.normalize)

    def _tokens(self, X: Iterable[str | Sequence[str]]) -> Iterator[list[str]]:
        """Return the tokens of each text."""
        if isinstance(X, (str, bytes, Mapping)) or not isinstance(X, Iterable):
            raise TypeError(f"X is a {type(X).__name__}: give a list of texts")
        if hasattr(X, "columns"):  # Iterating over a data frame gives the names of its columns.
            raise TypeError(f"X is a {type(X).__name__}: give one column of texts, such as X['text']")
        shape: tuple[int, ...] = getattr(X, "shape", ())
        if len(shape) == 2 and shape[1] == 1:  # A column, not texts of one token.
            raise TypeError(f"X is a {type(X).__name__} of shape {tuple(shape)}: give one column of texts, as X[:, 0]")
        if not (self.tokenizer is None or callable(self.tokenizer)):
            raise TypeError(f"tokenizer is {self.tokenizer!r:.60}: give a function, or None")
        return (self._split(text, number) for number, text in enumerate(X))

    def _split(self, text: object, number: int) -> list[str]:
        if isinstance(text, str):
            tokens = (self.tokenizer or split_words)(text.lower() if self.lowercase else text)
            if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable):
                what = "one string, " * isinstance(tokens, str)
                raise TypeError(f"tokenizer returned {what}{tokens!r:.60}: it must return a list of words")
            return list(tokens)
        if not isinstance(text, Iterable) or isinstance(text, (bytes, bytearray, Mapping)):
            raise TypeError(
                f"text {number} is {text!r:.60}, a {type(text).__name__}: give a string or a list of tokens"
            )
        # `train` takes whole numbers, whose words are their digits.
        return [str(token) if is_key(token) and not isinstance(token, str) else token for token in text]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.non_deterministic = self.workers != 1
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """Return the tags for scikit-learn before 1.6."""
        return {"X_types": ["string"], "non_deterministic": self.workers != 1}
