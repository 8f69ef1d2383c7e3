"""What a conversation has started ends with it, whoever still waits for that."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tandem.ansible.conversation import reach
from tandem.ansible.loop import Loop


class Way(contextlib.ExitStack):
    """Stand for the way to a server: a program of this machine that writes its number down, and does not end."""

    become_password = None
    popen: ClassVar[dict[str, Any]] = {}

    def __init__(self, number: Path) -> None:
        super().__init__()
        self.number = number

    def argv(self, command: str, *, new: bool = False) -> list[bytes]:
        del command, new
        return [b"sh", b"-c", f"echo $$ > {self.number}; exec sleep 60".encode()]

    def started(self) -> Way:
        return self


def test_nothing_is_left_of_one_that_is_given_up_while_it_ends(tmp_path: Path) -> None:
    """Otherwise what is left of it complains on stderr after the run, which looks like a crash."""
    way, loop, ending = Way(tmp_path / "number"), Loop(), asyncio.Event()

    async def talk() -> None:
        async with reach(way):  # type: ignore[arg-type]
            await asyncio.sleep(0.5)
            ending.set()

    task = loop.start(talk())
    loop.run(asyncio.wait_for(ending.wait(), 30))
    time.sleep(0.5)  # it waits now for the program to end
    task.cancel()
    loop.close()
    gc.collect()  # pytest raises what would be complained of
    with pytest.raises(ProcessLookupError):
        os.kill(int(way.number.read_text()), 0)
