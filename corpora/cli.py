"""``python -m corpora``: text to train on. A user error prints one line and exits with 2; Ctrl-C exits with 130."""

import argparse
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fastw2v.cli import Parser, number_parser, run_command
from fastw2v.errors import CorpusError
from fastw2v.screen import Screen
from fastw2v.text import pydocs

from . import fetch, synthetic


def _report(text: str) -> None:
    screen = Screen()
    screen.write(f"corpora: {text}\n")
    screen.flush()


def _list(arguments: argparse.Namespace) -> None:
    rows = [("NAME", "WORDS", "DOWNLOAD", "LICENCE", "FOR")]
    for source in fetch.SOURCES.values():
        size = "unknown" if source.size is None else f"{source.size / 1e6:,.0f} MB"
        rows.append((f"fetch {source.name}", source.words, size, source.licence, source.use))
    rows.append(("synthetic", "any number", "none", "none needed", "known right answers; any size"))
    rows.append(("pydocs", "about 0.3 million", "none", "PSF (Python's own docs)", "the demo; real English offline"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)), row[4]]))
    print("\nAddresses and checksums: python -m corpora fetch --help")


def _fetch(arguments: argparse.Namespace) -> None:
    source = fetch.SOURCES[arguments.name]
    output = fetch.default_output(source.name, arguments.output)
    fetched = fetch.fetch(
        source, output, url=arguments.url, sha256=arguments.sha256, progress=not arguments.quiet, say=_report
    )
    if arguments.sha256 is None and source.sha256 is None:
        print(f"SHA-256 of the archive, not known before: {fetched.sha256} (pin it with --sha256)")
    print(f"{output}: {fetched.words:,} words, {fetched.lines:,} lines, {fetched.size:,} bytes")


def _synthetic(arguments: argparse.Namespace) -> None:
    names = ("tokens", "words", "seed", "exponent", "noise", "twins", "sections", "rows")
    options = {name: getattr(arguments, name) for name in names}
    planted = synthetic.write(arguments.output, **options, progress=not arguments.quiet)
    print(synthetic.describe(arguments.output, planted))


def _pydocs(arguments: argparse.Namespace) -> None:
    partial = arguments.output.with_name(arguments.output.name + ".partial")
    try:
        with open(partial, "w", encoding="ascii", newline="\n") as file:
            file.writelines(" ".join(words) + "\n" for words in pydocs.sentences())
        os.replace(partial, arguments.output)
    except OSError as error:
        raise CorpusError(f"cannot write {arguments.output}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _sums() -> str:
    lines = ["sources and checksums:"]
    for source in fetch.SOURCES.values():
        sums = f"SHA-256 {source.sha256 or 'not known; printed after download, pin with --sha256'}"
        if source.member_sha256:
            sums += f"\n    unpacked SHA-256 {source.member_sha256}"
        lines.append(f"  {source.name}\n    {source.url}\n    {source.size:,} bytes, {sums}")
    return "\n".join(lines)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(prog="python -m corpora", description=__doc__)
    parser.set_defaults(run=_list)
    commands = parser.add_subparsers(metavar="COMMAND")

    sub = commands.add_parser("list", help="list the corpora (also without a command)")
    sub.set_defaults(run=_list)

    sub = commands.add_parser(
        "fetch",
        help="download a well-known corpus and convert it to text",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_sums(),
    )
    sub.add_argument("name", choices=fetch.SOURCES, metavar="NAME", help=", ".join(fetch.SOURCES))
    sub.add_argument("-o", "--output", type=Path, metavar="FILE", help="file or folder to write to (default: NAME.txt)")
    sub.add_argument("--url", help="another address of the same archive")
    sub.add_argument("--sha256", metavar="HEX", help="expected SHA-256 of the archive (default: as below)")
    sub.add_argument("--quiet", action="store_true", help="no progress bar")
    sub.set_defaults(run=_fetch)

    sub = commands.add_parser("synthetic", help="Zipf text of any size with planted neighbours and analogies")
    sub.add_argument("output", type=Path, metavar="OUTPUT", help="text file; the answers go beside it")
    sub.add_argument("--tokens", type=number_parser(int), required=True, metavar="N", help="length of the text")
    sub.add_argument("--words", type=number_parser(int), required=True, metavar="V", help="size of the vocabulary")
    for name, kind, default, text in (
        ("seed", int, 1, "origin of all random numbers"),
        ("exponent", float, 1.0, "exponent of Zipf's law"),
        ("noise", float, 0.1, "share of tokens outside their sentence's topic"),
        ("twins", int, 100, "pairs of words with the same contexts"),
        ("sections", int, 4, "sections of analogies"),
        ("rows", int, 20, "pairs of words in a section"),
    ):
        sub.add_argument(
            f"--{name}", type=number_parser(kind), default=default, metavar="N", help=f"{text} (default: {default})"
        )
    sub.add_argument("--quiet", action="store_true", help="no progress bar")
    sub.set_defaults(run=_synthetic)

    sub = commands.add_parser("pydocs", help="the documentation inside this Python, on which the demo trains")
    sub.add_argument("output", type=Path, metavar="OUTPUT", help="text file to write")
    sub.set_defaults(run=_pydocs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    return run_command(build_parser, argv, _report, lambda error: "out of memory: give fewer --words")
