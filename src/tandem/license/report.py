"""Say what a license allows, how much of it is used, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tandem_guard.counting import Limit, limits
from tandem_guard.license import MOMENT, Allocation, License
from tandem_guard.warnings import warnings

SHORTEST = timedelta(days=1)
"""What is known for a shorter time than this does not tell how fast things grow."""
FARTHEST = timedelta(days=3650)
"""When a limit will be reached is not told where it is farther away than this."""


@dataclass(frozen=True)
class Before:
    """What the servers of some sites used of each limit at an earlier moment."""

    at: datetime
    sites: list[str]
    used: Mapping[str, int]

    @staticmethod
    def of(said: Mapping[str, Any] | None) -> Before | None:
        """Return what the configuration server knows of earlier: {at, sites, used}, or nothing."""
        if said is None:
            return None
        return Before(datetime.strptime(said["at"], MOMENT).replace(tzinfo=UTC), said["sites"], said["used"])


@dataclass(frozen=True)
class Report:
    """A license, and what an allocation uses of each limit; `at` is the moment of the report."""

    license: License
    allocation: Allocation
    at: datetime
    before: Before | None = None

    @property
    def limits(self) -> list[Limit]:
        """Return every limit."""
        return limits(self.license, self.allocation)

    def warnings(self) -> Iterator[str]:
        """Yield what is in the way, or soon will be: limits that are nearly reached, and dates that are near."""
        return warnings(self.license, self.allocation, self.at)

    def reached(self, limit: Limit) -> datetime | None:
        """Return when there will be as many servers as a limit allows, if they go on growing in number as they have.

        None where they do not grow, or are as many, or too little is known of earlier.
        """
        before = self.before
        if before is None or limit.entitlement or before.sites != sorted({*self.allocation.sites.values()}):
            return None
        past = self.at - before.at
        risen, left = limit.used - before.used.get(limit.name, 0), (limit.allowed or 0) - limit.used
        if past < SHORTEST or risen <= 0 or left <= 0 or left / risen > FARTHEST / past:
            return None
        return self.at + past * (left / risen)

    def room(self) -> list[str]:
        """Say how much is used of each limit, and when all of it will be."""
        return [
            f"{limit} (all about {at:%F}, as since {self.before.at:%F})"
            if self.before and (at := self.reached(limit))
            else str(limit)
            for limit in self.limits
        ]

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
                    "name": limit.name,
                    "what": limit.what,
                    "allowed": limit.allowed,
                    "used": limit.used,
                    "by": list(limit.by),
                    "switch": limit.switch,
                    "reached": f"{reached:%F}" if (reached := self.reached(limit)) else None,
                }
                for limit in self.limits
            ],
            "warnings": list(self.warnings()),
        }
