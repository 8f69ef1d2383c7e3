"""Compile an installation into a configuration: the same source gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

from tandem import server_program
from tandem.configuration.bundle import File
from tandem.configuration.canonical import canonical, digest
from tandem.configuration.content import Content, record
from tandem.configuration.parts import Parts
from tandem.configuration.tree import Resolved
from tandem.model import Model
from tandem.render import Decrypt


@dataclass(frozen=True)
class Configuration(Content):
    """A compiled installation.

    `blobs` holds everything by digest: source, tree, values, bundles and files. Where there was no password for
    secrets, `unreadable` is not empty, and the configuration can be planned, but not applied.
    """

    blobs: Mapping[str, bytes] = field(repr=False)  # secrets are in them

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
    blobs = Blobs()
    blobs.put(server_program.build())  # which is on every server, and in no part
    for part in parts.values():
        blobs.hold(part.blobs)
    source = {path: blobs.put(data) for path, data in model.source.files.items()}
    batches = {name: batch for part in parts.values() for name, batch in part.batches.items()}
    entitlements = {name: uses for part in parts.values() for name, uses in part.entitlements.items()}
    tree = blobs.put(canonical(Resolved(model, decrypt).tree(batches, entitlements)))
    values = {name: value for part in parts.values() for name, value in part.values.items()}
    bundles = {server: part.bundle for server, part in parts.items()}
    unreadable = {server: dict(part.unreadable) for server, part in parts.items() if part.unreadable}
    return Configuration(record(model.installation.name, source, tree, values, bundles, unreadable), blobs)


class Blobs(Mapping[str, bytes]):
    """All blobs of a configuration, by digest; those of parts that are kept are read when they are asked for."""

    def __init__(self) -> None:
        self._own: dict[str, bytes] = {}
        self._holders: dict[str, Mapping[str, bytes]] = {}

    def put(self, data: bytes) -> str:
        """Take a blob and return its digest."""
        name = digest(data)
        self._own[name] = data
        self._holders[name] = self._own
        return name

    def hold(self, blobs: Mapping[str, bytes]) -> None:
        """Take blobs that somebody else holds."""
        self._holders.update(dict.fromkeys(blobs, blobs))

    def __getitem__(self, name: str) -> bytes:
        return self._holders[name][name]

    def __contains__(self, name: object) -> bool:
        return name in self._holders

    def __iter__(self) -> Iterator[str]:
        return iter(self._holders)

    def __len__(self) -> int:
        return len(self._holders)
