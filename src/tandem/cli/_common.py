"""Share what most verbs begin with: the inventory, the model, an exported store, and the form of the output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tandem.project import inventory_directory, roles_directory

if TYPE_CHECKING:
    from tandem.model import Model

F = TypeVar("F", bound=Callable[..., Any])
STORE = click.Path(path_type=Path, exists=True, file_okay=False)
"""An exported store, which has to be there."""
COLOURS = {"+": "green", "-": "red", "@": "cyan"}
"""Of the lines of a difference, by how they begin."""


def inventory_option(function: F) -> F:
    """Give a verb `--inventory`, which may stand before the verb as well."""
    option = click.option(
        "-i", "--inventory", metavar="INVENTORY", callback=_inventory, help="Inventory directory, if not ansible.cfg's."
    )
    return option(function)


def _inventory(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    return value or ctx.find_root().params.get("inventory")


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def load_model(inventory: str | None) -> Model:
    """Return the checked model of an inventory directory; raise InputRefused with everything that is wrong."""
    from tandem.model import load  # noqa: PLC0415  slow to load, and an apply has Ansible start meanwhile

    return load(inventory_directory(inventory), roles_directory())


def outline_model(inventory: str | None) -> Model:
    """Return the model of an inventory directory for compiling, which says what is wrong with it."""
    from tandem.model import outline  # noqa: PLC0415  slow to load

    return outline(inventory_directory(inventory), roles_directory())


def print_json(value: Any) -> None:
    """Print a value as JSON for people and programs."""
    letters = (sys.stdout.encoding or "").lower().startswith("utf")
    click.echo(json.dumps(value, indent=2, ensure_ascii=not letters))


def table(rows: list[tuple[str, ...]], gap: int = 3) -> list[str]:
    """Align rows of text in columns.

    >>> table([("a", "bb"), ("ccc", "d")])
    ['a     bb', 'ccc   d']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["".join(cell.ljust(width + gap) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
