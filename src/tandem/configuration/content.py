"""Say what every configuration offers, freshly compiled or read from a store."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tandem.configuration.bundle import Bundle, from_json
from tandem.configuration.canonical import Json, canonical, digest

FORMAT = 2
DESCRIPTION = ("number", "created", "author", "comment", "commit")


Unreadable = Mapping[str, Mapping[str, list[str]]]
"""Maps server and file to the secret options without which the file could not be rendered."""


@dataclass(frozen=True)
class Content(ABC):
    """A configuration as its record describes it; who holds its blobs says how they are read."""

    record: Json

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
        return from_json(json.loads(self.blob(self.bundles[server])))

    @cached_property
    def _tree(self) -> Json:
        tree: Json = json.loads(self.blob(self.record["tree"]))
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
        found: Json = json.loads(self.blob(self.resolved[instance]))
        return found

    @property
    def sources(self) -> Mapping[str, str]:
        """Map each source file to the digest of its content."""
        sources: Mapping[str, str] = self.record["source"]
        return sources

    def source(self) -> Mapping[str, bytes]:
        """Return the source files, by path."""
        return {path: self.blob(name) for path, name in self.sources.items()}

    @abstractmethod
    def blob(self, name: str) -> bytes:
        """Return the bytes of that digest."""


def record(
    installation: str,
    source: Mapping[str, str],
    tree: str,
    values: Mapping[str, str],
    bundles: Mapping[str, str],
    unreadable: Unreadable,
) -> Json:
    """Return what a store keeps of a configuration, its digest included, without number, author and the like.

    All but the names are digests of blobs.
    """
    content: Json = {
        "format": FORMAT,
        "installation": installation,
        "source": dict(source),
        "tree": tree,
        "values": dict(values),
        "bundles": dict(bundles),
        **({"unreadable": unreadable} if unreadable else {}),
    }
    return {**content, "digest": digest_of(content)}


def digest_of(entry: Json) -> str:
    """Return the digest of a record: of everything but the digest itself and who stored it when and why."""
    return digest(canonical({name: value for name, value in entry.items() if name not in (*DESCRIPTION, "digest")}))
