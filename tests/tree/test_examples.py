"""The examples fit the services they are for, and what is generated of them says what the playbooks say."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tandem.ansible import awx
from tests.tree.walk import ROOT, files, label, load

AWX = ROOT / "examples/awx"
JOB_TEMPLATES = AWX / "vars/job_templates.yml"
PLAYBOOKS = files("playbooks", suffix=".yml")
SCHEMAS = [("gitlab-ci", "gitlab-ci/.gitlab-ci.yml"), ("github-workflows", "github-actions/tandem.yml")]


@pytest.mark.parametrize(("schema", "file"), SCHEMAS)
def test_a_pipeline_fits_the_schema_of_its_service(schema: str, file: str) -> None:
    argv = ["check-jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / "examples" / file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_job_templates_say_what_the_playbooks_say(tmp_path: Path) -> None:
    """`make docs` writes them anew."""
    written = tmp_path / "job_templates.yml"
    subprocess.run(["tandem", "awx", str(written)], cwd=ROOT, check=True, capture_output=True)
    assert written.read_text() == JOB_TEMPLATES.read_text()


@pytest.mark.parametrize("path", PLAYBOOKS, ids=label)
def test_a_playbook_s_head_names_every_variable_that_it_takes(path: Path) -> None:
    taken = set(awx.variables(ROOT, path))
    named = set(awx.VARIABLE.findall(path.read_text(encoding="utf-8")))
    to_a_number = any("tandem_back" in play.get("vars", {}) for play in load(path))
    assert named == taken - ({"plan"} if to_a_number else set())


def test_every_playbook_that_makes_sense_in_a_job_has_its_template() -> None:
    named = {template["playbook"] for template in load(JOB_TEMPLATES)["awx_job_templates"]}
    assert named == {label(path) for path in PLAYBOOKS} - {"playbooks/clone.yml"}


def test_awx_is_fed_with_options_that_its_modules_have() -> None:
    """The collection is half a gigabyte with what it comes along with; its options are few."""
    known = load(ROOT / "tests/tree/awx_options.yml")
    used: list[tuple[str, dict[str, Any]]] = [
        (key, value) for task in load(AWX / "feed.yml")[0]["tasks"] for key, value in task.items() if "." in key
    ]
    assert len(used) == len(known)
    assert [(module, name) for module, options in used for name in options if name not in known[module].split()] == []


def test_schedules_run_templates_that_there_are() -> None:
    names = {template["name"] for template in load(JOB_TEMPLATES)["awx_job_templates"]}
    assert {schedule["job_template"] for schedule in load(AWX / "vars/settings.yml")["awx_schedules"]} <= names
