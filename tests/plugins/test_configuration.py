"""`tandem.platform.configuration`: mark, discard and prune what is stored."""

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab


def stored(fleet: Fleet) -> set[int]:
    """Return the numbers of the stored configurations."""
    names = fleet.do("North", "ls", "/var/lib/tandem/store/configurations").split()
    return {int(name.removesuffix(".json")) for name in names}


@pytest.fixture
def candidates(fleet: Fleet) -> Iterator[list[int]]:
    """Return the numbers of two candidates that are stored and never applied."""
    numbers = []
    for seconds in (48, 49):
        fleet.write("options/web_suite.yml", f"web:\n  timeouts:\n    keepalive: {seconds}\n")
        numbers.append(fleet.json("plan", "--no-drift")["results"]["plan"][-1]["number"])
    yield numbers
    fleet.settle()


def test_marking_and_discarding_change_once_and_check_mode_never(
    fleet: Fleet, task: Task, candidates: list[int]
) -> None:
    first, second = candidates
    for remove in (False, True):
        for words, changed in ((("--check",), True), ((), True), ((), False)):
            result = task("configuration", *words, state="marked", remove=remove, number=first, comment="why")
            assert result["changed"] is changed, (remove, words)
    for words, changed in ((("--check",), True), ((), True), ((), False)):
        assert task("configuration", *words, state="absent", number=second)["changed"] is changed
    assert second not in stored(fleet)
    assert first in stored(fleet)


def test_what_must_stay_is_refused(fleet: Fleet, task: Task) -> None:
    failed = task("configuration", state="absent", number=fleet.active(), status=2)
    assert f"configuration {fleet.active()} is active: it cannot be discarded" in failed["msg"]
    failed = task("configuration", state="absent", status=2)
    assert "state is absent but all of the following are missing: number" in failed["msg"]
    assert "Traceback" not in task.output
    assert task.plan()["run"], "the lease was given back"
    fleet.tandem("apply", "--take-over")


def test_pruning_keeps_the_active_and_marked_ones(fleet: Fleet, task: Task, candidates: list[int]) -> None:
    first, second = candidates
    task("configuration", state="marked", number=first)
    before = stored(fleet)
    told = task("configuration", "--check", state="pruned", keep=0)
    assert stored(fleet) == before
    pruned = task("configuration", state="pruned", keep=0)
    assert (pruned["changed"], pruned["removed"]) == (True, told["removed"])
    assert second in pruned["removed"]
    assert stored(fleet) == {first, fleet.active()}
    assert pruned["kept"] == {str(first): "is marked", str(fleet.active()): "is active"}
    assert task("configuration", state="pruned", keep=0)["changed"] is False
    assert task("configurations_info", verify=True)["problems"] == []
