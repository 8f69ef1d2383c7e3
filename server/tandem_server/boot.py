"""Come up wholly old or wholly new after a power cut, without a controller."""

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
    """Add the service addresses of this server, then let systemd start what it should run."""
    manifest = State().manifest()
    if manifest is None:
        return
    deadline = time.monotonic() + INTERFACE_WAIT
    for address in manifest["addresses"]:
        if address["address"] not in manifest.get("hold", []):
            _add(address, deadline)
    status, output = run(["systemctl", "start", "--no-block", "tandem.target"])
    if status:
        raise Failure("tandem.target", output.strip())


def _add(address: Json, deadline: float) -> None:
    while not addresses.interface_exists(address["interface"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    try:
        addresses.refuse_taken(address["address"], address["interface"])
        addresses.add(address)
    except (Failure, OSError) as failure:  # one address less must not keep the others down
        print(failure, file=sys.stderr)
