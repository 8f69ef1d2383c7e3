"""Describe one option as its application declares it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter

from tandem.errors import Origin, Problems
from tandem.options.lists import AnyType, Several, Wrong
from tandem.options.types import OptionType, String
from tandem.options.value import Value
from tandem.source.node import Node, Secret
from tandem.source.validate import Frozen, validate


class Attributes(Frozen):
    """Hold what is declared of an option beside its type."""

    description: str
    secret: bool = False
    effect: Literal["none", "reload", "restart"] = "restart"
    scope: Literal["instance", "environment"] = "instance"
    merge: Literal["replace", "union"] = "replace"


_ATTRIBUTES = TypeAdapter(Attributes)
_TYPE: TypeAdapter[OptionType] = TypeAdapter(AnyType, config=ConfigDict(defer_build=True))
_NOT_OF_THE_TYPE = {*Attributes.model_fields, "default"}


@dataclass(frozen=True)  # without slots, see tandem.installation.Server
class Option:
    """Describe one option: its place, its type, its default and what a change of it does."""

    application: str
    module: str
    group: str
    name: str
    type: OptionType
    attributes: Attributes
    default: Value | None
    origin: Origin

    @property
    def dotted(self) -> str:
        """Return the whole name, `module.group.option`."""
        return f"{self.module}.{self.group}.{self.name}"

    @property
    def description(self) -> str:
        return self.attributes.description

    @property
    def secret(self) -> bool:
        """Tell whether values must be `!vault` and are never shown."""
        return self.attributes.secret

    @property
    def effect(self) -> str:
        """Return what a change does: none, reload or restart."""
        return self.attributes.effect

    @property
    def scope(self) -> str:
        """Return whether the option belongs to an instance only or may differ by environment."""
        return self.attributes.scope

    @property
    def union(self) -> bool:
        """Tell whether every level contributes, instead of the lowest one only."""
        return self.attributes.merge == "union"

    @property
    def merge(self) -> str:
        return self.attributes.merge

    @property
    def required(self) -> bool:
        """Tell whether the option has no default, so that it must be set."""
        return self.default is None

    @property
    def unit(self) -> str | None:
        return getattr(self.type, "unit", None)

    def show(self, value: Any) -> str:
        """Return a value for people, with its unit; a secret is masked."""
        if self.secret:
            return "(secret)"
        shown = self.type.show(value)
        return f"{shown} {self.unit}" if self.unit else shown

    def plain(self, value: Any) -> Any:
        """Return a value for JSON; a secret is masked."""
        return "(secret)" if self.secret else self.type.plain(value)

    def reveal(self, value: Any, decrypt: Callable[[str], str]) -> Any:
        """Return a value with its secret decrypted; raise ValueError if what comes out is not of the type."""
        if not isinstance(value, Secret):
            return value
        assert isinstance(self.type, String)
        return self.type.check(decrypt(value.ciphertext), "the secret")


def declare(application: str, path: tuple[str, str, str], node: Node, problems: Problems) -> Option | None:
    """Return the option that a declaration describes, or None after noting what is wrong with it."""
    dotted = ".".join(path)
    entries = node.entries
    if not entries:
        problems.add(node.origin, f"{dotted}: a mapping belongs here, with type and description")
        return None
    described = {key: child for key, child in entries.items() if key in _NOT_OF_THE_TYPE and key != "default"}
    rest = {key: child for key, child in entries.items() if key not in _NOT_OF_THE_TYPE}
    attributes = validate(_ATTRIBUTES, Node(described, node.origin), problems, dotted)
    kind = validate(_TYPE, Node(_keys(rest), node.origin), problems, dotted, ("minimum", "maximum", "choices", "items"))
    if attributes is None or kind is None:
        return None
    if attributes.merge == "union" and not isinstance(kind, Several):
        problems.add(node.origin, f"{dotted}: merge: union is for list and map, not for {kind.type}")
    if attributes.secret and not isinstance(kind, String):
        problems.add(node.origin, f"{dotted}: only an option of type string can be secret")
    default = _default(dotted, kind, attributes, entries, problems)
    return Option(application, *path, kind, attributes, default, node.origin)


def _keys(entries: Mapping[str, Node]) -> dict[str, Node]:
    """Turn the `pattern` of a map, which is that of its keys, into what the type holds."""
    if "pattern" not in entries or entries.get("type", Node(None, Origin(""))).value != "map":
        return dict(entries)
    pattern = entries["pattern"]
    keys = {"type": Node("string", pattern.origin), "minimum": Node(1, pattern.origin), "pattern": pattern}
    return {**{key: child for key, child in entries.items() if key != "pattern"}, "keys": Node(keys, pattern.origin)}


def _default(
    dotted: str, kind: OptionType, attributes: Attributes, entries: Mapping[str, Node], problems: Problems
) -> Value | None:
    """Return the default, which must itself be what the type allows; None where the option is required."""
    node = entries.get("default")
    if node is None:
        return None
    if attributes.secret and node.value != "":
        problems.add(node.origin, f'{dotted}: the default of a secret can only be "", it is no secret')
        return None
    try:
        return Value(kind.parse(node), "default", None, node.origin)
    except Wrong as wrong:
        for origin, message in wrong.details:
            problems.add(origin, f"{dotted}: default: {message}")
    except ValueError as error:
        problems.add(node.origin, f"{dotted}: default: {error}")
    return Value(None, "default", None, node.origin)
