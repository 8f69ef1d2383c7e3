"""Use the store on the configuration server as if it were here, over one ssh exec."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Any, Self

from tandem.ansible.connection import Connection
from tandem.ansible.conversation import Conversation, Unreachable, converse
from tandem.ansible.loop import Loop
from tandem.configuration import Configuration
from tandem.configuration.canonical import digest
from tandem.configuration.places import Place, settled
from tandem.configuration.store import StoredConfiguration, verified
from tandem.errors import Failed

Json = dict[str, Any]
RENEWAL = 3.0  # seconds; the lease's term is five of them
ANSWER = 60.0  # seconds for the store to answer
BATCH = 8 * 1024 * 1024  # bytes of contents in one message


def acquiring(holder: str, *, take_over: bool) -> Json:
    """Return the request for the installation's lease."""
    return {"do": "acquire", "holder": holder, "take_over": take_over}


def content(
    number: int | None = None,
    *,
    known: Configuration | None = None,
    servers: list[str] | None = None,
    tree: bool = True,
    files: bool = False,
) -> Json:
    """Return the request for a configuration, without a number the active one, and what it is made of.

    That is the bundles of `servers`, otherwise all, the tree, and the files that the active configuration has not; but
    for bundles and tree of a configuration that is `known`.
    """
    names = sorted({known.record["tree"], *known.bundles.values()}) if known else []
    return {"do": "content", "number": number, "known": names, "servers": servers, "tree": tree, "files": files}


