"""Read installation.yml."""

from tandem.inventory.entries import InstallationEntry
from tandem.inventory.read import Inventory, read_installation

__all__ = ["InstallationEntry", "Inventory", "read_installation"]
