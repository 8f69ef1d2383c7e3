"""What keeps an instance from starting, each with its own words; signatures are looked at in tests/license."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tandem_guard.license import Allocation, License, Use
from tandem_guard.verdict import Here, Seen, instance, whole

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ENGINE = Use("billing-1", "billing_engine", "billing_engine", "198.18.1.11", "Alpha", {"engines": 3})
HERE = Here("example", "primary", "Alpha", "198.18.0.11")
LICENSE = License(
    installation="example",
    owner="Example",
    serial=7,
    issued=NOW - DAY,
    expires=NOW + 300 * DAY,
    valid_from=NOW - DAY,
    valid_until=NOW + 7 * DAY,
    servers=1,
    kinds={"billing_engine": 1},
    bundled={},
    entitlements={"billing_engine": {"engines": 64}},
    certificate=b"",
    seed="",
)
ALLOCATION = Allocation("example", 12, NOW - DAY, {"Alpha": "198.18.0.11"}, {"Alpha": "primary"}, {"billing-1": ENGINE})


def judged(**changed: object) -> list[str]:
    given = {"license_": LICENSE, "allocation": ALLOCATION, "here": HERE, "seen": Seen(), "now": NOW, **changed}
    return list(whole(**given))  # type: ignore[arg-type]


def test_what_is_licensed_and_allocated_may_run():
    assert judged() == []
    assert list(instance(ALLOCATION, HERE, ENGINE)) == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"installation": "other"}, "the license is of installation other; this one is example"),
        ({"site": "secondary"}, "the license is for site secondary; this server is in primary"),
        ({"valid_from": NOW + DAY}, "the license is not valid before 2026-11-27 12:00 UTC"),
        ({"expires": NOW}, "the license has expired at 2026-11-26 12:00 UTC"),
        (
            {"valid_until": NOW - DAY},
            "the license was valid until 2026-11-25 12:00 UTC, and no newer one has come",
        ),
        ({"kinds": {}}, "billing engine servers: 1 of 0, 1 too many (Alpha)"),
        (
            {"entitlements": {"billing_engine": {"engines": 2}}},
            "billing_engine: engines: 3 of 2, 1 too many (billing-1)",
        ),
    ],
)
def test_a_license_that_does_not_fit(changed, reason):
    assert judged(license_=replace(LICENSE, **changed)) == [reason]


def test_a_license_for_this_site_fits_what_is_there_alone():
    own = replace(LICENSE, site="primary")
    assert judged(license_=own) == []
    both = replace(
        ALLOCATION,
        servers={**ALLOCATION.servers, "Lambda": "198.18.8.12"},
        sites={**ALLOCATION.sites, "Lambda": "secondary"},
    )
    reason = "the license is for site primary; the allocation has servers of secondary"
    assert judged(license_=own, allocation=both) == [reason]


def test_an_allocation_of_another_installation():
    reason = "the allocation is of installation other; this one is example"
    assert judged(allocation=replace(ALLOCATION, installation="other")) == [reason]


def test_what_is_older_than_what_was_here():
    seen = Seen(license=(7, NOW), allocation=13)
    assert judged(seen=seen) == [
        "the license is older than one that was here: serial 7, of 2026-11-25 12:00 UTC",
        "the allocation is of apply 12; that of apply 13 was here already",
    ]
    assert judged(seen=Seen(license=(6, NOW), allocation=12)) == []


def test_a_clock_that_was_turned_back():
    seen = Seen().with_(LICENSE, ALLOCATION.number, NOW)
    reason = "the clock was turned back: it is 2026-11-26 06:00 UTC on it, and it was 2026-11-26 12:00 UTC before"
    assert judged(seen=seen, now=NOW - timedelta(hours=6)) == [reason]
    assert judged(seen=seen, now=NOW - timedelta(minutes=5)) == []


def test_a_clock_that_was_ahead_is_forgiven_with_the_next_license():
    seen = Seen().with_(LICENSE, ALLOCATION.number, NOW + 6 * DAY)
    assert judged(seen=seen) != []
    newer = replace(LICENSE, valid_from=NOW)
    assert judged(license_=newer, seen=seen) == []
    assert seen.with_(newer, ALLOCATION.number, NOW).moment == NOW


def test_what_was_seen_only_rises():
    seen = Seen().with_(LICENSE, ALLOCATION.number, NOW)
    assert seen == Seen(NOW, (7, NOW - DAY), NOW + 7 * DAY, 12)
    older = replace(LICENSE, serial=6, valid_until=NOW + 9 * DAY)
    assert seen.with_(older, 3, NOW - 9 * DAY) == seen


def test_an_instance_that_is_not_allocated():
    assert list(instance(ALLOCATION, HERE, replace(ENGINE, name="billing-2"))) == ["billing-2 is not in the allocation"]


@pytest.mark.parametrize(
    "changed",
    [
        {"application": "web"},
        {"kind": "server"},
        {"address": "198.18.1.12"},
        {"options": {"engines": 4}},
        {"options": {"engines": True}},
    ],
)
def test_an_instance_that_is_allocated_as_something_else(changed):
    [reason] = instance(ALLOCATION, HERE, replace(ENGINE, **changed))
    assert reason.startswith(
        "billing-1 is in the allocation as billing_engine (billing_engine) on Alpha at 198.18.1.11"
    )


def test_a_server_that_is_not_the_one_it_is_allocated_on():
    elsewhere = replace(HERE, server="Beta", address="198.18.0.12")
    first, second = instance(ALLOCATION, elsewhere, ENGINE)
    assert first == "Beta at 198.18.0.12 is not in the allocation"
    assert second.startswith("billing-1 is in the allocation as billing_engine (billing_engine) on Alpha")
    [reason] = instance(ALLOCATION, replace(HERE, address="198.18.0.99"), ENGINE)
    assert reason == "Alpha at 198.18.0.99 is not in the allocation"
