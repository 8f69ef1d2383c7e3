"""Show what applying the installation as it is now would do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tandem.ansible.vault import decryption
from tandem.cli._common import COLOURS, STORE, inventory_option, json_option, load_model, outline_model, print_json
from tandem.cli._playbook import play, without_option
from tandem.cli._vault import vault_option
from tandem.configuration import DirectoryStore, compile_model
from tandem.configuration.diff import unified
from tandem.plan import make
from tandem.plan.markdown import markdown
from tandem.plan.report import heading, lines

DIFFERENCES = 3
"""The exit status that says so, where it is asked for."""

Json = dict[str, Any]


@click.command(short_help="Show what applying would do.")
@click.argument("number", type=click.IntRange(min=1), required=False)
@inventory_option
@click.option("--store", type=STORE, metavar="DIR", help="Plan against an exported store.")
@click.option("--diff", "with_diff", is_flag=True, help="Show the differences inside files too.")
@click.option("--no-drift", is_flag=True, help="Contact the configuration server only, not all servers.")
@click.option("--exit-code", is_flag=True, help=f"Exit with {DIFFERENCES} where something would change.")
@without_option
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a comment on a pull request.")
@vault_option
@json_option
def command(  # noqa: PLR0913
    number: int | None,
    inventory: str | None,
    store: Path | None,
    without: tuple[str, ...],
    vault_password_file: Path | None,
    *,
    with_diff: bool,
    no_drift: bool,
    exit_code: bool,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Show the options, files and units that applying the installation as it is now would change, and in which waves.

    NUMBER plans a stored configuration instead. The plan is stored on the configuration server, and named, so that
    exactly it can be applied. Every server is looked at, for what was changed by hand. With --store it is compared
    with the active configuration of an exported store, and no server is contacted.
    """
    if store is None:
        if number is None:
            load_model(inventory)  # what is wrong with the source is said at once
        results = play(
            "plan",
            inventory,
            {"number": number, "without": [*without] or None, "drift": False if no_drift else None},
            vault_password_file=vault_password_file,
            diff=with_diff,
            as_json=as_json,
            quiet=as_markdown,
        )
        planned = results["plan"][-1]
    else:
        planned = _exported(
            DirectoryStore(store), number, inventory, vault_password_file, without=without, with_diff=with_diff
        )
        if as_json:
            print_json({"active": planned["active"], **planned["plan"], **_only(planned, "diff")})
        elif not as_markdown:
            _show(planned)
    if as_markdown:
        click.echo(markdown(planned, planned.get("diff", [])))
    if exit_code and (not planned["plan"]["empty"] or planned.get("drift", {}).get("changes")):
        sys.exit(DIFFERENCES)


def _exported(
    store: DirectoryStore,
    number: int | None,
    inventory: str | None,
    vault_password_file: Path | None,
    *,
    without: tuple[str, ...],
    with_diff: bool,
) -> Json:
    """Plan against an exported store: nothing is stored there."""
    active = store.active()
    old = store.configuration(active) if active is not None else None
    new = (
        store.configuration(number)
        if number
        else compile_model(outline_model(inventory), decryption(vault_password_file))
    )
    plan = make(old, new, without=without)
    diff = {"diff": unified(plan.files, old, new)} if with_diff else {}
    return {"number": number, "active": active, "plan": plan.to_json(), **diff}


def _only(planned: Json, name: str) -> Json:
    return {name: planned[name]} if name in planned else {}


def _show(planned: Json) -> None:
    click.echo(click.style(heading(planned), bold=True))
    for line in (*lines(planned["plan"]), *planned.get("diff", [])):
        click.echo(click.style(line, fg=COLOURS.get(line[:1])))
