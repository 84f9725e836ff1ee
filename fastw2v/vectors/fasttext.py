"""Read fastText's models, ``.bin``: their dictionary, the rows of words and n-grams, and the outside rows.

A file holds the arguments of the training; the dictionary, words first, then the labels of a classifier; the input
matrix, with a row for each word and each bucket of n-grams; and the output matrix. The matrices of a plain file are
mapped, not read: the usual two million buckets take gigabytes. Those of a compressed file are read.
"""

import math
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, FormatError, python_option
from ..files.arrays import first_not_finite
from ..machine import usable_cores
from ..screen import counted, printable
from ..subwords.ngrams import Ngrams, blocks_of, check_ngrams, rows_of_raw_words
from ..subwords.table import Subwords
from ..vocab import COUNT_DIGITS
from .fasttext_rows import ENTRY_BYTES, add_rows, find_entries
from .layout import LINE_BYTES, MAX_COLUMNS
from .matrix import Decode, Matrix, VectorsFile, first_rows, require_storable
from .source import Source

MAGIC, VERSIONS = 793_712_314, (11, 12)
CBOW, SKIP_GRAM, SUPERVISED = 1, 2, 3
HIERARCHICAL, NEGATIVE, N_LOSSES = 1, 2, 4
ARGUMENTS = struct.Struct("<12id")
SIZES = struct.Struct("<3i2q")  # entries, words, labels, tokens, size of the index of a pruned dictionary
SHAPE = struct.Struct("<?2q")  # whether the matrix is quantised, rows, columns
BLOCK_BYTES = 1 << 20
_AGAIN = "copy or download it again"


class Arguments(NamedTuple):
    """The arguments of a training, as fastText names and stores them."""

    dim: int
    ws: int
    epoch: int
    minCount: int  # noqa: N815
    neg: int
    wordNgrams: int  # noqa: N815
    loss: int
    model: int
    bucket: int
    minn: int
    maxn: int
    lrUpdateRate: int  # noqa: N815
    t: float


class _Dictionary(NamedTuple):
    """The dictionary of a model.

    Attributes:
        n_words: words in the file.
        raw: the bytes of the first words, not more than are wanted.
        words: the same words as text.
        counts: int64, how often each of them occurred.
        tokens: tokens of the corpus.
    """

    n_words: int
    raw: list[bytes]
    words: list[str]
    counts: NDArray[np.int64]
    tokens: int


class _Rows(Protocol):
    """The bytes that follow the dictionary."""

    def exactly(self, n: int, what: str) -> bytes:
        """Return the next ``n`` bytes."""

    def matrix(
        self, shape: tuple[int, int], first: int, rest: int | None, what: str
    ) -> tuple[NDArray[np.float32], int | None]:
        """Return the next matrix, of which at least the first rows and those from ``rest`` on are wanted.

        Also return where the row ``rest`` is in it; None if ``rest`` is None.
        """

    def ends(self) -> bool:
        """Return whether nothing follows."""


