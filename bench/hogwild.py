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
- stale: another worker wrote it while this unit was at work: ``1 - exp(-(N - 1) rate)``

For a row that is touched often the second is (N - 1) / N, however often that is: frequent words always come from
another core. Only fewer touches help, and the tile kernel has a tenth of the pair kernel's.

Simulation. The same questions are asked of units formed of a text by subsampling, windows and the alias table of noise
words, so of real repetitions instead of a Poisson process: a pair shares its words with the next, a tile with the tile
after it. It remembers for each row who touched it last, and when.

Time. A trained token takes what one worker needs here, measured, plus its lines from other cores, by the simulation, at
the measured latency of one line over the number that are under way at once (assumed). What all workers together fetch
from memory, by the closed form, is limited by bandwidth. Machines with more cores are assumptions (`MACHINES`).
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from fastw2v.config import TrainConfig
from fastw2v.machine import usable_cores
from fastw2v.tile import Tiling

from . import record, report, systems, timing, vectorised
from .figure import COLOURS, GREY, Figure
from .ladder import corpus_for
from .steps import steps
from .timing import Ids

HELP = "a model of shared rows at 8 to 128 cores, checked by simulation and on the cores that are here"
CORES = (1, 2, 8, 32, 64, 128)
TOKENS = 2_000_000  # of the simulated text, at least a unit's work for each of 128 workers many times over
WORDS = (80_000, 1_000_000)
VECTOR_SIZES = (100, 300)
HOT = 1_000
SPEED_TOKENS = {"pair": 400_000, "tile": 2_000_000}
UNITS = {"pair": 400_000, "tile": 60_000}  # simulated, of all workers together
LINE = 64
OWN_CACHE = 1 << 20  # bytes of a core's L2
UNDER_WAY = 10  # lines that a core waits for at once; hardware has 12 to 48 buffers, and rows are prefetched

OWN, OTHER, SHARED, MEMORY, STALE = range(5)
SHARE_NAMES = ("own", "other", "stale")
MARKS = {"memory": " M", "others' lines": " L", "computing": ""}


class Machine(NamedTuple):
    """Assumptions about a machine with many cores.

    Attributes:
        cores: how many at most.
        shared_cache: bytes of the last level, all of it.
        bandwidth: bytes a second from memory that all cores together can have in practice.
        latency_factor: how much longer a line takes from another core, on average, than between two cores here.
    """

    cores: int
    shared_cache: int
    bandwidth: float
    latency_factor: float


MACHINES = {
    "as here, two cores": Machine(2, 32 << 20, 40e9, 1.0),
    "one socket, 64 cores, 12 channels DDR5": Machine(64, 256 << 20, 320e9, 3.0),
    "two such sockets, 128 cores": Machine(128, 512 << 20, 600e9, 6.0),
}


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
    found[STALE] = (rates * (1 - np.exp(-(workers - 1) * rates))).sum()
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


