"""The command line. Each command imports what it needs, so that help and wrong options need no kernels.

Every user error is one line on standard error and exit code 2. After Ctrl-C the exit code is 130, after SIGTERM 143.
"""

import argparse
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ._version import __version__
from .choices import FORMATS, METHODS, SCORINGS
from .config import CHOICES, TrainConfig
from .errors import (
    ConfigError,
    FastW2VError,
    FastW2VWarning,
    FolderError,
    FormatError,
    Terminated,
    UnknownWordError,
    doubt,
    flags_of_load,
    options_as_flags,
)
from .files.places import local_path
from .foreign_options import command_hint, hint, is_foreign
from .screen import counted, escaped, printable, readings, unescaped

if TYPE_CHECKING:
    from .embeddings import Embeddings
    from .evaluate import AnalogyScore
    from .subwords.table import Subwords

EXIT_ERROR, EXIT_INTERRUPTED, EXIT_TERMINATED = 2, 130, 143

_OPTIONS: tuple[tuple[str, type, str], ...] = (
    ("vector_size", int, "columns of the vectors"),
    ("window", int, "largest distance in words between a word and its context"),
    ("min_count", int, "drop words that occur less often"),
    ("negative", int, "noise words per pair"),
    ("ns_exponent", float, "noise words are drawn with probability count ** this"),
    ("sample", float, "subsampling threshold for frequent words; 0 turns subsampling off"),
    ("alpha", float, "learning rate at the start"),
    ("min_alpha", float, "learning rate at the end"),
    ("epochs", int, "passes over the corpus"),
    ("workers", int, "threads; with 1, training is bit-identical from run to run (ids never depend on it)"),
    ("seed", int, "seed of all random numbers"),
    ("max_vocab", int, "keep only this many of the most frequent words"),
    ("kernel", str, "tile: tiles of centres share noise words, many times faster; pair: as in word2vec.c"),
    ("min_n", int, "least number of characters of an n-gram"),
    ("max_n", int, "largest number of characters of an n-gram, such as 6; 0 turns subwords off"),
    ("bucket", int, "buckets that n-grams are hashed to"),
    ("mode", str, "fasttext; or floret: compact tables for spaCy, such as 50000 buckets that words and n-grams share"),
    ("hash_count", int, "buckets per word and n-gram with --mode floret, 1 to 4"),
)
MODEL_HELP = "model folder, or a file of vectors: word2vec, GloVe, fastText's .vec or .bin, compressed or not; or .npz"
FILE_HELP = (
    "file to write; its suffix gives the format: .bin, .txt or .vec, .glove, .npz, .tsv, .floret, each also with .gz, "
    ".bz2, .xz or .zst after it; - is standard output"
)
FORMAT_HELP = (
    "word2vec-bin: word2vec.c's binary format, exact and small; word2vec-text: its text format, six decimals; glove: "
    "text without a header, exact; npz: for numpy.load; projector: for the Embedding Projector, .tsv and "
    ".metadata.tsv; model2vec: a folder for model2vec and sentence-transformers; fasttext-bin: a fastText model; "
    "floret: for spacy init vectors --mode floret "
    "(default: by suffix; without one, word2vec-bin; .bin is fasttext-bin for vectors with subwords)"
)
_OF_PREPARE = {"min_count", "max_vocab", "workers"}
_OF_PHRASES = ("phrases", "phrase_min_count", "phrase_threshold", "phrase_scoring", "connector_words")
_OF_GRAPH = {name for name, _, _ in _OPTIONS} - {
    *("min_count", "max_vocab", "min_n", "max_n", "bucket", "mode", "hash_count")
}
_OF_WALKS: tuple[tuple[str, type, Any, str], ...] = (
    ("p", float, 1.0, "return parameter: below 1 a walk goes back more often, above 1 less often"),
    ("q", float, 1.0, "in-out parameter: below 1 a walk moves away from where it came from, above 1 it stays near"),
    ("walk_length", int, 80, "nodes per walk"),
    ("num_walks", int, 10, "walks from each node"),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all errors here, and name the option that may have been meant.

    Attributes:
        commands: the commands of a parser that has some.
    """

    commands: Collection[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and raise `ConfigError` for an argument that this command does not know."""
        given = list(sys.argv[1:] if args is None else args)
        given = given[: given.index("--") if "--" in given else None]
        if self.commands:
            self._check_command(given)
        elif self._subparsers is None:
            for argument in given:  # Here, because argparse looks for arguments that are missing first.
                if is_foreign(argument) or self._is_unknown(argument):
                    self._refuse(argument)
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self._refuse(unknown[0])
        return parsed, unknown

    def _check_command(self, given: list[str]) -> None:
        """Raise `ConfigError` if the first argument is not a command."""
        first = next((argument for argument in given if argument not in self._option_string_actions), None)
        if first is None or first in self.commands:
            return
        if first.startswith("-"):
            self.error(
                f"there is no option {first!r:.60} before a command: begin with one, as in fastw2v train TEXT -o MODEL"
            )
        meant = command_hint(first, self.commands)
        self.error(f"there is no command {first!r:.60}; {meant}")

    def _is_unknown(self, argument: str) -> bool:
        """Return whether argparse would take an argument for an option that this command does not have."""
        known = self._option_string_actions
        if not argument.startswith("-") or argument == "-" or " " in argument or argument.split("=")[0] in known:
            return False
        with suppress(ValueError):
            return math.isnan(float(argument))  # No option is a number.
        return argument.startswith("--") or argument[:2] not in known

    def _refuse(self, argument: str) -> NoReturn:
        if not argument.startswith("-"):
            self.error(f"unexpected argument {argument!r:.60}")
        meant = hint(argument, self._option_string_actions)
        if not meant and any(action.dest == "words" for action in self._get_positional_actions()):
            meant = f"if it is a word, give it after --, as in -- {argument:.60}"
        self.error(f"there is no option {argument!r:.60}" + (f"; {meant}" if meant else ""))

    def error(self, message: str) -> NoReturn:
        """Raise `ConfigError`."""
        raise ConfigError(f"{message} (see {self.prog} --help)")


def number_parser(kind: type) -> Callable[[str], Any]:
    """Return a function for ``type=`` that turns an argument into a number."""

    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is not a {what}") from None

    return parse


def _add_options(parser: argparse.ArgumentParser, names: set[str]) -> None:
    defaults = TrainConfig(workers=1)
    for name, kind, help_text in _OPTIONS:
        if name in names:
            default = {"workers": "every usable core", "max_vocab": "all"}.get(name, getattr(defaults, name))
            parser.add_argument(
                f"--{name.replace('_', '-')}",
                type=kind if kind is str else number_parser(kind),
                default=argparse.SUPPRESS,
                choices=CHOICES.get(name),
                metavar={int: "N", float: "X"}.get(kind),
                help=f"{help_text} (default: {default})",
            )


def _add_options_of_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume", action="store_true", help="resume the run in DIR; start a new run if there is none")
    parser.add_argument(
        "--checkpoint-every",
        type=number_parser(float),
        default=10.0,
        metavar="MINUTES",
        help="save the run to DIR at this interval, and at the end of each epoch (default: 10)",
    )
    parser.add_argument(
        "--init-from", metavar="MODEL", help="model folder, or file of vectors, with the initial vectors of a new run"
    )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = Parser(prog="fastw2v", description="Fast skip-gram embeddings on a CPU.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"fastw2v {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, run: Callable[[argparse.Namespace], None], help_text: str) -> argparse.ArgumentParser:
        description = help_text[0].upper() + help_text[1:] + "."
        sub = commands.add_parser(name, help=help_text, description=description, allow_abbrev=False)
        sub.set_defaults(run=run)
        return sub

    sub = command("train", _train, "train on text, or on a prepared folder, and write a model folder")
    texts = "text files (also .gz, .bz2, .xz, .zst), folders, quoted patterns, or - for standard input"
    sub.add_argument("corpus", nargs="+", metavar="CORPUS", help=f"{texts}; or a prepared folder")
    sub.add_argument("-o", "--output", required=True, metavar="DIR", help="model folder to write")
    _add_options(sub, {name for name, _, _ in _OPTIONS})
    _add_options_of_run(sub)
    sub.add_argument(
        "--keep-words",
        action="store_true",
        help="keep all words of --init-from as well: train the union of both vocabularies, with counts added",
    )
    sub.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="train on several nodes with Ray. ADDRESS is the cluster's HOST:PORT, or auto on one of its machines; "
        "without ADDRESS the nodes are processes on this machine. --workers is the number of threads per node",
    )
    sub.add_argument(
        "--nodes", type=number_parser(int), metavar="N", help="number of nodes (default: one per machine; needs --ray)"
    )

    sub = command("prepare", _prepare, "turn text into a vocabulary and token ids on disk, once")
    sub.add_argument("corpus", nargs="+", metavar="CORPUS", help=texts)
    sub.add_argument("-o", "--output", required=True, metavar="DIR", help="prepared folder to write")
    _add_options(sub, _OF_PREPARE)
    sub.add_argument(
        "--phrases",
        type=number_parser(int),
        default=argparse.SUPPRESS,
        metavar="N",
        help="find phrases and join them, such as new_york, N times; the second time joins up to four words "
        "(default: 0)",
    )
    sub.add_argument(
        "--phrase-min-count",
        type=number_parser(int),
        default=argparse.SUPPRESS,
        metavar="N",
        help="rarer pairs of words are not phrases (default: 5)",
    )
    sub.add_argument(
        "--phrase-threshold",
        type=number_parser(float),
        default=argparse.SUPPRESS,
        metavar="X",
        help="a pair of words is a phrase if its score is above this (default: 10; 0.5 with npmi)",
    )
    sub.add_argument(
        "--phrase-scoring",
        choices=SCORINGS,
        default=argparse.SUPPRESS,
        help="default: as in word2phrase and gensim; npmi: normalised pointwise mutual information, -1 to 1",
    )
    sub.add_argument(
        "--connector-words",
        type=_words,
        default=argparse.SUPPRESS,
        metavar="WORDS",
        help="words that may stand inside a phrase, as in bank_of_america, separated by spaces or commas; or english, "
        "a list of English articles, prepositions and conjunctions",
    )

    sub = command("graph", _graph, "walk on a graph as node2vec does, train on the walks, and write a model folder")
    sub.add_argument(
        "edges",
        metavar="EDGES",
        help="file of edges, compressed or not, or - for standard input; a line has two names and, if the edges are "
        "weighted, a number, separated by tabs, commas or spaces",
    )
    sub.add_argument("-o", "--output", required=True, metavar="DIR", help="model folder to write")
    for name, kind, default, help_text in _OF_WALKS:
        sub.add_argument(
            f"--{name.replace('_', '-')}",
            type=number_parser(kind),
            default=default,
            metavar="N" if kind is int else "X",
            help=f"{help_text} (default: {default:g})",
        )
    sub.add_argument("--directed", action="store_true", help="edges lead from the first node to the second only")
    sub.add_argument("--unweighted", action="store_true", help="ignore weights; every edge counts once")
    _add_options(sub, _OF_GRAPH)
    _add_options_of_run(sub)

    sub = command("eval", _eval, "score a model against human judgements")
    sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    sub.add_argument(
        "--analogies",
        action="append",
        default=[],
        metavar="F",
        help="file of questions, such as Google's questions-words.txt or the MSR set; or a file or folder of BATS",
    )
    sub.add_argument(
        "--similarity",
        action="append",
        default=[],
        metavar="F",
        help="file of word pairs with scores, such as SimLex-999, WordSim-353, MEN or Rare Words, as published",
    )
    sub.add_argument(
        "--restrict-vocab",
        type=number_parser(int),
        default=30_000,
        metavar="N",
        help="analogies: use only the N most frequent words (default: 30000)",
    )
    sub.add_argument(
        "--case-sensitive",
        action="store_true",
        help="compare words as written; by default King, king and KING are one word, the most frequent of them",
    )
    sub.add_argument(
        "--known-only",
        action="store_true",
        help="similarity, with subwords: skip pairs with words that are not in the vocabulary, in place of making the "
        "vectors of these words from n-grams; analogies never have such words",
    )
    sub.add_argument("--json", action="store_true", help="print JSON")

    sub = command("neighbors", _neighbors, "print the nearest neighbours of words")
    sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    sub.add_argument(
        "words", nargs="+", metavar="WORD", help="a word as it is, or as this command shows it on a screen: ki\\u200bng"
    )
    sub.add_argument("-n", type=number_parser(int), default=10, metavar="N", help="number of neighbours (default: 10)")
    sub.add_argument("--json", action="store_true", help="print JSON")

    sub = command("similarity", _similarity, "print the cosines of pairs of words")
    sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    sub.add_argument("words", nargs="+", metavar="WORD", help="two words, or several pairs")
    sub.add_argument("--json", action="store_true", help="print JSON")

    sub = command("analogy", _analogy, "name the words that are to C as B is to A")
    sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    for name, help_text in (("A", "for example man"), ("B", "for example king"), ("C", "for example woman")):
        sub.add_argument("words", action="append", metavar=name, help=help_text)
    sub.add_argument("-n", type=number_parser(int), default=10, metavar="N", help="number of answers (default: 10)")
    sub.add_argument("--json", action="store_true", help="print JSON")

    sub = command("encode", _encode, "turn texts, one per line, into vectors, one per line")
    sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    sub.add_argument(
        "texts",
        nargs="?",
        default="-",
        metavar="FILE",
        help="file of texts, compressed or not (default: standard input)",
    )
    sub.add_argument(
        "--weights",
        choices=["mean", "sif"],
        default="mean",
        help="mean: all words count alike; sif: frequent words count less, by a / (a + p) (default: mean)",
    )
    sub.add_argument("--normalize", action="store_true", help="scale the vectors to length 1")
    sub.add_argument("-o", "--output", metavar="FILE", help="write a NumPy array (.npy) instead of text")

    for name, help_text in (
        ("export", "write the vectors to a file for other programs, such as gensim"),
        ("convert", "read a file of vectors and write it in another format; the same as export"),
    ):
        sub = command(name, _export, help_text)
        sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
        sub.add_argument(
            "file",
            metavar="FILE",
            help=FILE_HELP,
        )
        sub.add_argument(
            "--format",
            choices=FORMATS,
            help=FORMAT_HELP,
        )
        sub.add_argument("--limit", type=number_parser(int), metavar="N", help="write only the first N words")
        sub.add_argument("--space", metavar="C", help="what to write for a space in a word, such as _")
        sub.add_argument(
            "--encoding",
            default="utf-8",
            metavar="E",
            help="encoding of the words in a file of vectors (default: utf-8)",
        )

    sub = command("plot", _plot, "draw a map of words, or training curves (pip install 'fastw2v[plot]')")
    sub.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    sub.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="picture to write: .html (with a search box; opens without a network), .png or .svg",
    )
    of_map = sub.add_mutually_exclusive_group()
    of_map.add_argument("--words", nargs="+", metavar="WORD", help="draw these words")
    of_map.add_argument(
        "--top", type=number_parser(int), default=2000, metavar="N", help="draw the first N words (default: 2000)"
    )
    of_map.add_argument(
        "--metrics", action="store_true", help="draw loss, learning rate and tokens per second over tokens instead"
    )
    sub.add_argument(
        "--method",
        choices=METHODS,
        default="tsne",
        help="tsne: keeps neighbours together; pca: fast, keeps large distances (default: tsne)",
    )
    sub.add_argument("--seed", type=number_parser(int), default=1, metavar="N", help="seed of the map (default: 1)")

    sub = command("info", _info, "describe a model folder, a prepared folder or a file of vectors")
    sub.add_argument("folder", metavar="MODEL", help="model folder, prepared folder, or a file of vectors")
    sub.add_argument("--json", action="store_true", help="print JSON")

    command(
        "demo",
        _demo,
        "train on Python's own documentation into ./fastw2v-demo and print neighbours; no download, no argument",
    )
    parser.commands = commands.choices
    return parser


