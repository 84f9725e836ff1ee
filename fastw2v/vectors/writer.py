"""Write vectors for other programs, in the format that a suffix or the caller chooses, compressed or not.

word2vec-bin, word2vec-text
    As word2vec.c writes them: a line ``n_words vector_size``, then a row per word. A text row is the word and the
    numbers (``%lf``: six decimals), with a space after each, and a newline. A binary row is the word, a space, the
    numbers as little-endian float32, and a newline.
glove
    Rows of text as in GloVe: no first line, and no space at the end. Each number has the fewest digits that read back
    as the same float32. Nothing is lost, and the file is little longer than with six decimals.
npz
    An archive of three arrays, as `numpy.savez` makes it: ``vectors`` (float32), ``words`` (unicode), ``counts``
    (int64). ``numpy.load(..., allow_pickle=False)`` opens it.
projector
    Two files for TensorFlow's Embedding Projector: numbers between tabs (digits as for glove), and words and counts.
model2vec
    A folder; see `model2vec`.
fasttext-bin
    A fastText model; see `fasttext_writer`.
floret
    The rows of buckets, for spaCy, as floret writes them: a line
    ``bucket vector_size min_n max_n hash_count seed < >``, then a row of text per bucket: its number, and the numbers
    with the digits of glove. No word is in it.

All words and numbers are checked before anything is written.
"""

import bz2
import gzip
import lzma
import os
import zipfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from itertools import count, islice
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from ..choices import FORMATS, Format
from ..errors import ConfigError, FormatError, doubt, option
from ..files.arrays import first_not_finite, npy_blocks, write_header
from ..files.places import local_path
from ..files.replacing import STANDARD_OUTPUT, check_name, is_pipe, replacing
from ..files.staging import is_part
from ..machine import usable_cores
from ..screen import counted, printable
from ..subwords.ngrams import FLORET_SEED
from ..subwords.table import Subwords
from ..vocab import check_storable
from . import model2vec
from .matrix import Origin

SUFFIXES: dict[str, Format] = {
    "": "word2vec-bin",
    ".bin": "word2vec-bin",
    ".txt": "word2vec-text",
    ".vec": "word2vec-text",
    ".glove": "glove",
    ".npz": "npz",
    ".tsv": "projector",
    ".floret": "floret",
}
# Formats whose files often have the same name, and that readers tell apart.
_ALIKE: tuple[set[Format], ...] = {"word2vec-text", "glove"}, {"word2vec-bin", "fasttext-bin"}
BLOCK_NUMBERS = 1 << 17
_HALF_OF_LAST_DECIMAL = 5e-7
WORDS_AT_ONCE = 1 << 16
WORDS_BYTES = 1 << 30  # An array of words up to this size is never refused.

Block: TypeAlias = tuple[list[bytes], NDArray[np.float32]]


