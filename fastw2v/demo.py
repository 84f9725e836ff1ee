"""``fastw2v demo``: train on real text in under a minute, without a download."""

import time
from pathlib import Path

from .embeddings import Embeddings
from .screen import printable
from .text import pydocs
from .training.driver import train

FOLDER = Path("fastw2v-demo")
WORDS = ("file", "thread", "exception", "socket", "integer", "directory")


def neighbour_lines(embeddings: Embeddings, words: tuple[str, ...], topn: int) -> list[str]:
    """Return one line of nearest words for each word."""
    width = max(map(len, words))
    found = ((word, embeddings.most_similar(word, topn=topn)) for word in words)
    return [f"  {word:>{width}}  {', '.join(printable(near) for near, _ in nearest)}" for word, nearest in found]


def run() -> None:
    """Train on Python's own documentation into ./fastw2v-demo, then print neighbours and commands to try next."""
    began = time.perf_counter()
    print("Text: the documentation inside this Python (docstrings of the standard library, topics of help()).")
    embeddings = train(pydocs.sentences(), output=FOLDER, epochs=10)
    words = tuple(word for word in WORDS if word in embeddings)
    print("\nNearest words by cosine:")
    print("\n".join(neighbour_lines(embeddings, words, 6)))
    print(
        f"\n{embeddings.metadata['corpus']['tokens_read']:,} words of text to {len(embeddings):,} vectors "
        f"in {time.perf_counter() - began:.0f} s. The model folder is {FOLDER}. Next:\n"
        f"  fastw2v neighbors {FOLDER} tuple -n 5\n"
        f"  fastw2v export {FOLDER} vectors.bin\n"
        f"  fastw2v train YOUR_TEXT.txt -o my-model"
    )
