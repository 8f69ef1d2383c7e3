"""Give Ansible the servers of an installation as hosts, in groups by site, application and cluster."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData

from tandem.errors import TandemError
from tandem.installation import Installation
from tandem.model import read_alone
from tandem.project import project_directory, roles_directory

DIRECTORY = "tandem_installation"
"""The variable that says where an installation's files are, also in a copy of the inventory, as jobs of AWX get."""
RUNNER = "tandem_runner"
"""The variable of a server that names the runner of its site, where it has one."""


def read_servers(path: Path) -> Installation:
    """Return the installation that a file describes; raise AnsibleParserError with everything wrong in it."""
    try:
        return read_alone(path, roles_directory())
    except TandemError as error:
        raise AnsibleParserError(str(error)) from None


def fill(inventory: InventoryData, installation: Installation, directory: Path) -> None:
    """Add hosts and groups: one for each site, cluster and application; where names coincide, so do the groups."""
    inventory.set_variable("all", DIRECTORY, _place(directory))
    for server in installation.servers.values():
        inventory.add_host(server.name)
        inventory.set_variable(server.name, "ansible_host", str(server.address))
        if server.site.runner:
            inventory.set_variable(server.name, RUNNER, server.site.runner)
        _join(inventory, server.site.name, server.name)
    for instance in installation.instances.values():
        for group in (instance.application, instance.cluster):
            _join(inventory, group, instance.server.name)


def _place(directory: Path) -> str:
    """Return a directory as seen from the project, which may be checked out elsewhere when the inventory is used."""
    absolute, project = directory.resolve(), project_directory().resolve()
    return str(absolute.relative_to(project) if absolute.is_relative_to(project) else absolute)


def _join(inventory: InventoryData, group: str, host: str) -> None:
    """Put a host into a group by the group's own name, and by one that can be a variable's too."""
    for name in dict.fromkeys((group, re.sub(r"\W", "_", group))):
        inventory.add_child(inventory.add_group(name), host)
