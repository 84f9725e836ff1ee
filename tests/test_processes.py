"""Threads and processes, cores and memory, interrupts: whatever a process has done before, a training works in it."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import tomllib
import tracemalloc
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import at_once, planted_sentences, topic_purity

import fastw2v
from fastw2v import machine
from fastw2v.errors import ConfigError
from fastw2v.kernels import parallel, sampling, spans
from fastw2v.kernels.records import LOSS, LOSS_PAIRS, PAIRS, TRAINED, Model, Rate, Sampling, Text, Tiling
from fastw2v.text.prepared import check_ids
from fastw2v.training import driver, replica
from fastw2v.training import run as runs

KERNELS = pytest.mark.parametrize("kernel", ["tile", "pair"])
TILING = Tiling(16, 24, 1, 8)

# What the subprocesses train on: tiles fit, and every worker has several spans.
SMALL = """
import numpy as np
def small(workers, seed=1, **options):
    import fastw2v, fastw2v.kernels.tile
    fastw2v.kernels.tile.LEAST_TILES = 1
    ids = np.random.default_rng(0).integers(0, 300, 40_000).astype(np.int32)
    options = {"vector_size": 10, "epochs": 1, "progress": False} | options
    e = fastw2v.train_ids(ids, np.arange(0, 40_001, 20), n_words=300, workers=workers, seed=seed, **options)
    assert e.metadata["tiling"] or "kernel" in options
    assert e.metadata["progress"]["complete"] and np.isfinite(e.vectors).all()
    return e.vectors.tobytes()
"""
names: dict = {}
exec(SMALL, names)
small = names["small"]


def run_python(code, *arguments, status=0, **environment):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "OMP_"))} | environment
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == status, (done.returncode, done.stderr)
    return done


# ------------------------------------------------------------------------------------------------- forks and threads

FORKS = (
    SMALL
    + """
import faulthandler, multiprocessing, numba, os, signal, sys, threading
try:
    numba.get_num_threads()  # somebody else's kernels: from here on GNU OpenMP ends a child that enters it
except ValueError:
    pass  # no such layer

def child(what):
    pid = os.fork()
    if pid == 0:
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(60)  # a hang is a failure
        try:
            what()
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0, what

signal.alarm(200)
process = multiprocessing.get_context("fork").Process(target=small, args=(2,))  # that loads fastw2v first
process.start()
process.join()
assert process.exitcode == 0
import fastw2v
child(lambda: small(1))
one = small(1)
small(2)
def in_child():
    assert small(1) == one
    small(2)
    small(2, kernel="pair")
child(in_child)
child(lambda: child(in_child))

import time
from numba.core.compiler_lock import global_compiler_lock
def compile():
    with global_compiler_lock:
        held.set()
        time.sleep(0.2)
held = threading.Event()
compiling = threading.Thread(target=compile)
compiling.start()
held.wait()
child(lambda: small(1, kernel="pair"))  # which is still to be loaded, with a lock of a thread that the child has not
compiling.join()

from fastw2v.kernels import parallel
done = []
def in_thread(seed):
    done.append(small(2, seed))
threads = [threading.Thread(target=in_thread, args=(seed,)) for seed in range(4)]
for thread in threads:
    thread.start()
child(in_child)  # while others train
for thread in threads:
    thread.join()
assert len(done) == 4 and not parallel.ENTRY.locked()
assert small(1) == one
print("fine")
"""
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    "layer", ["default", *(pytest.param(name, marks=pytest.mark.slow) for name in ("workqueue", "tbb"))]
)
def test_forked_children_and_threads_under_every_threading_layer(layer):
    """Entered by two threads workqueue aborts, in a child GNU OpenMP ends the process, and tbb may not be there."""
    assert run_python(FORKS, NUMBA_THREADING_LAYER=layer).stdout == "fine\n"


POOL = (
    SMALL
    + """
import multiprocessing, sys
def train(seed):
    return small(1, seed)
