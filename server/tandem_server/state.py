"""Keep what this server knows of itself: the committed bundle, the journal, the lock and the highest run."""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from .disk import WRITING, Json, canonical, gate, read_bytes, read_json, remove, sync_directory, write_durably
from .failure import Failure

DIRECTORY = "/var/lib/tandem"
RUNTIME = "/run/tandem"
LOCK_WAIT = 120.0  # seconds; longer than most steps take, but a unit may need many minutes to start
ANEW = "remove it and apply at once, which puts every file right but removes none that is wanted no more"


class State:
    """The files under /var/lib/tandem of one root file system ("" is the running one)."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.directory = root + DIRECTORY
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the directory on first use."""
        if not os.path.isdir(self.directory):
            os.makedirs(self.directory, 0o700)
            sync_directory(os.path.dirname(self.directory))

    def manifest(self) -> Json | None:
        """Return the committed manifest: bundle, number, held and retired addresses, directories made; None if none."""
        return read_json(self.directory + "/bundle.json", f"restore it from a backup, or {ANEW}")

    def commit(self, manifest: Json) -> None:
        """Make a manifest the committed one."""
        write_durably(self.directory + "/bundle.json", canonical(manifest))

    def journal(self) -> Json | None:
        """Return the journal of a transaction that has not ended, or None."""
        return read_json(
            self.directory + "/journal.json", f"a run was interrupted, and its files may be in place: {ANEW}"
        )

    def write_journal(self, journal: Json) -> None:
        """Write the journal durably: from here on recovery knows what has to be done."""
        write_durably(self.directory + "/journal.json", canonical(journal))

    def end_journal(self) -> None:
        """Remove the journal: the transaction has ended."""
        if remove(self.directory + "/journal.json"):
            sync_directory(self.directory)

    def highest_run(self) -> int:
        """Return the highest run number this server has seen."""
        return int(read_bytes(self.directory + "/run") or b"0")

    def announce(self, run: int) -> None:
        """Note a run's number before anything else, so that what is left of an older run stops at its next step."""
        with self._announcing():
            self.refuse_older(run)
            if run > self.highest_run():
                write_durably(self.directory + "/run", str(run).encode())

    def _announcing(self) -> AbstractContextManager[None]:
        return gate(self.directory + "/run.gate")

    def tidy(self) -> None:
        """Remove what a killed writer left half written; the caller holds the lock, or nobody else is at work yet."""
        if os.path.isdir(self.directory):
            with self._announcing():
                for name in ("run", "journal.json", "bundle.json"):
                    remove(f"{self.directory}/{name}{WRITING}")

    def refuse_older(self, run: int) -> None:
        """Raise Failure when a newer run has been here."""
        highest = self.highest_run()
        if run < highest:
            raise Failure(
                "run", f"run {run} is older than run {highest}, which has already been here; nothing more is done"
            )

    def lock(self, waiting: Callable[[], None]) -> None:
        """Take the server's lock, where it is not held here already; it ends with the process.

        Call `waiting` once if another run still holds it.
        """
        if self._lock is not None:
            return
        lock = os.open(self.directory + "/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOCK_WAIT
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._lock = lock
                return
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
            if time.monotonic() > deadline:
                os.close(lock)
                message = (
                    f"another run is in a step that takes longer than {LOCK_WAIT:g} s; it stops by itself after it"
                )
                raise Failure("lock", f"{message}: run again then")
            time.sleep(0.1)
