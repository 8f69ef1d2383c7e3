"""Come up wholly old or wholly new after a power cut, and on what this server should be on by now."""

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
    _note([address["address"] for address in _missing(state.manifest() or {}) if not _added(address, deadline)])
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


def refused() -> list[str]:
    """Return the addresses that another server had when this one booted, and that it still lacks for that."""
    found: list[str] = (read_json(REFUSED, "remove it") or {"addresses": []})["addresses"]
    return found


def take_refused(state: State) -> list[str]:
    """Take those of them that are free by now, with the units that have missed them, and return them.

    The caller holds the lock.
    """
    manifest, wanted = state.manifest() or {}, refused()
    missing = [address for address in _missing(manifest) if address["address"] in wanted]
    taken = [address["address"] for address in missing if _added(address, time.monotonic())]
    for unit in manifest.get("units", []) if taken else []:
        if {*unit["addresses"]}.intersection(taken):
            units.act(unit["name"], "restart")
    _note([address["address"] for address in missing if address["address"] not in taken])
    return taken


def _note(left: list[str]) -> None:
    if left:
        os.makedirs(RUNTIME, exist_ok=True)
        write_durably(REFUSED, canonical({"addresses": left}))
    else:
        remove(REFUSED)


def _missing(manifest: Json) -> list[Json]:
    """Return the addresses that this server should have, and has not."""
    not_now = {*addresses.present(), *manifest.get("hold", [])}
    return [address for address in manifest.get("addresses", []) if address["address"] not in not_now]


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
