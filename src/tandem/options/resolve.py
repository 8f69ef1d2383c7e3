"""Resolve the option tree: which value of each option holds for an instance, and where it comes from.

On each level, from the instance up to the installation, the environment's set is looked at first, then Global; the
first value found wins, otherwise the declared default. This is computed from the top down, each set overwriting what
the ones above it say; a place that sets nothing shares its parent's mapping, so that instances cost only what they set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from tandem.errors import Origin
from tandem.options.layers import Layer
from tandem.options.lists import Contribution, Several
from tandem.options.nodes import Nodes
from tandem.options.option import Option
from tandem.options.value import Value
from tandem.source.node import BROKEN
from tandem.source.read import TreePath, option_file

Effective = Mapping[str, Value]
"""The values that hold, by dotted name. Never change one: it is shared."""


class Tree:
    """Hold the option tree of an installation and answer what holds where."""

    def __init__(self, nodes: Nodes, layers: Mapping[TreePath, Layer]) -> None:
        self.nodes = nodes
        self.layers = layers
        self._shared: dict[tuple[TreePath, str, str | None], Effective] = {}
        self._places = {
            instance: ((branch.suite, branch.name, instance), branch.application)
            for branch in nodes.clusters.values()
            for instance in branch.instances
        }

    def __contains__(self, instance: object) -> bool:
        return instance in self._places

    @property
    def instances(self) -> list[str]:
        """Return the names of all instances, sorted."""
        return sorted(self._places)

    @property
    def environments(self) -> tuple[str, ...]:
        """Return the names of the environments, as the installation lists them."""
        return self.nodes.environments

    @property
    def number_set(self) -> int:
        """Return how many values stand in the option files."""
        return sum(1 for path in self.files for _ in self.set_in(path))

    def set_in(self, path: str) -> Iterator[Value]:
        """Yield every value that stands in an option file."""
        for place, layer in self.layers.items():
            if option_file(place) == path:
                for sets in layer.values():
                    for values in sets.values():
                        yield from values.values()

    @property
    def files(self) -> list[str]:
        """Return the paths of the option files there are, sorted."""
        return sorted(map(option_file, self.layers))

    def place(self, instance: str) -> TreePath:
        """Return where in the tree an instance is: suite, cluster, instance; raise KeyError if it does not exist."""
        return self._places[instance][0]

    def options(self, instance: str) -> Mapping[str, Option]:
        """Return the options of an instance's application by dotted name."""
        return self.nodes.options[self._places[instance][1]]

    def origin(self, instance: str) -> Origin:
        """Return where an instance is written."""
        place, _ = self._places[instance]
        return self.nodes.clusters[place[1]].instances[instance]

    @cached_property
    def unions(self) -> Mapping[str, Mapping[str, Several]]:
        """Map each application to its options to which every level contributes, and these to their types."""
        return {
            application: {
                dotted: option.type
                for dotted, option in options.items()
                if option.union and isinstance(option.type, Several)
            }
            for application, options in self.nodes.options.items()
        }

    @cached_property
    def required(self) -> Mapping[str, list[str]]:
        """Map each application to its options that have no default."""
        return {
            application: [dotted for dotted, option in options.items() if option.required]
            for application, options in self.nodes.options.items()
        }

    def named(self, instance: str) -> Mapping[str | None, set[str]]:
        """Map each set (None: Global) to the options that any level sets in it for an instance."""
        place, application = self._places[instance]
        found: dict[str | None, set[str]] = {}
        for depth in range(len(place) + 1):
            for name, values in self.layers.get(place[:depth], {}).get(application, {}).items():
                found.setdefault(name, set()).update(values)
        return found

    def application(self, instance: str) -> str:
        """Name the application of an instance."""
        return self._places[instance][1]

    def effective(self, instance: str, environment: str | None = None) -> Effective:
        """Return what holds for an instance, in Global or in an environment; raise KeyError if it does not exist.

        An option that is required and not set is absent.
        """
        place, application = self._places[instance]
        return self._at(place, application, environment)

    def base_options(self) -> Mapping[str, Option]:
        """Return the options that hold for servers."""
        return self.nodes.options.get(self.nodes.base, {})

    def base(self) -> Effective:
        """Return what holds for servers: the options of the base, which are set at the installation only."""
        return self._at((), self.nodes.base, None)

    def _at(self, place: TreePath, application: str, environment: str | None) -> Effective:
        """Return what holds at a place; all but instances are kept, because others begin from them."""
        key = place, application, environment
        if key in self._shared:
            return self._shared[key]
        options = self.nodes.options.get(application, {})
        above: Effective
        if place:
            above = self._at(place[:-1], application, environment)
        else:
            above = {dotted: option.default for dotted, option in options.items() if option.default is not None}
        effective = above
        for values in self._sets(place, application, environment):
            effective = _overlay(effective, values, self.unions[application])
        if len(place) < 3:
            self._shared[key] = effective
        return effective

    def _sets(self, place: TreePath, application: str, environment: str | None) -> list[Effective]:
        """Return the sets of a place that count, the weaker one first."""
        sets = self.layers.get(place, {}).get(application, {})
        which = (None,) if environment is None else (None, environment)
        return [sets[name] for name in which if sets.get(name)]


def _overlay(above: Effective, values: Effective, unions: Mapping[str, Several]) -> Effective:
    """Return what holds once a set has overwritten, or in unions has contributed to, what holds above it."""
    result = {**above, **values}
    for dotted in unions.keys() & values.keys():
        if values[dotted].value is not BROKEN:
            result[dotted] = _joined(unions[dotted], values[dotted], above.get(dotted))
    return result


def _joined(kind: Several, lower: Value, upper: Value | None) -> Value:
    """Return what a contribution makes together with the value from above it."""
    if upper is None or upper.value is BROKEN:
        value = kind.combine(Contribution(lower.value), None)
        return Value(value, lower.level, lower.environment, lower.origin, (), (lower,))
    value = kind.combine(Contribution(lower.value, lower.struck), upper.value)
    contributions = (lower, *upper.sources)
    return Value(value, lower.level, lower.environment, lower.origin, (), contributions)
