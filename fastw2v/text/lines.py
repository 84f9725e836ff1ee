"""gensim's readers of text: sentences of files as lists of words, and the words of a document."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from os import PathLike, fspath
from typing import Any

from ..errors import CorpusError
from ..files.archives import opened, unpacked
from ..files.places import local_path

LONGEST = 10_000  # words of a sentence, gensim's default
_LETTERS = re.compile(r"[^\W\d]+")


def simple_preprocess(doc: str | bytes, deacc: bool = False, min_len: int = 2, max_len: int = 15) -> list[str]:
    """Return the words of a text in lower case: runs of letters and underscores, as gensim finds them.

    Args:
        doc: the text; bytes are UTF-8, whose errors are ignored.
        deacc: remove accents from letters.
        min_len: leave out shorter words.
        max_len: leave out longer words.
    """
    text = (doc if isinstance(doc, str) else str(doc, "utf-8", "ignore")).lower()
    if deacc:
        apart = unicodedata.normalize("NFD", text)
        text = unicodedata.normalize("NFC", "".join(c for c in apart if unicodedata.category(c) != "Mn"))
    return [word for word in _LETTERS.findall(text) if min_len <= len(word) <= max_len and not word.startswith("_")]


class LineSentence:
    """The sentences of a text file: one per line, words between white space. Compressed files are decompressed.

    `gensim.Word2Vec` reads the file itself, without Python objects for its words, unless there is a limit or the source
    is an open file.

    Args:
        source: path of the file, or an open file that can ``seek``.
        max_sentence_length: longer sentences are split.
        limit: read only this many lines.
    """

    def __init__(self, source: Any, max_sentence_length: int = LONGEST, limit: int | None = None) -> None:
        self.source, self.max_sentence_length, self.limit = source, max_sentence_length, limit

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the sentences.

        Raises:
            CorpusError: the file can't be read.
        """
        if hasattr(self.source, "seek"):
            self.source.seek(0)
            yield from self._sentences(self.source)
            return
        for path in self.paths():
            with _lines(path) as lines:
                yield from self._sentences(lines)

    def paths(self) -> list[str]:
        """Return the paths of the files."""
        return [fspath(self.source)]

    def whole_files(self) -> list[str] | None:
        """Return the paths of the files if all their words are asked for; None if iterating gives something else."""
        is_whole = self.limit is None and self.max_sentence_length == LONGEST and not hasattr(self.source, "seek")
        return self.paths() if is_whole else None

    def _sentences(self, lines: Iterable[str | bytes]) -> Iterator[list[str]]:
        for line in islice(lines, self.limit):
            words = _text_of(line).split()
            for start in range(0, len(words), self.max_sentence_length):
                yield words[start : start + self.max_sentence_length]


class PathLineSentences(LineSentence):
    """The sentences of all files in a folder, in the order of their names; see `LineSentence`.

    Args:
        source: path of the folder, whose subfolders are left out, or of a single file.
        max_sentence_length: longer sentences are split.
        limit: read only this many lines of each file.

    Raises:
        ValueError: there is no such path.
    """

    def __init__(self, source: Any, max_sentence_length: int = LONGEST, limit: int | None = None) -> None:
        super().__init__(local_path(source, CorpusError), max_sentence_length, limit)
        if os.path.isfile(self.source):
            self.input_files = [self.source]
        elif os.path.isdir(self.source):
            paths = (os.path.join(self.source, name) for name in os.listdir(self.source))
            self.input_files = sorted(path for path in paths if os.path.isfile(path))
        else:
            raise CorpusError(f"cannot read {self.source:.200}: there is no such file or folder")
        if not self.input_files:
            raise CorpusError(f"{self.source:.200} is a folder without files: name the text files")

    def paths(self) -> list[str]:
        """Return the paths of the files."""
        return self.input_files


class Text8Corpus(LineSentence):
    """The words of a file that is one long line, such as text8, cut into sentences; see `LineSentence`.

    Args:
        fname: path of the file.
        max_sentence_length: words of a sentence.
    """

    def __init__(self, fname: str | PathLike[str], max_sentence_length: int = LONGEST) -> None:
        super().__init__(fname, max_sentence_length)
        self.fname = fname

    def whole_files(self) -> list[str] | None:
        """Return the path, see `LineSentence.whole_files`; None if the file has several lines, which are no sentences.

        Raises:
            CorpusError: the file can't be read.
        """
        files = super().whole_files()
        if files is not None:
            with _lines(files[0]) as file:
                file.readline()
                if any(block.strip() for block in iter(lambda: file.read(1 << 16), b"")):
                    return None
        return files

    def _sentences(self, lines: Any) -> Iterator[list[str]]:
        words: list[str] = []
        rest = b""
        while block := lines.read(1 << 16):
            head, _, rest = (rest + block).rpartition(b" ")
            words += _text_of(head).split()
            while len(words) >= self.max_sentence_length:
                yield words[: self.max_sentence_length]
                words = words[self.max_sentence_length :]
        words += _text_of(rest).split()
        if words:
            yield words


def _text_of(line: str | bytes) -> str:
    return line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")


@contextmanager
def _lines(path: str) -> Iterator[BufferedReader]:
    with opened(local_path(path, CorpusError), CorpusError) as stream:
        yield BufferedReader(unpacked(stream, path, CorpusError))
