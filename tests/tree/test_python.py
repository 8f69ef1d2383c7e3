"""Python files keep to their rooms, their size and the dependencies that pyproject.toml declares."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tree.walk import ROOT, files, imports, label

LONGEST = 350
OURS = {"tandem", "tandem_guard", "tandem_server", "lab", "bench", "tests"}
# the name to import is not always the name to install
IMPORTED_AS = {"ansible-core": "ansible", "pyyaml": "yaml", "pytest-testinfra": "testinfra"}

CODE = files("src", "lab", "server", "plugins", suffix=".py")
SERVER = files("server", suffix=".py")
TESTS = files("tests", "molecule", "roles", suffix=".py")


def declared(extra: str | None = None) -> set[str]:
    """Return the top-level modules of the dependencies in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    names = [re.split(r"[^\w.-]", line)[0].lower() for line in wanted]
    return {IMPORTED_AS.get(name, name).replace("-", "_") for name in names}


def test_there_is_code_to_look_at() -> None:
    """An empty walk would let everything else here pass."""
    assert CODE
    assert SERVER
    assert TESTS


@pytest.mark.parametrize("path", CODE, ids=label)
def test_a_file_holds_one_idea(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{label(path)} has {lines} lines; {LONGEST} are the most: split it by ideas"


@pytest.mark.parametrize("path", SERVER, ids=label)
def test_the_server_program_needs_only_the_standard_library(path: Path) -> None:
    """It runs on servers that have Python and nothing else."""
    foreign = imports(path) - sys.stdlib_module_names - {"tandem_guard", "tandem_server"}
    assert not foreign, f"{label(path)} imports {', '.join(sorted(foreign))}"


@pytest.mark.parametrize("path", CODE, ids=label)
def test_what_runs_imports_only_declared_dependencies(path: Path) -> None:
    """A module that comes along with another package today is gone tomorrow."""
    undeclared = imports(path) - sys.stdlib_module_names - OURS - declared() - {"ansible_collections"}
    assert not undeclared, f"{label(path)} imports {', '.join(sorted(undeclared))}: declare it in pyproject.toml"


@pytest.mark.parametrize("path", TESTS, ids=label)
def test_tests_import_only_declared_dependencies(path: Path) -> None:
    undeclared = imports(path) - sys.stdlib_module_names - OURS - declared("dev") - {"ansible_collections"}
    assert not undeclared, f"{label(path)} imports {', '.join(sorted(undeclared))}: declare it in pyproject.toml"


@pytest.mark.parametrize("path", TESTS, ids=label)
def test_no_test_is_skipped(path: Path) -> None:
    """A skipped test reads like a kept promise."""
    found = re.findall(r"(?:mark|pytest)\.(?:skip|skipif|xfail|importorskip)\b", path.read_text(encoding="utf-8"))
    assert not found or path == Path(__file__), f"{label(path)}: {', '.join(found)}"
