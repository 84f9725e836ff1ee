"""Files of edges: a line has two names of nodes and, if the edges are weighted, a number.

The first line of edges decides what separates the columns: a tab, else a comma, else spaces. Lines at the top that
begin with # or % are comments. A name is any text without the separator; with commas, quotes around a name are those
of CSV. A header line is recognised and skipped.
"""

import csv
from collections.abc import Iterator
from math import isfinite
from os import PathLike, fspath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, doubt, worded
from ..files.places import local_path
from ..screen import counted, printable, say
from ..text.inputs import TextInput, open_text

BLOCK_BYTES, LINE_BYTES = 1 << 20, 1 << 20
_TITLES = {
    ("source", "target"), ("src", "dst"), ("from", "to"), ("fromnodeid", "tonodeid"), ("node1", "node2"),
    ("node_1", "node_2"), ("id1", "id2"), ("id_1", "id_2"), ("head", "tail"), ("start", "end"),
}  # fmt: skip
_ENDS = [[end] for _, end in _TITLES]
_NO_WEIGHTS = np.empty(0, np.float64)


class Edges(NamedTuple):
    """Edges as a graph lists them.

    Attributes:
        names: the name of each node.
        source: int64 ``(n,)``, the node where each edge begins.
        target: int64 ``(n,)``, the node where it ends.
        weights: float64 ``(n,)``, finite and none negative; None if the edges have none.
    """

    names: list[str]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    weights: NDArray[np.float64] | None


class _Numbers(dict[bytes, int]):
    """Numbers of names in the order in which they are first looked up."""

    def __missing__(self, name: bytes) -> int:
        number = self[name] = len(self)
        return number


def _blocks(text: TextInput) -> Iterator[tuple[int, bytes]]:
    """Yield a text in blocks of whole lines, each with the number of lines before it."""
    before, left = 0, b""
    into = np.empty(BLOCK_BYTES, np.uint8)
    while filled := text.read(into):
        block = left + into[:filled].tobytes()
        stop = block.rfind(b"\n") + 1
        block, left = block[:stop], block[stop:]
        if len(left) > LINE_BYTES:
            raise CorpusError(f"{text.name} has a line longer than {LINE_BYTES >> 20} MB: is it a file of edges?")
        if block:
            yield before, block
        before += block.count(b"\n")
    if left:
        yield before, left + b"\n"


def _shown(field: bytes) -> str:
    return f"{printable(field.decode('utf-8', 'replace'))!r:.60}"


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


class _Columns:
    """The columns of a file, as its first line shows them; the line below shows whether that one is a header."""

    def __init__(self, name: str, line: bytes, below: bytes, number: int, weighted: bool) -> None:
        self._name = name
        self._separator = b"\t" if b"\t" in line else b"," if b"," in line else None
        first = self.split(line)
        self._count, self._first = len(first), number
        self.weighted = weighted and self._count == 3
        titles = [field.lower().decode("ascii", "replace") for field in first]
        second = self.split(below)
        has_numbers = self._count == len(second) == 3 and _is_number(second[2])
        self.titles = tuple(titles[:2]) in _TITLES or (has_numbers and not _is_number(first[2]))
        if self._count not in (2, 3):
            raise self._unfit(number, first)
        is_late = tuple(titles[1:]) in _TITLES or (self.titles and (not first[0] or titles[2:] in _ENDS))
        if self._count == 3 and is_late:
            # As pandas and R write a table with the numbers of its rows: they are not nodes.
            shown = " and ".join(map(_shown, first[:2]))
            raise CorpusError(
                f"line {number} of {name} is a header with {shown} over what would be the two names: put the names of "
                "the nodes into the first two columns; with pandas, write to_csv(path, index=False)"
            )

    def split(self, line: bytes) -> list[bytes]:
        """Return the columns of a line."""
        if self._separator is None:
            return line.split()
        if self._separator == b"," and b'"' in line:
            text = line.decode("utf-8", "surrogateescape")
            try:
                fields = next(csv.reader([text], skipinitialspace=True, strict=True))
            except csv.Error:  # These quotes are not those of CSV, so they belong to names.
                fields = text.split(",")
            return [field.strip().encode("utf-8", "surrogateescape") for field in fields]
        return [field.strip() for field in line.split(self._separator)]

    def _unfit(self, number: int, fields: list[bytes]) -> CorpusError:
        count, where = len(fields), f"line {number} of {self._name}"
        if count not in (2, 3) or number == self._first:
            return CorpusError(
                f"{where} has {count} column{'s' * (count != 1)}: an edge is two names and, if it has one, a weight, "
                "separated by tabs, commas or spaces"
            )
        return CorpusError(f"{where} has {count} columns, but line {self._first} has {self._count}: make them equal")

    def parse(self, block: bytes, before: int) -> tuple[list[bytes], NDArray[np.float64]]:
        """Return the two names of each line that is not blank, end to end, and the weights, if any."""
        names = self._regular(block)
        if names is None:
            rows = [self.split(line) for line in block.split(b"\n") if line and not line.isspace()]
            fits = set(map(len, rows)) <= {self._count} and all(fields[0] and fields[1] for fields in rows)
            names = [field for fields in rows for field in fields] if fits else None
        if names is not None:
            third = names[2 :: self._count] if self._count == 3 else []
            if self._count == 3:
                del names[2::3]
            if not self.weighted:
                return names, _NO_WEIGHTS
            try:
                weights = np.array(list(map(float, third)), np.float64)
                if bool(np.all((weights >= 0) & (weights < np.inf))):
                    return names, weights
            except ValueError:
                pass
        for number, line in enumerate(block.split(b"\n"), before + 1):
            if line and not line.isspace():
                self._check(number, self.split(line))
        raise AssertionError("no line is unfit")

    def _regular(self, block: bytes) -> list[bytes] | None:
        """Return the columns of all lines end to end, if all white space is single separators and line ends.

        That takes a third of the time of splitting each line.
        """
        if self._separator == b"," and b'"' in block:
            return None
        data = np.frombuffer(block, np.uint8)
        separator = 32 if self._separator is None else self._separator[0]
        places = np.flatnonzero((data <= 32) | (data == separator))
        if len(places) % self._count or places[0] == 0 or np.any(np.diff(places) == 1):
            return None
        ends = np.array([*[separator] * (self._count - 1), 10], np.uint8)
        if np.any(data[places].reshape(-1, self._count) != ends):
            return None
        return (block.replace(b",", b" ") if self._separator == b"," else block).split()

    def _check(self, number: int, fields: list[bytes]) -> None:
        if len(fields) != self._count:
            raise self._unfit(number, fields)
        if not (fields[0] and fields[1]):
            raise CorpusError(f"line {number} of {self._name} has an empty name: an edge is two names")
        if not self.weighted:
            return
        weight = f"line {number} of {self._name} has the weight {_shown(fields[2])}"
        if not _is_number(fields[2]):
            if fields[2].startswith(b"{"):
                raise CorpusError(f"{weight}, a dict: write the edges with networkx.write_weighted_edgelist")
            raise CorpusError(f"{weight}, not a number: correct it, or give {worded('weighted=False', '--unweighted')}")
        if not (isfinite(float(fields[2])) and float(fields[2]) >= 0):
            raise CorpusError(f"{weight}: a weight must be finite and at least 0")


