"""Hold the nodes of the option tree: installation → suite → cluster → instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tandem.errors import Origin
from tandem.options.option import Option
from tandem.options.value import Level
from tandem.source.read import TreePath

LEVELS: tuple[Level, ...] = ("installation", "suite", "cluster", "instance")
"""The levels of the option tree, by the length of a place's path."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Describe one cluster as the option tree sees it; `instances` maps each name to where it is written."""

    name: str
    suite: str
    application: str
    instances: Mapping[str, Origin]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Hold what option files may speak of.

    `options` are those of each application; those of the base hold for servers and are set at the installation only.
    `doubtful` are names of clusters and instances that exist but have been reported; with `complete` false
    installation.yml could not be read, so that any name might exist.
    """

    suites: Mapping[str, tuple[str, ...]]
    clusters: Mapping[str, Branch]
    environments: tuple[str, ...]
    options: Mapping[str, Mapping[str, Option]]
    base: str
    doubtful: frozenset[str] = frozenset()
    complete: bool = True

    def applications_at(self, place: TreePath) -> tuple[str, ...]:
        """Return the applications whose options may be set at a place of the tree."""
        if not place:
            return tuple(self.options)
        if len(place) > 1 and place[1] in self.clusters:
            return (self.clusters[place[1]].application,)
        return self.suites.get(place[0], tuple(self.options))
