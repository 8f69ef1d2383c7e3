"""Licenses as a vendor and an operator handle them: what is printed, and with which exit status it ends."""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import stat
import time
from pathlib import Path

import pytest
from cryptography import x509
from tandem_guard.document import HEAD
from tandem_guard.form import LICENSING_NAME

from tandem.errors import Failed
from tandem.license.vendor import Vendor
from tandem.license.write import undated
from tests.unit.cli.test_verbs import good, project, tandem

__all__ = ["project"]  # a fixture

DESCRIPTION = """\
installation: sample
owner: Sample Ltd
serial: 1
expires: 2999-12-31
servers: 4
kinds: {billing_engine: 2}
"""
PINNED = ("--authority", "vendor/licenses-ca.pem")


@pytest.fixture
def licensed(project: Path) -> Path:
    """Return a project with a vendor and a license for it, which allows one billing engine server less than it has."""
    good(project, "license", "init-vendor", "Tandem Ltd")
    (project / "vendor/licenses/sample.yml").write_text(DESCRIPTION)
    good(project, "license", "request", "installation.key", "-o", "vendor/licenses/sample.csr")
    good(project, "license", "certify", "sample")
    good(project, "license", "issue")
    return project


def bad(directory: Path, *arguments: str, status: int = 1) -> str:
    run = tandem(directory, *arguments)
    assert (run.returncode, run.stdout) == (status, "")
    return run.stderr


def test_private_keys_are_their_owners_alone(licensed: Path) -> None:
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (licensed / "vendor").glob("*.key")}
    names = ("certification-ca", "licenses-ca", "servers-ca", "signer")
    assert found == {f"{name}.key": 0o600 for name in names}
    assert stat.S_IMODE((licensed / "installation.key").stat().st_mode) == 0o600


def test_a_vendors_keys_are_never_overwritten(licensed: Path) -> None:
    before = {path: path.read_bytes() for path in (licensed / "vendor").iterdir() if path.is_file()}
    message = bad(licensed, "license", "init-vendor", "Tandem Ltd")
    assert message == "vendor: is there already, and is not overwritten\n"
    assert before == {path: path.read_bytes() for path in before}


def test_a_license_is_verified(licensed: Path) -> None:
    said = good(licensed, "license", "verify", "vendor/licenses/sample.xml", *PINNED)
    assert said.startswith("vendor/licenses/sample.xml: good: for sample of Sample Ltd, serial 1, valid until 20")


def test_head_room_is_shown_with_what_is_in_the_way(licensed: Path) -> None:
    lines = good(licensed, "license", "show", "vendor/licenses/sample.xml", *PINNED).splitlines()
    assert [line.split() for line in lines[2:]] == [
        "limit used allowed left reached".split(),
        "servers 4 4 0".split(),
        "billing engine servers 3 2 -1".split(),
        "warning: servers: 4 of 4 (100 % reached)".split(),
        "warning: billing engine servers: 3 of 2, 1 too many".split(),
    ]
    found = json.loads(good(licensed, "license", "show", "vendor/licenses/sample.xml", *PINNED, "--json"))
    assert found[0]["limits"][1] == {
        "name": "billing_engine",
        "allowed": 2,
        "used": 3,
        "by": ["Alpha", "Beta", "Lambda"],
        "what": "billing engine servers",
        "switch": False,
        "reached": None,
    }


def test_a_license_that_was_changed_is_refused(licensed: Path) -> None:
    file = licensed / "vendor/licenses/sample.xml"
    file.write_text(file.read_text().replace('limit="2"', 'limit="9"'))
    said = bad(licensed, "license", "verify", "vendor/licenses/sample.xml", *PINNED, status=2)
    assert said.startswith("vendor/licenses/sample.xml: was changed after it had been signed\n")


def test_a_license_of_another_installation_is_not_shown_as_this_ones(licensed: Path) -> None:
    installation = licensed / "inventories/sample/installation.yml"
    installation.write_text(installation.read_text().replace("name: sample", "name: other"))
    said = bad(licensed, "license", "show", "vendor/licenses/sample.xml", *PINNED, status=2)
    assert said.startswith("vendor/licenses/sample.xml: is for installation sample; this one is other\n")


def test_a_key_that_others_can_read_is_not_used(licensed: Path) -> None:
    (licensed / "vendor/signer.key").chmod(0o640)
    said = bad(licensed, "license", "issue")
    assert "vendor/signer.key: others can read it (mode 0640)" in said
    assert "chmod 600 vendor/signer.key" in said


def test_the_request_of_another_installation_is_not_certified(licensed: Path) -> None:
    (licensed / "vendor/licenses/other.yml").write_text(DESCRIPTION.replace(": sample", ": other"))
    (licensed / "vendor/licenses/other.csr").write_bytes((licensed / "vendor/licenses/sample.csr").read_bytes())
    said = bad(licensed, "license", "certify", "other")
    assert said == "vendor/licenses/other.csr: is the request of sample; the license is for other\n"


