"""Say what the lab builds of an installation: cables, and where the controller stands."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from lab.errors import LabError
from tandem.errors import TandemError
from tandem.installation import Installation, Site
from tandem.inventory import read_alone
from tandem.project import roles_directory


def interfaces(site: Site) -> list[str]:
    """Return the interfaces a server of a site has, the management one first; networks may share one."""
    return list(dict.fromkeys([site.management.interface, *(n.interface for n in site.networks.values())]))


def controller(installation: Installation, site: Site) -> IPv4Interface | None:
    """Return the controller's address in a site, with the length of its management network's prefix."""
    management = site.management.network
    for network in installation.controllers:
        if network.subnet_of(management):
            return IPv4Interface(f"{_first_host(network)}/{management.prefixlen}")
    return None


def read(inventory: Path) -> Installation:
    """Read an inventory, given as its directory or its installation.yml; raise LabError with everything wrong in it."""
    path = inventory / "installation.yml" if inventory.is_dir() else inventory
    if not path.is_file():
        raise LabError(f"{path}: there is no such file; give an inventory directory, or its installation.yml, with -i")
    try:
        installation = read_alone(path, roles_directory())
    except TandemError as error:
        raise LabError("\n".join(f"{path.parent}/{line}" for line in str(error).splitlines())) from None
    if not any(controller(installation, site) for site in installation.sites.values()):
        raise LabError(
            f"{path}: controllers: none lies in the management network of a site; the lab cannot reach a server"
        )
    return installation


def _first_host(network: IPv4Network) -> IPv4Address:
    return next(iter(network.hosts()), network.network_address)
