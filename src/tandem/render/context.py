"""Collect what templates see: the installation, the instance, its options, its peers and its clients."""

from __future__ import annotations

from collections.abc import Mapping

from tandem.errors import did_you_mean
from tandem.installation import Instance
from tandem.license.allocation import used
from tandem.model import Model
from tandem.render.options import Decrypt, Options, Secrets
from tandem.render.topology import Client, Topology
from tandem.render.views import InstallationView, InstanceView, Listening, server_views


class UnknownName(Exception):
    """Say that a template names an application or process that does not exist."""


class Contexts:
    """The contexts of all files of an installation, server by server.

    `read` are the instances whose options, or what follows from them, were asked for since `begin`.
    """

    def __init__(self, model: Model, topology: Topology, decrypt: Decrypt | None) -> None:
        self._model = model
        self._topology = topology
        self.secrets = Secrets(decrypt)
        self.read: set[str] = set()
        self._found: dict[tuple[str, str | None], Options] = {}
        self._servers = server_views(model.installation)
        base = model.applications.base
        self._base = Options(base.options if base else {}, model.tree.base(), self.secrets)
        self._instances = {
            name: InstanceView(instance, self._servers[instance.server.name], self)
            for name, instance in sorted(model.installation.instances.items())
        }
        self._peers: dict[str, list[InstanceView]] = {}
        self._installation = self._whole()

    def begin(self) -> None:
        """Begin with another server: what was found out is let go of, because whole fleets do not fit into memory."""
        self.read.clear()
        self._found.clear()

    def options(self, instance: Instance, environment: str | None = None) -> Options:
        """Return the effective options of an instance, in Global or in an environment."""
        self.read.add(instance.name)
        key = instance.name, environment
        if key not in self._found:
            tree = self._model.tree
            effective = tree.effective(instance.name, environment)
            self._found[key] = Options(tree.options(instance.name), effective, self.secrets)
        return self._found[key]

    def environment_options(self, instance: Instance) -> Mapping[str, Options]:
        """Return the effective options of an instance in every environment, by name."""
        return {name: self.options(instance, name) for name in self._model.installation.environments}

    def listens(self, instance: Instance) -> tuple[Listening, ...]:
        """Return what the processes of an instance listen on."""
        self.read.add(instance.name)
        return tuple(Listening(*listening) for listening in self._topology.listens(instance))

    def license(self, instance: Instance) -> Mapping[str, object] | None:
        """Return what an instance is and uses of the license; None where it starts without one."""
        declaration = self._model.applications[instance.application].declaration
        if not declaration.licensed:
            return None
        self.read.add(instance.name)
        place = {"application": instance.application, "address": str(instance.address)}
        return {**place, "kind": declaration.license_kind, "options": used(self._model, instance)}

    def of_base(self, server: str) -> dict[str, object]:
        """Return what the files that every server gets are made from; `instances` are those on the server."""
        rules = self._topology.firewall(self._model.installation.servers[server])
        here = [self._instances[instance.name] for instance in self._topology.on[server]]
        return {**self._of_server(server), "options": self._base, "firewall": rules, "instances": here}

    def of_application(self, server: str, application: str) -> dict[str, object]:
        """Return what the files of an application that are there once per server are made from."""
        instances = [self._instances[instance.name] for instance in self._topology.on[server]]
        here = [view for view in instances if view.application == application]
        return {**self._of_server(server), "options": self._base, "instances": here}

    def of_instance(self, instance: Instance) -> dict[str, object]:
        """Return what the files of one instance are made from."""
        view = self._instances[instance.name]

        def clients(process: str) -> list[Client]:
            processes = self._model.applications[instance.application].declaration.processes
            if process not in processes:
                hint = did_you_mean(process, processes)
                raise UnknownName(f"clients({process!r}): {instance.application} has no such process{hint}")
            return self._topology.clients(processes[process], instance)

        context: dict[str, object] = {"instance": view, "options": view.options, "clients": clients}
        return {**self._of_server(instance.server.name), **context, "environment_options": view.environment_options}

    def peers(self, application: str) -> list[InstanceView]:
        """Return the instances of an application in all sites, by name."""
        if application not in self._model.applications:
            hint = did_you_mean(application, self._model.applications)
            raise UnknownName(f"peers({application!r}): there is no such application{hint}")
        if application not in self._peers:
            self._peers[application] = [self._instances[instance.name] for instance in self._topology.of[application]]
        return self._peers[application]

    def _of_server(self, name: str) -> dict[str, object]:
        server = self._servers[name]
        return {"installation": self._installation, "site": server.site, "server": server, "peers": self.peers}

    def _whole(self) -> InstallationView:
        installation = self._model.installation
        sites = {server.site.name: server.site for server in self._servers.values()}
        return InstallationView(
            installation.name,
            tuple(site for _, site in sorted(sites.items())),
            tuple(self._servers.values()),
            tuple(self._instances.values()),
            tuple(str(network) for network in sorted(installation.controllers)),
            tuple(sorted(installation.environments)),
        )
