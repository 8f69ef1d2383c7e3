"""Take an installation from one configuration to another and back, break every journey, and look where it stands."""

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fleet.faults import CONTROLLER_KILLED, PROGRAM_KILLED, TANDEM_KILLED, Apply, alone, mend, strike
from tests.fleet.fleet import Fleet
from tests.fleet.shortage import shortage
from tests.fleet.stops import Stop
from tests.fleet.whole import Compiled, Whole, compiled

UNFINISHED = """
import json, os, sys
os.chdir("/var/lib/tandem")
sys.exit(not (os.path.exists("journal.json") or json.load(open("bundle.json"))["retired"]))
"""


@dataclass
class Outcome:
    """What a fault did: where each server stood before anything was applied, and what the next apply wanted."""

    stood: dict[str, str] = field(default_factory=dict)
    wanted: str = ""
    late: bool = False  # the apply had ended before the fault came


class Trial:
    """The small installation between two configurations, `here` and `there`, that differ on every server."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        top = Path(tempfile.mkdtemp(dir=fleet.directory.parent))
        self._sources = {name: top / name for name in ("here", "there")}
        self.compiled: dict[str, Compiled] = {}
        for name, source in self._sources.items():
            if name == "there":
                change(fleet)
            self.compiled[name] = compiled(fleet)
            shutil.copytree(fleet.directory, source)
        self.at = "here"
        self.steps: dict[str, dict[tuple[str, str], int]] = {}
        self.seconds: dict[str, float] = {}

    def _write(self, name: str) -> None:
        shutil.rmtree(self.fleet.directory)
        shutil.copytree(self._sources[name], self.fleet.directory)

    @property
    def goal(self) -> str:
        """Name the configuration that is not the present one."""
        return "there" if self.at == "here" else "here"

    def whole(self, *names: str) -> Whole:
        """Return what compares servers with configurations; `old` and `new` unless named."""
        candidates = {"old": self.compiled[self.at].bundles, "new": self.compiled[self.goal].bundles}
        return Whole(self.fleet, {name: candidates[name] for name in names or candidates})

    def begin(self) -> None:
        """Apply the first configuration."""
        self.at = "here"
        self._write("here")
        self.fleet.tandem("apply")
        assert set(self.whole("old").all().values()) == {"old"}

    def measure(self) -> None:
        """Go to the other configuration unbroken; note the steps of each server in each state, and the seconds."""
        stops = {server: Stop(self.fleet, server) for server in self.fleet.servers}
        self._write(self.goal)
        started = time.monotonic()
        with Apply(self.fleet) as apply:
            assert apply.wait() == 0, apply.said()
        self.seconds[self.goal] = time.monotonic() - started
        steps = self.steps[self.goal] = {}
        for server, stop in stops.items():
            for line in stop.log():
                state = line.split()[0]
                steps[server, state] = steps.get((server, state), 0) + 1
            stop.let_go()
        self.arrive("new")

    def go_home(self) -> None:
        """Apply the first configuration, from wherever the servers are."""
        if self.at != "here":
            self.proceed()

    def arrive(self, wanted: str) -> None:
        """Require that all servers are wholly on the old or the new configuration, which then is the present one."""
        assert set(self.whole(wanted).all(5).values()) == {wanted}
        self.at = self.at if wanted == "old" else self.goal

    def broken(self, fault: str, server: str, stop: Stop | None, *, after: float = 0, back: bool = False) -> Outcome:
        """Start towards the other configuration, let a fault happen at a stop or after so many seconds, mend and go on.

        With `back`, what is wanted afterwards is the configuration there was before.
        """
        outcome = Outcome(wanted="old" if back else "new")
        self._write(self.goal)
        with Apply(self.fleet) as apply:
            if stop:
                assert stop.reached(apply.process), f"{stop.moment} on {server} was never reached:\n{apply.said()}"
            else:
                time.sleep(after)
                outcome.late = apply.process.poll() is not None
            strike(fault, apply, server)
            if stop and self.fleet.lab.server(server).state() == "on":
                stop.let_go()
            self._ended(fault, apply)
            mend(self.fleet)
            outcome.stood = self._stands(fault, server)
        self._write(self.at if back else self.goal)
        self.fleet.tandem("apply")
        self.arrive(outcome.wanted)
        return outcome

    def short(self, server: str, place: str, state: str) -> str:
        """Go to the other configuration while a directory runs full at a state; return the line about the server.

        The state is `journal`, `staging`, or `placing`. Requires that the server stands on the old configuration then.
        """
        self._write(self.goal)
        stop = Stop(self.fleet, server, "placing 0") if state == "placing" else None
        with shortage(self.fleet, server, place) as space, Apply(self.fleet) as apply:
            if state != "staging":
                space.leave(8192 if state == "journal" else 2**20)
            if stop:
                assert stop.reached(apply.process), apply.said()
                space.take_names()
                stop.let_go()
            assert apply.wait() == 1, apply.said()
            said = apply.said()
            self.fleet.do(server, "rm", f"{place}/.filler")
            assert self.whole().on(server) == "old"
        [line] = [line for line in said.splitlines() if line.startswith(f"✗ {server} ")]
        return line

    def proceed(self) -> None:
        """Go on to the other configuration."""
        self._write(self.goal)
        self.fleet.tandem("apply")
        self.arrive("new")

    def _ended(self, fault: str, apply: Apply) -> None:
        """Wait until nothing of a broken apply runs any more: it ends by itself, with words for a person."""
        if fault == TANDEM_KILLED:
            deadline = time.monotonic() + 180
            while found := apply.processes_but_connections():
                assert time.monotonic() < deadline, f"children of tandem go on for ever: {found}"
                time.sleep(0.2)
        elif fault != CONTROLLER_KILLED:
            apply.wait()
        assert "Traceback" not in apply.said(), apply.said()

    def _stands(self, fault: str, server: str) -> dict[str, str]:
        """Return which configuration every server stands on, once its own program has ended."""
        stood = {}
        for name in self.fleet.servers:
            alone(self.fleet, name)
            if fault == PROGRAM_KILLED and name == server and self._unfinished(name):
                stood[name] = "unfinished"  # nobody has been there since: the next run sees to it
            else:
                stood[name] = self.whole().on(name)
        return stood

    def _unfinished(self, server: str) -> bool:
        """Tell whether a server has a journal, or an old management address that is still to go after a commit."""
        return self.fleet.lab.exec(server, ["python3", "-ISc", UNFINISHED]).returncode == 0


def change(fleet: Fleet) -> None:
    """Edit the small installation: an instance moves with its address, one comes, one goes, a server moves.

    Besides, options change that restart (billing-1, all log senders) and reload (web-1), and the firewalls follow.
    """
    fleet.edit(
        "installation.yml", "South: {site: home, address: 198.19.0.13", "South: {site: home, address: 198.19.0.23"
    )
    fleet.edit("installation.yml", "billing-2: {server: South", "billing-2: {server: West")
    fleet.edit(
        "installation.yml",
        "web-2: {server: West, address: 198.19.1.32}",
        "web-3: {server: South, address: 198.19.1.33}",
    )
    (fleet.directory / "options/web_suite/web/web-2.yml").unlink()
    fleet.write("options/web_suite/web/web-1.yml", "web:\n  timeouts:\n    keepalive: 40\n  listen:\n    port: 8080\n")
    fleet.write(
        "options/cluster_suite/billing/billing-1.yml", "billing_engine:\n  replies:\n    no_funds: Nothing left\n"
    )
    fleet.edit("options/installation.yml", "level: notice", "level: info")
