"""Be the vendor: authorities and the signer's key, certificates for installations, and licenses."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tandem_guard.document import Refused, read
from tandem_guard.form import LICENSING_NAME
from tandem_guard.license import DOWNLOAD, LICENSE_ROOT, License, license_of

from tandem.errors import Failed, TandemError
from tandem.license import keys
from tandem.license.description import Description, describe
from tandem.license.signature import license_in, sign
from tandem.license.write import license_element

LICENSES_CA, CERTIFICATION_CA, SERVERS_CA, SIGNER = "licenses-ca", "certification-ca", "servers-ca", "signer"
INSTALLATIONS, SERVERS = "installations", "licensing servers"
AUTHORITY_DAYS, SIGNER_DAYS, SERVER_DAYS, INSTALLATION_DAYS = 20 * 365, 5 * 365, 5 * 365, 20 * 365
SEED = 16  # bytes


class Vendor:
    """A vendor's directory.

    `licenses-ca` certifies signers of licenses and nobody else, and is what installations pin; `certification-ca`
    certifies the keys of installations, which must never be able to sign a license; `servers-ca` certifies licensing
    servers, and none of those that the others certify can pass for one. These three keys may have a passphrase and lie
    elsewhere most of the time; `signer` works every night without a person. `licenses/NAME.yml` says what a license
    shall say, `licenses/NAME.csr` is the request of its installation; the certificate (`.pem`) and the license (`.xml`)
    are put beside them.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create(self, name: str, passphrase: str | None) -> None:
        """Make keys and certificates, all of them or nothing; raise Failed where there is something already."""
        if not name.isprintable() or not 0 < len(name) <= keys.LONGEST_NAME - len(f"{SERVERS} of "):
            raise Failed(f"a vendor's name has 1 to {keys.LONGEST_NAME - len(f'{SERVERS} of ')} characters")
        files: dict[str, bytes] = {}
        authorities = {}
        for kind, what in ((LICENSES_CA, "licenses"), (CERTIFICATION_CA, INSTALLATIONS), (SERVERS_CA, SERVERS)):
            key, files[f"{kind}.key"] = keys.made(passphrase)
            authorities[kind] = keys.authority(f"{what} of {name}", key, AUTHORITY_DAYS)
            files[f"{kind}.pem"] = _pem(authorities[kind].certificate)
        signer, files[f"{SIGNER}.key"] = keys.made()
        certificate = authorities[LICENSES_CA].certify(f"signer of {name}", signer.public_key(), SIGNER_DAYS)
        files[f"{SIGNER}.pem"] = _pem(certificate)
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.directory.parent, ignore_cleanup_errors=True) as new:
                (Path(new) / "whole/licenses").mkdir(parents=True)
                for file, data in files.items():
                    keys.put_new(Path(new) / "whole" / file, data, keys.PRIVATE if file.endswith(".key") else 0o644)
                (Path(new) / "whole").rename(self.directory)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise Failed(f"{self.directory}: is there already, and is not overwritten") from None
            raise Failed(f"{self.directory}: cannot be made: {error.strerror}") from None

    def renew_signer(self, passphrase: str | None) -> datetime:
        """Certify the signer anew, and return until when."""
        issuer = self._authority(LICENSES_CA, passphrase)
        [name] = keys.names(keys.certificate_in(self.directory / f"{SIGNER}.pem"))
        found = issuer.certify(name, keys.load(self._key(SIGNER)).public_key(), SIGNER_DAYS)
        self._put(f"{SIGNER}.pem", _pem(found))
        return found.not_valid_after_utc

    def certify_server(self, file: Path, passphrase: str | None) -> datetime:
        """Make the key and the certificate of a licensing server in new files, and return until when it is good."""
        key, data = keys.made()
        issuer = self._authority(SERVERS_CA, passphrase)
        found = issuer.certify_server(LICENSING_NAME, key.public_key(), SERVER_DAYS)
        secret = file.with_suffix(".key")
        keys.put_new(secret, data, keys.PRIVATE)
        try:
            keys.put_new(file, _pem(found))
        except Failed:
            secret.unlink()
            raise
        return found.not_valid_after_utc

    @property
    def names(self) -> list[str]:
        """Return the names of all licenses that are described."""
        return sorted(path.stem for path in (self.directory / "licenses").glob("[!.]*.yml"))

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
        certificate = self._authority(CERTIFICATION_CA, passphrase).certify(wanted, public, INSTALLATION_DAYS)
        self._put(f"licenses/{name}.pem", _pem(certificate))
        return self._license(name, "pem")

    def issue(self, name: str) -> License:
        """Sign a license from now on for as long as one is good after a download; return what it says.

        Raise Failed where what would be published is not what every installation believes.
        """
        said = self.said(name)
        signer = keys.certificate_in(self.directory / f"{SIGNER}.pem")
        data = sign(license_element(said), keys.load(self._key(SIGNER)), signer)
        pinned = keys.pinned_in(self.directory / f"{LICENSES_CA}.pem")
        try:
            license_in(data, pinned, said.valid_from)
            found = license_in(data, pinned, said.valid_until)
        except Refused as refused:
            what = f"the license {refused}; is {SIGNER}.pem right, or is it time for `tandem license renew-signer`?"
            raise Failed(f"{name}: {what}") from None
        self._put(f"licenses/{name}.xml", data)
        return found

    def keep(self, name: str, data: bytes) -> License:
        """Keep a license that a server has signed, and return what it says; raise Failed where nobody believes it."""
        try:
            found = license_in(data, keys.pinned_in(self.directory / f"{LICENSES_CA}.pem"), datetime.now(UTC))
        except Refused as refused:
            raise Failed(f"{name}: was signed, but the license {refused}") from None
        self._put(f"licenses/{name}.xml", data)
        return found

    def said(self, name: str) -> License:
        """Return what a license says from now on; it was issued when its serial first appeared.

        Raise Failed where no installation would take it.
        """
        description = self._description(name)
        now = datetime.now(UTC).replace(microsecond=0)
        if now >= description.expires:
            raise Failed(f"{name}: has expired on {description.expires:%F}; change `expires` and `serial` to renew it")
        published = self._published(name)
        if published and published.serial > description.serial:
            serials = f"{description.serial} is less than {published.serial}, which is published already"
            raise Failed(f"{name}: serial {serials}; no installation would take it")
        issued = published.issued if published and published.serial == description.serial else now
        return License(
            installation=description.installation,
            site=description.site,
            owner=description.owner,
            serial=description.serial,
            issued=issued,
            expires=description.expires,
            valid_from=now,
            valid_until=min(now + DOWNLOAD, description.expires),
            servers=description.servers,
            kinds={str(kind): limit for kind, limit in description.kinds.items()},
            bundled={str(kind): str(other) for kind, other in description.bundled.items()},
            entitlements=description.applications,
            certificate=self._certificate(name, description),
            seed=secrets.token_hex(SEED),
        )

    def _published(self, name: str) -> License | None:
        """Return what was published last, whoever signed it."""
        file = self._license(name, "xml")
        try:
            return license_of(read(file.read_bytes(), LICENSE_ROOT, certified=True))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failed(f"{file}: cannot be read: {error.strerror}") from None
        except Refused as refused:
            raise Failed(f"{file}: {refused}; move it away, and it is made anew") from None

    def _certificate(self, name: str, description: Description) -> bytes:
        """Return the certificate of the installation's key."""
        file = self._license(name, "pem")
        if not os.path.exists(file):
            raise Failed(f"{file}: is not there; `tandem license certify {name}` makes it from the request")
        found = keys.certificate_in(file)
        issuer = keys.certificate_in(self.directory / f"{CERTIFICATION_CA}.pem")
        try:
            keys.refuse_foreign(found, issuer, description.installation)
        except Failed as failed:
            raise Failed(f"{file}: {failed}") from None
        return found.public_bytes(Encoding.DER)

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
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            Path(file.name).replace(path)
        except OSError as error:
            raise Failed(f"{path}: cannot be written: {error.strerror}") from None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
