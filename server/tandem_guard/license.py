"""Say what a license allows and an allocation uses."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from xml.etree.ElementTree import Element

from .document import ALLOCATION, LICENSE, Refused
from .form import NAME, NUMBER, TIME

DOWNLOAD = timedelta(days=8)
"""How long a license is good after it was signed: signed every night, at least seven days remain (spec 02)."""
MOMENT = "%Y-%m-%dT%H:%M:%SZ"
LICENSE_ROOT, ALLOCATION_ROOT = f"{{{LICENSE}}}License", f"{{{ALLOCATION}}}Allocation"
T = TypeVar("T")

Entitlement = int | bool
"""A limit (0: no limit) or whether something is allowed."""


@dataclass(frozen=True)
class License:
    """What the vendor allows an installation, or one site of it (`site`).

    `servers` is the number of servers that may run anything, `kinds` that of application servers by their kind; of a
    kind that is not there none is allowed. `bundled` are kinds of which there may be as many as of another one.
    `entitlements` are those of applications by name. `certificate` is that of the installation's own key, in DER.
    """

    installation: str
    owner: str
    serial: int
    issued: datetime
    expires: datetime
    valid_from: datetime
    valid_until: datetime
    servers: int
    kinds: Mapping[str, int]
    bundled: Mapping[str, str]
    entitlements: Mapping[str, Mapping[str, Entitlement]]
    certificate: bytes
    seed: str
    site: str | None = None

    @property
    def order(self) -> tuple[int, datetime]:
        """Return what says which of two licenses is newer: the larger."""
        return self.serial, self.valid_from

    def limit(self, kind: str) -> int:
        """Return how many servers of a kind are allowed."""
        return self.kinds.get(self.bundled.get(kind, kind), 0)


@dataclass(frozen=True)
class Use:
    """What an instance uses of the license: where it is, what it is, and its options that are licensed."""

    name: str
    application: str
    kind: str
    address: str
    server: str
    options: Mapping[str, Entitlement]


@dataclass(frozen=True)
class Allocation:
    """What runs where since the apply `number`; `servers` are management addresses, `sites` those of servers."""

    installation: str
    number: int
    made: datetime
    servers: Mapping[str, str]
    sites: Mapping[str, str]
    instances: Mapping[str, Use]


def license_of(root: Element) -> License:
    """Return what a license says; raise Refused where it says something that none can."""
    kinds = _named(root, "Kind")
    for name, each in kinds.items():
        if ("as" in each.attrib) == ("limit" in each.attrib):
            raise Refused(f"has the Kind {name} with either a limit and another kind, or with neither")
    [servers] = _exactly_one(root, "Servers")
    return License(
        installation=_name(root, "installation"),
        site=_name(root, "site") if "site" in root.attrib else None,
        owner=_text(root, "owner"),
        serial=_number(root, "serial"),
        issued=_moment(root, "issued"),
        expires=_moment(root, "expires"),
        valid_from=_moment(root, "from"),
        valid_until=_moment(root, "until"),
        servers=_number(servers, "limit"),
        kinds={name: _number(each, "limit") for name, each in kinds.items() if "as" not in each.attrib},
        bundled={name: _name(each, "as") for name, each in kinds.items() if "as" in each.attrib},
        entitlements={name: _options(each) for name, each in _named(root, "Application").items()},
        certificate=_base64(root, "Certificate"),
        seed=_inside(root, "Seed"),
    )


def allocation_of(root: Element) -> Allocation:
    """Return what an allocation says; raise Refused where it says something that none can."""
    servers = _named(root, "Server")
    instances: dict[str, Use] = {}
    for server, inside in servers.items():
        for name, each in _named(inside, "Instance").items():
            if name in instances:
                raise Refused(f"has the Instance {name} twice")
            instances[name] = Use(
                name=name,
                application=_name(each, "application"),
                kind=_name(each, "kind"),
                address=_text(each, "address"),
                server=server,
                options=_options(each),
            )
    return Allocation(
        installation=_name(root, "installation"),
        number=_number(root, "number"),
        made=_moment(root, "made"),
        servers={name: _text(each, "address") for name, each in servers.items()},
        sites={name: _name(each, "site") for name, each in servers.items()},
        instances=instances,
    )


def _options(element: Element) -> dict[str, Entitlement]:
    return {name: _entitlement(each) for name, each in _named(element, "Option").items()}


def _entitlement(element: Element) -> Entitlement:
    text = _text(element, "value")
    return text == "yes" if text in ("yes", "no") else _number(element, "value")


def _children(element: Element, name: str) -> Iterator[Element]:
    """Yield the children with a name, in the namespace of their parent."""
    namespace = element.tag.partition("}")[0]
    return (child for child in element if child.tag == f"{namespace}}}{name}")


def _named(element: Element, name: str) -> dict[str, Element]:
    """Return the children of a kind by their own names, of which none may be there twice."""
    found: dict[str, Element] = {}
    for child in _children(element, name):
        if (own := _name(child, "name")) in found:
            raise Refused(f"has the {name} {own} twice")
        found[own] = child
    return found


def _exactly_one(element: Element, name: str) -> list[Element]:
    found = list(_children(element, name))
    if len(found) != 1:
        raise Refused(f"has {len(found)} elements {name}; exactly one must be there")
    return found


def _inside(element: Element, name: str) -> str:
    [found] = _exactly_one(element, name)
    return "".join((found.text or "").split())


def _base64(element: Element, name: str) -> bytes:
    try:
        return base64.b64decode(_inside(element, name), validate=True)
    except binascii.Error:
        raise Refused(f"{name} is not base64") from None


def _text(element: Element, name: str) -> str:
    return _read(element, name, str)


def _name(element: Element, name: str) -> str:
    return _read(element, name, partial(_matching, NAME, str))


def _number(element: Element, name: str) -> int:
    return _read(element, name, partial(_matching, NUMBER, int))


def _moment(element: Element, name: str) -> datetime:
    def read(text: str) -> datetime:
        return datetime.strptime(text, MOMENT).replace(tzinfo=UTC)

    return _read(element, name, partial(_matching, TIME, read))


def _matching(pattern: re.Pattern[str], read: Callable[[str], T], text: str) -> T:
    """Return a text, read in some way; raise ValueError where it has another form (that of the schemas)."""
    if not pattern.fullmatch(text):
        raise ValueError(text)
    return read(text)


def _read(element: Element, name: str, read: Callable[[str], T]) -> T:
    """Return an attribute, read in some way; raise Refused where that cannot be."""
    tag = element.tag.rpartition("}")[2]
    try:
        return read(element.attrib[name])
    except KeyError:
        raise Refused(f"{tag} has no {name}") from None
    except ValueError:
        raise Refused(f'{tag}: {name} is "{element.attrib[name]}", which cannot be') from None