if __name__ == "__main__":
    two = [train(1), train(2)]
    small(2)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(train, [1, 2, 1, 2]) == two * 2
        assert pool.apply(small, (2,))
    print("fine")
"""
)


def test_a_pool_of_spawned_trainings(tmp_path):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


def read_only(ids, offsets):
    """As the driver gives them to kernels, which are compiled for that."""
    return check_ids(ids.astype(np.int32), offsets, 2**31)


def streams(workers, tiling, n_tokens=60_000):
    """Train a span for each worker; return their random streams, pairs and tokens, and V."""
    ids, offsets = read_only(np.random.default_rng(0).integers(0, 500, n_tokens), np.arange(0, n_tokens + 1, 30))
    counts = np.bincount(ids, minlength=500)
    noise, keep = sampling.noise_table(counts, 0.75), sampling.keep_thresholds(counts, 1e-3)
    V, U = replica.initial_matrices(500, 20, 1)
    made = parallel.Workers.create(workers, 1, 5, 5, V.shape[1], tiling)
    cuts = spans.cut(offsets, 0, n_tokens, workers)
    parallel.run_chunk(Text(ids, offsets), cuts, Model(V, U, 20), Sampling(noise, keep, 5, 5), Rate(0.025, 0.0), made)
    return made.rows.rng[:, 0].tolist(), made.rows.tally[:, [PAIRS, TRAINED]].tolist(), V


@pytest.mark.parametrize("tiling", [None, TILING])
def test_python_threads_do_what_numbas_do(tiling, monkeypatch):
    entered = []
    for name in ("train_chunk", "tile_chunk"):
        real = getattr(parallel, name)
        monkeypatch.setattr(parallel, name, lambda *a, real=real: (entered.append(1), real(*a)))
    for workers in (2, 5):
        rng, tally, V = streams(workers, tiling)
        assert len(entered) == 1
        with parallel.ENTRY:  # another thread is there
            other_rng, other_tally, other_V = streams(workers, tiling)
        assert len(entered) == 1
        assert (rng, tally) == (other_rng, other_tally)
        assert rng != sampling.spawn_streams(1, workers).tolist()
        start, _ = replica.initial_matrices(500, 20, 1)
        assert (start != V).any(axis=1).all()  # Hogwild: no two runs are the same
        assert (other_V != start).any(axis=1).all()
        entered.clear()


@pytest.mark.parametrize("tiling", [None, TILING])
def test_one_worker_needs_no_other_thread(tiling, monkeypatch):
    monkeypatch.setattr(parallel, "_numba_has_threads", lambda: 1 / 0)
    monkeypatch.setattr(parallel, "ThreadPoolExecutor", lambda n: 1 / 0)
    a, b = (streams(1, tiling) for _ in range(2))
    assert a[:2] == b[:2]
    np.testing.assert_array_equal(a[2], b[2])


def test_an_error_in_a_python_thread_is_raised(monkeypatch):
    monkeypatch.setattr(parallel, "train_span", lambda *a: 1 / 0)
    with parallel.ENTRY, pytest.raises(ZeroDivisionError):
        streams(2, None)


@KERNELS
def test_two_trainings_at_once_learn_like_one(kernel, monkeypatch):
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0.02)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 2_000)
    monkeypatch.setattr(fastw2v.kernels.tile, "LEAST_TILES", 1)
    sentences = list(planted_sentences())
    options = {"vector_size": 20, "epochs": 10, "workers": 2, "sample": 0, "progress": False, "kernel": kernel}
    found = at_once(lambda seed: fastw2v.train(sentences, seed=seed, **options), (1, 2))
    for seed in (1, 2):
        assert topic_purity(found[seed]) > 0.95
        n_tokens = found[seed].metadata["progress"]["tokens_total"]
        assert sum(record["tokens_trained"] for record in found[seed].metrics) == n_tokens == 10 * 8 * len(sentences)
    assert not parallel.ENTRY.locked()


# ------------------------------------------------------------------------------------------------------------- cores


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """A /proc and a /sys/fs/cgroup to be written: a function that takes files and their contents."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 8)

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write


