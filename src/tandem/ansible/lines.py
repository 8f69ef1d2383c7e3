"""Open the connections to servers before they are needed: over a long line that takes longest, and needs no turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from tandem.ansible.connection import Connection
from tandem.ansible.loop import Loop
from tandem.errors import Failed

PATIENCE = 2.0  # seconds at the end for those that are still being opened; what needs them opens its own


@contextlib.contextmanager
def opened(loop: Loop, ways: Iterable[Connection]) -> Iterator[None]:
    """Open the connections that ssh shares while something else is done; nothing is run on a server.

    A server that cannot be reached is not told of here.
    """
    opening = loop.start(_open_all(list(ways)))
    try:
        yield
        with contextlib.suppress(TimeoutError):
            opening.result(PATIENCE)
    finally:
        opening.cancel()


async def _open_all(ways: list[Connection]) -> None:
    await asyncio.gather(*(_open(way) for way in ways))


async def _open(way: Connection) -> None:
    null = asyncio.subprocess.DEVNULL
    with contextlib.suppress(OSError, Failed), way.started() as startup:
        if argv := way.opening():
            process = await asyncio.create_subprocess_exec(*argv, stdin=null, stdout=null, stderr=null, **startup.popen)
            try:
                await process.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