def write(
    path: str | PathLike[str],
    words: Sequence[str],
    vectors: NDArray[np.float32],
    counts: NDArray[np.int64],
    format: Format | None = None,
    *,
    exact: bool = False,
    origin: Origin | None = None,
) -> None:
    """Write words, vectors, shape ``(n_words, vector_size)``, and counts; see `embeddings.Embeddings.export`.

    With ``exact``, word2vec-text has the fewest digits that read back as the same float32, as glove, not six decimals.
    A fastText model also holds what ``origin`` adds; None adds nothing. The format floret has the rows of its subwords
    instead.
    """
    origin = Origin(None, None, {}) if origin is None else origin
    name = local_path(path, FormatError, output=True)
    check_name(name, FormatError)
    chosen = format_of(name, format, subwords=origin.subwords)
    suffix, packing = _suffixes(name)
    meant = SUFFIXES.get(suffix, chosen) if suffix else chosen
    if meant != chosen and not any({meant, chosen} <= alike for alike in _ALIKE):
        doubt(f"{name}: the suffix {suffix} means {meant}, but the file is written as {chosen}")
    if chosen == "npz" and packing:
        doubt(f"{name}: numpy.load and fastw2v read an .npz file only without {packing}: decompress it first")
    if chosen == "fasttext-bin" and packing:
        doubt(f"{name}: fastText reads a .bin file only without {packing}: decompress it first")
    table = _floret_table(name, words, vectors, origin.subwords) if chosen == "floret" else None
    if table is None:
        row = first_not_finite(vectors)
        if row is not None:
            raise FormatError(f"the vector of the word {words[row]!r:.60} is not finite: repair it")
        if chosen == "word2vec-text" and not exact:
            _doubt_small(name, words, vectors)
        check_words(words, chosen, max(WORDS_BYTES, 4 * vectors.nbytes))
    if chosen == "fasttext-bin":
        from .fasttext_writer import check_rows, write_fasttext  # Its kernels are for such files only.

        check_rows(name, words, vectors, origin)
    if chosen == "model2vec":
        if name == STANDARD_OUTPUT or packing:
            raise FormatError(f"{name}: model2vec is a folder, not a file: give the name of a folder")
        model2vec.write(name, words, vectors)
        return
    if chosen == "projector" and (name == STANDARD_OUTPUT or is_pipe(name)):
        raise FormatError(f"{name}: the format projector makes two files: give a file name")
    for target in _targets(name, chosen):
        if is_part(Path(os.path.realpath(target))):
            raise FormatError(f"{target} is part of a model folder or a prepared folder: give another name")
    if chosen == "projector":
        numbers, metadata = _targets(name, chosen)
        with (
            replacing(metadata, FormatError) as labels,
            _packed(labels, packing, metadata) as labels,
            replacing(numbers, FormatError) as file,
            _packed(file, packing, numbers) as file,
        ):
            _write_labels(labels, words, counts)
            _write_text(file, [], vectors, separator=b"\t")
        return
    with replacing(name, FormatError) as file, _packed(file, packing, name) as file:
        if chosen == "npz":
            # A compressed stream can't go back, nor can a file that is appended to.
            in_order = packing or name == STANDARD_OUTPUT
            _write_npz(_without_seek(file) if in_order else file, words, vectors, counts)
        elif table is not None:
            _write_floret(file, table)
        elif chosen == "glove":
            _write_text(file, words, vectors, separator=b" ")
        elif chosen == "fasttext-bin":
            write_fasttext(file, words, vectors, counts, origin)
        else:
            file.write(b"%d %d\n" % vectors.shape)
            if chosen == "word2vec-bin":
                _write_binary(file, words, vectors)
            elif exact:
                _write_text(file, words, vectors, separator=b" ")
            else:
                _write_text(file, words, vectors, separator=b" ", shortest=False, end=b" ", newline=b"\n")


def format_of(path: str | PathLike[str], format: Format | None = None, *, subwords: Subwords | None = None) -> Format:
    """Return the format in which a file will be written: ``format``, or what the suffix means.

    The suffix ``.bin`` means fastText's format for vectors with fastText's subwords, and word2vec's for others.

    Raises:
        FormatError: the suffix means none.
        ValueError: ``format`` is not one of `FORMATS`.
    """
    if format is not None:
        if format not in FORMATS:
            raise ValueError(f"format is {format!r}: give one of {', '.join(FORMATS)}")
        return format
    name = local_path(path, FormatError, output=True)
    if os.path.isdir(name):
        if model2vec.is_ours(name):
            return "model2vec"
        raise FormatError(f"{name} is a folder: give a file name, or {option('format', 'model2vec')} and a new folder")
    suffix, _ = _suffixes(name)
    if suffix not in SUFFIXES:
        known = ", ".join(filter(None, SUFFIXES))
        raise FormatError(
            f"{name}: the suffix {suffix:.60} means no format: use one of {known}, optionally followed by one of "
            f"{', '.join(_PACKINGS)}, or give {option('format')}"
        )
    is_fasttext = subwords is not None and subwords.ngrams.own_rows
    return "fasttext-bin" if suffix == ".bin" and is_fasttext else SUFFIXES[suffix]


def _suffixes(name: str) -> tuple[str, str]:
    """Return the suffix that means a format, and the one that means compression; "" if there is none."""
    path, packing = Path(name), ""
    if path.suffix.lower() in _PACKINGS:
        path, packing = path.with_suffix(""), path.suffix.lower()
    suffix = path.suffix.lower()
    return "" if suffix == "." else suffix, packing


