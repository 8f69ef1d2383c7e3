"""Read installation.yml into an installation, and note everything in it that is no such thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, TypeVar

from pydantic import TypeAdapter

from tandem.applications import Applications
from tandem.errors import Origin, Problems, did_you_mean
from tandem.installation import MANAGEMENT, Cluster, Installation, Instance, Network, Server, Site
from tandem.inventory.entries import (
    ClusterEntry,
    InstallationEntry,
    InstanceEntry,
    NetworkAddress,
    ServerEntry,
    SiteEntry,
)
from tandem.source import Node
from tandem.source.validate import validate

PLUGIN = "tandem.platform.installation"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}\Z")
KINDS = {dict: "a mapping", list: "a list", str: "text"}

T = TypeVar("T")


@dataclass(slots=True)
class Inventory:
    """Hold the installation as far as it could be read.

    `doubtful` are names that stand in the file but were reported; if `complete` is false, others may be missing.
    """

    installation: Installation
    doubtful: frozenset[str]
    complete: bool


@dataclass
class _Reader:
    """Read one installation.yml, part by part, so that one mistake hides no other."""

    root: Node
    applications: Applications
    problems: Problems
    doubtful: set[str] = field(default_factory=set)
    named_instances: set[str] = field(default_factory=set)
    complete: bool = True

    def part(self, key: str, kind: type[dict[str, Any] | list[Any] | str]) -> Node:
        """Return one of the top-level parts; note if it is missing or of the wrong kind."""
        node = self.root.entries.get(key)
        if node is None:
            self.problems.add(Origin(self.root.origin.path, self.root.origin.line), f"{key} is missing")
        elif node.broken and not isinstance(node.value, kind):
            self.complete = False
        elif not isinstance(node.value, kind):
            self.problems.add(node.origin, f"{key}: {KINDS[kind]} belongs here")
            self.complete = False
        else:
            return node
        return Node(None, self.root.origin)

    def named(self, node: Node, of: str) -> list[tuple[str, Node]]:
        """Return the entries of a mapping of names; note those that cannot be names, or differ by case alone."""
        seen: dict[str, str] = {}
        for name, child in node.entries.items():
            self.name(name, child.origin, of)
            if seen.setdefault(name.casefold(), name) != name:
                other = seen[name.casefold()]
                self.problems.add(child.origin, f"{of} {name} differs from {other} only in upper and lower case")
        return list(node.entries.items())

    def name(self, name: str, origin: Origin, of: str) -> None:
        """Note if something cannot be a name."""
        if not NAME.match(name):
            rule = "begin with a letter, then use letters, digits, - and _ (63 characters at most)"
            self.problems.add(origin, f'"{name}" cannot be the name of {of}: {rule}')

    def entry(self, model: type[T], node: Node, where: str) -> T | None:
        """Return one entry, or None after noting what is wrong with it."""
        return validate(_adapter(model), node, self.problems, where, getattr(model, "model_fields", ()))

    def site(self, name: str, node: Node) -> Site | None:
        """Return a site, if it is one."""
        if isinstance(node.value, dict):
            self.named(node.at(("networks",)) if "networks" in node.entries else Node(None, node.origin), "a network")
        entry = self.entry(SiteEntry, node, name)
        if entry is None:
            return None
        networks = {}
        for key, declared in sorted(entry.networks.items()):
            gateway = declared.gateway or declared.network.network_address + 1
            origin = node.at(("networks", key)).origin
            networks[key] = Network(key, declared.network, gateway, declared.interface, origin)
        if MANAGEMENT not in networks:
            self.problems.add(node.origin, f"{name}: a site needs a network called {MANAGEMENT}")
            return None
        return Site(name, entry.kind, networks, node.origin, entry.runner, entry.license)

    def server(self, name: str, node: Node, sites: Mapping[str, Site], known: set[str]) -> Server | None:
        """Return a server, if it is one and in a site."""
        entry = self.entry(ServerEntry, node, name)
        if entry is None:
            return None
        if entry.site not in known:
            message = f"{name}: site {entry.site} does not exist{did_you_mean(entry.site, known)}"
            self.problems.add(node.at(("site",)).origin, message)
        if entry.site not in sites:
            return None
        site = sites[entry.site]
        return Server(name, site, entry.address, entry.cpus, entry.memory, entry.disk, node.origin)

    def cluster(self, name: str, node: Node) -> Cluster | None:
        """Return a cluster with the names of its instances, if its application exists."""
        if isinstance(node.value, dict):
            outline = Node({**node.entries, "instances": Node({}, node.origin)}, node.origin)
            if "instances" not in node.entries:
                self.problems.add(node.origin, f"{name}: instances is missing")
        else:
            outline = node
        entry = self.entry(ClusterEntry, outline, name)
        instances = node.entries.get("instances", Node(None, node.origin))
        if not isinstance(instances.value, dict) and not instances.empty and not instances.broken:
            self.problems.add(instances.origin, f"{name}.instances: a mapping belongs here")
        if entry is not None and entry.application not in self.applications:
            hint = did_you_mean(entry.application, self.applications)
            message = f"{name}: application {entry.application} does not exist{hint}"
            self.problems.add(node.at(("application",)).origin, message)
            entry = None
        if entry is None:
            self.doubtful |= {name, *instances.entries}
            return None
        suite = self.applications[entry.application].suite or ""
        # a name that two clusters have is reported with the instances; in the tree it belongs to the first
        again = self.named_instances & instances.entries.keys()
        self.doubtful |= again
        self.named_instances |= instances.entries.keys()
        origins = {n: child.origin for n, child in sorted(instances.entries.items()) if n not in again}
        return Cluster(name, entry.application, suite, origins, node.origin)

    def instance(
        self, name: str, node: Node, cluster: Cluster | None, servers: Mapping[str, Server], known: set[str]
    ) -> Instance | None:
        """Return an instance, if its cluster and its server exist."""
        entry = self.entry(InstanceEntry, node, name)
        if entry is None:
            return None
        if entry.server not in known:
            message = f"{name}: server {entry.server} does not exist{did_you_mean(entry.server, known)}"
            self.problems.add(node.at(("server",)).origin, message)
        if entry.server not in servers or cluster is None:
            return None
        server = servers[entry.server]
        return Instance(name, cluster.name, cluster.application, cluster.suite, server, entry.address, node.origin)

    def instances(
        self, part: Node, clusters: Mapping[str, Cluster], servers: Mapping[str, Server], known: set[str]
    ) -> dict[str, Instance]:
        """Return the instances of all clusters; note names that two of them have."""
        found: dict[str, Instance] = {}
        first: dict[str, tuple[str, Origin]] = {}
        for cluster, node in part.entries.items():
            inside = node.entries.get("instances", Node(None, node.origin))
            for name, child in self.named(inside, "an instance"):
                if name in first:
                    other, origin = first[name]
                    message = f"instance {name} exists already, in cluster {other} (line {origin.line})"
                    self.problems.add(child.origin, message)
                    continue
                first[name] = cluster, child.origin
                instance = self.instance(name, child, clusters.get(cluster), servers, known)
                if instance is not None:
                    found[name] = instance
        return dict(sorted(found.items()))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of names."""
        node = self.part(key, list) if key in self.root.entries else Node(None, self.root.origin)
        for number, item in enumerate(node.items):
            if not isinstance(item.value, str):
                self.problems.add(item.origin, f"{key}: item {number + 1} is not text")
                continue
            self.name(item.value, item.origin, "an environment")
            if item.value in (earlier.value for earlier in node.items[:number]):
                self.problems.add(item.origin, f"environment {item.value} is in the list already")
        return tuple(str(item.value) for item in node.items if not item.broken)

    def installation(self) -> Installation:
        """Return everything that can be made of the file."""
        parts = {key: self.part(key, dict) for key in ("sites", "servers", "clusters")}
        sites = {name: site for name, node in self.named(parts["sites"], "a site") if (site := self.site(name, node))}
        known = set(parts["sites"].entries)
        servers = {
            name: server
            for name, node in self.named(parts["servers"], "a server")
            if (server := self.server(name, node, sites, known))
        }
        self.doubtful |= known - sites.keys()
        clusters = {
            name: cluster
            for name, node in self.named(parts["clusters"], "a cluster")
            if (cluster := self.cluster(name, node))
        }
        return Installation(
            name=self.title(),
            sites=dict(sorted(sites.items())),
            servers=dict(sorted(servers.items())),
            clusters=dict(sorted(clusters.items())),
            instances=self.instances(parts["clusters"], clusters, servers, set(parts["servers"].entries)),
            environments=self.texts("environments"),
            controllers=self.controllers(),
        )

    def title(self) -> str:
        """Return the name of the installation."""
        node = self.part("name", str)
        if isinstance(node.value, str):
            self.name(node.value, node.origin, "an installation")
        return str(node.value)

    def controllers(self) -> tuple[IPv4Network, ...]:
        """Return the networks of the machines that run playbooks."""
        node = self.part("controllers", list)
        if isinstance(node.value, list) and not node.items:
            self.problems.add(node.origin, "controllers: name at least one network, or nobody can reach the servers")
        adapter = _adapter(NetworkAddress)
        found = [validate(adapter, item, self.problems, "controllers") for item in node.items]
        return tuple(sorted(network for network in found if network is not None))


