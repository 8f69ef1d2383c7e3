"""Only what the processes declare can be reached, and rules that shut the controller out do not stay."""

import json
from collections.abc import Iterator

import pytest

from tests.fleet.fleet import Fleet, failures
from tests.fleet.traces import all_traces, files

CONTROLLER = "controller"
LOOK = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def reached(target):
    try:
        socket.create_connection(target, 3.5).close()  # what is lost is sent again after 1 s and 3 s
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return None
    return "open"

targets = [tuple(target) for target in json.loads(sys.argv[1])]
with ThreadPoolExecutor(len(targets)) as pool:
    json.dump([[*target, state] for target, state in zip(targets, pool.map(reached, targets)) if state], sys.stdout)
"""

# All that may be reached over TCP on inventories/small, by who may reach it; written down by hand, from what each
# application is for. SSH is for the controllers and the configuration server, on management addresses alone.
SSH = {(f"198.19.0.{number}", 22) for number in (11, 12, 13, 14)}
WEB = {("198.19.1.31", 80), ("198.19.1.32", 8080)}
DNS = {("198.19.1.53", 53)}
LOGS = {("198.19.1.10", 6514)}
DATABASE = {("198.19.1.21", 3306)}
AGENTS = {("198.19.0.11", 7443)}
EXPECTED = {
    CONTROLLER: SSH | WEB | DNS,
    "North": SSH | WEB | DNS | LOGS,
    "East": WEB | DNS | LOGS | AGENTS | DATABASE,
    "South": WEB | DNS | LOGS | AGENTS | DATABASE,
    "West": WEB | DNS | LOGS | AGENTS,
}
PORTS = [21, 22, 25, 53, 80, 123, 443, 514, 953, 1812, 1813, 3306, 5355, 6514, 7443, 8080, 9999]


@pytest.fixture(scope="module")
def listening(applied: Fleet) -> Iterator[Fleet]:
    """Let every server have something undeclared that listens on all addresses."""
    for server in applied.servers:
        applied.do(server, "systemd-run", "--unit=test-listener", "python3", "-m", "http.server", "9999")
    yield applied
    for server in applied.servers:
        applied.do(server, "systemctl", "stop", "test-listener.service")


def look(fleet: Fleet, source: str, targets: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return those of the targets that answer at all, be it by a refusal."""
    argv = ["python3", "-c", LOOK, json.dumps(targets)]
    done = fleet.lab.controller(argv) if source == CONTROLLER else fleet.lab.exec(source, argv)
    return {(address, port) for address, port, _ in json.loads(done.stdout)}


@pytest.mark.parametrize("source", [CONTROLLER, "North", "East", "South", "West"])
def test_only_declared_ports_answer(listening: Fleet, source: str) -> None:
    own = listening.addresses(source) if source != CONTROLLER else set()
    everybody = {address for server in listening.servers for address in listening.addresses(server)}
    others = sorted(everybody - own - {"127.0.0.1"})
    found = look(listening, source, [(address, port) for address in others for port in PORTS])
    assert found == {(address, port) for address, port in EXPECTED[source] if address not in own}


def test_a_server_that_is_no_client_gets_no_answer_from_a_billing_engine(applied: Fleet) -> None:
    """West has the secret, and runs nothing that may ask; South runs an engine and is no client either."""
    argv = ["radclient", "-r", "1", "-t", "2", "198.19.1.11:1812", "auth", applied.radius_secret]
    call = "User-Name=1001,Called-Station-Id=4412345,Acct-Session-Id=from-elsewhere\n"
    for server in ("West", "South"):
        done = applied.lab.exec(server, argv, stdin=call)
        assert done.returncode == 1
        assert "Sent Access-Request" in done.stdout
        assert "Received" not in done.stdout
    assert "Access-Accept" in applied.radius("198.19.1.11", "1001")


def test_rules_that_shut_the_controller_out_are_put_back(small: Fleet) -> None:
    """Somebody mistypes the address of the controllers: no new connection comes through, so the rules go back."""
    before = all_traces(small)
    small.edit("installation.yml", "  - 198.19.0.250/32", "  - 198.19.0.251/32")
    shown = small.tandem("apply", status=1)
    assert failures(shown).keys() == {"North"}
    assert "no new connection came through within 30 s" in failures(shown)["North"]
    assert "North: putting everything back" in shown
    assert "Not on configuration" in shown
    assert files(all_traces(small)) == files(before)
    rules = small.do("North", "nft", "list", "table", "inet", "tandem")
    assert "198.19.0.250" in rules
    assert "198.19.0.251" not in rules
    assert look(small, CONTROLLER, [("198.19.0.11", 22)]) == {("198.19.0.11", 22)}


def test_the_firewall_follows_a_port(small: Fleet) -> None:
    small.write(
        "options/database_suite.yml",
        (small.directory / "options/database_suite.yml").read_text() + "  listen:\n    port: 3307\n",
    )
    small.tandem("apply")
    assert look(small, "South", [("198.19.1.21", 3306), ("198.19.1.21", 3307)]) == {("198.19.1.21", 3307)}
    assert "Session-Timeout = 2000" in small.radius("198.19.1.12", "1001")
