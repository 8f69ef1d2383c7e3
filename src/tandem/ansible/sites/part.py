"""Follow one site's part of a wave: start its runner over ssh, answer it, and hear what becomes of its servers.

The runner's play is transmitted, worked on and processed by ansible-runner: events come back as they happen. Beside
that, lines go to it over the same connection: what is asked of its servers, and answers. So secrets of bundles are in
no file on the way, the runner can be told what a wave decides as a whole, and it notices when the controller is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import shlex
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tandem.ansible.connection import Connection
from tandem.ansible.conversation import explain
from tandem.ansible.fanout import Job, Outcome, Tell, encode
from tandem.ansible.sites import wrapper
from tandem.ansible.sites.parcel import pack
from tandem.ansible.together import NotBegun, Together
from tandem.errors import Failed, TandemError

Json = dict[str, Any]
ENGINE = "/opt/tandem-runner/bin"
"""Where a runner has ansible-runner and ansible-playbook: an environment of Python, made beforehand."""
PYTHON = ("/usr/bin/python3", "-ISB", "-c")
WRAPPER = inspect.getsource(wrapper)
SIGN_OF_LIFE = 10.0  # seconds between two lines to the runner; it waits for three of them
ENDING = 15.0  # seconds for the runner to clean up when nobody needs it any more


@dataclass(frozen=True)
class Hooks:
    """What a part does by the wave's own means: tell progress, hand over an outcome, come through to a server."""

    tell: Tell
    end: Callable[[Outcome], None]
    confirm: Callable[[Job, Connection, int], Awaitable[None]]


class Part:
    """The servers of a wave that one runner reaches."""

    def __init__(
        self, runner: str, ways: list[Connection], jobs: list[Job], wave: Together | None, hooks: Hooks
    ) -> None:
        """Reach the runner by `ways`, in turn; a `wave` that begins together decides whether this part does."""
        self._runner = runner
        self._ways = ways
        self._jobs = {job.server: job for job in jobs}
        self._left = dict(self._jobs)
        self._wave = wave
        self._hooks = hooks
        self._ready = False
        self._begun = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._confirming: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """See all servers of this part to an end."""
        reasons: list[str] = []
        try:
            parcel = await asyncio.to_thread(pack, {job.server: job.ways[0].variables() for job in self._jobs.values()})
            for way in self._ways:
                reasons.append(await self._over(way, parcel))
                if self._ready:
                    break
        except TandemError as error:
            reasons.append(str(error))
        finally:
            for task in self._tasks:
                task.cancel()
        self._give_up("; ".join(reasons))

    async def _over(self, way: Connection, parcel: bytes) -> str:
        """Work over one way, and return why that ended."""
        command = shlex.join([*PYTHON, WRAPPER, ENGINE, str(len(parcel))])
        read, write = os.pipe()
        with way.started() as startup:
            try:
                process = await asyncio.create_subprocess_exec(
                    *way.as_user().argv(command, new=True),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=write,
                    stderr=asyncio.subprocess.PIPE,
                    **startup.popen,
                )
            except OSError as error:
                os.close(read)
                return f"ssh cannot be started: {error}"
            finally:
                os.close(write)
            assert process.stdin
            assert process.stderr
            self._line = _Line(process.stdin)
            complaints = bytearray()
            listening = asyncio.create_task(_collect(process.stderr, complaints))
            living = asyncio.create_task(self._line.live(parcel))
            loop = asyncio.get_running_loop()
            try:
                failure, explanation = await asyncio.to_thread(
                    process_stream, read, lambda message: loop.call_soon_threadsafe(self._hear, message)
                )
            finally:
                living.cancel()
                process.stdin.close()
                await _ended(process)
            await asyncio.wait((listening,), timeout=1)  # what ssh has started may keep it open
            listening.cancel()
            text = complaints.decode(errors="replace").strip()
            return failure or (not text and explanation) or explain(text, process.returncode, way.address)

    def _hear(self, message: Json) -> None:
        """Do what one message is about; a runner can speak of its own servers only."""
        kind, job = message["event"], self._left.get(message.get("server", ""))
        if kind == "ready":
            self._ready = True
            self._begun = self._wave is None
            self._start(self._line.send(jobs=[_told(job) for job in self._left.values()], together=bool(self._wave)))
        elif kind == "ask":
            self._start(self._answer(message, job))
        elif job and kind == "progress":
            self._hooks.tell(job.server, message["step"])
        elif job and kind == "confirm":
            way = job.ways[0].at(message["address"])
            self._confirming[job.server] = self._start(self._hooks.confirm(job, way, message["run"]))
        elif job and kind == "ended":
            del message["event"]
            self._end(Outcome(**message))

    def _start(self, work: Awaitable[None]) -> asyncio.Task[None]:
        async def do() -> None:
            await work

        task = asyncio.create_task(do())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, question: Json, job: Job | None) -> None:
        try:
            await self._line.send(id=question["id"], value=await self._value(question, job))
        except Exception as error:
            await self._line.send(id=question["id"], failed=str(error) or type(error).__name__)
            if not isinstance(error, TandemError):
                raise

    async def _value(self, question: Json, job: Job | None) -> object:
        """Return the answer to a question of the runner; raise Failed for what it has no right to."""
        if question["what"] == "begin" and self._wave:
            try:
                await self._wave.reached()
            except NotBegun:
                return False
            self._begun = True
            return True
        if question["what"] == "contents" and job:
            own = {entry.get("digest") for entry in job.request["bundle"]["files"]}
            own.update(job.request.get("license", {}).values())
            if foreign := set(question["names"]) - own:
                raise Failed(f"{', '.join(sorted(foreign))}: is not in the bundle of {job.server}")
            return encode(await job.contents(question["names"]))
        if question["what"] == "refusal" and job:
            return await job.refusal(job.server, question["healthy"])
        raise Failed(f"{question['what']} of {question.get('server')} is not for {self._runner} to ask")

    def _end(self, outcome: Outcome) -> None:
        del self._left[outcome.server]
        if confirming := self._confirming.pop(outcome.server, None):
            confirming.cancel()
        self._hooks.end(outcome)

    def _give_up(self, reason: str) -> None:
        """End what has no outcome yet: lost where it may have begun; otherwise one line for all of it."""
        for server in list(self._left):
            if self._begun:
                why = f"lost in the middle (runner {self._runner}: {reason}); the next apply completes or undoes it"
                self._end(Outcome(server, unreachable=why, lost=True))
            elif len(self._left) == len(self._jobs):
                message = f"{reason}; nothing was begun on the servers that it should reach"
                self._end(Outcome(server, {"failed": {"what": f"runner {self._runner}", "message": message}}))
                if self._wave:
                    self._wave.away()
            else:
                self._end(Outcome(server, begun=False))


