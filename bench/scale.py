"""``scale``: the same vocabulary in texts of growing length, synthetic: seconds, peak memory, and what was planted.

Each step is a command in a process of its own: `fastw2v prepare` and one epoch of `fastw2v train`. Text of one length
is the beginning of the longer one. A pair of twins counts as found if each is the other's nearest neighbour.
"""

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path
from typing import Any

from corpora import synthetic
from fastw2v import evaluate_analogies, evaluate_similarity, load

from . import record, report
from .command import measured

QUICK = 100  # divides tokens and words


def found(model: Path, text: Path, planted: synthetic.Planted) -> dict[str, float]:
    """Return how much of what was planted a model found, in per cent (of twins and questions), or times 100."""
    embeddings = load(model)
    seen = [a for pair in planted.twins for a in pair if a in embeddings]  # a short text does not show every word
    nearest = {a: embeddings.most_similar(a, topn=1)[0][0] for a in seen}
    mutual = [nearest.get(a) == b and nearest.get(b) == a for a, b in planted.twins]
    analogies, similarities = synthetic.answer_paths(text)
    return {
        "twins": round(100 * sum(mutual) / len(mutual), 1),
        "analogies": round(100 * (evaluate_analogies(embeddings, analogies)[-1].accuracy or 0), 1),
        "similarity": round(100 * (evaluate_similarity(embeddings, similarities).spearman or 0), 1),
    }


def measure(tokens: int, words: int, folder: Path) -> dict[str, Any]:
    """Write a text, prepare it and train on it."""
    text, prepared, model = folder / "text.txt", folder / "prepared", folder / "model"
    began = time.perf_counter()
    planted = synthetic.write(text, tokens=tokens, words=words, progress=True)
    result: dict[str, Any] = {"tokens": tokens, "written_seconds": round(time.perf_counter() - began, 2)}
    result["text_mb"] = round(text.stat().st_size / 1e6)
    result["prepare"] = measured("prepare", text, "-o", prepared, "--min-count=1")
    result["train"] = measured("train", prepared, "-o", model, "--epochs=1")
    result["words"] = len(load(model))
    result["found"] = found(model, text, planted)
    return result


def run(arguments: argparse.Namespace) -> None:
    """Measure every length, record the result and print its table."""
    divisor = QUICK if arguments.quick else 1
    lengths = [tokens // divisor for tokens in arguments.tokens]
    results = []
    for tokens in lengths:
        with tempfile.TemporaryDirectory(prefix="fastw2v-bench-", dir=arguments.scratch) as folder:
            results.append(measure(tokens, arguments.words // divisor, Path(folder)))
            print(results[-1])
    done = record.append(
        "scale",
        f"python -m bench scale --tokens {' '.join(map(str, arguments.tokens))} --words {arguments.words}"
        f"{' --quick' * arguments.quick}",
        {"quick": arguments.quick, "words": arguments.words // divisor, "lengths": results},
    )
    print(report.scale_table(done))
    if not arguments.quick:
        if importlib.util.find_spec("matplotlib"):
            draw(done, record.RESULTS / "scale.svg")
        else:
            print("matplotlib is not installed: no figure (pip install -e '.[plot]')")


def draw(result: dict[str, Any], path: Path) -> None:
    """Draw seconds and peak memory over the length of the text, as SVG; needs the extra ``plot``."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fastw2v"  # the same picture is the same file
    from matplotlib import pyplot

    figure, (time_axes, memory_axes) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    tokens = [length["tokens"] / 1e6 for length in result["lengths"]]
    for step, label in (("train", "train, one epoch"), ("prepare", "prepare")):
        time_axes.plot(tokens, [length[step]["seconds"] for length in result["lengths"]], "o-", label=label)
        memory_axes.plot(tokens, [length[step]["peak_rss_mb"] for length in result["lengths"]], "o-", label=label)
    time_axes.set_ylabel("seconds")
    memory_axes.set_ylabel("peak memory, MB")
    for axes in (time_axes, memory_axes):
        axes.set_xlabel("million tokens")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.spines[["top", "right"]].set_visible(False)
    time_axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
