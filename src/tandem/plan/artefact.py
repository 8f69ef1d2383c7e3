"""Make a plan a thing of its own: stored, bound to what it was made against, and refused when that has changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tandem.configuration.canonical import Json, canonical, digest
from tandem.configuration.history import SHORT
from tandem.configuration.places import Place, words

FORMAT = 1


def record(planned: Json, installation: str) -> tuple[Json, bytes]:
    """Return what is stored of a plan: its record, whose digest names it, and what was shown, which is a blob."""
    shown = canonical(planned["plan"])
    bound = {name: planned[name] for name in ("number", "active", "places")}
    content = {"format": FORMAT, "installation": installation, "digest": planned["plan"]["digest"]}
    return {**content, **bound, "shown": digest(shown)}, shown


def refusal(found: Json, installation: str, active: int | None, places: Mapping[str, Place]) -> str | None:
    """Say why a stored plan must not be applied as things are; None where it may.

    `found` is {name, used, plan, entry}; `places` are the servers that are not on the active configuration.
    """
    plan, name = found["plan"], f"plan {found['name'][:SHORT]}"
    if plan["installation"] != installation:
        return f"{name} is of the installation {plan['installation']}, not of {installation}"
    if found["used"]:
        entry = found.get("entry")
        by = f", by {entry['author']} at {entry['at']}" if entry else ""
        return f"{name} has been applied already{by}; plan again"
    if plan["active"] != active:
        now = f"configuration {active} is active now" if active is not None else "no configuration is active"
        return f"{name} was made {_against(plan['active'])}, but {now}; plan again"
    if plan["places"] != places:
        moved = {server for server, _ in _pairs(plan["places"]) ^ _pairs(places)}
        return f"{name} is out of date: {_moved(moved, places, active)}; plan again, or tandem apply {plan['number']}"
    return None


def stale_number(number: int, active: int | None, plans: Iterable[Json]) -> str | None:
    """Say why a configuration must not be applied by its number alone; None where it was planned as things are."""
    made = [found["plan"]["active"] for found in plans if found["plan"]["number"] == number and not found["used"]]
    if number == active or active is None or active in made:
        return None
    against = f"was planned {_against(max(made, key=lambda each: each or 0))}" if made else "has not been planned"
    return (
        f"configuration {number} {against}, but configuration {active} is active now: applying it could undo what that "
        f"brought. Look at it with: tandem plan {number}; to go back on purpose: tandem rollback {number}"
    )


def _against(number: int | None) -> str:
    return f"against configuration {number}" if number is not None else "before any was active"


def _pairs(places: Mapping[str, Place]) -> set[tuple[str, str]]:
    return {(server, repr(place)) for server, place in places.items()}


def _moved(servers: Iterable[str], places: Mapping[str, Place], active: int | None) -> str:
    """Say where the servers are now that have moved since."""
    now: dict[str, Place] = {server: places.get(server, [None] if active is None else active) for server in servers}
    return "; ".join(words(now))
