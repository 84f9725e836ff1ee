"""``hogwild``: what shared rows cost where more cores train than this machine has: a model, a simulation, measurements.

Workers write rows of V and U without locks. The model asks of every touch of a row where its cache lines are, and how
often a step is computed from a row that somebody else has changed meanwhile. Time is counted in units of work: pairs
for the pair kernel, tiles for the tile kernel. All workers are equally fast; worker k starts k / N of a unit late. A
unit touches each of its rows once (the pair kernel: 1 row of V, 1 + K of U; the tile kernel: T of V, T + 2 window of U
around them, and the noise words that they share).

Closed form. Row i is touched ``rate[i]`` times a unit by each of N workers, independently, at random times (Poisson). A
worker's own cache keeps what it touched in the last t units, where t solves ``sum(1 - exp(-rate * t)) = rows that fit``
(Che's approximation of LRU); the shared cache likewise with N times the rate. So of the touches of a row

- own cache: nobody else has touched it since this worker did, within t: ``(1 - exp(-N rate t)) / N``
- another core's: somebody has, within t, and the last was another: ``(1 - exp(-N rate t)) (N - 1) / N``
- shared cache: not within t, but within the shared cache's time; else memory
- stale: another worker wrote it while this unit was at work: ``1 - (1 - rate)**(N - 1)``, since a unit touches a row at
  most once

For a row that is touched often the second is (N - 1) / N, however often that is: frequent words always come from
another core. Only fewer touches help, and the tile kernel has a tenth of the pair kernel's.

Simulation. The same questions are asked of units formed of a text by subsampling, windows and the alias table of noise
words, so of real repetitions instead of a Poisson process: a pair shares its words with the next, a tile with the tile
after it. It remembers for each row who touched it last, and when.

Time. A trained token takes what one worker needs here, measured, plus its lines from other cores, by the simulation, at
the latency of one line over the number that are under way at once (assumed). Groups of cores have a last-level
cache each; N workers fill as many groups as they need, and a row that is in the cache of another group costs as much as
one from another core. Two things limit all workers together. What they fetch from memory, by the closed form, has the
bandwidth. And a row is in one place at a time: of the row that is touched most, in ``h`` of N workers' units together,
each line moves ``h (N - 1) / N`` times, one move after the other, a latency each. Machines with more cores are
assumptions (`LARGE`); on the cores that are here the prediction stands beside a measurement.

Scores. What stale steps do to the vectors no model says: with evaluation files a text is trained on 1, 2, 4, ...
workers instead, and the scores stand side by side.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

import fastw2v
from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.records import Tiling
from fastw2v.vocab import Vocab

from . import peers, quality, record, report, systems, timing, vectorised
from .figure import COLOURS, GREY, Figure
from .ladder import corpus_for
from .steps import steps
from .timing import Ids

HELP = "a model of shared rows at 8 to 128 cores, checked by simulation and on the cores that are here"
CORES = (1, 2, 4, 8, 16, 32, 64, 128)
TOKENS = 4_000_000  # of the simulated text, at least a unit's work for each of 128 workers many times over
WORDS = (80_000, 1_000_000)
VECTOR_SIZES = (100, 300)
HOT = 1_000
SPEED_TOKENS = {"pair": 600_000, "tile": 4_000_000}
UNITS = {"pair": 400_000, "tile": 60_000}  # simulated, of all workers together
LINE = 64
OWN_CACHE = 1 << 20  # bytes of a core's L2
UNDER_WAY = 10  # lines that a core waits for at once; hardware has 12 to 48 buffers, and rows are prefetched

OWN, OTHER, SHARED, MEMORY, STALE = range(5)
SHARE_NAMES = ("own", "other", "stale")
MARKS_SAID = (
    "L: others' lines cost more than a tenth; M: memory bandwidth is the limit; R: the row that is touched most, which "
    "is in one place at a time; otherwise computing is."
)
MARKS = {"memory": " M", "others' lines": " L", "one row": " R", "computing": ""}


class Machine(NamedTuple):
    """Assumptions about a machine.

    Attributes:
        cores: how many at most.
        group: cores that share a last-level cache.
        shared_cache: bytes of the last-level cache of one group.
        bandwidth: bytes a second from memory that all cores together can have in practice.
        latency: nanoseconds for a line to come from another core, on average over the cores.
    """

    cores: int
    group: int
    shared_cache: int
    bandwidth: float
    latency: float


HERE = "as here"
LARGE = {
    "one socket, 64 cores, 12 channels DDR5": Machine(64, 8, 32 << 20, 320e9, 100.0),
    "two such sockets, 128 cores": Machine(128, 8, 32 << 20, 600e9, 160.0),
}


def machines(cores: int, bandwidth: float, latency: float) -> dict[str, Machine]:
    """Return the assumed machines, and the one at hand as it was measured; its 32 MB of shared cache are assumed."""
    return {HERE: Machine(cores, cores, 32 << 20, bandwidth, latency), **LARGE}


class Units(NamedTuple):
    """What each worker touches: ``rows[worker, unit, i]``, V's from n_words on, -1 for none; and how many there are."""

    rows: NDArray[np.int32]
    n_rows: int


