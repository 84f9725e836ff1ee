"""One thread per worker: the only place where kernels run in parallel.

The Hogwild contract (Niu et al., "Hogwild!: a lock-free approach to parallelizing stochastic gradient descent",
2011). Races, and may: rows of V and U, where two workers can update the same row at once and one of the two
additions be lost; updates are sparse, so it is rare, and stochastic gradient descent tolerates it. Must not race:
random streams, scratch and tallies; each worker has rows of its own, a whole number of cache lines apart.

Worker w starts with span w. Further spans are taken by whoever is free, so that a core that other programs slow down
does not keep the others waiting.
"""

import threading
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import prange
from numpy.typing import DTypeLike, NDArray

from ._jit import jit
from .pair import TALLY_WIDTH, train_span
from .sampling import spawn_streams
from .simd import COLUMNS_MULTIPLE, address_of, call_at, fetch_add
from .spans import PIECE
from .tile import Tiling, span_scratch, tile_span

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
        tokens: int32 scratch for the kept tokens of a piece or block.
        negatives: int32 scratch for noise words.
        integers: int32 scratch of the tile kernel.
        floats: float32 scratch: the gradient of a centre row, or the tile kernel's copies and logits.
        tally: float64 ``(workers, 8)``; columns LOSS, PAIRS, TRAINED, LOSS_PAIRS of `pair`.
        tiling: the size of tiles; None for the pairwise kernel.
    """

    rng: NDArray[np.uint64]
    tokens: NDArray[np.int32]
    negatives: NDArray[np.int32]
    integers: NDArray[np.int32]
    floats: NDArray[np.float32]
    tally: NDArray[np.float64]
    tiling: Tiling | None = None

    @classmethod
    def create(
        cls, workers: int, seed: int, window: int, negative: int, width: int, tiling: Tiling | None = None
    ) -> "Workers":
        """Allocate for ``width`` columns of V and U; the streams are spawned from the seed.

        Raises:
            ValueError: the tiling is no tiling.
        """
        if tiling is not None and (min(tiling) < 1 or tiling.shared % COLUMNS_MULTIPLE):
            raise ValueError(f"{tiling}: every size is at least 1, and shared a multiple of {COLUMNS_MULTIPLE}")
        rng = aligned_zeros(workers, 1, np.uint64)
        rng[:, 0] = spawn_streams(seed, workers)
        tokens, integers, floats, negatives = PIECE + 2 * window, 1, width, negative
        if tiling is not None:
            tokens, integers, floats = span_scratch(tiling, window, width)
            negatives = 2 * tiling.shared
        return cls(
            rng=rng,
            tokens=aligned_zeros(workers, tokens, np.int32),
            negatives=aligned_zeros(workers, negatives, np.int32),
            integers=aligned_zeros(workers, integers, np.int32),
            floats=aligned_zeros(workers, floats, np.float32),
            tally=aligned_zeros(workers, TALLY_WIDTH, np.float64),
            tiling=tiling,
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
    taken: NDArray[np.int64],
) -> None:
    """Let the workers train the spans ``[cuts[k], cuts[k + 1])``, all at the same time; see `pair.train_span`.

    The arguments from ``rng`` on have one row per worker (`Workers`). ``taken[0]`` is the number of workers: it counts
    the spans that are no longer free. Two calls must not meet in one process: use `run_chunk`.
    """
    for w in prange(len(rng)):
        k: Any = np.int64(w)
        while k < len(cuts) - 1:
            train_span(
                ids, offsets, cuts[k], cuts[k + 1], V, U, noise, keep, window, negative, alpha, alpha_step,
                rng[w], tokens[w], negatives[w], grad[w], tally[w],
            )  # fmt: skip
            k = fetch_add(taken, 0, 1)


@jit(parallel=True)
def tile_chunk(
    span: int,
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    cuts: NDArray[np.int64],
    V: NDArray[np.float32],
    U: NDArray[np.float32],
    noise: NDArray[np.uint64],
    keep: NDArray[np.uint32],
    window: int,
    negative: int,
    vector_size: int,
    centres: int,
    shared: int,
    strips: int,
    copies: int,
    alpha: float,
    alpha_step: float,
    rng: NDArray[np.uint64],
    tokens: NDArray[np.int32],
    negatives: NDArray[np.int32],
    integers: NDArray[np.int32],
    floats: NDArray[np.float32],
    tally: NDArray[np.float64],
    taken: NDArray[np.int64],
) -> None:
    """Let the workers train the spans ``[cuts[k], cuts[k + 1])`` in tiles, all at the same time; see `tile.tile_span`.

    ``span`` is the address of `tile_span` compiled for these arguments: it would take seconds to compile it in here
    again. The others are as for `train_chunk`.
    """
    for w in prange(len(rng)):
        k: Any = np.int64(w)
        while k < len(cuts) - 1:
            call_at(span, (
                ids, offsets, cuts[k], cuts[k + 1], V, U, noise, keep, window, negative, vector_size,
                centres, shared, strips, copies, alpha, alpha_step,
                rng[w], tokens[w], negatives[w], integers[w], floats[w], tally[w],
            ))  # fmt: skip
            k = fetch_add(taken, 0, 1)


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
    vector_size: int | None = None,
) -> None:
    """Call `train_chunk`, or `tile_chunk` if the workers have a tiling, alone in this process.

    There are as many threads as workers, and any number of spans: ``cuts`` from `spans.cut` are their bounds. With one
    worker the result does not depend on their number. ``vector_size`` is the number of columns in use, by default all
    of them; the tile kernel leaves the others alone.

    Raises:
        ValueError: the tile kernel needs rows of a multiple of 16 columns, next to each other (`aligned_zeros`).
    """
    ids, offsets, cuts = np.ascontiguousarray(ids), np.ascontiguousarray(offsets), np.asarray(cuts, np.int64)
    noise, keep = np.ascontiguousarray(noise), np.ascontiguousarray(keep)
    model: tuple[Any, ...] = (V, U, noise, keep, int(window), int(negative))
    own: tuple[Any, ...] = (workers.rng, workers.tokens, workers.negatives)
    rates = float(alpha), float(alpha_step)
    tiling = workers.tiling
    if tiling is not None and not all(M.flags.c_contiguous and M.shape[1] % 16 == 0 for M in (V, U)):
        raise ValueError(f"V and U have shape {V.shape}: the tile kernel needs matrices from kernels.aligned_zeros")
    with ENTRY:
        before = numba.get_num_threads()
        count = len(workers.rng)
        numba.set_num_threads(min(count, MAX_THREADS))
        taken = np.full(1, count, np.int64)
        try:
            if tiling is None:
                own += (workers.floats, workers.tally)
                train_chunk(ids, offsets, cuts, *model, *rates, *own, taken)  # type: ignore[call-arg]
            else:
                own += (workers.integers, workers.floats, workers.tally)
                model += (int(vector_size or V.shape[1]), *tiling, *rates)
                span = address_of(tile_span, ids, offsets, 0, 0, *model, *(rows[0] for rows in own))
                tile_chunk(span, ids, offsets, cuts, *model, *own, taken)  # type: ignore[call-arg]
        finally:
            numba.set_num_threads(before)
