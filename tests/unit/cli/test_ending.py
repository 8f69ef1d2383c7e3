"""The last lines of an apply tell the truth about every server."""

from __future__ import annotations

from typing import Any

from tandem.cli._ending import ending

Json = dict[str, Any]


def results(places: Json, wave: Json, activation: Json | None = None) -> dict[str, list[Json]]:
    """Return what the tasks of an apply of configuration 8 said, of Alpha, Beta and Gamma, with 7 active."""
    steps = [{"server": server} for server in ("Alpha", "Beta", "Gamma")]
    planned = {"plan": {"waves": [{"steps": steps}], "without": []}, "number": 8, "active": 7, "places": places}
    waves = [{"away": [], "failures": {}, **wave, "changes": {server: {} for server in wave["done"]}}]
    return {"plan": [planned], "wave": waves, "activation": [each for each in (activation, {"changed": False}) if each]}


def test_what_an_earlier_run_has_brought_there_is_not_pending() -> None:
    last = results({"Alpha": 8}, {"done": ["Beta", "Gamma"]}, {"changed": True, "pending": [], "expected": []})
    assert ending(last, check=False) == ["2 servers changed. Configuration 8 is active."]
    some = results({"Alpha": 8}, {"done": ["Beta"]}, {"changed": False, "pending": ["Gamma"]})
    [line] = ending(some, check=False)
    assert line == "1 server changed. Still pending: Gamma. Configuration 7 stays the active one."


def test_a_failed_run_names_those_that_are_elsewhere_and_those_that_failed() -> None:
    failed = results({"Alpha": 8}, {"done": [], "failures": {"Beta": "validator: no"}})
    assert "Not on configuration 8: Beta, Gamma. Configuration 7 stays the active one." in ending(failed, check=False)
    failed = results({"Alpha": 8}, {"done": ["Beta", "Gamma"], "failures": {"Alpha": "validator: no"}})
    assert "Not on configuration 8: Alpha. Configuration 7 stays the active one." in ending(failed, check=False)
