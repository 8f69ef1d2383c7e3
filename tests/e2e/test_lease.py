"""One apply at a time: a living holder is named, a dead one gives way, and a taken-over run stops."""

import os
import signal
import socket

from tests.e2e.conftest import Busy
from tests.fleet.fleet import eventually, family
from tests.fleet.traces import stale


def test_a_second_apply_is_refused_and_names_the_holder(busy: Busy) -> None:
    shown = busy.fleet.tandem("apply", status=1)
    [line] = [line for line in shown.splitlines() if line.strip()]
    assert f"@{socket.gethostname()} has been changing this installation since " in line
    assert "--take-over" in line
    assert "1 server changed." in busy.end(0)


def test_ansible_playbook_is_refused_by_one_failed_task_and_says_our_exit_status(busy: Busy) -> None:
    """As in a pipeline that runs the playbook itself, whose own status is Ansible's."""
    shown = busy.fleet.playbook("apply", status=2)
    assert f"@{socket.gethostname()} has been changing this installation since " in shown
    assert "exit status 1" in shown
    assert "failed=1" in shown
    assert "1 server changed." in busy.end(0)


def test_a_living_holder_can_be_taken_over(busy: Busy) -> None:
    fleet, holder = busy.fleet, busy.holder()
    fleet.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    rejected: false\n")
    second = fleet.start("apply", "--take-over")
    assert eventually(lambda: busy.holder() > holder)
    stopped = busy.end(1)
    assert f"run {holder} has lost the lease of this installation: run " in stopped
    assert "conditional" not in stopped, "the reason is said, and not what Ansible made of it"
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
