"""Verify licenses and allocations with xmlsec1, which is all that a server has for it."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Iterator

from .document import Refused, read
from .license import ALLOCATION_ROOT, LICENSE_ROOT, Allocation, License, allocation_of, license_of

PATIENCE = 30  # seconds; it takes some milliseconds
PROGRAM = "/usr/bin/xmlsec1"
TRUST_NOBODY = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/dev/null"}
BEGIN = b"-----BEGIN CERTIFICATE-----"
LINE = 64  # characters of base64 in PEM


def license_in(data: bytes, authority: bytes) -> License:
    """Return the license in a file; raise Refused where it is none, or not signed under the vendor's authority.

    `authority` is the certificate that is pinned, in PEM. Certificates have to be valid now; the dates of the license
    itself are not looked at.
    """
    root = read(data, LICENSE_ROOT, certified=True)
    if authority.count(BEGIN) != 1:
        raise Refused("cannot be verified: what is pinned is not one certificate in PEM")
    _verify(data, "--trusted-pem", authority, "x509")
    return license_of(root)


def allocation_in(data: bytes, license_: License) -> Allocation:
    """Return the allocation in a file; raise Refused where it is none, or not signed with the installation's key.

    The license vouches for the key, so the dates of its certificate are not looked at.
    """
    root = read(data, ALLOCATION_ROOT, certified=False)
    _verify(data, "--pubkey-cert-pem", _pem(license_.certificate), "key-name")
    return allocation_of(root)


def _verify(data: bytes, trust: str, pem: bytes, keys: str) -> None:
    """Have the signature of a document verified; raise Refused where it is not good.

    Nobody can change what is looked at meanwhile: both are in memory that has no name. Of keys in the document only one
    kind is looked at, and nothing is trusted but what is handed over: not what the system trusts, which xmlsec1 would
    add on its own.
    """
    with unnamed(pem) as trusted, unnamed(data) as document:
        words = ["--verify", trust, f"/proc/self/fd/{trusted}", "--enabled-key-data", keys]
        done = run([*words, "--enabled-reference-uris", "empty"], [trusted, document])
    if done.returncode == 1:
        raise Refused(_reason(done.stderr.decode(errors="replace")))
    if done.returncode:
        raise Refused(f"cannot be verified: {PROGRAM} has ended with status {done.returncode}")


def run(words: list[str], fds: list[int]) -> subprocess.CompletedProcess[bytes]:
    """Run xmlsec1 on the last of some files without names; raise Refused where it does not run."""
    try:
        return subprocess.run(
            [PROGRAM, *words, f"/proc/self/fd/{fds[-1]}"],
            env=TRUST_NOBODY,
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except OSError as error:
        raise Refused(f"cannot be verified: {PROGRAM}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"cannot be verified: xmlsec1 has not answered within {PATIENCE} s") from None


def _reason(said: str) -> str:
    """Say in our words why xmlsec1 does not believe a signature."""
    if "certificate has expired" in said:
        return "the certificate that it was signed with has expired"
    if "certificate is not yet valid" in said:
        return "the certificate that it was signed with is not valid yet"
    if "issuer certificate" in said or "certificate verification failed" in said:
        return "was signed with a certificate that is not of the vendor's authority"
    return "its signature is not good: it was changed, or is of somebody else"


def _pem(certificate: bytes) -> bytes:
    text = base64.b64encode(certificate).decode()
    lines = "\n".join(text[at : at + LINE] for at in range(0, len(text), LINE))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()


@contextlib.contextmanager
def unnamed(data: bytes) -> Iterator[int]:
    """Have bytes in a file without a name."""
    fd = os.memfd_create("verified")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)
