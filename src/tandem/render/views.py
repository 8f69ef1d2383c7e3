"""Show templates the installation as plain values: names, addresses as text, lists in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.installation import Installation, Network, Server, Site
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
    """A site: its kind and its networks by name."""

    kind: str
    networks: Mapping[str, NetworkView]


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


@dataclass(frozen=True, slots=True)
class InstanceView(Named):
    """An instance: service address, place, and its effective options."""

    application: str
    cluster: str
    address: str
    prefix: int
    server: ServerView
    site: SiteView
    listens: tuple[Listening, ...]
    options: Options
    environment_options: Mapping[str, Options]


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
    return SiteView(site.name, site.kind, {name: _network(net) for name, net in sorted(site.networks.items())})


def _network(network: Network) -> NetworkView:
    return NetworkView(network.name, str(network.network), str(network.gateway), network.interface)


def _server(server: Server, site: SiteView) -> ServerView:
    management = server.site.management
    prefix = management.network.prefixlen
    return ServerView(server.name, site, str(server.address), prefix, management.interface, str(management.gateway))
