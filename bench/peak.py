"""``peak``: the measured maximum of float32 operations per second on the cores of this machine.

The loop has twelve independent chains ``a = a * m + b`` on the widest vectors of the processor. A fused multiply-add
takes about four cycles and two start in every cycle, so at least eight chains keep the units busy. Twelve chains and
the two operands fit in sixteen registers. Every chain starts at another value, because LLVM would merge equal chains,
and the result uses every chain, so that LLVM can skip none. A fused multiply-add of one lane counts as two operations.
"""

import argparse
import time
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from fastw2v.kernels.parallel import ENTRY, MAX_THREADS
from fastw2v.machine import usable_cores

from . import record, report
from .steps import steps
from .timing import summary

HELP = "the most GFLOP/s (float32) that one core and all cores can do"

CHAINS = 12
STEPS = 1 << 20  # of all chains; about ten milliseconds per repeat
REPEATS = 10

_FEATURES = dict(llvmlite.binding.get_host_cpu_features())
LANES = 16 if _FEATURES.get("avx512f") else 8 if _FEATURES.get("avx") else 4
FUSED = bool(_FEATURES.get("fma") or _FEATURES.get("neon") or _FEATURES.get("fp-armv8"))


@intrinsic
def _chains(typingctx: Any, steps: Any, m: Any, b: Any) -> Any:
    """Run the loop ``steps`` times and return the sum of all lanes of all chains."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count, m, b = arguments
        scalar, integer = ir.FloatType(), ir.IntType(64)
        vector = ir.VectorType(scalar, LANES)

        def splat(value: Any) -> Any:
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)

        factors, terms = splat(m), splat(b)
        starts = [
            ir.Constant(vector, [float(chain * LANES + lane) for lane in range(LANES)]) for chain in range(CHAINS)
        ]
        before = builder.block
        loop = builder.append_basic_block("peak.loop")
        after = builder.append_basic_block("peak.after")
        builder.branch(loop)
        builder.position_at_end(loop)
        step = builder.phi(integer)
        step.add_incoming(ir.Constant(integer, 0), before)
        chains = [builder.phi(vector) for _ in range(CHAINS)]
        signature_fma = ir.FunctionType(vector, [vector] * 3)
        fma = cgutils.get_or_insert_function(builder.module, signature_fma, f"llvm.fma.v{LANES}f32")
        results = [
            builder.call(fma, [chain, factors, terms]) if FUSED else builder.fadd(builder.fmul(chain, factors), terms)
            for chain in chains
        ]
        next_step = builder.add(step, ir.Constant(integer, 1))
        step.add_incoming(next_step, loop)
        for chain, start, result in zip(chains, starts, results, strict=True):
            chain.add_incoming(start, before)
            chain.add_incoming(result, loop)
        builder.cbranch(builder.icmp_signed("<", next_step, count), loop, after)
        builder.position_at_end(after)
        total = results[0]
        for result in results[1:]:
            total = builder.fadd(total, result)
        lanes = [builder.extract_element(total, ir.Constant(ir.IntType(32), lane)) for lane in range(LANES)]
        answer = lanes[0]
        for lane in lanes[1:]:
            answer = builder.fadd(answer, lane)
        return answer

    return types.float32(types.int64, types.float32, types.float32), generate


@numba.njit(parallel=True)
def _run(workers: int, steps: int, m: Any, b: Any, out: Any) -> None:
    for w in prange(workers):
        out[w * 16] = _chains(steps, m, b)


def _seconds(workers: int, steps: int) -> float:
    """Time one repeat on that many threads at once."""
    out = np.zeros(16 * workers, np.float32)
    with ENTRY:
        before = numba.get_num_threads()
        numba.set_num_threads(min(workers, MAX_THREADS))
        try:
            began = time.perf_counter()
            _run(workers, steps, np.float32(0.5), np.float32(1), out)
            return time.perf_counter() - began
        finally:
            numba.set_num_threads(before)


def measure(workers: int, steps: int = STEPS, repeats: int = REPEATS) -> float:
    """Return the most GFLOP/s (float32) that ``workers`` threads reached together in any of the repeats."""
    _seconds(workers, 1)
    seconds = min(_seconds(workers, steps) for _ in range(repeats))
    return workers * steps * CHAINS * LANES * 2 / seconds / 1e9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--quick", action="store_true", help="trial run: one repeat")


def table(record: report.Record) -> str:
    """Return the table of a ``peak`` result, in Markdown."""
    rows = []
    for count, found in record["gflops"].items():
        rows.append([count, *(report.number(found[key]) for key in ("best", "median", "spread"))])
    kind = "fused multiply-adds" if record["fused"] else "multiplications and additions"
    return (
        f"{report.markdown(['workers', 'best GFLOP/s', 'median', 'largest minus smallest'], rows)}\n\n"
        f"{record['repeats']} repeats; {kind} on {record['lanes']} float32 lanes. {report.source(record)}"
    )


def blocks() -> dict[str, str]:
    """Return the newest table."""
    found = [result for result in report.full_records("peak") if "repeats" in result]
    return {"peak": table(found[-1])} if found else {}


def run(arguments: argparse.Namespace) -> None:
    """Measure one worker and all of them in turn, record both and print their table."""
    counts = sorted({1, usable_cores()})
    repeats = 1 if arguments.quick else arguments.repeats
    each: dict[str, list[float]] = {str(count): [] for count in counts}
    with steps("peak", repeats * len(counts)) as say:
        for number in range(1, repeats + 1):
            for count in counts:
                each[str(count)].append(measure(count))
                say(f"repeat {number} of {repeats}: {count} workers {each[str(count)][-1]:.1f} GFLOP/s")
    done = record.append(
        "peak",
        f"python -m bench peak --repeats {arguments.repeats}{' --quick' * arguments.quick}",
        {
            "quick": arguments.quick,
            "repeats": repeats,
            "lanes": LANES,
            "fused": FUSED,
            "gflops": {count: {"best": round(max(values), 1), **summary(values)} for count, values in each.items()},
        },
    )
    print(table(done))
