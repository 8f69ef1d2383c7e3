"""Tell the history of a store, and tidy it: mark what shall stay, discard a candidate, prune what is old.

What is removed goes in an order that leaves no configuration without its blobs, whenever the power fails: first the
records, then what they alone named. A number is never given twice.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator

from .disk import Json, canonical, gate, read_json, remove, sync_directory, write_durably
from .failure import Failure
from .store import Store

DESCRIPTION = ("number", "created", "author", "comment", "commit", "digest")


class History:
    """The history of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._marks = store.directory + "/marks.json"

    def tell(self) -> Json:
        """Return what is known of all configurations; of a damaged record only its number.

        `members` are the servers of the active configuration, or of the newest before the first apply.
        """
        numbers, active = self.store.numbers(), self.store.active()
        records = {number: self._record(number) for number in numbers}
        current = records.get(active if active is not None else max(numbers, default=0)) or {}
        return {
            "active": active,
            "configurations": [
                {name: record.get(name, "") for name in DESCRIPTION} if record else {"number": number, "damaged": True}
                for number, record in records.items()
            ],
            "members": sorted(current.get("bundles", {})),
            "servers": self.store.servers(),
            "marks": self.marks(),
            "log": self.store.log.entries(),
            "plans": [plan | {"plan": {**plan["plan"], "shown": None}} for plan in self.store.plans.all()],
        }

    def _record(self, number: int) -> Json | None:
        try:
            return self.store.configuration(number)
        except (Failure, ValueError):
            return None

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
            self.store.configuration(number)
            marks = self.marks()
            marked = marks.pop(str(number), None) is not None
            if not check and marked:
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

        Return {removed, kept: {number: why}, blobs, bytes}. In check mode only tell.
        """
        with self.store.alone(), nobody_storing(self.store):
            numbers = self.store.numbers()
            reasons = self._reasons()
            newest = numbers[-keep:] if keep else []
            gone = [number for number in numbers if number not in reasons and number not in newest]
            needed = self._needed([number for number in numbers if number not in gone], gone)
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

    def _reasons(self, *, was_active: bool = False) -> dict[int, str]:
        """Return why configurations have to stay, by number."""
        found: dict[int, str] = {}
        if was_active:
            found |= {int(e["number"]): "was active" for e in self.store.log.entries() if e["what"] == "active"}
        found |= {int(number): "is marked" for number in self.marks()}
        active, numbers = self.store.active(), self.store.numbers()
        current = {active or 0, max(numbers, default=0)}.intersection(numbers)
        members = {server for number in current for server in self.store.configuration(number)["bundles"]}
        for server, place in sorted(self.store.servers().items()):
            for number in filter(None, place if isinstance(place, list) else [place] if server in members else []):
                found.setdefault(number, f"is what {server} is on" + (" or may be" if isinstance(place, list) else ""))
        return found | ({active: "is active"} if active is not None else {})

    def _needed(self, numbers: list[int], gone: list[int]) -> set[str]:
        """Name the blobs that configurations and their plans need; raise Failure where that cannot be told."""
        needed: set[str] = set()
        for number in numbers:
            needed |= named(self.store.configuration(number), needed, self.store.blob)
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


def _unlink(paths: list[str]) -> None:
    """Remove files durably."""
    for path in paths:
        remove(path)
    for folder in sorted({os.path.dirname(path) for path in paths}):
        sync_directory(folder)
