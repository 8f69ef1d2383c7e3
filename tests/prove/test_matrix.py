"""Every fault at every state of the journal and at random moments, from the controller to the servers."""

from __future__ import annotations

from concurrent.futures import wait

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.likeness import likeness, unlike
from tests.prove.matrix import Matrix
from tests.prove.record import Record
from tests.prove.scenarios import SEED, Scenario, scenarios

TABLE = "From the controller to the servers"


@pytest.mark.parametrize("scenario", scenarios(), ids=str)
def test_fault(scenario: Scenario, matrix: Matrix, record: Record) -> None:
    with record.proving(TABLE, scenario.row, scenario.fault, f"seed {SEED}, {scenario}") as found:
        outcome = matrix.outcomes[scenario].result()
        if outcome.late:
            found["late"] = 1
            return
        found.update({"half" if stood == "unfinished" else stood: 1 for stood in [outcome.stood[scenario.server]]})


def test_nothing_differs_from_servers_built_from_nothing(matrix: Matrix, record: Record, fresh: Fleet) -> None:
    wait(matrix.outcomes.values())
    with record.proving("In the end", "compared with servers built from nothing", "byte for byte", "likeness"):
        assert matrix.trials, "no installation lived to the end"
        for trial in matrix.trials:
            trial.go_home()
        fresh.tandem("apply")
        built = likeness(fresh)
        for trial in matrix.trials:
            differing = unlike(likeness(trial.fleet), built)
            assert not differing, "\n".join(differing)
