"""Fill a store with small configurations, as a controller would."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tandem_server.disk import canonical
from tandem_server.files import digest
from tandem_server.fsck import problems
from tandem_server.history import History
from tandem_server.store import Store

Json = dict[str, Any]
ENTRY = {"author": "kim@desk", "at": "2026-11-20T21:14:33Z", "comment": ""}


class Shelf:
    """A store in a directory, opened anew for everything that is done with it, as every session does."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "tandem" / "store"

    @property
    def store(self) -> Store:
        return Store(str(self.directory))

    @property
    def history(self) -> History:
        return History(self.store)

    def add(self, text: str, servers: str = "Alpha Beta") -> int:
        """Store a configuration whose only file holds a text, on each server."""
        store = self.store
        blobs = [f"file {text}".encode(), f"source {text}".encode(), b"{}"]
        files = [{"path": "/etc/a", "digest": digest(blobs[0])}, {"path": "/etc/link", "target": "a"}]
        bundles = {name: canonical({"server": name, "files": files}) for name in servers.split()}
        self.put(store, [*blobs, *bundles.values()])
        content: Json = {
            "installation": "sample",
            "source": {"installation.yml": digest(blobs[1])},
            "tree": digest(blobs[2]),
            "bundles": {name: digest(bundle) for name, bundle in bundles.items()},
        }
        described = {"created": ENTRY["at"], "author": ENTRY["author"], "comment": text, "commit": ""}
        return store.add({**content, "digest": digest(canonical(content)), **described})

    @staticmethod
    def put(store: Store, blobs: list[bytes]) -> None:
        named = {digest(data): data for data in blobs}
        store.put({name: base64.b64encode(named[name]).decode() for name in store.lacking(sorted(named))})

    def plan(self, number: int, active: int | None) -> str:
        """Store a plan and return its name."""
        store = self.store
        shown = f"plan of {number} against {active}".encode()
        self.put(store, [shown])
        return store.keep_plan({"number": number, "active": active, "shown": digest(shown)})

    def activate(self, number: int, plan: str | None = None) -> None:
        self.store.activate(number, ENTRY, plan)
        self.store.place({"Alpha": number, "Beta": number})

    def problems(self) -> list[str]:
        """Return what is wrong, with paths from the store's directory on."""
        return [line.removeprefix(f"{self.directory}/") for line in problems(self.store)]

    def file(self, text: str) -> Path:
        """Return the blob of a text."""
        name = digest(text.encode())
        return self.directory / "blobs" / name[:2] / name
