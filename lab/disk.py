"""Make a server's disk as an installer would leave it: over the base root, only what makes it this server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.paths import LabPaths, ServerPaths
from lab.run import run
from lab.topology import Server

# Without carrier the addresses stay: networkd, taking them away and giving them back, loses the gateway of a cable that
# was out for a moment only.
NETWORK = """# The lab's own; a file of Tandem's that sorts before it takes its place.
[Match]
Name={interface}

[Network]
{lines}
LinkLocalAddressing=no
IPv6AcceptRA=no
KeepConfiguration=yes
ConfigureWithoutCarrier=yes
"""


def prepare(lab: LabPaths, server: Server, base: Path) -> None:
    """Make the disk of a server that has none, or one made on another base root.

    A disk appears whole or not at all, whenever this is interrupted. The host key outlives the disk, so that a server
    built from nothing is still known by its key.
    """
    paths = lab.server(server.name)
    paths.root.mkdir(parents=True, exist_ok=True)
    if not paths.host_key.exists():
        key(paths.host_key, server.name)
    if paths.upper.exists() and paths.base.exists() and paths.base.read_text() == base.name:
        return
    wipe(paths)
    new = paths.top / "upper.new"
    for path, text, mode in files(lab, server):
        write(new / path, text, mode)
    for directory in (new, *(path for path in new.rglob("*") if path.is_dir())):
        directory.chmod(0o755)  # as the base root has them, whatever the umask is
    paths.work.mkdir()
    paths.base.write_text(base.name)
    new.rename(paths.upper)


def wipe(paths: ServerPaths) -> None:
    """Throw a server's disk away; the server must be off."""
    for directory in (paths.upper, paths.work, paths.top / "upper.new"):
        if directory.exists():
            shutil.rmtree(directory)
    paths.base.unlink(missing_ok=True)
    paths.power.unlink(missing_ok=True)


def files(lab: LabPaths, server: Server) -> list[tuple[str, str, int]]:
    """Return path, contents and mode of every file on a new disk."""
    own = lab.server(server.name)
    result = [
        ("etc/hostname", f"{server.name}\n", 0o644),
        ("etc/hosts", f"127.0.0.1 localhost\n{server.address} {server.name}\n", 0o644),
        ("etc/ssh/ssh_host_ed25519_key", own.host_key.read_text(), 0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub", own.host_key.with_suffix(".pub").read_text(), 0o644),
        ("etc/ssh/authorized_keys/ansible", lab.key.with_suffix(".pub").read_text(), 0o644),
    ]
    for interface in server.site.interfaces:
        lines = []
        if interface == server.site.management.interface:
            network = server.site.management
            lines = [f"Address={server.address}/{network.subnet.prefixlen}", f"Gateway={network.gateway}"]
        text = NETWORK.format(interface=interface, lines="\n".join(lines))
        name = "50-lab.network" if lines else f"50-lab-{interface}.network"
        result.append((f"etc/systemd/network/{name}", text, 0o644))
    return result


def write(path: Path, text: str, mode: int) -> None:
    """Write a file that nobody can read with another mode than `mode`, in directories made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    path.chmod(mode)


def replace(path: Path, text: str) -> None:
    """Write a file that only root can read, so that whoever reads it finds the old text or the new."""
    new = path.with_name(path.name + ".new")
    write(new, text, 0o600)
    new.rename(path)


def key(path: Path, comment: str) -> None:
    """Make an SSH key pair; the private part is last to appear."""
    new = path.with_name(path.name + ".new")
    for stale in (new, new.with_suffix(".new.pub")):
        stale.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(new)])
    new.with_name(new.name + ".pub").rename(path.with_suffix(".pub"))
    new.rename(path)
