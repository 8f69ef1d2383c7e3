"""What was edited and has no effect is told with its reason; what has an effect is never among it."""

from __future__ import annotations

import pytest

from tandem.plan import make
from tests.sample.project import Project

ENGINE_2 = "inventories/sample/options/suite/engines/engine-2.yml"
ENGINES = "inventories/sample/options/suite/engines.yml"
OPTIONS = "inventories/sample/options/installation.yml"
INSTALLATION = "inventories/sample/installation.yml"
SUITE = "inventories/sample/options/suite.yml"
LEVEL = "engine.log.level"

Edits = dict[str, str]


def found(project: Project, edits: Edits, before: Edits | None = None) -> list[tuple[str | None, str, list[str]]]:
    """Return option, origin and reasons of all edits without effect; a file that is edited to "" goes."""

    def write(texts: Edits) -> None:
        for path, text in texts.items():
            project.write(path, text)
            if not text:
                (project.directory / path).unlink()

    write(before or {})
    old = project.compile()
    write(edits)
    plan = make(old, project.compile()).to_json()
    return [(edit["option"], edit["origin"], edit["reasons"]) for edit in plan["no_effect"]]


@pytest.mark.parametrize(
    ("before", "edits", "option", "origin", "reason"),
    [
        (
            {ENGINES: "engine: {log: {level: debug}}\n", ENGINE_2: ""},
            {ENGINE_2: "engine:\n  log:\n    level: debug\n"},
            LEVEL,
            "options/suite/engines/engine-2.yml:3",
            "equal to the inherited value at options/suite/engines.yml:1",
        ),
        ({ENGINE_2: ""}, {ENGINE_2: "engine: {log: {level: info}}\n"}, LEVEL, "…", "equal to the default"),
        (
            {ENGINE_2: "engine: {log: {level: info}}\n"},
            {ENGINE_2: ""},
            LEVEL,
            "options/suite/engines/engine-2.yml:1 (removed)",
            "equal to the default, which holds now",
        ),
        (
            {ENGINES: "engine: {log: {level: debug}}\n", ENGINE_2: "engine: {log: {level: debug}}\n"},
            {ENGINE_2: ""},
            LEVEL,
            "options/suite/engines/engine-2.yml:1 (removed)",
            "equal to the inherited value at options/suite/engines.yml:1, which holds now",
        ),
        (
            {
                ENGINES: "",
                ENGINE_2: "engine: {log: {level: debug}}\n",
                ENGINE_2.replace("2", "1"): "engine: {log: {level: error}}\n",
            },
            {ENGINES: "engine: {log: {level: info}}\n"},
            LEVEL,
            "options/suite/engines.yml:1",
            "what holds is set at options/suite/engines/engine-1.yml:1",
        ),
        (
            {ENGINES: "", SUITE: "", ENGINE_2: "engine: {limits: {sessions: 60}}\n"},
            {ENGINE_2: "engine: {limits: {sessions: 60}, listen: {clients: [198.18.0.250/32]}}\n"},
            "engine.listen.clients",
            "options/suite/engines/engine-2.yml:1",
            "equal to the inherited value at options/installation.yml:6",
        ),
    ],
    ids=["inherited", "default", "removed default", "removed inherited", "set below", "union"],
)
def test_each_reason(  # type: ignore[no-untyped-def]
    project: Project, before: Edits, edits: Edits, option, origin, reason
) -> None:
    if SUITE in before:
        before = {path: text for path, text in before.items() if path != SUITE}
    (edit,) = found(project, edits, {path: text for path, text in before.items() if text or _there(project, path)})
    assert edit[0] == option
    assert origin in ("…", edit[1])
    assert edit[2][0] == reason


def _there(project: Project, path: str) -> bool:
    return (project.directory / path).exists()


def test_a_value_that_moves_to_another_level_is_one_edit(project: Project) -> None:
    both = {ENGINE_2: "engine: {log: {level: debug}}\n", ENGINE_2.replace("2", "1"): "engine: {log: {level: debug}}\n"}
    moved = dict.fromkeys(both, "# nothing here\n") | {ENGINES: "engine:\n  log: {level: debug}\n"}
    (edit,) = found(project, moved, both)
    places = [f"moved here from options/suite/engines/engine-{number}.yml:1" for number in (1, 2)]
    assert edit == (LEVEL, "options/suite/engines.yml:2", places)


def test_another_line_of_the_same_value_is_only_form(project: Project) -> None:
    edits = {ENGINE_2: "# said again\n\nengine:\n  log: {level: error}\n"}
    assert found(project, edits) == [
        (None, "options/suite/engines/engine-2.yml", ["only comments, order or form were changed"])
    ]


def test_the_same_secret_encrypted_anew_means_the_same(project: Project) -> None:
    before = {SUITE: f"database:\n  access:\n    password: !vault |\n{project.encrypt('sesame')}"}
    edits = {SUITE: f"database:\n  access:\n    password: !vault |\n{project.encrypt('sesame')}"}
    (edit,) = found(project, edits, before)
    assert edit == ("database.access.password", "options/suite.yml:3", ["means the same as before"])


def test_a_secret_that_could_not_be_read_is_not_said_to_be_the_same(project: Project) -> None:
    old = project.compile(with_password=False)
    project.write(SUITE, f"database:\n  access:\n    password: !vault |\n{project.encrypt('other')}")
    assert make(old, project.compile(with_password=False)).to_json()["no_effect"] == []


def test_what_has_an_effect_somewhere_is_not_told(project: Project) -> None:
    """In Global nothing changes, for environment pb it does: the nearer Global value beats pb's above."""
    edits = {ENGINE_2: "engine:\n  cards: {notify_days: 14}\n  log:\n    level: error\n"}
    assert found(project, edits) == []


def test_an_environments_value_equal_to_global(project: Project) -> None:
    text = (project.directory / OPTIONS).read_text()
    edits = {OPTIONS: text + "  wholesale:\n    engine:\n      cards: {notify_days: 14}\n"}
    (edit,) = found(project, edits)
    assert edit[0] == "engine.cards.notify_days"
    assert edit[2] == ["Global says the same at options/installation.yml:4"]


def test_installation_yml_in_another_form_and_with_an_attribute_that_nothing_uses(project: Project) -> None:
    text = (project.directory / INSTALLATION).read_text()
    form = [(None, "installation.yml", ["only comments, order or form were changed"])]
    assert found(project, {INSTALLATION: f"# {text}" if text.startswith("#") else f"# new\n{text}"}) == form
    more = {INSTALLATION: text.replace("198.18.0.13, cpus: 1", "198.18.0.13, cpus: 2")}
    (edit,) = found(project, more)
    assert edit == (None, "installation.yml", ["what was changed there changes nothing on a server"])


def test_a_value_for_an_instance_that_is_new_is_told_with_the_instance(project: Project) -> None:
    text = (project.directory / INSTALLATION).read_text()
    assert text.endswith("engine-2: {server: Beta, address: 198.18.1.12}\n")
    edits = {
        INSTALLATION: text + "      engine-3: {server: Gamma, address: 198.18.1.13}\n",
        ENGINE_2.replace("2", "3"): "engine: {log: {level: info}}\n",
    }
    assert found(project, edits) == []
