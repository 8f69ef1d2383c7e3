"""Make the job that every contender does: 40 templates, 200 options, five units on every server."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
FILES, UNITS, OPTIONS, LISTS = 40, 5, 200, 10
SMALLEST, LARGEST = 1000, 3900  # bytes of a rendered file, about
TRUE_EVERY = 3  # of the options are switches
CHANGED_FILE = 7  # the one that the changed option stands in
BEFORE, AFTER = 100, 200  # the changed option's values

Json = dict[str, Any]


@dataclass(frozen=True)
class Server:
    """One logical server: its name, its instance, and where it answers."""

    number: int

    @property
    def name(self) -> str:
        return f"Server{self.number:04d}"

    @property
    def instance(self) -> str:
        return f"service-{self.number}"

    @property
    def management(self) -> str:
        return f"198.18.{1 + self.number // 250}.{1 + self.number % 250}"

    @property
    def service(self) -> str:
        return f"198.19.{1 + self.number // 250}.{1 + self.number % 250}"

    @property
    def inventory_name(self) -> str:
        return self.name


CONFIGURATION = Server(0)
"""The server that keeps Tandem's store; the other contenders have nothing to do there."""


def file_of(number: int) -> str:
    """Return the path of one of the files, with %i where the instance's name stands."""
    return f"etc/bench/%i/{unit_of(number)}/f{number:02d}.conf"


def unit_of(number: int) -> str:
    """Return the service that a file belongs to."""
    return f"svc{number % UNITS}"


def mode_of(number: int) -> str:
    """Return a file's mode."""
    return "0640" if number % TRUE_EVERY == 0 else "0644"


class Job:
    """The templates and the values, the same ones every time."""

    def __init__(self) -> None:
        chance = random.Random(7)  # noqa: S311  the same files every time, no secret
        self.options: Json = {}
        for number in range(OPTIONS):
            value: Any = number * 11
            if number % TRUE_EVERY == 0:
                value = bool(number % 2)
            elif number % TRUE_EVERY == 1:
                value = f"value-{number}"
            self.options.setdefault(f"g{number // 20}", {})[f"opt{number:03d}"] = value
        self.options["lists"] = {
            f"list{number}": [f"10.{number}.0.{entry}:{1000 + entry}" for entry in range(chance.randint(6, 14))]
            for number in range(LISTS)
        }
        self.options["limits"] = {"calls": BEFORE}
        self.templates = {number: self._template(number, chance) for number in range(FILES)}

    def values(self, calls: int = BEFORE) -> Json:
        """Return all values as templates see them under `options.tuning`."""
        return {**self.options, "limits": {"calls": calls}}

    def _template(self, number: int, chance: random.Random) -> str:
        size = chance.randint(SMALLEST, LARGEST)
        entries = self.options["lists"][f"list{number % LISTS}"]
        lines = [
            f"# managed: {{{{ instance.name }}}}, file {number:02d}",
            f"{{% for entry in options.tuning.lists.list{number % LISTS} %}}",
            "backend {{ entry }} weight {{ loop.index }};",
            "{% endfor %}",
        ]
        done = 40 + 40 * len(entries)
        line = 0
        while done < size:
            option = (number * 37 + line) % OPTIONS
            name = f"options.tuning.g{option // 20}.opt{option:03d}"
            if option % TRUE_EVERY == 0:
                text = f"{{% if {name} %}}switch_{line:02d} on{{% else %}}switch_{line:02d} off{{% endif %}}\n"
            elif option % TRUE_EVERY == 1:
                text = f"name_{line:02d} {{{{ instance.name | lower }}}}-{{{{ {name} }}}}  ; why this line is there"
            else:
                text = f"setting_{line:02d} = {{{{ {name} }}}}"
            lines.append(text.rstrip("\n") if option % TRUE_EVERY else text)
            done += 50 if option % TRUE_EVERY == 1 else 18
            line += 1
        if number == CHANGED_FILE:
            lines.append("calls = {{ options.tuning.limits.calls }}")
        lines.append("# end")  # not a block: Ansible gives back a last newline that Jinja has trimmed
        return "\n".join(lines) + "\n"

    def write_templates(self, directory: Path, name: str = "f%02d.conf.j2") -> None:
        """Write the templates for a contender that has them in one directory."""
        directory.mkdir(parents=True)
        for number, text in self.templates.items():
            (directory / (name % number)).write_text(text)


