"""Make and keep the keys of a vendor and of installations, and their certificates: ECDSA, P-256."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from tandem.errors import Failed

PRIVATE = 0o600
OTHERS = 0o077
AGO = timedelta(minutes=5)  # a certificate is valid from a little earlier: clocks differ


def create(path: Path, passphrase: str | None = None) -> EllipticCurvePrivateKey:
    """Make a key and keep it in a new file that only its owner can read; raise Failed where there is a file."""
    key = generate_private_key(SECP256R1())
    protection = form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
            file.write(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, protection))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Failed(f"{path}: there is a key already; it is never overwritten") from None
    except OSError as error:
        raise Failed(f"{path}: cannot be written: {error.strerror}") from None
    return key


def load(path: Path, passphrase: str | None = None) -> EllipticCurvePrivateKey:
    """Return a key from its file; raise Failed where others can read it, or it cannot be opened."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
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
    except ValueError:
        what = "the passphrase is wrong, or it is no private key" if passphrase else "is no private key"
        raise Failed(f"{path}: {what}") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise Failed(f"{path}: is no key for ECDSA with P-256")
    return key


def certificate_in(path: Path) -> x509.Certificate:
    """Return the certificate in a file; raise Failed where there is none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise Failed(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise Failed(f"{path}: is no certificate in PEM") from None


@dataclass(frozen=True)
class Authority:
    """Somebody whose word others are pinned to: its certificate, and the key that signs with it."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    def certify(self, name: str, public: EllipticCurvePublicKey, days: int) -> x509.Certificate:
        """Return the certificate that it gives for somebody's key."""
        return _certificate(name, public, self.certificate.subject, self.key, days)


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
    except ValueError:
        raise Failed("is no request for a certificate in PEM") from None
    public = found.public_key()
    if not found.is_signature_valid:
        raise Failed("is not signed with the key that it is about")
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise Failed("is about another kind of key than ECDSA with P-256")
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if len(names) != 1:
        raise Failed("does not name one installation")
    return str(names[0].value), public


def _certificate(
    name: str, public: EllipticCurvePublicKey, issuer: x509.Name | None, key: EllipticCurvePrivateKey, days: int
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
    return (
        x509.CertificateBuilder(issuer or subject, subject, public, serial, begin, begin + AGO + timedelta(days))
        .add_extension(x509.BasicConstraints(signs, 0 if signs else None), critical=True)
        .add_extension(use, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
