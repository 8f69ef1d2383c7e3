"""Write licenses and allocations as XML, without a signature yet."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime

from lxml import etree
from tandem_guard.document import ALLOCATION, HEAD, LICENSE
from tandem_guard.license import MOMENT, Allocation, Entitlement, License


def license_element(license_: License) -> etree._Element:
    """Return a license as XML."""
    root = etree.Element(f"{{{LICENSE}}}License", nsmap=_default(LICENSE))
    root.set("installation", license_.installation)
    if license_.site is not None:
        root.set("site", license_.site)
    root.set("owner", license_.owner)
    root.set("serial", str(license_.serial))
    for name, moment in (
        ("issued", license_.issued),
        ("expires", license_.expires),
        ("from", license_.valid_from),
        ("until", license_.valid_until),
    ):
        root.set(name, _moment(moment))
    _inside(root, "Servers", limit=str(license_.servers))
    for kind, limit in sorted(license_.kinds.items()):
        _inside(root, "Kind", name=kind, limit=str(limit))
    for kind, other in sorted(license_.bundled.items()):
        _inside(root, "Kind", name=kind, **{"as": other})
    for application, options in sorted(license_.entitlements.items()):
        _options(_inside(root, "Application", name=application), options)
    _inside(root, "Certificate").text = base64.b64encode(license_.certificate).decode()
    _inside(root, "Seed").text = license_.seed
    return root


def undated(license_: License) -> str:
    """Return a license as XML that does not say from when until when it is good: a server that signs it adds that."""
    element = license_element(license_)
    for name in ("from", "until"):
        del element.attrib[name]
    return text(element)


def text(root: etree._Element) -> str:
    """Return a document as it is written into a file."""
    return HEAD.decode() + etree.tostring(root, encoding="unicode") + "\n"


def allocation_element(allocation: Allocation) -> etree._Element:
    """Return an allocation as XML: servers and instances in order of name."""
    root = etree.Element(f"{{{ALLOCATION}}}Allocation", nsmap=_default(ALLOCATION))
    root.set("installation", allocation.installation)
    root.set("number", str(allocation.number))
    root.set("made", _moment(allocation.made))
    for server, address in sorted(allocation.servers.items()):
        element = _inside(root, "Server", name=server, address=address, site=allocation.sites[server])
        for name, use in sorted(allocation.instances.items()):
            if use.server == server:
                said = {"application": use.application, "kind": use.kind, "address": use.address}
                _options(_inside(element, "Instance", name=name, **said), use.options)
    return root


def _options(element: etree._Element, options: Mapping[str, Entitlement]) -> None:
    for name, value in sorted(options.items()):
        _inside(element, "Option", name=name, value=("no", "yes")[value] if isinstance(value, bool) else str(value))


def _inside(parent: etree._Element, tag: str, /, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, f"{parent.tag.partition('}')[0]}}}{tag}")
    for key, value in attributes.items():
        element.set(key, value)
    return element


def _moment(moment: datetime) -> str:
    return moment.strftime(MOMENT)


def _default(namespace: str) -> dict[str, str]:
    """Return what makes a namespace that of elements without a prefix; the stubs of lxml do not know of it."""
    return {None: namespace}  # type: ignore[dict-item]
