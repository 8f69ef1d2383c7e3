"""Tell the history of configurations, compare two of them, or look for corruption of the store; change nothing."""

from __future__ import annotations

from typing import Any

from tandem.ansible.actions.context import Context
from tandem.ansible.session import Session
from tandem.configuration import Configuration, compile_model
from tandem.configuration.diff import unified
from tandem.configuration.history import lines, ordered
from tandem.configuration.store import StoredConfiguration
from tandem.model import outline
from tandem.plan import make
from tandem.plan.report import compared
from tandem.plan.report import lines as plan_lines
from tandem.project import roles_directory

Json = dict[str, Any]


def run(context: Context) -> Json:
    """Tell (see plugins/modules/configurations_info.py for what goes in and out)."""
    numbers: list[int] = context.args["compare"]
    source = (
        compile_model(outline(context.directory, roles_directory()), context.decrypt) if len(numbers) == 1 else None
    )
    with context.store() as session:
        if context.args["verify"]:
            return _verify(session)
        if numbers:
            return _compare(context, session, source)
        history = ordered(session.ask("history"))
    return {"changed": False, **history, "report": list(lines(history))}


def _verify(session: Session) -> Json:
    problems: list[str] = session.ask("fsck")
    result: Json = {"changed": False, "problems": problems, "report": [*problems, *([] if problems else [SOUND])]}
    if problems:
        result |= {"failed": True, "msg": "\n".join(problems)}
    return result


SOUND = "The store is sound."


def _compare(context: Context, session: Session, source: Configuration | None) -> Json:
    """Tell in the words of a plan what differs between two configurations, or one and the source."""
    numbers: list[int] = context.args["compare"]
    old = session.configuration(numbers[0])
    new: Configuration | StoredConfiguration = source or session.configuration(numbers[1])
    plan = make(old, new)
    found = plan.to_json()
    report = [compared(numbers[0], numbers[1] if len(numbers) > 1 else None), *plan_lines(found)]
    diff = unified(plan.files, old, new) if context.diff else []
    return {"changed": False, "difference": found, "diff_lines": diff, "report": [*report, *diff]}
