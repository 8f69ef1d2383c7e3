"""Ask the configuration server what this server should be on, and come to it by the same transaction as a push.

A turn is started by a timer. It changes something only while it holds the installation's lease, so that never more is
interrupted at a time than by an apply; while a run holds that, it waits for its next turn. At boot, where nothing runs
yet, no lease is needed: there the transaction may interrupt nothing instead.
"""

import base64
import contextlib
import json
import os
import sys
import time
from typing import Any

from . import boot, wire
from .disk import Json, canonical, read_bytes, read_json, write_durably
from .documents import needed
from .failure import Failure
from .files import digest
from .renewal import Renewal
from .state import DIRECTORY, RUNTIME, State
from .transaction import Transaction, undo

SETTINGS = wire.DIRECTORY + "/agent.json"
PROGRAM = "/usr/lib/tandem/server.pyz"
KEPT = DIRECTORY + "/agent.json"
OWN = ("directories", "hold", "number", "retired")  # what a manifest holds beside the bundle
BOOT_PATIENCE = 4.0  # seconds at boot for the configuration server to answer at all
BATCH = 8 * 1024 * 1024  # bytes of contents in one answer
CONFIRMATION = 20.0  # seconds for the configuration server to answer after a change of rules or of the address
FIRST_PAUSE = 60.0  # seconds after a failure; each further one doubles it
LONGEST_PAUSE = 3600.0


def turn() -> None:
    """Take one turn: ask, and do what is to be done. Raise Failure where that was tried and failed."""
    agent = Agent(State())
    if not agent.enabled:
        return
    try:
        should = agent.ask_what()
    except OSError as error:
        print(f"the configuration server does not answer: {error}", flush=True)
        return
    if should is not None and agent.reports:
        agent.report(should)
    elif not agent.reports and (should is not None or agent.state.journal() is not None or boot.freed(agent.state)):
        agent.come_to(should)


def at_boot(state: State) -> None:
    """Come to what this server should be on before it has any service address, if that is to be had quickly."""
    agent = Agent(state)
    if not agent.enabled:
        return
    should = agent.ask_what(BOOT_PATIENCE)
    if should is not None and not agent.reports:
        agent.be_the_program_of(should)
        agent.apply(should, max(should["run"], agent.state.highest_run()), foreseen=[])


