"""Give Ansible the servers of an installation as hosts, in groups by site, application and cluster."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData

from tandem import applications as declarations
from tandem.errors import Problems
from tandem.installation import Installation
from tandem.inventory import read_installation
from tandem.project import roles_directory
from tandem.source import read


def read_servers(path: Path) -> Installation:
    """Return the installation that a file describes; raise AnsibleParserError with everything wrong in it.

    Mistakes in option files are no reason to refuse: they are reported by what compiles them.
    """
    problems, elsewhere = Problems(), Problems()
    applications = declarations.load(roles_directory(), problems)
    source = read(path.parent, elsewhere)
    problems.extend(problem for problem in elsewhere.found if problem.origin.path == path.name)
    found = read_installation(source.installation, applications, problems)
    if problems.found:
        raise AnsibleParserError(
            "\n".join(str(problem) for problem in sorted(problems.found, key=lambda p: p.origin.sort_key))
        )
    return found.installation


def fill(inventory: InventoryData, installation: Installation) -> None:
    """Add hosts and groups. A group is named as its site, cluster or application; where names coincide, so do the groups."""
    for server in installation.servers.values():
        inventory.add_host(server.name)
        inventory.set_variable(server.name, "ansible_host", str(server.address))
        _join(inventory, server.site.name, server.name)
    for instance in installation.instances.values():
        for group in (instance.application, instance.cluster):
            _join(inventory, group, instance.server.name)


def _join(inventory: InventoryData, group: str, host: str) -> None:
    name = inventory.add_group(re.sub(r"\W", "_", group))
    inventory.add_child(name, host)
