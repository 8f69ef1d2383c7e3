"""Check that every option file stands at a node of the tree, and that what is required is set."""

from __future__ import annotations

from collections.abc import Container, Iterable

from tandem.errors import Origin, Problems, did_you_mean
from tandem.options.lists import Several
from tandem.options.nodes import Nodes
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


def check_required(tree: Tree, instances: Iterable[str], unreadable: Container[TreePath], problems: Problems) -> None:
    """Note every option that is required and not set, with those of some instances that lack it.

    Instances below a file that could not be read are left out: what they lack may well stand there.
    """
    lacking: dict[tuple[str, str], list[str]] = {}
    for instance in instances:
        application = tree.application(instance)
        effective = tree.effective(instance)
        lacks = [dotted for dotted in tree.required[application] if dotted not in effective]
        if lacks and not any(tree.place(instance)[:depth] in unreadable for depth in range(4)):
            for dotted in lacks:
                lacking.setdefault((application, dotted), []).append(instance)
    for (_, dotted), found in lacking.items():
        where = option_file(tree.place(found[0])[:1])
        message = f"{dotted} is required and not set, for {_listed(found)}; set it in {where} or below"
        problems.add(min((tree.origin(instance) for instance in found), key=lambda o: o.sort_key), message)


def check_unions(tree: Tree, instances: Iterable[str], problems: Problems) -> None:
    """Note every union of some instances in which the levels together contribute too many or too few items."""
    for instance in instances:
        for dotted, kind in tree.unions[tree.application(instance)].items():
            for environment in (None, *tree.environments) if kind.limited else ():
                value = tree.effective(instance, environment).get(dotted)
                _check_number(kind, value, f"{dotted}, for {instance}", problems)


def check_base(tree: Tree, unreadable: Container[TreePath], problems: Problems) -> None:
    """Note what the options that hold for servers lack, or have too many or too few items of."""
    base, effective = tree.nodes.base, tree.base()
    for dotted in tree.required.get(base, ()):
        if dotted not in effective and () not in unreadable:
            problems.add(Origin(option_file(())), f"{dotted} is required and not set; set it here")
    for dotted, kind in tree.unions.get(base, {}).items():
        if kind.limited:
            _check_number(kind, effective.get(dotted), dotted, problems)


def _check_number(kind: Several, value: Value | None, where: str, problems: Problems) -> None:
    """Check the number of items, unless what there is has been reported already."""
    if value is None or value.value is BROKEN:
        return
    try:
        kind.check_number(len(value.value))
    except ValueError as error:
        problems.add(value.origin, f"{where}: {error}")


def _listed(names: list[str]) -> str:
    """Join names, only counting those beyond the first few."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
