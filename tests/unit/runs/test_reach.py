"""What is believed of servers that fall silent, do not answer, or are there no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible.playbook.play_context import PlayContext

from tandem.ansible.availability import Guard
from tandem.ansible.connection import Connection, everywhere
from tandem.ansible.fanout import FanOut, Job, Outcome
from tandem.ansible.loop import Loop

HELLO = """echo '{"event":"hello"}'"""


class Way:
    """Leads to a server that does what a script says."""

    server, address, become_password = "Alpha", "198.18.1.11", None

    def __init__(self, script: str) -> None:
        self._script = script

    def argv(self, _command: str, *, new: bool = False) -> list[str]:
        assert not new
        return ["/bin/sh", "-c", self._script]

    def opening(self) -> None:
        return None

    @contextlib.contextmanager
    def started(self) -> Iterator[Any]:
        yield SimpleNamespace(popen={})


def outcome_of(script: str, *, together: bool) -> Outcome:
    async def nothing(*_: object) -> None:
        raise AssertionError

    job = Job("Alpha", [cast(Connection, Way(script))], {"verb": "apply"}, nothing, "", nothing)  # type: ignore[arg-type]
    with closing(Loop()) as loop:
        [outcome] = FanOut(loop, lambda _server, _step: None).run([job], together=together)
    return outcome


@pytest.mark.parametrize(
    ("script", "together", "lost"),
    [
        (f"{HELLO}; read -r request", False, True),
        (f"{HELLO}; read -r request", True, True),
        ("read -r request", False, False),
        ("true", True, False),
    ],
)
def test_a_server_that_may_have_got_its_request_may_be_at_work_alone(
    script: str, *, lost: bool, together: bool
) -> None:
    outcome = outcome_of(script, together=together)
    assert outcome.unreachable
    assert outcome.lost == lost


def tree(**servers: str) -> dict[str, Any]:
    return {"instances": {name: {"cluster": "engines", "server": server} for name, server in servers.items()}}


def test_what_is_on_a_server_that_is_there_no_more_stands_in_for_nobody() -> None:
    trees = [tree(one="Alpha", two="Gone")]
    assert Guard(trees, ["one"], ["Alpha"]).guarded("Alpha") == []
    guard = Guard(trees, ["one"], ["Alpha", "Gone"])
    assert (guard.guarded("Alpha"), guard.others(["one"], "Alpha")) == (["one"], {"Gone"})


def test_a_server_that_cannot_say_how_its_instances_are_is_one_where_none_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tandem.ansible.availability.PATIENCE", 0)
    guard = Guard([tree(one="Alpha", two="Beta")], ["one"], ["Alpha", "Beta"])
    failed = '{"event":"result","failed":{"what":"bundle.json","message":"is damaged"}}'
    guard.ways["Beta"] = [cast(Connection, Way(f"echo '{failed}'"))]
    why = asyncio.run(guard.refusal("Alpha", ["one"], lambda _: None))
    assert why is not None
    assert "two on Beta: bundle.json: is damaged" in why


def test_what_the_first_host_says_of_itself_holds_for_no_other() -> None:
    mixed = PlayContext(passwords={"conn_pass": "of Alpha", "become_pass": "of all"})
    mixed.remote_user = "alpha"
    of_alpha = {"ansible_user": "alpha", "ansible_password": "of Alpha"}
    found = everywhere(mixed, of_alpha)
    assert (found.remote_user, found.password, found.become_pass) == (None, None, "of all")
    assert everywhere(mixed, {}).password == "of Alpha"
