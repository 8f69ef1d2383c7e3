"""`tandem.platform.agent_info`: what the agents of all servers have said, asked of the configuration server alone."""

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab


def test_each_server_is_told_of(fleet: Fleet, task: Task) -> None:
    fleet.do("South", "systemctl", "start", "tandem-agent.service")
    with fleet.unplugged("West"):
        found = task("agent_info")
    active = fleet.active()
    assert (found["changed"], found["active"], sorted(found["servers"])) == (False, active, fleet.servers)
    assert {(server["on"], server["should"], server["stale"]) for server in found["servers"].values()} == {
        (active, None, False)
    }
    south = found["servers"]["South"]
    assert (south["mode"], len(south["program"])) == ("apply", 12)
    assert [line.split()[0] for line in found["report"]] == ["server", *fleet.servers]
    assert task("agent_info", "--check")["servers"].keys() == found["servers"].keys()
