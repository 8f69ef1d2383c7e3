"""The command line runs a playbook, hears by `tandem.platform.command_line` how its tasks end, and can end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import ansible
import pytest
from ansible.utils.collection_loader import _collection_finder as finder

from tandem.ansible.runner import Playbook, Run, run_playbook
from tests.tree.walk import ROOT

CONFIG = f"""\
[defaults]
collections_path = {ROOT / "collections"}
[inventory]
any_unparsed_is_failed = true
enable_plugins = yaml
"""
HOSTS = "{all: {vars: {ansible_connection: local, ansible_python_interpreter: %s}, hosts: {one: {}, two: {}}}}"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project without playbooks; its inventory has two hosts, which are this machine."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "ansible.cfg").write_text(CONFIG)
    (tmp_path / "installation.yml").write_text(HOSTS % sys.executable)
    monkeypatch.setenv("TANDEM_PROJECT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


class Watching(AbstractContextManager["Watching"]):
    """Has somebody hear the events."""

    def __init__(self, hear: Callable[[dict[str, object]], None]) -> None:
        self.hear = hear

    def __exit__(self, *_: object) -> None:
        return None


def watched(hear: Callable[[dict[str, object]], None]) -> Callable[[], Watching]:
    """Return what a playbook is watched by."""
    return lambda: Watching(hear)


def play(project: Path, *tasks: dict[str, object]) -> Playbook:
    """Return a playbook that runs some tasks on one host."""
    plays = [{"hosts": "one", "gather_facts": False, "tasks": tasks}]
    (project / "playbooks/some.yml").write_text(json.dumps(plays))
    return Playbook("some", project)


def run(project: Path, tasks: str, **variables: object) -> tuple[Run, list[dict[str, object]]]:
    """Run some tasks, and return what came of them, and what was told meanwhile."""
    (project / "playbooks/some.yml").write_text(f"- {{hosts: all, gather_facts: false, tasks: [{tasks}]}}\n")
    told: list[dict[str, object]] = []
    return run_playbook(Playbook("some", project, variables), watched(told.append)), told


def await_file(path: Path) -> None:
    """Wait until a task has written something to a file."""
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"{path} has not been written"
        time.sleep(0.05)


def await_end(pid: int) -> None:
    """Wait until a process has ended that a task had started."""
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "what the task had started is still at work"
        time.sleep(0.05)


def test_results_come_by_action_and_host(project: Path) -> None:
    done, told = run(project, "{ansible.builtin.debug: {msg: '{{ word }}'}}", word="héllo")
    assert (done.exit_status, done.failures, told) == (0, [], [])
    found = {(each["host"], each["msg"]) for each in done.results["ansible.builtin.debug"]}
    assert found == {("one", "héllo"), ("two", "héllo")}


def test_of_a_loop_every_item_is_a_result(project: Path) -> None:
    done, _ = run(project, "{ansible.builtin.debug: {msg: '{{ item }}'}, loop: [1, 2], run_once: true}")
    assert [each["msg"] for each in done.results["ansible.builtin.debug"]] == [1, 2]


def test_failures_are_told_unless_they_are_ignored(project: Path) -> None:
    passed_over = "{ansible.builtin.fail: {msg: does not matter}, ignore_errors: true}"
    done, _ = run(project, f"{passed_over}, {{ansible.builtin.fail: {{msg: matters}}, run_once: true}}")
    assert (done.exit_status, done.failures) == (1, ["matters"])


def test_what_is_censored_stays_so(project: Path) -> None:
    done, _ = run(project, "{ansible.builtin.command: 'echo {{ word }}', no_log: true}", word="xyzzy")
    assert len(done.results["ansible.builtin.command"]) == 2
    assert "xyzzy" not in str(done)


def test_nothing_but_that_is_told_of_what_is_censored(project: Path) -> None:
    task = "{ansible.builtin.debug: {msg: '{{ word | no_such_filter }}'}, no_log: true, run_once: true}"
    done, _ = run(project, task, word="xyzzy")
    assert done.exit_status == 1
    assert all(each.keys() <= {"censored", "host"} for each in done.results["ansible.builtin.debug"])


def test_what_json_has_no_word_for_is_told_all_the_same(project: Path) -> None:
    done, _ = run(project, "{ansible.builtin.set_fact: {since: 2026-01-31}, run_once: true}")
    assert "2026-01-31" in str(done.results["ansible.builtin.set_fact"])


def test_results_are_heard_when_nobody_reads_what_is_shown(project: Path) -> None:
    def broken_pipe(_event: dict[str, object]) -> None:
        raise SystemExit(1)

    said = """echo '{"event": "progress"}' >> $TANDEM_PROGRESS"""
    playbook = play(project, {"ansible.builtin.shell": said}, {"ansible.builtin.fail": {"msg": "matters"}})
    done = run_playbook(playbook, watched(broken_pipe))
    assert done.failures == ["matters"]


def test_what_is_told_before_somebody_hears_is_heard(project: Path) -> None:
    said = f"""echo '{{"event": "progress"}}' >> $TANDEM_PROGRESS; echo > {project}/said"""
    told: list[dict[str, object]] = []

    def late() -> Watching:
        await_file(project / "said")
        return Watching(told.append)

    assert run_playbook(play(project, {"ansible.builtin.shell": said}), late).exit_status == 0
    assert told == [{"event": "progress"}]


def test_a_mistake_in_what_is_shown_loses_no_result(project: Path) -> None:
    said = """echo '{"event": "progress"}' >> $TANDEM_PROGRESS"""

    def mistaken(_event: dict[str, object]) -> None:
        raise KeyError("step")

    task: dict[str, object] = {"ansible.builtin.shell": said}
    done = run_playbook(play(project, task, task), watched(mistaken))
    assert (done.exit_status, done.failures) == (1, ["what was done could not be shown: KeyError('step')"])
    assert len(done.results["ansible.builtin.shell"]) == 2


def test_who_waits_for_the_rest_to_be_shown_can_be_interrupted(project: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    handlers = []

    class Slow(Watching):
        def __exit__(self, *_: object) -> None:
            handlers.append(signal.getsignal(signal.SIGINT))

    assert run_playbook(play(project), lambda: Slow(print)).exit_status == 0
    assert handlers == [before]


def test_a_playbook_does_not_go_on_unwatched(project: Path) -> None:
    started, finished = project / "started", project / "finished"
    task = {"ansible.builtin.shell": f"echo $$ > {started}; sleep 20; touch {finished}"}

    def blind() -> Watching:
        await_file(started)
        raise OSError("no screen")

    with pytest.raises(OSError, match="no screen"):
        run_playbook(play(project, task), blind)
    await_end(int(started.read_text()))
    assert not finished.exists()


def test_where_ansible_does_not_begin_its_last_words_are_told(project: Path) -> None:
    done, _ = run(project, "{ansible.builtin.no_such_module: {}}")
    assert done.exit_status == 1
    assert "no_such_module" in done.failures[0]


def test_an_interruption_ends_the_task_too(project: Path) -> None:
    started, finished = project / "started", project / "finished"

    def interrupt() -> None:
        await_file(started)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    done, _ = run(
        project, f"{{ansible.builtin.shell: 'echo $$ > {started}; sleep 20; touch {finished}', run_once: true}}"
    )
    thread.join()
    assert (done.exit_status, done.interrupted) == (130, True)
    assert not finished.exists()
    await_end(int(started.read_text()))


def test_what_ansible_reads_of_its_collection_is_remembered_as_it_is(project: Path) -> None:
    done, _ = run(project, "{ansible.builtin.debug: {}}")
    assert done.exit_status == 0
    path = Path(ansible.__file__).parent / "config/ansible_builtin_runtime.yml"
    wanted = finder._meta_yml_to_dict(path.read_bytes(), None)
    kept = [file.read_bytes()[32:] for file in (project / "cache/tandem/compiled").iterdir()]
    assert wanted in [json.loads(data) for data in kept if data.startswith(b"{")]


def test_it_calls_itself_by_ansibles_name(project: Path) -> None:
    command = [sys.executable, "-m", "tandem.ansible.engine", "--version"]
    shown = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout
    assert shown.startswith("ansible-playbook [core ")
