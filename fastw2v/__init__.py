"""fastw2v: fast, trustworthy skip-gram embeddings on a CPU.

The first use of a public name loads all of them, and Numba with them. So the command ``fastw2v`` starts at once, and
can report an interruption even if Ctrl-C arrives while the rest is loading.
"""

from importlib import import_module

from ._version import __version__ as __version__

TYPE_CHECKING = False  # As in `typing`; importing that would take as long as everything else here.

if TYPE_CHECKING:
    from . import distributed as distributed
    from . import kernels as kernels
    from . import reference as reference
    from .config import TrainConfig as TrainConfig
    from .embeddings import Embeddings as Embeddings
    from .embeddings import load as load
    from .embeddings import load_word2vec_format as load_word2vec_format
    from .errors import ClusterError as ClusterError
    from .errors import ConfigError as ConfigError
    from .errors import CorpusError as CorpusError
    from .errors import DivergedError as DivergedError
    from .errors import FastW2VError as FastW2VError
    from .errors import FastW2VWarning as FastW2VWarning
    from .errors import FolderError as FolderError
    from .errors import FormatError as FormatError
    from .errors import MissingExtraError as MissingExtraError
    from .errors import Terminated as Terminated
    from .errors import UnknownWordError as UnknownWordError
    from .evaluate import evaluate_analogies as evaluate_analogies
    from .evaluate import evaluate_similarity as evaluate_similarity
    from .graphs.node2vec import Walks as Walks
    from .graphs.node2vec import random_walks as random_walks
    from .graphs.node2vec import train_graph as train_graph
    from .text.phrases import ENGLISH_CONNECTOR_WORDS as ENGLISH_CONNECTOR_WORDS
    from .text.phrases import FrozenPhrases as FrozenPhrases
    from .text.phrases import Phrases as Phrases
    from .text.prepared import prepare as prepare
    from .training.callbacks import Progress as Progress
    from .training.driver import train as train
    from .training.driver import train_ids as train_ids

_NAMES = {
    "config": ("TrainConfig",),
    "embeddings": ("Embeddings", "load", "load_word2vec_format"),
    "errors": (
        "ClusterError", "ConfigError", "CorpusError", "DivergedError", "FastW2VError", "FastW2VWarning", "FolderError",
        "FormatError", "MissingExtraError", "Terminated", "UnknownWordError",
    ),
    "evaluate": ("evaluate_analogies", "evaluate_similarity"),
    "text.phrases": ("ENGLISH_CONNECTOR_WORDS", "FrozenPhrases", "Phrases"),
    "graphs.node2vec": ("Walks", "random_walks", "train_graph"),
    "text.prepared": ("prepare",),
    "training.callbacks": ("Progress",),
    "training.driver": ("train", "train_ids"),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

_ELSEWHERE = {
    "gensim": "import fastw2v.gensim",
    "sklearn": "import fastw2v.sklearn",
    "Word2VecVectorizer": "from fastw2v.sklearn import Word2VecVectorizer",
} | {
    name: f"from fastw2v.gensim import {name}"
    for name in ("CallbackAny2Vec", "FastText", "KeyedVectors", "LineSentence", "Word2Vec")
}  # What stays out, because few programs need it, and how to get it.

__all__ = ["__version__", "distributed", "kernels", "reference", *_MODULE_OF]


if not TYPE_CHECKING:  # Otherwise a type checker would accept a misspelt name.

    def __getattr__(name: str) -> object:
        if name in _MODULE_OF:
            value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
        elif name in __all__:
            value = import_module(f".{name}", __name__)
        else:
            hint = f"; write: {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
