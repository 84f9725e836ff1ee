"""Paths as users write them: ``~`` is a home folder, and an address such as ``s3://bucket`` is not a path.

If a path with the given name exists, it is used: a file named ``~`` or a folder named ``s3:`` stays usable.
"""

import os
import re
from os import PathLike, fspath

from ..errors import FastW2VError

# One slash is enough: ``Path("s3://bucket")`` is ``s3:/bucket``. A single letter before the colon is a Windows drive.
_ADDRESS = re.compile(r"(?:[A-Za-z0-9+.-]+::)*([A-Za-z][A-Za-z0-9+.-]+):/")
_TO_STANDARD_OUTPUT = {
    "s3": "aws s3 cp ADDRESS -",
    "gs": "gcloud storage cat ADDRESS",
    "http": "curl -L ADDRESS",
    "https": "curl -L ADDRESS",
    "ftp": "curl -L ADDRESS",
    "hdfs": "hdfs dfs -cat ADDRESS",
}


def expand_home(path: str | PathLike[str]) -> str:
    """Return a path with a leading ``~`` or ``~user`` replaced by the home folder, unless the path itself exists."""
    name = os.fsdecode(fspath(path))
    return name if not name.startswith("~") or os.path.lexists(name) else os.path.expanduser(name)


def local_path(
    path: str | PathLike[str], error: type[FastW2VError], *, output: bool = False, text: bool = False
) -> str:
    """Return a path with ``~`` expanded; refuse an address, which would otherwise become the name of a folder.

    Args:
        path: as the user gave it.
        error: the class of the errors.
        output: the path is to be written.
        text: the path is that of a corpus, which may also come from a pipe.

    Raises:
        FastW2VError: of class ``error``: this is no path, such as None; or no such path exists, and it is an address,
            such as ``s3://bucket/text``, or begins with the name of an unknown user.
    """
    if not isinstance(path, (str, bytes, PathLike)):
        raise error(f"the path is {path!r:.60}: give a string or a pathlib.Path")
    name = expand_home(path)
    if os.path.lexists(name):
        return name
    if address := _ADDRESS.match(name):
        scheme = address[1].lower()
        if scheme == "file":
            remedy = "give the path itself, without file:"
        elif output:
            remedy = "write into a local folder, and copy it there"
        else:
            remedy = "download it first"
            if text and scheme in _TO_STANDARD_OUTPUT:
                remedy += f", or pipe it: {_TO_STANDARD_OUTPUT[scheme]} | fastw2v train - -o MODEL"
        raise error(f"{name!r:.60} is an address, not a local path: {remedy}")
    user = name.split("/")[0]
    if user.startswith("~") and not any(c in user for c in "*?["):
        raise error(f"{name!r:.60} names an unknown user: give the whole path (./{user:.30} for a folder of that name)")
    return name
