"""What a plan shows: exactly what changes in effect, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tandem.configuration import Configuration
from tandem.errors import InputRefused
from tandem.plan import Step, make
from tandem.plan.report import lines
from tests.sample.project import PASSWORD, Project

ENGINE_2 = "inventories/sample/options/suite/engines/engine-2.yml"
OPTIONS = "inventories/sample/options/installation.yml"
INSTALLATION = "inventories/sample/installation.yml"

# in another process, with another order of hashes
PLAN = """
import json, sys
from pathlib import Path
from tandem.plan import make
from tests.sample.project import Project
project = Project.__new__(Project)
old, new, project.roles, project.password_file = (Path(path) for path in sys.argv[1:])
compiled = []
for project.inventory in (old, new):
    compiled.append(project.compile())
print(json.dumps(make(*compiled).to_json()))
"""


def files(old: Configuration, new: Configuration) -> list[tuple[str, str, str]]:
    return [(file.server, file.path, file.change) for file in make(old, new).files]


def test_one_option_of_one_instance_is_that_option_that_file_and_that_unit(project: Project) -> None:
    project.write("roles/engine/templates/etc/engine/common.conf.j2", "")
    old = project.compile()
    project.write(ENGINE_2, "engine:\n  log:\n    level: error\n  limits:\n    sessions: 60\n")
    plan = make(old, project.compile())
    (option,) = plan.options
    assert (option.option, option.old, option.new, option.unit) == ("engine.limits.sessions", 7200, 60, "s")
    assert (option.instances, option.origin) == (("engine-2",), "options/suite/engines/engine-2.yml:5")
    assert [(file.server, file.path, file.change) for file in plan.files] == [
        ("Beta", "/etc/engine/engine-2/limits.conf", "changed")
    ]
    assert {(unit.unit, unit.action, unit.because) for unit in plan.units} == {
        ("engine@engine-2.service", "reload", ("/etc/engine/engine-2/limits.conf",)),
        ("engine-helper@engine-2.service", "reload", ("/etc/engine/engine-2/limits.conf",)),
    }
    assert plan.touched == ["Beta"]
    assert not plan.instances
    assert not plan.addresses


def test_a_comment_another_order_and_a_value_equal_to_the_inherited_one_change_nothing(project: Project) -> None:
    old = project.compile()
    project.write(ENGINE_2, "# a comment\nengine:\n  limits: {sessions: 7200}\n  log:\n    level: error\n")
    new = project.compile()
    assert old.digest != new.digest
    plan = make(old, new)
    assert plan.empty
    assert lines(plan.to_json()) == [
        "  Nothing changes: in effect the two are the same.",
        "  edited, without effect:",
        "      engine.limits.sessions     options/suite/engines/engine-2.yml:3: equal to the default",
    ]


def test_a_unit_restarts_for_its_own_unit_file_and_not_for_that_of_another(project: Project) -> None:
    old = project.compile()
    project.write("roles/engine/files/etc/systemd/system/engine-helper@.service", "[Service]\nExecStart=/bin/true\n")
    plan = make(old, project.compile())
    assert {unit.unit for unit in plan.units} == {"engine-helper@engine-1.service", "engine-helper@engine-2.service"}
    assert {unit.action for unit in plan.units} == {"restart"}


def test_mode_and_owner_restart_nothing_and_a_file_without_effect_neither(project: Project) -> None:
    old = project.compile()
    project.edit("roles/engine/meta/application.yml", '{mode: "0640", group: engine}', '{mode: "0600"}')
    project.write("roles/engine/files/etc/engine/notes.txt", "Other notes.\n")
    plan = make(old, project.compile())
    assert {file.path for file in plan.files} == {
        "/etc/engine/engine-1/database.conf",
        "/etc/engine/engine-2/database.conf",
        "/etc/engine/notes.txt",
    }
    assert not plan.units


def test_a_value_of_one_environment_shows_with_its_name_and_not_in_the_others(project: Project) -> None:
    old = project.compile()
    project.edit(OPTIONS, "cards: {notify_days: 10}", "cards: {notify_days: 9}")
    (option,) = make(old, project.compile()).options
    assert (option.environment, option.old, option.new, option.instances) == ("pb", 10, 9, ("engine-1", "engine-2"))


def test_a_global_value_shows_once_and_not_where_an_environment_has_its_own(project: Project) -> None:
    old = project.compile()
    project.edit(OPTIONS, "cards: {notify_days: 14}", "cards: {notify_days: 20}")
    (option,) = make(old, project.compile()).options
    assert (option.environment, option.old, option.new) == (None, 14, 20)


def test_a_global_value_nearer_to_the_instance_beats_that_of_an_environment_above(project: Project) -> None:
    old = project.compile()
    project.write(ENGINE_2, "engine:\n  cards: {notify_days: 14}\n  log:\n    level: error\n")
    (option,) = make(old, project.compile()).options
    assert (option.environment, option.old, option.new, option.instances) == ("pb", 10, 14, ("engine-2",))
    assert option.origin == "options/suite/engines/engine-2.yml:2"


def test_an_environment_that_loses_its_own_value_shows_what_it_inherits(project: Project) -> None:
    old = project.compile()
    project.edit(OPTIONS, "cards: {notify_days: 10}", "cards: {}")
    (option,) = make(old, project.compile()).options
    assert (option.environment, option.old, option.new) == ("pb", 10, 14)


def test_a_changed_default_shows_on_every_instance_that_has_it(project: Project) -> None:
    old = project.compile()
    project.edit("roles/engine/meta/options.yml", "default: 7200", "default: 3600")
    (option,) = make(old, project.compile()).options
    assert (option.old, option.new, option.origin) == (7200, 3600, "the default")
    assert option.instances == ("engine-1", "engine-2")


def test_an_option_of_the_base_has_no_instances(project: Project) -> None:
    old = project.compile()
    project.edit(OPTIONS, "log: {level: err}", "log: {level: info}")
    plan = make(old, project.compile())
    (option,) = plan.options
    assert (option.option, option.instances) == ("server.log.level", ())
    assert {file.path for file in plan.files} == {"/etc/hosts"}
    assert len(plan.touched) == 4


def test_a_moved_instance_leaves_nothing_and_its_address_is_free_before_it_is_taken(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    plan = make(old, project.compile())
    (move,) = plan.instances
    assert move.old is not None
    assert move.new is not None
    assert (move.old.server, move.new.server, move.origin) == ("Alpha", "Gamma", "installation.yml:28")
    assert [(each.address, each.old, each.new) for each in plan.addresses] == [("198.18.1.11", "Alpha", "Gamma")]
    assert not [file for file in plan.new.bundle("Alpha").files if "engine-1" in file.path]
    assert [(unit.unit, unit.action) for unit in plan.units if unit.server == "Alpha"] == [
        ("engine-helper@engine-1.service", "stop"),
        ("engine@engine-1.service", "stop"),
        ("nftables.service", "reload"),
    ]
    waves = [[step.server for step in wave.servers] for wave in plan.waves]
    assert waves == [["Omega"], ["Beta"], ["Alpha"], ["Gamma"]]


def test_servers_of_one_cluster_are_taken_one_after_the_other_and_the_others_together(project: Project) -> None:
    old = project.compile()
    project.edit(
        "roles/engine/meta/options.yml",
        "type: choice, choices: [error, info, debug], default: info",
        "type: choice, choices: [error, info, debug], default: debug",
    )
    project.write(ENGINE_2, "")
    waves = [[step.server for step in wave.servers] for wave in make(old, project.compile()).waves]
    assert waves == [["Beta", "Gamma", "Omega"], ["Alpha"]], (
        "a configuration server that stays as it is waits for nobody"
    )


def test_the_server_that_lets_a_client_in_comes_before_the_client(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "address: 198.18.1.11", "address: 198.18.1.31")
    plan = make(old, project.compile())
    order = [step.server for wave in plan.waves for step in wave.servers]
    assert order.index("Beta") < order.index("Alpha")


def test_swapped_servers_are_planned_with_an_address_held_back(project: Project) -> None:
    project.edit(INSTALLATION, "engine-2: {server: Beta,", "engine-2: {server: Gamma,")
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    project.edit(INSTALLATION, "engine-2: {server: Gamma,", "engine-2: {server: Alpha,")
    steps = [step for wave in make(old, project.compile()).waves for step in wave.servers]
    assert [step for step in steps if step.server in ("Alpha", "Gamma")] == [
        Step("Alpha", ("198.18.1.12",), ("engine-1",)),
        Step("Gamma", (), ("engine-1", "engine-2")),
        Step("Alpha", (), ("engine-2",)),
    ]


def test_servers_that_are_already_on_the_new_configuration_are_not_touched_again(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    new = project.compile()
    plan = make(old, new, {"Alpha": new, "Beta": new, "Omega": new})
    assert plan.touched == ["Gamma"]
    assert [(each.address, each.old, each.new) for each in plan.addresses] == [("198.18.1.11", None, "Gamma")]


def test_a_secret_shows_only_that_it_changed(project: Project) -> None:
    old = project.compile()
    other = project.encrypt("another secret")
    project.write("inventories/sample/options/suite.yml", f"database:\n  access:\n    password: !vault |\n{other}")
    plan = make(old, project.compile())
    text = json.dumps(plan.to_json()) + "\n".join(lines(plan.to_json()))
    assert "database.access.password" in text
    assert "changes (secret)" in text
    for secret in (PASSWORD, "another secret", *(str(tree) for tree in digests(old) + digests(plan.new))):
        assert secret not in text


def digests(configuration: object) -> list[str]:
    values = configuration.values("database-1")  # type: ignore[attr-defined]
    return [values["options"]["database.access.password"][0]]


def test_a_secret_encrypted_anew_changes_nothing(project: Project) -> None:
    old = project.compile()
    again = project.encrypt(PASSWORD)
    project.write("inventories/sample/options/suite.yml", f"database:\n  access:\n    password: !vault |\n{again}")
    assert make(old, project.compile()).empty


def test_without_a_password_what_could_not_be_compared_is_named_and_the_rest_is_planned(project: Project) -> None:
    old = project.compile()
    plan = make(old, project.compile(with_password=False))
    assert plan.empty
    assert {(entry["server"], entry["path"]) for entry in plan.unreadable} == {
        ("Alpha", "/etc/engine/engine-1/database.conf"),
        ("Beta", "/etc/engine/engine-2/database.conf"),
        ("Beta", "/etc/database/database-1.cnf"),
    }
    assert all(entry["options"] == ["database.access.password"] for entry in plan.unreadable)
    assert any("database.access.password" in line for line in lines(plan.to_json()))
    project.write(ENGINE_2, "engine: {log: {level: debug}}")
    assert make(old, project.compile(with_password=False)).touched == ["Beta"]


def test_the_first_plan_sets_up_every_server(project: Project) -> None:
    plan = make(None, project.compile())
    assert [change.name for change in plan.servers] == plan.touched == ["Alpha", "Beta", "Gamma", "Omega"]
    assert {unit.action for unit in plan.units} == {"start"}
    assert not plan.options
    assert "  Alpha is new, at 198.18.0.11: 24 files, 4 units     installation.yml:11" in lines(plan.to_json())


def test_another_management_address_is_shown_and_followed_everywhere(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "address: 198.18.0.13", "address: 198.18.0.14")
    plan = make(old, project.compile())
    (change,) = plan.servers
    assert (change.name, change.old, change.new) == ("Gamma", "198.18.0.13", "198.18.0.14")
    assert plan.touched == ["Alpha", "Beta", "Gamma", "Omega"]
    assert "198.18.0.13" not in "".join(
        plan.new.blob(file.digest).decode()
        for file in plan.new.bundle("Alpha").files
        if file.path.startswith("/etc") and getattr(file, "digest", None)
    )


def test_an_instance_that_only_a_server_on_its_way_has_is_stopped_there(project: Project) -> None:
    """A run to a configuration with it did not end, and what is wanted now never had it."""
    wanted = project.compile()
    added = "engine-2: {server: Beta, address: 198.18.1.12}\n      engine-3: {server: Gamma, address: 198.18.1.13}"
    project.edit(INSTALLATION, "engine-2: {server: Beta, address: 198.18.1.12}", added)
    plan = make(wanted, wanted, {"Gamma": project.compile()})
    assert plan.touched == ["Gamma"]
    assert {(unit.unit, unit.action) for unit in plan.units if unit.instance} == {
        ("engine@engine-3.service", "stop"),
        ("engine-helper@engine-3.service", "stop"),
    }
    [steps] = [wave["steps"] for wave in plan.to_json()["waves"] if wave["label"] == "Gamma"]
    assert [step["instances"] for step in steps if step["server"] == "Gamma"] == [["engine-3"]]


def test_what_a_run_that_died_has_taken_away_is_back_before_its_cluster_is_interrupted(project: Project) -> None:
    """engine-2 was on its way to Gamma, where the run died; now it shall stay on Beta, and engine-1 restart."""
    old = project.compile()
    project.edit(INSTALLATION, "engine-2: {server: Beta,", "engine-2: {server: Gamma,")
    moved = project.compile()
    project.edit(INSTALLATION, "engine-2: {server: Gamma,", "engine-2: {server: Beta,")
    project.write("inventories/sample/options/suite/engines/engine-1.yml", "engine: {log: {level: error}}\n")
    plan = make(old, project.compile(), {"Beta": moved, "Gamma": moved}, doubtful=["Gamma"])
    order = [step.server for wave in plan.waves for step in wave.servers if step.instances]
    assert order == ["Gamma", "Beta", "Alpha"]
    kept = [each.keeps for wave in plan.redundancy() for each in wave if each.cluster == "engines"]
    assert kept == [1, 1]


def test_what_half_a_move_has_taken_away_is_back_before_its_cluster_is_interrupted(project: Project) -> None:
    """engine-1 has left Alpha and not come to Gamma; engine-2 restarts, and is all that serves until then."""
    project.edit(INSTALLATION, "database-1: {server: Beta,", "database-1: {server: Alpha,")
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    project.write(ENGINE_2, "engine: {log: {level: error}}\n")
    new = project.compile()
    plan = make(old, new, {"Alpha": new})
    order = [step.server for wave in plan.waves for step in wave.servers if step.instances]
    assert order == ["Gamma", "Beta"]
    assert [each.keeps for wave in plan.redundancy() for each in wave if each.cluster == "engines"] == [1]


def test_what_goes_to_a_server_that_is_left_out_goes_last(project: Project) -> None:
    project.edit(INSTALLATION, "database-1: {server: Beta,", "database-1: {server: Gamma,")
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    project.write(ENGINE_2, "")
    plan = make(old, project.compile(), without=["Gamma"])
    assert [step.server for wave in plan.waves for step in wave.servers if step.instances] == ["Beta", "Alpha"]
    kept = [[each.keeps for each in wave if each.cluster == "engines"] for wave in plan.redundancy()]
    assert [keeps for keeps in kept if keeps] == [[1], [1]]


def test_an_instance_that_was_moved_away_from_a_server_left_out_counts_where_it_is(project: Project) -> None:
    """Gamma still has engine-1 as it was, and is away again; both engines restart."""
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    before = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Gamma,", "engine-1: {server: Alpha,")
    old = project.compile()
    project.edit("roles/engine/meta/options.yml", "debug], default: info", "debug], default: debug")
    project.write(ENGINE_2, "")
    plan = make(old, project.compile(), {"Gamma": before}, without=["Gamma"])
    steps = {step["server"]: step["guarded"] for wave in plan.to_json()["waves"] for step in wave["steps"]}
    assert {"Alpha": steps["Alpha"], "Beta": steps["Beta"]} == {"Alpha": ["engine-1"], "Beta": ["engine-2"]}
    assert [each.keeps for wave in plan.redundancy() for each in wave if each.cluster == "engines"] == [1, 1]


def test_a_removed_server_is_named_and_nothing_is_planned_on_it(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "  Gamma: {site: here, address: 198.18.0.13, cpus: 1, memory: 1GiB, disk: 10GiB}\n", "")
    plan = make(old, project.compile())
    document = plan.to_json()
    assert document["removed"] == ["Gamma"]
    assert "Gamma" not in {step.server for wave in plan.waves for step in wave.servers}
    assert any("Gamma is no longer part of the installation" in line for line in lines(document))


def test_an_address_that_a_removed_server_still_has_is_warned_of(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    project.edit(INSTALLATION, "  Alpha: {site: here, address: 198.18.0.11, cpus: 1, memory: 1GiB, disk: 10GiB}\n", "")
    shown = lines(make(old, project.compile()).to_json())
    assert "      198.18.1.11      answers on Alpha, which must be off before Gamma takes it" in shown


def test_the_json_of_a_plan_is_the_same_every_time(project: Project) -> None:
    old = shutil.copytree(project.inventory, project.directory / "old")
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    argv = [sys.executable, "-c", PLAN, old, project.inventory, project.roles, project.password_file]
    surroundings = {**project.environment, "PYTHONPATH": ":".join(sys.path)}
    first, second = (
        subprocess.run(argv, env={**surroundings, "PYTHONHASHSEED": seed}, capture_output=True, check=True).stdout
        for seed in ("1", "2")
    )
    assert b'"engine-1"' in first
    assert first == second


def test_nobody_waits_for_a_server_that_is_left_out(project: Project) -> None:
    """Alpha has lost its power: its engine moves to Gamma at once, with the address that Alpha cannot give up."""
    old = project.compile()
    project.edit(INSTALLATION, "engine-1: {server: Alpha,", "engine-1: {server: Gamma,")
    new = project.compile()
    order = [[step.server for step in wave.servers] for wave in make(old, new).waves]
    assert [wave for wave in order if "Alpha" in wave] != []
    plan = make(old, new, without=["Alpha"])
    assert [step for wave in plan.waves for step in wave.servers if step.server == "Alpha" or step.hold] == []
    assert (plan.touched, plan.without) == ([name for name in make(old, new).touched if name != "Alpha"], ["Alpha"])
    assert {file.server for file in plan.files} == set(plan.touched)
    assert [(each.address, each.old, each.new) for each in plan.addresses] == [("198.18.1.11", "Alpha", "Gamma")]
    shown = "\n".join(lines(plan.to_json()))
    assert "198.18.1.11      answers on Alpha, which must be off before Gamma takes it" in shown
    assert "left out: Alpha" in shown


def test_what_changes_only_on_a_server_that_is_left_out_is_no_empty_plan(project: Project) -> None:
    old = project.compile()
    project.write("roles/database/templates/etc/database/%i.cnf.j2", "# another one\n")
    new = project.compile()
    plan = make(old, new, without=["Beta"])
    assert (plan.touched, plan.empty) == ([], False)
    assert "left out: Beta" in "\n".join(lines(plan.to_json()))
    assert make(new, new, without=["Beta"]).empty


def test_what_cannot_be_left_out_is_said_by_name(project: Project) -> None:
    old = project.compile()
    project.edit(INSTALLATION, "address: 198.18.0.11, cpus", "address: 198.18.0.21, cpus")
    with pytest.raises(InputRefused) as refused:
        make(old, project.compile(), without=["Betta", "Omega", "Alpha"])
    assert str(refused.value).splitlines() == [
        "--without: Alpha gets another management address, and could not be reached at it; change that when it is back",
        "--without: Betta is not a server of this configuration; did you mean Beta?",
        "--without: Omega is the configuration server, which cannot be left out",
    ]
