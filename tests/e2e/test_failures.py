"""What a daemon refuses, or does not come up with, leaves the server as it was, and no process on old files."""

import json
import os
import signal
import time

import pytest

from tests.fleet.fleet import Fleet, failures
from tests.fleet.traces import Traces, all_traces, files, stale

# A name that is an instance's cannot be an alias as well: only named itself knows that rule.
ALIAS = "dns:\n  zone:\n    aliases:\n      web-1: elsewhere.example.org\n"
# TLS with something that has the form of a certificate and is none.
TLS = """web:
  tls:
    enabled: true
    certificate: |
      -----BEGIN CERTIFICATE-----
      bm90IGEgY2VydGlmaWNhdGU=
      -----END CERTIFICATE-----
"""
BILLING_2 = "options/cluster_suite/billing/billing-2.yml"
UNIT = "billing-engine@billing-2.service"
OVERRIDE = f"/run/systemd/system/{UNIT}.d"


def override(fleet: Fleet, text: str) -> None:
    """Make billing-2 start differently; nothing of Tandem's is touched."""
    fleet.do(
        "South", "sh", "-ec", f"mkdir -p {OVERRIDE}; cat > {OVERRIDE}/test.conf; systemctl daemon-reload", stdin=text
    )


def no_override(fleet: Fleet) -> None:
    fleet.do("South", "sh", "-ec", f"rm -r {OVERRIDE}; systemctl daemon-reload")


def unchanged(before: dict[str, Traces], after: dict[str, Traces]) -> list[str]:
    """Return the servers that are as they were."""
    return [server for server in before if files(before)[server] == files(after)[server]]


@pytest.mark.parametrize(
    ("path", "text", "server", "unit", "validator", "says"),
    [
        ("options/admin/dns.yml", ALIAS, "South", "dns@dns-1.service", "named dns-1", "CNAME and other data"),
        ("options/web_suite/web/web-1.yml", TLS, "West", "web@web-1.service", "nginx web-1", "cannot load certificate"),
    ],
)
def test_what_the_validator_refuses_changes_nothing(  # noqa: PLR0917
    small: Fleet, path: str, text: str, server: str, unit: str, validator: str, says: str
) -> None:
    before, units = all_traces(small), small.all_units()
    small.write(path, text)
    shown = small.tandem("apply", status=1)
    assert failures(shown).keys() == {server}
    assert failures(shown)[server].startswith(f"{validator}: refused the new configuration: ")
    assert says in shown
    assert small.restarted(units) == set()
    assert small.units(server)[unit]["MainPID"] == units[server][unit]["MainPID"]
    assert server in unchanged(before, all_traces(small))
    assert "Not on configuration" in shown
    assert [line for line in shown.splitlines() if line.startswith("When the cause is mended: tandem apply ")] != []
    output = small.playbook("apply", status=2)
    assert f'fatal: [{server}]: FAILED! => {{"changed": false, "msg": "{validator}: refused' in output
    assert says in output


def test_a_process_that_does_not_come_up_is_undone_and_started_by_the_next_run(small: Fleet) -> None:
    """The failed run puts the files back; the next, green one leaves nothing running on anything old."""
    before = all_traces(small)
    small.write(BILLING_2, "billing_engine:\n  replies:\n    no_funds: Nothing left\n")
    override(small, "[Service]\nExecStartPre=/bin/sh -c 'echo the cable is missing >&2; exit 3'\n")
    try:
        shown = small.tandem("apply", status=1)
    finally:
        no_override(small)
    assert failures(shown)["South"].startswith(f"{UNIT}: restart failed: ")
    assert "the cable is missing" in shown
    assert "South: putting everything back" in shown
    assert unchanged(before, all_traces(small)) == small.servers
    small.tandem("apply")
    assert stale(small, "South") == []
    assert 'Reply-Message = "Nothing left"' in small.radius("198.19.1.12", "1002")


def test_a_run_that_is_killed_between_files_and_processes_leaves_a_debt_that_is_paid(small: Fleet) -> None:
    """The server program dies after it has put the files in place and before billing-2 has restarted."""
    small.write(BILLING_2, "billing_engine:\n  replies:\n    no_funds: Nothing left\n")
    override(small, "[Service]\nExecStartPre=/bin/sleep 20\n")
    run = small.start("apply")
    wait_for(lambda: "Nothing left" in small.text("South", "/etc/freeradius/billing-2/radiusd.conf"))
    wait_for(lambda: small.lab.exec("South", ["pgrep", "-f", "sleep 20"]).returncode == 0)
    small.do("South", "pkill", "-9", "-f", "tandem_server.__main__")
    shown, _ = run.communicate(timeout=60)
    no_override(small)
    assert run.returncode == 1
    assert failures(shown).keys() == {"South"}
    assert "the next apply completes or undoes it" in failures(shown)["South"]
    state = json.loads(small.text("South", "/var/lib/tandem/journal.json"))["state"]
    assert state == "settling"

    shown = small.tandem("apply")
    assert "which had been interrupted while settling" in shown
    assert stale(small, "South") == []
    assert small.lab.exec("South", ["test", "-e", "/var/lib/tandem/journal.json"]).returncode == 1
    assert 'Reply-Message = "Nothing left"' in small.radius("198.19.1.12", "1002")
    assert "0 servers changed" in small.tandem("apply")


def test_a_restart_by_hand_pays_the_debt(small: Fleet) -> None:
    """A unit is restarted for what it started with, not because somebody was notified."""
    record = f"/run/tandem/units/{UNIT}.restart"
    small.do("South", "sed", "-i", "s/^./x/", record)
    assert f"restart {UNIT}" in small.tandem("drift")
    small.do("South", "systemctl", "restart", UNIT)
    units = small.all_units()
    assert "0 servers changed" in small.tandem("apply")
    assert small.restarted(units) == set()


def test_an_interrupted_command_says_so_and_the_next_one_goes_on(small: Fleet) -> None:
    small.write(BILLING_2, "billing_engine:\n  replies:\n    no_funds: Nothing left\n")
    override(small, "[Service]\nExecStartPre=/bin/sleep 5\n")
    run = small.start("apply")
    wait_for(lambda: small.lab.exec("South", ["pgrep", "-f", "sleep 5"]).returncode == 0)
    os.kill(run.pid, signal.SIGINT)
    shown, _ = run.communicate(timeout=60)
    no_override(small)
    assert run.returncode == 130, shown
    assert "interrupted; the next apply completes or undoes" in shown
    small.tandem("apply")
    assert stale(small, "South") == []
    assert 'Reply-Message = "Nothing left"' in small.radius("198.19.1.12", "1002")


def wait_for(look: object) -> None:
    """Wait until something is so."""
    assert callable(look)
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.1)