def _words(text: str) -> frozenset[str]:
    """Return the words of an argument."""
    from .text.phrases import ENGLISH_CONNECTOR_WORDS

    return ENGLISH_CONNECTOR_WORDS if text == "english" else frozenset(text.replace(",", " ").split())


def _corpus(paths: list[str]) -> str | list[str]:
    from .text.prepared import is_prepared

    if len(paths) == 1:
        return paths[0]
    for path in paths:
        if is_prepared(path):
            raise ConfigError(f"{path} is a prepared folder: give it as the only corpus")
    return paths


def _output(arguments: argparse.Namespace) -> Path:
    from .files.replacing import STANDARD_OUTPUT

    if not arguments.output:
        raise ConfigError("-o is an empty string: give a folder")
    if arguments.output == STANDARD_OUTPUT:
        raise ConfigError("-o is '-', standard output, but the result is a folder: give its name (./- for this one)")
    return Path(local_path(arguments.output, FolderError, output=True))


def _report_model(output: Path, size: str, embeddings: "Embeddings") -> None:
    """Print what was trained; tell those who expected a file, as of word2vec.c, how to get it."""
    from .vectors.writer import SUFFIXES

    _print(f"{output}: {size}, vector_size {embeddings.vector_size}")
    if output.suffix in SUFFIXES and output.suffix:
        _remark(f"{output} is a model folder, whatever its name; for a file: fastw2v export {output} FILE")


