"""Pack what a site's runner works with: a play of one task, the code behind it, and how its servers are reached.

It holds no secret, and nothing of any bundle: what is asked of the servers is told when the play runs (`part`).
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tandem import server_program

LIBRARY = "project/python"
TASK = "tandem_at_site"
PLAYBOOK = [{"hosts": "all", "gather_facts": False, "tasks": [{"name": "Reach the servers", TASK: {}}]}]
ENVIRONMENT = {
    "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner would switch it off
    # each server is spoken with once, and no connection stays open afterwards
    "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=no -o ControlPath=none",
    "MAX_EVENT_RES": str(2**31),  # characters of a message before it is thrown away
    "LC_ALL": "C.UTF-8",
}


def pack(hosts: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return what `ansible-runner transmit` sends; `hosts` are the site's servers with their variables."""
    import ansible_runner  # noqa: PLC0415  slow to load

    with tempfile.TemporaryDirectory(prefix="tandem-") as directory, tempfile.TemporaryFile() as stream:
        lay_out(Path(directory))
        ansible_runner.run(
            streamer="transmit",
            _output=stream,
            private_data_dir=directory,
            playbook=PLAYBOOK,
            inventory={"all": {"hosts": hosts}},
            envvars={**ENVIRONMENT},
            cancel_callback=lambda: False,
        )
        stream.seek(0)
        return stream.read()


def lay_out(directory: Path) -> None:
    """Write the task and the code into a directory.

    The folders of `tandem` go without what they gather for the controller (`__init__.py`): it needs more than Ansible.
    """
    for package in ("tandem", *server_program.PACKAGES):
        source = _folder(package)
        for path in sorted(source.rglob("*.py")):
            if path.name != "__init__.py" or path.parent == source:
                target = directory / LIBRARY / package / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    plugin = directory / "project" / "action_plugins" / f"{TASK}.py"
    plugin.parent.mkdir()
    plugin.write_text("from tandem.ansible.sites.at_site import ActionModule\n", encoding="utf-8")


def _folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    assert found, f"{package} is installed, or this would not run"
    assert found.origin
    return Path(found.origin).parent
