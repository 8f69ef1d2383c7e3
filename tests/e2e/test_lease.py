"""One apply at a time: a living holder is named, a dead one gives way, and a taken-over run stops."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fleet.fleet import Fleet, eventually
from tests.fleet.traces import stale

UNIT = "billing-engine@billing-2.service"
OVERRIDE = f"/run/systemd/system/{UNIT}.d"


GATE = "/run/test-gate"
LEASE = "/var/lib/tandem/store/lease.json"


class Busy(NamedTuple):
    """An installation and a run that is at work on it."""

    fleet: Fleet
    run: subprocess.Popen[str]

    def go(self) -> None:
        """Let billing-2 start."""
        self.fleet.do("South", "touch", GATE)

    def end(self, status: int) -> str:
        """Let the run end, require its exit status, and return what it printed."""
        self.go()
        shown, _ = self.run.communicate(timeout=60)
        assert self.run.returncode == status, shown
        return shown

    def holder(self) -> int:
        """Return the number of the run that holds the lease."""
        return int(json.loads(self.fleet.text("North", LEASE))["run"])


@pytest.fixture
def busy(small: Fleet) -> Iterator[Busy]:
    """Return an installation and a run that restarts billing-2, which does not start before the test lets it."""
    slow = f"[Service]\nExecStartPre=/bin/sh -c 'until test -e {GATE}; do sleep 0.1; done'\n"
    override = f"mkdir -p {OVERRIDE}; cat > {OVERRIDE}/test.conf; systemctl daemon-reload"
    small.do("South", "sh", "-ec", override, stdin=slow)
    small.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    accepted: true\n")
    found = Busy(small, small.start("apply"))
    assert eventually(lambda: small.lab.exec("South", ["pgrep", "-f", f"until test -e {GATE}"]).returncode == 0)
    yield found
    found.go()
    found.run.communicate(timeout=60)
    small.do("South", "sh", "-ec", f"rm -r {OVERRIDE} {GATE}; systemctl daemon-reload")


def test_a_second_apply_is_refused_and_names_the_holder(busy: Busy) -> None:
    shown = busy.fleet.tandem("apply", status=1)
    [line] = [line for line in shown.splitlines() if line.strip()]
    assert f"@{socket.gethostname()} has been changing this installation since " in line
    assert "--take-over" in line
    assert "1 server changed." in busy.end(0)


def test_a_living_holder_can_be_taken_over(busy: Busy) -> None:
    fleet, holder = busy.fleet, busy.holder()
    fleet.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    rejected: false\n")
    second = fleet.start("apply", "--take-over")
    assert eventually(lambda: busy.holder() > holder)
    busy.end(1)
    shown, _ = second.communicate(timeout=60)
    assert second.returncode == 0, shown
    assert "took over from run " in shown
    assert "auth_reject = no" in fleet.text("South", "/etc/freeradius/billing-2/radiusd.conf")
    assert "auth_accept = no" in fleet.text("South", "/etc/freeradius/billing-2/radiusd.conf")
    assert stale(fleet, "South") == []
    assert "0 servers changed" in fleet.tandem("apply")


def test_the_lease_of_a_dead_holder_expires(busy: Busy) -> None:
    for process in family(busy.run.pid):
        os.kill(process, signal.SIGKILL)
    busy.go()
    shown = busy.fleet.tandem("apply")
    assert "took over from run " in shown
    assert "which had not ended properly" in shown
    assert "auth_accept = yes" in busy.fleet.text("South", "/etc/freeradius/billing-2/radiusd.conf")
    assert stale(busy.fleet, "South") == []


def test_plan_and_drift_need_no_lease(busy: Busy) -> None:
    busy.fleet.tandem("plan")
    busy.fleet.tandem("drift")
    assert busy.run.poll() is None, "looking did not have to wait for the run"
    busy.end(0)


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, the youngest first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [*(each for child in children for each in family(int(child))), pid]
