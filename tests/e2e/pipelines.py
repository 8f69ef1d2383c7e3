"""Run the jobs of the example pipelines as their services would: the steps of the files themselves, in a checkout."""

import os
import re
import signal
import string
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.fleet.fleet import ROOT, Fleet

EXPRESSION = re.compile(r"\$\{\{ (\S+) \}\}")
Environment = dict[str, str]


class Ended(NamedTuple):
    """How a job ended: its exit status, and what it printed."""

    status: int
    output: str


class Pipeline:
    """What both services have in common: a checkout, secrets in files, and a shell for each step."""

    def __init__(self, fleet: Fleet, directory: Path, file: str) -> None:
        self.checkout = directory / "checkout"
        self.checkout.mkdir()
        for path in ROOT.iterdir():
            if not path.name.startswith("."):
                (self.checkout / path.name).symlink_to(path)
        self.definition: Any = yaml.safe_load((ROOT / "examples" / file).read_text())
        lab = fleet.lab.ssh_config.parent
        self.secrets = {
            "SSH_KEY": lab / "id_ed25519",
            "SSH_KNOWN_HOSTS": lab / "known_hosts",
            "VAULT_PASSWORD": ROOT / "lab" / "vault-password",
        }
        ours = ("TANDEM_PROJECT", "ANSIBLE_CONFIG", "ANSIBLE_VAULT_PASSWORD_FILE")
        self.surroundings = {name: value for name, value in fleet.environment.items() if name not in ours}
        self.installation = str(fleet.directory)

    def shell(self, script: str, environment: Environment) -> Ended:
        """Run one script in the checkout, as both services do: the first command that fails ends it."""
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=self.checkout,
            env=self.surroundings | environment | {"INSTALLATION": self.installation},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Ended(done.returncode, done.stdout)

    @staticmethod
    def end_agents(output: str) -> None:
        """End the ssh-agents of a job, as its container's end would."""
        for pid in re.findall(r"^Agent pid (\d+)$", output, re.MULTILINE):
            os.kill(int(pid), signal.SIGTERM)

    @property
    def markdown(self) -> str:
        """Return the plan that the last job wrote."""
        return (self.checkout / "plan.md").read_text()


class GitLab(Pipeline):
    """examples/gitlab-ci."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        super().__init__(fleet, directory, "gitlab-ci/.gitlab-ci.yml")
        self.predefined = {
            "CI_PROJECT_DIR": str(self.checkout),
            "CI_PROJECT_ID": "7",
            "CI_COMMIT_TITLE": "Merge 'more logs'; $(touch /no)",
            "GITLAB_USER_LOGIN": "alice",
            **{name: str(path) for name, path in self.secrets.items()},
        }
        self.plan = ""

    def run(self, job: str, **given: str) -> Ended:
        """Run a job's script, and what comes after it however it ended."""
        named = [self.definition[name] for name in _listed(self.definition[job].get("extends"))]
        found: dict[str, Any] = {key: value for part in [*named, self.definition[job]] for key, value in part.items()}
        environment = {**self.predefined, **given, **({"PLAN": self.plan} if self.plan else {})}
        for name, value in self.definition["variables"].items():
            environment[name] = string.Template(value).safe_substitute(environment)
        ended = self.shell("\n".join([*found.get("before_script", []), *found["script"]]), environment)
        self.end_agents(ended.output)
        if after := found.get("after_script"):
            done = self.shell("\n".join(after), environment)
            assert done.status == 0, done.output
        dotenv = found.get("artifacts", {}).get("reports", {}).get("dotenv")
        if dotenv and not ended.status:
            self.plan = (self.checkout / dotenv).read_text().partition("=")[2].strip()
        return ended


class GitHub(Pipeline):
    """examples/github-actions."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        super().__init__(fleet, directory, "github-actions/tandem.yml")
        self.temporary = directory / "runner"
        self.temporary.mkdir()
        self.context = {
            "github.actor": "alice",
            "github.event.head_commit.message": "Merge 'more logs'; $(touch /no)",
            **{f"secrets.{name}": path.read_text().rstrip("\n") for name, path in self.secrets.items()},
        }
        self.plan = ""

    def run(self, job: str, **given: str) -> Ended:
        """Run those steps of a job that are commands, to the first that fails."""
        files = {name: self.temporary / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        environment = {"RUNNER_TEMP": str(self.temporary), **{name: str(file) for name, file in files.items()}, **given}
        environment |= self._values(self.definition["env"])
        status, output = 0, ""
        for step in self.definition["jobs"][job]["steps"]:
            if "run" in step and not status:
                kept = dict(line.split("=", 1) for line in files["GITHUB_ENV"].read_text().splitlines())
                ended = self.shell(step["run"], environment | kept | self._values(step.get("env", {})))
                status, output = ended.status, output + ended.output
        self.end_agents(output)
        if job == "plan":
            self.plan = files["GITHUB_OUTPUT"].read_text().removeprefix("plan=").strip()
        return Ended(status, output)

    def _values(self, names: Environment) -> Environment:
        """Return variables with their expressions replaced."""
        context = {**self.context, "needs.plan.outputs.plan": self.plan}
        return {name: EXPRESSION.sub(lambda found: context[found[1]], value) for name, value in names.items()}


def _listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value
