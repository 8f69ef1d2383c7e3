"""Give the tests the sample installation."""

from pathlib import Path

import pytest

from tests.sample.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a copy of the sample installation."""
    return Project(tmp_path)