class Agent:
    """The agent of this server, and the listener of its transactions."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.settings = read_json(SETTINGS, "the next apply puts it right") or {}
        self._kept = read_json(KEPT, "remove it") or {}
        self._renewal: Renewal | None = None
        self._sizes: dict[str, int] = {}
        self._needed: list[str] = []
        self._documents: dict[str, str] = {}  # license and allocation in base64, by digest

    @property
    def enabled(self) -> bool:
        """Tell whether this server has an agent: the installation has its secret, and an option allows it."""
        return wire.has_identity() and self.settings.get("mode") in ("apply", "report")

    @property
    def reports(self) -> bool:
        """Tell whether this agent only says what it would do."""
        return bool(self.settings["mode"] == "report")

    def ask(self, what: str, patience: float = wire.PATIENCE, **fields: object) -> Json:
        """Ask the configuration server for something."""
        return wire.ask(self.settings["address"], self.settings["port"], {"ask": what, **fields}, patience)

    def ask_what(self, patience: float = wire.PATIENCE) -> Json | None:
        """Say what this server is on; return which configuration it should come to: {number, run, bundle}, or None."""
        manifest = self.state.manifest() or {}
        whole = self.state.journal() is None and not manifest.get("hold")
        said = {
            "did": self._kept.get("did", ""),
            "interval": self.settings["interval"],
            "mode": self.settings["mode"],
            "program": digest(read_bytes(PROGRAM) or b"")[:12],
        }
        on, bundle = manifest.get("number") if whole else None, digest(canonical(_bundle(manifest)))
        should: Json | None = self.ask("turn", patience, on=on, bundle=bundle, said=said)["should"]
        return should

    def _keep(self, did: str, failed: Json | None = None) -> None:
        """Keep what was done or refused, and say it; one that cannot be said now is said with the next question."""
        print(did, flush=True)
        kept = {"did": did, "failed": failed}
        if kept != self._kept:
            self._kept = kept
            write_durably(KEPT, canonical(kept))
        with contextlib.suppress(OSError):
            self.ask_what()

    def report(self, should: Json) -> None:
        """Say what `come_to` would do, and do nothing."""
        result = Transaction(self._request(should, 0), self.state, self).check()
        self._keep(f"would come to configuration {should['number']}: {summary(result)}")

    def come_to(self, should: Json | None) -> None:
        """Undo what an interrupted run has left, and come to a configuration, as the only one to change anything.

        Where there is neither, take the addresses that another server had when this one booted, and has no more.
        """
        if should is not None and self._pauses(should["number"]):
            if self.state.journal() is None:
                return
            should = None  # what a run has left is undone all the same
        if should is not None:
            self.be_the_program_of(should)
        lease = self.ask("acquire")
        if held := lease.get("held"):
            self._keep(f"waits for the end of run {held['run']} of {held['holder']}", self._kept.get("failed"))
            return
        try:
            with Renewal(lambda: self.ask("renew", run=lease["run"])) as self._renewal:
                if should is not None or self.state.journal() is not None:
                    self.apply(should, lease["run"])
                else:
                    self._take_refused(lease["run"])
        finally:
            with contextlib.suppress(Failure, OSError):
                self.ask("release", run=lease["run"])

    def _take_refused(self, run: int) -> None:
        failed = self._kept.get("failed")
        self.state.announce(run)
        self.state.lock(self._yield_to_another)
        try:
            taken = boot.take_refused(self.state)
        except (Failure, OSError) as error:
            self._keep(f"could not start all that was to have an address: {error}", failed)
            raise
        if taken:
            self._keep(f"took {', '.join(taken)}, which another server had when this one booted", failed)

    def apply(self, should: Json | None, run: int, foreseen: list[str] | None = None) -> None:
        """Do it as one transaction, after undoing what another one left behind."""
        failed = self._kept.get("failed")
        try:
            did = self._apply(should, run, foreseen)
        except (Failure, OSError) as error:
            what = "undo what an interrupted run has left"
            if should is not None:
                number = should["number"]
                times = failed["times"] + 1 if failed and failed["number"] == number else 1
                failed = {"number": number, "times": times, "at": time.time()}
                what = f"come to configuration {number}"
            self._keep(f"could not {what}: {error}", failed)
            raise
        self._keep(did, None if should else failed)  # undoing alone ends no pause

    def _apply(self, should: Json | None, run: int, foreseen: list[str] | None) -> str:
        request = self._request(should, run, foreseen) if should else None
        self.state.announce(run)
        self.state.lock(self._yield_to_another)
        undone = undo(self.state, self)
        if should is None or request is None:
            return f"undid run {undone['run']}, which had been interrupted" if undone else "had nothing to undo"
        transaction = Transaction(request, self.state, self)
        try:
            result = transaction.apply()
        finally:
            if transaction.retire:
                transaction.retire()
        if postponed := result.get("postponed"):
            return f"did not come to configuration {should['number']} at boot: {', '.join(postponed)} runs already"
        return f"came to configuration {should['number']}: {summary(result)}"

    @staticmethod
    def _yield_to_another() -> None:
        raise Failure("lock", "another run is at work on this server")

    def _pauses(self, number: int) -> bool:
        """Tell whether a configuration that could not be come to is not to be tried again yet."""
        failed = self._kept.get("failed") or {}
        if failed.get("number") != number:
            return False
        pause = min(FIRST_PAUSE * 2 ** min(failed["times"] - 1, 9), LONGEST_PAUSE)
        return bool(abs(time.time() - failed["at"]) < pause)

    def _fetch(self, should: Json) -> Json:
        """Return the bundle that this server should be on."""
        text: str = self.ask("bundle")["text"]
        if digest(text.encode()) != should["bundle"]:
            raise Failure("bundle", "arrived damaged, or is another one by now")
        bundle: Json = json.loads(text)
        here = self.state.manifest() or bundle
        for name in ("installation", "server"):
            if bundle[name] != here[name]:
                raise Failure("bundle", f"is of {name} {bundle[name]}, not of {here[name]}")
        return bundle

    def be_the_program_of(self, should: Json) -> None:
        """Go on as the program that comes with a configuration, as a push does: nobody else need understand it."""
        mine = os.path.dirname(os.path.dirname(__file__))
        wanted = next(file["digest"] for file in self._fetch(should)["files"] if file["path"] == PROGRAM)
        if not os.path.isfile(mine) or digest(read_bytes(mine) or b"") == wanted:
            return
        program = base64.b64decode(self.ask("contents", names=[wanted])["blobs"][wanted])
        if digest(program) != wanted:
            raise Failure("program", "arrived damaged")
        print(f"goes on as the program of configuration {should['number']}", flush=True)
        descriptor = os.memfd_create("server", 0)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(program)
        os.execv(sys.executable, [sys.executable, "-IS", f"/proc/self/fd/{descriptor}", *sys.argv[1:]])  # noqa: S606

    def _request(self, should: Json, run: int, foreseen: list[str] | None = None) -> Json:
        """Return the request that a controller would have sent."""
        bundle = self._fetch(should)
        self._sizes = {entry["digest"]: entry["size"] for entry in bundle["files"] if entry["kind"] == "file"}
        documents = self.ask("license", number=should["number"], known=[]) if needed(bundle) else {}
        documents.pop("name", None)
        named = {name: digest(base64.b64decode(text)) for name, text in documents.items()}
        self._documents = {named[name]: text for name, text in documents.items()}
        request = {"bundle": bundle, "number": should["number"], "run": run, "hold": [], "foreseen": foreseen}
        return {**request, "license": named}

    # what a transaction tells, and asks for

    def send(self, event: str, **fields: Any) -> None:
        """Hear one message of a transaction."""
        if event == "need":
            self._needed = fields["digests"]
        elif event == "confirm":
            self._confirm(fields["run"])
        else:
            print(fields.get("step", event), flush=True)

    def refuse_taken_over(self) -> None:
        """Raise Failure when another run has taken the lease meanwhile."""
        if self._renewal and self._renewal.lost():
            raise Failure("lease", "another run has taken it over")

    def receive(self) -> Json:
        """Return the contents that were needed."""
        blobs = {name: self._documents[name] for name in self._needed if name in self._documents}
        self._needed = [name for name in self._needed if name not in blobs]
        while self._needed:
            batch: list[str] = []
            size = 0
            while self._needed and (not batch or size + self._sizes[self._needed[0]] <= BATCH):
                size += self._sizes[self._needed[0]]
                batch.append(self._needed.pop(0))
            blobs.update(self.ask("contents", names=batch)["blobs"])
        return {"blobs": blobs}

    def _confirm(self, run: int) -> None:
        """Leave the token that says so when the configuration server can still be reached, by a new connection."""
        deadline = time.monotonic() + CONFIRMATION
        while time.monotonic() < deadline:
            try:
                self.ask("hello", BOOT_PATIENCE)
            except OSError:
                time.sleep(0.5)
                continue
            os.makedirs(RUNTIME, exist_ok=True)
            with open(f"{RUNTIME}/confirmed-{run}", "w"):
                return


def _bundle(manifest: Json) -> Json:
    return {key: value for key, value in manifest.items() if key not in OWN}


def summary(result: Json) -> str:
    """Say what a transaction did, or would do, in a line."""
    files = len(result["files"])
    parts = [f"{files} file{'' if files == 1 else 's'}"] if files else []
    parts += [f"{unit['action']} {unit['name']}" for unit in result["units"]]
    parts += [f"{address['action']} {address['address']}" for address in result["addresses"]]
    return ", ".join(parts) or "nothing had to change"
