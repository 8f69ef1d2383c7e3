"""See everything on servers that must be alike wherever they come from: what is where Tandem writes."""

import json
from typing import Any

from tests.fleet.fleet import Fleet
from tests.fleet.traces import LOOK, PLACES, UNPACKED, Traces

STATE = "/var/lib/tandem"
# what each lab has of its own, and what each system writes by itself
OWN = (
    "/etc/ssh/ssh_host_",
    "/etc/ssh/authorized_keys/ansible",
    "/etc/resolv.conf",
    "/etc/machine-id",
    "/etc/.pwd.lock",
    "/etc/adjtime",
    "/etc/mtab",
    UNPACKED,
)
NUMBERED = ("run", "run.gate", "lock", "store", "agent.json")

Likeness = dict[str, dict[str, Any]]  # by server: what is at each path, and each part of the manifest


def likeness(fleet: Fleet) -> Likeness:
    """Return every file where Tandem writes, and the manifest without its number; require that the store is sound."""
    found: Likeness = {}
    for server in fleet.servers:
        seen: Traces = json.loads(fleet.do(server, "python3", "-c", LOOK, *PLACES, STATE))
        manifest = json.loads(fleet.text(server, f"{STATE}/bundle.json"))
        parts = {f"manifest: {key}": part for key, part in manifest.items() if key != "number"}
        kept = {
            path: what for path, what in seen.items() if not path.startswith(OWN) and path != f"{STATE}/bundle.json"
        }
        found[server] = {path: what for path, what in kept.items() if not _is_numbered(path)} | parts
        for path, what in seen.items():
            if path.startswith(f"{STATE}/store/blobs/") and len(what) > 3:
                assert path.endswith("/" + what[-1]), f"{server}: {path} is corrupted"
    return found


def unlike(here: Likeness, there: Likeness) -> list[str]:
    """Return where two fleets differ, with what is there on each."""
    return [
        f"{server}: {name}: {str(here[server].get(name))[:200]} and {str(there[server].get(name))[:200]}"
        for server in here
        for name in sorted({*here[server], *there[server]})
        if here[server].get(name) != there[server].get(name)
    ]


def _is_numbered(path: str) -> bool:
    return path.startswith(tuple(f"{STATE}/{name}" for name in NUMBERED))
