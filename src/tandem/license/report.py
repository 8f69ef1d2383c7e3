"""Say what a license allows, how much of it is used, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tandem_guard.counting import Limit, limits
from tandem_guard.license import MOMENT, Allocation, License
from tandem_guard.verdict import shown

NEARLY = (100, 95, 90)
"""Percent of a limit from which on it is warned of (spec 02)."""
SOON = (1, 7, 30)
"""Days before a date from which on it is warned of (spec 02)."""


@dataclass(frozen=True)
class Report:
    """A license, and, where an allocation is known, what it uses of each limit; `at` is the moment of the report."""

    license: License
    allocation: Allocation | None
    at: datetime

    @property
    def limits(self) -> list[Limit]:
        """Return every limit; without an allocation nothing is used."""
        nothing = Allocation(self.license.installation, 0, self.at, {}, {})
        return limits(self.license, self.allocation or nothing)

    def warnings(self) -> Iterator[str]:
        """Yield what will soon be in the way: limits that are nearly reached, and dates that are near."""
        for limit in self.limits if self.allocation else ():
            if limit.allowed and (reached := next((p for p in NEARLY if limit.used * 100 >= p * limit.allowed), None)):
                yield f"{limit}" if limit.exceeded else f"{limit} ({reached} % reached)"
        if self.at > self.license.valid_until:
            yield f"the license was valid until {shown(self.license.valid_until)}"
        left = (self.license.expires - self.at).total_seconds() / 86400
        if left <= 0:
            yield f"the license has expired on {self.license.expires:%F}"
        elif days := next((days for days in SOON if left <= days), None):
            yield f"the license expires on {self.license.expires:%F}, within {days} day{'' if days == 1 else 's'}"

    def facts(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        said = self.license
        return {
            "installation": said.installation,
            "site": said.site,
            "owner": said.owner,
            "serial": said.serial,
            "issued": said.issued.strftime(MOMENT),
            "valid_from": said.valid_from.strftime(MOMENT),
            "valid_until": said.valid_until.strftime(MOMENT),
            "expires": said.expires.strftime(MOMENT),
            "limits": [
                {
                    "what": limit.what,
                    "allowed": limit.allowed,
                    **({"used": limit.used, "by": list(limit.by)} if self.allocation else {}),
                }
                for limit in self.limits
            ],
            "entitlements": {name: dict(options) for name, options in said.entitlements.items()},
            "warnings": list(self.warnings()),
        }
