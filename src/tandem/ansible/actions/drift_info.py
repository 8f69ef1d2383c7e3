"""Compare servers with the configuration that each is on, and change nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from tandem.ansible.actions.context import Context
from tandem.ansible.actions.wave import Wave, brief, together
from tandem.ansible.session import Session
from tandem.errors import Failed

Json = dict[str, Any]


def run(context: Context) -> Json:
    """Look for drift (see plugins/modules/drift_info.py for what goes in and out)."""
    with context.store() as session:
        active = session.active()
        if active is None:
            raise Failed("no configuration is active yet: apply one first")
        on = dict.fromkeys(session.configuration(active).bundles, active) | stored(session)
        found = [wave.run() for wave in _waves(context, session, on)]
    return {**together(found), "number": active}


def stored(session: Session) -> dict[str, int]:
    """Return what the servers of the active configuration, and those that a later one adds, surely are on."""
    active = session.active() or 0
    members = session.configuration(active).bundles
    return {
        server: number
        for server, number in session.servers().items()
        if number in session.numbers() and (server in members or number > active)
    }


def look(context: Context, session: Session, on: Mapping[str, int]) -> Json:
    """Return what is not as it was applied, of servers and what they are on: {changes, unseen: why}, by server."""
    waves = _waves(context, session, on)
    outcomes = [outcome for wave in waves for outcome in wave.outcomes(lambda _server, _step: None)]
    return {
        "changes": {each.server: brief(each.result) for each in outcomes if each.result.get("changed")},
        "unseen": {each.server: each.failed for each in outcomes if not each.good},
    }


def _waves(context: Context, session: Session, on: Mapping[str, int]) -> list[Wave]:
    """Return a wave for each configuration that servers are on, as far as `--limit` lets them through."""
    here = {server: number for server, number in on.items() if server in context.limited_to}
    return [
        _wave(context, session, number, [server for server in here if here[server] == number])
        for number in sorted({*here.values()})
    ]


def _wave(context: Context, session: Session, number: int, servers: Iterable[str]) -> Wave:
    """Return a wave of servers that are only looked at."""
    looking = copy.copy(context)
    looking.check = True
    steps: list[Json] = [{"server": server, "hold": [], "instances": []} for server in sorted(servers)]
    looking.args = {"number": number, "run": 0, "steps": steps}
    return Wave(looking, session)
