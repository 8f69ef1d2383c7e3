"""Render the files of every server."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from tandem.applications import Application, File
from tandem.errors import InputRefused, Origin, Problems
from tandem.installation import Instance
from tandem.model import Model
from tandem.render.context import Contexts
from tandem.render.options import Decrypt
from tandem.render.templates import Templates
from tandem.render.topology import Topology

INSTANCE = "%i"
"""Stands for the name of the instance in paths, units and commands of an application."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file of a server; `content` is None where the options `unreadable` could not be read without a password."""

    path: str
    content: bytes | None = field(repr=False)  # there may be secrets in it
    attributes: File
    application: str
    instance: str | None
    secret: bool
    unreadable: tuple[str, ...]


def render(model: Model, decrypt: Decrypt | None) -> dict[str, list[RenderedFile]]:
    """Return the files of each server, by path; raise InputRefused with everything that no template can be made of.

    `decrypt` turns a ciphertext into the secret. Without it a file that needs a secret has no content and names the
    options that could not be read.
    """
    problems = Problems()
    renderer = Renderer(model, decrypt, problems)
    renderer.refuse_shut_out()
    files = {server: renderer.server(server) for server in model.installation.servers}
    problems.raise_if_any()
    return files


class Renderer:
    """Renders files one by one, and collects the problems of all of them."""

    def __init__(self, model: Model, decrypt: Decrypt | None, problems: Problems) -> None:
        self._applications = {application.name: application for application in model.applications.everything()}
        self._base = model.applications.base
        self._topology = Topology(model)
        self._contexts = Contexts(model, self._topology, decrypt)
        self._templates = Templates({name: app.folder for name, app in self._applications.items()})
        self._copies: dict[tuple[str, str], bytes | None] = {}
        self._problems = problems

    @property
    def read(self) -> set[str]:
        """Name the instances on whose options the files of the last server depend."""
        return self._contexts.read

    def refuse_shut_out(self) -> None:
        """Note every server on which the firewall would shut out those who manage it."""
        self._topology.refuse_shut_out(self._problems)

    def server(self, name: str, only: Container[str] | None = None) -> list[RenderedFile]:
        """Return the files of one server by path, or of those only some."""
        self._contexts.begin()
        return sorted(self._all(name, only), key=lambda file: file.path)

    def _all(self, name: str, only: Container[str] | None) -> Iterator[RenderedFile]:
        """Yield the files of base, then of each application once, then of each instance."""
        if self._base:
            yield from self._files(self._base, self._contexts.of_base(name), None, only)
        instances = self._topology.on[name]
        for application in sorted({instance.application for instance in instances}):
            context = self._contexts.of_application(name, application)
            yield from self._files(self._applications[application], context, None, only)
        for instance in instances:
            context = self._contexts.of_instance(instance)
            yield from self._files(self._applications[instance.application], context, instance, only)

    def _files(
        self,
        application: Application,
        context: Mapping[str, object],
        instance: Instance | None,
        only: Container[str] | None,
    ) -> Iterator[RenderedFile]:
        name = instance.name if instance else None
        secrets = self._contexts.secrets
        for path, attributes in sorted(application.declaration.files.items()):
            if (INSTANCE in path) != (instance is not None):
                continue
            target = "/" + placed(path, name)
            if only is not None and target not in only:
                continue
            secrets.touched.clear()
            content = self._content(application, path, context)
            unreadable = () if secrets.readable else tuple(sorted(secrets.touched))
            secret = bool(secrets.touched)
            yield RenderedFile(
                target, None if unreadable else content, attributes, application.name, name, secret, unreadable
            )

    def _content(self, application: Application, path: str, context: Mapping[str, object]) -> bytes:
        """Return the content of a file, rendered or copied; nothing where it cannot be made, which is noted."""
        try:
            copy = self._copy(application, path)
            return self._templates.render(f"{application.name}/{path}.j2", context) if copy is None else copy
        except InputRefused as refused:
            if self._contexts.secrets.readable or not self._contexts.secrets.touched:
                self._problems.extend(refused.problems)
        except OSError:
            origin = Origin(f"roles/{application.name}/meta/application.yml")
            self._problems.add(origin, f"files: {path}: the role has neither templates/{path}.j2 nor files/{path}")
        return b""

    def _copy(self, application: Application, path: str) -> bytes | None:
        """Return the bytes of a file that is copied; None where there is a template for it."""
        key = application.name, path
        if key not in self._copies:
            template = (application.folder / "templates" / f"{path}.j2").is_file()
            self._copies[key] = None if template else (application.folder / "files" / path).read_bytes()
        return self._copies[key]


def placed(text: str, instance: str | None) -> str:
    """Return a path, unit or command with the instance's name in its place.

    >>> placed("etc/freeradius/%i/radiusd.conf", "billing-1")
    'etc/freeradius/billing-1/radiusd.conf'
    """
    return text if instance is None else text.replace(INSTANCE, instance)
