"""Explain whence an instance has the value of an option: every set that was looked at, and which of them won.

The value and its sources are those that `Tree.effective` computes; only what stands beside them is looked up here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tandem.errors import InputRefused, Origin, Problem, did_you_mean
from tandem.options.lists import List, Several
from tandem.options.nodes import LEVELS
from tandem.options.option import Option
from tandem.options.resolve import Tree
from tandem.options.value import Level, Value
from tandem.source.read import option_file


@dataclass(frozen=True, slots=True)
class Step:
    """Hold one set that was looked at; `value` is None where it says nothing, `counts` tells whether it was used."""

    level: Level
    environment: str | None
    origin: Origin
    value: Value | None
    counts: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Hold the value of an option for an instance, or for all servers, and how it came about."""

    option: Option
    instance: str | None
    environment: str | None
    value: Value
    steps: tuple[Step, ...]
    reason: str


def explain(tree: Tree, name: str, dotted: str, environment: str | None = None) -> Explanation:
    """Explain an option of an instance, in Global or in an environment; raise InputRefused for unknown names."""
    if name not in tree:
        raise _unknown(f"{name} is not an instance{did_you_mean(name, tree.instances)}")
    if environment is not None and environment not in tree.environments:
        raise _unknown(f"{environment} is not an environment{did_you_mean(environment, tree.environments)}")
    option = _option(tree.options(name), dotted)
    place, value = tree.place(name), tree.effective(name, environment)[dotted]
    steps = _steps(tree, option, (place[:depth] for depth in range(len(place), -1, -1)), environment, value)
    return Explanation(option, name, environment, value, steps, _reason(option, value, steps))


def explain_base(tree: Tree, dotted: str) -> Explanation:
    """Explain an option that holds for servers; raise InputRefused if there is none of that name."""
    option = _option(tree.base_options(), dotted)
    value = tree.base()[dotted]
    steps = _steps(tree, option, [()], None, value)
    return Explanation(option, None, None, value, steps, _reason(option, value, steps))


def _unknown(message: str) -> InputRefused:
    return InputRefused([Problem(Origin("explain"), message)])


def _option(options: Any, dotted: str) -> Option:
    """Return an option by its dotted name; one whose module is left out is suggested."""
    if dotted in options:
        found: Option = options[dotted]
        return found
    endings = [name for name in options if name.endswith(f".{dotted}")]
    hint = f"; did you mean {endings[0]}?" if endings else did_you_mean(dotted, options)
    application = next(iter(options.values())).application if options else "it"
    raise _unknown(f"{dotted} is not an option of {application}{hint}")


def _steps(tree: Tree, option: Option, places: Any, environment: str | None, value: Value) -> tuple[Step, ...]:
    """Return every set that resolution looks at, the strongest first."""
    steps = []
    which = (environment, None) if environment is not None and option.scope == "environment" else (None,)
    for place in places:
        sets = tree.layers.get(place, {}).get(option.application, {})
        for name in which:
            found = sets.get(name, {}).get(option.dotted)
            origin = found.origin if found else Origin(option_file(place))
            steps.append(Step(LEVELS[len(place)], name, origin, found, any(found is used for used in value.sources)))
    default = option.default
    counts = any(default is used for used in value.sources)
    steps.append(Step("default", None, default.origin if default else option.origin, default, counts))
    return tuple(steps)


def _reason(option: Option, value: Value, steps: tuple[Step, ...]) -> str:
    """Say why the value that holds is the one."""
    if option.union:
        return "every level contributes, the lowest first"
    if value.level == "default":
        return "no level sets it"
    if value.environment is not None:
        beaten = any(s.level == value.level and s.environment is None and s.value for s in steps)
        return f"on its level {value.environment} goes before Global" if beaten else "the lowest level that sets it"
    return "the lowest level that sets it"


def written(option: Option, value: Value) -> str:
    """Show a value as it stands in its file; what a contribution strikes out has "not" before it."""
    kind = option.type
    if not isinstance(kind, Several) or option.secret:
        return option.show(value.value)
    show = kind.items.show if isinstance(kind, List) else str
    struck = ", ".join(f"not {show(item)}" for item in value.struck)
    return ", ".join(filter(None, (kind.show(value.value) if value.value or not struck else "", struck)))


def record(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON can hold it; secrets are masked."""
    option, value = explanation.option, explanation.value
    return {
        "option": option.dotted,
        "instance": explanation.instance,
        "environment": explanation.environment,
        "value": option.plain(value.value),
        "unit": option.unit,
        "description": option.description,
        "effect": option.effect,
        "reason": explanation.reason,
        "levels": [
            {
                "level": step.level,
                "environment": step.environment,
                "path": step.origin.path,
                "line": step.origin.line,
                "set": step.value is not None,
                "value": option.plain(step.value.value) if step.value else None,
                "struck": list(step.value.struck) if step.value else [],
                "used": step.counts,
            }
            for step in explanation.steps
        ],
    }
