"""Hold a copy of an example installation, its lab, and the commands that a user would run."""

import contextlib
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from lab import Lab, namespaces

ROOT = Path(__file__).parents[2]
UNIT_FIELDS = "Id,ActiveState,MainPID,ExecMainStartTimestampMonotonic,InvocationID"
# units that come and go with a login or with the time of day
OF_THE_SYSTEM = ("user@", "user-runtime-dir@", "systemd-", "apt-", "dpkg-", "e2scrub", "logrotate", "man-db", "fstrim")
OF_THE_SYSTEM += ("tandem-agent.service", "tandem-store.service")  # likewise, when there is something to ask or answer
OF_THE_SYSTEM += ("tandem-license.service", "license-signer.service", "licensing-server-pull@")

Units = dict[str, dict[str, str]]


def eventually(look: Callable[[], bool]) -> bool:
    """Wait until something is so, for what takes its own time."""
    end = time.monotonic() + 30
    while not (seen := look()) and time.monotonic() < end:
        time.sleep(0.2)
    return seen


class Fleet:
    """A copy of an inventory in a directory of its own, on a lab of its own or `beside` another one's."""

    def __init__(self, inventory: str, directory: Path, name: str, beside: str | None = None) -> None:
        self.pristine = ROOT / "inventories" / inventory
        self.directory = directory / inventory
        shutil.copytree(self.pristine, self.directory)
        self.lab = Lab(self.directory, name, beside=[directory / beside] if beside else None)
        self.environment = {
            **os.environ,
            "TANDEM_LAB": name,
            "TANDEM_PROJECT": str(ROOT),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(ROOT / "lab" / "vault-password"),
            "XDG_CACHE_HOME": str(directory / "cache"),
        }

    @property
    def servers(self) -> list[str]:
        """Name all servers of the installation, sorted."""
        return sorted(self.lab.own.servers)

    def argv(self, *words: str) -> list[str]:
        """Return the command line of `tandem` on this inventory."""
        return [sys.executable, "-m", "tandem", "-i", str(self.directory), *words]

    def tandem(self, *words: str, status: int = 0, timeout: float = 300, **environment: str | None) -> str:
        """Run `tandem`, require its exit status, and return what it printed on both outputs."""
        return self._run(self.argv(*words), status, timeout, environment)

    def json(self, *words: str, status: int = 0) -> Any:
        """Run `tandem … --json` and return what it printed."""
        return json.loads(self.tandem(*words, "--json", status=status))

    def playbook(self, verb: str, *words: str, status: int = 0, timeout: float = 300, **environment: str | None) -> str:
        """Run a playbook by ansible-playbook, require its exit status, and return what it printed."""
        argv = [
            "ansible-playbook",
            "-i",
            str(self.directory / "installation.yml"),
            str(ROOT / "playbooks" / f"{verb}.yml"),
            *words,
        ]
        return self._run(argv, status, timeout, environment)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `tandem` as the leader of a process group of its own, and do not wait for it."""
        return subprocess.Popen(
            self.argv(*words),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def _run(self, argv: list[str], status: int, timeout: float, environment: dict[str, str | None]) -> str:
        surroundings = {**self.environment, **environment}
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env={name: value for name, value in surroundings.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == status, f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}"
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout

    def settle(self) -> None:
        """Put the source back to what it was copied from, and apply it."""
        shutil.rmtree(self.directory)
        shutil.copytree(self.pristine, self.directory)
        self.tandem("apply")

    def active(self) -> int:
        """Return the number of the active configuration, as the store has it."""
        found = (self.lab.exec(server, ["cat", "/var/lib/tandem/store/active"]).stdout for server in self.servers)
        return int(next(filter(None, found)))

    def leased(self) -> bool:
        """Tell whether a run holds the lease of the small installation."""
        return self.lab.exec("North", ["test", "-e", "/var/lib/tandem/store/lease.json"]).returncode == 0

    def hang_up(self) -> None:
        """End the connections that earlier runs have left open."""
        for path in (self.lab.ssh_config.parent / "connections").glob("*"):
            argv = ["ssh", "-F", str(self.lab.ssh_config), "-o", f"ControlPath={path}", "-O", "exit", "it"]
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)

    @contextlib.contextmanager
    def unplugged(self, server: str) -> Iterator[None]:
        """Pull a server's cables for a while, when the connections of earlier runs have ended."""
        self.hang_up()
        self.lab.unplug(server)
        try:
            yield
        finally:
            self.lab.plug(server)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands exactly once in a file of the inventory."""
        file = self.directory / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new))

    def write(self, path: str, text: str) -> None:
        """Write a file of the inventory."""
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def units(self, server: str) -> Units:
        """Return the state of every service unit of a server: when it started, its process, its invocation."""
        shown = self.lab.exec(server, ["systemctl", "show", "*.service", f"--property={UNIT_FIELDS}"]).stdout
        blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")]
        return {block["Id"]: block for block in blocks if block.get("Id")}

    def all_units(self) -> dict[str, Units]:
        """Return the state of all service units of all servers."""
        return {server: self.units(server) for server in self.servers}

    def restarted(self, before: dict[str, Units]) -> set[tuple[str, str]]:
        """Return every (server, unit) that has another process than in `before`, from `all_units`, or none."""
        after = self.all_units()
        names = {(server, unit) for units in (before, after) for server in units for unit in units[server]}

        def process(units: dict[str, Units], server: str, unit: str) -> str:
            state = units[server].get(unit, {})
            return state["InvocationID"] if state.get("ActiveState") == "active" else ""

        return {
            (server, unit)
            for server, unit in names
            if not unit.startswith(OF_THE_SYSTEM) and process(before, server, unit) != process(after, server, unit)
        }

    def addresses(self, server: str) -> set[str]:
        """Return the addresses that a server has."""
        links = json.loads(self.lab.exec(server, ["ip", "-json", "-4", "address", "show"]).stdout)
        return {address["local"] for link in links for address in link.get("addr_info", [])}

    def text(self, server: str, path: str) -> str:
        """Return a file of a server."""
        return self.do(server, "cat", path)

    def do(self, server: str, *argv: str, stdin: str = "") -> str:
        """Run a command on a server as root, beside Tandem; require that it succeeds, and return what it printed."""
        done = self.lab.exec(server, argv, stdin=stdin)
        assert done.returncode == 0, f"{server}: {' '.join(argv)} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def from_controller(self, *argv: str) -> str:
        """Run a program of the servers where the controller stands, and return what it printed."""
        return self.lab.controller(argv, tools=True).stdout

    def radius(self, address: str, account: str, number: str = "4412345", timeout: int = 3) -> str:
        """Ask a billing engine whether an account may call a number; return the answer as radclient prints it.

        What it reserves is given back: the call does not take place.
        """
        session = f"Acct-Session-Id=test-{account}-{os.urandom(4).hex()}"
        call = f"User-Name={account},Called-Station-Id={number},{session}"
        answer = self._radclient(f"{address}:1812", "auth", call, timeout)
        if "Access-Accept" in answer:
            self._radclient(f"{address}:1813", "acct", f"{call},Acct-Status-Type=Failed", timeout)
        return answer

    def _radclient(self, where: str, kind: str, request: str, timeout: int) -> str:
        argv = ["radclient", "-x", "-r", "1", "-t", str(timeout), where, kind, self.radius_secret]
        done = self.lab.controller(argv, stdin=request + "\n", tools=True)
        return done.stdout + done.stderr

    def send(self, packets: Sequence[tuple["Request", bytes]], patience: float) -> list["Answer | None"]:
        """Send RADIUS packets at once, each from its own port; return what is answered within `patience` s."""
        secret = self.radius_secret.encode()

        def work() -> list[Answer | None]:
            namespaces.enter(namespaces.controller(self.lab.name))
            channels = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in packets]
            for channel, (request, packet) in zip(channels, packets, strict=True):
                channel.sendto(packet, (request.address, 1812 if request.code == ACCESS else 1813))
            end = time.monotonic() + patience
            return [received(channel, end, secret, sent) for channel, (_, sent) in zip(channels, packets, strict=True)]

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(work).result()

    @property
    def radius_secret(self) -> str:
        """Return the secret that the installation's billing engines share with their clients."""
        find = "grep -rhoE 'secret = .*' /etc/freeradius/billing-*/ 2>/dev/null | head -n 1"
        found = (self.lab.exec(server, ["sh", "-c", find]).stdout for server in self.servers)
        return next(filter(None, found)).partition("=")[2].strip().strip('"')


