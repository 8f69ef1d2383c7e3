"""Put the servers of a plan into waves.

Rules, the strongest first. A configuration server that changes comes first, alone. Servers that a run died on come
next, before whatever else interrupts their clusters: what they lost meanwhile is back by then. An address leaves its
old server in an earlier wave than the new one takes it; where servers swap addresses, one of them is listed twice, and
takes in its first step only what is free. Servers that interrupt the same cluster share a wave only as far as the
cluster's batch allows, and those that interrupt the same application only within one site. A server with something that
must be there before an application (so also one whose firewall has to let a new client in) comes before those that
interrupt that application, and a cluster with an instance on its way to another server is left alone until it has
arrived: these two give way where following them would lead in a circle. Where all this leaves a choice, servers that
add instances come first, and those that take some away for good last: whatever restarts in between has the most others
beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interruption:
    """An instance that starts, stops or restarts on a server; `origin` is the other server it comes from, if any.

    `gain` is what its cluster has more of it in the end: 1 where it is nowhere now, -1 where it goes for good, else 0.
    """

    instance: str
    application: str
    cluster: str
    address: str
    origin: str | None = None
    gain: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What a plan does on one server.

    `hosts` are the applications on it if it changes at all, `takes` and `leaves` the addresses that come and go, and
    `first` marks a configuration server that changes, `doubtful` one that a run died on.
    """

    server: str
    site: str = ""
    hosts: frozenset[str] = frozenset()
    interruptions: tuple[Interruption, ...] = ()
    takes: frozenset[str] = frozenset()
    leaves: frozenset[str] = frozenset()
    first: bool = False
    doubtful: bool = False

    @property
    def clusters(self) -> Counter[str]:
        """Count the instances that this interrupts, by cluster."""
        return Counter(interruption.cluster for interruption in self.interruptions)

    @property
    def gain(self) -> int:
        """Tell whether clusters have more instances for this (1), fewer (-1), or as many as now."""
        gain = sum(interruption.gain for interruption in self.interruptions)
        return (gain > 0) - (gain < 0)

    @property
    def applications(self) -> frozenset[str]:
        """Name the applications that this interrupts."""
        return frozenset(interruption.application for interruption in self.interruptions)


@dataclass(frozen=True, slots=True)
class Step:
    """A server in a wave, and the instances that are interrupted there.

    `hold` are the addresses it must not take yet: it is listed again in a later wave.
    """

    server: str
    hold: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wave:
    """Servers that are applied at the same time."""

    servers: tuple[Step, ...]


def waves(
    works: Iterable[Work], before: Mapping[str, frozenset[str]], batches: Mapping[str, int] | None = None
) -> list[Wave]:
    """Return the waves of some works; `before` names for each application those that start before it.

    `batches` says how many instances of a cluster may be interrupted at once, where that is more than one.
    """
    return _Waves(works, before, batches or {}).all()


