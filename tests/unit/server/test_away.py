"""What goes wrong while a server asks what it should be on must keep it neither down nor on a foreign address."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tandem_server import addresses, agent, boot, settle, state, wire
from tandem_server.failure import Failure
from tandem_server.settle import Change
from tandem_server.state import State
from tandem_server.transaction import Transaction, undo

from tests.unit.server import server

ADDRESS = {"address": "198.18.1.11", "prefix": 24, "interface": "lo"}
BUNDLE: dict[str, Any] = {"addresses": [ADDRESS], "units": [], "files": [], "management": None}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the addresses that are added, on a server that has none; another one has 198.18.1.11."""
    found: list[str] = []

    def taken(address: str, interface: str) -> None:
        raise Failure(f"address {address}", f"answers already on {interface}")

    monkeypatch.setattr(settle.addresses, "present", dict)
    monkeypatch.setattr(settle.addresses, "refuse_taken", taken)
    monkeypatch.setattr(settle.addresses, "add", lambda address: found.append(address["address"]))
    return found


def test_an_address_that_is_elsewhere_by_now_is_taken_neither_by_an_apply_nor_by_an_undo(added: list[str]) -> None:
    said: list[str] = []
    change = Change(BUNDLE, None, [])
    with pytest.raises(Failure, match="answers already"):
        change.take_addresses(lambda _, step: said.append(step), must=True)
    change.take_addresses(lambda _, step: said.append(step), must=False)
    assert added == []
    assert said[-1] == "address 198.18.1.11: answers already on lo"


def test_who_is_connected_over_the_old_management_address_is_asked_to_come_over_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when a run that died has left the new one here: the new rules let nobody in over the old one."""
    old, new = (
        {"address": address, "prefix": 24, "interface": "lo", "gateway": None} for address in ("192.0.2.1", "192.0.2.2")
    )
    here = {**BUNDLE, "addresses": [], "management": old}
    both = {address["address"]: ("lo", 24) for address in (old, new)}
    for present in (["192.0.2.1"], list(both), ["192.0.2.2"]):
        monkeypatch.setattr(settle.addresses, "present", lambda present=present: {name: both[name] for name in present})
        change = Change({**here, "management": new}, here, [])
        assert change.moved
        assert change.retired == [old for name in present if name == old["address"]]
    assert not Change({**here, "management": new}, {**here, "management": new}, []).moved


def test_a_gateway_that_changes_has_to_be_confirmed_over_the_same_address(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"address": "192.0.2.1", "prefix": 24, "interface": "lo", "gateway": "192.0.2.254"}
    here = {**BUNDLE, "addresses": [], "management": old}
    monkeypatch.setattr(settle.addresses, "present", lambda: {"192.0.2.1": ("lo", 24)})
    change = Change({**here, "management": {**old, "gateway": "192.0.2.245"}}, here, [])
    assert change.needs_confirmation([])
    assert not change.moved
    assert not Change(here, here, []).needs_confirmation([])


def test_an_undo_goes_on_without_an_address_that_cannot_be_had(
    added: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [{**ADDRESS, "address": f"198.18.1.{last}"} for last in (12, 13, 14)]
    wanted[0]["interface"] = "gone0"
    management = {"address": "192.0.2.1", "prefix": 24, "interface": "gone0", "gateway": "192.0.2.254"}

    def asks(address: str, _interface: str) -> None:
        if address == "198.18.1.13":
            raise OSError(100, "Network is down")

    def fails(*_: object) -> None:
        raise Failure("default route", "Nexthop has invalid gateway")

    monkeypatch.setattr(settle.addresses, "refuse_taken", asks)
    monkeypatch.setattr(settle.addresses, "set_gateway", fails)
    change = Change({**BUNDLE, "addresses": wanted, "management": management}, None, [])
    said: list[str] = []
    change.take_addresses(lambda _, step: said.append(step), must=False)
    assert added == ["198.18.1.14"]
    assert [step for step in said if not step.startswith("adding")] == [
        "address 192.0.2.1: there is no interface gone0 on this server",
        "address 198.18.1.12: there is no interface gone0 on this server",
        "[Errno 100] Network is down",
        "default route: Nexthop has invalid gateway",
    ]
    with pytest.raises(Failure, match="no interface gone0"):
        change.take_addresses(lambda *_, **__: None, must=True)


def test_a_gateway_on_another_interface_is_set_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def must(argv: list[str], _what: str) -> str:
        commands.append(argv)
        return "default via 192.0.2.254 dev eth0 proto static \n"

    monkeypatch.setattr(addresses, "must", must)
    addresses.set_gateway("192.0.2.254", "eth0")
    assert len(commands) == 1
    addresses.set_gateway("192.0.2.254", "eth1")
    assert commands[-1] == ["ip", "route", "replace", "default", "via", "192.0.2.254", "dev", "eth1"]


@pytest.fixture
def booting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[list[str]]]:
    """Return what boots a server as far as `start`, and then the commands that it ran."""
    here = State(str(tmp_path))
    here.prepare()
    here.commit({**BUNDLE, "addresses": [], "number": 1})
    commands: list[list[str]] = []

    def run(argv: list[str]) -> tuple[int, str]:
        commands.append(argv)
        return 0, ""

    monkeypatch.setattr(boot, "State", lambda: here)
    monkeypatch.setattr(boot.addresses, "present", dict)
    monkeypatch.setattr(boot, "run", run)
    monkeypatch.setattr(boot, "REFUSED", str(tmp_path / "refused.json"))
    monkeypatch.setattr(wire, "IDENTITY", str(tmp_path / "identity.pem"))
    monkeypatch.setattr(agent, "SETTINGS", str(tmp_path / "agent.json"))

    def start() -> list[list[str]]:
        boot.start()
        return commands

    return start


STARTED = [["systemctl", "start", "--no-block", "tandem.target"]]


@pytest.mark.parametrize(
    ("identity", "settings"),
    [
        (None, None),
        ("", '{"mode": "apply"}'),
        ("no certificate", None),
        ("no certificate", "no json"),
        ("no certificate", '{"mode": "off"}'),
        ("no certificate", '{"mode": "apply", "address": "127.0.0.1", "port": 1, "interval": 300}'),
        ("no certificate", '{"mode": "apply"}'),
    ],
)
def test_a_server_starts_whatever_its_agent_lacks(
    booting: Callable[[], list[list[str]]], tmp_path: Path, identity: str | None, settings: str | None
) -> None:
    for name, text in (("identity.pem", identity), ("agent.json", settings)):
        if text is not None:
            (tmp_path / name).write_text(text)
    assert booting() == STARTED


@pytest.mark.parametrize("error", [Failure("a", "b"), OSError(), KeyError("should"), RecursionError()])
def test_a_server_starts_whatever_goes_wrong_in_its_agent(
    booting: Callable[[], list[list[str]]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(_state: State) -> None:
        raise error

    monkeypatch.setattr(agent, "at_boot", fails)
    assert booting() == STARTED


def test_a_server_starts_on_what_a_run_brings_meanwhile(
    booting: Callable[[], list[list[str]]], added: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the lock first, and is not locked out by itself."""
    run = State(str(tmp_path))
    run.lock(lambda: None)
    asked: list[State] = []

    def commits(_seconds: float) -> None:
        run.commit({**BUNDLE, "number": 2})
        os.close(run._lock or -1)

    def at_boot(here: State) -> None:
        here.lock(lambda: None)
        asked.append(here)

    monkeypatch.setattr(boot.addresses, "refuse_taken", lambda *_: None)
    monkeypatch.setattr(state.time, "sleep", commits)
    monkeypatch.setattr(agent, "at_boot", at_boot)
    assert booting() == STARTED
    assert added == ["198.18.1.11"]
    assert asked


