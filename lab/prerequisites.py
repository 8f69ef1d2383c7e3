"""Say in one message all that a machine lacks to run a lab."""

from __future__ import annotations

import os
import shutil
import sys

from lab import cgroups
from lab.errors import LabError

PACKAGES = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "nc": "netcat-openbsd",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "sysctl": "procps",
}


def check() -> None:
    """Raise LabError naming everything that is missing, and how to get it."""
    lacks = []
    packages = sorted({package for program, package in PACKAGES.items() if not shutil.which(program)})
    if not sys.platform.startswith("linux"):
        lacks.append(f"Linux (this is {sys.platform}): a Linux machine, or a virtual one")
    else:
        if os.geteuid() != 0:
            lacks.append("root: run it with sudo")
        if cgroups.unified() is None:
            lacks.append(
                "cgroup v2: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, or boot with systemd 247 or newer"
            )
        if packages:
            lacks.append(f"{', '.join(packages)}: apt-get install --no-install-recommends {' '.join(packages)}")
    if lacks:
        raise LabError("The lab needs, and this machine does not have:\n" + "\n".join(f"  {lack}" for lack in lacks))
