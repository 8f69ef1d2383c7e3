"""After the first apply on fresh servers everything serves, and a second apply has nothing to do."""

import json
import re

import pytest

from tests.fleet.fleet import Fleet, eventually, recap, told
from tests.fleet.traces import all_traces, stale

SMALL_BILLING = {"billing-1": "198.19.1.11", "billing-2": "198.19.1.12"}
EXAMPLE_BILLING = {"billing-1": "198.18.1.11", "billing-2": "198.18.1.12", "billing-3": "198.18.9.11"}


def test_the_first_apply_changes_every_server_and_says_so(applied: Fleet, first_apply: str) -> None:
    changed = told(first_apply, *applied.servers)
    assert sorted(line.split()[1] for line in changed) == applied.servers
    assert all(line.startswith("✓") and "changed:" in line for line in changed)
    assert first_apply.splitlines()[-1] == "4 servers changed. Configuration 1 is active."


def test_a_second_apply_changes_nothing_and_says_so(applied: Fleet) -> None:
    units, before = applied.all_units(), all_traces(applied)
    shown = applied.tandem("apply")
    assert told(shown, *applied.servers) == []
    assert "✓ 4 servers have nothing to do" in shown
    assert shown.splitlines()[-1] == f"0 servers changed. Configuration {applied.active()} is active."
    assert applied.restarted(units) == set()
    assert all_traces(applied) == before


def test_ansible_counts_a_second_apply_as_unchanged_on_every_host(
    applied_example: Fleet, first_apply_of_example: str
) -> None:
    first = recap(first_apply_of_example)
    assert sorted(host for host, counts in first.items() if counts["changed"]) == applied_example.servers
    second = recap(applied_example.playbook("apply"))
    assert sorted(second) == applied_example.servers
    assert {counts["changed"] + counts["failed"] + counts["unreachable"] for counts in second.values()} == {0}
    assert all(counts["ok"] >= 1 for counts in second.values())


@pytest.mark.parametrize("inventory", ["small", "example"])
def test_every_billing_engine_answers(inventory: str, request: pytest.FixtureRequest) -> None:
    """An account with 1.00 at 0.03 a minute may talk for 2000 seconds, one without funds is refused with a reason."""
    fleet = request.getfixturevalue("applied" if inventory == "small" else "applied_example")
    for name, address in (SMALL_BILLING if inventory == "small" else EXAMPLE_BILLING).items():
        good = fleet.radius(address, "1001")
        assert "Received Access-Accept" in good, f"{name}: {good}"
        assert re.search(r"Session-Timeout = 2000\b", good), f"{name}: {good}"
        bad = fleet.radius(address, "1002")
        assert "Received Access-Reject" in bad, f"{name}: {bad}"
        assert 'Reply-Message = "Not enough funds"' in bad, f"{name}: {bad}"


def test_two_instances_on_one_server_serve_on_their_own_addresses(applied: Fleet) -> None:
    one, two = (
        applied.from_controller("curl", "-s", "-m", "5", url)
        for url in ("http://198.19.1.31/", "http://198.19.1.32:8080/")
    )
    assert "<h1>web-1</h1>" in one
    assert "<h1>web-2</h1>" in two
    assert "The second of two" in two
    assert "The second of two" not in one
    assert applied.from_controller("curl", "-s", "-m", "5", "http://198.19.1.32/") == ""
    units = applied.units("West")
    assert units["web@web-1.service"]["MainPID"] != units["web@web-2.service"]["MainPID"]


def test_names_answer_with_the_addresses_of_the_installation(applied_example: Fleet) -> None:
    for server in ("198.18.1.53", "198.18.9.53"):

        def dig(name: str, kind: str = "A", server: str = server) -> list[str]:
            zone = "example.tandem.internal"
            return sorted(
                applied_example.from_controller("dig", "+short", f"@{server}", f"{name}.{zone}", kind).split("\n")[:-1]
            )

        assert dig("billing-3") == ["198.18.9.11"]
        assert dig("billing.clusters") == ["198.18.1.11", "198.18.1.12"]
        assert dig("Lambda.servers") == ["198.18.8.12"]
        assert [line.split()[2] for line in dig("_radius._udp", "SRV")] == ["1812"] * 3


def test_every_server_logs_to_the_log_server_over_tls(applied: Fleet) -> None:
    for server in applied.servers:
        applied.do(server, "logger", "--priority", "daemon.notice", f"a line from {server}")
    for server in applied.servers:
        find = ["grep", "-rlF", f"a line from {server}", "/var/log/tandem/logs-1"]
        assert eventually(lambda find=find: applied.lab.exec("North", find).returncode == 0), f"nothing from {server}"
        own = applied.lab.exec("North", find).stdout
        assert f"/{server}" in own, own
    shown = applied.do("North", "ss", "-tnH", "state", "established", "sport = :6514")
    peers = {
        line.split()[3].rpartition(":")[0].removeprefix("[::ffff:").removesuffix("]") for line in shown.splitlines()
    }
    assert [server for server in applied.servers if not peers & applied.addresses(server)] == []


def test_the_log_server_takes_nothing_in_plain_text(applied: Fleet) -> None:
    send = (
        "import socket; s = socket.create_connection(('198.19.1.10', 6514)); "
        "s.sendall(b'<13>1 - West test - - - {}\\n'); s.recv(1)"
    )
    applied.lab.exec("West", ["timeout", "3", "python3", "-c", send.format("in plain text")])
    applied.do("West", "logger", "--priority", "daemon.notice", "after the plain text")
    find = ["grep", "-rlF", "after the plain text", "/var/log/tandem/logs-1"]
    assert eventually(lambda: applied.lab.exec("North", find).returncode == 0)
    assert applied.lab.exec("North", ["grep", "-rlF", "in plain text", "/var/log/tandem/logs-1"]).returncode == 1


def test_every_instance_has_its_address_and_every_process_its_files(applied_example: Fleet) -> None:
    tree = json.loads(applied_example.tandem("tree", "--json"))
    instances = [
        i for suite in tree["suites"].values() for cluster in suite.values() for i in cluster["instances"].values()
    ]
    for instance in instances:
        assert instance["address"] in applied_example.addresses(instance["server"])
    assert {server: stale(applied_example, server) for server in applied_example.servers} == {
        server: [] for server in applied_example.servers
    }
