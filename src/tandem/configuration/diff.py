"""Tell what differs between two configurations in effect, whatever was edited."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tandem.configuration.bundle import Bundle, File, Link
from tandem.configuration.canonical import Json, canonical
from tandem.configuration.content import Content
from tandem.configuration.values import Effective, Values, application

EMPTY: Json = {"applications": {}, "base": {}, "servers": {}, "instances": {}}


@dataclass(frozen=True, slots=True)
class OptionChange:
    """An option whose effective value changes, in the same way on some instances; on every server if it is base's.

    Values are plain; of a secret they are None, and all that is told is that it changed. `unit` is that of the value.
    """

    option: str
    environment: str | None
    old: object
    new: object
    unit: str | None
    secret: bool
    origin: str
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance is and answers."""

    server: str
    address: str


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """An instance that is added (old is None), removed (new is None), moved, or answers on another address."""

    name: str
    application: str
    cluster: str
    old: Place | None
    new: Place | None
    origin: str


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A service address that leaves a server, answers on another, or both."""

    address: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class ServerChange:
    """A server that is added (old is None), removed (new is None), or has another management address."""

    name: str
    old: str | None
    new: str | None
    origin: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file or link of a server that is added, removed or changed."""

    server: str
    path: str
    old: File | Link | None
    new: File | Link | None

    @property
    def change(self) -> str:
        """Say what happens to it in one word."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def secret(self) -> bool:
        """Tell whether the content must not be shown, before or after."""
        return any(isinstance(file, File) and file.secret for file in (self.old, self.new))


def option_changes(old: Content | None, new: Content) -> list[OptionChange]:
    """Return the options that change for instances that stay, by name; equal changes of several instances are one."""
    if old is None:
        return []
    grouped: dict[str, tuple[OptionChange, list[str]]] = {}
    for instance in [None, *_differing(old, new)]:
        for change in _changes_of(Values(old, instance), Values(new, instance)):
            key = canonical([change.option, change.environment, change.old, change.new, change.origin]).decode()
            grouped.setdefault(key, (change, []))[1].extend([instance] if instance else [])
    changes = [_with_instances(change, instances) for change, instances in grouped.values()]
    return sorted(changes, key=lambda each: (each.option, each.environment or "", each.instances))


def _differing(old: Content, new: Content) -> Iterator[str]:
    """Yield the instances that stay, and of which anything written or declared differs."""
    before, after = old.tree(), new.tree()
    applications = before["applications"].keys() & after["applications"].keys()
    same = {name for name in applications if before["applications"][name] == after["applications"][name]}
    for name in sorted(old.resolved.keys() & new.resolved.keys()):
        if old.resolved[name] != new.resolved[name] or application(after, name) not in same:
            yield name


def _with_instances(change: OptionChange, instances: list[str]) -> OptionChange:
    old, new = (None, None) if change.secret else (change.old, change.new)
    head = (change.option, change.environment, old, new, change.unit, change.secret, change.origin)
    return OptionChange(*head, tuple(instances))


def _changes_of(old: Values, new: Values) -> Iterator[OptionChange]:
    """Yield what changes for one instance; values of secrets are still their digests, to tell changes apart."""
    if old.application != new.application:
        return
    places = {*old.written(), *new.written()}
    places |= {
        (None, name) for name in {*old.declared, *new.declared} if old.declared.get(name) != new.declared.get(name)
    }
    for environment, name in sorted(places, key=lambda place: (place[1], place[0] or "")):
        before, after = old.effective(environment, name), new.effective(environment, name)
        secret = any(values.declared.get(name, {}).get("secret") for values in (old, new))
        if _value(before) == _value(after) or (secret and None in (_value(before), _value(after))):
            continue
        unit = new.declared.get(name, {}).get("unit")
        origin = after.origin if after else "no longer an option"
        yield OptionChange(name, environment, _value(before), _value(after), unit, bool(secret), origin, ())


def _value(effective: Effective | None) -> object:
    return effective.value if effective else None


def instance_changes(old: Json, new: Json) -> list[InstanceChange]:
    """Return the instances that come, go, move or change their address, by name."""
    changes = []
    for name in sorted({*old["instances"], *new["instances"]}):
        before, after = old["instances"].get(name), new["instances"].get(name)
        entry = after or before
        change = InstanceChange(
            name, entry["application"], entry["cluster"], _place(before), _place(after), entry["origin"]
        )
        if change.old != change.new:
            changes.append(change)
    return changes


def _place(entry: Json | None) -> Place | None:
    return Place(entry["server"], entry["address"]) if entry else None


def server_changes(old: Json, new: Json) -> list[ServerChange]:
    """Return the servers that come, go or change their management address, by name."""
    changes = []
    for name in sorted({*old["servers"], *new["servers"]}):
        entries = old["servers"].get(name), new["servers"].get(name)
        before, after = (entry["address"] if entry else None for entry in entries)
        if before != after:
            changes.append(ServerChange(name, before, after, (entries[1] or entries[0])["origin"]))
    return changes


def address_changes(old: Mapping[str, Content], new: Mapping[str, Content]) -> list[AddressChange]:
    """Return the service addresses that leave a server or come to one, in order of their text.

    `old` and `new` map servers to what they are on.
    """
    before, after = _holders(old), _holders(new)
    return [
        AddressChange(address, before.get(address), after.get(address))
        for address in sorted({*before, *after})
        if before.get(address) != after.get(address)
    ]


def _holders(contents: Mapping[str, Content]) -> dict[str, str]:
    """Map service addresses to the servers that hold them; the management address of a server is none."""
    on: dict[int, dict[str, list[str]]] = {}
    found = {}
    for server, content in sorted(contents.items()):
        if id(content) not in on:
            on[id(content)] = {}
            for entry in content.tree()["instances"].values():
                on[id(content)].setdefault(entry["server"], []).append(entry["address"])
        management = content.tree()["servers"][server]["address"]
        here = on[id(content)].get(server, ())
        found.update({address: server for address in here if address != management})
    return found


def file_changes(server: str, old: Bundle | None, new: Bundle) -> list[FileChange]:
    """Return the files of one server that differ in anything, by path."""
    before = {file.path: file for file in old.files} if old else {}
    after = {file.path: file for file in new.files}
    return [
        FileChange(server, path, before.get(path), after.get(path))
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]


def unified(changes: Iterable[FileChange], old: Content | None, new: Content) -> list[str]:
    """Return the lines of unified diffs; the same change on several servers is one, named after all of them.

    Of a file with secrets, or one that is no text, there is a line that says so.
    """
    servers: dict[tuple[str, File | Link | None, File | Link | None], list[str]] = {}
    for change in changes:
        servers.setdefault((change.path, change.old, change.new), []).append(change.server)
    lines = []
    for (path, before, after), names in servers.items():
        change = FileChange(", ".join(names), path, before, after)
        lines += _difference(change, old, new)
    return lines


def _difference(change: FileChange, old: Content | None, new: Content) -> list[str]:
    name = f"{change.server}:{change.path}"
    if change.secret:
        return [f"{name}: holds secrets; its content is not shown"]
    before, after = _lines(change.old, old), _lines(change.new, new)
    if before is None or after is None:
        return [f"{name}: is not text; its content is not shown"]
    lines = list(difflib.unified_diff(before, after, name, name, lineterm=""))
    return lines or [f"{name}: {_attributes(change.old)} → {_attributes(change.new)}"]


def _lines(file: File | Link | None, content: Content | None) -> list[str] | None:
    if isinstance(file, Link):
        return [f"link to {file.target}"]
    if file is None or content is None or file.digest is None:
        return []
    try:
        return content.blob(file.digest).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None


def _attributes(file: File | Link | None) -> str:
    return f"{file.owner}:{file.group} {file.mode}" if isinstance(file, File) else "link" if file else "nothing"
