"""Let a server interrupt an instance only while another one of its cluster serves, as it says itself at that moment."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Container, Iterable, Mapping

from tandem.ansible.connection import Connection
from tandem.ansible.conversation import Unreachable, converse
from tandem.configuration.canonical import Json

PATIENCE = 60.0  # seconds for another instance to serve again
PAUSE = 2.0  # seconds between two questions

Places = Mapping[str, frozenset[str]]
"""Maps an instance to the servers it may be on: in the middle of a move there are two."""


class Guard:
    """What one wave must not take down: the last instance of a cluster that serves."""

    def __init__(self, trees: Iterable[Json], interrupted: Iterable[str], hosts: Container[str]) -> None:
        """`trees` are the resolved trees, old and new; `interrupted` are the instances that the wave interrupts.

        What is on servers that are no `hosts` of the run, gone or left out, stands in for nobody.
        """
        self.ways: dict[str, list[Connection]] = {}  # to the servers that may have to be asked: to be filled in
        self._clusters: dict[str, str] = {}
        places: dict[str, set[str]] = {}
        for tree in trees:
            for name, entry in tree["instances"].items():
                if entry["server"] not in hosts:
                    continue
                self._clusters[name] = entry["cluster"]
                places.setdefault(name, set()).add(entry["server"])
        self._places: Places = {name: frozenset(servers) for name, servers in places.items()}
        self._interrupted = frozenset(interrupted)

    def guarded(self, server: str) -> list[str]:
        """Name the instances on a server that others, which the wave leaves alone, stand in for."""
        here = (name for name, servers in self._places.items() if server in servers)
        return sorted(name for name in here if self._others(self._clusters[name], server))

    def others(self, instances: Iterable[str], server: str) -> set[str]:
        """Name the servers where others stand in for instances that are guarded on a server."""
        clusters = {self._clusters[name] for name in instances}
        return {place for each in clusters for places in self._others(each, server).values() for place in places}

    def _others(self, cluster: str, server: str) -> Places:
        return {
            name: servers - {server}
            for name, servers in self._places.items()
            if self._clusters[name] == cluster and name not in self._interrupted and servers != {server}
        }

    async def refusal(self, server: str, healthy: Iterable[str], tell: Callable[[str], None]) -> str | None:
        """Return why the instances of a server, of which these serve, must not be interrupted; wait for a while first.

        One that does not serve is no loss: only so can a cluster that is down as a whole be mended.
        """
        for cluster in sorted({self._clusters[name] for name in healthy}):
            others = self._others(cluster, server)
            end = time.monotonic() + PATIENCE
            while complaints := await self._complaints(others):
                if time.monotonic() > end:
                    why = "; ".join(complaints)
                    return f"no other instance of {cluster} serves ({why}), so this one is not taken down"
                tell(f"waiting for another instance of {cluster} to serve: {complaints[0]}")
                await asyncio.sleep(PAUSE)
        return None

    async def _complaints(self, instances: Places) -> list[str]:
        """Return why none of some instances serves; nothing as soon as one does."""
        asked: dict[str, list[str]] = {}
        for name, possible in instances.items():
            for server in possible:
                asked.setdefault(server, []).append(name)
        servers = sorted(asked)
        answers = await asyncio.gather(*(self._ask(server, asked[server]) for server in servers))
        ill = dict(zip(servers, answers, strict=True))
        if any(len(ill[server]) < len(asked[server]) for server in servers):
            return []
        return [f"{name} on {server}: {word}" for server in servers for name, word in sorted(ill[server].items())]

    async def _ask(self, server: str, names: list[str]) -> Mapping[str, str]:
        """Ask a server which of its instances do not serve, and why."""
        for way in self.ways[server]:
            with contextlib.suppress(Unreachable):
                async with converse(way, {"verb": "health", "instances": names}) as conversation:
                    answer = await conversation.receive()
                    if failure := answer.get("failed"):
                        return dict.fromkeys(names, f"{failure['what']}: {failure['message']}")
                    ill: Mapping[str, str] = answer["ill"]
                    return ill
        return dict.fromkeys(names, "cannot be reached")
