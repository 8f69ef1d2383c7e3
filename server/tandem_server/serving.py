"""Answer the agents, on the configuration server: who asks is told of its own bundle, and of nothing else.

systemd holds the socket and starts this when somebody connects; it ends itself when nobody has for a while, or when the
program has been replaced, and the next connection starts it anew.
"""

import base64
import json
import os
import select
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from . import wire
from .disk import Damaged, Json
from .failure import Failure
from .fleet import Fleet
from .lease import Lease
from .licenses import Licenses
from .store import Store

PASSED = 3  # the descriptor under which systemd passes the socket
IDLE = 30.0  # seconds without a connection after which this ends
AT_ONCE = 64  # connections
FROM_ONE = 4  # connections from one address
PATIENCE = 10.0  # seconds to say who one is and what one wants
TOLD = ("did", "interval", "mode", "program")  # what an agent says beside what its server is on
LONGEST = 500  # characters of a text among it that are kept


class Answers:
    """What is answered to the agent of one server."""

    def __init__(self, store: Store, server: str) -> None:
        self._store = store
        self._fleet = Fleet(store.directory)
        self._lease = Lease(store.directory)
        self._server = server
        self._holder = f"the agent of {server}"

    def to(self, message: Json) -> Any:
        """Return the answer to a request; raise Failure where there is none."""
        requests: dict[str, Callable[..., Any]] = {
            "hello": dict,
            "turn": self._turn,
            "bundle": self._bundle,
            "contents": self._contents,
            "license": self._license,
            "licenses": self._licenses,
            "acquire": lambda: self._lease.acquire(self._holder),
            "renew": self._renew,
            "release": self._release,
        }
        ask = str(message.pop("ask", None))
        if ask not in requests:
            raise Failure("request", f"{ask} is not known here; agent and configuration server differ")
        try:
            return requests[ask](**message)
        except Damaged as damaged:
            raise Failure("store", str(damaged)) from None
        except (KeyError, TypeError, ValueError) as error:
            raise Failure("request", f"is not understood: {error}") from None

    def _turn(self, *, on: int | None, bundle: str, said: Json) -> Json:
        """Hear what a server is on and what its agent says; return which configuration it should come to, if any.

        One that is on it, while a run may be changing it, has to come again with the lease to be believed.
        """
        self._fleet.hear(self._server, {"on": int(on) if on else None, **{key: _word(said[key]) for key in TOLD}})
        should = self._should()
        if should is None or (on, bundle) != (should["number"], should["bundle"]):
            return {"should": should}
        arrived = self._store.arrive(self._server, should["number"], self._holds_lease)
        return {"should": None if arrived else should}

    def _holds_lease(self) -> bool:
        return (self._lease.current() or {}).get("holder") == self._holder

    def _should(self) -> Json | None:
        expected = self._fleet.expected().get(self._server)
        if expected is None:
            return None
        bundle = self._store.configuration(expected["number"])["bundles"].get(self._server)
        return {**expected, "bundle": bundle} if bundle else None

    def _own(self) -> bytes:
        should = self._should()
        if should is None:
            raise Failure(self._server, "should stay as it is: there is nothing to fetch")
        return self._store.blob(should["bundle"])

    def _bundle(self) -> Json:
        return {"text": self._own().decode()}

    def _contents(self, *, names: list[str]) -> Json:
        own = {entry.get("digest") for entry in json.loads(self._own())["files"]}
        if foreign := sorted(set(names) - own):
            raise Failure(self._server, f"{', '.join(foreign)}: not in the bundle of this server")
        return {"blobs": {name: base64.b64encode(self._store.blob(name)).decode() for name in names}}

    def _license(self, *, number: int | None, known: list[str]) -> Json:
        """Return license and allocation by its name: that of a configuration, or of the one that the server is on."""
        licenses, on = Licenses(self._store), self._store.servers().get(self._server)
        numbers = [number] if number else on if isinstance(on, list) else [on]
        names = {licenses.of(each).get(self._server) for each in numbers if each}
        [name] = names if len(names) == 1 else [None]
        return licenses.told(name, numbers[0] if len(numbers) == 1 else None, known) if name else {}

    def _licenses(self, *, known: dict[str, str]) -> Json:
        from .licensing import changed  # noqa: PLC0415  only at the vendor's

        return changed(known)

    def _renew(self, *, run: int) -> Json:
        self._refuse_foreign_lease(run)
        self._lease.renew(run)
        return {}

    def _release(self, *, run: int) -> Json:
        self._refuse_foreign_lease(run)
        self._lease.release(run)
        return {}

    def _refuse_foreign_lease(self, run: int) -> None:
        held = self._lease.current()
        if held is None or (held["run"], held["holder"]) != (run, self._holder):
            raise Failure("lease", f"run {run} of {self._holder} does not hold it any more")


class Door:
    """Let a bounded number of connections in, and answer each in a thread of its own."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._trust = wire.context(ssl.PROTOCOL_TLS_SERVER, wire.SERVING) if wire.has_identity(wire.SERVING) else None
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._inside: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._program = _identity(sys.argv[0])

    def open(self) -> None:
        """Answer until nobody has come for a while, or another program is to answer."""
        while True:
            self._places.acquire()
            came = select.select([self._listener], [], [], IDLE)[0]
            if _identity(sys.argv[0]) != self._program or (not came and not self._inside.total()):
                return
            if came:
                self._admit()
            else:
                self._places.release()

    def _admit(self) -> None:
        plain, (address, *_) = self._listener.accept()
        with self._lock:
            welcome = self._trust is not None and self._inside[address] < FROM_ONE
            self._inside[address] += welcome
        if welcome:
            threading.Thread(target=self._serve, args=(plain, address)).start()
        else:
            plain.close()
            self._places.release()

    def _serve(self, plain: socket.socket, address: str) -> None:
        try:
            self._converse(plain)
        except (OSError, ValueError, Failure) as error:
            print(f"{address}: {error}", file=sys.stderr)
        finally:
            plain.close()
            with self._lock:
                self._inside[address] -= 1
            self._places.release()

    def _converse(self, plain: socket.socket) -> None:
        """Hear one request and answer it."""
        assert self._trust
        deadline = time.monotonic() + PATIENCE
        plain.settimeout(PATIENCE)
        with self._trust.wrap_socket(plain, server_side=True) as secure:
            message = wire.receive(secure, wire.REQUEST, deadline)
            try:
                answer = {"value": Answers(Store(), _name(secure)).to(message)}
            except Failure as failure:
                answer = {"failed": f"{failure.what}: {failure.message}"}
            wire.send(secure, answer, time.monotonic() + wire.PATIENCE)


def _word(said: object) -> str | int:
    """Return what may be kept of something that an agent says."""
    return said if isinstance(said, int) else str(said)[:LONGEST]


def serve() -> None:
    """Answer whoever connects to the socket that systemd has passed."""
    with socket.socket(fileno=PASSED) as listener:
        Door(listener).open()


def _name(connection: ssl.SSLSocket) -> str:
    """Return the name in the certificate that the other side has shown, and that the authority has signed."""
    subject: Any = (connection.getpeercert() or {}).get("subject", ())
    return next(str(value) for part in subject for key, value in part if key == "commonName")


def _identity(path: str) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_mtime_ns, status.st_size
