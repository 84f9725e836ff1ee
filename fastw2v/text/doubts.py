"""Doubts about text that was read as words although it is markup, JSON or not UTF-8, or has other line ends.

Such text is trained as it is, with a warning. The words of a corpus show what it is. So each distinct word is checked
once, after the scan, and weighed by its count: the shares are exact, and the scan takes no longer.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FolderError
from ..kernels._jit import jit
from ..kernels.simd import CHUNK, bits_between
from ..screen import counted, printable
from .wordtable import Run

# What a word shows: bits of `word_signs`, and places in a tally.
INVALID, TAG, TAG_END, JSON, JSON_ROW, JSON_KEY, RTF, RTF_HEAD, PDF, PDF_HEAD = range(10)
N_SIGNS = 10

#: A corpus is doubtful from this share of its tokens on. Broken characters in text from the Web are a hundred times
#: rarer; Latin-1 text in English, with its few accents and quotation marks, has more.
INVALID_SHARE = 0.001
#: Least share of closing tags. HTML has 1 per 4 tokens, SVG 1 per 56, a Wikipedia dump or film reviews with <br /> 1
#: per 40 to 60; Markdown with some HTML 1 per 300, sources in C++, JavaScript and Python 1 per 500 to 4,000. Text with
#: marks such as <unk>, <url>, <3 or List<String> has none.
TAG_END_SHARE = 0.005
#: If the lines are JSON, most of them begin an object or a list, however long their texts are.
ROWS_PER_LINE = 0.5
#: Indented JSON has a key in 2 of 3 lines; JavaScript in 1 of 13, Python in 1 of 60. One long line needs many.
KEYS_PER_LINE, KEY_SHARE = 0.3, 0.02
#: A PDF or RTF file begins with a mark. If a text only mentions the mark, its share of commands is smaller than this.
COMMAND_SHARE = 0.001

#: Carriage returns seem to end lines if there is at least 1 per 10,000 bytes, and at most 1 newline per 100,000.
BYTES_PER_RETURN, BYTES_PER_NEWLINE = 10_000, 100_000

_LONGEST, _MOST = 500, 20  # characters of a doubt, and doubts, that a manifest may hold

_HIGH, _SIGN = 1, 2
#: Bytes beyond ASCII, and the signs that `word_signs` looks for; a word without either shows nothing.
_BYTES = np.zeros(256, np.uint8)
_BYTES[128:] = _HIGH
_BYTES[list(b"<>&=:{}[]\\%/\"'")] = _SIGN
_RTF_MARK, _PDF_MARK = np.frombuffer(b"{\\rtf", np.uint8), np.frombuffer(b"%PDF-", np.uint8)


@jit(exact=True)
def is_utf8(text: NDArray[np.uint8], start: int, stop: int) -> bool:
    """Return whether ``text[start:stop]`` is valid UTF-8, as Python decodes it."""
    at = start
    while at < stop:
        first = text[at]
        at += 1
        if first < 0x80:
            continue
        if first < 0xC2 or first > 0xF4:
            return False
        low, high = 0x80, 0xBF  # of the second byte: no longer form than needed, no surrogate, none above U+10FFFF
        if first == 0xE0:
            low = 0xA0
        elif first == 0xED:
            high = 0x9F
        elif first == 0xF0:
            low = 0x90
        elif first == 0xF4:
            high = 0x8F
        more = 1 + (first >= 0xE0) + (first >= 0xF0)
        if at + more > stop or not low <= text[at] <= high:
            return False
        for k in range(1, more):
            if not 0x80 <= text[at + k] <= 0xBF:
                return False
        at += more
    return True


@jit(exact=True)
def _is_letter(byte: int) -> bool:
    return 97 <= (byte | 32) <= 122


@jit(exact=True)
def _begins(text: NDArray[np.uint8], start: int, stop: int, mark: NDArray[np.uint8]) -> bool:
    if stop - start <= len(mark) or not 48 <= text[start + len(mark)] <= 57:  # Both marks precede a version.
        return False
    n_equal = 0
    for k in range(len(mark)):
        n_equal += text[start + k] == mark[k]
    return n_equal == len(mark)


@jit(exact=True)
def _tag_signs(text: NDArray[np.uint8], start: int, stop: int) -> int:
    """Return the bits of TAG and TAG_END; ``</s>`` and ``</w>``, which end sentences and words, are no tags."""
    found = 0
    for at in range(start, stop):
        byte, left = text[at], stop - at
        if byte == 60 and left > 1:  # <
            following = text[at + 1]
            if _is_letter(following):
                found |= 1 << TAG
            elif left > 2 and (following == 33 or following == 63):  # ! ?
                if _is_letter(text[at + 2]) or text[at + 2] == 45 or text[at + 2] == 91:  # - [
                    found |= 1 << TAG
            elif left > 2 and following == 47 and _is_letter(text[at + 2]):  # /
                ends_word = (text[at + 2] == 115 or text[at + 2] == 119) and left == 4 and text[at + 3] == 62
                if not ends_word:
                    found |= 1 << TAG | 1 << TAG_END
        elif byte == 62 and at > start:  # >
            before = text[at - 1]
            if before == 34 or before == 39:
                found |= 1 << TAG
            elif before == 47 and (at - 1 == start or _is_letter(text[at - 2]) or text[at - 2] == 34):
                found |= 1 << TAG | 1 << TAG_END
        elif byte == 61 and at > start and left > 1:  # =
            if _is_letter(text[at - 1]) and (text[at + 1] == 34 or text[at + 1] == 39):
                found |= 1 << TAG
        elif byte == 38:  # &
            end = at + 1 + (left > 1 and text[at + 1] == 35)  # #
            while end < stop and end < at + 10 and (_is_letter(text[end]) or 48 <= text[end] <= 57):
                end += 1
            if at + 2 < end < stop and text[end] == 59:  # ;
                found |= 1 << TAG
    return found


@jit(exact=True)
def _json_signs(text: NDArray[np.uint8], start: int, stop: int) -> int:
    """Return the bits of JSON, JSON_ROW and JSON_KEY; Python's own form, with apostrophes, counts too."""
    found = 0
    at = start
    while at < stop and (text[at] == 123 or text[at] == 91):  # { [
        at += 1
    if start < at < stop and (text[at] == 34 or text[at] == 39):
        found |= 1 << JSON | 1 << JSON_ROW
    for at in range(start + 1, stop):
        if text[at] == 58 and (text[at - 1] == 34 or text[at - 1] == 39):  # :
            found |= 1 << JSON
            if text[at - 1] == 34:
                found |= 1 << JSON_KEY
    last = stop - 1 - (text[stop - 1] == 44)  # ,
    if last >= start:
        quoted = last < stop - 1 and (text[start] == 34 or text[start] == 39) and text[last] == text[start]
        if quoted or text[last] == 125 or text[last] == 93:  # } ]
            found |= 1 << JSON
    return found


