"""Run one command of this package in its own process, and measure its seconds and peak memory as a user sees them."""

import subprocess
import sys
import time
from pathlib import Path

#: Reads VmHWM, because a process inherits `ru_maxrss` from its parent.
PEAK = """
import sys
from fastw2v.cli import main

code = main(sys.argv[1:])
fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(fields["VmHWM"].split()[0]) / 1024)
sys.exit(code)
"""


def peak_and_messages(*arguments: str | Path, stderr: int | None = None) -> tuple[float, str]:
    """Run ``fastw2v ARGUMENTS`` and return its peak memory in MB of 2^20 bytes, and its output on stderr.

    Args:
        arguments: arguments of the command.
        stderr: as for `subprocess.run`; by default the output is shown and not returned.

    Raises:
        SystemExit: the command failed.
    """
    command = [sys.executable, "-c", PEAK, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
    if done.returncode != 0:
        sys.exit(f"fastw2v {' '.join(map(str, arguments))} failed\n{done.stderr or ''}")
    return float(done.stdout.splitlines()[-1]), done.stderr or ""


def cost(*arguments: str | Path) -> dict[str, float]:
    """Run ``fastw2v ARGUMENTS`` and return its ``seconds`` and ``peak_rss_mb``; its output on stderr is shown.

    Raises:
        SystemExit: the command failed.
    """
    began = time.perf_counter()
    peak, _ = peak_and_messages(*arguments)
    return {"seconds": round(time.perf_counter() - began, 2), "peak_rss_mb": round(peak, 1)}
