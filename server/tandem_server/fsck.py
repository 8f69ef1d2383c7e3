"""Look for corruption in a store, and change nothing: one line for each thing that is wrong."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator

from .disk import WRITING, Json, read_bytes
from .files import digest
from .history import ACTIVE, History, blobs, intact
from .store import Store

RESTORE = "restore it from another copy of the store"
PRUNE = "tandem prune removes it"
AGAIN = "restore what is missing or damaged, then run tandem fsck again"
JSON_FILES = ("servers.json", "expected.json", "marks.json", "lease.json")
NUMBERS = ("active", "highest", "run")


def problems(store: Store, *, secrets: bool = True) -> list[str]:
    """Return everything that is wrong with a store, sorted; without `secrets` their contents may be missing."""
    return sorted(_Check(store, secrets=secrets).everything())


class _Check:
    """One look at a store."""

    def __init__(self, store: Store, *, secrets: bool) -> None:
        self.store = store
        self.secrets = secrets
        self.good: set[str] = set()
        self.bad: set[str] = set()
        self.needed: dict[str, str] = {}  # blob: what needs it
        self.complete = True  # so that what nothing names is needed by nothing

    def everything(self) -> Iterator[str]:
        """Yield what is wrong; what nothing names is only looked for while nobody is storing anything."""
        with _quiet(self.store.directory + "/blobs.gate") as quiet:
            yield from self._blobs()
            for number in self.store.numbers():
                yield from self._configuration(number)
            yield from self._plans()
            for name in sorted(self.needed.keys() - self.good - self.bad):
                yield self._lost(f"{self.store.blob_path(name)}: is missing, and {self.needed[name]} needs it")
            yield from self._missing()
            yield from self._small()
            if quiet:
                yield from self._orphans()

    def _lost(self, what: str) -> str:
        self.complete = False
        return f"{what}; {RESTORE}"

    def _blobs(self) -> Iterator[str]:
        for path, name in blobs(self.store.directory):
            if "." in name:
                continue
            good = digest(read_bytes(path) or b"") == name
            (self.good if good else self.bad).add(name)
            if not good:
                yield self._lost(f"{path}: is damaged: its content does not fit its name")

    def _configuration(self, number: int) -> Iterator[str]:
        record = intact(self.store, number)
        if record is None:
            yield self._lost(f"{self.store.path(number)}: is damaged: its digest does not fit")
            return
        bundles = record["bundles"].values()
        for name in (record["tree"], *record.get("values", {}).values(), *record["source"].values(), *bundles):
            self.needed.setdefault(name, f"configuration {number}")
        for bundle in self.good.intersection(bundles):
            for file in (_json(self.store.blob_path(bundle)) or {"files": []})["files"]:
                if file.get("digest") and (self.secrets or not file.get("secret")):
                    self.needed.setdefault(file["digest"], f"configuration {number}")

    def _plans(self) -> Iterator[str]:
        for path in self.store.plans.damaged():
            yield f"{path}: is damaged: its content does not fit its name; {PRUNE}"
        for found in self.store.plans.all():
            self.needed.setdefault(found["plan"]["shown"], f"plan {found['name']}")

    def _missing(self) -> Iterator[str]:
        for number, reason in History(self.store).missing().items():
            if reason == ACTIVE:
                yield self._lost(f"{self.store.directory}/active: names configuration {number}, which is not there")
            else:
                yield self._lost(f"{self.store.path(number)}: is missing, and configuration {number} {reason}")

    def _orphans(self) -> Iterator[str]:
        advice = PRUNE if self.complete else AGAIN
        for path, name in blobs(self.store.directory):
            if name in self.bad or name in self.needed:
                continue
            if name.endswith(WRITING):
                yield f"{path}: was never written to its end; {advice}"
            elif name in self.good or "." in name:
                yield f"{path}: is named by no configuration; {advice}"

    def _small(self) -> Iterator[str]:
        """Look at the small files: the pointer, numbers, where servers are, marks, the lease, agents, the log."""
        here = self.store.directory
        for name in NUMBERS:
            text = read_bytes(f"{here}/{name}")
            if text is not None and not text.strip().isdigit():
                yield self._lost(f"{here}/{name}: is damaged: it does not hold a number")
        for name in JSON_FILES:
            if os.path.exists(f"{here}/{name}") and _json(f"{here}/{name}") is None:
                yield self._lost(f"{here}/{name}: is damaged")
        contacts = here + "/agents"
        for name in sorted(os.listdir(contacts)) if os.path.isdir(contacts) else []:
            if name.endswith(".json") and _json(f"{contacts}/{name}") is None:
                yield f"{contacts}/{name}: is damaged; the next turn of that agent replaces it"
        for number in self.store.log.damaged():
            yield f"{here}/log.jsonl:{number}: is damaged; the rest of the log is read all the same"


def _json(path: str) -> Json | None:
    """Return the object in a file; None where there is none."""
    try:
        found = json.loads(read_bytes(path) or b"")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@contextlib.contextmanager
def _quiet(path: str) -> Iterator[bool]:
    """Tell whether nobody is storing anything, and let nobody begin meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # nobody ever has
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        quiet = True
    except BlockingIOError:
        quiet = False
    try:
        yield quiet
    finally:
        os.close(descriptor)
