"""A power cut in the first apply of a server built from nothing: it boots as from the factory."""

import json

import pytest

from tests.fleet.faults import POWER_CUT, Apply, boot, strike
from tests.fleet.stops import Stop
from tests.fleet.traces import LOOK, PLACES
from tests.fleet.trial import Trial
from tests.prove.record import Record


@pytest.mark.parametrize("moment", ["placing 4", "placing 60", "settling 0", "settling 9"])
def test_first_apply(moment: str, trial: Trial, record: Record) -> None:
    fleet, server = trial.fleet, "West"

    def seen() -> dict[str, list[object]]:
        found: dict[str, list[object]] = json.loads(fleet.do(server, "python3", "-c", LOOK, *PLACES))
        return {path: what for path, what in found.items() if not path.startswith(("/run/", "/etc/ssh/ssh_host"))}

    with record.proving("First apply of a server", moment, POWER_CUT, moment) as found:
        fleet.lab.reset(server)
        boot(fleet, server)
        before = seen()
        stop = Stop(fleet, server, moment)
        with Apply(fleet) as apply:
            assert stop.reached(apply.process), apply.said()
            strike(POWER_CUT, apply, server)
            assert apply.wait() == 1, apply.said()
        boot(fleet, server)
        assert seen() == before
        found["old"] += 1
        fleet.tandem("apply")
        trial.arrive("old")
