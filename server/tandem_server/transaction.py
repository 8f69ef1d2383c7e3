"""Change this server as one transaction: compare, stage, validate, journal, place, settle, probe, commit.

What has not been committed is undone: by the transaction itself when a step fails, by the next run when the program was
killed, and at boot after a power cut. The journal says how far it got:

    staging     new files are being written beside their targets; nothing visible has changed. At its end the controller
                is asked whether instances may be interrupted now that others of their clusters have to stand in for
    placing     units that go are being stopped, files are being put in place
    settling    addresses and units follow, health is probed
    confirming  a new connection has to come through, because rules or the management address changed
    committed   the new bundle is the server's; only cleaning up is left

Undoing writes no state of its own: it needs no space, and can be interrupted and repeated from any of these.
"""

import json
import os
import time
from collections.abc import Callable

from . import addresses, health, units
from .channel import Listener
from .contents import Contents
from .disk import Json, read_bytes, remove
from .documents import SERVER, Documents, name_in, needed
from .failure import Failure
from .files import Files, digest
from .settle import Change
from .state import RUNTIME, State

CONFIRMATION = 30.0  # seconds for a new connection to come through
MASKED_STOP = 60.0  # seconds for a unit of the distribution to stop


class Transaction:
    """One change of the running server."""

    def __init__(self, request: Json, state: State, channel: Listener) -> None:
        self.request = request
        self.bundle: Json = request["bundle"]
        self.run: int = request["run"]
        self.state = state
        self.channel = channel
        self.files = Files(state.root)
        self.previous = state.manifest()
        self.contents = Contents(request, self.previous, channel)
        self.documents = Documents(state.root)
        self.result: Json = {"changed": False, "files": [], "units": [], "addresses": []}
        self.retire: Callable[[], None] | None = None  # what is left to do once the connection has ended, if anything
        self._journal: Json = {}

    def compare(self) -> list[Json]:
        """Return what has to be done to files; nothing is written."""
        self.channel.send("progress", step="comparing")
        operations = self.files.differing(self.bundle["files"], (self.previous or {}).get("files", []))
        self.result["files"] = [self.contents.describe(operation, self.files) for operation in operations]
        return operations

    def check(self) -> Json:
        """Return what `apply` would do, and do nothing."""
        operations = self.compare()
        change = Change(self.bundle, self.previous, self.request.get("hold", []))
        running = units.active_states([unit["name"] for unit in change.stop]) if change.stop else {}
        stops = [
            {"name": unit["name"], "action": "stop"} for unit in change.stop if running.get(unit["name"]) in units.GOOD
        ]
        self.result["units"] = stops + change.debts
        self.result["addresses"] = change.addresses()
        self.result["changed"] = bool(operations or self.result["units"] or self.result["addresses"])
        return self.result

    def apply(self) -> Json:
        """Do it; raise Failure when it could not be done, after everything has been put back."""
        self._receive(self.request.get("license") or {})
        operations = self.compare()
        change = Change(self.bundle, self.previous, self.request.get("hold", []))
        if not operations and not change.debts and not change.stop and not change.addresses():
            self._note(change)
            return self.result
        foreseen = self.request.get("foreseen")
        if foreseen is not None and (unforeseen := change.interrupts().difference(foreseen)):
            self.documents.withdraw()
            return {**self.result, "postponed": sorted(unforeseen)}
        self.result.update(changed=True, undone=False)  # nothing to undo yet
        self.contents.fetch(operations)
        self._begin(operations)
        try:
            self._stage(operations)
            self._ask(change)
            self._carry_out(operations, change)
            self._commit(change)
        except BaseException as error:
            self.channel.send("progress", step="putting everything back")
            del self.result["undone"]  # not known until it is done
            self.result["undone"] = self._undo(error)
            raise
        del self.result["undone"]  # from here on there is no way back
        self._finish()
        return self.result

    def _undo(self, error: BaseException) -> bool:
        """Undo, and return whether there was anything to undo; raise Failure with both reasons when that fails too."""
        try:
            undone = undo(self.state, self.channel, self.request.get("over")) is not None
            self._let_go_later()
            return undone
        except (Failure, OSError) as second:
            message = f"{error}; and putting everything back failed: {second}; the next apply tries again"
            raise Failure(error.what if isinstance(error, Failure) else "server", message) from error

    def _begin(self, operations: list[Json]) -> None:
        made = self.files.name(operations)
        self._journal = {"run": self.run, "operations": operations, "made": made, "bundle": self.bundle}
        self._journal["foreign"] = self._foreign(operations)
        self._enter("staging")

    def _foreign(self, operations: list[Json]) -> list[str]:
        """Name the units that run now and are not Tandem's yet: an undo leaves them running."""
        known = {unit["name"] for unit in (self.previous or {}).get("units", [])}
        new = [unit["name"] for unit in self.bundle["units"] if unit["name"] not in known]
        names = [*new, *units.masked(operations)]
        states = units.active_states(names) if names else {}
        return [name for name in names if states.get(name) in units.GOOD]

    def _enter(self, state: str) -> None:
        """Note durably how far the transaction is, unless a newer run has taken over."""
        self.state.refuse_older(self.run)
        self.channel.refuse_taken_over()
        self._journal["state"] = state
        self.state.write_journal(self._journal)

    def _stage(self, operations: list[Json]) -> None:
        from . import validators  # noqa: PLC0415  only when something changes

        if operations:
            self.channel.send("progress", step=f"writing {_count(operations, 'file')}")
        self.files.stage(operations, self._journal["made"], self.contents.blobs)
        concerned = validators.concerned(self.bundle["validators"], operations)
        for validator in concerned:
            self.channel.send("progress", step=f"validating with {validator['name']}")
        validators.validate(concerned, operations)

    def _ask(self, change: Change) -> None:
        """Ask right before instances are interrupted that others stand in for; raise Failure where that must not be."""
        guarded = sorted(change.interrupts().intersection(self.request.get("guarded", ())))
        if not guarded:
            return
        ill = health.complaints((self.previous or {"units": []})["units"], guarded)
        self.channel.send("interrupt", healthy=[name for name in guarded if name not in ill])
        answer = self.channel.receive()
        if answer is None:
            raise Failure("connection", "the controller has gone; nothing was changed")
        if answer["refused"]:
            raise Failure("availability", answer["refused"])

    def _tell(self, event: str, **fields: object) -> None:
        """Tell of the next step, unless a newer run has taken over."""
        self.channel.refuse_taken_over()
        self.channel.send(event, **fields)

    def _carry_out(self, operations: list[Json], change: Change) -> None:
        tell = self._tell
        self._enter("placing")
        stopped = change.stop_units(tell)
        self.files.place(operations)
        self._enter("settling")
        if units.concern_systemd(operations):
            units.daemon_reload()
        for name in units.masked(operations):
            if name in self._journal["foreign"]:  # masking alone does not stop what the distribution had started
                units.stop(name, MASKED_STOP)
        change.take_addresses(tell, must=True)
        done = change.settle_units(tell)
        if change.needs_confirmation(done) and self.request.get("confirm", True):
            self._confirm(change)
        change.release_addresses(tell)
        self.result["units"] = stopped + done
        self.result["addresses"] = change.addresses()

    def _confirm(self, change: Change) -> None:
        """Wait for a connection made after the change; without one the controller is shut out."""
        self._enter("confirming")
        token = f"{RUNTIME}/confirmed-{self.run}"
        address = self.bundle["management"]["address"] if self.bundle.get("management") else None
        remove(token)  # a second confirmation of an earlier step may have come late
        self.channel.send("confirm", run=self.run, address=address, moved=change.moved)
        deadline = time.monotonic() + CONFIRMATION
        while not os.path.exists(token):
            if time.monotonic() > deadline:
                message = f"no new connection came through within {CONFIRMATION:g} s of changing rules or address"
                raise Failure("confirmation", message)
            time.sleep(0.05)
        os.unlink(token)

    def _commit(self, change: Change) -> None:
        self._journal.update(number=self.request["number"], retired=change.retired, hold=sorted(change.hold))
        self._enter("committed")

    def _finish(self) -> None:
        try:
            finish(self.state, self._journal)
        except OSError as error:
            left = f"is in place, but what it replaced is not cleared away: {error.strerror}; the next apply does it"
            raise Failure(error.filename or "server", f"the new configuration {left}") from None
        self._let_go_later()

    def _let_go_later(self) -> None:
        """Remember to remove the management addresses that are to go, if any, when nobody is connected over them."""
        manifest = self.state.manifest() or {}
        if manifest.get("retired"):
            self.retire = lambda: let_go(self.state, manifest)

    def _receive(self, named: Json) -> None:
        """Have license and allocation, of which the digests are `named`, before anything starts that needs them."""
        if not needed(self.bundle):
            return
        self.state.refuse_older(self.run)
        self.documents = Documents(self.state.root, self._license_name())
        here = {"license": self.documents.license, "allocation": self.documents.allocation}
        lacking = [name for name in named if named[name] != digest(read_bytes(here[name]) or b"")]
        contents = self.contents.given([named[name] for name in lacking])
        if "license" in lacking:
            self.documents.bring_license(contents[named["license"]])
        if "allocation" in lacking:
            self.documents.propose(contents[named["allocation"]])

    def _license_name(self) -> str:
        """Return the name of the license that counts here with this bundle."""
        wanted = next(str(entry["digest"]) for entry in self.bundle["files"] if entry["path"] == SERVER)
        here = read_bytes(self.state.root + SERVER) or b""
        return name_in(json.loads(here if digest(here) == wanted else self.contents.given([wanted])[wanted]))

    def _note(self, change: Change) -> None:
        """Record bundle and number where nothing had to be done; write nothing where they stand already."""
        self.state.refuse_older(self.run)
        self.documents.accept()
        manifest = _manifest(self.bundle, self.request["number"], change.retired, sorted(change.hold))
        manifest["directories"] = (self.previous or {}).get("directories", [])
        if manifest != self.previous:
            self.state.commit(manifest)


