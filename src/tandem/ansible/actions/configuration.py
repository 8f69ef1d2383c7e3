"""Change what is stored: mark a configuration, discard a candidate, prune what is old."""

from __future__ import annotations

import time
from typing import Any

from tandem.ansible.actions.context import Context
from tandem.ansible.session import Session
from tandem.configuration.history import pruned

Json = dict[str, Any]


def run(context: Context) -> Json:
    """Change the store (see plugins/modules/configuration.py for what goes in and out)."""
    state, number = context.args["state"], context.args.get("number")
    entry = {
        "author": context.holder,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "comment": context.args.get("comment") or "",
    }
    with context.store() as session:
        if state == "marked" and context.args["remove"]:
            return {"changed": session.ask("unmark", number=number, check=context.check)}
        if state == "marked":
            return {"changed": session.ask("mark", number=number, entry=entry, check=context.check)}
        if state == "absent" and number not in session.numbers():
            return {"changed": False}
        run, _ = session.acquire(context.holder, take_over=False)
        try:
            with session.renewing(run):
                return _remove(context, session, {"run": run, "entry": entry, "check": context.check})
        finally:
            session.ask("release", run=run)


def _remove(context: Context, session: Session, request: Json) -> Json:
    """Remove configurations, holding the lease: none is taken from under a run."""
    if context.args["state"] == "absent":
        session.ask("discard", number=context.args["number"], **request)
        return {"changed": True}
    found: Json = session.ask("prune", keep=context.args["keep"], **request)
    report = list(pruned(found, check=context.check))
    return {"changed": bool(found["removed"] or found["blobs"]), **found, "report": report}
