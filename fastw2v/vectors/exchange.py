"""Convert vectors from and for other programs and networks; make subsets; add words."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from ..choices import Format, Method
from ..errors import ConfigError, FormatError, UnknownWordError, option
from ..files.arrays import first_not_finite
from ..files.replacing import replacing
from ..pictures.picture import draw_map, draw_metrics
from ..screen import printable
from ..vocab import Vocab, checked_vocab
from .lookup import checked_matrix, read_only
from .matrix import Origin
from .nearest import Nearest
from .rows import Key, is_key
from .writer import with_spaces_replaced, write


class Exchange(Nearest):
    """Make embeddings from vectors, and write vectors for other programs; see `embeddings.Embeddings`."""

    @classmethod
    def from_vectors(cls, keys: Sequence[Key], vectors: ArrayLike, counts: ArrayLike | None = None) -> Self:
        """Make embeddings from any vectors, such as those of another program or a network.

        Args:
            keys: distinct words; a whole number is the word ``str(number)``.
            vectors: finite numbers, ``(n_keys, vector_size)``; they are copied.
            counts: occurrences of each word, whole numbers; None for zeros.

        Raises:
            TypeError: a key is neither a string nor a whole number.
            ValueError: a key can't be stored or occurs twice, a number is not finite, or the shapes do not fit.
        """
        vocab = checked_vocab(keys, counts)
        matrix = checked_matrix("vectors", vectors, len(vocab))
        row = first_not_finite(matrix)
        if row is not None:
            raise ValueError(f"the vector of the word {printable(vocab.words[row])!r:.60} is not finite: repair it")
        if np.may_share_memory(matrix, vectors):  # Norms would not follow later changes by the caller.
            matrix = read_only(matrix.copy())
        return cls.live(vocab, matrix, None, {})

    def first(self, limit: int | None) -> Self:
        """Return these embeddings with only the first rows; all of them if ``limit`` is None.

        With subwords, the rows of all n-grams stay, so the other words have the vectors of their n-grams.
        """
        if limit is None or limit >= len(self):
            return self
        vocab = Vocab(self.words[:limit], self.vocab.counts[:limit], checked=True)
        outside = None if self.outside is None else self.outside[:limit]
        return self.live(vocab, self.vectors[:limit], outside, self.metadata, self.metrics, self.subwords)

    def vectors_for_all(
        self,
        keys: Iterable[Key],
        allow_inference: bool = True,
        copy_vecattrs: bool = True,
        *,
        missing: Literal["skip", "zeros", "raise"] = "skip",
    ) -> Self:
        """Return embeddings of these keys, in their order: for example the matrix of a network's vocabulary.

        Args:
            keys: words or rows; of repeated keys the first counts.
            allow_inference: with subwords, make the vectors of words that are not in the vocabulary from their
                n-grams; these words have the count 0 and outside rows of zeros.
            copy_vecattrs: keep the counts; otherwise they are 0.
            missing: "skip" leaves out unknown words, "zeros" gives them vectors of zeros, "raise" raises an error.

        Raises:
            UnknownWordError: (a KeyError) ``missing`` is "raise" and a key is unknown, or no key is known.
            TypeError: ``keys`` is one string, or a key is neither a string nor an integer.
        """
        if missing not in ("skip", "zeros", "raise"):
            raise ValueError(f'missing is {missing!r:.60}: give "skip", "zeros" or "raise"')
        if isinstance(keys, (str, bytes)):
            raise TypeError(f"keys is one string, {keys!r:.60}: give a list of words")
        chosen: dict[str, Key] = {}
        for key in keys:
            if not is_key(key):
                self.row(key)  # It raises.
            chosen.setdefault(self._name(key), key)
        words, asked = np.array(list(chosen), object), list(chosen.values())
        rows = self._find_rows(asked)
        V, known = self.find_vectors(asked)
        if not allow_inference:
            known = rows >= 0
            V[~known] = 0
        if missing == "raise" and not known.all():
            self.row(asked[int(known.argmin())])  # It raises.
        if not known.any():
            raise UnknownWordError(f"none of {len(words):,} keys is in the vocabulary of {len(self):,} words")
        if missing == "skip":
            words, rows, V = words[known], rows[known], V[known]
        has_row = rows >= 0
        counts = np.where(has_row, self.vocab.counts[rows], 0) if copy_vecattrs else np.zeros(len(rows), np.int64)
        U = None if self.outside is None else self.outside[rows] * has_row[:, None]
        return self.live(checked_vocab(words, counts), V, U, {})

    def add_vectors(
        self,
        keys: Key | Sequence[Key],
        weights: ArrayLike,
        replace: bool = False,
    ) -> None:
        """Append words and their vectors; a known word keeps its vector, unless ``replace`` is true.

        Arrays that were taken from these embeddings before keep their values. A new word has the count 0 and, if there
        are outside rows, one of zeros. With subwords, the vectors of n-grams stay as they are: the new word no longer
        has the vector of its n-grams, and other words are not changed. In floret's way words have no rows of their
        own, so a table for spaCy, and a training with n-grams, do not have the vectors that are given here.

        Args:
            keys: words, or a single one; a whole number is the word ``str(number)``.
            weights: finite vectors, ``(n_keys, vector_size)``, or ``(vector_size,)`` for a single key.
            replace: give known words the new vectors.

        Raises:
            TypeError: a key is neither a string nor a whole number.
            ValueError: a key can't be stored or occurs twice, or the vectors do not fit or are not finite.
        """
        single = is_key(keys)
        added = self.from_vectors([keys] if single else keys, np.atleast_2d(np.asarray(weights)))  # type: ignore[list-item,arg-type]
        if added.vector_size != self.vector_size:
            raise ValueError(
                f"the vectors have {added.vector_size} columns: give {self.vector_size}, like these embeddings"
            )
        rows = np.array([self.vocab.index.get(word, -1) for word in added.words])
        new = np.flatnonzero(rows < 0)
        vectors = np.concatenate([self.vectors, added.vectors[new]])
        if replace:
            vectors[rows[rows >= 0]] = added.vectors[rows >= 0]
        words = [*self.words, *(added.words[i] for i in new.tolist())]
        self.vocab = Vocab(words, np.concatenate([self.vocab.counts, np.zeros(len(new), np.int64)]), checked=True)
        if self.subwords is not None and len(changed := np.arange(len(rows)) if replace else new):
            places = np.array([self.vocab.index[added.words[i]] for i in changed.tolist()], np.int64)
            given = [added.words[i] for i in changed.tolist()]
            self.subwords = self.subwords.with_words(len(self.vectors), given, places, added.vectors[changed])
        self.vectors, self._norms = read_only(vectors), None
        if self.outside is not None:
            outside = np.concatenate([self.outside, np.zeros((len(new), self.vector_size), np.float32)])
            self.outside = read_only(outside)

    def to_frame(self) -> Any:
        """Return a ``pandas.DataFrame`` with one row per word and one column per dimension; requires pandas."""
        try:
            from pandas import DataFrame, Index
        except ImportError:
            raise ImportError("to_frame needs the package pandas: pip install pandas") from None

        return DataFrame(self.vectors, index=Index(list(self.words), name="word"))

    def export(self, path: str | PathLike[str], format: Format | None = None, *, space: str | None = None) -> None:
        """Write the vectors to a file that other programs read; an existing file is replaced only by a complete one.

        | suffix | format | holds |
        |---|---|---|
        | ``.bin``, none | word2vec-bin | float32, byte for byte as word2vec.c writes it |
        | ``.bin`` of vectors with subwords | fasttext-bin | a model that fastText and gensim open |
        | ``.txt``, ``.vec`` | word2vec-text | six decimals, byte for byte as word2vec.c writes it |
        | ``.glove`` | glove | no header; the fewest digits that read back as the same float32 |
        | ``.npz`` | npz | arrays ``vectors``, ``words`` and ``counts`` for `numpy.load` |
        | ``.tsv`` | projector | for the Embedding Projector: numbers, and words and counts in ``.metadata.tsv`` |
        | ``.floret`` | floret | the rows of buckets, for ``spacy init vectors --mode floret`` |
        | | model2vec | a folder that model2vec and sentence-transformers open |

        ``.gz``, ``.bz2``, ``.xz`` or ``.zst`` after the suffix compresses the file. Links are followed. A file that
        can't be replaced, such as one that is mounted by itself, is written in place.

        fasttext-bin holds the rows of words and n-grams, so fastText makes the same vectors of known and unknown words.
        Without subwords it holds words alone. Unknown outside rows are zeros, and a count of 0 is 1.

        Args:
            path: the file to write, or the folder for model2vec; "-" is standard output.
            format: overrides the suffix. None follows the suffix; a folder that was written as model2vec stays one.
            space: what stands in place of a space in a word, such as "_"; None keeps spaces.

        Warns:
            FastW2VWarning: the suffix means another format; or words are not valid UTF-8, so that gensim needs an
                option to read the file; or a model2vec tokenizer can't find words, because they hold spaces.

        Raises:
            FormatError: the suffix is unknown; the format can't hold a word (white space in word2vec, GloVe and
                fastText files, NUL in fastText files and at the end in npz, no valid UTF-8 in model2vec); the format is
                floret, but the vectors were not trained with ``mode="floret"``, or it is fasttext-bin, but they were; a
                vector is not finite; or the file is read-only, is part of a model folder, or can't be written.
            FolderError: the folder holds something else, or can't be written.
            ConfigError: (a ValueError) ``space`` holds white space, or makes two words equal.
            ValueError: the format is none of these.
        """
        words = self.words if space is None else with_spaces_replaced(self.words, space)
        origin = Origin(self.outside, self.subwords, self.metadata)
        write(path, words, self.vectors, self.vocab.counts, format, origin=origin)

    def plot(
        self,
        words: Iterable[Key] | None = None,
        *,
        top: int = 2000,
        method: Method = "tsne",
        seed: int = 1,
        path: str | PathLike[str] | None = None,
    ) -> Any:
        """Draw a map on which words with a large cosine are near each other.

        Colours are clusters (k-means of the vectors). Labels that would overlap are left out, the last words first. An
        HTML file shows more of them when zoomed, has a search box, and opens without a network. The same seed gives
        the same map. t-SNE takes seconds for 2,000 words and minutes for 20,000; it keeps neighbours together, but
        distances between groups mean little. PCA is fast and keeps large distances.

        Args:
            words: words or rows; None for the first ``top`` words, the most frequent ones of a trained model.
            top: how many words to draw.
            method: "tsne" (it starts from PCA) or "pca".
            seed: seed of t-SNE and of the clusters.
            path: file to write, ``.html``, ``.png`` or ``.svg``; an existing one is replaced by a complete one only.

        Returns:
            None; without ``path`` the axes of a new figure of pyplot, which a notebook shows.

        Warns:
            FastW2VWarning: no font of this machine has some characters of the labels of a PNG or SVG file.

        Raises:
            MissingExtraError: the extra ``plot`` is not installed.
            UnknownWordError: (a KeyError) a word has no vector.
            ConfigError: there is no word, or an option or the suffix is none of these.
            FormatError: a vector is not finite, or the file can't be written.
        """
        if isinstance(words, (str, bytes)):
            raise TypeError(f"words is one string, {words!r:.60}: give a list of words")
        if isinstance(top, bool) or not isinstance(top, (int, np.integer)) or top < 1:
            raise ConfigError(f"{option('top')} is {top!r:.60}: give a whole number, at least 1")
        if words is None:
            n = min(int(top), len(self))
            return draw_map(self.words[:n], self.vocab.counts[:n], self.vectors[:n], method, seed, path)
        keys = {self._name(word): word for word in words}
        rows, vectors = self._find_rows(keys.values()), self._vectors_of(keys.values())
        return draw_map(list(keys), np.where(rows < 0, 0, self.vocab.counts[rows]), vectors, method, seed, path)

    def plot_metrics(self, path: str | PathLike[str] | None = None) -> Any:
        """Draw loss, learning rate and speed over the tokens of the training.

        Args:
            path: see `plot`.

        Returns:
            None; without ``path`` the three axes of a new figure of pyplot.

        Raises:
            MissingExtraError: the extra ``plot`` is not installed.
            ConfigError: these embeddings have no metrics, because they come from a file of vectors, or the suffix is
                unknown.
            FormatError: the file can't be written.
        """
        return draw_metrics(self.metrics, path)

    def save_word2vec_format(
        self,
        fname: str | PathLike[str],
        fvocab: str | PathLike[str] | None = None,
        binary: bool = False,
        write_header: bool = True,
    ) -> None:
        """Write a file of vectors as gensim does, most frequent word first; `export` chooses by suffix.

        Text has the fewest digits that read back as the same float32.

        Args:
            fname: the file to write; a suffix such as ``.gz`` compresses it.
            fvocab: another file, which receives lines "word count".
            binary: write float32 numbers rather than text.
            write_header: begin text with a line ``n_words vector_size``; GloVe's files have none.

        Raises:
            FormatError: see `export`.
            ValueError: a binary file without a header can't be read again.
        """
        if binary and not write_header:
            raise ValueError("a binary file without a header can't be read again: give write_header=True")
        order = np.argsort(-self.vocab.counts, kind="stable")
        words, counts = [self.words[row] for row in order.tolist()], self.vocab.counts[order]
        sorted_already = np.array_equal(order, np.arange(len(order)))
        vectors = self.vectors if sorted_already else self.vectors[order]
        chosen: Format = "word2vec-bin" if binary else "word2vec-text" if write_header else "glove"
        write(fname, words, vectors, counts, chosen, exact=True)
        if fvocab is not None:
            with replacing(fvocab, FormatError) as file:
                for word, count in zip(words, counts.tolist(), strict=True):
                    file.write(f"{word} {count}\n".encode("utf-8", "surrogateescape"))

    def to_gensim(self) -> Any:
        """Return a ``gensim.models.KeyedVectors`` with these vectors and counts; requires gensim."""
        try:
            from gensim.models import KeyedVectors
        except ImportError:
            raise ImportError("to_gensim needs the package gensim: pip install gensim") from None

        keyed = KeyedVectors(self.vector_size)
        keyed.add_vectors(list(self.words), np.array(self.vectors))
        for word, count in zip(self.words, self.vocab.counts.tolist(), strict=True):
            keyed.set_vecattr(word, "count", count)
        return keyed
