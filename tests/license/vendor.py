"""Make a vendor with an installation, a license and an allocation, and pairs of verifiers that must agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from tandem_guard import xmlsec
from tandem_guard.document import Refused
from tandem_guard.license import Allocation, License, Use

from tandem.license import keys, signature
from tandem.license.vendor import Vendor
from tandem.license.write import allocation_element

T = TypeVar("T")
DESCRIPTION = """\
installation: example
owner: "Example & Söhne <Telecom>"
serial: 7
expires: 2999-12-31
servers: 10
kinds: {billing_engine: 3, sip: 4}
bundled: {clustered_database: billing_engine}
applications: {billing_engine: {cluster: true, engines: 64}}
"""


@dataclass(frozen=True)
class Signed:
    """A vendor's directory, the key of an installation, its license and its allocation."""

    vendor: Vendor
    key: EllipticCurvePrivateKey
    license: bytes
    allocation: bytes

    @property
    def authority(self) -> bytes:
        return keys.pinned_in(self.vendor.directory / "licenses-ca.pem")

    @property
    def said(self) -> License:
        return signature.license_in(self.license, self.authority, datetime.now(UTC))


def made(directory: Path, installation: str = "example") -> Signed:
    """Make everything anew."""
    vendor = Vendor(directory / "vendor")
    vendor.create("Tandem Ltd", None)
    key = keys.create(directory / "installation.key")
    licenses = vendor.directory / "licenses"
    (licenses / "one.csr").write_bytes(keys.request(installation, key))
    (licenses / "one.yml").write_text(DESCRIPTION.replace("installation: example", f"installation: {installation}"))
    vendor.certify("one", None)
    vendor.issue("one")
    allocated = signature.sign(allocation_element(allocation(installation)), key, None)
    return Signed(vendor, key, (licenses / "one.xml").read_bytes(), allocated)


def allocation(installation: str = "example") -> Allocation:
    """Return what a small installation uses."""
    servers, sites = {"Alpha": "198.18.0.11", "Omega": "198.18.0.10"}, {"Alpha": "primary", "Omega": "primary"}
    engine = Use(
        "billing-1", "billing_engine", "billing_engine", "198.18.1.11", "Alpha", {"cluster": True, "engines": 3}
    )
    keeper = Use("configuration-1", "configuration_server", "server", "198.18.0.10", "Omega", {})
    return Allocation(
        installation, 12, datetime(2026, 11, 26, tzinfo=UTC), servers, sites, {u.name: u for u in (engine, keeper)}
    )


def both(data: bytes, authority: bytes) -> tuple[License | str, License | str]:
    """Return what both verifiers say of a license: what it says, or why they refuse it."""
    return (
        _said(lambda: signature.license_in(data, authority, datetime.now(UTC))),
        _said(lambda: xmlsec.license_in(data, authority)),
    )


def both_of_allocation(data: bytes, license_: License) -> tuple[Allocation | str, Allocation | str]:
    """Return what both verifiers say of an allocation."""
    return _said(lambda: signature.allocation_in(data, license_)), _said(lambda: xmlsec.allocation_in(data, license_))


def _said(verify: Callable[[], T]) -> T | str:
    try:
        return verify()
    except Refused as refused:
        return str(refused)
