"""Have the license looked at before anything is done: by the configuration server, by signxml, and against a plan."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tandem_guard.counting import exceeded
from tandem_guard.document import Refused
from tandem_guard.license import License
from tandem_guard.verdict import Seen, in_time, shown

from tandem.ansible.session import Session
from tandem.configuration.bundle import File
from tandem.configuration.content import Content
from tandem.errors import Failed, TandemError
from tandem.license.allocation import allocation_of
from tandem.license.report import Report

Json = dict[str, Any]
FILES = "/etc/tandem/license/"
NOTHING_DONE = "Nothing was applied, and no server but the configuration server was contacted."


class NotLicensed(TandemError):
    """Say in how far the license does not allow what is planned (exit status 2)."""

    exit_status = 2


@dataclass(frozen=True)
class Terms:
    """What a configuration says of its license, on the configuration server."""

    asked: Json
    key: str | None  # the blob with the installation's key; None where it could not be read

    @staticmethod
    def of(content: Content, server: str) -> Terms | None:
        """Return what a configuration says, and None where its installation needs no license."""
        keeper = server if server in content.bundles else min(content.bundles, default=None)
        if keeper is None:
            return None
        files = content.bundle(keeper).files
        named = {file.path: file for file in files if isinstance(file, File) and file.path.startswith(FILES)}
        authority = named.get(f"{FILES}authority.pem")
        if authority is None or not authority.size:
            return None
        texts = {name: content.blob(_digest(named[FILES + name])) for name in ("server.json", "servers.pem")}
        settings = json.loads(texts["server.json"])
        asked = {name: settings[name] for name in ("installation", "servers", "port", "timeout", "name")}
        asked["authority"] = content.blob(_digest(authority)).decode()
        asked["servers_authority"] = texts["servers.pem"].decode()
        key = named.get(f"{FILES}key.pem")
        return Terms(asked, key.digest if key else None)

    @property
    def request(self) -> Json:
        """Return the request that has the configuration server fetch the license."""
        return {"do": "license", **self.asked}


def _digest(file: File) -> str:
    assert file.digest, "what a license is believed by is no secret"
    return file.digest


def check(session: Session, terms: Terms, content: Content, *, plan: bool) -> Json:
    """Have the license fetched, and return how much of it is used, and what is to be warned of.

    Raise NotLicensed where it does not allow the configuration; a mere `plan` is only warned where there is none.
    """
    answer = session.ask(**terms.request)
    problems: list[str] = answer["problems"]
    now = datetime.now(UTC)
    if "license" not in answer:
        if plan:
            return {"warnings": [*problems, "there is no license, so this cannot be applied"], "room": []}
        raise NotLicensed("\n".join([*problems, "There is no license to apply by.", NOTHING_DONE]))
    try:
        license_ = believed(answer["license"], terms, now)
    except Refused as refused:
        raise NotLicensed(f"the license {refused}. {NOTHING_DONE}") from None
    report = Report(license_, allocation_of(content.installation, content.tree(), 0, now), now)
    if reasons := [*_refusals(license_, report)]:
        raise NotLicensed("\n".join([*problems, *reasons, NOTHING_DONE]))
    late = [f"the license here is good until {shown(license_.valid_until)}"] if problems else []
    facts = report.facts()
    return {
        **facts,
        "warnings": [*problems, *late, *facts["warnings"]],
        "room": [str(limit) for limit in report.limits],
    }


def believed(text: str, terms: Terms, now: datetime) -> License:
    """Return the license as signxml believes it; raise Refused where it does not."""
    from tandem.license.signature import license_in  # noqa: PLC0415  slow to load

    return license_in(base64.b64decode(text), terms.asked["authority"].encode(), now)


def _refusals(license_: License, report: Report) -> list[str]:
    """Return why what is planned is not licensed."""
    allocation, reasons = report.allocation, []
    if license_.installation != allocation.installation:
        reasons.append(f"the license is for {license_.installation}; this installation is {allocation.installation}")
    if license_.site:
        reasons.append(f"the license is for site {license_.site} alone; one for the whole installation is needed")
    reasons += in_time(license_, Seen(), report.at)
    return reasons + [f"not licensed: {limit} ({', '.join(limit.by)})" for limit in exceeded(license_, allocation)]


def allocate(session: Session, terms: Terms, content: Content, number: int, run: int) -> None:
    """Have signed what runs where in a stored configuration, for the servers of a run to judge by."""
    from tandem.license.write import allocation_element, text  # noqa: PLC0415  slow to load

    if terms.key is None:
        raise Failed("configuration_server.license.key is not on the configuration server of this configuration")
    now = datetime.now(UTC).replace(microsecond=0)
    element = allocation_element(allocation_of(content.installation, content.tree(), run, now))
    authority = terms.asked["authority"]
    session.ask("allocate", run=run, number=number, text=text(element), key=terms.key, authority=authority)
