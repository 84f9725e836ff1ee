"""The facts that every result records about its origin, and the file of the result."""

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from fastw2v.machine import usable_cores, versions

RESULTS = Path(__file__).parent / "results"
_FLAGS = ("sse2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "asimd")


def machine() -> dict[str, Any]:
    """Return the processor, its relevant flags and the usable cores; nothing that identifies the machine."""
    facts = {"machine": platform.machine(), "system": platform.system(), "usable_cores": usable_cores()}
    try:
        fields = dict(
            [part.strip() for part in line.split(":", 1)]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if ":" in line
        )
    except OSError:
        return facts
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    facts["cpu"] = fields.get("model name", "unknown")
    facts["cpu_family_model"] = f"{fields.get('cpu family')}/{fields.get('model')}"
    facts["cache_size"] = fields.get("cache size")
    facts["flags"] = [flag for flag in _FLAGS if flag in flags]
    return facts


def blas() -> dict[str, Any]:
    """Return NumPy's BLAS, its number of threads, and whether the environment forces its kernels."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    facts = {"library": f"{built.get('name')} {built.get('version')}"}
    facts |= {name: os.environ.get(name) for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS")}
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return facts
    loaded = [library for library in threadpool_info() if library["user_api"] == "blas"]
    numpys = [library for library in loaded if "numpy" in library["filepath"]] or loaded
    return facts | {name: numpys[0].get(name) for name in ("architecture", "num_threads") if numpys}


def append(bench: str, command: str, results: dict[str, Any]) -> dict[str, Any]:
    """Append one result to ``bench/results/BENCH.jsonl`` and return it."""
    record = {
        "bench": bench,
        "date": datetime.date.today().isoformat(),
        "command": command,
        "versions": versions(),
        "machine": machine(),
        **results,
    }
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f"{bench}.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return record
