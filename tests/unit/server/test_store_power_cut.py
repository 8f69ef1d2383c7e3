"""Whatever call a power cut hits, a store is sound afterwards, and as before or as after."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tandem.configuration.history import ordered
from tests.unit.server.broken_disk import Disk, PowerCut
from tests.unit.server.shelf import ENTRY, Shelf

Change = Callable[[Shelf], object]
Look = Callable[[Shelf], object]


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with a store of four configurations; 2 is active, 1 was."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    shelf = Shelf(tmp_path / "origin")
    for number in (1, 2):
        shelf.add(f"text {number}")
        shelf.activate(number)
    shelf.add("text 3")
    shelf.plan(3, 2)
    shelf.add("text 4")
    shelf.history.mark(3, ENTRY)
    return tmp_path / "origin"


def run(root: Path, change: Change, **faults: int) -> Disk:
    """Do something on a disk that breaks."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = Disk(root, **faults)
        disk.under(monkeypatch)
        change(Shelf(root))
    return disk


def at_every_moment(origin: Path, change: Change, look: Look) -> None:
    """Cut the power at every call of a change: what is seen then is what was before or after; doing it again works."""
    target = origin.parent / "target"

    def fresh() -> Shelf:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(origin, target)
        return Shelf(target)

    before = look(fresh())
    log = run(target, change).log
    after = look(Shelf(target))
    assert before != after
    for moment in range(len(log)):
        shelf = fresh()
        with pytest.raises(PowerCut):
            run(target, change, cut_at=moment)
        told = look(shelf)
        assert told in (before, after), log[moment]
        serious = [line for line in shelf.problems() if "tandem prune removes it" not in line]
        assert serious == [], log[moment]
        if told == before:
            change(shelf)
            assert look(shelf) == after, log[moment]
        shelf.history.prune(9, ENTRY)
        assert shelf.problems() == [], log[moment]


def states(shelf: Shelf) -> object:
    """Return what the history says of every configuration, and the places of servers."""
    told = ordered(shelf.history.tell())
    found = {entry["number"]: (entry["state"], entry["spans"]) for entry in told["configurations"]}
    return found, told["servers"]


def test_storing_a_configuration(origin: Path) -> None:
    at_every_moment(origin, lambda shelf: shelf.add("text 5"), states)


def test_activating_by_a_plan(origin: Path) -> None:
    (plan,) = Shelf(origin).store.plans.all()
    later = {**ENTRY, "at": "2026-11-21T08:00:00Z"}
    at_every_moment(origin, lambda shelf: shelf.store.activate(3, later, plan["name"]), states)


def test_ending_a_run(origin: Path) -> None:
    away = ["Alpha", "Beta"]
    at_every_moment(
        origin, lambda shelf: shelf.store.end(7, 3, away, {**ENTRY, "at": "2026-11-21T08:00:00Z"}, None), states
    )


def test_recording_servers_on_their_way(origin: Path) -> None:
    at_every_moment(origin, lambda shelf: shelf.store.place({"Alpha": [2, 3], "Beta": [2, 3]}), states)


def test_discarding_a_candidate(origin: Path) -> None:
    at_every_moment(origin, lambda shelf: shelf.history.discard(4, ENTRY), states)


def test_marking(origin: Path) -> None:
    at_every_moment(origin, lambda shelf: shelf.history.mark(4, ENTRY), lambda shelf: shelf.history.marks())


def test_keeping_a_plan(origin: Path) -> None:
    plans: Look = lambda shelf: [found["name"] for found in shelf.store.plans.all()]  # noqa: E731
    at_every_moment(origin, lambda shelf: shelf.plan(4, 2), plans)


def test_planning_again_what_was_used(origin: Path) -> None:
    (plan,) = Shelf(origin).store.plans.all()
    Shelf(origin).store.plans.use(plan["name"])
    used: Look = lambda shelf: [found["used"] for found in shelf.store.plans.all()]  # noqa: E731
    at_every_moment(origin, lambda shelf: shelf.plan(3, 2), used)


def test_pruning_leaves_nothing_without_its_blobs(origin: Path) -> None:
    """It may stop after any of the configurations, and the next one goes on."""
    target = origin.parent / "target"
    for name in ("five", "six"):
        Shelf(origin).add(name)
    shutil.copytree(origin, target)
    moments = len(run(target, lambda shelf: shelf.history.prune(0, ENTRY)).log)
    assert Shelf(target).store.numbers() == [2, 3]
    for moment in range(moments):
        shutil.rmtree(target)
        shutil.copytree(origin, target)
        with pytest.raises(PowerCut):
            run(target, lambda shelf: shelf.history.prune(0, ENTRY), cut_at=moment)
        shelf = Shelf(target)
        serious = [line for line in shelf.problems() if "tandem prune removes it" not in line]
        assert serious == [], moment
        shelf.history.prune(0, ENTRY)
        assert (shelf.problems(), shelf.store.numbers()) == ([], [2, 3])
        assert shelf.add("seven") == 7, "no number comes twice"


def test_the_log_survives_being_torn_anywhere(origin: Path) -> None:
    path = Shelf(origin).directory / "log.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        shelf = Shelf(origin)
        assert [entry["number"] for entry in shelf.store.log.entries()] == [1]
        assert shelf.problems() == []
        shelf.store.activate(3, ENTRY)
        assert [entry["number"] for entry in shelf.store.log.entries()] == [1, 3]
        (shelf.directory / "active").write_bytes(b"2")


def test_what_others_rely_on_is_durable_before_them(origin: Path) -> None:
    """A power cut may also lose whatever was written since the last fsync: these orders are what holds then."""
    (plan,) = Shelf(origin).store.plans.all()
    log = run(origin, lambda shelf: shelf.store.activate(3, ENTRY, plan["name"])).log
    store = str(Shelf(origin).directory).removeprefix(str(origin))
    pointer = log.index(("rename", f"{store}/active.tandem-writing"))
    assert ("fsync", f"{store}/log.jsonl") in log[:pointer], "who did it is known before it is so"
    assert ("fsync", f"{store}/plans") in log[:pointer], "a plan is used up before it is in effect"
    assert ("fsync", store) in log[pointer:]
    log = run(origin, lambda shelf: shelf.history.prune(0, ENTRY)).log
    records = [n for n, (call, path) in enumerate(log) if call == "unlink" and "/configurations/" in path]
    contents = [n for n, (call, path) in enumerate(log) if call == "unlink" and "/blobs/" in path]
    assert ("fsync", f"{store}/configurations") in log[max(records) : min(contents)]
    assert ("fsync", f"{store}/highest.tandem-writing") in log[: min(records)]
