"""Compile and plan a fleet: `python -m bench.compile [--json FILE] [--servers N] [--rounds N]`; no root, no servers.

The installation is made up (bench/installation.py) and measured by running the `tandem` command, each time in a fresh
process. What it compiles is compared between caches, and with a resolver that has nothing of Tandem's (bench/naive.py).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.installation import Made, Sizes, seeded
from bench.job import PROJECT
from bench.machine import describe
from bench.naive import Naive
from tandem.configuration import DirectoryStore
from tandem.configuration.values import Values

WORK = PROJECT / "build/bench/compile"
RESULTS = PROJECT / "docs/benchmarks/compile.json"
GROWTH = (8, 4, 2, 1)
"""What the number of servers is divided by, to see how time grows with it."""
SAMPLE = 1000
"""Effective values that are compared with those of the naive resolver."""
PAUSE = 0.02
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Run:
    """What one run of the command cost: `cpu` are processor seconds of all its processes, `memory` their peak in MiB.

    Memory is looked at in runs of their own, because looking costs time; elsewhere it is None, and there `seconds` and
    `cpu` are None.
    """

    scenario: str
    servers: int
    round: int
    seconds: float | None
    cpu: float | None
    memory: float | None
    load: float


class Bench:
    """Measures one installation after the other, and keeps what was found, on disk after each run."""

    def __init__(self, sizes: Sizes, work: Path, output: Path) -> None:
        self._sizes, self._work, self._output = sizes, work, output
        self._machine = describe()
        self._runs: list[Run] = []
        self._checked: dict[str, int] = {}

    def run(self, rounds: int) -> None:
        """Measure how time grows with the number of servers, and at the full number everything."""
        for divisor in GROWTH:
            fleet = self._fleet(self._sizes.servers // divisor)
            for number in range(rounds):
                fleet.forget()
                self._keep(fleet.measure("cold", number))
        self._whole(self._fleet(self._sizes.servers), rounds)
        shutil.rmtree(self._work, ignore_errors=True)

    def _fleet(self, servers: int) -> Fleet:
        fleet = Fleet(Made(self._work / "made", replace(self._sizes, servers=servers)), self._work)
        fleet.made.write()
        return fleet

    def _whole(self, fleet: Fleet, rounds: int) -> None:
        """Measure changes and memory at the full number, and check what came out."""
        self._checked["digests"] = fleet.same_whatever_the_cache()  # after which the cache is warm
        self._checked["values"] = fleet.same_as_naive(SAMPLE)
        for number in range(rounds):
            self._keep(fleet.measure("warm", number))
        narrow = next(iter(fleet.made.instances()))
        place = narrow[0], narrow[1], narrow[3]
        for number in range(rounds):
            fleet.made.change(place, number + 1)
            self._keep(fleet.measure("one", number, expected=1))
        fleet.made.change((), 1)
        self._keep(fleet.measure("wide", 0))
        fleet.forget()
        self._keep(fleet.weigh("cold"))
        self._keep(fleet.weigh("warm"))
        fleet.made.change(place, rounds + 1)
        self._keep(fleet.weigh("one"))

    def _keep(self, run: Run) -> None:
        self._runs.append(run)
        cost = f"{run.memory:8.0f} MiB" if run.seconds is None else f"{run.seconds:8.2f} s  {run.cpu:8.2f} CPU-s"
        print(f"{run.servers:5} servers {run.scenario:6} {cost}  load {run.load:.1f}", flush=True)
        self._write()

    def _write(self) -> None:
        found = {
            "machine": self._machine,
            "sizes": {**asdict(self._sizes), "instances": self._sizes.instances},
            "runs": [asdict(run) for run in self._runs],
            "checked": self._checked,
        }
        self._output.parent.mkdir(parents=True, exist_ok=True)
        new = self._output.with_suffix(".new")
        new.write_text(json.dumps(found, indent=1) + "\n")
        new.replace(self._output)


class Fleet:
    """An installation that was made up, a cache, and a store with what it was compiled to at first."""

    def __init__(self, made: Made, work: Path) -> None:
        self.made = made
        self._cache, self._store = work / "cache", work / "store"

    def forget(self) -> None:
        """Delete the cache."""
        shutil.rmtree(self._cache, ignore_errors=True)

    def measure(self, scenario: str, number: int, expected: int | None = None) -> Run:
        """Run what a scenario is about; raise RuntimeError where a plan has another number of changed options."""
        load, start = os.getloadavg()[0], time.monotonic()
        child = self._start(scenario)
        output, _ = child.communicate()
        seconds = time.monotonic() - start
        cpu = _processor_seconds() - self._used
        if child.returncode:
            raise RuntimeError(f"{scenario}: exit status {child.returncode}")
        if expected is not None and len(found := json.loads(output)["options"]) != expected:
            raise RuntimeError(f"a plan of {expected} changed options has {len(found)}")
        servers = self.made.sizes.servers
        return Run(scenario, servers, number, round(seconds, 3), round(cpu, 2), None, round(load, 2))

    def weigh(self, scenario: str) -> Run:
        """Run what a scenario is about, and return the most memory that all its processes had together, in MiB."""
        load, most = os.getloadavg()[0], 0
        child = self._start(scenario, quiet=True)
        while child.poll() is None:
            most = max(most, sum(_memory(pid) for pid in _family(child.pid)))
            time.sleep(PAUSE)
        if child.returncode:
            raise RuntimeError(f"{scenario}: exit status {child.returncode}")
        return Run(scenario, self.made.sizes.servers, 0, None, None, round(most / 2**20, 1), round(load, 2))

    def same_whatever_the_cache(self) -> int:
        """Compile with the cache cold, warm and not there at all, and keep a store; return how often it was the same.

        Raise RuntimeError where a digest, which stands for every byte, is another one.
        """
        self.forget()
        shutil.rmtree(self._store, ignore_errors=True)
        ways = [
            self._digest(hash_seed="1"),
            self._digest("-o", str(self._store), hash_seed="2"),
            self._digest(hash_seed="3", cache="/proc/nowhere"),
        ]
        if len(set(ways)) != 1:
            raise RuntimeError(f"the same source has several digests: {ways}")
        return len(ways)

    def same_as_naive(self, number: int) -> int:
        """Compare so many effective values with those of a naive resolver; raise RuntimeError where one differs."""
        random = seeded("sample")
        naive = Naive(self.made.inventory, self.made.project / "roles")
        instances = list(self.made.instances())
        stored = DirectoryStore(self._store).configuration(1)
        for turn in range(number):
            suite, cluster, application, name, _ = random.choice(instances)
            options = self.made.options[application]
            option = random.choice(options[: self.made.sizes.unions] if turn % 4 == 0 else options)
            environment = random.choice([None, *self.made.environments]) if option.environment else None
            wanted = naive.value((suite, cluster, name), application, option.dotted, environment)
            effective = Values(stored, name).effective(environment, option.dotted)
            if effective is None or effective.value != wanted:
                raise RuntimeError(f"{option.dotted} of {name} in {environment} is {effective}, and not {wanted}")
        return number

    def _start(self, scenario: str, *, quiet: bool = False) -> subprocess.Popen[bytes]:
        """Begin what a scenario is about: compiling, or planning against the store."""
        compiling = scenario in ("cold", "warm")
        words = ["compile"] if compiling else ["plan", "--store", str(self._store), "--json"]
        self._used = _processor_seconds()
        command = [sys.executable, "-m", "tandem", "-i", str(self.made.inventory), *words]
        out = subprocess.DEVNULL if quiet else subprocess.PIPE
        return subprocess.Popen(command, env=self._surroundings(), stdout=out)

    def _digest(self, *words: str, hash_seed: str, cache: str | None = None) -> str:
        command = [sys.executable, "-m", "tandem", "-i", str(self.made.inventory), "compile", "--json", *words]
        surroundings = {**self._surroundings(), "PYTHONHASHSEED": hash_seed}
        if cache:
            surroundings["XDG_CACHE_HOME"] = cache
        done = subprocess.run(command, env=surroundings, stdout=subprocess.PIPE, check=True)
        return str(json.loads(done.stdout)["digest"])

    def _surroundings(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_VAULT", "TANDEM_"))}
        return {**kept, "XDG_CACHE_HOME": str(self._cache), "TANDEM_PROJECT": str(self.made.project)}


def _processor_seconds() -> float:
    """Return what processes that this one has waited for, and those they have waited for, used of the processors."""
    times = os.times()
    return times.children_user + times.children_system


def _family(pid: int) -> Iterator[int]:
    """Yield a process and everything that it started."""
    yield pid
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _memory(pid: int) -> int:
    """Return the bytes of memory that a process has, with its share of what it shares with others."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Measure, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.compile", description=__doc__.partition(":")[0])
    parser.add_argument("--servers", type=int, default=Sizes.servers, help=f"instead of {Sizes.servers}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each figure is measured (3)")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help=f"instead of {RESULTS.name}")
    arguments = parser.parse_args()
    Bench(replace(Sizes(), servers=arguments.servers), WORK, arguments.json).run(arguments.rounds)


if __name__ == "__main__":
    main()
