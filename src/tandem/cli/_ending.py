"""Say how an apply ended: what changed, what failed, which servers are on which configuration, what to do next."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
MOST_NAMES = 10


def ending(results: dict[str, list[Json]], *, check: bool) -> list[str]:
    """Return the last lines of an apply or a rollback, from the results of its tasks."""
    planned = results.get("plan", [{}])[-1]
    if "plan" not in planned:
        return []
    waves = [wave for wave in results.get("wave", []) if "done" in wave]
    changed = sorted({server for wave in waves for server in wave["changes"]})
    failed = sorted({server for wave in waves for server in wave["failures"]})
    if check:
        return [f"{_servers(changed)} would change. Nothing was changed."]
    number, active, places = planned["number"], planned["active"], planned["places"]
    last = {step["server"]: turn for turn, wave in enumerate(planned["plan"]["waves"]) for step in wave["steps"]}
    done = {server for turn, wave in enumerate(waves) for server in wave["done"] if turn >= last[server]}
    there = {server for server in last if places.get(server, active) == number}
    pending = sorted(last.keys() - (done | there).difference(failed))
    without = planned["plan"]["without"]
    if failed:
        away = [server for wave in waves for server in wave["away"]]
        return [
            f"Stopped. {_servers(changed)} changed, {_names(failed)} failed.",
            f"Not on configuration {number}: {_names(pending)}. {_stays(active)}",
            f"When the cause is mended: tandem apply {number}{_without(without)}",
            *([f"To go on without what is away: tandem apply {number}{_without([*without, *away])}"] if away else []),
        ]
    activations = [each for each in results.get("activation", []) if "pending" in each]
    if pending := activations[-1]["pending"] if activations else pending:
        return [f"{_servers(changed)} changed. Still pending: {_names(pending)}. {_stays(active)}"]
    if not activations and number != active:
        every = f"Every server except {_names(without)}" if without else "Every server"
        standing = f"{every} is on configuration {number}, but it is not active."
        return [
            f"{_servers(changed)} changed. {standing} {_stays(active)}",
            f"To make it the active one: tandem apply {number}{_without(without)}",
        ]
    expected = activations[-1]["expected"] if activations else []
    left = f" Left out, and to come to it when back: {_names(expected)}." if expected else ""
    return [f"{_servers(changed)} changed. Configuration {number} is active.{left}"]


def _without(servers: list[str]) -> str:
    return "".join(f" --without {server}" for server in sorted(set(servers)))


def _stays(active: int | None) -> str:
    return f"Configuration {active} stays the active one." if active is not None else "No configuration is active yet."


def _servers(names: list[str]) -> str:
    return f"{len(names)} server{'' if len(names) == 1 else 's'}"


def _names(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
