"""A disk that runs full in the middle: the server is as it was, and one line says why; with space it goes on."""

import pytest

from tests.fleet.trial import Trial
from tests.prove.record import Record

PLACES = {"journal": "/var/lib/tandem", "staging": "/etc", "placing": "/etc"}


@pytest.mark.parametrize("server", ["South", "West"])
@pytest.mark.parametrize("state", PLACES)
def test_full_disk(state: str, server: str, trial: Trial, record: Record) -> None:
    with record.proving("Full disk", f"at the {state}", server, f"{state} on {server}") as found:
        line = trial.short(server, PLACES[state], state)
        assert "No space left on device" in line
        found["old"] += 1
        trial.proceed()
