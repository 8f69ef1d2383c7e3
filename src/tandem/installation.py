"""Hold what an installation consists of: sites, servers, clusters and instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from tandem.errors import Origin

MANAGEMENT = "management"
"""The name of the network of a site that Tandem itself uses; every site has it."""


@dataclass(frozen=True, slots=True)
class Network:
    """Describe one network of a site; `interface` is what it is called on the site's servers."""

    name: str
    network: IPv4Network
    gateway: IPv4Address
    interface: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Site:
    """Describe servers in one place; exactly one site of an installation is primary.

    `runner` is the server from which the others of the site are reached in an apply by site, if there is one.
    `license` is the name, at the vendor, of the license that the site has of its own.
    """

    name: str
    kind: Literal["primary", "secondary"]
    networks: Mapping[str, Network]
    origin: Origin
    runner: str | None = None
    license: str | None = None

    @property
    def management(self) -> Network:
        """Return the network over which the configuration server reaches the servers."""
        return self.networks[MANAGEMENT]

    def network_of(self, address: IPv4Address) -> Network | None:
        """Return the network of this site that an address lies in."""
        return next((network for network in self.networks.values() if address in network.network), None)


@dataclass(frozen=True)  # without slots, with which Python is slow to load the thousands that the cache keeps
class Server:
    """Describe one machine; `address` is its management address, memory and disk are in bytes (None: not stated)."""

    name: str
    site: Site
    address: IPv4Address
    cpus: int | None
    memory: int | None
    disk: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Cluster:
    """Describe a named set of instances of one application; `instances` maps each name to where it is written."""

    name: str
    application: str
    suite: str
    instances: Mapping[str, Origin]
    origin: Origin


@dataclass(frozen=True)
class Instance:
    """Describe a configured copy of an application on a server, with its service address."""

    name: str
    cluster: str
    application: str
    suite: str
    server: Server
    address: IPv4Address
    origin: Origin

    @property
    def network(self) -> Network:
        """Return the network that the service address lies in."""
        network = self.server.site.network_of(self.address)
        assert network is not None, "the rules of the installation put every address in a network of its site"
        return network


@dataclass(frozen=True, slots=True)
class Installation:
    """Describe everything one operator runs. All mappings are sorted by name."""

    name: str
    sites: Mapping[str, Site]
    servers: Mapping[str, Server]
    clusters: Mapping[str, Cluster]
    instances: Mapping[str, Instance]
    environments: tuple[str, ...]
    controllers: tuple[IPv4Network, ...]

    def instances_on(self, server: str) -> list[Instance]:
        """Return the instances that run on a server, by name."""
        return [instance for instance in self.instances.values() if instance.server.name == server]

    def instances_of(self, application: str) -> list[Instance]:
        """Return the instances of an application in all sites, by name."""
        return [instance for instance in self.instances.values() if instance.application == application]
