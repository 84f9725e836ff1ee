"""Find the option that a person may have meant by an option of another program, or by a misspelt option."""

import difflib
from collections.abc import Iterable

_SUBWORDS = "fastw2v trains whole words, without subwords"
_PHRASES = "fastw2v prepare joins phrases: prepare the text, then train on the prepared folder"
_STOPPING = "in Python, a callback can stop a run"
#: Options of word2vec.c, fastText and gensim, in lower case and without dashes, and the option or the advice here.
_MEANT = {
    "size": "--vector-size",
    "dim": "--vector-size",
    "dimensions": "--vector-size",
    "ws": "--window",
    "windowsize": "--window",
    "neg": "--negative",
    "negatives": "--negative",
    "t": "--sample",
    "subsample": "--sample",
    "lr": "--alpha",
    "learningrate": "--alpha",
    "iter": "--epochs",
    "epoch": "--epochs",
    "thread": "--workers",
    "threads": "--workers",
    "mincount": "--min-count",
    "minalpha": "--min-alpha",
    "maxfinalvocab": "--max-vocab",
    "pretrainedvectors": "--init-from",
    "output": "--output",
    "topn": "-n",
    "train": "give the text without an option",
    "input": "give the text without an option",
    "corpusfile": "give the text without an option",
    "sentences": "give the text without an option",
    "binary": "choose the format with fastw2v export",
    "savevocab": "vocab.tsv in the model folder has the vocabulary",
    "readvocab": "fastw2v prepare makes the vocabulary from the text",
    "classes": "fastw2v has no clusters of words",
    "phrases": _PHRASES,
    "phrasethreshold": _PHRASES,
    "phrasemincount": _PHRASES,
    "phrasescoring": _PHRASES,
    "connectorwords": _PHRASES,
    "earlystopping": _STOPPING,
    "patience": _STOPPING,
    "undirected": "omit it: edges of a file lead both ways unless you give --directed",
    "cbow": "fastw2v trains skip-gram only",
    "sg": "fastw2v trains skip-gram only: omit it",
    "hs": "fastw2v trains with negative sampling only",
    "loss": "fastw2v trains with negative sampling only",
    "minn": _SUBWORDS,
    "maxn": _SUBWORDS,
    "bucket": _SUBWORDS,
    "wordngrams": _SUBWORDS,
    "debug": "omit it",
    "verbose": "omit it",
    "lrupdaterate": "omit it",
    "batchwords": "omit it",
    "computeloss": "omit it: the loss is always in metrics.jsonl",
}

#: Commands of word2vec.c, fastText, gensim and node2vec, and the command or the advice here.
_MEANT_COMMANDS = {
    "word2vec": "train",
    "skipgram": "train",
    "cbow": "fastw2v trains skip-gram only, with train",
    "word2phrase": "give prepare the option --phrases",
    "phrases": "give prepare the option --phrases",
    "vocab": "prepare",
    "node2vec": "graph",
    "nn": "neighbors",
    "distance": "neighbors",
    "most-similar": "neighbors",
    "word-analogy": "analogy",
    "compute-accuracy": "eval",
    "evaluate": "eval",
    "print-word-vectors": "export",
    "print-sentence-vectors": "encode",
    "supervised": "fastw2v trains no classifier, but fastw2v.sklearn works in a pipeline of scikit-learn",
    "map": "plot",
}


def command_hint(given: str, known: Iterable[str]) -> str:
    """Return what to write in place of a command that does not exist.

    Args:
        given: the command as it was given, such as ``skipgram``.
        known: all commands.
    """
    commands = list(known)
    name = given.lower().replace("_", "-")
    meant = _MEANT_COMMANDS.get(name, "") if "train" in commands else ""
    if " " in meant:
        return meant
    close = [meant] if meant else difflib.get_close_matches(name, commands, n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else f"the commands are {', '.join(commands)}"


def hint(given: str, known: Iterable[str]) -> str | None:
    """Return what to write in place of an option that a command does not know, or None.

    Args:
        given: the option as it was given, such as ``-size`` or ``--vector_size=50``.
        known: the options of the command, such as ``--vector-size``.
    """
    options = list(known)
    name = given.split("=")[0].lstrip("-").lower()
    joined = name.replace("_", "").replace("-", "")
    by_name = {option.replace("-", "").replace("_", ""): option for option in options}
    meant = by_name.get(joined) or _MEANT.get(joined, "")
    if meant.startswith("-"):
        found = by_name.get(meant.replace("-", "").replace("_", ""))
        return f"did you mean {found}?" if found else None
    if meant:
        return meant
    close = difflib.get_close_matches(f"--{name.replace('_', '-')}", options, n=1, cutoff=0.7)
    return f"did you mean {close[0]}?" if close else None


def is_foreign(given: str) -> bool:
    """Return whether this is a long option with one dash: argparse would read ``-output`` as ``-o utput``."""
    name = given.split("=")[0]
    return len(name) > 2 and name[0] == "-" != name[1] and name[1:].replace("-", "").lower() in _MEANT
