"""`tandem.platform.wave`: several servers in one action, each with the result of a host of its own."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fleet.fleet import Fleet, recap
from tests.fleet.traces import all_traces
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab

RADIUS = "/etc/freeradius/billing-1/radiusd.conf"

Json = dict[str, Any]


def step(server: str, *, interrupts: bool = True) -> Json:
    return {"server": server, "hold": [], "instances": None if interrupts else []}


@pytest.fixture(scope="module")
def planned(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Json]:
    """Return a plan, with the lease, by which West and South change."""
    task = Task(fleet, tmp_path_factory.mktemp("plan"))
    fleet.write("options/web_suite.yml", "web:\n  timeouts:\n    keepalive: 47\n")
    fleet.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    accepted: true\n")
    found = task.plan()
    yield {"number": found["number"], "run": found["run"]}
    task("activation", state="released", run=found["run"])
    fleet.settle()


def test_every_server_has_its_own_result(fleet: Fleet, task: Task, planned: Json) -> None:
    before = all_traces(fleet)
    result = task("wave", "--diff", **planned, steps=[step("West"), step("East")])
    assert sorted(result["done"]) == ["East", "West"]
    assert result["changes"].keys() == {"West"}
    written = {file["path"] for file in result["changes"]["West"]["files"]}
    assert {"/etc/tandem/web/web-1/nginx.conf", "/etc/tandem/web/web-2/nginx.conf"} <= written
    assert "changed: [West]" in task.output
    assert "ok: [East]" in task.output
    assert re.search(r"^\+.*\b47\b", task.output, re.MULTILINE)
    assert {host: count["changed"] for host, count in recap(task.output).items()} == {"East": 0, "West": 1}
    after = all_traces(fleet)
    assert [server for server in fleet.servers if after[server] != before[server]] == ["West"]
    again = task("wave", **planned, steps=[step("West")])
    assert again["changes"] == {}
    assert "ok: [West]" in task.output


def test_check_mode_changes_nothing(fleet: Fleet, task: Task, planned: Json) -> None:
    before = all_traces(fleet)
    result = task("wave", "--check", **planned, steps=[step("East"), step("South")])
    assert result["changes"].keys() == {"South"}
    assert result["changes"]["South"]["units"] == [
        {
            "name": "billing-engine@billing-2.service",
            "action": "restart",
            "because": ["/etc/freeradius/billing-2/radiusd.conf"],
        }
    ]
    assert all_traces(fleet) == before


def test_limit_keeps_the_others_out(fleet: Fleet, task: Task, planned: Json) -> None:
    before = all_traces(fleet)
    result = task("wave", "--limit", "West", **planned, steps=[step("West"), step("South")])
    assert result["done"] == ["West"]
    assert all_traces(fleet)["South"] == before["South"]


def test_an_interruption_that_was_not_foreseen_waits_for_the_others_of_its_wave(task: Task, planned: Json) -> None:
    """And not longer, because the configuration changes that server, and the next wave may need it."""
    result = task("wave", **planned, steps=[step("South", interrupts=False), step("West", interrupts=False)])
    assert (result["postponed"], result["done"]) == ([], ["West", "South"])
    assert "billing-engine@billing-2.service" in str(result["changes"]["South"]["units"])


def test_one_that_is_left_out_is_not_asked_whether_its_instances_serve(fleet: Fleet, task: Task, planned: Json) -> None:
    """billing-1 is interrupted at once: nobody stands in for it, as nothing on South counts."""
    fleet.do("East", "sh", "-ec", f"echo '# by hand' >> {RADIUS}; systemctl restart billing-engine@billing-1.service")
    with fleet.unplugged("South"):
        result = task("wave", **planned, steps=[step("East")], without=["South"])
    assert result["done"] == ["East"]
    assert "billing-engine@billing-1.service" in str(result["changes"]["East"]["units"])


def test_one_that_is_away_stops_the_wave_before_it_begins(fleet: Fleet, task: Task, planned: Json) -> None:
    before = all_traces(fleet)
    with fleet.unplugged("South"):
        result = task("wave", **planned, steps=[step("West"), step("South")], status=4)
    assert (result["done"], result["away"]) == ([], ["South"])
    assert result["failures"].keys() == {"South"}
    assert recap(task.output)["South"]["unreachable"] == 1
    assert "West" not in recap(task.output), "nothing is told of a server that was not begun with"
    assert all_traces(fleet) == before


def test_a_run_without_the_lease_changes_nothing(fleet: Fleet, task: Task, planned: Json) -> None:
    before = all_traces(fleet)
    failed = task("wave", number=planned["number"], run=planned["run"] - 1, steps=[step("West")], status=2)
    assert f"run {planned['run'] - 1} has lost the lease of this installation" in failed["msg"]
    assert all_traces(fleet) == before
