"""Carry progress from the actions of a playbook to the command that started it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.utils.display import Display

VARIABLE = "TANDEM_PROGRESS"
"""Names, in the environment, the file that the command line reads while the playbook runs."""


def emit(event: str, **fields: object) -> None:
    """Tell the command line of an event; without one, nobody."""
    path = os.environ.get(VARIABLE)
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps({"event": event, **fields}) + "\n")


def tell(server: str, step: str) -> None:
    """Say what a server is doing: to the command line, or with -v to whoever runs the playbook."""
    emit("progress", server=server, step=step)
    if VARIABLE not in os.environ:
        Display().v(f"{server}: {step}")
