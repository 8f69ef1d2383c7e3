"""The benchmark of compiling makes up what its page says, and would notice a wrong result."""

from __future__ import annotations

import pytest
import yaml

from bench.compile import Fleet
from bench.installation import Made, Sizes
from bench.naive import Naive

TINY = Sizes(
    servers=4, applications=2, options=50, environments=3, cluster=2, files=2, used=16, unions=3, own=0.1, tenant=0.06
)


def made(directory, sizes: Sizes = TINY) -> Made:
    made = Made(directory / "made", sizes)
    made.write()
    return made


def test_each_file_of_the_tree_sets_its_share_of_the_options(tmp_path):
    inventory = made(tmp_path).inventory
    layer = yaml.safe_load((inventory / "options/suite0/application0-1/instance-0-2.yml").read_text())
    tenants = layer.pop("environments")
    assert sum(len(options) for groups in layer.values() for options in groups.values()) == 5
    assert len(tenants) == 3
    whole = yaml.safe_load((inventory / "options/installation.yml").read_text())
    assert {name for name in whole if name != "environments"} == {"application0", "application1"}


def test_the_files_of_an_instance_read_as_many_options_as_they_should(tmp_path):
    templates = sorted((made(tmp_path).project / "roles/application1/templates").rglob("*.j2"))
    read = {word for file in templates for word in file.read_text().split() if word.startswith("options.")}
    assert (len(templates), len(read)) == (TINY.files, TINY.used)


def test_the_same_sizes_make_the_same_bytes(tmp_path):
    one, other = made(tmp_path / "one").directory, made(tmp_path / "other").directory
    files = {path.relative_to(one): path.read_bytes() for path in one.rglob("*") if path.is_file()}
    assert files == {path.relative_to(other): path.read_bytes() for path in other.rglob("*") if path.is_file()}


def test_a_small_fleet_is_measured_and_checked(tmp_path, monkeypatch):
    fleet = Fleet(made(tmp_path), tmp_path)
    assert fleet.same_whatever_the_cache() == 3
    assert fleet.same_as_naive(200) == 200
    suite, cluster, _, name, _ = next(iter(fleet.made.instances()))
    fleet.made.change((suite, cluster, name), 7)
    run = fleet.measure("one", 0, expected=1)
    assert (run.servers, run.scenario) == (4, "one")
    assert run.cpu
    with pytest.raises(RuntimeError, match="a plan of 2 changed options has 1"):
        fleet.measure("one", 0, expected=2)
    assert (fleet.weigh("cold").memory or 0) > 20
    monkeypatch.setattr(Naive, "value", lambda *_: "another")
    with pytest.raises(RuntimeError, match="and not another"):
        fleet.same_as_naive(1)
