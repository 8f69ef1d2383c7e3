"""Tell what going from one configuration to another changes, interrupts, and in which order."""

from tandem.plan.plan import Plan, make
from tandem.plan.waves import Step, Wave

__all__ = ["Plan", "Step", "Wave", "make"]
