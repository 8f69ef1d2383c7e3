"""A wave split by site: who does what, what a runner is sent, and that everything comes out as if it were done here.

The runner is this machine, started as over ssh; its servers are a program in place of ssh that talks as they would.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext

from tandem.ansible.connection import Connection, Connections
from tandem.ansible.fanout import Job, Outcome, Tell
from tandem.ansible.loop import Loop
from tandem.ansible.sites import part, wrapper
from tandem.ansible.sites.by_site import BySite, split
from tandem.ansible.sites.parcel import LIBRARY, lay_out, pack
from tests.fleet.fleet import eventually

Json = dict[str, Any]

SERVER = """#!{python}
import json, sys, time

def say(event, **fields):
    print(json.dumps(dict(event=event, **fields)), flush=True)

def result(**fields):
    say("result", **dict(dict(changed=True, files=[], units=[], addresses=[], seconds=0.1), **fields))

say("hello")
line = sys.stdin.readline()
if not line:
    sys.exit(1)
request = json.loads(line)
with open("{told}/" + request["bundle"]["server"], "w") as file:
    json.dump(request, file)
for each in request["acts"]:
    if each == "hang":
        time.sleep(60)
    elif each.startswith("need "):
        say("need", digests=each.split()[1:])
        line = sys.stdin.readline()
        if not line:
            sys.exit(1)
        request.update(json.loads(line))
    elif each == "interrupt":
        say("interrupt", healthy=["billing-3"])
        request.update(json.loads(sys.stdin.readline()))
    elif each == "confirm":
        say("confirm", run=7, moved=True)
        time.sleep(1)
    elif each == "die":
        sys.exit(255)
    else:
        say("progress", step=each)
result(blobs=request.get("blobs"), refused=request.get("refused"), over=request["over"])
"""
MAIN = threading.get_ident()
SECRET = b"the secret of one server"
DIGEST = hashlib.sha256(SECRET).hexdigest()


class Way:
    """The way to a server; to the runner it is a shell of this machine."""

    def __init__(self, server: str, address: str, ssh: Path, command: list[str] | None = None) -> None:
        self.server, self.address, self._ssh, self._command = server, address, ssh, command

    def at(self, address: str) -> Way:
        return Way(self.server, address, self._ssh, self._command)

    def variables(self) -> Json:
        return {"ansible_host": self.address, "ansible_ssh_executable": str(self._ssh), "ansible_become": False}

    def as_user(self) -> Way:
        return self

    def argv(self, command: str, *, new: bool) -> list[str]:
        assert new, "nothing else ends this connection, or keeps it open"
        # killed like ssh, the command goes on alone; and it begins without this project's settings
        return self._command or ["sh", "-c", f"cd /; unset ANSIBLE_CONFIG; {command}; exit $?"]

    @contextlib.contextmanager
    def started(self) -> Iterator[Any]:
        yield SimpleNamespace(popen={})


class Site:
    """A controller, and the site that it applies to."""

    def __init__(self, directory: Path) -> None:
        self.told = directory / "told"
        self.told.mkdir()
        self.ssh = directory / "ssh"
        self.ssh.write_text(SERVER.format(python=sys.executable, told=self.told))
        self.ssh.chmod(0o755)
        self.progress: list[tuple[str, str]] = []
        self.tell: Tell = lambda server, step: self.progress.append((server, step))
        self.confirmed: list[tuple[str, str]] = []
        self.command: list[str] | None = None
        self.loop = Loop()

    def job(self, server: str, *acts: str, address: str = "198.18.8.12") -> Job:
        files = [{"path": "/etc/secret", "digest": DIGEST}] if server == "Lambda" else []
        request = {"bundle": {"server": server, "files": files}, "acts": acts, "guarded": []}

        async def contents(names: list[str]) -> Mapping[str, bytes]:
            return dict.fromkeys(names, SECRET)

        async def refusal(_server: str, healthy: list[str]) -> str | None:
            return f"no other of {', '.join(healthy)}"

        way: Any = Way(server, "198.18.8.12", self.ssh)
        return Job(server, [way], request, contents, address, refusal)

    def fan_out(self) -> BySite:
        site = self

        class Watched(BySite):
            async def _confirm(self, _job: Job, way: Any, _run: int) -> None:
                site.confirmed.append((way.server, way.address))

        runners = dict.fromkeys(("Kappa", "Lambda", "My"), "Kappa")
        ways: Any = {"Kappa": [Way("Kappa", "198.18.8.11", self.ssh, self.command)]}
        return Watched(self.loop, self.tell, runners, ways)

    def run(self, *jobs: Job, together: bool = False) -> dict[str, Outcome]:
        return {outcome.server: outcome for outcome in self.fan_out().run(list(jobs), together=together)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site whose runner works with the engine of this environment; nothing stays behind on it."""
    monkeypatch.setattr(part, "ENGINE", str(Path(sys.executable).parent))
    place = tempfile.mkdtemp(prefix="tandem-test-", dir=Path(wrapper.PLACE).parent)
    monkeypatch.setattr(part, "WRAPPER", part.WRAPPER.replace(wrapper.PLACE, f"{place}/site-"))
    found = Site(tmp_path)
    yield found
    found.loop.close()
    assert eventually(lambda: not os.listdir(place))
    Path(place).rmdir()
    assert eventually(lambda: not plays()), plays()


