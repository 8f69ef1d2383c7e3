"""Watch who answers for an address, as its neighbours see it: by ARP, all the time."""

import select
import socket
import threading
import time
from types import TracebackType
from typing import Self

from lab import namespaces
from lab.network import mac
from tests.fleet.fleet import Fleet

ARP = 0x0806
PAUSE = 0.1  # seconds between two questions
BROADCAST = b"\xff" * 6


class Watch:
    """Ask the network of a site for an address again and again; `heard` are the servers that ever claimed it, in order.

    A server claims an address when it answers for it, or announces it.
    """

    def __init__(self, fleet: Fleet, site: str, address: str) -> None:
        self._namespace = namespaces.site(fleet.lab.name, site)
        self._names = {mac(server, 0): server for server in fleet.servers}
        self._address = socket.inet_aton(address)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.questions = 0
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        namespaces.enter(self._namespace)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as raw:
            raw.bind(("br0", ARP))
            own = raw.getsockname()[4]
            head = BROADCAST + own + ARP.to_bytes(2, "big") + bytes.fromhex("0001080006040001")
            question = head + own + bytes(4) + bytes(6) + self._address
            while not self._ended.is_set():
                raw.send(question)
                self.questions += 1
                end = time.monotonic() + PAUSE
                while (left := end - time.monotonic()) > 0:
                    if select.select([raw], [], [], left)[0]:
                        self._hear(raw.recv(128))

    def _hear(self, frame: bytes) -> None:
        if frame[28:32] == self._address:
            owner = frame[22:28].hex(":")
            self.heard.append(self._names.get(owner, owner))