def _train(arguments: argparse.Namespace) -> None:
    from .training.driver import train

    options = {name: vars(arguments)[name] for name, _, _ in _OPTIONS if name in arguments}
    output = _output(arguments)
    of_run = {name: getattr(arguments, name) for name in ("resume", "checkpoint_every", "init_from")}
    if arguments.ray is None and arguments.nodes is not None:
        raise ConfigError("--nodes is for training with Ray: add --ray")
    if arguments.ray is not None and arguments.keep_words:
        raise ConfigError("--keep-words is for training without Ray: omit it, or omit --ray")
    try:
        if arguments.ray is None:
            of_run["keep_words"] = arguments.keep_words
            embeddings = train(_corpus(arguments.corpus), output=output, **of_run, **options)
        else:
            from .distributed import train_ray  # Few commands need it.

            embeddings = train_ray(
                _corpus(arguments.corpus),
                output=output,
                nodes=arguments.nodes,
                address=arguments.ray or None,
                **of_run,
                **options,
            )
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or "nothing was written") from None
    _report_model(output, counted(len(embeddings), "word"), embeddings)


def _graph(arguments: argparse.Namespace) -> None:
    from .graphs.node2vec import train_graph

    given = vars(arguments)
    names = [*_OF_GRAPH, *(name for name, *_ in _OF_WALKS), "resume", "checkpoint_every", "init_from"]
    output = _output(arguments)
    try:
        embeddings = train_graph(
            arguments.edges,
            weighted=not arguments.unweighted,
            directed=arguments.directed or None,
            output=output,
            **{name: given[name] for name in names if name in given},
        )
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or "nothing was written") from None
    _report_model(output, counted(len(embeddings), "node"), embeddings)