def write_tandem(top: Path, job: Job, servers: list[Server], ssh: str) -> None:
    """Write Tandem's project: the playbooks and plugins of this checkout, roles and an installation for the job."""
    for name in ("playbooks", "collections"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).symlink_to(PROJECT / name)
    (top / "ansible.cfg").write_text((PROJECT / "ansible.cfg").read_text().replace("example", "bench"))
    (top / "roles").mkdir()
    keeper = {"description": "Keeps the store.", "suite": "admin", "license_kind": "none", "alone": True}
    write_json(top / "roles/configuration_server/meta/application.yml", keeper)
    _write_base(top / "roles/base")
    _write_role(top / "roles/service", job)
    _write_inventory(top / "inventories/bench", servers, ssh)


def write_json(path: Path, value: object) -> None:
    """Write what is YAML too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))


def _write_base(role: Path) -> None:
    """Write a base of nothing but what Tandem itself needs: the peers bring no firewall, clock or log either."""
    record = "usr/lib/tandem/record"
    listens = {"ssh": {"protocol": "tcp", "port": 22}}
    sshd = {"description": "Lets the controller in.", "listens": listens, "clients": ["controllers"]}
    declared = {"description": "What Tandem needs.", "suite": None, "license_kind": "none", "processes": {"sshd": sshd}}
    write_json(role / "meta/application.yml", {**declared, "files": {record: {"mode": "0755", "effect": "none"}}})
    (role / "files" / record).parent.mkdir(parents=True)
    (role / "files" / record).symlink_to(PROJECT / "roles/base/files" / record)


def _write_role(role: Path, job: Job) -> None:
    units = [f"svc{number}" for number in range(UNITS)]
    files = {
        file_of(number): {"mode": mode_of(number), "effect": "restart", "unit": f"{unit_of(number)}@%i.service"}
        for number in range(FILES)
    }
    check = 'for file in /etc/bench/%i/*/*.conf; do test -s "$file" || exit 1; done'
    application = {
        "description": "Forty files and five units.",
        "suite": "bench_suite",
        "license_kind": "none",
        "files": files,
        "units": {f"{unit}@%i.service": {} for unit in units},
        "processes": {},
        "validators": {"files": {"command": ["/bin/sh", "-c", check], "files": ["etc/bench/%i/"]}},
        "health": {"command": ["/bin/true"], "timeout": 10},
    }
    write_json(role / "meta/application.yml", application)
    declared = {
        group: {name: _declared(value) for name, value in options.items()} for group, options in job.options.items()
    }
    write_json(role / "meta/options.yml", {"tuning": declared})
    for number, text in job.templates.items():
        path = role / "templates" / f"{file_of(number)}.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _declared(value: object) -> Mapping[str, object]:
    kinds = {bool: {"type": "boolean"}, int: {"type": "integer"}, str: {"type": "string"}}
    kind: Json = kinds.get(type(value), {"type": "list", "items": {"type": "string"}})
    return {**kind, "default": value, "description": "An option of the job."}


def _write_inventory(inventory: Path, servers: list[Server], ssh: str) -> None:
    machine = {"site": "here", "cpus": 1, "memory": "1GiB", "disk": "10GiB"}
    every = [CONFIGURATION, *servers]
    networks = {"management": {"network": "198.18.0.0/16"}, "service": {"network": "198.19.0.0/16"}}
    # a cluster for each instance: nothing of Tandem's may hold back servers that the peers take at once
    clusters: Json = {
        server.instance: {
            "application": "service",
            "instances": {server.instance: {"server": server.name, "address": server.service}},
        }
        for server in servers
    }
    keeper = {"server": CONFIGURATION.name, "address": CONFIGURATION.management}
    clusters["configuration"] = {"application": "configuration_server", "instances": {"configuration-1": keeper}}
    installation = {
        "plugin": "tandem.platform.installation",
        "name": "bench",
        "controllers": ["198.18.0.2/32"],
        "sites": {"here": {"kind": "primary", "networks": networks}},
        "servers": {server.name: {**machine, "address": server.management} for server in every},
        "clusters": clusters,
    }
    write_json(inventory / "installation.yml", installation)
    write_json(inventory / "group_vars/all.yml", {"ansible_user": "root", "ansible_ssh_common_args": ssh})
    set_calls(inventory, BEFORE)


def set_calls(inventory: Path, calls: int) -> None:
    """Set the option that changes, as one edits it: in the option tree."""
    write_json(inventory / "options/bench_suite.yml", {"tuning": {"limits": {"calls": calls}}})


def variables(job: Job, calls: int) -> Json:
    """Return what peers are given: the same values, the list of files, the units."""
    files = [
        {"src": f"f{n:02d}.conf.j2", "dest": f"/{file_of(n)}", "mode": mode_of(n), "unit": unit_of(n)}
        for n in range(FILES)
    ]
    return {
        "options": {"tuning": job.values(calls)},
        "bench_files": files,
        "bench_units": [f"svc{n}" for n in range(UNITS)],
    }
