"""Several installations in one lab: all that each has, and a refusal where they would collide."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import Lab, LabError, paths, topology

INSTALLATION = """
name: {name}
controllers: [198.18.{net}.250/32]
sites:
  {site}:
    networks:
      management: {{network: 198.18.{net}.0/24}}
servers:
  {server}: {{site: {site}, address: 198.18.{net}.11, memory: 1GiB}}
"""


def inventory(directory: Path, name: str, site: str, server: str, net: int) -> Path:
    """Write an inventory of one site with one server, and return its directory."""
    (directory / name).mkdir()
    text = INSTALLATION.format(name=name, site=site, server=server, net=net)
    (directory / name / "installation.yml").write_text(text)
    return directory / name


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return inventory(tmp_path, "shop", "here", "Alpha", 0)


def test_a_lab_has_the_sites_servers_and_controllers_of_all(shop: Path, tmp_path: Path) -> None:
    lab = Lab(shop, beside=[inventory(tmp_path, "maker", "there", "Vega", 16)])
    assert lab.name == "shop"
    assert list(lab.topology.sites) == ["here", "there"]
    assert list(lab.servers) == ["Alpha", "Vega"]
    assert list(lab.own.servers) == ["Alpha"]
    legs = [str(lab.topology.controller(site)) for site in lab.topology.sites.values()]
    assert legs == ["198.18.0.250/24", "198.18.16.250/24"]


@pytest.mark.parametrize(
    ("site", "server", "net", "message"),
    [
        ("here", "Vega", 16, "maker: site here is in the lab already; each needs a name of its own"),
        ("there", "Alpha", 16, "maker: server Alpha is in the lab already; each needs a name of its own"),
        (
            "there",
            "Vega",
            0,
            "maker: sites.there.networks.management: 198.18.0.0/24 overlaps with 198.18.0.0/24, which is in the lab",
        ),
    ],
)
def test_what_would_collide_is_refused(
    shop: Path, tmp_path: Path, site: str, server: str, net: int, message: str
) -> None:
    other = inventory(tmp_path, "maker", site, server, net)
    with pytest.raises(LabError, match=message):
        topology.together([topology.read(shop), topology.read(other)])


def test_what_is_remembered_counts_unless_something_else_is_given(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "STATE", tmp_path / "state")
    maker = inventory(tmp_path, "maker", "there", "Vega", 16)
    assert list(Lab(shop).servers) == ["Alpha"]
    (tmp_path / "state/shop").mkdir(parents=True)
    Lab(shop).paths.beside.write_text(json.dumps([str(maker)]))
    assert list(Lab(shop).servers) == ["Alpha", "Vega"]
    assert list(Lab(shop, beside=[]).servers) == ["Alpha"]
    with pytest.raises(LabError, match=f"Beta is not a server of {shop} and {maker}; these are: Alpha, Vega"):
        Lab(shop).server("Beta")
