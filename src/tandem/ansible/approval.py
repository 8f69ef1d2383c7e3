"""Keep plans on the configuration server, and take them from there to be applied exactly as they were looked at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from tandem.ansible.session import Session
from tandem.configuration.canonical import Json, digest
from tandem.configuration.places import Place, elsewhere
from tandem.errors import Failed, Problems
from tandem.plan.artefact import record, refusal, stale_number
from tandem.project import INSTALLATION
from tandem.source.read import read_yaml


def astray(session: Session, servers: Iterable[str]) -> dict[str, Place]:
    """Return where those servers are that are not surely on the active configuration; on none: one left out so far."""
    active = session.active()
    members = session.configuration(active).bundles if active is not None else ()
    unseen: dict[str, Place] = {server: [None] for server in members}
    return elsewhere({**unseen, **session.places()}, active, servers)


def keep(session: Session, planned: Json, installation: str) -> str:
    """Store a plan and return its name."""
    plan, shown = record(planned, installation)
    name: str = session.put({digest(shown): shown}, do="keep_plan", plan=plan)
    return name


def approved(session: Session, name: str, directory: Path) -> Json:
    """Return what a stored plan says; raise Failed with the reason when it must not be applied as things are."""
    found: Json = session.ask("plan", name=name)
    plan = found["plan"]
    configuration = session.configuration(int(plan["number"]))
    places = astray(session, configuration.bundles)
    if reason := refusal(found, _installation(directory), session.active(), places):
        raise Failed(reason)
    shown: Json = json.loads(session.blob(plan["shown"]))
    commit = configuration.record.get("commit", "")
    return {
        "number": configuration.number,
        "active": plan["active"],
        "places": places,
        "plan": shown,
        "commit": commit,
        "id": found["name"],
    }


def refuse_stale(session: Session, number: int) -> None:
    """Raise Failed when a configuration was planned against another one than the active, or never."""
    if reason := stale_number(number, session.active(), session.ask("plans")):
        raise Failed(reason)


def _installation(directory: Path) -> str:
    """Return the name of the installation in a directory, without reading more of it."""
    node = read_yaml(directory / INSTALLATION, INSTALLATION, Problems())
    return str(node.entries["name"].value) if node and "name" in node.entries else ""
