"""Sign licenses and allocations with xmlsec1, which is all that a server has for it."""

from __future__ import annotations

import contextlib

from .document import EXCLUSIVE, HEAD, SIGNATURE, Refused
from .xmlsec import run, unnamed

_TEMPLATE = f"""\
<Signature xmlns="{SIGNATURE}"><SignedInfo>\
<CanonicalizationMethod Algorithm="{EXCLUSIVE}"/>\
<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"/>\
<Reference URI=""><Transforms>\
<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>\
<Transform Algorithm="{EXCLUSIVE}"/></Transforms>\
<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><DigestValue/></Reference>\
</SignedInfo><SignatureValue/>"""
_KEY = "<KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo>"


def signed(document: str, key: bytes, certificate: bytes | None) -> bytes:
    """Return a document, which ends with its root's end tag, with its signature as its last element.

    `key` is a private key in PEM without a passphrase; `certificate` is that of the key in PEM, where it has to come
    along. Raise Refused where xmlsec1 cannot sign with it.
    """
    head, tag, end = document.rstrip().rpartition("</")
    template = f"{head}{_TEMPLATE}{_KEY if certificate else ''}</Signature>{tag}{end}\n"
    with contextlib.ExitStack() as files:
        fds = [files.enter_context(unnamed(data)) for data in (key, certificate) if data]
        text = files.enter_context(unnamed(template.encode()))
        said = run(["--sign", "--privkey-pem", ",".join(f"/proc/self/fd/{fd}" for fd in fds)], [*fds, text])
    if said.returncode:
        raise Refused("cannot be signed: the key, or its certificate, is none that xmlsec1 can sign with")
    if not said.stdout.startswith(HEAD):
        raise Refused("cannot be signed: xmlsec1 has returned something else")
    return said.stdout