def _without_top(before: int, block: bytes) -> tuple[int, int, bytes]:
    """Return a block without the comments and blank lines at its top; before it, how many lines and comments stand."""
    start = n_comments = 0
    while start < len(block):
        end = block.index(b"\n", start)
        is_comment = block[start : start + 1] in (b"#", b"%")
        if not is_comment and block[start:end].strip():
            break
        before, start, n_comments = before + 1, end + 1, n_comments + is_comment
    return before, n_comments, block[start:]


def read_edges(path: str | PathLike[str], weighted: bool, progress: bool) -> Edges:
    """Read a file of edges, compressed or not (see `archives`), or standard input (``-``).

    Args:
        path: of the file.
        weighted: whether a third column counts as weights.
        progress: report a header line.

    Raises:
        CorpusError: the file can't be read, a line is not an edge, or there is no edge.
    """
    name = fspath(path)
    numbers = _Numbers()
    ids: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.float64]] = []
    columns: _Columns | None = None
    n_top = 0
    with open_text(name if name == "-" else local_path(path, CorpusError)) as text:
        for before, block in _blocks(text):
            if before == 0 and block.startswith(b"%%MatrixMarket"):
                raise CorpusError(f"{text.name} is a Matrix Market file: give the result of scipy.io.mmread")
            if columns is None:
                before, n_comments, block = _without_top(before, block)
                n_top += n_comments
                if not block:
                    continue
                if n_top:
                    say(progress, f"{text.name}: {counted(n_top, 'comment')} at the top skipped")
                line, _, rest = block.partition(b"\n")
                columns = _Columns(text.name, line, rest.partition(b"\n")[0], before + 1, weighted)
                if columns.titles:
                    say(progress, f"{text.name}: line {before + 1} is a header and is skipped")
                    before, block = before + 1, rest
            if block:
                flat, of_block = columns.parse(block, before)
                ids.append(np.fromiter(map(numbers.__getitem__, flat), np.int64, len(flat)))
                weights.append(of_block)
    pairs = np.concatenate(ids).reshape(-1, 2) if ids else np.empty((0, 2), np.int64)
    names = [field.decode("utf-8", "surrogateescape") for field in numbers]
    has_weights = columns is not None and columns.weighted
    joined = np.concatenate(weights) if has_weights else None
    if _begins_with_titles(names, pairs):
        say(progress, f"{text.name}: all names but {printable(names[0])!r:.60} and {printable(names[1])!r:.60} of the "
            "first line are numbers: it is a header and is skipped")  # fmt: skip
        names, pairs, joined = names[2:], pairs[1:] - 2, None if joined is None else joined[1:]
    for mark in sorted({"#", "%"}.intersection(names)):
        doubt(
            f"{text.name} has a node with the name '{mark}': comments are skipped at the top only, so move all of them "
            "there"
        )
    if len(pairs) == 0:
        raise CorpusError(f"{text.name} has no edge: a line is two names of nodes")
    return Edges(names, pairs[:, 0], pairs[:, 1], joined)


def _begins_with_titles(names: list[str], pairs: NDArray[np.int64]) -> bool:
    """Return whether the first line has two names that occur nowhere else, and all others are whole numbers."""
    if len(names) < 3 or any(name.lstrip("-").isdigit() for name in names[:2]) or pairs[1:].min() < 2:
        return False
    return pairs[0, 0] != pairs[0, 1] and all(name.lstrip("-").isdigit() for name in names[2:])
