"""Give one server power, take it away, hang it, pull its cable, and get inside."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import disk, namespaces, network, topology
from lab.cgroups import Group
from lab.errors import LabError
from lab.paths import CACHE, LabPaths, ServerPaths
from lab.run import run

WRAPPER = Path(__file__).with_name("wrapper.py")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOUNT = """set -e
mkdir -p /run/systemd/nspawn
mount -t tmpfs tandem-lab /run/systemd/nspawn
mount -t overlay -o "$1" tandem-lab "$2"
shift 2
exec "$@"
"""
NSPAWN = """systemd-nspawn --quiet --register=no --keep-unit --settings=no --link-journal=no --resolv-conf=off
 --timezone=off --console=read-only --capability=CAP_NET_ADMIN --kill-signal=SIGRTMIN+4 --boot""".split()


@dataclass(frozen=True)
class Server:
    """One server of a lab that is up or can be."""

    lab: str
    entry: topology.Server

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def paths(self) -> ServerPaths:
        return LabPaths.of(self.lab).server(self.name)

    @property
    def group(self) -> Group:
        return Group(self.lab, "servers", self.name)

    def state(self) -> str:
        """Return `on`, `hanging`, `off`, or `stray`: processes without the wrapper, after that was killed."""
        if not self.has_power():
            return "stray" if self.group.populated() else "off"
        return "hanging" if self.group.frozen() else "on"

    def has_power(self) -> bool:
        return held(self.paths.lock)

    def power(self) -> dict[str, Any]:
        """Return what the wrapper told last: state, since, boots, how it ended, process of systemd-nspawn."""
        try:
            facts: dict[str, Any] = json.loads(self.paths.power.read_text())
        except FileNotFoundError:
            return {}
        return facts

    def disk_is_outdated(self, base: Path) -> bool:
        """Tell whether the server has a disk, and it was made on another base root."""
        return self.paths.base.exists() and self.paths.base.read_text() != base.name

    def base(self) -> Path | None:
        """Return the base root that the server's disk was made on, if both are there."""
        base = CACHE / self.paths.base.read_text() if self.paths.base.exists() else None
        return base if base and base.is_dir() else None

    def on(self, base: Path) -> bool:
        """Boot the server unless it has power; tell whether it was booted. Does not wait for sshd."""
        if self.state() == "stray":
            self.group.kill()
        self.paths.top.mkdir(parents=True, exist_ok=True)
        with open(self.paths.lock, "w") as lock:
            while not _lock(lock.fileno(), fcntl.LOCK_EX):
                if self.has_power():  # else it was somebody who only looked
                    return False
            disk.prepare(LabPaths.of(self.lab), self.entry, base)
            wrapper = Group(self.lab, "wrappers")
            wrapper.create()
            self.group.create(self.entry.memory)
            boots = self.power().get("boots", 0)
            disk.replace(self.paths.boot, json.dumps({"boots": boots, **self._boot(base, wrapper)}, indent=1))
            disk.replace(self.paths.power, json.dumps({"boots": boots}))
            with open(self.paths.console, "ab") as console:
                subprocess.run(
                    ["setsid", "--fork", sys.executable, "-I", "-S", str(WRAPPER), str(self.paths.boot)],
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=console,
                    cwd="/",
                    check=True,
                    pass_fds=[lock.fileno()],
                )
        return True

    def _boot(self, base: Path, wrapper: Group) -> dict[str, Any]:
        """Return what the wrapper needs to know."""
        paths, namespace = self.paths, namespaces.server(self.lab, self.name)
        overlay = f"lowerdir={base},upperdir={paths.upper},workdir={paths.work}"
        mounting = [
            "unshare",
            "--mount",
            "--propagation",
            "slave",
            "--",
            "sh",
            "-c",
            MOUNT,
            "sh",
            overlay,
            str(paths.root),
        ]
        machine = [*NSPAWN, "--machine", f"{self.lab}-{self.name}".replace("_", "-"), "--directory", str(paths.root)]
        return {
            "namespace": namespace,
            "network": network.boot_commands(self.lab, self.entry),
            "plug": network.cable_commands(self.lab, self.entry, "up"),
            "unplug": network.cable_commands(self.lab, self.entry, "down"),
            "unplugged": str(paths.unplugged),
            "machine": [*mounting, *namespaces.inside(namespace), *machine],
            "environment": {"PATH": PATH, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"},
            "groups": {
                "wrapper": [str(path) for path in wrapper.everywhere],
                "machine": [str(path) for path in self.group.everywhere],
            },
            "console": str(paths.console),
            "power": str(paths.power),
        }

    def off(self, timeout: float = 60) -> None:
        """Shut the server down as its power button does, and wait for it.

        Raises LabError when it hangs, or has not shut down after `timeout` seconds.
        """
        self.press()
        self._until(lambda: not self.has_power(), timeout, "does not shut down; see its console, or cut its power")

    def press(self) -> None:
        """Press the power button, and do not wait; raise LabError when the server hangs."""
        if self.state() == "off":
            return
        self.running("shut down")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._machine(), signal.SIGTERM)

    def cut(self) -> None:
        """Take the power away: everything on the server dies at once."""

        def dead() -> bool:
            self.group.kill()  # again, when it was just about to boot
            return not self.has_power()

        self._until(dead, 20, "its wrapper does not end")

    def hang(self) -> None:
        """Stop all processes where they are; the kernel still answers pings and accepts connections."""
        self.running("hang")
        self.group.freeze(True)

    def resume(self) -> None:
        """Let a hanging server go on."""
        if self.state() == "hanging":
            self.group.freeze(False)

    def unplug(self) -> None:
        """Pull the server's cables; they stay out over boots."""
        self.paths.unplugged.touch()
        self._cables("down")

    def plug(self) -> None:
        """Plug the server's cables in."""
        self.paths.unplugged.unlink(missing_ok=True)
        self._cables("up")

    def _cables(self, state: str) -> None:
        for command in network.cable_commands(self.lab, self.entry, state):
            run(command, check=False)  # no such port: the server is off or between boots, and `unplugged` decides

    def reset(self, base: Path) -> None:
        """Cut the power, throw the disk away, and boot the server as from the factory."""
        self.cut()
        disk.wipe(self.paths)
        self.plug()
        self.on(base)

    def why_silent(self) -> str | None:
        """Say why the server will never answer; None when it may."""
        if (state := self.state()) in ("on", "hanging"):
            return None
        console = self.paths.console
        lines = console.read_text(errors="replace").split("\n") if console.exists() else []
        end = next((line.strip() for line in reversed(lines) if line.strip()), "(nothing)")
        return f"is {state} ({self.power().get('how', 'never on')}); its console, {console}, ends: {end}"

    def running(self, purpose: str) -> None:
        """Raise LabError unless the server is on and not hanging."""
        if (state := self.state()) != "on":
            cure = {"off": "switch it on first", "hanging": "resume it first"}.get(state, "cut it, then switch it on")
            raise LabError(f"{self.name}: is {state} and cannot {purpose}; {cure}")

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the words that run `argv` on the server as root, in no shell, without SSH."""
        self.running("run a command")
        enter = ["nsenter", "-t", str(self.first_process()), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        environment = [f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", f"TERM={os.environ.get('TERM', 'dumb')}"]
        return [*enter, "setpriv", "--pdeathsig", "KILL", "env", "-i", *environment, *argv]

    def first_process(self) -> int:
        """Return the machine's number of the server's process 1, once that is systemd.

        Raises LabError when there is none within 10 seconds.
        """
        found: list[int] = []

        def look() -> bool:
            found[:] = [pid for pid in self.group.processes() if _is_init(pid)]
            return bool(found)

        self._until(look, 10, f"has not begun to boot; its console is {self.paths.console}")
        return found[0]

    def _machine(self) -> int:
        self._until(lambda: "machine" in self.power(), 10, "has not begun to boot")
        return int(self.power()["machine"])

    def _until(self, condition: Callable[[], bool], seconds: float, trouble: str) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise LabError(f"{self.name}: {trouble} (waited {seconds:g} s)")
            time.sleep(0.02)


def held(lock: Path) -> bool:
    """Tell whether somebody holds a server's lock: its wrapper, or who is about to start one."""
    with contextlib.suppress(FileNotFoundError), open(lock) as file:
        return not _lock(file.fileno(), fcntl.LOCK_SH)
    return False


def _lock(file: int, kind: int) -> bool:
    """Take a lock if nobody has it; tell whether it was taken. It is let go when the last copy of `file` closes."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_init(pid: int) -> bool:
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        ids = next(line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:"))
        return len(ids) > 1 and ids[-1] == "1" and status.startswith("Name:\tsystemd\n")
    return False
