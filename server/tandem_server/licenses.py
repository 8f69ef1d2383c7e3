"""Keep, beside the store, who needs which license in each configuration, and the allocations that were made for it.

Under allocations/ NUMBER.json says the name of each server's license, and NAME/NUMBER.xml is what those servers use of
it. The licenses themselves are among this server's own documents, by their names.
"""

import base64
import os
import shutil
from collections.abc import Iterable

from .disk import Damaged, Json, canonical, read_bytes, read_json, remove, write_durably
from .documents import Documents
from .files import digest
from .state import DIRECTORY
from .store import Store


class Licenses:
    """The licenses of an installation, on its configuration server."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._root = store.directory.removesuffix(DIRECTORY + "/store")
        self._directory = store.directory + "/allocations"

    def documents(self, name: str) -> Documents:
        """Return where a license is."""
        return Documents(self._root, name)

    def allocation(self, name: str, number: int) -> str:
        """Return the file with what is used of a license in a configuration."""
        return f"{self._directory}/{name}/{number}.xml"

    def newest(self, name: str) -> str:
        """Return the file that says for which configuration an allocation was made last."""
        return f"{self._directory}/{name}/newest"

    def numbers(self, name: str) -> list[int]:
        """Return the configurations that have an allocation by a license."""
        return _numbers(f"{self._directory}/{name}", ".xml")

    def names(self) -> list[str]:
        """Name the licenses of which an allocation is kept here."""
        names = os.listdir(self._directory) if os.path.isdir(self._directory) else []
        return sorted(name for name in names if os.path.isdir(f"{self._directory}/{name}"))

    def needed(self) -> set[str]:
        """Name the licenses of the active configuration, and of those that servers are on."""
        places = self.store.servers().values()
        on = {number for place in places for number in (place if isinstance(place, list) else [place])}
        return {name for number in {*on, self.store.active()} if number for name in self.of(number).values()}

    def of(self, number: int) -> dict[str, str]:
        """Map the servers of a configuration to the names of their licenses; the next apply mends what is damaged."""
        try:
            return read_json(f"{self._directory}/{number}.json") or {}
        except Damaged:
            return {}

    def note(self, number: int, names: Json) -> None:
        """Keep which license each server of a configuration needs."""
        os.makedirs(self._directory, 0o700, exist_ok=True)
        if self.of(number) != names:
            write_durably(f"{self._directory}/{number}.json", canonical(names))

    def told(self, name: str, number: int | None, known: Iterable[str] = ()) -> Json:
        """Return a license, and its allocation in a configuration, as they travel: in base64, and the name.

        Those that are not here, or `known` by their digests, are left out.
        """
        found = {"license": self.documents(name).license, "allocation": self.allocation(name, number or 0)}
        contents = {what: read_bytes(path) for what, path in found.items()}
        return {
            "name": name,
            **{
                what: base64.b64encode(data).decode()
                for what, data in contents.items()
                if data and digest(data) not in known
            },
        }

    def told_to(self, number: int, servers: Iterable[str]) -> Json:
        """Return what goes to servers with a configuration: {of: license by server, documents: by license}."""
        names = self.of(number)
        of = {server: names[server] for server in servers if server in names}
        return {"of": of, "documents": {name: self.told(name, number) for name in {*of.values()}}}

    def prune(self) -> None:
        """Forget what only configurations needed that are gone: allocations, and the licenses of sites."""
        kept = {*self.store.numbers()}
        for number in {*_numbers(self._directory, ".json")} - kept:
            remove(f"{self._directory}/{number}.json")
        wanted = {name for number in kept for name in self.of(number).values()}
        for name in self.names():
            for number in {*self.numbers(name)} - kept:
                remove(self.allocation(name, number))
            if name not in wanted and not self.numbers(name):
                shutil.rmtree(f"{self._directory}/{name}")
                shutil.rmtree(self.documents(name).directory, ignore_errors=True)


def _numbers(directory: str, ending: str) -> list[int]:
    found = [os.path.splitext(name) for name in os.listdir(directory)] if os.path.isdir(directory) else []
    return sorted(int(name) for name, end in found if end == ending and name.isdigit())
