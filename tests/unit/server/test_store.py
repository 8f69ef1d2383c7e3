"""A store keeps what is needed, removes what may go, uses each plan once, and names whatever is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tandem_server.failure import Failure
from tandem_server.fleet import Fleet
from tandem_server.history import History
from tandem_server.log import Log

from tandem.configuration.history import lines, ordered
from tests.unit.server.shelf import ENTRY, Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return a store of five configurations, of which 1, 2 and 3 were active, and 3 is."""
    shelf = Shelf(tmp_path)
    for number in (1, 2, 3):
        assert shelf.add(f"text {number}") == number
        shelf.activate(number)
    assert [shelf.add("text 4"), shelf.add("text 5")] == [4, 5]
    assert shelf.problems() == []
    return shelf


def numbers(shelf: Shelf) -> list[int]:
    assert shelf.problems() == []
    return shelf.store.numbers()


def lose(shelf: Shelf, number: int) -> None:
    Path(shelf.store.path(number)).unlink()


def flip_a_digit(shelf: Shelf, number: int) -> None:
    """Let a record name another tree than its own."""
    path, tree = Path(shelf.store.path(number)), shelf.store.configuration(number)["tree"]
    path.write_text(path.read_text().replace(tree, tree[:-1] + ("0" if tree[-1] != "0" else "1")))


def test_an_equal_configuration_keeps_its_number(shelf: Shelf) -> None:
    assert shelf.add("text 3") == 3
    assert shelf.add("text 5") == 5


def test_pruning_keeps_the_newest_the_active_marked_ones_and_those_that_servers_are_on(shelf: Shelf) -> None:
    assert shelf.history.mark(1, ENTRY)
    assert not shelf.history.mark(1, ENTRY)
    shelf.store.place({"Beta": [3, 4], "Long gone": 2})
    told = shelf.history.prune(1, ENTRY, check=True)
    assert shelf.store.numbers() == [1, 2, 3, 4, 5]
    found = shelf.history.prune(1, ENTRY)
    assert found == told
    assert found["removed"] == [2]
    assert found["kept"] == {"1": "is marked", "3": "is active", "4": "is what Beta is on or may be"}
    assert found["blobs"] == 4, "the file, the source, and two bundles"
    assert numbers(shelf) == [1, 3, 4, 5]
    assert shelf.history.unmark(1)
    assert not shelf.history.unmark(1)
    assert shelf.history.prune(1, ENTRY)["removed"] == [1]
    assert shelf.history.prune(1, ENTRY)["blobs"] == 0
    assert [entry["numbers"] for entry in shelf.store.log.entries() if entry["what"] == "pruned"] == [[2], [1]]