def _prepare(arguments: argparse.Namespace) -> None:
    from .text.prepared import prepare

    options = {name: vars(arguments)[name] for name in (*_OF_PREPARE, *_OF_PHRASES) if name in arguments}
    output = _output(arguments)
    corpus = prepare(_corpus(arguments.corpus), output, **options)
    _print(
        f"{output}: {counted(corpus.tokens_read, 'token')} read, {len(corpus.ids):,} in the vocabulary of "
        f"{counted(len(corpus.vocab), 'word')}, {counted(len(corpus.offsets) - 1, 'sentence')}"
    )


def _eval(arguments: argparse.Namespace) -> None:
    from .embeddings import load
    from .evaluate import as_record, evaluate_analogies, evaluate_similarity

    if not arguments.analogies and not arguments.similarity:
        raise ConfigError("nothing to evaluate: give --analogies FILE or --similarity FILE")
    if arguments.restrict_vocab < 1:
        raise ConfigError(f"--restrict-vocab is {arguments.restrict_vocab}: give at least 1")
    embeddings = load(arguments.model)
    insensitive = not arguments.case_sensitive
    similarities = [
        evaluate_similarity(embeddings, path, insensitive, arguments.known_only) for path in arguments.similarity
    ]
    analogies = [
        (path, evaluate_analogies(embeddings, path, arguments.restrict_vocab, insensitive))
        for path in arguments.analogies
    ]
    case = "insensitive" if insensitive else "sensitive"
    if arguments.json:
        _print_json(
            {
                "model": arguments.model,
                "case": case,
                "restrict_vocab": arguments.restrict_vocab,
                "similarity": [as_record(score) for score in similarities],
                "analogies": [{"file": path, "sections": [as_record(s) for s in scores]} for path, scores in analogies],
            }
        )
        return
    for score in similarities:
        both = f"Spearman x 100 = {_hundredfold(score.spearman)}, Pearson x 100 = {_hundredfold(score.pearson)}"
        attempted = f"{score.attempted}/{score.total} pairs attempted"
        unknown = f"{_hundredfold(score.unknown)} % unknown"
        if embeddings.subwords is not None and not arguments.known_only:
            unknown += f", {_hundredfold(score.share_from_ngrams)} % of the words made from n-grams"
        _print(f"{score.file}: {both} ({attempted}, {unknown})")
        if score.spearman is None:
            _print("  a correlation needs at least two pairs with both words in the vocabulary, and different scores")
    for path, scores in analogies:
        _print(f"{path}: correct/attempted/total, restrict-vocab {arguments.restrict_vocab}, case-{case}")
        for section in scores:
            _print("  " + _analogy_line(section))
        if scores[-1].attempted == 0:
            hint = " (words are compared as written: try without --case-sensitive)" * (not insensitive)
            _print(f"  no question has all its words in the vocabulary{hint}")


