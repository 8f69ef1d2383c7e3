"""Read signed XML strictly: nothing that two parsers could understand differently gets as far as a signature."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'
LARGEST = 2**20  # bytes; the license of a thousand servers has some thousand, their allocation half of this
DEEPEST = 8  # levels of elements
LICENSE, ALLOCATION, SIGNATURE = "urn:tandem:license", "urn:tandem:allocation", "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ALGORITHMS = {
    "CanonicalizationMethod": [EXCLUSIVE],
    "SignatureMethod": ["http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"],
    "Transform": ["http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXCLUSIVE],
    "DigestMethod": ["http://www.w3.org/2001/04/xmlenc#sha256"],
}
"""The only algorithms there are, in the order in which they stand in a signature (spec 02)."""
Shape = tuple[str, tuple[str, ...], tuple[Any, ...]]
"""What an element is called, its attributes, and what is in it."""
_REFERENCE: tuple[Shape, ...] = (
    ("Transforms", (), (("Transform", ("Algorithm",), ()), ("Transform", ("Algorithm",), ()))),
    ("DigestMethod", ("Algorithm",), ()),
    ("DigestValue", (), ()),
)
SIGNED: tuple[Shape, ...] = (
    (
        "SignedInfo",
        (),
        (
            ("CanonicalizationMethod", ("Algorithm",), ()),
            ("SignatureMethod", ("Algorithm",), ()),
            ("Reference", ("URI",), _REFERENCE),
        ),
    ),
    ("SignatureValue", (), ()),
)
KEY: tuple[Shape, ...] = (("KeyInfo", (), (("X509Data", (), (("X509Certificate", (), ()),)),)),)
DATA = ("DigestValue", "SignatureValue", "X509Certificate")
IDENTIFIER = re.compile(r"(?:\{.*\})?id\Z", re.IGNORECASE)


class Refused(Exception):
    """Say why a document is not believed."""


def read(data: bytes, root: str, *, certified: bool) -> Element:
    """Return the root element of a signed document, whose name with its namespace must be `root`.

    Raise Refused for everything that is not plain XML in UTF-8 with one enveloped signature of the one kind there is,
    which brings the certificate of who signed it along where it is to be `certified`, and else no key at all. Whether
    the signature is good is not looked at.
    """
    found = _parse(data)
    if found.tag != root:
        raise Refused(f"is no {_bare(root)}: its root element is {_bare(found.tag)}")
    _one_root(found)
    _signature(found)
    _shape(found[-1], certified=certified)
    return found


def _parse(data: bytes) -> Element:
    """Return the root element of XML that has no way to mean more than it shows."""
    if not data:
        raise Refused("is empty")
    if len(data) > LARGEST:
        raise Refused(f"has {len(data)} bytes; more than {LARGEST} are not read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"byte {error.start} is not UTF-8") from None
    if "<!DOCTYPE" in text:
        raise Refused("has a DOCTYPE, which could make it say anything")
    if not data.startswith(HEAD):
        raise Refused(f"does not begin with {HEAD.decode().strip()} on a line of its own")
    if "<!" in text or "<?" in text[len(HEAD) :]:
        raise Refused("has a comment, a CDATA section or a processing instruction; a signed document has none")
    try:
        return ET.fromstring(data)  # noqa: S314 - no DOCTYPE, so no entities
    except ET.ParseError as error:
        line, column = error.position
        raise Refused(f"is not whole: line {line}, column {column + 1} is not well-formed XML") from None


def _one_root(root: Element) -> None:
    """Refuse what signatures have been wrapped with elsewhere: a second root inside, and elements with identifiers."""
    for depth, element in _walk(root):
        if depth > DEEPEST:
            raise Refused(f"has more than {DEEPEST} levels of elements")
        if element is not root and element.tag == root.tag:
            raise Refused(f"has a second {_bare(root.tag)} inside")
        for name in element.attrib:
            if IDENTIFIER.match(name):
                raise Refused(f"has an identifier ({_bare(name)}) on {_bare(element.tag)}; nothing in it has one")


def _signature(root: Element) -> None:
    """Refuse every signature but the one kind there is: of the whole document, last in it, with known algorithms."""
    signatures = list(root.iter(_signed("Signature")))
    if len(signatures) != 1:
        raise Refused(f"has {len(signatures)} signatures; exactly one must be there" if signatures else "is not signed")
    [signature] = signatures
    if root[-1] is not signature:
        raise Refused("its signature is not the last element of the root")
    references = list(signature.iter(_signed("Reference")))
    if len(references) != 1:
        raise Refused(f"its signature has {len(references)} references; exactly one must be there")
    if references[0].attrib != {"URI": ""}:
        raise Refused('its signature is over something else; its reference must have URI="" and nothing more')
    for name, wanted in ALGORITHMS.items():
        found = [element.attrib for element in signature.iter(_signed(name))]
        if found != [{"Algorithm": algorithm} for algorithm in wanted]:
            names = ", ".join(attributes.get("Algorithm", "none") for attributes in found) or "none"
            raise Refused(f"its signature has another {name} than the one that is allowed: {names}")


def _shape(signature: Element, *, certified: bool) -> None:
    """Refuse a signature with anything in it that the one kind there is has not."""
    keys = signature.find(_signed("KeyInfo"))
    if not certified and keys is not None:
        raise Refused("brings a key along; who may sign an allocation is said by the license alone")
    number = len(list(signature.iter(_signed("X509Certificate"))))
    if certified and number != 1:
        raise Refused(f"its signature has {number} certificates; exactly one must be there")
    _same(signature, (*SIGNED, *(KEY if certified else ())))


def _same(element: Element, wanted: tuple[Shape, ...]) -> None:
    names = [name for name, *_ in wanted]
    found = [_bare(child.tag) if child.tag.startswith(f"{{{SIGNATURE}}}") else child.tag for child in element]
    if found != names:
        here, wanted_here = ", ".join(found) or "nothing", ", ".join(names) or "nothing"
        raise Refused(f"its signature has {here} in {_bare(element.tag)}; there belongs {wanted_here}")
    for child, (name, attributes, inside) in zip(element, wanted, strict=True):
        if list(child.attrib) != list(attributes):
            raise Refused(f"its signature has other attributes on {name}: {', '.join(child.attrib) or 'none'}")
        _same(child, inside)
        if name in DATA:
            _data(child)


def _data(element: Element) -> None:
    """Refuse base64 that is not written in the one way there is: bits that nothing depends on may be anything."""
    text = "".join((element.text or "").split())
    try:
        canonical = base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except ValueError:
        canonical = ""
    if text != canonical or not text:
        raise Refused(f"its signature has a {_bare(element.tag)} that is not base64 as it is written")


def certificate(root: Element) -> str:
    """Return the certificate in the signature of a document, in base64 without white space."""
    [found] = root[-1].iter(_signed("X509Certificate"))
    return "".join((found.text or "").split())


def _walk(element: Element, depth: int = 1) -> Iterator[tuple[int, Element]]:
    yield depth, element
    for child in element:
        yield from _walk(child, depth + 1)


def _signed(name: str) -> str:
    return f"{{{SIGNATURE}}}{name}"


def _bare(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return tag.rpartition("}")[2]
