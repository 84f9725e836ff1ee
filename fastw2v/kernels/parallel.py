"""One thread per worker: the only place where kernels run in parallel.

Workers follow Hogwild (Niu et al., "Hogwild!: a lock-free approach to parallelizing stochastic gradient descent",
2011). Rows of V and U may race: two workers can update the same row at once, and one of the two additions is lost.
Updates are sparse, so that is rare, and stochastic gradient descent tolerates it. Random streams, scratch and tallies
must not race: each worker has its own rows, a whole number of cache lines apart.

Worker w starts with span w. A worker that is free takes the next span, so that a core that other programs slow down
does not keep the others waiting.

Numba's threads (``prange``) can't be entered everywhere. GNU OpenMP ends or hangs a process forked from one that used
it. workqueue aborts when two threads enter at once. The layer named by NUMBA_THREADING_LAYER may be missing. In these
cases the same spans run on Python threads, which is as fast (see ``bench/NOTES.md``), because kernels release the GIL.
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
from numpy.typing import NDArray

from ._jit import jit
from .pair import train_span
from .records import (
    CACHE_LINE,
    TALLY_WIDTH,
    Model,
    Rate,
    Sampling,
    Text,
    Tiling,
    Worker,
    aligned_zeros,
)
from .sampling import spawn_streams
from .simd import COLUMNS_MULTIPLE, address_of, call_at, fetch_add
from .spans import PIECE
from .tile import span_scratch, tile_span

_config: Any = numba.config
MAX_THREADS: int = _config.NUMBA_NUM_THREADS

#: Numba's workqueue threading layer aborts the process when two threads enter parallel kernels at once.
ENTRY = threading.Lock()
_PROCESS = os.getpid()


@dataclass(frozen=True)
class Workers:
    """The memory that each worker has alone, one row per worker.

    Attributes:
        rows: a `Worker` whose arrays have one row per worker, each a whole number of cache lines apart.
        tiling: the size of tiles; None for the pair kernel.
    """

    rows: Worker
    tiling: Tiling | None = None

    @classmethod
    def create(
        cls, workers: int, seed: int, window: int, negative: int, width: int, tiling: Tiling | None = None
    ) -> "Workers":
        """Allocate for ``width`` columns of V and U; the streams are spawned from the seed.

        Raises:
            ValueError: a size of the tiling is impossible.
        """
        if tiling is not None and (min(tiling) < 1 or tiling.shared % COLUMNS_MULTIPLE):
            raise ValueError(f"{tiling}: every size is at least 1, and shared a multiple of {COLUMNS_MULTIPLE}")
        rng = aligned_zeros(workers, 1, np.uint64)
        rng[:, 0] = spawn_streams(seed, workers)
        *lengths, floats = _scratch(window, negative, width, tiling)
        tokens, negatives, integers = (aligned_zeros(workers, length, np.int32) for length in lengths)
        tally = aligned_zeros(workers, TALLY_WIDTH, np.float64)
        return cls(Worker(rng, tokens, negatives, integers, aligned_zeros(workers, floats, np.float32), tally), tiling)

    def __len__(self) -> int:
        """Return how many workers there are."""
        return len(self.rows.rng)

    def __getitem__(self, w: int) -> Worker:
        """Return the record of worker w, whose arrays are views."""
        return Worker(*(array[w] for array in self.rows))


def _scratch(window: int, negative: int, width: int, tiling: Tiling | None) -> tuple[int, int, int, int]:
    if tiling is None:
        return PIECE + 2 * window, negative, 1, 3 * width
    tokens, integers, floats = span_scratch(tiling, window, width)
    return tokens, 2 * tiling.shared, integers, floats


def bytes_of_workers(workers: int, window: int, negative: int, width: int, tiling: Tiling | None = None) -> int:
    """Return how much memory `Workers.create` will take."""
    scratch = sum(-(-4 * length // CACHE_LINE) * CACHE_LINE for length in _scratch(window, negative, width, tiling))
    return workers * (scratch + 2 * CACHE_LINE)


@jit(parallel=True)
def train_chunk(
    text: Text,
    cuts: NDArray[np.int64],
    model: Model,
    sampling: Sampling,
    rate: Rate,
    workers: Worker,
    taken: NDArray[np.int64],
) -> None:
    """Let the workers train the spans ``[cuts[k], cuts[k + 1])``, all at the same time; see `pair.train_span`.

    ``workers`` has one row per worker (`Workers`). ``taken[0]`` starts as the number of workers and counts the
    spans that are no longer free. Two calls must not meet in one process: use `run_chunk`.
    """
    for w in prange(len(workers.rng)):
        worker = Worker(
            workers.rng[w], workers.tokens[w], workers.negatives[w],
            workers.integers[w], workers.floats[w], workers.tally[w],
        )  # fmt: skip
        k: Any = np.int64(w)
        while k < len(cuts) - 1:
            train_span(text, cuts[k], cuts[k + 1], model, sampling, rate, worker)
            k = fetch_add(taken, 0, 1)


@jit(parallel=True)
def tile_chunk(
    span: int,
    text: Text,
    cuts: NDArray[np.int64],
    model: Model,
    sampling: Sampling,
    tiling: Tiling,
    rate: Rate,
    workers: Worker,
    taken: NDArray[np.int64],
) -> None:
    """Let the workers train the spans ``[cuts[k], cuts[k + 1])`` in tiles, all at the same time; see `tile.tile_span`.

    ``span`` is the address of `tile_span` compiled for these arguments: to compile it again in here would take
    seconds. The other arguments are as for `train_chunk`.
    """
    for w in prange(len(workers.rng)):
        worker = Worker(
            workers.rng[w], workers.tokens[w], workers.negatives[w],
            workers.integers[w], workers.floats[w], workers.tally[w],
        )  # fmt: skip
        k: Any = np.int64(w)
        while k < len(cuts) - 1:
            call_at(span, (text, cuts[k], cuts[k + 1], model, sampling, tiling, rate, worker))
            k = fetch_add(taken, 0, 1)


def run_chunk(
    text: Text, cuts: NDArray[np.int64], model: Model, sampling: Sampling, rate: Rate, workers: Workers
) -> None:
    """Train the spans between ``cuts`` (from `spans.cut`) with as many threads as workers; safe to call from anywhere.

    This calls `train_chunk`, or `tile_chunk` if the workers have a tiling. A single worker runs in the calling thread.
    Python threads run several workers where Numba's threads can't be entered: in a child process, while another thread
    of this process is in them, or where no threading layer can be loaded. With one worker the result does not depend on
    the number of spans.

    Raises:
        ValueError: tiles and composed centre vectors need rows of a multiple of 16 columns, next to each other
            (`aligned_zeros`).
    """
    text, cuts = Text(*map(np.ascontiguousarray, text)), np.asarray(cuts, np.int64)
    parts = map(np.ascontiguousarray, (model.part_offsets, model.part_rows, model.part_shares))
    model = Model(model.V, model.U, int(model.vector_size), *parts)
    noise, keep = np.ascontiguousarray(sampling.noise), np.ascontiguousarray(sampling.keep)
    sampling = Sampling(noise, keep, int(sampling.window), int(sampling.negative))
    rate, tiling = Rate(float(rate.alpha), float(rate.step)), workers.tiling
    train: Any = train_span
    settings: tuple[Any, ...] = (model, sampling, rate)
    blocks = tiling is not None or len(model.part_offsets) > 0
    if blocks and not all(M.flags.c_contiguous and M.shape[1] % 16 == 0 for M in (model.V, model.U)):
        kernel = "the tile kernel" if tiling is not None else "a composed centre vector"
        raise ValueError(f"V and U have shape {model.V.shape}: {kernel} needs matrices from kernels.aligned_zeros")
    if tiling is not None:
        train, settings = tile_span, (model, sampling, tiling, rate)
    if len(workers) == 1 or not _numba_has_threads() or not ENTRY.acquire(blocking=False):
        _in_python_threads(train, text, cuts, settings, workers)
        return
    try:
        before = numba.get_num_threads()
        numba.set_num_threads(min(len(workers), MAX_THREADS))
        taken = np.full(1, len(workers), np.int64)
        try:
            if tiling is None:
                train_chunk(text, cuts, model, sampling, rate, workers.rows, taken)
            else:
                span = address_of(tile_span, text, 0, 0, *settings, workers[0])
                tile_chunk(span, text, cuts, model, sampling, tiling, rate, workers.rows, taken)
        finally:
            numba.set_num_threads(before)
    finally:
        ENTRY.release()


def _numba_has_threads() -> bool:
    """Tell whether this process may enter Numba's threads; a child can't know what its parent did with OpenMP."""
    if os.getpid() != _PROCESS or multiprocessing.parent_process() is not None:
        return False
    try:
        numba.get_num_threads()  # This loads the threading layer.
    except ValueError:
        return False
    return True


def _in_python_threads(
    train: Callable[..., None], text: Text, cuts: NDArray[np.int64], settings: tuple[Any, ...], workers: Workers
) -> None:
    """Train as `train_chunk` and `tile_chunk` do, with the span kernel ``train``; one worker runs in this thread."""
    free = itertools.count(len(workers))  # It advances in one step, whichever thread asks.

    def work(w: int) -> None:
        k = w
        while k < len(cuts) - 1:
            train(text, int(cuts[k]), int(cuts[k + 1]), *settings, workers[w])
            k = next(free)

    if len(workers) == 1:
        work(0)
        return
    with ThreadPoolExecutor(min(len(workers), MAX_THREADS)) as pool:
        for future in [pool.submit(work, w) for w in range(len(workers))]:
            future.result()
