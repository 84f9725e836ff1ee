"""gensim's names over fastw2v: change the import line of a program, and keep the rest.

``from fastw2v.gensim import Word2Vec``: it has gensim 4's arguments in gensim's order, with gensim's defaults. gensim
need not be installed, and is never imported. Training is that of `fastw2v.train`: skip-gram with negative sampling.

- ``sg=0``, gensim's default, asks for CBOW. It warns once and trains skip-gram. ``hs=1``, ``negative=0``,
  ``shrink_windows=False`` and ``null_word=1`` are errors.
- ``batch_words``, ``hashfxn``, ``sorted_vocab``, ``cbow_mean``, ``max_vocab_size``, ``queue_factor`` and the like are
  accepted and have no effect: there are no batches and no hashes, and words are counted exactly.
- `FastText` trains n-grams too, and makes vectors of words that it never saw.
- ``save`` writes a model folder of fastw2v, not a pickle; ``load`` reads it.
- ``import fastw2v.gensim as gensim`` serves a program that writes ``gensim.models.Word2Vec``: ``models``, ``utils`` and
  gensim's names of modules in them are this module.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from ..text.lines import LineSentence, PathLineSentences, Text8Corpus, simple_preprocess
from .words import RULE_DEFAULT, RULE_DISCARD, RULE_KEEP, CallbackAny2Vec, KeyedVectors, Word2Vec

if TYPE_CHECKING:
    from ..text.phrases import ENGLISH_CONNECTOR_WORDS, FrozenPhrases, Phrases
    from ..text.phrases import FrozenPhrases as Phraser
    from .subwords import (
        FastText,
        FastTextKeyedVectors,
        ft_ngram_hashes,
        load_facebook_model,
        load_facebook_vectors,
        save_facebook_model,
    )
else:
    _SUBWORDS = (
        *("FastText", "FastTextKeyedVectors", "ft_ngram_hashes"),
        *("load_facebook_model", "load_facebook_vectors", "save_facebook_model"),
    )
    _LATER = {
        "ENGLISH_CONNECTOR_WORDS": ("..text.phrases", "ENGLISH_CONNECTOR_WORDS"),
        "FrozenPhrases": ("..text.phrases", "FrozenPhrases"),
        "Phraser": ("..text.phrases", "FrozenPhrases"),  # gensim 4 keeps the name from gensim 3.
        "Phrases": ("..text.phrases", "Phrases"),
        **{name: (".subwords", name) for name in _SUBWORDS},
    }

    def __getattr__(name: str) -> object:
        """Load a name when it is first used: the kernels of phrases are a quarter of all that a training would load."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, of_module = _LATER[name]
        return globals().setdefault(name, getattr(import_module(module, __name__), of_module))


__all__ = [
    "ENGLISH_CONNECTOR_WORDS",
    "RULE_DEFAULT",
    "RULE_DISCARD",
    "RULE_KEEP",
    "CallbackAny2Vec",
    "FastText",
    "FastTextKeyedVectors",
    "FrozenPhrases",
    "KeyedVectors",
    "LineSentence",
    "PathLineSentences",
    "Phraser",
    "Phrases",
    "Text8Corpus",
    "Word2Vec",
    "ft_ngram_hashes",
    "load_facebook_model",
    "load_facebook_vectors",
    "save_facebook_model",
    "simple_preprocess",
]

# The modules of gensim that programs write before a name, as in gensim.models.word2vec.LineSentence.
models = utils = word2vec = fasttext = keyedvectors = phrases = callbacks = sys.modules[__name__]
