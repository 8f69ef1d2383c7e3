"""A plan is applied exactly, once, and only as things were; the history says what was, what is, and what is pending."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.conftest import Busy
from tests.fleet.fleet import Fleet, eventually, family
from tests.fleet.traces import all_traces

pytestmark = pytest.mark.lab

WEB_1 = "options/web_suite/web/web-1.yml"
BILLING = "options/cluster_suite/billing.yml"
BILLING_2 = "options/cluster_suite/billing/billing-2.yml"
STORE = "/var/lib/tandem/store"


def silence(fleet: Fleet, name: str = WEB_1) -> None:
    """Edit one option of one instance."""
    fleet.write(name, "web:\n  log:\n    requests: false\n")


def planned(fleet: Fleet) -> dict[str, object]:
    """Plan, and return what came of it."""
    found: dict[str, object] = fleet.json("plan")["results"]["plan"][-1]
    return found


def history(fleet: Fleet) -> dict[str, dict[str, object]]:
    """Return what `tandem configurations` says."""
    found: dict[str, dict[str, object]] = fleet.json("configurations")
    return found


def test_exactly_the_plan_is_applied_once_and_without_the_source(small: Fleet) -> None:
    """As a pipeline does it: planned on the merge request, applied by its name on merge."""
    silence(small)
    shown = small.tandem("plan", "--markdown", "--diff")
    [name] = set(re.findall(r"tandem apply --plan ([0-9a-f]{12})`", shown))
    assert "| `web.log.requests` | `true` | `false` | web-1 on West | options/web_suite/web/web-1.yml:3 |" in shown
    assert "```diff" in shown
    assert name in small.tandem("plan"), "the same plan has the same name"
    small.write(WEB_1, "web:\n  log:\n    requests: this is no longer looked at\n")
    before = small.active()
    checked = small.playbook("apply", "-e", f"plan={name}", "--check")
    assert "exit status 0" in checked
    ended = small.playbook("apply", "-e", f"plan={name}")
    assert "exit status 0" in ended
    assert small.active() > before
    again = small.tandem("apply", "--plan", name, status=1)
    assert re.search(rf"plan {name} has been applied already, by \S+ at \S+; plan again", again)
    small.tandem("rollback", str(before))
    again = small.tandem("apply", "--plan", name, status=1)
    assert "has been applied already" in again
    assert "has not been planned" in small.tandem("apply", str(small.active() + 9), status=1)


def test_a_stale_plan_and_a_stale_number_are_refused_and_nothing_happens(small: Fleet) -> None:
    silence(small)
    first = planned(small)
    small.write(WEB_1, "web:\n  timeouts:\n    keepalive: 44\n")
    small.tandem("apply")
    active, before = small.active(), all_traces(small)
    refused = small.tandem("apply", "--plan", str(first["id"])[:12], status=1)
    assert f"was made against configuration {first['active']}, but configuration {active} is active now" in refused
    refused = small.tandem("apply", str(first["number"]), status=1)
    assert f"configuration {first['number']} was planned against configuration {first['active']}" in refused
    assert f"tandem rollback {first['number']}" in refused
    assert "there is no plan 0123456789ab" in small.tandem("apply", "--plan", "0123456789ab", status=1)
    assert (all_traces(small), small.active()) == (before, active)
    assert small.lab.exec("North", ["test", "-e", f"{STORE}/lease.json"]).returncode, "no lease is left behind"
    small.tandem("plan", str(first["number"]))
    small.tandem("apply", str(first["number"]))
    assert small.active() == first["number"]


def test_a_plan_is_refused_when_it_is_damaged_or_a_server_has_moved(small: Fleet) -> None:
    small.write("options/installation.yml", loud(small))
    plan = planned(small)
    name, path = str(plan["id"])[:12], f"{STORE}/plans/{plan['id']}.json"
    small.do("North", "sh", "-ec", f'cp -a {path} /root/kept; sed -i \'s/"number":/"number":1/\' {path}')
    assert f"plan {name} is damaged" in small.tandem("apply", "--plan", name, status=1)
    assert f"{path}: is damaged" in small.tandem("fsck", status=1)
    small.do("North", "mv", "/root/kept", path)
    assert "The store is sound." in small.tandem("fsck")
    small.tandem("apply", "--plan", name, "--limit", "West")
    refused = small.tandem("apply", "--plan", name, status=1)
    assert f"West is on configuration {plan['number']}; plan again, or tandem apply {plan['number']}" in refused
    ended = small.tandem("apply", str(plan["number"]))
    assert f"West is on configuration {plan['number']}" in ended
    assert ended.splitlines()[-1].endswith(" is active.")


def loud(fleet: Fleet) -> str:
    """Return the options of the whole installation with something to do on every server."""
    text = (fleet.directory / "options/installation.yml").read_text()
    assert "notice" in text
    return text.replace("notice", "warning")


def test_limit_leaves_a_true_account(small: Fleet) -> None:
    """Which servers are on which number, and what is pending, is told by the history and the next plan."""
    small.write("options/installation.yml", loud(small))
    before = small.active()
    small.tandem("apply", "--limit", "West,South")
    told = history(small)
    number = told["configurations"][0]["number"]
    assert told["servers"] == {"East": before, "North": before, "South": number, "West": number}
    assert told["pending"] == {str(number): ["East", "North"]}
    lines = small.tandem("configurations").splitlines()
    assert lines[-3:] == [
        f"2 of 4 servers are on configuration {before}, which is active",
        f"South, West are on configuration {number}",
        f"pending for configuration {number}: East, North",
    ]
    plan = planned(small)
    assert plan["places"] == {"South": number, "West": number}
    assert plan["plan"]["touched"] == ["East", "North"]  # type: ignore[index]
    assert f"South, West are on configuration {number}" in small.tandem("plan")
    small.tandem("apply")
    assert history(small)["pending"] == {}


def test_a_run_that_dies_in_a_wave_leaves_its_servers_in_doubt(small: Fleet, busy: Busy) -> None:
    """South may be on either: the account says so, and the next apply makes sure."""
    before = small.active()
    for process in family(busy.run.pid):
        os.kill(process, signal.SIGKILL)
    busy.go()
    journal = ["test", "-e", "/var/lib/tandem/journal.json"]
    assert eventually(lambda: small.lab.exec("South", journal).returncode != 0)
    told = history(small)
    number = told["configurations"][0]["number"]
    assert told["servers"]["South"] == [before, number]
    assert "South" in told["pending"][str(number)]
    doubt = f"South was being changed from {before} to {number} when a run died, and may be on either"
    assert doubt in small.tandem("configurations")
    shown = small.tandem("plan")
    assert doubt in shown
    assert "wave 1   South        billing-2" in shown
    assert "cannot be discarded" in small.tandem("discard", str(number), status=1)
    small.tandem("apply")
    assert history(small)["servers"] == dict.fromkeys(small.servers, small.active())
    assert "auth_accept = yes" in small.text("South", "/etc/freeradius/billing-2/radiusd.conf")


def test_a_server_that_failed_is_known_to_be_as_it_was(small: Fleet) -> None:
    """The others are untouched, and the plan afterwards says exactly what is pending."""
    small.write(BILLING, "billing_engine:\n  log:\n    accepted: true\n")
    before = small.active()
    small.do("East", "sh", "-ec", f"mkdir -p {BROKEN}; cat > {BROKEN}/test.conf; systemctl daemon-reload", stdin=FAILS)
    try:
        small.tandem("apply", status=1)
        told = history(small)
        assert set(told["servers"]) == set(small.servers)
        assert told["servers"]["East"] == before, "it undid everything"
        assert planned(small)["plan"]["touched"] == ["East", "South"]  # type: ignore[index]
    finally:
        small.do("East", "sh", "-ec", f"rm -r {BROKEN}; systemctl daemon-reload")


BROKEN = "/run/systemd/system/billing-engine@billing-1.service.d"
FAILS = "[Service]\nExecStartPre=/bin/sh -c 'grep -q \"auth_accept = no\" /etc/freeradius/billing-1/radiusd.conf'\n"


def test_the_verbs_of_the_history(small: Fleet) -> None:
    before = small.active()
    silence(small)
    candidate = int(str(planned(small)["number"]))
    assert "web.log.requests" in small.tandem("diff", str(before), str(candidate))
    assert "web.log.requests" in small.tandem("diff", str(before))
    assert "Nothing changes" in small.tandem("diff", str(candidate))
    assert "+" in small.tandem("diff", str(before), "--diff")
    assert small.tandem("mark", str(candidate), "-m", "for later") == f"configuration {candidate} is marked\n"
    assert "for later" in small.tandem("configurations")
    assert "is marked: it cannot be discarded" in small.tandem("discard", str(candidate), status=1)
    small.tandem("mark", str(candidate), "--remove")
    assert small.tandem("discard", str(candidate)) == f"configuration {candidate} is discarded\n"
    assert f"there is no configuration {candidate}" in small.tandem("diff", str(before), str(candidate), status=1)
    pruned = small.json("prune", "--keep", "0")
    assert pruned["removed"]
    assert [entry["number"] for entry in history(small)["configurations"]] == [before]
    assert small.tandem("fsck") == "The store is sound.\n"
    assert int(str(planned(small)["number"])) > candidate, "no number comes twice"
    small.tandem("apply")


def test_a_clone_of_a_stored_configuration_compiles_to_the_same_bytes(small: Fleet, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    small.tandem("clone", str(small.active()), str(clone))
    [kept] = [entry for entry in history(small)["configurations"] if entry["state"] == "active"]
    assert small.json("compile", "-i", str(clone))["digest"] == kept["digest"]
