"""Read stored configurations: numbered, immutable, of blobs that are named by their content.

The store itself is on the configuration server; an exported store is a copy of its directory. Layout:
`blobs/<aa>/<sha256>`, `configurations/<number>.json`, and `active`, the number of the active configuration.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tandem.configuration.canonical import Json, canonical, digest
from tandem.configuration.content import DESCRIPTION, FORMAT, Content, digest_of
from tandem.errors import Failed


@dataclass(frozen=True)
class StoredConfiguration(Content):
    """A configuration of a store; `read` returns what its record names, verified, when it is asked for."""

    read: Callable[[str], bytes]

    def __post_init__(self) -> None:
        """Raise Failed for a configuration that was stored in another form."""
        if self.record["format"] != FORMAT:
            raise Failed(
                f"configuration {self.record['number']} is stored in form {self.record['format']}, and this Tandem "
                f"knows form {FORMAT}; use the Tandem that stored it, or begin with a new store"
            )

    @property
    def number(self) -> int:
        """Return its number in the store."""
        return int(self.record["number"])

    def blob(self, name: str) -> bytes:
        """Return verified bytes; raise Failed, naming the blob, when they are missing or damaged."""
        return self.read(name)


class DirectoryStore:
    """A store in a directory of this machine: an export, or the work of `tandem compile -o`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def active(self) -> int | None:
        """Return the number of the active configuration; None before the first."""
        try:
            return int((self.directory / "active").read_text())
        except FileNotFoundError:
            return None
        except ValueError:
            raise Failed(f"{self.directory / 'active'}: is damaged: it does not hold a number") from None

    def numbers(self) -> list[int]:
        """Return the numbers of all stored configurations, ascending."""
        return sorted(int(path.stem) for path in (self.directory / "configurations").glob("*.json"))

    def configuration(self, number: int) -> StoredConfiguration:
        """Return a stored configuration; raise Failed when there is none of that number, or its record is damaged."""
        path = self.directory / "configurations" / f"{number}.json"
        try:
            record = json.loads(path.read_bytes())
            intact = record["number"] == number and record["digest"] == digest_of(record)
        except FileNotFoundError:
            known = ", ".join(str(known) for known in self.numbers()) or "none at all"
            raise Failed(f"{self.directory}: holds no configuration {number}; it holds {known}") from None
        except (ValueError, KeyError, TypeError):
            intact, record = False, {}
        if not intact:
            raise Failed(f"{path}: is damaged: its digest does not fit; restore it from another copy of the store")
        return StoredConfiguration(record, self.blob)

    def blob(self, name: str) -> bytes:
        """Return verified bytes; raise Failed, naming the blob, when they are missing or damaged."""
        path = self._path(name)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise Failed(f"{path}: is missing; restore it from another copy of the store") from None
        return verified(name, data, str(path))

    def add(self, record: Json, blobs: Mapping[str, bytes], description: Json) -> int:
        """Write a configuration under the next number and return it; the first one becomes the active one."""
        number = max(self.numbers(), default=0) + 1
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in sorted(blobs.items()):
            _write(self._path(name), data)
        described = {name: description.get(name, "") for name in DESCRIPTION} | {"number": number}
        _write(self.directory / "configurations" / f"{number}.json", canonical({**record, **described}))
        if self.active() is None:
            _write(self.directory / "active", f"{number}\n".encode())
        return number

    def _path(self, name: str) -> Path:
        return self.directory / "blobs" / name[:2] / name


def verified(name: str, data: bytes, where: str) -> bytes:
    """Return a blob's bytes when they are what its name says; raise Failed otherwise."""
    if digest(data) != name:
        raise Failed(
            f"{where}: is damaged: its content does not fit its name; restore it from another copy of the store"
        )
    return data


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".writing")
    temporary.write_bytes(data)
    temporary.chmod(0o600)
    temporary.replace(path)
