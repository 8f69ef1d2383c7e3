"""Derive the agents' certificates from one secret: nobody makes, distributes or renews any.

The installation's authority, every server's key and certificate, and those that the configuration server serves with
follow from the secret and a name alone: keys by HKDF, signatures by Ed25519, which is deterministic. So compiling gives
the same bytes each time. Certificates do not expire, for a server that has been away must not be locked out by a clock;
another secret is another authority.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import cache, lru_cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID as Use
from cryptography.x509.oid import NameOID

SERVING_NAME = "configuration.tandem"
"""What the agents insist on in the certificate of the configuration server (server/tandem_server/wire.py)."""

FIRST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
LAST = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)  # "no end", says RFC 5280
SERIAL_BYTES = 16

Role = Literal["authority", "server", "serving"]


def authority(secret: str, installation: str) -> str:
    """Return the certificate of an installation's authority in PEM; nothing where there is no secret."""
    return _authority(secret, installation).pem if secret else ""


def identity(secret: str, installation: str, server: str) -> str:
    """Return key and certificate in PEM that a server asks with; nothing where there is no secret."""
    return _authority(secret, installation).issue("server", server) if secret else ""


def serving(secret: str, installation: str) -> str:
    """Return key and certificate in PEM that the configuration server answers with; nothing without a secret."""
    return _authority(secret, installation).issue("serving", SERVING_NAME) if secret else ""


class _Authority:
    """The authority of one installation; `pem` is its own certificate."""

    def __init__(self, secret: str, installation: str) -> None:
        self._secret = secret
        self._installation = installation
        self._key = self._derive("authority", "")
        self._name = _named("agents", installation)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        self.pem = self._certificate("authority", "agents", self._key.public_key())

    def issue(self, role: Role, name: str) -> str:
        """Return key and certificate of somebody, in one text."""
        key = self._derive(role, name)
        text = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
        return text + self._certificate(role, name, key.public_key())

    def _derive(self, role: Role, name: str) -> Ed25519PrivateKey:
        info = f"tandem agent\0{self._installation}\0{role}\0{name}".encode()
        return Ed25519PrivateKey.from_private_bytes(HKDF(SHA256(), 32, None, info).derive(self._secret.encode()))

    def _certificate(self, role: Role, name: str, key: Ed25519PublicKey) -> str:
        signs = role == "authority"
        builder = (
            x509.CertificateBuilder(
                self._name, _named(name, self._installation), key, _serial(role, name, key), FIRST, LAST
            )
            .add_extension(x509.BasicConstraints(signs, 0 if signs else None), critical=True)
            .add_extension(_key_usage(signs=signs), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(self._identifier, critical=False)
        )
        if role == "serving":
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        if not signs:
            use = Use.SERVER_AUTH if role == "serving" else Use.CLIENT_AUTH  # a server cannot pose as the other end
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=True)
        return builder.sign(self._key, None).public_bytes(form.Encoding.PEM).decode()


@lru_cache(maxsize=2)
def _authority(secret: str, installation: str) -> _Authority:
    return _Authority(secret, installation)


def _named(name: str, installation: str) -> x509.Name:
    kinds = ((NameOID.ORGANIZATION_NAME, installation), (NameOID.COMMON_NAME, name))
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in kinds])


@cache
def _key_usage(*, signs: bool) -> x509.KeyUsage:
    no = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, decipher_only=False, **no)


def _serial(role: Role, name: str, key: Ed25519PublicKey) -> int:
    """Return a positive number of at most 16 bytes that depends on what is certified alone."""
    data = f"{role}\0{name}".encode() + key.public_bytes_raw()
    return int.from_bytes(hashlib.sha256(data).digest()[:SERIAL_BYTES], "big") >> 1 | 1
