"""Show what applying the installation as it is now would do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tandem.ansible.vault import decryption
from tandem.cli._common import inventory_option, json_option, load_model, print_json
from tandem.cli._playbook import play
from tandem.cli._vault import vault_option
from tandem.configuration import DirectoryStore, compile_model
from tandem.configuration.diff import unified
from tandem.plan import Plan, make
from tandem.plan.report import heading, lines

DIFFERENCES = 3
"""The exit status that says so, where it is asked for."""
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(short_help="Show what applying would do.")
@inventory_option
@click.option("--store", type=click.Path(path_type=Path), metavar="DIR", help="Plan against an exported store.")
@click.option("--diff", "with_diff", is_flag=True, help="Show the differences inside files too.")
@click.option("--exit-code", is_flag=True, help=f"Exit with {DIFFERENCES} where something would change.")
@vault_option
@json_option
def command(
    inventory: str | None,
    store: Path | None,
    vault_password_file: Path | None,
    *,
    with_diff: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show the options, files and units that applying the installation as it is now would change, and in which waves.

    With --store it is compared with the active configuration of an exported store, and no server is contacted.
    """
    if store is None:
        return _with_servers(inventory, vault_password_file, with_diff=with_diff, exit_code=exit_code, as_json=as_json)
    exported = DirectoryStore(store)
    active = exported.active()
    old = exported.configuration(active) if active is not None else None
    plan = make(old, compile_model(load_model(inventory), decryption(vault_password_file)))
    if as_json:
        print_json({"active": active, **plan.to_json(), **({"diff": _differences(plan)} if with_diff else {})})
    else:
        click.echo(click.style(heading({"number": None, "active": active}), bold=True))
        _show(plan, with_diff=with_diff)
    if exit_code and not plan.empty:
        sys.exit(DIFFERENCES)
    return None


def _with_servers(
    inventory: str | None, vault_password_file: Path | None, *, with_diff: bool, exit_code: bool, as_json: bool
) -> None:
    """Plan against the store on the configuration server, by the playbook."""
    load_model(inventory)  # what is wrong with the source is said at once
    results = play("plan", inventory, {}, vault_password_file=vault_password_file, diff=with_diff, as_json=as_json)
    planned = results["plan"][-1]
    if not as_json and not planned["plan"]["empty"] and planned["number"] is not None:
        click.echo(f"\nApply it with: tandem apply {planned['number']}")
    if exit_code and not planned["plan"]["empty"]:
        sys.exit(DIFFERENCES)


def _show(plan: Plan, *, with_diff: bool) -> None:
    for line in lines(plan.to_json()):
        click.echo(line)
    if with_diff:
        for line in _differences(plan):
            click.echo(click.style(line, fg=COLOURS.get(line[:1])))


def _differences(plan: Plan) -> list[str]:
    """Return the differences inside all files."""
    return unified(plan.files, plan.old, plan.new)
