"""Resolve options the plain way, from the files alone: slow, obvious, and with nothing of Tandem's in it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

Tree = dict[str, Any]


class Naive:
    """The options of an inventory directory, whose roles are declared under another."""

    def __init__(self, inventory: Path, roles: Path) -> None:
        self._inventory, self._roles = inventory, roles

    def value(self, place: tuple[str, str, str], application: str, option: str, environment: str | None) -> object:
        """Return what holds for an instance, whose place is suite, cluster and name, in an environment or in Global."""
        suite, cluster, name = place
        files = [f"{suite}/{cluster}/{name}.yml", f"{suite}/{cluster}.yml", f"{suite}.yml", "installation.yml"]
        module, group, last = option.split(".")
        declared = self._declared(application)[module][group][last]
        found = []
        for file in files:
            layer = self._layer(file)
            if environment is not None:
                found.append(
                    layer.get("environments", {}).get(environment, {}).get(module, {}).get(group, {}).get(last)
                )
            found.append(layer.get(module, {}).get(group, {}).get(last))
        found = [value for value in [*found, declared["default"]] if value is not None]
        if declared.get("merge") != "union":
            return found[0]
        joined: list[str] = []
        for items in found:
            joined += [item for item in items if item not in joined]
        return joined

    @cache  # noqa: B019  there is one of these, and it lives as long as the program
    def _layer(self, file: str) -> Tree:
        path = self._inventory / "options" / file
        return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}

    @cache  # noqa: B019
    def _declared(self, application: str) -> Tree:
        found: Tree = yaml.safe_load((self._roles / application / "meta/options.yml").read_text())
        return found
