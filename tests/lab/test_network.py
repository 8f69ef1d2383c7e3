"""Networks: what reaches what, and how it is broken."""

from __future__ import annotations

import json

import pytest

from lab import Lab, LabError, namespaces
from lab import status as looking
from lab.run import run
from tests.lab.conftest import pings, reaches, ssh, until

ALPHA, BETA = "198.18.0.11", "198.18.8.11"


def test_sites_reach_each_other_through_their_routers(lab: Lab) -> None:
    assert reaches(lab, "Alpha", BETA)
    assert reaches(lab, "Beta", ALPHA)
    hops = lab.exec("Alpha", ["ping", "-c", "1", "-t", "1", BETA]).stdout
    assert "From 198.18.0.1 " in hops, f"the first hop is not the site's router: {hops}"


def test_a_router_has_an_address_that_no_cable_lends_it(lab: Lab) -> None:
    """A cable's goes away when its server is off, and the neighbours would look for the router in vain for a while."""
    links = json.loads(run(["ip", "-json", "-n", namespaces.site(lab.name, "primary"), "link"]).stdout)
    bridges = {link["ifname"]: link["address"] for link in links if link["ifname"].startswith("br")}
    assert bridges.keys() >= {"br0"}
    assert not set(bridges.values()) & {link["address"] for link in links if link["ifname"] not in bridges}


def test_nothing_leads_out_of_the_lab(lab: Lab) -> None:
    """The machine's own network has no part of a lab, and the lab's routers know no way but to each other."""
    for namespace in namespaces.of_lab(lab.name):
        assert "default" not in run(["ip", "-n", namespace, "route"]).stdout or namespace.endswith((".Alpha", ".Beta"))
    assert lab.exec("Alpha", ["ping", "-c", "1", "-W", "1", "198.19.255.1"]).returncode != 0
    assert "198.18." not in run(["ip", "addr"]).stdout + run(["ip", "route"]).stdout


def test_the_controller_has_a_leg_in_each_site_and_reaches_service_addresses(lab: Lab) -> None:
    addresses = lab.controller(["ip", "-brief", "-4", "addr"]).stdout
    assert "198.18.0.250/24" in addresses
    assert "198.18.8.249/24" in addresses, "not the first address of a network of controllers"
    lab.exec("Alpha", ["ip", "addr", "replace", "198.18.1.11/24", "dev", "eth0"])
    lab.exec("Beta", ["ip", "addr", "replace", "198.18.10.11/24", "dev", "eth1"])
    lab.exec("Beta", ["ip", "link", "set", "eth1", "up"])
    for address in ("198.18.1.11", "198.18.10.11"):
        assert lab.controller(["ping", "-c", "1", "-W", "2", address], tools=True).returncode == 0, address
    assert reaches(lab, "Alpha", "198.18.10.11")


def test_an_unplugged_server_is_out_of_reach_until_plugged_in_also_over_a_boot(lab: Lab) -> None:
    lab.unplug("Alpha")
    assert not pings(lab, "Alpha", "198.18.0.1")
    with pytest.raises(LabError, match="Alpha: sshd does not answer"):
        lab.wait(["Alpha"], timeout=1)
    lab.cut("Alpha")
    lab.on("Alpha")
    with pytest.raises(LabError, match="Alpha: sshd does not answer"):
        lab.wait(["Alpha"], timeout=4)
    assert "cable is out" in next(server for server in looking.look(lab).servers if server.name == "Alpha").wrong
    lab.plug("Alpha")
    lab.wait(["Alpha"])


def test_a_partition_stops_both_ways_and_leaves_the_controller_its_legs(lab: Lab) -> None:
    lab.partition("primary", "secondary")
    assert not pings(lab, "Alpha", BETA)
    assert not pings(lab, "Beta", ALPHA)
    lab.wait()
    assert set(looking.look(lab).partitions) == {("primary", "secondary"), ("secondary", "primary")}
    lab.partition("primary", "secondary")
    lab.heal("secondary", "primary")
    assert reaches(lab, "Alpha", BETA)
    assert not looking.look(lab).partitions


def test_a_one_way_partition_loses_only_what_the_first_site_sends(lab: Lab) -> None:
    lab.partition("primary", "secondary", one_way=True)
    for server in ("Alpha", "Beta"):
        lab.exec(server, ["sh", "-c", "timeout 60 nc -u -l 4000 >/root/received 2>&1 &"])
        assert until(lambda name=server: ":4000" in lab.exec(name, ["ss", "-uln"]).stdout)
    for server, address in (("Alpha", BETA), ("Beta", ALPHA)):
        lab.exec(server, ["sh", "-c", f"echo {server} | nc -u -q 1 {address} 4000"])
    assert until(lambda: lab.exec("Alpha", ["cat", "/root/received"]).stdout == "Beta\n")
    assert lab.exec("Beta", ["cat", "/root/received"]).stdout == ""


def test_ssh_knows_the_servers_by_name_and_address_also_by_a_new_one(lab: Lab) -> None:
    assert ssh(lab, ["Alpha", "hostname"]).stdout == "Alpha\n"
    assert ssh(lab, [BETA, "sudo", "-n", "id", "-u"]).stdout == "0\n"
    lab.exec("Alpha", ["ip", "addr", "add", "198.18.0.99/24", "dev", "eth0"])
    assert ssh(lab, ["198.18.0.99", "hostname"]).stdout == "Alpha\n"


def test_ssh_refuses_a_server_with_a_strangers_key(lab: Lab) -> None:
    key = "/etc/ssh/ssh_host_ed25519_key"
    lab.exec("Alpha", ["sh", "-c", f"rm {key}*; ssh-keygen -q -t ed25519 -N '' -f {key}; systemctl restart ssh"])
    lab.wait(["Alpha"])
    refused = ssh(lab, ["Alpha", "hostname"])
    lab.reset("Alpha")
    assert refused.returncode != 0
    assert "Host key verification failed" in refused.stderr
