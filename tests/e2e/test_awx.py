"""A job as AWX runs it: its own copy of the inventory, its own settings of paths and callbacks, its own display."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import ansible_runner
import pytest

from tests.e2e.conftest import Busy
from tests.fleet.fleet import ROOT, Fleet

BILLING = "options/cluster_suite/billing/billing-2.yml"
ITS_OWN = "indirect_instance_count"
ENABLED = f"{ITS_OWN},tandem.platform.per_server"  # it adds those of ansible.cfg
SERVERS = {"North", "South", "East", "West"}


class Job(NamedTuple):
    """What became of a job: the result of ansible-playbook, and what AWX would show for each task and host."""

    rc: int
    shown: list[tuple[str, str, str, str]]

    def hosts(self, kind: str, action: str) -> set[str]:
        """Return the hosts for which a task of this action ended so."""
        return {host for event, host, name, _ in self.shown if (event, name) == (kind, f"tandem.platform.{action}")}

    def said(self, kind: str) -> str:
        """Return the messages of everything that ended so."""
        return "\n".join(message for event, _, _, message in self.shown if event == kind)


class Awx:
    """A project that AWX has checked out, with an inventory that it has filled from it."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet = fleet
        self.directory = directory
        self.project = directory / "project"
        self.project.mkdir()
        for path in ROOT.iterdir():
            if not path.name.startswith(".") and path.name != "inventories":
                (self.project / path.name).symlink_to(path)
        ours = ("ANSIBLE_", "TANDEM_PROJECT", "PYTHON")
        self.surroundings = {name: value for name, value in fleet.environment.items() if not name.startswith(ours)}
        self.paths = {
            "ANSIBLE_ROLES_PATH": f"{directory}/requirements_roles:roles:~/.ansible/roles",
            "ANSIBLE_COLLECTIONS_PATH": f"{directory}/requirements_collections:collections:~/.ansible/collections",
        }

    def checkout(self) -> None:
        """Bring the project up to date, and the inventory from it."""
        inventory = self.project / "inventories" / "small"
        shutil.rmtree(inventory, ignore_errors=True)
        shutil.copytree(self.fleet.directory, inventory)
        listed = self.directory / "listed.json"
        argv = ["ansible-inventory", "--list", "--export", "-i", str(inventory / "installation.yml")]
        argv += ["--output", str(listed), "--playbook-dir", str(inventory)]
        environment = {**self.surroundings, "ANSIBLE_COLLECTIONS_PATH": self.paths["ANSIBLE_COLLECTIONS_PATH"]}
        subprocess.run(argv, cwd=self.project, env=environment, check=True, capture_output=True, timeout=60)
        found = json.loads(listed.read_text())
        found["_meta"].pop("profile", None)
        script = self.directory / "inventory" / "hosts"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!{sys.executable}\nprint({json.dumps(found)!r})\n")
        script.chmod(0o700)

    def launch(self, playbook: str, *words: str, callbacks: str | None = ENABLED) -> Job:
        """Run a job template; `callbacks` are those that AWX enables, None an AWX that leaves that to ansible.cfg."""
        self.checkout()
        enabled = {"ANSIBLE_CALLBACKS_ENABLED": callbacks} if callbacks else {}
        prompts = {r"Vault password:\s*?$": (ROOT / "lab" / "vault-password").read_text().strip()}
        settings = {**self.paths, **enabled, "MAX_EVENT_RES": "700000", "JOB_ID": "17"}
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.surroundings)
        try:
            done = ansible_runner.run(
                private_data_dir=str(self.directory),
                playbook=f"playbooks/{playbook}.yml",
                inventory=str(self.directory / "inventory" / "hosts"),
                envvars=settings,
                passwords=prompts,
                extravars={"awx_user_name": "alice", "awx_job_id": 17},
                cmdline=" ".join(["-u root --ask-vault-pass", *words]),
                quiet=True,
                timeout=300,
            )
        finally:
            os.environ.clear()
            os.environ.update(before)
        with done.stdout as printed:
            assert "Traceback" not in printed.read()
        return Job(int(done.rc), [_shown(event["event"], event.get("event_data", {})) for event in done.events])


def _shown(kind: str, data: dict[str, Any]) -> tuple[str, str, str, str]:
    result = data.get("res")
    message = result.get("msg", "") if isinstance(result, dict) else ""
    return kind, data.get("host", ""), data.get("task_action", ""), str(message)


@pytest.fixture
def awx(small: Fleet, tmp_path: Path) -> Awx:
    """Return AWX with the small installation as its project."""
    return Awx(small, tmp_path)


@pytest.mark.parametrize("callbacks", [ENABLED, None])
def test_a_job_shows_every_server_as_the_host_that_it_is(awx: Awx, small: Fleet, callbacks: str | None) -> None:
    small.write(BILLING, "billing_engine:\n  log:\n    level: debug\n")
    job = awx.launch("apply", callbacks=callbacks)
    assert job.rc == 0, job.shown
    assert job.hosts("runner_on_ok", "wave") == SERVERS
    assert "exit status 0" in job.said("runner_on_ok")
    [*_, last] = small.text("North", "/var/lib/tandem/store/log.jsonl").splitlines()
    assert json.loads(last)["author"].startswith("alice@"), "who launched it stands in the history"


def test_a_server_that_fails_is_that_host_s_failure(awx: Awx, small: Fleet) -> None:
    with small.unplugged("East"):
        job = awx.launch("drift")
    assert job.rc != 0
    assert job.hosts("runner_on_unreachable", "drift_info") == {"East"}
    assert job.hosts("runner_on_ok", "drift_info") >= SERVERS - {"East"}


def test_without_the_callback_a_bad_wave_is_a_failed_task(awx: Awx, small: Fleet) -> None:
    """An AWX that enables callbacks of its own and reads none from ansible.cfg."""
    with small.unplugged("East"):
        job = awx.launch("drift", callbacks=ITS_OWN)
    assert job.rc != 0
    assert "East: " in job.said("runner_on_failed")


def test_limit_check_and_diff_are_those_of_the_launch(awx: Awx, small: Fleet) -> None:
    before = small.active()
    small.write(BILLING, "billing_engine:\n  log:\n    level: debug\n")
    job = awx.launch("apply", "--check", "--diff", "--limit", "South")
    assert job.rc == 0, job.shown
    assert job.hosts("runner_on_ok", "wave") == {"South"}
    assert small.active() == before


def test_of_two_jobs_at_once_the_second_is_refused_and_names_the_holder(busy: Busy, tmp_path: Path) -> None:
    job = Awx(busy.fleet, tmp_path).launch("apply")
    assert job.rc == 2
    assert "has been changing this installation since" in job.said("runner_on_failed")
    assert "exit status 1" in job.said("runner_on_ok")
    assert "1 server changed." in busy.end(0)
