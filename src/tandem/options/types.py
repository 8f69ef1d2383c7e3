"""Know the types of options: read a value as one strictly, show it, and describe the type to people and editors.

There are eleven. Those of networks are in `addresses`; `list` and `map`, which are made of others, in `lists`.
"""

from __future__ import annotations

import re
from decimal import Decimal as Number
from typing import Any, Literal

from pydantic import Field, field_validator

from tandem.errors import did_you_mean
from tandem.options.units import amount, limits
from tandem.source.node import Node
from tandem.source.validate import Frozen, show
from tandem.source.yaml import resolve

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LINES = str.maketrans("", "", "\n\t")


class OptionType(Frozen):
    """Describe what values an option may have."""

    type: Any

    @property
    def phrase(self) -> str:
        """Return the type in words, with article and limits: "a whole number of seconds (1–60)"."""
        raise NotImplementedError

    def parse(self, node: Node) -> Any:
        """Return the value of a node; raise ValueError with a message that begins with the value as written."""
        raise NotImplementedError

    def show(self, value: Any) -> str:
        """Return a value as people read it."""
        return str(value)

    def plain(self, value: Any) -> Any:
        """Return a value as JSON can hold it."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema by which an editor completes and checks a value."""
        raise NotImplementedError

    def refuse(self, node: Node) -> ValueError:
        """Make the error for a value of the wrong type."""
        hint = ""
        if isinstance(node.value, str) and node.text.startswith('"') and not isinstance(resolve(node.value), str):
            hint = "; write it without quotes"
        return ValueError(f"{show(node)} is not {self.phrase}{hint}")


class Boolean(OptionType):
    """Be true or false, and neither yes nor on."""

    type: Literal["boolean"]

    @property
    def phrase(self) -> str:
        return "true or false"

    def parse(self, node: Node) -> bool:
        if isinstance(node.value, bool):
            return node.value
        raise self.refuse(node)

    def show(self, value: bool) -> str:
        return "true" if value else "false"

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Integer(OptionType):
    """Be a whole number, of a unit if one is declared."""

    type: Literal["integer"]
    minimum: int | None = None
    maximum: int | None = None
    unit: str | None = None

    @property
    def phrase(self) -> str:
        return amount("a whole number", self.unit) + limits(self.minimum, self.maximum)

    def parse(self, node: Node) -> int:
        if not isinstance(node.value, int) or isinstance(node.value, bool):
            raise self.refuse(node)
        check_range(self, node.value)
        return node.value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", **present(minimum=self.minimum, maximum=self.maximum)}


class Port(Integer):
    """Be the number of a port."""

    type: Literal["port"]  # type: ignore[assignment]
    minimum: int | None = Field(default=1, ge=1)
    maximum: int | None = Field(default=65535, le=65535)

    @property
    def phrase(self) -> str:
        return "a port" + limits(self.minimum, self.maximum)


class Decimal(OptionType):
    """Be an exact decimal number with at most `places` decimal places."""

    type: Literal["decimal"]
    minimum: Number | None = None
    maximum: Number | None = None
    places: int | None = Field(default=None, ge=0, le=12)
    unit: str | None = None

    @field_validator("minimum", "maximum", mode="before")
    @classmethod
    def _whole_numbers_too(cls, value: object) -> object:
        return Number(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def phrase(self) -> str:
        return amount("a decimal number", self.unit) + limits(self.minimum, self.maximum)

    def parse(self, node: Node) -> Number:
        if not isinstance(node.value, int | Number) or isinstance(node.value, bool):
            raise self.refuse(node)
        value = Number(format(Number(node.value), "f")) + 0
        check_range(self, value)
        if self.places is None:
            return Number(format(value.normalize(), "f"))
        exact = value.quantize(Number(1).scaleb(-self.places))
        if exact != value:
            raise ValueError(f"{node.text} has more than {self.places} decimal places")
        return exact

    def plain(self, value: Number) -> str:
        return str(value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "number", **present(minimum=as_float(self.minimum), maximum=as_float(self.maximum))}


class String(OptionType):
    """Be text, of one line unless `multiline`; limits are those of its length."""

    type: Literal["string"]
    minimum: int | None = Field(default=None, ge=0)
    maximum: int | None = Field(default=None, ge=0)
    pattern: str | None = None
    multiline: bool = False

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @property
    def phrase(self) -> str:
        matching = f" matching `{self.pattern}`" if self.pattern else ""
        return "text" + limits(self.minimum, self.maximum, " characters") + matching

    def parse(self, node: Node) -> str:
        if not isinstance(node.value, str):
            hint = "" if node.empty or node.entries or node.items else f'; write "{node.text}"'
            raise ValueError(f"{show(node)} is not text{hint}")
        return self.check(node.value, show(node))

    def check(self, text: str, shown: str) -> str:
        """Return the text if it is within the limits; errors show `shown` in its place (a secret shows nothing)."""
        if CONTROL.search(text.translate(LINES) if self.multiline else text):
            raise ValueError(f"{shown} has a line break or another control character in it")
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise ValueError(f"{shown} does not match {self.pattern}")
        if len(text) < (self.minimum or 0) or (self.maximum is not None and len(text) > self.maximum):
            allowed = limits(self.minimum, self.maximum)
            raise ValueError(f"{shown} has {len(text)} characters{allowed}")
        return text

    def show(self, value: Any) -> str:
        lines = str(value).splitlines()
        return f"{lines[0]} … ({len(lines)} lines)" if len(lines) > 1 else str(value) or '""'

    def json_schema(self) -> dict[str, Any]:
        pattern = f"^(?:{self.pattern})$" if self.pattern else None
        return {"type": "string", **present(minLength=self.minimum, maxLength=self.maximum, pattern=pattern)}


class Choice(OptionType):
    """Be one of a few words."""

    type: Literal["choice"]
    choices: list[str] = Field(min_length=1)

    @property
    def phrase(self) -> str:
        return "one of " + ", ".join(self.choices)

    def parse(self, node: Node) -> str:
        if isinstance(node.value, str) and node.value in self.choices:
            return node.value
        hint = did_you_mean(node.value, self.choices) if isinstance(node.value, str) else ""
        if node.text in self.choices:
            hint = f'; write "{node.text}"'
        raise ValueError(f"{show(node)} is not {self.phrase}{hint}")

    def json_schema(self) -> dict[str, Any]:
        return {"enum": list(self.choices)}


def check_range(of: Integer | Decimal, value: Any) -> None:
    """Raise ValueError if a number is outside the declared limits."""
    within = limits(of.minimum, of.maximum)
    if of.minimum is not None and value < of.minimum:
        raise ValueError(f"{value} is below {amount(of.minimum, of.unit)}{within}")
    if of.maximum is not None and value > of.maximum:
        raise ValueError(f"{value} is above {amount(of.maximum, of.unit)}{within}")


def present(**keywords: Any) -> dict[str, Any]:
    """Return the keywords that are not None."""
    return {key: value for key, value in keywords.items() if value is not None}


def as_float(number: Number | None) -> float | None:
    """Return a decimal as JSON Schema can hold it."""
    return None if number is None else float(number)
