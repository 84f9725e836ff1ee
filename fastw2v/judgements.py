"""Human judgements as they are published: files of word pairs with scores, and files of analogy questions.

Both readers take text in UTF-8 with any line ends, compressed (gzip, bzip2, xz, zstd) or not. A line that begins with
``#`` and a blank, or that is ``#`` alone, is a comment. A line that begins with a hashtag, such as ``#love``, is data
if it has the form of the file's other lines. Otherwise it is a comment, too.
"""

import csv
import io
import math
import os
import re
from collections.abc import Iterator
from os import PathLike, fspath
from typing import NamedTuple

from .errors import FormatError
from .files.archives import opened, unpacked
from .files.places import local_path

Line = tuple[int, str]
Question = tuple[str, ...]  # Three words, then the right answers.

LARGEST = 32 << 20  # Bytes of a file, decompressed; the published files are below 4 MB.
MOST_FIELDS = 10_000_000  # Words in all questions that the pairs of one file make.
BLANKS = " \t\r\n\v\f"  # Other white space, such as a no-break space, may be part of a word.
_BLANK_RUN = re.compile(f"[{BLANKS}]+")
_WORD_NAME = re.compile(r"(word|verb|noun|adjective|term|concept)[ _]?[12ab]", re.IGNORECASE)
_MEAN_NAME = re.compile(r"mean|average|avg", re.IGNORECASE)
_SCORE_NAME = re.compile(r"score|simil|simlex|human|rating|related|gold|judg|^sim\d*$", re.IGNORECASE)
_PART_OF_SPEECH = re.compile(r"(.+)-[nvj]")  # As in MEN: sun-n, feel-v, wet-j.
_TAG = re.compile(r"[A-Z$]+_[A-Z$]+")  # The relation of a question in the MSR set: JJ_JJR.
_PACKED = (".gz", ".bz2", ".xz", ".zst")
_TEXT = (".txt", ".tsv", ".tab")


class _Layout(NamedTuple):
    separator: str  # "" stands for runs of blanks.
    has_header: bool
    words: tuple[int, int]
    score: int
    width: int


def read_similarity(path: str | PathLike[str]) -> list[tuple[str, str, float]]:
    """Read word pairs and scores as published: SimLex-999, SimVerb-3500, WordSim-353, Rare Words, MEN, RG-65...

    Fields are separated by tabs, semicolons, commas or blanks; the first two lines decide. A first line without a
    number, or with a column named like "score" or "Human (mean)" above numbers, is a header. The words are the first
    two columns, or those that the header names such as "word1" and "word2". The score is the column that the header
    names; otherwise it is the first number outside the columns of words, which in Rare Words is the mean. The suffix of
    MEN, as in ``sun-n``, is removed if all words of the file have one.

    Returns:
        (word, word, score) as written, in order.

    Raises:
        FormatError: the file can't be read, has no pair, or has a malformed line, which the message names.
    """
    name = local_path(path, FormatError)
    lines = _lines(path)
    first = [line for line in lines if line[1][0] != "#"] or lines
    if not first:
        raise FormatError(f"{name} holds no word pair: give lines of two words and a score")
    table = _layout(name, first[:2])
    one, two = table.words
    expected = "two words and a number"
    if table.width > 3:
        expected = f"words in columns {one + 1} and {two + 1}, and a number in column {table.score + 1}"
    pairs = []
    for line in lines[lines.index(first[0]) + 1 :] if table.has_header else lines:
        fields = _fields(line[1], table.separator)
        # If blanks separate the fields, a word too many moves the others to wrong columns.
        fits = len(fields) == table.width or (table.separator and len(fields) > max(*table.words, table.score))
        number = _number(fields[table.score], table.separator) if fits else None
        if number is None or not fields[one] or not fields[two]:
            if line[1][0] == "#":
                continue
            raise _malformed(name, line, expected)
        if not math.isfinite(number):
            raise FormatError(f"{name} line {line[0]} is {line[1]!r:.80}, whose score is not finite: remove it")
        pairs.append((fields[one], fields[two], number))
    if not pairs:
        raise FormatError(f"{name} holds no word pair: give lines of two words and a score")
    if table.score > 2 and not table.has_header and all(_is_no_word(a) for a, _, _ in pairs):
        raise FormatError(
            f"{name}: column 1 holds only numbers or single letters, such as {pairs[0][0]!r:.60}, and no "
            "words: remove the column, or add a first line that names the columns, such as id, word1, word2, score"
        )
    if all(_PART_OF_SPEECH.fullmatch(word) for a, b, _ in pairs for word in (a, b)):
        pairs = [(a[:-2], b[:-2], number) for a, b, number in pairs]
    return pairs


