"""Reach all servers of a wave at once, each by one ssh exec, and report on each as soon as it has ended."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import Any

from tandem.ansible.ahead import Ahead
from tandem.ansible.connection import Connection
from tandem.ansible.conversation import Conversation, Unreachable, converse
from tandem.ansible.loop import Loop
from tandem.ansible.together import NotBegun, Together
from tandem.errors import TandemError

Json = dict[str, Any]
AT_ONCE = 64  # conversations; more only wait for each other on the controller's cores
CONFIRMATION_RETRY = 1.0  # seconds between two attempts to come through after a change of rules


@dataclass(frozen=True)
class Job:
    """What is asked of one server: the ways to it in the order to try them, the request, and contents it may need."""

    server: str
    ways: list[Connection]
    request: Json
    contents: Callable[[list[str]], Awaitable[Mapping[str, bytes]]]
    address: str  # the management address it should have afterwards
    refusal: Callable[[str, list[str]], Awaitable[str | None]]  # why the server must not interrupt these now


@dataclass
class Outcome:
    """What became of a job: the server's result, or why it could not be reached.

    One that has not begun was left as it is, because another server of its wave is away.
    """

    server: str
    result: Json = field(default_factory=dict)
    unreachable: str | None = None
    lost: bool = False
    begun: bool = True

    @property
    def failed(self) -> str | None:
        """Return what failed on the server, in one line or more; None when all is well."""
        if self.unreachable:
            return self.unreachable
        failure = self.result.get("failed")
        return f"{failure['what']}: {failure['message']}" if failure else None

    @property
    def doubtful(self) -> bool:
        """Return whether the server may have been changed although it failed: it was lost, or could not undo."""
        return self.lost or (bool(self.result.get("changed")) and "undone" not in self.result)

    @property
    def good(self) -> bool:
        """Return whether the server did what was asked."""
        return self.begun and self.failed is None


Tell = Callable[[str, str], None]  # server, what it is doing


class FanOut:
    """Run jobs side by side; `tell` hears progress line by line."""

    def __init__(self, loop: Loop, tell: Tell, ahead: Ahead | None = None) -> None:
        """`ahead` has conversations that were begun already."""
        self._loop = loop
        self._tell = tell
        self._ended: Queue[Outcome] = Queue()
        self._ahead = ahead or Ahead(loop)

    def run(self, jobs: list[Job], *, together: bool = False) -> Iterator[Outcome]:
        """Start all jobs and yield each outcome as soon as there is one.

        With `together` nothing is asked of any server before all have been reached, or as many as are at once.
        """
        running = self._loop.start(self._run(jobs, Together(self._at_once(jobs)) if together else None))
        try:
            for _ in jobs:
                yield self._next(running)
        finally:
            running.cancel()

    def _at_once(self, jobs: list[Job]) -> int:
        """Return how many servers are reached before any of them begins."""
        return min(len(jobs), AT_ONCE)

    def _next(self, running: Future[None]) -> Outcome:
        while True:
            try:
                return self._ended.get(timeout=1)
            except Empty:
                if running.done():
                    running.result()  # raises what ended it

    async def _run(self, jobs: list[Job], wave: Together | None) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(job: Job) -> None:
            async with gate:
                outcome = await self._reach(job, wave)
            self._end(outcome, wave)

        await asyncio.gather(*(one(job) for job in jobs))

    def _end(self, outcome: Outcome, wave: Together | None) -> None:
        """Hand over what became of one server."""
        if wave and outcome.unreachable:
            wave.away()
        self._ended.put(outcome)

    async def _reach(self, job: Job, wave: Together | None) -> Outcome:
        refusals = []
        for way in job.ways:
            asked = False
            try:
                async with self._ahead.conversation(way) as conversation:
                    if wave:
                        await conversation.receive(hello=True)
                        await wave.reached()
                    await conversation.send(**job.request, over=way.address)
                    asked = wave is not None  # from its hello on it may be at work alone
                    first = await conversation.receive(hello=not wave)
                    asked = True
                    if first["event"] == "hello":
                        first = await conversation.receive()
                    return Outcome(job.server, await self._follow(job, way, conversation, first))
            except Unreachable as error:
                refusals.append(str(error) if len(job.ways) == 1 else f"{way.address}: {error}")
                if asked:
                    why = f"lost in the middle ({error}); the next apply completes or undoes it"
                    return Outcome(job.server, unreachable=why, lost=True)
            except NotBegun:
                return Outcome(job.server, begun=False)
            except TandemError as error:
                refusals.append(str(error))
        return Outcome(job.server, unreachable="; ".join(refusals))

    async def _follow(self, job: Job, way: Connection, conversation: Conversation, message: Json) -> Json:
        """Answer what the server asks for until it has a result."""
        async with contextlib.AsyncExitStack() as background:
            while message["event"] != "result":
                if message["event"] == "progress":
                    self._tell(job.server, message["step"])
                elif message["event"] == "recovered":
                    self._tell(
                        job.server, f"undid run {message['run']}, which had been interrupted while {message['state']}"
                    )
                elif message["event"] == "need":
                    await conversation.send(blobs=encode(await job.contents(message["digests"])))
                elif message["event"] == "interrupt":
                    await conversation.send(refused=await job.refusal(job.server, message["healthy"]))
                elif message["event"] == "confirm":
                    target = way.at(job.address) if message["moved"] else way
                    task = asyncio.create_task(self._confirm(job, target, message["run"]))
                    background.callback(task.cancel)
                message = await conversation.receive()
        return message

    async def _confirm(self, job: Job, way: Connection, run: int) -> None:
        """Come through on a new connection; try until the server stops waiting."""
        while True:
            self._tell(job.server, f"confirming by a new connection to {way.address}")
            with contextlib.suppress(Unreachable):
                async with converse(way, {"verb": "confirm", "run": run}, new=True) as conversation:
                    await conversation.receive()
                    return
            await asyncio.sleep(CONFIRMATION_RETRY)


def encode(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return contents as they travel: base64 by digest."""
    return {name: base64.b64encode(data).decode() for name, data in contents.items()}
