"""Use the store on the configuration server as if it were here, over one ssh exec."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from tandem.ansible.connection import Connection
from tandem.ansible.conversation import Conversation, Unreachable, converse
from tandem.configuration.places import Place, settled
from tandem.configuration.store import StoredConfiguration, verified
from tandem.errors import Failed

T = TypeVar("T")
RENEWAL = 3.0  # seconds; the lease's term is five of them
ANSWER = 60.0  # seconds for the store to answer
BATCH = 8 * 1024 * 1024  # bytes of contents in one message


class Loop:
    """An asyncio loop in a thread of its own, so that plain code can talk to many servers at once."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its value."""
        return self.start(coroutine).result()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine and go on."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def close(self) -> None:
        """End the loop."""
        self.run(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_others() -> None:
    """Cancel what still runs, and let it clean up."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Session:
    """The store of an installation; as a context it is open between enter and exit."""

    def __init__(self, loop: Loop, ways: list[Connection]) -> None:
        """Try `ways` to the configuration server in turn: it may be about to get, or have got, another address."""
        self._loop = loop
        self._ways = ways
        self._exit = contextlib.AsyncExitStack()
        self._lock: asyncio.Lock | None = None
        self._conversation: Conversation | None = None
        self._blobs: dict[str, bytes] = {}
        self._state: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._loop.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._exit.aclose())

    async def _open(self) -> None:
        self._lock = asyncio.Lock()
        await self._connect()
        self._state = await self._ask("state")

    async def _connect(self) -> None:
        refusals = []
        for way in self._ways:
            request = {"verb": "store", "server": way.server}
            conversation = await self._exit.enter_async_context(converse(way, request))
            try:
                answer = await conversation.receive()
            except Unreachable as error:
                refusals.append(f"{way}: {error}")
                continue
            if answer["event"] == "ready":
                self._conversation = conversation
                return
            refusals.append(f"{way}: {answer['failed']['message']}")
        raise Unreachable("; ".join(refusals))

    async def _ask(self, do: str, **fields: object) -> Any:
        assert self._lock
        async with self._lock:
            try:
                answer = await self._exchange(do, fields)
            except Unreachable:  # the configuration server may have moved to another address, or restarted
                await self._connect()
                answer = await self._exchange(do, fields)
        if failed := answer.get("failed"):  # of one answer in words, of the whole session as a result
            reason = failed if isinstance(failed, str) else f"{failed['what']}: {failed['message']}"
            raise Failed(f"configuration server: {reason}")
        return answer["value"]

    async def _exchange(self, do: str, fields: Mapping[str, object]) -> dict[str, Any]:
        assert self._conversation
        await self._conversation.send(do=do, **fields)
        return await self._conversation.receive(ANSWER)

    def moved(self, way: Connection) -> None:
        """Go on over another address: the old one is about to vanish under the open connection."""
        self._ways = [way, *self._ways]
        self._loop.run(self._move())

    async def _move(self) -> None:
        assert self._lock
        async with self._lock:
            await self._connect()

    def ask(self, do: str, **fields: object) -> Any:
        """Ask the store to do something and return its answer; raise Failed with its reason when it does not."""
        return self._loop.run(self._ask(do, **fields))

    def refresh(self) -> None:
        """Ask the store again what is active and where servers are."""
        self._state = self.ask("state")

    def active(self) -> int | None:
        """Return the number of the active configuration; None before the first."""
        number: int | None = self._state["active"]
        return number

    def numbers(self) -> list[int]:
        """Return the numbers of all stored configurations, ascending."""
        numbers: list[int] = self._state["numbers"]
        return numbers

    def servers(self) -> Mapping[str, int]:
        """Return the configuration that every server is surely on, as far as the store was told."""
        return settled(self.places())

    def places(self) -> Mapping[str, Place]:
        """Return where every server is or, where a run died while changing it, may be."""
        places: Mapping[str, Place] = self._state["servers"]
        return places

    def expected(self) -> Mapping[str, dict[str, int]]:
        """Return which configuration servers that were left out should come to: {number, run} by name."""
        expected: Mapping[str, dict[str, int]] = self._state["expected"]
        return expected

    def configuration(self, number: int) -> StoredConfiguration:
        """Return a stored configuration, with its tree and bundles fetched at once."""
        record = self.ask("configuration", number=number)
        self.fetch([record["tree"], *record["bundles"].values()])
        return StoredConfiguration(record, self.blob)

    def blob(self, name: str) -> bytes:
        """Return verified bytes; raise Failed when they are missing or damaged."""
        self.fetch([name])
        return self._blobs[name]

    def fetch(self, names: list[str]) -> None:
        """Fetch many blobs in one round trip."""
        self._loop.run(self.contents(names))

    async def contents(self, names: list[str]) -> dict[str, bytes]:
        """Return blobs, from within the loop."""
        missing = sorted(set(names) - self._blobs.keys())
        if missing:
            for name, text in (await self._ask("blobs", names=missing)).items():
                self._blobs[name] = verified(name, base64.b64decode(text), f"the configuration server's blob {name}")
        return {name: self._blobs[name] for name in names}

    def put(self, blobs: Mapping[str, bytes]) -> None:
        """Store blobs, sending only those that the store lacks."""
        for batch in _batches({name: blobs[name] for name in self.ask("lacking", names=sorted(blobs))}):
            self.ask("put", blobs=batch)

    def add(self, record: Mapping[str, Any], blobs: Mapping[str, bytes]) -> int:
        """Store a configuration and return its number."""
        self.put(blobs)
        number: int = self.ask("add", configuration=record)
        return number

    def acquire(self, holder: str, *, take_over: bool) -> tuple[int, str]:
        """Take the installation's lease; return the run's number, and from whom it was taken, in words.

        Wait for a lease whose holder seems dead to expire; raise Failed at once when it is being renewed.
        """
        first: float | None = None
        while True:
            answer = self.ask("acquire", holder=holder, take_over=take_over)
            if "run" in answer:
                taken = answer["taken"]
                ended = ", which had not ended properly" if taken and taken["expired"] else ""
                return answer["run"], f"took over from run {taken['run']} of {taken['holder']}{ended}" if taken else ""
            held = answer["held"]
            first = held["renewed"] if first is None else first
            if held["renewed"] != first:
                since = time.strftime("%H:%M:%S", time.localtime(held["since"]))
                raise Failed(
                    f"run {held['run']} of {held['holder']} has been changing this installation since {since}; "
                    "wait until it has ended, or take over with --take-over"
                )
            time.sleep(1)

    @contextlib.contextmanager
    def renewing(self, run: int) -> Iterator[None]:
        """Keep the lease alive; raise Failed on entering when it has been lost."""
        self.ask("renew", run=run)
        task = self._loop.start(self._renew(run))
        try:
            yield
        finally:
            task.cancel()
        if task.done() and not task.cancelled() and (lost := task.exception()):
            raise lost

    async def _renew(self, run: int) -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            await self._ask("renew", run=run)


def _batches(blobs: Mapping[str, bytes]) -> Iterator[dict[str, str]]:
    batch: dict[str, str] = {}
    size = 0
    for name, data in sorted(blobs.items()):
        batch[name] = base64.b64encode(data).decode()
        size += len(data)
        if size > BATCH:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch
