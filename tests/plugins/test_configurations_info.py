"""`tandem.platform.configurations_info`: the history, the difference of two configurations, and corruption."""

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab

WEB = "options/web_suite.yml"
STORE = "/var/lib/tandem/store"


@pytest.fixture(scope="module")
def candidate(fleet: Fleet) -> Iterator[int]:
    """Return the number of a candidate that is stored and never applied."""
    fleet.write(WEB, "web:\n  timeouts:\n    keepalive: 47\n")
    fleet.tandem("plan")
    numbers = fleet.do("North", "ls", f"{STORE}/configurations").split()
    yield max(int(name.removesuffix(".json")) for name in numbers)
    fleet.settle()


@pytest.mark.usefixtures("candidate")
def test_the_history_says_who_when_and_where(fleet: Fleet, task: Task, candidate: int) -> None:
    for words in ((), ("--check",)):
        told = task("configurations_info", *words)
        assert (told["changed"], told["active"]) == (False, fleet.active())
        newest = told["configurations"][0]
        assert (newest["number"], newest["state"], len(newest["plans"])) == (candidate, "candidate", 1)
        [active] = [entry for entry in told["configurations"] if entry["state"] == "active"]
        assert active["number"] == fleet.active()
        assert "@" in active["spans"][-1]["author"]
        assert active["spans"][-1]["to"] is None
        assert told["servers"] == dict.fromkeys(fleet.servers, fleet.active())
        assert told["pending"] == {}
        assert any(line.startswith(f"4 of 4 servers are on configuration {fleet.active()}") for line in told["report"])


def test_two_configurations_or_one_and_the_source_are_compared(fleet: Fleet, task: Task, candidate: int) -> None:
    active = fleet.active()
    for compare in ([active, candidate], [active]):
        found = task("configurations_info", compare=compare)
        assert [entry["option"] for entry in found["difference"]["options"]] == ["web.timeouts.keepalive"]
        assert found["diff_lines"] == []
    shown = task("configurations_info", "--diff", compare=[candidate, active])
    assert any(line.startswith("-") and "47" in line for line in shown["diff_lines"])
    assert task("configurations_info", compare=[candidate])["difference"]["empty"]
    missing = task("configurations_info", compare=[active, 999], status=2)
    assert "there is no configuration 999" in missing["msg"]
    both = task("configurations_info", compare=[active], verify=True, status=2)
    assert "mutually exclusive" in both["msg"]
    assert "Traceback" not in task.output


def test_corruption_fails_with_a_line_for_each_thing(fleet: Fleet, task: Task) -> None:
    assert task("configurations_info", verify=True)["problems"] == []
    blob = fleet.do("North", "sh", "-c", f"find {STORE}/blobs -type f | sort | head -n 1").strip()
    fleet.do("North", "sh", "-c", f"cp -a {blob} /root/kept; echo more >> {blob}")
    failed = task("configurations_info", verify=True, status=2)
    assert failed["problems"] == [failed["msg"]]
    assert failed["msg"].startswith(f"{blob}: is damaged: its content does not fit its name")
    assert "Traceback" not in task.output
    fleet.do("North", "sh", "-c", f"mv /root/kept {blob}")
    assert task("configurations_info", verify=True)["report"] == ["The store is sound."]