def _hundredfold(share: float | None) -> str:
    return "none" if share is None else f"{100 * share:.1f}"


def _analogy_line(score: "AnalogyScore") -> str:
    accuracy = "none" if score.accuracy is None else f"{100 * score.accuracy:.1f} %"
    unknown = "" if score.unknown is None else f" ({100 * score.unknown:.1f} % unknown)"
    return f"{printable(score.section):<28} {score.correct}/{score.attempted}/{score.total}  {accuracy}{unknown}"


def _known(embeddings: "Embeddings", texts: list[str]) -> dict[str, str | None]:
    """Return the word that each text means, given as it is or as `neighbors` shows it on a screen; None if unknown.

    A word that is not in the vocabulary is known if it has a vector made from n-grams. A line on the screen names those
    words: they may be misspelt.
    """
    given = {text: next((word for word in readings(text) if word in embeddings), None) for text in texts}
    if embeddings.subwords is not None:
        from .spellings import MOST

        likely = {text: readings(text)[0] for text, word in given.items() if word is None}
        _, known = embeddings.find_vectors(list(likely.values()))
        found = {text: word for (text, word), has in zip(likely.items(), known.tolist(), strict=True) if has}
        given |= found
        made = list(dict.fromkeys(found.values()))
        if made:
            names = ", ".join(f"'{escaped(word):.60}'" for word in made[:MOST])
            more = f" and {len(made) - MOST:,} more" if len(made) > MOST else ""
            doubt(f"not in the vocabulary: {names}{more}; the vector is made from n-grams")
    return given


