"""Show what applying the installation as it is now would do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tandem.ansible.vault import decryption
from tandem.cli._common import inventory_option, json_option, load_model, print_json
from tandem.cli._playbook import play, without_option
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
@without_option
@vault_option
@json_option
def command(  # noqa: PLR0913
    inventory: str | None,
    store: Path | None,
    without: tuple[str, ...],
    vault_password_file: Path | None,
    *,
    with_diff: bool,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Show the options, files and units that applying the installation as it is now would change, and in which waves.

    With --store it is compared with the active configuration of an exported store, and no server is contacted.
    """
    model = load_model(inventory)  # what is wrong with the source is said at once
    if store is None:
        results = play(
            "plan",
            inventory,
            {"without": [*without]},
            vault_password_file=vault_password_file,
            diff=with_diff,
            as_json=as_json,
        )
        return _ended(results["plan"][-1], exit_code=exit_code, as_json=as_json)
    exported = DirectoryStore(store)
    active = exported.active()
    old = exported.configuration(active) if active is not None else None
    plan = make(old, compile_model(model, decryption(vault_password_file)), without=without)
    if as_json:
        print_json({"active": active, **plan.to_json(), **({"diff": _differences(plan)} if with_diff else {})})
    else:
        click.echo(click.style(heading({"number": None, "active": active}), bold=True))
        _show(plan, with_diff=with_diff)
    if exit_code and not plan.empty:
        sys.exit(DIFFERENCES)
    return None


def _ended(planned: dict[str, Any], *, exit_code: bool, as_json: bool) -> None:
    """Say what comes next after a plan that the playbook has made against the store on the configuration server."""
    if not as_json and not planned["plan"]["empty"] and planned["number"] is not None:
        without = "".join(f" --without {server}" for server in planned["plan"]["without"])
        click.echo(f"\nApply it with: tandem apply {planned['number']}{without}")
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