def read_fasttext(
    source: Source, stream: Any, name: str, limit: int | None, decode: Decode, duplicates: str
) -> VectorsFile:
    """Read a model; see `reader.read_vectors`.

    Args:
        source: the bytes of the file, decompressed.
        stream: the file, if it can be mapped; else None.
        name: its name in messages.
        limit: read at most this many words.
        decode: makes text of the bytes of a word.
        duplicates: see `reader.read_vectors`.

    Raises:
        FormatError: the model is damaged, quantised, pruned or of another version.
    """
    arguments = _read_arguments(source, name)
    dictionary = _read_dictionary(source, name, limit, decode)
    n_words, n_kept = dictionary.n_words, len(dictionary.words)
    ngrams = _ngrams(arguments, name)
    rows = _open_rows(source, stream, name)
    n_input = n_words if ngrams is None else n_words + ngrams.bucket
    shape = _shape(rows.exactly(SHAPE.size, "the input matrix"), arguments, name)
    # Without n-grams the buckets are those of pairs of words, which only classifiers use.
    if shape[0] != n_input and (ngrams is not None or shape[0] < n_words):
        raise FormatError(
            f"{name} is damaged: its input matrix has {shape[0]:,} rows, but its {n_words:,} words and "
            f"{n_input - n_words:,} buckets need {n_input:,}; {_AGAIN}"
        )
    matrix, first_bucket = rows.matrix(shape, n_kept, None if ngrams is None else n_words, "the input matrix")
    shape = _shape(rows.exactly(SHAPE.size, "the output matrix"), arguments, name, may_be_quantised=True)
    is_outside = arguments.model != SUPERVISED and arguments.loss != HIERARCHICAL
    if is_outside and shape[0] != n_words:
        raise FormatError(f"{name} is damaged: its output matrix has {shape[0]:,} rows for {n_words:,} words; {_AGAIN}")
    outside, _ = rows.matrix(shape, n_kept if is_outside else 0, None, "the output matrix")
    if not rows.ends():
        raise FormatError(f"{name} continues after its last matrix: {_AGAIN}")
    for what, part in (("word", matrix[:n_kept]), ("output row", outside[: n_kept if is_outside else 0])):
        row = first_not_finite(part)
        if row is not None:
            raise FormatError(
                f"{name}: {what} {row + 1:,}, {printable(dictionary.words[row])!r:.60}, has a number that is not "
                "finite: repair the file"
            )
    kept = first_rows(dictionary.words, name, duplicates)
    counts = dictionary.counts if kept is None else dictionary.counts[kept]
    words = dictionary.words if kept is None else [dictionary.words[row] for row in kept.tolist()]
    metadata = {"fasttext": {**arguments._asdict(), "tokens": dictionary.tokens}}
    U = outside[:n_kept] if is_outside else None
    if U is not None and kept is not None:
        U = U[kept]
    if ngrams is None or first_bucket is None:
        vectors = np.array(matrix[:n_kept] if kept is None else matrix[kept])
        return VectorsFile(words, vectors, counts, U, None, metadata)
    bucket = first_not_finite(matrix[first_bucket:])
    if bucket is not None:
        raise FormatError(f"{name}: bucket {bucket:,} of n-grams has a number that is not finite: give its .vec file")
    raw = dictionary.raw if kept is None else [dictionary.raw[row] for row in kept.tolist()]
    if kept is not None:
        matrix = np.concatenate([matrix[kept], matrix[first_bucket:]])
        first_bucket = len(kept)
    vectors = composed(raw, ngrams, matrix, first_bucket)
    row = first_not_finite(vectors)
    if row is not None:
        raise FormatError(f"{name}: the vector of the word {printable(words[row])!r:.60} is too large: repair the file")
    matrix.flags.writeable = False
    buckets = np.arange(ngrams.bucket, dtype=np.int32)
    subwords = Subwords(ngrams, matrix, buckets, buckets + np.int32(first_bucket))
    return VectorsFile(words, vectors, counts, U, subwords, metadata)


def composed(raw: list[bytes], ngrams: Ngrams, matrix: NDArray[np.float32], first_bucket: int) -> NDArray[np.float32]:
    """Return the vectors of words: for each the mean of its own row and those of its n-grams, as fastText takes it.

    Args:
        raw: the words in UTF-8; word w has the row w.
        ngrams: which n-grams they have.
        matrix: the rows of words and buckets.
        first_bucket: row of bucket 0.

    Returns:
        float32 ``(n_words, columns of the matrix)``.
    """
    try:
        vectors = np.empty((len(raw), matrix.shape[1]), np.float32)
    except MemoryError:
        raise FormatError(
            f"there is no memory for {len(raw):,} vectors of {matrix.shape[1]} numbers: give {python_option('limit')}"
        ) from None

    def compose(block: slice) -> None:
        starts, buckets = rows_of_raw_words(raw[block], ngrams, own_rows=False)
        sums = vectors[block]
        sums[:] = matrix[: len(raw)][block]
        add_rows(starts, buckets + first_bucket, matrix, sums)
        sums /= (np.diff(starts) + 1).astype(np.float32)[:, None]

    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="fastw2v-compose") as pool:
        list(pool.map(compose, blocks_of(raw, ngrams)))
    return vectors


# ------------------------------------------------------------------------------------------------------ parts


def _read_arguments(source: Source, name: str) -> Arguments:
    """Read the version and the arguments of the training."""
    _, version = struct.unpack("<2i", _exactly(source, 8, name, "the version"))
    if version not in VERSIONS:
        remedy = "upgrade fastw2v, or give its .vec file" if version > max(VERSIONS) else "give its .vec file"
        raise FormatError(
            f"{name} is a fastText model of version {version}, this program reads {' and '.join(map(str, VERSIONS))}: "
            f"{remedy}"
        )
    arguments = Arguments(*ARGUMENTS.unpack(_exactly(source, ARGUMENTS.size, name, "the arguments")))
    if not 1 <= arguments.dim <= MAX_COLUMNS:
        raise FormatError(
            f"{name} is damaged: its vectors have {arguments.dim} numbers, not from 1 to {MAX_COLUMNS:,}; {_AGAIN}"
        )
    for key, largest in (("model", SUPERVISED), ("loss", N_LOSSES)):
        if not 1 <= getattr(arguments, key) <= largest:
            raise FormatError(f"{name} is damaged: its {key} has the number {getattr(arguments, key)}; {_AGAIN}")
    if not math.isfinite(arguments.t):
        raise FormatError(f"{name} is damaged: its threshold for frequent words is {arguments.t}; {_AGAIN}")
    if version == VERSIONS[0] and arguments.model == SUPERVISED:  # The classifiers of that time had no n-grams.
        return arguments._replace(maxn=0)
    return arguments


