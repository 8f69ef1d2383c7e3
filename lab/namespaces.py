"""Make, find and remove the network namespaces of a lab; nothing of a lab is in the machine's own."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError
from lab.paths import NAMESPACES
from lab.run import run

CLONE_NEWNET = 0x40000000
KINDS = r"(controller|wan|site\..+|server\..+)"


def controller(lab: str) -> str:
    """Name the namespace of the machine that runs playbooks."""
    return f"tandem-{lab}-controller"


def wan(lab: str) -> str:
    """Name the namespace of what connects the sites."""
    return f"tandem-{lab}-wan"


def site(lab: str, name: str) -> str:
    """Name the namespace of a site's bridges and router."""
    return f"tandem-{lab}-site.{name}"


def server(lab: str, name: str) -> str:
    """Name the namespace of a server, which is there while it has power."""
    return f"tandem-{lab}-server.{name}"


def port(name: str, suffix: str = "") -> str:
    """Return an interface's name of at most 15 characters, readable where `name` is short enough."""
    if len(name + suffix) <= 15:
        return name + suffix
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return name[: 15 - len(suffix) - len(digest)] + digest + suffix


def of_lab(lab: str) -> list[str]:
    """Return the namespaces that belong to one lab."""
    pattern = re.compile(rf"tandem-{re.escape(lab)}-{KINDS}")
    return sorted(name for name in _all() if pattern.fullmatch(name))


def of_any_lab() -> list[str]:
    """Return the namespaces of all labs."""
    return sorted(name for name in _all() if re.fullmatch(rf"tandem-.+-{KINDS}", name))


def _all() -> list[str]:
    return os.listdir(NAMESPACES) if NAMESPACES.is_dir() else []


def ensure(namespace: str) -> None:
    """Make a namespace unless it is there; what a killed `ip netns add` left is made anew."""
    if not alive(namespace):
        run(["ip", "netns", "delete", namespace], check=False)
        run(["ip", "netns", "add", namespace])


def alive(namespace: str) -> bool:
    """Tell whether a namespace is there, and not only its name."""
    path = NAMESPACES / namespace
    return path.exists() and inode(path) is not None


def inode(path: Path) -> tuple[int, int] | None:
    """Identify the namespace `path` stands for; None when the path is an ordinary file."""
    found, parent = path.stat(), NAMESPACES.stat()
    return None if found.st_dev == parent.st_dev else (found.st_dev, found.st_ino)


def links(namespace: str) -> set[str]:
    """Return the names of a namespace's interfaces."""
    return {link["ifname"] for link in json.loads(run(["ip", "-n", namespace, "-json", "link"]).stdout)}


def batch(namespace: str, commands: Iterable[str]) -> None:
    """Run several `ip` commands in a namespace; the first that fails ends it."""
    run(["ip", "-n", namespace, "-batch", "-"], stdin="\n".join(commands) + "\n")


def inside(namespace: str) -> list[str]:
    """Return the words that, before a command, run it in a namespace."""
    return ["nsenter", f"--net={NAMESPACES / namespace}"]


def enter(namespace: str) -> None:
    """Move the calling thread, and it alone, into a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(NAMESPACES / namespace) as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise LabError(f"{namespace}: {os.strerror(ctypes.get_errno())}")


def delete(namespaces: Iterable[str]) -> None:
    """Kill what still runs in the namespaces, such as a client, and remove them."""
    namespaces = list(namespaces)
    paths = [NAMESPACES / name for name in namespaces]
    doomed = {inode(path) for path in paths if path.exists()} - {None}
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with contextlib.suppress(OSError):
                found = (process / "ns/net").stat()
                if (found.st_dev, found.st_ino) in doomed:
                    os.kill(int(process.name), signal.SIGKILL)
    for name in namespaces:
        run(["ip", "netns", "delete", name], check=False)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(NAMESPACES / name)
