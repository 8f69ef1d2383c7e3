"""Order applications by what must start before them."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from tandem.errors import InputRefused, Origin, Problem

After = Mapping[str, tuple[str, ...]]
"""Maps each application to those that start before it."""


def ranks(after: After) -> dict[str, int]:
    """Return how many applications, one after the other, start before each; raise InputRefused for a circle.

    >>> ranks({"billing_engine": ("database",), "database": (), "web": ("billing_engine",)})
    {'database': 0, 'billing_engine': 1, 'web': 2}
    """
    found: dict[str, int] = {}
    for name in _sorted(after):
        found[name] = max((found[earlier] + 1 for earlier in after.get(name, ())), default=0)
    return found


def earlier(after: After) -> dict[str, frozenset[str]]:
    """Return everything that starts before each application, directly or not.

    >>> sorted(earlier({"billing_engine": ("database",), "database": (), "web": ("billing_engine",)})["web"])
    ['billing_engine', 'database']
    """
    found: dict[str, frozenset[str]] = {}
    for name in _sorted(after):
        found[name] = frozenset(after.get(name, ())).union(*(found[before] for before in after.get(name, ())))
    return found


def _sorted(after: After) -> list[str]:
    try:
        return list(TopologicalSorter({name: sorted(before) for name, before in sorted(after.items())}).static_order())
    except CycleError as error:
        circle = " after ".join(error.args[1])
        origin = Origin(f"roles/{error.args[1][0]}/meta/application.yml")
        raise InputRefused([Problem(origin, f"after: goes in a circle: {circle}")]) from None
