"""Describe the machine that something was measured on, and what was measured."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import time
from pathlib import Path

from bench.job import PROJECT


def describe() -> dict[str, str]:
    """Return what a reader wants to know before believing a figure."""
    cpu = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    commit = ["git", "-C", str(PROJECT), "log", "-1", "--format=%h"]
    return {
        "cpus": f"{os.cpu_count()} × {cpu[0] if cpu else platform.machine()}",
        "memory": f"{memory / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ssh": subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.partition(",")[0],
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": subprocess.run(commit, capture_output=True, text=True, check=False).stdout.strip(),
    }


def processor_seconds() -> float:
    """Return what all processes of this namespace have used of the processors, and those they have waited for.

    Controller and servers are all in it; what others do on the machine is not.
    """
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile; its parent has its time
            ticks += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
