"""Write JSON Schemas of option files, by which editors complete and check them while they are typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tandem.options.lists import NOT, List, Map
from tandem.options.option import Option

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The dialect that editors' YAML servers know best."""

Schema = dict[str, Any]


def options_schema(title: str, options: Iterable[Option], environments: tuple[str, ...]) -> Schema:
    """Return the schema of an option file that may set the given options."""
    everything = list(options)
    inside = _modules(option for option in everything if option.scope == "environment")
    by_environment: Schema = {"description": "Values for one environment, which go before Global on the same level."}
    names = {"enum": list(environments)}
    return {
        "$schema": DIALECT,
        "title": title,
        **_object(
            {
                **_modules(everything),
                "environments": {
                    **by_environment,
                    "type": ["object", "null"],
                    "propertyNames": names,
                    "additionalProperties": _object(inside),
                },
            }
        ),
    }


def _modules(options: Iterable[Option]) -> dict[str, Schema]:
    """Return the schemas of modules, with their groups and options inside."""
    modules: dict[str, dict[str, dict[str, Schema]]] = {}
    for option in options:
        modules.setdefault(option.module, {}).setdefault(option.group, {})[option.name] = option_schema(option)
    return {
        module: _object({group: _object(inside) for group, inside in groups.items()})
        for module, groups in modules.items()
    }


def _object(properties: Mapping[str, Schema]) -> Schema:
    """Return the schema of a mapping that knows its keys; nothing at all is an empty one."""
    return {"type": ["object", "null"], "properties": dict(properties), "additionalProperties": False}


def option_schema(option: Option) -> Schema:
    """Return the schema of one option's value; null leaves it unset."""
    words = [option.description, f"{option.type.phrase[0].upper()}{option.type.phrase[1:]}."]
    if option.secret:
        words.append("Secret: must be !vault.")
    if option.required:
        words.append("Must be set.")
    words.append(effect(option))
    schema: Schema = {"description": " ".join(words), "anyOf": [_value(option), {"type": "null"}]}
    if option.default is not None:
        schema["default"] = option.plain(option.default.value)
    return schema


def _value(option: Option) -> Schema:
    """Return the schema of a value as a level may write it, strikes of a union included."""
    if option.secret:
        return {"type": "string", "pattern": r"^\s*\$ANSIBLE_VAULT;"}
    schema = option.type.json_schema()
    if option.union and isinstance(option.type, List):
        item = schema["items"]
        strike = {"type": "object", "properties": {NOT: item}, "required": [NOT], "additionalProperties": False}
        return {"type": "array", "items": {"anyOf": [item, strike]}}
    if option.union and isinstance(option.type, Map):
        return {"type": "object", "additionalProperties": {"anyOf": [schema["additionalProperties"], {"type": "null"}]}}
    return schema


def effect(option: Option) -> str:
    """Say in a sentence what a change of the option does."""
    if option.effect == "none":
        return "A change interrupts nothing."
    return f"A change {option.effect}s {option.application}."
