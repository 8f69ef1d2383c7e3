"""`--check`, `--diff` and `--limit` tell the truth, per host, by `tandem` and by `ansible-playbook`; drift is found."""

import re

from tests.fleet.fleet import Fleet, recap, told
from tests.fleet.traces import all_traces, traces

BILLING_2 = "options/cluster_suite/billing/billing-2.yml"
WEB = "options/web_suite.yml"
PAGE = "/usr/share/tandem/web/web-1/index.html"
KEEPALIVE = "web:\n  timeouts:\n    keepalive: 41\n"


def test_check_says_what_apply_does_and_does_nothing(small: Fleet) -> None:
    """The same sentence for every server, the time it took aside."""
    small.write(WEB, KEEPALIVE)
    before, units, number = all_traces(small), small.all_units(), small.active()
    checked = small.tandem("apply", "--check")
    assert checked.splitlines()[-1] == "1 server would change. Nothing was changed."
    assert (all_traces(small), small.restarted(units), small.active()) == (before, set(), number)
    done = small.tandem("apply")

    def sentences(output: str) -> list[str]:
        lines = (line.replace("would change", "changed") for line in told(output, *small.servers))
        return sorted(re.sub(r" \([\d.]+ s\)$", "", line) for line in lines)

    assert sentences(checked) == sentences(done)
    assert "reload web@web-1.service, reload web@web-2.service" in done


def test_check_and_diff_by_ansible(small: Fleet) -> None:
    small.write(WEB, KEEPALIVE)
    before = all_traces(small)
    output = small.playbook("apply", "--check", "--diff")
    assert f"--- before: {PAGE}" in output
    assert re.search(r"^-.*kept for 65 s", output, re.MULTILINE)
    assert re.search(r"^\+.*kept for 41 s", output, re.MULTILINE)
    assert "change /etc/tandem/web/web-1/nginx.conf" in output, "what not everybody may read is only named"
    counts = recap(output)
    assert {host: count["changed"] for host, count in counts.items()} == {"North": 0, "East": 0, "South": 0, "West": 1}
    assert all_traces(small) == before
    counts = recap(small.playbook("apply"))
    assert (counts["West"]["changed"], counts["South"]["changed"]) == (1, 0)
    assert "keepalive_timeout 41" in small.text("West", "/etc/tandem/web/web-1/nginx.conf")


def test_a_difference_never_shows_a_secret(small: Fleet) -> None:
    """The whole of a file that holds a secret is only named, by both commands, in text and in JSON."""
    secret = small.radius_secret
    small.write(BILLING_2, "billing_engine:\n  replies:\n    no_funds: Nothing left\n")
    outputs = [
        small.tandem("apply", "--check", "--diff"),
        small.tandem("apply", "--check", "--diff", "--json"),
        small.tandem("plan", "--json"),
        small.playbook("apply", "--check", "--diff", "-vvv"),
        small.playbook("apply", "--diff", "-vvv"),
    ]
    for output in outputs:
        assert secret not in output
        assert "radiusd.conf" in output
    assert "change /etc/freeradius/billing-2/radiusd.conf" in outputs[0]


def test_limit_reaches_only_the_named_servers(small: Fleet) -> None:
    """What is not reached stays pending, and the configuration does not become the active one."""
    small.write(
        "options/installation.yml",
        (small.directory / "options/installation.yml").read_text().replace("notice", "warning"),
    )
    before, number = all_traces(small), small.active()
    shown = small.tandem("apply", "--limit", "West,South")
    assert sorted(line.split()[1] for line in told(shown, *small.servers)) == ["South", "West"]
    assert (
        shown.splitlines()[-1]
        == f"2 servers changed. Still pending: East, North. Configuration {number} stays the active one."
    )
    after = all_traces(small)
    assert [server for server in small.servers if after[server] != before[server]] == ["South", "West"]
    assert small.active() == number
    counts = recap(small.playbook("apply", "--limit", "East"))
    assert {host: count["changed"] for host, count in counts.items()} == {"East": 1}
    shown = small.tandem("apply")
    assert [line.split()[1] for line in told(shown, *small.servers) if "nothing to do" not in line] == ["North"]
    assert shown.splitlines()[-1].endswith(" is active.")


def test_an_unreachable_host_is_counted_as_such(small: Fleet) -> None:
    """East is the first host, whose task it is that reaches them all; the run ends in order all the same."""
    with small.unplugged("East"):
        output = small.playbook("apply", status=4)
        assert not small.leased()
        alone = small.playbook("apply", "--limit", "East", status=2)
        assert not small.leased()
    for shown in (output, alone):
        assert re.search(r"fatal: \[East\]: UNREACHABLE! => .*198\.19\.0\.12", shown)
        assert '"msg": "exit status 1"' in shown
    counts = recap(output)
    assert {host: count["unreachable"] for host, count in counts.items()} == {
        "North": 0,
        "East": 1,
        "South": 0,
        "West": 0,
    }
    assert counts["South"]["ok"] >= 1
    assert {host: count["unreachable"] for host, count in recap(alone).items()} == {"East": 1}


