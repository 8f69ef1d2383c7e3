"""Change the files of a server that is a directory, by the server's own program."""

from __future__ import annotations

import base64
import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tandem_server import boot, settle
from tandem_server.state import State
from tandem_server.transaction import Transaction, undo

OWNER = {"owner": pwd.getpwuid(os.geteuid()).pw_name, "group": grp.getgrgid(os.getegid()).gr_name}
Json = dict[str, Any]
Tree = dict[str, tuple[Any, ...]]


class Alone:
    """Nobody at the other end."""

    def send(self, event: str, **fields: object) -> None:
        pass

    def receive(self) -> None:
        return None

    def refuse_taken_over(self) -> None:
        pass


def bundle(wanted: Mapping[str, tuple[str, str]]) -> Json:
    """Return a bundle of files {path: (mode, content)} and links {path: ("link", target)}, with nothing that runs."""
    files = [
        {"path": path, "kind": "link", "target": text}
        if kind == "link"
        else {"path": path, "kind": "file", "digest": sha256(text), "size": len(text), "mode": kind, **OWNER}
        for path, (kind, text) in sorted(wanted.items())
    ]
    return {"files": files, "addresses": [], "units": [], "validators": [], "management": None}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apply(root: Path, wanted: Mapping[str, tuple[str, str]], number: int, run: int = 0) -> None:
    """Run one transaction, after undoing what an earlier one left."""
    state = State(str(root))
    state.prepare()
    run = run or number
    blobs = {sha256(text): base64.b64encode(text.encode()).decode() for kind, text in wanted.values() if kind != "link"}
    request = {"bundle": bundle(wanted), "run": run, "number": number, "blobs": blobs}
    state.announce(run)
    state.lock(lambda: None)
    try:
        undo(state, Alone())
        Transaction(request, state, Alone()).apply()
    finally:
        os.close(state._lock or -1)


def boots(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do what the server does first of all when it gets power."""
    monkeypatch.setattr(boot, "State", lambda: State(str(root)))
    boot.recover()


def is_only_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a transaction from looking at this machine's addresses, and from waiting for its disk."""
    monkeypatch.setattr(settle.addresses, "present", dict)
    monkeypatch.setattr(os, "fsync", lambda _: None)


def tree(root: Path) -> Tree:
    """Return everything in a directory with its kind, mode, owner and content, but for the numbers of runs."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        name, status = f"/{path.relative_to(root)}", path.lstat()
        if name in ("/var/lib/tandem/run", "/var/lib/tandem/run.gate", "/var/lib/tandem/lock"):
            continue
        if path.is_symlink():
            content: str | bytes | None = os.readlink(path)
        else:
            content = path.read_bytes() if path.is_file() else None
        found[name] = (
            oct(stat.S_IMODE(status.st_mode)),
            status.st_uid,
            status.st_gid,
            stat.S_IFMT(status.st_mode),
            content,
        )
    return found