class _Waves:
    """Takes one wave after the other from what remains."""

    def __init__(self, works: Iterable[Work], before: Mapping[str, frozenset[str]], batches: Mapping[str, int]) -> None:
        self.remaining = {work.server: work for work in sorted(works, key=lambda work: work.server)}
        self.before = before
        self.batches = batches
        self.done: set[str] = set()
        self.leaving: Index = _index((address, work) for work in self.remaining.values() for address in work.leaves)
        self.busy: Index = _index((name, work) for work in self.remaining.values() for name in work.hosts)
        self.moving: Index = _index(
            (each.cluster, work) for work in self.remaining.values() for each in work.interruptions if each.origin
        )

    def all(self) -> list[Wave]:
        """Return every wave."""
        found = []
        while self.remaining:
            found.append(Wave(tuple(self.step(work) for work in self.next())))
        return found

    def next(self) -> list[Work]:
        """Return the works of the next wave: all that nothing stands before, or one that breaks a circle."""
        first = [work for work in self.remaining.values() if work.first]
        if first:
            return first[:1]
        blocked = [(work, *self.blockers(work)) for work in self.remaining.values()]
        free = [work for work, address, order, move in blocked if not (address or order or move)]
        doubtful = [work for work, address, _, move in blocked if work.doubtful and not (address or move)]
        urgent = [work for work in doubtful if all(self.would_cut(each, work) for each in self.ahead(work))]
        harmless = [work for work in free if not any(self.would_cut(work.server, each) for each in doubtful)]
        return self.together(urgent or harmless or doubtful or free) or [self.breaking_circle()]

    def together(self, free: list[Work]) -> list[Work]:
        """Return as many works as interrupt no cluster beyond its batch, and no application in two sites."""
        chosen: list[Work] = []
        interrupted: Counter[str] = Counter()
        sites: dict[str, str] = {}
        for work in sorted(free, key=lambda work: -work.gain):
            allowed = all(
                not interrupted[cluster] or interrupted[cluster] + count <= self.batches.get(cluster, 1)
                for cluster, count in work.clusters.items()
            )
            if allowed and all(sites.get(name, work.site) == work.site for name in work.applications):
                chosen.append(work)
                interrupted += work.clusters
                sites |= dict.fromkeys(work.applications, work.site)
        return sorted(chosen, key=lambda work: work.server)

    def blockers(self, work: Work) -> tuple[str | None, str | None, str | None]:
        """Return the servers that a work waits for: to leave an address, to go before it, to end a move."""
        addresses = (self.holder(work.server, address) for address in sorted(work.takes))
        moves = (self.arriving(work.server, cluster) for cluster in sorted(work.clusters))
        return next(filter(None, addresses), None), next(self.ahead(work), None), next(filter(None, moves), None)

    def ahead(self, work: Work) -> Iterator[str]:
        """Yield the other servers with something that must be there before what a work interrupts."""
        earlier = sorted({name for application in work.applications for name in self.before.get(application, ())})
        return (server for name in earlier for server in self.busy.get(name, ()) if server != work.server)

    def would_cut(self, server: str, doubtful: Work) -> bool:
        """Tell whether a server would interrupt a cluster while it may be all that a run has left of it."""
        work = self.remaining[server]
        return not work.doubtful and bool(work.clusters.keys() & doubtful.clusters.keys())

    def holder(self, server: str, address: str) -> str | None:
        """Return another server that still has to leave an address."""
        others = (other for other in self.leaving.get(address, ()) if address in self.remaining[other].leaves)
        return self.other(server, others)

    def arriving(self, server: str, cluster: str) -> str | None:
        """Return another server that an instance of a cluster is on its way to."""

        def arrives(work: Work) -> bool:
            return any(each.cluster == cluster and each.origin in self.done for each in work.interruptions)

        return self.other(server, (other for other in self.moving.get(cluster, ()) if arrives(self.remaining[other])))

    def other(self, server: str, servers: Iterable[str]) -> str | None:
        """Return the first of some servers that is not this one."""
        return next((name for name in servers if name != server), None)

    def breaking_circle(self) -> Work:
        """Return one of the works that wait for each other: the one whose waiting matters least."""
        path: list[str] = []
        server = next(iter(self.remaining))
        while server not in path:
            path.append(server)
            server = next(filter(None, self.blockers(self.remaining[server])))
        circle = sorted(path[path.index(server) :])

        def strongest(name: str) -> int:
            return next(rank for rank, blocker in enumerate(self.blockers(self.remaining[name])) if blocker)

        return self.remaining[max(circle, key=strongest)]

    def step(self, work: Work) -> Step:
        """Take a work from what remains; what it must hold remains to be done."""
        hold = tuple(sorted(address for address in work.takes if self.holder(work.server, address)))
        held = tuple(each for each in work.interruptions if each.address in hold)
        now = (each.instance for each in work.interruptions if each not in held or each.origin is None)
        del self.remaining[work.server]
        for index in (self.leaving, self.busy, self.moving):
            for servers in index.values():
                servers.pop(work.server, None)
        self.done.add(work.server)
        if hold:
            self.put_back(Work(work.server, work.site, work.hosts, held, frozenset(hold)))
        return Step(work.server, hold, tuple(now))

    def put_back(self, work: Work) -> None:
        """Let a work remain, with what it had to hold."""
        self.remaining[work.server] = work
        for interruption in work.interruptions:
            self.busy.setdefault(interruption.application, {})[work.server] = None
            if interruption.origin:
                self.moving[interruption.cluster][work.server] = None


Index = dict[str, dict[str, None]]
"""Maps something to the servers it is about, in order."""


def _index(entries: Iterable[tuple[str, Work]]) -> Index:
    index: Index = {}
    for key, work in entries:
        index.setdefault(key, {})[work.server] = None
    return index
