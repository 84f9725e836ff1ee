"""Recognise files that are not files of vectors, and name the remedy."""

import re

from ..errors import FormatError
from ..files.archives import archive_kind

_EXPORT = "open it with the program that wrote it, and save the vectors in word2vec format"
#: First bytes of files that hold no vectors, or none that can be read here: what they are, and the remedy.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file: fetch the file (git lfs pull)"),
    (b"\x93NUMPY", "a NumPy array without words: pair it with its words (Embeddings.from_vectors)"),
    (b"\x89HDF", f"an HDF5 file: {_EXPORT}"),
    (b"SQLite format 3\0", f"an SQLite database: {_EXPORT}"),
    (b"PAR1", "a Parquet file: pair its columns (Embeddings.from_vectors)"),
    (b"%PDF", "a PDF: give the vectors as text"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a rar archive: unpack it"),
    (b"\xff\xfe", "text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it as UTF-8"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]|ccopy_reg\n|c__builtin__\n")
_SAFETENSORS = re.compile(rb".{5}\0\0\0\{\s*\"", re.DOTALL)
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_XML = re.compile(rb"\s*<(?:\?xml|!doctype|!--|svg\b|rss\b|error>)", re.IGNORECASE)
_FLORET = re.compile(rb"[0-9]+(?: [0-9]+){3} [1-4] [0-9]+ < >\s*(?:\n|\Z)")
_JSON = re.compile(rb"\s*(?:\{\s*\"[^\"\n]*\"\s*:|\{\s*\}|\[\s*[\[{\"])")
_DECIMAL_COMMAS = re.compile(rb"[ \t][+-]?[0-9]+,[0-9]+[ \t\r]*\Z")
_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257


def is_fasttext(head: bytes) -> bool:
    """Return whether these are the first bytes of a fastText model; see `fasttext`."""
    return head.startswith(b"\xba\x16\x4f\x2f")


def refuse_other_kinds(name: str, head: bytes) -> None:
    """Raise `FormatError`, which names the kind of the file, if its first bytes are those of another kind."""
    if not head:
        raise FormatError(f"{name} is empty: copy or download it again")
    if kind := archive_kind(head):
        raise FormatError(f"{name} is compressed twice, with {kind} inside: decompress it once")
    what = next((what for magic, what in _MAGIC if head.startswith(magic)), None)
    if what is None and _PICKLE.match(head):
        what = "a pickle, such as gensim's save() writes, and a pickle can run code: load it with gensim's "
        what += "KeyedVectors.load, then call save_word2vec_format or Embeddings.from_vectors"
    if what is None and _SAFETENSORS.match(head):
        what = "a safetensors file without words: pair it with its words (Embeddings.from_vectors)"
    if what is None and head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        what = "a tar archive: unpack it and give the file inside"
    if what is None and _HTML.match(head):
        what = "a web page (HTML), perhaps an error in place of a download: download the file itself"
    if what is None and _XML.match(head):
        what = "XML, perhaps an error in place of a download: download the file itself"
    if what is None and _FLORET.match(head):
        what = "a floret table, whose rows belong to hashes and not to words: load the model folder that it was made "
        what += "from, or give it to spaCy (spacy init vectors with --mode floret)"
    if what is not None:
        raise FormatError(f"{name} is {what}")


def other_text(head: bytes) -> str:
    """Return what text without vectors looks like, and the remedy, to follow a colon."""
    if _JSON.match(head):
        return "it looks like JSON; give lines of a word and its numbers"
    line = head.split(b"\n", 1)[0]
    if b"\0" in head:
        return "it looks like binary data of another program; give lines of a word and its numbers"
    if _DECIMAL_COMMAS.search(line):
        return "its numbers have decimal commas; write points"
    if line.count(b",") + line.count(b";") > 1:
        return "it looks like CSV; separate the columns by spaces"
    return "it does not look like vectors, which are lines of a word and its numbers"
