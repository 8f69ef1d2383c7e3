"""Certificates follow from a secret and a name: the same bytes each time, and each good for one purpose only."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from tandem.render.identities import SERVING_NAME, authority, identity, serving

SECRET = "a secret of the tests: 32 characters or more"
OTHER = "another secret of the tests, as long as that"


def certificate(pem: str) -> str:
    return "-----BEGIN CERTIFICATE-----" + pem.partition("-----BEGIN CERTIFICATE-----")[2]


def verify(directory: Path, trusted: str, pem: str, purpose: str, *words: str) -> str:
    """Let openssl judge a certificate; return what it said, `OK` where it is good for a purpose."""
    (directory / "authority.pem").write_text(trusted)
    (directory / "certificate.pem").write_text(certificate(pem))
    argv = ["openssl", "verify", "-x509_strict", "-CAfile", "authority.pem", "-purpose", purpose, *words]
    done = subprocess.run(
        [*argv, "certificate.pem"], cwd=directory, capture_output=True, text=True, check=False, timeout=60
    )
    return "OK" if done.returncode == 0 else done.stdout + done.stderr


def test_the_bytes_depend_on_secret_installation_and_name_alone() -> None:
    made = "".join((authority(SECRET, "one"), identity(SECRET, "one", "Alpha"), serving(SECRET, "one")))
    # written down: what was derived once must be derived for ever, or servers that are away are locked out
    assert (
        hashlib.sha256(made.encode()).hexdigest() == "6eab365a827f374681a8f0257696f6ee824f53f1bfa70fe4c678d62afd51a895"
    )


def test_each_name_installation_and_secret_has_its_own_key() -> None:
    made = [
        identity(SECRET, "one", "Alpha"),
        identity(SECRET, "one", "Beta"),
        identity(SECRET, "two", "Alpha"),
        identity(OTHER, "one", "Alpha"),
        serving(SECRET, "one"),
        identity(SECRET, "one", SERVING_NAME),
    ]
    assert len({pem.partition("-----END")[0] for pem in made}) == len(made)
    assert len({authority(SECRET, "one"), authority(SECRET, "two"), authority(OTHER, "one")}) == 3


def test_each_certificate_serves_one_purpose(tmp_path: Path) -> None:
    trusted = authority(SECRET, "one")
    client, server = identity(SECRET, "one", "Alpha"), serving(SECRET, "one")
    assert verify(tmp_path, trusted, client, "sslclient") == "OK"
    assert verify(tmp_path, trusted, server, "sslserver", "-verify_hostname", SERVING_NAME) == "OK"
    assert "purpose" in verify(tmp_path, trusted, client, "sslserver")
    assert "purpose" in verify(tmp_path, trusted, server, "sslclient")
    assert "ostname mismatch" in verify(tmp_path, trusted, server, "sslserver", "-verify_hostname", "Alpha")


def test_no_other_authority_and_no_clock_interferes(tmp_path: Path) -> None:
    client = identity(SECRET, "one", "Alpha")
    assert verify(tmp_path, authority(OTHER, "one"), client, "sslclient") != "OK"
    assert verify(tmp_path, authority(SECRET, "two"), client, "sslclient") != "OK"
    for moment in ("1600000000", "9000000000"):
        assert verify(tmp_path, authority(SECRET, "one"), client, "sslclient", "-attime", moment) == "OK"


@pytest.mark.parametrize("made", [authority("", "one"), identity("", "one", "Alpha"), serving("", "one")])
def test_without_a_secret_there_is_nothing(made: str) -> None:
    assert made == ""


def test_long_names_fit(tmp_path: Path) -> None:
    installation, server = "i" * 63, "s" * 63
    client = identity(SECRET, installation, server)
    assert verify(tmp_path, authority(SECRET, installation), client, "sslclient") == "OK"
