"""Keep base roots, each under a key made of all that went into it, and find out which one the project needs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import root
from lab.errors import LabError
from lab.paths import CACHE, PROJECT, STATE

HOUR = 3600


@dataclass(frozen=True)
class Recipe:
    """What a base root is built from, beside the lab's own packages."""

    packages: tuple[str, ...]
    disabled: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return a key that changes with the packages, the units, and the way the root is built."""
        how = Path(root.__file__).read_text()
        return hashlib.sha256(json.dumps([self.packages, self.disabled, how]).encode()).hexdigest()[:16]


def recipe() -> Recipe:
    """Gather what the applications declare: their packages, and the units of these that Tandem replaces."""
    packages: set[str] = set()
    disabled: set[str] = set()
    for path in sorted(PROJECT.glob("roles/*/meta/application.yml")):
        try:
            declared = yaml.load(path.read_text(), yaml.CSafeLoader)
            packages.update(declared.get("packages") or [])
            disabled.update(declared.get("replaces") or [])
        except (yaml.YAMLError, AttributeError, TypeError) as error:
            raise LabError(f"{path}: {error}") from error
    return Recipe(tuple(sorted(packages)), tuple(sorted(disabled)))


def base(say: Callable[[str], None]) -> Path:
    """Return the base root the project needs, built first if it is not in the cache.

    Only one is built at a time; one that was not finished is thrown away by the next who builds.
    """
    wanted = recipe()
    path = CACHE / wanted.key
    if path.is_dir():
        os.utime(path)
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.is_dir():  # somebody else built it meanwhile
            return path
        count = len({*root.PACKAGES, *wanted.packages})
        say(f"building the base root {path}: {count} packages and what they need; once, two to four minutes")
        new = CACHE / "unfinished"
        shutil.rmtree(new, ignore_errors=True)
        root.build(new, wanted.packages, wanted.disabled)
        new.chmod(0o755)
        new.rename(path)
        _forget_unused(path)
    return path


def _forget_unused(current: Path) -> None:
    """Remove the base roots that no server's disk was made on, and that nobody asked for within the hour."""
    used = {path.read_text() for path in STATE.glob("*/servers/*/base")}
    for path in CACHE.iterdir():
        recent = time.time() - path.stat().st_mtime < HOUR
        if path.is_dir() and path != current and path.name not in used and not recent:
            shutil.rmtree(path, ignore_errors=True)
