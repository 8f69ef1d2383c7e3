"""Licenses as a vendor and an operator handle them: what is printed, and with which exit status it ends."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

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
    assert found == {"certification-ca.key": 0o600, "licenses-ca.key": 0o600, "signer.key": 0o600}
    assert stat.S_IMODE((licensed / "installation.key").stat().st_mode) == 0o600


def test_a_vendors_keys_are_never_overwritten(licensed: Path) -> None:
    before = {path: path.read_bytes() for path in (licensed / "vendor").iterdir() if path.is_file()}
    message = bad(licensed, "license", "init-vendor", "Tandem Ltd")
    assert message.startswith("vendor: there are keys already (licenses-ca.key")
    assert before == {path: path.read_bytes() for path in before}


def test_a_license_is_verified(licensed: Path) -> None:
    said = good(licensed, "license", "verify", "vendor/licenses/sample.xml", *PINNED)
    assert said.startswith("vendor/licenses/sample.xml: good: for sample of Sample Ltd, serial 1, valid until 20")


def test_head_room_is_shown_with_what_is_in_the_way(licensed: Path) -> None:
    lines = good(licensed, "license", "show", "vendor/licenses/sample.xml", *PINNED).splitlines()
    assert [line.split() for line in lines[2:]] == [
        "limit used allowed left".split(),
        "servers 4 4 0".split(),
        "billing engine servers 3 2 -1".split(),
        "warning: servers: 4 of 4 (100 % reached)".split(),
        "warning: billing engine servers: 3 of 2, 1 too many".split(),
    ]
    found = json.loads(good(licensed, "license", "show", "vendor/licenses/sample.xml", *PINNED, "--json"))
    assert found["limits"][1] == {
        "what": "billing engine servers",
        "allowed": 2,
        "used": 3,
        "by": ["Alpha", "Beta", "Lambda"],
    }


def test_a_license_that_was_changed_is_refused(licensed: Path) -> None:
    file = licensed / "vendor/licenses/sample.xml"
    file.write_text(file.read_text().replace('limit="2"', 'limit="9"'))
    said = bad(licensed, "license", "verify", "vendor/licenses/sample.xml", *PINNED, status=2)
    assert said.startswith("vendor/licenses/sample.xml: was changed after it had been signed\n")


def test_a_license_of_another_installation_is_not_shown_as_this_ones(licensed: Path) -> None:
    description = licensed / "vendor/licenses/sample.yml"
    description.write_text(DESCRIPTION.replace("installation: sample", "installation: other"))
    good(licensed, "license", "issue")
    said = bad(licensed, "license", "show", "vendor/licenses/sample.xml", *PINNED, status=2)
    assert said.startswith("vendor/licenses/sample.xml: is for installation other; this one is sample\n")


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
