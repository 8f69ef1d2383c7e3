"""Make what each server comes to: from the cache, by several processes, or here and now.

What is made without a password holds nothing secret, follows from content alone, and is kept. With a password, files
and values that need one are made afterwards, each time anew.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property, partial

import jinja2

from tandem import cache, server_program
from tandem.configuration.bundle import Link, from_json
from tandem.configuration.bundles import Bundles, described
from tandem.configuration.canonical import canonical, digest
from tandem.configuration.part import Part, decoded
from tandem.configuration.tree import Resolved
from tandem.configuration.workers import shared
from tandem.errors import Problems
from tandem.license.allocation import used
from tandem.model import Model
from tandem.project import INSTALLATION
from tandem.render import Decrypt, Renderer
from tandem.source.read import TreePath, option_file

NOW_AND_THEN = "0"
"""What the key of one part in sixteen begins with: whoever makes that one looks whether too much is kept."""
WORTH_SHARING = 50
"""Servers for which several processes are sooner done than one."""


class Parts:
    """Makes the parts of one model."""

    def __init__(self, model: Model, decrypt: Decrypt | None) -> None:
        self._model = model
        self._decrypt = decrypt
        self._problems = Problems()
        self._cache = cache.default()
        self._kept: dict[str, Part] = {}

    def of_all(self) -> dict[str, Part]:
        """Return the part of every server, by name; raise InputRefused with everything that is wrong."""
        servers = sorted(self._model.installation.servers)
        self._kept = {name: part for name in servers if (part := self._from_cache(name)) is not None}
        if not self._model.sound_elsewhere():
            self._model.check()
        found = {name: part for name, part in self._kept.items() if self._whole(part)}
        unmade = [name for name in servers if name not in found]
        if unmade:
            self._without_password.refuse_shut_out()
        if len(unmade) >= WORTH_SHARING and (processes := _processors()) > 1:
            heads: dict[str, bytes] = {}
            for name, data in shared(self._share, unmade, processes):
                if name in heads:
                    found[name] = decoded(heads.pop(name), partial(bytes, data))
                else:
                    heads[name] = data
            unmade = [name for name in unmade if name not in found]
        if not self._sound(unmade):
            self._model.check()
        found |= {name: part for name in unmade if (part := self._made(name)) is not None}
        self._problems.raise_if_any()
        if any(self._key(name).startswith(NOW_AND_THEN) for name in servers if name not in self._kept):
            self._cache.prune()
        return {name: found[name] for name in servers}

    def _share(self, servers: list[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the parts of some servers, but none where something is wrong."""
        if self._sound(servers):
            for name in servers:
                if (part := self._made(name)) is not None:
                    yield name, part.head
                    yield name, part.body

    def _sound(self, servers: Iterable[str]) -> bool:
        return self._model.sound(name for name in servers if name not in self._kept)

    def _whole(self, part: Part) -> bool:
        """Tell whether a part is all that it can be."""
        return self._decrypt is None or not (part.unreadable or part.sealed)

    def _made(self, server: str) -> Part | None:
        """Return the part of a server; None where something is wrong with it, which is noted."""
        before = len(self._problems)
        part = self._kept.get(server) or self._without_password.part(server)
        if not self._problems and server not in self._kept:
            self._keep(server, part)
        if not self._whole(part):
            part = self._with_password.completed(server, part)
        return part if len(self._problems) == before else None

    @cached_property
    def _without_password(self) -> _Maker:
        return _Maker(self._model, None, self._problems)

    @cached_property
    def _with_password(self) -> _Maker:
        return _Maker(self._model, self._decrypt, self._problems)

    def _from_cache(self, server: str) -> Part | None:
        """Return what was made from the same content earlier, if every instance that was asked says the same."""
        key = self._key(server)
        head = self._cache.get(key)
        part = None if head is None else decoded(head, partial(self._body, key, server))
        return part if part is not None and part.as_read == self._as_read(part.read) else None

    def _body(self, key: str, server: str) -> bytes:
        """Return the blobs of a part that is kept; make them again where they have gone since, or are damaged."""
        body = self._cache.get(cache.key("body", key))
        return self._without_password.part(server).body if body is None else body

    def _keep(self, server: str, part: Part) -> None:
        others = sorted(set(part.read) - {instance.name for instance in self._model.on.get(server, ())})
        kept = replace(part, read=others, as_read=self._as_read(others))
        key = self._key(server)
        self._cache.put(cache.key("body", key), kept.body)
        self._cache.put(key, kept.head)

    def _key(self, server: str) -> str:
        own = (self._places[instance.name] for instance in self._model.on.get(server, ()))
        return cache.key("part", self._everywhere, server, *own)

    def _as_read(self, instances: Iterable[str]) -> str:
        return digest("".join(self._places.get(name, "") for name in instances).encode())

    @cached_property
    def _everywhere(self) -> str:
        """Return a digest of what every part depends on, beside the program."""
        files = self._model.source.files
        said = [files.get(path, b"") for path in (INSTALLATION, option_file(()))]
        return cache.key(jinja2.__version__, self._model.roles, digest(server_program.build()), *said)

    @cached_property
    def _places(self) -> dict[str, str]:
        """Map each instance to digests of its option files: those above, and its own."""
        files = {path: digest(data) for path, data in self._model.source.files.items()}

        @functools.cache
        def down_to(place: TreePath) -> str:
            above = f"{down_to(place[:-1])} " if place else ""
            return above + files.get(option_file(place), "-")

        return {name: down_to(self._model.tree.place(name)) for name in self._model.installation.instances}