def test_everything_that_is_wrong_with_a_description_is_said_at_once(licensed: Path) -> None:
    (licensed / "vendor/licenses/sample.yml").write_text(
        "installation: sample\nowner: Sample\nserial: one\nexpires: 31.12.2999\nservers: 4\nkind: {}\n"
        "bundled: {clustered_database: billing_engine}\n"
    )
    said = bad(licensed, "license", "issue")
    assert 'vendor/licenses/sample.yml:3: serial: "one" is not a whole number' in said
    assert 'vendor/licenses/sample.yml:4: expires: "31.12.2999" is not a day such as 2027-11-30' in said
    assert "vendor/licenses/sample.yml:6: kind is not known here; did you mean kinds?" in said
    (licensed / "vendor/licenses/sample.yml").write_text(
        DESCRIPTION.replace("Sample Ltd", '"a\\x01b"').replace("{billing_engine: 2}", "{spi: 2}")
        + "bundled: {clustered_database: billing_engine}\napplications: {web: {pages: many, size: -1}, dns: {}}\n"
    )
    said = bad(licensed, "license", "issue")
    assert "sample.yml:2: owner: " in said
    assert "is not a name that can be printed" in said
    assert said.count("is neither true nor false, nor a whole number from 0 on") == 2
    assert "sample.yml:6: kinds" in said


def test_a_license_never_goes_back_to_an_older_serial(licensed: Path) -> None:
    (licensed / "vendor/licenses/sample.yml").write_text(DESCRIPTION.replace("serial: 1", "serial: 0"))
    assert bad(licensed, "license", "issue").startswith("sample: serial 0 is less than 1, which is published already")


def test_a_license_says_when_it_was_issued_and_since_when_it_is_good(licensed: Path) -> None:
    def issued() -> list[str]:
        text = (licensed / "vendor/licenses/sample.xml").read_text()
        return re.findall(r' (?:issued|from)="([^"]+)"', text)

    first = issued()
    time.sleep(1.1)
    good(licensed, "license", "issue")
    assert issued()[0] == first[0]
    assert issued()[1] > first[1]


def test_what_no_installation_would_believe_is_not_published(licensed: Path) -> None:
    home = licensed / "vendor"
    before = (home / "licenses/sample.xml").read_bytes()
    (home / "signer.pem").write_bytes((home / "certification-ca.pem").read_bytes())
    said = bad(licensed, "license", "issue")
    assert said.startswith("sample: the license ")
    assert "renew-signer" in said
    assert (home / "licenses/sample.xml").read_bytes() == before


def test_a_signer_is_certified_anew(licensed: Path) -> None:
    before = (licensed / "vendor/signer.pem").read_bytes()
    assert good(licensed, "license", "renew-signer").startswith("vendor/signer.pem: certified until 20")
    assert (licensed / "vendor/signer.pem").read_bytes() != before
    good(licensed, "license", "issue")


@pytest.mark.parametrize("other", ["certification-ca.pem", "signer.pem"])
def test_only_the_certificate_of_the_installations_key_gets_into_a_license(licensed: Path, other: str) -> None:
    home = licensed / "vendor"
    (home / "licenses/sample.pem").write_bytes((home / other).read_bytes())
    assert "vendor/licenses/sample.pem: is the certificate of " in bad(licensed, "license", "issue")


def test_only_an_authority_can_be_pinned(licensed: Path) -> None:
    said = bad(licensed, "license", "verify", "vendor/licenses/sample.xml", "--authority", "vendor/signer.pem")
    assert said.startswith("vendor/signer.pem: is not the certificate of an authority")
    said = bad(licensed, "license", "verify", "vendor/licenses/sample.xml", "--authority", "vendor")
    assert said == "vendor: cannot be read: Is a directory\n"


def test_a_request_overwrites_nothing(licensed: Path) -> None:
    before = (licensed / "installation.key").read_bytes()
    said = bad(licensed, "license", "request", "installation.key", "-o", "installation.key")
    assert said == "installation.key: is there already, and is not overwritten\n"
    assert (licensed / "installation.key").read_bytes() == before


def test_a_vendor_is_made_as_a_whole_or_not_at_all(project: Path) -> None:
    assert bad(project, "license", "init-vendor", "x" * 60).startswith("a vendor's name has 1 to ")
    (project / "long").write_text("x" * 2000)
    (project / "long").chmod(0o600)
    said = bad(project, "license", "init-vendor", "Tandem Ltd", "--passphrase-file", "long")
    assert said.startswith("the passphrase cannot be used: ")
    assert not (project / "vendor").exists()
    good(project, "license", "init-vendor", "Tandem Ltd")


def test_an_expired_license_is_not_issued_again(licensed: Path) -> None:
    (licensed / "vendor/licenses/sample.yml").write_text(DESCRIPTION.replace("2999-12-31", "2026-01-01"))
    assert bad(licensed, "license", "issue").startswith("sample: has expired on 2026-01-01; change `expires`")