ACCESS, ACCOUNTING = 1, 4  # codes of RADIUS requests


class Request(NamedTuple):
    """What is asked of one billing engine, with attributes as they are sent."""

    address: str
    code: int
    attributes: list[tuple[int, bytes]]

    def packet(self, secret: bytes, tail: bytes = b"") -> bytes:
        """Return it signed; each packet differs, so that none is taken for one that is sent again."""
        body = b"".join(struct.pack("!BB", kind, len(value) + 2) + value for kind, value in self.attributes) + tail
        signed = 18 if self.code == ACCESS else 0
        head = struct.pack("!BBH", self.code, os.urandom(1)[0], 20 + signed + len(body))
        if not signed:
            return head + hashlib.md5(head + bytes(16) + body + secret, usedforsecurity=False).digest() + body
        head += os.urandom(16) + bytes([80, signed])  # a Message-Authenticator
        return head + hmac.digest(secret, head + bytes(16) + body, "md5") + body


class Answer(NamedTuple):
    """What a billing engine said: its code, Session-Timeout in seconds, Reply-Message."""

    code: int
    seconds: int | None = None
    message: str | None = None


def received(channel: socket.socket, end: float, secret: bytes, packet: bytes) -> Answer | None:
    """Return the answer to a packet if it comes in time, and from who knows the secret."""
    with channel:
        channel.settimeout(max(0.001, end - time.monotonic()))
        try:
            answer = channel.recv(4096)
        except TimeoutError:
            return None
    said = answer[:4] + packet[4:20] + answer[20:] + secret
    if answer[4:20] != hashlib.md5(said, usedforsecurity=False).digest():
        return None
    found, at = {}, 20
    while at < len(answer):
        found[answer[at]] = answer[at + 2 : at + answer[at + 1]]
        at += answer[at + 1]
    seconds = int.from_bytes(found[27], "big") if 27 in found else None
    return Answer(answer[0], seconds, found[18].decode() if 18 in found else None)


def recap(output: str) -> dict[str, dict[str, int]]:
    """Return Ansible's counts by host."""
    lines = [line for line in output.partition("PLAY RECAP")[2].splitlines() if " : " in line]
    return {
        line.partition(" : ")[0].strip(): {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)}
        for line in lines
    }


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, the youngest first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [*(each for child in children for each in family(int(child))), pid]


def told(output: str, *names: str) -> list[str]:
    """Return the lines of an output that end something on one of the servers: those with a mark."""
    return [line for line in output.splitlines() if line.startswith(("✓", "✗")) and line.split()[1] in names]


def failures(output: str) -> dict[str, str]:
    """Return what failed, by server, from the output of an apply."""
    lines: Iterable[str] = (line[1:].strip() for line in output.splitlines() if line.startswith("✗"))
    return {line.split()[0]: line.partition(" ")[2].strip() for line in lines}
