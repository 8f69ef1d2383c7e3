"""Tell what differs in effect between two stored configurations, or one and the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tandem.ansible.vault import decryption
from tandem.cli._common import COLOURS, STORE, inventory_option, json_option, load_model, outline_model, print_json
from tandem.cli._playbook import play
from tandem.cli._vault import vault_option
from tandem.configuration import Configuration, DirectoryStore, compile_model
from tandem.configuration.diff import unified
from tandem.plan import make
from tandem.plan.report import compared, lines

Json = dict[str, Any]


@click.command(short_help="Compare two configurations.")
@click.argument("old", type=click.IntRange(min=1))
@click.argument("new", type=click.IntRange(min=1), required=False)
@inventory_option
@click.option("--store", type=STORE, metavar="DIR", help="Take them from an exported store.")
@click.option("--diff", "with_diff", is_flag=True, help="Show the differences inside files too.")
@vault_option
@json_option
def command(  # noqa: PLR0913
    old: int,
    new: int | None,
    inventory: str | None,
    store: Path | None,
    vault_password_file: Path | None,
    *,
    with_diff: bool,
    as_json: bool,
) -> None:
    """Compare configuration OLD with NEW, or with the source as it is now, in the words of a plan."""
    if store is not None:
        found = _exported(
            DirectoryStore(store), old, new or _source(inventory, vault_password_file), with_diff=with_diff
        )
    else:
        if new is None:
            load_model(inventory)  # what is wrong with the source is said at once
        variables = {"old": old, "new": new}
        results = play(
            "diff", inventory, variables, vault_password_file=vault_password_file, diff=with_diff, quiet=True
        )
        found = results["configurations_info"][-1]
    if as_json:
        print_json({**found["difference"], **({"diff": found["diff_lines"]} if with_diff else {})})
        return
    for line in found["report"]:
        click.echo(click.style(line, fg=COLOURS.get(line[:1])))


def _source(inventory: str | None, vault_password_file: Path | None) -> Configuration:
    return compile_model(outline_model(inventory), decryption(vault_password_file))


def _exported(store: DirectoryStore, old: int, new: int | Configuration, *, with_diff: bool) -> Json:
    """Compare what an exported store holds."""
    plan = make(store.configuration(old), store.configuration(new) if isinstance(new, int) else new)
    difference = plan.to_json()
    diff = unified(plan.files, plan.old, plan.new) if with_diff else []
    report = [compared(old, new if isinstance(new, int) else None), *lines(difference), *diff]
    return {"difference": difference, "diff_lines": diff, "report": report}
