"""Make up an installation of any size, roles and option tree, from a seed: the same sizes give the same bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

SEED = 20261126
GROUP = 25
"""Options in a group."""
KINDS = ("integer", "string", "boolean", "choice", "hostname", "address", "port")
WORDS = ("amber", "basalt", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "juniper")
MANAGEMENT = IPv4Address("10.0.0.0")
SERVICE = IPv4Address("10.64.0.0")

Value = int | str | bool | list[str]


@dataclass(frozen=True)
class Sizes:
    """How much there is of everything: every server runs one instance of each application.

    Each file of the option tree sets the share `own` of an application's options in Global, and the share `tenant` for
    one environment each, turn by turn. `files` are those of one instance, `used` the options that these read together.
    """

    servers: int = 1000
    applications: int = 5
    options: int = 500
    environments: int = 10
    cluster: int = 50
    files: int = 8
    used: int = 200
    unions: int = 10
    own: float = 0.05
    tenant: float = 0.02

    @property
    def instances(self) -> int:
        """Return the number of instances."""
        return self.servers * self.applications


@dataclass(frozen=True)
class Option:
    """An option that is made up: `number` counts the options of its application."""

    application: str
    number: int
    kind: str
    environment: bool

    @property
    def group(self) -> str:
        return f"group{self.number // GROUP:02}"

    @property
    def name(self) -> str:
        return f"option{self.number % GROUP:02}"

    @property
    def dotted(self) -> str:
        """Return the whole name, as Tandem has it."""
        return f"{self.application}.{self.group}.{self.name}"

    def value(self, random: Random) -> Value:
        """Return a value that the option may have."""
        match self.kind:
            case "integer":
                return random.randrange(100_000)
            case "string":
                return f"{random.choice(WORDS)} {random.choice(WORDS)} {random.randrange(1000)}"
            case "boolean":
                return random.random() < 0.5
            case "hostname":
                return f"{random.choice(WORDS)}-{random.randrange(1000)}.example.net"
            case "address":
                return str(SERVICE + random.randrange(2**20))
            case "port":
                return random.randrange(1024, 65536)
            case "union":
                return random.sample(WORDS, 2)
            case _:
                return random.choice(WORDS)

    def declaration(self, random: Random) -> str:
        """Return the declaration, as it stands in meta/options.yml."""
        more = {
            "integer": "      unit: s\n      minimum: 0\n      maximum: 100000\n",
            "string": "      maximum: 200\n",
            "choice": f"      choices: [{', '.join(WORDS)}]\n",
            "union": "      merge: union\n      items: {type: string}\n",
        }.get(self.kind, "")
        kind = "list" if self.kind == "union" else self.kind
        scope = "      scope: environment\n" if self.environment else ""
        default = f"      default: {written(self.value(random))}\n"
        description = f"      description: Option {self.number} of {self.application}.\n"
        return f"    {self.name}:\n      type: {kind}\n{more}{scope}{default}{description}"


class Made:
    """An installation of some sizes, written into a directory: `project/` and `inventory/`."""

    def __init__(self, directory: Path, sizes: Sizes) -> None:
        self.directory, self.sizes = directory, sizes
        self.applications = [f"application{number}" for number in range(sizes.applications)]
        self.environments = [f"tenant{number}" for number in range(sizes.environments)]

    @property
    def project(self) -> Path:
        """Return the directory with ansible.cfg and the roles."""
        return self.directory / "project"

    @property
    def inventory(self) -> Path:
        """Return the inventory directory."""
        return self.directory / "inventory"

    @cached_property
    def options(self) -> dict[str, list[Option]]:
        """Map each application to its options; every second one, and every union, may differ by environment."""
        kinds = ["union"] * self.sizes.unions
        kinds += [KINDS[number % len(KINDS)] for number in range(self.sizes.options - self.sizes.unions)]
        return {
            name: [Option(name, n, kind, n % 2 == 0 or kind == "union") for n, kind in enumerate(kinds)]
            for name in self.applications
        }

    @cached_property
    def read(self) -> dict[str, list[Option]]:
        """Map each application to the options that its files read."""
        found = {}
        for name, options in self.options.items():
            first, *others = sorted(options, key=lambda each: (each.kind != "integer" or each.environment, each.number))
            found[name] = [first, *seeded(name).sample(others, self.sizes.used - 1)]
        return found

    @property
    def changed(self) -> Option:
        """Return the option that is changed to measure what a change costs: a number that files read."""
        return self.read[self.applications[0]][0]

    def suite(self, application: str) -> str:
        """Return the suite of an application."""
        return f"suite{self.applications.index(application) % 2}"

    def instances(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Yield suite, cluster, application, name and server of every instance."""
        for number, application in enumerate(self.applications):
            for server in range(self.sizes.servers):
                cluster = f"{application}-{server // self.sizes.cluster}"
                yield self.suite(application), cluster, application, f"instance-{number}-{server}", server

    def write(self) -> None:
        """Write everything anew."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self._roles()
        self._put("inventory/installation.yml", "".join(self._installation()))
        self._put("inventory/options/installation.yml", self.layer((), self.applications))
        for suite in sorted({self.suite(name) for name in self.applications}):
            inside = [name for name in self.applications if self.suite(name) == suite]
            self._put(f"inventory/options/{suite}.yml", self.layer((suite,), inside))
        clusters = {(suite, cluster, application) for suite, cluster, application, _, _ in self.instances()}
        for suite, cluster, application in sorted(clusters):
            self._put(f"inventory/options/{suite}/{cluster}.yml", self.layer((suite, cluster), [application]))
        for suite, cluster, application, name, _ in self.instances():
            text = self.layer((suite, cluster, name), [application])
            self._put(f"inventory/options/{suite}/{cluster}/{name}.yml", text)

    def change(self, place: tuple[str, ...], value: int) -> None:
        """Set the changed option at a place of the tree to a value."""
        application = self.changed.application
        applications = [name for name in self.applications if not place or self.suite(name) == place[0]]
        text = self.layer(place, applications if len(place) < 2 else [application], {self.changed.dotted: value})
        self._put(f"inventory/options/{'/'.join(place or ('installation',))}.yml", text)

    def layer(self, place: tuple[str, ...], applications: list[str], also: dict[str, int] | None = None) -> str:
        """Return an option file: what one place sets of some applications."""
        random = seeded("/".join(place))
        everywhere: dict[str, dict[str, str]] = {}
        tenants: dict[str, dict[str, dict[str, str]]] = {}
        for application in applications:
            options = self.options[application]
            for option in random.sample(options, max(1, round(len(options) * self.sizes.own))):
                text = written((also or {}).get(option.dotted, option.value(random)))
                everywhere.setdefault(f"{application}.{option.group}", {})[option.name] = text
            private = [option for option in options if option.environment]
            for turn, option in enumerate(random.sample(private, max(1, round(len(options) * self.sizes.tenant)))):
                sets = tenants.setdefault(self.environments[turn % len(self.environments)], {})
                sets.setdefault(f"{application}.{option.group}", {})[option.name] = written(option.value(random))
        for dotted, value in (also or {}).items():
            group, _, name = dotted.rpartition(".")
            everywhere.setdefault(group, {})[name] = written(value)
        inside = "".join(f"  {name}:\n{_groups(sets, '    ')}" for name, sets in sorted(tenants.items()))
        return _groups(everywhere, "") + ("environments:\n" + inside if inside else "")

    def _installation(self) -> Iterator[str]:
        yield "plugin: tandem.platform.installation\nname: bench\ncontrollers: [10.0.0.2/32]\nsites:\n  north:\n"
        yield "    kind: primary\n    networks:\n"
        yield f"      management: {{network: {MANAGEMENT}/12}}\n      service: {{network: {SERVICE}/10}}\nservers:\n"
        for server in range(self.sizes.servers):
            yield f"  server-{server}: {{site: north, address: {MANAGEMENT + 256 + server}, cpus: 4, memory: 8GiB}}\n"
        yield f"environments: [{', '.join(self.environments)}]\nclusters:\n"
        last = None
        for number, (_, cluster, application, name, server) in enumerate(self.instances()):
            if cluster != last:
                yield f"  {cluster}:\n    application: {application}\n    instances:\n"
                last = cluster
            yield f"      {name}: {{server: server-{server}, address: {SERVICE + 256 + number}}}\n"

    def _roles(self) -> None:
        self._put("project/ansible.cfg", "[defaults]\n")
        base = "description: What every server has.\nsuite: null\nlicense_kind: none\nprocesses:\n  sshd:\n"
        base += "    description: Lets controllers in.\n    listens:\n      ssh: {protocol: tcp, port: 22}\n"
        self._put("project/roles/base/meta/application.yml", base + "    clients: [controllers]\n")
        for application in self.applications:
            random = seeded(f"role {application}")
            declared: dict[str, str] = {}
            for option in self.options[application]:
                declared.setdefault(option.group, f"  {option.group}:\n")
                declared[option.group] += option.declaration(random)
            self._put(f"project/roles/{application}/meta/options.yml", f"{application}:\n" + "".join(declared.values()))
            self._put(f"project/roles/{application}/meta/application.yml", self._declaration(application))
            read = self.read[application]
            for number in range(self.sizes.files):
                text = "".join(self._template(application, read[number :: self.sizes.files], tenants=number == 0))
                self._put(f"project/roles/{application}/templates/etc/{application}/%i/part{number}.conf.j2", text)

    def _declaration(self, application: str) -> str:
        port = next(each for each in self.options[application] if each.kind == "port").dotted
        files = "".join(
            f"  etc/{application}/%i/part{number}.conf: {{effect: {('restart', 'reload')[number % 2]}}}\n"
            for number in range(self.sizes.files)
        )
        return (
            f"description: The made-up application {application}.\nsuite: {self.suite(application)}\nfiles:\n{files}"
            f'units:\n  "{application}@%i.service": {{process: serve}}\n'
            "processes:\n  serve:\n    description: Serves.\n"
            f"    listens:\n      main: {{protocol: tcp, port: {port}}}\n    clients: [everyone]\n"
        )

    def _template(self, application: str, options: list[Option], *, tenants: bool) -> Iterator[str]:
        yield "# {{ instance.name }} of {{ instance.cluster }} on {{ server }} at {{ instance.address }}\n"
        yield f'{{% for peer in peers("{application}")[:2] %}}\npeer = {{{{ peer.address }}}}\n{{% endfor %}}\n'
        for option in options:
            form = {"union": ' | join(",")', "boolean": " | yes_no"}.get(option.kind, "")
            yield f"# what {option.group} says of {option.name}\n"
            yield f"{option.group}_{option.name} = {{{{ options.{option.dotted}{form} }}}}\n"
        tenant = next((option for option in options if option.environment and option.kind != "union"), None)
        if tenants and tenant:
            yield "{% for name in installation.environments %}\n"
            yield f"{{{{ name }}}}_{tenant.name} = {{{{ environment_options[name].{tenant.dotted} }}}}\n"
            yield "{% endfor %}\n"

    def _put(self, path: str, text: str) -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def seeded(what: str) -> Random:
    """Return the random numbers for something that is made up."""
    return Random(f"{SEED} {what}")  # noqa: S311  nothing secret


def written(value: Value) -> str:
    """Return a value as it stands in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(value)}]"
    return str(value)


def _groups(sets: dict[str, dict[str, str]], indent: str) -> str:
    """Return modules, groups and options of one set, as YAML."""
    lines, last = [], None
    for dotted, options in sorted(sets.items()):
        module, _, group = dotted.partition(".")
        if module != last:
            lines.append(f"{indent}{module}:\n")
            last = module
        lines.append(f"{indent}  {group}:\n")
        lines += [f"{indent}    {name}: {value}\n" for name, value in sorted(options.items())]
    return "".join(lines)
