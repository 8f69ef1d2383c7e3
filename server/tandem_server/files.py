"""Compare, stage, place and put back the files and links of a bundle.

Every new file is written beside its target under a name of its own, and what it replaces is kept by a hard link beside
it, so that placing and putting back are renames only: they need no space and are atomic one by one.
"""

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterable, Mapping

from .disk import Json, Together, remove, sync_directory
from .failure import Failure

try:
    from _sha256 import sha256  # type: ignore[import-not-found]  # the hash alone loads in a tenth of the time of hashlib
except ImportError:
    from hashlib import sha256

# Placed first and put back last: on a new server, too, a power cut in between finds who undoes the rest at boot.
RECOVERY = (
    "/etc/systemd/system/sysinit.target.d/tandem.conf",
    "/etc/systemd/system/tandem-recover.service",
    "/usr/lib/tandem/server.pyz",
)


def digest(data: bytes) -> str:
    """Return the SHA-256 of data in hexadecimal."""
    return str(sha256(data).hexdigest())


class Files:
    """The files of one root file system ("" is the running one)."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self._ids: dict[tuple[str, str], int] = {}

    def differing(self, wanted: Iterable[Json], previous: Iterable[Json]) -> list[Json]:
        """Return an operation for every path that is not as wanted, and for every previous path that is wanted no more.

        An operation is {path, action: add|change|remove, entry: the wanted file or None, content: whether its bytes
        are there already}.
        """
        operations = []
        paths = set()
        for entry in wanted:
            paths.add(entry["path"])
            if operation := self._compare(entry):
                operations.append(operation)
        for entry in previous:
            path = entry["path"]
            if path not in paths and os.path.lexists(self.root + path):
                operations.append({"path": path, "action": "remove", "entry": None, "content": True})
        operations.sort(key=lambda operation: (operation["path"] not in RECOVERY, str(operation["path"])))
        return operations

    def _compare(self, entry: Json) -> Json | None:
        path = self.root + entry["path"]
        operation = {"path": entry["path"], "action": "change", "entry": entry, "content": True}
        if entry["kind"] == "link":
            try:
                return None if os.readlink(path) == entry["target"] else operation
            except OSError as error:
                return self._absent(error, operation)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            operation["content"] = False
            return self._absent(error, operation)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise Failure(entry["path"], "a directory stands where a file should be; move it away")
            data = file.read() if stat.S_ISREG(status.st_mode) else None
        operation["content"] = data is not None and digest(data) == entry["digest"]
        owned = (status.st_uid, status.st_gid) == self._owner(entry)
        if operation["content"] and owned and status.st_mode & 0o7777 == int(entry["mode"], 8):
            return None
        return operation

    @staticmethod
    def _absent(error: OSError, operation: Json) -> Json:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            operation["action"] = "add"
        elif error.errno == errno.EINVAL:  # readlink of something that is no link
            pass
        elif error.errno != errno.ELOOP:  # a link where a file should be
            raise Failure(operation["path"], f"cannot be read: {error.strerror}")
        return operation

    def _owner(self, entry: Json) -> tuple[int, int]:
        return self._id("user", entry["owner"]), self._id("group", entry["group"])

    def _id(self, kind: str, name: str) -> int:
        if (kind, name) not in self._ids:
            try:
                number = pwd.getpwnam(name).pw_uid if kind == "user" else grp.getgrnam(name).gr_gid
            except KeyError:
                message = "does not exist on this server; install the packages with playbooks/bootstrap.yml"
                raise Failure(f"{kind} {name}", message) from None
            self._ids[kind, name] = number
        return self._ids[kind, name]

    def name(self, operations: list[Json]) -> list[str]:
        """Give every operation its two private names; return the directories that have to be made, outermost first."""
        made: list[str] = []
        for number, operation in enumerate(operations):
            directory = os.path.dirname(operation["path"])
            operation["new"] = f"{directory}/.tandem-{number}.new"
            operation["old"] = f"{directory}/.tandem-{number}.old"
            missing = []
            while operation["entry"] and directory not in made and not os.path.isdir(self.root + directory):
                missing.append(directory)
                directory = os.path.dirname(directory)
            made.extend(reversed(missing))
        return made

    def stage(self, operations: list[Json], made: list[str], contents: Mapping[str, bytes]) -> None:
        """Write every new file beside its target. Raise Failure naming the file where that is not possible."""
        touched = {os.path.dirname(directory) for directory in made}
        for directory in made:
            try:
                os.mkdir(self.root + directory, 0o755)
                os.chmod(self.root + directory, 0o755)  # noqa: S103  whatever the umask
                os.chown(self.root + directory, os.geteuid(), os.getegid())
            except FileExistsError:
                continue
            except OSError as error:
                raise Failure(directory, f"cannot be made: {error.strerror}") from None
        path = ""
        wanted = {self.root + operation["new"]: operation["path"] for operation in operations}
        try:
            with Together() as files:
                for operation in operations:
                    if entry := operation["entry"]:
                        path = entry["path"]
                        touched.add(os.path.dirname(path))
                        self._stage_one(operation, entry, contents, files)
                files.sync()  # an error of which names the file
        except OSError as error:
            raise Failure(wanted.get(error.filename, path), f"cannot be written: {error.strerror}") from None
        self._sync(touched)

    def _stage_one(self, operation: Json, entry: Json, contents: Mapping[str, bytes], files: Together) -> None:
        new = self.root + operation["new"]
        if entry["kind"] == "link":
            remove(new)
            os.symlink(entry["target"], new)
            return
        if operation["content"]:  # the bytes are right, only mode or owner differ
            with open(self.root + entry["path"], "rb") as file:
                data = file.read()
        else:
            data = contents[entry["digest"]]
        if digest(data) != entry["digest"]:
            raise Failure(entry["path"], "arrived damaged: its digest is not the one of the configuration; apply again")
        files.write(new, data, int(entry["mode"], 8), self._owner(entry))

    def place(self, operations: list[Json]) -> None:
        """Put every staged file in its place and remove what is wanted no more, keeping what they replace."""
        touched = set()
        for operation in operations:
            path, old = self.root + operation["path"], self.root + operation["old"]
            touched.add(os.path.dirname(operation["path"]))
            if operation["action"] != "add":
                remove(old)
                os.link(path, old, follow_symlinks=False)
            if operation["entry"]:
                os.rename(self.root + operation["new"], path)
            else:
                os.unlink(path)
        self._sync(touched)

    def put_back(self, operations: list[Json]) -> None:
        """Undo `place`, wholly or half done, once or again."""
        touched = set()
        for operation in reversed(operations):
            path, old = self.root + operation["path"], self.root + operation["old"]
            touched.add(os.path.dirname(operation["path"]))
            if operation["action"] == "add":
                remove(path)
                continue
            with contextlib.suppress(FileNotFoundError):  # not placed yet, or put back already
                os.rename(old, path)
            remove(old)  # renaming a hard link over its own file does nothing
        self._sync(touched)

    def clean(self, operations: list[Json], directories: Iterable[str]) -> list[str]:
        """Remove every private name, then those of `directories` that are empty; return those that are not."""
        for operation in operations:
            remove(self.root + operation["new"])
            remove(self.root + operation["old"])
        self._sync({os.path.dirname(operation["path"]) for operation in operations})
        kept = []
        for directory in sorted(set(directories), reverse=True):
            try:
                os.rmdir(self.root + directory)
            except FileNotFoundError:
                continue
            except OSError:
                kept.append(directory)
        return sorted(kept)

    def _sync(self, directories: Iterable[str]) -> None:
        for directory in sorted(directories):
            if os.path.isdir(self.root + directory):
                sync_directory(self.root + directory)

    def readable_by_all(self, path: str) -> bool:
        """Return whether everybody on this server may read what stands at a path, or nothing stands there."""
        try:
            return bool(os.stat(self.root + path).st_mode & stat.S_IROTH)
        except FileNotFoundError:
            return True

    def before(self, path: str, limit: int) -> str | None:
        """Return the text at a path for a difference; None where it is no text, too long, or not there."""
        try:
            with open(self.root + path, "rb") as file:
                data = file.read(limit + 1)
            return data.decode() if len(data) <= limit else None
        except (OSError, UnicodeDecodeError):
            return None
