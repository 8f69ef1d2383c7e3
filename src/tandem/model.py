"""Load an inventory directory into one checked model: source, installation, applications and option tree."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path

from tandem import applications as declarations
from tandem import cache, rules
from tandem.applications import Applications
from tandem.applications.load import BASE
from tandem.errors import Problems
from tandem.installation import Installation, Instance
from tandem.inventory import Inventory, read_installation
from tandem.options import Branch, Layers, Nodes, Tree
from tandem.options.places import check_base, check_places, check_required, check_unions
from tandem.project import INSTALLATION
from tandem.source import Source, read
from tandem.source.read import TreePath

FOLDERS = ("meta", "templates", "files")
"""The folders of a role that anything compiled depends on."""


class Model:
    """Hold everything that compile depends on. Option files are looked into when they are needed.

    Who has not called `check` relies on nothing that `sound` has not said yes to. `roles` is a digest of all that the
    roles say; `on` maps each server that has any to its instances, by name.
    """

    def __init__(
        self,
        source: Source,
        inventory: Inventory,
        applications: Applications,
        nodes: Nodes,
        roles: str,
        problems: Problems,
    ) -> None:
        self.source = source
        self.installation: Installation = inventory.installation
        self.applications = applications
        self.roles = roles
        self._problems = problems
        self._layers = Layers(source.options, nodes, problems)
        self.tree = Tree(nodes, self._layers)
        self.on: dict[str, list[Instance]] = {}
        for instance in self.installation.instances.values():
            self.on.setdefault(instance.server.name, []).append(instance)

    def check(self) -> None:
        """Look at everything; raise InputRefused with all that is wrong."""
        self._look_into(self._layers)
        instances = [name for branch in self.tree.nodes.clusters.values() for name in branch.instances]
        found = Problems()
        found.extend(self._problems.found)
        check_required(self.tree, instances, self._layers.unreadable, found)
        check_unions(self.tree, instances, found)
        check_base(self.tree, self._layers.unreadable, found)
        servers, everywhere = self.installation.servers.values(), self.installation.instances.values()
        rules.check_ports(servers, everywhere, self.applications, self.tree, found)
        found.raise_if_any()

    def sound(self, servers: Iterable[str]) -> bool:
        """Tell whether nothing is wrong with what some servers are made from: their options, and theirs alone."""
        found = Problems()
        for server in servers:
            here = self.on.get(server, [])
            names = [instance.name for instance in here]
            self._look_into(place[:depth] for place in map(self.tree.place, names) for depth in range(4))
            check_required(self.tree, names, (), found)
            check_unions(self.tree, names, found)
            rules.check_ports([self.installation.servers[server]], here, self.applications, self.tree, found)
            if self._problems or found:
                return False
        return True

    def sound_elsewhere(self) -> bool:
        """Tell whether nothing is wrong with what no instance is made from: the rest, beside `sound`."""
        places = map(self.tree.place, self.installation.instances)
        seen = {place[:depth] for place in places for depth in range(1, 4)}
        self._look_into(place for place in self._layers if place not in seen)
        found = Problems()
        check_base(self.tree, (), found)
        return not self._problems and not found

    def _look_into(self, places: Iterable[TreePath]) -> None:
        for place in places:
            self._layers.get(place)


def load(directory: Path, roles: Path) -> Model:
    """Return the model of an inventory directory, whose applications are declared under `roles`.

    Raise InputRefused with everything that is wrong, in all files; needs no vault password, no server, no Ansible.
    """
    model = outline(directory, roles)
    model.check()
    return model


def outline(directory: Path, roles: Path) -> Model:
    """Return the model of an inventory directory before anything has been said of what is wrong with it."""
    problems = Problems()
    source = read(directory, problems)
    said = _said(roles)
    applications, inventory = _declared(source, roles, said, problems)
    nodes = _nodes(inventory, applications)
    check_places(source.options, nodes, problems)
    return Model(source, inventory, applications, nodes, said, problems)


def read_alone(path: Path, roles: Path) -> Installation:
    """Return the installation that a file describes, for whoever needs the servers and not the options.

    Raise InputRefused with everything wrong in it. Mistakes in option files are no reason to refuse: they are reported
    by what compiles them.
    """
    problems, elsewhere = Problems(), Problems()
    source = read(path.parent, elsewhere)
    if (kept := _kept(_key(source, roles, _said(roles)))) is not None:
        _, inventory = kept
    else:
        said = source.installation  # is read now, and so is what is wrong with it
        problems.extend(problem for problem in elsewhere.found if Path(problem.origin.path).name == path.name)
        inventory = read_installation(said, declarations.load(roles, problems), problems)
    problems.raise_if_any()
    return inventory.installation


def _said(roles: Path) -> str:
    """Return a digest of all that the roles say."""
    return cache.content(folder / name for folder in sorted(roles.glob("*")) for name in FOLDERS).hex()


def _key(source: Source, roles: Path, said: str) -> str:
    return cache.key("declared", str(roles.absolute()), said, source.files.get(INSTALLATION, b""))


def _kept(key: str) -> tuple[Applications, Inventory] | None:
    """Return applications and installation from the cache, where these bytes have been read and found good before."""
    if (data := cache.default().get(key)) is None:
        return None
    found: tuple[Applications, Inventory] = pickle.loads(data)  # noqa: S301  our own, intact, and nobody else's
    return found


def _declared(source: Source, roles: Path, said: str, problems: Problems) -> tuple[Applications, Inventory]:
    """Return applications and installation, from the cache if they are there."""
    key = _key(source, roles, said)
    if (kept := _kept(key)) is not None:
        return kept
    before = len(problems)
    applications = declarations.load(roles, problems)
    inventory = read_installation(source.installation, applications, problems)
    sure = inventory.complete and not inventory.doubtful
    rules.check(inventory.installation, applications, problems, complete=sure)
    if INSTALLATION in source.files and len(problems) == before:
        cache.default().put(key, pickle.dumps((applications, inventory)))
    return applications, inventory


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
