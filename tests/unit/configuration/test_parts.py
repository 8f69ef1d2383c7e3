"""The cache never shows in what is compiled: cold, warm, absent, damaged and shared it gives the same bytes."""

from __future__ import annotations

import random
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem import cache, server_program
from tandem.configuration import Configuration, compile_model, parts
from tandem.configuration.canonical import digest
from tandem.configuration.part import Part, decoded
from tandem.errors import InputRefused
from tandem.model import outline
from tests.sample.project import PASSWORD, Project

OPTIONS = "inventories/sample/options"
DIGESTS = """
import sys
from pathlib import Path
from tests.sample.project import Project
project = Project.__new__(Project)
project.inventory, project.roles, project.password_file = (Path(path) for path in sys.argv[1:])
print(project.compile().digest)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache of its own, and tell where it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home/tandem/compiled"


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Name the servers whose parts are made, and do not come from the cache."""
    servers: list[str] = []
    part = parts._Maker.part

    def noted(self: parts._Maker, server: str) -> Part:
        servers.append(server)
        return part(self, server)

    monkeypatch.setattr(parts._Maker, "part", noted)
    return servers


def compiled(project: Project, *, with_password: bool = True) -> Configuration:
    decrypt = project.decrypt() if with_password else None
    return compile_model(outline(project.inventory, project.roles), decrypt)


def entries(home: Path) -> list[Path]:
    return sorted(path for path in home.iterdir() if path.is_file())


@pytest.mark.parametrize("with_password", [True, False])
def test_cold_warm_and_absent_give_the_same_bytes(
    project: Project, made: list[str], absent: Callable[[], None], with_password: bool
) -> None:
    cold = compiled(project, with_password=with_password)
    assert sorted(made) == sorted(cold.bundles)
    made.clear()
    warm = compiled(project, with_password=with_password)
    assert made == []
    absent()
    without = compiled(project, with_password=with_password)
    assert (cold.record, cold.blobs) == (warm.record, warm.blobs) == (without.record, without.blobs)


@pytest.mark.parametrize(("now_and_then", "full"), [("", False), ("never", True)])
def test_who_makes_one_of_some_parts_looks_whether_too_much_is_kept(
    project: Project, home: Path, monkeypatch: pytest.MonkeyPatch, now_and_then: str, full: bool
) -> None:
    monkeypatch.setattr(cache, "LARGEST", 0)
    monkeypatch.setattr(parts, "NOW_AND_THEN", now_and_then)
    project.compile()
    assert any(home.iterdir()) == full


def test_what_was_kept_without_a_password_serves_with_one_and_the_other_way_round(project: Project) -> None:
    closed, whole = compiled(project, with_password=False), compiled(project)
    assert compiled(project, with_password=False).record == closed.record
    assert whole.record == project.compile().record
    assert "unreadable" in closed.record
    assert "unreadable" not in whole.record


def test_nothing_secret_is_in_the_cache(project: Project, home: Path) -> None:
    configuration = compiled(project)
    sealed = str(configuration.values("database-1")["options"]["database.access.password"][0])
    assert len(sealed) == 64
    files = [configuration.blobs[name] for name in configuration.secret_blobs]
    assert files
    for path in entries(home):
        data = path.read_bytes()
        assert not any(secret in data for secret in (PASSWORD.encode(), sealed.encode(), b"sesame", *files))
        assert not any(name.encode() in data for name in configuration.secret_blobs)


