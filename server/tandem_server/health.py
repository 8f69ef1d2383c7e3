"""Probe whether instances serve."""

import time
from collections.abc import Iterable, Mapping

from .command import run
from .disk import Json
from .failure import Failure
from .units import GOOD, active_states, last_words

PAUSE = 0.2  # seconds between two probes
SETTLED = 3.0  # seconds: who asked an instance while it was away must have found another one before that goes too
ACTIVE: Json = {"command": None, "timeout": 10}  # what is asked of a unit whose application declares no probe


def probe(unit: Json) -> None:
    """Wait until a unit is active and its health command agrees; raise Failure with its last word otherwise."""
    timeout = (unit.get("health") or ACTIVE)["timeout"]
    deadline = time.monotonic() + timeout
    while True:
        state = active_states([unit["name"]]).get(unit["name"], "unknown")
        word = _complaint(unit, state, deadline)
        if word is None:
            return
        if state == "failed":  # systemd has given up
            raise Failure(unit["name"], word)
        if time.monotonic() > deadline:
            raise Failure(unit["name"], f"not healthy within {timeout:g} s: {word}")
        time.sleep(PAUSE)


def complaints(units: Iterable[Json], instances: Iterable[str], *, settled: bool = False) -> Mapping[str, str]:
    """Ask every unit of some instances once; return why an instance does not serve, of those that do not.

    With `settled` one that has only just come back does not count yet.
    """
    found = dict.fromkeys(instances, "is not on this server")
    for unit in units:
        name = unit["instance"]
        if name not in found or found[name] not in ("", "is not on this server"):
            continue
        state = active_states([unit["name"]]).get(unit["name"], "unknown")
        found[name] = _complaint(unit, state, time.monotonic() + (unit.get("health") or ACTIVE)["timeout"]) or ""
        if settled and not found[name] and _age(unit["name"]) < SETTLED:
            found[name] = "has only just come back"
    return {name: word for name, word in found.items() if word}


def _age(name: str) -> float:
    """Return for how many seconds a unit has been active."""
    _, since = run(["systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", name])
    return time.monotonic() - int(since.strip() or 0) / 1e6


def _complaint(unit: Json, state: str, deadline: float) -> str | None:
    """Return why a unit in a state is not healthy; None when it is."""
    if state not in GOOD:
        return f"is {state}: {last_words(unit['name'])}"
    command = (unit.get("health") or ACTIVE)["command"]
    if not command:
        return None
    status, output = run(command, max(1.0, deadline - time.monotonic()))
    if status == 0:
        return None
    return output.strip().splitlines()[-1] if output.strip() else f"{command[0]} ended with {status}"
