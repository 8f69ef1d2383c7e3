"""Every mistake in the example's files is found in one run, with file and line, before anything is contacted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Each in a place of its own: what to replace in which file, and what has to be said about it.
EDITS = [
    (
        "options/web_suite.yml",
        "  page:\n    title:",
        "  page:\n    titel:",
        "web.page.titel is not an option of web; did you mean page.title?",
    ),
    ("options/cluster_suite.yml", "maximum: 14400", "maximum: 4h", '"4h" is not a whole number'),
    (
        "options/database_suite.yml",
        "database:",
        "database:\n  log: {level: warning}\n  log: {level: error}",
        "log stands here a second time; the first is in line 2",
    ),
    (
        "installation.yml",
        "address: 198.18.1.31}",
        "address: 198.18.9.31}",
        "web-1: address 198.18.9.31 is not in a service network of site primary",
    ),
    (
        "installation.yml",
        "address: 198.18.9.53}",
        "address: 198.18.9.11}",
        "dns-2: address 198.18.9.11 is on two servers: billing-3 on Lambda has it already",
    ),
    (
        "installation.yml",
        "billing-2: {server: Beta",
        "billing-2: {server: Betta",
        "server Betta does not exist; did you mean Beta?",
    ),
]
SUBJECTS = {"required": "dns.update.key", "unknown": "options/cluster_suite/biling.yml"}


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """Return a copy of the example installation."""
    copy = tmp_path / "example"
    shutil.copytree(ROOT / "inventories/example", copy)
    return copy


@pytest.fixture
def broken(example: Path) -> Path:
    """Return a copy in which somebody has made every kind of mistake."""
    for name, old, new, _ in EDITS:
        file = example / name
        text = file.read_text()
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new))
    (example / SUBJECTS["unknown"]).write_text("billing_engine:\n  log:\n    level: debug\n")
    dns = example / "options/admin/dns.yml"
    kept = dns.read_text().partition("  update:\n")
    assert kept[1]
    rest = kept[2].splitlines(keepends=True)
    end = next((number for number, line in enumerate(rest) if not line.startswith("    ")), len(rest))
    dns.write_text(kept[0] + "".join(rest[end:]))
    return example


def run(inventory: Path, directory: Path, *words: str) -> tuple[int, list[str]]:
    """Run a command with an ssh that only notes that it was called; return exit status and lines on both outputs."""
    called, programs = directory / "ssh-was-called", directory / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("ssh", "sshpass", "scp", "sftp"):
        (programs / name).write_text(f"#!/bin/sh\necho {name} >> {called}\nexit 255\n")
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "TANDEM_PROJECT": str(ROOT),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(ROOT / "lab/vault-password"),
        "XDG_CACHE_HOME": str(directory),
    }
    output = subprocess.STDOUT
    done = subprocess.run(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=output, text=True, check=False
    )
    assert not called.exists(), "a server was contacted"
    assert "Traceback" not in done.stdout
    assert inventory.exists()
    return done.returncode, done.stdout.splitlines()


def tandem(inventory: Path, directory: Path, *words: str) -> tuple[int, list[str]]:
    return run(inventory, directory, sys.executable, "-m", "tandem", "-i", str(inventory), *words)


@pytest.mark.parametrize("verb", ["check", "compile", "plan", "apply"])
def test_all_mistakes_come_in_one_run(broken: Path, tmp_path: Path, verb: str) -> None:
    status, lines = tandem(broken, tmp_path, verb)
    assert status == 2
    *problems, last = lines
    assert last == f"{len(problems)} errors. No server was contacted."
    for name, _, new, message in EDITS:
        found = [line for line in problems if line.startswith(f"{name}:") and message in line]
        assert found, f"nothing about {new!r} in:\n" + "\n".join(lines)
        text = (broken / name).read_text().splitlines()
        assert any(text[int(line.split(":")[1]) - 1].strip() for line in found)
    assert [line for line in problems if "dns.update.key" in line and "required and not set" in line]
    assert [line for line in problems if line.startswith(SUBJECTS["unknown"]) and "did you mean" in line]
    assert len(problems) == len(EDITS) + len(SUBJECTS), "\n".join(lines)


def test_a_playbook_says_the_same_and_contacts_nobody(broken: Path, tmp_path: Path) -> None:
    """Ansible itself refuses an inventory that is broken; mistakes in options are found by the first task."""
    _, expected = tandem(broken, tmp_path, "check")
    shutil.copy(ROOT / "inventories/example/installation.yml", broken / "installation.yml")
    _, options = tandem(broken, tmp_path, "check")
    playbook = ("ansible-playbook", "-i", str(broken / "installation.yml"), "playbooks/apply.yml")
    status, lines = run(broken, tmp_path, *playbook)
    assert status == 2
    shown = "\n".join(lines).replace("\\n", "\n").replace('\\"', '"')
    assert [line for line in options[:-1] if line not in shown] == []
    assert "No server was contacted." in shown
    assert len(expected) > len(options)


def test_a_syntax_error_does_not_hide_the_errors_of_other_files(example: Path, tmp_path: Path) -> None:
    (example / "options/web_suite.yml").write_text("web:\n  page: {title: [\n")
    (example / "options/cluster_suite/billing/billing-1.yml").write_text("billing_engine:\n  log:\n    levl: debug\n")
    status, lines = tandem(example, tmp_path, "check")
    assert status == 2
    assert [line for line in lines if line.startswith("options/web_suite.yml:")]
    assert [
        line
        for line in lines
        if line.startswith("options/cluster_suite/billing/billing-1.yml:3: ") and "did you mean log.level?" in line
    ]
    assert lines[-1] == "2 errors. No server was contacted."


def test_a_missing_installation_is_named_by_its_path(example: Path, tmp_path: Path) -> None:
    (example / "installation.yml").unlink()
    for verb in ("check", "apply", "drift"):
        status, lines = tandem(example, tmp_path, verb)
        assert status == 2
        assert lines[0].startswith(f"{example}/installation.yml: does not exist")
        assert lines[-1] == "1 error. No server was contacted."


def test_a_name_that_nothing_has_is_left_out_by_no_limit(example: Path, tmp_path: Path) -> None:
    status, lines = tandem(example, tmp_path, "drift", "--limit", "Alpha,Bata")
    assert (status, lines) == (1, ["--limit: no server, cluster, application or site is called Bata"])
