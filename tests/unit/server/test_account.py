"""Where a wave's servers are is written down before and after it, in a real store, whatever becomes of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tandem_server.fleet import Fleet

from tandem.ansible.account import Account
from tandem.ansible.fanout import Outcome
from tandem.configuration.places import Place, settled
from tests.unit.server.shelf import Shelf


class Here:
    """A session whose store is in a directory of this machine."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.writes = 0

    def places(self) -> Mapping[str, Place]:
        return self.shelf.store.servers()

    def servers(self) -> Mapping[str, int]:
        return settled(self.places())

    def numbers(self) -> list[int]:
        return self.shelf.store.numbers()

    def configuration(self, number: int) -> Any:
        return SimpleNamespace(bundles=self.shelf.store.configuration(number)["bundles"])

    def ask(self, do: str, *, run: int, **fields: Any) -> None:
        assert (do, run) == ("place", 21)
        self.writes += 1
        self.shelf.store.place(**fields)


@pytest.fixture
def session(tmp_path: Path) -> Here:
    """Return a session with configurations 1, on which Alpha and Beta are, and 2."""
    shelf = Shelf(tmp_path)
    shelf.activate(shelf.add("one"))
    shelf.add("two", "Alpha Beta Gamma")
    return Here(shelf)


def account(session: Here, number: int = 2) -> Account:
    return Account(session, 21, number)  # type: ignore[arg-type]


def bundles(session: Here, number: int = 2) -> dict[str, str]:
    found: dict[str, str] = session.configuration(number).bundles
    return found


DONE = {"changed": True}
UNDONE = {"changed": True, "failed": {"what": "a", "message": "b"}, "undone": True}
IN_PLACE = {"changed": True, "failed": {"what": "a", "message": "is in place, but"}}


def test_servers_are_on_their_way_before_they_are_changed(session: Here) -> None:
    wave = account(session)
    wave.begin(bundles(session))
    assert session.places() == {"Alpha": [1, 2], "Beta": [1, 2], "Gamma": [None, 2]}
    wave.end([Outcome(name, DONE) for name in ("Alpha", "Beta", "Gamma")], [])
    assert session.places() == {"Alpha": 2, "Beta": 2, "Gamma": 2}
    assert session.writes == 2, "one before, one after, however many servers there are"


def test_a_wave_that_changes_nothing_writes_nothing(session: Here) -> None:
    wave = account(session, 1)
    wave.begin(bundles(session, 1))
    wave.end([Outcome("Alpha", {"changed": False}), Outcome("Beta", {"changed": False})], [])
    assert session.writes == 0


@pytest.mark.parametrize(
    ("outcome", "place"),
    [
        (Outcome("Alpha", UNDONE), 1),
        (Outcome("Alpha", {"changed": True, "failed": {"what": "", "message": ""}, "undone": False}), 1),
        (Outcome("Alpha", {"changed": False, "failed": {"what": "", "message": ""}}), 1),
        (Outcome("Alpha", {"changed": False, "postponed": ["billing-1"]}), 1),
        (Outcome("Alpha", unreachable="no route to host"), 1),
        (Outcome("Alpha", IN_PLACE), [1, 2]),
        (Outcome("Alpha", unreachable="lost in the middle", lost=True), [1, 2]),
    ],
)
def test_what_is_known_of_a_server_that_did_not_get_there(session: Here, outcome: Outcome, place: Place) -> None:
    wave = account(session)
    wave.begin(bundles(session))
    wave.end([outcome], [])
    assert session.places()["Alpha"] == place


def test_a_server_that_holds_an_address_back_is_still_on_its_way(session: Here) -> None:
    wave = account(session)
    wave.begin(bundles(session))
    wave.end([Outcome("Alpha", DONE), Outcome("Beta", DONE)], ["Alpha"])
    assert (session.places()["Alpha"], session.places()["Beta"]) == ([1, 2], 2)
    later = account(session)
    later.begin({"Alpha": bundles(session)["Alpha"]})
    assert session.writes == 2, "it is recorded already"
    later.end([Outcome("Alpha", UNDONE)], [])
    assert session.places()["Alpha"] == [1, 2], "undone is the second step alone"
    later.end([Outcome("Alpha", DONE)], [])
    assert session.places()["Alpha"] == 2


def test_a_new_server_that_failed_is_on_nothing_yet(session: Here) -> None:
    wave = account(session)
    wave.begin(bundles(session))
    wave.end([Outcome("Gamma", UNDONE)], [])
    assert session.places()["Gamma"] == [None]


@pytest.mark.parametrize("outcome", [Outcome("Alpha", UNDONE), Outcome("Alpha", unreachable="no route to host")])
def test_a_server_that_is_back_where_it_was_should_still_come_to_what_it_was_left_out_of(
    session: Here, outcome: Outcome
) -> None:
    session.shelf.add("three")
    Fleet(str(session.shelf.directory)).expect(["Alpha", "Beta"], 2, 20)
    wave = account(session, 3)
    wave.begin(bundles(session, 3))
    wave.end([outcome, Outcome("Beta", DONE)], [])
    assert session.places() == {"Alpha": 1, "Beta": 3}
    assert session.shelf.store.state()["expected"] == {"Alpha": {"number": 2, "run": 20}}
