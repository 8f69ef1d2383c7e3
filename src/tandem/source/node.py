"""Hold what a YAML file says, with the file and line of every value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from tandem.errors import Origin


@dataclass(frozen=True, slots=True)
class Secret:
    """Hold the ciphertext of a `!vault` value, and show it to nobody."""

    ciphertext: str = field(repr=False)

    def __str__(self) -> str:
        return "(secret)"


class Broken:
    """Stand in for a value that could not be read and has been reported."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN = Broken()

Content: TypeAlias = "bool | int | Decimal | str | Secret | Broken | dict[str, Node] | list[Node] | None"


@dataclass(slots=True)
class Node:
    """Hold one value of a file: its content, its text as written, and its origin. Never change one (see Origin).

    The line of a value in a mapping is the line of its key. `text` is what a scalar looks like in the file,
    with quotes where it has them; for a mapping or a list it says which of the two it is.
    """

    value: Content
    origin: Origin
    text: str = ""

    @property
    def entries(self) -> dict[str, Node]:
        """Return the entries of a mapping; of anything else none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Return the items of a list; of anything else none."""
        return self.value if isinstance(self.value, list) else []

    @property
    def empty(self) -> bool:
        """Tell whether nothing stands here (null, or a key without a value)."""
        return self.value is None

    @property
    def broken(self) -> bool:
        """Tell whether this or anything in it has been reported as unreadable."""
        if isinstance(self.value, (dict, list)):
            return any(child.broken for child in self.children())
        return self.value is BROKEN

    def children(self) -> Iterator[Node]:
        """Yield the values directly inside."""
        yield from self.entries.values()
        yield from self.items

    def plain(self) -> object:
        """Return the content as plain Python: dict, list, str, bool, int, Decimal, Secret or None."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """Return the node that a path of keys and indexes leads to, or the last one on the way that exists."""
        node = self
        for step in path:
            if isinstance(step, str) and step in node.entries:
                node = node.entries[step]
            elif isinstance(step, int) and step < len(node.items):
                node = node.items[step]
        return node
