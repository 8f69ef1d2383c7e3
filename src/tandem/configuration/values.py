"""Read effective values out of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.configuration.canonical import Json
from tandem.configuration.content import Content

BASE = "base"


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds somewhere: the plain value (of a secret its digest, or None if unread) and its place in the source."""

    value: object
    origin: str


def application(tree: Json, instance: str | None) -> str:
    """Name the application of an instance; that of servers is the base."""
    return BASE if instance is None else str(tree["instances"][instance]["application"])


def declared(tree: Json, instance: str | None) -> Json:
    """Return the options that are declared for an instance, or for servers, by name."""
    options: Json = tree["applications"].get(application(tree, instance), {}).get("options", {})
    return options


class Values:
    """The effective values of one instance of a configuration, or with None those of servers."""

    def __init__(self, content: Content, instance: str | None, nearer: Content | None = None) -> None:
        """Read values from a configuration, or where another one that is `nearer` has the same, from that."""
        self._tree = content.tree()
        self._instance = instance
        same = instance and nearer and nearer.resolved.get(instance) == content.resolved[instance]
        holder = nearer if nearer and same else content
        entry = {"options": self._tree["base"]} if instance is None else holder.values(instance)
        self._options: Json = entry["options"]
        self.environments: Json = entry.get("environments", {})

    @property
    def application(self) -> str:
        """Name the application whose options these are."""
        return application(self._tree, self._instance)

    @property
    def declared(self) -> Json:
        """Return the declared options by name."""
        return declared(self._tree, self._instance)

    def written(self) -> Iterator[tuple[str | None, str]]:
        """Yield environment (None: Global) and name of every value that is not inherited."""
        yield from ((None, name) for name in self._options)
        for environment, options in self.environments.items():
            yield from ((environment, name) for name in options)

    def own(self, environment: str | None, name: str) -> bool:
        """Tell whether an environment has a value of its own."""
        return environment is None or name in self.environments.get(environment, {})

    def effective(self, environment: str | None, name: str) -> Effective | None:
        """Return what holds in an environment, or in Global; None where there is no such option."""
        if name not in self.declared:
            return None
        entry = self.environments.get(environment or "", {}).get(name) or self._options.get(name)
        if entry:
            return Effective(entry[0], entry[2])
        return Effective(self.declared[name]["default"], "the default")
