"""Load an inventory directory into one checked model: source, installation, applications and option tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tandem import applications as declarations
from tandem import rules
from tandem.applications import Applications
from tandem.applications.load import BASE
from tandem.errors import Origin, Problems
from tandem.installation import Installation
from tandem.inventory import Inventory, read_installation
from tandem.options import Branch, Nodes, Tree, layers
from tandem.options.places import check_places, check_required, check_unions
from tandem.source import Source, read
from tandem.source.read import TreePath


@dataclass(frozen=True, slots=True)
class Model:
    """Hold everything that compile depends on; it exists only if nothing is wrong with it."""

    source: Source
    installation: Installation
    applications: Applications
    tree: Tree


def load(directory: Path, roles: Path) -> Model:
    """Return the model of an inventory directory, whose applications are declared under `roles`.

    Raise InputRefused with everything that is wrong, in all files; needs no vault password, no server, no Ansible.
    """
    problems = Problems()
    if not directory.is_dir():
        problems.add(Origin(str(directory)), "is not a directory; an inventory directory holds installation.yml")
        problems.raise_if_any()
    applications = declarations.load(roles, problems)
    source = read(directory, problems)
    inventory = read_installation(source.installation, applications, problems)
    tree = _tree(source, inventory, applications, problems)
    sure = inventory.complete and not inventory.doubtful
    rules.check(inventory.installation, applications, tree, problems, complete=sure)
    problems.raise_if_any()
    return Model(source, inventory.installation, applications, tree)


def _tree(source: Source, inventory: Inventory, applications: Applications, problems: Problems) -> Tree:
    """Return the option tree, having checked every option file."""
    nodes = _nodes(inventory, applications)
    check_places(source.options, nodes, problems)
    unreadable: set[TreePath] = set()
    tree = Tree(nodes, layers(source.options, nodes, problems, unreadable))
    check_required(tree, unreadable, problems)
    check_unions(tree, problems)
    return tree


def _nodes(inventory: Inventory, applications: Applications) -> Nodes:
    """Return the nodes of the option tree."""
    suites: dict[str, tuple[str, ...]] = {}
    for name, application in applications.items():
        if application.suite:
            suites[application.suite] = (*suites.get(application.suite, ()), name)
    clusters = {
        cluster.name: Branch(cluster.name, cluster.suite, cluster.application, cluster.instances)
        for cluster in inventory.installation.clusters.values()
    }
    return Nodes(
        suites=suites,
        clusters=clusters,
        environments=inventory.installation.environments,
        options={application.name: application.options for application in applications.everything()},
        base=BASE,
        doubtful=inventory.doubtful,
        complete=inventory.complete,
    )