def test_no_log_hides_what_a_host_reports(small: Fleet) -> None:
    """The counts stay, the contents go."""
    playbooks = small.directory.parent / "playbooks"
    playbooks.mkdir(exist_ok=True)
    (playbooks / "quiet.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - tandem.platform.drift_info:\n      no_log: true\n"
    )
    small.do("West", "sh", "-c", f"echo '# by hand' >> {PAGE}")
    loud = small.playbook("drift", "--diff", "-v")
    assert "# by hand" in loud
    assert PAGE in loud
    quiet = small.playbook(str(playbooks / "quiet"), "--diff", "-v")
    assert "# by hand" not in quiet
    assert PAGE not in quiet
    assert "no_log" in quiet
    assert recap(quiet)["West"]["changed"] == 1


def test_drift_is_found_shown_and_put_right(small: Fleet) -> None:
    """A file changed by hand, one removed, another mode, a unit stopped, an address removed."""
    before = all_traces(small)
    units = small.all_units()
    radiusd = "/etc/freeradius/billing-2/radiusd.conf"
    small.tandem("drift", "--exit-code")
    small.do("West", "sed", "-i", "s/kept for 65 s/kept for 66 s/", PAGE)
    small.do("West", "rm", "/usr/share/tandem/web/web-2/health.txt")
    small.do("South", "chmod", "0644", radiusd)
    small.do("South", "ip", "address", "delete", "198.19.1.53/24", "dev", "eth0")
    small.do("East", "systemctl", "stop", "billing-engine@billing-1.service")
    drifted = all_traces(small)

    shown = small.tandem("drift", "--diff", "--exit-code", status=3)
    assert "East, South, West differ from what was applied to them" in shown
    assert re.search(r"^\s*-.*kept for 66 s", shown, re.MULTILINE)
    assert re.search(r"^\s*\+.*kept for 65 s", shown, re.MULTILINE)
    assert "start billing-engine@billing-1.service" in shown
    assert "add 198.19.1.53" in shown
    assert all_traces(small) == drifted, "drift only looks"
    found = small.json("drift")["results"]["drift_info"][-1]["changes"]
    assert [(file["path"], file["action"]) for file in found["West"]["files"]] == [
        (PAGE, "change"),
        ("/usr/share/tandem/web/web-2/health.txt", "add"),
    ]
    assert [file["path"] for file in found["South"]["files"]] == [radiusd]
    planned = small.json("plan", "--exit-code", status=3)["results"]["plan"][-1]
    assert planned["plan"]["empty"]
    for server, change in planned["drift"]["changes"].items():
        assert {name: change[name] for name in ("files", "units", "addresses")} == {
            name: found[server][name] for name in ("files", "units", "addresses")
        }
    shown = small.tandem("plan")
    assert "not as it was applied; applying puts it back:" in shown
    assert re.search(rf"^ +West +change {PAGE}, add /usr/share/tandem/web/web-2/health.txt$", shown, re.MULTILINE)
    with small.unplugged("West"):
        assert "West could not be looked at: " in small.tandem("plan")
    assert small.json("plan", "--no-drift", "--exit-code")["results"]["plan"][-1].get("drift") is None
    assert all_traces(small) == drifted, "a plan only looks"

    small.tandem("apply")
    assert all_traces(small) == before
    assert "198.19.1.53" in small.addresses("South")
    assert "no drift" in small.tandem("drift", "--exit-code")
    restarted = {unit for _, unit in small.restarted(units)}
    assert "billing-engine@billing-1.service" in restarted
    assert "billing-engine@billing-2.service" not in restarted, "its mode is no reason to interrupt it"
    assert "Session-Timeout = 2000" in small.radius("198.19.1.11", "1001")


def test_files_that_are_not_tandems_are_left_alone(small: Fleet) -> None:
    foreign = "/etc/freeradius/billing-2/notes.txt"
    small.do("South", "sh", "-c", f"echo mine > {foreign}")
    small.write("options/web_suite/web/web-1.yml", "web:\n  log:\n    requests: false\n")
    small.edit("installation.yml", "billing-2: {server: South,", "billing-2: {server: West,")
    small.tandem("apply")
    assert small.text("South", foreign) == "mine\n"
    left = {path for path in traces(small, "South") if "billing-2" in path}
    assert left == {"/etc/freeradius/billing-2", foreign}
    small.do("South", "rm", foreign)
