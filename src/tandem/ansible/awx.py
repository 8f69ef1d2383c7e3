"""Describe the playbooks as job templates of AWX.

A playbook's head says how it is run, `ansible-playbook playbooks/VERB.yml -e number=7 [-e comment='why'] [--diff]`:
what stands in brackets may be left out. What a variable means and of what type it is say the options of the module
that it is given to.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, nodes

from tandem.errors import InputRefused, Origin, Problem

Json = dict[str, Any]

COLLECTION = "tandem.platform."
PRIVATE = "tandem_"
"""How the names begin that a playbook gives to its own results."""
VARIABLE = re.compile(r"-e (\w+)=")
OPTIONAL = re.compile(r"\[[^]]*\]")
MARKUP = re.compile(r"\b[A-Z]\(([^)]*)\)")
SWITCHES = {"--check": "ask_job_type_on_launch", "--diff": "ask_diff_mode_on_launch", "--limit": "ask_limit_on_launch"}
TYPES = {"int": "integer", "bool": "multiplechoice"}
"""The types of questions for the types of options; for all others it is text."""


def job_templates(project: Path) -> list[Json]:
    """Return a job template for each playbook of a project.

    One that is given a path writes files where it runs, and the container of a job is gone afterwards: it has none.
    Raise InputRefused for a variable that is not given to any module.
    """
    found = [_template(project, path) for path in sorted((project / "playbooks").glob("*.yml"))]
    return [template for template, options in found if all(option["type"] != "path" for option in options)]


def _template(project: Path, path: Path) -> tuple[Json, list[Json]]:
    """Return a playbook's job template, and the options that its variables are given to."""
    head = [line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    usage = " ".join(line for line in head[1:] if line.startswith(("ansible-playbook", "[")))
    known = variables(project, path)
    required = set(VARIABLE.findall(OPTIONAL.sub("", usage)))
    questions, options = [], []
    for name in VARIABLE.findall(usage):
        if name not in known:
            message = f"{name} is not given to any module; take it out of the playbook's head, or use it"
            raise InputRefused([Problem(Origin(f"playbooks/{path.name}"), message)])
        options.append(known[name])
        questions.append(_question(name, known[name], required=name in required))
    template = {
        "name": f"Tandem {path.stem}",
        "description": head[0],
        "playbook": f"playbooks/{path.name}",
        **{ask: switch in usage for switch, ask in SWITCHES.items()},
        "survey_spec": {"name": "", "description": "", "spec": questions} if questions else {},
    }
    return template, options


def variables(project: Path, path: Path) -> dict[str, Json]:
    """Return the variables that a playbook takes, each with the option of a module that it is given to.

    The default is the one that the playbook gives.
    """
    found: dict[str, Json] = {}
    for task in _tasks(path):
        for module in (name for name in task if name.startswith(COLLECTION)):
            options = _options(project / "plugins" / "modules" / f"{module.removeprefix(COLLECTION)}.py")
            for option, value in (task[module] or {}).items():
                for name, default in _names(str(value)).items():
                    found.setdefault(name, options[option] | default)
    return found


def _names(template: str) -> dict[str, Json]:
    """Return the variables that a template is given from outside, each with its default: {} or {default: value}."""
    parsed = Environment(autoescape=True).parse(template)  # only looked at
    names = [node.name for node in parsed.find_all(nodes.Name)]
    found: dict[str, Json] = {name: {} for name in names if not name.startswith(PRIVATE) and name != "omit"}
    for use in parsed.find_all(nodes.Filter):
        name = use.node.name if isinstance(use.node, nodes.Name) else ""
        if use.name == "default" and name in found and isinstance(use.args[0], nodes.Const):
            found[name] = {"default": use.args[0].value}
    return found


def _tasks(path: Path) -> Iterator[Json]:
    """Yield all tasks of a playbook, those of its blocks and of the playbooks that it imports included."""
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        if imported := play.get("ansible.builtin.import_playbook"):
            yield from _tasks(path.parent / imported)
        pending = list(play.get("tasks", []))
        while pending:
            task = pending.pop(0)
            pending += [inner for part in ("block", "rescue", "always") for inner in task.get(part, [])]
            yield task


def _options(module: Path) -> Json:
    """Return the options that a module documents."""
    for statement in ast.parse(module.read_bytes()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            options: Json = yaml.safe_load(ast.literal_eval(statement.value))["options"]
            return options
    raise AssertionError(f"{module} has no DOCUMENTATION")


def _question(name: str, option: Json, *, required: bool) -> Json:
    """Return a variable as a question of a survey."""
    description = option["description"]
    sentences = description if isinstance(description, str) else " ".join(description)
    choices = {"choices": ["false", "true"], "default": str(option.get("default", False)).lower()}
    return {
        "variable": name,
        "question_name": name.replace("_", " ").capitalize(),
        "question_description": MARKUP.sub(r"\1", sentences),
        "required": required,
        "type": TYPES.get(option["type"], "text"),
        **(choices if option["type"] == "bool" else {}),
    }