def _targets(name: str, format: Format) -> list[str]:
    """Return the files that will be written; for the Projector ``v.tsv`` and ``v.metadata.tsv``."""
    if format != "projector":
        return [name]
    _, packing = _suffixes(name)
    path = Path(name[: len(name) - len(packing)])
    return [name, str(path.with_name(f"{path.stem}.metadata.tsv{packing}"))]


# ------------------------------------------------------------------------------------------------------ checks


def _floret_table(name: str, words: Sequence[str], vectors: NDArray[np.float32], subwords: Subwords | None) -> Subwords:
    """Return the rows of floret's way, or raise `FormatError` if there are none or a number is not finite."""
    if subwords is None or subwords.ngrams.own_rows:
        raise FormatError(
            f"{name}: floret holds rows that words and n-grams share, but these vectors have none: train with "
            f"{option('mode', 'floret')}, or choose another format"
        )
    row = first_not_finite(subwords.rows)
    if row is not None:
        raise FormatError(f"row {row} of the table of n-grams is not finite: repair it")
    changed = subwords.changed(words, vectors)
    if len(changed):
        doubt(
            f"{name}: {counted(len(changed), 'vector')} changed after the training, such as that of the word "
            f"{printable(words[int(changed[0])])!r:.60}, can't be stored, because words have no rows of their own"
        )
    return subwords


