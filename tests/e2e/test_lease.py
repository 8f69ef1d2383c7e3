"""One apply at a time: a living holder is named, a dead one gives way, and a taken-over run stops."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.traces import stale

UNIT = "billing-engine@billing-2.service"
OVERRIDE = f"/run/systemd/system/{UNIT}.d"


@pytest.fixture
def busy(small: Fleet) -> Iterator[tuple[Fleet, subprocess.Popen[str]]]:
    """Return an installation and a run that is at work on South: billing-2 takes 12 seconds to start."""
    slow = "[Service]\nExecStartPre=/bin/sleep 12\n"
    small.do(
        "South", "sh", "-ec", f"mkdir -p {OVERRIDE}; cat > {OVERRIDE}/test.conf; systemctl daemon-reload", stdin=slow
    )
    small.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    accepted: true\n")
    run = small.start("apply")
    end = time.monotonic() + 60
    while small.lab.exec("South", ["pgrep", "-f", "sleep 12"]).returncode and time.monotonic() < end:
        time.sleep(0.1)
    yield small, run
    small.do("South", "sh", "-ec", f"rm -r {OVERRIDE}; systemctl daemon-reload")
    run.communicate(timeout=60)


def test_a_second_apply_is_refused_and_names_the_holder(busy: tuple[Fleet, subprocess.Popen[str]]) -> None:
    fleet, run = busy
    shown = fleet.tandem("apply", status=1)
    [line] = [line for line in shown.splitlines() if line.strip()]
    assert f"@{socket.gethostname()} has been changing this installation since " in line
    assert "--take-over" in line
    first, _ = run.communicate(timeout=60)
    assert run.returncode == 0, first
    assert "1 server changed." in first


def test_a_living_holder_can_be_taken_over(busy: tuple[Fleet, subprocess.Popen[str]]) -> None:
    fleet, run = busy
    fleet.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    rejected: false\n")
    shown = fleet.tandem("apply", "--take-over")
    assert "took over from run " in shown
    first, _ = run.communicate(timeout=60)
    assert run.returncode == 1, first
    assert "auth_reject = no" in fleet.text("South", "/etc/freeradius/billing-2/radiusd.conf")
    assert "auth_accept = no" in fleet.text("South", "/etc/freeradius/billing-2/radiusd.conf")
    assert stale(fleet, "South") == []
    assert "0 servers changed" in fleet.tandem("apply")


def test_the_lease_of_a_dead_holder_expires(busy: tuple[Fleet, subprocess.Popen[str]]) -> None:
    fleet, run = busy
    for process in family(run.pid):
        os.kill(process, signal.SIGKILL)
    shown = fleet.tandem("apply")
    assert "took over from run " in shown
    assert "which had not ended properly" in shown
    assert "auth_accept = yes" in fleet.text("South", "/etc/freeradius/billing-2/radiusd.conf")
    assert stale(fleet, "South") == []


def test_plan_and_drift_need_no_lease(busy: tuple[Fleet, subprocess.Popen[str]]) -> None:
    fleet, run = busy
    assert run.poll() is None
    fleet.tandem("plan")
    fleet.tandem("drift")
    assert run.poll() is None, "looking did not have to wait for the run"


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, the youngest first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [*(each for child in children for each in family(int(child))), pid]
