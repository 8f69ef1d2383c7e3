"""Write the source of a stored configuration as files that can be edited and compiled again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tandem.ansible.actions.context import Context
from tandem.configuration.clone import clone


def run(context: Context) -> dict[str, Any]:
    """Clone (see plugins/modules/source.py for what goes in and out)."""
    with context.store() as session:
        configuration = session.configuration(int(context.args["number"]))
        names = sorted(configuration.source())
        if not context.check:
            clone(configuration, Path(context.args["path"]))
    return {"changed": True, "files": names}
