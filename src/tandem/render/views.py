"""Show templates the installation as plain values: names, addresses as text, lists in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tandem.installation import Installation, Instance, Network, Server, Site
from tandem.render.options import Options


@dataclass(frozen=True, slots=True)
class Named:
    """Stand in a template for something with a name, and write as that name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class NetworkView(Named):
    """A network of a site: `network` as address/prefix, `gateway`, and the `interface` it is on."""

    network: str
    gateway: str
    interface: str


@dataclass(frozen=True, slots=True)
class SiteView(Named):
    """A site: its kind, its networks by name, and the name of a license of its own, or None."""

    kind: str
    networks: Mapping[str, NetworkView]
    license: str | None


@dataclass(frozen=True, slots=True)
class ServerView(Named):
    """A server: management address with its prefix, interface and gateway, and its site."""

    site: SiteView
    address: str
    prefix: int
    interface: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Listening(Named):
    """What a process of an instance listens on: the name is that of the service, as in SRV records."""

    protocol: str
    port: int


class Effect(Protocol):
    """Who knows what the options of an instance come to."""

    def options(self, instance: Instance, environment: str | None = None) -> Options:
        """Return the effective options, in Global or in an environment."""

    def environment_options(self, instance: Instance) -> Mapping[str, Options]:
        """Return the effective options in every environment, by name."""

    def listens(self, instance: Instance) -> tuple[Listening, ...]:
        """Return what the processes listen on."""

    def license(self, instance: Instance) -> Mapping[str, object] | None:
        """Return what an instance is and uses of the license; None where it starts without one."""


class InstanceView:
    """An instance: service address, place, and what its options come to, which is found out when it is asked for."""

    def __init__(self, instance: Instance, server: ServerView, effect: Effect) -> None:
        self.name = instance.name
        self.application = instance.application
        self.cluster = instance.cluster
        self.address = str(instance.address)
        self.server = server
        self.site = server.site
        self._instance = instance
        self._effect = effect

    def __str__(self) -> str:
        return self.name

    @property
    def prefix(self) -> int:
        """Return the length of the prefix of the network that the service address lies in."""
        return self._instance.network.network.prefixlen

    @property
    def listens(self) -> tuple[Listening, ...]:
        """Return what the processes of the instance listen on."""
        return self._effect.listens(self._instance)

    @property
    def license(self) -> Mapping[str, object] | None:
        """Return what the instance is and uses of the license; None where it starts without one."""
        return self._effect.license(self._instance)

    @property
    def options(self) -> Options:
        """Return the effective options in Global."""
        return self._effect.options(self._instance)

    @property
    def environment_options(self) -> Mapping[str, Options]:
        """Return the effective options in every environment, by name."""
        return self._effect.environment_options(self._instance)


@dataclass(frozen=True, slots=True)
class InstallationView(Named):
    """The installation: its sites, servers and instances in order of name, controllers as networks, environments."""

    sites: tuple[SiteView, ...]
    servers: tuple[ServerView, ...]
    instances: tuple[InstanceView, ...]
    controllers: tuple[str, ...]
    environments: tuple[str, ...]


def server_views(installation: Installation) -> dict[str, ServerView]:
    """Return what templates see of each server, by name."""
    sites = {name: _site(site) for name, site in installation.sites.items()}
    return {name: _server(server, sites[server.site.name]) for name, server in sorted(installation.servers.items())}


def _site(site: Site) -> SiteView:
    networks = {name: _network(network) for name, network in sorted(site.networks.items())}
    return SiteView(site.name, site.kind, networks, site.license)


def _network(network: Network) -> NetworkView:
    return NetworkView(network.name, str(network.network), str(network.gateway), network.interface)


def _server(server: Server, site: SiteView) -> ServerView:
    management = server.site.management
    prefix = management.network.prefixlen
    return ServerView(server.name, site, str(server.address), prefix, management.interface, str(management.gateway))
