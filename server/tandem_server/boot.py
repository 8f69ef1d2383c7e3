"""Come up wholly old or wholly new after a power cut, and on what this server should be on by now."""

import contextlib
import os
import sys
import time

from . import addresses, units
from .command import run
from .disk import WRITING, Json, canonical, read_json, remove, write_durably
from .failure import Failure
from .state import RUNTIME, State
from .transaction import put_files_back

REFUSED = RUNTIME + "/refused.json"  # the addresses that another server had when this one booted
INTERFACE_WAIT = 30.0  # seconds for an interface to appear at boot


def recover() -> None:
    """Undo the files of a transaction that a power cut interrupted; runs before the network and every application."""
    state = State()
    _remove_half_written(state.directory)
    journal = put_files_back(state)
    if journal is None:
        return
    state.end_journal()
    if units.concern_systemd(journal["operations"]):
        units.daemon_reload()
    print(
        f"run {journal['run']} was interrupted while {journal['state']}; its changes have been undone", file=sys.stderr
    )


def _remove_half_written(top: str) -> None:
    """Remove what was being written when the power went, in the store too; nobody else is at work yet."""
    for folder, _, names in os.walk(top):
        for name in names:
            if name.endswith(WRITING):
                remove(f"{folder}/{name}")


def start() -> None:
    """Add the service addresses of this server, then let systemd start what it should run.

    Before that the configuration server is asked whether this server should be on something else by now: an address
    that has moved while it was away is not taken back. Without an answer it starts as it was.
    """
    state = State()
    if state.manifest() is None:
        return
    _ask_what(state)
    deadline = time.monotonic() + INTERFACE_WAIT
    _, left = _take(_own(state.manifest() or {}), deadline)
    with contextlib.suppress(OSError):
        note_refused(left)
    status, output = run(["systemctl", "start", "--no-block", "tandem.target"])
    if status:
        raise Failure("tandem.target", output.strip())


def _ask_what(state: State) -> None:
    """Come to what this server should be on by now, as the only one to change it until it has started."""
    try:
        state.lock(lambda: print("waiting for a run that is at work here", file=sys.stderr))
        from . import agent  # noqa: PLC0415  only when there is somebody to ask

        agent.at_boot(state)
    except Exception as error:  # noqa: BLE001  whatever it is, it must not keep this server from starting
        print(f"starting as it was: {error!r}", file=sys.stderr)


def freed(state: State) -> list[str]:
    """Return the addresses that another server had when this one booted, and that nobody else has any more."""
    wanted = _refused(state)
    present = addresses.present() if wanted else {}
    return [each["address"] for each in wanted if each["address"] in present or not _answers(each)]


def take_refused(state: State) -> list[str]:
    """Take those that are free, with the units that have missed them, and return them.

    The caller holds the lock. Raise Failure at the end where a unit does not start.
    """
    wanted = _refused(state)
    taken, left = _take(wanted, time.monotonic())
    here = {address["address"] for address in wanted}.difference(left)
    failures = []
    for unit in (state.manifest() or {}).get("units", []):
        if own := here.intersection(unit["addresses"]):
            try:  # one whose address has come some other way meanwhile may run, or have missed it
                units.act(unit["name"], "restart" if own.intersection(taken) else "start")
            except Failure as failure:
                failures.append(str(failure))
    note_refused(left)
    if failures:
        raise Failure("units", "; ".join(failures))
    return taken


def _refused(state: State) -> list[Json]:
    noted = (read_json(REFUSED, "remove it") or {"addresses": []})["addresses"]
    return [address for address in _own(state.manifest() or {}) if address["address"] in noted] if noted else []


def note_refused(left: list[str]) -> None:
    """Note which addresses another server has, for the turns of the agent until this one is off."""
    if left:
        os.makedirs(RUNTIME, exist_ok=True)
        write_durably(REFUSED, canonical({"addresses": left}))
    else:
        remove(REFUSED)


def _own(manifest: Json) -> list[Json]:
    """Return the addresses that this server should have now."""
    held = manifest.get("hold", [])
    return [address for address in manifest.get("addresses", []) if address["address"] not in held]


def _take(own: list[Json], deadline: float) -> tuple[list[str], list[str]]:
    """Add those of some addresses that are missing; return those that are here now, and those that are not."""
    present = addresses.present()
    missing = [address for address in own if address["address"] not in present]
    taken = [address["address"] for address in missing if _added(address, deadline)]
    return taken, [address["address"] for address in missing if address["address"] not in taken]


def _answers(address: Json) -> bool:
    """Tell whether another server has an address, or that cannot be told."""
    try:
        addresses.refuse_taken(address["address"], address["interface"])
    except (Failure, OSError):
        return True
    return False


def _added(address: Json, deadline: float) -> bool:
    """Add an address as soon as there is its interface, unless another server has it; return whether it is here."""
    while not addresses.interface_exists(address["interface"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        addresses.refuse_taken(address["address"], address["interface"])
        addresses.add(address)
    except (Failure, OSError) as failure:  # one address less must not keep the others down
        print(failure, file=sys.stderr)
        return False
    return True
