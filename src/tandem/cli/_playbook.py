"""Share what the verbs that run a playbook have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tandem.cli._common import print_json
from tandem.cli._ending import ending
from tandem.cli._vault import vault_option
from tandem.errors import TandemError
from tandem.project import inventory_directory

if TYPE_CHECKING:
    from tandem.cli._live import Display

F = TypeVar("F", bound=Callable[..., Any])
Json = dict[str, Any]


class Stopped(TandemError):
    """Say why a playbook did not reach its end; carries the exit status, and the results of the tasks that ended."""

    def __init__(self, message: str, exit_status: int, results: dict[str, list[Json]] | None = None) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.results = results or {}


def server_options(function: F) -> F:
    """Give a verb what Ansible's own commands call --limit, and the vault's password."""
    function = click.option("-l", "--limit", metavar="PATTERN", help="Only these servers, clusters or sites.")(function)
    return vault_option(function)


without_option = click.option(
    "--without", metavar="SERVER", multiple=True, help="Leave out a server that is away (may be repeated)."
)

by_site_option = click.option("--by-site", is_flag=True, help="Reach the servers of a site from its own runner.")


def play(  # noqa: PLR0913
    verb: str,
    inventory: str | None,
    variables: Json,
    *,
    vault_password_file: Path | None = None,
    limit: str | None = None,
    check: bool = False,
    diff: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    explain: Callable[[], object] = lambda: None,
) -> Json:
    """Run a verb's playbook, showing it as it works unless `quiet`, and return the results of its tasks by action.

    Where Ansible ends before the first task, as with a broken installation.yml, `explain` raises what is wrong in our
    words. Otherwise raise Stopped with one line per failure, and the exit status that belongs to it.
    """
    from tandem.ansible.runner import Playbook, run_playbook  # noqa: PLC0415  slow to load

    given = {name: value for name, value in variables.items() if value not in (None, [])}
    playbook = Playbook(verb, inventory_directory(inventory), given, check, diff, limit, vault_password_file)
    told: set[str] = set()

    def show() -> Display:
        from tandem.cli._live import Display  # noqa: PLC0415  slow to load; the playbook begins meanwhile

        return Display(told, quiet=as_json or quiet)

    run = run_playbook(playbook, show)
    if run.exit_status and not run.results and not run.interrupted:
        explain()
    results = {action.removeprefix("tandem.platform."): found for action, found in run.results.items()}
    if as_json:
        print_json({"exit_status": run.exit_status, "failures": run.failures, "results": results})
    else:
        for line in ending(results, check=check) if verb in ("apply", "rollback") else ():
            click.echo(line)
    if run.interrupted:
        raise Stopped("interrupted; the next apply completes or undoes what was begun", run.exit_status)
    if run.exit_status:
        untold = [failure for failure in run.failures if failure.partition(":")[0] not in told]
        raise Stopped("\n".join(untold), run.exit_status, results)
    return results
