"""Be one server's power supply: boot it, boot it again when it reboots, and tell how it ended.

A program of its own, started once per server by `lab.server` with a JSON file that says all it needs and with the lock
that means "has power" already held on a file descriptor. Standard library only and nothing of the lab, to stay small.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REBOOT = 133  # what systemd-nspawn exits with when the container asked for a reboot
ENDS = {0: "shut down", -9: "power cut", 137: "power cut"}


def main(boot_file: str) -> None:
    """Give power until the server shuts down, is cut off, or cannot boot."""
    boot = json.loads(Path(boot_file).read_text())
    enter_groups(boot["groups"]["wrapper"])
    boots, result = boot["boots"], REBOOT
    while result == REBOOT:
        boots += 1
        with open(boot["console"], "ab", buffering=0) as console:
            console.write(f"--- boot {boots} at {time.strftime('%F %T')}\n".encode())
            result = one_boot(boot, boots, console)
    tell(boot, state="off", boots=boots, how=ENDS.get(result, f"failed with exit status {result}"))


def one_boot(boot: dict[str, Any], boots: int, console: Any) -> int:
    """Boot once and wait for the end; what it needed in the network and in control groups is gone afterwards."""
    clear_groups(boot["groups"]["machine"])
    try:
        commands = boot["network"] + boot["unplug" if os.path.exists(boot["unplugged"]) else "plug"]
        for command in commands:
            may_fail = command[0] == "-"
            errors = subprocess.DEVNULL if may_fail else console
            done = subprocess.run(
                command[may_fail:], stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, check=False
            )
            if done.returncode and not may_fail:
                console.write(f"cannot boot: {' '.join(command)} failed\n".encode())
                return done.returncode
        machine = subprocess.Popen(
            boot["machine"],
            env=boot["environment"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            preexec_fn=lambda: enter_groups(boot["groups"]["machine"]),  # noqa: PLW1509 - there are no threads here
        )
        tell(boot, state="on", boots=boots, machine=machine.pid)
        return machine.wait()
    finally:
        subprocess.run(["ip", "netns", "delete", boot["namespace"]], stderr=subprocess.DEVNULL, check=False)
        clear_groups(boot["groups"]["machine"])


def tell(boot: dict[str, Any], **facts: Any) -> None:
    """Write what `status` shows, so that a reader never sees half of it."""
    new = boot["power"] + ".new"
    Path(new).write_text(json.dumps({**facts, "since": time.time()}))
    os.replace(new, boot["power"])


def enter_groups(groups: list[str]) -> None:
    """Move this process into a control group in every hierarchy."""
    for group in groups:
        Path(group, "cgroup.procs").write_text(str(os.getpid()))


def clear_groups(groups: list[str]) -> None:
    """Remove the groups that a boot made below the server's own."""
    for group in groups:
        for directory, _, _ in os.walk(group, topdown=False):
            if directory != group:
                with contextlib.suppress(OSError):
                    os.rmdir(directory)


if __name__ == "__main__":
    main(sys.argv[1])
