"""Templates see what the contract with roles says, and what is wrong with them is said with file and line."""

from __future__ import annotations

import pytest

from tandem.errors import Failed, InputRefused
from tandem.render import RenderedFile, render
from tests.sample.project import PASSWORD, Project

TEMPLATE = "roles/engine/templates/etc/engine/%i/limits.conf.j2"
MISTAKE = "this is a mistake in the role"
SHOWN = "roles/engine/templates/etc/engine/%i/limits.conf.j2"


def files(project: Project, server: str, *, with_password: bool = True) -> dict[str, RenderedFile]:
    decrypt = project.decrypt() if with_password else None
    return {file.path: file for file in render(project.model(), decrypt)[server]}


def text(project: Project, template: str) -> str:
    """Render a template as a file of engine-1 on Alpha."""
    project.write(TEMPLATE, template)
    content = files(project, "Alpha")["/etc/engine/engine-1/limits.conf"].content
    assert content is not None
    return content.decode()


def refusal(project: Project, template: str) -> list[str]:
    with pytest.raises(InputRefused) as refused:
        text(project, template)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ instance }} {{ instance.address }}/{{ instance.prefix }}", "engine-1 198.18.1.11/24"),
        ("{{ instance.cluster }} {{ instance.server }}", "engines Alpha"),
        ("{{ server }} {{ server.address }} {{ server.interface }}", "Alpha 198.18.0.11 eth0"),
        ("{{ server.gateway }}", "198.18.0.1"),
        ("{{ site }} {{ site.kind }} {{ site.networks.service.network }}", "here primary 198.18.1.0/24"),
        ("{{ installation }} {{ installation.environments | join(' ') }}", "sample pb wholesale"),
        ("{{ installation.instances[1] }} {{ installation.instances[1].listens[0] }}", "database-1 mysql"),
        ("{{ peers('database') | map(attribute='name') | join }}", "database-1"),
        ("{{ environment_options['pb'].engine.cards.notify_days }}", "10"),
        ("{{ environment_options.wholesale.engine.cards.notify_days }}", "14"),
        ("{{ options['engine']['log']['level'] }}", "info"),
        ("a\n{% if true %}\nb\n{% endif %}\nc\n", "a\nb\nc\n"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_template_sees(project: Project, template: str, expected: str) -> None:
    assert text(project, template) == expected


def test_an_unknown_option_is_named_with_its_line_and_the_nearest_known(project: Project) -> None:
    assert refusal(project, "a\n{{ options.engine.limits.session }}\n") == [
        f"{SHOWN}:2: options.engine.limits.session is not declared; did you mean engine.limits.sessions?; {MISTAKE}"
    ]


@pytest.mark.parametrize(
    ("template", "line", "message"),
    [
        ("\n\n{{ nothing }}", 3, "'nothing' is undefined"),
        ("{{ options.engine.log }}", 1, "options.engine.log is not an option; write options.module.group.option"),
        ("{{ server.adress }}", 1, "has no attribute 'adress'"),
        ("\n{% if %}", 2, "Expected an expression"),
        ("{{ 1 / 0 }}", 1, "division by zero"),
        ("{{ peers('databse') }}", 1, "there is no such application; did you mean database?"),
        ("\n{{ clients('engine') }}", 2, "engine has no such process; did you mean engined?"),
        ("{% include 'engine/nothing' %}", 1, "engine/nothing"),
    ],
)
def test_a_mistake_in_a_template_is_told_with_its_line(
    project: Project, template: str, line: int, message: str
) -> None:
    (found,) = refusal(project, template)
    assert found.startswith(f"{SHOWN}:{line}: ")
    assert message in found


def test_mistakes_of_all_templates_are_told_at_once(project: Project) -> None:
    project.write("roles/base/templates/etc/hosts.j2", "{{ one }}")
    (project.directory / "roles/engine/files/etc/engine/notes.txt").unlink()
    assert [message.split(": ")[0] for message in refusal(project, "{{ two }}")] == [
        "roles/base/templates/etc/hosts.j2:1",
        "roles/engine/meta/application.yml",
        f"{SHOWN}:1",
    ]


def test_a_file_that_needs_a_secret_is_marked_and_no_other(project: Project) -> None:
    found = files(project, "Beta")
    assert {path for path, file in found.items() if file.secret} == {
        "/etc/database/database-1.cnf",
        "/etc/engine/engine-2/database.conf",
    }
    content = found["/etc/database/database-1.cnf"].content
    assert content is not None
    assert PASSWORD.replace("\\", "\\\\").replace("'", "''") in content.decode()


def test_without_a_password_a_file_has_no_content_and_names_what_it_needs(project: Project) -> None:
    found = files(project, "Beta", with_password=False)
    unreadable = {path: file.unreadable for path, file in found.items() if file.content is None}
    assert unreadable == {
        "/etc/database/database-1.cnf": ("database.access.password",),
        "/etc/engine/engine-2/database.conf": ("database.access.password",),
    }


def test_a_mistake_that_only_the_missing_secret_makes_is_none(project: Project) -> None:
    project.write("roles/database/templates/etc/database/%i.cnf.j2", "{{ options.database.access.password | pem }}")
    assert files(project, "Beta", with_password=False)["/etc/database/database-1.cnf"].content is None


def test_a_wrong_password_is_one_clear_error(project: Project) -> None:
    project.password_file = project.directory / "wrong"
    project.write("wrong", "mistaken\n")
    with pytest.raises(Failed, match=r"^the vault password in .*/wrong does not fit the secrets of this installation$"):
        render(project.model(), project.decrypt())


def test_a_secret_that_is_not_what_the_option_allows_is_told_at_its_place_without_its_value(project: Project) -> None:
    project.write(
        "inventories/sample/options/suite.yml",
        f"database:\n  access:\n    password: !vault |\n{project.encrypt('abc')}",
    )
    with pytest.raises(InputRefused) as refused:
        render(project.model(), project.decrypt())
    (problem,) = refused.value.problems
    assert str(problem).startswith("options/suite.yml:3: database.access.password: the secret")
    assert "abc" not in str(problem)


def test_secrets_do_not_show_in_what_python_prints(project: Project) -> None:
    configuration = project.compile()
    assert "sesame" not in repr(configuration) + repr(render(project.model(), project.decrypt()))
