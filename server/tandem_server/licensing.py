"""Sign the vendor's licenses, hand them to licensing servers, and keep them there.

Beside the vendor's configuration server lie the key that signs and what each license shall say, NAME.wanted, which says
nothing of when it is good; NAME.xml is made of it every night. A licensing server has no key: it asks for those that
differ from what it has, and serves them as they are.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from tandem_guard.document import Refused
from tandem_guard.form import NAME
from tandem_guard.license import DOWNLOAD, MOMENT, License
from tandem_guard.sign import signed
from tandem_guard.xmlsec import license_in

from . import wire
from .agent import SETTINGS
from .command import run
from .disk import Json, gate, read_bytes, read_json, remove, write_durably
from .failure import Failure
from .files import digest

KEYS = "/etc/tandem/licensing"
KEY, CERTIFICATE, AUTHORITY = (f"{KEYS}/{name}" for name in ("signer.key", "signer.pem", "licenses-ca.pem"))
SIGNED = "/var/lib/tandem/licensing"
SERVED = "/var/lib/tandem-licenses"
WANTED, LICENSE = ".wanted", ".xml"
RENEWAL = timedelta(days=14)
"""How long before its end the signer's certificate has to be renewed: no license may be good longer than that."""
READABLE = 0o644
ROOT = "<License "


def sign() -> None:
    """Sign every license that is wanted.

    Raise Failure where one could not be signed, after all others, or the signer's certificate has to be renewed.
    """
    os.makedirs(SIGNED, exist_ok=True)
    failed = 0
    with gate(f"{SIGNED}/.lock"):
        signer = Signer()
        for name in _names(SIGNED, WANTED):
            try:
                print(f"{name}: {signer.sign(name)}", flush=True)
            except (Refused, OSError) as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed += 1
    if failed:
        raise Failure("licenses", f"{failed} could not be signed; the others are")
    if run(["openssl", "x509", "-noout", "-checkend", f"{RENEWAL.total_seconds():.0f}", "-in", CERTIFICATE])[0]:
        raise Failure(CERTIFICATE, f"ends within {RENEWAL.days} days: `tandem license renew-signer`, and apply it")


class Signer:
    """The key that signs licenses, its certificate, and the one that installations pin."""

    def __init__(self) -> None:
        self._key, self._certificate, self._authority = _bytes(KEY), _bytes(CERTIFICATE), _bytes(AUTHORITY)

    def sign(self, name: str) -> str:
        """Sign a license from now on for as long as one is good after a download, and say until when.

        Raise Refused where it cannot be signed, or where no installation would take it; then the old one stays.
        """
        path = f"{SIGNED}/{name}{LICENSE}"
        wanted = _bytes(f"{SIGNED}/{name}{WANTED}")
        now = datetime.now(UTC).replace(microsecond=0)
        expires = _expires(wanted)
        if now >= expires:
            return f"has expired on {expires:%F}, and is not signed any more"
        until = min(now + DOWNLOAD, expires)
        dates = f'from="{now.strftime(MOMENT)}" until="{until.strftime(MOMENT)}" '
        document = signed(wanted.decode().replace(ROOT, ROOT + dates, 1), self._key, self._certificate)
        serial, before = license_in(document, self._authority).serial, self._before(path)
        if before and serial < before.serial:
            raise Refused(f"serial {serial} is less than {before.serial}, which is published already")
        write_durably(path, document, READABLE)
        return f"signed, good until {until:%F %R}"

    def _before(self, path: str) -> License | None:
        """Return what was published last, unless nobody believes it any more."""
        try:
            return license_in(read_bytes(path) or b"", self._authority)
        except Refused:
            return None


def _expires(wanted: bytes) -> datetime:
    """Return when a license expires that is wanted."""
    try:
        root = ET.fromstring(wanted)  # noqa: S314 - our own; what is signed of it is read strictly
        return datetime.strptime(root.attrib["expires"], MOMENT).replace(tzinfo=UTC)
    except (ET.ParseError, KeyError, ValueError):
        raise Refused("is not what a license says; publish it again") from None


def changed(known: dict[str, str]) -> Json:
    """Return to a licensing server the licenses that differ from those it has, and the names of those that are gone.

    `known` are the digests of those it has.
    """
    if not os.path.isdir(SIGNED):
        raise Failure("licenses", "no license is signed here")
    if known and not _names(SIGNED, WANTED):
        raise Failure("licenses", "nothing is published here; what licensing servers have stays until something is")
    here = {name: _bytes(f"{SIGNED}/{name}{LICENSE}") for name in _names(SIGNED, LICENSE)}
    return {
        "licenses": {name: data.decode() for name, data in here.items() if known.get(name) != digest(data)},
        "gone": sorted(set(known) - set(here)),
    }


def pull() -> None:
    """Have the licenses here that the vendor's configuration server has; say what has changed."""
    settings = read_json(SETTINGS, "the next apply puts it right")
    if not settings or not wire.has_identity():
        raise Failure("licenses", "cannot be asked for: the installation has no server.agent.key")
    os.makedirs(SERVED, exist_ok=True)
    with gate(f"{SERVED}/.lock"):
        known = {name: digest(_bytes(f"{SERVED}/{name}{LICENSE}")) for name in _names(SERVED, LICENSE)}
        try:
            answer = wire.ask(settings["address"], settings["port"], {"ask": "licenses", "known": known})
        except OSError as error:
            reason = error.strerror or error
            raise Failure("configuration server", f"does not answer: {reason}; licenses stay as they are") from None
        for name, text in answer["licenses"].items():
            _put(name, text)
        for name in set(answer["gone"]) & set(known):
            remove(f"{SERVED}/{name}{LICENSE}")
            print(f"{name}: is not published any more", flush=True)


def _put(name: str, text: str) -> None:
    if not NAME.fullmatch(name):
        raise Failure("configuration server", f"names a license {name!r}, which is no name")
    write_durably(f"{SERVED}/{name}{LICENSE}", text.encode(), READABLE)
    print(f"{name}: a new license has come", flush=True)


def _names(directory: str, ending: str) -> list[str]:
    """Return what the files of a kind are called."""
    found = [os.path.splitext(file) for file in os.listdir(directory)]
    return sorted(name for name, end in found if end == ending and NAME.fullmatch(name))


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
