"""Keep the configurations of an installation, on its configuration server.

The directory holds content-addressed blobs, one JSON file per numbered configuration, the number of the active one, and
on which configuration every server is. Everything is written durably and in an order that leaves the store as before or
after: blobs first, then the configuration that names them, then the pointer.

Whoever changes the installation holds the lease (lease.py).
"""

import base64
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from .channel import Channel
from .disk import Json, canonical, gate, read_bytes, read_json, sync_directory, write_durably
from .failure import Failure
from .files import digest
from .fleet import Fleet
from .lease import Lease
from .state import DIRECTORY, State

STORE = DIRECTORY + "/store"


class Store:
    """The store's directory."""

    def __init__(self, directory: str = STORE) -> None:
        self.directory = directory

    def state(self) -> Json:
        """Return the active number, all numbers, and where every server is."""
        here = self.directory + "/configurations"
        names = os.listdir(here) if os.path.isdir(here) else []
        return {
            "active": self.active(),
            "numbers": sorted(int(name[:-5]) for name in names if name.endswith(".json")),
            "servers": read_json(self.directory + "/servers.json") or {},
            "expected": Fleet(self.directory).expected(),
        }

    def active(self) -> int | None:
        """Return the number of the active configuration, or None before the first apply."""
        text = read_bytes(self.directory + "/active")
        return int(text) if text else None

    def configuration(self, number: int) -> Json:
        """Return what is kept of a configuration; raise Failure where there is none of that number."""
        found = read_json(f"{self.directory}/configurations/{number}.json")
        if found is None:
            raise Failure("store", f"there is no configuration {number}; there are {self.state()['numbers']}")
        return found

    def blob(self, name: str) -> bytes:
        """Return a blob; raise Failure naming it when it is missing or damaged."""
        data = read_bytes(self._path(name))
        if data is None:
            raise Failure("store", f"blob {name} is missing; restore {self._path(name)} from a backup")
        if digest(data) != name:
            os.rename(
                self._path(name), self._path(name) + ".corrupted"
            )  # so that it is stored anew when it comes again
            raise Failure("store", f"blob {name} is corrupted; restore {self._path(name)} from a backup")
        return data

    def lacking(self, names: list[str]) -> list[str]:
        """Return those of the blobs that are not here."""
        return [name for name in names if not os.path.exists(self._path(name))]

    def put(self, blobs: dict[str, str]) -> None:
        """Write blobs durably."""
        touched = set()
        with self._alone():
            for name, text in blobs.items():
                data = base64.b64decode(text)
                if digest(data) != name:
                    raise Failure("store", f"blob {name} arrived damaged; try again")
                directory = os.path.dirname(self._path(name))
                if not os.path.isdir(directory):
                    os.mkdir(directory, 0o700)
                    touched.add(os.path.dirname(directory))
                write_durably(self._path(name), data)
            for directory in touched:
                sync_directory(directory)

    def add(self, configuration: Json) -> int:
        """Keep a configuration under the next number; one equal to the active or the newest keeps that one's number."""
        with self._alone():
            numbers = self.state()["numbers"]
            active = self.active()
            for known in [*([active] if active is not None else []), *numbers[-1:]]:
                kept = self.configuration(known)
                if kept["installation"] != configuration["installation"]:
                    raise Failure(
                        "store", f"holds configurations of {kept['installation']}, not of another installation"
                    )
                if kept["digest"] == configuration["digest"]:
                    return int(known)
            number = int(numbers[-1]) + 1 if numbers else 1
            path = f"{self.directory}/configurations/{number}.json"
            write_durably(path, canonical({**configuration, "number": number}))
            return number

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one writer in; the first one makes the directories."""
        State().prepare()
        for path in (self.directory, self.directory + "/blobs", self.directory + "/configurations"):
            if not os.path.isdir(path):
                os.mkdir(path, 0o700)
        with gate(self.directory + "/store.gate"):
            yield

    def activate(self, number: int, entry: Json) -> None:
        """Make a configuration the active one, and note who did it."""
        self.configuration(number)
        write_durably(self.directory + "/active", str(number).encode())
        self.note({**entry, "what": "active", "number": number})

    def note(self, entry: Json) -> None:
        """Add a line to the log."""
        with open(self.directory + "/log.jsonl", "ab") as file:
            file.write(canonical(entry))
            file.flush()
            os.fsync(file.fileno())

    def place(self, servers: dict[str, int]) -> None:
        """Record on which configuration servers are; nothing else is expected of them then."""
        path = self.directory + "/servers.json"
        with self._alone():
            Fleet(self.directory).placed(list(servers))
            write_durably(path, canonical({**(read_json(path) or {}), **servers}))

    def _path(self, name: str) -> str:
        return f"{self.directory}/blobs/{name[:2]}/{name}"


def serve(channel: Channel) -> Json:
    """Answer the requests of one session until the controller ends it."""
    store = Store()
    lease = Lease(store.directory)
    channel.send("ready")
    while message := channel.receive():
        try:
            channel.send("answer", value=_answer(store, lease, message))
        except Failure as failure:
            channel.send("answer", failed=f"{failure.what}: {failure.message}")
        except OSError as error:
            channel.send("answer", failed=f"{error.filename or 'store'}: {error.strerror}")
        except ValueError as error:
            channel.send("answer", failed=str(error))
    return {}


def _answer(store: Store, lease: Lease, message: Json) -> Any:
    do = message.pop("do")
    fleet = Fleet(store.directory)
    reading: dict[str, Callable[..., Any]] = {
        "state": store.state,
        "configuration": store.configuration,
        "blobs": lambda names: {name: base64.b64encode(store.blob(name)).decode() for name in names},
        "lacking": store.lacking,
        "put": store.put,
        "add": store.add,
        "acquire": lease.acquire,
        "renew": lease.renew,
        "release": lease.release,
        "heard": fleet.heard,
    }
    changing: dict[str, Callable[..., Any]] = {
        "activate": store.activate,
        "note": store.note,
        "place": store.place,
        "expect": lambda **fields: fleet.expect(run=run, **fields),
    }
    if do in reading:
        return reading[do](**message)
    run = message.pop("run")
    lease.renew(run)  # what changes the installation needs the lease
    return changing[do](**message)
