"""Turn option files into layers: what each place of the tree sets, in which set, parsed by each option's type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tandem.errors import Problems, did_you_mean
from tandem.options.lists import Contribution, Several, Wrong
from tandem.options.nodes import LEVELS, Nodes
from tandem.options.option import Option
from tandem.options.value import Level, Value
from tandem.source.node import BROKEN, Broken, Node, Secret
from tandem.source.read import TreePath

ENVIRONMENTS = "environments"

Sets = dict[str | None, dict[str, Value]]
"""What one place sets for one application: by environment (None: Global), then by dotted name."""

Layer = dict[str, Sets]
"""What one place sets, by application."""


class Layers(Mapping[TreePath, Layer]):
    """The layer of every option file, by its place in the tree.

    A file is looked into when its layer is asked for, and everything in it that cannot be is noted then. Places of
    which a part could not be read are then in `unreadable`.
    """

    def __init__(self, files: Mapping[TreePath, Node], nodes: Nodes, problems: Problems) -> None:
        self.unreadable: set[TreePath] = set()
        self._files = files
        self._nodes = nodes
        self._known = _Known(nodes)
        self._problems = problems
        self._layers: dict[TreePath, Layer] = {}

    def __getitem__(self, place: TreePath) -> Layer:
        if place not in self._layers:
            reader = _Reader(place, self._nodes, self._known, self._problems)
            self._layers[place] = reader.layer(self._files[place])
            if reader.unreadable:
                self.unreadable.add(place)
        return self._layers[place]

    def __contains__(self, place: object) -> bool:
        return place in self._files

    def __iter__(self) -> Iterator[TreePath]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class _Known:
    """Know where each declared option belongs: module, group, name; and whose module each is."""

    def __init__(self, nodes: Nodes) -> None:
        self.modules: dict[str, dict[str, dict[str, Option]]] = {}
        self.owners: dict[str, str] = {}
        for application, options in nodes.options.items():
            for option in options.values():
                self.owners[option.module] = application
                self.modules.setdefault(option.module, {}).setdefault(option.group, {})[option.name] = option


class _Reader:
    """Read one option file."""

    def __init__(self, place: TreePath, nodes: Nodes, known: _Known, problems: Problems) -> None:
        self.level: Level = LEVELS[min(len(place), 3)]
        self.place = place
        self.nodes = nodes
        self.modules = known.modules
        self.owners = known.owners
        self.problems = problems
        self.unreadable = False
        self.here = set(nodes.applications_at(place))

    def layer(self, node: Node) -> Layer:
        """Return what the file sets."""
        layer: Layer = {}
        for module, groups in self.mapping(node, "", "modules"):
            if module == ENVIRONMENTS:
                for environment, inside in self.mapping(groups, ENVIRONMENTS, "environments"):
                    self.environment(environment, inside, layer)
            else:
                self.module(module, groups, None, layer)
        return layer

    def environment(self, environment: str, node: Node, layer: Layer) -> None:
        """Read what is set for one environment."""
        if self.nodes.complete and environment not in self.nodes.environments:
            known = self.nodes.environments
            message = f"{environment} is not an environment of this installation{did_you_mean(environment, known)}"
            self.problems.add(node.origin, message)
        for module, groups in self.mapping(node, f"{ENVIRONMENTS}.{environment}", "modules"):
            self.module(module, groups, environment, layer)

    def module(self, module: str, node: Node, environment: str | None, layer: Layer) -> None:
        """Read what is set of one module."""
        if module not in self.modules:
            known = [name for name, owner in self.owners.items() if owner in self.here]
            self.problems.add(node.origin, f"{module} is not a module{did_you_mean(module, known or self.modules)}")
        elif (owner := self.owners[module]) not in self.here:
            self.problems.add(node.origin, f"{module} {self.misplaced(owner)}")
        else:
            sets = layer.setdefault(owner, {}).setdefault(environment, {})
            for option, value in self.options(module, node):
                self.option(option, value, environment, sets)

    def misplaced(self, owner: str) -> str:
        """Say why a module cannot be set here."""
        if owner == self.nodes.base:
            return "holds for whole servers; set it in options/installation.yml"
        if len(self.place) > 1 and self.place[1] in self.nodes.clusters:
            [application] = self.here
            return f"is a module of {owner}, but cluster {self.place[1]} is of {application}"
        return f"is a module of {owner}, which is not in suite {self.place[0]}"

    def options(self, module: str, node: Node) -> Iterator[tuple[Option, Node]]:
        """Yield every known option that is mentioned of a module."""
        groups = self.modules[module]
        for group, inside in self.mapping(node, module, "groups"):
            if group not in groups:
                message = f"{module}.{group} is not a group of {module}{self.nearest(module, group)}"
                self.problems.add(inside.origin, message)
                continue
            for name, value in self.mapping(inside, f"{module}.{group}", "options"):
                if name in groups[group]:
                    yield groups[group][name], value
                else:
                    hint = self.nearest(module, f"{group}.{name}", group)
                    message = f"{module}.{group}.{name} is not an option of {module}{hint}"
                    self.problems.add(value.origin, message)

    def nearest(self, module: str, name: str, group: str = "") -> str:
        """Suggest a group, or the option that comes nearest: in the same group first, else anywhere in the module."""
        groups = self.modules[module]
        if not group:
            return did_you_mean(name, groups)
        near = [f"{group}.{option}" for option in groups[group]]
        everywhere = [f"{other}.{option}" for other, inside in groups.items() for option in inside]
        return did_you_mean(name, near) or did_you_mean(name, everywhere)

    def option(self, option: Option, node: Node, environment: str | None, sets: dict[str, Value]) -> None:
        """Read the value of one option; null is the same as not set."""
        if node.empty:
            return
        if environment is not None and option.scope != "environment":
            message = f"{option.dotted} belongs to whole instances, not to environments; set it outside {ENVIRONMENTS}:"
            self.problems.add(node.origin, message)
        parsed = self.value(option, node)
        value = parsed.value if isinstance(parsed, Contribution) else parsed
        struck = parsed.struck if isinstance(parsed, Contribution) else ()
        sets[option.dotted] = Value(value, self.level, environment, node.origin, struck)

    def value(self, option: Option, node: Node) -> object:
        """Return what the option's type makes of a value; BROKEN where it refuses."""
        if node.broken:
            return BROKEN
        if option.secret:
            if not isinstance(node.value, Secret):
                message = "is secret and must not be written in clear; encrypt it with: ansible-vault encrypt_string"
                self.problems.add(node.origin, f"{option.dotted}: {message}")
                return BROKEN
            return node.value
        if isinstance(node.value, Secret):
            self.problems.add(node.origin, f"{option.dotted}: is not secret and cannot be !vault; write it in clear")
            return BROKEN
        try:
            if isinstance(option.type, Several) and option.union:
                return option.type.contribute(node)
            return option.type.parse(node)
        except Wrong as wrong:
            for origin, message in wrong.details:
                self.problems.add(origin, f"{option.dotted}: {message}")
        except ValueError as error:
            self.problems.add(node.origin, f"{option.dotted}: {error}")
        return BROKEN

    def mapping(self, node: Node, where: str, of: str) -> list[tuple[str, Node]]:
        """Return the entries of a node that should be a mapping; nothing at all is an empty one."""
        if isinstance(node.value, Broken):
            self.unreadable = True
        elif not isinstance(node.value, dict) and not node.empty:
            self.problems.add(node.origin, f"{where}: a mapping of {of} belongs here".removeprefix(": "))
            self.unreadable = True
        return list(node.entries.items())
