"""The version, defined only here, and a digest of the sources."""

import hashlib
from pathlib import Path

__version__ = "0.1.0"

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parent


def package_digest() -> str:
    """Return a digest of this package's source files; a driver and its nodes must have the same digest."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
