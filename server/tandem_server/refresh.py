"""Come to the newest license every night, and see to it that what must not run does not, and what may does.

The configuration server asks the licensing servers; every other server asks the configuration server, and the licensing
servers itself when it has heard nothing new for two days: a dead configuration server or a cut-off site must not run
out of license.
"""

import base64
import sys
from datetime import UTC, datetime, timedelta

from tandem_guard.document import Refused
from tandem_guard.license import MOMENT

from . import units, wire
from .agent import SETTINGS
from .disk import Json, read_bytes, read_json
from .documents import Documents
from .failure import Failure
from .fetching import Attempts, fetch
from .files import digest
from .judgement import Verdict, foreign, judge, note, stopped, tell
from .licenses import Licenses
from .state import State
from .store import Store

OLD = timedelta(days=2)  # without anything new after which the licensing servers are asked
WARNING = "<4>"  # how systemd is told of the priority of a line
STOP = 60.0  # seconds for a unit that names no limit of its own


def refresh() -> int:
    """Refresh and enforce; return 0 where all is well, otherwise 1: systemd then tries again soon.

    All is well where a license was heard of, it is not past its time, and all was done that follows from it.
    """
    documents, state = Documents(), State()
    if not documents.licensed:
        return 0
    hearing = Hearing(documents)
    hearing.hear()
    undone: list[str] = []
    try:
        state.lock(lambda: print("waiting for a run that is at work here"))
        hearing.take_allocation()
        verdict = judge(documents)
        undone = enforce(documents, state, verdict)
    except Failure as failure:  # that run sees to what runs here
        verdict = judge(Documents())
        undone = [str(failure)]
    warnings = [*verdict.warnings(), *hearing.problems, *undone]
    for line in [*verdict.reasons, *warnings]:
        print(WARNING + line, file=sys.stderr)
    until = verdict.license.valid_until.strftime(MOMENT) if verdict.license else None
    tell(good=not verdict.reasons, reasons=verdict.reasons, warnings=warnings, valid_until=until)
    return int(not hearing.heard or verdict.past or bool(undone))


class Hearing:
    """What was heard, and from whom: `problems` says who has not answered, or nothing to believe."""

    def __init__(self, documents: Documents) -> None:
        self.problems: list[str] = []
        self.heard = False
        self._documents = documents
        self._settings = documents.settings()
        self._allocation = b""

    def hear(self) -> None:
        """Ask whoever is to be asked, and take a license that is newer."""
        if not self._settings.get("keeper") and wire.has_identity():
            self._ask_configuration_server()
            if self._age() <= OLD:
                return
        if not self._settings.get("servers"):
            self.heard = True  # the license comes another way, and its age is what tells
            return
        attempts = Attempts()
        problems, heard = fetch(self._documents, self._settings, attempts)
        self.problems += problems
        self.heard |= heard
        if self._settings.get("keeper"):
            self._fetch_others(attempts)

    def _fetch_others(self, attempts: Attempts) -> None:
        """Fetch what sites have of their own: their servers come for it, and see themselves to what is not there."""
        licenses = Licenses(Store())
        for name in sorted(licenses.needed() - {self._documents.name}):
            problems, _ = fetch(licenses.documents(name), self._settings, attempts)
            self.problems += [f"license {name}: {problem}" for problem in problems]

    def _ask_configuration_server(self) -> None:
        here = (read_bytes(path) for path in (self._documents.license, self._documents.allocation))
        known = [digest(data) for data in here if data]
        try:
            agent = read_json(SETTINGS, "the next apply puts it right") or {}
            answer = wire.ask(agent["address"], agent["port"], {"ask": "license", "number": None, "known": known})
            if answer.pop("name", None) != self._documents.name:
                self.problems.append(
                    "the configuration server does not know that this server needs this license; apply"
                )
                return
            found = {name: base64.b64decode(text) for name, text in answer.items()}
            if "license" in found:
                self._documents.offer_license(found["license"], str(self._settings.get("installation")))
            self._allocation = found.get("allocation", b"")
            self.heard = True
        except Refused as refused:
            self.problems.append(f"the license of the configuration server {refused}")
        except (OSError, Failure, KeyError, ValueError) as error:
            self.problems.append(f"the configuration server does not answer: {error}")

    def _age(self) -> timedelta:
        """Return how old the license is that is here; without one, as old as can be."""
        try:
            return datetime.now(UTC) - self._documents.read_license().valid_from
        except Refused:
            return timedelta.max

    def take_allocation(self) -> None:
        """Take the allocation of this server's configuration, where the one here is damaged or gone.

        Raise Failure where that configuration needs another license since it was asked for.
        """
        if Documents().name != self._documents.name:
            raise Failure("license", "an apply has exchanged it meanwhile")
        if self._allocation and not any(True for _ in foreign(self._documents, self._allocation)):
            self._documents.offer_allocation(self._allocation)
            print("the allocation has come from the configuration server")


def enforce(documents: Documents, state: State, verdict: Verdict) -> list[str]:
    """Stop what must not run any more, or start what the license had stopped; return what could not be done.

    The caller holds this server's lock.
    """
    if verdict.reasons and not verdict.past:
        return []  # what runs goes on: only starts are refused
    guarded = documents.settings().get("instances", {})
    manifest = state.manifest() or {"units": []}
    held = set(manifest.get("hold", []))
    own = [unit for unit in manifest["units"] if unit["instance"] in guarded]
    mine = [unit for unit in own if not held.intersection(unit["addresses"])]
    if not verdict.reasons:
        mine = [unit for unit in mine if unit["instance"] in stopped(documents)]
    states = units.active_states([unit["name"] for unit in mine]) if mine else {}
    undone = []
    for unit in reversed(mine) if verdict.reasons else mine:
        running = states.get(unit["name"]) in (*units.GOOD, "activating")
        try:
            if verdict.reasons and running:
                _stop(documents, unit, verdict.reasons)
            elif not verdict.reasons and not running:  # its guard says that it may
                print(f"starting {unit['name']}, which the license had stopped")
                units.act(unit["name"], "start")
        except (Failure, OSError) as error:
            undone.append(str(error))
    return undone


def _stop(documents: Documents, unit: Json, reasons: list[str]) -> None:
    print(f"{WARNING}stopping {unit['name']}: {reasons[0]}", file=sys.stderr)
    note(documents, {unit["instance"]: reasons})
    units.stop(unit["name"], unit.get("stop_timeout", STOP))
