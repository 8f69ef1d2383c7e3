"""Look into every server of the small installation after it has been applied."""

import pytest
from testinfra.host import Host

# What each server is for, written down by hand from inventories/small/installation.yml.
UNITS = {
    "North": {"log-server@logs-1"},
    "East": {"database@database-main", "billing-engine@billing-1"},
    "South": {"dns@dns-1", "billing-engine@billing-2"},
    "West": {"web@web-1", "web@web-2"},
}
SOCKETS = {
    "North": {"tcp://198.19.1.10:6514", "udp://198.19.0.11:123"},
    "East": {"tcp://198.19.1.21:3306", "udp://198.19.1.11:1812", "udp://198.19.1.11:1813"},
    "South": {"tcp://198.19.1.53:53", "udp://198.19.1.53:53", "udp://198.19.1.12:1812"},
    "West": {"tcp://198.19.1.31:80", "tcp://198.19.1.32:8080"},
}
testinfra_hosts = [f"ssh://{name}?ssh_config=/var/lib/tandem-lab/molecule/ssh_config&sudo=true" for name in UNITS]
OF_EVERY_SERVER = {"nftables", "ssh", "tandem-sysctl", "tandem-time", "tandem-log"}


@pytest.fixture
def name(host: Host) -> str:
    """Return the server's name, which it gives itself too."""
    inventory_name = str(host.backend.get_hostname())
    assert host.check_output("hostname") == inventory_name
    return inventory_name


def test_its_units_run_and_no_other_servers_do(host: Host, name: str) -> None:
    active = host.check_output("systemctl list-units --type=service --state=active --plain --no-legend")
    running = {line.split()[0].removesuffix(".service") for line in active.splitlines()}
    assert UNITS[name] | OF_EVERY_SERVER <= running
    assert not running & (set().union(*UNITS.values()) - UNITS[name])
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


def test_it_listens_on_its_own_service_addresses(host: Host, name: str) -> None:
    assert {socket for socket in SOCKETS[name] if not host.socket(socket).is_listening} == set()


def test_secrets_are_for_root_and_their_daemon_alone(host: Host) -> None:
    key = host.file("/etc/tandem/log/key.pem")
    assert (key.user, key.mode) == ("root", 0o600)
    store = host.file("/var/lib/tandem")
    assert (store.user, store.mode) == ("root", 0o700)


def test_a_database_answers_a_billing_engine_only_to_who_may_ask(host: Host, name: str) -> None:
    """The firewall decides by address: both billing engines' servers, and nobody else, reach the database."""
    reaches = host.run("timeout 2 bash -c '</dev/tcp/198.19.1.21/3306'").succeeded
    assert reaches == (name in {"East", "South"})