def test_an_address_that_another_server_had_at_boot_is_taken_when_it_is_free(
    booting: Callable[[], list[list[str]]], added: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = State(str(tmp_path))
    units = [{"name": "engine@1.service", "addresses": [ADDRESS["address"]]}, {"name": "log.service", "addresses": []}]
    here.commit({**BUNDLE, "units": units, "number": 1})
    acted: list[tuple[str, str]] = []
    monkeypatch.setattr(boot.units, "act", lambda name, action: acted.append((name, action)))
    assert booting() == STARTED
    assert (boot.freed(here), boot.take_refused(here), added, acted) == ([], [], [], [])
    monkeypatch.setattr(boot.addresses, "refuse_taken", lambda *_: None)
    assert boot.freed(here) == ["198.18.1.11"]
    assert boot.take_refused(here) == ["198.18.1.11"]
    assert (added, acted) == (["198.18.1.11"], [("engine@1.service", "restart")])
    assert (boot.freed(here), boot.take_refused(here)) == ([], []), "one that was taken away by hand stays away"


def test_what_a_killed_turn_has_not_started_the_next_one_starts_whatever_else_fails(
    booting: Callable[[], list[list[str]]], added: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = State(str(tmp_path))
    units = [{"name": name, "addresses": [ADDRESS["address"]]} for name in ("one.service", "two.service")]
    here.commit({**BUNDLE, "units": units, "number": 1})
    assert booting() == STARTED
    assert added == []
    acted: list[tuple[str, str]] = []

    def act(name: str, action: str) -> None:
        acted.append((name, action))
        if name == "one.service":
            raise Failure(name, "no database")

    monkeypatch.setattr(boot.units, "act", act)
    monkeypatch.setattr(boot.addresses, "present", lambda: {ADDRESS["address"]: ("lo", 24)})
    assert boot.freed(here) == ["198.18.1.11"]
    with pytest.raises(Failure, match="no database"):
        boot.take_refused(here)
    assert acted == [("one.service", "start"), ("two.service", "start")]
    assert boot.freed(here) == []


def test_a_server_starts_as_it_was_when_a_run_does_not_end(
    booting: Callable[[], list[list[str]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = State(str(tmp_path))
    run.lock(lambda: None)
    monkeypatch.setattr(state, "LOCK_WAIT", 0.0)
    assert booting() == STARTED
    assert "starting as it was: Failure('lock: another run is in a step" in capsys.readouterr().err
    os.close(run._lock or -1)


def test_what_failed_is_tried_again_later_and_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "SETTINGS", str(tmp_path / "agent.json"))
    monkeypatch.setattr(agent, "KEPT", str(tmp_path / "kept.json"))
    monkeypatch.setattr(agent.Agent, "ask_what", lambda _: None)
    one = agent.Agent(State(str(tmp_path)))
    now = [1_000_000.0]
    monkeypatch.setattr(agent.time, "time", lambda: now[0])

    def fails(*_: object) -> str:
        raise Failure("web@web-1.service", "not healthy")

    monkeypatch.setattr(one, "_apply", fails)
    pauses = []
    for _ in range(9):
        with pytest.raises(Failure):
            one.apply({"number": 8}, 1)
        assert not one._pauses(9), "another configuration is tried at once"
        began = now[0]
        while one._pauses(8):
            now[0] += 30
        pauses.append(now[0] - began)
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    assert agent.Agent(State(str(tmp_path)))._kept["did"] == (
        "could not come to configuration 8: web@web-1.service: not healthy"
    )


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> agent.Agent:
    """Return the agent of a server that is a directory."""
    server.is_only_files(monkeypatch)
    monkeypatch.setattr(agent, "SETTINGS", str(tmp_path / "agent.json"))
    monkeypatch.setattr(agent, "KEPT", str(tmp_path / "kept.json"))
    monkeypatch.setattr(agent.Agent, "ask_what", lambda _: None)
    here = State(str(tmp_path))
    here.prepare()
    return agent.Agent(here)


class Lost:
    """The renewal of a lease that another run has taken over by the time that a file exists, or is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lost(self) -> bool:
        return self._path.exists()


@pytest.mark.parametrize("noticed", ["etc/.tandem-0.new", "etc/a.conf", "absent"])
def test_who_has_lost_the_lease_stops_and_puts_everything_back(
    one: agent.Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noticed: str
) -> None:
    """Also where that is noticed only while everything is being put back, after another failure."""

    def fails(*_: object) -> None:
        (tmp_path / "absent").touch()
        raise Failure("web@web-1.service", "not healthy")

    monkeypatch.setattr(one, "_renewal", Lost(tmp_path / noticed))
    monkeypatch.setattr(Change, "settle_units", fails)
    wanted = server.bundle({"/etc/a.conf": ("0644", "")})
    request = {"bundle": wanted, "run": 2, "number": 2, "blobs": {server.sha256(""): ""}}
    (tmp_path / "etc").mkdir()
    with pytest.raises(Failure, match="not healthy" if noticed == "absent" else "another run has taken it over"):
        Transaction(request, one.state, one).apply()
    assert one.state.journal() is None
    assert list((tmp_path / "etc").iterdir()) == []


def test_what_a_run_has_left_is_undone_also_while_the_agent_pauses(
    one: agent.Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where that fails, it is said again and again, and ends no pause."""
    asked: list[str] = []
    done: list[object] = []

    def ask(what: str, **_: object) -> dict[str, Any]:
        asked.append(what)
        return {"run": 3}

    def fails(should: object, *_: object) -> str:
        done.append(should)
        raise Failure("nftables.service", "stop failed")

    monkeypatch.setattr(one, "ask", ask)
    monkeypatch.setattr(one, "_apply", fails)
    monkeypatch.setattr(agent, "Renewal", lambda _: contextlib.nullcontext())
    with pytest.raises(Failure):
        one.apply({"number": 8}, 1)
    one.come_to({"number": 8})
    assert asked == []
    one.state.write_journal({"run": 2, "state": "settling"})
    for _ in range(2):
        with pytest.raises(Failure):
            one.come_to({"number": 8})
    assert done[1:] == [None, None]
    assert one._kept["did"].startswith("could not undo what an interrupted run has left: nftables.service")
    assert one._pauses(8)


def test_an_undo_forgets_no_address_that_waits_to_go(one: agent.Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = ({"address": f"192.0.2.{last}", "prefix": 24, "interface": "lo", "gateway": None} for last in (1, 2))
    waiting = {**old, "address": "192.0.2.9"}
    here = {**BUNDLE, "addresses": [], "management": old, "number": 1, "retired": [waiting], "hold": []}
    one.state.commit(here)
    monkeypatch.setattr(settle.addresses, "present", lambda: {f"192.0.2.{last}": ("lo", 24) for last in (1, 2, 9)})
    journal = {"run": 2, "state": "settling", "operations": [], "made": [], "foreign": []}
    one.state.write_journal({**journal, "bundle": {**BUNDLE, "addresses": [], "management": new}})
    undo(one.state, one, over="192.0.2.2")
    assert (one.state.manifest() or {})["retired"] == [waiting, new]
