"""Compare every server with the active configuration, and change nothing."""

from __future__ import annotations

from typing import Any

from tandem.ansible.actions.context import Context
from tandem.ansible.actions.wave import Wave
from tandem.errors import Failed


def run(context: Context) -> dict[str, Any]:
    """Look for drift (see plugins/modules/drift_info.py for what goes in and out)."""
    with context.store() as session:
        active = session.active()
        if active is None:
            raise Failed("no configuration is active yet: apply one first")
        context.check = True
        servers = sorted(session.configuration(active).bundles)
        steps: list[dict[str, Any]] = [{"server": server, "hold": [], "instances": None} for server in servers]
        context.args.update(number=active, run=0, steps=steps)
        found = Wave(context, session).run()
    return {**found, "number": active}
