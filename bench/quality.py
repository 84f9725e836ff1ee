"""``quality``: what the whole command gives on a real corpus, from text to scores.

Each seed is one ``fastw2v train`` in a process of its own, so that time and peak memory are those a user sees.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

from fastw2v import evaluate_analogies, evaluate_similarity, load

from . import record
from .command import measured


def run(arguments: argparse.Namespace) -> None:
    """Train with every seed, score, and record each run, the means and the spreads."""
    if arguments.kernel:
        arguments.option.append(f"--kernel={arguments.kernel}")
    runs = []
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as temporary:
        for seed in range(1, arguments.seeds + 1):
            folder = Path(temporary) / f"seed-{seed}"
            result: dict[str, Any] = {"seed": seed}
            result |= measured("train", arguments.corpus, "-o", folder, f"--seed={seed}", *arguments.option)
            embeddings = load(folder)
            progress = embeddings.metadata["progress"]
            result["train_seconds"] = progress["seconds"]
            result["tokens_per_s"] = round(progress["tokens"] / progress["seconds"])
            result["final_loss"] = round(embeddings.metrics[-1]["loss"], 4)
            for path in arguments.similarity:
                score = evaluate_similarity(embeddings, path)
                result[path.stem] = round(100 * (score.spearman or 0), 2)
                result[f"{path.stem}_attempted"] = f"{score.attempted}/{score.total}"
            for path in arguments.analogies:
                total = evaluate_analogies(embeddings, path)[-1]
                result[path.stem] = round(100 * (total.accuracy or 0), 2)
                result[f"{path.stem}_attempted"] = f"{total.attempted}/{total.total}"
            runs.append(result)
            config = embeddings.metadata["config"]
            sizes = embeddings.metadata["corpus"] | {"words": len(embeddings)}
    figures = [key for key, value in runs[0].items() if isinstance(value, (int, float)) and key != "seed"]
    options = "".join(f" --option={option}" for option in arguments.option)
    files = "".join(f" --similarity {path.name}" for path in arguments.similarity)
    files += "".join(f" --analogies {path.name}" for path in arguments.analogies)
    record.append(
        "quality",
        f"python -m bench quality {arguments.corpus.name}{files} --seeds {arguments.seeds}{options}",
        {
            "config": {key: value for key, value in config.items() if key != "seed"},
            "corpus": sizes,
            "restrict_vocab": 30_000,
            "runs": runs,
            "mean": {key: round(statistics.fmean(run[key] for run in runs), 3) for key in figures},
            "spread": {key: round(max(r[key] for r in runs) - min(r[key] for r in runs), 3) for key in figures},
        },
    )
