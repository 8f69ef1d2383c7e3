"""What goes with the opening of a session is answered without another round trip, and only once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import pytest

from tandem.ansible import session as sessions
from tandem.ansible.actions import configuration
from tandem.ansible.connection import Connection
from tandem.ansible.conversation import Unreachable
from tandem.ansible.loop import Loop
from tandem.ansible.session import Session, acquiring, content
from tandem.configuration.canonical import Json, digest
from tandem.configuration.content import FORMAT
from tandem.errors import Failed

STATE: Json = {"active": 1, "numbers": [1], "servers": {"Alpha": 1}, "expected": {}}
BUNDLE = b"{}"
RECORD = {"format": FORMAT, "number": 1, "tree": digest(b"tree"), "bundles": {"Alpha": digest(BUNDLE)}}
CONTENT = {"record": RECORD, "blobs": {digest(BUNDLE): "e30="}}


class Far:
    """A configuration server: `heard` holds what came at once, one list for each round trip."""

    def __init__(self) -> None:
        self.heard: list[list[str]] = []
        self.lose = False  # the connection at the next question
        self.slow: dict[str, float] = {}  # seconds until something is answered
        self.answers: dict[str, Any] = {"state": STATE, "content": CONTENT, "acquire": {"run": 7, "taken": None}}
        self._pending: deque[tuple[float, Json]] = deque()
        self._arriving: list[str] = []

    @contextlib.asynccontextmanager
    async def converse(self, _way: object, request: Json) -> AsyncIterator[Far]:
        self._pending.clear()
        self._pending.append((0, {"event": "ready"}))
        for message in request["asked"]:
            await self.send(**message)
        self.heard.append(["open", *self._arriving])
        self._arriving = []
        yield self

    def leave_at_once(self) -> None:
        """Hear that nobody will wait."""

    async def send(self, *, do: str, **_: object) -> None:
        self._arriving.append(do)
        known = do in self.answers
        answer = {"value": self.answers[do]} if known else {"failed": f"{do} is not known"}
        self._pending.append((self.slow.get(do, 0), answer))

    async def receive(self, _silence: float = 0) -> Json:
        if self.lose:
            self.lose = False
            self._arriving = []
            raise Unreachable("gone")
        if self._arriving:
            self.heard.append(self._arriving)
            self._arriving = []
        await asyncio.sleep(self._pending[0][0])
        return self._pending.popleft()[1]


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    """Put a configuration server in the place of all others."""
    far = Far()
    monkeypatch.setattr(sessions, "converse", far.converse)
    return far


class Way:
    """Leads there."""

    server = "Alpha"


@contextlib.contextmanager
def opened(*asked: Json) -> Iterator[Session]:
    loop = Loop()
    ways: list[Connection] = [Way()]  # type: ignore[list-item]
    with Session(loop, ways, asked) as session:
        yield session
    loop.close()


def test_a_run_begins_with_one_round_trip(far: Far) -> None:
    with opened(acquiring("kim@desk", take_over=False), content()) as session:
        assert session.acquire("kim@desk", take_over=False) == (7, "")
        assert session.active() == 1
        assert session.configuration(1).record == RECORD
        assert session.blob(digest(BUNDLE)) == BUNDLE
    assert far.heard == [["open", "acquire", "content", "state"]]


def test_an_answer_is_given_once(far: Far) -> None:
    with opened({"do": "renew", "run": 7}) as session:
        with pytest.raises(Failed, match="renew is not known"):
            session.ask("renew", run=7)
        far.answers["renew"] = "alive"
        assert session.ask("renew", run=7) == "alive"
    assert far.heard == [["open", "renew", "state"], ["renew"]]


def test_what_was_damaged_with_the_opening_is_said_when_it_is_needed(far: Far) -> None:
    del far.answers["content"]
    with opened(content()) as session:
        assert session.active() == 1
        far.answers["content"] = CONTENT
        with pytest.raises(Failed, match="content is not known"):
            session.configuration(1)
    assert far.heard == [["open", "content", "state"]]


def test_another_question_has_another_answer(far: Far) -> None:
    with opened(acquiring("kim@desk", take_over=False)) as session:
        session.acquire("kim@desk", take_over=True)
    assert far.heard == [["open", "acquire", "state"], ["acquire"]]


def test_what_is_put_and_what_needs_it_go_together(far: Far) -> None:
    far.answers |= {"put": None, "keep_plan": "4711"}
    with opened() as session:
        assert session.put({digest(b"plan"): b"plan"}, do="keep_plan", plan={}) == "4711"
    assert far.heard == [["open", "state"], ["put", "keep_plan"]]


def test_between_the_batches_of_what_is_put_the_lease_is_renewed(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "RENEWAL", 0.1)
    monkeypatch.setattr(sessions, "BATCH", 1)
    far.answers |= {"put": None, "renew": None, "add": 8}
    far.slow = {"put": 0.3}
    blobs = {digest(data): data for data in (b"one", b"two", b"three")}
    with opened() as session, session.renewing(7):
        assert session.put(blobs, do="add", configuration={}) == 8
    heard = [each for each, _ in groupby(far.heard)]
    assert heard[1:6] == [["put"], ["renew"], ["put"], ["renew"], ["put", "add"]]


def test_a_renewal_that_was_begun_leaves_no_answer_behind(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "RENEWAL", 0.01)
    far.answers |= {"renew": "alive", "plans": ["a plan"]}
    far.slow = {"renew": 0.5}
    with opened() as session:
        with session.renewing(7):
            time.sleep(0.2)
        assert session.ask("plans") == ["a plan"]
    assert far.heard[1:] == [["renew"], ["plans"]]


@pytest.mark.parametrize("state", ["pruned", "absent"])
def test_what_removes_renews_its_lease_before_it_gives_it_back(
    far: Far, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(sessions, "RENEWAL", 0.1)
    pruned = {"removed": [], "kept": {}, "blobs": 0, "bytes": 0}
    far.answers |= {"prune": pruned, "discard": None, "renew": None, "release": None}
    far.slow = {"prune": 0.3, "discard": 0.3}
    with opened() as session:
        context: Any = SimpleNamespace(
            args={"state": state, "number": 1, "keep": 5},
            holder="kim@desk",
            check=False,
            store=lambda: contextlib.nullcontext(session),
        )
        configuration.run(context)
    heard = [each for each, _ in groupby(far.heard)]
    assert heard[2:] == [["prune" if state == "pruned" else "discard"], ["renew"], ["release"]]


def test_after_a_wait_for_the_lease_the_state_is_asked_anew(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"run": 6, "holder": "lee@desk", "renewed": 1.0, "since": 0.0}
    far.answers["acquire"] = {"held": held}

    def later(_: float) -> None:
        far.answers |= {"acquire": {"run": 7, "taken": {**held, "expired": True}}, "state": {**STATE, "active": 2}}

    monkeypatch.setattr(sessions.time, "sleep", later)
    with opened(acquiring("kim@desk", take_over=False)) as session:
        run, said = session.acquire("kim@desk", take_over=False)
        assert (run, said) == (7, "took over from run 6 of lee@desk, which had not ended properly")
        assert session.active() == 2


def test_a_session_that_is_lost_is_opened_again_and_the_question_asked_again(far: Far) -> None:
    far.answers["plans"] = []
    with opened(content()) as session:
        far.lose = True
        assert session.ask("plans") == []
    assert far.heard == [["open", "content", "state"], ["open"], ["plans"]]
