"""Write files so that a power cut leaves the old or the new content, never something between."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from itertools import groupby

TYPE_CHECKING = False  # typing itself takes a tenth of the time to load this program
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]
else:
    Json = dict
WRITING = ".tandem-writing"  # ends the name of what is not whole yet
AT_ONCE = 256  # files that are open before they are made durable


def write_durably(path: str, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data` atomically and durably; the mode is set before the file is visible."""
    write_all_durably({path: data}, mode)


def write_all_durably(contents: Mapping[str, bytes], mode: int = 0o600) -> None:
    """Do that for many files, each by itself atomically; a directory is durable before the next one changes."""
    path = ""
    try:
        with Together() as files:
            for path, data in contents.items():
                files.write(path + WRITING, data, mode)
            files.sync()
        for directory, paths in groupby(sorted(contents), os.path.dirname):
            for path in paths:
                os.rename(path + WRITING, path)
            sync_directory(directory)
    except OSError as error:
        for each in contents:
            remove(each + WRITING)  # a half-written file must not keep a full disk full
        error.filename = (error.filename or path).removesuffix(WRITING)
        raise


class Together(contextlib.ExitStack):
    """Write files that nobody looks at yet. `sync` makes them durable, many of them in little more time than one."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[tuple[int, str]] = []

    def write(self, path: str, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
        """Write a file with mode and owner."""
        if len(self._written) == AT_ONCE:
            self.sync()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        self.callback(os.close, descriptor)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        status = os.fstat(descriptor)  # a directory with the set-group-id bit gives its group
        if owner and owner != (status.st_uid, status.st_gid):
            os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode)  # after chown, which clears set-id bits
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # the disk may begin
        self._written.append((descriptor, path))

    def sync(self) -> None:
        """Fsync everything that was written; an error names the file."""
        for descriptor, path in self._written:
            try:
                os.fsync(descriptor)
            except OSError as error:
                error.filename = path
                raise
        self._written.clear()
        self.close()


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bytes(path: str) -> bytes | None:
    """Return the content of a file, or None where there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


class Damaged(ValueError):
    """A file of Tandem does not hold what was written: the message names it and says what to do."""


def read_json(path: str, otherwise: str = "restore it from another copy of the store") -> Json | None:
    """Return the object stored in a JSON file, or None where there is no such file.

    Every JSON file of Tandem is written by `write_durably`, so one that cannot be read has been damaged from outside:
    Damaged then names it, and says what to do `otherwise`.
    """
    data = read_bytes(path)
    if data is None:
        return None
    try:
        content: Json = json.loads(data)
    except ValueError as error:
        raise Damaged(f"{path} is damaged ({error}); {otherwise}") from None
    return content


def canonical(content: object) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, ASCII, a newline at the end."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@contextlib.contextmanager
def gate(path: str, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Let one process at a time in, or any number of those that share; the next waits, or gets a BlockingIOError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def remove(path: str) -> bool:
    """Remove a name; return whether it was there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True
