"""A lab's life: up, up again, killed half way, down, and nothing of it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import Lab, host, namespaces
from lab.paths import NAMESPACES
from tests.lab.conftest import ROOT, alive, command, pings, reaches


def left(lab: Lab) -> list[str]:
    """Return everything on the machine that bears the lab's name, its files aside."""
    found = [name for name in os.listdir(NAMESPACES) if lab.name in name]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if lab.name in line]
    groups = os.walk("/sys/fs/cgroup")  # passes over those of other labs that vanish meanwhile
    found += [directory for directory, _, _ in groups if directory.endswith(f"/{lab.name}")]
    for process in Path("/proc").iterdir():
        try:
            words = (process / "cmdline").read_text() if process.name.isdigit() else ""
            mounts = (process / "mounts").read_text() if process.name.isdigit() else ""
        except OSError:
            continue
        if lab.name in words or lab.name in mounts:
            found.append(f"process {process.name}: {words}")
    return found


def test_down_leaves_nothing_but_disks_and_purge_not_even_these(alone: Lab) -> None:
    alone.up()
    assert left(alone), "nothing to find: the search is blind"
    processes = [pid for server in alone.servers.values() for pid in server.group.processes()]
    argv = alone.in_controller(["sleep", "300"])
    with subprocess.Popen(argv) as client:
        alone.exec("Alpha", ["sh", "-c", "echo kept > /root/note; sync"])
        alone.down()
        assert client.wait(10) == -signal.SIGKILL
    assert left(alone) == []
    assert alive(processes) == []
    assert alone.server("Alpha").power()["how"] == "shut down"
    assert (alone.path("Alpha") / "root/note").read_text() == "kept\n"
    alone.down(purge=True)
    assert not alone.paths.top.exists()


def test_up_twice_touches_nothing(lab: Lab) -> None:
    before = {name: server.first_process() for name, server in lab.servers.items()}
    links = {name: namespaces.links(name) for name in namespaces.of_lab(lab.name)}
    lab.up()
    assert {name: server.first_process() for name, server in lab.servers.items()} == before
    assert {name: namespaces.links(name) for name in namespaces.of_lab(lab.name)} == links


def test_up_mends_everything_that_was_broken(lab: Lab) -> None:
    lab.cut("Alpha")
    lab.hang("Beta")
    lab.unplug("Beta")
    lab.partition("primary", "secondary")
    namespaces.batch(namespaces.site(lab.name, "primary"), ["addr flush dev br0", "link del controller"])
    lab.up()
    assert reaches(lab, "Alpha", "198.18.8.11")


@pytest.mark.parametrize("moment", ["-controller", "-wan", "-site.secondary", "-server.Alpha", "-server.Beta"])
@pytest.mark.parametrize("then", ["up", "down"])
def test_up_killed_half_way_is_completed_or_taken_away(alone: Lab, moment: str, then: str) -> None:
    """Kill -9 at the first sight of one of the namespaces that `up` makes, one after the other."""
    sign = NAMESPACES / f"tandem-{alone.name}{moment}"
    argv = [sys.executable, "-m", "lab", "up", "-i", str(alone.inventory), "--name", alone.name]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        end = time.monotonic() + 60
        while not sign.exists() and time.monotonic() < end:
            time.sleep(0.001)
        killed.kill()
    assert killed.returncode == -signal.SIGKILL, f"{sign} was not seen before `up` had ended"
    if then == "up":
        alone.up()
        assert reaches(alone, "Alpha", "198.18.8.11")
    alone.down(cut=True)
    assert left(alone) == []


def test_a_namespace_that_is_only_a_name_is_made_anew(alone: Lab) -> None:
    """That is what a killed `ip netns add` leaves."""
    NAMESPACES.mkdir(exist_ok=True)
    (NAMESPACES / namespaces.controller(alone.name)).touch()
    alone.up()
    alone.down(cut=True)
    assert left(alone) == []


def test_two_labs_of_one_installation_do_not_see_each_other(lab: Lab, named: Callable[[str], Lab]) -> None:
    other = named("other")
    try:
        other.up()
        lab.exec("Alpha", ["touch", "/root/mine"])
        assert other.exec("Alpha", ["test", "-e", "/root/mine"]).returncode != 0
        other.cut("Alpha")
        other.unplug("Beta")
        other.partition("primary", "secondary")
        lab.wait()
        assert reaches(lab, "Alpha", "198.18.8.11")
        assert not pings(other, "Beta", "198.18.0.11")
    finally:
        other.down(purge=True)
    assert left(other) == []
    lab.wait()


def test_down_needs_the_name_only(named: Callable[[str], Lab], tmp_path: Path) -> None:
    lab = named("gone")
    lab.up()
    done = command("down", "-i", str(tmp_path / "installation.yml"), "--name", lab.name, "--purge")
    assert (done.returncode, done.stderr) == (0, "")
    assert left(lab) == []


def test_a_server_taken_out_of_the_installation_is_cut(alone: Lab, tiny: Path, tmp_path: Path) -> None:
    alone.up()
    smaller = tmp_path / "installation.yml"
    smaller.write_text("\n".join(line for line in tiny.read_text().splitlines() if "Beta:" not in line))
    Lab(smaller, alone.name).up()
    assert alone.server("Beta").state() == "off"
    assert alone.server("Alpha").state() == "on"


def test_the_machines_limit_is_put_back_with_the_last_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "STATE", tmp_path)
    monkeypatch.setattr(host, "BEFORE", tmp_path / "before")
    monkeypatch.setattr(host, "LIMIT", tmp_path / "limit")
    host.LIMIT.write_text("128\n")
    labs = ["tandem-x-controller"]
    monkeypatch.setattr(namespaces, "of_any_lab", lambda: labs)
    host.raise_limits()
    host.raise_limits()
    host.restore_limits()
    assert host.LIMIT.read_text() == "1024"
    labs.clear()
    host.restore_limits()
    assert host.LIMIT.read_text() == "128\n"
