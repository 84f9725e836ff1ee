"""What some options may be, for code that also serves ``fastw2v --help``: this module loads nothing."""

from typing import Literal, TypeAlias, get_args

#: How to place the words of a map; see `pictures.points`.
Method: TypeAlias = Literal["tsne", "pca"]
METHODS: tuple[Method, ...] = get_args(Method)

#: How to score a pair of words that may be a phrase; see `text.joining`.
SCORINGS = ("default", "npmi")

#: How to write vectors; see `vectors.writer`.
Format: TypeAlias = Literal[
    "word2vec-bin", "word2vec-text", "glove", "npz", "projector", "model2vec", "fasttext-bin", "floret"
]
FORMATS: tuple[Format, ...] = get_args(Format)