def speeds(corpus: Ids, kernel: str, config: TrainConfig, repeats: int) -> dict[str, Any]:
    """Train on 1 and 2 workers in turn; return nanoseconds of a trained token on one, and the speed-up of two."""
    one, ups = [], []
    for _ in range(repeats):
        alone, both = (timing.train_kernel(kernel, corpus, config, count) for count in (1, 2))
        one.append(1e9 * alone.seconds / alone.trained)
        ups.append(both.trained / both.seconds / (alone.trained / alone.seconds))
    return {"ns_a_token": timing.summary(one), "speed_up_of_2": timing.summary(ups)}


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
    kernel: str, corpus: Ids, config: TrainConfig, found: dict[str, Any], workers: int, own_time: float, latency: float,
    machine: Machine,
) -> dict[str, Any]:  # fmt: skip
    """Return what the model says of so many workers on a machine.

    Args:
        kernel: "pair" or "tile".
        corpus: for its counts.
        config: for its options.
        found: `shares` of these workers.
        workers: N.
        own_time: nanoseconds of a trained token on one worker alone.
        latency: nanoseconds in which a line comes from another core here.
        machine: the machine.
    """
    rates = expected_rates(kernel, corpus, config)
    lines = row_bytes(config) // LINE
    own = time_in_cache(rates, OWN_CACHE / row_bytes(config))
    shared = time_in_cache(workers * rates, machine.shared_cache / row_bytes(config))
    said = touches(rates, workers, own, shared)
    farther = said[MEMORY] / (said[SHARED] + said[MEMORY]) if said[SHARED] + said[MEMORY] > 0 else 0.0
    of_memory = (1 - found["own_simulated"] - found["other_simulated"]) * float(farther)
    other_lines = found["touches_a_token"] * found["other_simulated"] * lines
    waiting = other_lines * latency * machine.latency_factor / UNDER_WAY
    bytes_a_token = 2 * LINE * lines * found["touches_a_token"] * of_memory  # read and, some time, written back
    free = workers * own_time / (own_time + waiting)
    limit = machine.bandwidth / bytes_a_token / (1e9 / own_time) if bytes_a_token else float("inf")
    return {
        "speed_up": round(min(free, limit), 2),
        "limited_by": "memory" if limit < free else "others' lines" if waiting > own_time / 10 else "computing",
        "other_lines": round(other_lines, 1),
        "memory_bytes": round(bytes_a_token),
        "stale": found["stale_simulated"],
    }


def measure(corpora: dict[str, Ids], repeats: int, say: Callable[[str], None], divisor: int = 1) -> dict[str, Any]:
    """Measure latency, bandwidth and kernels here; simulate and predict for every kernel, vocabulary and size."""
    latencies = line_latency(repeats)
    say(f"a line from the other core: {latencies} ns")
    widths = [bandwidth(threads) for threads in (1, 2)]
    say(f"bandwidth: {widths[0] / 1e9:.1f} GB/s on one thread, {widths[1] / 1e9:.1f} on two")
    latency = min(latencies)  # more is a thread that was not running
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
                        label: predict(kernel, corpus, config, found, workers, own_time, latency, machine)
                        for label, machine in MACHINES.items()
                        if workers <= machine.cores
                    }
                    rows.append({"workers": workers, **found, "predicted": predicted})
                rates = np.sort(expected_rates(kernel, corpus, config))
                hot = round(float(rates[-HOT:].sum() / rates.sum()), 4)
                point = {"corpus": name, "kernel": kernel, "vector_size": vector_size, "hot_share": hot}
                points.append(point | {"measured": timed, "rows": rows})
                say(f"{name}, {kernel}, vector_size {vector_size}: {timed['speed_up_of_2']['median']} x on two workers")
    return {
        "latency_ns": timing.summary(latencies),
        "bandwidth": [round(width / 1e9, 1) for width in widths],
        "points": points,
    }


# ------------------------------------------------------------------------------------------------------- the tables


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


def predicted_cell(predicted: dict[str, Any] | None) -> str:
    """Return a predicted speed-up and what limits it."""
    return f"{report.number(predicted['speed_up'])}{MARKS[predicted['limited_by']]}" if predicted else ""


def speed_table(result: report.Record) -> str:
    """Return predicted speed-ups, and those measured on two cores."""
    rows = []
    for point in result["points"]:
        up = point["measured"]["speed_up_of_2"]
        here = f"{report.number(up['median'])} ({report.number(up['spread'])})"
        for machine in MACHINES:
            predicted = {
                row["workers"]: row["predicted"][machine] for row in point["rows"] if machine in row["predicted"]
            }
            cells = [predicted_cell(predicted.get(n)) for n in CORES[1:]]
            label = f"{point['kernel']}, {point['corpus']}, vector_size {point['vector_size']}"
            rows.append([label, machine, here, *cells])
    header = ["", "assumed machine", "2 cores, measured here", *(f"{n} cores" for n in CORES[1:])]
    return report.markdown(header, rows)


