"""Prove on labs of these tests' own, and write down what was proven."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.fleet.faults import mend
from tests.fleet.fleet import Fleet
from tests.fleet.trial import Trial
from tests.prove.matrix import Matrix
from tests.prove.record import Record
from tests.prove.scenarios import SEED


@pytest.fixture(scope="session")
def record(request: pytest.FixtureRequest) -> Iterator[Record]:
    """Return where to note what was proven; the page is written when all is over."""
    request.config.get_terminal_writer().line(f"seed {SEED}")
    found = Record(SEED)
    yield found
    found.write()


@pytest.fixture(scope="session")
def shared_trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """Return the small installation between its two configurations, with the first one applied."""
    fleet = Fleet("small", tmp_path_factory.mktemp("trial"), f"test-trial-{os.getpid()}")
    try:
        fleet.lab.up()
        found = Trial(fleet)
        found.begin()
        yield found
    finally:
        fleet.lab.down(purge=True)


@pytest.fixture
def trial(shared_trial: Trial) -> Trial:
    """Return the shared installation, all of it on one configuration, whatever became of the test before."""
    try:
        shared_trial.arrive("old")
    except AssertionError:
        mend(shared_trial.fleet)
        shared_trial.begin()
    return shared_trial


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return the small installation on servers built from nothing, to which nothing has been applied."""
    found = Fleet("small", tmp_path_factory.mktemp("fresh"), f"test-fresh-{os.getpid()}")
    try:
        found.lab.up()
        yield found
    finally:
        found.lab.down(purge=True)


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """Return the matrix of the scenarios that were selected, which has begun to work."""
    chosen = [
        item.callspec.params["scenario"]
        for item in request.session.items
        if "scenario" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    found = Matrix(chosen, tmp_path_factory)
    try:
        found.start()
        yield found
    finally:
        found.end()
