"""A stored plan is refused, with the reason, when things are not as it was made for."""

from __future__ import annotations

from typing import Any

import pytest

from tandem.configuration.canonical import digest
from tandem.plan import make
from tandem.plan.artefact import record, refusal, stale_number
from tests.sample.project import Project

Json = dict[str, Any]
DIED = "West was being changed from 7 to 8 when a run died, and may be on either"
NAME = "3f2a1b90c4d5" + "0" * 52


def stored(**changes: Any) -> Json:
    plan = {"installation": "small", "number": 8, "active": 7, "places": {}, **changes}
    return {"name": NAME, "used": False, "plan": plan, "entry": None}


def test_as_things_were_it_may_be_applied() -> None:
    assert refusal(stored(), "small", 7, {}) is None
    assert refusal(stored(active=None), "small", None, {}) is None
    assert refusal(stored(places={"West": [7, 8]}), "small", 7, {"West": [7, 8]}) is None


@pytest.mark.parametrize(
    ("found", "now", "reason"),
    [
        (stored(), ("other", 7, {}), "plan 3f2a1b90c4d5 is of the installation small, not of other"),
        (
            stored(),
            ("small", 9, {}),
            "plan 3f2a1b90c4d5 was made against configuration 7, but configuration 9 is active now; plan again",
        ),
        (
            stored(active=None),
            ("small", 1, {}),
            "plan 3f2a1b90c4d5 was made before any was active, but configuration 1 is active now; plan again",
        ),
        (
            stored(),
            ("small", 7, {"West": 8}),
            "plan 3f2a1b90c4d5 is out of date: West is on configuration 8; plan again, or tandem apply 8",
        ),
        (
            stored(places={"West": 8}),
            ("small", 7, {}),
            "plan 3f2a1b90c4d5 is out of date: West is on configuration 7; plan again, or tandem apply 8",
        ),
        (
            stored(),
            ("small", 7, {"West": [7, 8]}),
            f"plan 3f2a1b90c4d5 is out of date: {DIED}; plan again, or tandem apply 8",
        ),
        (
            {**stored(), "used": True, "entry": {"author": "kim@desk", "at": "2026-11-20T21:14:33Z"}},
            ("small", 7, {}),
            "plan 3f2a1b90c4d5 has been applied already, by kim@desk at 2026-11-20T21:14:33Z; plan again",
        ),
        ({**stored(), "used": True}, ("small", 7, {}), "plan 3f2a1b90c4d5 has been applied already; plan again"),
    ],
)
def test_each_reason(found: Json, now: tuple[str, int, Json], reason: str) -> None:
    assert refusal(found, *now) == reason


def test_a_number_must_have_been_planned_against_the_active_one() -> None:
    assert stale_number(8, 7, [stored()]) is None
    assert stale_number(7, 7, []) is None
    assert stale_number(8, None, []) is None
    assert "configuration 8 was planned against configuration 7, but configuration 9 is active now" in str(
        stale_number(8, 9, [stored()])
    )
    assert "tandem rollback 8" in str(stale_number(8, 9, [stored()]))
    assert "configuration 6 has not been planned, but" in str(stale_number(6, 9, [stored()]))
    assert stale_number(8, 7, [{**stored(), "used": True}]), "applied, and rolled back since"
    assert stale_number(8, 9, [stored(), stored(active=9)]) is None


def test_the_record_binds_what_was_shown(project: Project) -> None:
    old = project.compile()
    project.edit("inventories/sample/options/suite/engines/engine-2.yml", "error", "debug")
    new = project.compile()
    planned = {"number": 8, "active": 7, "places": {"Beta": 6}, "plan": make(old, new).to_json()}
    found, shown = record(planned, "sample")
    assert found == {
        "format": 1,
        "installation": "sample",
        "digest": new.digest,
        "number": 8,
        "active": 7,
        "places": {"Beta": 6},
        "shown": digest(shown),
    }
    assert record(planned, "sample") == (found, shown)
    assert record({**planned, "plan": {**planned["plan"], "touched": []}}, "sample")[0]["shown"] != found["shown"]
