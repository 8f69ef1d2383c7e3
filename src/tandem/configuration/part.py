"""Hold what one server comes to, as bytes: what a compile is put together from, and what the cache keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tandem.configuration.canonical import canonical


@dataclass(frozen=True, slots=True)
class Part:
    """What one server comes to.

    `contents` are the files by digest, `values` those of its instances in the resolved tree, `batches` what these say
    of how many like them may be interrupted at once. `unreadable` maps files to the secret options that they need, and
    `sealed` are the instances whose values are those of secrets too: without a password both are open, and nothing in a
    part is secret. `read` are the other instances that were asked for what their options come to, and `as_read` is a
    digest of the files that say it.
    """

    bundle: bytes
    contents: Mapping[str, bytes]
    values: Mapping[str, bytes]
    batches: Mapping[str, int]
    unreadable: Mapping[str, list[str]]
    sealed: list[str]
    read: list[str]
    as_read: str

    def encoded(self) -> bytes:
        """Return the part in one piece."""
        head = {
            "bundle": len(self.bundle),
            "contents": {name: len(data) for name, data in self.contents.items()},
            "values": {name: len(data) for name, data in self.values.items()},
            "batches": self.batches,
            "unreadable": self.unreadable,
            "sealed": self.sealed,
            "read": self.read,
            "as_read": self.as_read,
        }
        pieces = [data for _, data in sorted(self.contents.items())] + [data for _, data in sorted(self.values.items())]
        return b"".join([canonical(head), self.bundle, *pieces])


def decoded(data: bytes) -> Part:
    """Return the part that `Part.encoded` wrote."""
    start = data.index(b"\n") + 1
    head = json.loads(data[:start])

    def piece(length: int) -> bytes:
        nonlocal start
        start += length
        return data[start - length : start]

    bundle = piece(head.pop("bundle"))
    contents = {name: piece(length) for name, length in sorted(head.pop("contents").items())}
    values = {name: piece(length) for name, length in sorted(head.pop("values").items())}
    return Part(bundle, contents, values, **head)
