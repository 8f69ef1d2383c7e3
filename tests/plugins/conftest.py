"""One installation on a lab of its own for the plugins, and what runs a task of a playbook on it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fleet.fleet import Fleet

Json = dict[str, Any]


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Return the small installation, applied once; put it back after changes with `settle`."""
    fleet = Fleet("small", tmp_path_factory.mktemp("plugins"), f"test-plugins-{os.getpid()}")
    try:
        fleet.lab.up()
        fleet.tandem("apply")
        yield fleet
    finally:
        fleet.lab.down(purge=True)


class Task:
    """Run one task as somebody's own playbook would, and keep what it printed and returned."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet = fleet
        self.directory = directory
        self.output = ""

    def __call__(self, action: str, *words: str, hosts: str = "all", status: int = 0, **arguments: object) -> Json:
        """Run `tandem.platform.<action>` with Ansible's switches `words`, and return its result on the first host."""
        result = self.directory / "result.json"
        result.unlink(missing_ok=True)
        keep = {"content": "{{ result | to_json }}", "dest": str(result), "mode": "0600"}
        here = {"delegate_to": "localhost", "check_mode": False, "connection": "local", "become": False}
        tasks = [
            {
                "run_once": True,
                "block": [{f"tandem.platform.{action}": arguments, "register": "result"}],
                "always": [{"ansible.builtin.copy": keep, **here, "diff": False, "changed_when": False}],
            }
        ]
        playbook = self.directory / "task.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "tasks": tasks}]))
        self.output = self.fleet.playbook(str(playbook.with_suffix("")), *words, status=status)
        found: Json = json.loads(result.read_text())
        return found

    def plan(self, **arguments: object) -> Json:
        """Return the result of planning, with the lease of the installation taken."""
        return self("plan", lease=True, **arguments)


@pytest.fixture
def task(fleet: Fleet, tmp_path: Path) -> Task:
    """Return what runs one task."""
    return Task(fleet, tmp_path)
