"""Show which instances depend on an option or on an option file."""

from __future__ import annotations

from typing import Any

import click

from tandem.cli._common import inventory_option, json_option, load_model, print_json, table
from tandem.model import Model
from tandem.options.reach import Reached, reach


@click.command()
@click.argument("what", metavar="OPTION_OR_FILE")
@inventory_option
@json_option
def command(what: str, inventory: str | None, *, as_json: bool) -> None:
    """Show every instance whose effective value depends on an option, or on an option file (or FILE:LINE).

    OPTION is module.group.option; a module or a group stands for all options in it.
    """
    model = load_model(inventory)
    reached = reach(model.tree, what)
    if as_json:
        print_json({"what": what, "reaches": [_record(model, found) for found in reached]})
        return
    instances = {found.instance for found in reached if found.instance is not None}
    parts = [f"{len(instances)} instance{'' if len(instances) == 1 else 's'}"] if instances else []
    parts += ["every server"] if any(found.instance is None for found in reached) else []
    click.echo(f"{what} reaches {' and '.join(parts) or 'no instance'}")
    for line in table([_row(model, found) for found in reached]) if reached else []:
        click.echo(line)


def _row(model: Model, found: Reached) -> tuple[str, ...]:
    """Return one value as a row of the table."""
    whom = "every server"
    if found.instance is not None:
        whom = f"{found.instance} on {model.installation.instances[found.instance].server.name}"
    environment = f"in {found.environment}" if found.environment else ""
    places = ", ".join(str(used.origin) for used in found.value.sources)
    return f"  {whom}", environment, found.option.dotted, found.option.show(found.value.value), places


def _record(model: Model, found: Reached) -> dict[str, Any]:
    """Return one value as JSON can hold it."""
    instance = found.instance
    return {
        "instance": instance,
        "server": None if instance is None else model.installation.instances[instance].server.name,
        "environment": found.environment,
        "option": found.option.dotted,
        "value": found.option.plain(found.value.value),
        "level": found.value.level,
        "from": [{"path": used.origin.path, "line": used.origin.line} for used in found.value.sources],
    }
