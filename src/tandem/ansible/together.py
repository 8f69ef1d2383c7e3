"""Begin with a wave only when every server of it has been reached: one that is away stops the run before its wave."""

from __future__ import annotations

import asyncio

from tandem.errors import TandemError


class NotBegun(TandemError):
    """Say that nothing was asked of a server, because another one of its wave is away."""


class Together:
    """The servers of one wave that are reached side by side."""

    def __init__(self, servers: int) -> None:
        self._missing = servers
        self._decided = asyncio.Event()
        self._away = False

    def away(self) -> None:
        """Note that a server cannot be reached: no other one begins any more."""
        self._away = True
        self._decided.set()

    async def reached(self) -> None:
        """Note that a server has been reached, and wait for the others; raise NotBegun when one of them is away."""
        self._missing -= 1
        if self._missing <= 0:
            self._decided.set()
        await self._decided.wait()
        if self._away:
            raise NotBegun
