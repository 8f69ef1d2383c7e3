"""Tell which units start, stop, restart or reload on a server when its bundle changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tandem.configuration.bundle import Bundle, File, Link, Unit
from tandem.configuration.diff import FileChange

Action = Literal["start", "stop", "restart", "reload"]


@dataclass(frozen=True, slots=True)
class UnitChange:
    """What happens to a unit of a server, and the files because of which it does."""

    server: str
    unit: str
    instance: str | None
    action: Action
    because: tuple[str, ...]


def unit_changes(server: str, old: Bundle | None, new: Bundle, files: Iterable[FileChange]) -> list[UnitChange]:
    """Return what happens to the units of one server: stops first, in reverse order, then the others in order."""
    before = {unit.name: unit for unit in old.units} if old else {}
    after = {unit.name: unit for unit in new.units}
    written = {file.path for file in files if _content(file.old) != _content(file.new)}
    gone = [
        UnitChange(server, unit.name, unit.instance, "stop", ()) for name, unit in before.items() if name not in after
    ]
    changes = [_change(server, unit, before.get(name), written) for name, unit in after.items()]
    return [*reversed(gone), *(change for change in changes if change)]


def _change(server: str, unit: Unit, old: Unit | None, written: set[str]) -> UnitChange | None:
    """Return what happens to a unit that the new bundle has; a restart makes a reload needless."""
    if old is None:
        return UnitChange(server, unit.name, unit.instance, "start", ())
    restart = written.intersection((*unit.restart, *old.restart))
    reload = written.intersection((*unit.reload, *old.reload))
    if not restart and not reload:
        return None
    # what answers on another address has to bind anew
    action: Action = "restart" if restart or unit.addresses != old.addresses else "reload"
    return UnitChange(server, unit.name, unit.instance, action, tuple(sorted(restart or reload)))


def _content(file: File | Link | None) -> str | None:
    """Return what a unit would read: mode and owner are no reason to restart it."""
    return file.digest if isinstance(file, File) else file.target if file else None
