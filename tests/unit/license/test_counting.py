"""The counts of spec 02: what a license of a size lets run, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tandem_guard.counting import exceeded, limits, servers_by_kind
from tandem_guard.license import Allocation, License, Use

NOW = datetime(2026, 11, 26, tzinfo=UTC)
KINDS = {
    "billing_engine": "billing_engine",
    "database": "server",
    "web": "server",
    "configuration_server": "server",
    "sip_dispatching_node": "sip",
    "sip_processing_node": "sip",
    "rtp_proxy": "sip",
    "licensing_server": "none",
    "database_cluster": "clustered_database",
}
EIGHT = [
    ("Alpha", "billing_engine"),
    ("Beta", "billing_engine"),
    ("Beta", "database"),
    ("Gamma", "web"),
    ("Epsilon", "web"),
    ("Epsilon", "database"),
    ("Zita", "sip_dispatching_node"),
    ("Iota", "sip_processing_node"),
    ("Sigma", "sip_processing_node"),
    ("Omega", "configuration_server"),
]


def allocation(runs: list[tuple[str, str]], **options: int) -> Allocation:
    instances = {
        f"instance-{number}": Use(f"instance-{number}", application, KINDS[application], "198.18.1.1", server, options)
        for number, (server, application) in enumerate(runs)
    }
    servers = {server for server, _ in runs}
    return Allocation(
        "example", 1, NOW, dict.fromkeys(servers, "198.18.0.1"), dict.fromkeys(servers, "primary"), instances
    )


def license_(servers: int = 10, **more: object) -> License:
    said: dict[str, object] = {
        "kinds": {"billing_engine": 2, "sip": 3},
        "bundled": {"clustered_database": "billing_engine"},
        "entitlements": {},
        **more,
    }
    return License("example", "Example", 1, NOW, NOW, NOW, NOW, servers, certificate=b"", seed="", **said)  # type: ignore[arg-type]


def refused(*more: tuple[str, str]) -> list[str]:
    return [str(limit) for limit in exceeded(license_(), allocation([*EIGHT, *more]))]


def test_the_eight_servers_are_accepted():
    assert refused() == []
    used = {limit.what: limit.used for limit in limits(license_(), allocation(EIGHT))}
    assert used == {"servers": 8, "billing engine servers": 2, "clustered database servers": 0, "SIP servers": 3}


def test_a_ninth_server_with_one_more_web_instance_is_accepted():
    assert refused(("Kappa", "web")) == []


def test_more_processing_nodes_on_a_server_that_has_one_are_accepted():
    assert refused(*[("Sigma", "sip_processing_node")] * 5) == []


def test_three_processing_nodes_and_one_with_a_billing_engine_are_two_sip_servers_and_one_billing_engine_server():
    runs = [*[("Iota", "sip_processing_node")] * 3, ("Sigma", "sip_processing_node"), ("Sigma", "billing_engine")]
    found = servers_by_kind(allocation(runs).instances.values())
    assert (len(found["sip"]), len(found["billing_engine"]), len(found["server"])) == (2, 1, 2)


@pytest.mark.parametrize("application", [name for name, kind in KINDS.items() if kind == "sip"])
def test_sip_of_any_kind_on_a_fourth_server_is_refused(application):
    assert refused(("Gamma", application)) == ["SIP servers: 4 of 3, 1 too many"]


def test_a_billing_engine_on_a_third_server_is_refused():
    assert refused(("Gamma", "billing_engine")) == ["billing engine servers: 3 of 2, 1 too many"]


def test_an_eleventh_server_is_refused():
    more = [("Kappa", "web"), ("Lambda", "web"), ("My", "web")]
    assert refused(*more[:2]) == []
    assert refused(*more) == ["servers: 11 of 10, 1 too many"]


def test_clustered_databases_may_be_as_many_as_billing_engine_servers_where_that_is_bundled():
    assert refused(("Gamma", "database_cluster"), ("Beta", "database_cluster")) == []
    more = [("Gamma", "database_cluster"), ("Beta", "database_cluster"), ("Alpha", "database_cluster")]
    assert refused(*more) == ["clustered database servers: 3 of 2, 1 too many"]


def test_of_a_kind_that_is_not_licensed_there_is_none():
    found = exceeded(license_(kinds={"sip": 3}, bundled={}), allocation(EIGHT))
    assert [str(limit) for limit in found] == ["billing engine servers: 2 of 0, 2 too many"]
    assert found[0].by == ("Alpha", "Beta")


def test_applications_without_a_kind_do_not_count():
    assert refused(*[(f"Vendor{number}", "licensing_server") for number in range(5)]) == []


@pytest.mark.parametrize(
    ("granted", "used", "over"),
    [
        (64, 64, False),
        (64, 65, True),
        (0, 10**6, False),
        (True, True, False),
        (True, 2, True),
        (False, True, True),
        (False, False, False),
    ],
)
def test_what_an_application_is_entitled_to_is_compared_with_the_instance_that_uses_most(granted, used, over):
    said = license_(entitlements={"billing_engine": {"engines": granted}})
    allocated = allocation([("Alpha", "billing_engine")], engines=used)
    assert [limit.what for limit in exceeded(said, allocated)] == (["billing_engine: engines"] if over else [])


def test_what_is_not_in_the_license_is_not_granted():
    [limit] = exceeded(license_(), allocation([("Alpha", "billing_engine")], engines=1))
    assert str(limit) == "billing_engine: engines: used, and not licensed"
    assert limit.by == ("instance-0",)


RUNS = st.lists(st.tuples(st.sampled_from("ABCDEFGHIJKL"), st.sampled_from(sorted(KINDS))), max_size=30)


@given(RUNS, st.tuples(st.sampled_from("ABCDEFGHIJKL"), st.sampled_from(sorted(KINDS))))
def test_an_instance_more_never_lowers_a_count(runs, more):
    few, many = (
        {limit.what: limit.used for limit in limits(license_(), allocation(each))} for each in (runs, [*runs, more])
    )
    assert few.keys() <= many.keys()
    assert all(many[what] >= used for what, used in few.items())