V2 = {"proc/self/cgroup": "0::/a.slice/b.scope\n"}
V1 = {"proc/self/cgroup": "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n1:name=systemd:/x\n0::/\n"}
OWN_V1 = "cgroup/cpu,cpuacct/docker/1/"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cgroup/cpu.max": "250000 100000\n"}, 3),  # where /proc is hidden
        (V2 | {"cgroup/a.slice/b.scope/cpu.max": "max 100000\n"}, 8),
        (V2 | {"cgroup/a.slice/b.scope/cpu.max": "250000 100000\n"}, 3),
        (V2 | {"cgroup/a.slice/b.scope/cpu.max": "50000 100000\n"}, 1),
        (V2 | {"cgroup/a.slice/b.scope/cpu.max": "1600000 100000\n"}, 8),
        (V2 | {"cgroup/a.slice/b.scope/cpu.max": "max 100000\n", "cgroup/a.slice/cpu.max": "200000 100000\n"}, 2),
        (V2 | {"cgroup/cpu.max": "400000 100000\n"}, 4),  # in a container, with the host's path
        (V2 | {"cgroup/cpu.max": "nonsense\n"}, 8),
        (V1 | {OWN_V1 + "cpu.cfs_quota_us": "-1\n", OWN_V1 + "cpu.cfs_period_us": "100000\n"}, 8),
        (V1 | {OWN_V1 + "cpu.cfs_quota_us": "150000\n", OWN_V1 + "cpu.cfs_period_us": "100000\n"}, 2),
        (V1 | {"cgroup/cpu/cpu.cfs_quota_us": "300000\n", "cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 3),
        (V1 | {"cgroup/unified/cpu.max": "500000 100000\n"}, 5),
    ],
)
def test_cores_respect_the_cgroup(pretended, files, expected):
    pretended(files)
    assert machine.usable_cores() == expected
    assert fastw2v.TrainConfig().workers == expected


def test_cores_respect_numbas_limit(pretended, monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    assert machine.usable_cores() == 2


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_cores_respect_the_affinity_mask():
    code = "import os; os.sched_setaffinity(0, {max(os.sched_getaffinity(0))});"
    code += "import fastw2v; print(fastw2v.TrainConfig().workers)"
    assert run_python(code).stdout == "1\n"


def test_more_workers_than_cores_are_said_and_taken(planted_file, capsys, monkeypatch):
    monkeypatch.setattr(runs, "usable_cores", lambda: 2)
    options = {"vector_size": 3, "epochs": 1, "min_count": 1}
    fastw2v.train(planted_file, workers=2, **options)
    assert "share" not in capsys.readouterr().err
    embeddings = fastw2v.train(planted_file, workers=3, **options)
    said = "3 workers share 2 cores (usable by affinity mask, cgroup quota and NUMBA_NUM_THREADS): no faster than "
    said += "workers=2"
    assert capsys.readouterr().err.count(said) == 1
    assert embeddings.metadata["config"]["workers"] == 3


# ------------------------------------------------------------------------------------------------------------ memory

MEMINFO = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (V2, None),
        (MEMINFO, 8_192_000),
        (MEMINFO | V2 | {"cgroup/a.slice/b.scope/memory.max": "max\n"}, 8_192_000),
        (
            MEMINFO
            | V2
            | {
                "cgroup/a.slice/memory.max": "5000000\n",
                "cgroup/a.slice/memory.current": "2000000\n",
                "cgroup/a.slice/memory.stat": "anon 7\ninactive_file 500000\n",
            },
            3_500_000,
        ),
        (
            MEMINFO
            | V1
            | {
                "cgroup/memory/memory.limit_in_bytes": "6000000\n",  # in a container, with the host's path
                "cgroup/memory/memory.usage_in_bytes": "2000000\n",
                "cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 400000\n",
            },
            4_400_000,
        ),
        (
            MEMINFO
            | V1
            | {
                "cgroup/memory/docker/1/memory.limit_in_bytes": "9223372036854771712\n",  # none
                "cgroup/memory/docker/1/memory.usage_in_bytes": "2000000\n",
                "cgroup/memory/docker/1/memory.stat": "\n",
            },
            8_192_000,
        ),
    ],
)
def test_memory_respects_the_cgroup(pretended, files, expected):
    pretended(files)
    assert machine.available_memory() == expected


