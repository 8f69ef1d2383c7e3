"""Read from installation.yml what the lab needs of it: sites, networks, servers, and where the controller stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError

MANAGEMENT = "management"
UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True)
class Network:
    """One network of a site; networks with the same interface share a cable."""

    name: str
    subnet: IPv4Network
    gateway: IPv4Address
    interface: str


@dataclass(frozen=True)
class Site:
    """One site: its networks by name."""

    name: str
    networks: Mapping[str, Network]

    @property
    def management(self) -> Network:
        return self.networks[MANAGEMENT]

    @property
    def interfaces(self) -> list[str]:
        """The interfaces a server of this site has, the management one first."""
        return list(dict.fromkeys([self.management.interface, *(n.interface for n in self.networks.values())]))


@dataclass(frozen=True)
class Server:
    """One server: its site, management address, and memory in bytes."""

    name: str
    site: Site
    address: IPv4Address
    memory: int


@dataclass(frozen=True)
class Topology:
    """What the lab builds."""

    name: str
    sites: Mapping[str, Site]
    servers: Mapping[str, Server]
    controllers: tuple[IPv4Network, ...]

    def controller(self, site: Site) -> IPv4Interface | None:
        """Return the controller's address in a site, with the length of its management network's prefix."""
        subnet = site.management.subnet
        for network in self.controllers:
            if network.subnet_of(subnet):
                return IPv4Interface(f"{first_host(network)}/{subnet.prefixlen}")
        return None


def first_host(network: IPv4Network) -> IPv4Address:
    """Return the first address a machine can have in `network`."""
    return next(iter(network.hosts()), network.network_address)


def installation_file(inventory: Path) -> Path:
    """Return the installation.yml of an inventory given as its directory or as the file itself."""
    path = inventory / "installation.yml" if inventory.is_dir() else inventory
    if not path.is_file():
        raise LabError(f"{path}: there is no such file; give an inventory directory, or its installation.yml")
    return path


def read(inventory: Path) -> Topology:
    """Read an inventory.

    Raises LabError naming the file and the place where it is not as the lab needs it.
    """
    path = installation_file(inventory)
    try:
        source = yaml.load(path.read_text(), yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise LabError(f"{path}: {error}") from error
    try:
        return topology(source)
    except KeyError as error:
        raise LabError(f"{path}: {error.args[0]} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise LabError(f"{path}: {error}") from error


def together(installations: Sequence[Topology]) -> Topology:
    """Return the topology of a lab that several installations stand in, under the name of the first.

    Raises LabError where two sites or servers have one name, or networks of two installations overlap.
    """
    return reduce(_beside, installations)


def _beside(lab: Topology, other: Topology) -> Topology:
    for what, names in (("site", lab.sites.keys() & other.sites), ("server", lab.servers.keys() & other.servers)):
        if names:
            raise LabError(f"{other.name}: {what} {min(names)} is in the lab already; each needs a name of its own")
    taken = [network for site in lab.sites.values() for network in site.networks.values()]
    for site in other.sites.values():
        for network in site.networks.values():
            for there in taken:
                if network.subnet.overlaps(there.subnet):
                    what = f"sites.{site.name}.networks.{network.name}: {network.subnet}"
                    raise LabError(f"{other.name}: {what} overlaps with {there.subnet}, which is in the lab already")
    return Topology(
        lab.name,
        {**lab.sites, **other.sites},
        {**lab.servers, **other.servers},
        (*lab.controllers, *other.controllers),
    )


def topology(source: Mapping[str, Any]) -> Topology:
    """Build the topology from the contents of an installation.yml."""
    sites = {name: Site(name, dict(networks(name, site["networks"]))) for name, site in source["sites"].items()}
    for site in sites.values():
        if MANAGEMENT not in site.networks:
            raise KeyError(f"sites.{site.name}.networks.{MANAGEMENT}")
    servers = {name: server(name, entry, sites) for name, entry in source["servers"].items()}
    controllers = tuple(IPv4Network(network) for network in source["controllers"])
    result = Topology(source["name"], sites, servers, controllers)
    if not any(result.controller(site) for site in sites.values()):
        raise ValueError("controllers: none lies in the management network of a site; the lab cannot reach a server")
    return result


def networks(site: str, source: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Network]]:
    """Yield the networks of one site by name."""
    for name, entry in source.items():
        try:
            subnet = IPv4Network(entry["network"])
            gateway = IPv4Address(entry["gateway"]) if entry.get("gateway") else first_host(subnet)
        except ValueError as error:
            raise ValueError(f"sites.{site}.networks.{name}: {error}") from error
        yield name, Network(name, subnet, gateway, entry.get("interface", "eth0"))


def server(name: str, source: Mapping[str, Any], sites: Mapping[str, Site]) -> Server:
    """Build one server."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", name):
        raise ValueError(f"servers.{name}: not a name a server can have as its host name")
    if source["site"] not in sites:
        raise ValueError(f"servers.{name}: site {source['site']} does not exist")
    site = sites[source["site"]]
    address = IPv4Address(source["address"])
    if address not in site.management.subnet:
        raise ValueError(f"servers.{name}: address {address} is not in {site.name}'s {site.management.subnet}")
    return Server(name, site, address, size(str(source["memory"])))


def size(text: str) -> int:
    """Return the bytes of a size such as `4GiB`."""
    match = re.fullmatch(r"(\d+) ?([KMGT]iB)", text)
    if not match:
        raise ValueError(f"{text} is not a size such as 4GiB")
    return int(match[1]) * UNITS[match[2]]
