"""The history is told in order, and of what the power cut short no more than is true."""

from __future__ import annotations

from typing import Any

from tandem.configuration.history import lines, ordered, pruned

Json = dict[str, Any]


def configuration(number: int, **more: str) -> Json:
    return {
        "number": number,
        "created": f"2026-11-2{number}T08:00:00Z",
        "author": "kim@desk",
        "comment": "",
        "commit": "",
        "digest": "",
        **more,
    }


def activated(number: int, before: int | None, hour: int) -> Json:
    at = f"2026-11-20T{hour:02}:00:00Z"
    return {"what": "active", "number": number, "from": before, "at": at, "author": "kim@desk", "comment": ""}


def told(**changes: Any) -> Json:
    return {
        "active": 2,
        "configurations": [configuration(1), configuration(2, commit="5f20d1b", comment="louder"), configuration(3)],
        "members": ["East", "West"],
        "servers": {"East": 2, "West": 2, "Gone": 1},
        "servers_of": {"1": ["East", "Gone", "West"]},
        "marks": {"1": {"author": "sam@desk", "at": "2026-11-20T08:00:00Z", "comment": "before the holidays"}},
        "log": [activated(1, None, 8), {"what": "pruned", "numbers": []}, activated(2, 1, 9)],
        "plans": [{"name": "3f2a1b90c4d5aa", "used": False, "plan": {"number": 3, "active": 2}}],
        **changes,
    }


def spans(log: list[Json], active: int) -> dict[int, list[tuple[str, str | None]]]:
    found = ordered(told(log=log, active=active))["configurations"]
    return {
        entry["number"]: [(span["from"][11:13], span["to"] and span["to"][11:13]) for span in entry["spans"]]
        for entry in found
        if entry["spans"]
    }


def test_states_and_spans() -> None:
    found = ordered(told())["configurations"]
    assert [(entry["number"], entry["state"], entry["plans"]) for entry in found] == [
        (3, "candidate", ["3f2a1b90c4d5"]),
        (2, "active", []),
        (1, "was active", []),
    ]
    assert spans(told()["log"], 2) == {1: [("08", "09")], 2: [("09", None)]}
    back = [activated(1, None, 8), activated(2, 1, 9), activated(1, 2, 10)]
    assert spans(back, 1) == {1: [("08", "09"), ("10", None)], 2: [("09", "10")]}


def test_an_entry_whose_pointer_was_never_written_is_no_span() -> None:
    cut = [activated(1, None, 8), activated(2, 1, 9)]
    assert spans(cut, 1) == {1: [("08", None)]}
    assert spans([*cut, activated(2, 1, 10)], 2) == {1: [("08", "10")], 2: [("10", None)]}
    assert spans([*cut, activated(3, 1, 10)], 3) == {1: [("08", "10")], 3: [("10", None)]}


def test_a_plan_that_is_used_or_stale_is_not_offered() -> None:
    plans = [
        {"name": "a" * 64, "used": True, "plan": {"number": 3, "active": 2}},
        {"name": "b" * 64, "used": False, "plan": {"number": 3, "active": 1}},
    ]
    assert ordered(told(plans=plans))["configurations"][0]["plans"] == []


def test_lines() -> None:
    assert [" ".join(line.split()) for line in lines(ordered(told()))] == [
        "3 candidate 2026-11-23 08:00 kim@desk plan 3f2a1b90c4d5",
        "2 active since 2026-11-20 09:00 2026-11-22 08:00 kim@desk git 5f20d1b louder",
        "1 was active 2026-11-20 08:00 – 2026-11-20 09:00 2026-11-21 08:00 kim@desk",
        "marked by sam@desk: before the holidays",
        "",
        "2 of 2 servers are on configuration 2, which is active",
    ]


def test_what_is_pending_is_told() -> None:
    servers_of = {**told()["servers_of"], "3": ["East", "New", "West"]}
    history = ordered(told(servers={"East": 3, "West": [2, 3], "Gone": 1}, servers_of=servers_of))
    assert history["pending"] == {"3": ["New", "West"]}
    assert list(lines(history))[-5:] == [
        "0 of 3 servers are on configuration 2, which is active",
        "East is on configuration 3",
        "New is on no configuration yet",
        "West was being changed from 2 to 3 when a run died, and may be on either",
        "pending for configuration 3: New, West",
    ]


def test_what_a_server_was_left_on_is_pending_only_where_a_plan_leads_back_to_it() -> None:
    history = told(servers={"East": 1, "West": 2, "Gone": 1})
    assert list(lines(ordered(history)))[-2:] == [
        "1 of 2 servers is on configuration 2, which is active",
        "East is on configuration 1",
    ]
    back = {"name": "a" * 64, "used": False, "plan": {"number": 1, "active": 2}}
    assert list(lines(ordered({**history, "plans": [back]})))[-3:] == [
        "1 of 3 servers is on configuration 2, which is active",
        "East, Gone are on configuration 1",
        "pending for configuration 1: West",
    ]


def test_before_the_first_apply_and_with_a_damaged_record() -> None:
    nothing: Json = {"members": [], "servers": {}, "servers_of": {}, "marks": {}, "log": [], "plans": []}
    assert list(lines(ordered({"active": None, "configurations": [], **nothing}))) == [
        "No configuration is stored yet."
    ]
    damaged = told(configurations=[{"number": 1, "damaged": True}, configuration(2)])
    assert "     1  its record is damaged; see tandem fsck" in list(lines(ordered(damaged)))


def test_what_pruning_says() -> None:
    found = {"removed": [1, 2], "kept": {"3": "is marked"}, "blobs": 7, "bytes": 3 * 2**20}
    assert list(pruned(found)) == [
        "removed: configurations 1, 2",
        "kept: configuration 3 is marked",
        "removed: 7 blobs that nothing else names, 3.0 MiB",
    ]
    assert list(pruned({"removed": [4], "kept": {}, "blobs": 0, "bytes": 0}, check=True)) == [
        "would be removed: configuration 4"
    ]
    assert list(pruned({"removed": [], "kept": {}, "blobs": 0, "bytes": 0})) == ["nothing is old"]
