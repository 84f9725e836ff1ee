"""``quality``: scores of every program's vectors after the same work, beside the time and memory that they took.

The same evaluator (`fastw2v.evaluate_similarity`, `fastw2v.evaluate_analogies`) reads what each program saved. A seed
is one round: every system once for each number of epochs, each in a process of its own (bench/systems.py), so that time
and peak memory are those a user sees. More epochs give the curve of score against time; each is a run of its own, with
its own schedule of the learning rate, as somebody would choose who has that time.

Every run is a line of its own, so that a bench of hours can be made in parts: systems, epochs and seeds at will.
"""

import argparse
from pathlib import Path
from typing import Any

from corpora import synthetic
from fastw2v import evaluate_analogies, evaluate_similarity
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.vocab import Vocab

from . import peers, systems
from .systems import Job, System

HELP = "scores, time and memory of every peer's vectors after the same epochs, several seeds"
RESTRICT_VOCAB = 30_000


def scored(score: float | None, attempted: int, total: int) -> dict[str, Any]:
    """Return one score in per cent, and how much of its file was asked."""
    return {"score": None if score is None else round(100 * score, 2), "attempted": attempted, "total": total}


def scores(system: System, job: Job, vocab: Vocab, similarity: list[Path], analogies: list[Path]) -> dict[str, Any]:
    """Evaluate what a run saved: 100 x Spearman's correlation, and per cent of the attempted analogies."""
    embeddings = systems.in_order(systems.load_vectors(system, job), vocab)
    found = {}
    for path in similarity:
        pairs = evaluate_similarity(embeddings, path)
        found[path.stem] = scored(pairs.spearman, pairs.attempted, pairs.total)
    for path in analogies:
        questions = evaluate_analogies(embeddings, path, restrict_vocab=RESTRICT_VOCAB)[-1]
        found[path.stem] = scored(questions.accuracy, questions.attempted, questions.total)
    return {"restrict_vocab": RESTRICT_VOCAB, "scores": found}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    peers.add_choice(parser)
    parser.add_argument("--similarity", type=Path, action="append", default=[], metavar="FILE", help="repeat for more")
    parser.add_argument("--analogies", type=Path, action="append", default=[], metavar="FILE", help="repeat for more")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N", help="default: 1 2 3")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 5], metavar="N", help="default: 1 5")
    parser.add_argument("--vector-size", type=int, default=TrainConfig().vector_size, metavar="N", help="default: 100")


def run(arguments: argparse.Namespace) -> None:
    """Run, score and record; without evaluation files a synthetic text's planted answers are asked."""
    found = systems.chosen(arguments.systems, arguments.pword2vec)
    seeds, epochs = (
        (arguments.seeds[:1], arguments.epochs[:1]) if arguments.quick else (arguments.seeds, arguments.epochs)
    )
    files = "".join(f" --similarity {path.name}" for path in arguments.similarity)
    files += "".join(f" --analogies {path.name}" for path in arguments.analogies)
    command = (
        f"python -m bench quality{peers.choice_of(arguments)}{files} --epochs {' '.join(map(str, arguments.epochs))} "
        f"--seeds {' '.join(map(str, arguments.seeds))} --vector-size {arguments.vector_size}"
    )
    configs = [
        TrainConfig(vector_size=arguments.vector_size, epochs=count, seed=seed, workers=usable_cores())
        for seed in seeds
        for count in epochs
    ]
    with peers.text_of(arguments.corpus, peers.tokens_of(arguments)) as (text, corpus, sizes):
        similarity, analogies = arguments.similarity, arguments.analogies
        if arguments.corpus is None and not similarity + analogies:
            planted_analogies, planted_similarity = synthetic.answer_paths(text)
            similarity, analogies = [planted_similarity], [planted_analogies]

        def look(system: System, job: Job) -> dict[str, Any]:
            return scores(system, job, corpus.vocab, similarity, analogies)

        peers.run_all("quality", command, found, text, sizes, configs, arguments.quick, look)


def blocks() -> dict[str, str]:
    """Return no table yet."""
    return {}