class Session:
    """The store of an installation; as a context it is open between enter and exit."""

    def __init__(self, loop: Loop, ways: list[Connection], asked: Iterable[Json] = ()) -> None:
        """Try `ways` to the configuration server in turn: it may be about to get, or have got, another address.

        `asked` are requests that go with the opening: when `ask` comes to them the answers are here already, and
        `configuration` has the content that was among them.
        """
        self._loop = loop
        self._ways = ways
        self._asked = [*asked, {"do": "state"}]
        self._early: list[tuple[Json, Json]] = []
        self._exit = contextlib.AsyncExitStack()
        self._lock: asyncio.Lock | None = None
        self._conversation: Conversation | None = None
        self._blobs: dict[str, bytes] = {}
        self._known: Configuration | None = None
        self._configurations: dict[int, StoredConfiguration] = {}
        self._failed: dict[int | None, Json] = {}  # why one that was asked for with the opening is not there
        self._state: Json = {}

    def __enter__(self) -> Self:
        self._loop.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._exit.aclose())

    async def _open(self) -> None:
        self._lock = asyncio.Lock()
        await self._connect(self._asked)
        for message, answer in self._early:
            if message["do"] == "content" and answer.get("value"):
                self._keep(answer["value"])
            elif message["do"] == "content" and answer.get("failed"):
                self._failed[message["number"]] = answer
        self._state = await self._ask("state")

    async def _connect(self, asked: list[Json]) -> None:
        refusals = []
        for way in self._ways:
            request = {"verb": "store", "server": way.server, "asked": asked}
            conversation = await self._exit.enter_async_context(converse(way, request))
            try:
                answer = await conversation.receive()
                if answer["event"] == "ready":
                    self._early = [(message, await conversation.receive(ANSWER)) for message in asked]
                    conversation.leave_at_once()
                    self._conversation = conversation
                    return
            except Unreachable as error:
                refusals.append(f"{way}: {error}")
                continue
            refusals.append(f"{way}: {answer['failed']['message']}")
        raise Unreachable("; ".join(refusals))

    async def _ask(self, do: str, **fields: object) -> Any:
        return (await self._ask_all([{"do": do, **fields}]))[0]

    async def _ask_all(self, messages: list[Json]) -> list[Any]:
        """Ask several things in one round trip; raise Failed with the first reason when one of them is not done."""
        assert self._lock
        if len(messages) == 1 and (early := self._early_answer(messages[0])):
            return [_value(early)]
        async with self._lock:
            try:
                answers = await self._exchange(messages)
            except Unreachable:  # the configuration server may have moved to another address, or restarted
                await self._connect([])
                answers = await self._exchange(messages)
        return [_value(answer) for answer in answers]

    def _early_answer(self, message: Json) -> Json | None:
        """Return what was answered with the opening; only once, because later it may be no longer so."""
        for early in self._early:
            if early[0] == message:
                self._early.remove(early)
                return early[1]
        return None

    async def _exchange(self, messages: list[Json]) -> list[Json]:
        assert self._conversation
        for message in messages:
            await self._conversation.send(**message)
        return [await self._conversation.receive(ANSWER) for _ in messages]

    def moved(self, way: Connection) -> None:
        """Go on over another address: the old one is about to vanish under the open connection."""
        self._ways = [way, *self._ways]
        self._loop.run(self._move())

    async def _move(self) -> None:
        assert self._lock
        async with self._lock:
            await self._connect([])

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

    def know(self, configuration: Configuration) -> None:
        """Take what a compiled configuration is made of for here: it has the same names in the store."""
        self._known = configuration
        self._blobs |= configuration.blobs

    def configuration(self, number: int) -> StoredConfiguration:
        """Return a stored configuration, with its tree and bundles fetched at once unless it is here already."""
        if number not in self._configurations:
            early = self._failed.get(None if number == self.active() else number)
            self._keep(_value(early) if early else self.ask(**content(number, known=self._known)))
        return self._configurations[number]

    def _keep(self, found: Json) -> None:
        """Keep what the store answered of a configuration."""
        self._decode(found["blobs"])
        record = found["record"]
        self._configurations[int(record["number"])] = StoredConfiguration(record, self.blob)

    def _decode(self, blobs: Mapping[str, str]) -> None:
        for name, text in blobs.items():
            self._blobs[name] = verified(name, base64.b64decode(text), f"the configuration server's blob {name}")

    def hold(self, data: bytes) -> str:
        """Have bytes here that are no blob of the store; return the digest by which they can be asked for."""
        name = digest(data)
        self._blobs[name] = data
        return name

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
            self._decode(await self._ask("blobs", names=missing))
        return {name: self._blobs[name] for name in names}

    def put(self, blobs: Mapping[str, bytes], **then: object) -> Any:
        """Store blobs, and right after them do something that needs them; return the answer to that.

        Between two batches others have their turn, such as the renewal of the lease. Blobs that nothing names yet stay
        only as long as their session: after another one had to be begun, all are sent again.
        """
        messages: list[Json] = [{"do": "put", "blobs": batch} for batch in _batches(blobs)]
        while True:
            conversation = self._conversation
            for message in messages[:-1]:
                self.ask(**message)
            answer = self._loop.run(self._ask_all([*messages[-1:], then]))[-1]
            if self._conversation is conversation:
                return answer

    def add(self, record: Mapping[str, Any], blobs: Mapping[str, bytes]) -> int:
        """Store a configuration and return its number; one equal to the active one is there already."""
        active = self.active()
        if active is not None and self.configuration(active).digest == record["digest"]:
            return active
        lacking = self.ask("lacking", names=sorted(blobs))
        number: int = self.put({name: blobs[name] for name in lacking}, do="add", configuration=record)
        return number

    def acquire(self, holder: str, *, take_over: bool) -> tuple[int, str]:
        """Take the installation's lease; return the run's number, and from whom it was taken, in words.

        Wait for a lease whose holder seems dead to expire; raise Failed at once when it is being renewed.
        """
        first: float | None = None
        while True:
            answer = self.ask(**acquiring(holder, take_over=take_over))
            if "run" in answer:
                taken = answer["taken"]
                ended = ", which had not ended properly" if taken and taken["expired"] else ""
                if first is not None:
                    self.refresh()  # what was active before the lease was ours need not be now
                return answer["run"], f"took over from run {taken['run']} of {taken['holder']}{ended}" if taken else ""
            held = answer["held"]
            first = held["renewed"] if first is None else first
            if held["renewed"] != first:
                since = time.strftime("%H:%M:%S", time.localtime(held["since"]))
                raise Failed(
                    f"run {held['run']} of {held['holder']} has been changing this installation since {since}; "
                    "wait until it has ended, or take over with --take-over of apply or rollback"
                )
            time.sleep(1)

    @contextlib.contextmanager
    def renewing(self, run: int) -> Iterator[None]:
        """Keep the lease alive that is ours, between other questions; raise Failed at the end when it has been lost.

        A renewal that was begun is waited for: its answer must not be taken for that to the next question.
        """
        ended = Event()

        def renew() -> None:
            while not ended.wait(RENEWAL):
                self.ask("renew", run=run)

        with ThreadPoolExecutor(1) as pool:
            renewals = pool.submit(renew)
            try:
                yield
            finally:
                ended.set()
        renewals.result()


def _value(answer: Json) -> Any:
    if failed := answer.get("failed"):  # of one answer in words, of the whole session as a result
        reason = failed if isinstance(failed, str) else f"{failed['what']}: {failed['message']}"
        raise Failed(f"configuration server: {reason}")
    return answer["value"]


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
