"""Talk to the server program of one server: one ssh exec, lines of JSON both ways."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tandem import server_program
from tandem.ansible import stub
from tandem.ansible.connection import Connection
from tandem.errors import TandemError

Json = dict[str, Any]
SILENCE = (
    1200.0  # seconds without a line from a server, longer than any step there may take; a dead one is noticed by ssh
)
LINE = 256 * 1024 * 1024  # bytes; a line may carry the contents of files


class Unreachable(TandemError):
    """Say why a server cannot be talked to."""


class Conversation:
    """One exec of the server program."""

    def __init__(self, connection: Connection, process: asyncio.subprocess.Process) -> None:
        self.connection = connection
        self._process = process
        self._patience = 5.0  # seconds for the other side to end
        self._stderr = bytearray()
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Collect what ssh and sudo complain about; end a conversation that waits for another password."""
        assert self._process.stderr
        while chunk := await self._process.stderr.read(4096):
            self._stderr += chunk
            if b"try again" in self._stderr and self._process.returncode is None:
                self._process.kill()

    async def send(self, **message: object) -> None:
        """Send one message; a server that is gone is noticed when its answer does not come."""
        await self.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()

    async def receive(self, silence: float = SILENCE, *, hello: bool = False) -> Json:
        """Return the next message; raise Unreachable, with what ssh or sudo said, when there is none.

        That the server has been reached is a message only for who waits for its `hello`.
        """
        assert self._process.stdout
        while True:
            try:
                line = await asyncio.wait_for(self._process.stdout.readline(), silence)
            except TimeoutError:
                raise Unreachable(f"nothing heard for {silence:g} s") from None
            if not line:
                raise Unreachable(await self._reason())
            if not line.startswith(b"{"):
                continue
            message: Json = json.loads(line)
            if message["event"] == "hello" and not hello:
                continue
            if message["event"] == "program":
                await self.write(server_program.build())
                continue
            return message

    async def _reason(self) -> str:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listener), 1)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        return explain(self._stderr.decode(errors="replace"), self._process.returncode, self.connection.address)

    def leave_at_once(self) -> None:
        """Wait for nothing at the end: all that mattered has been answered. Others that share the line keep it."""
        if self.connection.opening():
            self._patience = 0.0

    async def close(self) -> None:
        """End the conversation, however far it has come."""
        self._listener.cancel()
        if self._process.stdin:
            self._process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self._patience)
        finally:  # also where nobody waits for this end any more
            # an ssh that stays behind for others may hold its pipes, and what is not closed complains when all is over
            self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
            await self._process.wait()


def explain(said: str, status: int | None, address: str) -> str:
    """Turn what ssh and sudo printed into one line that says what to do.

    >>> explain("sudo: a password is required", 1, "198.18.0.11")
    'sudo wants a password: set ansible_become_password or allow the user NOPASSWD'
    """
    lines = [
        line.strip()
        for line in said.splitlines()
        if line.strip() and not line.startswith(("Warning: Permanently", "** "))
    ]
    text = "\n".join(lines)
    if "try again" in text or "incorrect password" in text:
        return "sudo refused the password in ansible_become_password"
    if "a password is required" in text or "a terminal is required" in text:
        return "sudo wants a password: set ansible_become_password or allow the user NOPASSWD"
    if "not in the sudoers file" in text or "is not allowed to execute" in text or "may not run sudo" in text:
        return "the user may not use sudo: give it the right, or set ansible_user to one that has it"
    if "Permission denied" in text:
        return f"ssh was refused: wrong user, key or password ({lines[-1]})"
    if status == 127:
        return f"python3 is missing on the server: run playbooks/bootstrap.yml ({lines[-1] if lines else 'not found'})"
    if not lines:
        return f"the connection to {address} ended with status {status}"
    # ssh through another program does not know where that connects to
    return f"no connection to {address} ({lines[-1]})" if "UNKNOWN port" in lines[-1] else lines[-1]


@contextlib.asynccontextmanager
async def reach(connection: Connection, *, new: bool = False) -> AsyncIterator[Conversation]:
    """Start the server program, over a new connection if asked for; it does nothing until it has a request."""
    with connection.started() as startup:
        try:
            process = await asyncio.create_subprocess_exec(
                *connection.argv(stub.command(), new=new),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=LINE,
                **startup.popen,
            )
        except OSError as error:
            raise Unreachable(f"ssh cannot be started: {error}") from None
        conversation = Conversation(connection, process)
        try:
            if password := connection.become_password:
                await conversation.write(password.encode() + b"\n")
            yield conversation
        finally:
            await conversation.close()


@contextlib.asynccontextmanager
async def converse(connection: Connection, request: Json, *, new: bool = False) -> AsyncIterator[Conversation]:
    """Start the server program with a request, over a new connection if asked for."""
    async with reach(connection, new=new) as conversation:
        await conversation.send(**request)
        yield conversation
