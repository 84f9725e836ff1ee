"""The cores and the memory that this process may use, and the versions of the software that it runs."""

import ctypes
import math
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from ._version import __version__

PROC, CGROUP = Path("/proc"), Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Return how many cores this process may use: its affinity mask, capped by cgroup quotas and NUMBA_NUM_THREADS."""
    import numba  # Here, because options are needed without kernels, as by ``fastw2v --help``.

    config: Any = numba.config  # Its attributes are made at run time.
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        cores = os.cpu_count() or 1
    for folder in _cgroups("cpu"):
        for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):  # version 2, version 1
            with suppress(OSError, ValueError):  # the other version, or "max": no quota
                quota, period = map(int, " ".join((folder / name).read_text() for name in names).split())
                if quota > 0 and period > 0:
                    cores = min(cores, math.ceil(quota / period))
    return max(1, min(cores, int(config.NUMBA_NUM_THREADS)))


def available_memory() -> int | None:
    """Return how many bytes are available without swapping, or None where the system does not report it.

    This is the smallest of the machine's free memory and that of each cgroup around this process.
    """
    try:
        fields = dict(line.split(":", 1) for line in (PROC / "meminfo").read_text().splitlines())
        free = 1024 * int(fields["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):  # not Linux
        return None
    for folder in _cgroups("memory"):
        for limited, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),  # version 2
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),  # version 1
        ):
            with suppress(OSError, ValueError):  # the other version, or "max": no limit
                left = int((folder / limited).read_text()) - int((folder / used).read_text())
                stats = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                free = min(free, left + int(stats.get(cached, 0)))
    return max(0, free)


def trim_memory() -> None:
    """Have the C library return freed memory to the system; without glibc, do nothing.

    Otherwise the library keeps the memory that threads have freed for later threads, which may never need it.
    """
    with suppress(AttributeError, OSError, TypeError):  # another C library; Windows
        ctypes.CDLL(None).malloc_trim(0)


def _cgroups(controller: str) -> Iterator[Path]:
    """Yield the folders of the cgroups whose limits apply to this process, as far as they are visible."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2: one tree for all controllers, in its own folder beside version 1
            roots = [CGROUP, CGROUP / "unified"]
        elif controller in controllers.split(","):
            roots = [CGROUP / controllers, CGROUP / controller]
        else:
            continue
        group = PurePosixPath("/", path)
        for root in roots:
            # In a container the path may be the host's. Then only the root exists, which is the container's group.
            yield from (root / place.relative_to("/") for place in (group, *group.parents))


def versions() -> dict[str, str]:
    """Return the versions that decide what a training computes."""
    import numba
    import numpy as np

    return {
        "fastw2v": __version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
