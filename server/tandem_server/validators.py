"""Let the daemons' own validators judge staged files, in private namespaces, before anything is changed.

There the staged files stand over the real paths: an overlay whose upper layer is in memory covers each top directory
concerned. What the validator sees is exactly what would be placed; nobody else sees any of it.
"""

import contextlib
import ctypes
import os
import shutil
import sys
from collections.abc import Iterable

from .command import run
from .disk import Json
from .failure import Failure
from .state import RUNTIME

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
TIMEOUT = 60.0
OUTPUT = 20_000  # characters of what a validator says; its last ones say why


def concerned(validators: Iterable[Json], operations: list[Json]) -> list[Json]:
    """Return the validators whose files any operation touches."""
    paths = [operation["path"] for operation in operations]
    return [
        validator
        for validator in validators
        if any(
            path == prefix or (prefix.endswith("/") and path.startswith(prefix))
            for path in paths
            for prefix in validator["files"]
        )
    ]


def validate(validators: list[Json], operations: list[Json]) -> None:
    """Run validators on the staged set; raise Failure with the message of the first that refuses."""
    if not validators:
        return
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _judge(writer, validators, operations)
    os.close(writer)
    with open(reader, "rb") as pipe:
        verdict = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status:
        name, _, message = verdict.partition("\n")
        raise Failure(name or "validators", message or "the validation died")


def _judge(writer: int, validators: list[Json], operations: list[Json]) -> None:
    """Be the child: leave the verdict in the pipe and exit 0 (all good) or 1."""
    status = 1
    try:
        _cover(operations)
        status = 0
        for validator in validators:
            # each in a mount namespace of its own: a validator may cover more than the staged files
            code, output = run(["unshare", "--mount", "--", *validator["command"]], TIMEOUT)
            if code:
                said = output.strip()[-OUTPUT:]
                os.write(writer, f"{validator['name']}\nrefused the new configuration: {said}".encode())
                status = 1
                break
    except Exception as error:  # noqa: BLE001  a child process has nobody to raise to
        os.write(writer, f"validators\ncould not be run: {error!r}".encode())
    finally:
        sys.stdout.flush()
        os._exit(status)


def _cover(operations: list[Json]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), "unshare")
    # a network of its own, where a daemon that binds even to look can bind to addresses that are about to come
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv4/ip_nonlocal_bind", "w") as file:
        file.write("1")
    _check(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    staged = {}
    for operation in operations:  # read the staged files before anything covers them
        staged[operation["path"]] = operation["new"] if operation["entry"] else None
    tops = sorted({"/var", *("/" + path.split("/")[1] for path in staged)})  # a validator may write there
    os.makedirs(RUNTIME, exist_ok=True)
    _check(libc.mount(b"tandem", RUNTIME.encode(), b"tmpfs", 0, b"mode=0700"), "mount tmpfs")
    for number, top in enumerate(tops):
        upper, work = f"{RUNTIME}/{number}", f"{RUNTIME}/{number}.work"
        os.mkdir(upper, 0o755)
        os.mkdir(work)
        options = f"lowerdir={top},upperdir={upper},workdir={work}".encode()
        _check(libc.mount(b"overlay", top.encode(), b"overlay", 0, options), f"cover {top}")
    for path, new in staged.items():
        if os.path.lexists(path):
            os.unlink(path)
        if new:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _copy(new, path)


def _copy(source: str, target: str) -> None:
    shutil.copy2(source, target, follow_symlinks=False)
    status = os.lstat(source)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise Failure("validators", f"{what}: {os.strerror(number)}")
