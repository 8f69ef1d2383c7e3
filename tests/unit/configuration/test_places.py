"""Where servers are is told as far as it is known, and no further."""

from __future__ import annotations

from tandem.configuration.places import Place, assumed, elsewhere, on_the_way, settled, words


def test_a_server_on_its_way_may_be_wherever_a_run_has_left_it() -> None:
    places: dict[str, Place] = {"East": 7, "West": [7, 8]}
    assert on_the_way(places, ["East", "West", "North"], 9) == {"East": [7, 9], "West": [7, 8, 9], "North": [None, 9]}
    assert on_the_way(places, ["West"], 8) == {"West": [7, 8]}
    assert settled(places) == {"East": 7}


def test_a_plan_compares_with_what_is_not_there_yet() -> None:
    """Whichever of the two it is on: what would have to be done in the worse case is planned for."""
    assert assumed([7, 8], 8, [7, 8]) == 7
    assert assumed([7, 8], 7, [7, 8]) == 8
    assert assumed([7, 8], None, [7, 8]) == 7
    assert assumed([7, 8], 8, [8]) == 8, "7 is no longer stored"
    assert assumed([None, 8], 8, [8]) is None
    assert assumed(7, 8, []) is None


def test_those_that_are_elsewhere() -> None:
    places: dict[str, Place] = {"East": 7, "West": [7, 8], "South": 8, "Gone": 3}
    assert elsewhere(places, 7, ["West", "South", "East", "New"]) == {"South": 8, "West": [7, 8]}


def test_words() -> None:
    places: dict[str, Place] = {"East": 7, "South": 7, "West": [7, 8], "North": [None, 8], "New": [None]}
    assert list(words(places)) == [
        "East, South are on configuration 7",
        "New is on no configuration yet",
        "North was being changed from nothing to 8 when a run died, and may be on either",
        "West was being changed from 7 to 8 when a run died, and may be on either",
    ]
