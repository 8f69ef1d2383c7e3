"""Try scenarios on several installations at once: a fault costs more waiting than work."""

from __future__ import annotations

import contextlib
import os
import traceback
from concurrent.futures import Future
from queue import Empty, Queue
from threading import Thread

import pytest

from tests.fleet.fleet import Fleet
from tests.fleet.stops import Stop
from tests.fleet.trial import Outcome, Trial
from tests.prove.record import fleets_directory
from tests.prove.scenarios import Scenario

FLEETS = int(os.environ.get("FLEETS") or 4)


class Matrix:
    """Scenarios being tried on several installations; each has a future of its outcome."""

    def __init__(self, scenarios: list[Scenario], base: pytest.TempPathFactory) -> None:
        self.outcomes: dict[Scenario, Future[Outcome]] = {scenario: Future() for scenario in scenarios}
        self._waiting: Queue[Scenario] = Queue()
        for scenario in scenarios:
            self._waiting.put(scenario)
        top = base.mktemp("matrix")
        self.failed = top / "failed.txt"  # for whoever does not want to wait for the end
        count = min(FLEETS, len(scenarios))
        names = [f"test-prove{number}-{os.getpid()}" for number in range(count)]
        self.fleets = [Fleet("small", fleets_directory(top, number), name) for number, name in enumerate(names)]
        self.trials: list[Trial] = []
        self._threads = [Thread(target=self._work, args=(fleet,)) for fleet in self.fleets]

    def start(self) -> None:
        """Begin, on all installations."""
        for fleet in self.fleets:
            fleet.lab.up()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop after the scenarios under way, and take the labs away."""
        while not self._waiting.empty():
            self._waiting.get()
        for thread in self._threads:
            if thread.is_alive():  # not where bringing a lab up failed
                thread.join()
        for fleet in self.fleets:
            fleet.lab.down(purge=True)

    def _work(self, fleet: Fleet) -> None:
        trial, begun = Trial(fleet), False
        while not self._waiting.empty():
            with contextlib.suppress(Empty):
                scenario = self._waiting.get_nowait()
                try:
                    if not begun:
                        begin(trial)
                        begun = True
                    self.outcomes[scenario].set_result(try_out(scenario, trial))
                except BaseException as error:  # noqa: BLE001  the test that waits for it raises it
                    with self.failed.open("a") as file:
                        file.write(f"{fleet.lab.name}, {scenario}\n{traceback.format_exc()}\n")
                    self.outcomes[scenario].set_exception(error)
                    begun = False
        if begun:
            self.trials.append(trial)


def begin(trial: Trial) -> None:
    """Bring a trial to servers built from nothing, and measure its two ways."""
    fleet = trial.fleet
    for server in fleet.servers:
        fleet.lab.reset(server)
    fleet.lab.wait()
    trial.begin()
    for _ in range(2):
        trial.measure()


def try_out(scenario: Scenario, trial: Trial) -> Outcome:
    """Let a scenario happen."""
    if scenario.at_random:
        seconds = scenario.share * trial.seconds[trial.goal]
        return trial.broken(scenario.fault, scenario.server, None, after=seconds, back=scenario.back)
    refused = scenario.state == "undoing"
    steps = 12 if refused else trial.steps[trial.goal][scenario.server, scenario.state]
    moment = f"{scenario.state} {int(scenario.share * (steps - 1))}"
    return trial.broken(
        scenario.fault, scenario.server, Stop(trial.fleet, scenario.server, moment, refused=refused), back=scenario.back
    )