def read_installation(root: Node, applications: Applications, problems: Problems) -> Inventory:
    """Return the installation that installation.yml describes, as far as it could be read; note what is wrong."""
    reader = _Reader(root, applications, problems)
    if root.broken and not root.entries:
        return Inventory(Installation("", {}, {}, {}, {}, (), ()), frozenset(), complete=False)
    if not root.entries:
        problems.add(root.origin, f"a mapping belongs here; begin with plugin: {PLUGIN}")
        return Inventory(Installation("", {}, {}, {}, {}, (), ()), frozenset(), complete=False)
    if next(iter(root.entries)) != "plugin" or root.entries["plugin"].value != PLUGIN:
        problems.add(root.origin, f"the first key must be plugin: {PLUGIN}")
    for key in root.entries.keys() - InstallationEntry.model_fields.keys():
        hint = did_you_mean(key, InstallationEntry.model_fields)
        problems.add(root.entries[key].origin, f"{key} is not known here{hint}")
    installation = reader.installation()
    return Inventory(installation, frozenset(reader.doubtful), reader.complete)


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(model: Any) -> TypeAdapter[Any]:
    """Return the one adapter of a model; making one is slow."""
    if model not in _ADAPTERS:
        _ADAPTERS[model] = TypeAdapter(model)
    return _ADAPTERS[model]
