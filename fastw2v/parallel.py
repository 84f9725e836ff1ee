"""One thread per worker: the only place where kernels run in parallel.

The Hogwild contract (Niu et al., "Hogwild!: a lock-free approach to parallelizing stochastic gradient descent",
2011). Races, and may: rows of V and U, where two workers can update the same row at once and one of the two
additions be lost; updates are sparse, so it is rare, and stochastic gradient descent tolerates it. Must not race:
random streams, scratch and tallies; each worker has rows of its own, a whole number of cache lines apart.

Worker w starts with span w. Further spans are taken by whoever is free, so that a core that other programs slow down
does not keep the others waiting.

Numba's threads (``prange``) can't be entered everywhere: GNU OpenMP ends or hangs a process forked from one that had
used it, workqueue aborts when two threads enter at once, and the layer that NUMBA_THREADING_LAYER names may be absent.
There the same spans run on Python threads, since kernels release the GIL: as fast (see ``bench/NOTES.md``), and nothing
is inherited.
"""

import itertools
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
_PROCESS = os.getpid()


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
        tokens, negatives, integers, floats = _scratch(window, negative, width, tiling)
        return cls(
            rng=rng,
            tokens=aligned_zeros(workers, tokens, np.int32),
            negatives=aligned_zeros(workers, negatives, np.int32),
            integers=aligned_zeros(workers, integers, np.int32),
            floats=aligned_zeros(workers, floats, np.float32),
            tally=aligned_zeros(workers, TALLY_WIDTH, np.float64),
            tiling=tiling,
        )


def _scratch(window: int, negative: int, width: int, tiling: Tiling | None) -> tuple[int, int, int, int]:
    if tiling is None:
        return PIECE + 2 * window, negative, 1, width
    tokens, integers, floats = span_scratch(tiling, window, width)
    return tokens, 2 * tiling.shared, integers, floats


def bytes_of_workers(workers: int, window: int, negative: int, width: int, tiling: Tiling | None = None) -> int:
    """Return how much memory `Workers.create` will take."""
    scratch = sum(-(-4 * length // CACHE_LINE) * CACHE_LINE for length in _scratch(window, negative, width, tiling))
    return workers * (scratch + 2 * CACHE_LINE)


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
    """Train the spans between ``cuts`` (from `spans.cut`) with as many threads as workers; safe to call from anywhere.

    As a rule that is `train_chunk`, or `tile_chunk` if the workers have a tiling. One worker runs in the calling
    thread; Python threads run the others where Numba's can't be entered: in a forked or other child process, while
    another thread of this one is there, or where no threading layer can be loaded. With one worker the result does not
    depend on the number of spans. ``vector_size`` is the number of columns in use, by default all of them; the tile
    kernel leaves the others alone.

    Raises:
        ValueError: the tile kernel needs rows of a multiple of 16 columns, next to each other (`aligned_zeros`).
    """
    ids, offsets, cuts = np.ascontiguousarray(ids), np.ascontiguousarray(offsets), np.asarray(cuts, np.int64)
    noise, keep = np.ascontiguousarray(noise), np.ascontiguousarray(keep)
    model: tuple[Any, ...] = (V, U, noise, keep, int(window), int(negative))
    own: tuple[Any, ...] = (workers.rng, workers.tokens, workers.negatives)
    rates = float(alpha), float(alpha_step)
    tiling = workers.tiling
    train: Any
    if tiling is None:
        train, model, own = train_span, (*model, *rates), (*own, workers.floats, workers.tally)
    elif all(M.flags.c_contiguous and M.shape[1] % 16 == 0 for M in (V, U)):
        model = (*model, int(vector_size or V.shape[1]), *tiling, *rates)
        train, own = tile_span, (*own, workers.integers, workers.floats, workers.tally)
    else:
        raise ValueError(f"V and U have shape {V.shape}: the tile kernel needs matrices from kernels.aligned_zeros")
    count = len(workers.rng)
    if count == 1 or not _numba_has_threads() or not ENTRY.acquire(blocking=False):
        _in_python_threads(train, ids, offsets, cuts, model, own)
        return
    try:
        before = numba.get_num_threads()
        numba.set_num_threads(min(count, MAX_THREADS))
        taken = np.full(1, count, np.int64)
        try:
            if tiling is None:
                train_chunk(ids, offsets, cuts, *model, *own, taken)  # type: ignore[call-arg]
            else:
                span = address_of(tile_span, ids, offsets, 0, 0, *model, *(rows[0] for rows in own))
                tile_chunk(span, ids, offsets, cuts, *model, *own, taken)  # type: ignore[call-arg]
        finally:
            numba.set_num_threads(before)
    finally:
        ENTRY.release()


def _numba_has_threads() -> bool:
    """Tell whether this process may enter Numba's threads; a child can't know what its parent did with OpenMP."""
    if os.getpid() != _PROCESS or multiprocessing.parent_process() is not None:
        return False
    try:
        numba.get_num_threads()  # loads the threading layer
    except ValueError:
        return False
    return True


def _in_python_threads(
    train: Callable[..., None],
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    cuts: NDArray[np.int64],
    model: tuple[Any, ...],
    own: tuple[Any, ...],
) -> None:
    """Do what `train_chunk` and `tile_chunk` do, with the span kernel ``train``; one worker in the calling thread."""
    count = len(own[0])
    free = itertools.count(count)  # advances in one step, whichever thread asks

    def work(w: int) -> None:
        mine = [rows[w] for rows in own]
        k = w
        while k < len(cuts) - 1:
            train(ids, offsets, int(cuts[k]), int(cuts[k + 1]), *model, *mine)
            k = next(free)

    if count == 1:
        work(0)
        return
    with ThreadPoolExecutor(min(count, MAX_THREADS)) as pool:
        for done in [pool.submit(work, w) for w in range(count)]:
            done.result()
