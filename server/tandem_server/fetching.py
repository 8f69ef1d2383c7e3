"""Fetch the license from the licensing servers, in order, over HTTPS."""

import http.client
import socket
import ssl
import time

from tandem_guard.document import LARGEST, Refused
from tandem_guard.form import LICENSING_NAME

from .disk import Json, read_bytes
from .documents import AUTHORITY, CONFIGURED, Documents
from .wire import left

CHUNK = 64 * 1024
PATIENCE = 10.0  # seconds for all of them together: less than the term of a lease, which is not renewed meanwhile


class Attempts:
    """What licenses share that are fetched one after the other: the time there is, and who did not answer."""

    def __init__(self) -> None:
        self.deadline = time.monotonic() + PATIENCE
        self.silent: set[str] = set()


def fetch(
    documents: Documents, settings: Json, attempts: Attempts | None = None, *, rekey: bool = False
) -> tuple[list[str], bool]:
    """Take the newest license; return which servers did not answer, or nothing to believe, and whether one did.

    `settings` are {installation, servers: addresses, port, timeout in seconds}, and may bring {authority,
    servers_authority} in PEM where these are not on this server yet. The first server with a license that is not older
    than the one here is the last to be asked. `rekey` is that of `offer_license`.
    """
    attempts = attempts or Attempts()
    if not settings["servers"]:
        return [], False
    pinned = _pem(settings, "authority", AUTHORITY)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        trust.load_verify_locations(cadata=_pem(settings, "servers_authority", f"{CONFIGURED}/servers.pem").decode())
    except (ssl.SSLError, ValueError):
        return ["server.license.servers_authority is no certificate: the licensing servers cannot be asked"], False
    problems: list[str] = []
    for address in settings["servers"]:
        who = f"licensing server {address}"
        if address in attempts.silent:
            problems.append(f"{who} has just not answered")
            continue
        try:
            deadline = min(attempts.deadline, time.monotonic() + settings["timeout"])
            data = _get(address, documents.name, settings["port"], trust, deadline)
            if documents.offer_license(data, settings["installation"], pinned, rekey=rekey):
                return problems, True
            problems.append(f"{who} has an older license than is here")
        except Refused as refused:
            problems.append(f"{who}: its license {refused}")
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{who} does not answer: {str(error) or type(error).__name__}")
            if not isinstance(error, NotThere):
                attempts.silent.add(address)
    return problems, False


class NotThere(OSError):
    """Say that a licensing server does not have a license."""


def _get(address: str, name: str, port: int, trust: ssl.SSLContext, deadline: float) -> bytes:
    """Return the file with a license, if it is to be had before the deadline."""
    with socket.create_connection((address, port), left(deadline)) as plain:
        plain.settimeout(left(deadline))
        with trust.wrap_socket(plain, server_hostname=LICENSING_NAME) as secure:
            secure.settimeout(left(deadline))
            connection = http.client.HTTPConnection(LICENSING_NAME)
            connection.sock = secure
            connection.request("GET", f"/{name}.xml", headers={"Connection": "close"})
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise NotThere(f"{name}.xml: {response.status} {response.reason}")
            data = b""
            while len(data) <= LARGEST and (chunk := response.read1(CHUNK)):
                data += chunk
                secure.settimeout(left(deadline))
            return data


def _pem(settings: Json, name: str, path: str) -> bytes:
    said = settings.get(name)
    return str(said).encode() if said is not None else read_bytes(path) or b""
