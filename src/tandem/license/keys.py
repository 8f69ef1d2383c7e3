"""Make and keep the keys of a vendor and of installations, and their certificates: ECDSA, P-256."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tandem.errors import Failed

NO_CERTIFICATE = (ValueError, x509.InvalidVersion, UnsupportedAlgorithm)
"""What reading a certificate, a request or a key ends with, where it is none."""
LONGEST_NAME = 64
"""Characters of a name in a certificate."""
PRIVATE = 0o600
OTHERS = 0o077
AGO = timedelta(minutes=5)  # a certificate is valid from a little earlier: clocks differ


def made(passphrase: str | None = None) -> tuple[EllipticCurvePrivateKey, bytes]:
    """Return a new key, and what its file holds; raise Failed where it cannot be protected by a passphrase."""
    key = generate_private_key(SECP256R1())
    try:
        protection = form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
        return key, key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, protection)
    except ValueError as error:
        raise Failed(f"the passphrase cannot be used: {error}") from None


def create(path: Path) -> EllipticCurvePrivateKey:
    """Make a key and keep it in a new file that only its owner can read; raise Failed where there is a file."""
    key, data = made()
    put_new(path, data, PRIVATE)
    return key


def put_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file that is not there yet, as a whole or not at all; raise Failed where it is there."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(new, path)  # which never replaces
    except FileExistsError:
        raise Failed(f"{path}: is there already, and is not overwritten") from None
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def load(path: Path, passphrase: str | None = None) -> EllipticCurvePrivateKey:
    """Return a key from its file; raise Failed where others can read it, or it cannot be opened."""
    try:
        with path.open("rb") as file:
            mode, data = stat.S_IMODE(os.fstat(file.fileno()).st_mode), file.read()
    except OSError as error:
        raise Failed(f"{path}: cannot be read: {error.strerror}") from None
    if mode & OTHERS:
        raise Failed(
            f"{path}: others can read it (mode {mode:04o}); a private key is its owner's alone: chmod 600 {path}"
        )
    try:
        key = form.load_pem_private_key(data, passphrase.encode() if passphrase else None)
    except TypeError:
        what = (
            "has no passphrase, and one was given" if passphrase else "has a passphrase; give it with --passphrase-file"
        )
        raise Failed(f"{path}: {what}") from None
    except NO_CERTIFICATE:
        what = "the passphrase is wrong, or it is no private key" if passphrase else "is no private key"
        raise Failed(f"{path}: {what}") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise Failed(f"{path}: is no key for ECDSA with P-256")
    return key


def certificate_in(path: Path) -> x509.Certificate:
    """Return the certificate in a file; raise Failed where there is not exactly one."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise Failed(f"{path}: cannot be read: {error.strerror}") from None
    except NO_CERTIFICATE:
        raise Failed(f"{path}: is no certificate in PEM") from None
    if len(found) != 1:
        raise Failed(f"{path}: has {len(found)} certificates; exactly one must be there")
    return found[0]


def pinned_in(path: Path) -> bytes:
    """Return the certificate of an authority as it is pinned, in PEM; raise Failed where the file has none."""
    found = certificate_in(path)
    if found.subject != found.issuer or not _signs(found):
        raise Failed(f"{path}: is not the certificate of an authority; a vendor's is called licenses-ca.pem")
    return found.public_bytes(form.Encoding.PEM)


def _signs(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


@dataclass(frozen=True)
class Authority:
    """Somebody whose word others are pinned to: its certificate, and the key that signs with it."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    def certify(self, name: str, public: EllipticCurvePublicKey, days: int) -> x509.Certificate:
        """Return the certificate that it gives for somebody's key."""
        return _certificate(name, public, self.certificate.subject, self.key, days)

    def certify_server(self, name: str, public: EllipticCurvePublicKey, days: int) -> x509.Certificate:
        """Return the certificate that it gives for the key of a server, which is asked over TLS by its name."""
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        called = x509.SubjectAlternativeName([x509.DNSName(name)])
        return _certificate(name, public, self.certificate.subject, self.key, days, use, called)


def refuse_foreign(found: x509.Certificate, issuer: x509.Certificate, name: str) -> None:
    """Raise Failed where a certificate is not what an authority gave for somebody's key."""
    if names(found) != [name]:
        raise Failed(f"is the certificate of {', '.join(names(found)) or 'nobody'}, and not of {name}")
    try:
        found.verify_directly_issued_by(issuer)
        key = found.public_key()
    except (*NO_CERTIFICATE, TypeError, InvalidSignature):
        raise Failed("was not given by the vendor's authority") from None
    if _signs(found) or not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise Failed("is not that of a key for ECDSA with P-256")


def authority(name: str, key: EllipticCurvePrivateKey, days: int) -> Authority:
    """Return an authority with a new certificate, which it has signed itself."""
    return Authority(_certificate(name, key.public_key(), None, key, days), key)


def request(name: str, key: EllipticCurvePrivateKey) -> bytes:
    """Return the request, in PEM, to certify the key of an installation."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    return signed.public_bytes(form.Encoding.PEM)


def requested(data: bytes) -> tuple[str, EllipticCurvePublicKey]:
    """Return who requests a certificate, and for which key; raise Failed where that is no installation's request."""
    try:
        found = x509.load_pem_x509_csr(data)
        public = found.public_key()
    except NO_CERTIFICATE:
        raise Failed("is no request in PEM, or about another kind of key than ECDSA with P-256") from None
    if not found.is_signature_valid:
        raise Failed("is not signed with the key that it is about")
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise Failed("is about another kind of key than ECDSA with P-256")
    if len(names(found)) != 1:
        raise Failed("does not name one installation")
    return names(found)[0], public


def names(found: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    """Return whose certificate, or request for one, this is."""
    return [str(attribute.value) for attribute in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _certificate(
    name: str,
    public: EllipticCurvePublicKey,
    issuer: x509.Name | None,
    key: EllipticCurvePrivateKey,
    days: int,
    *more: x509.ExtensionType,
) -> x509.Certificate:
    """Return a certificate from today on; one without an issuer is that of an authority."""
    signs = issuer is None
    begin = datetime.now(UTC).replace(microsecond=0) - AGO
    no = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    use = x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, decipher_only=False, **no)
    serial = x509.random_serial_number()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(issuer or subject, subject, public, serial, begin, begin + AGO + timedelta(days))
        .add_extension(x509.BasicConstraints(signs, 0 if signs else None), critical=True)
        .add_extension(use, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, SHA256())
