"""Say who may reach whom, from the processes that applications declare (the specification of applications).

An instance is known to those it talks to by its service address and the management address of its server. The firewall
lets every address of its server through: a process that does not bind its outgoing connections uses whichever of them
the kernel prefers, so the address of a neighbour too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from tandem.applications import Listen, Process
from tandem.errors import Problems
from tandem.installation import Instance, Server, Site
from tandem.model import Model

EVERYONE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True, order=True)
class Client:
    """A source allowed to reach a process; `address` is a network with its prefix, /32 for a single address."""

    network: IPv4Network
    name: str

    @property
    def address(self) -> str:
        """Return the network as text."""
        return str(self.network)


@dataclass(frozen=True, slots=True)
class Rule:
    """Allow some networks to reach one port of one address; everything without a rule is dropped."""

    protocol: str
    address: str
    port: int
    sources: tuple[str, ...]
    comment: str


class Topology:
    """The processes of an installation, where they listen, and their clients."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._installation = model.installation
        base = model.applications.base
        self._base: Mapping[str, Process] = base.declaration.processes if base else {}
        self.on: dict[str, list[Instance]] = defaultdict(list)
        self.of: dict[str, list[Instance]] = defaultdict(list)
        for _, instance in sorted(model.installation.instances.items()):
            self.on[instance.server.name].append(instance)
            self.of[instance.application].append(instance)
        self._known: dict[tuple[tuple[str, ...], frozenset[Client]], tuple[str, ...]] = {}

    def clients(self, process: Process, instance: Instance | None) -> list[Client]:
        """Return everything that is to reach a process of an instance (None: of base), one entry for each network."""
        clients = {client for name in process.clients for client in self._named(name)}
        clients |= self._optional(process, instance)
        return sorted({client.network: client for client in sorted(clients, reverse=True)}.values())

    def listens(self, instance: Instance) -> list[tuple[str, str, int]]:
        """Return what the processes of an instance listen on: name, protocol and port, by name."""
        processes = self._model.applications[instance.application].declaration.processes.values()
        listens = [(name, listen) for process in processes for name, listen in self._open(process, instance)]
        return sorted((name, lis.protocol, self._port(lis, instance)) for name, lis in listens)

    def firewall(self, server: Server) -> list[Rule]:
        """Return the rules of one server, for its own processes first, then those of its instances by address."""
        rules = list(self._rules(self._base, server.address, server.name, None, self._runner(server.site)))
        for instance in self.on[server.name]:
            declaration = self._model.applications[instance.application].declaration
            rules += self._rules(declaration.processes, instance.address, instance.name, instance)
        return sorted(rules, key=lambda rule: (IPv4Address(rule.address), rule.protocol, rule.port, rule.comment))

    @cached_property
    def _addresses(self) -> Mapping[str, list[Client]]:
        return {name: self._addresses_of(server) for name, server in self._installation.servers.items()}

    def refuse_shut_out(self, problems: Problems) -> None:
        """Note every server whose rules would let a controller reach no TCP port of its management address."""
        wanted = self._installation.controllers
        # they are the same on every server, but for the address
        for server in list(self._installation.servers.values())[:1]:
            rules = self._rules(self._base, server.address, server.name, None)
            allowed = [IPv4Network(source) for rule in rules if rule.protocol == "tcp" for source in rule.sources]
            outside = [str(net) for net in wanted if not any(net.subnet_of(source) for source in allowed)]
            if wanted and not outside:
                return
            who = f"the controllers {', '.join(outside)}" if outside else "every controller"
            origin = self._model.source.installation.at(("controllers",)).origin
            for name in self._installation.servers:
                problems.add(origin, f"{name}: its firewall would shut out {who}; nothing could manage it any more")

    def _rules(
        self,
        processes: Mapping[str, Process],
        address: IPv4Address,
        owner: str,
        instance: Instance | None,
        runner: frozenset[Client] = frozenset(),
    ) -> Iterator[Rule]:
        for process_name, process in sorted(processes.items()):
            optional = self._optional(process, instance) | (runner if "runner" in process.clients else set())
            sources = self._sources(process.clients, frozenset(optional))
            for listen_name, listen in self._open(process, instance):
                if sources:
                    comment = f"{owner} {process_name} {listen_name}"
                    yield Rule(listen.protocol, str(address), self._port(listen, instance), sources, comment)

    def _open(self, process: Process, instance: Instance | None) -> list[tuple[str, Listen]]:
        """Return where a process listens, without what an option turns off."""
        return [
            (name, listen)
            for name, listen in sorted(process.listens.items())
            if listen.when is None or self._option(listen.when, instance)
        ]

    def _port(self, listen: Listen, instance: Instance | None) -> int:
        return listen.port if isinstance(listen.port, int) else int(str(self._option(listen.port, instance)))

    def _option(self, name: str, instance: Instance | None) -> object:
        values = self._model.tree.effective(instance.name) if instance else self._model.tree.base()
        return values[name].value

    def _optional(self, process: Process, instance: Instance | None) -> set[Client]:
        """Return the clients that an option adds to those declared."""
        networks = self._option(process.clients_option, instance) if process.clients_option else []
        return {Client(IPv4Network(str(network)), str(network)) for network in networks}  # type: ignore[attr-defined]

    def _runner(self, site: Site) -> frozenset[Client]:
        """Return the server that reaches the others of a site, if there is one."""
        server = self._installation.servers.get(site.runner or "")
        return frozenset({Client(IPv4Network(server.address), server.name)} if server else ())

    def _sources(self, names: tuple[str, ...], optional: frozenset[Client]) -> tuple[str, ...]:
        """Return every network that clients may come from, computed once for all processes that have the same."""
        if (names, optional) not in self._known:
            clients = {client for name in names for client in self._named(name)}
            servers = {instance.server.name for name in names for instance in self.of.get(name, ())}
            clients |= optional.union(*(self._addresses[server] for server in servers))
            networks = widest(client.network for client in clients)
            self._known[names, optional] = tuple(str(network) for network in networks)
        return self._known[names, optional]

    def _named(self, name: str) -> Iterator[Client]:
        """Yield the clients that one word of a declaration stands for."""
        if name == "everyone":
            yield Client(EVERYONE, name)
        elif name == "controllers":
            yield from (Client(network, name) for network in self._installation.controllers)
        elif name == "servers":
            yield from (client for addresses in self._addresses.values() for client in addresses)
        else:
            for instance in self.of.get(name, ()):
                yield Client(IPv4Network(instance.server.address), instance.server.name)
                yield Client(IPv4Network(instance.address), instance.name)

    def _addresses_of(self, server: Server) -> list[Client]:
        """Return each address of a server once, under the name of what it belongs to."""
        names = {instance.address: instance.name for instance in reversed(self.on[server.name])}
        names[server.address] = server.name
        return [Client(IPv4Network(address), name) for address, name in names.items()]


def widest(networks: Iterable[IPv4Network]) -> list[IPv4Network]:
    """Return the networks that lie in no other of them, in order: a set of nftables must not overlap."""
    kept: list[IPv4Network] = []
    for network in sorted(set(networks), key=lambda net: (net.network_address, net.prefixlen)):
        if not kept or not network.subnet_of(kept[-1]):
            kept.append(network)
    return kept
