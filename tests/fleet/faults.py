"""Break a running apply: kill its controller or a server's program, cut power, pull a cable; and mend it again."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from tests.fleet.fleet import ROOT, Fleet
from tests.fleet.stops import site

MARK = "TANDEM_TEST_RUN"


class Apply:
    """A running `tandem apply`, whose programs on the servers heed stops; as a context it is over at the end."""

    def __init__(self, fleet: Fleet, *words: str) -> None:
        self.fleet = fleet
        self._mark = f"{MARK}={os.urandom(8).hex()}"
        name, _, value = self._mark.partition("=")
        path = [site(fleet.directory.parent / "site"), *fleet.environment.get("PYTHONPATH", "").split(os.pathsep)]
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed with this context
        self.process = subprocess.Popen(
            fleet.argv("apply", *words),
            cwd=ROOT,
            env={**fleet.environment, name: value, "PYTHONPATH": os.pathsep.join(filter(None, path))},
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()
        self._said.close()

    def said(self) -> str:
        """Return what it has printed so far."""
        self._said.seek(0)
        return self._said.read()

    def wait(self, timeout: float = 180) -> int:
        """Wait until it has ended; return its exit status."""
        return self.process.wait(timeout)

    def kill(self) -> None:
        """Kill `tandem` itself, and leave its children."""
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """Kill everything that runs for it on the controller, kept connections included."""
        while found := self.processes():
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()

    def processes(self) -> list[int]:
        """Return every living process that was started for this apply."""
        mark = b"\0" + self._mark.encode() + b"\0"
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in b"\0" + path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    def processes_but_connections(self) -> list[int]:
        """Return what still works for this apply: all but ssh connections that are kept open for the next."""
        return [process for process in self.processes() if not _is_kept_connection(process)]


def _is_kept_connection(process: int) -> bool:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes()
        return b"[mux]" in words or words.startswith(b"nc\0")  # and the way it goes in the lab
    return True


def programs(fleet: Fleet, server: str) -> list[int]:
    """Return the processes that are changing a server, by their numbers on this machine: they hold its lock open."""
    found = []
    with contextlib.suppress(OSError):
        for process in fleet.lab.server(server).group.processes():
            with contextlib.suppress(OSError):
                if any(os.readlink(file) == "/var/lib/tandem/lock" for file in Path(f"/proc/{process}/fd").iterdir()):
                    found.append(process)
    return found


def alone(fleet: Fleet, server: str, timeout: float = 120) -> None:
    """Wait until nobody is changing a server any more."""
    deadline = time.monotonic() + timeout
    while programs(fleet, server):
        assert time.monotonic() < deadline, f"a program is still changing {server} after {timeout:g} s"
        time.sleep(0.3)


def boot(fleet: Fleet, server: str, timeout: float = 90) -> None:
    """Give a server power, and wait until it has booted as far as it will."""
    fleet.lab.on(server)
    deadline = time.monotonic() + timeout
    while True:
        state = fleet.lab.exec(server, ["systemctl", "is-system-running"], timeout=timeout).stdout.strip()
        if state in ("running", "degraded"):
            return
        assert time.monotonic() < deadline, f"{server} is {state} after {timeout:g} s"
        time.sleep(0.3)


CONFIGURATION_SERVER = "North"  # of the small installation

CONTROLLER_KILLED = "controller killed"
TANDEM_KILLED = "tandem alone killed"
PROGRAM_KILLED = "server program killed"
POWER_CUT = "power cut"
CABLE_PULLED = "cable pulled"
STORE_CUT = "power cut of the configuration server"
FAULTS = (CONTROLLER_KILLED, TANDEM_KILLED, PROGRAM_KILLED, POWER_CUT, CABLE_PULLED, STORE_CUT)


def strike(fault: str, apply: Apply, server: str) -> None:
    """Let a fault happen to an apply that is under way, or to a server it is about."""
    lab = apply.fleet.lab
    if fault == CONTROLLER_KILLED:
        apply.kill_all()
    elif fault == TANDEM_KILLED:
        apply.kill()
    elif fault == PROGRAM_KILLED:
        for process in programs(apply.fleet, server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    elif fault == CABLE_PULLED:
        lab.unplug(server)
    else:
        lab.cut(server if fault == POWER_CUT else CONFIGURATION_SERVER)


def mend(fleet: Fleet) -> None:
    """Plug every cable in, and give every server power that has none."""
    for server in fleet.servers:
        fleet.lab.plug(server)
        if fleet.lab.server(server).state() == "off":
            boot(fleet, server)
