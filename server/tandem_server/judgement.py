"""Judge by license and allocation what may run on this server, and say so where monitoring looks."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from tandem_guard.document import Refused
from tandem_guard.license import MOMENT, Allocation, License, Use
from tandem_guard.verdict import Here, instance, whole
from tandem_guard.warnings import warnings
from tandem_guard.xmlsec import allocation_in

from .disk import Json, canonical, gate, read_json, write_durably
from .documents import SERVER, Documents
from .state import RUNTIME

STATUS = RUNTIME + "/license.json"
STOPPED = "/stopped.json"  # below the documents: names of instances that the license keeps from running


@dataclass(frozen=True)
class Verdict:
    """Why nothing may start here (`reasons`), and whether that is because the license's time is over (`past`)."""

    reasons: list[str]
    past: bool
    license: License | None = None
    allocation: Allocation | None = None

    def warnings(self) -> list[str]:
        """Return what will soon be in the way, beside the reasons."""
        if self.license is None or self.allocation is None:
            return []
        found = warnings(self.license, self.allocation, datetime.now(UTC))
        return [warning for warning in found if warning not in self.reasons]


def guard(name: str) -> int:
    """Return 0 where an instance may start, otherwise 1, having said why not.

    That it can be written down nowhere, on a full disk or for damage there, keeps nothing from starting.
    """
    documents = Documents()
    if not documents.licensed:
        return 0
    reasons = why_not(documents, name)
    for reason in reasons:
        print(f"{name} must not start: {reason}", file=sys.stderr)
    with contextlib.suppress(OSError, ValueError):
        note(documents, {name: reasons})
    return int(bool(reasons))


def why_not(documents: Documents, name: str) -> list[str]:
    """Return why an instance may not start here, by the committed allocation and, while there is one, the proposed."""
    settings = documents.settings()
    if name not in settings.get("instances", {}):
        return [f"{name} is not in {SERVER}; apply this server's configuration"]
    proposed = [documents.proposed] if os.path.exists(documents.proposed) else []
    found: list[list[str]] = []
    for path in (*proposed, documents.allocation):
        verdict = judge(documents, path)
        reasons = verdict.reasons
        if not reasons and verdict.allocation:
            reasons = list(instance(verdict.allocation, here(settings), use(settings, name)))
        if not reasons:
            return []
        found.append(reasons)
    return found[0]


def judge(documents: Documents, path: str | None = None) -> Verdict:
    """Return what is to be said of everything here, by the committed allocation or another one.

    What has been seen is remembered. A damaged license says nothing of the time: that of the last good one counts.
    """
    now, seen, settings = datetime.now(UTC), documents.seen(), documents.settings()
    try:
        license_ = documents.read_license()
    except Refused as refused:
        return Verdict([f"{documents.license} {refused}"], past=now > seen.until)
    past = now > license_.valid_until or now >= license_.expires
    path = path or documents.allocation
    try:
        allocation = documents.read_allocation(license_, path)
    except Refused as refused:
        return Verdict([f"{path} {refused}"], past, license_)
    reasons = list(whole(license_, allocation, here(settings), seen, now))
    if not reasons:
        with contextlib.suppress(OSError):
            documents.remember(license_, allocation.number if path == documents.allocation else 0)
    return Verdict(reasons, past, license_, allocation)


def foreign(documents: Documents, data: bytes) -> Iterator[str]:
    """Yield why an allocation that nobody has applied here is not to be taken: with it something could not start."""
    settings = documents.settings()
    try:
        license_ = documents.read_license()
        allocation = allocation_in(data, license_)
    except Refused as refused:
        yield str(refused)
        return
    yield from whole(license_, allocation, here(settings), documents.seen(), datetime.now(UTC))
    for name in settings.get("instances", {}):
        yield from instance(allocation, here(settings), use(settings, name))


def here(settings: Json) -> Here:
    """Return what the configuration says of this server."""
    names = ("installation", "site", "server", "address")
    return Here(*(str(settings.get(name, "")) for name in names))


def use(settings: Json, name: str) -> Use:
    """Return what the configuration says of an instance."""
    said = settings["instances"][name]
    return Use(name, said["application"], said["kind"], said["address"], str(settings["server"]), said["options"])


def stopped(documents: Documents) -> list[str]:
    """Name the instances that the license has stopped, or has kept from starting."""
    return sorted(read_json(documents.top + STOPPED, "remove it") or {})


def note(documents: Documents, judged: dict[str, list[str]]) -> None:
    """Keep which instances the license keeps from running, and tell monitoring of it."""
    own = documents.settings().get("instances", {})
    with documents.alone():
        before = read_json(documents.top + STOPPED, "remove it") or {}
        kept = {**before, **judged}
        after = {name: reasons for name, reasons in sorted(kept.items()) if reasons and name in own}
        if after != before:
            write_durably(documents.top + STOPPED, canonical(after))
    tell(instances=after, **({} if after else {"good": True, "reasons": []}))


def tell(**changed: object) -> None:
    """Change what monitoring reads."""
    os.makedirs(RUNTIME, exist_ok=True)
    with gate(RUNTIME + "/license.gate"):
        status = {**(read_json(STATUS, "remove it") or {}), **changed}
        write_durably(STATUS, canonical({**status, "at": datetime.now(UTC).strftime(MOMENT)}), 0o644)