def test_the_bill_is_said_and_refused_with_the_numbers(planted_file, tmp_path, capsys, monkeypatch):
    options = {"vector_size": 20, "epochs": 1, "min_count": 1, "workers": 2}
    n_words = len(fastw2v.train(planted_file, **options))
    said = capsys.readouterr().err
    bill = f"fastw2v: memory: V and U take 2 x {n_words} x 32 x 4 bytes, 0 MB, tables and vocabulary 0 MB, scratch of "
    assert bill in said
    assert "MB in all; ids stay on disk\n" in said
    monkeypatch.setattr(runs, "available_memory", lambda: 10_000)
    with pytest.raises(ConfigError, match=r"MB in all, but 0 MB are free: lower vector_size, max_vocab or workers"):
        fastw2v.train(planted_file, output=tmp_path / "m", **options)
    assert not (tmp_path / "m" / "V.npy").exists()


@pytest.mark.parametrize("free", [1 << 20, 1 << 40])
def test_the_bill_counts_the_copy_for_a_checkpoint_only_where_one_is_made(free, capsys, monkeypatch):
    """V and U, 1.28 MB here with 16 columns, are more than a tenth of what is free then, or less."""
    monkeypatch.setattr(runs, "available_memory", lambda: free + 10_000_000)
    runs.check_memory(10_000, fastw2v.TrainConfig(vector_size=16, workers=1), progress=True, saved=True)
    assert ("V and U again while a checkpoint is written" in capsys.readouterr().err) == (free == 1 << 20)


