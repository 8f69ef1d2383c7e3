"""Reach the servers of one site from its runner, and leave every decision to the controller.

What happens goes to the controller as events of the play, which `ansible-runner` streams: each message is the result of
one item. What the controller says comes as lines of JSON. This runs where nothing but Ansible is installed.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.executor.task_queue_manager import CallbackSend
from ansible.executor.task_result import _WireTaskResult
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from tandem.ansible.connection import Connections
from tandem.ansible.conversation import LINE
from tandem.ansible.fanout import FanOut, Job, Outcome
from tandem.ansible.loop import Loop
from tandem.ansible.together import NotBegun, Together
from tandem.errors import Failed, TandemError

Json = dict[str, Any]
LINES = "TANDEM_LINES"
"""Names, in the environment, the socket that brings the controller's lines."""
ENDED = "its line to the controller has ended"


class Gone(TandemError):
    """Say that the controller is not heard any more."""


class Controller:
    """The controller, as it is told and heard here."""

    def __init__(self, action: ActionBase, host: str) -> None:
        self._task = action._task  # noqa: SLF001
        self._host = host
        self._queue = Display()._final_q  # noqa: SLF001  how a worker process speaks to the main one
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[Json]] = {}

    def tell(self, **message: object) -> None:
        """Send one message."""
        wire = _WireTaskResult(
            host_name=self._host,
            task_uuid=self._task._uuid,  # noqa: SLF001
            return_data=message,
            task_fields={"name": self._task.get_name(), "action": self._task.action, "args": {}},
        )
        self._queue.put(CallbackSend(method_name="v2_runner_item_on_ok", wire_task_result=wire))

    async def ask(self, what: str, **fields: object) -> Any:
        """Ask something and return the answer; raise Failed with the controller's reason when it has none."""
        number = next(self._numbers)
        answered = self._asked[number] = asyncio.get_running_loop().create_future()
        self.tell(event="ask", id=number, what=what, **fields)
        answer = await answered
        if reason := answer.get("failed"):
            raise Failed(reason)
        return answer["value"]

    async def hear(self, lines: asyncio.StreamReader) -> None:
        """Take answers to whoever waits for them; raise Gone in the end."""
        while message := await _next(lines):
            self._asked.pop(message["id"]).set_result(message)
        raise Gone(ENDED)


async def _next(lines: asyncio.StreamReader) -> Json | None:
    """Return the next message; None when there will be none. Empty lines only say that the controller is there."""
    while line := await lines.readline():
        if line.strip():
            message: Json = json.loads(line)
            return message
    return None


class Begin(Together):
    """The wave, of which these servers are a part; whether it begins is the controller's to say."""

    def __init__(self, controller: Controller) -> None:
        super().__init__(0)
        self._controller = controller

    def away(self) -> None:
        """Leave it to the controller: it hears of it by the server's outcome."""

    async def reached(self) -> None:
        """Wait until the whole wave has been reached; raise NotBegun when a server of it is away."""
        if not await self._controller.ask("begin"):
            raise NotBegun


class AtSite(FanOut):
    """Run the jobs of one site."""

    def __init__(self, loop: Loop, controller: Controller, connections: Connections) -> None:
        super().__init__(loop, lambda server, step: controller.tell(event="progress", server=server, step=step))
        self._controller = controller
        self._connections = connections

    async def work(self) -> None:
        """Say that this site is ready, do what the controller then asks for, and stop when it is gone."""
        try:
            lines, line = await asyncio.open_unix_connection(os.environ[LINES], limit=LINE)
        except OSError:
            raise Gone(ENDED) from None
        try:
            self._controller.tell(event="ready")
            wanted = await _next(lines)
            if wanted is None:
                raise Gone(ENDED)
            jobs = [self._job(each) for each in wanted["jobs"]]
            wave = Begin(self._controller) if wanted["together"] else None
            hearing = asyncio.create_task(self._controller.hear(lines))
            working = asyncio.create_task(self._run(jobs, wave))
            try:
                await asyncio.wait((hearing, working), return_when=asyncio.FIRST_COMPLETED)
            finally:
                working.cancel() if hearing.done() else hearing.cancel()
            await (hearing if hearing.done() else working)
        finally:
            line.close()

    def _job(self, told: Json) -> Job:
        server: str = told["server"]
        way = self._connections.to(server)
        ways = [way.at(address) for address in told["ways"]]

        async def contents(names: list[str]) -> Mapping[str, bytes]:
            found = await self._controller.ask("contents", server=server, names=names)
            return {name: base64.b64decode(text) for name, text in found.items()}

        async def refusal(_server: str, healthy: list[str]) -> str | None:
            reason: str | None = await self._controller.ask("refusal", server=server, healthy=healthy)
            return reason

        return Job(server, ways, told["request"], contents, told["address"], refusal)

    def _end(self, outcome: Outcome, _wave: Together | None) -> None:
        self._controller.tell(event="ended", **asdict(outcome))

    async def _confirm(self, job: Job, way: Any, run: int) -> None:
        """Let the controller come through: it is the one that must not be shut out."""
        self._controller.tell(event="confirm", server=job.server, address=way.address, run=run)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Run once for all servers of the site."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> Json:
        """Do what the controller asks for."""
        result: Json = super().run(tmp, task_vars)
        connections = Connections(task_vars["hostvars"], self._play_context, self._loader)
        loop = Loop()
        try:
            loop.run(AtSite(loop, Controller(self, task_vars["inventory_hostname"]), connections).work())
        except TandemError as error:
            raise AnsibleActionFail(str(error)) from None
        finally:
            loop.close()
        return {**result, "changed": False}
