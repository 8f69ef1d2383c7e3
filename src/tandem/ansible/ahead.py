"""Reach servers while it is being found out what to ask of them: until then nothing is done there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager

from tandem.ansible.connection import Connection
from tandem.ansible.conversation import Conversation, Unreachable, reach
from tandem.ansible.loop import Loop

Begun = tuple[AbstractAsyncContextManager[Conversation], Future[Conversation]]


class Ahead:
    """Conversations that were begun, by way; one that was not begins when it is asked for."""

    def __init__(self, loop: Loop, ways: Iterable[Connection] = ()) -> None:
        self._loop = loop
        self._begun: dict[tuple[str, str], Begun] = {}
        for way in ways:
            context = reach(way)
            self._begun[way.server, way.address] = (context, loop.start(context.__aenter__()))

    @contextlib.asynccontextmanager
    async def conversation(self, way: Connection) -> AsyncIterator[Conversation]:
        """Return a conversation without a request yet; the one that was begun only once."""
        context, begun = self._begun.pop((way.server, way.address), None) or (reach(way), None)
        conversation = await (asyncio.wrap_future(begun) if begun else context.__aenter__())
        try:
            yield conversation
        finally:
            await context.__aexit__(None, None, None)

    def close(self) -> None:
        """End what was begun and not needed."""
        self._loop.run(self._end_all())

    async def _end_all(self) -> None:
        await asyncio.gather(*(_end(*begun) for begun in self._begun.values()))


async def _end(context: AbstractAsyncContextManager[Conversation], begun: Future[Conversation]) -> None:
    with contextlib.suppress(Unreachable):
        (await asyncio.wrap_future(begun)).leave_at_once()
        await context.__aexit__(None, None, None)
