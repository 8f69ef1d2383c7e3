"""Compare servers with the active configuration, and change nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from tandem.ansible.actions.context import Context
from tandem.ansible.actions.wave import Wave, brief
from tandem.ansible.session import Session
from tandem.errors import Failed

Json = dict[str, Any]


def run(context: Context) -> Json:
    """Look for drift (see plugins/modules/drift_info.py for what goes in and out)."""
    with context.store() as session:
        active = session.active()
        if active is None:
            raise Failed("no configuration is active yet: apply one first")
        found = _wave(context, session, active, session.configuration(active).bundles).run()
    return {**found, "number": active}


def look(context: Context, session: Session, active: int, servers: Iterable[str]) -> Json:
    """Return what is not as the active configuration says: {changes: by server, unseen: why, by server}."""
    outcomes = list(_wave(context, session, active, servers).outcomes(lambda _server, _step: None))
    return {
        "changes": {each.server: brief(each.result) for each in outcomes if each.result.get("changed")},
        "unseen": {each.server: each.failed for each in outcomes if not each.good},
    }


def _wave(context: Context, session: Session, active: int, servers: Iterable[str]) -> Wave:
    """Return a wave of servers that are only looked at."""
    looking = copy.copy(context)
    looking.check = True
    steps: list[Json] = [{"server": server, "hold": [], "instances": []} for server in sorted(servers)]
    looking.args = {"number": active, "run": 0, "steps": steps}
    return Wave(looking, session)
