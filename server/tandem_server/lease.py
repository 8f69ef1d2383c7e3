"""Let only one run change an installation at a time.

The lease is a small file on the configuration server that its holder renews every few seconds. One that has not been
renewed for a while has lost its holder and may be taken by the next run; nobody has to remove anything by hand.
"""

import os
import time
from contextlib import AbstractContextManager

from .disk import Json, canonical, gate, read_bytes, read_json, remove, write_durably
from .failure import Failure
from .state import State

TERM = 15.0  # seconds; the holder renews every three


class Lease:
    """The lease of the installation whose store is in a directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = directory + "/lease.json"

    def _alone(self) -> AbstractContextManager[None]:
        State().prepare()
        os.makedirs(self._directory, 0o700, exist_ok=True)
        return gate(self._directory + "/lease.gate")

    def current(self) -> Json | None:
        """Return the lease as it was renewed last, or None where nobody has it."""
        return read_json(self._path, "remove it when no run is at work")

    def acquire(self, holder: str, *, take_over: bool = False) -> Json:
        """Take the lease: {run, taken: the lease that another run had, or None}, or {held: the living one}."""
        with self._alone():
            current = self.current()
            now = time.time()
            if current and not take_over and abs(now - current["renewed"]) < TERM:
                return {"held": {**current, "age": now - current["renewed"]}}
            run = int(read_bytes(self._directory + "/run") or b"0") + 1
            write_durably(self._directory + "/run", str(run).encode())
            write_durably(self._path, canonical({"run": run, "holder": holder, "since": now, "renewed": now}))
            return {"run": run, "taken": current and {**current, "expired": abs(now - current["renewed"]) >= TERM}}

    def renew(self, run: int) -> None:
        """Say that the holder lives; raise Failure when it holds the lease no more."""
        with self._alone():
            current = self.current()
            if current is None or current["run"] != run:
                taker = f"run {current['run']} of {current['holder']} has taken over" if current else "it was released"
                raise Failure("lease", f"run {run} has lost the lease of this installation: {taker}")
            write_durably(self._path, canonical({**current, "renewed": time.time()}))

    def release(self, run: int) -> None:
        """Give the lease back; one that is held by another run stays."""
        with self._alone():
            current = self.current()
            if current and current["run"] == run:
                remove(self._path)