def _check_known(embeddings: "Embeddings", given: dict[str, str | None]) -> None:
    unknown = [_unknown(embeddings, text) for text, word in given.items() if word is None]
    if unknown:
        raise UnknownWordError("; and ".join(unknown))


def _neighbors(arguments: argparse.Namespace) -> None:
    from .embeddings import load

    if arguments.n < 1:
        raise ConfigError(f"-n is {arguments.n}: give at least 1")
    embeddings = load(arguments.model)
    given = _known(embeddings, arguments.words)
    words = dict.fromkeys(word for word in given.values() if word is not None)
    nearest = {word: embeddings.most_similar(word, topn=arguments.n) for word in words}
    if arguments.json and nearest:
        _print_json({word: [{"word": near, "cosine": cosine} for near, cosine in row] for word, row in nearest.items()})
    elif nearest:
        show = _word_writer()
        for word, row in nearest.items():
            if len(given) > 1:
                print(show(word))
            for near, cosine in row:
                print(f"{cosine:7.4f}  {show(near)}")
    _check_known(embeddings, given)


def _similarity(arguments: argparse.Namespace) -> None:
    from .embeddings import load

    if len(arguments.words) % 2:
        raise ConfigError(f"WORD: {counted(len(arguments.words), 'word')}: give two, or several pairs")
    embeddings = load(arguments.model)
    words = _meant(embeddings, arguments.words)
    pairs = [(a, b, embeddings.similarity(a, b)) for a, b in zip(words[::2], words[1::2], strict=True)]
    if arguments.json:
        _print_json([{"words": [a, b], "cosine": cosine} for a, b, cosine in pairs])
        return
    show = _word_writer()
    for a, b, cosine in pairs:
        print(f"{cosine:7.4f}  {show(a)}  {show(b)}")


def _analogy(arguments: argparse.Namespace) -> None:
    from .embeddings import load

    if arguments.n < 1:
        raise ConfigError(f"-n is {arguments.n}: give at least 1")
    embeddings = load(arguments.model)
    words = _meant(embeddings, arguments.words)
    answers = embeddings.analogy(words[0], words[1], words[2], topn=arguments.n)
    if arguments.json:
        _print_json({"words": words, "answers": [{"word": word, "cosine": cosine} for word, cosine in answers]})
        return
    show = _word_writer()
    for word, cosine in answers:
        print(f"{cosine:7.4f}  {show(word)}")


def _meant(embeddings: "Embeddings", texts: list[str]) -> list[str]:
    """Return the words that a person means: as they are, or as `neighbors` shows them on a screen."""
    given = _known(embeddings, texts)
    for text, word in given.items():
        if word is None:
            raise UnknownWordError(_unknown(embeddings, text))
    return [given[text] or text for text in texts]


