"""Let SSH, and so Ansible, into a lab: a key pair, the servers' host keys, and a configuration for `ssh -F`."""

from __future__ import annotations

from lab import disk, namespaces
from lab.paths import LabPaths
from lab.root import USER
from lab.topology import Topology

CONFIG = """{hosts}Host *
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  ConnectTimeout 10
  ServerAliveInterval 5
  ServerAliveCountMax 3
  ProxyCommand {enter} nc -q 2 %h %p
"""


def prepare(paths: LabPaths) -> None:
    """Make the lab's directory and key pair."""
    paths.top.mkdir(parents=True, exist_ok=True)
    paths.top.chmod(0o700)
    if not paths.key.exists():
        disk.key(paths.key, "tandem-lab")


def write(lab: str, paths: LabPaths, topology: Topology) -> None:
    """Write known_hosts and ssh_config; every server must have its host key.

    Any of the lab's host keys is good for any address, because Tandem changes the addresses of servers.
    """
    keys = [paths.server(name).host_key.with_suffix(".pub").read_text().split() for name in topology.servers]
    disk.replace(paths.known_hosts, "".join(f"* {kind} {key}\n" for kind, key, *_ in keys))
    hosts = "".join(f"Host {name}\n  HostName {server.address}\n" for name, server in topology.servers.items())
    enter = " ".join(namespaces.inside(namespaces.controller(lab)))
    text = CONFIG.format(hosts=hosts, user=USER, key=paths.key, known_hosts=paths.known_hosts, enter=enter)
    disk.replace(paths.ssh_config, text)
