"""Power: what a server loses with it, and how it comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lab import Lab, LabError
from lab.cgroups import Group
from tests.lab.conftest import alive, ssh, until


def boots(lab: Lab, server: str) -> int:
    return int(lab.server(server).power()["boots"])


def test_a_cut_server_is_off_at_once_and_keeps_its_disk(lab: Lab) -> None:
    lab.exec("Alpha", ["sh", "-c", "echo kept > /root/note; sync; echo lost > /run/note"])
    card = lab.exec("Alpha", ["cat", "/sys/class/net/eth0/address"]).stdout
    processes = lab.server("Alpha").group.processes()
    lab.cut("Alpha")
    assert lab.server("Alpha").state() == "off"
    assert alive(processes) == []
    assert lab.server("Alpha").power()["how"] == "power cut"
    assert (lab.path("Alpha") / "root/note").read_text() == "kept\n"
    lab.on("Alpha")
    lab.wait(["Alpha"])
    assert lab.exec("Alpha", ["cat", "/root/note"]).stdout == "kept\n"
    assert lab.exec("Alpha", ["cat", "/run/note"]).returncode != 0
    assert lab.exec("Alpha", ["cat", "/sys/class/net/eth0/address"]).stdout == card


def test_a_server_that_shuts_down_stays_off(lab: Lab) -> None:
    lab.off("Alpha")
    assert lab.server("Alpha").state() == "off"
    assert lab.server("Alpha").power()["how"] == "shut down"
    with pytest.raises(LabError, match="Alpha: is off and cannot run a command; switch it on first"):
        lab.exec("Alpha", ["true"])


def test_a_reboot_from_inside_comes_back_by_itself(lab: Lab) -> None:
    before = boots(lab, "Alpha")
    lab.exec("Alpha", ["systemctl", "reboot"])
    assert until(lambda: boots(lab, "Alpha") == before + 1, seconds=60)
    lab.wait(["Alpha"])
    assert lab.server("Alpha").state() == "on"


def test_a_hanging_server_accepts_and_says_nothing(lab: Lab) -> None:
    lab.hang("Alpha")
    assert lab.server("Alpha").state() == "hanging"
    assert lab.controller(["nc", "-z", "-w", "2", "198.18.0.11", "22"]).returncode == 0, "its kernel does not answer"
    with pytest.raises(LabError, match=r"Alpha: sshd does not answer at 198.18.0.11"):
        lab.wait(["Alpha"], timeout=1)
    with pytest.raises(LabError, match=r"Alpha: is hanging .* resume it first"):
        lab.off("Alpha")
    lab.resume("Alpha")
    lab.wait(["Alpha"])


def test_a_hanging_server_can_be_cut(lab: Lab) -> None:
    lab.hang("Alpha")
    lab.cut("Alpha")
    assert lab.server("Alpha").state() == "off"


def test_a_reset_server_is_as_from_the_factory_and_known_by_its_key(lab: Lab) -> None:
    lab.exec("Alpha", ["sh", "-c", "echo changed > /etc/note; rm /etc/hosts"])
    lab.reset("Alpha")
    lab.wait(["Alpha"])
    assert boots(lab, "Alpha") == 1
    assert lab.exec("Alpha", ["cat", "/etc/note"]).returncode != 0
    assert "Alpha" in lab.exec("Alpha", ["cat", "/etc/hosts"]).stdout
    assert ssh(lab, ["Alpha", "hostname"]).stdout == "Alpha\n"


def test_a_server_whose_wrapper_was_killed_is_named_and_mended(lab: Lab) -> None:
    server = lab.server("Alpha")
    processes = server.group.processes()
    for pid in Group(lab.name, "wrappers").processes():
        if str(server.paths.boot) in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGKILL)
    assert until(lambda: not server.has_power())
    assert server.state() == "stray"
    lab.up()
    assert server.state() == "on"
    assert alive(processes) == []
    assert lab.exec("Alpha", ["hostname"]).stdout == "Alpha\n"


def test_waiting_for_a_server_that_is_off_ends_at_once_and_says_where_its_console_is(lab: Lab) -> None:
    lab.cut("Alpha")
    with pytest.raises(LabError) as error:
        lab.wait(["Alpha", "Beta"], timeout=60)
    assert str(error.value).startswith("Alpha: is off (power cut); its console, ")
    assert str(lab.server("Alpha").paths.console) in str(error.value)
    assert "Beta" not in str(error.value)
