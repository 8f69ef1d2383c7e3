"""List what is to be proven, from a seed: every fault at every state of the journal, and at random moments."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from tests.fleet.faults import FAULTS
from tests.prove.record import seed_of

SEED = seed_of(os.environ.get("SEED"))
MOMENTS = int(os.environ.get("MOMENTS") or 30)
SERVERS = ("East", "South", "West")
# Where in each state the program is stopped: a share of the steps it takes there.
STATES = {
    "staging": (0.5,),
    "placing": (0.0, 0.6),
    "settling": (0.0, 0.6),
    "confirming": (0.0,),
    "committed": (0.5,),
    "undoing": (0.5,),
}


@dataclass(frozen=True)
class Scenario:
    """One fault at one moment: at a share of a state of the journal, or at a share of the whole run."""

    number: int
    fault: str
    state: str
    share: float
    server: str
    back: bool

    @property
    def at_random(self) -> bool:
        """Return whether the moment is one of time, and not one of the journal."""
        return self.state == "any"

    @property
    def row(self) -> str:
        """Name the moment."""
        return "a random moment" if self.at_random else f"{self.state} {self.share:.0%}"

    def __str__(self) -> str:
        back = ", then back" if self.back else ""
        return f"{self.number}: {self.fault} at {self.state} {self.share:.0%} on {self.server}{back}"


def scenarios() -> list[Scenario]:
    """Return all scenarios of the seed."""
    found: list[Scenario] = []
    for state, shares in STATES.items():
        for share in shares:
            for fault in FAULTS:
                dice = random.Random(f"{SEED} {state} {share} {fault}")  # noqa: S311  repeatable on purpose
                found.append(Scenario(len(found), fault, state, share, dice.choice(SERVERS), dice.random() < 0.2))
    for moment in range(MOMENTS):
        dice = random.Random(f"{SEED} moment {moment}")  # noqa: S311  repeatable on purpose
        fault = FAULTS[moment % len(FAULTS)]
        found.append(
            Scenario(len(found), fault, "any", dice.random(), dice.choice(("North", *SERVERS)), dice.random() < 0.3)
        )
    return found
