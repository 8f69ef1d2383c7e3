"""The plan as Markdown, compared with a golden page: what a reviewer sees on a pull request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tandem.configuration.diff import unified
from tandem.plan import make
from tandem.plan.markdown import markdown
from tests.sample.project import PASSWORD, Project

Json = dict[str, Any]
GOLDEN = Path(__file__).parent / "golden" / "plan.md"
LISTS = "options instances addresses servers files units waves touched no_effect unreadable removed without"
NOTHING: Json = {"empty": False, **{name: [] for name in LISTS.split()}}
SOURCE = "inventories/sample"


def planned(project: Project) -> tuple[Json, list[str]]:
    """Return a plan with values, a secret, and an edit without effect."""
    old = project.compile()
    project.write(
        f"{SOURCE}/options/suite/engines/engine-2.yml", "engine:\n  limits: {sessions: 60}\n  log: {level: error}\n"
    )
    project.write(f"{SOURCE}/options/suite/engines/engine-1.yml", "engine: {log: {level: info}}\n")
    secret = f"database:\n  access:\n    password: !vault |\n{project.encrypt('another `secret`')}"
    project.write(f"{SOURCE}/options/suite.yml", secret)
    plan = make(old, project.compile())
    head = {"number": 8, "active": 7, "commit": "5f20d1b", "id": "3f2a1b90c4d5" + "0" * 52, "places": {"Beta": [6, 7]}}
    return {**head, "plan": plan.to_json()}, unified(plan.files, plan.old, plan.new)


def test_the_page_of_a_plan(project: Project) -> None:
    page = markdown(*planned(project))
    assert page == GOLDEN.read_text()
    assert PASSWORD not in page
    assert "another" not in page


def test_an_empty_plan_is_two_lines(project: Project) -> None:
    plan = make(project.compile(), project.compile()).to_json()
    page = markdown({"number": 7, "active": 7, "commit": "", "id": None, "places": {}, "plan": plan})
    assert page == "### Plan: configuration 7, which is active\n\n**Nothing changes**.\n\n"


def test_no_text_breaks_out_of_its_cell_or_fence() -> None:
    change = {"option": "a.b.c", "environment": "pb", "old": "x|y`z", "new": "`", "unit": None, "secret": False}
    option = {**change, "origin": "options/a.yml:1", "instances": []}
    plan = {**NOTHING, "options": [option]}
    page = markdown({"number": 8, "active": 7, "plan": plan}, ["+```", "+</details>"])
    assert "| `a.b.c` (pb) | ``x\\|y`z`` | `` ` `` | servers | options/a.yml:1 |" in page
    assert "````diff\n+```\n+</details>\n````" in page


def test_what_moves_comes_and_goes() -> None:
    old, new = {"server": "Beta", "address": "198.18.1.12"}, {"server": "Gamma", "address": "198.18.1.12"}
    moved = {"name": "engine-2", "application": "engine", "old": old, "new": new, "origin": "installation.yml:29"}
    server = {"name": "Delta", "old": None, "new": "198.18.0.14", "origin": "installation.yml:15"}
    address = {"address": "198.18.1.12", "old": "Beta", "new": None}
    unread = {"server": "Beta", "path": "/etc/a", "options": ["a.b.password", "a.b.key"]}
    changes = {"instances": [moved], "servers": [server], "addresses": [address], "unreadable": [unread]}
    page = markdown({"number": 8, "active": 7, "plan": {**NOTHING, **changes}})
    assert "| engine-2 | engine | Beta, 198.18.1.12 | Gamma, 198.18.1.12 | installation.yml:29 |" in page
    assert "| Delta | – | 198.18.0.14 | installation.yml:15 |" in page
    assert "| `198.18.1.12` | Beta | – |" in page
    assert "| Beta | `/etc/a` | a.b.password, a.b.key |" in page


def test_what_is_left_out_awaited_and_held_back_is_said() -> None:
    addresses = [{"address": "198.18.1.11", "old": "Alpha", "new": "Gamma"}]
    step = {"server": "Gamma", "instances": ["engine-1"], "guarded": [], "hold": ["198.18.1.12"]}
    waves = [{"steps": [step], "clusters": [{"cluster": "engines", "keeps": 1, "of": 2}]}]
    plan = {**NOTHING, "addresses": addresses, "waves": waves, "touched": ["Gamma"], "without": ["Alpha"]}
    expected = {"Alpha": {"number": 7, "run": 3}, "Beta": {"number": 7, "run": 3}}
    page = markdown({"number": 8, "active": 7, "expected": expected, "plan": plan})
    assert "⚠ Left out: Alpha." in page
    assert "⚠ Beta is to come to configuration 7: run 3 left it out." in page
    assert "Alpha is to come" not in page
    assert "| `198.18.1.11` | Alpha, which must be off | Gamma |" in page
    assert "| 1 | Gamma | engine-1; without 198.18.1.12, which is still in use | engines 1 of 2 |" in page


def test_what_is_too_long_for_a_comment_is_left_out(project: Project) -> None:
    head, _ = planned(project)
    files = [{"server": "Alpha", "path": f"/etc/{number}", "change": "added", "secret": False} for number in range(120)]
    page = markdown({**head, "plan": {**head["plan"], "files": files}}, ["+" * 1000] * 60)
    assert "| … 20 more |" in page
    assert "The differences are too long for a comment: `tandem plan --diff` shows them." in page
    assert len(page) < 60_000
