"""Find every instance whose effective values depend on an option, or on a file or a line of the option tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tandem.errors import InputRefused, Origin, Problem, did_you_mean
from tandem.options.option import Option
from tandem.options.resolve import Effective, Tree
from tandem.options.value import Value
from tandem.source.read import OPTIONS

SERVERS = None
"""What stands for all servers in place of an instance's name."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Hold one value that is reached: of which instance (None: every server), in which environment."""

    instance: str | None
    environment: str | None
    option: Option
    value: Value


def reach(tree: Tree, what: str) -> list[Reached]:
    """Return what an option, a group, a module, an option file or a line `FILE:LINE` of one reaches.

    In an environment only what differs from Global is listed. Raise InputRefused if there is nothing of that name.
    """
    if "/" in what or re.search(r"\.yml(:\d+)?$", what):
        origin = _origin(tree, what)
        return [found for found in _everything(tree) if any(_matches(origin, used) for used in found.value.sources)]
    known = {dotted for options in tree.nodes.options.values() for dotted in options}
    if not any(_within(dotted, what) for dotted in known):
        endings = sorted(dotted for dotted in known if dotted.endswith(f".{what}"))
        hint = f"; did you mean {endings[0]}?" if endings else did_you_mean(what, known)
        raise InputRefused([Problem(Origin("reach"), f"{what} is not an option, nor a file of {OPTIONS}/{hint}")])
    return [found for found in _everything(tree) if _within(found.option.dotted, what)]


def _within(dotted: str, what: str) -> bool:
    """Tell whether an option is the one named, or in the group or module named."""
    return dotted == what or dotted.startswith(f"{what}.")


def _origin(tree: Tree, what: str) -> Origin:
    """Return the origin that an argument names, which may begin with the way to the inventory directory.

    A line inside a value of several lines stands for the value.
    """
    path, _, line = what.partition(":")
    path = path[path.rindex(f"{OPTIONS}/") :] if f"{OPTIONS}/" in path else path
    if path not in tree.files:
        message = f"{path} is not a file of the tree{did_you_mean(path, tree.files)}"
        raise InputRefused([Problem(Origin("reach"), message)])
    if not line.isdigit():
        return Origin(path)
    begins = [value.origin.line or 0 for value in tree.set_in(path) if (value.origin.line or 0) <= int(line)]
    return Origin(path, max(begins, default=int(line)))


def _matches(origin: Origin, value: Value) -> bool:
    """Tell whether a value stands in a file, in the line if one is given."""
    return value.origin.path == origin.path and origin.line in (None, value.origin.line)


def _everything(tree: Tree) -> Iterator[Reached]:
    """Yield every effective value: of servers, of instances, and in environments where they differ from Global."""
    yield from _values(SERVERS, None, tree.base_options(), tree.base())
    for instance in tree.instances:
        options, everywhere = tree.options(instance), tree.effective(instance)
        yield from _values(instance, None, options, everywhere)
        for environment in tree.environments:
            inside = tree.effective(instance, environment)
            if inside is not everywhere:
                other = {
                    dotted: value
                    for dotted, value in inside.items()
                    if options[dotted].scope == "environment" and not same(value, everywhere[dotted])
                }
                yield from _values(instance, environment, options, other)


def same(one: Value, other: Value) -> bool:
    """Tell whether two values were made from the same places."""
    ours, theirs = one.sources, other.sources
    return len(ours) == len(theirs) and all(a is b for a, b in zip(ours, theirs, strict=True))


def _values(
    instance: str | None, environment: str | None, options: Mapping[str, Option], effective: Effective
) -> Iterator[Reached]:
    for dotted, value in effective.items():
        yield Reached(instance, environment, options[dotted], value)
