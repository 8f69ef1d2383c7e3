"""Probe whether what was changed serves again."""

import time

from .command import run
from .disk import Json
from .failure import Failure
from .units import GOOD, active_states, last_words

PAUSE = 0.2  # seconds between two probes


def probe(unit: Json) -> None:
    """Wait until a unit is active and its health command agrees; raise Failure with its last word otherwise."""
    health = unit.get("health") or {"command": None, "timeout": 10}
    deadline = time.monotonic() + health["timeout"]
    word = ""
    while True:
        state = active_states([unit["name"]]).get(unit["name"], "unknown")
        if state in GOOD:
            if not health["command"]:
                return
            status, output = run(health["command"], max(1.0, deadline - time.monotonic()))
            if status == 0:
                return
            word = output.strip().splitlines()[-1] if output.strip() else f"{health['command'][0]} ended with {status}"
        else:
            word = f"is {state}: {last_words(unit['name'])}"
            if state == "failed":  # systemd has given up
                raise Failure(unit["name"], word)
        if time.monotonic() > deadline:
            raise Failure(unit["name"], f"not healthy within {health['timeout']:g} s: {word}")
        time.sleep(PAUSE)
