"""Make the bundle of each server: its files, units, addresses and validators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from tandem import server_program
from tandem.applications import Application
from tandem.configuration.bundle import Address, Bundle, File, Link, Management, Unit, Validator
from tandem.configuration.canonical import digest
from tandem.configuration.order import ranks
from tandem.configuration.units import SYSTEMD, additions, link, units_of, validators_of
from tandem.errors import Origin, Problems
from tandem.installation import Instance, Server
from tandem.model import Model
from tandem.render import RenderedFile

MASK = "/dev/null"
AUTHORITY = "server.license.authority"
"""The option that pins whose licenses are believed."""

Contents = dict[str, bytes]
"""Maps digests to contents of files."""


class Bundles:
    """Makes the bundles of one model, and notes where two roles would write the same file."""

    def __init__(self, model: Model, problems: Problems) -> None:
        self._model = model
        everything = {application.name: application for application in model.applications.everything()}
        self._applications = everything
        self._ranks = ranks({name: application.declaration.after for name, application in everything.items()})
        # every server has all packages: none of their own units may run beside Tandem's
        self._replaced = sorted({unit for each in everything.values() for unit in each.declaration.replaces})
        self._problems = problems

    def of(self, server: Server, rendered: list[RenderedFile]) -> tuple[Bundle, Contents]:
        """Return the bundle of one server, and the contents of its files, from those that were rendered.

        The server program, which is on every server, is not among the contents.
        """
        contents: dict[str, bytes] = {}
        instances = self._model.on.get(server.name, [])
        units, validators = self._units(instances, rendered)
        files: list[File | Link] = [described(file, contents) for file in rendered]
        shipped = {file.path for file in files}
        licensed = self._licensed(instances)
        for unit in units:
            added = additions(unit, licensed=unit.instance in licensed)
            files += [_added(path, text.encode(), contents) for path, text in added.items()]
            files.append(Link(*link(unit.name, shipped)))
        files += [Link(f"{SYSTEMD}/{unit}", MASK) for unit in self._replaced]
        files.append(_program())
        self._refuse_double(server, files)
        bundle = Bundle(
            self._model.installation.name,
            server.name,
            _management(server),
            tuple(files),
            _addresses(instances),
            tuple(units),
            tuple(validators),
        )
        return bundle, contents

    def _units(self, instances: list[Instance], rendered: list[RenderedFile]) -> tuple[list[Unit], list[Validator]]:
        """Return units and validators of everything on one server: base, applications, instances."""
        base = self._model.applications.base
        present: list[tuple[Application, Instance | None]] = [(base, None)] if base else []
        present += [(self._applications[instance.application], instance) for instance in instances]
        alone = {instance.application for instance in instances} | ({base.name} if base else set())
        units = [
            unit
            for application, instance in present
            for unit in units_of(application, instance, self._rank(application), rendered)
        ]
        validators = [each for name in sorted(alone) for each in validators_of(self._applications[name], None)]
        validators += [
            each for application, instance in present if instance for each in validators_of(application, instance)
        ]
        return units, validators

    def _licensed(self, instances: Iterable[Instance]) -> set[str]:
        """Name the instances that start only where the license allows it: none, where the installation has none."""
        authority = self._model.tree.base().get(AUTHORITY)
        if authority is None or not authority.value:
            return set()
        return {each.name for each in instances if self._applications[each.application].declaration.licensed}

    def _rank(self, application: Application) -> int:
        """Return the rank of an application among all; base comes before every application."""
        return 0 if application is self._model.applications.base else self._ranks[application.name] + 1

    def _refuse_double(self, server: Server, files: Iterable[File | Link]) -> None:
        """Note every path that two applications, or an application and Tandem itself, would write on a server."""
        seen: set[str] = set()
        for file in files:
            if file.path in seen:
                message = f"{server.name}: {file.path} would be written twice; one role must give it up"
                self._problems.add(Origin("roles"), message)
            seen.add(file.path)


def described(file: RenderedFile, contents: Contents) -> File:
    """Return what a bundle says of a rendered file, whose content is added to the others."""
    attributes = file.attributes
    owned = File(file.path, None, 0, attributes.mode, attributes.owner, attributes.group, file.secret)
    return owned if file.content is None else _holding(owned, file.content, contents)


def _added(path: str, content: bytes, contents: Contents) -> File:
    return _holding(File(path, None, 0, "0644", "root", "root", secret=False), content, contents)


def _holding(file: File, content: bytes, contents: Contents) -> File:
    name = digest(content)
    contents[name] = content
    return replace(file, digest=name, size=len(content))


@cache
def _program() -> File:
    return _added(server_program.PATH, server_program.build(), {})


def _management(server: Server) -> Management:
    network = server.site.management
    return Management(str(server.address), network.network.prefixlen, network.interface, str(network.gateway))


def _addresses(instances: Iterable[Instance]) -> tuple[Address, ...]:
    """Return the service addresses of a server, each once; the management address is none of them."""
    networks = {inst.address: inst.network for inst in instances if inst.address != inst.server.address}
    return tuple(
        Address(str(address), network.network.prefixlen, network.interface) for address, network in networks.items()
    )
