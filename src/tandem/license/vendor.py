"""Be the vendor: authorities and the signer's key, certificates for installations, and licenses."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tandem_guard.license import License

from tandem.errors import Failed, TandemError
from tandem.license import keys
from tandem.license.description import Description, describe
from tandem.license.signature import license_in, sign
from tandem.license.write import license_element

LICENSES, CERTIFICATION, SIGNER = "licenses-ca", "certification-ca", "signer"
AUTHORITY_DAYS, SIGNER_DAYS, INSTALLATION_DAYS = 20 * 365, 5 * 365, 20 * 365
DOWNLOAD = timedelta(days=8)
"""How long a license is good after it was signed: signed every night, at least seven days remain (spec 02)."""
SEED = 16  # bytes


class Vendor:
    """A vendor's directory.

    `licenses-ca` certifies signers of licenses and nobody else, and is what installations pin; `certification-ca`
    certifies the keys of installations, which must never be able to sign a license. Both keys may have a passphrase and
    lie elsewhere most of the time; `signer` works every night without a person. `licenses/NAME.yml` says what a license
    shall say, `licenses/NAME.csr` is the request of its installation; the certificate (`.pem`) and the license (`.xml`)
    are put beside them.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self, name: str, passphrase: str | None) -> None:
        """Make keys and certificates; raise Failed where there is one already."""
        (self.directory / "licenses").mkdir(parents=True, exist_ok=True)
        there = [path.name for kind in (LICENSES, CERTIFICATION, SIGNER) if (path := self._key(kind)).exists()]
        if there:
            raise Failed(f"{self.directory}: there are keys already ({', '.join(there)}); they are never overwritten")
        authorities = {}
        for kind, what in ((LICENSES, "licenses"), (CERTIFICATION, "installations")):
            key = keys.create(self._key(kind), passphrase)
            authorities[kind] = keys.authority(f"{name}: {what}", key, AUTHORITY_DAYS)
            self._put(f"{kind}.pem", _pem(authorities[kind].certificate))
        signer = keys.create(self._key(SIGNER))
        certificate = authorities[LICENSES].certify(f"{name}: signer", signer.public_key(), SIGNER_DAYS)
        self._put(f"{SIGNER}.pem", _pem(certificate))

    @property
    def names(self) -> list[str]:
        """Return the names of all licenses that are described."""
        return sorted(path.stem for path in (self.directory / "licenses").glob("*.yml"))

    def certify(self, name: str, passphrase: str | None) -> Path:
        """Give the installation of a license the certificate that it has requested, and return its file."""
        description = self._description(name)
        request = self._license(name, "csr")
        try:
            data = request.read_bytes()
        except OSError as error:
            raise Failed(f"{request}: cannot be read: {error.strerror}; `tandem license request` makes it") from None
        try:
            wanted, public = keys.requested(data)
        except TandemError as error:
            raise Failed(f"{request}: {error}") from None
        if wanted != description.installation:
            raise Failed(f"{request}: is the request of {wanted}; the license is for {description.installation}")
        certificate = self._authority(CERTIFICATION, passphrase).certify(wanted, public, INSTALLATION_DAYS)
        self._put(f"licenses/{name}.pem", _pem(certificate))
        return self._license(name, "pem")

    def issue(self, name: str) -> License:
        """Sign a license from now on for as long as one is good after a download; return what it says."""
        description = self._description(name)
        certificate = self._license(name, "pem")
        if not certificate.exists():
            raise Failed(f"{certificate}: is not there; `tandem license certify {name}` makes it from the request")
        now = datetime.now(UTC).replace(microsecond=0)
        if now >= description.expires:
            raise Failed(f"{name}: has expired on {description.expires:%F}; change `expires` and `serial` to renew it")
        said = _said(description, keys.certificate_in(certificate).public_bytes(Encoding.DER), now)
        signer = keys.load(self._key(SIGNER))
        data = sign(license_element(said), signer, keys.certificate_in(self.directory / f"{SIGNER}.pem"))
        found = license_in(data, self.pinned, now)  # what is published has been verified
        self._put(f"licenses/{name}.xml", data)
        return found

    @property
    def pinned(self) -> Path:
        """Return the file of the certificate that installations pin."""
        return self.directory / f"{LICENSES}.pem"

    def _description(self, name: str) -> Description:
        if name not in self.names:
            raise Failed(f"{self._license(name, 'yml')}: is not there; it says what the license shall say")
        return describe(self._license(name, "yml"))

    def _authority(self, kind: str, passphrase: str | None) -> keys.Authority:
        certificate = keys.certificate_in(self.directory / f"{kind}.pem")
        return keys.Authority(certificate, keys.load(self._key(kind), passphrase))

    def _key(self, kind: str) -> Path:
        return self.directory / f"{kind}.key"

    def _license(self, name: str, kind: str) -> Path:
        return self.directory / "licenses" / f"{name}.{kind}"

    def _put(self, name: str, data: bytes) -> None:
        """Write a file as a whole or not at all."""
        path = self.directory / name
        new = path.with_name(f".{path.name}.new")
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def _said(description: Description, certificate: bytes, now: datetime) -> License:
    return License(
        installation=description.installation,
        site=description.site,
        owner=description.owner,
        serial=description.serial,
        issued=now,
        expires=description.expires,
        valid_from=now,
        valid_until=min(now + DOWNLOAD, description.expires),
        servers=description.servers,
        kinds=description.kinds,
        bundled=description.bundled,
        entitlements=description.applications,
        certificate=certificate,
        seed=secrets.token_hex(SEED),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
