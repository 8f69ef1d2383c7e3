"""Read an installation.yml by itself, for whoever needs the servers and not the options."""

from __future__ import annotations

from pathlib import Path

from tandem import applications as declarations
from tandem.errors import Problems
from tandem.installation import Installation
from tandem.inventory.read import read_installation
from tandem.source import read


def read_alone(path: Path, roles: Path) -> Installation:
    """Return the installation that a file describes; raise InputRefused with everything wrong in it.

    Mistakes in option files are no reason to refuse: they are reported by what compiles them.
    """
    problems, elsewhere = Problems(), Problems()
    applications = declarations.load(roles, problems)
    source = read(path.parent, elsewhere)
    problems.extend(problem for problem in elsewhere.found if problem.origin.path == path.name)
    found = read_installation(source.installation, applications, problems)
    problems.raise_if_any()
    return found.installation
