"""Show what is not as it was applied, from what the servers answered: {changes, unseen}."""

from __future__ import annotations

from collections.abc import Iterator

from tandem.configuration.canonical import Json


def lines(drift: Json) -> Iterator[str]:
    """Yield what applying would put back on which server, and the servers that could not be looked at."""
    if drift["changes"]:
        yield ""
        yield "  not as it was applied; applying puts it back:"
    for server, change in sorted(drift["changes"].items()):
        yield f"      {server:<12} {', '.join(items(change))}"
    for server, reason in sorted(drift["unseen"].items()):
        yield f"  {server} could not be looked at: {reason.splitlines()[0]}"


def items(change: Json) -> list[str]:
    """Return everything that differs on one server, in words: what would be done to files, units and addresses."""
    found = [f"{each['action']} {each['path']}" for each in change["files"]]
    found += [f"{each['action']} {each['name']}" for each in change["units"]]
    return found + [f"{each['action']} {each['address']}" for each in change["addresses"]]
