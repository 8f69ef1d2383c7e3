"""Tell the history of a store, and tidy it: mark what shall stay, discard a candidate, prune what is old.

What is removed goes in an order that leaves no configuration without its blobs, whenever the power fails: first the
records, then what they alone named. A number is never given twice.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator

from .disk import Json, canonical, gate, read_json, remove, sync_directory, write_durably
from .failure import Failure
from .files import digest
from .fleet import Fleet
from .store import Store

DESCRIPTION = ("number", "created", "author", "comment", "commit", "digest")
ACTIVE = "is active"


class History:
    """The history of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._marks = store.directory + "/marks.json"

    def tell(self) -> Json:
        """Return what is known of all configurations; of a damaged record only its number.

        `members` are the servers of the active configuration, or of the newest before the first apply; `servers_of`
        those of every other one that a server may be on.
        """
        numbers, active, servers = self.store.numbers(), self.store.active(), self.store.servers()
        records = {number: intact(self.store, number) for number in numbers}
        others = {number for place in servers.values() for number in _possible(place)} - {active}
        current = records.get(active if active is not None else max(numbers, default=0)) or {}
        return {
            "active": active,
            "configurations": [
                {name: record.get(name, "") for name in DESCRIPTION} if record else {"number": number, "damaged": True}
                for number, record in records.items()
            ],
            "members": sorted(current.get("bundles", {})),
            "servers": servers,
            "servers_of": {
                str(number): sorted(record["bundles"])
                for number, record in records.items()
                if record and number in others
            },
            "marks": self.marks(),
            "log": self.store.log.entries(),
            "plans": [plan | {"plan": {**plan["plan"], "shown": None}} for plan in self.store.plans.all()],
        }

    def marks(self) -> Json:
        """Return who marked which configuration when and why, by its number as text."""
        return read_json(self._marks) or {}

    def mark(self, number: int, entry: Json, *, check: bool = False) -> bool:
        """Let pruning keep a configuration; return whether it was not marked before."""
        with self.store.alone():
            self.store.configuration(number)  # nobody prunes it from here on
            marks = self.marks()
            if not check and str(number) not in marks:
                write_durably(self._marks, canonical({**marks, str(number): entry}))
        return str(number) not in marks

    def unmark(self, number: int, *, check: bool = False) -> bool:
        """Let pruning remove a configuration again; return whether it was marked."""
        with self.store.alone():
            marks = self.marks()
            marked = marks.pop(str(number), None) is not None
            if not marked:
                self.store.configuration(number)  # of one that is marked the record may be lost
            elif not check:
                write_durably(self._marks, canonical(marks))
        return marked

    def discard(self, number: int, entry: Json, *, check: bool = False) -> None:
        """Remove a candidate; raise Failure where it is more than that."""
        self.store.configuration(number)
        with self.store.alone():
            if reason := self._reasons(was_active=True).get(number):
                raise Failure("store", f"configuration {number} {reason}: it cannot be discarded")
            if not check:
                self._remove([number], {**entry, "what": "discarded"})

    def prune(self, keep: int, entry: Json, *, check: bool = False) -> Json:
        """Remove all configurations but the newest `keep` and those with a reason to stay, and what they alone held.

        Return {removed, kept: {number: why}, blobs, bytes}. In check mode only tell. Raise Failure, before anything is
        removed, where the record of one that stays is missing or damaged.
        """
        with self.store.alone(), nobody_storing(self.store):
            numbers = self.store.numbers()
            reasons = self._reasons()
            newest = numbers[-keep:] if keep else []
            gone = [number for number in numbers if number not in reasons and number not in newest]
            kept = self._records(sorted({*numbers, *reasons}.difference(gone)), reasons)
            needed = self._needed(kept, gone)
            if gone and not check:
                self._remove(gone, {**entry, "what": "pruned"})
            if not check:
                self.store.plans.forget(set(gone))  # also those that are damaged
            orphans = [path for path, name in blobs(self.store.directory) if name not in needed]
            size = sum(os.path.getsize(path) for path in orphans)
            if not check:
                _unlink(orphans)
            return {
                "removed": gone,
                "kept": {str(number): reason for number, reason in reasons.items() if number not in newest},
                "blobs": len(orphans),
                "bytes": size,
            }

    def missing(self) -> dict[int, str]:
        """Return why configurations have to stay that are not stored, by number; a damaged file says nothing."""
        reasons = self._reasons(tolerate=(Failure, ValueError, LookupError, TypeError, AttributeError))
        stored = self.store.numbers()  # read last: what is stored meanwhile is not missing
        return {number: reason for number, reason in reasons.items() if number not in stored}

    def _reasons(self, *, was_active: bool = False, tolerate: tuple[type[Exception], ...] = ()) -> dict[int, str]:
        """Return why configurations have to stay, by number; what fails with an error to `tolerate` gives no reason."""
        grounds = [self._active, self._marked, *([self._was_active] if was_active else []), self._on, self._expected]
        found: dict[int, str] = {}
        for ground in grounds:
            with contextlib.suppress(*tolerate):
                found = ground() | found
        return found

    def _active(self) -> dict[int, str]:
        active = self.store.active()
        return {} if active is None else {active: ACTIVE}

    def _marked(self) -> dict[int, str]:
        return {int(number): "is marked" for number in self.marks()}

    def _was_active(self) -> dict[int, str]:
        return {int(entry["number"]): "was active" for entry in self.store.log.entries() if entry["what"] == "active"}

    def _on(self) -> dict[int, str]:
        """Say which server is, or may be, on what.

        A server that has left the installation keeps nothing from being removed; when it comes back, what it was on
        may be gone.
        """
        numbers, servers = self.store.numbers(), self.store.servers()
        current = {self.store.active() or 0, max(numbers, default=0)} - {0}
        records = [intact(self.store, number) for number in current]
        members = {server for record in records for server in (servers if record is None else record["bundles"])}
        entries = self.store.log.entries()
        removed = {number for entry in entries for number in entry.get("numbers", ())}.difference(numbers)
        found: dict[int, str] = {}
        for server, place in sorted(servers.items()):
            doubtful = isinstance(place, list)
            if doubtful or server in members:
                may_be = " or may be" if doubtful else ""
                on = [number for number in _possible(place) if number and number not in removed]
                found = dict.fromkeys(on, f"is what {server} is on{may_be}") | found
        return found

    def _expected(self) -> dict[int, str]:
        expected = Fleet(self.store.directory).expected()
        return {entry["number"]: f"is what {server} should come to" for server, entry in sorted(expected.items())}

    def _records(self, numbers: Iterable[int], reasons: dict[int, str]) -> list[Json]:
        """Return the records of configurations that stay; raise Failure where one is missing or damaged."""
        found = []
        for number in numbers:
            record = intact(self.store, number)
            if record is None:
                path = self.store.path(number)
                state = "damaged" if os.path.exists(path) else "missing"
                reason = reasons.get(number, "is one of the newest")
                raise Failure(
                    "store",
                    f"{path} is {state}, and configuration {number} {reason}: nothing is removed, because what it "
                    "needs cannot be told; restore that file from another copy of the store, and see tandem fsck",
                )
            found.append(record)
        return found

    def _needed(self, records: list[Json], gone: list[int]) -> set[str]:
        """Name the blobs that configurations and their plans need; raise Failure where that cannot be told."""
        needed: set[str] = set()
        for record in records:
            needed |= named(record, needed, self.store.blob)
        plans = [found["plan"] for found in self.store.plans.all()]
        return needed | {plan["shown"] for plan in plans if plan["number"] not in gone}

    def _remove(self, numbers: list[int], entry: Json) -> None:
        """Remove configurations: say so first, and see that no number comes again."""
        self.store.log.append({**entry, "numbers": numbers})
        highest = max([self.store.highest(), *numbers])
        write_durably(self.store.directory + "/highest", str(highest).encode())
        _unlink([self.store.path(number) for number in numbers])
        self.store.plans.forget(set(numbers))


