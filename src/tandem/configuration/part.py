"""Hold what one server comes to: what a compile is put together from, and what the cache keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from tandem_guard.license import Entitlement

from tandem.configuration.canonical import canonical, digest


@dataclass(frozen=True, slots=True)
class Part:
    """What one server comes to.

    `blobs` are its bundle, the files in it and the values of its instances, by digest; `bundle` and `values` name
    theirs. `batches` are what its instances say of how many like them may be interrupted at once, `entitlements` what
    they use of the license. `unreadable` maps files to the secret options that they need, and `sealed` are the
    instances whose values are those of secrets too: without a password both are open, and nothing in a part is secret.
    `read` are the other instances that were asked for what their options come to, and `as_read` is a digest of the
    files that say it.
    """

    bundle: str
    values: Mapping[str, str]
    batches: Mapping[str, int]
    entitlements: Mapping[str, Mapping[str, Entitlement]]
    unreadable: Mapping[str, list[str]]
    sealed: list[str]
    read: list[str]
    as_read: str
    blobs: Mapping[str, bytes]

    @property
    def head(self) -> bytes:
        """Return all but the bytes of the blobs, of which it says how many there are."""
        names = ("bundle", "values", "batches", "entitlements", "unreadable", "sealed", "read", "as_read")
        lengths = {name: len(data) for name, data in self.blobs.items()}
        return canonical({**{name: getattr(self, name) for name in names}, "lengths": lengths})

    @property
    def body(self) -> bytes:
        """Return the bytes of the blobs, in one piece."""
        return b"".join(data for _, data in sorted(self.blobs.items()))

    def with_blobs(self, *, bundle: bytes, contents: Mapping[str, bytes], values: Mapping[str, bytes]) -> Part:
        """Return the part with another bundle, further contents of files, and other values of some instances."""
        named = {digest(data): data for data in (bundle, *values.values())}
        return replace(
            self,
            bundle=digest(bundle),
            values={**self.values, **{instance: digest(data) for instance, data in values.items()}},
            blobs={**self.blobs, **contents, **named},
        )


def decoded(head: bytes, load: Callable[[], bytes]) -> Part:
    """Return the part of a head; `load` returns its body, and is called when a blob is asked for."""
    found = json.loads(head)
    return Part(blobs=Blobs(found.pop("lengths"), load), **found)


class Blobs(Mapping[str, bytes]):
    """The blobs of a part, by digest, cut out of its body when the first is asked for."""

    def __init__(self, lengths: Mapping[str, int], load: Callable[[], bytes]) -> None:
        self._lengths = lengths
        self._load = load

    def __getitem__(self, name: str) -> bytes:
        return self._pieces[name]

    def __contains__(self, name: object) -> bool:
        return name in self._lengths

    def __iter__(self) -> Iterator[str]:
        return iter(self._lengths)

    def __len__(self) -> int:
        return len(self._lengths)

    @cached_property
    def _pieces(self) -> Mapping[str, bytes]:
        body, end, found = self._load(), 0, {}
        for name, length in sorted(self._lengths.items()):
            end += length
            found[name] = body[end - length : end]
        return found
