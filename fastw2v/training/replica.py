"""A replica: V and U of one training, and everything that is needed to train a part of a corpus.

The driver has one, each node of a training on several machines has one, and bench times them.
"""

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..config import TrainConfig
from ..embeddings import Embeddings
from ..errors import ConfigError, doubt, option
from ..kernels.composed import compose
from ..kernels.parallel import Workers, bytes_of_workers, run_chunk
from ..kernels.records import Model, Rate, Sampling, Text, Tiling, aligned_zeros
from ..kernels.sampling import expected_kept, keep_thresholds, noise_table, noise_weights, spawn_streams
from ..kernels.spans import cut
from ..kernels.tile import CENTRES, COMPOSED_SHARED, SHARED, choose_tiling
from ..screen import counted, printable
from ..subwords.composition import Composition, compose_vocabulary, crowd_of
from ..subwords.ngrams import Ngrams, rows_of_words
from ..subwords.table import Subwords
from ..vocab import Vocab
from .finite import all_finite

SPANS_PER_WORKER = 16  # Per chunk; with short spans, the others wait only briefly for the last one.
DRAWN_ROWS = 1_024  # Rows that are initialised at once; few rows need little memory beside V and U.
COPIED_ROWS = 65_536  # Rows that are copied from other vectors at once.
ROUNDING = 1e-5  # Largest difference, relative to a vector, between two sums of the same rows.
BYTES_PER_WORD = 52  # At most, beside V and U: tables of noise words and subsampling (12), and their inputs.
BYTES_PER_NAME = 176  # Of a word that is a number: string, place in the index, count, and twice that in counting.


