"""Write fastText's models, ``.bin``, version 12: `fasttext` describes the file.

A word's own row is written so that the mean of it and the rows of the word's n-grams is the vector of the word. In a
trained model it is the row as it was trained. For a word that was added, renamed or scaled it is computed.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, option
from ..files.arrays import first_not_finite
from ..screen import printable
from ..subwords.ngrams import WORDS_AT_ONCE, blocks_of, rows_of_words
from ..subwords.table import Subwords
from .fasttext import ARGUMENTS, CBOW, MAGIC, NEGATIVE, SHAPE, SIZES, SKIP_GRAM, VERSIONS, Arguments
from .fasttext_rows import add_rows
from .matrix import Origin

LARGEST = 2**31 - 1  # Words and numbers in the arguments are int32.
BLOCK_BYTES = 1 << 20
_ROUNDING = 2e-6  # largest difference, relative to the numbers, between two sums of the same rows


def check_rows(name: str, words: Sequence[str], vectors: NDArray[np.float32], origin: Origin) -> None:
    """Raise `FormatError` unless the model can be written, with finite rows."""
    outside, subwords, _ = origin
    if len(words) > LARGEST:
        raise FormatError(f"{name}: a fastText model holds at most {LARGEST:,} words: give fewer")
    row = None if outside is None else first_not_finite(outside)
    if row is not None:
        raise FormatError(f"the outside row of the word {printable(words[row])!r:.60} is not finite: repair it")
    if subwords is None:
        return
    if not subwords.ngrams.own_rows:
        raise FormatError(
            f"{name}: a fastText model can't hold rows that words and n-grams share, as in floret: give "
            f"{option('format', 'floret')}, or word2vec-bin"
        )
    if first_not_finite(subwords.rows) is not None:
        raise FormatError(f"{name}: a row of n-grams is not finite: train again")
    start = 0
    for rows in _own_rows(words, vectors, subwords):
        row = first_not_finite(rows)
        if row is not None:
            word = printable(words[start + row])
            raise FormatError(f"the vector of the word {word!r:.60} is too large for a fastText model: repair it")
        start += len(rows)


def write_fasttext(
    file: BinaryIO,
    words: Sequence[str],
    vectors: NDArray[np.float32],
    counts: NDArray[np.int64],
    origin: Origin,
) -> None:
    """Write a model of finite rows.

    Without subwords the vectors are the rows of the words, and there are no n-grams. Buckets that no word reaches have
    rows of zeros, and so has the output matrix if the outside rows are unknown.
    """
    outside, subwords, _ = origin
    n_words, size = vectors.shape
    arguments = _arguments(size, origin)
    # gensim leaves out words with the count 0, and then refuses the file.
    counts = np.maximum(counts, 1)
    file.write(struct.pack("<2i", MAGIC, max(VERSIONS)) + ARGUMENTS.pack(*arguments))
    file.write(SIZES.pack(n_words, n_words, 0, _tokens(counts, origin), -1))
    for start in range(0, n_words, WORDS_AT_ONCE):
        entries = zip(words[start : start + WORDS_AT_ONCE], counts[start : start + WORDS_AT_ONCE].tolist(), strict=True)
        file.write(
            b"".join(word.encode("utf-8", "surrogateescape") + struct.pack("<xqx", count) for word, count in entries)
        )
    file.write(SHAPE.pack(False, n_words + arguments.bucket, size))
    if subwords is None:
        _write_rows(file, _blocks(vectors))
    else:
        _write_rows(file, _own_rows(words, vectors, subwords))
        _write_rows(file, _bucket_rows(subwords))
    file.write(SHAPE.pack(False, n_words, size))
    _write_rows(file, _blocks(np.broadcast_to(np.float32(0), vectors.shape) if outside is None else outside))


def _arguments(size: int, origin: Origin) -> Arguments:
    """Return the arguments of the training as far as they are known, else fastText's defaults."""
    config, before = origin.metadata.get("config"), origin.metadata.get("fasttext")
    config, before = config if isinstance(config, dict) else {}, before if isinstance(before, dict) else {}
    t: Any = config.get("sample", before.get("t"))

    def whole(name: str, old: str, default: int) -> int:
        value = config.get(name, before.get(old))
        return min(value, LARGEST) if type(value) is int and value >= 0 else default

    min_n, max_n, bucket = (0, 0, 0) if origin.subwords is None else origin.subwords.ngrams[:3]
    return Arguments(
        dim=size,
        ws=whole("window", "ws", 5),
        epoch=whole("epochs", "epoch", 5),
        minCount=whole("min_count", "minCount", 1),
        neg=whole("negative", "neg", 5),
        wordNgrams=1,
        loss=NEGATIVE,
        model=SKIP_GRAM if before.get("model", SKIP_GRAM) == SKIP_GRAM else CBOW,
        bucket=bucket,
        minn=min_n,
        maxn=max_n,
        lrUpdateRate=whole("", "lrUpdateRate", 100),
        t=float(t) if type(t) in (int, float) and 0 <= t <= 1 else 1e-4,
    )


def _tokens(counts: NDArray[np.int64], origin: Origin) -> int:
    """Return how many tokens the corpus had; at least those that are counted."""
    known = [float(counts.sum(dtype=np.float64))]
    for part in ("corpus", "fasttext"):
        of_part = origin.metadata.get(part)
        if isinstance(of_part, dict):
            known += [of_part[key] for key in ("tokens_read", "tokens") if type(of_part.get(key)) is int]
    return int(min(max(known), 2**62))


# ------------------------------------------------------------------------------------------------------ rows


def _blocks(matrix: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    step = max(1, BLOCK_BYTES // (4 * matrix.shape[1]))
    for start in range(0, len(matrix), step):
        yield matrix[start : start + step]


def _write_rows(file: BinaryIO, blocks: Iterator[NDArray[np.float32]]) -> None:
    for rows in blocks:
        file.write(np.ascontiguousarray(rows, "<f4").data.cast("B"))


def _own_rows(words: Sequence[str], vectors: NDArray[np.float32], subwords: Subwords) -> Iterator[NDArray[np.float32]]:
    """Yield the rows that belong to the words themselves, a block at a time."""
    for block in blocks_of(words, subwords.ngrams):
        wanted = vectors[block]
        starts, buckets = rows_of_words(words[block], subwords.ngrams, own_rows=False)
        sums = np.zeros(wanted.shape, np.float32)
        add_rows(starts, subwords.rows_of(buckets), subwords.rows, sums)
        parts = (np.diff(starts) + 1).astype(np.float32)[:, None]
        rows = np.zeros(wanted.shape, np.float32)
        trained = subwords.rows[block]
        rows[: len(trained)] = trained
        with np.errstate(over="ignore", invalid="ignore"):  # The caller checks that the rows are finite.
            largest = np.maximum(np.abs(wanted).max(axis=1), (np.abs(rows) / parts).max(axis=1))
            wrong = ~(np.abs((rows + sums) / parts - wanted).max(axis=1) <= _ROUNDING * largest)
            rows[wrong] = wanted[wrong] * parts[wrong] - sums[wrong]
        yield rows


def _bucket_rows(subwords: Subwords) -> Iterator[NDArray[np.float32]]:
    """Yield the rows of all buckets, a block at a time."""
    n_buckets = subwords.ngrams.bucket
    step = max(1, BLOCK_BYTES // (4 * subwords.rows.shape[1]))
    for start in range(0, n_buckets, step):
        yield subwords.of_buckets(start, min(start + step, n_buckets))
