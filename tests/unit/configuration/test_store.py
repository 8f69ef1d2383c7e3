"""A store gives back what was put in, and names what is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tandem.configuration import DirectoryStore
from tandem.configuration.clone import clone
from tandem.configuration.content import digest_of
from tandem.configuration.diff import unified
from tandem.errors import Failed
from tandem.plan import make
from tests.sample.project import Project


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def add(store: DirectoryStore, project: Project) -> int:
    configuration = project.compile()
    return store.add(configuration.record, configuration.blobs, {"author": "somebody", "comment": "first"})


def test_what_was_put_in_comes_back(project: Project, store: DirectoryStore) -> None:
    number = add(store, project)
    stored, compiled = store.configuration(number), project.compile()
    assert (store.active(), store.numbers()) == (number, [number])
    assert (stored.number, stored.installation, stored.digest) == (1, "sample", compiled.digest)
    assert stored.record["author"] == "somebody"
    assert stored.tree() == compiled.tree()
    assert stored.source() == compiled.source()
    assert stored.bundles == compiled.bundles
    assert all(stored.bundle(server) == compiled.bundle(server) for server in compiled.bundles)
    assert make(stored, compiled).empty


def test_numbers_go_on_and_the_first_stays_active(project: Project, store: DirectoryStore) -> None:
    assert [add(store, project), add(store, project)] == [1, 2]
    assert store.active() == 1


def test_nobody_else_may_read_a_store(project: Project, store: DirectoryStore) -> None:
    add(store, project)
    for path in (store.directory, *(file for file in store.directory.rglob("*") if file.is_file())):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_new_store_is_empty(store: DirectoryStore) -> None:
    assert (store.active(), store.numbers()) == (None, [])


def test_an_unknown_number_is_refused_with_those_that_are_there(project: Project, store: DirectoryStore) -> None:
    with pytest.raises(Failed, match="holds no configuration 7; it holds none at all"):
        store.configuration(7)
    add(store, project)
    with pytest.raises(Failed, match="holds no configuration 7; it holds 1"):
        store.configuration(7)


def test_a_damaged_blob_is_named(project: Project, store: DirectoryStore) -> None:
    stored = store.configuration(add(store, project))
    name = stored.bundles["Alpha"]
    path = store.directory / "blobs" / name[:2] / name
    path.write_bytes(path.read_bytes().replace(b"Alpha", b"Omega"))
    with pytest.raises(Failed, match=f"{path}: is damaged"):
        stored.bundle("Alpha")
    path.unlink()
    with pytest.raises(Failed, match=f"{path}: is missing"):
        stored.bundle("Alpha")


@pytest.mark.parametrize("damage", ["{", "[]", '{"number": 1}'])
def test_a_damaged_record_is_named(project: Project, store: DirectoryStore, damage: str) -> None:
    add(store, project)
    path = store.directory / "configurations" / "1.json"
    path.write_text(damage)
    with pytest.raises(Failed, match=f"{path}: is damaged"):
        store.configuration(1)


def test_a_record_with_another_bundle_is_damaged(project: Project, store: DirectoryStore) -> None:
    add(store, project)
    path = store.directory / "configurations" / "1.json"
    record = json.loads(path.read_text())
    record["bundles"]["Alpha"] = record["bundles"]["Beta"]
    path.write_text(json.dumps(record))
    with pytest.raises(Failed, match="its digest does not fit"):
        store.configuration(1)


def test_a_configuration_of_another_form_is_refused_in_words(project: Project, store: DirectoryStore) -> None:
    add(store, project)
    path = store.directory / "configurations" / "1.json"
    record = {**json.loads(path.read_text()), "format": 1}
    path.write_text(json.dumps({**record, "digest": digest_of(record)}))
    with pytest.raises(Failed, match="configuration 1 is stored in form 1, and this Tandem knows form 2"):
        store.configuration(1)


def test_a_damaged_active_number_is_named(store: DirectoryStore) -> None:
    store.directory.mkdir()
    (store.directory / "active").write_text("one")
    with pytest.raises(Failed, match="active: is damaged"):
        store.active()


def test_a_clone_compiles_to_the_same_bytes(project: Project, store: DirectoryStore) -> None:
    stored = store.configuration(add(store, project))
    project.write("inventories/sample/options/suite/engines/engine-2.yml", "engine: {log: {level: debug}}")
    assert clone(stored, project.directory / "again") == sorted(stored.source())
    project.inventory = project.directory / "again"
    again = project.compile()
    assert again.record == {name: value for name, value in stored.record.items() if name in again.record}


def test_a_clone_overwrites_nothing(project: Project) -> None:
    with pytest.raises(Failed, match="is not empty"):
        clone(project.compile(), project.inventory)
    with pytest.raises(Failed, match="cannot be written: Not a directory"):
        clone(project.compile(), project.inventory / "installation.yml" / "below")


def test_a_diff_shows_text_and_never_a_secret(project: Project) -> None:
    old = project.compile()
    project.write("roles/engine/files/etc/engine/notes.txt", "Nothing at all.\n")
    project.edit("roles/database/templates/etc/database/%i.cnf.j2", "bind-address", "address")
    (project.roles / "base/files/usr/lib/tandem/record").write_bytes(b"\xff\xfe")
    plan = make(old, project.compile())
    notes = "Alpha, Beta:/etc/engine/notes.txt"
    assert unified(plan.files, plan.old, plan.new) == [
        f"--- {notes}",
        f"+++ {notes}",
        "@@ -1 +1 @@",
        "-Nothing to see.",
        "+Nothing at all.",
        "Alpha, Beta, Gamma, Omega:/usr/lib/tandem/record: is not text; its content is not shown",
        "Beta:/etc/database/database-1.cnf: holds secrets; its content is not shown",
    ]


def test_a_diff_of_another_mode_says_so(project: Project) -> None:
    old = project.compile()
    project.edit("roles/base/meta/application.yml", '{mode: "0755", effect: none}', '{mode: "0700", effect: none}')
    plan = make(old, project.compile())
    assert unified(plan.files, plan.old, plan.new) == [
        "Alpha, Beta, Gamma, Omega:/usr/lib/tandem/record: root:root 0755 → root:root 0700"
    ]
