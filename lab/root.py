"""Build the base root: Debian with the packages of every application, on which every server's disk begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError
from lab.run import run

RELEASE = "bookworm"
PACKAGES = """systemd systemd-sysv dbus openssh-server python3 sudo iproute2 iputils-ping iputils-arping nftables procps
 less ca-certificates openssl curl netcat-openbsd tcpdump tzdata acl libfaketime""".split()
LEFT_OUT = ["man/*", "doc/*", "info/*", "locale/*", "lintian/*", "bug/*"]
MASKED = """apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
 fstrim.timer man-db.timer console-getty.service getty.target systemd-networkd-wait-online.service
 systemd-pstore.service""".split()
# In a process namespace that ends with the lab: half of it never goes on building when the lab is killed.
TOGETHER = "setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount-proc".split()
USER, UID = "ansible", 1000
FILES = {
    f"etc/sudoers.d/{USER}": (f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440),
    "etc/ssh/sshd_config.d/lab.conf": (
        "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys/%u\nHostKey /etc/ssh/ssh_host_ed25519_key\n",
        0o644,
    ),
    "etc/systemd/journald.conf.d/lab.conf": ("[Journal]\nSystemMaxUse=64M\n", 0o644),
    # Without it nobody but root may log in until the boot has ended, long after sshd answers.
    "etc/tmpfiles.d/systemd-nologin.conf": ("", 0o644),
    "etc/machine-id": ("", 0o644),
    "etc/resolv.conf": ("", 0o644),  # no name server: with a wrong one, every gathering of facts waits 10 s
    "etc/hostname": ("lab\n", 0o644),
}
SOURCES = [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]


def build(root: Path, packages: Sequence[str], disabled: Sequence[str]) -> None:
    """Build the base root in the directory `root`, from the package sources this machine itself uses.

    `packages` are added to the lab's own; of the units they bring, `disabled` do not start by themselves.
    Takes minutes. Raises LabError with mmdebstrap's last words.
    """
    options = [f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in LEFT_OUT]
    options += ["--dpkgopt=force-unsafe-io", '--aptopt=APT::Install-Recommends "false"']
    include = f"--include={','.join(sorted({*PACKAGES, *packages}))}"
    command = [
        *TOGETHER,
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=apt",
        *options,
        include,
        RELEASE,
        str(root),
        "-",
    ]
    run(command, stdin=sources(), timeout=1800)
    customise(root, disabled)


def sources() -> str:
    """Return this machine's own Debian package sources."""
    for path in SOURCES:
        if path.is_file() and path.read_text().strip():
            return re.sub(r"^deb(-src)? cdrom:.*\n", "", path.read_text(), flags=re.MULTILINE)
    raise LabError(f"No Debian package sources in {' or '.join(map(str, SOURCES))}: the base root is built from these")


def customise(root: Path, disabled: Sequence[str]) -> None:
    """Add the user that Ansible logs in as, and silence what a server of the lab does not need."""
    run(["chroot", str(root), "useradd", "--uid", str(UID), "--create-home", "--shell", "/bin/bash", "-p", "*", USER])
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()
    for path, (text, mode) in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(mode)
    systemctl = ["systemctl", f"--root={root}", "--quiet"]
    run([*systemctl, "enable", "systemd-networkd.service"])
    run([*systemctl, "mask", *MASKED])
    for unit in disabled:
        run([*systemctl, "disable", unit], check=False)  # an application may name a unit that its packages do not bring
