"""Tell which edits of the option tree have no effect, and why: what a plan that changes nothing leaves unsaid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tandem.configuration.canonical import Json
from tandem.configuration.content import Content
from tandem.configuration.values import Effective, Values, declared
from tandem.errors import Problems
from tandem.project import INSTALLATION
from tandem.source.node import Node
from tandem.source.yaml import parse

ENVIRONMENTS = "environments"
FORM = "only comments, order or form were changed"
DEFAULT = "the default"

Key = tuple[str, str | None, str]
"""File, environment (None: Global) and option."""


def edits_without_effect(old: Content, new: Content, *, empty: bool) -> list[Json]:
    """Return every edit that changes no effective value: option, environment, origin, reasons; by file and line.

    Of a file in which only comments, order or form were changed, option is null. `empty` tells that nothing at all
    changes, so that whatever was edited in installation.yml has no effect either.
    """
    edited = sorted({path for path, _ in old.sources.items() ^ new.sources.items()})
    if not edited:
        return []
    before, after = ({path: _parsed(content, path) for path in edited} for content in (old, new))
    comparison = _Comparison(old, new, before, after)
    found = [] if INSTALLATION not in edited else _installation(before[INSTALLATION], after[INSTALLATION], empty=empty)
    for path in edited:
        if path != INSTALLATION:
            found += comparison.of(path)
    return found


def _parsed(content: Content, path: str) -> Node | None:
    """Return what a source file says; None where there is none."""
    name = content.sources.get(path)
    return parse(content.blob(name), path, Problems()) if name else None


def _installation(before: Node | None, after: Node | None, *, empty: bool) -> list[Json]:
    if before and after and before.plain() == after.plain():
        return [_edit(None, None, INSTALLATION, [FORM])]
    return [_edit(None, None, INSTALLATION, ["what was changed there changes nothing on a server"])] if empty else []


def _edit(option: str | None, environment: str | None, origin: str, reasons: list[str]) -> Json:
    return {"option": option, "environment": environment, "origin": origin, "reasons": reasons}


def _entries(node: Node | None, path: str) -> Iterator[tuple[Key, Node]]:
    """Yield every option that a file sets."""
    for module, groups in node.entries.items() if node else ():
        inside = groups.entries.items() if module == ENVIRONMENTS else ()
        for environment, modules in inside:
            for name, below in modules.entries.items():
                yield from _options(name, below, path, environment)
        if module != ENVIRONMENTS:
            yield from _options(module, groups, path, None)


def _options(module: str, groups: Node, path: str, environment: str | None) -> Iterator[tuple[Key, Node]]:
    for group, options in groups.entries.items():
        for name, node in options.entries.items():
            if not node.empty:
                yield (path, environment, f"{module}.{group}.{name}"), node


@dataclass(frozen=True, slots=True)
class _Where:
    """One place where an edited option holds: what holds there before and after."""

    old: Effective
    new: Effective
    secret: bool
    own: bool
    """Whether the environment's value differs from Global's; otherwise the tree does not hold it."""

    @property
    def same(self) -> bool:
        """Tell whether nothing changes here, as far as it can be told."""
        return self.old.value == self.new.value and not (self.secret and self.old.value is None)


class _Comparison:
    """Two configurations, and what was edited in the files between them."""

    def __init__(
        self, old: Content, new: Content, before: Mapping[str, Node | None], after: Mapping[str, Node | None]
    ) -> None:
        self._contents = old, new
        self._values: dict[str | None, tuple[Values, Values]] = {}
        self._old = {key: node for path, file in before.items() for key, node in _entries(file, path)}
        self._new = {key: node for path, file in after.items() for key, node in _entries(file, path)}
        self._were = {str(node.origin): key for key, node in self._old.items()}
        self._are = {str(node.origin): key for key, node in self._new.items()}
        self._by_cluster: dict[str, list[str]] = {}
        self._by_application: dict[str, list[str]] = {}
        for name, entry in new.tree()["instances"].items():
            self._by_cluster.setdefault(entry["cluster"], []).append(name)
            self._by_application.setdefault(entry["application"], []).append(name)

    def of(self, path: str) -> list[Json]:
        """Return the edits of one file that have no effect."""
        keys = sorted({key for key in (*self._old, *self._new) if key[0] == path}, key=self._line)
        edited = [key for key in keys if self._plain(self._old, key) != self._plain(self._new, key)]
        if not edited:
            return [_edit(None, None, path, [FORM])]
        return [edit for key in edited if (edit := self._without_effect(key))]

    def _line(self, key: Key) -> tuple[str, int]:
        return (self._new.get(key) or self._old[key]).origin.sort_key

    @staticmethod
    def _plain(entries: Mapping[Key, Node], key: Key) -> object:
        return entries[key].plain() if key in entries else None

    def _without_effect(self, key: Key) -> Json | None:
        places = list(self._places(key))
        if not all(places):
            return None
        found = [place for place in places if place]
        if not all(place.same for place in found):
            return None
        reasons = list(dict.fromkeys(self._reason(key, place) for place in found)) or ["no instance has this option"]
        if key not in self._new and all(reason.startswith("moved") for reason in reasons):
            return None  # it is told where it has gone to
        origin = str((self._new.get(key) or self._old[key]).origin) + ("" if key in self._new else " (removed)")
        return _edit(key[2], key[1], origin, reasons)

    def _places(self, key: Key) -> Iterator[_Where | None]:
        """Yield every place where the option holds; None for one that was not there before."""
        path, environment, option = key
        for instance in self._instances(path, option):
            if instance is not None and instance not in self._contents[0].resolved:
                yield None
                continue
            values = self._of(instance)
            for each in self._environments(environment, instance):
                if each != environment and not any(tree.own(each, option) for tree in values):
                    continue  # there it is Global's
                was, now = (tree.effective(each, option) for tree in values)
                secret = bool(values[1].declared.get(option, {}).get("secret"))
                yield _Where(was, now, secret, values[1].own(each, option)) if was and now else None

    def _environments(self, environment: str | None, instance: str | None) -> list[str | None]:
        """Return the sets that an edit bears on: one in Global on those of environments too."""
        if environment or instance is None:
            return [environment]
        below = {name for values in self._of(instance) for name in values.environments}
        return [None, *sorted(below)]

    def _of(self, instance: str | None) -> tuple[Values, Values]:
        """Return the values of an instance before and after."""
        if instance not in self._values:
            old, new = self._contents
            self._values[instance] = Values(old, instance, nearer=new), Values(new, instance)
        return self._values[instance]

    def _instances(self, path: str, option: str) -> list[str | None]:
        """Return the instances below a file that have an option; None stands for the servers."""
        new = self._contents[1].tree()
        place = path.removesuffix(".yml").split("/")[1:]
        if option in declared(new, None):
            return [None]
        if len(place) == 3:
            names = [place[2]] if place[2] in new["instances"] else []
        elif len(place) == 2:
            names = self._by_cluster.get(place[1], [])
        else:
            owners = (name for name, entry in new["applications"].items() if option in entry["options"])
            names = [name for owner in owners for name in self._by_application.get(owner, [])]
        return [name for name in sorted(names) if option in declared(new, name)]

    def _reason(self, key: Key, place: _Where) -> str:
        """Say why an edit changes nothing in one place."""
        was, now = place.old.origin, place.new.origin
        if not place.own:
            return f"Global says the same at {now}"
        if key in self._new and now == str(self._new[key].origin):
            if key in self._old and was == str(self._old[key].origin):
                return "means the same as before"
            if was == DEFAULT:
                return "equal to the default"
            moved = was in self._were and self._were[was] not in self._new
            return f"moved here from {was}" if moved else f"equal to the inherited value at {self._today(was)}"
        if key in self._new or was != str(self._old[key].origin):
            return f"what holds is set at {now}" if now != DEFAULT else "the default holds"
        if now == DEFAULT:
            return "equal to the default, which holds now"
        moved = now in self._are and self._are[now] not in self._old
        return f"moved to {now}" if moved else f"equal to the inherited value at {now}, which holds now"

    def _today(self, origin: str) -> str:
        """Return where a value of the old source stands in the new one."""
        key = self._were.get(origin)
        return str(self._new[key].origin) if key in self._new else origin
