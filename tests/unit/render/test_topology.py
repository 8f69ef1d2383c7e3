"""Who may reach whom: the firewall and the lists of clients that follow from what processes declare."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InputRefused
from tandem.render import render
from tandem.render.topology import Rule, Topology, widest
from tests.sample.project import Project

INSTALLATION = "inventories/sample/installation.yml"
APPLICATION = "roles/engine/meta/application.yml"


def rules(project: Project, server: str) -> dict[str, Rule]:
    model = project.model()
    return {rule.comment: rule for rule in Topology(model).firewall(model.installation.servers[server])}


def clients(project: Project) -> dict[str, str]:
    model = project.model()
    process = model.applications["engine"].declaration.processes["engined"]
    found = Topology(model).clients(process, model.installation.instances["engine-1"])
    return {client.address: client.name for client in found}


def test_only_what_is_declared_is_open_and_only_to_declared_peers(project: Project) -> None:
    assert rules(project, "Beta") == {
        "Beta sshd ssh": Rule("tcp", "198.18.0.12", 22, ("198.18.0.10/32", "198.18.0.250/32"), "Beta sshd ssh"),
        "Beta chronyd ntp": Rule(
            "udp",
            "198.18.0.12",
            123,
            tuple(f"198.18.{end}/32" for end in ("0.10", "0.11", "0.12", "0.13", "1.11", "1.12", "1.21")),
            "Beta chronyd ntp",
        ),
        "engine-2 engined request": Rule(
            "udp",
            "198.18.1.12",
            1812,
            tuple(f"198.18.{end}/32" for end in ("0.11", "0.12", "0.250", "1.11", "1.12", "1.21")),
            "engine-2 engined request",
        ),
        "database-1 databased mysql": Rule(
            "tcp",
            "198.18.1.21",
            3306,
            tuple(f"198.18.{end}/32" for end in ("0.11", "0.12", "1.11", "1.12", "1.21")),
            "database-1 databased mysql",
        ),
    }


def test_the_port_is_that_of_the_instances_option(project: Project) -> None:
    project.write("inventories/sample/options/suite/engines/engine-2.yml", "engine: {listen: {port: 1900}}")
    assert rules(project, "Beta")["engine-2 engined request"].port == 1900
    assert rules(project, "Alpha")["engine-1 engined request"].port == 1812


def test_a_port_that_an_option_turns_off_is_not_open(project: Project) -> None:
    assert "engine-1 engined control" not in rules(project, "Alpha")
    project.write("inventories/sample/options/suite/engines/engine-1.yml", "engine: {listen: {control: true}}")
    assert rules(project, "Alpha")["engine-1 engined control"].port == 5000
    assert "engine-2 engined control" not in rules(project, "Beta")


def test_a_process_without_any_client_is_not_open(project: Project) -> None:
    project.edit(APPLICATION, "clients: [engine]", "clients: []")
    project.write("inventories/sample/options/installation.yml", "")
    assert "engine-1 engined request" not in rules(project, "Alpha")


def test_a_moved_instance_is_followed_by_the_rules_of_those_it_talks_to(project: Project) -> None:
    project.edit(
        INSTALLATION,
        "engine-1: {server: Alpha, address: 198.18.1.11}",
        "engine-1: {server: Gamma, address: 198.18.1.13}",
    )
    sources = rules(project, "Beta")["database-1 databased mysql"].sources
    assert sources == tuple(f"198.18.{end}/32" for end in ("0.12", "0.13", "1.12", "1.13", "1.21"))


def test_clients_are_instances_their_servers_and_what_an_option_adds(project: Project) -> None:
    assert clients(project) == {
        "198.18.0.11/32": "Alpha",
        "198.18.0.12/32": "Beta",
        "198.18.0.250/32": "198.18.0.250/32",
        "198.18.1.11/32": "engine-1",
        "198.18.1.12/32": "engine-2",
    }


@pytest.mark.parametrize(("word", "address"), [("everyone", "0.0.0.0/0"), ("controllers", "198.18.0.250/32")])
def test_everyone_and_controllers_are_networks(project: Project, word: str, address: str) -> None:
    project.edit(APPLICATION, "clients: [engine]", f"clients: [{word}]")
    project.write("inventories/sample/options/installation.yml", "")
    assert clients(project) == {address: word}
    assert rules(project, "Alpha")["engine-1 engined request"].sources == (address,)


def test_the_runner_of_a_site_is_let_in_by_the_servers_of_its_site_only(project: Project) -> None:
    before = rules(project, "Beta")["Beta sshd ssh"].sources
    project.edit(INSTALLATION, "    kind: primary\n", "    kind: primary\n    runner: Gamma\n")
    assert rules(project, "Beta")["Beta sshd ssh"].sources == before, "nothing that names no runner lets it in"
    project.edit("roles/base/meta/application.yml", "[controllers, configuration_server]", "[controllers, runner]")
    assert rules(project, "Beta")["Beta sshd ssh"].sources == ("198.18.0.13/32", "198.18.0.250/32")
    there = "  there: {kind: secondary, networks: {management: {network: 198.18.8.0/24}}}\nservers:\n"
    project.edit(INSTALLATION, "servers:\n", there + "  Delta: {site: there, address: 198.18.8.11}\n")
    assert rules(project, "Delta")["Delta sshd ssh"].sources == ("198.18.0.250/32",)


def test_a_network_swallows_what_lies_in_it(project: Project) -> None:
    project.edit("inventories/sample/options/installation.yml", "[198.18.0.250/32]", "[198.18.0.0/15]")
    assert rules(project, "Alpha")["engine-1 engined request"].sources == ("198.18.0.0/15",)


def test_rules_that_would_shut_a_controller_out_are_refused(project: Project) -> None:
    project.edit(
        "roles/base/meta/application.yml", "clients: [controllers, configuration_server]", "clients: [servers]"
    )
    with pytest.raises(InputRefused) as refused:
        render(project.model(), project.decrypt())
    assert [str(problem) for problem in refused.value.problems] == [
        f"installation.yml:3: {server}: its firewall would shut out the controllers 198.18.0.250/32; "
        "nothing could manage it any more"
        for server in ("Alpha", "Beta", "Gamma", "Omega")
    ]


NETWORKS = st.lists(
    st.builds(
        lambda number, prefix: IPv4Network((number << 24, prefix), strict=False), st.integers(0, 7), st.integers(1, 12)
    )
)


@given(NETWORKS)
def test_the_widest_networks_cover_the_same_and_never_overlap(networks: list[IPv4Network]) -> None:
    kept = widest(networks)
    assert all(any(network.subnet_of(wide) for wide in kept) for network in networks)
    assert set(kept) <= set(networks)
    assert not any(one.overlaps(other) for one in kept for other in kept if one != other)
    assert kept == sorted(kept)
