"""Have license and allocation ready on the configuration server, for every apply and for whoever pulls them.

An allocation belongs to a configuration: a server gets that of the configuration it is on, or is to come to.
"""

import contextlib
import os
from dataclasses import replace
from xml.etree import ElementTree as ET

from tandem_guard.counting import limits
from tandem_guard.document import Refused, read
from tandem_guard.license import ALLOCATION_ROOT, MOMENT, Allocation, License, allocation_of
from tandem_guard.sign import signed
from tandem_guard.verdict import BEGINNING
from tandem_guard.xmlsec import allocation_in

from .disk import Json, read_bytes, write_durably
from .failure import Failure
from .fetching import Attempts, fetch
from .licenses import Licenses
from .store import Store


def licenses_now(store: Store, *, names: list[str], **settings: object) -> Json:
    """Return what there is of licenses, by name, after asking the licensing servers.

    Each is {license: in base64, if there is one; problems: in words; before: what was used once, if that is known}.
    """
    licenses, attempts = Licenses(store), Attempts()
    return {name: _license_now(licenses, name, settings, attempts) for name in names}


def _license_now(licenses: Licenses, name: str, settings: Json, attempts: Attempts) -> Json:
    documents = licenses.documents(name)
    problems, _ = fetch(documents, settings, attempts, rekey=True)
    if not os.path.exists(documents.license):
        return {"problems": problems}
    try:
        license_ = documents.read_license(str(settings["authority"]).encode())
    except Refused as refused:
        return {"problems": [*problems, f"license {name} on the configuration server {refused}"]}
    found = licenses.told(name, None)["license"]
    return {"license": found, "problems": problems, "before": _before(licenses, name, license_)}


def _before(licenses: Licenses, name: str, license_: License) -> Json | None:
    """Return what was used by the oldest allocation that is kept of the same sites as the newest one.

    {at: its moment, sites, used: how much, by limit}. It only tells how fast things grow: damaged ones are passed over.
    """
    paths = sorted((licenses.allocation(name, number) for number in licenses.numbers(name)), key=_written)
    newest = next(filter(None, map(_said, reversed(paths))), None)
    if newest is None:
        return None
    sites = {*newest.sites.values()}
    alike = (found for found in map(_said, paths) if found and {*found.sites.values()} == sites)
    first = next(alike, newest)  # few are read: each names all servers
    used = {limit.name: limit.used for limit in limits(license_, first)}
    return {"at": first.made.strftime(MOMENT), "sites": sorted(sites), "used": used}


def _written(path: str) -> float:
    with contextlib.suppress(OSError):
        return os.path.getmtime(path)
    return 0.0


def _said(path: str) -> Allocation | None:
    """Return what an allocation says that is our own; None where it is damaged or gone."""
    with contextlib.suppress(Refused, OSError):
        return allocation_of(read(read_bytes(path) or b"", ALLOCATION_ROOT, certified=False))
    return None


def allocate(  # noqa: PLR0913
    store: Store, *, number: int, name: str, text: str, key: str, authority: str, names: dict[str, str]
) -> None:
    """Sign what a configuration uses of a license, and keep it, with which license each server needs (`names`).

    `text` is the unsigned allocation, with the number of this run; `key` names the blob with the installation's key.
    The allocation that was made last stays, if it says the same: who has it needs no other.
    """
    licenses = Licenses(store)
    wanted = allocation_of(ET.fromstring(text.encode()))  # noqa: S314 - the controller's own, which changes all of this
    path, newest = licenses.allocation(name, number), licenses.newest(name)
    try:
        license_ = licenses.documents(name).read_license(authority.encode())
        stays = read_bytes(newest) == str(number).encode() and _same(read_bytes(path), wanted, license_)
        new = b"" if stays else signed(text, store.blob(key), None)
        if new:
            allocation_in(new, license_)
    except Refused as refused:
        hint = "configuration_server.license.key must be the key whose certificate the license carries"
        raise Failure("license", f"the allocation {refused}; {hint}") from None
    with store.alone():
        licenses.note(number, names)
        if new:
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            write_durably(path, new)
            write_durably(newest, str(number).encode())
            licenses.prune()


def _same(here: bytes | None, wanted: Allocation, license_: License) -> bool:
    """Tell whether an allocation differs in nothing but its number and moment from the one that is wanted."""
    try:
        found = allocation_in(here or b"", license_)
    except Refused:
        return False  # there is none, or it is damaged, or signed with a key that was replaced
    return replace(found, number=0, made=BEGINNING) == replace(wanted, number=0, made=BEGINNING)
