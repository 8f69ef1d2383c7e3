"""The last lines of an apply tell the truth about every server."""

from __future__ import annotations

from typing import Any

from tandem.cli._ending import ending

Json = dict[str, Any]


def results(places: Json, wave: Json, activation: Json | None = None) -> dict[str, list[Json]]:
    """Return what the tasks of an apply of configuration 8 said, of Alpha, Beta and Gamma, with 7 active."""
    steps = [{"server": server} for server in ("Alpha", "Beta", "Gamma")]
    planned = {"plan": {"waves": [{"steps": steps}], "without": []}, "number": 8, "active": 7, "places": places}
    activations = [each for each in (activation, {"changed": False}) if each]
    return {"plan": [planned], "wave": [ended(wave)], "activation": activations}


def ended(wave: Json) -> Json:
    return {"away": [], "failures": {}, **wave, "changes": {server: {} for server in wave["done"]}}


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


def test_a_configuration_that_was_not_made_the_active_one_is_not_called_so() -> None:
    late = results({}, {"done": ["Beta", "Gamma"]})
    late["wave"].append(ended({"done": ["Alpha"]}))  # which the first wave has postponed
    assert ending(late, check=False) == [
        (
            "3 servers changed. Every server is on configuration 8, but it is not active. "
            "Configuration 7 stays the active one."
        ),
        "To make it the active one: tandem apply 8",
    ]
    away = results({}, {"done": ["Alpha", "Beta", "Gamma"]})
    away["plan"][0]["plan"]["without"] = ["West"]
    assert ending(away, check=False) == [
        (
            "3 servers changed. Every server except West is on configuration 8, but it is not active. "
            "Configuration 7 stays the active one."
        ),
        "To make it the active one: tandem apply 8 --without West",
    ]


def test_one_that_was_active_before_is_so_although_its_run_did_not_end() -> None:
    again = results({}, {"done": ["Alpha", "Beta", "Gamma"]})
    again["plan"][0] |= {"active": 8}
    again["plan"][0]["plan"]["without"] = ["West"]
    assert ending(again, check=False) == ["3 servers changed. Configuration 8 is active."]


def test_a_server_with_two_steps_is_there_after_the_second() -> None:
    held = results({}, {"done": ["Alpha", "Beta"]})
    planned = [["Alpha", "Beta"], ["Gamma"], ["Alpha"]]
    held["plan"][0]["plan"]["waves"] = [{"steps": [{"server": server} for server in wave]} for wave in planned]
    assert "Still pending: Alpha, Gamma." in ending(held, check=False)[0]
    held["wave"].append(ended({"done": [], "failures": {"Gamma": "validator: no"}}))
    assert "Not on configuration 8: Alpha, Gamma. Configuration 7 stays the active one." in ending(held, check=False)
    held["wave"][1:] = [ended({"done": ["Gamma"]}), ended({"done": [], "failures": {"Alpha": "validator: no"}})]
    assert "Not on configuration 8: Alpha. Configuration 7 stays the active one." in ending(held, check=False)
    held["wave"][2] = ended({"done": ["Alpha"]})
    held["activation"] = [{"changed": True, "pending": [], "expected": []}]
    assert ending(held, check=False) == ["3 servers changed. Configuration 8 is active."]
