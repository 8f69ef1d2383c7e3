"""Read installation.yml."""

from tandem.inventory.alone import read_alone
from tandem.inventory.entries import InstallationEntry
from tandem.inventory.read import Inventory, read_installation

__all__ = ["InstallationEntry", "Inventory", "read_alone", "read_installation"]
