"""Addresses that change, and instances that move: everything that names them follows in the same apply."""

import json

from tests.fleet.fleet import Fleet, eventually
from tests.fleet.traces import files, traces

ZONE = "example.tandem.internal"
BILLING = {"Alpha": "198.18.1.11", "Beta": "198.18.1.12", "Lambda": "198.18.9.11"}


def name(fleet: Fleet, of: str, server: str = "198.18.1.53") -> str:
    """Ask a name server for an address."""
    return fleet.from_controller("dig", "+short", f"@{server}", f"{of}.{ZONE}").strip()


def rules(fleet: Fleet, server: str) -> str:
    """Return the firewall's rules that are in force."""
    return fleet.do(server, "nft", "list", "table", "inet", "tandem")


def pings(fleet: Fleet, address: str) -> bool:
    return fleet.lab.controller(["ping", "-q", "-c", "1", "-W", "1", address]).returncode == 0


def test_a_service_address_changes_and_its_clients_follow(example: Fleet) -> None:
    example.edit("installation.yml", "server: Beta, address: 198.18.1.21", "server: Beta, address: 198.18.1.22")
    example.tandem("apply")
    assert example.addresses("Beta") >= {"198.18.1.22", "198.18.1.12"}
    assert "198.18.1.21" not in example.addresses("Beta")
    assert not pings(example, "198.18.1.21")
    for server, address in BILLING.items():
        assert "198.18.1.22" in example.text(server, f"/etc/freeradius/{instance(server)}/radiusd.conf")
        assert "Session-Timeout = 2000" in example.radius(address, "1001")
    assert name(example, "database-main") == "198.18.1.22"
    assert name(example, "database-main", "198.18.9.53") == "198.18.1.22"
    assert "ip daddr 198.18.1.22 tcp dport 3306" in rules(example, "Beta")
    assert "198.18.1.21" not in rules(example, "Beta")
    assert not any("198.18.1.21" in example.do(server, "cat", "/etc/hosts") for server in example.servers)


def test_the_management_address_of_a_server_changes(example: Fleet) -> None:
    """Lambda's billing engine connects to the database from whichever address the kernel prefers."""
    example.edit("installation.yml", "address: 198.18.8.12,", "address: 198.18.8.22,")
    example.tandem("apply")
    assert "198.18.8.22" in example.addresses("Lambda")
    assert eventually(lambda: "198.18.8.12" not in example.addresses("Lambda"))
    shown = json.loads(example.do("Lambda", "ip", "-json", "-4", "address", "show", "scope", "global"))
    assert all("broadcast" in address for link in shown for address in link["addr_info"]), "or networkd spins"
    assert "198.18.8.22" in rules(example, "Beta")
    assert "198.18.8.12" not in rules(example, "Beta")
    assert name(example, "Lambda.servers") == "198.18.8.22"
    assert "198.18.8.22" in example.text("Alpha", "/etc/hosts")
    assert "Session-Timeout = 2000" in example.radius(BILLING["Lambda"], "1001")
    assert "0 servers changed" in example.tandem("apply")
    example.lab.unplug("Lambda")
    example.lab.plug("Lambda")
    assert eventually(lambda: "Session-Timeout = 2000" in example.radius(BILLING["Lambda"], "1001"))
    assert "198.18.8.12" not in example.addresses("Lambda"), "networkd would bring back what it has read long ago"


def test_the_management_address_of_the_configuration_server_changes(example: Fleet) -> None:
    """The store is on it: the run that moves it goes on, and the next one finds it."""
    text = (example.directory / "installation.yml").read_text()
    example.write(
        "installation.yml", text.replace("198.18.0.10,", "198.18.0.20,").replace("198.18.0.10}", "198.18.0.20}")
    )
    shown = example.tandem("apply")
    assert shown.splitlines()[-1].endswith("is active.")
    assert "198.18.0.20" in example.addresses("Omega")
    assert eventually(lambda: "198.18.0.10" not in example.addresses("Omega"))
    assert not pings(example, "198.18.0.10")
    for server in ("Alpha", "Lambda"):
        assert "198.18.0.20" in rules(example, server)
        assert "198.18.0.10" not in rules(example, server).replace("198.18.0.10/", "")
    assert "198.18.0.20" in example.text("Gamma", "/etc/chrony/tandem.conf")
    assert name(example, "Omega.servers") == "198.18.0.20"
    assert "0 servers changed" in example.tandem("apply")
    assert "0 servers changed" in example.tandem("apply", XDG_CACHE_HOME=str(example.directory / "nothing-remembered"))


def test_a_billing_engine_moves_by_one_word_and_leaves_nothing_behind(example: Fleet) -> None:
    other = example.active()
    example.edit("installation.yml", "billing-1: {server: Alpha,", "billing-1: {server: Iota,")
    plan = example.json("plan")["results"]["plan"][-1]["plan"]
    [moved] = plan["instances"]
    assert (moved["name"], moved["old"]["server"], moved["new"]["server"]) == ("billing-1", "Alpha", "Iota")
    example.tandem("apply")

    assert "198.18.1.11" in example.addresses("Iota")
    assert "198.18.1.11" not in example.addresses("Alpha")
    assert "Session-Timeout = 2000" in example.radius("198.18.1.11", "1001")
    assert example.units("Iota")["billing-engine@billing-1.service"]["ActiveState"] == "active"
    left = {path for path in traces(example, "Alpha") if "billing" in path}
    assert left == set()
    running = example.do("Alpha", "systemctl", "list-units", "--all", "--plain", "--no-legend", "billing*")
    assert running == ""
    assert example.lab.exec("Alpha", ["pgrep", "freeradius"]).returncode == 1
    # Alpha has become what Sigma always was: a server without instances
    mine, theirs = (files({server: traces(example, server)})[server] for server in ("Alpha", "Sigma"))
    assert mine.keys() == theirs.keys()

    example.tandem("rollback", str(other))
    assert "Session-Timeout = 2000" in example.radius("198.18.1.11", "1001")
    assert "198.18.1.11" not in example.addresses("Iota")


def test_addresses_that_two_servers_swap_are_never_on_both(example: Fleet) -> None:
    example.edit("installation.yml", "server: Gamma, address: 198.18.1.31", "server: Gamma, address: 198.18.1.32")
    example.edit(
        "installation.yml",
        "web-2: {server: Epsilon, address: 198.18.1.32",
        "web-2: {server: Epsilon, address: 198.18.1.31",
    )
    steps = [
        step
        for wave in json.loads(example.tandem("plan", "--json"))["results"]["plan"][-1]["plan"]["waves"]
        for step in wave["steps"]
    ]
    assert [step["hold"] for step in steps if step["hold"]] != []
    example.tandem("apply")
    assert "198.18.1.32" in example.addresses("Gamma") - example.addresses("Epsilon")
    assert "198.18.1.31" in example.addresses("Epsilon") - example.addresses("Gamma")
    assert "<h1>web-1</h1>" in example.from_controller("curl", "-s", "-m", "5", "http://198.18.1.32/")
    assert "<h1>web-2</h1>" in example.from_controller("curl", "-s", "-m", "5", "http://198.18.1.31/")


def instance(server: str) -> str:
    """Return the billing engine of a server."""
    return {"Alpha": "billing-1", "Beta": "billing-2", "Lambda": "billing-3"}[server]
