"""Warn of what will soon be in the way: limits that are nearly reached, and dates that are near."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from .counting import limits
from .license import Allocation, License
from .verdict import Seen, in_time, shown

NEARLY = (100, 95, 90)
"""Percent of a limit from which on it is warned of (spec 02)."""
DOWNLOADED = timedelta(days=6)
"""What remains of a license that was signed in one of the last two nights: servers ask each other at random minutes."""
SOON = (1, 7, 30)
"""Days before a date from which on it is warned of (spec 02)."""


def warnings(license_: License, allocation: Allocation, now: datetime) -> Iterator[str]:
    """Yield what is in the way, or soon will be."""
    for limit in limits(license_, allocation):
        if limit.exceeded:
            yield str(limit)
        elif limit.allowed and not limit.switch:
            reached = next((percent for percent in NEARLY if limit.used * 100 >= percent * limit.allowed), None)
            if reached:
                yield f"{limit} ({reached} % reached)"
    yield from in_time(license_, Seen(), now)
    if now <= license_.valid_until < now + DOWNLOADED:
        yield f"the license is valid until {shown(license_.valid_until)}, and no newer one has come for a day"
    left = (license_.expires - now) / timedelta(days=1)
    if left > 0 and (days := next((days for days in SOON if left <= days), None)):
        yield f"the license expires on {license_.expires:%F}, within {days} day{'' if days == 1 else 's'}"
