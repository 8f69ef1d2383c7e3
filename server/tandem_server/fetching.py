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


def fetch(documents: Documents, settings: Json, *, rekey: bool = False) -> tuple[list[str], bool]:
    """Take the newest license; return which servers did not answer, or nothing to believe, and whether one did.

    `settings` are {installation, servers: addresses, port, timeout in seconds, name}, and may bring {authority,
    servers_authority} in PEM where these are not on this server yet. The first server with a license that is not older
    than the one here is the last to be asked. `rekey` is that of `offer_license`.
    """
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
    deadline = time.monotonic() + PATIENCE
    for address in settings["servers"]:
        who = f"licensing server {address}"
        try:
            data = _get(address, settings, trust, min(deadline, time.monotonic() + settings["timeout"]))
            if documents.offer_license(data, settings["installation"], pinned, rekey=rekey):
                return problems, True
            problems.append(f"{who} has an older license than is here")
        except Refused as refused:
            problems.append(f"{who}: its license {refused}")
        except (OSError, http.client.HTTPException) as error:
            problems.append(f"{who} does not answer: {str(error) or type(error).__name__}")
    return problems, False


def _get(address: str, settings: Json, trust: ssl.SSLContext, deadline: float) -> bytes:
    """Return the file with the license, if it is to be had before the deadline."""
    with socket.create_connection((address, settings["port"]), left(deadline)) as plain:
        plain.settimeout(left(deadline))
        with trust.wrap_socket(plain, server_hostname=LICENSING_NAME) as secure:
            secure.settimeout(left(deadline))
            connection = http.client.HTTPConnection(LICENSING_NAME)
            connection.sock = secure
            connection.request("GET", f"/{settings['name']}.xml", headers={"Connection": "close"})
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise OSError(f"{settings['name']}.xml: {response.status} {response.reason}")
            data = b""
            while len(data) <= LARGEST and (chunk := response.read1(CHUNK)):
                data += chunk
                secure.settimeout(left(deadline))
            return data


def _pem(settings: Json, name: str, path: str) -> bytes:
    said = settings.get(name)
    return str(said).encode() if said is not None else read_bytes(path) or b""
