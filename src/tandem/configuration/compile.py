"""Compile an installation into a configuration: the same source gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from tandem import server_program
from tandem.applications import Application
from tandem.configuration.bundle import Address, Bundle, File, Link, Management, Unit, Validator
from tandem.configuration.canonical import Json, canonical, digest
from tandem.configuration.content import Unreadable, record
from tandem.configuration.order import ranks
from tandem.configuration.tree import resolved
from tandem.configuration.units import SYSTEMD, additions, link, units_of, validators_of
from tandem.errors import Origin, Problems
from tandem.installation import Instance, Server
from tandem.model import Model
from tandem.render import Decrypt, RenderedFile, render

MASK = "/dev/null"


@dataclass(frozen=True)
class Configuration:
    """A compiled installation.

    `blobs` holds everything by digest: source, tree, bundles and files. Where there was no password for secrets,
    `unreadable` is not empty, and the configuration can be planned, but not applied.
    """

    record: Json
    blobs: Mapping[str, bytes] = field(repr=False)  # secrets are in them
    content: tuple[Mapping[str, Bundle], Json] = field(repr=False)

    @property
    def installation(self) -> str:
        """Name the installation."""
        return str(self.record["installation"])

    @property
    def digest(self) -> str:
        """Name the content: two compiles of the same source have the same digest."""
        return str(self.record["digest"])

    @property
    def bundles(self) -> Mapping[str, str]:
        """Map each server to the digest of its bundle."""
        bundles: Mapping[str, str] = self.record["bundles"]
        return bundles

    @property
    def unreadable(self) -> Unreadable:
        """Name the secret options that there was no password for."""
        unreadable: Unreadable = self.record.get("unreadable", {})
        return unreadable

    def bundle(self, server: str) -> Bundle:
        """Return the bundle of one server."""
        return self.content[0][server]

    def tree(self) -> Json:
        """Return the resolved tree."""
        return self.content[1]

    @property
    def sources(self) -> Mapping[str, str]:
        """Map each source file to the digest of its content."""
        sources: Mapping[str, str] = self.record["source"]
        return sources

    def source(self) -> Mapping[str, bytes]:
        """Return the source files, by path."""
        return {path: self.blobs[name] for path, name in self.sources.items()}

    def blob(self, name: str) -> bytes:
        """Return the bytes of that digest."""
        return self.blobs[name]

    @property
    def secret_blobs(self) -> frozenset[str]:
        """Name the blobs with secrets in clear: the files of bundles that are marked secret."""
        files = [file for bundle in self.content[0].values() for file in bundle.files if isinstance(file, File)]
        return frozenset(file.digest for file in files if file.secret and file.digest)


def compile_model(model: Model, decrypt: Decrypt | None) -> Configuration:
    """Return the configuration of a model; raise InputRefused with everything that cannot be rendered.

    `decrypt` turns a ciphertext into the secret; None where there is no password.
    """
    decrypt = cache(decrypt) if decrypt else None
    rendered = render(model, decrypt)
    bundles = _Bundles(model)
    made = {name: bundles.of(server, rendered[name]) for name, server in sorted(model.installation.servers.items())}
    bundles.problems.raise_if_any()
    tree = resolved(model, decrypt)
    blobs = bundles.blobs

    def keep(data: bytes) -> str:
        name = digest(data)
        blobs[name] = data
        return name

    source = {path: keep(data) for path, data in model.source.files.items()}
    names = {name: keep(bundle.encoded()) for name, bundle in made.items()}
    return Configuration(
        record(model.installation.name, source, keep(canonical(tree)), names, _unreadable(rendered)),
        dict(sorted(blobs.items())),
        (made, tree),
    )


def _unreadable(rendered: Mapping[str, list[RenderedFile]]) -> dict[str, dict[str, list[str]]]:
    named = {
        name: {file.path: list(file.unreadable) for file in files if file.unreadable}
        for name, files in rendered.items()
    }
    return {name: files for name, files in named.items() if files}


class _Bundles:
    """Makes the bundles of one model, and keeps the content of their files."""

    def __init__(self, model: Model) -> None:
        self._model = model
        everything = {application.name: application for application in model.applications.everything()}
        self._applications = everything
        self._ranks = ranks({name: application.declaration.after for name, application in everything.items()})
        # every server has all packages: none of their own units may run beside Tandem's
        self._replaced = sorted({unit for each in everything.values() for unit in each.declaration.replaces})
        self._on: dict[str, list[Instance]] = {}
        for _, instance in sorted(model.installation.instances.items()):
            self._on.setdefault(instance.server.name, []).append(instance)
        self.blobs: dict[str, bytes] = {}
        self.problems = Problems()

    def of(self, server: Server, rendered: list[RenderedFile]) -> Bundle:
        """Return the bundle of one server from its rendered files."""
        instances = self._on.get(server.name, [])
        units, validators = self._units(instances, rendered)
        files: list[File | Link] = [self._rendered(file) for file in rendered]
        shipped = {file.path for file in files}
        for unit in units:
            files += [self._added(path, text.encode()) for path, text in additions(unit).items()]
            files.append(Link(*link(unit.name, shipped)))
        files += [Link(f"{SYSTEMD}/{unit}", MASK) for unit in self._replaced]
        files.append(self._added(server_program.PATH, server_program.build()))
        self._refuse_double(server, files)
        return Bundle(
            self._model.installation.name,
            server.name,
            _management(server),
            tuple(files),
            _addresses(instances),
            tuple(units),
            tuple(validators),
        ).ordered()

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

    def _rank(self, application: Application) -> int:
        """Return the rank of an application among all; base comes before every application."""
        return 0 if application is self._model.applications.base else self._ranks[application.name] + 1

    def _rendered(self, file: RenderedFile) -> File:
        attributes = file.attributes
        owned = File(file.path, None, 0, attributes.mode, attributes.owner, attributes.group, file.secret)
        return owned if file.content is None else self._holding(owned, file.content)

    def _added(self, path: str, content: bytes) -> File:
        return self._holding(File(path, None, 0, "0644", "root", "root", secret=False), content)

    def _holding(self, file: File, content: bytes) -> File:
        name = digest(content)
        self.blobs[name] = content
        return replace(file, digest=name, size=len(content))

    def _refuse_double(self, server: Server, files: Iterable[File | Link]) -> None:
        """Note every path that two applications, or an application and Tandem itself, would write on a server."""
        seen: set[str] = set()
        for file in files:
            if file.path in seen:
                message = f"{server.name}: {file.path} would be written twice; one role must give it up"
                self.problems.add(Origin("roles"), message)
            seen.add(file.path)


def _management(server: Server) -> Management:
    network = server.site.management
    return Management(str(server.address), network.network.prefixlen, network.interface, str(network.gateway))


def _addresses(instances: Iterable[Instance]) -> tuple[Address, ...]:
    """Return the service addresses of a server, each once; the management address is none of them."""
    networks = {inst.address: inst.network for inst in instances if inst.address != inst.server.address}
    return tuple(
        Address(str(address), network.network.prefixlen, network.interface) for address, network in networks.items()
    )
