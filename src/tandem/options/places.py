"""Check that every option file stands at a node of the tree, and that what is required is set."""

from __future__ import annotations

from collections.abc import Iterable

from tandem.errors import Origin, Problems, did_you_mean
from tandem.options.lists import Several
from tandem.options.nodes import Nodes
from tandem.options.option import Option
from tandem.options.resolve import Tree
from tandem.options.value import Value
from tandem.source.node import BROKEN
from tandem.source.read import TreePath, option_file

NAMED = 5
"""How many instances a message names before it only counts them."""


def check_places(places: Iterable[TreePath], nodes: Nodes, problems: Problems) -> None:
    """Note every option file that matches no node of the tree, with the nearest node there is."""
    for place in places:
        message = _misplaced(place, nodes) if place else ""
        if message:
            problems.add(Origin(option_file(place)), message)


def _misplaced(place: TreePath, nodes: Nodes) -> str:
    """Say why a place does not exist; "" if it does, or may."""
    if len(place) > 3:
        return "is too deep; below options/ come suite, cluster and instance"
    suite = place[0]
    if suite not in nodes.suites:
        return f"{suite} is not a suite{did_you_mean(suite, nodes.suites)}"
    if len(place) == 1 or not nodes.complete or place[1] in nodes.doubtful:
        return ""
    branch = nodes.clusters.get(place[1])
    if branch is None:
        inside = [name for name, other in nodes.clusters.items() if other.suite == suite]
        return f"there is no cluster {place[1]} in suite {suite}{did_you_mean(place[1], inside)}"
    if branch.suite != suite:
        right = option_file((branch.suite, *place[1:]))
        return f"cluster {branch.name} is in suite {branch.suite}; move the file to {right}"
    if len(place) == 2 or place[2] in branch.instances or place[2] in nodes.doubtful:
        return ""
    for other in nodes.clusters.values():
        if place[2] in other.instances:
            right = option_file((other.suite, other.name, place[2]))
            return f"instance {place[2]} is in cluster {other.name}; move the file to {right}"
    return f"there is no instance {place[2]} in cluster {branch.name}{did_you_mean(place[2], branch.instances)}"


def check_required(tree: Tree, unreadable: set[TreePath], problems: Problems) -> None:
    """Note every option that is required and not set, with the instances that lack it.

    Instances below a file that could not be read are left out: what they lack may well stand there.
    """
    lacking: dict[tuple[str, str], list[str]] = {}
    origins: dict[str, Origin] = {}
    for branch in tree.nodes.clusters.values():
        required = [option.dotted for option in tree.nodes.options[branch.application].values() if option.required]
        for instance, origin in branch.instances.items():
            place = tree.place(instance)
            if required and not any(place[:depth] in unreadable for depth in range(4)):
                origins[instance] = origin
                for dotted in required:
                    if dotted not in tree.effective(instance):
                        lacking.setdefault((branch.application, dotted), []).append(instance)
    for (application, dotted), instances in lacking.items():
        where = option_file((next(b.suite for b in tree.nodes.clusters.values() if b.application == application),))
        message = f"{dotted} is required and not set, for {_listed(instances)}; set it in {where} or below"
        problems.add(min((origins[instance] for instance in instances), key=lambda o: o.sort_key), message)
    if () not in unreadable:
        for dotted, option in tree.base_options().items():
            if option.required and dotted not in tree.base():
                problems.add(Origin(option_file(())), f"{dotted} is required and not set; set it here")


def check_unions(tree: Tree, problems: Problems) -> None:
    """Note every union in which the levels together contribute too many or too few items."""
    limited = {
        application: [o for o in options.values() if isinstance(o.type, Several) and o.union and o.type.limited]
        for application, options in tree.nodes.options.items()
    }
    for branch in tree.nodes.clusters.values():
        for option in limited[branch.application]:
            for instance in branch.instances:
                for environment in (None, *tree.environments):
                    value = tree.effective(instance, environment)[option.dotted]
                    _check_number(option, value, f"{option.dotted}, for {instance}", problems)
    for option in limited.get(tree.nodes.base, []):
        _check_number(option, tree.base()[option.dotted], option.dotted, problems)


def _check_number(option: Option, value: Value, where: str, problems: Problems) -> None:
    assert isinstance(option.type, Several)
    try:
        option.type.check_number(len(value.value) if value.value is not BROKEN else option.type.minimum or 0)
    except ValueError as error:
        problems.add(value.origin, f"{where}: {error}")


def _listed(names: list[str]) -> str:
    """Join names, only counting those beyond the first few."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
