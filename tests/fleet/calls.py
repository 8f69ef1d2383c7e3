"""Ask billing engines for calls all the time, as a SIP server does: one engine, and after a second the other."""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Self

from lab import namespaces
from tests.fleet.fleet import ACCESS, Answer, Fleet, Request, received

PAUSE = 0.1  # seconds between two calls
FIRST, IN_ALL = 1.0, 2.0  # seconds for the first engine, and for both
GLANCE = 0.02  # seconds between two looks at an engine: a restart takes hardly more than a tenth of one


@dataclass
class Call:
    """One call: whom it asked first, whether that one stayed silent, and the answer in the end."""

    first: str
    silent: bool = False
    answer: Answer | None = None


@dataclass
class Calls:
    """Calls that are made until told to stop; each is of an account of its own, made beforehand."""

    fleet: Fleet
    engines: tuple[str, str]
    accounts: list[str]
    made: list[Call] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)  # the engines that were seen not to answer

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Make calls as long as the block lasts, and wait for the last answers."""
        secret, over = self.fleet.radius_secret.encode(), Event()
        threads = [Thread(target=self._watch, args=(engine, secret, over)) for engine in self.engines]
        threads.append(Thread(target=self._work, args=(secret, over)))
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _watch(self, engine: str, secret: bytes, over: Event) -> None:
        """Ask one engine all the time for an account that there is not, and note when it does not answer."""
        namespaces.enter(namespaces.controller(self.fleet.lab.name))
        while not over.wait(GLANCE):
            with selectors.DefaultSelector() as asked:
                sent = self._send(asked, engine, "nobody", secret)
                [key] = asked.get_map().values()
                assert isinstance(key.fileobj, socket.socket)
                if received(key.fileobj, time.monotonic() + FIRST / 2, secret, sent[engine]) is None:
                    self.silent.add(engine)

    def _work(self, secret: bytes, over: Event) -> None:
        namespaces.enter(namespaces.controller(self.fleet.lab.name))
        waiting: list[Thread] = []
        for number, account in enumerate(self.accounts):
            if over.is_set():
                break
            call = Call(self.engines[number % 2])
            self.made.append(call)
            waiting.append(Thread(target=self._ask, args=(call, account, self.engines[(number + 1) % 2], secret)))
            waiting[-1].start()
            time.sleep(PAUSE)
        for thread in waiting:
            thread.join()

    def _ask(self, call: Call, account: str, other: str, secret: bytes) -> None:
        """Ask one engine, then both at once: the first may be only slow."""
        end = time.monotonic() + IN_ALL
        with selectors.DefaultSelector() as asked:
            sent = self._send(asked, call.first, account, secret)
            if not asked.select(FIRST):
                call.silent = True
                sent |= self._send(asked, other, account, secret)
            for key, _ in asked.select(max(0.0, end - time.monotonic())):
                channel = key.fileobj
                assert isinstance(channel, socket.socket)
                call.answer = call.answer or received(channel.dup(), end, secret, sent[key.data])
            for key in list(asked.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()

    @staticmethod
    def _send(asked: selectors.BaseSelector, engine: str, account: str, secret: bytes) -> dict[str, bytes]:
        texts = [(1, account), (30, "44207"), (44, f"calls-{account}")]
        packet = Request(engine, ACCESS, [(kind, text.encode()) for kind, text in texts]).packet(secret)
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        channel.sendto(packet, (engine, 1812))
        asked.register(channel, selectors.EVENT_READ, engine)
        return {engine: packet}
