"""Carry one request and its answer between an agent and the configuration server: a line of JSON each way, over TLS.

Both sides show a certificate of the installation's own authority. That of the configuration server carries NAME and
serves for nothing else; that of a server carries the server's name, which decides what is answered.
"""

import json
import os
import socket
import ssl
import time

from .disk import Json
from .failure import Failure

DIRECTORY = "/etc/tandem/agent"
AUTHORITY = DIRECTORY + "/authority.pem"
IDENTITY = DIRECTORY + "/identity.pem"
SERVING = DIRECTORY + "/serving.pem"
NAME = "configuration.tandem"

REQUEST = 256 * 1024  # bytes; the digests of a bundle's files fit many times
ANSWER = 64 * 1024 * 1024  # bytes
CHUNK = 64 * 1024
PATIENCE = 30.0  # seconds for a request and its answer, however they trickle


class Refused(Failure):
    """Say that the configuration server has heard the request, and why it does not do it."""


def has_identity(path: str = IDENTITY) -> bool:
    """Return whether this installation has agents: without its secret, key and certificate are empty files."""
    return os.path.exists(path) and os.path.getsize(path) > 0


def context(side: int, identity: str) -> ssl.SSLContext:
    """Return what decides whom one side (ssl.PROTOCOL_TLS_CLIENT or _SERVER) speaks with."""
    made = ssl.SSLContext(side)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(AUTHORITY)
    made.load_cert_chain(identity)
    return made


def ask(address: str, port: int, message: Json, patience: float = PATIENCE) -> Json:
    """Ask the configuration server one thing and return its answer.

    Raise Refused with its reason where it does not answer the request, OSError where it cannot be reached or trusted.
    """
    deadline = time.monotonic() + patience
    trust = context(ssl.PROTOCOL_TLS_CLIENT, IDENTITY)
    with (
        socket.create_connection((address, port), patience) as plain,
        trust.wrap_socket(plain, server_hostname=NAME) as secure,
    ):
        send(secure, message, deadline)
        answer = receive(secure, ANSWER, deadline)
    if "failed" in answer:
        raise Refused("configuration server", str(answer["failed"]))
    value: Json = answer["value"]
    return value


def send(connection: ssl.SSLSocket, message: Json, deadline: float) -> None:
    """Send one message before the deadline."""
    data = memoryview(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    while data:
        connection.settimeout(left(deadline))
        data = data[connection.send(data[:CHUNK]) :]


def receive(connection: ssl.SSLSocket, limit: int, deadline: float) -> Json:
    """Return the next message; raise Failure where it is too long, broken off, or none."""
    data = bytearray()
    while not data.endswith(b"\n"):
        if len(data) > limit:
            raise Failure("message", f"is longer than {limit} bytes")
        connection.settimeout(left(deadline))
        chunk = connection.recv(CHUNK)
        if not chunk:
            raise ConnectionError("the other side has ended the connection")
        data += chunk
    message = json.loads(data)
    if not isinstance(message, dict):
        raise Failure("message", "is not an object")
    return message


def left(deadline: float) -> float:
    """Return the seconds until a deadline; raise TimeoutError where it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("took too long")
    return left