def section(result: report.Record) -> str:
    """Return the tables of a ``hogwild`` result, with what was assumed."""
    hot = ", ".join(
        f"{percent(point['hot_share'])} % ({point['kernel']}, {point['corpus']})"
        for point in result["points"]
        if point["vector_size"] == VECTOR_SIZES[0]
    )
    latency, width = result["latency_ns"], result["bandwidth"]
    machines = "; ".join(
        f"{name}: {machine.shared_cache >> 20} MB of shared cache, {machine.bandwidth / 1e9:.0f} GB/s in practice, a "
        f"line from another core in {machine.latency_factor:g} times the time it takes here"
        for name, machine in MACHINES.items()
    )
    return (
        "Where the rows are that a worker touches, and how often a step was computed from a row that another worker "
        f"changed meanwhile; closed form / simulation, vector_size {VECTOR_SIZES[0]}:\n\n{shares_table(result)}\n\n"
        f"The {HOT:,} rows that are touched most have this share of all touches: {hot}.\n\n"
        "Times the speed of one core, predicted (L: others' lines cost more than a tenth; M: memory bandwidth is the "
        f"limit; otherwise computing is):\n\n{speed_table(result)}\n\n"
        f"Measured here: a line comes from the other core in {report.number(min(latency['each']))} ns "
        f"(the least of {len(latency['each'])}); memory gives {width[0]} GB/s to one thread and {width[1]} to two; the "
        f"kernels on 1 and 2 workers. Assumed: {UNDER_WAY} lines under way at once, {OWN_CACHE >> 20} MB of own cache. "
        f"{machines}. The derivation is in bench/HOGWILD.md. {report.source(result)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest tables."""
    return {"hogwild": section(result)} if (result := report.newest("hogwild")) else {}


def figures() -> dict[str, Figure]:
    """Return the picture of the newest result: predicted speed-ups of both kernels at the smallest vector_size."""
    result = report.newest("hogwild")
    if result is None:
        return {}
    points = [point for point in result["points"] if point["vector_size"] == VECTOR_SIZES[0]]
    data: dict[str, dict[str, dict[str, list[float]]]] = {machine: {} for machine in MACHINES}
    for machine, lines in data.items():
        for point in points:
            rows = [row for row in point["rows"] if machine in row["predicted"]]
            lines[f"{point['kernel']}, {point['corpus']}"] = {
                "cores": [row["workers"] for row in rows],
                "speed_up": [row["predicted"][machine]["speed_up"] for row in rows],
            }
    text = "Predicted speed-up over the number of cores, on two assumed machines; the dotted line is one for each core"
    return {"hogwild": Figure(text, data, draw, size=(9, 3.6))}


def draw(canvas: Any, data: Any) -> None:
    """Draw a plane a machine, a line a kernel and vocabulary, both axes logarithmic."""
    large = {machine: lines for machine, lines in data.items() if MACHINES[machine].cores > 2}
    for axes, (machine, lines) in zip(canvas.subplots(1, len(large)), large.items(), strict=True):
        most = max(line["cores"][-1] for line in lines.values())
        axes.loglog([1, most], [1, most], ":", color=GREY)
        for colour, (name, line) in zip(COLOURS, lines.items(), strict=False):
            axes.loglog(line["cores"], line["speed_up"], "o-", color=colour, label=name)
        axes.set_xlabel("cores")
        axes.set_ylabel("times one core, predicted")
        axes.set_title(machine, fontsize=9)
        axes.legend(fontsize=8)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument(
        "corpus", type=Path, nargs="?", help="a text or prepared folder instead of the smaller synthetic vocabulary"
    )
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="of what is timed (default: 3)")
    parser.add_argument("--quick", action="store_true", help="one vocabulary, a tenth of the units: does it run?")


def run(arguments: argparse.Namespace) -> None:
    """Measure, simulate, predict, record the result and print its tables."""
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
    name = f" {arguments.corpus.name}" if arguments.corpus else ""
    command = f"python -m bench hogwild{name} --repeats {arguments.repeats}{' --quick' * arguments.quick}"
    print(section(record.append("hogwild", command, {"quick": arguments.quick, "repeats": repeats, **found})))