def read_analogies(path: str | PathLike[str]) -> dict[str, list[Question]]:
    """Read analogy questions as published: Google's questions-words.txt, the MSR set, BATS.

    - Four words per line, in sections that begin with lines such as ``: capitals``. Lines before the first section, or
      all lines, form a section named like the file.
    - Four words and a tag such as ``JJ_JJR`` per line: tags are sections.
    - Three words per line of a file ``NAME.questions``: the fourth, with or without a tag, is in ``NAME.answers``.
    - Pairs ``word<tab>answer/answer/...``: every two lines, in both orders, make the question "first word is to its
      first answer as second word is to ...?". All answers of the second line are right.
    - A folder: the .txt, .tsv and .tab files in it and below (compressed or not), one section each.

    Returns:
        For each section its questions as written: three words, then at least one right answer.

    Raises:
        FormatError: a file can't be read, has no question, or has a malformed line, which the message names.
    """
    place = local_path(path, FormatError)
    sections: dict[str, list[Question]] = {}
    if not os.path.isdir(place):
        sections = _read_questions(place)
    for file, section in _files_below(place):
        for name, questions in _read_questions(file).items():
            own = name == section.rpartition("/")[2]
            sections.setdefault(section if own else f"{section}/{name}", []).extend(questions)
    if not any(sections.values()):
        raise FormatError(f"{fspath(path)} holds no analogy question: give lines of four words")
    return sections