def let_go(state: State, manifest: Json) -> None:
    """Remove the management addresses that a manifest retires.

    networkd forgets them too: it has read its files when it started, and would bring an address back with the cable.
    """
    present = addresses.present()
    for address in manifest["retired"]:
        if address["address"] in present:
            addresses.remove(address["address"], address["interface"], address["prefix"])
    units.restart_if_active("systemd-networkd.service")
    state.commit({**manifest, "retired": []})


def _manifest(bundle: Json, number: int, retired: list[Json], hold: list[str]) -> Json:
    return {**bundle, "number": number, "retired": retired, "hold": hold}


def finish(state: State, journal: Json) -> None:
    """Clean up after the commit; can be interrupted and repeated."""
    previous = state.manifest() or {}
    directories = {*previous.get("directories", []), *journal["made"]}
    manifest = _manifest(journal["bundle"], journal["number"], journal["retired"], journal["hold"])
    manifest["directories"] = Files(state.root).clean(journal["operations"], directories)
    state.commit(manifest)
    Documents(state.root).accept()
    state.end_journal()


def put_files_back(state: State) -> Json | None:
    """Undo the files of an interrupted transaction, or clean up after a committed one; return the journal if undone."""
    state.tidy()
    journal = state.journal()
    if journal and journal["state"] == "committed":
        finish(state, journal)
        return None
    files = Files(state.root)
    if journal and journal["state"] != "staging":
        files.put_back(journal["operations"])
    Documents(state.root).withdraw()  # not before the files by which it counts are gone
    if journal is None:
        return None
    files.clean(journal["operations"], journal["made"])
    return journal


