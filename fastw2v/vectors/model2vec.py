"""A folder that model2vec and sentence-transformers open, to turn a text into the mean of its words' vectors.

``model.safetensors`` holds the vectors: 8 bytes with the length of a JSON header, the header, and the numbers as
little-endian float32. ``tokenizer.json`` describes a tokenizer of the library tokenizers. ``config.json`` is for
model2vec, ``modules.json`` for sentence-transformers.

Words that are not in the vocabulary must not change the mean. A word-level tokenizer can't do that: it needs a token
for unknown words. model2vec leaves this token out, but sentence-transformers counts it in the mean. So the tokenizer is
a BPE model without any merge and without a token for unknown words. It looks up a whole word (``ignore_merges``). If
that fails, it looks up the characters one by one, and drops those that it does not find. It must find none of them. So
a word of one character is stored with a line break after it (``end_of_word_suffix``), and a character inside a word is
looked up with a line break before it (``continuing_subword_prefix``). No word holds a line break, so no other entry
has such a name.

Text is split at ASCII white space, as in training.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import FolderError
from ..files.arrays import WRITE_BYTES
from ..files.manifest import parse_json, write_digested
from ..files.staging import open_part, staged, write_errors

MANIFEST = "config.json"
WORDS_AT_ONCE = 1 << 16
_MARK = "\n"  # See above.
_WRITTEN_BY = "written_by"
_TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {
        "type": "Split",
        "pattern": {"Regex": r"[ \t\n\r\x0B\f]+"},
        "behavior": "Removed",
        "invert": False,
    },
    "post_processor": None,
    "decoder": None,
}
_MODEL: dict[str, Any] = {
    "type": "BPE",
    "dropout": None,
    "unk_token": None,
    "continuing_subword_prefix": _MARK,
    "end_of_word_suffix": _MARK,
    "fuse_unk": False,
    "byte_fallback": False,
    "ignore_merges": True,
    "merges": [],
}
_MODULES = [{"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}]


def is_ours(folder: str) -> bool:
    """Return whether `write` has made this folder."""
    try:
        with open_part(Path(folder) / MANIFEST) as file:
            config = parse_json(file.read())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and str(config.get(_WRITTEN_BY)).startswith("fastw2v ")


def write(folder: str, words: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Write the folder as a whole or not at all; one that this function has made before is replaced.

    Args:
        folder: the folder.
        words: all valid UTF-8.
        vectors: float32 ``(n_words, vector_size)``.

    Raises:
        FolderError: the folder holds something else, or can't be written.
    """
    path = Path(folder)
    if (path / MANIFEST).exists() and not is_ours(folder):
        raise FolderError(f"{folder} is not a model2vec folder that fastw2v has written: choose another, or empty it")
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": int(vectors.shape[1]),
        "embedding_dtype": "float32",
        "normalize": False,
        "max_length": None,
        _WRITTEN_BY: f"fastw2v {__version__}",
    }
    with staged(path, MANIFEST, "model2vec") as place, write_errors(place):
        write_digested(place / "model.safetensors", _safetensors(vectors))
        write_digested(place / "tokenizer.json", _tokenizer(words))
        write_digested(place / "modules.json", [json.dumps(_MODULES, indent=2).encode()])
        write_digested(place / MANIFEST, [json.dumps(config, indent=2).encode()])


def _safetensors(vectors: NDArray[np.float32]) -> Iterator[bytes]:
    entry = {"dtype": "F32", "shape": list(vectors.shape), "data_offsets": [0, 4 * vectors.size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "embeddings": entry}).encode()
    header += b" " * (-len(header) % 8)  # The numbers start at a multiple of 8.
    yield len(header).to_bytes(8, "little") + header
    rows = max(1, WRITE_BYTES // (4 * vectors.shape[1]))
    for start in range(0, len(vectors), rows):
        yield np.ascontiguousarray(vectors[start : start + rows], "<f4").tobytes()


def _tokenizer(words: Sequence[str]) -> Iterator[bytes]:
    """Yield the tokenizer's JSON, in which the id of a word is its row."""
    yield json.dumps(_TOKENIZER)[:-1].encode() + b', "model": ' + json.dumps(_MODEL)[:-1].encode() + b', "vocab": {'
    rest, start = iter(words), 0
    while block := list(islice(rest, WORDS_AT_ONCE)):
        ids = {word if len(word) > 1 else word + _MARK: start + k for k, word in enumerate(block)}
        yield b", " * (start > 0) + json.dumps(ids)[1:-1].encode()
        start += len(block)
    yield b"}}}"
