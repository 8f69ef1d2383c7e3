"""The resolved tree says each value once, with its level and its place in the source."""

from __future__ import annotations

from tests.sample.project import PASSWORD, Project


def test_values_are_written_where_they_differ_from_what_is_above(project: Project) -> None:
    project.write(
        "inventories/sample/options/suite/engines.yml", "engine: {listen: {clients: [198.18.1.0/24], port: 1812}}"
    )
    engine = project.compile().values("engine-1")
    assert engine["options"] == {
        "engine.listen.clients": [["198.18.1.0/24", "198.18.0.250/32"], "cluster", "options/suite/engines.yml:1"],
        "engine.listen.port": [1812, "cluster", "options/suite/engines.yml:1"],
        "engine.cards.notify_days": [14, "installation", "options/installation.yml:4"],
    }
    assert engine["environments"] == {
        "pb": {"engine.cards.notify_days": [10, "installation", "options/installation.yml:10"]}
    }


def test_where_an_instance_is_and_what_starts_before_it_is_in_the_tree(project: Project) -> None:
    tree = project.compile().tree()
    assert tree["instances"]["engine-2"]["server"] == "Beta"
    assert tree["instances"]["engine-2"]["address"] == "198.18.1.12"
    assert tree["servers"]["Beta"] == {"site": "here", "address": "198.18.0.12", "origin": "installation.yml:12"}
    assert tree["applications"]["engine"]["after"] == ["database"]
    assert tree["base"]["server.log.level"] == ["err", "installation", "options/installation.yml:2"]


def test_a_secret_is_a_digest_that_does_not_depend_on_how_it_was_encrypted(project: Project) -> None:
    def secret() -> object:
        return project.compile().values("database-1")["options"]["database.access.password"][0]

    before = secret()
    project.write(
        "inventories/sample/options/suite.yml",
        f"database:\n  access:\n    password: !vault |\n{project.encrypt(PASSWORD)}",
    )
    assert secret() == before
    project.write(
        "inventories/sample/options/suite.yml",
        f"database:\n  access:\n    password: !vault |\n{project.encrypt('another')}",
    )
    assert secret() != before
    sealed = project.compile(with_password=False).values("database-1")["options"]
    assert sealed["database.access.password"] == [None, "suite", "options/suite.yml:3"]
