"""Fetch well-known corpora and convert them to text for ``fastw2v train``, one sentence or paragraph per line.

`download` downloads and checks the archive. Its members are read block by block and never unpacked under the names that
they carry. The text is put in its place when it is complete. Until then everything is in ``OUTPUT.partial``, from which
the next call resumes.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from fastw2v.errors import CorpusError
from fastw2v.screen import bar

from .download import download
from .strip_markup import paragraphs

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # On Windows, two runs at once are not noticed.
    fcntl = None

_BLOCK = 1 << 20


def as_it_is(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the text in blocks."""
    while block := stream.read(_BLOCK):
        yield block


def lower_case(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield whole lines in lower case."""
    while block := stream.read(_BLOCK):
        yield (block + stream.readline()).decode("utf-8", "replace").lower().encode()


def wikitext_prose(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield WikiText's paragraphs in lower case, without headings, blank lines and ``<unk>``."""
    for line in stream:
        words = [word for word in line.decode("utf-8", "replace").lower().split() if word != "<unk>"]
        if words and not words[0] == words[-1] == "=":
            yield " ".join(words).encode() + b"\n"


@dataclass(frozen=True)
class Source:
    """The source of a corpus and a description of it.

    Attributes:
        name: its name for ``fetch``.
        words: their number, as text.
        licence: licence of the text.
        use: its purpose.
        url: address of the archive, a zip or a tar.gz.
        size: size of the archive in bytes.
        sha256: SHA-256 of the archive; None if nobody has published it.
        members: pattern of the names of the members to read, in the archive's order.
        to_text: turns a member into pieces of text.
        member_sha256: SHA-256 of the only member, unpacked.
    """

    name: str
    words: str
    licence: str
    use: str
    url: str
    size: int | None
    sha256: str | None
    members: str
    to_text: Callable[[IO[bytes]], Iterator[bytes]]
    member_sha256: str | None = None


SOURCES = {
    source.name: source
    for source in (
        Source(
            name="text8",
            words="17,005,207",
            licence="GFDL (Wikipedia, 2006)",
            use="first results in a minute; the corpus that most published small runs share. One line",
            url="https://mattmahoney.net/dc/text8.zip",
            size=31_344_016,
            sha256="a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
            members="text8",
            to_text=as_it_is,
            member_sha256="6e890197040d37d85beb962ae1f041ff1d9a9ca8d20c7d99c85027eebf51dca7",
        ),
        Source(
            name="enwik9",
            words="124 million (by wikifil)",
            licence="GFDL (Wikipedia, 2006)",
            use="ten times text8 of the same kind, with paragraphs: quality and speed on real text",
            url="https://mattmahoney.net/dc/enwik9.zip",
            size=322_592_222,
            sha256=None,
            members="enwik9",
            to_text=paragraphs,
            member_sha256="159b85351e5f76e60cbe32e04c677847a9ecba3adc79addab6f4c6c7aa3744bc",
        ),
        Source(
            name="wikitext-103",
            words="103 million (its own count)",
            licence="CC BY-SA (Wikipedia)",
            use="good articles only, with punctuation; the training part",
            url="https://wikitext.smerity.com/wikitext-103-v1.zip",
            size=190_229_076,
            sha256="242ba0f20b329cfdf1ccc61e9e9e5b59becf189db7f7a81cd2a0e2fc31539590",
            members=r"wikitext-103/wiki\.train\.tokens",
            to_text=wikitext_prose,
        ),
        Source(
            name="1b",
            words="0.8 billion (its own count)",
            licence="news sites' copyright, for research (WMT 2011)",
            use="the 1-billion-word benchmark: shuffled sentences of news; large runs. The training part",
            url="https://www.statmt.org/lm-benchmark/1-billion-word-language-modeling-benchmark-r13output.tar.gz",
            size=1_792_209_805,
            sha256="01ba60381110baf7f189dfd2b8374de371e8c9a340835793f190bdae9e90a34e",
            members=r"[^/]+/training-monolingual\.tokenized\.shuffled/news\.en-\d+-of-\d+",
            to_text=lower_case,
        ),
    )
}


@dataclass(frozen=True)
class Fetched:
    """The result: the text's lines, words and bytes, and the archive's SHA-256."""

    lines: int
    words: int
    size: int
    sha256: str


def fetch(
    source: Source,
    output: Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    progress: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Fetched:
    """Download a corpus and write its text to ``output``, which must not exist.

    Args:
        source: one of `SOURCES`.
        output: the text file.
        url: another address of the archive.
        sha256: expected SHA-256 of the archive, in place of the source's; then the archive may have any size.
        progress: show bars.
        say: called with remarks for the user.

    Raises:
        CorpusError: see `download`; or ``output`` exists, can't be written or is being written; or the archive is
            damaged or lacks the expected members.
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise CorpusError(f"the SHA-256 {sha256!r:.80} is not 64 hexadecimal digits")
    if os.path.lexists(output):
        raise CorpusError(f"{output} exists: remove it, or name another file (-o)")
    size = source.size if sha256 is None else None
    with _unfinished(output) as folder:
        archive, text = folder / "archive", folder / "text"
        digest = download(
            url or source.url,
            archive,
            size=size,
            sha256=sha256 or source.sha256,
            progress=progress,
            say=say,
        )
        try:
            with _archive_errors(url or source.url):
                lines, words = _unpack(source, archive, text, progress)
        except CorpusError:
            archive.unlink()
            raise
        fetched = Fetched(lines, words, text.stat().st_size, digest)
        os.replace(text, output)
        archive.unlink()
    return fetched


@contextmanager
def _unfinished(output: Path) -> Iterator[Path]:
    """Yield the folder beside ``output`` for unfinished files; keep it if it holds a download to resume."""
    folder = output.with_name(output.name + ".partial")
    lock = None
    try:
        folder.mkdir(exist_ok=True)
        if fcntl is not None:
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CorpusError(f"{output} is being fetched by another run: wait for it") from None
        try:
            yield folder
        finally:
            (folder / "text").unlink(missing_ok=True)
            if not any((folder / name).exists() for name in ("archive", "archive.part")):
                shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise CorpusError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        if lock is not None:
            os.close(lock)


@contextmanager
def _archive_errors(url: str) -> Iterator[None]:
    """Turn the exceptions of the archive modules into one error."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        NotImplementedError,  # an unknown method of compression
        RuntimeError,  # a password
    ) as error:
        raise CorpusError(f"the archive {url} is damaged ({error}): it was removed; run again") from error


def _members(raw: IO[bytes], pattern: str) -> Iterator[IO[bytes]]:
    """Yield the files of an archive whose whole name matches, one by one, and check the archive's checksums."""
    wanted = re.compile(pattern)
    magic = raw.read(4)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        with gzip.GzipFile(fileobj=raw) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
            for entry in tar:
                if entry.isreg() and wanted.fullmatch(entry.name) and (member := tar.extractfile(entry)):
                    yield member
            while unzipped.read(_BLOCK):  # Read to the end, where the checksum is.
                pass
    elif magic == b"PK\x03\x04":
        with zipfile.ZipFile(raw) as archive:
            for name in archive.namelist():
                if wanted.fullmatch(name):
                    with archive.open(name) as member:
                        yield member
    else:
        raise zipfile.BadZipFile("neither a zip nor a gzip file")


class _Hashed(io.RawIOBase):
    """A stream that hashes the bytes it reads."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        self.sha256.update(block)
        return len(block)


def _unpack(source: Source, archive: Path, text: Path, progress: bool) -> tuple[int, int]:
    """Write the text of all members; return how many lines and words it has."""
    lines = words = members = 0
    last = b"\n"
    with (
        open(archive, "rb") as raw,
        open(text, "wb") as file,
        bar(archive.stat().st_size, "B", "text", progress) as shown,
    ):
        for member in _members(raw, source.members):
            members += 1
            hashed = _Hashed(member)
            for piece in source.to_text(io.BufferedReader(hashed, _BLOCK)):
                file.write(piece)
                lines += piece.count(b"\n")
                words += len(piece.split()) - (not last.isspace() and not piece[:1].isspace())
                last = piece[-1:]
                shown.update(raw.tell() - shown.n)
            if source.member_sha256 not in (None, digest := hashed.sha256.hexdigest()):
                raise CorpusError(
                    f"{source.name} unpacked has SHA-256 {digest}, expected {source.member_sha256}: "
                    "the archive was removed; run again"
                )
            if last != b"\n":
                file.write(b"\n")
                lines += 1
                last = b"\n"
        if not members:
            raise CorpusError(f"the archive of {source.name} holds no file {source.members}: it was removed")
        if not words:
            raise CorpusError(f"the archive of {source.name} holds no text: it was removed")
        file.flush()
        os.fsync(file.fileno())
    return lines, words


def default_output(name: str, path: Path | None) -> Path:
    """Return the file to write: ``NAME.txt`` here or in the folder ``path``, or the file ``path``."""
    if path is None:
        return Path(f"{name}.txt")
    with suppress(OSError):
        if path.is_dir():
            return path / f"{name}.txt"
    return path
