"""A file over HTTP that may be large: resumed where it was cut, checked, and in its place only when it is whole.

What has arrived is in ``NAME.part``; ``NAME.json`` says of which file it is a part (address, length, and the server's
ETag or date). Going on asks for the rest of that very file (``Range`` with ``If-Range``); where the server has another
file by now, or can't send parts, it starts again.
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
ATTEMPTS = 4  # in a row that bring nothing new
PAUSE = 1.0  # seconds before the second attempt; doubled for each further one
_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _CutError(Exception):
    """An attempt ended early for a reason that may pass."""


class _NoSuchPartError(_CutError):
    """The server has nothing after the bytes that are here."""


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
        path: does not exist until the file is whole and checked. Beside it are ``.part`` and ``.json`` until then.
        size: bytes it must have.
        sha256: what it must hash to, in hexadecimal.
        progress: show a bar.
        say: told what happens that a user may want to know.

    Raises:
        CorpusError: the address is wrong, the file is not what it should be (what came is removed), or it did not
            come (what came is kept for the next call).
        OSError: the file can't be written.
    """
    if not re.match(r"https?://[^/]", url):
        raise CorpusError(f"the address {url!r:.200} is not one of HTTP: expected http://... or https://...")
    part, state = path.with_name(path.name + ".part"), path.with_name(path.name + ".json")
    if not path.exists():
        _get_all(url, part, state, size, progress, say)
    arrived = path if path.exists() else part
    try:
        if size is not None and (has := arrived.stat().st_size) != size:
            raise _wrong_size(url, has, size)
        found = sha256_of(arrived)
        if sha256 is not None and found != sha256.lower():
            raise CorpusError(
                f"{url} has SHA-256 {found}, expected {sha256.lower()}: what came was removed; run again, "
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
    return found


def _wrong_size(url: str, found: int, size: int) -> CorpusError:
    return CorpusError(
        f"{url} has {found:,} bytes, expected {size:,}: it is another file by now, or an answer in its place; "
        "look at the address, and pin the new file with --sha256 if it is the right one"
    )


def _get_all(url: str, part: Path, state: Path, size: int | None, progress: bool, say: Callable[[str], None]) -> None:
    """Try until everything is there, or `ATTEMPTS` in a row have brought nothing new."""
    most, fruitless = -1, 0
    with bar(size, "B", part.stem, progress) as shown:

        def tell(text: str) -> None:
            shown.clear()
            say(text)

        while True:
            try:
                _get_rest(url, part, state, size, shown, tell)
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
                tell(f"{cut}; again in {pause:g} s from {has:,} bytes")
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
    """Return what names this version of the file: an ETag, unless it is a weak one, or the date."""
    tag: str | None = headers.get("ETag")
    date: str | None = headers.get("Last-Modified")
    return tag if tag and not tag.startswith("W/") else date


def _read_state(state: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        found = json.loads(state.read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _get_rest(url: str, part: Path, state: Path, size: int | None, shown: Any, tell: Callable[[str], None]) -> None:
    """Ask once for what is missing, and append it.

    Raises:
        _CutError: it did not come, or not all of it.
        CorpusError: the server has something else.
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
                tell(f"resuming from {has:,} bytes")
        else:
            if has:
                tell("the file has changed, or the server can't send the rest alone: from the start")
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
