"""Break the disk under a program: power that goes, and space that runs out, at any call that changes something."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHANGING = ("open", "write", "rename", "link", "unlink", "symlink", "mkdir", "rmdir", "fchmod", "fchown", "fsync")
ALLOCATING = ("open", "write", "link", "symlink", "mkdir")


class PowerCut(BaseException):
    """The machine is off; nothing may catch this and go on."""


class Disk:
    """Count the system calls that change something under `root`, and break from one of them on.

    With `cut_at` the power goes before that call (numbered from 0; of a write, half gets through), and nothing that the
    program does afterwards has an effect. With `full_at` there is no space from that call on. `log` names every call.
    """

    def __init__(self, root: Path, cut_at: int | None = None, full_at: int | None = None) -> None:
        self.root = str(root)
        self.cut_at = cut_at
        self.full_at = full_at
        self.log: list[tuple[str, str]] = []
        self._names: dict[int, str] = {}

    def under(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put this disk under everything that uses `os`."""
        for name in CHANGING:
            monkeypatch.setattr(os, name, self._breaking(name, getattr(os, name)))

    def _breaking(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            creates = name == "open" and args[1] & os.O_CREAT and str(args[0]).startswith(self.root)
            if name == "open" and not creates:
                descriptor = real(*args, **keywords)
                self._names[descriptor] = str(args[0])
                return descriptor
            what = self._names.get(args[0], "") if isinstance(args[0], int) else str(args[0])
            if not what.startswith(self.root):
                return real(*args, **keywords)
            self._break(name, real, args)
            self.log.append((name, what.removeprefix(self.root)))
            result = real(*args, **keywords)
            if name == "open":
                self._names[result] = what
            return result

        return call

    def _break(self, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> None:
        number = len(self.log)
        if self.cut_at is not None and number >= self.cut_at:
            if name == "write" and number == self.cut_at:
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            self.cut_at = min(number, self.cut_at)
            raise PowerCut
        exists = name == "open" and os.path.lexists(args[0])
        if self.full_at is not None and number >= self.full_at and name in ALLOCATING and not exists:
            self.log.append((name, "refused"))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
