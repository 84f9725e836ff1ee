"""Find the option or command that a person may have meant by one of another program, or by a misspelt one."""

import difflib
from collections.abc import Iterable

_FILE = "give the file without an option"
_LABELS = "fastw2v trains no classifier of texts, but fastw2v.sklearn works in pipelines of scikit-learn"
_PHRASES = "fastw2v prepare joins phrases: prepare the text, then train on the prepared folder"
_STOPPING = "in Python, a callback can stop a run"
#: Options of word2vec.c, fastText, gensim and node2vec, in lower case and without dashes: the options here, of which a
#: command has one or none, and last what to do without them.
_MEANT: dict[str, tuple[str, ...]] = {
    "size": ("--vector-size",),
    "dim": ("--vector-size",),
    "dimensions": ("--vector-size",),
    "representationsize": ("--vector-size",),
    "ws": ("--window",),
    "windowsize": ("--window",),
    "neg": ("--negative",),
    "negatives": ("--negative",),
    "t": ("--sample",),
    "subsample": ("--sample",),
    "lr": ("--alpha",),
    "learningrate": ("--alpha",),
    "iter": ("--epochs",),
    "epoch": ("--epochs",),
    "thread": ("--workers",),
    "threads": ("--workers",),
    "numberwalks": ("--num-walks",),
    "mincount": ("--min-count",),
    "minalpha": ("--min-alpha",),
    "maxfinalvocab": ("--max-vocab",),
    "pretrainedvectors": ("--init-from",),
    "output": ("--output", _FILE),
    "o": ("--output", _FILE),
    "topn": ("-n", "--top"),
    "k": ("-n", "--top"),
    "train": (_FILE,),
    "input": (_FILE,),
    "corpusfile": (_FILE,),
    "sentences": (_FILE,),
    "binary": ("--format", "choose the format with fastw2v export"),
    "savevocab": ("vocab.tsv in the model folder has the vocabulary",),
    "saveoutput": ("omit it: the model folder has all vectors",),
    "readvocab": ("fastw2v prepare makes the vocabulary from the text",),
    "classes": ("fastw2v writes no classes of words",),
    "label": (_LABELS,),
    "phrases": (_PHRASES,),
    "phrasethreshold": (_PHRASES,),
    "phrasemincount": (_PHRASES,),
    "phrasescoring": (_PHRASES,),
    "connectorwords": (_PHRASES,),
    "earlystopping": (_STOPPING,),
    "patience": (_STOPPING,),
    "undirected": ("omit it: a file of edges is undirected unless you give --directed",),
    "cbow": ("fastw2v trains skip-gram only",),
    "sg": ("fastw2v trains skip-gram only: omit it",),
    "hs": ("fastw2v trains with negative sampling only",),
    "loss": ("fastw2v trains with negative sampling only",),
    "minn": ("--min-n",),
    "maxn": ("--max-n",),
    "wordngrams": (_LABELS,),
    "debug": ("omit it",),
    "verbose": ("omit it",),
    "lrupdaterate": ("omit it",),
    "batchwords": ("omit it",),
    "computeloss": ("omit it: the loss is always in metrics.jsonl",),
}
#: Commands of fastText, programs of word2vec and node2vec, and other names of our commands.
_COMMANDS = {
    "skipgram": "did you mean train? fastText's subwords are off here: --max-n 6 turns them on",
    "word2vec": "did you mean train?",
    "cbow": "fastw2v trains skip-gram only: did you mean train?",
    "supervised": _LABELS,
    "predict": _LABELS,
    "nn": "did you mean neighbors?",
    "distance": "did you mean neighbors?",
    "most-similar": "did you mean neighbors?",
    "analogies": "did you mean analogy?",
    "word-analogy": "did you mean analogy?",
    "compute-accuracy": "did you mean eval?",
    "evaluate": "did you mean eval?",
    "test": "did you mean eval?",
    "print-word-vectors": "did you mean encode, or export for the whole vocabulary?",
    "dump": "did you mean export?",
    "print-sentence-vectors": "did you mean encode?",
    "word2phrase": "did you mean prepare --phrases 1?",
    "phrases": "did you mean prepare --phrases 1?",
    "vocab": "did you mean prepare?",
    "node2vec": "did you mean graph?",
    "map": "did you mean plot?",
    "help": "did you mean --help?",
}


def command_hint(given: str, known: Iterable[str]) -> str:
    """Return what to write in place of a command that does not exist.

    Args:
        given: the command as it was given, such as ``skipgram``.
        known: the commands.
    """
    name, commands = given.lower().replace("_", "-"), list(known)
    if name in _COMMANDS:
        return _COMMANDS[name]
    close = difflib.get_close_matches(name, commands, n=1, cutoff=0.7)
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
    if joined in by_name:
        return f"did you mean {by_name[joined]}?"
    for meant in _MEANT.get(joined, ()):
        if not meant.startswith("-"):
            return meant
        if found := by_name.get(meant.replace("-", "")):
            return f"did you mean {found}?"
    longer = [option for option in options if option.startswith(f"--{name}")] if len(name) > 2 else []
    bare = {option.lstrip("-"): option for option in options if option.startswith("--")}
    close = longer or [bare[found] for found in difflib.get_close_matches(name.replace("_", "-"), bare, 1, cutoff=0.7)]
    return f"did you mean {close[0]}?" if close else None


def is_foreign(given: str) -> bool:
    """Return whether this is a long option with one dash: argparse would read ``-output`` as ``-o utput``."""
    name = given.split("=")[0]
    return len(name) > 2 and name[0] == "-" != name[1] and name[1:].replace("-", "").lower() in _MEANT
