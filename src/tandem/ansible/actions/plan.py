"""Compile, store and plan: what going from the active configuration to another would do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tandem.ansible import licensing, progress
from tandem.ansible.actions.context import CONFIGURATION_SERVER, Context
from tandem.ansible.actions.drift_info import look, stored
from tandem.ansible.approval import approved, astray, keep, refuse_stale
from tandem.ansible.connection import Connection
from tandem.ansible.licensing import Terms
from tandem.ansible.lines import opened
from tandem.ansible.session import Session, acquiring, content
from tandem.configuration import Configuration, compile_model
from tandem.configuration.diff import unified
from tandem.configuration.places import Place, assumed, possible, words
from tandem.configuration.store import StoredConfiguration
from tandem.errors import Failed
from tandem.model import outline
from tandem.plan import make
from tandem.plan.away import refuse_without
from tandem.plan.drift import lines as drift_lines
from tandem.plan.report import awaited, heading, how_to_apply, licensed, lines
from tandem.project import INSTALLATION, roles_directory

Json = dict[str, Any]


def run(context: Context) -> Json:
    """Plan (see plugins/modules/plan.py for what goes in and out)."""
    stored = context.args.get("number") is not None or context.args.get("plan")
    configuration = None if stored else _compile(context)
    if configuration:
        refuse_without(context.args.get("without") or [], configuration, None)
    terms = _terms(context, configuration) if configuration else None
    if not context.args.get("lease") or context.check:
        with context.store(content(known=configuration), *_asking(terms)) as session:
            begun: Json = {"report": []}
            _license(session, begun, terms, configuration)
            planned, _ = _looked_at(context, session, configuration, terms, begun)
    else:
        planned = _begun(context, configuration, terms)
    progress.emit("plan", **planned)
    return {"changed": False, **planned}


def _begun(context: Context, configuration: Configuration | None, terms: Terms | None) -> Json:
    """Begin a run: take the lease and plan; the lines to its servers are opened meanwhile.

    Where a license is needed, none is opened before it allows what is to be applied.
    """
    holder, take_over = context.holder, bool(context.args.get("take_over"))
    asked = [acquiring(holder, take_over=take_over), content(known=configuration), *_asking(terms)]
    with ExitStack() as open_:
        if terms is None:
            open_.enter_context(opened(context.loop, _ways(context, configuration)))
        session = open_.enter_context(context.store(*asked))
        run, took_over = session.acquire(holder, take_over=take_over)
        try:
            with session.renewing(run):
                begun: Json = {"run": run, "took_over": took_over, "report": []}
                if terms:
                    _license(session, begun, terms, configuration)
                    open_.enter_context(opened(context.loop, _ways(context, configuration)))
                planned, terms = _looked_at(context, session, configuration, terms, begun)
                if terms:
                    wanted = configuration or _stored(session, planned)
                    licensing.allocate(session, terms, wanted, int(planned["number"]), run)
                return planned
        except BaseException:
            session.ask("release", run=run)
            raise


def _looked_at(
    context: Context, session: Session, configuration: Configuration | None, terms: Terms | None, begun: Json
) -> tuple[Json, Terms | None]:
    """Plan, and look at the license of a stored configuration, as has been done of the source; return its terms too."""
    planned = _planned(context, session, configuration)
    planned = {**begun, **planned, "report": [*planned["report"], *begun["report"]]}
    if configuration is None:
        stored = _stored(session, planned)
        terms = _terms(context, stored)
        _license(session, planned, terms, stored)
    return planned, terms


def _terms(context: Context, wanted: Configuration | StoredConfiguration) -> Terms | None:
    servers = context.groups.get(CONFIGURATION_SERVER)
    return Terms.of(wanted, servers[0]) if servers else None


def _stored(session: Session, planned: Json) -> StoredConfiguration:
    return session.configuration(int(planned["number"]))


def _asking(terms: Terms | None) -> list[Json]:
    """Return the request for the license, if one is needed, as far as that is known yet."""
    return [terms.request] if terms else []


def _license(
    session: Session, planned: Json, terms: Terms | None, wanted: Configuration | StoredConfiguration | None
) -> None:
    """Say in a plan how much of its licenses the installation uses; raise NotLicensed where that is not allowed."""
    if terms and wanted:
        planned["licenses"] = licensing.check(session, terms, wanted, plan="run" not in planned)
        planned["report"] += [f"  {line}" for line in licensed(planned["licenses"])]


def _ways(context: Context, configuration: Configuration | None) -> list[Connection]:
    """Return the ways to the servers of this run, as many as are talked to at once.

    The store's is opened by itself, and whose servers a stored configuration has is not known yet.
    """
    others = {*(context.args.get("without") or []), *context.groups.get(CONFIGURATION_SERVER, [])}
    servers = context.limited_to.intersection(configuration.bundles if configuration else ()) - others
    return context.direct(servers)


def _compile(context: Context) -> Configuration:
    """Compile before anything is contacted: what is wrong with the source must cost nothing."""
    configuration = compile_model(outline(context.directory, roles_directory()), context.decrypt)
    if configuration.unreadable and context.args.get("lease"):
        options = sorted(
            {option for files in configuration.unreadable.values() for names in files.values() for option in names}
        )
        raise Failed(
            f"{', '.join(options)}: cannot be read without the vault's password; "
            "give it with --vault-password-file or ANSIBLE_VAULT_PASSWORD_FILE"
        )
    return configuration


def _planned(context: Context, session: Session, configuration: Configuration | None) -> Json:
    """Return a stored plan as it was made, or a new one, and how it reads."""
    if configuration:
        session.know(configuration)
    if name := context.args.get("plan"):
        planned = approved(session, str(name), context.directory)
        _refuse_other_without(context, planned)
    else:
        planned = _plan(context, session, configuration)
    _refuse_strangers(context, planned, configuration or session.configuration(planned["number"]))
    planned = {**planned, "expected": session.expected()}
    report = [heading(planned), *(f"  {line}" for line in words(planned["places"])), *lines(planned["plan"])]
    report += [f"  {line}" for line in awaited(planned)]
    report += planned.get("diff", [])
    if planned["active"] is not None and context.args.get("drift"):
        without = planned["plan"]["without"]
        on = {server: number for server, number in stored(session).items() if server not in without}
        planned["drift"] = look(context, session, on)
        report += drift_lines(planned["drift"])
    if planned["id"] and not context.args.get("lease"):
        report += ["", how_to_apply(planned["id"])]
    return {**planned, "report": report}


def _refuse_other_without(context: Context, planned: Json) -> None:
    """Raise Failed where a plan is to be applied without other servers than it was made without."""
    asked, made = context.args.get("without"), planned["plan"]["without"]
    if asked and sorted({*asked}) != made:
        was = f"without {', '.join(made)}" if made else "with all servers"
        raise Failed(f"plan {planned['id']} was made {was}; make another one without {', '.join(sorted({*asked}))}")


def _refuse_strangers(context: Context, planned: Json, content: Configuration | StoredConfiguration) -> None:
    """Raise Failed where a configuration has servers that the inventory does not have: nobody would go there."""
    strangers = sorted(content.bundles.keys() - {*context.groups["all"], *planned["plan"]["without"]})
    if strangers:
        raise Failed(
            f"{', '.join(strangers)}: in configuration {planned['number']}, but not in {INSTALLATION}; "
            f"write it there as it was, or leave it out (--without {strangers[0]})"
        )


def _plan(context: Context, session: Session, configuration: Configuration | None) -> Json:
    active, number = session.active(), context.args.get("number")
    leased = bool(context.args.get("lease"))
    if number is not None and leased and not context.args.get("back"):
        refuse_stale(session, int(number))
    old = session.configuration(active) if active is not None else None
    new: Configuration | StoredConfiguration
    if configuration is None:
        new = session.configuration(int(number or 0))
    else:
        new = configuration
        number = None if context.check or configuration.unreadable else _store(context, session, configuration)
    places = astray(session, new.bundles)
    if old:
        _fetch_edited(session, old, new)
    doubtful = [server for server, place in places.items() if len(possible(place)) > 1]
    on = _on(session, places, number)
    plan = make(old, new, on, context.args.get("without") or [], doubtful)
    commit = _commit(context.directory) if configuration else {"commit": new.record.get("commit", "")}
    planned: Json = {"number": number, "active": active, "places": places, "plan": plan.to_json(), "id": None, **commit}
    if not context.check and number is not None and not (plan.empty and number == active):
        planned["id"] = keep(session, planned, new.installation)
    if context.diff and not leased:  # while applying, servers show their own differences
        planned["diff"] = unified(plan.files, old or next(filter(None, on.values()), None), new)  # any has all contents
    return planned


def _on(session: Session, places: Mapping[str, Place], number: int | None) -> dict[str, StoredConfiguration | None]:
    """Return what servers are on, as far as a plan has to know it, that are not surely on the active configuration."""
    on = {server: assumed(place, number, session.numbers()) for server, place in places.items()}
    known = {at: session.configuration(at) for at in {*on.values()} if at is not None}
    return {server: known[at] if at is not None else None for server, at in on.items()}


def _fetch_edited(session: Session, old: StoredConfiguration, new: Configuration | StoredConfiguration) -> None:
    """Fetch the source files that were edited, and values that differ, at once; a fresh configuration has its own."""
    for held, other in ((old, new), (new, old)):
        if isinstance(held, StoredConfiguration):
            edited = (held.sources.items() - other.sources.items()) | (held.resolved.items() - other.resolved.items())
            session.fetch(sorted(name for _, name in edited))


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
