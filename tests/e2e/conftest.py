"""Two installations on labs of their own, one with its vendor, applied once, and put back after each test of change."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fleet.fleet import Fleet, eventually
from tests.fleet.vendor import Vendor

UNIT = "billing-engine@billing-2.service"
OVERRIDE = f"/run/systemd/system/{UNIT}.d"
GATE = "/run/test-gate"
LEASE = "/var/lib/tandem/store/lease.json"


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
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    """Return the vendor, with the example on the same lab, whose license it serves."""
    directory, name = tmp_path_factory.mktemp("example"), f"test-example-{os.getpid()}"
    fleet = Fleet("vendor", directory, name, beside="example")
    example = Fleet("example", directory, name, beside="vendor")
    try:
        example.lab.up()
        fleet.tandem("apply")
        found = Vendor(fleet, example)
        found.publish()
        yield found
    finally:
        example.lab.down(purge=True)


@pytest.fixture(scope="session")
def fresh_example(vendor: Vendor) -> Fleet:
    """Return the example installation, not necessarily applied yet."""
    return vendor.customer


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


class Busy(NamedTuple):
    """An installation and a run that is at work on it."""

    fleet: Fleet
    run: subprocess.Popen[str]

    def go(self) -> None:
        """Let billing-2 start."""
        self.fleet.do("South", "touch", GATE)

    def end(self, status: int) -> str:
        """Let the run end, require its exit status, and return what it printed."""
        self.go()
        shown, _ = self.run.communicate(timeout=60)
        assert self.run.returncode == status, shown
        return shown

    def holder(self) -> int:
        """Return the number of the run that holds the lease."""
        return int(json.loads(self.fleet.text("North", LEASE))["run"])


@pytest.fixture
def busy(small: Fleet) -> Iterator[Busy]:
    """Return an installation and a run that restarts billing-2, which does not start before the test lets it."""
    slow = f"[Service]\nExecStartPre=/bin/sh -c 'until test -e {GATE}; do sleep 0.1; done'\n"
    override = f"mkdir -p {OVERRIDE}; cat > {OVERRIDE}/test.conf; systemctl daemon-reload"
    small.do("South", "sh", "-ec", override, stdin=slow)
    small.write("options/cluster_suite/billing/billing-2.yml", "billing_engine:\n  log:\n    accepted: true\n")
    found = Busy(small, small.start("apply"))
    assert eventually(lambda: small.lab.exec("South", ["pgrep", "-f", f"until test -e {GATE}"]).returncode == 0)
    yield found
    found.go()
    found.run.communicate(timeout=60)
    small.do("South", "sh", "-ec", f"rm -r {OVERRIDE} {GATE}; systemctl daemon-reload")
