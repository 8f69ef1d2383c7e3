"""Read effective values out of a resolved tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.configuration.canonical import Json

BASE = "base"


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds somewhere: the plain value (of a secret its digest, or None if unread) and its place in the source."""

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Values:
    """The effective values of one instance, or with None those of servers."""

    tree: Json
    instance: str | None

    @property
    def application(self) -> str:
        """Name the application whose options these are."""
        return BASE if self.instance is None else str(self._entry["application"])

    @property
    def declared(self) -> Json:
        """Return the declared options by name."""
        options: Json = self.tree["applications"].get(self.application, {}).get("options", {})
        return options

    def written(self) -> Iterator[tuple[str | None, str]]:
        """Yield environment (None: Global) and name of every value that is not inherited."""
        yield from ((None, name) for name in self._options)
        for environment, options in self._environments.items():
            yield from ((environment, name) for name in options)

    def own(self, environment: str | None, name: str) -> bool:
        """Tell whether an environment has a value of its own."""
        return environment is None or name in self._environments.get(environment, {})

    def effective(self, environment: str | None, name: str) -> Effective | None:
        """Return what holds in an environment, or in Global; None where there is no such option."""
        if name not in self.declared:
            return None
        entry = self._environments.get(environment or "", {}).get(name) or self._options.get(name)
        if entry:
            return Effective(entry[0], entry[2])
        return Effective(self.declared[name]["default"], "the default")

    @property
    def _entry(self) -> Json:
        entry: Json = {"options": self.tree["base"]} if self.instance is None else self.tree["instances"][self.instance]
        return entry

    @property
    def _options(self) -> Json:
        options: Json = self._entry["options"]
        return options

    @property
    def _environments(self) -> Json:
        environments: Json = self._entry.get("environments", {})
        return environments
