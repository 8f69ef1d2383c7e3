"""Deliver configurations side by side: `python -m bench.delivery [--quick | --roles] [--json FILE]`; root, on Linux.

Everything runs in namespaces of its own (network, processes, mounts) that end with this program, however it ends: the
machine's own /etc, systemd and network are not touched.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import job
from bench.contenders import PYINFRA, RUNS, Stage
from bench.fleet import PROXY_PORT, Fleet
from bench.job import CONFIGURATION, PROJECT, UNITS, Server
from bench.machine import describe, processor_seconds
from lab import cache

INSIDE = "TANDEM_BENCH_INSIDE"
WORK = PROJECT / "build/bench"
RESULTS = PROJECT / "docs/benchmarks/delivery.json"
ALL = tuple(f"svc{number}" for number in range(UNITS))
SCENARIOS = {
    "cold": (job.BEFORE, ALL),
    "noop": (job.BEFORE, ()),
    "change": (job.AFTER, (job.unit_of(job.CHANGED_FILE),)),
}
"""What is asked for, and the units that have to restart for it."""
CURVE25519 = "curve25519-sha256"
SCALE = 1000


@dataclass(frozen=True)
class Turn:
    """Contenders that may have the same servers one after the other, and the key exchange that ssh is told to use."""

    contenders: tuple[str, ...]
    key_exchange: str | None = None


@dataclass(frozen=True)
class Block:
    """Turns that are taken one after the other, on how many servers, how often, over which connections."""

    turns: tuple[Turn, ...]
    servers: int
    rounds: int
    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    round_trip: float = 0.0
    per_machine: int = 1


@dataclass(frozen=True)
class Measurement:
    """One run of one contender.

    `cpu` are seconds of all processors, of controller and servers together; `execs` is the largest number of ssh
    sessions on any server that it delivered to.
    """

    contender: str
    scenario: str
    servers: int
    round: int
    seconds: float
    cpu: float
    execs: int
    exact: bool
    round_trip: float
    key_exchange: str
    load: tuple[float, float]


COMMAND = Turn(("tandem",))
PEER = Turn(("pyinfra",))
FLOOR = Turn(("ssh_new", "ssh_warm", "rsync"))
OTHER_KEYS = (Turn(("tandem",), CURVE25519), Turn(("ssh_new",), CURVE25519))
BLOCKS = [
    Block((COMMAND, PEER, FLOOR), 5, 5),
    Block((COMMAND, PEER, FLOOR, *OTHER_KEYS), 20, 5),
    Block((COMMAND, Turn(("ssh_new", "ssh_warm"))), 50, 1),
    Block((COMMAND, PEER), 2, 1, round_trip=0.1),
    Block((Turn(("tandem_playbook", "python")),), SCALE, 1, ("noop",), per_machine=10),
    Block((Turn(("hand",)),), 5, 1, ("noop",)),
    Block((Turn(("tuned",)),), 20, 1, ("noop",)),
]
"""What fits into an hour, together with compiling."""
HAND = (Turn(("hand",)), Turn(("tuned",)))
ROLES = [Block(HAND, 5, 1), Block(HAND, 20, 1)]
"""Everything that the hand-written roles take minutes for, each time."""
QUICK = [Block((COMMAND, Turn(("tandem_playbook",)), PEER, FLOOR, *OTHER_KEYS), 5, 1)]


class Bench:
    """Run blocks and keep what was measured, on disk after each run."""

    def __init__(self, base: Path, output: Path) -> None:
        self._base, self._output = base, output
        self._found: list[Measurement] = []
        self._before: list[object] = []
        self._machine = describe()

    def add_to(self, found: dict[str, Any]) -> None:
        """Keep what was measured before, on which machine it says."""
        self._before, self._machine = found["measurements"], found["machine"]

    def run(self, blocks: Iterable[Block]) -> None:
        """Measure block by block."""
        for block in blocks:
            if block.servers >= SCALE:
                self._standing(block)
            else:
                for number in range(block.rounds):
                    # another order each time, so that nobody always comes after the same one
                    first = number % len(block.turns)
                    for turn in block.turns[first:] + block.turns[:first]:
                        self._turn(block, turn, number)

    def _stage(self, block: Block, turn: Turn) -> Stage:
        servers = [Server(number) for number in range(1, block.servers + 1)]
        fleet = Fleet(WORK / "fleet", self._base, [CONFIGURATION, *servers], block.per_machine)
        port = PROXY_PORT if block.round_trip else 22
        return Stage(WORK / "stage", fleet, servers, port=port, key_exchange=turn.key_exchange)

    def _turn(self, block: Block, turn: Turn, number: int) -> None:
        """Let the contenders of a turn do everything once, on servers that are new."""
        stage = self._stage(block, turn)
        with stage.fleet.up(), ExitStack() as lines:
            if block.round_trip:
                lines.enter_context(stage.fleet.delayed(block.round_trip))
            stage.write()
            if "cold" not in block.scenarios:
                stage.deliver()
            for scenario in block.scenarios:
                for contender in turn.contenders:
                    self._measure(block, stage, contender, scenario, number)
        shutil.rmtree(WORK / "stage", ignore_errors=True)

    def _standing(self, block: Block) -> None:
        """Measure on servers that Tandem delivers to before, because that takes longest."""
        [turn] = block.turns
        stage = self._stage(block, turn)
        with stage.fleet.up():
            stage.write()
            self._measure(block, stage, "tandem_playbook", "cold", 0)
            for number in range(block.rounds):
                for contender in turn.contenders:
                    self._measure(block, stage, contender, "noop", number)

    def _measure(self, block: Block, stage: Stage, contender: str, scenario: str, number: int) -> None:
        calls, units = SCENARIOS[scenario]
        stage.set_calls(calls)
        stage.drop_connections()
        if contender.endswith("_warm"):
            RUNS[contender](stage)  # opens them
        stage.fleet.mark()
        before, used, start = os.getloadavg()[0], processor_seconds(), time.monotonic()
        RUNS[contender](stage)
        seconds, used = time.monotonic() - start, processor_seconds() - used
        execs = stage.fleet.execs()
        delivered = contender not in ("ssh_new", "ssh_warm", "python", "python_warm")
        if delivered and block.servers < SCALE:
            _compare(contender, stage.fleet.contents(), stage.rendered())
        restarts = stage.fleet.restarts()
        measured = Measurement(
            contender=contender,
            scenario=scenario,
            servers=block.servers,
            round=number,
            seconds=round(seconds, 3),
            cpu=round(used, 2),
            execs=max(execs[server.name] for server in stage.servers if server.name in execs),
            exact=all(restarts[server.name] == dict.fromkeys(units, 1) for server in stage.servers),
            round_trip=block.round_trip,
            key_exchange=stage.key_exchange or "default",
            load=(before, os.getloadavg()[0]),
        )
        self._found.append(measured)
        print(
            f"{measured.servers:5} servers {scenario:7} {contender:16} {seconds:8.2f} s  {used:7.2f} CPU-s  "
            f"{measured.execs} execs  {'exact' if measured.exact else 'inexact'}  load {before:.1f}",
            flush=True,
        )
        self._write()

    def _write(self) -> None:
        found = {"machine": self._machine, "measurements": [*self._before, *map(asdict, self._found)]}
        new = self._output.with_suffix(".new")
        new.write_text(json.dumps(found, indent=1))
        new.replace(self._output)


def _compare(contender: str, found: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    """Raise where something else was delivered than was asked for."""
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise RuntimeError(f"{contender}: {name} is\n{found.get(name)!r}\nand not\n{wanted.get(name)!r}")


def prepare() -> None:
    """Make the environment of pyinfra, from its own lock."""
    lock = PROJECT / "bench/peers/pyinfra/requirements.txt"
    stamp = WORK / "pyinfra/made-from"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    shutil.rmtree(WORK / "pyinfra", ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(WORK / "pyinfra")], check=True)
    pip = [str(WORK / "pyinfra/bin/pip"), "install", "--quiet", "--require-hashes", "--requirement", str(lock)]
    subprocess.run(pip, check=True)
    stamp.write_text(lock.read_text())
    assert PYINFRA.exists()


def main() -> int:
    """Measure in namespaces that end with this program."""
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__.partition(":")[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes: five servers, one round, no slow peers")
    parser.add_argument("--roles", action="store_true", help="an hour and a half: the roles, beside what is there")
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"instead of {RESULTS.name}, or of quick.json")
    parser.add_argument("--only", metavar="NUMBERS", help="only these of the blocks, such as 0,1")
    arguments = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: namespaces and mounts need root")
    if INSIDE not in os.environ:
        WORK.mkdir(parents=True, exist_ok=True)
        prepare()
        spaces = [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        inside = {**os.environ, INSIDE: str(cache.base(print))}
        try:
            return subprocess.run(
                [*spaces, sys.executable, "-m", "bench.delivery", *sys.argv[1:]], env=inside, check=False
            ).returncode
        except KeyboardInterrupt:
            return 130
        finally:
            for left in ("fleet", "stage"):
                shutil.rmtree(WORK / left, ignore_errors=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    blocks = QUICK if arguments.quick else ROLES if arguments.roles else BLOCKS
    if arguments.only:
        blocks = [blocks[int(number)] for number in arguments.only.split(",")]
    output = arguments.json or (WORK / "quick.json" if arguments.quick else RESULTS)
    output.parent.mkdir(parents=True, exist_ok=True)
    bench = Bench(Path(os.environ[INSIDE]), output)
    if arguments.roles and output.exists():
        bench.add_to(json.loads(output.read_text()))
    bench.run(blocks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
