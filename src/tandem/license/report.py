"""Say what a license allows, how much of it is used, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tandem_guard.counting import Limit, limits
from tandem_guard.license import MOMENT, Allocation, License
from tandem_guard.warnings import warnings


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
        return warnings(self.license, self.allocation, self.at)

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