@contextlib.contextmanager
def nobody_storing(store: Store) -> Iterator[None]:
    """Keep plans from being stored meanwhile: they rely on blobs that nothing names yet."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(gate(store.directory + "/blobs.gate", wait=False))
        except BlockingIOError:
            raise Failure("store", "a plan is being stored at this moment; try again") from None
        yield


def intact(store: Store, number: int) -> Json | None:
    """Return the record of a configuration; None where it is missing, or damaged: its digest does not fit."""
    try:
        record = store.configuration(number)
        content = {name: record[name] for name in {*record}.difference(DESCRIPTION)}
        fits = record["number"] == number and record["digest"] == digest(canonical(content))
    except (Failure, ValueError, KeyError, TypeError):
        return None
    return record if fits else None


def named(record: Json, known: set[str], blob: Callable[[str], bytes]) -> set[str]:
    """Return the blobs that a configuration is made of, but for the files of bundles that are known already."""
    bundles = set(record["bundles"].values())
    found = {record["tree"], *record.get("values", {}).values(), *record["source"].values(), *bundles}
    for bundle in sorted(bundles - known):
        found.update(file["digest"] for file in json.loads(blob(bundle))["files"] if file.get("digest"))
    return found


def blobs(directory: str) -> Iterator[tuple[str, str]]:
    """Yield path and name of everything that lies among the blobs, in order."""
    for folder, folders, names in os.walk(directory + "/blobs"):
        folders.sort()
        for name in sorted(names):
            yield f"{folder}/{name}", name


def _possible(place: int | list[int | None]) -> list[int | None]:
    """Return the configurations that a server may be on."""
    return place if isinstance(place, list) else [place]


def _unlink(paths: list[str]) -> None:
    """Remove files durably."""
    for path in paths:
        remove(path)
    for folder in sorted({os.path.dirname(path) for path in paths}):
        sync_directory(folder)
