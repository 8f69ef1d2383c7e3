"""Load the declarations of all applications from a directory of roles.

What is wrong here is the developer's doing, and reported like everything else: with file and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from tandem.applications.agree import agree
from tandem.applications.model import Declaration
from tandem.errors import Origin, Problems
from tandem.options.option import Option, declare
from tandem.source.node import Node
from tandem.source.read import read_yaml
from tandem.source.validate import validate

BASE = "base"
"""The role that every server gets; its options hold for servers."""

_DECLARATION = TypeAdapter(Declaration)


@dataclass(frozen=True, slots=True)
class Application:
    """Describe an application: its role's folder, what it declares, and its options by dotted name."""

    name: str
    folder: Path
    declaration: Declaration
    options: Mapping[str, Option]
    origin: Origin

    @property
    def suite(self) -> str | None:
        return self.declaration.suite

    @property
    def modules(self) -> list[str]:
        """Return the names of the modules, sorted."""
        return sorted({option.module for option in self.options.values()})


class Applications(Mapping[str, Application]):
    """Hold the applications by name, sorted; `base`, which is no application of its own, stands beside them."""

    def __init__(self, found: Mapping[str, Application]) -> None:
        self._found = {name: found[name] for name in sorted(found) if name != BASE}
        self.base = found.get(BASE)

    def __getitem__(self, name: str) -> Application:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def everything(self) -> list[Application]:
        """Return all applications and, if there is one, the base."""
        return [*self._found.values(), *([self.base] if self.base else [])]


def load(roles: Path, problems: Problems) -> Applications:
    """Return the applications declared under a directory of roles, and note what is wrong with them."""
    found = {}
    for file in sorted(roles.glob("*/meta/application.yml")):
        folder = file.parent.parent
        path = f"{roles.name}/{folder.name}/meta/application.yml"
        node = read_yaml(file, path, problems)
        declaration = None if node is None else validate(_DECLARATION, node, problems, "", Declaration.model_fields)
        options = _options(folder, f"{roles.name}/{folder.name}/meta/options.yml", problems)
        if declaration is not None:
            found[folder.name] = Application(folder.name, folder, declaration, options, Origin(path, 1))
    if not found and not problems:
        problems.add(Origin(str(roles)), "holds no role with a meta/application.yml; is this the project's directory?")
    applications = Applications(found)
    agree(applications.everything(), problems)
    return applications


def _options(folder: Path, path: str, problems: Problems) -> dict[str, Option]:
    """Return the options of a role by dotted name, in the order of the file."""
    file = folder / "meta" / "options.yml"
    node = read_yaml(file, path, problems) if file.exists() else None
    options = {}
    for module, groups in _mapping(node, "a mapping of modules", problems):
        for group, declared in _mapping(groups, f"{module}: a mapping of groups", problems):
            for name, declaration in _mapping(declared, f"{module}.{group}: a mapping of options", problems):
                option = declare(folder.name, (module, group, name), declaration, problems)
                if option is not None:
                    options[option.dotted] = option
    return options


def _mapping(node: Node | None, what: str, problems: Problems) -> list[tuple[str, Node]]:
    """Return the entries of a node that must be a mapping."""
    if node is not None and not node.broken and not isinstance(node.value, dict):
        problems.add(node.origin, f"{what} belongs here")
    return list(node.entries.items()) if node else []
