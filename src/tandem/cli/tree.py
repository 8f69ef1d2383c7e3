"""Show an installation: suites, clusters, instances, and where they run."""

from __future__ import annotations

import sys
from typing import Any

import click

from tandem.cli._common import inventory_option, json_option, load_model, print_json
from tandem.installation import Cluster, Installation


@click.command()
@inventory_option
@json_option
def command(inventory: str | None, *, as_json: bool) -> None:
    """Show installation, suites, clusters and instances, with servers and addresses."""
    installation = load_model(inventory).installation
    if as_json:
        print_json(_record(installation))
    elif sys.stdout.isatty():
        _draw(installation)
    else:
        for depth, text in _lines(installation):
            click.echo("  " * depth + text)


def _suites(installation: Installation) -> dict[str, list[Cluster]]:
    """Return the clusters of each suite that has some, by name."""
    suites: dict[str, list[Cluster]] = {}
    for cluster in installation.clusters.values():
        suites.setdefault(cluster.suite, []).append(cluster)
    return dict(sorted(suites.items()))


def _idle(installation: Installation) -> list[str]:
    """Return the servers that hold no instance."""
    busy = {instance.server.name for instance in installation.instances.values()}
    return [name for name in installation.servers if name not in busy]


def _lines(installation: Installation) -> list[tuple[int, str]]:
    """Return the tree as lines, each with its depth."""
    width = max((len(name) for name in installation.instances), default=0)
    across = max((len(name) for name in installation.servers), default=0)
    lines = [(0, installation.name)]
    for suite, clusters in _suites(installation).items():
        lines.append((1, suite))
        for cluster in clusters:
            lines.append((2, f"{cluster.name} ({cluster.application})"))
            for name in cluster.instances:
                instance = installation.instances[name]
                server = instance.server
                place = f"{server.name.ljust(across)}  {str(instance.address).ljust(15)}  {server.site.name}"
                lines.append((3, f"{name.ljust(width)}  {place}"))
    idle = _idle(installation)
    return [*lines, (1, f"no instance on {', '.join(idle)}")] if idle else lines


def _draw(installation: Installation) -> None:
    """Draw the tree on a terminal."""
    # only a terminal pays for loading what draws on it
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415
    from rich.tree import Tree  # noqa: PLC0415

    styles = ("bold", "cyan", "bold", "")
    branches: list[Tree] = []
    for depth, text in _lines(installation):
        label = Text(text, style=styles[depth])
        del branches[depth:]
        branches.append(branches[-1].add(label) if branches else Tree(label))
    Console().print(branches[0])


def _record(installation: Installation) -> dict[str, Any]:
    """Return the tree as JSON can hold it."""
    return {
        "installation": installation.name,
        "environments": list(installation.environments),
        "suites": {
            suite: {
                cluster.name: {
                    "application": cluster.application,
                    "instances": {
                        name: {
                            "server": installation.instances[name].server.name,
                            "site": installation.instances[name].server.site.name,
                            "address": str(installation.instances[name].address),
                        }
                        for name in cluster.instances
                    },
                }
                for cluster in clusters
            }
            for suite, clusters in _suites(installation).items()
        },
        "without_instance": _idle(installation),
    }
