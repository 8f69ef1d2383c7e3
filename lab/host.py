"""Raise the one limit of the machine that many servers exceed, and put it back when the last lab is down."""

from __future__ import annotations

import fcntl
from pathlib import Path

from lab import namespaces
from lab.paths import STATE

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 1024
BEFORE = STATE / ".max_user_instances"


def raise_limits() -> None:
    """Allow enough inotify instances for some fifty servers; 128, the usual number, is too few for twenty."""
    with open(STATE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if int(LIMIT.read_text()) < WANTED:
            BEFORE.write_text(LIMIT.read_text())
            LIMIT.write_text(str(WANTED))


def restore_limits() -> None:
    """Put the limit back unless another lab is up."""
    with open(STATE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if BEFORE.exists() and not namespaces.of_any_lab():
            LIMIT.write_text(BEFORE.read_text())
            BEFORE.unlink()
