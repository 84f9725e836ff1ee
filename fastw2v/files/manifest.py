"""Manifests: the JSON file that describes a model folder or a prepared folder, read without trusting it."""

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import FolderError
from .staging import open_part

FORMAT_VERSION = 1
#: Versions that this program reads, where there are more. A model with subwords has version 2: a program that does not
#: know them would save the folder again without them, and resume its training without them.
VERSIONS = {"model": (1, 2)}
_DEPTH = 64  # greatest nesting of lists and objects


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(items)
    if len(value) != len(items):
        repeated = Counter(key for key, _ in items).most_common(1)[0][0]
        raise ValueError(f"the key {repeated!r:.60} occurs twice")
    return value


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=lambda name: None)


def parse_json(content: bytes) -> Any:
    """Return the value of JSON in UTF-8; NaN and infinite numbers, which JSON does not allow, become None.

    Raises:
        ValueError: the text is not JSON, an object has a key twice, or the nesting is deeper than `_DEPTH`.
    """
    try:
        value = _STRICT.decode(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > _DEPTH:
            raise ValueError("it is nested too deep")
        level = [item for outer in level for item in (outer.values() if isinstance(outer, dict) else outer)]
    return value


def write_digested(path: Path, blocks: Iterable[bytes | memoryview]) -> str:
    """Write a file block by block, and return its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "wb") as file:
        for block in blocks:
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def read_manifest(folder: Path, name: str, kind: str) -> dict[str, Any]:
    """Read a folder's manifest, a JSON object.

    Args:
        folder: the folder.
        name: the manifest's file name.
        kind: the expected kind of folder, "model" or "prepared".

    Raises:
        FolderError: there is no such folder or manifest, or the manifest is not a JSON object of this kind.
    """
    if not os.path.isdir(folder):
        problem = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise FolderError(f"{folder} {problem}: expected a {kind} folder")
    try:
        with open_part(folder / name) as file:
            manifest = parse_json(file.read())
    except FileNotFoundError:
        others = [other for other in ("model", "prepared", "phrases") if os.path.isfile(folder / f"{other}.json")]
        found = f" but {others[0]}.json: it is a {others[0]} folder" if others else ""
        train = "; train on it first" if (kind, others) == ("model", ["prepared"]) else ""
        raise FolderError(f"{folder} is not a {kind} folder: it has no {name}{found}{train}") from None
    except OSError as error:
        raise FolderError(f"cannot read {folder / name}: {error.strerror or error}") from None
    except ValueError as error:
        raise FolderError(f"{folder / name} is damaged: not JSON ({error})") from None
    if not isinstance(manifest, dict) or manifest.get("format") != f"fastw2v-{kind}":
        raise FolderError(f"{folder / name} is not the manifest of a fastw2v {kind} folder")
    versions = VERSIONS.get(kind, (FORMAT_VERSION,))
    if manifest.get("format_version") not in versions:
        raise FolderError(
            f"{folder / name} has format version {manifest.get('format_version')!r:.20}, "
            f"this program reads {' and '.join(map(str, versions))}: upgrade"
        )
    return manifest


def write_manifest(folder: Path, name: str, kind: str, record: dict[str, Any], version: int = FORMAT_VERSION) -> None:
    """Write a manifest for `read_manifest`: ``record``, preceded by the kind and version of the format."""
    manifest = {"format": f"fastw2v-{kind}", "format_version": version, **record}
    manifest["checksum"] = checksum(manifest)
    (folder / name).write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def checksum(manifest: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content, except its own ``checksum``."""
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest).encode()).hexdigest()
