"""`tandem.platform.plan`: compile, store the candidate, and say what applying it would do."""

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab

WEB = "options/web_suite.yml"


@pytest.fixture(scope="module")
def changed(fleet: Fleet) -> Iterator[Fleet]:
    """Return an installation with a change that is never applied."""
    fleet.write(WEB, "web:\n  timeouts:\n    keepalive: 43\n")
    yield fleet
    fleet.settle()


def stored(fleet: Fleet) -> list[str]:
    """Return the numbers of the stored configurations."""
    return fleet.do("North", "ls", "/var/lib/tandem/store/configurations").split()


def test_a_plan_stores_the_candidate_once(changed: Fleet, task: Task) -> None:
    first = task("plan", comment="why")
    assert first["changed"] is False
    assert first["number"] > first["active"]
    assert [entry["option"] for entry in first["plan"]["options"]] == ["web.timeouts.keepalive"]
    assert first["plan"]["touched"] == ["West"]
    assert "run" not in first
    numbers = stored(changed)
    assert f"{first['number']}.json" in numbers
    assert task("plan")["number"] == first["number"]
    assert stored(changed) == numbers
    assert "changed=0" in task.output


def test_check_mode_stores_nothing(changed: Fleet, task: Task) -> None:
    changed.write(WEB, "web:\n  timeouts:\n    keepalive: 44\n")
    numbers = stored(changed)
    planned = task("plan", "--check")
    assert planned["number"] is None
    assert planned["plan"]["touched"] == ["West"]
    assert stored(changed) == numbers


def test_a_stored_configuration_is_planned_by_its_number(fleet: Fleet, task: Task) -> None:
    active = fleet.active()
    planned = task("plan", number=active)
    assert (planned["number"], planned["plan"]["empty"]) == (active, True)
    missing = task("plan", number=999, status=2)
    assert "there is no configuration 999; there are [" in missing["msg"]


def test_an_error_of_the_source_is_one_message_and_contacts_nobody(changed: Fleet, task: Task) -> None:
    changed.write(WEB, "web:\n  page:\n    titel: x\n  timeouts:\n    keepalive: soon\n")
    with changed.unplugged("North"):
        failed = task("plan", status=2)
    assert failed["tandem_exit_status"] == 2
    assert "options/web_suite.yml:3: web.page.titel is not an option of web" in failed["msg"]
    assert "options/web_suite.yml:5: " in failed["msg"]
    assert failed["msg"].endswith("2 errors. No server was contacted.")
    assert "Traceback" not in task.output
