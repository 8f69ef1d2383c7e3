"""Come up wholly old or wholly new after a power cut, and on what this server should be on by now."""

import os
import sys
import time

from . import addresses, units
from .command import run
from .disk import WRITING, Json, remove
from .failure import Failure
from .state import State
from .transaction import put_files_back

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
    manifest = state.manifest() or {}
    deadline = time.monotonic() + INTERFACE_WAIT
    present = addresses.present()
    for address in manifest["addresses"]:
        if address["address"] not in {*present, *manifest.get("hold", [])}:
            _add(address, deadline)
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


def _add(address: Json, deadline: float) -> None:
    while not addresses.interface_exists(address["interface"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        addresses.refuse_taken(address["address"], address["interface"])
        addresses.add(address)
    except (Failure, OSError) as failure:  # one address less must not keep the others down
        print(failure, file=sys.stderr)
