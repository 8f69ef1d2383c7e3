"""Check the rules between the parts of an installation: sites, addresses, applications, ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address

from tandem.applications import Application, Applications, Declaration
from tandem.errors import Origin, Problems, did_you_mean
from tandem.installation import MANAGEMENT, Installation, Instance, Network, Server
from tandem.options import Effective, Tree
from tandem.project import INSTALLATION

ON_MANAGEMENT = ("configuration_server", "log_server", "license_signer")
"""Applications whose instances may use the management address of their server as service address."""


def check(installation: Installation, applications: Applications, problems: Problems, *, complete: bool) -> None:
    """Note everything that breaks a rule, whatever the options are.

    What must exist is asked for only if everything that is written could be read (`complete`): what seems to be missing
    may well be what was refused.
    """
    _networks(installation, problems)
    _server_addresses(installation, problems)
    _instance_addresses(installation, problems)
    _addresses_twice(installation, problems)
    _alone(installation, applications, problems)
    _one_primary_site(installation, problems, complete=complete)
    _licenses(installation, problems)
    if complete:
        _runners(installation, problems)
        _numbers(installation, applications, problems)
        _required_applications(installation, applications, problems)


def _one_primary_site(installation: Installation, problems: Problems, *, complete: bool) -> None:
    primary = [site for site in installation.sites.values() if site.kind == "primary"]
    if not primary and complete:
        problems.add(Origin(INSTALLATION), "no site is primary; exactly one must be")
    for site in primary[1:]:
        problems.add(site.origin, f"{site.name}: a second primary site, after {primary[0].name}; exactly one must be")


def _runners(installation: Installation, problems: Problems) -> None:
    """Check that the runner of a site is one of its servers."""
    for site in installation.sites.values():
        here = [server.name for server in installation.servers.values() if server.site is site]
        if site.runner is not None and site.runner not in here:
            hint = did_you_mean(site.runner, here)
            problems.add(site.origin, f"{site.name}.runner: {site.runner} is not a server of this site{hint}")


def _licenses(installation: Installation, problems: Problems) -> None:
    """Check that no two sites have the same license as their own: each would count for itself."""
    first: dict[str, str] = {}
    for site in installation.sites.values():
        if site.license is not None and first.setdefault(site.license, site.name) != site.name:
            message = f"{site.license} is that of site {first[site.license]}; every site needs one of its own, or none"
            problems.add(site.origin, f"{site.name}.license: {message}")


def _networks(installation: Installation, problems: Problems) -> None:
    """Check that gateways lie in their networks and that no two networks overlap."""
    seen: list[tuple[str, Network]] = []
    for site in installation.sites.values():
        for network in site.networks.values():
            if not _usable(network.gateway, network):
                message = f"{site.name}.{network.name}: gateway {network.gateway} is not in {network.network}"
                problems.add(network.origin, message)
            for name, other in seen:
                if network.network.overlaps(other.network):
                    message = f"{site.name}.{network.name}: {network.network} overlaps {name} ({other.network})"
                    problems.add(network.origin, message)
            seen.append((f"{site.name}.{network.name}", network))


def _usable(address: IPv4Address, network: Network) -> bool:
    """Tell whether a machine in a network can have an address: its first and last belong to nobody."""
    whole = network.network
    if whole.prefixlen >= 31:
        return address in whole
    return address in whole and address not in (whole.network_address, whole.broadcast_address)


def _server_addresses(installation: Installation, problems: Problems) -> None:
    for server in installation.servers.values():
        management = server.site.management
        where = f"{server.name}: address {server.address}"
        if server.site.network_of(server.address) is None:
            every = ", ".join(str(network.network) for network in server.site.networks.values())
            problems.add(server.origin, f"{where} is not in a network of site {server.site.name} ({every})")
        elif server.address not in management.network:
            message = f"{where} is not in the {MANAGEMENT} network of site {server.site.name} ({management.network})"
            problems.add(server.origin, message)
        else:
            _taken(where, server.origin, server.address, management, problems)


def _taken(where: str, origin: Origin, address: IPv4Address, network: Network, problems: Problems) -> None:
    """Note an address that is in a network but not free for a machine."""
    if address == network.gateway:
        problems.add(origin, f"{where} is the gateway of {network.network}")
    elif not _usable(address, network):
        problems.add(origin, f"{where} is the first or last of {network.network}, which no machine can have")


def _instance_addresses(installation: Installation, problems: Problems) -> None:
    for instance in installation.instances.values():
        site = instance.server.site
        if instance.application in ON_MANAGEMENT and instance.address == instance.server.address:
            continue
        where = f"{instance.name}: address {instance.address}"
        services = [network for network in site.networks.values() if network.name != MANAGEMENT]
        network = next((network for network in services if instance.address in network.network), None)
        if network is not None:
            _taken(where, instance.origin, instance.address, network, problems)
        else:
            every = ", ".join(str(network.network) for network in services) or "it has none"
            message = f"is not in a service network of site {site.name} ({every}), where {instance.server.name} is"
            problems.add(instance.origin, f"{where} {message}")


def _addresses_twice(installation: Installation, problems: Problems) -> None:
    """Check that no address is on two servers; instances of one server may share theirs."""
    first: dict[IPv4Address, tuple[str, Server]] = {}
    claims: list[tuple[str, Server, IPv4Address, Origin]] = [
        *((s.name, s, s.address, s.origin) for s in installation.servers.values()),
        *((i.name, i.server, i.address, i.origin) for i in installation.instances.values()),
    ]
    for name, server, address, origin in sorted(claims, key=lambda claim: claim[3].sort_key):
        other, owner = first.setdefault(address, (name, server))
        if owner is not server:
            by = other if other == owner.name else f"{other} on {owner.name}"
            problems.add(origin, f"{name}: address {address} is on two servers: {by} has it already")


def check_ports(
    servers: Iterable[Server], instances: Iterable[Instance], applications: Applications, tree: Tree, problems: Problems
) -> None:
    """Note where two processes claim the same address, protocol and port.

    An address is on one server, so servers can be checked one by one, with the instances on them.
    """
    first: dict[tuple[IPv4Address, str, int], str] = {}
    if applications.base is not None:
        for server in servers:
            for process, protocol, port in _listens(applications.base.declaration, tree.base()):
                first.setdefault((server.address, protocol, port), f"{process} of every server")
    for instance in instances:
        declaration = applications[instance.application].declaration
        for process, protocol, port in _listens(declaration, tree.effective(instance.name)):
            claim = f"{process} of {instance.name}"
            other = first.setdefault((instance.address, protocol, port), claim)
            if other != claim:
                what = f"{protocol} port {port} of {instance.address} is claimed by {claim} and by {other}"
                message = f"{instance.name}: {what}; change a port, or give {instance.name} another address"
                problems.add(instance.origin, message)


def _listens(declaration: Declaration, values: Effective) -> Iterator[tuple[str, str, int]]:
    """Yield process, protocol and port for everything that is listened on."""
    for name, process in declaration.processes.items():
        for socket in process.listens.values():
            if socket.when is not None and socket.when in values and values[socket.when].value is not True:
                continue
            port = socket.port
            if isinstance(port, str):
                found = values[port].value if port in values else None
                if not isinstance(found, int):
                    continue
                port = found
            yield name, socket.protocol, port


def _alone(installation: Installation, applications: Applications, problems: Problems) -> None:
    """Check that what wants its server for itself shares it only with what it allows."""
    by_server: dict[str, list[Instance]] = {}
    for instance in installation.instances.values():
        by_server.setdefault(instance.server.name, []).append(instance)
    for server, instances in by_server.items():
        for instance in instances:
            declaration = applications[instance.application].declaration
            if not declaration.alone:
                continue
            allowed = {instance.application, *declaration.beside}
            for other in instances:
                if other.application not in allowed:
                    beside = " and ".join(declaration.beside) or "nothing"
                    message = f"{other.name}: cannot be on {server}, which {instance.name} shares with {beside} only"
                    problems.add(other.origin, message)


def _numbers(installation: Installation, applications: Applications, problems: Problems) -> None:
    """Check that there are as many instances of each application as it allows."""
    for name, application in applications.items():
        allowed = application.declaration.instances
        origins = _origins(installation, name)
        number = len(origins)
        if number < allowed.minimum or (allowed.maximum is not None and number > allowed.maximum):
            origin = list(origins.values())[-1] if origins else Origin(INSTALLATION)
            message = f"{_allowed(application)} of {name} must be in an installation; here are {number}"
            names = f": {', '.join(origins)}" if origins else ""
            problems.add(origin, message + names)


def _allowed(application: Application) -> str:
    """Put the allowed number of instances into words."""
    allowed = application.declaration.instances
    if allowed.minimum == allowed.maximum:
        return f"exactly {allowed.minimum} instance{'' if allowed.minimum == 1 else 's'}"
    if allowed.maximum is None:
        return f"at least {allowed.minimum} instance{'' if allowed.minimum == 1 else 's'}"
    return f"{allowed.minimum} to {allowed.maximum} instances"


def _origins(installation: Installation, application: str) -> Mapping[str, Origin]:
    """Return every instance of an application that is written down, also one that could not be read."""
    clusters = [cluster for cluster in installation.clusters.values() if cluster.application == application]
    origins = {name: origin for cluster in clusters for name, origin in cluster.instances.items()}
    return dict(sorted(origins.items(), key=lambda item: item[1].sort_key))


def _required_applications(installation: Installation, applications: Applications, problems: Problems) -> None:
    for cluster in installation.clusters.values():
        for needed in applications[cluster.application].declaration.requires if cluster.instances else ():
            if not _origins(installation, needed):
                message = f"{cluster.name}: {cluster.application} requires {needed}, of which there is no instance"
                problems.add(cluster.origin, message)
