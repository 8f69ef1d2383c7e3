"""The callback `tandem.platform.per_server`: a server's result is reported as that of any other task on a host."""

from pathlib import Path

import pytest

from tests.fleet.fleet import Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab

# A callback of somebody else, such as a job's display, hears the events that it would hear of any module.
LISTENER = """
import json, os
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = "name: listener\\ntype: notification\\nshort_description: writes what it hears\\n"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "listener"

    def _note(self, kind, result):
        with open(os.environ["LISTENER_FILE"], "a") as file:
            file.write(json.dumps([kind, result.host.get_name(), result.task.action]) + "\\n")

    def v2_runner_on_ok(self, result):
        self._note("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._note("failed", result)

    def v2_runner_on_unreachable(self, result):
        self._note("unreachable", result)
"""


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> Path:
    """Return the file in which a listener writes what it hears."""
    (tmp_path / "listener.py").write_text(LISTENER)
    file = tmp_path / "heard"
    monkeypatch.setitem(fleet.environment, "ANSIBLE_CALLBACK_PLUGINS", str(tmp_path))
    monkeypatch.setitem(fleet.environment, "ANSIBLE_CALLBACKS_ENABLED", "tandem.platform.per_server,listener")
    monkeypatch.setitem(fleet.environment, "LISTENER_FILE", str(file))
    return file


def test_other_callbacks_hear_of_every_server(fleet: Fleet, task: Task, heard: Path) -> None:
    with fleet.unplugged("East"):
        task("drift_info", status=4)
    found = {line for line in heard.read_text().splitlines() if "drift_info" in line}
    action = "tandem.platform.drift_info"
    assert {f'["ok", "{server}", "{action}"]' for server in ("North", "South", "West")} <= found
    assert f'["unreachable", "East", "{action}"]' in found


def test_without_the_callback_the_task_itself_fails_and_names_every_server(
    fleet: Fleet, task: Task, heard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody must take a failed wave for a good one because a setting is missing."""
    monkeypatch.setitem(fleet.environment, "ANSIBLE_CALLBACKS_ENABLED", "listener")
    with fleet.unplugged("West"):
        failed = task("drift_info", status=2)
    assert failed["failed"] is True
    assert failed["msg"].startswith("West: ")
    assert "\n" not in failed["msg"]
    assert "failed" in heard.read_text()
