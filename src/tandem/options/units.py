"""Put amounts, units and limits into words."""

from __future__ import annotations

from typing import Any

UNITS = {
    "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "d": ("day", "days"),
    "B": ("byte", "bytes"),
    "%": ("per cent", "per cent"),
}


def amount(number: Any, unit: str | None) -> str:
    """Join an amount with its unit.

    >>> amount(1, "s"), amount(2, "s"), amount("a whole number", "s"), amount(4, "MiB"), amount(4, None)
    ('1 second', '2 seconds', 'a whole number of seconds', '4 MiB', '4')
    """
    if unit is None:
        return str(number)
    one, many = UNITS.get(unit, (unit, unit))
    if isinstance(number, str):
        return f"{number} of {many}"
    return f"{number} {one if number == 1 else many}"


def limits(minimum: Any, maximum: Any, what: str = "") -> str:
    """Put limits in parentheses, with a blank before; nothing if there are none.

    >>> limits(1, 60), limits(1, None), limits(None, 60, " characters"), limits(None, None)
    (' (1–60)', ' (1 or more)', ' (up to 60 characters)', '')
    """
    if minimum is None and maximum is None:
        return ""
    if maximum is None:
        return f" ({minimum} or more{what})"
    if minimum is None:
        return f" (up to {maximum}{what})"
    return f" ({minimum}–{maximum}{what})"
