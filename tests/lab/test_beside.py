"""A second installation in the same lab: reached from everywhere, and known to every command afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import Lab
from tests.lab.conftest import command, pings, reaches, ssh

OTHER = """
plugin: tandem.platform.installation
name: other
controllers: [198.18.16.250/32]
sites:
  outside:
    kind: primary
    networks:
      management: {network: 198.18.16.0/24}
servers:
  Vega: {site: outside, address: 198.18.16.10, cpus: 1, memory: 512MiB, disk: 4GiB}
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the inventory of an installation that stands outside both sites of the tiny one."""
    directory = tmp_path_factory.mktemp("other")
    (directory / "installation.yml").write_text(OTHER)
    return directory


def test_all_commands_know_the_servers_beside_and_so_does_the_next_up(alone: Lab, other: Path) -> None:
    where = ["-i", str(alone.inventory), "--name", alone.name]
    up = command("up", *where, "--beside", str(other))
    assert up.returncode == 0, up.stderr
    assert f"lab {alone.name} ({alone.inventory} and {other}): 3 of 3 servers are well" in up.stdout

    for server, address in (("Alpha", "198.18.16.10"), ("Beta", "198.18.16.10"), ("Vega", "198.18.8.11")):
        assert reaches(alone, server, address), f"{server} does not reach {address}"
    assert "198.18.16.250/24" in alone.controller(["ip", "-brief", "-4", "addr"]).stdout
    assert ssh(alone, ["Vega", "hostname"]).stdout == "Vega\n"

    assert command("partition", *where, "primary", "outside").returncode == 0
    assert not pings(alone, "Alpha", "198.18.16.10")
    assert pings(alone, "Beta", "198.18.16.10")
    assert command("cut", *where, "Vega").returncode == 0
    assert command("up", *where).returncode == 0
    assert reaches(alone, "Alpha", "198.18.16.10")
    assert alone.server("Vega").power()["boots"] == 2


def test_a_server_that_both_have_is_refused_before_anything_is_made(alone: Lab) -> None:
    refused = command("up", "-i", str(alone.inventory), "--name", alone.name, "--beside", str(alone.inventory))
    assert refused.returncode == 1
    assert refused.stderr == "lab: tiny: site primary is in the lab already; each needs a name of its own\n"
    assert not alone.paths.top.exists()
