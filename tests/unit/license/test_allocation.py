"""What an installation uses of its license, as its roles declare it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tandem_guard.license import Allocation

from tandem import model
from tandem.configuration.tree import Resolved
from tandem.errors import InputRefused
from tandem.license.allocation import all_used, allocation_of
from tests.unit.sample import BILLING_1, ROLES, WHOLE, write
from tests.unit.sample import load as sample

NOW = datetime(2026, 11, 26, tzinfo=UTC)
ENTITLEMENTS = """\
entitlements:
  days: cards.expiry.notify_days
  exempt: cards.expiry.exempt
  accounting: billing_engine.listen.accounting
  tenants: environments
  cluster: cluster
"""


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    """Return a copy of the roles, to be changed."""
    return Path(shutil.copytree(ROLES, tmp_path / "roles"))


def declare(roles: Path, entitlements: str) -> None:
    file = roles / "billing_engine/meta/application.yml"
    file.write_text(file.read_text() + entitlements)


def allocated(found: model.Model, number: int) -> Allocation:
    return allocation_of(
        found.installation.name, Resolved(found, None).tree({}, all_used(found)), number, NOW, found.installation.sites
    )


def test_where_and_as_what_instances_run(tmp_path: Path):
    found = allocated(sample(tmp_path), 12)
    assert (found.installation, found.number, found.made) == ("sample", 12, NOW)
    assert found.servers["Lambda"] == "198.18.8.12"
    assert found.sites == {"Alpha": "primary", "Beta": "primary", "Lambda": "secondary", "Omega": "primary"}
    engine = found.instances["billing-1"]
    assert (engine.server, engine.address, engine.kind) == ("Alpha", "198.18.1.11", "billing_engine")
    assert {use.kind for use in found.instances.values()} == {"billing_engine", "server"}


def test_what_the_sites_of_one_license_use(tmp_path: Path):
    tree = Resolved(sample(tmp_path), None).tree({}, {})
    found = allocation_of("sample", tree, 1, NOW, {"secondary"})
    assert (list(found.servers), list(found.instances)) == (["Lambda"], ["billing-3"])


def test_of_an_option_the_most_in_any_environment_is_used(tmp_path: Path, roles: Path):
    declare(roles, ENTITLEMENTS)
    files = {
        WHOLE: "environments: {pb: {cards: {expiry: {notify_days: 10}}}}\n",
        BILLING_1: "billing_engine: {listen: {accounting: false}}\n"
        "cards: {expiry: {exempt: [a]}}\nenvironments: {wholesale: {cards: {expiry: {exempt: [b, c]}}}}\n",
    }
    found = allocated(model.load(write(tmp_path / "inventory", files), roles), 1).instances
    around = {"tenants": 2, "cluster": True}
    assert found["billing-1"].options == {"days": 10, "exempt": 3, "accounting": False, **around}
    assert found["billing-2"].options == {"days": 10, "exempt": 0, "accounting": True, **around}
    assert found["billing-3"].options == {**found["billing-2"].options, "cluster": False}
    assert found["web-1"].options == {}


def test_what_a_license_cannot_limit_is_refused(tmp_path: Path, roles: Path):
    declare(
        roles,
        "entitlements:\n  log level: cards.expiry.notify_days\n  level: billing_engine.log.level\n"
        "  days: cards.expiry.notify_day\n  timeout: billing_engine.database.timeout\n",
    )
    options = roles / "billing_engine/meta/options.yml"
    options.write_text(options.read_text().replace("unit: s, minimum: 1, maximum", "unit: s, maximum"))
    with pytest.raises(InputRefused) as refused:
        model.load(write(tmp_path / "inventory", {}), roles)
    kinds = "is not an option of type integer, boolean, list"
    assert [str(problem).partition(": ")[2].partition("; ")[0] for problem in refused.value.problems] == [
        "entitlements.days: cards.expiry.notify_day " + kinds,
        "entitlements.level: billing_engine.log.level " + kinds,
        "entitlements.timeout: billing_engine.database.timeout has no minimum, so it can be negative",
        "entitlements: log level is no name for what a license limits: letters, digits, - and _",
    ]