@pytest.mark.parametrize("large", [{"n_words": 2**31 - 1}, {"window": 10_000, "vector_size": 65_536, "workers": 4_096}])
def test_a_bill_beyond_every_machine_is_refused_before_anything_is_allocated(large):
    tracemalloc.start()
    with pytest.raises(ConfigError, match=r"V and U take 2 x .* in all, but .* MB are free"):
        fastw2v.train_ids([0, 1], [0, 2], **{"n_words": 2, "progress": False} | large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@KERNELS
def test_the_bill_is_enough_and_not_far_more(tmp_path, kernel):
    n_words, options = 60_000, {"vector_size": 40, "epochs": 1, "workers": 2, "kernel": kernel}
    ids = np.random.default_rng(0).integers(0, n_words, 20_000).astype(np.int32)
    for output in (None, tmp_path / "m"):  # first compile, and load everything
        tracemalloc.start()
        fastw2v.train_ids(ids, [0, len(ids)], n_words=n_words, output=output, progress=False, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    bill = sum(replica.memory_bill(n_words, fastw2v.TrainConfig(**options), names=True))
    assert peak - 10_000_000 < bill < 1.5 * peak  # files are written in blocks of a few megabytes


# ---------------------------------------------------------------------------------------- matrices beyond 2^31 elements

WIDTH = 4096
#: Rows on both sides of 2^31 elements and of 2^32; and rows of a small matrix with the same remainders by 1,024.
FAR = np.concatenate([np.arange(2**k - 128, 2**k + 128) for k in (19, 20)])
NEAR = np.concatenate([np.arange(1024 * k - 128, 1024 * k + 128) for k in (1, 2)])


@pytest.fixture
def huge(tmp_path):
    """Two matrices in files that take no room, of 16 GB each, which end a little past their 2^32th element."""
    matrices = []
    try:
        for name in "VU":
            with open(tmp_path / name, "wb") as file:
                file.truncate(4 * WIDTH * (2**20 + 128))
                assert os.fstat(file.fileno()).st_blocks < 10_000
            matrices.append(np.memmap(tmp_path / name, np.float32, "r+", shape=(2**20 + 128, WIDTH)))
    except (OSError, AssertionError, AttributeError, OverflowError, ValueError) as error:
        pytest.skip(f"no sparse files of 16 GB here, or no addresses for them: {error}")
    yield matrices
    del matrices


@pytest.mark.parametrize("tiling", [None, TILING])
def test_more_than_2_31_elements(huge, tiling):
    """Rows far down a matrix are trained as the first ones are."""
    n_tokens = 600
    tokens = np.random.default_rng(0).integers(0, len(FAR), n_tokens)
    start = np.random.default_rng(1).normal(0, 0.05, (2, len(FAR), 48)).astype(np.float32)
    results = []
    small = [np.zeros((NEAR[-1] + 1, WIDTH), np.float32) for _ in "VU"]
    for rows, (V, U) in ((FAR, huge), (NEAR, small)):
        V[rows, :48], U[rows, :48] = start
        keep = np.zeros(len(V), np.uint32)
        keep[rows] = sampling.ALWAYS
        noise = rows[::3].astype(np.uint64)  # thresholds of 0: always the alias
        workers = parallel.Workers.create(1, 1, 5, 5, WIDTH, tiling)
        ids, offsets = read_only(rows[tokens], np.arange(0, n_tokens + 1, 20))
        parallel.run_chunk(
            Text(ids, offsets), [0, n_tokens], Model(V, U, 48), Sampling(noise, keep, 5, 5), Rate(0.05, 0.0), workers
        )
        results.append((np.array(V[rows]), np.array(U[rows]), workers.rows.tally))
    for far, near in zip(*results, strict=True):
        np.testing.assert_array_equal(far, near)
    assert (np.abs(results[0][0][:, :48] - start[0]).max(axis=1) > 0)[np.unique(tokens)].all()
    for matrix in huge:
        assert not matrix[:128].any()  # where 2^32 elements further on would be, if 32 bits were all


# -------------------------------------------------------------------------------------------------------------- loss


@KERNELS
def test_the_loss_does_not_depend_on_the_number_of_workers(planted_file, kernel, monkeypatch):
    monkeypatch.setattr(fastw2v.kernels.tile, "LEAST_TILES", 1)
    losses = []
    for workers in (1, 2, 4):
        options = {"vector_size": 20, "epochs": 3, "workers": workers, "min_count": 1, "kernel": kernel}
        records = fastw2v.train(planted_file, sample=0, progress=False, **options).metrics
        pairs = sum(record["pairs"] for record in records)
        losses.append(sum(record["loss"] * record["pairs"] for record in records) / pairs)
    np.testing.assert_allclose(losses, losses[0], rtol=0.03)


@KERNELS
def test_the_loss_is_that_of_the_chunk_alone(planted_file, monkeypatch, kernel):
    """A tally starts at zero, and its loss is the mean over its own pairs."""
    monkeypatch.setattr(driver, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(driver, "FIRST_CHUNK", 3_000)
    real, sums = replica.run_chunk, []

    def spy(*arguments):
        tally = arguments[-1].rows.tally
        assert not tally.any()
        assert tally.dtype == np.float64
        real(*arguments)
        sums.append(tally.sum(axis=0))

    monkeypatch.setattr(replica, "run_chunk", spy)
    options = {"vector_size": 10, "epochs": 2, "workers": 2, "min_count": 1, "kernel": kernel}
    records = fastw2v.train(planted_file, progress=False, **options).metrics
    assert len(records) > 4
    for record, tally in zip(records, sums[1:], strict=True):  # the first call compiles
        assert record["loss"] == tally[LOSS] / tally[LOSS_PAIRS]
        assert record["pairs"] == tally[PAIRS]


@pytest.mark.parametrize("tiling", [None, TILING])
def test_a_tally_is_right_after_a_billion_pairs(tiling):
    """It is float64: at 4 nats a pair one more still counts, where float32 would have stopped at 1.3e8."""
    n_tokens = 30_000
    ids, offsets = read_only(np.random.default_rng(0).integers(0, 500, n_tokens), np.array([0, n_tokens]))
    noise, keep = sampling.noise_table(np.full(500, 60), 0.75), sampling.keep_thresholds(np.full(500, 60), 0)
    tallies = []
    for so_far in (0.0, 1e9):
        V, U = replica.initial_matrices(500, 20, 1)
        workers = parallel.Workers.create(1, 1, 5, 5, V.shape[1], tiling)
        workers.rows.tally[0, [LOSS, PAIRS, TRAINED, LOSS_PAIRS]] = 4.2 * so_far, so_far, so_far, so_far
        before = workers.rows.tally.copy()
        parallel.run_chunk(
            Text(ids, offsets), offsets, Model(V, U, 20), Sampling(noise, keep, 5, 5), Rate(0.025, 0.0), workers
        )
        tallies.append((workers.rows.tally - before)[0])
    from_none, from_many = tallies
    counted = [PAIRS, TRAINED, LOSS_PAIRS]
    assert from_none[PAIRS] > 100_000
    assert from_many[counted].tolist() == from_none[counted].tolist()
    np.testing.assert_allclose(from_many[LOSS], from_none[LOSS], rtol=1e-6)


# -------------------------------------------------------------------------------------------------------- interrupts

NOT_LOADED = """
import sys
module = sys.argv.pop(1)
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
import fastw2v
sys.argv += ["info", "nowhere"]
from fastw2v.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("module", ["fastw2v.cli", "numba", "numba.core.dispatcher"])
def test_ctrl_c_while_modules_are_loaded_is_one_line(module):
    assert run_python(NOT_LOADED, module, status=130).stderr == "fastw2v: interrupted\n"
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"fastw2v": "fastw2v.__main__:main"}


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals need the main thread")
def test_an_interrupt_stops_a_run_and_not_the_process(planted_file, tmp_path):
    """As in a notebook: Ctrl-C is Python's own while a cell runs, and the next cell runs as if nothing had been."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(progress, embeddings):
        if progress.epoch == 3:
            signal.raise_signal(signal.SIGINT)

    options = {"vector_size": 5, "min_count": 1, "progress": False, "workers": 2}
    try:
        with pytest.raises(KeyboardInterrupt, match="m holds the vectors as they were at token"):
            fastw2v.train(planted_file, output=tmp_path / "m", epochs=10**6, callbacks=[interrupt], **options)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert fastw2v.load(tmp_path / "m").metadata["progress"]["epoch"] == 3
        assert fastw2v.train(planted_file, epochs=1, **options).metadata["progress"]["complete"]
    finally:
        signal.signal(signal.SIGINT, before)


CELL = """
import fastw2v
def go(progress, embeddings):
    if progress.epoch == 2:
        print("GO", flush=True)
fastw2v.train({corpus!r}, output={folder!r}, vector_size=5, min_count=1, epochs=10**6, progress=False, callbacks=[go])
"""


@pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("ipykernel", "jupyter_client"))), reason="needs ipykernel and jupyter_client"
)
def test_a_jupyter_kernel_interrupt_stops_a_run(planted_file, tmp_path):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")

    def run(cell):
        said = []
        sent = client.execute(cell)
        while True:
            message = client.get_iopub_msg(timeout=100)
            if message["parent_header"].get("msg_id") != sent:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                said.append(content["text"])
                if "GO" in content["text"]:
                    manager.interrupt_kernel()
            elif kind == "error":
                said.append(f"{content['ename']}: {content['evalue']}")
            elif kind == "status" and content["execution_state"] == "idle":
                return said

    try:
        folder = tmp_path / "m"
        said = run(CELL.format(corpus=str(planted_file), folder=str(folder)))
        assert said[-1].startswith(f"KeyboardInterrupt: {folder} holds the vectors as they were at token"), said
        assert run(f"print(len(fastw2v.load({str(folder)!r})))")[0].strip().isdigit()
    finally:
        manager.shutdown_kernel(now=True)
        client.stop_channels()
