"""Training by rounds on replicas of one model in one process, to measure the scores of merging without transport.

The arithmetic is that of nodes with one worker each. Every replica has matrices and a random stream of its own and
trains the ordinary kernel on its own range of tokens. At the end of a round the deltas of all replicas are merged. With
two cores two replicas train at once, which changes no result, because replicas share only what they read.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastw2v import Embeddings
from fastw2v.config import TrainConfig
from fastw2v.distributed.merging import add_delta, mean, parts, take_delta
from fastw2v.kernels.records import Rate, Text
from fastw2v.kernels.spans import cut
from fastw2v.machine import usable_cores
from fastw2v.text.corpus import Corpus
from fastw2v.training.replica import Replica

Matrix = NDArray[np.float32]


class Plan(NamedTuple):
    """How replicas train and when they are merged.

    Attributes:
        nodes: number of replicas.
        rate: factor on the learning rate of the options.
        rounds: rounds per epoch.
        hot_rows: the most frequent words, whose rows are merged at the end of every round.
        full_every: after so many rounds all rows are merged, and at the end of every epoch.
    """

    nodes: int
    rate: float
    rounds: int
    hot_rows: int
    full_every: int

    def rows(self, round_number: int, n_words: int) -> int:
        """Return how many rows are merged at the end of a round, counted from 1 within the epoch."""
        full = round_number % self.full_every == 0 or round_number == self.rounds
        return n_words if full else min(self.hot_rows, n_words)


def train(corpus: Corpus, config: TrainConfig, plan: Plan) -> Embeddings:
    """Train all epochs on ``plan.nodes`` replicas of one worker each; return the final model."""
    config = replace(config, alpha=plan.rate * config.alpha)
    n_tokens, n_words, size = len(corpus.ids), len(corpus.vocab), config.vector_size
    replicas = [Replica(corpus.vocab.counts, config, number) for number in range(plan.nodes)]
    text, bases = Text(corpus.ids, corpus.offsets), [matrix.copy() for matrix in replicas[0].model[:2]]
    deltas = [np.empty((n_words, size), np.float32) for _ in replicas]
    touched = [np.empty(n_words, np.uint8) for _ in replicas]
    merged = np.empty((n_words, size), np.float32)
    step = (config.min_alpha - config.alpha) / (n_tokens * config.epochs)

    def train_range(node: int, start: int, stop: int, before: int) -> None:
        """``before``: tokens that all nodes together had trained when the round began."""
        alpha = config.alpha + step * (before - plan.nodes * start)
        replicas[node].train(text, start, stop, Rate(alpha, step * plan.nodes))

    with ThreadPoolExecutor(usable_cores()) as pool:

        def merge(rows: int) -> None:
            for k, base in enumerate(bases):
                one = parts(rows, usable_cores())
                currents = [replica.model[k] for replica in replicas]
                arguments = [(base, currents, *part) for part in one]
                _all(pool, lambda part: merge_part(*part), arguments)

        def merge_part(base: Matrix, currents: Sequence[Matrix], start: int, stop: int) -> None:
            rows = slice(start, stop)
            for current, delta, marks in zip(currents, deltas, touched, strict=True):
                take_delta(current[rows], base[rows], delta[rows], marks[rows])
            mean([delta[rows] for delta in deltas], [marks[rows] for marks in touched], merged[rows])
            add_delta(base[rows], merged[rows], currents[0][rows])
            for current in currents[1:]:
                current[rows] = base[rows]

        for epoch in range(config.epochs):
            cuts = cut(corpus.offsets, 0, n_tokens, plan.rounds * plan.nodes)
            for number in range(plan.rounds):
                ranges = cuts[number * plan.nodes : (number + 1) * plan.nodes + 1]
                before = epoch * n_tokens + int(ranges[0])
                leased = [(n, int(ranges[n]), int(ranges[n + 1]), before) for n in range(plan.nodes)]
                _all(pool, lambda lease: train_range(*lease), leased)
                merge(plan.rows(number + 1, n_words))
    return Embeddings(corpus.vocab, bases[0][:, :size], bases[1][:, :size])


def _all(pool: ThreadPoolExecutor, function: Any, arguments: Sequence[Any]) -> None:
    for done in [pool.submit(function, each) for each in arguments]:
        done.result()
