"""Carry progress from the actions of a playbook to the command that started it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from pathlib import Path

VARIABLE = "TANDEM_PROGRESS"
"""Names, in the environment, the file that the command line reads while the playbook runs."""
CALLBACK = "tandem.platform.command_line"
"""The callback plugin that tells the command line how tasks have ended."""
ENDED = "task"
"""The event of which it tells."""

SET_PARENT_DEATH_SIGNAL = 1  # prctl's number


def end_with_command() -> None:
    """End this playbook, as an interruption would, when the command that started it is killed and hears it no more.

    Left alone it would go on changing servers, and nobody would hear of it.
    """
    if VARIABLE in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


LOCK = threading.Lock()


def emit(event: str, **fields: object) -> None:
    """Tell the command line of an event; without one, nobody."""
    path = os.environ.get(VARIABLE)
    if path:
        line = memoryview(json.dumps({"event": event, **fields}, default=str).encode() + b"\n")
        with LOCK, Path(path).open("ab", buffering=0) as file:  # several threads tell of progress
            while line:
                line = line[file.write(line) :]


def tell(server: str, step: str) -> None:
    """Say what a server is doing: to the command line, or with -v to whoever runs the playbook."""
    emit("progress", server=server, step=step)
    if VARIABLE not in os.environ:
        from ansible.utils.display import Display  # noqa: PLC0415  slow to load for the command line, which needs it not

        Display().v(f"{server}: {step}")
