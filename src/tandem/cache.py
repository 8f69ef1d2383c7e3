"""Keep results that follow from content alone, so that they need not be computed again.

An entry is named by everything that it follows from, the program itself included. So nothing in the cache is ever out
of date; what was damaged, or has been deleted, is computed again. Nothing secret may be put in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pydantic
import yaml

LARGEST = 2**30
"""Bytes of all entries together: when there are more, those that were used longest ago go, down to three quarters."""
STALE = 3600
"""Seconds after which a file that was never written to its end belongs to nobody."""
NAME = 64
"""Characters of the name of an entry."""


class Cache:
    """Entries in a directory that only its owner may look into; where that cannot be had, nothing is kept."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._usable = _private(directory)

    def get(self, key: str) -> bytes | None:
        """Return what was put in under a key; None where there is nothing, or nothing intact."""
        if not self._usable:
            return None
        path = self._path(key)
        try:
            with open(path, "rb", buffering=0) as file:
                check, data = file.read(32), file.readall()
            if check != hashlib.sha256(data).digest():
                return None
            os.utime(path)
        except OSError:
            return None
        return data

    def put(self, key: str, data: bytes) -> None:
        """Keep something under a key, whoever else writes there at the same time; where it cannot be kept, do not."""
        if not self._usable:
            return
        path = self._path(key)
        writing = f"{path}.{os.getpid()}"
        try:
            with open(writing, "xb") as file:
                file.write(hashlib.sha256(data).digest())
                file.write(data)
            os.replace(writing, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(writing)

    def prune(self) -> None:
        """Remove what was used longest ago, if there is too much; others may remove it at the same time."""
        if not self._usable:
            return
        found = self._found()
        entries = [(status.st_mtime, status.st_size, name) for name, status in found.items() if len(name) == NAME]
        oldest = time.time() - STALE
        gone = [name for name, status in found.items() if len(name) > NAME and status.st_mtime < oldest]
        total = sum(size for _, size, _ in entries)
        wanted = LARGEST * 3 // 4 if total > LARGEST else total
        for _, size, name in sorted(entries):
            if total <= wanted:
                break
            total -= size
            gone.append(name)
        for name in gone:
            with contextlib.suppress(OSError):
                os.unlink(self._path(name))

    def _found(self) -> dict[str, os.stat_result]:
        found = {}
        with contextlib.suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    found[entry.name] = entry.stat()
        return found

    def _path(self, key: str) -> str:
        return f"{self._directory}/{key}"


def default() -> Cache:
    """Return the user's cache: $XDG_CACHE_HOME/tandem/compiled, usually ~/.cache/tandem/compiled."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Cache(Path(home, "tandem", "compiled"))


def key(*parts: str | bytes) -> str:
    """Return the name of what follows from some parts, in this order, and from this program."""
    name = hashlib.sha256(program())
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        name.update(b"%d:" % len(data))
        name.update(data)
    return name.hexdigest()


def content(folders: Iterable[Path]) -> bytes:
    """Return a digest of all files in some folders, by their bytes and their paths, from the folder above on."""
    found = hashlib.sha256()
    for folder in folders:
        for directory, folders_below, names in os.walk(folder):
            folders_below.sort()
            for name in sorted(names):
                path = os.path.join(directory, name)
                with contextlib.suppress(OSError), open(path, "rb") as file:  # whoever needs it says that it is missing
                    data = hashlib.sha256(file.read()).digest()
                    found.update(f"{os.path.relpath(path, folder.parent.parent)}\0".encode() + data)
        found.update(b"\0")
    return found.digest()


@cache
def program() -> bytes:
    """Return a digest of this program, and of what it reads sources with."""
    made_by = f"{sys.version} {pydantic.VERSION} {yaml.__version__}"
    return hashlib.sha256(made_by.encode() + content([Path(__file__).parent])).digest()


def _private(directory: Path) -> bool:
    """Make the directory where there is none; tell whether it is ours alone."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