def _doubt_small(name: str, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Warn if six decimals leave nothing of a vector."""
    n_lost, first = 0, 0
    rows = _rows_at_once(vectors)
    for start in range(0, len(vectors), rows):
        largest = np.abs(vectors[start : start + rows]).max(axis=1)
        lost = np.flatnonzero((largest > 0) & (largest < _HALF_OF_LAST_DECIMAL))
        if len(lost):
            first = first if n_lost else start + int(lost[0])
            n_lost += len(lost)
    if n_lost:
        doubt(
            f"{name}: six decimals make {counted(n_lost, 'vector')} zero, the first of the word "
            f"{printable(words[first])!r:.60}: give {option('format', 'glove')} or word2vec-bin, which keep all digits"
        )


def with_spaces_replaced(words: Sequence[str], space: str) -> list[str]:
    """Return words with ``space`` in place of each space.

    Raises:
        ConfigError: ``space`` holds white space, or makes two words equal.
    """
    if any(c in space for c in " \t\n\r\v\f"):
        raise ConfigError(f"{option('space')} is {space!r:.60}: give characters other than white space, such as _")
    replaced = [word.replace(" ", space) for word in words]
    if len(set(replaced)) < len(set(words)):
        first = next(word for word, count in Counter(replaced).items() if count > 1)
        raise ConfigError(
            f"{option('space')} is {space!r:.60}, which makes two words {printable(first)!r:.60}: give another"
        )
    return replaced


def check_words(words: Sequence[str], format: Format, array_bytes: int = WORDS_BYTES) -> None:
    """Raise FormatError if a format can't hold a word; issue a doubt if programs may not read it.

    Words are checked one by one only if their block, as one text, holds something unusual. In npz every word takes as
    much room as the longest one; ``array_bytes`` is the limit for all words.
    """
    undecodable, spaced, longest = [], 0, ""
    for block in _word_blocks(words):
        text = "\n".join(block)
        if (
            text.count("\n") != len(block) - 1
            or any(space in text for space in " \t\r\v\f\0")
            or not all(block)
            or not (text.isascii() or _is_utf8(text))
        ):
            for word in block:
                _check_word(word, format)
                spaced += " " in word
                if not (word.isascii() or _is_utf8(word)):
                    undecodable.append(word)
        longest = max(longest, max(block, key=len), key=len)
    if undecodable:
        of = f"{len(undecodable):,} of {counted(len(words), 'word')}, the first {undecodable[0]!r:.60},"
        if format == "projector":
            doubt(f"{of} are not valid UTF-8: the Projector will not show them as they are")
        elif format == "fasttext-bin":
            doubt(f"{of} are not valid UTF-8: gensim puts backslashes into them")
        elif format != "npz":
            doubt(f'{of} are not valid UTF-8: gensim reads this file only with unicode_errors="replace"')
    if format == "model2vec" and spaced:
        doubt(
            f"{spaced:,} of {counted(len(words), 'word')} hold spaces: model2vec splits text there and never finds them"
        )
    size = len(words) * 4 * len(longest)
    if format == "npz" and size > array_bytes:
        raise FormatError(
            f"the words would take {size / 1e9:,.1f} GB as an array, because the word {printable(longest[:60])!r:.60} "
            f"has {len(longest):,} characters: choose another format, or leave the word out"
        )


def _check_word(word: str, format: Format) -> None:
    shown = f"the word {printable(word[:60])!r:.60}"
    try:
        check_storable(word)
    except ValueError as reason:
        raise FormatError(f"{shown} can't be written: it is {reason}") from None
    if " " in word and format in ("word2vec-bin", "word2vec-text", "glove", "fasttext-bin"):
        raise FormatError(f"{shown} holds a space, which {format} files can't hold: give {option('space', '_')}")
    if format == "fasttext-bin" and "\0" in word:
        raise FormatError(f"{shown} holds NUL, which ends a word in a fastText model: remove the NUL")
    if format == "npz" and word.endswith("\0"):
        raise FormatError(f"{shown} ends with NUL, which NumPy would cut off: remove the NUL, or choose another format")
    if format == "model2vec" and not _is_utf8(word):
        raise FormatError(
            f"{shown} is not valid UTF-8, which model2vec needs: choose another format, or leave the word out"
        )


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


# ------------------------------------------------------------------------------------------------------ rows


def _rows_at_once(vectors: NDArray[np.float32]) -> int:
    return max(1, BLOCK_NUMBERS // max(1, int(vectors.shape[1])))


def _word_blocks(words: Sequence[str], size: int = WORDS_AT_ONCE) -> Iterator[list[str]]:
    """Yield the words in lists of at most ``size``; the words may be decoded only when they are asked for."""
    rest = iter(words)
    while block := list(islice(rest, size)):
        yield block


def _encoded(words: Sequence[str], size: int = WORDS_AT_ONCE) -> Iterator[list[bytes]]:
    for block in _word_blocks(words, size):
        yield "\n".join(block).encode("utf-8", "surrogateescape").split(b"\n")  # No word holds a line break.


def _write_binary(file: BinaryIO, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    rows, width = _rows_at_once(vectors), 4 * vectors.shape[1]
    for number, block in enumerate(_encoded(words, rows)):
        numbers = np.ascontiguousarray(vectors[number * rows : (number + 1) * rows], "<f4").tobytes()
        pieces: list[bytes] = []
        for row, word in enumerate(block):
            pieces += (word, b" ", numbers[row * width : (row + 1) * width], b"\n")
        file.write(b"".join(pieces))


def _write_text(
    file: BinaryIO,
    words: Sequence[str],
    vectors: NDArray[np.float32],
    *,
    separator: bytes,
    shortest: bool = True,
    end: bytes = b"\n",
    newline: bytes = b"",
) -> None:
    """Write rows of text: the word, the numbers, and after the last of them ``end`` and ``newline``.

    Without words, write only the numbers.
    """
    rows = _rows_at_once(vectors)
    blocks = (vectors[start : start + rows] for start in range(0, len(vectors), rows))
    texts = _texts(blocks, shortest=shortest, separator=separator, end=end)
    if not len(words):
        for text, _ in texts:
            file.write(text)
        return
    for block, (text, ends) in zip(_encoded(words, rows), texts, strict=True):
        pieces: list[bytes | memoryview] = []
        start = 0
        for word, stop in zip(block, ends, strict=True):
            pieces += (word, separator, text[start:stop], newline)
            start = stop
        file.write(b"".join(pieces))


def _write_floret(file: BinaryIO, subwords: Subwords) -> None:
    """Write a row per bucket, zeros where no word reaches the bucket; only a few blocks of rows are in memory."""
    ngrams, size = subwords.ngrams, subwords.rows.shape[1]
    header = (ngrams.bucket, size, ngrams.min_n, ngrams.max_n, ngrams.hash_count, FLORET_SEED)
    file.write(b"%d %d %d %d %d %d < >\n" % header)
    rows, numbers = _rows_at_once(subwords.rows), count()
    starts = range(0, ngrams.bucket, rows)
    blocks = (subwords.of_buckets(start, min(start + rows, ngrams.bucket)) for start in starts)
    for text, ends in _texts(blocks, shortest=True, separator=b" ", end=b"\n"):
        pieces: list[bytes | memoryview] = []
        start = 0
        for stop in ends:
            pieces += (b"%d " % next(numbers), text[start:stop])
            start = stop
        file.write(b"".join(pieces))


def _texts(blocks: Iterable[NDArray[np.float32]], **form: Any) -> Iterator[tuple[memoryview, list[int]]]:
    """Yield `text_of_rows` of each block of rows, in order, made by as many threads as there are cores."""
    from .decimals import text_of_rows  # Its kernels are for text only.

    workers = usable_cores()
    with ThreadPoolExecutor(workers, thread_name_prefix="fastw2v-text") as pool:
        ahead: deque[Future[tuple[memoryview, list[int]]]] = deque()
        for block in blocks:
            ahead.append(pool.submit(text_of_rows, block, **form))
            if len(ahead) > 2 * workers:  # The texts of all rows would fill the memory.
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _write_labels(file: BinaryIO, words: Sequence[str], counts: NDArray[np.int64]) -> None:
    """Write the words and counts; the Projector expects a header where there is more than one column."""
    file.write(b"word\tcount\n")
    for number, block in enumerate(_encoded(words)):
        start = number * WORDS_AT_ONCE
        block_counts = counts[start : start + len(block)].tolist()
        file.write(b"".join(b"%b\t%d\n" % pair for pair in zip(block, block_counts, strict=True)))


def _write_npz(file: BinaryIO, words: Sequence[str], vectors: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
    longest = max(map(len, words), default=1)
    dtype = np.dtype(f"<U{longest}")
    with zipfile.ZipFile(file, "w") as archive:
        with _member(archive, "vectors.npy") as member:
            for content in npy_blocks(vectors):
                member.write(content)
        with _member(archive, "words.npy") as member:
            write_header(member, dtype, len(words))
            for block in _word_blocks(words, max(1, BLOCK_NUMBERS // longest)):
                member.write(np.array(block, dtype).tobytes())
        with _member(archive, "counts.npy") as member:
            write_header(member, "<i8", len(counts))
            member.write(np.ascontiguousarray(counts, "<i8").tobytes())


def _without_seek(file: BinaryIO) -> BinaryIO:
    """Return a stream to which zipfile writes strictly in order."""

    def write(content: bytes | memoryview) -> int:
        file.write(content)
        return memoryview(content).nbytes

    return cast(BinaryIO, SimpleNamespace(write=write, flush=file.flush))


def _member(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    # A ZipInfo without a time makes equal vectors equal files.
    return cast(BinaryIO, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True))


# ------------------------------------------------------------------------------------------------------ archives


def _packed(file: BinaryIO, packing: str, name: str) -> AbstractContextManager[BinaryIO]:
    """Return a stream that compresses into a file as the suffix says; without a suffix, the file itself."""
    return _PACKINGS[packing](file, name) if packing else nullcontext(file)


def _zstd(file: BinaryIO, name: str) -> Any:
    try:
        import zstandard
    except ImportError:
        raise FormatError(
            f"{name} needs the package zstandard: run pip install 'fastw2v[zst]', or choose another suffix, such as .gz"
        ) from None
    return zstandard.ZstdCompressor().stream_writer(file, closefd=False)


_PACKINGS: dict[str, Callable[[BinaryIO, str], Any]] = {
    ".gz": lambda file, name: gzip.GzipFile("", "wb", 6, file, mtime=0),  # No name and no time: equal files.
    ".bz2": lambda file, name: bz2.BZ2File(file, "wb"),
    # The usual preset 6 takes 8 times as long, and saves a seventh of the size.
    ".xz": lambda file, name: lzma.LZMAFile(file, "wb", preset=1),  # noqa: SIM115
    ".zst": _zstd,
}
