"""Compile, store and plan: what going from the active configuration to another would do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tandem.ansible import progress
from tandem.ansible.actions.context import Context
from tandem.ansible.session import Session
from tandem.configuration import Configuration, compile_model
from tandem.configuration.diff import unified
from tandem.configuration.store import StoredConfiguration
from tandem.errors import Failed
from tandem.model import load
from tandem.plan import make
from tandem.plan.away import refuse_without
from tandem.plan.report import heading, lines
from tandem.project import roles_directory

Json = dict[str, Any]


def run(context: Context) -> Json:
    """Plan (see plugins/modules/plan.py for what goes in and out)."""
    number = context.args.get("number")
    configuration = None if number is not None else _compile(context)
    if configuration:
        refuse_without(context.args.get("without") or [], configuration, None)
    with context.store() as session:
        if not context.args.get("lease") or context.check:
            planned = _plan(context, session, configuration, number)
        else:
            run, took_over = session.acquire(context.holder, take_over=bool(context.args.get("take_over")))
            try:
                with session.renewing(run):
                    planned = {"run": run, "took_over": took_over, **_plan(context, session, configuration, number)}
            except BaseException:
                session.ask("release", run=run)
                raise
    progress.emit("plan", **planned)
    return {"changed": False, **planned}


def _compile(context: Context) -> Configuration:
    """Compile before anything is contacted: what is wrong with the source must cost nothing."""
    configuration = compile_model(load(context.directory, roles_directory()), context.decrypt)
    if configuration.unreadable and context.args.get("lease"):
        options = sorted(
            {option for files in configuration.unreadable.values() for names in files.values() for option in names}
        )
        raise Failed(
            f"{', '.join(options)}: cannot be read without the vault's password; "
            "give it with --vault-password-file or ANSIBLE_VAULT_PASSWORD_FILE"
        )
    return configuration


def _plan(context: Context, session: Session, configuration: Configuration | None, number: int | None) -> Json:
    active = session.active()
    old = session.configuration(active) if active is not None else None
    new: Configuration | StoredConfiguration
    if configuration is None:
        new = session.configuration(int(number or 0))
    else:
        new = configuration
        number = None if context.check or configuration.unreadable else _store(context, session, configuration)
    astray = {server: at for server, at in session.servers().items() if at != active and server in new.bundles}
    without = context.args.get("without") or []
    plan = make(old, new, {server: session.configuration(at) for server, at in astray.items()}, without)
    planned: Json = {"number": number, "active": active, "plan": plan.to_json(), **_commit(context.directory)}
    planned["report"] = [heading(planned), *lines(planned["plan"]), *_awaited(session, without)]
    if context.diff and not context.args.get("lease"):  # while applying, servers show their own differences
        planned["report"] += unified(plan.files, old, new)
    return planned


def _awaited(session: Session, without: list[str]) -> Iterator[str]:
    """Yield the servers that an earlier run has left out, and that are not back yet."""
    for server, expected in sorted(session.expected().items()):
        if server not in without:
            yield f"  {server} is to come to configuration {expected['number']}: run {expected['run']} left it out"


def _store(context: Context, session: Session, configuration: Configuration) -> int:
    description = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "author": context.holder,
        "comment": context.args.get("comment") or "",
        **_commit(context.directory),
    }
    return session.add({**configuration.record, **description}, configuration.blobs)


def _commit(directory: Path) -> Json:
    """Return the commit that the installation's directory is at; empty where git does not know it."""
    command = ["git", "-C", str(directory), "log", "-1", "--format=%h", "--", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"commit": done.stdout.strip() if done.returncode == 0 else ""}