@jit(exact=True)
def word_signs(text: NDArray[np.uint8], start: int, stop: int) -> int:
    """Return what the word ``text[start:stop]`` shows, as bits."""
    seen = 0
    for at in range(start, stop):
        seen |= _BYTES[text[at]]
    found = 0
    if seen & _HIGH and not is_utf8(text, start, stop):
        found |= 1 << INVALID | 1 << PDF
    if seen & _SIGN:
        found |= _tag_signs(text, start, stop) | _json_signs(text, start, stop)
        if _begins(text, start, stop, _RTF_MARK):
            found |= 1 << RTF_HEAD
        if _begins(text, start, stop, _PDF_MARK):
            found |= 1 << PDF_HEAD
        for at in range(start, stop - 1):
            if text[at] == 92 and 97 <= text[at + 1] <= 122:  # backslash
                found |= 1 << RTF
        doubled = stop - start > 1 and text[start] == text[start + 1]
        if (doubled and (text[start] == 60 or text[start] == 62)) or (
            text[start] == 47 and stop - start > 1 and _is_letter(text[start + 1])
        ):
            found |= 1 << PDF
    return found


@jit(exact=True)
def tally_words(
    starts: NDArray[np.int64], letters: NDArray[np.uint8], counts: NDArray[np.int64], tally: NDArray[np.int64]
) -> None:
    """Add the occurrences of words to ``tally``, int64 ``(N_SIGNS,)``, for each sign that the word shows.

    The letters are followed by at least PADDING bytes, as in a `Run`.
    """
    for word in range(len(counts)):
        start, stop = starts[word], starts[word + 1]
        at = np.uint64(start)
        others = ~(bits_between(letters, at, 97, 122) | bits_between(letters, at, 65, 90))
        if stop - start < CHUNK and others << np.uint64(CHUNK - (stop - start)) == np.uint64(0):
            continue  # Most words are letters alone.
        found = word_signs(letters, start, stop)
        if found:
            for sign in range(N_SIGNS):
                if found >> sign & 1:
                    tally[sign] += counts[word]