def plays() -> list[str]:
    """Return the plays of runners that still run, of this test only."""
    pids = subprocess.run(
        ["pgrep", "-f", "ansible.*main.json"], stdout=subprocess.PIPE, text=True, check=False
    ).stdout.split()
    return [pid for pid in pids if marked_by_this(pid)]


def marked_by_this(pid: str) -> bool:
    with contextlib.suppress(OSError):
        return f"TANDEM_TEST={os.getpid()}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def test_a_site_s_runner_does_its_servers_and_the_controller_all_others(site: Site) -> None:
    jobs = [site.job(server) for server in ("Alpha", "Kappa", "Lambda", "My")]
    names = {
        runner: [job.server for job in part]
        for runner, part in split(jobs, dict.fromkeys(("Kappa", "Lambda", "My"), "Kappa")).items()
    }
    assert names == {None: ["Alpha", "Kappa"], "Kappa": ["Lambda", "My"]}
    jobs[1] = site.job("Kappa", address="198.18.8.99")
    assert split(jobs, dict.fromkeys(("Kappa", "Lambda", "My"), "Kappa")) == {None: jobs}, "its connection would end"


def test_what_is_transmitted_is_code_and_the_ways_to_the_site_s_own_servers() -> None:
    lines = io.BytesIO(pack({"Lambda": {"ansible_host": "198.18.8.12"}}))
    kwargs = json.loads(lines.readline())["kwargs"]
    size = json.loads(lines.readline())["zipfile"]
    data = base64.b64decode(lines.read((size + 2) // 3 * 4))
    names = {
        name: zipfile.ZipFile(io.BytesIO(data)).read(name) for name in zipfile.ZipFile(io.BytesIO(data)).namelist()
    }
    files = {name for name in names if not name.endswith("/")}
    code = {name for name in files if name.startswith("project/python/tandem") and name.endswith(".py")}
    assert files - code == {
        "project/main.json",
        "project/action_plugins/tandem_at_site.py",
        "inventory/hosts.json",
        "env/envvars",
    }
    assert json.loads(names["inventory/hosts.json"]) == {"all": {"hosts": {"Lambda": {"ansible_host": "198.18.8.12"}}}}
    assert kwargs.keys() <= {"playbook", "inventory", "ident"}


def test_the_code_needs_nothing_but_ansible(tmp_path: Path) -> None:
    lay_out(tmp_path)
    refuse = "import sys\nfor name in ('pydantic', 'click', 'rich', 'ansible_runner'): sys.modules[name] = None\n"
    refuse += "import tandem, tandem.ansible.sites.at_site as found\nprint(tandem.__file__, found.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / LIBRARY)}
    done = subprocess.run([sys.executable, "-c", refuse], env=environment, capture_output=True, text=True, check=True)
    assert all(path.startswith(str(tmp_path)) for path in done.stdout.split())


def test_results_progress_questions_and_confirmations_come_out_as_if_it_were_done_here(site: Site) -> None:
    found = site.run(
        site.job("Lambda", "staging", f"need {DIGEST}", "interrupt", "confirm", address="198.18.8.77"),
        site.job("My", "staging"),
        together=True,
    )
    assert {server: outcome.good for server, outcome in found.items()} == {"Lambda": True, "My": True}
    assert found["Lambda"].result["blobs"] == {DIGEST: base64.b64encode(SECRET).decode()}
    assert found["Lambda"].result["refused"] == "no other of billing-3"
    assert found["Lambda"].result["over"] == "198.18.8.12"
    assert found["My"].result["changed"]
    assert sorted(site.progress) == [("Lambda", "staging"), ("My", "staging")]
    assert site.confirmed == [("Lambda", "198.18.8.77")]
    assert json.loads((site.told / "My").read_text())["bundle"]["server"] == "My"


def test_a_runner_is_given_no_contents_but_those_of_the_server_it_asks_for(site: Site) -> None:
    found = site.run(site.job("Lambda", f"need {'0' * 64}"), site.job("My", f"need {DIGEST}"))
    for server in ("Lambda", "My"):
        assert f"is not in the bundle of {server}" in str(found[server].failed)
        assert not found[server].good


@pytest.mark.parametrize("together", [True, False])
def test_one_that_is_lost_is_in_doubt_and_the_others_are_not(site: Site, *, together: bool) -> None:
    found = site.run(site.job("Lambda", "staging", "die"), site.job("My"), together=together)
    assert found["Lambda"].lost
    assert "lost in the middle" in str(found["Lambda"].failed)
    assert found["My"].good


def test_a_runner_that_cannot_be_reached_is_one_line_and_its_servers_are_not_begun(site: Site) -> None:
    site.command = ["sh", "-c", "echo 'ssh: connect to host 198.18.8.11 port 22: No route to host' >&2; exit 255"]
    found = site.run(site.job("Lambda"), site.job("My"))
    assert found["Lambda"].failed == (
        "runner Kappa: ssh: connect to host 198.18.8.11 port 22: No route to host; "
        "nothing was begun on the servers that it should reach"
    )
    assert not found["Lambda"].doubtful
    assert not found["My"].begun
    assert list(site.told.iterdir()) == []


def test_what_is_missing_on_a_runner_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part, "ENGINE", "/nowhere")
    found = site.run(site.job("Lambda"))
    assert "/nowhere/ansible-runner is missing; docs/guide.md says what a site's runner needs" in str(
        found["Lambda"].failed
    )


@pytest.mark.parametrize("victim", ["ansible-playbook", "ansible-runner worker", "import contextlib"])
def test_a_runner_that_is_killed_leaves_its_servers_in_doubt_and_nothing_on_it(site: Site, victim: str) -> None:
    """The next run takes away what the wrapper itself, when it is the one that was killed, could not."""
    outcomes = site.fan_out().run([site.job("Lambda", "staging", "hang")], together=True)
    watched = watch(site, victim)
    [outcome] = outcomes
    watched.wait()
    assert outcome.lost
    assert "lost in the middle (runner Kappa: " in str(outcome.failed)
    assert site.run(site.job("Lambda"))["Lambda"].good


def watch(site: Site, victim: str) -> subprocess.Popen[bytes]:
    """Kill one of the runner's processes, of this test only, as soon as its server has something to do."""
    script = (
        f"for _ in $(seq 300); do test -e {site.told}/Lambda && break; sleep 0.1; done; sleep 0.5\n"
        f"for pid in $(pgrep -f -- '{victim}'); do\n"
        f"  grep -qz TANDEM_TEST={os.getpid()} /proc/$pid/environ && kill -9 $pid\n"
        "done; true"
    )
    return subprocess.Popen(["sh", "-c", script], env={"PATH": os.environ["PATH"]})


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mark every process that these tests start."""
    monkeypatch.setenv("TANDEM_TEST", str(os.getpid()))


def test_nothing_stays_behind_when_the_controller_is_interrupted(site: Site) -> None:
    """That the runner's directory is gone requires the fixture."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    interruption = threading.Thread(
        target=lambda: eventually((site.told / "Lambda").exists) and signal.pthread_kill(MAIN, signal.SIGALRM)
    )
    interruption.start()
    with pytest.raises(KeyboardInterrupt):
        site.run(site.job("Lambda", "staging", "hang"))
    interruption.join()


