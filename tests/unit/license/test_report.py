"""What is warned of, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.license.report import Before, Report
from tests.unit.license.test_verdict import ALLOCATION, DAY, LICENSE, NOW

FRESH = replace(LICENSE, servers=100, kinds={"billing_engine": 100}, valid_from=NOW, valid_until=NOW + 8 * DAY)


def warnings(**changed: object) -> list[str]:
    return list(Report(replace(FRESH, **changed), ALLOCATION, NOW).warnings())  # type: ignore[arg-type]


def test_there_is_nothing_to_warn_of_with_room_and_time():
    assert warnings() == []


@pytest.mark.parametrize(("used", "reached"), [(89, None), (90, 90), (94, 90), (95, 95), (99, 95), (100, 100)])
def test_a_limit_that_is_nearly_reached(used: int, reached: int | None):
    many = {f"e{n}": replace(ALLOCATION.instances["billing-1"], name=f"e{n}", server=f"S{n}") for n in range(used)}
    found = list(Report(FRESH, replace(ALLOCATION, instances=many), NOW).warnings())
    assert len(found) == (2 if reached else 0)
    assert all(f"({reached} % reached)" in each for each in found)


def test_what_is_not_licensed_at_all():
    assert warnings(kinds={}) == ["billing engine servers: 1 of 0, 1 too many"]


def test_a_switch_that_is_on_is_not_nearly_reached():
    on = {"billing-1": replace(ALLOCATION.instances["billing-1"], options={"cluster": True})}
    said = replace(FRESH, entitlements={"billing_engine": {"cluster": True}})
    assert list(Report(said, replace(ALLOCATION, instances=on), NOW).warnings()) == []


@pytest.mark.parametrize(("left", "days"), [(31, None), (30, 30), (8, 30), (7, 7), (2, 7), (1, 1), (0.5, 1)])
def test_a_license_that_expires_soon(left: float, days: int | None):
    expires = NOW + left * DAY
    found = [each for each in warnings(expires=expires) if "expires" in each]
    assert len(found) == bool(days)
    assert all(f"within {days} day" in each for each in found)


def reached(used: int, allowed: int, before: int, days: float) -> str | None:
    many = {f"e{n}": replace(ALLOCATION.instances["billing-1"], name=f"e{n}", server=f"S{n}") for n in range(used)}
    said = replace(FRESH, kinds={"billing_engine": allowed})
    known = Before(NOW - days * DAY, ["primary"], {"billing_engine": before})
    report = Report(said, replace(ALLOCATION, instances=many), NOW, known)
    [found] = [limit for limit in report.facts()["limits"] if limit["name"] == "billing_engine"]
    [shown] = [each for each in report.room() if each.startswith("billing engine")]
    assert ("(all about" in shown) == bool(found["reached"])
    return found["reached"]


@pytest.mark.parametrize(
    ("used", "allowed", "before", "days", "when"),
    [
        (6, 10, 4, 10, "2026-12-16"),  # two in ten days, so four more in twenty
        (6, 10, 6, 10, None),  # it does not rise
        (4, 10, 6, 10, None),  # it falls
        (10, 10, 4, 10, None),  # it is reached
        (12, 10, 4, 10, None),  # it is exceeded
        (6, 0, 4, 10, None),  # nothing is allowed
        (6, 10, 4, 0.5, None),  # too short a time to tell
        (5, 99, 4, 365, None),  # in a hundred years
        (5, 999_999_999, 4, 365, None),  # in no year that has a number
    ],
)
def test_when_a_limit_will_be_reached(used: int, allowed: int, before: int, days: float, when: str | None):
    assert reached(used, allowed, before, days) == when


def test_what_other_sites_used_says_nothing():
    known = Before(NOW - 10 * DAY, ["primary", "secondary"], {"server": 0})
    report = Report(FRESH, ALLOCATION, NOW, known)
    assert {limit["reached"] for limit in report.facts()["limits"]} == {None}


def test_a_license_that_was_not_renewed_for_a_day():
    [found] = warnings(valid_until=NOW + timedelta(days=5, hours=12))
    assert found == "the license is valid until 2026-12-02 00:00 UTC, and no newer one has come for a day"