def test_what_has_been_pruned_meanwhile_is_not_marked(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    store = shelf.store
    alone = store.alone

    def after_a_prune() -> contextlib.AbstractContextManager[None]:
        shelf.history.prune(1, ENTRY)
        return alone()

    monkeypatch.setattr(store, "alone", after_a_prune)
    with pytest.raises(Failure, match="there is no configuration 1"):
        History(store).mark(1, ENTRY)
    assert shelf.history.marks() == {}


def test_no_number_comes_twice(shelf: Shelf) -> None:
    shelf.history.discard(5, ENTRY)
    assert shelf.add("text 6") == 6
    shelf.history.prune(0, ENTRY)
    assert numbers(shelf) == [3]
    assert shelf.add("text 7") == 7


def test_only_a_candidate_can_be_discarded(shelf: Shelf) -> None:
    shelf.history.mark(4, ENTRY)
    shelf.store.place({"Beta": [3, 5]})
    for number, reason in ((3, "is active"), (2, "was active"), (4, "is marked"), (5, "is what Beta is on or may be")):
        with pytest.raises(Failure, match=f"configuration {number} {reason}: it cannot be discarded"):
            shelf.history.discard(number, ENTRY)
    with pytest.raises(Failure, match="there is no configuration 9; there are"):
        shelf.history.discard(9, ENTRY)
    shelf.store.place({"Beta": 3})
    shelf.history.discard(5, ENTRY, check=True)
    assert numbers(shelf) == [1, 2, 3, 4, 5]
    plan = shelf.plan(5, 3)
    shelf.history.discard(5, ENTRY)
    assert shelf.store.numbers() == [1, 2, 3, 4]
    with pytest.raises(Failure, match=f"there is no plan {plan}"):
        shelf.store.plan(plan)


def test_nothing_is_pruned_while_a_plan_is_being_stored_that_relies_on_it(shelf: Shelf) -> None:
    storing = shelf.store
    assert storing.lacking([shelf.file("file text 1").name]) == []
    with pytest.raises(Failure, match="a plan is being stored at this moment"):
        shelf.history.prune(1, ENTRY)
    assert shelf.store.numbers() == [1, 2, 3, 4, 5]
    del storing
    assert shelf.history.prune(1, ENTRY)["removed"] == [1, 2, 4]


def test_nothing_is_pruned_when_it_cannot_be_told_what_is_needed(shelf: Shelf) -> None:
    bundle = shelf.store.configuration(3)["bundles"]["Alpha"]
    Path(shelf.store.blob_path(bundle)).write_bytes(b"damaged")
    with pytest.raises(Failure, match=f"blob {bundle} is corrupted"):
        shelf.history.prune(1, ENTRY)
    assert shelf.store.numbers() == [1, 2, 3, 4, 5]


def test_a_plan_is_found_by_its_beginning_and_used_once(shelf: Shelf) -> None:
    plan = shelf.plan(4, 3)
    assert shelf.plan(4, 3) == plan
    found = shelf.store.plan(plan[:8])
    assert (found["name"], found["used"], found["plan"]["number"], found["entry"]) == (plan, False, 4, None)
    shelf.activate(4, plan)
    used = shelf.store.plan(plan)
    assert (used["used"], used["entry"]["author"]) == (True, "kim@desk")
    assert [each["used"] for each in shelf.store.plans.all()] == [True]
    assert shelf.plan(4, 3) == plan
    assert not shelf.store.plan(plan)["used"], "planned again"
    assert shelf.problems() == []


def test_a_plan_that_is_unknown_ambiguous_or_damaged_is_refused(shelf: Shelf) -> None:
    plan = shelf.plan(4, 3)
    with pytest.raises(Failure, match="there is no plan 0123; plan again"):
        shelf.store.plan("0123")
    path = shelf.directory / "plans" / f"{plan}.json"
    other = path.with_name(plan[:8] + "0" * 56 + ".json")
    other.write_bytes(path.read_bytes())
    with pytest.raises(Failure, match=f"2 plans begin with {plan[:8]}; give more of the name"):
        shelf.store.plan(plan[:8])
    other.unlink()
    path.write_bytes(path.read_bytes().replace(b'"number":4', b'"number":5'))
    with pytest.raises(Failure, match=f"plan {plan[:12]} is damaged"):
        shelf.store.plan(plan)
    assert shelf.store.plans.all() == []
    told = f"plans/{plan}.json: is damaged: its content does not fit its name; tandem prune removes it"
    assert told in shelf.problems()
    shelf.history.prune(9, ENTRY)
    assert shelf.problems() == []


@pytest.mark.parametrize(
    ("servers", "places", "account"),
    [
        (
            "Alpha Beta Epsilon",
            {"Epsilon": 6},
            [
                "2 of 3 servers are on configuration 3, which is active",
                "Epsilon is on configuration 6",
                "pending for configuration 6: Alpha, Beta",
            ],
        ),
        (
            "Alpha Beta Epsilon",
            {"Alpha": 6, "Beta": 6},
            [
                "0 of 3 servers are on configuration 3, which is active",
                "Alpha, Beta are on configuration 6",
                "Epsilon is on no configuration yet",
                "pending for configuration 6: Epsilon",
            ],
        ),
        (
            "Alpha",
            {"Alpha": 6},
            [
                "1 of 2 servers is on configuration 3, which is active",
                "Alpha is on configuration 6",
                "pending for configuration 6: only to make it active",
            ],
        ),
    ],
    ids=["added and applied first", "added and left out", "removed"],
)
def test_what_is_pending_is_told_of_a_configurations_own_servers(
    shelf: Shelf, servers: str, places: dict[str, int], account: list[str]
) -> None:
    assert shelf.add("text 6", servers) == 6
    shelf.store.place(places)
    told = list(lines(ordered(shelf.history.tell())))
    assert told[told.index("") + 1 :] == account


@pytest.mark.parametrize("damage", [lose, flip_a_digit])
def test_what_is_pending_for_a_lost_or_damaged_record_is_left_open(
    shelf: Shelf, damage: Callable[[Shelf, int], None]
) -> None:
    shelf.store.place({"Beta": 4})
    damage(shelf, 4)
    history = ordered(shelf.history.tell())
    assert (history["servers"], history["pending"]) == ({"Alpha": 3, "Beta": 4}, {})
    assert ("     4  its record is damaged; see tandem fsck" in lines(history)) == (damage is flip_a_digit)


def test_the_history_of_a_store_with_a_damaged_record_is_told_all_the_same(shelf: Shelf) -> None:
    Path(shelf.store.path(2)).write_text("{")
    told = shelf.history.tell()
    assert told["configurations"][1] == {"number": 2, "damaged": True}
    assert told["members"] == ["Alpha", "Beta"]
    assert [entry["number"] for entry in told["log"]] == [1, 2, 3]
    assert [entry["from"] for entry in told["log"]] == [None, 1, 2]


def mark(shelf: Shelf) -> None:
    shelf.history.mark(4, ENTRY)


def place(shelf: Shelf) -> None:
    shelf.store.place({"Beta": 4})


def place_in_doubt(shelf: Shelf) -> None:
    shelf.store.place({"Long gone": [None, 4]})


def expect(shelf: Shelf) -> None:
    Fleet(str(shelf.directory)).expect(["Beta"], 4, 7)


def activate(shelf: Shelf) -> None:
    shelf.activate(4)


REASONS = [
    (mark, "is marked"),
    (place, "is what Beta is on"),
    (place_in_doubt, "is what Long gone is on or may be"),
    (expect, "is what Beta should come to"),
    (activate, "is active"),
]


@pytest.mark.parametrize(("need", "reason"), REASONS)
@pytest.mark.parametrize("damage", [lose, flip_a_digit])
def test_nothing_is_pruned_while_the_record_of_what_has_to_stay_is_lost_or_damaged(
    shelf: Shelf, need: Callable[[Shelf], None], reason: str, damage: Callable[[Shelf, int], None]
) -> None:
    need(shelf)
    damage(shelf, 4)
    before = contents(shelf)
    said = "missing" if damage is lose else "damaged"
    for check in (True, False):
        with pytest.raises(Failure, match=f"4.json is {said}, and configuration 4 {reason}: nothing is removed"):
            shelf.history.prune(0, ENTRY, check=check)
    assert contents(shelf) == before
    orphans, [named] = apart(shelf.problems())
    if damage is flip_a_digit:
        assert named.startswith("configurations/4.json: is damaged: its digest does not fit; restore it")
    elif need is activate:
        assert named.startswith("active: names configuration 4, which is not there; restore it")
    else:
        assert named.startswith(f"configurations/4.json: is missing, and configuration 4 {reason}; restore it")
    assert len(orphans) == 4, "the file, the source, and two bundles"
    assert all(line.endswith("restore what is missing or damaged, then run tandem fsck again") for line in orphans)


def apart(problems: list[str]) -> tuple[list[str], list[str]]:
    """Return what nothing names, and what else is wrong."""
    orphans = [line for line in problems if "is named by no configuration" in line]
    return orphans, [line for line in problems if line not in orphans]


def test_nothing_is_pruned_while_one_of_the_newest_is_damaged(shelf: Shelf) -> None:
    flip_a_digit(shelf, 5)
    with pytest.raises(Failure, match=r"5.json is damaged, and configuration 5 is one of the newest: nothing is"):
        shelf.history.prune(1, ENTRY)
    assert shelf.store.numbers() == [1, 2, 3, 4, 5]
    assert shelf.history.prune(0, ENTRY)["removed"] == [1, 2, 4, 5]
    assert shelf.problems() == []


def test_what_is_lost_is_named_beside_a_damaged_file_that_also_says_what_stays(shelf: Shelf) -> None:
    place(shelf)
    lose(shelf, 4)
    (shelf.directory / "marks.json").write_text('{"4":')
    _, named = apart(shelf.problems())
    assert [line.partition(",")[0].partition(";")[0] for line in named] == [
        "configurations/4.json: is missing",
        "marks.json: is damaged",
    ]


@pytest.mark.parametrize("back", [2, [2, 6]])
def test_what_a_server_was_on_that_comes_back_may_be_pruned_by_then(shelf: Shelf, back: int | list[int]) -> None:
    shelf.store.place({"Gone": 2})
    assert shelf.history.prune(2, ENTRY)["removed"] == [1, 2]
    assert shelf.add("text 6", "Alpha Beta Gone") == 6
    shelf.store.place({"Gone": back})
    assert shelf.problems() == []
    assert shelf.history.prune(1, ENTRY)["kept"] == {"3": "is active"}


def test_what_a_server_should_come_to_is_kept(shelf: Shelf) -> None:
    expect(shelf)
    with pytest.raises(Failure, match="configuration 4 is what Beta should come to: it cannot be discarded"):
        shelf.history.discard(4, ENTRY)
    assert shelf.history.prune(0, ENTRY)["kept"] == {"3": "is active", "4": "is what Beta should come to"}
    assert numbers(shelf) == [3, 4]


def test_a_lost_configuration_is_given_up_by_removing_its_mark(shelf: Shelf) -> None:
    mark(shelf)
    lose(shelf, 4)
    assert shelf.history.unmark(4)
    with pytest.raises(Failure, match="there is no configuration 4"):
        shelf.history.unmark(4)
    assert shelf.history.prune(9, ENTRY)["blobs"] == 4
    assert shelf.problems() == []


def damage_a_record(shelf: Shelf) -> str:
    path = Path(shelf.store.path(2))
    path.write_bytes(path.read_bytes().replace(b'"installation":"sample"', b'"installation":"another"'))
    return "configurations/2.json: is damaged: its digest does not fit"


def damage_a_blob(shelf: Shelf) -> str:
    shelf.file("file text 2").write_bytes(b"other")
    return f"{relative(shelf, 'file text 2')}: is damaged: its content does not fit its name"


def lose_a_file(shelf: Shelf) -> str:
    shelf.file("file text 2").unlink()
    return f"{relative(shelf, 'file text 2')}: is missing, and configuration 2 needs it"


def lose_a_source(shelf: Shelf) -> str:
    shelf.file("source text 4").unlink()
    return f"{relative(shelf, 'source text 4')}: is missing, and configuration 4 needs it"


def lose_the_active(shelf: Shelf) -> str:
    (shelf.directory / "active").write_text("8")
    return "active: names configuration 8, which is not there"


def damage_the_active(shelf: Shelf) -> str:
    (shelf.directory / "active").write_text("three")
    return "active: is damaged: it does not hold a number"


def damage_the_places(shelf: Shelf) -> str:
    (shelf.directory / "servers.json").write_text('{"Alpha":')
    return "servers.json: is damaged"


def damage_what_is_expected(shelf: Shelf) -> str:
    (shelf.directory / "expected.json").write_text('{"Alpha":')
    return "expected.json: is damaged"


def damage_what_an_agent_said(shelf: Shelf) -> str:
    fleet = Fleet(str(shelf.directory))
    for server in ("Alpha", "Beta"):
        fleet.hear(server, {"on": 3})
    (shelf.directory / "agents" / "Alpha.json").write_text('{"on":')
    assert list(fleet.heard()) == ["Beta"], "others are heard all the same"
    return "agents/Alpha.json: is damaged"


def damage_the_log(shelf: Shelf) -> str:
    path = shelf.directory / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"at"', b'{"at', 1))
    return "log.jsonl:1: is damaged"


def leave_an_orphan(shelf: Shelf) -> str:
    shelf.put(shelf.store, [b"nobody's"])
    return f"{relative(shelf, chr(110) + 'obody' + chr(39) + 's')}: is named by no configuration"


def leave_half_a_blob(shelf: Shelf) -> str:
    shelf.file("file text 2").with_suffix(".tandem-writing").write_bytes(b"fi")
    return f"{relative(shelf, 'file text 2')}.tandem-writing: was never written to its end"


def relative(shelf: Shelf, text: str) -> str:
    return str(shelf.file(text).relative_to(shelf.directory))


@pytest.mark.parametrize(
    "damage",
    [
        damage_a_record,
        damage_a_blob,
        lose_a_file,
        lose_a_source,
        lose_the_active,
        damage_the_active,
        damage_the_places,
        damage_what_is_expected,
        damage_what_an_agent_said,
        damage_the_log,
        leave_an_orphan,
        leave_half_a_blob,
    ],
)
def test_corruption_is_named_and_left_as_it_is(shelf: Shelf, damage) -> None:  # type: ignore[no-untyped-def]
    expected = damage(shelf)
    before = contents(shelf)
    found = shelf.problems()
    assert any(line.startswith(expected) for line in found), found
    named = {line for line in found if not line.startswith(expected) and "by no configuration" not in line}
    assert named == set(), "one line for one thing that is wrong, and what it alone named"
    assert contents(shelf) == before


def contents(shelf: Shelf) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in shelf.directory.rglob("*") if path.is_file()}


def test_what_is_being_stored_is_no_orphan(shelf: Shelf) -> None:
    storing = shelf.store
    shelf.put(storing, [b"for a configuration to come"])
    assert shelf.problems() == []
    del storing
    assert len(shelf.problems()) == 1
    assert shelf.history.prune(9, ENTRY)["blobs"] == 1
    assert shelf.problems() == []


def test_a_torn_last_line_of_the_log_is_read_over_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(str(path))
    assert log.entries() == []
    log.append({"what": "active", "number": 1})
    whole = path.read_bytes()
    for torn in (b'{"what":"act', b"\0" * 20, b'{"what":"active","number":2}'):
        path.write_bytes(whole + torn)
        assert [entry["number"] for entry in log.entries()] == [1]
        assert log.damaged() == []
        log.append({"what": "active", "number": 3})
        assert [entry["number"] for entry in log.entries()] == [1, 3]
        assert path.read_bytes().count(b"\n") == 2
    path.write_bytes(b"garbage\n" + whole)
    assert (log.damaged(), [entry["number"] for entry in log.entries()]) == ([1], [1])