def tally_of(runs: Iterable[Run]) -> NDArray[np.int64]:
    """Return how many tokens show each sign, int64 ``(N_SIGNS,)``."""
    tally = np.zeros(N_SIGNS, np.int64)
    for run in runs:
        tally_words(run.starts, run.letters, run.counts, tally)
    return tally


@jit(exact=True)
def _count_returns(text: NDArray[np.uint8]) -> int:
    """Count carriage returns that no newline follows; the last byte of the text does not count."""
    found = 0
    for at in range(len(text) - 1):
        found += (text[at] == 13) & (text[at + 1] != 10)
    return found


def lone_returns(text: NDArray[np.uint8], n_ends: int) -> int:
    """Return how many carriage returns in a block of text seem to be its line ends; ``n_ends`` sentences end in it.

    Nearly every block has newlines, and is not searched. A stray carriage return in a long line does not count.
    """
    if n_ends > 1 + len(text) // BYTES_PER_NEWLINE:
        return 0
    if _count_returns(text[: 10 * BYTES_PER_RETURN]) == 0:  # Lines that long have ten there.
        return 0
    found = int(_count_returns(text))
    return found if found * BYTES_PER_RETURN >= len(text) else 0


def doubts_of(tally: NDArray[np.int64], n_tokens: int, n_sentences: int, n_returns: int) -> tuple[str, ...]:
    """Return the doubts about a corpus, one sentence each.

    Args:
        tally: see `tally_of`.
        n_tokens: all tokens.
        n_sentences: all sentences.
        n_returns: carriage returns that seem to be line ends.
    """
    count = tally.tolist()

    def share(sign: int) -> str:
        percent = f"{100 * count[sign] / n_tokens:.1f} %" if count[sign] * 2000 >= n_tokens else "below 0.1 %"
        return f"{count[sign]:,} of all {counted(n_tokens, 'token')} ({percent})"

    found = []
    is_pdf = count[PDF_HEAD] and count[PDF] >= COMMAND_SHARE * n_tokens
    if is_pdf:
        found.append(
            f"the text looks like PDF: {share(PDF)} are its commands or bytes, and they are trained as words; "
            "extract the text first, as with pdftotext"
        )
    elif count[INVALID] and count[INVALID] >= INVALID_SHARE * n_tokens:
        found.append(
            f"the text is not UTF-8: {share(INVALID)} are invalid and are kept as bytes; convert the text first, as "
            "with iconv -f latin1 -t utf-8 if it is Latin-1"
        )
    if count[RTF_HEAD] and count[RTF] >= COMMAND_SHARE * n_tokens:
        found.append(
            f"the text looks like RTF: {share(RTF)} have its commands, and they are trained as words; convert it to "
            "plain text first, as with unrtf --text"
        )
    rows, keys = count[JSON_ROW], count[JSON_KEY]
    are_rows = rows >= max(2, ROWS_PER_LINE * n_sentences, n_tokens / 100_000)
    if are_rows or keys >= max(2, KEYS_PER_LINE * n_sentences, KEY_SHARE * n_tokens):
        found.append(
            f"the text looks like {'JSON lines' if are_rows else 'JSON'}: {share(JSON)} have its keys or signs, and "
            "they are trained as words; extract the text first, as with jq -r .text for a field of that name"
        )
    if not is_pdf and count[TAG_END] >= max(2, TAG_END_SHARE * n_tokens):
        found.append(
            f"the text looks like markup: {share(TAG)} have tags, as in HTML or XML, and they are trained as words; "
            "extract the text first, as with html2text, or with wikiextractor from a Wikipedia dump"
        )
    if n_returns:
        found.append(
            f"the lines seem to end with carriage returns, which end no sentence: {n_returns:,} of them separate "
            f"words, and the corpus has {counted(n_sentences, 'sentence')}; convert them first: tr '\\r' '\\n'"
        )
    return tuple(found)


def recorded_doubts(folder: Path, manifest: dict[str, Any]) -> tuple[str, ...]:
    """Return the doubts in the manifest of a prepared folder; a folder of an earlier version has none.

    Raises:
        FolderError: they are not a short list of short strings.
    """
    doubts: Any = manifest.get("doubts", [])
    if not isinstance(doubts, list) or len(doubts) > _MOST or not all(isinstance(text, str) for text in doubts):
        raise FolderError(f"the manifest of {folder} has no valid list of doubts: prepare again")
    return tuple(printable(text)[:_LONGEST] for text in doubts)
