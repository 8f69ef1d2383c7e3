"""Render the files of every server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
    topology = Topology(model)
    topology.refuse_shut_out(problems)
    renderer = Renderer(model, topology, decrypt, problems)
    servers = model.installation.servers
    files = {server: sorted(renderer.server(server), key=lambda file: file.path) for server in servers}
    problems.raise_if_any()
    return files


class Renderer:
    """Renders files one by one, and collects the problems of all of them."""

    def __init__(self, model: Model, topology: Topology, decrypt: Decrypt | None, problems: Problems) -> None:
        self._applications = {application.name: application for application in model.applications.everything()}
        self._base = model.applications.base
        self._topology = topology
        self._contexts = Contexts(model, topology, decrypt)
        self._templates = Templates({name: app.folder for name, app in self._applications.items()})
        self._copies: dict[Path, bytes] = {}
        self._problems = problems

    def server(self, name: str) -> Iterator[RenderedFile]:
        """Yield the files of one server: base, then each application once, then each instance."""
        if self._base:
            yield from self._files(self._base, self._contexts.of_base(name), None)
        instances = self._topology.on[name]
        for application in sorted({instance.application for instance in instances}):
            context = self._contexts.of_application(name, application)
            yield from self._files(self._applications[application], context, None)
        for instance in instances:
            context = self._contexts.of_instance(instance)
            yield from self._files(self._applications[instance.application], context, instance)

    def _files(
        self, application: Application, context: Mapping[str, object], instance: Instance | None
    ) -> Iterator[RenderedFile]:
        name = instance.name if instance else None
        secrets = self._contexts.secrets
        for path, attributes in sorted(application.declaration.files.items()):
            if (INSTANCE in path) != (instance is not None):
                continue
            secrets.touched.clear()
            content = self._content(application, path, context)
            unreadable = () if secrets.readable else tuple(sorted(secrets.touched))
            target, secret = "/" + placed(path, name), bool(secrets.touched)
            yield RenderedFile(
                target, None if unreadable else content, attributes, application.name, name, secret, unreadable
            )

    def _content(self, application: Application, path: str, context: Mapping[str, object]) -> bytes:
        """Return the content of a file, rendered or copied; nothing where it cannot be made, which is noted."""
        copied = application.folder / "files" / path
        try:
            if (application.folder / "templates" / f"{path}.j2").is_file():
                return self._templates.render(f"{application.name}/{path}.j2", context)
            if copied not in self._copies:
                self._copies[copied] = copied.read_bytes()
            return self._copies[copied]
        except InputRefused as refused:
            if self._contexts.secrets.readable or not self._contexts.secrets.touched:
                self._problems.extend(refused.problems)
        except OSError:
            origin = Origin(f"roles/{application.name}/meta/application.yml")
            self._problems.add(origin, f"files: {path}: the role has neither templates/{path}.j2 nor files/{path}")
        return b""


def placed(text: str, instance: str | None) -> str:
    """Return a path, unit or command with the instance's name in its place.

    >>> placed("etc/freeradius/%i/radiusd.conf", "billing-1")
    'etc/freeradius/billing-1/radiusd.conf'
    """
    return text if instance is None else text.replace(INSTANCE, instance)
