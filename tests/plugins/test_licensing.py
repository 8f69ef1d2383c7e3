"""What is licensed and what is not, where the sites of an installation have licenses of their own."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tandem.ansible.licensing import Needed, NotLicensed, Terms, check
from tandem.configuration.tree import Resolved
from tandem.license import keys, signature
from tandem.license.allocation import all_used
from tandem.license.write import license_element
from tests.license.vendor import Signed, made
from tests.unit.sample import load

Json = dict[str, Any]
NAMES = {"Alpha": "sample", "Beta": "sample", "Omega": "sample", "Lambda": "own"}
NEEDED = [Needed("own", frozenset({"secondary"}), own=True), Needed("sample", frozenset({"primary"}))]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return made(tmp_path_factory.mktemp("vendor"), "sample")


class Store:
    """A configuration server that has these licenses."""

    def __init__(self, signed: Signed, **licenses: Mapping[str, object] | None) -> None:
        self._signed = signed
        self._licenses = licenses

    def ask(self, do: str, *, names: list[str], **_: object) -> Json:
        assert (do, names) == ("licenses", ["own", "sample"])
        return {name: self._answer(self._licenses[name]) for name in names}

    def _answer(self, changed: Mapping[str, object] | None) -> Json:
        if changed is None:
            return {"problems": ["nobody answers"]}
        directory = self._signed.vendor.directory
        said = license_element(replace(self._signed.said, **changed))  # type: ignore[arg-type]
        certified = keys.certificate_in(directory / "signer.pem")
        data = signature.sign(said, keys.load(directory / "signer.key"), certified)
        return {"license": base64.b64encode(data).decode(), "problems": [], "before": None}


def checked(
    signed: Signed, directory: Path, *, plan: bool = False, **licenses: Mapping[str, object] | None
) -> list[Json]:
    model = load(directory)
    tree = Resolved(model, None).tree({}, all_used(model))
    content = SimpleNamespace(installation="sample", tree=lambda: tree)
    terms = Terms({"authority": signed.authority.decode()}, "key", NEEDED, NAMES)
    return check(Store(signed, **licenses), terms, content, plan=plan)  # type: ignore[arg-type]


def test_each_counts_what_is_on_its_sites(signed: Signed, tmp_path: Path):
    own, whole = checked(signed, tmp_path, own={"site": "secondary", "servers": 1}, sample={})
    assert (own["license"], whole["license"]) == ("license own", "license sample")
    assert own["room"][:2] == ["servers: 1 of 1", "billing engine servers: 1 of 3"]
    assert whole["room"][:2] == ["servers: 3 of 10", "billing engine servers: 2 of 3"]


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({}, "the license own is for the whole installation; site secondary needs one of its own"),
        ({"site": "third"}, "the license own is for site third alone, and not for secondary"),
        ({"site": "secondary", "installation": "other"}, "the license own is for other; this installation is sample"),
        (
            {"site": "secondary", "kinds": {}},
            "not licensed by the license own: billing engine servers: 1 of 0, 1 too many (Lambda)",
        ),
        (None, "There is no license own to apply by."),
    ],
)
def test_what_is_not_licensed(signed: Signed, tmp_path: Path, own: Mapping[str, object] | None, reason: str):
    with pytest.raises(NotLicensed) as refused:
        checked(signed, tmp_path, own=own, sample={})
    assert reason in str(refused.value).splitlines()
    facts = refused.value.facts["licenses"]
    assert isinstance(facts, list)
    assert [each["license"] for each in facts] == ["license own", "license sample"]
    assert facts[0]["warnings"], "who looks at these alone must see that something is wrong"


def test_a_license_of_one_site_is_not_that_of_the_installation(signed: Signed, tmp_path: Path):
    with pytest.raises(NotLicensed, match="the license sample is for site secondary alone, and not for primary"):
        checked(signed, tmp_path, own={"site": "secondary"}, sample={"site": "secondary"})


def test_a_plan_is_warned_where_there_is_no_license(signed: Signed, tmp_path: Path):
    own, _ = checked(signed, tmp_path, plan=True, own=None, sample={})
    assert own["warnings"] == ["nobody answers", "there is no license own, so this cannot be applied"]
