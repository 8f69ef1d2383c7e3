"""Keep each server in control groups of its own, so that power, hanging and memory are those of the whole server.

Works on cgroup v2, and on a v1 machine that has v2 mounted beside it: freezing and killing are v2's, memory is counted
by whichever has that controller.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.errors import LabError

TOP = "tandem-lab"
# Servers are machines of their own: all labs together weigh as much as some processes of this machine, and not as one.
WEIGHTS = {"cpu.shares": "12288", "cpu.weight": "1200"}  # cgroup v1 and v2


def mounted(kind: str) -> list[Path]:
    """Return where control group hierarchies of `kind` (`cgroup` or `cgroup2`) are mounted."""
    with open("/proc/self/mounts") as mounts:
        fields = [line.split() for line in mounts]
    return list(dict.fromkeys(Path(f[1]) for f in fields if f[2] == kind and f[1].startswith("/sys/fs/cgroup")))


def unified() -> Path | None:
    """Return the mount point of cgroup v2, or None."""
    return next(iter(mounted("cgroup2")), None)


class Group:
    """A control group with the same path in every hierarchy."""

    def __init__(self, *path: str) -> None:
        self.path = Path(TOP, *path)
        mount = unified()
        if mount is None:
            raise LabError("cgroup v2 is not mounted")
        self.v2 = mount / self.path
        self.everywhere = [self.v2, *(mount / self.path for mount in mounted("cgroup"))]

    def create(self, memory: int = 0) -> None:
        """Make the group, with at most `memory` bytes when that is not 0."""
        for directory in self.everywhere:
            for part in reversed([directory, *directory.parents][: len(self.path.parts)]):
                _enable_controllers(part.parent)
                part.mkdir(exist_ok=True)
                _inherit_cpuset(part)
                for weight, value in WEIGHTS.items() if part.name == TOP else ():
                    if (part / weight).exists():
                        (part / weight).write_text(value)
            for limit in ("memory.max", "memory.limit_in_bytes"):
                if memory and (directory / limit).exists():
                    (directory / limit).write_text(str(memory))

    def populated(self) -> bool:
        """Tell whether a process lives in the group or below it."""
        return _event(self.v2, "populated")

    def frozen(self) -> bool:
        return _event(self.v2, "frozen")

    def freeze(self, on: bool) -> None:
        """Stop every process where it stands, or let all go on, and wait until that is so."""
        (self.v2 / "cgroup.freeze").write_text(str(int(on)))
        _until(lambda: self.frozen() == on, f"{self.path}: processes do not {'stop' if on else 'go on'}")

    def kill(self) -> None:
        """Kill every process at once, wait until none is left, and leave the group fit for new ones."""

        def dead() -> bool:
            with contextlib.suppress(FileNotFoundError):
                (self.v2 / "cgroup.kill").write_text("1")  # again, for one that came in meanwhile
                (self.v2 / "cgroup.freeze").write_text("0")
            return not self.populated()

        _until(dead, f"{self.path}: processes outlive their killing")

    def remove(self) -> None:
        """Remove the group and all below it, in every hierarchy; processes must be gone."""
        for directory in self.everywhere:
            _until(partial(_removed, directory), f"{directory} cannot be removed")

    @classmethod
    def remove_top_if_empty(cls) -> None:
        """Remove the group above all labs when no lab is left in it."""
        for directory in cls().everywhere:
            with contextlib.suppress(OSError):
                directory.rmdir()

    def processes(self) -> list[int]:
        """Return the processes of the group and of all below it."""
        found: list[int] = []
        for directory, _, _ in os.walk(self.v2):  # which passes over groups that vanish meanwhile
            with contextlib.suppress(OSError):
                found += map(int, Path(directory, "cgroup.procs").read_text().split())
        return found

    def memory(self) -> int | None:
        """Return the bytes in use, without file cache that can be dropped; None where nothing counts them."""
        for directory in self.everywhere:
            for usage, inactive in (
                ("memory.current", "inactive_file"),
                ("memory.usage_in_bytes", "total_inactive_file"),
            ):
                if (directory / usage).exists():
                    stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
                    return max(0, int((directory / usage).read_text()) - int(stat[inactive]))
        return None


def _enable_controllers(parent: Path) -> None:
    """Let children of a v2 group have controllers; a v1 hierarchy has nothing to enable."""
    available = parent / "cgroup.controllers"
    if available.exists():
        for controller in {"cpu", "memory", "pids"} & set(available.read_text().split()):
            with contextlib.suppress(OSError):  # a group that holds processes may not; the lab's own never do
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(group: Path) -> None:
    """Give a v1 cpuset its parent's processors; with none, no process may enter."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (group / name).exists() and not (group / "cgroup.controllers").exists():
            (group / name).write_text((group.parent / name).read_text())


def _event(group: Path, name: str) -> bool:
    try:
        return f"{name} 1" in (group / "cgroup.events").read_text().splitlines()
    except OSError:  # the group is gone, or goes while it is read
        return False


def _removed(group: Path) -> bool:
    for directory, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(FileNotFoundError, OSError):
            os.rmdir(directory)
    return not group.exists()


def _until(condition: Callable[[], bool], trouble: str, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"{trouble} (waited {seconds:g} s)")
        time.sleep(0.01)
