"""`tandem.platform.source`: write the source of a stored configuration as editable files."""

from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab


def test_the_source_comes_back_byte_for_byte(fleet: Fleet, task: Task, tmp_path: Path) -> None:
    written = task("source", number=fleet.active(), path=str(tmp_path / "clone"))
    assert written["changed"] is True
    assert "installation.yml" in written["files"]
    assert "options/web_suite/web/web-2.yml" in written["files"]
    for name in written["files"]:
        assert (tmp_path / "clone" / name).read_bytes() == (fleet.directory / name).read_bytes()


def test_check_mode_writes_nothing(fleet: Fleet, task: Task, tmp_path: Path) -> None:
    task("source", "--check", number=fleet.active(), path=str(tmp_path / "clone"))
    assert not (tmp_path / "clone").exists()


def test_a_number_that_does_not_exist_is_said(fleet: Fleet, task: Task, tmp_path: Path) -> None:
    failed = task("source", number=999, path=str(tmp_path / "clone"), status=2)
    assert "there is no configuration 999" in failed["msg"]
    assert fleet.active()
