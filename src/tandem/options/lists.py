"""Know the two types that are made of others, lists and maps, and what striking out means in a union."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from tandem.errors import Origin
from tandem.options.addresses import Address, Hostname, Network
from tandem.options.types import Boolean, Choice, Decimal, Integer, OptionType, Port, String, present
from tandem.options.units import limits
from tandem.source.node import Node

Single = Annotated[
    Boolean | Integer | Decimal | String | Choice | Address | Network | Port | Hostname, Field(discriminator="type")
]

NOT = "not"
"""The key of the mapping that strikes an item out of a list."""


class Wrong(ValueError):
    """Hold what is wrong with the items of one list or map, each with its own line."""

    def __init__(self, details: list[tuple[Origin, str]]) -> None:
        self.details = details
        super().__init__("; ".join(message for _, message in details))


@dataclass(frozen=True, slots=True)
class Contribution:
    """Hold what one level adds to a union, and what it strikes out of the levels above it."""

    value: Any
    struck: tuple[Any, ...] = ()


class Several(OptionType):
    """Be made of items of one type; limits are those of their number."""

    items: Single
    minimum: int | None = Field(default=None, ge=0)
    maximum: int | None = Field(default=None, ge=0)

    @property
    def limited(self) -> bool:
        """Tell whether there is a limit to the number of items."""
        return self.minimum is not None or self.maximum is not None

    def check_number(self, number: int) -> None:
        """Raise ValueError if there are too few or too many items."""
        if number < (self.minimum or 0) or (self.maximum is not None and number > self.maximum):
            raise ValueError(f"{number} items are not within its limits{limits(self.minimum, self.maximum)}")

    def contribute(self, node: Node) -> Contribution:
        """Return what one level contributes to a union; raise ValueError as `parse` does."""
        raise NotImplementedError

    def combine(self, lower: Contribution, upper: Any) -> Any:
        """Return what a level and the value from above it make together: what is lower comes first."""
        raise NotImplementedError


class List(Several):
    """Be a list of values of one type."""

    type: Literal["list"]

    @property
    def phrase(self) -> str:
        return f"a list, each item {self.items.phrase}"

    def parse(self, node: Node) -> list[Any]:
        if not isinstance(node.value, list):
            raise self.refuse(node)
        values = _each(((f"item {n}", item) for n, item in enumerate(node.items, 1)), self.items)
        self.check_number(len(values))
        return values

    def contribute(self, node: Node) -> Contribution:
        if not isinstance(node.value, list):
            raise self.refuse(node)
        strikes = [item for item in node.items if list(item.entries) == [NOT]]
        added = ((f"item {n}", item) for n, item in enumerate(node.items, 1) if item not in strikes)
        value = list(dict.fromkeys(_each(added, self.items)))
        return Contribution(value, tuple(_each(((NOT, item.entries[NOT]) for item in strikes), self.items)))

    def combine(self, lower: Contribution, upper: Any) -> list[Any]:
        gone = {*lower.value, *lower.struck}
        return [*lower.value, *(item for item in upper or () if item not in gone)]

    def show(self, value: list[Any]) -> str:
        return "[" + ", ".join(map(self.items.show, value)) + "]"

    def plain(self, value: list[Any]) -> list[Any]:
        return [self.items.plain(item) for item in value]

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "array",
            "items": self.items.json_schema(),
            **present(minItems=self.minimum, maxItems=self.maximum),
        }


class Map(Several):
    """Be a mapping from names to values of one type; a pattern is that of the names."""

    type: Literal["map"]
    keys: String = String(type="string", minimum=1)

    @property
    def phrase(self) -> str:
        return f"a mapping, each value {self.items.phrase}"

    def parse(self, node: Node) -> dict[str, Any]:
        if not isinstance(node.value, dict):
            raise self.refuse(node)
        values = dict(zip(node.entries, _each(iter(node.entries.items()), self.items), strict=True))
        self.check_keys(node)
        self.check_number(len(values))
        return values

    def check_keys(self, node: Node) -> None:
        """Raise Wrong if a name is not as declared."""
        details = []
        for key, child in node.entries.items():
            try:
                self.keys.check(key, f'name "{key}"')
            except ValueError as error:
                details.append((child.origin, str(error)))
        if details:
            raise Wrong(details)

    def contribute(self, node: Node) -> Contribution:
        if not isinstance(node.value, dict):
            raise self.refuse(node)
        self.check_keys(node)
        added = {key: child for key, child in node.entries.items() if not child.empty}
        value = dict(zip(added, _each(iter(added.items()), self.items), strict=True))
        return Contribution(value, tuple(key for key, child in node.entries.items() if child.empty))

    def combine(self, lower: Contribution, upper: Any) -> dict[str, Any]:
        gone = {*lower.value, *lower.struck}
        return {**lower.value, **{key: value for key, value in (upper or {}).items() if key not in gone}}

    def show(self, value: dict[str, Any]) -> str:
        return "{" + ", ".join(f"{key}: {self.items.show(item)}" for key, item in value.items()) + "}"

    def plain(self, value: dict[str, Any]) -> dict[str, Any]:
        return {key: self.items.plain(item) for key, item in value.items()}

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": self.items.json_schema(),
            **present(minProperties=self.minimum, maxProperties=self.maximum),
        }


def _each(named: Iterator[tuple[str, Node]], of: OptionType) -> list[Any]:
    """Parse every item; raise Wrong with all that are refused."""
    values, details = [], []
    for name, node in named:
        try:
            values.append(of.parse(node))
        except ValueError as error:
            details.append((node.origin, f"{name}: {error}"))
    if details:
        raise Wrong(details)
    return values


AnyType = Annotated[
    Boolean | Integer | Decimal | String | Choice | Address | Network | Port | Hostname | List | Map,
    Field(discriminator="type"),
]
