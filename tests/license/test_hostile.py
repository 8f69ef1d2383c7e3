"""Documents that somebody has tampered with: refused by both verifiers, and for the reason that is there."""

from __future__ import annotations

import base64
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml import CanonicalizationMethod, DigestAlgorithm, SignatureMethod, XMLSigner
from tandem_guard import xmlsec
from tandem_guard.counting import exceeded
from tandem_guard.document import HEAD, LARGEST, SIGNATURE, Refused, certificate, read
from tandem_guard.license import LICENSE_ROOT, Allocation, License, Use

from tandem.license import keys, signature
from tandem.license.write import allocation_element, license_element
from tests.license.vendor import Signed, allocation, both, both_of_allocation, made

OTHERS = 2000
"""Variants beside the accepted ones that xmlsec1 looks at too."""


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return made(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    """Return another vendor."""
    return made(tmp_path_factory.mktemp("other"))


def test_both_read_the_same_out_of_a_good_license_and_a_good_allocation(signed: Signed):
    first, second = both(signed.license, signed.authority)
    assert isinstance(first, License)
    assert first == second
    assert first.owner == "Example & Söhne <Telecom>"
    used, same = both_of_allocation(signed.allocation, first)
    assert used == same == allocation()


def wrapped_in_another(data: bytes) -> bytes:
    """Put the signed license inside another one, whose own words are read by who looks at the root only."""
    inner = data[len(HEAD) :].strip()
    forged = re.sub(rb'<Servers limit="10"/>', b'<Servers limit="999"/>', inner.partition(b"<ds:Signature")[0])
    signature_ = re.search(rb"<ds:Signature.*</ds:Signature>", inner, re.DOTALL)
    assert signature_
    original = inner.replace(signature_[0], b"")
    return HEAD + forged + b"<Kept>" + original + b"</Kept>" + signature_[0] + b"</License>\n"


def moved_signature(data: bytes) -> bytes:
    """Have the signature as the first child."""
    found = re.search(rb"<ds:Signature.*</ds:Signature>", data, re.DOTALL)
    assert found
    return data.replace(found[0], b"").replace(b"<Servers", found[0] + b"<Servers")


def changed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


def doctype(inside: bytes) -> Callable[[bytes], bytes]:
    return lambda data: HEAD + b"<!DOCTYPE License [" + inside + b"]>\n" + data[len(HEAD) :]


BOMB = b'<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in b"bcdefghij"
)
HOSTILE = {
    "more servers": (changed(b'limit="10"', b'limit="99"'), "changed|not good"),
    "another installation": (changed(b'installation="example"', b'installation="another"'), "changed|not good"),
    "wrapped": (wrapped_in_another, "has a second License inside"),
    "signature moved": (moved_signature, "not the last element of the root"),
    "second root": (lambda data: data + data[len(HEAD) :], "is not whole: line 1[0-9], column 1 is not well-formed"),
    "second signature": (
        lambda data: re.sub(rb"(<ds:Signature .*</ds:Signature>)", rb"\1\1", data, flags=re.DOTALL),
        "has 2 signatures; exactly one",
    ),
    "no signature": (
        lambda data: re.sub(rb"<ds:Signature .*</ds:Signature>", b"", data, flags=re.DOTALL),
        "not signed",
    ),
    "duplicated Id": (
        lambda data: data.replace(b"<Servers", b'<Servers Id="x"').replace(b"<Seed", b'<Seed Id="x"'),
        r"has an identifier \(Id\) on Servers",
    ),
    "reference to something else": (changed(b'URI=""', b'URI="#x"'), "its signature is over something else"),
    "reference to a file": (changed(b'URI=""', b'URI="file:///etc/passwd"'), "its signature is over something else"),
    "second reference": (
        lambda data: re.sub(rb"(<ds:Reference .*</ds:Reference>)", rb"\1\1", data, flags=re.DOTALL),
        "has 2 references; exactly one",
    ),
    "another transform": (
        changed(
            b'Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"',
            b'Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"',
        ),
        "has another Transform than the one that is allowed: .*xslt",
    ),
    "HMAC": (changed(b"xmldsig-more#ecdsa-sha256", b"xmldsig-more#hmac-sha256"), "has another SignatureMethod .*hmac"),
    "SHA-1": (
        changed(b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2000/09/xmldsig#sha1"),
        "another DigestMethod .*sha1",
    ),
    "XXE": (doctype(b'<!ENTITY x SYSTEM "file:///etc/passwd">'), "has a DOCTYPE"),
    "entity bomb": (doctype(BOMB), "has a DOCTYPE"),
    "DTD": (
        lambda data: HEAD + b'<!DOCTYPE License SYSTEM "http://198.18.0.1/x.dtd">' + data[len(HEAD) :],
        "has a DOCTYPE",
    ),
    "comment": (changed(b'<Servers limit="10"/>', b'<Servers limit="10"/><!-- x -->'), "has a comment"),
    "processing instruction": (changed(b"<Servers", b"<?x y?><Servers"), "processing instruction"),
    "huge": (lambda data: data + b" " * LARGEST, f"more than {LARGEST} are not read"),
    "not UTF-8": (changed("ö".encode(), b"\xf6"), "byte [0-9]+ is not UTF-8"),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "byte 0 is not UTF-8"),
    "another encoding declared": (changed(b"UTF-8", b"UTF-7"), "does not begin with"),
    "empty": (lambda _: b"", "is empty"),
    "truncated": (lambda data: data[: len(data) // 2], "is not whole: line [0-9]+"),
    "no license": (lambda _: HEAD + b"<html/>\n", "is no License: its root element is html"),
    "a kind added": (changed(b"<Seed>", b"<Kind name='sip' limit='9'/><Seed>"), "schema|not good"),
    "a named key": (
        changed(b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>x</ds:KeyName>"),
        "KeyName, X509Data in KeyInfo",
    ),
    "a key to be fetched": (
        changed(b"<ds:KeyInfo>", b'<ds:KeyInfo><ds:RetrievalMethod URI="http://198.18.0.1/"/>'),
        "RetrievalMethod, X509Data in KeyInfo",
    ),
    "an object in the signature": (
        changed(b"</ds:KeyInfo>", b"</ds:KeyInfo><ds:Object>x</ds:Object>"),
        "SignedInfo, SignatureValue, KeyInfo, Object in Signature",
    ),
    "base64 with other bits at its end": (
        lambda data: re.sub(rb"[AQgw]==(</ds:SignatureValue>)", rb"B==\1", data),
        "SignatureValue that is not base64 as it is written",
    ),
    "an attribute in the signature": (
        changed(b"<ds:SignatureValue>", b'<ds:SignatureValue x="y">'),
        "other attributes on SignatureValue: x",
    ),
    "an empty signature": (
        lambda data: re.sub(
            rb"<ds:SignatureValue>.*</ds:SignatureValue>", b"<ds:SignatureValue/>", data, flags=re.DOTALL
        ),
        "SignatureValue that is not base64",
    ),
    "deep": (changed(b"<Servers", b"<x>" * 20 + b"</x>" * 20 + b"<Servers"), "more than 8 levels"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_license_that_was_tampered_with_is_refused_by_both(what: str, signed: Signed):
    tamper, message = HOSTILE[what]
    for said in both(tamper(signed.license), signed.authority):
        assert isinstance(said, str)
        assert re.search(message, said), said


def test_a_license_of_another_vendor_is_refused_by_both(signed: Signed, other: Signed):
    for said in both(other.license, signed.authority):
        assert said == "was signed with a certificate that is not of the vendor's authority"


def test_an_installation_cannot_sign_a_license_with_its_own_certificate(signed: Signed):
    certificate = keys.certificate_in(signed.vendor.directory / "licenses/one.pem")
    forged = signature.sign(license_element(replace(signed.said, servers=999)), signed.key, certificate)
    for said in both(forged, signed.authority):
        assert said == "was signed with a certificate that is not of the vendor's authority"


def test_a_license_signed_with_a_certificate_that_has_expired_is_refused_by_both(signed: Signed):
    home = signed.vendor.directory
    authority = keys.Authority(keys.certificate_in(home / "licenses-ca.pem"), keys.load(home / "licenses-ca.key"))
    key = keys.load(signed.vendor.directory / "signer.key")
    expired = authority.certify("signer", key.public_key(), 0)
    data = signature.sign(license_element(signed.said), key, expired)
    for said in both(data, signed.authority):
        assert isinstance(said, str)
        assert said.startswith("the certificate that it was signed with has expired")


def test_a_license_whose_signer_is_not_certified_yet_is_refused(signed: Signed):
    with pytest.raises(Refused, match="is not valid before"):
        signature.license_in(signed.license, signed.authority, datetime.now(UTC) - timedelta(days=1))


def test_what_the_system_trusts_is_not_trusted(signed: Signed, other: Signed, monkeypatch: pytest.MonkeyPatch):
    """Xmlsec1 would add that to what is pinned."""
    monkeypatch.setenv("SSL_CERT_FILE", str(other.vendor.directory / "licenses-ca.pem"))
    for said in both(other.license, signed.authority):
        assert said == "was signed with a certificate that is not of the vendor's authority"


def test_two_certificates_are_not_pinned(signed: Signed, other: Signed):
    with pytest.raises(Refused, match="what is pinned is not one certificate"):
        xmlsec.license_in(signed.license, other.authority + signed.authority)


def test_what_is_there_twice_is_refused_though_it_was_signed(signed: Signed):
    signer = keys.load(signed.vendor.directory / "signer.key")
    certificate = keys.certificate_in(signed.vendor.directory / "signer.pem")
    root = license_element(signed.said)
    root.insert(1, deepcopy(root[1]))
    for said in both(signature.sign(root, signer, certificate), signed.authority):
        assert said == "has the Kind billing_engine twice"
    root = allocation_element(allocation())
    root[1].append(deepcopy(root[0][0]))
    for said in both_of_allocation(signature.sign(root, signed.key, None), signed.said):
        assert said == "has the Instance billing-1 twice"


def test_the_license_vouches_for_the_installations_key_whatever_the_dates_of_its_certificate_are(signed: Signed):
    issuer = keys.Authority(
        keys.certificate_in(signed.vendor.directory / "certification-ca.pem"),
        keys.load(signed.vendor.directory / "certification-ca.key"),
    )
    expired = issuer.certify("example", signed.key.public_key(), 0).public_bytes(Encoding.DER)
    for said in both_of_allocation(signed.allocation, replace(signed.said, certificate=expired)):
        assert said == allocation()


@pytest.mark.parametrize(
    "more",
    [
        b'<ds:RetrievalMethod URI="http://127.0.0.1:9/leaf" Type="http://www.w3.org/2000/09/xmldsig#rawX509Certificate"/>',
        b"<ds:KeyName>x</ds:KeyName>",
        b"<ds:KeyValue/>",
    ],
)
def test_an_allocation_that_names_a_key_is_refused_by_both(more: bytes, signed: Signed):
    data = signed.allocation.replace(b"</ds:Signature>", b"<ds:KeyInfo>" + more + b"</ds:KeyInfo></ds:Signature>")
    for said in both_of_allocation(data, signed.said):
        assert said == "brings a key along; who may sign an allocation is said by the license alone"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'value="3"', b'value="007"'), (b'name="Alpha"', b'name="Al pha"'), (b"2026-11-26T", b"2026-11-6T")],
)
def test_an_allocation_of_another_form_is_refused_by_both_though_it_was_signed(old: bytes, new: bytes, signed: Signed):
    root = etree.fromstring(etree.tostring(allocation_element(allocation())).replace(old, new))
    for said in both_of_allocation(signature.sign(root, signed.key, None), signed.said):
        assert isinstance(said, str)
        assert re.search("schema|which cannot be", said)


def signed_with(method: SignatureMethod, signed: Signed, **key: object) -> bytes:
    """Return the license, signed by another method."""
    signer = XMLSigner(
        signature_algorithm=method,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    root = signer.sign(license_element(signed.said), **key)  # type: ignore[arg-type]
    return HEAD + etree.tostring(root, encoding="unicode").encode() + b"\n"


def test_rsa_is_refused_by_both(signed: Signed):
    key = rsa.generate_private_key(65537, 2048)
    certificate = keys.certificate_in(signed.vendor.directory / "signer.pem")
    data = signed_with(SignatureMethod.RSA_SHA256, signed, key=key, cert=[certificate])
    for said in both(data, signed.authority):
        assert isinstance(said, str)
        assert re.search("another SignatureMethod .*rsa-sha256", said)


def test_the_certificates_public_key_as_a_shared_secret_is_refused_by_both(signed: Signed):
    secret = (signed.vendor.directory / "signer.pem").read_bytes()
    data = signed_with(SignatureMethod.HMAC_SHA256, signed, key=secret)
    for said in both(data, signed.authority):
        assert isinstance(said, str)
        assert "has another SignatureMethod" in said


def test_an_allocation_signed_with_another_key_is_refused_by_both(signed: Signed, other: Signed):
    for said in both_of_allocation(other.allocation, signed.said):
        assert isinstance(said, str)
        assert "its signature is not good" in said


def test_an_allocation_with_an_instance_added_by_hand_is_refused_by_both(signed: Signed):
    more = b'<Instance name="web-9" application="web" kind="server" address="198.18.1.19"/></Server>'
    for said in both_of_allocation(signed.allocation.replace(b"</Server>", more, 1), signed.said):
        assert isinstance(said, str)
        assert re.search("was changed|not good", said)


def test_an_allocation_that_brings_its_own_certificate_is_refused_by_both(signed: Signed):
    certificate = keys.certificate_in(signed.vendor.directory / "licenses/one.pem")
    data = signature.sign(allocation_element(allocation()), signed.key, certificate)
    for said in both_of_allocation(data, signed.said):
        assert said == "brings a key along; who may sign an allocation is said by the license alone"


def test_an_allocation_that_exceeds_the_license_says_by_how_much(signed: Signed):
    extra = {f"e{n}": Use(f"e{n}", "billing_engine", "billing_engine", "198.18.1.9", f"S{n}", {}) for n in range(4)}
    said = signed.said
    servers = {f"S{n}": "198.18.0.9" for n in range(4)}
    more = replace(allocation(), instances=extra, servers=servers, sites=dict.fromkeys(servers, "primary"))
    data = signature.sign(allocation_element(more), signed.key, None)
    for used in both_of_allocation(data, said):
        assert isinstance(used, Allocation)
        assert [str(limit) for limit in exceeded(said, used)] == ["billing engine servers: 4 of 3, 1 too many"]


def test_a_document_of_the_other_sort_is_refused_by_both(signed: Signed):
    for said in both(signed.allocation, signed.authority):
        assert said == "is no License: its root element is Allocation"
    for said in both_of_allocation(signed.license, signed.said):
        assert said == "is no Allocation: its root element is License"


def test_a_certificate_that_declares_a_bit_of_its_signature_unused_is_refused_by_both(signed: Signed):
    for _ in range(64):
        signed.vendor.renew_signer(None)
        signed.vendor.issue("one")
        data = (signed.vendor.directory / "licenses/one.xml").read_bytes()
        der = bytearray(base64.b64decode(certificate(read(data, LICENSE_ROOT, certified=True))))
        if der[-1] % 2 == 0:
            break
    der[-len(x509.load_der_x509_certificate(bytes(der)).signature) - 1] = 1
    variant = re.sub(rb"(?<=X509Certificate>)[^<]+", base64.b64encode(der), data)
    for said in both(variant, signed.authority):
        assert isinstance(said, str)
        assert re.search("certificate that is (none|not of the vendor's authority)", said)


def test_every_bit_flipped(signed: Signed, capsys: pytest.CaptureFixture[str]):
    """Flip each bit of each byte; what is accepted nevertheless says the same as before, and both accept it."""
    chance = random.Random(seed := int(os.environ.get("SEED", "20261126")))  # noqa: S311
    now = datetime.now(UTC)
    unsigned = _without_signature(signed.license)
    by, accepted, refused = Counter[str](), [], []
    for at in range(len(signed.license)):
        for bit in range(8):
            variant = bytearray(signed.license)
            variant[at] ^= 1 << bit
            said = _first(bytes(variant), signed.authority, now)
            by[said] += 1
            (refused if said != "accepted" else accepted).append(bytes(variant))
    with capsys.disabled():
        print(f"\nof {sum(by.values())} variants (seed {seed}): {dict(by)}")
    assert by["parser"]
    assert by["schema"]
    assert by["signature"]
    for variant in accepted:
        first, second = both(variant, signed.authority)
        assert first == second == signed.said
        assert _without_signature(variant) == unsigned
    for variant in chance.sample(refused, OTHERS):
        _, second = both(variant, signed.authority)
        assert isinstance(second, str) or _without_signature(variant) == unsigned


def _first(data: bytes, authority: bytes, at: datetime) -> str:
    """Tell who of parser, schema and signature is the first to refuse a license."""
    try:
        signature.license_in(data, authority, at)
    except Refused as refused:
        if "schema" in str(refused):
            return "schema"
        return "signature" if re.search("signature is not good|was changed|certificate", str(refused)) else "parser"
    return "accepted"


def _without_signature(data: bytes) -> bytes:
    """Return the exclusive canonical form of a document without its signature, as libxml2 makes it."""
    root = etree.fromstring(data)
    for found in root.findall(f"{{{SIGNATURE}}}Signature"):
        root.remove(found)
    return etree.tostring(root, method="c14n", exclusive=True)
