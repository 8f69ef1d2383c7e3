"""What servers should be on survives a power cut, and never contradicts what they are on."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tandem_server import lease, renewal, session
from tandem_server.failure import Failure
from tandem_server.fleet import Fleet
from tandem_server.history import History
from tandem_server.serving import Answers
from tandem_server.state import State
from tandem_server.store import Store

from tests.unit.server.broken_disk import Disk, PowerCut

FILES = {"Alpha": ["of Alpha", "of both"], "Beta": ["of Beta", "of both"]}


def name_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def encoded(*texts: str) -> dict[str, str]:
    return {name_of(text): base64.b64encode(text.encode()).decode() for text in texts}


def bundle(server: str, version: str) -> str:
    files = [{"digest": name_of(text)} for text in (*FILES[server], version)]
    return json.dumps({"server": server, "files": files})


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store with configurations 1 and 2 of two servers, both on 1."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(lease, "State", lambda: State(str(tmp_path)))
    found = Store(str(tmp_path / "store"))
    (tmp_path / "store").mkdir()
    for number in ("1", "2"):
        bundles = {server: bundle(server, number) for server in FILES}
        found.put(encoded(number, *bundles.values(), *(text for texts in FILES.values() for text in texts)))
        names = {server: name_of(text) for server, text in bundles.items()}
        found.add({"installation": "test", "digest": number, "bundles": names})
    found.place({"Alpha": 1, "Beta": 1})
    return found


def turn(answers: Answers, on: int, version: str, server: str = "Alpha") -> Any:
    said = {"did": "", "interval": 300, "mode": "apply", "program": "x"}
    message = {"ask": "turn", "on": on, "bundle": name_of(bundle(server, version)), "said": said}
    return answers.to(message)["should"]


def test_a_server_that_nothing_is_expected_of_stays_as_it_is(kept: Store) -> None:
    kept.activate(2, {})
    kept.place({"Beta": 2})
    assert turn(Answers(kept, "Alpha"), 1, "1") is None
    with pytest.raises(Failure, match="should stay as it is"):
        Answers(kept, "Alpha").to({"ask": "bundle"})


def test_an_expectation_is_met_by_the_agent_and_then_gone(kept: Store) -> None:
    Fleet(kept.directory).expect(["Alpha"], 2, 7)
    answers = Answers(kept, "Alpha")
    should = turn(answers, 1, "1")
    assert should == {"number": 2, "run": 7, "bundle": name_of(bundle("Alpha", "2"))}
    assert answers.to({"ask": "bundle"}) == {"text": bundle("Alpha", "2")}
    assert turn(answers, 2, "1") == should, "the number alone is not the configuration"
    assert turn(answers, 2, "2") is None
    assert kept.state()["servers"] == {"Alpha": 2, "Beta": 1}
    assert kept.state()["expected"] == {}


def test_what_a_run_may_be_doing_is_contradicted_only_by_who_holds_the_lease(kept: Store) -> None:
    Fleet(kept.directory).expect(["Alpha"], 2, 7)
    alpha, beta = Answers(kept, "Alpha"), Answers(kept, "Beta")
    kept.place({"Alpha": [1, 3]})
    other = beta.to({"ask": "acquire"})["run"]
    assert turn(alpha, 2, "2")["number"] == 2, "it has to come again"
    assert kept.state()["servers"]["Alpha"] == [1, 3]
    beta.to({"ask": "release", "run": other})
    assert turn(alpha, 2, "2")["number"] == 2
    alpha.to({"ask": "acquire"})
    assert turn(alpha, 2, "2") is None
    assert kept.state()["servers"]["Alpha"] == 2
    assert kept.state()["expected"] == {}


def test_damage_in_the_store_is_no_fault_of_who_asks(kept: Store) -> None:
    Path(kept.directory, "expected.json").write_text("{")
    with pytest.raises(Failure, match=r"expected.json is damaged .*; restore it from another copy of the store"):
        turn(Answers(kept, "Alpha"), 1, "1")


def test_placing_a_server_and_a_later_expectation_replace_an_earlier_one(kept: Store) -> None:
    fleet = Fleet(kept.directory)
    fleet.expect(["Alpha", "Beta"], 2, 7)
    kept.place({"Alpha": 1})
    assert fleet.expected() == {"Beta": {"number": 2, "run": 7}}
    fleet.expect(["Alpha"], 1, 8)
    assert fleet.expected() == {"Alpha": {"number": 1, "run": 8}}


def test_a_server_that_a_failed_run_has_put_back_is_still_told_where_to_go(kept: Store) -> None:
    Fleet(kept.directory).expect(["Alpha"], 2, 7)
    kept.place({"Alpha": [1, 3], "Beta": [1, 3]})
    kept.place({"Alpha": 1, "Beta": 3}, back=["Alpha"])
    assert turn(Answers(kept, "Alpha"), 1, "1")["number"] == 2
    assert turn(Answers(kept, "Alpha"), 2, "2") is None
    assert kept.state()["expected"] == {}


def test_nobody_gets_what_is_not_in_its_own_bundle(kept: Store) -> None:
    Fleet(kept.directory).expect(["Alpha"], 2, 7)
    own, foreign = Answers(kept, "Alpha"), Answers(kept, "Beta")
    assert own.to({"ask": "contents", "names": [name_of("of Alpha"), name_of("of both")]}) == {
        "blobs": encoded("of Alpha", "of both")
    }
    for text in ("of Beta", bundle("Beta", "2"), bundle("Alpha", "2"), "1", "../../active"):
        with pytest.raises(Failure, match="not in the bundle of this server"):
            own.to({"ask": "contents", "names": [name_of("of both"), name_of(text)]})
    for ask in ({"ask": "bundle"}, {"ask": "contents", "names": [name_of("of Beta")]}):
        with pytest.raises(Failure, match="Beta: should stay as it is"):
            foreign.to(ask)


def test_a_lease_is_renewed_and_released_by_its_holder_alone(kept: Store) -> None:
    alpha, beta = Answers(kept, "Alpha"), Answers(kept, "Beta")
    run = alpha.to({"ask": "acquire"})["run"]
    held = beta.to({"ask": "acquire"})["held"]
    assert (held["run"], held["holder"]) == (run, "the agent of Alpha")
    for ask in ("renew", "release"):
        with pytest.raises(Failure, match="does not hold it"):
            beta.to({"ask": ask, "run": run})
    alpha.to({"ask": "renew", "run": run})
    alpha.to({"ask": "release", "run": run})
    assert beta.to({"ask": "acquire"})["run"] == run + 1


def test_a_lease_is_renewed_while_pruning_takes_long(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    held = lease.Lease(kept.directory)
    run = held.acquire("kim@desk")["run"]
    monkeypatch.setattr(renewal, "PAUSE", 0.01)

    def renewed() -> float:
        return float((held.current() or {})["renewed"])

    def prune(_history: History, **_fields: object) -> dict[str, Any]:
        for _ in range(3):
            before, deadline = renewed(), time.monotonic() + 20
            while renewed() == before:
                assert time.monotonic() < deadline, "nobody renews it"
                time.sleep(0.01)
        return {"removed": [1]}

    monkeypatch.setattr(History, "prune", prune)
    message = {"do": "prune", "run": run, "keep": 0, "entry": {}, "check": False}
    assert session._answer(kept, held, message) == {"removed": [1]}
    after = renewed()
    time.sleep(0.1)
    assert renewed() == after


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"ask": "place"},
        {"ask": ["turn"]},
        {"ask": "turn"},
        {"ask": "turn", "on": 1, "bundle": "", "said": {}},
        {"ask": "turn", "on": "one", "bundle": "", "said": {"did": "", "interval": 1, "mode": "", "program": ""}},
        {"ask": "contents", "names": 5},
        {"ask": "contents", "names": [[]]},
        {"ask": "bundle", "server": "Beta"},
        {"ask": "renew", "run": None},
    ],
)
def test_what_is_no_request_is_refused(kept: Store, message: dict[str, Any]) -> None:
    Fleet(kept.directory).expect(["Alpha"], 2, 7)
    with pytest.raises(Failure):
        Answers(kept, "Alpha").to(message)


def at_every_moment(kept: Store, change: Callable[[], None], reset: Callable[[], None]) -> list[tuple[Any, Any]]:
    """Cut the power before every system call of a change; return (on, expected) of Alpha as found afterwards."""
    found = []
    for moment in range(100):
        reset()
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(Path(kept.directory), cut_at=moment)
            disk.under(patch)
            try:
                change()
                ended = True
            except PowerCut:
                ended = False
        state = kept.state()
        found.append((state["servers"]["Alpha"], state["expected"].get("Alpha", {}).get("number")))
        if ended:
            return found
    raise AssertionError("the change never ends")


def test_a_power_cut_leaves_an_expectation_as_before_or_after(kept: Store) -> None:
    fleet = Fleet(kept.directory)
    found = at_every_moment(kept, lambda: fleet.expect(["Alpha"], 2, 7), lambda: fleet.expect([], 1, 1))
    assert (found[0], found[-1], set(found)) == ((1, None), (1, 2), {(1, None), (1, 2)})


def test_a_power_cut_never_leaves_a_server_expected_to_go_back(kept: Store) -> None:
    """A later run has placed Alpha on 2 while 1 was expected of it: 2 with an expectation of 1 must not be seen."""
    fleet = Fleet(kept.directory)

    def reset() -> None:
        kept.place({"Alpha": 1})
        fleet.expect(["Alpha"], 1, 7)

    found = at_every_moment(kept, lambda: kept.place({"Alpha": 2}), reset)
    assert (found[0], found[-1], set(found)) == ((1, 1), (2, None), {(1, 1), (1, None), (2, None)})
