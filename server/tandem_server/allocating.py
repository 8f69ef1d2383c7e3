"""Have license and allocation ready on the configuration server, for every apply and for whoever pulls them.

An allocation belongs to a configuration: a server gets that of the configuration it is on, or is to come to.
"""

import os
from dataclasses import replace
from xml.etree import ElementTree as ET

from tandem_guard.document import Refused
from tandem_guard.license import Allocation, License, allocation_of
from tandem_guard.sign import signed
from tandem_guard.verdict import BEGINNING
from tandem_guard.xmlsec import allocation_in

from .disk import Json, read_bytes, remove, write_durably
from .documents import Documents, told
from .failure import Failure
from .fetching import fetch
from .store import Store

NEWEST = "/allocations/newest"  # the configuration of the allocation that was made last


def license_now(store: Store, **settings: object) -> Json:
    """Return {license: in base64, if there is one; problems: in words}, after asking the licensing servers."""
    problems, _ = fetch(Documents(), settings, rekey=True)
    try:
        Documents().read_license(str(settings["authority"]).encode())
    except Refused as refused:
        return {"problems": [*problems, f"the license on the configuration server {refused}"]}
    return {**told(store, None), "problems": problems}


def allocate(store: Store, number: int, text: str, key: str, authority: str) -> None:
    """Sign what runs where in a configuration, and keep it.

    `text` is the unsigned allocation, with the number of this run; `key` names the blob with the installation's key.
    The allocation that was made last stays, if it says the same: who has it needs no other.
    """
    wanted = allocation_of(ET.fromstring(text.encode()))  # noqa: S314 - the controller's own, which changes all of this
    path, newest = store.allocation(number), store.directory + NEWEST
    try:
        license_ = Documents().read_license(authority.encode())
        if read_bytes(newest) == str(number).encode() and _same(read_bytes(path), wanted, license_):
            return
        new = signed(text, store.blob(key), None)
        allocation_in(new, license_)
    except Refused as refused:
        hint = "configuration_server.license.key must be the key whose certificate the license carries"
        raise Failure("license", f"the allocation {refused}; {hint}") from None
    with store.alone():
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        write_durably(path, new)
        write_durably(newest, str(number).encode())
        numbers = store.numbers()
        for name in os.listdir(os.path.dirname(path)):
            if name.endswith(".xml") and int(name[:-4]) not in numbers:
                remove(f"{os.path.dirname(path)}/{name}")


def _same(here: bytes | None, wanted: Allocation, license_: License) -> bool:
    """Tell whether an allocation differs in nothing but its number and moment from the one that is wanted."""
    try:
        found = allocation_in(here or b"", license_)
    except Refused:
        return False  # there is none, or it is damaged, or signed with a key that was replaced
    return replace(found, number=0, made=BEGINNING) == replace(wanted, number=0, made=BEGINNING)
