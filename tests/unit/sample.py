"""Make small inventories for tests: a good one, and changes to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tandem import model
from tandem.errors import InputRefused
from tandem.model import Model

ROLES = Path(__file__).parent / "fixtures" / "roles"

SECRET = "!vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      6265656600"
"""An encrypted value as it stands below an option; nothing here has its password."""

INSTALLATION = """\
plugin: tandem.platform.installation
name: sample
controllers: [198.18.0.250/32]
sites:
  primary:
    kind: primary
    networks:
      management: {network: 198.18.0.0/24}
      service: {network: 198.18.1.0/24}
  secondary:
    kind: secondary
    networks:
      management: {network: 198.18.8.0/24}
      service: {network: 198.18.9.0/24}
servers:
  Alpha: {site: primary, address: 198.18.0.11, cpus: 2, memory: 4GiB, disk: 40GiB}
  Beta: {site: primary, address: 198.18.0.12}
  Omega: {site: primary, address: 198.18.0.10}
  Lambda: {site: secondary, address: 198.18.8.12}
environments: [pb, wholesale]
clusters:
  configuration:
    application: configuration_server
    instances:
      configuration-1: {server: Omega, address: 198.18.0.10}
  databases:
    application: database
    instances:
      database-main: {server: Beta, address: 198.18.1.21}
  billing:
    application: billing_engine
    instances:
      billing-1: {server: Alpha, address: 198.18.1.11}
      billing-2: {server: Beta, address: 198.18.1.12}
  billing_secondary:
    application: billing_engine
    instances:
      billing-3: {server: Lambda, address: 198.18.9.11}
  web:
    application: web
    instances:
      web-1: {server: Alpha, address: 198.18.1.31}
"""

GOOD = {
    "installation.yml": INSTALLATION,
    "options/database_suite.yml": f"database:\n  billing:\n    password: {SECRET}\n",
    "options/cluster_suite.yml": f"billing_engine:\n  database:\n    user: billing\n    password: {SECRET}\n",
}
"""A whole inventory that nothing is wrong with."""

SUITE = "options/cluster_suite.yml"
BILLING = "options/cluster_suite/billing.yml"
BILLING_1 = "options/cluster_suite/billing/billing-1.yml"
WHOLE = "options/installation.yml"


def write(directory: Path, files: dict[str, Any]) -> Path:
    """Write the good inventory with other files added, replaced (text or bytes), or left out (None)."""
    for path, content in {**GOOD, **files}.items():
        if content is not None:
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return directory


def load(directory: Path, files: dict[str, Any] | None = None) -> Model:
    """Load the good inventory with changes."""
    return model.load(write(directory, files or {}), ROLES)


def refused(directory: Path, files: dict[str, Any]) -> list[str]:
    """Return what is wrong with the good inventory once it is changed; fail if nothing is."""
    try:
        load(directory, files)
    except InputRefused as error:
        return [str(problem) for problem in error.problems]
    raise AssertionError("nothing was refused")


def edited(*changes: tuple[str, str]) -> str:
    """Return the good installation.yml with pieces of its text replaced."""
    text = INSTALLATION
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the sample"
        text = text.replace(old, new)
    return text


def line(text: str, piece: str) -> int:
    """Return the number of the line in which a piece of text stands."""
    return text[: text.index(piece)].count("\n") + 1
