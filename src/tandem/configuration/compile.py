"""Compile an installation into a configuration: the same source gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from tandem import server_program
from tandem.configuration.bundle import Bundle, File, from_json
from tandem.configuration.canonical import Json, canonical, digest
from tandem.configuration.content import Unreadable, record
from tandem.configuration.parts import Parts
from tandem.configuration.tree import Resolved
from tandem.model import Model
from tandem.render import Decrypt


@dataclass(frozen=True)
class Configuration:
    """A compiled installation.

    `blobs` holds everything by digest: source, tree, values, bundles and files. Where there was no password for
    secrets, `unreadable` is not empty, and the configuration can be planned, but not applied.
    """

    record: Json
    blobs: Mapping[str, bytes] = field(repr=False)  # secrets are in them

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
        return from_json(json.loads(self.blobs[self.bundles[server]]))

    @cached_property
    def _tree(self) -> Json:
        tree: Json = json.loads(self.blobs[self.record["tree"]])
        return tree

    def tree(self) -> Json:
        """Return the resolved tree, but for the values of instances."""
        return self._tree

    @property
    def resolved(self) -> Mapping[str, str]:
        """Map each instance to the digest of its values."""
        values: Mapping[str, str] = self.record["values"]
        return values

    def values(self, instance: str) -> Json:
        """Return the values of one instance, as the resolved tree has them."""
        found: Json = json.loads(self.blobs[self.resolved[instance]])
        return found

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

    @cached_property
    def secret_blobs(self) -> frozenset[str]:
        """Name the blobs with secrets in clear: the files of bundles that are marked secret."""
        files = [file for server in self.bundles for file in self.bundle(server).files if isinstance(file, File)]
        return frozenset(file.digest for file in files if file.secret and file.digest)


def compile_model(model: Model, decrypt: Decrypt | None) -> Configuration:
    """Return the configuration of a model; raise InputRefused with everything that is wrong with it.

    `decrypt` turns a ciphertext into the secret; None where there is no password. A model need not have been checked.
    """
    decrypt = cache(decrypt) if decrypt else None
    parts = Parts(model, decrypt).of_all()
    blobs: dict[str, bytes] = {}

    def keep(data: bytes) -> str:
        name = digest(data)
        blobs[name] = data
        return name

    for part in parts.values():
        blobs |= part.contents
    keep(server_program.build())  # which is on every server, and in no part
    source = {path: keep(data) for path, data in model.source.files.items()}
    batches = {name: batch for part in parts.values() for name, batch in part.batches.items()}
    tree = keep(canonical(Resolved(model, decrypt).tree(batches)))
    values = {name: keep(data) for part in parts.values() for name, data in part.values.items()}
    bundles = {server: keep(part.bundle) for server, part in parts.items()}
    unreadable = {server: dict(part.unreadable) for server, part in parts.items() if part.unreadable}
    return Configuration(record(model.installation.name, source, tree, values, bundles, unreadable), blobs)
