"""Tiny labs: two sites with one server each, under names of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from lab import Lab

ROOT = Path(__file__).parent.parent.parent
TINY = """
plugin: tandem.platform.installation
name: tiny
controllers: [198.18.0.250/32, 198.18.8.248/30]
sites:
  primary:
    kind: primary
    networks:
      management: {network: 198.18.0.0/24, gateway: 198.18.0.1, interface: eth0}
      service: {network: 198.18.1.0/24}
  secondary:
    kind: secondary
    networks:
      management: {network: 198.18.8.0/24}
      media: {network: 198.18.10.0/24, interface: eth1}
servers:
  Alpha: {site: primary, address: 198.18.0.11, cpus: 1, memory: 512MiB, disk: 4GiB}
  Beta: {site: secondary, address: 198.18.8.11, cpus: 1, memory: 512MiB, disk: 4GiB}
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an installation.yml of two sites with one server each."""
    path = tmp_path_factory.mktemp("tiny") / "installation.yml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def named(tiny: Path) -> Callable[[str], Lab]:
    """Return what makes a lab of the tiny installation under a name of this run's own."""
    return lambda name: Lab(tiny, f"test-{name}-{os.getpid()}")


@pytest.fixture(scope="session")
def shared(named: Callable[[str], Lab]) -> Iterator[Lab]:
    """Return a lab that is brought up once; use `lab`, which mends it first."""
    lab = named("shared")
    try:
        lab.up()
        yield lab
    finally:
        lab.down(purge=True)


@pytest.fixture
def lab(shared: Lab) -> Lab:
    """Return a lab with everything on and together, whatever the last test broke."""
    shared.up(timeout=60)
    return shared


@pytest.fixture
def alone(named: Callable[[str], Lab]) -> Iterator[Lab]:
    """Return a lab of one test's own, not yet up."""
    lab = named("alone")
    try:
        yield lab
    finally:
        lab.down(purge=True)


def command(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the lab's command line."""
    argv = [sys.executable, "-m", "lab", *words]
    return subprocess.run(argv, cwd=ROOT, env=env, check=False, capture_output=True, text=True, timeout=120)


def until(condition: Callable[[], object], seconds: float = 10) -> bool:
    """Wait until something is so, for a bounded time; tell whether it became so."""
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(found)


def reaches(lab: Lab, server: str, address: str) -> bool:
    """Tell whether a server gets an answer, given a moment: after a boot or a plug its routes take one."""
    return until(lambda: pings(lab, server, address))


def pings(lab: Lab, server: str, address: str) -> bool:
    """Tell whether a server gets an answer from an address."""
    return lab.exec(server, ["ping", "-q", "-c", "3", "-i", "0.2", "-W", "1", address]).returncode == 0


def ssh(lab: Lab, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run ssh as the lab's users do."""
    argv = ["ssh", "-F", str(lab.ssh_config), *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def alive(processes: Iterable[int]) -> list[int]:
    """Return those of the processes that run; a dead one waits a moment for its parent to notice."""
    found = []
    for pid in processes:
        with contextlib.suppress(OSError):
            if "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
                found.append(pid)
    return found