def test_a_passphrase_protects_the_keys_of_authorities(project: Path) -> None:
    secret = project / "passphrase"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    good(project, "license", "init-vendor", "Tandem Ltd", "--passphrase-file", "passphrase")
    assert "ENCRYPTED" in (project / "vendor/licenses-ca.key").read_text()
    (project / "vendor/licenses/sample.yml").write_text(DESCRIPTION)
    good(project, "license", "request", "installation.key", "-o", "vendor/licenses/sample.csr")
    said = bad(project, "license", "certify", "sample")
    assert said == "vendor/certification-ca.key: has a passphrase; give it with --passphrase-file\n"
    wrong = project / "wrong"
    wrong.write_text("battery staple\n")
    wrong.chmod(0o600)
    said = bad(project, "license", "certify", "sample", "--passphrase-file", "wrong")
    assert said == "vendor/certification-ca.key: the passphrase is wrong, or it is no private key\n"
    good(project, "license", "certify", "sample", "--passphrase-file", "passphrase")
    good(project, "license", "issue")


def test_a_licensing_server_is_certified_by_an_authority_of_its_own(licensed: Path) -> None:
    """Over TLS, whoever trusts that authority alone believes it, and none of those that others have certified."""
    home = licensed / "vendor"
    said = good(licensed, "license", "certify-server", "rigel.pem")
    assert said.startswith("rigel.pem: good until 20")
    assert said.endswith(", with the key in rigel.key\n")
    assert stat.S_IMODE((licensed / "rigel.key").stat().st_mode) == 0o600
    asking = ssl.create_default_context(cafile=str(home / "servers-ca.pem"))
    shake(asking, licensed / "rigel.pem", licensed / "rigel.key")
    for certificate, key in (("signer.pem", "signer.key"), ("licenses/sample.pem", "../installation.key")):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(asking, home / certificate, home / key)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake(asking, licensed / "rigel.pem", licensed / "rigel.key", "198.18.17.11")
    for other in ("licenses-ca", "certification-ca"):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(
                ssl.create_default_context(cafile=str(home / f"{other}.pem")),
                licensed / "rigel.pem",
                licensed / "rigel.key",
            )


def shake(asking: ssl.SSLContext, certificate: Path, key: Path, name: str = LICENSING_NAME) -> None:
    """Let who asks and a server with a certificate begin to speak TLS, without a network."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, server = asking.wrap_bio(back, there, server_hostname=name), serving.wrap_bio(there, back, server_side=True)
    for side in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()


def test_a_licensing_servers_key_overwrites_nothing(licensed: Path) -> None:
    (licensed / "rigel.pem").write_text("mine")
    said = bad(licensed, "license", "certify-server", "rigel.pem")
    assert said == "rigel.pem: is there already, and is not overwritten\n"
    assert not (licensed / "rigel.key").exists()
    (licensed / "vega.key").write_text("mine")
    said = bad(licensed, "license", "certify-server", "vega.pem")
    assert said == "vega.key: is there already, and is not overwritten\n"
    assert not (licensed / "vega.pem").exists()
    assert (licensed / "vega.key").read_text() == "mine"


def test_what_a_server_is_to_sign_says_everything_but_when_it_is_good(licensed: Path) -> None:
    text = undated(Vendor(licensed / "vendor").said("sample"))
    assert text.startswith(HEAD.decode() + '<License xmlns="urn:tandem:license" installation="sample" ')
    assert (' from="' in text, ' until="' in text, "<Signature" in text) == (False, False, False)
    seeds = {re.findall("<Seed>(.*)</Seed>", undated(Vendor(licensed / "vendor").said("sample")))[0] for _ in "ab"}
    assert len(seeds) == 2, "each time it is published it is another document"


def test_what_cannot_be_issued_is_not_published_either(licensed: Path) -> None:
    vendor = Vendor(licensed / "vendor")
    (licensed / "vendor/licenses/sample.yml").write_text(DESCRIPTION.replace("serial: 1", "serial: 0"))
    with pytest.raises(Failed, match="serial 0 is less than 1, which is published already"):
        vendor.said("sample")
    (licensed / "vendor/licenses/sample.yml").write_text(DESCRIPTION.replace("2999-12-31", "2026-01-01"))
    with pytest.raises(Failed, match="has expired on 2026-01-01"):
        vendor.said("sample")


def test_licenses_are_published_by_the_vendors_own_installation_only(licensed: Path) -> None:
    said = bad(licensed, "license", "publish")
    assert said == "this installation has no license_signer; name the inventory of the vendor's own with -i\n"


def test_the_example_vendor_licenses_the_example_installation(root: Path) -> None:
    """Everything it takes is there but the keys, which are secrets of their owners."""
    vendor = Vendor(root / "inventories/vendor/vendor")
    said = vendor.said("example")
    assert (said.installation, said.servers, dict(said.kinds)) == ("example", 8, {"billing_engine": 3, "sip": 0})
    assert list((root / "inventories/vendor/vendor").glob("**/*.key")) == []
    for name in ("licenses-ca", "certification-ca", "servers-ca", "signer"):
        found = x509.load_pem_x509_certificate((vendor.directory / f"{name}.pem").read_bytes())
        assert found.not_valid_after_utc > said.expires
