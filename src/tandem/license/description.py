"""Read what a license shall say, as a vendor writes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter

from tandem.errors import Problems
from tandem.source import read_yaml
from tandem.source.validate import Frozen, validate

Limit = Annotated[int, Field(ge=0, le=999_999_999)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


def _day(value: object) -> datetime:
    try:
        return datetime.strptime(value if isinstance(value, str) else "", "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("is not a day such as 2027-11-30") from None


class Description(Frozen):
    """What a vendor decides of a license; limits of 0 mean any number.

    `expires` is the first day on which the license is good no more (UTC). Of a kind of application server that is not
    in `kinds` none is allowed; `bundled` are kinds of which there may be as many as of another one.
    """

    installation: Name
    site: Name | None = None
    owner: Annotated[str, Field(min_length=1, max_length=200)]
    serial: Limit
    expires: Annotated[datetime, BeforeValidator(_day)]
    servers: Limit
    kinds: Mapping[Name, Limit] = {}
    bundled: Mapping[Name, Name] = {}
    applications: Mapping[Name, Mapping[Name, bool | Limit]] = {}


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
