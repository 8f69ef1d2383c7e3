"""Start, stop, restart and reload units, by what they started with and not by what was notified.

When a unit starts or reloads, it records the digests of its inputs under /run/tandem/units. What differs between that
record and the wanted bundle is restart debt, however it came about.
"""

import os

from .command import run
from .disk import Json, read_bytes
from .failure import Failure
from .state import RUNTIME

GOOD = ("active", "reloading")
PATIENCE = 1000.0  # seconds for a unit to start: longer than any unit's own limit, which says why


def debts(bundle: Json) -> list[Json]:
    """Return what every unit of a bundle needs, in order: {name, action: start|restart|reload, because: paths}."""
    units = bundle["units"]
    if not units:
        return []
    digests = {entry["path"]: entry.get("digest") for entry in bundle["files"]}
    states = active_states([unit["name"] for unit in units])
    found = []
    for unit in units:
        name = unit["name"]
        stale = _stale(name, "restart", unit["restart"], digests)
        if states.get(name) not in (*GOOD, "activating") or (states[name] == "activating" and not stale):
            found.append({"name": name, "action": "start", "because": []})
        elif stale:
            found.append({"name": name, "action": "restart", "because": stale})
        elif stale := _stale(name, "reload", unit["reload"], digests):
            found.append({"name": name, "action": "reload", "because": stale})
    return found


def _stale(unit: str, effect: str, paths: list[str], digests: dict[str, str | None]) -> list[str]:
    """Return the inputs that are not what the unit took them for; all of them where it left no record."""
    text = (read_bytes(f"{RUNTIME}/units/{unit}.{effect}") or b"").decode(errors="replace")
    recorded = {}
    for line in text.splitlines():
        digest, _, path = line.partition("  ")
        recorded[path] = digest
    wanted = {path: digests.get(path) for path in paths}
    gone = [path for path in recorded if path not in wanted]
    return sorted(gone + [path for path, digest in wanted.items() if recorded.get(path) != digest])


def active_states(names: list[str]) -> dict[str, str]:
    """Return the ActiveState of units, by name."""
    _, output = run(["systemctl", "show", "--property=Id,ActiveState", *names])
    states = {}
    for block in output.split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in fields:
            states[fields["Id"]] = fields.get("ActiveState", "")
    return states


def act(name: str, action: str) -> None:
    """Start, restart or reload one unit; raise Failure with the unit's own last words where it does not come up."""
    run(["systemctl", "reset-failed", name])  # a unit that failed too often may be started again
    status, output = run(["systemctl", action, name], PATIENCE)
    if status:
        raise Failure(name, f"{action} failed: {last_words(name) or output.strip()}")


def stop(name: str, timeout: float) -> None:
    """Stop one unit; one that is not there is stopped."""
    status, output = run(["systemctl", "stop", name], timeout + 10)
    if status and active_states([name]).get(name) in (*GOOD, "deactivating"):
        raise Failure(name, f"stop failed: {output.strip()}")
    run(["systemctl", "reset-failed", name])
    forget(name)


def restart_if_active(name: str) -> None:
    """Restart a unit of the distribution, where it runs."""
    run(["systemctl", "try-restart", name])


def forget(name: str) -> None:
    """Remove the records of a unit that runs no more."""
    for effect in ("restart", "reload"):
        try:
            os.unlink(f"{RUNTIME}/units/{name}.{effect}")
        except FileNotFoundError:
            continue


def daemon_reload() -> None:
    """Let systemd read the unit files again."""
    status, output = run(["systemctl", "daemon-reload"])
    if status:
        raise Failure("systemd", f"daemon-reload failed: {output.strip()}")


def concern_systemd(operations: list[Json]) -> bool:
    """Return whether operations touch files that systemd itself reads."""
    return any(operation["path"].startswith("/etc/systemd/system/") for operation in operations)


def masked(operations: list[Json]) -> list[str]:
    """Name the units that operations mask."""
    masks = [operation for operation in operations if (operation["entry"] or {}).get("target") == "/dev/null"]
    return [os.path.basename(operation["path"]) for operation in masks]


def last_words(name: str, lines: int = 15) -> str:
    """Return the last lines that a unit left in the journal."""
    invocation = run(["systemctl", "show", "--property=InvocationID", "--value", name])[1].strip()
    where = [f"_SYSTEMD_INVOCATION_ID={invocation}", "+", f"INVOCATION_ID={invocation}"] if invocation else ["-u", name]
    return run(["journalctl", "--no-pager", "--quiet", "--output=cat", f"--lines={lines}", *where])[1].strip()
