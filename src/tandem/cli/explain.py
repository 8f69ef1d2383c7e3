"""Explain whence an instance has the value of an option."""

from __future__ import annotations

import click

from tandem.cli._common import inventory_option, json_option, load_model, print_json, table
from tandem.errors import InputRefused, Origin, Problem
from tandem.model import Model
from tandem.options.explain import Explanation, Step, explain, explain_base, record, written
from tandem.options.schema import effect


@click.command()
@click.argument("instance")
@click.argument("option")
@click.option("-e", "--environment", metavar="ENVIRONMENT", help="Explain the value in this environment.")
@inventory_option
@json_option
def command(instance: str, option: str, environment: str | None, inventory: str | None, *, as_json: bool) -> None:
    """Show every level that was looked at for OPTION (module.group.option) of INSTANCE, and which one won.

    The name of a server in place of INSTANCE explains the options that hold for servers.
    """
    model = load_model(inventory)
    if instance in model.installation.servers:
        if environment is not None:
            message = "options of servers have no environments; leave --environment out"
            raise InputRefused([Problem(Origin("explain"), message)])
        explanation = explain_base(model.tree, option)
    else:
        explanation = explain(model.tree, instance, option, environment)
    if as_json:
        print_json(record(explanation) | {"server": _server(model, explanation, instance)})
    else:
        for line in _lines(model, explanation):
            click.echo(line)


def _server(model: Model, explanation: Explanation, name: str) -> str:
    """Return the server that was asked about, or on which the instance runs."""
    return name if explanation.instance is None else model.installation.instances[name].server.name


def _lines(model: Model, explanation: Explanation) -> list[str]:
    """Return the explanation as people read it."""
    option, value = explanation.option, explanation.value
    rows = [_row(explanation, step) for step in explanation.steps]
    kind = option.type.phrase
    title = click.style(f"{option.dotted} = {option.show(value.value)}", bold=True)
    return [
        f"{title}     for {_whom(model, explanation)}",
        *_bold(table(rows), explanation.steps),
        f"{option.description} {kind[0].upper()}{kind[1:]}. {effect(option)}",
    ]


def _whom(model: Model, explanation: Explanation) -> str:
    """Say for whom a value holds."""
    if explanation.instance is None:
        return "every server"
    server = model.installation.instances[explanation.instance].server
    words = f"{explanation.instance} on {server.name} ({server.site.name})"
    return f"{words} in environment {explanation.environment}" if explanation.environment else words


def _row(explanation: Explanation, step: Step) -> tuple[str, ...]:
    """Return one level as a row of the table."""
    option = explanation.option
    level = f"{step.level} ({step.environment})" if step.environment else step.level
    if step.value is None:
        shown = "none: must be set" if step.level == "default" else "not set"
        return f"  {level}", str(step.origin), shown, ""
    mark = f"← this one: {explanation.reason}"
    if option.union:
        mark = "← contributes" if step.value.value or step.value.struck else ""
    return f"  {level}", str(step.origin), written(option, step.value), mark if step.counts else ""


def _bold(lines: list[str], steps: tuple[Step, ...]) -> list[str]:
    """Set off the lines of the sets that were used."""
    return [click.style(line, bold=True) if s.counts else line for line, s in zip(lines, steps, strict=True)]
