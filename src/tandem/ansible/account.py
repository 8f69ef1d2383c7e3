"""Keep a true account of where servers are while a wave changes them, whenever the run may die."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tandem.ansible.fanout import Outcome
from tandem.ansible.session import Session
from tandem.configuration.places import Place, on_the_way
from tandem.configuration.store import StoredConfiguration


class Account:
    """The places of one wave's servers, written once before it and once after it, and only where they change."""

    def __init__(self, session: Session, run: int, number: int) -> None:
        self._session = session
        self._run = run
        self._number = number
        self._before = dict(session.places())
        self._recorded = dict(session.places())
        self._stored: dict[int, StoredConfiguration] = {}

    def begin(self, wanted: Mapping[str, str]) -> None:
        """Record that servers are about to get a bundle: from now on, if this run dies, they may be on either."""
        changing = [server for server, bundle in sorted(wanted.items()) if self._bundle(server) != bundle]
        self._write(on_the_way(self._before, changing, self._number))

    def end(self, outcomes: Iterable[Outcome], held: Iterable[str]) -> None:
        """Record where servers are now; those that hold an address back, or were lost, stay on their way."""
        places: dict[str, Place] = {}
        back = []
        for outcome in outcomes:
            done = outcome.good and not outcome.result.get("postponed")
            if done and outcome.server not in held:
                places[outcome.server] = self._number
            elif not done and not outcome.doubtful and outcome.server in self._recorded:
                places[outcome.server] = self._before.get(outcome.server, [None])
                back.append(outcome.server)
        self._write(places, back)

    def _write(self, places: Mapping[str, Place], back: Iterable[str] = ()) -> None:
        """Record places; servers that are `back` are where they were before this wave."""
        if any(self._recorded.get(server) != place for server, place in places.items()):
            self._session.ask("place", run=self._run, servers=dict(places), back=[*back])
            self._recorded |= places

    def _bundle(self, server: str) -> str | None:
        """Return the bundle that a server surely has."""
        number = self._session.servers().get(server)
        if number is None or number not in self._session.numbers():
            return None
        if number not in self._stored:
            self._stored[number] = self._session.configuration(number)
        return self._stored[number].bundles.get(server)
