"""Have the license looked at before anything is done: by the configuration server, by signxml, and against a plan."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
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
from tandem.license.report import Before, Report

Json = dict[str, Any]
FILES = "/etc/tandem/license/"
NAME = "server.license.name"
NOTHING_DONE = "Nothing was applied, and no server but the configuration server was contacted."


class NotLicensed(TandemError):
    """Say in how far the license does not allow what is planned (exit status 2); `facts` say how much is used."""

    exit_status = 2

    def __init__(self, message: str, licenses: list[Json]) -> None:
        super().__init__(message)
        self.facts = {"licenses": licenses}


@dataclass(frozen=True)
class Needed:
    """A license that a configuration needs: for which sites, and whether one of them has it as its own."""

    name: str
    sites: frozenset[str]
    own: bool = False


@dataclass(frozen=True)
class Terms:
    """What a configuration says of its licenses, on the configuration server."""

    asked: Json
    key: str | None  # the blob with the installation's key; None where it could not be read
    needed: list[Needed]
    names: Mapping[str, str]  # of the license of each server

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
        asked = {name: settings[name] for name in ("installation", "servers", "port", "timeout")}
        asked["authority"] = content.blob(_digest(authority)).decode()
        asked["servers_authority"] = texts["servers.pem"].decode()
        key = named.get(f"{FILES}key.pem")
        return Terms(asked, key.digest if key else None, *_needed(content))

    @property
    def request(self) -> Json:
        """Return the request that has the configuration server fetch the licenses."""
        return {"do": "licenses", **self.asked, "names": [each.name for each in self.needed]}

    def whose(self, needed: Needed) -> str:
        """Say which license one is."""
        return f"license {needed.name}" if len(self.needed) > 1 else "license"


def _needed(content: Content) -> tuple[list[Needed], dict[str, str]]:
    """Return which licenses a configuration needs, and the name of each server's."""
    tree = content.tree()
    [named, *_] = tree["base"].get(NAME) or [""]
    everywhere, names, sites = named or content.installation, {}, defaultdict[str, set[str]](set)
    for server, entry in tree["servers"].items():
        names[server] = entry.get("license") or everywhere
        sites[names[server]].add(entry["site"])
    return [Needed(name, frozenset(sites[name]), name != everywhere) for name in sorted(sites)], names


def _digest(file: File) -> str:
    assert file.digest, "what a license is believed by is no secret"
    return file.digest


def check(session: Session, terms: Terms, content: Content, *, plan: bool) -> list[Json]:
    """Have the licenses fetched, and return how much of each is used, and what is to be warned of.

    Raise NotLicensed where they do not allow the configuration; a mere `plan` is only warned where there is none.
    """
    answers = session.ask(**terms.request)
    found, refused = [], []
    for needed in terms.needed:
        facts, reasons = _checked(terms, needed, answers[needed.name], content, plan=plan)
        found.append(facts)
        refused += [*answers[needed.name]["problems"], *reasons] if reasons else []
    if refused:
        raise NotLicensed("\n".join([*refused, NOTHING_DONE]), found)
    return found


def _checked(terms: Terms, needed: Needed, answer: Json, content: Content, *, plan: bool) -> tuple[Json, list[str]]:
    """Return how much of a license is used and what is to be warned of, and why what is planned is not licensed."""
    whose, problems, now = terms.whose(needed), answer["problems"], datetime.now(UTC)
    if "license" not in answer:
        warnings = [*problems, f"there is no {whose}, so this cannot be applied"]
        reasons = [] if plan else [f"There is no {whose} to apply by."]
        return {"license": whose, "warnings": warnings, "room": []}, reasons
    try:
        license_ = believed(answer["license"], terms, now)
    except Refused as refused:
        return {"license": whose, "warnings": [f"the {whose} {refused}"], "room": []}, [f"the {whose} {refused}"]
    allocation = allocation_of(content.installation, content.tree(), 0, now, needed.sites)
    report = Report(license_, allocation, now, Before.of(answer["before"]))
    late = [f"the {whose} here is good until {shown(license_.valid_until)}"] if problems else []
    facts = report.facts()
    foreign = [*_foreign(whose, needed, license_, content.installation)]
    over = f" by the {whose}" if needed.own else ""
    reasons = [f"not licensed{over}: {limit} ({', '.join(limit.by)})" for limit in exceeded(license_, allocation)]
    warnings = [*problems, *late, *foreign, *facts["warnings"]]
    found = {**facts, "license": whose, "warnings": warnings, "room": report.room()}
    return found, [*foreign, *in_time(license_, Seen(), now), *reasons]


def believed(text: str, terms: Terms, now: datetime) -> License:
    """Return the license as signxml believes it; raise Refused where it does not."""
    from tandem.license.signature import license_in  # noqa: PLC0415  slow to load

    return license_in(base64.b64decode(text), terms.asked["authority"].encode(), now)


def _foreign(whose: str, needed: Needed, license_: License, installation: str) -> Iterator[str]:
    """Yield why a license is not that of the sites that need it."""
    if license_.installation != installation:
        yield f"the {whose} is for {license_.installation}; this installation is {installation}"
    if needed.own and license_.site is None:  # or it would count the servers of each site for themselves
        yield f"the {whose} is for the whole installation; site {', '.join(needed.sites)} needs one of its own"
    if license_.site and (others := sorted(needed.sites - {license_.site})):
        yield f"the {whose} is for site {license_.site} alone, and not for {', '.join(others)}"


def allocate(session: Session, terms: Terms, content: Content, number: int, run: int) -> None:
    """Have signed what runs where in a stored configuration, for the servers of a run to judge by."""
    from tandem.license.write import allocation_element, text  # noqa: PLC0415  slow to load

    if terms.key is None:
        raise Failed("configuration_server.license.key is not on the configuration server of this configuration")
    now = datetime.now(UTC).replace(microsecond=0)
    by = {"run": run, "number": number, "key": terms.key, "authority": terms.asked["authority"], "names": terms.names}
    for needed in terms.needed:
        allocation = allocation_of(content.installation, content.tree(), run, now, needed.sites)
        session.ask("allocate", name=needed.name, text=text(allocation_element(allocation)), **by)