def _ngrams(arguments: Arguments, name: str) -> Ngrams | None:
    """Return which n-grams words have; None if none."""
    if arguments.maxn < max(arguments.minn, 1):
        return None
    ngrams = Ngrams(max(arguments.minn, 1), arguments.maxn, arguments.bucket)
    try:
        check_ngrams(ngrams)
    except ConfigError as reason:
        raise FormatError(f"{name} is damaged or too large: {reason}") from None
    return ngrams


def _read_dictionary(source: Source, name: str, limit: int | None, decode: Decode) -> _Dictionary:
    """Read the dictionary, also the entries beyond the limit."""
    sizes = SIZES.unpack(_exactly(source, SIZES.size, name, "the dictionary"))
    n_entries, n_words, n_labels, tokens, n_pruned = sizes
    if n_pruned >= 0:
        raise FormatError(
            f"{name} is a pruned fastText model, such as a .ftz file: give the .bin file that it was made from"
        )
    if n_words < 1 or n_labels < 0 or n_entries != n_words + n_labels:
        raise FormatError(
            f"{name} is damaged: its dictionary announces {n_entries:,} entries, {n_words:,} of them words and "
            f"{n_labels:,} labels; {_AGAIN}"
        )
    if source.left is not None and source.left < n_entries * ENTRY_BYTES:
        raise FormatError(
            f"{name} is truncated or damaged: its dictionary announces {n_entries:,} entries, but only {source.left:,} "
            f"bytes follow; {_AGAIN}"
        )
    n_kept = n_words if limit is None else min(limit, n_words)
    raw: list[bytes] = []
    words: list[str] = []
    counts: list[NDArray[np.int64]] = []
    n_read = 0
    for letters, of_entries, types in _entries(source, name, n_entries):
        numbers = np.arange(n_read, n_read + len(types))
        wrong = np.flatnonzero(types != (numbers >= n_words))
        if len(wrong):
            raise FormatError(
                f"{name} is damaged: entry {n_read + int(wrong[0]) + 1:,} of its dictionary is not a "
                f"{'word' if numbers[wrong[0]] < n_words else 'label'}; {_AGAIN}"
            )
        n_read += len(types)
        letters, of_entries = letters[: n_kept - len(words)], of_entries[: n_kept - len(words)]
        text = b"".join(letters)
        is_plain = all(letters) and not any(space in text for space in (b"\t", b"\n", b"\r", b"\v", b"\f"))
        for word in letters:
            try:
                words.append(decode(word))
                if not is_plain:
                    require_storable(words[-1])
            except ValueError as reason:
                at = len(raw) + 1 + letters.index(word)
                raise FormatError(f"{name}: word {at:,} is {reason}") from None
        raw += letters
        counts.append(of_entries)
    of_words = np.concatenate(counts)
    unfit = np.flatnonzero((of_words < 0) | (of_words >= 10**COUNT_DIGITS))
    if len(unfit):
        shown, count = printable(words[unfit[0]]), of_words[unfit[0]]
        raise FormatError(f"{name} is damaged: the word {shown!r:.60} has the count {count}; {_AGAIN}")
    return _Dictionary(n_words, raw, words, of_words, tokens)


