"""What the benchmark makes of its measurements: medians, ratios, verdicts, and the page."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import page, plot
from bench.installation import Sizes
from bench.results import SCALE, Compiles, Results, compile_targets, targets


def measured(contender: str, seconds: float, **more: Any) -> dict[str, Any]:
    usual = {"scenario": "noop", "servers": 20, "round": 0, "cpu": 2.0, "execs": 1, "exact": True, "round_trip": 0.0}
    return {**usual, "key_exchange": "default", "load": [1.0, 2.0], "contender": contender, "seconds": seconds, **more}


def measured_compile(cold: float = 8.0, small: float = 1.0, one: float = 1.5, memory: float = 500.0) -> dict[str, Any]:
    def run(scenario: str, servers: int, seconds: float | None, memory: float | None = None) -> dict[str, Any]:
        cpu = None if seconds is None else 14.0
        kept = {"scenario": scenario, "servers": servers, "round": 0, "seconds": seconds, "cpu": cpu}
        return {**kept, "memory": memory, "load": 1.0}

    runs = [run("cold", 125, small), run("cold", 1000, cold), run("one", 1000, one), run("cold", 1000, None, memory)]
    return {"sizes": asdict(Sizes()) | {"instances": 5000}, "runs": runs, "checked": {"digests": 3, "values": 1000}}


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({}, None),
        ({"cold": 10.1, "small": 2.0}, 0),
        ({"one": 2.01}, 1),
        ({"memory": 1025.0}, 2),
        ({"cold": 8.1}, 3),
    ],
)
def test_compiling_has_a_verdict_for_each_target(changed: dict[str, float], broken: int | None):
    held = [target.held for target in compile_targets(Compiles(measured_compile(**changed)))]
    assert held == [number != broken for number in range(6)]


def test_what_was_not_compiled_is_neither_held_nor_broken():
    found = {"sizes": asdict(Sizes()), "runs": [], "checked": {}}
    assert {target.held for target in compile_targets(Compiles(found))} == {None}


def test_a_ratio_is_that_of_the_medians():
    results = Results([measured("pyinfra", s) for s in (20, 90, 21)] + [measured("tandem", s) for s in (3, 1, 30)])
    assert results.seconds("pyinfra", "noop", 20) == 21
    assert results.ratio("pyinfra", "tandem", "noop", 20) == 7


def test_only_runs_on_the_same_line_with_the_same_key_exchange_are_compared():
    slow = measured("rsync", 99, round_trip=0.1)
    other = measured("rsync", 77, key_exchange="curve25519-sha256")
    results = Results([measured("tandem", 3), slow, other])
    assert results.ratio("rsync", "tandem", "noop", 20) is None
    assert results.seconds("rsync", "noop", 20, 0.1) == 99
    assert results.seconds("rsync", "noop", 20, keys="curve25519-sha256") == 77


def test_a_run_of_a_contender_with_a_key_exchange_of_its_own_counts_for_each():
    results = Results([measured("tandem", 3, key_exchange="curve25519-sha256"), measured("pyinfra", 24)])
    assert results.ratio("pyinfra", "tandem", "noop", 20, keys="curve25519-sha256") == 8


@pytest.mark.parametrize(("seconds", "held"), [(21.0, True), (20.9, False)])
def test_a_target_is_held_from_its_very_number_on(seconds: float, held: bool):
    found = targets(Results([measured("tandem", 3.0), measured("pyinfra", seconds)]))
    verdict = next(target for target in found if target.what.startswith("tandem apply, noop, 20 servers, default"))
    assert (verdict.held, verdict.wanted) == (held, "≥ 7")


@pytest.mark.parametrize(("seconds", "held"), [(12.0, True), (12.1, False)])
def test_a_floor_is_held_up_to_its_very_number(seconds: float, held: bool):
    found = targets(Results([measured("tandem", seconds), measured("ssh_new", 3.0)]))
    assert next(target for target in found if "`ssh true` on new" in target.what).held is held


def test_what_was_not_measured_is_neither_held_nor_broken():
    assert {target.held for target in targets(Results([]))} == {None}


def test_one_session_too_many_or_one_restart_too_many_breaks_a_target():
    runs = [measured("tandem", 3), measured("tandem", 3, execs=2, exact=False)]
    execs, units = targets(Results(runs))[-2:]
    assert (execs.found, execs.held) == ("2", False)
    assert (units.found, units.held) == ("1 of 2 runs", False)


def test_the_page_has_every_contender_with_its_ratio_and_plots_that_are_xml(tmp_path):
    runs = [measured(name, s, servers=n) for name, s in (("tandem", 2.0), ("pyinfra", 16.0)) for n in (5, 20)]
    runs.append(measured("python", 40.0, servers=SCALE))
    compiled = measured_compile(cold=8.25)
    machine = {"cpus": "2 × some"}
    text = page.page({"machine": machine, "measurements": runs}, compiled, tmp_path)
    assert "| pyinfra | — | 16.00 | — | 8 | 2.0 | 1 | yes |" in text
    assert "| tandem apply, noop, 20 servers, default key exchange: times faster than pyinfra | ≥ 7 | 8 | yes |" in text
    assert "| compile, no cache | 8.25 | 14.0 | 500 |" in text
    assert "| compile, no cache: seconds | ≤ 10 | 8.25 | yes |" in text
    drawn = sorted(path.name for path in tmp_path.glob("benchmarks/*.svg"))
    assert drawn == ["compile.svg", "delivery.svg", "growth.svg"]
    for path in tmp_path.glob("benchmarks/*.svg"):
        ET.parse(path)  # noqa: S314  our own
    assert all(f"(benchmarks/{name})" in text for name in drawn)


def test_the_page_is_written_with_the_half_that_is_there(tmp_path):
    assert page.page(None, None, tmp_path).startswith("# Benchmarks")
    assert "Targets" not in page.page(json.loads("null"), None, tmp_path)


def test_bars_are_as_long_as_their_logarithms():
    drawn = ET.fromstring(plot.bars("t", {"g": {"a": 1.0, "b": 10.0, "c": 100.0}}))  # noqa: S314  our own
    space = "{http://www.w3.org/2000/svg}"
    _, one, ten, hundred = (float(each.get("width", "")) for each in drawn.iter(f"{space}rect"))
    assert one == 0
    assert hundred == pytest.approx(2 * ten, abs=0.2)