CONTROLLER = """
import sys
from pathlib import Path
from tandem.ansible.sites import part
from tests.unit.sites.test_by_site import Site

part.ENGINE, part.WRAPPER = sys.argv[2:]
site = Site(Path(sys.argv[1]))
site.run(site.job("Lambda", "staging", "hang"))
"""


def test_nothing_stays_behind_when_the_controller_is_killed(site: Site, tmp_path: Path) -> None:
    """That the runner's directory is gone requires the fixture."""
    directory = tmp_path / "controller"
    directory.mkdir()
    root = Path(__file__).parents[3]
    argv = [sys.executable, "-c", CONTROLLER, directory, part.ENGINE, part.WRAPPER]
    with subprocess.Popen(argv, cwd=root) as controller:
        assert eventually((directory / "told" / "Lambda").exists)
        controller.kill()
    assert site.run(site.job("Lambda"))["Lambda"].good


def test_a_runner_gives_up_a_controller_that_it_does_not_hear(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cable was pulled: nothing says that the connection has ended."""
    assert part.SIGN_OF_LIFE * 3 == wrapper.SILENCE
    monkeypatch.setattr(part, "WRAPPER", part.WRAPPER.replace("SILENCE = 30.0", "SILENCE = 5.0"))
    monkeypatch.setattr(part, "SIGN_OF_LIFE", 0.5)
    site.tell = lambda _server, _step: monkeypatch.setattr(part, "SIGN_OF_LIFE", 60.0)
    found = site.run(site.job("Lambda", "staging", "hang"))
    assert found["Lambda"].lost
    assert "its line to the controller has ended" in str(found["Lambda"].failed)


def test_a_play_that_comes_too_late_to_hear_anything_ends(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it has ended requires the fixture."""
    monkeypatch.setattr(part, "WRAPPER", part.WRAPPER.replace("SILENCE = 30.0", "SILENCE = 0.1"))
    assert "runner Kappa: " in str(site.run(site.job("Lambda"))["Lambda"].failed)


class Hosts:
    """The variables of an inventory, as Ansible has them."""

    def __init__(self, **variables: Any) -> None:
        self.variables = variables

    def raw_get(self, server: str) -> Json:
        return {"inventory_hostname": server, "ansible_host": "198.18.8.12", **self.variables}


def connection(**variables: Any) -> Connection:
    hosts: Any = Hosts(**variables)
    return Connections(hosts, PlayContext(), DataLoader()).to("Lambda")


def test_of_the_inventory_a_runner_gets_address_port_user_and_become() -> None:
    own = {"ansible_ssh_private_key_file": "/home/me/.ssh/id", "ansible_ssh_common_args": "-F /home/me/config"}
    assert connection(ansible_user="ansible", ansible_become=True, ansible_port=2222, **own).variables() == {
        "ansible_host": "198.18.8.12",
        "ansible_port": 2222,
        "ansible_user": "ansible",
        "ansible_become": True,
        "ansible_become_user": "root",
        "ansible_become_exe": "sudo",
        "ansible_become_flags": "-H -S -n",
    }


def test_a_runner_is_worked_on_with_the_rights_of_the_user() -> None:
    way = connection(ansible_become=True)
    assert b"sudo" in b" ".join(way.argv("true"))
    assert b"sudo" not in b" ".join(way.as_user().argv("true"))
    assert b"sudo" in b" ".join(way.argv("true")), "the way itself is as it was"


@pytest.mark.parametrize("name", ["ansible_password", "ansible_become_password"])
def test_passwords_stay_on_the_controller(site: Site, name: str) -> None:
    job = site.job("Lambda")
    job.ways[:] = [connection(ansible_become=True, **{name: "a password"})]
    found = site.run(job, site.job("My"))
    assert "runner Kappa: Lambda: passwords stay on the controller" in str(found["Lambda"].failed)
    assert "a password" not in str(found)
    assert not found["My"].begun
