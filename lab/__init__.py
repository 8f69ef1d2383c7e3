"""Real servers on one Linux machine: an installation's servers as systemd containers in a network of their own."""

from lab.errors import LabError
from lab.lab import Lab

__all__ = ["Lab", "LabError"]