EDITS = {
    "an option of an instance": lambda project: project.write(
        f"{OPTIONS}/suite/engines/engine-2.yml", "engine: {log: {level: debug}}"
    ),
    "an option of a cluster": lambda project: project.write(
        f"{OPTIONS}/suite/engines.yml", "engine: {log: {level: debug}}"
    ),
    "an option of the installation": lambda project: project.edit(f"{OPTIONS}/installation.yml", "14", "15"),
    "a line of the installation's options": lambda project: project.edit(
        f"{OPTIONS}/installation.yml", "server:", "# a comment\nserver:"
    ),
    "an address": lambda project: project.edit(
        "inventories/sample/installation.yml", "address: 198.18.1.12}", "address: 198.18.1.13}"
    ),
    "a template": lambda project: project.edit(
        "roles/database/templates/etc/database/%i.cnf.j2", "bind-address", "address"
    ),
    "a copied file": lambda project: project.write("roles/engine/files/etc/engine/notes.txt", "Nothing at all.\n"),
    "a declaration": lambda project: project.edit(
        "roles/base/meta/application.yml", '{mode: "0755", effect: none}', '{mode: "0700", effect: none}'
    ),
    "a default": lambda project: project.edit("roles/engine/meta/options.yml", "default: 1812", "default: 1813"),
}
"""Everything that a part depends on, and a change of it that shows."""


@pytest.mark.parametrize("what", EDITS)
def test_whatever_a_part_depends_on_makes_another_one(project: Project, absent: Callable[[], None], what: str) -> None:
    before = compiled(project)
    EDITS[what](project)
    after = compiled(project)
    absent()
    assert after.digest == compiled(project).digest != before.digest


def test_another_program_shares_nothing(project: Project, made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for change in (
        lambda: None,
        lambda: monkeypatch.setattr(cache, "program", lambda: b"another"),
        lambda: monkeypatch.setattr(server_program, "build", lambda: b"another"),
        lambda: monkeypatch.setattr("jinja2.__version__", "another"),
    ):
        change()
        made.clear()
        compiled(project)
        assert len(made) == 4


def test_only_the_server_of_a_changed_instance_is_made_again(project: Project, made: list[str]) -> None:
    compiled(project)
    made.clear()
    EDITS["an option of an instance"](project)
    compiled(project)
    assert made == ["Beta"]


def test_a_server_is_made_again_when_an_instance_changes_whose_options_its_files_read(
    project: Project, made: list[str]
) -> None:
    project.write(
        "roles/base/templates/usr/lib/tandem/record.j2",
        '{% for each in peers("engine") %}{{ each.options.engine.log.level }}{% endfor %}\n',
    )
    first = compiled(project)
    made.clear()
    EDITS["an option of an instance"](project)
    second = compiled(project)
    assert sorted(made) == sorted(first.bundles)
    assert all(first.bundles[server] != second.bundles[server] for server in first.bundles)


def damaged(data: bytes, random: random.Random) -> bytes:
    turn = random.randrange(4)
    place = random.randrange(len(data))
    return [b"", data[:place], data + b"x", data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]][turn]


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_entry_is_noticed_and_made_again(project: Project, home: Path, made: list[str], seed: int) -> None:
    expected = compiled(project)
    made.clear()
    chance = random.Random(seed)  # noqa: S311
    for path in entries(home):
        path.write_bytes(damaged(path.read_bytes(), chance))
    again = compiled(project)
    assert (again.record, again.blobs) == (expected.record, expected.blobs)
    assert sorted(made) == sorted(expected.bundles)
    made.clear()
    compiled(project)
    assert made == []


def test_several_processes_make_the_same_as_one(
    project: Project, monkeypatch: pytest.MonkeyPatch, home: Path, made: list[str]
) -> None:
    expected = project.compile()
    monkeypatch.setattr(parts, "WORTH_SHARING", 1)
    monkeypatch.setattr(parts, "_processors", lambda: 3)
    for path in entries(home):
        path.unlink()
    made.clear()
    shared = compiled(project)
    assert made == []
    assert (shared.record, shared.blobs) == (expected.record, expected.blobs)
    assert compiled(project, with_password=False).record == project.compile(with_password=False).record


