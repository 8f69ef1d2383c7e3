"""Share work among processes that are copies of this one: nothing has to be read, sent or imported again."""

from __future__ import annotations

import gc
import os
import selectors
import struct
import sys
from collections.abc import Callable, Iterable, Iterator

HEAD = struct.Struct("!II")
AT_ONCE = 2**20

Make = Callable[[list[str]], Iterable[tuple[str, bytes]]]


def shared(make: Make, names: list[str], processes: int) -> Iterator[tuple[str, bytes]]:
    """Yield what `make` yields for some names, each process making its share of them.

    What a process did not come to, because something was in its way, is missing: make it here, to see what it is.
    """
    children: dict[int, int] = {}
    sys.stdout.flush()
    gc.freeze()  # or looking for garbage would copy every page that is shared
    try:
        for turn in range(processes):
            reading, writing = os.pipe()
            if not (child := os.fork()):
                for other in (reading, *children):
                    os.close(other)
                _work(make, names[turn::processes], writing)
            os.close(writing)
            children[reading] = child
        yield from _received(list(children))
    finally:
        gc.unfreeze()
        for reading, child in children.items():
            os.close(reading)  # ends one that is still at work
            os.waitpid(child, 0)


def _work(make: Make, names: list[str], writing: int) -> None:
    """Make something, send it, and end this process, whatever happens, without doing what is the first one's to do."""
    status = 1
    gc.disable()  # this process ends before there is much garbage; looking for it is a twentieth of the work
    try:
        with open(writing, "wb") as pipe:
            for name, data in make(names):
                pipe.write(HEAD.pack(len(name.encode()), len(data)) + name.encode())
                pipe.write(data)
        status = 0
    finally:
        os._exit(status)


def _received(pipes: list[int]) -> Iterator[tuple[str, bytes]]:
    """Yield what comes through some pipes, as it comes."""
    buffers = {pipe: bytearray() for pipe in pipes}
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            for ready, _ in selector.select():
                data = os.read(ready.fd, AT_ONCE)
                if not data:
                    selector.unregister(ready.fd)
                buffers[ready.fd] += data
                yield from _taken(buffers[ready.fd])


def _taken(buffer: bytearray) -> Iterator[tuple[str, bytes]]:
    """Take what has come as a whole out of a buffer."""
    while len(buffer) >= HEAD.size:
        name, data = HEAD.unpack_from(buffer)
        start, end = HEAD.size + name, HEAD.size + name + data
        if len(buffer) < end:
            return
        yield buffer[HEAD.size : start].decode(), bytes(buffer[start:end])
        del buffer[:end]
