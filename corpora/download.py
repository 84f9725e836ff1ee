"""Download a large file over HTTP, resume after a cut, check it, and put only a complete file in its place.

``NAME.part`` holds the bytes received so far. ``NAME.json`` identifies the file they belong to by its address, length,
and the server's ETag or date. A resumed download requests the rest of that same file (``Range`` with ``If-Range``). If
the server has a different file now, or can't send parts, the download restarts.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from fastw2v.errors import CorpusError
from fastw2v.screen import bar

TIMEOUT = 60.0  # seconds without a byte
ATTEMPTS = 4  # attempts in a row that bring nothing new
PAUSE = 1.0  # seconds before the second attempt; doubled for each further one
_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _CutError(Exception):
    """An attempt ended early for a reason that may pass."""


class _NoSuchPartError(_CutError):
    """The server has nothing after the bytes received so far."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    progress: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Download ``url`` to ``path`` and return its SHA-256; resume where an earlier call was cut off.

    Args:
        url: http or https.
        path: the file to write; it appears only when it is complete and checked. Until then ``.part`` and ``.json`` are
            beside it.
        size: expected number of bytes.
        sha256: expected SHA-256, in hexadecimal.
        progress: show a bar.
        say: called with remarks for the user.

    Raises:
        CorpusError: the address is wrong; the file has the wrong size or SHA-256 (then it is removed); or the download
            did not finish (then the received bytes are kept for the next call).
        OSError: the file can't be written.
    """
    if not re.match(r"https?://[^/]", url):
        raise CorpusError(f"the address {url!r:.200} is not an HTTP address: expected http://... or https://...")
    part, state = path.with_name(path.name + ".part"), path.with_name(path.name + ".json")
    if not path.exists():
        _get_all(url, part, state, size, progress, say)
    arrived = path if path.exists() else part
    try:
        if size is not None and (has := arrived.stat().st_size) != size:
            raise _wrong_size(url, has, size)
        digest = sha256_of(arrived)
        if sha256 is not None and digest != sha256.lower():
            raise CorpusError(
                f"{url} has SHA-256 {digest}, expected {sha256.lower()}: the download was removed; run again, "
                "or pin the new value with --sha256 if you know that the source has changed"
            )
    except CorpusError:
        arrived.unlink()
        raise
    finally:
        if not part.exists():
            state.unlink(missing_ok=True)
    if arrived == part:
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
        state.unlink(missing_ok=True)
    return digest


def _wrong_size(url: str, actual: int, size: int) -> CorpusError:
    return CorpusError(
        f"{url} has {actual:,} bytes, expected {size:,}: the server has a different file now, or sent an error page; "
        "check the address, and pin the new file with --sha256 if it is the right one"
    )


def _get_all(url: str, part: Path, state: Path, size: int | None, progress: bool, say: Callable[[str], None]) -> None:
    """Try until the file is complete, or `ATTEMPTS` in a row have brought nothing new."""
    most, fruitless = -1, 0
    with bar(size, "B", part.stem, progress) as shown:

        def announce(text: str) -> None:
            shown.clear()
            say(text)

        while True:
            try:
                _get_rest(url, part, state, size, shown, announce)
                return
            except _CutError as cut:
                has = part.stat().st_size if part.exists() else 0
                fruitless = 1 if has > most else fruitless + 1
                most = max(most, has)
                if fruitless >= ATTEMPTS:
                    raise CorpusError(
                        f"{url}: {cut}, {ATTEMPTS} times in a row; run again to resume from {has:,} bytes"
                    ) from None
                pause = PAUSE * 2 ** (fruitless - 1)
                announce(f"{cut}; retrying in {pause:g} s from {has:,} bytes")
                time.sleep(pause)


def _open(url: str, headers: dict[str, str]) -> Any:
    try:
        return urlopen(Request(url, headers={"User-Agent": "fastw2v-corpora", **headers}), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code == 416:
                raise _NoSuchPartError("the file has changed on the server") from None
            if error.code in (408, 429) or error.code >= 500:
                raise _CutError(f"the server answered {error.code} {error.reason}") from None
            raise CorpusError(
                f"{url}: the server answered {error.code} {error.reason}; if it has moved, give another address (--url)"
            ) from None
    except URLError as error:
        raise _CutError(f"no connection ({error.reason})") from None
    except (OSError, HTTPException) as error:
        raise _CutError(f"no answer ({error})") from None


def _validator(headers: Any) -> str | None:
    """Return an identifier of this version of the file: its ETag, or its date if the ETag is weak or missing."""
    tag: str | None = headers.get("ETag")
    date: str | None = headers.get("Last-Modified")
    return tag if tag and not tag.startswith("W/") else date


def _read_state(state: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        record = json.loads(state.read_text("utf-8"))
        if isinstance(record, dict):
            return record
    return {}


def _get_rest(url: str, part: Path, state: Path, size: int | None, shown: Any, report: Callable[[str], None]) -> None:
    """Request the missing bytes once, and append them.

    Raises:
        _CutError: not all bytes arrived.
        CorpusError: the server has a different file.
    """
    known = _read_state(state)
    has = part.stat().st_size if part.exists() and known.get("url") == url else 0
    if has and has == known.get("total"):
        return
    headers = {"Range": f"bytes={has}-"} if has else {}
    if has and known.get("validator"):
        headers["If-Range"] = known["validator"]
    try:
        response = _open(url, headers)
    except _NoSuchPartError:
        part.unlink(missing_ok=True)
        raise
    with response:
        validator = _validator(response.headers)
        if response.status == 206:
            place = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
            total = int(place[2]) if place and place[2] != "*" else known.get("total")
            same = validator is None or known.get("validator") in (None, validator)
            if place is None or int(place[1]) != has or total != known.get("total") or not same:
                part.unlink(missing_ok=True)
                raise _CutError("the file has changed on the server")
            if shown.n != has:
                report(f"resuming from {has:,} bytes")
        else:
            if has:
                report("the file has changed, or the server can't send only the rest: restarting")
            has = 0
            length = response.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            if size is not None and total is not None and total != size:
                part.unlink(missing_ok=True)
                raise _wrong_size(url, total, size)
            state.write_text(json.dumps({"url": url, "total": total, "validator": validator}), "utf-8")
        shown.total = total
        shown.n = has
        shown.refresh()
        with open(part, "r+b" if has else "wb") as file:
            file.seek(has)
            while chunk := _read(response):
                file.write(chunk)
                shown.update(len(chunk))
                has += len(chunk)
    expected = total if total is not None else size
    if expected is not None and has < expected:
        raise _CutError(f"the connection was cut at {has:,} of {expected:,} bytes")


def _read(response: Any) -> bytes:
    try:
        chunk: bytes = response.read(_CHUNK)
    except (OSError, HTTPException) as error:
        raise _CutError(f"the connection was cut ({error})") from None
    return chunk
