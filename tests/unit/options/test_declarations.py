"""Declarations are checked like everything else, and one declaration gives schema and reference too."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tandem import applications
from tandem.applications import Applications
from tandem.cli.schema import schemas
from tandem.errors import Problems
from tandem.options.reference import reference
from tandem.source import Node, parse
from tests.unit.sample import INSTALLATION, ROLES

ROOT = Path(__file__).parents[3]


def load(roles: Path) -> tuple[Applications, list[str]]:
    problems = Problems()
    found = applications.load(roles, problems)
    return found, sorted(str(problem) for problem in problems.found)


def role(tmp_path: Path, options: str, application: str = "") -> list[str]:
    """Return what is wrong with one role."""
    meta = tmp_path / "roles" / "web" / "meta"
    meta.mkdir(parents=True)
    (meta / "application.yml").write_text(f"description: x\nsuite: web_suite\n{application}")
    (meta / "options.yml").write_text(options)
    return load(tmp_path / "roles")[1]


@pytest.mark.parametrize("roles", [ROLES, ROOT / "roles"])
def test_the_declarations_there_are_have_no_mistake(roles: Path) -> None:
    found, problems = load(roles)
    assert problems == []
    assert found.base is not None
    assert {"billing_engine", "configuration_server", "database", "log_server", "web"} <= set(found)


@pytest.mark.parametrize(
    ("declaration", "problem"),
    [
        ("{type: integer}", "roles/web/meta/options.yml:3: web.page.a: description is missing"),
        ("{description: x}", "roles/web/meta/options.yml:3: web.page.a: type is missing"),
        ("{type: colour, description: x}", "roles/web/meta/options.yml:3: web.page.a: colour is not a type"),
        ("{type: integer, description: x, defualt: 5}",
         "roles/web/meta/options.yml:3: web.page.a: defualt is not known here"),
        ("{type: integer, description: x, default: a}",
         'roles/web/meta/options.yml:3: web.page.a: default: "a" is not a whole number'),
        ("{type: port, description: x, default: 0}", "roles/web/meta/options.yml:3: web.page.a: default: 0 is below 1"),
        ("{type: integer, description: x, effect: explode}",
         'roles/web/meta/options.yml:3: web.page.a.effect: "explode" is not none, reload or restart'),
        ("{type: integer, description: x, merge: union}",
         "roles/web/meta/options.yml:3: web.page.a: merge: union is for list and map, not for integer"),
        ("{type: integer, description: x, secret: true}",
         "roles/web/meta/options.yml:3: web.page.a: only an option of type string can be secret"),
        ("{type: string, description: x, secret: true, default: hunter2}",
         "roles/web/meta/options.yml:3: web.page.a: the default of a secret can only be"),
        ("5", "roles/web/meta/options.yml:3: web.page.a: a mapping belongs here"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_declaration(tmp_path: Path, declaration: str, problem: str) -> None:
    problems = role(tmp_path, f"web:\n  page:\n    a: {declaration}\n")
    assert len(problems) == 1
    assert problems[0].startswith(problem)


@pytest.mark.parametrize(
    ("application", "problem"),
    [
        ("colour: red\n", ":3: colour is not known here"),
        ("requires: [wbe]\n", ":1: requires: wbe is not an application; did you mean web?"),
        ("processes: {p: {description: x, listens: {h: {protocol: tcp, port: web.page.a}}}}\n",
         ":1: processes.p.listens.h.port: web.page.a is not an option of type port"),
        ("processes: {p: {description: x, listens: {h: {protocol: udq, port: 1}}}}\n",
         ':3: processes.p.listens.h.protocol: "udq" is not udp, tcp or sctp'),
        ("processes: {p: {description: x, clients: [everybody]}}\n",
         ":1: processes.p.clients: everybody is not an application"),
        ("units: {a.service: {process: p}}\n", ":1: units.a.service.process: p is not a process"),
        ("files: {etc/a: {mode: 644}}\n", ":3: files.etc/a.mode: 644 is not text"),
        ("files: {etc/a: {unit: b.service}}\n", ":1: files.etc/a.unit: b.service is not a unit"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_application(tmp_path: Path, application: str, problem: str) -> None:
    problems = role(tmp_path, "web: {page: {a: {type: integer, default: 1, description: x}}}\n", application)
    assert len(problems) == 1
    assert problems[0].startswith(f"roles/web/meta/application.yml{problem}")


def test_a_module_has_one_owner(tmp_path: Path) -> None:
    for name in ("dns", "web"):
        meta = tmp_path / "roles" / name / "meta"
        meta.mkdir(parents=True)
        (meta / "application.yml").write_text("description: x\nsuite: s\n")
        (meta / "options.yml").write_text("page: {a: {b: {type: boolean, default: true, description: x}}}\n")
    assert load(tmp_path / "roles")[1] == [
        "roles/web/meta/application.yml:1: module page belongs to dns already; a module has one owner"
    ]


def test_a_project_without_roles_is_named(tmp_path: Path) -> None:
    assert load(tmp_path)[1] == [
        f"{tmp_path}: holds no role with a meta/application.yml; is this the project's directory?"
    ]


class VaultLoader(yaml.SafeLoader):
    """Read `!vault` as an editor's language server does."""


