"""A power cut, and a kill of the server program, before every step of a transaction, and in the midst of undoing it.

The first comes between any two file operations; half of the second hit the recovery from the first.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.trial import Trial
from tests.prove.matrix import Matrix
from tests.prove.record import Record
from tests.prove.scenarios import SEED
from tests.prove.steps import Steps

TABLE = "On the server, step by step"


@pytest.fixture(scope="module", params=["South", "West"])
def steps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, matrix: Matrix, record: Record
) -> Iterator[Steps]:
    """Return a server that loses an address and an instance on the way, and gets others."""
    del matrix  # it works meanwhile
    fleet = Fleet("small", tmp_path_factory.mktemp(request.param), f"test-steps-{os.getpid()}")
    try:
        fleet.lab.up()
        trial = Trial(fleet)
        trial.begin()
        if request.param == "West":  # from there it gives the address back that South has here
            trial.measure()
        found = Steps(trial, request.param)
        found.measure()
        record.notes.append(f"{request.param}: {len(found.moments)} steps in a transaction")
        yield found
    finally:
        fleet.lab.down(purge=True)


def chosen(steps: Steps, dice: random.Random, every: int) -> list[str]:
    """Return the moments to break at: of placing all, of the other states one in so many, from a place by chance."""
    offset = dice.randrange(every)
    return [
        moment
        for number, moment in enumerate(steps.moments)
        if moment.startswith("placing") or number % every == offset
    ]


def test_power_cut_before_each_step(steps: Steps, record: Record) -> None:
    dice = random.Random(f"{SEED} cut {steps.server}")  # noqa: S311  repeatable on purpose
    failed = []
    for moment in chosen(steps, dice, 6):
        second = dice.randrange(20) if dice.random() < 0.5 else None
        name = f"seed {SEED}, {steps.server}, {moment}, then {second}"
        try:
            with record.proving(TABLE, moment.split()[0], "power cut, half of them twice", name) as found:
                found[steps.cut(moment, second)] += 1
        except Exception as error:  # noqa: BLE001  the other moments are tried too
            failed.append(f"{name}: {error}")
            steps.rescue()
    assert not failed, "\n".join(failed)


def test_server_program_killed_before_each_step(steps: Steps, record: Record) -> None:
    dice = random.Random(f"{SEED} kill {steps.server}")  # noqa: S311  repeatable on purpose
    failed = []
    for moment in chosen(steps, dice, 6)[::3]:
        second = dice.randrange(20)
        name = f"seed {SEED}, {steps.server}, {moment}, then {second}"
        try:
            with record.proving(TABLE, moment.split()[0], "server program killed, and in undoing again", name) as found:
                found[steps.kill(moment, second)] += 1
        except Exception as error:  # noqa: BLE001  the other moments are tried too
            failed.append(f"{name}: {error}")
            steps.rescue()
    assert not failed, "\n".join(failed)
