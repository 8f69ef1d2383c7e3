"""Two installations on labs of their own, applied once, and put back after each test that changes one."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet


def brought_up(inventory: str, directory: Path) -> Iterator[Fleet]:
    """Yield an installation whose servers are as built from nothing; take its lab away in the end."""
    fleet = Fleet(inventory, directory, f"test-{inventory}-{os.getpid()}")
    try:
        fleet.lab.up()
        yield fleet
    finally:
        fleet.lab.down(purge=True)


@pytest.fixture(scope="session")
def fresh_small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return the small installation, not necessarily applied yet."""
    yield from brought_up("small", tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def fresh_example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return the example installation, not necessarily applied yet."""
    yield from brought_up("example", tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def first_apply(fresh_small: Fleet) -> str:
    """Return what the first apply of the small installation printed."""
    return fresh_small.tandem("apply")


@pytest.fixture(scope="session")
def first_apply_of_example(fresh_example: Fleet) -> str:
    """Return what the first apply of the example installation printed."""
    return fresh_example.playbook("apply", "-v")


@pytest.fixture(scope="session")
def applied(fresh_small: Fleet, first_apply: str) -> Fleet:
    """Return the small installation as it is when nobody has touched it; only to be looked at."""
    assert first_apply
    return fresh_small


@pytest.fixture
def small(applied: Fleet) -> Iterator[Fleet]:
    """Return the small installation, to be changed by the test and put back afterwards."""
    yield applied
    applied.settle()


@pytest.fixture(scope="session")
def applied_example(fresh_example: Fleet, first_apply_of_example: str) -> Fleet:
    """Return the example installation as it is when nobody has touched it; only to be looked at."""
    assert first_apply_of_example
    return fresh_example


@pytest.fixture
def example(applied_example: Fleet) -> Iterator[Fleet]:
    """Return the example installation, to be changed by the test and put back afterwards."""
    yield applied_example
    applied_example.settle()
