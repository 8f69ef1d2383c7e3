"""End a run: make its configuration the active one and give the lease back, or only that; all in one round trip."""

from __future__ import annotations

import time
from typing import Any

from tandem.ansible.actions.context import Context


def run(context: Context) -> dict[str, Any]:
    """End the run (see plugins/modules/activation.py for what goes in and out)."""
    if context.check:
        return {"changed": False}
    run = context.args["run"]
    release = {"do": "release", "run": run}
    if context.args["state"] == "released":
        with context.store(release) as session:
            session.ask(**release)
            return {"changed": False}
    end = {
        "do": "end",
        "run": run,
        "number": context.args["number"],
        "without": context.args.get("without") or [],
        "entry": {
            "author": context.holder,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "comment": context.args.get("comment") or "",
        },
        "plan": context.args.get("plan") or None,
    }
    with context.store(end, release) as session:
        ended: dict[str, Any] = session.ask(**end)
        session.ask(**release)
    return {**ended, "released": True}