def test_several_processes_say_the_same_of_mistakes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_processors", lambda: 3)
    changes = [
        lambda: project.edit("roles/database/templates/etc/database/%i.cnf.j2", "bind-address", "{{ nothing }}"),
        lambda: project.write(f"{OPTIONS}/suite/engines/engine-2.yml", "engine: {log: {levl: debug}}"),
        lambda: project.write(f"{OPTIONS}/suite/engines.yml", "engine: {listen: {port: much}}"),
    ]
    for change in changes:
        change()
        found = []
        for worth in (1, 1000):
            monkeypatch.setattr(parts, "WORTH_SHARING", worth)
            with pytest.raises(InputRefused) as refused:
                compiled(project)
            found.append(str(refused.value))
        assert found[0] == found[1]


def test_a_model_that_was_not_checked_is_refused_with_everything_that_is_wrong(project: Project) -> None:
    project.write(f"{OPTIONS}/suite/engines/engine-1.yml", "engine: {log: {levl: debug}}")
    project.write(f"{OPTIONS}/suite/engines/engine-2.yml", "engine: {listen: {port: much}}")
    project.write(f"{OPTIONS}/suite/nowhere.yml", "engine: {listen: {port: 1}}")
    with pytest.raises(InputRefused) as refused:
        compiled(project)
    with pytest.raises(InputRefused) as checked:
        project.model()
    assert str(refused.value) == str(checked.value)
    assert len(refused.value.problems) == 3


def test_a_mistake_is_told_again_however_warm_the_cache_is(project: Project) -> None:
    compiled(project)
    project.write(f"{OPTIONS}/suite/engines/engine-2.yml", "engine: {log: {levl: debug}}")
    for _ in range(2):
        with pytest.raises(InputRefused, match=r"engine-2\.yml:1: engine\.log\.levl is not an option"):
            compiled(project)


def test_a_firewall_that_shuts_managers_out_is_told_of_again(project: Project) -> None:
    project.edit("roles/base/meta/application.yml", "clients: [controllers, ", "clients: [")
    for _ in range(2):
        with pytest.raises(InputRefused, match="its firewall would shut out"):
            compiled(project)


def test_several_programs_can_use_the_cache_at_once(project: Project) -> None:
    words = [sys.executable, "-c", DIGESTS, project.inventory, project.roles, project.password_file]
    surroundings = {**project.environment, "PYTHONPATH": ":".join(sys.path)}
    started = [subprocess.Popen(words, env=surroundings, stdout=subprocess.PIPE) for _ in range(3)]
    found = {program.communicate()[0] for program in started}
    assert found == {f"{compiled(project).digest}\n".encode()}
    assert [program.returncode for program in started] == [0, 0, 0]


@given(
    st.dictionaries(st.text(), st.text()),
    st.dictionaries(st.text(), st.integers(1, 9)),
    st.dictionaries(st.text(), st.lists(st.text())),
    st.lists(st.text()),
    st.lists(st.binary()),
)
def test_a_part_reads_back_as_it_was_written(
    values: dict[str, str],
    batches: dict[str, int],
    unreadable: dict[str, list[str]],
    names: list[str],
    contents: list[bytes],
) -> None:
    blobs = {digest(data): data for data in contents}
    part = Part(
        "bundle",
        values,
        batches,
        {"billing-1": {"cluster": True, "engines": 3}},
        unreadable,
        names,
        names[1:],
        "as read",
        blobs,
    )
    again = decoded(part.head, lambda: part.body)
    assert dict(again.blobs) == blobs
    assert replace(again, blobs=blobs) == part


def test_what_is_gone_from_the_cache_when_it_is_asked_for_is_made_again(project: Project, home: Path) -> None:
    expected = dict(compiled(project).blobs)
    warm = compiled(project, with_password=False)
    whole = dict(project.compile(with_password=False).blobs)
    for number, path in enumerate(entries(home)):
        path.unlink() if number % 2 else path.write_bytes(b"damaged")
    assert dict(warm.blobs) == whole
    assert dict(compiled(project).blobs) == expected


def test_nobody_else_may_look_into_the_cache(project: Project, home: Path) -> None:
    compiled(project)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
