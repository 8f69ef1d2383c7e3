"""What a wave leaves of a cluster, and how many of it may be interrupted at once."""

from __future__ import annotations

from typing import Any

from tandem.plan.availability import Interrupted, Redundancy, batches, redundancy

Json = dict[str, Any]


def places(**servers: str) -> Json:
    return {name: {"cluster": "engines", "server": server} for name, server in servers.items()}


def step(server: str, *instances: str, held: tuple[str, ...] = ()) -> Interrupted:
    return Interrupted(server, frozenset(instances), frozenset(held))


def test_restarts_one_after_the_other_keep_all_but_one() -> None:
    here = places(one="Alpha", two="Beta", three="Gamma")
    waves = [[step("Alpha", "one")], [step("Beta", "two")], [step("Gamma", "three")]]
    assert redundancy(here, here, waves) == [[Redundancy("engines", 2, 3)]] * 3


def test_an_instance_on_its_way_is_missing_until_it_has_arrived() -> None:
    old, new = places(one="Alpha", two="Beta"), places(one="Gamma", two="Beta")
    waves = [[step("Alpha", "one")], [step("Beta", "two")], [step("Gamma", "one")], [step("Beta", "two")]]
    assert redundancy(old, new, waves) == [
        [Redundancy("engines", 1, 2)],
        [Redundancy("engines", 0, 2)],
        [],
        [Redundancy("engines", 1, 2)],
    ]


def test_what_a_run_died_on_is_not_counted_on_before_it_has_had_its_turn() -> None:
    """One that was on its way there may be nowhere: nobody waits for it, or the run would never come to it."""
    old, new = places(one="Alpha", two="Beta"), places(one="Alpha", two="Gamma")
    waves = [[step("Alpha", "one")], [step("Beta", "two")], [step("Gamma", "two")], [step("Alpha", "one")]]
    kept = [[each.keeps for each in wave] for wave in redundancy(old, new, waves, {"Beta"})]
    assert kept == [[0], [1], [], [1]]
    waves = [[step("Beta")], [step("Alpha", "one")]]
    assert redundancy(old, old, waves, {"Beta"}) == [[], [Redundancy("engines", 1, 2)]]


def test_what_has_started_counts_and_what_has_gone_for_good_does_not() -> None:
    old, new = places(one="Alpha", gone="Alpha"), places(one="Alpha", two="Beta")
    waves = [[step("Beta", "two")], [step("Alpha", "one", "gone")], [step("Alpha", "one")]]
    assert redundancy(old, new, waves) == [[], [Redundancy("engines", 1, 3)], [Redundancy("engines", 1, 2)]]


def test_an_address_that_is_held_does_not_serve_yet() -> None:
    old, new = places(one="Alpha", two="Beta"), places(one="Beta", two="Alpha")
    waves = [[step("Alpha", "one", "two", held=("two",))], [step("Beta", "one", "two")], [step("Alpha", "two")]]
    assert [[each.keeps for each in wave] for wave in redundancy(old, new, waves)] == [[0], [0], []]


def test_the_smallest_batch_counts_and_one_instance_that_serves_is_always_left() -> None:
    tree: Json = {f"engine-{n}": {"cluster": "engines", "batch": 3} for n in range(3)}
    assert batches(tree, tree) == {"engines": 2}
    assert batches(tree, ()) == {"engines": 2}, "a new cluster"
    assert batches(tree, ["engine-0", "engine-1"]) == {"engines": 1}, "one is still to come"
    assert batches(tree, ["engine-0"]) == {"engines": 1}
    tree["engine-1"]["batch"] = 1
    assert batches(tree, tree) == {"engines": 1}
    tree = {"engine-0": {"cluster": "engines", "batch": 3}}
    assert batches(tree, tree) == {"engines": 1}
    tree = {"engine-0": {"cluster": "engines", "batch": None}}
    assert batches(tree, tree) == {}
