"""Turn Wikipedia's XML into plain words: lower-case a-z, one paragraph per line, digits spelled out one by one.

The result resembles text8, which Mahoney's wikifil made from the same encyclopedia, but the rules are our own. They
keep the prose that a reader sees: paragraphs, headings, list items, the labels of links, the captions of pictures. They
drop redirects, templates, tables, references, formulas, comments, tags, addresses, categories and links to other
languages. They remove accents ("café" becomes "cafe"). Any other character that is not a letter or digit separates
words. wikifil writes everything on one line; here a line is a paragraph, heading or list item.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator

# Every pattern is for text in lower case, and none can look at a character more than a few times: an article may be
# megabytes long and badly malformed.
_REDIRECT = re.compile(r"\s*#\s*redirect")
_EMPTY_ELEMENT = re.compile(r"<[a-z][^<>]*/>")
_NO_PROSE = re.compile(r"<(ref|math|timeline|gallery|hiero|code|pre|source)\b[^<>]*>")
_TAG = re.compile(r"</?[a-z][^<>]*>")
_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_TABLE = re.compile(r"\{\|[^{}]*\|\}")
_TABLE_LINE = re.compile(r"^[ :]*+(?:\{\||\||!).*$", re.MULTILINE)
_LINK = re.compile(r"\[\[([^\[\]]*)\]\]")
_ADDRESS = re.compile(r"\[(?:https?|ftp|news|mailto):[^\s\[\]]*+([^\[\]\n]*+)\]")
_BARE_ADDRESS = re.compile(r"(?:https?|ftp)://\S+")
_PICTURE = re.compile(r"\s*(?:image|file|media)\s*:")
_LAYOUT = re.compile(r"\s*(?:thumb(?:nail)?|frame(?:d)?|border|left|right|cent(?:er|re)|none|[\dx]*\s*px)\s*")
_ELSEWHERE = re.compile(
    r"\s*(?:[a-z]{2,3}(?:-[a-z-]+)?|simple|category|template|wikipedia|wiktionary|portal|user|help|special|talk)\s*:"
)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_DEPTH = 10  # nesting of templates, tables and links

_SPELLED = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i", "ħ": "h"}
_NO_ACCENT = re.compile("[" + "".join(_SPELLED) + "]")  # letters that do not decompose into a-z and an accent
_KEPT = bytes(c if chr(c) in "abcdefghijklmnopqrstuvwxyz0123456789\n" else 32 for c in range(256))
_DIGITS = [
    (b"%d" % digit, b" %s " % name.encode())
    for digit, name in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
]


def _label(link: re.Match[str]) -> str:
    """Return the visible text of a link that contains no other link."""
    inside = link[1]
    if "|" not in inside and ":" not in inside:
        return inside
    target, *parts = inside.split("|")
    if _PICTURE.match(target):
        return f" {parts[-1]} " if parts and not _LAYOUT.fullmatch(parts[-1]) else " "
    if parts:
        return parts[-1]
    return "" if _ELSEWHERE.match(target) else target


def _cut(text: str, openings: Iterable[tuple[int, int, str]]) -> str:
    """Return the text without the passages from each opening, (start, end, its closing), to the next closing."""
    kept, at = [], 0
    never: set[str] = set()  # closings that do not occur any more
    for start, end, closing in openings:
        if start < at or closing in never:
            continue
        close = text.find(closing, end)
        if close < 0:
            never.add(closing)
            continue
        kept.append(text[at:start])
        at = text.find(">", close) + 1 or len(text)
    return " ".join([*kept, text[at:]])


def _inside_out(pattern: re.Pattern[str], text: str) -> str:
    for _ in range(_DEPTH):
        text, changed = pattern.subn(" ", text)
        if not changed:
            break
    return text


def words_only(text: str) -> list[bytes]:
    """Return the non-empty lines of a lower-case plain text, each as a-z words one space apart."""
    if not text.isascii():
        text = _NO_ACCENT.sub(lambda letter: _SPELLED[letter[0]], text)
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    plain = text.encode("ascii", "replace").translate(_KEPT)
    for digit, name in _DIGITS:
        plain = plain.replace(digit, name)
    return [b" ".join(words) for line in plain.split(b"\n") if (words := line.split())]


def strip_markup(source: str) -> list[bytes]:
    """Return an article's paragraphs, each as a-z words one space apart.

    Args:
        source: the article as in the XML, with its characters escaped.
    """
    text = html.unescape(source).lower()
    if _REDIRECT.match(text):
        return []
    if "<" in text:
        text = _cut(text, ((m.start(), m.end(), "-->") for m in re.finditer("<!--", text)))
        text = _EMPTY_ELEMENT.sub(" ", text)
        text = _cut(text, ((m.start(), m.end(), f"</{m[1]}") for m in _NO_PROSE.finditer(text)))
        text = _TAG.sub(" ", text)
    if "{" in text:
        text = _inside_out(_TEMPLATE, text)
        text = _inside_out(_TABLE, text)
    text = _TABLE_LINE.sub("", text)
    for _ in range(_DEPTH):
        text, changed = _LINK.subn(_label, text)
        if not changed:
            break
    text = _ADDRESS.sub(r"\1", text)
    text = _BARE_ADDRESS.sub(" ", text)
    return words_only(html.unescape(text) if "&" in text else text)


def articles(lines: Iterable[bytes]) -> Iterator[str]:
    """Yield the contents of every ``<text>`` of a dump, one at a time, even of a last one that is cut off."""
    inside: list[bytes] | None = None
    for line in lines:
        if inside is None:
            at = line.find(b"<text")
            start = line.find(b">", at) + 1
            if at < 0 or start == 0 or line[start - 2 : start] == b"/>":
                continue
            line = line[start:]
            inside = []
        end = line.find(b"</text>")
        if end < 0:
            inside.append(line)
        else:
            inside.append(line[:end])
            yield b"".join(inside).decode("utf-8", "replace")
            inside = None
    if inside:
        yield b"".join(inside).decode("utf-8", "replace")


def paragraphs(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text of every non-empty article of a dump, as lines with newlines; hold one article in memory."""
    for article in articles(lines):
        if text := strip_markup(article):
            yield b"\n".join(text) + b"\n"
