"""`tandem.platform.activation`: a configuration becomes active when every server is on it; the lease goes back."""

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module", autouse=True)
def put_back(fleet: Fleet) -> Iterator[None]:
    """Put the installation back after these tests."""
    yield
    fleet.settle()


def test_a_configuration_that_servers_are_not_on_does_not_become_active(fleet: Fleet, task: Task) -> None:
    fleet.write("options/web_suite.yml", "web:\n  timeouts:\n    keepalive: 45\n")
    active = fleet.active()
    planned = task.plan()
    assert fleet.leased()
    ended = task("activation", state="active", number=planned["number"], run=planned["run"])
    assert (ended["changed"], ended["pending"]) == (False, fleet.servers)
    task("activation", state="released", run=planned["run"])
    assert not fleet.leased()
    assert fleet.active() == active


@pytest.mark.usefixtures("fleet")
def test_activating_the_active_one_changes_nothing(task: Task) -> None:
    planned = task.plan()
    for words in ([], ["--check"]):
        ended = task("activation", *words, state="active", number=planned["number"], run=planned["run"])
        assert ended["changed"] is False
    assert "changed=0" in task.output
    task("activation", state="released", run=planned["run"])


def test_check_mode_keeps_the_lease(fleet: Fleet, task: Task) -> None:
    planned = task.plan()
    task("activation", "--check", state="released", run=planned["run"])
    assert fleet.leased()
    task("activation", state="released", run=planned["run"])
    assert not fleet.leased()


def test_without_the_lease_nothing_is_activated(fleet: Fleet, task: Task) -> None:
    fleet.write("options/web_suite.yml", "web:\n  timeouts:\n    keepalive: 46\n")
    planned = task.plan()
    steps = [{"server": server, "hold": [], "instances": None} for server in fleet.servers]
    task("wave", number=planned["number"], run=planned["run"], steps=steps)
    task("activation", state="released", run=planned["run"])
    failed = task("activation", state="active", number=planned["number"], run=planned["run"], status=2)
    assert f"run {planned['run']} has lost the lease of this installation: it was released" in failed["msg"]
    assert fleet.active() == planned["active"]


def test_arguments_that_are_wrong_or_missing_are_named(task: Task) -> None:
    failed = task("activation", state="actve", run=1, status=2)
    assert "value of state must be one of: active, released, got: actve" in failed["msg"]
    failed = task("activation", state="active", run=1, status=2)
    assert "state is active but all of the following are missing: number" in failed["msg"]
    assert "Traceback" not in task.output
