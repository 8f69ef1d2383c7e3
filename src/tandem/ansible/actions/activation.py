"""End a run: make its configuration the active one, or just give the lease back."""

from __future__ import annotations

import time
from typing import Any

from tandem.ansible.actions.context import Context


def run(context: Context) -> dict[str, Any]:
    """End the run (see plugins/modules/activation.py for what goes in and out)."""
    if context.check:
        return {"changed": False}
    with context.store() as session:
        if context.args["state"] == "released":
            session.ask("release", run=context.args["run"])
            return {"changed": False}
        number = int(context.args["number"])
        configuration = session.configuration(number)
        elsewhere = {server for server in configuration.bundles if session.servers().get(server) != number}
        without = set(context.args.get("without") or [])
        if elsewhere - without:
            return {"changed": False, "pending": sorted(elsewhere - without)}
        # recorded first: a run that dies in between has brought every other server there
        session.ask("expect", run=context.args["run"], servers=sorted(elsewhere), number=number)
        ended = {"pending": [], "expected": sorted(elsewhere)}
        if session.active() == number:
            return {"changed": False, **ended}
        entry = {
            "author": context.holder,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "comment": context.args.get("comment") or "",
        }
        plan = context.args.get("plan") or None
        session.ask("activate", run=context.args["run"], number=number, entry=entry, plan=plan)
        return {"changed": True, **ended}
