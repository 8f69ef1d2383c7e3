"""One quick representative of each fault; the full matrix is `make prove`."""

from collections.abc import Iterator

import pytest

from tests.fleet.faults import CABLE_PULLED, CONTROLLER_KILLED, POWER_CUT, PROGRAM_KILLED, STORE_CUT, TANDEM_KILLED
from tests.fleet.fleet import Fleet
from tests.fleet.stops import Stop
from tests.fleet.trial import Trial


@pytest.fixture(scope="module")
def trial(applied: Fleet) -> Iterator[Trial]:
    """Return the small installation between two configurations; it is put back in the end."""
    found = Trial(applied)
    found.begin()
    yield found
    applied.settle()


@pytest.mark.parametrize(
    ("fault", "server", "moment", "stands"),
    [
        (CONTROLLER_KILLED, "South", "placing 5", "old"),
        (TANDEM_KILLED, "West", "staging 4", "old"),
        (PROGRAM_KILLED, "South", "placing 9", "unfinished"),
        (PROGRAM_KILLED, "South", "settling 12", "unfinished"),  # where only the new management address answers
        (POWER_CUT, "West", "placing 7", "old"),
        (POWER_CUT, "South", "undoing 3", "old"),
        (CABLE_PULLED, "East", "settling 2", "old"),
        (STORE_CUT, "East", "placing 0", "new"),  # only the next server would need the store
    ],
)
def test_fault(trial: Trial, fault: str, server: str, moment: str, stands: str) -> None:
    stop = Stop(trial.fleet, server, moment, refused=moment.startswith("undoing"))
    outcome = trial.broken(fault, server, stop)
    assert outcome.stood[server] == stands


def test_full_disk(trial: Trial) -> None:
    assert "No space left on device" in trial.short("South", "/var/lib/tandem", "journal")
    trial.proceed()
