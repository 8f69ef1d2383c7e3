"""`tandem.platform.activation`: a configuration becomes the active one when every server is on it; the lease goes back."""

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab


def lease(fleet: Fleet) -> bool:
    """Tell whether somebody holds the lease."""
    return fleet.lab.exec("North", ["test", "-e", "/var/lib/tandem/store/lease.json"]).returncode == 0


def test_a_configuration_that_servers_are_not_on_does_not_become_active(fleet: Fleet, task: Task) -> None:
    fleet.write("options/web_suite.yml", "web:\n  timeouts:\n    keepalive: 45\n")
    active = fleet.active()
    planned = task.plan()
    assert lease(fleet)
    ended = task("activation", state="active", number=planned["number"], run=planned["run"])
    assert (ended["changed"], ended["pending"]) == (False, fleet.servers)
    task("activation", state="released", run=planned["run"])
    assert not lease(fleet)
    assert fleet.active() == active
    fleet.settle()


def test_activating_the_active_one_changes_nothing(fleet: Fleet, task: Task) -> None:
    planned = task.plan()
    for words in ([], ["--check"]):
        ended = task("activation", *words, state="active", number=planned["number"], run=planned["run"])
        assert ended["changed"] is False
    assert "changed=0" in task.output
    task("activation", state="released", run=planned["run"])


def test_check_mode_keeps_the_lease(fleet: Fleet, task: Task) -> None:
    planned = task.plan()
    task("activation", "--check", state="released", run=planned["run"])
    assert lease(fleet)
    task("activation", state="released", run=planned["run"])
    assert not lease(fleet)


def test_without_the_lease_nothing_is_activated(fleet: Fleet, task: Task) -> None:
    failed = task("activation", state="active", number=fleet.active(), run=1, status=0)
    assert failed["changed"] is False, "it is the active one already"
    fleet.write("options/web_suite.yml", "web:\n  timeouts:\n    keepalive: 46\n")
    fleet.tandem("apply")
    failed = task("activation", state="active", number=1, run=1)
    assert failed["pending"] == fleet.servers
    fleet.settle()


def test_a_state_that_does_not_exist_is_refused(fleet: Fleet, task: Task) -> None:
    failed = task("activation", state="actve", run=1, status=2)
    assert "state" in failed["msg"]
    assert "actve" in failed["msg"]
    assert fleet.active()