# ------------------------------------------------------------------------------------------------- units of a text


def units_of(kernel: str, corpus: Ids, config: TrainConfig, workers: int, count: int) -> Units:
    """Form ``count`` units of work, divided among the workers, each from its own place of the text."""
    rng = np.random.default_rng(config.seed)
    per_worker = max(count // workers, 1)
    length = len(corpus.ids) // workers
    tiling = timing.tiling_of(kernel, corpus, config)
    rows: list[NDArray[np.int32]] = []
    for worker in range(workers):
        start, stop = worker * length, (worker + 1) * length
        block = vectorised.windows(corpus.ids, corpus.offsets, start, stop, corpus.keep, config.window, rng)
        if tiling is None:
            rows.append(pair_rows(block, corpus, config, per_worker, rng))
        else:
            rows.append(tile_rows(block, corpus, config, tiling, per_worker, rng))
    shortest = min(map(len, rows))
    return Units(np.stack([found[:shortest] for found in rows]), 2 * corpus.n_words)


def pair_rows(
    block: vectorised.Windows, corpus: Ids, config: TrainConfig, count: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Return the rows of the first pairs ``(pairs, 2 + K)``."""
    i, o = (where[:count] for where in np.nonzero(block.used))
    negatives = vectorised.draw_noise(corpus.noise, (len(i), config.negative), rng)
    centres, outsides = block.tokens[i], block.tokens[i + o - config.window]
    touched = np.column_stack([centres + corpus.n_words, outsides, negatives])
    return touched.astype(np.int32)


def tile_rows(
    block: vectorised.Windows, corpus: Ids, config: TrainConfig, tiling: Tiling, count: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Return the rows of the first tiles ``(tiles, T + T + 2 window + shared)``."""
    size, shared = tiling.centres, tiling.shared * tiling.strips
    n = min(len(block.tokens) // size, count)
    padded = np.concatenate([np.zeros(config.window, np.int64), block.tokens, np.zeros(config.window + size, np.int64)])
    span = size + 2 * config.window
    contexts = np.lib.stride_tricks.sliding_window_view(padded, span)[: n * size : size]
    centres = block.tokens[: n * size].reshape(n, size)
    negatives = vectorised.draw_noise(corpus.noise, (n, shared), rng)
    touched = np.concatenate([centres + corpus.n_words, contexts, negatives], axis=1)
    touched.sort(axis=1)  # a word that stands twice in a tile is touched once more, but its lines are there
    touched[:, 1:][touched[:, 1:] == touched[:, :-1]] = -1
    return touched.astype(np.int32)


# --------------------------------------------------------------------------------------------------- the simulation


@numba.njit
def simulate(rows: NDArray[np.int32], n_rows: int, own: float) -> NDArray[np.int64]:
    """Let all workers do their units side by side, and count what each touch of the second half of them meets.

    Args:
        rows: ``(workers, units, r)``, see `Units`.
        n_rows: of both matrices.
        own: units after which a row has left a worker's own cache.

    Returns:
        Counts of `OWN`, `OTHER`, neither (at `SHARED`), 0, and `STALE`.
    """
    workers, units, width = rows.shape
    writer = np.full(n_rows, -1, np.int32)
    written = np.full(n_rows, -1e18)
    counts = np.zeros(5, np.int64)
    for unit in range(units):
        for worker in range(workers):
            ended = unit + 1 + worker / workers
            for i in range(width):
                row = rows[worker, unit, i]
                if row < 0:
                    continue
                if unit >= units // 2:
                    if ended - written[row] > own:
                        counts[SHARED] += 1
                    elif writer[row] == worker:
                        counts[OWN] += 1
                    else:
                        counts[OTHER] += 1
                    if writer[row] != worker and written[row] > ended - 1:
                        counts[STALE] += 1
                writer[row] = worker
                written[row] = ended
    return counts


# -------------------------------------------------------------------------------------------------- the closed form


def expected_rates(kernel: str, corpus: Ids, config: TrainConfig) -> NDArray[np.float64]:
    """Return how often a unit touches each row by the frequencies alone, V's rows after U's, ``(2 n_words,)``."""
    kept = np.minimum(corpus.keep.astype(np.float64) / 2**32, 1) * corpus.counts
    positive = kept / kept.sum()
    noise = corpus.counts**config.ns_exponent
    noise = noise / noise.sum()
    tiling = timing.tiling_of(kernel, corpus, config)
    if tiling is None:
        return np.concatenate([positive + config.negative * noise, positive])

    def once(chance: NDArray[np.float64], draws: int) -> NDArray[np.float64]:
        return 1 - (1 - chance) ** draws

    span = tiling.centres + 2 * config.window
    drawn = once(noise, tiling.shared * tiling.strips)
    outside = 1 - (1 - once(positive, span)) * (1 - drawn)
    return np.concatenate([outside, once(positive, tiling.centres)])


def time_in_cache(rates: NDArray[np.float64], n_rows: float) -> float:
    """Return for how many units a row stays in a cache of ``n_rows``; infinite if all rows fit."""
    if np.count_nonzero(rates) <= n_rows:
        return float("inf")
    low, high = 0.0, 1.0
    while (1 - np.exp(-rates * high)).sum() < n_rows:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 - np.exp(-rates * middle)).sum() < n_rows else (low, middle)
    return high


def touches(rates: NDArray[np.float64], workers: int, own: float, shared: float) -> NDArray[np.float64]:
    """Return the touches a unit that meet each of `OWN`, `OTHER`, `SHARED`, `MEMORY`, and those that are `STALE`.

    Args:
        rates: of one worker, touches a unit.
        workers: N.
        own: units for which a row stays in a worker's own cache.
        shared: the same of the shared cache.
    """
    rates = rates[rates > 0]

    def within(units: float) -> NDArray[np.float64]:
        return np.ones_like(rates) if units == np.inf else 1 - np.exp(-workers * rates * units)

    found = np.zeros(5)
    recent, later = within(own), within(max(own, shared))
    found[OWN] = (rates * recent).sum() / workers
    found[OTHER] = (rates * recent).sum() * (workers - 1) / workers
    found[SHARED] = (rates * (later - recent)).sum()
    found[MEMORY] = (rates * (1 - later)).sum()
    found[STALE] = (rates * (1 - (1 - np.minimum(rates, 1)) ** (workers - 1))).sum()
    return found


# ------------------------------------------------------------------------------------------------- measured here


# Numba has no atomic operations on a CPU, so two threads can't wait for each other's writes there.
PING = r"""
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Alignas(128) atomic_long turn;
enum { ROUNDS = 1000000 };

static void *play(void *first) {
  for (long mine = (long)first; mine < 2 * ROUNDS; mine += 2) {
    while (atomic_load_explicit(&turn, memory_order_acquire) != mine) {}
    atomic_store_explicit(&turn, mine + 1, memory_order_release);
  }
  return 0;
}

int main(void) {
  struct timespec a, b;
  pthread_t other;
  clock_gettime(CLOCK_MONOTONIC, &a);
  pthread_create(&other, 0, play, (void *)1);
  play((void *)0);
  pthread_join(other, 0);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("%f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / (2.0 * ROUNDS));
  return 0;
}
"""


def line_latency(repeats: int) -> list[float]:
    """Return the nanoseconds in which a line that one thread wrote is seen by another, of each repeat.

    Raises:
        SystemExit: there is no gcc, or one core only.
    """
    if usable_cores() < 2:
        sys.exit("a line travels between two cores: hogwild needs as many")
    with tempfile.TemporaryDirectory(prefix="fastw2v-bench-") as folder:
        source, program = Path(folder) / "ping.c", Path(folder) / "ping"
        source.write_text(PING)
        systems.about("gcc")
        systems.compile_files("gcc", ("-O2", "-pthread"), [source], program)
        times = [subprocess.run([program], capture_output=True, text=True, check=True).stdout for _ in range(repeats)]
    return [float(each) for each in times]


def bandwidth(threads: int, megabytes: int = 256) -> float:
    """Return bytes a second of ``a + b -> c`` by so many threads, the three arrays together of this size."""
    n = (megabytes << 20) // (3 * 8 * threads)
    arrays = [tuple(np.full(n, 1.5) for _ in range(3)) for _ in range(threads)]
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            began = time.perf_counter()
            list(pool.map(lambda abc: np.add(abc[0], abc[1], out=abc[2]), arrays))
            best = max(best, threads * n * 4 * 8 / (time.perf_counter() - began))  # c's lines are read, too
    return best


def worker_counts() -> list[int]:
    """Return those of `CORES` that there are here."""
    return [count for count in CORES if count <= usable_cores()]


def speeds(corpus: Ids, kernel: str, config: TrainConfig, repeats: int) -> dict[str, Any]:
    """Train on 1, 2, 4, ... workers in turn; return nanoseconds of a trained token on one, and speed-ups of more."""
    counts = worker_counts()
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for _ in range(repeats):
        for count in counts:
            done = timing.train_kernel(kernel, corpus, config, count)
            rates[count].append(done.trained / done.seconds)
    return {
        "ns_a_token": timing.summary(1e9 / rate for rate in rates[1]),
        "speed_up": {
            str(count): timing.summary(a / b for a, b in zip(rates[count], rates[1], strict=True))
            for count in counts[1:]
        },
    }


# ------------------------------------------------------------------------------------------------- predictions


def tokens_of_unit(kernel: str, corpus: Ids, config: TrainConfig) -> float:
    """Return the trained tokens of a unit: T of a tile, 1 over the pairs of a token in long sentences of a pair."""
    tiling = timing.tiling_of(kernel, corpus, config)
    return 1 / (config.window + 1) if tiling is None else float(tiling.centres)


def shares(kernel: str, corpus: Ids, config: TrainConfig, workers: int, count: int) -> dict[str, Any]:
    """Return the touches of a trained token, and which share of them meets what, by the closed form and simulated."""
    units = units_of(kernel, corpus, config, workers, count)
    rates = expected_rates(kernel, corpus, config)
    own = time_in_cache(rates, OWN_CACHE / row_bytes(config))
    counts = simulate(units.rows, units.n_rows, min(own, 1e15))
    found = touches(rates, workers, own, own)

    def part(of: NDArray[Any], which: int) -> float:
        return round(float(of[which] / of[:STALE].sum()), 5)

    return {
        "touches_a_token": round(float(found[:STALE].sum() / tokens_of_unit(kernel, corpus, config)), 2),
        **{
            f"{name}_{how}": part(of, which)
            for how, of in (("model", found), ("simulated", counts))
            for name, which in (("own", OWN), ("other", OTHER), ("stale", STALE))
        },
    }


def row_bytes(config: TrainConfig) -> int:
    """Return the bytes of a row, in whole lines."""
    return LINE * -(-4 * config.vector_size // LINE)


def predict(
    kernel: str,
    corpus: Ids,
    config: TrainConfig,
    found: dict[str, Any],
    workers: int,
    own_time: float,
    machine: Machine,
) -> dict[str, Any]:
    """Return what the model says of so many workers on a machine.

    Args:
        kernel: "pair" or "tile".
        corpus: for its counts.
        config: for its options.
        found: `shares` of these workers.
        workers: N.
        own_time: nanoseconds of a trained token on one worker alone.
        machine: the machine.
    """
    rates = expected_rates(kernel, corpus, config)
    lines = row_bytes(config) // LINE
    own = time_in_cache(rates, OWN_CACHE / row_bytes(config))
    groups = -(-workers // machine.group)
    shared = time_in_cache(workers * rates, groups * machine.shared_cache / row_bytes(config))
    said = touches(rates, workers, own, shared)
    farther = said[MEMORY] / (said[SHARED] + said[MEMORY]) if said[SHARED] + said[MEMORY] > 0 else 0.0
    not_own = 1 - found["own_simulated"] - found["other_simulated"]  # in a shared cache or in memory
    of_memory, of_groups = not_own * float(farther), not_own * (1 - float(farther)) * (1 - 1 / groups)
    other_lines = found["touches_a_token"] * (found["other_simulated"] + of_groups) * lines
    waiting = other_lines * machine.latency / UNDER_WAY
    bytes_a_token = 2 * LINE * lines * found["touches_a_token"] * of_memory  # read and, some time, written back
    moves = float(rates.max()) / tokens_of_unit(kernel, corpus, config) * (workers - 1) / workers
    speed_ups = {
        "free": workers * own_time / (own_time + waiting),
        "memory": machine.bandwidth / bytes_a_token / (1e9 / own_time) if bytes_a_token else np.inf,
        "one row": own_time / (moves * machine.latency) if moves * machine.latency else np.inf,
    }
    least = min(speed_ups, key=lambda name: speed_ups[name])
    return {
        "speed_up": round(speed_ups[least], 2),
        "limited_by": least if least != "free" else "others' lines" if waiting > own_time / 10 else "computing",
        "other_lines": round(other_lines, 1),
        "memory_bytes": round(bytes_a_token),
        "memory_gb_s": round(bytes_a_token * speed_ups[least] / own_time, 1),
    }


def measure(corpora: dict[str, Ids], repeats: int, say: Callable[[str], None], divisor: int = 1) -> dict[str, Any]:
    """Measure latency, bandwidth and kernels here; simulate and predict for every kernel, vocabulary and size."""
    latencies = line_latency(repeats)
    say(f"a line from the other core: {latencies} ns")
    widths = {threads: bandwidth(threads) for threads in (1, usable_cores())}
    # the least latency: more is a thread that was not running
    assumed = machines(usable_cores(), max(widths.values()), min(latencies))
    say(f"bandwidth: {', '.join(f'{width / 1e9:.1f} GB/s on {threads}' for threads, width in widths.items())}")
    points = []
    for name, corpus in corpora.items():
        for vector_size in VECTOR_SIZES:
            config = TrainConfig(vector_size=vector_size, epochs=1)
            for kernel, count in UNITS.items():
                timed = speeds(timing.head(corpus, SPEED_TOKENS[kernel] // divisor), kernel, config, repeats)
                own_time = timed["ns_a_token"]["median"]
                rows = []
                for workers in CORES:
                    found = shares(kernel, corpus, config, workers, count // divisor)
                    predicted = {
                        label: predict(kernel, corpus, config, found, workers, own_time, machine)
                        for label, machine in assumed.items()
                        if workers <= machine.cores
                    }
                    rows.append({"workers": workers, **found, "predicted": predicted})
                rates = np.sort(expected_rates(kernel, corpus, config))
                hot = round(float(rates[-HOT:].sum() / rates.sum()), 4)
                point = {"corpus": name, "kernel": kernel, "vector_size": vector_size, "hot_share": hot}
                points.append(point | {"measured": timed, "rows": rows})
                ups = ", ".join(f"{up['median']} x on {count}" for count, up in timed["speed_up"].items())
                say(f"{name}, {kernel}, vector_size {vector_size}: {ups}")
    return {
        "assumed": {name: machine._asdict() for name, machine in LARGE.items()},
        "latency_ns": timing.summary(latencies),
        "bandwidth": {str(threads): round(width / 1e9, 1) for threads, width in widths.items()},
        "points": points,
    }


def measure_scores(
    text: Path, vocab: Vocab, similarity: list[Path], analogies: list[Path], seeds: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Train on a prepared folder with 1, 2, 4, ... workers and several seeds, as a user does; return the scores."""
    found = []
    for seed, count, kernel in itertools.product(range(1, seeds + 1), worker_counts(), SPEED_TOKENS):
        trained = fastw2v.train(text, workers=count, seed=seed, kernel=kernel, progress=False)
        seen = quality.scores(trained, vocab, similarity, analogies)["scores"]
        of = {"kernel": kernel, "workers": count, "seed": seed, "seconds": trained.metadata["progress"]["seconds"]}
        found.append(of | {"scores": {name: each["score"] for name, each in seen.items()}})
        say(f"{kernel}, {count} workers, seed {seed}: {found[-1]['seconds']} s, {found[-1]['scores']}")
    return found


# ------------------------------------------------------------------------------------------------------- the tables


def scores_table(result: report.Record) -> str:
    """Return mean scores by kernel and number of workers, with their standard errors, and the seconds of training."""
    names = list(result["runs"][0]["scores"])
    rows = []
    for kernel, count in dict.fromkeys((run["kernel"], run["workers"]) for run in result["runs"]):
        of = [run for run in result["runs"] if (run["kernel"], run["workers"]) == (kernel, count)]
        cells = []
        for name in names:
            each = [run["scores"][name] for run in of if run["scores"][name] is not None]
            error = f" ± {statistics.stdev(each) / len(each) ** 0.5:.1f}" if len(each) > 1 else ""
            cells.append(f"{statistics.fmean(each):.1f}{error}" if each else "")
        seconds = report.number(statistics.median(run["seconds"] for run in of))
        rows.append([kernel, str(count), *cells, seconds, str(len(of))])
    header = ["kernel", "workers", *(quality.LABELS.get(name, name) for name in names), "seconds", "seeds"]
    return (
        f"{report.markdown(header, rows)}\n\nMeans of the seeds with their standard errors; seconds: median, of "
        f"training alone, {result['epochs']} epochs of {result['corpus']['tokens'] / 1e6:.3g} M words of "
        f"{result['corpus']['name']}, {result['corpus']['words']:,} different ones. {report.source(result)}"
    )


def percent(share: float) -> str:
    """Return a share in per cent."""
    return report.number(100 * share) if share else "0"


def shares_table(result: report.Record) -> str:
    """Return where touched rows are found, closed form beside simulation, at the smallest vector_size."""
    rows = [
        [
            f"{point['kernel']}, {point['corpus']}",
            str(row["workers"]),
            report.number(row["touches_a_token"]),
            *(f"{percent(row[f'{name}_model'])} / {percent(row[f'{name}_simulated'])}" for name in SHARE_NAMES),
        ]
        for point in result["points"]
        if point["vector_size"] == VECTOR_SIZES[0]
        for row in point["rows"]
    ]
    header = ["", "cores", "rows a trained token", "in own cache, %", "in another core's, %", "stale, %"]
    return report.markdown(header, rows)


def predicted_cell(predicted: dict[str, Any] | None, measured: dict[str, Any] | None) -> str:
    """Return a predicted speed-up and what limits it, and behind a slash what was measured, with its spread."""
    if predicted is None:
        return ""
    said = f"{report.number(predicted['speed_up'])}{MARKS[predicted['limited_by']]}"
    return said + (f" / {report.number(measured['median'])} ({report.number(measured['spread'])})" if measured else "")


def by_machine(result: report.Record) -> list[tuple[str, str, dict[int, dict[str, Any]], dict[str, Any]]]:
    """Return what is predicted for each kind of run on each machine, by cores, and what was measured of it, if so."""
    found = []
    for point in result["points"]:
        label = f"{point['kernel']}, {point['corpus']}, vector_size {point['vector_size']}"
        for machine in (HERE, *result.get("assumed", {})):
            predicted = {
                row["workers"]: row["predicted"][machine] for row in point["rows"] if machine in row["predicted"]
            }
            found.append((label, machine, predicted, point["measured"]["speed_up"] if machine == HERE else {}))
    return found


def speed_table(result: report.Record) -> str:
    """Return the predicted speed-ups of the assumed machines."""
    rows = [
        [label, machine, *(predicted_cell(predicted.get(n), None) for n in CORES[1:])]
        for label, machine, predicted, _ in by_machine(result)
        if machine != HERE
    ]
    return report.markdown(["", "machine", *(f"{n} cores" for n in CORES[1:])], rows)


def measured_table(results: list[report.Record]) -> str:
    """Return the speed-ups that were measured beside those predicted, of one result a machine."""
    rows = [
        [label, report.cpu(result), *(predicted_cell(predicted.get(n), measured.get(str(n))) for n in CORES[1:])]
        for result in results
        for label, machine, predicted, measured in by_machine(result)
        if machine == HERE
    ]
    most = max(result["machine"]["usable_cores"] for result in results)
    width = sum(n <= most for n in CORES) + 1
    table = report.markdown(
        ["", "machine", *(f"{n} cores" for n in CORES[1:] if n <= most)], [row[:width] for row in rows]
    )
    said = "; ".join(
        f"{report.cpu(result)}: a line comes from another core in "
        f"{report.number(min(result['latency_ns']['each']))} ns (the least of {len(result['latency_ns']['each'])}); "
        "memory gives "
        + ", ".join(f"{width} GB/s to {threads} threads" for threads, width in result["bandwidth"].items())
        for result in results
    )
    return (
        f"Times the speed of one core, predicted / measured (median of runs in turn, in brackets the largest minus the "
        f"smallest). {MARKS_SAID}\n\n{table}\n\n{said}. Assumed for all: 32 MB of last-level cache. Of what is called "
        f"a core in a rented machine two may be one with two threads, which the model knows nothing of. "
        f"{report.source(*results)}"
    )


def traffic_table(result: report.Record) -> str:
    """Return the lines that a trained token gets from other cores, and what all workers get from memory a second."""
    rows = [
        [label, machine, *(
            f"{report.number(predicted[n]['other_lines'])} / {report.number(predicted[n]['memory_gb_s'])}"
            if n in predicted else "" for n in CORES[1:]
        )]
        for label, machine, predicted, _ in by_machine(result)
        if machine != HERE
    ]  # fmt: skip
    return report.markdown(["", "machine", *(f"{n} cores" for n in CORES[1:])], rows)


def section(result: report.Record) -> str:
    """Return the tables of a ``hogwild`` result, with what was assumed."""
    hot = ", ".join(
        f"{percent(point['hot_share'])} % ({point['kernel']}, {point['corpus']})"
        for point in result["points"]
        if point["vector_size"] == VECTOR_SIZES[0]
    )
    assumed = "; ".join(
        f"{name}: groups of {machine.group} cores with {machine.shared_cache >> 20} MB of last-level cache each, "
        f"{machine.bandwidth / 1e9:.0f} GB/s in practice, a line from another core in {machine.latency:g} ns"
        for name, machine in ((name, Machine(**facts)) for name, facts in result["assumed"].items())
    )
    return (
        "Where the rows are that a worker touches, and how often a step was computed from a row that another worker "
        f"changed meanwhile; closed form / simulation, vector_size {VECTOR_SIZES[0]}:\n\n{shares_table(result)}\n\n"
        f"The {HOT:,} rows that are touched most have this share of all touches: {hot}.\n\n"
        f"Times the speed of one core, predicted. {MARKS_SAID}\n\n{speed_table(result)}\n\n"
        "Cache lines that a trained token gets from other cores / GB/s from memory of all workers at the predicted "
        f"speed:\n\n{traffic_table(result)}\n\n"
        f"Measured: what a trained token takes on one core. Assumed: {UNDER_WAY} lines under way at once, "
        f"{OWN_CACHE >> 20} MB of own cache; {assumed}. The derivation is in bench/HOGWILD.md. {report.source(result)}"
    )


def newest(part: str) -> report.Record | None:
    """Return the newest result that has the model's "points", or the "runs" that were scored."""
    return next((result for result in reversed(report.shown("hogwild")) if part in result), None)


def one_a_machine() -> list[report.Record]:
    """Return the newest result with the model's points of each machine."""
    return list({report.cpu(result): result for result in report.shown("hogwild") if "points" in result}.values())


def blocks() -> dict[str, str]:
    """Return the newest tables."""
    found = {}
    if result := newest("points"):
        found["hogwild"] = section(result)
        found["hogwild-measured"] = measured_table(one_a_machine())
    if result := newest("runs"):
        found["hogwild-scores"] = scores_table(result)
    return found


def figures() -> dict[str, Figure]:
    """Return the picture of the newest result: predicted speed-ups of both kernels at the smallest vector_size."""
    result = newest("points")
    if result is None:
        return {}
    largest = max(one_a_machine(), key=lambda result: result["machine"]["usable_cores"])
    here = f"{report.cpu(largest)}: predicted, x measured"
    data: dict[str, dict[str, dict[str, list[float]]]] = {}
    for name, machine, points in [
        (here, HERE, largest["points"]),
        *(
            (f"predicted, cores as of {report.cpu(result)}: {name}", name, result["points"])
            for name in result["assumed"]
        ),
    ]:
        lines = data.setdefault(name, {})
        for point in points:
            if point["vector_size"] != VECTOR_SIZES[0]:
                continue
            rows = [row for row in point["rows"] if machine in row["predicted"]]
            ups = point["measured"]["speed_up"] if machine == HERE else {}
            lines[f"{point['kernel']}, {point['corpus']}"] = {
                "cores": [row["workers"] for row in rows],
                "speed_up": [row["predicted"][machine]["speed_up"] for row in rows],
                "measured_cores": [int(count) for count in ups],
                "measured": [up["median"] for up in ups.values()],
            }
    text = (
        "Speed-up over the number of cores: predicted (lines) and measured (crosses) on the machine with most cores "
        "that was there, and predicted on two assumed machines; the dotted line is one for each core"
    )
    return {"hogwild": Figure(text, data, draw, size=(12, 3.8))}


def draw(canvas: Any, data: Any) -> None:
    """Draw a plane a machine, a line a kernel and vocabulary with a cross where measured, both axes logarithmic."""
    for axes, (machine, lines) in zip(canvas.subplots(1, len(data)), data.items(), strict=True):
        most = max(line["cores"][-1] for line in lines.values())
        axes.loglog([1, most], [1, most], ":", color=GREY)
        for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
            axes.loglog(line["cores"], line["speed_up"], "-", color=colour, label=name)
            axes.loglog(line["measured_cores"], line["measured"], "x", color=colour)
        axes.set_xlabel("cores")
        axes.set_ylabel("times one core")
        axes.set_title(textwrap.fill(machine, 40), fontsize=8)
        axes.legend(fontsize=7)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument(
        "corpus", type=Path, nargs="?", help="a text or prepared folder instead of the smaller synthetic vocabulary"
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of what is timed, or seeds (default: 3)")
    parser.add_argument("--tokens", type=int, metavar="N", help="of the text that is scored (default: all)")
    parser.add_argument("--similarity", type=Path, action="append", default=[], metavar="FILE", help="score that, too")
    parser.add_argument("--analogies", type=Path, action="append", default=[], metavar="FILE", help="score that, too")
    parser.add_argument("--quick", action="store_true", help="one vocabulary, a tenth of the units: does it run?")


def run(arguments: argparse.Namespace) -> None:
    """Measure, simulate, predict, or with evaluation files score; record the result and print its tables."""
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    command = f"python -m bench hogwild{name} --repeats {arguments.repeats}{' --quick' * arguments.quick}"
    if arguments.similarity or arguments.analogies:
        run_scores(arguments, command)
        return
    config = TrainConfig(epochs=1)
    sizes, tokens, repeats, divisor = WORDS, TOKENS, arguments.repeats, 1
    if arguments.quick:
        sizes, tokens, repeats, divisor = WORDS[:1], TOKENS // 2, 1, 10
    corpora = {f"{n_words:,} words": timing.synthetic(tokens, n_words, config) for n_words in sizes}
    if arguments.corpus:
        real = corpus_for(arguments.corpus, tokens, config)
        corpora = {f"{real.name}, {real.n_words:,} words": real} | dict(list(corpora.items())[1:])
    with steps("hogwild", 2 + len(corpora) * len(VECTOR_SIZES) * len(UNITS)) as done:
        found = measure(corpora, repeats, done, divisor)
    print(section(record.append("hogwild", command, {"quick": arguments.quick, "repeats": repeats, **found})))


def run_scores(arguments: argparse.Namespace, command: str) -> None:
    """Score a text's vectors after training on 1, 2, 4, ... workers, record the result and print its table."""
    command += f" --tokens {arguments.tokens}" * (arguments.tokens is not None) + quality.files_of(arguments)
    seeds = 1 if arguments.quick else arguments.repeats
    with peers.text_of(arguments.corpus, peers.tokens_of(arguments)) as (text, corpus, sizes):
        with steps("hogwild", seeds * len(worker_counts()) * len(SPEED_TOKENS)) as done:
            ids = text.with_name("prepared")
            runs = measure_scores(ids, corpus.vocab, arguments.similarity, arguments.analogies, seeds, done)
        result = {"quick": arguments.quick, "corpus": sizes, "epochs": TrainConfig().epochs, "runs": runs}
        print(scores_table(record.append("hogwild", command, result)))
