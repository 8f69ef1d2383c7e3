"""Say what every configuration offers, freshly compiled or read from a store."""

from collections.abc import Mapping
from typing import Protocol

from tandem.configuration.bundle import Bundle
from tandem.configuration.canonical import Json, canonical, digest

FORMAT = 2
DESCRIPTION = ("number", "created", "author", "comment", "commit")


Unreadable = Mapping[str, Mapping[str, list[str]]]
"""Maps server and file to the secret options without which the file could not be rendered."""


class Content(Protocol):
    """What a configuration consists of, whoever holds it."""

    @property
    def installation(self) -> str:
        """Name the installation."""

    @property
    def digest(self) -> str:
        """Name the content: two compiles of the same source have the same digest."""

    @property
    def bundles(self) -> Mapping[str, str]:
        """Map each server to the digest of its bundle."""

    @property
    def unreadable(self) -> Unreadable:
        """Name the secret options that there was no password for."""

    def bundle(self, server: str) -> Bundle:
        """Return the bundle of one server."""

    def tree(self) -> Json:
        """Return the resolved tree, but for the values of instances."""

    @property
    def resolved(self) -> Mapping[str, str]:
        """Map each instance to the digest of its values."""

    def values(self, instance: str) -> Json:
        """Return the values of one instance, as the resolved tree has them."""

    @property
    def sources(self) -> Mapping[str, str]:
        """Map each source file to the digest of its content."""

    def source(self) -> Mapping[str, bytes]:
        """Return the source files, by path."""

    def blob(self, digest: str) -> bytes:
        """Return the bytes a bundle names."""


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
