"""Say how each contender is given the job, and how it is told to do it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from bench import job
from bench.fleet import Fleet, ssh_options
from bench.job import PROJECT, Job, Server

AT_ONCE = 64  # connections of the bare fan-out, as many as Tandem opens
LIMIT = 3600.0  # seconds for one run of one contender
RENDERED: dict[tuple[str, int], list[str]] = {}
"""What files come to, by instance and the value of the one option."""
PEERS = Path(__file__).resolve().parent / "peers"
PYINFRA = PROJECT / "build/bench/pyinfra/bin/pyinfra"

Json = dict[str, Any]


@dataclass
class Stage:
    """What all contenders find: the fleet, the job's files, and how ssh reaches the servers."""

    top: Path
    fleet: Fleet
    servers: list[Server]
    job: Job = field(default_factory=Job)
    port: int = 22
    key_exchange: str | None = None

    @property
    def ssh(self) -> list[str]:
        return ssh_options(self.fleet.top, self.port, self.key_exchange)

    @property
    def project(self) -> Path:
        return self.top / "project"

    def write(self) -> None:
        """Write what every contender needs, anew."""
        shutil.rmtree(self.top, ignore_errors=True)
        (self.top / "home").mkdir(parents=True)
        job.write_tandem(self.project, self.job, self.servers, " ".join(self.ssh))
        shutil.copytree(PEERS, self.top / "peers")
        self.job.write_templates(self.top / "templates")
        self.set_calls(job.BEFORE)

    def set_calls(self, calls: int) -> None:
        """Change the one option, for every contender where it reads it."""
        job.set_calls(self.project / "inventories/bench", calls)
        given = {**job.variables(self.job, calls), "bench_templates": str(self.top / "templates")}
        hosts: Json = {
            server.name: {"ansible_host": server.management, "instance": {"name": server.instance}}
            for server in self.servers
        }
        reach = {"ansible_user": "root", "ansible_ssh_common_args": " ".join(self.ssh)}
        job.write_json(self.top / "peers/role/inventory.json", {"all": {"hosts": hosts, "vars": {**reach, **given}}})
        data = {
            **given,
            "ssh_user": "root",
            "ssh_port": self.port,
            "ssh_key": str(self.fleet.top / "id"),
            "ssh_known_hosts_file": str(self.fleet.top / "known_hosts"),
            "ssh_strict_host_key_checking": "yes",
        }
        listed = [{"address": server.management, "instance": server.instance} for server in self.servers]
        job.write_json(self.top / "peers/pyinfra/job.json", {"hosts": listed, "data": data})
        self._render(calls)

    def _render(self, calls: int) -> None:
        """Render the files with Jinja alone: what rsync delivers, and what all contenders must have delivered."""
        for server in self.servers:
            for number, text in enumerate(self._texts(server.instance, calls)):
                path = self.top / "rendered" / server.name / job.file_of(number).replace("%i", server.instance)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                path.chmod(int(job.mode_of(number), 8))

    def _texts(self, instance: str, calls: int) -> list[str]:
        """Return the files of one server; they are the same in every round, and take long to render."""
        if (instance, calls) not in RENDERED:
            given = {"options": {"tuning": self.job.values(calls)}, "instance": {"name": instance}}
            names = [f"f{number:02d}.conf.j2" for number in range(job.FILES)]
            RENDERED[instance, calls] = [self.templates.get_template(name).render(given) for name in names]
        return RENDERED[instance, calls]

    @cached_property
    def templates(self) -> jinja2.Environment:
        loader = jinja2.FileSystemLoader(self.top / "templates")
        return jinja2.Environment(loader=loader, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701

    def rendered(self) -> dict[str, bytes]:
        """Return what must have been delivered, as `Fleet.contents` does."""
        return {
            f"{server.name}/{path.name}": oct(path.stat().st_mode & 0o7777).encode() + path.read_bytes()
            for server in self.servers
            for path in (self.top / "rendered" / server.name).rglob("*.conf")
        }

    def deliver(self) -> None:
        """Put the files in place without measuring, for a contender whose first delivery is not of interest."""
        rsync(self)

    def drop_connections(self) -> None:
        """End the connections that ssh keeps open."""
        for path in (self.top / "home").rglob("cp/*"):
            command = ["ssh", *self.ssh, "-o", f"ControlPath={path}", "-O", "exit", "none"]
            subprocess.run(command, capture_output=True, check=False)

    def environment(self, **more: str) -> dict[str, str]:
        """Return a contender's environment, which shares nothing with that of whoever measures."""
        kept = {name: os.environ[name] for name in ("TERM", "USER") if name in os.environ}
        path = f"{PROJECT / '.venv/bin'}:/usr/sbin:/usr/bin:/sbin:/bin"
        return {**kept, "PATH": path, "HOME": str(self.top / "home"), "LC_ALL": "C.UTF-8", **more}

    def run(self, command: list[str], directory: Path, **environment: str) -> None:
        """Run a contender; raise with its last words when it fails."""
        done = subprocess.run(
            command,
            cwd=directory,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
            )


Run = Callable[[Stage], None]


def tandem(stage: Stage) -> None:
    """Apply from the command line."""
    stage.run(["tandem", "apply"], stage.project, ANSIBLE_SSH_CONTROL_PATH_DIR=_kept(stage))


def tandem_playbook(stage: Stage) -> None:
    """Apply as Ansible, AWX and pipelines do."""
    command = ["ansible-playbook", "playbooks/apply.yml"]
    config = {"ANSIBLE_CONFIG": str(stage.project / "ansible.cfg"), "ANSIBLE_SSH_CONTROL_PATH_DIR": _kept(stage)}
    stage.run(command, stage.project, **config)


def role(how: str) -> Run:
    """Return the run of the hand-written role, as it is (`hand`) or tuned."""

    def run(stage: Stage) -> None:
        config = {"ANSIBLE_CONFIG": f"{how}.cfg", "ANSIBLE_SSH_CONTROL_PATH_DIR": _kept(stage)}
        stage.run(["ansible-playbook", "-i", "inventory.json", f"{how}.yml"], stage.top / "peers/role", **config)

    return run


def pyinfra(stage: Stage) -> None:
    """Deploy with pyinfra."""
    stage.run([str(PYINFRA), "-y", "inventory.py", "deploy.py"], stage.top / "peers/pyinfra", BENCH_JOB="job.json")


def rsync(stage: Stage) -> None:
    """Copy rendered files, and nothing else."""
    ssh = " ".join(["ssh", *stage.ssh])

    def command(server: Server) -> list[str]:
        source = f"{stage.top / 'rendered' / server.name}/"
        return ["rsync", "--archive", "--rsh", ssh, source, f"root@{server.management}:/"]

    _all(stage, command)


def ssh(words: str, *, warm: bool = False) -> Run:
    """Return the bare fan-out of a command, over new connections or over those that are kept open."""

    def run(stage: Stage) -> None:
        _all(stage, lambda server: [*_ssh(stage, warm=warm), f"root@{server.management}", words])

    return run


def _ssh(stage: Stage, *, warm: bool) -> list[str]:
    kept = ["-o", "ControlMaster=auto", "-o", "ControlPersist=300", "-o", f"ControlPath={_kept(stage)}/%C"]
    return ["ssh", *stage.ssh, *(kept if warm else [])]


def _kept(stage: Stage) -> str:
    path = stage.top / "home/cp"
    path.mkdir(exist_ok=True)
    return str(path)


def _all(stage: Stage, command: Callable[[Server], list[str]]) -> None:
    """Run a command for every server, many at once, from this process: the floor has no start-up."""

    async def one(gate: asyncio.Semaphore, words: list[str]) -> None:
        async with gate:
            null = asyncio.subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(*words, stdin=null, stdout=null, stderr=null)
            if status := await process.wait():
                raise RuntimeError(f"{' '.join(words)} ended with {status}")

    async def every() -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(one(gate, command(server)) for server in stage.servers))

    asyncio.run(every())


RUNS: dict[str, Run] = {
    "tandem": tandem,
    "tandem_playbook": tandem_playbook,
    "hand": role("hand"),
    "tuned": role("tuned"),
    "pyinfra": pyinfra,
    "rsync": rsync,
    "ssh_new": ssh("true"),
    "ssh_warm": ssh("true", warm=True),
    "python": ssh("python3 -c pass"),
    "python_warm": ssh("python3 -c pass", warm=True),
}
