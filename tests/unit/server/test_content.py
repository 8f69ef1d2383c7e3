"""What a controller gets of a configuration in one answer, and how a run ends in one."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tandem_server.fleet import Fleet

from tests.unit.server.shelf import ENTRY, Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Return a shelf with configuration 1, which is active, and 2."""
    shelf = Shelf(tmp_path)
    shelf.activate(shelf.add("one"))
    shelf.add("two")
    return shelf


def texts(found: dict[str, str]) -> set[bytes]:
    return {base64.b64decode(text) for text in found.values()}


def test_the_active_one_comes_with_its_tree_and_bundles(shelf: Shelf) -> None:
    found = shelf.store.content()
    assert found
    assert found["record"] == shelf.store.configuration(1)
    assert found["blobs"].keys() == {found["record"]["tree"], *found["record"]["bundles"].values()}


def test_before_the_first_apply_nothing_is_active(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add("one")
    assert shelf.store.content() is None


def test_what_is_known_and_what_other_servers_have_stays(shelf: Shelf) -> None:
    record = shelf.store.configuration(1)
    found = shelf.store.content(1, [record["bundles"]["Alpha"]], ["Alpha", "Omega"])
    assert found
    assert found["blobs"].keys() == {record["tree"]}
    found = shelf.store.content(1, servers=["Beta"], tree=False)
    assert found
    assert found["blobs"].keys() == {record["bundles"]["Beta"]}


def test_files_are_those_that_the_active_one_has_not(shelf: Shelf) -> None:
    new = shelf.store.content(2, servers=["Alpha"], tree=False, files=True)
    assert new
    assert b"file two" in texts(new["blobs"])
    same = shelf.store.content(1, servers=["Alpha"], tree=False, files=True)
    assert same
    assert b"file one" not in texts(same["blobs"])
    third = shelf.add("two", "Alpha Beta Gamma")
    alone = shelf.store.content(third, servers=["Gamma"], tree=False, files=True)
    assert alone
    assert b"file two" in texts(alone["blobs"]), "a server that is new has nothing"


def test_a_run_does_not_end_before_every_server_is_there(shelf: Shelf) -> None:
    shelf.store.place({"Alpha": 2, "Beta": [1, 2]})
    assert shelf.store.end(7, 2, [], ENTRY, None) == {"changed": False, "pending": ["Beta"]}
    assert shelf.store.active() == 1


def test_a_run_ends_without_those_that_are_away_and_expects_them(shelf: Shelf) -> None:
    shelf.store.place({"Alpha": 2})
    ended = {"changed": True, "pending": [], "expected": ["Beta"]}
    assert shelf.store.end(7, 2, ["Beta"], ENTRY, None) == ended
    assert shelf.store.active() == 2
    assert Fleet(shelf.store.directory).expected() == {"Beta": {"number": 2, "run": 7}}
    assert shelf.store.end(8, 2, ["Beta"], ENTRY, None) == {**ended, "changed": False}
