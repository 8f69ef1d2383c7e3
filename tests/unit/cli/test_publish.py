"""Publish licenses: what the vendor's installation is given to sign, and what is said and kept of what comes back."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from lxml import etree
from tandem_guard.license import MOMENT

from tandem.cli import license as verb
from tandem.cli._playbook import Stopped
from tandem.errors import Failed
from tandem.license import keys
from tandem.license.signature import sign
from tandem.license.vendor import Vendor

DESCRIPTION = """\
installation: {name}
owner: Sample Ltd
serial: 1
expires: 2999-12-31
servers: 4
"""


class Place:
    """A vendor with two licenses, and an installation of his own that signs as a playbook on it would."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.vendor = Vendor(directory / "vendor")
        self.vendor.create("Tandem Ltd", None)
        self.licenses = self.vendor.directory / "licenses"
        for name in ("one", "two"):
            self.describe(name)
            (self.licenses / f"{name}.csr").write_bytes(keys.request(name, keys.made()[0]))
            self.vendor.certify(name, None)
        self.given: list[dict[str, str]] = []
        self.play: Callable[[dict[str, str]], dict[str, Any]] = self.signed
        monkeypatch.setattr(verb, "play", self._play)

    def describe(self, name: str, old: str = "", new: str = "") -> None:
        (self.licenses / f"{name}.yml").write_text(DESCRIPTION.format(name=name).replace(old, new))

    def _play(self, playbook: str, _inventory: str, variables: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
        assert (playbook, quiet) == ("publish", True)
        self.given.append(variables["licenses"])
        return self.play(variables["licenses"])

    def signed(self, licenses: dict[str, str]) -> dict[str, Any]:
        """Sign licenses, and return them as the playbook does."""
        now = datetime.now(UTC)
        found = []
        for name, text in licenses.items():
            root = etree.fromstring(text.encode())
            root.set("from", now.strftime(MOMENT))
            root.set("until", (now + timedelta(days=8)).strftime(MOMENT))
            key = keys.load(self.vendor.directory / "signer.key")
            data = sign(root, key, keys.certificate_in(self.vendor.directory / "signer.pem"))
            found.append({"item": name, "content": base64.b64encode(data).decode()})
        return {"ansible.builtin.slurp": found}

    def publish(self, *names: str) -> Result:
        inventory = str(Path(__file__).parents[3] / "inventories/vendor")
        words = ["publish", *names, "--vendor", str(self.vendor.directory), "-i", inventory]
        return CliRunner().invoke(verb.command, words)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_all_that_are_described_are_signed_and_kept(place: Place) -> None:
    done = place.publish()
    assert done.exception is None
    day = datetime.now(UTC) + timedelta(days=8)
    lines = done.output.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["one", "two"]
    assert lines[0].startswith(f"one: serial 1, valid until {day:%F} ")
    assert lines[0].endswith("; the licensing servers have it within a minute")
    assert [list(given) for given in place.given] == [["one", "two"]]
    assert {path.name for path in place.licenses.glob("*.xml")} == {"one.xml", "two.xml"}


def test_one_that_is_refused_keeps_no_other_from_being_published(place: Place) -> None:
    place.publish()
    place.describe("one", "serial: 1", "serial: 0")
    done = place.publish()
    assert isinstance(done.exception, Failed)
    assert str(done.exception).startswith("one: serial 0 is less than 1, which is published already")
    assert done.output.startswith("two: serial 1, valid until ")
    assert [list(given) for given in place.given] == [["one", "two"], ["two"]]


def test_what_could_not_be_signed_is_not_said_to_be_published(place: Place) -> None:
    place.publish()
    older = place.signed(place.given[0])["ansible.builtin.slurp"][0]

    def stop(licenses: dict[str, str]) -> dict[str, Any]:
        """Sign only the second: of the first the last that was published comes back."""
        second = place.signed({"two": licenses["two"]})["ansible.builtin.slurp"]
        raise Stopped("one: is not what a license says", 1, {"ansible.builtin.slurp": [older, *second]})

    place.play = stop
    done = place.publish()
    assert str(done.exception) == "one: is not what a license says"
    assert [line.partition(":")[0] for line in done.output.splitlines()] == ["two"]


def test_what_nobody_would_believe_is_not_kept(place: Place) -> None:
    place.publish("one")
    before = (place.licenses / "one.xml").read_bytes()

    def forge(licenses: dict[str, str]) -> dict[str, Any]:
        results = place.signed(licenses)
        [found] = results["ansible.builtin.slurp"]
        data = base64.b64decode(found["content"]).replace(b'limit="4"', b'limit="9"')
        found["content"] = base64.b64encode(data).decode()
        return results

    place.play = forge
    done = place.publish("one")
    assert str(done.exception) == "one: was signed, but the license was changed after it had been signed"
    assert done.output == ""
    assert (place.licenses / "one.xml").read_bytes() == before
