"""Verify licenses and allocations with xmlsec1, which is all that a server has for it."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .document import Refused, certificates, read
from .license import ALLOCATION_ROOT, LICENSE_ROOT, Allocation, License, allocation_of, license_of

PATIENCE = 30  # seconds; it takes some milliseconds
LINE = 64  # characters of base64 in PEM


def license_in(data: bytes, authority: Path) -> License:
    """Return the license in a file; raise Refused where it is none, or not signed under the vendor's authority.

    Certificates have to be valid now; the dates of the license itself are not looked at.
    """
    root = read(data, LICENSE_ROOT)
    found = certificates(root)
    if len(found) != 1:
        raise Refused(f"its signature has {len(found)} certificates; exactly one must be there")
    _verify(data, "--trusted-pem", authority.read_bytes(), "--enabled-key-data", "x509")
    return license_of(root)


def allocation_in(data: bytes, license_: License) -> Allocation:
    """Return the allocation in a file; raise Refused where it is none, or not signed with the installation's key."""
    root = read(data, ALLOCATION_ROOT)
    if certificates(root):
        raise Refused("brings a certificate along; who may sign an allocation is said by the license alone")
    _verify(data, "--pubkey-cert-pem", _pem(license_.certificate))
    return allocation_of(root)


def _verify(data: bytes, trust: str, pem: bytes, *more: str) -> None:
    """Have the signature of a document verified; raise Refused where it is not good.

    Nobody can change what is looked at meanwhile: both are in memory that has no name.
    """
    with _unnamed(pem) as trusted, _unnamed(data) as document:
        command = ["xmlsec1", "--verify", trust, f"/proc/self/fd/{trusted}", *more]
        command += ["--enabled-reference-uris", "empty", f"/proc/self/fd/{document}"]
        try:
            done = subprocess.run(
                command,
                pass_fds=(trusted, document),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except FileNotFoundError:
            raise Refused("cannot be verified: xmlsec1 is not installed here") from None
        except subprocess.TimeoutExpired:
            raise Refused(f"cannot be verified: xmlsec1 has not answered within {PATIENCE} s") from None
    if done.returncode:
        raise Refused(_reason(done.stderr))


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
def _unnamed(data: bytes) -> Iterator[int]:
    """Have bytes in a file without a name."""
    fd = os.memfd_create("verified")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)
