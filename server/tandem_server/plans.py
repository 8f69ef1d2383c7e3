"""Keep the plans that were made, so that exactly what was looked at can be applied, and only once.

A plan is a small record that binds the active configuration, the candidate and the digest of what was shown, which is
a blob. Its name is the digest of its own text. A plan that has been applied is renamed; making it again makes it
usable again.
"""

import json
import os

from .disk import Json, canonical, read_bytes, remove, sync_directory, write_durably
from .failure import Failure
from .files import digest

SHORT = 12
"""Digits of a plan's name that are shown."""
USED = ".used"


class Plans:
    """The plans of a store."""

    def __init__(self, directory: str) -> None:
        self.directory = directory + "/plans"

    def add(self, plan: Json) -> str:
        """Keep a plan and return its name."""
        if not os.path.isdir(self.directory):
            os.mkdir(self.directory, 0o700)
            sync_directory(os.path.dirname(self.directory))
        data = canonical(plan)
        name = digest(data)
        write_durably(self._path(name), data)
        remove(self._path(name + USED))
        return name

    def get(self, name: str) -> Json:
        """Return {name, used, plan} of the plan whose name begins so; raise Failure when it is not one, or damaged."""
        found = sorted({each.removesuffix(USED) for each in self._names() if each.startswith(name)})
        if len(found) != 1:
            many = f"{len(found)} plans begin with {name}; give more of the name" if found else ""
            raise Failure("store", many or f"there is no plan {name}; plan again")
        plan = self.read(found[0])
        if plan is None:
            raise Failure("store", f"plan {found[0][:SHORT]} is damaged: its content does not fit its name; plan again")
        return {"name": found[0], "used": self._used(found[0]), "plan": plan}

    def all(self) -> list[Json]:
        """Return {name, used, plan} of every plan that is whole, sorted."""
        names = sorted({name.removesuffix(USED) for name in self._names()})
        plans = [{"name": name, "used": self._used(name), "plan": self.read(name)} for name in names]
        return [plan for plan in plans if plan["plan"] is not None]

    def damaged(self) -> list[str]:
        """Return the paths of the plans that are not whole."""
        return [self._path(name) for name in self._names() if self.read(name.removesuffix(USED)) is None]

    def use(self, name: str) -> None:
        """Note that a plan has been applied."""
        if os.path.exists(self._path(name)):
            os.rename(self._path(name), self._path(name + USED))
            sync_directory(self.directory)

    def forget(self, numbers: set[int]) -> None:
        """Remove the plans that lead to configurations which are no more, or are damaged themselves."""
        for name in self._names():
            plan = self.read(name.removesuffix(USED))
            if plan is None or plan["number"] in numbers:
                remove(self._path(name))

    def read(self, name: str) -> Json | None:
        """Return a plan by its whole name; None when it is damaged."""
        data = read_bytes(self._path(name)) or read_bytes(self._path(name + USED)) or b""
        return json.loads(data) if digest(data) == name else None

    def _used(self, name: str) -> bool:
        return not os.path.exists(self._path(name))

    def _names(self) -> list[str]:
        """Return the names of all plans, those that were used with a mark, sorted."""
        names = os.listdir(self.directory) if os.path.isdir(self.directory) else []
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def _path(self, name: str) -> str:
        return f"{self.directory}/{name}.json"
