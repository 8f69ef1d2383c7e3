"""Make the plan: what going from the active configuration to another changes, interrupts, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace

from tandem.configuration.bundle import Bundle, Link
from tandem.configuration.canonical import Json
from tandem.configuration.content import Content
from tandem.configuration.diff import (
    EMPTY,
    AddressChange,
    FileChange,
    InstanceChange,
    OptionChange,
    ServerChange,
    address_changes,
    file_changes,
    instance_changes,
    option_changes,
    server_changes,
)
from tandem.configuration.order import earlier
from tandem.plan.availability import Interrupted, Redundancy, batches, redundancy
from tandem.plan.away import CONFIGURATION_SERVER, refuse_without, there
from tandem.plan.effects import UnitChange, unit_changes
from tandem.plan.no_effect import edits_without_effect
from tandem.plan.waves import Interruption, Step, Wave, Work, waves


@dataclass(frozen=True, slots=True)
class Plan:
    """What changes in effect; everything in one order.

    `touched` are the servers whose bundle changes, `without` those that are away and left out: nothing is done on them.
    The waves hold every other server, also those that are only compared. `absent` are those left out and those that the
    new configuration does not have any more: what is on them stands in for nobody.
    `known` are all instances that are anywhere now or then, as the newest tree that has them describes them,
    and `now` those that are on servers at this moment, as far as that is known: a run died on the `doubtful` servers.
    """

    old: Content | None
    new: Content
    options: list[OptionChange]
    instances: list[InstanceChange]
    addresses: list[AddressChange]
    servers: list[ServerChange]
    files: list[FileChange]
    units: list[UnitChange]
    waves: list[Wave]
    touched: list[str]
    known: Json
    now: Json
    without: list[str]
    absent: list[str]
    doubtful: list[str]

    @property
    def empty(self) -> bool:
        """Tell whether nothing changes in effect, as far as could be compared (see `unreadable`)."""
        before = self.old.bundles if self.old else {}
        later = [name for name in self.without if before.get(name) != self.new.bundles[name]]
        return not (self.options or self.instances or self.servers or self.touched or later)

    @property
    def unreadable(self) -> list[Json]:
        """Return the files that could not be compared, with the secret options they need."""
        return [
            {"server": server, "path": path, "options": options}
            for server, files in sorted(self.new.unreadable.items())
            for path, options in sorted(files.items())
        ]

    def to_json(self) -> Json:
        """Return the plan as JSON, all lists in one order. Nothing secret is in it."""
        return {
            "digest": self.new.digest,
            "empty": self.empty,
            "options": [self._option(change) for change in self.options],
            "instances": [asdict(change) for change in self.instances],
            "addresses": [asdict(change) for change in self.addresses],
            "servers": [asdict(change) for change in self.servers],
            "removed": [change.name for change in self.servers if change.new is None],
            "files": [
                {"server": file.server, "path": file.path, "change": file.change, "secret": file.secret}
                for file in self.files
            ],
            "units": [asdict(change) for change in self.units],
            "waves": [self._wave(wave, left) for wave, left in zip(self.waves, self.redundancy(), strict=True)],
            "touched": self.touched,
            "without": self.without,
            "unreadable": self.unreadable,
            "no_effect": edits_without_effect(self.old, self.new, empty=self.empty) if self.old else [],
        }

    def _option(self, change: OptionChange) -> Json:
        places = self.new.tree()["instances"]
        instances = [{"name": name, "server": places[name]["server"]} for name in change.instances]
        return {**asdict(change), "instances": instances}

    def _wave(self, wave: Wave, clusters: list[Redundancy]) -> Json:
        kept = {cluster.cluster for cluster in clusters if cluster.keeps}
        steps = [self._step(step, kept) for step in wave.servers]
        names = [step.server for step in wave.servers if step.server in self.touched]
        label = ", ".join(names) or f"{len(steps)} unchanged"
        return {"label": label, "steps": steps, "clusters": [asdict(cluster) for cluster in clusters]}

    def _step(self, step: Step, kept: set[str]) -> Json:
        """Return a step; `guarded` are the instances to interrupt only while another of their cluster serves."""
        guarded = [name for name in step.instances if self.known[name]["cluster"] in kept]
        interrupts = {"instances": list(step.instances), "guarded": guarded}
        return {"server": step.server, "hold": list(step.hold), **interrupts}

    def redundancy(self) -> list[list[Redundancy]]:
        """Return for each wave what it leaves of the clusters that it interrupts."""
        old, new = there(self.now, self.absent), there(self.new.tree()["instances"], self.absent)
        steps = [
            [Interrupted(step.server, frozenset(step.instances), self._held(step)) for step in wave.servers]
            for wave in self.waves
        ]
        return redundancy(old, new, steps, self.doubtful)

    def _held(self, step: Step) -> frozenset[str]:
        """Name the instances whose address a step must not take yet."""
        places = self.new.tree()["instances"]
        return frozenset(name for name in step.instances if _address(places, name) in step.hold)


def make(
    old: Content | None,
    new: Content,
    on: Mapping[str, Content | None] | None = None,
    without: Collection[str] = (),
    doubtful: Collection[str] = (),
) -> Plan:
    """Return the plan from an old configuration (None: nothing yet) to a new one.

    `on` names what single servers are on, where that is not the old configuration: after a run that did not end.
    Those it died on are `doubtful`: they may be on another one.
    Servers in `without` are left out: nobody waits for them to give anything up. Raise Failed where that cannot be.
    """
    refuse_without(without, new, old)
    trees = old.tree() if old else EMPTY, new.tree()
    names = {*(old.bundles if old else ()), *new.bundles}
    sources = ((name, (on or {}).get(name, old)) for name in names)
    was = {name: content for name, content in sources if content is not None and name in content.bundles}
    before, after = _bundles(was, new)
    servers = [name for name in sorted(new.bundles) if name not in without]
    touched = [name for name in servers if before.get(name) != after.get(name)]
    files = {name: file_changes(name, before.get(name), after[name]) for name in touched}
    units = [change for name in touched for change in unit_changes(name, before.get(name), after[name], files[name])]
    addresses = address_changes(was, dict.fromkeys(new.bundles, new))
    known = _known(*(content for content in (on or {}).values() if content), *filter(None, (old, new)))
    now = _now(old, on or {})
    absent = {*without, *(name for name in names if name not in new.bundles)}
    works = [
        replace(work, doubtful=work.server in doubtful)
        for work in _works(touched, units, addresses, (there(now, absent), known), trees[1], servers)
    ]
    order = earlier({name: tuple(entry["after"]) for name, entry in trees[1]["applications"].items()})
    return Plan(
        old,
        new,
        option_changes(old, new),
        instance_changes(*trees),
        addresses,
        server_changes(*trees),
        [change for name in touched for change in files[name]],
        units,
        waves(works, order, batches(there(trees[1]["instances"], absent), there(now, {*absent, *doubtful}))),
        touched,
        known,
        now,
        sorted(without),
        sorted(absent),
        sorted(doubtful),
    )


def _bundles(was: Mapping[str, Content], new: Content) -> tuple[dict[str, Bundle], dict[str, Bundle]]:
    """Return the bundles before and after, of the servers alone whose bundle is another one."""
    before, after = {}, {}
    for name, digest in sorted(new.bundles.items()):
        old = was.get(name)
        if old is None or old.bundles[name] != digest:
            if old is not None:
                before[name] = old.bundle(name)
            after[name] = _comparable(new.bundle(name), before.get(name))
    return before, after


def _comparable(new: Bundle, old: Bundle | None) -> Bundle:
    """Return a bundle with the files that could not be rendered for want of a password as they were before."""
    if old is None or all(isinstance(file, Link) or file.digest for file in new.files):
        return new
    before = {file.path: file for file in old.files}
    files = [file if isinstance(file, Link) or file.digest else before.get(file.path, file) for file in new.files]
    return replace(new, files=tuple(files))


def _works(
    touched: list[str],
    units: list[UnitChange],
    addresses: list[AddressChange],
    instances: tuple[Json, Json],
    tree: Json,
    servers: list[str],
) -> list[Work]:
    """Return what is done on servers, as waves have to know it; `instances` are those there now, and all known ones."""
    now, known = instances
    new = tree["instances"]
    coming = {name for name, entry in new.items() if entry["server"] in servers}
    takes, leaves, interruptions = ({name: set() for name in servers} for _ in range(3))  # type: ignore[var-annotated]
    for address in addresses:
        for name, found in ((address.new, takes), (address.old, leaves)):
            if name in found:
                found[name].add(address.address)
    for change in units:
        if change.instance is not None and change.action != "reload":
            interruptions[change.server].add(_interruption(change.server, change.instance, now, coming, known))
    first = {entry["server"] for entry in new.values() if entry["application"] == CONFIGURATION_SERVER}
    hosts: dict[str, set[str]] = {name: set() for name in touched}
    for entry in new.values():
        hosts.get(entry["server"], set()).add(entry["application"])
    return [
        Work(
            name,
            tree["servers"][name]["site"],
            frozenset(hosts.get(name, ())),
            tuple(sorted(interruptions[name], key=lambda each: each.instance)),
            frozenset(takes[name]),
            frozenset(leaves[name]),
            name in first.intersection(touched),
        )
        for name in servers
    ]


def _now(old: Content | None, on: Mapping[str, Content | None]) -> Json:
    """Return the instances that are on servers at this moment, each as the configuration its server is on has it.

    One that two servers should have is where the active configuration says: the other one was left out, or lost.
    """
    found: Json = {}
    for server, content in sorted(on.items()):
        here = content.tree()["instances"] if content else {}
        found |= {name: entry for name, entry in here.items() if entry["server"] == server}
    active = old.tree()["instances"] if old else {}
    return found | {name: entry for name, entry in active.items() if entry["server"] not in on}


def _address(places: Json, instance: str) -> str | None:
    return places[instance]["address"] if instance in places else None


def _known(*contents: Content) -> Json:
    """Return all instances of some configurations, the last that has one first."""
    return {name: entry for content in contents for name, entry in content.tree()["instances"].items()}


def _interruption(server: str, instance: str, now: Json, coming: Collection[str], known: Json) -> Interruption:
    entry = known[instance]
    came_from = now[instance]["server"] if instance in now and entry["server"] == server else None
    origin = came_from if came_from != server else None
    gain = (instance in coming) - (instance in now)
    return Interruption(instance, entry["application"], entry["cluster"], entry["address"], origin, gain)
