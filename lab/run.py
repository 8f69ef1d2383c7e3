"""Run the programs the lab is made of (ip, nft, mount, ssh-keygen, …)."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from lab.errors import LabError

Completed = subprocess.CompletedProcess[str]


def captured(argv: Sequence[str], stdin: str = "", timeout: float = 60) -> Completed:
    """Run `argv` and return what it printed and its exit status, whatever that is.

    Raises subprocess.TimeoutExpired after `timeout` seconds.
    """
    return subprocess.run(
        argv, input=stdin, capture_output=True, check=False, text=True, errors="replace", timeout=timeout
    )


def run(argv: Sequence[str], *, stdin: str = "", check: bool = True, timeout: float = 60) -> Completed:
    """Run `argv` to its end and return what it printed.

    Raises LabError with the program's own words when it fails and `check` is set, or when it takes longer than
    `timeout` seconds.
    """
    try:
        done = captured(argv, stdin, timeout)
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(argv)}: still running after {timeout:g} s") from error
    if check and done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or "it said nothing"
        raise LabError(f"{' '.join(argv)}: exit status {done.returncode}: {said}")
    return done
