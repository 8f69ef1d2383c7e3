"""Settings of all tests."""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# Tests that start programs start those of this environment, with this project's settings, however pytest was started.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

# What compiles keep for the next one is this run's own, and goes with it.
CACHE = tempfile.TemporaryDirectory(prefix="tandem-cache-")
os.environ["XDG_CACHE_HOME"] = CACHE.name

# A shared machine may be slow, so no example has a deadline; a failure prints what repeats it.
settings.register_profile("tandem", deadline=None, print_blob=True)
settings.load_profile("tandem")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by folder: some need the lab or what is installed for it, tests/prove are the matrix of faults."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if folder in {"e2e", "lab", "license"}:
            item.add_marker(pytest.mark.lab)
        elif folder == "prove":
            item.add_marker(pytest.mark.prove)


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the checkout."""
    return ROOT
