"""Break one server at every single step of a transaction, without a controller: what it ships is asked directly."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from typing import Any

from tests.fleet.faults import alone, boot, programs
from tests.fleet.stops import HERE, LAUNCH, Stop
from tests.fleet.trial import Trial

Json = dict[str, Any]
OF_THE_TEST = ("etc/systemd/system/tandem-recover.service.d", "var/lib/tandem-test")  # of a recovery that stops
DROP_IN = "[Service]\nExecStart=\nExecStart=/usr/bin/python3 -IS /var/lib/tandem-test/launch.py recover\n"


class Steps:
    """One server of an installation, asked to go to the other configuration again and again."""

    def __init__(self, trial: Trial, server: str) -> None:
        self.trial = trial
        self.fleet = trial.fleet
        self.server = server
        self.moments: list[str] = []

    def _ask(self, goal: str) -> subprocess.Popen[bytes]:
        """Ask the server program to apply the old or the new bundle."""
        compiled = self.trial.compiled[self.trial.goal if goal == "new" else self.trial.at]
        bundle = compiled.bundles[self.server]
        digests = {entry["digest"] for entry in bundle["files"] if entry["kind"] == "file"}
        request = {
            "verb": "apply",
            "run": int(self.fleet.text(self.server, "/var/lib/tandem/run")),
            "number": json.loads(self.fleet.text(self.server, "/var/lib/tandem/bundle.json"))["number"],
            "bundle": bundle,
            "confirm": False,
            "blobs": {digest: base64.b64encode(compiled.contents[digest]).decode() for digest in digests},
        }
        argv = self.fleet.lab.server(self.server).inside(["python3", "-IS", "-c", LAUNCH])
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdin
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        return process

    def apply(self, goal: str) -> None:
        """Apply a bundle to its end, and require that it is wholly there."""
        said, _ = self._ask(goal).communicate(timeout=120)
        result = json.loads(said.splitlines()[-1])
        assert "failed" not in result, result
        assert self.stands(5) == goal

    def stands(self, patience: float = 60) -> str:
        """Tell whether the server is wholly old or wholly new."""
        return self.trial.whole().on(self.server, patience)

    def measure(self) -> None:
        """Go there and back unbroken, and note every moment on the way there."""
        stop = Stop(self.fleet, self.server)
        self.apply("new")
        self.moments = [" ".join(line.split()[:2]) for line in stop.log() if not line.startswith("before")]
        stop.let_go()
        self.apply("old")

    def _stop(self, moment: str, goal: str = "new") -> bool:
        """Ask, and wait until the program stands at a moment; return False when it ended without."""
        stop = Stop(self.fleet, self.server, moment)
        process = self._ask(goal)
        try:
            return stop.reached(process)
        finally:
            self._waiting = process

    def _gone(self) -> None:
        self._waiting.kill()
        self._waiting.communicate()

    def cut(self, moment: str, second: int | None) -> str:
        """Cut the power at a moment, and again at a step of the recovery; return where the server then stands."""
        assert self._stop(moment), f"{moment} was not reached"
        self.fleet.lab.cut(self.server)
        self._gone()
        if second is not None:
            self._cut_recovery(f"undoing {second}")
        boot(self.fleet, self.server)
        stood = self.stands()
        if stood == "new":
            self.apply("old")
        return stood

    def _cut_recovery(self, moment: str) -> None:
        """Boot with a recovery that stops at a moment, if it gets there, and cut the power."""
        disk = self.fleet.lab.path(self.server)
        for path in OF_THE_TEST:
            (disk / path).mkdir(parents=True)
        (disk / OF_THE_TEST[0] / "test.conf").write_text(DROP_IN)
        first = f"import os\nos.makedirs({HERE!r}, exist_ok=True)\nopen({HERE + '/hold'!r}, 'w').close()\n"
        script = Stop.text(moment)
        (disk / OF_THE_TEST[1] / "launch.py").write_text(
            first + f"open({HERE + '/stop.py'!r}, 'w').write({script!r})\n" + LAUNCH
        )
        self.fleet.lab.on(self.server)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            seen = self.fleet.lab.exec(
                self.server, ["sh", "-c", f"test -e {HERE}/reached || systemctl is-active --quiet tandem-recover"]
            )
            if seen.returncode == 0:
                break
            time.sleep(0.1)
        self.fleet.lab.cut(self.server)
        for path in OF_THE_TEST:
            shutil.rmtree(disk / path)

    def kill(self, moment: str, second: int) -> str:
        """Kill the program at a moment, and the next at a step of its undoing; return where the one after arrives."""
        assert self._stop(moment), f"{moment} was not reached"
        self._kill()
        if self._stop(f"undoing {second}", "old"):
            self._kill()
        else:
            self._gone()
        goal = random.Random(f"{moment} {second}").choice(("old", "new"))  # noqa: S311  repeatable on purpose
        self.apply(goal)
        if goal == "new":
            self.apply("old")
        return goal

    def rescue(self) -> None:
        """Bring the server back after a failure, so that the others can be tried."""
        if self.fleet.lab.server(self.server).state() == "off":
            boot(self.fleet, self.server)
        self._kill()
        self.apply("old")

    def _kill(self) -> None:
        for process in programs(self.fleet, self.server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        alone(self.fleet, self.server)
        self._gone()
