"""Find the project: the directory of ansible.cfg, with its roles and its inventory."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

from tandem.errors import InputRefused, Origin, Problem

INSTALLATION = "installation.yml"
"""The file that makes a directory an inventory directory: what the installation consists of."""


def project_directory() -> Path:
    """Return $TANDEM_PROJECT, or the nearest directory upward that has an ansible.cfg; raise InputRefused if none."""
    named = os.environ.get("TANDEM_PROJECT")
    if named:
        return Path(named).absolute()
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / "ansible.cfg").is_file():
            return directory
    message = "no ansible.cfg here or in a directory above; go to the project's directory or set TANDEM_PROJECT"
    raise InputRefused([Problem(Origin(str(here)), message)])


def roles_directory() -> Path:
    """Return the directory that holds a role for each application."""
    return project_directory() / "roles"


def inventory_directory(named: str | None) -> Path:
    """Return the inventory directory: the one named, itself or by its installation.yml, else that of ansible.cfg.

    Raise InputRefused if neither names one that has an installation.yml.
    """
    if named is None:
        project = project_directory()
        file = project / "ansible.cfg"
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise InputRefused([Problem(Origin(str(file)), f"cannot be read: {error}")]) from None
        configured = parser.get("defaults", "inventory", fallback="")
        if not configured:
            raise InputRefused([Problem(Origin(str(file)), "[defaults] names no inventory; set it or use --inventory")])
        path = project / configured
    else:
        path = Path(named)
    directory = path.parent if path.name == INSTALLATION and not path.is_dir() else path
    if not directory.is_dir():
        message = f"is not a directory; an inventory directory holds {INSTALLATION}"
        raise InputRefused([Problem(Origin(str(directory)), message)])
    if not os.path.lexists(file := directory / INSTALLATION):
        raise InputRefused([Problem(Origin(str(file)), "does not exist")])
    return directory
