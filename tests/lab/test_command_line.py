"""The command line: what it prints, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab import Lab, prerequisites
from tests.lab.conftest import command


def on(lab: Lab, verb: str, *words: str) -> tuple[int, str]:
    """Run a command on a lab and return its exit status and what it printed."""
    done = command(verb, "-i", str(lab.inventory), "--name", lab.name, *words)
    return done.returncode, done.stdout + done.stderr


def test_everything_a_machine_lacks_is_named_in_one_message(tiny: Path, tmp_path: Path) -> None:
    done = command("up", "-i", str(tiny), env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "apt-get install --no-install-recommends " in done.stderr
    assert not [package for package in prerequisites.PACKAGES.values() if package not in done.stderr]
    assert "Traceback" not in done.stderr


def test_status_is_a_table_and_json(lab: Lab) -> None:
    lab.cut("Beta")
    result, table = on(lab, "status")
    assert result == 0
    assert [line.split()[:4] for line in table.splitlines()[1:3]] == [
        ["Alpha", "primary", "198.18.0.11", "on"],
        ["Beta", "secondary", "198.18.8.11", "off"],
    ]
    assert f"lab {lab.name} ({lab.inventory}): 1 of 2 servers are well" in table
    facts = json.loads(on(lab, "status", "--json")[1])
    assert [(server["name"], server["state"], server["ssh"]) for server in facts["servers"]] == [
        ("Alpha", "on", True),
        ("Beta", "off", False),
    ]
    assert facts["servers"][1]["wrong"] == ["power cut"]


def test_status_names_units_that_failed(lab: Lab) -> None:
    lab.exec("Alpha", ["systemd-run", "--unit=broken", "--wait", "false"])
    assert "failed: broken.service" in on(lab, "status")[1]
    lab.exec("Alpha", ["systemctl", "reset-failed"])


def test_the_verbs_that_run_something_pass_its_exit_status(lab: Lab) -> None:
    assert on(lab, "exec", "Alpha", "--", "sh", "-c", "id -un; exit 7") == (7, "root\n")
    assert on(lab, "ssh", "Alpha", "id", "-un", ";", "exit", "7") == (7, "ansible\n")
    assert on(lab, "controller", "sh", "-c", "exit 7") == (7, "")
    assert on(lab, "controller", "--tools", "cat", "/etc/hostname") == (0, "lab\n")
    assert on(lab, "controller", "--tools", "touch", "/etc/note")[0] != 0, "the base root of all servers was written to"
    assert "boot 1 at" in on(lab, "console", "Alpha")[1]


def test_a_command_that_takes_too_long_is_killed_on_the_server(lab: Lab) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        lab.exec("Alpha", ["sh", "-c", "exec sleep 432"], timeout=1)
    assert lab.exec("Alpha", ["pgrep", "-f", "sleep 432"]).stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["status", "-i", "/nonexistent"], "lab: /nonexistent: there is no such file; give an inventory directory"),
        (["cut", "-i", "{tiny}", "Gamma"], "lab: Gamma is not a server of {tiny}; these are: Alpha, Beta"),
        (
            ["heal", "-i", "{tiny}", "--name", "test-none", "primary", "north"],
            "lab: lab test-none is down; bring it up",
        ),
        (["ssh", "-i", "{tiny}", "--name", "test-none", "Alpha"], "lab: lab test-none is down; bring it up first"),
        (["wait", "-i", "{tiny}", "--name", "test-none"], "lab: lab test-none is down; bring it up first"),
        (["up", "-i", "{tiny}", "--name", "a b"], "lab: a b: a lab's name has letters, digits, - and _, at most 30"),
        (
            ["up", "-i", "{broken}"],
            "lab: {broken}: servers.Beta: address 198.18.9.11 is not in secondary's 198.18.8.0/24",
        ),
        (["up", "-i", "{lacking}"], "lab: {lacking}: address is missing"),
        (["up", "-i", "{garbled}"], "lab: {garbled}: "),
    ],
)
def test_a_mistake_is_told_in_words(tiny: Path, tmp_path: Path, words: list[str], message: str) -> None:
    text = tiny.read_text()
    files = {
        "tiny": text,
        "broken": text.replace("198.18.8.11", "198.18.9.11"),
        "lacking": text.replace("address: 198.18.8.11, ", ""),
        "garbled": text + "  : [",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    places = {name: str(tmp_path / name) for name in files}
    done = command(*(word.format(**places) for word in words))
    assert done.returncode == 1
    assert done.stderr.startswith(message.format(**places))
    assert "Traceback" not in done.stderr
    assert not os.path.exists("/var/lib/tandem-lab/test-none")
