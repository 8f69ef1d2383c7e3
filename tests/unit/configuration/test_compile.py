"""Compiling is pure: the same source gives the same bytes, and each bundle holds all that its server needs."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tandem import server_program
from tandem.configuration import Configuration, compile_model
from tandem.configuration.bundle import File, Link, Unit, from_json
from tandem.configuration.canonical import canonical, digest
from tandem.configuration.units import additions
from tandem.errors import InputRefused
from tandem.model import load
from tests.sample.project import PASSWORD, Project

DIGESTS = """
import sys
from pathlib import Path
from tests.sample.project import Project
project = Project.__new__(Project)
project.inventory, project.roles, project.password_file = (Path(path) for path in sys.argv[1:])
configuration = project.compile()
print(configuration.digest, *sorted(configuration.blobs))
"""


def compiled_elsewhere(project: Project, inventory: Path, roles: Path, seed: str) -> str:
    """Compile in another process, with another order of hashes."""
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS, inventory, roles, project.password_file],
        env={**project.environment, "PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def shuffled_copy(directory: Path, to: Path, order: random.Random) -> Path:
    """Copy a directory, creating its files in another order."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    order.shuffle(files)
    for file in files:
        target = to / file.relative_to(directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return to


def test_the_same_source_gives_the_same_bytes(project: Project, tmp_path: Path) -> None:
    here = project.compile()
    expected = " ".join([here.digest, *sorted(here.blobs)]) + "\n"
    for seed in ("0", "1", "4294967295"):
        order = random.Random(seed)  # noqa: S311 - an order, no secret
        inventory = shuffled_copy(project.inventory, tmp_path / seed / "sample", order)
        roles = shuffled_copy(project.roles, tmp_path / seed / "roles", order)
        assert compiled_elsewhere(project, inventory, roles, seed) == expected


def test_compiling_twice_gives_the_same(project: Project) -> None:
    first, second = project.compile(), project.compile()
    assert (first.record, first.blobs) == (second.record, second.blobs)


def test_the_order_of_instances_and_options_does_not_reach_the_bundles(project: Project) -> None:
    before = project.compile()
    project.edit(
        "inventories/sample/installation.yml",
        "      engine-1: {server: Alpha, address: 198.18.1.11}\n      engine-2: {server: Beta, address: 198.18.1.12}\n",
        "      engine-2: {server: Beta, address: 198.18.1.12}\n      engine-1: {server: Alpha, address: 198.18.1.11}\n",
    )
    after = project.compile()
    assert after.bundles == before.bundles
    assert after.digest != before.digest


def test_every_blob_is_named_by_its_content_and_everything_named_is_there(project: Project) -> None:
    configuration = project.compile()
    assert all(digest(data) == name for name, data in configuration.blobs.items())
    named = {configuration.record["tree"], *configuration.resolved.values(), *configuration.bundles.values()}
    named |= set(configuration.record["source"].values())
    named |= {file.digest for file in files(configuration) if isinstance(file, File) and file.digest}
    assert named == set(configuration.blobs)


def files(configuration: Configuration) -> list[File | Link]:
    return [file for server in configuration.bundles for file in configuration.bundle(server).files]


def test_a_bundle_reads_back_as_it_was_written(project: Project) -> None:
    configuration = project.compile()
    for server, name in configuration.bundles.items():
        written = configuration.blobs[name]
        assert from_json(json.loads(written)) == configuration.bundle(server)
        assert canonical(json.loads(written)) == written
        assert written.isascii()


def test_a_bundle_holds_files_links_addresses_units_and_validators_in_order(project: Project) -> None:
    bundle = json.loads(project.compile().bundle("Beta").encoded())
    paths = [file["path"] for file in bundle["files"]]
    assert paths == sorted(paths)
    assert [address["address"] for address in bundle["addresses"]] == ["198.18.1.12", "198.18.1.21"]
    assert [unit["name"] for unit in bundle["units"]] == [
        "nftables.service",
        "ssh.service",
        "database@database-1.service",
        "engine@engine-2.service",
        "engine-helper@engine-2.service",
    ]
    assert [validator["name"] for validator in bundle["validators"]] == ["engine engine-2", "nft"]
    assert bundle["management"] == {
        "address": "198.18.0.12",
        "prefix": 24,
        "interface": "eth0",
        "gateway": "198.18.0.1",
    }


def test_a_unit_has_the_files_of_its_instance_as_inputs_and_not_those_of_other_units(project: Project) -> None:
    units = {unit.name: unit for unit in project.compile().bundle("Beta").units}
    engine = units["engine@engine-2.service"]
    assert engine.restart == (
        "/etc/engine/common.conf",
        "/etc/engine/engine-2/database.conf",
        "/etc/engine/engine-2/engine.conf",
        "/etc/systemd/system/engine@.service",
        "/etc/systemd/system/engine@engine-2.service.d/tandem.conf",
    )
    assert engine.reload == ("/etc/engine/engine-2/limits.conf",)
    assert engine.addresses == ("198.18.1.12",)
    assert engine.health is not None
    assert engine.health.command == ("/usr/lib/engine/health", "engine-2")
    assert units["nftables.service"].reload == ("/etc/nftables.conf",)
    assert units["ssh.service"].reload == ()


def test_tandem_adds_the_list_of_inputs_the_drop_in_the_link_and_the_server_program(project: Project) -> None:
    configuration = project.compile()
    found = {file.path: file for file in configuration.bundle("Beta").files}

    def content(path: str) -> bytes:
        file = found[path]
        assert isinstance(file, File)
        assert file.digest is not None
        return configuration.blob(file.digest)

    assert content("/etc/tandem/units/database@database-1.service").decode() == (
        "restart /etc/database/database-1.cnf\nrestart /etc/systemd/system/database@database-1.service.d/tandem.conf\n"
    )
    assert content("/etc/systemd/system/nftables.service.d/tandem.conf").decode() == (
        "[Service]\nExecStartPre=+/usr/lib/tandem/record start %n\nExecReload=+/usr/lib/tandem/record reload %n\n"
    )
    wants = "/etc/systemd/system/tandem.target.wants"
    assert found[f"{wants}/engine@engine-2.service"] == Link(
        f"{wants}/engine@engine-2.service", "/etc/systemd/system/engine@.service"
    )
    assert found[f"{wants}/ssh.service"] == Link(f"{wants}/ssh.service", "/lib/systemd/system/ssh.service")
    assert content(server_program.PATH) == server_program.build()


def test_a_socket_records_what_it_starts_with_and_a_timer_has_nothing_to_record() -> None:
    socket, timer = (Unit(name, None, 0, ("/etc/one",), (), 10, (), None) for name in ("engine.socket", "engine.timer"))
    assert additions(socket, licensed=False) == {
        "/etc/tandem/units/engine.socket": "restart /etc/one\n",
        "/etc/systemd/system/engine.socket.d/tandem.conf": (
            "[Socket]\nExecStartPre=+/usr/lib/tandem/record start %n\n"
        ),
    }
    assert additions(timer, licensed=False) == {}


def test_what_the_license_counts_asks_before_it_starts() -> None:
    unit = Unit("engine@engine-1.service", "engine-1", 0, (), (), 10, (), None)
    drop_in = additions(unit, licensed=True)["/etc/systemd/system/engine@engine-1.service.d/tandem.conf"]
    guard = "ExecStartPre=+/usr/bin/python3 -IS /usr/lib/tandem/server.pyz guard engine-1\n"
    assert drop_in.startswith(f"[Service]\n{guard}ExecStartPre=+/usr/lib/tandem/record")


def test_a_unit_that_tandem_replaces_cannot_start_on_any_server(project: Project) -> None:
    configuration = project.compile()
    mask = Link("/etc/systemd/system/engine.service", "/dev/null")
    assert all(mask in configuration.bundle(server).files for server in configuration.bundles)


def test_an_instance_on_the_management_address_of_its_server_brings_no_address(project: Project) -> None:
    assert project.compile().bundle("Omega").addresses == ()


def test_instances_of_a_server_that_share_an_address_bring_it_once(project: Project) -> None:
    project.edit("inventories/sample/installation.yml", "address: 198.18.1.21", "address: 198.18.1.12")
    assert [address.address for address in project.compile().bundle("Beta").addresses] == ["198.18.1.12"]


def test_a_path_that_two_roles_write_is_refused(project: Project) -> None:
    project.edit("roles/engine/meta/application.yml", "files:\n", "files:\n  etc/hosts: {}\n")
    project.write("roles/engine/files/etc/hosts", "")
    with pytest.raises(InputRefused, match="Alpha: /etc/hosts would be written twice"):
        project.compile()


def test_applications_that_start_after_each_other_are_refused(project: Project) -> None:
    project.edit("roles/database/meta/application.yml", "suite: suite\n", "suite: suite\nafter: [engine]\n")
    with pytest.raises(InputRefused, match="after: goes in a circle"):
        project.compile()


def test_secrets_are_only_in_the_files_that_need_them(project: Project) -> None:
    configuration = project.compile()
    ciphertext = (project.inventory / "options/suite.yml").read_text().split()[6].encode()
    inside = {name for name, data in configuration.blobs.items() if b"sesame" in data}
    assert inside == configuration.secret_blobs
    assert {name for name, data in configuration.blobs.items() if ciphertext in data} == {
        configuration.record["source"]["options/suite.yml"]
    }
    values = [configuration.values(instance) for instance in configuration.resolved]
    assert PASSWORD not in json.dumps([configuration.tree(), *values])


def test_without_a_password_what_is_open_is_named_in_the_record(project: Project) -> None:
    configuration = project.compile(with_password=False)
    needed = ["database.access.password"]
    assert configuration.unreadable == {
        "Alpha": {"/etc/engine/engine-1/database.conf": needed},
        "Beta": {"/etc/database/database-1.cnf": needed, "/etc/engine/engine-2/database.conf": needed},
    }
    assert configuration.secret_blobs == frozenset()
    assert configuration.digest != project.compile().digest
    assert "unreadable" not in project.compile().record


def test_the_inventories_of_the_project_compile(root: Path) -> None:
    for name in ("example", "small", "vendor"):
        model = load(root / "inventories" / name, root / "roles")
        assert set(compile_model(model, None).bundles) == set(model.installation.servers)
