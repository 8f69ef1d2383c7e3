"""Every role is complete: its declarations agree with each other and with its files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tree.walk import ROOT, files, label, load

ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
NAMES = {role.name for role in ROLES}
EVERYBODY = {"servers", "controllers", "runner", "everyone"}
# applications of the platform whose roles are not written yet: a role may already admit them as clients
LATER = {"sip_processing_node", "sip_dispatching_node"}

each_role = pytest.mark.parametrize("role", ROLES, ids=label)


def application(role: Path) -> dict[str, Any]:
    """Return what meta/application.yml declares."""
    return load(role / "meta/application.yml")


def options(role: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every option that meta/options.yml declares, by its whole name."""
    for module, groups in load(role / "meta/options.yml").items():
        for group, members in groups.items():
            for name, declaration in members.items():
                yield f"{module}.{group}.{name}", declaration


def processes(role: Path) -> dict[str, Any]:
    """Return the processes of an application."""
    return application(role).get("processes") or {}


def test_there_are_roles() -> None:
    assert "base" in NAMES
    assert len(NAMES) > 1


@each_role
def test_a_role_has_its_declarations(role: Path) -> None:
    wanted = ["README.md", "meta/application.yml", "meta/options.yml", "meta/main.yml", "meta/argument_specs.yml"]
    assert [name for name in wanted if not (role / name).is_file()] == []


@each_role
def test_a_role_says_in_a_line_what_it_is(role: Path) -> None:
    assert application(role)["description"].endswith(".")
    assert (role / "README.md").read_text(encoding="utf-8").startswith(f"# {role.name}\n\n")


@each_role
def test_every_option_is_described_to_a_person(role: Path) -> None:
    poor = [name for name, it in options(role) if not str(it.get("description", "")).rstrip().endswith(".")]
    assert poor == [], "a description is a sentence"


@each_role
def test_every_declared_port_has_a_process(role: Path) -> None:
    listened = {
        listen["port"] for process in processes(role).values() for listen in (process.get("listens") or {}).values()
    }
    ports = {name for name, it in options(role) if it["type"] == "port"}
    assert {port for port in listened if isinstance(port, str)} - ports == set(), "no option of type port"
    assert ports - listened == set(), "no process listens there"


def run_by_units(role: Path) -> set[str]:
    """Return the processes that an application's units run."""
    return {unit["process"] for unit in (application(role).get("units") or {}).values() if unit.get("process")}


@each_role
def test_every_process_has_a_unit_and_a_description(role: Path) -> None:
    """The unit is the application's own, or that of every server."""
    assert run_by_units(role) - set(processes(role)) == set(), "not declared under processes"
    assert set(processes(role)) - run_by_units(role) - run_by_units(ROOT / "roles/base") == set(), "no unit runs it"
    assert [name for name, process in processes(role).items() if not process.get("description")] == []


@each_role
def test_who_talks_to_whom_names_applications(role: Path) -> None:
    named = {name for process in processes(role).values() for name in process.get("clients") or []} - EVERYBODY
    for key in ("requires", "after", "beside"):
        named |= set(application(role).get(key) or [])
    connected = {name for process in processes(role).values() for name in process.get("connects") or []}
    assert connected <= NAMES
    assert named <= NAMES | LATER


@each_role
def test_declared_files_are_there_and_no_others(role: Path) -> None:
    declared = set(application(role).get("files") or {})
    templates = {str(path.relative_to(role / "templates")) for path in files(f"roles/{role.name}/templates")}
    copies = {str(path.relative_to(role / "files")) for path in files(f"roles/{role.name}/files")}
    assert {name for name in templates if not name.endswith(".j2")} == set()
    sources = {name.removesuffix(".j2") for name in templates} | copies
    assert declared - sources == set(), "declared, and nothing to make it from"
    assert sources - declared == set(), "never installed: not declared in meta/application.yml"
