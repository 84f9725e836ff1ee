"""Read any file of vectors: word2vec text and binary, GloVe, fastText's, ``.npz``, compressed or not.

The bytes of the file decide its format (`looks`, `layout`); `text_rows`, `binary_rows`, `npz` and `fasttext` read it.
Memory grows with what has been read, never with what a header announces.
"""

from os import PathLike

import numpy as np

from ..errors import ConfigError, FormatError, python_option
from ..files.archives import unpacked
from ..vocab import COUNT_DIGITS
from .binary_rows import read_binary
from .layout import LOOK_BYTES, find_layout
from .looks import is_fasttext
from .matrix import VectorsFile, check_limit, distinct, word_decoder
from .npz import is_npz, read_npz
from .source import STANDARD_INPUT, Source, length_of, open_lines, open_vectors
from .text_rows import read_text


def read_vectors(
    path: str | PathLike[str],
    *,
    limit: int | None = None,
    binary: bool | None = None,
    no_header: bool | None = None,
    encoding: str = "utf-8",
    errors: str = "surrogateescape",
    duplicates: str = "first",
) -> VectorsFile:
    """Read words and vectors from a file.

    Args:
        path: the file, plain or compressed (gzip, bzip2, xz, zstd, recognised by content); ``-`` is standard input.
        limit: read at most this many rows, and nothing after them.
        binary: whether the numbers are float32 rather than text; None to detect it.
        no_header: whether text has no first line ``n_words vector_size``, as GloVe's files; None to detect it.
        encoding: encoding of the words.
        errors: what to do with words that are not valid in it, as in `bytes.decode`.
        duplicates: "first" keeps the first row of a repeated word, with a warning; "error" refuses the file.

    Returns:
        Words, float32 vectors ``(n_words, vector_size)``, and what else the file has.

    Raises:
        FormatError: the file is missing, damaged, or of another kind; a number is not finite; a word can't be decoded
            or stored; or a word is repeated and ``duplicates`` is "error".
        ConfigError: an option is out of range.

    Warns:
        FastW2VWarning: words are repeated, the header does not announce as many rows as there are, rows without a
            word were skipped, or a word ends in a blank and a number.
    """
    check_limit(limit)
    for key, value in (("binary", binary), ("no_header", no_header)):
        if value is not None and not isinstance(value, (bool, np.bool_)):
            raise ConfigError(f"{python_option(key)} is {value!r:.60}: give True, False or None")
    if duplicates not in ("first", "error"):
        raise ConfigError(f"{python_option('duplicates')} is {duplicates!r:.60}: give first or error")
    limit = None if limit is None else int(limit)
    binary = None if binary is None else bool(binary)
    no_header = None if no_header is None else bool(no_header)
    decode = word_decoder(encoding, errors)
    with open_vectors(path) as (stream, name):
        raw = unpacked(stream, name, FormatError)
        source = Source(raw, length_of(stream) if raw.is_plain else None)
        head = source.ahead(LOOK_BYTES)
        if (is_npz(head) or is_fasttext(head)) and (binary is not None or no_header is not None):
            given = python_option("binary") if binary is not None else python_option("no_header")
            if is_fasttext(head):
                raise FormatError(f"{name} is a fastText model, which {given} is not for: give load the name alone")
            raise FormatError(f"{name} is a zip archive or .npz, which {given} is not for: omit it")
        if is_fasttext(head):
            from .fasttext import read_fasttext  # Its kernels are for such files only.

            can_map = raw.is_plain and source.left is not None and name != STANDARD_INPUT
            return read_fasttext(source, stream if can_map else None, name, limit, decode, duplicates)
        if is_npz(head):
            found = read_npz(stream, name, limit, is_plain=raw.is_plain)
        else:
            layout = find_layout(source, name, binary, no_header)
            source.skip(layout.start)
            read = read_binary if layout.binary else read_text
            found = read(source, name, layout, limit, decode)
    return distinct(found, name, duplicates)


def read_counts(path: str | PathLike[str], encoding: str = "utf-8", errors: str = "surrogateescape") -> dict[str, int]:
    """Return the counts in a file of lines "word count", as word2vec.c's ``-save-vocab`` writes it.

    Raises:
        FormatError: the file can't be read, or a line is not a word and a count.
    """
    decode = word_decoder(encoding, errors)
    counts: dict[str, int] = {}
    with open_lines(path) as (lines, name):
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if len(fields) != 2 or not fields[1].isdigit() or len(fields[1]) > COUNT_DIGITS:
                raise FormatError(f"{name} line {number} is {line[:60]!r}: expected a word and its count")
            counts[decode(fields[0])] = int(fields[1])
    return counts
