"""Sign licenses every night on the vendor's configuration server, with the xmlsec1 that servers have."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tandem_guard import xmlsec
from tandem_guard.document import Refused
from tandem_server import licensing
from tandem_server.failure import Failure

from tandem.license import keys, vendor
from tandem.license.signature import license_in
from tandem.license.write import undated
from tests.license.vendor import DESCRIPTION, made


class Night:
    """A vendor's configuration server: keys, what licenses shall say, and those that are signed."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vendor = made(directory).vendor
        self.place = directory / "licensing"
        self.place.mkdir()
        monkeypatch.setattr(licensing, "SIGNED", str(self.place))
        for name, file in (("KEY", "signer.key"), ("CERTIFICATE", "signer.pem"), ("AUTHORITY", "licenses-ca.pem")):
            monkeypatch.setattr(licensing, name, str(self.vendor.directory / file))

    def describe(self, text: str) -> None:
        """Have the license say something else, and publish it."""
        (self.vendor.directory / "licenses/one.yml").write_text(text)
        (self.place / "one.wanted").write_text(undated(self.vendor.said("one")))

    @property
    def signed(self) -> bytes:
        return (self.place / "one.xml").read_bytes()

    @property
    def authority(self) -> bytes:
        return keys.pinned_in(self.vendor.directory / "licenses-ca.pem")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    found = Night(tmp_path, monkeypatch)
    found.describe(DESCRIPTION)
    return found


def test_what_is_signed_at_night_is_believed_by_both_for_eight_days(
    night: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    licensing.sign()
    now = datetime.now(UTC)
    found = license_in(night.signed, night.authority, now)
    assert found == xmlsec.license_in(night.signed, night.authority)
    assert (found.owner, found.serial, found.servers) == ("Example & Söhne <Telecom>", 7, 10)
    assert timedelta(0) <= now - found.valid_from < timedelta(minutes=1)
    assert found.valid_until - found.valid_from == licensing.DOWNLOAD
    assert capsys.readouterr().out.startswith("one: signed, good until ")
    assert night.vendor.keep("one", night.signed) == found


def test_the_next_night_says_the_same_from_later_on(night: Night) -> None:
    licensing.sign()
    first = xmlsec.license_in(night.signed, night.authority)
    os.utime(night.place / "one.xml", (0, 0))
    licensing.sign()
    second = xmlsec.license_in(night.signed, night.authority)
    assert second.seed == first.seed
    assert second.order >= first.order
    assert (night.place / "one.xml").stat().st_mtime > 0


def test_a_license_is_good_no_longer_than_until_it_expires(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    day = datetime.now(UTC).date() + timedelta(days=3)
    night.describe(DESCRIPTION.replace("2999-12-31", f"{day:%F}"))
    licensing.sign()
    found = xmlsec.license_in(night.signed, night.authority)
    assert found.valid_until == found.expires == datetime(day.year, day.month, day.day, tzinfo=UTC)
    before = night.signed
    wanted = night.place / "one.wanted"
    wanted.write_text(wanted.read_text().replace(f'expires="{day:%F}', 'expires="2020-01-01'))
    licensing.sign()
    assert "one: has expired on 2020-01-01, and is not signed any more\n" in capsys.readouterr().out
    assert night.signed == before


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "is not what a license says"),
        (b"\xff", "is not what a license says"),
        (b"<License/>", "is not what a license says"),
        (b'<Other expires="2999-12-31T00:00:00Z"></Other>', "cannot be signed"),
    ],
)
def test_a_bad_one_keeps_no_other_from_being_signed(
    night: Night, capsys: pytest.CaptureFixture[str], bad: bytes, reason: str
) -> None:
    (night.place / "bad.wanted").write_bytes(bad)
    with pytest.raises(Failure, match="1 could not be signed; the others are"):
        licensing.sign()
    assert reason in capsys.readouterr().err
    assert xmlsec.license_in(night.signed, night.authority).serial == 7
    assert not (night.place / "bad.xml").exists()


def test_a_license_never_goes_back_to_an_older_serial(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    licensing.sign()
    before = night.signed
    night.describe(DESCRIPTION.replace("serial: 7", "serial: 8"))
    (night.vendor.directory / "licenses/one.xml").unlink()
    licensing.sign()
    night.describe(DESCRIPTION)
    with pytest.raises(Failure):
        licensing.sign()
    assert "one: serial 7 is less than 8, which is published already" in capsys.readouterr().err
    assert xmlsec.license_in(night.signed, night.authority).serial == 8
    assert before != night.signed


@pytest.mark.parametrize("authority", ["certification-ca", "servers-ca"])
def test_no_other_authority_signs_a_license(night: Night, authority: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be signed with it is not believed, and so not published."""
    monkeypatch.setattr(licensing, "KEY", str(night.vendor.directory / f"{authority}.key"))
    monkeypatch.setattr(licensing, "CERTIFICATE", str(night.vendor.directory / f"{authority}.pem"))
    with pytest.raises(Failure):
        licensing.sign()
    assert not (night.place / "one.xml").exists()


def test_the_key_of_a_licensing_server_signs_no_license(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    server = night.place / "server.pem"
    night.vendor.certify_server(server, None)
    monkeypatch.setattr(licensing, "KEY", str(server.with_suffix(".key")))
    monkeypatch.setattr(licensing, "CERTIFICATE", str(server))
    with pytest.raises(Failure):
        licensing.sign()
    assert not (night.place / "one.xml").exists()


def test_the_end_of_the_signers_certificate_is_told_before_it_hurts(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All licenses are still signed."""
    monkeypatch.setattr(vendor, "SIGNER_DAYS", 13)
    night.vendor.renew_signer(None)
    with pytest.raises(Failure, match="ends within 14 days: `tandem license renew-signer`"):
        licensing.sign()
    assert xmlsec.license_in(night.signed, night.authority).serial == 7
    monkeypatch.setattr(vendor, "SIGNER_DAYS", 15)
    night.vendor.renew_signer(None)
    licensing.sign()


def test_what_was_changed_on_its_way_back_is_not_kept(night: Night) -> None:
    licensing.sign()
    kept = (night.vendor.directory / "licenses/one.xml").read_bytes()
    with pytest.raises(Exception, match="one: was signed, but the license was changed after it had been signed"):
        night.vendor.keep("one", night.signed.replace(b'limit="10"', b'limit="99"'))
    assert (night.vendor.directory / "licenses/one.xml").read_bytes() == kept
    with pytest.raises(Refused):
        xmlsec.license_in(night.signed.replace(b'limit="10"', b'limit="99"'), night.authority)
