"""Check a node against a pydantic model, and say what is wrong in our words, with file and line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tandem.errors import Problems, did_you_mean, one_line
from tandem.source.node import Node

T = TypeVar("T")

WORDS = {
    "string_type": "is not text",
    "int_type": "is not a whole number",
    "bool_type": "is not true or false",
    "dict_type": "is not a mapping",
    "mapping_type": "is not a mapping",
    "model_type": "is not a mapping",
    "model_attributes_type": "is not a mapping",
    "list_type": "is not a list",
    "tuple_type": "is not a list",
}


class Frozen(BaseModel):
    """Refuse unknown attributes, convert nothing, and never change after loading.

    What validates is built when it is first needed: mostly the cache has what it would validate.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


def show(node: Node) -> str:
    """Return a value as a message quotes it: text in quotes, anything long cut short, a secret never."""
    if isinstance(node.value, str):
        text = one_line(node.value)
        return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'
    return "nothing" if node.empty else node.text


def validate(
    adapter: TypeAdapter[T], node: Node, problems: Problems, where: str = "", known: Iterable[str] = ()
) -> T | None:
    """Return the node as what the adapter describes, or None after noting every mistake.

    `where` begins each message (the dotted name of the node); `known` are the keys that could have been meant.
    """
    if node.broken:
        return None
    try:
        return adapter.validate_python(node.plain())
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=True):
            problems.add(*_explain(detail, node, where, known))
        return None


def _explain(detail: Any, node: Node, where: str, known: Iterable[str]) -> tuple[Any, str]:
    """Return the origin and the message for one of pydantic's errors."""
    place, path = node, []
    for step in detail["loc"]:
        inside = place.at((step,))
        if inside is not place:
            place = inside
            path.append(str(step))
    name = ".".join(filter(None, (where, *path)))
    prefix = f"{name}: " if name else ""
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    match detail["type"]:
        case "missing":
            return place.origin, f"{prefix}{last} is missing"
        case "extra_forbidden":
            parent = ".".join(filter(None, (where, *path[:-1])))
            return place.origin, f"{parent + ': ' if parent else ''}{last} is not known here{did_you_mean(last, known)}"
        case "literal_error":
            return place.origin, f"{prefix}{show(place)} is not {detail['ctx']['expected'].replace(chr(39), '')}"
        case "value_error":
            return place.origin, f"{prefix}{show(place)} {detail['ctx']['error']}"
        case "union_tag_not_found":
            return place.origin, f"{prefix}type is missing"
        case "union_tag_invalid":
            tags = detail["ctx"]["expected_tags"].replace("'", "")
            return place.at(("type",)).origin, f"{prefix}{detail['ctx']['tag']} is not a type; types are {tags}"
        case kind:
            return place.origin, f"{prefix}{show(place)} {WORDS.get(kind) or 'is refused: ' + detail['msg']}"
