"""Waves keep clusters up: nobody who asks a cluster goes without an answer, and its last instance is not taken down."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fleet.calls import Calls
from tests.fleet.faults import Apply
from tests.fleet.fleet import Answer, Fleet, eventually, failures
from tests.fleet.traces import all_traces, files

ENGINES = {"East": "billing-1", "South": "billing-2"}
ADDRESSES = ("198.19.1.11", "198.19.1.12")
BILLING, BILLING_2 = "options/cluster_suite/billing.yml", "options/cluster_suite/billing/billing-2.yml"
NO_FUNDS = "billing_engine:\n  replies:\n    no_funds: Nothing left\n"
CALLS = 3000
SQL = ["mariadb", "--no-defaults", "--socket=/run/tandem-database-database-main/mariadbd.sock", "billing"]
ACCOUNTS = """
INSERT INTO customer (name) VALUES ('waves'); INSERT INTO tariff (name) VALUES ('waves');
INSERT INTO rate SELECT id, '44', 0.03 FROM tariff WHERE name = 'waves';
INSERT INTO account (name, customer_id, tariff_id, credit_limit)
  SELECT CONCAT('waves-', seq), customer.id, tariff.id, 1.00 FROM customer, tariff, seq_0_to_{last}
  WHERE customer.name = 'waves' AND tariff.name = 'waves';
"""


@pytest.fixture(scope="module")
def accounts(applied: Fleet) -> list[str]:
    """Return accounts with 1.00 each, one for every call."""
    applied.do("East", *SQL, stdin=ACCOUNTS.format(last=CALLS - 1))
    return [f"waves-{number}" for number in range(CALLS)]


def unit(server: str) -> str:
    return f"billing-engine@{ENGINES[server]}.service"


def log_more(fleet: Fleet) -> None:
    """Change what restarts every billing engine."""
    fleet.write(BILLING, "billing_engine:\n  log:\n    level: debug\n")


def test_every_call_is_answered_while_all_billing_engines_restart(small: Fleet, accounts: list[str]) -> None:
    before = {server: small.units(server)[unit(server)]["InvocationID"] for server in ENGINES}
    log_more(small)
    plan = small.json("plan")["results"]["plan"][-1]["plan"]
    [option] = plan["options"]
    assert (option["option"], option["new"]) == ("billing_engine.log.level", "debug")
    assert option["instances"] == [{"name": name, "server": server} for server, name in ENGINES.items()]
    waves = [wave for wave in plan["waves"] if any(step["instances"] for step in wave["steps"])]
    assert [wave["label"] for wave in waves] == ["East", "South"]
    assert [wave["clusters"] for wave in waves] == [[{"cluster": "billing", "keeps": 1, "of": 2}]] * 2
    assert small.tandem("plan").count("billing keeps 1 of 2") == 2

    with Calls(small, ADDRESSES, accounts).running() as calls:
        assert eventually(lambda: len(calls.made) > 20)
        small.tandem("apply")
        so_far = len(calls.made)
        assert eventually(lambda: len(calls.made) > so_far + 20)
    assert len(calls.made) < CALLS
    assert [call for call in calls.made if call.answer != Answer(2, 2000)] == []
    assert calls.silent == set(ADDRESSES), "both were seen silent once"
    after = {server: small.units(server)[unit(server)]["InvocationID"] for server in ENGINES}
    assert all(before[server] != after[server] for server in ENGINES)


@contextmanager
def deaf(fleet: Fleet, server: str) -> Iterator[None]:
    """Let a billing engine hear nobody, not even its own health probe, though it runs."""
    rules = "table inet test { chain input { type filter hook input priority -10; udp dport 1812 drop; }; }"
    fleet.do(server, "nft", rules)
    try:
        yield
    finally:
        fleet.do(server, "nft", "delete table inet test")


def test_the_last_instance_that_serves_is_not_taken_down(small: Fleet) -> None:
    before, units = all_traces(small), small.all_units()
    small.write(BILLING_2, NO_FUNDS)
    with deaf(small, "East"):
        shown = small.tandem("apply", status=1)
        assert small.restarted(units) == set()
    assert failures(shown).keys() == {"South"}
    assert "South: waiting for another instance of billing to serve: billing-1 on East: " in shown
    assert "availability: no other instance of billing serves (billing-1 on East: " in failures(shown)["South"]
    assert files(all_traces(small)) == files(before)
    assert "Session-Timeout = 2000" in small.radius(ADDRESSES[1], "1001")


def test_an_apply_waits_until_another_instance_serves_again(small: Fleet) -> None:
    small.write(BILLING_2, NO_FUNDS)
    with Apply(small) as apply:
        with deaf(small, "East"):
            assert eventually(lambda: "waiting for another instance of billing to serve" in apply.said()), apply.said()
        assert apply.wait() == 0, apply.said()
    assert "Nothing left" in small.text("South", "/etc/freeradius/billing-2/radiusd.conf")


def freeze(fleet: Fleet, server: str) -> None:
    """Stop a billing engine's process, which a restart is going to replace."""
    fleet.do(server, "kill", f"-{signal.SIGSTOP.value}", fleet.units(server)[unit(server)]["MainPID"])


def test_a_cluster_that_is_down_as_a_whole_can_be_mended(small: Fleet) -> None:
    """Nothing is lost by restarting an instance that does not serve itself."""
    small.write(BILLING_2, NO_FUNDS)
    with deaf(small, "East"):
        freeze(small, "South")
        assert "restart billing-engine@billing-2.service" in small.tandem("apply")
    assert 'Reply-Message = "Nothing left"' in small.radius(ADDRESSES[1], "1002")


def test_an_ill_first_wave_stops_the_run_and_the_next_plan_says_what_is_pending(small: Fleet) -> None:
    before, units = all_traces(small), small.all_units()
    log_more(small)
    planned = small.json("plan")["results"]["plan"][-1]["plan"]
    override = f"/run/systemd/system/{unit('East')}.d"
    text = "[Service]\nExecStart=\nExecStart=/bin/sleep infinity\nType=exec\n"
    small.do(
        "East", "sh", "-ec", f"mkdir -p {override}; cat > {override}/test.conf; systemctl daemon-reload", stdin=text
    )
    try:
        shown = small.tandem("apply", status=1)
    finally:
        small.do("East", "sh", "-ec", f"rm -r {override}; systemctl daemon-reload; systemctl restart {unit('East')}")
    assert failures(shown).keys() == {"East"}
    assert "not healthy within 20 s" in failures(shown)["East"]
    assert files(all_traces(small)) == files(before)
    assert {server for server, _ in small.restarted(units)} == {"East"}
    again = small.json("plan")["results"]["plan"][-1]["plan"]
    assert again == planned
    assert again["touched"] == ["East", "South"]
    small.tandem("apply")
    assert small.json("plan")["results"]["plan"][-1]["plan"]["empty"]
