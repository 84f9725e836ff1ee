"""Readme of the built package: its links lead to the repository, because a package index has no files beside it."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Sets the project's readme when a package is built."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Make relative addresses in README.md absolute."""
        source = metadata["urls"]["Source"]

        def absolute(link: re.Match[str]) -> str:
            mark, text, path = link.groups()
            # A package index shows PNG pictures, but not every index shows SVG.
            return f"{mark}[{text}]({source}/{'raw' if mark else 'blob'}/main/{path})"

        text = _LINK.sub(absolute, (Path(self.root) / "README.md").read_text("utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