def undo(state: State, channel: Listener, over: str | None = None) -> Json | None:
    """Put this running server back to what it was before an interrupted transaction; return its journal, or None.

    The journal goes last: undoing can be interrupted and repeated, too. `over` is the address that the controller is
    connected over. Where that is the one that goes again, the transaction that follows lets it go, as any that retired.
    """
    journal = put_files_back(state)
    if journal is None:
        return None
    if journal["state"] != "staging":
        if units.concern_systemd(journal["operations"]):
            units.daemon_reload()
        previous = state.manifest() or {"files": [], "addresses": [], "units": []}
        change = Change(previous, journal["bundle"], previous.get("hold", []), journal["foreign"])
        change.stop_units(channel.send)
        change.take_addresses(channel.send, must=False)
        foreign = [(name, "restart") for name in journal["foreign"] if name not in change.units]
        for name, action in [*((debt["name"], debt["action"]) for debt in change.debts), *foreign]:
            channel.send("progress", step=f"{action}ing {name}")
            try:
                units.act(name, action)
            except Failure as failure:  # what did not run before need not run now
                channel.send("progress", step=str(failure))
        change.release_addresses(channel.send)
        if left := change.retire(spare=over):
            waiting = [address for address in previous.get("retired", []) if address not in left]
            state.commit({**previous, "retired": waiting + left})
    state.end_journal()
    return journal


def _count(things: list[Json], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"