class _Maker:
    """Makes parts with a password, or without."""

    def __init__(self, model: Model, decrypt: Decrypt | None, problems: Problems) -> None:
        self._model = model
        self._renderer = Renderer(model, decrypt, problems)
        self._bundles = Bundles(model, problems)
        self._resolved = Resolved(model, decrypt)
        self.refuse_shut_out = self._renderer.refuse_shut_out

    def part(self, server: str) -> Part:
        """Return the part of a server as it is without a password."""
        rendered = self._renderer.server(server)
        read = sorted(self._renderer.read)
        bundle, contents = self._bundles.of(self._model.installation.servers[server], rendered)
        values: dict[str, bytes] = {}
        sealed: list[str] = []
        batches: dict[str, int] = {}
        entitlements = {}
        for instance in self._model.on.get(server, ()):
            found, secret = self._resolved.values(instance.name)
            values[instance.name] = canonical(found)
            if secret:
                sealed.append(instance.name)
            if (batch := self._resolved.batch(instance)) is not None:
                batches[instance.name] = batch
            if uses := used(self._model, instance):
                entitlements[instance.name] = uses
        unreadable = {file.path: list(file.unreadable) for file in rendered if file.unreadable}
        part = Part("", {}, batches, entitlements, unreadable, sealed, read, "", {})
        return part.with_blobs(bundle=bundle.encoded(), contents=contents, values=values)

    def completed(self, server: str, part: Part) -> Part:
        """Return a part with what was left open in it for want of a password."""
        contents: dict[str, bytes] = {}
        files = {file.path: described(file, contents) for file in self._renderer.server(server, part.unreadable)}
        bundle = from_json(json.loads(part.blobs[part.bundle]))
        whole = replace(
            bundle,
            files=tuple(file if isinstance(file, Link) else files.get(file.path, file) for file in bundle.files),
        )
        values = {name: canonical(self._resolved.values(name)[0]) for name in part.sealed}
        open_ = {part.bundle, *(part.values[name] for name in part.sealed)}
        kept = {name: data for name, data in part.blobs.items() if name not in open_}
        complete = replace(part, unreadable={}, sealed=[], blobs=kept)
        return complete.with_blobs(bundle=whole.encoded(), contents=contents, values=values)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
