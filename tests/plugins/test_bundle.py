"""The ordinary module for one server: the same transaction, as Ansible expects a module to behave."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.fleet import ROOT, Fleet
from tests.plugins.conftest import Task

pytestmark = pytest.mark.lab

Json = dict[str, Any]
OLD, NEW, SECRET = b"colour = red\nsize = 1\n", b"colour = green\nsize = 1\n", b"password = open sesame\n"
FOLDER = "/etc/tandem-test"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def file(path: str, data: bytes, *, secret: bool = False) -> Json:
    """Return the entry of a file in a bundle."""
    who = {"owner": "root", "group": "root", "mode": "0600" if secret else "0644"}
    return {"path": path, "kind": "file", "digest": sha(data), "size": len(data), "secret": secret, **who}


def bundle(content: bytes, secret: bytes = SECRET, **more: object) -> Json:
    """Return the module's arguments for a bundle of two files."""
    entries = [file(f"{FOLDER}/plain.conf", content), file(f"{FOLDER}/secret.conf", secret, secret=True)]
    whole = {"format": 1, "installation": "small", "server": "West", "management": None, "files": entries}
    whole |= {"addresses": [], "units": [], "validators": [], **more}
    contents = {sha(data): base64.b64encode(data).decode() for data in (content, secret)}
    return {"bundle": whole, "contents": contents}


@pytest.fixture
def west(fleet: Fleet) -> Iterator[Fleet]:
    """Return an installation whose server West is on no configuration, and is put back afterwards."""
    fleet.lab.reset("West")
    fleet.lab.wait(["West"])
    yield fleet
    fleet.lab.reset("West")
    fleet.lab.wait(["West"])
    fleet.settle()


def run(task: Task, arguments: Json, *words: str, status: int = 0) -> Json:
    return task("bundle", *words, hosts="West", status=status, **arguments)


def text(fleet: Fleet, name: str) -> str:
    return fleet.lab.exec("West", ["cat", f"{FOLDER}/{name}"]).stdout


def test_the_module_brings_a_server_to_a_bundle(west: Fleet, task: Task) -> None:
    """One after the other: check mode, first run, second run, diff mode, a secret that changes, and removal."""
    checked = run(task, bundle(OLD), "--check")
    assert checked["changed"] is True
    assert [entry["action"] for entry in checked["files"]] == ["add", "add"]
    assert west.lab.exec("West", ["test", "-e", FOLDER]).returncode == 1
    assert west.lab.exec("West", ["test", "-e", "/var/lib/tandem/bundle.json"]).returncode == 1

    done = run(task, bundle(OLD))
    assert {key: done[key] for key in ("changed", "files", "units", "addresses")} == {
        key: checked[key] for key in ("changed", "files", "units", "addresses")
    }
    assert text(west, "plain.conf") == OLD.decode()
    assert west.do("West", "stat", "-c", "%a %U %G", f"{FOLDER}/secret.conf") == "600 root root\n"
    assert "changed=1" in task.output

    again = run(task, bundle(OLD))
    assert (again["changed"], again["files"]) == (False, [])
    assert "changed=0" in task.output

    differs = run(task, bundle(NEW), "--check", "--diff")
    [difference] = differs["diff"]
    assert (difference["before"], difference["after"]) == (OLD.decode(), NEW.decode())
    assert "-colour = red" in task.output
    assert "+colour = green" in task.output
    assert text(west, "plain.conf") == OLD.decode()

    hidden = run(task, bundle(NEW, b"password = something else\n"), "--diff", "-vvv")
    assert hidden["changed"] is True
    assert f"change {FOLDER}/secret.conf" in str(hidden["diff"])
    assert "sesame" not in str(hidden)
    assert text(west, "secret.conf") == "password = something else\n"

    gone = run(task, {"bundle": {**bundle(NEW)["bundle"], "files": []}})
    assert [entry["action"] for entry in gone["files"]] == ["remove", "remove"]
    assert west.lab.exec("West", ["test", "-e", FOLDER]).returncode == 1


def test_what_fails_is_undone_and_said(west: Fleet, task: Task) -> None:
    run(task, bundle(OLD))
    refusing = {
        "name": "colours",
        "command": ["/bin/grep", "-q", "red", f"{FOLDER}/plain.conf"],
        "files": [f"{FOLDER}/"],
    }
    failed = run(task, bundle(NEW, validators=[refusing]), status=2)
    assert (failed["failed"], failed["changed"]) == (True, False)
    assert failed["msg"].startswith("colours: refused the new configuration")
    assert text(west, "plain.conf") == OLD.decode()
    assert run(task, bundle(OLD, validators=[refusing]))["changed"] is False

    failed = run(task, {"bundle": bundle(NEW)["bundle"]}, status=2)
    assert "nothing was changed" in failed["msg"]
    assert text(west, "plain.conf") == OLD.decode()


def test_a_run_older_than_the_newest_is_refused(west: Fleet, task: Task) -> None:
    run(task, {**bundle(OLD), "run": 7})
    failed = run(task, {**bundle(NEW), "run": 6}, status=2)
    assert "run 6 is older than run 7" in failed["msg"]
    assert text(west, "plain.conf") == OLD.decode()


def test_the_module_finds_the_server_program_as_a_module_utility() -> None:
    """Ansible packs it for the server, as it does with its own."""
    link = Path(ROOT, "plugins/module_utils/tandem_server")
    assert link.resolve() == ROOT / "server/tandem_server"