def initial_matrices(
    n_words: int, vector_size: int, seed: int, n_rows: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return V, uniform in (-0.5, 0.5) / vector_size, and U, zero, as word2vec.c starts.

    Rows are padded with zeros to whole cache lines: shape ``(n_words, width)``, width >= vector_size. If centre vectors
    are composed of ``n_rows`` rows, V has that many, uniform in (-1, 1) / vector_size, as fastText starts.
    """
    largest = np.float32(0.5 if n_rows is None else 1)
    V: Any = aligned_zeros(n_words if n_rows is None else n_rows, vector_size, np.float32)
    U: Any = aligned_zeros(n_words, vector_size, np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, len(V), DRAWN_ROWS):
        rows = V[start : start + DRAWN_ROWS]
        drawn = rng.random((len(rows), vector_size), np.float32) - np.float32(0.5)
        rows[:, :vector_size] = drawn * (2 * largest) / vector_size
    return V, U


def ngrams_of(config: TrainConfig) -> Ngrams | None:
    """Return the n-grams that words have; None without subwords."""
    hash_count = config.hash_count if config.mode == "floret" else 0
    return Ngrams(config.min_n, config.max_n, config.bucket, hash_count) if config.max_n else None


def check_same_ngrams(source: Subwords | None, ngrams: Ngrams | None) -> None:
    """Raise `ConfigError` unless a run with these n-grams can start from the rows of ``source``."""
    if ngrams is None or (source is not None and source.ngrams == ngrams):
        return

    def shown(which: Ngrams) -> str:
        options = which._asdict() if which.hash_count else dict(zip(which._fields, which[:3], strict=False))
        floret = [option("mode", "floret")] * (which.hash_count > 0)
        return ", ".join([*(option(name, value) for name, value in options.items()), *floret])

    has = "no n-grams" if source is None else f"n-grams with {shown(source.ngrams)}"
    raise ConfigError(
        f"{option('init_from')} has {has}, but this run has {shown(ngrams)}: make them equal, or train without n-grams "
        f"({option('max_n', 0)})"
    )


def composition_of(vocab: Vocab, config: TrainConfig) -> Composition | None:
    """Return the rows of V that the vectors of a vocabulary are composed of; None without subwords."""
    ngrams = ngrams_of(config)
    if ngrams is None:
        return None
    kept = expected_kept(vocab.counts, keep_thresholds(vocab.counts, config.sample))
    return compose_vocabulary(*rows_of_words(vocab.words, ngrams), ngrams.bucket, kept, ngrams.own_rows)


def memory_bill(
    n_words: int, config: TrainConfig, names: bool = False, composition: Composition | None = None
) -> tuple[int, int, int]:
    """Return the bytes of V and U, of tables and vocabulary, and of the workers' scratch.

    Args:
        n_words: rows of V and of U.
        config: options of the run.
        names: the words are numbers, whose names are still to be made.
        composition: what vectors are composed of; the composed vectors count as part of V.
    """
    width = aligned_zeros(0, config.vector_size, np.float32).shape[1]
    shared = COMPOSED_SHARED if config.max_n else SHARED
    largest = Tiling(CENTRES[0], shared, 1, 1) if config.kernel == "tile" else None
    scratch = bytes_of_workers(config.workers, config.window, config.negative, width, largest)
    matrices, tables = 8 * n_words * width, n_words * (BYTES_PER_WORD + names * BYTES_PER_NAME)
    if composition is not None:
        matrices += 4 * composition.n_rows * width
        tables += sum(array.nbytes for array in composition[1:])
    return matrices, tables, scratch


def tiling_of(
    counts: NDArray[np.int64],
    config: TrainConfig,
    trained: float | None = None,
    own_counts: NDArray[np.int64] | None = None,
    composition: Composition | None = None,
) -> Tiling | None:
    """Return the tiles for a vocabulary; None where the options ask for the pair kernel, or no tile fits.

    Args:
        counts: int64 ``(n_words,)``, occurrences of each word.
        config: options of the run.
        trained: tokens that the run will train, over all epochs; None for those that ``own_counts`` have.
        own_counts: int64 ``(n_words,)``, occurrences in the text of the run; None for ``counts``.
        composition: what vectors are composed of; None if each word has one row of V.
    """
    if config.kernel == "pair":
        return None
    own_counts = counts if own_counts is None else own_counts
    kept = expected_kept(own_counts, keep_thresholds(counts, config.sample))
    trained = float(kept.sum()) * config.epochs if trained is None else trained
    noise = noise_weights(counts, config.ns_exponent)
    crowd = None if composition is None else crowd_of(composition, kept)
    return choose_tiling(kept, noise, config.window, config.negative, config.alpha, trained, crowd)


class Replica:
    """V and U, the tables that noise words and kept tokens are drawn from, and the workers.

    Attributes:
        model: V and U, both with rows of whole cache lines.
        sampling: noise table, subsampling thresholds and window, from the counts of the vocabulary.
        workers: streams, scratch and tallies of the workers; their tiling is None if the pair kernel trains.
    """

    def __init__(
        self,
        counts: NDArray[np.int64],
        config: TrainConfig,
        number: int = 0,
        tiling: Tiling | None = None,
        own_counts: NDArray[np.int64] | None = None,
        composition: Composition | None = None,
    ) -> None:
        """Make the matrices of a new run.

        Args:
            counts: int64 ``(n_words,)``, occurrences of each word.
            config: options of the run.
            number: the number of this replica in a training; it decides the random streams of the workers.
            tiling: the tiling to use; None for one that fits the vocabulary, or for the pair kernel if none fits.
            own_counts: see `tiling_of`.
            composition: what vectors are composed of; None if each word has one row of V.
        """
        n_rows = None if composition is None else composition.n_rows
        V, U = initial_matrices(len(counts), config.vector_size, config.seed, n_rows)
        parts = () if composition is None else (composition.offsets, composition.rows, composition.shares)
        self.model = Model(V, U, config.vector_size, *parts)
        self.ngrams, self.composition = ngrams_of(config), composition
        self._composed = V if composition is None else aligned_zeros(len(counts), config.vector_size, np.float32)
        noise, keep = noise_table(counts, config.ns_exponent), keep_thresholds(counts, config.sample)
        self.sampling = Sampling(noise, keep, config.window, config.negative)
        tiling = tiling or tiling_of(counts, config, own_counts=own_counts, composition=composition)
        width, n = self.model.V.shape[1], config.workers
        self.workers = Workers.create(n, config.seed, config.window, config.negative, width, tiling)
        self.rng[:] = spawn_streams(config.seed, (number + 1) * n)[-n:]

    @property
    def tiling(self) -> Tiling | None:
        """The size of tiles; None if the pair kernel trains."""
        return self.workers.tiling

    @property
    def rng(self) -> NDArray[np.uint64]:
        """The states of the workers' random streams, uint64 ``(workers,)``, a view."""
        return self.workers.rows.rng[:, 0]

    def compile(self, text: Text) -> None:
        """Compile the kernels for a text, or load them from the cache; trains nothing."""
        run_chunk(text, np.zeros(len(self.workers) + 1, np.int64), *self._settings(Rate(0.0, 0.0)))

    def train(self, text: Text, start: int, stop: int, rate: Rate) -> NDArray[np.float64]:
        """Train the tokens in ``[start, stop)``, two places where a cut may stand (`spans.next_cut`).

        Returns:
            float64 ``(TALLY_WIDTH,)``, the sums over all workers; its columns are named in `records`.
        """
        tally = self.workers.rows.tally
        tally[:] = 0
        spans = len(self.workers) * SPANS_PER_WORKER if len(self.workers) > 1 else 1
        cuts = np.unique(cut(text.offsets, start, stop, spans))  # Each worker starts with one: none may be empty.
        run_chunk(text, cuts, *self._settings(rate))
        sums: NDArray[np.float64] = tally.sum(axis=0)
        return sums

    def _settings(self, rate: Rate) -> tuple[Model, Sampling, Rate, Workers]:
        return self.model, self.sampling, rate, self.workers

    def start_from(
        self, source: Embeddings, vocab: Vocab, own_counts: NDArray[np.int64] | None = None
    ) -> dict[str, int]:
        """Copy the rows of words in ``source`` into V, and into U if ``source`` has outside rows.

        Args:
            source: the given embeddings.
            vocab: the vocabulary of the run.
            own_counts: if ``vocab`` keeps all words of ``source``, the occurrences of its words in the text of the run.

        Returns:
            The number of words, and the number of words that start from rows of ``source``; of all words, or with
            ``own_counts`` of those in the text. Then "words_kept" is the number of words that only ``source`` has.

        Raises:
            ConfigError: no common word, or a value that is not finite.
        """
        pairs = [(row, source.vocab.index[word]) for row, word in enumerate(vocab.words) if word in source.vocab.index]
        if not pairs:
            raise ConfigError(
                f"{option('init_from')} has no word of this corpus: check the language, and upper and lower case"
            )
        rows, source_rows = np.array(pairs, np.int64).T
        V, U, columns = self.model.V, self.model.U, self.model.vector_size
        if self.composition is not None:
            self._start_rows_from(source, rows, source_rows)
        for start in range(0, len(rows), COPIED_ROWS):
            block = slice(start, start + COPIED_ROWS)
            if self.composition is None:
                V[rows[block], :columns] = source.vectors[source_rows[block]]
            if source.outside is not None:
                U[rows[block], :columns] = source.outside[source_rows[block]]
        if not self.is_finite():
            raise ConfigError(f"{option('init_from')} holds a value that is not finite: repair the vectors")
        if own_counts is None:
            return {"words": len(vocab), "words_taken": len(rows)}
        n_taken = int(np.count_nonzero(own_counts[rows]))
        n_words = int(np.count_nonzero(own_counts))
        return {"words": n_words, "words_taken": n_taken, "words_kept": len(rows) - n_taken}

    def _start_rows_from(self, source: Embeddings, rows: NDArray[np.int64], source_rows: NDArray[np.int64]) -> None:
        """Set each row of V to the mean of the rows that its word and its buckets have in ``source``.

        Args:
            source: the given embeddings.
            rows: words that both have, as rows of U here.
            source_rows: the same words as rows of ``source``.
        """
        assert self.composition is not None
        check_same_ngrams(source.subwords, self.ngrams)
        assert source.subwords is not None
        V, columns = self.model.V, self.model.vector_size
        here, there = self.composition, source.subwords
        _, ours, theirs = np.intersect1d(here.buckets, there.buckets, assume_unique=True, return_indices=True)
        own = slice(None if there.ngrams.own_rows else 0)
        targets = np.concatenate([rows[own], here.bucket_rows[ours].astype(np.int64)])
        sources = np.concatenate([source_rows[own], there.bucket_rows[theirs].astype(np.int64)])
        counts = np.bincount(targets, minlength=len(V))
        V[counts > 0] = 0
        for start in range(0, len(targets), COPIED_ROWS):
            block = slice(start, start + COPIED_ROWS)
            np.add.at(V[:, :columns], targets[block], there.rows[sources[block]])
        V /= np.maximum(counts, 1)[:, None].astype(np.float32)
        if there.ngrams.own_rows:
            self._compose_to(source, rows, source_rows)
        elif len(changed := there.changed(source.words, source.vectors)):
            doubt(
                f"{counted(len(changed), 'vector')} of {option('init_from')} changed after the training, such as that "
                f"of the word {printable(source.words[int(changed[0])])!r:.60}: the change is lost, because words have "
                "no rows of their own"
            )

    def _compose_to(self, source: Embeddings, rows: NDArray[np.int64], source_rows: NDArray[np.int64]) -> None:
        """Change the rows of words so that their vectors are those of ``source``.

        These may have been changed after the training, or n-grams that share a row here may have several there.

        Args:
            source: the given embeddings.
            rows: words that both have, as rows of U here.
            source_rows: the same words as rows of ``source``.
        """
        assert self.composition is not None
        V, columns, offsets = self.model.V, self.model.vector_size, self.composition.offsets
        H: Any = aligned_zeros(min(len(rows), COPIED_ROWS), columns, np.float32)
        for start in range(0, len(rows), COPIED_ROWS):
            words, wanted = rows[start : start + COPIED_ROWS], source.vectors[source_rows[start : start + COPIED_ROWS]]
            compose(self.model, words.astype(np.int32), H)
            with np.errstate(over="ignore", invalid="ignore"):  # The caller checks that the rows are finite.
                change = wanted - H[: len(words), :columns]
                wrong = ~(np.abs(change).max(axis=1) <= ROUNDING * np.abs(wanted).max(axis=1))
                share = self.composition.shares[offsets[words]]  # A word's own row is its first part.
                V[words[wrong], :columns] += change[wrong] / share[wrong, None]

    def has_rows_of(self, saved: Embeddings) -> bool:
        """Return whether the rows of V belong to the same words and n-grams as those of saved embeddings."""
        here, there = self.composition, saved.subwords
        if here is None or there is None:
            return here is None and there is None
        return (
            (there.ngrams, len(there.rows)) == (self.ngrams, here.n_rows)
            and np.array_equal(there.buckets, here.buckets)
            and np.array_equal(there.bucket_rows, here.bucket_rows)
        )

    def restore(self, saved: Embeddings, streams: NDArray[np.uint64] | None = None) -> None:
        """Put the matrices and random streams of a run in place.

        If there are more workers than the run had, the additional ones keep their initial streams.
        """
        V, U, columns = self.model.V, self.model.U, self.model.vector_size
        V[:, :columns] = saved.vectors if saved.subwords is None else saved.subwords.rows
        U[:, :columns] = saved.outside
        if streams is not None:
            count = min(len(self.rng), len(streams))
            self.rng[:count] = streams[:count]

    def is_finite(self) -> bool:
        """Tell whether all of V and U are finite."""
        return all_finite(self.model.V) and all_finite(self.model.U)

    def embeddings(self, vocab: Vocab, metadata: dict[str, Any], metrics: Any = ()) -> Embeddings:
        """Return embeddings that are views of V and U: training changes them."""
        columns = self.model.vector_size
        V, U, *rows = (matrix[:, :columns] for matrix in self.matrices())
        return Embeddings.live(vocab, V, U, metadata, metrics, self._subwords(*rows))

    def _subwords(self, rows: NDArray[np.float32] | None = None) -> Subwords | None:
        if self.composition is None or self.ngrams is None or rows is None:
            return None
        rows.flags.writeable = False
        return Subwords(self.ngrams, rows, self.composition.buckets, self.composition.bucket_rows)

    def matrices(self) -> tuple[NDArray[np.float32], ...]:
        """Return the vectors of the words and U, padded, and with subwords V; composed vectors are made anew."""
        V, U = self.model.V, self.model.U
        if self.composition is None:
            return V, U
        compose(self.model, np.arange(len(U), dtype=np.int32), self._composed)
        return self._composed, U, V

    def result(self, live: Embeddings, seen: bool) -> Embeddings:
        """Return the embeddings of a run that is over, with contiguous matrices.

        Rows move together within the memory of V and U, because a copy may not fit. Views of V and U would then show
        other rows, so if callbacks have ``seen`` views, the result is a copy if that fits.
        """
        columns = self.model.vector_size
        V, U, *rows = (contiguous(padded, columns, copied=seen) for padded in self.matrices())
        return Embeddings.live(live.vocab, V, U, live.metadata, live.metrics, self._subwords(*rows))


def contiguous(padded: NDArray[np.float32], columns: int, copied: bool) -> NDArray[np.float32]:
    """Return the first columns of a matrix without padding, ``(rows, columns)``: copied, or moved in its memory."""
    if copied:
        with suppress(MemoryError):
            return padded[:, :columns].copy()
    flat = padded.reshape(-1)
    for start in range(0, len(padded) if columns < padded.shape[1] else 0, COPIED_ROWS):
        rows = padded[start : start + COPIED_ROWS, :columns].copy()
        flat[start * columns : start * columns + rows.size] = rows.reshape(-1)
    return flat[: len(padded) * columns].reshape(len(padded), columns)
