"""Who may ask, and how long: over real TLS on loopback, with certificates as they are derived."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tandem_server import serving, wire
from tandem_server.failure import Failure

from tandem.render import identities

SECRET = "a secret of the tests: 32 characters or more"


class Asked:
    """Answer with who asks, and what."""

    def __init__(self, _store: object, server: str) -> None:
        self._server = server

    def to(self, message: dict[str, Any]) -> Any:
        if message["ask"] == "fail":
            raise Failure("this", "is refused")
        return {"server": self._server, **message}


class Place:
    """A configuration server that answers on loopback, and the files of somebody who asks."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        for name in ("AUTHORITY", "IDENTITY", "SERVING"):
            monkeypatch.setattr(wire, name, str(directory / f"{name.lower()}.pem"))
        monkeypatch.setattr(serving, "Answers", Asked)
        monkeypatch.setattr(sys, "argv", [__file__])  # the program, whose replacement the door looks for
        self.write("authority", identities.authority(SECRET, "test"))
        self.write("serving", identities.serving(SECRET, "test"))
        self.write("identity", identities.identity(SECRET, "test", "Alpha"))

    def write(self, name: str, text: str) -> None:
        (self.directory / f"{name}.pem").write_text(text)

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.door = threading.Thread(target=serving.Door(self._listener).open)
        self.door.start()

    def close(self) -> None:
        self.door.join(60)
        assert not self.door.is_alive(), "it ends itself when nobody comes"
        self._listener.close()

    def ask(self, ask: str, **fields: object) -> Any:
        return wire.ask("127.0.0.1", self.port, {"ask": ask, **fields}, 20)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 20)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setattr(serving, "IDLE", 1.0)
    found = Place(tmp_path, monkeypatch)
    found.open()
    yield found
    found.close()


def test_the_name_in_the_certificate_says_who_asks(place: Place) -> None:
    assert place.ask("turn", server_=1) == {"server": "Alpha", "ask": "turn", "server_": 1}
    with pytest.raises(wire.Refused, match="this: is refused"):
        place.ask("fail")


@pytest.mark.parametrize(
    ("secret", "installation"), [(SECRET, "elsewhere"), ("another secret of the tests, as long as that", "test")]
)
def test_a_certificate_of_another_authority_is_refused(place: Place, secret: str, installation: str) -> None:
    place.write("identity", identities.identity(secret, installation, "Alpha"))
    with pytest.raises(OSError, match=r"unknown ca|decrypt error|bad certificate|EOF|reset|ended"):
        place.ask("turn")


def test_who_shows_no_certificate_is_refused(place: Place) -> None:
    trust = ssl.create_default_context(cafile=wire.AUTHORITY)
    with (
        pytest.raises(OSError, match=r"certificate required|handshake failure|reset"),
        place.connect() as plain,
        trust.wrap_socket(plain, server_hostname=wire.NAME) as secure,
    ):
        assert secure.recv(1) == b"x", "there was an answer"


def test_a_server_cannot_pose_as_the_configuration_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE", 1.0)
    place = Place(tmp_path, monkeypatch)
    place.write("serving", identities.identity(SECRET, "test", wire.NAME))
    place.open()
    try:
        with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|ostname"):
            place.ask("turn")
    finally:
        place.close()


@pytest.mark.parametrize("line", [b"x" * (wire.REQUEST + 2 * wire.CHUNK), b"no json\n", b"[1]\n"])
def test_what_is_no_message_ends_the_connection(place: Place, line: bytes) -> None:
    trust = wire.context(ssl.PROTOCOL_TLS_CLIENT, wire.IDENTITY)
    with place.connect() as plain, trust.wrap_socket(plain, server_hostname=wire.NAME) as secure:
        try:
            secure.sendall(line)
            answer = secure.recv(100)
        except OSError:
            answer = b""
    assert answer == b""
    assert place.ask("turn")["server"] == "Alpha", "others are answered all the same"


def test_one_address_does_not_take_all_places(place: Place) -> None:
    waiting = [place.connect() for _ in range(serving.FROM_ONE)]
    try:
        with place.connect() as one_more:
            one_more.settimeout(20)
            assert one_more.recv(1) == b""
    finally:
        for connection in waiting:
            connection.close()


def test_who_says_nothing_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "PATIENCE", 0.3)
    trust = wire.context(ssl.PROTOCOL_TLS_CLIENT, wire.IDENTITY)
    with place.connect() as plain:
        assert plain.recv(1) == b""
    with place.connect() as plain, trust.wrap_socket(plain, server_hostname=wire.NAME) as secure:
        secure.sendall(b'{"ask":')
        assert secure.recv(1) == b""


def test_without_certificates_everybody_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "IDLE", 1.0)
    place = Place(tmp_path, monkeypatch)
    place.write("serving", "")
    place.open()
    try:
        with place.connect() as plain:
            assert plain.recv(1) == b""
    finally:
        place.close()


def test_another_program_is_to_answer_when_this_one_was_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "server.pyz"
    program.write_text("old")
    monkeypatch.setattr(serving, "IDLE", 300.0)
    place = Place(tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "argv", [str(program)])
    place.open()
    assert place.ask("turn")["server"] == "Alpha"
    program.write_text("a new one")
    with place.connect():
        place.close()
