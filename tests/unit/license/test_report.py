"""What is warned of, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tandem.license.report import Report
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


def test_a_license_that_was_not_renewed_for_a_day():
    [found] = warnings(valid_until=NOW + timedelta(days=5, hours=12))
    assert found == "the license is valid until 2026-12-02 00:00 UTC, and no newer one has come for a day"
