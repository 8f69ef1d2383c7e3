"""Golden cases: roles/<application>/tests/<case>/ is an installation; expected/ holds what it renders to.

A case is an inventory directory (installation.yml, options/) whose secrets have the password of the lab. Under
`expected/<server>/<path>` stands every file of the application that is made from a template. After a change that is
meant, `pytest tests/render --update-golden` writes them anew, and the difference is read in the commit.
"""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path

import pytest

from tandem.ansible.vault import decryption
from tandem.model import load
from tandem.render import render

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/application.yml"))
CASES = sorted(path.parent for path in ROOT.glob("roles/*/tests/*/installation.yml"))


def rendered(case: Path) -> dict[str, str]:
    """Return the files that the case's application makes from templates, by server and path."""
    role = case.parents[1]
    copied = {path.read_bytes() for path in (role / "files").rglob("*") if path.is_file()}
    files = render(load(case, ROOT / "roles"), decryption(ROOT / "lab" / "vault-password"))
    return {
        f"{server}{file.path}": (file.content or b"").decode()
        for server, found in files.items()
        for file in found
        if file.application == role.name and file.content not in copied
    }


def expected(case: Path) -> dict[str, str]:
    """Return what stands under expected/, by server and path."""
    directory = case / "expected"
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parents[1].name}-{case.name}")
def test_a_case_renders_to_what_is_expected(case: Path, request: pytest.FixtureRequest) -> None:
    found = rendered(case)
    if request.config.getoption("--update-golden", default=False):
        shutil.rmtree(case / "expected", ignore_errors=True)
        for name, text in found.items():
            file = case / "expected" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    wanted = expected(case)
    assert sorted(found) == sorted(wanted)
    differences = [line for name in sorted(found) for line in difference(name, wanted[name], found[name])]
    assert not differences, "\n".join(differences)


def difference(name: str, wanted: str, found: str) -> list[str]:
    """Return the lines in which a file is not as expected."""
    texts = (wanted.splitlines(), found.splitlines())
    lines = list(difflib.unified_diff(*texts, f"expected {name}", f"rendered {name}", lineterm=""))
    return lines or ([f"{name}: differs in white space at the end"] if wanted != found else [])


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_case_that_expects_something(role: str) -> None:
    cases = [case for case in CASES if case.parents[1].name == role]
    assert cases
    assert all(expected(case) for case in cases)