class _Line:
    """The way to a runner for what does not belong to ansible-runner's stream."""

    def __init__(self, stdin: asyncio.StreamWriter) -> None:
        self._stdin = stdin
        self._lock = asyncio.Lock()

    async def live(self, parcel: bytes) -> None:
        """Send the parcel, then show for ever that the controller is there."""
        await self._write(parcel)
        while True:
            await asyncio.sleep(SIGN_OF_LIFE)
            await self._write(b"\n")

    async def send(self, **message: object) -> None:
        """Send one message."""
        await self._write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def _write(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its end is noticed in what is read
            async with self._lock:
                self._stdin.write(data)
                await self._stdin.drain()


def _told(job: Job) -> Json:
    """Return a job as the runner is told of it."""
    addresses = [way.address for way in job.ways]
    return {"server": job.server, "ways": addresses, "request": job.request, "address": job.address}


async def _collect(stream: asyncio.StreamReader, into: bytearray) -> None:
    while chunk := await stream.read(4096):
        into += chunk


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait until a runner has cleaned up; end the connection when that takes too long."""
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), ENDING)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def process_stream(descriptor: int, hear: Callable[[Json], object]) -> tuple[str, str]:
    """Process what an ansible-runner worker writes to a pipe; return what failed in its play, and what in the stream.

    `hear` gets every message of the play: the result of an item.
    """
    import ansible_runner  # noqa: PLC0415  slow to load

    failures, explanations = [""], [""]

    def event(data: Json) -> bool:
        result = data.get("event_data", {}).get("res")
        if data["event"] == "runner_item_on_ok":
            hear(result)
        elif data["event"] in ("runner_on_failed", "runner_on_unreachable"):
            failures.append(str(result.get("msg")))
        return False

    def status(data: Json, **_: object) -> None:
        if explanation := data.get("job_explanation"):
            explanations.append(explanation)

    with tempfile.TemporaryDirectory(prefix="tandem-") as directory, os.fdopen(descriptor, "rb") as stream:
        ansible_runner.run(
            streamer="process",
            _input=stream,
            private_data_dir=directory,
            event_handler=event,
            status_handler=status,
            cancel_callback=lambda: False,
            quiet=True,
        )
    return failures[-1], explanations[-1]
