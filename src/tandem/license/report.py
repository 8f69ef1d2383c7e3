"""Say what a license allows, how much of it is used, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tandem_guard.counting import Limit, limits
from tandem_guard.license import MOMENT, Allocation, License
from tandem_guard.verdict import Seen, in_time, shown

NEARLY = (100, 95, 90)
"""Percent of a limit from which on it is warned of (spec 02)."""
DOWNLOADED = timedelta(days=7)
"""What remains of a license that has just been downloaded, at least (spec 02)."""
SOON = (1, 7, 30)
"""Days before a date from which on it is warned of (spec 02)."""


@dataclass(frozen=True)
class Report:
    """A license, and what an allocation uses of each limit; `at` is the moment of the report."""

    license: License
    allocation: Allocation
    at: datetime

    @property
    def limits(self) -> list[Limit]:
        """Return every limit."""
        return limits(self.license, self.allocation)

    def warnings(self) -> Iterator[str]:
        """Yield what is in the way, or soon will be: limits that are nearly reached, and dates that are near."""
        for limit in self.limits:
            if limit.exceeded:
                yield str(limit)
            elif limit.allowed and not limit.switch:
                reached = next((percent for percent in NEARLY if limit.used * 100 >= percent * limit.allowed), None)
                if reached:
                    yield f"{limit} ({reached} % reached)"
        yield from in_time(self.license, Seen(), self.at)
        if self.at <= self.license.valid_until < self.at + DOWNLOADED:
            yield f"the license is valid until {shown(self.license.valid_until)}, and no newer one has come for a day"
        left = (self.license.expires - self.at) / timedelta(days=1)
        if left > 0 and (days := next((days for days in SOON if left <= days), None)):
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
                {"name": limit.name, "allowed": limit.allowed, "used": limit.used, "by": list(limit.by)}
                for limit in self.limits
            ],
            "warnings": list(self.warnings()),
        }
