"""Check an installation without contacting anything."""

from __future__ import annotations

import click

from tandem.cli._common import inventory_option, json_option, load_model, print_json


@click.command()
@inventory_option
@json_option
def command(inventory: str | None, *, as_json: bool) -> None:
    """Check the installation and its options: every mistake is shown, no server is contacted, no password needed."""
    model = load_model(inventory)
    installation = model.installation
    counted = {
        "servers": len(installation.servers),
        "instances": len(installation.instances),
        "options_set": model.tree.number_set,
    }
    if as_json:
        print_json({"installation": installation.name, **counted})
    else:
        words = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counted.items())
        click.echo(f"{installation.name}: {words}; nothing wrong")
