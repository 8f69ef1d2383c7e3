"""Keep the log of a store: a line of JSON for each thing that was done, which a power cut may tear only at its end."""

import json
import os

from .disk import Json, canonical, read_bytes, sync_directory


class Log:
    """One log file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def entries(self) -> list[Json]:
        """Return all whole entries, the oldest first; what is damaged is left to `damaged`."""
        found = [_entry(line) for line in self._lines()]
        return [entry for entry in found if entry is not None]

    def damaged(self) -> list[int]:
        """Return the numbers, from 1, of the lines that are no entries; a torn last line is none of them."""
        return [number for number, line in enumerate(self._lines(), 1) if _entry(line) is None]

    def append(self, entry: Json) -> None:
        """Add an entry durably, in place of one that a power cut has torn; the caller is the only writer."""
        new = not os.path.exists(self._path)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            end = sum(len(line) + 1 for line in self._lines())
            os.ftruncate(descriptor, end)
            os.lseek(descriptor, end, os.SEEK_SET)
            data = memoryview(canonical(entry))
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            sync_directory(os.path.dirname(self._path))

    def _lines(self) -> list[bytes]:
        """Return the lines that have their end."""
        return (read_bytes(self._path) or b"").split(b"\n")[:-1]


def _entry(line: bytes) -> Json | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "what" in found else None