def _unknown(embeddings: "Embeddings", text: str) -> str:
    from .spellings import close_to
    from .vectors.unseen import why_no_vector

    hint = close_to(unescaped(text), embeddings.words, embeddings)
    why = "" if embeddings.subwords is None else why_no_vector(embeddings.subwords, unescaped(text))
    return f"the word '{escaped(text):.60}' is not in the vocabulary{why}" + (f"; {hint}" if hint else "")


def _word_writer() -> Callable[[str], str]:
    """Return how to show a word on standard output: escaped for a person, and the word itself for a program."""
    if sys.stdout.isatty():
        return escaped
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    return str


def _encode(arguments: argparse.Namespace) -> None:
    import numpy as np

    from .embeddings import load
    from .files.arrays import npy_blocks
    from .files.replacing import replacing
    from .vectors.decimals import text_of_rows
    from .vectors.encode import TEXTS_AT_ONCE, row_weights
    from .vectors.source import open_lines

    output = None if arguments.output is None else local_path(arguments.output, FormatError, output=True)
    if output is not None and not output.endswith(".npy"):
        raise ConfigError(f"-o is {output!r:.60}: give a name that ends in .npy, or omit -o for text")
    embeddings = load(arguments.model)
    row_weights(embeddings, arguments.weights)  # It raises before anything is read.
    blocks = []
    n_texts = n_unknown = 0
    with open_lines(arguments.texts) as (lines, _):
        at_once = 1 if arguments.texts == "-" and sys.stdin.isatty() else TEXTS_AT_ONCE
        while block := [line.decode("utf-8", "surrogateescape") for line in islice(lines, at_once)]:
            vectors = embeddings.encode(block, arguments.weights, arguments.normalize)
            n_texts += len(block)
            n_unknown += len(block) - int(np.count_nonzero(vectors.any(axis=1)))
            if output is None:
                text, _ = text_of_rows(vectors, shortest=True, separator=b" ", end=b"\n")
                sys.stdout.buffer.write(text)
                sys.stdout.buffer.flush()
            else:
                blocks.append(vectors)
    if n_unknown:
        ngram = "" if embeddings.subwords is None else " and no known n-gram"
        doubt(
            f"{n_unknown:,} of {counted(n_texts, 'text')} have no known word{ngram}, so their vectors are zeros: "
            "compare upper and lower case with the words of the model"
        )
    if output is not None:
        vectors = np.concatenate([np.zeros((0, embeddings.vector_size), np.float32), *blocks])
        with replacing(output, FormatError) as file:
            file.writelines(npy_blocks(vectors))
        _print(f"{output}: {counted(len(vectors), 'text')}, vector_size {embeddings.vector_size}")


def _export(arguments: argparse.Namespace) -> None:
    from .embeddings import load
    from .files.replacing import STANDARD_OUTPUT
    from .vectors.writer import format_of

    with flags_of_load("limit", "encoding"):
        embeddings = load(arguments.model, limit=arguments.limit, encoding=arguments.encoding)
    target = local_path(arguments.file, FormatError, output=True)
    written = format_of(target, arguments.format, subwords=embeddings.subwords)
    embeddings.export(target, arguments.format, space=arguments.space)
    # In a pipe this line would follow the vectors.
    if target != STANDARD_OUTPUT and (os.path.isfile(target) or os.path.isdir(target)):
        size = counted(len(embeddings), "word")
        if written == "floret" and embeddings.subwords is not None:
            size = counted(embeddings.subwords.ngrams.bucket, "row")
        _print(f"{target}: {size}, vector_size {embeddings.vector_size}, {written}")


def _plot(arguments: argparse.Namespace) -> None:
    from .embeddings import load
    from .pictures.picture import checked_place

    if sys.modules.get("scipy", sys) is None:  # `__main__` hides SciPy from Numba, but scikit-learn needs it.
        del sys.modules["scipy"]
    checked_place(arguments.output)  # It raises before anything is read.
    embeddings = load(arguments.model)
    if arguments.metrics:
        embeddings.plot_metrics(arguments.output)
        _print(f"{arguments.output}: {counted(len(embeddings.metrics), 'record')} of the training")
        return
    words = None
    if arguments.words is not None:
        given = _known(embeddings, arguments.words)
        _check_known(embeddings, given)
        words = [word for word in given.values() if word is not None]
    embeddings.plot(words, top=arguments.top, method=arguments.method, seed=arguments.seed, path=arguments.output)
    n_words = min(arguments.top, len(embeddings)) if words is None else len(dict.fromkeys(words))
    _print(f"{arguments.output}: a map of {counted(n_words, 'word')}")


