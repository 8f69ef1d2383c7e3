"""Keep the configurations of an installation, on its configuration server.

The directory holds content-addressed blobs, one JSON file per numbered configuration, the number of the active one, on
which configuration every server is, the plans that were made (plans.py), and the log (log.py). Everything is written
durably and in an order that leaves the store as before or after: blobs first, then the configuration that names them,
then the pointer. A server that a run is changing is on one of several configurations, and recorded as a list of them.

Whoever changes the installation holds the lease (lease.py).
"""

import base64
import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator

from .disk import Json, canonical, gate, read_bytes, read_json, sync_directory, write_all_durably, write_durably
from .failure import Failure
from .files import digest
from .fleet import Fleet
from .log import Log
from .plans import Plans
from .state import DIRECTORY

STORE = DIRECTORY + "/store"


class Store:
    """The store's directory."""

    def __init__(self, directory: str = STORE) -> None:
        self.directory = directory
        self.log = Log(directory + "/log.jsonl")
        self.plans = Plans(directory)
        self._storing = contextlib.ExitStack()

    def state(self) -> Json:
        """Return the active number, all numbers, and where every server is."""
        expected = Fleet(self.directory).expected()
        return {"active": self.active(), "numbers": self.numbers(), "servers": self.servers(), "expected": expected}

    def numbers(self) -> list[int]:
        """Return the numbers of all configurations, ascending."""
        here = self.directory + "/configurations"
        names = os.listdir(here) if os.path.isdir(here) else []
        return sorted(int(name[:-5]) for name in names if name.endswith(".json"))

    def servers(self) -> Json:
        """Return the number that every server is on; of one on its way a list of those it may be on."""
        return read_json(self.directory + "/servers.json") or {}

    def active(self) -> int | None:
        """Return the number of the active configuration, or None before the first apply."""
        text = read_bytes(self.directory + "/active")
        if text and not text.strip().isdigit():
            raise Failure("store", f"{self.directory}/active is damaged: it does not hold a number; see tandem fsck")
        return int(text) if text else None

    def configuration(self, number: int) -> Json:
        """Return what is kept of a configuration; raise Failure where there is none of that number."""
        found = read_json(self.path(number))
        if found is None:
            raise Failure("store", f"there is no configuration {number}; there are {self.numbers()}")
        return found

    def path(self, number: int) -> str:
        """Return the file of a configuration."""
        return f"{self.directory}/configurations/{number}.json"

    def blob(self, name: str) -> bytes:
        """Return a blob; raise Failure naming it when it is missing or damaged."""
        data = read_bytes(self.blob_path(name))
        if data is None:
            raise Failure("store", f"blob {name} is missing; restore {self.blob_path(name)} from a backup")
        if digest(data) != name:
            os.rename(
                self.blob_path(name), self.blob_path(name) + ".corrupted"
            )  # so that it is stored anew when it comes again
            raise Failure("store", f"blob {name} is corrupted; restore {self.blob_path(name)} from a backup")
        return data

    def content(
        self,
        number: int | None = None,
        known: Iterable[str] = (),
        servers: Iterable[str] | None = None,
        *,
        tree: bool = True,
        files: bool = False,
    ) -> Json | None:
        """Return a configuration, without a number the active one, with what it is made of: {record, blobs}.

        Blobs are its bundles, of some servers or all, if wanted the tree, and if wanted the files by which these
        bundles differ from the active ones; all but those that are known. None where there is no active one.
        """
        number = self.active() if number is None else number
        if number is None:
            return None
        record = self.configuration(number)
        bundles = record["bundles"]
        if servers is not None:
            bundles = {server: bundles[server] for server in servers if server in bundles}
        names = {*bundles.values(), *([record["tree"]] if tree else [])}
        if files:
            names |= self._files_beyond_active(bundles)
        return {"record": record, "blobs": self.encoded(names.difference(known))}

    def _files_beyond_active(self, bundles: Json) -> set[str]:
        """Return the digests of files that bundles have and those that are active on the same servers have not."""
        number = self.active()
        active = self.configuration(number)["bundles"] if number is not None else {}
        found: set[str] = set()
        for server, name in bundles.items():
            if name != active.get(server):
                had = self._file_digests(active[server]) if server in active else set()
                found |= self._file_digests(name) - had
        return found

    def _file_digests(self, bundle: str) -> set[str]:
        return {file["digest"] for file in json.loads(self.blob(bundle))["files"] if file.get("digest")}

    def encoded(self, names: Iterable[str]) -> dict[str, str]:
        """Return blobs as they travel: base64 by name."""
        return {name: base64.b64encode(self.blob(name)).decode() for name in sorted(names)}

    def lacking(self, names: list[str]) -> list[str]:
        """Return those of the blobs that are not here; until this session has ended, none is removed."""
        self._store_undisturbed()
        return [name for name in names if not os.path.exists(self.blob_path(name))]

    def _store_undisturbed(self) -> None:
        """Let nobody remove blobs until this session has ended."""
        self._prepare()
        self._storing.enter_context(gate(self.directory + "/blobs.gate", shared=True))

    def put(self, blobs: dict[str, str]) -> None:
        """Write blobs durably; until this session has ended, none is removed."""
        self._store_undisturbed()
        contents = {}
        for name, text in blobs.items():
            data = base64.b64decode(text)
            if digest(data) != name:
                raise Failure("store", f"blob {name} arrived damaged; try again")
            contents[self.blob_path(name)] = data
        with self.alone():
            directories = {os.path.dirname(path) for path in contents}
            new = {directory for directory in directories if not os.path.isdir(directory)}
            for directory in new:
                os.mkdir(directory, 0o700)
            write_all_durably(contents)
            if new:
                sync_directory(self.directory + "/blobs")

    def add(self, configuration: Json) -> int:
        """Keep a configuration under the next number; one equal to the active or the newest keeps that one's number."""
        with self.alone():
            numbers = self.numbers()
            active = self.active()
            for known in [*([active] if active is not None else []), *numbers[-1:]]:
                kept = self.configuration(known)
                if kept["installation"] != configuration["installation"]:
                    raise Failure(
                        "store", f"holds configurations of {kept['installation']}, not of another installation"
                    )
                if kept["digest"] == configuration["digest"]:
                    return int(known)
            number = max([self.highest(), *numbers]) + 1
            write_durably(self.path(number), canonical({**configuration, "number": number}))
            return number

    def highest(self) -> int:
        """Return the highest number of a configuration that was removed: no number is given twice."""
        return int(read_bytes(self.directory + "/highest") or b"0")

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let one writer in; the first one makes the directories."""
        self._prepare()
        with gate(self.directory + "/store.gate"):
            yield

    def _prepare(self) -> None:
        here = self.directory
        for path in (os.path.dirname(here), here, here + "/blobs", here + "/configurations"):
            if not os.path.isdir(path):
                os.makedirs(path, 0o700)
                sync_directory(os.path.dirname(path))

    def activate(self, number: int, entry: Json, plan: str | None = None) -> None:
        """Make a configuration the active one, by a plan that is used up with that; note who did it before.

        An entry whose pointer was never written is told by the next one, which says what was active until then.
        """
        self.configuration(number)
        with self.alone():
            by_plan = {"plan": plan} if plan else {}
            self.log.append({**entry, **by_plan, "what": "active", "number": number, "from": self.active()})
            if plan:
                self.plans.use(plan)
            write_durably(self.directory + "/active", str(number).encode())

    def keep_plan(self, plan: Json) -> str:
        """Keep a plan, whose blob is here already, and return its name."""
        with self.alone():
            return self.plans.add(plan)

    def plan(self, name: str) -> Json:
        """Return {name, used, plan} of a plan by the beginning of its name, and of one that was used who applied it."""
        found = self.plans.get(name)
        entries = [entry for entry in self.log.entries() if entry.get("plan") == found["name"]]
        return {**found, "entry": entries[-1] if entries else None}

    def place(self, servers: Json, back: Iterable[str] = ()) -> None:
        """Record on which configuration servers are, or, before one is changed, may be.

        Of a server that surely is on one nothing else is expected any more, unless it is only `back` where it was.
        """
        with self.alone():
            self._place(servers, back)

    def _place(self, servers: Json, back: Iterable[str] = ()) -> None:
        brought = [server for server, place in servers.items() if isinstance(place, int) and server not in back]
        Fleet(self.directory).placed(brought)
        write_durably(self.directory + "/servers.json", canonical({**self.servers(), **servers}))

    def arrive(self, server: str, number: int, holds_lease: Callable[[], bool]) -> bool:
        """Record that a server says it is on a configuration; return whether that could be done.

        A run that wrote where else it may be is perhaps at work yet: only who holds the lease may contradict it.
        """
        with self.alone():
            place = self.servers().get(server)
            if isinstance(place, list) and set(place) != {number} and not holds_lease():
                return False
            self._place({server: number})
            return True

    def end(self, run: int, number: int, without: list[str], entry: Json, plan: str | None) -> Json:
        """End a run: make its configuration the active one when every server is on it, but for those left out.

        Return {changed, pending: the servers that are not on it yet}, and where there are none {expected: those that
        were left out}: it is recorded that they should come to it, first, because a run that dies in between has
        brought every other one there.
        """
        on = self.servers()
        elsewhere = sorted(server for server in self.configuration(number)["bundles"] if on.get(server) != number)
        if pending := [server for server in elsewhere if server not in without]:
            return {"changed": False, "pending": pending}
        Fleet(self.directory).expect(elsewhere, number, run)
        changed = self.active() != number
        if changed:
            self.activate(number, entry, plan)
        return {"changed": changed, "pending": [], "expected": elsewhere}

    def blob_path(self, name: str) -> str:
        """Return the file of a blob."""
        return f"{self.directory}/blobs/{name[:2]}/{name}"
