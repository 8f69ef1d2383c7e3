"""`tandem.platform.drift_info`: compare the servers with the active configuration, and change nothing."""

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.traces import all_traces
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab

PAGE = "/usr/share/tandem/web/web-1/index.html"


def test_nothing_differs_after_an_apply(fleet: Fleet, task: Task) -> None:
    found = task("drift_info")
    assert (found["changed"], found["changes"], found["failures"]) == (False, {}, {})
    assert found["number"] == fleet.active()
    assert sorted(found["done"]) == fleet.servers
    assert "changed: [" not in task.output


def test_what_was_changed_by_hand_is_found_and_left(fleet: Fleet, task: Task) -> None:
    fleet.do("West", "sh", "-c", f"echo '# by hand' >> {PAGE}")
    before = all_traces(fleet)
    for words in ((), ("--check",), ("--diff",)):
        found = task("drift_info", *words)
        assert found["changes"].keys() == {"West"}
        assert found["changes"]["West"]["files"] == [{"path": PAGE, "action": "change"}]
        assert "changed: [West]" in task.output
        assert ("-# by hand" in task.output) == (words == ("--diff",))
    assert all_traces(fleet) == before
    fleet.settle()


def test_a_server_is_compared_with_what_it_is_on(fleet: Fleet, task: Task) -> None:
    """West alone is on a configuration that is not active, and something on it was changed by hand."""
    fleet.write("options/web_suite.yml", "web:\n  timeouts:\n    keepalive: 45\n")
    fleet.tandem("apply", "--limit", "West")
    assert task("drift_info")["changes"] == {}
    fleet.do("West", "sh", "-c", f"echo '# by hand' >> {PAGE}")
    assert task("drift_info")["changes"]["West"]["files"] == [{"path": PAGE, "action": "change"}]
    assert task("plan", drift=True)["drift"]["changes"].keys() == {"West"}
    fleet.settle()


@pytest.mark.usefixtures("fleet")
def test_limit_looks_at_the_named_servers(task: Task) -> None:
    assert task("drift_info", "--limit", "West:South")["done"] in (["West", "South"], ["South", "West"])