def _entries(
    source: Source, name: str, n_entries: int
) -> Iterator[tuple[list[bytes], NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield blocks of the dictionary: the letters, counts and types of some entries."""
    n_read, n_bytes = 0, BLOCK_BYTES
    while n_read < n_entries:
        look = source.ahead(n_bytes)
        room = min(n_entries - n_read, len(look) // ENTRY_BYTES)
        spans, counts, types = np.empty((room, 2), np.int64), np.empty(room, np.int64), np.empty(room, np.uint8)
        n, at = find_entries(np.frombuffer(look, np.uint8) if look else np.empty(0, np.uint8), spans, counts, types)
        if n:
            yield [look[start:stop] for start, stop in spans[:n].tolist()], counts[:n], types[:n]
            source.skip(at)
            n_read, n_bytes = n_read + n, BLOCK_BYTES
        elif len(look) < n_bytes:
            raise FormatError(
                f"{name} is truncated: it ends in entry {n_read + 1:,} of the {n_entries:,} of its dictionary; {_AGAIN}"
            )
        elif n_bytes > LINE_BYTES:
            raise FormatError(f"{name} is damaged: word {n_read + 1:,} does not end; {_AGAIN}")
        else:
            n_bytes *= 2  # a word longer than the block


def _shape(header: bytes, arguments: Arguments, name: str, *, may_be_quantised: bool = False) -> tuple[int, int]:
    """Return the rows and columns of a matrix, from what precedes its numbers."""
    quantised, n_rows, n_columns = SHAPE.unpack(header)
    if quantised and not may_be_quantised:  # With a plain input matrix, fastText ignores the flag of the output matrix.
        raise FormatError(
            f"{name} is a quantised fastText model (.ftz), whose vectors are approximate: give the .bin file that it "
            "was made from"
        )
    if n_rows < 0 or n_columns != arguments.dim:
        raise FormatError(
            f"{name} is damaged: it has a matrix of shape ({n_rows}, {n_columns}) for vectors of "
            f"{counted(arguments.dim, 'number')}; {_AGAIN}"
        )
    return n_rows, n_columns


def _exactly(source: Source, n: int, name: str, what: str) -> bytes:
    content = bytearray(n)
    if source.fill(memoryview(content)) < n:
        raise FormatError(f"{name} is truncated: it ends in {what}; {_AGAIN}")
    return bytes(content)


def _open_rows(source: Source, stream: Any, name: str) -> _Rows:
    if stream is not None:
        place = stream.tell()
        try:
            return _Mapped(np.memmap(stream, np.uint8, "r").view(np.ndarray), source.place, name)
        except (OSError, ValueError, MemoryError):  # Not every file system can map, nor is there always room.
            stream.seek(place)  # Mapping has moved to the end.
    return _Streamed(source, name)


class _Mapped:
    """The matrices of a plain file; see `_Rows`."""

    def __init__(self, content: NDArray[np.uint8], place: int, name: str) -> None:
        self._content, self._place, self._name = content, place, name

    def _take(self, n: int, what: str) -> NDArray[np.uint8]:
        left = len(self._content) - self._place
        if n > left:
            raise FormatError(
                f"{self._name} is truncated or damaged: {what} takes {n:,} bytes, but only {left:,} follow; {_AGAIN}"
            )
        self._place += n
        return self._content[self._place - n : self._place]

    def exactly(self, n: int, what: str) -> bytes:
        """Return the next ``n`` bytes."""
        return self._take(n, what).tobytes()

    def matrix(
        self, shape: tuple[int, int], first: int, rest: int | None, what: str
    ) -> tuple[NDArray[np.float32], int | None]:
        """Return the next matrix; see `_Rows.matrix`."""
        return self._take(4 * shape[0] * shape[1], what).view("<f4").reshape(shape), rest

    def ends(self) -> bool:
        """Return whether nothing follows."""
        return self._place == len(self._content)


class _Streamed:
    """The matrices of a compressed file or a pipe; see `_Rows`. Memory grows with what has been read."""

    def __init__(self, source: Source, name: str) -> None:
        self._source, self._name = source, name

    def exactly(self, n: int, what: str) -> bytes:
        """Return the next ``n`` bytes."""
        return _exactly(self._source, n, self._name, what)

    def matrix(
        self, shape: tuple[int, int], first: int, rest: int | None, what: str
    ) -> tuple[NDArray[np.float32], int | None]:
        """Return the rows of the next matrix that are wanted; see `_Rows.matrix`."""
        n_rows, size = shape
        found, step = Matrix(size), max(1, BLOCK_BYTES // (4 * size))
        last = n_rows if rest is None else rest
        for start, stop, is_wanted in ((0, first, True), (first, last, False), (last, n_rows, True)):
            for row in range(start, stop, step):
                n = min(step, stop - row)
                block = found.room(n)[found.n_rows : found.n_rows + n]
                if self._source.fill(block.data.cast("B")) < block.nbytes:
                    raise FormatError(f"{self._name} is truncated: it ends in row {row + 1:,} of {what}; {_AGAIN}")
                found.n_rows += n if is_wanted else 0
        return found.finished(), None if rest is None else first

    def ends(self) -> bool:
        """Return whether nothing follows."""
        return not self._source.ahead(1)
