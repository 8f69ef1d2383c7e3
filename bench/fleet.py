"""Run machines with a real sshd each, in namespaces of their own, for as long as a measurement lasts."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.job import UNITS, Server

HERE = Path(__file__).resolve().parent
PATIENCE = 60.0  # seconds for a machine to answer
CONTROLLER = "198.18.0.2"
BRIDGE = "bench"
PROXY_PORT = 2222  # where a machine is reached through its delaying proxy
SSH_LOG, UNIT_LOG = "var/log/bench-ssh.log", "var/log/bench-units.log"
CONFIG = """\
Port 22
HostKey /etc/ssh/host_key
PidFile none
AuthorizedKeysFile /etc/ssh/bench_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
UseDNS no
LogLevel VERBOSE
MaxStartups 2000
MaxSessions 2000
Subsystem sftp /usr/lib/openssh/sftp-server
"""


@dataclass
class Machine:
    """One sshd, and the logical servers that answer there, each at an address of its own."""

    number: int
    servers: list[Server]
    top: Path
    process: subprocess.Popen[bytes] | None = None

    def disk(self, server: Server) -> Path:
        """Return what a server has written."""
        return self.top / "disks" / server.name / "upper"


class Fleet:
    """Machines on one bridge; the controller is this process."""

    def __init__(self, top: Path, base: Path, servers: list[Server], per_machine: int = 1) -> None:
        self.top, self.base, self.servers = top, base, servers
        first, *rest = servers  # the first, which keeps the store, is alone
        groups = [[first], *(rest[at : at + per_machine] for at in range(0, len(rest), per_machine))]
        self.machines = [Machine(n, group, top / "machines" / str(n)) for n, group in enumerate(groups)]
        self._marks: dict[Path, int] = {}
        self._home = {server.name: machine for machine in self.machines for server in machine.servers}

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Have the machines answer between enter and exit; their disks are new."""
        shutil.rmtree(self.top, ignore_errors=True)
        layer = self._layer()
        try:
            self._network()
            for machine in self.machines:
                self._start(machine, layer)
            for machine in self.machines:
                for server in machine.servers:
                    _wait(server.management)
            yield
        finally:
            self._stop()

    @contextlib.contextmanager
    def delayed(self, round_trip: float) -> Iterator[None]:
        """Have every machine answer over a long line, too, at another port."""
        lines = [
            subprocess.Popen(
                [
                    "ip",
                    "netns",
                    "exec",
                    f"m{machine.number}",
                    sys.executable,
                    "-m",
                    "bench.delay",
                    str(PROXY_PORT),
                    "22",
                    str(round_trip),
                ],
            )
            for machine in self.machines
        ]
        try:
            for machine in self.machines:
                _wait(machine.servers[0].management, PROXY_PORT)
            yield
        finally:
            for line in lines:
                line.kill()
                line.wait()

    def _layer(self) -> Path:
        """Make what every machine has over the base root: the stand-in for systemd, and the controller's key."""
        layer = self.top / "layer"
        for folder in ("usr/bin", "etc/ssh", "usr/lib/systemd/system", "servers"):
            (layer / folder).mkdir(parents=True)
        shutil.copy(HERE / "systemctl", layer / "usr/bin/systemctl")
        for number in range(UNITS):
            unit = "[Service]\nExecStart=/bin/sleep infinity\n"
            (layer / f"usr/lib/systemd/system/svc{number}@.service").write_text(unit)
        _key(self.top / "id")
        shutil.copy(self.top / "id.pub", layer / "etc/ssh/bench_keys")
        return layer

    def _network(self) -> None:
        lines = [f"link add {BRIDGE} type bridge", f"addr add {CONTROLLER}/16 dev {BRIDGE}", f"link set {BRIDGE} up"]
        for machine in self.machines:
            space = f"m{machine.number}"
            subprocess.run(["ip", "netns", "add", space], check=True)
            lines.append(f"link add {space} master {BRIDGE} type veth peer name eth0 netns {space}")
            lines.append(f"link set {space} up")
        _ip([], lines)
        for machine in self.machines:
            inside = ["link set lo up", "link set eth0 up"]
            for server in machine.servers:
                inside += [f"addr add {address}/16 dev eth0" for address in (server.management, server.service)]
            inside.append("route add default via 198.18.0.1")
            _ip(["-n", f"m{machine.number}"], inside)

    def _start(self, machine: Machine, layer: Path) -> None:
        machine.top.mkdir(parents=True)
        _key(machine.top / "host_key")
        config = CONFIG
        for server in machine.servers[1:]:
            config += f"Match LocalAddress {server.management}\n  ChrootDirectory /servers/{server.name}\n"
        (machine.top / "sshd_config").write_text(config)
        key = (machine.top / "host_key.pub").read_text()
        with (self.top / "known_hosts").open("a") as file:
            for server in machine.servers:
                file.write(f"{server.management} {key}[{server.management}]:{PROXY_PORT} {key}")
        spaces = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL"]
        names = [server.name for server in machine.servers]
        command = ["ip", "netns", "exec", f"m{machine.number}", *spaces, str(HERE / "server.sh")]
        with (machine.top / "console").open("wb") as console:
            machine.process = subprocess.Popen(
                [*command, str(self.base), str(layer), str(machine.top), *names],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def _stop(self) -> None:
        for machine in self.machines:
            if machine.process:
                machine.process.send_signal(signal.SIGKILL)  # of unshare, whose child dies with it
        for machine in self.machines:
            if machine.process:
                machine.process.wait()
            for command in (["link", "delete", f"m{machine.number}"], ["netns", "delete", f"m{machine.number}"]):
                subprocess.run(["ip", *command], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["ip", "link", "delete", BRIDGE], stderr=subprocess.DEVNULL, check=False)

    def mark(self) -> None:
        """Count from here on."""
        self._marks = {path: path.stat().st_size for path in self._logs() if path.exists()}

    def execs(self) -> dict[str, int]:
        """Return how many sessions (commands, and sftp) each machine has run since the mark, by its first server."""
        found = {}
        for machine in self.machines:
            text = self._since(machine.disk(machine.servers[0]) / SSH_LOG)
            found[machine.servers[0].name] = text.count("Starting session: ")
        return found

    def restarts(self) -> dict[str, dict[str, int]]:
        """Return how often each unit was started or restarted on each server since the mark."""
        found = {}
        for server in self.servers:
            lines = self._since(self._home[server.name].disk(server) / UNIT_LOG).splitlines()
            found[server.name] = dict(Counter(line.split()[1].partition("@")[0] for line in lines))
        return found

    def contents(self) -> dict[str, bytes]:
        """Return the job's files of all servers, to see that contenders deliver the same."""
        return {
            f"{server.name}/{path.name}": oct(path.stat().st_mode & 0o7777).encode() + path.read_bytes()
            for server in self.servers
            for path in sorted((self._home[server.name].disk(server) / "etc/bench").glob("*/*/*.conf"))
        }

    def _logs(self) -> Iterator[Path]:
        for server in self.servers:
            yield self._home[server.name].disk(server) / SSH_LOG
            yield self._home[server.name].disk(server) / UNIT_LOG

    def _since(self, path: Path) -> str:
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(self._marks.get(path, 0))
            return file.read().decode(errors="replace")


def ssh_options(top: Path, port: int = 22, key_exchange: str | None = None) -> list[str]:
    """Return what ssh needs to know of the machines, as words of a command line."""
    options = [f"UserKnownHostsFile={top / 'known_hosts'}", "StrictHostKeyChecking=yes", f"IdentityFile={top / 'id'}"]
    options += ["IdentitiesOnly=yes", f"Port={port}"]
    if key_exchange:
        options.append(f"KexAlgorithms={key_exchange}")
    return ["-F", "none", *(word for option in options for word in ("-o", option))]


def _key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(path)], check=True)


def _ip(options: list[str], lines: list[str]) -> None:
    subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines), text=True, check=True)


def _wait(address: str, port: int = 22) -> None:
    """Wait until a machine answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 1) as connection:
            if connection.recv(4) == b"SSH-":
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"the machine at {address} does not answer within {PATIENCE:g} s; see its console")
        time.sleep(0.05)