VaultLoader.add_constructor("!vault", lambda loader, node: loader.construct_scalar(node))


def every_schema() -> dict[str, Any]:
    node = parse(INSTALLATION.encode(), "installation.yml", Problems())
    assert isinstance(node, Node)
    return {name: schema for name, (_, schema) in schemas(load(ROLES)[0], node).items()}


def test_the_schemas_are_schemas_and_json() -> None:
    for schema in every_schema().values():
        jsonschema.Draft7Validator.check_schema(json.loads(json.dumps(schema)))


@pytest.mark.parametrize(
    ("name", "text", "good"),
    [
        ("installation", INSTALLATION, True),
        ("installation", INSTALLATION.replace("kind: secondary", "kind: third"), False),
        ("installation", INSTALLATION.replace("4GiB", "4GB"), False),
        ("options", "server: {ssh: {port: 22}}\nb2bua: {calls: {max_duration: 5}}\n", True),
        ("options", "server: {ssh: {prot: 22}}\n", False),
        ("options-cluster_suite", "b2bua: {calls: {max_duration: 0}}\n", False),
        ("options-cluster_suite", "b2bua: {calls: {max_duration: null}}\nbilling_engine: {log: }\n", True),
        ("options-cluster_suite-billing_engine", "b2bua: {}\n", False),
        ("options-cluster_suite-billing_engine", "environments: {pb: {cards: {expiry: {notify_days: 3}}}}\n", True),
        ("options-cluster_suite-billing_engine", "environments: {bp: {}}\n", False),
        ("options-cluster_suite-billing_engine", "environments: {pb: {billing_engine: {}}}\n", False),
        ("options-cluster_suite-billing_engine",
         "billing_engine: {clients: {networks: [{not: 198.18.0.0/24}, 198.18.1.0/24], names: {a: null}}}\n", True),
        ("options-cluster_suite-billing_engine", "billing_engine: {log: {level: loud}}\n", False),
    ],
)  # fmt: skip
def test_an_editor_accepts_what_tandem_accepts(name: str, text: str, *, good: bool) -> None:
    errors = list(jsonschema.Draft7Validator(every_schema()[name]).iter_errors(yaml.load(text, VaultLoader)))  # noqa: S506
    assert (not errors) is good


@pytest.mark.parametrize("inventory", ["example", "small", "vendor"])
def test_the_inventories_fit_the_schemas(inventory: str) -> None:
    directory = ROOT / "inventories" / inventory
    found, _ = load(ROOT / "roles")
    node = parse((directory / "installation.yml").read_bytes(), "installation.yml", Problems())
    assert node is not None
    by_pattern = {pattern: schema for patterns, schema in schemas(found, node).values() for pattern in patterns}
    checked = 0
    for file in [directory / "installation.yml", *directory.glob("options/**/*.yml")]:
        [schema] = [s for pattern, s in by_pattern.items() if file.match(pattern.removeprefix("**/"))]
        jsonschema.validate(yaml.load(file.read_text(), VaultLoader), schema)  # noqa: S506
        checked += 1
    assert checked > 4


def test_the_reference_holds_every_option_once() -> None:
    found, _ = load(ROLES)
    page = reference((a.name, a.declaration.description, a.suite, a.options) for a in found.everything())
    for application in found.everything():
        for option in application.options.values():
            assert option.description in page
    assert "| `password` | **must be set** | Password of the database. Text. Secret: must be `!vault`. " in page
    assert (
        "| `timeout` | `3 s` | Longest query. A whole number of seconds (1–30). A change restarts billing_engine. |"
        in page
    )


def test_the_reference_in_the_documentation_is_up_to_date() -> None:
    found, _ = load(ROOT / "roles")
    page = reference((a.name, a.declaration.description, a.suite, a.options) for a in found.everything())
    assert (ROOT / "docs" / "reference" / "options.md").read_text(encoding="utf-8") == page, "run: make docs"
