"""Sign licenses and allocations, and verify them with signxml; servers verify with xmlsec1, and both must agree."""

from __future__ import annotations

import base64
import warnings
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.utils import CryptographyDeprecationWarning
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidCertificate, InvalidDigest, SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier
from tandem_guard.document import Refused, certificate, read
from tandem_guard.license import ALLOCATION_ROOT, LICENSE_ROOT, Allocation, License, allocation_of, license_of
from tandem_guard.xmlsec import unnamed

from tandem.license.keys import NO_CERTIFICATE
from tandem.license.write import text

SCHEMAS = Path(__file__).parent / "schemas"


def sign(root: etree._Element, key: EllipticCurvePrivateKey, certified: x509.Certificate | None) -> bytes:
    """Return a document with its signature; `certified` is the key's certificate, where it has to come along."""
    signer = XMLSigner(
        signature_algorithm=SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    signed = signer.sign(root, key=key, cert=[certified] if certified else None)
    if certified is None:
        signature = signed[-1]
        for info in signature.findall("{*}KeyInfo"):
            signature.remove(info)
    return text(signed).encode()


def license_in(data: bytes, authority: bytes, at: datetime) -> License:
    """Return the license in a file; raise Refused where it is none, or not signed under the vendor's authority.

    `authority` is the certificate that is pinned, in PEM. `at` is the moment for which certificates have to be valid;
    the dates of the license itself are not looked at.
    """
    root = read(data, LICENSE_ROOT, certified=True)
    _conforms(data, "license")
    _in_time(certificate(root), at)
    with unnamed(authority) as pinned:
        return license_of(_signed(data, at, ca_pem_file=f"/proc/self/fd/{pinned}"))


def allocation_in(data: bytes, license_: License) -> Allocation:
    """Return the allocation in a file; raise Refused where it is none, or not signed with the installation's key.

    The license vouches for the key, so the dates of its certificate are not looked at.
    """
    read(data, ALLOCATION_ROOT, certified=False)
    _conforms(data, "allocation")
    try:
        key = x509.load_der_x509_certificate(license_.certificate)
    except NO_CERTIFICATE:
        raise Refused("cannot be verified: the license has no certificate of the installation's key") from None
    return allocation_of(_signed(data, key.not_valid_before_utc, x509_cert=key))


def _in_time(said: str, at: datetime) -> None:
    """Refuse a signature with a certificate that is not valid yet, or no more."""
    try:
        with warnings.catch_warnings(action="error"):  # what no certificate of ours has
            found = x509.load_der_x509_certificate(data := base64.b64decode(said))
    except (*NO_CERTIFICATE, CryptographyDeprecationWarning):
        raise Refused("its signature has a certificate that is none") from None
    if not data.endswith(b"\0" + found.signature):  # bits that it declares unused, of which xmlsec1 wants none
        raise Refused("its signature has a certificate that is none")
    if at < found.not_valid_before_utc:
        raise Refused(f"the certificate that it was signed with is not valid before {found.not_valid_before_utc:%F %R}")
    if at > found.not_valid_after_utc:
        raise Refused(f"the certificate that it was signed with has expired on {found.not_valid_after_utc:%F %R}")


def _signed(data: bytes, at: datetime, **trust: Any) -> ET.Element:
    """Return what has been signed, and nothing else; raise Refused where the signature is not good."""
    config = SignatureConfiguration(
        location="./",
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        verification_time=at,
    )
    try:
        result = XMLVerifier().verify(data, parser=_parser(), expect_config=config, **trust)
    except InvalidCertificate:
        raise Refused("was signed with a certificate that is not of the vendor's authority") from None
    except InvalidDigest:
        raise Refused("was changed after it had been signed") from None
    except (SignXMLException, InvalidSignature, *NO_CERTIFICATE):
        raise Refused("its signature is not good") from None
    assert not isinstance(result, list)
    return ET.fromstring(result.signed_data)  # noqa: S314 - canonical XML, read strictly before


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=False)


def _conforms(data: bytes, name: str) -> None:
    """Refuse what the schema of such documents does not describe."""
    try:
        _schema(name).assertValid(etree.fromstring(data, _parser()))
    except etree.XMLSyntaxError as error:
        raise Refused(f"is not well-formed XML: {error.msg}") from None
    except etree.DocumentInvalid as error:
        raise Refused(f"does not conform to its schema: {error}") from None


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(file=str(SCHEMAS / f"{name}.xsd"))
