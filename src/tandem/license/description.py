"""Read what a license shall say, as a vendor writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, TypeAdapter
from tandem_guard.form import NAME

from tandem.errors import Problems
from tandem.source import read_yaml
from tandem.source.validate import Frozen, validate

LARGEST = 999_999_999
LONGEST_OWNER = 200


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError("is not a name: letters, digits, - and _, beginning with a letter")
    return value


def _owner(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= LONGEST_OWNER:
        raise ValueError(f"is not a name that can be printed, of at most {LONGEST_OWNER} characters")
    return value


def _entitlement(value: object) -> bool | int:
    if not isinstance(value, bool | int) or not 0 <= value <= LARGEST:
        raise ValueError("is neither true nor false, nor a whole number from 0 on")
    return value


def _day(value: object) -> datetime:
    try:
        return datetime.strptime(value if isinstance(value, str) else "", "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("is not a day such as 2027-11-30") from None


Name = Annotated[str, BeforeValidator(_name)]
Limit = Annotated[int, Field(ge=0, le=LARGEST)]
Kind = Literal["billing_engine", "sip", "clustered_database"]
Entitlements = Annotated[Mapping[Name, Annotated[bool | int, BeforeValidator(_entitlement)]], Field(min_length=1)]


class Description(Frozen):
    """What a vendor decides of a license.

    `expires` is the first day on which the license is good no more (UTC). Of a kind of application server that is not
    in `kinds` none is allowed; `bundled` are kinds of which there may be as many as of another one. What applications
    are entitled to is yes or no, or a limit, of which 0 means any number.
    """

    installation: Name
    site: Name | None = None
    owner: Annotated[str, BeforeValidator(_owner)]
    serial: Limit
    expires: Annotated[datetime, BeforeValidator(_day)]
    servers: Annotated[int, Field(ge=1, le=LARGEST)]
    kinds: Mapping[Kind, Limit] = {}
    bundled: Mapping[Kind, Kind] = {}
    applications: Mapping[Name, Entitlements] = {}


def describe(path: Path) -> Description:
    """Return the description in a file; raise InputRefused with everything that is wrong with it."""
    problems = Problems()
    node = read_yaml(path, str(path), problems)
    adapter = TypeAdapter(Description)
    found = None if node is None else validate(adapter, node, problems, known=Description.model_fields)
    if node and found:
        for kind, other in sorted(found.bundled.items()):
            origin = node.at(("bundled", kind)).origin
            if kind in found.kinds:
                problems.add(origin, f"bundled.{kind}: has a limit of its own under kinds")
            if other not in found.kinds:
                problems.add(origin, f"bundled.{kind}: {other} is not under kinds")
    problems.raise_if_any()
    assert found is not None
    return found
