"""One thread per worker: the only place where kernels run in parallel.

The Hogwild contract (Niu et al., "Hogwild!: a lock-free approach to parallelizing stochastic gradient descent",
2011). Races, and may: rows of V and U, where two workers can update the same row at once and one of the two
additions be lost; updates are sparse, so it is rare, and stochastic gradient descent tolerates it. Must not race:
random streams, scratch and tallies; each worker has rows of its own, a whole number of cache lines apart.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import prange
from numpy.typing import DTypeLike, NDArray

from ._jit import jit
from .pair import PIECE, TALLY_WIDTH, train_span
from .sampling import spawn_streams

CACHE_LINE = 64
_config: Any = numba.config
MAX_THREADS: int = _config.NUMBA_NUM_THREADS

#: Numba's workqueue threading layer aborts the process when two threads enter parallel kernels at once.
ENTRY = threading.Lock()


def aligned_zeros(rows: int, columns: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return zeros of shape ``(rows, width)``, width >= columns, every row a whole number of cache lines."""
    dtype = np.dtype(dtype)
    per_line = CACHE_LINE // dtype.itemsize
    width = -(-columns // per_line) * per_line
    raw = np.zeros(rows * width * dtype.itemsize + CACHE_LINE, np.uint8)
    skip = -raw.ctypes.data % CACHE_LINE
    return raw[skip : skip + rows * width * dtype.itemsize].view(dtype).reshape(rows, width)


@dataclass(frozen=True)
class Workers:
    """Everything that belongs to one worker alone, a row each.

    Attributes:
        rng: uint64 ``(workers, 8)``; column 0 is the stream's state.
        tokens: int32 scratch for the kept tokens of a piece.
        negatives: int32 scratch for the noise words of a pair.
        grad: float32 scratch for the gradient of a centre row.
        tally: float64 ``(workers, 8)``; columns LOSS, PAIRS, TRAINED of `pair`.
    """

    rng: NDArray[np.uint64]
    tokens: NDArray[np.int32]
    negatives: NDArray[np.int32]
    grad: NDArray[np.float32]
    tally: NDArray[np.float64]

    @classmethod
    def create(cls, workers: int, seed: int, window: int, negative: int, width: int) -> "Workers":
        """Allocate for ``width`` columns of V and U; the streams are spawned from the seed."""
        rng = aligned_zeros(workers, 1, np.uint64)
        rng[:, 0] = spawn_streams(seed, workers)
        return cls(
            rng=rng,
            tokens=aligned_zeros(workers, PIECE + 2 * window, np.int32),
            negatives=aligned_zeros(workers, negative, np.int32),
            grad=aligned_zeros(workers, width, np.float32),
            tally=aligned_zeros(workers, TALLY_WIDTH, np.float64),
        )


@jit(parallel=True)
def train_chunk(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    cuts: NDArray[np.int64],
    V: NDArray[np.float32],
    U: NDArray[np.float32],
    noise: NDArray[np.uint64],
    keep: NDArray[np.uint32],
    window: int,
    negative: int,
    alpha: float,
    alpha_step: float,
    rng: NDArray[np.uint64],
    tokens: NDArray[np.int32],
    negatives: NDArray[np.int32],
    grad: NDArray[np.float32],
    tally: NDArray[np.float64],
) -> None:
    """Let worker w train the span ``[cuts[w], cuts[w + 1])``, all at the same time; see `pair.train_span`.

    The arguments from ``rng`` on have one row per worker (`Workers`). Two calls must not
    meet in one process: use `run_chunk`.
    """
    for w in prange(len(cuts) - 1):
        train_span(
            ids, offsets, cuts[w], cuts[w + 1], V, U, noise, keep, window, negative, alpha, alpha_step,
            rng[w], tokens[w], negatives[w], grad[w], tally[w],
        )  # fmt: skip


def run_chunk(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    cuts: NDArray[np.int64],
    V: NDArray[np.float32],
    U: NDArray[np.float32],
    noise: NDArray[np.uint64],
    keep: NDArray[np.uint32],
    window: int,
    negative: int,
    alpha: float,
    alpha_step: float,
    workers: Workers,
) -> None:
    """Call `train_chunk` with as many threads as there are workers, alone in this process."""
    with ENTRY:
        before = numba.get_num_threads()
        numba.set_num_threads(min(len(cuts) - 1, MAX_THREADS))
        try:
            train_chunk(
                ids, offsets, cuts, V, U, noise, keep, window, negative, alpha, alpha_step,
                workers.rng, workers.tokens, workers.negatives, workers.grad, workers.tally,
            )  # fmt: skip
        finally:
            numba.set_num_threads(before)
