"""The verbs that need no server: compile, plan against an exported store, clone."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.sample.project import SAMPLE, Project

MAIN = "import sys; from tandem.cli import main; sys.argv[0] = 'tandem'; main()"
PASSWORD_FILE = ("--vault-password-file", str(SAMPLE / "vault-password"))
INSTALLATION = "inventories/sample/installation.yml"


def tandem(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=project.directory,
        env={**project.environment, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_compile_plan_and_clone(project: Project) -> None:
    done = tandem(project, "compile", "-o", "store", *PASSWORD_FILE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "sample: 4 servers, 74 files, 13 units"
    assert done.stdout.splitlines()[1].endswith("configuration 1 in store")
    assert not [
        path for path in (project.directory / "store").rglob("*") if path.is_file() and b"sesame" in path.read_bytes()
    ]

    same = tandem(project, "plan", "--store", "store", "--exit-code", *PASSWORD_FILE)
    assert (same.returncode, same.stderr) == (0, "")
    assert "Nothing changes" in same.stdout

    project.edit("inventories/sample/options/suite/engines/engine-2.yml", "error", "debug")
    plan = tandem(project, "plan", "--store", "store", "--exit-code", "--diff", *PASSWORD_FILE)
    assert (plan.returncode, plan.stderr) == (3, "")
    assert (
        "engine.log.level                         error → debug     options/suite/engines/engine-2.yml:3" in plan.stdout
    )
    assert "-level error\n+level debug" in plan.stdout

    shown = tandem(project, "plan", "--store", "store", "--json", *PASSWORD_FILE)
    assert (shown.returncode, json.loads(shown.stdout)["touched"]) == (0, ["Beta"])

    assert tandem(project, "clone", "1", "again", "--store", "store").returncode == 0
    assert "error" in (project.directory / "again/options/suite/engines/engine-2.yml").read_text()
    again = tandem(project, "compile", "-i", "again", "--json", *PASSWORD_FILE)
    assert json.loads(again.stdout)["digest"] in done.stdout


def test_what_is_wrong_is_told_and_no_server_was_contacted(project: Project) -> None:
    project.edit(INSTALLATION, "server: Alpha", "server: Alfa")
    (project.directory / "store").mkdir()
    for verb in (["compile"], ["plan", "--store", "store"]):
        done = tandem(project, *verb)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[0].startswith("installation.yml:28: engine-1: server Alfa does not exist")
        assert done.stderr.splitlines()[-1] == "1 error. No server was contacted."


def test_a_store_that_is_not_there_or_cannot_be_written_is_one_clear_line(project: Project) -> None:
    for verb in (["plan"], ["diff", "1"], ["clone", "1", "again"]):
        done = tandem(project, *verb, "--store", "stroe")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1] == "Error: Invalid value for '--store': Directory 'stroe' does not exist."
    project.write("store", "a file\n")
    done = tandem(project, "compile", "-o", "store", *PASSWORD_FILE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "Error: Invalid value for '-o' / '--output': Directory 'store' is a file."
    assert tandem(project, "apply", "--plan", "").stderr.splitlines()[-1].startswith("Error: --plan is empty")


def test_a_wrong_or_missing_password_is_one_clear_line(project: Project) -> None:
    project.write("wrong", "mistaken\n")
    wrong = tandem(project, "compile", "--vault-password-file", "wrong")
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "the vault password in wrong does not fit the secrets of this installation\n",
    )
    missing = tandem(project, "compile", "--vault-password-file", "nowhere")
    message = "the vault password cannot be read from nowhere: No such file or directory\n"
    assert (missing.returncode, missing.stderr) == (1, message)
    without = tandem(project, "compile")
    assert without.returncode == 0
    assert "without the vault's password: database.access.password not read" in without.stdout


def test_no_password_is_needed_to_plan_what_holds_no_secret(project: Project) -> None:
    tandem(project, "compile", "-o", "store", *PASSWORD_FILE)
    project.edit("inventories/sample/options/suite/engines/engine-2.yml", "error", "debug")
    plan = tandem(project, "plan", "--store", "store")
    assert plan.returncode == 0
    assert "/etc/engine/engine-2/engine.conf" in plan.stdout
    assert "not compared, for want of the vault's password for database.access.password" in plan.stdout


def test_a_store_that_is_no_store_is_named(project: Project) -> None:
    (project.directory / "empty").mkdir()
    done = tandem(project, "clone", "3", "again", "--store", "empty")
    assert (done.returncode, done.stderr) == (1, "empty: holds no configuration 3; it holds none at all\n")