def _info(arguments: argparse.Namespace) -> None:
    from .embeddings import MODEL_MANIFEST, load
    from .files.manifest import read_manifest
    from .text.prepared import PREPARED_MANIFEST, is_prepared, open_prepared

    folder = Path(local_path(arguments.folder, FolderError))
    if is_prepared(folder):
        open_prepared(folder)  # It raises if the folder is damaged.
        record = read_manifest(folder, PREPARED_MANIFEST, "prepared")
    elif arguments.folder == "-" or folder.is_file():
        embeddings = load(arguments.folder)
        record = {"format": "vectors", "n_words": len(embeddings), "vector_size": embeddings.vector_size}
        if embeddings.subwords is not None:
            record["subwords"] = embeddings.subwords.ngrams._asdict() | _subwords_record(embeddings.subwords)
    else:
        embeddings = load(folder)
        record = read_manifest(folder, MODEL_MANIFEST, "model")
        record["chunks"] = len(embeddings.metrics)
        loss = embeddings.metrics[-1].get("loss") if embeddings.metrics else None
        if embeddings.subwords is not None:
            record["subwords"] = {**record.get("subwords", {}), **_subwords_record(embeddings.subwords)}
        record["final_loss"] = round(loss, 4) if isinstance(loss, float) and math.isfinite(loss) else None
    if folder.is_dir():
        files = (path for path in sorted([*folder.glob("*"), *folder.glob("*/*")]) if path.is_file())
        record["bytes"] = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    if arguments.json:
        _print_json(record)
        return
    for key, value in record.items():
        if isinstance(value, dict):
            _print(f"{key}:")
            for name, item in value.items():
                _print(f"  {name}: {item}")
        else:
            _print(f"{key}: {value}")


def _subwords_record(subwords: "Subwords") -> dict[str, Any]:
    """Return what `info` reports of the rows of words and n-grams."""
    n_bytes = sum(matrix.nbytes for matrix in (subwords.rows, subwords.buckets, subwords.bucket_rows))
    return {
        "rows": len(subwords.rows),
        "buckets_reached": len(subwords.buckets),
        "share_of_buckets": round(len(subwords.buckets) / subwords.ngrams.bucket, 4),
        "MB": round(n_bytes / 1e6, 1),
    }


def _demo(arguments: argparse.Namespace) -> None:
    from . import demo

    demo.run()


def _print(line: str) -> None:
    print(printable(line))


def _print_json(record: Any) -> None:
    print(json.dumps(record, indent=2))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    _open_standard_streams()
    return run_command(
        build_parser,
        argv,
        _remark,
        lambda error: f"out of memory ({error}): lower --vector-size or --max-vocab, or use a larger machine",
    )


def run_command(
    parser: Callable[[], argparse.ArgumentParser],
    argv: Sequence[str] | None,
    remark: Callable[[str], None],
    out_of_memory: Callable[[MemoryError], str],
) -> int:
    """Parse the arguments, call ``arguments.run(arguments)``, and turn exceptions into one line and an exit code."""

    def fail(message: str) -> int:
        remark(f"error: {printable(' '.join(message.splitlines()))}")
        return EXIT_ERROR

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        remark(f"warning: {message}" if issubclass(category, FastW2VWarning) else f"{category.__name__}: {message}")

    try:
        with warnings.catch_warnings(), options_as_flags():
            warnings.showwarning = show
            warnings.simplefilter("always", FastW2VWarning)
            arguments = parser().parse_args(argv)
            arguments.run(arguments)
            sys.stdout.flush()
    except FastW2VError as error:
        return fail(str(error))
    except BrokenPipeError:  # The reader has stopped reading, as in `| head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return fail(f"{place}{error.strerror or error}")
    except MemoryError as error:
        return fail(out_of_memory(error))
    except KeyboardInterrupt as interrupt:
        remark(f"interrupted{'; ' * bool(str(interrupt))}{interrupt}")
        return EXIT_INTERRUPTED
    except Terminated as terminated:
        remark(f"terminated; {terminated}")
        return EXIT_TERMINATED
    return 0


def _open_standard_streams() -> None:
    """Replace closed standard streams with the null device, so that no other file gets their descriptors."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _remark(text: str) -> None:
    with suppress(OSError):  # Standard error is closed.
        print(f"fastw2v: {printable(text)}", file=sys.stderr, flush=True)
