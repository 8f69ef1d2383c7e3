"""Say what every server is on, should be on, and what its agent said last."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from tandem.ansible.actions.context import Context
from tandem.configuration.places import Place, possible
from tandem.errors import Failed, one_line

Json = dict[str, Any]
SLACK = 60.0  # seconds that an agent may be late beyond its interval and its random delay
LONGEST = 100  # characters of what an agent said that are shown to people
MINUTE, HOUR, DAY = 60, 3600, 86400


def run(context: Context) -> Json:
    """Look at the fleet (see plugins/modules/agent_info.py for what goes in and out)."""
    with context.store() as session:
        active = session.active()
        if active is None:
            raise Failed("no configuration is active yet: apply one first")
        heard, places, expected = session.ask("heard"), session.places(), session.expected()
        names = sorted({*session.configuration(active).bundles, *expected})
    servers = {name: _server(heard.get(name), places.get(name), expected.get(name)) for name in names}
    return {"changed": False, "active": active, "servers": servers, "report": report(servers)}


def _server(heard: Mapping[str, Any] | None, place: Place | None, expected: Mapping[str, int] | None) -> Json:
    """Return what is known of one server; what it is on the store knows best, its agent may be behind."""
    found: Json = {"on": place, "should": expected["number"] if expected else None, "age": None, "stale": False}
    if heard is None:
        return {**found, "mode": None, "program": None, "did": ""}
    late = heard["age"] > heard["interval"] * 1.2 + SLACK
    said = {key: heard[key] for key in ("mode", "program", "did")}
    return {**found, "age": round(heard["age"]), "stale": late, **said}


def report(servers: Mapping[str, Json]) -> list[str]:
    """Return the lines for people, a server in each."""
    rows: list[tuple[str, ...]] = [("server", "is on", "should be on", "agent", "heard", "said last")]
    for name, server in servers.items():
        should = server["should"] if server["should"] not in (None, server["on"]) else ""
        heard = "never" if server["age"] is None else f"{_ago(server['age'])} ago"
        on = " or ".join("nothing" if number is None else str(number) for number in possible(server["on"]))
        row = (name, on, should, server["mode"] or "", heard + (" (stale)" * server["stale"]))
        rows.append((*map(str, row), textwrap.shorten(one_line(server["did"]), LONGEST, placeholder=" …")))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _ago(seconds: int) -> str:
    """Return a time in its largest unit."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