def _lines(path: str | PathLike[str]) -> list[Line]:
    """Return the number and the stripped text of every line that is neither blank nor certainly a comment."""
    name = local_path(path, FormatError)
    with opened(name, FormatError) as stream:
        content = io.BufferedReader(unpacked(stream, name, FormatError)).read(LARGEST + 1)
    if len(content) > LARGEST:
        raise FormatError(
            f"{name} has more than {LARGEST >> 20} MB of text, too much for an evaluation file: give another file"
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError(f"{name} is UTF-16 text: convert it to UTF-8, as with iconv -f UTF-16 -t UTF-8")
    if b"\0" in content:
        raise FormatError(f"{name} is not text: unpack a zip or tar archive, and save a spreadsheet as csv")
    content = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = []
    for number, raw in enumerate(content.split(b"\n"), 1):
        try:
            text = raw.decode("utf-8").strip(BLANKS)
        except UnicodeDecodeError:
            raise FormatError(
                f"{name} line {number} is {raw!r:.60}, which is not UTF-8: convert the file, as with "
                "iconv -f LATIN1 -t UTF-8"
            ) from None
        if text and not (text[0] == "#" and text[1:2] in BLANKS):
            lines.append((number, text))
    return lines


def _malformed(name: str, line: Line, expected: str) -> FormatError:
    return FormatError(f"{name} line {line[0]} is {line[1]!r:.80}: expected {expected}")


def _fields(text: str, separator: str) -> list[str]:
    if not separator:
        return _BLANK_RUN.split(text)
    if '"' in text and separator != "\t":  # In tab-separated files a quotation mark is part of a word.
        try:
            return [field.strip(BLANKS) for field in next(csv.reader([text], delimiter=separator))]
        except csv.Error:  # A field is too long.
            return []
    return [field.strip(BLANKS) for field in text.split(separator)]


def _separates(separator: str, texts: list[str]) -> bool:
    """Return whether a separator gives two words and a number; a comma may also be part of a word."""
    rows = [_fields(text, separator) for text in texts]
    return len(rows[0]) >= 3 and any(_number(field, separator) is not None for row in rows for field in row[2:])


def _number(field: str, separator: str) -> float | None:
    try:
        return float(field.replace(",", ".") if separator == ";" else field)  # A decimal comma.
    except ValueError:
        return None


def _is_no_word(field: str) -> bool:
    return len(field) == 1 or _number(field, "") is not None


def _layout(name: str, lines: list[Line]) -> _Layout:
    """Find the columns of a file from its first two lines."""
    separator = next((s for s in "\t;," if _separates(s, [text for _, text in lines])), "")
    rows = [_fields(text, separator) for _, text in lines]
    has_header, words, score = _header(rows, separator)
    if has_header and len(rows) == 1:
        raise _malformed(name, lines[0], "a word pair with a number, here or below it")
    row = rows[has_header]
    if score is None:
        score = next((i for i, field in enumerate(row) if i > 1 and _number(field, separator) is not None), None)
    if score is None:
        raise _malformed(name, lines[has_header], "two words and a number")
    return _Layout(separator, has_header, words, score, len(row))


def _header(rows: list[list[str]], separator: str) -> tuple[bool, tuple[int, int], int | None]:
    """Return whether the first line is a header, the two columns of words, and the column of the score if known."""
    names, row = rows[0], rows[1] if len(rows) == 2 else []
    named = [i for i, name in enumerate(names) if _WORD_NAME.fullmatch(name)]
    words = (named[0], named[1]) if len(named) == 2 else (0, 1)
    scores = [i for pattern in (_MEAN_NAME, _SCORE_NAME) for i, name in enumerate(names) if pattern.search(name)]
    score = next((i for i in scores if i not in words), None)
    is_header = len(names) >= 3 and all(_number(name, separator) is None for name in names)
    if not is_header and score is not None and score < len(row):
        # Judges may be numbered, so that their columns look like data.
        is_header = _number(names[score], separator) is None and _number(row[score], separator) is not None
    if score is None:
        score = next((i for i, field in enumerate(row) if i not in words and _number(field, separator) is not None), 0)
    # If blanks separate the fields, a name with a blank, such as "Human (mean)", moves the names after it.
    if is_header and score not in words and (len(names) == len(row) or (separator and max(*words, score) < len(row))):
        return True, words, score
    return is_header, (0, 1), None


def _section_of(file: str) -> str:
    """Return a file's name without the endings of text and of archives."""
    name = os.path.basename(file)
    for endings in (_PACKED, (*_TEXT, ".csv", ".questions")):
        stem, ending = os.path.splitext(name)
        if stem and ending in endings:
            name = stem
    return name


def _files_below(folder: str) -> Iterator[tuple[str, str]]:
    """Yield each file of questions in a folder and the name of its section, in order of names."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in sorted(files):
            plain = os.path.splitext(file)[0] if file.endswith(_PACKED) else file
            if plain.endswith(_TEXT) and not file.startswith(".") and not file.lower().startswith("readme"):
                path = os.path.join(place, file)
                inside = os.path.relpath(place, folder).replace(os.sep, "/")
                yield path, _section_of(file) if inside == "." else f"{inside}/{_section_of(file)}"


def _read_questions(path: str | PathLike[str]) -> dict[str, list[Question]]:
    name = local_path(path, FormatError)
    lines = _lines(path)
    words = [line for line in lines if line[1][0] not in "#:"] or [line for line in lines if line[1][0] == "#"]
    if not words:
        return {}
    first = _BLANK_RUN.split(words[0][1])
    has_sections = any(text[0] == ":" for _, text in lines)
    if not has_sections and (len(first) == 2 or len(_pair(words[0][1])) == 2):
        return {_section_of(name): _from_pairs(name, lines)}
    if not has_sections and len(first) == 3 and ".questions" in os.path.basename(name):
        return _with_answers(name, lines)
    tags = [i for i, word in enumerate(first) if _TAG.fullmatch(word)]
    tag = tags[0] if len(first) == 5 and len(tags) == 1 and not has_sections else None
    sections: dict[str, list[Question]] = {}
    section = _section_of(name)
    for line in lines:
        if line[1][0] == ":":
            section = line[1][1:].strip(BLANKS)
            sections.setdefault(section, [])
            continue
        fields = _BLANK_RUN.split(line[1])
        if tag is not None and len(fields) == 5 and _TAG.fullmatch(fields[tag]):
            section = fields.pop(tag)
        elif len(fields) != 4 or tag is not None:
            if line[1][0] == "#":
                continue
            expected = "four words" if tag is None else f"four words and a tag such as {first[tag]}"
            raise _malformed(name, line, f"{expected}, found {len(fields)}")
        sections.setdefault(section, []).append(tuple(fields))
    return sections


def _pair(text: str) -> list[str]:
    """Return a word and its answers as two strings, if a tab separates them."""
    return [field for field in (part.strip(BLANKS) for part in text.split("\t")) if field] if "\t" in text else []


def _from_pairs(name: str, lines: list[Line]) -> list[Question]:
    pairs = []
    for line in lines:
        fields = _pair(line[1]) or _BLANK_RUN.split(line[1])
        if len(fields) != 2:
            if line[1][0] == "#":
                continue
            raise _malformed(name, line, f"a word, a tab and its answers, found {len(fields)} fields")
        answers = [answer.strip(BLANKS) for answer in fields[1].split("/" if "/" in fields[1] else ",")]
        pairs.append((fields[0], [answer for answer in answers if answer] or [fields[1]]))
    most = (len(pairs) - 1) * sum(3 + len(answers) for _, answers in pairs)
    if most > MOST_FIELDS:
        raise FormatError(
            f"{name} has {len(pairs):,} pairs, too many to make a question of every two: split it into several files"
        )
    return [(a[0], a[1][0], b[0], *b[1]) for a in pairs for b in pairs if a is not b]


def _with_answers(name: str, lines: list[Line]) -> dict[str, list[Question]]:
    other = os.path.join(os.path.dirname(name), os.path.basename(name).replace(".questions", ".answers"))
    answers = _lines(other)
    if len(answers) != len(lines):
        raise FormatError(
            f"{name} has {len(lines):,} questions, but {other} has {len(answers):,} answers: give one per question"
        )
    sections: dict[str, list[Question]] = {}
    for question, answer in zip(lines, answers, strict=True):
        words, end = _BLANK_RUN.split(question[1]), _BLANK_RUN.split(answer[1])
        if len(words) != 3:
            raise _malformed(name, question, f"three words, found {len(words)}")
        if len(end) > 2:
            raise _malformed(other, answer, f"a tag and a word, found {len(end)} words")
        section = end[0] if len(end) == 2 else _section_of(name)
        sections.setdefault(section, []).append((*words, end[-1]))
    return sections
