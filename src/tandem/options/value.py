"""Hold one value of an option together with where it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tandem.errors import Origin

Level = Literal["instance", "cluster", "suite", "installation", "default"]


@dataclass(slots=True, eq=False)
class Value:
    """Hold a value, the level and the environment's set (None: Global) that it comes from, and its origin.

    With `merge: union` several values make one: `contributions` are those, the lowest level first, and level and
    origin are those of the first. `struck` is what a contribution takes away from the levels above it. Never change
    one (see Origin).
    """

    value: Any
    level: Level
    environment: str | None
    origin: Origin
    struck: tuple[Any, ...] = ()
    contributions: tuple[Value, ...] = ()

    @property
    def sources(self) -> tuple[Value, ...]:
        """Return the values as they stand in files from which this one was made; mostly itself alone."""
        return self.contributions or (self,)
