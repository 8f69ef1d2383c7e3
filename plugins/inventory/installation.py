"""Read installation.yml as an inventory."""

from __future__ import annotations

DOCUMENTATION = """
name: installation
short_description: The servers of an installation, grouped by site, application and cluster
description:
  - Reads C(installation.yml), the file that describes an installation; its first key is C(plugin).
  - Servers are hosts. There is a group for every site, every application and every cluster, with the servers that run
    an instance of it.
  - The variable C(tandem_installation) says in which directory the file is, seen from the project's directory if it is
    in it.
options:
  plugin:
    description: Marks the file as this plugin's.
    required: true
    choices: [tandem.platform.installation]
"""

EXAMPLES = """
plugin: tandem.platform.installation
name: small
controllers: [198.19.0.250/32]
sites:
  here:
    kind: primary
    networks:
      management: {network: 198.19.0.0/24}
      service: {network: 198.19.1.0/24}
servers:
  One: {site: here, address: 198.19.0.11, cpus: 2, memory: 4GiB, disk: 40GiB}
clusters:
  configuration:
    application: configuration_server
    instances:
      configuration-1: {server: One, address: 198.19.0.11}
"""

from pathlib import Path

from ansible.plugins.inventory import BaseInventoryPlugin

from tandem.ansible.inventory import fill, read_servers


class InventoryModule(BaseInventoryPlugin):
    """Offer what installation.yml names."""

    NAME = "tandem.platform.installation"
    # all it sets are addresses that have been checked; other programs read `ansible-inventory --list` as plain JSON
    trusted_by_default = True

    def verify_file(self, path):
        """Return whether this is a file of ours."""
        return super().verify_file(path) and Path(path).name == "installation.yml"

    def parse(self, inventory, loader, path, cache=True):
        """Add hosts and groups."""
        super().parse(inventory, loader, path, cache)
        fill(self.inventory, read_servers(Path(path)), Path(path).parent)
